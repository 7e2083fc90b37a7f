#include "engine/validation.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "text/moments.h"
#include "text/numbers.h"
#include "text/uuid.h"

/* Characters of well-formed UTF-8: the bytes that do not continue one. */
static apr_int64_t character_count(const char *text)
{
    apr_int64_t count = 0;

    for (; *text; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

/* A fault of the value; p: of the message where it is made. */
static int refuse(batch_fault_t *fault, const char *code, const char *message)
{
    fault->code = code;
    fault->message = message;
    return 0;
}

static int settle_text(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                       apr_pool_t *p)
{
    int i;

    if (value->kind != BATCH_KIND_STRING) {
        return refuse(fault, "wrong_type", "must be a string");
    }
    if (column->max && character_count(value->value) > column->max) {
        return refuse(
            fault, "too_long",
            apr_psprintf(p, "is longer than %" APR_INT64_T_FMT " characters", column->max));
    }
    for (i = 0; column->words && i < column->words->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(column->words, i, const char *), value->value)) {
            return 1;
        }
    }
    return !column->words || refuse(fault, "not_allowed",
                                    apr_pstrcat(p, "must be one of ",
                                                apr_array_pstrcat(p, column->words, ','), NULL));
}

static int settle_min(batch_fault_t *fault, const batch_column_t *column, const char *number,
                      apr_pool_t *p)
{
    return !column->min || batch_number_compare(number, column->min) >= 0 ||
           refuse(fault, "out_of_range", apr_psprintf(p, "must be at least %s", column->min));
}

static int settle_integer(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                          apr_pool_t *p)
{
    const char *spelling;

    if (value->kind != BATCH_KIND_NUMBER) {
        return refuse(fault, "wrong_type", "must be a whole number");
    }
    switch (batch_number_integer(&spelling, value->value, p)) {
    case BATCH_NUMBER_GOOD:
        value->value = spelling;
        return settle_min(fault, column, spelling, p);
    case BATCH_NUMBER_BEYOND:
        return refuse(fault, "out_of_range", "is beyond what 64 bits can hold");
    default:
        return refuse(fault, "wrong_type", "must be a whole number");
    }
}

static int settle_number(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                         apr_pool_t *p)
{
    const char *spelling;

    if (value->kind != BATCH_KIND_NUMBER) {
        return refuse(fault, "wrong_type", "must be a number");
    }
    switch (batch_number_decimal(&spelling, value->value, p)) {
    case BATCH_NUMBER_GOOD:
        value->value = spelling;
        return settle_min(fault, column, spelling, p);
    case BATCH_NUMBER_BEYOND:
        return refuse(fault, "out_of_range", "must be a number that a double can hold");
    default:
        return refuse(fault, "wrong_type", "must be a number");
    }
}

static int settle_boolean(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                          apr_pool_t *p)
{
    (void)column;
    (void)p;
    return value->kind == BATCH_KIND_BOOLEAN ||
           refuse(fault, "wrong_type", "must be true or false");
}

static int settle_timestamp(batch_fault_t *fault, batch_value_t *value,
                            const batch_column_t *column, apr_pool_t *p)
{
    const char *wrong;

    (void)column;
    if (value->kind != BATCH_KIND_STRING) {
        return refuse(fault, "wrong_type",
                      "must be a string with a timestamp as 2023-10-06T02:56:34Z");
    }
    wrong = batch_moment_read(&value->value, value->value, p);
    return !wrong || refuse(fault, "malformed", wrong);
}

static int settle_date(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                       apr_pool_t *p)
{
    const char *wrong;

    (void)column;
    if (value->kind != BATCH_KIND_STRING) {
        return refuse(fault, "wrong_type", "must be a string with a date as 2023-10-06");
    }
    wrong = batch_moment_check_date(value->value, p);
    return !wrong || refuse(fault, "malformed", wrong);
}

static const char not_uuid[] = "must be a UUID as 6ba7b810-9dad-11d1-80b4-00c04fd430c8";

static int settle_uuid(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                       apr_pool_t *p)
{
    (void)column;
    if (value->kind != BATCH_KIND_STRING) {
        return refuse(fault, "wrong_type", "must be a string with a UUID");
    }
    return batch_uuid_settle(&value->value, value->value, p) ||
           refuse(fault, "malformed", not_uuid);
}

/* A decimal that has more digits than its column. */
static int refuse_digits(batch_fault_t *fault, const batch_column_t *column, batch_number_e trouble,
                         apr_pool_t *p)
{
    int digits = batch_column_digits(column);

    if (trouble == BATCH_NUMBER_FRACTION && !column->scale) {
        return refuse(fault, "out_of_range", "must be a whole number");
    }
    if (trouble == BATCH_NUMBER_FRACTION) {
        return refuse(fault, "out_of_range",
                      apr_psprintf(p, "has more than %d digits behind the point", column->scale));
    }
    return refuse(fault, "out_of_range",
                  column->has_scale ? apr_psprintf(p, "has more than %d digits before the point",
                                                   digits - column->scale)
                                    : apr_psprintf(p, "has more than %d digits", digits));
}

/* Nothing of it goes through a double: a JSON number is read as the text that it is. */
static int settle_decimal(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                          apr_pool_t *p)
{
    const char *spelling = NULL;
    batch_number_e is;

    if (value->kind != BATCH_KIND_NUMBER && value->kind != BATCH_KIND_STRING) {
        return refuse(fault, "wrong_type", "must be a number, or a string with one as \"12.50\"");
    }
    is = batch_number_exact(&spelling, value->value, batch_column_digits(column),
                            column->has_scale ? column->scale : -1, p);
    if (is == BATCH_NUMBER_NONE) {
        return refuse(fault, "malformed", "must be a decimal number as 12.50");
    }
    if (is != BATCH_NUMBER_GOOD) {
        return refuse_digits(fault, column, is, p);
    }
    value->value = spelling;
    value->kind = BATCH_KIND_STRING;
    return settle_min(fault, column, spelling, p);
}

/* A text that has lost its quotes is no JSON text. */
static int settle_json(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                       apr_pool_t *p)
{
    (void)column;
    (void)p;
    if (value->kind == BATCH_KIND_STRING) {
        return refuse(fault, "wrong_type", "must be an object or an array");
    }
    return value->kind != BATCH_KIND_CELL || refuse(fault, "wrong_type", "must be JSON");
}

/* ---- Cells --------------------------------------------------------------------------------------
 */

/*
 * The JSON number that a cell is, or NULL: a minus sign, digits, and if it has a fraction or an
 * exponent, these. Spreadsheets write a plus sign and zeros in front of it as well.
 */
static const char *cell_number(const char *text, apr_pool_t *p)
{
    const char *at = text;
    int is_negative = *at == '-';
    const char *digits;
    apr_size_t count;

    at += is_negative || *at == '+';
    count = strspn(at, "0123456789");
    digits = at + strspn(at, "0");
    at += count;
    if (!count) {
        return NULL;
    }
    digits -= digits == at; /* the last zero stays */
    if (*at == '.') {
        count = strspn(at + 1, "0123456789");
        at += 1 + count;
    }
    if (count && (*at == 'e' || *at == 'E')) {
        at++;
        at += *at == '-' || *at == '+';
        count = strspn(at, "0123456789");
        at += count;
    }
    if (!count || *at) {
        return NULL;
    }
    if (digits == text + is_negative) {
        return text;
    }
    return is_negative ? apr_pstrcat(p, "-", digits, NULL) : digits;
}

void batch_value_type_cell(batch_value_t *value, const batch_column_t *column, apr_pool_t *p)
{
    const char *number;

    if (value->kind != BATCH_KIND_CELL) {
        return;
    }
    switch (batch_type_form(column->type)) {
    case BATCH_FORM_STRING:
        value->kind = BATCH_KIND_STRING;
        break;
    case BATCH_FORM_NUMBER:
        number = cell_number(value->value, p);
        if (number) {
            value->kind = BATCH_KIND_NUMBER;
            value->value = number;
        }
        break;
    case BATCH_FORM_BOOLEAN:
        if (!strcmp(value->value, "1") || !strcasecmp(value->value, "true")) {
            value->kind = BATCH_KIND_BOOLEAN;
            value->value = "true";
        } else if (!strcmp(value->value, "0") || !strcasecmp(value->value, "false")) {
            value->kind = BATCH_KIND_BOOLEAN;
            value->value = "false";
        }
        break;
    case BATCH_FORM_ANY:
        break;
    }
}

/* ---- Values -------------------------------------------------------------------------------------
 */

typedef int settle_fn(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                      apr_pool_t *p);

#define SETTLE(symbol, name, form, stored, queried, options) [BATCH_TYPE_##symbol] = settle_##name,

static settle_fn *const settles[BATCH_TYPE_COUNT] = {BATCH_TYPE_LIST(SETTLE)};

int batch_value_settle(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                       apr_pool_t *p)
{
    batch_value_t settled = *value;

    if (value->kind == BATCH_KIND_NULL) {
        return !column->required || refuse(fault, "wrong_type", "must not be null");
    }
    if (value->kind == BATCH_KIND_BROKEN) {
        return refuse(fault, "malformed", "cannot be read");
    }
    batch_value_type_cell(&settled, column, p);
    if (!settles[column->type](fault, &settled, column, p)) {
        return 0;
    }
    *value = settled;
    return 1;
}

/* The spelling of a whole number, or NULL. */
static const char *spell_integer(const char *text, apr_pool_t *p)
{
    const char *digits;
    int is_negative;

    if (!batch_number_whole_digits(&digits, &is_negative, text)) {
        return NULL;
    }
    if (!is_negative) {
        return digits;
    }
    return digits == text + 1 ? text : apr_pstrcat(p, "-", digits, NULL);
}

const char *batch_key_spell(const char *text, batch_key_type_e type, apr_pool_t *p)
{
    const char *spelling;

    switch (type) {
    case BATCH_KEY_INTEGER:
        return spell_integer(text, p);
    case BATCH_KEY_UUID:
        return batch_uuid_settle(&spelling, text, p) ? spelling : NULL;
    case BATCH_KEY_TEXT:
    case BATCH_KEY_OTHER:
        break;
    }
    return text;
}

int batch_key_settle(batch_fault_t *fault, batch_value_t *value, batch_key_type_e type,
                     apr_pool_t *p)
{
    const char *spelling;
    apr_size_t length;

    if (value->kind == BATCH_KIND_NUMBER &&
        (batch_number_integer(&value->value, value->value, p) == BATCH_NUMBER_GOOD ||
         !value->value[strspn(value->value, "-0123456789")])) {
        value->kind = BATCH_KIND_STRING;
    }
    if (value->kind != BATCH_KIND_STRING && value->kind != BATCH_KIND_CELL) {
        return refuse(fault, "wrong_type", "must be a string or a whole number");
    }
    length = strlen(value->value);
    if (strspn(value->value, " \t\r\n") == length) {
        return refuse(fault, "missing", "must not be empty");
    }
    spelling = batch_key_spell(value->value, type, p);
    if (!spelling) {
        return refuse(fault, "malformed",
                      type == BATCH_KEY_UUID
                          ? not_uuid
                          : "must be a whole number: digits, with a minus sign in front or none");
    }
    if (strlen(spelling) > BATCH_KEY_BYTES) {
        return refuse(fault, "too_long",
                      "must not be longer than " APR_STRINGIFY(BATCH_KEY_BYTES) " bytes");
    }
    value->value = spelling;
    return 1;
}

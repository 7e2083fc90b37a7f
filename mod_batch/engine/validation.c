#include "engine/validation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Characters of well-formed UTF-8: the bytes that do not continue one. */
static apr_int64_t character_count(const char *text)
{
    apr_int64_t count = 0;

    for (; *text; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

static const char *check_text(const batch_column_t *column, const batch_value_t *value,
                              apr_pool_t *p)
{
    if (value->kind != BATCH_KIND_STRING) {
        return "must be a string";
    }
    if (column->max && character_count(value->value) > column->max) {
        return apr_psprintf(p, "is longer than %" APR_INT64_T_FMT " characters", column->max);
    }
    return NULL;
}

static const char *check_min(const batch_column_t *column, double number, apr_pool_t *p)
{
    if (column->has_min && number < column->min) {
        return apr_psprintf(p, "must be at least %.15g", column->min);
    }
    return NULL;
}

static const char *check_integer(const batch_column_t *column, const batch_value_t *value,
                                 apr_pool_t *p)
{
    char *end = NULL;
    long long number;

    if (value->kind != BATCH_KIND_NUMBER) {
        return "must be a whole number";
    }
    errno = 0;
    number = strtoll(value->value, &end, 10);
    if (*end) {
        return "must be a whole number";
    }
    if (errno == ERANGE) {
        return "is beyond what 64 bits can hold";
    }
    return check_min(column, (double)number, p);
}

static const char *check_number(const batch_column_t *column, const batch_value_t *value,
                                apr_pool_t *p)
{
    char *end = NULL;
    double number;

    if (value->kind != BATCH_KIND_NUMBER) {
        return "must be a number";
    }
    number = strtod(value->value, &end);
    if (*end || !isfinite(number)) {
        return "must be a number that a double can hold";
    }
    return check_min(column, number, p);
}

/* Two decimal digits at text, or -1. */
static int two_digits(const char *text)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return -1;
    }
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* The length of an ISO 8601 date YYYY-MM-DD at text that exists in the calendar, else 0. */
static int date_length(const char *text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century, year, month, day, leap;

    if (strlen(text) < 10 || text[4] != '-' || text[7] != '-') {
        return 0;
    }
    century = two_digits(text);
    year = two_digits(text + 2);
    month = two_digits(text + 5);
    day = two_digits(text + 8);
    if (century < 0 || year < 0 || month < 1 || month > 12 || day < 1) {
        return 0;
    }
    year += century * 100;
    leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + leap ? 10 : 0;
}

/* 1 if text is hh:mm:ss[.f…] and Z or an offset ±hh:mm. */
static int time_is_valid(const char *text)
{
    int hour, minute, second;

    if (strlen(text) < 9 || text[2] != ':' || text[5] != ':') {
        return 0;
    }
    hour = two_digits(text);
    minute = two_digits(text + 3);
    second = two_digits(text + 6);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return 0;
    }
    text += 8;
    if (*text == '.') {
        apr_size_t digits = strspn(text + 1, "0123456789");
        if (!digits) {
            return 0;
        }
        text += 1 + digits;
    }
    if (!strcmp(text, "Z") || !strcmp(text, "z")) {
        return 1;
    }
    if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':') {
        return 0;
    }
    hour = two_digits(text + 1);
    minute = two_digits(text + 4);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

static const char *check_date(const batch_value_t *value)
{
    if (value->kind != BATCH_KIND_STRING || date_length(value->value) != 10 || value->value[10]) {
        return "must be a date as 2023-10-06";
    }
    return NULL;
}

static const char *check_timestamp(const batch_value_t *value)
{
    if (value->kind != BATCH_KIND_STRING || date_length(value->value) != 10 ||
        (value->value[10] != 'T' && value->value[10] != 't') || !time_is_valid(value->value + 11)) {
        return "must be a timestamp as 2023-10-06T02:56:34Z";
    }
    return NULL;
}

static const char *check_enum(const batch_column_t *column, const batch_value_t *value,
                              apr_pool_t *p)
{
    int i;

    if (!column->words) {
        return NULL;
    }
    for (i = 0; i < column->words->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(column->words, i, const char *), value->value)) {
            return NULL;
        }
    }
    return apr_pstrcat(p, "must be one of ", apr_array_pstrcat(p, column->words, ','), NULL);
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
    switch (column->type) {
    case BATCH_TYPE_TEXT:
    case BATCH_TYPE_TIMESTAMP:
    case BATCH_TYPE_DATE:
        value->kind = BATCH_KIND_STRING;
        break;
    case BATCH_TYPE_INTEGER:
    case BATCH_TYPE_NUMBER:
        number = cell_number(value->value, p);
        if (number) {
            value->kind = BATCH_KIND_NUMBER;
            value->value = number;
        }
        break;
    case BATCH_TYPE_BOOLEAN:
        if (!strcmp(value->value, "1") || !strcasecmp(value->value, "true")) {
            value->kind = BATCH_KIND_BOOLEAN;
            value->value = "true";
        } else if (!strcmp(value->value, "0") || !strcasecmp(value->value, "false")) {
            value->kind = BATCH_KIND_BOOLEAN;
            value->value = "false";
        }
        break;
    case BATCH_TYPE_JSON:
    case BATCH_TYPE_COUNT:
        break;
    }
}

/* ---- Values -------------------------------------------------------------------------------------
 */

const char *batch_value_check(const batch_column_t *column, const batch_value_t *value,
                              apr_pool_t *p)
{
    const char *wrong = NULL;
    batch_value_t typed;

    if (value->kind == BATCH_KIND_NULL) {
        return column->required ? "must not be null" : NULL;
    }
    if (value->kind == BATCH_KIND_BROKEN) {
        return "cannot be read";
    }
    if (value->kind == BATCH_KIND_CELL) {
        typed = *value;
        batch_value_type_cell(&typed, column, p);
        value = &typed;
    }
    switch (column->type) {
    case BATCH_TYPE_TEXT:
        wrong = check_text(column, value, p);
        break;
    case BATCH_TYPE_INTEGER:
        wrong = check_integer(column, value, p);
        break;
    case BATCH_TYPE_NUMBER:
        wrong = check_number(column, value, p);
        break;
    case BATCH_TYPE_BOOLEAN:
        wrong = value->kind == BATCH_KIND_BOOLEAN ? NULL : "must be true or false";
        break;
    case BATCH_TYPE_TIMESTAMP:
        wrong = check_timestamp(value);
        break;
    case BATCH_TYPE_DATE:
        wrong = check_date(value);
        break;
    case BATCH_TYPE_JSON:
        /* A text that has lost its quotes is no JSON text. */
        wrong = value->kind == BATCH_KIND_STRING ? "must be an object or an array"
                : value->kind == BATCH_KIND_CELL ? "must be JSON"
                                                 : NULL;
        break;
    case BATCH_TYPE_COUNT:
        break;
    }
    return wrong ? wrong : check_enum(column, value, p);
}

/*
 * Fuzz target: values and their one spelling. The first byte of the input says the column's type
 * and the value's kind. What is settled must stay so, be well-formed, and say the same number as
 * before; what is refused must have a code and words.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "engine/validation.h"
#include "text/numbers.h"
#include "text/uuid.h"
#include "payload/json_reader.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static apr_pool_t *root;

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static int is_digits(const char *text, size_t count)
{
    return strspn(text, "0123456789") >= count;
}

/** YYYY-MM-DDThh:mm:ss[.f]Z, without a zero at the end of the fraction. */
static void check_moment(const char *text)
{
    size_t length = strlen(text);

    check(length == 20 || (length > 21 && text[19] == '.' && text[length - 2] != '0'));
    check(is_digits(text, 4) && text[4] == '-' && is_digits(text + 5, 2) && text[7] == '-');
    check(is_digits(text + 8, 2) && text[10] == 'T' && is_digits(text + 11, 2));
    check(text[13] == ':' && is_digits(text + 14, 2) && text[16] == ':');
    check(is_digits(text + 17, 2) && text[length - 1] == 'Z' && strcmp(text, "0001") > 0);
}

static void check_settled(const batch_value_t *value, const batch_value_t *sent,
                          const batch_column_t *column, apr_pool_t *p)
{
    batch_value_t again = *value;
    batch_fault_t fault;

    check(batch_utf8_is_valid(value->value, strlen(value->value)));
    check(batch_value_settle(&fault, &again, column, p));
    check(again.kind == value->kind && !strcmp(again.value, value->value));
    if (column->type == BATCH_TYPE_INTEGER || column->type == BATCH_TYPE_NUMBER) {
        check(strtod(value->value, NULL) == strtod(sent->value, NULL));
        check(batch_json_is_valid(value->value, strlen(value->value), p));
        check(strlen(value->value) <= strlen(sent->value) + 30);
    }
    if (column->type == BATCH_TYPE_DECIMAL) {
        check(!batch_number_compare(value->value, sent->value));
        check(strlen(value->value) <= BATCH_DECIMAL_DIGITS + 3);
    }
    if (column->type == BATCH_TYPE_UUID) {
        check(batch_uuid_is_valid(value->value));
    }
    if (column->type == BATCH_TYPE_TIMESTAMP) {
        check_moment(value->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const batch_kind_e kinds[] = {BATCH_KIND_CELL, BATCH_KIND_STRING, BATCH_KIND_NUMBER};
    batch_column_t column = {.name = "it"};
    batch_value_t sent = {"it", NULL, BATCH_KIND_CELL};
    batch_value_t value;
    batch_fault_t fault = {NULL, NULL};
    apr_pool_t *p;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    if (!size || !batch_utf8_is_valid((const char *)data + 1, size - 1)) {
        return 0;
    }
    apr_pool_create(&p, root);
    column.type = (batch_type_e)(*data % BATCH_TYPE_COUNT);
    sent.kind = kinds[*data / BATCH_TYPE_COUNT % 3];
    sent.value = apr_pstrmemdup(p, (const char *)data + 1, size - 1);
    value = sent;
    if (batch_value_settle(&fault, &value, &column, p)) {
        check_settled(&value, &sent, &column, p);
    } else {
        check(fault.code && fault.message && !memcmp(&value, &sent, sizeof(value)));
        check(batch_utf8_is_valid(fault.message, strlen(fault.message)));
    }
    apr_pool_destroy(p);
    return 0;
}

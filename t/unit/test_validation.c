/* Values against their columns: the cells of CSV, which have no types of their own. */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "engine/validation.h"
#include "tap.h"

static apr_pool_t *pool;

/** What a cell is in a column of that type, and what is said of it. */
static void cell(batch_type_e type, const char *text, const char *wanted)
{
    static const char kinds[] = "0snbjc!"; /* as batch_kind_e */
    batch_column_t column = {.name = "it", .type = type};
    batch_value_t value = {"it", text, BATCH_KIND_CELL};
    const char *wrong = batch_value_check(&column, &value, pool);
    batch_value_t typed = value;
    const char *got;

    batch_value_type_cell(&typed, &column, pool);
    got = wrong ? wrong : apr_psprintf(pool, "%c:%s", kinds[typed.kind], typed.value);
    is_string(got, wanted, apr_psprintf(pool, "%s: '%s'", batch_type_name(type), text));
    ok(value.kind == BATCH_KIND_CELL && value.value == text, "it is not touched by the check");
    wrong = batch_value_check(&column, &typed, pool);
    ok(!wrong == (got[1] == ':'), "what it became is judged the same");
}

int main(void)
{
    static const char *const integers[] = {"x",  "1.5", "1e3", "0x10", " 1",
                                           "1 ", "",    "-",   "+",    "1,5"};
    static const char *const numbers[] = {"x",   ".5",  "5.",  "1e",  "1e+", "0x1",
                                          "inf", "nan", "1,5", "--1", "+-1", "1.5.1"};
    batch_column_t column = {.name = "it", .type = BATCH_TYPE_INTEGER, .has_min = 1, .min = 5};
    batch_value_t value = {"it", "4", BATCH_KIND_CELL};

    apr_initialize();
    apr_pool_create(&pool, NULL);
    cell(BATCH_TYPE_TEXT, " any ", "s: any ");
    cell(BATCH_TYPE_INTEGER, "7", "n:7");
    cell(BATCH_TYPE_INTEGER, "-12", "n:-12");
    cell(BATCH_TYPE_INTEGER, "+007", "n:7");
    cell(BATCH_TYPE_INTEGER, "-007", "n:-7");
    cell(BATCH_TYPE_INTEGER, "000", "n:0");
    cell(BATCH_TYPE_INTEGER, "9223372036854775807", "n:9223372036854775807");
    cell(BATCH_TYPE_INTEGER, "9223372036854775808", "is beyond what 64 bits can hold");
    for (size_t i = 0; i < sizeof(integers) / sizeof(*integers); i++) {
        cell(BATCH_TYPE_INTEGER, integers[i], "must be a whole number");
    }
    cell(BATCH_TYPE_NUMBER, "1.50", "n:1.50");
    cell(BATCH_TYPE_NUMBER, "+01.5e-3", "n:1.5e-3");
    cell(BATCH_TYPE_NUMBER, "-00.5", "n:-0.5");
    cell(BATCH_TYPE_NUMBER, "0", "n:0");
    cell(BATCH_TYPE_NUMBER, "1E5", "n:1E5");
    cell(BATCH_TYPE_NUMBER, "1e999", "must be a number that a double can hold");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        cell(BATCH_TYPE_NUMBER, numbers[i], "must be a number");
    }
    cell(BATCH_TYPE_BOOLEAN, "true", "b:true");
    cell(BATCH_TYPE_BOOLEAN, "FALSE", "b:false");
    cell(BATCH_TYPE_BOOLEAN, "1", "b:true");
    cell(BATCH_TYPE_BOOLEAN, "0", "b:false");
    cell(BATCH_TYPE_BOOLEAN, "yes", "must be true or false");
    cell(BATCH_TYPE_TIMESTAMP, "2024-02-29T00:00:00Z", "s:2024-02-29T00:00:00Z");
    cell(BATCH_TYPE_TIMESTAMP, "2024-02-29", "must be a timestamp as 2023-10-06T02:56:34Z");
    cell(BATCH_TYPE_DATE, "2024-02-29", "s:2024-02-29");
    cell(BATCH_TYPE_DATE, "29.02.2024", "must be a date as 2023-10-06");
    cell(BATCH_TYPE_JSON, "{}", "must be JSON");
    is_string(batch_value_check(&column, &value, pool), "must be at least 5", "min counts");
    value.value = "005";
    is_string(batch_value_check(&column, &value, pool), NULL, "of the number that the cell is");
    column.type = BATCH_TYPE_TEXT;
    column.max = 2;
    is_string(batch_value_check(&column, &value, pool), "is longer than 2 characters",
              "max counts");
    column.max = 0;
    column.words = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(column.words, const char *) = "a";
    is_string(batch_value_check(&column, &value, pool), "must be one of a", "so do words");
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

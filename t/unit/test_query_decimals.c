/* Decimals of queries: their keys are in the order of the numbers, and say which numbers they are.
 */
/* needs: nothing */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "query/value.h"
#include "tap.h"
#include "text/numbers.h"

static apr_pool_t *pool;
static batch_query_room_t room = {.most = 1000000};

static batch_query_value_t decimal(const char *text)
{
    return batch_query_decimal_parse(text, strlen(text), &room);
}

/* Texts, and what they are without zeros at their ends. */
static const char *const numbers[][2] = {
    {"-1e400", NULL},
    {"-12345678901234567890.5", "-12345678901234567890.5"},
    {"-100", "-100"},
    {"-10.50", "-10.5"},
    {"-10.05", "-10.05"},
    {"-9", "-9"},
    {"-1.55", "-1.55"},
    {"-1.5", "-1.5"},
    {"-1", "-1"},
    {"-0.10", "-0.1"},
    {"-0.01", "-0.01"},
    {"-1e-400", NULL},
    {"-0.00", "0"},
    {"1e-400", NULL},
    {"0.001", "0.001"},
    {"0.00100000000000000000001", "0.00100000000000000000001"},
    {"0.01", "0.01"},
    {"0.1", "0.1"},
    {"1", "1"},
    {"+1.0000000000000000001", "1.0000000000000000001"},
    {"1.5", "1.5"},
    {"1.55", "1.55"},
    {"9", "9"},
    {"10", "10"},
    {"  1e2 ", "100"},
    {"9007199254740992", "9007199254740992"},
    {"9007199254740993", "9007199254740993"},
    {"1e400", NULL},
};

#define COUNT (sizeof(numbers) / sizeof(*numbers))

static void test_order(void)
{
    size_t i, j;

    for (i = 0; i < COUNT; i++) {
        batch_query_value_t one = decimal(numbers[i][0]);

        is_number(one.kind, BATCH_QUERY_DECIMAL, numbers[i][0]);
        for (j = 0; j < COUNT; j++) {
            batch_query_value_t other = decimal(numbers[j][0]);
            int order = batch_query_compare(&one, &other);

            if ((order > 0) - (order < 0) != (i > j) - (i < j)) {
                ok(0, "%s against %s", numbers[i][0], numbers[j][0]);
            }
        }
    }
}

static void test_text(void)
{
    size_t i;

    for (i = 0; i < COUNT; i++) {
        batch_query_value_t one = decimal(numbers[i][0]);
        batch_query_value_t text = batch_query_convert(&one, BATCH_QUERY_TEXT, &room);
        const char *digits = apr_pstrmemdup(pool, text.text, text.length);
        batch_query_value_t again = decimal(digits);

        is_number(batch_query_compare(&one, &again), 0, digits);
        if (numbers[i][1]) {
            is_string(digits, numbers[i][1], "its digits");
        }
    }
}

static void test_conversions(void)
{
    batch_query_value_t value = batch_query_integer_value(APR_INT64_MIN);
    batch_query_value_t there = batch_query_convert(&value, BATCH_QUERY_DECIMAL, &room);
    batch_query_value_t wanted = decimal("-9223372036854775808");

    is_number(batch_query_compare(&there, &wanted), 0, "of a whole number");
    value = batch_query_number_value(0.1);
    there = batch_query_convert(&value, BATCH_QUERY_DECIMAL, &room);
    wanted = decimal("0.1");
    is_number(batch_query_compare(&there, &wanted), 0, "of a double, by its digits");
    there = batch_query_convert(&wanted, BATCH_QUERY_NUMBER, &room);
    ok(there.kind == BATCH_QUERY_NUMBER && there.number == 0.1, "and back");
    value = batch_query_boolean_value(1);
    is_number(batch_query_convert(&value, BATCH_QUERY_DECIMAL, &room).kind, BATCH_QUERY_NULL,
              "a truth is none");
    there = decimal(".5");
    wanted = decimal("0.5");
    is_number(batch_query_compare(&there, &wanted), 0, "without a digit before the point");
    there = decimal("-5.e1");
    wanted = decimal("-50");
    is_number(batch_query_compare(&there, &wanted), 0, "or behind it");
    is_number(decimal(".").kind, BATCH_QUERY_NULL, "a point alone is none");
    is_number(decimal("").kind, BATCH_QUERY_NULL, "nothing is none");
    is_number(decimal("many").kind, BATCH_QUERY_NULL, "a word is none");
    is_number(decimal("NaN").kind, BATCH_QUERY_NULL, "NaN is none");
    is_number(decimal("1e999999").kind, BATCH_QUERY_NULL, "nor what no database has");
    is_number(decimal("0e999999").kind, BATCH_QUERY_DECIMAL, "but 0, whatever is behind it");
    is_number(batch_query_decimal_parse("1\0002", 3, &room).kind, BATCH_QUERY_NULL, "nor a NUL");
    is_string(batch_query_kind_name(BATCH_QUERY_DECIMAL), "decimal", "its name");
    is_string(batch_query_kind_name(BATCH_QUERY_LITERAL), "text", "the last kind's name");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    room.p = pool;
    test_order();
    test_text();
    test_conversions();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

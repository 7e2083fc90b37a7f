/* Exact sums: whatever the order, whatever is taken away again. */
/* needs: nothing */
#include <math.h>
#include <stdlib.h>

#include <apr_general.h>

#include "query/sums.h"
#include "tap.h"

#define NUMBERS 2000

static batch_query_value_t number(double value)
{
    batch_query_value_t made = {.kind = BATCH_QUERY_NUMBER, .number = value};

    return made;
}

static batch_query_value_t whole(apr_int64_t value)
{
    batch_query_value_t made = {.kind = BATCH_QUERY_INTEGER, .integer = value};

    return made;
}

static double as_double(batch_query_value_t value)
{
    return value.kind == BATCH_QUERY_INTEGER ? (double)value.integer : value.number;
}

static double sum_of(const double *numbers, int count)
{
    batch_sum_t sum = {{0}, 0, 0};

    for (int i = 0; i < count; i++) {
        batch_query_value_t value = number(numbers[i]);
        batch_sum_add(&sum, &value, 1);
    }
    return as_double(batch_sum_value(&sum));
}

static void test_doubles(void)
{
    const double tenths[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    const double huge[] = {1e308, 1e308, 0.5, -1e308};
    const double cancel[] = {1e300, 1.5, -1e300};
    const double tiny[] = {4.9e-324, 4.9e-324, 4.9e-324};
    const double small[] = {-2.2250738585072014e-308, 4.9e-324};
    const double half[] = {9007199254740992.0, 1.0, 4.9e-324};
    const double even[] = {9007199254740992.0, 0.5, 0.5};
    const double tie[] = {9007199254740994.0, 1.0};
    const double far[] = {18014398509481984.0, 2.0, 0.25};
    const double below[] = {-18014398509481984.0, -2.0, -0.25};

    ok(sum_of(tenths, 10) == 1.0, "ten tenths are one");
    ok(sum_of(huge, 4) == 1e308, "a sum may be larger than a double meanwhile");
    ok(sum_of(huge, 2) == 0.0, "at the end it is nothing then");
    ok(sum_of(cancel, 3) == 1.5, "nothing is lost next to what is huge");
    ok(sum_of(tiny, 3) == 3 * 4.9e-324, "the smallest doubles");
    ok(sum_of(small, 2) == -2.2250738585072009e-308, "and those below the normal ones");
    ok(sum_of(half, 3) == 9007199254740994.0, "more than half is rounded up");
    ok(sum_of(even, 2) == 9007199254740992.0, "less than half is rounded down");
    ok(sum_of(tie, 2) == 9007199254740996.0, "a half goes to the even one");
    ok(sum_of(far, 3) == 18014398509481988.0, "a bit far below decides");
    ok(sum_of(below, 3) == -18014398509481988.0, "also below 0");
}

static void test_whole(void)
{
    batch_sum_t sum = {{0}, 0, 0};
    batch_query_value_t value, most = whole(APR_INT64_MAX), least = whole(APR_INT64_MIN);

    is_number(batch_sum_value(&sum).kind, BATCH_QUERY_NULL, "nothing has no sum");
    is_number(batch_sum_mean(&sum).kind, BATCH_QUERY_NULL, "and no mean");
    batch_sum_add(&sum, &most, 1);
    batch_sum_add(&sum, &most, 1);
    value = batch_sum_value(&sum);
    ok(value.kind == BATCH_QUERY_NUMBER && value.number == 18446744073709551616.0,
       "past 64 bits it is a double");
    value = batch_sum_mean(&sum);
    ok(value.kind == BATCH_QUERY_INTEGER && value.integer == APR_INT64_MAX, "whose mean is exact");
    batch_sum_add(&sum, &most, -1);
    value = batch_sum_value(&sum);
    ok(value.kind == BATCH_QUERY_INTEGER && value.integer == APR_INT64_MAX,
       "what is taken away again leaves the rest as it was");
    batch_sum_add(&sum, &most, -1);
    is_number(batch_sum_value(&sum).kind, BATCH_QUERY_NULL, "and at last nothing");
    batch_sum_add(&sum, &least, 1);
    value = batch_sum_value(&sum);
    ok(value.kind == BATCH_QUERY_INTEGER && value.integer == APR_INT64_MIN, "the lowest number");
    value = number(0.5);
    batch_sum_add(&sum, &least, -1);
    batch_sum_add(&sum, &value, 1);
    batch_sum_add(&sum, &value, 1);
    value = batch_sum_value(&sum);
    ok(value.kind == BATCH_QUERY_INTEGER && value.integer == 1, "two halves are a whole one");
    value = batch_sum_mean(&sum);
    ok(value.kind == BATCH_QUERY_NUMBER && value.number == 0.5, "whose mean is a half");
}

/* Any order, and any of them added and taken away on the way. */
static void test_order(void)
{
    static double numbers[NUMBERS];
    unsigned seed = 20231006;
    batch_sum_t sum = {{0}, 0, 0};
    double forward;

    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = ldexp((double)rand_r(&seed) - RAND_MAX / 2.0, rand_r(&seed) % 200 - 100);
    }
    forward = sum_of(numbers, NUMBERS);
    for (int i = NUMBERS - 1; i >= 0; i--) {
        batch_query_value_t value = number(numbers[i]), other = number(numbers[NUMBERS - 1 - i]);

        batch_sum_add(&sum, &value, 1);
        batch_sum_add(&sum, &other, 1);
        batch_sum_add(&sum, &other, -1);
    }
    ok(as_double(batch_sum_value(&sum)) == forward, "the order of the numbers does not matter");
    is_number(sum.count, NUMBERS, "as many numbers as were added");
}

int main(void)
{
    apr_initialize();
    test_doubles();
    test_whole();
    test_order();
    apr_terminate();
    return tap_end();
}

#include "query/sums.h"

#include <math.h>
#include <string.h>

#define DIGIT_BITS 32
#define BIAS       1088                /* what the first digit's lowest bit is worth: 2^-BIAS */
#define WHOLE      (BIAS / DIGIT_BITS) /* the digit of ones */

/* A digit holds 32 bits and so many carries. */
#define MOST_PENDING (1 << 30)

/* Brings all digits but the last, which has the sign, within 0 and 2^32. */
static void carry(batch_sum_t *sum)
{
    int i;

    for (i = 0; i + 1 < BATCH_SUM_DIGITS; i++) {
        apr_int64_t over = sum->digits[i] >> DIGIT_BITS; /* rounds down, also below 0 */

        sum->digits[i] -= (apr_int64_t)((apr_uint64_t)over << DIGIT_BITS);
        sum->digits[i + 1] += over;
    }
    sum->pending = 0;
}

/* mantissa * 2^exponent, where the exponent is at least -1074. */
static void add_bits(batch_sum_t *sum, apr_uint64_t mantissa, int exponent, int sign)
{
    int at = (exponent + BIAS) / DIGIT_BITS, shift = (exponent + BIAS) % DIGIT_BITS;
    apr_uint64_t low = mantissa << shift;
    apr_uint64_t high = shift ? mantissa >> (64 - shift) : 0;

    sum->digits[at] += sign * (apr_int64_t)(low & 0xffffffff);
    sum->digits[at + 1] += sign * (apr_int64_t)(low >> DIGIT_BITS);
    sum->digits[at + 2] += sign * (apr_int64_t)high;
    if (++sum->pending >= MOST_PENDING) {
        carry(sum);
    }
}

void batch_sum_add(batch_sum_t *sum, const batch_query_value_t *number, int sign)
{
    int exponent;
    double mantissa;

    if (number->kind == BATCH_QUERY_INTEGER) {
        apr_uint64_t magnitude =
            number->integer < 0 ? 0 - (apr_uint64_t)number->integer : (apr_uint64_t)number->integer;
        add_bits(sum, magnitude, 0, number->integer < 0 ? -sign : sign);
    } else if (number->kind == BATCH_QUERY_NUMBER) {
        mantissa = frexp(fabs(number->number), &exponent); /* 0.5 to 1 */
        exponent -= 53;
        if (exponent < -1074) { /* of the smallest doubles: fewer bits */
            mantissa = ldexp(mantissa, exponent + 1074);
            exponent = -1074;
        }
        add_bits(sum, (apr_uint64_t)ldexp(mantissa, 53), exponent,
                 number->number < 0 ? -sign : sign);
    } else {
        return;
    }
    sum->count += sign;
}

/* Its magnitude with all digits within 32 bits; returns whether it is below 0. */
static int magnitude_of(batch_sum_t *magnitude, batch_sum_t *sum)
{
    int negative, i;

    carry(sum);
    *magnitude = *sum;
    negative = sum->digits[BATCH_SUM_DIGITS - 1] < 0;
    for (i = 0; negative && i < BATCH_SUM_DIGITS; i++) {
        magnitude->digits[i] = -magnitude->digits[i];
    }
    carry(magnitude);
    return negative;
}

/* The nearest double: of the highest 64 bits, with a bit for all that is below them. */
static double nearest(const batch_sum_t *magnitude)
{
    int top = BATCH_SUM_DIGITS - 1, spare, i;
    apr_uint64_t bits, next;

    while (top > 1 && !magnitude->digits[top]) {
        top--;
    }
    if (!magnitude->digits[top]) {
        return ldexp((double)magnitude->digits[0], -BIAS);
    }
    bits = (apr_uint64_t)magnitude->digits[top] << DIGIT_BITS |
           (apr_uint64_t)magnitude->digits[top - 1];
    next = top > 1 ? (apr_uint64_t)magnitude->digits[top - 2] : 0;
    spare = __builtin_clzll(bits);
    if (spare) {
        bits = bits << spare | next >> (DIGIT_BITS - spare);
    }
    bits |= (next << spare & 0xffffffff) != 0;
    for (i = 0; i < top - 2; i++) {
        bits |= magnitude->digits[i] != 0;
    }
    return ldexp((double)bits, (top - 1) * DIGIT_BITS - BIAS - spare);
}

/* 1 with the sum as a whole number, if it is one of 64 bits. */
static int whole(apr_int64_t *integer, const batch_sum_t *magnitude, int negative)
{
    apr_uint64_t bits = (apr_uint64_t)magnitude->digits[WHOLE + 1] << DIGIT_BITS |
                        (apr_uint64_t)magnitude->digits[WHOLE];
    int i;

    for (i = 0; i < BATCH_SUM_DIGITS; i++) {
        if (i != WHOLE && i != WHOLE + 1 && magnitude->digits[i]) {
            return 0;
        }
    }
    if (bits > (apr_uint64_t)APR_INT64_MAX + (apr_uint64_t)negative) {
        return 0;
    }
    *integer = (apr_int64_t)(negative ? 0 - bits : bits);
    return 1;
}

batch_query_value_t batch_sum_value(batch_sum_t *sum)
{
    batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};
    batch_sum_t magnitude;
    int negative = magnitude_of(&magnitude, sum);
    apr_int64_t integer;

    if (!sum->count) {
        return nothing;
    }
    if (whole(&integer, &magnitude, negative)) {
        return batch_query_integer_value(integer);
    }
    return batch_query_number_value(negative ? -nearest(&magnitude) : nearest(&magnitude));
}

/* Divides by a count of less than 2^32; 1 if there is a rest. */
static int divide(batch_sum_t *magnitude, apr_uint64_t count)
{
    apr_uint64_t rest = 0;
    int i;

    for (i = BATCH_SUM_DIGITS - 1; i >= 0; i--) {
        rest = rest << DIGIT_BITS | (apr_uint64_t)magnitude->digits[i];
        magnitude->digits[i] = (apr_int64_t)(rest / count);
        rest %= count;
    }
    return rest != 0;
}

batch_query_value_t batch_sum_mean(batch_sum_t *sum)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_NULL};
    apr_int64_t integer;
    batch_sum_t mean;
    int negative, has_rest;
    double number;

    if (sum->count <= 0 || sum->count >> DIGIT_BITS) {
        return value; /* of so many rows nobody waits for the end */
    }
    negative = magnitude_of(&mean, sum);
    has_rest = divide(&mean, (apr_uint64_t)sum->count);
    if (!has_rest && whole(&integer, &mean, negative)) {
        return batch_query_integer_value(integer);
    }
    mean.digits[0] |= has_rest;
    number = nearest(&mean);
    return batch_query_number_value(negative ? -number : number);
}

/*
 * Numbers: whole ones of 64 bits, which are exact, and doubles. A NUMBER that is whole and can be
 * one of 64 bits without a loss is such a one, whatever it came from.
 */
#include "query/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* Up to here each whole number is a double. */
#define WHOLE_DOUBLE APR_INT64_C(9007199254740992)

/* The first doubles that are no more whole numbers of 64 bits. */
#define BEYOND 9223372036854775808.0

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

batch_query_value_t batch_query_integer_value(apr_int64_t integer)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_INTEGER, .integer = integer};

    return value;
}

batch_query_value_t batch_query_number_value(double number)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_NUMBER, .number = number};

    if (number >= -BEYOND && number < BEYOND && number == trunc(number)) {
        return batch_query_integer_value((apr_int64_t)number);
    }
    return isfinite(number) ? value : nothing;
}

double batch_query_double(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_INTEGER ? (double)value->integer : value->number;
}

/* ---- Reading and writing --------------------------------------------------------------------- */

/* Digits that have been read: mantissa * 10^zeros. */
typedef struct digits {
    apr_uint64_t mantissa;
    apr_int64_t zeros;
    int over; /* there are more than 64 bits */
} digits_t;

static void add_digit(digits_t *digits, int digit)
{
    digits->zeros++;
    if (!digit) {
        return;
    }
    for (; digits->zeros; digits->zeros--) {
        digits->over |= __builtin_mul_overflow(digits->mantissa, 10, &digits->mantissa);
    }
    digits->over |=
        __builtin_add_overflow(digits->mantissa, (apr_uint64_t)digit, &digits->mantissa);
}

/* A decimal number as a whole one, if it is one of 64 bits: also of 1.0, 1e3, 120e-1. */
static int read_whole(const char *text, apr_int64_t *integer)
{
    digits_t digits = {0, 0, 0};
    int negative = *text == '-', behind_point = 0;
    apr_uint64_t most = (apr_uint64_t)APR_INT64_MAX + (apr_uint64_t)negative;
    apr_int64_t power = 0;

    for (text += *text == '-' || *text == '+'; *text == '.' || apr_isdigit(*text); text++) {
        if (*text == '.') {
            behind_point = 1;
        } else {
            power -= behind_point;
            add_digit(&digits, *text - '0');
        }
    }
    if (*text) { /* e; whoever calls us has looked that nothing else is there */
        long exponent = strtol(text + 1, NULL, 10);
        power += exponent > 100000 ? 100000 : exponent < -100000 ? -100000 : exponent;
    }
    power += digits.zeros;
    if (digits.over || (digits.mantissa && (power < 0 || power > 19))) {
        return 0;
    }
    for (; digits.mantissa && power > 0; power--) {
        digits.over |= __builtin_mul_overflow(digits.mantissa, 10, &digits.mantissa);
    }
    if (digits.over || digits.mantissa > most) {
        return 0;
    }
    *integer = (apr_int64_t)(negative ? 0 - digits.mantissa : digits.mantissa);
    return 1;
}

batch_query_value_t batch_query_number_parse(const batch_query_value_t *text,
                                             batch_query_kind_e kind)
{
    const char *from = text->text;
    apr_size_t length = text->length;
    char copy[BATCH_QUERY_DIGITS + 1];
    char *end;
    double number;
    apr_int64_t integer;

    for (; length && apr_isspace(*from); length--) {
        from++;
    }
    for (; length && apr_isspace(from[length - 1]); length--) {
    }
    if (!length || length > BATCH_QUERY_DIGITS) {
        return nothing;
    }
    memcpy(copy, from, length);
    copy[length] = '\0';
    /* strtod would take hexadecimal, "nan" and "infinity" as well. */
    if (strspn(copy, "+-.0123456789eE") != length) {
        return nothing;
    }
    number = strtod(copy, &end);
    if (*end || end == copy) {
        return nothing;
    }
    if (kind == BATCH_QUERY_INTEGER && copy[strcspn(copy, ".eE")]) {
        return nothing; /* '1.5' is no integer, nor is '1.0', while 1.5 can be rounded to one */
    }
    if (read_whole(copy, &integer)) {
        return batch_query_integer_value(integer);
    }
    return kind == BATCH_QUERY_INTEGER ? nothing : batch_query_number_value(number);
}

void batch_query_decimal(batch_query_decimal_t *decimal, const batch_query_value_t *value)
{
    char text[40], *next = text;
    int digits;

    memset(decimal, 0, sizeof(*decimal));
    if (value->kind == BATCH_QUERY_INTEGER) {
        apr_snprintf(text, sizeof(text), "%" APR_INT64_T_FMT, value->integer);
        decimal->point = (int)strlen(text) - (*text == '-');
    } else {
        for (digits = 14; digits <= 16; digits++) { /* the fewest that read back as the same */
            snprintf(text, sizeof(text), "%.*e", digits, value->number);
            if (strtod(text, NULL) == value->number) {
                break;
            }
        }
        decimal->point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    }
    decimal->negative = *next == '-';
    for (next += decimal->negative; *next && *next != 'e'; next++) {
        if (*next != '.') {
            decimal->digits[decimal->count++] = *next;
        }
    }
    while (decimal->count && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
    }
    if (!decimal->count) {
        decimal->point = 0;
    }
}

void batch_query_decimal_cut(batch_query_decimal_t *decimal, apr_int64_t places, int rounds)
{
    apr_int64_t kept = decimal->point + places;
    int up;

    if (kept >= decimal->count) {
        return;
    }
    up = rounds && kept >= 0 && decimal->digits[kept] >= '5';
    decimal->count = kept > 0 ? (int)kept : 0;
    while (up && decimal->count && decimal->digits[decimal->count - 1] == '9') {
        decimal->count--;
    }
    if (up && decimal->count) {
        decimal->digits[decimal->count - 1]++;
    } else if (up) { /* 0.99 has become 1 */
        decimal->digits[decimal->count++] = '1';
        decimal->point++;
    }
    while (decimal->count && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
    }
    if (!decimal->count) {
        decimal->point = 0;
        decimal->negative = 0;
    }
}

static void write_decimal(char *text, const batch_query_decimal_t *decimal)
{
    int at;

    if (decimal->negative) {
        *text++ = '-';
    }
    if (decimal->point <= 0) {
        *text++ = '0';
    }
    for (at = decimal->point < 0 ? decimal->point : 0; at < decimal->count || at < decimal->point;
         at++) {
        if (at == decimal->point) {
            *text++ = '.';
        }
        *text++ = (char)(at >= 0 && at < decimal->count ? decimal->digits[at] : '0');
    }
    *text = '\0';
}

void batch_query_number_format(char *text, const batch_query_value_t *value)
{
    batch_query_decimal_t decimal;

    batch_query_decimal(&decimal, value);
    write_decimal(text, &decimal);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

/* A double has no 2^63 - 1, and an integer no halves: so neither is made the other. */
static int compare_mixed(apr_int64_t integer, double number)
{
    apr_int64_t whole;
    double rest;

    if (number >= BEYOND) {
        return -1;
    }
    if (number < -BEYOND) {
        return 1;
    }
    whole = (apr_int64_t)number;
    rest = number - (double)whole;
    return integer != whole ? (integer > whole ? 1 : -1) : (rest < 0) - (rest > 0);
}

int batch_query_compare_numbers(const batch_query_value_t *a, const batch_query_value_t *b)
{
    int whole_a = a->kind == BATCH_QUERY_INTEGER, whole_b = b->kind == BATCH_QUERY_INTEGER;

    if (whole_a && whole_b) {
        return (a->integer > b->integer) - (a->integer < b->integer);
    }
    if (whole_a) {
        return compare_mixed(a->integer, b->number);
    }
    return whole_b ? -compare_mixed(b->integer, a->number)
                   : (a->number > b->number) - (a->number < b->number);
}

/* ---- Computing ------------------------------------------------------------------------------- */

/* 0: there is no such whole number of 64 bits. */
static int whole_arithmetic(apr_int64_t *result, char op, apr_int64_t a, apr_int64_t b)
{
    switch (op) {
    case '+':
        return !__builtin_add_overflow(a, b, result);
    case '-':
        return !__builtin_sub_overflow(a, b, result);
    case '*':
        return !__builtin_mul_overflow(a, b, result);
    case '/':
        if (!b || (a == APR_INT64_MIN && b == -1)) {
            return 0;
        }
        *result = a / b;
        return 1;
    default:
        if (!b) {
            return 0;
        }
        *result = b == -1 ? 0 : a % b;
        return 1;
    }
}

static batch_wide_t exact(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_INTEGER ? (batch_wide_t)value->integer
                                              : (batch_wide_t)value->number;
}

/* A whole number of which a double would be another. */
static int is_long(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_INTEGER &&
           (value->integer > WHOLE_DOUBLE || value->integer < -WHOLE_DOUBLE);
}

/* What is computed of whole numbers and is within 64 bits has not been rounded. */
static batch_query_value_t long_value(batch_wide_t number, int whole)
{
    return whole && number >= -(batch_wide_t)BEYOND && number < (batch_wide_t)BEYOND
               ? batch_query_integer_value((apr_int64_t)number)
               : batch_query_number_value((double)number);
}

static batch_query_value_t long_arithmetic(char op, batch_wide_t a, batch_wide_t b)
{
    int whole = a == batch_wide_trunc(a) && b == batch_wide_trunc(b);

    switch (op) {
    case '+':
        return long_value(a + b, whole);
    case '-':
        return long_value(a - b, whole);
    case '*':
        return long_value(a * b, whole);
    case '/':
        return b == 0 ? nothing : long_value(a / b, 0);
    default:
        return b == 0 ? nothing : long_value(batch_wide_rest(a, b), whole);
    }
}

static batch_query_value_t double_arithmetic(char op, double a, double b)
{
    switch (op) {
    case '+':
        return batch_query_number_value(a + b);
    case '-':
        return batch_query_number_value(a - b);
    case '*':
        return batch_query_number_value(a * b);
    case '/':
        return b == 0 ? nothing : batch_query_number_value(a / b);
    default:
        return b == 0 ? nothing : batch_query_number_value(fmod(a, b));
    }
}

batch_query_value_t batch_query_arithmetic(char op, batch_query_kind_e kind,
                                           const batch_query_value_t *a,
                                           const batch_query_value_t *b)
{
    int whole = a->kind == BATCH_QUERY_INTEGER && b->kind == BATCH_QUERY_INTEGER;
    apr_int64_t result;

    if (kind == BATCH_QUERY_INTEGER) {
        return whole && whole_arithmetic(&result, op, a->integer, b->integer)
                   ? batch_query_integer_value(result)
                   : nothing;
    }
    /* Of a division only the quotients that are whole are. */
    if (whole && (op != '/' || (b->integer && b->integer != -1 && !(a->integer % b->integer))) &&
        whole_arithmetic(&result, op, a->integer, b->integer)) {
        return batch_query_integer_value(result);
    }
    return is_long(a) || is_long(b)
               ? long_arithmetic(op, exact(a), exact(b))
               : double_arithmetic(op, batch_query_double(a), batch_query_double(b));
}

batch_query_value_t batch_query_round(const batch_query_value_t *value, apr_int64_t places,
                                      int rounds)
{
    batch_query_decimal_t decimal;
    batch_query_value_t written;
    char text[BATCH_QUERY_NUMBER_BYTES];

    if (places > 400 || (value->kind == BATCH_QUERY_INTEGER && places >= 0)) {
        return *value; /* it has no more */
    }
    batch_query_decimal(&decimal, value);
    batch_query_decimal_cut(&decimal, places < -400 ? -400 : places, rounds);
    write_decimal(text, &decimal);
    written = batch_query_text_value(text, strlen(text));
    return batch_query_number_parse(&written, BATCH_QUERY_NUMBER);
}

/* base^exponent where both are whole, as far as it is. */
static int whole_power(apr_int64_t *result, apr_int64_t base, apr_int64_t exponent)
{
    *result = 1;
    if (exponent < 0 || exponent > 63) {
        return 0;
    }
    for (; exponent; exponent--) {
        if (__builtin_mul_overflow(*result, base, result)) {
            return 0;
        }
    }
    return 1;
}

batch_query_value_t batch_query_power(const batch_query_value_t *base,
                                      const batch_query_value_t *exponent)
{
    apr_int64_t result;

    if (base->kind == BATCH_QUERY_INTEGER && exponent->kind == BATCH_QUERY_INTEGER &&
        whole_power(&result, base->integer, exponent->integer)) {
        return batch_query_integer_value(result);
    }
    return batch_query_number_value(pow(batch_query_double(base), batch_query_double(exponent)));
}

#include "text/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* So far behind the first digit the point may stand, and so many zeros before it: as JavaScript. */
#define POINT_MOST  21
#define POINT_LEAST (-5)

/* An exponent past these is past what any text here can make up for by zeros. */
#define EXPONENT_MOST APR_INT64_C(1000000000000)

/* Digits that 64 bits can hold at most. */
#define INTEGER_DIGITS 19

typedef batch_number_digits_t decimal_t;

/* The exponent behind e or E, at *at, which moves to its end. 0: there is none. */
static int read_exponent(apr_int64_t *exponent, const char **at)
{
    int is_negative = **at == '-';
    apr_int64_t number = 0;
    const char *digits;

    *at += **at == '-' || **at == '+';
    for (digits = *at; **at >= '0' && **at <= '9'; (*at)++) {
        number = number < EXPONENT_MOST ? number * 10 + (**at - '0') : number;
    }
    *exponent = is_negative ? -number : number;
    return *at > digits;
}

int batch_number_digits(batch_number_digits_t *decimal, const char *text, char *room)
{
    apr_size_t before, behind = 0;
    apr_int64_t exponent = 0;
    const char *at = text;
    apr_size_t zeros;

    decimal->is_negative = *at == '-';
    at += *at == '-' || *at == '+';
    before = strspn(at, "0123456789");
    if (!before) {
        return 0;
    }
    if (at[before] == '.') {
        behind = strspn(at + before + 1, "0123456789");
        if (!behind) {
            return 0;
        }
    }
    decimal->digits = room;
    memcpy(decimal->digits, at, before);
    if (behind) {
        memcpy(decimal->digits + before, at + before + 1, behind);
    }
    decimal->digits[before + behind] = '\0';
    at += before + (behind ? 1 + behind : 0);
    if (*at == 'e' || *at == 'E') {
        at++;
        if (!read_exponent(&exponent, &at)) {
            return 0;
        }
    }
    zeros = strspn(decimal->digits, "0");
    decimal->digits += zeros;
    decimal->count = before + behind - zeros;
    while (decimal->count && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
    }
    decimal->digits[decimal->count] = '\0';
    decimal->point = (apr_int64_t)before - (apr_int64_t)zeros + exponent;
    return !*at;
}

static int read_decimal(decimal_t *decimal, const char *text, apr_pool_t *p)
{
    return batch_number_digits(decimal, text, apr_palloc(p, strlen(text) + 1));
}

static const char *zeros_of(apr_int64_t count, apr_pool_t *p)
{
    char *zeros = apr_palloc(p, (apr_size_t)count + 1);

    memset(zeros, '0', (apr_size_t)count);
    zeros[count] = '\0';
    return zeros;
}

/* The number without an exponent. */
static const char *plain(const decimal_t *decimal, apr_pool_t *p)
{
    const char *sign = decimal->is_negative ? "-" : "";
    apr_int64_t count = (apr_int64_t)decimal->count;

    if (decimal->point <= 0) {
        return apr_pstrcat(p, sign, "0.", zeros_of(-decimal->point, p), decimal->digits, NULL);
    }
    if (decimal->point >= count) {
        return apr_pstrcat(p, sign, decimal->digits, zeros_of(decimal->point - count, p), NULL);
    }
    return apr_pstrcat(p, sign, apr_pstrmemdup(p, decimal->digits, (apr_size_t)decimal->point), ".",
                       decimal->digits + decimal->point, NULL);
}

static const char *with_exponent(const decimal_t *decimal, apr_pool_t *p)
{
    return apr_psprintf(p, "%s%c%s%se%" APR_INT64_T_FMT, decimal->is_negative ? "-" : "",
                        *decimal->digits, decimal->count > 1 ? "." : "", decimal->digits + 1,
                        decimal->point - 1);
}

/* 1 for [-]digits without a zero in front, and short enough to be no question of size. */
static int is_plain_integer(const char *text)
{
    const char *digits = text + (*text == '-');
    apr_size_t count = strspn(digits, "0123456789");

    return count && count < INTEGER_DIGITS && !digits[count] &&
           (*digits != '0' || (count == 1 && digits == text));
}

batch_number_e batch_number_integer(const char **spelling, const char *text, apr_pool_t *p)
{
    const char *digits;
    apr_int64_t number;
    decimal_t decimal;

    *spelling = text;
    if (is_plain_integer(text)) {
        return BATCH_NUMBER_GOOD;
    }
    if (!read_decimal(&decimal, text, p)) {
        return BATCH_NUMBER_NONE;
    }
    if (!decimal.count) {
        *spelling = "0";
        return BATCH_NUMBER_GOOD;
    }
    if (decimal.point < (apr_int64_t)decimal.count) {
        return BATCH_NUMBER_FRACTION;
    }
    if (decimal.point > INTEGER_DIGITS) {
        return BATCH_NUMBER_BEYOND;
    }
    digits = plain(&decimal, p);
    if (!batch_number_whole(&number, digits)) {
        return BATCH_NUMBER_BEYOND;
    }
    *spelling = digits;
    return BATCH_NUMBER_GOOD;
}

batch_number_e batch_number_decimal(const char **spelling, const char *text, apr_pool_t *p)
{
    decimal_t decimal;
    double number;

    *spelling = text;
    if (is_plain_integer(text)) {
        return BATCH_NUMBER_GOOD;
    }
    if (!read_decimal(&decimal, text, p)) {
        return BATCH_NUMBER_NONE;
    }
    if (!decimal.count) {
        *spelling = "0";
        return BATCH_NUMBER_GOOD;
    }
    number = strtod(text, NULL);
    if (!isfinite(number) || number == 0) {
        return BATCH_NUMBER_BEYOND;
    }
    *spelling = decimal.point <= POINT_MOST && decimal.point >= POINT_LEAST
                    ? plain(&decimal, p)
                    : with_exponent(&decimal, p);
    return BATCH_NUMBER_GOOD;
}

int batch_number_whole(apr_int64_t *number, const char *text)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return !errno && end != text && !*end;
}

int batch_number_double(double *number, const char *text)
{
    char *end;

    *number = strtod(text, &end);
    return end != text && !*end;
}

char *batch_number_write(char *to, apr_uint64_t number)
{
    char digits[20];
    int length = 0;

    do {
        digits[length++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (length > 0) {
        *to++ = digits[--length];
    }
    return to;
}

/* ---- Exact numbers ----------------------------------------------------------------------------
 */

/* The number with so many digits behind the point, of which it has no more. */
static const char *with_places(const decimal_t *decimal, apr_int64_t places, apr_pool_t *p)
{
    apr_int64_t count = (apr_int64_t)decimal->count;
    char *spelling =
        apr_palloc(p, (apr_size_t)(4 + places + (decimal->point > 0 ? decimal->point : 0)));
    char *to = spelling;
    apr_int64_t at;

    if (decimal->is_negative) {
        *to++ = '-';
    }
    if (decimal->point <= 0) {
        *to++ = '0';
    }
    for (at = decimal->point < 0 ? decimal->point : 0; at < decimal->point + places; at++) {
        if (at == decimal->point) {
            *to++ = '.';
        }
        *to++ = at >= 0 && at < count ? decimal->digits[at] : '0';
    }
    *to = '\0';
    return spelling;
}

batch_number_e batch_number_exact(const char **spelling, const char *text, int precision, int scale,
                                  apr_pool_t *p)
{
    apr_int64_t before, behind;
    const char *exact;
    decimal_t decimal;

    if (!read_decimal(&decimal, text, p)) {
        return BATCH_NUMBER_NONE;
    }
    if (!decimal.count) { /* whatever the sign and the exponent of a zero are */
        decimal.is_negative = 0;
        decimal.point = 0;
    }
    before = decimal.point > 0 ? decimal.point : 0;
    behind = (apr_int64_t)decimal.count - decimal.point;
    behind = behind > 0 ? behind : 0;
    if (scale >= 0 && behind > scale) {
        return BATCH_NUMBER_FRACTION;
    }
    if (scale >= 0) {
        behind = scale;
    }
    if (before + behind > precision) {
        return BATCH_NUMBER_BEYOND;
    }
    exact = with_places(&decimal, behind, p);
    *spelling = strcmp(exact, text) != 0 ? exact : text;
    return BATCH_NUMBER_GOOD;
}

/* ---- Comparing --------------------------------------------------------------------------------
 */

/* A number where it stands. */
typedef struct view {
    int sign;          /* -1, 0, 1 */
    const char *first; /* its first digit that is not 0 */
    apr_int64_t point; /* as that of a decimal */
} view_t;

static view_t look_at(const char *text)
{
    view_t view = {*text == '-' ? -1 : 1, NULL, 0};
    int is_behind = 0;
    const char *at;
    apr_int64_t exponent;

    for (at = text + (*text == '-' || *text == '+'); (*at >= '0' && *at <= '9') || *at == '.';
         at++) {
        if (*at == '.') {
            is_behind = 1;
            continue;
        }
        if (!view.first && *at != '0') {
            view.first = at;
        }
        view.point += view.first ? !is_behind : -is_behind;
    }
    if (!view.first) {
        view.sign = 0;
    } else if (*at == 'e' || *at == 'E') {
        at++;
        view.point += read_exponent(&exponent, &at) ? exponent : 0;
    }
    return view;
}

/* The digit at *at, which moves on; 0 behind the last one. */
static int next_digit(const char **at)
{
    *at += **at == '.';
    return **at >= '0' && **at <= '9' ? *(*at)++ - '0' : 0;
}

static int is_digits(const char *at)
{
    at += *at == '.';
    return *at >= '0' && *at <= '9';
}

int batch_number_compare(const char *a, const char *b)
{
    view_t left = look_at(a);
    view_t right = look_at(b);
    int order = 0;

    if (left.sign != right.sign || !left.sign) {
        return left.sign - right.sign;
    }
    order = (left.point > right.point) - (left.point < right.point);
    while (!order && (is_digits(left.first) || is_digits(right.first))) {
        order = next_digit(&left.first) - next_digit(&right.first);
    }
    return left.sign * order;
}

int batch_number_whole_digits(const char **digits, int *is_negative, const char *text)
{
    const char *at = text + (*text == '-');
    apr_size_t count = strspn(at, "0123456789");
    apr_size_t zeros = strspn(at, "0");

    if (!count || at[count]) {
        return 0;
    }
    *digits = at + (zeros == count ? count - 1 : zeros);
    *is_negative = *text == '-' && zeros < count;
    return 1;
}

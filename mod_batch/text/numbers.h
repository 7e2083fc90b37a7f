/* Numbers as clients write them, in one spelling: 7.0, 1e2, +7, 007, -0 and 1.50 are 7, 100, 7, 7,
 * 0 and 1.5. No digit is lost on the way, since nothing goes through a double. */
#ifndef BATCH_TEXT_NUMBERS_H
#define BATCH_TEXT_NUMBERS_H

#include <apr_pools.h>

/** What a text is as a number. */
typedef enum {
    BATCH_NUMBER_GOOD,
    BATCH_NUMBER_NONE,     /* no number at all */
    BATCH_NUMBER_FRACTION, /* no whole one, where one is asked for */
    BATCH_NUMBER_BEYOND /* past what 64 bits, or a double, can hold; or too small to be told from 0
                         */
} batch_number_e;

/**
 * Reads a whole number: *spelling becomes its digits, with a minus sign where it is negative. It is
 * text itself where that is spelt so, else in p.
 */
batch_number_e batch_number_integer(const char **spelling, const char *text, apr_pool_t *p);

/**
 * Takes text apart that is a minus sign or none, and digits, however many: these without the zeros
 * in front, within text. Zero is not negative. 0: text is none such.
 */
int batch_number_whole_digits(const char **digits, int *is_negative, const char *text);

/**
 * Reads a number that a double can hold, which need not be one that it can hold exactly: *spelling
 * becomes the shortest decimal with all its digits, with an exponent (1e21) where the point would
 * be far from them. It is text itself where that is spelt so, else in p.
 */
batch_number_e batch_number_decimal(const char **spelling, const char *text, apr_pool_t *p);

/** Reads text that is a whole number as C has it. 0: it is none, or beyond 64 bits. */
int batch_number_whole(apr_int64_t *number, const char *text);

/** Reads text that is a number as C has it. 0: it is none. */
int batch_number_double(double *number, const char *text);

/** Writes a number in decimal, without a NUL: at most 20 digits. Returns where it ends. */
char *batch_number_write(char *to, apr_uint64_t number);

/**
 * Reads a number of which no digit may be lost: *spelling becomes its digits without an exponent,
 * with exactly scale of them behind the point; scale -1: with as many as it has, but no zeros at
 * the end. It is text itself where that is spelt so, else in p. BATCH_NUMBER_FRACTION: it has more
 * than scale of them. BATCH_NUMBER_BEYOND: it has more than precision - scale before the point, or
 * more than precision in all.
 */
batch_number_e batch_number_exact(const char **spelling, const char *text, int precision, int scale,
                                  apr_pool_t *p);

/** A number in decimal: 0.DIGITS times ten to the power of point. */
typedef struct batch_number_digits {
    int is_negative;
    char *digits; /* without zeros at either end; none at all: the number is 0 */
    apr_size_t count;
    apr_int64_t point;
} batch_number_digits_t;

/**
 * Takes a number apart: [+-]digits[.digits][e[+-]digits]. room: for as many bytes as text has, and
 * a NUL. 0: text is no such number.
 */
int batch_number_digits(batch_number_digits_t *digits, const char *text, char *room);

/**
 * Compares two numbers, of any sign and size, digit by digit: below, at or above 0. What is no
 * number is compared as far as it is one.
 */
int batch_number_compare(const char *a, const char *b);

#endif

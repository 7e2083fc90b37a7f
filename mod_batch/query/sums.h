/*
 * Sums that are exact: of any doubles and whole numbers, in any order, with some taken away again.
 * So a sum is the same whatever order the rows come in. Private to query/.
 */
#ifndef BATCH_QUERY_SUMS_H
#define BATCH_QUERY_SUMS_H

#include "query/value.h"

/** Digits of 32 bits: all that a double can have, and what summing many of them adds. */
#define BATCH_SUM_DIGITS 70

/** A sum; one of zeros is empty. */
typedef struct batch_sum {
    apr_int64_t digits[BATCH_SUM_DIGITS]; /* the first is worth 2^-1088; they may overlap */
    apr_int64_t count;
    int pending; /* numbers added since the digits were last brought within 32 bits */
} batch_sum_t;

/** Adds a number (sign 1), or takes it away (-1). */
void batch_sum_add(batch_sum_t *sum, const batch_query_value_t *number, int sign);

/** The sum: an INTEGER if it is whole and fits, else the nearest double; NULL if there is none. */
batch_query_value_t batch_sum_value(batch_sum_t *sum);

/** The mean; NULL of nothing. */
batch_query_value_t batch_sum_mean(batch_sum_t *sum);

#endif

/*
 * Sorts records of which there may be more than memory should hold (an external merge sort): they
 * are sorted in runs of a few MiB, which go to a temporary file and are merged when they are read;
 * very many of them first into longer ones, for which the file has room for the records twice.
 * Memory does not grow with the number of records, but by the longest one.
 */
#ifndef BATCH_TEXT_SORTER_H
#define BATCH_TEXT_SORTER_H

#include "batch.h"

#define BATCH_SORT_WORDS 3

/* By what records are sorted. Those with equal keys stay in the order in which they were added. */
typedef struct batch_sort_key {
    apr_uint64_t words[BATCH_SORT_WORDS]; /* the first one counts most */
} batch_sort_key_t;

typedef struct batch_sorter batch_sorter_t;

/** Sets key to the first bytes of a text, by their values. */
void batch_sort_key_text(batch_sort_key_t *key, const char *text, apr_size_t length);

/** Sets key to a number; negative ones come first. */
void batch_sort_key_number(batch_sort_key_t *key, apr_int64_t number);

/**
 * Makes an empty sorter, whose memory and file are p's. run: bytes of a run, about; 0 = as is
 * usual.
 */
batch_sorter_t *batch_sorter_make(apr_size_t run, apr_pool_t *p);

/**
 * Adds a record of some bytes. Not once reading has begun. BATCH_EUNAVAILABLE: there is no room for
 * it on the disk; err has a tag and says why.
 */
apr_status_t batch_sorter_add(batch_sorter_t *sorter, const batch_sort_key_t *key, const char *data,
                              apr_size_t length, batch_error_t *err);

/**
 * The next record in the order, which is the sorter's and stands until the next call, and may be
 * written to. APR_EOF behind the last one, else statuses as batch_sorter_add.
 */
apr_status_t batch_sorter_next(batch_sorter_t *sorter, char **data, apr_size_t *length,
                               batch_error_t *err);

#endif

/*
 * Segments: accepted items as they are kept until a worker applies them.
 *
 * A segment is a text without NUL that both databases take as it is, and that is read back
 * without parsing JSON again. It is a row of batch_items: up to BATCH_SEGMENT_BYTES of items.
 *
 * An item is   ordinal "." line "." count kind string {string string} [string]
 * where kind is ";" for BATCH_ITEM_KEY, "m" for BATCH_ITEM_MATCH, "n" for BATCH_ITEM_NEW, "d" for
 * BATCH_ITEM_DROPPED and "u" for BATCH_ITEM_UNMET; then come the key, count pairs of column name
 * and value, and, for the last two only, its original. A string is a netstring, length ":" bytes
 * ","   or "~" alone, which is NULL. Numbers are decimal. Lengths count bytes. The comma behind a
 * string is where the reader puts its NUL: a segment is read in place, once.
 */
#ifndef BATCH_STORE_SEGMENT_H
#define BATCH_STORE_SEGMENT_H

#include "batch.h"

/** A segment is closed when it has reached this size; a single larger item stays whole. */
#define BATCH_SEGMENT_BYTES (512 * 1024)

/** A finished segment. */
typedef struct batch_segment {
    apr_int64_t first; /* position of its first item among the job's stored items, from 0 */
    apr_int64_t count; /* items */
    char *data;        /* NUL-terminated; the reader writes into it */
    apr_size_t length;
} batch_segment_t;

typedef struct batch_segment_writer batch_segment_writer_t;

/**
 * Is called with every segment that is full, and by batch_segment_writer_finish with the last one.
 * segment and its data are the writer's again after the call.
 * Another status than APR_SUCCESS stops the writer and is returned by the call that led to it.
 */
typedef apr_status_t batch_segment_sink_fn(void *baton, const batch_segment_t *segment);

/** Makes a writer in p. Its buffer is reused from segment to segment. */
batch_segment_writer_t *batch_segment_writer_make(batch_segment_sink_fn *sink, void *baton,
                                                  apr_pool_t *p);

/** Adds an item behind those before it. BATCH_EINVALID if a string of it contains a NUL. */
apr_status_t batch_segment_write(batch_segment_writer_t *writer, const batch_item_t *item);

/** Hands the last segment to the sink, if it has an item. */
apr_status_t batch_segment_writer_finish(batch_segment_writer_t *writer);

/** Where a reader stands in a segment. */
typedef struct batch_segment_reader {
    char *next;
    char *end;
    apr_int64_t left; /* items not yet read */
    apr_pool_t *p;    /* for the values of items that have some */
} batch_segment_reader_t;

/** Starts to read segment in place. Values of items are allocated in p (a pool of the chunk). */
void batch_segment_reader_init(batch_segment_reader_t *reader, batch_segment_t *segment,
                               apr_pool_t *p);

/**
 * Reads the next item; its strings point into the segment's data.
 * APR_EOF behind the last one; APR_EGENERAL if the segment is damaged.
 */
apr_status_t batch_segment_read(batch_segment_reader_t *reader, batch_item_t *item);

/** A list of values as one string of the same notation, in p (batch_job_t.shared_values). */
const char *batch_values_encode(const batch_value_t *values, int count, apr_pool_t *p);

/** The values of such a string, allocated in p. APR_EGENERAL if it is damaged. */
apr_status_t batch_values_decode(batch_value_t **values, int *count, const char *text,
                                 apr_pool_t *p);

#endif

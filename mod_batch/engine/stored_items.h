/*
 * The items of a batch in the order in which they were sent, whatever order they are stored in
 * (engine/early.h): each has its ordinal with it.
 */
#ifndef BATCH_ENGINE_STORED_ITEMS_H
#define BATCH_ENGINE_STORED_ITEMS_H

#include "engine/jobs.h"

typedef struct batch_stored_items batch_stored_items_t;

/** Goes over the stored items of a job of the resources API; job by reference, all else in p. */
apr_status_t batch_stored_items_make(batch_stored_items_t **items, const batch_engine_t *engine,
                                     const batch_job_t *job, apr_pool_t *p);

/**
 * The next item, which stands until the next call. APR_EOF behind the last one. BATCH_ENOTFOUND:
 * items have gone meanwhile; else as batch_job_segment, and BATCH_EUNAVAILABLE if there is no room
 * on the disk for a temporary file.
 */
apr_status_t batch_stored_items_next(batch_stored_items_t *items, batch_item_t *item,
                                     batch_error_t *err);

/** How many items have been given. */
apr_int64_t batch_stored_items_given(const batch_stored_items_t *items);

#endif

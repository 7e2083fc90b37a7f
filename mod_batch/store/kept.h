/* The keys of rows that the cleanup of an overwrite must leave alone, stored with the job. */
#ifndef BATCH_STORE_KEPT_H
#define BATCH_STORE_KEPT_H

#include "store/store.h"

typedef struct batch_kept {
    const char *key;     /* NULL: of a row that nobody knows */
    apr_int64_t ordinal; /* of an item whose row is among those that are kept; -1: of none */
} batch_kept_t;

/** Stores keys (of batch_kept_t), for as long as the job runs. */
apr_status_t batch_tx_kept_insert(batch_tx_t *tx, const batch_job_t *job,
                                  const apr_array_header_t *kept, apr_pool_t *ptemp);

/** Is given one of them, which is gone after the call. */
typedef apr_status_t batch_kept_fn(void *baton, const batch_kept_t *kept);

/**
 * Calls fn for some more of the stored keys, behind *number (0: from the start), which moves.
 * *more: there may be others.
 */
apr_status_t batch_tx_kept_read(batch_tx_t *tx, int *more, apr_int64_t *number,
                                const batch_job_t *job, batch_kept_fn *fn, void *baton);

#endif

/* The keys of rows that the cleanup of an overwrite must leave alone, stored with the job. */
#ifndef BATCH_STORE_KEPT_H
#define BATCH_STORE_KEPT_H

#include "store/store.h"

/** Stores keys (of const char *; NULL: of a row that nobody knows), for as long as the job runs. */
apr_status_t batch_tx_kept_insert(batch_tx_t *tx, const batch_job_t *job,
                                  const apr_array_header_t *keys, apr_pool_t *ptemp);

/**
 * Calls fn for some more of the stored keys, behind *number (0: from the start), which moves.
 * *more: there may be others.
 */
apr_status_t batch_tx_kept_read(batch_tx_t *tx, int *more, apr_int64_t *number,
                                const batch_job_t *job, batch_key_fn *fn, void *baton);

#endif

/*
 * The second look of a batch that a query has selected rows for: while it waited for its turn
 * others may have changed them. What the query does not select any more is an error.
 */
#ifndef BATCH_ENGINE_RESELECT_H
#define BATCH_ENGINE_RESELECT_H

#include "batch.h"
#include "engine/jobs.h"

/** 1 if the job's rows have to be selected once more before the first of them is changed. */
int batch_reselect_is_due(const batch_engine_t *engine, const batch_job_t *job);

/**
 * Selects once more, and takes the items that are not selected any more out of the stored ones, in
 * one transaction behind the fence. *job is as it is then; its strings in p. BATCH_EINVALID with a
 * sentence for the client where the query cannot be run any more, BATCH_ECROWDED where it can be in
 * a moment; else as store.h.
 */
apr_status_t batch_reselect(batch_job_t *job, const batch_engine_t *engine, batch_error_t *err,
                            apr_pool_t *p);

#endif

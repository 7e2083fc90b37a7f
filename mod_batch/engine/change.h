/* Changes of jobs that survive a COMMIT whose reply is lost. Private to engine/. */
#ifndef BATCH_ENGINE_CHANGE_H
#define BATCH_ENGINE_CHANGE_H

#include "batch.h"
#include "engine/jobs.h"

/* What becomes of the job. */
typedef enum {
    BATCH_CHANGE,        /* it is another, durably */
    BATCH_CHANGE_ON_WAY, /* the same, by batch_store_write_async: a later change makes it durable */
    BATCH_CHANGE_SHARED, /* as BATCH_CHANGE, by batch_store_write_shared */
    BATCH_CHANGE_REMOVES /* it is gone */
} batch_change_e;

/**
 * Runs body, which leaves the job in the database as it is in *job, and finds out whether it was
 * done where the COMMIT's reply was lost; if not, body runs again. id: of the job, where *job may
 * not have it yet.
 */
apr_status_t batch_job_change(batch_job_t *job, const batch_engine_t *engine, batch_tx_fn *body,
                              void *baton, batch_change_e kind, const char *id, batch_error_t *err,
                              apr_pool_t *p);

#endif

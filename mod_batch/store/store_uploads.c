/* Jobs that wait for their upload: who receives it, and what has become of it. And secrets. */
#include "store/tx.h"
#include "store/removal.h"

#include <string.h>

/* ---- One upload -------------------------------------------------------------------------------
 */

apr_status_t batch_tx_upload_owner(batch_tx_t *tx, batch_owner_t *owner, const batch_job_t *job,
                                   apr_pool_t *p)
{
    const void *values[] = {&job->seq};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_JOB_OWNER, values, p);

    memset(owner, 0, sizeof(*owner));
    if (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, p)) {
        owner->host = batch_row_text(tx->connection, row, 0, p);
        owner->pid = batch_row_number(tx->connection, row, 1);
        owner->start_time = batch_row_number(tx->connection, row, 2);
    }
    return rv;
}

static apr_status_t write_upload(batch_tx_t *tx, batch_job_t *job, const batch_owner_t *owner,
                                 apr_time_t lease_until, apr_int64_t received)
{
    static const batch_owner_t nobody = {NULL, 0, 0};
    const batch_counts_t *counts = &job->counts;
    apr_time_t now = batch_tx_now(tx);
    apr_status_t rv;
    int rows;

    owner = owner ? owner : &nobody;
    {
        const void *values[] = {
            owner->host,     &owner->pid,  &owner->start_time, &lease_until,  &job->upload_began_at,
            &received,       &job->stored, &job->total,        &job->invalid, &counts->duplicates,
            &counts->errors, &now,         &job->seq,          job->id,       &job->revision};

        rv = batch_tx_execute(tx, &rows, BATCH_SQL_UPLOAD, values);
    }
    if (rv == APR_SUCCESS && rows != 1) {
        return BATCH_EFENCED;
    }
    if (rv == APR_SUCCESS) {
        job->lease_until = lease_until;
        job->updated_at = now;
        job->revision++;
    }
    return rv;
}

apr_status_t batch_tx_upload_reset(batch_tx_t *tx, batch_job_t *job, int *more,
                                   const batch_owner_t *owner, apr_time_t began_at,
                                   apr_interval_time_t lease)
{
    int rest = 0;
    apr_status_t rv = batch_tx_belongings_piece(tx, &rest, job);

    if (more) {
        *more = rest;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    owner = rest ? NULL : owner;
    memset(&job->counts, 0, sizeof(job->counts));
    job->received = job->stored = job->total = job->invalid = 0;
    job->upload_began_at = began_at;
    return write_upload(tx, job, owner, owner ? batch_tx_now(tx) + lease : 0, 0);
}

apr_status_t batch_tx_upload_progress(batch_tx_t *tx, batch_job_t *job, const batch_owner_t *owner,
                                      apr_interval_time_t lease, apr_int64_t received)
{
    return write_upload(tx, job, owner, batch_tx_now(tx) + lease, received);
}

/* ---- Those that come to nothing ---------------------------------------------------------------
 */

apr_status_t batch_tx_upload_overdue(batch_tx_t *tx, batch_job_t *job,
                                     batch_owner_gone_fn *owner_gone, void *baton, apr_pool_t *p)
{
    batch_holding_t last = BATCH_HOLDINGS_BEGIN;
    apr_array_header_t *found;
    apr_pool_t *window;
    apr_status_t rv = apr_pool_create(&window, p);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    do {
        apr_pool_clear(window);
        rv = batch_tx_holdings(tx, &found, BATCH_SQL_UPLOADS, &last, window);
        for (i = 0; rv == APR_SUCCESS && i < found->nelts; i++) {
            last = APR_ARRAY_IDX(found, i, batch_holding_t);
            if (!batch_holding_is_free(&last, owner_gone, baton, batch_tx_now(tx))) {
                continue;
            }
            rv = batch_tx_job_lock(tx, job, last.seq, p);
            /* Somebody may have begun an upload since, or is at it just now. */
            if (rv == APR_SUCCESS && job->status == BATCH_STATUS_REQUESTED &&
                job->lease_until == last.lease_until) {
                apr_pool_destroy(window);
                return APR_SUCCESS;
            }
            rv = rv == BATCH_ENOTFOUND ? APR_SUCCESS : rv;
        }
    } while (rv == APR_SUCCESS && found->nelts == BATCH_HOLDINGS);
    apr_pool_destroy(window);
    return rv == APR_SUCCESS ? BATCH_ENOTFOUND : rv;
}

/* ---- Secrets ----------------------------------------------------------------------------------
 */

apr_status_t batch_tx_secret(batch_tx_t *tx, const char **secret, const char *name,
                             const char *candidate, apr_pool_t *p)
{
    const void *inserted[] = {name, candidate};
    const void *values[] = {name};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_execute(tx, NULL, BATCH_SQL_SECRET_INSERT, inserted);

    *secret = NULL;
    if (rv == APR_SUCCESS) {
        rv = batch_tx_select(tx, &results, BATCH_SQL_SECRET_GET, values, p);
    }
    if (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, p)) {
        *secret = batch_row_text(tx->connection, row, 0, p);
    }
    return rv == APR_SUCCESS && !*secret ? BATCH_ENOTFOUND : rv;
}

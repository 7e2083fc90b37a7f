/* Jobs that wait for their upload: who receives it, and what has become of it. And secrets. */
#include "store/tx.h"

#include <string.h>

/* Candidates that are read at a time. */
#define WINDOW 32

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

apr_status_t batch_tx_upload_reset(batch_tx_t *tx, batch_job_t *job, const batch_owner_t *owner,
                                   apr_time_t began_at, apr_interval_time_t lease)
{
    apr_status_t rv = batch_tx_segments_delete(tx, job);

    if (rv == APR_SUCCESS) {
        rv = batch_tx_errors_delete(tx, job);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
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

typedef struct candidate {
    apr_int64_t seq;
    apr_time_t expires_at;
    apr_time_t lease_until;
    batch_owner_t owner;
} candidate_t;

/* The next ones behind *last, in p. */
static apr_status_t read_window(batch_tx_t *tx, apr_array_header_t **found, const candidate_t *last,
                                apr_pool_t *p)
{
    const apr_int64_t limit = WINDOW;
    apr_time_t now = batch_tx_now(tx);
    const void *values[] = {&now, &last->expires_at, &last->seq, &limit};
    const batch_connection_t *connection = tx->connection;
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_UPLOADS, values, p);

    *found = apr_array_make(p, WINDOW, sizeof(candidate_t));
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, p)) {
        candidate_t *next = apr_array_push(*found);

        next->seq = batch_row_number(connection, row, 0);
        next->expires_at = batch_row_number(connection, row, 1);
        next->lease_until = batch_row_number(connection, row, 2);
        next->owner.pid = batch_row_number(connection, row, 3);
        next->owner.start_time = batch_row_number(connection, row, 4);
        next->owner.host = batch_row_text(connection, row, 5, p);
    }
    return rv;
}

/* 1 if nobody receives it any more. */
static int is_idle(const candidate_t *candidate, batch_owner_gone_fn *owner_gone, void *baton,
                   apr_time_t now)
{
    return candidate->lease_until <= now || !candidate->owner.host ||
           owner_gone(baton, &candidate->owner);
}

apr_status_t batch_tx_upload_overdue(batch_tx_t *tx, batch_job_t *job,
                                     batch_owner_gone_fn *owner_gone, void *baton, apr_pool_t *p)
{
    candidate_t last = {-1, -1, 0, {NULL, 0, 0}};
    apr_array_header_t *found;
    apr_pool_t *window;
    apr_status_t rv = apr_pool_create(&window, p);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    do {
        apr_pool_clear(window);
        rv = read_window(tx, &found, &last, window);
        for (i = 0; rv == APR_SUCCESS && i < found->nelts; i++) {
            last = APR_ARRAY_IDX(found, i, candidate_t);
            if (!is_idle(&last, owner_gone, baton, batch_tx_now(tx))) {
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
    } while (rv == APR_SUCCESS && found->nelts == WINDOW);
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

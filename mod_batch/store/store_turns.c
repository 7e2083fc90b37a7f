/* Turns: batches of one target, that is of one table and scope, one after the other. */
#include "store/tx.h"

#include <apr_strings.h>

/*
 * sqlite3: a transaction that writes is alone already. pgsql: locks that belong to nobody's rows,
 * which go with the transaction.
 */
static int is_alone(const batch_tx_t *tx, const char *target)
{
    return !target || tx->connection->driver->one_writer;
}

apr_time_t batch_job_judged_since(const batch_job_t *job)
{
    /* What had ended before that was looked at when it was queued. */
    if (job->api == BATCH_API_RECORDS && job->queued_at) {
        return job->queued_at - BATCH_COMMIT_TIME;
    }
    return job->upload_began_at ? job->upload_began_at : job->created_at;
}

apr_status_t batch_tx_target_share(batch_tx_t *tx, const char *target, int exclusive)
{
    const void *values[] = {target};

    if (is_alone(tx, target)) {
        return APR_SUCCESS;
    }
    return batch_tx_execute_later(tx, exclusive ? BATCH_SQL_TARGET_ALONE : BATCH_SQL_TARGET_SHARE,
                                  values);
}

/* *number: the first column of the first row, 0 if there is none. */
static apr_status_t select_one(batch_tx_t *tx, apr_int64_t *number, batch_statement_e statement,
                               const void **values)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, statement, values, scratch);

    *number = 0;
    if (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, scratch)) {
        *number = batch_row_number(tx->connection, row, 0);
    }
    return rv;
}

apr_status_t batch_tx_target_try(batch_tx_t *tx, int *is_ours, const char *target)
{
    const void *values[] = {target};
    apr_int64_t taken = 1;
    apr_status_t rv =
        is_alone(tx, target) ? APR_SUCCESS : select_one(tx, &taken, BATCH_SQL_TARGET_TRY, values);

    *is_ours = rv == APR_SUCCESS && taken;
    return rv;
}

apr_status_t batch_tx_target_earlier(batch_tx_t *tx, int *earlier, const batch_job_t *job)
{
    static const apr_int64_t last = APR_INT64_MAX;
    const apr_int64_t *queued_at = job->queued_at ? &job->queued_at : &last;
    const apr_int64_t *seq = job->queued_at ? &job->seq : &last;
    const void *values[] = {job->target, queued_at, seq, &job->seq};
    apr_int64_t found = 0;
    apr_status_t rv =
        job->target ? select_one(tx, &found, BATCH_SQL_TARGET_EARLIER, values) : APR_SUCCESS;

    *earlier = found != 0;
    return rv;
}

apr_status_t batch_tx_target_queue(batch_tx_t *tx, int *behind, batch_job_t *job)
{
    const void *values[] = {job->target};
    apr_int64_t last = 0;
    apr_status_t rv = APR_SUCCESS;

    if (!is_alone(tx, job->target)) {
        rv = batch_tx_execute_later(tx, BATCH_SQL_TARGET_QUEUE, values);
    }
    if (rv == APR_SUCCESS && job->target) {
        rv = select_one(tx, &last, BATCH_SQL_TARGET_LAST, values);
    }
    /* Clocks may differ, and go back. */
    job->queued_at = batch_tx_now(tx);
    job->queued_at = job->queued_at > last ? job->queued_at : last + 1;
    *behind = last != 0;
    return rv;
}

apr_status_t batch_tx_target_changed(batch_tx_t *tx, int *changed, const batch_job_t *job,
                                     apr_time_t since)
{
    const void *values[] = {&since, job->target, &job->seq};
    apr_int64_t found = 0;
    apr_status_t rv =
        job->target ? select_one(tx, &found, BATCH_SQL_TARGET_CHANGED, values) : APR_SUCCESS;

    *changed = found != 0;
    return rv;
}

apr_status_t batch_tx_job_line_up(batch_tx_t *tx, batch_job_t *job, apr_interval_time_t patience)
{
    apr_time_t now = batch_tx_now(tx);
    apr_time_t lease_until = now + patience;
    const void *values[] = {&job->queued_at, &lease_until, &now,
                            &job->seq,       job->id,      &job->revision};
    int rows;
    apr_status_t rv = batch_tx_execute(tx, &rows, BATCH_SQL_JOB_LINE_UP, values);

    if (rv == APR_SUCCESS && rows != 1) {
        rv = BATCH_ENOTFOUND;
    }
    if (rv == APR_SUCCESS) {
        job->updated_at = now;
        job->lease_until = lease_until;
        job->revision++;
    }
    return rv;
}

apr_status_t batch_tx_job_stay_in_line(batch_tx_t *tx, const batch_job_t *job,
                                       apr_interval_time_t patience)
{
    apr_time_t lease_until = batch_tx_now(tx) + patience;
    const void *values[] = {&lease_until, &job->seq, job->id};

    return batch_tx_execute_later(tx, BATCH_SQL_JOB_STAY_IN_LINE, values);
}

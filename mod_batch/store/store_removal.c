/*
 * Removing what belongs to jobs, in pieces: a transaction that removed all items or errors of a
 * large one would need memory and time for them. What is left behind the first piece is noted as a
 * leftover, in the same transaction, and removed by workers, whatever ends meanwhile.
 */
#include "store/tx.h"
#include "store/removal.h"

/* What one piece has at most. Segments have 512 KiB, or are a single larger item. */
#define PIECE_SEGMENTS 16
#define PIECE_ERRORS   500

/* ---- Segments ----------------------------------------------------------------------------------
 */

apr_status_t batch_tx_segments_passed(batch_tx_t *tx, const batch_job_t *job, apr_int64_t from,
                                      apr_int64_t to)
{
    const void *by_place[] = {&job->seq, &from, &job->seq, &to, &to};
    const void *by_job[] = {&job->seq, &from, &to};

    return batch_tx_execute_later(tx, BATCH_SQL_SEGMENTS_PASSED,
                                  tx->connection->driver->sets ? by_job : by_place);
}

/* Removes segments from a position on, at most limit. *more: there may be more. */
static apr_status_t remove_segments(batch_tx_t *tx, int *more, apr_int64_t seq, apr_int64_t from,
                                    apr_int64_t limit)
{
    const apr_int64_t next = seq + 1;
    const void *by_place[] = {&seq, &from, &next, &limit};
    const void *by_job[] = {&seq, &seq, &from, &limit};
    int rows = 0;
    apr_status_t rv = batch_tx_execute(tx, &rows, BATCH_SQL_SEGMENTS_DELETE,
                                       tx->connection->driver->sets ? by_job : by_place);

    *more = rows >= limit;
    return rv;
}

apr_status_t batch_tx_segments_delete(batch_tx_t *tx, const batch_job_t *job)
{
    apr_status_t rv;
    int more;

    do {
        rv = remove_segments(tx, &more, job->seq, 0, PIECE_SEGMENTS);
    } while (rv == APR_SUCCESS && more);
    return rv;
}

/* ---- Pieces ------------------------------------------------------------------------------------
 */

static apr_status_t remove_errors(batch_tx_t *tx, int *more, apr_int64_t seq)
{
    const apr_int64_t limit = PIECE_ERRORS;
    const void *values[] = {&seq, &limit};
    int rows = 0;
    apr_status_t rv = batch_tx_execute(tx, &rows, BATCH_SQL_ERRORS_DELETE, values);

    *more = rows >= limit;
    return rv;
}

static apr_status_t remove_kept(batch_tx_t *tx, int *more, apr_int64_t seq)
{
    const apr_int64_t limit = PIECE_SEGMENTS; /* its rows are no larger */
    const void *values[] = {&seq, &limit};
    int rows = 0;
    apr_status_t rv = batch_tx_execute(tx, &rows, BATCH_SQL_KEPT_DELETE, values);

    *more = rows >= limit;
    return rv;
}

/* A piece of a job's items from a position on, of the keys that were kept, and of its errors. */
static apr_status_t remove_piece(batch_tx_t *tx, int *more, apr_int64_t seq, apr_int64_t from,
                                 int kept, int errors)
{
    int more_kept = 0, more_errors = 0;
    apr_status_t rv = remove_segments(tx, more, seq, from, PIECE_SEGMENTS);

    if (rv == APR_SUCCESS && kept) {
        rv = remove_kept(tx, &more_kept, seq);
        *more |= more_kept;
    }

    if (rv == APR_SUCCESS && errors) {
        rv = remove_errors(tx, &more_errors, seq);
        *more |= more_errors;
    }
    return rv;
}

apr_status_t batch_tx_belongings_piece(batch_tx_t *tx, int *more, const batch_job_t *job)
{
    return remove_piece(tx, more, job->seq, 0, 1, 1);
}

/* Removes a piece, and notes that there is more if so. */
static apr_status_t leave(batch_tx_t *tx, const batch_job_t *job, apr_int64_t from, int errors)
{
    apr_int64_t with_errors = errors;
    const void *values[] = {&job->seq, &from, &with_errors};
    /* Where all goes, it may be that nothing is known of the job but its number. */
    int kept = errors || batch_action_is(job->action, BATCH_ACTION_CLEANS_UP);
    int more;
    apr_status_t rv = remove_piece(tx, &more, job->seq, from, kept, errors);

    return rv == APR_SUCCESS && more ? batch_tx_execute_later(tx, BATCH_SQL_LEFTOVER_INSERT, values)
                                     : rv;
}

apr_status_t batch_tx_segments_end(batch_tx_t *tx, const batch_job_t *job)
{
    if (job->save_upload && !job->second_tries &&
        !batch_action_is(job->action, BATCH_ACTION_CLEANS_UP)) {
        return APR_SUCCESS;
    }
    return leave(tx, job, job->save_upload ? job->stored : 0, 0);
}

apr_status_t batch_tx_belongings_leave(batch_tx_t *tx, const batch_job_t *job)
{
    return leave(tx, job, 0, 1);
}

apr_status_t batch_tx_leftovers(batch_tx_t *tx, int *more, apr_pool_t *ptemp)
{
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_int64_t seq, from;
    int errors, rest;
    const void *values[] = {&seq};
    apr_status_t rv = batch_tx_select(
        tx, &results, tx->write ? BATCH_SQL_LEFTOVER_LOCK : BATCH_SQL_LEFTOVER_GET, NULL, ptemp);

    *more = rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, ptemp);
    if (!*more || !tx->write) {
        return rv;
    }
    seq = batch_row_number(tx->connection, row, 0);
    from = batch_row_number(tx->connection, row, 1);
    errors = (int)batch_row_number(tx->connection, row, 2);
    tx->turn = BATCH_TURN_STEP;
    rv = remove_piece(tx, &rest, seq, from, 1, errors);
    return rv == APR_SUCCESS && !rest
               ? batch_tx_execute_later(tx, BATCH_SQL_LEFTOVER_DELETE, values)
               : rv;
}

/* ---- Errors ------------------------------------------------------------------------------------
 */

apr_status_t batch_tx_errors_forget(batch_tx_t *tx, const batch_job_t *job, apr_int64_t ordinal)
{
    const void *values[] = {&job->seq, &ordinal};

    return batch_tx_execute_later(tx, BATCH_SQL_ERRORS_FORGET, values);
}

/* ---- Jobs --------------------------------------------------------------------------------------
 */

apr_status_t batch_tx_job_delete(batch_tx_t *tx, const batch_job_t *job)
{
    const void *values[] = {&job->seq, job->id};
    apr_status_t rv = batch_tx_belongings_leave(tx, job);

    return rv == APR_SUCCESS ? batch_tx_execute_later(tx, BATCH_SQL_JOB_DELETE, values) : rv;
}

apr_status_t batch_tx_jobs_expire(batch_tx_t *tx, int *removed, apr_interval_time_t retention,
                                  int limit, apr_pool_t *ptemp)
{
    apr_int64_t before = batch_tx_now(tx) - retention;
    apr_int64_t most = limit;
    const void *values[] = {&before, &most};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_JOBS_EXPIRED, values, ptemp);

    *removed = 0;
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, ptemp)) {
        batch_job_t job = {.seq = batch_row_number(tx->connection, row, 0),
                           .id = batch_row_text(tx->connection, row, 1, ptemp)};

        rv = batch_tx_job_delete(tx, &job);
        (*removed)++;
    }
    return rv;
}

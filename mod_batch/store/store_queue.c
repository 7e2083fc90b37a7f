/* The queue: which job is whose, and how far it has come. */
#include "store/tx.h"

#include <string.h>

/* ---- Jobs that somebody may hold --------------------------------------------------------------
 */

apr_status_t batch_tx_holdings(batch_tx_t *tx, apr_array_header_t **found,
                               batch_statement_e statement, const batch_holding_t *last,
                               apr_pool_t *p)
{
    const apr_time_t now = batch_tx_now(tx);
    const void *values[] = {&last->time, &last->seq, &now};
    const batch_connection_t *connection = tx->connection;
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, statement, values, p);

    *found = apr_array_make(p, BATCH_HOLDINGS, sizeof(batch_holding_t));
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, p)) {
        batch_holding_t *next = apr_array_push(*found);

        next->seq = batch_row_number(connection, row, 0);
        next->time = batch_row_number(connection, row, 1);
        next->lease_until = batch_row_number(connection, row, 2);
        next->owner.pid = batch_row_number(connection, row, 3);
        next->owner.start_time = batch_row_number(connection, row, 4);
        next->owner.host = batch_row_text(connection, row, 5, p);
        next->epoch = batch_row_number(connection, row, 6);
        next->id = batch_row_text(connection, row, 7, p);
    }
    return rv;
}

int batch_holding_is_free(const batch_holding_t *holding, batch_owner_gone_fn *owner_gone,
                          void *baton, apr_time_t now)
{
    return !holding->owner.host || holding->lease_until <= now ||
           owner_gone(baton, &holding->owner);
}

/* ---- Claims -------------------------------------------------------------------------------------
 */

/*
 * BATCH_ENOTFOUND unless it is the queued job's turn: what shows that looks at the database once
 * more behind the lock of its target. Requests that change rows of it just now hold that, too.
 */
static apr_status_t take_turn(batch_tx_t *tx, batch_job_t *job, const batch_claim_t *claim)
{
    int is_ours = 1;
    int earlier = 0;
    int changed = 0;
    apr_status_t rv = batch_tx_target_try(tx, &is_ours, job->target);

    if (rv == APR_SUCCESS && is_ours) {
        rv = batch_tx_target_earlier(tx, &earlier, job);
    }
    if (rv == APR_SUCCESS && is_ours && !earlier && !job->judge_again) {
        rv = batch_tx_target_changed(tx, &changed, job, batch_job_judged_since(job));
        job->judge_again = changed;
    }
    if (rv == APR_SUCCESS && !is_ours && claim->held_off) {
        *claim->held_off = 1;
    }
    return rv == APR_SUCCESS && (!is_ours || earlier) ? BATCH_ENOTFOUND : rv;
}

/* BATCH_ENOTFOUND if the candidate is not for this engine, or is being claimed by another. */
static apr_status_t look_at(batch_tx_t *tx, batch_job_t *job, const batch_holding_t *candidate,
                            const batch_claim_t *claim, apr_pool_t *p, apr_pool_t *ptemp)
{
    apr_status_t rv = batch_tx_job_by_seq(tx, job, candidate->seq, ptemp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!claim->runnable(claim->baton, job)) {
        return BATCH_ENOTFOUND;
    }
    rv = batch_tx_job_lock(tx, job, candidate->seq, p);
    /* Since we saw that it was free somebody has claimed it (another epoch), or ended it. */
    if (rv == APR_SUCCESS &&
        (job->epoch != candidate->epoch || batch_status_is_final(job->status))) {
        rv = BATCH_ENOTFOUND;
    }
    return rv == APR_SUCCESS && job->status == BATCH_STATUS_QUEUED ? take_turn(tx, job, claim) : rv;
}

/*
 * Sets *job to the first candidate of that statement that is free and runnable, in p.
 * BATCH_ENOTFOUND if there is none. window is cleared.
 */
static apr_status_t find_candidate(batch_tx_t *tx, batch_job_t *job, batch_statement_e statement,
                                   const batch_claim_t *claim, apr_pool_t *p, apr_pool_t *window)
{
    batch_holding_t last = BATCH_HOLDINGS_BEGIN;
    apr_array_header_t *candidates;
    int i;

    do {
        apr_status_t rv;

        apr_pool_clear(window);
        rv = batch_tx_holdings(tx, &candidates, statement, &last, window);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        for (i = 0; i < candidates->nelts; i++) {
            last = APR_ARRAY_IDX(candidates, i, batch_holding_t);
            if (!batch_holding_is_free(&last, claim->owner_gone, claim->baton, batch_tx_now(tx))) {
                continue;
            }
            rv = look_at(tx, job, &last, claim, p, window);
            if (rv != BATCH_ENOTFOUND) {
                return rv;
            }
        }
    } while (candidates->nelts == BATCH_HOLDINGS);
    return BATCH_ENOTFOUND;
}

static apr_status_t take(batch_tx_t *tx, batch_job_t *job, const batch_claim_t *claim)
{
    const batch_owner_t *owner = claim->owner;
    apr_time_t now = batch_tx_now(tx);
    apr_time_t lease_until = now + claim->lease;
    apr_status_t rv = claim->claimed(claim->baton, job);

    if (rv == APR_SUCCESS) {
        const void *values[] = {batch_status_name(job->status),
                                owner->host,
                                &owner->pid,
                                &owner->start_time,
                                &lease_until,
                                &now,
                                &now,
                                &job->judge_again,
                                &job->seq,
                                &job->epoch};

        rv = batch_tx_execute_one(tx, BATCH_SQL_CLAIM, values);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    job->epoch++;
    job->claims++;
    job->started_at = job->started_at ? job->started_at : now;
    job->updated_at = now;
    job->revision++;
    return APR_SUCCESS;
}

apr_status_t batch_tx_claim(batch_tx_t *tx, batch_job_t *job, const batch_claim_t *claim,
                            apr_pool_t *p)
{
    apr_pool_t *window;
    apr_status_t rv = apr_pool_create(&window, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* What was begun goes first: it is older, and must go on however full the queue is. */
    rv = find_candidate(tx, job, BATCH_SQL_RUNNING, claim, p, window);
    if (rv == BATCH_ENOTFOUND) {
        rv = find_candidate(tx, job, BATCH_SQL_QUEUED, claim, p, window);
    }
    apr_pool_destroy(window);
    tx->turn = rv == APR_SUCCESS ? BATCH_TURN_STEP : BATCH_TURN_OTHER;
    return rv == APR_SUCCESS ? take(tx, job, claim) : rv;
}

/* ---- Jobs that are being received --------------------------------------------------------------
 */

/* So long behind its lease a request may be late that stands in line, and lives. */
#define LATE_IN_LINE apr_time_from_sec(10)

/*
 * 1 if nobody will complete the job: its process is gone, or it has stood in line until its request
 * ended, which could not remove it as the database was not available then.
 */
static int is_abandoned(const batch_holding_t *holding, const batch_claim_t *claim, apr_time_t now)
{
    return (holding->lease_until && holding->lease_until + LATE_IN_LINE < now) ||
           (holding->owner.host && claim->owner_gone(claim->baton, &holding->owner));
}

apr_status_t batch_tx_jobs_abandoned(batch_tx_t *tx, int *removed, const batch_claim_t *claim,
                                     apr_interval_time_t patience, int limit, apr_pool_t *ptemp)
{
    apr_time_t before = batch_tx_now(tx) - patience;
    batch_holding_t last = BATCH_HOLDINGS_BEGIN;
    apr_array_header_t *found;
    apr_pool_t *window;
    apr_status_t rv = apr_pool_create(&window, ptemp);
    int i;

    *removed = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    do {
        apr_pool_clear(window);
        rv = batch_tx_holdings(tx, &found, BATCH_SQL_RECEIVING, &last, window);
        for (i = 0; rv == APR_SUCCESS && *removed < limit && i < found->nelts; i++) {
            last = APR_ARRAY_IDX(found, i, batch_holding_t);
            if (last.time < before || is_abandoned(&last, claim, batch_tx_now(tx))) {
                batch_job_t job = {.seq = last.seq, .id = last.id};

                rv = batch_tx_job_delete(tx, &job);
                (*removed)++;
            }
        }
    } while (rv == APR_SUCCESS && *removed < limit && found->nelts == BATCH_HOLDINGS);
    apr_pool_destroy(window);
    return rv;
}

apr_status_t batch_tx_fence(batch_tx_t *tx, const batch_job_t *job, apr_interval_time_t lease)
{
    const void *values[] = {&lease, &job->seq, job->id, &job->epoch, &job->position};
    int rows;
    apr_status_t rv = batch_tx_execute(tx, &rows, BATCH_SQL_FENCE, values);

    tx->turn = BATCH_TURN_CHUNK;
    batch_writer_begin_chunk(&tx->store->writer);
    return rv == APR_SUCCESS && rows != 1 && BATCH_FENCE_HOLDS ? BATCH_EFENCED : rv;
}

apr_status_t batch_tx_progress(batch_tx_t *tx, batch_job_t *job)
{
    const batch_counts_t *counts = &job->counts;
    int final = batch_status_is_final(job->status);
    apr_time_t now = batch_tx_now(tx);
    const void *values[26] = {
        &job->position,       &counts->created,    &counts->updated,  &counts->deleted,
        &counts->overwritten, &counts->duplicates, &counts->errors,   job->reason,
        &job->cleanup_total,  &job->cleanup_done,  job->cleanup_key,  &job->processed_at,
        &job->cleanup_again,  &job->second_tries,  &job->last_tries,  &job->total,
        &job->stored,         &job->invalid,       &job->judge_again, &now};
    int count = 20;
    apr_status_t rv;

    tx->turn = final ? BATCH_TURN_LAST : BATCH_TURN_CHUNK;
    if (final) {
        values[count++] = batch_status_name(job->status);
        values[count++] = batch_status_rank(job->status);
        values[count++] = &now; /* completed_at */
    }
    values[count++] = &job->seq;
    values[count++] = job->id;
    values[count++] = &job->epoch;
    rv = batch_tx_execute_one(tx, final ? BATCH_SQL_FINISH : BATCH_SQL_PROGRESS, values);
    if (rv == APR_SUCCESS) {
        job->updated_at = now;
        job->completed_at = final ? now : 0;
        job->claims = 0;
        job->revision++;
    }
    return rv;
}

apr_status_t batch_tx_release(batch_tx_t *tx, const batch_job_t *job)
{
    const void *values[] = {&job->seq, job->id, &job->epoch, &job->position};
    int rows;
    apr_status_t rv = batch_tx_execute(tx, &rows, BATCH_SQL_RELEASE, values);

    tx->turn = BATCH_TURN_LAST;
    return rv == APR_SUCCESS && rows != 1 ? BATCH_EFENCED : rv;
}

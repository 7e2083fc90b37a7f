#include "engine/run.h"
#include "engine/points.h"
#include "engine/status.h"

#include <string.h>

#include <apr_strings.h>

/* Waits between tries while the database is unavailable: doubling from the first to the last. */
#define FIRST_WAIT apr_time_from_msec(100)
#define LAST_WAIT  apr_time_from_sec(2)

/*
 * Claims in a row that came to no end of a chunk: a worker that dies at some item takes the job's
 * next owner with it. From the first number on the items go one by one, until the cursor moves;
 * from the second on the item at the cursor is not tried any more, it is the error.
 */
#define CLAIMS_CAREFUL 4
#define CLAIMS_POISON  12

/* A job under way. */
struct run {
    const batch_runner_t *runner;
    const batch_engine_t *engine;
    batch_job_t *job;
    batch_row_scope_t scope;
    batch_value_t *values; /* of an update */
    int value_count;
    apr_pool_t *segment_pool; /* the segment under way and its items */
    batch_item_t *items;
    apr_int64_t first; /* position of items[0] */
    int item_count;
    apr_pool_t *chunk_pool;
    int limit;            /* items of a chunk: shrinks when a commit is refused, grows after */
    const char *refused;  /* the next item is not to be tried: the database's words about it */
    int in_doubt;         /* a chunk's COMMIT was not answered: it may have been done */
    batch_job_t doubtful; /* what the job is if it was */
};

/* One attempt at a chunk: what the transaction sets. */
struct chunk {
    struct run *run;
    batch_job_t after; /* the job as it will be when the chunk is committed */
    int tried;         /* items that the attempt had in its hands */
};

/* ---- The items --------------------------------------------------------------------------------
 */

struct segment_read {
    const batch_job_t *job;
    batch_segment_t *segment;
    apr_pool_t *p;
};

static apr_status_t read_segment(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct segment_read *read = baton;

    (void)ptemp;
    return batch_tx_segment_get(tx, read->segment, read->job, read->job->cursor, read->p);
}

/* Reads the segment with the item at the cursor, unless we have it. */
static apr_status_t load_items(struct run *run, batch_error_t *err)
{
    batch_job_t *job = run->job;
    batch_segment_t segment;
    batch_segment_reader_t reader;
    struct segment_read read = {job, &segment, run->segment_pool};
    apr_status_t rv;
    int i;

    if (job->cursor >= run->first && job->cursor < run->first + run->item_count) {
        return APR_SUCCESS;
    }
    run->item_count = 0;
    apr_pool_clear(run->segment_pool);
    rv = batch_store_read(run->engine->store, read_segment, &read, err, run->chunk_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    run->items = apr_palloc(run->segment_pool, (apr_size_t)segment.count * sizeof(batch_item_t));
    batch_segment_reader_init(&reader, &segment, run->segment_pool);
    for (i = 0; i < segment.count; i++) {
        rv = batch_segment_read(&reader, &run->items[i]);
        if (rv != APR_SUCCESS) {
            run->item_count = 0;
            return batch_error_set(err, APR_EGENERAL, "MB0403", run->chunk_pool,
                                   "the stored items at %" APR_INT64_T_FMT " are damaged",
                                   segment.first);
        }
    }
    run->first = segment.first;
    run->item_count = (int)segment.count;
    return APR_SUCCESS;
}

/* ---- A chunk ----------------------------------------------------------------------------------
 */

static void describe_failure(batch_item_error_t *error, const struct run *run,
                             const batch_item_t *item, const batch_row_outcome_t *outcome,
                             apr_pool_t *p)
{
    memset(error, 0, sizeof(*error));
    error->ordinal = item->ordinal;
    error->line = item->line;
    error->id = item->key;
    if (outcome->result == BATCH_ROW_NOT_FOUND) {
        error->field = "id";
        error->code = "not_found";
        error->message =
            apr_psprintf(p, "no %s of form %s has this id", run->job->resource, run->job->form_id);
    } else {
        error->code = "refused";
        error->message = outcome->message;
    }
}

/* Stores an error for each item that was not applied, and counts them all. */
static apr_status_t record_outcomes(batch_tx_t *tx, struct chunk *chunk, const batch_item_t *items,
                                    const batch_row_outcome_t *outcomes, int count,
                                    apr_pool_t *ptemp)
{
    batch_item_error_t *errors = NULL;
    int failed = 0;
    int i;

    for (i = 0; i < count; i++) {
        if (outcomes[i].result == BATCH_ROW_APPLIED) {
            continue;
        }
        if (!errors) {
            errors = apr_palloc(ptemp, (apr_size_t)(count - i) * sizeof(*errors));
        }
        describe_failure(&errors[failed++], chunk->run, &items[i], &outcomes[i], ptemp);
    }
    chunk->after.counts.errors += failed;
    if (chunk->after.action == BATCH_ACTION_UPDATE) {
        chunk->after.counts.updated += count - failed;
    } else {
        chunk->after.counts.deleted += count - failed;
    }
    chunk->after.cursor += count;
    return failed ? batch_tx_errors_insert(tx, &chunk->after, errors, failed) : APR_SUCCESS;
}

static apr_status_t apply_rows(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                               struct run *run, const batch_item_t *items, int count,
                               apr_pool_t *ptemp)
{
    apr_time_t deadline = apr_time_now() + run->engine->limits.chunk_time;
    int i;

    if (run->refused) {
        outcomes[0].result = BATCH_ROW_REFUSED;
        outcomes[0].message = run->refused;
        *done = 1;
        return APR_SUCCESS;
    }
    for (i = 0; i < count; i++) {
        BATCH_POINT_ITEM(items[i].key);
    }
    if (run->job->action == BATCH_ACTION_UPDATE) {
        return batch_tx_rows_update(tx, done, outcomes, &run->scope, run->values, run->value_count,
                                    items, count, deadline, ptemp);
    }
    return batch_tx_rows_delete(tx, done, outcomes, &run->scope, items, count, deadline, ptemp);
}

static int is_over_time(batch_tx_t *tx, const struct run *run)
{
    apr_interval_time_t timeout = run->engine->limits.timeout;

    return timeout > 0 && batch_tx_now(tx) - run->job->started_at > timeout;
}

/* The end of a job: its items are of no more use. */
static apr_status_t finish(batch_tx_t *tx, struct chunk *chunk)
{
    apr_status_t rv = batch_tx_segments_delete(tx, &chunk->after);

    return rv != APR_SUCCESS ? rv : batch_tx_progress(tx, &chunk->after);
}

/* The transaction of a chunk: fence, rows, errors, progress. */
static apr_status_t chunk_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct chunk *chunk = baton;
    struct run *run = chunk->run;
    batch_row_outcome_t *outcomes;
    const batch_item_t *items;
    apr_status_t rv;
    int done = 0;

    chunk->after = *run->job;
    chunk->tried = 0;
    rv = batch_tx_fence(tx, run->job, run->engine->limits.lease);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    BATCH_POINT("fenced");
    if (is_over_time(tx, run)) {
        batch_status_time_out(&chunk->after, run->engine->limits.timeout, run->segment_pool);
        return finish(tx, chunk);
    }
    if (run->job->cursor < run->job->total) {
        items = run->items + (run->job->cursor - run->first);
        chunk->tried = run->item_count - (int)(run->job->cursor - run->first);
        if (chunk->tried > run->limit) {
            chunk->tried = run->limit;
        }
        outcomes = apr_pcalloc(ptemp, (apr_size_t)chunk->tried * sizeof(*outcomes));
        rv = apply_rows(tx, &done, outcomes, run, items, chunk->tried, ptemp);
        BATCH_POINT("applied");
        if (rv == APR_SUCCESS) {
            rv = record_outcomes(tx, chunk, items, outcomes, done, ptemp);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (chunk->after.cursor >= chunk->after.total) {
        batch_status_conclude(&chunk->after, run->segment_pool);
        rv = finish(tx, chunk);
        BATCH_POINT("before_final_commit");
        return rv;
    }
    rv = batch_tx_progress(tx, &chunk->after);
    BATCH_POINT("before_commit");
    return rv;
}

/*
 * The database refused the transaction as a whole (a deferred constraint, a trigger that rolls
 * back). Halve the chunk until the item is alone; then that item is the error.
 */
static void isolate(struct run *run, const struct chunk *chunk, const batch_error_t *err)
{
    if (chunk->tried > 1) {
        run->limit = chunk->tried / 2;
        return;
    }
    run->limit = 1;
    run->refused = apr_pstrdup(run->segment_pool, err->message ? err->message : "refused");
}

static void committed(struct run *run, const struct chunk *chunk)
{
    *run->job = chunk->after;
    run->refused = NULL;
    if (run->limit <= APR_INT32_MAX / 2) {
        run->limit *= 2;
    }
}

/* Finds out whether the chunk in doubt was committed, and takes it for done if so. */
static apr_status_t settle(struct run *run, batch_error_t *err)
{
    apr_status_t rv =
        batch_store_job_stands(run->engine->store, &run->doubtful, err, run->chunk_pool);

    if (rv == APR_SUCCESS) {
        *run->job = run->doubtful;
        run->refused = NULL;
    }
    if (rv == BATCH_EUNAVAILABLE) {
        return rv;
    }
    run->in_doubt = 0;
    return APR_SUCCESS;
}

/* ---- The job ------------------------------------------------------------------------------------
 */

static apr_status_t prepare(struct run *run, const batch_runner_t *runner, batch_job_t *job,
                            batch_error_t *err, apr_pool_t *p)
{
    memset(run, 0, sizeof(*run));
    run->runner = runner;
    run->engine = runner->engine;
    run->job = job;
    run->limit = APR_INT32_MAX;
    run->scope.resource = batch_engine_resource(run->engine, job->resource);
    run->scope.organization = job->organization;
    run->scope.form_id = job->form_id;
    run->scope.actor_id = job->updated_by_id;
    apr_pool_create(&run->segment_pool, p);
    apr_pool_create(&run->chunk_pool, p);
    if (!run->scope.resource) {
        return batch_error_set(err, APR_EGENERAL, "MB0404", p, "the resource %s is not configured",
                               job->resource);
    }
    if (job->claims >= CLAIMS_CAREFUL) {
        run->limit = 1;
        batch_log(run->engine->logger, BATCH_LOG_WARNING, "MB0417", 0, job,
                  "claimed %d times without progress at item %d of %d: going on one by one",
                  (int)job->claims, (int)job->cursor + 1, (int)job->total);
    }
    if (job->claims >= CLAIMS_POISON) {
        run->refused = "the server's worker ended each time that it tried this item";
    }
    if (job->action == BATCH_ACTION_UPDATE &&
        batch_values_decode(&run->values, &run->value_count, job->settings, p) != APR_SUCCESS) {
        return batch_error_set(err, APR_EGENERAL, "MB0403", p, "the stored values are damaged");
    }
    return APR_SUCCESS;
}

static apr_status_t release_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_release(tx, baton);
}

static void give_back(struct run *run)
{
    batch_error_t err = {0};
    apr_status_t rv = run->in_doubt ? settle(run, &err) : APR_SUCCESS;

    if (rv == APR_SUCCESS && run->job->status == BATCH_STATUS_PROCESSING) {
        rv = batch_store_write(run->engine->store, release_body, run->job, &err, run->chunk_pool);
    }
    if (rv != APR_SUCCESS && rv != BATCH_EFENCED) {
        batch_log(run->engine->logger, BATCH_LOG_WARNING, err.tag ? err.tag : "MB0405", rv,
                  run->job, "cannot give the batch back, its lease must run out: %s",
                  err.message ? err.message : "no details");
    }
}

struct failure {
    struct run *run;
    batch_job_t after;
    const char *reason;
};

static apr_status_t fail_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct failure *failure = baton;
    apr_status_t rv = batch_tx_fence(tx, failure->run->job, failure->run->engine->limits.lease);

    (void)ptemp;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    failure->after = *failure->run->job;
    failure->after.status = BATCH_STATUS_FAILED;
    failure->after.reason = failure->reason;
    rv = batch_tx_segments_delete(tx, &failure->after);
    return rv != APR_SUCCESS ? rv : batch_tx_progress(tx, &failure->after);
}

/* Ends a job that can never go on, so that it does not come back to the queue for ever. */
static apr_status_t fail_job(struct run *run, apr_status_t cause, batch_error_t *err)
{
    struct failure failure = {run, *run->job, "the batch cannot go on: see the server's error log"};
    batch_error_t second = {0};
    apr_status_t rv;

    batch_log(run->engine->logger, BATCH_LOG_ERROR, err->tag ? err->tag : "MB0408", cause, run->job,
              "the batch cannot go on: %s", err->message ? err->message : "no details");
    rv = batch_store_write(run->engine->store, fail_body, &failure, &second, run->chunk_pool);
    if (rv == APR_SUCCESS) {
        *run->job = failure.after;
    } else {
        *err = second;
    }
    return rv;
}

/* One chunk: APR_SUCCESS with the job moved on, or why not. */
static apr_status_t run_chunk(struct run *run, batch_error_t *err)
{
    struct chunk chunk = {run, *run->job, 0};
    apr_status_t rv;

    if (run->in_doubt) {
        return settle(run, err);
    }
    if (run->job->cursor < run->job->total) {
        rv = load_items(run, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    rv = batch_store_write(run->engine->store, chunk_body, &chunk, err, run->chunk_pool);
    if (rv == APR_SUCCESS) {
        committed(run, &chunk);
        BATCH_POINT(run->job->status == BATCH_STATUS_PROCESSING ? "committed" : "finished");
    } else if (rv == BATCH_EINDOUBT) {
        run->in_doubt = 1;
        run->doubtful = chunk.after;
        rv = APR_SUCCESS;
    } else if (rv == BATCH_EREFUSED && chunk.tried > 0) {
        isolate(run, &chunk, err);
        rv = APR_SUCCESS;
    }
    return rv;
}

static apr_status_t renew_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct run *run = baton;

    (void)ptemp;
    return batch_tx_fence(tx, run->job, run->engine->limits.lease);
}

/*
 * The failed chunk took the renewal of the lease with it. Whoever waits lives: were others to claim
 * the job each time that the lease runs out, its next item would end as one that kills its workers.
 */
static apr_status_t stay_owner(struct run *run)
{
    batch_error_t err = {0};
    apr_status_t rv = BATCH_EINDOUBT;

    if (!run->in_doubt) {
        rv = batch_store_write(run->engine->store, renew_body, run, &err, run->chunk_pool);
    }
    return rv == BATCH_EFENCED ? rv : APR_SUCCESS; /* unavailable: so it is for the others */
}

static void wait_for_database(struct run *run, apr_interval_time_t *wait, const batch_error_t *err)
{
    const char *tag = err->tag ? err->tag : "MB0406";
    const char *message = err->message ? err->message : "no details";
    const char *suffix;

    if (*wait == 0) {
        int due = batch_outage_due(run->engine->outages, &suffix, tag,
                                   apr_pstrcat(run->chunk_pool, run->job->id, message, NULL),
                                   run->chunk_pool);
        batch_log(run->engine->logger, due ? BATCH_LOG_WARNING : BATCH_LOG_DEBUG, tag, err->status,
                  run->job, "the database is unavailable, the batch waits: %s%s", message, suffix);
    }
    *wait = *wait == 0 ? FIRST_WAIT : (*wait * 2 > LAST_WAIT ? LAST_WAIT : *wait * 2);
    run->runner->pause(run->runner->baton, *wait);
}

/* Other programs may want to write, too. */
static void let_others_write(const struct run *run)
{
    const batch_runner_t *runner = run->runner;
    apr_interval_time_t rest;

    while ((rest = batch_store_rest(run->engine->store)) > 0 && !runner->stopping(runner->baton)) {
        runner->pause(runner->baton, rest);
    }
}

apr_status_t batch_job_run(const batch_runner_t *runner, batch_job_t *job, apr_pool_t *p)
{
    struct run run;
    batch_error_t err = {0};
    apr_interval_time_t wait = 0;
    apr_status_t rv = prepare(&run, runner, job, &err, p);

    if (rv != APR_SUCCESS) {
        rv = fail_job(&run, rv, &err);
    }
    while (rv == APR_SUCCESS && job->status == BATCH_STATUS_PROCESSING) {
        let_others_write(&run);
        if (runner->stopping(runner->baton)) {
            give_back(&run);
            return APR_SUCCESS;
        }
        apr_pool_clear(run.chunk_pool);
        memset(&err, 0, sizeof(err));
        rv = run_chunk(&run, &err);
        batch_store_chunk_over(run.engine->store);
        if (rv != APR_SUCCESS && rv != BATCH_EUNAVAILABLE && rv != BATCH_EFENCED) {
            rv = fail_job(&run, rv, &err);
        }
        if (rv == BATCH_EUNAVAILABLE || rv == BATCH_EINDOUBT) {
            rv = stay_owner(&run);
            wait_for_database(&run, &wait, &err);
        } else if (rv == APR_SUCCESS) {
            wait = 0;
        }
    }
    if (rv == BATCH_EFENCED) {
        batch_log(runner->engine->logger, BATCH_LOG_NOTICE, "MB0407", 0, job,
                  "the batch has been taken over by another worker");
    }
    return rv;
}

#include "engine/run_private.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/lanes.h"
#include "engine/points.h"
#include "engine/reselect.h"
#include "engine/status.h"
#include "engine/turn.h"
#include "store/removal.h"
#include "text/check.h"

/* Waits between tries while the database is unavailable: doubling from the first to the last. */
#define FIRST_WAIT apr_time_from_msec(100)
#define LAST_WAIT  apr_time_from_sec(2)

/*
 * Claims in a row that came to no end of a chunk: a worker that dies at some item takes the job's
 * next owner with it. From the first number on the items go one by one, until the position moves;
 * from the second on the item at the position is not tried any more, it is the error.
 */
#define CLAIMS_CAREFUL 4
#define CLAIMS_POISON  12

/* Items that the first chunk of a job is thought to reach. */
#define FIRST_GUESS 10000

/* Chunks need not wait for the disk, but no more than so much work is to be done once more. */
#define DURABLE_EVERY apr_time_from_sec(1)

/* ---- What becomes of a chunk --------------------------------------------------------------------
 */

/*
 * The database refused the transaction as a whole (a deferred constraint, a trigger that rolls
 * back). Halve the chunk until the item is alone; then that item is the error.
 */
static void isolate(batch_job_run_t *run, const batch_chunk_t *chunk, const batch_error_t *err)
{
    if (chunk->tried > 1) {
        run->limit = chunk->tried / 2;
        return;
    }
    run->limit = 1;
    run->refused = apr_pstrdup(run->words_pool, err->message ? err->message : "refused");
    run->poison = 0;
}

/* The job is what a chunk has made of it; what it says outlives the chunk. */
static void move_on(batch_job_run_t *run, const batch_job_t *after)
{
    const char *key = after->cleanup_key;
    const char *reason = after->reason;

    *run->job = *after;
    if (key || reason || run->refused) {
        key = key ? apr_pstrdup(run->chunk_pool, key) : NULL;
        reason = reason ? apr_pstrdup(run->chunk_pool, reason) : NULL;
        apr_pool_clear(run->words_pool);
        run->job->cleanup_key = key ? apr_pstrdup(run->words_pool, key) : NULL;
        run->job->reason = reason ? apr_pstrdup(run->words_pool, reason) : NULL;
    }
    run->refused = NULL;
    run->renewed = apr_time_now();
}

static void committed(batch_job_run_t *run, const batch_chunk_t *chunk)
{
    move_on(run, &chunk->after);
    run->usual = chunk->tried;
    run->cleaned = chunk->cleaned;
    run->done = chunk->done;
    run->late = chunk->late;
    run->alone -= run->alone > 0;
    if (run->limit <= APR_INT32_MAX / 2) {
        run->limit *= 2;
    }
}

/* Finds out whether the chunk in doubt was committed, and takes it for done if so. */
static apr_status_t settle(batch_job_run_t *run, batch_error_t *err)
{
    apr_status_t rv =
        batch_store_job_stands(run->engine->store, &run->doubtful, err, run->chunk_pool);

    if (rv == APR_SUCCESS) {
        move_on(run, &run->doubtful);
    }
    if (rv == BATCH_EUNAVAILABLE) {
        return rv;
    }
    run->in_doubt = 0;
    return APR_SUCCESS;
}

/* ---- Before the cleanup -------------------------------------------------------------------------
 */

struct keeping {
    batch_job_run_t *run;
    const batch_item_t *items;
    int count;
};

static apr_status_t keep_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct keeping *keeping = baton;

    return batch_cleanup_keep(tx, keeping->run->cleanup, keeping->items, keeping->count, ptemp);
}

/* Keeps the rows of the next segment. */
static apr_status_t keep_segment(batch_job_run_t *run, batch_error_t *err)
{
    struct keeping keeping = {run, NULL, 0};
    apr_status_t rv = batch_run_load_items(run, NULL, run->kept_to, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    keeping.items = run->loaded.items + (run->kept_to - run->loaded.first);
    keeping.count = run->loaded.count - (int)(run->kept_to - run->loaded.first);
    rv = batch_store_read(run->engine->store, keep_body, &keeping, err, run->chunk_pool);
    if (rv == APR_SUCCESS) {
        run->kept_to = run->loaded.first + run->loaded.count;
    }
    return rv;
}

struct stored_keys {
    batch_job_run_t *run;
    apr_int64_t number;
    int more;
};

static apr_status_t keep_stored_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct stored_keys *keys = baton;
    apr_time_t deadline = apr_time_now() + keys->run->engine->limits.chunk_time;
    apr_status_t rv;

    (void)ptemp;
    keys->number = keys->run->kept_number;
    do {
        rv = batch_cleanup_keep_stored(tx, &keys->more, &keys->number, keys->run->cleanup);
    } while (rv == APR_SUCCESS && keys->more && apr_time_now() < deadline);
    return rv;
}

/* Keeps some more of the rows whose keys were stored. */
static apr_status_t keep_stored(batch_job_run_t *run, batch_error_t *err)
{
    struct stored_keys keys = {run, 0, 0};
    apr_status_t rv =
        batch_store_read(run->engine->store, keep_stored_body, &keys, err, run->chunk_pool);

    if (rv == APR_SUCCESS) {
        run->kept_number = keys.number;
        run->kept_stored = !keys.more;
    }
    return rv;
}

struct counting {
    batch_job_run_t *run;
    int more;
};

/* What it has counted it has, whatever becomes of the transaction. */
static apr_status_t count_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct counting *counting = baton;
    batch_job_run_t *run = counting->run;
    apr_time_t deadline = apr_time_now() + run->engine->limits.chunk_time;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, ptemp);

    while (rv == APR_SUCCESS && counting->more) {
        apr_pool_clear(pool);
        rv = batch_cleanup_count(tx, &counting->more, &run->count, run->cleanup, pool);
        if (apr_time_now() >= deadline) {
            break;
        }
    }
    return rv;
}

static apr_status_t fence_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_run_t *run = BATCH_CAST(batch_job_run_t, baton, BATCH_JOB_RUN_MAGIC);

    (void)ptemp;
    return batch_tx_fence(tx, run->job, run->engine->limits.lease);
}

/* Keeps the lease while nothing is committed that would. */
static apr_status_t renew(batch_job_run_t *run, batch_error_t *err)
{
    apr_status_t rv;

    if (apr_time_now() - run->renewed < run->engine->limits.lease / 4) {
        return APR_SUCCESS;
    }
    rv = batch_store_write(run->engine->store, fence_body, run, err, run->chunk_pool);
    if (rv == APR_SUCCESS || rv == BATCH_EINDOUBT) {
        run->renewed = apr_time_now();
        rv = APR_SUCCESS;
    }
    return rv;
}

/*
 * One step of what comes before the first removal: the set of the rows that stay, then the number
 * of those that do not. *ready: it is done.
 */
static apr_status_t prepare_cleanup(batch_job_run_t *run, int *ready, batch_error_t *err)
{
    struct counting counting = {run, 1};
    apr_status_t rv;

    *ready = 0;
    rv = batch_run_make_cleanup(run);
    if (rv == APR_SUCCESS) {
        rv = renew(run, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!run->kept_stored) {
        rv = keep_stored(run, err);
    }
    if (rv != APR_SUCCESS || !run->kept_stored) {
        return rv;
    }
    if (run->kept_to < run->job->stored) {
        return keep_segment(run, err);
    }
    if (run->counted || batch_run_obstacle(run)) {
        *ready = 1;
        return APR_SUCCESS;
    }
    rv = batch_store_read(run->engine->store, count_body, &counting, err, run->chunk_pool);
    if (rv == APR_SUCCESS) {
        run->counted = !counting.more;
    }
    return rv;
}

/* ---- The job ------------------------------------------------------------------------------------
 */

/* Whether the configuration still means what the job was made for; sets run->reason if not. */
static apr_status_t check_section(batch_job_run_t *run, batch_error_t *err, apr_pool_t *p)
{
    switch (batch_turn_fit(run->engine, run->job, p)) {
    case BATCH_FIT_GOOD:
        return APR_SUCCESS;
    case BATCH_FIT_CHANGED:
        run->reason = apr_psprintf(
            p, "the configuration of the resource %s was changed while the batch was under way",
            run->job->resource);
        return batch_error_set(err, APR_EGENERAL, "MB0424", p,
                               "its <BatchResource %s> was changed since it was made",
                               run->job->resource);
    default:
        run->reason =
            apr_psprintf(p, "the resource %s is not configured any more", run->job->resource);
        return batch_error_set(err, APR_EGENERAL, "MB0404", p, "the resource %s is not configured",
                               run->job->resource);
    }
}

/* Before anything else is asked of p: what cannot be made takes no room in it. */
static apr_status_t make_pools(batch_job_run_t *run, apr_pool_t *p)
{
    /* Changes places with that of the thread which prefetches. */
    apr_status_t rv = batch_pool_make(&run->loaded.p, p, BATCH_PREFETCH_KEEPS);

    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&run->chunk_pool, p);
    }
    return rv == APR_SUCCESS ? apr_pool_create(&run->words_pool, p) : rv;
}

static apr_status_t prepare(batch_job_run_t *run, const batch_runner_t *runner, batch_job_t *job,
                            batch_error_t *err, apr_pool_t *p)
{
    const batch_resource_t *resource;
    apr_status_t rv;

    run->runner = runner;
    run->engine = runner->engine;
    run->job = job;
    run->p = p;
    run->limit = APR_INT32_MAX;
    run->usual = FIRST_GUESS;
    run->claimed_at = job->position;
    run->renewed = run->durable_at = apr_time_now();
    resource = batch_engine_resource(run->engine, job->resource);
    rv = check_section(run, err, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (job->claims >= CLAIMS_CAREFUL) {
        run->limit = 1;
        batch_log(run->engine->logger, BATCH_LOG_WARNING, "MB0417", 0, job,
                  "claimed %d times without progress at item %d of %d: going on one by one",
                  (int)job->claims, (int)job->position + 1, (int)batch_job_items(job));
    }
    if (job->claims >= CLAIMS_POISON) {
        run->refused = "the server's worker ended each time that it tried this item";
        run->poison = run->in_vain = 1;
    }
    if (batch_application_make(&run->application, job, resource, p) != APR_SUCCESS) {
        return batch_error_set(err, APR_EGENERAL, "MB0431", p, "the stored values are damaged");
    }
    return APR_SUCCESS;
}

static apr_status_t release_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_release(tx, baton);
}

static void give_back(batch_job_run_t *run)
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
    batch_job_run_t *run;
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
    rv = batch_status_fail(&failure->after, failure->reason, batch_tx_error(tx),
                           failure->run->chunk_pool);
    if (rv == APR_SUCCESS) {
        rv = batch_tx_segments_end(tx, &failure->after);
    }
    return rv != APR_SUCCESS ? rv : batch_tx_progress(tx, &failure->after);
}

/* Ends a job that can never go on, so that it does not come back to the queue for ever. */
static apr_status_t fail_job(batch_job_run_t *run, apr_status_t cause, batch_error_t *err)
{
    struct failure failure = {run, *run->job,
                              run->reason ? run->reason
                                          : "the batch cannot go on: see the server's error log"};
    batch_error_t second = {0};
    apr_status_t rv;

    rv = batch_store_write(run->engine->store, fail_body, &failure, &second, run->chunk_pool);
    /* Where it is no longer ours that is why: whoever has ended it has removed its items. */
    if (rv != BATCH_EFENCED) {
        batch_log(run->engine->logger, BATCH_LOG_ERROR, err->tag ? err->tag : "MB0408", cause,
                  run->job, "the batch cannot go on: %s",
                  err->message ? err->message : "no details");
    }
    if (rv == APR_SUCCESS) {
        *run->job = failure.after;
    } else {
        *err = second;
    }
    return rv;
}

/*
 * 1 if the next chunk may be the job's end, of which nobody may hear before it is on disk. To take
 * another one for the end costs time only; the end itself is told from the others by
 * batch_chunk_body.
 */
static int may_be_end(const batch_job_run_t *run)
{
    const batch_job_t *job = run->job;

    if (run->done || run->late || batch_run_obstacle(run)) {
        return 1;
    }
    switch (batch_run_next(run, job, run->cleaned)) {
    case BATCH_NEXT_ITEMS:
        return (!batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) || run->cleaned) &&
               batch_job_items(job) - job->position <= run->usual;
    case BATCH_NEXT_CLEANUP:
        return run->count - job->cleanup_done <= run->usual;
    default:
        return 1;
    }
}

/* The transaction of the next chunk. */
static apr_status_t write_chunk(batch_job_run_t *run, batch_chunk_t *chunk, batch_error_t *err)
{
    apr_status_t rv;

    if (!may_be_end(run) && apr_time_now() - run->durable_at < DURABLE_EVERY) {
        return batch_store_write_async(run->engine->store, batch_chunk_body, chunk, err,
                                       run->chunk_pool);
    }
    rv = batch_store_write(run->engine->store, batch_chunk_body, chunk, err, run->chunk_pool);
    run->durable_at = rv == APR_SUCCESS ? apr_time_now() : run->durable_at;
    return rv;
}

static apr_status_t long_fence_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_run_t *run = BATCH_CAST(batch_job_run_t, baton, BATCH_JOB_RUN_MAGIC);

    (void)ptemp;
    return batch_tx_fence(tx, run->job, 2 * run->engine->limits.query_timeout);
}

/* Before the first chunk of a batch that has waited for its turn. */
static apr_status_t reselect(batch_job_run_t *run, batch_error_t *err)
{
    batch_job_t job = *run->job;
    apr_status_t rv = APR_SUCCESS;

    /* A lease that ran out meanwhile would have others do the same, one after the other. */
    if (run->engine->limits.lease < 2 * run->engine->limits.query_timeout) {
        rv = batch_store_write(run->engine->store, long_fence_body, run, err, run->chunk_pool);
    }
    if (rv == BATCH_EINDOUBT) {
        rv = BATCH_EUNAVAILABLE; /* once more: it changes nothing else */
    }
    if (rv == APR_SUCCESS) {
        rv = batch_reselect(&job, run->engine, err, run->chunk_pool);
    }
    if (rv == APR_SUCCESS) {
        *run->job = job;
        run->renewed = apr_time_now();
    }
    if (rv == BATCH_EINDOUBT) { /* until that is settled the job is what it was */
        run->in_doubt = 1;
        run->doubtful = job;
        return APR_SUCCESS;
    }
    if (rv == BATCH_EINVALID) {
        run->reason = apr_pstrdup(run->p, err->message);
    }
    if (rv == BATCH_ECROWDED) { /* other queries end */
        run->runner->pause(run->runner->baton, FIRST_WAIT);
        rv = renew(run, err);
    }
    return rv;
}

/* One chunk: APR_SUCCESS with the job moved on, or why not. */
static apr_status_t run_chunk(batch_job_run_t *run, batch_error_t *err)
{
    batch_chunk_t chunk = {.magic = BATCH_CHUNK_MAGIC, .run = run};
    apr_status_t rv = APR_SUCCESS;
    apr_time_t begun;
    int ready = 1;

    if (run->in_doubt) {
        return settle(run, err);
    }
    if (batch_reselect_is_due(run->engine, run->job)) {
        return reselect(run, err);
    }
    switch (batch_run_next(run, run->job, run->cleaned)) {
    case BATCH_NEXT_ITEMS:
        if (batch_lanes_are_due(run)) {
            batch_lanes_run(run);
            return APR_SUCCESS;
        }
        rv = batch_run_load_items(run, NULL, run->job->position, err);
        break;
    case BATCH_NEXT_END:
        break;
    default:
        rv = prepare_cleanup(run, &ready, err);
        break;
    }
    if (rv != APR_SUCCESS || !ready) {
        return rv;
    }
    begun = apr_time_now();
    rv = write_chunk(run, &chunk, err);
    if (rv == APR_SUCCESS) {
        committed(run, &chunk);
        run->item_time = chunk.tried ? (double)(apr_time_now() - begun) / chunk.tried : 0;
        BATCH_POINT(run->job->status == BATCH_STATUS_PROCESSING ? "committed" : "finished");
    } else if (rv == BATCH_EINDOUBT) {
        run->in_doubt = 1;
        run->doubtful = chunk.after;
        rv = APR_SUCCESS;
    } else if (rv == BATCH_EREFUSED && chunk.exchanged) {
        run->in_vain = 1;
        rv = APR_SUCCESS;
    } else if (rv == BATCH_EREFUSED && chunk.tried > 0) {
        isolate(run, &chunk, err);
        rv = APR_SUCCESS;
    }
    return rv;
}

/*
 * The failed chunk took the renewal of the lease with it. Whoever waits lives: were others to claim
 * the job each time that the lease runs out, its next item would end as one that kills its workers.
 */
static apr_status_t stay_owner(batch_job_run_t *run)
{
    batch_error_t err = {0};
    apr_status_t rv = BATCH_EINDOUBT;

    if (!run->in_doubt) {
        rv = batch_store_write(run->engine->store, fence_body, run, &err, run->chunk_pool);
    }
    return rv == BATCH_EFENCED ? rv : APR_SUCCESS; /* unavailable: so it is for the others */
}

static void wait_for_database(batch_job_run_t *run, apr_interval_time_t *wait,
                              const batch_error_t *err)
{
    const char *tag = err->tag ? err->tag : "MB0406";
    const char *message = err->message ? err->message : "no details";
    const char *suffix = "";

    if (*wait == 0) {
        /* When the process is to end the store gives up early: that is no outage. */
        int due = !run->runner->stopping(run->runner->baton) &&
                  batch_outage_due(run->engine->outages, &suffix, tag,
                                   apr_pstrcat(run->chunk_pool, run->job->id, message, NULL),
                                   run->chunk_pool);
        batch_log(run->engine->logger, due ? BATCH_LOG_WARNING : BATCH_LOG_DEBUG, tag, err->status,
                  run->job, "the database is unavailable, the batch waits: %s%s", message, suffix);
    }
    *wait = *wait == 0 ? FIRST_WAIT : (*wait * 2 > LAST_WAIT ? LAST_WAIT : *wait * 2);
    run->runner->pause(run->runner->baton, *wait);
}

/*
 * The database does not take what the job is made of. 1: the job is given back, and waits until its
 * action is in service again; other jobs go on meanwhile.
 */
static int take_out_of_service(batch_job_run_t *run, const batch_error_t *err)
{
    const batch_engine_t *engine = run->engine;
    const batch_resource_t *resource = batch_engine_resource(engine, run->job->resource);

    if (!engine->fitness ||
        batch_fitness_doubt(engine->fitness, engine->store, resource, run->job->action, err,
                            run->chunk_pool) != APR_SUCCESS) {
        return 0;
    }
    batch_log(engine->logger, BATCH_LOG_INFO, "MB0421", 0, run->job,
              "the batch waits until its resource is in service again");
    give_back(run);
    return 1;
}

/* The job is no longer ours: a client has ended it, or another worker has it. */
static void log_loss(const batch_job_run_t *run)
{
    const batch_logger_t *logger = run->engine->logger;
    batch_error_t err = {0};
    batch_job_t now;
    apr_status_t rv =
        batch_job_find(&now, run->engine, run->job->api, run->job->id, &err, run->chunk_pool);

    if (rv == BATCH_ENOTFOUND) {
        batch_log(logger, BATCH_LOG_INFO, "MB0433", 0, run->job,
                  "the batch was ended and removed while it ran");
    } else if (rv == APR_SUCCESS && batch_status_is_final(now.status) && now.reason &&
               !strncmp(now.reason, BATCH_CANCELLED_BY, strlen(BATCH_CANCELLED_BY))) {
        batch_log(logger, BATCH_LOG_INFO, "MB0422", 0, &now, "the batch was ended while it ran: %s",
                  now.reason);
    } else {
        batch_log(logger, BATCH_LOG_NOTICE, "MB0407", 0, run->job,
                  "the batch has been taken over by another worker");
    }
}

/* Other programs may want to write, too. */
static void let_others_write(const batch_job_run_t *run)
{
    const batch_runner_t *runner = run->runner;
    apr_interval_time_t rest;

    while ((rest = batch_store_rest(run->engine->store)) > 0 && !runner->stopping(runner->baton)) {
        runner->pause(runner->baton, rest);
    }
}

/* Chunk after chunk, until the job is final, lost, or given back. */
static apr_status_t run_chunks(batch_job_run_t *run)
{
    const batch_runner_t *runner = run->runner;
    const batch_job_t *job = run->job;
    apr_interval_time_t wait = 0;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && job->status == BATCH_STATUS_PROCESSING) {
        batch_error_t err = {0};

        let_others_write(run);
        if (runner->stopping(runner->baton)) {
            give_back(run);
            return APR_SUCCESS;
        }
        apr_pool_clear(run->chunk_pool);
        rv = run_chunk(run, &err);
        if (rv == BATCH_EUNFIT) {
            if (take_out_of_service(run, &err)) {
                return APR_SUCCESS;
            }
            rv = BATCH_EUNAVAILABLE;
        }
        if (rv != APR_SUCCESS && rv != BATCH_EUNAVAILABLE && rv != BATCH_EFENCED) {
            rv = fail_job(run, rv, &err);
        }
        if (rv == BATCH_EUNAVAILABLE || rv == BATCH_EINDOUBT) {
            rv = stay_owner(run);
            wait_for_database(run, &wait, &err);
        } else if (rv == APR_SUCCESS) {
            wait = 0;
        }
    }
    return rv;
}

apr_status_t batch_job_run(const batch_runner_t *runner, batch_job_t *job, apr_pool_t *p)
{
    batch_job_run_t run;
    batch_error_t err = {0};
    apr_status_t rv;

    memset(&run, 0, sizeof(run));
    run.magic = BATCH_JOB_RUN_MAGIC;
    rv = make_pools(&run, p);
    if (rv != APR_SUCCESS) {
        batch_log(runner->engine->logger, BATCH_LOG_ERROR, "MB0435", rv, job,
                  "no memory to run the batch: it waits until its lease is over");
        return rv;
    }
    rv = prepare(&run, runner, job, &err, p);
    if (rv != APR_SUCCESS) {
        rv = fail_job(&run, rv, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = run_chunks(&run);
    }
    batch_prefetch_end(run.prefetch);
    if (rv == BATCH_EFENCED) {
        log_loss(&run);
    }
    return rv;
}

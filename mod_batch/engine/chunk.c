/* The transaction of a chunk: the items from the position on, or the rows that an overwrite
 * removes.
 */
#include "engine/run_private.h"

#include <string.h>

#include "engine/points.h"
#include "engine/status.h"
#include "store/removal.h"
#include "text/check.h"

/*
 * While nobody waits a chunk goes on for up to so many times its time, but no longer than that, and
 * looks four times in its time whether somebody has come: rows lie anywhere, so that each chunk
 * writes the same pages once more.
 */
#define STRETCH      4
#define STRETCH_MOST apr_time_from_msec(400)

/* Items that are tried again together, about, and their bytes at most. */
#define RETRY_ITEMS 1000
#define RETRY_BYTES (8 * 1024 * 1024)

/* ---- The items --------------------------------------------------------------------------------
 */

struct segment_read {
    const batch_job_t *job;
    apr_int64_t position;
    batch_segment_t *segment;
    apr_pool_t *p;
};

static apr_status_t read_segment(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct segment_read *read = baton;

    (void)ptemp;
    return batch_tx_segment_get(tx, read->segment, read->job, read->position, read->p);
}

static apr_status_t decode_segment(batch_job_run_t *run, batch_segment_t *segment,
                                   batch_error_t *err)
{
    if (batch_items_decode(&run->loaded.items, segment, &run->application, run->job,
                           run->loaded.p) != APR_SUCCESS) {
        return batch_error_set(err, APR_EGENERAL, "MB0403", run->chunk_pool,
                               "the stored items at %" APR_INT64_T_FMT " are damaged",
                               segment->first);
    }
    run->loaded.first = segment->first;
    run->loaded.count = (int)segment->count;
    run->loaded.bytes = segment->length;
    return APR_SUCCESS;
}

/*
 * Has the segment behind the one that was loaded read beside what is done with that, where another
 * connection can do it: on SQLite applying rows takes a processor, and reading waits for it.
 */
static void prefetch(batch_job_run_t *run)
{
    const batch_job_t *job = run->job;
    apr_int64_t next = run->loaded.first + run->loaded.count;

    if (next >= job->stored || run->is_alone) {
        return;
    }
    if (!run->prefetch) {
        run->is_alone = !run->engine->read_ahead || batch_store_divides(run->engine->store) ||
                        batch_prefetch_make(&run->prefetch, run->engine, &run->application, job,
                                            run->p) != APR_SUCCESS;
    }
    if (!run->is_alone) {
        batch_prefetch_start(run->prefetch, next);
    }
}

apr_status_t batch_run_load_items(batch_job_run_t *run, batch_tx_t *tx, apr_int64_t position,
                                  batch_error_t *err)
{
    batch_segment_t segment;
    struct segment_read read = {run->job, position, &segment, run->loaded.p};
    apr_status_t rv;

    if (position >= run->loaded.first && position < run->loaded.first + run->loaded.count) {
        return APR_SUCCESS;
    }
    if (run->prefetch && batch_prefetch_take(run->prefetch, position, !tx, &run->loaded)) {
        prefetch(run);
        return APR_SUCCESS;
    }
    run->loaded.count = 0;
    apr_pool_clear(run->loaded.p);
    rv = tx ? read_segment(tx, &read, NULL)
            : batch_store_read(run->engine->store, read_segment, &read, err, run->chunk_pool);
    if (rv == APR_SUCCESS) {
        rv = decode_segment(run, &segment, err);
    }
    if (rv == APR_SUCCESS) {
        prefetch(run);
    }
    return rv;
}

/* Where the items end that are tried again as those at the job's position are. */
static apr_int64_t end_of_try(const batch_job_t *job)
{
    apr_int64_t second = job->stored + job->second_tries;

    return job->position < second ? second : batch_job_items(job);
}

/* Adds the segment that follows the run's items to them. */
static apr_status_t load_more(batch_job_run_t *run, batch_tx_t *tx)
{
    const apr_int64_t first = run->loaded.first;
    const int before = run->loaded.count;
    const apr_size_t bytes = run->loaded.bytes;
    const batch_item_t *items = run->loaded.items;
    batch_item_t *all;
    batch_segment_t segment;
    apr_status_t rv = batch_tx_segment_get(tx, &segment, run->job, first + before, run->loaded.p);

    if (rv == APR_SUCCESS) {
        rv = decode_segment(run, &segment, batch_tx_error(tx));
    }
    if (rv != APR_SUCCESS) {
        run->loaded.count = 0;
        return rv;
    }
    all = apr_palloc(run->loaded.p,
                     (apr_size_t)(unsigned)(before + run->loaded.count) * sizeof(*all));
    memcpy(all, items, (apr_size_t)(unsigned)before * sizeof(*all));
    memcpy(all + before, run->loaded.items, (apr_size_t)(unsigned)run->loaded.count * sizeof(*all));
    run->loaded.items = all;
    run->loaded.first = first;
    run->loaded.count += before;
    run->loaded.bytes += bytes;
    return APR_SUCCESS;
}

/*
 * Has the items at the job's position in run->loaded.items: of those that are tried again as many
 * as may be, for they may need each other, whichever chunks have put them off.
 */
static apr_status_t load_items(batch_job_run_t *run, batch_tx_t *tx, const batch_job_t *job)
{
    const apr_int64_t end = end_of_try(job);
    apr_status_t rv = batch_run_load_items(run, tx, job->position, batch_tx_error(tx));

    while (rv == APR_SUCCESS && job->position >= job->stored &&
           run->loaded.first + run->loaded.count < end &&
           run->loaded.first + run->loaded.count - job->position < RETRY_ITEMS &&
           run->loaded.bytes < RETRY_BYTES) {
        rv = load_more(run, tx);
    }
    return rv;
}

/* ---- A chunk ----------------------------------------------------------------------------------
 */

batch_next_e batch_run_next(const batch_job_run_t *run, const batch_job_t *job, int cleaned)
{
    apr_int64_t first = job->stored + job->second_tries;

    if (job->position < first) {
        return BATCH_NEXT_ITEMS;
    }
    /*
     * Where an item behind the cleanup is behind us, it is over; else whoever goes on with the job
     * walks over what another one may have left once more.
     */
    if (batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) && job->position == first &&
        !cleaned) {
        if (batch_cleanup_is_due(job)) {
            return BATCH_NEXT_CLEANUP;
        }
        if (job->last_tries && !run->in_vain) {
            return BATCH_NEXT_EXCHANGE;
        }
    }
    return job->position < batch_job_items(job) ? BATCH_NEXT_ITEMS : BATCH_NEXT_END;
}

/* 1 if the job has only to be ended: by the run, or, where that is another one's, by the job. */
static int is_done(const batch_job_run_t *run)
{
    return run->done || batch_run_next(run, run->job, run->cleaned) == BATCH_NEXT_END;
}

static int is_over_time(batch_tx_t *tx, const batch_job_run_t *run)
{
    apr_interval_time_t timeout = run->engine->limits.timeout;

    return timeout > 0 && !is_done(run) && batch_tx_now(tx) - run->job->started_at > timeout;
}

/*
 * The end of a job: its items are of no more use, unless they are an upload that is kept. Mostly
 * they have gone with their chunks.
 */
static apr_status_t finish(batch_tx_t *tx, batch_chunk_t *chunk)
{
    const batch_job_t *after = &chunk->after;
    int passed = !batch_action_is(after->action, BATCH_ACTION_CLEANS_UP) &&
                 after->position >= batch_job_items(after);
    apr_status_t rv = passed ? APR_SUCCESS : batch_tx_segments_end(tx, after);

    return rv != APR_SUCCESS ? rv : batch_tx_progress(tx, &chunk->after);
}

const char *batch_run_obstacle(const batch_job_run_t *run)
{
    batch_next_e next = batch_run_next(run, run->job, run->cleaned);

    return run->cleanup && (next == BATCH_NEXT_CLEANUP || next == BATCH_NEXT_EXCHANGE)
               ? batch_cleanup_obstacle(run->cleanup)
               : NULL;
}

apr_status_t batch_run_make_cleanup(batch_job_run_t *run)
{
    apr_status_t rv;

    if (run->cleanup) {
        return APR_SUCCESS;
    }
    rv = batch_cleanup_make(&run->cleanup, run->job, &run->application, run->p);
    if (rv == APR_SUCCESS && !run->claimed_at) {
        batch_cleanup_trust(run->cleanup);
    }
    run->counted = run->job->cleanup_total != BATCH_CLEANUP_UNCOUNTED;
    run->count = run->counted ? run->job->cleanup_total : 0;
    return rv;
}

apr_status_t batch_run_keep_named(batch_job_run_t *run, const batch_job_t *after,
                                  const batch_item_t *items, apr_int64_t first)
{
    apr_int64_t position = after->position;
    apr_int64_t from = run->kept_to;
    apr_status_t rv;
    int done = 0;

    if (!batch_action_is(run->job->action, BATCH_ACTION_CLEANS_UP) || from < first ||
        from >= position || batch_cleanup_is_doubtful(after)) {
        return APR_SUCCESS;
    }
    rv = batch_run_make_cleanup(run);
    if (rv == APR_SUCCESS) {
        rv = batch_cleanup_keep_known(&done, run->cleanup, items + (from - first),
                                      (int)(position - from));
    }
    run->kept_to += done;
    return rv;
}

/* Until when a chunk that begins now tries items; without any time it tries as few as it can. */
static apr_time_t first_deadline(const batch_job_run_t *run, apr_time_t begun)
{
    apr_interval_time_t usual = run->engine->limits.chunk_time;

    return usual > 0 ? begun + usual : 0;
}

/* 1 if a chunk that began then may go on; *deadline: until when. */
static int may_go_on(const batch_job_run_t *run, apr_time_t begun, apr_time_t *deadline)
{
    apr_interval_time_t usual = run->engine->limits.chunk_time;
    apr_time_t now = apr_time_now();

    if (now < *deadline) {
        return 1;
    }
    *deadline = now + usual / 4;
    return *deadline <= begun + usual * STRETCH && *deadline <= begun + STRETCH_MOST &&
           !batch_store_is_awaited(run->engine->store);
}

/* Where items that are tried again are stored: behind all. */
struct waiting {
    batch_tx_t *tx;
    batch_job_t *job;
    apr_int64_t *tries; /* the job's count of them */
};

static apr_status_t insert_waiting(void *baton, const batch_segment_t *segment)
{
    struct waiting *waiting = baton;
    batch_segment_t placed = *segment;

    placed.first = batch_job_items(waiting->job);
    *waiting->tries += segment->count;
    return batch_tx_segment_insert(waiting->tx, waiting->job, &placed);
}

/* Stores items that are tried again. A batch_apply_again_fn; baton: the job. */
static apr_status_t try_again(void *baton, batch_tx_t *tx, const batch_item_t *items, int count,
                              int in_the_way, apr_pool_t *ptemp)
{
    batch_job_t *job = baton;
    int first_try = job->position < job->stored;
    struct waiting waiting = {tx, job, first_try ? &job->second_tries : &job->last_tries};
    batch_segment_writer_t *writer = batch_segment_writer_make(insert_waiting, &waiting, ptemp);
    apr_status_t rv = APR_SUCCESS;
    int i;

    (void)in_the_way;
    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        rv = batch_segment_write(writer, &items[i]);
    }
    return rv == APR_SUCCESS ? batch_segment_writer_finish(writer) : rv;
}

/* 1 if those of the items at the position that a constraint refuses are tried again. */
static int have_another_try(const batch_job_t *job)
{
    return job->position < job->stored || (batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) &&
                                           job->position < job->stored + job->second_tries);
}

/* Items from the position on, segment after segment, until the chunk's time is over. */
static apr_status_t process_items(batch_tx_t *tx, batch_chunk_t *chunk, apr_pool_t *ptemp)
{
    batch_job_run_t *run = chunk->run;
    batch_job_t *after = &chunk->after;
    apr_time_t begun = apr_time_now();
    batch_apply_request_t request = {.application = &run->application,
                                     .job = after,
                                     .deadline = first_deadline(run, begun),
                                     .refused = run->refused,
                                     .for_good = run->poison,
                                     .baton = after};
    apr_int64_t from;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, ptemp);
    double most = (double)batch_store_chunk_bytes(run->engine->store);
    double bytes = 0;
    int tried;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    do {
        apr_pool_clear(pool);
        from = after->position;
        rv = load_items(run, tx, after);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        request.items = run->loaded.items + (after->position - run->loaded.first);
        request.count = run->loaded.count - (int)(after->position - run->loaded.first);
        request.limit = run->limit - chunk->tried;
        request.again = have_another_try(after) ? try_again : NULL;
        request.is_retry = after->position >= after->stored;
        rv = batch_apply(tx, &tried, &request, pool);
        if (rv == APR_SUCCESS) {
            rv = batch_run_keep_named(run, after, run->loaded.items, run->loaded.first);
        }
        chunk->tried += tried;
        bytes += (double)run->loaded.bytes * (double)(after->position - from) / run->loaded.count;
        request.refused = tried ? NULL : request.refused;
    } while (rv == APR_SUCCESS && batch_run_next(run, after, chunk->cleaned) == BATCH_NEXT_ITEMS &&
             chunk->tried < run->limit && bytes < most && !batch_tx_is_full(tx) &&
             may_go_on(run, begun, &request.deadline));
    BATCH_POINT("applied");
    if (rv == APR_SUCCESS && !after->processed_at &&
        after->position >= after->stored + after->second_tries) {
        after->processed_at = batch_tx_now(tx);
    }
    return rv;
}

/* The next rows that an overwrite removes. */
static apr_status_t remove_rows(batch_tx_t *tx, batch_chunk_t *chunk, int *more, apr_pool_t *ptemp)
{
    batch_job_run_t *run = chunk->run;
    apr_time_t begun = apr_time_now();
    batch_removal_t removal = {.job = &chunk->after,
                               .deadline = first_deadline(run, begun),
                               .refused = run->refused,
                               .for_good = run->poison,
                               .p = run->chunk_pool};
    apr_status_t rv;
    int tried;

    chunk->after.cleanup_total = run->count;
    do {
        removal.limit = run->limit - chunk->tried;
        rv = batch_cleanup_remove(tx, more, &tried, run->cleanup, &removal, ptemp);
        chunk->tried += tried;
        removal.refused = tried ? NULL : removal.refused;
    } while (rv == APR_SUCCESS && *more && chunk->tried < run->limit && !batch_tx_is_full(tx) &&
             may_go_on(run, begun, &removal.deadline));
    return rv;
}

/* So long an exchange may take: it is one transaction, and those who stop wait for its end. */
#define EXCHANGE_MOST apr_time_from_sec(2)

/* The whole cleanup, and then the items that wait for it, up to the first that is applied. */
static apr_status_t try_exchange(batch_tx_t *tx, batch_chunk_t *chunk, int *applied,
                                 apr_pool_t *ptemp)
{
    batch_job_run_t *run = chunk->run;
    batch_job_t *after = &chunk->after;
    apr_time_t deadline = apr_time_now() + EXCHANGE_MOST;
    batch_removal_t removal = {
        .job = after, .deadline = deadline, .limit = APR_INT32_MAX, .p = run->chunk_pool};
    batch_apply_request_t request = {.application = &run->application,
                                     .job = after,
                                     .deadline = deadline,
                                     .limit = APR_INT32_MAX,
                                     .is_retry = 1,
                                     .baton = after};
    int more = 1, tried = 0;
    apr_status_t rv;

    after->cleanup_total = run->count;
    rv = batch_cleanup_remove(tx, &more, &tried, run->cleanup, &removal, ptemp);
    *applied = 0;
    while (rv == APR_SUCCESS && !more && !*applied && after->position < batch_job_items(after) &&
           apr_time_now() < deadline) {
        rv = load_items(run, tx, after);
        if (rv == APR_SUCCESS) {
            request.items = run->loaded.items + (after->position - run->loaded.first);
            request.count = run->loaded.count - (int)(after->position - run->loaded.first);
            rv = batch_apply(tx, &tried, &request, ptemp);
            *applied = batch_counts_applied(&after->counts) > 0;
        }
    }
    return rv;
}

/*
 * All items that could be applied want what rows have that the cleanup would remove. Nothing is
 * removed where none of them can be applied then: so this is undone, and they are refused.
 */
static apr_status_t exchange(batch_tx_t *tx, batch_chunk_t *chunk, apr_pool_t *ptemp)
{
    batch_job_run_t *run = chunk->run;
    const char *message = NULL;
    int applied = 0;
    apr_status_t rv = batch_tx_step_begin(tx);

    chunk->exchanged = 1;
    if (rv == APR_SUCCESS) {
        rv = try_exchange(tx, chunk, &applied, ptemp);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_tx_step_end(tx, !applied, &message, ptemp);
    }
    if (rv == APR_SUCCESS && (!applied || message)) {
        chunk->after = *run->job;
        chunk->exchanged = 0;
        chunk->cleaned = 1;
        rv = process_items(tx, chunk, ptemp);
    }
    chunk->cleaned = 1;
    return rv;
}

/* The part of the chunk between fence and progress. */
static apr_status_t do_next(batch_tx_t *tx, batch_chunk_t *chunk, apr_pool_t *ptemp)
{
    const batch_job_run_t *run = chunk->run;
    apr_status_t rv;
    int more = 0;

    if (!run->done && batch_run_obstacle(run)) {
        /* What waits for the cleanup goes on; the batch has failed, and remembers why. */
        chunk->after.reason = batch_run_obstacle(run);
        chunk->cleaned = 1;
        return APR_SUCCESS;
    }
    switch (run->done ? BATCH_NEXT_END : batch_run_next(run, run->job, run->cleaned)) {
    case BATCH_NEXT_ITEMS:
        return process_items(tx, chunk, ptemp);
    case BATCH_NEXT_CLEANUP:
        rv = remove_rows(tx, chunk, &more, ptemp);
        chunk->cleaned = !more;
        return rv;
    case BATCH_NEXT_EXCHANGE:
        return exchange(tx, chunk, ptemp);
    default:
        return APR_SUCCESS;
    }
}

apr_status_t batch_chunk_forget_passed(batch_tx_t *tx, const batch_job_t *after, apr_int64_t before)
{
    apr_int64_t from = after->save_upload || batch_action_is(after->action, BATCH_ACTION_CLEANS_UP)
                           ? after->stored
                           : 0;

    return after->position > before && after->position > from
               ? batch_tx_segments_passed(tx, after, from, after->position)
               : APR_SUCCESS;
}

/* Items that were put off by a transaction which came to nothing are not there: others may be. */
static void forget_undone(batch_job_run_t *run)
{
    if (run->loaded.first + run->loaded.count > batch_job_items(run->job)) {
        run->loaded.count = 0;
    }
}

apr_status_t batch_chunk_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_chunk_t *chunk = BATCH_CAST(batch_chunk_t, baton, BATCH_CHUNK_MAGIC);
    batch_job_run_t *run = chunk->run;
    apr_status_t rv;

    chunk->after = *run->job;
    chunk->exchanged = 0;
    chunk->tried = 0;
    chunk->cleaned = run->cleaned;
    chunk->done = 0;
    chunk->late = 0;
    forget_undone(run);
    if (run->kept_to > run->job->position) {
        run->kept_to = run->job->position;
    }
    rv = batch_tx_fence(tx, run->job, run->engine->limits.lease);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    BATCH_POINT("fenced");
    if (is_over_time(tx, run)) {
        chunk->late = 1;
        if (batch_tx_is_async(tx)) {
            return APR_SUCCESS;
        }
        rv = batch_status_time_out(&chunk->after, run->engine->limits.timeout, batch_tx_error(tx),
                                   run->chunk_pool);
        return rv == APR_SUCCESS ? finish(tx, chunk) : rv;
    }
    rv = do_next(tx, chunk, ptemp);
    if (rv == APR_SUCCESS) {
        rv = batch_chunk_forget_passed(tx, &chunk->after, run->job->position);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    chunk->done = batch_run_next(run, &chunk->after, chunk->cleaned) == BATCH_NEXT_END;
    if (chunk->done && !batch_tx_is_async(tx)) {
        rv = chunk->after.reason
                 ? batch_status_fail(&chunk->after, chunk->after.reason, batch_tx_error(tx),
                                     run->chunk_pool)
                 : batch_status_conclude(&chunk->after, batch_tx_error(tx), run->chunk_pool);
        rv = rv == APR_SUCCESS ? finish(tx, chunk) : rv;
        BATCH_POINT("before_final_commit");
        return rv;
    }
    rv = batch_tx_progress(tx, &chunk->after);
    BATCH_POINT("before_commit");
    return rv;
}

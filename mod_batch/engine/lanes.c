/*
 * Two lanes: while one thread applies a chunk of a job's items, another applies the chunk behind
 * it.
 *
 * A chunk of a lane is one transaction as any chunk is, but the fence comes last: first the rows;
 * then it waits until the chunk before it has been committed; then fence, progress and COMMIT. So
 * chunks are committed in the order of their items, by whoever still has the job, and the position
 * says what is behind us.
 *
 * Only a chunk all of whose items were applied is committed. Otherwise it is rolled back, and so is
 * the one behind it, the lanes end, and a chunk of one thread goes over these items once more: it
 * knows how to halve, put off, and report. The same is done whatever else is in the way. So lanes
 * decide nothing, and are given up at no more cost than the work of two chunks.
 *
 * A chunk may wait in the server for rows of the one behind it, which waits for it in this process:
 * nobody sees that but the clock, so whoever waits for long gives up.
 */
#include "engine/lanes.h"

#include <string.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "engine/points.h"
#include "engine/thread.h"
#include "store/pace.h"
#include "store/row_plan.h"
#include "text/check.h"

/*
 * A second thread, and its connection, are worth their making where so many times the time of a
 * chunk is expected to be left, or, where it is not known how long an item takes, so many items.
 */
#define WORTH_CHUNKS 3
#define WORTH_ITEMS  20000

/* Items of the first chunks, before it is known how long they take; and how fast that may grow. */
#define FIRST_ITEMS 1000
#define GROWTH      8

/* Towards the end chunks are a part of what is left, so that both lanes are done at about a time.
 */
#define PART       4
#define LAST_ITEMS 500

/* A chunk that takes so many times its time is cut short. */
#define STRETCH 4

/* Stored items of a chunk in bytes, about. */
#define CHUNK_BYTES (2 * 1024 * 1024)

/* So long a chunk waits for the one before it, beyond twice the time that one should take. */
#define PATIENCE apr_time_from_sec(1)

/* But no longer than that: a server ends a transaction in which nothing happens for 5 s. */
#define PATIENCE_MOST apr_time_from_sec(4)

/* Chunks of one thread behind lanes that came to nothing: doubled each time, at most so many. */
#define MOST_ALONE 1024

/* Chunks of lanes that make up for that. */
#define ENOUGH 16

/*
 * The shortest lease with which it is done. The job is not locked while a chunk waits for a row
 * that another program has, which may take twice as long as a call on the store is patient: were
 * others to claim it meanwhile, again and again, its next item would pass for one that ends its
 * workers.
 */
#define LEAST_LEASE apr_time_from_sec(20)

/* Free memory that a lane keeps between chunks: those of the next one get it again, which costs
 * less than to have the system make it anew page by page. */
#define KEEPS (4 * 1024 * 1024)

/* The chunk is left to one thread. Stays within this file. */
#define LEFT APR_INCOMPLETE

/* What items of a job are like, as bits. */
#define HAS_MATCHED 1 /* found by match */
#define HAS_MOVERS  2 /* found by key, and given match values */

typedef struct lanes {
    unsigned magic;
#define LANES_MAGIC 0x5b1d83c7u
    batch_job_run_t *run;
    apr_pool_t *p;
    apr_thread_mutex_t *turn;  /* of whoever takes the next items; guards these: */
    apr_int64_t next;          /* the first item that nobody has taken */
    batch_pace_t pace;         /* of chunks */
    int items;                 /* of a chunk */
    unsigned traits;           /* of the items taken */
    apr_thread_mutex_t *mutex; /* guards what follows, run->job, and what belongs to the run */
    apr_thread_cond_t *moved;  /* the job has, or there was a failure */
    int failed;                /* a chunk came to nothing, and so do all behind it */
    apr_int64_t left_from;     /* the first such chunk */
    apr_int64_t left_to;
    int committed; /* chunks */
} lanes_t;

typedef struct lane {
    unsigned magic;
#define LANE_MAGIC 0x37e2a90fu
    lanes_t *lanes;
    apr_pool_t *p;        /* with memory of its own */
    apr_pool_t *segments; /* those that have the items */
    apr_pool_t *chunk;
    batch_item_t *loaded;
    apr_int64_t loaded_from;
    int loaded_count;
    apr_size_t bytes;  /* of all of them, as they are stored */
    apr_int64_t first; /* of the chunk under way */
    int count;
    batch_job_t job;          /* as it was when the chunk was taken */
    batch_job_t after;        /* as it will be when the chunk is committed */
    apr_interval_time_t took; /* to apply its items */
    apr_thread_t *thread;
} lane_t;

/* ---- Taking items ------------------------------------------------------------------------------
 */

typedef struct reading {
    lane_t *lane;
    apr_int64_t position;
    int enough; /* items */
} reading_t;

static apr_status_t load_next(lane_t *lane, batch_tx_t *tx, apr_int64_t position)
{
    const batch_job_run_t *run = lane->lanes->run;
    batch_item_t *before = lane->loaded;
    int count = lane->loaded_count;
    batch_segment_t segment;
    apr_status_t rv = batch_tx_segment_get(tx, &segment, &lane->job, position, lane->segments);

    if (rv == APR_SUCCESS) {
        rv = batch_items_decode(&lane->loaded, &segment, &run->application, &lane->job,
                                lane->segments);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (count) {
        batch_item_t *all =
            apr_palloc(lane->segments, (apr_size_t)(count + segment.count) * sizeof(*all));

        memcpy(all, before, (apr_size_t)(unsigned)count * sizeof(*all));
        memcpy(all + count, lane->loaded, (apr_size_t)segment.count * sizeof(*all));
        lane->loaded = all;
    } else {
        lane->loaded_from = segment.first;
    }
    lane->loaded_count += (int)segment.count;
    lane->bytes += segment.length;
    return APR_SUCCESS;
}

static apr_status_t load_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    reading_t *reading = baton;
    lane_t *lane = reading->lane;
    apr_int64_t position = reading->position;
    apr_status_t rv = APR_SUCCESS;

    (void)ptemp;
    lane->loaded_count = 0;
    lane->bytes = 0;
    apr_pool_clear(lane->segments);
    do {
        rv = load_next(lane, tx, position);
        position = lane->loaded_from + lane->loaded_count;
    } while (rv == APR_SUCCESS && position < lane->job.stored &&
             position - reading->position < reading->enough && lane->bytes < CHUNK_BYTES);
    return rv;
}

/* Has the items from position on: those of one segment, and of others behind it until that is
 * enough. */
static apr_status_t load(lane_t *lane, apr_int64_t position, int enough)
{
    reading_t reading = {.lane = lane, .position = position, .enough = enough};
    apr_status_t rv;

    if (position >= lane->loaded_from &&
        lane->loaded_from + lane->loaded_count - position >= enough) {
        return APR_SUCCESS;
    }
    rv = batch_store_read(lane->lanes->run->engine->store, load_body, &reading, NULL, lane->chunk);
    lane->loaded_count = rv == APR_SUCCESS ? lane->loaded_count : 0;
    return rv;
}

/* 1 if the item is found by key, and is to get a match value. */
static int is_mover(const batch_item_t *item, const batch_resource_t *resource)
{
    int found = 0;
    int i;

    for (i = 0; !found && i < batch_match_count(resource); i++) {
        found = batch_value_find(item->values, item->value_count, batch_match_name(resource, i)) !=
                NULL;
    }
    return found;
}

static unsigned traits_of(const lane_t *lane, const batch_resource_t *resource)
{
    const batch_item_t *items = lane->loaded + (lane->first - lane->loaded_from);
    unsigned traits = 0;
    int i;

    for (i = 0; i < lane->count && batch_match_count(resource); i++) {
        if (items[i].kind == BATCH_ITEM_MATCH) {
            traits |= HAS_MATCHED;
        } else if (items[i].kind == BATCH_ITEM_KEY && is_mover(&items[i], resource)) {
            traits |= HAS_MOVERS;
        }
    }
    return traits;
}

/* A copy of the job as it is now. 0: no more items are to be taken. */
static int look(lane_t *lane)
{
    lanes_t *lanes = lane->lanes;
    const batch_runner_t *runner = lanes->run->runner;
    int go_on;

    apr_thread_mutex_lock(lanes->mutex);
    lane->job = *lanes->run->job;
    go_on = !lanes->failed;
    apr_thread_mutex_unlock(lanes->mutex);
    return go_on && !runner->stopping(runner->baton) && runner->threads(runner->baton, 2) == 2;
}

/* Items that the next chunk is to have, about. */
static int wanted_items(const lane_t *lane)
{
    const lanes_t *lanes = lane->lanes;
    apr_int64_t part = (lane->job.stored - lanes->next) / PART;

    part = part > LAST_ITEMS ? part : LAST_ITEMS;
    return part < lanes->items ? (int)part : lanes->items;
}

/* The chunk that is next: whole segments, or a part of one that has many items. */
static int plan(lane_t *lane)
{
    lanes_t *lanes = lane->lanes;
    int wanted = wanted_items(lane);
    int rest;

    if (lanes->next >= lane->job.stored || load(lane, lanes->next, wanted) != APR_SUCCESS) {
        return 0;
    }
    rest = (int)(lane->loaded_from + lane->loaded_count - lanes->next);
    lane->first = lanes->next;
    lane->count = rest < wanted + wanted / 2 ? rest : wanted;
    lanes->traits |= traits_of(lane, lanes->run->application.scope.resource);
    if (lanes->traits == (HAS_MATCHED | HAS_MOVERS)) {
        lanes->next = APR_INT64_MAX; /* who finds which row is a matter of their order */
        return 0;
    }
    lanes->next += lane->count;
    return 1;
}

/* 1 if there are items for another chunk. */
static int take(lane_t *lane)
{
    lanes_t *lanes = lane->lanes;
    int taken;

    apr_pool_clear(lane->chunk);
    apr_thread_mutex_lock(lanes->turn);
    taken = look(lane) && plan(lane);
    apr_thread_mutex_unlock(lanes->turn);
    return taken;
}

/* ---- A chunk ------------------------------------------------------------------------------------
 */

/* A batch_apply_again_fn. */
static apr_status_t leave_again(void *baton, batch_tx_t *tx, const batch_item_t *items, int count,
                                int in_the_way, apr_pool_t *ptemp)
{
    (void)baton;
    (void)tx;
    (void)items;
    (void)count;
    (void)in_the_way;
    (void)ptemp;
    return LEFT;
}

/* A batch_key_fn. */
static apr_status_t leave_kept(void *baton, const char *key)
{
    (void)baton;
    (void)key;
    return LEFT;
}

/* So long a chunk may apply items: the lease is renewed behind them only. */
static apr_interval_time_t longest_chunk(const batch_job_run_t *run)
{
    const apr_interval_time_t longest = STRETCH * run->engine->limits.chunk_time;
    const apr_interval_time_t lease = run->engine->limits.lease / 4;

    return longest < lease ? longest : lease;
}

/* Applies the items of the chunk, as far as there is time. LEFT unless all of them were. */
static apr_status_t apply(lane_t *lane, batch_tx_t *tx, batch_job_t *part, apr_pool_t *ptemp)
{
    const batch_job_run_t *run = lane->lanes->run;
    const apr_time_t deadline = apr_time_now() + longest_chunk(run);
    batch_apply_request_t request = {.application = &run->application,
                                     .job = part,
                                     .limit = APR_INT32_MAX,
                                     .deadline = deadline,
                                     .again = leave_again,
                                     .keep = leave_kept};
    apr_status_t rv = APR_SUCCESS;
    int is_apart = 0;
    int tried;

    do {
        request.items = lane->loaded + (part->position - lane->loaded_from);
        request.count = (int)(lane->first + lane->count - part->position);
        rv = batch_apply(tx, &tried, &request, ptemp);
        if (rv == APR_SUCCESS && part->counts.errors) {
            rv = LEFT;
        }
    } while (rv == APR_SUCCESS && part->position < lane->first + lane->count &&
             apr_time_now() < deadline);
    if (rv == APR_SUCCESS) {
        rv = batch_tx_rows_apart(tx, &is_apart, run->application.scope.resource, part->action);
    }
    return rv == APR_SUCCESS && !is_apart ? LEFT : rv;
}

/* Until the chunk before it has been committed. LEFT: it was not, or takes too long. */
static apr_status_t wait_for_turn(lane_t *lane)
{
    lanes_t *lanes = lane->lanes;
    const apr_interval_time_t usual = PATIENCE + 2 * lanes->run->engine->limits.chunk_time;
    apr_time_t now = apr_time_now();
    const apr_time_t until = now + (usual < PATIENCE_MOST ? usual : PATIENCE_MOST);
    apr_status_t rv;

    apr_thread_mutex_lock(lanes->mutex);
    while (lanes->run->job->position != lane->first && !lanes->failed && now < until) {
        (void)apr_thread_cond_timedwait(lanes->moved, lanes->mutex, until - now);
        now = apr_time_now();
    }
    lane->job = *lanes->run->job;
    rv = lane->job.position == lane->first ? APR_SUCCESS : LEFT;
    apr_thread_mutex_unlock(lanes->mutex);
    return rv;
}

static void add_counts(batch_counts_t *counts, const batch_counts_t *part)
{
    counts->created += part->created;
    counts->updated += part->updated;
    counts->deleted += part->deleted;
}

/* Fence and progress. */
static apr_status_t move_job(lane_t *lane, batch_tx_t *tx, const batch_job_t *part)
{
    const batch_job_run_t *run = lane->lanes->run;
    batch_job_t *after = &lane->after;
    apr_status_t rv = batch_tx_fence(tx, &lane->job, run->engine->limits.lease);

    *after = lane->job;
    after->position = part->position;
    add_counts(&after->counts, &part->counts);
    if (!after->processed_at && after->position >= after->stored + after->second_tries) {
        after->processed_at = batch_tx_now(tx);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_chunk_forget_passed(tx, after, lane->first);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_tx_progress(tx, after);
    }
    BATCH_POINT("before_commit");
    return rv;
}

/* The transaction of a lane's chunk. */
static apr_status_t lane_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    lane_t *lane = BATCH_CAST(lane_t, baton, LANE_MAGIC);
    const batch_limits_t *limits = &lane->lanes->run->engine->limits;
    batch_job_t part = lane->job;
    apr_time_t begun = apr_time_now();
    apr_status_t rv;

    if (limits->timeout > 0 && batch_tx_now(tx) - part.started_at > limits->timeout) {
        return LEFT;
    }
    memset(&part.counts, 0, sizeof(part.counts));
    part.position = lane->first;
    rv = apply(lane, tx, &part, ptemp);
    BATCH_POINT("lane_applied");
    if (rv == APR_SUCCESS) {
        lane->took = apr_time_now() - begun;
        rv = wait_for_turn(lane);
    }
    return rv == APR_SUCCESS ? move_job(lane, tx, &part) : rv;
}

/* ---- What becomes of it ------------------------------------------------------------------------
 */

/* The items from first to last are left to one thread. */
static void fail(lanes_t *lanes, apr_int64_t first, apr_int64_t last)
{
    if (!lanes->failed || first < lanes->left_from) {
        lanes->left_from = first;
        lanes->left_to = last;
    }
    lanes->failed = 1;
}

static void committed(lane_t *lane)
{
    lanes_t *lanes = lane->lanes;
    batch_job_run_t *run = lanes->run;

    apr_thread_mutex_lock(lanes->mutex);
    *run->job = lane->after;
    run->renewed = apr_time_now();
    run->usual = lane->count;
    lanes->committed++;
    if (run->job->position < lane->first + lane->count) {
        fail(lanes, run->job->position, lane->first + lane->count); /* it was cut short */
    }
    if (batch_run_keep_named(run, run->job, lane->loaded, lane->loaded_from) != APR_SUCCESS) {
        fail(lanes, 0, 0); /* what it has not kept is found in the database */
    }
    apr_thread_cond_broadcast(lanes->moved);
    apr_thread_mutex_unlock(lanes->mutex);
}

static void failed(lane_t *lane, apr_status_t rv)
{
    lanes_t *lanes = lane->lanes;
    batch_job_run_t *run = lanes->run;

    apr_thread_mutex_lock(lanes->mutex);
    fail(lanes, lane->first, lane->first + lane->count);
    if (rv == BATCH_EINDOUBT) {
        run->in_doubt = 1;
        run->doubtful = lane->after;
    }
    apr_thread_cond_broadcast(lanes->moved);
    apr_thread_mutex_unlock(lanes->mutex);
}

static int items_of_chunk(const batch_job_run_t *run, int items)
{
    int most = run->runner->most;

    return most && items > most ? most : items;
}

/* The same of the first, going by the last chunk of one thread. */
static int items_of_first_chunk(const batch_job_run_t *run)
{
    double usual =
        run->item_time > 0 ? (double)run->engine->limits.chunk_time / run->item_time : FIRST_ITEMS;

    return items_of_chunk(run, usual < 1 ? 1 : usual < FIRST_ITEMS ? (int)usual : FIRST_ITEMS);
}

/* As many items for the next chunk as are expected to be done in the time that it should take. */
static void measure(lane_t *lane)
{
    lanes_t *lanes = lane->lanes;
    double most = (double)lane->count * GROWTH;
    double items;

    apr_thread_mutex_lock(lanes->turn);
    batch_pace_note(&lanes->pace, lane->count, lane->took);
    items = batch_pace_size(&lanes->pace, (double)lanes->run->engine->limits.chunk_time, most);
    items = items < APR_INT32_MAX / 2 ? items : APR_INT32_MAX / 2;
    lanes->items = items_of_chunk(lanes->run, items > 1 ? (int)items : 1);
    apr_thread_mutex_unlock(lanes->turn);
}

static void drive(lane_t *lane)
{
    const batch_job_run_t *run = lane->lanes->run;

    while (take(lane)) {
        apr_status_t rv = batch_store_write(run->engine->store, lane_body, lane, NULL, lane->chunk);

        if (rv == APR_SUCCESS) {
            committed(lane);
            BATCH_POINT("committed");
            measure(lane);
        } else {
            failed(lane, rv);
        }
    }
}

static void *APR_THREAD_FUNC thread_main(apr_thread_t *thread, void *baton)
{
    (void)thread;
    drive(BATCH_CAST(lane_t, baton, LANE_MAGIC));
    return NULL;
}

/* ---- Both
 * ----------------------------------------------------------------------------------------
 */

/* Behind lanes that came to nothing: ever more chunks of one thread. */
static void rest(batch_job_run_t *run)
{
    run->alone_next = run->alone_next ? run->alone_next : 1;
    run->alone = run->alone_next;
    run->alone_next = run->alone_next < MOST_ALONE / 2 ? run->alone_next * 2 : MOST_ALONE;
}

typedef struct question {
    const batch_job_run_t *run;
    int is_apart;
} question_t;

static apr_status_t ask_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    question_t *question = baton;
    const batch_job_run_t *run = question->run;

    (void)ptemp;
    return batch_tx_rows_apart(tx, &question->is_apart, run->application.scope.resource,
                               run->job->action);
}

static int is_worth_it(const batch_job_run_t *run)
{
    apr_int64_t left = run->job->stored - run->job->position;

    if (run->runner->most) {
        return left >= WORTH_CHUNKS * run->runner->most;
    }
    return run->item_time > 0 ? run->item_time * (double)left >=
                                    WORTH_CHUNKS * (double)run->engine->limits.chunk_time
                              : left >= WORTH_ITEMS;
}

/* What can be told without asking anybody. */
static int may_be_due(const batch_job_run_t *run)
{
    const batch_job_t *job = run->job;

    return run->runner->threads && batch_store_divides(run->engine->store) && !run->alone &&
           job->position >= run->alone_to && is_worth_it(run) && !job->judge_again &&
           !run->refused && run->limit > APR_INT32_MAX / 2 &&
           run->engine->limits.lease >= LEAST_LEASE &&
           run->application.scope.resource->keys != BATCH_KEYS_DATABASE;
}

int batch_lanes_are_due(batch_job_run_t *run)
{
    const batch_runner_t *runner = run->runner;
    question_t question = {.run = run};

    if (!may_be_due(run) || runner->threads(runner->baton, 2) < 2) {
        return 0;
    }
    if (batch_store_read(run->engine->store, ask_body, &question, NULL, run->chunk_pool) ==
            APR_SUCCESS &&
        question.is_apart) {
        return 1;
    }
    (void)runner->threads(runner->baton, 1);
    rest(run);
    return 0;
}

static apr_status_t make_lanes(lanes_t *lanes, lane_t *lane, apr_pool_t *p)
{
    apr_status_t rv = apr_thread_mutex_create(&lanes->mutex, APR_THREAD_MUTEX_DEFAULT, p);
    int i;

    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&lanes->turn, APR_THREAD_MUTEX_DEFAULT, p);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&lanes->moved, p);
    }
    for (i = 0; rv == APR_SUCCESS && i < 2; i++) {
        lane[i].magic = LANE_MAGIC;
        lane[i].lanes = lanes;
        rv = batch_pool_make(&lane[i].p, p, KEEPS);
        if (rv == APR_SUCCESS) {
            rv = apr_pool_create(&lane[i].segments, lane[i].p);
        }
        if (rv == APR_SUCCESS) {
            rv = apr_pool_create(&lane[i].chunk, lane[i].p);
        }
    }
    return rv;
}

static apr_status_t run_both(lanes_t *lanes, lane_t *lane, apr_pool_t *p)
{
    apr_status_t ignored;
    apr_status_t rv = make_lanes(lanes, lane, p);

    if (rv == APR_SUCCESS) {
        rv = batch_thread_start(&lane[1].thread, thread_main, &lane[1], p);
    }
    if (rv == APR_SUCCESS) {
        drive(&lane[0]);
        rv = apr_thread_join(&ignored, lane[1].thread);
    }
    return rv;
}

void batch_lanes_run(batch_job_run_t *run)
{
    lanes_t lanes = {.magic = LANES_MAGIC,
                     .run = run,
                     .next = run->job->position,
                     .items = items_of_first_chunk(run)};
    lane_t lane[2] = {0};
    apr_pool_t *p = NULL;
    apr_status_t rv = batch_pool_make(&p, NULL, 0);

    if (rv == APR_SUCCESS) {
        rv = run_both(&lanes, lane, p);
        apr_pool_destroy(p);
    }
    (void)run->runner->threads(run->runner->baton, 1);
    if (lanes.committed >= ENOUGH) {
        run->alone_next = 0;
    }
    run->alone_to = lanes.left_to;
    if (rv != APR_SUCCESS || lanes.failed || lanes.traits == (HAS_MATCHED | HAS_MOVERS)) {
        rest(run);
    }
    batch_log(run->engine->logger, BATCH_LOG_DEBUG, "MB0437", rv, run->job,
              "two threads have applied items up to %" APR_INT64_T_FMT " in %d chunks%s",
              run->job->position, lanes.committed, lanes.failed ? ", and left one" : "");
}

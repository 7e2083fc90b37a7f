/*
 * The mode sync: the items, and the rows that an overwrite removes, in the transaction of the
 * request. Items that a constraint refuses wait in memory for another try: they are few.
 */
#include "engine/intake_private.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/cleanup.h"
#include "text/check.h"

/* One attempt at it. */
typedef struct sync_run {
    unsigned magic;
#define SYNC_RUN_MAGIC 0x4ad7900au
    batch_tx_t *tx;
    batch_intake_state_t *intake;
    apr_array_header_t *waiting; /* of batch_item_t: for the next try, as they were sent */
    int in_the_way;              /* of them want what another row has */
    int more;                    /* the cleanup is not at its end */
    batch_cleanup_t *cleanup;    /* of an overwrite */
    apr_pool_t *p;               /* as long as the attempt */
} sync_run_t;

/* ---- Errors, and items that wait ----------------------------------------------------------------
 */

static void report_refusal(void *baton, const batch_item_error_t *error)
{
    sync_run_t *run = BATCH_CAST(sync_run_t, baton, SYNC_RUN_MAGIC);
    apr_array_header_t *refusals = run->intake->refusals;
    batch_item_error_t *kept = apr_array_push(refusals);
    apr_pool_t *p = refusals->pool;

    *kept = *error;
    kept->id = apr_pstrdup(p, error->id);
    kept->field = apr_pstrdup(p, error->field);
    kept->code = apr_pstrdup(p, error->code);
    kept->message = apr_pstrdup(p, error->message);
    kept->original = apr_pstrdup(p, error->original);
    kept->values = apr_pstrdup(p, error->values);
}

static apr_status_t wait_for_others(void *baton, batch_tx_t *tx, const batch_item_t *items,
                                    int count, int in_the_way, apr_pool_t *ptemp)
{
    sync_run_t *run = BATCH_CAST(sync_run_t, baton, SYNC_RUN_MAGIC);
    int i, j;

    (void)tx;
    (void)ptemp;
    run->in_the_way += in_the_way;
    for (i = 0; i < count; i++) {
        batch_item_t *kept = apr_array_push(run->waiting);

        *kept = items[i];
        kept->key = items[i].key ? apr_pstrmemdup(run->p, items[i].key, items[i].key_length) : NULL;
        kept->values =
            apr_palloc(run->p, (apr_size_t)(items[i].value_count + 1) * sizeof(*kept->values));
        for (j = 0; j < items[i].value_count; j++) {
            kept->values[j] = items[i].values[j];
            kept->values[j].name = apr_pstrdup(run->p, items[i].values[j].name);
            kept->values[j].value = apr_pstrdup(run->p, items[i].values[j].value);
        }
    }
    return APR_SUCCESS;
}

/* ---- Steps --------------------------------------------------------------------------------------
 */

/* A step of the items or of the cleanup: *tried is how many were given to the database. */
typedef apr_status_t step_fn(void *baton, int *tried, int limit, const char *refused,
                             apr_pool_t *ptemp);

/* What a step that is undone leaves as it was, besides the database. */
typedef struct before {
    batch_job_t job;
    int waiting;
    int in_the_way;
    int more;
    int refusals;
} before_t;

static void note(before_t *before, const sync_run_t *run)
{
    before->job = *run->intake->job;
    before->waiting = run->waiting->nelts;
    before->in_the_way = run->in_the_way;
    before->more = run->more;
    before->refusals = run->intake->refusals->nelts;
}

static void put_back(const before_t *before, sync_run_t *run)
{
    *run->intake->job = before->job;
    run->waiting->nelts = before->waiting;
    run->in_the_way = before->in_the_way;
    run->more = before->more;
    run->intake->refusals->nelts = before->refusals;
}

/*
 * Does something in steps, until one has nothing more to do (*tried is 0). Behind each all
 * constraints hold: one where they do not is undone and halved, down to what is to blame.
 */
static apr_status_t take_steps(sync_run_t *run, step_fn *step, void *baton)
{
    const int most = run->intake->care == BATCH_SYNC_ALONE ? 1 : APR_INT32_MAX;
    const char *message = NULL, *refused = NULL;
    int limit = most, tried = 1;
    before_t before;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, run->p);

    while (rv == APR_SUCCESS && tried) {
        apr_pool_clear(pool);
        note(&before, run);
        rv = batch_tx_step_begin(run->tx);
        if (rv == APR_SUCCESS) {
            rv = step(baton, &tried, limit, refused, pool);
        }
        if (rv == APR_SUCCESS) {
            rv = batch_tx_step_end(run->tx, 0, &message, run->p);
        }
        if (rv == APR_SUCCESS && message) {
            put_back(&before, run);
            refused = tried > 1 ? NULL : message;
            limit = tried > 1 ? tried / 2 : 1;
            tried = 1;
        } else {
            refused = NULL;
            limit = limit < most / 2 ? limit * 2 : most;
        }
    }
    return rv;
}

/* ---- Items --------------------------------------------------------------------------------------
 */

/* The items of a batch that is a single group, from position on: they are still in memory. */
static void own_items(batch_item_t **items, int *count, const batch_intake_state_t *intake,
                      apr_int64_t position, apr_pool_t *p)
{
    int first = (int)position;
    int i;

    *count = intake->group.count - first;
    *items = apr_palloc(p, (apr_size_t)(unsigned)*count * sizeof(**items));
    for (i = 0; i < *count; i++) {
        (*items)[i] = intake->results[first + i]->item;
        batch_item_complete(&(*items)[i], &intake->application, intake->job, p);
    }
}

/* The items from position on: as many as are stored together. */
static apr_status_t next_items(batch_tx_t *tx, batch_item_t **items, int *count,
                               const batch_intake_state_t *intake, apr_int64_t position,
                               apr_pool_t *p)
{
    batch_segment_t segment;
    apr_status_t rv;

    if (intake->whole) {
        own_items(items, count, intake, position, p);
        return APR_SUCCESS;
    }
    rv = batch_tx_segment_get(tx, &segment, intake->job, position, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *count = (int)segment.count;
    return batch_items_decode(items, &segment, &intake->application, intake->job, p);
}

/* Completed items that are applied. */
typedef struct part {
    sync_run_t *run;
    const batch_item_t *items;
    int count;
    apr_int64_t first;           /* the job's position at items[0] */
    batch_apply_again_fn *again; /* as of a request, like the next one */
    int is_retry;
} part_t;

/* Notes the item that is tried next where each is tried alone; the words of one that is barred. */
static const char *announce(batch_intake_state_t *intake, const batch_item_t *items, int count)
{
    int i;

    for (i = 0; i < count && !batch_item_is_live(&items[i]); i++) {
    }
    intake->trying = i < count ? items[i].ordinal : -1;
    for (i = 0; i < intake->barred->nelts; i++) {
        const batch_barred_t *barred = &APR_ARRAY_IDX(intake->barred, i, batch_barred_t);

        if (barred->ordinal == intake->trying) {
            return barred->message;
        }
    }
    return NULL;
}

static apr_status_t apply_step(void *baton, int *tried, int limit, const char *refused,
                               apr_pool_t *ptemp)
{
    part_t *part = baton;
    batch_intake_state_t *intake = part->run->intake;
    int done = (int)(intake->job->position - part->first);
    const char *barred = announce(intake, part->items + done, part->count - done);
    batch_apply_request_t request = {.application = &intake->application,
                                     .job = intake->job,
                                     .items = part->items + done,
                                     .count = part->count - done,
                                     .limit = limit,
                                     .deadline = APR_INT64_MAX,
                                     .refused = barred ? barred : refused,
                                     .for_good = barred != NULL,
                                     .is_retry = part->is_retry,
                                     .again = part->again,
                                     .keep = batch_cleanup_keep_key,
                                     .keep_baton = part->run->cleanup,
                                     .report = report_refusal,
                                     .baton = part->run};
    apr_status_t rv = batch_apply(part->run->tx, tried, &request, ptemp);

    if (rv == APR_SUCCESS) {
        intake->trying = -1;
    }
    return rv;
}

/* Applies the part: all of it at once, or in steps. */
static apr_status_t apply_part(part_t *part, apr_pool_t *pool)
{
    const batch_job_t *job = part->run->intake->job;
    apr_status_t rv = APR_SUCCESS;
    int tried;

    part->first = job->position;
    if (part->run->intake->care != BATCH_SYNC_AT_ONCE) {
        return take_steps(part->run, apply_step, part);
    }
    while (rv == APR_SUCCESS && job->position < part->first + part->count) {
        rv = apply_step(part, &tried, APR_INT32_MAX, NULL, pool);
    }
    return rv;
}

/* All items, once. */
static apr_status_t process(sync_run_t *run)
{
    batch_intake_state_t *intake = run->intake;
    const batch_job_t *job = intake->job;
    part_t part = {.run = run, .again = wait_for_others};
    batch_item_t *items = NULL;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, run->p);

    while (rv == APR_SUCCESS && job->position < job->stored) {
        apr_pool_clear(pool);
        rv = next_items(run->tx, &items, &part.count, intake, job->position, pool);
        if (rv == APR_SUCCESS) {
            part.items = items;
            rv = apply_part(&part, pool);
        }
    }
    return rv;
}

/* Those that wait, once more. */
static apr_status_t process_again(sync_run_t *run, batch_apply_again_fn *again)
{
    batch_intake_state_t *intake = run->intake;
    part_t part = {.run = run, .count = run->waiting->nelts, .again = again, .is_retry = 1};
    batch_item_t *items = (batch_item_t *)run->waiting->elts;
    apr_pool_t *pool;
    apr_status_t rv;
    int i;

    if (!part.count) {
        return APR_SUCCESS;
    }
    rv = apr_pool_create(&pool, run->p);
    run->waiting = apr_array_make(run->p, 4, sizeof(batch_item_t));
    run->in_the_way = 0;
    for (i = 0; i < part.count; i++) {
        batch_item_complete(&items[i], &intake->application, intake->job, run->p);
    }
    part.items = items;
    if (rv == APR_SUCCESS) {
        rv = apply_part(&part, pool);
    }
    intake->job->position = intake->job->stored;
    return rv;
}

/* ---- Cleanup ------------------------------------------------------------------------------------
 */

static apr_status_t keep_named(sync_run_t *run)
{
    batch_item_t *items = NULL;
    apr_int64_t position = 0;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, run->p);
    int count;

    while (rv == APR_SUCCESS && position < run->intake->job->stored) {
        apr_pool_clear(pool);
        rv = next_items(run->tx, &items, &count, run->intake, position, pool);
        if (rv == APR_SUCCESS) {
            rv = batch_cleanup_keep(run->tx, run->cleanup, items, count, pool);
            position += count;
        }
    }
    return rv;
}

static apr_status_t remove_step(void *baton, int *tried, int limit, const char *refused,
                                apr_pool_t *ptemp)
{
    sync_run_t *run = BATCH_CAST(sync_run_t, baton, SYNC_RUN_MAGIC);
    batch_removal_t removal = {.job = run->intake->job,
                               .limit = limit,
                               .deadline = APR_INT64_MAX,
                               .refused = refused,
                               .report = report_refusal,
                               .baton = run,
                               .p = run->p};

    *tried = 0;
    return run->more
               ? batch_cleanup_remove(run->tx, &run->more, tried, run->cleanup, &removal, ptemp)
               : APR_SUCCESS;
}

static apr_status_t clean_up(sync_run_t *run)
{
    batch_job_t *job = run->intake->job;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, run->p);
    int tried;

    if (rv == APR_SUCCESS) {
        rv = keep_named(run);
    }
    job->reason = batch_cleanup_obstacle(run->cleanup);
    if (rv != APR_SUCCESS || job->reason) {
        return rv;
    }
    job->cleanup_total = 0;
    run->more = 1;
    while (rv == APR_SUCCESS && run->more) {
        apr_pool_clear(pool);
        rv = batch_cleanup_count(run->tx, &run->more, &job->cleanup_total, run->cleanup, pool);
    }
    run->more = 1;
    if (rv == APR_SUCCESS && run->intake->care == BATCH_SYNC_AT_ONCE) {
        rv = remove_step(run, &tried, APR_INT32_MAX, NULL, run->p);
    } else if (rv == APR_SUCCESS) {
        rv = take_steps(run, remove_step, run);
    }
    job->cleanup_key = NULL;
    return rv;
}

/* ---- All of it ----------------------------------------------------------------------------------
 */

/* An error, in a batch that is all or nothing, makes the cleanup useless. */
static int goes_on(const batch_intake_state_t *intake)
{
    return !intake->terms->atomic || !intake->job->counts.errors;
}

/*
 * The cleanup, and those once more that wait for it. Where only they could have been applied it is
 * done in the hope that they can be now; otherwise nothing may have been removed.
 */
static apr_status_t overwrite(sync_run_t *run, int *undone)
{
    const batch_job_t *job = run->intake->job;
    apr_status_t rv = APR_SUCCESS;

    if (goes_on(run->intake) && (batch_cleanup_is_due(job) || run->in_the_way)) {
        rv = clean_up(run);
    }
    if (rv == APR_SUCCESS) {
        rv = process_again(run, NULL);
    }
    *undone = job->total && !batch_counts_applied(&job->counts) && job->cleanup_done;
    return rv;
}

apr_status_t batch_intake_apply(batch_tx_t *tx, batch_intake_state_t *intake, int *undone,
                                apr_pool_t *ptemp)
{
    int overwrites = batch_action_is(intake->job->action, BATCH_ACTION_CLEANS_UP);
    sync_run_t run = {.magic = SYNC_RUN_MAGIC, .tx = tx, .intake = intake, .p = ptemp};
    apr_status_t rv = APR_SUCCESS;

    *undone = 0;
    intake->trying = -1;
    intake->job->reason = NULL;
    run.waiting = apr_array_make(ptemp, 4, sizeof(batch_item_t));
    if (overwrites) {
        rv = batch_cleanup_make(&run.cleanup, intake->job, &intake->application, ptemp);
    }
    if (rv == APR_SUCCESS) {
        rv = process(&run);
    }
    if (rv == APR_SUCCESS) {
        rv = process_again(&run, overwrites ? wait_for_others : NULL);
    }
    intake->job->processed_at = batch_tx_now(tx);
    if (rv == APR_SUCCESS && overwrites) {
        rv = overwrite(&run, undone);
    }
    return rv;
}

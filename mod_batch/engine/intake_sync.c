/* The mode sync: all phases in the transaction of the request, all or nothing unless it says not.
 */
#include "engine/intake_private.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/cleanup.h"
#include "engine/status.h"

static void report_refusal(void *baton, const batch_item_error_t *error)
{
    batch_intake_state_t *intake = baton;
    batch_item_error_t *kept = apr_array_push(intake->refusals);
    apr_pool_t *p = intake->refusals->pool;

    *kept = *error;
    kept->id = apr_pstrdup(p, error->id);
    kept->field = apr_pstrdup(p, error->field);
    kept->code = apr_pstrdup(p, error->code);
    kept->message = apr_pstrdup(p, error->message);
    kept->original = apr_pstrdup(p, error->original);
}

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

static apr_status_t process(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    batch_job_t *job = intake->job;
    batch_apply_request_t request = {.application = &intake->application,
                                     .job = job,
                                     .limit = APR_INT32_MAX,
                                     .deadline = APR_INT64_MAX,
                                     .report = report_refusal,
                                     .baton = intake};
    batch_item_t *items = NULL;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, ptemp);
    int tried;

    while (rv == APR_SUCCESS && job->cursor < job->stored) {
        apr_pool_clear(pool);
        rv = next_items(tx, &items, &request.count, intake, job->cursor, pool);
        if (rv == APR_SUCCESS) {
            request.items = items;
            rv = batch_apply(tx, &tried, &request, pool);
        }
    }
    job->processed_at = batch_tx_now(tx);
    return rv;
}

static apr_status_t keep_named(batch_tx_t *tx, batch_cleanup_t *cleanup,
                               const batch_intake_state_t *intake, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    apr_int64_t position = 0;
    batch_item_t *items = NULL;
    int count;

    while (rv == APR_SUCCESS && position < intake->job->stored) {
        apr_pool_clear(pool);
        rv = next_items(tx, &items, &count, intake, position, pool);
        if (rv == APR_SUCCESS) {
            rv = batch_cleanup_keep(tx, cleanup, items, count, pool);
            position += count;
        }
    }
    return rv;
}

static apr_status_t clean_up(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    batch_job_t *job = intake->job;
    batch_removal_t removal = {.job = job,
                               .limit = APR_INT32_MAX,
                               .deadline = APR_INT64_MAX,
                               .report = report_refusal,
                               .baton = intake,
                               .p = ptemp};
    batch_cleanup_t *cleanup;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, ptemp);
    int more = 1;
    int tried;

    if (rv == APR_SUCCESS) {
        rv = batch_cleanup_make(&cleanup, job, &intake->application, ptemp);
    }
    if (rv == APR_SUCCESS) {
        rv = keep_named(tx, cleanup, intake, pool);
    }
    job->cleanup_total = 0;
    while (rv == APR_SUCCESS && more) {
        apr_pool_clear(pool);
        rv = batch_cleanup_count(tx, &more, &job->cleanup_total, cleanup, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_cleanup_remove(tx, &more, &tried, cleanup, &removal, ptemp);
    }
    job->cleanup_key = NULL;
    return rv;
}

/* What became of a sync batch that was undone, or was not begun: everything is as it was before. */
static apr_status_t fail_sync(batch_tx_t *tx, batch_intake_state_t *intake)
{
    batch_job_t *job = intake->job;
    apr_status_t rv = APR_SUCCESS;

    job->status = BATCH_STATUS_FAILED;
    if (intake->refusals->nelts) {
        rv = batch_tx_errors_insert(tx, job, (batch_item_error_t *)intake->refusals->elts,
                                    intake->refusals->nelts);
        job->counts.errors += intake->refusals->nelts;
    }
    if (intake->refusal) {
        job->reason = apr_psprintf(intake->p, "nothing was changed: the database refuses: %s",
                                   intake->refusal);
    } else {
        job->reason = apr_psprintf(intake->p,
                                   "nothing was changed: %" APR_INT64_T_FMT " of %" APR_INT64_T_FMT
                                   " items cannot be applied",
                                   job->counts.errors, job->received);
    }
    return rv;
}

/* 1 if items were left out that a batch which is all or nothing must not leave out. */
static int is_incomplete(const batch_intake_state_t *intake)
{
    return intake->plan->atomic && intake->job->counts.errors > 0;
}

apr_status_t batch_intake_run_sync(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    batch_job_t *job = intake->job;
    apr_status_t rv;

    job->started_at = batch_tx_now(tx);
    if (intake->undone || is_incomplete(intake)) {
        return fail_sync(tx, intake);
    }
    apr_array_clear(intake->refusals);
    rv = process(tx, intake, ptemp);
    if (rv == APR_SUCCESS && !is_incomplete(intake) && job->action == BATCH_ACTION_OVERWRITE &&
        (!job->total || batch_counts_applied(&job->counts))) {
        rv = clean_up(tx, intake, ptemp);
    }
    if (rv == APR_SUCCESS && is_incomplete(intake)) {
        intake->undone = 1;
        return BATCH_EREFUSED; /* rolled back, and told apart by `undone` */
    }
    if (rv == APR_SUCCESS) {
        batch_status_conclude(job, intake->p);
    }
    return rv;
}

static apr_status_t copy_error(void *baton, const batch_item_error_t *error)
{
    batch_intake_state_t *intake = baton;
    batch_item_error_t *copy = apr_array_push(intake->errors);

    *copy = *error;
    copy->id = apr_pstrdup(intake->p, error->id);
    copy->field = apr_pstrdup(intake->p, error->field);
    copy->code = apr_pstrdup(intake->p, error->code);
    copy->message = apr_pstrdup(intake->p, error->message);
    copy->original = NULL;
    return APR_SUCCESS;
}

apr_status_t batch_intake_list_errors(batch_tx_t *tx, batch_intake_state_t *intake,
                                      apr_pool_t *ptemp)
{
    batch_error_cursor_t cursor = {0};
    int count;

    apr_array_clear(intake->errors);
    if (!intake->job->counts.errors && !intake->job->counts.duplicates) {
        return APR_SUCCESS;
    }
    return batch_tx_errors_read(tx, &count, intake->job, &cursor, APR_INT32_MAX, copy_error, intake,
                                ptemp);
}

/* The mode sync: all phases in the transaction of the request, all or nothing unless it says not.
 */
#include "engine/intake_private.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/status.h"
#include "text/check.h"

/* What became of a sync batch that was undone, or was not begun: everything is as it was before. */
static apr_status_t fail_sync(batch_tx_t *tx, batch_intake_state_t *intake)
{
    batch_job_t *job = intake->job;
    const char *reason;
    apr_status_t rv = APR_SUCCESS;

    if (intake->refusals->nelts) {
        rv = batch_tx_errors_insert(tx, job, (batch_item_error_t *)intake->refusals->elts,
                                    intake->refusals->nelts);
        job->counts.errors += intake->refusals->nelts;
    }
    if (intake->refusal) {
        reason = apr_psprintf(intake->p, "nothing was changed: the database refuses: %s",
                              intake->refusal);
    } else {
        reason = apr_psprintf(intake->p,
                              "nothing was changed: %" APR_INT64_T_FMT " of %" APR_INT64_T_FMT
                              " items cannot be applied",
                              job->counts.errors, job->received);
    }
    return rv == APR_SUCCESS ? batch_status_fail(job, reason, batch_tx_error(tx), intake->p) : rv;
}

/* 1 if items were left out that a batch which is all or nothing must not leave out. */
static int is_incomplete(const batch_intake_state_t *intake)
{
    return intake->terms->atomic && intake->job->counts.errors > 0;
}

/* 1 if that is so before anything is applied: but for what will be judged once more. */
static int is_lost(const batch_intake_state_t *intake)
{
    const batch_job_t *job = intake->job;

    return is_incomplete(intake) && !(job->judge_again && job->unmet == job->counts.errors);
}

/*
 * It is to be undone, but all that is wrong is to be said: BATCH_EREFUSED, as the COMMIT would have
 * it, if there is a constraint that is checked then and does not hold.
 */
static apr_status_t look_for_more(batch_tx_t *tx, const batch_intake_state_t *intake,
                                  apr_pool_t *ptemp)
{
    const char *message = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (intake->care == BATCH_SYNC_AT_ONCE) {
        rv = batch_tx_step_begin(tx);
        if (rv == APR_SUCCESS) {
            rv = batch_tx_step_end(tx, 0, &message, ptemp);
        }
    }
    return rv == APR_SUCCESS && message ? BATCH_EREFUSED : rv;
}

apr_status_t batch_intake_run_sync(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    batch_job_t *job = intake->job;
    int in_vain = 0;
    apr_status_t rv = batch_status_move(job, BATCH_EVENT_CLAIM, batch_tx_error(tx), intake->p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    job->started_at = batch_tx_now(tx);
    if (intake->undone || is_lost(intake)) {
        return fail_sync(tx, intake);
    }
    apr_array_clear(intake->refusals);
    rv = batch_intake_apply(tx, intake, &in_vain, ptemp);
    if (rv == APR_SUCCESS && (in_vain || is_incomplete(intake))) {
        rv = look_for_more(tx, intake, ptemp);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        intake->undone = 1;
        return BATCH_EREFUSED; /* rolled back, and told apart by `undone` */
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return job->reason ? batch_status_fail(job, job->reason, batch_tx_error(tx), intake->p)
                       : batch_status_conclude(job, batch_tx_error(tx), intake->p);
}

/* Items that may be found to end the transaction: for each it is done once more. */
#define MOST_BARRED 16

int batch_intake_is_tried_again(batch_intake_state_t *intake, const char *message)
{
    batch_barred_t *barred;

    switch (intake->care) {
    case BATCH_SYNC_AT_ONCE:
        intake->care = BATCH_SYNC_STEPS;
        return 1;
    case BATCH_SYNC_STEPS:
        intake->care = BATCH_SYNC_ALONE;
        return intake->trying >= 0;
    default:
        if (intake->trying < 0 || intake->barred->nelts == MOST_BARRED) {
            return 0;
        }
        barred = apr_array_push(intake->barred);
        barred->ordinal = intake->trying;
        barred->message = apr_pstrdup(intake->p, message);
        return 1;
    }
}

static apr_status_t copy_error(void *baton, const batch_item_error_t *error)
{
    batch_intake_state_t *intake = BATCH_CAST(batch_intake_state_t, baton, BATCH_INTAKE_MAGIC);
    batch_item_error_t *copy = apr_array_push(intake->errors);

    *copy = *error;
    copy->id = apr_pstrdup(intake->p, error->id);
    copy->field = apr_pstrdup(intake->p, error->field);
    copy->code = apr_pstrdup(intake->p, error->code);
    copy->message = apr_pstrdup(intake->p, error->message);
    copy->original = copy->values = NULL;
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

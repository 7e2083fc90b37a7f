#include "engine/status.h"

#include <string.h>

#include <apr_strings.h>

#define MAY_NOT (-1)

/* Rows in the order of BATCH_STATUS_LIST, columns in the order of batch_event_e. */
static const int transitions[BATCH_STATUS_COUNT][BATCH_EVENT_COUNT] = {
    [BATCH_STATUS_PENDING] = {BATCH_STATUS_PENDING, BATCH_STATUS_QUEUED, BATCH_STATUS_PENDING,
                              BATCH_STATUS_FAILED, MAY_NOT},
    [BATCH_STATUS_RECEIVING] = {MAY_NOT, MAY_NOT, MAY_NOT, MAY_NOT, MAY_NOT},
    [BATCH_STATUS_REQUESTED] = {MAY_NOT, MAY_NOT, BATCH_STATUS_REQUESTED, BATCH_STATUS_FAILED,
                                BATCH_STATUS_QUEUED},
    [BATCH_STATUS_QUEUED] = {MAY_NOT, MAY_NOT, MAY_NOT, BATCH_STATUS_FAILED, MAY_NOT},
    [BATCH_STATUS_PROCESSING] = {MAY_NOT, MAY_NOT, MAY_NOT, BATCH_STATUS_FAILED, MAY_NOT},
    [BATCH_STATUS_COMPLETED] = {MAY_NOT, MAY_NOT, BATCH_STATUS_COMPLETED, MAY_NOT, MAY_NOT},
    [BATCH_STATUS_FAILED] = {MAY_NOT, MAY_NOT, BATCH_STATUS_FAILED, MAY_NOT, MAY_NOT},
    [BATCH_STATUS_TIMED_OUT] = {MAY_NOT, MAY_NOT, BATCH_STATUS_TIMED_OUT, MAY_NOT, MAY_NOT},
    [BATCH_STATUS_EXPIRED] = {MAY_NOT, MAY_NOT, BATCH_STATUS_EXPIRED, MAY_NOT, MAY_NOT},
};

static const char *const refusals[BATCH_EVENT_COUNT] = {
    [BATCH_EVENT_ADD_OPERATIONS] =
        "the batch has been started: operations can be added to a pending batch only",
    [BATCH_EVENT_START] = "the batch has been started already: only a pending batch can be started",
    [BATCH_EVENT_REMOVE] =
        "the batch is running and cannot be terminated: it can be deleted when it has ended",
    [BATCH_EVENT_CANCEL] = "the batch has ended already: only one that has not can be cancelled",
    [BATCH_EVENT_UPLOAD] = "the batch waits for no upload: it has one, or has ended",
};

apr_status_t batch_status_next(batch_status_e *next, batch_status_e from, batch_event_e event,
                               batch_error_t *err, apr_pool_t *p)
{
    int to = transitions[from][event];

    if (to == MAY_NOT) {
        return batch_error_set(err, BATCH_ECONFLICT, NULL, p, "%s", refusals[event]);
    }
    *next = (batch_status_e)to;
    return APR_SUCCESS;
}

int batch_status_expire(batch_job_t *job, apr_time_t now)
{
    if (job->status != BATCH_STATUS_REQUESTED || job->expires_at > now || job->lease_until > now) {
        return 0;
    }
    memset(&job->counts, 0, sizeof(job->counts)); /* of an upload that broke off */
    job->received = job->stored = job->total = job->invalid = 0;
    job->upload_began_at = 0;
    job->status = BATCH_STATUS_EXPIRED;
    job->reason = "no upload came in time";
    job->completed_at = job->expires_at;
    return 1;
}

/* 0 while its items are not here, or not all of them. */
static int has_items(const batch_job_t *job)
{
    return job->status != BATCH_STATUS_REQUESTED && job->status != BATCH_STATUS_EXPIRED;
}

int batch_job_has_upload(const batch_job_t *job)
{
    return has_items(job) && job->api == BATCH_API_RESOURCES && job->save_upload && job->stored > 0;
}

int batch_job_has_errors(const batch_job_t *job)
{
    return has_items(job) && job->counts.errors + job->counts.duplicates > 0;
}

void batch_status_none_valid(batch_job_t *job, apr_pool_t *p)
{
    job->status = BATCH_STATUS_FAILED;
    job->reason = apr_psprintf(
        p, "none of the %" APR_INT64_T_FMT " items is valid%s: see the errors of the batch",
        job->received,
        batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) ? ", nothing was removed" : "");
}

void batch_status_conclude(batch_job_t *job, apr_pool_t *p)
{
    if (job->api == BATCH_API_RESOURCES && !job->total && job->received &&
        !(batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) && job->allow_empty)) {
        batch_status_none_valid(job, p);
        return;
    }
    if (job->total > 0 && batch_counts_applied(&job->counts) == 0) {
        job->status = BATCH_STATUS_FAILED;
        job->reason = apr_psprintf(p,
                                   "none of the %" APR_INT64_T_FMT " objects could be %s: "
                                   "see the errors of the batch",
                                   job->total, batch_action_rows[job->action].done);
        return;
    }
    job->status = BATCH_STATUS_COMPLETED;
    job->reason = NULL;
}

void batch_status_stop(batch_job_t *job, const char *reason)
{
    job->status = BATCH_STATUS_FAILED;
    job->reason = reason;
}

void batch_status_time_out(batch_job_t *job, apr_interval_time_t timeout, apr_pool_t *p)
{
    job->status = BATCH_STATUS_TIMED_OUT;
    job->reason = apr_psprintf(
        p,
        "the batch took longer than %" APR_INT64_T_FMT " s: %" APR_INT64_T_FMT
        " of %" APR_INT64_T_FMT " objects were processed",
        (apr_int64_t)apr_time_sec(timeout),
        batch_counts_applied(&job->counts) + job->counts.errors - job->invalid, job->total);
}

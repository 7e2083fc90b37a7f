#include "engine/status.h"

#include <string.h>

#include <apr_strings.h>

/* 0: it may not happen. Otherwise one more than the status that it leads to. */
#define TO(status) ((status) + 1)

static const int transitions[BATCH_STATUS_COUNT][BATCH_EVENT_COUNT] = {
    [BATCH_STATUS_PENDING] =
        {
            [BATCH_EVENT_ADD_OPERATIONS] = TO(BATCH_STATUS_PENDING),
            [BATCH_EVENT_START] = TO(BATCH_STATUS_QUEUED),
            [BATCH_EVENT_REMOVE] = TO(BATCH_STATUS_PENDING),
            [BATCH_EVENT_CANCEL] = TO(BATCH_STATUS_FAILED),
        },
    [BATCH_STATUS_RECEIVING] =
        {
            [BATCH_EVENT_RECEIVED] = TO(BATCH_STATUS_QUEUED),
        },
    [BATCH_STATUS_REQUESTED] =
        {
            [BATCH_EVENT_REMOVE] = TO(BATCH_STATUS_REQUESTED),
            [BATCH_EVENT_CANCEL] = TO(BATCH_STATUS_FAILED),
            [BATCH_EVENT_UPLOAD] = TO(BATCH_STATUS_REQUESTED),
            [BATCH_EVENT_RECEIVED] = TO(BATCH_STATUS_QUEUED),
            [BATCH_EVENT_FAIL] = TO(BATCH_STATUS_FAILED),
            [BATCH_EVENT_EXPIRE] = TO(BATCH_STATUS_EXPIRED),
        },
    [BATCH_STATUS_QUEUED] =
        {
            [BATCH_EVENT_CANCEL] = TO(BATCH_STATUS_FAILED),
            [BATCH_EVENT_CLAIM] = TO(BATCH_STATUS_PROCESSING),
            [BATCH_EVENT_FAIL] = TO(BATCH_STATUS_FAILED),
        },
    [BATCH_STATUS_PROCESSING] =
        {
            [BATCH_EVENT_CANCEL] = TO(BATCH_STATUS_FAILED),
            [BATCH_EVENT_CLAIM] = TO(BATCH_STATUS_PROCESSING),
            [BATCH_EVENT_COMPLETE] = TO(BATCH_STATUS_COMPLETED),
            [BATCH_EVENT_FAIL] = TO(BATCH_STATUS_FAILED),
            [BATCH_EVENT_TIME_OUT] = TO(BATCH_STATUS_TIMED_OUT),
        },
    [BATCH_STATUS_COMPLETED] =
        {
            [BATCH_EVENT_REMOVE] = TO(BATCH_STATUS_COMPLETED),
        },
    [BATCH_STATUS_FAILED] =
        {
            [BATCH_EVENT_REMOVE] = TO(BATCH_STATUS_FAILED),
        },
    [BATCH_STATUS_TIMED_OUT] =
        {
            [BATCH_EVENT_REMOVE] = TO(BATCH_STATUS_TIMED_OUT),
        },
    [BATCH_STATUS_EXPIRED] =
        {
            [BATCH_EVENT_REMOVE] = TO(BATCH_STATUS_EXPIRED),
        },
};

static const batch_status_e beginnings[BATCH_BEGIN_COUNT] = {
    [BATCH_BEGIN_PENDING] = BATCH_STATUS_PENDING,
    [BATCH_BEGIN_RECEIVING] = BATCH_STATUS_RECEIVING,
    [BATCH_BEGIN_REQUESTED] = BATCH_STATUS_REQUESTED,
};

/* What clients hear. NULL: an event that they do not ask for. */
static const char *const refusals[BATCH_EVENT_COUNT] = {
    [BATCH_EVENT_ADD_OPERATIONS] =
        "the batch has been started: operations can be added to a pending batch only",
    [BATCH_EVENT_START] = "the batch has been started already: only a pending batch can be started",
    [BATCH_EVENT_REMOVE] =
        "the batch is running and cannot be terminated: it can be deleted when it has ended",
    [BATCH_EVENT_CANCEL] = "the batch has ended already: only one that has not can be cancelled",
    [BATCH_EVENT_UPLOAD] = "the batch waits for no upload: it has one, or has ended",
};

void batch_status_begin(batch_job_t *job, batch_beginning_e beginning)
{
    job->status = beginnings[beginning];
}

apr_status_t batch_status_allows(const batch_job_t *job, batch_event_e event, batch_error_t *err,
                                 apr_pool_t *p)
{
    if (transitions[job->status][event]) {
        return APR_SUCCESS;
    }
    if (refusals[event]) {
        return batch_error_set(err, BATCH_ECONFLICT, NULL, p, "%s", refusals[event]);
    }
    return batch_error_set(err, APR_EGENERAL, "MB0436", p,
                           "event %d cannot happen to a batch that is %s: a fault of this module",
                           (int)event, batch_status_name(job->status));
}

apr_status_t batch_status_move(batch_job_t *job, batch_event_e event, batch_error_t *err,
                               apr_pool_t *p)
{
    apr_status_t rv = batch_status_allows(job, event, err, p);

    if (rv == APR_SUCCESS) {
        job->status = (batch_status_e)(transitions[job->status][event] - 1);
    }
    return rv;
}

int batch_status_expire(batch_job_t *job, apr_time_t now)
{
    if (job->status != BATCH_STATUS_REQUESTED || job->expires_at > now || job->lease_until > now ||
        batch_status_move(job, BATCH_EVENT_EXPIRE, NULL, NULL) != APR_SUCCESS) {
        return 0;
    }
    memset(&job->counts, 0, sizeof(job->counts)); /* of an upload that broke off */
    job->received = job->stored = job->total = job->invalid = 0;
    job->upload_began_at = 0;
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

apr_status_t batch_status_fail(batch_job_t *job, const char *reason, batch_error_t *err,
                               apr_pool_t *p)
{
    apr_status_t rv = batch_status_move(job, BATCH_EVENT_FAIL, err, p);

    if (rv == APR_SUCCESS) {
        job->reason = reason;
    }
    return rv;
}

apr_status_t batch_status_none_valid(batch_job_t *job, batch_error_t *err, apr_pool_t *p)
{
    const char *reason = apr_psprintf(
        p, "none of the %" APR_INT64_T_FMT " items is valid%s: see the errors of the batch",
        job->received,
        batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) ? ", nothing was removed" : "");

    return batch_status_fail(job, reason, err, p);
}

apr_status_t batch_status_conclude(batch_job_t *job, batch_error_t *err, apr_pool_t *p)
{
    apr_status_t rv;

    if (job->api == BATCH_API_RESOURCES && !job->total && job->received &&
        !(batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) && job->allow_empty)) {
        return batch_status_none_valid(job, err, p);
    }
    if (job->total > 0 && batch_counts_applied(&job->counts) == 0) {
        return batch_status_fail(job,
                                 apr_psprintf(p,
                                              "none of the %" APR_INT64_T_FMT
                                              " objects could be %s: see the errors of the batch",
                                              job->total, batch_action_rows[job->action].done),
                                 err, p);
    }
    rv = batch_status_move(job, BATCH_EVENT_COMPLETE, err, p);
    if (rv == APR_SUCCESS) {
        job->reason = NULL;
    }
    return rv;
}

apr_status_t batch_status_time_out(batch_job_t *job, apr_interval_time_t timeout,
                                   batch_error_t *err, apr_pool_t *p)
{
    apr_int64_t processed = batch_counts_applied(&job->counts) + job->counts.errors - job->invalid;
    apr_status_t rv = batch_status_move(job, BATCH_EVENT_TIME_OUT, err, p);

    if (rv == APR_SUCCESS) {
        job->reason =
            apr_psprintf(p,
                         "the batch took longer than %" APR_INT64_T_FMT " s: %" APR_INT64_T_FMT
                         " of %" APR_INT64_T_FMT " objects were processed",
                         (apr_int64_t)apr_time_sec(timeout), processed, job->total);
    }
    return rv;
}

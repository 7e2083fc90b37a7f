/*
 * The life of a job: which event may happen in which status, and what comes of it (drawn in
 * batch.h). Nothing else writes a job's status: t/check_status.
 */
#ifndef BATCH_ENGINE_STATUS_H
#define BATCH_ENGINE_STATUS_H

#include "batch.h"

/** What may happen to a job. */
typedef enum {
    /* By a client. Where it may not happen, the client has asked for what cannot be. */
    BATCH_EVENT_ADD_OPERATIONS, /* it says what is to be done */
    BATCH_EVENT_START,          /* it starts the job */
    BATCH_EVENT_REMOVE,         /* it removes the job from the list */
    BATCH_EVENT_CANCEL,         /* it ends the job */
    BATCH_EVENT_UPLOAD,         /* it begins to send the items */
    /* By the engine. Where it may not happen, there is a fault in this module. */
    BATCH_EVENT_RECEIVED, /* the last item is stored */
    BATCH_EVENT_CLAIM,    /* a worker takes it, or the request of the mode sync */
    BATCH_EVENT_COMPLETE, /* the last item is behind it */
    BATCH_EVENT_FAIL,     /* it ends, and something was wrong */
    BATCH_EVENT_TIME_OUT, /* it has taken too long */
    BATCH_EVENT_EXPIRE,   /* its upload has not come in time */
    BATCH_EVENT_COUNT
} batch_event_e;

/** How a job may begin. */
typedef enum {
    BATCH_BEGIN_PENDING,   /* it waits for its start */
    BATCH_BEGIN_RECEIVING, /* its items are taken in */
    BATCH_BEGIN_REQUESTED, /* it waits for its upload */
    BATCH_BEGIN_COUNT
} batch_beginning_e;

/** Gives a new job its first status. */
void batch_status_begin(batch_job_t *job, batch_beginning_e beginning);

/**
 * Gives a job the status that an event leads to. If it may not happen in the one that the job has,
 * the job stays as it is: BATCH_ECONFLICT where a client asks for it, with a sentence for the
 * client in err; else APR_EGENERAL, with a log tag. err may be NULL.
 */
apr_status_t batch_status_move(batch_job_t *job, batch_event_e event, batch_error_t *err,
                               apr_pool_t *p);

/** The same without a change: whether it may happen. */
apr_status_t batch_status_allows(const batch_job_t *job, batch_event_e event, batch_error_t *err,
                                 apr_pool_t *p);

/**
 * Gives a requested job whose time is over, without an upload under way, the status expired, its
 * reason (a constant) and the time at which it ended; others stay as they are. Jobs are shown like
 * that before a worker comes by to write it. 1 if it has expired.
 */
int batch_status_expire(batch_job_t *job, apr_time_t now);

/** 1 if the items that the client sent are kept, so that they can be fetched. */
int batch_job_has_upload(const batch_job_t *job);

/** 1 if items of the job are listed as errors, duplicates among them. */
int batch_job_has_errors(const batch_job_t *job);

/*
 * The ends that the engine gives to a job: status and reason. What it has done so far stays and is
 * counted. Each returns as batch_status_move does.
 */

/** Of a job that must not do the rest of its work; reason lives as long as the job. */
apr_status_t batch_status_fail(batch_job_t *job, const char *reason, batch_error_t *err,
                               apr_pool_t *p);

/** Of one none of whose items is valid; the reason is in p. */
apr_status_t batch_status_none_valid(batch_job_t *job, batch_error_t *err, apr_pool_t *p);

/**
 * Of one whose last item is behind it: it failed if it had items and not one could be applied (the
 * reason is in p), else it is completed.
 */
apr_status_t batch_status_conclude(batch_job_t *job, batch_error_t *err, apr_pool_t *p);

/** Of one that has taken longer than timeout; the reason is in p. */
apr_status_t batch_status_time_out(batch_job_t *job, apr_interval_time_t timeout,
                                   batch_error_t *err, apr_pool_t *p);

#endif

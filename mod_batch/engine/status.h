/*
 * The life of a job: which event may happen in which status, and what comes of it.
 * These functions are the only ones that decide a status.
 */
#ifndef BATCH_ENGINE_STATUS_H
#define BATCH_ENGINE_STATUS_H

#include "batch.h"

typedef enum {
    BATCH_EVENT_ADD_OPERATIONS, /* a client says what is to be done */
    BATCH_EVENT_START,          /* a client starts it */
    BATCH_EVENT_REMOVE,         /* a client removes it from the list */
    BATCH_EVENT_CANCEL,         /* a client ends it */
    BATCH_EVENT_UPLOAD,         /* a client sends its items */
    BATCH_EVENT_COUNT
} batch_event_e;

/**
 * What a client's event makes of a job in status from. BATCH_ECONFLICT, with a sentence for the
 * client in err, if it may not happen then; *next is undefined in that case.
 */
apr_status_t batch_status_next(batch_status_e *next, batch_status_e from, batch_event_e event,
                               batch_error_t *err, apr_pool_t *p);

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

/** Gives a job none of whose items is valid its final status and reason (in p). */
void batch_status_none_valid(batch_job_t *job, apr_pool_t *p);

/**
 * Gives a job whose last item is behind it its final status and reason (in p): it failed if it had
 * items and not one could be applied, else it is completed.
 */
void batch_status_conclude(batch_job_t *job, apr_pool_t *p);

/**
 * Gives a job that must not do the rest of its work its final status and the reason (which lives
 * as long as the job); what it has done so far stays and is counted.
 */
void batch_status_stop(batch_job_t *job, const char *reason);

/**
 * Gives a job that has taken longer than timeout its final status and reason (in p); what it has
 * done so far stays and is counted.
 */
void batch_status_time_out(batch_job_t *job, apr_interval_time_t timeout, apr_pool_t *p);

#endif

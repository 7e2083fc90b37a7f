/*
 * Whether a request's first operation can be accepted, and what queries select. Private to engine/:
 * the calls of jobs.h do it before they change anything.
 */
#ifndef BATCH_ENGINE_ACCEPT_H
#define BATCH_ENGINE_ACCEPT_H

#include "batch.h"
#include "engine/jobs.h"

/** What is said of a form that the organization does not have. */
extern const char batch_unknown_form[];

/** An operation that is being judged. */
typedef struct batch_acceptance {
    const batch_engine_t *engine;
    const batch_actor_t *actor;
    batch_problems_t *problems; /* what is known to be wrong with the request, and what is found */
    int required;               /* there has to be an operation */
    int run;                    /* its query selects the ids now, and is not only checked */
    const batch_resource_t *resource; /* out: what the operation names, NULL if nothing there is */
    int action;                       /* out: likewise, or -1 */
} batch_acceptance_t;

/**
 * Judges a request's first operation, in this order: what it names; whether the actor may do that;
 * whether it is in service; all that is wrong with it, its form included; its query. What the query
 * selects becomes the operation's ids. BATCH_EFORBIDDEN with a sentence; BATCH_ENOSERVICE;
 * BATCH_EINVALID if there are problems at the end; else as batch_query_run.
 */
apr_status_t batch_operation_accept(batch_acceptance_t *acceptance,
                                    batch_operations_request_t *request, batch_error_t *err,
                                    apr_pool_t *p);

/**
 * Runs the query of a pending job that is to start: *items is what it selects; NULL if it has none,
 * or if starting it will say what is wrong. Of acceptance only engine, actor and problems count.
 * Statuses as batch_operation_accept.
 */
apr_status_t batch_job_select(apr_array_header_t **items, const batch_acceptance_t *acceptance,
                              const batch_job_t *job, batch_error_t *err, apr_pool_t *p);

/**
 * Runs the query of a job that has waited for its turn once more: *items as batch_query_run gives
 * them, NULL if the job has none; in p. BATCH_EINVALID with a sentence where it cannot be run any
 * more.
 */
apr_status_t batch_job_select_again(apr_array_header_t **items, const batch_engine_t *engine,
                                    const batch_job_t *job, batch_error_t *err, apr_pool_t *p);

#endif

/*
 * What clients do with jobs: create, look, add operations, start, delete. Each call is one
 * transaction; a call that fails has changed nothing.
 *
 * Every call takes the actor and touches jobs of the actor's organization only.
 * Statuses: those of store.h, and
 *   BATCH_EINVALID    problems says what is wrong with the request
 *   BATCH_EFORBIDDEN  the actor may not do the job's action (batch_actor_t.may); maybe with a
 *                     sentence for the client
 *   BATCH_ECONFLICT   err->message says which status forbids it (a sentence for the client)
 *   BATCH_ENOSERVICE  the job's action of its resource is out of service
 */
#ifndef BATCH_ENGINE_JOBS_H
#define BATCH_ENGINE_JOBS_H

#include "batch.h"
#include "engine/operation.h"
#include "engine/outage.h"
#include "store/fitness.h"
#include "store/store.h"

/** With what the reason of a job begins that a client has cancelled; behind it the name. */
#define BATCH_CANCELLED_BY "cancelled by "

typedef struct batch_engine batch_engine_t;

/** The query of the first of some operations, as they are stored in a job; in p, NULL = none. */
typedef const char *batch_query_of_fn(const char *operations, apr_pool_t *p);

/** One store with the resources and limits that apply to it. Lives as long as the process. */
struct batch_engine {
    unsigned magic;
#define BATCH_ENGINE_MAGIC 0x54735351u
    batch_store_t *store;
    apr_hash_t *resources; /* name -> const batch_resource_t * */
    batch_limits_t limits;
    const batch_logger_t *logger;
    batch_fitness_t *fitness; /* which resources are in service; NULL: all */
    batch_outages_t *outages; /* what has been logged of late; NULL: everything is logged */
    int read_ahead; /* a large request may have a thread beside it: not where a signal ends it */
    apr_time_t configured_at; /* when the configuration was read; 0: it decides on nothing older */
    const char *generation; /* the httpd that read it, a blank, and configured_at; NULL: unknown */
    /* Of apr_hash_t *: the resources of each server with this database; NULL: of this one alone. */
    const apr_array_header_t *beside;
    batch_query_of_fn *query_of; /* reads stored operations; NULL: no job has a query */
};

/** The resource of that name, or NULL (also for a NULL name). */
const batch_resource_t *batch_engine_resource(const batch_engine_t *engine, const char *name);

/**
 * The type of the resource's key: that of its BatchColumn, or, where none declares it, that of the
 * table's column. Known while the resource is in service.
 */
batch_key_type_e batch_engine_key_type(const batch_engine_t *engine,
                                       const batch_resource_t *resource);

/** 1 if no item can be seen by another: see batch_table_known_t. As far as is known. */
int batch_engine_is_independent(const batch_engine_t *engine, const batch_resource_t *resource);

/**
 * The names of the resources that take at least one of the actions, for a message: in order, with
 * commas between them.
 * @param actions     a bit for each batch_action_e
 * @param with_forms  nonzero: only those that the records API can reach
 * @return in p, or NULL if there is none
 */
const char *batch_engine_resource_names(const batch_engine_t *engine, unsigned actions,
                                        int with_forms, apr_pool_t *p);

/** For a request: BATCH_ENOSERVICE if the action is out of service; else as batch_fitness_ask. */
apr_status_t batch_engine_in_service(const batch_engine_t *engine, const batch_resource_t *resource,
                                     batch_action_e action, batch_error_t *err, apr_pool_t *p);

/**
 * What a request is to be told when a statement for that action has failed as one that does not fit
 * the database, and err says why: BATCH_ENOSERVICE, since the action is not in service from now on;
 * or BATCH_EUNAVAILABLE.
 */
apr_status_t batch_engine_doubt(const batch_engine_t *engine, const batch_resource_t *resource,
                                batch_action_e action, const batch_error_t *err, apr_pool_t *p);

/**
 * Checks what can be checked of a request's first operation without the database: adds a problem
 * for everything that is wrong. On return *resource and *action are what the operation names, as
 * far as it names something that exists (else NULL and -1), so that the caller can refuse what the
 * actor may not do before it lists what is wrong with it.
 * require: an operation must be there (the batch is to start, or operations are being added).
 */
void batch_operation_check(const batch_resource_t **resource, int *action,
                           batch_problems_t *problems, const batch_engine_t *engine,
                           const batch_operations_request_t *request, int require, apr_pool_t *p);

/**
 * Creates a job from a request, of whose shape problems says what is wrong: durable, with its
 * selection frozen, when this returns. It is queued if request->start, else pending. Who may not do
 * it hears that first, then that it is out of service, then all that is wrong with it. Its query is
 * run if it starts, and only checked if not. *job is filled, its strings in p.
 */
apr_status_t batch_job_create(batch_job_t *job, const batch_engine_t *engine,
                              const batch_actor_t *actor, batch_operations_request_t *request,
                              batch_problems_t *problems, batch_error_t *err, apr_pool_t *p);

/** Reads a job. */
apr_status_t batch_job_get(batch_job_t *job, const batch_engine_t *engine,
                           const batch_actor_t *actor, batch_api_e api, const char *id,
                           batch_error_t *err, apr_pool_t *p);

/** Reads the job of any organization: for whoever has a signed URL of it. */
apr_status_t batch_job_find(batch_job_t *job, const batch_engine_t *engine, batch_api_e api,
                            const char *id, batch_error_t *err, apr_pool_t *p);

/**
 * Lists jobs: query->organization is set from actor. fn is called with NULL before the first job,
 * and once more if the store has to read anew: what it has got so far is void then.
 */
apr_status_t batch_job_list(apr_int64_t *total, const batch_engine_t *engine,
                            const batch_actor_t *actor, batch_job_query_t *query, batch_job_fn *fn,
                            void *baton, batch_error_t *err, apr_pool_t *p);

/**
 * Adds operations to those of a pending job. Where it has none they are its first, as
 * batch_job_create takes them; else they are kept behind those that it has, and not run. A query is
 * checked. BATCH_EINVALID also where they are more than BATCH_OPERATIONS_KEPT then. The request's
 * text and the ids of its first operation become those of all that the job has (strings in p), so
 * that it can be written as they are.
 */
apr_status_t batch_job_add_operations(batch_job_t *job, const batch_engine_t *engine,
                                      const batch_actor_t *actor, const char *id,
                                      batch_operations_request_t *request,
                                      batch_problems_t *problems, batch_error_t *err,
                                      apr_pool_t *p);

/**
 * Starts a pending job, with what its query selects now: it is queued when this returns, with its
 * selection frozen. BATCH_EINVALID if it has no operation, if its form has gone meanwhile, or its
 * query cannot be run. *job is filled as far as it was found, also on ECONFLICT.
 */
apr_status_t batch_job_start(batch_job_t *job, const batch_engine_t *engine,
                             const batch_actor_t *actor, const char *id, batch_problems_t *problems,
                             batch_error_t *err, apr_pool_t *p);

/** Removes a job that is pending or final, with all that belongs to it. *job is as it was. */
apr_status_t batch_job_delete(batch_job_t *job, const batch_engine_t *engine,
                              const batch_actor_t *actor, const char *id, batch_error_t *err,
                              apr_pool_t *p);

/**
 * Cancels a job of the resources API that is not final: it ends at the next edge of a chunk, as
 * failed, with a reason that names the actor; what was committed stays and is counted. *job is as
 * it is then. BATCH_ECONFLICT where it is final.
 */
apr_status_t batch_job_cancel(batch_job_t *job, const batch_engine_t *engine,
                              const batch_actor_t *actor, const char *id, batch_error_t *err,
                              apr_pool_t *p);

/**
 * Removes a piece of the items and errors that jobs have left which need them no more, or are gone.
 * *more: there was one, and may be more.
 */
apr_status_t batch_jobs_sweep(int *more, const batch_engine_t *engine, batch_error_t *err,
                              apr_pool_t *ptemp);

/**
 * Removes some of the jobs of all organizations that are past their retention, in one short
 * transaction. *removed: how many; 0 when there is none left.
 */
apr_status_t batch_jobs_expire(int *removed, const batch_engine_t *engine, batch_error_t *err,
                               apr_pool_t *ptemp);

/**
 * The stored items of a job from position on, as many as lie together; in p. BATCH_ENOTFOUND if
 * they have been removed meanwhile.
 */
apr_status_t batch_job_segment(batch_segment_t *segment, const batch_engine_t *engine,
                               const batch_job_t *job, apr_int64_t position, batch_error_t *err,
                               apr_pool_t *p);

/** The errors of a job, a page at a time: as batch_tx_errors_read; NULL as batch_job_list.
 * BATCH_ENOTFOUND if the job has been removed meanwhile. */
apr_status_t batch_job_errors(int *count, const batch_engine_t *engine, const batch_job_t *job,
                              batch_error_cursor_t *cursor, int limit, batch_item_error_fn *fn,
                              void *baton, batch_error_t *err, apr_pool_t *ptemp);

#endif

/* What clients change about jobs. */
#include "engine/jobs.h"
#include "engine/accept.h"
#include "engine/change.h"
#include "engine/selection.h"
#include "engine/status.h"
#include "engine/turn.h"
#include "store/removal.h"
#include "text/uuid.h"
#include "text/check.h"

#include <string.h>

#include <apr_strings.h>

#define SEVERAL_OPERATIONS "[\"only the first operation is run; the others are kept, but not run\"]"

/* ---- Operations into a job ------------------------------------------------------------------- */

/* Puts what the request asks for into the job. */
static void apply_request(batch_job_t *job, const batch_operations_request_t *request,
                          apr_int64_t item_count, apr_pool_t *p)
{
    const batch_operation_t *operation = &request->first;

    job->operations = request->text;
    job->warnings = request->operation_count > 1 ? SEVERAL_OPERATIONS : NULL;
    job->resource = NULL;
    job->form_id = NULL;
    job->shared_values = NULL;
    job->action = BATCH_ACTION_DELETE;
    job->total = job->stored = item_count;
    if (!request->operation_count) {
        return;
    }
    job->resource = operation->resource;
    job->action = (batch_action_e)batch_action_parse(operation->action);
    job->form_id = operation->form_id;
    if (batch_action_is(job->action, BATCH_ACTION_CHANGES)) {
        job->shared_values = batch_values_encode((const batch_value_t *)operation->data->elts,
                                                 operation->data->nelts, p);
    }
}

/* BATCH_EINVALID with a problem where the job's form is not the organization's, or is gone. */
static apr_status_t check_form(batch_tx_t *tx, const batch_engine_t *engine, const batch_job_t *job,
                               batch_problems_t *problems)
{
    const batch_resource_t *resource = batch_engine_resource(engine, job->resource);
    apr_status_t rv;

    if (!resource || !resource->form_column) {
        batch_problem_add(problems, "operations[0].resource",
                          "is no longer a resource of this API");
        return BATCH_EINVALID;
    }
    rv = batch_tx_form_check(tx, resource, job->organization, job->form_id);
    if (rv == BATCH_ENOTFOUND) {
        batch_problem_add(problems, "operations[0].form_id", "%s", batch_unknown_form);
        return BATCH_EINVALID;
    }
    return rv;
}

/* BATCH_EFORBIDDEN unless the actor may do what the job does; a job without operations does
 * nothing. */
static apr_status_t check_permission(const batch_engine_t *engine, const batch_actor_t *actor,
                                     const batch_job_t *job)
{
    const batch_resource_t *resource = batch_engine_resource(engine, job->resource);

    if (!resource || !actor->may || actor->may(actor->may_baton, resource, job->action)) {
        return APR_SUCCESS;
    }
    return BATCH_EFORBIDDEN;
}

/* ---- Calls that change a job ------------------------------------------------------------------
 */

/* By what the ids of that resource are in order. */
static batch_key_type_e key_type_of(const batch_engine_t *engine, const char *name)
{
    const batch_resource_t *resource = batch_engine_resource(engine, name);

    return resource ? batch_engine_key_type(engine, resource) : BATCH_KEY_TEXT;
}

/* What the bodies of the transactions below work on. */
struct change {
    unsigned magic;
#define CHANGE_MAGIC 0xc7481845u
    const batch_engine_t *engine;
    const batch_actor_t *actor;
    const batch_operations_request_t *request;
    const apr_array_header_t *items; /* NULL: those that are stored stay */
    apr_int64_t revision;            /* of the job that items were selected for */
    const char *id;
    batch_problems_t *problems;
    batch_job_t *job;
    apr_pool_t *p;
    apr_array_header_t *selected; /* what the job has stored, as it was sent */
};

/* Sends a pending job on its way. */
static apr_status_t enqueue(batch_tx_t *tx, batch_job_t *job, const batch_actor_t *actor,
                            apr_pool_t *p)
{
    apr_interval_time_t age = actor->request_at ? apr_time_now() - actor->request_at : 0;
    apr_status_t rv = batch_turn_queue(tx, job, age);

    if (rv == APR_SUCCESS) {
        rv = batch_status_move(job, BATCH_EVENT_START, batch_tx_error(tx), p);
    }
    job->updated_by = actor->name;
    job->updated_by_id = actor->id;
    return rv;
}

/* How often a change is tried whose COMMIT's reply is lost, each time on another connection. */
#define TRIES_IN_DOUBT 4

typedef apr_status_t write_fn(batch_store_t *store, batch_tx_fn *body, void *baton,
                              batch_error_t *err, apr_pool_t *p);

static write_fn *write_of(batch_change_e kind)
{
    switch (kind) {
    case BATCH_CHANGE_ON_WAY:
        return batch_store_write_async;
    case BATCH_CHANGE_SHARED:
        return batch_store_write_shared;
    default:
        return batch_store_write;
    }
}

/*
 * An insert that the server had still under way when the connection was lost shows by being refused
 * the second time, since it carries the same id.
 */
apr_status_t batch_job_change(batch_job_t *job, const batch_engine_t *engine, batch_tx_fn *body,
                              void *baton, batch_change_e kind, const char *id, batch_error_t *err,
                              apr_pool_t *p)
{
    batch_store_t *store = engine->store;
    apr_status_t done = kind == BATCH_CHANGE_REMOVES ? BATCH_ENOTFOUND : APR_SUCCESS;
    apr_status_t rv = write_of(kind)(store, body, baton, err, p);
    batch_job_t first = *job;
    int tries;

    for (tries = 1; tries < TRIES_IN_DOUBT && rv == BATCH_EINDOUBT; tries++) {
        rv = batch_store_job_stands(store, job, err, p);
        if (rv == done) {
            return APR_SUCCESS;
        }
        if (rv == BATCH_EUNAVAILABLE) {
            rv = BATCH_EINDOUBT; /* a client that is told so does it twice: worth another look */
            continue;
        }
        rv = batch_store_write(store, body, baton, err, p);
        if (rv == BATCH_EREFUSED && batch_store_job_stands(store, &first, err, p) == APR_SUCCESS) {
            *job = first;
            rv = APR_SUCCESS;
        }
    }
    if (rv == BATCH_EINDOUBT || (rv == BATCH_EUNAVAILABLE && tries > 1)) {
        return batch_error_set(err, BATCH_EUNAVAILABLE, "MB0419", p,
                               "the connection was lost while a change of batch %s was being "
                               "committed, and it cannot be seen whether it was done",
                               id ? id : job->id);
    }
    return rv;
}

static apr_status_t write_change(struct change *change, batch_tx_fn *body, batch_change_e kind,
                                 batch_error_t *err)
{
    return batch_job_change(change->job, change->engine, body, change, kind, change->id, err,
                            change->p);
}

static apr_status_t create_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct change *change = BATCH_CAST(struct change, baton, CHANGE_MAGIC);
    batch_job_t *job = change->job;
    apr_status_t rv;

    apr_array_clear(change->problems);
    rv = check_permission(change->engine, change->actor, job);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (change->request->operation_count) {
        rv = check_form(tx, change->engine, job, change->problems);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    batch_status_begin(job, BATCH_BEGIN_PENDING);
    rv = change->request->start ? enqueue(tx, job, change->actor, change->p) : APR_SUCCESS;
    if (rv == APR_SUCCESS) {
        rv = batch_tx_job_insert(tx, job, NULL);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return batch_selection_store(tx, job, change->items, ptemp);
}

/* What became of a call whose statements are those of an action of a resource. */
static apr_status_t end_call(apr_status_t rv, const batch_engine_t *engine,
                             const batch_resource_t *resource, int action, batch_error_t *err,
                             apr_pool_t *p)
{
    return rv == BATCH_EUNFIT && resource && action >= 0
               ? batch_engine_doubt(engine, resource, (batch_action_e)action, err, p)
               : rv;
}

apr_status_t batch_job_create(batch_job_t *job, const batch_engine_t *engine,
                              const batch_actor_t *actor, batch_operations_request_t *request,
                              batch_problems_t *problems, batch_error_t *err, apr_pool_t *p)
{
    batch_acceptance_t acceptance = {engine,         actor, problems, request->start,
                                     request->start, NULL,  -1};
    struct change change = {CHANGE_MAGIC, engine,   actor, request, NULL, 0,
                            NULL,         problems, job,   p,       NULL};
    apr_status_t rv = batch_operation_accept(&acceptance, request, err, p);

    memset(job, 0, sizeof(*job));
    if (rv != APR_SUCCESS) {
        return end_call(rv, engine, acceptance.resource, acceptance.action, err, p);
    }
    change.items = batch_selection_sort(request->operation_count ? request->first.ids : NULL,
                                        key_type_of(engine, request->first.resource), p);
    job->id = batch_uuid_make(p);
    job->api = BATCH_API_RECORDS;
    job->organization = actor->organization;
    job->created_by = job->updated_by = actor->name;
    job->created_by_id = job->updated_by_id = actor->id;
    apply_request(job, request, change.items->nelts, p);
    batch_turn_describe(job, engine, p);
    rv = write_change(&change, create_body, BATCH_CHANGE, err);
    return end_call(rv, engine, acceptance.resource, acceptance.action, err, p);
}

/*
 * Reads the job that a change is about, if the actor may touch it. One that runs cannot be changed:
 * to say so nobody has to wait for the chunk that its worker is at.
 */
static apr_status_t read_job(batch_tx_t *tx, const struct change *change)
{
    const char *organization = change->actor->organization;
    batch_job_t *job = change->job;
    apr_status_t rv =
        batch_tx_job_look(tx, job, change->id, organization, BATCH_API_RECORDS, change->p);

    if (rv == APR_SUCCESS && job->status != BATCH_STATUS_QUEUED &&
        job->status != BATCH_STATUS_PROCESSING) {
        rv = batch_tx_job_get(tx, job, change->id, organization, BATCH_API_RECORDS, change->p);
    }
    return rv != APR_SUCCESS ? rv : check_permission(change->engine, change->actor, change->job);
}

/* The first operations of a job: what is to be done, and to what. */
static apr_status_t take_operations(batch_tx_t *tx, const struct change *change, apr_pool_t *ptemp)
{
    apr_status_t rv = batch_tx_segments_delete(tx, change->job);

    apply_request(change->job, change->request, change->items->nelts, change->p);
    batch_turn_describe(change->job, change->engine, change->p);
    return rv == APR_SUCCESS ? batch_selection_store(tx, change->job, change->items, ptemp) : rv;
}

/*
 * Operations behind those that the job has: they are kept, and not run. Both texts are arrays that
 * are not empty: "[...]" and "[...]" become "[...,...]".
 */
static apr_status_t keep_operations(const struct change *change)
{
    const batch_operations_request_t *request = change->request;
    const char *more = request->whole ? request->whole : request->text;
    batch_job_t *job = change->job;
    apr_size_t length = strlen(job->operations);

    if (length + strlen(more) > BATCH_OPERATIONS_KEPT) {
        batch_problem_add(change->problems, "operations",
                          "are too many: a batch keeps " APR_STRINGIFY(
                              BATCH_OPERATIONS_KEPT) " bytes of them beside the ids of the first");
        return BATCH_EINVALID;
    }
    job->operations = apr_pstrcat(change->p, apr_pstrmemdup(change->p, job->operations, length - 1),
                                  ",", more + 1, NULL);
    job->warnings = SEVERAL_OPERATIONS;
    return APR_SUCCESS;
}

/* Whether the actor may do what is asked for, and with that form; whether it will run or not. */
static apr_status_t check_request(batch_tx_t *tx, const struct change *change)
{
    batch_job_t asked = *change->job;
    apr_status_t rv;

    apply_request(&asked, change->request, 0, change->p);
    rv = check_permission(change->engine, change->actor, &asked);
    return rv == APR_SUCCESS ? check_form(tx, change->engine, &asked, change->problems) : rv;
}

static apr_status_t add_operations_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct change *change = BATCH_CAST(struct change, baton, CHANGE_MAGIC);
    batch_job_t *job = change->job;
    apr_status_t rv;

    apr_array_clear(change->problems);
    rv = read_job(tx, change);
    if (rv == APR_SUCCESS) {
        rv = batch_status_move(job, BATCH_EVENT_ADD_OPERATIONS, batch_tx_error(tx), change->p);
    }
    if (rv == APR_SUCCESS) {
        rv = check_request(tx, change);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    job->updated_by = change->actor->name;
    job->updated_by_id = change->actor->id;
    rv = job->resource ? keep_operations(change) : take_operations(tx, change, ptemp);
    if (rv == APR_SUCCESS) {
        rv = batch_selection_read(tx, &change->selected, job, change->p);
    }
    return rv == APR_SUCCESS ? batch_tx_job_update(tx, job) : rv;
}

apr_status_t batch_job_add_operations(batch_job_t *job, const batch_engine_t *engine,
                                      const batch_actor_t *actor, const char *id,
                                      batch_operations_request_t *request,
                                      batch_problems_t *problems, batch_error_t *err, apr_pool_t *p)
{
    batch_acceptance_t acceptance = {engine, actor, problems, 1, 0, NULL, -1};
    struct change change = {CHANGE_MAGIC, engine,   actor, request, NULL, 0,
                            id,           problems, job,   p,       NULL};
    apr_status_t rv = batch_operation_accept(&acceptance, request, err, p);

    if (rv == APR_SUCCESS) {
        change.items = batch_selection_sort(request->first.ids,
                                            key_type_of(engine, request->first.resource), p);
        rv = write_change(&change, add_operations_body, BATCH_CHANGE, err);
    }
    if (rv == APR_SUCCESS) {
        request->text = job->operations;
        request->first.has_ids = change.selected->nelts > 0;
        request->first.ids = change.selected;
    }
    return end_call(rv, engine, acceptance.resource, acceptance.action, err, p);
}

static apr_status_t start_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct change *change = BATCH_CAST(struct change, baton, CHANGE_MAGIC);
    batch_job_t *job = change->job;
    apr_status_t rv;

    apr_array_clear(change->problems);
    rv = read_job(tx, change);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = batch_status_allows(job, BATCH_EVENT_START, batch_tx_error(tx), change->p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!job->resource) {
        batch_problem_add(change->problems, "operations",
                          "must be set before the batch can be started");
        return BATCH_EINVALID;
    }
    if (change->revision != job->revision) {
        return APR_EAGAIN;
    }
    rv = check_form(tx, change->engine, job, change->problems);
    if (rv == APR_SUCCESS && change->items) {
        job->total = job->stored = change->items->nelts;
        rv = batch_selection_store(tx, job, change->items, ptemp);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = enqueue(tx, job, change->actor, change->p);
    return rv == APR_SUCCESS ? batch_tx_job_update(tx, job) : rv;
}

/* Looks at the job, selects what its query selects, and starts it if it is still the same. */
static apr_status_t start_once(struct change *change, batch_error_t *err)
{
    const batch_engine_t *engine = change->engine;
    batch_acceptance_t acceptance = {engine, change->actor, change->problems, 1, 1, NULL, -1};
    batch_job_t *job = change->job;
    apr_pool_t *p = change->p;
    apr_array_header_t *selected = NULL;
    apr_status_t rv =
        batch_job_get(job, engine, change->actor, BATCH_API_RECORDS, change->id, err, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    change->revision = job->revision;
    acceptance.resource = batch_engine_resource(engine, job->resource);
    acceptance.action = (int)job->action;
    if (acceptance.resource) {
        rv = batch_engine_in_service(engine, acceptance.resource, job->action, err, p);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_job_select(&selected, &acceptance, job, err, p);
    }
    if (rv == APR_SUCCESS) {
        change->items =
            selected ? batch_selection_sort(selected, key_type_of(engine, job->resource), p) : NULL;
        rv = write_change(change, start_body, BATCH_CHANGE, err);
    }
    return end_call(rv, engine, acceptance.resource, acceptance.action, err, p);
}

/* How often a start is tried while somebody else adds operations to the batch. */
#define START_TRIES 3

apr_status_t batch_job_start(batch_job_t *job, const batch_engine_t *engine,
                             const batch_actor_t *actor, const char *id, batch_problems_t *problems,
                             batch_error_t *err, apr_pool_t *p)
{
    struct change change = {CHANGE_MAGIC, engine, actor, NULL, NULL, 0, id, problems, job, p, NULL};
    apr_status_t rv;
    int tries = 0;

    do {
        apr_array_clear(problems);
        rv = start_once(&change, err);
    } while (rv == APR_EAGAIN && ++tries < START_TRIES);
    return rv == APR_EAGAIN ? batch_error_set(err, BATCH_ECONFLICT, NULL, p,
                                              "operations are being added to this batch")
                            : rv;
}

static apr_status_t delete_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct change *change = BATCH_CAST(struct change, baton, CHANGE_MAGIC);
    batch_job_t *job = change->job;
    apr_status_t rv;

    (void)ptemp;
    rv = read_job(tx, change);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = batch_status_allows(job, BATCH_EVENT_REMOVE, batch_tx_error(tx), change->p);
    return rv != APR_SUCCESS ? rv : batch_tx_job_delete(tx, job);
}

apr_status_t batch_job_delete(batch_job_t *job, const batch_engine_t *engine,
                              const batch_actor_t *actor, const char *id, batch_error_t *err,
                              apr_pool_t *p)
{
    struct change change = {CHANGE_MAGIC, engine, actor, NULL, NULL, 0, id, NULL, job, p, NULL};

    return write_change(&change, delete_body, BATCH_CHANGE_REMOVES, err);
}

/* ---- Cancelling ---------------------------------------------------------------------------------
 */

static apr_status_t cancel_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct change *change = BATCH_CAST(struct change, baton, CHANGE_MAGIC);
    batch_job_t *job = change->job;
    apr_status_t rv;

    (void)ptemp;
    rv = batch_tx_job_get(tx, job, change->id, change->actor->organization, BATCH_API_RESOURCES,
                          change->p);
    if (rv == APR_SUCCESS) {
        rv = check_permission(change->engine, change->actor, job);
    }
    if (rv == APR_SUCCESS && !batch_status_expire(job, batch_tx_now(tx)) &&
        job->status == BATCH_STATUS_REQUESTED) {
        /* One that is under way is fenced by that. */
        rv = batch_tx_upload_reset(tx, job, NULL, NULL, 0, 0);
        if (rv == APR_SUCCESS) {
            rv = batch_tx_belongings_leave(tx, job);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = batch_status_move(job, BATCH_EVENT_CANCEL, batch_tx_error(tx), change->p);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    job->reason = apr_pstrcat(change->p, BATCH_CANCELLED_BY, change->actor->name, NULL);
    job->updated_by = change->actor->name;
    job->updated_by_id = change->actor->id;
    rv = batch_tx_job_cancel(tx, job);
    return rv != APR_SUCCESS ? rv : batch_tx_segments_end(tx, job);
}

apr_status_t batch_job_cancel(batch_job_t *job, const batch_engine_t *engine,
                              const batch_actor_t *actor, const char *id, batch_error_t *err,
                              apr_pool_t *p)
{
    struct change change = {CHANGE_MAGIC, engine, actor, NULL, NULL, 0, id, NULL, job, p, NULL};

    return write_change(&change, cancel_body, BATCH_CHANGE, err);
}

/* Jobs that one transaction removes: each may have ten thousands of errors. */
#define EXPIRE_AT_ONCE 4

struct expiry {
    apr_interval_time_t retention;
    int *removed;
};

static apr_status_t expire_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct expiry *expiry = baton;

    return batch_tx_jobs_expire(tx, expiry->removed, expiry->retention, EXPIRE_AT_ONCE, ptemp);
}

apr_status_t batch_jobs_expire(int *removed, const batch_engine_t *engine, batch_error_t *err,
                               apr_pool_t *ptemp)
{
    struct expiry expiry = {engine->limits.retention, removed};

    return batch_store_write(engine->store, expire_body, &expiry, err, ptemp);
}

static apr_status_t leftovers_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    return batch_tx_leftovers(tx, baton, ptemp);
}

apr_status_t batch_jobs_sweep(int *more, const batch_engine_t *engine, batch_error_t *err,
                              apr_pool_t *ptemp)
{
    apr_status_t rv = batch_store_read(engine->store, leftovers_body, more, err, ptemp);

    return rv == APR_SUCCESS && *more
               ? batch_store_write_async(engine->store, leftovers_body, more, err, ptemp)
               : rv;
}

#include "engine/accept.h"

#include <string.h>

#include "query/query.h"

const char batch_unknown_form[] = "is not the id of a form of your organization";

static const char query_field[] = "operations[0].query";

/* ---- Form and query ----------------------------------------------------------------------------
 */

struct form_look {
    const batch_resource_t *resource;
    const char *organization;
    const char *form_id;
};

static apr_status_t form_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct form_look *look = baton;

    (void)ptemp;
    return batch_tx_form_check(tx, look->resource, look->organization, look->form_id);
}

/* Adds a problem if the form that an operation names is not one of the actor's organization. */
static apr_status_t check_form(const batch_acceptance_t *acceptance,
                               const batch_operation_t *operation, batch_error_t *err,
                               apr_pool_t *p)
{
    struct form_look look = {acceptance->resource, acceptance->actor->organization,
                             operation->form_id};
    apr_status_t rv;

    if (!look.form_id || !*look.form_id) {
        return APR_SUCCESS; /* that has been said */
    }
    rv = batch_store_read(acceptance->engine->store, form_body, &look, err, p);
    if (rv != BATCH_ENOTFOUND) {
        return rv;
    }
    batch_problem_add(acceptance->problems, "operations[0].form_id", "%s", batch_unknown_form);
    return APR_SUCCESS;
}

/* Runs a query into *items, or only checks it; BATCH_EINVALID with a problem where it is wrong. */
static apr_status_t look_up(apr_array_header_t **items, const batch_acceptance_t *acceptance,
                            const batch_query_t *query, batch_error_t *err, apr_pool_t *p)
{
    batch_store_t *store = acceptance->engine->store;
    batch_problems_t *problems = acceptance->problems;

    return acceptance->run && !problems->nelts
               ? batch_query_run(items, problems, query_field, store, query, err, p)
               : batch_query_check(problems, query_field, store, query, err, p);
}

/* ---- An operation of a request ----------------------------------------------------------------
 */

/* BATCH_EFORBIDDEN unless the actor may do that to the resource. */
static apr_status_t check_permission(const batch_actor_t *actor, const batch_resource_t *resource,
                                     batch_action_e action, batch_error_t *err, apr_pool_t *p)
{
    if (!actor->may || actor->may(actor->may_baton, resource, action)) {
        return APR_SUCCESS;
    }
    return batch_error_set(err, BATCH_EFORBIDDEN, NULL, p, "you may not do that to this resource");
}

static apr_status_t check_query(const batch_acceptance_t *acceptance, batch_operation_t *operation,
                                batch_error_t *err, apr_pool_t *p)
{
    const batch_engine_t *engine = acceptance->engine;
    batch_query_t query = {acceptance->resource, acceptance->actor->organization,
                           operation->form_id, operation->query, &engine->limits};

    if (!operation->query || operation->has_ids ||
        batch_problem_reported(acceptance->problems, "operations[0].form_id")) {
        return APR_SUCCESS; /* no query, or something else has to be mended first */
    }
    return look_up(&operation->ids, acceptance, &query, err, p);
}

apr_status_t batch_operation_accept(batch_acceptance_t *acceptance,
                                    batch_operations_request_t *request, batch_error_t *err,
                                    apr_pool_t *p)
{
    const batch_engine_t *engine = acceptance->engine;
    batch_problems_t *problems = acceptance->problems;
    batch_operation_t *operation = &request->first;
    const batch_resource_t *resource;
    apr_status_t rv = APR_SUCCESS;

    batch_operation_check(&acceptance->resource, &acceptance->action, problems, engine, request,
                          acceptance->required, p);
    resource = acceptance->resource;
    if (resource && acceptance->action >= 0) {
        batch_action_e action = (batch_action_e)acceptance->action;

        rv = check_permission(acceptance->actor, resource, action, err, p);
        if (rv == APR_SUCCESS) {
            rv = batch_engine_in_service(engine, resource, action, err, p);
        }
    }
    if (rv == APR_SUCCESS && resource && (problems->nelts || operation->query)) {
        rv = check_form(acceptance, operation, err, p);
        if (rv == APR_SUCCESS) {
            rv = check_query(acceptance, operation, err, p);
        }
    }
    return rv == APR_SUCCESS && problems->nelts ? BATCH_EINVALID : rv;
}

/* ---- The query of a job ------------------------------------------------------------------------
 */

/* 0 if the job has no query, or none that can be run. */
static int query_of(batch_query_t *query, const batch_engine_t *engine, const batch_job_t *job,
                    apr_pool_t *p)
{
    query->resource = batch_engine_resource(engine, job->resource);
    query->organization = job->organization;
    query->form_id = job->form_id;
    query->text = engine->query_of ? engine->query_of(job->operations, p) : NULL;
    query->limits = &engine->limits;
    return query->text && query->resource && query->resource->form_column;
}

apr_status_t batch_job_select(apr_array_header_t **items, const batch_acceptance_t *acceptance,
                              const batch_job_t *job, batch_error_t *err, apr_pool_t *p)
{
    batch_acceptance_t running = *acceptance;
    batch_query_t query;
    apr_status_t rv;

    *items = NULL;
    running.run = 1;
    if (job->status != BATCH_STATUS_PENDING || !query_of(&query, running.engine, job, p)) {
        return APR_SUCCESS;
    }
    /* Who may not do it learns nothing of what the query would select. */
    rv = check_permission(running.actor, query.resource, job->action, err, p);
    return rv == APR_SUCCESS ? look_up(items, &running, &query, err, p) : rv;
}

apr_status_t batch_job_select_again(apr_array_header_t **items, const batch_engine_t *engine,
                                    const batch_job_t *job, batch_error_t *err, apr_pool_t *p)
{
    batch_acceptance_t acceptance = {
        .engine = engine, .problems = batch_problems_make(p), .run = 1};
    batch_problems_t *problems = acceptance.problems;
    batch_query_t query;
    apr_status_t rv;

    *items = NULL;
    if (!query_of(&query, engine, job, p)) {
        return APR_SUCCESS;
    }
    rv = look_up(items, &acceptance, &query, err, p);
    if (rv == BATCH_EINVALID && problems->nelts) {
        return batch_error_set(err, rv, NULL, p,
                               "its query cannot be run any more, now that its turn has come: %s",
                               APR_ARRAY_IDX(problems, 0, batch_problem_t).message);
    }
    return rv;
}

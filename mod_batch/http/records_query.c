/* The records API: what operations select by a query. */
#include "http/exchange.h"

#include <string.h>

#include "config/config.h"
#include "payload/operations.h"
#include "query/query.h"

static const char field[] = "operations[0].query";

static int form_is_wrong(const batch_problems_t *problems)
{
    int i;

    for (i = 0; i < problems->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(problems, i, batch_problem_t).field, "operations[0].form_id")) {
            return 1;
        }
    }
    return 0;
}

int batch_records_query(batch_exchange_t *x, batch_operation_t *operation,
                        const batch_resource_t *resource, int run, batch_problems_t *problems,
                        int *code)
{
    const batch_engine_t *engine = x->service->engine;
    batch_query_t query = {resource, x->actor.organization, operation->form_id, operation->query,
                           &engine->limits};
    batch_error_t err = {0};
    apr_status_t rv;

    if (form_is_wrong(problems)) {
        return 1; /* that has to be mended first */
    }
    rv = run && !problems->nelts
             ? batch_query_run(&operation->ids, problems, field, engine->store, &query, &err,
                               x->r->pool)
             : batch_query_check(problems, field, engine->store, &query, &err, x->r->pool);
    if (rv != APR_SUCCESS && rv != BATCH_EINVALID) {
        *code = batch_reply_failure(x, rv, &err, NULL);
        return 0;
    }
    return 1;
}

apr_status_t batch_records_reselect(apr_array_header_t **items, const batch_engine_t *engine,
                                    const batch_job_t *job, batch_error_t *err, apr_pool_t *p)
{
    batch_query_t query = {batch_engine_resource(engine, job->resource), job->organization,
                           job->form_id, batch_operations_query(job->operations, p),
                           &engine->limits};
    batch_problems_t *problems = batch_problems_make(p);
    apr_status_t rv;

    *items = NULL;
    if (!query.text || !query.resource || !query.resource->form_column) {
        return APR_SUCCESS;
    }
    rv = batch_query_run(items, problems, field, engine->store, &query, err, p);
    if (rv == BATCH_EINVALID && problems->nelts) {
        return batch_error_set(err, rv, NULL, p,
                               "its query cannot be run any more, now that its turn has come: %s",
                               APR_ARRAY_IDX(problems, 0, batch_problem_t).message);
    }
    return rv;
}

int batch_records_select(batch_exchange_t *x, apr_array_header_t **items, const batch_job_t *job,
                         const batch_resource_t *resource, int *code)
{
    const char *text = batch_operations_query(job->operations, x->r->pool);
    batch_problems_t *problems = batch_problems_make(x->r->pool);
    batch_operation_t operation = {.form_id = job->form_id, .query = text};

    *items = NULL;
    if (!text || !resource || !resource->form_column || job->status != BATCH_STATUS_PENDING) {
        return 1;
    }
    /* Who may not do it learns nothing of what the query would select. */
    if (!batch_config_allows(x->r, resource, job->action)) {
        *code = batch_reply_error(x, HTTP_FORBIDDEN, "you may not do that to this resource");
        return 0;
    }
    if (!batch_records_query(x, &operation, resource, 1, problems, code)) {
        return 0;
    }
    if (problems->nelts) {
        *code = batch_reply_problems(x, problems);
        return 0;
    }
    *items = operation.ids;
    return 1;
}

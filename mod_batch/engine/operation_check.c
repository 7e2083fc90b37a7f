/* What can be said of an operation without asking the database. */
#include "engine/jobs.h"
#include "engine/validation.h"

#include <string.h>

#include <apr_strings.h>

/* Adds that a member is missing, unless it is there but wrong. */
static void add_missing(batch_problems_t *problems, const char *field, const char *message)
{
    if (!batch_problem_reported(problems, field)) {
        batch_problem_add(problems, field, "%s", message);
    }
}

/* The resources that the records API can reach, for a message. */
static const char *resource_names(const batch_engine_t *engine, apr_pool_t *p)
{
    const char *names = batch_engine_resource_names(engine, ~0U, 1, p);

    return names ? names : "none is configured";
}

/* The actions of the records API that a resource takes, for a message. */
static const char *action_names(const batch_resource_t *resource, apr_pool_t *p)
{
    const char *names = batch_action_words(
        batch_actions_of(BATCH_API_RECORDS) & (resource ? resource->actions : ~0U), "or", p);

    return names ? names : "no action of this API";
}

static const batch_resource_t *check_resource(batch_problems_t *problems,
                                              const batch_engine_t *engine,
                                              const batch_operation_t *operation, apr_pool_t *p)
{
    const batch_resource_t *resource = batch_engine_resource(engine, operation->resource);

    if (!operation->resource) {
        add_missing(problems, "operations[0].resource",
                    apr_pstrcat(p, "is required: ", resource_names(engine, p), NULL));
        return NULL;
    }
    if (!resource || !resource->form_column) {
        batch_problem_add(problems, "operations[0].resource", "is not a resource of this API: %s",
                          resource_names(engine, p));
        return NULL;
    }
    return resource;
}

static int check_action(batch_problems_t *problems, const batch_resource_t *resource,
                        const batch_operation_t *operation, apr_pool_t *p)
{
    int action;

    if (!operation->action) {
        add_missing(problems, "operations[0].action",
                    apr_pstrcat(p, "is required: ", action_names(resource, p), NULL));
        return -1;
    }
    action = batch_action_parse(operation->action);
    if (action < 0 || !(batch_actions_of(BATCH_API_RECORDS) & (1u << action)) ||
        (resource && !(resource->actions & (1u << action)))) {
        batch_problem_add(problems, "operations[0].action", "must be %s",
                          action_names(resource, p));
        return -1;
    }
    return action;
}

static void check_selection(batch_problems_t *problems, const batch_engine_t *engine,
                            const batch_operation_t *operation)
{
    if (operation->has_ids && operation->query) {
        batch_problem_add(problems, "operations[0].ids",
                          "cannot be used together with query: send one of them");
    } else if (!operation->has_ids && !operation->query &&
               !batch_problem_reported(problems, "operations[0].query")) {
        add_missing(problems, "operations[0].ids",
                    "is required: the ids of the objects; or a query that selects them");
    }
    if (!operation->has_ids) {
        return;
    }
    if (operation->ids_sent == 0) {
        batch_problem_add(problems, "operations[0].ids", "must have at least one id");
    } else if (operation->ids_over) {
        batch_problem_add(problems, "operations[0].ids",
                          "has more than %" APR_INT64_T_FMT " distinct ids: send several batches",
                          engine->limits.max_objects);
    }
}

static const char *writable_names(const batch_resource_t *resource, apr_pool_t *p)
{
    const char *names = "";
    int i;

    for (i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);
        if (!column->readonly && !column->immutable) {
            names = apr_pstrcat(p, names, *names ? ", " : "", column->name, NULL);
        }
    }
    return *names ? names : "none";
}

static void check_data_member(batch_problems_t *problems, const batch_resource_t *resource,
                              batch_value_t *value, apr_pool_t *p)
{
    const batch_column_t *column = batch_resource_column(resource, value->name);
    const char *field = apr_pstrcat(p, "operations[0].data.", value->name, NULL);
    batch_fault_t fault;

    if (!column || column->readonly || column->immutable) {
        batch_problem_add(problems, field, "is not a member that can be updated: %s",
                          writable_names(resource, p));
        return;
    }
    if (!batch_value_settle(&fault, value, column, p)) {
        batch_problem_add(problems, field, "%s", fault.message);
    }
}

static void check_data(batch_problems_t *problems, const batch_resource_t *resource, int action,
                       const batch_operation_t *operation, apr_pool_t *p)
{
    int changes = batch_action_is((batch_action_e)action, BATCH_ACTION_CHANGES);
    int i;

    if (action >= 0 && !changes && operation->has_data) {
        batch_problem_add(problems, "operations[0].data", "is for the action %s only",
                          batch_action_words(batch_actions_of(BATCH_API_RECORDS) &
                                                 batch_actions_like(BATCH_ACTION_CHANGES),
                                             "and", p));
    }
    if (!changes || !resource) {
        return;
    }
    if (!operation->has_data || !operation->data || !operation->data->nelts) {
        add_missing(problems, "operations[0].data",
                    apr_pstrcat(p, "is required for an update: at least one of ",
                                writable_names(resource, p), NULL));
        return;
    }
    for (i = 0; i < operation->data->nelts; i++) {
        check_data_member(problems, resource, &APR_ARRAY_IDX(operation->data, i, batch_value_t), p);
    }
}

void batch_operation_check(const batch_resource_t **resource, int *action,
                           batch_problems_t *problems, const batch_engine_t *engine,
                           const batch_operations_request_t *request, int require, apr_pool_t *p)
{
    const batch_operation_t *operation = &request->first;

    *resource = NULL;
    *action = -1;
    if (batch_problem_reported(problems, "batch") ||
        batch_problem_reported(problems, "operations[0]")) {
        return; /* there is no operation that could be judged */
    }
    if (!request->operation_count) {
        if (require) {
            add_missing(problems, "operations", "must have an operation");
        }
        return;
    }
    *resource = check_resource(problems, engine, operation, p);
    *action = check_action(problems, *resource, operation, p);
    if (!operation->form_id || !*operation->form_id) {
        add_missing(problems, "operations[0].form_id", "is required");
    }
    check_selection(problems, engine, operation);
    check_data(problems, *resource, *action, operation, p);
}

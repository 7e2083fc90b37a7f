/* What is said of an operation that is wrong: each thing once, with what is right instead. */
/* needs: nothing */
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "engine/jobs.h"
#include "payload/operations.h"

static batch_engine_t engine;

static void make_engine(apr_pool_t *p)
{
    static batch_resource_t record = {.name = "record"};
    static batch_resource_t contact = {.name = "contact"};
    batch_column_t *column;

    record.columns = apr_array_make(p, 2, sizeof(batch_column_t));
    record.actions = 1u << BATCH_ACTION_DELETE | 1u << BATCH_ACTION_UPDATE;
    record.form_column = "form_id";
    column = apr_array_push(record.columns);
    memset(column, 0, sizeof(*column));
    column->name = "status";
    column = apr_array_push(record.columns);
    memset(column, 0, sizeof(*column));
    column->name = "version";
    column->type = BATCH_TYPE_INTEGER;
    column->readonly = 1;
    contact.columns = apr_array_make(p, 1, sizeof(batch_column_t));
    contact.actions = 1u << BATCH_ACTION_DELETE;
    engine.magic = BATCH_ENGINE_MAGIC;
    engine.resources = apr_hash_make(p);
    apr_hash_set(engine.resources, "record", APR_HASH_KEY_STRING, &record);
    apr_hash_set(engine.resources, "contact", APR_HASH_KEY_STRING, &contact);
    engine.limits.max_objects = 3;
}

/* The problems of a body: "field: message; ..." */
static const char *problems_of(const char *body, int require, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_parser_t *parser = batch_operations_parser_make(BATCH_BODY_CREATE, 3, p);
    batch_operations_request_t request;
    const batch_resource_t *resource;
    batch_error_t err = {0};
    const char *text = "";
    int action, i;

    if (batch_operations_parser_feed(parser, body, strlen(body), &err) != APR_SUCCESS ||
        batch_operations_parser_finish(&request, parser, problems, &err) != APR_SUCCESS) {
        return "malformed";
    }
    batch_operation_check(&resource, &action, problems, &engine, &request, require, p);
    for (i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);
        text =
            apr_pstrcat(p, text, *text ? "; " : "", problem->field, ": ", problem->message, NULL);
    }
    return text;
}

#define OPERATION(members) "{\"batch\":{\"operations\":[{" members "}]}}"
#define RECORD             "\"resource\":\"record\",\"form_id\":\"f\","

static const struct {
    const char *body;
    const char *problems;
} cases[] = {
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":[\"a\"]"), ""},
    {OPERATION(RECORD "\"action\":\"update\",\"ids\":[\"a\"],\"data\":{\"status\":\"x\"}"), ""},
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":[\"a\",\"b\",\"c\",\"a\"]"), ""},
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":[\"a\",\"b\",\"c\",\"d\"]"),
     "operations[0].ids: has more than 3 distinct ids: send several batches"},
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":[]"),
     "operations[0].ids: must have at least one id"},
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":[true]"),
     "operations[0].ids[0]: must be a string or a whole number"},
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":\"a\""),
     "operations[0].ids: must be an array of strings"},
    {OPERATION(RECORD "\"action\":\"delete\""),
     "operations[0].ids: is required: the ids of the objects; or a query that selects them"},
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":[\"a\"],\"query\":\"SELECT 1\""),
     "operations[0].ids: cannot be used together with query: send one of them"},
    {OPERATION(RECORD "\"action\":7,\"ids\":[\"a\"]"), "operations[0].action: must be a string"},
    {OPERATION(RECORD "\"action\":\"merge\",\"ids\":[\"a\"]"),
     "operations[0].action: must be delete or update"},
    {OPERATION("\"resource\":\"contact\",\"form_id\":\"f\",\"action\":\"delete\",\"ids\":[\"a\"]"),
     "operations[0].resource: is not a resource of this API: record"},
    {OPERATION("\"resource\":\"record\",\"action\":\"delete\",\"ids\":[\"a\"]"),
     "operations[0].form_id: is required"},
    {OPERATION(RECORD "\"action\":\"update\",\"ids\":[\"a\"]"),
     "operations[0].data: is required for an update: at least one of status"},
    {OPERATION(RECORD "\"action\":\"update\",\"ids\":[\"a\"],\"data\":{\"version\":2}"),
     "operations[0].data.version: is not a member that can be updated: status"},
    {OPERATION(RECORD "\"action\":\"update\",\"ids\":[\"a\"],\"data\":{\"status\":2}"),
     "operations[0].data.status: must be a string"},
    {OPERATION(RECORD "\"action\":\"delete\",\"ids\":[\"a\"],\"data\":{\"status\":\"x\"}"),
     "operations[0].data: is for the action update only"},
    {OPERATION(""),
     "operations[0].resource: is required: record; "
     "operations[0].action: is required: delete or update; "
     "operations[0].form_id: is required; "
     "operations[0].ids: is required: the ids of the objects; or a query that selects them"},
    {"{\"batch\":{\"operations\":[7]}}", "operations[0]: must be an object"},
    {"{\"batch\":{\"operations\":[]}}", "operations: must have an operation"},
    {"{\"batch\":{\"operations\":{}}}", "operations: must be an array"},
    {"{\"batch\":{}}", "operations: must have an operation"},
    {"{\"batch\":[]}", "batch: must be an object"},
    {"{}", "batch: is required"},
};

int main(void)
{
    apr_pool_t *p;
    size_t i;

    apr_initialize();
    apr_pool_create(&p, NULL);
    make_engine(p);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_string(problems_of(cases[i].body, 1, p), cases[i].problems, cases[i].body);
    }
    is_string(problems_of("{\"batch\":{\"start\":false}}", 0, p), "",
              "a batch that is not to start needs no operation");
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}

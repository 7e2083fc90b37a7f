#include "payload/operations_shape.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/request_words.h"

/** What the functions below share. */
typedef struct shape {
    batch_operations_request_t *request;
    batch_problem_list_t *list;
    batch_shape_t members;
    apr_pool_t *ptemp; /* for one operation at a time */
} shape_t;

/* ---- operations ---------------------------------------------------------------------------- */

static void read_first(shape_t *shape, const struct json_object *operation)
{
    batch_operation_t *first = &shape->request->first;
    const struct json_object *ids =
        batch_shape_member(&shape->members, operation, "ids", "operations[0].ids");

    first->action =
        batch_shape_string(&shape->members, operation, "action", "operations[0].action");
    first->resource =
        batch_shape_string(&shape->members, operation, "resource", "operations[0].resource");
    first->form_id =
        batch_shape_string(&shape->members, operation, "form_id", "operations[0].form_id");
    first->query = batch_shape_string(&shape->members, operation, "query", "operations[0].query");
    first->has_ids = json_object_is_type(ids, json_type_array);
    if (ids && !first->has_ids) {
        batch_problem_list_add(shape->list, "must be an array of strings", "operations[0].ids");
    }
    first->data = batch_shape_values(&shape->members, operation, "data", "operations[0].data", 0);
    first->has_data = first->data != NULL;
}

/** One by one: there may be many of them. */
static void read_operation(shape_t *shape, const batch_json_slice_t *text)
{
    const char *field =
        apr_psprintf(shape->ptemp, "operations[%d]", shape->request->operation_count);
    const struct json_object *operation =
        batch_shape_read(&shape->members, text, 2, field, shape->ptemp);

    if (batch_json_kind(text) != BATCH_JSON_OBJECT) {
        batch_problem_list_add(shape->list, "must be an object", "%s", field);
    } else if (operation) {
        if (!shape->request->operation_count) {
            read_first(shape, operation);
        }
        /* Also of those that are kept and not run: whoever wrote them meant the batch to be safe.
         */
        batch_shape_words(&shape->members, operation, &batch_words_operation,
                          apr_pstrcat(shape->ptemp, field, ".", NULL));
    }
    apr_pool_clear(shape->ptemp);
    shape->request->operation_count++;
}

static void read_operations(shape_t *shape, const struct json_object *operations)
{
    batch_json_slice_t all = batch_json_source(operations);
    batch_json_slice_t operation;
    batch_json_cursor_t cursor;

    if (!json_object_is_type(operations, json_type_array)) {
        batch_problem_list_add(shape->list, "must be an array", "operations");
        return;
    }
    shape->request->text = apr_pstrmemdup(shape->members.p, all.text, all.length);
    batch_json_walk(&cursor, &all);
    while (batch_json_next_element(&operation, &cursor)) {
        read_operation(shape, &operation);
    }
}

/** What a create has beside its operations. */
static void read_batch(shape_t *shape, const struct json_object *batch)
{
    struct json_object *start = NULL;

    if (batch_json_is_repeated(batch, "start")) {
        batch_problem_list_add(shape->list, "is given twice", "start");
    }
    /* null is no boolean either: it would start what somebody may have meant to leave pending. */
    if (json_object_object_get_ex(batch, "start", &start)) {
        if (json_object_is_type(start, json_type_boolean)) {
            shape->request->start = json_object_get_boolean(start);
        } else {
            batch_problem_list_add(shape->list, "must be true or false", "start");
        }
    }
    batch_shape_unavailable(&shape->members, batch, 0);
    batch_shape_words(&shape->members, batch, &batch_words_batch, "");
}

void batch_operations_read_shape(batch_operations_request_t *request, batch_problem_list_t *list,
                                 batch_body_e body, const batch_json_slice_t *text, apr_pool_t *p,
                                 apr_pool_t *ptemp)
{
    shape_t shape = {request, list, {list, p}, ptemp};
    int is_create = body == BATCH_BODY_CREATE;
    const struct json_object *parent =
        batch_shape_read(&shape.members, text, is_create ? 2 : 1, "body", p);
    const struct json_object *operations;

    memset(request, 0, sizeof(*request));
    request->start = 1;
    batch_shape_words(&shape.members, parent,
                      is_create ? &batch_words_create : &batch_words_operations, "");
    if (is_create) {
        parent = batch_shape_member(&shape.members, parent, "batch", "batch");
        if (!json_object_is_type(parent, json_type_object)) {
            batch_problem_list_add(list, parent ? "must be an object" : "is required", "batch");
            return;
        }
        read_batch(&shape, parent);
    }
    operations = batch_shape_member(&shape.members, parent, "operations", "operations");
    if (operations) {
        read_operations(&shape, operations);
    } else if (!is_create) {
        batch_problem_list_add(list, "is required", "operations");
    }
}

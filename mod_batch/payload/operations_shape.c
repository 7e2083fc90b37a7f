#include "payload/operations_shape.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/request_words.h"

/** What the functions below share. */
typedef struct shape {
    batch_operations_request_t *request;
    batch_problem_list_t *list;
    batch_shape_t members;
} shape_t;

/* ---- operations ---------------------------------------------------------------------------- */

static void read_first(shape_t *shape, const batch_json_slice_t *operation)
{
    batch_operation_t *first = &shape->request->first;
    batch_json_slice_t ids =
        batch_shape_member(&shape->members, operation, "ids", "operations[0].ids");

    first->action =
        batch_shape_string(&shape->members, operation, "action", "operations[0].action");
    first->resource =
        batch_shape_string(&shape->members, operation, "resource", "operations[0].resource");
    first->form_id =
        batch_shape_string(&shape->members, operation, "form_id", "operations[0].form_id");
    first->query = batch_shape_string(&shape->members, operation, "query", "operations[0].query");
    first->has_ids = batch_json_kind(&ids) == BATCH_JSON_ARRAY;
    if (ids.text && !first->has_ids) {
        batch_problem_list_add(shape->list, "must be an array of strings", "operations[0].ids");
    }
    first->data = batch_shape_values(&shape->members, operation, "data", "operations[0].data", 0);
    first->has_data = first->data != NULL;
}

/** Also of those that are kept and not run: whoever wrote them meant the batch to be safe. */
static void check_words(const shape_t *shape, const batch_json_slice_t *operation)
{
    char field[40];

    apr_snprintf(field, sizeof(field), "operations[%d].", shape->request->operation_count);
    batch_shape_words(&shape->members, operation, &batch_words_operation, field);
}

static void read_operations(shape_t *shape, const batch_json_slice_t *operations)
{
    batch_operations_request_t *request = shape->request;
    batch_json_slice_t operation;
    batch_json_cursor_t cursor;

    if (batch_json_kind(operations) != BATCH_JSON_ARRAY) {
        batch_problem_list_add(shape->list, "must be an array", "operations");
        return;
    }
    request->text = apr_pstrmemdup(shape->members.p, operations->text, operations->length);
    batch_json_walk(&cursor, operations);
    while (batch_json_next_element(&operation, &cursor)) {
        if (batch_json_kind(&operation) != BATCH_JSON_OBJECT) {
            batch_problem_list_add(shape->list, "must be an object", "operations[%d]",
                                   request->operation_count);
        } else {
            if (!request->operation_count) {
                read_first(shape, &operation);
            }
            check_words(shape, &operation);
        }
        request->operation_count++;
    }
}

/** What a create has beside its operations. */
static void read_batch(shape_t *shape, const batch_json_slice_t *batch)
{
    batch_json_slice_t start;

    /* null is no boolean either: it would start what somebody may have meant to leave pending. */
    if (batch_json_member(&start, batch, "start") > 1) {
        batch_problem_list_add(shape->list, "is given twice", "start");
    }
    if (start.text && batch_json_kind(&start) != BATCH_JSON_BOOLEAN) {
        batch_problem_list_add(shape->list, "must be true or false", "start");
    } else if (start.text) {
        shape->request->start = batch_json_is_true(&start);
    }
    batch_shape_unavailable(&shape->members, batch, 0);
    batch_shape_words(&shape->members, batch, &batch_words_batch, "");
}

void batch_operations_read_shape(batch_operations_request_t *request, batch_problem_list_t *list,
                                 batch_body_e body, const char *skeleton, apr_size_t length,
                                 apr_pool_t *p)
{
    shape_t shape = {request, list, {list, p}};
    batch_json_slice_t parent = batch_json_document(skeleton, length);
    batch_json_slice_t operations;

    memset(request, 0, sizeof(*request));
    request->start = 1;
    batch_shape_words(&shape.members, &parent,
                      body == BATCH_BODY_CREATE ? &batch_words_create : &batch_words_operations,
                      "");
    if (body == BATCH_BODY_CREATE) {
        parent = batch_shape_member(&shape.members, &parent, "batch", "batch");
        if (batch_json_kind(&parent) != BATCH_JSON_OBJECT) {
            batch_problem_list_add(list, parent.text ? "must be an object" : "is required",
                                   "batch");
            return;
        }
        read_batch(&shape, &parent);
    }
    operations = batch_shape_member(&shape.members, &parent, "operations", "operations");
    if (operations.text) {
        read_operations(&shape, &operations);
    } else if (body == BATCH_BODY_OPERATIONS) {
        batch_problem_list_add(list, "is required", "operations");
    }
}

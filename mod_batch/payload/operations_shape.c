#include "payload/operations_shape.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "payload/json_text.h"

void batch_problem_list_add(batch_problem_list_t *list, const char *message, const char *field_fmt,
                            ...)
{
    va_list arguments;
    const char *field;

    if (list->listed >= BATCH_PROBLEMS_LISTED) {
        list->more++;
        return;
    }
    va_start(arguments, field_fmt);
    field = apr_pvsprintf(list->problems->pool, field_fmt, arguments);
    va_end(arguments);
    batch_problem_add(list->problems, field, "%s", message);
    list->listed++;
}

/** What the functions below share. */
typedef struct shape {
    batch_operations_request_t *request;
    batch_problem_list_t *list;
    apr_pool_t *p;
} shape_t;

/** The member of that name; null counts as absent. field names it in problems. */
static batch_json_slice_t member(shape_t *shape, const batch_json_slice_t *object, const char *name,
                                 const char *field)
{
    batch_json_slice_t value;

    if (batch_json_member(&value, object, name) > 1) {
        batch_problem_list_add(shape->list, "is given twice", "%s", field);
    }
    if (batch_json_kind(&value) == BATCH_JSON_NULL) {
        value.text = NULL;
    }
    return value;
}

/** A member that must be a string where it is there; NULL for none. */
static const char *string_member(shape_t *shape, const batch_json_slice_t *object, const char *name,
                                 const char *field)
{
    batch_json_slice_t value = member(shape, object, name, field);
    apr_size_t length;
    const char *text;

    if (!value.text) {
        return NULL;
    }
    if (batch_json_kind(&value) != BATCH_JSON_STRING) {
        batch_problem_list_add(shape->list, "must be a string", "%s", field);
        return NULL;
    }
    text = batch_json_string_decode(&length, value.text, value.length, shape->p);
    if (strlen(text) != length) {
        batch_problem_list_add(shape->list, "must not contain U+0000", "%s", field);
        return NULL;
    }
    return text;
}

/* ---- data ---------------------------------------------------------------------------------- */

/** The text of a member of data, whose name is in entry. Returns 0 after adding a problem. */
static int data_value(shape_t *shape, batch_value_t *entry, const batch_json_slice_t *value)
{
    apr_size_t length;

    switch (batch_json_kind(value)) {
    case BATCH_JSON_NULL:
        entry->kind = BATCH_KIND_NULL;
        entry->value = NULL;
        return 1;
    case BATCH_JSON_BOOLEAN:
    case BATCH_JSON_NUMBER:
        entry->kind =
            batch_json_kind(value) == BATCH_JSON_NUMBER ? BATCH_KIND_NUMBER : BATCH_KIND_BOOLEAN;
        /* As the client wrote it: no number loses digits on its way through a double. */
        entry->value = apr_pstrmemdup(shape->p, value->text, value->length);
        return 1;
    case BATCH_JSON_STRING:
        entry->kind = BATCH_KIND_STRING;
        entry->value = batch_json_string_decode(&length, value->text, value->length, shape->p);
        if (strlen(entry->value) == length) {
            return 1;
        }
        batch_problem_list_add(shape->list, "must not contain U+0000", "operations[0].data.%s",
                               entry->name);
        return 0;
    default:
        batch_problem_list_add(shape->list, "must be a string, a number, a boolean or null",
                               "operations[0].data.%s", entry->name);
        return 0;
    }
}

/** One member of data. names holds those before it. */
static void data_member(shape_t *shape, apr_hash_t *names, const batch_json_slice_t *name,
                        const batch_json_slice_t *value)
{
    batch_value_t entry;
    apr_size_t length;

    entry.name = batch_json_string_decode(&length, name->text, name->length, shape->p);
    if (length > BATCH_DATA_NAME_BYTES) {
        batch_problem_list_add(
            shape->list,
            "has a member with a name of over " APR_STRINGIFY(BATCH_DATA_NAME_BYTES) " bytes",
            "operations[0].data");
        return;
    }
    if (apr_hash_get(names, entry.name, (apr_ssize_t)length)) {
        batch_problem_list_add(shape->list, "is given twice", "operations[0].data.%s", entry.name);
        return;
    }
    apr_hash_set(names, entry.name, (apr_ssize_t)length, "");
    if (data_value(shape, &entry, value)) {
        APR_ARRAY_PUSH(shape->request->first.data, batch_value_t) = entry;
    }
}

static void read_data(shape_t *shape, const batch_json_slice_t *operation)
{
    batch_json_slice_t data = member(shape, operation, "data", "operations[0].data");
    apr_hash_t *names = apr_hash_make(shape->p);
    batch_json_slice_t name;
    batch_json_slice_t value;
    batch_json_cursor_t cursor;
    int count = 0;

    if (!data.text) {
        return;
    }
    if (batch_json_kind(&data) != BATCH_JSON_OBJECT) {
        batch_problem_list_add(shape->list, "must be an object", "operations[0].data");
        return;
    }
    shape->request->first.has_data = 1;
    shape->request->first.data = apr_array_make(shape->p, 4, sizeof(batch_value_t));
    batch_json_walk(&cursor, &data);
    while (batch_json_next_member(&name, &value, &cursor)) {
        if (++count > BATCH_DATA_MEMBERS) {
            batch_problem_list_add(
                shape->list,
                "must not have more than " APR_STRINGIFY(BATCH_DATA_MEMBERS) " members",
                "operations[0].data");
            return;
        }
        data_member(shape, names, &name, &value);
    }
}

/* ---- operations ---------------------------------------------------------------------------- */

static void read_first(shape_t *shape, const batch_json_slice_t *operation)
{
    batch_operation_t *first = &shape->request->first;
    batch_json_slice_t ids = member(shape, operation, "ids", "operations[0].ids");

    first->action = string_member(shape, operation, "action", "operations[0].action");
    first->resource = string_member(shape, operation, "resource", "operations[0].resource");
    first->form_id = string_member(shape, operation, "form_id", "operations[0].form_id");
    first->query = string_member(shape, operation, "query", "operations[0].query");
    first->has_ids = batch_json_kind(&ids) == BATCH_JSON_ARRAY;
    if (ids.text && !first->has_ids) {
        batch_problem_list_add(shape->list, "must be an array of strings", "operations[0].ids");
    }
    read_data(shape, operation);
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
    request->text = apr_pstrmemdup(shape->p, operations->text, operations->length);
    batch_json_walk(&cursor, operations);
    while (batch_json_next_element(&operation, &cursor)) {
        if (batch_json_kind(&operation) != BATCH_JSON_OBJECT) {
            batch_problem_list_add(shape->list, "must be an object", "operations[%d]",
                                   request->operation_count);
        } else if (!request->operation_count) {
            read_first(shape, &operation);
        }
        request->operation_count++;
    }
}

/** What a create has beside its operations. */
static void read_batch(shape_t *shape, const batch_json_slice_t *batch)
{
    static const char *const limits[] = {"max_removed", "max_errors"};
    batch_json_slice_t start;
    batch_json_slice_t dry_run = member(shape, batch, "dry_run", "dry_run");

    /* null is no boolean either: it would start what somebody may have meant to leave pending. */
    if (batch_json_member(&start, batch, "start") > 1) {
        batch_problem_list_add(shape->list, "is given twice", "start");
    }
    if (start.text && batch_json_kind(&start) != BATCH_JSON_BOOLEAN) {
        batch_problem_list_add(shape->list, "must be true or false", "start");
    } else if (start.text) {
        shape->request->start = batch_json_is_true(&start);
    }
    /* A safety net that is not there must not be passed over in silence. */
    if (dry_run.text && batch_json_kind(&dry_run) != BATCH_JSON_BOOLEAN) {
        batch_problem_list_add(shape->list, "must be true or false", "dry_run");
    } else if (batch_json_is_true(&dry_run)) {
        batch_problem_list_add(shape->list, "is not available in this version", "dry_run");
    }
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        batch_json_slice_t limit = member(shape, batch, limits[i], limits[i]);

        if (limit.text) {
            batch_problem_list_add(shape->list, "is not available in this version", "%s",
                                   limits[i]);
        }
    }
}

void batch_operations_read_shape(batch_operations_request_t *request, batch_problem_list_t *list,
                                 batch_body_e body, const char *skeleton, apr_size_t length,
                                 apr_pool_t *p)
{
    shape_t shape = {request, list, p};
    batch_json_slice_t parent = batch_json_document(skeleton, length);
    batch_json_slice_t operations;

    memset(request, 0, sizeof(*request));
    request->start = 1;
    if (body == BATCH_BODY_CREATE) {
        parent = member(&shape, &parent, "batch", "batch");
        if (batch_json_kind(&parent) != BATCH_JSON_OBJECT) {
            batch_problem_list_add(list, parent.text ? "must be an object" : "is required",
                                   "batch");
            return;
        }
        read_batch(&shape, &parent);
    }
    operations = member(&shape, &parent, "operations", "operations");
    if (operations.text) {
        read_operations(&shape, &operations);
    } else if (body == BATCH_BODY_OPERATIONS) {
        batch_problem_list_add(list, "is required", "operations");
    }
}

#include "payload/request_shape.h"

#include <stdarg.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

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

void batch_problem_list_end(batch_problem_list_t *list, const char *field)
{
    if (list->more) {
        batch_problem_add(list->problems, field,
                          "and %" APR_INT64_T_FMT " more problems that are not listed", list->more);
    }
}

batch_json_slice_t batch_shape_member(const batch_shape_t *shape, const batch_json_slice_t *object,
                                      const char *name, const char *field)
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

const char *batch_shape_string(const batch_shape_t *shape, const batch_json_slice_t *object,
                               const char *name, const char *field)
{
    batch_json_slice_t value = batch_shape_member(shape, object, name, field);
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

int batch_shape_flag(const batch_shape_t *shape, const batch_json_slice_t *object, const char *name,
                     const char *field, int absent)
{
    batch_json_slice_t value = batch_shape_member(shape, object, name, field);

    if (!value.text) {
        return absent;
    }
    if (batch_json_kind(&value) != BATCH_JSON_BOOLEAN) {
        batch_problem_list_add(shape->list, "must be true or false", "%s", field);
        return absent;
    }
    return batch_json_is_true(&value);
}

/* ---- Values -------------------------------------------------------------------------------- */

/** An object of values while it is read. */
typedef struct values {
    const batch_shape_t *shape;
    const char *field;
    int nested;
    apr_hash_t *names; /* of the members so far */
    apr_array_header_t *read;
} values_t;

/** The text of a member, whose name is in entry. Returns 0 after adding a problem. */
static int value_read(values_t *values, batch_value_t *entry, const batch_json_slice_t *value)
{
    apr_pool_t *p = values->shape->p;
    batch_json_kind_e kind = batch_json_kind(value);
    apr_size_t length;

    if (kind == BATCH_JSON_NULL) {
        entry->kind = BATCH_KIND_NULL;
        entry->value = NULL;
        return 1;
    }
    if (kind == BATCH_JSON_STRING) {
        entry->kind = BATCH_KIND_STRING;
        entry->value = batch_json_string_decode(&length, value->text, value->length, p);
        if (strlen(entry->value) != length) {
            batch_problem_list_add(values->shape->list, "must not contain U+0000", "%s.%s",
                                   values->field, entry->name);
            return 0;
        }
        return 1;
    }
    if ((kind == BATCH_JSON_ARRAY || kind == BATCH_JSON_OBJECT) && !values->nested) {
        batch_problem_list_add(values->shape->list, "must be a string, a number, a boolean or null",
                               "%s.%s", values->field, entry->name);
        return 0;
    }
    entry->kind = kind == BATCH_JSON_NUMBER    ? BATCH_KIND_NUMBER
                  : kind == BATCH_JSON_BOOLEAN ? BATCH_KIND_BOOLEAN
                                               : BATCH_KIND_JSON;
    /* As the client wrote it: no number loses digits on its way through a double. */
    entry->value = apr_pstrmemdup(p, value->text, value->length);
    return 1;
}

static void member_read(values_t *values, const batch_json_slice_t *name,
                        const batch_json_slice_t *value)
{
    batch_problem_list_t *list = values->shape->list;
    batch_value_t entry;
    apr_size_t length;

    entry.name = batch_json_string_decode(&length, name->text, name->length, values->shape->p);
    if (length > BATCH_VALUES_NAME_BYTES) {
        batch_problem_list_add(
            list,
            "has a member with a name of over " APR_STRINGIFY(BATCH_VALUES_NAME_BYTES) " bytes",
            "%s", values->field);
        return;
    }
    if (apr_hash_get(values->names, entry.name, (apr_ssize_t)length)) {
        batch_problem_list_add(list, "is given twice", "%s.%s", values->field, entry.name);
        return;
    }
    apr_hash_set(values->names, entry.name, (apr_ssize_t)length, "");
    if (value_read(values, &entry, value)) {
        APR_ARRAY_PUSH(values->read, batch_value_t) = entry;
    }
}

apr_array_header_t *batch_shape_values(const batch_shape_t *shape, const batch_json_slice_t *object,
                                       const char *name, const char *field, int nested)
{
    batch_json_slice_t all = batch_shape_member(shape, object, name, field);
    values_t values = {shape, field, nested, NULL, NULL};
    batch_json_slice_t member;
    batch_json_slice_t value;
    batch_json_cursor_t cursor;
    int count = 0;

    if (!all.text) {
        return NULL;
    }
    if (batch_json_kind(&all) != BATCH_JSON_OBJECT) {
        batch_problem_list_add(shape->list, "must be an object", "%s", field);
        return NULL;
    }
    values.names = apr_hash_make(shape->p);
    values.read = apr_array_make(shape->p, 4, sizeof(batch_value_t));
    batch_json_walk(&cursor, &all);
    while (batch_json_next_member(&member, &value, &cursor)) {
        if (++count > BATCH_VALUES_MEMBERS) {
            batch_problem_list_add(
                shape->list,
                "must not have more than " APR_STRINGIFY(BATCH_VALUES_MEMBERS) " members", "%s",
                field);
            break;
        }
        member_read(&values, &member, &value);
    }
    return values.read;
}

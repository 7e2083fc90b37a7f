#include "payload/request_shape.h"

#include <stdarg.h>
#include <string.h>

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

struct json_object *batch_shape_read(const batch_shape_t *shape, const batch_json_slice_t *text,
                                     int levels, const char *field, apr_pool_t *p)
{
    struct json_object *value;

    if (batch_json_read(&value, text, levels, p) != APR_SUCCESS) {
        batch_problem_list_add(shape->list,
                               "has more than " APR_STRINGIFY(BATCH_JSON_MEMBERS) " members", "%s",
                               field);
    }
    return value;
}

struct json_object *batch_shape_member(const batch_shape_t *shape, const struct json_object *object,
                                       const char *name, const char *field)
{
    struct json_object *value = NULL;

    if (batch_json_is_repeated(object, name)) {
        batch_problem_list_add(shape->list, "is given twice", "%s", field);
    }
    (void)json_object_object_get_ex(object, name, &value);
    return value;
}

/** What a string stands for, in the pool of the shape; NULL if U+0000 is in it. */
static const char *string_of(const batch_shape_t *shape, struct json_object *value)
{
    const char *text = json_object_get_string(value);
    apr_size_t length = (apr_size_t)json_object_get_string_len(value);

    return memchr(text, '\0', length) ? NULL : apr_pstrmemdup(shape->p, text, length);
}

const char *batch_shape_string(const batch_shape_t *shape, const struct json_object *object,
                               const char *name, const char *field)
{
    struct json_object *value = batch_shape_member(shape, object, name, field);
    const char *text;

    if (!value) {
        return NULL;
    }
    if (!json_object_is_type(value, json_type_string)) {
        batch_problem_list_add(shape->list, "must be a string", "%s", field);
        return NULL;
    }
    text = string_of(shape, value);
    if (!text) {
        batch_problem_list_add(shape->list, "must not contain U+0000", "%s", field);
    }
    return text;
}

int batch_shape_flag(const batch_shape_t *shape, const struct json_object *object, const char *name,
                     const char *field, int absent)
{
    struct json_object *value = batch_shape_member(shape, object, name, field);

    if (!value) {
        return absent;
    }
    if (!json_object_is_type(value, json_type_boolean)) {
        batch_problem_list_add(shape->list, "must be true or false", "%s", field);
        return absent;
    }
    return json_object_get_boolean(value);
}

/* ---- Values -------------------------------------------------------------------------------- */

/** The kind of a member, and its text, of the object that field names. 0 after adding a problem. */
static int value_read(batch_value_t *entry, const batch_shape_t *shape, struct json_object *value,
                      const char *field, int nested)
{
    const char *wrong = NULL;
    batch_json_slice_t source = batch_json_source(value);

    switch (json_object_get_type(value)) {
    case json_type_null:
        entry->kind = BATCH_KIND_NULL;
        entry->value = NULL;
        return 1;
    case json_type_string:
        entry->kind = BATCH_KIND_STRING;
        entry->value = string_of(shape, value);
        wrong = entry->value ? NULL : "must not contain U+0000";
        break;
    case json_type_boolean:
        entry->kind = BATCH_KIND_BOOLEAN;
        break;
    case json_type_array:
    case json_type_object:
        entry->kind = BATCH_KIND_JSON;
        wrong = nested ? NULL : "must be a string, a number, a boolean or null";
        break;
    default:
        entry->kind = BATCH_KIND_NUMBER;
    }
    if (wrong) {
        batch_problem_list_add(shape->list, wrong, "%s.%s", field, entry->name);
    } else if (entry->kind != BATCH_KIND_STRING) {
        /* As the client wrote it: no number loses digits on its way through a double. */
        entry->value = apr_pstrmemdup(shape->p, source.text, source.length);
    }
    return !wrong;
}

apr_array_header_t *batch_shape_values(const batch_shape_t *shape, const struct json_object *object,
                                       const char *name, const char *field, int nested)
{
    struct json_object *all = batch_shape_member(shape, object, name, field);
    apr_array_header_t *values;
    int count = 0;

    if (!all) {
        return NULL;
    }
    if (!json_object_is_type(all, json_type_object)) {
        batch_problem_list_add(shape->list, "must be an object", "%s", field);
        return NULL;
    }
    values = apr_array_make(shape->p, 4, sizeof(batch_value_t));
    json_object_object_foreach (all, member, value) {
        batch_value_t entry = {.name = member};

        if (++count > BATCH_VALUES_MEMBERS) {
            batch_problem_list_add(
                shape->list,
                "must not have more than " APR_STRINGIFY(BATCH_VALUES_MEMBERS) " members", "%s",
                field);
            break;
        }
        if (strlen(member) > BATCH_VALUES_NAME_BYTES) {
            batch_problem_list_add(
                shape->list,
                "has a member with a name of over " APR_STRINGIFY(BATCH_VALUES_NAME_BYTES) " bytes",
                "%s", field);
            continue;
        }
        if (batch_json_is_repeated(all, member)) {
            batch_problem_list_add(shape->list, "is given twice", "%s.%s", field, member);
        }
        if (value_read(&entry, shape, value, field, nested)) {
            entry.name = apr_pstrdup(shape->p, member);
            APR_ARRAY_PUSH(values, batch_value_t) = entry;
        }
    }
    return values;
}

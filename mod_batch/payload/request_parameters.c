#include "payload/request_parameters.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/json_reader.h"
#include "payload/request_words.h"
#include "text/nearest_word.h"

/* What parameters stand for, where it is no string: true or false; an object or a number. */
static const char *const flags[] = {"save_upload", "atomic",      "dry_run",
                                    "allow_empty", "save_result", NULL};
static const char *const values[] = {"properties", "max_removed", "max_errors", "columns", NULL};

#define KNOWN batch_parameters_resources_create.known

int batch_request_parameter_is_known(const char *name)
{
    return name && batch_word_is_known(name, strlen(name), KNOWN);
}

const char *batch_request_parameter_wrong(const char *name, apr_pool_t *p)
{
    return name
               ? batch_request_word_check(name, strlen(name), &batch_parameters_resources_create, p)
               : NULL;
}

/* ---- Members --------------------------------------------------------------------------------- */

static void members_read(batch_resources_request_t *request, const batch_shape_t *shape,
                         const struct json_object *all)
{
    const struct json_object *data = batch_shape_member(shape, all, "data", "data");

    request->mode = batch_shape_string(shape, all, "mode", "mode");
    request->action = batch_shape_string(shape, all, "action", "action");
    request->resource = batch_shape_string(shape, all, "resource", "resource");
    request->duplicate_handling =
        batch_shape_string(shape, all, "duplicate_handling", "duplicate_handling");
    request->save_upload = batch_shape_flag(shape, all, "save_upload", "save_upload", 1);
    request->atomic = batch_shape_flag(shape, all, "atomic", "atomic", 1);
    request->allow_empty = batch_shape_flag(shape, all, "allow_empty", "allow_empty", 0);
    request->properties = batch_shape_values(shape, all, "properties", "properties", 1);
    batch_shape_unavailable(shape, all, 1);
    batch_shape_words(shape, all, &batch_words_resources, "");
    request->has_data = json_object_is_type(data, json_type_array);
    if (data && !request->has_data) {
        batch_problem_list_add(shape->list, "must be an array of objects", "data");
    }
}

void batch_request_members_read(batch_resources_request_t *request, const char *text,
                                apr_size_t length, batch_problems_t *problems, apr_pool_t *p)
{
    batch_problem_list_t list = {problems, 0, 0};
    batch_shape_t shape = {&list, p};
    batch_json_slice_t document = batch_json_document(text, length);

    if (batch_json_kind(&document) == BATCH_JSON_OBJECT) {
        members_read(request, &shape, batch_shape_read(&shape, &document, 2, "body", p));
    } else {
        batch_problem_list_add(&list, "must be an object with resource, action and data", "body");
    }
    batch_problem_list_end(&list, "body");
}

/* ---- Parameters ------------------------------------------------------------------------------ */

/** Adds a value as the JSON that it stands for; what stands for none becomes a string. */
static void value_add(struct json_object *all, const batch_shape_t *shape, const char *name,
                      const char *value)
{
    apr_size_t length = strlen(value);
    int is_flag = batch_word_is_known(name, strlen(name), flags);
    int is_true = is_flag && (!strcasecmp(value, "true") || !strcmp(value, "1"));

    if (is_true || (is_flag && (!strcasecmp(value, "false") || !strcmp(value, "0")))) {
        batch_json_add_flag(all, name, is_true);
    } else if (batch_word_is_known(name, strlen(name), values) &&
               batch_json_is_valid(value, length, shape->p)) {
        batch_json_slice_t text = batch_json_document(value, length);

        batch_json_add(all, name,
                       json_object_get(batch_shape_read(shape, &text, 1, name, shape->p)));
    } else {
        batch_json_add_text(all, name, value);
    }
}

apr_array_header_t *batch_request_parameters_read(batch_resources_request_t *request,
                                                  batch_problems_t *problems,
                                                  batch_parameter_fn *get, void *baton,
                                                  apr_pool_t *p)
{
    apr_array_header_t *given = apr_array_make(p, 4, sizeof(const char *));
    struct json_object *all = batch_json_object(p);
    batch_problem_list_t list = {problems, 0, 0};
    batch_shape_t shape = {&list, p};

    memset(request, 0, sizeof(*request));
    for (const char *const *name = KNOWN; *name; name++) {
        const char *value = get(baton, *name);

        if (value) {
            APR_ARRAY_PUSH(given, const char *) = *name;
            value_add(all, &shape, *name, value);
        }
    }
    members_read(request, &shape, all);
    batch_problem_list_end(&list, "body");
    return given;
}

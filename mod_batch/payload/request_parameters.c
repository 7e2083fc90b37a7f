#include "payload/request_parameters.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/json_reader.h"
#include "payload/request_shape.h"
#include "payload/text_buffer.h"
#include "payload/writer.h"

/** What a parameter is written as. */
static const struct parameter {
    const char *name;
    int is_flag;
    int is_json; /* an object or a number */
} parameters[] = {
    {"mode", 0, 0},        {"action", 0, 0},
    {"resource", 0, 0},    {"duplicate_handling", 0, 0},
    {"save_upload", 1, 0}, {"atomic", 1, 0},
    {"dry_run", 1, 0},     {"allow_empty", 1, 0},
    {"properties", 0, 1},  {"max_removed", 0, 1},
    {"max_errors", 0, 1},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int batch_request_parameter_is_known(const char *name)
{
    for (size_t i = 0; name && i < COUNT(parameters); i++) {
        if (!strcmp(parameters[i].name, name)) {
            return 1;
        }
    }
    return 0;
}

/* ---- Members --------------------------------------------------------------------------------- */

static void members_read(batch_resources_request_t *request, const batch_shape_t *shape,
                         const batch_json_slice_t *all)
{
    batch_json_slice_t data = batch_shape_member(shape, all, "data", "data");

    request->mode = batch_shape_string(shape, all, "mode", "mode");
    request->action = batch_shape_string(shape, all, "action", "action");
    request->resource = batch_shape_string(shape, all, "resource", "resource");
    request->duplicate_handling =
        batch_shape_string(shape, all, "duplicate_handling", "duplicate_handling");
    request->save_upload = batch_shape_flag(shape, all, "save_upload", "save_upload", 1);
    request->atomic = batch_shape_flag(shape, all, "atomic", "atomic", 1);
    request->allow_empty = batch_shape_flag(shape, all, "allow_empty", "allow_empty", 0);
    request->properties = batch_shape_values(shape, all, "properties", "properties", 1);
    batch_shape_safety_nets(shape, all);
    request->has_data = batch_json_kind(&data) == BATCH_JSON_ARRAY;
    if (data.text && !request->has_data) {
        batch_problem_list_add(shape->list, "must be an array of objects", "data");
    }
}

void batch_request_members_read(batch_resources_request_t *request, const char *text,
                                apr_size_t length, batch_problems_t *problems, apr_pool_t *p)
{
    batch_problem_list_t list = {problems, 0, 0};
    batch_shape_t shape = {&list, p};
    batch_json_slice_t all = batch_json_document(text, length);

    if (batch_json_kind(&all) == BATCH_JSON_OBJECT) {
        members_read(request, &shape, &all);
    } else {
        batch_problem_list_add(&list, "must be an object with resource, action and data", "body");
    }
    batch_problem_list_end(&list, "body");
}

/* ---- Parameters ------------------------------------------------------------------------------ */

/** Writes a value as the JSON that it stands for; what stands for none becomes a string. */
static void value_write(batch_text_writer_t *writer, const struct parameter *parameter,
                        const char *value, apr_pool_t *p)
{
    if (parameter->is_flag && (!strcasecmp(value, "true") || !strcmp(value, "1"))) {
        batch_write_text(writer, "true");
    } else if (parameter->is_flag && (!strcasecmp(value, "false") || !strcmp(value, "0"))) {
        batch_write_text(writer, "false");
    } else if (parameter->is_json && batch_json_is_valid(value, strlen(value), p)) {
        batch_write_text(writer, value);
    } else {
        batch_write_json_string(writer, value);
    }
}

apr_array_header_t *batch_request_parameters_read(batch_resources_request_t *request,
                                                  batch_problems_t *problems,
                                                  batch_parameter_fn *get, void *baton,
                                                  apr_pool_t *p)
{
    apr_array_header_t *given = apr_array_make(p, 4, sizeof(const char *));
    batch_text_buffer_t buffer = {.p = p};
    batch_sink_t sink = batch_text_buffer_sink(&buffer);
    batch_text_writer_t writer;

    memset(request, 0, sizeof(*request));
    batch_text_writer_init(&writer, &sink);
    batch_write_text(&writer, "{");
    for (size_t i = 0; i < COUNT(parameters); i++) {
        const char *value = get(baton, parameters[i].name);

        if (value) {
            batch_write_text(&writer, given->nelts ? ",\"" : "\"");
            batch_write_text(&writer, parameters[i].name);
            batch_write_text(&writer, "\":");
            value_write(&writer, &parameters[i], value, p);
            APR_ARRAY_PUSH(given, const char *) = parameters[i].name;
        }
    }
    batch_write_text(&writer, "}");
    if (batch_writer_end(&writer) == APR_SUCCESS) {
        batch_request_members_read(request, buffer.data, buffer.used, problems, p);
    }
    return given;
}

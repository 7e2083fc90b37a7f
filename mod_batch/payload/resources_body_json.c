/* The formats {"action":…,"resource":…,"data":[…],…} and [{…},{…}]. */
#include "payload/body_format.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/json_reader.h"
#include "payload/request_parameters.h"
#include "text/check.h"

/** Takes one element of the array: a batch_json_element_fn. */
static apr_status_t take_element(void *baton, const batch_json_element_t *element)
{
    batch_resources_body_t *body =
        BATCH_CAST(batch_resources_body_t, baton, BATCH_RESOURCES_BODY_MAGIC);
    batch_spool_entry_t entry = {0, element->text, element->text ? element->length : 0};

    body->is_file = batch_json_reader_root(body->state) == '[';
    return batch_body_add_item(body, &entry);
}

/** Makes the reader; the array is at path, or is the document. */
static apr_status_t make_reader(batch_resources_body_t *body, const char *path)
{
    batch_json_reader_config_t config = {
        .path = path,
        .or_document = 1,
        .element = take_element,
        .baton = body,
        .max_skeleton = BATCH_REQUEST_BYTES,
        .max_element = (apr_size_t)body->max_item_size + BATCH_ITEM_WRAPPING,
    };

    body->state = batch_json_reader_make(&config, body->p);
    return APR_SUCCESS;
}

static apr_status_t make(batch_resources_body_t *body, batch_error_t *err)
{
    (void)err;
    return make_reader(body, "data");
}

/** Who sends an object a line, and says that it is JSON or does not say what it is. */
static void explain(batch_resources_body_t *body, batch_error_t *err)
{
    if (batch_json_reader_is_second(body->state)) {
        err->message = apr_pstrcat(body->p, err->message,
                                   "; a file of one object a line has the Content-Type "
                                   "application/x-ndjson",
                                   NULL);
    }
}

static apr_status_t feed(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                         batch_error_t *err)
{
    apr_status_t status = batch_json_reader_feed(body->state, bytes, length, err);

    body->is_file = batch_json_reader_root(body->state) == '[';
    if (status == BATCH_EMALFORMED) {
        explain(body, err);
    }
    return status;
}

static apr_status_t finish(batch_resources_request_t *request, batch_resources_body_t *body,
                           batch_error_t *err)
{
    const char *skeleton;
    apr_size_t length;
    apr_status_t status = batch_json_reader_finish(&skeleton, &length, body->state, err);

    if (status == APR_SUCCESS && !body->is_file) {
        request->has_data = 0;
        request->via = BATCH_VIA_API;
        batch_request_members_read(request, skeleton, length, body->problems, body->p);
    }
    return status;
}

/* ---- A bare array ------------------------------------------------------------------------------
 */

static apr_status_t make_array(batch_resources_body_t *body, batch_error_t *err)
{
    (void)err;
    return make_reader(body, "");
}

static apr_status_t feed_array(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                               batch_error_t *err)
{
    apr_status_t status = batch_json_reader_feed(body->state, bytes, length, err);
    char root = batch_json_reader_root(body->state);

    /* Whatever else is wrong with it: that would depend on where the slices end. */
    if (root && strchr("{\"tfn-0123456789", root)) {
        return batch_body_refuse(body, err, 0, 0, "body", "must be a JSON array of objects");
    }
    return status;
}

static apr_status_t finish_array(batch_resources_request_t *request, batch_resources_body_t *body,
                                 batch_error_t *err)
{
    (void)request;
    return batch_json_reader_finish(NULL, NULL, body->state, err);
}

/* ---- Items ------------------------------------------------------------------------------------
 */

static apr_status_t begin_items(batch_resources_body_t *body, const batch_resource_t *resource,
                                apr_pool_t *p)
{
    body->item_state = batch_item_parser_make(resource, body->max_item_size, p);
    return APR_SUCCESS;
}

static void read_item(batch_source_item_t *item, batch_resources_body_t *body,
                      const batch_spool_entry_t *entry, apr_pool_t *p)
{
    batch_item_parse(item, body->item_state, entry->text, entry->length, p);
}

const batch_body_format_t batch_body_format_json = {make, feed, finish, begin_items, read_item};
const batch_body_format_t batch_body_format_array = {make_array, feed_array, finish_array,
                                                     begin_items, read_item};

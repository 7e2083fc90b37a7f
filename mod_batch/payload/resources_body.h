/*
 * Bodies of the resources API: bytes as they arrive -> a request and a source of its items.
 *
 * A body is never held whole. Its items are put into a spool as they come, in memory up to
 * BATCH_SPOOL_BYTES and in a temporary file (unlinked at once) beyond; only when the body has come
 * to its end, and was well-formed to its end, are they read from there. So the members of a request
 * may stand in any order, nothing of a body that breaks off is kept, and no transaction ever
 * waits for a client.
 */
#ifndef BATCH_PAYLOAD_RESOURCES_BODY_H
#define BATCH_PAYLOAD_RESOURCES_BODY_H

#include "batch.h"
#include "engine/intake.h"

/** Limit of a request less its data. */
#define BATCH_REQUEST_BYTES (1024 * 1024)

typedef enum {
    BATCH_FORMAT_JSON /* {"action":…,"resource":…,"data":[…],…} */
} batch_format_e;

typedef struct batch_resources_body batch_resources_body_t;

/**
 * Starts to read a body. Of limits two count, and are copied: max_item_size, the bytes of an item's
 * text (a longer one becomes an item that is wrong, without its original), and max_items: of those
 * behind it nothing is kept, but they count. Its spool is removed with p.
 */
apr_status_t batch_resources_body_make(batch_resources_body_t **body, batch_format_e format,
                                       const batch_limits_t *limits, batch_error_t *err,
                                       apr_pool_t *p);

/**
 * Takes the next bytes. BATCH_EMALFORMED: not of its format, with err->line, err->column and a
 * message for the client; BATCH_ETOOLARGE: over BATCH_REQUEST_BYTES; BATCH_EUNAVAILABLE: the spool
 * cannot be written (err has a tag).
 */
apr_status_t batch_resources_body_feed(batch_resources_body_t *body, const char *bytes,
                                       apr_size_t length, batch_error_t *err);

/**
 * Ends the body. Adds a problem for each member of a wrong type; *request holds what could be read,
 * its checksum included, strings in the body's pool. Statuses as feed.
 */
apr_status_t batch_resources_body_finish(batch_resources_request_t *request,
                                         batch_resources_body_t *body, batch_problems_t *problems,
                                         batch_error_t *err);

/**
 * The items of a finished body, for a resource. Lives as long as the body; its count is that of all
 * items, those that were not kept included. What is wrong with an item: item_json.h.
 */
const batch_item_source_t *batch_resources_body_source(batch_resources_body_t *body,
                                                       const batch_resource_t *resource);

#endif

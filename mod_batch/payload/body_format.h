/*
 * What a format of bodies is to resources_body.c: how bytes become entries of the spool, and how an
 * entry becomes an item. Private to the files of resources_body.h and its formats.
 */
#ifndef BATCH_PAYLOAD_BODY_FORMAT_H
#define BATCH_PAYLOAD_BODY_FORMAT_H

#include "payload/item_json.h"
#include "payload/resources_body.h"
#include "payload/spool.h"

typedef struct batch_body_format {
    /** Sets body->state. */
    apr_status_t (*make)(batch_resources_body_t *body, batch_error_t *err);
    /** Takes the next bytes; gives whole items to batch_body_add_item. */
    apr_status_t (*feed)(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                         batch_error_t *err);
    /** Ends the body, and fills what of the request it holds. */
    apr_status_t (*finish)(batch_resources_request_t *request, batch_resources_body_t *body,
                           batch_problems_t *problems, batch_error_t *err);
    /** Gets ready to read items of a resource; sets body->item_state. */
    void (*begin_items)(batch_resources_body_t *body, const batch_resource_t *resource);
    /** Makes an item of an entry. */
    void (*read_item)(batch_source_item_t *item, batch_resources_body_t *body,
                      const batch_spool_entry_t *entry, apr_pool_t *p);
} batch_body_format_t;

struct batch_resources_body {
    apr_pool_t *p;
    const batch_body_format_t *format;
    apr_int64_t max_items;
    apr_int64_t max_item_size;
    void *digest; /* of all bytes so far */
    batch_spool_t *spool;
    batch_error_t spool_error; /* status is APR_SUCCESS while it takes what comes */
    apr_int64_t count;         /* items so far */
    void *state;
    void *item_state;
    batch_item_source_t source;
};

/** Puts an item's text (NULL: too large) away, as its format has it. */
apr_status_t batch_body_add_item(batch_resources_body_t *body, const batch_spool_entry_t *entry);

/** The formats. */
extern const batch_body_format_t batch_body_format_json;

#endif

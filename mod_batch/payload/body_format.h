/*
 * What a format of bodies is to resources_body.c: how bytes become entries of the spool, and how an
 * entry becomes an item. Private to the files of resources_body.h and its formats.
 */
#ifndef BATCH_PAYLOAD_BODY_FORMAT_H
#define BATCH_PAYLOAD_BODY_FORMAT_H

#include "payload/item_json.h"
#include "payload/multipart.h"
#include "payload/resources_body.h"
#include "payload/spool.h"
#include "text/text_buffer.h"

typedef struct batch_body_format {
    /** Sets body->state. */
    apr_status_t (*make)(batch_resources_body_t *body, batch_error_t *err);
    /** Takes the next bytes; gives whole items to batch_body_add_item. */
    apr_status_t (*feed)(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                         batch_error_t *err);
    /** Ends the body, and fills what of the request it holds. */
    apr_status_t (*finish)(batch_resources_request_t *request, batch_resources_body_t *body,
                           batch_error_t *err);
    /** Gets ready to read items of a resource; sets body->item_state, in p. APR_ENOMEM */
    apr_status_t (*begin_items)(batch_resources_body_t *body, const batch_resource_t *resource,
                                apr_pool_t *p);
    /** Makes an item of an entry. */
    void (*read_item)(batch_source_item_t *item, batch_resources_body_t *body,
                      const batch_spool_entry_t *entry, apr_pool_t *p);
} batch_body_format_t;

struct batch_resources_body {
    unsigned magic;
#define BATCH_RESOURCES_BODY_MAGIC 0xc6d7c075u
    apr_pool_t *p;
    const batch_body_format_t *format; /* NULL: of a file in a multipart body, not yet known */
    batch_multipart_t *multipart;      /* NULL: the body is the file, or a request */
    const batch_resource_t *resource;  /* NULL: not known before the body's end */
    batch_problems_t *problems;
    apr_int64_t max_items;
    apr_int64_t max_item_size;
    batch_body_file_fn *file; /* NULL: nobody wants to know that it is one */
    void *file_baton;
    apr_table_t *fields;    /* of a form, as far as they have come */
    batch_spool_t *waiting; /* the file, until the fields behind it are known; NULL: it is read */
    batch_text_buffer_t piece; /* the end of it */
    batch_text_buffer_t head;  /* the first bytes, until they have told what the body is */
    int is_begun;              /* they have, and went to the format */
    void *digest;              /* of all bytes so far; of the file's only in a multipart body */
    batch_spool_t *spool;
    batch_error_t item_error;       /* status is APR_SUCCESS while items can be put away */
    apr_int64_t count;              /* items so far */
    apr_off_t bytes;                /* of the body, or of its file, so far */
    struct batch_body_early *early; /* NULL: its items are read when all of it is there */
    int is_file;
    void *state;
    void *item_state;
    apr_status_t items_begun; /* what begin_items returned */
    batch_item_source_t source;
};

/**
 * Puts an item's text (NULL: too large) away, as its format has it. Where this fails the body's
 * item_error says why, and goes before what the format says.
 */
apr_status_t batch_body_add_item(batch_resources_body_t *body, const batch_spool_entry_t *entry);

/**
 * The body is at its end, and well-formed: what was judged of its items meanwhile, as long as the
 * body; NULL: nothing.
 */
struct batch_early *batch_body_early_end(batch_resources_body_t *body);

/** Adds a problem, and makes of it what is wrong with the body: BATCH_EINVALID. line 0: none. */
apr_status_t batch_body_refuse(batch_resources_body_t *body, batch_error_t *err, apr_int64_t line,
                               apr_int64_t column, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/** The formats. */
extern const batch_body_format_t batch_body_format_json;
extern const batch_body_format_t batch_body_format_array;
extern const batch_body_format_t batch_body_format_ndjson;
extern const batch_body_format_t batch_body_format_csv;

#endif

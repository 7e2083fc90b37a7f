/*
 * Bodies of the resources API: bytes as they arrive -> a request and a source of its items, or a
 * file and a source of its items.
 *
 * A body is never held whole. Its items are put into a spool as they come, in memory up to
 * BATCH_SPOOL_BYTES and in a temporary file (unlinked at once) beyond; only when the body has come
 * to its end, and was well-formed to its end, are they read from there, or used as far as they were
 * judged meanwhile. So the members of a request may stand in any order, nothing of a body that
 * breaks off is kept, and no transaction ever waits for a client.
 */
#ifndef BATCH_PAYLOAD_RESOURCES_BODY_H
#define BATCH_PAYLOAD_RESOURCES_BODY_H

#include "batch.h"
#include "engine/intake.h"
#include "payload/content_type.h"

/** Limit of a request less its data. */
#define BATCH_REQUEST_BYTES (1024 * 1024)

typedef struct batch_resources_body batch_resources_body_t;

/**
 * Starts to read a body. content is copied. resource: whose items a file has, since the header row
 * of a CSV file is judged when it comes; NULL only where content->format is BATCH_FORMAT_JSON and
 * there is no boundary, or where batch_resources_body_when_file sets it. Of limits two count, and
 * are copied: max_item_size, the bytes of an item's text (a longer one becomes an item that is
 * wrong, without its original), and max_items: a file with more is not read on, of a request's data
 * nothing is kept behind them, but they count. problems: where is put what is wrong with the body
 * as a whole, by this call and the later ones. Its spool is removed with p.
 */
apr_status_t batch_resources_body_make(batch_resources_body_t **body,
                                       const batch_content_t *content,
                                       const batch_resource_t *resource,
                                       const batch_limits_t *limits, batch_problems_t *problems,
                                       batch_error_t *err, apr_pool_t *p);

/**
 * Has the items of a file judged while they arrive, as those of a batch with these terms, which
 * stand as long as the body. length: bytes of the body as the client has declared them. To be
 * called before much of it has come; it does nothing where that is not of use. What comes of it is
 * in the source.
 */
void batch_resources_body_judge_early(batch_resources_body_t *body, const batch_engine_t *engine,
                                      const batch_terms_t *terms, apr_off_t length);

/**
 * Is called once it is known that a body is a file that is not a JSON document, before any of it is
 * read: the fields of a form that have come so far (of anything else none), and the resource to be
 * set. more: others may follow; APR_INCOMPLETE then puts the file away unread, until it is asked
 * once more behind the last one. Another status than APR_SUCCESS ends the reading, and is what feed
 * or finish returns.
 */
typedef apr_status_t batch_body_file_fn(void *baton, const batch_resource_t **resource,
                                        const apr_table_t *fields, int more, batch_error_t *err);

/** Has a new body call that, where it is a form or its type says nothing. */
void batch_resources_body_when_file(batch_resources_body_t *body, batch_body_file_fn *fn,
                                    void *baton);

/**
 * Takes the next bytes. BATCH_EMALFORMED: JSON that is none, with err->line, err->column and a
 * message for the client (400; of an upload, 422); BATCH_EINVALID: not of its format otherwise, or
 * too many items: problems says what is wrong, and err->message the first of it in one sentence,
 * with the line (422); BATCH_ETOOLARGE: over BATCH_REQUEST_BYTES; BATCH_EPART: it says that it is a
 * part of something, in one sentence (400); BATCH_EUNAVAILABLE: the spool cannot be written (err
 * has a tag).
 */
apr_status_t batch_resources_body_feed(batch_resources_body_t *body, const char *bytes,
                                       apr_size_t length, batch_error_t *err);

/** The fields of a form: after the end all of them. Lives as long as the body. */
const apr_table_t *batch_resources_body_fields(const batch_resources_body_t *body);

/** 1 once it is known that the body is a file: at once, or after the first byte of JSON. */
int batch_resources_body_is_file(const batch_resources_body_t *body);

/** The items that have come so far. */
apr_int64_t batch_resources_body_count(const batch_resources_body_t *body);

/**
 * Ends the body. *request holds what could be read, its checksum included, strings in the body's
 * pool; of a file that is has_data, via and checksum, all else being what it is when absent. A
 * request gets a problem for each member of a wrong type, with APR_SUCCESS. Statuses as feed.
 */
apr_status_t batch_resources_body_finish(batch_resources_request_t *request,
                                         batch_resources_body_t *body, batch_error_t *err);

/**
 * The items of a finished body, for a resource (that of batch_resources_body_make where one was
 * given). Lives as long as the body, and may be read by another thread, while nobody else uses the
 * body. Its count is that of all items, those that were not kept
 * included. What is wrong with an item: item_json.h, item_csv.h.
 */
const batch_item_source_t *batch_resources_body_source(batch_resources_body_t *body,
                                                       const batch_resource_t *resource);

#endif

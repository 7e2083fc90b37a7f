/*
 * An exchange: one request that our handler answers. What the files of http/ share among
 * themselves. Private to http/.
 */
#ifndef BATCH_HTTP_EXCHANGE_H
#define BATCH_HTTP_EXCHANGE_H

#include <httpd.h>
#include <http_config.h>

#include "batch.h"
#include "http/http.h"
#include "payload/request_words.h"
#include "payload/resources_json.h"
#include "text/sink.h"

extern module AP_MODULE_DECLARE_DATA batch_module;

typedef struct batch_exchange {
    unsigned magic;
#define BATCH_EXCHANGE_MAGIC 0x562109d9u
    request_rec *r;
    const batch_service_t *service;
    batch_actor_t actor;
    batch_api_e api;    /* by the path: in its shape the reply is made, errors included */
    const char *prefix; /* of the path, before "/batch" or "/batches"; "" where there is none */
    const char *id;     /* of the batch, lower case; NULL in the route of the list */
    const batch_urls_t *urls;   /* of the batch that is shown; NULL = none */
    batch_problems_t *problems; /* what is wrong with the request, its query string at first */
    const batch_resource_t *resource; /* which the request needs for that action; NULL = none */
    batch_action_e action;
    int dot_json;    /* the path ended with .json */
    int body_begun;  /* reading the request's body has begun */
    int body_read;   /* the request's body was read to its end */
    int leaves_line; /* a batch that others waited for has ended: a worker is to look for them */
} batch_exchange_t;

/** Answers an exchange; returns what the handler returns to httpd. */
typedef int batch_endpoint_fn(batch_exchange_t *x);

/** The handler's name (SetHandler). */
#define BATCH_HANDLER "batch"

/** 1 if r's configuration, or the module that set r->handler, hands r to our handler. */
int batch_is_ours(request_rec *r);

/* ---- Routes (routes.c) ------------------------------------------------------------------------
 */

typedef struct batch_route batch_route_t;

/**
 * Finds the route of x's path and fills prefix, id and dot_json. NULL if there is none. Any prefix
 * may stand before the route; of several that fit, the longest route counts.
 */
const batch_route_t *batch_route_find(batch_exchange_t *x);

/** The API that a path belongs to, whether it has a route or not; path may be NULL. */
batch_api_e batch_route_api(const char *path, apr_pool_t *p);

/**
 * Looks at the query string, and lets the endpoint of the request's method (HEAD as GET) answer;
 * 405 if the route does not have it. What is wrong with the query string is in x->problems for
 * endpoints that list what is wrong, and is the answer for all others.
 */
int batch_route_answer(batch_exchange_t *x, const batch_route_t *route);

/** 1 if the route is one of a batch's files: a signed URL may lead there. */
int batch_route_is_file(const batch_route_t *route);

/** The route's methods as the header Allow names them, in p. */
const char *batch_route_methods(const batch_route_t *route, apr_pool_t *p);

/* ---- Endpoints of the records API -------------------------------------------------------------
 */

int batch_records_create(batch_exchange_t *x);
int batch_records_list(batch_exchange_t *x);
int batch_records_get(batch_exchange_t *x);
int batch_records_add_operations(batch_exchange_t *x);
int batch_records_start(batch_exchange_t *x);
int batch_records_delete(batch_exchange_t *x);
int batch_records_errors_json(batch_exchange_t *x);
int batch_records_errors_csv(batch_exchange_t *x);

/* ---- Endpoints of the resources API -----------------------------------------------------------
 */

int batch_resources_create(batch_exchange_t *x);
int batch_resources_list(batch_exchange_t *x);
struct batch_terms; /* engine/intake.h */

/** Of a create without data: makes a batch that waits for its upload, and answers with its URL. */
int batch_resources_request_upload(batch_exchange_t *x, const struct batch_terms *terms);

int batch_resources_get(batch_exchange_t *x);
int batch_resources_cancel(batch_exchange_t *x);
int batch_resources_upload(batch_exchange_t *x);
int batch_resources_upload_csv(batch_exchange_t *x);
int batch_resources_upload_json(batch_exchange_t *x);
int batch_resources_errors_csv(batch_exchange_t *x);
int batch_resources_errors_json(batch_exchange_t *x);

/* ---- What the endpoints of both APIs share (endpoint.c) ----------------------------------------
 */

/**
 * A batch's request needs that action of a resource. 1: it is in service. 0 after the reply was
 * made, with *code for httpd. From then on a failure that says that the resource does not fit the
 * database is of that action.
 */
int batch_endpoint_in_service(batch_exchange_t *x, const batch_resource_t *resource,
                              batch_action_e action, int *code);

/**
 * The batch that the path names, if it is of this organization and of this API. 0 after the reply
 * was made, with *code for httpd.
 */
int batch_endpoint_find_job(batch_exchange_t *x, batch_job_t *job, int *code);

/**
 * Reads the body of a request that needs none, as far as BATCH_NEEDLESS_BYTES: a safety net in it
 * would be missed. 0 after the reply was made, with *code for httpd.
 */
int batch_endpoint_needs_no_body(batch_exchange_t *x, int *code);

/** Bytes of a body that nobody needs, and that is looked at nevertheless. */
#define BATCH_NEEDLESS_BYTES 65536

/** Sets Location to the URL of a new batch. */
void batch_endpoint_set_location(batch_exchange_t *x, const batch_job_t *job);

/** Answers a GET of a batch, with its ETag; 304 where the client has it already. */
int batch_endpoint_show(batch_exchange_t *x, const batch_job_t *job);

/**
 * Answers 202 for a batch that is in the queue. Only when the client has the reply is a worker
 * told, so that the work never comes before the answer.
 */
int batch_endpoint_queued(batch_exchange_t *x, const batch_job_t *job);

/* ---- The query string (query_string.c) ----------------------------------------------------------
 */

/** Adds to x->problems what is wrong with the names of the query string's parameters. */
void batch_parameters_check(batch_exchange_t *x, const batch_request_words_t *words);

/**
 * The value of a parameter, decoded, in the request's pool; NULL where there is none. "" where its
 * encoding is wrong, which no parameter of ours may be. The last one of a name counts.
 */
const char *batch_parameter(const batch_exchange_t *x, const char *name);

/**
 * A parameter that is a whole number from 1 to most, absent where it is not there; more than most
 * is most if clamped. Adds a problem where it is none.
 */
apr_int64_t batch_parameter_number(const batch_exchange_t *x, const char *name, apr_int64_t absent,
                                   apr_int64_t most, int clamped, batch_problems_t *problems);

/**
 * A parameter that is true or false, as these words or as 1 and 0; 1 where it has no value, 0 where
 * it is not there. Adds a problem where it is none of that.
 */
int batch_parameter_flag(const batch_exchange_t *x, const char *name, batch_problems_t *problems);

/** batch_parameter for request_parameters.h; baton is the exchange. */
const char *batch_parameter_get(void *baton, const char *name);

/**
 * The parameter sort_direction, asc or desc in any case: 1 for desc; absent where it is not there.
 * Adds a problem where it is neither.
 */
int batch_parameter_descending(const batch_exchange_t *x, int absent, batch_problems_t *problems);

/** The page of a list. */
apr_int64_t batch_parameter_page(const batch_exchange_t *x, batch_problems_t *problems);

/* ---- Who has made a request (authentication.c, origin.c) ---------------------------------------
 */

/** 1 if a header has a token, right or wrong, which no browser adds by itself. */
int batch_request_has_token(const request_rec *r);

/**
 * Whether a request that changes something may be taken: not from a browser for a page of another
 * origin, unless it has a token or a right signature, or the administrator allows that origin. 0
 * after the reply was made, with *code for httpd.
 */
int batch_origin_may_change(batch_exchange_t *x, int *code);

/* ---- Request bodies (body.c) ------------------------------------------------------------------
 */

/** Takes the next bytes of a body; another status than APR_SUCCESS stops the reading. */
typedef apr_status_t batch_body_fn(void *baton, const char *bytes, apr_size_t length);

/**
 * The bytes of the body that are still to be read, or were, as the client has declared them; 0 if
 * it has not, or if they were compressed.
 */
apr_off_t batch_body_length(const batch_exchange_t *x);

/**
 * Reads the body, bounded by LimitRequestBody, whatever inflates it on its way. 1: all was read and
 * taken. 0: the reading ended early, and either *rv is what fn returned and no reply was made, or
 * *rv is APR_SUCCESS, and the reply was made, with *code for httpd.
 */
int batch_body_read(batch_exchange_t *x, batch_body_fn *fn, void *baton, apr_status_t *rv,
                    int *code);

/**
 * Whether a request with a body says that it has the whole of what is to be taken: 1, or 0 after
 * the reply was made, with *code for httpd. A part is not taken for the whole (RFC 9110, 14.5).
 */
int batch_body_is_whole(batch_exchange_t *x, int *code);

/**
 * Whether a body of this type can be JSON in UTF-8: 1, or 0 after the reply was made, with *code
 * for httpd.
 */
int batch_body_is_json(batch_exchange_t *x, int *code);

/* ---- The body as it came (raw_body.c) ---------------------------------------------------------
 */

typedef struct batch_raw_body batch_raw_body_t;

/**
 * Watches the body that is about to be read, as it comes in, where the request's headers say what
 * it should sum up to, or that it is compressed; else *raw is NULL, which the calls below take. 0
 * after the reply was made, with *code for httpd: such a header is malformed.
 */
int batch_raw_body_watch(batch_raw_body_t **raw, batch_exchange_t *x, int *code);

/** 1 if there is a digest that the body has to match: all of it has to be read to know. */
int batch_raw_body_has_digest(const batch_raw_body_t *raw);

/** At the body's end: NULL, or the sentence for a 400 that says which digest it does not match. */
const char *batch_raw_body_check(batch_raw_body_t *raw, apr_pool_t *p);

/** 1 if what has come so far looks like several gzip members. */
int batch_raw_body_has_members(const batch_raw_body_t *raw);

/** Registers the filter. */
void batch_raw_body_register_filter(void);

/* ---- Replies (reply.c) ------------------------------------------------------------------------
 */

/** An empty brigade for a reply. */
apr_bucket_brigade *batch_reply_brigade(const batch_exchange_t *x);

/** A sink that appends to the brigade. */
batch_sink_t batch_reply_sink(apr_bucket_brigade *brigade);

/** Appends text. */
apr_status_t batch_reply_put(apr_bucket_brigade *brigade, const char *text);

/** Sets status, content type and the header Cache-Control, unless that is set already. */
void batch_reply_begin(batch_exchange_t *x, int status, const char *content_type);

/** Logs that the client has not taken a reply: what it asked for is done, only it is gone. */
void batch_reply_lost(const batch_exchange_t *x, apr_status_t rv);

/** Sends a JSON reply that is complete in the brigade. rv: how writing it went. */
int batch_reply_send(batch_exchange_t *x, int status, apr_bucket_brigade *brigade, apr_status_t rv);

/** Sends all that was passed on to the client now, so that what follows happens after it. */
void batch_reply_flush(const batch_exchange_t *x);

/** Writes an error in the API's shape; message for people, NULL for none. */
apr_status_t batch_reply_write_error(const batch_sink_t *sink, const batch_exchange_t *x,
                                     int status, const char *message);

/** An error in the API's shape; message for people, NULL for none. */
int batch_reply_error(batch_exchange_t *x, int status, const char *message);

/** 422 with all problems. */
int batch_reply_problems(batch_exchange_t *x, const batch_problems_t *problems);

/** The batch in the API's shape, as a success. */
int batch_reply_job(batch_exchange_t *x, int status, const batch_job_t *job);

/** The reply to a call of the engine or of a parser that failed with rv. problems may be NULL. */
int batch_reply_failure(batch_exchange_t *x, apr_status_t rv, const batch_error_t *err,
                        const batch_problems_t *problems);

/** Retry-After for a batch that is on its way. */
void batch_reply_retry_after(batch_exchange_t *x, const batch_job_t *job);

/* ---- Replies of the resources API (resources_reply.c) ----------------------------------------
 */

/** Method and path, as the envelope shows them, in the request's pool. */
const char *batch_reply_endpoint(const batch_exchange_t *x);

/**
 * Writes the envelope of a refusal. code: the word for it, NULL = the one of the
 * status. message: NULL = httpd's words for the status. problems: what is wrong, or NULL.
 */
apr_status_t batch_reply_write_refusal(const batch_sink_t *sink, const batch_exchange_t *x,
                                       int status, const char *code, const char *message,
                                       const batch_problems_t *problems);

/**
 * A batch in its envelope. code NULL: a success. problems, and errors (of batch_item_error_t): what
 * is wrong, NULL where there is nothing of that kind.
 */
int batch_reply_batch(batch_exchange_t *x, int status, const char *code, const batch_job_t *job,
                      const batch_problems_t *problems, const apr_array_header_t *errors);

/* ---- Files that are streamed (file_reply.c)
 * ------------------------------------------------------
 */

/** A file that is sent page by page, each read in one short transaction. */
typedef struct batch_file_source {
    /** Writes what stands before the first page. The sink lives as long as the request. */
    apr_status_t (*begin)(void *baton, const batch_sink_t *sink, apr_pool_t *p);
    /** Reads and writes the next page; *more: there may be another. err: as the engine fills it. */
    apr_status_t (*page)(void *baton, int *more, batch_error_t *err);
    /** Writes what stands behind the last page. */
    apr_status_t (*end)(void *baton);
    void *baton;
    const char *type;     /* the media type */
    const char *filename; /* for Content-Disposition, NULL = none */
} batch_file_source_t;

/**
 * Sends a file. A failure before the first page is done is a reply of its own; later the connection
 * breaks off, so that what the client has got does not look whole.
 */
int batch_file_send(batch_exchange_t *x, const batch_file_source_t *source);

/* ---- Hooks (authentication.c, error_filter.c) -------------------------------------------------
 */

void batch_authentication_register_hooks(apr_pool_t *p);
void batch_error_filter_register_hooks(apr_pool_t *p);

#endif

/* Replies, and what each failure looks like to a client. */
#include "http/exchange.h"

#include <string.h>

#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>

#include "payload/records_json.h"
#include "payload/resources_json.h"

APLOG_USE_MODULE(batch);

/* An unread body up to this is read and dropped, so that the connection can be used again. */
#define DISCARD_BYTES (64 * 1024)

apr_bucket_brigade *batch_reply_brigade(const batch_exchange_t *x)
{
    return apr_brigade_create(x->r->pool, x->r->connection->bucket_alloc);
}

static apr_status_t append(void *baton, const char *bytes, apr_size_t length)
{
    return apr_brigade_write(baton, NULL, NULL, bytes, length);
}

batch_sink_t batch_reply_sink(apr_bucket_brigade *brigade)
{
    batch_sink_t sink = {append, brigade};

    return sink;
}

apr_status_t batch_reply_put(apr_bucket_brigade *brigade, const char *text)
{
    return apr_brigade_puts(brigade, NULL, NULL, text);
}

/* Reads the rest of a stream's body, and drops it. Whatever ends it early, the reply is the same.
 */
static void drop_body(batch_exchange_t *x)
{
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    apr_status_t rv = APR_SUCCESS;
    apr_off_t count = 0;

    while (rv == APR_SUCCESS && !x->body_read && count <= DISCARD_BYTES) {
        apr_off_t length = 0;

        /* Not through the filters of the request: one refuses what is over LimitRequestBody. */
        rv = ap_get_brigade(x->r->connection->input_filters, brigade, AP_MODE_READBYTES,
                            APR_BLOCK_READ, DISCARD_BYTES);
        if (rv == APR_SUCCESS) {
            x->body_read =
                APR_BRIGADE_EMPTY(brigade) || APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(brigade));
            rv = apr_brigade_length(brigade, 1, &length);
            count += length;
        }
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
}

/*
 * httpd reads what is left of a body after the reply, before the next request. Where that is much,
 * or of unknown size, closing the connection is cheaper for both sides.
 *
 * With HTTP/2 the stream is reset when the reply is sent before the body has come, and then some
 * clients lose the reply (curl 7.88 each third one). So a small body is read before that, unless
 * the client waits to be asked for it.
 */
static void settle_body(batch_exchange_t *x)
{
    request_rec *r = x->r;
    const char *declared;
    apr_off_t length;

    if (x->body_read || !(x->body_begun || ap_request_has_body(r))) {
        return;
    }
    declared = apr_table_get(r->headers_in, "Content-Length");
    if (!declared || !ap_parse_strict_length(&length, declared) || length > DISCARD_BYTES) {
        r->connection->keepalive = AP_CONN_CLOSE;
    } else if (r->connection->master && !r->expecting_100) {
        drop_body(x);
    }
}

void batch_reply_begin(batch_exchange_t *x, int status, const char *content_type)
{
    request_rec *r = x->r;

    settle_body(x);
    r->status = status;
    r->status_line = ap_get_status_line(status);
    ap_set_content_type(r, content_type);
    if (!apr_table_get(r->headers_out, "Cache-Control")) {
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    }
}

void batch_reply_lost(const batch_exchange_t *x, apr_status_t rv)
{
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, rv, x->r, "MB0303: the client did not take the reply");
}

int batch_reply_send(batch_exchange_t *x, int status, apr_bucket_brigade *brigade, apr_status_t rv)
{
    request_rec *r = x->r;
    apr_off_t length;

    if (rv == APR_SUCCESS) {
        rv = apr_brigade_length(brigade, 1, &length);
    }
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r, "MB0302: a reply cannot be composed");
        apr_brigade_destroy(brigade);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    batch_reply_begin(x, status, "application/json");
    ap_set_content_length(r, length);
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(brigade->bucket_alloc));
    rv = ap_pass_brigade(r->output_filters, brigade);
    if (rv != APR_SUCCESS) {
        batch_reply_lost(x, rv);
    }
    return OK;
}

void batch_reply_flush(const batch_exchange_t *x)
{
    conn_rec *connection = x->r->connection;
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    apr_status_t rv;

    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_flush_create(brigade->bucket_alloc));
    rv = ap_pass_brigade(connection->output_filters, brigade);
    if (rv != APR_SUCCESS) {
        batch_reply_lost(x, rv);
    }
    apr_brigade_destroy(brigade);
}

/* Sends an error that is complete in the brigade. */
static int send_error(batch_exchange_t *x, int status, apr_bucket_brigade *brigade, apr_status_t rv)
{
    if (status == HTTP_SERVICE_UNAVAILABLE || status == HTTP_TOO_MANY_REQUESTS) {
        apr_table_setn(x->r->headers_out, "Retry-After", "2");
    }
    return batch_reply_send(x, status, brigade, rv);
}

apr_status_t batch_reply_write_error(const batch_sink_t *sink, const batch_exchange_t *x,
                                     int status, const char *message)
{
    if (x->api == BATCH_API_RESOURCES) {
        return batch_reply_write_refusal(sink, x, status, NULL, message, NULL);
    }
    /* "404 Not Found": the words behind the number. */
    return batch_records_write_error(sink, status, ap_get_status_line(status) + 4, message);
}

int batch_reply_error(batch_exchange_t *x, int status, const char *message)
{
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    batch_sink_t sink = batch_reply_sink(brigade);

    return send_error(x, status, brigade, batch_reply_write_error(&sink, x, status, message));
}

int batch_reply_problems(batch_exchange_t *x, const batch_problems_t *problems)
{
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    batch_sink_t sink = batch_reply_sink(brigade);
    const int status = HTTP_UNPROCESSABLE_ENTITY;
    apr_status_t rv;

    if (x->api == BATCH_API_RESOURCES) {
        rv = batch_reply_write_refusal(&sink, x, status, NULL,
                                       "the request cannot be taken: see errors", problems);
    } else {
        rv = batch_records_write_problems(&sink, problems);
    }
    return batch_reply_send(x, status, brigade, rv);
}

int batch_reply_job(batch_exchange_t *x, int status, const batch_job_t *job)
{
    apr_bucket_brigade *brigade;
    batch_sink_t sink;
    apr_status_t rv;

    if (x->api == BATCH_API_RESOURCES) {
        return batch_reply_batch(x, status, NULL, job, NULL, NULL);
    }
    brigade = batch_reply_brigade(x);
    sink = batch_reply_sink(brigade);
    rv = batch_reply_put(brigade, "{\"batch\":");
    if (rv == APR_SUCCESS) {
        rv = batch_records_write_job(&sink, job, x->r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_reply_put(brigade, "}");
    }
    return batch_reply_send(x, status, brigade, rv);
}

void batch_reply_retry_after(batch_exchange_t *x, const batch_job_t *job)
{
    if (job->status == BATCH_STATUS_QUEUED || job->status == BATCH_STATUS_PROCESSING) {
        apr_table_setn(x->r->headers_out, "Retry-After", "1");
    }
}

/* ---- Failures -----------------------------------------------------------------------------------
 */

static int reply_malformed(batch_exchange_t *x, const batch_error_t *err)
{
    const char *message = err->message ? err->message : "the body is not JSON";

    if (err->line) {
        message =
            apr_psprintf(x->r->pool, "%s (line %" APR_INT64_T_FMT ", column %" APR_INT64_T_FMT ")",
                         message, err->line, err->column);
    }
    if (x->api == BATCH_API_RESOURCES) {
        apr_bucket_brigade *brigade = batch_reply_brigade(x);
        batch_sink_t sink = batch_reply_sink(brigade);
        apr_status_t rv =
            batch_reply_write_refusal(&sink, x, HTTP_BAD_REQUEST, "invalid_json", message, NULL);

        return send_error(x, HTTP_BAD_REQUEST, brigade, rv);
    }
    return batch_reply_error(x, HTTP_BAD_REQUEST, message);
}

/* The database does not take what the request's action is made of. */
static int reply_unfit(batch_exchange_t *x, const batch_error_t *err)
{
    apr_status_t rv = x->resource ? batch_engine_doubt(x->service->engine, x->resource, x->action,
                                                       err, x->r->pool)
                                  : BATCH_EUNAVAILABLE;

    return batch_reply_failure(x, rv, err, NULL);
}

int batch_reply_failure(batch_exchange_t *x, apr_status_t rv, const batch_error_t *err,
                        const batch_problems_t *problems)
{
    request_rec *r = x->r;
    const char *tag = err->tag ? err->tag : "MB0304";
    const char *message = err->message ? err->message : "no details";
    const char *suffix;
    int level;

    switch (rv) {
    case BATCH_ENOTFOUND:
        return batch_reply_error(x, HTTP_NOT_FOUND, "there is no such batch");
    case BATCH_ECONFLICT:
        return batch_reply_error(x, HTTP_CONFLICT,
                                 err->message ? err->message
                                              : "somebody else has just changed this batch");
    case BATCH_EBUSY:
        apr_table_setn(r->headers_out, "Retry-After", "2");
        return batch_reply_error(x, HTTP_CONFLICT, err->message);
    case BATCH_ECROWDED:
        return batch_reply_error(x, HTTP_SERVICE_UNAVAILABLE, err->message);
    case BATCH_EFORBIDDEN:
        return batch_reply_error(
            x, HTTP_FORBIDDEN, err->message ? err->message : "you may not do what this batch does");
    case BATCH_EINVALID:
        return problems && problems->nelts
                   ? batch_reply_problems(x, problems)
                   : batch_reply_error(x, HTTP_UNPROCESSABLE_ENTITY, err->message);
    case BATCH_EMALFORMED:
        return reply_malformed(x, err);
    case BATCH_EPART:
        return batch_reply_error(x, HTTP_BAD_REQUEST, err->message);
    case BATCH_ETOOLARGE:
        return batch_reply_error(x, HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 err->message ? err->message : "the body is too large");
    case BATCH_EUNFIT:
        return reply_unfit(x, err);
    case BATCH_ENOSERVICE:
        return batch_reply_error(x, HTTP_SERVICE_UNAVAILABLE,
                                 "this resource is out of service at the moment");
    case BATCH_EUNAVAILABLE:
    case BATCH_EREFUSED: /* of the module's own rows: something is wrong with the database */
        level = batch_outage_due(x->service->engine->outages, &suffix, tag, message, r->pool)
                    ? APLOG_ERR
                    : APLOG_DEBUG;
        ap_log_rerror(APLOG_MARK, level, 0, r, "%s: %s%s", tag, message, suffix);
        return batch_reply_error(x, HTTP_SERVICE_UNAVAILABLE,
                                 "the database cannot be used at the moment");
    default:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r, "%s: a request failed: %s", tag, message);
        return batch_reply_error(x, HTTP_INTERNAL_SERVER_ERROR, NULL);
    }
}

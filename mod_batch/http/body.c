/* Request bodies: read as they arrive, counted before they are believed. */
#include "http/exchange.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

APLOG_USE_MODULE(batch);

/* Asked for at a time. */
#define READ_BYTES (64 * 1024)

/* ---- Types ------------------------------------------------------------------------------------
 */

/* 1 if the parameters of a media type name no other charset than UTF-8. */
static int charset_is_utf8(const char *parameters, apr_pool_t *p)
{
    while (*parameters) {
        const char *parameter = ap_getword(p, &parameters, ';');
        const char *name = ap_getword(p, &parameter, '=');
        char *value = apr_pstrdup(p, parameter);
        apr_size_t length;

        apr_collapse_spaces((char *)name, name);
        apr_collapse_spaces(value, value);
        length = strlen(value);
        if (length >= 2 && *value == '"' && value[length - 1] == '"') {
            value[length - 1] = '\0';
            value++;
        }
        if (!strcasecmp(name, "charset") && strcasecmp(value, "utf-8") != 0 &&
            strcasecmp(value, "utf8") != 0) {
            return 0;
        }
    }
    return 1;
}

int batch_body_is_json(batch_exchange_t *x, int *code)
{
    request_rec *r = x->r;
    const char *rest = apr_table_get(r->headers_in, "Content-Type");
    char *type;

    if (!rest) {
        return 1;
    }
    type = ap_getword(r->pool, &rest, ';');
    apr_collapse_spaces(type, type);
    if (!strcasecmp(type, "application/json") && charset_is_utf8(rest, r->pool)) {
        return 1;
    }
    *code = batch_reply_error(x, HTTP_UNSUPPORTED_MEDIA_TYPE,
                              "the body must be JSON in UTF-8: send the header "
                              "Content-Type: application/json");
    return 0;
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

struct reading {
    batch_exchange_t *x;
    batch_body_fn *fn;
    void *baton;
    apr_off_t limit; /* of bytes; 0 = none */
    apr_off_t count;
    int ended;       /* the end of the body was seen */
    int too_large;   /* more than limit came */
    int compressed;  /* it came with a Content-Encoding, which a filter may have taken off */
    apr_status_t rv; /* what fn returned */
};

/* 1 if the header Content-Encoding is still there: no filter has taken the encoding off. */
static int is_encoded(const request_rec *r)
{
    const char *encoding = apr_table_get(r->headers_in, "Content-Encoding");

    return encoding && *encoding && strcasecmp(encoding, "identity") != 0;
}

static int reply_too_large(batch_exchange_t *x)
{
    /* No more of it is wanted: neither read, nor asked for with 100 Continue. */
    x->r->connection->keepalive = AP_CONN_CLOSE;
    return batch_reply_error(x, HTTP_REQUEST_ENTITY_TOO_LARGE,
                             "the body is larger than this server takes");
}

static int reply_unreadable(batch_exchange_t *x, apr_status_t rv, int compressed)
{
    int status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);

    x->r->connection->keepalive = AP_CONN_CLOSE;
    if (status == AP_FILTER_ERROR) {
        return AP_FILTER_ERROR; /* the filter has made a reply of its own */
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, x->r, "MB0305: the body cannot be read");
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return reply_too_large(x); /* mod_deflate counts too */
    }
    if (compressed && APR_STATUS_IS_EINVAL(rv) &&
        !apr_table_get(x->r->headers_in, "Transfer-Encoding")) {
        /* mod_deflate's DeflateInflateRatioLimit; httpd means malformed chunks by it, too */
        return batch_reply_error(x, HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 "the compressed body becomes so much larger by inflating it that "
                                 "this server does not take it: send it uncompressed");
    }
    if (status == HTTP_REQUEST_TIME_OUT) {
        return batch_reply_error(x, status, "the body did not arrive in time");
    }
    return batch_reply_error(x, status,
                             compressed ? "the body did not arrive whole, or is not what its "
                                          "Content-Encoding says, or becomes too much larger by it"
                                        : "the body did not arrive whole");
}

/* Hands the buckets of a brigade to fn, and empties it. */
static apr_status_t take(struct reading *reading, apr_bucket_brigade *brigade)
{
    while (!APR_BRIGADE_EMPTY(brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
        const char *bytes;
        apr_size_t length;
        apr_status_t rv;

        if (APR_BUCKET_IS_EOS(bucket)) {
            reading->ended = 1;
            return APR_SUCCESS;
        }
        if (!APR_BUCKET_IS_METADATA(bucket)) {
            rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
            if (rv != APR_SUCCESS) {
                return rv;
            }
            reading->count += (apr_off_t)length;
            reading->too_large = reading->limit && reading->count > reading->limit;
            if (reading->too_large) {
                return APR_SUCCESS;
            }
            reading->rv = reading->fn(reading->baton, bytes, length);
            if (reading->rv != APR_SUCCESS) {
                return APR_SUCCESS;
            }
        }
        apr_bucket_delete(bucket);
    }
    return APR_SUCCESS;
}

/* 1 if the length that the client declares is over the limit. */
static int declared_too_large(const struct reading *reading)
{
    const char *declared = apr_table_get(reading->x->r->headers_in, "Content-Length");
    apr_off_t length;

    return reading->limit && declared && ap_parse_strict_length(&length, declared) &&
           length > reading->limit;
}

int batch_body_read(batch_exchange_t *x, batch_body_fn *fn, void *baton, apr_status_t *rv,
                    int *code)
{
    request_rec *r = x->r;
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    struct reading reading = {.x = x, .fn = fn, .baton = baton, .limit = ap_get_limit_req_body(r)};
    apr_status_t read_rv = APR_SUCCESS;
    int encoded = 0;

    *rv = APR_SUCCESS;
    reading.compressed = is_encoded(r);
    reading.too_large = declared_too_large(&reading);
    while (!reading.too_large && !reading.ended && !encoded && read_rv == APR_SUCCESS &&
           reading.rv == APR_SUCCESS) {
        x->body_begun = 1;
        read_rv = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ,
                                 READ_BYTES);
        if (read_rv == APR_SUCCESS) {
            encoded = is_encoded(r);
        }
        if (read_rv == APR_SUCCESS && !encoded) {
            read_rv = take(&reading, brigade);
        }
        apr_brigade_cleanup(brigade);
    }
    x->body_read = reading.ended;
    if (reading.too_large) {
        *code = reply_too_large(x);
    } else if (read_rv != APR_SUCCESS) {
        *code = reply_unreadable(x, read_rv, reading.compressed);
    } else if (encoded) {
        *code = batch_reply_error(x, HTTP_UNSUPPORTED_MEDIA_TYPE,
                                  "this server does not take bodies with that Content-Encoding");
    } else if (reading.rv != APR_SUCCESS) {
        *rv = reading.rv;
    } else {
        return 1;
    }
    return 0;
}

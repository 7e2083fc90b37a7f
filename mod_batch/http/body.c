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

int batch_body_is_whole(batch_exchange_t *x, int *code)
{
    const char *type = apr_table_get(x->r->headers_in, "Content-Type");

    if (apr_table_get(x->r->headers_in, "Content-Range")) {
        *code = batch_reply_error(x, HTTP_BAD_REQUEST,
                                  "the header Content-Range says that the body is a part: only a "
                                  "whole is taken: send all of it in one request, without that "
                                  "header");
        return 0;
    }
    if (type && !strcasecmp(ap_getword(x->r->pool, &type, ';'), "multipart/byteranges")) {
        *code = batch_reply_error(x, HTTP_BAD_REQUEST,
                                  "a body of the type multipart/byteranges has parts of something: "
                                  "only a whole is taken");
        return 0;
    }
    return 1;
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
    batch_raw_body_t *raw;
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

static int reply_unreadable(const struct reading *reading, apr_status_t rv)
{
    batch_exchange_t *x = reading->x;
    int compressed = reading->compressed;
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
    if (compressed && batch_raw_body_has_members(reading->raw)) {
        return batch_reply_error(
            x, status,
            "the compressed body seems to have several gzip members, as a file "
            "has that was put together of several .gz files: one is taken: "
            "compress it as a whole, as in zcat FILE | gzip");
    }
    return batch_reply_error(x, status,
                             compressed ? "the body did not arrive whole, or is not what its "
                                          "Content-Encoding says, or becomes too much larger by it"
                                        : "the body did not arrive whole");
}

/*
 * What fn does not take need not be read, unless the body has a digest: then it may be wrong
 * because it is not what was sent, and that goes before what it seems to be.
 */
static int goes_on(const struct reading *reading)
{
    return reading->rv == APR_SUCCESS ||
           (batch_raw_body_has_digest(reading->raw) &&
            (reading->rv == BATCH_EMALFORMED || reading->rv == BATCH_EINVALID ||
             reading->rv == BATCH_ETOOLARGE));
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
            if (reading->rv == APR_SUCCESS) {
                reading->rv = reading->fn(reading->baton, bytes, length);
            }
            if (!goes_on(reading)) {
                return APR_SUCCESS;
            }
        }
        apr_bucket_delete(bucket);
    }
    return APR_SUCCESS;
}

/* What the client declares; 0: nothing. */
static apr_off_t declared_length(const request_rec *r)
{
    const char *declared = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t length;

    return declared && ap_parse_strict_length(&length, declared) ? length : 0;
}

apr_off_t batch_body_length(const batch_exchange_t *x)
{
    return is_encoded(x->r) ? 0 : declared_length(x->r);
}

/* 1 if the length that the client declares is over the limit. */
static int declared_too_large(const struct reading *reading)
{
    return reading->limit && declared_length(reading->x->r) > reading->limit;
}

/* Reads until the body ends, or something ends the reading; what httpd has said. */
static apr_status_t read_all(struct reading *reading, int *encoded)
{
    batch_exchange_t *x = reading->x;
    request_rec *r = x->r;
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    apr_status_t rv = APR_SUCCESS;

    while (!reading->too_large && !reading->ended && !*encoded && rv == APR_SUCCESS &&
           goes_on(reading)) {
        x->body_begun = 1;
        rv = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ,
                            READ_BYTES);
        if (rv == APR_SUCCESS) {
            *encoded = is_encoded(r);
        }
        if (rv == APR_SUCCESS && !*encoded) {
            rv = take(reading, brigade);
        }
        apr_brigade_cleanup(brigade);
    }
    x->body_read = reading->ended;
    return rv;
}

int batch_body_read(batch_exchange_t *x, batch_body_fn *fn, void *baton, apr_status_t *rv,
                    int *code)
{
    request_rec *r = x->r;
    struct reading reading = {.x = x, .fn = fn, .baton = baton, .limit = ap_get_limit_req_body(r)};
    apr_status_t read_rv;
    const char *wrong;
    int encoded = 0;

    *rv = APR_SUCCESS;
    if (!batch_raw_body_watch(&reading.raw, x, code)) {
        return 0;
    }
    reading.compressed = is_encoded(r);
    reading.too_large = declared_too_large(&reading);
    read_rv = read_all(&reading, &encoded);
    wrong = reading.ended ? batch_raw_body_check(reading.raw, r->pool) : NULL;
    if (reading.too_large) {
        *code = reply_too_large(x);
    } else if (read_rv != APR_SUCCESS) {
        *code = reply_unreadable(&reading, read_rv);
    } else if (encoded) {
        *code = batch_reply_error(x, HTTP_UNSUPPORTED_MEDIA_TYPE,
                                  "this server does not take bodies with that Content-Encoding");
    } else if (wrong) {
        *code = batch_reply_error(x, HTTP_BAD_REQUEST, wrong);
    } else if (reading.rv != APR_SUCCESS) {
        *rv = reading.rv;
    } else {
        return 1;
    }
    return 0;
}

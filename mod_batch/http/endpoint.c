/* What the endpoints of both APIs share. */
#include "http/exchange.h"

#include <apr_strings.h>
#include <http_protocol.h>

int batch_endpoint_in_service(batch_exchange_t *x, const batch_resource_t *resource,
                              batch_action_e action, int *code)
{
    batch_error_t err = {0};
    apr_status_t rv =
        batch_engine_in_service(x->service->engine, resource, action, &err, x->r->pool);

    x->resource = resource;
    x->action = action;
    if (rv == APR_SUCCESS) {
        return 1;
    }
    *code = batch_reply_failure(x, rv, &err, NULL);
    return 0;
}

int batch_endpoint_find_job(batch_exchange_t *x, batch_job_t *job, int *code)
{
    batch_error_t err = {0};
    apr_status_t rv =
        batch_job_get(job, x->service->engine, &x->actor, x->api, x->id, &err, x->r->pool);

    if (rv == APR_SUCCESS) {
        return 1;
    }
    *code = batch_reply_failure(x, rv, &err, NULL);
    return 0;
}

/* A body that nobody needs: its beginning. */
struct needless {
    char *bytes;
    apr_size_t length;
    int is_long; /* it is longer */
};

static apr_status_t keep_needless(void *baton, const char *bytes, apr_size_t length)
{
    struct needless *body = baton;

    if (length > BATCH_NEEDLESS_BYTES - body->length) {
        body->is_long = 1;
        return APR_SUCCESS;
    }
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
    return APR_SUCCESS;
}

int batch_endpoint_needs_no_body(batch_exchange_t *x, int *code)
{
    apr_pool_t *p = x->r->pool;
    struct needless body = {NULL, 0, 0};
    apr_status_t rv;

    if (!ap_request_has_body(x->r)) {
        return 1;
    }
    body.bytes = apr_palloc(p, BATCH_NEEDLESS_BYTES);
    if (!batch_body_read(x, keep_needless, &body, &rv, code)) {
        return 0;
    }
    if (!body.is_long) {
        batch_request_body_words(x->problems, body.bytes, body.length, &batch_words_change, p);
    }
    if (x->problems->nelts) {
        *code = batch_reply_problems(x, x->problems);
        return 0;
    }
    return 1;
}

void batch_endpoint_set_location(batch_exchange_t *x, const batch_job_t *job)
{
    apr_pool_t *p = x->r->pool;
    const char *root = x->api == BATCH_API_RESOURCES ? "/batches/" : "/batch/";
    const char *path = apr_pstrcat(p, x->prefix, root, job->id, x->dot_json ? ".json" : "", NULL);

    apr_table_setn(x->r->headers_out, "Location", ap_os_escape_path(p, path, 1));
}

int batch_endpoint_show(batch_exchange_t *x, const batch_job_t *job)
{
    request_rec *r = x->r;
    int code;

    if (x->urls) {
        /* They are different each time, and only for who has asked. */
        apr_table_setn(r->headers_out, "Cache-Control", "private, no-store");
        batch_reply_retry_after(x, job);
        return batch_reply_job(x, HTTP_OK, job);
    }
    apr_table_setn(r->headers_out, "ETag",
                   apr_psprintf(r->pool, "\"%s-%" APR_INT64_T_FMT "\"", job->id, job->revision));
    apr_table_setn(r->headers_out, "Cache-Control", "private, no-cache");
    batch_reply_retry_after(x, job);
    /* There is no modification date to compare with: a second is too long (RFC 9110, 13.1.3). */
    apr_table_unset(r->headers_in, "If-Modified-Since");
    apr_table_unset(r->headers_in, "If-Unmodified-Since");
    code = ap_meets_conditions(r);
    return code == OK ? batch_reply_job(x, HTTP_OK, job) : code;
}

int batch_endpoint_queued(batch_exchange_t *x, const batch_job_t *job)
{
    int code;

    batch_reply_retry_after(x, job);
    code = batch_reply_job(x, HTTP_ACCEPTED, job);
    batch_reply_flush(x);
    batch_node_wake(x->service->node);
    return code;
}

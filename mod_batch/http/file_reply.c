/* Files that are sent page by page. */
#include "http/exchange.h"

#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>

APLOG_USE_MODULE(batch);

struct sending {
    batch_exchange_t *x;
    const batch_file_source_t *source;
    apr_bucket_brigade *brigade;
    int begun; /* the reply has begun */
};

static void begin_reply(struct sending *sending)
{
    const batch_file_source_t *source = sending->source;
    request_rec *r = sending->x->r;

    if (source->filename) {
        apr_table_setn(r->headers_out, "Content-Disposition",
                       apr_psprintf(r->pool, "attachment; filename=\"%s\"", source->filename));
        /* What a client has put into a batch is never taken for a page. */
        apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    }
    batch_reply_begin(sending->x, HTTP_OK, source->type);
    sending->begun = 1;
}

/*
 * The reply is under way and cannot become another one. What the client gets must not look whole:
 * the connection ends without the mark that would say so.
 */
static int break_off(struct sending *sending, apr_status_t rv, const batch_error_t *err)
{
    request_rec *r = sending->x->r;
    apr_bucket_alloc_t *allocator = sending->brigade->bucket_alloc;

    ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r, "MB0307: a file is broken off: %s",
                  err->message ? err->message : "no details");
    r->connection->keepalive = AP_CONN_CLOSE;
    apr_brigade_cleanup(sending->brigade);
    APR_BRIGADE_INSERT_TAIL(sending->brigade,
                            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, allocator));
    APR_BRIGADE_INSERT_TAIL(sending->brigade, apr_bucket_eos_create(allocator));
    ap_pass_brigade(r->output_filters, sending->brigade);
    return OK;
}

/* Page after page until there are no more, or the client is gone. */
static apr_status_t send_pages(struct sending *sending, batch_error_t *err)
{
    const batch_file_source_t *source = sending->source;
    request_rec *r = sending->x->r;
    apr_status_t rv;
    int more;

    do {
        rv = source->page(source->baton, &more, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (!sending->begun) {
            begin_reply(sending);
        }
        if (more) {
            rv = ap_pass_brigade(r->output_filters, sending->brigade);
            apr_brigade_cleanup(sending->brigade);
        }
    } while (rv == APR_SUCCESS && more && !r->connection->aborted && !r->header_only);
    return APR_SUCCESS;
}

int batch_file_send(batch_exchange_t *x, const batch_file_source_t *source)
{
    request_rec *r = x->r;
    struct sending sending = {.x = x, .source = source, .brigade = batch_reply_brigade(x)};
    batch_sink_t *sink = apr_palloc(r->pool, sizeof(*sink));
    batch_error_t err = {0};
    apr_status_t rv;

    *sink = batch_reply_sink(sending.brigade);
    rv = source->begin(source->baton, sink, r->pool);
    if (rv == APR_SUCCESS) {
        rv = send_pages(&sending, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = source->end(source->baton);
    }
    if (rv != APR_SUCCESS) {
        return sending.begun ? break_off(&sending, rv, &err)
                             : batch_reply_failure(x, rv, &err, NULL);
    }
    APR_BRIGADE_INSERT_TAIL(sending.brigade, apr_bucket_eos_create(sending.brigade->bucket_alloc));
    rv = ap_pass_brigade(r->output_filters, sending.brigade);
    if (rv != APR_SUCCESS) {
        batch_reply_lost(x, rv);
    }
    return OK;
}

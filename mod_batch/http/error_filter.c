/*
 * Errors that httpd itself or another module makes for requests of ours (401, 403, 413, …), in the
 * shape of the API: the body is replaced, headers such as WWW-Authenticate stay.
 */
#include "http/exchange.h"

#include <string.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

APLOG_USE_MODULE(batch);

static ap_filter_rec_t *error_filter;

/* What an error means to people; "" as the message of a status that is not here. */
static const struct {
    int status;
    const char *message; /* NULL: none is shown */
} meanings[] = {
    {HTTP_BAD_REQUEST, "the request is malformed"},
    {HTTP_UNAUTHORIZED, NULL},
    {HTTP_FORBIDDEN, "you may not use this"},
    {HTTP_NOT_FOUND, "there is nothing here"},
    {HTTP_METHOD_NOT_ALLOWED, "this path does not have that method"},
    {HTTP_REQUEST_TIME_OUT, "the request did not arrive in time"},
    {HTTP_LENGTH_REQUIRED, "the request lacks the header Content-Length"},
    {HTTP_PRECONDITION_FAILED, "the batch is not as the request's conditions want it"},
    {HTTP_REQUEST_ENTITY_TOO_LARGE, "the body is larger than this server takes"},
    {HTTP_REQUEST_URI_TOO_LARGE, "the path is longer than this server takes"},
    {HTTP_UNSUPPORTED_MEDIA_TYPE, "the body has a type that this server does not take"},
    {HTTP_EXPECTATION_FAILED, "the header Expect asks for what this server does not do"},
    {HTTP_TOO_MANY_REQUESTS, "too many requests: try again later"},
    {HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are larger than this server takes"},
    {HTTP_INTERNAL_SERVER_ERROR,
     "the server failed: its administrator finds the reason in the log"},
    {HTTP_SERVICE_UNAVAILABLE, "the server cannot do this at the moment"},
};

#define MEANING_COUNT (sizeof(meanings) / sizeof(*meanings))

static const char *meaning(int status)
{
    size_t i;

    for (i = 0; i < MEANING_COUNT && meanings[i].status != status; i++) {
    }
    return i < MEANING_COUNT ? meanings[i].message : "the request cannot be answered";
}

/* Puts the reply in front of the end of the brigade, and sets its headers. */
static apr_status_t compose(request_rec *r, apr_bucket_brigade *brigade)
{
    batch_exchange_t x = {
        .magic = BATCH_EXCHANGE_MAGIC, .r = r, .api = batch_route_api(r->uri, r->pool)};
    batch_sink_t sink = batch_reply_sink(brigade);
    apr_off_t length;
    apr_status_t rv = batch_reply_write_error(&sink, &x, r->status, meaning(r->status));

    if (rv == APR_SUCCESS) {
        rv = apr_brigade_length(brigade, 1, &length);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    r->status_line = NULL;
    apr_table_unset(r->headers_out, "Content-Encoding");
    apr_table_unset(r->headers_out, "Content-Language");
    apr_table_unset(r->headers_out, "ETag");
    apr_table_unset(r->headers_out, "Last-Modified");
    if ((r->status == HTTP_SERVICE_UNAVAILABLE || r->status == HTTP_TOO_MANY_REQUESTS) &&
        !apr_table_get(r->headers_out, "Retry-After")) {
        apr_table_setn(r->headers_out, "Retry-After", "2");
    }
    batch_reply_begin(&x, r->status, "application/json");
    ap_set_content_length(r, length);
    return APR_SUCCESS;
}

/* Drops the body that is not ours; at its end the reply goes out. */
static apr_status_t replace_body(ap_filter_t *f, apr_bucket_brigade *in)
{
    apr_bucket_brigade *out = apr_brigade_create(f->r->pool, f->c->bucket_alloc);
    apr_status_t rv = APR_SUCCESS;

    while (!APR_BRIGADE_EMPTY(in)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(in);

        if (APR_BUCKET_IS_EOS(bucket)) {
            rv = compose(f->r, out);
            APR_BRIGADE_CONCAT(out, in);
            ap_remove_output_filter(f);
            break;
        }
        apr_bucket_delete(bucket);
    }
    if (rv != APR_SUCCESS) {
        apr_brigade_destroy(out);
        return rv;
    }
    return APR_BRIGADE_EMPTY(out) ? APR_SUCCESS : ap_pass_brigade(f->next, out);
}

/*
 * 1 if the request would have been ours. An error may come before httpd has looked up what is
 * configured for the path; then that is done here.
 */
static int would_be_ours(request_rec *r)
{
    ap_conf_vector_t *before = r->per_dir_config;
    int ours = batch_is_ours(r);

    if (!ours && r->uri && *r->uri == '/' && before == r->server->lookup_defaults) {
        ours = ap_location_walk(r) == OK && batch_is_ours(r);
        r->per_dir_config = before;
    }
    return ours;
}

static void insert_error_filter(request_rec *r)
{
    if (r->status >= HTTP_BAD_REQUEST && !r->main && would_be_ours(r)) {
        ap_add_output_filter_handle(error_filter, NULL, r, r->connection);
    }
}

/*
 * An ErrorDocument of the whole site is meant for people with browsers; it would take the place of
 * the error before the filter sees it. An empty text is a document that the filter can replace.
 */
static int disarm_error_documents(request_rec *r)
{
    const core_dir_config *config = ap_get_core_module_config(r->per_dir_config);
    size_t i;

    if (!(config->response_code_exprs || config->response_code_strings) || !batch_is_ours(r)) {
        return DECLINED;
    }
    for (i = 0; i < MEANING_COUNT; i++) {
        ap_custom_response(r, meanings[i].status, "\"");
    }
    return DECLINED;
}

void batch_error_filter_register_hooks(apr_pool_t *p)
{
    (void)p;
    error_filter = ap_register_output_filter("BATCH_ERROR", replace_body, NULL, AP_FTYPE_RESOURCE);
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_perdir_config(disarm_error_documents, NULL, NULL, APR_HOOK_MIDDLE);
}

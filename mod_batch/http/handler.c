/* The handler: who asks for what, and the endpoint that answers. */
#include "http/exchange.h"

#include <string.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "config/config.h"
#include "http/signed_url.h"

APLOG_USE_MODULE(batch);

static batch_service_fn *service_of;

int batch_is_ours(request_rec *r)
{
    const core_dir_config *config = ap_get_core_module_config(r->per_dir_config);
    const char *handler = r->handler ? r->handler : config->handler;
    const char *wrong = NULL;

    /* SetHandler is an expression, which httpd evaluates only just before the handler runs. */
    if (!r->handler && config->expr_handler) {
        handler = ap_expr_str_exec(r, config->expr_handler, &wrong);
    }
    return !wrong && handler && !strcasecmp(handler, BATCH_HANDLER);
}

/* BatchAllow, for the engine: the baton is the request. */
static int may(void *baton, const batch_resource_t *resource, batch_action_e action)
{
    return batch_config_allows(baton, resource, action);
}

static int reply_no_route(batch_exchange_t *x)
{
    return batch_reply_error(x, HTTP_NOT_FOUND, "there is no such batch, nor another resource");
}

/*
 * Of a path, not of a batch, and the same for everybody: browsers ask before they send a user's
 * credentials (CORS).
 */
static int answer_options(batch_exchange_t *x)
{
    request_rec *r = x->r;
    const batch_route_t *route = batch_route_find(x);

    if (!route) {
        return reply_no_route(x);
    }
    apr_table_setn(r->headers_out, "Allow", batch_route_methods(route, r->pool));
    return batch_reply_send(x, HTTP_OK, batch_reply_brigade(x), APR_SUCCESS);
}

static int answer_identified(batch_exchange_t *x)
{
    const batch_route_t *route = batch_route_find(x);

    if (!route) {
        return reply_no_route(x);
    }
    return batch_route_answer(x, route);
}

const batch_service_t *batch_service_for(const request_rec *r)
{
    return service_of(r);
}

/*
 * A request that has a signed URL and nothing else acts for the batch's own organization, as
 * whoever made the batch: what that one may do was asked when the URL was made.
 */
static int answer_signed(batch_exchange_t *x)
{
    apr_pool_t *p = x->r->pool;
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;

    if (!batch_route_find(x)) {
        return batch_reply_error(x, HTTP_NOT_FOUND, NULL);
    }
    rv = batch_job_find(&job, x->service->engine, x->api, x->id, &err, p);
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, NULL);
    }
    x->actor.id = job.updated_by_id ? job.updated_by_id : "";
    x->actor.name = job.updated_by ? job.updated_by : "";
    x->actor.organization = job.organization;
    return answer_identified(x);
}

/* What requests leave to a worker: to be asked for when the client has its reply. */
static void look_after_store(const batch_exchange_t *x)
{
    if (batch_store_wants_worker(x->service->engine->store) || x->leaves_line) {
        batch_reply_flush(x);
        batch_node_wake(x->service->node);
    }
}

static int answer(batch_exchange_t *x)
{
    request_rec *r = x->r;
    int status;

    if (r->method_number == M_OPTIONS) {
        return answer_options(x);
    }
    if (x->service && batch_signed_in(r)) {
        return answer_signed(x);
    }
    status = batch_config_actor(&x->actor, r);
    if (status == HTTP_UNAUTHORIZED) {
        if (ap_auth_type(r)) {
            ap_note_auth_failure(r); /* WWW-Authenticate, as the AuthType has it */
        }
        return batch_reply_error(x, status, NULL);
    }
    if (status == HTTP_FORBIDDEN) {
        return batch_reply_error(x, status, "the server does not know who you are here");
    }
    if (status != OK) {
        return batch_reply_error(x, status, NULL);
    }
    x->actor.may = may;
    x->actor.may_baton = r;
    x->actor.request_at = x->r->request_time;
    if (!x->service) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "MB0301: this process has no connection to the database of batches: see what "
                      "was logged when it started");
        return batch_reply_error(x, HTTP_SERVICE_UNAVAILABLE, "batches are out of service");
    }
    return answer_identified(x);
}

static int handle(request_rec *r)
{
    batch_exchange_t x = {.magic = BATCH_EXCHANGE_MAGIC};
    int code;

    if (!r->handler || strcmp(r->handler, BATCH_HANDLER) != 0) {
        return DECLINED;
    }
    x.r = r;
    x.prefix = "";
    x.api = batch_route_api(r->uri, r->pool);
    x.service = service_of(r);
    code = answer(&x);
    if (x.service) {
        look_after_store(&x);
    }
    return code;
}

void batch_http_register_hooks(apr_pool_t *p, batch_service_fn *service)
{
    service_of = service;
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
    batch_authentication_register_hooks(p);
    batch_signed_register_hooks(p);
    batch_error_filter_register_hooks(p);
    batch_raw_body_register_filter();
}

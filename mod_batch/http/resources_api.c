/* The resources API: creating, looking at and cancelling a batch. */
#include "http/exchange.h"

#include <apr_strings.h>
#include <http_protocol.h>

#include "config/config.h"
#include "engine/intake.h"
#include "payload/resources_body.h"

/* ---- A create's body --------------------------------------------------------------------------
 */

struct feeding {
    batch_resources_body_t *body;
    batch_error_t *err;
};

static apr_status_t feed(void *baton, const char *bytes, apr_size_t length)
{
    struct feeding *feeding = baton;

    return batch_resources_body_feed(feeding->body, bytes, length, feeding->err);
}

/* Reads the body into request and problems. 0 after the reply was made, with *code for httpd. */
static int read_body(batch_exchange_t *x, batch_resources_request_t *request,
                     batch_resources_body_t **body, batch_problems_t *problems, int *code)
{
    batch_content_t content = {BATCH_FORMAT_JSON, NULL};
    batch_error_t err = {0};
    struct feeding feeding = {NULL, &err};
    apr_status_t rv;

    if (!batch_body_is_json(x, code)) {
        return 0;
    }
    rv = batch_resources_body_make(body, &content, NULL, &x->service->engine->limits, problems,
                                   &err, x->r->pool);
    feeding.body = *body;
    if (rv == APR_SUCCESS) {
        if (batch_body_read(x, feed, &feeding, &rv, code)) {
            rv = batch_resources_body_finish(request, *body, &err);
        } else if (rv == APR_SUCCESS) {
            return 0;
        }
    }
    if (rv != APR_SUCCESS) {
        *code = batch_reply_failure(x, rv, &err, NULL);
        return 0;
    }
    return 1;
}

/*
 * Judges all of a request but its items: who may not do it hears that first, then what is wrong. 0
 * after the reply was made, with *code for httpd.
 */
static int accept_request(batch_exchange_t *x, batch_plan_t *plan,
                          const batch_resources_request_t *request, batch_problems_t *problems,
                          int *code)
{
    int action;

    batch_resources_check(plan, &action, problems, x->service->engine, request, x->r->pool);
    if (plan->resource && action >= 0 &&
        !batch_config_allows(x->r, plan->resource, (batch_action_e)action)) {
        *code = batch_reply_error(x, HTTP_FORBIDDEN, "you may not do that to this resource");
        return 0;
    }
    if (plan->resource && !batch_endpoint_resource_is_sound(x, plan->resource, code)) {
        return 0;
    }
    if (problems->nelts) {
        *code = batch_reply_problems(x, problems);
        return 0;
    }
    return 1;
}

/* ---- Endpoints --------------------------------------------------------------------------------
 */

int batch_resources_create(batch_exchange_t *x)
{
    apr_pool_t *p = x->r->pool;
    batch_problems_t *problems = batch_problems_make(p);
    apr_array_header_t *errors = apr_array_make(p, 8, sizeof(batch_item_error_t));
    batch_resources_request_t request;
    batch_resources_body_t *body;
    batch_error_t err = {0};
    batch_plan_t plan;
    batch_job_t job;
    apr_status_t rv;
    int code;

    if (!read_body(x, &request, &body, problems, &code) ||
        !accept_request(x, &plan, &request, problems, &code)) {
        return code;
    }
    rv = batch_intake(&job, errors, x->service->engine, &x->actor, &plan,
                      batch_resources_body_source(body, plan.resource), problems, &err, p);
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, problems);
    }
    if (job.mode == BATCH_MODE_SYNC && job.status != BATCH_STATUS_COMPLETED) {
        return batch_reply_batch(x, HTTP_UNPROCESSABLE_ENTITY, "batch_failed", &job, errors);
    }
    batch_endpoint_set_location(x, &job);
    if (job.mode == BATCH_MODE_SYNC) {
        return batch_reply_batch(x, HTTP_CREATED, NULL, &job, errors);
    }
    return job.status == BATCH_STATUS_QUEUED ? batch_endpoint_queued(x, &job)
                                             : batch_reply_job(x, HTTP_ACCEPTED, &job);
}

int batch_resources_get(batch_exchange_t *x)
{
    /* What they ask for is given where there is a file; in this version no batch has one. */
    static const char *const flags[] = {"include_upload_csv", "include_upload_json",
                                        "include_errors_csv", "include_errors_json"};
    batch_problems_t *problems = batch_problems_make(x->r->pool);
    batch_job_t job;
    int code;
    size_t i;

    if (!batch_endpoint_find_job(x, &job, &code)) {
        return code;
    }
    for (i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        batch_parameter_flag(x, flags[i], problems);
    }
    return problems->nelts ? batch_reply_problems(x, problems) : batch_endpoint_show(x, &job);
}

int batch_resources_cancel(batch_exchange_t *x)
{
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv =
        batch_job_cancel(&job, x->service->engine, &x->actor, x->id, &err, x->r->pool);

    return rv == APR_SUCCESS ? batch_reply_job(x, HTTP_OK, &job)
                             : batch_reply_failure(x, rv, &err, NULL);
}

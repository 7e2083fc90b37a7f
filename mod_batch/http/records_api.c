/* The records API: creating, changing, starting and removing batches, and looking at one. */
#include "http/exchange.h"

#include <string.h>

#include "config/config.h"
#include "engine/status.h"
#include "payload/operations.h"
#include "payload/records_json.h"

/* ---- A request's operations -------------------------------------------------------------------
 */

struct feeding {
    batch_operations_parser_t *parser;
    batch_error_t *err;
};

static apr_status_t feed(void *baton, const char *bytes, apr_size_t length)
{
    struct feeding *feeding = baton;

    return batch_operations_parser_feed(feeding->parser, bytes, length, feeding->err);
}

/* Reads the body into request and problems. 0 after the reply was made, with *code for httpd. */
static int read_request(batch_exchange_t *x, batch_operations_request_t *request,
                        batch_problems_t *problems, batch_body_e body, int *code)
{
    batch_error_t err = {0};
    struct feeding feeding = {
        batch_operations_parser_make(body, x->service->engine->limits.max_objects, x->r->pool),
        &err};
    apr_status_t rv;

    if (!batch_body_is_json(x, code)) {
        return 0;
    }
    if (batch_body_read(x, feed, &feeding, &rv, code)) {
        rv = batch_operations_parser_finish(request, feeding.parser, problems, &err);
    } else if (rv == APR_SUCCESS) {
        return 0;
    }
    if (rv != APR_SUCCESS) {
        *code = batch_reply_failure(x, rv, &err, NULL);
        return 0;
    }
    return 1;
}

/*
 * Reads and judges a request's operations: who may not do it hears that first, then what is wrong.
 * 0 after the reply was made, with *code for httpd.
 */
static int accept_request(batch_exchange_t *x, batch_operations_request_t *request,
                          batch_body_e body, int *code)
{
    apr_pool_t *p = x->r->pool;
    batch_problems_t *problems = x->problems;
    const batch_resource_t *resource;
    int action;

    memset(request, 0, sizeof(*request));
    if (!read_request(x, request, problems, body, code)) {
        return 0;
    }
    batch_operation_check(&resource, &action, problems, x->service->engine, request,
                          body == BATCH_BODY_OPERATIONS || request->start, p);
    if (resource && action >= 0 && !batch_config_allows(x->r, resource, (batch_action_e)action)) {
        *code = batch_reply_error(x, HTTP_FORBIDDEN, "you may not do that to this resource");
        return 0;
    }
    if (resource && action >= 0 &&
        !batch_endpoint_in_service(x, resource, (batch_action_e)action, code)) {
        return 0;
    }
    if (resource && (problems->nelts || request->first.query)) {
        batch_error_t err = {0};
        apr_status_t rv = batch_operation_check_form(problems, x->service->engine, &x->actor,
                                                     resource, request, &err, p);
        if (rv != APR_SUCCESS) {
            *code = batch_reply_failure(x, rv, &err, NULL);
            return 0;
        }
    }
    if (resource && request->first.query && !request->first.has_ids &&
        !batch_records_query(x, &request->first, resource,
                             body == BATCH_BODY_CREATE && request->start, problems, code)) {
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

int batch_records_create(batch_exchange_t *x)
{
    request_rec *r = x->r;
    batch_operations_request_t request;
    batch_problems_t *problems = batch_problems_make(r->pool);
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;
    int code;

    if (!accept_request(x, &request, BATCH_BODY_CREATE, &code)) {
        return code;
    }
    rv = batch_job_create(&job, x->service->engine, &x->actor, &request, problems, &err, r->pool);
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, problems);
    }
    batch_endpoint_set_location(x, &job);
    return job.status == BATCH_STATUS_QUEUED ? batch_endpoint_queued(x, &job)
                                             : batch_reply_job(x, HTTP_CREATED, &job);
}

int batch_records_get(batch_exchange_t *x)
{
    batch_job_t job;
    int code;

    return batch_endpoint_find_job(x, &job, &code) ? batch_endpoint_show(x, &job) : code;
}

static int reply_operations(batch_exchange_t *x, const batch_job_t *job,
                            const batch_operations_request_t *request)
{
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    batch_sink_t sink = batch_reply_sink(brigade);
    apr_status_t rv = batch_reply_put(brigade, "{\"operations\":");

    if (rv == APR_SUCCESS) {
        rv = batch_operations_write(&sink, request, x->r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_reply_put(brigade, ",\"batch\":");
    }
    if (rv == APR_SUCCESS) {
        rv = batch_records_write_job(&sink, job, x->r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_reply_put(brigade, "}");
    }
    return batch_reply_send(x, HTTP_OK, brigade, rv);
}

int batch_records_add_operations(batch_exchange_t *x)
{
    batch_operations_request_t request;
    batch_problems_t *problems = batch_problems_make(x->r->pool);
    batch_error_t err = {0};
    batch_status_e next;
    batch_job_t job;
    apr_status_t rv;
    int code;

    /* Another organization's batch is 404, one that is not pending 409, whatever the body is. */
    if (!batch_endpoint_find_job(x, &job, &code)) {
        return code;
    }
    rv = batch_status_next(&next, job.status, BATCH_EVENT_ADD_OPERATIONS, &err, x->r->pool);
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, NULL);
    }
    if (!accept_request(x, &request, BATCH_BODY_OPERATIONS, &code)) {
        return code;
    }
    rv = batch_job_add_operations(&job, x->service->engine, &x->actor, x->id, &request, problems,
                                  &err, x->r->pool);
    return rv == APR_SUCCESS ? reply_operations(x, &job, &request)
                             : batch_reply_failure(x, rv, &err, problems);
}

/* How often a start is tried while somebody else adds operations to the batch. */
#define START_TRIES 3

int batch_records_start(batch_exchange_t *x)
{
    batch_problems_t *problems = batch_problems_make(x->r->pool);
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;
    int code, tries = 0;

    if (!batch_endpoint_needs_no_body(x, &code)) {
        return code;
    }
    do {
        batch_selection_t selection = {0, NULL};
        const batch_resource_t *resource;

        if (!batch_endpoint_find_job(x, &job, &code)) {
            return code;
        }
        resource = batch_engine_resource(x->service->engine, job.resource);
        if (resource && !batch_endpoint_in_service(x, resource, job.action, &code)) {
            return code;
        }
        selection.revision = job.revision;
        if (!batch_records_select(x, &selection.items, &job, resource, &code)) {
            return code;
        }
        rv = batch_job_start(&job, x->service->engine, &x->actor, x->id, &selection, problems, &err,
                             x->r->pool);
    } while (rv == APR_EAGAIN && ++tries < START_TRIES);
    if (rv == APR_EAGAIN) {
        return batch_reply_error(x, HTTP_CONFLICT, "operations are being added to this batch");
    }
    return rv == APR_SUCCESS ? batch_endpoint_queued(x, &job)
                             : batch_reply_failure(x, rv, &err, problems);
}

int batch_records_delete(batch_exchange_t *x)
{
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv =
        batch_job_delete(&job, x->service->engine, &x->actor, x->id, &err, x->r->pool);

    return rv == APR_SUCCESS ? batch_reply_job(x, HTTP_OK, &job)
                             : batch_reply_failure(x, rv, &err, NULL);
}

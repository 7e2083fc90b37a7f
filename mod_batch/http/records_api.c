/* The records API: creating, changing, starting and removing batches, and looking at one. */
#include "http/exchange.h"

#include <string.h>

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

/* Reads the body into request and x->problems. 0 after the reply was made, with *code for httpd. */
static int read_request(batch_exchange_t *x, batch_operations_request_t *request, batch_body_e body,
                        int *code)
{
    batch_error_t err = {0};
    struct feeding feeding = {
        batch_operations_parser_make(body, x->service->engine->limits.max_objects, x->r->pool),
        &err};
    apr_status_t rv;

    memset(request, 0, sizeof(*request));
    if (!batch_body_is_json(x, code)) {
        return 0;
    }
    if (batch_body_read(x, feed, &feeding, &rv, code)) {
        rv = batch_operations_parser_finish(request, feeding.parser, x->problems, &err);
    } else if (rv == APR_SUCCESS) {
        return 0;
    }
    if (rv != APR_SUCCESS) {
        *code = batch_reply_failure(x, rv, &err, NULL);
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
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;
    int code;

    if (!read_request(x, &request, BATCH_BODY_CREATE, &code)) {
        return code;
    }
    rv =
        batch_job_create(&job, x->service->engine, &x->actor, &request, x->problems, &err, r->pool);
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, x->problems);
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
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;
    int code;

    /* Another organization's batch is 404, one that is not pending 409, whatever the body is. */
    if (!batch_endpoint_find_job(x, &job, &code)) {
        return code;
    }
    rv = batch_status_allows(&job, BATCH_EVENT_ADD_OPERATIONS, &err, x->r->pool);
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, NULL);
    }
    if (!read_request(x, &request, BATCH_BODY_OPERATIONS, &code)) {
        return code;
    }
    rv = batch_job_add_operations(&job, x->service->engine, &x->actor, x->id, &request, x->problems,
                                  &err, x->r->pool);
    return rv == APR_SUCCESS ? reply_operations(x, &job, &request)
                             : batch_reply_failure(x, rv, &err, x->problems);
}

int batch_records_start(batch_exchange_t *x)
{
    batch_problems_t *problems = batch_problems_make(x->r->pool);
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;
    int code;

    if (!batch_endpoint_needs_no_body(x, &code)) {
        return code;
    }
    rv = batch_job_start(&job, x->service->engine, &x->actor, x->id, problems, &err, x->r->pool);
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

/* The records API: creating, changing, starting and removing batches, and looking at one. */
#include "http/exchange.h"

#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "config/config.h"
#include "engine/status.h"
#include "payload/operations.h"
#include "payload/records_json.h"

APLOG_USE_MODULE(batch);

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
 * A resource that could not be compared with the database when httpd started is compared when a
 * batch first needs it. 0 after the reply was made, with *code for httpd.
 */
static int resource_is_sound(batch_exchange_t *x, const batch_resource_t *resource, int *code)
{
    request_rec *r = x->r;
    batch_problems_t *problems;
    batch_error_t err = {0};
    volatile apr_uint32_t *sound;
    apr_status_t rv;
    int i;

    sound = x->service->unchecked
                ? apr_hash_get(x->service->unchecked, resource->name, APR_HASH_KEY_STRING)
                : NULL;
    if (!sound || apr_atomic_read32(sound)) {
        return 1;
    }
    problems = batch_problems_make(r->pool);
    rv = batch_store_check_resource(x->service->engine->store, resource, problems, &err, r->pool);
    for (i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "MB0306: %s:%d: <BatchResource %s>: %s: %s",
                      resource->file, resource->line, resource->name, problem->field,
                      problem->message);
    }
    if (problems->nelts) {
        *code = batch_reply_error(x, HTTP_SERVICE_UNAVAILABLE,
                                  "this resource cannot be used at the moment");
        return 0;
    }
    if (rv != APR_SUCCESS) {
        *code = batch_reply_failure(x, rv, &err, NULL);
        return 0;
    }
    apr_atomic_set32(sound, 1);
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
    batch_problems_t *problems = batch_problems_make(p);
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
    if (resource && !resource_is_sound(x, resource, code)) {
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

/* The batch that the path names, if it is of this organization. 0 after the reply was made. */
static int find_job(batch_exchange_t *x, batch_job_t *job, int *code)
{
    batch_error_t err = {0};
    apr_status_t rv = batch_job_get(job, x->service->engine, &x->actor, BATCH_API_RECORDS, x->id,
                                    &err, x->r->pool);

    if (rv == APR_SUCCESS) {
        return 1;
    }
    *code = batch_reply_failure(x, rv, &err, NULL);
    return 0;
}

/*
 * The reply for a batch that is now in the queue. Only when the client has it is a worker told, so
 * that the work never comes before the answer.
 */
static int reply_queued(batch_exchange_t *x, const batch_job_t *job)
{
    int code;

    batch_reply_retry_after(x, job);
    code = batch_reply_job(x, HTTP_ACCEPTED, job);
    batch_reply_flush(x);
    batch_node_wake(x->service->node);
    return code;
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
    apr_table_setn(r->headers_out, "Location",
                   ap_os_escape_path(r->pool,
                                     apr_pstrcat(r->pool, x->prefix, "/batch/", job.id,
                                                 x->dot_json ? ".json" : "", NULL),
                                     1));
    return job.status == BATCH_STATUS_QUEUED ? reply_queued(x, &job)
                                             : batch_reply_job(x, HTTP_CREATED, &job);
}

int batch_records_get(batch_exchange_t *x)
{
    request_rec *r = x->r;
    batch_job_t job;
    int code;

    if (!find_job(x, &job, &code)) {
        return code;
    }
    apr_table_setn(r->headers_out, "ETag",
                   apr_psprintf(r->pool, "\"%s-%" APR_INT64_T_FMT "\"", job.id, job.revision));
    apr_table_setn(r->headers_out, "Cache-Control", "private, no-cache");
    batch_reply_retry_after(x, &job);
    /* There is no modification date to compare with: a second is too long (RFC 9110, 13.1.3). */
    apr_table_unset(r->headers_in, "If-Modified-Since");
    apr_table_unset(r->headers_in, "If-Unmodified-Since");
    code = ap_meets_conditions(r);
    return code == OK ? batch_reply_job(x, HTTP_OK, &job) : code;
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

int batch_records_set_operations(batch_exchange_t *x)
{
    batch_operations_request_t request;
    batch_problems_t *problems = batch_problems_make(x->r->pool);
    batch_error_t err = {0};
    batch_status_e next;
    batch_job_t job;
    apr_status_t rv;
    int code;

    /* Another organization's batch is 404, one that is not pending 409, whatever the body is. */
    if (!find_job(x, &job, &code)) {
        return code;
    }
    rv = batch_status_next(&next, job.status, BATCH_EVENT_SET_OPERATIONS, &err, x->r->pool);
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, NULL);
    }
    if (!accept_request(x, &request, BATCH_BODY_OPERATIONS, &code)) {
        return code;
    }
    rv = batch_job_set_operations(&job, x->service->engine, &x->actor, x->id, &request, problems,
                                  &err, x->r->pool);
    return rv == APR_SUCCESS ? reply_operations(x, &job, &request)
                             : batch_reply_failure(x, rv, &err, problems);
}

/* How often a start is tried while somebody else sets the batch's operations. */
#define START_TRIES 3

int batch_records_start(batch_exchange_t *x)
{
    batch_problems_t *problems = batch_problems_make(x->r->pool);
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;
    int code, tries = 0;

    do {
        batch_selection_t selection = {0, NULL};
        const batch_resource_t *resource;

        if (!find_job(x, &job, &code)) {
            return code;
        }
        resource = batch_engine_resource(x->service->engine, job.resource);
        if (resource && !resource_is_sound(x, resource, &code)) {
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
        return batch_reply_error(x, HTTP_CONFLICT, "the operations of this batch are being set");
    }
    return rv == APR_SUCCESS ? reply_queued(x, &job) : batch_reply_failure(x, rv, &err, problems);
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

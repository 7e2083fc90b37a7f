/* The resources API: the upload of a batch that was made without its items. */
#include "http/exchange.h"

#include <apr_strings.h>
#include <http_protocol.h>

#include "engine/upload.h"
#include "http/signed_url.h"
#include "payload/request_parameters.h"
#include "payload/resources_body.h"

struct upload {
    batch_exchange_t *x;
    batch_job_t job;
    batch_upload_t *upload;
    batch_resources_body_t *body;
    batch_problems_t *problems;
    batch_error_t err;
    int is_early; /* its items are judged while they arrive, if that is of use */
};

/* ---- What ends it otherwise than well -----------------------------------------------------------
 */

/* The upload is over, and may be sent again: a reply for what has failed. */
static int give_up(struct upload *upload, apr_status_t rv)
{
    batch_upload_release(upload->upload);
    return batch_reply_failure(upload->x, rv, &upload->err, NULL);
}

static int reply_failed(struct upload *upload)
{
    return batch_reply_batch(upload->x, HTTP_UNPROCESSABLE_ENTITY, "batch_failed", &upload->job,
                             upload->problems, NULL);
}

/* What came is not what the batch takes: it is failed, and that is the answer. */
static int fail(struct upload *upload, const char *reason)
{
    apr_status_t rv = batch_upload_fail(upload->upload, reason, &upload->err);

    return rv == APR_SUCCESS ? reply_failed(upload) : give_up(upload, rv);
}

/* All problems as one sentence. */
static const char *problems_text(const batch_problems_t *problems, apr_pool_t *p)
{
    const char *text = "";
    int i;

    for (i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);

        text = apr_pstrcat(p, text, i ? "; " : "", problem->field ? problem->field : "",
                           problem->field ? " " : "", problem->message, NULL);
    }
    return text;
}

/* The body could not be read to its end, or not be understood. */
static int fail_body(struct upload *upload, apr_status_t rv)
{
    apr_pool_t *p = upload->x->r->pool;
    const batch_error_t *err = &upload->err;
    const char *message = err->message ? err->message : "it is not of its format";

    switch (rv) {
    case BATCH_EMALFORMED:
        if (err->line) {
            message = apr_psprintf(p, "%s (line %" APR_INT64_T_FMT ", column %" APR_INT64_T_FMT ")",
                                   message, err->line, err->column);
        }
        batch_problem_add(upload->problems, "body", "%s", message);
        APR_ARRAY_IDX(upload->problems, upload->problems->nelts - 1, batch_problem_t).line =
            err->line;
        break;
    case BATCH_EINVALID:
        message = upload->problems->nelts ? problems_text(upload->problems, p) : message;
        break;
    case BATCH_ETOOLARGE:
        break;
    default:
        return give_up(upload, rv);
    }
    return fail(upload, apr_pstrcat(p, "the upload cannot be taken: ", message, NULL));
}

/* ---- Reading ------------------------------------------------------------------------------------
 */

static apr_status_t feed(void *baton, const char *bytes, apr_size_t length)
{
    struct upload *upload = baton;
    apr_status_t rv = batch_resources_body_feed(upload->body, bytes, length, &upload->err);

    if (!upload->is_early && batch_resources_body_is_file(upload->body)) {
        upload->is_early = 1;
        batch_resources_body_judge_early(upload->body, upload->x->service->engine,
                                         batch_upload_terms(upload->upload),
                                         batch_body_length(upload->x));
    }
    return rv == APR_SUCCESS
               ? batch_upload_report(upload->upload, batch_resources_body_count(upload->body),
                                     &upload->err)
               : rv;
}

static const char *field_get(void *baton, const char *name)
{
    return apr_table_get(baton, name);
}

/* Members of the request that came with the upload must not contradict the batch. */
static void check_members(struct upload *upload, const batch_resources_request_t *request)
{
    const apr_table_t *fields = batch_resources_body_fields(upload->body);
    batch_resources_request_t given;

    batch_upload_check(upload->problems, upload->upload, request);
    if (!apr_is_empty_table(fields)) {
        batch_request_parameters_read(&given, upload->problems, field_get, (void *)fields,
                                      upload->x->r->pool);
        given.has_data = 1;
        batch_upload_check(upload->problems, upload->upload, &given);
    }
}

/* 0 after the reply was made, with *code for httpd. */
static int read_body(struct upload *upload, batch_resources_request_t *request,
                     const batch_content_t *content, int *code)
{
    batch_exchange_t *x = upload->x;
    apr_status_t rv;

    rv = batch_resources_body_make(&upload->body, content, batch_upload_resource(upload->upload),
                                   &x->service->engine->limits, upload->problems, &upload->err,
                                   x->r->pool);
    if (rv == APR_SUCCESS) {
        if (batch_body_read(x, feed, upload, &rv, code)) {
            rv = batch_resources_body_finish(request, upload->body, &upload->err);
        } else if (rv == APR_SUCCESS) { /* it did not come whole: another may */
            batch_upload_release(upload->upload);
            return 0;
        }
    }
    if (rv != APR_SUCCESS) {
        *code = fail_body(upload, rv);
        return 0;
    }
    check_members(upload, request);
    if (upload->problems->nelts) {
        *code = fail_body(upload, BATCH_EINVALID);
        return 0;
    }
    return 1;
}

/* ---- The endpoint -------------------------------------------------------------------------------
 */

/* Why an upload cannot begin: to whoever has only its URL, one that has expired is none. */
static int refuse(struct upload *upload, apr_status_t rv)
{
    batch_exchange_t *x = upload->x;

    if (rv == BATCH_ECONFLICT && upload->job.status == BATCH_STATUS_EXPIRED &&
        batch_signed_in(x->r)) {
        return batch_reply_error(x, HTTP_FORBIDDEN, NULL);
    }
    return batch_reply_failure(x, rv, &upload->err, NULL);
}

static int answer(struct upload *upload)
{
    batch_exchange_t *x = upload->x;

    if (upload->job.status != BATCH_STATUS_QUEUED) {
        return reply_failed(upload);
    }
    batch_endpoint_set_location(x, &upload->job);
    return batch_endpoint_queued(x, &upload->job);
}

int batch_resources_upload(batch_exchange_t *x)
{
    apr_pool_t *p = x->r->pool;
    const batch_engine_t *engine = x->service->engine;
    struct upload upload = {.x = x, .problems = batch_problems_make(p)};
    const batch_resource_t *resource;
    batch_resources_request_t request;
    batch_content_t content;
    const char *wrong;
    apr_status_t rv;
    int code;

    if (!batch_endpoint_find_job(x, &upload.job, &code)) {
        return code;
    }
    resource = batch_engine_resource(engine, upload.job.resource);
    if (resource && !batch_endpoint_in_service(x, resource, upload.job.action, &code)) {
        return code;
    }
    wrong = batch_content_type_read(&content, apr_table_get(x->r->headers_in, "Content-Type"),
                                    BATCH_CONTENT_PLAIN, p);
    if (wrong) {
        return batch_reply_error(x, HTTP_UNSUPPORTED_MEDIA_TYPE, wrong);
    }
    rv = batch_upload_begin(&upload.upload, &upload.job, engine, &x->actor, x->id, &upload.err, p);
    if (rv != APR_SUCCESS) {
        return refuse(&upload, rv);
    }
    if (!read_body(&upload, &request, &content, &code)) {
        return code;
    }
    rv = batch_upload_take(upload.upload, batch_resources_body_source(upload.body, resource),
                           request.checksum, upload.problems, &upload.err);
    if (rv == BATCH_EINVALID) {
        return fail_body(&upload, rv);
    }
    return rv == APR_SUCCESS ? answer(&upload) : give_up(&upload, rv);
}

/* Replies of the resources API: everything in its envelope. */
#include "http/exchange.h"

#include <apr_strings.h>
#include <http_protocol.h>

#include "payload/resources_json.h"

/* The word for a status that a client can rely on. */
static const struct {
    int status;
    const char *code;
} codes[] = {
    {HTTP_BAD_REQUEST, "bad_request"},
    {HTTP_UNAUTHORIZED, "unauthorized"},
    {HTTP_FORBIDDEN, "forbidden"},
    {HTTP_NOT_FOUND, "not_found"},
    {HTTP_METHOD_NOT_ALLOWED, "method_not_allowed"},
    {HTTP_REQUEST_TIME_OUT, "timeout"},
    {HTTP_CONFLICT, "conflict"},
    {HTTP_PRECONDITION_FAILED, "precondition_failed"},
    {HTTP_REQUEST_ENTITY_TOO_LARGE, "too_large"},
    {HTTP_REQUEST_URI_TOO_LARGE, "too_large"},
    {HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large"},
    {HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"},
    {HTTP_UNPROCESSABLE_ENTITY, "invalid_request"},
    {HTTP_TOO_MANY_REQUESTS, "too_many_requests"},
    {HTTP_SERVICE_UNAVAILABLE, "unavailable"},
};

#define CODE_COUNT (sizeof(codes) / sizeof(*codes))

static const char *code_of(int status)
{
    size_t i;

    for (i = 0; i < CODE_COUNT && codes[i].status != status; i++) {
    }
    if (i < CODE_COUNT) {
        return codes[i].code;
    }
    return ap_is_HTTP_SERVER_ERROR(status) ? "internal_error" : "bad_request";
}

const char *batch_reply_endpoint(const batch_exchange_t *x)
{
    const request_rec *r = x->r;

    /* Without the query string, which is no part of what is called. */
    return apr_pstrcat(r->pool, r->method ? r->method : "", " ", r->uri ? r->uri : "", NULL);
}

apr_status_t batch_reply_write_refusal(const batch_sink_t *sink, const batch_exchange_t *x,
                                       int status, const char *code, const char *message,
                                       const batch_problems_t *problems)
{
    batch_envelope_t envelope = {
        .message = message                       ? message
                   : status == HTTP_UNAUTHORIZED ? "authentication is required"
                                                 : ap_get_status_line(status) + 4,
        .status = status,
        .code = code ? code : code_of(status),
        .endpoint = batch_reply_endpoint(x),
        .problems = problems,
    };
    apr_status_t rv = batch_envelope_begin(sink, &envelope);

    if (rv == APR_SUCCESS) {
        rv = sink->write(sink->baton, "null", 4);
    }
    return rv == APR_SUCCESS ? batch_envelope_end(sink, &envelope) : rv;
}

/* What a batch's status means, in a sentence. */
static const char *sentence(const batch_job_t *job)
{
    static const char *const sentences[BATCH_STATUS_COUNT] = {
        [BATCH_STATUS_PENDING] = "the batch waits for its start",
        [BATCH_STATUS_REQUESTED] = "the batch waits for its upload",
        [BATCH_STATUS_QUEUED] = "the batch is queued",
        [BATCH_STATUS_PROCESSING] = "the batch is being processed",
        [BATCH_STATUS_COMPLETED] = "the batch is complete",
        [BATCH_STATUS_FAILED] = "the batch has failed",
        [BATCH_STATUS_TIMED_OUT] = "the batch has taken too long",
        [BATCH_STATUS_EXPIRED] = "no upload came in time for the batch",
    };

    return job->reason ? job->reason : sentences[job->status];
}

int batch_reply_batch(batch_exchange_t *x, int status, const char *code, const batch_job_t *job,
                      const batch_problems_t *problems, const apr_array_header_t *errors)
{
    apr_bucket_brigade *brigade = batch_reply_brigade(x);
    batch_sink_t sink = batch_reply_sink(brigade);
    batch_envelope_t envelope = {
        .message = sentence(job),
        .status = status,
        .code = code,
        .endpoint = batch_reply_endpoint(x),
        .problems = problems,
        .errors = errors,
        .received = job->received,
    };
    apr_status_t rv = batch_envelope_begin(&sink, &envelope);

    if (rv == APR_SUCCESS) {
        rv = batch_resources_write_job(&sink, job, x->urls);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_envelope_end(&sink, &envelope);
    }
    return batch_reply_send(x, status, brigade, rv);
}

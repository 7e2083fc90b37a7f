/* The resources API: creating a batch. */
#include "http/exchange.h"

#include <string.h>

#include <apr_strings.h>
#include <http_protocol.h>

#include "config/config.h"
#include "engine/intake.h"
#include "payload/request_parameters.h"
#include "payload/resources_body.h"

/* ---- Judging a create -------------------------------------------------------------------------
 */

/* A create on its way from the bytes of its body to a batch. */
struct create {
    batch_exchange_t *x;
    batch_resources_request_t request;
    apr_array_header_t *given; /* names of the members that came beside the body; NULL: not read */
    batch_terms_t terms;
    int field_count; /* of the fields of a form that are members in request */
    int is_accepted; /* the terms are sound */
    int is_early;    /* its items are judged while they arrive, if that is of use */
    int is_answered; /* the reply was made, with code for httpd */
    int code;
    batch_resources_body_t *body;
    batch_problems_t *problems;
    batch_error_t err;
};

static void answer(struct create *create, int code)
{
    create->is_answered = 1;
    create->code = code;
}

/*
 * Judges all of a request but its items: who may not do it hears that first, then what is wrong. 0
 * after the reply was made.
 */
static int accept_request(struct create *create)
{
    batch_exchange_t *x = create->x;
    batch_terms_t *terms = &create->terms;
    int action;
    int code;

    batch_resources_check(terms, &action, create->problems, x->service->engine, &create->request,
                          x->r->pool);
    if (terms->resource && action >= 0 &&
        !batch_config_allows(x->r, terms->resource, (batch_action_e)action)) {
        answer(create,
               batch_reply_error(x, HTTP_FORBIDDEN, "you may not do that to this resource"));
    } else if (terms->resource && action >= 0 &&
               !batch_endpoint_in_service(x, terms->resource, (batch_action_e)action, &code)) {
        answer(create, code);
    } else if (create->problems->nelts) {
        answer(create, batch_reply_problems(x, create->problems));
    } else {
        create->is_accepted = 1;
    }
    return create->is_accepted;
}

/* Members of a request that came with the URL: of a request in JSON nobody would hear them. */
static void refuse_parameters(struct create *create)
{
    int i;

    for (i = 0; i < create->given->nelts; i++) {
        batch_problem_add(
            create->problems, APR_ARRAY_IDX(create->given, i, const char *),
            "belongs into the body where that is a JSON object, and into the URL where "
            "it is a file; one of an object a line has the Content-Type application/x-ndjson");
    }
}

/* ---- Members of a file's request --------------------------------------------------------------
 */

/* Where they are: in the URL, and in the fields of a form. */
struct members {
    batch_exchange_t *x;
    const apr_table_t *fields; /* NULL: none */
    batch_problems_t *problems;
};

static const char *member_get(void *baton, const char *name)
{
    struct members *members = baton;
    const char *value = batch_parameter(members->x, name);
    const char *field = members->fields ? apr_table_get(members->fields, name) : NULL;

    if (value && field && strcmp(value, field) != 0) {
        batch_problem_add(members->problems, name,
                          "has one value in the URL and another one in the form");
    }
    return field ? field : value;
}

static void read_members(struct create *create, const apr_table_t *fields)
{
    batch_exchange_t *x = create->x;
    struct members members = {x, fields, create->problems};

    create->given = batch_request_parameters_read(&create->request, create->problems, member_get,
                                                  &members, x->r->pool);
    create->request.via = BATCH_VIA_FILE;
    create->request.has_data = 1;
}

/* ---- A create's body --------------------------------------------------------------------------
 */

/* The reply was made, whatever else the body is. */
#define ANSWERED APR_EGENERAL

/* 1 if it is said what the file is for, in the URL or in the fields that have come. */
static int is_addressed(struct create *create, const apr_table_t *fields)
{
    return (batch_parameter(create->x, "resource") || apr_table_get(fields, "resource")) &&
           (batch_parameter(create->x, "action") || apr_table_get(fields, "action"));
}

/* The body is the file of a form, or of a type that says nothing: a batch_body_file_fn. */
static apr_status_t file_begins(void *baton, const batch_resource_t **resource,
                                const apr_table_t *fields, int more, batch_error_t *err)
{
    struct create *create = baton;

    (void)err;
    if (more && !is_addressed(create, fields)) {
        return APR_INCOMPLETE;
    }
    if (!create->given) {
        read_members(create, fields);
    }
    create->field_count = apr_table_elts(fields)->nelts;
    if (!accept_request(create)) {
        return ANSWERED;
    }
    *resource = create->terms.resource;
    return APR_SUCCESS;
}

/*
 * Fields that came behind the file count, too: the request is judged once more. Its resource is the
 * same: a field comes once, and says what the URL says.
 */
static int accept_late_fields(struct create *create)
{
    const apr_table_t *fields = batch_resources_body_fields(create->body);

    if (apr_table_elts(fields)->nelts == create->field_count) {
        return 1;
    }
    create->is_accepted = 0;
    read_members(create, fields);
    return accept_request(create);
}

static apr_status_t feed(void *baton, const char *bytes, apr_size_t length)
{
    struct create *create = baton;
    apr_status_t rv = batch_resources_body_feed(create->body, bytes, length, &create->err);

    /* Of JSON the first byte tells. Who sends a file that nobody wants need not send all of it. */
    if (rv == APR_SUCCESS && !create->is_accepted && create->given &&
        batch_resources_body_is_file(create->body) && !accept_request(create)) {
        rv = ANSWERED;
    }
    if (rv == APR_SUCCESS && create->is_accepted && !create->is_early) {
        create->is_early = 1;
        batch_resources_body_judge_early(create->body, create->x->service->engine, &create->terms,
                                         batch_body_length(create->x));
    }
    return rv;
}

/* Reads the body. 0 after the reply was made. */
static int read_body(struct create *create)
{
    batch_exchange_t *x = create->x;
    batch_resources_request_t request;
    apr_status_t rv;
    int code;

    if (batch_body_read(x, feed, create, &rv, &code)) {
        rv = batch_resources_body_finish(&request, create->body, &create->err);
    } else if (rv == APR_SUCCESS) {
        answer(create, code);
        return 0;
    }
    /* An array of a few bytes was known to be one only at its end. */
    if (!create->is_answered && !create->is_accepted && create->given &&
        batch_resources_body_is_file(create->body) && !accept_request(create)) {
        return 0;
    }
    if (rv != APR_SUCCESS) {
        if (!create->is_answered) {
            answer(create, batch_reply_failure(x, rv, &create->err, create->problems));
        }
        return 0;
    }
    if (request.via == BATCH_VIA_FILE) {
        if (!accept_late_fields(create)) {
            return 0;
        }
        create->terms.checksum = request.checksum;
        return 1;
    }
    create->request = request;
    refuse_parameters(create);
    return accept_request(create);
}

/*
 * Reads a create: its parameters, what kind of body it has, the body. 0 after the reply was made.
 * Of a file all that can be judged without its items is judged before it is read.
 */
static int read_create(struct create *create)
{
    batch_exchange_t *x = create->x;
    apr_pool_t *p = x->r->pool;
    batch_content_t content;
    const char *wrong =
        batch_content_type_read(&content, apr_table_get(x->r->headers_in, "Content-Type"), 0, p);
    apr_status_t rv;

    if (wrong) {
        answer(create, batch_reply_error(x, HTTP_UNSUPPORTED_MEDIA_TYPE, wrong));
        return 0;
    }
    if (!content.boundary) { /* of a form they are known when its file begins */
        read_members(create, NULL);
        if (content.format != BATCH_FORMAT_JSON && content.format != BATCH_FORMAT_UNKNOWN &&
            !accept_request(create)) {
            return 0;
        }
    }
    rv = batch_resources_body_make(&create->body, &content, create->terms.resource,
                                   &x->service->engine->limits, create->problems, &create->err, p);
    if (rv != APR_SUCCESS) {
        answer(create, batch_reply_failure(x, rv, &create->err, create->problems));
        return 0;
    }
    batch_resources_body_when_file(create->body, file_begins, create);
    return read_body(create);
}

/* The time between what is queued and what begins, of a request that did not wait in line. */
#define AT_ONCE apr_time_from_msec(1)

/* ---- Endpoints --------------------------------------------------------------------------------
 */

int batch_resources_create(batch_exchange_t *x)
{
    apr_pool_t *p = x->r->pool;
    apr_array_header_t *errors = apr_array_make(p, 8, sizeof(batch_item_error_t));
    struct create create = {.x = x, .problems = x->problems};
    batch_job_t job;
    apr_status_t rv;

    if (!read_create(&create)) {
        return create.code;
    }
    if (!create.request.has_data) {
        return batch_resources_request_upload(x, &create.terms);
    }
    rv = batch_intake(&job, errors, x->service->engine, &x->actor, &create.terms,
                      batch_resources_body_source(create.body, create.terms.resource),
                      create.problems, &create.err, p);
    x->leaves_line = rv == BATCH_EBUSY;
    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &create.err, create.problems);
    }
    x->leaves_line = job.mode == BATCH_MODE_SYNC && job.started_at - job.queued_at > AT_ONCE;
    if (job.mode == BATCH_MODE_SYNC && job.status != BATCH_STATUS_COMPLETED) {
        return batch_reply_batch(x, HTTP_UNPROCESSABLE_ENTITY, "batch_failed", &job, NULL, errors);
    }
    batch_endpoint_set_location(x, &job);
    if (job.mode == BATCH_MODE_SYNC) {
        return batch_reply_batch(x, HTTP_CREATED, NULL, &job, NULL, errors);
    }
    return job.status == BATCH_STATUS_QUEUED ? batch_endpoint_queued(x, &job)
                                             : batch_reply_job(x, HTTP_ACCEPTED, &job);
}

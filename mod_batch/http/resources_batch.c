/* The resources API: looking at a batch and cancelling it, and the signed URLs that a look gives.
 */
#include "http/exchange.h"

#include <stddef.h>

#include "config/config.h"
#include "engine/intake.h"
#include "engine/status.h"
#include "engine/upload.h"
#include "http/signed_url.h"

/* ---- Signed URLs -------------------------------------------------------------------------------
 */

/* The files that can be asked for. */
static const struct {
    const char *flag;
    const char *leaf;
    int (*has)(const batch_job_t *job);
    apr_size_t member; /* of batch_urls_t */
} files[] = {
    {"include_upload_csv", "upload.csv", batch_job_has_upload, offsetof(batch_urls_t, upload_csv)},
    {"include_upload_json", "upload.json", batch_job_has_upload,
     offsetof(batch_urls_t, upload_json)},
    {"include_errors_csv", "errors.csv", batch_job_has_errors, offsetof(batch_urls_t, errors_csv)},
    {"include_errors_json", "errors.json", batch_job_has_errors,
     offsetof(batch_urls_t, errors_json)},
};

#define FILE_COUNT (sizeof(files) / sizeof(*files))

static int reply_no_secret(batch_exchange_t *x)
{
    return batch_reply_error(x, HTTP_SERVICE_UNAVAILABLE, "URLs cannot be signed at the moment");
}

/* The URL for the upload of a batch that waits for one. 0 after the reply was made. */
static int sign_upload(batch_exchange_t *x, batch_urls_t *urls, const batch_job_t *job, int *code)
{
    urls->upload = batch_signed_url(x, "PUT", job, "upload", job->expires_at);
    x->urls = urls;
    if (!urls->upload) {
        *code = reply_no_secret(x);
    }
    return urls->upload != NULL;
}

/* The URLs that were asked for, of the files that are there. 0 after the reply was made. */
static int sign_files(batch_exchange_t *x, batch_urls_t *urls, const batch_job_t *job,
                      const int *wanted, int *code)
{
    apr_time_t expires = batch_signed_expiry(x);
    size_t i;

    for (i = 0; i < FILE_COUNT; i++) {
        const char **url = (const char **)((char *)urls + files[i].member);

        if (!wanted[i] || !files[i].has(job)) {
            continue;
        }
        *url = batch_signed_url(x, "GET", job, files[i].leaf, expires);
        x->urls = urls;
        if (!*url) {
            *code = reply_no_secret(x);
            return 0;
        }
    }
    return 1;
}

/* A batch without data: it is made, and waits for its upload. */
int batch_resources_request_upload(batch_exchange_t *x, const batch_terms_t *terms)
{
    batch_urls_t urls = {NULL, NULL, NULL, NULL, NULL};
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv =
        batch_upload_request(&job, x->service->engine, &x->actor, terms, &err, x->r->pool);
    int code;

    if (rv != APR_SUCCESS) {
        return batch_reply_failure(x, rv, &err, NULL);
    }
    if (!sign_upload(x, &urls, &job, &code)) {
        return code;
    }
    batch_endpoint_set_location(x, &job);
    return batch_reply_job(x, HTTP_CREATED, &job);
}

/* ---- Endpoints --------------------------------------------------------------------------------
 */

int batch_resources_get(batch_exchange_t *x)
{
    batch_urls_t urls = {NULL, NULL, NULL, NULL, NULL};
    const batch_resource_t *resource;
    int wanted[FILE_COUNT];
    batch_job_t job;
    int code;
    size_t i;

    if (!batch_endpoint_find_job(x, &job, &code)) {
        return code;
    }
    for (i = 0; i < FILE_COUNT; i++) {
        wanted[i] = batch_parameter_flag(x, files[i].flag, x->problems);
    }
    if (x->problems->nelts) {
        return batch_reply_problems(x, x->problems);
    }
    resource = batch_engine_resource(x->service->engine, job.resource);
    /* The URL lets whoever has it act: it is for those who may do what the batch does. */
    if (job.status == BATCH_STATUS_REQUESTED && resource &&
        batch_config_allows(x->r, resource, job.action) && !sign_upload(x, &urls, &job, &code)) {
        return code;
    }
    return sign_files(x, &urls, &job, wanted, &code) ? batch_endpoint_show(x, &job) : code;
}

int batch_resources_cancel(batch_exchange_t *x)
{
    batch_error_t err = {0};
    batch_job_t job;
    apr_status_t rv;
    int code;

    if (!batch_endpoint_needs_no_body(x, &code)) {
        return code;
    }
    rv = batch_job_cancel(&job, x->service->engine, &x->actor, x->id, &err, x->r->pool);
    x->leaves_line = rv == APR_SUCCESS;
    return rv == APR_SUCCESS ? batch_reply_job(x, HTTP_OK, &job)
                             : batch_reply_failure(x, rv, &err, NULL);
}

/* The resources API: the upload of a batch, and its errors, as files. */
#include "http/error_pages.h"

#include <apr_strings.h>
#include <http_protocol.h>

#include "engine/status.h"
#include "engine/stored_items.h"
#include "payload/upload_file.h"
#include "text/check.h"

struct file {
    unsigned magic;
#define RESOURCES_FILE_MAGIC 0x633118a0u
    batch_job_t job;
    batch_error_pages_t pages; /* of the errors; x and job are the upload's too */
    batch_file_e format;
    const batch_resource_t *resource;
    /* Of the upload. */
    batch_upload_file_t *upload;
    batch_stored_items_t *items;
    apr_pool_t *ptemp;
};

/* ---- The upload -------------------------------------------------------------------------------
 */

/* Items of a page, about. */
#define PAGE_ITEMS 1000

static apr_status_t begin_upload(void *baton, const batch_sink_t *sink, apr_pool_t *p)
{
    struct file *file = BATCH_CAST(struct file, baton, RESOURCES_FILE_MAGIC);
    apr_status_t rv = apr_pool_create(&file->ptemp, p);

    if (rv == APR_SUCCESS) {
        rv = batch_stored_items_make(&file->items, file->pages.x->service->engine, file->pages.job,
                                     p);
    }
    return rv == APR_SUCCESS ? batch_upload_file_begin(&file->upload, sink, file->format,
                                                       file->resource, file->pages.job->header, p)
                             : rv;
}

static apr_status_t upload_page(void *baton, int *more, batch_error_t *err)
{
    struct file *file = BATCH_CAST(struct file, baton, RESOURCES_FILE_MAGIC);
    apr_status_t rv = APR_SUCCESS;
    int i;

    *more = 0;
    if (file->pages.x->r->header_only) { /* nobody reads it: so it need not be sorted */
        return APR_SUCCESS;
    }
    for (i = 0; rv == APR_SUCCESS && i < PAGE_ITEMS; i++) {
        batch_item_t item;

        rv = batch_stored_items_next(file->items, &item, err);
        if (rv == APR_SUCCESS) {
            rv = batch_upload_file_write(file->upload, &item, file->ptemp);
            apr_pool_clear(file->ptemp);
        }
    }
    *more = batch_stored_items_given(file->items) < file->pages.job->stored;
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t end_upload(void *baton)
{
    struct file *file = BATCH_CAST(struct file, baton, RESOURCES_FILE_MAGIC);

    return batch_upload_file_end(file->upload);
}

/* ---- Errors -----------------------------------------------------------------------------------
 */

static apr_status_t begin_errors(void *baton, const batch_sink_t *sink, apr_pool_t *p)
{
    struct file *file = BATCH_CAST(struct file, baton, RESOURCES_FILE_MAGIC);
    apr_status_t rv = batch_error_pages_make(&file->pages, p);

    return rv == APR_SUCCESS ? batch_error_file_begin_items(&file->pages.file, sink, file->format,
                                                            file->resource, file->pages.job, p)
                             : rv;
}

static apr_status_t errors_page(void *baton, int *more, batch_error_t *err)
{
    struct file *file = BATCH_CAST(struct file, baton, RESOURCES_FILE_MAGIC);

    return batch_error_pages_next(&file->pages, more, err);
}

static apr_status_t end_errors(void *baton)
{
    struct file *file = BATCH_CAST(struct file, baton, RESOURCES_FILE_MAGIC);

    return batch_error_file_end(file->pages.file);
}

/* ---- Endpoints --------------------------------------------------------------------------------
 */

/* A file is another when the batch has changed; what a client has is not sent again. */
static int is_known(batch_exchange_t *x, const batch_job_t *job, const char *name)
{
    request_rec *r = x->r;

    apr_table_setn(
        r->headers_out, "ETag",
        apr_psprintf(r->pool, "\"%s-%s-%" APR_INT64_T_FMT "\"", job->id, name, job->revision));
    apr_table_setn(r->headers_out, "Cache-Control", "private, no-cache");
    apr_table_unset(r->headers_in, "If-Modified-Since");
    apr_table_unset(r->headers_in, "If-Unmodified-Since");
    return ap_meets_conditions(r);
}

typedef int has_file_fn(const batch_job_t *job);

static int send_file(batch_exchange_t *x, batch_file_source_t *source, struct file *file,
                     has_file_fn *has_file, const char *name)
{
    apr_pool_t *p = x->r->pool;
    const batch_job_t *job = &file->job;
    int code;

    file->pages.x = x;
    file->pages.job = job;
    source->baton = file;
    if (!batch_endpoint_find_job(x, &file->job, &code)) {
        return code;
    }
    file->resource = batch_engine_resource(x->service->engine, job->resource);
    if (!has_file(job) || !file->resource) {
        return batch_reply_error(x, HTTP_NOT_FOUND, "the batch has no such file");
    }
    code = is_known(x, job, name);
    if (code != OK) {
        return code;
    }
    source->type = file->format == BATCH_FILE_CSV ? "text/csv; charset=utf-8" : "application/json";
    source->filename = apr_psprintf(p, "batch-%s-%s", job->id, name);
    return batch_file_send(x, source);
}

static int send_upload(batch_exchange_t *x, batch_file_e format, const char *name)
{
    batch_file_source_t source = {.begin = begin_upload, .page = upload_page, .end = end_upload};
    struct file file = {.magic = RESOURCES_FILE_MAGIC, .format = format};

    return send_file(x, &source, &file, batch_job_has_upload, name);
}

static int send_errors(batch_exchange_t *x, batch_file_e format, const char *name)
{
    batch_file_source_t source = {.begin = begin_errors, .page = errors_page, .end = end_errors};
    struct file file = {.magic = RESOURCES_FILE_MAGIC, .format = format};

    return send_file(x, &source, &file, batch_job_has_errors, name);
}

int batch_resources_upload_csv(batch_exchange_t *x)
{
    return send_upload(x, BATCH_FILE_CSV, "upload.csv");
}

int batch_resources_upload_json(batch_exchange_t *x)
{
    return send_upload(x, BATCH_FILE_JSON, "upload.json");
}

int batch_resources_errors_csv(batch_exchange_t *x)
{
    return send_errors(x, BATCH_FILE_CSV, "errors.csv");
}

int batch_resources_errors_json(batch_exchange_t *x)
{
    return send_errors(x, BATCH_FILE_JSON, "errors.json");
}

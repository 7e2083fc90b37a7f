/* The records API: the files of what failed. */
#include "http/error_pages.h"
#include "text/check.h"

#include <apr_strings.h>

struct file {
    unsigned magic;
#define RECORDS_FILE_MAGIC 0x91028753u
    batch_error_pages_t pages;
    batch_file_e format;
};

static apr_status_t begin(void *baton, const batch_sink_t *sink, apr_pool_t *p)
{
    struct file *file = BATCH_CAST(struct file, baton, RECORDS_FILE_MAGIC);
    apr_array_header_t *columns = apr_array_make(p, 1, sizeof(const char *));
    apr_status_t rv = batch_error_pages_make(&file->pages, p);

    APR_ARRAY_PUSH(columns, const char *) = "id";
    return rv == APR_SUCCESS
               ? batch_error_file_begin(&file->pages.file, sink, file->format, columns, p)
               : rv;
}

static apr_status_t next_page(void *baton, int *more, batch_error_t *err)
{
    struct file *file = BATCH_CAST(struct file, baton, RECORDS_FILE_MAGIC);

    return batch_error_pages_next(&file->pages, more, err);
}

static apr_status_t end(void *baton)
{
    struct file *file = BATCH_CAST(struct file, baton, RECORDS_FILE_MAGIC);

    return batch_error_file_end(file->pages.file);
}

static int send_file(batch_exchange_t *x, batch_file_e format)
{
    batch_job_t job;
    struct file file = {
        .magic = RECORDS_FILE_MAGIC, .pages = {.x = x, .job = &job}, .format = format};
    batch_file_source_t source = {begin, next_page, end, &file, "application/json", NULL};
    int code;

    if (!batch_endpoint_find_job(x, &job, &code)) {
        return code;
    }
    if (format == BATCH_FILE_CSV) {
        source.type = "text/csv; charset=utf-8";
        source.filename = apr_psprintf(x->r->pool, "batch-%s-errors.csv", job.id);
    }
    return batch_file_send(x, &source);
}

int batch_records_errors_json(batch_exchange_t *x)
{
    return send_file(x, BATCH_FILE_JSON);
}

int batch_records_errors_csv(batch_exchange_t *x)
{
    return send_file(x, BATCH_FILE_CSV);
}

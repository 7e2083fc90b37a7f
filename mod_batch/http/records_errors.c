/* The records API: the files of what failed. */
#include "http/exchange.h"

#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>

#include "payload/error_file.h"

APLOG_USE_MODULE(batch);

/* Errors that are read in one transaction, and held in memory at a time. */
#define PAGE_ERRORS 1000

struct file {
    batch_exchange_t *x;
    const batch_job_t *job;
    apr_bucket_brigade *brigade;
    batch_error_file_t *file;
    batch_error_cursor_t cursor;
    int begun; /* the reply has begun */
    /* A page: what one transaction has read, kept until that has ended well. */
    apr_array_header_t *errors; /* of batch_item_error_t */
    apr_pool_t *ppage;          /* theirs */
    apr_pool_t *pread;          /* of the reading */
    apr_pool_t *ptemp;          /* of one error while it is written */
};

static void begin_page(struct file *file)
{
    apr_pool_clear(file->ppage);
    file->errors = apr_array_make(file->ppage, 64, sizeof(batch_item_error_t));
}

static apr_status_t keep_error(void *baton, const batch_item_error_t *error)
{
    struct file *file = baton;
    batch_item_error_t *kept;

    if (!error) { /* the page begins, once more if the database made us start over */
        begin_page(file);
        return APR_SUCCESS;
    }
    kept = apr_array_push(file->errors);
    *kept = *error;
    kept->id = apr_pstrdup(file->ppage, error->id);
    kept->field = apr_pstrdup(file->ppage, error->field);
    kept->code = apr_pstrdup(file->ppage, error->code);
    kept->message = apr_pstrdup(file->ppage, error->message);
    kept->original = apr_pstrdup(file->ppage, error->original);
    return APR_SUCCESS;
}

static apr_status_t write_page(struct file *file)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < file->errors->nelts && rv == APR_SUCCESS; i++) {
        rv = batch_error_file_write(file->file, &APR_ARRAY_IDX(file->errors, i, batch_item_error_t),
                                    file->ptemp);
        apr_pool_clear(file->ptemp);
    }
    return rv;
}

static apr_status_t begin_file(struct file *file, batch_file_e format)
{
    apr_pool_t *p = file->x->r->pool;
    batch_sink_t *sink = apr_palloc(p, sizeof(*sink));
    apr_array_header_t *columns = apr_array_make(p, 1, sizeof(const char *));

    APR_ARRAY_PUSH(columns, const char *) = "id";
    file->brigade = batch_reply_brigade(file->x);
    *sink = batch_reply_sink(file->brigade);
    apr_pool_create(&file->ptemp, p);
    apr_pool_create(&file->ppage, p);
    apr_pool_create(&file->pread, p);
    return batch_error_file_begin(&file->file, sink, format, columns, p);
}

static void begin_reply(struct file *file, batch_file_e format)
{
    request_rec *r = file->x->r;

    if (format == BATCH_FILE_CSV) {
        apr_table_setn(
            r->headers_out, "Content-Disposition",
            apr_psprintf(r->pool, "attachment; filename=\"batch-%s-errors.csv\"", file->job->id));
    }
    batch_reply_begin(file->x, HTTP_OK,
                      format == BATCH_FILE_CSV ? "text/csv; charset=utf-8" : "application/json");
    file->begun = 1;
}

/*
 * The reply is under way and cannot become another one. What the client gets must not look whole:
 * the connection ends without the mark that would say so.
 */
static int break_off(struct file *file, apr_status_t rv, const batch_error_t *err)
{
    request_rec *r = file->x->r;
    apr_bucket_alloc_t *allocator = file->brigade->bucket_alloc;

    ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r, "MB0307: a file of errors is broken off: %s",
                  err->message ? err->message : "no details");
    r->connection->keepalive = AP_CONN_CLOSE;
    apr_brigade_cleanup(file->brigade);
    APR_BRIGADE_INSERT_TAIL(file->brigade,
                            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, allocator));
    APR_BRIGADE_INSERT_TAIL(file->brigade, apr_bucket_eos_create(allocator));
    ap_pass_brigade(r->output_filters, file->brigade);
    return OK;
}

/* Writes page after page until there are no more errors, or the client is gone. */
static apr_status_t write_pages(struct file *file, batch_file_e format, batch_error_t *err)
{
    request_rec *r = file->x->r;
    apr_status_t rv;
    int count;

    do {
        begin_page(file);
        rv = batch_job_errors(&count, file->x->service->engine, file->job, &file->cursor,
                              PAGE_ERRORS, keep_error, file, err, file->pread);
        if (rv == APR_SUCCESS) {
            apr_pool_clear(file->pread); /* not after a failure: err lives there */
            rv = write_page(file);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (!file->begun) {
            begin_reply(file, format);
        }
        if (count == PAGE_ERRORS) {
            rv = ap_pass_brigade(r->output_filters, file->brigade);
            apr_brigade_cleanup(file->brigade);
        }
    } while (rv == APR_SUCCESS && count == PAGE_ERRORS && !r->connection->aborted &&
             !r->header_only);
    return APR_SUCCESS;
}

static int send_file(batch_exchange_t *x, batch_file_e format)
{
    request_rec *r = x->r;
    batch_error_t err = {0};
    batch_job_t job;
    struct file file = {.x = x, .job = &job};
    apr_status_t rv;

    rv =
        batch_job_get(&job, x->service->engine, &x->actor, BATCH_API_RECORDS, x->id, &err, r->pool);
    if (rv == APR_SUCCESS) {
        rv = begin_file(&file, format);
    }
    if (rv == APR_SUCCESS) {
        rv = write_pages(&file, format, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_error_file_end(file.file);
    }
    if (rv != APR_SUCCESS) {
        return file.begun ? break_off(&file, rv, &err) : batch_reply_failure(x, rv, &err, NULL);
    }
    APR_BRIGADE_INSERT_TAIL(file.brigade, apr_bucket_eos_create(file.brigade->bucket_alloc));
    rv = ap_pass_brigade(r->output_filters, file.brigade);
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, rv, r, "MB0303: the client did not take the reply");
    }
    return OK;
}

int batch_records_errors_json(batch_exchange_t *x)
{
    return send_file(x, BATCH_FILE_JSON);
}

int batch_records_errors_csv(batch_exchange_t *x)
{
    return send_file(x, BATCH_FILE_CSV);
}

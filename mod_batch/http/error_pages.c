#include "http/error_pages.h"

#include <apr_strings.h>

/* Errors that are read in one transaction, and held in memory at a time. */
#define PAGE_ERRORS 1000

static void begin_page(batch_error_pages_t *pages)
{
    apr_pool_clear(pages->ppage);
    pages->errors = apr_array_make(pages->ppage, 64, sizeof(batch_item_error_t));
}

static apr_status_t keep_error(void *baton, const batch_item_error_t *error)
{
    batch_error_pages_t *pages = baton;
    batch_item_error_t *kept;

    if (!error) { /* the page begins, once more if the database made us start over */
        begin_page(pages);
        return APR_SUCCESS;
    }
    kept = apr_array_push(pages->errors);
    *kept = *error;
    kept->id = apr_pstrdup(pages->ppage, error->id);
    kept->field = apr_pstrdup(pages->ppage, error->field);
    kept->code = apr_pstrdup(pages->ppage, error->code);
    kept->message = apr_pstrdup(pages->ppage, error->message);
    kept->original = apr_pstrdup(pages->ppage, error->original);
    kept->values = apr_pstrdup(pages->ppage, error->values);
    return APR_SUCCESS;
}

static apr_status_t write_page(batch_error_pages_t *pages)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < pages->errors->nelts && rv == APR_SUCCESS; i++) {
        rv = batch_error_file_write(
            pages->file, &APR_ARRAY_IDX(pages->errors, i, batch_item_error_t), pages->ptemp);
        apr_pool_clear(pages->ptemp);
    }
    return rv;
}

apr_status_t batch_error_pages_make(batch_error_pages_t *pages, apr_pool_t *p)
{
    apr_status_t rv = apr_pool_create(&pages->ptemp, p);

    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&pages->ppage, p);
    }
    return rv == APR_SUCCESS ? apr_pool_create(&pages->pread, p) : rv;
}

apr_status_t batch_error_pages_next(batch_error_pages_t *pages, int *more, batch_error_t *err)
{
    apr_status_t rv;
    int count;

    begin_page(pages);
    rv = batch_job_errors(&count, pages->x->service->engine, pages->job, &pages->cursor,
                          PAGE_ERRORS, keep_error, pages, err, pages->pread);
    if (rv == APR_SUCCESS) {
        apr_pool_clear(pages->pread); /* not after a failure: err lives there */
        *more = count == PAGE_ERRORS;
        rv = write_page(pages);
    }
    return rv;
}

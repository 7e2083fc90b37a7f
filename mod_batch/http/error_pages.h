/* The errors of a batch as pages of a file that is sent: what both APIs share. */
#ifndef BATCH_HTTP_ERROR_PAGES_H
#define BATCH_HTTP_ERROR_PAGES_H

#include "http/exchange.h"
#include "payload/error_file.h"

/** Where the reading of a batch's errors stands. */
typedef struct batch_error_pages {
    batch_exchange_t *x;
    const batch_job_t *job;
    batch_error_file_t *file; /* where they are written */
    batch_error_cursor_t cursor;
    /* A page: what one transaction has read, kept until that has ended well. */
    apr_array_header_t *errors; /* of batch_item_error_t */
    apr_pool_t *ppage;          /* theirs */
    apr_pool_t *pread;          /* of the reading */
    apr_pool_t *ptemp;          /* of one error while it is written */
} batch_error_pages_t;

/** Makes its pools, in p. */
apr_status_t batch_error_pages_make(batch_error_pages_t *pages, apr_pool_t *p);

/** Reads and writes the next page; as batch_file_source_t. */
apr_status_t batch_error_pages_next(batch_error_pages_t *pages, int *more, batch_error_t *err);

#endif

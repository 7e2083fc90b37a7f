/*
 * A batch's upload as a file, in either format whatever it came in: all items in the order sent,
 * those that were dropped too.
 *
 * JSON: an array of the items. CSV (RFC 4180, UTF-8, CRLF): a header, then a row for each item; a
 * member that is null is #N/A, and one that the resource does not have is left out. Of an item that
 * was too large to be kept, null or an empty row stands in its place.
 */
#ifndef BATCH_PAYLOAD_UPLOAD_FILE_H
#define BATCH_PAYLOAD_UPLOAD_FILE_H

#include "batch.h"
#include "payload/error_file.h"
#include "text/sink.h"

typedef struct batch_upload_file batch_upload_file_t;

/**
 * Starts a file: writes what stands before the first item. header: of a batch that came as CSV
 * (batch_job_t), else NULL. The file lives in p, which grows by nothing for each item; sink is kept
 * by reference.
 */
apr_status_t batch_upload_file_begin(batch_upload_file_t **file, const batch_sink_t *sink,
                                     batch_file_e format, const batch_resource_t *resource,
                                     const char *header, apr_pool_t *p);

/** Writes one stored item; ptemp is used only during the call. */
apr_status_t batch_upload_file_write(batch_upload_file_t *file, const batch_item_t *item,
                                     apr_pool_t *ptemp);

/** Writes what stands behind the last item. */
apr_status_t batch_upload_file_end(batch_upload_file_t *file);

#endif

/*
 * Error files of both APIs: what failed and why, to be mended and sent again.
 *
 * JSON: an array of {"index","line","id","field","code","message","item"}, item being the original;
 * line, id and field are null where there is none.
 * CSV (RFC 4180, UTF-8, CRLF): line,index,field,code,message, then the original's columns; for the
 * records API that is id.
 *
 * In the resources API an item may have several errors. It appears once, so that the file can be
 * sent back: with the field and code of the first, and all messages, those about another field
 * behind its name. index is null (an empty cell) for a row that no item has named, and that an
 * overwrite could not remove.
 */
#ifndef BATCH_PAYLOAD_ERROR_FILE_H
#define BATCH_PAYLOAD_ERROR_FILE_H

#include "batch.h"
#include "text/sink.h"

typedef enum { BATCH_FILE_JSON, BATCH_FILE_CSV } batch_file_e;

typedef struct batch_error_file batch_error_file_t;

/**
 * Starts a file: writes what stands before the first error. columns (of const char *): the
 * original's columns, for CSV. The file lives in p, which grows by nothing for each error.
 */
apr_status_t batch_error_file_begin(batch_error_file_t **file, const batch_sink_t *sink,
                                    batch_file_e format, const apr_array_header_t *columns,
                                    apr_pool_t *p);

/** The same for a batch of the resources API, of which resource and job are kept by reference. */
apr_status_t batch_error_file_begin_items(batch_error_file_t **file, const batch_sink_t *sink,
                                          batch_file_e format, const batch_resource_t *resource,
                                          const batch_job_t *job, apr_pool_t *p);

/** Writes one error; ptemp is used only during the call. */
apr_status_t batch_error_file_write(batch_error_file_t *file, const batch_item_error_t *error,
                                    apr_pool_t *ptemp);

/** Writes what stands behind the last error. */
apr_status_t batch_error_file_end(batch_error_file_t *file);

#endif

/* Files that are gone with whoever uses them. */
#ifndef BATCH_TEXT_TEMP_FILE_H
#define BATCH_TEXT_TEMP_FILE_H

#include <apr_file_io.h>

#include "batch.h"

/**
 * Opens a file to write and read, closed with p. It has its name only for a moment, so that nothing
 * can be left of it. Statuses as batch_temp_file_fail.
 */
apr_status_t batch_temp_file_make(apr_file_t **file, batch_error_t *err, apr_pool_t *p);

/**
 * Says that such a file cannot be `what` ("written", "read"); returns BATCH_EUNAVAILABLE. What err
 * gets is in p.
 */
apr_status_t batch_temp_file_fail(batch_error_t *err, apr_status_t status, const char *what,
                                  apr_pool_t *p);

#endif

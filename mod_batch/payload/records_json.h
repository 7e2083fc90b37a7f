/* Replies of the records API, as JSON (RFC 8259, compact, slashes not escaped). */
#ifndef BATCH_PAYLOAD_RECORDS_JSON_H
#define BATCH_PAYLOAD_RECORDS_JSON_H

#include "batch.h"
#include "text/sink.h"

/** The words of the records API: pending, running, success, failed. */
const char *batch_records_status(batch_status_e status);

/** Writes the batch object alone: {"id":…}. */
apr_status_t batch_records_write_job(const batch_sink_t *sink, const batch_job_t *job,
                                     apr_pool_t *ptemp);

/**
 * Writes the part of a list behind its objects: ],"current_page":…,"per_page":…}. total_pages is
 * at least 1: a list of nothing is one empty page, as pagers of such APIs have it.
 */
apr_status_t batch_records_write_list_end(const batch_sink_t *sink, apr_int64_t page,
                                          apr_int64_t per_page, apr_int64_t total);

/** Writes {"batch":{"errors":{field:[message,…],…}}}: fields in order of their first problem. */
apr_status_t batch_records_write_problems(const batch_sink_t *sink,
                                          const batch_problems_t *problems);

/** Writes {"error":reason,"status":code,"message":message}; without message if it is NULL. */
apr_status_t batch_records_write_error(const batch_sink_t *sink, int code, const char *reason,
                                       const char *message);

#endif

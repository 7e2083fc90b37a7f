/* Replies of the resources API, as JSON (RFC 8259, compact, slashes not escaped). */
#ifndef BATCH_PAYLOAD_RESOURCES_JSON_H
#define BATCH_PAYLOAD_RESOURCES_JSON_H

#include "batch.h"
#include "text/sink.h"

/** What stands around the data of every reply. */
typedef struct batch_envelope {
    const char *message;  /* one sentence; NULL = none */
    int status;           /* the HTTP status code */
    const char *code;     /* one stable word where something is wrong, else NULL */
    const char *endpoint; /* method and path */
    /* What is wrong with the request; NULL = nothing. A field may be NULL. */
    const batch_problems_t *problems;
    const apr_array_header_t *errors; /* of batch_item_error_t: what is wrong with items; or NULL */
    apr_int64_t
        received; /* items that the request had: an error with a greater ordinal is of none */
    /* Of a list; limit is 0 where the reply is none. */
    apr_int64_t limit;
    apr_int64_t page;
    apr_int64_t total_count;
} batch_envelope_t;

/** Writes what stands before the data: {"message":…,"data":, so that a list can be streamed. */
apr_status_t batch_envelope_begin(const batch_sink_t *sink, const batch_envelope_t *envelope);

/**
 * Writes what stands behind the data, from its comma on. Where something is wrong (code is set) and
 * neither problems nor errors say what, errors gets one entry with the message.
 */
apr_status_t batch_envelope_end(const batch_sink_t *sink, const batch_envelope_t *envelope);

/** The signed URLs of a batch; each NULL where there is none. */
typedef struct batch_urls {
    const char *upload;
    const char *upload_csv;
    const char *upload_json;
    const char *errors_csv;
    const char *errors_json;
} batch_urls_t;

/** Writes the batch object. urls may be NULL: all are null. */
apr_status_t batch_resources_write_job(const batch_sink_t *sink, const batch_job_t *job,
                                       const batch_urls_t *urls);

#endif

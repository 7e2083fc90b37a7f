/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1) with one file, taken apart as it arrives:
 * the bytes of the file go on to a callback, all others are forgotten.
 *
 * Strict where the RFCs are: lines end with CRLF, the last boundary must come. A part is a file if
 * its Content-Disposition has a filename that is not empty. Of the others, those with the name of a
 * parameter are fields, before the file or behind it. The rest is skipped.
 */
#ifndef BATCH_PAYLOAD_MULTIPART_H
#define BATCH_PAYLOAD_MULTIPART_H

#include "batch.h"

/** Bytes that the headers of a part may have. */
#define BATCH_PART_HEADER_BYTES 16384

/** Bytes that the values of the fields may have together. */
#define BATCH_FORM_FIELD_BYTES (1024 * 1024)

/** Who is told of the file, and of the fields. Another status than APR_SUCCESS ends the
 * reading. */
typedef struct batch_multipart_target {
    /** A field. name and value live as long as the reader. */
    apr_status_t (*field)(void *baton, const char *name, const char *value, batch_error_t *err);
    /** A file begins. type: its Content-Type or NULL; name as the client has it. Valid in the call.
     */
    apr_status_t (*begin)(void *baton, const char *type, const char *name, batch_error_t *err);
    /** Its next bytes. */
    apr_status_t (*data)(void *baton, const char *bytes, apr_size_t length, batch_error_t *err);
    void *baton;
} batch_multipart_target_t;

typedef struct batch_multipart batch_multipart_t;

/** Makes a reader in p. boundary and target are copied. */
batch_multipart_t *batch_multipart_make(const char *boundary,
                                        const batch_multipart_target_t *target, apr_pool_t *p);

/**
 * Takes the next bytes. BATCH_EINVALID: the body is not such a one, BATCH_EPART: a part says that
 * it is a piece of something; BATCH_ETOOLARGE: over BATCH_FORM_FIELD_BYTES; all with err->message
 * in p of make. Else what the target has returned. Once a call has failed no further one may
 * follow.
 */
apr_status_t batch_multipart_feed(batch_multipart_t *multipart, const char *bytes,
                                  apr_size_t length, batch_error_t *err);

/** Ends the body: BATCH_EINVALID if it is cut short, or has no file. */
apr_status_t batch_multipart_finish(batch_multipart_t *multipart, batch_error_t *err);

#endif

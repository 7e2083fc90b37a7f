/* Which format a body, or the file in one, has: by the media type that the client gives it. */
#ifndef BATCH_PAYLOAD_CONTENT_TYPE_H
#define BATCH_PAYLOAD_CONTENT_TYPE_H

#include "batch.h"

/** RFC 2046, section 5.1.1. */
#define BATCH_BOUNDARY_BYTES 70

typedef enum {
    BATCH_FORMAT_JSON, /* {"action":…,"resource":…,"data":[…],…}, or as BATCH_FORMAT_ARRAY */
    BATCH_FORMAT_ARRAY,  /* [{…},{…}] */
    BATCH_FORMAT_NDJSON, /* an object a line */
    BATCH_FORMAT_CSV,    /* RFC 4180, UTF-8, with a header row */
    BATCH_FORMAT_UNKNOWN /* its first byte tells: BATCH_FORMAT_JSON, or else BATCH_FORMAT_CSV */
} batch_format_e;

/** What a body is. */
typedef struct batch_content {
    batch_format_e format; /* without a boundary: of the body */
    const char *boundary;  /* multipart/form-data, whose file says its own format; else NULL */
} batch_content_t;

/** The media types that are taken, for a message. */
#define BATCH_CONTENT_TYPES                                                                        \
    "text/csv, application/x-ndjson, application/json or multipart/form-data"

/** What is said of a file that is compressed. */
extern const char batch_gzip_words[];

/** How a header Content-Type is read. */
#define BATCH_CONTENT_ARRAY 1 /* JSON must be an array; else its first byte tells */
#define BATCH_CONTENT_PLAIN 2 /* text/plain says nothing; else it is none of ours */

/**
 * Reads the header Content-Type of a body. NULL, and a type that says nothing
 * (application/octet-stream, what Windows calls CSV, text/plain): BATCH_FORMAT_UNKNOWN. how: the
 * flags above, or 0. Returns NULL, or what is wrong with it and what there is instead, in p: one
 * sentence for a 415.
 */
const char *batch_content_type_read(batch_content_t *content, const char *header, int how,
                                    apr_pool_t *p);

/**
 * The same for a file in multipart/form-data. name: of the file, whose ending counts where its type
 * says nothing: none, application/octet-stream, text/plain and what Windows calls CSV.
 */
const char *batch_content_type_of_file(batch_format_e *format, const char *header, const char *name,
                                       apr_pool_t *p);

#endif

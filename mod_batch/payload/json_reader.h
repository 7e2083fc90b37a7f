/*
 * An incremental reader of one JSON document (RFC 8259, nothing laxer) that never holds it whole.
 *
 * It is fed the body in slices as they come. The elements of one array are diverted: each goes to a
 * callback and is forgotten. All the rest, the skeleton, is kept as text without the white space
 * between tokens; the diverted array shows in it as []. What is handed out is valid JSON, so
 * json_text.h can walk it without checking anything again.
 *
 * Stricter than RFC 8259 asks, where it leaves a choice: a byte order mark at the start is skipped;
 * an unpaired surrogate escape, U+0000 in a member's name, and a second member of the same name on
 * the path to the diverted array are malformed.
 */
#ifndef BATCH_PAYLOAD_JSON_READER_H
#define BATCH_PAYLOAD_JSON_READER_H

#include "batch.h"

/** How deep arrays and objects may be nested. */
#define BATCH_JSON_DEPTH 32

/** One element of the diverted array. */
typedef struct batch_json_element {
    const char *text;   /* its JSON text, not NUL-terminated; NULL: longer than max_element */
    apr_size_t length;  /* of the text in bytes, also when text is NULL */
    char first;         /* the first byte of the text: tells a string from the rest */
    apr_int64_t index;  /* in the array, from 0 */
    apr_int64_t line;   /* of the body where it begins, from 1 */
    apr_int64_t column; /* bytes, from 1 */
} batch_json_element_t;

/**
 * Is called with each element, in order; element and its text are the reader's again after the
 * call. Another status than APR_SUCCESS ends the reading and is what feed returns.
 */
typedef apr_status_t batch_json_element_fn(void *baton, const batch_json_element_t *element);

typedef struct batch_json_reader_config {
    /*
     * Where the diverted array is, as "batch.operations[0].ids" (at most 8 names and indexes); ""
     * is the document itself, NULL diverts nothing. Anything but an array there is skeleton. Kept
     * by reference.
     */
    const char *path;
    batch_json_element_fn *element; /* NULL: elements are checked and dropped */
    void *baton;
    apr_size_t max_skeleton; /* bytes; a larger one is BATCH_ETOOLARGE */
    apr_size_t max_element;  /* bytes; a larger one is not held, the callback is told */
    int or_document;         /* a document that is an array is diverted itself, whatever path is */
} batch_json_reader_config_t;

typedef struct batch_json_reader batch_json_reader_t;

/** Makes a reader in p. config is copied. */
batch_json_reader_t *batch_json_reader_make(const batch_json_reader_config_t *config,
                                            apr_pool_t *p);

/**
 * Takes the next bytes of the document; an empty slice is allowed. BATCH_EMALFORMED: not JSON, with
 * the place of the first byte that cannot be (or of the end) in err, whatever the slices;
 * BATCH_ETOOLARGE: over max_skeleton. err->message is for the client and lives in the reader's
 * pool; err may be NULL. Once a call has failed, all further ones say the same.
 */
apr_status_t batch_json_reader_feed(batch_json_reader_t *reader, const char *bytes,
                                    apr_size_t length, batch_error_t *err);

/**
 * Ends the document. *skeleton is NUL-terminated and lives in the reader's pool; NULLs may be given
 * for both results. Statuses as feed.
 */
apr_status_t batch_json_reader_finish(const char **skeleton, apr_size_t *length,
                                      batch_json_reader_t *reader, batch_error_t *err);

/** The first byte of the document: '{', '[' or another; 0 if it has not come yet. */
char batch_json_reader_root(const batch_json_reader_t *reader);

/** 1 if it failed where, behind a document that is an object, another one begins. */
int batch_json_reader_is_second(const batch_json_reader_t *reader);

/** Makes the reader ready for another document. The last one's skeleton is gone. */
void batch_json_reader_reset(batch_json_reader_t *reader);

/** 1 if text is one whole JSON document; ptemp is used only during the call. */
int batch_json_is_valid(const char *text, apr_size_t length, apr_pool_t *ptemp);

#endif

/*
 * Walking JSON text that was checked before (payload/json_reader.h), or that a database holds.
 * Nothing is built, and values keep the form in which they were written. Nothing looks for errors
 * either: a walk over what is not JSON ends early or has values that are none, but never leaves the
 * text.
 */
#ifndef BATCH_TEXT_JSON_TEXT_H
#define BATCH_TEXT_JSON_TEXT_H

#include "batch.h"

/** One value: its first and all further bytes, without white space around it. NULL text: absent. */
typedef struct batch_json_slice {
    const char *text; /* not NUL-terminated */
    apr_size_t length;
} batch_json_slice_t;

typedef enum {
    BATCH_JSON_ABSENT, /* no value at all */
    BATCH_JSON_NULL,
    BATCH_JSON_BOOLEAN,
    BATCH_JSON_NUMBER,
    BATCH_JSON_STRING,
    BATCH_JSON_ARRAY,
    BATCH_JSON_OBJECT
} batch_json_kind_e;

batch_json_kind_e batch_json_kind(const batch_json_slice_t *value);

/** 1 for the boolean true. */
int batch_json_is_true(const batch_json_slice_t *value);

/** The whole of a checked document as a value. */
batch_json_slice_t batch_json_document(const char *text, apr_size_t length);

/** Behind the value (or the member's name) that begins at, at the latest at end. */
const char *batch_json_skip(const char *at, const char *end);

/** Behind the white space that begins at, if there is any. */
const char *batch_json_skip_space(const char *at, const char *end);

/** Where a walk over the children of an array or object stands. */
typedef struct batch_json_cursor {
    const char *next;
    const char *end;
} batch_json_cursor_t;

/** Starts a walk; over nothing if value is neither an array nor an object. */
void batch_json_walk(batch_json_cursor_t *cursor, const batch_json_slice_t *value);

/** The next element of an array; 0 behind the last one. */
int batch_json_next_element(batch_json_slice_t *value, batch_json_cursor_t *cursor);

/** The next member of an object, name as a JSON string with its quotes; 0 behind the last one. */
int batch_json_next_member(batch_json_slice_t *name, batch_json_slice_t *value,
                           batch_json_cursor_t *cursor);

/**
 * Finds the member of that name; the last one where there are several. Returns how many there are;
 * *value is absent for 0.
 */
int batch_json_member(batch_json_slice_t *value, const batch_json_slice_t *object,
                      const char *name);

/** 1 if the JSON string (with its quotes) stands for these bytes. */
int batch_json_string_equals(const char *string, apr_size_t length, const char *bytes,
                             apr_size_t bytes_length);

/**
 * Writes what the JSON string (with its quotes) stands for, without a NUL; returns its length,
 * which is less than length.
 */
apr_size_t batch_json_string_copy(char *to, const char *string, apr_size_t length);

/**
 * What the JSON string (with its quotes) stands for, NUL-terminated in p; *decoded_length is its
 * length without that NUL and tells whether U+0000 is in it.
 */
char *batch_json_string_decode(apr_size_t *decoded_length, const char *string, apr_size_t length,
                               apr_pool_t *p);

#endif

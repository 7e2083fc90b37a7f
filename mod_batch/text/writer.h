/*
 * Writing text to a sink. The writer lives on the caller's stack, gathers small pieces, and
 * remembers the first failure of the sink, so that only its end has to be looked at.
 */
#ifndef BATCH_TEXT_WRITER_H
#define BATCH_TEXT_WRITER_H

#include "batch.h"
#include "text/sink.h"

typedef struct batch_text_writer {
    const batch_sink_t *sink;
    apr_status_t status;
    apr_size_t used;
    char buffer[4096];
} batch_text_writer_t;

/** Starts to write to sink, which is kept by reference. */
void batch_text_writer_init(batch_text_writer_t *writer, const batch_sink_t *sink);

/** Writes bytes as they are. */
void batch_write_bytes(batch_text_writer_t *writer, const char *bytes, apr_size_t length);

/** Writes a NUL-terminated text as it is. */
void batch_write_text(batch_text_writer_t *writer, const char *text);

/**
 * Writes bytes that ought to be UTF-8: what is not (a database's own words may have such), and NUL,
 * becomes U+FFFD.
 */
void batch_write_utf8(batch_text_writer_t *writer, const char *bytes, apr_size_t length);

/**
 * Writes text as a JSON string, slashes not escaped, or null for NULL. Bytes that are not UTF-8
 * become U+FFFD.
 */
void batch_write_json_string(batch_text_writer_t *writer, const char *text);

/** The same for length bytes, which may contain NUL. */
void batch_write_json_string_n(batch_text_writer_t *writer, const char *bytes, apr_size_t length);

void batch_write_number(batch_text_writer_t *writer, apr_int64_t number);

/**
 * Writes a member of an object that has others before it: a string, or null for NULL. Its name
 * needs no escape.
 */
void batch_write_text_member(batch_text_writer_t *writer, const char *name, const char *text);

/** Hands the rest to the sink. Returns what the sink first failed with, or APR_SUCCESS. */
apr_status_t batch_writer_end(batch_text_writer_t *writer);

#endif

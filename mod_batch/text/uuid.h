/* UUIDs (RFC 9562) as text: 36 characters, of which 32 are hexadecimal digits. */
#ifndef BATCH_TEXT_UUID_H
#define BATCH_TEXT_UUID_H

#include "batch.h"

/** Bytes of a UUID, and of its text with the NUL. */
#define BATCH_UUID_BYTES 16
#define BATCH_UUID_SIZE  37

/** A random UUID (version 4) in lower case, in p. */
const char *batch_uuid_make(apr_pool_t *p);

/** 1 if text is a UUID in its 36-character form, any case; NULL is none. */
int batch_uuid_is_valid(const char *text);

/** Writes a UUID in lower case. */
void batch_uuid_write(char text[BATCH_UUID_SIZE], const unsigned char bytes[BATCH_UUID_BYTES]);

/**
 * Reads a UUID in the ways in which PostgreSQL takes one: in any case, with braces around it or
 * none, with a hyphen behind any four digits or none. *spelling: its 36 characters in lower case;
 * text itself where that is spelt so, else in p. 0: text is none.
 */
int batch_uuid_settle(const char **spelling, const char *text, apr_pool_t *p);

/** The same into spelling. */
int batch_uuid_spell(char spelling[BATCH_UUID_SIZE], const char *text);

/** Reads a UUID. 0: text, which may be NULL, is none. */
int batch_uuid_read(unsigned char bytes[BATCH_UUID_BYTES], const char *text);

#endif

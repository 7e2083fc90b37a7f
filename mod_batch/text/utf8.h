/* Characters in UTF-8 (RFC 3629). */
#ifndef BATCH_TEXT_UTF8_H
#define BATCH_TEXT_UTF8_H

#include "batch.h"

/** Bytes of the character that begins the bytes, of which left (not 0) are there; 0: none does. */
apr_size_t batch_utf8_character(const char *bytes, apr_size_t left);

/** The code of a character of so many bytes. */
unsigned batch_utf8_decode(const char *bytes, apr_size_t length);

/** Writes the character of a code, of up to four bytes; returns how many. */
apr_size_t batch_utf8_encode(char *bytes, unsigned code);

/** 1 if a byte is not the first one of a character. */
#define batch_utf8_continues(byte) (((unsigned char)(byte)&0xc0) == 0x80)

/** 1 if bytes are well-formed UTF-8 without U+0000. */
int batch_utf8_is_valid(const char *bytes, apr_size_t length);

/** How many of the bytes are so, from the first one on. */
apr_size_t batch_utf8_valid_length(const char *bytes, apr_size_t length);

/**
 * Copies bytes, with U+FFFD for each that belongs to no character, and for U+0000; returns how many
 * they have become: at most three times as many.
 */
apr_size_t batch_utf8_mend(char *to, const char *bytes, apr_size_t length);

#endif

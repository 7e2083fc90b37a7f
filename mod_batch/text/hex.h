/* Bytes as hexadecimal digits, and back. */
#ifndef BATCH_TEXT_HEX_H
#define BATCH_TEXT_HEX_H

#include "batch.h"

/** Writes two digits a byte, in lower case, and a NUL behind them. */
void batch_hex_write(char *text, const unsigned char *bytes, apr_size_t length);

/** The same in p. */
const char *batch_hex(const unsigned char *bytes, apr_size_t length, apr_pool_t *p);

/** What a digit of either case stands for, or -1. */
int batch_hex_value(char digit);

/** Reads the two digits of a byte. 0: there are none; nothing behind a NUL is looked at. */
int batch_hex_byte(unsigned char *byte, const char *digits);

/** Reads a text that is two digits for each of length bytes, and nothing else. 0: it is not. */
int batch_hex_read(unsigned char *bytes, apr_size_t length, const char *text);

#endif

#include "text/writer.h"

#include <string.h>

#include "text/hex.h"
#include "text/numbers.h"
#include "text/utf8.h"

void batch_text_writer_init(batch_text_writer_t *writer, const batch_sink_t *sink)
{
    writer->sink = sink;
    writer->status = APR_SUCCESS;
    writer->used = 0;
}

static void hand_over(batch_text_writer_t *writer, const char *bytes, apr_size_t length)
{
    if (length && writer->status == APR_SUCCESS) {
        writer->status = writer->sink->write(writer->sink->baton, bytes, length);
    }
}

void batch_write_bytes(batch_text_writer_t *writer, const char *bytes, apr_size_t length)
{
    if (length > sizeof(writer->buffer) - writer->used) {
        hand_over(writer, writer->buffer, writer->used);
        writer->used = 0;
        if (length > sizeof(writer->buffer)) {
            hand_over(writer, bytes, length);
            return;
        }
    }
    memcpy(writer->buffer + writer->used, bytes, length);
    writer->used += length;
}

void batch_write_text(batch_text_writer_t *writer, const char *text)
{
    batch_write_bytes(writer, text, strlen(text));
}

/** Writes the character at, or U+FFFD for a byte that begins none; returns how many bytes it has.
 */
static int write_character(batch_text_writer_t *writer, const char *at, apr_size_t left)
{
    int length = *at ? (int)batch_utf8_character(at, left) : 0;

    if (!length) {
        batch_write_text(writer, "\xef\xbf\xbd");
        return 1;
    }
    batch_write_bytes(writer, at, (apr_size_t)length);
    return length;
}

void batch_write_utf8(batch_text_writer_t *writer, const char *bytes, apr_size_t length)
{
    const char *end = bytes + length;

    while (bytes < end) {
        bytes += write_character(writer, bytes, (apr_size_t)(end - bytes));
    }
}

/** Writes the character at as it has to be in a JSON string; returns how many bytes it has. */
static int write_json_character(batch_text_writer_t *writer, const char *at, apr_size_t left)
{
    unsigned char byte = (unsigned char)*at;
    const char *letter = byte ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", byte) : NULL;
    char escape[] = "\\u0000";

    if (letter && (byte < 0x20 || byte == '"' || byte == '\\')) {
        escape[1] = letter[1];
        batch_write_bytes(writer, escape, 2);
        return 1;
    }
    if (byte < 0x20) {
        batch_hex_write(escape + 4, &byte, 1);
        batch_write_bytes(writer, escape, 6);
        return 1;
    }
    return write_character(writer, at, left);
}

void batch_write_json_string_n(batch_text_writer_t *writer, const char *bytes, apr_size_t length)
{
    const char *at = bytes;
    const char *end = bytes + length;

    batch_write_bytes(writer, "\"", 1);
    while (at < end) {
        const char *from = at;

        while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
               *at != '\\') {
            at++;
        }
        batch_write_bytes(writer, from, (apr_size_t)(at - from));
        if (at < end) {
            at += write_json_character(writer, at, (apr_size_t)(end - at));
        }
    }
    batch_write_bytes(writer, "\"", 1);
}

void batch_write_json_string(batch_text_writer_t *writer, const char *text)
{
    if (text) {
        batch_write_json_string_n(writer, text, strlen(text));
    } else {
        batch_write_text(writer, "null");
    }
}

void batch_write_number(batch_text_writer_t *writer, apr_int64_t number)
{
    char text[24];
    char *at = text;

    if (number < 0) {
        *at++ = '-';
    }
    at = batch_number_write(at, number < 0 ? 0 - (apr_uint64_t)number : (apr_uint64_t)number);
    batch_write_bytes(writer, text, (apr_size_t)(at - text));
}

void batch_write_text_member(batch_text_writer_t *writer, const char *name, const char *text)
{
    batch_write_text(writer, ",\"");
    batch_write_text(writer, name);
    batch_write_text(writer, "\":");
    batch_write_json_string(writer, text);
}

apr_status_t batch_writer_end(batch_text_writer_t *writer)
{
    hand_over(writer, writer->buffer, writer->used);
    writer->used = 0;
    return writer->status;
}

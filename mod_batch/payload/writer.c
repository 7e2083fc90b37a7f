#include "payload/writer.h"

#include <string.h>

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

/** Bytes of the UTF-8 character (RFC 3629) at, of which left bytes are there; 0 if it is none. */
static int character_length(const unsigned char *at, apr_size_t left)
{
    int length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

    if (!length || *at > 0xf4 || (apr_size_t)length > left) {
        return 0;
    }
    for (int i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* Overlong forms, surrogates, and what is above U+10FFFF. */
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
        (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return length;
}

/** Writes the character at, or U+FFFD for a byte that begins none; returns how many bytes it has.
 */
static int write_character(batch_text_writer_t *writer, const char *at, apr_size_t left)
{
    int length = *at ? character_length((const unsigned char *)at, left) : 0;

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
    static const char hex[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)*at;
    const char *letter = byte ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", byte) : NULL;
    char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};

    if (letter && (byte < 0x20 || byte == '"' || byte == '\\')) {
        escape[1] = letter[1];
        batch_write_bytes(writer, escape, 2);
        return 1;
    }
    if (byte < 0x20) {
        batch_write_bytes(writer, escape, sizeof(escape));
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
    char digits[24];
    char *at = digits + sizeof(digits);
    apr_uint64_t rest = number < 0 ? 0 - (apr_uint64_t)number : (apr_uint64_t)number;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0) {
        *--at = '-';
    }
    batch_write_bytes(writer, at, (apr_size_t)(digits + sizeof(digits) - at));
}

void batch_write_name(batch_text_writer_t *writer, const char *name)
{
    batch_write_text(writer, ",\"");
    batch_write_text(writer, name);
    batch_write_text(writer, "\":");
}

void batch_write_text_member(batch_text_writer_t *writer, const char *name, const char *text)
{
    batch_write_name(writer, name);
    batch_write_json_string(writer, text);
}

void batch_write_number_member(batch_text_writer_t *writer, const char *name, apr_int64_t number)
{
    batch_write_name(writer, name);
    batch_write_number(writer, number);
}

apr_status_t batch_writer_end(batch_text_writer_t *writer)
{
    hand_over(writer, writer->buffer, writer->used);
    writer->used = 0;
    return writer->status;
}

/* The JSON reader: what is kept of the document, and how reading fails. */
#include "payload/json_scan.h"

#include <stdarg.h>

#include <apr_strings.h>

static void fail_set(batch_json_reader_t *reader, apr_status_t status, apr_int64_t line,
                     apr_int64_t column, const char *message)
{
    reader->error.status = status;
    reader->error.line = line;
    reader->error.column = column;
    reader->error.message = message;
}

apr_int64_t batch_json_column(const batch_json_reader_t *reader, const char *at)
{
    return reader->offset + (at - reader->slice) - reader->line_start + 1;
}

static void skeleton_append(batch_json_reader_t *reader, const char *bytes, apr_size_t length)
{
    apr_size_t room = reader->config.max_skeleton - reader->skeleton.used;

    if (length > room) {
        /* What is kept of a skeleton at a time has no line break in it. */
        fail_set(reader, BATCH_ETOOLARGE, reader->line, batch_json_column(reader, bytes + room),
                 apr_psprintf(reader->p, "more than %" APR_SIZE_T_FMT " bytes%s",
                              reader->config.max_skeleton,
                              reader->segment_count < 0 ? "" : " beside the list of objects"));
        return;
    }
    batch_text_buffer_add(&reader->skeleton, bytes, length);
}

void batch_json_flush(batch_json_reader_t *reader, const char *end)
{
    const char *bytes = reader->keep;

    reader->keep = NULL;
    if (!bytes || bytes == end || reader->error.status != APR_SUCCESS) {
        return;
    }
    if (!reader->in_element) {
        skeleton_append(reader, bytes, (apr_size_t)(end - bytes));
        return;
    }
    reader->element_used += (apr_size_t)(end - bytes);
    if (reader->element_used <= reader->config.max_element) {
        batch_text_buffer_add(&reader->partial, bytes, (apr_size_t)(end - bytes));
    }
}

void batch_json_element_begin(batch_json_reader_t *reader, const char *at)
{
    batch_json_flush(reader, at);
    reader->in_element = 1;
    reader->element_used = 0;
    reader->partial.used = 0;
    reader->keep = at;
    reader->element.first = *at;
    reader->element.index = reader->levels[reader->depth].index;
    reader->element.line = reader->line;
    reader->element.column = batch_json_column(reader, at);
}

void batch_json_element_end(batch_json_reader_t *reader, const char *end)
{
    batch_json_element_t *element = &reader->element;

    if (reader->keep && !reader->element_used) {
        /* The usual case: the element lies in one slice and need not be copied. */
        element->text = reader->keep;
        element->length = (apr_size_t)(end - reader->keep);
        reader->keep = NULL;
    } else {
        batch_json_flush(reader, end);
        element->text = reader->partial.data;
        element->length = reader->element_used;
    }
    if (element->length > reader->config.max_element) {
        element->text = NULL;
    }
    reader->in_element = 0;
    if (reader->config.element) {
        apr_status_t status = reader->config.element(reader->config.baton, element);
        if (status != APR_SUCCESS) {
            fail_set(reader, status, element->line, element->column, "the element is not accepted");
        }
    }
}

void batch_json_fail(batch_json_reader_t *reader, const char *at, const char *fmt, ...)
{
    va_list arguments;

    /* A skeleton that was too large before this byte is the first thing that is wrong. */
    batch_json_flush(reader, at);
    if (reader->error.status != APR_SUCCESS) {
        return;
    }
    va_start(arguments, fmt);
    fail_set(reader, BATCH_EMALFORMED, reader->line, batch_json_column(reader, at),
             apr_pvsprintf(reader->p, fmt, arguments));
    va_end(arguments);
}

/** What could stand where the reader is. */
static const char *expected(const batch_json_reader_t *reader)
{
    switch (reader->state) {
    case SCAN_BOM:
    case SCAN_VALUE:
        return "a value";
    case SCAN_VALUE_OR_END:
        return "a value or ']'";
    case SCAN_NAME:
        return "a member's name in double quotes";
    case SCAN_NAME_OR_END:
        return "a member's name in double quotes or '}'";
    case SCAN_COLON:
        return "':'";
    case SCAN_AFTER:
        return reader->levels[reader->depth].kind == '[' ? "',' or ']'" : "',' or '}'";
    case SCAN_DONE:
        return "nothing behind the document";
    case SCAN_ESCAPE:
        return "one of \"\\/bfnrtu behind a backslash";
    case SCAN_HEX:
        return "four hexadecimal digits behind \\u";
    case SCAN_PAIR_ESCAPE:
    case SCAN_PAIR_U:
        return "the \\u escape of a low surrogate";
    case SCAN_UTF8:
        return "the rest of a UTF-8 character";
    case SCAN_STRING:
        return "the rest of a string";
    case SCAN_WORD:
        return reader->word;
    default:
        return "a digit";
    }
}

void batch_json_fail_unexpected(batch_json_reader_t *reader, const char *at, int end)
{
    const char *wanted = expected(reader);
    unsigned char byte;

    if (end) {
        batch_json_fail(reader, at, "unexpected end of the document, expected %s", wanted);
        return;
    }
    byte = (unsigned char)*at;
    reader->is_second = reader->state == SCAN_DONE && reader->root == '{' && byte == '{';
    if (byte > 0x20 && byte < 0x7f) {
        batch_json_fail(reader, at, "unexpected '%c', expected %s", byte, wanted);
    } else {
        batch_json_fail(reader, at, "unexpected byte 0x%02x, expected %s", byte, wanted);
    }
}

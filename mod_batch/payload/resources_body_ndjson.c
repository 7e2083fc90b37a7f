/* The format NDJSON: an object a line. A line that is none is an item that is wrong. */
#include "payload/body_format.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/json_reader.h"
#include "text/text_buffer.h"
#include "text/utf8.h"
#include "text/writer.h"

/** The file while it comes. */
typedef struct lines {
    apr_int64_t line;          /* number of the line that is being read, from 1 */
    apr_size_t length;         /* its bytes so far */
    batch_text_buffer_t start; /* of them, those of earlier slices, while they are kept */
    apr_size_t most;           /* bytes of a line that is kept */
} lines_t;

/** What makes items of lines. */
typedef struct line_parser {
    batch_item_parser_t *items;
    apr_pool_t *p;               /* of the reader; cleared when a line was not JSON */
    batch_json_reader_t *reader; /* NULL: to be made */
} line_parser_t;

static apr_status_t make(batch_resources_body_t *body, batch_error_t *err)
{
    lines_t *lines = apr_pcalloc(body->p, sizeof(*lines));

    lines->line = 1;
    lines->start.p = body->p;
    lines->most = (apr_size_t)body->max_item_size + BATCH_ITEM_WRAPPING;
    body->state = lines;
    (void)err;
    return APR_SUCCESS;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static int is_blank(const char *text, apr_size_t length)
{
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    return !length;
}

/** A line is complete, without its end. text is NULL if it was too long to be kept. */
static apr_status_t take_line(batch_resources_body_t *body, const char *text, apr_size_t length)
{
    lines_t *lines = body->state;
    batch_spool_entry_t entry = {lines->line, text, length};

    if (text) {
        if (lines->line == 1 && length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
            entry.text += 3;
            entry.length -= 3;
        }
        if (entry.length && entry.text[entry.length - 1] == '\r') {
            entry.length--;
        }
        if (is_blank(entry.text, entry.length)) {
            return APR_SUCCESS;
        }
    }
    return batch_body_add_item(body, &entry);
}

/** Ends the line with its last bytes. */
static apr_status_t end_line(batch_resources_body_t *body, const char *bytes, apr_size_t length)
{
    lines_t *lines = body->state;
    apr_size_t all = lines->length + length;
    apr_status_t status;

    if (all > lines->most) {
        status = take_line(body, NULL, 0);
    } else if (!lines->length) {
        status = take_line(body, bytes, length);
    } else {
        batch_text_buffer_add(&lines->start, bytes, length);
        status = take_line(body, lines->start.data, all);
    }
    lines->length = 0;
    lines->start.used = 0;
    lines->line++;
    return status;
}

static apr_status_t feed(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                         batch_error_t *err)
{
    lines_t *lines = body->state;
    const char *end = bytes + length;
    apr_status_t status = APR_SUCCESS;

    (void)err;
    while (bytes < end && status == APR_SUCCESS) {
        const char *stop = memchr(bytes, '\n', (apr_size_t)(end - bytes));

        if (!stop) {
            length = (apr_size_t)(end - bytes);
            lines->length += length;
            if (lines->length <= lines->most) {
                batch_text_buffer_add(&lines->start, bytes, length);
            }
            break;
        }
        status = end_line(body, bytes, (apr_size_t)(stop - bytes));
        bytes = stop + 1;
    }
    return status;
}

static apr_status_t finish(batch_resources_request_t *request, batch_resources_body_t *body,
                           batch_error_t *err)
{
    lines_t *lines = body->state;

    (void)request;
    (void)err;
    return lines->length ? end_line(body, "", 0) : APR_SUCCESS;
}

/* ---- Items ----------------------------------------------------------------------------------- */

static apr_status_t begin_items(batch_resources_body_t *body, const batch_resource_t *resource,
                                apr_pool_t *p)
{
    line_parser_t *parser = apr_pcalloc(p, sizeof(*parser));

    parser->items = batch_item_parser_make(resource, body->max_item_size, p);
    body->item_state = parser;
    return apr_pool_create(&parser->p, p);
}

/** Reads the line as JSON: 1, or 0 with the reason in err. */
static int is_json(line_parser_t *parser, const batch_spool_entry_t *entry, batch_error_t *err)
{
    batch_json_reader_config_t config = {.max_skeleton = APR_SIZE_MAX};

    if (*entry->text == '\xef') { /* the reader takes one at the start of a document */
        err->message = "a byte order mark, expected an object";
        err->column = 1;
        return 0;
    }
    if (parser->reader) {
        batch_json_reader_reset(parser->reader);
    } else {
        parser->reader = batch_json_reader_make(&config, parser->p);
    }
    return batch_json_reader_feed(parser->reader, entry->text, entry->length, err) == APR_SUCCESS &&
           batch_json_reader_finish(NULL, NULL, parser->reader, err) == APR_SUCCESS;
}

/** What is wrong with a line that is not JSON. Its original is the line as a JSON string. */
static void refuse_line(batch_source_item_t *item, const batch_spool_entry_t *entry,
                        const batch_error_t *err, int is_second, apr_pool_t *p)
{
    batch_text_buffer_t buffer = {.p = p};
    batch_sink_t sink = batch_text_buffer_sink(&buffer);
    batch_text_writer_t writer;

    if (memchr(entry->text, '\0', entry->length)) {
        item->wrong = "nul_byte";
        item->message = "the line has a byte NUL";
    } else if (!batch_utf8_is_valid(entry->text, entry->length)) {
        item->wrong = "invalid_utf8";
        item->message = "the line has bytes that are not UTF-8";
    } else {
        item->wrong = "invalid_json";
        item->message = "the line is not JSON";
    }
    item->message = apr_psprintf(p, "%s: %s (column %" APR_INT64_T_FMT ")%s", item->message,
                                 err->message, err->column,
                                 is_second ? ": each object stands on a line of its own; curl -d "
                                             "takes line ends out, --data-binary does not"
                                           : "");
    item->size = entry->length;
    item->unreadable = 1;
    batch_text_writer_init(&writer, &sink);
    batch_write_json_string_n(&writer, entry->text, entry->length);
    if (batch_writer_end(&writer) == APR_SUCCESS) {
        batch_text_buffer_add(&buffer, "", 1);
        item->original = buffer.data;
    }
}

static void read_item(batch_source_item_t *item, batch_resources_body_t *body,
                      const batch_spool_entry_t *entry, apr_pool_t *p)
{
    line_parser_t *parser = body->item_state;
    batch_spool_entry_t text = *entry;
    batch_error_t err = {0};

    if (!entry->text || is_json(parser, entry, &err)) {
        /* The parser of items knows no space around an item. */
        while (text.text && strchr(" \t\r", *text.text)) {
            text.text++;
            text.length--;
        }
        batch_item_parse(item, parser->items, text.text, text.length, p);
        return;
    }
    memset(item, 0, sizeof(*item));
    item->line = entry->line;
    refuse_line(item, entry, &err, parser->reader && batch_json_reader_is_second(parser->reader),
                p);
    /* The reader's words lie in its pool. */
    apr_pool_clear(parser->p);
    parser->reader = NULL;
}

const batch_body_format_t batch_body_format_ndjson = {make, feed, finish, begin_items, read_item};

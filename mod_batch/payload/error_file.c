#include "payload/error_file.h"

#include <string.h>

#include <apr_strings.h>
#include <csv.h>

#include "payload/json_reader.h"
#include "payload/json_text.h"
#include "payload/writer.h"

struct batch_error_file {
    const batch_sink_t *sink;
    batch_file_e format;
    const apr_array_header_t *columns; /* of const char * */
    int begun;                         /* an error was written */
};

/** The error's original as a value, if it is JSON; else absent. */
static batch_json_slice_t original_of(const batch_item_error_t *error, apr_pool_t *ptemp)
{
    batch_json_slice_t none = {NULL, 0};
    apr_size_t length = error->original ? strlen(error->original) : 0;

    if (!length || !batch_json_is_valid(error->original, length, ptemp)) {
        return none;
    }
    return batch_json_document(error->original, length);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void write_json(batch_text_writer_t *writer, const batch_item_error_t *error,
                       apr_pool_t *ptemp)
{
    batch_json_slice_t original = original_of(error, ptemp);

    batch_write_text(writer, "{\"index\":");
    batch_write_number(writer, error->ordinal);
    batch_write_text(writer, ",\"line\":");
    if (error->line > 0) {
        batch_write_number(writer, error->line);
    } else {
        batch_write_text(writer, "null");
    }
    batch_write_text(writer, ",\"id\":");
    batch_write_json_string(writer, error->id);
    batch_write_text(writer, ",\"field\":");
    batch_write_json_string(writer, error->field);
    batch_write_text(writer, ",\"code\":");
    batch_write_json_string(writer, error->code);
    batch_write_text(writer, ",\"message\":");
    batch_write_json_string(writer, error->message);
    batch_write_text(writer, ",\"item\":");
    if (original.text) {
        batch_write_bytes(writer, original.text, original.length);
    } else {
        batch_write_text(writer, "{\"id\":");
        batch_write_json_string(writer, error->id);
        batch_write_text(writer, "}");
    }
    batch_write_text(writer, "}");
}

/* ---- CSV ----------------------------------------------------------------------------------- */

/** Writes a cell, in quotes where RFC 4180 asks for them, or where its spaces could get lost. */
static void write_cell(batch_text_writer_t *writer, const char *bytes, apr_size_t length,
                       apr_pool_t *ptemp)
{
    char *quoted;
    apr_size_t size;

    if (!length) {
        return;
    }
    if (!memchr(bytes, ',', length) && !memchr(bytes, '"', length) &&
        !memchr(bytes, '\r', length) && !memchr(bytes, '\n', length) && *bytes != ' ' &&
        bytes[length - 1] != ' ') {
        batch_write_utf8(writer, bytes, length);
        return;
    }
    /* Each byte may be a quote, which is doubled. */
    size = 2 * length + 2;
    quoted = apr_palloc(ptemp, size);
    size = csv_write2(quoted, size, bytes, length, '"');
    batch_write_utf8(writer, quoted, size);
}

static void write_text_cell(batch_text_writer_t *writer, const char *text, apr_pool_t *ptemp)
{
    if (text) {
        write_cell(writer, text, strlen(text), ptemp);
    }
}

/** The cell of one of the original's columns: empty for an absent member, #N/A for null. */
static void write_column(batch_text_writer_t *writer, const char *column,
                         const batch_item_error_t *error, const batch_json_slice_t *original,
                         apr_pool_t *ptemp)
{
    batch_json_slice_t value;
    apr_size_t length;
    const char *text;

    if (!original->text) {
        if (!strcmp(column, "id")) {
            write_text_cell(writer, error->id, ptemp);
        }
        return;
    }
    batch_json_member(&value, original, column);
    switch (batch_json_kind(&value)) {
    case BATCH_JSON_ABSENT:
        break;
    case BATCH_JSON_NULL:
        batch_write_text(writer, "#N/A");
        break;
    case BATCH_JSON_STRING:
        text = batch_json_string_decode(&length, value.text, value.length, ptemp);
        write_cell(writer, text, length, ptemp);
        break;
    default:
        write_cell(writer, value.text, value.length, ptemp);
    }
}

static void write_csv(batch_text_writer_t *writer, const batch_error_file_t *file,
                      const batch_item_error_t *error, apr_pool_t *ptemp)
{
    batch_json_slice_t original = original_of(error, ptemp);

    if (error->line > 0) {
        batch_write_number(writer, error->line);
    }
    batch_write_text(writer, ",");
    batch_write_number(writer, error->ordinal);
    batch_write_text(writer, ",");
    write_text_cell(writer, error->field, ptemp);
    batch_write_text(writer, ",");
    write_text_cell(writer, error->code, ptemp);
    batch_write_text(writer, ",");
    write_text_cell(writer, error->message, ptemp);
    for (int i = 0; i < file->columns->nelts; i++) {
        batch_write_text(writer, ",");
        write_column(writer, APR_ARRAY_IDX(file->columns, i, const char *), error, &original,
                     ptemp);
    }
    batch_write_text(writer, "\r\n");
}

/* ---- The calls ----------------------------------------------------------------------------- */

apr_status_t batch_error_file_begin(batch_error_file_t **file, const batch_sink_t *sink,
                                    batch_file_e format, const apr_array_header_t *columns,
                                    apr_pool_t *p)
{
    batch_error_file_t *made = apr_pcalloc(p, sizeof(*made));
    batch_text_writer_t writer;

    made->sink = apr_pmemdup(p, sink, sizeof(*sink));
    made->format = format;
    made->columns = columns ? columns : apr_array_make(p, 0, sizeof(const char *));
    *file = made;
    batch_text_writer_init(&writer, sink);
    if (format == BATCH_FILE_JSON) {
        batch_write_text(&writer, "[");
        return batch_writer_end(&writer);
    }
    batch_write_text(&writer, "line,index,field,code,message");
    for (int i = 0; i < made->columns->nelts; i++) {
        batch_write_text(&writer, ",");
        write_text_cell(&writer, APR_ARRAY_IDX(made->columns, i, const char *), p);
    }
    batch_write_text(&writer, "\r\n");
    return batch_writer_end(&writer);
}

apr_status_t batch_error_file_write(batch_error_file_t *file, const batch_item_error_t *error,
                                    apr_pool_t *ptemp)
{
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, file->sink);
    if (file->format == BATCH_FILE_JSON) {
        batch_write_text(&writer, file->begun ? "," : "");
        write_json(&writer, error, ptemp);
    } else {
        write_csv(&writer, file, error, ptemp);
    }
    file->begun = 1;
    return batch_writer_end(&writer);
}

apr_status_t batch_error_file_end(batch_error_file_t *file)
{
    if (file->format == BATCH_FILE_JSON) {
        return file->sink->write(file->sink->baton, "]", 1);
    }
    return APR_SUCCESS;
}

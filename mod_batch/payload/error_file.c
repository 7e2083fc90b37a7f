#include "payload/error_file.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/item_text.h"
#include "payload/json_reader.h"
#include "text/json_text.h"
#include "text/writer.h"
#include "store/segment.h"

struct batch_error_file {
    const batch_sink_t *sink;
    batch_file_e format;
    const apr_array_header_t *columns; /* of const char * */
    int begun;                         /* an error was written */
    /* Resources API. */
    const batch_resource_t *resource; /* NULL: the records API */
    apr_int64_t received;             /* items of the batch */
    int has_header;                   /* it came as CSV */
    batch_item_error_t item;          /* the item whose errors are being gathered */
    int waiting;                      /* there is one */
    apr_pool_t *pitem;                /* its strings, and what is made when it is written */
};

/** The item of an error as JSON: its original, or made of its values; else absent. */
static batch_json_slice_t item_of(const batch_error_file_t *file, const batch_item_error_t *error,
                                  apr_pool_t *ptemp)
{
    batch_json_slice_t none = {NULL, 0};
    const char *text = error->original;
    apr_size_t length = text ? strlen(text) : 0;

    if (file->resource && error->values) {
        batch_value_t *values;
        int count;

        if (batch_values_decode(&values, &count, error->values, ptemp) != APR_SUCCESS) {
            return none;
        }
        text = batch_item_json(file->resource, NULL, values, count, ptemp);
        return batch_json_document(text, strlen(text));
    }
    if (!length || !batch_json_is_valid(text, length, ptemp)) {
        return none;
    }
    return batch_json_document(text, length);
}

/** The column of the key. */
static const char *key_of(const batch_error_file_t *file)
{
    return file->resource ? file->resource->key : "id";
}

/** 1 if the error is one of an item, and not of a row that no item has named. */
static int has_index(const batch_error_file_t *file, const batch_item_error_t *error)
{
    return !file->resource || error->ordinal < file->received;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/** What stands for an item of which only the id is known, if that. */
static void write_id_only(batch_text_writer_t *writer, const batch_error_file_t *file,
                          const batch_item_error_t *error)
{
    if (file->resource && !error->id) {
        batch_write_text(writer, "{}");
        return;
    }
    batch_write_text(writer, "{");
    batch_write_json_string(writer, key_of(file));
    batch_write_text(writer, ":");
    batch_write_json_string(writer, error->id);
    batch_write_text(writer, "}");
}

static void write_json(batch_text_writer_t *writer, const batch_error_file_t *file,
                       const batch_item_error_t *error, apr_pool_t *ptemp)
{
    batch_json_slice_t item = item_of(file, error, ptemp);

    batch_write_text(writer, "{\"index\":");
    if (has_index(file, error)) {
        batch_write_number(writer, error->ordinal);
    } else {
        batch_write_text(writer, "null");
    }
    batch_write_text(writer, ",\"line\":");
    if (error->line > 0) {
        batch_write_number(writer, error->line);
    } else {
        batch_write_text(writer, "null");
    }
    batch_write_text_member(writer, "id", error->id);
    batch_write_text_member(writer, "field", error->field);
    batch_write_text_member(writer, "code", error->code);
    batch_write_text_member(writer, "message", error->message);
    batch_write_text(writer, ",\"item\":");
    if (item.text) {
        batch_write_bytes(writer, item.text, item.length);
    } else {
        write_id_only(writer, file, error);
    }
    batch_write_text(writer, "}");
}

/* ---- CSV ----------------------------------------------------------------------------------- */

/** The cells of an item of which only the id is known. */
static void write_id_cells(batch_text_writer_t *writer, const batch_error_file_t *file,
                           const batch_item_error_t *error, apr_pool_t *ptemp)
{
    for (int i = 0; i < file->columns->nelts; i++) {
        batch_write_text(writer, i ? "," : "");
        if (!strcmp(APR_ARRAY_IDX(file->columns, i, const char *), key_of(file))) {
            batch_write_text_cell(writer, error->id, ptemp);
        }
    }
}

static void write_csv(batch_text_writer_t *writer, const batch_error_file_t *file,
                      const batch_item_error_t *error, apr_pool_t *ptemp)
{
    batch_json_slice_t item = item_of(file, error, ptemp);

    if (error->line > 0) {
        batch_write_number(writer, error->line);
    }
    batch_write_text(writer, ",");
    if (has_index(file, error)) {
        batch_write_number(writer, error->ordinal);
    }
    batch_write_text(writer, ",");
    batch_write_text_cell(writer, error->field, ptemp);
    batch_write_text(writer, ",");
    batch_write_text_cell(writer, error->code, ptemp);
    batch_write_text(writer, ",");
    batch_write_text_cell(writer, error->message, ptemp);
    if (file->columns->nelts) {
        batch_write_text(writer, ",");
        if (item.text) {
            batch_write_item_cells(writer, file->columns, file->has_header, item.text, item.length,
                                   ptemp);
        } else {
            write_id_cells(writer, file, error, ptemp);
        }
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
        batch_write_text_cell(&writer, APR_ARRAY_IDX(made->columns, i, const char *), p);
    }
    batch_write_text(&writer, "\r\n");
    return batch_writer_end(&writer);
}

apr_status_t batch_error_file_begin_items(batch_error_file_t **file, const batch_sink_t *sink,
                                          batch_file_e format, const batch_resource_t *resource,
                                          const batch_job_t *job, apr_pool_t *p)
{
    apr_status_t rv = batch_error_file_begin(
        file, sink, format,
        format == BATCH_FILE_CSV ? batch_item_columns(resource, job->header, p) : NULL, p);

    (*file)->resource = resource;
    (*file)->received = job->received;
    (*file)->has_header = job->header != NULL;
    return rv == APR_SUCCESS ? apr_pool_create(&(*file)->pitem, p) : rv;
}

static apr_status_t write_error(batch_error_file_t *file, const batch_item_error_t *error,
                                apr_pool_t *ptemp)
{
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, file->sink);
    if (file->format == BATCH_FILE_JSON) {
        batch_write_text(&writer, file->begun ? "," : "");
        write_json(&writer, file, error, ptemp);
    } else {
        write_csv(&writer, file, error, ptemp);
    }
    file->begun = 1;
    return batch_writer_end(&writer);
}

/** Writes the item whose errors were gathered, if there is one. */
static apr_status_t flush_item(batch_error_file_t *file)
{
    apr_status_t rv = APR_SUCCESS;

    if (file->waiting) {
        rv = write_error(file, &file->item, file->pitem);
        apr_pool_clear(file->pitem);
        file->waiting = 0;
    }
    return rv;
}

/** Adds another error of the item that is waiting. */
static void add_error(batch_error_file_t *file, const batch_item_error_t *error)
{
    batch_item_error_t *item = &file->item;
    int other = error->field && (!item->field || strcmp(error->field, item->field) != 0);

    item->message = apr_pstrcat(file->pitem, item->message, "; ", other ? error->field : "",
                                other ? ": " : "", error->message, NULL);
    if (!item->original && !item->values) {
        item->original = apr_pstrdup(file->pitem, error->original);
        item->values = apr_pstrdup(file->pitem, error->values);
    }
}

static apr_status_t gather(batch_error_file_t *file, const batch_item_error_t *error)
{
    batch_item_error_t *item = &file->item;
    apr_status_t rv;

    if (file->waiting && item->ordinal == error->ordinal) {
        add_error(file, error);
        return APR_SUCCESS;
    }
    rv = flush_item(file);
    if (rv == APR_SUCCESS) {
        *item = *error;
        item->id = apr_pstrdup(file->pitem, error->id);
        item->field = apr_pstrdup(file->pitem, error->field);
        item->code = apr_pstrdup(file->pitem, error->code);
        item->message = apr_pstrdup(file->pitem, error->message ? error->message : "");
        item->original = apr_pstrdup(file->pitem, error->original);
        item->values = apr_pstrdup(file->pitem, error->values);
        file->waiting = 1;
    }
    return rv;
}

apr_status_t batch_error_file_write(batch_error_file_t *file, const batch_item_error_t *error,
                                    apr_pool_t *ptemp)
{
    return file->resource ? gather(file, error) : write_error(file, error, ptemp);
}

apr_status_t batch_error_file_end(batch_error_file_t *file)
{
    apr_status_t rv = flush_item(file);

    if (rv == APR_SUCCESS && file->format == BATCH_FILE_JSON) {
        rv = file->sink->write(file->sink->baton, "]", 1);
    }
    return rv;
}

#include "payload/upload_file.h"

#include <string.h>

#include "payload/item_text.h"

struct batch_upload_file {
    const batch_sink_t *sink;
    batch_file_e format;
    const batch_resource_t *resource;
    apr_array_header_t *columns; /* of const char *; CSV */
    int has_header;              /* the batch came as CSV */
    int begun;                   /* an item was written */
};

apr_status_t batch_upload_file_begin(batch_upload_file_t **file, const batch_sink_t *sink,
                                     batch_file_e format, const batch_resource_t *resource,
                                     const char *header, apr_pool_t *p)
{
    batch_upload_file_t *made = apr_pcalloc(p, sizeof(*made));
    batch_text_writer_t writer;

    made->sink = sink;
    made->format = format;
    made->resource = resource;
    made->has_header = header != NULL;
    *file = made;
    batch_text_writer_init(&writer, sink);
    if (format == BATCH_FILE_JSON) {
        batch_write_text(&writer, "[");
        return batch_writer_end(&writer);
    }
    made->columns = batch_item_columns(resource, header, p);
    for (int i = 0; i < made->columns->nelts; i++) {
        batch_write_text(&writer, i ? "," : "");
        batch_write_text_cell(&writer, APR_ARRAY_IDX(made->columns, i, const char *), p);
    }
    batch_write_text(&writer, "\r\n");
    return batch_writer_end(&writer);
}

apr_status_t batch_upload_file_write(batch_upload_file_t *file, const batch_item_t *item,
                                     apr_pool_t *ptemp)
{
    const char *text =
        !batch_item_is_live(item)
            ? item->original
            : batch_item_json(file->resource, item->key, item->values, item->value_count, ptemp);
    apr_size_t length = text ? strlen(text) : 0;
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, file->sink);
    if (file->format == BATCH_FILE_CSV) {
        batch_write_item_cells(&writer, file->columns, file->has_header, text, length, ptemp);
        batch_write_text(&writer, "\r\n");
    } else {
        batch_write_text(&writer, file->begun ? "," : "");
        batch_write_text(&writer, length ? text : "null");
    }
    file->begun = 1;
    return batch_writer_end(&writer);
}

apr_status_t batch_upload_file_end(batch_upload_file_t *file)
{
    return file->format == BATCH_FILE_JSON ? file->sink->write(file->sink->baton, "]", 1)
                                           : APR_SUCCESS;
}

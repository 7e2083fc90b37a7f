#include "text/text_buffer.h"

#include <string.h>

#define SMALLEST_BUFFER 256

void batch_text_buffer_reserve(batch_text_buffer_t *buffer, apr_size_t length)
{
    apr_size_t size = buffer->size ? buffer->size : SMALLEST_BUFFER;
    char *data;

    if (buffer->used + length <= buffer->size) {
        return;
    }
    while (size < buffer->used + length) {
        size *= 2;
    }
    data = apr_palloc(buffer->p, size);
    if (buffer->used) {
        memcpy(data, buffer->data, buffer->used);
    }
    buffer->data = data;
    buffer->size = size;
}

void batch_text_buffer_add(batch_text_buffer_t *buffer, const char *bytes, apr_size_t length)
{
    if (length) {
        batch_text_buffer_reserve(buffer, length);
        memcpy(buffer->data + buffer->used, bytes, length);
        buffer->used += length;
    }
}

char *batch_text_buffer_end(batch_text_buffer_t *buffer)
{
    batch_text_buffer_reserve(buffer, 1);
    buffer->data[buffer->used] = '\0';
    return buffer->data;
}

static apr_status_t append(void *baton, const char *bytes, apr_size_t length)
{
    batch_text_buffer_add(baton, bytes, length);
    return APR_SUCCESS;
}

batch_sink_t batch_text_buffer_sink(batch_text_buffer_t *buffer)
{
    batch_sink_t sink = {append, buffer};

    return sink;
}

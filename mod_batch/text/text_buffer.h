/* Text that is written into a pool. */
#ifndef BATCH_TEXT_TEXT_BUFFER_H
#define BATCH_TEXT_TEXT_BUFFER_H

#include "batch.h"
#include "text/sink.h"

/** A text that grows. All zero but for its pool is empty. */
typedef struct batch_text_buffer {
    apr_pool_t *p;
    char *data; /* NULL while empty; not NUL-terminated */
    apr_size_t used;
    apr_size_t size;
} batch_text_buffer_t;

/** Appends bytes. */
void batch_text_buffer_add(batch_text_buffer_t *buffer, const char *bytes, apr_size_t length);

/** Puts a NUL behind the text, which does not count. Returns the text. */
char *batch_text_buffer_end(batch_text_buffer_t *buffer);

/** Sees to it that there is room for so many bytes behind those that are there. */
void batch_text_buffer_reserve(batch_text_buffer_t *buffer, apr_size_t length);

/** A sink that appends to it. */
batch_sink_t batch_text_buffer_sink(batch_text_buffer_t *buffer);

#endif

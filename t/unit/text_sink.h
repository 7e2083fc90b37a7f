/* What is written, kept as a text. */
#ifndef BATCH_UNIT_TEXT_SINK_H
#define BATCH_UNIT_TEXT_SINK_H

#include <string.h>

#include "text/writer.h"

static struct {
    char bytes[65536];
    apr_size_t length;
    apr_size_t calls;
} text;

/** Forgets what was written. */
static void text_clear(void)
{
    memset(&text, 0, sizeof(text));
}

static apr_status_t append(void *baton, const char *bytes, apr_size_t length)
{
    (void)baton;
    if (length >= sizeof(text.bytes) - text.length) {
        return APR_ENOSPC;
    }
    memcpy(text.bytes + text.length, bytes, length);
    text.length += length;
    text.bytes[text.length] = '\0';
    text.calls++;
    return APR_SUCCESS;
}

static const batch_sink_t sink = {append, NULL};

#endif

/* Where text goes that is written piece by piece. */
#ifndef BATCH_TEXT_SINK_H
#define BATCH_TEXT_SINK_H

#include "batch.h"

/** Takes length bytes, which are the caller's again after the call. */
typedef apr_status_t batch_sink_fn(void *baton, const char *bytes, apr_size_t length);

typedef struct batch_sink {
    batch_sink_fn *write;
    void *baton;
} batch_sink_t;

#endif

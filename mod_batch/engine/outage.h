/*
 * How often the same trouble is logged: once a minute for all processes of a node. While a database
 * is away each request and each worker meets the same failure, perhaps thousands of times a second;
 * the line that says so must not fill the disk, which may be the very trouble.
 */
#ifndef BATCH_ENGINE_OUTAGE_H
#define BATCH_ENGINE_OUTAGE_H

#include "batch.h"

#define BATCH_OUTAGE_KINDS 32

/* In memory that the processes share; all 0 at the start. */
typedef struct batch_outages {
    volatile apr_uint64_t lines[BATCH_OUTAGE_KINDS];    /* digest << 32 | second of the line */
    volatile apr_uint32_t left_out[BATCH_OUTAGE_KINDS]; /* since that line */
} batch_outages_t;

/**
 * 1 if a line with this tag and message is to be written now; 0 if the same has been written less
 * than a minute ago: then it belongs at debug. *suffix, to stand behind message: "" or, in p, how
 * many were left out. outages may be NULL: always 1. Callable from any thread.
 */
int batch_outage_due(batch_outages_t *outages, const char **suffix, const char *tag,
                     const char *message, apr_pool_t *p);

#endif

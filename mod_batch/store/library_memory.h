/*
 * What the store's connections hold of SQLite's memory, which the library counts for the whole
 * process only. With it the memory of others who use the library can be told apart.
 */
#ifndef BATCH_STORE_LIBRARY_MEMORY_H
#define BATCH_STORE_LIBRARY_MEMORY_H

#include "batch.h"

/* In bytes. While a transaction runs nobody but its thread can look: it is between the two. */
typedef struct {
    apr_int64_t least;
    apr_int64_t most;
} batch_library_memory_t;

/**
 * Says what one connection holds from now on; safe in any thread.
 *
 * @param mine What was said of it before, all 0 at first; its owner keeps it.
 */
void batch_library_memory_set(batch_library_memory_t *mine, apr_int64_t least, apr_int64_t most);

/** What all connections of this process hold together. */
batch_library_memory_t batch_library_memory(void);

#endif

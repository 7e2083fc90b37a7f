/*
 * The segment behind the one that a worker applies: a thread beside the worker reads and decodes
 * it meanwhile. Stored items never change, so it does not matter when they are read. Private to
 * engine/.
 */
#ifndef BATCH_ENGINE_PREFETCH_H
#define BATCH_ENGINE_PREFETCH_H

#include "engine/apply.h"
#include "engine/jobs.h"
#include "store/segment.h"

/** Memory of a segment that its pool (of batch_pool_make) keeps for the next but one. */
#define BATCH_PREFETCH_KEEPS ((apr_size_t)4 * 1024 * 1024)

typedef struct batch_prefetch batch_prefetch_t;

/* A segment with its items, and the pool in which they are. */
typedef struct batch_loaded {
    apr_pool_t *p;
    batch_item_t *items;
    apr_int64_t first; /* position of items[0] */
    int count;
    apr_size_t bytes; /* as they are stored */
} batch_loaded_t;

/**
 * Starts a thread that waits. It ends with batch_prefetch_end, or before p is cleared or destroyed.
 * job: its stored items are read; a copy is kept. application: by reference, and not changed. A
 * failure is that of the system, which has no room for a thread.
 */
apr_status_t batch_prefetch_make(batch_prefetch_t **prefetch, const batch_engine_t *engine,
                                 const batch_application_t *application, const batch_job_t *job,
                                 apr_pool_t *p);

/**
 * 1 if the segment that begins at position was read: then *loaded, which is the caller's, changes
 * places with it; its pool has memory of its own. 0: it was not, or that has failed; then the
 * caller reads it, and hears why. waits: for a read that is under way; not in a transaction, whose
 * connection that read may wait for.
 */
int batch_prefetch_take(batch_prefetch_t *prefetch, apr_int64_t position, int waits,
                        batch_loaded_t *loaded);

/** Begins to read the segment with the item at position, unless a read is under way. */
void batch_prefetch_start(batch_prefetch_t *prefetch, apr_int64_t position);

/** Waits for a read that is under way, and ends the thread. NULL is ignored. */
void batch_prefetch_end(batch_prefetch_t *prefetch);

#endif

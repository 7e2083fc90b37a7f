#include "engine/prefetch.h"

#include "engine/ahead.h"
#include "text/check.h"

struct batch_prefetch {
    unsigned magic;
#define PREFETCH_MAGIC 0x0c5b9e47u
    const batch_engine_t *engine;
    const batch_application_t *application;
    batch_job_t job;
    batch_ahead_t *ahead;
    int is_asked; /* a read was started, and its result was not fetched */
    apr_int64_t position;
    batch_loaded_t next; /* while a read is under way the thread's */
};

static apr_status_t read_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_prefetch_t *prefetch = BATCH_CAST(batch_prefetch_t, baton, PREFETCH_MAGIC);
    batch_loaded_t *next = &prefetch->next;
    batch_segment_t segment;
    apr_status_t rv =
        batch_tx_segment_get(tx, &segment, &prefetch->job, prefetch->position, next->p);

    (void)ptemp;
    if (rv == APR_SUCCESS) {
        rv = batch_items_decode(&next->items, &segment, prefetch->application, &prefetch->job,
                                next->p);
    }
    if (rv == APR_SUCCESS) {
        next->first = segment.first;
        next->count = (int)segment.count;
        next->bytes = segment.length;
    }
    return rv;
}

/* A step of the thread: a batch_ahead_fn. */
static apr_status_t read_next(void *baton)
{
    batch_prefetch_t *prefetch = BATCH_CAST(batch_prefetch_t, baton, PREFETCH_MAGIC);
    batch_error_t ignored = {0}; /* the worker comes to the same place, and says it */

    apr_pool_clear(prefetch->next.p);
    prefetch->next.count = 0;
    return batch_store_read(prefetch->engine->store, read_body, prefetch, &ignored,
                            prefetch->next.p);
}

apr_status_t batch_prefetch_make(batch_prefetch_t **prefetch, const batch_engine_t *engine,
                                 const batch_application_t *application, const batch_job_t *job,
                                 apr_pool_t *p)
{
    batch_prefetch_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv = batch_pool_make(&made->next.p, p, BATCH_PREFETCH_KEEPS);

    made->magic = PREFETCH_MAGIC;
    made->engine = engine;
    made->application = application;
    made->job = *job;
    if (rv == APR_SUCCESS) {
        rv = batch_ahead_make(&made->ahead, read_next, made, p);
    }
    if (rv == APR_SUCCESS) {
        *prefetch = made;
    }
    return rv;
}

int batch_prefetch_take(batch_prefetch_t *prefetch, apr_int64_t position, int waits,
                        batch_loaded_t *loaded)
{
    batch_loaded_t taken;

    if (!prefetch->is_asked || (!waits && !batch_ahead_is_done(prefetch->ahead))) {
        return 0;
    }
    prefetch->is_asked = 0;
    if (batch_ahead_wait(prefetch->ahead) != APR_SUCCESS || !prefetch->next.count ||
        prefetch->next.first != position) {
        return 0;
    }
    taken = prefetch->next;
    prefetch->next = *loaded;
    *loaded = taken;
    return 1;
}

void batch_prefetch_start(batch_prefetch_t *prefetch, apr_int64_t position)
{
    if (!prefetch->is_asked) {
        prefetch->position = position;
        prefetch->is_asked = 1;
        batch_ahead_start(prefetch->ahead);
    }
}

void batch_prefetch_end(batch_prefetch_t *prefetch)
{
    if (prefetch) {
        batch_ahead_end(prefetch->ahead);
    }
}

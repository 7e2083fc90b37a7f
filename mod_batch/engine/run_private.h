/* A job under way and a chunk of it, as the files that run it share them. Private to engine/. */
#ifndef BATCH_ENGINE_RUN_PRIVATE_H
#define BATCH_ENGINE_RUN_PRIVATE_H

#include "engine/apply.h"
#include "engine/cleanup.h"
#include "engine/prefetch.h"
#include "engine/run.h"

/* A job under way. */
typedef struct batch_job_run {
    unsigned magic;
#define BATCH_JOB_RUN_MAGIC 0x6fcfead8u
    const batch_runner_t *runner;
    const batch_engine_t *engine;
    batch_job_t *job;
    batch_application_t application;
    apr_pool_t *p;              /* as long as the run */
    batch_loaded_t loaded;      /* the segment under way */
    batch_prefetch_t *prefetch; /* of the one behind it; NULL: not yet, or there is no thread */
    int is_alone;               /* there is to be none */
    apr_pool_t *chunk_pool;
    apr_pool_t *words_pool;   /* refused, and what the job says from chunk to chunk */
    int limit;                /* items of a chunk: shrinks when a commit is refused, grows after */
    const char *refused;      /* the next item is not to be tried: the database's words about it */
    int poison;               /* so it is, and never again */
    const char *reason;       /* why the job cannot go on, for its client; NULL = see the log */
    int in_doubt;             /* a chunk's COMMIT was not answered: it may have been done */
    batch_job_t doubtful;     /* what the job is if it was */
    batch_cleanup_t *cleanup; /* of an overwrite; NULL = not made yet */
    apr_int64_t kept_to;      /* stored items whose rows it keeps */
    apr_int64_t kept_number;  /* of the last of the stored keys that it keeps, … */
    int kept_stored;          /* … and there are no others */
    int counted;              /* it has counted to the end of the table */
    apr_int64_t count;        /* so far */
    apr_time_t renewed;       /* apr_time_now when the lease was last renewed */
    apr_time_t durable_at;    /* the same of the last COMMIT that waited for the disk */
    int usual;                /* items of the last chunk */
    int cleaned;              /* the last chunk was the end of the cleanup */
    int in_vain;              /* the database has refused an exchange as a whole */
    apr_int64_t
        claimed_at;   /* the job's position then: what is before it another worker has done, … */
                      /* … of who knows which version of this module */
    int done;         /* the last chunk left nothing to do but to end the job */
    int late;         /* it found the job's time to be over */
    double item_time; /* microseconds, of the last chunk of one thread; 0 = not known yet */
    apr_int64_t alone_to; /* items that are left to one thread, … */
    int alone;            /* … and so many chunks before two may try again; … */
    int alone_next;       /* … how many there will be if that comes to nothing */
} batch_job_run_t;

/* One attempt at a chunk: what the transaction sets. */
typedef struct batch_chunk {
    unsigned magic;
#define BATCH_CHUNK_MAGIC 0x156e1c5bu
    batch_job_run_t *run;
    batch_job_t after; /* the job as it will be when the chunk is committed */
    int tried;         /* items (or rows to be removed) that the attempt gave to the database */
    int cleaned;       /* the cleanup is behind us */
    int exchanged;     /* it was tried together with items */
    int done;          /* nothing is left to do */
    int late;          /* the job's time is over */
} batch_chunk_t;

/**
 * Has the segment with the item at position in run->loaded, until the next call: reads it, unless
 * it is there already or was prefetched, in tx, or where that is NULL in a transaction for that.
 * Fails as that does, or with MB0403 if the stored items are damaged; err: in run->chunk_pool.
 */
apr_status_t batch_run_load_items(batch_job_run_t *run, batch_tx_t *tx, apr_int64_t position,
                                  batch_error_t *err);

/** Makes run->cleanup in run->p unless it is there, and takes over the count that the job has. */
apr_status_t batch_run_make_cleanup(batch_job_run_t *run);

/** NULL, or why the job's cleanup, for which all is prepared, must not remove anything. */
const char *batch_run_obstacle(const batch_job_run_t *run);

/* What is to be done next. */
typedef enum {
    BATCH_NEXT_ITEMS,
    BATCH_NEXT_CLEANUP,
    /* No item could be applied, but some may be when the cleanup is done: both at once or none. */
    BATCH_NEXT_EXCHANGE,
    BATCH_NEXT_END
} batch_next_e;

/** With the job as it is; cleaned: the cleanup is known to be over. */
batch_next_e batch_run_next(const batch_job_run_t *run, const batch_job_t *job, int cleaned);

/**
 * Removes stored items that are behind the job now, and were not at the position before. They are
 * of no more use, but as an upload that is kept, and to the cleanup of an overwrite.
 */
apr_status_t batch_chunk_forget_passed(batch_tx_t *tx, const batch_job_t *after,
                                       apr_int64_t before);

/**
 * Keeps the rows of the items, which lie from first on, that are behind us after the chunk, as far
 * as that can be told without the database: so the cleanup need not read them again. Of a
 * transaction that comes to nothing they are kept again, for an item may fail then.
 */
apr_status_t batch_run_keep_named(batch_job_run_t *run, const batch_job_t *after,
                                  const batch_item_t *items, apr_int64_t first);

/**
 * The transaction of a chunk: fence, rows, errors, progress. A batch_tx_fn; baton: a batch_chunk_t
 * whose run is set. Where the items are behind us and rows are to be removed, the run's cleanup is
 * made, and has kept and counted all. run->job stays as it is until the COMMIT: chunk->after has
 * what it becomes, new strings in run->chunk_pool.
 */
apr_status_t batch_chunk_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp);

#endif

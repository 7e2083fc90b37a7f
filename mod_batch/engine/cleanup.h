/*
 * The cleanup of an overwrite: removes every row of the job's resource and scope that no item of
 * the job has named, whether that item was applied or not.
 *
 * A dropped item names the row that has its id; where none has it, the one that has its match
 * values, and the one whose key is its id but for blanks or braces around it, or the letters of a
 * UUID in capitals.
 *
 * What is kept is a set of digests of keys, made again from the stored items by whoever goes on
 * with the job. The table is walked in order of its keys, a piece at a time; the last key of a
 * piece is stored with the job, in the transaction that removes what the piece had to remove.
 *
 * A first walk counts. It remembers the keys that it counts, as far as there is room, so that
 * whoever has counted need not walk over that part of the table once more.
 */
#ifndef BATCH_ENGINE_CLEANUP_H
#define BATCH_ENGINE_CLEANUP_H

#include "batch.h"
#include "engine/apply.h"

/** 1 if rows are to be removed when all items of the job are behind it. */
int batch_cleanup_is_due(const batch_job_t *job);

/** batch_job_t.cleanup_total of an overwrite whose rows to be removed were not counted yet. */
#define BATCH_CLEANUP_UNCOUNTED (-1)

typedef struct batch_cleanup batch_cleanup_t;

/**
 * 1 if an item of the job was accepted and then not applied, or not at once: its row may have gone,
 * and the row that has its match values is the one that it names. From then on nothing is known
 * without the database.
 */
#define batch_cleanup_is_doubtful(job)                                                             \
    ((job)->counts.errors > (job)->invalid || (job)->second_tries || (job)->last_tries)

/** Makes one in p, which keeps nothing yet. Fails only if there is no memory or randomness. */
apr_status_t batch_cleanup_make(batch_cleanup_t **cleanup, const batch_job_t *job,
                                const batch_application_t *application, apr_pool_t *p);

/**
 * Says that where a merge has told that a row has another key than its item that was stored, for
 * batch_cleanup_keep_stored: so an item that was applied is known by its key, though clients make
 * keys, unless batch_cleanup_is_doubtful.
 */
void batch_cleanup_trust(batch_cleanup_t *cleanup);

/**
 * Keeps the rows that these items name: stored items, completed. Those that were to be applied
 * must have been. Calls of items in any order, in any transactions.
 */
apr_status_t batch_cleanup_keep(batch_tx_t *tx, batch_cleanup_t *cleanup, const batch_item_t *items,
                                int count, apr_pool_t *ptemp);

/**
 * Keeps the row with that key, as the database writes it; NULL: one that nobody knows. A
 * batch_key_fn; baton: the cleanup.
 */
apr_status_t batch_cleanup_keep_key(void *cleanup, const char *key);

/**
 * Keeps the rows whose keys were stored when items were applied (batch_tx_kept_insert): some more
 * of them behind *number (0: from the start), which moves. *more: there may be others. Before
 * batch_cleanup_keep, which then need not look for the rows of those items.
 */
apr_status_t batch_cleanup_keep_stored(batch_tx_t *tx, int *more, apr_int64_t *number,
                                       batch_cleanup_t *cleanup);

/** NULL, or why nothing may be removed: a row is to be kept that nobody knows. A constant. */
const char *batch_cleanup_obstacle(const batch_cleanup_t *cleanup);

/**
 * As batch_cleanup_keep, before the items are applied and without the database: *done of them from
 * the first one on, up to one whose row only the database knows. Not where one of these or of those
 * before could not be applied (batch_cleanup_is_doubtful).
 */
apr_status_t batch_cleanup_keep_known(int *done, batch_cleanup_t *cleanup,
                                      const batch_item_t *items, int count);

/**
 * Counts the rows to be removed in the next piece of the table and adds them to *total; *more: the
 * table goes on.
 */
apr_status_t batch_cleanup_count(batch_tx_t *tx, int *more, apr_int64_t *total,
                                 batch_cleanup_t *cleanup, apr_pool_t *ptemp);

/** One call of batch_cleanup_remove. */
typedef struct batch_removal {
    batch_job_t *job;    /* its cleanup_key (in p), cleanup_done and counts move on */
    int limit;           /* rows that are given to the database, at most; from 1 */
    apr_time_t deadline; /* apr_time_now's clock; at least one row is tried */
    const char *refused; /* not NULL: the first row is not tried, it is refused with these words */
    int for_good;        /* it is not tried again either */
    batch_apply_error_fn *report; /* NULL: errors are only stored */
    void *baton;
    apr_pool_t *p;
} batch_removal_t;

/**
 * Removes what is to be removed in the pieces of the table behind the job's cleanup_key, and stores
 * an error for each row that the database keeps, also when it was tried once more behind all
 * others. *more: the table goes on. *tried: rows that were given to the database.
 */
apr_status_t batch_cleanup_remove(batch_tx_t *tx, int *more, int *tried, batch_cleanup_t *cleanup,
                                  const batch_removal_t *removal, apr_pool_t *ptemp);

#endif

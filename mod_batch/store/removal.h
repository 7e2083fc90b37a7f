/*
 * Removing what belongs to jobs, in pieces: a transaction that removed all items or errors of a
 * large one would need memory and time for them.
 *
 * Whoever ends or removes a job removes a piece, and where there may be more it is noted in the
 * same transaction, in the module's table batch_leftovers. Workers remove the rest.
 */
#ifndef BATCH_STORE_REMOVAL_H
#define BATCH_STORE_REMOVAL_H

#include "store/store.h"

/** Removes the segments all of whose items are at the positions from … to - 1. */
apr_status_t batch_tx_segments_passed(batch_tx_t *tx, const batch_job_t *job, apr_int64_t from,
                                      apr_int64_t to);

/**
 * The job is at its end: removes its segments, except for those of an upload that is kept; what is
 * more than a piece later, by batch_tx_leftovers.
 */
apr_status_t batch_tx_segments_end(batch_tx_t *tx, const batch_job_t *job);

/** Removes all segments of the job, at once: not for one that may have many. */
apr_status_t batch_tx_segments_delete(batch_tx_t *tx, const batch_job_t *job);

/** Removes a piece of the segments and errors of the job. *more: there may be more of them. */
apr_status_t batch_tx_belongings_piece(batch_tx_t *tx, int *more, const batch_job_t *job);

/** Removes segments and errors of the job, what is more than a piece later. */
apr_status_t batch_tx_belongings_leave(batch_tx_t *tx, const batch_job_t *job);

/**
 * Removes a piece of what a job has left. *more: there was one, and may be more. In a transaction
 * that only reads it just looks.
 */
apr_status_t batch_tx_leftovers(batch_tx_t *tx, int *more, apr_pool_t *ptemp);

#endif

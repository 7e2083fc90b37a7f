/*
 * Turns: what a batch has to wait for, and whether it still means what it meant when it was made.
 *
 * Two batches that may change the same rows come one after the other. Which rows those are is the
 * *target*: a table and, where all its sections have the same BatchScope, an organization. The
 * store keeps the order (store/store.h, "Turns"). A *section* is what a <BatchResource> said when
 * the batch was made; where it says something else now, the batch ends.
 */
#ifndef BATCH_ENGINE_TURN_H
#define BATCH_ENGINE_TURN_H

#include "batch.h"
#include "engine/jobs.h"

/** Sets the target and the section of a job whose resource is set; in p. */
void batch_turn_describe(batch_job_t *job, const batch_engine_t *engine, apr_pool_t *p);

/**
 * To be called in the transaction that queues a job, late, before that is written: sets queued_at,
 * and judge_again where another batch of its target has not ended, or has ended since the job's
 * items were judged, or were selected for that long (0: not by this request).
 */
apr_status_t batch_turn_queue(batch_tx_t *tx, batch_job_t *job, apr_interval_time_t selected_for);

/**
 * The first call of a transaction that carries out a job at once (mode sync): BATCH_EBUSY while
 * another batch stands before it; else no other has its turn before the transaction ends, but for
 * those that are carried out at once, too, if both only merge, and what they do to a row does not
 * depend on whether it is there. looks: what becomes of an item of this one does, or may.
 */
apr_status_t batch_turn_take(batch_tx_t *tx, const batch_job_t *job,
                             const batch_resource_t *resource, int looks);

/** What a resource of the engine is to a job. */
typedef enum {
    BATCH_FIT_GOOD,    /* the section that the job was made with */
    BATCH_FIT_CHANGED, /* a section that was changed since */
    BATCH_FIT_GONE,    /* there is none any more */
    BATCH_FIT_UNKNOWN  /* another server, or a newer configuration, knows it */
} batch_fit_e;

/** Whether this engine can go on with a job, and if not whether nobody can. ptemp: scratch. */
batch_fit_e batch_turn_fit(const batch_engine_t *engine, const batch_job_t *job, apr_pool_t *ptemp);

#endif

/*
 * A thread that is one step ahead: while the caller uses what a step has made, the next step runs
 * beside it. Private to engine/.
 */
#ifndef BATCH_ENGINE_AHEAD_H
#define BATCH_ENGINE_AHEAD_H

#include "batch.h"

typedef struct batch_ahead batch_ahead_t;

/** A step. Of what it uses the caller uses nothing until batch_ahead_wait has returned. */
typedef apr_status_t batch_ahead_fn(void *baton);

/**
 * Starts a thread that waits, with all signals blocked. It ends with batch_ahead_end, or before p
 * is cleared or destroyed. A failure is that of the system, which has no room for a thread.
 */
apr_status_t batch_ahead_make(batch_ahead_t **ahead, batch_ahead_fn *fn, void *baton,
                              apr_pool_t *p);

/** The thread begins a step. Not while one is under way. */
void batch_ahead_start(batch_ahead_t *ahead);

/** 1 if the step that was started has ended: then batch_ahead_wait does not wait. */
int batch_ahead_is_done(batch_ahead_t *ahead);

/** Waits for the end of the step that was started. Returns what it returned. */
apr_status_t batch_ahead_wait(batch_ahead_t *ahead);

/** Waits for the end of a step that is under way, and ends the thread. NULL is ignored. */
void batch_ahead_end(batch_ahead_t *ahead);

#endif

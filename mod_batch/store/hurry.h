/*
 * The end of a process: from then on nobody in the store waits long. Private to store/.
 *
 * Everything that waits asks how much longer it may, and asks again every BATCH_HURRY_SLICE: for a
 * lock, a turn to write, the server's reply. Only a process that ends asks for hurry; what is
 * given up then, its successor does.
 */
#ifndef BATCH_STORE_HURRY_H
#define BATCH_STORE_HURRY_H

#include <pthread.h>

#include "batch.h"

/* Nobody sleeps longer without looking whether there is hurry by now. */
#define BATCH_HURRY_SLICE apr_time_from_msec(200)

typedef struct batch_hurry {
    volatile apr_uint64_t deadline; /* of the clock that never jumps; 0: there is no hurry */
    int by_signals;                 /* a signal that ends the process and is held back counts too */
} batch_hurry_t;

/**
 * From now on nothing waits longer than patience. The first call counts. Callable in any thread,
 * and in a signal handler.
 */
void batch_hurry_begin(batch_hurry_t *hurry, apr_interval_time_t patience);

/** Microseconds of the clock that never jumps, for since. */
apr_time_t batch_hurry_clock(void);

/**
 * Of the time that somebody would still wait, who has waited since then: how much is left, 0 = give
 * up. Whatever began when the hurry was over gets a moment, so that a lease can be given back.
 */
apr_interval_time_t batch_hurry_left(batch_hurry_t *hurry, apr_time_t since,
                                     apr_interval_time_t wanted);

/**
 * Waits until changed is signalled, at most so long, and never longer than BATCH_HURRY_SLICE. It
 * may return early or late, as when the clock is set: the caller looks again. mutex is held.
 */
void batch_hurry_wait(pthread_cond_t *changed, pthread_mutex_t *mutex, apr_interval_time_t most);

/** 1 if the process is to end: what failed is not tried again. */
int batch_hurry_is_on(batch_hurry_t *hurry);

#endif

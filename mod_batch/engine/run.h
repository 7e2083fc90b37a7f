/*
 * Running a claimed job: chunk after chunk, each one transaction that moves rows and progress
 * together under the fence.
 */
#ifndef BATCH_ENGINE_RUN_H
#define BATCH_ENGINE_RUN_H

#include "batch.h"
#include "engine/jobs.h"

/** Asked at each edge of a chunk: 1 = the worker is to stop. */
typedef int batch_stopping_fn(void *baton);

/** Sleeps, but ends early when the worker is to stop. */
typedef void batch_pause_fn(void *baton, apr_interval_time_t duration);

/**
 * Asks for so many threads for the job, from 1: how many it may have now. Called in any of them.
 */
typedef int batch_threads_fn(void *baton, int wanted);

typedef struct batch_runner {
    const batch_engine_t *engine;
    batch_stopping_fn *stopping; /* called in any thread of the job */
    batch_pause_fn *pause;
    batch_threads_fn *threads; /* NULL: one */
    void *baton;
    int most; /* items of a chunk of two threads, three of which are worth it; 0: by their time */
} batch_runner_t;

/**
 * Runs job, which this worker has claimed, until it is final, lost to another worker
 * (BATCH_EFENCED), or the worker is to stop: then the job is given back (APR_SUCCESS, and
 * job->status is still processing). A database that is unavailable is waited for.
 * p: a pool that the caller clears after the call.
 */
apr_status_t batch_job_run(const batch_runner_t *runner, batch_job_t *job, apr_pool_t *p);

#endif

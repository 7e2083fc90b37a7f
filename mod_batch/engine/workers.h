/*
 * Workers: the threads inside httpd's children that run the jobs.
 *
 * The node has BatchWorkers slots in memory that all children share. Each child starts that many
 * threads; a thread works while it holds a slot, and otherwise waits for one to fall vacant. So
 * hundreds of prefork children together run no more than BatchWorkers jobs, and when a
 * child dies its slots are taken by another within a second.
 */
#ifndef BATCH_ENGINE_WORKERS_H
#define BATCH_ENGINE_WORKERS_H

#include "batch.h"
#include "engine/jobs.h"

typedef struct batch_node batch_node_t;       /* what the children of one httpd share */
typedef struct batch_workers batch_workers_t; /* the threads of one child */

/**
 * Makes what the children will share: slots and the wake-up pipe. To be called by the parent before
 * it forks; lives in p (pconf).
 */
apr_status_t batch_node_create(batch_node_t **node, int workers, batch_error_t *err, apr_pool_t *p);

/** What the node's writers share, for batch_store_config_t. */
batch_writers_t *batch_node_writers(batch_node_t *node);

/** What the node has logged of late, for batch_engine_t. */
batch_outages_t *batch_node_outages(batch_node_t *node);

/** Wakes one sleeping worker of the node: there is a job in the queue. Callable anywhere. */
void batch_node_wake(batch_node_t *node);

/**
 * Starts the threads of this child; to be called in child_init, where signals are blocked.
 * engine and node must outlive the threads. The workers live in an unmanaged pool of their own.
 */
apr_status_t batch_workers_start(batch_workers_t **workers, const batch_engine_t *engine,
                                 batch_node_t *node, batch_error_t *err, apr_pool_t *p);

/** Tells the threads to stop at the next edge of an item. Returns at once; callable from any
 * thread, more than once. */
void batch_workers_stop(batch_workers_t *workers);

/**
 * Waits for the threads to end, at most patience. APR_TIMEUP: some have not; they are abandoned
 * and nothing of theirs is freed. Their jobs are taken over once this process is gone.
 */
apr_status_t batch_workers_join(batch_workers_t *workers, apr_interval_time_t patience);

#endif

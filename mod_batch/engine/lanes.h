/* A job whose items two threads apply, each in transactions of its own. Private to engine/. */
#ifndef BATCH_ENGINE_LANES_H
#define BATCH_ENGINE_LANES_H

#include "engine/run_private.h"

/**
 * 1 if two threads may apply the items at the job's position: the database can have two writers, no
 * other job wants the second thread, what becomes of one item does not hang on the others, and
 * nothing is known against them (items that may end a worker, or were refused a short time ago).
 */
int batch_lanes_are_due(batch_job_run_t *run);

/**
 * Applies items from the job's position on in two threads, for as long as all goes well; run->job
 * moves on with each chunk that is committed. What has come to nothing has left no trace, and is
 * for a chunk of one thread to find out. Of a COMMIT without an answer run->in_doubt tells.
 */
void batch_lanes_run(batch_job_run_t *run);

#endif

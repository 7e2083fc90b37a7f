/* A thread beside one of httpd's or of a worker's. */
#ifndef BATCH_ENGINE_THREAD_H
#define BATCH_ENGINE_THREAD_H

#include <apr_thread_proc.h>

/**
 * Starts a thread with all signals blocked: httpd's are for its own threads. It is made of p, and
 * its caller joins it before p is gone.
 */
apr_status_t batch_thread_start(apr_thread_t **thread, apr_thread_start_t main_fn, void *baton,
                                apr_pool_t *p);

#endif

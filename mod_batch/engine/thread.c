#include "engine/thread.h"

#include <signal.h>

apr_status_t batch_thread_start(apr_thread_t **thread, apr_thread_start_t main_fn, void *baton,
                                apr_pool_t *p)
{
    sigset_t all, before;
    apr_status_t rv;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(thread, NULL, main_fn, baton, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

#include "store/hurry.h"

#include <signal.h>
#include <time.h>

#include <apr_atomic.h>

/* What a wait may take that begins when the deadline has passed. */
#define MOMENT apr_time_from_msec(500)

/* What is left from the moment on in which a held signal is seen. */
#define SIGNAL_PATIENCE apr_time_from_sec(2)

apr_time_t batch_hurry_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000;
}

void batch_hurry_begin(batch_hurry_t *hurry, apr_interval_time_t patience)
{
    (void)apr_atomic_cas64(&hurry->deadline, (apr_uint64_t)(batch_hurry_clock() + patience), 0);
}

/* Under prefork a request's thread holds back the signal that ends the process: it must look. */
static int signal_is_held(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1 ||
            sigismember(&pending, SIGHUP) == 1);
}

int batch_hurry_is_on(batch_hurry_t *hurry)
{
    if (apr_atomic_read64(&hurry->deadline)) {
        return 1;
    }
    if (!hurry->by_signals || !signal_is_held()) {
        return 0;
    }
    batch_hurry_begin(hurry, SIGNAL_PATIENCE);
    return 1;
}

apr_interval_time_t batch_hurry_left(batch_hurry_t *hurry, apr_time_t since,
                                     apr_interval_time_t wanted)
{
    apr_time_t deadline;
    apr_interval_time_t left;

    if (!batch_hurry_is_on(hurry)) {
        return wanted;
    }
    deadline = (apr_time_t)apr_atomic_read64(&hurry->deadline);
    if (deadline < since + MOMENT) {
        deadline = since + MOMENT;
    }
    left = deadline - batch_hurry_clock();
    if (left > wanted) {
        left = wanted;
    }
    return left > 0 ? left : 0;
}

void batch_hurry_wait(pthread_cond_t *changed, pthread_mutex_t *mutex, apr_interval_time_t most)
{
    apr_time_t until = apr_time_now() + (most < BATCH_HURRY_SLICE ? most : BATCH_HURRY_SLICE);
    struct timespec end = {.tv_sec = (time_t)apr_time_sec(until),
                           .tv_nsec = (long)apr_time_usec(until) * 1000};

    (void)pthread_cond_timedwait(changed, mutex, &end);
}

#include "store/writer.h"

#include <string.h>

#include <apr_atomic.h>
#include <apr_portable.h>
#include <apr_time.h>

/* How often, and how many times, a greedy writer looks whether another has had its turn. */
#define YIELD_PAUSE  apr_time_from_msec(1) / 5
#define YIELD_ROUNDS 25

/*
 * Workers that write all the time rest that often, so that the others that write to the file have
 * to wait no longer than that; ...
 */
#define REST_INTERVAL 2000 /* milliseconds */

/* ... and that long: SQLite's own busy handler looks every 100 ms when it has waited for a while.
 */
#define REST 120

/* How often the mutex is tried where the platform's cannot wait for a limited time. */
#define TRY_PAUSE apr_time_from_msec(2)

apr_status_t batch_writer_init(batch_writer_t *writer, apr_global_mutex_t *global,
                               batch_writers_t *shared, apr_pool_t *p)
{
    writer->global = global;
    writer->local = NULL;
    memset(&writer->own, 0, sizeof(writer->own));
    writer->shared = shared ? shared : &writer->own;
    writer->last = NULL;
    if (global) {
        return APR_SUCCESS;
    }
    return apr_thread_mutex_create(&writer->local,
                                   APR_THREAD_MUTEX_DEFAULT | APR_THREAD_MUTEX_TIMED, p);
}

static void *this_thread(void)
{
    return (void *)(apr_uintptr_t)apr_os_thread_current();
}

/*
 * Mutexes are not fair: a worker that writes chunk after chunk would take its own mutex again
 * before those that wait have woken up. So whoever had the last turn lets one of them go first.
 */
static void let_others_go_first(batch_writer_t *writer)
{
    apr_uint32_t waiting = apr_atomic_read32(&writer->shared->waiting);
    int round;

    if (apr_atomic_casptr((volatile void **)&writer->last, NULL, NULL) != this_thread()) {
        return;
    }
    for (round = 0; waiting && round < YIELD_ROUNDS; round++) {
        apr_sleep(YIELD_PAUSE);
        if (apr_atomic_read32(&writer->shared->waiting) < waiting) {
            break;
        }
    }
}

static apr_status_t try_for(apr_global_mutex_t *mutex, apr_interval_time_t patience)
{
    apr_time_t deadline = apr_time_now() + patience;
    apr_status_t rv;

    while (APR_STATUS_IS_EBUSY(rv = apr_global_mutex_trylock(mutex)) && apr_time_now() < deadline) {
        apr_sleep(TRY_PAUSE);
    }
    return rv;
}

static apr_status_t lock(batch_writer_t *writer, apr_interval_time_t patience)
{
    apr_status_t rv;

    if (!writer->global) {
        return apr_thread_mutex_timedlock(writer->local, patience);
    }
    rv = apr_global_mutex_timedlock(writer->global, patience);
    return APR_STATUS_IS_ENOTIMPL(rv) ? try_for(writer->global, patience) : rv;
}

int batch_writer_enter(batch_writer_t *writer, apr_interval_time_t patience, batch_hurry_t *hurry)
{
    apr_time_t since = batch_hurry_clock();
    apr_status_t rv = APR_TIMEUP;
    apr_interval_time_t left;

    let_others_go_first(writer);
    apr_atomic_inc32(&writer->shared->waiting);
    do {
        left = batch_hurry_left(hurry, since, since + patience - batch_hurry_clock());
        if (left > 0) {
            rv = lock(writer, left < BATCH_HURRY_SLICE ? left : BATCH_HURRY_SLICE);
        }
    } while (left > 0 && (APR_STATUS_IS_TIMEUP(rv) || APR_STATUS_IS_EBUSY(rv)));
    apr_atomic_dec32(&writer->shared->waiting);
    return rv == APR_SUCCESS;
}

void batch_writer_leave(batch_writer_t *writer)
{
    apr_atomic_xchgptr((volatile void **)&writer->last, this_thread());
    if (writer->global) {
        apr_global_mutex_unlock(writer->global);
    } else {
        apr_thread_mutex_unlock(writer->local);
    }
}

int batch_writer_is_awaited(batch_writer_t *writer)
{
    return apr_atomic_read32(&writer->shared->waiting) > 0;
}

static apr_uint64_t now_ms(void)
{
    return (apr_uint64_t)apr_time_as_msec(apr_time_now());
}

apr_interval_time_t batch_writer_rest(batch_writer_t *writer)
{
    apr_uint64_t now = now_ms();
    apr_uint64_t rested = now - apr_atomic_read64(&writer->shared->rested_at);
    apr_uint64_t quiet = now - apr_atomic_read64(&writer->shared->chunk_end);

    /*
     * A process of its own keeps nobody from anything by itself. A clock that was set back makes a
     * difference large, which is as good as a rest.
     */
    if (writer->shared == &writer->own || rested < REST_INTERVAL) {
        return 0;
    }
    if (quiet < REST) {
        return apr_time_from_msec((apr_interval_time_t)(REST - quiet));
    }
    apr_atomic_set64(&writer->shared->rested_at, now);
    return 0;
}

void batch_writer_chunk_over(batch_writer_t *writer)
{
    apr_atomic_set64(&writer->shared->chunk_end, now_ms());
}

#include "store/writer.h"

#include <errno.h>
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

/* A chunk that has begun and not ended is looked at so often, and for that long, milliseconds. */
#define CHUNK_LOOK 10
#define CHUNK_MOST 10000

/* More than a chunk usually takes, milliseconds: whoever is at a job is seen again before that. */
#define JOB_SEEN 1000

apr_size_t batch_writers_size(void)
{
    return sizeof(batch_writers_t);
}

apr_status_t batch_writers_make(batch_writers_t *writers)
{
    pthread_mutexattr_t attributes;
    int code = pthread_mutexattr_init(&attributes);

    memset(writers, 0, sizeof(*writers));
    if (code) {
        return code;
    }
    code = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!code) { /* the turn of a process that is killed goes to the next one */
        code = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    }
    if (!code) {
        code = pthread_mutex_init(&writers->turn, &attributes);
    }
    pthread_mutexattr_destroy(&attributes);
    return code;
}

apr_status_t batch_writer_init(batch_writer_t *writer, batch_writers_t *shared)
{
    writer->shared = shared ? shared : &writer->own;
    writer->last = NULL;
    return shared ? APR_SUCCESS : batch_writers_make(&writer->own);
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

/*
 * Not an apr_global_mutex: which kind that is says the directive Mutex, and of most kinds nobody
 * can wait for a limited time but by polling, which is slow and gives the turn to whoever is lucky.
 */
static apr_status_t lock(batch_writer_t *writer, apr_interval_time_t patience)
{
    apr_time_t deadline = apr_time_now() + patience;
    struct timespec end = {.tv_sec = (time_t)apr_time_sec(deadline),
                           .tv_nsec = (long)apr_time_usec(deadline) * 1000};
    int code = pthread_mutex_timedlock(&writer->shared->turn, &end);

    return code == EOWNERDEAD ? pthread_mutex_consistent(&writer->shared->turn) : code;
}

int batch_writer_enter(batch_writer_t *writer, apr_interval_time_t patience, batch_hurry_t *hurry)
{
    apr_time_t since = batch_hurry_clock();
    apr_status_t rv = ETIMEDOUT;
    apr_interval_time_t left;

    let_others_go_first(writer);
    apr_atomic_inc32(&writer->shared->waiting);
    do {
        left = batch_hurry_left(hurry, since, since + patience - batch_hurry_clock());
        if (left > 0) {
            rv = lock(writer, left < BATCH_HURRY_SLICE ? left : BATCH_HURRY_SLICE);
        }
    } while (left > 0 && rv == ETIMEDOUT);
    apr_atomic_dec32(&writer->shared->waiting);
    return rv == APR_SUCCESS;
}

void batch_writer_leave(batch_writer_t *writer)
{
    apr_atomic_xchgptr((volatile void **)&writer->last, this_thread());
    pthread_mutex_unlock(&writer->shared->turn);
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
    apr_uint64_t ended = apr_atomic_read64(&writer->shared->chunk_end);
    apr_uint64_t begun = apr_atomic_read64(&writer->shared->chunk_begun);

    /*
     * A process of its own keeps nobody from anything by itself. A clock that was set back makes a
     * difference large, which is as good as a rest.
     */
    if (writer->shared == &writer->own || rested < REST_INTERVAL) {
        return 0;
    }
    /* Another's chunk is no rest; one that has not ended for so long was killed. */
    if (begun > ended && now - begun < CHUNK_MOST) {
        return apr_time_from_msec(CHUNK_LOOK);
    }
    if (now - ended < REST) {
        return apr_time_from_msec((apr_interval_time_t)(REST - (now - ended)));
    }
    apr_atomic_set64(&writer->shared->rested_at, now);
    return 0;
}

void batch_writer_begin_chunk(batch_writer_t *writer)
{
    apr_atomic_set64(&writer->shared->chunk_begun, now_ms());
}

void batch_writer_note(batch_writer_t *writer, batch_turn_e turn)
{
    apr_uint64_t now = now_ms();

    if (turn == BATCH_TURN_OTHER) {
        return;
    }
    if (turn != BATCH_TURN_STEP) {
        apr_atomic_set64(&writer->shared->chunk_end, now);
    }
    apr_atomic_set64(&writer->shared->job_seen, turn == BATCH_TURN_LAST ? 0 : now);
}

int batch_writers_at_job(batch_writers_t *writers)
{
    return now_ms() - apr_atomic_read64(&writers->job_seen) < JOB_SEEN;
}

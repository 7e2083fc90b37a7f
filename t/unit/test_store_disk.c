/*
 * SQLite: writers wait for the disk behind their turn, and one of them for all that have committed;
 * none is told that it is done before.
 */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include <errno.h>
#include <pthread.h>

#include <apr_thread_proc.h>

#define WRITERS 4
#define LOOKERS 1

/* ---- The disk: stands in for the system's fdatasync ---------------------------------------------
 */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_held;  /* whoever waits for the disk is kept waiting, … */
static int waiting;  /* … so many are, … */
static int fails;    /* … and it then fails that often */
static int syncs;    /* calls */
static int answered; /* writers that were told of their end */

/* The library finds this one first. */
__attribute__((visibility("default"))) int fdatasync(int descriptor)
{
    int error = 0;

    (void)descriptor;
    pthread_mutex_lock(&mutex);
    syncs++;
    waiting++;
    pthread_cond_broadcast(&changed);
    while (is_held) {
        pthread_cond_wait(&changed, &mutex);
    }
    waiting--;
    if (fails > 0) {
        fails--;
        error = EIO;
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
    return error ? -1 : 0;
}

static void hold_disk(int held)
{
    pthread_mutex_lock(&mutex);
    is_held = held;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static int read_number(const int *number)
{
    int now;

    pthread_mutex_lock(&mutex);
    now = *number;
    pthread_mutex_unlock(&mutex);
    return now;
}

/* ---- Writers ------------------------------------------------------------------------------------
 */

typedef struct writer {
    apr_pool_t *p;
    apr_thread_t *thread;
    batch_job_t job;
    apr_status_t rv;
} writer_t;

static writer_t writers[WRITERS + LOOKERS];

static void *APR_THREAD_FUNC write_one(apr_thread_t *thread, void *data)
{
    writer_t *writer = data;
    batch_error_t error = {0};

    writer->rv = batch_store_write(store, insert_job, &writer->job, &error, writer->p);
    pthread_mutex_lock(&mutex);
    answered++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static apr_status_t find_nothing(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    (void)baton;
    (void)ptemp;
    return BATCH_ENOTFOUND;
}

/* Looks, as a reader, and as a writer that finds nothing to write. */
static void *APR_THREAD_FUNC look(apr_thread_t *thread, void *data)
{
    writer_t *writer = data;
    batch_error_t error = {0};

    writer->rv = batch_store_read(store, find_nothing, NULL, &error, writer->p);
    if (writer->rv == BATCH_ENOTFOUND) {
        writer->rv = batch_store_write(store, find_nothing, NULL, &error, writer->p);
    }
    pthread_mutex_lock(&mutex);
    answered++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void start(int number, apr_thread_start_t run)
{
    writer_t *writer = &writers[number];

    apr_pool_create_unmanaged_ex(&writer->p, NULL, NULL);
    writer->job = new_job("disk");
    writer->job.id = batch_uuid_make(pool);
    writer->rv = -1;
    apr_thread_create(&writer->thread, NULL, run, writer, writer->p);
}

static void join(int from, int to)
{
    int i;

    for (i = from; i < to; i++) {
        apr_status_t rv;

        apr_thread_join(&rv, writers[i].thread);
        apr_pool_destroy(writers[i].p);
    }
}

/* Rows that others see. */
static int count_seen(void)
{
    return (int)number("SELECT count(*) FROM batch_jobs WHERE organization = 'disk'");
}

static int wait_until_seen(int wanted)
{
    int i, seen = count_seen();

    for (i = 0; seen != wanted && i < 6000; i++) {
        apr_sleep(apr_time_from_msec(10));
        seen = count_seen();
    }
    return seen;
}

static void wait_for_waiting(void)
{
    pthread_mutex_lock(&mutex);
    while (!waiting) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void begin_test(void)
{
    fresh();
    put_one(); /* makes the tables, and the log */
    put_one();
    syncs = answered = 0;
}

static void test_together(void)
{
    int i;

    begin_test();
    hold_disk(1);
    start(0, write_one);
    wait_for_waiting();
    for (i = 1; i < WRITERS; i++) {
        start(i, write_one);
    }
    is_number(wait_until_seen(WRITERS), WRITERS,
              "others commit while one waits for the disk behind its turn");
    start(WRITERS, look);
    apr_sleep(apr_time_from_msec(300)); /* too short fails nothing: it has to wait all the time */
    is_number(read_number(&answered), 0, "nobody is told, or sees it, before the disk has it");
    hold_disk(0);
    join(0, WRITERS + LOOKERS);
    is_number(writers[WRITERS].rv, BATCH_ENOTFOUND, "then whoever looks sees it");
    for (i = 0; i < WRITERS; i++) {
        is_number(writers[i].rv, APR_SUCCESS, apr_psprintf(pool, "writer %d is told", i));
    }
    ok(syncs >= 2 && syncs < WRITERS + LOOKERS,
       "those that have come meanwhile wait together, and not with the one before them");
    syncs = 0;
    batch_store_read(store, find_nothing, NULL, &err, pool);
    is_number(syncs, 0, "and who looks at what is on disk waits for nothing");
    put_one();
    ok(syncs >= 1, "the next one that writes waits for the disk again");
}

/* A disk that fails has taken nobody's. */
static void test_failure(void)
{
    begin_test();
    hold_disk(1);
    start(0, write_one);
    wait_for_waiting();
    start(1, write_one);
    is_number(wait_until_seen(2), 2, "two have committed");
    fails = 1;
    hold_disk(0);
    join(0, 2);
    is_number(writers[0].rv, BATCH_EINDOUBT, "where the disk fails nobody knows of the COMMIT");
    is_number(writers[1].rv, APR_SUCCESS, "whoever waited has tried it itself");
    ok(syncs >= 2, "so there was one more wait");
    is_number(put_one(), APR_SUCCESS, "and so does the next one");
}

/* Steps on the way wait for nothing; what follows takes them to the disk, too. */
static void test_async(void)
{
    batch_job_t job = new_job("disk");

    begin_test();
    is_number(batch_store_write_async(store, insert_job, &job, &err, pool), APR_SUCCESS, "a step");
    is_number(read_number(&syncs), 0, "does not wait for the disk");
    put_one();
    ok(read_number(&syncs) >= 1, "the end does");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    test_together();
    test_failure();
    test_async();
    batch_store_destroy(store);
    return fixture_end();
}

#include "engine/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <apr_allocator.h>
#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "engine/host.h"
#include "engine/node.h"
#include "engine/points.h"
#include "engine/run.h"
#include "engine/status.h"
#include "engine/turn.h"
#include "engine/upload.h"
#include "text/check.h"

/* How often a node looks into the queue unasked: for batches of other nodes and of dead owners. */
#define POLL_INTERVAL apr_time_from_sec(1)

/* A thread without a slot looks at least that often for one whose holder has died, and a sleeping
 * worker wakes that often. */
#define NAP apr_time_from_sec(1)

/* What jobs have left is looked for so often, also while the queue is full. */
#define SWEEP_INTERVAL apr_time_from_sec(1)

/* How often a node looks for jobs that are past their retention. */
#define CLEANING_INTERVAL apr_time_from_sec(15)

/*
 * A job whose receiver is gone is removed at the next cleaning; one of another machine when it has
 * been there for so long that no request can still be storing it.
 */
#define RECEIVING_PATIENCE apr_time_from_sec(24 * 3600)
#define ABANDONED_AT_ONCE  1

/* After a claim that failed, wait that long before the next. */
#define FAILURE_NAP apr_time_from_sec(2)

/* The same where a job was left since a request is at its rows just now. */
#define HELD_OFF_NAP apr_time_from_msec(20)

/* Free memory that a worker keeps between jobs. */
#define WORKER_MAX_FREE (4 * 1024 * 1024)

struct worker {
    unsigned magic;
#define WORKER_MAGIC 0x873f01dcu
    batch_workers_t *workers;
    apr_thread_t *thread;
    apr_pool_t *p; /* cleared before each job */
    int slot;
    int held_off;     /* the last claim has left a job since a request is at its rows */
    int unavailable;  /* it has logged that claims fail: to be said when they do not any more */
    apr_time_t swept; /* when it last looked for what jobs have left */
};

struct batch_workers {
    const batch_engine_t *engine;
    batch_node_t *node;
    batch_owner_t owner;
    apr_pool_t *p;
    int stop_read; /* readable (closed at the other end) once the workers are to stop */
    int stop_write;
    volatile apr_uint32_t stopping;
    apr_thread_mutex_t *mutex; /* guards alive */
    apr_thread_cond_t *ended;
    int alive;
    int count;
    struct worker *list;
};

/* ---- Sleeping and stopping ----------------------------------------------------------------------
 */

static int is_stopping(void *baton)
{
    struct worker *worker = BATCH_CAST(struct worker, baton, WORKER_MAGIC);

    return apr_atomic_read32(&worker->workers->stopping) != 0;
}

/* Up to an eighth more or less than duration, so that children do not march in step. */
static int with_jitter(apr_interval_time_t duration)
{
    unsigned char byte = 128;
    apr_interval_time_t eighth = duration / 8;

    /* Without randomness we sleep for duration: nothing depends on it. */
    (void)apr_generate_random_bytes(&byte, 1);
    return (int)apr_time_as_msec(duration - eighth + eighth * byte / 128);
}

/*
 * Sleeps until the workers are to stop, fd (-1: none) becomes readable, or duration is over.
 * Returns 1 if it was fd.
 */
static int sleep_for(struct worker *worker, apr_interval_time_t duration, int fd)
{
    struct pollfd fds[2] = {{worker->workers->stop_read, POLLIN, 0}, {fd, POLLIN, 0}};
    int ready = poll(fds, fd < 0 ? 1 : 2, with_jitter(duration));

    if (ready < 0 && errno != EINTR) {
        apr_sleep(duration); /* poll itself failing must not make this a busy loop */
    }
    return ready > 0 && (fds[1].revents & POLLIN);
}

/* The same, until there is a job: 1 if a wake-up was taken. */
static int sleep_for_job(struct worker *worker)
{
    batch_node_t *node = worker->workers->node;

    return sleep_for(worker, NAP, batch_node_wake_fd(node)) && batch_node_wake_take(node);
}

/* The same, until somebody gives a slot back. */
static void sleep_for_slot(struct worker *worker)
{
    batch_node_t *node = worker->workers->node;

    if (sleep_for(worker, NAP, batch_node_vacancy_fd(node))) {
        (void)batch_node_vacancy_take(node);
    }
}

static void pause_worker(void *baton, apr_interval_time_t duration)
{
    sleep_for(baton, duration, -1);
}

static int threads_of(void *baton, int wanted)
{
    const struct worker *worker = BATCH_CAST(struct worker, baton, WORKER_MAGIC);

    return batch_node_slot_load(worker->workers->node, worker->slot, wanted);
}

/* ---- Claiming
 * ------------------------------------------------------------------------------------ */

struct claim {
    batch_claim_t request;
    batch_job_t *job;
    apr_pool_t *p;
};

/* Also one that has to be ended, since nobody can run it any more. */
static int is_runnable(void *baton, const batch_job_t *job)
{
    struct worker *worker = BATCH_CAST(struct worker, baton, WORKER_MAGIC);
    const batch_engine_t *engine = worker->workers->engine;
    batch_fit_e fit = BATCH_FIT_UNKNOWN;
    apr_pool_t *scratch;

    if (apr_pool_create(&scratch, worker->p) == APR_SUCCESS) {
        fit = batch_turn_fit(engine, job, scratch);
        apr_pool_destroy(scratch);
    }
    if (fit != BATCH_FIT_GOOD) {
        return fit != BATCH_FIT_UNKNOWN;
    }
    return !engine->fitness ||
           batch_fitness_serves(engine->fitness, batch_engine_resource(engine, job->resource),
                                job->action);
}

static int is_owner_gone(void *baton, const batch_owner_t *owner)
{
    struct worker *worker = BATCH_CAST(struct worker, baton, WORKER_MAGIC);

    return batch_host_owner_gone(owner, &worker->workers->owner);
}

static apr_status_t claimed(void *baton, batch_job_t *job)
{
    struct worker *worker = baton;

    return batch_status_move(job, BATCH_EVENT_CLAIM, NULL, worker->p);
}

static apr_status_t claim_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct claim *claim = baton;
    apr_status_t rv = batch_tx_claim(tx, claim->job, &claim->request, claim->p);

    (void)ptemp;
    if (rv == APR_SUCCESS) {
        BATCH_POINT("claiming");
    }
    return rv;
}

static void report_claim(struct worker *worker, apr_status_t rv, const batch_error_t *err,
                         apr_pool_t *p)
{
    const batch_engine_t *engine = worker->workers->engine;
    const char *tag = err->tag ? err->tag : "MB0409";
    const char *message = err->message ? err->message : "no details";
    const char *suffix;
    int failed = rv != APR_SUCCESS && rv != BATCH_ENOTFOUND;

    if (failed && is_stopping(worker)) {
        return; /* the store gives up early when the process is to end */
    }
    if (failed && batch_outage_due(engine->outages, &suffix, tag, message, p)) {
        worker->unavailable = 1;
        batch_log(engine->logger, BATCH_LOG_ERROR, tag, rv, NULL,
                  "cannot look into the queue: %s%s", message, suffix);
    } else if (!failed && worker->unavailable) {
        worker->unavailable = 0;
        batch_log(engine->logger, BATCH_LOG_NOTICE, "MB0410", 0, NULL,
                  "the queue can be reached again");
    }
}

/* Claims a job and runs it. BATCH_ENOTFOUND: there is none. */
static apr_status_t run_one(struct worker *worker, apr_pool_t *p)
{
    batch_workers_t *workers = worker->workers;
    batch_job_t job;
    batch_error_t err = {0};
    struct claim claim = {{&workers->owner, workers->engine->limits.lease, is_runnable,
                           is_owner_gone, worker, &worker->held_off, claimed},
                          &job,
                          p};
    batch_runner_t runner = {.engine = workers->engine,
                             .stopping = is_stopping,
                             .pause = pause_worker,
                             .threads = threads_of,
                             .baton = worker};
    apr_status_t rv;

    worker->held_off = 0;
    rv = batch_store_write(workers->engine->store, claim_body, &claim, &err, p);
    if (rv == BATCH_EINDOUBT) {
        rv = batch_store_job_stands(workers->engine->store, &job, &err, p);
        rv = rv == BATCH_ECONFLICT ? BATCH_ENOTFOUND : rv;
    }
    report_claim(worker, rv, &err, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    BATCH_POINT("claimed");
    batch_log(workers->engine->logger, BATCH_LOG_DEBUG, "MB0411", 0, &job, "claimed");
    (void)threads_of(worker, 1);
    rv = batch_job_run(&runner, &job, p);
    (void)threads_of(worker, 0);
    batch_log(workers->engine->logger, BATCH_LOG_DEBUG, "MB0412", rv, &job, "let go");
    return APR_SUCCESS;
}

/* Removes what jobs have left, a piece at a time; at most so long. */
static void sweep(struct worker *worker, apr_interval_time_t patience, apr_pool_t *p)
{
    const batch_engine_t *engine = worker->workers->engine;
    apr_time_t deadline = apr_time_now() + patience;
    apr_status_t rv = APR_SUCCESS;
    int more = 1;

    while (rv == APR_SUCCESS && more && !is_stopping(worker)) {
        batch_error_t err = {0};
        apr_interval_time_t rest;

        while ((rest = batch_store_rest(engine->store)) > 0 && !is_stopping(worker)) {
            pause_worker(worker, rest);
        }
        rv = batch_jobs_sweep(&more, engine, &err, p);
        if (rv != APR_SUCCESS && !is_stopping(worker)) {
            batch_log(engine->logger, BATCH_LOG_WARNING, err.tag ? err.tag : "MB0429", rv, NULL,
                      "cannot remove what batches have left: %s",
                      err.message ? err.message : "no details");
        }
        apr_pool_clear(p);
        more = more && apr_time_now() < deadline;
    }
    worker->swept = apr_time_now();
}

/* Runs jobs until the queue is empty, or the worker is to stop. */
static void run_all(struct worker *worker, apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && !is_stopping(worker)) {
        apr_pool_clear(p);
        rv = run_one(worker, p);
        if (rv == BATCH_ENOTFOUND && worker->held_off) {
            sleep_for(worker, HELD_OFF_NAP, -1);
            rv = APR_SUCCESS;
        }
        if (rv == APR_SUCCESS && apr_time_now() - worker->swept > SWEEP_INTERVAL) {
            sweep(worker, 0, p); /* however full the queue is */
        }
    }
    if (rv == BATCH_ENOTFOUND) {
        sweep(worker, SWEEP_INTERVAL, p);
    }
    apr_pool_clear(p);
    if (rv != BATCH_ENOTFOUND && rv != APR_SUCCESS) {
        sleep_for(worker, FAILURE_NAP, -1);
    }
}

/* ---- The threads
 * --------------------------------------------------------------------------------- */

struct abandoned {
    batch_claim_t request;
    int *removed;
};

static apr_status_t abandoned_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct abandoned *abandoned = baton;

    return batch_tx_jobs_abandoned(tx, abandoned->removed, &abandoned->request, RECEIVING_PATIENCE,
                                   ABANDONED_AT_ONCE, ptemp);
}

/* Removes some of the jobs whose requests broke off while they were being stored. */
static apr_status_t remove_abandoned(struct worker *worker, int *removed, batch_error_t *err,
                                     apr_pool_t *p)
{
    batch_workers_t *workers = worker->workers;
    struct abandoned abandoned = {{&workers->owner, workers->engine->limits.lease, is_runnable,
                                   is_owner_gone, worker, NULL, NULL},
                                  removed};

    return batch_store_write(workers->engine->store, abandoned_body, &abandoned, err, p);
}

/*
 * Removes jobs that are past their retention, or were never complete, and settles those whose
 * upload does not come any more, a few at a time.
 */
static void clean(struct worker *worker, apr_pool_t *p)
{
    const batch_engine_t *engine = worker->workers->engine;
    apr_status_t rv = APR_SUCCESS;
    int expired = 1;
    int abandoned = 1;
    int settled = 1;

    while (rv == APR_SUCCESS && expired + abandoned + settled > 0 && !is_stopping(worker)) {
        batch_error_t err = {0};

        if (expired) {
            rv = batch_jobs_expire(&expired, engine, &err, p);
        }
        if (rv == APR_SUCCESS && abandoned) {
            rv = remove_abandoned(worker, &abandoned, &err, p);
        }
        if (rv == APR_SUCCESS && settled) {
            rv = batch_uploads_settle(&settled, engine, &err, p);
        }
        if (rv != APR_SUCCESS) {
            batch_log(engine->logger, BATCH_LOG_WARNING, err.tag ? err.tag : "MB0418", rv, NULL,
                      "cannot remove batches that are past their retention: %s",
                      err.message ? err.message : "no details");
        }
        apr_pool_clear(p);
    }
}

/* Looks at what is out of service; if something is not any more, there may be work for others. */
static void look_again(const struct worker *worker, apr_pool_t *p)
{
    const batch_engine_t *engine = worker->workers->engine;

    if (engine->fitness && batch_fitness_tend(engine->fitness, engine->store, p)) {
        batch_node_wake(worker->workers->node);
    }
    apr_pool_clear(p);
}

static void work(struct worker *worker, apr_pool_t *p)
{
    batch_workers_t *workers = worker->workers;
    int woken = 1; /* whoever takes a slot looks at once: its last holder may have died at work */

    worker->slot = BATCH_NO_SLOT;
    while (!is_stopping(worker)) {
        if (worker->slot == BATCH_NO_SLOT) {
            worker->slot = batch_node_slot_take(workers->node, &workers->owner);
        }
        if (worker->slot == BATCH_NO_SLOT) {
            sleep_for_slot(worker);
            continue;
        }
        if (batch_node_poll_due(workers->node, POLL_INTERVAL)) {
            look_again(worker, p);
            woken = 1;
        }
        if (woken) {
            run_all(worker, p);
        }
        if (batch_node_cleaning_due(workers->node, CLEANING_INTERVAL)) {
            clean(worker, p);
        }
        woken = sleep_for_job(worker);
    }
    if (worker->slot != BATCH_NO_SLOT) {
        batch_node_slot_release(workers->node, worker->slot, &workers->owner);
        batch_node_wake(workers->node);
    }
}

static void *APR_THREAD_FUNC thread_main(apr_thread_t *thread, void *baton)
{
    struct worker *worker = BATCH_CAST(struct worker, baton, WORKER_MAGIC);
    batch_workers_t *workers = worker->workers;
    apr_pool_t *p;
    apr_status_t rv = batch_pool_make(&p, NULL, WORKER_MAX_FREE);

    (void)thread;
    if (rv == APR_SUCCESS) {
        apr_pool_tag(p, "batch_worker");
        worker->p = p;
        work(worker, p);
        apr_pool_destroy(p);
    } else {
        batch_log(workers->engine->logger, BATCH_LOG_ERROR, "MB0413", rv, NULL,
                  "a worker cannot start: no memory");
    }
    apr_thread_mutex_lock(workers->mutex);
    workers->alive--;
    apr_thread_cond_signal(workers->ended);
    apr_thread_mutex_unlock(workers->mutex);
    return NULL;
}

/* Everything of the workers, in an unmanaged pool with a mutex: threads are made and joined in it.
 */
static apr_status_t workers_make(batch_workers_t **workers)
{
    apr_thread_mutex_t *mutex;
    apr_pool_t *p;
    batch_workers_t *made;
    apr_status_t rv = batch_pool_make(&p, NULL, 0);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_tag(p, "batch_workers");
    made = apr_pcalloc(p, sizeof(*made));
    made->p = p;
    rv = apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, p);
    if (rv == APR_SUCCESS) {
        apr_allocator_mutex_set(apr_pool_allocator_get(p), mutex);
        rv = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, p);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&made->ended, p);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(p);
        return rv;
    }
    *workers = made;
    return APR_SUCCESS;
}

/* Starts the threads; those that run when one cannot be started are stopped by the caller. */
static apr_status_t threads_start(batch_workers_t *workers)
{
    apr_status_t rv = APR_SUCCESS;
    int count = batch_node_slot_count(workers->node);
    int i;

    workers->list = apr_pcalloc(workers->p, (apr_size_t)count * sizeof(*workers->list));
    for (i = 0; i < count && rv == APR_SUCCESS; i++) {
        struct worker *worker = &workers->list[i];
        worker->magic = WORKER_MAGIC;
        worker->workers = workers;
        apr_thread_mutex_lock(workers->mutex);
        rv = apr_thread_create(&worker->thread, NULL, thread_main, worker, workers->p);
        if (rv == APR_SUCCESS) {
            workers->alive++;
            workers->count++;
        }
        apr_thread_mutex_unlock(workers->mutex);
    }
    return rv;
}

apr_status_t batch_workers_start(batch_workers_t **workers, const batch_engine_t *engine,
                                 batch_node_t *node, batch_error_t *err, apr_pool_t *p)
{
    batch_workers_t *made;
    int ends[2];
    apr_status_t rv = workers_make(&made);

    *workers = NULL;
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0414", p, "no memory for the workers");
    }
    made->engine = engine;
    made->node = node;
    rv = batch_host_self(&made->owner, made->p);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(made->p);
        return batch_error_set(err, rv, "MB0415", p, "cannot find out this machine's name");
    }
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC)) {
        rv = errno;
        apr_pool_destroy(made->p);
        return batch_error_set(err, rv, "MB0434", p, "cannot make the pipe that stops the workers");
    }
    made->stop_read = ends[0];
    made->stop_write = ends[1];
    rv = threads_start(made);
    if (rv != APR_SUCCESS && !made->count) {
        close(ends[0]);
        close(ends[1]);
        apr_pool_destroy(made->p);
        return batch_error_set(err, rv, "MB0416", p, "cannot start a worker thread");
    }
    /* Some threads are better than none: the others' slots go to other children. */
    *workers = made;
    return APR_SUCCESS;
}

void batch_workers_stop(batch_workers_t *workers)
{
    ssize_t written;

    if (apr_atomic_xchg32(&workers->stopping, 1)) {
        return;
    }
    do {
        written = write(workers->stop_write, "", 1);
    } while (written < 0 && errno == EINTR);
}

apr_status_t batch_workers_join(batch_workers_t *workers, apr_interval_time_t patience)
{
    apr_time_t deadline = apr_time_now() + patience;
    apr_status_t rv;
    int alive;
    int i;

    apr_thread_mutex_lock(workers->mutex);
    while (workers->alive > 0 && apr_time_now() < deadline) {
        apr_thread_cond_timedwait(workers->ended, workers->mutex, deadline - apr_time_now());
    }
    alive = workers->alive;
    apr_thread_mutex_unlock(workers->mutex);
    if (alive > 0) {
        return APR_TIMEUP;
    }
    for (i = 0; i < workers->count; i++) {
        apr_status_t returned;
        rv = apr_thread_join(&returned, workers->list[i].thread);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    close(workers->stop_read);
    close(workers->stop_write);
    apr_pool_destroy(workers->p);
    return APR_SUCCESS;
}

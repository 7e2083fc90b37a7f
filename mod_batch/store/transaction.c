/* How a transaction is begun, retried and ended. */
#include "store/tx.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>

#include "store/schema.h"
#include "text/check.h"

/* How often one call opens its connection anew, or makes the tables, before it gives up. */
#define REOPEN_LIMIT 5

/* Pauses while somebody else has the database locked. */
#define PAUSE_FIRST apr_time_from_msec(1)
#define PAUSE_MOST  apr_time_from_msec(50)

/*
 * How often a transaction is tried again because a trigger says that it should; then the rows are
 * to blame of which it says so. Where that has been found out a short time ago, it is so at once.
 */
#define TRIGGER_TRIES 4
#define TRIGGER_PAUSE apr_time_from_msec(100)
#define TRIGGER_KNOWN 10 /* seconds */

/* One call of batch_store_write or batch_store_read, over all its attempts. */
typedef struct batch_run {
    batch_store_t *store;
    batch_run_e how;
    batch_tx_fn *fn;
    void *baton;
    batch_tx_t tx;
    apr_pool_t *attempt; /* what fn gets as ptemp */
    apr_time_t deadline;
    apr_time_t since; /* of batch_hurry_clock */
    apr_interval_time_t pause;
    unsigned seed;   /* of the jitter */
    int reopened;    /* times */
    int spoken;      /* attempts that a trigger has ended */
    int fresh;       /* the connection was opened by this call */
    int make_tables; /* the next attempt does it first */
} batch_run_t;

/* 1 if there is no more time to wait for what others hold. */
static int is_out_of_time(const batch_run_t *run)
{
    apr_interval_time_t left = run->deadline - apr_time_now();

    return batch_hurry_left(&run->store->hurry, run->since, left > 0 ? left : 0) == 0;
}

/* ---- One attempt ------------------------------------------------------------------------------
 */

static apr_status_t open_connection(batch_run_t *run)
{
    batch_connection_t *connection = run->tx.connection;
    const char *message = NULL;
    batch_failure_e failure;

    if (connection->handle) {
        return APR_SUCCESS;
    }
    run->fresh = 1;
    failure = batch_connection_open(connection, &message, run->attempt);
    if (failure == BATCH_FAILURE_NONE) {
        return APR_SUCCESS;
    }
    if (failure != BATCH_FAILURE_LOCKED) {
        run->tx.failure =
            failure == BATCH_FAILURE_READ_ONLY ? BATCH_FAILURE_READ_ONLY : BATCH_FAILURE_LOST;
        return batch_error_set(&run->tx.error, BATCH_EUNAVAILABLE, "MB0101", run->tx.p,
                               "cannot open the database: %s", message);
    }
    return batch_tx_fail_with(&run->tx, failure, message, "opening");
}

static int is_write(batch_run_e how)
{
    return how == BATCH_RUN_WRITE || how == BATCH_RUN_WRITE_ASYNC;
}

static batch_begin_e begin_kind(const batch_tx_t *tx)
{
    if (!tx->write) {
        return BATCH_BEGIN_READ;
    }
    return tx->async ? BATCH_BEGIN_WRITE_ASYNC : BATCH_BEGIN_WRITE;
}

static apr_status_t begin(batch_run_t *run)
{
    batch_connection_t *connection = run->tx.connection;
    batch_failure_e failure;

    if (run->make_tables) {
        failure = batch_schema_make(connection);
        run->make_tables = failure == BATCH_FAILURE_LOCKED;
        /* Made: that has outdated what the connection had prepared, and it has to begin anew. */
        return batch_tx_fail_own(&run->tx,
                                 failure == BATCH_FAILURE_NONE ? BATCH_FAILURE_OUTDATED : failure,
                                 "making the batch tables");
    }
    failure =
        connection->driver->begin(connection, begin_kind(&run->tx), run->how != BATCH_RUN_INSPECT);
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS
                                         : batch_tx_fail_own(&run->tx, failure, "begin");
}

static void pause_a_little(batch_run_t *run)
{
    run->pause = run->pause ? run->pause * 2 : PAUSE_FIRST;
    if (run->pause > PAUSE_MOST) {
        run->pause = PAUSE_MOST;
    }
    apr_sleep(run->pause / 2 + (apr_interval_time_t)rand_r(&run->seed) % (run->pause / 2));
}

static apr_status_t commit(batch_run_t *run)
{
    batch_connection_t *connection = run->tx.connection;
    batch_failure_e failure;

    while ((failure = connection->driver->commit(connection)) == BATCH_FAILURE_LOCKED &&
           connection->driver->commit_again && !is_out_of_time(run)) {
        pause_a_little(run);
    }
    if (failure == BATCH_FAILURE_IN_DOUBT && !is_write(run->how)) {
        batch_connection_close(connection); /* what was read was read */
        failure = BATCH_FAILURE_NONE;
    }
    if (failure == BATCH_FAILURE_NONE) {
        return APR_SUCCESS;
    }
    return batch_tx_fail_own(&run->tx, failure, "commit");
}

static void roll_back(batch_run_t *run)
{
    batch_connection_t *connection = run->tx.connection;

    if (connection->handle && connection->driver->rollback(connection) != BATCH_FAILURE_NONE) {
        batch_connection_close(connection);
    }
}

static apr_status_t attempt(batch_run_t *run)
{
    batch_tx_t *tx = &run->tx;
    apr_status_t rv;

    memset(&tx->error, 0, sizeof(tx->error));
    tx->failure = BATCH_FAILURE_NONE;
    tx->turn = BATCH_TURN_OTHER;
    tx->connection->trigger_spoke = 0;
    tx->connection->is_blaming = run->spoken > TRIGGER_TRIES;
    apr_pool_clear(run->attempt);
    rv = open_connection(run);
    if (rv == APR_SUCCESS) {
        rv = begin(run);
    }
    if (rv == APR_SUCCESS) {
        rv = run->fn(tx, run->baton, run->attempt);
    }
    if (tx->failure != BATCH_FAILURE_NONE) {
        rv = batch_failure_status(tx->failure);
    }
    if (rv == APR_SUCCESS) {
        rv = commit(run);
    }
    if (rv != APR_SUCCESS) {
        roll_back(run);
    }
    return rv;
}

/* ---- All attempts ------------------------------------------------------------------------------
 */

static int reopen(batch_run_t *run)
{
    batch_connection_close(run->tx.connection);
    return ++run->reopened <= REOPEN_LIMIT;
}

/* A trigger has ended the attempt, and says that it be tried again. */
static int once_more_for_trigger(batch_run_t *run)
{
    batch_store_t *store = run->store;
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(apr_time_now());

    if (run->spoken > TRIGGER_TRIES || batch_hurry_is_on(&store->hurry)) {
        return 0;
    }
    if (now - apr_atomic_read32(&store->blamed_at) <= TRIGGER_KNOWN) {
        run->spoken = TRIGGER_TRIES;
    } else if (run->spoken < TRIGGER_TRIES) {
        apr_interval_time_t pause = TRIGGER_PAUSE << run->spoken;

        apr_sleep(batch_hurry_left(&store->hurry, run->since, pause));
    }
    if (++run->spoken > TRIGGER_TRIES) {
        apr_atomic_set32(&store->blamed_at, now);
    }
    return 1;
}

/* What an attempt's failure asks for: 1 = another attempt. */
static int once_more(batch_run_t *run)
{
    if (run->tx.connection->trigger_spoke) {
        return once_more_for_trigger(run);
    }
    switch (run->tx.failure) {
    case BATCH_FAILURE_OUTDATED:
        return reopen(run);
    case BATCH_FAILURE_MISSING:
        run->make_tables = 1;
        return reopen(run);
    case BATCH_FAILURE_LOST: {
        /* The file may have been replaced, the server restarted. */
        int was_fresh = run->fresh;
        return reopen(run) && !was_fresh && !batch_hurry_is_on(&run->store->hurry);
    }
    case BATCH_FAILURE_IN_DOUBT:
    case BATCH_FAILURE_READ_ONLY: /* again, but behind the gate: batch_store_run */
        batch_connection_close(run->tx.connection);
        return 0;
    case BATCH_FAILURE_LOCKED:
        if (is_out_of_time(run)) {
            return 0;
        }
        pause_a_little(run);
        return 1;
    default:
        return 0;
    }
}

static apr_reslist_t *connections_for(const batch_run_t *run)
{
    return run->how == BATCH_RUN_READ_LONG ? run->store->readers : run->store->connections;
}

static void let_go(batch_run_t *run, int entered, int quiet)
{
    batch_connection_t *connection = run->tx.connection;

    batch_writer_note(&run->store->writer, run->tx.turn);
    /* What is done while nobody waits keeps others from SQLite's lock: they wait for their turn. */
    if (quiet && connection->handle) {
        connection->driver->idle(connection, BATCH_IDLE_QUIET);
    }
    if (entered) {
        batch_writer_leave(&run->store->writer);
    }
    if (connection->handle) {
        connection->driver->idle(connection, quiet ? BATCH_IDLE_BESIDE : BATCH_IDLE_USED);
        if (batch_connection_is_full(connection)) {
            batch_connection_close(connection);
        }
    }
    batch_gate_leave(connection);
    apr_reslist_release(connections_for(run), connection);
}

static apr_status_t run_attempts(batch_run_t *run)
{
    batch_store_t *store = run->store;
    void *connection = NULL;
    int entered = 0;
    apr_status_t rv;

    /* First the turn, then the connection: writers that wait must not keep it from readers. */
    if (store->driver->one_writer && run->tx.write) {
        entered = batch_writer_enter(&store->writer, store->patience, &store->hurry);
    }
    rv = apr_reslist_acquire(connections_for(run), &connection);
    if (rv != APR_SUCCESS) {
        if (entered) {
            batch_writer_leave(&store->writer);
        }
        return batch_error_set(&run->tx.error, BATCH_EUNAVAILABLE, "MB0104", run->tx.p,
                               "all connections to the database are in use");
    }
    run->tx.connection = connection;
    batch_gate_enter(connection);
    do {
        rv = attempt(run);
    } while (rv != APR_SUCCESS && once_more(run));
    let_go(run, entered, run->how == BATCH_RUN_WRITE && rv == BATCH_ENOTFOUND);
    return rv;
}

/* Blocks the signals that end httpd's processes, if the store is to do so. */
static int hold_signals(const batch_store_t *store, sigset_t *before)
{
    sigset_t held;

    if (!store->block_signals) {
        return 0;
    }
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGUSR1);
    sigaddset(&held, SIGWINCH);
    return pthread_sigmask(SIG_BLOCK, &held, before) == 0;
}

apr_status_t batch_store_run(batch_store_t *store, batch_run_e how, batch_tx_fn *fn, void *baton,
                             batch_error_t *err, apr_pool_t *ptemp)
{
    batch_run_t run = {.store = store, .how = how, .fn = fn, .baton = baton};
    sigset_t before;
    apr_status_t rv;
    int held;

    BATCH_CHECK(store, BATCH_STORE_MAGIC);
    run.tx.magic = BATCH_TX_MAGIC;
    run.tx.store = store;
    run.tx.write = is_write(how) || how == BATCH_RUN_SETTLE;
    run.tx.async = how == BATCH_RUN_WRITE_ASYNC && store->driver->async;
    run.tx.p = ptemp;
    run.deadline = apr_time_now() + store->patience;
    run.since = batch_hurry_clock();
    run.seed = (unsigned)run.deadline ^ (unsigned)(apr_uintptr_t)&run;
    rv = apr_pool_create(&run.attempt, ptemp);
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, BATCH_EUNAVAILABLE, "MB0121", ptemp, "out of memory");
    }
    held = hold_signals(store, &before);
    rv = run_attempts(&run);
    if (rv != APR_SUCCESS && run.tx.failure == BATCH_FAILURE_READ_ONLY &&
        batch_gate_renew(run.deadline)) {
        rv = run_attempts(&run);
    }
    if (held) {
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (rv != APR_SUCCESS && err) {
        *err = run.tx.error;
        err->status = rv;
        if (err->message) {
            err->message = apr_pstrdup(ptemp, err->message); /* fn's may be in its own ptemp */
        }
    }
    apr_pool_destroy(run.attempt);
    return rv;
}

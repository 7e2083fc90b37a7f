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
    /* Of BATCH_RUN_WRITE_SHARED: */
    batch_member_t member;
    batch_member_t *others; /* those that it takes along */
    int begun;              /* a shared transaction has begun to run its function */
    int settled;            /* its result is that of a shared transaction, … */
    apr_status_t result;    /* … this one */
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
    return how == BATCH_RUN_WRITE || how == BATCH_RUN_WRITE_ASYNC || how == BATCH_RUN_WRITE_SHARED;
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

/* Makes all as it is before the first attempt. */
static void begin_anew(batch_run_t *run)
{
    batch_tx_t *tx = &run->tx;

    memset(&tx->error, 0, sizeof(tx->error));
    tx->failure = BATCH_FAILURE_NONE;
    tx->turn = BATCH_TURN_OTHER;
    tx->begun_at = apr_time_now();
    tx->is_tried = 0;
    apr_pool_clear(run->attempt);
}

static apr_status_t attempt(batch_run_t *run)
{
    batch_tx_t *tx = &run->tx;
    apr_status_t rv;

    begin_anew(run);
    tx->connection->trigger_spoke = 0;
    tx->connection->is_blaming = run->spoken > TRIGGER_TRIES;
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

/* ---- A transaction that several share ----------------------------------------------------------
 */

static apr_status_t run_init(batch_run_t *run, batch_store_t *store, batch_run_e how,
                             apr_pool_t *ptemp)
{
    run->store = store;
    run->how = how;
    run->tx.magic = BATCH_TX_MAGIC;
    run->tx.store = store;
    run->tx.write = is_write(how) || how == BATCH_RUN_SETTLE;
    run->tx.async = how == BATCH_RUN_WRITE_ASYNC && store->driver->async;
    run->tx.p = ptemp;
    run->deadline = apr_time_now() + store->patience;
    run->since = batch_hurry_clock();
    run->seed = (unsigned)run->deadline ^ (unsigned)(apr_uintptr_t)run;
    return apr_pool_create(&run->attempt, ptemp);
}

/* The one that was taken along behind it, by whoever leads; NULL: it is the last one. */
static batch_run_t *next_run(const batch_run_t *run, const batch_run_t *leader)
{
    const batch_member_t *next = run == leader ? leader->others : run->member.next;

    return next ? next->call : NULL;
}

/*
 * Runs one of the functions that share a transaction, as a step of its own. What it returns is its
 * result, and all constraints hold behind it, as they have to at a COMMIT. 0: the database has
 * failed in a way that may concern the others, or asks for more than one try.
 */
static int take_part(batch_run_t *run, batch_connection_t *connection)
{
    const batch_driver_t *driver = connection->driver;
    const char *message = NULL;

    begin_anew(run);
    run->begun = 1;
    run->tx.connection = connection;
    if (driver->step_begin(connection) != BATCH_FAILURE_NONE) {
        return 0;
    }
    run->result = run->fn(&run->tx, run->baton, run->attempt);
    if (run->tx.failure != BATCH_FAILURE_NONE || connection->trigger_spoke) {
        return 0;
    }
    if (run->result != APR_SUCCESS) {
        return driver->step_undo(connection) == BATCH_FAILURE_NONE;
    }
    if (driver->step_end(connection, &message, run->attempt) != BATCH_FAILURE_NONE) {
        return 0;
    }
    if (message) {
        run->result = batch_tx_fail_with(&run->tx, BATCH_FAILURE_REFUSED, message, "commit");
    }
    return 1;
}

/* The function of a shared transaction, whose baton is the leader's run. */
static apr_status_t shared_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_run_t *leader = baton;
    batch_run_t *run = leader;
    apr_time_t begun = batch_hurry_clock();

    (void)ptemp;
    do {
        if (!take_part(run, tx->connection)) {
            return BATCH_EUNAVAILABLE;
        }
        run->settled = 1;
        run = next_run(run, leader);
    } while (run && batch_hurry_clock() - begun < leader->store->party.time);
    return APR_SUCCESS;
}

/* What was done is lost, or nobody knows: so says the COMMIT's failure. */
static void share_failure(batch_run_t *leader, const batch_run_t *shared, apr_status_t rv)
{
    batch_run_t *run;

    for (run = leader; run; run = next_run(run, leader)) {
        run->settled = run->settled && rv == BATCH_EINDOUBT;
        if (run->settled && run->result == APR_SUCCESS) {
            run->result = rv;
            run->tx.failure = shared->tx.failure;
            run->tx.error = shared->tx.error;
            run->tx.error.message = apr_pstrdup(run->tx.p, shared->tx.error.message);
        }
    }
}

/*
 * Tries a transaction for the leader and those that it takes along, from anew as long as none of
 * them has begun. Who is not settled behind it has to run by itself.
 */
static void run_shared(batch_run_t *leader)
{
    batch_connection_t *connection = leader->tx.connection;
    batch_run_t shared = {.fn = shared_body, .baton = leader};
    apr_status_t rv = run_init(&shared, leader->store, BATCH_RUN_WRITE_SHARED, leader->tx.p);

    if (rv != APR_SUCCESS) {
        return;
    }
    shared.tx.connection = connection;
    shared.deadline = leader->deadline;
    shared.since = leader->since;
    do {
        rv = attempt(&shared);
    } while (rv != APR_SUCCESS && !leader->begun && once_more(&shared));
    if (rv != APR_SUCCESS) {
        share_failure(leader, &shared, rv);
    }
    if (rv != APR_SUCCESS && leader->begun) {
        batch_party_fail(&leader->store->party);
        if (shared.tx.failure != BATCH_FAILURE_NONE) { /* of the COMMIT */
            batch_connection_close(connection);
        }
    }
    apr_pool_destroy(shared.attempt);
}

/* Tells those that were taken along what has become of them. */
static void tell_others(batch_run_t *run)
{
    batch_member_t *member = run->others;

    run->others = NULL;
    while (member) {
        batch_member_t *next = member->next;
        const batch_run_t *other = member->call;

        batch_party_tell(&run->store->party, member,
                         other->settled ? BATCH_MEMBER_DONE : BATCH_MEMBER_ALONE);
        member = next;
    }
}

/* ---- With a turn and a connection --------------------------------------------------------------
 */

static batch_places_t *places_for(const batch_run_t *run)
{
    return run->how == BATCH_RUN_READ_LONG ? &run->store->readers : &run->store->connections;
}

/* Takes the turn, if it is to be had, and those along that wait behind it. */
static int take_turn(batch_run_t *run)
{
    batch_store_t *store = run->store;
    apr_interval_time_t patience = batch_hurry_left(
        &store->hurry, run->since, run->since + store->patience - batch_hurry_clock());
    int entered = 0;

    if (store->driver->one_writer && run->tx.write) {
        entered = batch_writer_enter(&store->writer, patience, &store->hurry);
    }
    if (run->member.state == BATCH_MEMBER_LEADS) {
        run->others = batch_party_take(&store->party, entered ? BATCH_PARTY_MOST : 0);
        run->member.state = BATCH_MEMBER_ALONE; /* from now on */
    }
    return entered;
}

static void let_go(batch_run_t *run, int entered, int quiet)
{
    batch_connection_t *connection = run->tx.connection;
    int is_open;

    batch_writer_note(&run->store->writer, run->tx.turn);
    /* What is done while nobody waits keeps others from SQLite's lock: they wait for their turn. */
    if (quiet && connection->handle) {
        connection->driver->idle(connection, BATCH_IDLE_QUIET);
    }
    if (entered) {
        batch_writer_leave(&run->store->writer);
    }
    tell_others(run);
    if (connection->handle) {
        connection->driver->idle(connection, quiet ? BATCH_IDLE_BESIDE : BATCH_IDLE_USED);
        if (batch_connection_is_full(connection)) {
            batch_connection_close(connection);
        }
    }
    is_open = connection->handle != NULL; /* who renews all may close it once we have left */
    batch_gate_leave(connection);
    batch_places_give(places_for(run), connection, is_open);
}

/*
 * First the turn, then the connection: writers that wait must not keep it from readers. Who has the
 * turn keeps others waiting, so it does not wait for what is given back.
 */
static apr_status_t run_attempts(batch_run_t *run)
{
    batch_connection_t *connection;
    int entered = take_turn(run);
    apr_status_t rv = APR_SUCCESS;

    connection =
        batch_places_take(places_for(run), entered, run->store->patience, &run->store->hurry);
    if (!connection) {
        if (entered) {
            batch_writer_leave(&run->store->writer);
        }
        tell_others(run);
        return batch_error_set(&run->tx.error, BATCH_EUNAVAILABLE, "MB0104", run->tx.p,
                               "all connections to the database are in use");
    }
    run->tx.connection = connection;
    batch_gate_enter(connection);
    if (run->others) {
        run_shared(run);
        rv = run->result;
    }
    if (!run->settled) {
        do {
            rv = attempt(run);
        } while (rv != APR_SUCCESS && once_more(run));
    }
    let_go(run, entered, run->how == BATCH_RUN_WRITE && rv == BATCH_ENOTFOUND);
    return rv;
}

/* Runs it in a transaction of its own, or in that of another thread. */
static apr_status_t run_in_party(batch_run_t *run)
{
    batch_store_t *store = run->store;

    if (run->how == BATCH_RUN_WRITE_SHARED && store->driver->one_writer &&
        batch_party_is_open(&store->party) &&
        batch_party_join(&store->party, &run->member, run, store->patience, &store->hurry) ==
            BATCH_MEMBER_DONE) {
        return run->result;
    }
    return run_attempts(run);
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
    batch_run_t run = {.fn = fn, .baton = baton, .member.state = BATCH_MEMBER_ALONE};
    sigset_t before;
    apr_status_t rv;
    int held;

    BATCH_CHECK(store, BATCH_STORE_MAGIC);
    rv = run_init(&run, store, how, ptemp);
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, BATCH_EUNAVAILABLE, "MB0121", ptemp, "out of memory");
    }
    held = hold_signals(store, &before);
    rv = run_in_party(&run);
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

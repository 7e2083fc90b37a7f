/* A process that is to end waits no longer for what others have locked. */
/* needs: database */
#include "engine_fixture.h"

#include <signal.h>

#include <apr_thread_proc.h>

/* So patient that only hurry can end a wait before the alarm ends the program. */
#define FOR_EVER   apr_time_from_sec(3600)
#define TEST_LIMIT 120 /* seconds */

/* ---- Another program that has the database locked ---------------------------------------------
 */

static sqlite3 *other_sqlite3;
static PGconn *other_pgsql;

static void lock_database(void)
{
    if (is_pgsql()) {
        other_pgsql = connect_pgsql(database);
        PQclear(PQexec(other_pgsql, "BEGIN; LOCK TABLE batch_jobs IN EXCLUSIVE MODE"));
    } else {
        sqlite3_open(database, &other_sqlite3);
        sqlite3_exec(other_sqlite3, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    }
}

static void unlock_database(void)
{
    if (is_pgsql()) {
        PQfinish(other_pgsql);
    } else {
        sqlite3_close(other_sqlite3);
    }
}

/* ---- The tests ---------------------------------------------------------------------------------
 */

static apr_status_t create_one(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_job_t job;

    return create(&job, &alice, request("delete", "none%d", 1, 1, p), problems, p);
}

static void *APR_THREAD_FUNC waiting_thread(apr_thread_t *thread, void *baton)
{
    apr_status_t *status = baton;
    apr_pool_t *p;

    (void)thread;
    apr_pool_create(&p, NULL);
    *status = create_one(p);
    apr_pool_destroy(p);
    return NULL;
}

static void test_call(apr_pool_t *p)
{
    apr_thread_t *thread;
    apr_status_t status = APR_SUCCESS, returned;

    engine.store = store_make(database, FOR_EVER, p);
    is_number(create_one(p), APR_SUCCESS, "while nothing is locked, a batch is made");
    lock_database();
    apr_thread_create(&thread, NULL, waiting_thread, &status, p);
    batch_store_hurry(engine.store, apr_time_from_msec(100));
    apr_thread_join(&returned, thread);
    is_number(status, BATCH_EUNAVAILABLE, "a wait for a lock is given up when there is hurry");
    is_number(create_one(p), BATCH_EUNAVAILABLE, "so is one that begins later");
    unlock_database();
    is_number(create_one(p), APR_SUCCESS, "what need not wait is done all the same");
    batch_store_destroy(engine.store);
}

/* As prefork has it: the signal that ends the process comes while a transaction holds it back. */
static void test_held_signal(apr_pool_t *p)
{
    batch_store_config_t config = {0};
    batch_error_t err = {0};
    sigset_t set, before;
    int number = 0;

    config.driver = database_driver();
    config.params = database;
    config.max_connections = 1;
    config.patience = FOR_EVER;
    config.block_signals = 1;
    is_number(batch_store_create(&engine.store, &config, &err, p), APR_SUCCESS,
              "a store that holds signals back");
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    raise(SIGTERM);
    lock_database();
    is_number(create_one(p), BATCH_EUNAVAILABLE, "a signal that is held back is hurry enough");
    unlock_database();
    is_number(create_one(p), APR_SUCCESS, "and what need not wait is done");
    ok(sigwait(&set, &number) == 0 && number == SIGTERM, "the signal is still there");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    batch_store_destroy(engine.store);
}

int main(void)
{
    apr_pool_t *p = begin_database("hurry");

    alarm(TEST_LIMIT);
    make_engine(database, p);
    create_one(p); /* and with it the module's own tables */
    batch_store_destroy(engine.store);
    test_call(p);
    test_held_signal(p);
    return end_database(p);
}

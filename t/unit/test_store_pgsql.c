/*
 * What is PostgreSQL's own: settings, schemas, locks, and what goes wrong around the server. On a
 * server of its own, which is stopped and started.
 */
/* needs: pgsql */
#include "claims.h"
#include "pgsql_keyed.h"

#include <apr_thread_proc.h>

#include "store/pgsql/failures.h"
#include "store/pgsql/pipeline.h"
#include "store/tx.h"

static char server[600]; /* its folder */

static int control(const char *command, const char *more)
{
    const char *script = getenv("BATCH_TEST_POSTGRES");

    return system(apr_psprintf(pool, "'%s' %s '%s' %s >/dev/null",
                               script ? script : "build-aux/postgres", command, server, more)) == 0;
}

static apr_status_t put_one(void)
{
    batch_job_t job = new_job("acme");

    return batch_store_write(store, insert_job, &job, &err, pool);
}

static apr_status_t read_nothing(void)
{
    return batch_store_read(store, nothing, NULL, &err, pool);
}

static const char *with(const char *more)
{
    return apr_pstrcat(pool, "host=", server, " dbname=batch user=batch ", more, NULL);
}

/* Another store on an empty schema. */
static void fresh(void)
{
    if (store) {
        batch_store_destroy(store);
    }
    native(with(""), "DROP SCHEMA IF EXISTS test CASCADE; CREATE SCHEMA test");
    path = with("options='-csearch_path=test'");
    store = open_store(path, 3000);
}

/* ---- Parameters and settings ------------------------------------------------------------------
 */

static apr_status_t create_with(const char *params)
{
    batch_store_config_t config = {.driver = "pgsql", .params = params, .max_connections = 1};
    batch_store_t *none;
    apr_status_t rv = batch_store_create(&none, &config, &err, pool);

    if (rv == APR_SUCCESS) {
        batch_store_destroy(none);
    }
    return rv;
}

static void test_params(void)
{
    is_number(create_with("host=/nowhere dbname=x"), APR_SUCCESS, "a connection string");
    is_number(create_with("postgresql://alice@localhost/x?connect_timeout=3"), APR_SUCCESS,
              "a URI");
    is_number(create_with("/var/lib/batch.db"), APR_EINVAL, "no connection string");
    ok(says("MB0100", "connection string"), "which is said");
    is_number(create_with("hots=localhost"), APR_EINVAL, "a word that libpq does not know");
    ok(says("MB0100", "\"hots\""), "which is named");
    is_number(create_with("host=localhost password=very secret"), APR_EINVAL, "a slip");
    ok(!strstr(err.message, "secret"), "does not give a password away");
}

typedef struct question {
    const char *sql;
    const char *answer;
} question_t;

static apr_status_t ask(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    question_t *question = baton;
    batch_prepared_t *prepared;
    batch_results_t *results;
    batch_row_t *row = NULL;
    batch_failure_e failure =
        tx->connection->driver->prepare(tx->connection, &prepared, question->sql, NULL, 0);

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_connection_select(tx->connection, &results, prepared, NULL, 0, ptemp);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "asking");
    }
    question->answer = batch_connection_row(tx->connection, &row, results, ptemp)
                           ? batch_row_text(tx->connection, row, 0, pool)
                           : "no row";
    return APR_SUCCESS;
}

static const char *answer(const char *sql)
{
    question_t question = {sql, "failed"};

    batch_store_write(store, ask, &question, &err, pool);
    return question.answer;
}

static const char *setting(const char *name)
{
    return answer(apr_psprintf(pool, "SELECT current_setting('%s')", name));
}

static void test_settings(void)
{
    fresh();
    is_string(setting("statement_timeout"), "1min", "no statement for ever");
    is_string(setting("idle_in_transaction_session_timeout"), "5s", "no transaction for ever");
    is_string(setting("lock_timeout"), "3s", "locks are waited for as long as the store says");
    is_string(setting("application_name"), "mod_batch", "the administrator sees who it is");
    is_string(setting("client_encoding"), "UTF8", "texts are UTF-8");
    is_string(setting("client_connection_check_interval"), "250ms", "no work for the dead");
    is_string(setting("search_path"), "test", "the administrator's own options stay");
    is_string(setting("transaction_isolation"), "read committed", "whatever the default");
    batch_store_destroy(store);
    store = open_store(with("application_name=mine "
                            "options='-csearch_path=test -cstatement_timeout=7s "
                            "-cclient_connection_check_interval=9s'"),
                       3000);
    is_string(setting("statement_timeout"), "7s", "and have the last word");
    is_string(setting("client_connection_check_interval"), "9s", "in everything");
    is_string(setting("application_name"), "mine", "as have other parameters");
    batch_store_destroy(store);
    store =
        open_store(with("options='-csearch_path=test -cclient_connection_check_interval=0'"), 3000);
    is_string(setting("client_connection_check_interval"), "0", "none at all where they say so");
    native(with(""), "ALTER ROLE batch SET synchronous_commit = off");
    fresh();
    is_string(setting("synchronous_commit"), "on", "a COMMIT waits for the disk");
    native(with(""), "ALTER ROLE batch RESET synchronous_commit");
}

/* ---- The module's own tables ------------------------------------------------------------------
 */

static void test_schemas(void)
{
    const char *where = "SELECT string_agg(schemaname, ',' ORDER BY schemaname) FROM pg_tables "
                        "WHERE tablename = 'batch_jobs'";

    native(with(""), "DROP SCHEMA IF EXISTS a CASCADE; DROP SCHEMA IF EXISTS b CASCADE;"
                     "CREATE SCHEMA a");
    fresh();
    batch_store_destroy(store);
    store = open_store(with("options='-csearch_path=a'"), 3000);
    is_number(put_one(), APR_SUCCESS, "a store in a schema");
    batch_store_destroy(store);
    store = open_store(with("options='-csearch_path=b,a'"), 3000);
    native(with(""), "CREATE SCHEMA b");
    is_number(put_one(), APR_SUCCESS, "another, which sees that one behind its own");
    is_string(native(with(""), where), "a,b", "has tables of its own");
    is_string(native(with(""), "SELECT count(*) FROM b.batch_jobs"), "1", "and uses them");
    batch_store_destroy(store);
    store = open_store(with("options='-csearch_path=nowhere'"), 3000);
    is_number(put_one(), BATCH_EUNAVAILABLE, "a schema that is not there");
    ok(says("MB0106", "no schema has been selected"), "is said");
    native(with(""), "CREATE SCHEMA nowhere");
    is_number(put_one(), APR_SUCCESS, "until it is made");
    native(with(""), "DROP SCHEMA nowhere CASCADE");
    is_number(put_one(), BATCH_EUNAVAILABLE, "or dropped");
    native(with(""), "DROP SCHEMA a CASCADE; DROP SCHEMA b CASCADE");
}

static void test_versions(void)
{
    fresh();
    is_number(put_one(), APR_SUCCESS, "tables of our version");
    is_number(number("SELECT count(*) FROM pg_attribute, pg_settings WHERE attrelid = "
                     "'batch_items'::regclass AND attname = 'data' AND name = "
                     "'default_toast_compression' AND ('lz4' = ANY (enumvals)) = (attcompression = "
                     "'l')"),
              number("SELECT count(*) FROM pg_settings WHERE name = 'default_toast_compression'"),
              "items are compressed by what is fast, where the server has it");
    is_string(native(path, "SELECT attstorage FROM pg_attribute WHERE attrelid = "
                           "'batch_items'::regclass AND attname = 'data'"),
              number("SELECT count(*) FROM pg_settings WHERE name = 'default_toast_compression' "
                     "AND 'lz4' = ANY (enumvals)")
                  ? "x"
                  : "e",
              "and by nothing else");
    native(path, "UPDATE batch_schema SET version = 99");
    is_number(put_one(), BATCH_EUNAVAILABLE, "newer ones are not written to");
    ok(says("MB0102", "newer"), "which is said");
    is_number(read_nothing(), BATCH_EUNAVAILABLE, "nor read");
    is_number(batch_store_migrate(store, &err, pool), BATCH_EUNAVAILABLE, "nor migrated");
    is_number(number("SELECT version FROM batch_schema"), 99, "their version is left");
    native(path, "UPDATE batch_schema SET version = 3");
    is_number(put_one(), APR_SUCCESS, "when they are ours again they are served again");
    native(path, "DROP TABLE batch_jobs, batch_items");
    is_number(put_one(), APR_SUCCESS, "tables that were dropped are made again");
    native(path, "DROP TABLE batch_jobs, batch_schema, batch_errors");
    is_number(put_one(), APR_SUCCESS, "most of them, too");
    native(path, "DELETE FROM batch_schema");
    is_number(read_nothing(), APR_SUCCESS, "even a read makes up for a lost version");
    is_number(number("SELECT count(*) FROM batch_jobs"), 1, "and nothing is lost by that");
}

static apr_status_t look(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_t job;

    (void)baton;
    return batch_tx_job_get(tx, &job, "no-such-id", "acme", BATCH_API_RECORDS, ptemp);
}

/* Statements that were prepared, and that the server then does not take any more. */
static void test_outdated(void)
{
    fresh();
    put_one();
    is_number(batch_store_read(store, look, NULL, &err, pool), BATCH_ENOTFOUND, "a read");
    native(path, "ALTER TABLE batch_jobs ALTER COLUMN total TYPE integer");
    is_number(batch_store_read(store, look, NULL, &err, pool), BATCH_ENOTFOUND,
              "goes on when a column's type has changed");
    answer("DEALLOCATE ALL");
    is_number(batch_store_read(store, look, NULL, &err, pool), BATCH_ENOTFOUND,
              "and when the server has forgotten all statements");
    is_number(put_one(), APR_SUCCESS, "so does a write");
    native(path, "ALTER TABLE batch_jobs ALTER COLUMN total TYPE bigint");
    is_number(put_one(), APR_SUCCESS, "and another");
}

static void test_migrating_at_once(void)
{
    fresh();
    migrate_at_once(store);
}

/* ---- The server goes, and comes back ----------------------------------------------------------
 */

static void terminate_all(batch_tx_t *tx)
{
    static int once;

    (void)tx;
    if (!once++) {
        native(with(""), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                         "application_name = 'mod_batch'");
    }
}

static void test_terminated(void)
{
    work_t work = {.keys = {"1", "2", "3"}, .count = 3};
    int i, failed = 0;

    make_keyed("bigint", "1", "2", "3", "4");
    put_one();
    work.before = terminate_all;
    is_number(run(&work), APR_SUCCESS, "a backend is terminated in mid-chunk");
    is_number(work.runs, 2, "the chunk runs again");
    is_string(work.results, "AAA", "and is done");
    for (i = 0; i < 20; i++) {
        native(with(""), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                         "application_name = 'mod_batch'");
        failed += put_one() != APR_SUCCESS || read_nothing() != APR_SUCCESS;
    }
    is_number(failed, 0, "or between two transactions");
}

static void test_restart(void)
{
    long long before = number("SELECT count(*) FROM batch_jobs");

    ok(control("restart", "immediate"), "the server is restarted at once");
    is_number(put_one(), APR_SUCCESS, "a write goes on");
    ok(control("stop", "immediate"), "the server is stopped");
    is_number(put_one(), BATCH_EUNAVAILABLE, "a write cannot be done");
    ok(says("MB0101", "cannot open"), "which is said");
    is_number(read_nothing(), BATCH_EUNAVAILABLE, "nor a read");
    ok(control("start", ""), "the server is started");
    is_number(read_nothing(), APR_SUCCESS, "the same store reads");
    is_number(put_one(), APR_SUCCESS, "and writes");
    is_number(number("SELECT count(*) FROM batch_jobs"), before + 2, "what it said it did");
}

static void test_read_only(void)
{
    native(with(""), "ALTER DATABASE batch SET default_transaction_read_only = on");
    batch_store_destroy(store);
    store = open_store(path, 3000);
    is_number(put_one(), BATCH_EUNAVAILABLE, "a database that may only be read");
    ok(says("MB0105", "read-only"), "which is said");
    is_number(read_nothing(), APR_SUCCESS, "is read");
    native(with(""), "BEGIN READ WRITE; ALTER DATABASE batch RESET default_transaction_read_only; "
                     "COMMIT");
    is_number(put_one(), APR_SUCCESS, "until it may be written");
}

/* ---- Locks ------------------------------------------------------------------------------------
 */

static void test_locks(void)
{
    work_t work = {.keys = {"1", "2", "3"}, .count = 3};
    apr_time_t begun;
    holder_t holder = {0};

    make_keyed("bigint", "1", "2", "3", "4");
    batch_store_destroy(store);
    store = open_store(path, 300);
    ok(hold(&holder, "BEGIN; DELETE FROM \"Keyed\" WHERE \"Key\" = 2"), "somebody locks a row");
    begun = apr_time_now();
    is_number(run(&work), BATCH_EUNAVAILABLE, "its chunk is given up");
    ok(says("MB0103", "locked"), "which is said");
    /* The server itself would end the statement after a minute. */
    ok(apr_time_now() - begun < apr_time_from_sec(30), "in time");
    is_number(read_nothing(), APR_SUCCESS, "a read goes on beside it");
    let_go_of(&holder);
    is_number(run(&work), APR_SUCCESS, "then the chunk is done");
    is_string(work.results, "AAA", "whole");
    batch_store_destroy(store);
    store = open_store(path, 3000);
}

/* Waits for the lock of a target, and tells the time. A batch_tx_fn; baton: an apr_time_t. */
static apr_status_t tell_time(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_t job = {.target = "here"};
    apr_time_t *now = baton;
    apr_status_t rv = batch_tx_target_share(tx, job.target, 1);
    int earlier;

    (void)ptemp;
    if (rv == APR_SUCCESS) {
        rv = batch_tx_target_earlier(tx, &earlier, &job);
    }
    *now = batch_tx_now(tx);
    return rv;
}

/* A batch_tx_fn; baton: four numbers, 1 in the first: with the lock alone. */
static apr_status_t place_three(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    apr_int64_t *seqs = baton;
    batch_job_t job = {.target = "here"};
    apr_status_t rv = batch_tx_target_share(tx, job.target, (int)seqs[0]);
    int i, earlier;

    (void)ptemp;
    if (rv == APR_SUCCESS) {
        rv = batch_tx_target_earlier(tx, &earlier, &job);
    }
    seqs[3] = batch_pgsql_state(tx->connection)->place;
    for (i = 0; rv == APR_SUCCESS && i < 3; i++) {
        rv = batch_tx_job_place(tx, &job);
        seqs[i] = job.seq;
    }
    return rv;
}

/* The number of a job comes with the lock of its target, and is given away once. */
static void test_place(void)
{
    apr_int64_t first[4] = {0}, second[4] = {1};

    is_number(batch_store_write(store, place_three, first, &err, pool), APR_SUCCESS, "a lock");
    is_number(first[3], first[0], "tells the number of a job that follows");
    ok(first[0] > 0 && first[1] > first[0] && first[2] > first[1], "others have numbers behind it");
    is_number(batch_store_write(store, place_three, second, &err, pool), APR_SUCCESS,
              "the next transaction, with the lock alone");
    is_number(second[3], second[0], "is told another one");
    ok(second[0] > first[2] && second[1] > second[0], "which nobody else has");
}

typedef struct ending {
    holder_t holder;
    apr_time_t at; /* by the clock of this machine, which is the server's */
} ending_t;

static void *APR_THREAD_FUNC let_go(apr_thread_t *thread, void *data)
{
    ending_t *ending = data;

    apr_sleep(apr_time_from_msec(300));
    ending->at = apr_time_now();
    let_go_of(&ending->holder);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/* A transaction that has waited for its turn began, for all that see it, when its turn came. */
static void test_time_of_turn(void)
{
    ending_t ending = {{0}, 0};
    apr_time_t now = 0;
    apr_thread_t *thread;
    apr_status_t rv;

    ok(hold(&ending.holder, "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended("
                            "current_schema() || chr(10) || 'here', 78856))"),
       "a batch has its turn");
    apr_thread_create(&thread, NULL, let_go, &ending, pool);
    is_number(batch_store_write(store, tell_time, &now, &err, pool), APR_SUCCESS,
              "another waits for it");
    apr_thread_join(&rv, thread);
    ok(now >= ending.at, "and has the time at which it had its turn");
}

/* Rows 1 to 2000; every thread updates overlapping parts of them. */
#define SPREAD 2000

typedef struct updating {
    int first, count;
    int failed;
    apr_pool_t *p;
} updating_t;

static apr_status_t update_part(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    updating_t *updating = baton;
    batch_row_scope_t scope = {&resource, "7", NULL, "alice-id", 0};
    batch_value_t value = {"count", "1", BATCH_KIND_NUMBER};
    apr_size_t count = (apr_size_t)updating->count;
    batch_item_t *items = apr_pcalloc(ptemp, sizeof(*items) * count);
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(*outcomes) * count);
    batch_rows_t rows = {
        .scope = &scope, .values = &value, .value_count = 1, .outcomes = outcomes, .p = ptemp};
    apr_status_t rv = APR_SUCCESS;
    int all = 0, i;

    for (i = 0; i < updating->count; i++) {
        items[i].key = apr_psprintf(ptemp, "k%06d", updating->first + i);
        items[i].key_length = strlen(items[i].key);
    }
    while (rv == APR_SUCCESS && all < updating->count) {
        rows.items = items + all;
        rows.count = updating->count - all;
        rows.deadline = apr_time_now() + 2000;
        rv = batch_tx_rows_update(tx, &rows);
        all += rows.done;
    }
    return rv;
}

static void *APR_THREAD_FUNC update_parts(apr_thread_t *thread, void *data)
{
    updating_t *updating = data;
    batch_error_t error;
    int i;

    (void)thread;
    for (i = 0; i < 5; i++) {
        apr_pool_clear(updating->p);
        if (batch_store_write(store, update_part, updating, &error, updating->p) != APR_SUCCESS) {
            fprintf(stderr, "# %s\n", error.message);
            updating->failed++;
        }
    }
    return NULL;
}

static void test_lock_order(void)
{
    apr_thread_t *threads[8];
    updating_t updatings[8];
    apr_status_t rv;
    long long before;
    int i, failed = 0;

    make_keyed("text", "x", "y", "z", "w");
    native(path, "INSERT INTO \"Keyed\" (\"Key\", organization) SELECT 'k' || lpad(i::text, 6, "
                 "'0'), 7 FROM generate_series(1, 2000) AS n (i) ORDER BY md5(i::text)");
    native(path, "ANALYZE \"Keyed\"");
    batch_store_destroy(store);
    store = open_store(path, 60000);
    before = number("SELECT deadlocks FROM pg_stat_database WHERE datname = 'batch'");
    for (i = 0; i < 8; i++) {
        memset(&updatings[i], 0, sizeof(updatings[i]));
        updatings[i].first = 1 + i * 100;
        updatings[i].count = SPREAD - 1000 + i * 17;
        apr_pool_create(&updatings[i].p, NULL);
        apr_thread_create(&threads[i], NULL, update_parts, &updatings[i], pool);
    }
    for (i = 0; i < 8; i++) {
        apr_thread_join(&rv, threads[i]);
        failed += updatings[i].failed;
        apr_pool_destroy(updatings[i].p);
    }
    is_number(failed, 0, "eight threads update overlapping sets of rows");
    apr_sleep(apr_time_from_msec(1100)); /* so old may what the server tells of itself be */
    is_number(number("SELECT deadlocks FROM pg_stat_database WHERE datname = 'batch'"), before,
              "without one deadlock");
}

/* ---- Claims of many nodes ---------------------------------------------------------------------
 */

typedef struct claiming {
    batch_claim_t claim;
    batch_owner_t owner;
    batch_job_t job;
    apr_pool_t *p;
    int claimed;
} claiming_t;

static apr_status_t claim_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    claiming_t *claiming = baton;

    (void)ptemp;
    return batch_tx_claim(tx, &claiming->job, &claiming->claim, claiming->p);
}

static void *APR_THREAD_FUNC claim_all(apr_thread_t *thread, void *data)
{
    claiming_t *claiming = data;
    batch_error_t error;

    (void)thread;
    while (batch_store_write(store, claim_body, claiming, &error, claiming->p) == APR_SUCCESS) {
        claiming->claimed++;
        apr_pool_clear(claiming->p);
    }
    return NULL;
}

static void test_claims_at_once(void)
{
    apr_thread_t *threads[8];
    static claiming_t claimings[8];
    apr_status_t rv;
    int i, claimed = 0;

    native(path, "DELETE FROM batch_jobs");
    for (i = 0; i < 200; i++) {
        batch_job_t job = new_job("acme");
        job.status = BATCH_STATUS_QUEUED;
        job.queued_at = 100 + i;
        batch_store_write(store, insert_job, &job, &err, pool);
    }
    for (i = 0; i < 8; i++) {
        batch_claim_t claim = {
            &claimings[i].owner, apr_time_from_sec(30), always, never_gone, NULL, NULL, processing};
        claimings[i].owner.host = "host";
        claimings[i].owner.pid = i + 1;
        claimings[i].claim = claim;
        apr_pool_create(&claimings[i].p, NULL);
        apr_thread_create(&threads[i], NULL, claim_all, &claimings[i], pool);
    }
    for (i = 0; i < 8; i++) {
        apr_thread_join(&rv, threads[i]);
        claimed += claimings[i].claimed;
        apr_pool_destroy(claimings[i].p);
    }
    is_number(claimed, 200, "eight threads claim what there is");
    is_number(number("SELECT count(*) FROM batch_jobs WHERE status = 'processing' AND epoch = 1"),
              200, "each batch once");
}

/* ---- What fails between a statement and the end of its round trip ------------------------------
 */

/* Runs statements, each a transaction of its own, in one round trip. A batch_tx_fn; baton: them. */
static apr_status_t alone(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    const char *const *statements = baton;
    batch_failure_e failure =
        batch_pgsql_queue_text(tx->connection, "COMMIT", BATCH_PGSQL_OWN); /* of what was begun */

    for (; *statements && failure == BATCH_FAILURE_NONE; statements++) {
        failure = batch_pgsql_queue_text(tx->connection, *statements, BATCH_PGSQL_ROWS);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(tx->connection, NULL);
    }
    is_number(failure, BATCH_FAILURE_REFUSED, "the failure is the last statement's");
    is_string(batch_pgsql_sqlstate(tx->connection), "23503", "with its code");
    batch_pgsql_forgive(tx->connection);
    (void)batch_pgsql_queue_text(tx->connection, "SELECT 1", BATCH_PGSQL_OWN);
    is_number(batch_pgsql_flush(tx->connection, NULL), BATCH_FAILURE_NONE,
              "and the connection is as good as before");
    return nothing(tx, NULL, ptemp);
}

/* So short a time that it is over at any moment of a round trip. A batch_tx_fn. */
static apr_status_t hasty(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    int *lost = baton;
    char sql[80];
    int i;

    (void)ptemp;
    (void)batch_pgsql_queue_text(tx->connection, "SET LOCAL statement_timeout = 1",
                                 BATCH_PGSQL_OWN);
    (void)batch_pgsql_flush(tx->connection, NULL);
    (void)batch_pgsql_queue_text(tx->connection, "SAVEPOINT here", BATCH_PGSQL_OWN);
    for (i = 0; i < 400 && !*lost; i++) {
        apr_snprintf(sql, sizeof(sql), "SELECT count(*) FROM generate_series(1, %d)", 40 * i);
        (void)batch_pgsql_queue_text(tx->connection, sql, BATCH_PGSQL_ROWS);
        (void)batch_pgsql_flush(tx->connection, NULL);
        batch_pgsql_forgive(tx->connection);
        (void)batch_pgsql_queue_text(tx->connection, "ROLLBACK TO SAVEPOINT here", BATCH_PGSQL_OWN);
        (void)batch_pgsql_flush(tx->connection, NULL);
        batch_pgsql_forgive(tx->connection);
        *lost = ((batch_pgsql_state_t *)tx->connection->state)->lost;
    }
    return APR_SUCCESS;
}

static void test_late_failure(void)
{
    const char *statements[] = {"INSERT INTO late VALUES (1)", NULL};
    int lost = 0;

    native(path, "CREATE TABLE there (id int PRIMARY KEY);"
                 "CREATE TABLE late (id int REFERENCES there DEFERRABLE INITIALLY DEFERRED)");
    is_number(batch_store_read(store, alone, statements, &err, pool), APR_SUCCESS,
              "a constraint that is looked at behind the statement");
    is_number(number("SELECT count(*) FROM late"), 0, "nothing was stored");
    (void)batch_store_read(store, hasty, &lost, &err, pool);
    is_number(lost, 0, "no time-out costs the connection");
    native(path, "DROP TABLE late; DROP TABLE there");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_pgsql(&code, argc, argv)) {
        return code;
    }
    apr_snprintf(server, sizeof(server), "%s/pg", folder);
    chmod(folder, 0755);
    if (!ok(control("start", ""), "a server of our own")) {
        return tap_end();
    }
    test_params();
    test_settings();
    test_schemas();
    test_versions();
    test_outdated();
    test_migrating_at_once();
    make_resource();
    test_terminated();
    test_restart();
    test_read_only();
    test_locks();
    test_time_of_turn();
    test_place();
    test_lock_order();
    test_claims_at_once();
    test_late_failure();
    batch_store_destroy(store);
    ok(control("stop", "immediate"), "it is stopped");
    path = NULL;
    return fixture_end();
}

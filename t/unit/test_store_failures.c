/* What goes wrong around the store, and that it goes on once it is mended, without a restart. */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include <sys/resource.h>

#include <apr_thread_proc.h>

#include "store/tx.h"

static apr_status_t read_nothing(void)
{
    return batch_store_read(store, nothing, NULL, &err, pool);
}

static int says(const char *tag, const char *words)
{
    int good = err.tag && !strcmp(err.tag, tag) && strstr(err.message, words);

    if (!good) {
        printf("# %s: %s\n", err.tag ? err.tag : "no tag", err.message ? err.message : "nothing");
    }
    return good;
}

/* ---- Making a store
 * ------------------------------------------------------------------------------- */

static apr_status_t create_with(const char *driver, const char *params)
{
    batch_store_config_t config = {
        .may_create = 1, .driver = driver, .params = params, .max_connections = 1};
    batch_store_t *none;
    apr_status_t rv = batch_store_create(&none, &config, &err, pool);

    if (rv == APR_SUCCESS) {
        batch_store_destroy(none);
    }
    return rv;
}

static void test_create(void)
{
    is_number(create_with("nonsense", "x"), APR_ENOTIMPL, "nonsense is not there");
    ok(says("MB0117", "no database driver \"nonsense\" in this build of the module; there are: "
                      "sqlite3, pgsql"),
       "which is said");
    is_number(create_with(NULL, "x"), APR_ENOTIMPL, "nor nothing");
    is_number(create_with("sqlite3", ""), APR_EINVAL, "a path is needed");
    is_number(create_with("sqlite3", NULL), APR_EINVAL, "really");
    is_number(create_with("sqlite3", ":memory:"), APR_EINVAL, "memory is no place");
    ok(says("MB0100", "memory"), "which is said");
    is_number(create_with("sqlite3", path), APR_SUCCESS, "a path is enough");
    ok(access(path, F_OK) != 0, "and nothing is opened yet");
}

/* ---- Durability
 * ------------------------------------------------------------------------------------ */

static apr_status_t pragma(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    const batch_connection_t *connection = tx->connection;
    const char **answer = baton;
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;

    if (apr_dbd_select(connection->dbd, ptemp, connection->handle, &results, *answer, 1) ||
        apr_dbd_get_row(connection->dbd, ptemp, results, &row, -1)) {
        return APR_EGENERAL;
    }
    *answer = apr_pstrdup(pool, apr_dbd_get_entry(connection->dbd, row, 0));
    return APR_SUCCESS;
}

static const char *setting(const char *sql)
{
    batch_store_write(store, pragma, &sql, &err, pool);
    return sql;
}

static void test_settings(void)
{
    struct stat status;

    fresh();
    is_string(setting("PRAGMA journal_mode"), "wal", "the journal is a write-ahead log");
    is_string(setting("PRAGMA synchronous"), "2", "which a COMMIT waits for");
    is_string(setting("PRAGMA foreign_keys"), "1", "foreign keys count");
    is_string(setting("PRAGMA busy_timeout"), "0", "SQLite does not wait inside APR's mutex");
    native(path, "CREATE TABLE changed (x)");
    is_string(setting("PRAGMA synchronous"), "2", "the same after a change of the schema");
    ok(!stat(path, &status) && (status.st_mode & 0777) == 0600, "a new file is for its owner only");
    ok(!stat(apr_pstrcat(pool, path, "-wal", NULL), &status) && (status.st_mode & 0777) == 0600,
       "and its log");
}

/* ---- Locks
 * ------------------------------------------------------------------------------------------ */

static void *APR_THREAD_FUNC put_in_thread(apr_thread_t *thread, void *data)
{
    batch_error_t error;
    apr_pool_t *p;

    (void)thread;
    apr_pool_create(&p, NULL);
    if (batch_store_write(store, insert_job, data, &error, p) == APR_SUCCESS) {
        ((batch_job_t *)data)->shared_values = "done";
    }
    apr_pool_destroy(p);
    return NULL;
}

static void test_lock(void)
{
    batch_job_t job = new_job("acme");
    apr_thread_t *thread;
    apr_time_t start, took;
    holder_t holder;
    apr_status_t rv;
    int i;

    fresh();
    put_one();
    batch_store_destroy(store);
    store = open_store(path, 300);
    ok(hold(&holder, "BEGIN IMMEDIATE"), "another process holds the write lock");
    start = apr_time_now();
    is_number(put_one(), BATCH_EUNAVAILABLE, "a write is given up");
    took = apr_time_now() - start;
    ok(says("MB0103", "locked"), "and says so");
    ok(took >= apr_time_from_msec(300), "not before the time that was given");
    /* APR's driver alone would try for 1.6 s, each time; a busy machine does not take that long
     * each time. */
    for (i = 0; i < 20 && took >= apr_time_from_msec(1500); i++) {
        start = apr_time_now();
        (void)put_one();
        took = apr_time_now() - start;
    }
    ok(took < apr_time_from_msec(1500), "and soon after it");
    is_number(read_nothing(), APR_SUCCESS, "a read goes on beside it");
    let_go_of(&holder);
    is_number(put_one(), APR_SUCCESS, "the next write succeeds");
    batch_store_destroy(store);
    store = open_store(path, 20000);
    ok(hold(&holder, "BEGIN IMMEDIATE; CREATE TABLE meanwhile (x)"), "locked again");
    apr_thread_create(&thread, NULL, put_in_thread, &job, pool);
    apr_sleep(apr_time_from_msec(100)); /* so that it most likely waits; it is right either way */
    let_go_of(&holder);
    apr_thread_join(&rv, thread);
    is_string(job.shared_values, "done", "a write waits for the lock");
}

static apr_status_t nested(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    *(apr_status_t *)baton = batch_store_read(store, nothing, NULL, &err, ptemp);
    return APR_SUCCESS;
}

static apr_status_t nested_write(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    *(apr_status_t *)baton = batch_store_write(store, nothing, NULL, &err, ptemp);
    return APR_SUCCESS;
}

static void test_connections(void)
{
    batch_writers_t writers;
    batch_store_config_t config = {.may_create = 1,
                                   .driver = "sqlite3",
                                   .params = path,
                                   .max_connections = 1,
                                   .patience = apr_time_from_msec(50),
                                   .writers = &writers};
    batch_hurry_t hurry = {0};
    apr_status_t inner = APR_SUCCESS;
    batch_writer_t writer;

    fresh();
    put_one();
    batch_store_destroy(store);
    batch_writers_make(&writers);
    batch_writer_init(&writer, &writers);
    batch_store_create(&store, &config, &err, pool);
    is_number(batch_store_read(store, nested, &inner, NULL, pool), APR_SUCCESS,
              "the only connection is in use");
    is_number(inner, BATCH_EUNAVAILABLE, "another call does not wait for ever");
    is_number(read_nothing(), APR_SUCCESS, "then it is free again");
    batch_store_read(store, nested_write, &inner, NULL, pool);
    is_number(inner, BATCH_EUNAVAILABLE, "nor does a writer");
    is_number(batch_writer_enter(&writer, apr_time_from_msec(50), &hurry), 1,
              "whose turn is the next one's");
    batch_writer_leave(&writer);
}

/* ---- Damage that is mended
 * --------------------------------------------------------------------------- */

static void test_newer(void)
{
    fresh();
    is_number(put_one(), APR_SUCCESS, "a database of our version");
    native(path, "UPDATE batch_schema SET version = 99");
    is_number(put_one(), BATCH_EUNAVAILABLE, "a newer one is not written to");
    ok(says("MB0102", "newer"), "which is said");
    is_number(read_nothing(), BATCH_EUNAVAILABLE, "nor read");
    is_number(batch_store_migrate(store, &err, pool), BATCH_EUNAVAILABLE, "nor migrated");
    is_number(number("SELECT version FROM batch_schema"), 99, "its version is left");
    native(path, "UPDATE batch_schema SET version = 3");
    is_number(put_one(), APR_SUCCESS, "when it is ours again it is served again");
    is_number(number("SELECT count(*) FROM batch_jobs"), 2, "with all that was there");
}

/* A database of the version before: the columns that are missing are added, and nothing is lost. */
static void test_older(void)
{
    fresh();
    put_one();
    ok(elsewhere("DROP INDEX batch_jobs_line; ALTER TABLE batch_jobs DROP COLUMN target;"
                 "ALTER TABLE batch_jobs DROP COLUMN judge_again;"
                 "ALTER TABLE batch_jobs RENAME COLUMN position TO cursor;"
                 "UPDATE batch_schema SET version = 1"),
       "a database of version 1");
    ok(elsewhere("CREATE TABLE theirs (name TEXT);"
                 "CREATE VIEW of_batches AS SELECT cursor FROM batch_jobs;"
                 "CREATE VIEW broken AS SELECT * FROM theirs; DROP TABLE theirs"),
       "and views of somebody else's, one of which does not work");
    is_number(put_one(), APR_SUCCESS, "it is brought to ours");
    is_number(number("SELECT count(*) FROM batch_schema WHERE version = 3"), 1, "with the version");
    is_number(number("SELECT count(*) FROM batch_jobs WHERE judge_again = 0 AND position = 0"), 2,
              "and all rows");
    is_number(number("SELECT count(*) FROM of_batches"), 2, "and a view that shows them");
    ok(elsewhere("UPDATE batch_schema SET version = 2"), "of version 2, so it says");
    is_number(put_one(), APR_SUCCESS, "it is brought to ours, where all has been done before");
    ok(elsewhere("DROP VIEW of_batches; DROP VIEW broken"), "without what the others have");
}

static void test_dropped(void)
{
    fresh();
    put_one();
    ok(elsewhere("DROP TABLE batch_jobs"), "a table of ours is dropped");
    is_number(put_one(), APR_SUCCESS, "it is made again");
    ok(elsewhere("DROP TABLE batch_jobs; DROP TABLE batch_schema; DROP TABLE batch_items"), "most");
    is_number(put_one(), APR_SUCCESS, "they are made again");
    is_number(number("SELECT count(*) FROM batch_schema WHERE version = 3"), 1, "with the version");
    ok(elsewhere("DELETE FROM batch_schema"), "the version is lost");
    is_number(read_nothing(), APR_SUCCESS, "even a read makes up for it");
    is_number(number("SELECT count(*) FROM batch_jobs"), 1, "and nothing is lost by that");
}

static void test_no_database(void)
{
    FILE *file;
    int i;

    fresh();
    file = fopen(path, "w");
    for (i = 0; i < 1000; i++) {
        fputs("this is no database at all. ", file);
    }
    fclose(file);
    is_number(put_one(), BATCH_EUNAVAILABLE, "a file of something else");
    ok(says("MB0101", "not a database"), "is named so");
    unlink(path);
    is_number(put_one(), APR_SUCCESS, "when it is gone a database is made");
}

static void test_folder_gone(void)
{
    const char *inner = apr_pstrcat(pool, folder, "/inner", NULL);
    const char *moved = apr_pstrcat(pool, folder, "/moved", NULL);
    const char *outer_path = path;

    mkdir(inner, 0700);
    path = apr_pstrcat(pool, inner, "/batch.db", NULL);
    fresh();
    is_number(put_one(), APR_SUCCESS, "a database in a folder");
    rename(inner, moved);
    is_number(put_one(), BATCH_EUNAVAILABLE, "the folder is gone");
    ok(says("MB0101", "unable to open") && strstr(err.message, path) &&
           strstr(err.message, "whose folder is not there"),
       "which is said, with its name");
    is_number(put_one(), BATCH_EUNAVAILABLE, "and stays so");
    rename(moved, inner);
    is_number(put_one(), APR_SUCCESS, "it is back");
    is_number(number("SELECT count(*) FROM batch_jobs"), 2, "with what was in it");
    native(path, apr_psprintf(pool, "VACUUM INTO '%s/copy.db'", inner));
    rename(apr_pstrcat(pool, inner, "/copy.db", NULL), path);
    unlink(apr_pstrcat(pool, path, "-wal", NULL));
    unlink(apr_pstrcat(pool, path, "-shm", NULL));
    is_number(put_one(), APR_SUCCESS, "the file was replaced by a copy");
    is_number(number("SELECT count(*) FROM batch_jobs"), 3, "which is what is written to");
    batch_store_destroy(store);
    store = NULL;
    path = outer_path;
}

static void test_read_only(void)
{
    const char *inner = apr_pstrcat(pool, folder, "/readonly", NULL);
    const char *outer_path = path;
    int root = geteuid() == 0;

    mkdir(inner, 0700);
    path = apr_pstrcat(pool, inner, "/batch.db", NULL);
    fresh();
    put_one();
    batch_store_destroy(store);
    store = open_store(path, 500);
    chmod(path, 0444);
    chmod(inner, 0555);
    chmod(folder, 0755);
    /* root may write anywhere: be somebody else for a while. */
    if (root && seteuid(65534)) {
        abort();
    }
    is_number(put_one(), BATCH_EUNAVAILABLE, "a database that may only be read");
    ok(err.message &&
           strstr(err.message, apr_pstrcat(pool, "(file ", path,
                                           ", in whose folder "
                                           "this user may make no files",
                                           NULL)) &&
           strstr(err.message, root ? "; user nobody)" : "; user "),
       "says which, who may not, and what: %s", err.message ? err.message : "");
    is_number(put_one(), BATCH_EUNAVAILABLE, "stays so");
    if (root && seteuid(0)) {
        abort();
    }
    chmod(path, 0600);
    chmod(inner, 0700);
    is_number(put_one(), APR_SUCCESS, "until it may be written again");
    batch_store_destroy(store);
    store = NULL;
    path = outer_path;
}

static void test_full(void)
{
    batch_job_t job = new_job("acme");
    struct rlimit limit, saved;

    fresh();
    put_one();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &saved);
    limit = saved;
    limit.rlim_cur = 1000000;
    setrlimit(RLIMIT_FSIZE, &limit);
    /* Pages are written by the COMMIT: how it ended can be found out, once there is room. */
    is_number(batch_store_write(store, insert_large, &job, &err, pool), BATCH_EINDOUBT,
              "no room for a write");
    ok(says("MB0105", "failed"), "which is said");
    setrlimit(RLIMIT_FSIZE, &saved);
    is_number(number("SELECT count(*) FROM batch_jobs"), 1, "nothing of it is there");
    is_number(batch_store_write(store, insert_large, &job, &err, pool), APR_SUCCESS,
              "with room it is done");
    is_number(number("SELECT count(*) FROM batch_jobs"), 2, "once");
}

/* ---- Many at once
 * --------------------------------------------------------------------------------------- */

static void test_migrating_at_once(void)
{
    fresh();
    batch_store_destroy(store);
    store = open_store(path, LONG_PATIENCE);
    migrate_at_once(store);
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    test_create();
    test_settings();
    test_lock();
    test_connections();
    test_newer();
    test_older();
    test_dropped();
    test_no_database();
    test_folder_gone();
    test_read_only();
    test_full();
    test_migrating_at_once();
    batch_store_destroy(store);
    return fixture_end();
}

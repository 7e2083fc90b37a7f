/*
 * What the tests of the store share: a database of their own, a store on it, and others that touch
 * the same database. A test program calls fixture_begin first in main.
 */
#ifndef BATCH_STORE_FIXTURE_H
#define BATCH_STORE_FIXTURE_H

#include "store/store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "database.h"
#include "tap.h"
#include "text/uuid.h"

/* No program uses all of it. */
#define FIXTURE __attribute__((unused)) static

static apr_pool_t *pool;    /* of the whole program */
static char folder[512];    /* removed at the end */
static const char *path;    /* of the database: the store's parameters */
static const char *self;    /* this program */
FIXTURE batch_error_t err;  /* of the last call */
static char last_log[2048]; /* the store's last log line */
static int log_lines;

FIXTURE void keep_log(void *baton, batch_log_level_e level, apr_status_t status,
                      const char *message)
{
    (void)baton;
    (void)level;
    (void)status;
    apr_cpystrn(last_log, message, sizeof(last_log));
    log_lines++;
}

static const batch_logger_t fixture_logger = {keep_log, NULL};

FIXTURE long long number(const char *sql)
{
    return atoll(native(path, sql));
}

/* ---- Others on the same database ----------------------------------------------------------------
 */

/* Starts this program anew as MODE DATABASE SQL; *to and *from are its standard input and output.
 */
FIXTURE pid_t start_process(const char *mode, const char *database, const char *sql, int *to,
                            int *from)
{
    int in[2], out[2];
    pid_t pid;

    if (pipe(in) || pipe(out)) {
        abort();
    }
    pid = fork();
    if (!pid) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        execl(self, self, mode, database, sql, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    *to = in[1];
    *from = out[0];
    return pid;
}

FIXTURE int wait_for(pid_t pid)
{
    int status;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Somebody else runs sql and goes: 1 if that went well. */
FIXTURE int elsewhere(const char *sql)
{
    int to, from, code;
    pid_t pid;

    if (is_pgsql()) {
        return strncmp(native(path, sql), "error: ", 7) != 0;
    }
    pid = start_process("--sql", path, sql, &to, &from);
    close(to);
    code = wait_for(pid);
    close(from);
    return code == 0;
}

/*
 * Somebody else runs sql (BEGIN IMMEDIATE, …) and stays until let_go_of. With SQLite that has to be
 * another process: locks are a process's.
 */
typedef struct holder {
    pid_t pid;
    int to, from;
    PGconn *connection;
} holder_t;

FIXTURE int hold(holder_t *holder, const char *sql)
{
    char ready;

    if (is_pgsql()) {
        PGresult *result;

        holder->connection = connect_pgsql(path);
        result = PQexec(holder->connection, sql);
        ready =
            PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result);
        return ready;
    }
    holder->pid = start_process("--hold", path, sql, &holder->to, &holder->from);
    return read(holder->from, &ready, 1) == 1;
}

/* What it has begun is rolled back. */
FIXTURE void let_go_of(holder_t *holder)
{
    if (is_pgsql()) {
        PQfinish(holder->connection);
        return;
    }
    close(holder->to);
    wait_for(holder->pid);
    close(holder->from);
}

FIXTURE int be_another_process(char **argv)
{
    sqlite3 *connection;
    char byte;
    int code;

    sqlite3_open(argv[2], &connection);
    sqlite3_busy_timeout(connection, 5000);
    code = sqlite3_exec(connection, argv[3], NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        fprintf(stderr, "# elsewhere: %s\n", sqlite3_errmsg(connection));
    }
    if (code == SQLITE_OK && !strcmp(argv[1], "--hold")) {
        if (write(1, "r", 1) != 1 || read(0, &byte, 1) > 0) {
            code = SQLITE_ERROR;
        }
    }
    sqlite3_close(connection);
    return code != SQLITE_OK;
}

/* ---- The program, the folder, the store ---------------------------------------------------------
 */

FIXTURE void remove_folder(void)
{
    char command[600];

    apr_snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command)) {
        fprintf(stderr, "# cannot remove %s\n", folder);
    }
}

/* 1: go on; 0: this was another process for a test, and *code is what main returns. */
FIXTURE int fixture_begin(int *code, int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");

    if (argc == 4) {
        *code = be_another_process(argv);
        return 0;
    }
    self = argv[0];
    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    batch_store_prepare(pool);
    apr_snprintf(folder, sizeof(folder), "%s/batch-store-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        abort();
    }
    path = database_make(folder, pool);
    return 1;
}

/* The same for a program that is of one database alone: skips where the tests run on another. */
FIXTURE int fixture_begin_on_pgsql(int *code, int argc, char **argv)
{
    *code = 0;
    if (!is_pgsql()) {
        printf("1..0 # skip: of PostgreSQL\n");
        return 0;
    }
    return fixture_begin(code, argc, argv);
}

FIXTURE int fixture_begin_on_sqlite3(int *code, int argc, char **argv)
{
    *code = 0;
    if (is_pgsql()) {
        printf("1..0 # skip: of SQLite\n");
        return 0;
    }
    return fixture_begin(code, argc, argv);
}

FIXTURE int fixture_end(void)
{
    database_remove(pool);
    remove_folder();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

FIXTURE batch_store_t *open_store(const char *params, int patience_ms)
{
    batch_store_config_t config = {.driver = database_driver(),
                                   .params = params,
                                   .max_connections = 8,
                                   .may_create = 1,
                                   .patience = apr_time_from_msec(patience_ms),
                                   .logger = &fixture_logger};
    batch_store_t *store;

    if (batch_store_create(&store, &config, &err, pool) != APR_SUCCESS) {
        fprintf(stderr, "# %s\n", err.message);
        abort();
    }
    return store;
}

FIXTURE apr_status_t nothing(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    (void)baton;
    (void)ptemp;
    return APR_SUCCESS;
}

/* A job as a client of the records API makes it, with an id of its own. */
FIXTURE batch_job_t new_job(const char *organization)
{
    batch_job_t job;

    memset(&job, 0, sizeof(job));
    job.id = batch_uuid_make(pool);
    job.api = BATCH_API_RECORDS;
    job.organization = organization;
    job.resource = "record";
    job.action = BATCH_ACTION_DELETE;
    job.form_id = "form-1";
    job.status = BATCH_STATUS_PENDING;
    job.created_by = job.updated_by = "Alice Archer";
    job.created_by_id = job.updated_by_id = "alice-id";
    return job;
}

FIXTURE apr_status_t insert_job(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_insert(tx, baton, NULL);
}

/* ---- Making the tables at once
 * -------------------------------------------------------------------
 */

typedef struct migration {
    batch_store_t *store;
    apr_status_t status;
} migration_t;

FIXTURE void *APR_THREAD_FUNC migrate_in_thread(apr_thread_t *thread, void *data)
{
    migration_t *migration = data;
    batch_error_t error;
    apr_pool_t *p;

    (void)thread;
    apr_pool_create(&p, NULL);
    migration->status = batch_store_migrate(migration->store, &error, p);
    if (migration->status != APR_SUCCESS) {
        fprintf(stderr, "# %s: %s\n", error.tag, error.message);
    }
    apr_pool_destroy(p);
    return NULL;
}

/* store: on a database without the module's tables. */
FIXTURE void migrate_at_once(batch_store_t *store)
{
    apr_thread_t *threads[8];
    migration_t migrations[8];
    apr_status_t rv;
    int i, failed = 0;

    for (i = 0; i < 8; i++) {
        migrations[i].store = store;
        apr_thread_create(&threads[i], NULL, migrate_in_thread, &migrations[i], pool);
    }
    for (i = 0; i < 8; i++) {
        apr_thread_join(&rv, threads[i]);
        failed += migrations[i].status != APR_SUCCESS;
    }
    is_number(failed, 0, "eight threads make the tables at once");
    is_number(number("SELECT count(*) FROM batch_schema"), 1, "once");
}

#endif

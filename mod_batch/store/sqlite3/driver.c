/*
 * SQLite.
 *
 * Statements on our own tables run through apr_dbd. What frames them (BEGIN, COMMIT, settings,
 * checkpoints) goes straight to the library: apr_dbd answers a locked database by sleeping for up
 * to 1.6 s, a tenth of a second at a time, and holds one mutex of the whole process while a COMMIT
 * waits for the disk.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include <apr_strings.h>

#include "store/connection.h"
#include "store/drivers.h"
#include "store/sqlite3/ask.h"
#include "store/sqlite3/failures.h"
#include "store/sqlite3/groups.h"
#include "store/sqlite3/log.h"
#include "store/sqlite3/rows.h"
#include "store/sqlite3/statements.h"
#include "store/sqlite3/vfs.h"

/* Bytes of pages that a connection may keep in memory while it is not in a job. */
#define IDLE_CACHE (512 * 1024)

/* Behind its last change of rows it is not in a job any more: what is between two chunks is less.
 */
#define KEEP_CACHE apr_time_from_sec(1)

/* How often all of its memory is counted at least, while it is used. */
#define COUNT_INTERVAL apr_time_from_sec(1)

/* ---- Opening --------------------------------------------------------------------------------- */

static const char *sqlite_check_params(const char *params, apr_pool_t *p)
{
    (void)p;
    if (!params || !*params) {
        return "it needs the path of a database file";
    }
    if (!strcmp(params, ":memory:") || strstr(params, "mode=memory")) {
        return "a database in memory is another one for each connection, and gone with it";
    }
    if (sqlite3_libversion_number() < 3035000) {
        return "SQLite 3.35 or newer is needed";
    }
    if (!sqlite3_threadsafe()) {
        return "this SQLite library was built for a single thread";
    }
    return NULL;
}

/* The SQL function batch_clock(). */
static void tell_time(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    sqlite3_result_int64(context, apr_time_now());
}

static int keep_word(void *baton, int columns, char **values, char **names)
{
    (void)names;
    if (columns > 0 && values[0]) {
        apr_cpystrn(baton, values[0], BATCH_SQLITE3_WORD);
    }
    return 0;
}

static int run(sqlite3 *native, const char *sql)
{
    return sqlite3_exec(native, sql, NULL, NULL, NULL);
}

/*
 * Sets a PRAGMA, whose answer is a word then. One that SQLite does not know or take is no failure
 * of its, so it is asked; *message if it says something else.
 */
static int insist(const char **message, batch_connection_t *connection, const char *pragma,
                  const char *value, const char *word)
{
    const char *sql = apr_pstrcat(connection->p, "PRAGMA ", pragma, " = ", value, NULL);
    char answer[BATCH_SQLITE3_WORD] = "";
    int code = run(connection->native, sql);

    if (code == SQLITE_OK) {
        code = sqlite3_exec(connection->native, apr_pstrcat(connection->p, "PRAGMA ", pragma, NULL),
                            keep_word, answer, NULL);
    }
    if (code == SQLITE_OK && strcmp(answer, word) != 0) {
        *message =
            apr_psprintf(connection->p, "SQLite does not take %s, but has '%s'", sql, answer);
    }
    return code;
}

/* Whether pages that are let go are written over with zeros unless somebody says otherwise. */
static int ask_for_zeros(batch_connection_t *connection)
{
    char answer[BATCH_SQLITE3_WORD] = "";
    int code = sqlite3_exec(connection->native, "PRAGMA secure_delete", keep_word, answer, NULL);

    batch_sqlite3_state(connection)->zeros = !strcmp(answer, "1");
    return code;
}

/* *message: what SQLite does not say itself. */
static int set_up(const char **message, batch_connection_t *connection)
{
    sqlite3 *native = connection->native;
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int code;

    /* With these two a COMMIT that has returned survives the loss of power. */
    code = sqlite3_exec(native, "PRAGMA journal_mode = WAL", keep_word, state->journal, NULL);
    if (code == SQLITE_OK) {
        code = insist(message, connection, "synchronous", "FULL", "2");
    }
    if (code == SQLITE_OK) {
        code = insist(message, connection, "foreign_keys", "ON", "1");
    }
    if (code == SQLITE_OK) {
        /*
         * SQLite computes wrong checksums for the log where a page was written twice before the
         * COMMIT and a savepoint was undone between: then recovery stops there, and what was
         * committed from there on is lost. So no page is written before the COMMIT.
         */
        code = run(native, "PRAGMA cache_spill = OFF");
    }
    if (code == SQLITE_OK) {
        code = sqlite3_create_function(native, "batch_clock", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                       NULL, tell_time, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        code = ask_for_zeros(connection);
    }
    batch_sqlite3_log_watch(connection);
    return code;
}

/* Durable as well, but readers and writers wait for each other. */
static void warn_of_journal(const batch_connection_t *connection)
{
    const batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (strcmp(state->journal, "wal") != 0) {
        batch_log(connection->logger, BATCH_LOG_WARNING, "MB0108", APR_SUCCESS, NULL,
                  "the database has journal mode \"%s\", WAL could not be set: readers and writers "
                  "will wait for each other",
                  state->journal);
    }
}

/* 1 if the database's file is there, or may be made by opening it. */
static int find_file(const batch_connection_t *connection)
{
    const char *params = connection->params;
    struct stat status;

    if (!strncmp(params, "file:", 5)) {
        return 1; /* a URI, which says itself with mode= what is wanted */
    }
    if (connection->may_create) {
        /*
         * A database that we make is nobody else's to read. Made without opening it: closing a
         * descriptor of a database file would let go of all locks that this process has on it.
         */
        (void)mknod(params, S_IFREG | S_IRUSR | S_IWUSR, 0);
        return 1;
    }
    return stat(params, &status) == 0 || errno != ENOENT;
}

static batch_failure_e sqlite_open(batch_connection_t *connection, const char **message,
                                   apr_pool_t *p)
{
    const char *params = connection->params;
    const char *reason = NULL;
    const char *untaken = NULL;
    batch_sqlite3_state_t *state;
    batch_failure_e failure;
    int code;

    if (!find_file(connection)) {
        *message = batch_sqlite3_place(connection, "there is no such file", p);
        return BATCH_FAILURE_LOST;
    }
    if (apr_dbd_open_ex(connection->dbd, connection->p, batch_sqlite3_vfs_params(params, p),
                        &connection->handle, &reason) != APR_SUCCESS) {
        connection->handle = NULL;
        *message = batch_sqlite3_place(connection, reason ? reason : "no reason given", p);
        return BATCH_FAILURE_LOST;
    }
    connection->native = apr_dbd_native_handle(connection->dbd, connection->handle);
    state = apr_pcalloc(connection->p, sizeof(*state));
    state->magic = BATCH_SQLITE3_STATE_MAGIC;
    connection->state = state;
    code = set_up(&untaken, connection);
    if (code == SQLITE_OK && untaken) {
        *message = batch_sqlite3_place(connection, untaken, p);
        return BATCH_FAILURE_LOST;
    }
    failure = batch_sqlite3_classify(connection, code, 0);
    if (failure != BATCH_FAILURE_NONE) {
        *message = apr_pstrdup(p, batch_sqlite3_message(connection));
        return failure;
    }
    warn_of_journal(connection);
    return BATCH_FAILURE_NONE;
}

static void sqlite_close(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int i;

    batch_sqlite3_groups_close(connection);
    for (i = 0; i < BATCH_FRAMES; i++) {
        (void)sqlite3_finalize(state->frames[i]); /* what it returns is of its last step */
        state->frames[i] = NULL;
    }
    batch_library_memory_set(&state->memory, 0, 0);
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static batch_failure_e sqlite_rollback(batch_connection_t *connection)
{
    if (!sqlite3_get_autocommit(connection->native)) {
        (void)run(connection->native, "ROLLBACK"); /* whether it did is asked below */
    }
    return sqlite3_get_autocommit(connection->native) ? BATCH_FAILURE_NONE : BATCH_FAILURE_LOST;
}

static batch_failure_e read_version(batch_connection_t *connection, apr_int64_t *version)
{
    apr_pool_t *scratch = batch_connection_scratch(connection);
    batch_prepared_t *prepared;
    batch_results_t *results;
    batch_row_t *row = NULL;
    batch_failure_e failure;

    *version = 0;
    failure = batch_connection_own(connection, &prepared, BATCH_SQL_VERSION);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_connection_select(connection, &results, prepared, NULL, 1, scratch);
    }
    if (failure == BATCH_FAILURE_NONE && batch_connection_row(connection, &row, results, scratch)) {
        *version = batch_row_number(connection, row, 0);
    }
    return failure == BATCH_FAILURE_MISSING ? BATCH_FAILURE_NONE : failure;
}

/* Each transaction needs some of these: preparing them anew takes about as long as running them. */
static int run_frame(batch_connection_t *connection, batch_frame_e frame)
{
    static const char *const sql[BATCH_FRAMES] = {
        [BATCH_FRAME_BEGIN] = "BEGIN",
        [BATCH_FRAME_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
        [BATCH_FRAME_COMMIT] = "COMMIT",
        [BATCH_FRAME_STEP_BEGIN] = "SAVEPOINT batch_step",
        [BATCH_FRAME_STEP_END] = "RELEASE batch_step",
    };
    sqlite3_stmt **statement = &batch_sqlite3_state(connection)->frames[frame];
    int code = SQLITE_OK;

    if (!*statement) {
        code = sqlite3_prepare_v3(connection->native, sql[frame], -1, SQLITE_PREPARE_PERSISTENT,
                                  statement, NULL);
    }
    if (code == SQLITE_OK) {
        (void)sqlite3_step(*statement); /* how it failed is what the reset returns */
        code = sqlite3_reset(*statement);
    }
    return code;
}

/*
 * With synchronous = NORMAL a COMMIT in the write-ahead log does not wait for the disk; the next
 * one with FULL takes all of the log there. Other journals may be left damaged by NORMAL.
 */
static int set_async(batch_connection_t *connection, int async)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int code = SQLITE_OK;

    async = async && !strcmp(state->journal, "wal");
    if (async != state->async) {
        code = run(connection->native,
                   async ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
        /* It is set before it can fail: then nobody knows, and the next one says it again. */
        state->async = code == SQLITE_OK ? async : -1;
    }
    return code;
}

/* What the connection may hold of the library's memory until the end of its transaction. */
static void expect_memory(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    batch_library_memory_set(&state->memory, state->memory.least, batch_sqlite3_most(state));
}

/* Behind a removal that has failed. */
static int zeros_again(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int code = state->zeros_due ? run(connection->native, "PRAGMA secure_delete = ON") : SQLITE_OK;

    state->zeros_due = state->zeros_due && code != SQLITE_OK;
    return code;
}

static batch_failure_e begin(batch_connection_t *connection, batch_begin_e kind)
{
    int moved = 0;
    int code = zeros_again(connection);

    if (code != SQLITE_OK) {
        return batch_sqlite3_classify(connection, code, 0);
    }
    expect_memory(connection);
    /* A file that was removed or replaced would take our commits with it. */
    code = sqlite3_file_control(connection->native, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (code != SQLITE_OK && code != SQLITE_NOTFOUND) { /* not every VFS can tell */
        return batch_sqlite3_classify(connection, code, 0);
    }
    if (moved) {
        return BATCH_FAILURE_OUTDATED;
    }
    if (kind == BATCH_BEGIN_READ) {
        return batch_sqlite3_classify(connection, run_frame(connection, BATCH_FRAME_BEGIN), 0);
    }
    code = set_async(connection, kind == BATCH_BEGIN_WRITE_ASYNC);
    if (code == SQLITE_OK) {
        code = run_frame(connection, BATCH_FRAME_BEGIN_IMMEDIATE);
    }
    return batch_sqlite3_classify(connection, code, 0);
}

static batch_failure_e sqlite_begin(batch_connection_t *connection, batch_begin_e kind, int own)
{
    apr_int64_t version = 0;
    batch_failure_e failure = begin(connection, kind);

    if (failure != BATCH_FAILURE_NONE || !own) {
        return failure;
    }
    failure = read_version(connection, &version);
    return failure == BATCH_FAILURE_NONE ? batch_schema_version_failure(version) : failure;
}

static batch_failure_e sqlite_begin_schema(batch_connection_t *connection, apr_int64_t *version)
{
    batch_failure_e failure = begin(connection, BATCH_BEGIN_WRITE);

    return failure == BATCH_FAILURE_NONE ? read_version(connection, version) : failure;
}

static batch_failure_e sqlite_commit(batch_connection_t *connection)
{
    int code;

    if (sqlite3_get_autocommit(connection->native)) {
        return BATCH_FAILURE_ENDED; /* never report as committed what ended some other way */
    }
    code = run_frame(connection, BATCH_FRAME_COMMIT);
    if ((code & 0xff) == SQLITE_IOERR) {
        return BATCH_FAILURE_IN_DOUBT; /* it may be in the log, for whoever opens the file next */
    }
    if (code != SQLITE_OK) {
        return batch_sqlite3_classify(connection, code, 0);
    }
    batch_sqlite3_log_committed(connection);
    return BATCH_FAILURE_NONE;
}

/*
 * Gives the pages back that the connection has in memory, if they are many: a child has several
 * connections, and each would come to hold as much as the largest job needed. Between the chunks of
 * a job they stay, since the next chunk needs the same ones.
 */
static void give_pages_back(batch_connection_t *connection)
{
    int bytes = 0, most = 0;

    if (sqlite3_db_status(connection->native, SQLITE_DBSTATUS_CACHE_USED, &bytes, &most, 0) ==
            SQLITE_OK &&
        bytes > IDLE_CACHE) {
        (void)sqlite3_db_release_memory(connection->native);
    }
}

static apr_int64_t memory_of(const batch_connection_t *connection, int kind)
{
    int bytes = 0, most = 0;

    return sqlite3_db_status(connection->native, kind, &bytes, &most, 0) == SQLITE_OK ? bytes : 0;
}

/*
 * What it holds, now that nothing runs on it. The schema and the statements are counted by walking
 * over all of them, which takes a tenth of a short transaction: so only where there are others, and
 * now and then, since the values that a statement has held stay with it.
 */
static void count_memory(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    apr_int64_t sum = memory_of(connection, SQLITE_DBSTATUS_CACHE_USED);

    if (state->prepared != state->counted || apr_time_now() - state->counted_at > COUNT_INTERVAL) {
        state->counted = state->prepared;
        state->counted_at = apr_time_now();
        state->fixed_memory = memory_of(connection, SQLITE_DBSTATUS_SCHEMA_USED) +
                              memory_of(connection, SQLITE_DBSTATUS_STMT_USED);
    }
    sum += state->fixed_memory;
    batch_library_memory_set(&state->memory, sum, sum);
}

static void sqlite_idle(batch_connection_t *connection, batch_idle_e when)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    batch_sqlite3_log_idle(connection, when);
    if (state->rows_used) {
        state->rows_used_at = apr_time_now();
        state->rows_used = 0;
    } else if (when != BATCH_IDLE_USED || apr_time_now() - state->rows_used_at > KEEP_CACHE) {
        give_pages_back(connection);
    }
    count_memory(connection);
}

static batch_failure_e sqlite_run(batch_connection_t *connection, const char *sql)
{
    return batch_sqlite3_classify(connection, run(connection->native, sql), 0);
}

static batch_failure_e sqlite_step_begin(batch_connection_t *connection)
{
    return batch_sqlite3_classify(connection, run_frame(connection, BATCH_FRAME_STEP_BEGIN), 0);
}

static batch_failure_e sqlite_step_undo(batch_connection_t *connection)
{
    return sqlite_run(connection, "ROLLBACK TO batch_step; RELEASE batch_step");
}

/* Only foreign keys can be put off. */
static batch_failure_e sqlite_step_end(batch_connection_t *connection, const char **message,
                                       apr_pool_t *p)
{
    int open = 0, most = 0;
    int code = sqlite3_db_status(connection->native, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &most, 0);

    (void)p;
    if (code == SQLITE_OK && open) {
        *message = "FOREIGN KEY constraint failed";
        return sqlite_step_undo(connection);
    }
    return batch_sqlite3_classify(connection, run_frame(connection, BATCH_FRAME_STEP_END), 0);
}

static apr_time_t sqlite_now(batch_connection_t *connection)
{
    (void)connection;
    return apr_time_now();
}

/* ---- Statements, through apr_dbd
 * ------------------------------------------------------------------ */

struct batch_prepared {
    apr_dbd_prepared_t *statement;
    int removes; /* what is ours */
};

static batch_failure_e sqlite_prepare(batch_connection_t *connection, batch_prepared_t **prepared,
                                      const char *sql, const char *label, int own)
{
    static const char removal[] = "DELETE FROM batch_";
    batch_prepared_t *made = apr_pcalloc(connection->p, sizeof(*made));
    int code = apr_dbd_prepare(connection->dbd, connection->p, connection->handle, sql, label,
                               &made->statement);

    batch_sqlite3_state(connection)->prepared++;
    if (code) {
        return batch_sqlite3_classify(connection, code, own);
    }
    made->removes = own && !strncmp(sql, removal, sizeof(removal) - 1);
    *prepared = made;
    return BATCH_FAILURE_NONE;
}

/*
 * Some libraries write zeros over each page that is let go. The items of a batch would then go
 * through the log twice, the second time as zeros. They are let go as PostgreSQL does it; pages
 * that stay in use are still cleared of them.
 */
static int execute_removal(batch_connection_t *connection, int *rows, batch_prepared_t *prepared,
                           const void **values, apr_pool_t *p)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int code = run(connection->native, "PRAGMA secure_delete = FAST");

    if (code != SQLITE_OK) {
        return code;
    }
    code =
        apr_dbd_pbquery(connection->dbd, p, connection->handle, rows, prepared->statement, values);
    if (code) {
        state->zeros_due = 1; /* another statement would take the reason with it */
        return code;
    }
    /* Rows of the administrator's tables are removed as the library does it. */
    return run(connection->native, "PRAGMA secure_delete = ON");
}

static batch_failure_e sqlite_execute(batch_connection_t *connection, int *rows,
                                      batch_prepared_t *prepared, const void **values, int own,
                                      apr_pool_t *p)
{
    int code = prepared->removes && batch_sqlite3_state(connection)->zeros
                   ? execute_removal(connection, rows, prepared, values, p)
                   : apr_dbd_pbquery(connection->dbd, p, connection->handle, rows,
                                     prepared->statement, values);

    return code ? batch_sqlite3_classify(connection, code, own) : BATCH_FAILURE_NONE;
}

static batch_failure_e sqlite_select(batch_connection_t *connection, batch_results_t **results,
                                     batch_prepared_t *prepared, const void **values, int own,
                                     apr_pool_t *p)
{
    apr_dbd_results_t *found = NULL;
    int code = apr_dbd_pbselect(connection->dbd, p, connection->handle, &found, prepared->statement,
                                1, values);

    *results = (batch_results_t *)found;
    return code ? batch_sqlite3_classify(connection, code, own) : BATCH_FAILURE_NONE;
}

static int sqlite_row(batch_connection_t *connection, batch_row_t **row, batch_results_t *results,
                      apr_pool_t *p)
{
    apr_dbd_row_t *next = (apr_dbd_row_t *)*row;
    int found = apr_dbd_get_row(connection->dbd, p, (apr_dbd_results_t *)results, &next, -1) == 0;

    *row = (batch_row_t *)next;
    return found;
}

static apr_int64_t sqlite_number(const batch_connection_t *connection, batch_row_t *row, int column)
{
    apr_int64_t number;

    if (apr_dbd_datum_get(connection->dbd, (apr_dbd_row_t *)row, column, APR_DBD_TYPE_LONGLONG,
                          &number) != APR_SUCCESS) {
        return 0;
    }
    return number;
}

static const char *sqlite_text(const batch_connection_t *connection, batch_row_t *row, int column)
{
    const char *text = NULL;

    if (apr_dbd_datum_get(connection->dbd, (apr_dbd_row_t *)row, column, APR_DBD_TYPE_STRING,
                          &text) != APR_SUCCESS) {
        return NULL;
    }
    return text;
}

static batch_failure_e sqlite_add_column(batch_connection_t *connection, const char *table,
                                         const char *column, const char *definition)
{
    char sql[256];

    if (sqlite3_table_column_metadata(connection->native, NULL, table, column, NULL, NULL, NULL,
                                      NULL, NULL) == SQLITE_OK) {
        return BATCH_FAILURE_NONE;
    }
    apr_snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN %s %s", table, column, definition);
    return sqlite_run(connection, sql);
}

/*
 * SQLite looks through the whole schema for what has the column, and refuses to rename it where the
 * administrator has a view that does not fit its tables (any more); with writable_schema it leaves
 * such ones as they are.
 */
static batch_failure_e sqlite_rename_column(batch_connection_t *connection, const char *table,
                                            const char *from, const char *to)
{
    char sql[256];
    batch_failure_e failure;
    batch_failure_e after;

    if (sqlite3_table_column_metadata(connection->native, NULL, table, to, NULL, NULL, NULL, NULL,
                                      NULL) == SQLITE_OK) {
        return BATCH_FAILURE_NONE;
    }
    apr_snprintf(sql, sizeof(sql), "ALTER TABLE %s RENAME COLUMN %s TO %s", table, from, to);
    failure = sqlite_run(connection, "PRAGMA writable_schema = ON");
    if (failure == BATCH_FAILURE_NONE) {
        failure = sqlite_run(connection, sql);
    }
    after = sqlite_run(connection, "PRAGMA writable_schema = OFF");
    return failure == BATCH_FAILURE_NONE ? after : failure;
}

/* ---- The administrator's tables ---------------------------------------------------------------
 */

static batch_failure_e sqlite_columns(batch_connection_t *connection, apr_array_header_t **names,
                                      int *ignore_case, const char *table, apr_pool_t *p)
{
    sqlite3_stmt *statement = NULL;
    batch_failure_e failure;
    int code;

    *ignore_case = 1;
    *names = apr_array_make(p, 16, sizeof(const char *));
    failure = batch_sqlite3_ask(connection, &statement, /* a view: which rows has it changed? */
                                "SELECT name FROM pragma_table_xinfo(?1)"
                                " WHERE EXISTS (SELECT 1 FROM pragma_table_list"
                                " WHERE name = ?1 COLLATE NOCASE AND type <> 'view')",
                                &table, 1);
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        APR_ARRAY_PUSH(*names, const char *) = apr_pstrdup(p, batch_sqlite3_text(statement, 0));
    }
    return batch_sqlite3_asked(connection, statement, code);
}

const batch_driver_t batch_driver_sqlite3 = {
    .name = "sqlite3",
    .statements = batch_sqlite3_statements,
    .schema = batch_sqlite3_schema,
    .async = 1,
    .one_writer = 1,
    .chunk_bytes = 64 * 1024 * 1024,
    .commit_again = 1,
    .check_params = sqlite_check_params,
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .begin_schema = sqlite_begin_schema,
    .add_column = sqlite_add_column,
    .rename_column = sqlite_rename_column,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .idle = sqlite_idle,
    .wants_worker = batch_sqlite3_log_wants_worker,
    .step_begin = sqlite_step_begin,
    .step_end = sqlite_step_end,
    .step_undo = sqlite_step_undo,
    .message = batch_sqlite3_message,
    .now = sqlite_now,
    .run = sqlite_run,
    .prepare = sqlite_prepare,
    .execute = sqlite_execute,
    .select = sqlite_select,
    .row = sqlite_row,
    .number = sqlite_number,
    .text = sqlite_text,
    .columns = sqlite_columns,
    .is_full = batch_sqlite3_is_full,
    .facts = batch_sqlite3_facts,
    .independent = batch_sqlite3_independent,
    .scope_check = batch_sqlite3_scope_check,
    .form_check = batch_sqlite3_form_check,
    .scan = batch_sqlite3_scan,
    .errors_insert = batch_sqlite3_errors_insert,
    .rows_delete = batch_sqlite3_rows_delete,
    .rows_update = batch_sqlite3_rows_update,
    .rows_merge = batch_sqlite3_rows_merge,
    .rows_look = batch_sqlite3_rows_look,
    .keys_walk = batch_sqlite3_keys_walk,
    .keys_quick = batch_sqlite3_keys_quick,
};

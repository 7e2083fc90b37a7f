/*
 * The second way: a private SQLite database in memory with a copy of the forms' records.
 *
 * What guards it: nothing of the client's text is in the SQL that it gets (compile.c); an
 * authorizer that lets through nothing but reading the copies and calling what is listed; SQLite's
 * own limits; a progress handler that looks at clock and memory; and that there is nothing in it
 * that the caller may not see.
 */
#include "query/sandbox.h"

#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <apr_lib.h>
#include <apr_strings.h>

#include "query/share.h"
#include "text/check.h"

#define STEPS           1000
#define MOST_PER_RECORD ((apr_size_t)16 * 1024 * 1024)
#define PAGE_SIZE       4096
#define TRIM_BEYOND     (2 * 1024 * 1024)
#define MOST_SQL        (1024 * 1024)
#define MOST_ANSWERS    128

/* ---- The database ---------------------------------------------------------------------------- */

static int watch(void *baton)
{
    batch_sandbox_t *sandbox = BATCH_CAST(batch_sandbox_t, baton, BATCH_SANDBOX_MAGIC);
    sqlite3_int64 used = sqlite3_memory_used() - sandbox->memory;

    sandbox->peak = used > sandbox->peak ? used : sandbox->peak;
    sandbox->stopped = batch_tx_go_on(sandbox->tx, sandbox->run->deadline);
    if (sandbox->stopped == APR_SUCCESS) {
        switch (batch_share_look(sandbox->run->query->limits->query_memory)) {
        case BATCH_SHARE_MINE:
            sandbox->stopped = BATCH_ETOOLARGE;
            break;
        case BATCH_SHARE_OURS:
            sandbox->stopped = BATCH_ECROWDED;
            break;
        default:
            break;
        }
    }
    return sandbox->stopped != APR_SUCCESS;
}

/* The same for what SQLite waits for: our functions. A batch_query_look_fn. */
static apr_status_t look(void *baton)
{
    batch_sandbox_t *sandbox = BATCH_CAST(batch_sandbox_t, baton, BATCH_SANDBOX_MAGIC);

    (void)watch(sandbox);
    return sandbox->stopped;
}

/* t1: one of our tables. */
static int is_table(const char *name, char letter)
{
    return name && *name == letter && apr_isdigit(name[1]);
}

static int authorize(void *baton, int action, const char *first, const char *second,
                     const char *database, const char *inner)
{
    const int *fills = baton;

    (void)database;
    (void)inner;
    switch (action) {
    case SQLITE_SELECT:
        return SQLITE_OK;
    case SQLITE_READ:
        /* A copy; or what SQLite calls the rows of a subquery. */
        return first && (!*first || is_table(first, 't') || is_table(first, 'c')) ? SQLITE_OK
                                                                                  : SQLITE_DENY;
    case SQLITE_INSERT:
        return fills && *fills && is_table(first, 'c') ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return second && batch_sandbox_may_call(second) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static void set_limits(sqlite3 *database)
{
    static const struct {
        int limit;
        int value;
    } limits[] = {{SQLITE_LIMIT_LENGTH, BATCH_SANDBOX_LENGTH},
                  {SQLITE_LIMIT_SQL_LENGTH, MOST_SQL},
                  {SQLITE_LIMIT_COLUMN, 2000},
                  {SQLITE_LIMIT_EXPR_DEPTH, 500},
                  {SQLITE_LIMIT_COMPOUND_SELECT, 16},
                  {SQLITE_LIMIT_VDBE_OP, 100000},
                  {SQLITE_LIMIT_FUNCTION_ARG, BATCH_COMPILE_ARGUMENTS + 1},
                  {SQLITE_LIMIT_ATTACHED, 0},
                  {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                  {SQLITE_LIMIT_VARIABLE_NUMBER, BATCH_QUERY_TOKENS},
                  {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
                  {SQLITE_LIMIT_WORKER_THREADS, 0}};
    size_t i;

    for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        sqlite3_limit(database, limits[i].limit, limits[i].value);
    }
}

int batch_sandbox_harden(sqlite3 *database, const int *fills)
{
    static const struct {
        int option;
        int value;
    } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_DQS_DML, 0},
                   {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                   {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0}};
    int code = SQLITE_OK;
    size_t i;

    for (i = 0; code == SQLITE_OK && i < sizeof(options) / sizeof(*options); i++) {
        code = sqlite3_db_config(database, options[i].option, options[i].value, NULL);
    }
    set_limits(database);
    return code == SQLITE_OK ? sqlite3_set_authorizer(database, authorize, (void *)fills) : code;
}

/* The first column of each row, with blanks between. */
static int add_answer(void *baton, int columns, char **values, char **names)
{
    char *answers = baton;
    size_t length = strlen(answers);

    (void)names;
    apr_snprintf(answers + length, MOST_ANSWERS - length, "%s%s", length ? " " : "",
                 columns && values[0] ? values[0] : "-");
    return 0;
}

/* A PRAGMA that SQLite does not know or take is no failure of its: so each is asked what it is. */
static int set_up(batch_sandbox_t *sandbox)
{
    apr_pool_t *p = sandbox->run->p;
    apr_int64_t pages = sandbox->run->query->limits->query_memory / PAGE_SIZE;
    char answers[MOST_ANSWERS] = "";
    int code;

    pages = pages ? pages : 1;
    code = sqlite3_exec(sandbox->database,
                        apr_psprintf(p,
                                     "PRAGMA page_size = %d; PRAGMA page_size;"
                                     "PRAGMA temp_store = MEMORY; PRAGMA temp_store;"
                                     "PRAGMA journal_mode = OFF;"
                                     "PRAGMA max_page_count = %" APR_INT64_T_FMT,
                                     PAGE_SIZE, pages),
                        add_answer, answers, NULL);
    if (code == SQLITE_OK &&
        strcmp(answers, apr_psprintf(p, "%d 2 off %" APR_INT64_T_FMT, PAGE_SIZE, pages)) != 0) {
        sandbox->message = apr_pstrcat(
            p, "PRAGMA page_size, temp_store, journal_mode and max_page_count are ", answers, NULL);
        return SQLITE_ERROR;
    }
    return code == SQLITE_OK ? batch_sandbox_functions(sandbox->database, &sandbox->calls) : code;
}

/* SQLite takes whatever is compiled: what it does not take is a mistake of ours. */
static apr_status_t report(const batch_sandbox_t *sandbox)
{
    batch_query_run_t *run = sandbox->run;
    const char *message = sandbox->message ? sandbox->message : sqlite3_errmsg(sandbox->database);

    if (!strcmp(message, "parser stack overflow")) {
        return batch_query_problem(run, "nests SELECTs and conditions too deeply");
    }
    batch_tx_report(
        sandbox->tx, "MB0116",
        apr_psprintf(run->p, "a query cannot be run in its private database: %s", message));
    return batch_query_problem(run, "cannot be run by this server, whose log says why");
}

apr_status_t batch_sandbox_failed(batch_sandbox_t *sandbox, int code)
{
    batch_query_run_t *run = sandbox->run;

    if (sandbox->stopped == BATCH_EUNAVAILABLE || sandbox->stopped == BATCH_ECROWDED) {
        return sandbox->stopped;
    }
    if (sandbox->stopped == APR_TIMEUP) {
        return batch_query_out_of_time(run);
    }
    if (sandbox->stopped == BATCH_ETOOLARGE) {
        return batch_query_out_of_memory(run);
    }
    if (sandbox->calls.trouble) {
        return batch_query_problem(run, "%s", sandbox->calls.trouble);
    }
    switch (code & 0xff) {
    case SQLITE_NOMEM: /* also of a statement that would have too many steps */
    case SQLITE_FULL:  /* of the pages that its own copies may have */
        return batch_query_out_of_memory(run);
    case SQLITE_TOOBIG:
        return batch_query_problem(run,
                                   "meets a text of more than %d bytes, which a query with "
                                   "joins, subqueries or groups cannot work with",
                                   BATCH_SANDBOX_LENGTH);
    default:
        return report(sandbox);
    }
}

/* ---- Running --------------------------------------------------------------------------------- */

static apr_status_t take_rows(batch_sandbox_t *sandbox, sqlite3_stmt *statement)
{
    const batch_statement_t *checked = sandbox->statement;
    batch_query_kind_e kind =
        APR_ARRAY_IDX(checked->select->outputs, checked->id, batch_output_t).kind;
    apr_status_t rv = APR_SUCCESS;
    int code = SQLITE_DONE;

    while (rv == APR_SUCCESS && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite3_value *column = sqlite3_column_value(statement, sandbox->calls.compiled->id);
        batch_query_value_t id = batch_sandbox_value(column, kind);

        id = batch_query_convert(&id, BATCH_QUERY_TEXT, &sandbox->room);
        rv = batch_query_ids_add(sandbox->run, &id);
        sandbox->room.used = 0;
        if (sandbox->room.dirty) {
            apr_pool_clear(sandbox->room.p);
            sandbox->room.dirty = 0;
        }
    }
    return code == SQLITE_ROW || code == SQLITE_DONE ? rv : batch_sandbox_failed(sandbox, code);
}

static int prepare(sqlite3_stmt **statement, const batch_sandbox_t *sandbox, const char *sql)
{
    const apr_array_header_t *constants = sandbox->calls.compiled->constants;
    const char *tail = NULL;
    int code = sqlite3_prepare_v3(sandbox->database, sql, -1, 0, statement, &tail), count, i;

    if (code == SQLITE_OK && (!*statement || *tail)) {
        code = SQLITE_AUTH;
    }
    count = sqlite3_bind_parameter_count(*statement);
    for (i = 0; code == SQLITE_OK && i < count; i++) {
        const batch_node_t *node = APR_ARRAY_IDX(constants, i, const batch_node_t *);

        code = batch_sandbox_bind(*statement, i + 1, &node->value, node->kind);
    }
    return code;
}

/* Fills the tables of WITH; of a check only looks whether that can be done. */
static int fill_withs(batch_sandbox_t *sandbox)
{
    const apr_array_header_t *withs = sandbox->calls.compiled->withs;
    int code = SQLITE_OK, i;

    sandbox->fills = 1;
    for (i = 0; code == SQLITE_OK && i < withs->nelts; i++) {
        sqlite3_stmt *statement = NULL;

        code =
            prepare(&statement, sandbox, APR_ARRAY_IDX(withs, i, const batch_compiled_with_t).fill);
        if (code == SQLITE_OK && !sandbox->run->check_only) {
            code = sqlite3_step(statement);
            code = code == SQLITE_DONE ? SQLITE_OK : code;
        }
        sqlite3_finalize(statement);
    }
    sandbox->fills = 0;
    return code;
}

/* From here on the database only answers. */
static int close_up(batch_sandbox_t *sandbox)
{
    const apr_array_header_t *withs = sandbox->calls.compiled->withs;
    int code = SQLITE_OK, i;

    for (i = 0; code == SQLITE_OK && i < withs->nelts; i++) {
        code = sqlite3_exec(sandbox->database,
                            APR_ARRAY_IDX(withs, i, const batch_compiled_with_t).create, NULL, NULL,
                            NULL);
    }
    if (code == SQLITE_OK) {
        code = batch_sandbox_harden(sandbox->database, &sandbox->fills);
    }
    return code == SQLITE_OK ? fill_withs(sandbox) : code;
}

/* The query again, now that it is known which members there are; as SQL. */
static apr_status_t compile(batch_compiled_t *compiled, batch_sandbox_t *sandbox)
{
    batch_query_run_t *run = sandbox->run;
    batch_membership_t membership = batch_sandbox_membership(sandbox);
    batch_compile_tables_t tables = {sandbox->table_of, sandbox->places};

    sandbox->statement = batch_query_parse(&run->text);
    if (!sandbox->statement || !batch_query_check_statement(sandbox->statement, &run->text,
                                                            run->schema, &membership, run->now)) {
        return BATCH_EINVALID;
    }
    return batch_query_compile(compiled, sandbox->statement, &tables, &run->text) ? APR_SUCCESS
                                                                                  : BATCH_EINVALID;
}

static apr_status_t run_statement(batch_sandbox_t *sandbox)
{
    batch_compiled_t compiled;
    sqlite3_stmt *statement = NULL;
    apr_status_t rv = compile(&compiled, sandbox);
    int code;

    batch_query_ids_init(sandbox->run, 0);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    sandbox->calls.compiled = &compiled;
    code = close_up(sandbox);
    if (code == SQLITE_OK) {
        code = prepare(&statement, sandbox, compiled.sql);
    }
    if (code == SQLITE_OK && !sqlite3_stmt_readonly(statement)) {
        code = SQLITE_AUTH;
    }
    if (code != SQLITE_OK) {
        rv = batch_sandbox_failed(sandbox, code);
    } else if (!sandbox->run->check_only) {
        rv = take_rows(sandbox, statement);
    }
    sqlite3_finalize(statement);
    return rv;
}

static apr_status_t open_and_run(batch_sandbox_t *sandbox, apr_pool_t *ptemp)
{
    int code = sqlite3_open_v2(":memory:", &sandbox->database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY |
                                   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                               NULL);
    apr_status_t rv;

    if (code == SQLITE_OK) {
        code = set_up(sandbox);
    }
    if (code != SQLITE_OK) {
        return batch_sandbox_failed(sandbox, code);
    }
    sqlite3_progress_handler(sandbox->database, STEPS, watch, sandbox);
    rv = batch_sandbox_load(sandbox, ptemp);
    return rv == APR_SUCCESS ? run_statement(sandbox) : rv;
}

apr_status_t batch_query_sandbox(batch_query_run_t *run, batch_tx_t *tx, apr_pool_t *ptemp)
{
    batch_sandbox_t *sandbox = apr_pcalloc(ptemp, sizeof(*sandbox));
    apr_status_t rv = apr_pool_create(&sandbox->room.p, ptemp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    BATCH_CHECK(run, BATCH_QUERY_RUN_MAGIC);
    sandbox->magic = BATCH_SANDBOX_MAGIC;
    sandbox->run = run;
    sandbox->tx = tx;
    sandbox->room.most = MOST_PER_RECORD;
    sandbox->room.look = look;
    sandbox->room.baton = sandbox;
    sandbox->calls.room = &sandbox->room;
    sandbox->names = apr_array_make(run->p, 32, sizeof(batch_sandbox_name_t));
    sandbox->places = apr_hash_make(run->p);
    sandbox->tables = apr_array_make(run->p, 4, sizeof(batch_sandbox_table_t));
    sandbox->member_names = apr_hash_make(run->p);
    batch_share_enter();
    sandbox->memory = sqlite3_memory_used();
    rv = open_and_run(sandbox, ptemp);
    sqlite3_close(sandbox->database);
    batch_sandbox_free_sets(&sandbox->calls);
    batch_share_leave();
#ifdef __GLIBC__
    if (sandbox->peak > TRIM_BEYOND) {
        malloc_trim(0); /* the library keeps what is free between what is used */
    }
#endif
    return rv;
}

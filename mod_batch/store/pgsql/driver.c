/*
 * PostgreSQL.
 *
 * apr_dbd opens connections and closes them. What lies between goes to libpq: apr_dbd shows no
 * SQLSTATE, takes every parameter for varchar, and has no round trip that carries more than one
 * statement.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_env.h>
#include <apr_strings.h>

#include "store/connection.h"
#include "store/drivers.h"
#include "store/pgsql/facts.h"
#include "store/pgsql/failures.h"
#include "store/pgsql/pipeline.h"
#include "store/pgsql/privileges.h"
#include "store/pgsql/rows.h"
#include "store/pgsql/statements.h"

/* The oldest server that knows all that we say (MATERIALIZED). */
#define OLDEST_SERVER 120000

/* Held while the module's own tables are made: "mod_batc". */
#define SCHEMA_LOCK "7885631833384252515"

/* ---- Parameters -------------------------------------------------------------------------------
 */

/*
 * What a connection is given unless the administrator's parameters say otherwise: to notice within
 * half a minute that the server, or the network, is gone.
 */
static const struct {
    const char *keyword;
    const char *value;
} defaults[] = {{"connect_timeout", "5"},    {"keepalives", "1"},
                {"keepalives_idle", "10"},   {"keepalives_interval", "5"},
                {"keepalives_count", "3"},   {"tcp_user_timeout", "25000"},
                {"client_encoding", "UTF8"}, {"application_name", "mod_batch"}};

/*
 * What the session is given, before the administrator's own options, which so have the last word.
 * A transaction of ours is never idle: where one is, its process is stopped or its machine is gone,
 * and a batch that it holds must not wait for it.
 */
#define SESSION                                                                                    \
    "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=5000"                       \
    " -c lock_timeout=%" APR_TIME_T_FMT

static const char *pg_check_params(const char *params, apr_pool_t *p)
{
    char *message = NULL;
    PQconninfoOption *options;
    const char *reason = NULL;

    if (!PQisthreadsafe()) {
        return "this libpq was built for a single thread";
    }
    options = PQconninfoParse(params ? params : "", &message);
    if (!options) {
        /* Other words of libpq's may quote a password. */
        reason = message && !strncmp(message, "invalid connection option", 25)
                     ? apr_pstrndup(p, message, strcspn(message, "\n"))
                     : "they are no connection string of libpq, as \"host=… dbname=… user=…\"";
    }
    PQfreemem(message);
    PQconninfoFree(options);
    return reason;
}

/* text as a value in a connection string. */
static const char *quoted(const char *text, apr_pool_t *p)
{
    char *copy = apr_palloc(p, 2 * strlen(text) + 3);
    char *next = copy;

    *next++ = '\'';
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') {
            *next++ = '\\';
        }
        *next++ = *text;
    }
    *next++ = '\'';
    *next = '\0';
    return copy;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++) {
        if (!strcmp(options->keyword, keyword)) {
            return options->val;
        }
    }
    return NULL;
}

static const char *with_option(const char *params, const char *keyword, const char *value,
                               apr_pool_t *p)
{
    return apr_pstrcat(p, params, " ", keyword, "=", quoted(value, p), NULL);
}

/* The administrator's parameters, and ours. NULL if they cannot be read. */
static const char *complete_params(const batch_connection_t *connection, apr_pool_t *p)
{
    PQconninfoOption *options = PQconninfoParse(connection->params, NULL);
    const PQconninfoOption *option;
    const char *params = "";
    const char *session;
    char *environment = NULL;
    apr_size_t i;

    for (option = options; option && option->keyword; option++) {
        if (option->val && strcmp(option->keyword, "options") != 0) {
            params = with_option(params, option->keyword, option->val, p);
        }
    }
    for (i = 0; options && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (!option_value(options, defaults[i].keyword)) {
            params = with_option(params, defaults[i].keyword, defaults[i].value, p);
        }
    }
    if (!options) {
        return NULL;
    }
    session = option_value(options, "options");
    if (session || !option_value(options, "service")) {
        /* A service may have options in its file, which ours would hide. */
        if (!session) {
            (void)apr_env_get(&environment, "PGOPTIONS", p);
            session = environment;
        }
        session = apr_psprintf(p, SESSION " %s",
                               connection->patience > 1000 ? connection->patience / 1000 : 1,
                               session ? session : "");
        params = with_option(params, "options", session, p);
    }
    PQconninfoFree(options);
    return params;
}

/* ---- Statements ------------------------------------------------------------------------------ */

/* What apr_dbd's notation of a statement (statements.h) is to PostgreSQL. */
static batch_failure_e pg_prepare(batch_connection_t *connection, batch_prepared_t **prepared,
                                  const char *sql, const char *label, int own)
{
    apr_size_t length = strlen(sql);
    char *text = apr_palloc(connection->scratch, 4 * length + 1);
    Oid *types = apr_palloc(connection->scratch, (length + 1) * sizeof(*types));
    char *next = text;
    int count = 0;

    (void)label;
    (void)own;
    for (; *sql; sql++) {
        if (*sql != '%') {
            *next++ = *sql;
        } else if (*++sql == '%') {
            *next++ = '%';
        } else {
            types[count++] = *sql == 's' ? BATCH_PGSQL_TEXT : BATCH_PGSQL_BIGINT;
            next += apr_snprintf(next, 12, "$%d", count);
            sql += *sql == 's' ? 0 : 2; /* s, or lld */
        }
    }
    *next = '\0';
    *prepared = (batch_prepared_t *)batch_pgsql_statement_make(connection, text, types, count);
    return BATCH_FAILURE_NONE;
}

static batch_failure_e queue_own(batch_connection_t *connection, batch_prepared_t *prepared,
                                 const void **values, batch_pgsql_what_e what, apr_pool_t *p)
{
    batch_pgsql_statement_t *statement = (batch_pgsql_statement_t *)prepared;
    const char **texts = apr_palloc(p, (apr_size_t)(statement->count + 1) * sizeof(*texts));
    int i;

    for (i = 0; i < statement->count; i++) {
        texts[i] = values ? values[i] : NULL; /* no values: a statement without parameters */
        if (texts[i] && statement->types[i] == BATCH_PGSQL_BIGINT) {
            texts[i] = apr_psprintf(p, "%" APR_INT64_T_FMT, *(const apr_int64_t *)values[i]);
        }
    }
    return batch_pgsql_queue(connection, statement, texts, what);
}

static batch_failure_e pg_run(batch_connection_t *connection, const char *sql)
{
    batch_failure_e failure = batch_pgsql_queue_text(connection, sql, BATCH_PGSQL_OWN);

    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(connection, NULL) : failure;
}

static batch_failure_e pg_execute(batch_connection_t *connection, int *rows,
                                  batch_prepared_t *prepared, const void **values, int own,
                                  apr_pool_t *p)
{
    batch_failure_e failure = queue_own(connection, prepared, values, BATCH_PGSQL_OWN, p);
    PGresult *result = NULL;

    (void)own;
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, &result);
    }
    *rows = failure == BATCH_FAILURE_NONE ? (int)apr_atoi64(PQcmdTuples(result)) : 0;
    return failure;
}

static batch_failure_e pg_execute_later(batch_connection_t *connection, batch_prepared_t *prepared,
                                        const void **values, apr_pool_t *p)
{
    return queue_own(connection, prepared, values, BATCH_PGSQL_ONE_ROW, p);
}

/* What batch_results_t and batch_row_t are here. */
typedef struct pgsql_row {
    PGresult *result;
    int number;
} pgsql_row_t;

static batch_failure_e pg_select(batch_connection_t *connection, batch_results_t **results,
                                 batch_prepared_t *prepared, const void **values, int own,
                                 apr_pool_t *p)
{
    batch_failure_e failure = queue_own(connection, prepared, values, BATCH_PGSQL_OWN, p);

    (void)own;
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, NULL);
    }
    if (failure == BATCH_FAILURE_NONE) {
        *results = (batch_results_t *)batch_pgsql_keep(connection, p);
    }
    return failure;
}

static int pg_row(batch_connection_t *connection, batch_row_t **row, batch_results_t *results,
                  apr_pool_t *p)
{
    pgsql_row_t *at = (pgsql_row_t *)*row;

    (void)connection;
    if (!at) {
        at = apr_palloc(p, sizeof(*at));
        at->result = (PGresult *)results;
        at->number = -1;
        *row = (batch_row_t *)at;
    }
    return ++at->number < PQntuples(at->result);
}

static const char *pg_text(const batch_connection_t *connection, batch_row_t *row, int column)
{
    const pgsql_row_t *at = (const pgsql_row_t *)row;

    (void)connection;
    return PQgetisnull(at->result, at->number, column) ? NULL
                                                       : PQgetvalue(at->result, at->number, column);
}

static apr_int64_t pg_number(const batch_connection_t *connection, batch_row_t *row, int column)
{
    const char *text = pg_text(connection, row, column);

    return text ? apr_atoi64(text) : 0;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* NULL, or why this server cannot be used. */
static const char *server_check(const batch_connection_t *connection)
{
    const char *encoding = PQparameterStatus(connection->native, "server_encoding");
    const char *strings = PQparameterStatus(connection->native, "standard_conforming_strings");

    if (PQserverVersion(connection->native) < OLDEST_SERVER) {
        return "PostgreSQL 12 or newer is needed";
    }
    if (encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0) {
        return "the database cannot hold every text: its encoding is not UTF8";
    }
    if (strings && strcmp(strings, "on") != 0) {
        return "standard_conforming_strings is off";
    }
    return NULL;
}

/*
 * A server does not notice by itself that the process is gone which it works for: it would finish
 * the statement, for up to a minute, and keep all others from the rows and from the batch. Unless
 * the administrator has said something else, it looks four times a second, from PostgreSQL 14 on:
 * oftener than whoever closes a connection at a stop waits for what it held (store/hurry.c).
 */
static batch_failure_e watch_client(batch_connection_t *connection)
{
    batch_failure_e failure = pg_run(connection, "SET client_connection_check_interval = 250");

    if (failure != BATCH_FAILURE_NONE && failure != BATCH_FAILURE_LOST) {
        batch_pgsql_forgive(connection); /* the server's system cannot tell */
        return BATCH_FAILURE_NONE;
    }
    return failure;
}

/*
 * A COMMIT that has returned must survive the server, whatever the administrator's default. And the
 * time that a statement may take is noted.
 */
static batch_failure_e set_up(batch_connection_t *connection)
{
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_queue_text(
        connection,
        "SELECT current_setting('synchronous_commit') = 'off', setting, EXISTS (SELECT FROM"
        " pg_settings WHERE name = 'client_connection_check_interval' AND source = 'default')"
        " FROM pg_settings WHERE name = 'statement_timeout'",
        BATCH_PGSQL_OWN);
    int is_lax, may_watch;

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, &result);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    is_lax = *PQgetvalue(result, 0, 0) == 't';
    batch_pgsql_state(connection)->timeout = apr_atoi64(PQgetvalue(result, 0, 1));
    may_watch = *PQgetvalue(result, 0, 2) == 't';
    if (is_lax) {
        failure = pg_run(connection, "SET synchronous_commit = on");
    }
    return failure == BATCH_FAILURE_NONE && may_watch ? watch_client(connection) : failure;
}

static batch_failure_e pg_open(batch_connection_t *connection, const char **message, apr_pool_t *p)
{
    const char *params = complete_params(connection, p);
    const char *reason = NULL;
    batch_failure_e failure;

    if (!params || apr_dbd_open_ex(connection->dbd, connection->p, params, &connection->handle,
                                   &reason) != APR_SUCCESS) {
        connection->handle = NULL;
        reason = reason ? reason : "no reason given";
        *message = apr_pstrndup(p, reason, strcspn(reason, "\n"));
        return BATCH_FAILURE_LOST;
    }
    connection->native = apr_dbd_native_handle(connection->dbd, connection->handle);
    reason = server_check(connection);
    if (reason) {
        *message = reason;
        return BATCH_FAILURE_LOST;
    }
    failure = batch_pgsql_start(connection);
    if (failure == BATCH_FAILURE_NONE) {
        failure = set_up(connection);
    }
    if (failure != BATCH_FAILURE_NONE) {
        *message = apr_pstrdup(p, batch_pgsql_message(connection));
    }
    return failure;
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static batch_failure_e begin(batch_connection_t *connection, const char *sql)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);

    batch_pgsql_forgive(connection);
    state->committed = 0;
    state->open = 0;
    state->clock = 0;
    state->place = 0;
    state->transactions++;
    return batch_pgsql_queue_text(connection, sql, BATCH_PGSQL_OWN);
}

/* Nothing of it is sent yet: it goes with the first statement. */
static batch_failure_e pg_begin(batch_connection_t *connection, batch_begin_e kind, int own)
{
    batch_failure_e failure = begin(
        connection, kind == BATCH_BEGIN_READ ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                             : "BEGIN ISOLATION LEVEL READ COMMITTED");
    batch_prepared_t *version;

    if (failure == BATCH_FAILURE_NONE && own) {
        failure = batch_connection_own(connection, &version, BATCH_SQL_VERSION);
    }
    if (failure == BATCH_FAILURE_NONE && own) {
        failure = queue_own(connection, version, NULL, BATCH_PGSQL_VERSION,
                            batch_connection_scratch(connection));
    }
    return failure;
}

static batch_failure_e select_number(batch_connection_t *connection, apr_int64_t *number,
                                     const char *sql)
{
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_queue_text(connection, sql, BATCH_PGSQL_OWN);

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, &result);
    }
    *number = failure == BATCH_FAILURE_NONE && PQntuples(result) > 0
                  ? apr_atoi64(PQgetvalue(result, 0, 0))
                  : 0;
    return failure;
}

static batch_failure_e pg_begin_schema(batch_connection_t *connection, apr_int64_t *version)
{
    apr_int64_t there = 0;
    batch_failure_e failure = begin(connection, "BEGIN ISOLATION LEVEL READ COMMITTED");

    *version = 0;
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_queue_text(
            connection, "SELECT pg_advisory_xact_lock(" SCHEMA_LOCK ")", BATCH_PGSQL_OWN);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = select_number(connection, &there,
                                "SELECT count(to_regclass(quote_ident(current_schema())"
                                " || '.batch_schema'))");
    }
    if (failure == BATCH_FAILURE_NONE && there) {
        failure = select_number(connection, version,
                                "SELECT coalesce(max(version), 0) FROM batch_schema");
    }
    return failure;
}

static batch_failure_e pg_add_column(batch_connection_t *connection, const char *table,
                                     const char *column, const char *definition)
{
    char sql[256];

    apr_snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s", table, column,
                 definition);
    return pg_run(connection, sql);
}

static batch_failure_e pg_rename_column(batch_connection_t *connection, const char *table,
                                        const char *from, const char *to)
{
    char sql[256];
    apr_int64_t there = 0;
    batch_failure_e failure;

    apr_snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM pg_attribute WHERE attrelid = '%s'::regclass"
                 " AND attname = '%s' AND NOT attisdropped",
                 table, from);
    failure = select_number(connection, &there, sql);
    if (failure != BATCH_FAILURE_NONE || !there) {
        return failure;
    }
    apr_snprintf(sql, sizeof(sql), "ALTER TABLE %s RENAME COLUMN %s TO %s", table, from, to);
    return pg_run(connection, sql);
}

/*
 * The stored items are compressed by lz4, which is there from 14 on if it was built in; the default
 * (pglz) has a fifth of its speed, and takes longer than it saves.
 */
static batch_failure_e pg_refine_schema(batch_connection_t *connection)
{
    apr_int64_t has_lz4 = 0;
    batch_failure_e failure =
        select_number(connection, &has_lz4,
                      "SELECT count(*) FROM pg_settings WHERE name = 'default_toast_compression'"
                      " AND 'lz4' = ANY (enumvals)");

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    return pg_run(connection, has_lz4 ? "ALTER TABLE batch_items ALTER data SET STORAGE EXTENDED,"
                                        " ALTER data SET COMPRESSION lz4"
                                      : "ALTER TABLE batch_items ALTER data SET STORAGE EXTERNAL");
}

static batch_failure_e pg_commit(batch_connection_t *connection)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    batch_failure_e failure = BATCH_FAILURE_NONE;

    if (!state->open) {
        failure = batch_pgsql_flush(connection, NULL); /* BEGIN, and a look at the version */
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_queue_text(connection, "COMMIT", BATCH_PGSQL_COMMIT);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, NULL);
    }
    return state->committed ? BATCH_FAILURE_NONE : failure;
}

static batch_failure_e pg_rollback(batch_connection_t *connection)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    batch_failure_e failure = BATCH_FAILURE_NONE;

    (void)batch_pgsql_flush(connection, NULL);
    if (state->open && !state->lost && !state->committed) {
        batch_pgsql_forgive(connection);
        failure = pg_run(connection, "ROLLBACK");
    }
    return state->lost || failure != BATCH_FAILURE_NONE ? BATCH_FAILURE_LOST : BATCH_FAILURE_NONE;
}

static apr_int64_t pg_take_place(batch_connection_t *connection)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    apr_int64_t place = state->place;

    state->place = 0;
    return place;
}

static void pg_idle(batch_connection_t *connection, batch_idle_e when)
{
    (void)connection;
    (void)when;
}

/* The server's clock when it looked at the version, and the time since. */
static apr_time_t pg_now(batch_connection_t *connection)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(connection);

    if (!state->clock) {
        (void)batch_pgsql_flush(connection, NULL);
    }
    return state->clock ? state->clock + (batch_ticks() - state->clock_at) : apr_time_now();
}

/* ---- The administrator's tables ---------------------------------------------------------------
 */

static batch_failure_e pg_columns(batch_connection_t *connection, apr_array_header_t **names,
                                  int *ignore_case, const char *table, apr_pool_t *p)
{
    batch_pgsql_table_t *found = NULL;
    batch_failure_e failure = batch_pgsql_table(connection, &found, table, 1);
    int i;

    *ignore_case = 0;
    *names = apr_array_make(p, 16, sizeof(const char *));
    for (i = 0; failure == BATCH_FAILURE_NONE && i < found->columns->nelts; i++) {
        APR_ARRAY_PUSH(*names, const char *) =
            apr_pstrdup(p, APR_ARRAY_IDX(found->columns, i, batch_pgsql_column_t).name);
    }
    return failure;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static batch_failure_e queue_all(batch_connection_t *connection, const char *const *sql)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;

    for (; failure == BATCH_FAILURE_NONE && *sql; sql++) {
        failure = batch_pgsql_queue_text(connection, *sql, BATCH_PGSQL_ROWS);
    }
    return failure;
}

static batch_failure_e pg_step_begin(batch_connection_t *connection)
{
    return batch_pgsql_queue_text(connection, "SAVEPOINT batch_step", BATCH_PGSQL_OWN);
}

static batch_failure_e pg_step_undo(batch_connection_t *connection)
{
    static const char *const undo[] = {"ROLLBACK TO SAVEPOINT batch_step",
                                       "RELEASE SAVEPOINT batch_step", NULL};

    return queue_all(connection, undo);
}

/* That constraints are checked at once, from then on, is undone: the next step may need time. */
static batch_failure_e pg_step_end(batch_connection_t *connection, const char **message,
                                   apr_pool_t *p)
{
    static const char *const check[] = {"SAVEPOINT batch_check", "SET CONSTRAINTS ALL IMMEDIATE",
                                        NULL};
    static const char *const keep[] = {"ROLLBACK TO SAVEPOINT batch_check",
                                       "RELEASE SAVEPOINT batch_step", NULL};
    batch_failure_e failure = queue_all(connection, check);

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, NULL);
    }
    if (failure == BATCH_FAILURE_NONE) {
        return queue_all(connection, keep);
    }
    if (failure != BATCH_FAILURE_REFUSED) {
        return failure;
    }
    *message = apr_pstrdup(p, batch_pgsql_message(connection));
    batch_pgsql_forgive(connection);
    return pg_step_undo(connection);
}

const batch_driver_t batch_driver_pgsql = {
    .name = "pgsql",
    .chunk_bytes = 8 * 1024 * 1024, /* it holds copies of them until its end */
    .statements = batch_pgsql_statements,
    .schema = batch_pgsql_schema,
    .sets = 1,
    .check_params = pg_check_params,
    .open = pg_open,
    .begin = pg_begin,
    .begin_schema = pg_begin_schema,
    .add_column = pg_add_column,
    .rename_column = pg_rename_column,
    .refine_schema = pg_refine_schema,
    .commit = pg_commit,
    .take_place = pg_take_place,
    .rollback = pg_rollback,
    .step_begin = pg_step_begin,
    .step_end = pg_step_end,
    .step_undo = pg_step_undo,
    .idle = pg_idle,
    .message = batch_pgsql_message,
    .now = pg_now,
    .run = pg_run,
    .prepare = pg_prepare,
    .execute = pg_execute,
    .select = pg_select,
    .row = pg_row,
    .number = pg_number,
    .text = pg_text,
    .execute_later = pg_execute_later,
    .columns = pg_columns,
    .facts = batch_pgsql_facts,
    .independent = batch_pgsql_independent,
    .privileges = batch_pgsql_privileges,
    .scope_check = batch_pgsql_scope_check,
    .form_check = batch_pgsql_form_check,
    .scan = batch_pgsql_scan,
    .errors_insert = batch_pgsql_errors_insert,
    .rows_delete = batch_pgsql_rows_delete,
    .rows_update = batch_pgsql_rows_update,
    .rows_merge = batch_pgsql_rows_merge,
    .rows_look = batch_pgsql_rows_look,
    .keys_walk = batch_pgsql_keys_walk,
    .rows_apart = batch_pgsql_rows_apart,
};

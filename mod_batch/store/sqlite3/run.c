#include "store/sqlite3/run.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sqlite3/ask.h"
#include "store/sqlite3/failures.h"
#include "store/sqlite3/rows.h"
#include "text/moments.h"
#include "text/numbers.h"
#include "text/check.h"

/* ---- A connection for rows ---------------------------------------------------------------------
 */

/* 1 if some word stands in the schema, or if that cannot be told. */
static int schema_says(batch_connection_t *connection, const char *pattern)
{
    sqlite3_stmt *statement = NULL;
    int says = 1;

    if (batch_sqlite3_ask(connection, &statement,
                          "SELECT 1 FROM sqlite_master WHERE upper(sql) || ' ' GLOB ?1 LIMIT 1",
                          &pattern, 1) == BATCH_FAILURE_NONE) {
        says = sqlite3_step(statement) != SQLITE_DONE;
        sqlite3_finalize(statement);
    }
    return says;
}

/* Before the first use of a connection for rows, and the first after each change of the schema. */
static void make_ready(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (state->rows_ready) {
        return;
    }
    /*
     * RAISE(FAIL), OR FAIL and ON CONFLICT FAIL leave what a refused statement has done so far.
     * Where the schema has that word each row gets a savepoint; elsewhere it would cost for
     * nothing.
     */
    state->savepoints = schema_says(connection, "*[^A-Z0-9_]FAIL[^A-Z0-9_]*");
    state->ignores = schema_says(connection, "*[^A-Z0-9_]IGNORE[^A-Z0-9_]*");
    state->rows_ready = 1;
}

/* The KiB of pages that the database has, with those that are in the log only; 0: who knows. */
static apr_int64_t database_size(batch_connection_t *connection)
{
    sqlite3_stmt *statement = NULL;
    apr_int64_t bytes = 0;
    int code;

    if (batch_sqlite3_ask(connection, &statement,
                          "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                          NULL, 0) != BATCH_FAILURE_NONE) {
        return 0;
    }
    code = sqlite3_step(statement);
    bytes = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    return batch_sqlite3_asked(connection, statement, code) == BATCH_FAILURE_NONE ? bytes / 1024
                                                                                  : 0;
}

/*
 * Rows lie anywhere: with the default cache of 2 MiB the same pages are read again and again. Where
 * chunks touch all of a database, one after the other, its pages are best kept from chunk to chunk;
 * of a larger one a larger part would be of little use.
 */
static int wanted_cache(batch_connection_t *connection, const batch_tx_t *tx)
{
    apr_int64_t size = tx->turn == BATCH_TURN_CHUNK ? database_size(connection) : 0;

    return size > 0 && size <= BATCH_SQLITE3_SMALL ? BATCH_SQLITE3_CACHE_MOST : BATCH_SQLITE3_CACHE;
}

/* Before the first rows of a transaction. */
static void size_cache(batch_connection_t *connection, const batch_tx_t *tx)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int cache = state->rows_used ? state->cache : wanted_cache(connection, tx);
    char sql[64];

    /* A request's rows do with what a chunk has left, until that is given back. */
    if (state->cache == cache || (state->cache > cache && tx->turn != BATCH_TURN_CHUNK)) {
        return;
    }
    apr_snprintf(sql, sizeof(sql), "PRAGMA cache_size = %d", -cache);
    sqlite3_exec(connection->native, sql, NULL, NULL, NULL);
    state->cache = cache;
    batch_library_memory_set(&state->memory, state->memory.least, batch_sqlite3_most(state));
}

batch_failure_e batch_sqlite3_run_start(batch_sqlite3_run_t *run, batch_tx_t *tx,
                                        const batch_row_scope_t *scope, const char *now,
                                        apr_pool_t *p)
{
    batch_failure_e failure;

    memset(run, 0, sizeof(*run));
    run->magic = BATCH_SQLITE3_RUN_MAGIC;
    run->connection = tx->connection;
    run->p = p;
    batch_row_plan_init(&run->plan, scope, now, 1, p);
    if (run->plan.column_count > BATCH_SQLITE3_COLUMNS) {
        return BATCH_FAILURE_STATEMENT;
    }
    make_ready(run->connection);
    size_cache(run->connection, tx);
    batch_sqlite3_state(run->connection)->rows_used = 1;
    failure = batch_sqlite3_target(run->connection, &run->target, scope);
    if (failure == BATCH_FAILURE_NONE) {
        run->call = batch_sqlite3_groups(run->connection)->calls;
    }
    return failure;
}

/* ---- Statements --------------------------------------------------------------------------------
 */

/* Binds in the form that the column's type has in SQLite. Texts must outlive the step. */
static int bind_value(sqlite3_stmt *statement, int parameter, const batch_column_t *column,
                      const char *text)
{
    apr_int64_t whole;
    double number;

    if (!text) {
        return sqlite3_bind_null(statement, parameter);
    }
    switch (batch_type_stored(column->type)) {
    case BATCH_STORED_BOOLEAN:
        return sqlite3_bind_int(statement, parameter, !strcmp(text, "true") || !strcmp(text, "1"));
    case BATCH_STORED_INTEGER:
        if (batch_number_whole(&whole, text)) {
            return sqlite3_bind_int64(statement, parameter, whole);
        }
        break;
    case BATCH_STORED_DOUBLE:
        if (batch_number_double(&number, text)) {
            return sqlite3_bind_double(statement, parameter, number);
        }
        break;
    case BATCH_STORED_TEXT:
    case BATCH_STORED_UUID:
    case BATCH_STORED_DECIMAL:
        break;
    }
    return sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC);
}

int batch_sqlite3_bind_text(sqlite3_stmt *statement, int parameter, const char *text)
{
    return text ? sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC)
                : sqlite3_bind_null(statement, parameter);
}

/*
 * Binds a key. Where keys are integers SQLite would take a text for one that says something else,
 * as " 7" or "7.0": it finds no row as bytes, which are no number whatever they say. But for those
 * that SQLite writes itself: a column of integers may hold 1e+20, and texts that are no numbers. A
 * new row gets what was sent.
 */
static int bind_key(const batch_sqlite3_run_t *run, sqlite3_stmt *statement, int parameter,
                    int is_new)
{
    const char *key = run->plan.item->key;
    const char *digits = key ? key + (*key == '-') : "";
    apr_int64_t number;

    if (!key || is_new || run->target->table.key_type != BATCH_KEY_INTEGER) {
        return batch_sqlite3_bind_text(statement, parameter, key);
    }
    if (*digits >= '0' && *digits <= '9' && batch_number_whole(&number, key)) {
        return sqlite3_bind_int64(statement, parameter, number);
    }
    return key[strspn(key, " \t\n\v\f\r+-.0123456789eE")] || run->is_walked
               ? batch_sqlite3_bind_text(statement, parameter, key)
               : sqlite3_bind_blob(statement, parameter, key, (int)strlen(key), SQLITE_STATIC);
}

/* What is the same for all items of a call, as far as it is asked for. */
static int bind_constants(const batch_row_plan_t *plan, sqlite3_stmt *statement, int count)
{
    int first = plan->column_count + BATCH_PARAMETER_SCOPE;
    int code = SQLITE_OK;
    int i;

    for (i = 0; code == SQLITE_OK && i < BATCH_CONSTANTS && first + i <= count; i++) {
        code = batch_sqlite3_bind_text(statement, first + i, plan->constants[i]);
    }
    return code;
}

batch_sqlite3_group_t *batch_sqlite3_run_group(const batch_sqlite3_run_t *run,
                                               batch_group_kind_e kind, int tells)
{
    return batch_sqlite3_group(run->connection, run->target, kind, tells, run->plan.columns,
                               run->plan.width);
}

batch_failure_e batch_sqlite3_run_statement(const batch_sqlite3_run_t *run,
                                            sqlite3_stmt **statement, batch_sqlite3_group_t *group,
                                            batch_group_statement_e which)
{
    const batch_row_plan_t *plan = &run->plan;
    int key = plan->column_count + BATCH_PARAMETER_KEY;
    batch_failure_e failure;
    int code = SQLITE_OK;
    int count, i;

    BATCH_CHECK(run, BATCH_SQLITE3_RUN_MAGIC);
    if (!group->statements[which]) {
        failure = batch_sqlite3_group_prepare(run->connection, group, plan, which);
        if (failure != BATCH_FAILURE_NONE) {
            return failure;
        }
    }
    *statement = group->statements[which];
    count = sqlite3_bind_parameter_count(*statement);
    if (group->bound[which] != run->call) {
        code = bind_constants(plan, *statement, count);
        group->bound[which] = run->call;
    }
    for (i = 0; code == SQLITE_OK && plan->item && i < plan->item->value_count; i++) {
        int place = plan->places[i];

        /* Values that this statement does not ask for may be behind its last parameter. */
        if (place >= 0 && place < count) {
            code = bind_value(*statement, place + 1, batch_row_plan_column(plan, place),
                              plan->item->values[i].value);
        }
    }
    if (code == SQLITE_OK && plan->item && key <= count) {
        code = bind_key(run, *statement, key, which == BATCH_GROUP_INSERT);
    }
    return batch_sqlite3_classify(run->connection, code, 0);
}

batch_failure_e batch_sqlite3_run_end(const batch_sqlite3_run_t *run, sqlite3_stmt *statement,
                                      int code)
{
    batch_failure_e failure = code == SQLITE_DONE || code == SQLITE_ROW
                                  ? BATCH_FAILURE_NONE
                                  : batch_sqlite3_classify(run->connection, code, 0);

    sqlite3_reset(statement);
    return failure;
}

const char *batch_sqlite3_run_key(const batch_sqlite3_run_t *run, sqlite3_stmt *statement)
{
    const char *key = (const char *)sqlite3_column_text(statement, 0);
    const char *own = run->plan.item->key;

    key = key ? key : "";
    return own && !strcmp(own, key) ? NULL : apr_pstrdup(run->p, key);
}

batch_failure_e batch_sqlite3_run_change(batch_sqlite3_run_t *run, int *changed,
                                         batch_sqlite3_group_t *group,
                                         batch_group_statement_e which)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = batch_sqlite3_run_statement(run, &statement, group, which);
    int code;

    *changed = run->told = 0;
    if (failure == BATCH_FAILURE_NONE) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            run->told = 1;
            run->touched_key = batch_sqlite3_run_key(run, statement);
            run->touched_row = sqlite3_column_int64(statement, 1);
        }
        failure = batch_sqlite3_run_end(run, statement, code);
    }
    if (failure == BATCH_FAILURE_NONE) {
        *changed = sqlite3_changes(run->connection->native);
    }
    return failure;
}

batch_failure_e batch_sqlite3_run_count(const batch_sqlite3_run_t *run, int *found,
                                        batch_sqlite3_group_t *group)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = batch_sqlite3_run_statement(run, &statement, group, BATCH_GROUP_FIND);
    int code;

    *found = 0;
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        (*found)++;
    }
    return batch_sqlite3_run_end(run, statement, code);
}

batch_failure_e batch_sqlite3_run_touch(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                                        int *missing, batch_sqlite3_group_t *group,
                                        batch_group_statement_e which)
{
    const batch_sqlite3_state_t *state = batch_sqlite3_state(run->connection);
    int careful = group->kind == BATCH_GROUP_BY_MATCH && !run->target->table.match_unique;
    int found = 1, changed = 0;
    batch_failure_e failure = BATCH_FAILURE_NONE;

    BATCH_CHECK(run, BATCH_SQLITE3_RUN_MAGIC);
    if (careful) {
        failure = batch_sqlite3_run_count(run, &found, group);
    }
    if (failure == BATCH_FAILURE_NONE && found == 1) {
        failure = batch_sqlite3_run_change(run, &changed, group, which);
        /* A trigger may say that the row is to stay as it is: then it is there. */
        if (failure == BATCH_FAILURE_NONE && !changed && state->ignores) {
            failure = batch_sqlite3_run_count(run, &found, group);
        } else if (!changed && !careful) {
            found = 0;
        }
    }
    *missing = !found;
    if (found > 1 && careful) {
        outcome->result = BATCH_ROW_AMBIGUOUS;
    } else if (found && !changed) {
        batch_rows_refuse(outcome, 1,
                          which == BATCH_GROUP_DELETE ? batch_row_still_there : batch_row_unchanged,
                          BATCH_REFUSAL_FINAL);
    } else {
        outcome->result = found ? BATCH_ROW_APPLIED : BATCH_ROW_NOT_FOUND;
    }
    return failure;
}

/* ---- The savepoint of an item ------------------------------------------------------------------
 */

static batch_failure_e native_run(batch_connection_t *connection, const char *sql)
{
    return batch_sqlite3_classify(connection,
                                  sqlite3_exec(connection->native, sql, NULL, NULL, NULL), 0);
}

/* Before the statements on a row. undo: also what succeeds is undone if we refuse it. */
static batch_failure_e row_begin(batch_connection_t *connection, int undo)
{
    int savepoints = undo || batch_sqlite3_state(connection)->savepoints;

    return savepoints ? native_run(connection, "SAVEPOINT batch_row") : BATCH_FAILURE_NONE;
}

static int has_column(batch_connection_t *connection, const char *table, const char *column)
{
    return !column || sqlite3_table_column_metadata(connection->native, NULL, table, column, NULL,
                                                    NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* 1 if the table has all columns that a statement on its rows may name. */
static int fits(batch_connection_t *connection, const batch_resource_t *resource)
{
    const char *const names[] = {
        resource->key,        resource->scope,         resource->form_column,  resource->created_at,
        resource->updated_at, resource->created_by_id, resource->updated_by_id};
    apr_size_t i;
    int j;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!has_column(connection, resource->table, names[i])) {
            return 0;
        }
    }
    for (j = 0; resource->columns && j < resource->columns->nelts; j++) {
        const char *name = APR_ARRAY_IDX(resource->columns, j, batch_column_t).name;

        if (!has_column(connection, resource->table, name)) {
            return 0;
        }
    }
    return 1;
}

/*
 * Behind them, the last of which returned failure. BATCH_FAILURE_REFUSED if the row was refused:
 * then nothing is left of it, and *message has the database's words. BATCH_FAILURE_STATEMENT if the
 * resource's table, or a column of it, is not there. undo: as it was begun.
 */
static batch_failure_e row_end(const batch_sqlite3_run_t *run, const char **message,
                               batch_failure_e failure, int undo)
{
    batch_connection_t *connection = run->connection;
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int savepoints = undo || state->savepoints;
    batch_failure_e undone;

    if (failure == BATCH_FAILURE_STATEMENT || failure == BATCH_FAILURE_REFUSED) {
        state->refusal = batch_sqlite3_refusal(connection);
        *message = apr_pstrdup(run->p, connection->driver->message(connection));
        if (failure == BATCH_FAILURE_STATEMENT && !fits(connection, run->plan.resource)) {
            return failure; /* and the whole transaction with it */
        }
        failure = sqlite3_get_autocommit(connection->native) ? BATCH_FAILURE_ENDED
                                                             : BATCH_FAILURE_REFUSED;
    }
    if (savepoints && failure == BATCH_FAILURE_REFUSED) {
        undone = native_run(connection, "ROLLBACK TO batch_row");
        failure = undone == BATCH_FAILURE_NONE ? failure : undone;
    }
    if (savepoints && (failure == BATCH_FAILURE_NONE || failure == BATCH_FAILURE_REFUSED)) {
        undone = native_run(connection, "RELEASE batch_row");
        failure = undone == BATCH_FAILURE_NONE ? failure : undone;
    }
    return failure;
}

/* ---- All items ---------------------------------------------------------------------------------
 */

int batch_sqlite3_run_offers(const batch_sqlite3_run_t *run)
{
    const batch_sqlite3_state_t *state = batch_sqlite3_state(run->connection);

    return run->target->table.offers && !state->savepoints && !state->ignores;
}

int batch_sqlite3_run_is_watched(const batch_sqlite3_run_t *run)
{
    return run->tells && run->target->table.triggers;
}

static batch_failure_e apply_item(batch_sqlite3_run_t *run, const batch_rows_t *rows, int i,
                                  batch_sqlite3_item_fn *fn)
{
    batch_row_outcome_t *outcome = &rows->outcomes[i];
    int undo = batch_sqlite3_run_is_watched(run);
    const char *message = NULL;
    batch_failure_e failure = row_begin(run->connection, undo);

    memset(outcome, 0, sizeof(*outcome));
    run->why = NULL;
    run->inserting = 0;
    if (failure == BATCH_FAILURE_NONE) {
        failure = row_end(run, &message, fn(run, rows, i), undo);
    }
    if (failure == BATCH_FAILURE_REFUSED) {
        batch_rows_refuse(outcome, 1, run->why ? run->why : message,
                          run->why || outcome->unsure
                              ? BATCH_REFUSAL_FINAL
                              : batch_sqlite3_state(run->connection)->refusal);
        failure = BATCH_FAILURE_NONE;
    }
    return failure;
}

static batch_failure_e apply_next(batch_sqlite3_run_t *run, batch_rows_t *rows,
                                  batch_sqlite3_item_fn *fn)
{
    batch_failure_e failure = apply_item(run, rows, rows->done, fn);

    rows->done += failure == BATCH_FAILURE_NONE;
    return failure;
}

/* The same with a piece of them, in the order of their keys. */
static batch_failure_e apply_piece(batch_sqlite3_run_t *run, batch_rows_t *rows, apr_time_t begun,
                                   batch_sqlite3_item_fn *fn)
{
    const int count = batch_sqlite3_piece(rows, begun);
    const int *order = batch_sqlite3_order(rows->items + rows->done, count, run->p);
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int i;

    for (i = 0; failure == BATCH_FAILURE_NONE && i < count; i++) {
        failure = apply_item(run, rows, rows->done + order[i], fn);
    }
    rows->done += failure == BATCH_FAILURE_NONE ? count : 0;
    return failure;
}

int batch_sqlite3_is_full(const batch_connection_t *connection)
{
    int cache = batch_sqlite3_state(connection)->cache;
    int bytes = 0, most = 0;

    return cache > 0 &&
           sqlite3_db_status(connection->native, SQLITE_DBSTATUS_CACHE_USED, &bytes, &most, 0) ==
               SQLITE_OK &&
           bytes > (cache + cache / 4) * 1024;
}

/* 1 if a chunk has no room for more pages. Where items go one by one it is looked at now and then.
 */
static int is_at_its_end(const batch_tx_t *tx, const batch_rows_t *rows, int one_by_one)
{
    return tx->turn == BATCH_TURN_CHUNK && (!one_by_one || rows->done % 32 == 0) &&
           batch_sqlite3_is_full(tx->connection);
}

apr_status_t batch_sqlite3_run_apply(batch_tx_t *tx, batch_rows_t *rows, batch_sqlite3_item_fn *fn,
                                     batch_sqlite3_change_e change)
{
    const apr_time_t begun = apr_time_now();
    batch_sqlite3_run_t run;
    batch_failure_e failure = batch_sqlite3_run_start(
        &run, tx, rows->scope, batch_time_format(batch_tx_now(tx), rows->p), rows->p);
    int sorted = change == BATCH_SQLITE3_DELETES && failure == BATCH_FAILURE_NONE &&
                 run.target->table.deletes_freely;

    run.tells = change == BATCH_SQLITE3_MERGES && rows->scope->tell_keys;
    rows->done = 0;
    while (
        failure == BATCH_FAILURE_NONE && rows->done < rows->count &&
        (!rows->done || (apr_time_now() <= rows->deadline && !is_at_its_end(tx, rows, !sorted)))) {
        failure = sorted ? apply_piece(&run, rows, begun, fn) : apply_next(&run, rows, fn);
    }
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(tx, failure, "rows");
}

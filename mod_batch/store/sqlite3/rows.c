/*
 * SQLite: rows are changed by one prepared statement an item, which is twice as fast as anything
 * that passes a set, and says of each row what became of it. Nothing is allocated for an item
 * unless it is refused.
 */
#include "store/sqlite3/rows.h"

#include <string.h>

#include <sqlite3.h>

#include <apr_strings.h>

#include "store/sqlite3/failures.h"
#include "text/moments.h"
#include "text/numbers.h"

/* A list of SQL pieces and of the values for their parameters. */
typedef struct sql_builder {
    const batch_resource_t *resource;
    apr_array_header_t *pieces; /* of const char * */
    apr_array_header_t *values; /* of const void *, as apr_dbd_pbquery takes them */
    apr_pool_t *p;
} sql_builder_t;

static void builder_init(sql_builder_t *builder, const batch_resource_t *resource, apr_pool_t *p)
{
    builder->resource = resource;
    builder->pieces = apr_array_make(p, 32, sizeof(const char *));
    builder->values = apr_array_make(p, 8, sizeof(const void *));
    builder->p = p;
}

static void add(sql_builder_t *builder, const char *piece)
{
    APR_ARRAY_PUSH(builder->pieces, const char *) = piece;
}

static void add_value(sql_builder_t *builder, const char *format, const void *value)
{
    APR_ARRAY_PUSH(builder->pieces, const char *) = format;
    APR_ARRAY_PUSH(builder->values, const void *) = value;
}

static void add_identifier(sql_builder_t *builder, const char *name)
{
    add(builder, batch_sql_identifier(name, builder->p));
}

/*
 * "table"."column" = ?. Always with the table: SQLite takes a quoted name that it does not know
 * for a string, so that a condition on a column that was dropped would compare two constants.
 */
static void add_condition(sql_builder_t *builder, const char *word, const char *table,
                          const char *column, const void *value)
{
    add(builder, word);
    add_identifier(builder, table);
    add(builder, ".");
    add_identifier(builder, column);
    add(builder, " = ");
    add_value(builder, "%s", value);
}

/* The condition of every statement on rows. Returns which value is the key. */
static int add_where(sql_builder_t *builder, const batch_row_scope_t *scope)
{
    const batch_resource_t *resource = scope->resource;
    int key = builder->values->nelts;

    add_condition(builder, " WHERE ", resource->table, resource->key, NULL);
    if (resource->scope) {
        add_condition(builder, " AND ", resource->table, resource->scope, scope->organization);
    }
    if (resource->form_column && scope->form_id) {
        add_condition(builder, " AND ", resource->table, resource->form_column, scope->form_id);
    }
    return key;
}

/* Adds a value in the form that its column's type has in SQLite. */
static void add_typed(sql_builder_t *builder, const batch_resource_t *resource,
                      const batch_value_t *value)
{
    const batch_column_t *column = batch_resource_column(resource, value->name);
    batch_stored_e stored =
        column && value->value ? batch_type_stored(column->type) : BATCH_STORED_TEXT;
    apr_int64_t *integer = apr_palloc(builder->p, sizeof(*integer));
    double *number = apr_palloc(builder->p, sizeof(*number));

    switch (stored) {
    case BATCH_STORED_BOOLEAN:
        *integer = !strcmp(value->value, "true") || !strcmp(value->value, "1");
        add_value(builder, "%lld", integer);
        return;
    case BATCH_STORED_INTEGER:
        if (batch_number_whole(integer, value->value)) {
            add_value(builder, "%lld", integer);
            return;
        }
        break;
    case BATCH_STORED_DOUBLE:
        if (batch_number_double(number, value->value)) {
            add_value(builder, "%lf", number);
            return;
        }
        break;
    case BATCH_STORED_TEXT:
    case BATCH_STORED_UUID:
    case BATCH_STORED_DECIMAL:
        break;
    }
    add_value(builder, "%s", value->value);
}

/* 1 if some word stands in the schema, or if that cannot be told. */
static int schema_says(batch_connection_t *connection, const char *pattern)
{
    sqlite3_stmt *statement = NULL;
    int says = 1;

    if (sqlite3_prepare_v2(connection->native,
                           "SELECT 1 FROM sqlite_master WHERE upper(sql) || ' ' GLOB ?1 LIMIT 1",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, pattern, -1, SQLITE_STATIC) == SQLITE_OK) {
        says = sqlite3_step(statement) != SQLITE_DONE;
    }
    sqlite3_finalize(statement);
    return says;
}

void batch_sqlite3_rows_ready(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (state->rows_ready) {
        return;
    }
    /*
     * Rows lie anywhere: with the default cache of 2 MiB the same pages go to the log several times
     * in a chunk. 16 MiB stay; what a chunk changes may take 20 MiB until its COMMIT.
     */
    sqlite3_exec(connection->native, "PRAGMA cache_size = -16384", NULL, NULL, NULL);
    sqlite3_exec(connection->native, "PRAGMA cache_spill = 5120", NULL, NULL, NULL);
    /*
     * RAISE(FAIL), OR FAIL and ON CONFLICT FAIL leave what a refused statement has done so far.
     * Where the schema has that word each row gets a savepoint; elsewhere it would cost for
     * nothing.
     */
    state->savepoints = schema_says(connection, "*[^A-Z0-9_]FAIL[^A-Z0-9_]*");
    state->ignores = schema_says(connection, "*[^A-Z0-9_]IGNORE[^A-Z0-9_]*");
    state->rows_ready = 1;
}

static batch_failure_e native_run(batch_connection_t *connection, const char *sql)
{
    return batch_sqlite3_classify(connection,
                                  sqlite3_exec(connection->native, sql, NULL, NULL, NULL), 0);
}

batch_failure_e batch_sqlite3_row_begin(batch_connection_t *connection, int undo)
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

batch_failure_e batch_sqlite3_row_end(batch_connection_t *connection, const char **message,
                                      const batch_resource_t *resource, batch_failure_e failure,
                                      int undo, apr_pool_t *p)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    int savepoints = undo || state->savepoints;
    batch_failure_e undone;

    if (failure == BATCH_FAILURE_STATEMENT || failure == BATCH_FAILURE_REFUSED) {
        state->refusal = batch_sqlite3_refusal(connection);
        *message = apr_pstrdup(p, connection->driver->words(connection));
        if (failure == BATCH_FAILURE_STATEMENT && !fits(connection, resource)) {
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

/* How one item's statement ended. message: the database's words, in p, where it was refused. */
static batch_failure_e apply_item(batch_connection_t *connection, int *rows, const char **message,
                                  const sql_builder_t *builder, batch_prepared_t *prepared)
{
    batch_failure_e failure = batch_sqlite3_row_begin(connection, 0);

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    failure = batch_connection_execute(connection, rows, prepared,
                                       (const void **)builder->values->elts, 0, builder->p);
    return batch_sqlite3_row_end(connection, message, builder->resource, failure, 0, builder->p);
}

static void refuse_all(batch_row_outcome_t *outcomes, int count, const char *words)
{
    int i;

    for (i = 0; i < count; i++) {
        outcomes[i].result = BATCH_ROW_REFUSED;
        outcomes[i].message = words;
        outcomes[i].refusal = BATCH_REFUSAL_FINAL;
    }
}

/* What is the same for all items of a call. */
typedef struct rows_call {
    batch_connection_t *connection;
    const batch_row_scope_t *scope;
    const void **values; /* of the statement's parameters, … */
    int key;             /* … of which this is the item's key, and those of the scope follow */
    const char *kept;    /* why an item is refused whose row is left alone */
    batch_prepared_t *there; /* NULL: not needed yet */
    apr_pool_t *p;
} rows_call_t;

/*
 * Nothing has become of the item, without an error: either there is no such row, or a trigger keeps
 * it as it is.
 */
static batch_failure_e judge_silence(rows_call_t *call, batch_row_outcome_t *outcome)
{
    batch_connection_t *connection = call->connection;
    batch_failure_e failure = BATCH_FAILURE_NONE;
    batch_results_t *results;
    batch_row_t *row = NULL;

    if (!call->there) {
        sql_builder_t builder;

        builder_init(&builder, call->scope->resource, call->p);
        add(&builder, "SELECT 1 FROM ");
        add_identifier(&builder, call->scope->resource->table);
        (void)add_where(&builder, call->scope);
        add(&builder, " LIMIT 1");
        failure = batch_connection_prepare(connection, &call->there,
                                           apr_array_pstrcat(call->p, builder.pieces, 0));
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure =
            batch_connection_select(connection, &results, call->there, call->values + call->key, 0,
                                    batch_connection_scratch(connection));
    }
    if (failure == BATCH_FAILURE_NONE) {
        outcome->result = BATCH_ROW_NOT_FOUND;
        if (batch_connection_row(connection, &row, results, connection->scratch)) {
            outcome->result = BATCH_ROW_REFUSED;
            outcome->message = call->kept;
        }
    }
    return failure;
}

/* Runs the built statement for one item after the other, the item's key being value number key. */
static apr_status_t apply(batch_tx_t *tx, batch_rows_t *asked, rows_call_t *call,
                          const sql_builder_t *builder)
{
    batch_connection_t *connection = tx->connection;
    const void **values = (const void **)builder->values->elts;
    const char *sql = apr_array_pstrcat(builder->p, builder->pieces, 0);
    batch_row_outcome_t *outcomes = asked->outcomes;
    batch_prepared_t *prepared;
    batch_failure_e failure;
    int i, rows;

    asked->done = 0;
    call->connection = connection;
    call->values = values;
    call->p = builder->p;
    batch_sqlite3_rows_ready(connection);
    batch_sqlite3_state(connection)->rows_used = 1;
    failure = batch_connection_prepare(connection, &prepared, sql);
    if (failure == BATCH_FAILURE_STATEMENT) {
        const char *words = apr_pstrdup(builder->p, connection->driver->words(connection));

        if (!fits(connection, builder->resource)) {
            return batch_tx_fail(tx, failure, "rows");
        }
        refuse_all(outcomes, asked->count, words); /* a trigger needs what is not there */
        asked->done = asked->count;
        return APR_SUCCESS;
    }
    for (i = 0; failure == BATCH_FAILURE_NONE && i < asked->count; i++) {
        const char *message = NULL;

        if (i && apr_time_now() > asked->deadline) {
            break;
        }
        values[call->key] = asked->items[i].key;
        memset(&outcomes[i], 0, sizeof(outcomes[i]));
        failure = apply_item(connection, &rows, &message, builder, prepared);
        if (failure == BATCH_FAILURE_REFUSED) {
            failure = BATCH_FAILURE_NONE;
            outcomes[i].result = BATCH_ROW_REFUSED;
            outcomes[i].message = message;
            outcomes[i].refusal = batch_sqlite3_state(connection)->refusal;
        } else if (failure == BATCH_FAILURE_NONE && rows > 0) {
            outcomes[i].result = BATCH_ROW_APPLIED;
        } else if (failure == BATCH_FAILURE_NONE) {
            failure = judge_silence(call, &outcomes[i]);
        }
    }
    asked->done = i;
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(tx, failure, "rows");
}

apr_status_t batch_sqlite3_rows_delete(batch_tx_t *tx, batch_rows_t *rows)
{
    const batch_row_scope_t *scope = rows->scope;
    rows_call_t call = {.scope = scope, .kept = batch_row_still_there};
    sql_builder_t builder;

    builder_init(&builder, scope->resource, rows->p);
    add(&builder, "DELETE FROM ");
    add_identifier(&builder, scope->resource->table);
    call.key = add_where(&builder, scope);
    return apply(tx, rows, &call, &builder);
}

/* column = the parameter that the caller adds next. */
static void add_assignment(sql_builder_t *builder, int *assignments, const char *column)
{
    add(builder, (*assignments)++ ? ", " : " SET ");
    add_identifier(builder, column);
    add(builder, " = ");
}

apr_status_t batch_sqlite3_rows_update(batch_tx_t *tx, batch_rows_t *rows)
{
    const batch_row_scope_t *scope = rows->scope;
    const batch_resource_t *resource = scope->resource;
    rows_call_t call = {.scope = scope, .kept = batch_row_unchanged};
    sql_builder_t builder;
    int assignments = 0;
    int i;

    builder_init(&builder, resource, rows->p);
    add(&builder, "UPDATE ");
    add_identifier(&builder, resource->table);
    for (i = 0; i < rows->value_count; i++) {
        add_assignment(&builder, &assignments, rows->values[i].name);
        add_typed(&builder, resource, &rows->values[i]);
    }
    if (resource->updated_at) {
        add_assignment(&builder, &assignments, resource->updated_at);
        add_value(&builder, "%s", batch_time_format(batch_tx_now(tx), rows->p));
    }
    if (resource->updated_by_id) {
        add_assignment(&builder, &assignments, resource->updated_by_id);
        add_value(&builder, "%s", scope->actor_id);
    }
    if (!assignments) {
        /* Nothing to set is still an answer to which rows are there. */
        add_assignment(&builder, &assignments, resource->key);
        add_identifier(&builder, resource->key);
    }
    call.key = add_where(&builder, scope);
    return apply(tx, rows, &call, &builder);
}

apr_status_t batch_sqlite3_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                         const batch_item_error_t *errors, int count)
{
    apr_pool_t *p;
    apr_status_t rv = apr_pool_create(&p, tx->p);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        const batch_item_error_t *error = &errors[i];
        const char *shown = batch_error_shown(error, p);
        const void *values[] = {&job->seq,    &error->ordinal, &error->line,   error->id,
                                error->field, error->code,     error->message, shown,
                                &job->seq,    &error->ordinal};
        rv = batch_tx_execute(tx, NULL, BATCH_SQL_ERROR_INSERT, values);
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return rv;
}

/* Columns are named with their table: alone, SQLite might take an unknown one for a string. */
static const char *form_sql(const batch_resource_t *resource, apr_pool_t *p)
{
    const char *table = batch_sql_identifier(resource->form_table, p);
    const char *sql = apr_pstrcat(p, "SELECT 1 FROM ", table, " WHERE ", table, ".",
                                  batch_sql_identifier(resource->form_id, p), " = %s", NULL);

    if (resource->form_scope) {
        sql = apr_pstrcat(p, sql, " AND ", table, ".",
                          batch_sql_identifier(resource->form_scope, p), " = %s", NULL);
    }
    return sql;
}

apr_status_t batch_sqlite3_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                      const char *organization, const char *form_id)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    const void *values[] = {form_id, organization};
    batch_prepared_t *prepared;
    batch_results_t *results;
    batch_row_t *row = NULL;
    batch_failure_e failure;

    failure = batch_connection_prepare(tx->connection, &prepared, form_sql(resource, scratch));
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_connection_select(tx->connection, &results, prepared, values, 0, scratch);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking for a form");
    }
    return batch_connection_row(tx->connection, &row, results, scratch) ? APR_SUCCESS
                                                                        : BATCH_ENOTFOUND;
}

/*
 * PostgreSQL: rows are changed by sets, one statement each, in the order of the items: the keys
 * drive a nested loop, so that any two batches lock rows in the same order. How large a set is
 * follows from the time that the last ones took, since nothing stops a statement at a deadline.
 *
 * A set is refused as a whole. Then it is undone, and what refuses it is searched by halves until
 * it is alone.
 */
#include "store/rows_pgsql.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Items of the first set of a kind of statement, while nothing is known of its speed. */
#define FIRST_SET 16

/* A set is at most that many times larger than the one before. */
#define GROWTH 16

/* What was measured is not relied on after that time: a trigger may have been added. */
#define FORGET apr_time_from_sec(5)

/* So much of a set's time at most is taken for independent of its size. */
#define MOST_FIXED 0.8

/*
 * A set of several rows that takes so much longer than it should is stopped, and smaller ones are
 * tried; beyond what one may wait for a lock. A single row may take as long as the session allows.
 */
#define SET_TIMEOUT(patience) (apr_time_as_msec(patience) + 2000)

/* One call of rows_delete or rows_update. */
typedef struct rows_run {
    batch_tx_t *tx;
    batch_connection_t *connection;
    const batch_row_scope_t *scope;
    const batch_item_t *items;
    batch_row_outcome_t *outcomes;
    int count;
    int is_update;
    const batch_value_t *values;
    int value_count;
    apr_time_t deadline;
    apr_pool_t *p;
    apr_pool_t *set_pool; /* of the set under way */
    /* The statement, as the table is. */
    batch_pgsql_table_t *table;
    const batch_pgsql_column_t *key;
    batch_pgsql_statement_t *statement;
    const char **parameters; /* the first is the array of keys */
    int hopeless;            /* nothing in the table can be in the scope */
    /* How far it has come. */
    int position; /* items that are done */
    int last;     /* items of the last set that succeeded */
    int most;     /* of a set, since some were refused */
    int suspect;  /* there is one to refuse among the next so many; 0 = not known of any */
    int probed;   /* the values themselves are not to blame */
} rows_run_t;

/* ---- Building a statement ---------------------------------------------------------------------
 */

/* The condition of every statement on rows, on items named batch_item. */
static int add_where(batch_pgsql_builder_t *builder, const batch_row_scope_t *scope)
{
    const batch_resource_t *resource = scope->resource;
    int possible = 1;

    batch_pgsql_add_column(builder, " WHERE ", resource->key);
    batch_pgsql_add(builder, "batch_item.key");
    if (resource->scope) {
        possible =
            batch_pgsql_add_condition(builder, " AND ", resource->scope, scope->organization);
    }
    if (resource->form_column && scope->form_id) {
        possible =
            batch_pgsql_add_condition(builder, " AND ", resource->form_column, scope->form_id) &&
            possible;
    }
    return possible;
}

/*
 * The keys as a set of rows. The array comes out of a subquery, so that the planner cannot see how
 * long it is: it always takes it for ten, and fetches the rows one by one through the index, in
 * order, which for a set of a thousand is also quicker than anything else that it would think of.
 */
static void add_items(batch_pgsql_builder_t *builder, const batch_pgsql_column_t *key)
{
    batch_pgsql_add(builder, "unnest((SELECT ");
    batch_pgsql_add_value(builder, key->array, NULL);
    batch_pgsql_add(builder, ")) WITH ORDINALITY");
}

static int build_delete(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    int possible;

    batch_pgsql_add(builder, "DELETE FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add(builder, " USING ");
    add_items(builder, run->key);
    batch_pgsql_add(builder, " AS batch_item (key, number)");
    possible = add_where(builder, run->scope);
    batch_pgsql_add(builder, " RETURNING batch_item.number");
    return possible;
}

static void add_assignment(batch_pgsql_builder_t *builder, int *assignments, const char *column)
{
    batch_pgsql_add(builder, (*assignments)++ ? ", " : " SET ");
    batch_pgsql_add(builder, batch_pgsql_identifier(column, builder->p));
    batch_pgsql_add(builder, " = ");
}

/* A value in the form that its column takes. */
static const char *column_text(const batch_resource_t *resource, const batch_value_t *value,
                               const batch_pgsql_column_t *column)
{
    const batch_column_t *declared = batch_resource_column(resource, value->name);

    if (value->value && declared && declared->type == BATCH_TYPE_BOOLEAN && column->is_number) {
        return !strcmp(value->value, "true") || !strcmp(value->value, "1") ? "1" : "0";
    }
    return value->value;
}

static void add_assignments(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    const batch_resource_t *resource = run->scope->resource;
    int assignments = 0;
    int i;

    for (i = 0; i < run->value_count; i++) {
        const batch_value_t *value = &run->values[i];
        const batch_pgsql_column_t *column = batch_pgsql_column(run->table, value->name);
        add_assignment(builder, &assignments, value->name);
        batch_pgsql_add_value(builder, column->type, column_text(resource, value, column));
    }
    if (resource->updated_at) {
        add_assignment(builder, &assignments, resource->updated_at);
        batch_pgsql_add_value(builder, batch_pgsql_column(run->table, resource->updated_at)->type,
                              batch_time_format(batch_tx_now(run->tx), builder->p));
    }
    if (resource->updated_by_id) {
        add_assignment(builder, &assignments, resource->updated_by_id);
        batch_pgsql_add_value(builder,
                              batch_pgsql_column(run->table, resource->updated_by_id)->type,
                              run->scope->actor_id);
    }
    if (!assignments) {
        /* Nothing to set is still an answer to which rows are there. */
        add_assignment(builder, &assignments, resource->key);
        batch_pgsql_add(builder, builder->table_name);
        batch_pgsql_add(builder, ".");
        batch_pgsql_add(builder, batch_pgsql_identifier(resource->key, builder->p));
    }
}

/* A row is updated once, though two items may name it: both have then been applied. */
static int build_update(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    int possible;

    batch_pgsql_add(builder, "WITH batch_item (key, number) AS MATERIALIZED (SELECT * FROM ");
    add_items(builder, run->key);
    batch_pgsql_add(builder, "), batch_changed AS (UPDATE ");
    batch_pgsql_add(builder, builder->table_name);
    add_assignments(builder, run);
    batch_pgsql_add(builder, " FROM batch_item");
    possible = add_where(builder, run->scope);
    /* IS TRUE: as a join it would be a nested loop, too. */
    batch_pgsql_add(builder, " RETURNING batch_item.key) SELECT number FROM batch_item"
                             " WHERE (key IN (SELECT key FROM batch_changed)) IS TRUE");
    return possible;
}

/* Makes the statement for the table as it is known, or, if fresh, as it is. */
static batch_failure_e build(rows_run_t *run, int fresh)
{
    const batch_resource_t *resource = run->scope->resource;
    batch_failure_e failure =
        batch_pgsql_table(run->connection, &run->table, resource->table, fresh);
    batch_pgsql_builder_t builder;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    batch_pgsql_builder_init(&builder, run->table, resource->table, run->p);
    run->key = batch_pgsql_column(run->table, resource->key);
    run->hopeless = !(run->is_update ? build_update : build_delete)(&builder, run);
    run->parameters = (const char **)builder.values->elts;
    run->statement = batch_pgsql_built(run->connection, &builder);
    return BATCH_FAILURE_NONE;
}

/* ---- One set ----------------------------------------------------------------------------------
 */

static batch_failure_e queue_text(const rows_run_t *run, const char *sql)
{
    return batch_pgsql_queue_text(run->connection, sql, BATCH_PGSQL_OWN);
}

/*
 * To join a small table the planner would read all of it, and lock its rows in the order in which
 * they lie there.
 */
static batch_failure_e forbid_other_joins(const rows_run_t *run)
{
    return queue_text(run, "SELECT set_config('enable_hashjoin', 'off', true),"
                           " set_config('enable_mergejoin', 'off', true)");
}

/* Undoes what was refused; sent with the next statement. */
static batch_failure_e undo(const rows_run_t *run)
{
    batch_failure_e failure;

    batch_pgsql_forgive(run->connection);
    failure = queue_text(run, "ROLLBACK TO SAVEPOINT batch_rows");
    return failure == BATCH_FAILURE_NONE ? queue_text(run, "RELEASE SAVEPOINT batch_rows")
                                         : failure;
}

/* Lets the next statements take that many milliseconds. */
static batch_failure_e set_timeout(const rows_run_t *run, apr_int64_t timeout)
{
    char sql[64];

    apr_snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %" APR_INT64_T_FMT, timeout);
    return queue_text(run, sql);
}

/* Has the timeout of a set been set? It is undone with the savepoint, or by release. */
static int has_timeout(const rows_run_t *run, int count)
{
    const batch_pgsql_state_t *state = run->connection->state;

    return count > 1 &&
           (!state->timeout || state->timeout > SET_TIMEOUT(run->connection->patience));
}

/* Runs a statement under a savepoint. Where it is refused the caller has to undo it. */
static batch_failure_e run_statement(const rows_run_t *run, PGresult **result,
                                     batch_pgsql_statement_t *statement,
                                     const char *const *parameters, int count)
{
    batch_failure_e failure = queue_text(run, "SAVEPOINT batch_rows");

    if (failure == BATCH_FAILURE_NONE && has_timeout(run, count)) {
        failure = set_timeout(run, SET_TIMEOUT(run->connection->patience));
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_queue(run->connection, statement, parameters, BATCH_PGSQL_ROWS);
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(run->connection, result) : failure;
}

static batch_failure_e release(const rows_run_t *run, int count)
{
    const batch_pgsql_state_t *state = run->connection->state;
    batch_failure_e failure = queue_text(run, "RELEASE SAVEPOINT batch_rows");

    return failure == BATCH_FAILURE_NONE && has_timeout(run, count)
               ? set_timeout(run, state->timeout)
               : failure;
}

static int state_is_of_class(const rows_run_t *run, const char *class)
{
    return !strncmp(batch_pgsql_sqlstate(run->connection), class, 2);
}

static int took_too_long(const rows_run_t *run)
{
    return state_is_of_class(run, "57");
}

/* The table was not looked at in this transaction. */
static int is_old(const rows_run_t *run)
{
    const batch_pgsql_state_t *state = run->connection->state;

    return run->table->transaction != state->transactions;
}

/*
 * Runs the statement on these keys. Where it is refused, the first time in a transaction, that may
 * be because the table has been changed or made anew: then it is looked at again.
 */
static batch_failure_e run_keys(rows_run_t *run, PGresult **result, const char *keys, int count)
{
    batch_failure_e failure;

    run->parameters[0] = keys;
    failure = run_statement(run, result, run->statement, run->parameters, count);
    if (failure != BATCH_FAILURE_REFUSED || !is_old(run) || took_too_long(run)) {
        return failure;
    }
    failure = undo(run);
    if (failure == BATCH_FAILURE_NONE) {
        failure = build(run, 1);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    run->parameters[0] = keys;
    return run_statement(run, result, run->statement, run->parameters, count);
}

/*
 * Notes what a set took: so much a row, and so much (a round trip, the making of a plan) whatever
 * its size, which two sets of quite different sizes tell apart.
 */
static void measure(rows_run_t *run, int count, apr_interval_time_t took)
{
    batch_pgsql_statement_t *statement = run->statement;
    double time = (double)(took > 0 ? took : 1);
    double most = MOST_FIXED * (time < statement->took ? time : statement->took);
    apr_time_t now = batch_pgsql_ticks();

    if (statement->rows && (count >= 2 * statement->rows || 2 * count <= statement->rows)) {
        double each = (time - statement->took) / (double)(count - statement->rows);

        statement->fixed = time - each * (double)count;
        statement->fixed = statement->fixed > 0 ? statement->fixed : 0;
        statement->told_apart_at = now;
    } else {
        most = MOST_FIXED * time;
    }
    if (statement->fixed > most) {
        statement->fixed = most; /* one of them had to wait, or was lucky */
    }
    statement->rows = count;
    statement->took = time;
    statement->measured_at = now;
    run->last = count;
}

/* Lists the keys of the next count items that can be keys, and their places. Returns how many. */
static int list_keys(const rows_run_t *run, const char **keys, int *places, int count)
{
    const batch_item_t *items = run->items + run->position;
    int listed = 0, i;

    for (i = 0; i < count; i++) {
        if (!run->hopeless && batch_pgsql_fits(run->key, items[i].key)) {
            places[listed] = i;
            keys[listed++] = items[i].key;
        }
    }
    return listed;
}

/* Runs the next count items as a set: their outcomes are known unless it is refused. */
static batch_failure_e run_set(rows_run_t *run, int count)
{
    batch_row_outcome_t *outcomes = run->outcomes + run->position;
    apr_time_t begun = apr_time_now();
    const char **keys;
    int *places;
    PGresult *result = NULL;
    batch_failure_e failure;
    int listed, i;

    apr_pool_clear(run->set_pool);
    keys = apr_palloc(run->set_pool, (apr_size_t)count * sizeof(*keys));
    places = apr_palloc(run->set_pool, (apr_size_t)count * sizeof(*places));
    for (i = 0; i < count; i++) {
        outcomes[i].result = BATCH_ROW_NOT_FOUND;
        outcomes[i].message = NULL;
    }
    listed = list_keys(run, keys, places, count);
    if (listed < count && is_old(run)) {
        /* Nobody is told that a row is not there because of the type that its key once had. */
        failure = build(run, 1);
        if (failure != BATCH_FAILURE_NONE) {
            return failure;
        }
        listed = list_keys(run, keys, places, count);
    }
    if (!listed) {
        return BATCH_FAILURE_NONE;
    }
    failure = run_keys(run, &result, batch_pgsql_array(keys, listed, run->set_pool), count);
    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        apr_int64_t number = apr_atoi64(PQgetvalue(result, i, 0));
        outcomes[places[number - 1]].result = BATCH_ROW_APPLIED;
    }
    if (failure == BATCH_FAILURE_NONE) {
        measure(run, count, apr_time_now() - begun);
        failure = release(run, count);
    }
    return failure;
}

/* ---- What is refused --------------------------------------------------------------------------
 */

static void refuse_rest(rows_run_t *run, const char *words)
{
    for (; run->position < run->count; run->position++) {
        run->outcomes[run->position].result = BATCH_ROW_REFUSED;
        run->outcomes[run->position].message = words;
    }
}

/* Sets *refused if the server refuses the statement, which is undone in any case. */
static batch_failure_e try_out(const rows_run_t *run, int *refused,
                               batch_pgsql_statement_t *statement, const char *const *parameters)
{
    batch_failure_e failure = run_statement(run, NULL, statement, parameters, 1);

    *refused = failure == BATCH_FAILURE_REFUSED;
    return failure == BATCH_FAILURE_NONE || *refused ? undo(run) : failure;
}

/* A key that is no value of its column's type, which only the server can tell, is no row's key. */
static batch_failure_e judge_key(rows_run_t *run, int *is_none)
{
    const Oid types[] = {run->key->type};
    const char *values[] = {run->items[run->position].key};

    return try_out(run, is_none,
                   batch_pgsql_statement(run->connection, "SELECT $1 IS NULL", types, 1), values);
}

/* Values that no row can take are not worth a try with each. */
static batch_failure_e judge_values(rows_run_t *run, int *are_wrong)
{
    run->probed = 1;
    run->parameters[0] = "{}";
    return try_out(run, are_wrong, run->statement, run->parameters);
}

/* The next item alone was refused. */
static batch_failure_e refuse_one(rows_run_t *run, const char *words, int wrong_value)
{
    batch_row_outcome_t *outcome = &run->outcomes[run->position];
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int is_none = 0;

    if (wrong_value && run->key->kind == BATCH_PGSQL_OTHER) {
        failure = judge_key(run, &is_none);
    }
    outcome->result = is_none ? BATCH_ROW_NOT_FOUND : BATCH_ROW_REFUSED;
    outcome->message = is_none ? NULL : words;
    run->position++;
    run->suspect = 0;
    return failure;
}

/* The next count items were refused as a set. */
static batch_failure_e refused(rows_run_t *run, int count)
{
    const batch_pgsql_state_t *state = run->connection->state;
    const char *words = apr_pstrdup(run->p, batch_pgsql_words(run->connection));
    int wrong_value = state_is_of_class(run, "22");
    int too_long = took_too_long(run);
    int for_all = state->refused_making;
    batch_failure_e failure = undo(run);

    if (failure == BATCH_FAILURE_NONE && wrong_value && run->is_update && !run->probed) {
        failure = judge_values(run, &for_all);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    if (for_all) {
        refuse_rest(run, words);
        return BATCH_FAILURE_NONE;
    }
    if (too_long && count > 1) {
        run->most = count / 64 > 0 ? count / 64 : 1;
        return BATCH_FAILURE_NONE;
    }
    if (count == 1) {
        return refuse_one(run, words, wrong_value);
    }
    if (!run->suspect) {
        run->most = count / 4 > 0 ? count / 4 : 1; /* where there is one there may be more */
    }
    run->suspect = count;
    return BATCH_FAILURE_NONE;
}

/* ---- All sets ---------------------------------------------------------------------------------
 */

/* How many rows the statement is expected to manage in that time. */
static double size_for(const batch_pgsql_statement_t *statement, double left)
{
    apr_time_t now = batch_pgsql_ticks();
    double size;

    if (!statement->rows || now - statement->measured_at >= FORGET) {
        return FIRST_SET;
    }
    left -= statement->fixed;
    if (left < statement->fixed) {
        left = statement->fixed; /* it cannot be in time, but it can be worth its round trip */
    }
    size = left * (double)statement->rows / (statement->took - statement->fixed);
    if (size < 2.0 * (double)statement->rows && now - statement->told_apart_at >= FORGET) {
        size = 2.0 * (double)statement->rows; /* to see what goes with the rows */
    }
    return size;
}

static int next_size(const rows_run_t *run)
{
    apr_interval_time_t left = run->deadline - apr_time_now();
    double size = size_for(run->statement, (double)left);
    int rest = run->count - run->position;

    if (run->suspect) {
        return run->suspect > 1 ? run->suspect / 2 : 1;
    }
    if (run->last && size > (double)run->last * GROWTH) {
        size = (double)run->last * GROWTH;
    }
    if (size > run->most) {
        size = run->most;
    }
    if (left <= 0 || size < 1) {
        return 1;
    }
    return size < rest ? (int)size : rest;
}

static void succeeded(rows_run_t *run, int count)
{
    run->position += count;
    if (run->suspect) {
        run->suspect = run->suspect > count ? run->suspect - count : 0;
    } else if (count == run->most && run->most < APR_INT32_MAX / 2) {
        run->most *= 2;
    }
}

/* A last small set is not worth its round trip. */
static int is_enough(const rows_run_t *run, apr_time_t begun)
{
    apr_time_t now = apr_time_now();

    return run->position > 0 &&
           (now >= run->deadline || (!run->suspect && now - begun > (run->deadline - begun) / 2));
}

static apr_status_t apply(rows_run_t *run, int *done, int count, apr_time_t deadline)
{
    apr_time_t begun = apr_time_now();
    batch_failure_e failure = BATCH_FAILURE_NONE;

    run->connection = run->tx->connection;
    run->count = count;
    run->deadline = deadline;
    run->most = APR_INT32_MAX;
    *done = 0;
    if (apr_pool_create(&run->set_pool, run->p) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    failure = build(run, 0);
    if (failure == BATCH_FAILURE_NONE) {
        failure = forbid_other_joins(run);
    }
    while (failure == BATCH_FAILURE_NONE && run->position < count && !is_enough(run, begun)) {
        int size = next_size(run);

        failure = run_set(run, size);
        if (failure == BATCH_FAILURE_NONE) {
            succeeded(run, size);
        } else if (failure == BATCH_FAILURE_REFUSED) {
            failure = refused(run, size);
        }
    }
    *done = run->position;
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(run->tx, failure, "rows");
}

apr_status_t batch_pgsql_rows_delete(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                     const batch_row_scope_t *scope, const batch_item_t *items,
                                     int count, apr_time_t deadline, apr_pool_t *ptemp)
{
    rows_run_t run = {.tx = tx, .scope = scope, .items = items, .outcomes = outcomes, .p = ptemp};

    return apply(&run, done, count, deadline);
}

apr_status_t batch_pgsql_rows_update(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                     const batch_row_scope_t *scope, const batch_value_t *values,
                                     int value_count, const batch_item_t *items, int count,
                                     apr_time_t deadline, apr_pool_t *ptemp)
{
    rows_run_t run = {.tx = tx,
                      .scope = scope,
                      .items = items,
                      .outcomes = outcomes,
                      .is_update = 1,
                      .values = values,
                      .value_count = value_count,
                      .p = ptemp};

    return apply(&run, done, count, deadline);
}

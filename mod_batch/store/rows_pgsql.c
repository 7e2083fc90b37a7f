/*
 * PostgreSQL: rows are changed by sets, one statement each, in the order of the items: the keys
 * drive a nested loop, so that any two batches lock rows in the same order. How large a set is
 * follows from the time that the last one took, since nothing stops a statement at a deadline.
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

typedef struct sql_builder {
    apr_array_header_t *pieces; /* of const char * */
    apr_array_header_t *types;  /* of Oid */
    apr_array_header_t *values; /* of const char * */
    const batch_pgsql_table_t *table;
    const char *table_name; /* quoted */
    apr_pool_t *p;
} sql_builder_t;

static void add(sql_builder_t *builder, const char *piece)
{
    APR_ARRAY_PUSH(builder->pieces, const char *) = piece;
}

/* A parameter of that type. */
static void add_value(sql_builder_t *builder, Oid type, const char *value)
{
    APR_ARRAY_PUSH(builder->types, Oid) = type;
    APR_ARRAY_PUSH(builder->values, const char *) = value;
    add(builder, apr_psprintf(builder->p, "$%d", builder->values->nelts));
}

static void builder_init(sql_builder_t *builder, const batch_pgsql_table_t *table, const char *name,
                         apr_pool_t *p)
{
    builder->pieces = apr_array_make(p, 32, sizeof(const char *));
    builder->types = apr_array_make(p, 8, sizeof(Oid));
    builder->values = apr_array_make(p, 8, sizeof(const char *));
    builder->table = table;
    builder->table_name = batch_pgsql_identifier(name, p);
    builder->p = p;
}

static void add_column(sql_builder_t *builder, const char *word, const char *column)
{
    add(builder, word);
    add(builder, builder->table_name);
    add(builder, ".");
    add(builder, batch_pgsql_identifier(column, builder->p));
    add(builder, " = ");
}

/* table.column = value. 0 if no row can have that value. */
static int add_condition(sql_builder_t *builder, const char *word, const char *column_name,
                         const char *value)
{
    const batch_pgsql_column_t *column = batch_pgsql_column(builder->table, column_name);

    add_column(builder, word, column_name);
    add_value(builder, column->type, value);
    return value && batch_pgsql_fits(column, value);
}

/* The condition of every statement on rows, on items named batch_item. */
static int add_where(sql_builder_t *builder, const batch_row_scope_t *scope)
{
    const batch_resource_t *resource = scope->resource;
    int possible = 1;

    add_column(builder, " WHERE ", resource->key);
    add(builder, "batch_item.key");
    if (resource->scope) {
        possible = add_condition(builder, " AND ", resource->scope, scope->organization);
    }
    if (resource->form_column && scope->form_id) {
        possible =
            add_condition(builder, " AND ", resource->form_column, scope->form_id) && possible;
    }
    return possible;
}

/*
 * The keys as a set of rows. The array comes out of a subquery, so that the planner cannot see how
 * long it is: it always takes it for ten, and fetches the rows one by one through the index, in
 * order, which for a set of a thousand is also quicker than anything else that it would think of.
 */
static void add_items(sql_builder_t *builder, const batch_pgsql_column_t *key)
{
    add(builder, "unnest((SELECT ");
    add_value(builder, key->array, NULL);
    add(builder, ")) WITH ORDINALITY");
}

static int build_delete(sql_builder_t *builder, const rows_run_t *run)
{
    int possible;

    add(builder, "DELETE FROM ");
    add(builder, builder->table_name);
    add(builder, " USING ");
    add_items(builder, run->key);
    add(builder, " AS batch_item (key, number)");
    possible = add_where(builder, run->scope);
    add(builder, " RETURNING batch_item.number");
    return possible;
}

static void add_assignment(sql_builder_t *builder, int *assignments, const char *column)
{
    add(builder, (*assignments)++ ? ", " : " SET ");
    add(builder, batch_pgsql_identifier(column, builder->p));
    add(builder, " = ");
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

static void add_assignments(sql_builder_t *builder, const rows_run_t *run)
{
    const batch_resource_t *resource = run->scope->resource;
    int assignments = 0;
    int i;

    for (i = 0; i < run->value_count; i++) {
        const batch_value_t *value = &run->values[i];
        const batch_pgsql_column_t *column = batch_pgsql_column(run->table, value->name);
        add_assignment(builder, &assignments, value->name);
        add_value(builder, column->type, column_text(resource, value, column));
    }
    if (resource->updated_at) {
        add_assignment(builder, &assignments, resource->updated_at);
        add_value(builder, batch_pgsql_column(run->table, resource->updated_at)->type,
                  batch_time_format(batch_tx_now(run->tx), builder->p));
    }
    if (resource->updated_by_id) {
        add_assignment(builder, &assignments, resource->updated_by_id);
        add_value(builder, batch_pgsql_column(run->table, resource->updated_by_id)->type,
                  run->scope->actor_id);
    }
    if (!assignments) {
        /* Nothing to set is still an answer to which rows are there. */
        add_assignment(builder, &assignments, resource->key);
        add(builder, builder->table_name);
        add(builder, ".");
        add(builder, batch_pgsql_identifier(resource->key, builder->p));
    }
}

/* A row is updated once, though two items may name it: both have then been applied. */
static int build_update(sql_builder_t *builder, const rows_run_t *run)
{
    int possible;

    add(builder, "WITH batch_item (key, number) AS MATERIALIZED (SELECT * FROM ");
    add_items(builder, run->key);
    add(builder, "), batch_changed AS (UPDATE ");
    add(builder, builder->table_name);
    add_assignments(builder, run);
    add(builder, " FROM batch_item");
    possible = add_where(builder, run->scope);
    add(builder, " RETURNING batch_item.key) SELECT number FROM batch_item"
                 " WHERE key IN (SELECT key FROM batch_changed)");
    return possible;
}

/* Makes the statement for the table as it is known, or, if fresh, as it is. */
static batch_failure_e build(rows_run_t *run, int fresh)
{
    const batch_resource_t *resource = run->scope->resource;
    batch_failure_e failure =
        batch_pgsql_table(run->connection, &run->table, resource->table, fresh);
    sql_builder_t builder;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    builder_init(&builder, run->table, resource->table, run->p);
    run->key = batch_pgsql_column(run->table, resource->key);
    run->hopeless = !(run->is_update ? build_update : build_delete)(&builder, run);
    run->parameters = (const char **)builder.values->elts;
    run->statement =
        batch_pgsql_statement(run->connection, apr_array_pstrcat(run->p, builder.pieces, 0),
                              (const Oid *)builder.types->elts, builder.types->nelts);
    return BATCH_FAILURE_NONE;
}

/* ---- One set ----------------------------------------------------------------------------------
 */

static batch_failure_e queue_text(const rows_run_t *run, const char *sql)
{
    return batch_pgsql_queue_text(run->connection, sql, BATCH_PGSQL_OWN);
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

/* Runs a statement under a savepoint. Where it is refused the caller has to undo it. */
static batch_failure_e run_statement(const rows_run_t *run, PGresult **result,
                                     batch_pgsql_statement_t *statement,
                                     const char *const *parameters)
{
    batch_failure_e failure = queue_text(run, "SAVEPOINT batch_rows");

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_queue(run->connection, statement, parameters, BATCH_PGSQL_ROWS);
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(run->connection, result) : failure;
}

static batch_failure_e release(const rows_run_t *run)
{
    return queue_text(run, "RELEASE SAVEPOINT batch_rows");
}

static int state_is_of_class(const rows_run_t *run, const char *class)
{
    return !strncmp(batch_pgsql_sqlstate(run->connection), class, 2);
}

/* A table that has changed since we looked at it shows as a statement that does not fit. */
static int may_be_old(const rows_run_t *run)
{
    const batch_pgsql_state_t *state = run->connection->state;

    return run->table->transaction != state->transactions && state_is_of_class(run, "42");
}

/* Runs the statement on these keys, looking at the table anew where that may help. */
static batch_failure_e run_keys(rows_run_t *run, PGresult **result, const char *keys)
{
    batch_failure_e failure;

    run->parameters[0] = keys;
    failure = run_statement(run, result, run->statement, run->parameters);
    if (failure != BATCH_FAILURE_REFUSED || !may_be_old(run)) {
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
    return run_statement(run, result, run->statement, run->parameters);
}

static void measure(rows_run_t *run, int count, apr_interval_time_t took)
{
    run->statement->rows_per_microsecond = (double)count / (double)(took > 0 ? took : 1);
    run->last = count;
}

/* Runs the next count items as a set: their outcomes are known unless it is refused. */
static batch_failure_e run_set(rows_run_t *run, int count)
{
    const batch_item_t *items = run->items + run->position;
    batch_row_outcome_t *outcomes = run->outcomes + run->position;
    apr_time_t begun = apr_time_now();
    const char **keys;
    int *places;
    PGresult *result = NULL;
    batch_failure_e failure;
    int sent = 0, i;

    apr_pool_clear(run->set_pool);
    keys = apr_palloc(run->set_pool, (apr_size_t)count * sizeof(*keys));
    places = apr_palloc(run->set_pool, (apr_size_t)count * sizeof(*places));
    for (i = 0; i < count; i++) {
        outcomes[i].result = BATCH_ROW_NOT_FOUND;
        outcomes[i].message = NULL;
        if (!run->hopeless && batch_pgsql_fits(run->key, items[i].key)) {
            places[sent] = i;
            keys[sent++] = items[i].key;
        }
    }
    if (!sent) {
        return BATCH_FAILURE_NONE;
    }
    failure = run_keys(run, &result, batch_pgsql_array(keys, sent, run->set_pool));
    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        apr_int64_t number = apr_atoi64(PQgetvalue(result, i, 0));
        outcomes[places[number - 1]].result = BATCH_ROW_APPLIED;
    }
    if (failure == BATCH_FAILURE_NONE) {
        measure(run, count, apr_time_now() - begun);
        failure = release(run);
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
    batch_failure_e failure = run_statement(run, NULL, statement, parameters);

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

static int next_size(const rows_run_t *run)
{
    apr_interval_time_t left = run->deadline - apr_time_now();
    double rate = run->statement->rows_per_microsecond;
    double size = rate > 0 ? rate * (double)left : FIRST_SET;
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

/* ---- Errors ------------------------------------------------------------------------------------
 */

/* Errors of one statement end where they have become so large together. */
#define ERROR_BYTES (1024 * 1024)

/* The lists of one statement's parameters, in its order. */
enum { ORDINAL, LINE, ID, FIELD, CODE, MESSAGE, ORIGINAL, LISTS };

static apr_size_t length_of(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Fills the lists with the first errors; returns how many. */
static int take_errors(const char **lists[LISTS], const batch_item_error_t *errors, int count,
                       apr_pool_t *p)
{
    apr_size_t bytes = 0;
    int i;

    for (i = 0; i < LISTS; i++) {
        lists[i] = apr_palloc(p, (apr_size_t)count * sizeof(const char *));
    }
    for (i = 0; i < count && bytes < ERROR_BYTES; i++) {
        const batch_item_error_t *error = &errors[i];

        lists[ORDINAL][i] = apr_psprintf(p, "%" APR_INT64_T_FMT, error->ordinal);
        lists[LINE][i] = apr_psprintf(p, "%" APR_INT64_T_FMT, error->line);
        lists[ID][i] = error->id;
        lists[FIELD][i] = error->field;
        lists[CODE][i] = error->code;
        lists[MESSAGE][i] = error->message;
        lists[ORIGINAL][i] = error->original;
        bytes += length_of(error->id) + length_of(error->message) + length_of(error->original);
    }
    return i;
}

apr_status_t batch_pgsql_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                       const batch_item_error_t *errors, int count)
{
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *p;

    if (apr_pool_create(&p, tx->p) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    while (rv == APR_SUCCESS && count > 0) {
        const char **lists[LISTS];
        const void *values[LISTS + 1] = {&job->seq};
        int taken, i;

        apr_pool_clear(p);
        taken = take_errors(lists, errors, count, p);
        for (i = 0; i < LISTS; i++) {
            values[i + 1] = batch_pgsql_array(lists[i], taken, p);
        }
        rv = batch_tx_execute_later(tx, BATCH_SQL_ERROR_INSERT, values);
        errors += taken;
        count -= taken;
    }
    apr_pool_destroy(p);
    return rv;
}

/* ---- Forms -------------------------------------------------------------------------------------
 */

/* Sets *found. *old: the table was not looked at in this transaction. */
static batch_failure_e find_form(batch_connection_t *connection, int *found, int *old,
                                 const batch_resource_t *resource, const char *organization,
                                 const char *form_id, apr_pool_t *p)
{
    const batch_pgsql_state_t *state = connection->state;
    batch_pgsql_table_t *table = NULL;
    sql_builder_t builder;
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_table(connection, &table, resource->form_table, 0);
    int possible;

    *found = 0;
    *old = table && table->transaction != state->transactions;
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    builder_init(&builder, table, resource->form_table, p);
    add(&builder, "SELECT 1 FROM ");
    add(&builder, builder.table_name);
    possible = add_condition(&builder, " WHERE ", resource->form_id, form_id);
    if (resource->form_scope) {
        possible = add_condition(&builder, " AND ", resource->form_scope, organization) && possible;
    }
    if (!possible) {
        return BATCH_FAILURE_NONE;
    }
    failure = batch_pgsql_queue(
        connection,
        batch_pgsql_statement(connection, apr_array_pstrcat(p, builder.pieces, 0),
                              (const Oid *)builder.types->elts, builder.types->nelts),
        (const char *const *)builder.values->elts, BATCH_PGSQL_ROWS);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, &result);
    }
    *found = failure == BATCH_FAILURE_NONE && PQntuples(result) > 0;
    return failure;
}

apr_status_t batch_pgsql_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                    const char *organization, const char *form_id)
{
    batch_connection_t *connection = tx->connection;
    int found, old;
    batch_failure_e failure = find_form(connection, &found, &old, resource, organization, form_id,
                                        batch_connection_scratch(connection));

    if (failure == BATCH_FAILURE_REFUSED) {
        const char *code = batch_pgsql_sqlstate(connection);
        if (!strncmp(code, "22", 2)) {
            return BATCH_ENOTFOUND; /* no value of the column's type */
        }
        /* The table may have been made anew, with other types. */
        failure = old && !strncmp(code, "42", 2) ? BATCH_FAILURE_OUTDATED : BATCH_FAILURE_STATEMENT;
    }
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking for a form");
    }
    return found ? APR_SUCCESS : BATCH_ENOTFOUND;
}

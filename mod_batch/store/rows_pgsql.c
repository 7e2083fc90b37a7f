/*
 * PostgreSQL: rows are deleted and updated by sets, one statement each, in the order of the items:
 * the keys drive a nested loop, so that any two batches lock rows in the same order.
 */
#include "store/rows_pgsql.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sets_pgsql.h"

/*
 * To join a small table the planner would read all of it, and lock its rows in the order in which
 * they lie there.
 */
static const char settings[] = "SELECT set_config('enable_hashjoin', 'off', true),"
                               " set_config('enable_mergejoin', 'off', true)";

/* One call of rows_delete or rows_update. */
typedef struct rows_run {
    batch_pgsql_sets_t sets;
    int is_update;
    const batch_value_t *values;
    int value_count;
    /* The statement, as the table is. */
    batch_pgsql_statement_t *statement;
    const char **parameters; /* the first is the array of keys */
    int hopeless;            /* nothing in the table can be in the scope */
    int probed;              /* the values themselves are not to blame */
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
    add_items(builder, run->sets.key);
    batch_pgsql_add(builder, " AS batch_item (key, number)");
    possible = add_where(builder, run->sets.scope);
    batch_pgsql_add(builder, " RETURNING batch_item.number");
    return possible;
}

static void add_assignment(batch_pgsql_builder_t *builder, int *assignments, const char *column)
{
    batch_pgsql_add(builder, (*assignments)++ ? ", " : " SET ");
    batch_pgsql_add(builder, batch_pgsql_identifier(column, builder->p));
    batch_pgsql_add(builder, " = ");
}

static void add_assignments(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    const batch_resource_t *resource = run->sets.scope->resource;
    int assignments = 0;
    int i;

    for (i = 0; i < run->value_count; i++) {
        const batch_value_t *value = &run->values[i];
        const batch_pgsql_column_t *column = batch_pgsql_column(run->sets.table, value->name);
        add_assignment(builder, &assignments, value->name);
        batch_pgsql_add_value(builder, column->type,
                              batch_pgsql_column_text(batch_resource_column(resource, value->name),
                                                      column, value->value));
    }
    if (resource->updated_at) {
        add_assignment(builder, &assignments, resource->updated_at);
        batch_pgsql_add_value(builder,
                              batch_pgsql_column(run->sets.table, resource->updated_at)->type,
                              batch_time_format(batch_tx_now(run->sets.tx), builder->p));
    }
    if (resource->updated_by_id) {
        add_assignment(builder, &assignments, resource->updated_by_id);
        batch_pgsql_add_value(builder,
                              batch_pgsql_column(run->sets.table, resource->updated_by_id)->type,
                              run->sets.scope->actor_id);
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
    add_items(builder, run->sets.key);
    batch_pgsql_add(builder, "), batch_changed AS (UPDATE ");
    batch_pgsql_add(builder, builder->table_name);
    add_assignments(builder, run);
    batch_pgsql_add(builder, " FROM batch_item");
    possible = add_where(builder, run->sets.scope);
    /* IS TRUE: as a join it would be a nested loop, too. */
    batch_pgsql_add(builder, " RETURNING batch_item.key) SELECT number FROM batch_item"
                             " WHERE (key IN (SELECT key FROM batch_changed)) IS TRUE");
    return possible;
}

/* Makes the statement for the table as it is known, or, if fresh, as it is. */
static batch_failure_e build(batch_pgsql_sets_t *sets, int fresh)
{
    rows_run_t *run = (rows_run_t *)sets;
    const batch_resource_t *resource = sets->scope->resource;
    batch_failure_e failure =
        batch_pgsql_table(sets->connection, &sets->table, resource->table, fresh);
    batch_pgsql_builder_t builder;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    batch_pgsql_builder_init(&builder, sets->table, resource->table, sets->p);
    sets->key = batch_pgsql_column(sets->table, resource->key);
    run->hopeless = !(run->is_update ? build_update : build_delete)(&builder, run);
    run->parameters = (const char **)builder.values->elts;
    run->statement = batch_pgsql_built(sets->connection, &builder);
    sets->pace = &run->statement->pace;
    sets->settings = settings;
    return BATCH_FAILURE_NONE;
}

/* ---- One set ----------------------------------------------------------------------------------
 */

/* Lists the keys of the next count items that can be keys, and their places. Returns how many. */
static int list_keys(const rows_run_t *run, const char **keys, int *places, int count)
{
    const batch_item_t *items = run->sets.items + run->sets.position;
    int listed = 0, i;

    for (i = 0; i < count; i++) {
        if (!run->hopeless && batch_pgsql_fits(run->sets.key, items[i].key)) {
            places[listed] = i;
            keys[listed++] = items[i].key;
        }
    }
    return listed;
}

static batch_failure_e run_keys(rows_run_t *run, PGresult **result, const char *keys, int count)
{
    batch_pgsql_sets_t *sets = &run->sets;
    batch_failure_e failure = batch_pgsql_sets_begin(sets, count);

    run->parameters[0] = keys;
    if (failure == BATCH_FAILURE_NONE) {
        failure =
            batch_pgsql_queue(sets->connection, run->statement, run->parameters, BATCH_PGSQL_ROWS);
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(sets->connection, result) : failure;
}

/* A key that is no value of its column's type, which only the server can tell, is no row's key. */
static batch_failure_e excuse_key(batch_pgsql_sets_t *sets, int *is_none)
{
    *is_none = 0;
    return sets->key->kind == BATCH_PGSQL_OTHER
               ? batch_pgsql_sets_judge_key(sets, is_none, &sets->items[sets->position])
               : BATCH_FAILURE_NONE;
}

/* Runs the next count items as a set: their outcomes are known unless it is refused. */
static batch_failure_e run_set(batch_pgsql_sets_t *sets, int count)
{
    rows_run_t *run = (rows_run_t *)sets;
    batch_row_outcome_t *outcomes = sets->outcomes + sets->position;
    const char **keys = apr_palloc(sets->set_pool, (apr_size_t)count * sizeof(*keys));
    int *places = apr_palloc(sets->set_pool, (apr_size_t)count * sizeof(*places));
    PGresult *result = NULL;
    batch_failure_e failure;
    int listed, i;

    for (i = 0; i < count; i++) {
        outcomes[i].result = BATCH_ROW_NOT_FOUND;
        outcomes[i].message = NULL;
    }
    listed = list_keys(run, keys, places, count);
    if (listed < count && batch_pgsql_sets_old(sets)) {
        /* Nobody is told that a row is not there because of the type that its key once had. */
        failure = build(sets, 1);
        if (failure != BATCH_FAILURE_NONE) {
            return failure;
        }
        listed = list_keys(run, keys, places, count);
    }
    if (!listed) {
        return BATCH_FAILURE_NONE;
    }
    sets->asked = 1;
    sets->alike = sets->count - sets->position;
    failure = run_keys(run, &result, batch_pgsql_array(keys, listed, sets->set_pool), count);
    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        apr_int64_t number = apr_atoi64(PQgetvalue(result, i, 0));
        outcomes[places[number - 1]].result = BATCH_ROW_APPLIED;
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_sets_end(sets, count) : failure;
}

/* Values that no row can take are not worth a try with each. */
static batch_failure_e probe(batch_pgsql_sets_t *sets, int *for_all)
{
    rows_run_t *run = (rows_run_t *)sets;

    if (!run->is_update || run->probed) {
        return BATCH_FAILURE_NONE;
    }
    run->probed = 1;
    run->parameters[0] = "{}";
    return batch_pgsql_sets_try(sets, for_all, run->statement, run->parameters);
}

apr_status_t batch_pgsql_rows_delete(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                     const batch_row_scope_t *scope, const batch_item_t *items,
                                     int count, apr_time_t deadline, apr_pool_t *ptemp)
{
    rows_run_t run = {
        .sets = {tx, scope, items, outcomes, ptemp, build, run_set, probe, excuse_key}};

    return batch_pgsql_sets_apply(&run.sets, done, count, deadline);
}

apr_status_t batch_pgsql_rows_update(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                     const batch_row_scope_t *scope, const batch_value_t *values,
                                     int value_count, const batch_item_t *items, int count,
                                     apr_time_t deadline, apr_pool_t *ptemp)
{
    rows_run_t run = {
        .sets = {tx, scope, items, outcomes, ptemp, build, run_set, probe, excuse_key},
        .is_update = 1,
        .values = values,
        .value_count = value_count};

    return batch_pgsql_sets_apply(&run.sets, done, count, deadline);
}

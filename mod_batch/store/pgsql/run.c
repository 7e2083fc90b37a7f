#include "store/pgsql/run.h"

#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/failures.h"
#include "text/check.h"

/*
 * A set of several rows that takes so much longer than it should is stopped, and smaller ones are
 * tried; beyond what one may wait for a lock. A single row may take as long as the session allows.
 */
#define SET_TIMEOUT(patience) (apr_time_as_msec(patience) + 2000)

const char batch_pgsql_in_order[] =
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', "
    "true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_sort', 'off', true), set_config('jit', 'off', true)";

void batch_pgsql_run_start(batch_pgsql_run_t *run, batch_tx_t *tx, const batch_row_scope_t *scope,
                           const char *now, apr_pool_t *p)
{
    memset(run, 0, sizeof(*run));
    run->magic = BATCH_PGSQL_RUN_MAGIC;
    run->connection = tx->connection;
    batch_row_plan_init(&run->plan, scope, now, 0, p);
}

/* ---- The table ---------------------------------------------------------------------------------
 */

batch_failure_e batch_pgsql_run_read(batch_pgsql_run_t *run, int fresh)
{
    const batch_resource_t *resource =
        BATCH_CAST(batch_pgsql_run_t, run, BATCH_PGSQL_RUN_MAGIC)->plan.resource;
    batch_failure_e failure =
        batch_pgsql_table(run->connection, &run->table, resource->table, fresh);

    if (failure == BATCH_FAILURE_NONE) {
        run->key = batch_pgsql_column(run->table, resource->key);
    }
    return failure;
}

batch_failure_e batch_pgsql_run_rules(batch_pgsql_run_t *run)
{
    return batch_pgsql_rules(run->connection, &run->rules, run->table, run->plan.resource);
}

int batch_pgsql_run_is_old(const batch_pgsql_run_t *run)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(run->connection);

    return run->table->transaction != state->transactions;
}

batch_failure_e batch_pgsql_run_guard(const batch_pgsql_run_t *run)
{
    return batch_pgsql_run_is_old(run)
               ? batch_pgsql_rules_guard(run->connection, run->rules, run->plan.resource)
               : BATCH_FAILURE_NONE;
}

int batch_pgsql_run_is_possible(const batch_pgsql_run_t *run)
{
    const batch_row_plan_t *plan = &run->plan;
    int i;

    for (i = 0; i < plan->scoped.count; i++) {
        const char *value = plan->constants[plan->scoped.list[i].constant];

        if (!value ||
            !batch_pgsql_fits(batch_pgsql_column(run->table, plan->scoped.list[i].column), value)) {
            return 0;
        }
    }
    return 1;
}

/* ---- Statements --------------------------------------------------------------------------------
 */

void batch_pgsql_run_build(const batch_pgsql_run_t *run, batch_pgsql_builder_t *builder,
                           apr_pool_t *p)
{
    batch_pgsql_builder_init(builder, run->table, &run->plan, p);
}

batch_failure_e batch_pgsql_run_ask(const batch_pgsql_run_t *run, PGresult **result,
                                    const batch_pgsql_builder_t *builder)
{
    const batch_pgsql_values_t values = batch_pgsql_values(builder);
    batch_failure_e failure = batch_pgsql_queue_values(
        run->connection, batch_pgsql_built(run->connection, builder), &values, BATCH_PGSQL_ROWS);

    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(run->connection, result) : failure;
}

batch_failure_e batch_pgsql_run_text(const batch_pgsql_run_t *run, const char *sql)
{
    return batch_pgsql_queue(run->connection, batch_pgsql_statement(run->connection, sql, NULL, 0),
                             NULL, BATCH_PGSQL_OWN);
}

/* ---- Savepoints --------------------------------------------------------------------------------
 */

/* Lets the next statements take that many milliseconds. */
static batch_failure_e set_timeout(const batch_pgsql_run_t *run, apr_int64_t timeout)
{
    char sql[64];

    apr_snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %" APR_INT64_T_FMT, timeout);
    return batch_pgsql_run_text(run, sql);
}

/* Has the timeout of a set been set? It is undone with the savepoint, or by take_time. */
static int has_timeout(const batch_pgsql_run_t *run, int count)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(run->connection);

    return count > 1 &&
           (!state->timeout || state->timeout > SET_TIMEOUT(run->connection->patience));
}

batch_failure_e batch_pgsql_run_begin(const batch_pgsql_run_t *run, int count)
{
    batch_failure_e failure = batch_pgsql_run_text(run, "SAVEPOINT batch_rows");

    return failure == BATCH_FAILURE_NONE && has_timeout(run, count)
               ? set_timeout(run, SET_TIMEOUT(run->connection->patience))
               : failure;
}

batch_failure_e batch_pgsql_run_take_time(const batch_pgsql_run_t *run, int count)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(run->connection);

    return has_timeout(run, count) ? set_timeout(run, state->timeout) : BATCH_FAILURE_NONE;
}

batch_failure_e batch_pgsql_run_end(const batch_pgsql_run_t *run, int count)
{
    batch_failure_e failure = batch_pgsql_run_text(run, "RELEASE SAVEPOINT batch_rows");

    return failure == BATCH_FAILURE_NONE ? batch_pgsql_run_take_time(run, count) : failure;
}

static batch_failure_e undo(batch_connection_t *connection)
{
    batch_failure_e failure;

    batch_pgsql_forgive(connection);
    failure =
        batch_pgsql_queue_text(connection, "ROLLBACK TO SAVEPOINT batch_rows", BATCH_PGSQL_OWN);
    return failure == BATCH_FAILURE_NONE
               ? batch_pgsql_queue_text(connection, "RELEASE SAVEPOINT batch_rows", BATCH_PGSQL_OWN)
               : failure;
}

batch_failure_e batch_pgsql_run_undo(const batch_pgsql_run_t *run)
{
    return undo(run->connection);
}

batch_failure_e batch_pgsql_run_try(const batch_pgsql_run_t *run, int *refused,
                                    batch_pgsql_statement_t *statement,
                                    const char *const *parameters)
{
    batch_failure_e failure = batch_pgsql_run_begin(run, 1);

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_ask(run->connection, NULL, statement, parameters, BATCH_PGSQL_ROWS);
    }
    *refused = failure == BATCH_FAILURE_REFUSED;
    return failure == BATCH_FAILURE_NONE || *refused ? batch_pgsql_run_undo(run) : failure;
}

batch_failure_e batch_pgsql_run_judge_key(const batch_pgsql_run_t *run, int *is_none,
                                          const char *key)
{
    const Oid types[] = {run->key->type};

    return batch_pgsql_run_try(
        run, is_none, batch_pgsql_statement(run->connection, "SELECT $1 IS NULL", types, 1), &key);
}

/* ---- Failures ----------------------------------------------------------------------------------
 */

int batch_pgsql_run_failed_by(const batch_pgsql_run_t *run, const char *class)
{
    return !strncmp(batch_pgsql_sqlstate(run->connection), class, 2);
}

batch_failure_e batch_pgsql_run_misfit(const batch_pgsql_run_t *run)
{
    return batch_pgsql_run_is_old(run) ? BATCH_FAILURE_OUTDATED : BATCH_FAILURE_STATEMENT;
}

/* ---- Sets --------------------------------------------------------------------------------------
 */

batch_failure_e batch_pgsql_sets_undo(batch_sets_t *sets)
{
    return undo(sets->tx->connection);
}

void batch_pgsql_sets_judge(const batch_sets_t *sets, batch_set_refusal_t *refusal)
{
    batch_connection_t *connection = sets->tx->connection;
    const char *state = batch_pgsql_sqlstate(connection);

    refusal->message = apr_pstrdup(sets->rows->p, batch_pgsql_message(connection));
    refusal->kind = batch_pgsql_refusal(connection);
    refusal->misfit = batch_pgsql_is_misfit(connection);
    refusal->wrong_value = !strncmp(state, "22", 2);
    refusal->too_long = !strncmp(state, "57", 2);
    refusal->for_all = batch_pgsql_state(connection)->refused_making;
}

int batch_pgsql_sets_is_old(const batch_sets_t *sets)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(sets->tx->connection);
    const batch_pgsql_table_t *table =
        apr_hash_get(state->tables, sets->rows->scope->resource->table, APR_HASH_KEY_STRING);

    return !table || table->transaction != state->transactions;
}

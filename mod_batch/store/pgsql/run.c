#include "store/pgsql/run.h"

#include <string.h>

#include "store/pgsql/failures.h"

const char batch_pgsql_in_order[] =
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', "
    "true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_sort', 'off', true), set_config('jit', 'off', true)";

void batch_pgsql_run_start(batch_pgsql_run_t *run, batch_tx_t *tx, const batch_row_scope_t *scope,
                           const char *now, apr_pool_t *p)
{
    memset(run, 0, sizeof(*run));
    run->connection = tx->connection;
    batch_row_plan_init(&run->plan, scope, now, 0, p);
}

/* ---- The table ---------------------------------------------------------------------------------
 */

batch_failure_e batch_pgsql_run_read(batch_pgsql_run_t *run, int fresh)
{
    const batch_resource_t *resource = run->plan.resource;
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
    return batch_pgsql_queue_text(run->connection, sql, BATCH_PGSQL_OWN);
}

batch_failure_e batch_pgsql_run_save(const batch_pgsql_run_t *run)
{
    return batch_pgsql_run_text(run, "SAVEPOINT batch_rows");
}

batch_failure_e batch_pgsql_run_release(const batch_pgsql_run_t *run)
{
    return batch_pgsql_run_text(run, "RELEASE SAVEPOINT batch_rows");
}

batch_failure_e batch_pgsql_run_undo(const batch_pgsql_run_t *run)
{
    batch_failure_e failure;

    batch_pgsql_forgive(run->connection);
    failure = batch_pgsql_run_text(run, "ROLLBACK TO SAVEPOINT batch_rows");
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_run_release(run) : failure;
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

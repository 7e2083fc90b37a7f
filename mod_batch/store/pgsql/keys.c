/* PostgreSQL: walks over the rows of a scope, in the order of their keys. */
#include <apr_strings.h>

#include "store/pgsql/run.h"

/* Rows that a walk looks at in one call, of whomever they are. */
#define WALK_ROWS 1000

/* 1 if the statement can ask for the scope's rows alone. */
static int walks_scope(const batch_pgsql_run_t *run)
{
    return !run->plan.scoped.count || run->rules->walk_scope || !run->rules->key_unique;
}

/*
 * The next keys, and whether each of them is of the scope. Where no index has the scope's keys in
 * their order, the rows of all are looked at, so many at a time.
 */
static void build_walk(batch_pgsql_builder_t *builder, const batch_pgsql_run_t *run,
                       const char *after, int rows, apr_pool_t *p)
{
    const char *key = run->plan.resource->key;
    int alone = walks_scope(run);

    batch_pgsql_run_build(run, builder, p);
    batch_pgsql_add_key(builder, "SELECT ");
    batch_pgsql_add(builder, ", ");
    if (alone) {
        batch_pgsql_add(builder, "true FROM ");
    } else {
        batch_pgsql_add_scope(builder, "");
        batch_pgsql_add(builder, " FROM (SELECT * FROM ");
    }
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_of(builder, " WHERE ", NULL, key);
    if (after) {
        batch_pgsql_add(builder, " > ");
        batch_pgsql_add_value(builder, run->key->type, after);
    } else {
        batch_pgsql_add(builder, " IS NOT NULL");
    }
    if (alone) {
        batch_pgsql_add_scope(builder, " AND ");
    }
    batch_pgsql_add_of(builder, " ORDER BY ", NULL, key);
    batch_pgsql_add(builder, " LIMIT ");
    batch_pgsql_add_value(builder, BATCH_PGSQL_BIGINT, apr_itoa(builder->p, rows));
    if (!alone) {
        batch_pgsql_add(builder, ") AS ");
        batch_pgsql_add(builder, builder->table_name);
        batch_pgsql_add_of(builder, " ORDER BY ", NULL, key);
    }
}

/* Reads the next rows. *result stays until the transaction's next statement; NULL: there are none.
 */
static batch_failure_e read_keys(batch_pgsql_run_t *run, PGresult **result, int *rows,
                                 const batch_key_walk_t *walk, apr_pool_t *p)
{
    batch_pgsql_builder_t builder;
    batch_failure_e failure = batch_pgsql_run_text(run, batch_pgsql_in_order);

    if (failure == BATCH_FAILURE_NONE && !batch_pgsql_run_is_possible(run) &&
        batch_pgsql_run_is_old(run)) {
        failure = batch_pgsql_run_read(run, 1);
        if (failure == BATCH_FAILURE_NONE) {
            failure = batch_pgsql_run_rules(run);
        }
    }
    if (failure != BATCH_FAILURE_NONE || !batch_pgsql_run_is_possible(run)) {
        return failure;
    }
    *rows = !walks_scope(run) ? WALK_ROWS : walk->limit > 0 ? walk->limit : 1;
    build_walk(&builder, run, walk->after, *rows, p);
    failure = batch_pgsql_run_guard(run);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_run_ask(run, result, &builder);
    }
    return failure == BATCH_FAILURE_REFUSED ? batch_pgsql_run_misfit(run) : failure;
}

/* Calls fn for the keys of a result that had room for so many rows. */
static apr_status_t hand_out(batch_key_walk_t *walk, const PGresult *result, int rows)
{
    int limit = walk->limit > 0 ? walk->limit : 1;
    int count = PQntuples(result);
    apr_status_t rv = APR_SUCCESS;
    int given = 0, i;

    for (i = 0; rv == APR_SUCCESS && i < count && given < limit; i++) {
        if (*PQgetvalue(result, i, 1) == 't') {
            given++;
            rv = walk->fn(walk->baton, PQgetvalue(result, i, 0));
        }
    }
    if (rv == APR_SUCCESS) {
        walk->after = i && (i < count || count == rows)
                          ? apr_pstrdup(walk->p, PQgetvalue(result, i - 1, 0))
                          : NULL;
    }
    return rv;
}

apr_status_t batch_pgsql_keys_walk(batch_tx_t *tx, batch_key_walk_t *walk)
{
    batch_pgsql_run_t run;
    PGresult *result = NULL;
    batch_failure_e failure;
    apr_pool_t *ptemp;
    apr_status_t rv = apr_pool_create(&ptemp, walk->p);
    int rows = 0;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    batch_pgsql_run_start(&run, tx, walk->scope, NULL, ptemp);
    failure = batch_pgsql_run_read(&run, 0);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_run_rules(&run);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_keys(&run, &result, &rows, walk, ptemp);
    }
    if (failure != BATCH_FAILURE_NONE) {
        rv = batch_tx_fail(tx, failure, "walking over rows");
    } else if (result) {
        walk->type = run.key->kind == BATCH_PGSQL_INTEGER ? BATCH_KEY_INTEGER : BATCH_KEY_TEXT;
        /* fn may use the connection */
        rv = hand_out(walk, batch_pgsql_keep(run.connection, ptemp), rows);
    } else {
        walk->after = NULL; /* there is no such row */
    }
    apr_pool_destroy(ptemp);
    return rv;
}

/* SQLite: walks over the rows of a scope, in the order of their keys. */
#include <apr_strings.h>

#include "store/sqlite3/rows.h"
#include "store/sqlite3/run.h"

/* Rows that a walk looks at in one call, of whomever they are. */
#define WALK_ROWS 1000

/* Reads the next rows: the keys of the scope's into keys, the last one's of all into *last. */
static batch_failure_e read_keys(batch_sqlite3_run_t *run, apr_array_header_t *keys,
                                 const char **last, const char *after, int limit)
{
    batch_sqlite3_group_t *group =
        batch_sqlite3_run_group(run, after ? BATCH_GROUP_WALK_ON : BATCH_GROUP_WALK_START, 0);
    int parameters = run->plan.column_count;
    sqlite3_stmt *statement;
    batch_failure_e failure = batch_sqlite3_run_statement(run, &statement, group, BATCH_GROUP_FIND);
    int code = SQLITE_ROW;
    int seen = 0;

    *last = NULL;
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    sqlite3_bind_int(statement, parameters + BATCH_PARAMETER_LIMIT, WALK_ROWS);
    if (after) {
        sqlite3_bind_text(statement, parameters + BATCH_PARAMETER_KEY, after, -1, SQLITE_STATIC);
    }
    while (keys->nelts < limit && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *key = apr_pstrdup(run->p, (const char *)sqlite3_column_text(statement, 0));

        seen++;
        *last = key;
        if (sqlite3_column_int(statement, 1)) {
            APR_ARRAY_PUSH(keys, const char *) = key;
        }
    }
    if (keys->nelts < limit && seen < WALK_ROWS) {
        *last = NULL; /* that was all */
    }
    return batch_sqlite3_run_end(run, statement, code);
}

apr_status_t batch_sqlite3_keys_walk(batch_tx_t *tx, batch_key_walk_t *walk)
{
    apr_array_header_t *keys;
    const char *last = NULL;
    apr_pool_t *ptemp;
    batch_sqlite3_run_t run;
    batch_failure_e failure;
    apr_status_t rv = apr_pool_create(&ptemp, walk->p);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    keys = apr_array_make(ptemp, 64, sizeof(const char *));
    failure = batch_sqlite3_run_start(&run, tx, walk->scope, NULL, ptemp);
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_keys(&run, keys, &last, walk->after, walk->limit > 0 ? walk->limit : 1);
    }
    if (failure != BATCH_FAILURE_NONE) {
        rv = batch_tx_fail(tx, failure, "walking over rows");
    }
    walk->type = failure == BATCH_FAILURE_NONE ? run.target->table.key_type : BATCH_KEY_TEXT;
    /* Only now: fn may use the connection. */
    for (i = 0; rv == APR_SUCCESS && i < keys->nelts; i++) {
        rv = walk->fn(walk->baton, APR_ARRAY_IDX(keys, i, const char *));
    }
    if (rv == APR_SUCCESS) {
        walk->after = last ? apr_pstrdup(walk->p, last) : NULL;
    }
    apr_pool_destroy(ptemp);
    return rv;
}

/* Where an index has the scope and then the key nothing but that index is read. */
apr_status_t batch_sqlite3_keys_quick(batch_tx_t *tx, int *quick, const batch_row_scope_t *scope)
{
    const batch_sqlite3_target_t *target;
    batch_failure_e failure = batch_sqlite3_target(tx->connection, &target, scope);

    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking at a table");
    }
    *quick =
        target->table.walk_scope && target->table.walk_index && target->table.key_unique_in_scope;
    return APR_SUCCESS;
}

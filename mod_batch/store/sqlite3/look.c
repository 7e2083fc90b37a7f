/* SQLite: looks at the rows of items, and walks over the rows of a scope. */
#include <string.h>

#include <apr_strings.h>

#include "store/sqlite3/merge.h"
#include "store/sqlite3/rows.h"

/* Rows that a walk looks at in one call, of whomever they are. */
#define WALK_ROWS 1000

/* ---- Looking -----------------------------------------------------------------------------------
 */

/* Leaves of the columns at hand those that a look asks about: fewer sets, fewer statements. */
static void keep_asked(batch_sqlite3_run_t *run, int by_match)
{
    int i, j;

    for (i = 0; i < run->resource->columns->nelts; i++) {
        int asked = batch_sqlite3_run_column(run, i)->immutable;

        for (j = 0; by_match && !asked && j < run->resource->match->nelts; j++) {
            asked = !strcmp(APR_ARRAY_IDX(run->resource->match, j, const char *),
                            batch_sqlite3_run_column(run, i)->name);
        }
        if (!asked) {
            run->columns[i / 64] &= ~((apr_uint64_t)1 << (i % 64));
        }
    }
}

/* The name of the first column that differs, by the row of a look; NULL = none. */
static const char *first_change(const batch_sqlite3_run_t *run, sqlite3_stmt *statement)
{
    int column = 1;
    int i;

    for (i = 0; i < run->resource->columns->nelts; i++) {
        if (batch_sqlite3_run_column(run, i)->immutable && (run->columns[i / 64] >> (i % 64) & 1) &&
            sqlite3_column_int(statement, column++)) {
            return batch_sqlite3_run_column(run, i)->name;
        }
    }
    return NULL;
}

static batch_failure_e look_at(batch_sqlite3_run_t *run, batch_row_look_t *look)
{
    int by_match = !run->item->key;
    batch_sqlite3_plan_t *plan;
    sqlite3_stmt *statement;
    batch_failure_e failure;
    int code;

    if (by_match && !batch_sqlite3_run_has_match(run)) {
        return BATCH_FAILURE_NONE;
    }
    keep_asked(run, by_match);
    plan = batch_sqlite3_plan(run->connection, run->target,
                              by_match ? BATCH_PLAN_LOOK_MATCH : BATCH_PLAN_LOOK_KEY, 0,
                              run->columns, run->words);
    failure = batch_sqlite3_run_statement(run, &statement, plan, BATCH_PLAN_FIND);
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        batch_row_look_add(look, (const char *)sqlite3_column_text(statement, 0), run->p);
        if (look->found == 1) {
            look->immutable = first_change(run, statement);
        }
    }
    return batch_sqlite3_run_end(run, statement, code);
}

apr_status_t batch_sqlite3_rows_look(batch_tx_t *tx, batch_rows_t *rows)
{
    batch_sqlite3_run_t run;
    batch_failure_e failure = batch_sqlite3_run_start(&run, tx, rows->scope, rows->p);
    int i;

    memset(rows->looks, 0, (apr_size_t)(unsigned)rows->count * sizeof(*rows->looks));
    batch_sqlite3_state(tx->connection)->rows_used = 1;
    for (i = 0; failure == BATCH_FAILURE_NONE && i < rows->count; i++) {
        batch_sqlite3_run_take(&run, &rows->items[i]);
        failure = look_at(&run, &rows->looks[i]);
    }
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS
                                         : batch_tx_fail(tx, failure, "looking at rows");
}

/* ---- Walking -----------------------------------------------------------------------------------
 */

/* Reads the next rows: the keys of the scope's into keys, the last one's of all into *last. */
static batch_failure_e read_keys(batch_sqlite3_run_t *run, apr_array_header_t *keys,
                                 const char **last, const char *after, int limit)
{
    batch_sqlite3_plan_t *plan = batch_sqlite3_plan(
        run->connection, run->target, after ? BATCH_PLAN_WALK_ON : BATCH_PLAN_WALK_START, 0,
        run->columns, run->words);
    int parameters = run->resource->columns->nelts;
    sqlite3_stmt *statement;
    batch_failure_e failure = batch_sqlite3_run_statement(run, &statement, plan, BATCH_PLAN_FIND);
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
    batch_sqlite3_state(tx->connection)->rows_used = 1;
    failure = batch_sqlite3_run_start(&run, tx, walk->scope, ptemp);
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_keys(&run, keys, &last, walk->after, walk->limit > 0 ? walk->limit : 1);
    }
    if (failure != BATCH_FAILURE_NONE) {
        rv = batch_tx_fail(tx, failure, "walking over rows");
    }
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

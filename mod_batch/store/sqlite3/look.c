/* SQLite: looks at the rows of items. */
#include <string.h>

#include <apr_strings.h>

#include "store/sqlite3/rows.h"
#include "store/sqlite3/run.h"

/* Leaves of the columns at hand those that a look asks about: fewer sets, fewer statements. */
static void keep_asked(batch_row_plan_t *plan, int by_match)
{
    int i;

    for (i = 0; i < plan->column_count; i++) {
        const batch_column_t *column = batch_row_plan_column(plan, i);

        if (!column->immutable && !(by_match && batch_match_has(plan->resource, column->name))) {
            plan->columns[i / 64] &= ~((apr_uint64_t)1 << (i % 64));
        }
    }
}

/* The name of the first column that differs, by the row of a look; NULL = none. */
static const char *first_change(const batch_row_plan_t *plan, sqlite3_stmt *statement)
{
    int column = 1;
    int i;

    for (i = 0; i < plan->column_count; i++) {
        if (batch_row_plan_column(plan, i)->immutable && batch_columns_have(plan->columns, i) &&
            sqlite3_column_int(statement, column++)) {
            return batch_row_plan_column(plan, i)->name;
        }
    }
    return NULL;
}

static batch_failure_e look_at(batch_sqlite3_run_t *run, batch_row_look_t *look)
{
    int by_match = !run->plan.item->key;
    batch_sqlite3_group_t *group;
    sqlite3_stmt *statement;
    batch_failure_e failure;
    int code;

    if (by_match && !batch_item_has_match(run->plan.resource, run->plan.item)) {
        return BATCH_FAILURE_NONE;
    }
    keep_asked(&run->plan, by_match);
    group = batch_sqlite3_run_group(
        run, by_match ? BATCH_GROUP_LOOK_BY_MATCH : BATCH_GROUP_LOOK_BY_KEY, 0);
    failure = batch_sqlite3_run_statement(run, &statement, group, BATCH_GROUP_FIND);
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        batch_row_look_add(look, (const char *)sqlite3_column_text(statement, 0), run->p);
        if (look->found == 1) {
            look->immutable = first_change(&run->plan, statement);
        }
    }
    return batch_sqlite3_run_end(run, statement, code);
}

apr_status_t batch_sqlite3_rows_look(batch_tx_t *tx, batch_rows_t *rows)
{
    batch_sqlite3_run_t run;
    batch_failure_e failure = batch_sqlite3_run_start(&run, tx, rows->scope, NULL, rows->p);
    const int *order = batch_sqlite3_order(rows->items, rows->count, rows->p);
    int i;

    memset(rows->looks, 0, (apr_size_t)(unsigned)rows->count * sizeof(*rows->looks));
    for (i = 0; failure == BATCH_FAILURE_NONE && i < rows->count; i++) {
        batch_row_plan_take(&run.plan, &rows->items[order[i]]);
        failure = look_at(&run, &rows->looks[order[i]]);
    }
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS
                                         : batch_tx_fail(tx, failure, "looking at rows");
}

/*
 * SQLite: rows are changed by one prepared statement an item, which is twice as fast as anything
 * that passes a set, and says of each row what became of it. Nothing is allocated for an item
 * unless it is refused.
 */
#include "store/sqlite3/rows.h"

#include "store/sqlite3/run.h"

/* Applies one to the row with its key. */
static batch_failure_e touch(batch_sqlite3_run_t *run, const batch_item_t *one,
                             batch_row_outcome_t *outcome, batch_group_statement_e which)
{
    int missing;

    batch_row_plan_take(&run->plan, one);
    if (run->plan.wrong) {
        batch_rows_refuse(outcome, 1, run->plan.wrong, BATCH_REFUSAL_FINAL);
        return BATCH_FAILURE_NONE;
    }
    return batch_sqlite3_run_touch(run, outcome, &missing,
                                   batch_sqlite3_run_group(run, BATCH_GROUP_BY_KEY, 0), which);
}

static batch_failure_e delete_item(batch_sqlite3_run_t *run, const batch_rows_t *rows, int i)
{
    const batch_item_t one = {.kind = BATCH_ITEM_KEY, .key = rows->items[i].key};

    run->is_walked = rows->walked;
    return touch(run, &one, &rows->outcomes[i], BATCH_GROUP_DELETE);
}

static batch_failure_e update_item(batch_sqlite3_run_t *run, const batch_rows_t *rows, int i)
{
    const batch_item_t one = {.kind = BATCH_ITEM_KEY,
                              .key = rows->items[i].key,
                              .values = (batch_value_t *)rows->values, /* are read */
                              .value_count = rows->value_count};

    return touch(run, &one, &rows->outcomes[i], BATCH_GROUP_UPDATE);
}

apr_status_t batch_sqlite3_rows_delete(batch_tx_t *tx, batch_rows_t *rows)
{
    return batch_sqlite3_run_apply(tx, rows, delete_item, BATCH_SQLITE3_DELETES);
}

apr_status_t batch_sqlite3_rows_update(batch_tx_t *tx, batch_rows_t *rows)
{
    return batch_sqlite3_run_apply(tx, rows, update_item, BATCH_SQLITE3_UPDATES);
}

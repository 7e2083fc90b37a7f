/*
 * SQLite: merges. An item is one or two prepared statements, UPDATE and then, where that has
 * changed nothing, INSERT; nothing is allocated for it unless it is refused.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "store/sqlite3/failures.h"
#include "store/sqlite3/rows.h"
#include "store/sqlite3/run.h"

static batch_failure_e insert(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                              batch_sqlite3_group_t *group)
{
    int changed;
    batch_failure_e failure;

    run->inserting = 1;
    failure = batch_sqlite3_run_change(run, &changed, group, BATCH_GROUP_INSERT);
    if (failure == BATCH_FAILURE_NONE && !changed) {
        batch_rows_refuse(outcome, 1, batch_row_left_out, BATCH_REFUSAL_FINAL);
    } else {
        outcome->result = BATCH_ROW_CREATED;
    }
    return failure;
}

/* ---- Which row it was --------------------------------------------------------------------------
 */

/* 1 if the row of an item of that kind is not known by the item's own key. */
static int must_tell(const batch_sqlite3_run_t *run, batch_item_kind_e kind)
{
    return run->tells &&
           (kind == BATCH_ITEM_MATCH || run->target->table.triggers ||
            !run->target->table.key_exact || run->plan.resource->keys == BATCH_KEYS_DATABASE);
}

/* Gives a statement about the row that was touched. */
static batch_failure_e ask_touched(const batch_sqlite3_run_t *run, sqlite3_stmt **statement,
                                   batch_sqlite3_group_t *group, batch_group_statement_e which)
{
    int parameter = run->plan.column_count + BATCH_PARAMETER_ROW;
    batch_failure_e failure = batch_sqlite3_run_statement(run, statement, group, which);
    int code;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    code = run->target->table.has_rowid
               ? sqlite3_bind_int64(*statement, parameter, run->touched_row)
               : batch_sqlite3_bind_text(*statement, parameter,
                                         run->touched_key ? run->touched_key : run->plan.item->key);
    return batch_sqlite3_classify(run->connection, code, 0);
}

/* What the triggers have made of the row: its key in run->touched_key, or why it is refused. */
static batch_failure_e find_touched(batch_sqlite3_run_t *run, batch_sqlite3_group_t *group)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = ask_touched(run, &statement, group, BATCH_GROUP_STORED);
    int code;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        run->touched_key = batch_sqlite3_run_key(run, statement);
    } else if (code == SQLITE_DONE) {
        run->why = batch_row_strayed;
    }
    return batch_sqlite3_run_end(run, statement, code);
}

/*
 * A new row that has other match values than were sent may have those of a row that was there: then
 * that is the row which the item names.
 */
static batch_failure_e find_alike(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                                  batch_sqlite3_group_t *group)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = ask_touched(run, &statement, group, BATCH_GROUP_LIKE);
    int found = 0;
    int code;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        run->why = batch_row_alike;
        outcome->key = apr_pstrdup(run->p, (const char *)sqlite3_column_text(statement, 0));
        outcome->unsure = ++found > 1;
    }
    return batch_sqlite3_run_end(run, statement, code);
}

/*
 * Says which key the database has made for the row. A trigger may have given it another one since;
 * where the row is not there any more nobody asks for its key.
 */
static batch_failure_e tell_made(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                                 batch_sqlite3_group_t *group)
{
    batch_failure_e failure =
        run->target->table.triggers ? find_touched(run, group) : BATCH_FAILURE_NONE;

    outcome->key = run->why ? NULL : run->touched_key;
    run->why = NULL;
    return failure;
}

/* Says which row the item, which was applied, has touched. */
static batch_failure_e tell(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                            batch_sqlite3_group_t *group)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;

    if (!run->told || !group->tells) {
        return run->told && run->inserting ? tell_made(run, outcome, group) : failure;
    }
    if (batch_sqlite3_run_is_watched(run)) {
        failure = find_touched(run, group);
    }
    if (failure == BATCH_FAILURE_NONE && !run->why && batch_sqlite3_run_is_watched(run) &&
        run->inserting && run->plan.item->kind == BATCH_ITEM_MATCH &&
        !run->target->table.match_unique) {
        failure = find_alike(run, outcome, group);
    }
    if (failure == BATCH_FAILURE_NONE && run->why) {
        return BATCH_FAILURE_REFUSED;
    }
    outcome->key = run->touched_key;
    return failure;
}

/* 1 if a name of a column, as far as some end, is one that finds the item's row. */
static int finds_rows(const batch_sqlite3_run_t *run, const char *name, apr_size_t length)
{
    const batch_resource_t *resource = run->plan.resource;
    const char *const others[] = {resource->key, resource->scope};
    int i;

    for (i = 0; i < 2; i++) {
        if (others[i] && strlen(others[i]) == length && !strncasecmp(others[i], name, length)) {
            return 1;
        }
    }
    for (i = 0; run->plan.item->kind == BATCH_ITEM_MATCH && i < resource->match->nelts; i++) {
        const char *column = APR_ARRAY_IDX(resource->match, i, const char *);

        if (strlen(column) == length && !strncasecmp(column, name, length)) {
            return 1;
        }
    }
    return 0;
}

/*
 * 1 if a new row was refused because another one has its key, or its match values, as a trigger has
 * made them: SQLite does not say which. message: "UNIQUE constraint failed: table.column, …".
 */
static int is_unsure(const batch_sqlite3_run_t *run, const char *message)
{
    static const char unique[] = "UNIQUE constraint failed: ";
    apr_size_t table = strlen(run->plan.resource->table) + 1;

    if (!message || !batch_sqlite3_run_is_watched(run) || !run->inserting ||
        strncmp(message, unique, sizeof(unique) - 1) != 0) {
        return 0;
    }
    for (message += sizeof(unique) - 1; *message; message += strspn(message, ", ")) {
        apr_size_t length = strcspn(message, ",");

        if (length <= table || !finds_rows(run, message + table, length - table)) {
            return 0;
        }
        message += length;
    }
    return 1;
}

/* ---- Offers ------------------------------------------------------------------------------------
 */

/* Items that have made new rows one after the other before the next is taken for such a one. */
#define OFFER_AFTER 3

/*
 * Makes the item's row if none has its key; *made: 1 if so. Else nothing was done, not even where
 * it was refused: what an UPDATE and an INSERT do tells why, and in whose words.
 */
static batch_failure_e offer(batch_sqlite3_run_t *run, int *made, batch_sqlite3_group_t *group)
{
    batch_failure_e failure = batch_sqlite3_run_change(run, made, group, BATCH_GROUP_OFFER);

    if ((failure == BATCH_FAILURE_STATEMENT || failure == BATCH_FAILURE_REFUSED) &&
        !sqlite3_get_autocommit(run->connection->native)) {
        group->made = failure == BATCH_FAILURE_STATEMENT ? -1 : 0;
        *made = 0;
        failure = BATCH_FAILURE_NONE;
    }
    return failure;
}

/*
 * Where several items before it were new their row is offered at once, instead of an UPDATE first
 * that finds none. *made: that was all.
 */
static batch_failure_e try_offer(batch_sqlite3_run_t *run, int *made, batch_row_outcome_t *outcome,
                                 batch_sqlite3_group_t *group)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;

    *made = 0;
    if (group->made >= OFFER_AFTER && batch_sqlite3_run_offers(run)) {
        failure = offer(run, made, group);
    }
    if (failure == BATCH_FAILURE_NONE && *made) {
        outcome->result = BATCH_ROW_CREATED;
    }
    return failure;
}

/* ---- An item -----------------------------------------------------------------------------------
 */

static batch_failure_e merge_item(batch_sqlite3_run_t *run, const batch_rows_t *rows, int i)
{
    static const batch_group_kind_e kinds[] = {BATCH_GROUP_BY_KEY, BATCH_GROUP_BY_MATCH,
                                               BATCH_GROUP_NEW};
    batch_row_outcome_t *outcome = &rows->outcomes[i];
    batch_item_kind_e kind = rows->items[i].kind;
    batch_failure_e failure = BATCH_FAILURE_NONE;
    batch_sqlite3_group_t *group;
    int missing = 1, made = 0;

    batch_row_plan_take(&run->plan, &rows->items[i]);
    if (run->plan.wrong) {
        batch_rows_refuse(outcome, 1, run->plan.wrong, BATCH_REFUSAL_FINAL);
        return BATCH_FAILURE_NONE;
    }
    group = batch_sqlite3_run_group(run, kinds[kind], must_tell(run, kind));
    if (kind == BATCH_ITEM_KEY) {
        failure = try_offer(run, &made, outcome, group);
    }
    if (made) {
        return failure;
    }
    if (failure == BATCH_FAILURE_NONE && kind != BATCH_ITEM_NEW) {
        failure = batch_sqlite3_run_touch(run, outcome, &missing, group, BATCH_GROUP_UPDATE);
    }
    if (failure == BATCH_FAILURE_NONE && missing &&
        batch_kind_makes_rows(run->plan.resource, kind)) {
        failure = insert(run, outcome, group);
    }
    if (group->made >= 0) {
        group->made = outcome->result == BATCH_ROW_CREATED ? group->made + 1 : 0;
    }
    if (failure == BATCH_FAILURE_REFUSED) {
        outcome->unsure = is_unsure(run, sqlite3_errmsg(run->connection->native));
    }
    if (failure == BATCH_FAILURE_NONE &&
        (outcome->result == BATCH_ROW_APPLIED || outcome->result == BATCH_ROW_CREATED)) {
        failure = tell(run, outcome, group);
    }
    return failure;
}

apr_status_t batch_sqlite3_rows_merge(batch_tx_t *tx, batch_rows_t *rows)
{
    return batch_sqlite3_run_apply(tx, rows, merge_item, BATCH_SQLITE3_MERGES);
}

/*
 * SQLite: merges, looks and walks. An item is one or two prepared statements, UPDATE and then,
 * where that has changed nothing, INSERT; nothing is allocated for it unless it is refused.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "store/sqlite3/merge.h"
#include "store/sqlite3/failures.h"
#include "store/sqlite3/rows.h"
#include "text/moments.h"
#include "text/numbers.h"

batch_failure_e batch_sqlite3_run_start(batch_sqlite3_run_t *run, batch_tx_t *tx,
                                        const batch_row_scope_t *scope, apr_pool_t *p)
{
    batch_failure_e failure;

    memset(run, 0, sizeof(*run));
    run->tx = tx;
    run->connection = tx->connection;
    run->scope = scope;
    run->resource = scope->resource;
    run->words = (scope->resource->columns->nelts + 63) / 64;
    run->p = p;
    if (scope->resource->columns->nelts > BATCH_SQLITE3_COLUMNS) {
        return BATCH_FAILURE_STATEMENT;
    }
    batch_sqlite3_rows_ready(run->connection);
    failure = batch_sqlite3_target(run->connection, &run->target, scope);
    if (failure == BATCH_FAILURE_NONE) {
        run->call = batch_sqlite3_plans(run->connection)->calls;
    }
    return failure;
}

/* ---- The columns of an item --------------------------------------------------------------------
 */

const batch_column_t *batch_sqlite3_run_column(const batch_sqlite3_run_t *run, int i)
{
    return &APR_ARRAY_IDX(run->resource->columns, i, batch_column_t);
}

static int find_place(const batch_sqlite3_run_t *run, const char *name, int guess)
{
    int i;

    if (guess >= 0 && guess < run->resource->columns->nelts &&
        !strcmp(batch_sqlite3_run_column(run, guess)->name, name)) {
        return guess;
    }
    for (i = 0; i < run->resource->columns->nelts; i++) {
        if (!strcmp(batch_sqlite3_run_column(run, i)->name, name)) {
            return i;
        }
    }
    return -1;
}

static void make_places(batch_sqlite3_run_t *run, int count)
{
    int *places;
    int i;

    if (count <= run->place_count) {
        return;
    }
    places = apr_palloc(run->p, 2 * (apr_size_t)count * sizeof(*places));
    for (i = 0; i < 2 * count; i++) {
        places[i] = i < run->place_count ? run->places[i] : i;
    }
    run->places = places;
    run->place_count = 2 * count;
}

/* Takes an item to hand: which columns its values are of. */
void batch_sqlite3_run_take(batch_sqlite3_run_t *run, const batch_item_t *item)
{
    int i;

    run->item = item;
    run->wrong = run->why = NULL;
    run->inserting = 0;
    make_places(run, item->value_count);
    memset(run->columns, 0, (apr_size_t)run->words * sizeof(run->columns[0]));
    for (i = 0; i < item->value_count; i++) {
        int place = find_place(run, item->values[i].name, run->places[i]);

        if (place >= 0 &&
            !batch_resource_writable(run->resource, batch_sqlite3_run_column(run, place), 1)) {
            place = -1;
        }
        run->places[i] = place;
        if (place < 0) {
            run->wrong = "it has a column that no batch may write";
        } else {
            run->columns[place / 64] |= (apr_uint64_t)1 << (place % 64);
        }
    }
}

/* 1 if the item has a value, not NULL, for each column of match. */
int batch_sqlite3_run_has_match(const batch_sqlite3_run_t *run)
{
    const apr_array_header_t *match = run->resource->match;
    int i, j;

    for (i = 0; match && i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);

        for (j = 0; j < run->item->value_count; j++) {
            if (run->item->values[j].value && !strcmp(run->item->values[j].name, name)) {
                break;
            }
        }
        if (j == run->item->value_count) {
            return 0;
        }
    }
    return match && match->nelts;
}

/* ---- Statements --------------------------------------------------------------------------------
 */

/* Binds in the form that the column's type has in SQLite. Texts must outlive the step. */
static int bind_value(sqlite3_stmt *statement, int parameter, const batch_column_t *column,
                      const char *text)
{
    apr_int64_t whole;
    double number;

    if (!text) {
        return sqlite3_bind_null(statement, parameter);
    }
    switch (batch_type_stored(column->type)) {
    case BATCH_STORED_BOOLEAN:
        return sqlite3_bind_int(statement, parameter, !strcmp(text, "true") || !strcmp(text, "1"));
    case BATCH_STORED_INTEGER:
        if (batch_number_whole(&whole, text)) {
            return sqlite3_bind_int64(statement, parameter, whole);
        }
        break;
    case BATCH_STORED_DOUBLE:
        if (batch_number_double(&number, text)) {
            return sqlite3_bind_double(statement, parameter, number);
        }
        break;
    case BATCH_STORED_TEXT:
    case BATCH_STORED_UUID:
    case BATCH_STORED_DECIMAL:
        break;
    }
    return sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC);
}

static int bind_text(sqlite3_stmt *statement, int parameter, const char *text)
{
    return text ? sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC)
                : sqlite3_bind_null(statement, parameter);
}

/* What is the same for all items of a call: SCOPE, FORM, NOW, ACTOR, as far as it is asked for. */
static int bind_constants(const batch_sqlite3_run_t *run, sqlite3_stmt *statement, int count)
{
    const char *const constants[] = {run->scope->organization, run->scope->form_id, run->now,
                                     run->scope->actor_id};
    int first = run->resource->columns->nelts + BATCH_PARAMETER_SCOPE;
    int code = SQLITE_OK;
    int i;

    for (i = 0; code == SQLITE_OK && i < 4 && first + i <= count; i++) {
        code = bind_text(statement, first + i, constants[i]);
    }
    return code;
}

/* Gives one of the plan's statements, with the item's values in it, ready to be stepped. */
batch_failure_e batch_sqlite3_run_statement(const batch_sqlite3_run_t *run,
                                            sqlite3_stmt **statement, batch_sqlite3_plan_t *plan,
                                            batch_plan_statement_e which)
{
    int key = run->resource->columns->nelts + BATCH_PARAMETER_KEY;
    batch_failure_e failure;
    int code = SQLITE_OK;
    int count, i;

    if (!plan->statements[which]) {
        failure = batch_sqlite3_plan_prepare(run->connection, plan, run->scope, which);
        if (failure != BATCH_FAILURE_NONE) {
            return failure;
        }
    }
    *statement = plan->statements[which];
    count = sqlite3_bind_parameter_count(*statement);
    if (plan->bound[which] != run->call) {
        code = bind_constants(run, *statement, count);
        plan->bound[which] = run->call;
    }
    for (i = 0; code == SQLITE_OK && run->item && i < run->item->value_count; i++) {
        int place = run->places[i];

        /* Values that this statement does not ask for may be behind its last parameter. */
        if (place >= 0 && place < count) {
            code = bind_value(*statement, place + 1, batch_sqlite3_run_column(run, place),
                              run->item->values[i].value);
        }
    }
    if (code == SQLITE_OK && run->item && key <= count) {
        code = bind_text(*statement, key, run->item->key);
    }
    return batch_sqlite3_classify(run->connection, code, 0);
}

/* Ends a statement. Its failure stays the connection's last one. */
batch_failure_e batch_sqlite3_run_end(const batch_sqlite3_run_t *run, sqlite3_stmt *statement,
                                      int code)
{
    batch_failure_e failure = code == SQLITE_DONE || code == SQLITE_ROW
                                  ? BATCH_FAILURE_NONE
                                  : batch_sqlite3_classify(run->connection, code, 0);

    sqlite3_reset(statement);
    return failure;
}

/* The key that a statement's row has, in p; NULL: it is the item's own. */
static const char *other_key(const batch_sqlite3_run_t *run, sqlite3_stmt *statement)
{
    const char *key = (const char *)sqlite3_column_text(statement, 0);

    key = key ? key : "";
    return run->item->key && !strcmp(run->item->key, key) ? NULL : apr_pstrdup(run->p, key);
}

/* Runs a statement that changes rows; *changed: how many. */
static batch_failure_e change(batch_sqlite3_run_t *run, int *changed, batch_sqlite3_plan_t *plan,
                              batch_plan_statement_e which)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = batch_sqlite3_run_statement(run, &statement, plan, which);
    int code;

    *changed = run->told = 0;
    if (failure == BATCH_FAILURE_NONE) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            run->told = 1;
            run->touched_key = other_key(run, statement);
            run->touched_row = sqlite3_column_int64(statement, 1);
        }
        failure = batch_sqlite3_run_end(run, statement, code);
    }
    if (failure == BATCH_FAILURE_NONE) {
        *changed = sqlite3_changes(run->connection->native);
    }
    return failure;
}

/* How many rows the item finds: 2 for several. */
static batch_failure_e count_found(const batch_sqlite3_run_t *run, int *found,
                                   batch_sqlite3_plan_t *plan)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = batch_sqlite3_run_statement(run, &statement, plan, BATCH_PLAN_FIND);
    int code;

    *found = 0;
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        (*found)++;
    }
    return batch_sqlite3_run_end(run, statement, code);
}

/* ---- Merging -----------------------------------------------------------------------------------
 */

static void refuse(batch_row_outcome_t *outcome, const char *message)
{
    outcome->result = BATCH_ROW_REFUSED;
    outcome->message = message;
    outcome->refusal = BATCH_REFUSAL_FINAL;
}

static batch_failure_e insert(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                              batch_sqlite3_plan_t *plan)
{
    int changed;
    batch_failure_e failure;

    run->inserting = 1;
    failure = change(run, &changed, plan, BATCH_PLAN_INSERT);

    if (failure == BATCH_FAILURE_NONE && !changed) {
        refuse(outcome, batch_row_left_out);
    } else {
        outcome->result = BATCH_ROW_CREATED;
    }
    return failure;
}

/* Changes the row that is there. *missing: there is none, and no other reason. */
static batch_failure_e update(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome, int *missing,
                              batch_sqlite3_plan_t *plan)
{
    const batch_sqlite3_state_t *state = batch_sqlite3_state(run->connection);
    int careful = plan->kind == BATCH_PLAN_MATCH && !run->target->table.match_unique;
    int found = 1, changed = 0;
    batch_failure_e failure = BATCH_FAILURE_NONE;

    if (careful) {
        failure = count_found(run, &found, plan);
    }
    if (failure == BATCH_FAILURE_NONE && found == 1) {
        failure = change(run, &changed, plan, BATCH_PLAN_UPDATE);
        /* A trigger may say that the row is to stay as it is: then it is no new one. */
        if (failure == BATCH_FAILURE_NONE && !changed && state->ignores) {
            failure = count_found(run, &found, plan);
        } else if (!changed && !careful) {
            found = 0;
        }
    }
    *missing = !found;
    if (found > 1 && careful) {
        outcome->result = BATCH_ROW_AMBIGUOUS;
    } else if (found && !changed) {
        refuse(outcome, batch_row_unchanged);
    } else {
        outcome->result = BATCH_ROW_APPLIED;
    }
    return failure;
}

/* ---- Which row it was --------------------------------------------------------------------------
 */

/* 1 if what a statement returns of a row may not be what is there when it has ended. */
static int is_watched(const batch_sqlite3_run_t *run)
{
    return run->scope->tell_keys && run->target->table.triggers;
}

/* 1 if the row of an item of that kind is not known by the item's own key. */
static int must_tell(const batch_sqlite3_run_t *run, batch_item_kind_e kind)
{
    return run->scope->tell_keys && (kind == BATCH_ITEM_MATCH || run->target->table.triggers ||
                                     !run->target->table.key_exact);
}

/* Gives a statement about the row that was touched. */
static batch_failure_e ask_touched(const batch_sqlite3_run_t *run, sqlite3_stmt **statement,
                                   batch_sqlite3_plan_t *plan, batch_plan_statement_e which)
{
    int parameter = run->resource->columns->nelts + BATCH_PARAMETER_ROW;
    batch_failure_e failure = batch_sqlite3_run_statement(run, statement, plan, which);
    int code;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    code = run->target->table.has_rowid
               ? sqlite3_bind_int64(*statement, parameter, run->touched_row)
               : bind_text(*statement, parameter,
                           run->touched_key ? run->touched_key : run->item->key);
    return batch_sqlite3_classify(run->connection, code, 0);
}

/* What the triggers have made of the row: its key in run->touched_key, or why it is refused. */
static batch_failure_e find_touched(batch_sqlite3_run_t *run, batch_sqlite3_plan_t *plan)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = ask_touched(run, &statement, plan, BATCH_PLAN_STORED);
    int code;

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        run->touched_key = other_key(run, statement);
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
                                  batch_sqlite3_plan_t *plan)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = ask_touched(run, &statement, plan, BATCH_PLAN_LIKE);
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

/* Says which row the item, which was applied, has touched. */
static batch_failure_e tell(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                            batch_sqlite3_plan_t *plan)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;

    if (!run->told || !plan->tells) {
        return failure;
    }
    if (is_watched(run)) {
        failure = find_touched(run, plan);
    }
    if (failure == BATCH_FAILURE_NONE && !run->why && is_watched(run) && run->inserting &&
        run->item->kind == BATCH_ITEM_MATCH && !run->target->table.match_unique) {
        failure = find_alike(run, outcome, plan);
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
    const batch_resource_t *resource = run->resource;
    const char *const others[] = {resource->key, resource->scope};
    int i;

    for (i = 0; i < 2; i++) {
        if (others[i] && strlen(others[i]) == length && !strncasecmp(others[i], name, length)) {
            return 1;
        }
    }
    for (i = 0; run->item->kind == BATCH_ITEM_MATCH && i < resource->match->nelts; i++) {
        const char *column = APR_ARRAY_IDX(resource->match, i, const char *);

        if (strlen(column) == length && !strncasecmp(column, name, length)) {
            return 1;
        }
    }
    return 0;
}

/*
 * 1 if a new row was refused because another one has its key, or its match values, as a trigger has
 * made them: SQLite does not say which. words: "UNIQUE constraint failed: table.column, …".
 */
static int is_unsure(const batch_sqlite3_run_t *run, const char *words)
{
    static const char unique[] = "UNIQUE constraint failed: ";
    apr_size_t table = strlen(run->resource->table) + 1;

    if (!words || !is_watched(run) || !run->inserting ||
        strncmp(words, unique, sizeof(unique) - 1) != 0) {
        return 0;
    }
    for (words += sizeof(unique) - 1; *words; words += strspn(words, ", ")) {
        apr_size_t length = strcspn(words, ",");

        if (length <= table || !finds_rows(run, words + table, length - table)) {
            return 0;
        }
        words += length;
    }
    return 1;
}

/* ---- An item -----------------------------------------------------------------------------------
 */

static batch_failure_e merge_item(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome)
{
    static const batch_plan_kind_e kinds[] = {BATCH_PLAN_KEY, BATCH_PLAN_MATCH, BATCH_PLAN_NEW};
    batch_item_kind_e kind = run->item->kind;
    batch_failure_e failure = BATCH_FAILURE_NONE;
    batch_sqlite3_plan_t *plan;
    int missing = 1;

    if (run->wrong || !batch_item_is_live(run->item) ||
        (kind == BATCH_ITEM_KEY && !run->item->key) ||
        (kind == BATCH_ITEM_MATCH && !batch_sqlite3_run_has_match(run))) {
        refuse(outcome, run->wrong ? run->wrong : "it does not say which row it is of");
        return BATCH_FAILURE_NONE;
    }
    plan = batch_sqlite3_plan(run->connection, run->target, kinds[kind], must_tell(run, kind),
                              run->columns, run->words);
    if (kind != BATCH_ITEM_NEW) {
        failure = update(run, outcome, &missing, plan);
    }
    if (failure == BATCH_FAILURE_NONE && missing) {
        if (kind == BATCH_ITEM_KEY && run->resource->keys != BATCH_KEYS_CLIENT) {
            outcome->result = BATCH_ROW_NOT_FOUND;
            return BATCH_FAILURE_NONE;
        }
        failure = insert(run, outcome, plan);
    }
    if (failure == BATCH_FAILURE_NONE && outcome->result != BATCH_ROW_REFUSED) {
        failure = tell(run, outcome, plan);
    }
    return failure;
}

apr_status_t batch_sqlite3_rows_merge(batch_tx_t *tx, batch_rows_t *rows)
{
    batch_row_outcome_t *outcomes = rows->outcomes;
    batch_sqlite3_run_t run;
    batch_failure_e failure = batch_sqlite3_run_start(&run, tx, rows->scope, rows->p);
    int i;

    rows->done = 0;
    run.now = batch_time_format(batch_tx_now(tx), rows->p);
    batch_sqlite3_state(tx->connection)->rows_used = 1;
    for (i = 0; failure == BATCH_FAILURE_NONE && i < rows->count; i++) {
        const char *message = NULL;

        if (i && apr_time_now() > rows->deadline) {
            break;
        }
        memset(&outcomes[i], 0, sizeof(outcomes[i]));
        batch_sqlite3_run_take(&run, &rows->items[i]);
        failure = batch_sqlite3_row_begin(tx->connection, is_watched(&run));
        if (failure == BATCH_FAILURE_NONE) {
            failure =
                batch_sqlite3_row_end(tx->connection, &message, run.resource,
                                      merge_item(&run, &outcomes[i]), is_watched(&run), rows->p);
        }
        if (failure == BATCH_FAILURE_REFUSED) {
            failure = BATCH_FAILURE_NONE;
            outcomes[i].unsure = outcomes[i].unsure || (!run.why && is_unsure(&run, message));
            refuse(&outcomes[i], run.why ? run.why : message);
            outcomes[i].refusal = run.why || outcomes[i].unsure
                                      ? BATCH_REFUSAL_FINAL
                                      : batch_sqlite3_state(tx->connection)->refusal;
        }
    }
    rows->done = i;
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(tx, failure, "merging rows");
}

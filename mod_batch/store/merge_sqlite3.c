/*
 * SQLite: merges, looks and walks. An item is one or two prepared statements, UPDATE and then,
 * where that has changed nothing, INSERT; nothing is allocated for it unless it is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "store/plans_sqlite3.h"
#include "store/rows_sqlite3.h"

/* Rows that a walk looks at in one call, of whomever they are. */
#define WALK_ROWS 1000

/* One call of rows_merge, rows_look or keys_walk. */
typedef struct merge_run {
    batch_tx_t *tx;
    batch_connection_t *connection;
    const batch_row_scope_t *scope;
    const batch_resource_t *resource;
    const batch_sqlite3_target_t *target;
    int words;       /* of a set of columns */
    const char *now; /* for the stamps */
    apr_uint64_t call;
    apr_pool_t *p;
    /* The item at hand. */
    const batch_item_t *item;
    int *places; /* by value: its column, -1 = none; the guess for the next item */
    int place_count;
    apr_uint64_t columns[BATCH_SQLITE3_COLUMNS / 64];
    const char *wrong; /* why it cannot be applied at all; NULL: it can */
} merge_run_t;

static batch_failure_e start(merge_run_t *run, batch_tx_t *tx, const batch_row_scope_t *scope,
                             apr_pool_t *p)
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

static const batch_column_t *column_at(const merge_run_t *run, int i)
{
    return &APR_ARRAY_IDX(run->resource->columns, i, batch_column_t);
}

static int find_place(const merge_run_t *run, const char *name, int guess)
{
    int i;

    if (guess >= 0 && guess < run->resource->columns->nelts &&
        !strcmp(column_at(run, guess)->name, name)) {
        return guess;
    }
    for (i = 0; i < run->resource->columns->nelts; i++) {
        if (!strcmp(column_at(run, i)->name, name)) {
            return i;
        }
    }
    return -1;
}

static void make_places(merge_run_t *run, int count)
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
static void take(merge_run_t *run, const batch_item_t *item)
{
    int i;

    run->item = item;
    run->wrong = NULL;
    make_places(run, item->value_count);
    memset(run->columns, 0, (apr_size_t)run->words * sizeof(run->columns[0]));
    for (i = 0; i < item->value_count; i++) {
        int place = find_place(run, item->values[i].name, run->places[i]);

        if (place >= 0 && !batch_resource_writable(run->resource, column_at(run, place), 1)) {
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
static int has_match(const merge_run_t *run)
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
    char *end;

    if (!text) {
        return sqlite3_bind_null(statement, parameter);
    }
    if (column->type == BATCH_TYPE_BOOLEAN) {
        return sqlite3_bind_int(statement, parameter, !strcmp(text, "true") || !strcmp(text, "1"));
    }
    if (column->type == BATCH_TYPE_INTEGER) {
        long long number;

        errno = 0;
        number = strtoll(text, &end, 10);
        if (!errno && end != text && !*end) {
            return sqlite3_bind_int64(statement, parameter, number);
        }
    } else if (column->type == BATCH_TYPE_NUMBER) {
        double number = strtod(text, &end);

        if (end != text && !*end) {
            return sqlite3_bind_double(statement, parameter, number);
        }
    }
    return sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC);
}

static int bind_text(sqlite3_stmt *statement, int parameter, const char *text)
{
    return text ? sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC)
                : sqlite3_bind_null(statement, parameter);
}

/* What is the same for all items of a call: SCOPE, FORM, NOW, ACTOR, as far as it is asked for. */
static int bind_constants(const merge_run_t *run, sqlite3_stmt *statement, int count)
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
static batch_failure_e get_statement(const merge_run_t *run, sqlite3_stmt **statement,
                                     batch_sqlite3_plan_t *plan, batch_plan_statement_e which)
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
            code = bind_value(*statement, place + 1, column_at(run, place),
                              run->item->values[i].value);
        }
    }
    if (code == SQLITE_OK && run->item && key <= count) {
        code = bind_text(*statement, key, run->item->key);
    }
    return batch_sqlite3_classify(run->connection, code, 0);
}

/* Ends a statement. Its failure stays the connection's last one. */
static batch_failure_e end_statement(const merge_run_t *run, sqlite3_stmt *statement, int code)
{
    batch_failure_e failure = code == SQLITE_DONE || code == SQLITE_ROW
                                  ? BATCH_FAILURE_NONE
                                  : batch_sqlite3_classify(run->connection, code, 0);

    sqlite3_reset(statement);
    return failure;
}

/* Runs a statement that changes rows; *changed: how many. */
static batch_failure_e change(const merge_run_t *run, int *changed, batch_sqlite3_plan_t *plan,
                              batch_plan_statement_e which)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = get_statement(run, &statement, plan, which);

    *changed = 0;
    if (failure == BATCH_FAILURE_NONE) {
        failure = end_statement(run, statement, sqlite3_step(statement));
    }
    if (failure == BATCH_FAILURE_NONE) {
        *changed = sqlite3_changes(run->connection->native);
    }
    return failure;
}

/* How many rows the item finds: 2 for several. */
static batch_failure_e count_found(const merge_run_t *run, int *found, batch_sqlite3_plan_t *plan)
{
    sqlite3_stmt *statement;
    batch_failure_e failure = get_statement(run, &statement, plan, BATCH_PLAN_FIND);
    int code;

    *found = 0;
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        (*found)++;
    }
    return end_statement(run, statement, code);
}

/* ---- Merging -----------------------------------------------------------------------------------
 */

static void refuse(batch_row_outcome_t *outcome, const char *message)
{
    outcome->result = BATCH_ROW_REFUSED;
    outcome->message = message;
    outcome->refusal = BATCH_REFUSAL_FINAL;
}

static batch_failure_e insert(merge_run_t *run, batch_row_outcome_t *outcome,
                              batch_sqlite3_plan_t *plan)
{
    int changed;
    batch_failure_e failure = change(run, &changed, plan, BATCH_PLAN_INSERT);

    if (failure == BATCH_FAILURE_NONE && !changed) {
        refuse(outcome, "the database has left the row out, without an error");
    } else {
        outcome->result = BATCH_ROW_CREATED;
    }
    return failure;
}

/* Changes the row that is there. *missing: there is none, and no other reason. */
static batch_failure_e update(merge_run_t *run, batch_row_outcome_t *outcome, int *missing,
                              batch_sqlite3_plan_t *plan)
{
    const batch_sqlite3_state_t *state = run->connection->state;
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
        refuse(outcome, "the database has left the row as it is, without an error");
    } else {
        outcome->result = BATCH_ROW_APPLIED;
    }
    return failure;
}

static batch_failure_e merge_item(merge_run_t *run, batch_row_outcome_t *outcome)
{
    static const batch_plan_kind_e kinds[] = {BATCH_PLAN_KEY, BATCH_PLAN_MATCH, BATCH_PLAN_NEW};
    batch_item_kind_e kind = run->item->kind;
    batch_failure_e failure = BATCH_FAILURE_NONE;
    batch_sqlite3_plan_t *plan;
    int missing = 1;

    if (run->wrong || !batch_item_is_live(run->item) ||
        (kind == BATCH_ITEM_KEY && !run->item->key) ||
        (kind == BATCH_ITEM_MATCH && !has_match(run))) {
        refuse(outcome, run->wrong ? run->wrong : "it does not say which row it is of");
        return BATCH_FAILURE_NONE;
    }
    plan = batch_sqlite3_plan(run->connection, run->target, kinds[kind], run->columns, run->words);
    if (kind != BATCH_ITEM_NEW) {
        failure = update(run, outcome, &missing, plan);
    }
    if (failure != BATCH_FAILURE_NONE || !missing) {
        return failure;
    }
    if (kind == BATCH_ITEM_KEY && run->resource->key_generated) {
        outcome->result = BATCH_ROW_NOT_FOUND;
        return BATCH_FAILURE_NONE;
    }
    return insert(run, outcome, plan);
}

apr_status_t batch_sqlite3_rows_merge(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                      const batch_row_scope_t *scope, const batch_item_t *items,
                                      int count, apr_time_t deadline, apr_pool_t *ptemp)
{
    merge_run_t run;
    batch_failure_e failure = start(&run, tx, scope, ptemp);
    int i;

    *done = 0;
    run.now = batch_time_format(batch_tx_now(tx), ptemp);
    ((batch_sqlite3_state_t *)tx->connection->state)->rows_used = 1;
    for (i = 0; failure == BATCH_FAILURE_NONE && i < count; i++) {
        const char *message = NULL;

        if (i && apr_time_now() > deadline) {
            break;
        }
        outcomes[i].message = NULL;
        take(&run, &items[i]);
        failure = batch_sqlite3_row_begin(tx->connection);
        if (failure == BATCH_FAILURE_NONE) {
            failure = batch_sqlite3_row_end(tx->connection, &message, scope->resource,
                                            merge_item(&run, &outcomes[i]), ptemp);
        }
        if (failure == BATCH_FAILURE_REFUSED) {
            failure = BATCH_FAILURE_NONE;
            refuse(&outcomes[i], message);
            outcomes[i].refusal = ((batch_sqlite3_state_t *)tx->connection->state)->refusal;
        }
    }
    *done = i;
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(tx, failure, "merging rows");
}

/* ---- Looking -----------------------------------------------------------------------------------
 */

/* Leaves of the columns at hand those that a look asks about: fewer sets, fewer statements. */
static void keep_asked(merge_run_t *run, int by_match)
{
    int i, j;

    for (i = 0; i < run->resource->columns->nelts; i++) {
        int asked = column_at(run, i)->immutable;

        for (j = 0; by_match && !asked && j < run->resource->match->nelts; j++) {
            asked = !strcmp(APR_ARRAY_IDX(run->resource->match, j, const char *),
                            column_at(run, i)->name);
        }
        if (!asked) {
            run->columns[i / 64] &= ~((apr_uint64_t)1 << (i % 64));
        }
    }
}

/* The name of the first column that differs, by the row of a look; NULL = none. */
static const char *first_change(const merge_run_t *run, sqlite3_stmt *statement)
{
    int column = 1;
    int i;

    for (i = 0; i < run->resource->columns->nelts; i++) {
        if (column_at(run, i)->immutable && (run->columns[i / 64] >> (i % 64) & 1) &&
            sqlite3_column_int(statement, column++)) {
            return column_at(run, i)->name;
        }
    }
    return NULL;
}

static batch_failure_e look_at(merge_run_t *run, batch_row_look_t *look)
{
    int by_match = !run->item->key;
    batch_sqlite3_plan_t *plan;
    sqlite3_stmt *statement;
    batch_failure_e failure;
    int code;

    if (by_match && !has_match(run)) {
        return BATCH_FAILURE_NONE;
    }
    keep_asked(run, by_match);
    plan = batch_sqlite3_plan(run->connection, run->target,
                              by_match ? BATCH_PLAN_LOOK_MATCH : BATCH_PLAN_LOOK_KEY, run->columns,
                              run->words);
    failure = get_statement(run, &statement, plan, BATCH_PLAN_FIND);
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        batch_row_look_add(look, (const char *)sqlite3_column_text(statement, 0), run->p);
        if (look->found == 1) {
            look->immutable = first_change(run, statement);
        }
    }
    return end_statement(run, statement, code);
}

apr_status_t batch_sqlite3_rows_look(batch_tx_t *tx, batch_row_look_t *looks,
                                     const batch_row_scope_t *scope, const batch_item_t *items,
                                     int count, apr_pool_t *p)
{
    merge_run_t run;
    batch_failure_e failure = start(&run, tx, scope, p);
    int i;

    memset(looks, 0, (apr_size_t)count * sizeof(*looks));
    ((batch_sqlite3_state_t *)tx->connection->state)->rows_used = 1;
    for (i = 0; failure == BATCH_FAILURE_NONE && i < count; i++) {
        take(&run, &items[i]);
        failure = look_at(&run, &looks[i]);
    }
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS
                                         : batch_tx_fail(tx, failure, "looking at rows");
}

/* ---- Walking -----------------------------------------------------------------------------------
 */

/* Reads the next rows: the keys of the scope's into keys, the last one's of all into *last. */
static batch_failure_e read_keys(merge_run_t *run, apr_array_header_t *keys, const char **last,
                                 const char *after, int limit)
{
    batch_sqlite3_plan_t *plan = batch_sqlite3_plan(
        run->connection, run->target, after ? BATCH_PLAN_WALK_ON : BATCH_PLAN_WALK_START,
        run->columns, run->words);
    int parameters = run->resource->columns->nelts;
    sqlite3_stmt *statement;
    batch_failure_e failure = get_statement(run, &statement, plan, BATCH_PLAN_FIND);
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
    return end_statement(run, statement, code);
}

apr_status_t batch_sqlite3_keys_walk(batch_tx_t *tx, const char **after,
                                     const batch_row_scope_t *scope, int limit, batch_key_fn *fn,
                                     void *baton, apr_pool_t *p)
{
    apr_array_header_t *keys;
    const char *last = NULL;
    apr_pool_t *ptemp;
    merge_run_t run;
    batch_failure_e failure;
    apr_status_t rv = apr_pool_create(&ptemp, p);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    keys = apr_array_make(ptemp, 64, sizeof(const char *));
    ((batch_sqlite3_state_t *)tx->connection->state)->rows_used = 1;
    failure = start(&run, tx, scope, ptemp);
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_keys(&run, keys, &last, *after, limit > 0 ? limit : 1);
    }
    if (failure != BATCH_FAILURE_NONE) {
        rv = batch_tx_fail(tx, failure, "walking over rows");
    }
    /* Only now: fn may use the connection. */
    for (i = 0; rv == APR_SUCCESS && i < keys->nelts; i++) {
        rv = fn(baton, APR_ARRAY_IDX(keys, i, const char *));
    }
    if (rv == APR_SUCCESS) {
        *after = last ? apr_pstrdup(p, last) : NULL;
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

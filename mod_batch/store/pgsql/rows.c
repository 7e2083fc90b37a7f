/*
 * PostgreSQL: rows are deleted and updated by sets, one statement each, in the order of the items:
 * the keys drive a nested loop, so that any two batches lock rows in the same order.
 */
#include "store/pgsql/rows.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "store/pgsql/run.h"
#include "text/moments.h"
#include "text/check.h"

/*
 * To join a small table the planner would read all of it, and lock its rows in the order in which
 * they lie there.
 */
#define SETTINGS                                                                                   \
    "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', "    \
    "true)"

static const char settings[] = SETTINGS;

/*
 * The quick statement walks along the index, however small the table is when the plan is made: it
 * grows, and the plan stays. See pgsql/merge.c about jit.
 */
static const char settings_quick[] =
    SETTINGS ", set_config('enable_seqscan', 'off', true),"
             " set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true)";

/* A statement, as the table is. */
typedef struct rows_statement {
    batch_pgsql_statement_t *prepared; /* NULL: there is none */
    const char **parameters;           /* the first is the array of keys */
    int *lengths;
    int *formats;
} rows_statement_t;

/* One call of rows_delete or rows_update. */
typedef struct rows_run {
    batch_sets_t sets;
    unsigned magic;
#define ROWS_RUN_MAGIC 0xfc7d1bddu
    batch_pgsql_run_t run;
    int is_update;
    rows_statement_t any;   /* says of each item what became of it */
    rows_statement_t quick; /* says which keys the rows had: a tenth to a fifth quicker */
    rows_statement_t there; /* says which items have a row */
    int ambiguous;          /* keys can be written in several ways: the quick one is no use */
    int hopeless;           /* nothing in the table can be in the scope */
    int probed;             /* the values themselves are not to blame */
} rows_run_t;

/* ---- Building a statement ---------------------------------------------------------------------
 */

/* The keys as a set of rows: they are the statement's first parameter. */
static void add_items(batch_pgsql_builder_t *builder, const char *word, const rows_run_t *run)
{
    batch_pgsql_items_start(builder, word, run->run.key, NULL, 0);
    batch_pgsql_items_end(builder);
}

static void build_delete(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    batch_pgsql_add(builder, "DELETE FROM ");
    batch_pgsql_add(builder, builder->table_name);
    add_items(builder, " USING ", run);
    batch_pgsql_add_where(builder, BATCH_ITEM_KEY);
    batch_pgsql_add(builder, " RETURNING batch_item.number");
}

/*
 * Deletes along the index of the key, and so locks rows in its order. The array comes out of a
 * subquery as that of items does; IS TRUE leaves no other index to choose, which would have to
 * compare each of its rows with all keys.
 */
static void build_quick_delete(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    const batch_row_plan_t *plan = &run->run.plan;

    batch_pgsql_add(builder, "DELETE FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_of(builder, " WHERE ", NULL, plan->resource->key);
    batch_pgsql_add(builder, " = ANY (coalesce((SELECT ");
    batch_pgsql_add_value(builder, run->run.key->array, NULL);
    batch_pgsql_add(builder, ")))");
    batch_pgsql_add_scope(builder, " AND (");
    batch_pgsql_add(builder, plan->scoped.count ? ") IS TRUE RETURNING " : " RETURNING ");
    batch_pgsql_add_name(builder, plan->resource->key);
}

/* Which items have a row, whatever a statement has done to it. */
static void build_there(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    add_items(builder, "SELECT batch_item.number FROM ", run);
    batch_pgsql_add(builder, " WHERE EXISTS (SELECT FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_where(builder, BATCH_ITEM_KEY);
    batch_pgsql_add(builder, ")");
}

static void add_assignments(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    const batch_rows_t *rows = run->sets.rows;
    const char *key = run->run.plan.resource->key;
    int i;

    for (i = 0; i < rows->value_count; i++) {
        const char *name = rows->values[i].name;
        const batch_pgsql_column_t *column = batch_pgsql_column(builder->table, name);

        batch_pgsql_add_next(builder, " SET ", name);
        batch_pgsql_add(builder, " = ");
        batch_pgsql_add_value(
            builder, column->type,
            batch_pgsql_column_text(batch_resource_column(rows->scope->resource, name), column,
                                    rows->values[i].value));
    }
    batch_pgsql_add_stamps(builder);
    if (!builder->list) { /* nothing to set is still an answer to which rows are there */
        batch_pgsql_add_next(builder, " SET ", key);
        batch_pgsql_add_of(builder, " = ", NULL, key);
    }
}

/* A row is updated once, though two items may name it: both have then been applied. */
static void build_update(batch_pgsql_builder_t *builder, const rows_run_t *run)
{
    add_items(builder, "WITH batch_item AS MATERIALIZED (SELECT * FROM ", run);
    batch_pgsql_add(builder, "), batch_changed AS (UPDATE ");
    batch_pgsql_add(builder, builder->table_name);
    add_assignments(builder, run);
    batch_pgsql_add(builder, " FROM batch_item");
    batch_pgsql_add_where(builder, BATCH_ITEM_KEY);
    /* IS TRUE: as a join it would be a nested loop, too. */
    batch_pgsql_add(builder, " RETURNING batch_item.k) SELECT number FROM batch_item"
                             " WHERE (k IN (SELECT k FROM batch_changed)) IS TRUE");
}

typedef void build_fn(batch_pgsql_builder_t *builder, const rows_run_t *run);

static void make(rows_statement_t *statement, const rows_run_t *run, build_fn *build_it)
{
    batch_pgsql_builder_t builder;

    batch_pgsql_run_build(&run->run, &builder, run->sets.rows->p);
    build_it(&builder, run);
    statement->parameters = (const char **)builder.values->elts;
    statement->lengths = (int *)builder.lengths->elts;
    statement->formats = (int *)builder.formats->elts;
    statement->prepared = batch_pgsql_built(run->run.connection, &builder);
}

/* Makes the statements for the table as it is known, or, if fresh, as it is. */
static batch_failure_e build(batch_sets_t *sets, int fresh)
{
    rows_run_t *run = BATCH_CAST(rows_run_t, (void *)sets, ROWS_RUN_MAGIC);
    batch_failure_e failure = batch_pgsql_run_read(&run->run, fresh);

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    run->hopeless = !batch_pgsql_run_is_possible(&run->run);
    make(&run->any, run, run->is_update ? build_update : build_delete);
    make(&run->there, run, build_there);
    run->quick.prepared = NULL;
    if (!run->is_update && run->run.key->indexed) {
        make(&run->quick, run, build_quick_delete);
    }
    sets->pace = &run->any.prepared->pace;
    return fresh ? BATCH_FAILURE_NONE
                 : batch_pgsql_run_text(&run->run, run->quick.prepared ? settings_quick : settings);
}

/* ---- One set ----------------------------------------------------------------------------------
 */

/* The keys of a set. */
typedef struct rows_keys {
    const char **texts;
    int *places; /* of their items in the set */
    int listed;
    const char *array;
    int length; /* of that, if it is binary; else -1 */
} rows_keys_t;

/* Lists the keys of the next count items that can be keys, and their places. */
static void list_keys(const rows_run_t *run, rows_keys_t *keys, int count)
{
    const batch_item_t *items = run->sets.rows->items + run->sets.position;
    int i;

    keys->listed = 0;
    for (i = 0; i < count; i++) {
        if (!run->hopeless && batch_pgsql_fits(run->run.key, items[i].key)) {
            keys->places[keys->listed] = i;
            keys->texts[keys->listed++] = items[i].key;
        }
    }
}

/* Makes the array of the keys that are listed. */
static void make_array(const rows_run_t *run, rows_keys_t *keys)
{
    apr_pool_t *p = run->sets.set_pool;

    keys->length = -1;
    keys->array =
        batch_pgsql_binary_array(&keys->length, run->run.key, keys->texts, keys->listed, p);
    if (!keys->array) {
        keys->array = batch_pgsql_array(keys->texts, keys->listed, p);
    }
}

/* Runs a statement on those keys. */
static batch_failure_e ask_keys(PGresult **result, const rows_run_t *run,
                                const rows_statement_t *statement, const rows_keys_t *keys)
{
    const batch_pgsql_values_t values = {statement->parameters, statement->lengths,
                                         statement->formats};
    batch_failure_e failure;

    statement->parameters[0] = keys->array;
    statement->lengths[0] = keys->length < 0 ? 0 : keys->length;
    statement->formats[0] = keys->length >= 0;
    failure = batch_pgsql_queue_values(run->run.connection, statement->prepared, &values,
                                       BATCH_PGSQL_ROWS);
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(run->run.connection, result) : failure;
}

/* Runs a statement on the next count items, whose keys those are, under a savepoint. */
static batch_failure_e run_keys(PGresult **result, const rows_run_t *run,
                                const rows_statement_t *statement, const rows_keys_t *keys,
                                int count)
{
    batch_failure_e failure = batch_pgsql_run_begin(&run->run, count);

    return failure == BATCH_FAILURE_NONE ? ask_keys(result, run, statement, keys) : failure;
}

/* The next count items, of which nothing is known yet. */
static void clear_outcomes(const batch_sets_t *sets, int count)
{
    batch_row_outcome_t *outcomes = sets->rows->outcomes + sets->position;
    int i;

    for (i = 0; i < count; i++) {
        outcomes[i].result = BATCH_ROW_NOT_FOUND;
        outcomes[i].message = NULL;
    }
}

/* Looks for items by their keys. */
typedef struct key_finder {
    const char *const *keys;
    int count;
    int next;            /* so many rows had the first keys, in their order */
    apr_hash_t *by_text; /* pointers into keys; NULL = there was no need yet */
    apr_pool_t *p;
} key_finder_t;

/* The number of a key, or -1. Mostly all are there, and asked for in their order. */
static int find_key(key_finder_t *finder, const char *key)
{
    const char *const *found;
    int i;

    if (!finder->by_text && finder->next < finder->count &&
        !strcmp(finder->keys[finder->next], key)) {
        return finder->next++;
    }
    if (!finder->by_text) {
        finder->by_text = apr_hash_make(finder->p);
        for (i = finder->count - 1; i >= 0; i--) { /* of two that are alike the first */
            apr_hash_set(finder->by_text, finder->keys[i], APR_HASH_KEY_STRING, &finder->keys[i]);
        }
    }
    found = apr_hash_get(finder->by_text, key, APR_HASH_KEY_STRING);
    return found ? (int)(found - finder->keys) : -1;
}

/*
 * Notes which items the rows of a result belong to. 0 if that cannot be told by the letters of
 * their keys: a UUID in capitals, two rows with one key.
 */
static int match_rows(batch_row_outcome_t *outcomes, key_finder_t *finder, const int *places,
                      const PGresult *result)
{
    int i;

    for (i = 0; i < PQntuples(result); i++) {
        int number = find_key(finder, PQgetvalue(result, i, 0));

        if (number < 0 || outcomes[places[number]].result == BATCH_ROW_APPLIED) {
            return 0;
        }
        outcomes[places[number]].result = BATCH_ROW_APPLIED;
    }
    return 1;
}

/* Runs the next count items by the quick statement. *known: that told what became of them. */
static batch_failure_e run_quick(rows_run_t *run, int *known, const rows_keys_t *keys, int count)
{
    batch_sets_t *sets = &run->sets;
    key_finder_t finder = {keys->texts, keys->listed, 0, NULL, sets->set_pool};
    PGresult *result = NULL;
    batch_failure_e failure = run_keys(&result, run, &run->quick, keys, count);

    *known = 1;
    if (failure == BATCH_FAILURE_NONE &&
        !match_rows(sets->rows->outcomes + sets->position, &finder, keys->places, result)) {
        *known = 0;
        run->ambiguous = 1;
        clear_outcomes(sets, count);
        return batch_pgsql_run_undo(&run->run);
    }
    return failure;
}

/* Runs the next count items by the statement that numbers them. */
static batch_failure_e run_numbered(rows_run_t *run, const rows_keys_t *keys, int count)
{
    batch_sets_t *sets = &run->sets;
    batch_row_outcome_t *outcomes = sets->rows->outcomes + sets->position;
    PGresult *result = NULL;
    batch_failure_e failure = run_keys(&result, run, &run->any, keys, count);
    int i;

    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        apr_int64_t number = apr_atoi64(PQgetvalue(result, i, 0));
        outcomes[keys->places[number - 1]].result = BATCH_ROW_APPLIED;
    }
    return failure;
}

/*
 * Nothing has become of some items, without an error: either there is no such row, or a trigger, a
 * rule or a policy keeps it as it is.
 */
static batch_failure_e find_kept(rows_run_t *run, const rows_keys_t *keys)
{
    batch_sets_t *sets = &run->sets;
    batch_row_outcome_t *outcomes = sets->rows->outcomes + sets->position;
    rows_keys_t left = {apr_palloc(sets->set_pool, (apr_size_t)keys->listed * sizeof(char *)),
                        apr_palloc(sets->set_pool, (apr_size_t)keys->listed * sizeof(int)), 0, NULL,
                        -1};
    PGresult *result = NULL;
    batch_failure_e failure;
    int i;

    for (i = 0; i < keys->listed; i++) {
        if (outcomes[keys->places[i]].result == BATCH_ROW_NOT_FOUND) {
            left.places[left.listed] = keys->places[i];
            left.texts[left.listed++] = keys->texts[i];
        }
    }
    if (!left.listed) {
        return BATCH_FAILURE_NONE;
    }
    make_array(run, &left);
    failure = ask_keys(&result, run, &run->there, &left);
    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        batch_row_outcome_t *outcome =
            &outcomes[left.places[apr_atoi64(PQgetvalue(result, i, 0)) - 1]];

        batch_rows_refuse(outcome, 1, run->is_update ? batch_row_unchanged : batch_row_still_there,
                          BATCH_REFUSAL_FINAL);
    }
    return failure;
}

/* A key that is no value of its column's type, which only the server can tell, is no row's key. */
static batch_failure_e excuse_key(batch_sets_t *sets, int *is_none)
{
    const rows_run_t *run = BATCH_CAST(const rows_run_t, (const void *)sets, ROWS_RUN_MAGIC);

    *is_none = 0;
    return run->run.key->kind == BATCH_PGSQL_OTHER
               ? batch_pgsql_run_judge_key(&run->run, is_none,
                                           sets->rows->items[sets->position].key)
               : BATCH_FAILURE_NONE;
}

/* Runs the next count items as a set: their outcomes are known unless it is refused. */
static batch_failure_e apply_set(batch_sets_t *sets, int count)
{
    rows_run_t *run = BATCH_CAST(rows_run_t, (void *)sets, ROWS_RUN_MAGIC);
    batch_failure_e failure = BATCH_FAILURE_NONE;
    rows_keys_t keys;
    int known = 0;

    clear_outcomes(sets, count);
    keys.texts = apr_palloc(sets->set_pool, (apr_size_t)count * sizeof(*keys.texts));
    keys.places = apr_palloc(sets->set_pool, (apr_size_t)count * sizeof(*keys.places));
    list_keys(run, &keys, count);
    if (keys.listed < count && batch_pgsql_run_is_old(&run->run)) {
        /* Nobody is told that a row is not there because of the type that its key once had. */
        failure = build(sets, 1);
        if (failure != BATCH_FAILURE_NONE) {
            return failure;
        }
        list_keys(run, &keys, count);
    }
    if (!keys.listed) {
        return BATCH_FAILURE_NONE;
    }
    sets->asked = 1;
    sets->alike = sets->rows->count - sets->position;
    make_array(run, &keys);
    if (run->quick.prepared && !run->ambiguous) {
        failure = run_quick(run, &known, &keys, count);
    }
    if (failure == BATCH_FAILURE_NONE && !known) {
        failure = run_numbered(run, &keys, count);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = find_kept(run, &keys);
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_run_end(&run->run, count) : failure;
}

/* Values that no row can take are not worth a try with each. */
static batch_failure_e probe(batch_sets_t *sets, int *for_all)
{
    rows_run_t *run = BATCH_CAST(rows_run_t, (void *)sets, ROWS_RUN_MAGIC);

    if (!run->is_update || run->probed) {
        return BATCH_FAILURE_NONE;
    }
    run->probed = 1;
    run->any.parameters[0] = "{}";
    return batch_pgsql_run_try(&run->run, for_all, run->any.prepared, run->any.parameters);
}

static apr_status_t apply(batch_tx_t *tx, batch_rows_t *rows, int is_update)
{
    static const batch_sets_how_t how = {.build = build,
                                         .apply = apply_set,
                                         .undo = batch_pgsql_sets_undo,
                                         .judge = batch_pgsql_sets_judge,
                                         .is_old = batch_pgsql_sets_is_old,
                                         .probe = probe,
                                         .excuse = excuse_key};
    rows_run_t run = {.magic = ROWS_RUN_MAGIC,
                      .sets = {.magic = BATCH_SETS_MAGIC, .tx = tx, .rows = rows, .how = &how},
                      .is_update = is_update};
    const char *now = is_update ? batch_time_format(batch_tx_now(tx), rows->p) : NULL;

    batch_pgsql_run_start(&run.run, tx, rows->scope, now, rows->p);
    return batch_sets_apply(&run.sets);
}

apr_status_t batch_pgsql_rows_delete(batch_tx_t *tx, batch_rows_t *rows)
{
    return apply(tx, rows, 0);
}

apr_status_t batch_pgsql_rows_update(batch_tx_t *tx, batch_rows_t *rows)
{
    return apply(tx, rows, 1);
}

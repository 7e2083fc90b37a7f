/* PostgreSQL: looks for the rows of many items at once. */
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "store/pgsql/run.h"

#define TYPE_JSON 114

/* So many items are expected to have all their rows. */
#define MANY 64

/* One call of rows_look. */
typedef struct look_run {
    batch_pgsql_run_t run;
    const batch_rows_t *rows;
    apr_pool_t *piece; /* of the statement under way */
} look_run_t;

/* The immutable columns that a look is about: one by its place, or these. */
enum { ALL = -1, NONE = -2 };

static const batch_column_t *column_at(const look_run_t *run, int i)
{
    return batch_row_plan_column(&run->run.plan, i);
}

static int has_value(const batch_item_t *item, const char *name)
{
    return batch_value_find(item->values, item->value_count, name) != NULL;
}

static int is_asked(const look_run_t *run, int i, int which)
{
    return column_at(run, i)->immutable && (which == ALL || which == i);
}

/* Adds the items: with their values of match, and of the immutable columns that they have. */
static void add_items(const look_run_t *run, batch_pgsql_builder_t *builder, int by_match,
                      int which, const batch_pgsql_members_t *members)
{
    const batch_resource_t *resource = run->run.plan.resource;
    int i;

    batch_pgsql_items_start(builder, " FROM ", run->run.key,
                            batch_pgsql_items_keys(builder, members, !by_match), members->count);
    for (i = 0; i < run->run.plan.column_count; i++) {
        if (is_asked(run, i, which) ||
            (by_match && batch_match_has(resource, column_at(run, i)->name))) {
            batch_pgsql_items_values(builder, members, i);
        }
        if (is_asked(run, i, which)) {
            batch_pgsql_items_presence(builder, members, i);
        }
    }
    batch_pgsql_items_end(builder);
}

/* Adds whether the row's value of column i is another than the item's. */
static void add_difference(const look_run_t *run, batch_pgsql_builder_t *builder, int i)
{
    const char *name = column_at(run, i)->name;
    const batch_pgsql_column_t *column = batch_pgsql_column(run->run.table, name);
    const char *as = column->type == TYPE_JSON ? "::jsonb"
                     : column->type == BATCH_PGSQL_TEXT || column->kind == BATCH_PGSQL_ANY
                         ? "::text"
                         : "";

    batch_pgsql_add(builder, apr_psprintf(builder->p, ", batch_item.h%d AND ", i));
    batch_pgsql_add_of(builder, "", NULL, name);
    batch_pgsql_add(builder, apr_psprintf(builder->p, "%s IS DISTINCT FROM (%s)%s AS d%d", as,
                                          batch_pgsql_item_stored(builder, i), as, i));
}

static void build_look(const look_run_t *run, batch_pgsql_builder_t *builder, int by_match,
                       int which, const batch_pgsql_members_t *members)
{
    int i;

    batch_pgsql_run_build(&run->run, builder, run->piece);
    batch_pgsql_add(builder, "SELECT batch_item.number, batch_row.*");
    add_items(run, builder, by_match, which, members);
    batch_pgsql_add(builder, ", LATERAL (SELECT ");
    batch_pgsql_add_key(builder, "");
    batch_pgsql_add(builder, " AS key");
    for (i = 0; i < run->run.plan.column_count; i++) {
        if (is_asked(run, i, which)) {
            add_difference(run, builder, i);
        }
    }
    batch_pgsql_add(builder, " FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_where(builder, by_match ? BATCH_ITEM_MATCH : BATCH_ITEM_KEY);
    batch_pgsql_add(builder, " LIMIT " APR_STRINGIFY(BATCH_LOOK_ROWS) " + 1) AS batch_row");
}

static void read_look(const look_run_t *run, const PGresult *result, int row, int which,
                      const int *members)
{
    int member = members[apr_atoi64(PQgetvalue(result, row, 0)) - 1];
    batch_row_look_t *look = &run->rows->looks[member];
    int column = 2;
    int i;

    batch_row_look_add(look, PQgetvalue(result, row, 1), run->rows->p);
    if (look->found > 1) {
        return;
    }
    for (i = 0; i < run->run.plan.column_count; i++) {
        if (is_asked(run, i, which) && *PQgetvalue(result, row, column++) == 't') {
            look->immutable = column_at(run, i)->name;
            return;
        }
    }
}

/* ---- By keys alone -----------------------------------------------------------------------------
 */

static int has_immutable(const look_run_t *run)
{
    int i;

    for (i = 0; i < run->run.plan.column_count && !column_at(run, i)->immutable; i++) {
    }
    return i < run->run.plan.column_count;
}

/* 1 if the keys of the items are spelt as the server spells them, and nothing else is asked. */
static int ask_for_keys(const look_run_t *run, const int *numbers, int count)
{
    const int immutable = has_immutable(run);
    int i;

    if (!run->run.key->indexed) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        const batch_item_t *item = &run->rows->items[numbers[i]];

        if ((item->value_count && immutable) || !batch_pgsql_is_spelt(run->run.key, item->key)) {
            return 0;
        }
    }
    return 1;
}

/*
 * 1 if the keys of the rows that are there say which of the items have one, since each is asked for
 * once. *by_key: the items, from 1 on.
 */
static int tell_apart(const look_run_t *run, apr_hash_t **by_key, const int *numbers, int count)
{
    int *places = apr_palloc(run->piece, (apr_size_t)(unsigned)count * sizeof(*places));
    int i;

    *by_key = apr_hash_make(run->piece);
    for (i = 0; i < count; i++) {
        const batch_item_t *item = &run->rows->items[numbers[i]];

        if (apr_hash_get(*by_key, item->key, APR_HASH_KEY_STRING)) {
            return 0;
        }
        places[i] = numbers[i];
        apr_hash_set(*by_key, item->key, APR_HASH_KEY_STRING, &places[i]);
    }
    return 1;
}

/* The rows with these keys, along the index, as a quick delete (rows.c) goes. */
static void add_rows(const look_run_t *run, batch_pgsql_builder_t *builder, const int *numbers,
                     int count)
{
    const batch_pgsql_members_t members = {run->rows->items, numbers, count};
    const batch_row_plan_t *plan = &run->run.plan;

    batch_pgsql_add(builder, " FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_of(builder, " WHERE ", NULL, plan->resource->key);
    batch_pgsql_add(builder, " = ANY (coalesce((SELECT ");
    batch_pgsql_add_array(builder, run->run.key, batch_pgsql_items_keys(builder, &members, 1),
                          count);
    batch_pgsql_add(builder, ")))");
    batch_pgsql_add_scope(builder, " AND (");
    batch_pgsql_add(builder, plan->scoped.count ? ") IS TRUE" : "");
}

/* Their keys; where there are more rows than keys, not all. */
static void build_list(const look_run_t *run, batch_pgsql_builder_t *builder, const int *numbers,
                       int count)
{
    batch_pgsql_run_build(&run->run, builder, run->piece);
    batch_pgsql_add_key(builder, "SELECT ");
    add_rows(run, builder, numbers, count);
    batch_pgsql_add(builder, " LIMIT ");
    batch_pgsql_add_value(builder, BATCH_PGSQL_BIGINT, apr_itoa(builder->p, count + 1));
}

/*
 * Adds whether no two rows of the table, as it is now, have one value of its key. What inherits
 * from a table has indexes of its own.
 */
static void add_uniqueness(const look_run_t *run, batch_pgsql_builder_t *builder)
{
    const batch_resource_t *resource = run->run.plan.resource;

    batch_pgsql_add(builder,
                    "EXISTS (SELECT FROM pg_index JOIN pg_class AS c ON c.oid = indrelid JOIN"
                    " pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE indisunique"
                    " AND indisvalid AND indimmediate AND indnkeyatts = 1 AND indpred IS NULL"
                    " AND (relkind = 'p' OR NOT relhassubclass) AND attname = ");
    batch_pgsql_add_value(builder, BATCH_PGSQL_TEXT, resource->key);
    batch_pgsql_add(builder, " AND indrelid = to_regclass(quote_ident(");
    batch_pgsql_add_value(builder, BATCH_PGSQL_TEXT, resource->table);
    batch_pgsql_add(builder, ")))");
}

/*
 * Of many items mostly all have their row. Where no two rows have one key, there are as many rows
 * as keys then, and none needs to be told. *known: so it is.
 */
static batch_failure_e look_if_all(const look_run_t *run, int *known, const int *numbers, int count)
{
    batch_pgsql_builder_t builder;
    PGresult *result = NULL;
    batch_failure_e failure;
    int i;

    apr_pool_clear(run->piece);
    batch_pgsql_run_build(&run->run, &builder, run->piece);
    batch_pgsql_add(&builder, "SELECT count(*), ");
    add_uniqueness(run, &builder);
    add_rows(run, &builder, numbers, count);
    failure = batch_pgsql_run_ask(&run->run, &result, &builder);
    if (failure != BATCH_FAILURE_NONE) {
        return failure == BATCH_FAILURE_REFUSED ? batch_pgsql_run_misfit(&run->run) : failure;
    }
    *known = apr_atoi64(PQgetvalue(result, 0, 0)) == count && *PQgetvalue(result, 0, 1) == 't';
    for (i = 0; *known && i < count; i++) {
        run->rows->looks[numbers[i]].found = 1;
        run->rows->looks[numbers[i]].key = run->rows->items[numbers[i]].key;
    }
    return BATCH_FAILURE_NONE;
}

/* Looks for the rows of these items by their list, in half the time. *known: it was possible. */
static batch_failure_e look_by_keys(const look_run_t *run, int *known, const int *numbers,
                                    int count)
{
    batch_pgsql_builder_t builder;
    apr_hash_t *by_key = NULL;
    PGresult *result = NULL;
    batch_failure_e failure;
    int row;

    apr_pool_clear(run->piece);
    *known = tell_apart(run, &by_key, numbers, count);
    if (!*known) {
        return BATCH_FAILURE_NONE;
    }
    build_list(run, &builder, numbers, count);
    failure = batch_pgsql_run_ask(&run->run, &result, &builder);
    if (failure != BATCH_FAILURE_NONE) {
        return failure == BATCH_FAILURE_REFUSED ? batch_pgsql_run_misfit(&run->run) : failure;
    }
    *known = PQntuples(result) <= count;
    for (row = 0; *known && row < PQntuples(result); row++) {
        *known = apr_hash_get(by_key, PQgetvalue(result, row, 0), APR_HASH_KEY_STRING) != NULL;
    }
    for (row = 0; *known && row < PQntuples(result); row++) {
        const char *key = PQgetvalue(result, row, 0);
        const int *place = apr_hash_get(by_key, key, APR_HASH_KEY_STRING);

        batch_row_look_add(&run->rows->looks[*place], key, run->rows->p);
    }
    return failure;
}

/* ---- By all that an item has -------------------------------------------------------------------
 */

/* Looks for the rows of these items. *wrong: a value of theirs is none of its column's type. */
static batch_failure_e look_at(const look_run_t *run, int *wrong, int by_match, int which,
                               const int *numbers, int count)
{
    const batch_pgsql_members_t members = {run->rows->items, numbers, count};
    batch_pgsql_builder_t builder;
    PGresult *result = NULL;
    batch_failure_e failure;
    int row;

    *wrong = 0;
    apr_pool_clear(run->piece);
    build_look(run, &builder, by_match, which, &members);
    failure = batch_pgsql_run_begin(&run->run, 1);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_run_ask(&run->run, &result, &builder);
    }
    for (row = 0; failure == BATCH_FAILURE_NONE && row < PQntuples(result); row++) {
        read_look(run, result, row, which, numbers);
    }
    if (failure == BATCH_FAILURE_REFUSED && batch_pgsql_run_failed_by(&run->run, "22")) {
        *wrong = 1;
        return batch_pgsql_run_undo(&run->run);
    }
    if (failure == BATCH_FAILURE_REFUSED) {
        return batch_pgsql_run_misfit(&run->run);
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_run_end(&run->run, 1) : failure;
}

/*
 * Looks for the row of one item with a wrong value: if that is not what finds the row, it is a
 * change of its column, which then is one that must not change.
 */
static batch_failure_e look_closely(const look_run_t *run, int by_match, int member)
{
    batch_row_look_t *look = &run->rows->looks[member];
    batch_row_look_t found;
    int wrong = 0;
    batch_failure_e failure = look_at(run, &wrong, by_match, NONE, &member, 1);
    int i;

    found = *look;
    for (i = 0; failure == BATCH_FAILURE_NONE && found.found == 1 && !found.immutable &&
                i < run->run.plan.column_count;
         i++) {
        if (is_asked(run, i, ALL) &&
            has_value(&run->rows->items[member], column_at(run, i)->name)) {
            memset(look, 0, sizeof(*look));
            failure = look_at(run, &wrong, by_match, i, &member, 1);
            found.immutable = wrong ? column_at(run, i)->name : look->immutable;
        }
    }
    *look = found;
    return failure;
}

/* Looks for the rows of these items, in smaller sets where one has a wrong value. */
static batch_failure_e look_all(const look_run_t *run, int by_match, const int *members, int count)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int size = count;
    int from = 0;
    int known = 0;

    if (!by_match && count && ask_for_keys(run, members, count)) {
        if (count >= MANY) {
            failure = look_if_all(run, &known, members, count);
        }
        if (failure == BATCH_FAILURE_NONE && !known) {
            failure = look_by_keys(run, &known, members, count);
        }
    }
    if (known) {
        return failure;
    }
    while (failure == BATCH_FAILURE_NONE && from < count) {
        int wrong = 0;

        size = size < count - from ? size : count - from;
        failure = look_at(run, &wrong, by_match, ALL, members + from, size);
        if (failure == BATCH_FAILURE_NONE && wrong && size > 1) {
            size /= 2;
            continue;
        }
        if (failure == BATCH_FAILURE_NONE && wrong) {
            failure = look_closely(run, by_match, members[from]);
        }
        from += size;
        size *= 2;
    }
    return failure;
}

/* Lists the items that can find a row by their key, or by match. Returns how many. */
static int list_members(const look_run_t *run, int *members, int by_match, int count)
{
    const batch_resource_t *resource = run->run.plan.resource;
    int listed = 0;
    int i;

    for (i = 0; i < count; i++) {
        const batch_item_t *item = &run->rows->items[i];
        /* A client's key that is not written as the server writes it, as "07", names a row, too. */
        int fits = by_match ? !item->key && batch_item_has_match(resource, item)
                            : item->key && (resource->keys == BATCH_KEYS_CLIENT ||
                                            batch_pgsql_fits(run->run.key, item->key));

        if (fits) {
            members[listed++] = i;
        }
    }
    return listed;
}

/* 0 if the type of the key or of the scope, as it is known, may rule out what is there. */
static int is_sure(const look_run_t *run)
{
    int i;

    for (i = 0; i < run->rows->count; i++) {
        if (run->rows->items[i].key && !batch_pgsql_fits(run->run.key, run->rows->items[i].key)) {
            return 0;
        }
    }
    return batch_pgsql_run_is_possible(&run->run);
}

static batch_failure_e look(look_run_t *run)
{
    int count = run->rows->count;
    int *members = apr_palloc(run->rows->p, (apr_size_t)(unsigned)(count + 1) * sizeof(*members));
    batch_failure_e failure = batch_pgsql_run_text(&run->run, batch_pgsql_in_order);
    int by_match;

    if (failure == BATCH_FAILURE_NONE && !is_sure(run) && batch_pgsql_run_is_old(&run->run)) {
        failure = batch_pgsql_run_read(&run->run, 1);
    }
    if (failure != BATCH_FAILURE_NONE || !batch_pgsql_run_is_possible(&run->run)) {
        return failure;
    }
    for (by_match = 0; failure == BATCH_FAILURE_NONE && by_match < 2; by_match++) {
        failure = look_all(run, by_match, members, list_members(run, members, by_match, count));
    }
    return failure;
}

apr_status_t batch_pgsql_rows_look(batch_tx_t *tx, batch_rows_t *rows)
{
    look_run_t run = {.rows = rows};
    batch_failure_e failure;

    memset(rows->looks, 0, (apr_size_t)(unsigned)rows->count * sizeof(*rows->looks));
    if (apr_pool_create(&run.piece, rows->p) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    batch_pgsql_run_start(&run.run, tx, rows->scope, NULL, rows->p);
    failure = batch_pgsql_run_read(&run.run, 0);
    if (failure == BATCH_FAILURE_NONE) {
        failure = look(&run);
    }
    apr_pool_destroy(run.piece);
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS
                                         : batch_tx_fail(tx, failure, "looking for rows");
}

/* PostgreSQL: looks for the rows of many items at once, and walks over the rows of a scope. */
#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/failures.h"
#include "store/pgsql/rows.h"
#include "store/pgsql/sets.h"

/* Rows that a walk looks at in one call, of whomever they are. */
#define WALK_ROWS     1000

#define TYPE_JSON     114
#define ARRAY_BOOLEAN 1000

/*
 * Rows are to come one by one through an index, in its order, however small the table is when the
 * plan is made.
 */
static const char settings[] =
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', "
    "true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_sort', 'off', true), set_config('jit', 'off', true)";

/* One call of rows_look or keys_walk. */
typedef struct look_run {
    batch_tx_t *tx;
    batch_connection_t *connection;
    const batch_row_scope_t *scope;
    const batch_resource_t *resource;
    batch_pgsql_table_t *table;
    const batch_pgsql_column_t *key;
    batch_pgsql_rules_t *rules;
    const batch_item_t *items;
    batch_row_look_t *looks;
    apr_pool_t *p;
    apr_pool_t *piece; /* of the statement under way */
} look_run_t;

static batch_failure_e read_table(look_run_t *run, int fresh)
{
    batch_failure_e failure =
        batch_pgsql_table(run->connection, &run->table, run->resource->table, fresh);

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_rules(run->connection, &run->rules, run->table, run->resource);
    }
    if (failure == BATCH_FAILURE_NONE) {
        run->key = batch_pgsql_column(run->table, run->resource->key);
    }
    return failure;
}

static batch_failure_e start(look_run_t *run, batch_tx_t *tx, const batch_row_scope_t *scope,
                             apr_pool_t *p)
{
    batch_failure_e failure;

    memset(run, 0, sizeof(*run));
    run->tx = tx;
    run->connection = tx->connection;
    run->scope = scope;
    run->resource = scope->resource;
    run->p = p;
    failure = read_table(run, 0);
    return failure == BATCH_FAILURE_NONE
               ? batch_pgsql_queue_text(run->connection, settings, BATCH_PGSQL_OWN)
               : failure;
}

/* The table was not looked at in this transaction. */
static int is_old(const look_run_t *run)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(run->connection);

    return run->table->transaction != state->transactions;
}

/* What a refusal means that is not about the values: the table may have been made anew. */
static batch_failure_e misfit(const look_run_t *run)
{
    return is_old(run) ? BATCH_FAILURE_OUTDATED : BATCH_FAILURE_STATEMENT;
}

static int is_wrong_value(const look_run_t *run)
{
    return !strncmp(batch_pgsql_sqlstate(run->connection), "22", 2);
}

static batch_failure_e run_built(const look_run_t *run, const batch_pgsql_builder_t *builder,
                                 PGresult **result)
{
    batch_failure_e failure =
        batch_pgsql_queue(run->connection, batch_pgsql_built(run->connection, builder),
                          (const char *const *)builder->values->elts, BATCH_PGSQL_ROWS);

    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(run->connection, result) : failure;
}

/* Adds what a row has to be to belong to the scope. Returns 0 if none can. */
static int add_scope(const look_run_t *run, batch_pgsql_builder_t *builder, const char *word)
{
    const batch_resource_t *resource = run->resource;
    int possible = 1;

    if (resource->scope) {
        possible =
            batch_pgsql_add_condition(builder, word, resource->scope, run->scope->organization);
        word = " AND ";
    }
    if (resource->form_column && run->scope->form_id) {
        possible =
            batch_pgsql_add_condition(builder, word, resource->form_column, run->scope->form_id) &&
            possible;
    }
    return possible;
}

/* ---- Looking -----------------------------------------------------------------------------------
 */

/* The immutable columns that a look is about: one by its place, or these. */
enum { ALL = -1, NONE = -2 };

static const batch_column_t *column_at(const look_run_t *run, int i)
{
    return &APR_ARRAY_IDX(run->resource->columns, i, batch_column_t);
}

static const batch_value_t *value_of(const batch_item_t *item, const char *name)
{
    int i;

    for (i = 0; i < item->value_count; i++) {
        if (!strcmp(item->values[i].name, name)) {
            return &item->values[i];
        }
    }
    return NULL;
}

static const char *text_of(const look_run_t *run, const batch_item_t *item, const char *name)
{
    const batch_value_t *value = value_of(item, name);

    return value ? batch_pgsql_column_text(batch_resource_column(run->resource, name),
                                           batch_pgsql_column(run->table, name), value->value)
                 : NULL;
}

static int is_asked(const look_run_t *run, int i, int which)
{
    return column_at(run, i)->immutable && (which == ALL || which == i);
}

/* Adds the array of the items' values for one column. */
static void add_values(const look_run_t *run, batch_pgsql_builder_t *builder, const char *name,
                       const int *members, int count)
{
    const char **texts = apr_palloc(builder->p, (apr_size_t)(unsigned)(count + 1) * sizeof(*texts));
    int m;

    for (m = 0; m < count; m++) {
        texts[m] = text_of(run, &run->items[members[m]], name);
    }
    batch_pgsql_add(builder, "), (SELECT ");
    batch_pgsql_add_value(builder, batch_pgsql_column(run->table, name)->array,
                          batch_pgsql_array(texts, count, builder->p));
}

/* Adds the array that says which items have a value for that column. */
static void add_presence(const look_run_t *run, batch_pgsql_builder_t *builder, const char *name,
                         const int *members, int count)
{
    const char **texts = apr_palloc(builder->p, (apr_size_t)(unsigned)(count + 1) * sizeof(*texts));
    int m;

    for (m = 0; m < count; m++) {
        texts[m] = value_of(&run->items[members[m]], name) ? "t" : "f";
    }
    batch_pgsql_add(builder, "), (SELECT ");
    batch_pgsql_add_value(builder, ARRAY_BOOLEAN, batch_pgsql_array(texts, count, builder->p));
}

/* Adds the items as batch_item: k, m0, … of match, c0, h0, … of immutable columns, number. */
static void add_items(const look_run_t *run, batch_pgsql_builder_t *builder, int by_match,
                      int which, const int *members, int count)
{
    const char **keys = apr_palloc(builder->p, (apr_size_t)(unsigned)(count + 1) * sizeof(*keys));
    const char *names = "k";
    int i;

    for (i = 0; i < count; i++) {
        keys[i] = by_match ? NULL : run->items[members[i]].key;
    }
    batch_pgsql_add(builder, " FROM unnest((SELECT ");
    batch_pgsql_add_value(builder, run->key->array, batch_pgsql_array(keys, count, builder->p));
    for (i = 0; by_match && i < run->resource->match->nelts; i++) {
        add_values(run, builder, APR_ARRAY_IDX(run->resource->match, i, const char *), members,
                   count);
        names = apr_psprintf(builder->p, "%s, m%d", names, i);
    }
    for (i = 0; i < run->resource->columns->nelts; i++) {
        if (is_asked(run, i, which)) {
            add_values(run, builder, column_at(run, i)->name, members, count);
            add_presence(run, builder, column_at(run, i)->name, members, count);
            names = apr_psprintf(builder->p, "%s, c%d, h%d", names, i, i);
        }
    }
    batch_pgsql_add(builder, ")) WITH ORDINALITY AS batch_item (");
    batch_pgsql_add(builder, names);
    batch_pgsql_add(builder, ", number)");
}

/* Adds whether the row's value of column i is another than the item's. */
static void add_difference(const look_run_t *run, batch_pgsql_builder_t *builder, int i)
{
    const char *name = column_at(run, i)->name;
    const batch_pgsql_column_t *column = batch_pgsql_column(run->table, name);
    const char *as = column->type == TYPE_JSON ? "::jsonb"
                     : column->type == BATCH_PGSQL_TEXT || column->kind == BATCH_PGSQL_ANY
                         ? "::text"
                         : "";

    batch_pgsql_add(builder, apr_psprintf(builder->p, ", batch_item.h%d AND ", i));
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add(builder, ".");
    batch_pgsql_add(builder, batch_pgsql_identifier(name, builder->p));
    batch_pgsql_add(builder, as);
    batch_pgsql_add(builder, apr_psprintf(builder->p, " IS DISTINCT FROM (%s)%s AS d%d",
                                          batch_pgsql_stored(
                                              column, apr_psprintf(builder->p, "batch_item.c%d", i),
                                              builder->p),
                                          as, i));
}

static void build_look(const look_run_t *run, batch_pgsql_builder_t *builder, int by_match,
                       int which, const int *members, int count)
{
    const batch_resource_t *resource = run->resource;
    int i;

    batch_pgsql_builder_init(builder, run->table, resource->table, run->piece);
    batch_pgsql_add(builder, "SELECT batch_item.number, batch_row.*");
    add_items(run, builder, by_match, which, members, count);
    batch_pgsql_add(builder, ", LATERAL (SELECT ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add(builder, ".");
    batch_pgsql_add(builder, batch_pgsql_identifier(resource->key, builder->p));
    batch_pgsql_add(builder, "::text AS key");
    for (i = 0; i < resource->columns->nelts; i++) {
        if (is_asked(run, i, which)) {
            add_difference(run, builder, i);
        }
    }
    batch_pgsql_add(builder, " FROM ");
    batch_pgsql_add(builder, builder->table_name);
    if (!by_match) {
        batch_pgsql_add_column(builder, " WHERE ", resource->key);
        batch_pgsql_add(builder, "batch_item.k");
    }
    for (i = 0; by_match && i < resource->match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(resource->match, i, const char *);

        batch_pgsql_add_column(builder, i ? " AND " : " WHERE ", name);
        batch_pgsql_add(builder, batch_pgsql_stored(batch_pgsql_column(run->table, name),
                                                    apr_psprintf(builder->p, "batch_item.m%d", i),
                                                    builder->p));
    }
    (void)add_scope(run, builder, " AND ");
    batch_pgsql_add(builder, " LIMIT " APR_STRINGIFY(BATCH_LOOK_ROWS) " + 1) AS batch_row");
}

static void read_look(const look_run_t *run, const PGresult *result, int row, int which,
                      const int *members)
{
    int member = members[apr_atoi64(PQgetvalue(result, row, 0)) - 1];
    batch_row_look_t *look = &run->looks[member];
    int column = 2;
    int i;

    batch_row_look_add(look, PQgetvalue(result, row, 1), run->p);
    if (look->found > 1) {
        return;
    }
    for (i = 0; i < run->resource->columns->nelts; i++) {
        if (is_asked(run, i, which) && *PQgetvalue(result, row, column++) == 't') {
            look->immutable = column_at(run, i)->name;
            return;
        }
    }
}

/* Undoes what was refused; sent with the next statement. */
static batch_failure_e undo(const look_run_t *run)
{
    batch_failure_e failure;

    batch_pgsql_forgive(run->connection);
    failure = batch_pgsql_queue_text(run->connection, "ROLLBACK TO SAVEPOINT batch_look",
                                     BATCH_PGSQL_OWN);
    return failure == BATCH_FAILURE_NONE
               ? batch_pgsql_queue_text(run->connection, "RELEASE SAVEPOINT batch_look",
                                        BATCH_PGSQL_OWN)
               : failure;
}

/* Looks for the rows of these items. *wrong: a value of theirs is none of its column's type. */
static batch_failure_e look_at(const look_run_t *run, int *wrong, int by_match, int which,
                               const int *members, int count)
{
    batch_pgsql_builder_t builder;
    PGresult *result = NULL;
    batch_failure_e failure;
    int row;

    *wrong = 0;
    apr_pool_clear(run->piece);
    build_look(run, &builder, by_match, which, members, count);
    failure = batch_pgsql_queue_text(run->connection, "SAVEPOINT batch_look", BATCH_PGSQL_OWN);
    if (failure == BATCH_FAILURE_NONE) {
        failure = run_built(run, &builder, &result);
    }
    for (row = 0; failure == BATCH_FAILURE_NONE && row < PQntuples(result); row++) {
        read_look(run, result, row, which, members);
    }
    if (failure == BATCH_FAILURE_REFUSED && is_wrong_value(run)) {
        *wrong = 1;
        return undo(run);
    }
    if (failure == BATCH_FAILURE_REFUSED) {
        return misfit(run);
    }
    return failure == BATCH_FAILURE_NONE
               ? batch_pgsql_queue_text(run->connection, "RELEASE SAVEPOINT batch_look",
                                        BATCH_PGSQL_OWN)
               : failure;
}

/*
 * Looks for the row of one item with a wrong value: if that is not what finds the row, it is a
 * change of its column, which then is one that must not change.
 */
static batch_failure_e look_closely(const look_run_t *run, int by_match, int member)
{
    batch_row_look_t *look = &run->looks[member];
    batch_row_look_t found;
    int wrong = 0;
    batch_failure_e failure = look_at(run, &wrong, by_match, NONE, &member, 1);
    int i;

    found = *look;
    for (i = 0; failure == BATCH_FAILURE_NONE && found.found == 1 && !found.immutable &&
                i < run->resource->columns->nelts;
         i++) {
        if (is_asked(run, i, ALL) && value_of(&run->items[member], column_at(run, i)->name)) {
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
    const apr_array_header_t *match = run->resource->match;
    int listed = 0;
    int i, j;

    for (i = 0; i < count; i++) {
        const batch_item_t *item = &run->items[i];
        /* A client's key that is not written as the server writes it, as "07", names a row, too. */
        int fits = by_match ? !item->key && match && match->nelts
                            : item->key && (run->resource->keys == BATCH_KEYS_CLIENT ||
                                            batch_pgsql_fits(run->key, item->key));

        for (j = 0; by_match && fits && j < match->nelts; j++) {
            const char *text = text_of(run, item, APR_ARRAY_IDX(match, j, const char *));

            fits = text != NULL;
        }
        if (fits) {
            members[listed++] = i;
        }
    }
    return listed;
}

/* 0 if the type of the key or of the scope, as it is known, may rule out what is there. */
static int is_sure(const look_run_t *run, int count)
{
    batch_pgsql_builder_t builder;
    int i;

    batch_pgsql_builder_init(&builder, run->table, run->resource->table, run->piece);
    if (!add_scope(run, &builder, " ")) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (run->items[i].key && !batch_pgsql_fits(run->key, run->items[i].key)) {
            return 0;
        }
    }
    return 1;
}

static batch_failure_e look(look_run_t *run, int count)
{
    batch_pgsql_builder_t builder;
    int *members = apr_palloc(run->p, (apr_size_t)(unsigned)(count + 1) * sizeof(*members));
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int listed;

    if (!is_sure(run, count) && is_old(run)) {
        failure = read_table(run, 1);
    }
    batch_pgsql_builder_init(&builder, run->table, run->resource->table, run->piece);
    if (failure != BATCH_FAILURE_NONE || !add_scope(run, &builder, " ")) {
        return failure;
    }
    listed = list_members(run, members, 0, count);
    failure = look_all(run, 0, members, listed);
    if (failure == BATCH_FAILURE_NONE) {
        listed = list_members(run, members, 1, count);
        failure = look_all(run, 1, members, listed);
    }
    return failure;
}

apr_status_t batch_pgsql_rows_look(batch_tx_t *tx, batch_rows_t *rows)
{
    look_run_t run;
    batch_failure_e failure = start(&run, tx, rows->scope, rows->p);

    memset(rows->looks, 0, (apr_size_t)(unsigned)rows->count * sizeof(*rows->looks));
    if (apr_pool_create(&run.piece, rows->p) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    run.items = rows->items;
    run.looks = rows->looks;
    if (failure == BATCH_FAILURE_NONE) {
        failure = look(&run, rows->count);
    }
    apr_pool_destroy(run.piece);
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS
                                         : batch_tx_fail(tx, failure, "looking for rows");
}

/* ---- Walking -----------------------------------------------------------------------------------
 */

/* 1 if the statement can ask for the scope's rows alone. */
static int walks_scope(const look_run_t *run)
{
    int bound = run->resource->scope || (run->resource->form_column && run->scope->form_id != NULL);

    return !bound || run->rules->walk_scope || !run->rules->key_unique;
}

static void add_own_column(batch_pgsql_builder_t *builder, const char *column)
{
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add(builder, ".");
    batch_pgsql_add(builder, batch_pgsql_identifier(column, builder->p));
}

/*
 * The next keys, and whether each of them is of the scope. Where no index has the scope's keys in
 * their order, the rows of all are looked at, so many at a time.
 */
static int build_walk(const look_run_t *run, batch_pgsql_builder_t *builder, const char *after,
                      int rows)
{
    const batch_resource_t *resource = run->resource;
    int alone = walks_scope(run);
    int possible = 1;

    batch_pgsql_builder_init(builder, run->table, resource->table, run->piece);
    batch_pgsql_add(builder, "SELECT ");
    add_own_column(builder, resource->key);
    batch_pgsql_add(builder, "::text, ");
    if (alone) {
        batch_pgsql_add(builder, "true FROM ");
        batch_pgsql_add(builder, builder->table_name);
    } else {
        possible = add_scope(run, builder, "");
        batch_pgsql_add(builder, " FROM (SELECT * FROM ");
        batch_pgsql_add(builder, builder->table_name);
    }
    batch_pgsql_add(builder, " WHERE ");
    add_own_column(builder, resource->key);
    if (after) {
        batch_pgsql_add(builder, " > ");
        batch_pgsql_add_value(builder, run->key->type, after);
    } else {
        batch_pgsql_add(builder, " IS NOT NULL");
    }
    if (alone) {
        possible = add_scope(run, builder, " AND ");
    }
    batch_pgsql_add(builder, " ORDER BY ");
    add_own_column(builder, resource->key);
    batch_pgsql_add(builder, " LIMIT ");
    batch_pgsql_add_value(builder, BATCH_PGSQL_BIGINT, apr_itoa(builder->p, rows));
    if (!alone) {
        batch_pgsql_add(builder, ") AS ");
        batch_pgsql_add(builder, builder->table_name);
        batch_pgsql_add(builder, " ORDER BY ");
        add_own_column(builder, resource->key);
    }
    return possible;
}

/* Reads the next rows. *result stays until the transaction's next statement; NULL: there are none.
 */
static batch_failure_e read_keys(look_run_t *run, PGresult **result, const char *after, int limit,
                                 int *rows)
{
    batch_pgsql_builder_t builder;
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int possible;

    *rows = walks_scope(run) ? limit : WALK_ROWS;
    possible = build_walk(run, &builder, after, *rows);
    if (!possible && is_old(run)) {
        failure = read_table(run, 1);
        *rows = walks_scope(run) ? limit : WALK_ROWS;
        possible = build_walk(run, &builder, after, *rows);
    }
    if (failure != BATCH_FAILURE_NONE || !possible) {
        return failure;
    }
    if (is_old(run)) {
        failure = batch_pgsql_rules_guard(run->connection, run->rules, run->resource);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = run_built(run, &builder, result);
    }
    return failure == BATCH_FAILURE_REFUSED ? misfit(run) : failure;
}

apr_status_t batch_pgsql_keys_walk(batch_tx_t *tx, batch_key_walk_t *walk)
{
    look_run_t run;
    PGresult *result = NULL;
    batch_failure_e failure = start(&run, tx, walk->scope, walk->p);
    apr_status_t rv = apr_pool_create(&run.piece, walk->p);
    int limit = walk->limit > 0 ? walk->limit : 1;
    int rows = 0, given = 0, count, i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_keys(&run, &result, walk->after, limit, &rows);
    }
    if (failure != BATCH_FAILURE_NONE) {
        rv = batch_tx_fail(tx, failure, "walking over rows");
    }
    if (result) {
        result = batch_pgsql_keep(run.connection, run.piece); /* fn may use the connection */
    }
    count = result ? PQntuples(result) : 0;
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
    apr_pool_destroy(run.piece);
    return rv;
}

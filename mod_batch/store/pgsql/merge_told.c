/*
 * PostgreSQL: which rows a merge has touched, for whoever must leave them alone later. A statement
 * returns their keys as they are before triggers and rules have done with them; so where a table
 * has such, the rows are looked for once more.
 */
#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/merge.h"

static int tells(const batch_pgsql_merge_t *merge)
{
    return merge->sets.rows->scope->tell_keys;
}

/* 1 if a new row may have another key than it was given, which the column rounds or cuts off. */
static int is_inexact(const batch_pgsql_column_t *key)
{
    return key->stored_as || key->most;
}

int batch_pgsql_lists_made(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    return merge->run.plan.resource->keys == BATCH_KEYS_DATABASE ||
           (tells(merge) &&
            (merge->run.rules->alters || !group->has_key || is_inexact(merge->run.key)));
}

void batch_pgsql_tell(batch_pgsql_merge_t *merge, int i, const char *key)
{
    const char *own = merge->items[i].key;

    if (tells(merge)) {
        merge->outcomes[i].key =
            own && !strcmp(own, key) ? NULL : apr_pstrdup(merge->sets.rows->p, key);
    }
}

void batch_pgsql_tell_made(batch_pgsql_merge_t *merge, const int *members, int count,
                           const apr_array_header_t *keys)
{
    apr_hash_t *left = apr_hash_make(merge->sets.set_pool);
    apr_hash_index_t *next;
    int i, m;

    for (i = 0; i < keys->nelts; i++) {
        const char *key = APR_ARRAY_IDX(keys, i, const char *);

        apr_hash_set(left, key, APR_HASH_KEY_STRING, key);
    }
    for (m = 0; m < count; m++) { /* each has its own, mostly */
        if (merge->outcomes[members[m]].result == BATCH_ROW_CREATED &&
            merge->items[members[m]].key) {
            apr_hash_set(left, merge->items[members[m]].key, APR_HASH_KEY_STRING, NULL);
        }
    }
    next = apr_hash_first(merge->sets.set_pool, left);
    for (m = 0; next && m < count; m++) {
        if (merge->outcomes[members[m]].result == BATCH_ROW_CREATED) {
            batch_pgsql_tell(merge, members[m], apr_hash_this_val(next));
            next = apr_hash_next(next);
        }
    }
}

void batch_pgsql_tell_database_keys(batch_pgsql_merge_t *merge, const apr_array_header_t *made,
                                    const apr_array_header_t *keys)
{
    int i;

    for (i = 0; i < made->nelts && i < keys->nelts; i++) {
        batch_row_outcome_t *outcome = &merge->outcomes[APR_ARRAY_IDX(made, i, int)];

        outcome->key = apr_pstrdup(merge->sets.rows->p, APR_ARRAY_IDX(keys, i, const char *));
    }
}

/* ---- Checks ------------------------------------------------------------------------------------
 */

/* The keys of the rows that were touched, or of those of them that were found by match and made. */
typedef struct touched {
    const char **keys;
    int *items; /* of each */
    int count;
} touched_t;

static void list_touched(touched_t *touched, const batch_pgsql_merge_t *merge, int from, int count,
                         int only_made)
{
    apr_size_t size = (apr_size_t)(unsigned)count;
    int i;

    touched->keys = apr_palloc(merge->sets.set_pool, size * sizeof(*touched->keys));
    touched->items = apr_palloc(merge->sets.set_pool, size * sizeof(*touched->items));
    touched->count = 0;
    for (i = from; i < from + count; i++) {
        const batch_row_outcome_t *outcome = &merge->outcomes[i];
        const char *key = outcome->key ? outcome->key : merge->items[i].key;
        int is_made = outcome->result == BATCH_ROW_CREATED;

        if (merge->decided[i] && key && (is_made || outcome->result == BATCH_ROW_APPLIED) &&
            (!only_made || (is_made && merge->items[i].kind == BATCH_ITEM_MATCH))) {
            touched->items[touched->count] = i;
            touched->keys[touched->count++] = key;
        }
    }
}

static void add_keys(batch_pgsql_builder_t *builder, const batch_pgsql_merge_t *merge,
                     const touched_t *touched)
{
    batch_pgsql_items_start(builder, " FROM ", merge->run.key, touched->keys, touched->count);
    batch_pgsql_items_end(builder);
}

/* Which keys no row has. */
static void build_lost(batch_pgsql_builder_t *builder, const batch_pgsql_merge_t *merge,
                       const touched_t *touched)
{
    batch_pgsql_add(builder, "SELECT number");
    add_keys(builder, merge, touched);
    batch_pgsql_add(builder, " WHERE NOT EXISTS (SELECT FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_where(builder, BATCH_ITEM_KEY);
    batch_pgsql_add(builder, ")");
}

/* Adds: word table.column = that of the row that was made */
static void add_as_made(batch_pgsql_builder_t *builder, const char *word, const char *column)
{
    batch_pgsql_add_of(builder, word, NULL, column);
    batch_pgsql_add_of(builder, " = ", "batch_made", column);
}

/* The keys of rows that have the match values of the rows with these keys, as they are stored. */
static void build_alike(batch_pgsql_builder_t *builder, const batch_pgsql_merge_t *merge,
                        const touched_t *touched)
{
    const batch_resource_t *resource = builder->plan->resource;
    int i;

    batch_pgsql_add(builder, "SELECT number, batch_row.key");
    add_keys(builder, merge, touched);
    batch_pgsql_add_key(builder, ", LATERAL (SELECT ");
    batch_pgsql_add(builder, " AS key FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add(builder, " AS batch_made, ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_of(builder, " WHERE ", "batch_made", resource->key);
    batch_pgsql_add(builder, " = batch_item.k");
    for (i = 0; i < batch_match_count(resource); i++) {
        add_as_made(builder, " AND ", batch_match_name(resource, i));
    }
    if (resource->scope) {
        add_as_made(builder, " AND ", resource->scope);
    }
    batch_pgsql_add_scope(builder, " AND ");
    add_as_made(builder, " AND NOT ", resource->key);
    batch_pgsql_add(builder, " LIMIT 2) AS batch_row LIMIT 2");
}

typedef void build_fn(batch_pgsql_builder_t *builder, const batch_pgsql_merge_t *merge,
                      const touched_t *touched);

static batch_failure_e ask(const batch_pgsql_merge_t *merge, PGresult **result, build_fn *build,
                           const touched_t *touched)
{
    batch_pgsql_builder_t builder;

    batch_pgsql_run_build(&merge->run, &builder, merge->sets.set_pool);
    build(&builder, merge, touched);
    return batch_pgsql_run_ask(&merge->run, result, &builder);
}

/*
 * Forgets the keys that the database has made and that no row has any more: a trigger has given the
 * row another one, or has taken it away.
 */
static batch_failure_e forget_lost(batch_pgsql_merge_t *merge, int from, int count)
{
    PGresult *result = NULL;
    touched_t touched;
    batch_failure_e failure;
    int row;

    list_touched(&touched, merge, from, count, 0);
    if (!touched.count) {
        return BATCH_FAILURE_NONE;
    }
    failure = ask(merge, &result, build_lost, &touched);
    for (row = 0; failure == BATCH_FAILURE_NONE && row < PQntuples(result); row++) {
        int place = (int)apr_atoi64(PQgetvalue(result, row, 0)) - 1;

        merge->outcomes[touched.items[place]].key = NULL;
    }
    return failure;
}

batch_failure_e batch_pgsql_check_told(batch_pgsql_merge_t *merge, int from, int count)
{
    PGresult *result = NULL;
    touched_t touched;
    batch_failure_e failure = BATCH_FAILURE_NONE;

    merge->why = NULL;
    if (!merge->run.rules->alters) {
        return failure;
    }
    if (!tells(merge)) {
        return merge->run.plan.resource->keys == BATCH_KEYS_DATABASE
                   ? forget_lost(merge, from, count)
                   : failure;
    }
    list_touched(&touched, merge, from, count, 0);
    if (touched.count) {
        failure = ask(merge, &result, build_lost, &touched);
    }
    if (failure == BATCH_FAILURE_NONE && result && PQntuples(result) > 0) {
        merge->why = batch_row_strayed;
        return failure;
    }
    list_touched(&touched, merge, from, count, 1);
    if (failure != BATCH_FAILURE_NONE || !touched.count || merge->run.rules->match_unique) {
        return failure;
    }
    failure = ask(merge, &result, build_alike, &touched);
    if (failure == BATCH_FAILURE_NONE && PQntuples(result) > 0) {
        merge->why = batch_row_alike;
        if (count == 1) {
            merge->outcomes[from].key = apr_pstrdup(merge->sets.rows->p, PQgetvalue(result, 0, 1));
            merge->outcomes[from].unsure = PQntuples(result) > 1;
        }
    }
    return failure;
}

/* ---- Doubts ------------------------------------------------------------------------------------
 */

/* Is it known that the index of that name has a column that finds no rows? */
static const char other_index[] =
    "SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass(quote_ident($1)) AND relname = $2 AND (indexprs IS NOT NULL"
    " OR EXISTS (SELECT FROM unnest(indkey::int2[]) AS place (attribute) JOIN pg_attribute"
    " ON attrelid = indrelid AND attnum = attribute WHERE attname::text <> ALL ($3::text[])))";

batch_failure_e batch_pgsql_doubt(batch_pgsql_merge_t *merge, int i, const char *index)
{
    const batch_sets_t *sets = &merge->sets;
    const batch_resource_t *resource = merge->run.plan.resource;
    int matched = merge->items[i].kind == BATCH_ITEM_MATCH ? batch_match_count(resource) : 0;
    const char **names =
        apr_palloc(sets->set_pool, (apr_size_t)(unsigned)(matched + 2) * sizeof(*names));
    const char *values[3] = {resource->table, index, NULL};
    PGresult *result = NULL;
    batch_failure_e failure;

    if (!tells(merge) || !merge->run.rules->alters) {
        return BATCH_FAILURE_NONE;
    }
    if (matched) {
        memcpy(names, resource->match->elts, (apr_size_t)(unsigned)matched * sizeof(*names));
    }
    names[matched++] = resource->key;
    if (resource->scope) {
        names[matched++] = resource->scope;
    }
    values[2] = batch_pgsql_array(names, matched, sets->set_pool);
    failure = batch_pgsql_ask_texts(merge->run.connection, &result, other_index, values, 3);
    merge->outcomes[i].unsure = failure == BATCH_FAILURE_NONE && PQntuples(result) == 0;
    return failure;
}

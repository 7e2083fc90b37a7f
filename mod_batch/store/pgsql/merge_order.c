/*
 * PostgreSQL: which items of a merge have to keep their place among the others. Groups are applied
 * one after the other, which is as good as the items' own order but for a row that an item finds by
 * its key and gives other match values, where other items find their rows by those.
 */
#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/merge.h"

#define ARRAY_BOOLEAN 1000

static const char *match_at(const batch_resource_t *resource, int i)
{
    return APR_ARRAY_IDX(resource->match, i, const char *);
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

static int has_match_column(const batch_resource_t *resource, const batch_item_t *item)
{
    int i;

    for (i = 0; resource->match && i < resource->match->nelts; i++) {
        if (value_of(item, match_at(resource, i))) {
            return 1;
        }
    }
    return 0;
}

/* Lists the items that have a key and may move match. 0 also if nobody would notice. */
static int list_suspects(const batch_pgsql_merge_t *merge, int *suspects, int count)
{
    const batch_resource_t *resource = merge->sets.scope->resource;
    int matched = 0;
    int listed = 0;
    int i;

    for (i = 0; i < count; i++) {
        const batch_item_t *item = &merge->items[i];

        if (merge->decided[i]) {
            continue;
        }
        matched = matched || item->kind == BATCH_ITEM_MATCH;
        if (item->kind == BATCH_ITEM_KEY && has_match_column(resource, item)) {
            suspects[listed++] = i;
        }
    }
    return matched ? listed : 0;
}

/* Adds the arrays of the suspects: k, then for each column of match its values and who has one. */
static void add_suspects(batch_pgsql_builder_t *builder, const batch_pgsql_merge_t *merge,
                         const int *suspects, int count)
{
    const batch_resource_t *resource = merge->sets.scope->resource;
    const char **texts = apr_palloc(builder->p, (apr_size_t)(unsigned)count * sizeof(*texts));
    const char **presence = apr_palloc(builder->p, (apr_size_t)(unsigned)count * sizeof(*presence));
    const char *names = "k";
    int i, m;

    for (m = 0; m < count; m++) {
        texts[m] = merge->items[suspects[m]].key;
    }
    batch_pgsql_add(builder, "unnest((SELECT ");
    batch_pgsql_add_value(builder, merge->sets.key->array,
                          batch_pgsql_array(texts, count, builder->p));
    for (i = 0; i < resource->match->nelts; i++) {
        const batch_pgsql_column_t *column =
            batch_pgsql_column(merge->sets.table, match_at(resource, i));

        for (m = 0; m < count; m++) {
            const batch_value_t *value =
                value_of(&merge->items[suspects[m]], match_at(resource, i));

            presence[m] = value ? "t" : "f";
            texts[m] = value ? batch_pgsql_column_text(
                                   batch_resource_column(resource, match_at(resource, i)), column,
                                   value->value)
                             : NULL;
        }
        batch_pgsql_add(builder, "), (SELECT ");
        batch_pgsql_add_value(builder, column->array, batch_pgsql_array(texts, count, builder->p));
        batch_pgsql_add(builder, "), (SELECT ");
        batch_pgsql_add_value(builder, ARRAY_BOOLEAN,
                              batch_pgsql_array(presence, count, builder->p));
        names = apr_psprintf(builder->p, "%s, m%d, h%d", names, i, i);
    }
    batch_pgsql_add(builder, ")) WITH ORDINALITY AS batch_item (");
    batch_pgsql_add(builder, names);
    batch_pgsql_add(builder, ", number)");
}

/* The question which of the suspects would change match values, or make a row. */
static void build(batch_pgsql_builder_t *builder, const batch_pgsql_merge_t *merge,
                  const int *suspects, int count)
{
    const batch_pgsql_sets_t *sets = &merge->sets;
    const batch_resource_t *resource = sets->scope->resource;
    int i;

    batch_pgsql_builder_init(builder, sets->table, resource->table, sets->set_pool);
    batch_pgsql_add(builder, "SELECT number FROM ");
    add_suspects(builder, merge, suspects, count);
    batch_pgsql_add(builder, " WHERE coalesce((SELECT ");
    for (i = 0; i < resource->match->nelts; i++) {
        batch_pgsql_add(builder, apr_psprintf(builder->p, "%sh%d AND ", i ? " OR " : "", i));
        batch_pgsql_add(builder, builder->table_name);
        batch_pgsql_add(builder, ".");
        batch_pgsql_add(builder, batch_pgsql_identifier(match_at(resource, i), builder->p));
        batch_pgsql_add(builder, " IS DISTINCT FROM ");
        batch_pgsql_add(builder,
                        batch_pgsql_stored(batch_pgsql_column(sets->table, match_at(resource, i)),
                                           apr_psprintf(builder->p, "m%d", i), builder->p));
    }
    batch_pgsql_add(builder, " FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_column(builder, " WHERE ", resource->key);
    batch_pgsql_add(builder, "k");
    if (resource->scope) {
        (void)batch_pgsql_add_condition(builder, " AND ", resource->scope,
                                        sets->scope->organization);
    }
    batch_pgsql_add(builder,
                    resource->keys == BATCH_KEYS_CLIENT ? " LIMIT 1), true)" : " LIMIT 1), false)");
}

batch_failure_e batch_pgsql_merge_find_movers(batch_pgsql_merge_t *merge, int count)
{
    batch_pgsql_sets_t *sets = &merge->sets;
    int *suspects = apr_palloc(sets->set_pool, (apr_size_t)(unsigned)count * sizeof(*suspects));
    int suspected = list_suspects(merge, suspects, count);
    batch_pgsql_builder_t builder;
    PGresult *result = NULL;
    batch_failure_e failure;
    int row;

    merge->moves = apr_pcalloc(sets->set_pool, (apr_size_t)(unsigned)count);
    if (!suspected) {
        return BATCH_FAILURE_NONE;
    }
    build(&builder, merge, suspects, suspected);
    failure = batch_pgsql_queue(sets->connection, batch_pgsql_built(sets->connection, &builder),
                                (const char *const *)builder.values->elts, BATCH_PGSQL_ROWS);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(sets->connection, &result);
    }
    for (row = 0; failure == BATCH_FAILURE_NONE && row < PQntuples(result); row++) {
        merge->moves[suspects[apr_atoi64(PQgetvalue(result, row, 0)) - 1]] = 1;
    }
    return failure;
}

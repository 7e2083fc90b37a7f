/*
 * PostgreSQL: which items of a merge have to keep their place among the others. Groups are applied
 * one after the other, which is as good as the items' own order but for a row that an item finds by
 * its key and gives other match values, where other items find their rows by those.
 */
#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/merge.h"

static int has_match_column(const batch_resource_t *resource, const batch_item_t *item)
{
    int i;

    for (i = 0; i < item->value_count; i++) {
        if (batch_match_has(resource, item->values[i].name)) {
            return 1;
        }
    }
    return 0;
}

/* Lists the items that have a key and may move match. 0 also if nobody would notice. */
static int list_suspects(const batch_pgsql_merge_t *merge, int *suspects, int count)
{
    const batch_resource_t *resource = merge->run.plan.resource;
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

/* The question which of the suspects would change match values, or make a row. */
static void build(batch_pgsql_builder_t *builder, const batch_pgsql_members_t *suspects,
                  const batch_pgsql_run_t *run)
{
    const batch_resource_t *resource = run->plan.resource;
    int i;

    batch_pgsql_items_start(builder, "SELECT number FROM ", run->key,
                            batch_pgsql_items_keys(builder, suspects, 1), suspects->count);
    for (i = 0; i < batch_match_count(resource); i++) {
        int place = batch_row_plan_place(&run->plan, batch_match_name(resource, i), -1);

        batch_pgsql_items_values(builder, suspects, place);
        batch_pgsql_items_presence(builder, suspects, place);
    }
    batch_pgsql_items_end(builder);
    batch_pgsql_add(builder, " WHERE coalesce((SELECT ");
    for (i = 0; i < batch_match_count(resource); i++) {
        int place = batch_row_plan_place(&run->plan, batch_match_name(resource, i), -1);

        batch_pgsql_add(builder, apr_psprintf(builder->p, "%sh%d AND ", i ? " OR " : "", place));
        batch_pgsql_add_of(builder, "", NULL, batch_match_name(resource, i));
        batch_pgsql_add(builder, " IS DISTINCT FROM ");
        batch_pgsql_add(builder, batch_pgsql_item_stored(builder, place));
    }
    batch_pgsql_add(builder, " FROM ");
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add_where(builder, BATCH_ITEM_KEY);
    batch_pgsql_add(builder,
                    resource->keys == BATCH_KEYS_CLIENT ? " LIMIT 1), true)" : " LIMIT 1), false)");
}

batch_failure_e batch_pgsql_merge_find_movers(batch_pgsql_merge_t *merge, int count)
{
    batch_sets_t *sets = &merge->sets;
    int *suspects = apr_palloc(sets->set_pool, (apr_size_t)(unsigned)count * sizeof(*suspects));
    int suspected = list_suspects(merge, suspects, count);
    batch_pgsql_members_t members = {merge->items, suspects, 0};
    batch_pgsql_builder_t builder;
    PGresult *result = NULL;
    batch_failure_e failure;
    int row;

    merge->moves = apr_pcalloc(sets->set_pool, (apr_size_t)(unsigned)count);
    if (!suspected) {
        return BATCH_FAILURE_NONE;
    }
    members.count = suspected;
    batch_pgsql_run_build(&merge->run, &builder, sets->set_pool);
    build(&builder, &members, &merge->run);
    failure = batch_pgsql_run_ask(&merge->run, &result, &builder);
    for (row = 0; failure == BATCH_FAILURE_NONE && row < PQntuples(result); row++) {
        merge->moves[suspects[apr_atoi64(PQgetvalue(result, row, 0)) - 1]] = 1;
    }
    return failure;
}

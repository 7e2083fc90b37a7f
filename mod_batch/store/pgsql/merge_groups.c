/* PostgreSQL: which items of a set are merged by one statement: those of a group. */
#include "store/pgsql/merge.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Columns -----------------------------------------------------------------------------------
 */

static const batch_column_t *column_at(const batch_resource_t *resource, int i)
{
    return &APR_ARRAY_IDX(resource->columns, i, batch_column_t);
}

/* The place of a column, -1 if no batch may write it. */
static int place_of(const batch_resource_t *resource, const char *name, int guess)
{
    int count = resource->columns->nelts;
    int i;

    for (i = 0; i < count; i++) {
        const batch_column_t *column = column_at(resource, (guess + i) % count);

        if (!strcmp(column->name, name)) {
            return batch_resource_writable(resource, column, 0) ? (guess + i) % count : -1;
        }
    }
    return -1;
}

int batch_pgsql_merge_columns(apr_uint64_t *columns, const batch_pgsql_merge_t *merge,
                              const batch_item_t *item)
{
    const batch_resource_t *resource = merge->sets.scope->resource;
    int place = -1;
    int i;

    memset(columns, 0, (apr_size_t)merge->words * sizeof(*columns));
    for (i = 0; i < item->value_count; i++) {
        place = place_of(resource, item->values[i].name, place + 1);
        if (place < 0) {
            return 0;
        }
        columns[place / 64] |= (apr_uint64_t)1 << (place % 64);
    }
    return 1;
}

/* ---- Groups ------------------------------------------------------------------------------------
 */

static batch_pgsql_group_t *make_group(const batch_pgsql_merge_t *merge, const batch_item_t *item,
                                       const apr_uint64_t *columns)
{
    int nelts = merge->sets.scope->resource->columns->nelts;
    apr_pool_t *p = merge->sets.set_pool;
    batch_pgsql_group_t *group = apr_pcalloc(p, sizeof(*group));
    int i;

    group->kind = item->kind;
    group->has_key = item->key != NULL;
    group->columns = apr_pmemdup(p, columns, (apr_size_t)merge->words * sizeof(*columns));
    group->places = apr_palloc(p, (apr_size_t)(unsigned)(nelts + 1) * sizeof(*group->places));
    for (i = 0; i < nelts; i++) {
        if (columns[i / 64] >> (i % 64) & 1) {
            group->places[group->column_count++] = i;
        }
    }
    APR_ARRAY_PUSH(merge->groups, batch_pgsql_group_t *) = group;
    return group;
}

static batch_pgsql_group_t *find_group(const batch_pgsql_merge_t *merge, const batch_item_t *item,
                                       const apr_uint64_t *columns, int first)
{
    int i;

    for (i = merge->groups->nelts - 1; i >= first; i--) {
        batch_pgsql_group_t *group = APR_ARRAY_IDX(merge->groups, i, batch_pgsql_group_t *);

        if (group->kind == item->kind && group->has_key == (item->key != NULL) &&
            !memcmp(group->columns, columns, (apr_size_t)merge->words * sizeof(*columns))) {
            return group;
        }
    }
    return make_group(merge, item, columns);
}

static void add_member(batch_pgsql_group_t *group, int i, apr_pool_t *p)
{
    if (group->count == group->room) {
        int room = group->room ? 2 * group->room : 4;
        int *members = apr_palloc(p, (apr_size_t)(unsigned)room * sizeof(*members));

        if (group->count) {
            memcpy(members, group->members, (apr_size_t)(unsigned)group->count * sizeof(*members));
        }
        group->members = members;
        group->room = room;
    }
    group->members[group->count++] = i;
}

int batch_pgsql_merge_gather(batch_pgsql_merge_t *merge, int from, int count)
{
    apr_uint64_t *columns =
        apr_palloc(merge->sets.set_pool, (apr_size_t)(unsigned)merge->words * sizeof(*columns));
    int first = merge->groups->nelts;
    int moved = 0, matched = 0;
    int i;

    for (i = from; i < count; i++) {
        const batch_item_t *item = &merge->items[i];

        if (merge->decided[i]) {
            continue;
        }
        moved = moved || (merge->moves && merge->moves[i]);
        matched = matched || item->kind == BATCH_ITEM_MATCH;
        if (moved && matched) {
            break;
        }
        (void)batch_pgsql_merge_columns(columns, merge, item);
        merge->group_of[i] = find_group(merge, item, columns, first);
        add_member(merge->group_of[i], i, merge->sets.set_pool);
    }
    return i;
}

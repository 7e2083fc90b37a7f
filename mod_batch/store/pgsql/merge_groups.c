/* PostgreSQL: which items of a set are merged by one statement: those of a group. */
#include "store/pgsql/merge.h"

#include <string.h>

#include <apr_strings.h>

static apr_size_t columns_size(const batch_row_plan_t *plan)
{
    return (apr_size_t)(unsigned)plan->width * sizeof(*plan->columns);
}

/* Makes a group for items like the one at hand. */
static batch_pgsql_group_t *make_group(const batch_pgsql_merge_t *merge)
{
    const batch_row_plan_t *plan = &merge->run.plan;
    apr_pool_t *p = merge->sets.set_pool;
    batch_pgsql_group_t *group = apr_pcalloc(p, sizeof(*group));
    int i;

    group->kind = plan->item->kind;
    group->has_key = plan->item->key != NULL;
    group->columns = apr_pmemdup(p, plan->columns, columns_size(plan));
    group->places =
        apr_palloc(p, (apr_size_t)(unsigned)(plan->column_count + 1) * sizeof(*group->places));
    for (i = 0; i < plan->column_count; i++) {
        if (batch_columns_have(plan->columns, i)) {
            group->places[group->column_count++] = i;
        }
    }
    APR_ARRAY_PUSH(merge->groups, batch_pgsql_group_t *) = group;
    return group;
}

/* The group of the item at hand, among those from the first on. */
static batch_pgsql_group_t *find_group(const batch_pgsql_merge_t *merge, int first)
{
    const batch_row_plan_t *plan = &merge->run.plan;
    int i;

    for (i = merge->groups->nelts - 1; i >= first; i--) {
        batch_pgsql_group_t *group = APR_ARRAY_IDX(merge->groups, i, batch_pgsql_group_t *);

        if (group->kind == plan->item->kind && group->has_key == (plan->item->key != NULL) &&
            !memcmp(group->columns, plan->columns, columns_size(plan))) {
            return group;
        }
    }
    return make_group(merge);
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
        batch_row_plan_take(&merge->run.plan, item);
        merge->group_of[i] = find_group(merge, first);
        add_member(merge->group_of[i], i, merge->sets.set_pool);
    }
    return i;
}

/*
 * PostgreSQL: a set of items that are all found by match, or by keys that clients make, as one
 * INSERT … ON CONFLICT DO UPDATE, which spares the look for each row. It checks more than what it
 * replaces does, since the row of an item need not be there: a partial item may lack a column that
 * a new row must have. Two items of the set may be for one row, or a row may be in another's way.
 * Then it fails as a whole, and what is without such surprises is done instead.
 */
#include "store/pgsql/merge.h"

#include <stdlib.h>
#include <string.h>

/* Where it has failed it is not tried again before that time. */
#define REST apr_time_from_sec(5)

int batch_pgsql_may_offer(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    apr_time_t failed = merge->run.rules->offer_failed;

    return (!failed || batch_ticks() - failed >= REST) && batch_pgsql_can_offer(merge, group);
}

/* Tells the keys of the rows that were there: as many as there are items that have changed one. */
static void tell_changed(batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group,
                         const PGresult *result)
{
    int row, m = 0;

    if (!merge->sets.rows->scope->tell_keys || group->kind == BATCH_ITEM_KEY) {
        return; /* see has_strayed */
    }
    for (row = 0; row < PQntuples(result); row++) {
        if (!PQgetisnull(result, row, 0)) {
            continue;
        }
        while (merge->outcomes[group->members[m]].result != BATCH_ROW_APPLIED) {
            m++;
        }
        batch_pgsql_tell(merge, group->members[m++], PQgetvalue(result, row, 1));
    }
}

/*
 * An item whose key is that of a new row has made it. All others have changed one: as many rows
 * were touched as there are items, and none can be touched twice.
 */
static void decide_all(batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group,
                       const PGresult *result)
{
    apr_hash_t *made = apr_hash_make(merge->sets.set_pool);
    int row, m;

    for (row = 0; row < PQntuples(result); row++) {
        if (!PQgetisnull(result, row, 0)) {
            apr_hash_set(made, PQgetvalue(result, row, 0), APR_HASH_KEY_STRING, group);
        }
    }
    for (m = 0; m < group->count; m++) {
        int i = group->members[m];

        merge->outcomes[i].result = apr_hash_get(made, merge->items[i].key, APR_HASH_KEY_STRING)
                                        ? BATCH_ROW_CREATED
                                        : BATCH_ROW_APPLIED;
        merge->outcomes[i].message = NULL;
        merge->decided[i] = 1;
    }
    tell_changed(merge, group, result);
}

/*
 * 1 if a row that was found by its key has another one: a trigger has changed it, or the database
 * takes both for one. The offer does not say whose it is.
 */
static int has_strayed(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group,
                       const PGresult *result)
{
    apr_hash_t *keys;
    int i;

    if (!merge->sets.rows->scope->tell_keys || group->kind != BATCH_ITEM_KEY) {
        return 0;
    }
    keys = apr_hash_make(merge->sets.set_pool);
    for (i = 0; i < group->count; i++) {
        apr_hash_set(keys, merge->items[group->members[i]].key, APR_HASH_KEY_STRING, group);
    }
    for (i = 0; i < PQntuples(result); i++) {
        if (!apr_hash_get(keys, PQgetvalue(result, i, 1), APR_HASH_KEY_STRING)) {
            return 1;
        }
    }
    return 0;
}

/* ---- In the order of the keys -------------------------------------------------------------------
 */

typedef struct place {
    const char *key;
    int member;
} place_t;

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const place_t *)a)->key, ((const place_t *)b)->key);
}

/* The members by their keys, which have one spelling each. */
static int *sort_members(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    apr_size_t count = (apr_size_t)(unsigned)group->count;
    place_t *places = apr_palloc(merge->sets.set_pool, count * sizeof(*places));
    int *sorted = apr_palloc(merge->sets.set_pool, count * sizeof(*sorted));
    int are_sorted = 1;
    int m;

    for (m = 0; m < group->count; m++) {
        places[m].member = group->members[m];
        places[m].key = merge->items[group->members[m]].key;
        are_sorted = are_sorted && (!m || compare_keys(&places[m - 1], &places[m]) <= 0);
    }
    if (!are_sorted) {
        qsort(places, count, sizeof(*places), compare_keys);
    }
    for (m = 0; m < group->count; m++) {
        sorted[m] = places[m].member;
    }
    return sorted;
}

/*
 * 1 if the order of the server's index is known here. It is the one of the letters for UUIDs, which
 * are spelt as the server writes them. Then the server need not sort, and its result need not say
 * whose each row is.
 */
static int can_sort(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    return group->kind == BATCH_ITEM_KEY && merge->run.key->kind == BATCH_PGSQL_UUID;
}

/* Row and member of the same number belong together. 0: a row has another key than its member. */
static int decide_in_order(batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group,
                           const PGresult *result)
{
    int tells = merge->sets.rows->scope->tell_keys;
    int m;

    for (m = 0; m < group->count; m++) {
        int i = group->members[m];

        if (tells && strcmp(PQgetvalue(result, m, 1), merge->items[i].key)) {
            return 0;
        }
        merge->outcomes[i].result =
            *PQgetvalue(result, m, 0) == 't' ? BATCH_ROW_CREATED : BATCH_ROW_APPLIED;
        merge->outcomes[i].message = NULL;
        merge->decided[i] = 1;
    }
    return 1;
}

/* ---- The offer ---------------------------------------------------------------------------------
 */

/* What its result says of the members. 0: it leaves one open. */
static int take_result(batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group, int ordered,
                       const PGresult *result)
{
    if (PQntuples(result) != group->count) {
        return 0;
    }
    if (ordered) {
        return decide_in_order(merge, group, result);
    }
    if (has_strayed(merge, group, result)) {
        return 0;
    }
    decide_all(merge, group, result);
    return 1;
}

batch_failure_e batch_pgsql_offer(batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    batch_pgsql_group_t offered = *group;
    int ordered = can_sort(merge, group);
    PGresult *result = NULL;
    batch_failure_e failure;

    if (ordered) {
        offered.members = sort_members(merge, group);
    }
    failure = batch_pgsql_offer_queue(merge, &offered, ordered);
    merge->last = group;
    merge->offered = 1;
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(merge->run.connection, &result);
    }
    if (failure == BATCH_FAILURE_NONE && !take_result(merge, &offered, ordered, result)) {
        merge->left_out = 1;
        failure = BATCH_FAILURE_REFUSED;
    }
    return failure;
}

int batch_pgsql_offer_in_vain(batch_pgsql_merge_t *merge)
{
    if (!merge->offered) {
        return 0;
    }
    if (!merge->left_out &&
        (batch_pgsql_run_is_old(&merge->run) || batch_pgsql_run_failed_by(&merge->run, "57"))) {
        return 0; /* the table may be another now, and is looked at first; or it took too long */
    }
    merge->run.rules->offer_failed = batch_ticks();
    return 1;
}

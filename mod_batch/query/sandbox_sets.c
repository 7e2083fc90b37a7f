/*
 * Members among those of a SELECT, where it matters whether they are not: members of other types
 * are neither equal nor unequal. The SELECT's are kept in order, so that each is looked up.
 */
#include "query/sandbox.h"

#include <stdlib.h>

#define FIRST_MOST 64

/** The values of one SELECT. */
struct batch_sandbox_set {
    sqlite3_value **values; /* at the end in order; without NULL */
    int count;
    int most;
    int nulls;
    int types[3]; /* how many are numbers, texts, booleans */
};

static int type_of(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_TEXT ? 1 : value->kind == BATCH_QUERY_BOOLEAN ? 2 : 0;
}

static batch_query_value_t member(sqlite3_value *value)
{
    return batch_sandbox_value(value, BATCH_QUERY_MEMBER);
}

static void free_set(batch_sandbox_set_t *set)
{
    int i;

    for (i = 0; set && i < set->count; i++) {
        sqlite3_value_free(set->values[i]);
    }
    if (set) {
        sqlite3_free(set->values);
        sqlite3_free(set);
    }
}

void batch_sandbox_free_sets(batch_sandbox_calls_t *calls)
{
    int i;

    for (i = 0; i < BATCH_COMPILE_SELECTS; i++) {
        free_set(calls->sets[i]);
        calls->sets[i] = NULL;
    }
}

/* ---- members(K, value): an aggregate --------------------------------------------------------- */

/* Returns 0: no memory. */
static int add(batch_sandbox_set_t *set, sqlite3_value *value)
{
    batch_query_value_t added = member(value);
    sqlite3_value **grown;

    if (added.kind == BATCH_QUERY_NULL) {
        set->nulls++;
        return 1;
    }
    if (set->count == set->most) {
        int most = set->most ? 2 * set->most : FIRST_MOST;

        grown = sqlite3_realloc64(set->values, (sqlite3_uint64)most * sizeof(*grown));
        if (!grown) {
            return 0;
        }
        set->values = grown;
        set->most = most;
    }
    set->values[set->count] = sqlite3_value_dup(value);
    if (!set->values[set->count]) {
        return 0;
    }
    set->count++;
    set->types[type_of(&added)]++;
    return 1;
}

/* What an aggregate's context keeps. */
typedef struct gathering {
    batch_sandbox_set_t *set;
    int number;
} gathering_t;

static void gather(sqlite3_context *context, int count, sqlite3_value **values)
{
    gathering_t *gathering = sqlite3_aggregate_context(context, sizeof(*gathering));

    (void)count;
    if (gathering && !gathering->set) {
        gathering->number = sqlite3_value_int(values[0]);
        gathering->set = sqlite3_malloc(sizeof(*gathering->set));
        if (gathering->set) {
            *gathering->set = (batch_sandbox_set_t){.values = NULL};
        }
    }
    if (!gathering || !gathering->set || !add(gathering->set, values[1])) {
        sqlite3_result_error_nomem(context);
    }
}

static int compare(const void *a, const void *b)
{
    batch_query_value_t left = member(*(sqlite3_value *const *)a);
    batch_query_value_t right = member(*(sqlite3_value *const *)b);

    return batch_query_order(&left, &right);
}

/* Leaves the set for among(K, …); NULL of no rows. */
static void gathered(sqlite3_context *context)
{
    batch_sandbox_calls_t *calls = sqlite3_user_data(context);
    gathering_t *gathering = sqlite3_aggregate_context(context, 0);

    if (!gathering || !gathering->set) {
        return;
    }
    if (gathering->number < 0 || gathering->number >= BATCH_COMPILE_SELECTS) {
        free_set(gathering->set);
        sqlite3_result_error(context, "no such set", -1);
    } else {
        if (gathering->set->count) {
            qsort(gathering->set->values, (size_t)gathering->set->count, sizeof(sqlite3_value *),
                  compare);
        }
        free_set(calls->sets[gathering->number]);
        calls->sets[gathering->number] = gathering->set;
        sqlite3_result_int(context, 1);
    }
    gathering->set = NULL;
}

/* ---- among(K, member, members(K, …)) --------------------------------------------------------- */

static int is_in(const batch_sandbox_set_t *set, const batch_query_value_t *wanted)
{
    int low = 0, high = set->count;

    while (low < high) {
        int middle = low + (high - low) / 2, order;
        batch_query_value_t value = member(set->values[middle]);

        order = batch_query_order(wanted, &value);
        if (!order) {
            return 1;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return 0;
}

static void among(sqlite3_context *context, int count, sqlite3_value **values)
{
    batch_sandbox_calls_t *calls = sqlite3_user_data(context);
    int number = sqlite3_value_int(values[0]);
    const batch_sandbox_set_t *set;
    batch_query_value_t wanted = member(values[1]);

    (void)count;
    if (sqlite3_value_type(values[2]) == SQLITE_NULL) {
        sqlite3_result_int(context, 0); /* nothing is among nothing */
        return;
    }
    set = number >= 0 && number < BATCH_COMPILE_SELECTS ? calls->sets[number] : NULL;
    if (!set) {
        sqlite3_result_error(context, "no such set", -1);
    } else if (wanted.kind != BATCH_QUERY_NULL && is_in(set, &wanted)) {
        sqlite3_result_int(context, 1);
    } else if (wanted.kind == BATCH_QUERY_NULL || set->nulls ||
               set->types[type_of(&wanted)] < set->count) {
        sqlite3_result_null(context); /* it may be one of those that are not known */
    } else {
        sqlite3_result_int(context, 0);
    }
}

int batch_sandbox_set_functions(sqlite3 *database, batch_sandbox_calls_t *calls)
{
    int code = sqlite3_create_function_v2(database, "members", 2, SQLITE_UTF8, calls, NULL, gather,
                                          gathered, NULL);

    return code == SQLITE_OK ? sqlite3_create_function_v2(database, "among", 3, SQLITE_UTF8, calls,
                                                          among, NULL, NULL, NULL)
                             : code;
}

#include "store/sets.h"

#include <string.h>

#include "store/connection.h"

/* A set is at most that many times larger than the one before. */
#define GROWTH 16

/* Items that say how large others are. */
#define SAMPLE 16

/* What a set takes for its rows is so many times what it takes whatever its size, at least. */
#define PARTS 6

/* For so long at most a set may take as the transaction has taken before it. */
#define OVERHEAD_MOST apr_time_from_msec(500)

/* ---- Refusals ----------------------------------------------------------------------------------
 */

static void refuse_next(batch_sets_t *sets, int count, const batch_set_refusal_t *refusal)
{
    batch_rows_refuse(sets->rows->outcomes + sets->position, count, refusal->message,
                      refusal->kind);
    sets->position += count;
    sets->suspect = 0;
}

/* The next item alone was refused. */
static batch_failure_e refuse_one(batch_sets_t *sets, const batch_set_refusal_t *refusal)
{
    batch_row_outcome_t *outcome = &sets->rows->outcomes[sets->position];
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int is_none = 0;

    if (refusal->wrong_value && sets->how->excuse) {
        failure = sets->how->excuse(sets, &is_none);
    }
    refuse_next(sets, 1, refusal);
    if (is_none) {
        outcome->result = BATCH_ROW_NOT_FOUND;
        outcome->message = NULL;
    }
    return failure;
}

/* The next count items were refused as a set: half of them are next. */
static void halve(batch_sets_t *sets, int count)
{
    if (!sets->suspect) {
        sets->most = count / 4 > 0 ? count / 4 : 1; /* where there is one there may be more */
    }
    sets->suspect = count;
}

/* The next count items were refused, but not for what one of them is: the set was too large. */
static void take_apart(batch_sets_t *sets, int count)
{
    static const batch_set_refusal_t unknown = {
        .message = "the database does not say what became of the row", .kind = BATCH_REFUSAL_FINAL};

    sets->again = 0;
    if (count > 1) {
        halve(sets, count);
    } else {
        refuse_next(sets, 1, &unknown);
    }
}

/* The next count items were refused as a set. */
static batch_failure_e refused(batch_sets_t *sets, int count)
{
    batch_set_refusal_t refusal = {0};
    batch_failure_e failure;

    sets->how->judge(sets, &refusal);
    if (!sets->again && refusal.misfit) {
        return BATCH_FAILURE_STATEMENT;
    }
    failure = sets->how->undo(sets);
    if (failure == BATCH_FAILURE_NONE && sets->again) {
        take_apart(sets, count);
        return BATCH_FAILURE_NONE;
    }
    if (failure == BATCH_FAILURE_NONE && refusal.wrong_value && sets->alike && sets->how->probe) {
        failure = sets->how->probe(sets, &refusal.for_all);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    if (refusal.for_all && sets->alike) {
        refusal.kind = batch_refusal_is_final(refusal.kind) ? refusal.kind : BATCH_REFUSAL_FINAL;
        refuse_next(sets, sets->alike, &refusal);
    } else if (refusal.too_long && count > 1) {
        sets->most = count / 64 > 0 ? count / 64 : 1;
    } else if (count > 1) {
        halve(sets, count);
    } else {
        failure = refuse_one(sets, &refusal);
    }
    return failure;
}

/* ---- Sizes -------------------------------------------------------------------------------------
 */

/*
 * What the transaction has taken before its first set, such as round trips to a distant server: one
 * that takes as long is worth it, though the deadline has passed meanwhile. Else a chunk whose time
 * is over before it has begun would have one item, and so would all that follow.
 */
static apr_interval_time_t overhead(const batch_sets_t *sets, apr_time_t now)
{
    const batch_tx_t *tx = sets->tx;
    apr_interval_time_t spent =
        tx->is_tried || sets->rows->deadline <= tx->begun_at ? 0 : now - tx->begun_at;

    return spent < OVERHEAD_MOST ? spent : OVERHEAD_MOST;
}

/*
 * Are the items that are left expected to be done in twice the time that there was for all? Then
 * they are not left to a transaction of their own. The first rows take longer than those that
 * follow, since they are the first on their pages: mostly it ends sooner than that.
 */
static int can_finish(const batch_sets_t *sets, apr_time_t now)
{
    const batch_pace_t *pace = sets->pace;
    int rest = sets->rows->count - sets->position;
    double each;

    if (!sets->last || rest / GROWTH > sets->last || rest > sets->most || sets->suspect ||
        now >= sets->rows->deadline) {
        return 0;
    }
    each = (pace->took - pace->fixed) / (double)pace->rows;
    /* The deadline may be APR_INT64_MAX: there is none. */
    return pace->fixed + each * (double)rest <=
           (double)(sets->rows->deadline - sets->begun) + (double)(sets->rows->deadline - now);
}

/* Bytes of an item, going by the next ones. */
static double bytes_each(const batch_sets_t *sets)
{
    const batch_item_t *items = sets->rows->items + sets->position;
    int rest = sets->rows->count - sets->position;
    int count = rest < SAMPLE ? rest : SAMPLE;
    apr_size_t bytes = 0;
    int i, v;

    for (i = 0; i < count; i++) {
        bytes += items[i].key_length;
        for (v = 0; v < items[i].value_count; v++) {
            bytes += items[i].values[v].value ? strlen(items[i].values[v].value) : 0;
        }
    }
    return count && bytes ? (double)bytes / count : 1;
}

/*
 * So many items at most. A set of few bytes stays in the caches of both sides, and in memory that
 * they have at hand. It is larger where that keeps its fixed time (a round trip) small.
 */
static double most_of_pack(const batch_sets_t *sets)
{
    const batch_pace_t *pace = sets->pace;
    double fixed = pace->fixed < pace->least ? pace->fixed : pace->least;
    double least = pace->rows ? PARTS * fixed * pace->rows / (pace->took - pace->fixed) : 0;
    double most;

    if (!sets->pack) {
        return APR_INT32_MAX;
    }
    most = (double)sets->pack / bytes_each(sets);
    most = most > least ? most : least;
    return most < 1 ? 1 : most < APR_INT32_MAX ? most : APR_INT32_MAX;
}

static int next_size(const batch_sets_t *sets)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t in_time = sets->rows->deadline - now;
    apr_interval_time_t worth = overhead(sets, now);
    apr_interval_time_t left = in_time > worth ? in_time : worth;
    double most = most_of_pack(sets);
    double size = batch_pace_size(sets->pace, (double)left, most);
    int rest = sets->rows->count - sets->position;

    if (sets->suspect) {
        return sets->suspect > 1 ? sets->suspect / 2 : 1;
    }
    if (can_finish(sets, now)) {
        return rest < most ? rest : (int)most;
    }
    if (sets->last && size > (double)sets->last * GROWTH) {
        size = (double)sets->last * GROWTH;
    }
    if (size > sets->most) {
        size = sets->most;
    }
    if (left <= 0 || size < 1) {
        return 1;
    }
    return size < rest ? (int)size : rest;
}

static void succeeded(batch_sets_t *sets, int count)
{
    sets->position += count;
    if (sets->suspect) {
        sets->suspect = sets->suspect > count ? sets->suspect - count : 0;
    } else if (count == sets->most && sets->most < APR_INT32_MAX / 2) {
        sets->most *= 2;
    }
}

/* 1 if a set of the size that is best is expected to be in time. */
static int has_time_for_pack(const batch_sets_t *sets, apr_time_t now)
{
    double most = most_of_pack(sets);

    return sets->pack &&
           batch_pace_size(sets->pace, (double)(sets->rows->deadline - now), most) >= most;
}

/* A last small set is not worth its round trip. */
static int is_enough(const batch_sets_t *sets)
{
    apr_time_t now = apr_time_now();

    return sets->position > 0 &&
           (now >= sets->rows->deadline ||
            (!sets->suspect && now - sets->begun > (sets->rows->deadline - sets->begun) / 2 &&
             !can_finish(sets, now) && !has_time_for_pack(sets, now)));
}

/* ---- All sets ----------------------------------------------------------------------------------
 */

/* 1 if a set was refused that may do with the table as it is now: it may be another one. */
static int is_outdated(const batch_sets_t *sets)
{
    batch_set_refusal_t refusal = {0};

    if (sets->again || !sets->how->is_old(sets)) {
        return 0;
    }
    sets->how->judge(sets, &refusal);
    return !refusal.too_long;
}

/*
 * Applies a set. Where it is refused, the first time in a transaction, that may be because the
 * table has been changed or made anew: then it is looked at again.
 */
static batch_failure_e apply_set(batch_sets_t *sets, int count)
{
    apr_time_t begun = apr_time_now();
    batch_failure_e failure;

    apr_pool_clear(sets->set_pool);
    sets->asked = 0;
    failure = sets->how->apply(sets, count);
    if (failure == BATCH_FAILURE_REFUSED && is_outdated(sets)) {
        failure = sets->how->undo(sets);
        if (failure == BATCH_FAILURE_NONE) {
            failure = sets->how->build(sets, 1);
        }
        if (failure == BATCH_FAILURE_NONE) {
            apr_pool_clear(sets->set_pool);
            failure = sets->how->apply(sets, count);
        }
    }
    if (failure == BATCH_FAILURE_NONE && sets->asked) {
        batch_pace_note(sets->pace, count, apr_time_now() - begun);
        sets->last = count;
    }
    return failure;
}

apr_status_t batch_sets_apply(batch_sets_t *sets)
{
    batch_failure_e failure;

    BATCH_CHECK(sets, BATCH_SETS_MAGIC);
    sets->begun = apr_time_now();
    sets->most = APR_INT32_MAX;
    sets->rows->done = 0;
    if (apr_pool_create(&sets->set_pool, sets->rows->p) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    failure = sets->how->build(sets, 0);
    while (failure == BATCH_FAILURE_NONE && sets->position < sets->rows->count &&
           !is_enough(sets)) {
        int size = next_size(sets);

        failure = apply_set(sets, size);
        if (failure == BATCH_FAILURE_NONE) {
            succeeded(sets, size);
            sets->tx->is_tried = 1;
        } else if (failure == BATCH_FAILURE_REFUSED) {
            failure = refused(sets, size);
        }
    }
    sets->rows->done = sets->position;
    apr_pool_destroy(sets->set_pool);
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(sets->tx, failure, "rows");
}

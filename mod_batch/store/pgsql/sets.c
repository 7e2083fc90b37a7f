#include "store/pgsql/sets.h"

#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/failures.h"

/* Items of the first set of a kind of statement, while nothing is known of its speed. */
#define FIRST_SET 16

/* A set is at most that many times larger than the one before. */
#define GROWTH 16

/* What was measured is not relied on after that time: a trigger may have been added. */
#define FORGET apr_time_from_sec(5)

/* So much of a set's time at most is taken for independent of its size. */
#define MOST_FIXED 0.8

/*
 * A set of several rows that takes so much longer than it should is stopped, and smaller ones are
 * tried; beyond what one may wait for a lock. A single row may take as long as the session allows.
 */
#define SET_TIMEOUT(patience) (apr_time_as_msec(patience) + 2000)

/* ---- Savepoints --------------------------------------------------------------------------------
 */

/* Lets the next statements take that many milliseconds. */
static batch_failure_e set_timeout(const batch_pgsql_sets_t *sets, apr_int64_t timeout)
{
    char sql[64];

    apr_snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %" APR_INT64_T_FMT, timeout);
    return batch_pgsql_run_text(&sets->run, sql);
}

/* Has the timeout of a set been set? It is undone with the savepoint, or by take_time. */
static int has_timeout(const batch_pgsql_sets_t *sets, int count)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(sets->run.connection);

    return count > 1 &&
           (!state->timeout || state->timeout > SET_TIMEOUT(sets->run.connection->patience));
}

batch_failure_e batch_pgsql_sets_begin(const batch_pgsql_sets_t *sets, int count)
{
    batch_failure_e failure = batch_pgsql_run_save(&sets->run);

    return failure == BATCH_FAILURE_NONE && has_timeout(sets, count)
               ? set_timeout(sets, SET_TIMEOUT(sets->run.connection->patience))
               : failure;
}

batch_failure_e batch_pgsql_sets_take_time(const batch_pgsql_sets_t *sets, int count)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(sets->run.connection);

    return has_timeout(sets, count) ? set_timeout(sets, state->timeout) : BATCH_FAILURE_NONE;
}

batch_failure_e batch_pgsql_sets_end(const batch_pgsql_sets_t *sets, int count)
{
    batch_failure_e failure = batch_pgsql_run_release(&sets->run);

    return failure == BATCH_FAILURE_NONE ? batch_pgsql_sets_take_time(sets, count) : failure;
}

/* ---- Failures ---------------------------------------------------------------------------------
 */

static int took_too_long(const batch_pgsql_sets_t *sets)
{
    return batch_pgsql_run_failed_by(&sets->run, "57");
}

batch_failure_e batch_pgsql_sets_try(const batch_pgsql_sets_t *sets, int *refused,
                                     batch_pgsql_statement_t *statement,
                                     const char *const *parameters)
{
    batch_failure_e failure = batch_pgsql_sets_begin(sets, 1);

    if (failure == BATCH_FAILURE_NONE) {
        failure =
            batch_pgsql_ask(sets->run.connection, NULL, statement, parameters, BATCH_PGSQL_ROWS);
    }
    *refused = failure == BATCH_FAILURE_REFUSED;
    return failure == BATCH_FAILURE_NONE || *refused ? batch_pgsql_run_undo(&sets->run) : failure;
}

batch_failure_e batch_pgsql_sets_judge_key(const batch_pgsql_sets_t *sets, int *is_none,
                                           const batch_item_t *item)
{
    const Oid types[] = {sets->run.key->type};
    const char *values[] = {item->key};

    return batch_pgsql_sets_try(
        sets, is_none, batch_pgsql_statement(sets->run.connection, "SELECT $1 IS NULL", types, 1),
        values);
}

static void refuse_next(batch_pgsql_sets_t *sets, int count, const char *words,
                        batch_refusal_e refusal)
{
    batch_rows_refuse(sets->rows->outcomes + sets->position, count, words, refusal);
    sets->position += count;
    sets->suspect = 0;
}

/* The next item alone was refused. */
static batch_failure_e refuse_one(batch_pgsql_sets_t *sets, const char *words,
                                  batch_refusal_e refusal, int wrong_value)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int is_none = 0;

    if (wrong_value && sets->excuse) {
        failure = sets->excuse(sets, &is_none);
    }
    refuse_next(sets, 1, words, refusal);
    if (is_none) {
        sets->rows->outcomes[sets->position - 1].result = BATCH_ROW_NOT_FOUND;
        sets->rows->outcomes[sets->position - 1].message = NULL;
    }
    return failure;
}

/* The next count items were refused as a set: half of them are next. */
static void halve(batch_pgsql_sets_t *sets, int count)
{
    if (!sets->suspect) {
        sets->most = count / 4 > 0 ? count / 4 : 1; /* where there is one there may be more */
    }
    sets->suspect = count;
}

/* The next count items were refused as a set. */
static batch_failure_e refused(batch_pgsql_sets_t *sets, int count)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(sets->run.connection);
    const char *words = apr_pstrdup(sets->rows->p, batch_pgsql_words(sets->run.connection));
    batch_refusal_e refusal = batch_pgsql_refusal(sets->run.connection);
    int wrong_value = batch_pgsql_run_failed_by(&sets->run, "22");
    int too_long = took_too_long(sets);
    int for_all = state->refused_making;
    batch_failure_e failure;

    if (!sets->again && batch_pgsql_is_misfit(sets->run.connection)) {
        return BATCH_FAILURE_STATEMENT;
    }
    failure = batch_pgsql_run_undo(&sets->run);
    if (failure == BATCH_FAILURE_NONE && sets->again) {
        sets->again = 0;
        if (count > 1) {
            halve(sets, count);
        } else {
            refuse_next(sets, 1, "the database does not say what became of the row",
                        BATCH_REFUSAL_FINAL);
        }
        return BATCH_FAILURE_NONE;
    }
    if (failure == BATCH_FAILURE_NONE && wrong_value && sets->alike && sets->probe) {
        failure = sets->probe(sets, &for_all);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    if (for_all && sets->alike) {
        refuse_next(sets, sets->alike, words,
                    batch_refusal_is_final(refusal) ? refusal : BATCH_REFUSAL_FINAL);
    } else if (too_long && count > 1) {
        sets->most = count / 64 > 0 ? count / 64 : 1;
    } else if (count > 1) {
        halve(sets, count);
    } else {
        failure = refuse_one(sets, words, refusal, wrong_value);
    }
    return failure;
}

/* ---- Sizes -------------------------------------------------------------------------------------
 */

/*
 * Notes what a set took: so much a row, and so much (a round trip, the making of a plan) whatever
 * its size, which two sets of quite different sizes tell apart.
 */
static void measure(batch_pgsql_sets_t *sets, int count, apr_interval_time_t took)
{
    batch_pgsql_pace_t *pace = sets->pace;
    double time = (double)(took > 0 ? took : 1);
    double most = MOST_FIXED * (time < pace->took ? time : pace->took);
    apr_time_t now = batch_pgsql_ticks();

    if (pace->rows && (count >= 2 * pace->rows || 2 * count <= pace->rows)) {
        double each = (time - pace->took) / (double)(count - pace->rows);

        pace->fixed = time - each * (double)count;
        pace->fixed = pace->fixed > 0 ? pace->fixed : 0;
        pace->told_apart_at = now;
    } else {
        most = MOST_FIXED * time;
    }
    if (pace->fixed > most) {
        pace->fixed = most; /* one of them had to wait, or was lucky */
    }
    pace->rows = count;
    pace->took = time;
    pace->measured_at = now;
    sets->last = count;
}

/* How many rows are expected to be managed in that time. */
static double size_for(const batch_pgsql_pace_t *pace, double left)
{
    apr_time_t now = batch_pgsql_ticks();
    double size;

    if (!pace->rows || now - pace->measured_at >= FORGET) {
        return FIRST_SET;
    }
    left -= pace->fixed;
    if (left < pace->fixed) {
        left = pace->fixed; /* it cannot be in time, but it can be worth its round trip */
    }
    size = left * (double)pace->rows / (pace->took - pace->fixed);
    if (size < 2.0 * (double)pace->rows && now - pace->told_apart_at >= FORGET) {
        size = 2.0 * (double)pace->rows; /* to see what goes with the rows */
    }
    return size;
}

/*
 * Are the items that are left expected to be done in twice the time that there was for all? Then
 * they are not left to a transaction of their own. The first rows take longer than those that
 * follow, since they are the first on their pages: mostly it ends sooner than that.
 */
static int can_finish(const batch_pgsql_sets_t *sets, apr_time_t now)
{
    const batch_pgsql_pace_t *pace = sets->pace;
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

static int next_size(const batch_pgsql_sets_t *sets)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t left = sets->rows->deadline - now;
    double size = size_for(sets->pace, (double)left);
    int rest = sets->rows->count - sets->position;

    if (sets->suspect) {
        return sets->suspect > 1 ? sets->suspect / 2 : 1;
    }
    if (can_finish(sets, now)) {
        return rest;
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

static void succeeded(batch_pgsql_sets_t *sets, int count)
{
    sets->position += count;
    if (sets->suspect) {
        sets->suspect = sets->suspect > count ? sets->suspect - count : 0;
    } else if (count == sets->most && sets->most < APR_INT32_MAX / 2) {
        sets->most *= 2;
    }
}

/* A last small set is not worth its round trip. */
static int is_enough(const batch_pgsql_sets_t *sets)
{
    apr_time_t now = apr_time_now();

    return sets->position > 0 &&
           (now >= sets->rows->deadline ||
            (!sets->suspect && now - sets->begun > (sets->rows->deadline - sets->begun) / 2 &&
             !can_finish(sets, now)));
}

/* ---- All sets ----------------------------------------------------------------------------------
 */

/*
 * Runs a set. Where it is refused, the first time in a transaction, that may be because the table
 * has been changed or made anew: then it is looked at again.
 */
static batch_failure_e run_set(batch_pgsql_sets_t *sets, int count)
{
    apr_time_t begun = apr_time_now();
    batch_failure_e failure;

    apr_pool_clear(sets->set_pool);
    sets->asked = 0;
    failure = sets->apply(sets, count);
    if (failure == BATCH_FAILURE_REFUSED && !sets->again && batch_pgsql_run_is_old(&sets->run) &&
        !took_too_long(sets)) {
        failure = batch_pgsql_run_undo(&sets->run);
        if (failure == BATCH_FAILURE_NONE) {
            failure = sets->build(sets, 1);
        }
        if (failure == BATCH_FAILURE_NONE) {
            apr_pool_clear(sets->set_pool);
            failure = sets->apply(sets, count);
        }
    }
    if (failure == BATCH_FAILURE_NONE && sets->asked) {
        measure(sets, count, apr_time_now() - begun);
    }
    return failure;
}

apr_status_t batch_pgsql_sets_apply(batch_pgsql_sets_t *sets)
{
    batch_failure_e failure;

    sets->begun = apr_time_now();
    sets->most = APR_INT32_MAX;
    sets->rows->done = 0;
    if (apr_pool_create(&sets->set_pool, sets->rows->p) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    failure = sets->build(sets, 0);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_run_text(&sets->run, sets->settings);
    }
    while (failure == BATCH_FAILURE_NONE && sets->position < sets->rows->count &&
           !is_enough(sets)) {
        int size = next_size(sets);

        failure = run_set(sets, size);
        if (failure == BATCH_FAILURE_NONE) {
            succeeded(sets, size);
        } else if (failure == BATCH_FAILURE_REFUSED) {
            failure = refused(sets, size);
        }
    }
    sets->rows->done = sets->position;
    apr_pool_destroy(sets->set_pool);
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(sets->tx, failure, "rows");
}

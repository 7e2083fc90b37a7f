/*
 * PostgreSQL: merges. The items of a set are put into groups by what finds their rows and by the
 * columns that they have; a group is one statement. What meets an obstacle there (a row that
 * somebody else has just made, another item for the same row, a unique index, a trigger that leaves
 * a row out) is left over: it is tried once more as a group, and then item by item, where the
 * server says what the obstacle is.
 */
#include "store/pgsql/merge.h"

#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/failures.h"
#include "text/moments.h"
#include "text/check.h"

/*
 * The rows of items are to be fetched one by one through an index, however small the table is when
 * the plan is made: it grows, and the plan stays. Without an index that costs so much in the
 * planner's eyes that it would compile the statement.
 */
#define SETTINGS                                                                                   \
    "SELECT set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', "     \
    "true),"                                                                                       \
    " set_config('jit', 'off', true), set_config('enable_hashjoin', "

/* Bytes of a set: the server has 128 KiB and more of memory given back, and gets it back, page by
 * page. */
#define PACK ((apr_size_t)256 * 1024)

static const char settings_indexed[] = SETTINGS "'off', true)";
static const char settings_unindexed[] = SETTINGS "'on', true)";

static batch_pgsql_merge_t *merge_of(batch_sets_t *sets)
{
    return BATCH_CAST(batch_pgsql_merge_t, (void *)sets, BATCH_PGSQL_MERGE_MAGIC);
}

static batch_failure_e build(batch_sets_t *sets, int fresh)
{
    batch_pgsql_merge_t *merge = merge_of(sets);
    int matches = batch_match_count(merge->run.plan.resource);
    batch_failure_e failure = batch_pgsql_run_read(&merge->run, fresh);

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_run_rules(&merge->run);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    sets->pace = &merge->run.rules->pace;
    sets->pack = PACK;
    merge->hopeless = !batch_pgsql_run_is_possible(&merge->run);
    merge->plain = merge->run.rules->before_insert;
    return fresh ? BATCH_FAILURE_NONE
                 : batch_pgsql_run_text(&merge->run, merge->run.rules->match_indexed || !matches
                                                         ? settings_indexed
                                                         : settings_unindexed);
}

/* ---- Items -------------------------------------------------------------------------------------
 */

/* Notes an outcome of the set's item i. */
static void decide(batch_pgsql_merge_t *merge, int i, batch_row_result_e result,
                   const char *message)
{
    merge->outcomes[i].result = result;
    merge->outcomes[i].message = message;
    merge->outcomes[i].refusal = BATCH_REFUSAL_FINAL;
    merge->decided[i] = 1;
}

/* What the server need not be asked about. *unfound: there was one that no row can have as key. */
static void decide_alone(batch_pgsql_merge_t *merge, int i, int *unfound)
{
    batch_row_plan_t *plan = &merge->run.plan;
    const batch_item_t *item = &merge->items[i];

    batch_row_plan_take(plan, item);
    if (plan->wrong) {
        decide(merge, i, BATCH_ROW_REFUSED, plan->wrong);
    } else if (!batch_kind_makes_rows(plan->resource, item->kind) &&
               (merge->hopeless || !batch_pgsql_fits(merge->run.key, item->key))) {
        decide(merge, i, BATCH_ROW_NOT_FOUND, NULL);
        *unfound = 1;
    }
}

/* ---- Statements --------------------------------------------------------------------------------
 */

/* Notes that item i was applied to the row with that key, perhaps before an earlier item. */
static void note_row(batch_pgsql_merge_t *merge, const char *key, int i)
{
    int *before = apr_hash_get(merge->rows, key, APR_HASH_KEY_STRING);

    if (!before) {
        before = apr_palloc(merge->sets.set_pool, sizeof(*before));
        apr_hash_set(merge->rows, apr_pstrdup(merge->sets.set_pool, key), APR_HASH_KEY_STRING,
                     before);
        *before = i;
    }
    if (*before > i) {
        merge->disordered = 1;
    }
    *before = i;
}

/* What the result of a statement has said of its members besides their outcomes. */
typedef struct findings {
    apr_int64_t made;
    int named;                 /* of them, by their members */
    apr_array_header_t *keys;  /* of const char *: of those that were made, where they are listed */
    apr_array_header_t *order; /* of int: the items of these, where the database makes keys */
    char *there;               /* by member: its row is there, though nothing became of the item */
} findings_t;

static void read_row(batch_pgsql_merge_t *merge, findings_t *findings, const int *members,
                     const PGresult *result, int row)
{
    apr_int64_t number = apr_atoi64(PQgetvalue(result, row, 0));
    char sign = *PQgetvalue(result, row, 1);
    int i;

    if (sign == '#') {
        findings->made = number;
        return;
    }
    if (sign == 'K') {
        APR_ARRAY_PUSH(findings->keys, const char *) = PQgetvalue(result, row, 2);
        return;
    }
    i = members[number - 1];
    if (sign == 'N') {
        APR_ARRAY_PUSH(findings->order, int) = i;
        return;
    }
    if (sign == 'A') {
        decide(merge, i, BATCH_ROW_APPLIED, NULL);
    } else if (sign == 'C') {
        findings->named++;
        decide(merge, i, BATCH_ROW_CREATED, NULL);
    } else if (sign == 'M' && merge->group_of[i]->kind == BATCH_ITEM_MATCH) {
        decide(merge, i, BATCH_ROW_AMBIGUOUS, NULL);
    } else {
        findings->there[number - 1] = 1;
    }
    if (!PQgetisnull(result, row, 2)) {
        batch_pgsql_tell(merge, i, PQgetvalue(result, row, 2));
        note_row(merge, PQgetvalue(result, row, 2), i);
    }
}

/* Who the rows were made for that nobody was named for. 0: it cannot be told. */
static int name_rest(batch_pgsql_merge_t *merge, const findings_t *findings, const int *members,
                     int count)
{
    int open = 0;
    int m;

    for (m = 0; m < count; m++) {
        open += !merge->decided[members[m]] && !findings->there[m];
    }
    if (findings->made == findings->named) {
        return 1;
    }
    if (findings->made != findings->named + open) {
        return 0;
    }
    for (m = 0; m < count; m++) {
        if (!merge->decided[members[m]] && !findings->there[m]) {
            decide(merge, members[m], BATCH_ROW_CREATED, NULL);
        }
    }
    return 1;
}

/* Runs the statement of count members of a group. */
static batch_failure_e run_statement(batch_pgsql_merge_t *merge, findings_t *findings,
                                     const batch_pgsql_group_t *group, const int *members,
                                     int count, batch_pgsql_care_e care)
{
    batch_sets_t *sets = &merge->sets;
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_merge_queue(merge, group, members, count, care);
    int row;

    merge->last = group;
    memset(findings, 0, sizeof(*findings));
    findings->there = apr_pcalloc(sets->set_pool, (apr_size_t)(unsigned)count);
    findings->keys = apr_array_make(sets->set_pool, 4, sizeof(const char *));
    findings->order = apr_array_make(sets->set_pool, 4, sizeof(int));
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(merge->run.connection, &result);
    }
    for (row = 0; failure == BATCH_FAILURE_NONE && row < PQntuples(result); row++) {
        read_row(merge, findings, members, result, row);
    }
    if (failure == BATCH_FAILURE_NONE && !name_rest(merge, findings, members, count)) {
        sets->again = 1;
        return BATCH_FAILURE_REFUSED;
    }
    if (failure == BATCH_FAILURE_NONE && findings->order->nelts == findings->keys->nelts) {
        batch_pgsql_tell_database_keys(merge, findings->order, findings->keys);
    } else if (failure == BATCH_FAILURE_NONE && findings->keys->nelts) {
        batch_pgsql_tell_made(merge, members, count, findings->keys);
    }
    return failure;
}

/* ---- A group -----------------------------------------------------------------------------------
 */

static int keep_open(const batch_pgsql_merge_t *merge, int *open, const int *members, int count)
{
    int left = 0;
    int m;

    for (m = 0; m < count; m++) {
        if (!merge->decided[members[m]]) {
            open[left++] = members[m];
        }
    }
    return left;
}

/* Applies a group. Its members that are not decided after that are left over. */
static batch_failure_e run_group(batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    const batch_resource_t *resource = merge->run.plan.resource;
    int *open =
        apr_palloc(merge->sets.set_pool, (apr_size_t)(unsigned)(group->count + 1) * sizeof(*open));
    findings_t findings;
    batch_failure_e failure =
        run_statement(merge, &findings, group, group->members, group->count, BATCH_PGSQL_QUICK);
    int left = keep_open(merge, open, group->members, group->count);
    int m;

    if (failure != BATCH_FAILURE_NONE || !left || group->kind == BATCH_ITEM_NEW) {
        return failure;
    }
    failure = run_statement(merge, &findings, group, open, left, BATCH_PGSQL_CAREFUL);
    for (m = 0; failure == BATCH_FAILURE_NONE && m < left; m++) {
        if (!merge->decided[open[m]] && !findings.there[m] &&
            !batch_kind_makes_rows(resource, group->kind)) {
            decide(merge, open[m], BATCH_ROW_NOT_FOUND, NULL);
        }
    }
    return failure;
}

/* ---- An item -----------------------------------------------------------------------------------
 */

/* Nothing became of the item, and nothing was said against it. */
static void decide_silent(batch_pgsql_merge_t *merge, int i, int is_there)
{
    if (is_there) {
        decide(merge, i, BATCH_ROW_REFUSED, batch_row_unchanged);
    } else if (batch_kind_makes_rows(merge->run.plan.resource, merge->items[i].kind)) {
        decide(merge, i, BATCH_ROW_REFUSED, batch_row_left_out);
    } else {
        decide(merge, i, BATCH_ROW_NOT_FOUND, NULL);
    }
}

/* The item alone was refused, and has been undone. */
static batch_failure_e decide_refused(batch_pgsql_merge_t *merge, int i, const char *message,
                                      batch_refusal_e refusal, int wrong_value)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int is_none = 0;

    if (wrong_value && merge->items[i].kind == BATCH_ITEM_KEY &&
        !batch_kind_makes_rows(merge->run.plan.resource, BATCH_ITEM_KEY) &&
        merge->run.key->kind == BATCH_PGSQL_OTHER) {
        failure = batch_pgsql_run_judge_key(&merge->run, &is_none, merge->items[i].key);
    }
    decide(merge, i, is_none ? BATCH_ROW_NOT_FOUND : BATCH_ROW_REFUSED, is_none ? NULL : message);
    merge->outcomes[i].refusal = refusal;
    return failure;
}

/* Tries item i alone, under a savepoint that is released, or, after a failure, is still there. */
static batch_failure_e try_alone(batch_pgsql_merge_t *merge, int i)
{
    batch_failure_e failure = batch_pgsql_run_begin(&merge->run, 1);
    findings_t findings;

    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_run_guard(&merge->run);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = run_statement(merge, &findings, merge->group_of[i], &i, 1, BATCH_PGSQL_FINAL);
    }
    if (failure == BATCH_FAILURE_NONE && !merge->decided[i] && findings.there[0]) {
        /* Somebody else has just changed it; now nobody does. */
        failure = run_statement(merge, &findings, merge->group_of[i], &i, 1, BATCH_PGSQL_FINAL);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    if (!merge->decided[i]) {
        decide_silent(merge, i, findings.there[0]);
    }
    failure = batch_pgsql_check_told(merge, i, 1);
    if (failure == BATCH_FAILURE_NONE && merge->why) {
        return BATCH_FAILURE_REFUSED;
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_run_end(&merge->run, 1) : failure;
}

/*
 * Applies item i alone, and decides on it; but not if the table has to be looked at again, which
 * leaves the savepoint there unless it is nested in that of a set.
 */
static batch_failure_e run_alone(batch_pgsql_merge_t *merge, int i, int nested)
{
    batch_sets_t *sets = &merge->sets;
    int attempts = merge->items[i].kind == BATCH_ITEM_NEW ? 1 : 2;
    batch_failure_e failure;
    const char *message, *index = NULL;
    batch_refusal_e refusal;
    int wrong_value, met, unsure;

    do {
        merge->why = NULL;
        failure = try_alone(merge, i);
        if (failure != BATCH_FAILURE_REFUSED) {
            return failure;
        }
        unsure = sets->again || batch_pgsql_run_is_old(&merge->run);
        if (unsure && !nested) {
            return failure;
        }
        if (!unsure && !merge->why && batch_pgsql_is_misfit(merge->run.connection)) {
            return BATCH_FAILURE_STATEMENT;
        }
        wrong_value = !merge->why && batch_pgsql_run_failed_by(&merge->run, "22");
        met = !merge->why && !strcmp(batch_pgsql_sqlstate(merge->run.connection), "23505");
        index =
            met ? apr_pstrdup(sets->rows->p, batch_pgsql_constraint(merge->run.connection)) : NULL;
        message = merge->why
                      ? merge->why
                      : apr_pstrdup(sets->rows->p, batch_pgsql_message(merge->run.connection));
        refusal = merge->why ? BATCH_REFUSAL_FINAL : batch_pgsql_refusal(merge->run.connection);
        failure = batch_pgsql_run_undo(&merge->run);
        if (failure == BATCH_FAILURE_NONE && unsure) {
            return BATCH_FAILURE_REFUSED;
        }
        /* Somebody else may have made the row just now: then it is there. */
    } while (failure == BATCH_FAILURE_NONE && met && --attempts);
    if (!merge->why) {
        merge->outcomes[i].key = NULL;
    }
    if (failure == BATCH_FAILURE_NONE && met &&
        batch_kind_makes_rows(merge->run.plan.resource, merge->items[i].kind)) {
        failure = batch_pgsql_doubt(merge, i, index);
        refusal = merge->outcomes[i].unsure ? BATCH_REFUSAL_FINAL : refusal;
    }
    return failure == BATCH_FAILURE_NONE ? decide_refused(merge, i, message, refusal, wrong_value)
                                         : failure;
}

/* ---- A set -------------------------------------------------------------------------------------
 */

/* Prepares for the next count items. Returns how many of them the server has to be asked about. */
static int start_set(batch_pgsql_merge_t *merge, int count, int *unfound)
{
    batch_sets_t *sets = &merge->sets;
    int asked = 0;
    int i;

    merge->items = sets->rows->items + sets->position;
    merge->outcomes = sets->rows->outcomes + sets->position;
    merge->decided = apr_pcalloc(sets->set_pool, (apr_size_t)(unsigned)count);
    merge->group_of =
        apr_pcalloc(sets->set_pool, (apr_size_t)(unsigned)count * sizeof(*merge->group_of));
    merge->groups = apr_array_make(sets->set_pool, 4, sizeof(batch_pgsql_group_t *));
    merge->rows = apr_hash_make(sets->set_pool);
    merge->moves = NULL;
    merge->disordered = 0;
    merge->offered = 0;
    merge->left_out = 0;
    merge->why = NULL;
    for (i = 0; i < count; i++) {
        merge->outcomes[i].key = NULL;
        merge->outcomes[i].unsure = 0;
        decide_alone(merge, i, unfound);
        asked += !merge->decided[i];
    }
    return asked;
}

static const batch_pgsql_group_t *only_group(const batch_pgsql_merge_t *merge)
{
    return APR_ARRAY_IDX(merge->groups, 0, batch_pgsql_group_t *);
}

/* 1 if all items of the set are of one group. */
static int is_uniform(const batch_pgsql_merge_t *merge, int count)
{
    return merge->groups->nelts == 1 && only_group(merge)->count == count;
}

/* Applies all groups of the set. */
static batch_failure_e run_groups(batch_pgsql_merge_t *merge, int count)
{
    batch_failure_e failure = batch_pgsql_merge_find_movers(merge, count);
    int from = 0;
    int next = 0;

    while (failure == BATCH_FAILURE_NONE && from < count) {
        from = batch_pgsql_merge_gather(merge, from, count);
        merge->sets.alike = is_uniform(merge, count) ? count : 0;
        if (merge->sets.alike && batch_pgsql_may_offer(merge, only_group(merge))) {
            return batch_pgsql_offer(merge, only_group(merge));
        }
        for (; failure == BATCH_FAILURE_NONE && next < merge->groups->nelts; next++) {
            failure = run_group(merge, APR_ARRAY_IDX(merge->groups, next, batch_pgsql_group_t *));
        }
    }
    return failure;
}

/* Applies, one by one, what the groups have left over. */
static batch_failure_e run_rest(batch_pgsql_merge_t *merge, int count)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int has_time = 0;
    int i;

    for (i = 0; failure == BATCH_FAILURE_NONE && i < count; i++) {
        if (merge->decided[i]) {
            continue;
        }
        if (!has_time) {
            failure = batch_pgsql_run_take_time(&merge->run, count);
            has_time = 1;
        }
        if (failure == BATCH_FAILURE_NONE) {
            failure = run_alone(merge, i, 1);
        }
    }
    return failure;
}

static batch_failure_e try_set(batch_sets_t *sets, int count)
{
    batch_pgsql_merge_t *merge = merge_of(sets);
    batch_failure_e failure = BATCH_FAILURE_NONE;
    int unfound = 0;
    int asked = start_set(merge, count, &unfound);

    sets->alike = 0;
    if (unfound && batch_pgsql_run_is_old(&merge->run)) {
        /* Nobody is told that a row is not there because of the type that its key once had. */
        failure = build(sets, 1);
        if (failure != BATCH_FAILURE_NONE) {
            return failure;
        }
        asked = start_set(merge, count, &unfound);
    }
    if (!asked) {
        return BATCH_FAILURE_NONE;
    }
    sets->asked = 1;
    if (count == 1) {
        (void)batch_pgsql_merge_gather(merge, 0, 1);
        return run_alone(merge, 0, 0);
    }
    failure = batch_pgsql_run_begin(&merge->run, count);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_run_guard(&merge->run);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = run_groups(merge, count);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = run_rest(merge, count);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_check_told(merge, 0, count);
    }
    if (failure == BATCH_FAILURE_NONE && (merge->disordered || merge->why)) {
        sets->again = 1;
        failure = BATCH_FAILURE_REFUSED;
    }
    return failure == BATCH_FAILURE_NONE ? batch_pgsql_run_end(&merge->run, count) : failure;
}

/* Undoes a set that was refused, and does it once more. */
static batch_failure_e retry_set(batch_sets_t *sets, int count)
{
    batch_failure_e failure = batch_pgsql_sets_undo(sets);

    if (failure == BATCH_FAILURE_NONE) {
        apr_pool_clear(sets->set_pool);
        failure = try_set(sets, count);
    }
    return failure;
}

/*
 * A set is offered first, where it can be. What is not is tried without ON CONFLICT until a new row
 * meets another: one that somebody else has just made, or of another item, or one that a unique
 * index besides that of match has. Then the set is done once more, with it, and what meets an
 * obstacle is left over.
 */
static batch_failure_e apply_set(batch_sets_t *sets, int count)
{
    batch_pgsql_merge_t *merge = merge_of(sets);
    batch_failure_e failure = try_set(sets, count);

    if (failure == BATCH_FAILURE_REFUSED && batch_pgsql_offer_in_vain(merge)) {
        failure = retry_set(sets, count);
    }
    if (failure == BATCH_FAILURE_REFUSED && count > 1 && !merge->offered && !merge->met &&
        !merge->plain && !sets->again &&
        !strcmp(batch_pgsql_sqlstate(merge->run.connection), "23505")) {
        merge->met = 1;
        failure = retry_set(sets, count);
    }
    return failure;
}

/* A scope, or a stamp, that no row can have is not worth a try with each item. */
static batch_failure_e probe(batch_sets_t *sets, int *for_all)
{
    batch_pgsql_merge_t *merge = merge_of(sets);
    batch_failure_e failure;

    if (merge->probed) {
        return BATCH_FAILURE_NONE;
    }
    merge->probed = 1;
    failure = batch_pgsql_run_begin(&merge->run, 1);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_merge_queue(merge, merge->last, NULL, 0, BATCH_PGSQL_QUICK);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(merge->run.connection, NULL);
    }
    *for_all = failure == BATCH_FAILURE_REFUSED;
    return failure == BATCH_FAILURE_NONE || *for_all ? batch_pgsql_run_undo(&merge->run) : failure;
}

apr_status_t batch_pgsql_rows_merge(batch_tx_t *tx, batch_rows_t *rows)
{
    static const batch_sets_how_t how = {.build = build,
                                         .apply = apply_set,
                                         .undo = batch_pgsql_sets_undo,
                                         .judge = batch_pgsql_sets_judge,
                                         .is_old = batch_pgsql_sets_is_old,
                                         .probe = probe};
    batch_pgsql_merge_t merge = {
        .magic = BATCH_PGSQL_MERGE_MAGIC,
        .sets = {.magic = BATCH_SETS_MAGIC, .tx = tx, .rows = rows, .how = &how}};

    batch_pgsql_run_start(&merge.run, tx, rows->scope, batch_time_format(batch_tx_now(tx), rows->p),
                          rows->p);
    return batch_sets_apply(&merge.sets);
}

#include "engine/apply.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/judge_again.h"
#include "engine/judgement.h"
#include "engine/points.h"
#include "store/kept.h"

/* Rounds of items that are tried again. */
#define ROUNDS 16

/* Items that are judged again and applied together: the first time, and at most. */
#define AGAIN_FIRST 8
#define AGAIN_ITEMS 500

apr_status_t batch_application_make(batch_application_t *application, const batch_job_t *job,
                                    const batch_resource_t *resource, apr_pool_t *p)
{
    batch_value_t *shared = NULL;
    apr_status_t rv = APR_SUCCESS;

    memset(application, 0, sizeof(*application));
    application->scope.resource = resource;
    application->scope.organization = job->organization;
    application->scope.form_id = job->form_id;
    application->scope.actor_id = job->updated_by_id;
    application->scope.tell_keys = batch_action_is(job->action, BATCH_ACTION_CLEANS_UP);
    if (job->shared_values) {
        rv = batch_values_decode(&shared, &application->shared_count, job->shared_values, p);
        application->shared = shared;
    }
    return rv;
}

/* ---- Items --------------------------------------------------------------------------------------
 */

void batch_item_add_defaults(batch_item_t *item, const batch_application_t *application,
                             apr_pool_t *p)
{
    int count = item->value_count;
    batch_value_t *values;
    int i;

    if (!application->shared_count) {
        return;
    }
    values = apr_palloc(p, (apr_size_t)(count + application->shared_count) * sizeof(*values));
    if (count) {
        memcpy(values, item->values, (apr_size_t)count * sizeof(*values));
    }
    for (i = 0; i < application->shared_count; i++) {
        if (!batch_value_find(item->values, item->value_count, application->shared[i].name)) {
            values[count++] = application->shared[i];
        }
    }
    item->values = values;
    item->value_count = count;
}

void batch_item_complete(batch_item_t *item, const batch_application_t *application,
                         const batch_job_t *job, apr_pool_t *p)
{
    if (item->kind == BATCH_ITEM_DROPPED || !batch_action_is(job->action, BATCH_ACTION_CHANGES)) {
        return;
    }
    batch_item_add_defaults(item, application, p);
    if (item->kind != BATCH_ITEM_KEY && item->kind != BATCH_ITEM_UNMET && !item->key &&
        application->scope.resource->keys == BATCH_KEYS_GENERATED) {
        item->key = batch_item_new_key(job, item->ordinal, p);
        item->key_length = strlen(item->key);
    }
}

apr_status_t batch_items_decode(batch_item_t **items, batch_segment_t *segment,
                                const batch_application_t *application, const batch_job_t *job,
                                apr_pool_t *p)
{
    batch_segment_reader_t reader;
    apr_status_t rv = APR_SUCCESS;
    int i;

    *items = apr_palloc(p, (apr_size_t)segment->count * sizeof(**items));
    batch_segment_reader_init(&reader, segment, p);
    for (i = 0; rv == APR_SUCCESS && i < segment->count; i++) {
        rv = batch_segment_read(&reader, &(*items)[i]);
        if (rv == APR_SUCCESS && job->api == BATCH_API_RESOURCES) {
            batch_item_complete(&(*items)[i], application, job, p);
        }
    }
    return rv == APR_SUCCESS ? rv : APR_EGENERAL;
}

/* ---- Errors -------------------------------------------------------------------------------------
 */

/* The values of an item that are not shared ones of the job, into values; returns how many. */
static int own_values(batch_value_t *values, const batch_item_t *item,
                      const batch_application_t *application)
{
    int count = 0;
    int i;
    int j;

    for (i = 0; i < item->value_count; i++) {
        for (j = 0;
             j < application->shared_count && application->shared[j].name != item->values[i].name;
             j++) {
        }
        if (j == application->shared_count) {
            values[count++] = item->values[i];
        }
    }
    return count;
}

const char *batch_item_own_values(const batch_item_t *item, const batch_application_t *application,
                                  apr_pool_t *p)
{
    batch_value_t *values =
        apr_palloc(p, (apr_size_t)(item->value_count + 1) * sizeof(batch_value_t));
    int count = 0;

    if (item->kind == BATCH_ITEM_KEY) {
        values[count].name = application->scope.resource->key;
        values[count].value = item->key;
        values[count++].kind = BATCH_KIND_STRING;
    }
    count += own_values(values + count, item, application);
    return batch_values_encode(values, count, p);
}

static void describe_not_found(batch_item_error_t *error, const batch_job_t *job, apr_pool_t *p)
{
    error->field = "id";
    error->code = "not_found";
    error->message =
        job->form_id ? apr_psprintf(p, "no %s of form %s has this id", job->resource, job->form_id)
                     : apr_psprintf(p, "no %s has this id", job->resource);
}

static void describe_failure(batch_item_error_t *error, const batch_apply_request_t *request,
                             const batch_item_t *item, const batch_row_outcome_t *outcome,
                             apr_pool_t *p)
{
    const batch_job_t *job = request->job;

    memset(error, 0, sizeof(*error));
    error->ordinal = item->ordinal;
    error->line = item->line;
    error->id = item->kind == BATCH_ITEM_KEY ? item->key : NULL;
    switch (outcome->result) {
    case BATCH_ROW_NOT_FOUND:
        describe_not_found(error, job, p);
        break;
    case BATCH_ROW_AMBIGUOUS:
        error->code = "ambiguous";
        error->message = "its match values are those of several rows: send the id";
        break;
    default:
        error->code = outcome->refusal == BATCH_REFUSAL_RANGE      ? "out_of_range"
                      : outcome->refusal == BATCH_REFUSAL_TOO_LONG ? "too_long"
                                                                   : "refused";
        error->message = outcome->refusal == BATCH_REFUSAL_UNIQUE
                             ? apr_psprintf(p,
                                            "%s (also behind all other items; rows that exchange "
                                            "values need a batch before, in which one of them "
                                            "gets another value)",
                                            outcome->message)
                             : outcome->message;
        break;
    }
    if (job->api != BATCH_API_RECORDS) {
        error->values = batch_item_own_values(item, request->application, p);
    }
}

/* ---- Applying -----------------------------------------------------------------------------------
 */

static void count_outcome(batch_job_t *job, batch_row_result_e result)
{
    if (result == BATCH_ROW_CREATED) {
        job->counts.created++;
    } else if (result != BATCH_ROW_APPLIED) {
        job->counts.errors++;
    } else if (batch_action_is(job->action, BATCH_ACTION_CHANGES)) {
        job->counts.updated++;
    } else {
        job->counts.deleted++;
    }
}

/* 1 if the item may do behind others: it is not counted yet. */
static int is_tried_again(const batch_apply_request_t *request, const batch_row_outcome_t *outcome)
{
    return request->again && outcome->result == BATCH_ROW_REFUSED &&
           !batch_refusal_is_final(outcome->refusal);
}

/* Puts off those of the items that are to be tried again. */
static apr_status_t put_off(batch_tx_t *tx, const batch_apply_request_t *request,
                            const batch_item_t *items, const batch_row_outcome_t *outcomes,
                            int count, apr_pool_t *ptemp)
{
    batch_item_t *waiting = NULL;
    int in_the_way = 0;
    int waits = 0;
    int i;

    for (i = 0; i < count; i++) {
        batch_value_t *values;

        if (!is_tried_again(request, &outcomes[i])) {
            continue;
        }
        if (!waiting) {
            waiting = apr_palloc(ptemp, (apr_size_t)(count - i) * sizeof(*waiting));
        }
        values = apr_palloc(ptemp, (apr_size_t)(items[i].value_count + 1) * sizeof(*values));
        waiting[waits] = items[i];
        waiting[waits].value_count = own_values(values, &items[i], request->application);
        waiting[waits++].values = values;
        in_the_way += outcomes[i].refusal == BATCH_REFUSAL_UNIQUE;
    }
    return waits ? request->again(request->baton, tx, waiting, waits, in_the_way, ptemp)
                 : APR_SUCCESS;
}

/* Counts all that are not tried again, and stores an error for each that was not applied. */
static apr_status_t record_outcomes(batch_tx_t *tx, const batch_apply_request_t *request,
                                    const batch_item_t *items, const batch_row_outcome_t *outcomes,
                                    int count, apr_pool_t *ptemp)
{
    batch_item_error_t *errors = NULL;
    int failed = 0;
    int i;

    for (i = 0; i < count; i++) {
        if (is_tried_again(request, &outcomes[i])) {
            continue;
        }
        count_outcome(request->job, outcomes[i].result);
        if (outcomes[i].result == BATCH_ROW_APPLIED || outcomes[i].result == BATCH_ROW_CREATED) {
            continue;
        }
        if (!errors) {
            errors = apr_palloc(ptemp, (apr_size_t)(count - i) * sizeof(*errors));
        }
        describe_failure(&errors[failed], request, &items[i], &outcomes[i], ptemp);
        if (request->report) {
            request->report(request->baton, &errors[failed]);
        }
        failed++;
    }
    return failed ? batch_tx_errors_insert(tx, request->job, errors, failed) : APR_SUCCESS;
}

/*
 * Keeps the rows of which the outcomes have said more than the items do: a trigger or a type may
 * have given them another key, or other match values; and those found by match may be given others
 * by somebody else until the cleanup looks for them.
 */
static apr_status_t keep_rows(batch_tx_t *tx, const batch_apply_request_t *request,
                              const batch_item_t *items, const batch_row_outcome_t *outcomes,
                              int count, apr_pool_t *ptemp)
{
    apr_array_header_t *kept = NULL;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && request->application->scope.tell_keys && i < count; i++) {
        const char *key = outcomes[i].unsure ? NULL : outcomes[i].key;
        batch_kept_t *one;

        if (!key && !outcomes[i].unsure) {
            continue;
        }
        if (request->keep) {
            rv = request->keep(request->keep_baton, key);
            continue;
        }
        kept = kept ? kept : apr_array_make(ptemp, count - i, sizeof(*one));
        one = apr_array_push(kept);
        one->key = key;
        one->ordinal = outcomes[i].result == BATCH_ROW_REFUSED ? -1 : items[i].ordinal;
    }
    return rv == APR_SUCCESS && kept ? batch_tx_kept_insert(tx, request->job, kept, ptemp) : rv;
}

static apr_status_t apply_rows(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                               const batch_apply_request_t *request, const batch_item_t *items,
                               int count, apr_pool_t *ptemp)
{
    const batch_application_t *application = request->application;
    batch_rows_t rows = {.scope = &application->scope,
                         .items = items,
                         .count = count,
                         .values = application->shared,
                         .value_count = application->shared_count,
                         .deadline = request->deadline,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv = APR_EGENERAL; /* of what is no action */
    int i;

    if (request->refused) {
        outcomes[0].result = BATCH_ROW_REFUSED;
        outcomes[0].message = request->refused;
        outcomes[0].refusal = request->for_good ? BATCH_REFUSAL_FINAL : BATCH_REFUSAL_OTHERS;
        *done = 1;
        return APR_SUCCESS;
    }
    for (i = 0; i < count; i++) {
        BATCH_POINT_ITEM(items[i].key);
    }
    switch (request->job->action) {
    case BATCH_ACTION_DELETE:
        rv = batch_tx_rows_delete(tx, &rows);
        break;
    case BATCH_ACTION_UPDATE:
        rv = batch_tx_rows_update(tx, &rows);
        break;
    case BATCH_ACTION_MERGE:
    case BATCH_ACTION_OVERWRITE:
        rv = batch_tx_rows_merge(tx, &rows);
        break;
    case BATCH_ACTION_COUNT:
        break;
    }
    *done = rows.done;
    return rv;
}

/* The items that may do behind others, the last one first; places: of each among all. */
static int gather_refused(batch_item_t *refused, int *places, const batch_item_t *items,
                          const batch_row_outcome_t *outcomes, int count)
{
    int gathered = 0;
    int i;

    for (i = count - 1; i >= 0; i--) {
        if (outcomes[i].result == BATCH_ROW_REFUSED && outcomes[i].refusal != BATCH_REFUSAL_FINAL) {
            places[gathered] = i;
            refused[gathered++] = items[i];
        }
    }
    return gathered;
}

apr_status_t batch_apply_rounds(batch_row_outcome_t *outcomes, const batch_item_t *items, int count,
                                batch_round_fn *fn, void *baton, apr_pool_t *ptemp)
{
    apr_size_t size = (apr_size_t)(unsigned)count;
    batch_row_outcome_t *found = apr_pcalloc(ptemp, size * sizeof(*found));
    batch_item_t *refused = apr_palloc(ptemp, size * sizeof(*refused));
    int *places = apr_palloc(ptemp, size * sizeof(*places));
    apr_status_t rv = APR_SUCCESS;
    int most = count;
    int round;

    for (round = 0; rv == APR_SUCCESS && round < ROUNDS; round++) {
        int left = gather_refused(refused, places, items, outcomes, count);
        int tried = 0;
        int i;

        if (!left || left == most) {
            break;
        }
        most = left;
        rv = fn(baton, &tried, found, refused, left, ptemp);
        for (i = 0; rv == APR_SUCCESS && i < tried; i++) {
            outcomes[places[i]] = found[i];
        }
    }
    return rv;
}

struct round {
    batch_tx_t *tx;
    const batch_apply_request_t *request;
};

static apr_status_t apply_round(void *baton, int *done, batch_row_outcome_t *outcomes,
                                const batch_item_t *items, int count, apr_pool_t *ptemp)
{
    const struct round *round = baton;

    return apply_rows(round->tx, done, outcomes, round->request, items, count, ptemp);
}

/* So long a chunk may go on with items that are tried again. */
#define RETRY_TIME apr_time_from_sec(1)

/* Items that are tried again may need each other, too. */
static apr_status_t apply_in_rounds(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                    const batch_apply_request_t *request, const batch_item_t *items,
                                    int count, apr_pool_t *ptemp)
{
    const apr_time_t until = apr_time_now() + RETRY_TIME;
    batch_apply_request_t patient = *request;
    struct round round = {tx, &patient};
    apr_status_t rv;

    /* Those that need each other are to be there together, however late it is in the chunk. */
    if (request->is_retry && patient.deadline < until) {
        patient.deadline = until;
    }
    rv = apply_rows(tx, done, outcomes, &patient, items, count, ptemp);
    return rv == APR_SUCCESS && request->is_retry && !request->refused && *done > 1
               ? batch_apply_rounds(outcomes, items, *done, apply_round, &round, ptemp)
               : rv;
}

/*
 * The items without the dropped ones, at most limit: as they are where there are none of those
 * before the end.
 */
static const batch_item_t *live_items(int *live, const batch_apply_request_t *request,
                                      apr_pool_t *ptemp)
{
    const batch_item_t *items = request->items;
    int most = request->count < request->limit ? request->count : request->limit;
    batch_item_t *kept;
    int i;

    for (i = 0; i < most && batch_item_is_live(&items[i]); i++) {
    }
    *live = i;
    if (i == most) {
        return items;
    }
    kept = apr_palloc(ptemp, (apr_size_t)(unsigned)most * sizeof(*kept));
    if (i) {
        memcpy(kept, items, (apr_size_t)i * sizeof(*kept));
    }
    for (; i < request->count && *live < most; i++) {
        if (batch_item_is_live(&items[i])) {
            kept[(*live)++] = items[i];
        }
    }
    return kept;
}

/* How many items are behind us when `done` live ones are: dropped ones that follow count too. */
static int items_behind(const batch_item_t *items, int count, int done)
{
    int i;

    for (i = 0; i < count && (done > 0 || !batch_item_is_live(&items[i])); i++) {
        done -= batch_item_is_live(&items[i]);
    }
    return i;
}

/* As the items are. */
static apr_status_t apply_judged(batch_tx_t *tx, int *tried, const batch_apply_request_t *request,
                                 apr_pool_t *ptemp)
{
    batch_row_outcome_t *outcomes;
    const batch_item_t *items;
    apr_status_t rv = APR_SUCCESS;
    int done = 0;

    items = live_items(tried, request, ptemp);
    if (*tried > 0) {
        outcomes = apr_pcalloc(ptemp, (apr_size_t)*tried * sizeof(*outcomes));
        rv = apply_in_rounds(tx, &done, outcomes, request, items, *tried, ptemp);
        if (rv == APR_SUCCESS) {
            rv = record_outcomes(tx, request, items, outcomes, done, ptemp);
        }
        if (rv == APR_SUCCESS) {
            rv = put_off(tx, request, items, outcomes, done, ptemp);
        }
        if (rv == APR_SUCCESS) {
            rv = keep_rows(tx, request, items, outcomes, done, ptemp);
        }
    }
    if (rv == APR_SUCCESS) {
        *tried = done;
        request->job->position += items_behind(request->items, request->count, done);
    }
    return rv;
}

/*
 * A part at a time, of which all is applied that is judged, whatever the time. How long that takes
 * is not known before: each part is twice the one before, so that the last takes no longer than all
 * of them.
 */
static apr_status_t apply_again(batch_tx_t *tx, int *tried, const batch_apply_request_t *request,
                                apr_pool_t *ptemp)
{
    batch_apply_request_t part = *request;
    batch_item_t *items = apr_palloc(ptemp, AGAIN_ITEMS * sizeof(*items));
    int left = request->count;
    int most = request->is_retry ? AGAIN_ITEMS : AGAIN_FIRST; /* they may need each other */
    apr_status_t rv;
    int done = 0;

    *tried = 0;
    part.deadline = APR_INT64_MAX;
    do {
        part.count = left < most ? left : most;
        part.count = part.count < part.limit ? part.count : part.limit;
        memcpy(items, request->items + (request->count - left),
               (apr_size_t)(unsigned)part.count * sizeof(*items));
        part.items = items;
        rv = batch_judge_again(tx, &part, items, part.count, ptemp);
        if (rv == APR_SUCCESS) {
            rv = apply_judged(tx, &done, &part, ptemp);
        }
        left -= part.count;
        part.limit -= part.count;
        most = most < AGAIN_ITEMS / 2 ? most * 2 : AGAIN_ITEMS;
        *tried += part.count;
        part.refused = done ? NULL : part.refused;
    } while (rv == APR_SUCCESS && left && part.limit && apr_time_now() < request->deadline);
    return rv;
}

apr_status_t batch_apply(batch_tx_t *tx, int *tried, const batch_apply_request_t *request,
                         apr_pool_t *ptemp)
{
    int again = request->job->judge_again && request->job->api != BATCH_API_RECORDS;

    return again && request->count ? apply_again(tx, tried, request, ptemp)
                                   : apply_judged(tx, tried, request, ptemp);
}

#include "engine/judge_again.h"

#include <string.h>

#include "engine/judgement.h"

/* What of a job's terms the judgement of its items depends on. */
static batch_terms_t terms_of(const batch_apply_request_t *request)
{
    const batch_application_t *application = request->application;
    batch_terms_t terms = {.resource = application->scope.resource,
                           .action = request->job->action,
                           .properties = application->shared,
                           .property_count = application->shared_count};

    return terms;
}

/* Items of which one has to look at their rows, in the order of the items. */
struct asked {
    batch_judged_t *judged;
    batch_item_t *items; /* as they are looked for */
    batch_row_look_t *looks;
    int *places;
    int count;
};

static void ask(struct asked *asked, const batch_terms_t *terms, const batch_item_t *items,
                int count, apr_pool_t *ptemp)
{
    int i;

    for (i = 0; i < count; i++) {
        batch_judged_t *judged = &asked->judged[asked->count];

        if (items[i].kind == BATCH_ITEM_DROPPED) {
            continue;
        }
        batch_judge_stored(judged, terms, &items[i], ptemp);
        if (judged->look) {
            asked->items[asked->count] = judged->item;
            if (!batch_action_is(terms->action, BATCH_ACTION_CHANGES)) {
                asked->items[asked->count].value_count = 0; /* no row gets them */
            }
            asked->places[asked->count++] = i;
        }
    }
}

static apr_status_t add_errors(batch_tx_t *tx, const batch_apply_request_t *request,
                               const batch_item_t *item, batch_judged_t *judged, apr_pool_t *ptemp)
{
    int i;

    request->job->counts.errors++;
    judged->errors[0].values = batch_item_own_values(item, request->application, ptemp);
    for (i = 0; request->report && i < judged->error_count; i++) {
        request->report(request->baton, &judged->errors[i]);
    }
    return batch_tx_errors_insert(tx, request->job, judged->errors, judged->error_count);
}

/* An item that was dropped can be applied now. */
static apr_status_t revive(batch_tx_t *tx, const batch_apply_request_t *request, batch_item_t *item,
                           const batch_judged_t *judged, apr_pool_t *ptemp)
{
    batch_job_t *job = request->job;

    job->invalid--;
    job->counts.errors--;
    job->total++;
    *item = judged->item;
    batch_item_complete(item, request->application, job, ptemp);
    return batch_tx_errors_forget(tx, job, item->ordinal);
}

static apr_status_t settle(batch_tx_t *tx, const batch_apply_request_t *request, batch_item_t *item,
                           batch_judged_t *judged, apr_pool_t *ptemp)
{
    int was_dropped = item->kind == BATCH_ITEM_UNMET;
    apr_status_t rv = APR_SUCCESS;

    if (!judged->error_count && was_dropped) {
        return revive(tx, request, item, judged, ptemp);
    }
    if (judged->error_count) {
        rv = was_dropped ? APR_SUCCESS : add_errors(tx, request, item, judged, ptemp);
        item->kind = BATCH_ITEM_DROPPED;
    }
    return rv;
}

apr_status_t batch_judge_again(batch_tx_t *tx, const batch_apply_request_t *request,
                               batch_item_t *items, int count, apr_pool_t *ptemp)
{
    const apr_size_t most = (apr_size_t)(unsigned)count + 1;
    const batch_terms_t terms = terms_of(request);
    struct asked asked = {apr_palloc(ptemp, most * sizeof(batch_judged_t)),
                          apr_palloc(ptemp, most * sizeof(batch_item_t)),
                          apr_pcalloc(ptemp, most * sizeof(batch_row_look_t)),
                          apr_palloc(ptemp, most * sizeof(int)), 0};
    apr_status_t rv = APR_SUCCESS;
    int i;

    ask(&asked, &terms, items, count, ptemp);
    if (asked.count) {
        batch_rows_t rows = {.scope = &request->application->scope,
                             .items = asked.items,
                             .count = asked.count,
                             .looks = asked.looks,
                             .p = ptemp};

        rv = batch_tx_rows_look(tx, &rows);
    }
    for (i = 0; rv == APR_SUCCESS && i < asked.count; i++) {
        batch_judge_finish(&asked.judged[i], &asked.judged[i], &terms, &asked.looks[i], ptemp);
        rv = settle(tx, request, &items[asked.places[i]], &asked.judged[i], ptemp);
    }
    return rv;
}

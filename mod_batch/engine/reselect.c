#include "engine/reselect.h"

#include <apr_hash.h>

#include "engine/accept.h"
#include "engine/selection.h"
#include "store/removal.h"

int batch_reselect_is_due(const batch_engine_t *engine, const batch_job_t *job)
{
    return engine->query_of && job->api == BATCH_API_RECORDS && job->judge_again &&
           job->operations && job->position == 0;
}

struct reselection {
    const batch_engine_t *engine;
    const batch_job_t *before;
    batch_job_t *after;
    apr_hash_t *selected; /* the ids, by themselves */
    batch_key_type_e key_type;
};

static void add_error(apr_array_header_t *errors, const batch_item_t *item)
{
    batch_item_error_t *error = apr_array_push(errors);

    error->ordinal = item->ordinal;
    error->id = item->key;
    error->field = "id";
    error->code = "changed_since";
    error->message = "the query does not select it any more: it was changed while the batch waited "
                     "for its turn";
}

/* The stored items that are still selected; an error for each of the others. In ptemp. */
static apr_array_header_t *sift(apr_array_header_t *errors, const struct reselection *reselection,
                                const apr_array_header_t *stored, apr_pool_t *ptemp)
{
    apr_array_header_t *kept = apr_array_make(ptemp, stored->nelts, sizeof(batch_item_t));
    int i;

    for (i = 0; i < stored->nelts; i++) {
        const batch_item_t *item = &APR_ARRAY_IDX(stored, i, batch_item_t);

        if (apr_hash_get(reselection->selected, item->key, (apr_ssize_t)item->key_length)) {
            APR_ARRAY_PUSH(kept, batch_item_t) = *item;
        } else {
            add_error(errors, item);
        }
    }
    return kept;
}

static apr_status_t reselect_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct reselection *reselection = baton;
    batch_job_t *after = reselection->after;
    apr_array_header_t *errors = apr_array_make(ptemp, 16, sizeof(batch_item_error_t));
    apr_array_header_t *items = NULL;
    apr_status_t rv = batch_tx_fence(tx, reselection->before, reselection->engine->limits.lease);

    *after = *reselection->before;
    after->judge_again = 0;
    if (rv == APR_SUCCESS) {
        rv = batch_selection_read(tx, &items, reselection->before, ptemp);
    }
    if (rv == APR_SUCCESS) {
        items = sift(errors, reselection, items, ptemp);
        after->stored = items->nelts;
        after->counts.errors += errors->nelts;
    }
    if (rv == APR_SUCCESS && errors->nelts) {
        rv = batch_tx_errors_insert(tx, after, (batch_item_error_t *)errors->elts, errors->nelts);
    }
    if (rv == APR_SUCCESS && errors->nelts) {
        rv = batch_tx_segments_delete(tx, after);
    }
    if (rv == APR_SUCCESS && errors->nelts) {
        rv = batch_selection_store(
            tx, after, batch_selection_sort(items, reselection->key_type, ptemp), ptemp);
    }
    return rv == APR_SUCCESS ? batch_tx_progress(tx, after) : rv;
}

apr_status_t batch_reselect(batch_job_t *job, const batch_engine_t *engine, batch_error_t *err,
                            apr_pool_t *p)
{
    batch_job_t before = *job;
    const batch_resource_t *resource = batch_engine_resource(engine, job->resource);
    batch_key_type_e key_type = resource ? batch_engine_key_type(engine, resource) : BATCH_KEY_TEXT;
    struct reselection reselection = {engine, &before, job, apr_hash_make(p), key_type};
    apr_array_header_t *items = NULL;
    apr_status_t rv = batch_job_select_again(&items, engine, job, err, p);
    int i;

    if (rv == APR_SUCCESS && !items) {
        job->judge_again = 0; /* its ids came with the request: they stand */
        return APR_SUCCESS;
    }
    items = batch_selection_sort(items, key_type, p); /* in the spelling of those that are stored */
    for (i = 0; rv == APR_SUCCESS && i < items->nelts; i++) {
        const batch_item_t *item = &APR_ARRAY_IDX(items, i, batch_item_t);

        apr_hash_set(reselection.selected, item->key, (apr_ssize_t)item->key_length, item);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_store_write(engine->store, reselect_body, &reselection, err, p);
    }
    if (rv != APR_SUCCESS && rv != BATCH_EINDOUBT) {
        *job = before;
    }
    return rv;
}

/* A batch on its way in: its items are read and judged, a group at a time. */
#include "engine/intake_private.h"

#include <apr_strings.h>

#include "text/check.h"

/* Items that are judged and stored together; so many of them, or so many bytes. */
#define GROUP_ITEMS 10000
#define GROUP_BYTES (512 * 1024)

/* So few items are read by the caller, and in its memory: they may be several groups, of bytes. */
#define FEW_ITEMS 100

/* Memory of a group that the next one gets, rather than the system and then the next one. */
#define WORK_KEEPS (4 * 1024 * 1024)

/* ---- Reading and judging a group ----------------------------------------------------------------
 */

/* Reads the next item, with its values in the one spelling of what they say. */
static apr_status_t next_item(batch_intake_state_t *intake, batch_source_item_t *item,
                              batch_error_t *err, apr_pool_t *p)
{
    apr_status_t rv = intake->source->next(intake->source->baton, item, err, p);

    if (rv == APR_SUCCESS) {
        batch_judge_spelling(item, intake->terms, p);
    }
    return rv;
}

static apr_status_t judge_next(batch_intake_state_t *intake, batch_intake_group_t *group,
                               const batch_source_item_t *item)
{
    batch_judged_t *judged = &group->judged[group->count];
    int dropped = 0;
    apr_status_t rv = APR_SUCCESS;

    if (intake->terms->duplicate_handling == BATCH_DUPLICATES_USE_FIRST) {
        rv = batch_duplicates_offer(intake->duplicates, &dropped, item);
    } else {
        dropped = batch_duplicates_dropped(intake->duplicates, intake->read);
    }
    if (rv == APR_SUCCESS) {
        batch_judge(judged, intake->terms, item, intake->read, dropped, group->p);
        intake->read++;
        group->count++;
    }
    return rv;
}

static apr_status_t read_group(batch_intake_state_t *intake, batch_intake_group_t *group,
                               batch_error_t *err)
{
    apr_status_t rv;

    apr_pool_clear(group->p);
    group->count = 0;
    group->bytes = 0;
    while (group->count < GROUP_ITEMS && group->bytes < GROUP_BYTES) {
        batch_source_item_t item;

        rv = next_item(intake, &item, err, group->p);
        if (rv == APR_EOF) {
            group->ended = 1;
            return APR_SUCCESS;
        }
        if (rv == APR_SUCCESS) {
            rv = judge_next(intake, group, &item);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        group->bytes += item.size;
    }
    group->ended = intake->read == intake->source->count;
    return APR_SUCCESS;
}

static apr_status_t read_ahead(void *baton)
{
    batch_intake_state_t *intake = BATCH_CAST(batch_intake_state_t, baton, BATCH_INTAKE_MAGIC);

    return read_group(intake, &intake->next, &intake->next_error);
}

/* Has the next segments. They are copied, since their transaction may be done once more. */
static apr_status_t take_ready(batch_intake_state_t *intake, batch_error_t *err)
{
    batch_intake_group_t *group = &intake->group;
    apr_status_t rv;

    apr_pool_clear(group->p);
    intake->ready_count = 0;
    do {
        batch_segment_t *segment = &intake->ready[intake->ready_count];

        rv = batch_early_next(intake->early, segment, &group->ended, err);
        if (rv == APR_SUCCESS) {
            segment->data = apr_pstrmemdup(group->p, segment->data, segment->length);
            intake->ready_count++;
        }
    } while (rv == APR_SUCCESS && !group->ended && intake->ready_count < BATCH_INTAKE_READY);
    return rv;
}

apr_status_t batch_intake_next_group(batch_intake_state_t *intake, batch_error_t *err)
{
    batch_intake_group_t group = intake->group;
    apr_status_t rv;

    intake->unnamed += intake->group_unnamed;
    intake->group_unnamed = 0;
    if (intake->early) {
        return take_ready(intake, err);
    }
    if (!intake->ahead) {
        return read_group(intake, &intake->group, err);
    }
    rv = batch_ahead_wait(intake->ahead);
    if (rv != APR_SUCCESS) {
        *err = intake->next_error;
        return rv;
    }
    intake->group = intake->next;
    intake->next = group;
    if (!intake->group.ended) {
        batch_ahead_start(intake->ahead);
    }
    return APR_SUCCESS;
}

void batch_intake_finish(batch_intake_state_t *intake)
{
    batch_ahead_end(intake->ahead);
    intake->ahead = NULL;
}

/* Which items are duplicates, where only the last of them tells. */
static apr_status_t find_duplicates(batch_intake_state_t *intake, batch_error_t *err)
{
    batch_early_t *early = intake->source->early;
    apr_status_t rv;
    int ignored;

    intake->duplicates =
        early ? batch_early_duplicates(early, intake->terms->key_type, intake->source->count)
              : NULL;
    if (intake->duplicates) {
        return APR_SUCCESS;
    }
    rv =
        batch_duplicates_make(&intake->duplicates, intake->terms, intake->source->count, intake->p);
    if (intake->terms->duplicate_handling == BATCH_DUPLICATES_USE_FIRST) {
        return rv;
    }
    while (rv == APR_SUCCESS) {
        batch_source_item_t item;
        int i;

        apr_pool_clear(intake->group.p);
        for (i = 0; rv == APR_SUCCESS && i < GROUP_ITEMS; i++) {
            rv = next_item(intake, &item, err, intake->group.p);
            if (rv == APR_SUCCESS) {
                rv = batch_duplicates_offer(intake->duplicates, &ignored, &item);
            }
        }
    }
    return rv == APR_EOF ? intake->source->rewind(intake->source->baton, err) : rv;
}

/*
 * A large batch of which most items need to know no more than whether their row is there reads the
 * keys of the scope at once, if the scope is not much larger than the batch.
 */
static apr_status_t read_keys(batch_intake_state_t *intake)
{
    int asked = 0;
    int i;

    if (intake->group.ended) {
        return APR_SUCCESS;
    }
    for (i = 0; i < intake->group.count; i++) {
        asked += intake->group.judged[i].look && intake->group.judged[i].look_for_key;
    }
    return asked < intake->group.count / 2
               ? APR_SUCCESS
               : batch_known_keys_make(&intake->known, intake->engine->store,
                                       &intake->application.scope, intake->source->count / 4 * 5,
                                       intake->p);
}

/* ---- Getting ready
 * ------------------------------------------------------------------------------
 */

static int is_large(const batch_intake_state_t *intake)
{
    return intake->source->count > FEW_ITEMS;
}

/* A large batch needs the same memory again and again, and in several threads. */
static apr_status_t make_pool(apr_pool_t **p, const batch_intake_state_t *intake)
{
    return is_large(intake) ? batch_pool_make(p, intake->p, WORK_KEEPS)
                            : apr_pool_create(p, intake->p);
}

static apr_status_t make_group(batch_intake_group_t *group, const batch_intake_state_t *intake)
{
    apr_int64_t most = intake->source->count + 1;

    most = most < GROUP_ITEMS ? most : GROUP_ITEMS;
    group->judged = apr_palloc(intake->p, (apr_size_t)most * sizeof(*group->judged));
    return make_pool(&group->p, intake);
}

/* From the second group on a thread reads ahead: reading takes as long as storing does. */
static apr_status_t start_ahead(batch_intake_state_t *intake)
{
    apr_status_t rv;

    if (intake->group.ended || !is_large(intake) || !intake->engine->read_ahead) {
        return APR_SUCCESS;
    }
    rv = make_group(&intake->next, intake);
    /* Without a thread it works as well. */
    if (rv == APR_SUCCESS &&
        batch_ahead_make(&intake->ahead, read_ahead, intake, intake->p) == APR_SUCCESS) {
        batch_ahead_start(intake->ahead);
    }
    return rv;
}

/* 1 if the order of items does not matter now; where nobody can tell it does. */
static int is_independent(const batch_intake_state_t *intake)
{
    batch_error_t ignored = {0};
    int independent;

    (void)batch_store_independent(intake->engine->store, &independent, intake->terms->resource,
                                  &ignored, intake->p);
    return independent;
}

/*
 * 1 if all items were accepted while they arrived, and may be stored in the order that they have:
 * the table may have got a trigger or an index since it was looked at.
 */
static int is_ready(const batch_intake_state_t *intake)
{
    const batch_early_t *early = intake->source->early;

    return early && batch_early_is_clean(early, intake->terms->key_type, intake->source->count) &&
           (!batch_early_is_sorted(early) || is_independent(intake));
}

apr_status_t batch_intake_prepare(batch_intake_state_t *intake, batch_error_t *err)
{
    apr_pool_t *p = intake->p;
    batch_terms_t *terms = apr_pmemdup(p, intake->terms, sizeof(*terms));
    apr_status_t rv;

    terms->key_type = batch_engine_key_type(intake->engine, terms->resource);
    intake->terms = terms;
    intake->job->header = intake->source->header;
    intake->before = *intake->job;
    intake->refusals = apr_array_make(p, 4, sizeof(batch_item_error_t));
    intake->barred = apr_array_make(p, 1, sizeof(batch_barred_t));
    intake->trying = -1;
    rv = make_pool(&intake->work_pool, intake);
    if (rv == APR_SUCCESS) {
        rv = make_group(&intake->group, intake);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_application_make(&intake->application, intake->job, intake->terms->resource, p);
    }
    if (rv == APR_SUCCESS && is_ready(intake)) {
        intake->early = intake->source->early;
        return batch_intake_next_group(intake, err);
    }
    if (rv == APR_SUCCESS) {
        rv = find_duplicates(intake, err);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_intake_next_group(intake, err);
    }
    if (rv == APR_SUCCESS) {
        rv = start_ahead(intake);
    }
    return rv == APR_SUCCESS ? read_keys(intake) : rv;
}

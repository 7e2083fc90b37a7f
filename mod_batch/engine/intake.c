#include "engine/intake_private.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/change.h"
#include "engine/cleanup.h"
#include "engine/host.h"
#include "engine/points.h"
#include "engine/status.h"
#include "engine/turn.h"
#include "store/removal.h"
#include "text/uuid.h"
#include "text/check.h"

/* Errors that one call stores. */
#define AT_ONCE 500

/* ---- Storing a group ----------------------------------------------------------------------------
 */

/* 1 if the database has to be asked about an item. */
static int must_look(const batch_intake_state_t *intake, const batch_judged_t *judged)
{
    return judged->look &&
           !(intake->known && judged->look_for_key &&
             batch_known_keys_have(intake->known, judged->item.key, judged->item.key_length));
}

/* An item as its row is looked for. */
static void ask_for(batch_item_t *item, const batch_intake_state_t *intake,
                    const batch_judged_t *judged, apr_pool_t *ptemp)
{
    *item = judged->item;
    if (!batch_action_is(intake->terms->action, BATCH_ACTION_CHANGES)) {
        item->value_count = 0; /* no row gets them */
    }
    batch_item_add_defaults(item, &intake->application, ptemp);
}

/* Finishes the judgement of those whose rows were looked for; others are as they were. */
static void finish_all(batch_intake_state_t *intake, const batch_row_look_t *looks,
                       const int *places, int count, apr_pool_t *ptemp)
{
    batch_judged_t *finals = apr_palloc(ptemp, (apr_size_t)(unsigned)count * sizeof(*finals));
    int i;

    for (i = 0; i < count; i++) {
        batch_judge_finish(&finals[i], intake->results[places[i]], intake->terms, &looks[i], ptemp);
        intake->results[places[i]] = &finals[i];
    }
}

/*
 * Looks for the rows of those that need it, and finishes their judgement. All that a group has are
 * looked for by one call: it is small enough.
 */
static apr_status_t look_for_rows(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    const apr_size_t most = (apr_size_t)(unsigned)intake->group.count + 1;
    const batch_judged_t **results = apr_palloc(ptemp, most * sizeof(*results));
    batch_rows_t asked = {.scope = &intake->application.scope, .p = ptemp};
    batch_item_t *items = NULL;
    int *places = NULL;
    apr_status_t rv;
    int i;

    intake->results = results;
    for (i = 0; i < intake->group.count; i++) {
        results[i] = &intake->group.judged[i];
        if (!must_look(intake, results[i])) {
            continue;
        }
        if (!items) {
            items = apr_palloc(ptemp, most * sizeof(*items));
            places = apr_palloc(ptemp, most * sizeof(*places));
        }
        places[asked.count] = i;
        ask_for(&items[asked.count++], intake, results[i], ptemp);
    }
    if (!asked.count) {
        return APR_SUCCESS;
    }
    asked.items = items;
    asked.looks = apr_palloc(ptemp, (apr_size_t)(unsigned)asked.count * sizeof(*asked.looks));
    rv = batch_tx_rows_look(tx, &asked);
    if (rv == APR_SUCCESS) {
        finish_all(intake, asked.looks, places, asked.count, ptemp);
    }
    return rv;
}

struct segment_target {
    batch_tx_t *tx;
    const batch_job_t *job;
    apr_int64_t first; /* stored items before this group */
};

static apr_status_t insert_segment(void *baton, const batch_segment_t *segment)
{
    struct segment_target *target = baton;
    batch_segment_t placed = *segment;

    placed.first += target->first;
    return batch_tx_segment_insert(target->tx, target->job, &placed);
}

static apr_status_t store_items(batch_tx_t *tx, const batch_intake_state_t *intake,
                                apr_pool_t *ptemp)
{
    struct segment_target target = {tx, intake->job, intake->before.stored};
    batch_segment_writer_t *writer = batch_segment_writer_make(insert_segment, &target, ptemp);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < intake->group.count; i++) {
        rv = batch_segment_write(writer, &intake->results[i]->item);
    }
    return rv == APR_SUCCESS ? batch_segment_writer_finish(writer) : rv;
}

static apr_status_t store_errors(batch_tx_t *tx, const batch_intake_state_t *intake,
                                 apr_pool_t *ptemp)
{
    batch_item_error_t *errors =
        apr_palloc(ptemp, (AT_ONCE + BATCH_ITEM_PROBLEMS) * sizeof(*errors));
    apr_status_t rv = APR_SUCCESS;
    int count = 0;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < intake->group.count; i++) {
        if (intake->results[i]->error_count) {
            memcpy(errors + count, intake->results[i]->errors,
                   (apr_size_t)intake->results[i]->error_count * sizeof(*errors));
            count += intake->results[i]->error_count;
        }
        if (count && (count >= AT_ONCE || i + 1 == intake->group.count)) {
            rv = batch_tx_errors_insert(tx, intake->job, errors, count);
            count = 0;
        }
    }
    return rv;
}

static void count_items(batch_intake_state_t *intake)
{
    batch_job_t *job = intake->job;
    int i;

    intake->group_unnamed = 0;
    for (i = 0; i < intake->group.count; i++) {
        job->received++;
        job->stored++;
        if (intake->results[i]->unnamed) {
            intake->group_unnamed++;
            intake->first_unnamed = intake->first_unnamed ? intake->first_unnamed : job->received;
        }
        if (intake->results[i]->duplicate) {
            job->counts.duplicates++;
        } else if (intake->results[i]->error_count) {
            job->invalid++;
            job->unmet += intake->results[i]->item.kind == BATCH_ITEM_UNMET;
            job->counts.errors++;
        } else {
            job->total++;
        }
    }
}

/* Judges the group to its end, stores its errors, and counts it. */
static apr_status_t settle_group(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    apr_status_t rv = intake->job->received ? APR_SUCCESS : batch_intake_look_around(tx, intake);

    if (rv == APR_SUCCESS) {
        rv = look_for_rows(tx, intake, ptemp);
    }
    if (rv == APR_SUCCESS) {
        count_items(intake);
        if (intake->job->invalid || intake->job->counts.duplicates) {
            rv = store_errors(tx, intake, ptemp);
        }
    }
    return rv;
}

/* Stores a group of items that were all accepted before the body had come to its end. */
static apr_status_t store_ready(batch_tx_t *tx, batch_intake_state_t *intake)
{
    batch_job_t *job = intake->job;
    apr_status_t rv = job->received ? APR_SUCCESS : batch_intake_look_around(tx, intake);
    int i;

    for (i = 0; rv == APR_SUCCESS && i < intake->ready_count; i++) {
        job->received += intake->ready[i].count;
        job->stored += intake->ready[i].count;
        job->total += intake->ready[i].count;
        rv = batch_tx_segment_insert(tx, job, &intake->ready[i]);
    }
    return rv;
}

apr_status_t batch_intake_store_group(batch_tx_t *tx, batch_intake_state_t *intake,
                                      apr_pool_t *ptemp)
{
    apr_status_t rv = intake->early ? store_ready(tx, intake) : settle_group(tx, intake, ptemp);

    return rv == APR_SUCCESS && !intake->early ? store_items(tx, intake, ptemp) : rv;
}

/* ---- The transactions ---------------------------------------------------------------------------
 */

/* 1 if a job without a valid item has nothing more to hope for. */
static int is_hopeless(const batch_intake_state_t *intake)
{
    const batch_job_t *job = intake->job;

    return !job->total &&
           !(batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) && intake->terms->allow_empty) &&
           !(job->judge_again && job->unmet);
}

/* An overwrite that would remove rows which are named, if only it were known by what. */
static apr_status_t conclude_unnamed(batch_tx_t *tx, batch_intake_state_t *intake)
{
    batch_job_t *job = intake->job;
    const char *reason = apr_psprintf(
        intake->p,
        "%" APR_INT64_T_FMT " of %" APR_INT64_T_FMT
        " items have no valid id and no valid match values, or cannot be read, so it is not known "
        "which rows they name: nothing was changed; the first one has the index %" APR_INT64_T_FMT,
        intake->unnamed + intake->group_unnamed, job->received, intake->first_unnamed - 1);

    return batch_status_fail(job, reason, batch_tx_error(tx), intake->p);
}

/* All groups are settled: what the job has come to, which with the mode sync is its end. */
static apr_status_t conclude(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    batch_job_t *job = intake->job;
    apr_status_t rv = batch_status_move(job, BATCH_EVENT_RECEIVED, batch_tx_error(tx), intake->p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    job->parsed_at = job->validated_at = batch_tx_now(tx);
    if (intake->terms->mode != BATCH_MODE_SYNC) {
        rv = batch_turn_queue(tx, job, 0);
        job->judge_again |= intake->in_company;
    } else if (!job->queued_at) { /* else it stood in line */
        job->queued_at = job->parsed_at;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (is_hopeless(intake) && !intake->undone) {
        rv = batch_status_none_valid(job, batch_tx_error(tx), intake->p);
    }
    if (rv == APR_SUCCESS && job->status == BATCH_STATUS_QUEUED &&
        intake->unnamed + intake->group_unnamed) {
        rv = conclude_unnamed(tx, intake);
    }
    if (rv == APR_SUCCESS && job->status == BATCH_STATUS_QUEUED &&
        intake->terms->mode == BATCH_MODE_SYNC) {
        rv = batch_intake_run_sync(tx, intake, ptemp);
    }
    if (rv == APR_SUCCESS && intake->terms->mode == BATCH_MODE_SYNC) {
        rv = batch_intake_list_errors(tx, intake, ptemp);
    }
    return rv;
}

/* 1 if the items are still needed: to be applied, or as the upload. */
static int keeps_items(const batch_job_t *job)
{
    return job->save_upload || !batch_status_is_final(job->status);
}

apr_status_t batch_intake_end(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp)
{
    apr_status_t rv = conclude(tx, intake, ptemp);

    if (rv == APR_SUCCESS && !keeps_items(intake->job)) {
        rv = batch_tx_segments_end(tx, intake->job);
    }
    return rv == APR_SUCCESS ? batch_tx_job_received(tx, intake->job) : rv;
}

static apr_status_t check_permission(const batch_intake_state_t *intake)
{
    const batch_actor_t *actor = intake->actor;

    return !actor->may ||
                   actor->may(actor->may_baton, intake->terms->resource, intake->terms->action)
               ? APR_SUCCESS
               : BATCH_EFORBIDDEN;
}

/*
 * All of a batch that is one group: nothing is written that would be changed once more. Where it
 * stands in line its job is there already.
 */
static apr_status_t whole_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_intake_state_t *intake = BATCH_CAST(batch_intake_state_t, baton, BATCH_INTAKE_MAGIC);
    int stands_in_line = intake->before.seq != 0;
    apr_status_t rv;

    *intake->job = intake->before;
    rv = batch_intake_take_turn(tx, intake);
    if (rv == APR_SUCCESS && !stands_in_line) {
        rv = batch_tx_job_place(tx, intake->job);
    }
    if (rv == APR_SUCCESS) {
        rv = settle_group(tx, intake, ptemp);
    }
    if (rv == APR_SUCCESS) {
        rv = conclude(tx, intake, ptemp);
    }
    if (rv == APR_SUCCESS && keeps_items(intake->job)) {
        rv = store_items(tx, intake, ptemp);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return stands_in_line ? batch_tx_job_received(tx, intake->job)
                          : batch_tx_job_insert_placed(tx, intake->job, NULL);
}

static apr_status_t begin_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_intake_state_t *intake = BATCH_CAST(batch_intake_state_t, baton, BATCH_INTAKE_MAGIC);
    batch_owner_t owner;
    apr_status_t rv = check_permission(intake);

    *intake->job = intake->before;
    if (rv == APR_SUCCESS) {
        rv = batch_host_self(&owner, ptemp);
    }
    return rv == APR_SUCCESS ? batch_tx_job_insert(tx, intake->job, &owner) : rv;
}

static apr_status_t group_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_intake_state_t *intake = BATCH_CAST(batch_intake_state_t, baton, BATCH_INTAKE_MAGIC);

    *intake->job = intake->before;
    return batch_intake_store_group(tx, intake, ptemp);
}

static apr_status_t end_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_intake_state_t *intake = BATCH_CAST(batch_intake_state_t, baton, BATCH_INTAKE_MAGIC);

    apr_status_t rv;

    *intake->job = intake->before;
    rv = batch_intake_take_turn(tx, intake);
    return rv == APR_SUCCESS ? batch_intake_end(tx, intake, ptemp) : rv;
}

static apr_status_t remove_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_delete(tx, baton);
}

/*
 * Runs the last transaction; a sync one that the database refuses once more with care, and one that
 * is not complete as failed.
 */
static apr_status_t run_last(batch_intake_state_t *intake, batch_tx_fn *body, batch_error_t *err)
{
    apr_status_t rv = batch_intake_run_in_turn(intake, body, err);
    int failing = 0;

    while (rv == BATCH_EREFUSED && intake->terms->mode == BATCH_MODE_SYNC && !failing) {
        const char *message = err->message ? err->message : "no details";

        if (!intake->undone && !batch_intake_is_tried_again(intake, message)) {
            intake->refusal = apr_pstrdup(intake->p, message);
            intake->undone = 1;
        }
        failing = intake->undone;
        memset(err, 0, sizeof(*err));
        /* Another batch may have come meanwhile. */
        rv = batch_intake_run_in_turn(intake, body, err);
    }
    BATCH_POINT("received");
    return rv;
}

/* All of a batch at once. One that stood in line and came to nothing leaves it. */
static apr_status_t take_in_whole(batch_intake_state_t *intake, batch_error_t *err)
{
    apr_status_t rv = check_permission(intake); /* httpd's modules are asked: in its own thread */
    batch_error_t ignored = {0};

    if (rv == APR_SUCCESS) {
        rv = run_last(intake, whole_body, err);
    }
    if (rv != APR_SUCCESS && intake->before.seq) {
        (void)batch_store_write(intake->engine->store, remove_body, &intake->before, &ignored,
                                intake->p);
    }
    return rv;
}

/* A batch of several groups: each is a transaction, and nobody sees the job before the last one. */
static apr_status_t take_in_groups(batch_intake_state_t *intake, batch_error_t *err)
{
    batch_store_t *store = intake->engine->store;
    batch_error_t ignored = {0};
    apr_status_t rv = batch_job_change(intake->job, intake->engine, begin_body, intake,
                                       BATCH_CHANGE, NULL, err, intake->p);
    apr_pool_t *ptemp;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create(&ptemp, intake->work_pool);
    while (rv == APR_SUCCESS) {
        intake->before = *intake->job;
        apr_pool_clear(ptemp);
        rv = batch_store_write_async(store, group_body, intake, err, ptemp);
        BATCH_POINT("receiving");
        if (rv != APR_SUCCESS || intake->group.ended) {
            break;
        }
        intake->before = *intake->job;
        rv = batch_intake_next_group(intake, err);
    }
    if (rv == APR_SUCCESS) {
        intake->before = *intake->job;
        rv = run_last(intake, end_body, err);
    }
    if (rv == BATCH_EINDOUBT) {
        rv = batch_error_set(err, BATCH_EUNAVAILABLE, "MB0432", intake->p,
                             "the connection was lost while batch %s was being stored",
                             intake->job->id);
    }
    if (rv != APR_SUCCESS) {
        /* If this fails as well it is removed as one whose receiver is gone. */
        (void)batch_store_write(store, remove_body, &intake->before, &ignored, intake->p);
    }
    return rv;
}

/* ---- The request
 * ----------------------------------------------------------------------------------
 */

void batch_intake_describe(batch_job_t *job, const batch_terms_t *terms, const batch_actor_t *actor,
                           apr_pool_t *p)
{
    memset(job, 0, sizeof(*job));
    job->id = batch_uuid_make(p);
    job->api = BATCH_API_RESOURCES;
    job->organization = actor->organization;
    job->resource = terms->resource->name;
    job->action = terms->action;
    job->mode = terms->mode;
    job->via = terms->via;
    job->duplicate_handling = terms->duplicate_handling;
    job->save_upload = terms->save_upload;
    job->checksum = terms->checksum;
    job->allow_empty = terms->allow_empty;
    job->cleanup_total =
        batch_action_is(terms->action, BATCH_ACTION_CLEANS_UP) ? BATCH_CLEANUP_UNCOUNTED : 0;
    job->created_by = job->updated_by = actor->name;
    job->created_by_id = job->updated_by_id = actor->id;
    if (terms->property_count) {
        job->shared_values = batch_values_encode(terms->properties, terms->property_count, p);
    }
}

apr_status_t batch_intake(batch_job_t *job, apr_array_header_t *errors,
                          const batch_engine_t *engine, const batch_actor_t *actor,
                          const batch_terms_t *terms, const batch_item_source_t *source,
                          batch_problems_t *problems, batch_error_t *err, apr_pool_t *p)
{
    batch_intake_state_t intake = {.magic = BATCH_INTAKE_MAGIC,
                                   .engine = engine,
                                   .terms = terms,
                                   .actor = actor,
                                   .source = source,
                                   .job = job,
                                   .p = p,
                                   .errors = errors};
    apr_status_t rv;

    if (!batch_resources_check_count(problems, &engine->limits, terms, source->count)) {
        return BATCH_EINVALID;
    }
    batch_intake_describe(job, terms, actor, p);
    batch_status_begin(job, BATCH_BEGIN_RECEIVING);
    batch_turn_describe(job, engine, p);
    rv = batch_intake_prepare(&intake, err);
    intake.whole = intake.group.ended && !intake.early;
    if (rv == APR_SUCCESS) {
        rv = intake.whole ? take_in_whole(&intake, err) : take_in_groups(&intake, err);
    }
    batch_intake_finish(&intake);
    return rv;
}

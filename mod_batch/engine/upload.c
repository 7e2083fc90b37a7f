#include "engine/upload.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/change.h"
#include "engine/host.h"
#include "engine/intake_private.h"
#include "engine/status.h"
#include "engine/turn.h"
#include "store/removal.h"
#include "text/check.h"

/* How often an upload that is being read says how far it has come. */
#define REPORT_INTERVAL apr_time_from_sec(1)

struct batch_upload {
    unsigned magic;
#define UPLOAD_MAGIC 0xb2c5e817u
    const batch_engine_t *engine;
    const batch_actor_t *actor;
    batch_job_t *job;   /* the caller's: as the transactions that are committed have left it */
    batch_job_t before; /* the same while one is under way */
    batch_terms_t terms;
    batch_owner_t owner;
    apr_time_t reported; /* when it was last said how far this is */
    apr_pool_t *p;
    /* Of the transaction under way. */
    int more; /* one before has left more than it has removed */
    apr_int64_t count;
    const char *id;
    const char *reason;
};

/* ---- Asking for one ---------------------------------------------------------------------------
 */

struct asking {
    const batch_engine_t *engine;
    const batch_actor_t *actor;
    const batch_terms_t *terms;
    batch_job_t *job;
};

static apr_status_t request_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct asking *asking = baton;
    const batch_actor_t *actor = asking->actor;
    const batch_terms_t *terms = asking->terms;
    batch_job_t *job = asking->job;
    apr_time_t until = batch_tx_now(tx) + asking->engine->limits.url_ttl;

    (void)ptemp;
    if (actor->may && !actor->may(actor->may_baton, terms->resource, terms->action)) {
        return BATCH_EFORBIDDEN;
    }
    /* Whole seconds, as the URL has them. */
    job->expires_at = (until + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC * APR_USEC_PER_SEC;
    return batch_tx_job_insert(tx, job, NULL);
}

apr_status_t batch_upload_request(batch_job_t *job, const batch_engine_t *engine,
                                  const batch_actor_t *actor, const batch_terms_t *terms,
                                  batch_error_t *err, apr_pool_t *p)
{
    struct asking asking = {engine, actor, terms, job};

    batch_intake_describe(job, terms, actor, p);
    batch_turn_describe(job, engine, p);
    batch_status_begin(job, BATCH_BEGIN_REQUESTED);
    job->via = BATCH_VIA_FILE;
    job->checksum = NULL;
    return batch_job_change(job, engine, request_body, &asking, BATCH_CHANGE, NULL, err, p);
}

/* ---- Beginning --------------------------------------------------------------------------------
 */

/* The terms that the job was made from. */
static apr_status_t restore_terms(batch_terms_t *terms, const batch_job_t *job,
                                  const batch_engine_t *engine, apr_pool_t *p)
{
    batch_value_t *properties = NULL;
    apr_status_t rv = APR_SUCCESS;

    memset(terms, 0, sizeof(*terms));
    terms->resource = batch_engine_resource(engine, job->resource);
    terms->action = job->action;
    terms->mode = job->mode;
    terms->duplicate_handling = job->duplicate_handling;
    terms->via = job->via;
    terms->save_upload = (int)job->save_upload;
    terms->allow_empty = (int)job->allow_empty;
    if (job->shared_values) {
        rv = batch_values_decode(&properties, &terms->property_count, job->shared_values, p);
        terms->properties = properties;
    }
    return rv;
}

/* 1 if somebody is at an upload of the job. */
static apr_status_t is_taken(batch_tx_t *tx, int *taken, const batch_upload_t *upload,
                             apr_pool_t *ptemp)
{
    batch_owner_t owner;
    apr_status_t rv = APR_SUCCESS;

    *taken = upload->job->lease_until > batch_tx_now(tx);
    if (*taken) {
        rv = batch_tx_upload_owner(tx, &owner, upload->job, ptemp);
        *taken = owner.host && !batch_host_owner_gone(&owner, &upload->owner);
    }
    return rv;
}

static apr_status_t begin_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_upload_t *upload = BATCH_CAST(batch_upload_t, baton, UPLOAD_MAGIC);
    const batch_actor_t *actor = upload->actor;
    batch_job_t *job = upload->job;
    int taken = 0;
    apr_status_t rv =
        batch_tx_job_get(tx, job, upload->id, actor->organization, BATCH_API_RESOURCES, upload->p);

    if (rv == APR_SUCCESS) {
        batch_status_expire(job, batch_tx_now(tx));
        rv = restore_terms(&upload->terms, job, upload->engine, upload->p);
    }
    if (rv == APR_SUCCESS && actor->may && upload->terms.resource &&
        !actor->may(actor->may_baton, upload->terms.resource, job->action)) {
        return BATCH_EFORBIDDEN;
    }
    if (rv == APR_SUCCESS) {
        rv = batch_status_allows(job, BATCH_EVENT_UPLOAD, batch_tx_error(tx), upload->p);
    }
    if (rv == APR_SUCCESS) {
        rv = is_taken(tx, &taken, upload, ptemp);
    }
    if (rv == APR_SUCCESS && taken) {
        return batch_error_set(batch_tx_error(tx), BATCH_ECONFLICT, NULL, upload->p,
                               "an upload of this batch is under way");
    }
    if (rv == APR_SUCCESS && !upload->terms.resource) {
        return batch_error_set(batch_tx_error(tx), BATCH_ECONFLICT, NULL, upload->p,
                               "the resource of this batch is not configured any more");
    }
    return rv == APR_SUCCESS ? batch_tx_upload_reset(tx, job, &upload->more, &upload->owner,
                                                     batch_tx_now(tx), upload->engine->limits.lease)
                             : rv;
}

apr_status_t batch_upload_begin(batch_upload_t **upload, batch_job_t *job,
                                const batch_engine_t *engine, const batch_actor_t *actor,
                                const char *id, batch_error_t *err, apr_pool_t *p)
{
    batch_upload_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv = batch_host_self(&made->owner, p);

    made->magic = UPLOAD_MAGIC;
    memset(job, 0, sizeof(*job));
    *upload = made;
    made->engine = engine;
    made->actor = actor;
    made->job = job;
    made->id = id;
    made->p = p;
    do { /* What one before has left goes in pieces. */
        made->more = 0;
        if (rv == APR_SUCCESS) {
            rv = batch_job_change(job, engine, begin_body, made, BATCH_CHANGE, id, err, p);
        }
    } while (rv == APR_SUCCESS && made->more);
    made->reported = apr_time_now();
    return rv;
}

const batch_terms_t *batch_upload_terms(const batch_upload_t *upload)
{
    return &upload->terms;
}

const batch_resource_t *batch_upload_resource(const batch_upload_t *upload)
{
    return upload->terms.resource;
}

static void check_member(batch_problems_t *problems, const char *field, const char *sent,
                         const char *wanted)
{
    if (sent && strcmp(sent, wanted) != 0) {
        batch_problem_add(problems, field, "is %s for this batch: leave it out", wanted);
    }
}

void batch_upload_check(batch_problems_t *problems, const batch_upload_t *upload,
                        const batch_resources_request_t *request)
{
    const batch_job_t *job = upload->job;

    check_member(problems, "resource", request->resource, job->resource);
    check_member(problems, "action", request->action, batch_action_name(job->action));
    check_member(problems, "mode", request->mode, batch_mode_name(job->mode));
    check_member(problems, "duplicate_handling", request->duplicate_handling,
                 batch_duplicates_name(job->duplicate_handling));
    if (request->properties && request->properties->nelts) {
        batch_problem_add(problems, "properties",
                          "must be sent when the batch is made, not with its upload");
    }
    if (!request->has_data) {
        batch_problem_add(problems, "data",
                          "is required in an object; a file of one object a line has the "
                          "Content-Type application/x-ndjson");
    }
}

/* ---- Transactions of an upload ----------------------------------------------------------------
 */

/* Runs one; what it did to the job is undone where it fails. */
static apr_status_t change(batch_upload_t *upload, batch_tx_fn *body, void *baton,
                           batch_change_e kind, batch_error_t *err)
{
    batch_job_t *job = upload->job;
    apr_status_t rv;

    upload->before = *job;
    rv = batch_job_change(job, upload->engine, body, baton, kind, job->id, err, upload->p);
    if (rv != APR_SUCCESS) {
        *job = upload->before;
    }
    if (rv == BATCH_EFENCED || rv == BATCH_ENOTFOUND) {
        rv = batch_error_set(err, BATCH_ECONFLICT, NULL, upload->p,
                             "the batch was cancelled, or another upload has taken its place");
    }
    return rv;
}

static apr_status_t report_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_upload_t *upload = BATCH_CAST(batch_upload_t, baton, UPLOAD_MAGIC);

    (void)ptemp;
    *upload->job = upload->before;
    return batch_tx_upload_progress(tx, upload->job, &upload->owner, upload->engine->limits.lease,
                                    upload->count);
}

apr_status_t batch_upload_report(batch_upload_t *upload, apr_int64_t count, batch_error_t *err)
{
    batch_error_t ignored = {0};
    apr_time_t now = apr_time_now();
    apr_status_t rv;

    if (now - upload->reported < REPORT_INTERVAL) {
        return APR_SUCCESS;
    }
    upload->reported = now;
    upload->count = count;
    rv = change(upload, report_body, upload, BATCH_CHANGE_ON_WAY, &ignored);
    if (rv != BATCH_ECONFLICT) {
        return APR_SUCCESS;
    }
    *err = ignored;
    return rv;
}

static apr_status_t release_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_upload_t *upload = BATCH_CAST(batch_upload_t, baton, UPLOAD_MAGIC);

    (void)ptemp;
    *upload->job = upload->before;
    return batch_tx_upload_reset(tx, upload->job, NULL, NULL, 0, 0);
}

void batch_upload_release(batch_upload_t *upload)
{
    batch_error_t err = {0};
    apr_status_t rv = change(upload, release_body, upload, BATCH_CHANGE, &err);

    if (rv != APR_SUCCESS && rv != BATCH_ECONFLICT) {
        batch_log(upload->engine->logger, BATCH_LOG_WARNING, err.tag ? err.tag : "MB0420", rv,
                  upload->job,
                  "cannot give back a batch whose upload broke off, it waits for its lease: %s",
                  err.message ? err.message : "no details");
    }
}

static apr_status_t fail_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_upload_t *upload = BATCH_CAST(batch_upload_t, baton, UPLOAD_MAGIC);
    batch_job_t *job = upload->job;
    apr_status_t rv;

    (void)ptemp;
    *job = upload->before;
    rv = batch_tx_upload_reset(tx, job, NULL, &upload->owner, job->upload_began_at,
                               upload->engine->limits.lease);
    if (rv == APR_SUCCESS) {
        rv = batch_tx_belongings_leave(tx, job);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_status_fail(job, upload->reason, batch_tx_error(tx), upload->p);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_tx_job_received(tx, job);
    }
    return rv;
}

apr_status_t batch_upload_fail(batch_upload_t *upload, const char *reason, batch_error_t *err)
{
    upload->reason = reason;
    return change(upload, fail_body, upload, BATCH_CHANGE, err);
}

/* ---- Taking the items in ----------------------------------------------------------------------
 */

struct taking {
    batch_upload_t *upload;
    batch_intake_state_t intake;
};

/* Stores the group under way; the last one ends the upload. */
static apr_status_t group_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct taking *taking = baton;
    batch_upload_t *upload = taking->upload;
    batch_intake_state_t *intake = &taking->intake;
    apr_status_t rv;

    *intake->job = intake->before;
    rv = batch_intake_store_group(tx, intake, ptemp);
    if (rv == APR_SUCCESS) {
        rv = batch_tx_upload_progress(tx, intake->job, &upload->owner, upload->engine->limits.lease,
                                      intake->source->count);
    }
    return rv == APR_SUCCESS && intake->group.ended ? batch_intake_end(tx, intake, ptemp) : rv;
}

static apr_status_t take_groups(struct taking *taking, batch_error_t *err)
{
    batch_intake_state_t *intake = &taking->intake;
    apr_status_t rv = batch_intake_prepare(intake, err);

    while (rv == APR_SUCCESS) {
        intake->before = *intake->job;
        rv = change(taking->upload, group_body, taking,
                    intake->group.ended ? BATCH_CHANGE : BATCH_CHANGE_ON_WAY, err);
        if (rv != APR_SUCCESS || intake->group.ended) {
            break;
        }
        intake->before = *intake->job;
        rv = batch_intake_next_group(intake, err);
    }
    return rv;
}

apr_status_t batch_upload_take(batch_upload_t *upload, const batch_item_source_t *source,
                               const char *checksum, batch_problems_t *problems, batch_error_t *err)
{
    struct taking taking = {.upload = upload,
                            .intake = {.magic = BATCH_INTAKE_MAGIC,
                                       .engine = upload->engine,
                                       .terms = &upload->terms,
                                       .actor = upload->actor,
                                       .source = source,
                                       .job = upload->job,
                                       .p = upload->p}};
    apr_status_t rv;

    if (!batch_resources_check_count(problems, &upload->engine->limits, &upload->terms,
                                     source->count)) {
        return BATCH_EINVALID;
    }
    upload->job->checksum = checksum;
    rv = take_groups(&taking, err);
    batch_intake_finish(&taking.intake);
    return rv;
}

/* ---- Settling what came to nothing ------------------------------------------------------------
 */

struct settling {
    int *found;
    batch_owner_t self;
};

static int is_gone(void *baton, const batch_owner_t *owner)
{
    const struct settling *settling = baton;

    return batch_host_owner_gone(owner, &settling->self);
}

static apr_status_t settle_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct settling *settling = baton;
    batch_job_t job;
    apr_status_t rv = batch_tx_upload_overdue(tx, &job, is_gone, settling, ptemp);

    *settling->found = rv == APR_SUCCESS;
    if (rv != APR_SUCCESS) {
        return rv == BATCH_ENOTFOUND ? APR_SUCCESS : rv;
    }
    rv = batch_tx_upload_reset(tx, &job, NULL, NULL, 0, 0);
    if (rv == APR_SUCCESS && batch_status_expire(&job, batch_tx_now(tx))) {
        rv = batch_tx_belongings_leave(tx, &job);
        if (rv == APR_SUCCESS) {
            rv = batch_tx_job_cancel(tx, &job);
        }
    }
    return rv;
}

apr_status_t batch_uploads_settle(int *found, const batch_engine_t *engine, batch_error_t *err,
                                  apr_pool_t *ptemp)
{
    struct settling settling = {found, {NULL, 0, 0}};
    apr_status_t rv = batch_host_self(&settling.self, ptemp);

    *found = 0;
    if (rv == APR_SUCCESS) {
        rv = batch_store_write(engine->store, settle_body, &settling, err, ptemp);
    }
    /* Somebody else was faster: that is settled, too. */
    return rv == BATCH_EFENCED || rv == BATCH_ECONFLICT ? APR_SUCCESS : rv;
}

/*
 * Batches of the resources API that are made without their items, which come in an upload of their
 * own.
 *
 * Such a job is `requested`. While its upload is being received it stays so, with an owner, a
 * lease, and the numbers of the phase parsing, which move; nobody else can send one then. Whatever
 * ends an upload before its last transaction leaves a job that waits for another, with nothing
 * stored: at once where the request ends, when the next one begins, or at the next cleaning. Every
 * transaction is fenced by the job's revision, so that a cancelled batch, or an upload that was
 * silent for longer than its lease, stores no more.
 */
#ifndef BATCH_ENGINE_UPLOAD_H
#define BATCH_ENGINE_UPLOAD_H

#include "batch.h"
#include "engine/intake.h"
#include "engine/jobs.h"

typedef struct batch_upload batch_upload_t;

/**
 * Makes a job that waits for its upload until limits.url_ttl from now; durable when this returns.
 * *job is filled, strings in p. BATCH_EFORBIDDEN as in jobs.h.
 */
apr_status_t batch_upload_request(batch_job_t *job, const batch_engine_t *engine,
                                  const batch_actor_t *actor, const batch_terms_t *terms,
                                  batch_error_t *err, apr_pool_t *p);

/**
 * Begins the upload of a job, which is the actor's organization's: nobody else can until it ends.
 * *job is filled (strings in p) and kept up to date by the calls below. BATCH_ECONFLICT: it waits
 * for none, or another is under way; job->status tells, BATCH_STATUS_EXPIRED among others.
 * BATCH_EFORBIDDEN as in jobs.h. Each upload that was begun must be ended by batch_upload_take,
 * batch_upload_fail or batch_upload_release.
 */
apr_status_t batch_upload_begin(batch_upload_t **upload, batch_job_t *job,
                                const batch_engine_t *engine, const batch_actor_t *actor,
                                const char *id, batch_error_t *err, apr_pool_t *p);

/** What the job was made from. Stands as long as the upload. */
const batch_terms_t *batch_upload_terms(const batch_upload_t *upload);

/** The resource of the job: its items are read for it. */
const batch_resource_t *batch_upload_resource(const batch_upload_t *upload);

/**
 * Adds a problem for every member of the body's request that contradicts the job, or comes too
 * late.
 */
void batch_upload_check(batch_problems_t *problems, const batch_upload_t *upload,
                        const batch_resources_request_t *request);

/**
 * Says that count items have come so far; writes it about once a second, which renews the lease
 * too. BATCH_ECONFLICT: the job has been cancelled, or taken over, and nothing can be stored any
 * more. That the database cannot be used just now is no failure.
 */
apr_status_t batch_upload_report(batch_upload_t *upload, apr_int64_t count, batch_error_t *err);

/**
 * Takes the items in, with the body's checksum: durable when this returns APR_SUCCESS, with the job
 * queued, or final where no item is left to be applied. BATCH_ECONFLICT as above. BATCH_EINVALID:
 * problems says what is wrong with the items as a whole (none, too many); the upload has not ended.
 */
apr_status_t batch_upload_take(batch_upload_t *upload, const batch_item_source_t *source,
                               const char *checksum, batch_problems_t *problems,
                               batch_error_t *err);

/** Ends the job as failed, for that reason: what came was not what it takes. */
apr_status_t batch_upload_fail(batch_upload_t *upload, const char *reason, batch_error_t *err);

/** Ends an upload that came to nothing: the job waits for another. Failures are logged only. */
void batch_upload_release(batch_upload_t *upload);

/**
 * Ends one requested job whose time is over, or readies one whose upload has broken off, of any
 * organization, in one short transaction. *found: 0 when there is none left.
 */
apr_status_t batch_uploads_settle(int *found, const batch_engine_t *engine, batch_error_t *err,
                                  apr_pool_t *ptemp);

#endif

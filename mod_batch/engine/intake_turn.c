/*
 * The mode sync where another batch is at the same rows: the request waits for its turn, in line
 * with the batches that wait for a worker.
 */
#include "engine/intake_private.h"

#include <apr_strings.h>

#include "engine/change.h"
#include "engine/host.h"
#include "engine/turn.h"
#include "text/check.h"

/* How long a request waits for its turn. */
#define TURN_PATIENCE apr_time_from_sec(5)

/*
 * How long it stands in line if it does not say that it is still there, and how often it says so:
 * those behind it must not wait long for one that has died.
 */
#define LINE_LEASE apr_time_from_sec(4)
#define LINE_STAY  apr_time_from_sec(1)

/* How often it looks: from the first to the last pause. */
#define FIRST_PAUSE apr_time_from_msec(2)
#define LAST_PAUSE  apr_time_from_msec(50)

/* What a batch has at most that others may have to wait for, and bytes of its texts. */
#define SHORT_ITEMS 100
#define SHORT_BYTES (64 * 1024)

/* ---- Lining up --------------------------------------------------------------------------------
 */

static apr_status_t line_up_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_intake_state_t *intake = BATCH_CAST(batch_intake_state_t, baton, BATCH_INTAKE_MAGIC);
    batch_job_t *job = intake->job;
    batch_owner_t owner;
    int behind;
    apr_status_t rv;

    *job = intake->before;
    rv = batch_tx_target_queue(tx, &behind, job);
    if (rv == APR_SUCCESS && job->seq) {
        return batch_tx_job_line_up(tx, job, LINE_LEASE);
    }
    if (rv == APR_SUCCESS) {
        job->lease_until = batch_tx_now(tx) + LINE_LEASE;
        rv = batch_host_self(&owner, ptemp);
    }
    return rv == APR_SUCCESS ? batch_tx_job_insert(tx, job, &owner) : rv;
}

static apr_status_t line_up(batch_intake_state_t *intake, batch_error_t *err)
{
    apr_status_t rv;

    if (intake->before.queued_at) {
        return APR_SUCCESS;
    }
    rv = batch_job_change(intake->job, intake->engine, line_up_body, intake, BATCH_CHANGE, NULL,
                          err, intake->p);
    if (rv == APR_SUCCESS) {
        intake->before = *intake->job;
    }
    return rv;
}

/* ---- Waiting ----------------------------------------------------------------------------------
 */

struct look {
    const batch_job_t *job;
    int earlier;
};

static apr_status_t look_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct look *look = baton;

    (void)ptemp;
    return batch_tx_target_earlier(tx, &look->earlier, look->job);
}

static apr_status_t stay_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_stay_in_line(tx, baton, LINE_LEASE);
}

/* Without that others may go before it: it is still behind those that it finds then. */
static void stay_in_line(batch_intake_state_t *intake, apr_time_t *said, apr_pool_t *ptemp)
{
    batch_error_t ignored = {0};

    if (apr_time_now() - *said > LINE_STAY) {
        (void)batch_store_write_async(intake->engine->store, stay_body, &intake->before, &ignored,
                                      ptemp);
        *said = apr_time_now();
    }
}

static apr_status_t give_up(const batch_intake_state_t *intake, batch_error_t *err)
{
    return batch_error_set(err, BATCH_EBUSY, NULL, intake->p,
                           "an earlier batch of the resource %s has not ended: try again, or send "
                           "the batch with the mode mixed, which waits for its turn",
                           intake->terms->resource->name);
}

/*
 * A transaction of the batch has returned BATCH_EBUSY: stands in line until it is its turn, for so
 * long as it may wait. `before` is what the job is then.
 */
static apr_status_t await_turn(batch_intake_state_t *intake, batch_error_t *err)
{
    batch_store_t *store = intake->engine->store;
    apr_interval_time_t pause = FIRST_PAUSE;
    struct look look = {&intake->before, 1};
    apr_status_t rv = line_up(intake, err);
    apr_time_t said = apr_time_now();
    apr_pool_t *ptemp;

    intake->patient_until =
        intake->patient_until ? intake->patient_until : apr_time_now() + TURN_PATIENCE;
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&ptemp, intake->p);
    }
    while (rv == APR_SUCCESS && look.earlier) {
        if (apr_time_now() > intake->patient_until || batch_store_is_ending(store)) {
            return give_up(intake, err);
        }
        apr_sleep(pause);
        pause = pause * 3 / 2 < LAST_PAUSE ? pause * 3 / 2 : LAST_PAUSE;
        apr_pool_clear(ptemp);
        stay_in_line(intake, &said, ptemp);
        rv = batch_store_read(store, look_body, &look, err, ptemp);
    }
    return rv;
}

/* ---- Its turn ---------------------------------------------------------------------------------
 */

apr_status_t batch_intake_look_around(batch_tx_t *tx, batch_intake_state_t *intake)
{
    int is_ours = 1;
    apr_status_t rv = APR_SUCCESS;

    if (intake->whole && intake->terms->mode == BATCH_MODE_SYNC) {
        return APR_SUCCESS;
    }
    rv = batch_tx_target_try(tx, &is_ours, intake->job->target);
    intake->in_company = !is_ours;
    return rv == APR_SUCCESS && is_ours
               ? batch_tx_target_earlier(tx, &intake->in_company, intake->job)
               : rv;
}

/* 1 if what becomes of an item may depend on whether there is a row that it names. */
static int looks_at_rows(const batch_intake_state_t *intake)
{
    int i;

    for (i = 0; intake->whole && i < intake->group.count; i++) {
        if (intake->group.judged[i].look) {
            return 1;
        }
    }
    return !intake->whole;
}

apr_status_t batch_intake_take_turn(batch_tx_t *tx, batch_intake_state_t *intake)
{
    batch_job_t *job = intake->job;
    int changed = 0;
    apr_status_t rv;

    if (intake->terms->mode != BATCH_MODE_SYNC || intake->undone) {
        return APR_SUCCESS;
    }
    intake->asks_for_turn = 1;
    rv = batch_turn_take(tx, job, intake->terms->resource, looks_at_rows(intake));
    intake->asks_for_turn = rv != APR_SUCCESS;
    if (rv == APR_SUCCESS && job->received) {
        rv = batch_tx_target_changed(tx, &changed, job, batch_job_judged_since(job));
        job->judge_again = changed || intake->in_company;
    }
    return rv;
}

/*
 * 1 if the batch is short, whatever its rows are like, and nothing is known to go wrong with it: it
 * may share its COMMIT with others. An overwrite walks over rows that it does not name.
 */
static int is_short(const batch_intake_state_t *intake)
{
    return intake->whole && intake->care == BATCH_SYNC_AT_ONCE &&
           intake->group.count <= SHORT_ITEMS && intake->group.bytes <= SHORT_BYTES &&
           !batch_action_is(intake->terms->action, BATCH_ACTION_CLEANS_UP);
}

apr_status_t batch_intake_run_in_turn(batch_intake_state_t *intake, batch_tx_fn *body,
                                      batch_error_t *err)
{
    apr_status_t rv;

    do {
        rv = batch_job_change(intake->job, intake->engine, body, intake,
                              is_short(intake) ? BATCH_CHANGE_SHARED : BATCH_CHANGE, NULL, err,
                              intake->p);
        if (rv == BATCH_EUNAVAILABLE && intake->asks_for_turn) {
            return give_up(intake, err); /* the others that hold the target took too long */
        }
        if (rv != BATCH_EBUSY) {
            return rv;
        }
        rv = await_turn(intake, err);
    } while (rv == APR_SUCCESS);
    return rv;
}

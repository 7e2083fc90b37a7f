/* The queue in the module's own tables: claims, the fence, progress, what is given back. */
/* needs: database */
#include "store_jobs.h"

static apr_status_t claim(claiming_t *claiming, apr_int64_t pid, apr_interval_time_t lease)
{
    batch_owner_t owner = {"host-1", pid, 99};
    batch_claim_t request = {&claiming->owner, lease, runnable,  owner_gone,
                             claiming,         NULL,  processing};

    claiming->owner = owner;
    claiming->claim = request;
    return batch_store_write(store, claim_body, claiming, &err, pool);
}

static apr_status_t fence_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_fence(tx, baton, apr_time_from_sec(30));
}

static apr_status_t progress_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_progress(tx, baton);
}

static apr_status_t release_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_release(tx, baton);
}

static apr_status_t fence(batch_job_t *job)
{
    return batch_store_write(store, fence_body, job, &err, pool);
}

static apr_status_t progress(batch_job_t *job)
{
    return batch_store_write(store, progress_body, job, &err, pool);
}

static void queue(batch_job_t *job, const char *resource, apr_time_t queued_at)
{
    *job = new_job("acme");
    job->resource = resource;
    job->status = BATCH_STATUS_QUEUED;
    job->queued_at = queued_at;
    job->total = 10;
    job->operations = "[1]";
    put(job);
}

static void test_claim(void)
{
    claiming_t claiming = {.gone = -1};
    batch_job_t first, second, third, found;

    native(path, "DELETE FROM batch_jobs");
    is_number(claim(&claiming, 1, 1000), BATCH_ENOTFOUND, "an empty queue");
    queue(&second, "record", 200);
    queue(&first, "record", 100);
    queue(&third, "contact", 50);
    claiming.only = "record";
    is_number(claim(&claiming, 1, apr_time_from_sec(30)), APR_SUCCESS, "a claim");
    is_string(claiming.job.id, first.id, "the oldest that is runnable");
    ok(claiming.job.status == BATCH_STATUS_PROCESSING && claiming.job.epoch == 1 &&
           claiming.job.claims == 1 && claiming.job.started_at > 0 && claiming.job.revision == 2,
       "is ours, with epoch, claims and start");
    is_string(claiming.job.operations, "[1]", "and whole");
    found = again(&first);
    ok(found.epoch == 1 && found.started_at == claiming.job.started_at, "so it is stored");
    first = claiming.job;
    is_number(claim(&claiming, 2, apr_time_from_sec(30)), APR_SUCCESS, "the next");
    is_string(claiming.job.id, second.id, "by age");
    is_number(claim(&claiming, 3, apr_time_from_sec(30)), BATCH_ENOTFOUND,
              "no more that is runnable");
    ok(claiming.asked >= 2, "owners were asked about");
    claiming.gone = 1;
    is_number(claim(&claiming, 3, apr_time_from_sec(30)), APR_SUCCESS, "an owner is gone");
    is_string(claiming.job.id, first.id, "its job is taken over");
    ok(claiming.job.epoch == 2 && claiming.job.claims == 2 &&
           claiming.job.started_at == first.started_at,
       "its start stays");
    is_number(fence(&first), BATCH_EFENCED, "the old owner is fenced off");
    first.position = 5;
    is_number(progress(&first), BATCH_EFENCED, "its progress too");
    is_number(batch_store_write(store, release_body, &first, &err, pool), BATCH_EFENCED,
              "it cannot give it back either");
    is_number(fence(&claiming.job), APR_SUCCESS, "the new one passes");
    first = claiming.job;
    is_number(batch_store_write(store, release_body, &first, &err, pool), APR_SUCCESS,
              "a job is given back");
    found = again(&first);
    ok(found.status == BATCH_STATUS_PROCESSING && found.claims == 1, "that does not count");
    queue(&third, "record", 10);
    claiming.gone = -1;
    is_number(claim(&claiming, 4, apr_time_from_sec(-1)), APR_SUCCESS, "what was begun");
    is_string(claiming.job.id, first.id, "goes before what is queued");
    is_number(claim(&claiming, 5, apr_time_from_sec(30)), APR_SUCCESS, "a lease that has run out");
    is_string(claiming.job.id, first.id, "is no lease");
    is_number(claiming.job.epoch, 4, "each claim is another epoch");
    is_number(claim(&claiming, 6, apr_time_from_sec(30)), APR_SUCCESS, "then the queue");
    is_string(claiming.job.id, third.id, "again");
}

static void test_progress(void)
{
    claiming_t claiming = {.gone = -1};
    batch_job_t job, stale;

    native(path, "DELETE FROM batch_jobs");
    queue(&job, "record", 100);
    claim(&claiming, 1, apr_time_from_sec(30));
    job = stale = claiming.job;
    is_number(fence(&job), APR_SUCCESS, "fence");
    ok(number("SELECT lease_until FROM batch_jobs") > apr_time_now() + apr_time_from_sec(25),
       "renews the lease");
    job.position = 4;
    job.counts.deleted = 3;
    job.counts.errors = 1;
    is_number(progress(&job), APR_SUCCESS, "progress");
    ok(again(&job).position == 4 && again(&job).counts.deleted == 3 &&
           again(&job).counts.errors == 1 && again(&job).claims == 0 &&
           again(&job).completed_at == 0 && again(&job).revision == job.revision,
       "is stored");
    is_number(fence(&stale), BATCH_EFENCED, "an older position is fenced off");
    is_number(fence(&job), APR_SUCCESS, "the new one is not");
    stale = job;
    stale.epoch--;
    is_number(fence(&stale), BATCH_EFENCED, "an older epoch is");
    stale = job;
    stale.id = "another";
    is_number(fence(&stale), BATCH_EFENCED, "another id is");
    job.position = 10;
    job.counts.created = 1;
    job.counts.updated = 2;
    job.counts.overwritten = 5;
    job.counts.duplicates = 6;
    job.status = BATCH_STATUS_FAILED;
    job.reason = "none was left";
    is_number(progress(&job), APR_SUCCESS, "the last progress");
    stale = again(&job);
    ok(stale.status == BATCH_STATUS_FAILED && stale.completed_at > 0 &&
           stale.completed_at == job.completed_at && stale.counts.created == 1 &&
           stale.counts.updated == 2 && stale.counts.overwritten == 5 &&
           stale.counts.duplicates == 6,
       "is final");
    is_string(stale.reason, "none was left", "with its reason");
    is_string(native(path, "SELECT owner_host FROM batch_jobs"), "NULL", "nobody's");
    is_number(fence(&job), BATCH_EFENCED, "and fenced for good");
    is_number(claim(&claiming, 2, 1), BATCH_ENOTFOUND, "never claimed again");
}

static void test_claim_windows(void)
{
    claiming_t claiming = {.gone = -1, .only = "record"};
    batch_job_t job;
    int i;

    native(path, "DELETE FROM batch_jobs");
    for (i = 0; i < 130; i++) {
        queue(&job, "contact", 100); /* all of one age, and not for this engine */
    }
    queue(&job, "record", 100);
    is_number(claim(&claiming, 1, apr_time_from_sec(30)), APR_SUCCESS, "behind 130 others");
    is_string(claiming.job.id, job.id, "the one for us is found");
    native(path, "DELETE FROM batch_jobs");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    store = open_store(path, 5000);
    test_claim();
    test_progress();
    test_claim_windows();
    batch_store_destroy(store);
    return fixture_end();
}

/* Jobs of the resources API: what is kept of them, receiving, cancelling, lists with filters. */
/* needs: database */
#include "store_jobs.h"
#include "text/uuid.h"

static const batch_owner_t receiver = {"host-1", 7, 99};

static apr_status_t receive_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_insert(tx, baton, &receiver);
}

static apr_status_t received_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_received(tx, baton);
}

static apr_status_t cancel_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_cancel(tx, baton);
}

static apr_status_t progress_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_progress(tx, baton);
}

static apr_status_t update_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_update(tx, baton);
}

static apr_status_t fence_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_fence(tx, baton, apr_time_from_sec(30));
}

static apr_status_t write_with(batch_tx_fn *fn, batch_job_t *job)
{
    return batch_store_write(store, fn, job, &err, pool);
}

/* Jobs whose place in the order by status is not that of their status. */
static long long misplaced(void)
{
    return number("SELECT count(*) FROM batch_jobs WHERE status_rank <> CASE WHEN status IN"
                  " ('failed', 'timed_out', 'expired') THEN 1 WHEN status = 'pending' THEN 2"
                  " WHEN status = 'completed' THEN 4 ELSE 3 END");
}

static batch_job_t resources_job(const char *organization, batch_api_e api, batch_status_e status)
{
    batch_job_t job = new_job(organization);

    job.api = api;
    job.status = status;
    job.resource = "contact";
    job.action = BATCH_ACTION_MERGE;
    job.form_id = NULL;
    job.mode = BATCH_MODE_MIXED;
    return job;
}

static apr_status_t claim(claiming_t *claiming)
{
    batch_owner_t owner = {"host-1", 1, 99};
    batch_claim_t request = {
        &claiming->owner, apr_time_from_sec(30), runnable, owner_gone, claiming, NULL, processing};

    claiming->owner = owner;
    claiming->claim = request;
    return batch_store_write(store, claim_body, claiming, &err, pool);
}

static void test_members(void)
{
    batch_job_t job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_COMPLETED), found;

    job.via = BATCH_VIA_FILE;
    job.duplicate_handling = BATCH_DUPLICATES_IGNORE_ALL;
    job.save_upload = 1;
    job.checksum = "abc";
    job.received = 11;
    job.invalid = 12;
    job.stored = 13;
    job.cleanup_total = 14;
    job.cleanup_done = 15;
    job.cleanup_key = "k";
    job.parsed_at = 16;
    job.validated_at = 17;
    job.processed_at = 18;
    is_number(put(&job), APR_SUCCESS, "a job that is final at once");
    found = again(&job);
    ok(found.mode == BATCH_MODE_MIXED && found.via == BATCH_VIA_FILE &&
           found.duplicate_handling == BATCH_DUPLICATES_IGNORE_ALL && found.save_upload == 1 &&
           !strcmp(found.checksum, "abc") && found.received == 11 && found.invalid == 12 &&
           found.stored == 13 && found.cleanup_total == 14 && found.cleanup_done == 15 &&
           !strcmp(found.cleanup_key, "k") && found.parsed_at == 16 && found.validated_at == 17 &&
           found.processed_at == 18,
       "all that the resources API keeps comes back");
    ok(found.completed_at >= found.created_at && found.completed_at == found.updated_at &&
           found.completed_at == job.completed_at && found.created_at == job.created_at,
       "it was completed in the transaction that made it");
    is_string(native(path, "SELECT coalesce(owner_host, 'nobody') FROM batch_jobs"), "nobody",
              "by nobody");
    job = new_job("acme");
    put(&job);
    job.stored = 9;
    is_number(write_with(update_body, &job), APR_SUCCESS, "an update");
    is_number(again(&job).stored, 9, "writes how many items are stored");
    native(path, "UPDATE batch_jobs SET mode = 'sideways'");
    is_number(get(&found, job.id, "acme", BATCH_API_RECORDS), BATCH_EUNAVAILABLE,
              "a word that nobody knows");
    native(path, "DELETE FROM batch_jobs");
}

typedef struct listing {
    batch_job_query_t query;
    apr_int64_t total;
    int count;
    int others; /* jobs that should not be there */
} listing_t;

static apr_status_t note_job(void *baton, const batch_job_t *job)
{
    listing_t *listing = baton;
    const batch_job_query_t *query = &listing->query;

    listing->count++;
    listing->others +=
        job->api != query->api || strcmp(job->organization, query->organization) != 0 ||
        (query->resource && strcmp(job->resource, query->resource) != 0) ||
        (query->mode && strcmp(batch_mode_name(job->mode), query->mode) != 0) ||
        (query->via && strcmp(batch_via_name(job->via), query->via) != 0) ||
        (query->status && strcmp(batch_status_name(job->status), query->status) != 0) ||
        (query->action && strcmp(batch_action_name(job->action), query->action) != 0);
    return APR_SUCCESS;
}

static apr_status_t list_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    listing_t *listing = baton;

    listing->count = listing->others = 0;
    return batch_tx_job_list(tx, &listing->total, &listing->query, note_job, listing, ptemp);
}

/* How many jobs a list has: -1 if its total says otherwise, or if a wrong one is among them. */
static int listed(batch_job_query_t query)
{
    listing_t listing = {.query = query};

    listing.query.organization = "acme";
    listing.query.api = BATCH_API_RESOURCES;
    listing.query.limit = 1000;
    return batch_store_read(store, list_body, &listing, &err, pool) == APR_SUCCESS &&
                   !listing.others && listing.total == listing.count
               ? listing.count
               : -1;
}

static void test_receiving(void)
{
    batch_job_t job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING), found,
                stale;
    claiming_t claiming = {.gone = -1};

    is_number(write_with(receive_body, &job), APR_SUCCESS, "a job that is being received");
    is_string(native(path, "SELECT owner_host FROM batch_jobs WHERE owner_pid = 7 AND "
                           "owner_start_time = 99"),
              "host-1", "says by whom");
    is_number(claim(&claiming), BATCH_ENOTFOUND, "nobody claims it");
    is_number(listed((batch_job_query_t){.descending = 0}), 0, "no list has it");
    ok(get(&found, job.id, "acme", BATCH_API_RESOURCES) == BATCH_ENOTFOUND &&
           get(&found, job.id, "acme", BATCH_API_RECORDS) == BATCH_ENOTFOUND,
       "no API reads it");
    stale = job;
    job.status = BATCH_STATUS_QUEUED;
    job.counts.duplicates = 1;
    job.counts.errors = 2;
    job.total = 3;
    job.stored = 6;
    job.received = 6;
    job.invalid = 2;
    job.queued_at = 7;
    job.parsed_at = 8;
    job.validated_at = 9;
    is_number(write_with(received_body, &job), APR_SUCCESS, "it has been received");
    found = again(&job);
    ok(found.seq == job.seq && found.status == BATCH_STATUS_QUEUED && found.counts.errors == 2 &&
           found.counts.duplicates == 1 && found.total == 3 && found.stored == 6 &&
           found.received == 6 && found.invalid == 2 && found.queued_at == 7 &&
           found.parsed_at == 8 && found.validated_at == 9 && found.completed_at == 0 &&
           found.revision == 2 && job.revision == 2 && found.updated_at == job.updated_at,
       "and says what came of it");
    is_string(native(path, "SELECT coalesce(owner_host, 'nobody') FROM batch_jobs"), "nobody",
              "it is nobody's");
    is_number(listed((batch_job_query_t){.descending = 1}), 1, "a list has it");
    is_number(write_with(received_body, &stale), BATCH_ECONFLICT, "it is not received twice");
    is_number(claim(&claiming), APR_SUCCESS, "now it is claimed");
    stale.id = batch_uuid_make(pool);
    is_number(write_with(received_body, &stale), BATCH_ENOTFOUND, "one that was removed");
    job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
    write_with(receive_body, &job);
    job.status = BATCH_STATUS_FAILED;
    job.reason = "no item is valid";
    is_number(write_with(received_body, &job), APR_SUCCESS, "one of which nothing is left");
    found = again(&job);
    ok(found.status == BATCH_STATUS_FAILED && found.completed_at > 0 &&
           found.completed_at == job.completed_at && !strcmp(found.reason, "no item is valid"),
       "is final");
    is_number(misplaced(), 0, "and in its place among the statuses");
    native(path, "DELETE FROM batch_jobs");
}

typedef struct sweep {
    claiming_t claiming;
    apr_interval_time_t patience;
    int limit;
    int removed;
} sweep_t;

static apr_status_t sweep_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    sweep_t *sweep = baton;
    batch_claim_t request = {&sweep->claiming.owner, 0,    runnable,  owner_gone,
                             &sweep->claiming,       NULL, processing};

    return batch_tx_jobs_abandoned(tx, &sweep->removed, &request, sweep->patience, sweep->limit,
                                   ptemp);
}

static int sweep_up(apr_int64_t gone, apr_interval_time_t patience, int limit)
{
    sweep_t sweep = {.claiming = {.gone = gone}, .patience = patience, .limit = limit};

    return batch_store_write(store, sweep_body, &sweep, &err, pool) == APR_SUCCESS ? sweep.removed
                                                                                   : -1;
}

static apr_status_t fill_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_t *job = baton;
    batch_segment_t segment = {0, 1, apr_pstrdup(ptemp, "0.0.0;~"), 7};

    return batch_tx_segment_insert(tx, job, &segment);
}

static apr_status_t expire_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    return batch_tx_jobs_expire(tx, baton, -apr_time_from_sec(10), 100, ptemp);
}

/* The leases of all jobs ended so many seconds ago, by the clock that both drivers share here. */
static void lease_ended(int seconds)
{
    native(path, apr_psprintf(pool, "UPDATE batch_jobs SET lease_until = %" APR_TIME_T_FMT,
                              apr_time_now() - apr_time_from_sec(seconds)));
}

static void test_abandoned(void)
{
    batch_job_t job, other = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_REQUESTED);
    int i, removed = -1;

    put(&other);
    for (i = 0; i < 3; i++) {
        job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
        write_with(receive_body, &job);
        write_with(fill_body, &job);
    }
    is_number(sweep_up(8, apr_time_from_sec(60), 10), 0,
              "while their owner lives jobs are received");
    is_number(sweep_up(7, apr_time_from_sec(60), 2), 2, "once it is gone they go, some at a time");
    is_number(number("SELECT count(*) FROM batch_items"), 1, "with their items");
    is_number(sweep_up(7, apr_time_from_sec(60), 10), 1, "to the last");
    job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
    put(&job); /* of nobody */
    is_number(sweep_up(7, apr_time_from_sec(60), 10), 0, "one of nobody has its time");
    is_number(sweep_up(8, -apr_time_from_sec(1), 10), 1, "and no more");
    is_number(number("SELECT count(*) FROM batch_jobs"), 1, "other jobs stay");
    for (i = 0; i < 150; i++) {
        job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
        put(&job);
    }
    job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
    write_with(receive_body, &job);
    is_number(sweep_up(7, apr_time_from_sec(60), 10), 1, "one behind many");
    job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
    put(&job);
    is_number(batch_store_write(store, expire_body, &removed, &err, pool), APR_SUCCESS, "expiry");
    is_number(removed, 0, "is not for jobs that are being received");
    native(path, "DELETE FROM batch_jobs");
    job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
    write_with(receive_body, &job);
    lease_ended(1);
    is_number(sweep_up(8, apr_time_from_sec(60), 10), 0, "one in line may be late");
    lease_ended(15);
    is_number(sweep_up(8, apr_time_from_sec(60), 10), 1,
              "but not for long, though its owner lives");
    native(path, "DELETE FROM batch_jobs");
}

static void test_cancel(void)
{
    claiming_t claiming = {.gone = -1};
    batch_job_t job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_QUEUED), found, old;

    job.queued_at = 1;
    job.total = job.stored = 10;
    put(&job);
    claim(&claiming);
    job = old = again(&job);
    job.status = BATCH_STATUS_FAILED;
    job.reason = "cancelled by Bob Baker";
    job.updated_by = "Bob Baker";
    job.updated_by_id = "bob-id";
    is_number(write_with(cancel_body, &job), APR_SUCCESS, "a job that is being processed");
    found = again(&job);
    ok(found.status == BATCH_STATUS_FAILED && !strcmp(found.reason, "cancelled by Bob Baker") &&
           !strcmp(found.updated_by, "Bob Baker") && !strcmp(found.updated_by_id, "bob-id") &&
           found.completed_at > 0 && found.completed_at == job.completed_at &&
           found.epoch == old.epoch + 1 && found.epoch == job.epoch &&
           found.revision == old.revision + 1 && found.revision == job.revision &&
           found.updated_at == job.updated_at,
       "is cancelled");
    is_string(native(path,
                     "SELECT coalesce(owner_host, 'nobody') FROM batch_jobs WHERE lease_until "
                     "= 0"),
              "nobody", "it is nobody's");
    ok(write_with(fence_body, &claiming.job) == BATCH_EFENCED &&
           write_with(progress_body, &claiming.job) == BATCH_EFENCED,
       "and its worker is fenced off");
    is_number(claim(&claiming), BATCH_ENOTFOUND, "nobody claims it");
    is_number(write_with(cancel_body, &old), BATCH_ECONFLICT, "of an older revision");
    is_number(write_with(cancel_body, &job), BATCH_ECONFLICT, "of a final job");
    job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_RECEIVING);
    put(&job);
    is_number(write_with(cancel_body, &job), BATCH_ECONFLICT, "of one that is being received");
    is_number(misplaced(), 0, "each is in its place among the statuses");
    native(path, "DELETE FROM batch_jobs");
}

static void test_cleanup_progress(void)
{
    claiming_t claiming = {.gone = -1};
    batch_job_t job = resources_job("acme", BATCH_API_RESOURCES, BATCH_STATUS_QUEUED), found;

    put(&job);
    claim(&claiming);
    job = claiming.job;
    job.cleanup_total = 5;
    job.cleanup_done = 4;
    job.cleanup_key = "k4";
    job.processed_at = 77;
    is_number(write_with(progress_body, &job), APR_SUCCESS, "progress of the cleanup");
    found = again(&job);
    ok(found.cleanup_total == 5 && found.cleanup_done == 4 && !strcmp(found.cleanup_key, "k4") &&
           found.processed_at == 77 && found.completed_at == 0,
       "is stored");
    job.cleanup_done = 5;
    job.cleanup_key = NULL;
    job.status = BATCH_STATUS_COMPLETED;
    is_number(write_with(progress_body, &job), APR_SUCCESS, "the last of it");
    found = again(&job);
    ok(found.cleanup_done == 5 && !found.cleanup_key && found.processed_at == 77 &&
           found.status == BATCH_STATUS_COMPLETED && found.completed_at > 0,
       "too");
    is_number(misplaced(), 0, "and its place among the statuses");
    native(path, "DELETE FROM batch_jobs");
}

static void test_filters(void)
{
    static const batch_status_e statuses[] = {BATCH_STATUS_QUEUED, BATCH_STATUS_COMPLETED,
                                              BATCH_STATUS_FAILED};
    int i, right = 1;

    for (i = 0; i < 120; i++) {
        batch_job_t job =
            resources_job(i % 10 ? "acme" : "globex",
                          i % 5 == 1 ? BATCH_API_RECORDS : BATCH_API_RESOURCES, statuses[i % 3]);

        job.resource = i % 4 ? "contact" : "group";
        job.mode = i % 2 ? BATCH_MODE_SYNC : BATCH_MODE_MIXED;
        job.via = i % 7 ? BATCH_VIA_API : BATCH_VIA_FILE;
        job.action = i % 8 ? BATCH_ACTION_MERGE : BATCH_ACTION_DELETE;
        put(&job);
    }
    for (i = 0; i < 120; i++) {
        /* of acme, of the resources API: neither 0 mod 10 nor 1 mod 5 */
        right += i % 10 && i % 5 != 1;
    }
    is_number(listed((batch_job_query_t){.sort = BATCH_SORT_CREATED_AT}), right - 1, "no filter");
    is_number(listed((batch_job_query_t){.resource = "group"}), 18, "by resource");
    ok(listed((batch_job_query_t){.mode = "sync"}) + listed((batch_job_query_t){.mode = "mixed"}) ==
           right - 1,
       "by mode");
    ok(listed((batch_job_query_t){.via = "file"}) > 0 &&
           listed((batch_job_query_t){.via = "file"}) + listed((batch_job_query_t){.via = "api"}) ==
               right - 1,
       "by via");
    ok(listed((batch_job_query_t){.status = "failed"}) > 0 &&
           listed((batch_job_query_t){.status = "timed_out"}) == 0,
       "by status");
    ok(listed((batch_job_query_t){.action = "delete"}) > 0, "by action");
    is_number(listed((batch_job_query_t){.action = "' OR 1=1 --"}), 0, "by nonsense");
    for (i = 0, right = 1; i < 2; i++) {
        right = right && listed((batch_job_query_t){.resource = "contact",
                                                    .mode = "mixed",
                                                    .via = "api",
                                                    .status = "completed",
                                                    .action = "merge",
                                                    .sort = BATCH_SORT_CREATED_AT,
                                                    .descending = i}) > 0;
    }
    ok(right, "by all of them, in both directions");
    native(path, "DELETE FROM batch_jobs");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    store = open_store(path, 5000);
    batch_store_migrate(store, &err, pool);
    test_members();
    test_receiving();
    test_abandoned();
    test_cancel();
    test_cleanup_progress();
    test_filters();
    batch_store_destroy(store);
    return fixture_end();
}

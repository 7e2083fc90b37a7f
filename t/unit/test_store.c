/* The module's own tables: jobs, lists, items, errors; many threads, flat memory. */
/* needs: database */
#include "store_jobs.h"
#include "store/removal.h"
#include "text/uuid.h"

#include <apr_thread_proc.h>

/* ---- Jobs ---------------------------------------------------------------------------------------
 */

static apr_status_t update_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_update(tx, baton);
}

static apr_status_t delete_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_job_delete(tx, baton);
}

static void test_insert_and_get(void)
{
    batch_job_t job = new_job("acme"), found;
    apr_time_t before = apr_time_now();

    job.shared_values = "1;6:status,4:good,";
    job.operations = "[{\"x\":\"%s % '\\\"ü\"}]";
    job.warnings = "[\"one\"]";
    job.total = 7;
    job.queued_at = 5;
    is_number(put(&job), APR_SUCCESS, "a job is inserted");
    ok(job.seq > 0 && job.revision == 1, "with a number and a revision");
    ok(job.created_at >= before && job.created_at <= apr_time_now(), "and its time");
    is_number(get(&found, job.id, "acme", BATCH_API_RECORDS), APR_SUCCESS, "it is found");
    is_number(found.seq, job.seq, "as the same");
    is_string(found.id, job.id, "by its id");
    is_string(found.shared_values, job.shared_values, "shared values");
    is_string(found.operations, job.operations, "operations, with every sign in them");
    is_string(found.warnings, job.warnings, "warnings");
    is_string(found.form_id, "form-1", "form");
    is_string(found.reason, NULL, "no reason");
    is_string(found.created_by, "Alice Archer", "who made it");
    is_string(found.updated_by_id, "alice-id", "who changed it");
    ok(found.action == BATCH_ACTION_DELETE && found.status == BATCH_STATUS_PENDING &&
           found.api == BATCH_API_RECORDS,
       "the words");
    ok(found.total == 7 && found.position == 0 && found.epoch == 0 && found.queued_at == 5 &&
           found.started_at == 0 && found.completed_at == 0 && found.created_at == job.created_at &&
           found.updated_at == job.created_at,
       "the numbers and times");
    is_number(get(&found, job.id, "globex", BATCH_API_RECORDS), BATCH_ENOTFOUND,
              "another organization does not see it");
    is_number(get(&found, job.id, "acme", BATCH_API_RESOURCES), BATCH_ENOTFOUND,
              "nor the other API");
    is_number(get(&found, "no-such-id", "acme", BATCH_API_RECORDS), BATCH_ENOTFOUND,
              "nor another id");
    is_number(put(&job), BATCH_EREFUSED, "the same id twice is refused");
    ok(strstr(err.message, by_driver("UNIQUE", "unique")) && !err.tag, "in the database's words");
    job = new_job("acme");
    job.resource = job.form_id = NULL;
    is_number(put(&job), APR_SUCCESS, "a job without operations");
    found = again(&job);
    ok(found.seq == job.seq && !found.resource && !found.form_id && !found.shared_values &&
           !found.operations && !found.warnings,
       "has none");
}

static void test_update_and_delete(void)
{
    batch_job_t job = new_job("acme"), old, found;
    apr_int64_t seq;

    put(&job);
    old = job;
    job.action = BATCH_ACTION_UPDATE;
    job.form_id = "form-2";
    job.shared_values = "0;";
    job.operations = "[]";
    job.status = BATCH_STATUS_QUEUED;
    job.total = 3;
    job.queued_at = 1234;
    job.updated_by = "Bob Baker";
    job.updated_by_id = "bob-id";
    is_number(batch_store_write(store, update_body, &job, &err, pool), APR_SUCCESS, "an update");
    is_number(job.revision, 2, "moves the revision");
    found = again(&job);
    ok(found.action == BATCH_ACTION_UPDATE && !strcmp(found.form_id, "form-2") &&
           !strcmp(found.shared_values, "0;") && !strcmp(found.operations, "[]") &&
           found.status == BATCH_STATUS_QUEUED && found.total == 3 && found.queued_at == 1234 &&
           !strcmp(found.updated_by, "Bob Baker") && !strcmp(found.updated_by_id, "bob-id") &&
           !strcmp(found.created_by, "Alice Archer") && found.revision == 2 &&
           found.updated_at == job.updated_at,
       "writes what it says, and nothing else");
    is_number(batch_store_write(store, update_body, &old, &err, pool), BATCH_ECONFLICT,
              "an update of an older revision is a conflict");
    is_string(again(&job).form_id, "form-2", "and changes nothing");
    seq = job.seq;
    is_number(batch_store_write(store, delete_body, &job, &err, pool), APR_SUCCESS, "a delete");
    is_number(get(&found, job.id, "acme", BATCH_API_RECORDS), BATCH_ENOTFOUND, "it is gone");
    job = new_job("acme");
    put(&job);
    ok(job.seq > seq, "its number is never used again");
}

/* The highest numbers are removed one after the other, from the highest on. */
static void test_numbers(void)
{
    batch_job_t jobs[3], next = new_job("acme");
    int i;

    for (i = 0; i < 3; i++) {
        jobs[i] = new_job("acme");
        put(&jobs[i]);
    }
    for (i = 2; i >= 0; i--) {
        batch_store_write(store, delete_body, &jobs[i], &err, pool);
    }
    put(&next);
    ok(next.seq > jobs[2].seq, "none of their numbers is used again");
    batch_store_write(store, delete_body, &next, &err, pool);
    jobs[0] = next;
    native(path, "DELETE FROM batch_schema");
    is_number(batch_store_migrate(store, &err, pool), APR_SUCCESS, "the tables are made again");
    next = new_job("acme");
    put(&next);
    ok(next.seq > jobs[0].seq, "which does not make a number free, either");
    batch_store_write(store, delete_body, &next, &err, pool);
}

/* ---- Lists --------------------------------------------------------------------------------------
 */

typedef struct listing {
    batch_job_query_t query;
    apr_int64_t total;
    apr_int64_t seqs[600];
    int count;
    int stop_after;
    int leaked; /* a large column came along */
} listing_t;

static apr_status_t note_job(void *baton, const batch_job_t *job)
{
    listing_t *listing = baton;

    listing->leaked = listing->leaked || job->operations || job->shared_values;
    listing->seqs[listing->count++] = job->seq;
    return listing->count == listing->stop_after ? APR_EOF : APR_SUCCESS;
}

static apr_status_t list_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    listing_t *listing = baton;

    listing->count = 0;
    return batch_tx_job_list(tx, &listing->total, &listing->query, note_job, listing, ptemp);
}

static int list(listing_t *listing, batch_sort_e sort, int descending, apr_int64_t offset,
                apr_int64_t limit)
{
    batch_job_query_t query = {.organization = "listed",
                               .api = BATCH_API_RECORDS,
                               .sort = sort,
                               .descending = descending,
                               .offset = offset,
                               .limit = limit};

    listing->query = query;
    return batch_store_read(store, list_body, listing, &err, pool) == APR_SUCCESS;
}

static apr_status_t fill_list(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    apr_int64_t *seqs = baton;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < 300; i++) {
        batch_job_t job = new_job(i % 3 ? "listed" : "another");
        job.id = batch_uuid_make(ptemp);
        job.operations = "[]";
        job.total = i % 7;
        rv = batch_tx_job_insert(tx, &job, NULL);
        seqs[i] = job.seq;
    }
    return rv;
}

static void test_list(void)
{
    static apr_int64_t seqs[300];
    static listing_t listing;
    int i, right = 1;

    is_number(batch_store_write(store, fill_list, seqs, &err, pool), APR_SUCCESS, "300 jobs");
    ok(list(&listing, BATCH_SORT_CREATED_AT, 1, 0, 1000), "a list");
    ok(listing.total == 200 && listing.count == 200, "of the organization's 200");
    ok(!listing.leaked, "without what may be large");
    for (i = 1; i < listing.count; i++) {
        right = right && listing.seqs[i - 1] > listing.seqs[i];
    }
    ok(right && listing.seqs[0] == seqs[299], "newest first");
    ok(list(&listing, BATCH_SORT_CREATED_AT, 0, 190, 1000) && listing.count == 10 &&
           listing.total == 200 && listing.seqs[9] == seqs[299],
       "the end of the other order");
    ok(list(&listing, BATCH_SORT_CREATED_AT, 0, 500, 1000) && listing.count == 0 &&
           listing.total == 200,
       "behind the end");
    ok(list(&listing, BATCH_SORT_OBJECTS_TOTAL, 0, 0, 1000), "by total");
    for (i = 1; i < listing.count; i++) {
        int before = (int)(listing.seqs[i - 1] - seqs[0]), here = (int)(listing.seqs[i] - seqs[0]);
        right = right && (before % 7 < here % 7 || (before % 7 == here % 7 && before < here));
    }
    ok(right && listing.count == 200, "equal ones by creation");
    listing.stop_after = 5;
    ok(!list(&listing, BATCH_SORT_CREATED_AT, 0, 0, 1000) && listing.count == 5,
       "the caller's function can stop it");
    listing.stop_after = 0;
    native(path, "UPDATE batch_jobs SET status = CASE seq % 5 WHEN 0 THEN 'completed' WHEN 1 THEN "
                 "'failed' WHEN 2 THEN 'pending' WHEN 3 THEN 'processing' ELSE 'timed_out' END "
                 "WHERE organization = 'listed'");
    native(path, "UPDATE batch_jobs SET status_rank = CASE status WHEN 'completed' THEN 4 WHEN "
                 "'pending' THEN 2 WHEN 'processing' THEN 3 ELSE 1 END");
    ok(list(&listing, BATCH_SORT_STATUS, 0, 0, 1000) && listing.count == 200, "by status");
    for (i = 1; i < listing.count; i++) {
        static const int rank[] = {4, 1, 2, 3, 1};
        right = right && rank[listing.seqs[i - 1] % 5] <= rank[listing.seqs[i] % 5];
    }
    ok(right, "in the order of what clients see");
    for (i = 0, right = 1; i < BATCH_SORT_COUNT; i++) {
        right = right && list(&listing, (batch_sort_e)i, 0, 3, 7) && listing.count == 7 &&
                list(&listing, (batch_sort_e)i, 1, 3, 7) && listing.count == 7;
    }
    ok(right, "every order works both ways");
    native(path, "DELETE FROM batch_jobs WHERE organization IN ('listed', 'another')");
}

/* ---- Items and errors
 * ----------------------------------------------------------------------------- */

typedef struct belongings {
    batch_job_t job;
    batch_segment_t found;
    apr_int64_t position;
    batch_error_cursor_t cursor;
    int limit, count, seen, ordered;
    apr_int64_t last_ordinal, last_line;
    char original[32];
} belongings_t;

static apr_status_t store_segments(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    belongings_t *belongings = baton;
    batch_segment_t one = {0, 10, apr_pstrdup(ptemp, "first"), 5};
    batch_segment_t two = {10, 5, apr_pstrdup(ptemp, "second"), 6};
    apr_status_t rv = batch_tx_segment_insert(tx, &belongings->job, &one);

    return rv == APR_SUCCESS ? batch_tx_segment_insert(tx, &belongings->job, &two) : rv;
}

static apr_status_t read_segment(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    belongings_t *belongings = baton;

    (void)ptemp;
    return batch_tx_segment_get(tx, &belongings->found, &belongings->job, belongings->position,
                                pool);
}

static apr_status_t segment_at(belongings_t *belongings, apr_int64_t position)
{
    belongings->position = position;
    return batch_store_read(store, read_segment, belongings, &err, pool);
}

static apr_status_t drop_segments(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_segments_delete(tx, &((belongings_t *)baton)->job);
}

static void test_segments(void)
{
    belongings_t ours = {.job = new_job("acme")}, theirs = {.job = new_job("acme")};

    put(&ours.job);
    put(&theirs.job);
    is_number(segment_at(&ours, 0), BATCH_ENOTFOUND, "no segments yet");
    is_number(batch_store_write(store, store_segments, &ours, &err, pool), APR_SUCCESS, "two");
    is_number(segment_at(&ours, 0), APR_SUCCESS, "the first item's segment");
    ok(ours.found.first == 0 && ours.found.count == 10 && ours.found.length == 5, "is the first");
    is_number(segment_at(&ours, 9), APR_SUCCESS, "the tenth's");
    is_string(ours.found.data, "first", "too");
    is_number(segment_at(&ours, 10), APR_SUCCESS, "the eleventh's");
    is_string(ours.found.data, "second", "is the second");
    is_number(segment_at(&ours, 14), APR_SUCCESS, "the last");
    is_number(segment_at(&ours, 15), BATCH_ENOTFOUND, "behind it there is none");
    is_number(segment_at(&theirs, 0), BATCH_ENOTFOUND, "nor for another job");
    is_number(batch_store_write(store, drop_segments, &ours, &err, pool), APR_SUCCESS, "removed");
    is_number(segment_at(&ours, 0), BATCH_ENOTFOUND, "they are gone");
}

static apr_status_t store_errors(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    belongings_t *belongings = baton;
    apr_status_t rv = APR_SUCCESS;
    int i;

    (void)ptemp;
    for (i = 99; rv == APR_SUCCESS && i >= 0; i--) { /* backwards: they come out in order */
        batch_item_error_t errors[] = {
            {i, 1, "id", NULL, "first", "one", NULL, "1;2:id,1:1,"},
            {i, 2, NULL, "field", "second", "two", "{\"a\":1}", NULL},
        };
        rv = batch_tx_errors_insert(tx, &belongings->job, errors, 2);
    }
    return rv;
}

static apr_status_t note_error(void *baton, const batch_item_error_t *error)
{
    belongings_t *belongings = baton;
    int second = belongings->seen % 2;

    belongings->ordered = belongings->ordered && error->ordinal == belongings->seen / 2 &&
                          error->line == (second ? 2 : 1) &&
                          !strcmp(error->code, second ? "second" : "first") &&
                          !strcmp(error->message, second ? "two" : "one") &&
                          (second ? !error->id : !strcmp(error->id, "id")) &&
                          (second ? !strcmp(error->field, "field") : !error->field) &&
                          (second ? !strcmp(error->original, "{\"a\":1}") : !error->original) &&
                          (second ? !error->values : !strcmp(error->values, "1;2:id,1:1,"));
    belongings->seen++;
    return APR_SUCCESS;
}

static apr_status_t read_errors(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    belongings_t *belongings = baton;

    return batch_tx_errors_read(tx, &belongings->count, &belongings->job, &belongings->cursor,
                                belongings->limit, note_error, belongings, ptemp);
}

static apr_status_t sweep_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    return batch_tx_leftovers(tx, baton, ptemp);
}

/* 1 if there was something to be removed. */
static int sweep(void)
{
    int more = 0;

    batch_store_write(store, sweep_body, &more, &err, pool);
    return more;
}

static void test_errors(void)
{
    belongings_t ours = {.job = new_job("acme"), .limit = 70, .ordered = 1};
    belongings_t theirs = {.job = new_job("acme"), .limit = 70, .ordered = 1};
    batch_job_t again = new_job("acme");
    apr_int64_t last;
    int swept;

    put(&ours.job);
    put(&theirs.job);
    is_number(batch_store_write(store, store_errors, &ours, &err, pool), APR_SUCCESS, "200 errors");
    batch_store_write(store, store_errors, &theirs, &err, pool);
    batch_store_read(store, read_errors, &ours, &err, pool);
    is_number(ours.count, 70, "a page of them");
    batch_store_read(store, read_errors, &ours, &err, pool);
    is_number(ours.count, 70, "another");
    batch_store_read(store, read_errors, &ours, &err, pool);
    is_number(ours.count, 60, "the last");
    ok(ours.ordered && ours.seen == 200, "all, in order, with all that they say");
    batch_store_read(store, read_errors, &ours, &err, pool);
    is_number(ours.count, 0, "and no more");
    batch_store_write(store, store_segments, &ours, &err, pool);
    is_number(batch_store_write(store, delete_body, &ours.job, &err, pool), APR_SUCCESS,
              "the job is deleted");
    is_number(number("SELECT count(*) FROM batch_items"), 0, "with its items");
    is_number(number("SELECT count(*) FROM batch_errors"), 200, "and its own errors only");
    last = theirs.job.seq;
    put(&again);
    ok(again.seq > last, "the next one has a new number");
    last = again.seq;
    batch_store_write(store, delete_body, &again, &err, pool);
    put(&again);
    ok(again.seq > last, "also when the last one was removed");
    batch_store_write(store, delete_body, &again, &err, pool);
    native(path, "INSERT INTO batch_errors SELECT job, ordinal + 1000 * value, number, line, id, "
                 "field, code, message, original FROM batch_errors, (WITH RECURSIVE n(value) AS "
                 "(SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 20) SELECT * FROM n) "
                 "AS numbers");
    is_number(number("SELECT count(*) FROM batch_errors"), 4200, "thousands of errors");
    batch_store_write(store, delete_body, &theirs.job, &err, pool);
    is_number(number("SELECT count(*) FROM batch_errors"), 3700, "go in parts");
    for (swept = 0; swept < 100 && sweep(); swept++) {
    }
    is_number(number("SELECT count(*) FROM batch_errors"), 0, "until there are none");
    is_number(swept, 8, "each of 500");
    is_number(number("SELECT count(*) FROM batch_leftovers"), 0, "then nothing is to be done");
}

static apr_status_t end_segments(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_segments_end(tx, &((belongings_t *)baton)->job);
}

static apr_status_t store_many(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    belongings_t *belongings = baton;
    batch_segment_t segment = {0, 10, apr_pstrdup(ptemp, "items"), 5};
    apr_status_t rv = APR_SUCCESS;

    for (; rv == APR_SUCCESS && segment.first < 400; segment.first += 10) {
        rv = batch_tx_segment_insert(tx, &belongings->job, &segment);
    }
    return rv;
}

/* The items of a job that is at its end, or gone: nothing is lost sight of between the pieces. */
static void test_leftovers(void)
{
    belongings_t kept = {.job = new_job("acme")}, gone = {.job = new_job("acme")};
    belongings_t ended = {.job = new_job("acme")};

    put(&kept.job);
    put(&gone.job);
    put(&ended.job);
    batch_store_write(store, store_many, &kept, &err, pool);
    batch_store_write(store, store_many, &gone, &err, pool);
    batch_store_write(store, store_many, &ended, &err, pool);
    kept.job.save_upload = 1;
    kept.job.stored = 150;
    kept.job.second_tries = 250;
    batch_store_write(store, end_segments, &kept, &err, pool);
    batch_store_write(store, end_segments, &ended, &err, pool);
    batch_store_write(store, delete_body, &gone.job, &err, pool);
    is_number(number("SELECT count(*) FROM batch_items"), 120 - 3 * 16,
              "a piece of each is removed");
    is_number(number("SELECT count(*) FROM batch_leftovers"), 3, "the rest is noted");
    batch_store_write(store, delete_body, &ended.job, &err, pool);
    is_number(number("SELECT count(*) FROM batch_leftovers"), 3, "a job is noted once");
    while (sweep()) {
    }
    is_number(number("SELECT count(*) FROM batch_items"), 15, "and removed later");
    is_number(segment_at(&kept, 149), APR_SUCCESS, "but for an upload that is kept");
    is_number(number("SELECT count(*) FROM batch_leftovers"), 0,
              "until nothing is left to be done");
    batch_store_write(store, delete_body, &kept.job, &err, pool);
    is_number(number("SELECT count(*) FROM batch_items"), 0, "few go at once");
    is_number(number("SELECT count(*) FROM batch_leftovers"), 0, "and leave nothing");
}

/* ---- Transactions
 * ---------------------------------------------------------------------------------- */

static apr_status_t insert_and_fail(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    apr_status_t rv = batch_tx_job_insert(tx, baton, NULL);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return batch_error_set(batch_tx_error(tx), BATCH_ECONFLICT, NULL, ptemp, "%s", "on purpose");
}

static apr_status_t swallow(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_t *job = baton, twin = *job;

    (void)ptemp;
    batch_tx_job_insert(tx, job, NULL);
    batch_tx_job_insert(tx, &twin, NULL); /* refused, and not looked at */
    return APR_SUCCESS;
}

static void test_transactions(void)
{
    batch_job_t job = new_job("acme");

    is_number(batch_store_write(store, insert_and_fail, &job, &err, pool), BATCH_ECONFLICT,
              "what the function returns");
    is_string(err.message, "on purpose", "with its message");
    is_number(err.status, BATCH_ECONFLICT, "and status");
    is_number(again(&job).seq, 0, "it was rolled back");
    is_number(batch_store_write(store, swallow, &job, &err, pool), BATCH_EREFUSED,
              "a failure that the function overlooks is none the less one");
    is_number(again(&job).seq, 0, "nothing of it stays");
}

typedef struct writing {
    const batch_job_t *model;
    int failed;
} writing_t;

static void *APR_THREAD_FUNC write_many(apr_thread_t *thread, void *data)
{
    writing_t *writing = data;
    batch_error_t error;
    apr_pool_t *p;
    int i;

    (void)thread;
    apr_pool_create(&p, NULL);
    for (i = 0; i < 50; i++) {
        batch_job_t job = *writing->model;
        lookup_t lookup = {.organization = "threads", .api = BATCH_API_RECORDS};

        job.id = lookup.id = batch_uuid_make(p);
        lookup.p = p;
        if (batch_store_write(store, insert_job, &job, &error, p) != APR_SUCCESS ||
            batch_store_read(store, get_body, &lookup, &error, p) != APR_SUCCESS) {
            fprintf(stderr, "# %s\n", error.message);
            writing->failed++;
        }
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return NULL; /* not apr_thread_exit: AddressSanitizer takes what pthread_exit leaves for misuse
                  */
}

static void test_threads(void)
{
    batch_job_t model = new_job("threads");
    apr_thread_t *threads[8];
    writing_t writings[8];
    apr_status_t rv;
    int i, failed = 0;

    memset(writings, 0, sizeof(writings));
    for (i = 0; i < 8; i++) {
        writings[i].model = &model;
        apr_thread_create(&threads[i], NULL, write_many, &writings[i], pool);
    }
    for (i = 0; i < 8; i++) {
        apr_thread_join(&rv, threads[i]);
        failed += writings[i].failed;
    }
    is_number(failed, 0, "eight threads write and read at once");
    is_number(number("SELECT count(*) FROM batch_jobs WHERE organization = 'threads'"), 400,
              "all is there");
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file) {
        if (fscanf(file, "%ld %ld", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident;
}

static void run_many(int count)
{
    claiming_t claiming = {.gone = -1};
    batch_error_t error;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, pool);
    for (i = 0; i < count; i++) {
        if (i % 2) {
            batch_store_read(store, nothing, NULL, &error, p);
        } else {
            batch_claim_t request = {&claiming.owner, 1000, runnable,  owner_gone,
                                     &claiming,       NULL, processing};
            claiming.claim = request;
            batch_store_write(store, claim_body, &claiming, &error, p);
        }
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
}

static void test_memory(void)
{
    long before, after;

    native(path, "DELETE FROM batch_jobs");
    run_many(6000); /* valgrind holds back what was freed, up to a bound */
    before = resident_pages();
    run_many(20000);
    after = resident_pages();
#ifdef __SANITIZE_ADDRESS__
    before = after; /* freed blocks stay in its quarantine */
#endif
    if (!ok(after - before < 64, "20,000 transactions take no memory")) {
        printf("# %ld pages more\n", after - before);
    }
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    store = open_store(path, 5000);
    is_number(batch_store_migrate(store, &err, pool), APR_SUCCESS, "the tables are made");
    ok(strstr(last_log, "MB0107") && log_lines == 1, "which is logged, once");
    test_insert_and_get();
    test_update_and_delete();
    test_numbers();
    test_list();
    test_segments();
    test_errors();
    test_leftovers();
    test_transactions();
    test_threads();
    test_memory();
    batch_store_destroy(store);
    return fixture_end();
}

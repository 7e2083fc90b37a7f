/* Batches of the resources API, from their intake to their end, on a real database. */
/* needs: database */
#include "engine/intake.h"
#include "engine/cleanup.h"

#include <apr_allocator.h>
#include <apr_portable.h>

#include "intake_fixture.h"
#include "threads.h"

static apr_array_header_t *errors;
static batch_problems_t *problems;
static int fails_at; /* the item that cannot be read; 0: all can */

/* Items that were read by another thread; those of them in memory that is shared with this one. */
static int read_beside, read_in_shared;
static apr_size_t item_size; /* 0: as it is */
static apr_os_thread_t reader;
static const apr_allocator_t *memory;

static apr_status_t watched_item(void *baton, batch_source_item_t *out, batch_error_t *err,
                                 apr_pool_t *p)
{
    apr_status_t rv = next_item(baton, out, err, p);

    if (!apr_os_thread_equal(apr_os_thread_current(), reader)) {
        read_beside++;
        read_in_shared += apr_pool_allocator_get(p) == memory;
    }
    out->size = item_size ? item_size : out->size;
    return rv;
}

static apr_status_t take_in(batch_job_t *job, const batch_resources_request_t *request,
                            const char *const *texts, int count, apr_pool_t *p)
{
    struct source source = {
        {watched_item, rewind_items, NULL, count, NULL, NULL}, texts, 0, fails_at};
    batch_resources_request_t sent = *request;
    batch_error_t err = {0};
    batch_terms_t terms;
    apr_status_t rv;
    int action;

    while (texts && texts[source.source.count]) {
        source.source.count++;
    }
    source.source.baton = &source;
    reader = apr_os_thread_current();
    memory = apr_pool_allocator_get(p);
    read_beside = read_in_shared = 0;
    errors = apr_array_make(p, 4, sizeof(batch_item_error_t));
    problems = batch_problems_make(p);
    sent.has_data = 1;
    sent.count = source.source.count;
    batch_resources_check(&terms, &action, problems, &engine, &sent, p);
    if (problems->nelts) {
        return BATCH_EINVALID;
    }
    rv = batch_intake(job, errors, &engine, &alice, &terms, &source.source, problems, &err, p);
    if (rv != APR_SUCCESS && err.message) {
        printf("# %s\n", err.message);
    }
    return rv;
}

#define ITEMS(...) ((const char *const[]){__VA_ARGS__, NULL}), 0

static batch_resources_request_t asking(const char *action, const char *mode)
{
    batch_resources_request_t made = {
        .mode = mode, .action = action, .resource = "named", .save_upload = 1, .atomic = 1};

    return made;
}

static const char *acme(apr_pool_t *p)
{
    return sql(
        p, by_driver("SELECT group_concat(name || ':' || coalesce(size, '-'), ' ') FROM "
                     "(SELECT name, size FROM named_rows WHERE organization_id = 'acme' ORDER BY "
                     "name)",
                     "SELECT string_agg(name || ':' || coalesce(size::text, '-'), ' ' ORDER "
                     "BY name COLLATE \"C\") FROM named_rows WHERE organization_id = 'acme'"));
}

static void run_to_end(batch_job_t *job, apr_pool_t *p)
{
    while (run_next(job, -1, p) == APR_SUCCESS) {
    }
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

static void test_merge(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "mixed");
    batch_job_t job, ran;

    empty(p);
    is_number(
        take_in(&job, &request,
                ITEMS("name=one size=10", "id=p2 size=20", "name=new kind=shop", "id=g1 size=5",
                      "id=p2 size=21", "size=7", "name=four kind=shop size=x"),
                p),
        APR_SUCCESS, "a merge is taken in");
    is_number(job.status, BATCH_STATUS_QUEUED, "and queued");
    is_string(counts_of(&job, p), "0/0/0/0/1/3", "duplicates and errors are known");
    is_number(job.received, 7, "what was sent is counted");
    is_number(job.total, 3, "and what is to be applied");
    is_string(acme(p), "one:1 three:3 two:2", "no row has changed");
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "a worker runs it");
    is_number(ran.status, BATCH_STATUS_COMPLETED, "to its end");
    is_string(counts_of(&ran, p), "1/1/0/0/1/4", "the counts are exact");
    is_string(acme(p), "new:- one:1 three:3 two:20",
              "an item without a kind would have made a row, which the table refuses");
    is_string(sql(p, "SELECT size FROM named_rows WHERE id = 'g1'"), "1",
              "the other organization's is left");
    is_string(
        errors_of(&ran, p),
        "0:(null):refused 3:g1:not_found 4:p2:duplicate 5:(null):missing 6:(null):wrong_type ",
        "each that was dropped says why");
}

static void test_overwrite(apr_pool_t *p)
{
    batch_resources_request_t request = asking("overwrite", "mixed");
    batch_job_t job, ran;

    empty(p);
    take_in(&job, &request,
            ITEMS("name=one kind=shop size=9", "name=new kind=shop", "id=p3 size=x"), p);
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "an overwrite runs");
    is_number(ran.status, BATCH_STATUS_COMPLETED, "to its end");
    is_string(counts_of(&ran, p), "1/1/0/1/0/1", "one row is removed");
    is_string(acme(p), "new:- one:9 three:3", "not the one that an invalid item names");
    is_string(sql(p, "SELECT count(*) FROM named_rows WHERE organization_id = 'globex'"), "1",
              "nor one of another organization");
    is_number(ran.cleanup_total, 1, "the rows to be removed were counted");
    take_in(&job, &request, ITEMS("id=nobody size=3"), p);
    is_number(job.status, BATCH_STATUS_FAILED, "an overwrite without a valid item fails at once");
    take_in(&job, &request, ITEMS("id=p3 size=3", "!"), p);
    is_number(job.status, BATCH_STATUS_FAILED, "so does one with an item that nobody can read");
    ok(run_next(&ran, -1, p) == BATCH_ENOTFOUND && !strcmp(acme(p), "new:- one:9 three:3"),
       "since it may name any row");
    request.allow_empty = 1;
    is_number(take_in(&job, &request, NULL, 0, p), APR_SUCCESS, "one of nothing can be allowed");
    run_to_end(&ran, p);
    is_string(sql(p, "SELECT count(*) FROM named_rows WHERE organization_id = 'acme'"), "0",
              "and removes everything");
}

static void test_delete(apr_pool_t *p)
{
    batch_resources_request_t request = asking("delete", "mixed");
    batch_job_t job, ran;

    empty(p);
    request.save_upload = 0;
    take_in(&job, &request, ITEMS("id=p1", "id=g1", "name=two kind=shop", "id=p3 name=whatever"),
            p);
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "a delete runs");
    is_string(counts_of(&ran, p), "0/0/2/0/0/2", "ids that are there are deleted");
    is_string(acme(p), "two:2", "an item without id is not");
    is_string(
        sql(p, apr_psprintf(p, "SELECT count(*) FROM batch_items WHERE job = %d", (int)job.seq)),
        "0", "items that are not to be kept are gone");
}

static void test_sync(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "sync");
    batch_job_t job;

    empty(p);
    take_in(&job, &request, ITEMS("name=one kind=shop size=9", "name=new kind=shop size=8"), p);
    is_number(job.status, BATCH_STATUS_COMPLETED, "a sync batch is done at once");
    is_string(counts_of(&job, p), "1/1/0/0/0/0", "with its counts");
    is_string(acme(p), "new:8 one:9 three:3 two:2", "and its rows");
    take_in(&job, &request, ITEMS("name=one kind=shop size=50", "name=bad kind=shop size=500"), p);
    is_number(job.status, BATCH_STATUS_FAILED, "a row that the database refuses fails it");
    is_string(acme(p), "new:8 one:9 three:3 two:2", "and nothing has changed");
    is_string(counts_of(&job, p), "0/0/0/0/0/1", "its counts say so");
    is_number(errors->nelts, 1, "the error is listed");
    is_string(errors_of(&job, p), "1:(null):refused ", "and stored");
    take_in(&job, &request, ITEMS("name=one kind=shop size=50", "id=nobody"), p);
    is_number(job.status, BATCH_STATUS_FAILED, "so does an invalid item");
    request.atomic = 0;
    take_in(&job, &request,
            ITEMS("name=one kind=shop size=50", "id=nobody", "name=bad kind=shop size=500"), p);
    is_number(job.status, BATCH_STATUS_COMPLETED, "unless it need not be atomic");
    is_string(counts_of(&job, p), "0/1/0/0/0/2", "then what can be done is done");
    is_string(acme(p), "new:8 one:50 three:3 two:2", "in the table too");
    request = asking("overwrite", "sync");
    take_in(&job, &request, ITEMS("id=p2 size=1"), p);
    is_string(counts_of(&job, p), "0/1/0/3/0/0", "a sync overwrite cleans up at once");
    is_string(acme(p), "two:1", "in the table too");
}

static void test_many(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "mixed");
    batch_job_t job, ran;
    int runs = 0;

    empty(p);
    item_size = 256;
    is_number(take_in(&job, &request, NULL, 5000, p), APR_SUCCESS, "a batch of several groups");
    item_size = 0;
    is_number(job.total, 5000, "is taken in whole");
    is_number(job.stored, 5000, "and stored whole");
    /* Where nobody waits SQLite takes ten times as long. */
    engine.limits.chunk_time = is_pgsql() ? 1000 : 100;
    do { /* each worker stops after a few chunks */
        runs++;
    } while (run_next(&ran, 3, p) == APR_SUCCESS && ran.status == BATCH_STATUS_PROCESSING);
    is_number(ran.status, BATCH_STATUS_COMPLETED, "it ends, whoever goes on with it");
    ok(runs > 1, "several workers had their hands in it");
    is_string(counts_of(&ran, p), "5000/0/0/0/0/0", "each item is counted once");
    is_string(sql(p, "SELECT count(*) FROM named_rows WHERE organization_id = 'acme'"), "5003",
              "and made once");
    request = asking("overwrite", "mixed");
    request.duplicate_handling = "use_last";
    take_in(&job, &request, NULL, 2500, p);
    runs = 0;
    do { /* in the end enough to see what is kept, to count, and to remove a part */
        runs++;
    } while (run_next(&ran, 4 * runs * runs, p) == APR_SUCCESS &&
             ran.status == BATCH_STATUS_PROCESSING && runs < 200);
    is_string(counts_of(&ran, p), "0/2500/0/2503/0/0", "so is each row that a cleanup removes");
    ok(runs > 1, "by several workers");
    is_string(sql(p, "SELECT count(*) FROM named_rows WHERE organization_id = 'acme'"), "2500",
              "the named ones stay");
    is_number(ran.cleanup_total, 2503, "and all were foreseen");
    engine.limits.chunk_time = apr_time_from_sec(10);
}

/* Groups behind the first are read by a thread of their own. */
static void test_ahead(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "mixed");
    const char *jobs;
    int threads = count_threads();
    batch_job_t job, ran;
    int count;

    empty(p);
    run_to_end(&ran, p);
    jobs = sql(p, "SELECT count(*) FROM batch_jobs");
    item_size = 256; /* of which there are some in a group */
    fails_at = 4500;
    is_number(take_in(&job, &request, NULL, 5000, p), BATCH_EUNAVAILABLE,
              "a body of which a group cannot be read");
    fails_at = 0;
    is_string(sql(p, "SELECT count(*) FROM batch_jobs"), jobs, "makes no batch");
    is_number(threads_in_the_end(threads), threads, "nobody reads on");
    engine.read_ahead = 0;
    take_in(&job, &request, NULL, 5000, p);
    run_to_end(&ran, p);
    engine.read_ahead = 1;
    take_in(&job, &request, NULL, 5000, p);
    is_number(threads_in_the_end(threads), threads, "nor at the end");
    run_to_end(&ran, p);
    is_string(counts_of(&ran, p), "0/5000/0/0/0/0", "with and without a thread it is the same");
    is_string(sql(p, "SELECT count(*) FROM named_rows WHERE organization_id = 'acme'"), "5003",
              "each row is there once");
    ok(read_beside > 0 && !read_in_shared, "the thread has memory of its own");
    item_size = 0;
    take_in(&job, &request, NULL, 2000, p);
    is_number(read_in_shared, 0, "so it has for a body that is just one group");
    item_size = 4096;
    take_in(&job, &request, NULL, 500, p);
    ok(read_beside > 0, "a few large items are several groups as well");
    is_number(read_in_shared, 0, "which are read in memory of their own");
    item_size = 0;
    run_to_end(&ran, p);
    for (count = 10000; count <= 10001; count++) { /* a group is full of that many */
        take_in(&job, &request, NULL, count, p);
        is_number(job.total, count, "small items in a full group, and one more");
        is_string(sql(p, apr_psprintf(p, "SELECT sum(item_count) FROM batch_items WHERE job = %d",
                                      (int)job.seq)),
                  apr_itoa(p, count), "are stored");
        run_to_end(&ran, p);
    }
}

/* What was done in time is not late because nobody has said so yet. */
static void test_late_end(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "mixed");
    apr_interval_time_t usual = engine.limits.chunk_time;
    batch_job_t job, ran;

    empty(p);
    engine.limits.chunk_time = apr_time_from_sec(3600); /* one chunk, however slow the machine is */
    take_in(&job, &request, NULL, 12000, p);
    is_number(run_next(&ran, 1, p), APR_SUCCESS, "a worker stops when all items are applied");
    if (ran.status == BATCH_STATUS_PROCESSING) { /* the end is a transaction of its own */
        is_number(ran.position, 12000, "but before the end of the batch");
        engine.limits.timeout = 1;
        run_next(&ran, -1, p);
        engine.limits.timeout = 0;
    }
    is_number(ran.status, BATCH_STATUS_COMPLETED, "it is complete, and not timed out");
    is_string(counts_of(&ran, p), "12000/0/0/0/0/0", "with all that was done");
    engine.limits.chunk_time = usual;
}

static int faults; /* lines of the log at the level error */

static void count_faults(void *baton, batch_log_level_e level, apr_status_t status,
                         const char *message)
{
    (void)baton;
    (void)status;
    (void)message;
    faults += level == BATCH_LOG_ERROR;
}

/* What ends a batch removes its items, also those that its worker is about to read. */
static void test_cancel_between(apr_pool_t *p)
{
    const batch_logger_t *usual = engine.logger;
    const batch_logger_t logger = {count_faults, NULL};
    batch_resources_request_t request = asking("merge", "mixed");
    batch_runner_t runner = {.engine = &engine, .stopping = never_stopping, .pause = pause_briefly};
    batch_error_t err = {0};
    batch_job_t job, ran, cancelled;

    empty(p);
    take_in(&job, &request, NULL, 3000, p);
    is_number(claim(&ran, p), APR_SUCCESS, "a worker has a batch");
    is_number(batch_job_cancel(&cancelled, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "which is cancelled before its first chunk");
    sql(p, "DELETE FROM batch_items"); /* as the cleaning does it */
    engine.logger = &logger;
    faults = 0;
    is_number(batch_job_run(&runner, &ran, p), BATCH_EFENCED, "the worker lets it go");
    engine.logger = usual;
    is_number(faults, 0, "and takes it for no fault that its items are gone");
    cancelled = again(&job, p);
    is_string(cancelled.reason, "cancelled by Alice", "it stays as it was ended");
}

static void test_cancel(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "mixed");
    batch_error_t err = {0};
    batch_job_t job, ran, cancelled;

    empty(p);
    take_in(&job, &request, NULL, 3000, p);
    engine.limits.chunk_time = 0; /* as few items as can be, however fast the machine is */
    run_next(&ran, 2, p);
    is_number(batch_job_cancel(&cancelled, &engine, &carol, job.id, &err, p), BATCH_ENOTFOUND,
              "another organization finds nothing to cancel");
    is_number(batch_job_cancel(&cancelled, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "a running batch is cancelled");
    cancelled = again(&job, p);
    is_number(cancelled.status, BATCH_STATUS_FAILED, "it has failed");
    is_string(cancelled.reason, "cancelled by Alice", "and says by whom");
    is_number(atoi(sql(p, "SELECT count(*) FROM named_rows WHERE organization_id = 'acme'")),
              3 + cancelled.counts.created, "what was committed stays and is counted");
    ok(cancelled.counts.created > 0 && cancelled.counts.created < 3000, "that is a part");
    is_number(run_next(&ran, -1, p), BATCH_ENOTFOUND, "nobody goes on with it");
    is_number(batch_job_cancel(&cancelled, &engine, &alice, job.id, &err, p), BATCH_ECONFLICT,
              "it cannot be cancelled twice");
    engine.limits.chunk_time = apr_time_from_sec(10);
}

/* Rows that stay are tried once, and are one error each, whoever comes to the job's end. */
static void test_kept_by_database(apr_pool_t *p)
{
    batch_resources_request_t request = asking("overwrite", "mixed");
    batch_job_t job, ran;
    int steps;

    sql(p, "DELETE FROM batch_jobs");
    for (steps = 1; steps < 6; steps++) {
        empty(p);
        sql(p,
            by_driver("CREATE TRIGGER stay BEFORE DELETE ON named_rows BEGIN SELECT RAISE(ABORT, "
                      "'stays'); END",
                      "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                      "RAISE 'stays'; END $$; CREATE TRIGGER stay BEFORE DELETE ON named_rows FOR "
                      "EACH ROW EXECUTE FUNCTION stay()"));
        take_in(&job, &request, ITEMS("name=only kind=shop"), p);
        run_next(&ran, steps, p);
        run_next(&ran, -1, p);
        ran = again(&job, p);
        is_string(
            counts_of(&ran, p), "1/0/0/0/0/3",
            apr_psprintf(p, "rows that stay, in another worker's hands after step %d", steps));
        sql(p, by_driver("DROP TRIGGER stay",
                         "DROP TRIGGER stay ON named_rows; DROP FUNCTION stay()"));
    }
}

/* Another worker goes on with the job behind each chunk, and each chunk is of few items. */
static void test_hand_over(apr_pool_t *p)
{
    batch_resources_request_t request = asking("overwrite", "mixed");
    batch_job_t job, ran;
    int claims;

    empty(p);
    sql(p, "CREATE UNIQUE INDEX one_size ON named_rows (organization_id, size)");
    engine.limits.chunk_time = 0;
    take_in(&job, &request,
            ITEMS("name=a kind=shop size=3", "name=b kind=shop size=2", "name=two kind=shop size=7",
                  "name=c kind=shop size=x", "name=d kind=shop size=1",
                  "name=three kind=shop size=8", "name=e kind=shop size=500",
                  "name=f kind=shop size=8"),
            p);
    for (claims = 0; claims < 50 && run_next(&ran, 5, p) == APR_SUCCESS; claims++) {
    }
    ran = again(&job, p);
    is_number(ran.status, BATCH_STATUS_COMPLETED, "a batch with items to be tried again ends");
    ok(claims > 3, "after several workers had it");
    is_string(counts_of(&ran, p), "3/2/0/1/0/3", "each item is counted once");
    is_string(acme(p), "a:3 b:2 d:1 three:8 two:7",
              "values of rows that change, and of one that goes, are had by new ones");
    is_string(errors_of(&ran, p), "3:(null):wrong_type 6:(null):refused 7:(null):refused ",
              "the others are errors");
    is_number(ran.second_tries, 4, "those that met a value were tried again");
    is_number(ran.last_tries, 2, "and what met one then, behind the cleanup");
    is_string(sql(p, apr_psprintf(p,
                                  "SELECT count(*) FROM batch_items WHERE first_item >= 8 AND job "
                                  "= %d",
                                  (int)job.seq)),
              "0", "nothing is left of those items");
    is_number(ran.stored, 8, "what was sent is as it was");
    engine.limits.chunk_time = apr_time_from_sec(10);
    sql(p, "DROP INDEX one_size");
}

/* Items that wait for each other, each put off by a chunk of its own. */
static void test_chain(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "mixed");
    batch_job_t job, ran;
    int claims;

    empty(p);
    sql(p, "CREATE UNIQUE INDEX one_size ON named_rows (organization_id, size)");
    take_in(&job, &request,
            ITEMS("name=a kind=shop size=11", "name=b kind=shop size=12",
                  "name=c kind=shop size=13", "name=d kind=shop size=14"),
            p);
    run_next(&ran, -1, p);
    engine.limits.chunk_time = 0; /* one item a chunk */
    take_in(&job, &request,
            ITEMS("name=a kind=shop size=12", "name=b kind=shop size=13",
                  "name=c kind=shop size=14", "name=d kind=shop size=15"),
            p);
    for (claims = 0; claims < 50 && run_next(&ran, 5, p) == APR_SUCCESS; claims++) {
    }
    ran = again(&job, p);
    is_string(counts_of(&ran, p), "0/4/0/0/0/0", "a chain of items, each behind the next");
    is_number(ran.second_tries, 3, "all but the last were put off");
    is_string(errors_of(&ran, p), "", "none is refused");
    engine.limits.chunk_time = apr_time_from_sec(10);
    sql(p, "DROP INDEX one_size");
}

/* Nothing can be applied before the cleanup: both are one transaction. */
static void test_exchange(apr_pool_t *p)
{
    batch_resources_request_t request = asking("overwrite", "mixed");
    batch_job_t job, ran;

    empty(p);
    sql(p, "CREATE UNIQUE INDEX one_size ON named_rows (organization_id, size)");
    take_in(&job, &request, ITEMS("name=a kind=shop size=1", "name=b kind=shop size=2"), p);
    run_to_end(&ran, p);
    ran = again(&job, p);
    is_string(counts_of(&ran, p), "2/0/0/3/0/0", "rows with the values of those that go");
    is_string(acme(p), "a:1 b:2", "are in their place");
    sql(p, by_driver(
               "CREATE TRIGGER never BEFORE INSERT ON named_rows WHEN new.name LIKE 'x%' AND NOT "
               "EXISTS (SELECT 1 FROM named_rows WHERE organization_id = 'acme' AND size = "
               "new.size) BEGIN SELECT "
               "RAISE(ABORT, 'never'); END",
               "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
               "new.name LIKE 'x%' AND NOT EXISTS (SELECT 1 FROM named_rows WHERE "
               "organization_id = 'acme' AND size = "
               "new.size) THEN RAISE 'never'; END IF; RETURN new; END $$; CREATE TRIGGER "
               "never BEFORE INSERT ON named_rows FOR EACH ROW EXECUTE FUNCTION never()"));
    take_in(&job, &request, ITEMS("name=x kind=shop size=1", "name=x2 kind=shop size=2"), p);
    run_to_end(&ran, p);
    ran = again(&job, p);
    is_number(ran.status, BATCH_STATUS_FAILED, "where they are refused then, too, it fails");
    is_string(counts_of(&ran, p), "0/0/0/0/0/2", "with an error each");
    is_string(acme(p), "a:1 b:2", "and nothing is removed");
    sql(p,
        by_driver("DROP TRIGGER never", "DROP TRIGGER never ON named_rows; DROP FUNCTION never()"));
    sql(p, "DROP INDEX one_size");
}

static void test_refused(apr_pool_t *p)
{
    batch_resources_request_t request = asking("merge", "sync");
    batch_job_t job;

    is_number(take_in(&job, &request, NULL, 0, p), BATCH_EINVALID, "no item at all is refused");
    is_number(take_in(&job, &request, NULL, 1001, p), BATCH_EINVALID, "so are too many for sync");
    request = asking("update", "later");
    request.resource = "named";
    is_number(take_in(&job, &request, NULL, 1, p), BATCH_EINVALID, "and words that are none");
    is_number(problems->nelts, 2, "all of them are named");
    is_string(APR_ARRAY_IDX(problems, 0, batch_problem_t).message,
              "the resource named takes merge, overwrite or delete", "with what is allowed");
}

int main(void)
{
    apr_pool_t *p = begin_intake("intake");

    test_merge(p);
    test_overwrite(p);
    test_delete(p);
    test_sync(p);
    test_many(p);
    test_ahead(p);
    test_late_end(p);
    test_cancel_between(p);
    test_cancel(p);
    test_kept_by_database(p);
    test_hand_over(p);
    test_chain(p);
    test_exchange(p);
    test_refused(p);
    return end_intake(p);
}

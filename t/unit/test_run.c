/* Jobs from their creation to their end, on a real database, without httpd. */
/* needs: database */
#include "engine_fixture.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- The tests
 * ------------------------------------------------------------------------------------- */

static void test_delete(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_request_t *wanted = request("delete", "r%03d", 1, 20, p);
    batch_item_t *foreign = apr_array_push(wanted->first.ids);
    batch_job_t job, seen;
    batch_error_t err = {0};

    fill(p);
    memset(foreign, 0, sizeof(*foreign));
    foreign->ordinal = 20;
    foreign->key = "g001";
    foreign->key_length = 4;
    is_number(create(&job, &alice, wanted, problems, p), APR_SUCCESS, "a batch is created");
    is_number(job.status, BATCH_STATUS_QUEUED, "and queued");
    is_number(job.total, 21, "with its number of ids");
    is_string(sql(p, "SELECT count(*) FROM records"), "101", "nothing is deleted by that");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "it runs");
    is_number(job.status, BATCH_STATUS_COMPLETED, "to its end");
    is_number(job.counts.deleted, 20, "20 rows are gone");
    is_number(job.counts.errors, 1, "one id was none of the form's");
    is_string(errors_of(&job, p), "20:g001:not_found ", "the errors name it by ordinal and id");
    is_string(sql(p, "SELECT count(*) || min(id) FROM records WHERE organization_id = 'acme'"),
              "80r021", "only those rows are gone");
    is_string(sql(p, "SELECT count(*) FROM records WHERE id = 'g001'"), "1",
              "the other organization's row is there");
    is_string(sql(p, "SELECT count(*) FROM batch_items"), "0", "no item is kept after the end");
    is_number(batch_job_get(&seen, &engine, &carol, BATCH_API_RECORDS, job.id, &err, p),
              BATCH_ENOTFOUND, "the other organization does not see the batch");
    is_number(claim(&seen, p), BATCH_ENOTFOUND, "the queue is empty");
}

static void test_unknown_form(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_request_t *wanted = request("delete", "g%03d", 1, 1, p);
    batch_job_t job;

    wanted->first.form_id = "form-2";
    is_number(create(&job, &alice, wanted, problems, p), BATCH_EINVALID,
              "another organization's form is refused");
    is_number(problems->nelts, 1, "with one problem");
    is_string(APR_ARRAY_IDX(problems, 0, batch_problem_t).field, "operations[0].form_id",
              "that names the form");
    is_string(sql(p, "SELECT count(*) FROM batch_jobs WHERE form_id = 'form-2'"), "0",
              "no batch was made");
}

static int refuse_deletes(void *baton, const batch_resource_t *resource, batch_action_e action)
{
    (void)baton;
    (void)resource;
    return action != BATCH_ACTION_DELETE;
}

static void test_permission(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_request_t *wanted = request("delete", "r%03d", 1, 2, p);
    batch_actor_t bob = {"u2", "Bob", "acme", refuse_deletes, NULL, 0};
    batch_error_t err = {0};
    batch_job_t job;

    is_number(create(&job, &bob, wanted, problems, p), BATCH_EFORBIDDEN, "bob may not delete");
    wanted->start = 0;
    is_number(create(&job, &alice, wanted, problems, p), APR_SUCCESS, "alice may");
    is_number(batch_job_start(&job, &engine, &bob, job.id, problems, &err, p), BATCH_EFORBIDDEN,
              "bob may not start hers");
    is_number(batch_job_delete(&job, &engine, &bob, job.id, &err, p), BATCH_EFORBIDDEN,
              "nor remove it");
    wanted = request("update", "r%03d", 1, 2, p);
    is_number(batch_job_add_operations(&job, &engine, &bob, job.id, wanted, problems, &err, p),
              BATCH_EFORBIDDEN, "nor add to it what he may do");
    is_number(batch_job_delete(&job, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "alice removes it");
}

static void test_pending(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_request_t *wanted = request("update", "r%03d", 11, 13, p);
    batch_operations_request_t empty = {0};
    batch_error_t err = {0};
    batch_job_t job, other;

    fill(p);
    is_number(create(&job, &alice, &empty, problems, p), APR_SUCCESS, "a batch without operations");
    is_number(job.status, BATCH_STATUS_PENDING, "is pending");
    is_number(batch_job_start(&other, &engine, &alice, job.id, problems, &err, p), BATCH_EINVALID,
              "and cannot be started");
    apr_array_clear(problems); /* of a request that has none yet */
    is_number(batch_job_add_operations(&other, &engine, &alice, job.id, wanted, problems, &err, p),
              APR_SUCCESS, "until it has some");
    is_number(wanted->first.ids->nelts, 3, "with its objects");
    is_string(APR_ARRAY_IDX(wanted->first.ids, 0, batch_item_t).key, "r013", "as they were sent");
    wanted = request("delete", "r%03d", 1, 5, p);
    wanted->whole = "[{\"ids\":[\"r001\"]},{\"x\":1}]";
    is_number(batch_job_add_operations(&other, &engine, &alice, job.id, wanted, problems, &err, p),
              APR_SUCCESS, "others are kept behind them");
    is_string(wanted->text, "[{\"ids\":[]},{\"ids\":[\"r001\"]},{\"x\":1}]", "as they are");
    is_number(wanted->first.ids->nelts, 3, "the first has its objects still");
    is_number(other.total, 3, "which are those of the batch");
    ok(other.warnings != NULL, "with a warning");
    wanted->whole = apr_psprintf(p, "[\"%0*d\"]", BATCH_OPERATIONS_KEPT - 40, 1);
    is_number(batch_job_add_operations(&other, &engine, &alice, job.id, wanted, problems, &err, p),
              BATCH_EINVALID, "up to a limit");
    is_number(problems->nelts, 1, "which is said");
    is_number(claim(&other, p), BATCH_ENOTFOUND, "a pending batch is not in the queue");
    is_number(batch_job_start(&other, &engine, &alice, job.id, problems, &err, p), APR_SUCCESS,
              "it starts");
    is_number(batch_job_start(&other, &engine, &alice, job.id, problems, &err, p), BATCH_ECONFLICT,
              "once");
    is_number(batch_job_delete(&other, &engine, &alice, job.id, &err, p), BATCH_ECONFLICT,
              "and cannot be removed then");
    is_number(run_next(&other, -1, p), APR_SUCCESS, "it runs");
    is_number(other.counts.updated, 3, "three rows are updated");
    is_string(sql(p, "SELECT count(*) || min(id) || max(id) || min(updated_by_id) FROM records "
                     "WHERE status = 'fair' AND updated_at LIKE '20%Z'"),
              "3r011r013u1", "those, with their stamps");
    is_number(batch_job_delete(&other, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "it can be removed at its end");
    is_string(sql(p, "SELECT (SELECT count(*) FROM batch_items) + (SELECT count(*) FROM "
                     "batch_jobs WHERE id = (SELECT 'x')) "),
              "0", "with all that belonged to it");
}

static void test_all_failed(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_job_t job;

    create(&job, &alice, request("delete", "none%d", 1, 3, p), problems, p);
    run_next(&job, -1, p);
    is_number(job.status, BATCH_STATUS_FAILED, "a batch of unknown ids fails");
    is_number(job.counts.errors, 3, "and counts them");
    is_string(errors_of(&job, p), "0:none3:not_found 1:none2:not_found 2:none1:not_found ",
              "its errors come in the order of the request");
}

/* The rows that the database refuses, in every way that it has. */
static void test_refused(const char *name, const char *trigger, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_job_t job;

    fill(p);
    sql(p, trigger);
    create(&job, &alice, request("delete", "r%03d", 1, 100, p), problems, p);
    is_number(run_next(&job, -1, p), APR_SUCCESS, name);
    is_number(job.counts.errors, 2, "two rows are refused");
    is_number(job.counts.deleted, 98, "the others are deleted");
    is_string(errors_of(&job, p), "50:r050:refused 99:r001:refused ", "the errors name the two");
    is_string(
        sql(p, by_driver("SELECT group_concat(id) FROM records WHERE organization_id = 'acme'",
                         "SELECT string_agg(id, ',' ORDER BY id) FROM records WHERE "
                         "organization_id = 'acme'")),
        "r001,r050", "and only they are left");
}

static void test_stop_and_go_on(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_job_t job, other;
    batch_runner_t runner = {.engine = &engine, .stopping = stopping, .pause = pause_briefly};
    apr_int64_t position = 0;
    int runs = 0;

    fill(p);
    engine.limits.chunk_time = 0; /* every chunk is as short as it can be */
    create(&job, &alice, request("update", "r%03d", 1, 100, p), problems, p);
    while (run_next(&other, 1, p) == APR_SUCCESS && other.status == BATCH_STATUS_PROCESSING) {
        ok(other.position > position, "a stopped worker leaves its progress: %d",
           (int)other.position);
        position = other.position;
        runs++;
    }
    ok(runs > 1, "the batch took several workers");
    is_number(other.status, BATCH_STATUS_COMPLETED, "and was completed");
    is_number(other.counts.updated, 100, "each item counted once");
    is_string(sql(p, "SELECT count(*) || '' || count(DISTINCT id) FROM seen"), "100100",
              "and applied once");

    fill(p);
    create(&job, &alice, request("update", "r%03d", 1, 100, p), problems, p);
    claim(&job, p);
    sql(p, "UPDATE batch_jobs SET epoch = epoch + 1 WHERE status = 'processing'");
    chunks_until_stop = -1;
    is_number(batch_job_run(&runner, &job, p), BATCH_EFENCED, "a job of another epoch is let go");
    is_string(sql(p, "SELECT count(*) FROM seen"), "0", "and nothing of it was applied");
    sql(p, "UPDATE batch_jobs SET epoch = epoch - 1, position = 7 WHERE status = 'processing'");
    is_number(batch_job_run(&runner, &job, p), BATCH_EFENCED, "so is one with another position");
    is_string(sql(p, "SELECT count(*) FROM seen"), "0", "and nothing of it was applied");
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items");
    engine.limits.chunk_time = apr_time_from_sec(10);
}

/* A job whose workers died: they claimed it, and nothing more was heard of them. */
static void claim_and_die(int times, apr_pool_t *p)
{
    batch_job_t job;

    lease = 0;
    while (times-- > 0) {
        claim(&job, p);
    }
}

static void test_poison(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_job_t job;

    fill(p);
    create(&job, &alice, request("update", "r%03d", 1, 10, p), problems, p);
    claim_and_die(5, p);
    is_number(run_next(&job, 1, p), APR_SUCCESS, "a job whose workers died is careful");
    is_number(job.position, 1, "its chunk has one item");
    is_number(job.counts.updated, 1, "which is applied");
    is_number(job.claims, 0, "and the claims are forgotten");
    claim_and_die(11, p);
    is_number(run_next(&job, -1, p), APR_SUCCESS, "when they go on dying at one item");
    is_number(job.status, BATCH_STATUS_COMPLETED, "the job is completed");
    is_number(job.counts.updated, 9, "with all items");
    is_number(job.counts.errors, 1, "but that one");
    is_string(errors_of(&job, p), "8:r002:refused ", "which is the error");
    is_string(sql(p, "SELECT count(*) || '' || count(DISTINCT id) FROM seen"), "99",
              "and was not tried again");
    lease = apr_time_from_sec(30);
}

struct blocked {
    apr_pool_t *p;
    PGconn *other;       /* holds the lock that the worker waits for */
    const char *claimed; /* lease_until as the claim left it */
    int pauses;
    int renewed;
};

static void pause_blocked(void *baton, apr_interval_time_t duration)
{
    struct blocked *blocked = baton;

    pause_briefly(NULL, duration);
    blocked->renewed += apr_atoi64(sql(blocked->p, "SELECT lease_until FROM batch_jobs")) >
                        apr_atoi64(blocked->claimed);
    if (++blocked->pauses == 3) {
        PQfinish(blocked->other);
    }
}

/*
 * A row that somebody else has locked for long. A worker that waits for it lives: were its lease to
 * run out, others would claim the job again and again, until the row passed for poison.
 */
static void test_heartbeat(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    struct blocked blocked = {.p = p};
    batch_runner_t runner = {
        .engine = &engine, .stopping = never_stopping, .pause = pause_blocked, .baton = &blocked};
    batch_store_t *patient = engine.store;
    batch_job_t job;

    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors");
    engine.store = store_make(database, apr_time_from_msec(200), p);
    create(&job, &alice, request("update", "r%03d", 1, 10, p), problems, p);
    claim(&job, p);
    blocked.claimed = sql(p, "SELECT lease_until FROM batch_jobs");
    blocked.other = connect_pgsql(database);
    PQclear(PQexec(blocked.other, "BEGIN; UPDATE records SET status = 'locked' WHERE id = 'r005'"));
    is_number(batch_job_run(&runner, &job, p), APR_SUCCESS, "a worker that waits for a row's lock");
    is_number(blocked.pauses, 3, "tries again");
    is_number(blocked.renewed, 3, "and renews its lease all the time");
    is_number(job.status, BATCH_STATUS_COMPLETED, "when the lock is gone the job goes on");
    is_number(job.counts.updated, 10, "with every row");
    is_number(job.epoch, 1, "and nobody has claimed it meanwhile");
    batch_store_destroy(engine.store);
    engine.store = patient;
}

static void test_timeout(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_job_t job;

    fill(p);
    engine.limits.chunk_time = 0;
    create(&job, &alice, request("update", "r%03d", 1, 100, p), problems, p);
    run_next(&job, 1, p);
    engine.limits.timeout = 1;
    is_number(run_next(&job, -1, p), APR_SUCCESS, "a job that takes too long");
    is_number(job.status, BATCH_STATUS_TIMED_OUT, "is timed out");
    ok(job.reason && strstr(job.reason, "took longer"), "and says so: %s", job.reason);
    ok(job.counts.updated > 0 && job.counts.updated < 100, "what it did is counted: %d",
       (int)job.counts.updated);
    is_number(atoi(sql(p, "SELECT count(*) FROM records WHERE status = 'fair'")),
              job.counts.updated, "and stays");
    is_string(sql(p, "SELECT count(*) FROM batch_items"), "0", "its items are not kept");
    engine.limits.timeout = 0;
    engine.limits.chunk_time = apr_time_from_sec(10);
}

static void test_removed(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_error_t err = {0};
    batch_job_t job, gone;

    create(&job, &alice, request("delete", "none%d", 1, 3, p), problems, p);
    run_next(&job, -1, p);
    is_string(errors_of(&job, p), "0:none3:not_found 1:none2:not_found 2:none1:not_found ",
              "a batch has errors");
    is_number(batch_job_delete(&gone, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "it is removed");
    is_string(errors_of(&job, p), "unreadable", "no page of its errors passes for the last one");
}

static void test_retention(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_request_t empty = {0};
    batch_error_t err = {0};
    batch_job_t job;
    int removed;

    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_errors");
    create(&job, &alice, &empty, problems, p);
    create(&job, &alice, request("delete", "none%d", 1, 3, p), problems, p);
    run_next(&job, -1, p);
    engine.limits.retention = apr_time_from_sec(3600);
    is_number(batch_jobs_expire(&removed, &engine, &err, p), APR_SUCCESS, "within its retention");
    is_number(removed, 0, "no job is removed");
    is_string(sql(p, "SELECT count(*) FROM batch_errors"), "3", "nor its errors");
    sql(p, "UPDATE batch_jobs SET completed_at = completed_at - 3601000000 WHERE completed_at > 0");
    is_number(batch_jobs_expire(&removed, &engine, &err, p), APR_SUCCESS, "after it");
    is_number(removed, 1, "the job that has ended is removed");
    is_string(sql(p, by_driver("SELECT group_concat(status) FROM batch_jobs",
                               "SELECT string_agg(status, ',') FROM batch_jobs")),
              "pending", "one that waits to be started is not");
    is_string(sql(p, "SELECT count(*) FROM batch_errors"), "0", "the errors go with their job");
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items");
}

/* ---- A query that is run again ----------------------------------------------------------------
 */

static int long_lease;

static const char *first_three(const char *operations, apr_pool_t *p)
{
    (void)operations;
    long_lease = atoi(sql(p, "SELECT (lease_until - updated_at) / 1000000 FROM batch_jobs"
                             " WHERE status = 'processing'"));
    return "_record_id <= 'r003'";
}

static void test_long_query(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_runner_t runner = {.engine = &engine, .stopping = never_stopping, .pause = pause_briefly};
    const batch_limits_t limits = engine.limits;
    batch_job_t job;

    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors");
    engine.limits.lease = apr_time_from_sec(2);
    engine.limits.query_timeout = apr_time_from_sec(60);
    create(&job, &alice, request("delete", "r%03d", 1, 5, p), problems, p);
    sql(p, "UPDATE batch_jobs SET judge_again = 1");
    claim(&job, p);
    engine.query_of = first_three;
    is_number(batch_job_run(&runner, &job, p), APR_SUCCESS, "a batch selects once more");
    engine.query_of = NULL;
    engine.limits = limits;
    ok(long_lease >= 119, "under a lease for as long as that may take");
    is_number(job.counts.deleted, 3, "and goes on");
}

/* ---- A worker without memory ------------------------------------------------------------------
 */

/* What watches a program's memory needs some itself. */
static int is_watched(void)
{
    const char *preload = getenv("LD_PRELOAD");

#ifdef __SANITIZE_ADDRESS__
    return 1;
#endif
    return preload && strstr(preload, "valgrind");
}

/* In a process of its own, of which the exit code is told: 0 as it should be. */
static int run_starved(batch_job_t *job)
{
    batch_runner_t runner = {.engine = &engine, .stopping = never_stopping, .pause = pause_briefly};
    struct rlimit none = {0, 0};
    void *volatile taken;
    apr_pool_t *hungry;

    alarm(60);
    if (batch_pool_make(&hungry, NULL, 0) != APR_SUCCESS || setrlimit(RLIMIT_AS, &none)) {
        return 2;
    }
    do {
        taken = malloc(4096);
    } while (taken);
    return batch_job_run(&runner, job, hungry) == APR_ENOMEM ? 0 : 1;
}

static void test_starved(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_job_t job;
    int status = -1;
    pid_t child;

    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors");
    create(&job, &alice, request("delete", "r%03d", 1, 3, p), problems, p);
    claim(&job, p);
    child = fork();
    if (child == 0) {
        _exit(run_starved(&job));
    }
    ok(waitpid(child, &status, 0) == child && WIFEXITED(status), "a worker without memory ends");
    is_number(WEXITSTATUS(status), 0, "and says so");
    is_string(sql(p, "SELECT status || position || claims FROM batch_jobs"), "processing01",
              "the batch has its lease still");
    sql(p, "UPDATE batch_jobs SET lease_until = 0");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "another worker runs it");
    is_number(job.counts.deleted, 3, "to its end");
}

int main(void)
{
    apr_pool_t *p = begin_database("run");

    make_engine(database, p);
    test_delete(p);
    test_unknown_form(p);
    test_permission(p);
    test_pending(p);
    test_all_failed(p);
    test_refused(
        "a trigger that aborts",
        guard(p, "old.id IN ('r001', 'r050')",
              by_driver("SELECT RAISE(ABORT, 'not this one')", "RAISE EXCEPTION 'not this one'")),
        p);
    if (!is_pgsql()) {
        test_refused(
            "a trigger that rolls back",
            guard(p, "old.id IN ('r001', 'r050')", "SELECT RAISE(ROLLBACK, 'not this one')"), p);
    }
    test_refused("a deferred foreign key", "INSERT INTO notes VALUES ('r001'), ('r050')", p);
    test_stop_and_go_on(p);
    test_poison(p);
    if (is_pgsql()) {
        test_heartbeat(p);
    }
    test_timeout(p);
    test_removed(p);
    test_retention(p);
    test_long_query(p);
    if (!is_watched()) {
        test_starved(p);
    }
    batch_store_destroy(engine.store);
    return end_database(p);
}

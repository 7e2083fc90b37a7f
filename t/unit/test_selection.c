/*
 * What a query selects for a batch of the records API: when it is made, when it is started, and
 * once more when its turn has come. The engine's calls, without HTTP.
 */
/* needs: database */
#include "engine_fixture.h"

#include "store/fitness.h"

static batch_problems_t *problems;
static batch_error_t err;

/* Stored operations are a query and nothing else here, in brackets. */
static int readings;
static void (*meanwhile)(apr_pool_t *p); /* what somebody else does at each reading */

static const char *query_of(const char *operations, apr_pool_t *p)
{
    size_t length = strlen(operations);

    readings++;
    if (meanwhile) {
        meanwhile(p);
    }
    return length > 2 ? apr_pstrndup(p, operations + 1, length - 2) : NULL;
}

static batch_operations_request_t *ask(const char *action, const char *query, apr_pool_t *p)
{
    batch_operations_request_t *made = request(action, "r%03d", 1, 0, p);

    made->first.has_ids = 0;
    made->first.ids = NULL;
    made->first.ids_sent = 0;
    made->first.query = query;
    made->text = apr_psprintf(p, "[%s]", query);
    return made;
}

static const char *first_message(void)
{
    return problems->nelts ? APR_ARRAY_IDX(problems, 0, batch_problem_t).message : "none";
}

static const char *fields(apr_pool_t *p)
{
    const char *all = "";
    int i;

    for (i = 0; i < problems->nelts; i++) {
        all = apr_pstrcat(p, all, *all ? " " : "",
                          APR_ARRAY_IDX(problems, i, batch_problem_t).field, NULL);
    }
    return all;
}

static void begin(const char *what, apr_pool_t *p)
{
    printf("# %s\n", what);
    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors");
    problems = batch_problems_make(p);
    memset(&err, 0, sizeof(err));
    readings = 0;
    meanwhile = NULL;
}

/* ---- When a batch is made ---------------------------------------------------------------------
 */

static void test_created(apr_pool_t *p)
{
    batch_operations_request_t *wanted = ask("delete", "_record_id < 'r004'", p);
    batch_job_t job;

    begin("a batch that starts at once", p);
    is_number(create(&job, &alice, wanted, problems, p), APR_SUCCESS, "it is made by its query");
    is_number(job.total, 3, "with what that selects");
    is_string(sql(p, "SELECT total || ' ' || stored || status FROM batch_jobs"), "3 3queued",
              "which is stored with it");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "it runs");
    is_string(sql(p, "SELECT count(*) FROM records WHERE form_id = 'form-1'"), "97",
              "those rows are gone");
    is_number(readings, 0, "what is stored of its query was not needed");
}

static void test_wrong(apr_pool_t *p)
{
    batch_operations_request_t *wanted;
    batch_job_t job;

    begin("what is wrong with a query", p);
    is_number(create(&job, &alice, ask("delete", "_record_id <", p), problems, p), BATCH_EINVALID,
              "no grammar");
    is_string(fields(p), "operations[0].query", "is a problem of the query");
    apr_array_clear(problems);
    wanted = ask("delete", "nothing = 1 AND _record_id < 'r004'", p);
    wanted->start = 0;
    is_number(create(&job, &alice, wanted, problems, p), BATCH_EINVALID,
              "so is a column that is not there, of a batch that is only made");
    is_string(fields(p), "operations[0].query", "once");
    apr_array_clear(problems);
    wanted = ask("update", "_record_id <", p);
    APR_ARRAY_IDX(wanted->first.data, 0, batch_value_t).name = "form_id";
    is_number(create(&job, &alice, wanted, problems, p), BATCH_EINVALID,
              "it is told with all else that is wrong");
    is_string(fields(p), "operations[0].data.form_id operations[0].query", "in that order");
    apr_array_clear(problems);
    wanted->first.form_id = "form-2";
    is_number(create(&job, &alice, wanted, problems, p), BATCH_EINVALID,
              "another organization's form");
    is_string(fields(p), "operations[0].data.form_id operations[0].form_id",
              "has to be mended before the query is looked at");
    apr_array_clear(problems);
    engine.limits.max_objects = 5;
    wanted = ask("delete", "_record_id < 'r010'", p);
    is_number(create(&job, &alice, wanted, problems, p), BATCH_EINVALID, "more than the limit");
    ok(strstr(first_message(), "selects 9 distinct objects") != NULL, "says how many: %s",
       first_message());
    engine.limits.max_objects = 10000;
    is_string(sql(p, "SELECT count(*) FROM batch_jobs"), "0", "nothing was made");
}

/* ---- When it is started -----------------------------------------------------------------------
 */

/* A pending batch with a query. */
static void make_pending(batch_job_t *job, const char *query, apr_pool_t *p)
{
    batch_operations_request_t *wanted = ask("delete", query, p);

    wanted->start = 0;
    is_number(create(job, &alice, wanted, problems, p), APR_SUCCESS, "a batch is made");
    is_number(job->total, 0, "and selects nothing yet");
}

static void test_started(apr_pool_t *p)
{
    batch_job_t job;

    begin("a batch that is started later", p);
    make_pending(&job, "_record_id < 'r006'", p);
    sql(p, "DELETE FROM records WHERE id IN ('r001', 'r002')");
    is_number(batch_job_start(&job, &engine, &alice, job.id, problems, &err, p), APR_SUCCESS,
              "it starts");
    is_number(job.total, 3, "with what its query selects then");
    is_number(readings, 1, "once");
    is_number(batch_job_start(&job, &engine, &alice, job.id, problems, &err, p), BATCH_ECONFLICT,
              "a second start is a conflict");
    is_number(readings, 1, "which is told without running it again");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "it runs");
    is_number(job.counts.deleted, 3, "and removes them");
}

static void change_once(apr_pool_t *p)
{
    if (readings == 1) {
        sql(p, "UPDATE batch_jobs SET revision = revision + 1, operations = '[_record_id = "
               "''r050'']'");
    }
}

static void change_always(apr_pool_t *p)
{
    sql(p, "UPDATE batch_jobs SET revision = revision + 1");
}

static void test_changed_meanwhile(apr_pool_t *p)
{
    batch_job_t job;

    begin("operations that are added while it starts", p);
    make_pending(&job, "_record_id < 'r006'", p);
    meanwhile = change_once;
    is_number(batch_job_start(&job, &engine, &alice, job.id, problems, &err, p), APR_SUCCESS,
              "it starts");
    is_number(readings, 2, "at the second try");
    is_number(job.total, 1, "with what the other query selects");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "it runs");
    is_string(sql(p, "SELECT count(*) FROM records WHERE id = 'r050'"), "0", "and removes that");
    begin("operations that are added again and again", p);
    make_pending(&job, "_record_id < 'r006'", p);
    meanwhile = change_always;
    is_number(batch_job_start(&job, &engine, &alice, job.id, problems, &err, p), BATCH_ECONFLICT,
              "a start gives up");
    is_number(readings, 3, "after three tries");
    is_string(err.message, "operations are being added to this batch", "and says why");
    is_string(sql(p, "SELECT status FROM batch_jobs"), "pending", "it is pending still");
}

static int refuse(void *baton, const batch_resource_t *resource, batch_action_e action)
{
    (void)baton;
    (void)resource;
    (void)action;
    return 0;
}

static void test_forbidden(apr_pool_t *p)
{
    batch_actor_t bob = {"u2", "Bob", "acme", refuse, NULL, 0};
    batch_job_t job, seen;

    begin("who may not do it", p);
    is_number(create(&job, &bob, ask("delete", "_record_id <", p), problems, p), BATCH_EFORBIDDEN,
              "hears nothing of what is wrong with a query");
    is_number(problems->nelts, 0, "nothing at all");
    make_pending(&job, "_record_id < 'r006'", p);
    engine.limits.max_objects = 2;
    is_number(batch_job_start(&seen, &engine, &bob, job.id, problems, &err, p), BATCH_EFORBIDDEN,
              "nor of how many it selects");
    is_number(problems->nelts, 0, "nothing");
    is_number(batch_job_start(&seen, &engine, &carol, job.id, problems, &err, p), BATCH_ENOTFOUND,
              "another organization does not find the batch");
    is_number(batch_job_start(&seen, &engine, &alice, job.id, problems, &err, p), BATCH_EINVALID,
              "who may, does");
    ok(strstr(first_message(), "selects 5 distinct objects") != NULL, "%s", first_message());
    engine.limits.max_objects = 10000;
}

/* ---- Out of service -----------------------------------------------------------------------------
 */

static void test_out_of_service(apr_pool_t *p)
{
    batch_job_t job, seen;

    begin("a resource that does not fit the database", p);
    make_pending(&job, "_record_id < 'r006'", p);
    if (batch_fitness_create(&engine.fitness, engine.resources, &err, p) != APR_SUCCESS) {
        ok(0, "no shared memory: %s", err.message);
        return;
    }
    record.updated_by_id = "nobody";
    is_number(create(&seen, &alice, ask("update", "_record_id <", p), problems, p),
              BATCH_ENOSERVICE, "an update is out of service, whatever else is wrong with it");
    is_number(problems->nelts, 0, "which is all that is told");
    record.updated_by_id = "updated_by_id";
    record.table = "gone";
    is_number(batch_job_start(&seen, &engine, &alice, job.id, problems, &err, p), BATCH_ENOSERVICE,
              "so is a start");
    record.table = "records";
    engine.fitness = NULL;
    is_number(batch_job_start(&seen, &engine, &alice, job.id, problems, &err, p), APR_SUCCESS,
              "until it fits");
}

/* ---- When its turn has come -------------------------------------------------------------------
 */

static void test_again(apr_pool_t *p)
{
    batch_job_t job;

    begin("a batch that has waited for its turn", p);
    is_number(create(&job, &alice, ask("delete", "_record_id < 'r006' AND _status = 'good'", p),
                     problems, p),
              APR_SUCCESS, "it is made");
    is_number(job.total, 5, "for five rows");
    sql(p, "UPDATE batch_jobs SET judge_again = 1; UPDATE records SET status = 'bad' WHERE id IN "
           "('r001', 'r005'); UPDATE records SET status = 'good' WHERE id = 'r050'");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "others have changed two of them meanwhile");
    is_number(readings, 1, "so its query is run again");
    is_string(sql(p, "SELECT deleted || ' ' || errors FROM batch_jobs"), "3 2",
              "what it does not select any more stays");
    is_string(sql(p, "SELECT min(id) || max(id) || count(*) FROM batch_errors WHERE code = "
                     "'changed_since'"),
              "r001r0052", "and is an error each");
}

static void test_not_again(apr_pool_t *p)
{
    batch_job_t job;

    begin("a query that cannot be run any more", p);
    create(&job, &alice, ask("delete", "_record_id < 'r006'", p), problems, p);
    sql(p, "UPDATE batch_jobs SET judge_again = 1, operations = '[gone = 1 AND other = 2]'");
    run_next(&job, -1, p);
    is_string(sql(p, "SELECT status FROM batch_jobs"), "failed", "ends the batch");
    ok(strstr(sql(p, "SELECT reason FROM batch_jobs"), "its query cannot be run any more, now that "
                                                       "its turn has come: ") != NULL,
       "with the reason");
    is_string(sql(p, "SELECT count(*) FROM records WHERE form_id = 'form-1'"), "100",
              "and nothing was removed");
}

int main(void)
{
    apr_pool_t *p = begin_database("selection");

    make_engine(database, p);
    engine.query_of = query_of;
    if (batch_store_migrate(engine.store, NULL, p) != APR_SUCCESS) {
        return 1;
    }
    test_created(p);
    test_wrong(p);
    test_started(p);
    test_changed_meanwhile(p);
    test_forbidden(p);
    test_out_of_service(p);
    test_again(p);
    test_not_again(p);
    batch_store_destroy(engine.store);
    return end_database(p);
}

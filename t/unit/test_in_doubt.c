/*
 * Connections that are lost in the middle of a COMMIT, on PostgreSQL: whatever became of it, what
 * was asked for is there once. And how often a chunk, and a turn, ask the server.
 */
/* needs: pgsql */
#include "engine_fixture.h"
#include "proxy.h"

#include <signal.h>

static proxy_t proxy;
static const char *const mode_names[] = {"passed on", "never sent", "done", "done late"};

/* Behind so many others. */
static void lose_later(proxy_mode_e mode, int passes)
{
    __atomic_store_n(&proxy.passes, passes, __ATOMIC_SEQ_CST);
    __atomic_store_n(&proxy.mode, mode, __ATOMIC_SEQ_CST);
}

static void lose_next(proxy_mode_e mode)
{
    lose_later(mode, 0);
}

static int lost(void)
{
    return __atomic_exchange_n(&proxy.lost, 0, __ATOMIC_SEQ_CST);
}

/* ---- What clients do --------------------------------------------------------------------------
 */

static void test_client(proxy_mode_e mode, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_request_t *wanted = request("delete", "r%03d", 1, 20, p);
    const char *count = "SELECT count(*) FROM batch_jobs";
    batch_error_t err = {0};
    batch_job_t job, seen;

    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items");
    wanted->start = 0;
    lose_next(mode);
    is_number(create(&job, &alice, wanted, problems, p), APR_SUCCESS, "a batch is created");
    is_number(lost(), 1, "though the connection was lost in its COMMIT");
    is_string(sql(p, count), "1", "it is there once");
    is_string(sql(p, "SELECT count(*) FROM batch_items"), "1", "with its items");
    lose_next(mode);
    is_number(batch_job_add_operations(&seen, &engine, &alice, job.id,
                                       request("update", "r%03d", 5, 9, p), problems, &err, p),
              APR_SUCCESS, "operations are added");
    is_string(sql(p, "SELECT revision || action || total || operations FROM batch_jobs"),
              "2delete20[{\"ids\":[]},{\"ids\":[]}]", "once");
    lose_later(mode, 1); /* the job is looked at first */
    is_number(batch_job_start(&seen, &engine, &alice, job.id, problems, &err, p), APR_SUCCESS,
              "it is started");
    is_string(sql(p, "SELECT revision || status FROM batch_jobs"), "3queued", "once");
    is_number(batch_job_start(&seen, &engine, &alice, job.id, problems, &err, p), BATCH_ECONFLICT,
              "another start is a conflict");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "it runs");
    lose_next(mode);
    is_number(batch_job_delete(&seen, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "it is removed");
    is_string(sql(p, count), "0", "and gone");
    is_number(batch_job_delete(&seen, &engine, &alice, job.id, &err, p), BATCH_ENOTFOUND,
              "so another removal finds nothing");
    is_number(lost(), 3, "each of these lost its connection");
}

/* ---- What workers do --------------------------------------------------------------------------
 */

static proxy_mode_e mode_of_chunks;
static int chunks;

/* Is asked at the edge of each chunk: one COMMIT after the other is lost. */
static int lose_each(void *baton)
{
    (void)baton;
    chunks++;
    lose_next(mode_of_chunks);
    return 0;
}

static void test_worker(proxy_mode_e mode, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_runner_t runner = {.engine = &engine, .stopping = lose_each, .pause = pause_briefly};
    batch_job_t job;

    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors");
    engine.limits.chunk_time = 0; /* one item a chunk */
    create(&job, &alice, request("update", "r%03d", 91, 104, p), problems, p);
    claim(&job, p);
    lost();
    mode_of_chunks = mode;
    chunks = 0;
    is_number(batch_job_run(&runner, &job, p), APR_SUCCESS, "a batch runs");
    lose_next(PROXY_PASS);
    ok(lost() >= 14, "though each chunk's connection is lost in its COMMIT");
    is_number(job.status, BATCH_STATUS_COMPLETED, "to its end");
    is_number(job.counts.updated, 10, "with all that were there");
    is_number(job.counts.errors, 4, "and those that were not");
    is_string(sql(p, "SELECT count(*) || '' || count(DISTINCT id) FROM seen"), "1010",
              "each item was applied once");
    is_string(sql(p, "SELECT status || updated || errors || position FROM batch_jobs"),
              "completed10414", "so it is stored");
    is_string(sql(p, "SELECT count(*) || '' || count(DISTINCT ordinal) FROM batch_errors"), "44",
              "each error, too");
    engine.limits.chunk_time = apr_time_from_sec(10);
}

static void test_stop_in_doubt(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_runner_t runner = {.engine = &engine, .stopping = stopping, .pause = pause_briefly};
    batch_job_t job;

    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items");
    engine.limits.chunk_time = 0;
    create(&job, &alice, request("update", "r%03d", 1, 3, p), problems, p);
    claim(&job, p);
    chunks_until_stop = 1;
    lose_next(PROXY_LATE);
    is_number(batch_job_run(&runner, &job, p), APR_SUCCESS, "a worker is stopped in doubt");
    is_number(job.position, 1, "it finds out how far it has come");
    is_string(sql(p, "SELECT coalesce(owner_host, 'nobody') || position FROM batch_jobs"),
              "nobody1", "and gives the batch back");
    is_number(run_next(&job, -1, p), APR_SUCCESS, "so another goes on at once");
    is_string(sql(p, "SELECT count(*) || '' || count(DISTINCT id) FROM seen"), "33", "to its end");
    engine.limits.chunk_time = apr_time_from_sec(10);
}

/* ---- A query that is run again ----------------------------------------------------------------
 */

static int selections;

/*
 * Only the first three are selected any more. The first COMMIT behind the query's own, which only
 * reads, is the one that is lost.
 */
static const char *three(const char *operations, apr_pool_t *p)
{
    (void)operations;
    (void)p;
    if (selections++ == 0) {
        lose_later(mode_of_chunks, 1);
    }
    return "_record_id <= 'r003'";
}

static void test_reselect(proxy_mode_e mode, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_runner_t runner = {.engine = &engine, .stopping = never_stopping, .pause = pause_briefly};
    batch_job_t job;

    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors");
    create(&job, &alice, request("delete", "r%03d", 1, 20, p), problems, p);
    sql(p, "UPDATE batch_jobs SET judge_again = 1");
    claim(&job, p);
    lost();
    engine.query_of = three;
    mode_of_chunks = mode;
    selections = 0;
    is_number(batch_job_run(&runner, &job, p), APR_SUCCESS, "a batch selects once more");
    engine.query_of = NULL;
    lose_next(PROXY_PASS);
    ok(lost() > 0, "though the connection is lost in that COMMIT");
    is_string(sql(p, "SELECT status || deleted || ' ' || errors || ' ' || position"
                     " FROM batch_jobs"),
              "completed3 17 3", "what is not selected any more is not touched");
    is_string(sql(p, "SELECT count(*) FROM records WHERE id IN ('r001', 'r003', 'r004', 'r020')"),
              "2", "those are there");
    is_string(sql(p, "SELECT count(*) || ' ' || count(DISTINCT ordinal) FROM batch_errors"),
              "17 17", "and each is an error once");
}

/* ---- Round trips --------------------------------------------------------------------------------
 */

static int trips_before_chunk;
static int most_trips[2]; /* of a chunk whose row is there, of one whose row is not */

static int count_trips(void *baton)
{
    int now = __atomic_load_n(&proxy.round_trips, __ATOMIC_SEQ_CST);

    int missing = ++chunks > 11;

    (void)baton;
    /* The first chunk of a connection looks at the tables, and its items are read. */
    if (chunks > 2 && now - trips_before_chunk > most_trips[missing]) {
        most_trips[missing] = now - trips_before_chunk;
    }
    trips_before_chunk = now;
    return 0;
}

static void test_round_trips(apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_runner_t runner = {.engine = &engine, .stopping = count_trips, .pause = pause_briefly};
    batch_job_t job;
    int before;

    fill(p);
    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items");
    engine.limits.chunk_time = 0;
    create(&job, &alice, request("delete", "r%03d", 91, 109, p), problems, p);
    before = __atomic_load_n(&proxy.round_trips, __ATOMIC_SEQ_CST);
    claim(&job, p);
    printf("# a claim asked the server %d times\n",
           __atomic_load_n(&proxy.round_trips, __ATOMIC_SEQ_CST) - before);
    chunks = most_trips[0] = most_trips[1] = 0;
    is_number(batch_job_run(&runner, &job, p), APR_SUCCESS, "a batch of 19 chunks, 9 with errors");
    is_number(chunks, 19, "one after the other");
    is_number(most_trips[0], 3, "asks the server three times for each");
    is_number(most_trips[1], 4, "and once more whether a row that nothing became of is there");
    engine.limits.chunk_time = apr_time_from_sec(10);
}

/* What a sync batch begins with: the lock of its turn, a look at who stands before it, and the
 * time.
 */
static apr_status_t turn_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    int earlier = 1;
    apr_status_t rv = batch_tx_target_share(tx, "contacts", 0);

    (void)ptemp;
    if (rv == APR_SUCCESS) {
        rv = batch_tx_target_earlier(tx, &earlier, baton);
    }
    return rv == APR_SUCCESS && (earlier || !batch_tx_now(tx)) ? BATCH_EBUSY : rv;
}

static void test_trips_of_turns(apr_pool_t *p)
{
    batch_job_t job = {.target = "contacts"};
    batch_error_t err = {0};
    int i, before = 0;

    for (i = 0; i < 2; i++) { /* the first one prepares what it needs */
        before = __atomic_load_n(&proxy.round_trips, __ATOMIC_SEQ_CST);
        is_number(batch_store_write(engine.store, turn_body, &job, &err, p), APR_SUCCESS,
                  "a turn is had");
    }
    is_number(__atomic_load_n(&proxy.round_trips, __ATOMIC_SEQ_CST) - before, 2,
              "it is asked for in one round trip, and the COMMIT is another");
}

int main(void)
{
    apr_pool_t *p;
    int mode;

    if (!is_pgsql()) {
        printf("1..0 # skip: of PostgreSQL\n");
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    p = begin_database("doubt");
    proxy_start(&proxy, apr_pstrcat(p, directory, "/proxy", NULL),
                sql(p, "SELECT split_part(current_setting('unix_socket_directories'), ',', 1)"));
    make_engine(apr_psprintf(p, "%s host=%s", database, proxy.folder), p);
    if (batch_store_migrate(engine.store, NULL, p) != APR_SUCCESS) {
        return 1;
    }
    fill(p);
    for (mode = PROXY_BEFORE; mode <= PROXY_LATE; mode++) {
        printf("# a COMMIT is %s\n", mode_names[mode]);
        test_client((proxy_mode_e)mode, p);
    }
    test_worker(PROXY_AFTER, p);
    test_stop_in_doubt(p);
    for (mode = PROXY_BEFORE; mode <= PROXY_LATE; mode++) {
        printf("# a COMMIT is %s\n", mode_names[mode]);
        test_reselect((proxy_mode_e)mode, p);
    }
    test_round_trips(p);
    test_trips_of_turns(p);
    batch_store_destroy(engine.store);
    return end_database(p);
}

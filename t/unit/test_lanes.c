/*
 * Jobs whose items two threads apply, on PostgreSQL: each item once and in its order, whatever
 * comes between.
 */
/* needs: pgsql */
#include "intake_fixture.h"
#include "proxy.h"

#include <signal.h>
#include <sys/wait.h>

#define COUNT 5000

/* ---- What a job's threads are asked, and say ---------------------------------------------------
 */

static struct {
    int takes; /* how often somebody wanted more items */
    int stop_at;
    void (*at)(int takes, apr_pool_t *p); /* is called then; never by two threads at once */
    apr_pool_t *p;
    batch_pause_fn *pause;
    int most;   /* threads that there are */
    int lanes;  /* times that two threads ended, … */
    int chunks; /* … their chunks, … */
    int left;   /* … and how often they left one */
} seen;

static int ask_stopping(void *baton)
{
    int takes = ++seen.takes;

    (void)baton;
    if (seen.at) {
        seen.at(takes, seen.p);
    }
    return seen.stop_at && takes >= seen.stop_at;
}

static int ask_threads(void *baton, int wanted)
{
    (void)baton;
    return wanted < seen.most ? wanted : seen.most;
}

static void note_lanes(void *baton, batch_log_level_e level, apr_status_t status,
                       const char *message)
{
    const char *in = strstr(message, " in ");

    (void)baton;
    (void)level;
    (void)status;
    if (strncmp(message, "MB0437", 6) == 0 && in) {
        seen.lanes++;
        seen.chunks += atoi(in + 4);
        seen.left += strstr(message, "left one") != NULL;
    }
}

static const batch_logger_t logger = {note_lanes, NULL};

static void begin(int threads, apr_pool_t *p)
{
    memset(&seen, 0, sizeof(seen));
    seen.most = threads;
    seen.pause = pause_briefly;
    seen.p = p;
    engine.logger = &logger;
}

/* ---- Jobs --------------------------------------------------------------------------------------
 */

/* count of these items, or numbered ones where texts is NULL, for a worker. */
static void take_in(batch_job_t *job, const char *action, const char *const *texts, int count,
                    apr_pool_t *p)
{
    struct source source = {{next_item, rewind_items, NULL, count, NULL, NULL}, texts, 0, 0};
    batch_resources_request_t request = {.mode = "mixed",
                                         .action = action,
                                         .resource = "named",
                                         .atomic = 1,
                                         .has_data = 1,
                                         .count = count};
    apr_array_header_t *errors = apr_array_make(p, 4, sizeof(batch_item_error_t));
    batch_problems_t *problems = batch_problems_make(p);
    batch_error_t err = {0};
    batch_terms_t terms;
    int wanted;

    sql(p, "DELETE FROM batch_jobs; DELETE FROM batch_items; DELETE FROM batch_errors;"
           " DELETE FROM batch_kept");
    source.source.baton = &source;
    batch_resources_check(&terms, &wanted, problems, &engine, &request, p);
    is_number(batch_intake(job, errors, &engine, &alice, &terms, &source.source, problems, &err, p),
              APR_SUCCESS, "a batch is taken in");
    if (err.message) {
        printf("# %s\n", err.message);
    }
}

static apr_status_t go(batch_job_t *job, apr_pool_t *p)
{
    batch_runner_t runner = {.engine = &engine,
                             .stopping = ask_stopping,
                             .pause = seen.pause,
                             .threads = ask_threads,
                             .most = 250};
    apr_status_t rv = claim(job, p);

    return rv == APR_SUCCESS ? batch_job_run(&runner, job, p) : rv;
}

/* The texts of COUNT items of a format that has the number of each twice. */
static const char **numbered(const char *format, apr_pool_t *p)
{
    const char **texts = apr_palloc(p, (COUNT + 1) * sizeof(*texts));
    int i;

    for (i = 0; i < COUNT; i++) {
        texts[i] = apr_psprintf(p, format, i, i % 50);
    }
    texts[COUNT] = NULL;
    return texts;
}

static const char *rows(apr_pool_t *p)
{
    return sql(p, "SELECT count(*) || ' ' || count(DISTINCT name) FROM named_rows"
                  " WHERE organization_id = 'acme'");
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

static int disagreed;

/* The progress and the rows of one moment. */
static void compare(int takes, apr_pool_t *p)
{
    const char *both = sql(p, "SELECT (position = created AND created = (SELECT count(*) FROM"
                              " named_rows WHERE name LIKE 'n%'))::text FROM batch_jobs");

    (void)takes;
    disagreed += strcmp(both, "true") != 0;
}

static void test_merge(apr_pool_t *p)
{
    batch_job_t job;

    sql(p, "DELETE FROM named_rows");
    take_in(&job, "merge", NULL, COUNT, p);
    begin(2, p);
    seen.at = compare;
    is_number(go(&job, p), APR_SUCCESS, "new rows are made");
    is_number(job.status, BATCH_STATUS_COMPLETED, "to the end");
    is_string(counts_of(&job, p), "5000/0/0/0/0/0", "each once");
    is_string(rows(p), "5000 5000", "which are there");
    is_number(disagreed, 0, "progress and rows were of the same items whenever one looked");
    is_number(seen.lanes, 1, "two threads did it");
    ok(seen.chunks > 3, "in several chunks");
    is_number(seen.left, 0, "of which none was left");
    ok(atoi(sql(p, "SELECT count(DISTINCT xmin::text) FROM named_rows")) >= seen.chunks,
       "each in a transaction of its own");
    is_string(sql(p, "SELECT count(*) FROM batch_items"), "0", "the items are gone");
    is_string(sql(p, "SELECT (processed_at >= started_at AND position = 5000 AND claims = 0)::text"
                     " FROM batch_jobs"),
              "true", "and when they were done is known");

    take_in(&job, "merge", NULL, COUNT, p);
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "the same once more");
    is_string(counts_of(&job, p), "0/5000/0/0/0/0", "changes those rows");
    is_number(seen.lanes, 1, "by two threads");

    take_in(&job, "merge", NULL, COUNT, p);
    begin(1, p);
    is_number(go(&job, p), APR_SUCCESS, "where there is one thread");
    is_string(counts_of(&job, p), "0/5000/0/0/0/0", "it does the same");
    is_number(seen.lanes, 0, "alone");
}

static void test_errors(apr_pool_t *p)
{
    const char **texts = numbered("name=n%d kind=shop size=%d", p);
    batch_job_t job;

    sql(p, "DELETE FROM named_rows");
    texts[2500] = "name=n2500 kind=shop size=500";
    texts[3000] = "name=n3000 kind=shop size=500";
    take_in(&job, "merge", texts, COUNT, p);
    engine.limits.chunk_time =
        apr_time_from_msec(20); /* the chunks of one thread, too, are short */
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "two items that the table refuses");
    is_string(counts_of(&job, p), "4998/0/0/0/0/2", "are errors, and no others");
    is_string(errors_of(&job, p), "2500:(null):refused 3000:(null):refused ", "once each");
    is_string(rows(p), "4998 4998", "all others are there");
    ok(seen.left >= 1, "two threads have left their chunks to one");
    ok(seen.chunks > 0, "and have done others");
    engine.limits.chunk_time = apr_time_from_sec(10);
}

/* Two texts that are one value of the column. */
static void test_alike(apr_pool_t *p)
{
    const char **texts = numbered("name=n%d kind=shop size=%d", p);
    int i;
    batch_job_t job;

    sql(p, "DROP TABLE named_rows; CREATE COLLATION IF NOT EXISTS caseless"
           " (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
           "CREATE TABLE named_rows (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL,"
           " name TEXT COLLATE caseless NOT NULL, kind TEXT NOT NULL DEFAULT 'shop', size INTEGER,"
           " updated_at TEXT, UNIQUE (organization_id, name, kind))");
    for (i = 0; i < COUNT; i += 2) {
        texts[i] = apr_psprintf(p, "name=N%d kind=shop size=77", i + 1);
    }
    take_in(&job, "merge", texts, COUNT, p);
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "names of which two are alike");
    is_string(counts_of(&job, p), "2500/2500/0/0/0/0", "make rows, and change them");
    is_string(sql(p, "SELECT count(*) || ' ' || count(*) FILTER (WHERE size = 77) FROM named_rows"),
              "2500 0", "in their order");
    sql(p, "DROP TABLE named_rows");
    make_named_rows(p);
}

/* An item names a row by its key and gives it a name, by which a later one finds it. */
static void test_movers(apr_pool_t *p)
{
    const char **texts = numbered("name=n%d kind=shop size=%d", p);
    batch_job_t job;
    int i;

    sql(p, "DELETE FROM named_rows; INSERT INTO named_rows SELECT 'k' || n, 'acme', 'old' || n,"
           " 'shop', 1, NULL FROM generate_series(0, 4999) AS n");
    for (i = 0; i < COUNT; i += 2) {
        texts[i] = apr_psprintf(p, "id=k%d name=n%d size=2", i, i + 1);
    }
    take_in(&job, "merge", texts, COUNT, p);
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "names that are given, and asked for");
    is_string(counts_of(&job, p), "0/5000/0/0/0/0", "make no row");
    is_number(seen.chunks, 0, "since one thread does that");
}

static void test_delete(apr_pool_t *p)
{
    const char **texts = numbered("id=k%d", p);
    batch_job_t job;

    sql(p, "DELETE FROM named_rows; INSERT INTO named_rows SELECT 'k' || n, 'acme', 'n' || n,"
           " 'shop', 1, NULL FROM generate_series(0, 5000) AS n");
    take_in(&job, "delete", texts, COUNT, p);
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "rows are deleted");
    is_string(counts_of(&job, p), "0/0/5000/0/0/0", "each once");
    is_string(rows(p), "1 1", "and no others");
    is_number(seen.lanes, 1, "by two threads");
}

static void test_overwrite(apr_pool_t *p)
{
    const char **texts = numbered("", p);
    batch_job_t job;
    int i;

    for (i = 0; i < COUNT; i++) {
        texts[i] = apr_psprintf(p, "id=k%d name=n%d size=1", i, i);
    }
    sql(p, "DELETE FROM named_rows; INSERT INTO named_rows SELECT 'k' || n, 'acme', 'n' || n,"
           " 'shop', 2, NULL FROM generate_series(0, 5999) AS n; INSERT INTO named_rows VALUES"
           " ('g1', 'globex', 'n1', 'shop', 2, NULL)");
    take_in(&job, "overwrite", texts, COUNT, p);
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "a table is overwritten");
    is_number(job.status, BATCH_STATUS_COMPLETED, "to the end");
    is_string(rows(p), "5000 5000", "what was not sent is gone");
    is_string(sql(p, "SELECT sum(size) FROM named_rows WHERE organization_id = 'acme'"), "5000",
              "what was is as it was sent");
    is_string(sql(p, "SELECT count(*) FROM named_rows WHERE id = 'g1'"), "1",
              "the other organization's row is there");
    is_number(seen.lanes, 1, "by two threads");
}

/* ---- What comes between -------------------------------------------------------------------------
 */

static void cancel_at_four(int takes, apr_pool_t *p)
{
    batch_error_t err = {0};
    batch_job_t job;

    if (takes == 4) {
        batch_job_cancel(&job, &engine, &alice, sql(p, "SELECT id FROM batch_jobs"), &err, p);
    }
}

static void test_cancel(apr_pool_t *p)
{
    batch_job_t job;

    sql(p, "DELETE FROM named_rows");
    take_in(&job, "merge", NULL, COUNT, p);
    begin(2, p);
    seen.at = cancel_at_four;
    is_number(go(&job, p), BATCH_EFENCED, "a batch is cancelled while two threads are at it");
    is_string(sql(p, "SELECT status FROM batch_jobs"), "failed", "so it ends");
    is_string(sql(p, "SELECT (created = position AND created = (SELECT count(*) FROM named_rows)"
                     " AND created > 0 AND created < 5000)::text FROM batch_jobs"),
              "true", "with the rows that it counts");
}

static void test_stop(apr_pool_t *p)
{
    batch_job_t job;

    sql(p, "DELETE FROM named_rows");
    take_in(&job, "merge", NULL, COUNT, p);
    begin(2, p);
    seen.stop_at = 4;
    is_number(go(&job, p), APR_SUCCESS, "a worker is stopped while two threads are at it");
    ok(job.position > 0 && job.position < COUNT, "in the middle");
    is_string(sql(p, "SELECT coalesce(owner_host, 'nobody') || (created = position AND created ="
                     " (SELECT count(*) FROM named_rows)) FROM batch_jobs"),
              "nobodytrue", "the batch is given back with what was done");
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "another worker goes on");
    is_string(counts_of(&job, p), "5000/0/0/0/0/0", "and each row was made once");
    is_string(rows(p), "5000 5000", "as they are there");
}

static void die_at_six(int takes, apr_pool_t *p)
{
    (void)p;
    if (takes == 6) {
        raise(SIGKILL);
    }
}

static void test_kill(apr_pool_t *p)
{
    batch_store_t *store = engine.store;
    batch_job_t job;
    int state = 0;
    pid_t child;

    sql(p, "DELETE FROM named_rows");
    take_in(&job, "merge", NULL, COUNT, p);
    begin(2, p);
    child = fork();
    if (!child) {
        engine.store = store_make(database, apr_time_from_sec(5), p);
        seen.at = die_at_six;
        go(&job, p);
        _exit(0);
    }
    waitpid(child, &state, 0);
    ok(WIFSIGNALED(state), "a process is killed while two threads are at a batch");
    engine.store = store;
    sql(p, "UPDATE batch_jobs SET lease_until = 0");
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "another one goes on");
    is_number(job.status, BATCH_STATUS_COMPLETED, "to the end");
    is_string(counts_of(&job, p), "5000/0/0/0/0/0", "and each row was made once");
    is_string(rows(p), "5000 5000", "as they are there");
}

static PGconn *other;
static int pauses;

/* The worker waits for the database. */
static void let_go(void *baton, apr_interval_time_t duration)
{
    (void)baton;
    (void)duration;
    if (++pauses == 2) {
        PQfinish(other);
    }
}

/* A row that somebody else has for longer than a call is patient. */
static void test_locked(apr_pool_t *p)
{
    batch_store_t *patient = engine.store;
    batch_job_t job;

    take_in(&job, "merge", NULL, COUNT, p);
    engine.store = store_make(database, apr_time_from_msec(300), p);
    begin(2, p);
    seen.pause = let_go;
    pauses = 0;
    other = connect_pgsql(database);
    PQclear(PQexec(other, "BEGIN; UPDATE named_rows SET size = 3 WHERE name = 'n300'"));
    is_number(go(&job, p), APR_SUCCESS, "a row that another program has for long");
    ok(pauses >= 2, "is waited for until it is let go");
    is_string(counts_of(&job, p), "0/5000/0/0/0/0", "then all are changed");
    is_number(job.epoch, 1, "by the same worker");
    ok(seen.left >= 1, "two threads have left that to one");
    batch_store_destroy(engine.store);
    engine.store = patient;
}

static void add_trigger(int takes, apr_pool_t *p)
{
    if (takes == 4) {
        sql(p, "CREATE FUNCTION numbered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " INSERT INTO seen VALUES (new.name); RETURN new; END $$;"
               "CREATE TRIGGER numbered AFTER INSERT ON named_rows FOR EACH ROW"
               " EXECUTE FUNCTION numbered()");
    }
}

static void test_trigger(apr_pool_t *p)
{
    batch_job_t job;

    sql(p, "DELETE FROM named_rows; DELETE FROM seen");
    take_in(&job, "merge", NULL, COUNT, p);
    begin(2, p);
    seen.at = add_trigger;
    is_number(go(&job, p), APR_SUCCESS, "a trigger is made while two threads are at a batch");
    is_string(counts_of(&job, p), "5000/0/0/0/0/0", "it does not matter to the counts");
    ok(seen.left >= 1, "the threads notice");
    is_string(sql(p, "SELECT (count(*) > 0 AND count(*) = count(DISTINCT id))::text FROM seen"),
              "true", "what they had done beside it is undone");
    sql(p, "DELETE FROM named_rows");
    take_in(&job, "merge", NULL, COUNT, p);
    begin(2, p);
    is_number(go(&job, p), APR_SUCCESS, "where it is there before");
    is_number(seen.lanes, 0, "one thread does all");
    sql(p, "DROP TRIGGER numbered ON named_rows");
}

/* Functions of somebody's own that are not called by their names. */
static void test_hidden(apr_pool_t *p)
{
    static const char *const changes[][3] = {
        {"CREATE DOMAIN above_zero AS integer CHECK (VALUE > 0); CREATE DOMAIN above AS above_zero;"
         "ALTER TABLE named_rows ADD COLUMN more above",
         "ALTER TABLE named_rows DROP COLUMN more", "a domain over one that has a CHECK"},
        {"CREATE FUNCTION alike(integer, integer) RETURNS boolean LANGUAGE sql AS"
         " 'SELECT coalesce($1, 0) = coalesce($2, 0)';"
         "CREATE OPERATOR @@@@ (LEFTARG = integer, RIGHTARG = integer, FUNCTION = alike);"
         "ALTER TABLE named_rows ADD CONSTRAINT alike CHECK (size @@@@ size)",
         "ALTER TABLE named_rows DROP CONSTRAINT alike", "an operator in a CHECK"}};
    batch_job_t job;
    apr_size_t i;

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        sql(p, "DELETE FROM named_rows");
        sql(p, changes[i][0]);
        take_in(&job, "merge", NULL, COUNT, p);
        begin(2, p);
        is_number(go(&job, p), APR_SUCCESS, changes[i][2]);
        is_string(counts_of(&job, p), "5000/0/0/0/0/0", "is no obstacle");
        is_number(seen.lanes, 0, "to one thread");
        sql(p, changes[i][1]);
    }
}

static proxy_t proxy;

static proxy_mode_e mode_of_commit;
static int passes;

static void lose_one(int takes, apr_pool_t *p)
{
    (void)p;
    if (takes == 4) {
        __atomic_store_n(&proxy.passes, passes, __ATOMIC_SEQ_CST);
        __atomic_store_n(&proxy.mode, mode_of_commit, __ATOMIC_SEQ_CST);
    }
}

/* The connection is lost in a COMMIT: of a chunk, or of what is read. */
static void test_in_doubt(apr_pool_t *p)
{
    int wrong = 0;

    for (mode_of_commit = PROXY_BEFORE; mode_of_commit <= PROXY_LATE; mode_of_commit++) {
        for (passes = 0; passes < 4; passes++) {
            batch_job_t job;
            apr_status_t rv;

            sql(p, "DELETE FROM named_rows");
            take_in(&job, "merge", NULL, COUNT, p);
            begin(2, p);
            seen.at = lose_one;
            rv = go(&job, p);
            __atomic_store_n(&proxy.mode, PROXY_PASS, __ATOMIC_SEQ_CST);
            if (rv || strcmp(counts_of(&job, p), "5000/0/0/0/0/0") || !seen.lanes ||
                strcmp(rows(p), "5000 5000") ||
                !__atomic_exchange_n(&proxy.lost, 0, __ATOMIC_SEQ_CST)) {
                printf("# mode %d, behind %d: %s, %s rows\n", mode_of_commit, passes,
                       counts_of(&job, p), rows(p));
                wrong++;
            }
        }
    }
    is_number(wrong, 0, "each row is made once, whichever COMMIT is lost");
}

int main(void)
{
    apr_pool_t *p;

    if (!is_pgsql()) {
        printf("1..0 # skip: of PostgreSQL\n");
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    p = begin_intake("lanes");
    if (batch_store_migrate(engine.store, NULL, p) != APR_SUCCESS) {
        return 1;
    }
    test_merge(p);
    test_errors(p);
    test_movers(p);
    test_delete(p);
    test_overwrite(p);
    test_cancel(p);
    test_stop(p);
    test_kill(p);
    test_locked(p);
    test_trigger(p);
    test_hidden(p);
    test_alike(p);
    batch_store_destroy(engine.store);
    proxy_start(&proxy, apr_pstrcat(p, directory, "/proxy", NULL),
                sql(p, "SELECT split_part(current_setting('unix_socket_directories'), ',', 1)"));
    engine.store =
        store_make(apr_psprintf(p, "%s host=%s", database, proxy.folder), apr_time_from_sec(5), p);
    test_in_doubt(p);
    return end_intake(p);
}

/* SQLite: writers of one process that share a transaction. */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include <sys/resource.h>

#include <apr_portable.h>

#include "store/tx.h"

#define MOST 20

/* ---- Writers that stand behind each other ------------------------------------------------------
 */

/* What one of them does, and what has become of it. */
typedef struct call {
    batch_job_t job;
    apr_status_t answer; /* what its function returns once the job is there */
    int kills;           /* it ends the process */
    apr_status_t rv;
    const char *message; /* of the error; NULL: it has none */
    int runs;            /* of its function */
    int place;           /* which one of all runs was the last one */
    apr_os_thread_t self, run_by;
    apr_pool_t *p;
    apr_thread_t *thread;
} call_t;

static call_t calls[MOST];
static batch_writers_t writers;
static batch_writer_t holder; /* keeps the turn from the store */
static batch_hurry_t no_hurry;
static int places;

static apr_status_t call_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    call_t *call = baton;
    batch_job_t job = call->job;
    apr_status_t rv = batch_tx_job_insert(tx, &job, NULL);

    (void)ptemp;
    call->runs++;
    call->run_by = apr_os_thread_current();
    call->place = __atomic_add_fetch(&places, 1, __ATOMIC_SEQ_CST);
    if (call->kills) {
        raise(SIGKILL);
    }
    return rv == APR_SUCCESS && call->answer != APR_SUCCESS
               ? batch_error_set(batch_tx_error(tx), call->answer, NULL, call->p, "says %s",
                                 job.organization)
               : rv;
}

static void *APR_THREAD_FUNC be_writer(apr_thread_t *thread, void *data)
{
    call_t *call = data;
    batch_error_t error = {0};

    (void)thread;
    call->self = apr_os_thread_current();
    call->rv = batch_store_write_shared(store, call_body, call, &error, call->p);
    call->message = error.message;
    return NULL;
}

/* How many of the store's writers wait for a turn, or behind one who does. */
static int standing(void)
{
    batch_member_t *member;
    int count;

    pthread_mutex_lock(&store->party.mutex);
    count = store->party.led;
    for (member = store->party.first; member; member = member->next) {
        count++;
    }
    pthread_mutex_unlock(&store->party.mutex);
    return count;
}

/* Starts them, one behind the other, while the turn is kept from them. */
static void line_up(int count)
{
    int i, looks;

    batch_writer_enter(&holder, apr_time_from_sec(10), &no_hurry);
    places = 0;
    for (i = 0; i < count; i++) {
        apr_thread_create(&calls[i].thread, NULL, be_writer, &calls[i], pool);
        for (looks = 0; looks < 10000 && standing() != i + 1; looks++) {
            apr_sleep(apr_time_from_msec(1));
        }
    }
}

static void await(int count)
{
    apr_status_t rv;
    int i;

    for (i = 0; i < count; i++) {
        apr_thread_join(&rv, calls[i].thread);
    }
}

static void let_go(int count)
{
    batch_writer_leave(&holder);
    await(count);
}

/* A database and calls that are as new; organizations: of each call, from the first on. */
static void begin(const char *const *organizations, int count, int patience_ms)
{
    batch_store_config_t config = {.driver = "sqlite3",
                                   .params = path,
                                   .max_connections = 8,
                                   .may_create = 1,
                                   .patience = apr_time_from_msec(patience_ms),
                                   .writers = &writers,
                                   .logger = &fixture_logger};
    int i;

    fresh();
    batch_store_destroy(store);
    batch_writers_make(&writers);
    batch_writer_init(&holder, &writers);
    batch_store_create(&store, &config, &err, pool);
    batch_store_migrate(store, &err, pool);
    store->party.time = apr_time_from_sec(600); /* however slow the machine is */
    memset(calls, 0, sizeof(calls));
    for (i = 0; i < count; i++) {
        apr_pool_create(&calls[i].p, NULL);
        calls[i].job = new_job(organizations ? organizations[i] : "acme");
    }
}

static void end(int count)
{
    int i;

    for (i = 0; i < count; i++) {
        apr_pool_destroy(calls[i].p);
    }
}

/* 1 if call i's function ran so many times, the last time in that call's thread. */
static int ran(int i, int runs, int by)
{
    return calls[i].runs == runs && apr_os_thread_equal(calls[i].run_by, calls[by].self);
}

static long long jobs_of(const char *organization)
{
    return number(apr_psprintf(pool, "SELECT count(*) FROM batch_jobs WHERE organization = '%s'",
                               organization));
}

/* ---- What becomes of them ----------------------------------------------------------------------
 */

static void test_all_well(void)
{
    int i, good = 1, in_order = 1;

    begin(NULL, 5, LONG_PATIENCE);
    line_up(5);
    let_go(5);
    for (i = 0; i < 5; i++) {
        good = good && calls[i].rv == APR_SUCCESS && ran(i, 1, 0);
        in_order = in_order && calls[i].place == i + 1 &&
                   number(apr_psprintf(pool, "SELECT seq FROM batch_jobs WHERE id = '%s'",
                                       calls[i].job.id)) == i + 1;
    }
    ok(good, "five writers: the first one's thread does it for all");
    ok(in_order, "in the order of their coming");
    is_number(number("SELECT count(*) FROM batch_jobs"), 5, "all is there");
    ok(batch_party_is_open(&store->party), "and may be so again");
    is_number(standing(), 0, "nobody is left");
    end(5);
}

static void test_own_failure(void)
{
    const char *const organizations[] = {"a", "b", "busy", "d", "e"};

    begin(organizations, 5, LONG_PATIENCE);
    calls[0].answer = BATCH_ENOTFOUND;
    calls[2].answer = BATCH_EBUSY;
    line_up(5);
    let_go(5);
    is_number(calls[2].rv, BATCH_EBUSY, "a function that fails has that as its result");
    is_string(calls[2].message, "says busy", "with what it says");
    is_number(jobs_of("busy"), 0, "and what it did is undone");
    ok(ran(2, 1, 0), "after one try");
    is_number(calls[0].rv, BATCH_ENOTFOUND, "that of the one whose thread does it, too");
    is_number(jobs_of("a"), 0, "undone as well");
    ok(calls[1].rv == APR_SUCCESS && calls[3].rv == APR_SUCCESS && calls[4].rv == APR_SUCCESS &&
           !calls[1].message && ran(1, 1, 0) && ran(3, 1, 0) && ran(4, 1, 0),
       "the others know nothing of it");
    is_number(number("SELECT count(*) FROM batch_jobs"), 3, "and are there");
    ok(batch_party_is_open(&store->party), "nothing is wrong with that");
    end(5);
}

/* A constraint that the COMMIT would check. */
static void test_deferred(void)
{
    const char *const organizations[] = {"a", "orphan", "c"};

    begin(organizations, 3, LONG_PATIENCE);
    elsewhere("CREATE TABLE parents (id INTEGER PRIMARY KEY);"
              "CREATE TABLE children (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED);"
              "CREATE TRIGGER made AFTER INSERT ON batch_jobs WHEN NEW.organization = 'orphan'"
              " BEGIN INSERT INTO children VALUES (1); END");
    line_up(3);
    let_go(3);
    is_number(calls[1].rv, BATCH_EREFUSED, "what a COMMIT would refuse is refused");
    is_string(calls[1].message, "FOREIGN KEY constraint failed", "in the same words");
    ok(calls[0].rv == APR_SUCCESS && calls[2].rv == APR_SUCCESS && ran(0, 1, 0) && ran(2, 1, 0),
       "to the one alone");
    is_number(number("SELECT count(*) FROM batch_jobs"), 2, "the others are there");
    is_number(number("SELECT count(*) FROM children"), 0, "nothing is left of it");
    end(3);
}

/* The database ends the whole transaction: each is tried by itself. */
static void test_ended(void)
{
    const char *const organizations[] = {"a", "ends", "c", "d"};
    int i, good = 1;

    begin(organizations, 4, LONG_PATIENCE);
    elsewhere("CREATE TRIGGER made BEFORE INSERT ON batch_jobs WHEN NEW.organization = 'ends'"
              " BEGIN SELECT RAISE(ROLLBACK, 'not that one'); END");
    line_up(4);
    let_go(4);
    is_number(calls[1].rv, BATCH_EREFUSED, "a trigger ends the transaction");
    is_string(calls[1].message, "not that one", "and says why to the one");
    ok(ran(1, 2, 1), "that is tried once more by itself");
    for (i = 0; i < 4; i += i ? 1 : 2) {
        good = good && calls[i].rv == APR_SUCCESS && !calls[i].message;
    }
    ok(good, "the others succeed");
    ok(ran(0, 2, 0) && ran(2, 1, 2) && ran(3, 1, 3), "each by itself");
    is_number(number("SELECT count(*) FROM batch_jobs"), 3, "and are there once");
    ok(!batch_party_is_open(&store->party), "for a moment nobody shares a transaction");
    calls[0].job = new_job("later");
    is_number(batch_store_write_shared(store, call_body, &calls[0], &err, pool), APR_SUCCESS,
              "who comes then writes alone");
    end(4);
}

/* The disk fails in the COMMIT: nobody knows, and each is told so. */
static void test_in_doubt(void)
{
    struct rlimit before, tight;
    struct stat status;
    int i, good = 1;

    begin(NULL, 4, LONG_PATIENCE);
    calls[1].answer = BATCH_EBUSY;
    put_one();
    line_up(4);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    stat(apr_pstrcat(pool, path, "-wal", NULL), &status);
    tight.rlim_cur = (rlim_t)status.st_size + 5000;
    setrlimit(RLIMIT_FSIZE, &tight);
    let_go(4);
    setrlimit(RLIMIT_FSIZE, &before);
    for (i = 0; i < 4; i++) {
        good = good && ran(i, 1, 0) &&
               (i == 1 ? calls[i].rv == BATCH_EBUSY
                       : calls[i].rv == BATCH_EINDOUBT && calls[i].message);
    }
    ok(good, "a COMMIT in doubt is so for each that had succeeded");
    for (i = 0; i < 4; i++) {
        good = good &&
               batch_store_job_stands(store, &calls[i].job, &err, calls[i].p) == BATCH_ENOTFOUND;
    }
    ok(good, "who looks finds that it was not done");
    end(4);
}

static void test_many(void)
{
    int i, first = 0, good = 1;

    begin(NULL, MOST, LONG_PATIENCE);
    line_up(MOST);
    let_go(MOST);
    for (i = 0; i < MOST; i++) {
        good = good && calls[i].rv == APR_SUCCESS && calls[i].runs == 1;
        first += apr_os_thread_equal(calls[i].run_by, calls[0].self) != 0;
    }
    ok(good, "of twenty writers all succeed");
    is_number(first, 16, "sixteen in one transaction");
    ok(ran(16, 1, 16), "and the next one's thread goes on");
    is_number(number("SELECT count(*) FROM batch_jobs"), MOST, "each is there once");
    end(MOST);
}

/* Others wait for the turn: a transaction that takes long gets no longer. */
static void test_long(void)
{
    int i, good = 1;

    begin(NULL, 4, LONG_PATIENCE);
    store->party.time = 0;
    line_up(4);
    let_go(4);
    for (i = 0; i < 4; i++) {
        good = good && calls[i].rv == APR_SUCCESS && ran(i, 1, i);
    }
    ok(good, "behind one that takes long the others write by themselves");
    is_number(number("SELECT count(*) FROM batch_jobs"), 4, "all is there");
    ok(batch_party_is_open(&store->party), "nothing is wrong with that");
    end(4);
}

/*
 * 1 if all have written by themselves, as whoever waits for a turn that it does not get: then one
 * at least has SQLite's lock, and the others may have no time left to wait for it. *done: how many.
 */
static int wrote_without_turn(int *done, int count)
{
    int i, good = 1;

    *done = 0;
    for (i = 0; i < count; i++) {
        good = good && (!calls[i].runs || apr_os_thread_equal(calls[i].run_by, calls[i].self)) &&
               (calls[i].rv == APR_SUCCESS || calls[i].rv == BATCH_EUNAVAILABLE);
        *done += calls[i].rv == APR_SUCCESS;
    }
    return good && *done;
}

static void test_patience(void)
{
    int done;

    begin(NULL, 4, 200);
    line_up(4);
    await(4);
    ok(wrote_without_turn(&done, 4), "who has waited for long enough writes without a turn");
    batch_writer_leave(&holder);
    is_number(standing(), 0, "nobody is left");
    is_number(number("SELECT count(*) FROM batch_jobs"), done, "all is there that was done");
    end(4);
}

/* A process that is to end keeps nobody waiting. */
static void test_hurry(void)
{
    int done;

    begin(NULL, 4, LONG_PATIENCE);
    line_up(4);
    batch_store_hurry(store, 0);
    await(4);
    ok(wrote_without_turn(&done, 4), "when the process is to end nobody waits on");
    batch_writer_leave(&holder);
    is_number(number("SELECT count(*) FROM batch_jobs"), done, "all is there that was done");
    end(4);
}

/* All or nothing where the process is killed. Forks, so it comes first. */
static void test_killed(void)
{
    pid_t pid = fork();
    int status = 0;

    if (!pid) {
        begin(NULL, 5, LONG_PATIENCE);
        calls[3].kills = 1;
        line_up(5);
        let_go(5);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a process is killed");
    is_number(number("SELECT count(*) FROM batch_jobs"), 0,
              "in a transaction of which nothing is left");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    test_killed();
    test_all_well();
    test_own_failure();
    test_deferred();
    test_ended();
    test_in_doubt();
    test_many();
    test_long();
    test_patience();
    test_hurry();
    batch_store_destroy(store);
    return fixture_end();
}

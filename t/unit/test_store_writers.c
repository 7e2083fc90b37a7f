/* SQLite: writers that take turns, and the log that they write. */
/* needs: sqlite3; takes: long */
#include "claims.h"
#include "store_sqlite3.h"

#include <sys/mman.h>

#include <apr_atomic.h>

#include "store/writer.h"
#include "text/uuid.h"

/* ---- The log
 * ----------------------------------------------------------------------------------------- */

static apr_status_t find_nothing(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    (void)baton;
    (void)ptemp;
    return BATCH_ENOTFOUND;
}

static long long size_of(const char *suffix)
{
    struct stat status;

    return stat(apr_pstrcat(pool, path, suffix, NULL), &status) ? -1 : (long long)status.st_size;
}

static apr_status_t put_large(void)
{
    batch_job_t job = new_job("acme");

    return batch_store_write(store, insert_large, &job, &err, pool);
}

static void test_checkpoints(void)
{
    int i, good = 1;

    fresh();
    ok(put_large() == APR_SUCCESS && put_large() == APR_SUCCESS, "8 MB are written");
    ok(size_of("-wal") > 8000000 && size_of("") < 1000000, "to the log");
    is_number(batch_store_write(store, find_nothing, NULL, &err, pool), BATCH_ENOTFOUND,
              "a writer finds nothing to do");
    ok(size_of("") > 8000000, "so the log is copied");
    for (i = 0; i < 40; i++) {
        good = good && put_large() == APR_SUCCESS;
    }
    ok(good && size_of("") > 100000000, "when it never finds nothing it is copied all the same");
    ok(size_of("-wal") < 150000000, "and does not grow");
}

/* A log of requests: its file stays, since COMMITs are faster that do not make it longer. */
static void test_short_log(void)
{
    long long size;
    int i;

    fresh();
    put_one();
    is_number(batch_store_wants_worker(store), 0, "a short log needs nobody");
    put_large();
    put_large();
    is_number(batch_store_wants_worker(store), 1, "a longer one a worker");
    is_number(batch_store_wants_worker(store), 0, "one of them");
    batch_store_write(store, find_nothing, NULL, &err, pool);
    size = size_of("-wal");
    ok(size > 8000000 && size_of("") > 8000000, "who copies the log and leaves its file");
    is_number(batch_store_wants_worker(store), 0, "that is enough");
    put_one();
    is_number(batch_store_wants_worker(store), 0, "then the log is short again");
    put_large();
    put_large();
    ok(size_of("-wal") - size < 100000, "since it is written from its beginning on");
    is_number(batch_store_wants_worker(store), 1, "and longer in time");
    for (i = 0; i < 4; i++) {
        put_large();
    }
    is_number(batch_store_wants_worker(store), 0, "and still the one");
    batch_store_write(store, find_nothing, NULL, &err, pool);
    is_number((int)size_of("-wal"), 0, "a large file is cut");
}

static batch_store_t *share_store(batch_writers_t *writers)
{
    batch_store_config_t config = {.may_create = 1,
                                   .driver = "sqlite3",
                                   .params = path,
                                   .max_connections = 2,
                                   .patience = apr_time_from_msec(LONG_PATIENCE),
                                   .writers = writers};
    batch_store_t *made = NULL;

    batch_store_create(&made, &config, &err, pool);
    return made;
}

static apr_status_t claim_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_owner_t owner = {"host", 1, 1};
    batch_claim_t claim = {&owner,    apr_time_from_sec(30), always, never_gone, NULL, NULL,
                           processing};

    (void)ptemp;
    return batch_tx_claim(tx, baton, &claim, pool);
}

static apr_status_t progress_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    apr_status_t rv = batch_tx_fence(tx, baton, apr_time_from_sec(30));

    (void)ptemp;
    return rv == APR_SUCCESS ? batch_tx_progress(tx, baton) : rv;
}

static apr_status_t report_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_owner_t owner = {"host", 1, 1};

    (void)ptemp;
    return batch_tx_upload_progress(tx, baton, &owner, apr_time_from_sec(30), 10);
}

/*
 * A writer that finds nothing to do copies the log, whoever wrote it, but not while a worker is at
 * a job, which may be one of another process.
 */
static void test_log_of_a_job(void)
{
    batch_job_t job = new_job("acme"), claimed;
    batch_writers_t writers;
    batch_store_t *idle;
    long long size;
    int i;

    fresh();
    batch_store_destroy(store);
    batch_writers_make(&writers);
    store = share_store(&writers);
    idle = share_store(&writers);
    put_large();
    put_large();
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    size = size_of("");
    ok(size > 8000000, "the log that another has written is copied");
    put_large();
    put_large();
    batch_store_write_async(store, insert_large, &job, &err, pool);
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    is_number(size_of(""), size, "not while a job is received");
    for (i = 0; i < 8; i++) {
        job.id = batch_uuid_make(pool);
        batch_store_write_async(store, insert_large, &job, &err, pool);
    }
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    ok(size_of("") > size + 30000000, "unless it is long: then beside its writer");
    put_large();
    put_large();
    job.id = batch_uuid_make(pool);
    batch_store_write_async(store, insert_large, &job, &err, pool);
    size = size_of("");
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    is_number(size_of(""), size, "which is not done again for a few pages");
    writers.job_seen = 0;
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    ok(size_of("") > size, "but then");
    job = new_job("acme");
    job.status = BATCH_STATUS_REQUESTED;
    batch_store_write(store, insert_job, &job, &err, pool);
    put_large();
    put_large();
    size = size_of("");
    is_number(batch_store_write_async(store, report_body, &job, &err, pool), APR_SUCCESS,
              "an upload of which nothing is stored yet");
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    ok(size_of("") > size, "waits for its client, not for the log");
    job = new_job("acme");
    job.status = BATCH_STATUS_QUEUED;
    job.queued_at = 1;
    batch_store_write(store, insert_job, &job, &err, pool);
    put_large();
    put_large();
    size = size_of("");
    is_number(batch_store_write(store, claim_body, &claimed, &err, pool), APR_SUCCESS, "a job");
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    is_number(size_of(""), size, "not when it was claimed");
    writers.job_seen = 0;
    batch_store_write(store, progress_body, &claimed, &err, pool);
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    is_number(size_of(""), size, "not between its chunks");
    claimed.status = BATCH_STATUS_COMPLETED;
    batch_store_write(store, progress_body, &claimed, &err, pool);
    batch_store_write(idle, find_nothing, NULL, &err, pool);
    ok(size_of("") > size, "at its end");
    batch_store_destroy(idle);
}

/* ---- Turns --------------------------------------------------------------------------------------
 */

/* What the writing processes share. */
typedef struct shared {
    batch_writers_t writers;
    apr_uint32_t chunks; /* of the greedy process */
    apr_uint32_t over;   /* it may stop */
    apr_uint32_t turns;  /* chunks that went by while each small write waited, in all */
} shared_t;

static shared_t *shared;

static apr_status_t long_write(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_t job = *(batch_job_t *)baton;

    job.id = batch_uuid_make(ptemp);
    apr_sleep(apr_time_from_msec(10));
    apr_atomic_inc32(&shared->chunks);
    return batch_tx_job_insert(tx, &job, NULL);
}

/* 1, and it says why. */
static int has_failed(apr_status_t rv)
{
    if (rv == APR_SUCCESS) {
        return 0;
    }
    fprintf(stderr, "# %s\n", err.message ? err.message : "no reason");
    return 1;
}

static void be_writer(int greedy)
{
    batch_store_config_t config = {.may_create = 1,
                                   .driver = "sqlite3",
                                   .params = path,
                                   .max_connections = 2,
                                   .patience = apr_time_from_msec(LONG_PATIENCE),
                                   .writers = &shared->writers};
    batch_job_t job = new_job(greedy ? "greedy" : "small");
    int i, failed = 0;

    batch_store_create(&store, &config, &err, pool);
    if (greedy) {
        while (!apr_atomic_read32(&shared->over)) {
            failed += has_failed(batch_store_write(store, long_write, &job, &err, pool));
        }
    } else {
        for (i = 0; i < 20; i++) {
            apr_uint32_t before;

            apr_sleep(apr_time_from_msec(5));
            before = apr_atomic_read32(&shared->chunks);
            job.id = batch_uuid_make(pool);
            failed += has_failed(batch_store_write(store, insert_job, &job, &err, pool));
            apr_atomic_add32(&shared->turns, apr_atomic_read32(&shared->chunks) - before);
        }
    }
    batch_store_destroy(store);
    _exit(failed ? 1 : 0);
}

/* Forks, so it must come before anything of SQLite's is open in this process. */
static void test_processes(void)
{
    pid_t writers[4];
    int i, failed = 0;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(shared, 0, sizeof(*shared));
    batch_writers_make(&shared->writers);
    for (i = 0; i < 4; i++) {
        writers[i] = fork();
        if (!writers[i]) {
            be_writer(i == 0);
        }
    }
    for (i = 1; i < 4; i++) {
        failed += wait_for(writers[i]) != 0;
    }
    apr_atomic_set32(&shared->over, 1);
    failed += wait_for(writers[0]) != 0;
    is_number(failed, 0, "four processes write");
    is_number(number("SELECT count(*) FROM batch_jobs WHERE organization = 'small'"), 60, "all");
    is_number(number("SELECT count(*) FROM batch_jobs WHERE organization = 'greedy'"),
              shared->chunks, "each once");
    is_number(shared->writers.waiting, 0, "nobody waits any more");
    /* Three small writers and one that never pauses: a small write waits for one chunk or two. */
    if (!ok(shared->turns <= 60 * 3,
            "a writer that never pauses lets the others have their turn")) {
        printf("# failed\n");
    }
    printf("# %u chunks went by during 60 writes\n", (unsigned)shared->turns);
}

/* Has the turn until it is told to leave it, or for 20 s; says when it has it. */
static pid_t hold_turn(batch_writer_t *writer, int said, int told)
{
    batch_hurry_t hurry = {0};
    pid_t pid = fork();
    char byte = 'x';

    if (!pid) {
        alarm(20);
        if (!batch_writer_enter(writer, apr_time_from_sec(10), &hurry) ||
            write(said, &byte, 1) != 1 || read(told, &byte, 1) != 1) {
            _exit(1);
        }
        batch_writer_leave(writer);
        _exit(0);
    }
    return pid;
}

/* A turn that another has: who waits for it, and who does not any more. */
static void test_turns(void)
{
    batch_job_t job = new_job("turns");
    batch_hurry_t hurry = {0};
    batch_writer_t writer;
    int said[2], told[2], i;
    pid_t holder, other;
    char byte = 'x';

    memset(shared, 0, sizeof(*shared));
    batch_writers_make(&shared->writers);
    batch_writer_init(&writer, &shared->writers);
    if (pipe(said) || pipe(told)) {
        abort();
    }
    holder = hold_turn(&writer, said[1], told[0]);
    is_number((int)read(said[0], &byte, 1), 1, "a process has its turn");
    is_number(batch_writer_enter(&writer, apr_time_from_msec(50), &hurry), 0,
              "another does not get it, and does not wait for ever");
    is_number(batch_writer_is_awaited(&writer), 0, "and then waits no more");
    other = fork();
    if (!other) {
        batch_store_config_t config = {.may_create = 1,
                                       .driver = "sqlite3",
                                       .params = path,
                                       .max_connections = 2,
                                       .patience = apr_time_from_msec(50),
                                       .writers = &shared->writers};

        batch_store_create(&store, &config, &err, pool);
        _exit(has_failed(batch_store_write(store, insert_job, &job, &err, pool)));
    }
    is_number(wait_for(other), 0, "who cannot have it in time writes without");
    is_number(number("SELECT count(*) FROM batch_jobs WHERE organization = 'turns'"), 1, "once");
    other = hold_turn(&writer, said[1], told[0]);
    for (i = 0; i < 2000 && !batch_writer_is_awaited(&writer); i++) {
        apr_sleep(apr_time_from_msec(5));
    }
    ok(batch_writer_is_awaited(&writer), "whoever waits is seen");
    is_number((int)write(told[1], "xx", 2), 2, "the turn is left");
    is_number(wait_for(holder), 0, "by the one");
    is_number(wait_for(other), 0, "and had by the other");
    is_number(batch_writer_is_awaited(&writer), 0, "nobody waits any more");
    for (i = 0; i < 2; i++) {
        close(said[i]);
        close(told[i]);
    }
}

/* The turn of a process that was killed goes to the next one, not to its patience's end. */
static void test_killed(void)
{
    batch_hurry_t hurry = {0};
    batch_writer_t writer;
    pid_t pid;

    memset(shared, 0, sizeof(*shared));
    batch_writers_make(&shared->writers);
    batch_writer_init(&writer, &shared->writers);
    pid = fork();
    if (!pid) {
        batch_writer_enter(&writer, apr_time_from_sec(30), &hurry);
        raise(SIGKILL);
    }
    waitpid(pid, NULL, 0);
    is_number(batch_writer_enter(&writer, apr_time_from_sec(30), &hurry), 1,
              "the turn of a process that was killed is had");
    batch_writer_leave(&writer);
    is_number(batch_writer_enter(&writer, apr_time_from_sec(30), &hurry), 1, "and again");
    batch_writer_leave(&writer);
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    test_processes();
    test_killed();
    test_turns();
    test_checkpoints();
    test_short_log();
    test_log_of_a_job();
    batch_store_destroy(store);
    return fixture_end();
}

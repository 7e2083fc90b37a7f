/*
 * SQLite: a process that could only read the files of a database when it first opened them can
 * write once their mode is mended, though SQLite keeps its shared memory as it was opened until all
 * connections of the process are closed. For that they must not be in use all at once.
 */
/* needs: sqlite3 */
#include "store_fixture.h"

#include <apr_atomic.h>
#include <apr_thread_proc.h>

static batch_store_t *store;
static batch_store_t *other; /* on the same database, as that of a virtual host */

static const char *const suffixes[] = {"", "-wal", "-shm"};

static apr_status_t put_one(void)
{
    batch_job_t job = new_job("acme");

    return batch_store_write(store, insert_job, &job, &err, pool);
}

static void change_modes(mode_t mode)
{
    int i;

    for (i = 0; i < 3; i++) {
        chmod(apr_pstrcat(pool, path, suffixes[i], NULL), mode);
    }
}

/* root may write anything: be somebody else for a while. */
static void become(uid_t user)
{
    static int root = -1;

    root = root < 0 ? geteuid() == 0 : root;
    if (root && seteuid(user)) {
        abort();
    }
}

/* A database whose shared memory this process has open to read only; its files can be written. */
static void begin_read_only(holder_t *holder)
{
    store = open_store(path, 3000);
    other = open_store(path, 3000);
    put_one();
    batch_store_destroy(store);
    store = open_store(path, 3000);
    chmod(folder, 0777);
    change_modes(0444);
    ok(hold(holder, "BEGIN; SELECT count(*) FROM batch_jobs"), "somebody makes the files");
    become(65534);
    is_number(batch_store_read(store, nothing, NULL, &err, pool), APR_SUCCESS, "it can be read");
    is_number(batch_store_read(other, nothing, NULL, &err, pool), APR_SUCCESS, "twice");
    is_number(put_one(), BATCH_EUNAVAILABLE, "it cannot be written");
    become(0);
    change_modes(0666);
}

/* ---- Readers that are never gone --------------------------------------------------------------
 */

static apr_uint32_t over;   /* the readers may stop */
static apr_uint32_t within; /* readers in a transaction */
static apr_uint32_t alone;  /* times that one was the only one as it ended */
static apr_uint32_t failed;

static apr_status_t read_slowly(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    int i;

    (void)tx;
    (void)baton;
    (void)ptemp;
    apr_atomic_inc32(&within);
    apr_sleep(apr_time_from_msec(5));
    /* Stays until another has come, so that there is always one; but not for ever. */
    for (i = 0; i < 20 && apr_atomic_read32(&within) < 2; i++) {
        apr_sleep(apr_time_from_msec(1));
    }
    if (apr_atomic_dec32(&within) == 0) {
        apr_atomic_inc32(&alone);
    }
    return APR_SUCCESS;
}

static void *APR_THREAD_FUNC read_on(apr_thread_t *thread, void *data)
{
    batch_error_t error;
    apr_pool_t *p;

    (void)thread;
    apr_pool_create(&p, NULL);
    while (!apr_atomic_read32(&over)) {
        if (batch_store_read(data, read_slowly, NULL, &error, p) != APR_SUCCESS) {
            apr_atomic_inc32(&failed);
        }
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return NULL;
}

static void test_mended(void)
{
    apr_thread_t *threads[6];
    apr_status_t returned, rv = BATCH_EUNAVAILABLE;
    apr_time_t end;
    holder_t holder = {0};
    int i;

    begin_read_only(&holder);
    for (i = 0; i < 6; i++) {
        apr_thread_create(&threads[i], NULL, read_on, i % 2 ? store : other, pool);
    }
    while (apr_atomic_read32(&within) < 2) {
        apr_sleep(apr_time_from_msec(1));
    }
    end = apr_time_now() + apr_time_from_sec(120);
    while (rv != APR_SUCCESS && apr_time_now() < end) {
        rv = put_one();
    }
    is_number(rv, APR_SUCCESS, "mended, it can be written while others read on and on");
    if (rv != APR_SUCCESS) {
        printf("# %s\n", err.message);
    }
    apr_atomic_set32(&over, 1);
    for (i = 0; i < 6; i++) {
        apr_thread_join(&returned, threads[i]);
    }
    is_number(failed, 0, "no reader has failed");
    printf("# a reader was the last to leave %u times\n", (unsigned)alone);
    let_go_of(&holder);
    is_number(number("SELECT count(*) FROM batch_jobs"), 2, "what was refused was not done");
    batch_store_destroy(store);
    batch_store_destroy(other);
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    test_mended();
    return fixture_end();
}

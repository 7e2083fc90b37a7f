/* SQLite: a removal of the module's own rows that fails says why. */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include <dlfcn.h>
#include <errno.h>

#include "store/removal.h"

static int armed;

__attribute__((visibility("default"))) ssize_t pread64(int fd, void *to, size_t n, off_t at)
{
    static ssize_t (*real)(int, void *, size_t, off_t);

    if (!real) {
        real = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
    }
    if (armed) {
        errno = EIO;
        return -1;
    }
    return real(fd, to, n, at);
}

__attribute__((visibility("default"))) ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    return pread64(fd, to, n, at);
}

static apr_status_t remove_items(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    apr_status_t rv;

    (void)ptemp;
    armed = 1;
    rv = batch_tx_segments_passed(tx, baton, 0, 1);
    armed = 0;
    return rv;
}

static apr_status_t remove_read(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_segments_passed(tx, baton, 0, 1);
}

int main(int argc, char **argv)
{
    batch_job_t job;
    apr_status_t rv;
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    fresh();
    job = new_job("acme");
    is_number(batch_store_write(store, insert_large, &job, &err, pool), APR_SUCCESS, "stored");
    job.seq = number("SELECT max(seq) FROM batch_jobs");
    native(path, "PRAGMA wal_checkpoint(TRUNCATE)");
    rv = batch_store_write(store, remove_items, &job, &err, pool);
    is_number(rv, BATCH_EUNAVAILABLE, "a disk that cannot be read");
    is_string(err.tag, "MB0105", "is no statement that the database does not take");
    ok(err.message && !strstr(err.message, "not an error"), "and its reason is still known");
    is_number(batch_store_write(store, remove_read, &job, &err, pool), APR_SUCCESS,
              "the next one is done");
    batch_store_destroy(store);
    return fixture_end();
}

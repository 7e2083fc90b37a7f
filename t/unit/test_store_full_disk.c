/*
 * SQLite on a disk that is full: what was answered with success is there, what was not is not, and
 * all goes on once there is room. On a small file system of its own, in memory, which an ordinary
 * user may mount only in a namespace of users.
 */
/* needs: sqlite3 */
#include <sched.h>
#include <sys/mount.h>

#include "store_fixture.h"

static batch_store_t *store;
static apr_int64_t accepted; /* jobs whose insertion was answered with success */

static int write_file(const char *file, const char *text)
{
    FILE *handle = fopen(file, "w");

    return handle && (fputs(text, handle) >= 0) + (fclose(handle) == 0) == 2;
}

/* Mounts 1 MiB at place, for this process alone. */
static int mount_small(const char *place)
{
    uid_t user = geteuid();
    gid_t group = getegid();

    mkdir(place, 0700);
    if (user == 0 && unshare(CLONE_NEWNS) != 0) {
        return 0;
    }
    if (user != 0 &&
        (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_file("/proc/self/setgroups", "deny") ||
         !write_file("/proc/self/uid_map", apr_psprintf(pool, "0 %u 1", user)) ||
         !write_file("/proc/self/gid_map", apr_psprintf(pool, "0 %u 1", group)))) {
        return 0;
    }
    return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", place, "tmpfs", 0, "size=1m") == 0;
}

static apr_status_t insert_both(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    char *text = apr_palloc(ptemp, 20001);
    batch_segment_t segment = {0, 1, text, 20000};
    apr_status_t rv = batch_tx_job_insert(tx, baton, NULL);

    memset(text, 'x', 20000);
    text[20000] = '\0';
    return rv == APR_SUCCESS ? batch_tx_segment_insert(tx, baton, &segment) : rv;
}

/* A COMMIT in doubt has to be settled, as the engine does. */
static apr_status_t put(void)
{
    batch_job_t job = new_job("acme");
    apr_status_t rv = batch_store_write(store, insert_both, &job, &err, pool);

    if (rv == BATCH_EINDOUBT) {
        rv = batch_store_job_stands(store, &job, &err, pool);
    }
    accepted += rv == APR_SUCCESS;
    return rv;
}

static void is_complete(void)
{
    is_number(number("SELECT count(*) FROM batch_jobs"), accepted, "what was accepted is there");
    is_number(number("SELECT count(*) FROM batch_items"), accepted, "with its items");
    is_string(native(path, "PRAGMA integrity_check"), "ok", "and the database is whole");
}

/* Fills what is left, to the last byte. */
static void fill(const char *file)
{
    static char page[4096];
    FILE *handle = fopen(file, "w");
    size_t size;

    setvbuf(handle, NULL, _IONBF, 0);
    for (size = sizeof(page); size > 0; size /= 2) {
        while (fwrite(page, 1, size, handle) == size) {
        }
    }
    fclose(handle);
}

static void test_filling_up(void)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    store = open_store(path, 1000);
    is_number(put(), APR_SUCCESS, "there is room");
    for (i = 0; i < 200 && rv == APR_SUCCESS; i++) {
        rv = put();
    }
    ok(rv != APR_SUCCESS && i > 3, "in the end there is none");
    ok(err.tag && strstr(err.message, "full"), "which is said: %s", err.message);
    for (i = 0; i < 5; i++) {
        ok(put() != APR_SUCCESS, "and none");
    }
    is_number(batch_store_read(store, nothing, NULL, &err, pool), APR_SUCCESS, "it can be read");
    is_complete();
    ok(!mount("tmpfs", apr_pstrcat(pool, folder, "/small", NULL), "tmpfs", MS_REMOUNT, "size=4m"),
       "the disk becomes larger");
    is_number(put(), APR_SUCCESS, "and takes more");
    is_complete();
}

/* No room even for the files that SQLite keeps beside the database while it is open. */
static void test_opening(const char *filler)
{
    batch_store_destroy(store);
    fill(filler);
    store = open_store(path, 1000);
    ok(put() != APR_SUCCESS, "a full disk, and nothing is open");
    ok(err.tag && strstr(err.message, "No space left"), "which is said: %s", err.message);
    ok(put() != APR_SUCCESS, "still full");
    unlink(filler);
    is_number(put(), APR_SUCCESS, "there is room again");
    is_complete();
}

int main(int argc, char **argv)
{
    const char *filler;
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    path = apr_pstrcat(pool, folder, "/small/batch.db", NULL);
    filler = apr_pstrcat(pool, folder, "/small/filler", NULL);
    if (!mount_small(apr_pstrcat(pool, folder, "/small", NULL))) {
        printf("1..0 # skip: this machine does not let us mount a file system\n");
        remove_folder();
        return 0;
    }
    test_filling_up();
    test_opening(filler);
    batch_store_destroy(store);
    umount(apr_pstrcat(pool, folder, "/small", NULL));
    return fixture_end();
}

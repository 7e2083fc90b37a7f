/*
 * SQLite: frames of the log are gathered and written together. What was committed is there for all,
 * what was not is for nobody, and what a connection has not written by the time that it gives up is
 * not written over what others have.
 */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include <errno.h>

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/sqlite3/vfs.h"

#define ROWS "400"

static sqlite3 *open_it(void)
{
    sqlite3 *db = NULL;

    is_number(sqlite3_open(batch_sqlite3_vfs_params(path, pool), &db), SQLITE_OK, "it is opened");
    sqlite3_exec(db,
                 "PRAGMA journal_mode = WAL; PRAGMA cache_size = 10; PRAGMA cache_spill = 10;"
                 "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL",
                 NULL, NULL, NULL);
    return db;
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* The first column of the first row, by that connection. */
static const char *ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    const char *answer = "no row";

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        answer = apr_pstrdup(pool, (const char *)sqlite3_column_text(statement, 0));
    } else {
        answer = apr_pstrdup(pool, sqlite3_errmsg(db));
    }
    sqlite3_finalize(statement);
    return answer;
}

/* Changes all rows, which has pages written before the COMMIT. */
static int change(sqlite3 *db, const char *letter)
{
    return run(db,
               apr_psprintf(pool, "UPDATE texts SET text = printf('%%.*c', 2500, '%s')", letter));
}

static const char letters[] = "SELECT group_concat(DISTINCT substr(text, 1, 1)) FROM texts";
static const char check[] = "PRAGMA integrity_check";

static sqlite3 *fresh_database(void)
{
    sqlite3 *db;

    unlink(path);
    unlink(apr_pstrcat(pool, path, "-wal", NULL));
    unlink(apr_pstrcat(pool, path, "-shm", NULL));
    db = open_it();
    is_number(run(db, "CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT)"), SQLITE_OK, "made");
    is_number(run(db,
                  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " ROWS
                  ") INSERT INTO texts SELECT i, printf('%.*c', 2500, 'a') FROM n"),
              SQLITE_OK, "filled");
    return db;
}

static void test_name(void)
{
    is_string(batch_sqlite3_vfs_params("/a b/50%?#.db", pool),
              "file:///a%20b/50%25%3f%23.db?vfs=batch", "a path may have any signs");
    is_string(batch_sqlite3_vfs_params("file:x?mode=rw", pool), "file:x?mode=rw",
              "a URI is the administrator's");
}

static void test_commits(void)
{
    sqlite3 *a = fresh_database();
    sqlite3 *b = open_it();

    is_number(change(a, "b"), SQLITE_OK, "all rows are changed");
    is_string(ask(b, letters), "b", "another connection sees all of it");
    is_number(run(b, "BEGIN"), SQLITE_OK, "it reads on");
    is_string(ask(b, letters), "b", "and sees the same");
    is_number(run(a, "BEGIN IMMEDIATE"), SQLITE_OK, "a transaction");
    is_number(change(a, "c"), SQLITE_OK, "changes them again");
    is_string(ask(a, letters), "c", "and sees what it has changed");
    is_string(ask(b, letters), "b", "which the other does not");
    is_number(run(a, "COMMIT"), SQLITE_OK, "it is committed");
    is_string(ask(b, letters), "b", "who reads sees what was when it began");
    is_number(run(b, "COMMIT"), SQLITE_OK, "until its end");
    is_string(ask(b, letters), "c", "and then what is");
    sqlite3_close(a);
    is_string(ask(b, check), "ok", "the database is whole");
    sqlite3_close(b);
}

static void test_rollbacks(void)
{
    sqlite3 *a = fresh_database();
    sqlite3 *b = open_it();
    int i;

    is_string(ask(b, letters), "a", "both know the log");
    for (i = 1; i <= 40; i++) { /* so that what is left to be written differs */
        char letter[2] = {(char)('b' + i % 20), '\0'};

        /* Pages are read from the database then, not from the log. */
        is_string(ask(b, "PRAGMA wal_checkpoint"), "0", "the log is copied");
        is_number(run(a, "BEGIN IMMEDIATE"), SQLITE_OK, "one begins");
        is_number(
            run(a, apr_psprintf(pool, "UPDATE texts SET text = text || 'z' WHERE id < %d", i * 9)),
            SQLITE_OK, "and changes some");
        is_number(run(a, "ROLLBACK"), SQLITE_OK, "gives up");
        is_number(change(b, letter), SQLITE_OK, "the other changes all");
        is_number(run(a, "UPDATE texts SET text = text || '' WHERE id = 1"), SQLITE_OK,
                  "the first one writes again");
        is_string(ask(b, letters), letter, "what was committed stands");
    }
    is_string(ask(b, check), "ok", "the database is whole");
    sqlite3_close(a);
    sqlite3_close(b);
}

static void test_savepoints(void)
{
    sqlite3 *a = fresh_database();
    sqlite3 *b = open_it();

    is_number(run(a, "BEGIN IMMEDIATE; SAVEPOINT s"), SQLITE_OK, "a step");
    is_number(change(a, "b"), SQLITE_OK, "changes all");
    is_number(run(a, "ROLLBACK TO s; RELEASE s"), SQLITE_OK, "is undone");
    is_string(ask(a, letters), "a", "all of it");
    is_number(change(a, "c"), SQLITE_OK, "the next one");
    is_number(change(a, "d"), SQLITE_OK, "changes all twice, in the same frames");
    is_number(run(a, "COMMIT"), SQLITE_OK, "is committed");
    is_string(ask(b, letters), "d", "and seen");
    is_string(ask(b, check), "ok", "the database is whole");
    is_string(ask(b, "PRAGMA wal_checkpoint(TRUNCATE)"), "0", "the log is copied");
    is_string(ask(b, letters), "d", "and nothing is lost");
    sqlite3_close(a);
    sqlite3_close(b);
}

/* What a process has not committed when it is killed is not there. */
static void test_kill(void)
{
    sqlite3 *a = fresh_database();
    pid_t child;
    int status = 0;

    sqlite3_close(a);
    child = fork();
    if (!child) {
        a = NULL;
        if (sqlite3_open(batch_sqlite3_vfs_params(path, pool), &a) == SQLITE_OK &&
            run(a, "PRAGMA cache_size = 10; PRAGMA cache_spill = 10") == SQLITE_OK &&
            change(a, "b") == SQLITE_OK && run(a, "BEGIN IMMEDIATE") == SQLITE_OK &&
            change(a, "c") == SQLITE_OK) {
            raise(SIGKILL);
        }
        _exit(1);
    }
    is_number(waitpid(child, &status, 0), child, "a process ends");
    ok(WIFSIGNALED(status), "it was killed in a transaction");
    a = open_it();
    is_string(ask(a, letters), "b", "what it had committed is there, and nothing else");
    is_string(ask(a, check), "ok", "the database is whole");
    sqlite3_close(a);
}

/* A log that cannot grow. */
static void test_failure(void)
{
    sqlite3 *a = fresh_database();
    struct rlimit before, now;
    int code;

    is_number(getrlimit(RLIMIT_FSIZE, &before), 0, "there is a limit");
    is_string(ask(a, "PRAGMA wal_checkpoint(TRUNCATE)"), "0", "the log is empty");
    now = before;
    now.rlim_cur = 700000;
    signal(SIGXFSZ, SIG_IGN);
    is_number(setrlimit(RLIMIT_FSIZE, &now), 0, "of 700,000 bytes");
    code = change(a, "b");
    is_number(setrlimit(RLIMIT_FSIZE, &before), 0, "it is taken away");
    ok(code == SQLITE_FULL || code == SQLITE_IOERR, "the change has failed: %d", code);
    is_string(ask(a, letters), "a", "and left nothing");
    is_number(change(a, "c"), SQLITE_OK, "the next one");
    is_string(ask(a, letters), "c", "has changed all");
    is_string(ask(a, check), "ok", "the database is whole");
    sqlite3_close(a);
}

typedef ssize_t write_fn(int fd, const void *bytes, size_t count, off_t at);

static struct {
    write_fn *write;
    int after; /* the write that fails for want of room, of those to come; 0: none */
    int failed;
} room;

static ssize_t write_or_fail(int fd, const void *bytes, size_t count, off_t at)
{
    if (room.after > 0 && --room.after == 0) {
        room.failed++;
        errno = ENOSPC;
        return -1;
    }
    return room.write(fd, bytes, count, at);
}

/*
 * A transaction may go on behind a write that has failed, which may be one of frames that SQLite
 * takes for written. It must not be committed then.
 */
static void test_gone_on(void)
{
    sqlite3_vfs *library = sqlite3_vfs_find("unix");
    const char *name = library->xGetSystemCall(library, "pwrite64") ? "pwrite64" : "pwrite";
    int at, tried = 0, whole = 0, refused = 0, survived = 0;

    room.write = (write_fn *)library->xGetSystemCall(library, name);
    library->xSetSystemCall(library, name, (sqlite3_syscall_ptr)write_or_fail);
    for (at = 1; at <= 200; at += 3) {
        sqlite3 *a = fresh_database();
        int code;

        (void)run(a, "CREATE UNIQUE INDEX names ON texts (substr(text, 2) || id)");
        (void)ask(a, "PRAGMA wal_checkpoint");
        (void)run(a, "BEGIN IMMEDIATE; UPDATE texts SET text = text || 'y' WHERE id % 3 = 0");
        room.failed = 0;
        room.after = at;
        (void)run(a, "UPDATE texts SET text = text || 'z' WHERE id % 2 = 0");
        room.after = 0;
        tried += room.failed;
        survived += !sqlite3_get_autocommit(a);
        code = sqlite3_get_autocommit(a) ? SQLITE_FULL : run(a, "COMMIT");
        refused += code != SQLITE_OK;
        sqlite3_close(a);
        a = open_it();
        whole += !strcmp(ask(a, check), "ok");
        sqlite3_close(a);
    }
    library->xSetSystemCall(library, name, NULL);
    ok(tried > 10 && survived > 0 && refused > 0,
       "of %d writes that failed %d left a transaction, %d were not committed", tried, survived,
       refused);
    is_number(whole, (at - 1) / 3, "the database is whole each time");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    test_name();
    test_commits();
    test_rollbacks();
    test_savepoints();
    test_kill();
    test_failure();
    test_gone_on();
    return fixture_end();
}

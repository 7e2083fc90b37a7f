#include "store/sqlite3/log.h"

#include <sqlite3.h>

#include <apr_atomic.h>

#include "store/sqlite3/rows.h"
#include "store/writer.h"
#include "text/check.h"

/*
 * When the log is copied, by its length in pages of mostly 4 KiB: once there is nothing else to do,
 * from LOG_LONG on, ...
 */
#define LOG_LONG 1000

/*
 * ... and from LOG_HUGE on it is not the log of requests but of a large job: copying it keeps
 * everybody waiting for long, ...
 */
#define LOG_HUGE (4 * LOG_LONG)

/* ... or if there always is, by whoever wrote last, after the writers' queue was left, ... */
#define CHECKPOINT_BUSY 32768

/* ... or before it is left, as other writers may have kept that from ever being complete. */
#define CHECKPOINT_ALONE (2 * CHECKPOINT_BUSY)

/* Of a log that is not to be copied yet: so many pages by a worker that has nothing to do. */
#define CHECKPOINT_BESIDE 8192

/* What the writers share of the log: numbers of batch_writers_t.kept. */
enum {
    PAGES,  /* in it after the last COMMIT, … */
    COPIED, /* … of them in the database already, about, … */
    ASKED,  /* … and 1 if a worker was asked to copy them */
    NUMBERS
};

_Static_assert(NUMBERS <= BATCH_WRITERS_KEPT, "the writers share as many numbers as the log needs");

/* Notes how long the log has become: instead of SQLite's own checkpoint inside the COMMIT. */
static int note_log(void *baton, sqlite3 *native, const char *database, int pages)
{
    batch_connection_t *connection = BATCH_CAST(batch_connection_t, baton, BATCH_CONNECTION_MAGIC);
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    (void)native;
    (void)database;
    state->log_pages = pages;
    if ((apr_uint32_t)pages < apr_atomic_read32(&connection->writers->kept[PAGES])) {
        apr_atomic_set32(&connection->writers->kept[COPIED], 0); /* it has begun anew */
    }
    apr_atomic_set32(&connection->writers->kept[PAGES], (apr_uint32_t)pages);
    return SQLITE_OK;
}

void batch_sqlite3_log_watch(batch_connection_t *connection)
{
    sqlite3_wal_hook(connection->native, note_log, connection);
}

static void copy_log(batch_connection_t *connection, int mode)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);
    batch_writers_t *writers = connection->writers;

    state->log_pages = 0;
    apr_atomic_set32(&writers->kept[PAGES], 0);
    apr_atomic_set32(&writers->kept[COPIED], 0);
    apr_atomic_set32(&writers->kept[ASKED], 0);
    /* Busy: another process is at it. Any other failure will show in the next transaction. */
    (void)sqlite3_wal_checkpoint_v2(connection->native, NULL, mode, NULL, NULL);
}

/*
 * Not while a worker is at a job: its next chunks would make the log as long again, and have to
 * wait meanwhile.
 *
 * While nobody waits a large file is cut as well: it would keep its greatest length. A small one
 * stays, to be written from its beginning again: a COMMIT is much faster if it does not make the
 * file longer.
 */
static void copy_log_quietly(batch_connection_t *connection)
{
    apr_uint32_t pages = apr_atomic_read32(&connection->writers->kept[PAGES]);

    if (pages >= LOG_LONG && !batch_writers_at_job(connection->writers)) {
        copy_log(connection,
                 pages >= LOG_HUGE ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE);
    }
}

/*
 * Of a log that goes on growing: what is copied now, beside its writer, is not to be copied later
 * while it waits.
 */
static void copy_log_beside(batch_connection_t *connection)
{
    batch_writers_t *writers = connection->writers;
    apr_uint32_t pages = apr_atomic_read32(&writers->kept[PAGES]);
    apr_uint32_t copied = apr_atomic_read32(&writers->kept[COPIED]);
    int done = 0;

    if (pages > copied && pages - copied >= CHECKPOINT_BESIDE &&
        sqlite3_wal_checkpoint_v2(connection->native, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                  &done) == SQLITE_OK &&
        done > 0) {
        apr_atomic_set32(&writers->kept[COPIED], (apr_uint32_t)done);
    }
}

void batch_sqlite3_log_committed(batch_connection_t *connection)
{
    const batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (state->log_pages >= CHECKPOINT_ALONE) {
        copy_log(connection, SQLITE_CHECKPOINT_PASSIVE);
    }
}

void batch_sqlite3_log_idle(batch_connection_t *connection, batch_idle_e when)
{
    const batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (when == BATCH_IDLE_BESIDE) {
        copy_log_beside(connection);
    } else if (when == BATCH_IDLE_QUIET) {
        copy_log_quietly(connection);
    } else if (state->log_pages >= CHECKPOINT_BUSY) {
        copy_log(connection, SQLITE_CHECKPOINT_PASSIVE);
    }
}

int batch_sqlite3_log_wants_worker(batch_writers_t *writers)
{
    apr_uint32_t pages = apr_atomic_read32(&writers->kept[PAGES]);

    return pages >= LOG_LONG && pages < LOG_HUGE &&
           apr_atomic_cas32(&writers->kept[ASKED], 1, 0) == 0;
}

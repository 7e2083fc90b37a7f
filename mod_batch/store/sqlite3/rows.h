/* SQLite: whole operations on rows; part of the driver. Private to store/. */
#ifndef BATCH_STORE_SQLITE3_ROWS_H
#define BATCH_STORE_SQLITE3_ROWS_H

#include <sqlite3.h>

#include "store/library_memory.h"
#include "store/tx.h"
#include "text/check.h"

#define BATCH_SQLITE3_WORD 16

/*
 * KiB of pages that a connection has in memory: of a chunk the most, where the database is so small
 * that this is a good part of it. What a transaction has changed stays in memory until its COMMIT,
 * also where it is more; a chunk ends when it is a quarter more.
 */
#define BATCH_SQLITE3_CACHE      (10 * 1024)
#define BATCH_SQLITE3_CACHE_MOST (48 * 1024)
#define BATCH_SQLITE3_SMALL      (128 * 1024)

/* What frames a transaction. */
typedef enum {
    BATCH_FRAME_BEGIN,
    BATCH_FRAME_BEGIN_IMMEDIATE,
    BATCH_FRAME_COMMIT,
    BATCH_FRAME_STEP_BEGIN,
    BATCH_FRAME_STEP_END,
    BATCH_FRAMES
} batch_frame_e;

/* What the driver knows of an open connection. */
typedef struct batch_sqlite3_state {
    unsigned magic;
#define BATCH_SQLITE3_STATE_MAGIC 0xf8388a96u
    char journal[BATCH_SQLITE3_WORD]; /* the journal mode that the database has */
    int async;                        /* a COMMIT does not wait for the disk; -1: who knows */
    int zeros;                        /* pages that are let go are written over with zeros */
    int zeros_due;                    /* … but just now they would not be */
    int log_pages;                    /* in the write-ahead log at the last commit */
    int cache;                        /* KiB that its pages may take; 0: as the library says */
    int rows_ready;                   /* the next is known */
    int savepoints;                   /* each row needs one: see sqlite3/run.c */
    int ignores;                      /* the schema may leave a row out without an error */
    batch_refusal_e refusal;          /* of the last row that was refused */
    int rows_used;                    /* this transaction has changed rows */
    apr_time_t rows_used_at;          /* apr_time_now at the end of the last one that did */
    batch_library_memory_t memory;    /* what is said of its memory, … */
    unsigned prepared;                /* … statements that were made or let go of, … */
    unsigned counted;                 /* … as many as there were when it was last counted, … */
    apr_time_t counted_at;            /* … and when, … */
    apr_int64_t fixed_memory;         /* … what they and the schema take */
    sqlite3_stmt *frames[BATCH_FRAMES];  /* NULL: not yet */
    struct batch_sqlite3_groups *groups; /* see sqlite3/groups.h; NULL: none yet */
} batch_sqlite3_state_t;

/** The state of an open connection of this driver. */
static inline batch_sqlite3_state_t *batch_sqlite3_state(const batch_connection_t *connection)
{
    BATCH_CHECK(connection, BATCH_CONNECTION_MAGIC);
    return BATCH_CAST(batch_sqlite3_state_t, connection->state, BATCH_SQLITE3_STATE_MAGIC);
}

/** Bytes of SQLite's memory that the connection has at most: pages, schema and statements. */
static inline apr_int64_t batch_sqlite3_most(const batch_sqlite3_state_t *state)
{
    return state->fixed_memory + ((apr_int64_t)4 * 1024 + state->cache + state->cache / 4) * 1024;
}

/** 1 if the pages that a transaction has changed take all the memory that they may have. */
int batch_sqlite3_is_full(const batch_connection_t *connection);

/* As the members of batch_driver_t. */
apr_status_t batch_sqlite3_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                      const char *organization, const char *form_id);
apr_status_t batch_sqlite3_scan(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn,
                                void *baton, apr_pool_t *ptemp);
apr_status_t batch_sqlite3_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                         const batch_item_error_t *errors, int count);
apr_status_t batch_sqlite3_rows_delete(batch_tx_t *tx, batch_rows_t *rows);
apr_status_t batch_sqlite3_rows_update(batch_tx_t *tx, batch_rows_t *rows);
apr_status_t batch_sqlite3_rows_merge(batch_tx_t *tx, batch_rows_t *rows);
apr_status_t batch_sqlite3_rows_look(batch_tx_t *tx, batch_rows_t *rows);
apr_status_t batch_sqlite3_keys_walk(batch_tx_t *tx, batch_key_walk_t *walk);
apr_status_t batch_sqlite3_keys_quick(batch_tx_t *tx, int *quick, const batch_row_scope_t *scope);

#endif

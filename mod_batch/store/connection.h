/* A connection and its prepared statements. Private to store/. */
#ifndef BATCH_STORE_CONNECTION_H
#define BATCH_STORE_CONNECTION_H

#include "store/driver.h"
#include "store/hurry.h"

/* Statements on the administrator's tables that a connection keeps, at the end of a transaction. */
#define BATCH_CONNECTION_STATEMENTS 64

/**
 * A place for a connection, used by one thread at a time. The place lives as long as the store;
 * what it holds is opened when first needed, and thrown away and opened anew after a failure.
 */
struct batch_connection {
    unsigned magic;
#define BATCH_CONNECTION_MAGIC 0x23c15f35u
    const batch_logger_t *logger;
    const batch_driver_t *driver;
    const apr_dbd_driver_t *dbd;
    const char *params;
    int may_create;               /* batch_store_config_t */
    apr_interval_time_t patience; /* how long one statement may wait for a lock */
    int in_use;                   /* the gate's */
    int is_opening;               /* of batch_places_t: it was closed when it was taken */
    /*
     * In this attempt at a transaction a trigger has said that it be tried again: it raises what
     * the server itself says of a deadlock, a full disk, …; and whether that is taken for a
     * refusal.
     */
    int trigger_spoke;
    int is_blaming;
    batch_hurry_t *hurry;     /* the store's */
    batch_writers_t *writers; /* the same */
    /* From here on: as long as it is open. handle is NULL while it is closed. */
    apr_pool_t *p;       /* with an allocator of its own, which gives memory back */
    apr_pool_t *scratch; /* what one statement needs: batch_connection_scratch */
    apr_dbd_t *handle;
    void *native;                                /* the database library's own handle */
    batch_prepared_t *prepared[BATCH_SQL_COUNT]; /* the module's own; NULL = not yet */
    apr_hash_t *by_text;                         /* SQL -> batch_prepared_t *, the others */
    int failed;  /* statements of the others that could not be prepared: they cost memory too */
    void *state; /* the driver's */
};

/** Opens a closed connection. *message: why not, in p. */
batch_failure_e batch_connection_open(batch_connection_t *connection, const char **message,
                                      apr_pool_t *p);

/** Closes it, if it is open: an open transaction is rolled back. */
void batch_connection_close(batch_connection_t *connection);

/** 1 if it holds more statements than it should; to be closed when its transaction is over. */
int batch_connection_is_full(const batch_connection_t *connection);

/** A pool for one statement: what was in it before is gone. */
apr_pool_t *batch_connection_scratch(batch_connection_t *connection);

/** Makes (at first) and gives the prepared statement for one of the module's own. */
batch_failure_e batch_connection_own(batch_connection_t *connection, batch_prepared_t **prepared,
                                     batch_statement_e statement);

/**
 * Runs a statement that returns no rows; *rows: how many it changed, if it succeeds. Some drivers
 * allocate in p for each call.
 */
batch_failure_e batch_connection_execute(batch_connection_t *connection, int *rows,
                                         batch_prepared_t *prepared, const void **values, int own,
                                         apr_pool_t *p);

/** Runs a statement that returns rows; they live in p. */
batch_failure_e batch_connection_select(batch_connection_t *connection, batch_results_t **results,
                                        batch_prepared_t *prepared, const void **values, int own,
                                        apr_pool_t *p);

/** The next row, 0 behind the last one. *row must be NULL at first. Copy its strings before. */
int batch_connection_row(batch_connection_t *connection, batch_row_t **row,
                         batch_results_t *results, apr_pool_t *p);

/** A column of a row: 0 for NULL. */
apr_int64_t batch_row_number(const batch_connection_t *connection, batch_row_t *row, int column);

/** A column of a row: copied into p, or as the driver keeps it where p is NULL. NULL for NULL. */
const char *batch_row_text(const batch_connection_t *connection, batch_row_t *row, int column,
                           apr_pool_t *p);

/** Microseconds by a clock that nobody sets, and that goes on while the machine is suspended. */
apr_time_t batch_ticks(void);

/** name as a quoted SQL identifier, in p. */
const char *batch_sql_identifier(const char *name, apr_pool_t *p);

#endif

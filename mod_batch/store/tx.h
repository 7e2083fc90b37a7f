/* A transaction, as the store's own files see it. Private to store/. */
#ifndef BATCH_STORE_TX_H
#define BATCH_STORE_TX_H

#include "store/connection.h"
#include "store/gate.h"
#include "store/party.h"
#include "store/places.h"
#include "store/writer.h"

struct batch_store {
    unsigned magic;
#define BATCH_STORE_MAGIC 0xc4cf2e20u
    apr_pool_t *p; /* unmanaged: no cleanup of a process that ends ever runs here */
    const batch_driver_t *driver;
    const apr_dbd_driver_t *dbd;
    const char *params;
    apr_interval_time_t patience;
    int may_create;
    int block_signals;
    const batch_logger_t *logger;
    batch_hurry_t hurry;
    batch_writer_t writer;
    batch_party_t party; /* of those that wait for a turn */
    batch_places_t connections;
    batch_places_t readers;          /* for reads that take long */
    batch_gate_t gate;               /* knows the connections of both */
    volatile apr_uint32_t blamed_at; /* second in which a trigger's rows were last found to blame */
};

struct batch_tx {
    unsigned magic;
#define BATCH_TX_MAGIC 0x45d8e996u
    batch_store_t *store;
    int write; /* it may */
    int async; /* batch_tx_is_async */
    batch_turn_e turn;
    apr_time_t begun_at; /* apr_time_now when this attempt began */
    int is_tried;        /* a set of rows was applied in it (store/sets.h) */
    batch_connection_t *connection;
    batch_error_t error; /* details of the failure; message in p */
    apr_pool_t *p;       /* of the call that runs the transaction */
    /*
     * The first failure of the database, NONE while all is well. It outlives what the caller's
     * function makes of it: such a transaction is never committed.
     */
    batch_failure_e failure;
};

/** How a transaction is to be run. */
typedef enum {
    BATCH_RUN_READ,
    BATCH_RUN_READ_LONG,
    BATCH_RUN_WRITE,
    BATCH_RUN_WRITE_ASYNC,  /* as batch_store_write_async */
    BATCH_RUN_WRITE_SHARED, /* as batch_store_write_shared */
    BATCH_RUN_SETTLE,       /* reads only, but as a writer does: waits for others that write */
    BATCH_RUN_INSPECT /* reads the administrator's tables only; the module's own need not be there
                       */
} batch_run_e;

/** Runs fn in a transaction: what batch_store_write and batch_store_read promise. */
apr_status_t batch_store_run(batch_store_t *store, batch_run_e how, batch_tx_fn *fn, void *baton,
                             batch_error_t *err, apr_pool_t *ptemp);

/** Notes a failure of the database; returns the status that it means. doing: for the message. */
apr_status_t batch_tx_fail(batch_tx_t *tx, batch_failure_e failure, const char *doing);

/** The same, with another message than the database's last one. Of several failures the first
 * counts.
 */
apr_status_t batch_tx_fail_with(batch_tx_t *tx, batch_failure_e failure, const char *message,
                                const char *doing);

/** The same as batch_tx_fail, of a statement on the module's own tables. */
apr_status_t batch_tx_fail_own(batch_tx_t *tx, batch_failure_e failure, const char *doing);

/** The status that a failure means. */
apr_status_t batch_failure_status(batch_failure_e failure);

/**
 * What the column batch_errors.original has of an error: the original, or the values behind a "=",
 * which no JSON text begins with; in p. batch_tx_errors_read takes it apart.
 */
const char *batch_error_shown(const batch_item_error_t *error, apr_pool_t *p);

/** Runs one of the module's own statements that returns no rows. rows may be NULL. */
apr_status_t batch_tx_execute(batch_tx_t *tx, int *rows, batch_statement_e statement,
                              const void **values);

/**
 * Runs one of the module's own statements that must change exactly one row: otherwise the
 * transaction fails with BATCH_EFENCED. A driver may put it off: then a later call, at the latest
 * the COMMIT, fails.
 */
apr_status_t batch_tx_execute_one(batch_tx_t *tx, batch_statement_e statement, const void **values);

/** Runs one of the module's own statements whose result nobody waits for; see above. */
apr_status_t batch_tx_execute_later(batch_tx_t *tx, batch_statement_e statement,
                                    const void **values);

/** Runs one of the module's own statements that returns rows; they live in p. */
apr_status_t batch_tx_select(batch_tx_t *tx, batch_results_t **results, batch_statement_e statement,
                             const void **values, apr_pool_t *p);

/* store_jobs.c, for the queue and the lists */

/** The place of a status in the order of a list: what is stored as status_rank. */
const apr_int64_t *batch_status_rank(batch_status_e status);

/** A row of BATCH_JOB_COLUMNS or, if all, BATCH_JOB_COLUMNS_ALL; strings are copied into p. */
apr_status_t batch_tx_job_read(batch_tx_t *tx, batch_job_t *job, batch_row_t *row, int all,
                               apr_pool_t *p);

/** Reads a job by its seq in p, without shared_values and operations. BATCH_ENOTFOUND */
apr_status_t batch_tx_job_by_seq(batch_tx_t *tx, batch_job_t *job, apr_int64_t seq, apr_pool_t *p);

/**
 * Reads a whole job by its seq in p, and keeps others from changing it until the transaction ends.
 * BATCH_ENOTFOUND also where somebody else is at it just now.
 */
apr_status_t batch_tx_job_lock(batch_tx_t *tx, batch_job_t *job, apr_int64_t seq, apr_pool_t *p);

/* store_queue.c, for the uploads */

/** What has to be known of a job that somebody may hold before it is read whole. */
typedef struct batch_holding {
    apr_int64_t seq;
    apr_time_t time; /* the one that they are in order of */
    apr_time_t lease_until;
    batch_owner_t owner; /* host NULL: nobody */
    apr_int64_t epoch;
    const char *id;
} batch_holding_t;

/** Before the first of them. */
#define BATCH_HOLDINGS_BEGIN                                                                       \
    {                                                                                              \
        -1, -1, 0, {NULL, 0, 0}, 0, NULL                                                           \
    }

/**
 * The next ones behind *last in *found (of batch_holding_t), in p; fewer than BATCH_HOLDINGS: these
 * are the last. statement: of BATCH_SQL_TEXT_HOLDINGS.
 */
apr_status_t batch_tx_holdings(batch_tx_t *tx, apr_array_header_t **found,
                               batch_statement_e statement, const batch_holding_t *last,
                               apr_pool_t *p);

/** 1 if nobody holds it any more: no owner, its lease is over, or its owner is known to be gone. */
int batch_holding_is_free(const batch_holding_t *holding, batch_owner_gone_fn *owner_gone,
                          void *baton, apr_time_t now);

#endif

/*
 * What the store needs of a database besides the SQL in statements.h. Private to store/.
 *
 * A driver is a table of functions, one constant for each database. What is the same for all of
 * them (connections, prepared statements, the loop of a transaction, jobs, queue, errors' reading)
 * is not here. A driver may do in fewer round trips what others do by the item, which is why whole
 * operations on rows are its own.
 */
#ifndef BATCH_STORE_DRIVER_H
#define BATCH_STORE_DRIVER_H

#include <apr_dbd.h>

#include "store/statements.h"
#include "store/scan.h"

typedef struct batch_connection batch_connection_t;
typedef struct batch_driver batch_driver_t;
typedef struct batch_schema_step batch_schema_step_t;

/* What only the driver knows the inside of. */
typedef struct batch_prepared
    batch_prepared_t;                         /* a prepared statement; as long as its connection */
typedef struct batch_results batch_results_t; /* the rows of a SELECT */
typedef struct batch_row batch_row_t;         /* one of them */

/* What a failed call means for the transaction in which it happened. */
typedef enum {
    BATCH_FAILURE_NONE,
    BATCH_FAILURE_REFUSED,   /* a constraint or trigger; the transaction can go on (or roll back) */
    BATCH_FAILURE_ENDED,     /* the same, and the database has rolled the transaction back */
    BATCH_FAILURE_LOCKED,    /* somebody else holds a lock: again, a little later */
    BATCH_FAILURE_OUTDATED,  /* the schema has changed under our statements: reopen, again */
    BATCH_FAILURE_MISSING,   /* the module's own tables are not there: make them, again */
    BATCH_FAILURE_NEWER,     /* the module's own tables are of a version we do not know */
    BATCH_FAILURE_STATEMENT, /* the statement does not fit the tables, or failed while it ran */
    BATCH_FAILURE_DAMAGED,   /* the same of one on the module's own tables */
    BATCH_FAILURE_FENCED,    /* batch_tx_execute_one: not exactly one row */
    BATCH_FAILURE_LOST,      /* the connection is of no more use; nothing was committed */
    BATCH_FAILURE_READ_ONLY, /* the same, for it may not write: others of this process neither */
    BATCH_FAILURE_IN_DOUBT   /* the same, and it was lost in a COMMIT, which may have been done */
} batch_failure_e;

/* What a transaction is begun for. */
typedef enum {
    BATCH_BEGIN_READ,
    BATCH_BEGIN_WRITE,
    /*
     * The same, but its COMMIT may return before the disk has it. Only for a database that cannot
     * fail without us: a server that does would leave us behind, who believe that it is done.
     */
    BATCH_BEGIN_WRITE_ASYNC
} batch_begin_e;

/* The time behind a transaction. */
typedef enum {
    BATCH_IDLE_USED,  /* everything that others wait for was let go */
    BATCH_IDLE_QUIET, /* the turn of a writer that found nothing to write, as a worker does */
    BATCH_IDLE_BESIDE /* behind that turn: it has nothing to do */
} batch_idle_e;

/* All digits that a number has are kept, or it is refused. */
#define BATCH_DIGITS_ALL APR_INT32_MAX

/* How a column of the table keeps what it is given. */
typedef struct batch_column_facts {
    const char *type; /* as the database names it */
    int digits;       /* of a number so many are kept, whatever they are */
    int places;       /* and so many of them behind the point */
    int takes_uuid;   /* it can hold any UUID */
} batch_column_facts_t;

/* What a table promises, and asks for. */
typedef struct batch_table_facts {
    int key_takes_uuid; /* the key's column can hold a UUID */
    int key_is_made;    /* a row that is inserted without a key gets one */
    batch_key_type_e key_type;
    int key_unique;          /* a unique index: one row at most, in a scope, has a key */
    int key_unique_alone;    /* one of the key and nothing else: one row at most of all scopes */
    int key_unique_in_scope; /* one that has the scope's column, too */
    int match_unique;        /* a unique index: one row at most has the values of match */
    batch_column_facts_t *columns; /* one for each column of the resource, in their order */
    apr_array_header_t *needed; /* of const char *: columns that are NOT NULL without a default */
} batch_table_facts_t;

struct batch_driver {
    const char *name;                  /* as BatchDBDriver says it */
    const char *const *statements;     /* by batch_statement_e; NULL: the neutral text, or none */
    const batch_schema_step_t *schema; /* the steps to the module's own tables: schema.h */
    int async;                         /* it knows BATCH_BEGIN_WRITE_ASYNC */
    int one_writer;                    /* writers queue up before they begin: store/writer.h */
    apr_size_t chunk_bytes;            /* of stored items that a chunk is given at most, about */
    int commit_again;                  /* a COMMIT that meets a lock leaves its transaction open */
    int sets; /* one statement on many rows is better than many: 0 = it blocks other threads */

    /** NULL, or why these connection parameters cannot work: a constant, or in p. */
    const char *(*check_params)(const char *params, apr_pool_t *p);

    /**
     * Makes connection->handle from params, with the settings that make a COMMIT durable, and
     * connection->native. On failure all is closed, and *message (in p) is the database's own.
     */
    batch_failure_e (*open)(batch_connection_t *connection, const char **message, apr_pool_t *p);

    /** What the driver has to let go of before connection->handle is closed; NULL: nothing. */
    void (*close)(batch_connection_t *connection);

    /**
     * Starts a transaction that may write, or only reads. own: the module's own tables must be of
     * our version, see batch_schema_version_failure; that is the first look at the data, so that
     * outdated statements show. On failure a transaction may be open; the caller rolls back. A
     * driver may put all of it off until the first statement, which then returns the failure.
     */
    batch_failure_e (*begin)(batch_connection_t *connection, batch_begin_e kind, int own);

    /**
     * Starts a transaction in which the module's own tables can be made or changed: nobody else
     * does until it ends. *version: of those that are there, 0 if there are none.
     */
    batch_failure_e (*begin_schema)(batch_connection_t *connection, apr_int64_t *version);

    /** Adds a column to one of the module's own tables, unless it is there. In their transaction.
     */
    batch_failure_e (*add_column)(batch_connection_t *connection, const char *table,
                                  const char *column, const char *definition);

    /** Gives a column of one of them another name, unless it has that. In their transaction. */
    batch_failure_e (*rename_column)(batch_connection_t *connection, const char *table,
                                     const char *from, const char *to);

    /**
     * Gives the tables that were made what not every server has. In their transaction. NULL:
     * nothing.
     */
    batch_failure_e (*refine_schema)(batch_connection_t *connection);

    /**
     * Ends the transaction, and makes it durable unless it was begun as BATCH_BEGIN_WRITE_ASYNC. On
     * failure it is still open, or gone; the caller rolls back.
     */
    batch_failure_e (*commit)(batch_connection_t *connection);

    /** Leaves no transaction open: BATCH_FAILURE_LOST if that cannot be had. */
    batch_failure_e (*rollback)(batch_connection_t *connection);

    /** Is called behind each transaction, with when it is. */
    void (*idle)(batch_connection_t *connection, batch_idle_e when);

    /** As batch_store_wants_worker, for what idle does. NULL: nothing, ever. */
    int (*wants_worker)(batch_writers_t *writers);

    /** Begins what step_end can undo alone. */
    batch_failure_e (*step_begin)(batch_connection_t *connection);

    /**
     * Ends that. Where a constraint that is put off does not hold it is undone: then *message,
     * which are NULL before, are the database's about it, in p.
     */
    batch_failure_e (*step_end)(batch_connection_t *connection, const char **message,
                                apr_pool_t *p);
    batch_failure_e (*step_undo)(batch_connection_t *connection);

    /** The database's message about its last failure; copy it. */
    const char *(*message)(batch_connection_t *connection);

    /**
     * The number of a new job, where an earlier statement of the transaction has told one on its
     * way, which saves asking for it; given away once. 0: none has. NULL: none ever does.
     */
    apr_int64_t (*take_place)(batch_connection_t *connection);

    /** The database's clock, within a transaction. */
    apr_time_t (*now)(batch_connection_t *connection);

    /* Statements: connection.h says what these do. label: unique in the connection. */
    batch_failure_e (*run)(batch_connection_t *connection, const char *sql);
    batch_failure_e (*prepare)(batch_connection_t *connection, batch_prepared_t **prepared,
                               const char *sql, const char *label, int own);
    batch_failure_e (*execute)(batch_connection_t *connection, int *rows,
                               batch_prepared_t *prepared, const void **values, int own,
                               apr_pool_t *p);
    batch_failure_e (*select)(batch_connection_t *connection, batch_results_t **results,
                              batch_prepared_t *prepared, const void **values, int own,
                              apr_pool_t *p);
    int (*row)(batch_connection_t *connection, batch_row_t **row, batch_results_t *results,
               apr_pool_t *p);
    apr_int64_t (*number)(const batch_connection_t *connection, batch_row_t *row, int column);
    const char *(*text)(const batch_connection_t *connection, batch_row_t *row, int column);

    /**
     * As execute, for one of the module's own, but the driver may put it off: a failure is then
     * returned by a later call, at the latest by commit, which does not commit. NULL: it cannot.
     */
    batch_failure_e (*execute_later)(batch_connection_t *connection, batch_prepared_t *prepared,
                                     const void **values, apr_pool_t *p);

    /**
     * The names of a table's columns (const char *, in p): none if there is no such table.
     * *ignore_case: how names compare.
     */
    batch_failure_e (*columns)(batch_connection_t *connection, apr_array_header_t **names,
                               int *ignore_case, const char *table, apr_pool_t *p);

    /** 1 if a transaction should end since it holds much memory. NULL: none does. */
    int (*is_full)(const batch_connection_t *connection);

    /** Looks at a resource's table, which is there with all its columns; strings in p. */
    batch_failure_e (*facts)(batch_connection_t *connection, batch_table_facts_t *facts,
                             const batch_resource_t *resource, apr_pool_t *p);

    /** *independent: as in batch_table_known_t, of a table as it is now, which is there. */
    batch_failure_e (*independent)(batch_connection_t *connection, int *independent,
                                   const batch_resource_t *resource);

    /**
     * Adds what the role that we are lacks for the resource's actions; all tables and columns are
     * there. NULL: such a database knows no privileges.
     */
    batch_failure_e (*privileges)(batch_connection_t *connection, apr_array_header_t *misfits,
                                  const batch_resource_t *resource, apr_pool_t *p);

    /**
     * *inexact: why the column may take two organizations for one, NULL = it does not; in p or a
     * constant. *harmless: only such as nobody has.
     */
    batch_failure_e (*scope_check)(batch_connection_t *connection, const char **inexact,
                                   int *harmless, const char *table, const char *column,
                                   apr_pool_t *p);

    /* Whole operations, as store.h describes them. */
    apr_status_t (*form_check)(batch_tx_t *tx, const batch_resource_t *resource,
                               const char *organization, const char *form_id);
    apr_status_t (*scan)(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn, void *baton,
                         apr_pool_t *ptemp);
    apr_status_t (*errors_insert)(batch_tx_t *tx, const batch_job_t *job,
                                  const batch_item_error_t *errors, int count);
    apr_status_t (*rows_delete)(batch_tx_t *tx, batch_rows_t *rows);
    apr_status_t (*rows_update)(batch_tx_t *tx, batch_rows_t *rows);
    apr_status_t (*rows_merge)(batch_tx_t *tx, batch_rows_t *rows);
    apr_status_t (*rows_look)(batch_tx_t *tx, batch_rows_t *rows);
    apr_status_t (*keys_walk)(batch_tx_t *tx, batch_key_walk_t *walk);

    /** NULL: there is one writer at a time. */
    apr_status_t (*rows_apart)(batch_tx_t *tx, int *apart, const batch_resource_t *resource,
                               batch_action_e action);

    /** NULL: it never is, since looks at many rows are as quick. */
    apr_status_t (*keys_quick)(batch_tx_t *tx, int *quick, const batch_row_scope_t *scope);
};

#endif

/*
 * PostgreSQL: how statements get to the server and their results back; part of the driver. Private
 * to store/.
 *
 * apr_dbd opens the connection. From then on it is in libpq's pipeline mode: statements are queued,
 * and a flush sends what is queued and waits for all results, in one round trip. After a failure
 * the server skips what is queued behind it; here too every call returns that failure until the
 * transaction (or a savepoint) is rolled back.
 */
#ifndef BATCH_STORE_PGSQL_PIPELINE_H
#define BATCH_STORE_PGSQL_PIPELINE_H

#include <libpq-fe.h>

#include "store/connection.h"
#include "store/sets.h"
#include "text/check.h"

/* Types that we know; their numbers are PostgreSQL's for good. */
#define BATCH_PGSQL_BIGINT  20
#define BATCH_PGSQL_TEXT    25
#define BATCH_PGSQL_OID     26
#define BATCH_PGSQL_XIDS    1011 /* an array of xid */
#define BATCH_PGSQL_VARCHAR 1043

/* Statements that are queued at most before they are sent. */
#define BATCH_PGSQL_QUEUE 16

/* What a statement is: decides what its failure means. */
typedef enum {
    BATCH_PGSQL_OWN,     /* one on the module's own tables, or on none */
    BATCH_PGSQL_VERSION, /* BATCH_SQL_VERSION, whose result is looked at */
    BATCH_PGSQL_ONE_ROW, /* of ONE_ROW (statements.c): its failure can be a fence */
    BATCH_PGSQL_ROWS,    /* one on the administrator's tables: whatever it says refuses rows */
    BATCH_PGSQL_COMMIT
} batch_pgsql_what_e;

/* A prepared statement: what batch_prepared_t is here. Lives in its connection's pool. */
typedef struct batch_pgsql_statement {
    const char *name;
    const char *sql; /* as PostgreSQL takes it, with $1, $2, … */
    int count;       /* of parameters */
    Oid *types;      /* of each */
    int made;        /* the server has it, or has been sent it */
    batch_pace_t pace;
} batch_pgsql_statement_t;

/* One of the queued. */
typedef struct batch_pgsql_queued {
    batch_pgsql_what_e what;
    batch_pgsql_statement_t *makes; /* it is the PREPARE of this one */
} batch_pgsql_queued_t;

/* What the driver knows of an open connection: batch_connection_t.state. */
typedef struct batch_pgsql_state {
    unsigned magic;
#define BATCH_PGSQL_STATE_MAGIC 0x19da96c6u
    batch_pgsql_queued_t queue[BATCH_PGSQL_QUEUE];
    int queued;
    int lost;                /* the connection is of no more use */
    int open;                /* the server has heard of the transaction, … */
    int committed;           /* … and has committed it */
    batch_failure_e failure; /* of this transaction (or savepoint), NONE while all is well */
    PGresult *result;        /* of the last statement of the last flush */
    PGresult *refusal;       /* of the last statement that failed */
    int refused_making;      /* that was a PREPARE */
    char message[400];       /* why the connection was lost */
    apr_time_t clock;        /* the server's when the transaction began, 0 = not known yet, … */
    apr_time_t clock_at;     /* … when that came in, by a clock that is never set */
    apr_int64_t place;       /* the number of a new job that a statement has told, 0 = none has */
    unsigned transactions;   /* how many there were */
    unsigned statements;     /* names given */
    apr_int64_t timeout;     /* the session's statement_timeout in milliseconds, 0 = none */
    apr_hash_t *tables;      /* pgsql/types.c */
} batch_pgsql_state_t;

/** The state of an open connection of this driver. */
static inline batch_pgsql_state_t *batch_pgsql_state(const batch_connection_t *connection)
{
    BATCH_CHECK(connection, BATCH_CONNECTION_MAGIC);
    return BATCH_CAST(batch_pgsql_state_t, connection->state, BATCH_PGSQL_STATE_MAGIC);
}

/** Makes the state of a connection that apr_dbd has just opened, and enters pipeline mode. */
batch_failure_e batch_pgsql_start(batch_connection_t *connection);

/** A statement with these parameters' types (copied), in the connection's pool. */
batch_pgsql_statement_t *batch_pgsql_statement_make(batch_connection_t *connection, const char *sql,
                                                    const Oid *types, int count);

/* The values of parameters. NULL is SQL NULL. */
typedef struct batch_pgsql_values {
    const char *const *values;
    const int *lengths; /* of those in PostgreSQL's binary format; NULL: all are texts */
    const int *formats; /* 1 = binary, 0 = text */
} batch_pgsql_values_t;

/** Queues a statement. values may go when this returns. */
batch_failure_e batch_pgsql_queue_values(batch_connection_t *connection,
                                         batch_pgsql_statement_t *statement,
                                         const batch_pgsql_values_t *values,
                                         batch_pgsql_what_e what);

/** The same with texts, NULL is SQL NULL; they may go when this returns. */
batch_failure_e batch_pgsql_queue(batch_connection_t *connection,
                                  batch_pgsql_statement_t *statement, const char *const *values,
                                  batch_pgsql_what_e what);

/** Queues a statement that is used once: the server does not keep it. */
batch_failure_e batch_pgsql_queue_once(batch_connection_t *connection, const char *sql,
                                       const Oid *types, int count,
                                       const batch_pgsql_values_t *values, batch_pgsql_what_e what);

/** Queues a statement that is not prepared and has no parameters. */
batch_failure_e batch_pgsql_queue_text(batch_connection_t *connection, const char *sql,
                                       batch_pgsql_what_e what);

/**
 * Sends what is queued and reads the results. *result (if not NULL): that of the last statement,
 * which stays the connection's until the next flush.
 */
batch_failure_e batch_pgsql_flush(batch_connection_t *connection, PGresult **result);

/** Queues a statement with texts, and flushes. */
batch_failure_e batch_pgsql_ask(batch_connection_t *connection, PGresult **result,
                                batch_pgsql_statement_t *statement, const char *const *values,
                                batch_pgsql_what_e what);

/** Takes *result of the last flush away from the connection: cleared with p. */
PGresult *batch_pgsql_keep(batch_connection_t *connection, apr_pool_t *p);

/**
 * Goes on after a failure, which the caller undoes by a ROLLBACK TO SAVEPOINT: to be queued next.
 */
void batch_pgsql_forgive(batch_connection_t *connection);

#endif

/*
 * PostgreSQL: what a failure means for the transaction and for other rows, and in which words it is
 * told; part of the driver. Private to store/.
 */
#ifndef BATCH_STORE_PGSQL_FAILURES_H
#define BATCH_STORE_PGSQL_FAILURES_H

#include "store/pgsql/pipeline.h"

/**
 * What the failure of a statement means, by which the connection was not lost. Notes on the
 * connection where a trigger has said it.
 */
batch_failure_e batch_pgsql_classify(batch_connection_t *connection, const PGresult *result,
                                     batch_pgsql_what_e what);

/** 1 if the server closes the connection with this failure. */
int batch_pgsql_is_fatal(const PGresult *result);

/** The SQLSTATE of the last failure, "" if the server gave none. */
const char *batch_pgsql_sqlstate(const batch_connection_t *connection);

/**
 * 1 if the last failure says that the statement does not fit the tables, or that our role may not
 * do it, whatever the rows are: not what a trigger or a policy says of a row.
 */
int batch_pgsql_is_misfit(const batch_connection_t *connection);

/** What the last failure, by which a row was refused, says of other rows. */
batch_refusal_e batch_pgsql_refusal(const batch_connection_t *connection);

/** The name of the constraint of the last failure, "" if the server gave none. */
const char *batch_pgsql_constraint(const batch_connection_t *connection);

/** The server's message of the last failure, without ours; or why the connection was lost. */
const char *batch_pgsql_message(batch_connection_t *connection);

#endif

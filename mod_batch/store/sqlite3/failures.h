/*
 * SQLite: what a failure means for the transaction and for other rows, and in which words it is
 * told; part of the driver. Private to store/.
 */
#ifndef BATCH_STORE_SQLITE3_FAILURES_H
#define BATCH_STORE_SQLITE3_FAILURES_H

#include "store/connection.h"

/**
 * What code, which SQLite or apr_dbd returned, means. To be asked at once, before another call on
 * the connection. own: the statement was one of the module's own tables.
 */
batch_failure_e batch_sqlite3_classify(batch_connection_t *connection, int code, int own);

/**
 * The library's message about the last failure of an open connection; where the file is to blame,
 * with its name, what may not be done with it, and the user. They live as long as the connection.
 */
const char *batch_sqlite3_message(batch_connection_t *connection);

/** Such a message with the database's file and our user, in p. */
const char *batch_sqlite3_place(const batch_connection_t *connection, const char *message,
                                apr_pool_t *p);

/** What the connection's last failure, by which a row was refused, says of other rows. */
batch_refusal_e batch_sqlite3_refusal(const batch_connection_t *connection);

#endif

/*
 * SQLite: the write-ahead log, and when it is copied into the database (a checkpoint); part of the
 * driver. Private to store/.
 *
 * SQLite does it inside the COMMIT that makes the log 1,000 pages long: a third of the time of a
 * large delete. Here it is done once there is nothing else to do, or by whoever wrote last. The
 * length of the log is among what the writers of all processes share.
 */
#ifndef BATCH_STORE_SQLITE3_LOG_H
#define BATCH_STORE_SQLITE3_LOG_H

#include "store/connection.h"

/** Of a connection that was opened: from now on the length of the log is noted at each COMMIT. */
void batch_sqlite3_log_watch(batch_connection_t *connection);

/** Behind a COMMIT, before the writers' queue is left. */
void batch_sqlite3_log_committed(batch_connection_t *connection);

/* As the members idle and wants_worker of batch_driver_t. */
void batch_sqlite3_log_idle(batch_connection_t *connection, batch_idle_e when);
int batch_sqlite3_log_wants_worker(batch_writers_t *writers);

#endif

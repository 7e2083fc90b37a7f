/* SQLite: a question that is asked once; part of the driver. Private to store/. */
#ifndef BATCH_STORE_SQLITE3_ASK_H
#define BATCH_STORE_SQLITE3_ASK_H

#include <sqlite3.h>

#include "store/connection.h"

/** Makes a statement with the first count of these texts as its parameters; they have to stay. */
batch_failure_e batch_sqlite3_ask(batch_connection_t *connection, sqlite3_stmt **statement,
                                  const char *sql, const char *const *texts, int count);

/** Ends it, be it NULL. code: of its last step, which is a failure unless it gave a row, or none.
 */
batch_failure_e batch_sqlite3_asked(batch_connection_t *connection, sqlite3_stmt *statement,
                                    int code);

/** A column of its row, "" for NULL; until the next step. */
const char *batch_sqlite3_text(sqlite3_stmt *statement, int column);

#endif

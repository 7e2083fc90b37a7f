/* SQLite: what statements.h and schema.h leave to drivers. Private to this folder. */
#ifndef BATCH_STORE_SQLITE3_STATEMENTS_H
#define BATCH_STORE_SQLITE3_STATEMENTS_H

#include "store/schema.h"

/** By batch_statement_e; NULL: the neutral text, or none. */
extern const char *const batch_sqlite3_statements[BATCH_SQL_COUNT];

/** The steps to the module's own tables. */
extern const batch_schema_step_t batch_sqlite3_schema[];

#endif

/* PostgreSQL: what statements.h and schema.h leave to drivers. Private to this folder. */
#ifndef BATCH_STORE_PGSQL_STATEMENTS_H
#define BATCH_STORE_PGSQL_STATEMENTS_H

#include "store/schema.h"

/* The clock in SQL, in microseconds since the epoch. */
#define BATCH_PGSQL_CLOCK "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

/** By batch_statement_e; NULL: the neutral text, or none. */
extern const char *const batch_pgsql_statements[BATCH_SQL_COUNT];

/** The steps to the module's own tables. */
extern const batch_schema_step_t batch_pgsql_schema[];

#endif

/* PostgreSQL: statements on the administrator's tables, put together. Private to store/. */
#ifndef BATCH_STORE_PGSQL_BUILDER_H
#define BATCH_STORE_PGSQL_BUILDER_H

#include "store/pgsql/types.h"

typedef struct batch_pgsql_builder {
    apr_array_header_t *pieces;  /* of const char * */
    apr_array_header_t *types;   /* of Oid */
    apr_array_header_t *values;  /* of const char * */
    apr_array_header_t *lengths; /* of int, of each of them that is binary, … */
    apr_array_header_t *formats; /* … which is a 1 here, as libpq takes them */
    const batch_pgsql_table_t *table;
    const char *table_name; /* quoted */
    apr_pool_t *p;
} batch_pgsql_builder_t;

/** Starts a statement on that table, whose name is not quoted yet. All that it makes lives in p. */
void batch_pgsql_builder_init(batch_pgsql_builder_t *builder, const batch_pgsql_table_t *table,
                              const char *name, apr_pool_t *p);

/** Adds a piece, which has to stay. */
void batch_pgsql_add(batch_pgsql_builder_t *builder, const char *piece);

/** Adds a parameter of that type. */
void batch_pgsql_add_value(batch_pgsql_builder_t *builder, Oid type, const char *value);

/** Adds a parameter that is an array of the column's type. */
void batch_pgsql_add_array(batch_pgsql_builder_t *builder, const batch_pgsql_column_t *column,
                           const char *const *texts, int count);

/** The parameters' values; they live as long as the builder is not added to. */
batch_pgsql_values_t batch_pgsql_values(const batch_pgsql_builder_t *builder);

/** Adds: word table.column = */
void batch_pgsql_add_column(batch_pgsql_builder_t *builder, const char *word, const char *column);

/** Adds: word table.column = value. Returns 0 if no row can have that value. */
int batch_pgsql_add_condition(batch_pgsql_builder_t *builder, const char *word,
                              const char *column_name, const char *value);

/** The finished statement of the connection. */
batch_pgsql_statement_t *batch_pgsql_built(batch_connection_t *connection,
                                           const batch_pgsql_builder_t *builder);

#endif

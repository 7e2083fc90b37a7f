#include "store/pgsql/builder.h"

#include <apr_strings.h>

void batch_pgsql_add(batch_pgsql_builder_t *builder, const char *piece)
{
    APR_ARRAY_PUSH(builder->pieces, const char *) = piece;
}

/* length: of a binary value, -1 for a text */
static void add_parameter(batch_pgsql_builder_t *builder, Oid type, const char *value, int length)
{
    APR_ARRAY_PUSH(builder->types, Oid) = type;
    APR_ARRAY_PUSH(builder->values, const char *) = value;
    APR_ARRAY_PUSH(builder->lengths, int) = length < 0 ? 0 : length;
    APR_ARRAY_PUSH(builder->formats, int) = length >= 0;
    batch_pgsql_add(builder, apr_psprintf(builder->p, "$%d", builder->values->nelts));
}

void batch_pgsql_add_value(batch_pgsql_builder_t *builder, Oid type, const char *value)
{
    add_parameter(builder, type, value, -1);
}

void batch_pgsql_add_array(batch_pgsql_builder_t *builder, const batch_pgsql_column_t *column,
                           const char *const *texts, int count)
{
    int length = -1;
    const char *array = batch_pgsql_binary_array(&length, column, texts, count, builder->p);

    add_parameter(builder, column->array,
                  array ? array : batch_pgsql_array(texts, count, builder->p), length);
}

batch_pgsql_values_t batch_pgsql_values(const batch_pgsql_builder_t *builder)
{
    const batch_pgsql_values_t values = {(const char *const *)builder->values->elts,
                                         (const int *)builder->lengths->elts,
                                         (const int *)builder->formats->elts};

    return values;
}

void batch_pgsql_builder_init(batch_pgsql_builder_t *builder, const batch_pgsql_table_t *table,
                              const char *name, apr_pool_t *p)
{
    builder->pieces = apr_array_make(p, 32, sizeof(const char *));
    builder->types = apr_array_make(p, 8, sizeof(Oid));
    builder->values = apr_array_make(p, 8, sizeof(const char *));
    builder->lengths = apr_array_make(p, 8, sizeof(int));
    builder->formats = apr_array_make(p, 8, sizeof(int));
    builder->table = table;
    builder->table_name = batch_pgsql_identifier(name, p);
    builder->p = p;
}

void batch_pgsql_add_column(batch_pgsql_builder_t *builder, const char *word, const char *column)
{
    batch_pgsql_add(builder, word);
    batch_pgsql_add(builder, builder->table_name);
    batch_pgsql_add(builder, ".");
    batch_pgsql_add(builder, batch_pgsql_identifier(column, builder->p));
    batch_pgsql_add(builder, " = ");
}

int batch_pgsql_add_condition(batch_pgsql_builder_t *builder, const char *word,
                              const char *column_name, const char *value)
{
    const batch_pgsql_column_t *column = batch_pgsql_column(builder->table, column_name);

    batch_pgsql_add_column(builder, word, column_name);
    batch_pgsql_add_value(builder, column->type, value);
    return value && batch_pgsql_fits(column, value);
}

batch_pgsql_statement_t *batch_pgsql_built(batch_connection_t *connection,
                                           const batch_pgsql_builder_t *builder)
{
    return batch_pgsql_statement(connection, apr_array_pstrcat(builder->p, builder->pieces, 0),
                                 (const Oid *)builder->types->elts, builder->types->nelts);
}

/* PostgreSQL: what start-up wants to know of a resource's table. */
#include <apr_strings.h>

#include "store/connection.h"
#include "store/rows_pgsql.h"
#include "store/types_pgsql.h"

static const char needed_sql[] =
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0"
    " AND NOT attisdropped AND attnotnull AND NOT atthasdef AND attidentity = '' ORDER BY attnum";

/* Is there a unique index over all rows of which $2 has all columns? */
static const char unique_sql[] =
    "SELECT 1 FROM pg_index WHERE indrelid = to_regclass(quote_ident($1)) AND indisunique"
    " AND indisvalid AND indpred IS NULL AND indexprs IS NULL AND (SELECT"
    " bool_and(attname::text = ANY ($2::text[])) FROM unnest((indkey::int2[])[0:indnkeyatts - 1])"
    " AS place JOIN pg_attribute ON attrelid = indrelid AND attnum = place)";

static batch_failure_e ask(batch_connection_t *connection, PGresult **result, const char *sql,
                           const char *const *values, int count)
{
    static const Oid types[] = {BATCH_PGSQL_TEXT, BATCH_PGSQL_TEXT};
    batch_failure_e failure = batch_pgsql_queue(
        connection, batch_pgsql_statement(connection, sql, types, count), values, BATCH_PGSQL_OWN);

    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(connection, result) : failure;
}

/* 1 in *unique if one row at most has some values of those columns and the scope. */
static batch_failure_e ask_unique(batch_connection_t *connection, int *unique,
                                  const batch_resource_t *resource, const char *const *columns,
                                  int count, apr_pool_t *p)
{
    const char **names = apr_palloc(p, (apr_size_t)(count + 1) * sizeof(*names));
    const char *values[2] = {resource->table, NULL};
    PGresult *result = NULL;
    batch_failure_e failure;
    int i;

    for (i = 0; i < count; i++) {
        names[i] = columns[i];
    }
    names[count] = resource->scope;
    values[1] = batch_pgsql_array(names, count + (resource->scope != NULL), p);
    failure = ask(connection, &result, unique_sql, values, 2);
    *unique = failure == BATCH_FAILURE_NONE && PQntuples(result) > 0;
    return failure;
}

batch_failure_e batch_pgsql_facts(batch_connection_t *connection, batch_table_facts_t *facts,
                                  const batch_resource_t *resource, apr_pool_t *p)
{
    batch_pgsql_table_t *table = NULL;
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_table(connection, &table, resource->table, 1);
    int i;

    facts->match_unique = 0;
    facts->needed = apr_array_make(p, 4, sizeof(const char *));
    if (failure == BATCH_FAILURE_NONE) {
        facts->key_takes_uuid = !batch_pgsql_column(table, resource->key)->is_number;
        failure = ask_unique(connection, &facts->key_unique, resource, &resource->key, 1, p);
    }
    if (failure == BATCH_FAILURE_NONE && resource->match && resource->match->nelts) {
        failure = ask_unique(connection, &facts->match_unique, resource,
                             (const char *const *)resource->match->elts, resource->match->nelts, p);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = ask(connection, &result, needed_sql, &resource->table, 1);
    }
    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        APR_ARRAY_PUSH(facts->needed, const char *) = apr_pstrdup(p, PQgetvalue(result, i, 0));
    }
    return failure;
}

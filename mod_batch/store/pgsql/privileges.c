/*
 * PostgreSQL: what our role may do with a resource's tables, and whether the column of the scope
 * tells organizations apart.
 */
#include <string.h>

#include <apr_strings.h>

#include "store/connection.h"
#include "store/inspect.h"
#include "store/pgsql/privileges.h"
#include "store/pgsql/types.h"

#define CREATING batch_actions_like(BATCH_ACTION_MAKES)
#define CHANGING batch_actions_like(BATCH_ACTION_CHANGES)
#define REMOVING batch_actions_like(BATCH_ACTION_REMOVES)

/* A privilege on a table or on one of its columns. */
typedef struct need {
    const char *privilege;
    const char *column; /* "": the table's */
    unsigned actions;   /* those that cannot be done without it */
} need_t;

/* What the actions of a resource need of one table. */
typedef struct needs {
    apr_array_header_t *list; /* of need_t */
    const char *directive;
    const char *table;
    unsigned declared; /* the actions of the resource */
} needs_t;

static void require(const needs_t *needs, const char *privilege, const char *column,
                    unsigned actions)
{
    need_t *need;

    if (column && (actions & needs->declared)) {
        need = apr_array_push(needs->list);
        need->privilege = privilege;
        need->column = column;
        need->actions = actions & needs->declared;
    }
}

static void require_columns(const needs_t *needs, const batch_resource_t *resource)
{
    int i;

    for (i = 0; resource->columns && i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);

        if (resource->form_column) {
            require(needs, "SELECT", column->name, ~0u); /* for queries */
        } else if (column->immutable) {
            require(needs, "SELECT", column->name, CREATING);
        }
        if (batch_resource_writable(resource, column, 0)) {
            require(needs, "INSERT", column->name, CREATING);
            require(needs, "UPDATE", column->name,
                    column->immutable ? CHANGING & ~CREATING : CHANGING);
        }
    }
    for (i = 0; resource->match && i < resource->match->nelts; i++) {
        require(needs, "SELECT", APR_ARRAY_IDX(resource->match, i, const char *), CREATING);
    }
}

/* Of the resource's own table. */
static void require_all(const needs_t *needs, const batch_resource_t *resource)
{
    require(needs, "SELECT", resource->key, ~0u);
    require(needs, "SELECT", resource->scope, ~0u);
    require(needs, "SELECT", resource->form_column, ~0u);
    /* By these columns of every table a merge finds again what it has found. */
    require(needs, "SELECT", "ctid", CREATING);
    require(needs, "SELECT", "tableoid", CREATING);
    require(needs, "SELECT", "xmax", CREATING);
    require(needs, "DELETE", "", REMOVING);
    require(needs, "INSERT", resource->keys == BATCH_KEYS_DATABASE ? NULL : resource->key,
            CREATING);
    require(needs, "INSERT", resource->scope, CREATING);
    require(needs, "INSERT", resource->created_at, CREATING);
    require(needs, "INSERT", resource->updated_at, CREATING);
    require(needs, "INSERT", resource->created_by_id, CREATING);
    require(needs, "INSERT", resource->updated_by_id, CREATING);
    require(needs, "UPDATE", resource->updated_at, CHANGING);
    require(needs, "UPDATE", resource->updated_by_id, CHANGING);
    require_columns(needs, resource);
}

/* Numbers (from 1) of those of the needs ($2, $3) that are not met, and who we are. */
static const char lacking_sql[] =
    "SELECT number, current_user FROM unnest($2::text[], $3::text[]) WITH ORDINALITY"
    " AS need (privilege, attribute, number) WHERE NOT CASE attribute WHEN ''"
    " THEN has_table_privilege(to_regclass(quote_ident($1)), privilege)"
    " ELSE has_column_privilege(to_regclass(quote_ident($1)), attribute, privilege) END"
    " ORDER BY privilege, number";

/* Sequences of defaults that new rows use, and that we may not. */
static const char sequences_sql[] =
    "SELECT DISTINCT relname, current_user FROM pg_attrdef"
    " JOIN pg_depend ON pg_depend.classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid"
    " AND refclassid = 'pg_class'::regclass JOIN pg_class ON pg_class.oid = refobjid"
    " JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum"
    " WHERE adrelid = to_regclass(quote_ident($1)) AND NOT attname = ANY ($2::text[])"
    " AND CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(pg_class.oid, 'USAGE, UPDATE')"
    " ELSE false END ORDER BY relname";

/* Are rows hidden from us by policies? */
static const char policies_sql[] = "SELECT row_security_active(to_regclass(quote_ident($1)))";

static const need_t *need_at(const needs_t *needs, const PGresult *result, int row)
{
    int number = (int)apr_atoi64(PQgetvalue(result, row, 0));

    return &APR_ARRAY_IDX(needs->list, number - 1, need_t);
}

/* Adds a misfit for each privilege, with all the columns on which it is lacking. */
static void report(const needs_t *needs, apr_array_header_t *misfits, const PGresult *result,
                   apr_pool_t *p)
{
    int rows = PQntuples(result), row = 0;

    while (row < rows) {
        const char *privilege = need_at(needs, result, row)->privilege;
        const char *role = PQgetvalue(result, row, 1);
        const char *columns = "";
        unsigned actions = 0;

        for (; row < rows && !strcmp(need_at(needs, result, row)->privilege, privilege); row++) {
            const need_t *need = need_at(needs, result, row);

            actions |= need->actions;
            if (*need->column) {
                columns =
                    apr_pstrcat(p, columns, *columns ? ", \"" : "\"", need->column, "\"", NULL);
            }
        }
        batch_misfit_add(misfits, needs->directive, actions,
                         "role \"%s\" lacks the privilege %s on table \"%s\"%s%s%s", role,
                         privilege, needs->table, *columns ? " (columns " : "", columns,
                         *columns ? ")" : "");
    }
}

static batch_failure_e check(batch_connection_t *connection, const needs_t *needs,
                             apr_array_header_t *misfits, apr_pool_t *p)
{
    int count = needs->list->nelts;
    const char **privileges = apr_palloc(p, (apr_size_t)(count + 1) * sizeof(*privileges));
    const char **columns = apr_palloc(p, (apr_size_t)(count + 1) * sizeof(*columns));
    const char *values[3];
    PGresult *result = NULL;
    batch_failure_e failure;
    int i;

    for (i = 0; i < count; i++) {
        privileges[i] = APR_ARRAY_IDX(needs->list, i, need_t).privilege;
        columns[i] = APR_ARRAY_IDX(needs->list, i, need_t).column;
    }
    values[0] = needs->table;
    values[1] = batch_pgsql_array(privileges, count, p);
    values[2] = batch_pgsql_array(columns, count, p);
    failure = batch_pgsql_ask_texts(connection, &result, lacking_sql, values, 3);
    if (failure == BATCH_FAILURE_NONE) {
        report(needs, misfits, result, p);
        failure = batch_pgsql_ask_texts(connection, &result, policies_sql, values, 1);
    }
    if (failure == BATCH_FAILURE_NONE && PQntuples(result) > 0 &&
        *PQgetvalue(result, 0, 0) == 't') {
        batch_misfit_add(misfits, needs->directive, 0,
                         "row-level security is in force on table \"%s\": what its policies hide "
                         "from the module is taken for not there",
                         needs->table);
    }
    return failure;
}

/* New rows take numbers from the sequences of those columns that no batch fills. */
static batch_failure_e check_sequences(batch_connection_t *connection, apr_array_header_t *misfits,
                                       const batch_resource_t *resource, apr_pool_t *p)
{
    const char *filled[2];
    const char *values[] = {resource->table, NULL};
    unsigned actions = resource->actions & CREATING;
    PGresult *result = NULL;
    batch_failure_e failure;
    int count = 0;
    int i;

    if (resource->keys != BATCH_KEYS_DATABASE) {
        filled[count++] = resource->key;
    }
    if (resource->scope) {
        filled[count++] = resource->scope;
    }
    values[1] = batch_pgsql_array(filled, count, p);
    failure = batch_pgsql_ask_texts(connection, &result, sequences_sql, values, 2);
    for (i = 0; actions && failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        batch_misfit_add(misfits, "BatchTable", actions,
                         "role \"%s\" lacks the privilege USAGE on sequence \"%s\" of table \"%s\"",
                         PQgetvalue(result, i, 1), PQgetvalue(result, i, 0), resource->table);
    }
    return failure;
}

batch_failure_e batch_pgsql_privileges(batch_connection_t *connection, apr_array_header_t *misfits,
                                       const batch_resource_t *resource, apr_pool_t *p)
{
    needs_t needs = {apr_array_make(p, 32, sizeof(need_t)), "BatchActions", resource->table,
                     resource->actions};
    batch_failure_e failure;

    require_all(&needs, resource);
    failure = check(connection, &needs, misfits, p);
    if (failure == BATCH_FAILURE_NONE) {
        failure = check_sequences(connection, misfits, resource, p);
    }
    if (failure == BATCH_FAILURE_NONE && resource->form_column) {
        apr_array_clear(needs.list);
        needs.directive = "BatchForm";
        needs.table = resource->form_table;
        require(&needs, "SELECT", resource->form_id, ~0u);
        require(&needs, "SELECT", resource->form_scope, ~0u);
        require(&needs, "SELECT", resource->form_name, ~0u);
        failure = check(connection, &needs, misfits, p);
    }
    return failure;
}

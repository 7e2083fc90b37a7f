#include "store/inspect.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "store/tx.h"

/* Actions that can make rows. */
#define CREATING batch_actions_like(BATCH_ACTION_MAKES)

apr_array_header_t *batch_misfits_make(apr_pool_t *p)
{
    return apr_array_make(p, 4, sizeof(batch_misfit_t));
}

unsigned batch_misfits_actions(const apr_array_header_t *misfits)
{
    unsigned actions = 0;
    int i;

    for (i = 0; i < misfits->nelts; i++) {
        actions |= APR_ARRAY_IDX(misfits, i, batch_misfit_t).actions;
    }
    return actions;
}

void batch_misfit_add(apr_array_header_t *misfits, const char *directive, unsigned actions,
                      const char *fmt, ...)
{
    batch_misfit_t *misfit = apr_array_push(misfits);
    va_list arguments;

    misfit->directive = directive;
    misfit->actions = actions;
    va_start(arguments, fmt);
    misfit->message = apr_pvsprintf(misfits->pool, fmt, arguments);
    va_end(arguments);
}

/* ---- What is there -----------------------------------------------------------------------------
 */

typedef struct comparison {
    const batch_resource_t *resource;
    apr_array_header_t *misfits;
    batch_table_known_t known;
} comparison_t;

/* One table, as it is. */
typedef struct table_columns {
    const char *table;
    apr_array_header_t *names; /* empty: there is no such table */
    int ignore_case;
} table_columns_t;

static int same_name(const table_columns_t *columns, const char *a, const char *b)
{
    return columns->ignore_case ? !strcasecmp(a, b) : !strcmp(a, b);
}

static int has_column(const table_columns_t *columns, const char *name)
{
    int i;

    for (i = 0; i < columns->names->nelts; i++) {
        if (same_name(columns, APR_ARRAY_IDX(columns->names, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

static void require_column(const comparison_t *comparison, const char *directive,
                           const table_columns_t *columns, const char *name)
{
    if (name && columns->names->nelts && !has_column(columns, name)) {
        batch_misfit_add(comparison->misfits, directive, comparison->resource->actions,
                         "table \"%s\" has no column \"%s\"", columns->table, name);
    }
}

static apr_status_t look_at(table_columns_t *columns, batch_tx_t *tx,
                            const comparison_t *comparison, const char *table,
                            const char *directive, apr_pool_t *p)
{
    batch_failure_e failure;

    columns->table = table;
    failure = tx->connection->driver->columns(tx->connection, &columns->names,
                                              &columns->ignore_case, table, p);
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking at a table");
    }
    if (!columns->names->nelts) {
        batch_misfit_add(comparison->misfits, directive, comparison->resource->actions,
                         "there is no table \"%s\" (a view will not do)", table);
    }
    return APR_SUCCESS;
}

static void compare_columns(const comparison_t *comparison, const table_columns_t *columns)
{
    const batch_resource_t *resource = comparison->resource;
    int i;

    require_column(comparison, "BatchKey", columns, resource->key);
    for (i = 0; resource->match && i < resource->match->nelts; i++) {
        require_column(comparison, "BatchMatch", columns,
                       APR_ARRAY_IDX(resource->match, i, const char *));
    }
    require_column(comparison, "BatchScope", columns, resource->scope);
    for (i = 0; resource->columns && i < resource->columns->nelts; i++) {
        require_column(comparison, "BatchColumn", columns,
                       APR_ARRAY_IDX(resource->columns, i, batch_column_t).name);
    }
    require_column(comparison, "BatchStamp", columns, resource->created_at);
    require_column(comparison, "BatchStamp", columns, resource->updated_at);
    require_column(comparison, "BatchStamp", columns, resource->created_by_id);
    require_column(comparison, "BatchStamp", columns, resource->updated_by_id);
    require_column(comparison, "BatchForm", columns, resource->form_column);
}

static apr_status_t compare_tables(batch_tx_t *tx, const comparison_t *comparison,
                                   table_columns_t *columns, apr_pool_t *p)
{
    const batch_resource_t *resource = comparison->resource;
    table_columns_t forms;
    apr_status_t rv = look_at(columns, tx, comparison, resource->table, "BatchTable", p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    compare_columns(comparison, columns);
    if (resource->form_column) {
        rv = look_at(&forms, tx, comparison, resource->form_table, "BatchForm", p);
        if (rv == APR_SUCCESS) {
            require_column(comparison, "BatchForm", &forms, resource->form_id);
            require_column(comparison, "BatchForm", &forms, resource->form_scope);
            require_column(comparison, "BatchForm", &forms, resource->form_name);
        }
    }
    return rv;
}

/* ---- What the columns rule out -----------------------------------------------------------------
 */

/* A key that the database is to make. */
static void compare_made_key(const comparison_t *comparison, const batch_table_facts_t *facts)
{
    const batch_resource_t *resource = comparison->resource;
    unsigned creating = resource->actions & CREATING;

    if (!creating || resource->keys != BATCH_KEYS_DATABASE) {
        return;
    }
    if (!facts->key_is_made) {
        batch_misfit_add(comparison->misfits, "BatchKey", creating,
                         "the database is to make the keys of table \"%s\", whose column \"%s\" "
                         "has nothing that makes one: merge and overwrite need an identity, a "
                         "serial or a DEFAULT, with SQLite an INTEGER PRIMARY KEY or a DEFAULT",
                         resource->table, resource->key);
    }
    if (facts->key_type == BATCH_KEY_OTHER) {
        batch_misfit_add(comparison->misfits, "BatchKey", creating,
                         "column \"%s\" of table \"%s\" is neither one of integers nor of texts "
                         "nor of UUIDs: the keys that \"database\" makes have to be",
                         resource->key, resource->table);
    }
}

static void compare_key(const comparison_t *comparison, const batch_table_facts_t *facts)
{
    const batch_resource_t *resource = comparison->resource;
    unsigned creating = resource->actions & CREATING;

    if (resource->keys == BATCH_KEYS_GENERATED && creating && !facts->key_takes_uuid) {
        batch_misfit_add(comparison->misfits, "BatchKey", resource->actions,
                         "column \"%s\" of table \"%s\" is one of numbers: it cannot hold the "
                         "UUIDs that \"generated\" makes",
                         resource->key, resource->table);
    }
    if (resource->keys != BATCH_KEYS_CLIENT || !creating || !resource->scope) {
        return;
    }
    if (facts->key_unique_alone) {
        batch_misfit_add(comparison->misfits, "BatchKey", creating,
                         "a unique index of table \"%s\" has \"%s\" alone, so that a client who "
                         "makes an id learns whether another organization has it: merge and "
                         "overwrite need a unique index, or primary key, on (\"%s\", \"%s\") in "
                         "its place",
                         resource->table, resource->key, resource->scope, resource->key);
    } else if (!facts->key_unique_in_scope) {
        batch_misfit_add(comparison->misfits, "BatchKey", creating,
                         "clients make the keys of table \"%s\", which has no unique index with "
                         "the column of BatchScope for them: merge and overwrite need one, or a "
                         "primary key, on (\"%s\", \"%s\")",
                         resource->table, resource->scope, resource->key);
    }
}

/* A decimal must keep all of its digits. */
static void compare_decimal(const comparison_t *comparison, unsigned writing,
                            const batch_column_t *column, const batch_column_facts_t *facts)
{
    const char *table = comparison->resource->table;

    if (!facts->digits) {
        batch_misfit_add(comparison->misfits, "BatchColumn", writing,
                         "column \"%s\" of table \"%s\" is of type %s, which is none for a decimal",
                         column->name, table, facts->type);
    } else if (batch_column_digits(column) > facts->digits) {
        batch_misfit_add(comparison->misfits, "BatchColumn", writing,
                         "column \"%s\" of table \"%s\" is of type %s, which keeps no more than %d "
                         "digits of a decimal: it has to be one of text or of exact numbers, or "
                         "BatchColumn has to say precision=%d",
                         column->name, table, facts->type, facts->digits, facts->digits);
    } else if ((column->has_scale ? column->scale : batch_column_digits(column)) > facts->places) {
        batch_misfit_add(comparison->misfits, "BatchColumn", writing,
                         "column \"%s\" of table \"%s\" is of type %s, which rounds a decimal with "
                         "more than %d digits behind the point: BatchColumn has to say scale=%d",
                         column->name, table, facts->type, facts->places, facts->places);
    }
}

/* What a column of the table cannot hold of what BatchColumn says. */
static void compare_types(const comparison_t *comparison, const batch_table_facts_t *facts)
{
    const batch_resource_t *resource = comparison->resource;
    unsigned writing =
        resource->actions & batch_actions_like(BATCH_ACTION_MAKES | BATCH_ACTION_CHANGES);
    int i;

    for (i = 0; writing && resource->columns && i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);

        if (column->readonly) {
            continue;
        }
        switch (batch_type_stored(column->type)) {
        case BATCH_STORED_UUID:
            if (!facts->columns[i].takes_uuid) {
                batch_misfit_add(comparison->misfits, "BatchColumn", writing,
                                 "column \"%s\" of table \"%s\" is of type %s, which cannot hold a "
                                 "UUID",
                                 column->name, resource->table, facts->columns[i].type);
            }
            break;
        case BATCH_STORED_DECIMAL:
            compare_decimal(comparison, writing, column, &facts->columns[i]);
            break;
        case BATCH_STORED_TEXT:
        case BATCH_STORED_INTEGER:
        case BATCH_STORED_DOUBLE:
        case BATCH_STORED_BOOLEAN:
            break; /* what it cannot hold it refuses */
        }
    }
}

/* A column that takes two organizations for one would let each reach the other's rows. */
static apr_status_t compare_scope(batch_tx_t *tx, const comparison_t *comparison,
                                  const char *directive, const char *table, const char *column,
                                  apr_pool_t *p)
{
    batch_connection_t *connection = tx->connection;
    const char *inexact = NULL;
    int harmless = 0;
    batch_failure_e failure;

    if (!column) {
        return APR_SUCCESS;
    }
    failure = connection->driver->scope_check(connection, &inexact, &harmless, table, column, p);
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking at a table");
    }
    if (inexact) {
        batch_misfit_add(comparison->misfits, directive,
                         harmless ? 0 : comparison->resource->actions,
                         "column \"%s\" of table \"%s\" takes different organizations for one: "
                         "%s",
                         column, table, inexact);
    }
    return APR_SUCCESS;
}

/* ---- What is not wrong, but may surprise --------------------------------------------------------
 */

/* 1 if a new row of the resource has a value for that column, by whoever. */
static int is_filled(const batch_resource_t *resource, const char *column,
                     const table_columns_t *columns)
{
    const char *const set[] = {resource->key,           resource->scope,
                               resource->created_at,    resource->updated_at,
                               resource->created_by_id, resource->updated_by_id};
    apr_size_t i;
    int j;

    for (i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        if (set[i] && same_name(columns, set[i], column)) {
            return 1;
        }
    }
    for (j = 0; resource->columns && j < resource->columns->nelts; j++) {
        const batch_column_t *declared = &APR_ARRAY_IDX(resource->columns, j, batch_column_t);

        if (!declared->readonly && same_name(columns, declared->name, column)) {
            return 1;
        }
    }
    return 0;
}

static void doubt(const comparison_t *comparison, const batch_table_facts_t *facts,
                  const table_columns_t *columns)
{
    const batch_resource_t *resource = comparison->resource;
    unsigned creating = resource->actions & CREATING;
    int i;

    if (!facts->key_unique) {
        batch_misfit_add(comparison->misfits, "BatchKey", 0,
                         "table \"%s\" has no unique index on \"%s\": an item is applied to all "
                         "rows with its key, and finding them may read the whole table",
                         resource->table, resource->key);
    }
    if (resource->match && resource->match->nelts && creating && !facts->match_unique) {
        batch_misfit_add(comparison->misfits, "BatchMatch", 0,
                         "table \"%s\" has no unique index on these columns%s: two batches at "
                         "once may create the same row twice",
                         resource->table, resource->scope ? " and the one of BatchScope" : "");
    }
    for (i = 0; creating && i < facts->needed->nelts; i++) {
        const char *column = APR_ARRAY_IDX(facts->needed, i, const char *);

        if (!is_filled(resource, column, columns)) {
            batch_misfit_add(comparison->misfits, "BatchTable", 0,
                             "column \"%s\" of table \"%s\" must not be NULL, has no default, and "
                             "no BatchColumn declares it as writable: rows can be created only if "
                             "a trigger fills it",
                             column, resource->table);
        }
    }
}

/* ---- All of it ---------------------------------------------------------------------------------
 */

struct independence {
    const batch_resource_t *resource;
    int independent;
};

static apr_status_t independent_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct independence *look = baton;
    batch_failure_e failure =
        tx->connection->driver->independent(tx->connection, &look->independent, look->resource);

    (void)ptemp;
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS
                                         : batch_tx_fail(tx, failure, "looking at a table");
}

apr_status_t batch_store_independent(batch_store_t *store, int *independent,
                                     const batch_resource_t *resource, batch_error_t *err,
                                     apr_pool_t *ptemp)
{
    struct independence look = {resource, 0};
    apr_status_t rv =
        batch_store_run(store, BATCH_RUN_INSPECT, independent_body, &look, err, ptemp);

    *independent = rv == APR_SUCCESS && look.independent;
    return rv;
}

static apr_status_t compare(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    comparison_t *comparison = baton;
    const batch_resource_t *resource = comparison->resource;
    struct independence look = {resource, 0};
    batch_connection_t *connection = tx->connection;
    batch_failure_e failure = BATCH_FAILURE_NONE;
    batch_table_facts_t facts;
    table_columns_t columns;
    apr_status_t rv;

    apr_array_clear(comparison->misfits); /* we may run more than once */
    rv = compare_tables(tx, comparison, &columns, ptemp);
    if (rv != APR_SUCCESS || comparison->misfits->nelts) {
        return rv;
    }
    memset(&facts, 0, sizeof(facts));
    failure = connection->driver->facts(connection, &facts, resource, ptemp);
    if (failure == BATCH_FAILURE_NONE && connection->driver->privileges) {
        failure = connection->driver->privileges(connection, comparison->misfits, resource, ptemp);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking at a table");
    }
    compare_key(comparison, &facts);
    compare_made_key(comparison, &facts);
    comparison->known.key_type = facts.key_type;
    compare_types(comparison, &facts);
    rv = compare_scope(tx, comparison, "BatchScope", resource->table, resource->scope, ptemp);
    if (rv == APR_SUCCESS && resource->form_column) {
        rv = compare_scope(tx, comparison, "BatchForm", resource->form_table, resource->form_scope,
                           ptemp);
    }
    doubt(comparison, &facts, &columns);
    if (rv == APR_SUCCESS) {
        rv = independent_body(tx, &look, ptemp);
        comparison->known.independent = look.independent;
    }
    return rv;
}

apr_status_t batch_store_compare(batch_store_t *store, apr_array_header_t *misfits,
                                 batch_table_known_t *known, const batch_resource_t *resource,
                                 batch_error_t *err, apr_pool_t *ptemp)
{
    comparison_t comparison = {resource, misfits, {BATCH_KEY_TEXT, 0}};
    apr_status_t rv;

    rv = batch_store_run(store, BATCH_RUN_INSPECT, compare, &comparison, err, ptemp);
    if (known) {
        *known = comparison.known;
    }
    return rv;
}

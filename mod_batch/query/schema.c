#include "query/schema.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* ---- Columns --------------------------------------------------------------------------------- */

#define KIND(symbol, name, form, stored, queried, options)                                         \
    [BATCH_TYPE_##symbol] = BATCH_QUERY_##queried,

static const batch_query_kind_e kinds[BATCH_TYPE_COUNT] = {BATCH_TYPE_LIST(KIND)};

/* Adds a column under the name that the configuration gives it, else under usual. */
static void add_column(batch_query_schema_t *schema, const char *usual, const char *column,
                       batch_query_kind_e kind, apr_pool_t *p)
{
    const apr_array_header_t *names = schema->resource->query_names;
    const batch_column_t *declared = batch_resource_column(schema->resource, column);
    batch_query_column_t *added;
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        const batch_query_name_t *name = &APR_ARRAY_IDX(names, i, batch_query_name_t);
        if (!strcmp(name->column, column)) {
            usual = name->name;
        }
    }
    if (!strcmp(usual, "-") || batch_query_schema_column(schema, usual)) {
        return;
    }
    added = apr_array_push(schema->columns);
    added->name = apr_pstrdup(p, usual);
    added->column = column;
    added->kind = declared ? kinds[declared->type] : kind;
}

/* Another name for a column that queries see, as Fulcrum's own queries have it. */
static void add_alias(batch_query_schema_t *schema, const char *name, const char *column)
{
    int i;

    for (i = 0; column && i < schema->columns->nelts; i++) {
        batch_query_column_t alias = APR_ARRAY_IDX(schema->columns, i, batch_query_column_t);

        if (!strcmp(alias.column, column) && !batch_query_schema_column(schema, name)) {
            alias.name = name;
            APR_ARRAY_PUSH(schema->columns, batch_query_column_t) = alias;
            return;
        }
    }
}

static void add_columns(batch_query_schema_t *schema, apr_pool_t *p)
{
    const batch_resource_t *resource = schema->resource;
    const struct {
        const char *name;
        const char *column;
        batch_query_kind_e kind;
    } stamps[] = {{"_created_at", resource->created_at, BATCH_QUERY_TIMESTAMP},
                  {"_updated_at", resource->updated_at, BATCH_QUERY_TIMESTAMP},
                  {"_created_by_id", resource->created_by_id, BATCH_QUERY_TEXT},
                  {"_updated_by_id", resource->updated_by_id, BATCH_QUERY_TEXT}};
    size_t stamp;
    int i;

    add_column(schema, "_record_id", resource->key, BATCH_QUERY_TEXT, p);
    for (stamp = 0; stamp < sizeof(stamps) / sizeof(*stamps); stamp++) {
        if (stamps[stamp].column) {
            add_column(schema, stamps[stamp].name, stamps[stamp].column, stamps[stamp].kind, p);
        }
    }
    for (i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);
        /* Whose rows they are is not for queries to ask. */
        if ((schema->members && !strcmp(column->name, schema->members)) ||
            (resource->scope && !strcmp(column->name, resource->scope)) ||
            (resource->form_column && !strcmp(column->name, resource->form_column))) {
            continue;
        }
        add_column(schema, apr_pstrcat(p, "_", column->name, NULL), column->name, BATCH_QUERY_TEXT,
                   p);
    }
    add_alias(schema, "_server_created_at", resource->created_at);
    add_alias(schema, "_server_updated_at", resource->updated_at);
}

batch_query_kind_e batch_query_schema_key_kind(const batch_query_schema_t *schema)
{
    const batch_column_t *declared = batch_resource_column(schema->resource, schema->resource->key);

    return declared ? kinds[declared->type] : BATCH_QUERY_TEXT;
}

static const char *members_of(const batch_resource_t *resource)
{
    const char *found = resource->query_members;
    int i;

    if (found) {
        return strcmp(found, "-") != 0 ? found : NULL;
    }
    for (i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);
        if (batch_type_form(column->type) == BATCH_FORM_ANY) {
            if (found) {
                return NULL; /* several: none is meant until the configuration says which */
            }
            found = column->name;
        }
    }
    return found;
}

batch_query_schema_t *batch_query_schema_make(const batch_resource_t *resource, apr_pool_t *p)
{
    batch_query_schema_t *schema = apr_pcalloc(p, sizeof(*schema));

    schema->resource = resource;
    schema->columns = apr_array_make(p, 16, sizeof(batch_query_column_t));
    schema->members = members_of(resource);
    add_columns(schema, p);
    return schema;
}

const batch_query_column_t *batch_query_schema_column(const batch_query_schema_t *schema,
                                                      const char *name)
{
    int i;

    for (i = 0; i < schema->columns->nelts; i++) {
        const batch_query_column_t *column =
            &APR_ARRAY_IDX(schema->columns, i, batch_query_column_t);
        if (!strcmp(column->name, name)) {
            return column;
        }
    }
    return NULL;
}

batch_query_value_t batch_query_cell(const batch_cell_t *cell, batch_query_kind_e kind,
                                     batch_query_room_t *room)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_NULL};

    switch (cell->kind) {
    case BATCH_CELL_INTEGER:
        value = batch_query_integer_value(cell->integer);
        break;
    case BATCH_CELL_NUMBER:
        value = batch_query_number_value(cell->number);
        break;
    case BATCH_CELL_TEXT:
        value = batch_query_text_value(cell->text, cell->length);
        break;
    default:
        break;
    }
    return batch_query_convert(&value, kind, room);
}

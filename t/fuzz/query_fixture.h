/* What the fuzz targets of queries share: the sample's resource, and a record of it. */
#ifndef BATCH_FUZZ_QUERY_FIXTURE_H
#define BATCH_FUZZ_QUERY_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "query/run.h"

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static batch_resource_t *resource_make(apr_pool_t *p)
{
    static const struct {
        const char *name;
        batch_type_e type;
    } columns[] = {{"status", BATCH_TYPE_TEXT},
                   {"version", BATCH_TYPE_INTEGER},
                   {"latitude", BATCH_TYPE_NUMBER},
                   {"price", BATCH_TYPE_DECIMAL},
                   {"form_values", BATCH_TYPE_JSON}};
    batch_resource_t *resource = apr_pcalloc(p, sizeof(*resource));

    resource->name = "record";
    resource->table = "records";
    resource->key = "id";
    resource->created_at = "created_at";
    resource->form_column = "form_id";
    resource->form_table = "forms";
    resource->form_id = "id";
    resource->form_name = "name";
    resource->columns = apr_array_make(p, 4, sizeof(batch_column_t));
    for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
        batch_column_t *column = apr_array_push(resource->columns);

        memset(column, 0, sizeof(*column));
        column->name = columns[i].name;
        column->type = columns[i].type;
    }
    return resource;
}

#endif

/* The store and the resource of a test that has one of each. */
#ifndef BATCH_STORE_RESOURCE_H
#define BATCH_STORE_RESOURCE_H

#include <stdarg.h>

#include "columns.h"
#include "store_fixture.h"

static batch_store_t *store;
static batch_resource_t resource;

FIXTURE batch_column_t *add_column(const char *name, batch_type_e type)
{
    return push_column(resource.columns, name, type);
}

/* Fills an item with values "column=text", or "column" for NULL; the last one is NULL. */
FIXTURE void fill_item(batch_item_t *item, batch_item_kind_e kind, const char *key, va_list pairs)
{
    const char *pair;

    memset(item, 0, sizeof(*item));
    item->kind = kind;
    item->key = key;
    item->key_length = key ? strlen(key) : 0;
    item->values = apr_pcalloc(pool, 16 * sizeof(batch_value_t));
    while ((pair = va_arg(pairs, const char *)) != NULL) {
        batch_value_t *value = &item->values[item->value_count++];
        const char *sign = strchr(pair, '=');

        value->name = sign ? apr_pstrmemdup(pool, pair, (apr_size_t)(sign - pair)) : pair;
        value->value = sign ? sign + 1 : NULL;
        value->kind = sign ? BATCH_KIND_STRING : BATCH_KIND_NULL;
    }
}

#endif

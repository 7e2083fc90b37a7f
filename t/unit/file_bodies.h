/* A resource for bodies that are files, and their items as text. */
#ifndef BATCH_FILE_BODIES_H
#define BATCH_FILE_BODIES_H

#include <string.h>

#include <apr_strings.h>

#include "payload/resources_body.h"

static apr_pool_t *pool;
static batch_resource_t asset;
static batch_limits_t limits;

static void make_resource(void)
{
    static const batch_column_t columns[] = {
        {.name = "name", .type = BATCH_TYPE_TEXT},
        {.name = "quantity", .type = BATCH_TYPE_INTEGER},
        {.name = "weight", .type = BATCH_TYPE_NUMBER},
        {.name = "fragile", .type = BATCH_TYPE_BOOLEAN},
        {.name = "extra", .type = BATCH_TYPE_JSON},
        {.name = "seen", .type = BATCH_TYPE_TIMESTAMP},
        {.name = "code", .type = BATCH_TYPE_TEXT},
        {.name = "fixed", .readonly = 1},
    };

    asset.name = "asset";
    asset.key = "id";
    asset.match = apr_array_make(pool, 1, sizeof(const char *));
    asset.columns = apr_array_make(pool, 8, sizeof(batch_column_t));
    for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
        APR_ARRAY_PUSH(asset.columns, batch_column_t) = columns[i];
    }
}

/* ---- A body and what became of it ------------------------------------------------------------ */

/** An item: its line, its values with their kinds, what is wrong with it, its original. */
static const char *show_item(const batch_source_item_t *item, apr_pool_t *p)
{
    static const char kinds[] = "0snbjc!"; /* as batch_kind_e */
    const char *text = apr_psprintf(p, "%" APR_INT64_T_FMT, item->line);

    for (int i = 0; i < item->value_count; i++) {
        const batch_value_t *value = &item->values[i];

        text = apr_psprintf(p, "%s %s=%c:%s", text, value->name, kinds[value->kind],
                            value->value ? value->value : "");
    }
    if (item->wrong) {
        const char *original = item->original        ? item->original
                               : item->make_original ? item->make_original(item, p)
                                                     : "(none)";

        text = apr_psprintf(p, "%s !%s%s%s %s", text, item->wrong, item->field ? " " : "",
                            item->field ? item->field : "", original);
    }
    return text;
}

static const char *show_items(const batch_item_source_t *source, apr_pool_t *p)
{
    const char *all = "";
    batch_source_item_t item;
    batch_error_t err = {0};
    apr_status_t status;

    while ((status = source->next(source->baton, &item, &err, p)) == APR_SUCCESS) {
        all = apr_pstrcat(p, all, *all ? "\n" : "", show_item(&item, p), NULL);
    }
    return status == APR_EOF ? all : apr_pstrcat(p, all, "\nfailed: ", err.message, NULL);
}

#endif

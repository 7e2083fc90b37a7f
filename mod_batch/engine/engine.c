#include "engine/jobs.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

const batch_resource_t *batch_engine_resource(const batch_engine_t *engine, const char *name)
{
    return name ? apr_hash_get(engine->resources, name, APR_HASH_KEY_STRING) : NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *batch_engine_resource_names(const batch_engine_t *engine, unsigned actions,
                                        int with_forms, apr_pool_t *p)
{
    apr_array_header_t *names = apr_array_make(p, 8, sizeof(const char *));
    apr_hash_index_t *hi;

    for (hi = apr_hash_first(p, engine->resources); hi; hi = apr_hash_next(hi)) {
        const batch_resource_t *resource = apr_hash_this_val(hi);
        if (resource->actions & actions && (resource->form_column || !with_forms)) {
            APR_ARRAY_PUSH(names, const char *) = resource->name;
        }
    }
    if (!names->nelts) {
        return NULL;
    }
    qsort(names->elts, (size_t)names->nelts, sizeof(const char *), compare_names);
    return apr_array_pstrcat(p, names, ',');
}

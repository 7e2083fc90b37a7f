#include "engine/jobs.h"
#include "text/check.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

const batch_resource_t *batch_engine_resource(const batch_engine_t *engine, const char *name)
{
    BATCH_CHECK(engine, BATCH_ENGINE_MAGIC);
    return name ? apr_hash_get(engine->resources, name, APR_HASH_KEY_STRING) : NULL;
}

batch_key_type_e batch_engine_key_type(const batch_engine_t *engine,
                                       const batch_resource_t *resource)
{
    const batch_column_t *column = batch_resource_column(resource, resource->key);
    batch_key_type_e found =
        engine->fitness ? batch_fitness_known(engine->fitness, resource).key_type : BATCH_KEY_TEXT;

    if (!column || found == BATCH_KEY_INTEGER || found == BATCH_KEY_UUID) {
        return found;
    }
    switch (column->type) {
    case BATCH_TYPE_INTEGER:
        /* To a column of texts "007" and "7" are two. */
        return engine->fitness && found == BATCH_KEY_TEXT ? BATCH_KEY_TEXT : BATCH_KEY_INTEGER;
    case BATCH_TYPE_UUID:
        return BATCH_KEY_UUID;
    case BATCH_TYPE_TEXT:
        return BATCH_KEY_TEXT;
    default:
        return BATCH_KEY_OTHER;
    }
}

int batch_engine_is_independent(const batch_engine_t *engine, const batch_resource_t *resource)
{
    return engine->fitness && batch_fitness_known(engine->fitness, resource).independent;
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

apr_status_t batch_engine_in_service(const batch_engine_t *engine, const batch_resource_t *resource,
                                     batch_action_e action, batch_error_t *err, apr_pool_t *p)
{
    apr_status_t rv = engine->fitness ? batch_fitness_ask(engine->fitness, engine->store, resource,
                                                          action, err, p)
                                      : APR_SUCCESS;

    return rv == BATCH_EUNFIT ? BATCH_ENOSERVICE : rv;
}

apr_status_t batch_engine_doubt(const batch_engine_t *engine, const batch_resource_t *resource,
                                batch_action_e action, const batch_error_t *err, apr_pool_t *p)
{
    return engine->fitness && batch_fitness_doubt(engine->fitness, engine->store, resource, action,
                                                  err, p) == APR_SUCCESS
               ? BATCH_ENOSERVICE
               : BATCH_EUNAVAILABLE;
}

/* Making, merging and completing the configuration of servers and directories. */
#include "config/private.h"

#include <string.h>

#include <apr_strings.h>

#include "store/store.h"

batch_server_config_t *batch_server_config(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &batch_module);
}

void *batch_config_server_create(apr_pool_t *p, server_rec *s)
{
    batch_server_config_t *config = apr_pcalloc(p, sizeof(*config));

    (void)s;
    config->sections = apr_hash_make(p);
    config->own = apr_hash_make(p);
    config->effective.resources = apr_hash_make(p);
    return config;
}

void *batch_config_server_merge(apr_pool_t *p, void *base, void *add)
{
    const batch_server_config_t *outer = base;
    const batch_server_config_t *inner = add;
    batch_server_config_t *config = apr_pcalloc(p, sizeof(*config));
    int i;

    for (i = 0; i < BATCH_INDEX_COUNT; i++) {
        config->settings[i] = inner->settings[i].set ? inner->settings[i] : outer->settings[i];
    }
    config->sections = apr_hash_overlay(p, inner->sections, outer->sections);
    config->own = inner->own;
    config->url_secrets = inner->url_secrets ? inner->url_secrets : outer->url_secrets;
    config->declared = inner->declared;
    config->effective.resources = apr_hash_make(p);
    return config;
}

void *batch_config_directory_create(apr_pool_t *p, char *directory)
{
    batch_directory_config_t *config = apr_pcalloc(p, sizeof(*config));

    (void)directory;
    config->anonymous = -1;
    return config;
}

void *batch_config_directory_merge(apr_pool_t *p, void *base, void *add)
{
    const batch_directory_config_t *outer = base;
    const batch_directory_config_t *inner = add;
    batch_directory_config_t *config = apr_pmemdup(p, outer, sizeof(*outer));

    if (inner->user_id.set) {
        config->user_id = inner->user_id;
    }
    if (inner->user_name.set) {
        config->user_name = inner->user_name;
    }
    if (inner->organization.set) {
        config->organization = inner->organization;
    }
    if (inner->anonymous != -1) {
        config->anonymous = inner->anonymous;
    }
    if (inner->token_file) {
        config->token_file = inner->token_file;
    }
    return config;
}

/* ---- The values in effect ----------------------------------------------------------------------
 */

static const char *effective_text(const batch_server_config_t *config, batch_setting_index_e index)
{
    return config->settings[index].set ? config->settings[index].text
                                       : batch_setting_specs[index].text;
}

static apr_int64_t effective_number(const batch_server_config_t *config,
                                    batch_setting_index_e index)
{
    return config->settings[index].set ? config->settings[index].number
                                       : batch_setting_specs[index].number;
}

static void complete(batch_server_config_t *config, apr_pool_t *p)
{
    batch_settings_t *effective = &config->effective;
    const batch_setting_t *where;
    apr_hash_index_t *hi;

    effective->driver = effective_text(config, BATCH_INDEX_DRIVER);
    effective->params = effective_text(config, BATCH_INDEX_PARAMS);
    where = &config->settings[config->settings[BATCH_INDEX_PARAMS].set ? BATCH_INDEX_PARAMS
                                                                       : BATCH_INDEX_DRIVER];
    effective->file = where->set ? where->file : NULL;
    effective->line = where->line;
    effective->limits.workers = (int)effective_number(config, BATCH_INDEX_WORKERS);
    effective->limits.chunk_time = effective_number(config, BATCH_INDEX_CHUNK_TIME);
    effective->limits.lease = effective_number(config, BATCH_INDEX_LEASE);
    effective->limits.timeout = effective_number(config, BATCH_INDEX_TIMEOUT);
    effective->limits.retention = effective_number(config, BATCH_INDEX_RETENTION);
    effective->limits.max_objects = effective_number(config, BATCH_INDEX_MAX_OBJECTS);
    effective->limits.max_items = effective_number(config, BATCH_INDEX_MAX_ITEMS);
    effective->limits.max_item_size = effective_number(config, BATCH_INDEX_MAX_ITEM_SIZE);
    effective->limits.sync_max_items = effective_number(config, BATCH_INDEX_SYNC_MAX_ITEMS);
    effective->limits.url_ttl = effective_number(config, BATCH_INDEX_URL_TTL);
    effective->url_secrets = config->url_secrets;
    effective->limits.query_timeout = effective_number(config, BATCH_INDEX_QUERY_TIMEOUT);
    effective->limits.query_rows = effective_number(config, BATCH_INDEX_QUERY_ROWS);
    effective->limits.query_memory = effective_number(config, BATCH_INDEX_QUERY_MEMORY);
    effective->declared = config->declared;
    for (hi = apr_hash_first(p, config->sections); hi; hi = apr_hash_next(hi)) {
        const batch_section_t *section = apr_hash_this_val(hi);
        apr_hash_set(effective->resources, section->resource.name, APR_HASH_KEY_STRING,
                     &section->resource);
    }
}

const batch_settings_t *batch_config_settings(const server_rec *s)
{
    return &batch_server_config(s)->effective;
}

/* ---- What no single directive can see -----------------------------------------------------------
 */

/* NULL, or why there can be no store with that driver. */
static const char *driver_check(const batch_settings_t *settings, apr_pool_t *p)
{
    batch_store_config_t config = {0};
    batch_error_t err = {0};
    batch_store_t *store;

    config.driver = settings->driver;
    config.params = settings->params;
    config.max_connections = 1;
    if (batch_store_create(&store, &config, &err, p) != APR_SUCCESS) {
        return err.message ? err.message : "the driver cannot be used";
    }
    batch_store_destroy(store);
    return NULL;
}

static const char *settings_check(const batch_server_config_t *config, apr_pool_t *p)
{
    const batch_settings_t *effective = &config->effective;
    const batch_setting_t *where = &config->settings[BATCH_INDEX_DRIVER];
    const char *wrong = where->set ? driver_check(effective, p) : NULL;

    if (wrong) {
        return apr_psprintf(p, "%s:%d: BatchDBDriver: %s", where->file, where->line, wrong);
    }
    if (strcmp(effective->driver, batch_setting_specs[BATCH_INDEX_DRIVER].text) != 0 &&
        !config->settings[BATCH_INDEX_PARAMS].set) {
        return apr_psprintf(
            p, "%s:%d: BatchDBDriver %s needs BatchDBDParams: the default is for %s only",
            where->file, where->line, effective->driver,
            batch_setting_specs[BATCH_INDEX_DRIVER].text);
    }
    if (effective->limits.lease < 2 * effective->limits.chunk_time) {
        where = &config->settings[config->settings[BATCH_INDEX_LEASE].set ? BATCH_INDEX_LEASE
                                                                          : BATCH_INDEX_CHUNK_TIME];
        return apr_psprintf(p,
                            "%s:%d: BatchLease must be at least twice BatchChunkTime: it is "
                            "renewed once a chunk",
                            where->file, where->line);
    }
    return NULL;
}

/*
 * Workers find batches in the database by the name of their resource. So two servers that use one
 * database must mean the same thing by one name, or a batch would change the wrong table.
 */
static const char *databases_check(const batch_settings_t *a, const batch_settings_t *b,
                                   apr_pool_t *p)
{
    apr_hash_index_t *hi;

    if (a == b || strcmp(a->driver, b->driver) != 0 || strcmp(a->params, b->params) != 0) {
        return NULL;
    }
    for (hi = apr_hash_first(p, a->resources); hi; hi = apr_hash_next(hi)) {
        const batch_resource_t *one = apr_hash_this_val(hi);
        const batch_resource_t *other = apr_hash_get(b->resources, one->name, APR_HASH_KEY_STRING);
        if (other && !batch_resource_same(one, other)) {
            return apr_psprintf(p,
                                "%s:%d: <BatchResource %s> differs from the one at %s:%d, but both "
                                "servers use the same database",
                                one->file, one->line, one->name, other->file, other->line);
        }
    }
    return NULL;
}

const char *batch_config_check(server_rec *s, apr_pool_t *p)
{
    const char *wrong = NULL;
    server_rec *one;
    server_rec *other;

    for (one = s; one; one = one->next) {
        complete(batch_server_config(one), p);
    }
    for (one = s; one && !wrong; one = one->next) {
        wrong = settings_check(batch_server_config(one), p);
        for (other = one->next; other && !wrong; other = other->next) {
            wrong = databases_check(batch_config_settings(one), batch_config_settings(other), p);
        }
    }
    return wrong;
}

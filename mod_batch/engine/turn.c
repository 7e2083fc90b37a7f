#include "engine/turn.h"

#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include <openssl/evp.h>

#include "text/hex.h"

/* ---- The target -------------------------------------------------------------------------------
 */

static int same_word(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* The resources of the n-th server with the engine's database; NULL: there are no more. */
static apr_hash_t *resources_of(const batch_engine_t *engine, int n)
{
    if (!engine->beside) {
        return n ? NULL : engine->resources;
    }
    return n < engine->beside->nelts ? APR_ARRAY_IDX(engine->beside, n, apr_hash_t *) : NULL;
}

/*
 * 1 if rows of the table belong to one organization each, whichever section one sees them by.
 * Names of tables that differ in case alone may be one table.
 */
static int is_scoped(const batch_engine_t *engine, const batch_resource_t *resource, apr_pool_t *p)
{
    apr_hash_index_t *hi;
    apr_hash_t *resources;
    int i;

    for (i = 0; (resources = resources_of(engine, i)) != NULL; i++) {
        for (hi = apr_hash_first(p, resources); hi; hi = apr_hash_next(hi)) {
            const batch_resource_t *other = apr_hash_this_val(hi);

            if (!strcasecmp(other->table, resource->table) &&
                !same_word(other->scope, resource->scope)) {
                return 0;
            }
        }
    }
    return resource->scope != NULL;
}

static const char *target_of(const batch_engine_t *engine, const batch_resource_t *resource,
                             const char *organization, apr_pool_t *p)
{
    char *target = is_scoped(engine, resource, p)
                       ? apr_pstrcat(p, resource->table, "\n", organization, NULL)
                       : apr_pstrdup(p, resource->table);
    char *at;

    for (at = target; *at && *at != '\n'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return target;
}

/* ---- The section ------------------------------------------------------------------------------
 */

static const char *words_of(const apr_array_header_t *words, apr_pool_t *p)
{
    return words ? apr_array_pstrcat(p, words, '\n') : "";
}

static const char *describe_column(const batch_column_t *column, apr_pool_t *p)
{
    const char *exact =
        batch_type_stored(column->type) == BATCH_STORED_DECIMAL
            ? apr_psprintf(p, "\t%d\t%d\t%d\t%s", column->precision, column->has_scale,
                           column->scale, column->min ? column->min : "")
            : "";

    return apr_psprintf(p, "%s\t%s\t%d%d%d\t%" APR_INT64_T_FMT "\t%d\t%.17g\t%s%s\n", column->name,
                        batch_type_name(column->type), column->required, column->immutable,
                        column->readonly, column->max, column->min != NULL,
                        column->min ? strtod(column->min, NULL) : 0, words_of(column->words, p),
                        exact);
}

/* What decides which rows an item names and what it does to them, as text. */
static const char *describe_section(const batch_resource_t *resource, apr_pool_t *p)
{
    apr_array_header_t *parts = apr_array_make(p, 16, sizeof(const char *));
    int i;

    APR_ARRAY_PUSH(parts, const char *) = apr_pstrcat(
        p, resource->table, "\t", resource->key, "\t", batch_keys_name(resource->keys), "\t",
        resource->scope ? resource->scope : "", "\t", words_of(resource->match, p), "\t",
        resource->form_column ? resource->form_column : "", "\t",
        resource->form_column ? resource->form_table : "", "\n", NULL);
    for (i = 0; resource->columns && i < resource->columns->nelts; i++) {
        APR_ARRAY_PUSH(parts, const char *) =
            describe_column(&APR_ARRAY_IDX(resource->columns, i, batch_column_t), p);
    }
    return apr_array_pstrcat(p, parts, 0);
}

/* Its SHA-256 in hex: two sections with the same mean the same. NULL: it cannot be had. */
static const char *section_of(const batch_resource_t *resource, apr_pool_t *p)
{
    const char *text = describe_section(resource, p);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    return EVP_Digest(text, strlen(text), digest, &length, EVP_sha256(), NULL)
               ? batch_hex(digest, length, p)
               : NULL;
}

void batch_turn_describe(batch_job_t *job, const batch_engine_t *engine, apr_pool_t *p)
{
    const batch_resource_t *resource = batch_engine_resource(engine, job->resource);

    job->target = resource ? target_of(engine, resource, job->organization, p) : NULL;
    job->section = resource ? section_of(resource, p) : NULL;
    job->generation = engine->generation;
}

/* ---- The turn ---------------------------------------------------------------------------------
 */

apr_status_t batch_turn_queue(batch_tx_t *tx, batch_job_t *job, apr_interval_time_t selected_for)
{
    apr_time_t since = selected_for > 0 ? batch_tx_now(tx) - selected_for - BATCH_COMMIT_TIME
                                        : batch_job_judged_since(job);
    int behind = 0;
    int changed = 0;
    apr_status_t rv = batch_tx_target_queue(tx, &behind, job);

    if (rv == APR_SUCCESS && !behind) {
        rv = batch_tx_target_changed(tx, &changed, job, since);
    }
    job->judge_again = behind || changed;
    return rv;
}

/*
 * 1 if two such batches at once could come to something that neither order of them does: rows that
 * one makes are not seen by the other, which makes or removes them, too, or judges its items by
 * whether they are there. A key is unique; and what every item locks a row for has one order.
 */
static int must_be_alone(const batch_job_t *job, const batch_resource_t *resource, int looks)
{
    return looks || !batch_action_is(job->action, BATCH_ACTION_SHARES) ||
           (resource->match && resource->match->nelts > 0);
}

apr_status_t batch_turn_take(batch_tx_t *tx, const batch_job_t *job,
                             const batch_resource_t *resource, int looks)
{
    int earlier = 0;
    apr_status_t rv = batch_tx_target_share(tx, job->target, must_be_alone(job, resource, looks));

    if (rv == APR_SUCCESS) {
        rv = batch_tx_target_earlier(tx, &earlier, job);
    }
    return rv == APR_SUCCESS && earlier ? BATCH_EBUSY : rv;
}

/* ---- The fit ----------------------------------------------------------------------------------
 */

/* 1 if a server with this database has a resource of that name. */
static int is_known(const batch_engine_t *engine, const char *name)
{
    apr_hash_t *resources;
    int i;

    for (i = 0; (resources = resources_of(engine, i)) != NULL; i++) {
        if (apr_hash_get(resources, name, APR_HASH_KEY_STRING)) {
            return 1;
        }
    }
    return 0;
}

/*
 * 1 if the job was made with a configuration before the engine's. Of this httpd that is known:
 * requests that began before a graceful restart make jobs behind it. Of others, who made a job
 * behind this reading knew more than we do.
 */
static int is_from_before(const batch_engine_t *engine, const batch_job_t *job)
{
    const char *ours = engine->generation ? strrchr(engine->generation, ' ') : NULL;
    const char *its = job->generation ? strrchr(job->generation, ' ') : NULL;

    if (ours && its && ours - engine->generation == its - job->generation &&
        !strncmp(engine->generation, job->generation, (apr_size_t)(ours - engine->generation))) {
        return apr_atoi64(its) < apr_atoi64(ours);
    }
    return job->created_at < engine->configured_at;
}

batch_fit_e batch_turn_fit(const batch_engine_t *engine, const batch_job_t *job, apr_pool_t *ptemp)
{
    const batch_resource_t *resource = batch_engine_resource(engine, job->resource);
    const char *section = resource && job->section ? section_of(resource, ptemp) : NULL;

    if (resource && (!section || !strcmp(section, job->section))) {
        return BATCH_FIT_GOOD;
    }
    if (!is_from_before(engine, job) || (!resource && is_known(engine, job->resource))) {
        return BATCH_FIT_UNKNOWN;
    }
    return resource ? BATCH_FIT_CHANGED : BATCH_FIT_GONE;
}

/* What clients see of jobs: one, a list, its errors, its items. */
#include "engine/jobs.h"
#include "engine/status.h"
#include "engine/upload.h"

#include <string.h>

struct look {
    batch_job_t *job;
    const char *id;
    const char *organization;
    batch_api_e api;
    apr_pool_t *p;
};

static apr_status_t get_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct look *look = baton;

    apr_status_t rv;

    (void)ptemp;
    rv = look->organization
             ? batch_tx_job_get(tx, look->job, look->id, look->organization, look->api, look->p)
             : batch_tx_job_find(tx, look->job, look->id, look->api, look->p);
    if (rv == APR_SUCCESS) {
        batch_status_expire(look->job, batch_tx_now(tx));
    }
    return rv;
}

apr_status_t batch_job_get(batch_job_t *job, const batch_engine_t *engine,
                           const batch_actor_t *actor, batch_api_e api, const char *id,
                           batch_error_t *err, apr_pool_t *p)
{
    struct look look = {job, id, actor->organization, api, p};

    return batch_store_read(engine->store, get_body, &look, err, p);
}

apr_status_t batch_job_find(batch_job_t *job, const batch_engine_t *engine, batch_api_e api,
                            const char *id, batch_error_t *err, apr_pool_t *p)
{
    struct look look = {job, id, NULL, api, p};

    return batch_store_read(engine->store, get_body, &look, err, p);
}

struct list {
    apr_int64_t *total;
    const batch_job_query_t *query;
    batch_job_fn *fn;
    void *baton;
    apr_time_t now;
};

/* Shows a job as it is now, whatever is written. */
static apr_status_t list_job(void *baton, const batch_job_t *job)
{
    struct list *list = baton;
    batch_job_t shown = *job;

    batch_status_expire(&shown, list->now);
    return list->fn(list->baton, &shown);
}

static apr_status_t list_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct list *list = baton;
    apr_status_t rv = list->fn(list->baton, NULL);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    list->now = batch_tx_now(tx);
    return batch_tx_job_list(tx, list->total, list->query, list_job, list, ptemp);
}

/* Filters are about what is written: so what is due by now is written first. */
static void settle_uploads(const batch_engine_t *engine, const batch_job_query_t *query,
                           apr_pool_t *ptemp)
{
    batch_error_t ignored = {0};
    int found =
        query->status && (!strcmp(query->status, "requested") || !strcmp(query->status, "expired"));

    while (found && batch_uploads_settle(&found, engine, &ignored, ptemp) == APR_SUCCESS) {
    }
}

apr_status_t batch_job_list(apr_int64_t *total, const batch_engine_t *engine,
                            const batch_actor_t *actor, batch_job_query_t *query, batch_job_fn *fn,
                            void *baton, batch_error_t *err, apr_pool_t *p)
{
    struct list list = {total, query, fn, baton, 0};

    query->organization = actor->organization;
    settle_uploads(engine, query, p);
    return batch_store_read(engine->store, list_body, &list, err, p);
}

struct errors {
    int *count;
    const batch_job_t *job;
    batch_error_cursor_t *cursor;
    batch_error_cursor_t start;
    int limit;
    batch_item_error_fn *fn;
    void *baton;
};

static apr_status_t errors_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct errors *errors = baton;
    batch_job_t job;
    apr_status_t rv = errors->fn(errors->baton, NULL);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* A page of a batch that was removed meanwhile would look like the end of its errors. */
    rv = batch_tx_job_get(tx, &job, errors->job->id, errors->job->organization, errors->job->api,
                          ptemp);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *errors->cursor = errors->start;
    return batch_tx_errors_read(tx, errors->count, errors->job, errors->cursor, errors->limit,
                                errors->fn, errors->baton, ptemp);
}

apr_status_t batch_job_errors(int *count, const batch_engine_t *engine, const batch_job_t *job,
                              batch_error_cursor_t *cursor, int limit, batch_item_error_fn *fn,
                              void *baton, batch_error_t *err, apr_pool_t *ptemp)
{
    struct errors errors = {count, job, cursor, *cursor, limit, fn, baton};

    return batch_store_read(engine->store, errors_body, &errors, err, ptemp);
}

struct segment_look {
    const batch_job_t *job;
    batch_segment_t *segment;
    apr_int64_t position;
    apr_pool_t *p;
};

static apr_status_t segment_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct segment_look *look = baton;

    (void)ptemp;
    return batch_tx_segment_get(tx, look->segment, look->job, look->position, look->p);
}

apr_status_t batch_job_segment(batch_segment_t *segment, const batch_engine_t *engine,
                               const batch_job_t *job, apr_int64_t position, batch_error_t *err,
                               apr_pool_t *p)
{
    struct segment_look look = {job, segment, position, p};
    apr_status_t rv = batch_store_read(engine->store, segment_body, &look, err, p);

    /* It must be the very one: with a gap before it, items have gone. */
    return rv == APR_SUCCESS && segment->first != position ? BATCH_ENOTFOUND : rv;
}

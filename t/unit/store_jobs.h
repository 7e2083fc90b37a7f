/* Jobs in a store, for the tests of the store. */
#ifndef BATCH_STORE_JOBS_H
#define BATCH_STORE_JOBS_H

#include "claims.h"
#include "store_fixture.h"

static batch_store_t *store;

static inline apr_status_t put(batch_job_t *job)
{
    return batch_store_write(store, insert_job, job, &err, pool);
}

typedef struct lookup {
    batch_job_t job;
    const char *id;
    const char *organization;
    batch_api_e api;
    apr_pool_t *p;
} lookup_t;

static inline apr_status_t get_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    lookup_t *lookup = baton;

    (void)ptemp;
    return batch_tx_job_get(tx, &lookup->job, lookup->id, lookup->organization, lookup->api,
                            lookup->p);
}

static inline apr_status_t get(batch_job_t *job, const char *id, const char *organization,
                               batch_api_e api)
{
    lookup_t lookup = {.id = id, .organization = organization, .api = api, .p = pool};
    apr_status_t rv = batch_store_read(store, get_body, &lookup, &err, pool);

    *job = lookup.job;
    return rv;
}

static inline batch_job_t again(const batch_job_t *job)
{
    batch_job_t found;

    if (get(&found, job->id, job->organization, job->api) != APR_SUCCESS) {
        memset(&found, 0, sizeof(found));
    }
    return found;
}

/* ---- Claims ---- */

typedef struct claiming {
    batch_claim_t claim;
    batch_owner_t owner;
    batch_job_t job;
    const char *only; /* runnable: jobs of this resource */
    apr_int64_t gone; /* the owner with this pid is gone */
    int asked;        /* about owners */
} claiming_t;

static inline int runnable(void *baton, const batch_job_t *job)
{
    claiming_t *claiming = baton;

    return !claiming->only || !strcmp(job->resource, claiming->only);
}

static inline int owner_gone(void *baton, const batch_owner_t *owner)
{
    claiming_t *claiming = baton;

    claiming->asked++;
    return owner->pid == claiming->gone && !strcmp(owner->host, "host-1") &&
           owner->start_time == 99;
}

static inline apr_status_t claim_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    claiming_t *claiming = baton;

    (void)ptemp;
    return batch_tx_claim(tx, &claiming->job, &claiming->claim, pool);
}

#endif

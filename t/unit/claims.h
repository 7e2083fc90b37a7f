/* What a claim of any job asks. */
#ifndef BATCH_CLAIMS_H
#define BATCH_CLAIMS_H

#include "store/store.h"

static inline int always(void *baton, const batch_job_t *job)
{
    (void)baton;
    (void)job;
    return 1;
}

static inline int never_gone(void *baton, const batch_owner_t *owner)
{
    (void)baton;
    (void)owner;
    return 0;
}

/** The status of what was claimed. */
static inline apr_status_t processing(void *baton, batch_job_t *job)
{
    (void)baton;
    job->status = BATCH_STATUS_PROCESSING;
    return APR_SUCCESS;
}

#endif

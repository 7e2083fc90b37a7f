/*
 * Applying stored items to their rows, within a transaction: what a worker does chunk by chunk, and
 * a request with the mode sync at once.
 */
#ifndef BATCH_ENGINE_APPLY_H
#define BATCH_ENGINE_APPLY_H

#include "batch.h"
#include "store/store.h"

/** What stays the same for all items of a job. */
typedef struct batch_application {
    batch_row_scope_t scope;
    const batch_value_t *shared; /* the job's shared_values */
    int shared_count;
} batch_application_t;

/**
 * Fills in what the job and its resource say; shared values are decoded into p. APR_EGENERAL if
 * they are damaged.
 */
apr_status_t batch_application_make(batch_application_t *application, const batch_job_t *job,
                                    const batch_resource_t *resource, apr_pool_t *p);

/** Adds the defaults for members that an item (not a dropped one) lacks; in p. */
void batch_item_add_defaults(batch_item_t *item, const batch_application_t *application,
                             apr_pool_t *p);

/**
 * Completes an item of the resources API for its row (not where the action is delete): the defaults
 * for members that it lacks, and the key of a new row. New strings in p.
 */
void batch_item_complete(batch_item_t *item, const batch_application_t *application,
                         const batch_job_t *job, apr_pool_t *p);

/**
 * The items of a stored segment, which is read in place; those of the resources API completed. In
 * p. APR_EGENERAL if the segment is damaged.
 */
apr_status_t batch_items_decode(batch_item_t **items, batch_segment_t *segment,
                                const batch_application_t *application, const batch_job_t *job,
                                apr_pool_t *p);

/**
 * The values of an item, for an error of it (batch_item_error_t.values): the key under its column's
 * name, and those that are not shared ones of the job. In p.
 */
const char *batch_item_own_values(const batch_item_t *item, const batch_application_t *application,
                                  apr_pool_t *p);

/** Is given each error, which is gone after the call. */
typedef void batch_apply_error_fn(void *baton, const batch_item_error_t *error);

/**
 * Is given the items of a call that are to be tried again, as they were before they were completed
 * (batch_item_complete); gone after the call. in_the_way: how many of them want what another row
 * has.
 */
typedef apr_status_t batch_apply_again_fn(void *baton, batch_tx_t *tx, const batch_item_t *items,
                                          int count, int in_the_way, apr_pool_t *ptemp);

/** One call of batch_apply. */
typedef struct batch_apply_request {
    const batch_application_t *application;
    batch_job_t *job;          /* its position and counts move on */
    const batch_item_t *items; /* completed ones; dropped ones among them are passed over */
    int count;
    int limit;           /* items that are given to the database, at most; from 1 */
    apr_time_t deadline; /* apr_time_now's clock; at least one item is tried */
    const char *refused; /* not NULL: the first item is not tried, it is refused with these words */
    int for_good;        /* it is not tried again either */
    int is_retry;        /* the items have been tried before */
    batch_apply_again_fn *again;  /* for those that may do behind others; NULL: this was the last */
    batch_apply_error_fn *report; /* NULL: errors are only stored */
    /*
     * Of an overwrite: is given the keys of rows that the items alone do not tell, as
     * batch_tx_kept_insert takes them. NULL: they are stored.
     */
    batch_key_fn *keep;
    void *keep_baton;
    void *baton; /* of the others */
} batch_apply_request_t;

/**
 * Applies items, stores an error for each that could not be and is not tried again, and moves the
 * job's position and counts on. *tried: items that were given to the database. Returns as store.h's
 * calls do.
 */
apr_status_t batch_apply(batch_tx_t *tx, int *tried, const batch_apply_request_t *request,
                         apr_pool_t *ptemp);

/** Applies items: outcomes for the first *done of them. */
typedef apr_status_t batch_round_fn(void *baton, int *done, batch_row_outcome_t *outcomes,
                                    const batch_item_t *items, int count, apr_pool_t *ptemp);

/**
 * Goes over those of the items once more that were refused and may do behind others, backwards, and
 * again as long as some of them do: a chain of rows that need each other. outcomes: what became of
 * all, which is kept up.
 */
apr_status_t batch_apply_rounds(batch_row_outcome_t *outcomes, const batch_item_t *items, int count,
                                batch_round_fn *fn, void *baton, apr_pool_t *ptemp);

#endif

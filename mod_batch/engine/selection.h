/*
 * The objects that an operation of the records API has selected: how they are stored with their
 * job, and how they are read back as the client sent them.
 */
#ifndef BATCH_ENGINE_SELECTION_H
#define BATCH_ENGINE_SELECTION_H

#include "batch.h"
#include "store/store.h"

/**
 * The items (of batch_item_t, NULL = none) in the order in which they are stored and applied: by
 * key, so that neighbours in the index are touched together and any two batches lock rows in the
 * same order. Keys get the one spelling that those of that type have; of two items with the same
 * key only the one with the lower ordinal stays. What is no key of that type is no row's id, and
 * stands behind all others. The new array is in p, keys are kept by reference where they can be.
 */
apr_array_header_t *batch_selection_sort(const apr_array_header_t *selected, batch_key_type_e type,
                                         apr_pool_t *p);

/** Stores sorted items with their job. ptemp is used only during the call. */
apr_status_t batch_selection_store(batch_tx_t *tx, const batch_job_t *job,
                                   const apr_array_header_t *items, apr_pool_t *ptemp);

/**
 * Reads the job's stored items: *items of batch_item_t in p, in the order in which they were sent.
 * APR_EGENERAL if what is stored is damaged.
 */
apr_status_t batch_selection_read(batch_tx_t *tx, apr_array_header_t **items,
                                  const batch_job_t *job, apr_pool_t *p);

#endif

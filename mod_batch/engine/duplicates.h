/*
 * Which items of a batch are duplicates of others: those with the same id; else, where one of two
 * has no id, those with the same match key; and of items that have neither, those with the same
 * content.
 */
#ifndef BATCH_ENGINE_DUPLICATES_H
#define BATCH_ENGINE_DUPLICATES_H

#include "batch.h"
#include "engine/intake.h"

typedef struct batch_duplicates batch_duplicates_t;

/** Makes one for a batch of at most count items; 0: who knows, see batch_duplicates_expect. */
apr_status_t batch_duplicates_make(batch_duplicates_t **duplicates, const batch_terms_t *terms,
                                   apr_int64_t count, apr_pool_t *p);

/**
 * Offers the next item. With use_first *dropped says whether it is a duplicate. Otherwise that is
 * known only when all were offered: batch_duplicates_dropped. An item that is wrong is none.
 */
apr_status_t batch_duplicates_offer(batch_duplicates_t *duplicates, int *dropped,
                                    const batch_source_item_t *item);

/** Says of how many items, as far as is known, a batch is whose number was not known. */
void batch_duplicates_expect(batch_duplicates_t *duplicates, apr_int64_t count);

/** 1 if there are any among the items so far. */
int batch_duplicates_are_there(const batch_duplicates_t *duplicates);

/** 1 if the item with that ordinal is to be dropped. Not for use_first. */
int batch_duplicates_dropped(const batch_duplicates_t *duplicates, apr_int64_t ordinal);

#endif

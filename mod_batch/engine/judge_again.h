/*
 * Judging stored items once more: of a batch whose turn came late, when rows may have changed since
 * its validation. What was dropped for what rows were like (BATCH_ITEM_UNMET) may be applied now,
 * and what was accepted may not.
 */
#ifndef BATCH_ENGINE_JUDGE_AGAIN_H
#define BATCH_ENGINE_JUDGE_AGAIN_H

#include "engine/apply.h"

/**
 * Judges the items of a request for batch_apply, count of them, by what their rows are like in this
 * transaction. In items, copies of the stored ones, those to be applied are live then; all others
 * are dropped. Changes the errors and counts of the job accordingly. New strings in ptemp.
 */
apr_status_t batch_judge_again(batch_tx_t *tx, const batch_apply_request_t *request,
                               batch_item_t *items, int count, apr_pool_t *ptemp);

#endif

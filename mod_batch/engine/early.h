/*
 * Items that are judged while those behind them still arrive. They are encoded as they will be
 * stored, and put away until the body has come to its end: nothing of them is in the database
 * before that.
 *
 * Where no item can be seen by another (batch_engine_is_independent) they are stored in the order
 * of their keys, so that those which are applied together lie side by side in the table's index. An
 * item has its place in the body with it.
 *
 * That is of use where all items are accepted as they are: no duplicates, no errors, nothing to be
 * asked of the database. Otherwise what was encoded is forgotten, and the items are judged once
 * more, with all that is known then; which of them are duplicates need not be found out again.
 */
#ifndef BATCH_ENGINE_EARLY_H
#define BATCH_ENGINE_EARLY_H

#include "engine/intake.h"
#include "engine/jobs.h"
#include "store/segment.h"

typedef struct batch_early batch_early_t;
typedef struct batch_duplicates batch_duplicates_t;

/**
 * 1 if a batch with these terms may be judged early: it is not carried out at once, and something
 * can be told without the database.
 */
int batch_early_suits(const batch_engine_t *engine, const batch_terms_t *terms);

/**
 * Begins, with terms that suit: they are copied, what they point to is not. All that it needs comes
 * from p, which may have memory of its own: it knows no database, and one thread at a time may use
 * it.
 */
apr_status_t batch_early_make(batch_early_t **early, const batch_engine_t *engine,
                              const batch_terms_t *terms, apr_pool_t *p);

/** Says how many items there will be, as far as is known. */
void batch_early_expect(batch_early_t *early, apr_int64_t count);

/**
 * Takes the next item, whose values it may change, in ptemp. After a failure, as that of a
 * temporary file, it is of no more use.
 */
apr_status_t batch_early_take(batch_early_t *early, batch_source_item_t *item, apr_pool_t *ptemp);

/** There are no more items. */
void batch_early_end(batch_early_t *early);

/**
 * 1 if all items of the source were accepted, and are encoded: then batch_early_next gives them.
 * key_type: as in the terms of the intake.
 */
int batch_early_is_clean(const batch_early_t *early, batch_key_type_e key_type, apr_int64_t count);

/** 1 if they are in the order of their keys: that must still be allowed when they are stored. */
int batch_early_is_sorted(const batch_early_t *early);

/**
 * The next segment, to be asked for once each; its data stand until the next call. *last: there is
 * none behind it. BATCH_EUNAVAILABLE: it cannot be read, and err says why.
 */
apr_status_t batch_early_next(batch_early_t *early, batch_segment_t *segment, int *last,
                              batch_error_t *err);

/** Which items are duplicates; NULL if that was not found out. For use_first it is not. */
batch_duplicates_t *batch_early_duplicates(batch_early_t *early, batch_key_type_e key_type,
                                           apr_int64_t count);

#endif

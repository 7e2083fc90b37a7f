/*
 * Judging items of the resources API: from what a source gives to what is stored, or to what is
 * wrong with it. In two steps, since some answers are the database's.
 */
#ifndef BATCH_ENGINE_JUDGEMENT_H
#define BATCH_ENGINE_JUDGEMENT_H

#include "batch.h"
#include "engine/intake.h"
#include "store/store.h"

/** Problems of one item that are listed; an item may have thousands of members. */
#define BATCH_ITEM_PROBLEMS 8

/** An item on its way into a segment. */
typedef struct batch_judged {
    batch_item_t item; /* as it is to be stored */
    int duplicate;     /* it is dropped by parsing */
    int look;          /* batch_judge_finish needs a look at its row, also at a dropped one's */
    int look_for_key;  /* that has nothing to add where a row with just the item's key is there */
    int lacks;         /* it lacks members that a new row must have */
    batch_source_item_t source; /* as the source gave it */
    int unnamed;     /* overwrite: it is dropped, and which row it names cannot be known */
    int error_count; /* 0: it is accepted, so far */
    batch_item_error_t *errors; /* NULL: there never was one, as with most items */
    apr_pool_t *p;              /* of them */
} batch_judged_t;

/**
 * Gives the values of an item that may stand in their columns the one spelling of what they say
 * (validation.h), so that the same is found to be the same. To be called first of all; what is new
 * lives in p.
 */
void batch_judge_spelling(batch_source_item_t *item, const batch_terms_t *terms, apr_pool_t *p);

/**
 * The first step: judges what can be judged without the database. duplicate: it is to be dropped as
 * one. What is kept of source lives as long as source does; what is new lives in p.
 */
void batch_judge(batch_judged_t *judged, const batch_terms_t *terms,
                 const batch_source_item_t *source, apr_int64_t ordinal, int duplicate,
                 apr_pool_t *p);

/**
 * The first step for a stored item, or for its copy that was completed for its row: as it was
 * accepted, or dropped for what its row was like. What is new lives in p.
 */
void batch_judge_stored(batch_judged_t *judged, const batch_terms_t *terms,
                        const batch_item_t *item, apr_pool_t *p);

/**
 * The second step, for an item whose `look` is set: makes *final of the first step's result and of
 * what was found. final may be judged.
 */
void batch_judge_finish(batch_judged_t *final, const batch_judged_t *judged,
                        const batch_terms_t *terms, const batch_row_look_t *look, apr_pool_t *p);

/**
 * The key of the row that an item of the job makes, where the server makes keys: a UUID that is the
 * same each time, so that a chunk that is repeated makes the same rows. In p.
 */
const char *batch_item_new_key(const batch_job_t *job, apr_int64_t ordinal, apr_pool_t *p);

#endif

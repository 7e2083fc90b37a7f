/*
 * Which row of an overwrite a dropped item names: what no item names is removed, so "nobody knows"
 * must not pass for "none".
 */
#ifndef BATCH_ENGINE_IDENTITY_H
#define BATCH_ENGINE_IDENTITY_H

#include "engine/judgement.h"

/**
 * Makes the values of a dropped item those by which it names a row, for the cleanup: the match
 * values that it has, defaults of the request included, in p.
 */
void batch_identity_keep(batch_judged_t *judged, const batch_terms_t *terms, apr_pool_t *p);

/**
 * Sets `unnamed` of a dropped item of an overwrite, or `look` where it is so unless a row has its
 * id. is_faultless: it was dropped as a duplicate alone, and could have made a row.
 */
void batch_identity_judge(batch_judged_t *judged, const batch_terms_t *terms, int is_faultless,
                          apr_pool_t *p);

#endif

/* Validation: does a value fit its column as the administrator declared it? */
#ifndef BATCH_ENGINE_VALIDATION_H
#define BATCH_ENGINE_VALIDATION_H

#include "batch.h"

/**
 * NULL if value may stand in column, else what is wrong with it and what is expected, in p.
 * Rules: the column's type, required (no null), max (characters), min, enum.
 */
const char *batch_value_check(const batch_column_t *column, const batch_value_t *value,
                              apr_pool_t *p);

#endif

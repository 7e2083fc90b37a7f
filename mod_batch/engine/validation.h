/* Validation: does a value fit its column as the administrator declared it? */
#ifndef BATCH_ENGINE_VALIDATION_H
#define BATCH_ENGINE_VALIDATION_H

#include "batch.h"

/**
 * Gives a cell (BATCH_KIND_CELL) the kind that values of its column have where its text is one:
 * text, timestamp and date a string; integer and number a JSON number, without the plus sign and
 * the zeros in front that JSON does not have; boolean true, false, 1 or 0 in any case. What is none
 * of these, or is for a json column, stays a cell. A new text is made in p. Other kinds stay.
 */
void batch_value_type_cell(batch_value_t *value, const batch_column_t *column, apr_pool_t *p);

/**
 * NULL if value may stand in column, else what is wrong with it and what is expected, in p.
 * Rules: the column's type, required (no null), max (characters), min, enum. A cell is judged as
 * what batch_value_type_cell makes of it.
 */
const char *batch_value_check(const batch_column_t *column, const batch_value_t *value,
                              apr_pool_t *p);

#endif

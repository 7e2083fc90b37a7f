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

/** What is wrong with a value: a code of an item's error (docs/api), and what is expected. */
typedef struct batch_fault {
    const char *code;
    const char *message;
} batch_fault_t;

/**
 * 1 if *value may stand in column; then it has the one spelling of what it says: a number as
 * numbers.h has it, a time as moments.h has it, a cell as batch_value_type_cell makes it. It is so
 * before anything is compared, stored or looked for. 0, with *fault set: it may not, and *value is
 * as it was. New texts and messages are in p.
 * Rules: the column's type, required (no null), max (characters), min, enum.
 */
int batch_value_settle(batch_fault_t *fault, batch_value_t *value, const batch_column_t *column,
                       apr_pool_t *p);

/** Bytes that a key may have. */
#define BATCH_KEY_BYTES 255

/**
 * The same for a key that is not null: a string, or a whole number, which becomes one. One of
 * integers is a minus sign or none, and digits, whose one spelling has no zeros in front; it may be
 * beyond 64 bits, which no row is. One of UUIDs is a UUID in any form that batch_uuid_settle takes.
 */
int batch_key_settle(batch_fault_t *fault, batch_value_t *value, batch_key_type_e type,
                     apr_pool_t *p);

/**
 * The one spelling of a key of that type, in p or within text; NULL if text is no such key.
 */
const char *batch_key_spell(const char *text, batch_key_type_e type, apr_pool_t *p);

#endif

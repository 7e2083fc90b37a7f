/*
 * The types of columns: one row of a list is a type, with all that the rooms ask about it. Whoever
 * adds one adds its row, and settle_NAME in engine/validation.c, which says which values it takes
 * and how they are spelt. Values are compared by that spelling.
 */
#ifndef BATCH_COLUMN_TYPES_H
#define BATCH_COLUMN_TYPES_H

#include <apr_pools.h>

/** How a type's values stand in JSON: in the items that are read, and in the files that are
 * written. */
typedef enum {
    BATCH_FORM_STRING,
    BATCH_FORM_NUMBER,
    BATCH_FORM_BOOLEAN,
    BATCH_FORM_ANY /* they are JSON, whatever it is */
} batch_form_e;

/** What a type's values are to a database: each driver has a switch, without a default. */
typedef enum {
    BATCH_STORED_TEXT,
    BATCH_STORED_INTEGER, /* 64 bits */
    BATCH_STORED_DOUBLE,
    BATCH_STORED_BOOLEAN, /* 0 or 1 where the column is one of numbers */
    BATCH_STORED_UUID,    /* as its text where the database has no type for it */
    BATCH_STORED_DECIMAL  /* digits, none of which may be lost: as a text where it has none */
} batch_stored_e;

/* What BatchColumn takes with a type, beside what all types have: bits. */
#define BATCH_OPTION_MAX       1u
#define BATCH_OPTION_MIN       2u
#define BATCH_OPTION_ENUM      4u
#define BATCH_OPTION_PRECISION 8u
#define BATCH_OPTION_SCALE     16u

/*
 * X(SYMBOL, name, form, stored, kind of a query's value, options). The name is the word that the
 * configuration has; the order is that of messages.
 */
#define BATCH_TYPE_LIST(X)                                                                         \
    X(TEXT, text, STRING, TEXT, TEXT, BATCH_OPTION_MAX | BATCH_OPTION_ENUM)                        \
    X(INTEGER, integer, NUMBER, INTEGER, INTEGER, BATCH_OPTION_MIN)                                \
    X(NUMBER, number, NUMBER, DOUBLE, NUMBER, BATCH_OPTION_MIN)                                    \
    X(BOOLEAN, boolean, BOOLEAN, BOOLEAN, BOOLEAN, 0)                                              \
    X(TIMESTAMP, timestamp, STRING, TEXT, TIMESTAMP, 0)                                            \
    X(DATE, date, STRING, TEXT, DATE, 0)                                                           \
    X(JSON, json, ANY, TEXT, TEXT, 0)                                                              \
    X(UUID, uuid, STRING, UUID, TEXT, 0)                                                           \
    X(DECIMAL, decimal, STRING, DECIMAL, DECIMAL,                                                  \
      BATCH_OPTION_MIN | BATCH_OPTION_PRECISION | BATCH_OPTION_SCALE)

#define BATCH_TYPE_SYMBOL(symbol, name, form, stored, queried, options) BATCH_TYPE_##symbol,
typedef enum { BATCH_TYPE_LIST(BATCH_TYPE_SYMBOL) BATCH_TYPE_COUNT } batch_type_e;

/** A row of the list. */
typedef struct batch_type_row {
    const char *word;
    batch_form_e form;
    batch_stored_e stored;
    unsigned options;
} batch_type_row_t;

extern const batch_type_row_t batch_type_rows[BATCH_TYPE_COUNT];

/** How values of a type stand in JSON. */
#define batch_type_form(type) (batch_type_rows[type].form)

/** What values of a type are to a database. */
#define batch_type_stored(type) (batch_type_rows[type].stored)

/** The words of the types that take one of these options (0: of all), as "a, b and c"; in p. */
const char *batch_type_words(unsigned options, apr_pool_t *p);

#endif

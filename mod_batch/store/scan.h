/* Scans: all rows of a table that some conditions select, however many they are. */
#ifndef BATCH_STORE_SCAN_H
#define BATCH_STORE_SCAN_H

#include "store/store.h"

/* What a row has in a column. pgsql has only texts: the caller knows the column's type. */
typedef enum {
    BATCH_CELL_NULL,
    BATCH_CELL_INTEGER,
    BATCH_CELL_NUMBER,
    BATCH_CELL_TEXT
} batch_cell_kind_e;

typedef struct batch_cell {
    batch_cell_kind_e kind;
    apr_int64_t integer; /* of an INTEGER */
    double number;       /* of a NUMBER */
    const char *text;    /* of a TEXT; not NUL-terminated, may hold any byte */
    apr_size_t length;
} batch_cell_t;

/** A condition: a column is equal to one of some texts. */
typedef struct batch_where {
    const char *column;
    const char *const *values; /* may come from a client: they are bound */
    int count;
} batch_where_t;

/**
 * A scan of rows of one of the administrator's tables. Names come from the configuration. Columns
 * of times are given in the form 2023-10-06T02:56:34.000000Z where the database has a type for
 * them; else all is given as it is stored.
 */
typedef struct batch_scan {
    const char *table;
    const char *const *columns; /* what fn gets, in this order */
    int column_count;
    const batch_where_t *wheres; /* all must be true; a row that is as they say is never left out */
    int where_count;
    apr_time_t deadline; /* apr_time_now's clock */
} batch_scan_t;

/**
 * Is called for each row; cells are gone after it. Another status than APR_SUCCESS ends the scan;
 * APR_EOF for one that has seen enough, behind which the transaction goes on.
 */
typedef apr_status_t batch_scan_fn(void *baton, const batch_cell_t *cells);

/**
 * Calls fn for the rows, in no order. What fn returned, if that ended the scan; APR_TIMEUP past the
 * deadline. In a transaction of batch_store_read_long; blocks no other thread.
 */
apr_status_t batch_tx_scan(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn, void *baton,
                           apr_pool_t *ptemp);

#endif

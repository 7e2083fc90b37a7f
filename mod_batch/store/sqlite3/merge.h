/* SQLite: what merges, looks and walks have in common; part of the driver. Private to store/. */
#ifndef BATCH_STORE_SQLITE3_MERGE_H
#define BATCH_STORE_SQLITE3_MERGE_H

#include "store/sqlite3/plans.h"

/* One call of rows_merge, rows_look or keys_walk. */
typedef struct batch_sqlite3_run {
    batch_tx_t *tx;
    batch_connection_t *connection;
    const batch_row_scope_t *scope;
    const batch_resource_t *resource;
    const batch_sqlite3_target_t *target;
    int words;       /* of a set of columns */
    const char *now; /* for the stamps */
    apr_uint64_t call;
    apr_pool_t *p;
    /* The item at hand. */
    const batch_item_t *item;
    int *places; /* by value: its column, -1 = none; the guess for the next item */
    int place_count;
    apr_uint64_t columns[BATCH_SQLITE3_COLUMNS / 64];
    const char *wrong; /* why it cannot be applied at all; NULL: it can */
    /* Of the row that it has touched, where a statement has told: */
    int told;
    const char *touched_key; /* NULL: the item's own */
    sqlite3_int64 touched_row;
    int inserting;   /* it found no row */
    const char *why; /* it is refused by us, not by the database */
} batch_sqlite3_run_t;

/** Begins a call: run is set anew. What it allocates is in p. */
batch_failure_e batch_sqlite3_run_start(batch_sqlite3_run_t *run, batch_tx_t *tx,
                                        const batch_row_scope_t *scope, apr_pool_t *p);

/** The resource's column i. */
const batch_column_t *batch_sqlite3_run_column(const batch_sqlite3_run_t *run, int i);

/** Takes an item to hand: which columns its values are of. */
void batch_sqlite3_run_take(batch_sqlite3_run_t *run, const batch_item_t *item);

/** 1 if the item has a value, not NULL, for each column of match. */
int batch_sqlite3_run_has_match(const batch_sqlite3_run_t *run);

/** Gives one of the plan's statements, with the item's values in it, ready to be stepped. */
batch_failure_e batch_sqlite3_run_statement(const batch_sqlite3_run_t *run,
                                            sqlite3_stmt **statement, batch_sqlite3_plan_t *plan,
                                            batch_plan_statement_e which);

/** Ends a statement whose last step returned code. Its failure stays the connection's last one. */
batch_failure_e batch_sqlite3_run_end(const batch_sqlite3_run_t *run, sqlite3_stmt *statement,
                                      int code);

#endif

/*
 * SQLite: what all calls on rows have in common: statements with an item's values in them, and the
 * savepoint of an item. Part of the driver. Private to store/.
 */
#ifndef BATCH_STORE_SQLITE3_RUN_H
#define BATCH_STORE_SQLITE3_RUN_H

#include "store/sqlite3/groups.h"

/* One call of rows_delete, rows_update, rows_merge, rows_look or keys_walk. */
typedef struct batch_sqlite3_run {
    unsigned magic;
#define BATCH_SQLITE3_RUN_MAGIC 0x4108d385u
    batch_connection_t *connection;
    batch_row_plan_t plan;
    const batch_sqlite3_target_t *target;
    apr_uint64_t call;
    int tells;     /* it says which rows it has touched */
    int is_walked; /* batch_rows_t.walked */
    apr_pool_t *p;
    /* Of the row that the item at hand has touched, where a statement has told: */
    int told;
    const char *touched_key; /* NULL: the item's own */
    sqlite3_int64 touched_row;
    int inserting;   /* it found no row */
    const char *why; /* it is refused by us, not by the database */
} batch_sqlite3_run_t;

/**
 * Applies item i of a call, and says in its outcome, which is all 0, what became of it. What it
 * returns as refused is undone, and then said by who calls it.
 */
typedef batch_failure_e batch_sqlite3_item_fn(batch_sqlite3_run_t *run, const batch_rows_t *rows,
                                              int i);

/** Begins a call: run is set anew. now: for stamps, or NULL. What it allocates is in p. */
batch_failure_e batch_sqlite3_run_start(batch_sqlite3_run_t *run, batch_tx_t *tx,
                                        const batch_row_scope_t *scope, const char *now,
                                        apr_pool_t *p);

/** Gives the group for items of that kind with the columns at hand. tells: as the group has it. */
batch_sqlite3_group_t *batch_sqlite3_run_group(const batch_sqlite3_run_t *run,
                                               batch_group_kind_e kind, int tells);

/** Gives one of the group's statements, with the item's values in it, ready to be stepped. */
batch_failure_e batch_sqlite3_run_statement(const batch_sqlite3_run_t *run,
                                            sqlite3_stmt **statement, batch_sqlite3_group_t *group,
                                            batch_group_statement_e which);

/** Binds a text, or NULL. Texts must outlive the step. */
int batch_sqlite3_bind_text(sqlite3_stmt *statement, int parameter, const char *text);

/** Ends a statement whose last step returned code. Its failure stays the connection's last one. */
batch_failure_e batch_sqlite3_run_end(const batch_sqlite3_run_t *run, sqlite3_stmt *statement,
                                      int code);

/** The key that a statement's row has, in the call's pool; NULL: it is the item's own. */
const char *batch_sqlite3_run_key(const batch_sqlite3_run_t *run, sqlite3_stmt *statement);

/** Runs a statement that changes rows; *changed: how many. Sets what it has told of them. */
batch_failure_e batch_sqlite3_run_change(batch_sqlite3_run_t *run, int *changed,
                                         batch_sqlite3_group_t *group,
                                         batch_group_statement_e which);

/** How many rows the item finds: 2 for several. */
batch_failure_e batch_sqlite3_run_count(const batch_sqlite3_run_t *run, int *found,
                                        batch_sqlite3_group_t *group);

/**
 * Changes the row that the item finds, or deletes it. *missing: there is none, and no other reason
 * why nothing became of it.
 */
batch_failure_e batch_sqlite3_run_touch(batch_sqlite3_run_t *run, batch_row_outcome_t *outcome,
                                        int *missing, batch_sqlite3_group_t *group,
                                        batch_group_statement_e which);

/** 1 if a new row with a key may be offered (BATCH_GROUP_OFFER). */
int batch_sqlite3_run_offers(const batch_sqlite3_run_t *run);

/** 1 if what a statement returns of a row may not be what is there when it has ended. */
int batch_sqlite3_run_is_watched(const batch_sqlite3_run_t *run);

/**
 * The numbers of the items in the order of their keys, where all have one and they are many; else
 * as they are. In p.
 */
int *batch_sqlite3_order(const batch_item_t *items, int count, apr_pool_t *p);

/** How many of the items that are left are done, about, until the deadline of a call that began. */
int batch_sqlite3_piece(const batch_rows_t *rows, apr_time_t begun);

/* What a call does to rows. */
typedef enum {
    BATCH_SQLITE3_DELETES, /* in any order, where that does not matter to the table */
    BATCH_SQLITE3_UPDATES,
    BATCH_SQLITE3_MERGES /* it says which rows it has touched, where it is to */
} batch_sqlite3_change_e;

/** Does a call that changes rows: applies its items by fn, one after the other, until the deadline.
 */
apr_status_t batch_sqlite3_run_apply(batch_tx_t *tx, batch_rows_t *rows, batch_sqlite3_item_fn *fn,
                                     batch_sqlite3_change_e change);

#endif

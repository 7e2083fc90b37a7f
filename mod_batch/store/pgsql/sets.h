/*
 * PostgreSQL: work on many items as sets, a statement or a few for each; part of the driver.
 * Private to store/.
 *
 * How large a set is follows from the time that the last ones took, since nothing stops a statement
 * at a deadline. A set is refused as a whole. Then it is undone, and what refuses it is searched by
 * halves until it is alone.
 */
#ifndef BATCH_STORE_PGSQL_SETS_H
#define BATCH_STORE_PGSQL_SETS_H

#include "store/pgsql/run.h"

typedef struct batch_pgsql_sets batch_pgsql_sets_t;

/** One call of rows_delete, rows_update or rows_merge; the first member of what they work with. */
struct batch_pgsql_sets {
    /* Filled by who makes it: */
    batch_tx_t *tx;
    batch_rows_t *rows;
    batch_pgsql_run_t run; /* started */

    /** Reads the table (batch_pgsql_run_read), and makes what belongs to it, pace and settings. */
    batch_failure_e (*build)(batch_pgsql_sets_t *sets, int fresh);

    /**
     * Applies the next count items and fills their outcomes. Under a savepoint
     * (batch_pgsql_sets_begin), which it releases (batch_pgsql_sets_end) unless it fails.
     */
    batch_failure_e (*apply)(batch_pgsql_sets_t *sets, int count);

    /**
     * A value was wrong: says in *for_all whether `alike` are refused whatever their keys are.
     * NULL: there is nothing to ask.
     */
    batch_failure_e (*probe)(batch_pgsql_sets_t *sets, int *for_all);

    /** The next item alone was refused: 1 in *is_none if it is rather not found. NULL: never. */
    batch_failure_e (*excuse)(batch_pgsql_sets_t *sets, int *is_none);

    /* Set by build: */
    batch_pgsql_pace_t *pace;
    const char *settings; /* SQL that is run first */

    /* Set by apply: */
    int asked; /* the server has been asked at all */
    int alike; /* the next so many items are of one statement */
    int again; /* it has failed only because the set is too large to tell its items apart */

    /* The rest is the machine's own. */
    apr_time_t begun;
    apr_pool_t *set_pool; /* of the set under way */
    int position;         /* items that are done */
    int last;             /* items of the last set that succeeded */
    int most;             /* of a set, since some were refused */
    int suspect;          /* there is one to refuse among the next so many; 0 = not known of any */
};

/** Works on all items, until the deadline. */
apr_status_t batch_pgsql_sets_apply(batch_pgsql_sets_t *sets);

/** Queues a savepoint, and for more than one row a time limit of its own. */
batch_failure_e batch_pgsql_sets_begin(const batch_pgsql_sets_t *sets, int count);

/** Queues the end of that. */
batch_failure_e batch_pgsql_sets_end(const batch_pgsql_sets_t *sets, int count);

/** Queues the end of a set's time limit: what follows may take as long as the session allows. */
batch_failure_e batch_pgsql_sets_take_time(const batch_pgsql_sets_t *sets, int count);

/**
 * Runs a statement under a savepoint, and undoes it in any case. Sets *refused if the server
 * refuses it.
 */
batch_failure_e batch_pgsql_sets_try(const batch_pgsql_sets_t *sets, int *refused,
                                     batch_pgsql_statement_t *statement,
                                     const char *const *parameters);

/** 1 in *is_none if the key of that item is no value of its column's type, as the server says. */
batch_failure_e batch_pgsql_sets_judge_key(const batch_pgsql_sets_t *sets, int *is_none,
                                           const batch_item_t *item);

#endif

/*
 * Work on many items as sets, a statement or a few for each, for drivers of databases where that is
 * better than a statement an item. Private to store/.
 *
 * How large a set is follows from the time that the last ones took, since nothing stops a statement
 * at a deadline. A set is refused as a whole. Then it is undone, and what refuses it is searched by
 * halves until it is alone.
 */
#ifndef BATCH_STORE_SETS_H
#define BATCH_STORE_SETS_H

#include "store/pace.h"
#include "store/row_plan.h"
#include "store/tx.h"
#include "text/check.h"

typedef struct batch_sets batch_sets_t;

/* What the database says of a set that it has refused. */
typedef struct batch_set_refusal {
    const char *message;  /* the database's own, in the call's pool */
    batch_refusal_e kind; /* if it were one row */
    int misfit;           /* the statement does not fit the tables, whatever the rows are */
    int wrong_value;      /* a value is none of its column's type */
    int too_long;         /* it has taken too long, and was stopped */
    int for_all;          /* it would have been refused without any rows */
} batch_set_refusal_t;

/* How a driver goes about one kind of work. */
typedef struct batch_sets_how {
    /** Makes what belongs to the table as it is known, or, if fresh, as it is; and sets->pace. */
    batch_failure_e (*build)(batch_sets_t *sets, int fresh);

    /**
     * Applies the next count items, from rows->items[position] on, and fills their outcomes. Where
     * it fails with BATCH_FAILURE_REFUSED undo can undo it, and nothing else.
     */
    batch_failure_e (*apply)(batch_sets_t *sets, int count);

    /** Undoes that; also where it has succeeded in a trial of probe's. */
    batch_failure_e (*undo)(batch_sets_t *sets);

    /** Says why the last set was refused; before that is undone. refusal is all 0. */
    void (*judge)(const batch_sets_t *sets, batch_set_refusal_t *refusal);

    /** 1 if the table was not looked at in this transaction: it may be another one now. */
    int (*is_old)(const batch_sets_t *sets);

    /**
     * A value was wrong: says in *for_all whether `alike` are refused whatever their keys are.
     * NULL: there is nothing to ask.
     */
    batch_failure_e (*probe)(batch_sets_t *sets, int *for_all);

    /** The next item alone was refused: 1 in *is_none if it is rather not found. NULL: never. */
    batch_failure_e (*excuse)(batch_sets_t *sets, int *is_none);
} batch_sets_how_t;

/** One call on rows; the first member of what a driver works with. */
struct batch_sets {
    unsigned magic;
#define BATCH_SETS_MAGIC 0x15737ae2u
    /* Filled by who makes it, the rest is 0: */
    batch_tx_t *tx;
    batch_rows_t *rows;
    const batch_sets_how_t *how;

    /* Set by build: */
    batch_pace_t *pace;
    apr_size_t pack; /* bytes of a set beyond which it is no quicker; 0: larger ones are */

    /* Set by apply: */
    int asked; /* the server has been asked at all */
    int alike; /* the next so many items are of one statement */
    int again; /* it has failed only because the set is too large to tell its items apart */

    /* The machine's own, to be read: */
    apr_pool_t *set_pool; /* of the set under way */
    int position;         /* items that are done */
    int suspect;          /* there is one to refuse among the next so many; 0 = not known of any */
    int last;             /* items of the last set that succeeded */
    int most;             /* of a set, since some were refused */
    apr_time_t begun;
};

/** Works on all items, until the deadline. */
apr_status_t batch_sets_apply(batch_sets_t *sets);

#endif

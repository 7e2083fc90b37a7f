/* PostgreSQL: a merge, and the statements that it is made of. Private to store/. */
#ifndef BATCH_STORE_PGSQL_MERGE_H
#define BATCH_STORE_PGSQL_MERGE_H

#include "store/pgsql/run.h"

/* Items of a set that find their rows alike and have values for the same columns. */
typedef struct batch_pgsql_group {
    batch_item_kind_e kind;
    int has_key;
    const apr_uint64_t *columns; /* bit: place in resource->columns */
    int column_count;
    int *places;  /* of each of them there, ascending */
    int *members; /* items, by their number in the set, ascending */
    int count;
    int room;
} batch_pgsql_group_t;

/* One call of rows_merge. */
typedef struct batch_pgsql_merge {
    batch_sets_t sets;
    unsigned magic;
#define BATCH_PGSQL_MERGE_MAGIC 0x4a4fdba1u
    batch_pgsql_run_t run;
    int hopeless; /* nothing in the table can be in the scope */
    int probed;   /* the scope and the stamps are not to blame */
    int plain;    /* no ON CONFLICT: it would call a trigger for a row that is not inserted */
    int met;      /* a new row met another in a unique index: ON CONFLICT from now on */
    /* The set under way. */
    const batch_item_t *items;
    batch_row_outcome_t *outcomes;
    char *decided;                   /* of each: its outcome is known */
    batch_pgsql_group_t **group_of;  /* each item's */
    apr_array_header_t *groups;      /* of batch_pgsql_group_t *, of all items */
    const batch_pgsql_group_t *last; /* whose statement was the last one */
    char *moves;                     /* of each: it may change what others are matched by */
    apr_hash_t *rows;                /* the key of a row -> the last item that was applied to it */
    int offered;                     /* it was tried by batch_pgsql_offer, … */
    int left_out;                    /* … and nothing became of some item */
    int disordered;                  /* two items were applied to one row in the wrong order */
    const char *why;                 /* it is refused by us, not by the server; NULL: it is not */
} batch_pgsql_merge_t;

/**
 * Puts the items from `from` on that are not decided into groups, up to where the order of the
 * groups would matter. Returns the number of the first item behind them. In merge_groups.c.
 */
int batch_pgsql_merge_gather(batch_pgsql_merge_t *merge, int from, int count);

/* How a statement goes about it. */
typedef enum {
    BATCH_PGSQL_QUICK,   /* what meets an obstacle is left over, or, before merge->met, an error */
    BATCH_PGSQL_CAREFUL, /* left over; it says of what is left over whether the row is there */
    BATCH_PGSQL_FINAL    /* the same, but obstacles are errors */
} batch_pgsql_care_e;

/** 1 if the statement of a group lists the keys of the rows that it has made, as sign K. */
int batch_pgsql_lists_made(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group);

/*
 * Queues the statement that merges count members of a group. Its result is rows of number (from 1,
 * of the member; of "#" a count), sign, and the row's key as text (NULL if none):
 *   A  applied to a row that was there
 *   C  a row was made for it. Not said of members without a key
 *   #  how many rows were made
 *   K  the key of one that was made, whoever it was made for (no number)
 *   N  a row was made for it: said where the keys are the database's, in the order of the K
 *   F  there is one such row, but it was not applied
 *   M  there are several
 * F and M come with other care than BATCH_PGSQL_QUICK, or where match is not unique. count 0: a
 * trial of all but the items.
 */
batch_failure_e batch_pgsql_merge_queue(batch_pgsql_merge_t *merge,
                                        const batch_pgsql_group_t *group, const int *members,
                                        int count, batch_pgsql_care_e care);

/**
 * 1 if a group's items can be offered as new rows, each of which changes the row that is there
 * instead, and what comes of it, unless it fails, is what batch_pgsql_merge_queue would do.
 */
int batch_pgsql_can_offer(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group);

/**
 * Queues the statement that does it. Its result has a row for each: its key if it is new, else
 * NULL; and, with tell_keys, its key. ordered: the members are in the order of what finds their
 * rows; then there is a row for each of them in their order, which says t if it is new, else f.
 */
batch_failure_e batch_pgsql_offer_queue(batch_pgsql_merge_t *merge,
                                        const batch_pgsql_group_t *group, int ordered);

/**
 * 1 if the set, of which there is only that group, is worth a try that way: mostly it has been good
 * for the last ones. In merge_offer_pgsql.c, like the next two.
 */
int batch_pgsql_may_offer(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group);

/** Applies such a set. Refused as well if a row was left out, of which the server says nothing. */
batch_failure_e batch_pgsql_offer(batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group);

/** The set that was refused may have been so only because it was offered: it is not any more. */
int batch_pgsql_offer_in_vain(batch_pgsql_merge_t *merge);

/**
 * Finds out which of the set's items, of which there are count, would change the match values of a
 * row that others may find by them: merge->moves. In merge_order_pgsql.c.
 */
batch_failure_e batch_pgsql_merge_find_movers(batch_pgsql_merge_t *merge, int count);

/**
 * In merges with tell_keys: says of item i of the set that its row has that key, as the server
 * writes it. In merge_told_pgsql.c, like the next ones.
 */
void batch_pgsql_tell(batch_pgsql_merge_t *merge, int i, const char *key);

/** The same of the members for which rows were made, whichever of the keys (const char *) is whose.
 */
void batch_pgsql_tell_made(batch_pgsql_merge_t *merge, const int *members, int count,
                           const apr_array_header_t *keys);

/**
 * In all merges: the keys (const char *) that the database has made, each for the item (int) at the
 * same place of made.
 */
void batch_pgsql_tell_database_keys(batch_pgsql_merge_t *merge, const apr_array_header_t *made,
                                    const apr_array_header_t *keys);

/**
 * Looks whether the rows that the items from `from` on (count of them) have touched are still known
 * by the keys that were told, and whether new ones are alone with their match values. Where a
 * trigger sees to it that they are not, merge->why says so, and for a single item its outcome has
 * the key of the other row; the caller undoes it.
 */
batch_failure_e batch_pgsql_check_told(batch_pgsql_merge_t *merge, int from, int count);

/**
 * The item i was refused because another row has its values in a unique index of that name: sets
 * its outcome's `unsure` if that can be the row which it names.
 */
batch_failure_e batch_pgsql_doubt(batch_pgsql_merge_t *merge, int i, const char *index);

#endif

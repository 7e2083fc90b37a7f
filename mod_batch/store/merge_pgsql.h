/* PostgreSQL: a merge, and the statements that it is made of. Private to store/. */
#ifndef BATCH_STORE_MERGE_PGSQL_H
#define BATCH_STORE_MERGE_PGSQL_H

#include "store/sets_pgsql.h"

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
    batch_pgsql_sets_t sets;
    batch_pgsql_rules_t *rules;
    int hopeless;    /* nothing in the table can be in the scope */
    const char *now; /* for the stamps */
    int words;       /* of a set of columns */
    int probed;      /* the scope and the stamps are not to blame */
    int plain;       /* no ON CONFLICT: it would call a trigger for a row that is not inserted */
    int met;         /* a new row met another in a unique index: ON CONFLICT from now on */
    /* The set under way. */
    const batch_item_t *items;
    batch_row_outcome_t *outcomes;
    char *decided;                   /* of each: its outcome is known */
    batch_pgsql_group_t **group_of;  /* each item's */
    apr_array_header_t *groups;      /* of batch_pgsql_group_t *, of all items */
    const batch_pgsql_group_t *last; /* whose statement was the last one */
    char *moves;                     /* of each: it may change what others are matched by */
    apr_hash_t *rows;                /* the key of a row -> the last item that was applied to it */
    int disordered;                  /* two items were applied to one row in the wrong order */
} batch_pgsql_merge_t;

/* How a statement goes about it. */
typedef enum {
    BATCH_PGSQL_QUICK,   /* what meets an obstacle is left over, or, before merge->met, an error */
    BATCH_PGSQL_CAREFUL, /* left over; it says of what is left over whether the row is there */
    BATCH_PGSQL_FINAL    /* the same, but obstacles are errors */
} batch_pgsql_care_e;

/*
 * Queues the statement that merges count members of a group. Its result is rows of number (from 1,
 * of the member; of "#" a count), sign, and the row's key as text (NULL if none):
 *   A  applied to a row that was there
 *   C  a row was made for it. Not said of members without a key
 *   #  how many rows were made
 *   F  there is one such row, but it was not applied
 *   M  there are several
 * F and M come with other care than BATCH_PGSQL_QUICK, or where match is not unique. count 0: a
 * trial of all but the items.
 */
batch_failure_e batch_pgsql_merge_queue(batch_pgsql_merge_t *merge,
                                        const batch_pgsql_group_t *group, const int *members,
                                        int count, batch_pgsql_care_e care);

/**
 * Finds out which of the set's items, of which there are count, would change the match values of a
 * row that others may find by them: merge->moves. In merge_order_pgsql.c.
 */
batch_failure_e batch_pgsql_merge_find_movers(batch_pgsql_merge_t *merge, int count);

/** 1 if name is a column of match. */
int batch_pgsql_is_match(const batch_resource_t *resource, const char *name);

/** 1 if a group's items can make rows. */
int batch_pgsql_may_insert(const batch_resource_t *resource, batch_item_kind_e kind);

#endif

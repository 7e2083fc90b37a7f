/*
 * The plan of a call on the rows of items: all of it that is the same for every database. A driver
 * makes statements of it. Private to store/.
 */
#ifndef BATCH_STORE_ROW_PLAN_H
#define BATCH_STORE_ROW_PLAN_H

#include "store/store.h"

/* What is the same for all rows of a call; each may be NULL. */
typedef enum {
    BATCH_CONSTANT_SCOPE, /* the organization */
    BATCH_CONSTANT_FORM,
    BATCH_CONSTANT_NOW, /* for the stamps, in the form 2023-10-06T02:56:34Z */
    BATCH_CONSTANT_ACTOR,
    BATCH_CONSTANTS
} batch_constant_e;

/* A column of the table, and the constant that it has, or gets. */
typedef struct batch_row_fixed {
    const char *column;
    batch_constant_e constant;
} batch_row_fixed_t;

/* A list of them, for which the resource has columns. */
typedef struct batch_row_fixed_list {
    batch_row_fixed_t list[6];
    int count;
} batch_row_fixed_list_t;

typedef struct batch_row_plan {
    const batch_row_scope_t *scope;
    const batch_resource_t *resource;
    int column_count; /* of the resource; a set of them is so many numbers of 64 bits: */
    int width;
    int ignore_case; /* of the names of columns, as the database compares them */
    const char *constants[BATCH_CONSTANTS];
    batch_row_fixed_list_t scoped;  /* what a row has that belongs to the scope */
    batch_row_fixed_list_t changed; /* the stamps of a change */
    batch_row_fixed_list_t made;    /* what a new row gets besides its key and the item's values */
    /* The item at hand: */
    const batch_item_t *item;
    apr_uint64_t *columns; /* that it has values for; bit: place in resource->columns */
    int *places;           /* of each of its values: its column's, -1 = none that may be written */
    int place_count;       /* … of the values that places has room for */
    const char *wrong;     /* why no merge can apply it, in words of ours; NULL: it can be tried */
    apr_pool_t *p;
} batch_row_plan_t;

/** Makes the plan of a call. now: NULL where no row gets a stamp. What it allocates is in p. */
void batch_row_plan_init(batch_row_plan_t *plan, const batch_row_scope_t *scope, const char *now,
                         int ignore_case, apr_pool_t *p);

/** Takes an item to hand, which has to stay. Allocates only for one with more values than any. */
void batch_row_plan_take(batch_row_plan_t *plan, const batch_item_t *item);

/** The resource's column i. */
const batch_column_t *batch_row_plan_column(const batch_row_plan_t *plan, int i);

/** The place of the resource's column of that name, tried first where it is guessed; -1 = none. */
int batch_row_plan_place(const batch_row_plan_t *plan, const char *name, int guess);

/** 1 if column i is one of the set. */
int batch_columns_have(const apr_uint64_t *columns, int i);

/** How many columns of match the resource has. */
int batch_match_count(const batch_resource_t *resource);

/** The name of one of them. */
const char *batch_match_name(const batch_resource_t *resource, int i);

/** 1 if name is a column of match. */
int batch_match_has(const batch_resource_t *resource, const char *name);

/** 1 if the item has a value, not NULL, for each column of match, of which there are some. */
int batch_item_has_match(const batch_resource_t *resource, const batch_item_t *item);

/** 1 if an item of that kind, which finds no row, makes one. */
int batch_kind_makes_rows(const batch_resource_t *resource, batch_item_kind_e kind);

/** 1 if an item of that kind sets the column in the row that it finds. */
int batch_kind_sets(const batch_resource_t *resource, batch_item_kind_e kind,
                    const batch_column_t *column);

/** Says of count items in a row that they are refused, with a message, which has to stay. */
void batch_rows_refuse(batch_row_outcome_t *outcomes, int count, const char *message,
                       batch_refusal_e refusal);

/* Why a row is refused of which the database has said nothing. */
extern const char batch_row_unchanged[];
extern const char batch_row_still_there[];
extern const char batch_row_left_out[];
extern const char batch_row_strayed[];
extern const char batch_row_alike[];

#endif

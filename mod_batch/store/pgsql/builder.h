/*
 * PostgreSQL: statements on the administrator's tables, put together; among them those on items,
 * which are a table, batch_item, that comes as arrays. Private to store/.
 */
#ifndef BATCH_STORE_PGSQL_BUILDER_H
#define BATCH_STORE_PGSQL_BUILDER_H

#include "store/row_plan.h"
#include "store/pgsql/types.h"

typedef struct batch_pgsql_builder {
    apr_array_header_t *pieces;  /* of const char * */
    apr_array_header_t *types;   /* of Oid */
    apr_array_header_t *values;  /* of const char * */
    apr_array_header_t *lengths; /* of int, of each of them that is binary, … */
    apr_array_header_t *formats; /* … which is a 1 here, as libpq takes them */
    const batch_pgsql_table_t *table;
    const batch_row_plan_t *plan;
    const char *table_name;    /* quoted */
    apr_array_header_t *names; /* of const char *: the columns of batch_item so far */
    int list;                  /* items of the list that is being built */
    apr_pool_t *p;
} batch_pgsql_builder_t;

/* Some items of a call. */
typedef struct batch_pgsql_members {
    const batch_item_t *items;
    const int *numbers; /* of them, among items */
    int count;
} batch_pgsql_members_t;

/**
 * Starts a statement on the table of a call's plan, or on another one, for which plan is NULL and
 * table_name is set behind this. All that it makes lives in p.
 */
void batch_pgsql_builder_init(batch_pgsql_builder_t *builder, const batch_pgsql_table_t *table,
                              const batch_row_plan_t *plan, apr_pool_t *p);

/** Adds a piece, which has to stay. */
void batch_pgsql_add(batch_pgsql_builder_t *builder, const char *piece);

/** Adds a quoted name. */
void batch_pgsql_add_name(batch_pgsql_builder_t *builder, const char *name);

/** Adds a quoted name as the next of a list: behind first, or behind a comma. */
void batch_pgsql_add_next(batch_pgsql_builder_t *builder, const char *first, const char *name);

/** Adds: word row.column, where row is quoted; NULL: the table. */
void batch_pgsql_add_of(batch_pgsql_builder_t *builder, const char *word, const char *row,
                        const char *column);

/** Adds: word table.key::text */
void batch_pgsql_add_key(batch_pgsql_builder_t *builder, const char *word);

/** Adds a parameter of that type. */
void batch_pgsql_add_value(batch_pgsql_builder_t *builder, Oid type, const char *value);

/** Adds a parameter that is an array of the column's type. */
void batch_pgsql_add_array(batch_pgsql_builder_t *builder, const batch_pgsql_column_t *column,
                           const char *const *texts, int count);

/** Adds one with the value that a column of the table gets from the call. */
void batch_pgsql_add_fixed(batch_pgsql_builder_t *builder, const batch_row_fixed_t *fixed);

/** The parameters' values; they live as long as the builder is not added to. */
batch_pgsql_values_t batch_pgsql_values(const batch_pgsql_builder_t *builder);

/** Adds: word table.column = value. Returns 0 if no row can have that value. */
int batch_pgsql_add_condition(batch_pgsql_builder_t *builder, const char *word,
                              const char *column_name, const char *value);

/** Adds what a row has to be to belong to the scope, behind word. */
void batch_pgsql_add_scope(batch_pgsql_builder_t *builder, const char *word);

/** Adds WHERE with what finds the row of a batch_item of that kind. */
void batch_pgsql_add_where(batch_pgsql_builder_t *builder, batch_item_kind_e kind);

/** Adds the stamps of a change to a list behind SET. */
void batch_pgsql_add_stamps(batch_pgsql_builder_t *builder);

/* ---- Items: batch_item (k, c0, h0, …, number) ------------------------------------------------ */

/**
 * Adds the start of that table, with the keys of its rows; numbers are from 1. texts NULL: keys are
 * given later, as the first parameter.
 *
 * The arrays come out of subqueries, so that the planner cannot see how long they are: it takes
 * them for short, and fetches the rows one by one through the index, in order, which for a set of a
 * thousand is also quicker than anything else that it would think of.
 */
void batch_pgsql_items_start(batch_pgsql_builder_t *builder, const char *word,
                             const batch_pgsql_column_t *key, const char *const *texts, int count);

/** The keys of members, for that; has_key 0: they are NULL. */
const char *const *batch_pgsql_items_keys(const batch_pgsql_builder_t *builder,
                                          const batch_pgsql_members_t *members, int has_key);

/** The members' values of the resource's column at that place, as the table takes them. */
const char *const *batch_pgsql_items_texts(const batch_pgsql_builder_t *builder,
                                           const batch_pgsql_members_t *members, int place);

/** Adds c and a place: the members' values of the resource's column there. */
void batch_pgsql_items_values(batch_pgsql_builder_t *builder, const batch_pgsql_members_t *members,
                              int place);

/** Adds h and a place: whether they have one. */
void batch_pgsql_items_presence(batch_pgsql_builder_t *builder,
                                const batch_pgsql_members_t *members, int place);

/** Adds the end of the table. */
void batch_pgsql_items_end(batch_pgsql_builder_t *builder);

/** An item's value of the column at that place, as it was sent. */
const char *batch_pgsql_item_sent(const batch_pgsql_builder_t *builder, int place);

/** The same as the column stores it: what is compared with what is there must be. */
const char *batch_pgsql_item_stored(const batch_pgsql_builder_t *builder, int place);

/** A value in the form that its column takes. */
const char *batch_pgsql_column_text(const batch_column_t *declared,
                                    const batch_pgsql_column_t *column, const char *value);

/** The finished statement of the connection. */
batch_pgsql_statement_t *batch_pgsql_built(batch_connection_t *connection,
                                           const batch_pgsql_builder_t *builder);

#endif

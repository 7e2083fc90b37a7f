/*
 * Selection by SQL: a client's SELECT -> a list of ids.
 *
 * The client's text never reaches the database. Two ways lead from it to a result:
 *
 * - A SELECT over one form, or a predicate alone, is parsed by a grammar of our own and evaluated
 *   here, for one record after the other. The database is asked for the form's records in this
 *   organization, and for those with certain texts in certain columns where the query says so, so
 *   that its indexes are used.
 * - What that grammar does not have (joins, subqueries, groups, set operations, windows) runs in a
 *   private SQLite database in memory, which has a copy of nothing but the records of the forms
 * that the query names, as the first way sees them. What it is given is not the client's text
 * either, but put together again from its tokens.
 *
 * Both see the forms of one organization only.
 */
#ifndef BATCH_QUERY_QUERY_H
#define BATCH_QUERY_QUERY_H

#include "batch.h"
#include "store/store.h"

typedef struct batch_query {
    const batch_resource_t *resource; /* with a BatchForm */
    const char *organization;
    const char *form_id; /* the operation's form: what a predicate alone is about */
    const char *text;
    const batch_limits_t *limits;
} batch_query_t;

/**
 * Checks a query without running it: its grammar, and whether its forms, columns and members are
 * there. BATCH_EINVALID with a problem, whose field is kept by reference; else the statuses of
 * store.h.
 */
apr_status_t batch_query_check(batch_problems_t *problems, const char *field, batch_store_t *store,
                               const batch_query_t *query, batch_error_t *err, apr_pool_t *p);

/**
 * Runs a query. *items: of batch_item_t, the distinct ids with the ordinal of their place, at most
 * max_objects; in p. BATCH_EINVALID with a problem where the query is wrong, selects more, or needs
 * more time, rows or memory than the limits allow; BATCH_ECROWDED, with a sentence for the client,
 * where it is others that have taken the memory; else the statuses of store.h.
 */
apr_status_t batch_query_run(apr_array_header_t **items, batch_problems_t *problems,
                             const char *field, batch_store_t *store, const batch_query_t *query,
                             batch_error_t *err, apr_pool_t *p);

#endif

/* Whole queries of random choices, in the language of queries and in PostgreSQL's. */
#ifndef BATCH_DIFFERENTIAL_SELECTS_H
#define BATCH_DIFFERENTIAL_SELECTS_H

#include "phrases.h"

typedef struct query {
    const char *form_id; /* of the operation */
    const char *ours;
    const char *pgsql;   /* gives the ids, distinct and in the order of their bytes */
    const char *variant; /* the same as ours, said so that it runs the other way; NULL = none */
} query_t;

/** Of one form: a condition alone, or a SELECT. */
void select_scan(query_t *query, maker_t *m);

/** With joins, subqueries, groups, set operations, windows. */
void select_relational(query_t *query, maker_t *m);

/** A form as a source, with an alias of its own; what stands in FROM for it, in both languages. */
const form_t *select_form(maker_t *m, source_t *source, const char **ours, const char **pgsql);

/** ORDER BY, LIMIT and OFFSET at random. ours: with a blank before them; ordered: a total order. */
typedef struct tail {
    const char *ours;
    const char *order; /* PostgreSQL's keys, each with a comma behind it */
    const char *limit;
} tail_t;

/** The keys by which a member is ordered that has any type. */
const char *select_member_keys(maker_t *m, const char *member, const char *direction,
                               const char *nulls);

void select_order(tail_t *tail, maker_t *m, int fuel);
void select_limit(tail_t *tail, maker_t *m);

#endif

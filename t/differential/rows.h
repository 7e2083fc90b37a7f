/* The rows that are queried: the same in the databases of both drivers, and in the tables that
 * PostgreSQL's own queries read. */
#ifndef BATCH_DIFFERENTIAL_ROWS_H
#define BATCH_DIFFERENTIAL_ROWS_H

#include "query/schema.h"

/** A column, or a member where its kind is MEMBER, as queries know it. */
typedef struct name {
    const char *name;  /* as a query says it */
    const char *pgsql; /* the same of a table of the reference, behind its alias and a dot */
    batch_query_kind_e kind;
} name_t;

extern const name_t names[];
extern const int name_count;

/** A form of the caller's, with the names by which a query can call it. */
typedef struct form {
    const char *id;
    const char *name;
    int rows;
    const char *table; /* of the reference */
} form_t;

extern const form_t forms[];
extern const int form_count;

/** What the queries are about. */
batch_resource_t *rows_resource(apr_pool_t *p);

/** Statements that make the tables of a driver's database, or of the reference. */
const char *rows_tables(int pgsql);
const char *rows_reference(apr_pool_t *p);

/**
 * Statements that replace all rows by those of a seed: *driver for SQLite or PostgreSQL, and
 * *reference.
 */
void rows_fill(const char **driver, const char **reference, apr_uint64_t seed, int pgsql,
               apr_pool_t *p);

#endif

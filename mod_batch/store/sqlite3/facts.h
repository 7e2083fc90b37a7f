/* SQLite: what a resource's table promises; part of the driver. Private to store/. */
#ifndef BATCH_STORE_SQLITE3_FACTS_H
#define BATCH_STORE_SQLITE3_FACTS_H

#include "store/tx.h"

/* How a resource's rows are found in its table. */
typedef struct batch_sqlite3_table {
    int key_unique; /* no two rows have the same key */
    int key_unique_in_scope;
    int key_alone;      /* a unique index has the key's column alone, in whatever way */
    int key_with_scope; /* a unique index has the scope's column beside it */
    int match_unique;   /* no two rows of a scope have the same values of match */
    int offers;         /* a new row may be offered: nothing is done if there is one with its key */
    int replaces;       /* a constraint of it says ON CONFLICT REPLACE, or may */
    int walk_scope;     /* the rows of a scope are walked, not all: there is an index for it */
    const char *walk_index; /* the index for the walk, NULL = the table itself, or none */
    int deletes_freely;     /* it makes no difference which of several rows is deleted first */
    int triggers;  /* it has some: what is stored may be another thing than what was sent */
    int key_exact; /* a key is stored, and found, in the very letters that it was sent in */
    int has_rowid;
    int key_is_rowid; /* the key is another name of it: a new row has one of its own accord */
    batch_key_type_e key_type;
} batch_sqlite3_table_t;

/** Looks at a resource's table; what table points to lives in p. */
batch_failure_e batch_sqlite3_table(batch_connection_t *connection, batch_sqlite3_table_t *table,
                                    const batch_resource_t *resource, apr_pool_t *p);

/* As the member of batch_driver_t. */
batch_failure_e batch_sqlite3_facts(batch_connection_t *connection, batch_table_facts_t *facts,
                                    const batch_resource_t *resource, apr_pool_t *p);

/* As the member of batch_driver_t. */
batch_failure_e batch_sqlite3_independent(batch_connection_t *connection, int *independent,
                                          const batch_resource_t *resource);

/* As the member of batch_driver_t. */
batch_failure_e batch_sqlite3_scope_check(batch_connection_t *connection, const char **inexact,
                                          int *harmless, const char *table, const char *column,
                                          apr_pool_t *p);

#endif

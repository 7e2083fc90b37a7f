/* PostgreSQL: what a resource's table promises; part of the driver. Private to store/. */
#ifndef BATCH_STORE_PGSQL_FACTS_H
#define BATCH_STORE_PGSQL_FACTS_H

#include "store/pgsql/types.h"
#include "store/sets.h"

/* What statements on a resource's rows have to heed; lives as long as what is known of the table.
 */
typedef struct batch_pgsql_rules {
    int key_unique;    /* a unique index: one row at most has a key */
    int match_unique;  /* the same for match, within the scope */
    int match_indexed; /* an index finds the rows of match values */
    int walk_scope;    /* an index has the scope's rows in the order of their keys */
    int before_insert; /* a trigger runs before a row is inserted, or not inserted */
    int may_offer;     /* INSERT … ON CONFLICT DO UPDATE by scope and match, or by scope and key
                          where clients make it, is as good as a look, an UPDATE and an INSERT, or
                          it fails */
    int alters;        /* triggers or rules: what is stored may not be what a statement returns */
    apr_time_t offer_failed; /* the last time that it has, by batch_ticks; 0 = never yet */
    batch_pace_t pace;       /* of merges */
    unsigned transaction;    /* in which they were asked for, or guarded */
    /* By these batch_pgsql_rules_guard sees that nothing has changed. */
    const char *relation;           /* the table's oid, if it is a plain one; else NULL, and … */
    batch_pgsql_statement_t *guard; /* … this one compares the rules; made by the first guard */
    const char *version_count;      /* rows of catalogs from which the rules of `relation` follow */
    const char *versions;           /* the transactions that made them: an array */
    int has_triggers;               /* those of triggers are among them */
} batch_pgsql_rules_t;

/** Gives the rules of a resource in table. */
batch_failure_e batch_pgsql_rules(batch_connection_t *connection, batch_pgsql_rules_t **rules,
                                  const batch_pgsql_table_t *table,
                                  const batch_resource_t *resource);

/**
 * Queues what fails the transaction (or savepoint), as a statement on rows does, if the rules may
 * no longer be what they were; nothing if that was done in this transaction.
 */
batch_failure_e batch_pgsql_rules_guard(batch_connection_t *connection, batch_pgsql_rules_t *rules,
                                        const batch_resource_t *resource);

/* As the members of batch_driver_t. */
batch_failure_e batch_pgsql_facts(batch_connection_t *connection, batch_table_facts_t *facts,
                                  const batch_resource_t *resource, apr_pool_t *p);

batch_failure_e batch_pgsql_scope_check(batch_connection_t *connection, const char **inexact,
                                        int *harmless, const char *table, const char *column,
                                        apr_pool_t *p);

#endif

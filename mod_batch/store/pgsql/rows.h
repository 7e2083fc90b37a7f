/* PostgreSQL: whole operations on rows; part of the driver. Private to store/. */
#ifndef BATCH_STORE_PGSQL_ROWS_H
#define BATCH_STORE_PGSQL_ROWS_H

#include "store/tx.h"
#include "store/pgsql/builder.h"

/* What statements on a resource's rows have to heed; lives as long as what is known of the table.
 */
typedef struct batch_pgsql_rules {
    int key_unique;    /* a unique index: one row at most has a key */
    int match_unique;  /* the same for match, within the scope */
    int match_indexed; /* an index finds the rows of match values */
    int walk_scope;    /* an index has the scope's rows in the order of their keys */
    int before_insert; /* a trigger runs before a row is inserted, or not inserted */
    int may_offer;     /* INSERT … ON CONFLICT (scope, match) DO UPDATE is as good as a look,
                          an UPDATE and an INSERT, or it fails */
    int alters;        /* triggers or rules: what is stored may not be what a statement returns */
    apr_time_t offer_failed; /* the last time that it has, by batch_ticks; 0 = never yet */
    batch_pace_t pace;       /* of merges */
    unsigned transaction;    /* in which they were asked for, or guarded */
} batch_pgsql_rules_t;

/** Gives the rules of a resource in table. In pgsql/facts.c. */
batch_failure_e batch_pgsql_rules(batch_connection_t *connection, batch_pgsql_rules_t **rules,
                                  const batch_pgsql_table_t *table,
                                  const batch_resource_t *resource);

/**
 * Queues what fails the transaction (or savepoint), as a statement on rows does, if the rules are
 * no longer what they were; nothing if that was done in this transaction. In pgsql/facts.c.
 */
batch_failure_e batch_pgsql_rules_guard(batch_connection_t *connection, batch_pgsql_rules_t *rules,
                                        const batch_resource_t *resource);

/* As the members of batch_driver_t. In pgsql/facts.c: */
batch_failure_e batch_pgsql_facts(batch_connection_t *connection, batch_table_facts_t *facts,
                                  const batch_resource_t *resource, apr_pool_t *p);

/* In pgsql/items.c: */
apr_status_t batch_pgsql_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                    const char *organization, const char *form_id);
apr_status_t batch_pgsql_scan(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn,
                              void *baton, apr_pool_t *ptemp);
apr_status_t batch_pgsql_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                       const batch_item_error_t *errors, int count);

/* In pgsql/rows.c: */
apr_status_t batch_pgsql_rows_delete(batch_tx_t *tx, batch_rows_t *rows);
apr_status_t batch_pgsql_rows_update(batch_tx_t *tx, batch_rows_t *rows);

/* In pgsql/merge.c, pgsql/look.c and pgsql/keys.c: */
apr_status_t batch_pgsql_rows_merge(batch_tx_t *tx, batch_rows_t *rows);
apr_status_t batch_pgsql_rows_look(batch_tx_t *tx, batch_rows_t *rows);
apr_status_t batch_pgsql_keys_walk(batch_tx_t *tx, batch_key_walk_t *walk);

/* As the members of batch_driver_t. */
batch_failure_e batch_pgsql_privileges(batch_connection_t *connection, apr_array_header_t *misfits,
                                       const batch_resource_t *resource, apr_pool_t *p);
batch_failure_e batch_pgsql_scope_check(batch_connection_t *connection, const char **inexact,
                                        int *harmless, const char *table, const char *column,
                                        apr_pool_t *p);

#endif

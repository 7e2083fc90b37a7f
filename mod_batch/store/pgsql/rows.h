/* PostgreSQL: whole operations on rows; part of the driver. Private to store/. */
#ifndef BATCH_STORE_PGSQL_ROWS_H
#define BATCH_STORE_PGSQL_ROWS_H

#include "store/tx.h"
#include "store/pgsql/builder.h"

/* As the members of batch_driver_t. In pgsql/items.c: */
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

/* In pgsql/apart.c: */
/** As the member of batch_driver_t. */
batch_failure_e batch_pgsql_independent(batch_connection_t *connection, int *independent,
                                        const batch_resource_t *resource);
apr_status_t batch_pgsql_rows_apart(batch_tx_t *tx, int *apart, const batch_resource_t *resource,
                                    batch_action_e action);

#endif

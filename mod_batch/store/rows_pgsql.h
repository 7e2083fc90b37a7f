/* PostgreSQL: whole operations on rows; part of the driver. Private to store/. */
#ifndef BATCH_STORE_ROWS_PGSQL_H
#define BATCH_STORE_ROWS_PGSQL_H

#include "store/tx.h"
#include "store/builder_pgsql.h"

/* As the members of batch_driver_t. In items_pgsql.c: */
apr_status_t batch_pgsql_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                    const char *organization, const char *form_id);
apr_status_t batch_pgsql_walk(batch_tx_t *tx, const batch_walk_t *walk, batch_walk_fn *fn,
                              void *baton, apr_pool_t *ptemp);
apr_status_t batch_pgsql_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                       const batch_item_error_t *errors, int count);

/* In rows_pgsql.c: */
apr_status_t batch_pgsql_rows_delete(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                     const batch_row_scope_t *scope, const batch_item_t *items,
                                     int count, apr_time_t deadline, apr_pool_t *ptemp);
apr_status_t batch_pgsql_rows_update(batch_tx_t *tx, int *done, batch_row_outcome_t *outcomes,
                                     const batch_row_scope_t *scope, const batch_value_t *values,
                                     int value_count, const batch_item_t *items, int count,
                                     apr_time_t deadline, apr_pool_t *ptemp);

#endif

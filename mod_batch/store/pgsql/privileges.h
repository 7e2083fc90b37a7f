/* PostgreSQL: what our role may do; part of the driver. Private to store/. */
#ifndef BATCH_STORE_PGSQL_PRIVILEGES_H
#define BATCH_STORE_PGSQL_PRIVILEGES_H

#include "store/connection.h"

/* As the member of batch_driver_t. */
batch_failure_e batch_pgsql_privileges(batch_connection_t *connection, apr_array_header_t *misfits,
                                       const batch_resource_t *resource, apr_pool_t *p);

#endif

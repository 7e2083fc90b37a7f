/*
 * The drivers that this build of the module has: the one door to them. Everybody else in store/
 * reaches a driver through the table that a store or a connection points to. Private to store/.
 */
#ifndef BATCH_STORE_DRIVERS_H
#define BATCH_STORE_DRIVERS_H

#include "store/driver.h"

/* In the driver.c of each; there if the Makefile's variable drivers has its folder's name. */
extern const batch_driver_t batch_driver_sqlite3;
extern const batch_driver_t batch_driver_pgsql;

/** The driver of that name, or NULL. */
const batch_driver_t *batch_driver_find(const char *name);

/** The names of all drivers of this build, for a message: "sqlite3, pgsql". */
const char *batch_driver_names(apr_pool_t *p);

#endif

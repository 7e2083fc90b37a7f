/*
 * The look at the database before httpd starts: does it have what the resources name?
 */
#ifndef BATCH_CONFIG_STARTUP_H
#define BATCH_CONFIG_STARTUP_H

#include <httpd.h>

#include "config/config.h"
#include "store/fitness.h"

/** A server that has an engine of its own. */
typedef struct batch_startup {
    const batch_settings_t *settings;
    batch_fitness_t
        *fitness; /* where the findings are noted; NULL: nowhere, this is a configtest */
} batch_startup_t;

/**
 * Compares the resources of each of the count servers with the database, in a child process that
 * runs as the configured user: so no file of the database is left behind that belongs to root. All
 * that does not fit is logged; nothing of it keeps httpd from starting. Unless this is a configtest
 * (fitness is NULL) the module's tables are made or updated as well. Returns within 20 s.
 */
void batch_startup_check(const batch_startup_t *servers, int count, server_rec *s,
                         apr_pool_t *ptemp);

#endif

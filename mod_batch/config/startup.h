/*
 * The look at the database before httpd starts: are the tables there that the resources name?
 */
#ifndef BATCH_CONFIG_STARTUP_H
#define BATCH_CONFIG_STARTUP_H

#include <httpd.h>

#include "config/config.h"

/** What is known of a server's resources. */
typedef enum {
    BATCH_SOUND,  /* the database has all that they name */
    BATCH_UNKNOWN /* the database could not be asked */
} batch_soundness_e;

/**
 * Makes or updates the module's tables, and compares the resources of each of the count settings
 * with the database, in a child process that runs as the configured user: so no file of the
 * database is left behind that belongs to root. Fills soundness (count elements).
 *
 * BATCH_EINVALID, with every reason logged, if something is wrong that waiting would not mend.
 * APR_SUCCESS otherwise; a database that cannot be reached is a warning in the log. Returns within
 * 20 s.
 */
apr_status_t batch_startup_check(batch_soundness_e *soundness,
                                 const batch_settings_t *const *settings, int count, server_rec *s,
                                 apr_pool_t *ptemp);

#endif

#include "store/drivers.h"

#include <string.h>

#include <apr_strings.h>

/* The Makefile defines BATCH_WITH_ and the name of each driver that it compiles in. */
static const batch_driver_t *const drivers[] = {
#ifdef BATCH_WITH_sqlite3
    &batch_driver_sqlite3,
#endif
#ifdef BATCH_WITH_pgsql
    &batch_driver_pgsql,
#endif
    NULL};

const batch_driver_t *batch_driver_find(const char *name)
{
    const batch_driver_t *const *driver = drivers;

    while (*driver && (!name || strcmp((*driver)->name, name) != 0)) {
        driver++;
    }
    return *driver;
}

const char *batch_driver_names(apr_pool_t *p)
{
    const batch_driver_t *const *driver;
    const char *names = "";

    for (driver = drivers; *driver; driver++) {
        names = apr_pstrcat(p, names, driver == drivers ? "" : ", ", (*driver)->name, NULL);
    }
    return names;
}

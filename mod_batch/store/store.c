/* The store as a whole: made, migrated, compared with a resource, destroyed. */
#include "store/tx.h"
#include "store/schema.h"

#include <string.h>
#include <strings.h>

#include <apr_atomic.h>
#include <apr_strings.h>

static const batch_driver_t *const drivers[] = {&batch_driver_sqlite3, &batch_driver_pgsql};

const batch_driver_t *batch_driver_find(const char *name)
{
    apr_size_t i;

    for (i = 0; name && i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (!strcmp(drivers[i]->name, name)) {
            return drivers[i];
        }
    }
    return NULL;
}

/* ---- Making and destroying --------------------------------------------------------------------
 */

/* Only a place is made here, under the list's lock; it is opened by the first who needs it. */
static apr_status_t make_place(void **place, void *baton, apr_pool_t *p)
{
    batch_store_t *store = baton;
    batch_connection_t *connection = apr_pcalloc(p, sizeof(*connection));

    connection->logger = store->logger;
    connection->driver = store->driver;
    connection->dbd = store->dbd;
    connection->params = store->params;
    connection->may_create = store->may_create;
    connection->patience = store->patience;
    batch_gate_add(&store->gate, connection);
    connection->hurry = &store->hurry;
    connection->writers = store->writer.shared;
    *place = connection;
    return APR_SUCCESS;
}

static apr_status_t close_place(void *place, void *baton, apr_pool_t *p)
{
    (void)baton;
    (void)p;
    batch_connection_close(place);
    return APR_SUCCESS;
}

static apr_status_t find_driver(batch_store_t *store, const batch_store_config_t *config,
                                batch_error_t *err, apr_pool_t *ptemp)
{
    const char *reason;

    store->driver = batch_driver_find(config->driver);
    if (!store->driver) {
        return batch_error_set(
            err, APR_ENOTIMPL, "MB0100", ptemp,
            "there is no database driver \"%s\" in this version; there are: sqlite3, pgsql",
            config->driver ? config->driver : "");
    }
    reason = store->driver->check_params(config->params, ptemp);
    if (reason) {
        return batch_error_set(err, APR_EINVAL, "MB0100", ptemp,
                               "the database parameters of driver %s cannot work: %s",
                               config->driver, reason);
    }
    if (apr_dbd_get_driver(store->p, store->driver->name, &store->dbd) != APR_SUCCESS) {
        return batch_error_set(err, APR_ENOTIMPL, "MB0100", ptemp,
                               "APR cannot load its database driver %s: is the package with "
                               "apr_dbd_%s installed?",
                               config->driver, config->driver);
    }
    return APR_SUCCESS;
}

static apr_status_t fill(batch_store_t *store, const batch_store_config_t *config,
                         batch_error_t *err, apr_pool_t *ptemp)
{
    int most = config->max_connections > 0 ? config->max_connections : 1;
    apr_status_t rv = find_driver(store, config, err, ptemp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    store->params = apr_pstrdup(store->p, config->params);
    store->patience = config->patience;
    store->logger = config->logger;
    store->may_create = config->may_create;
    store->block_signals = config->block_signals;
    store->hurry.by_signals = config->block_signals;
    rv = batch_writer_init(&store->writer, config->writers);
    if (rv == APR_SUCCESS) {
        batch_gate_open(&store->gate, 2 * most, store->p);
        rv = apr_reslist_create(&store->connections, 0, most, most, 0, make_place, close_place,
                                store, store->p);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_reslist_create(&store->readers, 0, most, most, 0, make_place, close_place, store,
                                store->p);
    }
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0100", ptemp, "cannot make the list of connections");
    }
    /* 0 would mean to wait for ever. */
    apr_reslist_timeout_set(store->connections, config->patience > 0 ? config->patience : 1);
    apr_reslist_timeout_set(store->readers, config->patience > 0 ? config->patience : 1);
    return APR_SUCCESS;
}

apr_status_t batch_store_prepare(apr_pool_t *p)
{
    return apr_dbd_init(p);
}

apr_status_t batch_store_create(batch_store_t **store, const batch_store_config_t *config,
                                batch_error_t *err, apr_pool_t *ptemp)
{
    apr_pool_t *p;
    apr_status_t rv = batch_pool_make(&p, NULL, 0);

    *store = NULL;
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0100", ptemp, "out of memory");
    }
    *store = apr_pcalloc(p, sizeof(**store));
    (*store)->p = p;
    rv = fill(*store, config, err, ptemp);
    if (rv != APR_SUCCESS) {
        batch_gate_close(&(*store)->gate);
        *store = NULL;
        apr_pool_destroy(p);
    }
    return rv;
}

int batch_store_is_ending(batch_store_t *store)
{
    return batch_hurry_is_on(&store->hurry);
}

void batch_store_hurry(batch_store_t *store, apr_interval_time_t patience)
{
    batch_hurry_begin(&store->hurry, patience);
}

void batch_store_destroy(batch_store_t *store)
{
    batch_gate_close(&store->gate);
    apr_pool_destroy(store->p); /* with the list, whose cleanup closes what is idle: all */
}

/* ---- Transactions ------------------------------------------------------------------------------
 */

apr_status_t batch_store_write(batch_store_t *store, batch_tx_fn *fn, void *baton,
                               batch_error_t *err, apr_pool_t *ptemp)
{
    return batch_store_run(store, BATCH_RUN_WRITE, fn, baton, err, ptemp);
}

apr_status_t batch_store_write_async(batch_store_t *store, batch_tx_fn *fn, void *baton,
                                     batch_error_t *err, apr_pool_t *ptemp)
{
    return batch_store_run(store, BATCH_RUN_WRITE_ASYNC, fn, baton, err, ptemp);
}

apr_status_t batch_store_read(batch_store_t *store, batch_tx_fn *fn, void *baton,
                              batch_error_t *err, apr_pool_t *ptemp)
{
    return batch_store_run(store, BATCH_RUN_READ, fn, baton, err, ptemp);
}

apr_interval_time_t batch_store_rest(batch_store_t *store)
{
    return store->driver->one_writer ? batch_writer_rest(&store->writer) : 0;
}

int batch_store_wants_worker(batch_store_t *store)
{
    batch_writers_t *shared = store->writer.shared;
    apr_uint32_t pages = apr_atomic_read32(&shared->log_pages);

    return pages >= BATCH_LOG_LONG && pages < BATCH_LOG_HUGE &&
           apr_atomic_cas32(&shared->log_asked, 1, 0) == 0;
}

int batch_store_is_awaited(batch_store_t *store)
{
    return !store->driver->one_writer || batch_writer_is_awaited(&store->writer);
}

apr_status_t batch_store_read_long(batch_store_t *store, batch_tx_fn *fn, void *baton,
                                   batch_error_t *err, apr_pool_t *ptemp)
{
    return batch_store_run(store, BATCH_RUN_READ_LONG, fn, baton, err, ptemp);
}

/* ---- The module's own tables --------------------------------------------------------------------
 */

batch_failure_e batch_version_failure(apr_int64_t version)
{
    if (version == BATCH_SCHEMA_VERSION) {
        return BATCH_FAILURE_NONE;
    }
    return version > BATCH_SCHEMA_VERSION ? BATCH_FAILURE_NEWER : BATCH_FAILURE_MISSING;
}

/* Adds the columns that came after version 1, where they are missing. */
static batch_failure_e add_columns(batch_connection_t *connection)
{
#define ADDED_COLUMN(table, column, definition) {table, column, definition},
    static const struct {
        const char *table, *column, *definition;
    } added[] = {BATCH_ADDED_COLUMN_LIST(ADDED_COLUMN)};
    batch_failure_e failure = BATCH_FAILURE_NONE;
    apr_size_t i;

    for (i = 0; failure == BATCH_FAILURE_NONE && i < sizeof(added) / sizeof(added[0]); i++) {
        failure = connection->driver->add_column(connection, added[i].table, added[i].column,
                                                 added[i].definition);
    }
    return failure;
}

/* All steps, whatever is there already: each makes what is missing. */
static batch_failure_e take_steps(batch_connection_t *connection)
{
    static const char *const later[] = {BATCH_SCHEMA_2};
    const char *const *steps[] = {connection->driver->schema, later};
    batch_failure_e failure;
    const char *const *sql;
    char insert[80];
    int i;

    failure = connection->driver->run(
        connection, "CREATE TABLE IF NOT EXISTS batch_schema (version INTEGER NOT NULL)");
    for (i = 0; i < 2; i++) {
        for (sql = steps[i]; failure == BATCH_FAILURE_NONE && *sql; sql++) {
            failure = connection->driver->run(connection, *sql);
        }
        if (failure == BATCH_FAILURE_NONE && i == 0) {
            failure = add_columns(connection);
        }
    }
    if (failure == BATCH_FAILURE_NONE && connection->driver->refine_schema) {
        failure = connection->driver->refine_schema(connection);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = connection->driver->run(connection, "DELETE FROM batch_schema");
    }
    if (failure == BATCH_FAILURE_NONE) {
        apr_snprintf(insert, sizeof(insert), "INSERT INTO batch_schema (version) VALUES (%d)",
                     BATCH_SCHEMA_VERSION);
        failure = connection->driver->run(connection, insert);
    }
    return failure;
}

batch_failure_e batch_store_make_tables(batch_store_t *store, batch_connection_t *connection)
{
    apr_int64_t version = 0;
    batch_failure_e failure = connection->driver->begin_schema(connection, &version);

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    failure = version > BATCH_SCHEMA_VERSION ? BATCH_FAILURE_NEWER : take_steps(connection);
    if (failure == BATCH_FAILURE_NONE) {
        failure = connection->driver->commit(connection);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure; /* the caller rolls back */
    }
    if (version != BATCH_SCHEMA_VERSION) {
        batch_log(store->logger, BATCH_LOG_NOTICE, "MB0107", APR_SUCCESS, NULL,
                  "brought the batch tables from version %d to %d", (int)version,
                  BATCH_SCHEMA_VERSION);
    }
    return BATCH_FAILURE_NONE;
}

static apr_status_t nothing(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    (void)baton;
    (void)ptemp;
    return APR_SUCCESS;
}

apr_status_t batch_store_migrate(batch_store_t *store, batch_error_t *err, apr_pool_t *ptemp)
{
    /* Any transaction looks at the version, and makes what is missing. */
    return batch_store_run(store, BATCH_RUN_READ, nothing, NULL, err, ptemp);
}

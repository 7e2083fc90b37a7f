/* The store as a whole: made, migrated, used, destroyed. */
#include "store/tx.h"

#include <apr_strings.h>

#include "store/drivers.h"
#include "text/check.h"

/* ---- Making and destroying --------------------------------------------------------------------
 */

/* Only places are made here; each is opened by the first who needs it. */
static apr_status_t make_places(batch_store_t *store, batch_places_t *places, int most)
{
    apr_status_t rv = batch_places_init(places, most, store->p);
    int i;

    for (i = 0; rv == APR_SUCCESS && i < most; i++) {
        batch_connection_t *connection = &places->all[i];

        connection->magic = BATCH_CONNECTION_MAGIC;
        connection->logger = store->logger;
        connection->driver = store->driver;
        connection->dbd = store->dbd;
        connection->params = store->params;
        connection->may_create = store->may_create;
        connection->patience = store->patience;
        connection->hurry = &store->hurry;
        connection->writers = store->writer.shared;
        batch_gate_add(&store->gate, connection);
    }
    return rv;
}

static apr_status_t find_driver(batch_store_t *store, const batch_store_config_t *config,
                                batch_error_t *err, apr_pool_t *ptemp)
{
    const char *reason;

    store->driver = batch_driver_find(config->driver);
    if (!store->driver) {
        return batch_error_set(
            err, APR_ENOTIMPL, "MB0117", ptemp,
            "there is no database driver \"%s\" in this build of the module; there are: %s",
            config->driver ? config->driver : "", batch_driver_names(ptemp));
    }
    reason = store->driver->check_params(config->params, ptemp);
    if (reason) {
        return batch_error_set(err, APR_EINVAL, "MB0100", ptemp,
                               "the database parameters of driver %s cannot work: %s",
                               config->driver, reason);
    }
    if (apr_dbd_get_driver(store->p, store->driver->name, &store->dbd) != APR_SUCCESS) {
        return batch_error_set(err, APR_ENOTIMPL, "MB0118", ptemp,
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
        rv = batch_party_init(&store->party);
    }
    if (rv == APR_SUCCESS) {
        batch_gate_open(&store->gate, 2 * most, store->p);
        rv = make_places(store, &store->connections, most);
    }
    if (rv == APR_SUCCESS) {
        rv = make_places(store, &store->readers, most);
    }
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0119", ptemp, "cannot make the list of connections");
    }
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
        return batch_error_set(err, rv, "MB0120", ptemp, "out of memory");
    }
    *store = apr_pcalloc(p, sizeof(**store));
    (*store)->magic = BATCH_STORE_MAGIC;
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
    BATCH_CHECK(store, BATCH_STORE_MAGIC);
    batch_gate_close(&store->gate);
    batch_places_close(&store->connections);
    batch_places_close(&store->readers);
    apr_pool_destroy(store->p);
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

apr_status_t batch_store_write_shared(batch_store_t *store, batch_tx_fn *fn, void *baton,
                                      batch_error_t *err, apr_pool_t *ptemp)
{
    return batch_store_run(store, BATCH_RUN_WRITE_SHARED, fn, baton, err, ptemp);
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
    return store->driver->wants_worker && store->driver->wants_worker(store->writer.shared);
}

int batch_store_is_awaited(batch_store_t *store)
{
    return !store->driver->one_writer || batch_writer_is_awaited(&store->writer);
}

apr_size_t batch_store_chunk_bytes(const batch_store_t *store)
{
    return store->driver->chunk_bytes;
}

apr_status_t batch_store_read_long(batch_store_t *store, batch_tx_fn *fn, void *baton,
                                   batch_error_t *err, apr_pool_t *ptemp)
{
    return batch_store_run(store, BATCH_RUN_READ_LONG, fn, baton, err, ptemp);
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

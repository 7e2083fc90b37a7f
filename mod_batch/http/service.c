/* What the handler and the workers of a child share: the store, the engine, and their log. */
#include "http/http.h"

#include <ap_mpm.h>
#include <http_config.h>
#include <http_log.h>

#include "payload/operations.h"
#include "store/store.h"

extern module AP_MODULE_DECLARE_DATA batch_module;
APLOG_USE_MODULE(batch);

/* How long a call waits for a connection or a lock of the database. */
#define PATIENCE apr_time_from_sec(5)

/* Connections of a child: one a thread, but no more than this, unless its workers need more. */
#define MOST_CONNECTIONS 8

/* An engine with its log; lives as long as the process, since a worker may be abandoned. */
typedef struct engine_with_log {
    batch_engine_t engine;
    batch_logger_t logger;
} engine_with_log_t;

static void write_log(void *baton, batch_log_level_e level, apr_status_t status,
                      const char *message)
{
    static const int levels[] = {
        [BATCH_LOG_CRIT] = APLOG_CRIT,       [BATCH_LOG_ERROR] = APLOG_ERR,
        [BATCH_LOG_WARNING] = APLOG_WARNING, [BATCH_LOG_NOTICE] = APLOG_NOTICE,
        [BATCH_LOG_INFO] = APLOG_INFO,       [BATCH_LOG_DEBUG] = APLOG_DEBUG,
    };
    server_rec *server = baton;

    /* APR has no words for the statuses of ours. */
    if (status >= APR_OS_START_USERERR && status < APR_OS_START_CANONERR) {
        status = APR_SUCCESS;
    }
    ap_log_error(APLOG_MARK, levels[level], status, server, "%s", message);
}

static int connection_count(const batch_settings_t *settings)
{
    int needed = 2 + settings->limits.workers;
    int threads = 1;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS) {
        threads = 1;
    }
    threads = threads < MOST_CONNECTIONS ? threads : MOST_CONNECTIONS;
    return threads > needed ? threads : needed;
}

/* 0 under prefork, whose signal handlers end the process right where it stands. */
static int is_threaded(void)
{
    int threaded = 0;

    return ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS && threaded;
}

static apr_status_t open_store(engine_with_log_t *made, const batch_settings_t *settings,
                               batch_node_t *node, server_rec *s, apr_pool_t *pchild)
{
    batch_store_config_t config = {.driver = settings->driver,
                                   .params = settings->params,
                                   .max_connections = connection_count(settings),
                                   .patience = PATIENCE,
                                   .block_signals = !is_threaded(),
                                   .writers = batch_node_writers(node),
                                   .logger = &made->logger};
    batch_error_t err = {0};
    apr_status_t rv = batch_store_create(&made->engine.store, &config, &err, pchild);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "%s: this process cannot use the database: %s",
                     err.tag ? err.tag : "MB0315",
                     err.message ? err.message : "its driver is not there");
    }
    return rv;
}

apr_status_t batch_service_open(batch_service_t *service, const batch_settings_t *settings,
                                batch_fitness_t *fitness, batch_node_t *node, server_rec *s,
                                apr_pool_t *pchild)
{
    engine_with_log_t *made = apr_pcalloc(s->process->pconf, sizeof(*made));
    apr_status_t rv;

    made->logger.write = write_log;
    made->logger.baton = s;
    rv = open_store(made, settings, node, s, pchild);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    made->engine.magic = BATCH_ENGINE_MAGIC;
    made->engine.resources = settings->resources;
    made->engine.limits = settings->limits;
    made->engine.logger = &made->logger;
    made->engine.fitness = fitness;
    made->engine.outages = batch_node_outages(node);
    made->engine.read_ahead = is_threaded();
    made->engine.configured_at = service->configured_at;
    made->engine.generation = service->generation;
    made->engine.beside = service->beside;
    made->engine.query_of = batch_operations_query;
    service->engine = &made->engine;
    service->node = node;
    rv = batch_signer_make(&service->signer, settings->url_secrets, made->engine.store,
                           s->process->pconf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "MB0320: this process cannot use the database: no mutex");
        return rv;
    }
    return APR_SUCCESS;
}

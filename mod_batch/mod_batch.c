/*
 * mod_batch: bulk operations on the rows of a database, for Apache httpd 2.4.
 *
 * The module's record and its life: what is made before httpd forks, what each child makes, and how
 * a child ends. Everything else is in the folders beside this file.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_atomic.h>
#include <apr_strings.h>
#include <ap_mpm.h>
#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mpm_common.h>

#include "batch.h"
#include "config/config.h"
#include "config/startup.h"
#include "engine/host.h"
#include "engine/jobs.h"
#include "engine/workers.h"
#include "http/http.h"
#include "store/fitness.h"
#include "store/store.h"

extern module AP_MODULE_DECLARE_DATA batch_module;
APLOG_USE_MODULE(batch);

/* The ending of a child takes no longer; httpd sends the next signal after 5 s at the latest. */
#define STOP_PATIENCE apr_time_from_msec(4500)

/* How long httpd's main thread may take to close the sockets of a child that is to end. */
#define CLOSING_PATIENCE apr_time_from_sec(2)

/* What a request, or a worker's chunk, may still wait for a lock when the process is to end. */
#define LAST_PATIENCE apr_time_from_sec(2)

/* A server with an engine of its own: the main server, and virtual hosts with directives of ours.
 */
typedef struct site {
    server_rec *server;
    const batch_settings_t *settings;
    /* Made by the parent, shared by the children. */
    batch_node_t *node;
    batch_fitness_t *fitness;
    /* Of this child. */
    batch_service_t service;
    batch_workers_t *workers; /* NULL: none */
    int ready;                /* service may be used */
} site_t;

/* Lives in pconf, so it is made anew by each reading of the configuration. The main server is
 * first. */
static site_t *sites;
static int site_count;

/* When the configuration was read, and that with who has read it, in pconf: as of an engine. */
static apr_time_t configured_at;
static const char *generation;

/* Event and worker; 0 under prefork. */
static int threaded;

/* When this child was told to end; 0 = not yet. */
static volatile apr_uint64_t stopping_since;

static apr_status_t forget_sites(void *data)
{
    (void)data;
    sites = NULL;
    site_count = 0;
    return APR_SUCCESS;
}

/* ---- In the parent ----------------------------------------------------------------------------
 */

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const char *wrong = batch_config_check(s, pconf);

    (void)plog;
    (void)ptemp;
    if (wrong) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "MB0002: %s", wrong);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* The parent stays the same process over graceful restarts. */
static void note_generation(apr_pool_t *pconf)
{
    batch_owner_t self;

    configured_at = apr_time_now();
    generation = NULL;
    if (batch_host_self(&self, pconf) == APR_SUCCESS) {
        generation =
            apr_psprintf(pconf, "%s:%" APR_INT64_T_FMT ":%" APR_INT64_T_FMT " %" APR_TIME_T_FMT,
                         self.host, self.pid, self.start_time, configured_at);
    }
}

/* The resources of the sites with the same database. */
static const apr_array_header_t *resources_beside(const batch_settings_t *settings, apr_pool_t *p)
{
    apr_array_header_t *beside = apr_array_make(p, site_count, sizeof(const apr_hash_t *));
    int i;

    for (i = 0; i < site_count; i++) {
        const batch_settings_t *other = sites[i].settings;

        if (!strcmp(other->driver, settings->driver) && !strcmp(other->params, settings->params)) {
            APR_ARRAY_PUSH(beside, apr_hash_t *) = other->resources;
        }
    }
    return beside;
}

/* Finds the servers that have an engine of their own. */
static void find_sites(server_rec *s, apr_pool_t *pconf)
{
    const batch_settings_t *common = batch_config_settings(s);
    server_rec *server;
    int count = 0;

    for (server = s; server; server = server->next) {
        count++;
    }
    sites = apr_pcalloc(pconf, (apr_size_t)count * sizeof(*sites));
    note_generation(pconf);
    site_count = 0;
    apr_pool_cleanup_register(pconf, NULL, forget_sites, apr_pool_cleanup_null);
    for (server = s; server; server = server->next) {
        const batch_settings_t *settings = batch_config_settings(server);
        /* A virtual host without a directive of ours shares the very settings of the main server.
         */
        if (server == s || (settings != common && settings->declared)) {
            sites[site_count].server = server;
            sites[site_count].settings = settings;
            site_count++;
        }
    }
}

static apr_status_t make_shared(site_t *site, apr_pool_t *pconf)
{
    batch_error_t err = {0};
    apr_status_t rv;

    rv = batch_node_create(&site->node, site->settings->limits.workers, &err, pconf);
    if (rv == APR_SUCCESS) {
        rv = batch_fitness_create(&site->fitness, site->settings->resources, &err, pconf);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, rv, site->server, "%s: %s",
                     err.tag ? err.tag : "MB0003",
                     err.message ? err.message : "the workers cannot be prepared");
    }
    return rv;
}

/* What may surprise, or does not fit the database: it is only said. */
static void check_sites(server_rec *s, apr_pool_t *ptemp)
{
    batch_startup_t *servers = apr_palloc(ptemp, (apr_size_t)site_count * sizeof(*servers));
    int i;

    for (i = 0; i < site_count; i++) {
        servers[i].settings = sites[i].settings;
        servers[i].fitness = sites[i].fitness;
    }
    batch_config_advise(s, ptemp);
    batch_startup_check(servers, site_count, s, ptemp);
}

/* apachectl configtest, when the configuration itself is in order. */
static void test_config(apr_pool_t *pconf, server_rec *s)
{
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        find_sites(s, pconf);
        check_sites(s, pconf);
    }
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    int i;

    (void)plog;
    /* httpd reads its configuration twice when it starts: the first time is only a rehearsal. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    find_sites(s, pconf);
    for (i = 0; i < site_count; i++) {
        if (make_shared(&sites[i], pconf) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    check_sites(s, ptemp);
    return OK;
}

/* ---- In a child -------------------------------------------------------------------------------
 */

static void start_site(site_t *site, apr_pool_t *pchild)
{
    batch_error_t err = {0};
    apr_status_t rv;

    site->service.configured_at = configured_at;
    site->service.generation = generation;
    site->service.beside = resources_beside(site->settings, pchild);
    if (batch_service_open(&site->service, site->settings, site->fitness, site->node, site->server,
                           pchild) != APR_SUCCESS) {
        return;
    }
    site->ready = 1;
    if (site->settings->limits.workers < 1 || !apr_hash_count(site->settings->resources)) {
        return;
    }
    rv = batch_workers_start(&site->workers, site->service.engine, site->node, &err, pchild);
    if (rv != APR_SUCCESS) {
        site->workers = NULL;
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, site->server, "%s: %s",
                     err.tag ? err.tag : "MB0005",
                     err.message ? err.message : "the workers of this process cannot be started");
    }
}

/* Any thread may call it, more than once. */
static void child_stopping(apr_pool_t *pchild, int graceful)
{
    int i;

    (void)pchild;
    (void)apr_atomic_cas64(&stopping_since, (apr_uint64_t)apr_time_now(), 0);
    for (i = 0; i < site_count; i++) {
        if (sites[i].workers) {
            batch_workers_stop(sites[i].workers);
        }
        if (sites[i].ready && !graceful) {
            batch_store_hurry(sites[i].service.engine->store, LAST_PATIENCE);
        }
    }
}

/* Of the C libraries only glibc tells a handler the status; a child's own ending is 0 nearly
 * always.
 */
#ifdef __GLIBC__
static void leave_at_once(int status, void *unused)
{
    (void)unused;
    _exit(status);
}
#define at_exit_leave() (void)on_exit(leave_at_once, NULL)
#else
static void leave_at_once(void)
{
    _exit(0);
}
#define at_exit_leave() (void)atexit(leave_at_once)
#endif

/*
 * A worker that was abandoned goes on until the process is gone. exit() would take the modules and
 * the libraries apart under its feet; ours is the first of its handlers, and the last that runs.
 *
 * Under prefork we are in a signal handler that has interrupted whatever the process did: the rest
 * of its ending could wait for a lock that it holds itself. So it ends right here.
 */
static void leave_without_handlers(void)
{
    if (!threaded) {
        _exit(0);
    }
    at_exit_leave();
}

/* Runs before anything of the child is destroyed; under prefork it may run in a signal handler. */
static apr_status_t end_workers(void *data)
{
    apr_time_t deadline;
    int abandoned = 0;
    int i;

    (void)data;
    child_stopping(NULL, 0);
    /* Under event and worker the requests' threads have had a part of it already. */
    deadline = (apr_time_t)apr_atomic_read64(&stopping_since) + STOP_PATIENCE;
    for (i = 0; i < site_count; i++) {
        apr_interval_time_t left = deadline - apr_time_now();

        if (sites[i].workers &&
            batch_workers_join(sites[i].workers, left > 0 ? left : 0) != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, sites[i].server,
                         "MB0006: a worker did not end in time; its batch goes on elsewhere");
            abandoned = 1;
        }
    }
    if (abandoned) {
        leave_without_handlers();
    }
    return APR_SUCCESS;
}

/* 1 between the order to end and the call of child_stopping. */
static int is_about_to_stop(void)
{
    int state = AP_MPMQ_RUNNING;

    return !apr_atomic_read64(&stopping_since) &&
           ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

/*
 * When a child of event or worker is to stop, httpd's main thread closes the sockets of all
 * connections under way, and nothing keeps the threads that serve them from freeing the memory that
 * it looks at. A child that was stopped under load died of that now and then (one stop in fifty, on
 * a busy machine), and did not give its batches back. So whoever ends a connection at that moment
 * waits until the sockets are closed: right behind that httpd calls child_stopping.
 */
static void wait_for_closing(void)
{
    apr_time_t deadline = apr_time_now() + CLOSING_PATIENCE;

    while (is_about_to_stop() && apr_time_now() < deadline) {
        apr_sleep(apr_time_from_msec(1));
    }
}

static apr_status_t connection_freed(void *unused)
{
    (void)unused;
    wait_for_closing();
    return APR_SUCCESS;
}

static int pre_connection(conn_rec *c, void *csd)
{
    (void)csd;
    if (threaded && !c->master) {
        apr_pool_cleanup_register(c->pool, NULL, connection_freed, apr_pool_cleanup_null);
    }
    return OK;
}

/* Else both might close the socket, of which httpd complains. */
static int pre_close_connection(conn_rec *c)
{
    if (threaded && !c->master) {
        wait_for_closing();
    }
    return OK;
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    int i;

    (void)s;
    if (ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) != APR_SUCCESS) {
        threaded = 0;
    }
    apr_pool_pre_cleanup_register(pchild, NULL, end_workers);
    for (i = 0; i < site_count; i++) {
        start_site(&sites[i], pchild);
    }
}

static const batch_service_t *service_of(const request_rec *r)
{
    const batch_settings_t *settings = batch_config_settings(r->server);
    site_t *site = sites;
    int i;

    for (i = 1; i < site_count; i++) {
        if (sites[i].settings == settings) {
            site = &sites[i];
        }
    }
    return site && site->ready ? &site->service : NULL;
}

/* ---- The module -------------------------------------------------------------------------------
 */

static void register_hooks(apr_pool_t *p)
{
    apr_status_t rv = batch_store_prepare(p);

    if (rv != APR_SUCCESS) {
        /* What it means for each server is found when their databases are checked. */
        ap_log_perror(APLOG_MARK, APLOG_CRIT, rv, p, "MB0004: apr_dbd cannot be initialized");
    }
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(test_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before others, whose own endings may wait for connections. */
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_close_connection(pre_close_connection, NULL, NULL, APR_HOOK_LAST);
    batch_http_register_hooks(p, service_of);
}

module AP_MODULE_DECLARE_DATA batch_module = {
    STANDARD20_MODULE_STUFF,
    batch_config_directory_create,
    batch_config_directory_merge,
    batch_config_server_create,
    batch_config_server_merge,
    batch_config_directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};

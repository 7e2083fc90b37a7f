/*
 * HTTP: from a request_rec to a call of the engine, and back to a reply.
 */
#ifndef BATCH_HTTP_HTTP_H
#define BATCH_HTTP_HTTP_H

#include <httpd.h>

#include <apr_global_mutex.h>

#include "batch.h"
#include "config/config.h"
#include "engine/jobs.h"
#include "engine/workers.h"

/** What signs URLs (signed_url.h). */
typedef struct batch_signer batch_signer_t;

/** What the handler needs of a server: its engine and its node. Lives as long as the child. */
typedef struct batch_service {
    const batch_engine_t *engine;
    batch_node_t *node;
    batch_signer_t *signer;
    /* As of an engine; before it is opened. */
    apr_time_t configured_at;
    const char *generation;
    const apr_array_header_t *beside;
} batch_service_t;

/**
 * Makes the service of this child for a server with the given settings. Opens no connection yet.
 * What the workers use lives as long as the process, the rest in pchild. Failures are logged.
 */
apr_status_t batch_service_open(batch_service_t *service, const batch_settings_t *settings,
                                batch_fitness_t *fitness, batch_node_t *node, server_rec *s,
                                apr_pool_t *pchild);

/** Makes what signs URLs, in p: with the secrets of BatchURLSecretFile, or NULL: the store's. */
apr_status_t batch_signer_make(batch_signer_t **signer, const batch_url_secrets_t *files,
                               batch_store_t *store, apr_pool_t *p);

/** The service of the request's server, or NULL; mod_batch.c gives it. */
typedef const batch_service_t *batch_service_fn(const request_rec *r);

/**
 * Registers handler, AuthType ApiToken, identity and the filter that puts errors into the API's
 * shape.
 */
void batch_http_register_hooks(apr_pool_t *p, batch_service_fn *service);

#endif

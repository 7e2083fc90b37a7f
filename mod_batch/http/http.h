/*
 * HTTP: from a request_rec to a call of the engine, and back to a reply.
 */
#ifndef BATCH_HTTP_HTTP_H
#define BATCH_HTTP_HTTP_H

#include <httpd.h>

#include "batch.h"
#include "engine/jobs.h"
#include "engine/workers.h"

/** What the handler needs of a server: its engine and its node. Lives as long as the child. */
typedef struct batch_service {
    const batch_engine_t *engine;
    batch_node_t *node;
} batch_service_t;

/** The service of the request's server, or NULL; mod_batch.c gives it. */
typedef const batch_service_t *batch_service_fn(const request_rec *r);

/** Registers handler, AuthType ApiToken, identity and the filter that puts errors into the API's
 * shape. */
void batch_http_register_hooks(apr_pool_t *p, batch_service_fn *service);

#endif

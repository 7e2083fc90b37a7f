/*
 * Signed URLs: whoever has one may fetch that file, or send that upload, without being anybody.
 *
 *     URL?expires=SECONDS&signature=HEX
 *
 * The signature is about the method, the path and the expiry (engine/signature.h). One for GET is
 * good for HEAD, one for PUT is good for POST.
 */
#ifndef BATCH_HTTP_SIGNED_URL_H
#define BATCH_HTTP_SIGNED_URL_H

#include "http/exchange.h"

/** What a request's query string says about a signature. */
typedef enum {
    BATCH_UNSIGNED,     /* there is none, or the path has no use for one */
    BATCH_SIGNED,       /* it is right, and not expired */
    BATCH_MISSIGNED,    /* it is wrong, expired, or for another method or path */
    BATCH_SIGN_UNKNOWN, /* the secret cannot be had just now; logged */
} batch_signed_e;

/** Judges a request, once for all that ask. */
batch_signed_e batch_signed_state(request_rec *r, const batch_service_t *service);

/** 1 if Require batch-signature has let the request in. */
int batch_signed_in(const request_rec *r);

/**
 * The absolute URL of a file of the batch, in the request's pool. method: "GET" or "PUT"; leaf: of
 * its path; expires: when it ends. NULL if the secret cannot be had: logged.
 */
const char *batch_signed_url(batch_exchange_t *x, const char *method, const batch_job_t *job,
                             const char *leaf, apr_time_t expires);

/** When a URL that is made now ends: BatchURLTTL from now, in whole seconds. */
apr_time_t batch_signed_expiry(const batch_exchange_t *x);

/** The service of a request's server, or NULL (handler.c). */
const batch_service_t *batch_service_for(const request_rec *r);

/** Registers Require batch-signature, and the refusal of wrong signatures. */
void batch_signed_register_hooks(apr_pool_t *p);

#endif

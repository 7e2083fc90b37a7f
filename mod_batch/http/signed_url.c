#include "http/signed_url.h"

#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <ap_provider.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>

#include "engine/signature.h"

APLOG_USE_MODULE(batch);

/* Of the secret in the database. */
#define SECRET_NAME  "url"
#define SECRET_BYTES 256

/* A COMMIT whose reply was lost: it does no harm to do that again. */
#define TRIES 3

/* Notes of a request: what was found out about its signature, and that it was let in by it. */
#define NOTE_STATE "batch-signature"
#define NOTE_IN    "batch-signed-in"

struct batch_signer {
    const batch_url_secrets_t *files; /* NULL: the secret is the database's */
    batch_store_t *store;
    apr_thread_mutex_t *mutex; /* guards the making of the rest */
    volatile apr_uint32_t known;
    char bytes[SECRET_BYTES + 1];
    apr_size_t length;
};

/* ---- The secret -------------------------------------------------------------------------------
 */

apr_status_t batch_signer_make(batch_signer_t **signer, const batch_url_secrets_t *files,
                               batch_store_t *store, apr_pool_t *p)
{
    batch_signer_t *made = apr_pcalloc(p, sizeof(*made));

    made->files = files;
    made->store = store;
    *signer = made;
    return apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, p);
}

struct reading {
    const char *candidate;
    const char *secret;
    apr_pool_t *p;
};

static apr_status_t secret_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct reading *reading = baton;

    (void)ptemp;
    return batch_tx_secret(tx, &reading->secret, SECRET_NAME, reading->candidate, reading->p);
}

/* Keeps the secret for as long as the process lives. */
static void keep(batch_signer_t *signer, const char *secret)
{
    apr_thread_mutex_lock(signer->mutex);
    if (!signer->known) {
        signer->length = strlen(secret);
        memcpy(signer->bytes, secret, signer->length + 1);
        apr_atomic_set32(&signer->known, 1);
    }
    apr_thread_mutex_unlock(signer->mutex);
}

/* Reads the secret that all nodes share; makes it if there is none. 0 after it was logged. */
static int read_secret(batch_signer_t *signer, request_rec *r)
{
    struct reading reading = {batch_secret_make(r->pool), NULL, r->pool};
    batch_error_t err = {0};
    apr_status_t rv = BATCH_EINDOUBT;
    int tries;

    if (!reading.candidate) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "MB0316: libcrypto has no random numbers");
        return 0;
    }
    for (tries = 0; tries < TRIES && rv == BATCH_EINDOUBT; tries++) {
        rv = batch_store_write(signer->store, secret_body, &reading, &err, r->pool);
    }
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "%s: the secret of signed URLs cannot be read: %s",
                      err.tag ? err.tag : "MB0322", err.message ? err.message : "no details");
        return 0;
    }
    if (strlen(reading.secret) < BATCH_SECRET_BYTES || strlen(reading.secret) > SECRET_BYTES) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "MB0317: the secret of signed URLs in the database is too short or too long: "
                      "remove its row from batch_secrets, and a new one is made");
        return 0;
    }
    keep(signer, reading.secret);
    return 1;
}

/* The secret to sign with, and the one that is accepted too (or length 0). 0: see above. */
static int get_secrets(batch_url_secrets_t *secrets, batch_signer_t *signer, request_rec *r)
{
    if (signer->files) {
        *secrets = *signer->files;
        return 1;
    }
    if (!apr_atomic_read32(&signer->known) && !read_secret(signer, r)) {
        return 0;
    }
    memset(secrets, 0, sizeof(*secrets));
    secrets->signing.bytes = signer->bytes;
    secrets->signing.length = signer->length;
    return 1;
}

/* ---- Judging a request ------------------------------------------------------------------------
 */

/* The method that the signature has to be for; NULL where there is none. */
static const char *signed_method(const request_rec *r)
{
    switch (r->method_number) {
    case M_GET: /* HEAD too */
        return "GET";
    case M_PUT:
    case M_POST:
        return "PUT";
    default:
        return NULL;
    }
}

static int holds(const char *signature, const batch_signed_t *what, apr_time_t now,
                 const batch_secret_t *secret)
{
    return secret->length > 0 &&
           batch_signature_holds(signature, what, now, secret->bytes, secret->length);
}

static batch_signed_e judge(request_rec *r, const batch_service_t *service)
{
    batch_exchange_t x = {.magic = BATCH_EXCHANGE_MAGIC, .r = r, .prefix = "", .service = service};
    batch_url_secrets_t secrets;
    const batch_route_t *route;
    const char *signature;
    batch_signed_t what = {signed_method(r), r->uri, NULL};

    /* A browser asks with OPTIONS whether it may use the URL with another method. */
    if (!r->args || !r->uri || r->method_number == M_OPTIONS) {
        return BATCH_UNSIGNED;
    }
    route = batch_route_find(&x);
    signature = route && batch_route_is_file(route) ? batch_parameter(&x, "signature") : NULL;
    if (!signature) {
        return BATCH_UNSIGNED;
    }
    what.expires = batch_parameter(&x, "expires");
    if (!what.method || !what.expires) {
        return BATCH_MISSIGNED;
    }
    if (!service || !get_secrets(&secrets, service->signer, r)) {
        return BATCH_SIGN_UNKNOWN;
    }
    return holds(signature, &what, r->request_time, &secrets.signing) ||
                   holds(signature, &what, r->request_time, &secrets.accepted)
               ? BATCH_SIGNED
               : BATCH_MISSIGNED;
}

batch_signed_e batch_signed_state(request_rec *r, const batch_service_t *service)
{
    static const char *const words[] = {"none", "right", "wrong", "unknown"};
    const char *known = apr_table_get(r->notes, NOTE_STATE);
    batch_signed_e state;

    for (state = BATCH_UNSIGNED; known && state <= BATCH_SIGN_UNKNOWN; state++) {
        if (!strcmp(known, words[state])) {
            return state;
        }
    }
    state = judge(r, service);
    apr_table_setn(r->notes, NOTE_STATE, words[state]);
    return state;
}

int batch_signed_in(const request_rec *r)
{
    return apr_table_get(r->notes, NOTE_IN) != NULL;
}

/* ---- Making URLs ------------------------------------------------------------------------------
 */

apr_time_t batch_signed_expiry(const batch_exchange_t *x)
{
    apr_time_t until = apr_time_now() + x->service->engine->limits.url_ttl;

    return (until + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC * APR_USEC_PER_SEC;
}

const char *batch_signed_url(batch_exchange_t *x, const char *method, const batch_job_t *job,
                             const char *leaf, apr_time_t expires)
{
    request_rec *r = x->r;
    apr_pool_t *p = r->pool;
    const char *path = apr_pstrcat(p, x->prefix, "/batches/", job->id, "/", leaf, NULL);
    const char *seconds = apr_psprintf(p, "%" APR_TIME_T_FMT, apr_time_sec(expires));
    batch_signed_t what = {method, path, seconds};
    char signature[BATCH_SIGNATURE_SIZE];
    batch_url_secrets_t secrets;

    if (!get_secrets(&secrets, x->service->signer, r)) {
        return NULL;
    }
    if (batch_signature_make(signature, &what, secrets.signing.bytes, secrets.signing.length) !=
        APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "MB0321: libcrypto cannot compute HMAC-SHA-256");
        return NULL;
    }
    return apr_pstrcat(p, ap_construct_url(p, ap_os_escape_path(p, path, 1), r),
                       "?expires=", seconds, "&signature=", signature, NULL);
}

/* ---- Letting requests in ----------------------------------------------------------------------
 */

/*
 * A signature that is there must be right: else the answer is 403, and not the 401 of a request
 * without credentials, nor what its credentials would let it do. Before the authorization, which is
 * first asked about a request without a user.
 */
static int refuse_wrong(request_rec *r)
{
    if (!r->args || !batch_is_ours(r)) {
        return DECLINED;
    }
    switch (batch_signed_state(r, batch_service_for(r))) {
    case BATCH_MISSIGNED:
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "MB0318: a signed URL that is wrong or has expired: %s", r->uri);
        return HTTP_FORBIDDEN;
    case BATCH_SIGN_UNKNOWN:
        apr_table_setn(r->err_headers_out, "Retry-After", "2");
        return HTTP_SERVICE_UNAVAILABLE;
    default:
        return DECLINED;
    }
}

static authz_status check_authorization(request_rec *r, const char *line, const void *parsed)
{
    (void)line;
    (void)parsed;
    if (!batch_is_ours(r) || batch_signed_state(r, batch_service_for(r)) != BATCH_SIGNED) {
        return AUTHZ_DENIED;
    }
    apr_table_setn(r->notes, NOTE_IN, "1");
    return AUTHZ_GRANTED;
}

static const char *parse_line(cmd_parms *cmd, const char *line, const void **parsed)
{
    (void)cmd;
    *parsed = NULL;
    return *line ? "Require batch-signature takes no arguments" : NULL;
}

static const authz_provider provider = {check_authorization, parse_line};

void batch_signed_register_hooks(apr_pool_t *p)
{
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "batch-signature", AUTHZ_PROVIDER_VERSION,
                              &provider, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(refuse_wrong, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
}

/* AuthType ApiToken, and the identity that the token file gives to a user. */
#include "http/exchange.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <ap_provider.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>

#include "config/config.h"
#include "http/api_token.h"

APLOG_USE_MODULE(batch);

#define AUTH_TYPE "ApiToken"

/* Where a client may put its token. */
static const char *const token_headers[] = {"X-ApiToken", "PX-API-KEY", "X-API-KEY"};

#define TOKEN_HEADER_COUNT (sizeof(token_headers) / sizeof(*token_headers))

/* The token of "Bearer TOKEN" (RFC 6750), or NULL for another scheme. */
static const char *bearer_token(const char *value)
{
    static const char scheme[] = "Bearer";
    const size_t length = sizeof(scheme) - 1;

    if (!value || strncasecmp(value, scheme, length) != 0 || !apr_isspace(value[length])) {
        return NULL;
    }
    for (value += length; apr_isspace(*value); value++) {
    }
    return value;
}

/* The request's token in *token, NULL if it has none. 0 if it has several that differ. */
static int request_token(const char **token, const request_rec *r)
{
    const char *found = bearer_token(apr_table_get(r->headers_in, "Authorization"));
    size_t i;

    for (i = 0; i < TOKEN_HEADER_COUNT; i++) {
        const char *value = apr_table_get(r->headers_in, token_headers[i]);
        if (value && *value) {
            if (found && *found && strcmp(found, value) != 0) {
                return 0;
            }
            found = value;
        }
    }
    *token = found && *found ? found : NULL;
    return 1;
}

int batch_request_has_token(const request_rec *r)
{
    size_t i;

    for (i = 0; i < TOKEN_HEADER_COUNT; i++) {
        if (apr_table_get(r->headers_in, token_headers[i])) {
            return 1;
        }
    }
    return bearer_token(apr_table_get(r->headers_in, "Authorization")) != NULL;
}

static void challenge(request_rec *r, const char *error)
{
    const char *realm = ap_auth_name(r);

    apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                   apr_psprintf(r->pool, "Bearer realm=\"%s\"%s",
                                realm ? ap_escape_quotes(r->pool, realm) : "batch", error));
}

static void set_variable(request_rec *r, const char *name, const char *value)
{
    if (value) {
        apr_table_setn(r->subprocess_env, name, value);
    } else {
        apr_table_unset(r->subprocess_env, name);
    }
}

/* identity NULL: the token file does not know the user, and nobody else may say that it does. */
static void set_variables(request_rec *r, const batch_identity_t *identity)
{
    set_variable(r, "BATCH_USER_ID", identity ? identity->id : NULL);
    set_variable(r, "BATCH_USER_NAME", identity ? identity->name : NULL);
    set_variable(r, "BATCH_ORGANIZATION", identity ? identity->organization : NULL);
    /* Any value that is not NULL: the variables have been set. */
    ap_set_module_config(r->request_config, &batch_module, r);
}

static int undecided(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Retry-After", "2");
    return HTTP_SERVICE_UNAVAILABLE;
}

static int is_api_token(const char *type)
{
    return type && !strcasecmp(type, AUTH_TYPE);
}

static int check_token(request_rec *r)
{
    const char *path = batch_config_token_file(r);
    batch_identity_t identity;
    const char *token;
    apr_status_t rv;

    if (!is_api_token(ap_auth_type(r))) {
        return DECLINED;
    }
    if (!path) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "MB0311: AuthType ApiToken needs AuthApiTokenFile: %s", r->uri);
        return undecided(r);
    }
    if (!request_token(&token, r)) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "MB0312: several tokens that differ in one request: %s", r->uri);
        challenge(r, ", error=\"invalid_request\"");
        return HTTP_UNAUTHORIZED;
    }
    if (!token) {
        challenge(r, "");
        return HTTP_UNAUTHORIZED;
    }
    rv = batch_tokens_find(&identity, path, token, r);
    if (rv == APR_ENOENT) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "MB0313: a token that nobody has: %s", r->uri);
        challenge(r, ", error=\"invalid_token\"");
        return HTTP_UNAUTHORIZED;
    }
    if (rv != APR_SUCCESS) {
        return undecided(r);
    }
    r->user = (char *)identity.user;
    r->ap_auth_type = (char *)AUTH_TYPE;
    set_variables(r, &identity);
    return OK;
}

/* What a user who was authenticated in another way is in the token file. */
static int identify(request_rec *r)
{
    const char *path = batch_config_token_file(r);
    batch_identity_t identity;
    apr_status_t rv = APR_ENOENT;

    if (!path || ap_get_module_config(r->request_config, &batch_module)) {
        return DECLINED;
    }
    if (r->user) {
        rv = batch_tokens_find_user(&identity, path, r->user, r);
    }
    if (rv != APR_SUCCESS && rv != APR_ENOENT) {
        return undecided(r);
    }
    set_variables(r, rv == APR_SUCCESS ? &identity : NULL);
    return DECLINED;
}

static int note_failure(request_rec *r, const char *type)
{
    if (!is_api_token(type)) {
        return DECLINED;
    }
    challenge(r, "");
    return OK;
}

static void init_child(apr_pool_t *pchild, server_rec *s)
{
    apr_status_t rv = batch_tokens_init(pchild);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "MB0314: no memory for the token files: whoever needs one gets 503");
    }
}

void batch_authentication_register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_child_init(init_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_authn(check_token, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_note_auth_failure(note_failure, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before authorization, whose expressions may ask for the variables; and where there is none.
     */
    ap_hook_check_authz(identify, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_fixups(identify, NULL, NULL, APR_HOOK_FIRST);
}

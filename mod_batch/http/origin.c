/*
 * Requests that a browser sends for a page of somebody else. A browser adds Basic credentials and
 * cookies by itself, whatever page asks it to; what changes something is therefore taken from pages
 * of our own origin only, unless it carries what only the page itself can have added: a token or a
 * signature.
 */
#include "http/exchange.h"

#include <string.h>

#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>

#include "http/signed_url.h"

APLOG_USE_MODULE(batch);

/* Set by the administrator (SetEnvIf) for origins that count as our own. */
#define VARIABLE "batch-same-origin"

/* host[:port] in small letters, without the port that is the scheme's own. */
static const char *plain_host(const char *host, const char *scheme, apr_pool_t *p)
{
    const char *port = !strcmp(scheme, "https") ? ":443" : ":80";
    char *plain = apr_pstrdup(p, host);
    size_t length = strlen(plain);

    ap_str_tolower(plain);
    if (length > strlen(port) && !strcmp(plain + length - strlen(port), port)) {
        plain[length - strlen(port)] = '\0';
    }
    return plain;
}

/* 1 if the header Origin (RFC 6454, section 7) names where the request went to. */
static int is_our_origin(const char *origin, const request_rec *r)
{
    const char *scheme = ap_http_scheme(r);
    const char *host = apr_table_get(r->headers_in, "Host");
    size_t length = strlen(scheme);

    if (!host || strncasecmp(origin, scheme, length) != 0 ||
        strncmp(origin + length, "://", 3) != 0) {
        return 0;
    }
    return !strcmp(plain_host(origin + length + 3, scheme, r->pool),
                   plain_host(host, scheme, r->pool));
}

/* 1 if no page of another origin has made the request, as far as its browser says. */
static int is_same_origin(const request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (site) {
        return !strcmp(site, "same-origin") || !strcmp(site, "none");
    }
    return !origin || is_our_origin(origin, r);
}

int batch_origin_may_change(batch_exchange_t *x, int *code)
{
    request_rec *r = x->r;
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (is_same_origin(r) || batch_request_has_token(r) ||
        batch_signed_state(r, x->service) == BATCH_SIGNED ||
        apr_table_get(r->subprocess_env, VARIABLE)) {
        return 1;
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "MB0319: a browser's request for a page of another origin is refused: %s",
                  origin ? origin : "no header Origin");
    *code = batch_reply_error(x, HTTP_FORBIDDEN,
                              "a browser has sent this for a page of another origin, which may not "
                              "change anything here: send a token in a header, or have the "
                              "administrator allow that origin");
    return 0;
}

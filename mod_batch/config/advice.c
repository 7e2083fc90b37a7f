/* What contradicts nothing, and yet is hardly meant: warnings at start and in configtest. */
#include "config/private.h"

#include <string.h>

#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>

APLOG_USE_MODULE(batch);

/* ---- BatchAllow --------------------------------------------------------------------------------
 */

static void advise_section(const batch_section_t *section, server_rec *s)
{
    const batch_resource_t *resource = &section->resource;
    const batch_permissions_t *permissions = resource->permissions;
    int action;

    for (action = 0; action < BATCH_ACTION_COUNT; action++) {
        if (permissions->allow[action] && !(resource->actions & (1u << action))) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         "MB0210: %s:%d: <BatchResource %s>: BatchAllow %s has no effect, since "
                         "BatchActions does not list that action",
                         resource->file, permissions->lines[action], resource->name,
                         batch_action_name((batch_action_e)action));
        }
    }
}

/* ---- Signed URLs -------------------------------------------------------------------------------
 */

/* What a section of httpd's configuration says of requests in it. */
typedef struct place {
    const ap_directive_t *handler; /* SetHandler batch */
    int requires;                  /* somebody is asked for something */
    int lets_all_in;
    int lets_signed_in;
} place_t;

/* What was found in the configuration as a whole. */
typedef struct findings {
    const ap_directive_t *closed; /* a handler whose signed URLs nobody lets in */
    int count;
    int elsewhere; /* Require batch-signature stands apart from our handler: it may belong to it */
} findings_t;

static int is(const ap_directive_t *directive, const char *name)
{
    return !strcasecmp(directive->directive, name);
}

/* The next word of a directive's arguments, without quotes and the > of a section; in p. */
static const char *next_word(const char **arguments, apr_pool_t *p)
{
    char *word = ap_getword_conf(p, arguments);
    apr_size_t length = strlen(word);

    if (length && word[length - 1] == '>') {
        word[length - 1] = '\0';
    }
    return word;
}

/* 1 if URLs of the resources API may be in that section: <Location "/v1/batch"> has none. */
static int may_have_urls(const ap_directive_t *section, apr_pool_t *p)
{
    const char *arguments = section->args;
    const char *path = next_word(&arguments, p);
    const char *last;

    if (is(section, "<LocationMatch") || !strcmp(path, "~")) {
        return strstr(section->args, "batches") || !strstr(section->args, "/batch");
    }
    last = strrchr(path, '/');
    return !last || (strcmp(last, "/batch") != 0 && strcmp(last, "/batch.json") != 0);
}

static void read_directive(place_t *place, const ap_directive_t *directive, apr_pool_t *p)
{
    const char *arguments = directive->args;
    const char *word;

    if (is(directive, "SetHandler")) {
        place->handler = !strcasecmp(next_word(&arguments, p), "batch") ? directive : NULL;
    } else if (is(directive, "Require")) {
        word = next_word(&arguments, p);
        place->requires = 1;
        place->lets_signed_in |= !strcasecmp(word, "batch-signature");
        place->lets_all_in |=
            !strcasecmp(word, "all") && !strcasecmp(next_word(&arguments, p), "granted");
    }
}

static void judge(findings_t *findings, const place_t *place)
{
    if (!place->handler) {
        findings->elsewhere |= place->lets_signed_in;
    } else if (place->requires && !place->lets_all_in && !place->lets_signed_in) {
        findings->closed = findings->count++ ? findings->closed : place->handler;
    }
}

/* Reads the directives of a section, and what stands within it. */
static void read_place(findings_t *findings, place_t *place, const ap_directive_t *first,
                       apr_pool_t *p)
{
    const ap_directive_t *directive;

    for (directive = first; directive; directive = directive->next) {
        if (is(directive, "<Location") || is(directive, "<LocationMatch")) {
            place_t inner = {0};

            read_place(findings, &inner, directive->first_child, p);
            inner.handler = may_have_urls(directive, p) ? inner.handler : NULL;
            judge(findings, &inner);
        } else if (directive->first_child) {
            /* <RequireAny>, <If>: of the same requests; <VirtualHost>, <Directory>: nearly so. */
            read_place(findings, place, directive->first_child, p);
        } else {
            read_directive(place, directive, p);
        }
    }
}

/* 1 if a server has a resource of the API that gives out signed URLs. */
static int gives_urls(server_rec *s, apr_pool_t *p)
{
    unsigned actions = batch_actions_of(BATCH_API_RESOURCES);
    apr_hash_index_t *hi;

    for (; s; s = s->next) {
        for (hi = apr_hash_first(p, batch_config_settings(s)->resources); hi;
             hi = apr_hash_next(hi)) {
            if (((const batch_resource_t *)apr_hash_this_val(hi))->actions & actions) {
                return 1;
            }
        }
    }
    return 0;
}

static void advise_urls(server_rec *s, apr_pool_t *ptemp)
{
    findings_t findings = {0};
    place_t server = {0};

    if (!gives_urls(s, ptemp)) {
        return;
    }
    read_place(&findings, &server, ap_conftree, ptemp);
    /* Where nothing is sure nothing is said: sections may be merged. */
    if (findings.closed && !findings.elsewhere && !server.lets_signed_in) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "MB0211: %s:%d: signed URLs of uploads and files are given out here, but no "
                     "\"Require batch-signature\" lets them in: put it beside the other Require",
                     findings.closed->filename, findings.closed->line_num);
    }
}

void batch_config_advise(server_rec *s, apr_pool_t *ptemp)
{
    server_rec *server;
    apr_hash_index_t *hi;

    for (server = s; server; server = server->next) {
        for (hi = apr_hash_first(ptemp, batch_server_config(server)->own); hi;
             hi = apr_hash_next(hi)) {
            advise_section(apr_hash_this_val(hi), server);
        }
    }
    advise_urls(s, ptemp);
}

/*
 * Configuration: directives, <BatchResource> sections, merging, and the values in effect.
 */
#ifndef BATCH_CONFIG_CONFIG_H
#define BATCH_CONFIG_CONFIG_H

#include <httpd.h>
#include <http_config.h>
#include <ap_expr.h>

#include "batch.h"

/** Bytes that nobody may know; length 0 = none. */
typedef struct batch_secret {
    const char *bytes;
    apr_size_t length;
} batch_secret_t;

/** BatchURLSecretFile: the secrets of signed URLs. */
typedef struct batch_url_secrets {
    batch_secret_t signing;
    batch_secret_t accepted; /* the one that is being rotated out: never used to sign */
} batch_url_secrets_t;

/** Values of a server (main or virtual host) after defaults and merging. */
typedef struct batch_settings {
    const char *driver; /* BatchDBDriver */
    const char *params; /* BatchDBDParams */
    const char *file;   /* where the database was named, or else the driver; NULL: nowhere */
    int line;
    batch_limits_t limits; /* BatchMaxObjects, BatchWorkers, BatchChunkTime, BatchLease, … */
    apr_hash_t *resources; /* name -> const batch_resource_t *; never NULL */
    const batch_url_secrets_t *url_secrets; /* NULL: the one in the database */
    int declared;                           /* a directive of ours was given in this very server */
} batch_settings_t;

/** The directives of the module, for its module record. */
extern const command_rec batch_config_directives[];

/* For the module record. */
void *batch_config_server_create(apr_pool_t *p, server_rec *s);
void *batch_config_server_merge(apr_pool_t *p, void *base, void *add);
void *batch_config_directory_create(apr_pool_t *p, char *directory);
void *batch_config_directory_merge(apr_pool_t *p, void *base, void *add);

/** The values in effect in a server; in the configuration's pool, never NULL. */
const batch_settings_t *batch_config_settings(const server_rec *s);

/**
 * Looks for what no single directive can see: sections that lack BatchTable or BatchKey, columns
 * that are named but not declared, and so on. NULL, or the sentence to refuse the configuration
 * with (it names file and line). For the check_config hook.
 */
const char *batch_config_check(server_rec *s, apr_pool_t *p);

/** Logs as warnings what is hardly meant as it stands. */
void batch_config_advise(server_rec *s, apr_pool_t *ptemp);

/**
 * Who is asking, by BatchUserId, BatchUserName and BatchOrganization.
 * HTTP_UNAUTHORIZED without an authenticated user unless BatchAnonymous is On;
 * HTTP_INTERNAL_SERVER_ERROR (logged) if an expression cannot be evaluated; else OK.
 */
int batch_config_actor(batch_actor_t *actor, request_rec *r);

/** 1 if BatchAllow lets this request do action on the resource. No BatchAllow for it: 1. */
int batch_config_allows(request_rec *r, const batch_resource_t *resource, batch_action_e action);

/** AuthApiTokenFile in effect for r, NULL = none. */
const char *batch_config_token_file(const request_rec *r);

#endif

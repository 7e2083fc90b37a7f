/*
 * AuthApiTokenFile: who has which token. Private to http/.
 *
 * A line is   SHA-256 of the token in hex, user name, user id, organization, display name
 * with white space between; the display name is the rest of the line, and the user name where that
 * is empty. An organization "-" is none. Lines that are empty or begin with # say nothing. A line
 * that is none of this is logged with its number and left out.
 *
 * A file is kept in memory by each process and read again when it has changed.
 */
#ifndef BATCH_HTTP_API_TOKEN_H
#define BATCH_HTTP_API_TOKEN_H

#include <httpd.h>

/** Whom a token stands for. */
typedef struct batch_identity {
    const char *user;         /* REMOTE_USER */
    const char *id;           /* BATCH_USER_ID */
    const char *organization; /* BATCH_ORGANIZATION, NULL = none */
    const char *name;         /* BATCH_USER_NAME */
} batch_identity_t;

/** Makes the memory of this process; to be called in child_init. Lives as long as pchild. */
apr_status_t batch_tokens_init(apr_pool_t *pchild);

/**
 * Finds the identity of a token, in a time that says nothing of the tokens in the file. identity is
 * copied into r's pool. APR_ENOENT: no such token. Another status: the file cannot be read, which
 * is logged when it begins.
 */
apr_status_t batch_tokens_find(batch_identity_t *identity, const char *path, const char *token,
                               request_rec *r);

/** The same by user name; APR_ENOENT too if several identities have that user name. */
apr_status_t batch_tokens_find_user(batch_identity_t *identity, const char *path, const char *user,
                                    request_rec *r);

#endif

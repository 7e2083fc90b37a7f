/* Digests of bodies: headers that are right, those that are none, and those that do not match. */
/* needs: nothing */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/body_digest.h"

#define TEXT "name\nwhole\n"

/* printf 'name\nwhole\n' | openssl dgst -sha256 -binary | base64, and so on. */
#define MD5    "jmILkl6NNOTFlRwWorDGew=="
#define SHA    "7nB8QnYV3+VNl1wwSeD4qgHGO38="
#define SHA256 "9W2lLl64pdyVHK9CUV8cOWFN1nMnzZ+7luEiFpCHXPg="

static apr_pool_t *pool;

/* What is said of the text with these headers: of the headers, else of the body; "" for nothing. */
static const char *said(const char *md5, const char *content, const char *repr)
{
    /* Memory of its own, so that a tool sees a read beside it. */
    char *copies[3] = {md5 ? strdup(md5) : NULL, content ? strdup(content) : NULL,
                       repr ? strdup(repr) : NULL};
    batch_digest_headers_t headers = {copies[0], copies[1], copies[2]};
    batch_digests_t *digests;
    const char *wrong = batch_digests_read(&digests, &headers, pool);

    for (int i = 0; i < 3; i++) {
        free(copies[i]);
    }
    if (wrong) {
        return wrong;
    }
    if (!digests) {
        return "";
    }
    batch_digests_update(digests, TEXT, 3);
    batch_digests_update(digests, TEXT, 0);
    batch_digests_update(digests, &TEXT[3], strlen(TEXT) - 3);
    wrong = batch_digests_check(digests, pool);
    return wrong ? wrong : "right";
}

static void test_right(void)
{
    static const char *const right[] = {
        "sha-256=:" SHA256 ":",
        "  sha-256=:" SHA256 ":  ",
        "sha-256=:" SHA256 ":;a;b=1; c=\"x\\\",y\"",
        "x=1, sha-256=:" SHA256 ":\t,\tz",
        "sha-256=:AAAA:, sha-256=:" SHA256 ":",
        "sha=:" SHA ":,md5=:" MD5 ":",
    };

    for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
        is_string(said(NULL, right[i], NULL), "right", right[i]);
        is_string(said(NULL, NULL, right[i]), "right", right[i]);
    }
    is_string(said(MD5, NULL, NULL), "right", "Content-MD5");
    is_string(said(" " MD5 "\t", "sha-256=:" SHA256 ":", "md5=:" MD5 ":"), "right", "all three");
    is_string(said(NULL, NULL, NULL), "", "none");
    is_string(said(NULL, "", " "), "", "empty ones");
    is_string(said(NULL, "crc32c=:AAAA:, *q=?1, x;y=2", NULL), "", "unknown algorithms");
}

static void test_malformed(void)
{
    static const char *const malformed[] = {
        "sha-256",
        "sha-256=",
        "sha-256=:",
        "sha-256=::",
        "sha-256=:=:",
        "sha-256=:A:",
        "sha-256=:AAAA",
        "sha-256=:AA AA:",
        "sha-256=:AA-_:",
        "sha-256=" SHA256,
        "sha-256=\"" SHA256 "\"",
        "sha-256=(:AAAA:)",
        "sha-256=:" SHA256 ":x",
        "sha-256=:" SHA256 ":,",
        "sha-256=:" SHA256 ": sha-512=:AAAA:",
        "sha-256=:" SHA256 ":;",
        "sha-256=:" SHA256 ":;=",
        "sha-256=:" SHA256 ":;a=",
        "SHA-256=:" SHA256 ":",
        ",",
        "=",
        "x=",
        "x=\"",
        "x=\"\\",
        "x=:",
        "\xff",
        "sha-512=:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAA:",
    };
    static const char *const no_md5[] = {"", "x", "AAAA", SHA256, MD5 "," MD5, MD5 " x", "===="};

    for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
        ok(strstr(said(NULL, malformed[i], NULL), "Content-Digest is malformed"), "malformed: %s",
           malformed[i]);
        ok(strstr(said(NULL, NULL, malformed[i]), "Repr-Digest is malformed"), "malformed: %s",
           malformed[i]);
    }
    for (size_t i = 0; i < sizeof(no_md5) / sizeof(*no_md5); i++) {
        ok(strstr(said(no_md5[i], NULL, NULL), "Content-MD5 is malformed"), "no MD5: %s",
           no_md5[i]);
    }
}

static void test_others(void)
{
    ok(strstr(said(NULL, "sha-256=:AAAA:", NULL), "sha-256 than its header Content-Digest"),
       "a digest of another length");
    ok(strstr(said(NULL, "sha-256=:" SHA256 ":, sha-256=:AAAA:", NULL), "Content-Digest"),
       "the last one of a kind counts");
    ok(strstr(said(NULL, NULL, "sha-256=:" SHA256 ":, md5=:AAAA:"), "md5 than its header Repr"),
       "each one counts");
    ok(strstr(said("jmILkl6NNOTFlRwWorDGeg==", NULL, NULL), "header Content-MD5"), "another MD5");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_right();
    test_malformed();
    test_others();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

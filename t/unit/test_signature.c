/* Signatures of URLs: what they are about, and what is none. */
/* needs: nothing */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "engine/signature.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define PATH   "/batches/x/errors.csv"

/* printf 'mod_batch url 1\nGET\n1795326379\n/batches/x/errors.csv' | openssl dgst -sha256 -hmac …
 */
#define KNOWN "fc8dd9956ba5624bd1fb9c660c351d3824fec560639722e9d1c9ed48b317c537"

static const apr_time_t before = APR_TIME_C(1795326378999999);
static const apr_time_t after = APR_TIME_C(1795326379000000);

static int holds(const char *signature, const char *method, const char *path, const char *expires,
                 apr_time_t now, const char *secret)
{
    batch_signed_t what = {method, path, expires};

    return batch_signature_holds(signature, &what, now, secret, strlen(secret));
}

static void test_known(void)
{
    batch_signed_t what = {"GET", PATH, "1795326379"};
    char signature[BATCH_SIGNATURE_SIZE];

    is_number(batch_signature_make(signature, &what, SECRET, strlen(SECRET)), APR_SUCCESS,
              "a signature is made");
    is_string(signature, KNOWN, "it is HMAC-SHA-256");
    ok(holds(KNOWN, "GET", PATH, "1795326379", before, SECRET), "it holds until it expires");
    ok(!holds(KNOWN, "GET", PATH, "1795326379", after, SECRET), "and not a microsecond longer");
}

static void test_others(void)
{
    char wrong[BATCH_SIGNATURE_SIZE];
    int held = 0;
    int i;

    ok(!holds(KNOWN, "PUT", PATH, "1795326379", before, SECRET), "another method");
    ok(!holds(KNOWN, "GET", "/batches/y/errors.csv", "1795326379", before, SECRET), "another path");
    ok(!holds(KNOWN, "GET", PATH "x", "1795326379", before, SECRET), "a longer path");
    ok(!holds(KNOWN, "GET", PATH, "1795326380", before, SECRET), "another expiry");
    ok(!holds(KNOWN, "GET", PATH, "1795326379", before, SECRET "x"), "another secret");
    for (i = 0; i < BATCH_SIGNATURE_SIZE - 1; i++) {
        memcpy(wrong, KNOWN, sizeof(wrong));
        wrong[i] = wrong[i] == '0' ? '1' : '0';
        held += holds(wrong, "GET", PATH, "1795326379", before, SECRET);
    }
    is_number(held, 0, "no other digit anywhere");
    ok(!holds("", "GET", PATH, "1795326379", before, SECRET), "nothing");
    ok(!holds(KNOWN "0", "GET", PATH, "1795326379", before, SECRET), "a digit more");
}

/* The right signature of an expiry that is none. */
static int right_holds(const char *expires)
{
    batch_signed_t what = {"GET", PATH, expires};
    char signature[BATCH_SIGNATURE_SIZE];

    batch_signature_make(signature, &what, SECRET, strlen(SECRET));
    return batch_signature_holds(signature, &what, before, SECRET, strlen(SECRET));
}

static void test_expiry(void)
{
    static const char *const wrong[] = {"",
                                        "0",
                                        "-1",
                                        "+1795326379",
                                        " 1",
                                        "01795326379",
                                        "1795326379 ",
                                        "1795326379.5",
                                        "1e9",
                                        "0x6B000000",
                                        "9999999999999",
                                        "now"};
    int held = 0;
    size_t i;

    ok(right_holds("1795326379"), "an expiry in seconds");
    ok(right_holds("999999999999"), "a late one");
    for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        held += right_holds(wrong[i]);
    }
    is_number(held, 0, "what is no time never comes, whoever has signed it");
}

/* A line break in a path is no way to move the boundary between the parts. */
static void test_boundaries(void)
{
    batch_signed_t one = {"GET", "/a", "1795326379"};
    batch_signed_t other = {"GET", "1795326379\n/a", ""};
    batch_signed_t third = {"GET", "5326379\n/a", "179"};
    char a[BATCH_SIGNATURE_SIZE], b[BATCH_SIGNATURE_SIZE], c[BATCH_SIGNATURE_SIZE];

    batch_signature_make(a, &one, SECRET, 32);
    batch_signature_make(b, &other, SECRET, 32);
    batch_signature_make(c, &third, SECRET, 32);
    ok(strcmp(a, b) != 0 && strcmp(a, c) != 0 && strcmp(b, c) != 0, "each is another one");
}

static void test_secret(apr_pool_t *p)
{
    const char *one = batch_secret_make(p);
    const char *other = batch_secret_make(p);

    ok(one && strlen(one) == 64 && strspn(one, "0123456789abcdef") == 64, "a secret is 64 digits");
    ok(other && strcmp(one, other) != 0, "and never the same");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&p, NULL);
    test_known();
    test_others();
    test_expiry();
    test_boundaries();
    test_secret(p);
    apr_pool_destroy(p);
    return tap_end();
}

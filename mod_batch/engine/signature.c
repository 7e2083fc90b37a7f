#include "engine/signature.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "text/hex.h"

#define DIGEST_BYTES 32

/* Digits that an expiry can have: until the year 33658. */
#define EXPIRY_DIGITS 12

/* What the URLs of other uses, or other versions, cannot be mistaken for. */
static const char purpose[] = "mod_batch url 1\n";

/* The path comes last, so that no line break in it can shift what stands before. */
static int feed(EVP_MAC_CTX *context, const batch_signed_t *what)
{
    const char *const parts[] = {purpose, what->method, "\n", what->expires, "\n", what->path};
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (!EVP_MAC_update(context, (const unsigned char *)parts[i], strlen(parts[i]))) {
            return 0;
        }
    }
    return 1;
}

apr_status_t batch_signature_make(char signature[BATCH_SIGNATURE_SIZE], const batch_signed_t *what,
                                  const char *secret, apr_size_t secret_length)
{
    char digest_name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest_name, 0),
                           OSSL_PARAM_construct_end()};
    unsigned char digest[DIGEST_BYTES];
    size_t length = 0;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    int done = context &&
               EVP_MAC_init(context, (const unsigned char *)secret, secret_length, params) &&
               feed(context, what) && EVP_MAC_final(context, digest, &length, sizeof(digest)) &&
               length == sizeof(digest);

    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    if (!done) {
        return APR_EGENERAL;
    }
    batch_hex_write(signature, digest, sizeof(digest));
    return APR_SUCCESS;
}

/* The time that a text of decimal digits says; 0 where it is none. */
static apr_time_t read_expiry(const char *text)
{
    apr_size_t length = strspn(text, "0123456789");

    if (!length || text[length] || length > EXPIRY_DIGITS || (length > 1 && *text == '0')) {
        return 0;
    }
    return apr_time_from_sec(apr_atoi64(text));
}

int batch_signature_holds(const char *signature, const batch_signed_t *what, apr_time_t now,
                          const char *secret, apr_size_t secret_length)
{
    char wanted[BATCH_SIGNATURE_SIZE];

    if (strlen(signature) != BATCH_SIGNATURE_SIZE - 1 || read_expiry(what->expires) <= now ||
        batch_signature_make(wanted, what, secret, secret_length) != APR_SUCCESS) {
        return 0;
    }
    return CRYPTO_memcmp(signature, wanted, BATCH_SIGNATURE_SIZE - 1) == 0;
}

const char *batch_secret_make(apr_pool_t *p)
{
    unsigned char bytes[BATCH_SECRET_BYTES];
    const char *text;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NULL;
    }
    text = batch_hex(bytes, sizeof(bytes), p);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return text;
}

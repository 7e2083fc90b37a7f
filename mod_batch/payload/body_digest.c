#include "payload/body_digest.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/** The algorithms of IANA's registry that can be computed here. */
static const struct algorithm {
    const char *name;
    const EVP_MD *(*make)(void);
} algorithms[] = {
    {"sha-256", EVP_sha256},
    {"sha-512", EVP_sha512},
    {"sha", EVP_sha1},
    {"md5", EVP_md5},
};

/** The last of them, which is the one of Content-MD5. */
#define MD5 (COUNT(algorithms) - 1)

/** A digest that a header gives. */
typedef struct expected {
    const char *header;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length;     /* 0: the header has none of this algorithm */
    EVP_MD_CTX *context; /* NULL where length is 0 */
} expected_t;

struct batch_digests {
    expected_t content_md5;
    expected_t content_digest[COUNT(algorithms)];
    expected_t repr_digest[COUNT(algorithms)];
    int failed; /* libcrypto could not compute one */
};

/* ---- Structured fields (RFC 8941) ------------------------------------------------------------ */

/** The value of a digit of base64; -1 for another byte. */
static int digit_value(char byte)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = byte ? strchr(digits, byte) : NULL;

    return found ? (int)(found - digits) : -1;
}

/**
 * Decodes base64 (RFC 4648, section 4), whose padding may be missing. 0 if it is none, or does not
 * stand for as many bytes as a digest may have.
 */
static int base64_decode(expected_t *expected, const char *text, apr_size_t length)
{
    unsigned bits = 0;
    int have = 0;

    for (int i = 0; i < 2 && length && text[length - 1] == '='; i++) {
        length--;
    }
    expected->length = 0;
    for (apr_size_t i = 0; i < length; i++) {
        int value = digit_value(text[i]);

        if (value < 0) {
            return 0;
        }
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (expected->length == sizeof(expected->bytes)) {
                return 0;
            }
            expected->bytes[expected->length++] = (unsigned char)(bits >> have);
        }
    }
    return expected->length && have < 6;
}

/** The key at *at, which moves behind it; its length, 0 if there is none. */
static apr_size_t key_read(const char **at)
{
    const char *from = *at;

    if (!apr_islower(*from) && *from != '*') {
        return 0;
    }
    while (apr_islower(**at) || apr_isdigit(**at) || (**at && strchr("_-.*", **at))) {
        ++*at;
    }
    return (apr_size_t)(*at - from);
}

/** Moves behind a string that begins at *at; 0 if it does not end. */
static int string_skip(const char **at)
{
    for (++*at; **at && **at != '"'; ++*at) {
        if (**at == '\\' && !*++*at) {
            return 0;
        }
    }
    return *(*at)++ == '"';
}

/** Moves behind the bare item at *at. 0 if there is none. */
static int item_skip(const char **at)
{
    const char *end;

    switch (**at) {
    case '"':
        return string_skip(at);
    case ':':
        end = strchr(*at + 1, ':');
        *at = end ? end + 1 : *at;
        return end != NULL;
    default:
        end = *at + strcspn(*at, " \t,;=\"()");
        if (end == *at) {
            return 0;
        }
        *at = end;
        return 1;
    }
}

/** Moves behind the parameters at *at. 0 if they are none. */
static int parameters_skip(const char **at)
{
    while (**at == ';') {
        ++*at;
        *at += strspn(*at, " ");
        if (!key_read(at)) {
            return 0;
        }
        if (**at == '=') {
            ++*at;
            if (!item_skip(at)) {
                return 0;
            }
        }
    }
    return 1;
}

/** The algorithm of that name; NULL: it is not known. */
static expected_t *expected_find(expected_t *all, const char *name, apr_size_t length)
{
    for (size_t i = 0; i < COUNT(algorithms); i++) {
        if (strlen(algorithms[i].name) == length && !memcmp(algorithms[i].name, name, length)) {
            return &all[i];
        }
    }
    return NULL;
}

/** Reads a member of the dictionary. 0 if it is none, or the value of a digest is no bytes. */
static int member_read(expected_t *all, const char **at)
{
    const char *name = *at;
    apr_size_t length = key_read(at);
    expected_t *expected = expected_find(all, name, length);
    const char *value;

    if (!length) {
        return 0;
    }
    if (**at != '=') { /* a key alone stands for true */
        return !expected && parameters_skip(at);
    }
    value = ++*at;
    if (!item_skip(at)) {
        return 0;
    }
    if (expected &&
        (*value != ':' || !base64_decode(expected, value + 1, (apr_size_t)(*at - value) - 2))) {
        return 0;
    }
    return parameters_skip(at);
}

/** Reads a dictionary; of several members with one key the last one counts. 0 if it is none. */
static int dictionary_read(expected_t *all, const char *text)
{
    text += strspn(text, " ");
    if (!*text) {
        return 1;
    }
    while (member_read(all, &text)) {
        text += strspn(text, " \t");
        if (!*text) {
            return 1;
        }
        if (*text != ',') {
            return 0;
        }
        text++;
        text += strspn(text, " \t");
    }
    return 0;
}

/* ---- Digests --------------------------------------------------------------------------------- */

static apr_status_t context_free(void *context)
{
    EVP_MD_CTX_free(context);
    return APR_SUCCESS;
}

/** Begins to compute a digest if the header has one. NULL, or what keeps us from it. */
static const char *expected_begin(expected_t *expected, const char *header, size_t algorithm,
                                  int *count, apr_pool_t *p)
{
    const EVP_MD *type = algorithms[algorithm].make();

    if (!expected->length) {
        return NULL;
    }
    ++*count;
    expected->header = header;
    expected->context = EVP_MD_CTX_new();
    if (expected->context) {
        apr_pool_cleanup_register(p, expected->context, context_free, apr_pool_cleanup_null);
    }
    return expected->context && type && EVP_DigestInit_ex(expected->context, type, NULL)
               ? NULL
               : apr_psprintf(p, "this server cannot compute the %s of the header %s",
                              algorithms[algorithm].name, header);
}

/** Reads one of the two dictionaries. */
static const char *header_read(expected_t *all, const char *header, const char *value, int *count,
                               apr_pool_t *p)
{
    const char *wrong = NULL;

    if (value && !dictionary_read(all, value)) {
        return apr_psprintf(
            p, "the header %s is malformed: it must be as in %s: sha-256=:BASE64:", header, header);
    }
    for (size_t i = 0; i < COUNT(algorithms) && !wrong; i++) {
        wrong = expected_begin(&all[i], header, i, count, p);
    }
    return wrong;
}

static const char *md5_read(expected_t *expected, const char *value, int *count, apr_pool_t *p)
{
    apr_size_t length;

    if (!value) {
        return NULL;
    }
    value += strspn(value, " \t");
    length = strlen(value);
    while (length && strchr(" \t", value[length - 1])) {
        length--;
    }
    if (!base64_decode(expected, value, length) || expected->length != 16) {
        return "the header Content-MD5 is malformed: it must be the 16 bytes of the MD5 in base64";
    }
    return expected_begin(expected, "Content-MD5", MD5, count, p);
}

const char *batch_digests_read(batch_digests_t **digests, const batch_digest_headers_t *headers,
                               apr_pool_t *p)
{
    batch_digests_t *made = apr_pcalloc(p, sizeof(*made));
    int count = 0;
    const char *wrong = md5_read(&made->content_md5, headers->content_md5, &count, p);

    if (!wrong) {
        wrong =
            header_read(made->content_digest, "Content-Digest", headers->content_digest, &count, p);
    }
    if (!wrong) {
        wrong = header_read(made->repr_digest, "Repr-Digest", headers->repr_digest, &count, p);
    }
    *digests = count ? made : NULL;
    return wrong;
}

static void expected_update(batch_digests_t *digests, expected_t *expected, const char *bytes,
                            apr_size_t length)
{
    if (expected->context && !EVP_DigestUpdate(expected->context, bytes, length)) {
        digests->failed = 1;
    }
}

void batch_digests_update(batch_digests_t *digests, const char *bytes, apr_size_t length)
{
    expected_update(digests, &digests->content_md5, bytes, length);
    for (size_t i = 0; i < COUNT(algorithms); i++) {
        expected_update(digests, &digests->content_digest[i], bytes, length);
        expected_update(digests, &digests->repr_digest[i], bytes, length);
    }
}

/** What a digest says of the body that has come. */
static const char *expected_check(const expected_t *expected, size_t algorithm, apr_pool_t *p)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    if (!expected->context ||
        (EVP_DigestFinal_ex(expected->context, bytes, &length) && length == expected->length &&
         !memcmp(bytes, expected->bytes, length))) {
        return NULL;
    }
    return apr_psprintf(p,
                        "the body that came has another %s than its header %s says: it is not "
                        "whole, or was changed on its way: send it again",
                        algorithms[algorithm].name, expected->header);
}

const char *batch_digests_check(batch_digests_t *digests, apr_pool_t *p)
{
    const char *wrong = expected_check(&digests->content_md5, MD5, p);

    for (size_t i = 0; i < COUNT(algorithms) && !wrong; i++) {
        wrong = expected_check(&digests->content_digest[i], i, p);
        if (!wrong) {
            wrong = expected_check(&digests->repr_digest[i], i, p);
        }
    }
    return !wrong && digests->failed ? "libcrypto cannot compute the digest of the body" : wrong;
}

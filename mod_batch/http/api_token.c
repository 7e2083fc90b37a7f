#include "http/api_token.h"

#include <string.h>

#include <apr_file_io.h>
#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <http_config.h>
#include <http_log.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "batch.h"
#include "text/hex.h"
#include "text/utf8.h"

extern module AP_MODULE_DECLARE_DATA batch_module;
APLOG_USE_MODULE(batch);

#define DIGEST_BYTES 32

/* Of a line, with its end. */
#define LINE_BYTES 4096

/* Memory that the tables have given back and that is kept for the next one. */
#define KEPT_BYTES (1024 * 1024)

struct entry {
    unsigned char digest[DIGEST_BYTES];
    batch_identity_t identity;
};

/* What was read from a file. It never changes; whoever holds a reference may read it. */
struct table {
    apr_pool_t *pool;            /* its own */
    int references;              /* under the lock */
    apr_array_header_t *entries; /* of struct entry */
    apr_hash_t *users;           /* user name -> const batch_identity_t *, or &ambiguous */
};

/* A file that some AuthApiTokenFile names: there are as many of them as the configuration has. */
struct source {
    struct table *table; /* NULL: it could not be read */
    apr_status_t status; /* how the last reading went */
    apr_finfo_t seen;    /* of the file when it was read */
};

static struct {
    apr_pool_t *pool;
    apr_thread_mutex_t *lock;
    apr_hash_t *sources; /* path -> struct source * */
} tokens;

static const batch_identity_t ambiguous;

apr_status_t batch_tokens_init(apr_pool_t *pchild)
{
    /* An allocator with a lock: prefork's pchild has none, and tables come and go in any thread. */
    apr_status_t rv = batch_pool_make(&tokens.pool, pchild, KEPT_BYTES);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_thread_mutex_create(&tokens.lock, APR_THREAD_MUTEX_DEFAULT, tokens.pool);
    if (rv == APR_SUCCESS) {
        apr_thread_mutex_t *inner;
        rv = apr_thread_mutex_create(&inner, APR_THREAD_MUTEX_DEFAULT, tokens.pool);
        if (rv == APR_SUCCESS) {
            apr_allocator_mutex_set(apr_pool_allocator_get(tokens.pool), inner);
        }
    }
    tokens.sources = apr_hash_make(tokens.pool);
    return rv;
}

/* ---- Reading a file ---------------------------------------------------------------------------
 */

/* The next word of *rest, in p; "" at the end. */
static const char *next_word(const char **rest, apr_pool_t *p)
{
    const char *start;

    while (apr_isspace(**rest)) {
        (*rest)++;
    }
    start = *rest;
    while (**rest && !apr_isspace(**rest)) {
        (*rest)++;
    }
    return apr_pstrmemdup(p, start, (apr_size_t)(*rest - start));
}

static int same_identity(const batch_identity_t *a, const batch_identity_t *b)
{
    return !strcmp(a->id, b->id) && !strcmp(a->name, b->name) &&
           (a->organization && b->organization ? !strcmp(a->organization, b->organization)
                                               : a->organization == b->organization);
}

static int has_digest(const struct table *table, const unsigned char *digest)
{
    int i;

    for (i = 0; i < table->entries->nelts; i++) {
        if (!memcmp(APR_ARRAY_IDX(table->entries, i, struct entry).digest, digest, DIGEST_BYTES)) {
            return 1;
        }
    }
    return 0;
}

/* Adds a line, which is not empty, to the table. NULL, or what is wrong with it. */
static const char *read_line(struct table *table, const char *line)
{
    apr_pool_t *p = table->pool;
    batch_identity_t identity;
    const batch_identity_t *known;
    struct entry *entry;
    unsigned char digest[DIGEST_BYTES];

    if (!batch_utf8_is_valid(line, strlen(line))) {
        return "it is not UTF-8";
    }
    if (!batch_hex_read(digest, DIGEST_BYTES, next_word(&line, p))) {
        return "it does not begin with a SHA-256 in hex";
    }
    identity.user = next_word(&line, p);
    identity.id = next_word(&line, p);
    identity.organization = next_word(&line, p);
    if (!*identity.organization) {
        return "user name, user id and organization do not all stand there";
    }
    if (!strcmp(identity.organization, "-")) {
        identity.organization = NULL;
    }
    while (apr_isspace(*line)) {
        line++;
    }
    identity.name = *line ? apr_pstrdup(p, line) : identity.user;
    if (has_digest(table, digest)) {
        return "another line has the same token";
    }
    entry = apr_array_push(table->entries);
    memcpy(entry->digest, digest, DIGEST_BYTES);
    entry->identity = identity;
    known = apr_hash_get(table->users, identity.user, APR_HASH_KEY_STRING);
    if (!known) {
        known = apr_pmemdup(p, &identity, sizeof(identity));
    } else if (known != &ambiguous && !same_identity(known, &identity)) {
        known = &ambiguous;
    }
    apr_hash_set(table->users, identity.user, APR_HASH_KEY_STRING, known);
    return NULL;
}

/* Takes white space and line end off the end of line. 0 if its end is not there: too long. */
static int trim_line(char *line)
{
    apr_size_t length = strlen(line);
    int whole = length < LINE_BYTES - 1 || line[length - 1] == '\n';

    while (length && apr_isspace(line[length - 1])) {
        line[--length] = '\0';
    }
    return whole;
}

static apr_status_t read_lines(struct table *table, apr_file_t *file, const char *path,
                               request_rec *r)
{
    char line[LINE_BYTES];
    int number = 0;
    int whole = 1; /* the last piece ended its line */
    apr_status_t rv;

    while ((rv = apr_file_gets(line, sizeof(line), file)) == APR_SUCCESS) {
        int continued = !whole;
        const char *wrong = NULL;
        const char *start = line;

        whole = trim_line(line);
        number += !continued;
        while (apr_isspace(*start)) {
            start++;
        }
        if (continued || !*start || *start == '#') {
            continue;
        }
        wrong = whole ? read_line(table, start) : "it is too long";
        if (wrong) {
            ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                          "MB0308: %s:%d: this line gives no access: %s", path, number, wrong);
        }
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* Reads a file into a new table with one reference. */
static apr_status_t table_read(struct table **table, apr_finfo_t *seen, const char *path,
                               request_rec *r)
{
    apr_pool_t *pool;
    apr_file_t *file;
    struct table *made;
    apr_status_t rv = apr_pool_create(&pool, tokens.pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    made = apr_pcalloc(pool, sizeof(*made));
    made->pool = pool;
    made->references = 1;
    made->entries = apr_array_make(pool, 16, sizeof(struct entry));
    made->users = apr_hash_make(pool);
    rv = apr_file_open(&file, path, APR_READ | APR_BUFFERED, APR_OS_DEFAULT, r->pool);
    if (rv == APR_SUCCESS) {
        /* Of the file that is open: one that changes meanwhile differs from this, and is read
         * again. */
        rv = apr_file_info_get(seen, APR_FINFO_MIN | APR_FINFO_IDENT, file);
        if (rv == APR_SUCCESS) {
            rv = read_lines(made, file, path, r);
        }
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    *table = made;
    return APR_SUCCESS;
}

/* ---- The memory -------------------------------------------------------------------------------
 */

/* Gives a reference back; under the lock. */
static void table_release(struct table *table)
{
    if (--table->references == 0) {
        apr_pool_destroy(table->pool);
    }
}

static int is_unchanged(const apr_finfo_t *a, const apr_finfo_t *b)
{
    return a->mtime == b->mtime && a->ctime == b->ctime && a->size == b->size &&
           a->inode == b->inode && a->device == b->device;
}

/* Brings source up to what the file is now; under the lock. */
static void source_refresh(struct source *source, const char *path, request_rec *r)
{
    apr_finfo_t now = {0};
    apr_status_t rv = apr_stat(&now, path, APR_FINFO_MIN | APR_FINFO_IDENT, r->pool);

    if (rv == APR_SUCCESS && source->table && is_unchanged(&now, &source->seen)) {
        return;
    }
    if (rv == APR_SUCCESS && now.filetype != APR_REG) {
        rv = APR_EBADPATH;
    }
    if (source->table) {
        table_release(source->table);
        source->table = NULL;
    }
    if (rv == APR_SUCCESS) {
        rv = table_read(&source->table, &source->seen, path, r);
    }
    if (rv != APR_SUCCESS && rv != source->status) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r,
                      "MB0309: AuthApiTokenFile %s cannot be read: whoever needs it gets 503",
                      path);
    }
    source->status = rv;
}

/* A reference to the table of the file as it is now. */
static apr_status_t table_acquire(struct table **table, const char *path, request_rec *r)
{
    struct source *source;
    apr_status_t rv;

    if (!tokens.lock) {
        return APR_EINIT;
    }
    apr_thread_mutex_lock(tokens.lock);
    source = apr_hash_get(tokens.sources, path, APR_HASH_KEY_STRING);
    if (!source) {
        source = apr_pcalloc(tokens.pool, sizeof(*source));
        apr_hash_set(tokens.sources, apr_pstrdup(tokens.pool, path), APR_HASH_KEY_STRING, source);
    }
    source_refresh(source, path, r);
    rv = source->status;
    if (rv == APR_SUCCESS) {
        source->table->references++;
        *table = source->table;
    }
    apr_thread_mutex_unlock(tokens.lock);
    return rv;
}

static void table_return(struct table *table)
{
    apr_thread_mutex_lock(tokens.lock);
    table_release(table);
    apr_thread_mutex_unlock(tokens.lock);
}

static void copy_identity(batch_identity_t *to, const batch_identity_t *from, apr_pool_t *p)
{
    to->user = apr_pstrdup(p, from->user);
    to->id = apr_pstrdup(p, from->id);
    to->organization = apr_pstrdup(p, from->organization);
    to->name = apr_pstrdup(p, from->name);
}

/* ---- Looking up -------------------------------------------------------------------------------
 */

/* The entry with that digest, found without a branch that depends on a comparison; -1 = none. */
static int find_digest(const struct table *table, const unsigned char *digest)
{
    unsigned found = 0; /* index + 1 */
    int i;

    for (i = 0; i < table->entries->nelts; i++) {
        const struct entry *entry = &APR_ARRAY_IDX(table->entries, i, struct entry);
        unsigned differs = CRYPTO_memcmp(entry->digest, digest, DIGEST_BYTES) != 0;
        found |= (differs - 1u) & (unsigned)(i + 1);
    }
    return (int)found - 1;
}

apr_status_t batch_tokens_find(batch_identity_t *identity, const char *path, const char *token,
                               request_rec *r)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct table *table;
    apr_status_t rv;
    int index;

    if (!EVP_Digest(token, strlen(token), digest, &length, EVP_sha256(), NULL) ||
        length != DIGEST_BYTES) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "MB0310: libcrypto cannot compute SHA-256");
        return APR_EGENERAL;
    }
    rv = table_acquire(&table, path, r);
    if (rv != APR_SUCCESS) {
        return rv == APR_ENOENT ? APR_EGENERAL : rv;
    }
    index = find_digest(table, digest);
    if (index >= 0) {
        copy_identity(identity, &APR_ARRAY_IDX(table->entries, index, struct entry).identity,
                      r->pool);
    }
    table_return(table);
    return index >= 0 ? APR_SUCCESS : APR_ENOENT;
}

apr_status_t batch_tokens_find_user(batch_identity_t *identity, const char *path, const char *user,
                                    request_rec *r)
{
    const batch_identity_t *known;
    struct table *table;
    apr_status_t rv = table_acquire(&table, path, r);

    if (rv != APR_SUCCESS) {
        return rv == APR_ENOENT ? APR_EGENERAL : rv;
    }
    known = apr_hash_get(table->users, user, APR_HASH_KEY_STRING);
    if (known == &ambiguous) {
        known = NULL;
    }
    if (known) {
        copy_identity(identity, known, r->pool);
    }
    table_return(table);
    return known ? APR_SUCCESS : APR_ENOENT;
}

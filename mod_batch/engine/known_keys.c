#include "engine/known_keys.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/digest_set.h"

/* Keys that one step of the walk asks for, and how long a transaction goes on with steps. */
#define STEP_KEYS 1000
#define STEP_TIME apr_time_from_msec(20)

#define OF_KEY    'k'

struct batch_known_keys {
    batch_digest_set_t *keys;
};

/* The walk, over all its transactions. */
struct walk {
    const batch_row_scope_t *scope;
    batch_digest_set_t *keys;
    apr_int64_t room;  /* for keys */
    const char *after; /* in step_pool */
    int over;          /* at its end, or given up */
    int useless;       /* no set comes of it */
    apr_pool_t *step_pool;
};

static apr_status_t add_key(void *baton, const char *key)
{
    struct walk *walk = baton;
    batch_digest_t digest = batch_digest_make(walk->keys, OF_KEY, key, strlen(key));

    if (batch_digest_set_find(walk->keys, digest)) {
        return APR_SUCCESS; /* the step is repeated */
    }
    if (!walk->room) {
        walk->useless = 1;
        return APR_SUCCESS;
    }
    walk->room--;
    return batch_digest_set_put(walk->keys, digest, 1);
}

static apr_status_t walk_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct walk *walk = baton;
    apr_time_t end = apr_time_now() + STEP_TIME;
    batch_key_walk_t step = {.scope = walk->scope,
                             .after = walk->after,
                             .limit = STEP_KEYS,
                             .fn = add_key,
                             .baton = walk,
                             .p = ptemp};
    int quick = 0;
    apr_status_t rv = batch_tx_keys_quick(tx, &quick, walk->scope);

    walk->useless = !quick;
    walk->over = walk->useless;
    while (rv == APR_SUCCESS && !walk->over) {
        rv = batch_tx_keys_walk(tx, &step);
        walk->over = !step.after || walk->useless;
        if (apr_time_now() > end) {
            break;
        }
    }
    if (rv == APR_SUCCESS && !walk->over) {
        apr_pool_clear(walk->step_pool);
        walk->after = apr_pstrdup(walk->step_pool, step.after); /* which is in ptemp by now */
    }
    return rv;
}

apr_status_t batch_known_keys_make(batch_known_keys_t **known, batch_store_t *store,
                                   const batch_row_scope_t *scope, apr_int64_t limit, apr_pool_t *p)
{
    struct walk walk = {.scope = scope, .room = limit};
    batch_error_t ignored = {0};
    apr_pool_t *set_pool;
    apr_pool_t *ptemp;
    apr_status_t rv = apr_pool_create(&set_pool, p);

    *known = NULL;
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&ptemp, set_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&walk.step_pool, set_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_digest_set_make(&walk.keys, set_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_digest_set_reserve(walk.keys, limit);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    while (rv == APR_SUCCESS && !walk.over) {
        apr_pool_clear(ptemp);
        rv = batch_store_read(store, walk_body, &walk, &ignored, ptemp);
    }
    if (rv != APR_SUCCESS || walk.useless) {
        apr_pool_destroy(set_pool); /* whoever looks for rows will meet a failure again */
        return rv == APR_ENOMEM ? rv : APR_SUCCESS;
    }
    *known = apr_palloc(set_pool, sizeof(**known));
    (*known)->keys = walk.keys;
    return APR_SUCCESS;
}

int batch_known_keys_have(const batch_known_keys_t *known, const char *key, apr_size_t length)
{
    return batch_digest_set_find(known->keys,
                                 batch_digest_make(known->keys, OF_KEY, key, length)) != NULL;
}

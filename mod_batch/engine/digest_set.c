#include "engine/digest_set.h"
#include "text/check.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_siphash.h>

#define FIRST_CAPACITY 64

/* A place of the table. number counts from 1: 0 is a place that is free. */
struct slot {
    apr_uint64_t high;
    apr_uint32_t low;
    apr_uint32_t number;
};

struct batch_digest_set {
    unsigned magic;
#define DIGEST_SET_MAGIC 0xdda60313u
    struct slot *slots;  /* of malloc: a table that has grown too small goes back to the system */
    apr_size_t capacity; /* places, below 2^32 */
    apr_size_t count;
    apr_size_t expected; /* digests in all; 0: who knows */
    unsigned char keys[2][APR_SIPHASH_KSIZE];
};

static apr_status_t free_slots(void *baton)
{
    batch_digest_set_t *set = BATCH_CAST(batch_digest_set_t, baton, DIGEST_SET_MAGIC);

    free(set->slots);
    set->slots = NULL;
    return APR_SUCCESS;
}

apr_status_t batch_digest_set_make(batch_digest_set_t **set, apr_pool_t *p)
{
    batch_digest_set_t *made = apr_pcalloc(p, sizeof(*made));

    made->magic = DIGEST_SET_MAGIC;
    *set = made;
    made->capacity = FIRST_CAPACITY;
    made->slots = calloc(made->capacity, sizeof(*made->slots));
    if (!made->slots) {
        return APR_ENOMEM;
    }
    apr_pool_cleanup_register(p, made, free_slots, apr_pool_cleanup_null);
    return apr_generate_random_bytes(made->keys[0], sizeof(made->keys));
}

batch_digest_t batch_digest_make(const batch_digest_set_t *set, char tag, const void *bytes,
                                 apr_size_t length)
{
    unsigned char key[APR_SIPHASH_KSIZE];
    batch_digest_t digest;

    memcpy(key, set->keys[0], sizeof(key));
    key[0] ^= (unsigned char)tag;
    digest.high = apr_siphash24(bytes, length, key);
    memcpy(key, set->keys[1], sizeof(key));
    key[0] ^= (unsigned char)tag;
    digest.low = (apr_uint32_t)apr_siphash24(bytes, length, key);
    return digest;
}

/* Where the search for a digest begins: the upper half of it, scaled to the table. */
static apr_size_t first_place(apr_size_t capacity, batch_digest_t digest)
{
    return (apr_size_t)((digest.high >> 32) * capacity >> 32);
}

/* The place of the digest, or the free one where it belongs. */
static struct slot *find_slot(struct slot *slots, apr_size_t capacity, batch_digest_t digest)
{
    apr_size_t at = first_place(capacity, digest);

    while (slots[at].number && (slots[at].high != digest.high || slots[at].low != digest.low)) {
        at = at + 1 < capacity ? at + 1 : 0;
    }
    return &slots[at];
}

apr_uint32_t *batch_digest_set_find(batch_digest_set_t *set, batch_digest_t digest)
{
    struct slot *slot = find_slot(set->slots, set->capacity, digest);

    return slot->number ? &slot->number : NULL;
}

static apr_status_t grow(batch_digest_set_t *set, apr_size_t capacity)
{
    struct slot *slots = calloc(capacity, sizeof(*slots));
    apr_size_t i;

    if (!slots) {
        return APR_ENOMEM;
    }
    for (i = 0; i < set->capacity; i++) {
        const struct slot *old = &set->slots[i];
        batch_digest_t digest = {old->high, old->low};

        if (old->number) {
            *find_slot(slots, capacity, digest) = *old;
        }
    }
    free(set->slots);
    set->slots = slots;
    set->capacity = capacity;
    return APR_SUCCESS;
}

/* Places that so many digests need. */
static apr_size_t capacity_for(apr_size_t count)
{
    return count / 4 * 5 + FIRST_CAPACITY;
}

/*
 * The size of the table that follows. What is expected is a guess: it makes the table neither much
 * larger than what is there needs, nor so little larger that the next one follows soon.
 */
static apr_size_t next_capacity(const batch_digest_set_t *set)
{
    apr_size_t least = set->capacity + set->capacity / 4 + FIRST_CAPACITY;
    apr_size_t most = set->capacity * 4;
    apr_size_t wanted = capacity_for(set->expected);

    if (!set->expected) {
        return set->capacity * 2;
    }
    return wanted < least ? least : wanted > most ? most : wanted;
}

void batch_digest_set_expect(batch_digest_set_t *set, apr_int64_t count)
{
    set->expected = (apr_size_t)count;
}

apr_status_t batch_digest_set_reserve(batch_digest_set_t *set, apr_int64_t count)
{
    apr_size_t capacity = capacity_for((apr_size_t)count);

    return capacity > set->capacity ? grow(set, capacity) : APR_SUCCESS;
}

apr_status_t batch_digest_set_put(batch_digest_set_t *set, batch_digest_t digest,
                                  apr_uint32_t number)
{
    struct slot *slot;
    apr_status_t rv = APR_SUCCESS;

    if (set->count >= set->capacity / 5 * 4) {
        rv = grow(set, next_capacity(set));
    }
    if (rv == APR_SUCCESS) {
        slot = find_slot(set->slots, set->capacity, digest);
        slot->high = digest.high;
        slot->low = digest.low;
        slot->number = number;
        set->count++;
    }
    return rv;
}

#include "engine/digest_set.h"
#include "text/check.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_siphash.h>

#define FIRST_CAPACITY 16

/*
 * A table is in so many parts, each of which grows when it is full: there are never two of the
 * whole one.
 */
#define PARTS 16

/* A place of the table. number counts from 1: 0 is a place that is free. */
struct slot {
    apr_uint64_t high;
    apr_uint32_t low;
    apr_uint32_t number;
};

struct part {
    struct slot *slots;  /* of malloc: those that have become too few go back to the system */
    apr_size_t capacity; /* places, below 2^32; 0: nothing has come yet */
    apr_size_t count;
};

struct batch_digest_set {
    unsigned magic;
#define DIGEST_SET_MAGIC 0xdda60313u
    struct part parts[PARTS];
    apr_size_t expected; /* digests in all; 0: who knows */
    unsigned char keys[2][APR_SIPHASH_KSIZE];
};

static apr_status_t free_slots(void *baton)
{
    batch_digest_set_t *set = BATCH_CAST(batch_digest_set_t, baton, DIGEST_SET_MAGIC);
    int i;

    for (i = 0; i < PARTS; i++) {
        free(set->parts[i].slots);
        set->parts[i].slots = NULL;
    }
    return APR_SUCCESS;
}

apr_status_t batch_digest_set_make(batch_digest_set_t **set, apr_pool_t *p)
{
    batch_digest_set_t *made = apr_pcalloc(p, sizeof(*made));

    made->magic = DIGEST_SET_MAGIC;
    *set = made;
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

/* The part of a digest: by the lower half of it, which says nothing of the place in the part. */
static struct part *part_of(batch_digest_set_t *set, batch_digest_t digest)
{
    return &set->parts[digest.high % PARTS];
}

/* Where the search for a digest begins: the upper half of it, scaled to the part. */
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
    const struct part *part = part_of(set, digest);
    struct slot *slot;

    if (!part->capacity) {
        return NULL;
    }
    slot = find_slot(part->slots, part->capacity, digest);
    return slot->number ? &slot->number : NULL;
}

static apr_status_t grow(struct part *part, apr_size_t capacity)
{
    struct slot *slots = calloc(capacity, sizeof(*slots));
    apr_size_t i;

    if (!slots) {
        return APR_ENOMEM;
    }
    for (i = 0; i < part->capacity; i++) {
        const struct slot *old = &part->slots[i];
        batch_digest_t digest = {old->high, old->low};

        if (old->number) {
            *find_slot(slots, capacity, digest) = *old;
        }
    }
    free(part->slots);
    part->slots = slots;
    part->capacity = capacity;
    return APR_SUCCESS;
}

/*
 * Places of a part where so many digests are in all of them. By chance there are more in one than
 * in another: by less than 1.6 % where they are many.
 */
static apr_size_t capacity_for(apr_size_t count)
{
    apr_size_t share = count / PARTS;

    return share / 4 * 5 + share / 64 + FIRST_CAPACITY;
}

/*
 * The size that a full part gets. What is expected is a guess: it makes the part neither much
 * larger than what is there needs, nor so little larger that the next one follows soon.
 */
static apr_size_t next_capacity(const batch_digest_set_t *set, const struct part *part)
{
    apr_size_t least = part->capacity + part->capacity / 8 + FIRST_CAPACITY;
    apr_size_t most = part->capacity * 4 + FIRST_CAPACITY;
    apr_size_t wanted = capacity_for(set->expected);

    if (!set->expected) {
        return part->capacity * 2 + FIRST_CAPACITY;
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
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < PARTS; i++) {
        struct part *part = &set->parts[i];

        rv = capacity > part->capacity ? grow(part, capacity) : APR_SUCCESS;
    }
    return rv;
}

apr_status_t batch_digest_set_put(batch_digest_set_t *set, batch_digest_t digest,
                                  apr_uint32_t number)
{
    struct part *part = part_of(set, digest);
    struct slot *slot;
    apr_status_t rv = APR_SUCCESS;

    if (part->count >= part->capacity / 5 * 4) {
        rv = grow(part, next_capacity(set, part));
    }
    if (rv == APR_SUCCESS) {
        slot = find_slot(part->slots, part->capacity, digest);
        slot->high = digest.high;
        slot->low = digest.low;
        slot->number = number;
        part->count++;
    }
    return rv;
}

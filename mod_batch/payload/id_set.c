#include "payload/id_set.h"

#include <string.h>

#include <apr_general.h>
#include <apr_siphash.h>
#include <apr_strings.h>

#define FIRST_CAPACITY 64

typedef struct id_slot {
    apr_uint64_t hash;
    apr_uint32_t place; /* in items, from 1; 0 = the slot is free */
} id_slot_t;

struct batch_id_set {
    apr_pool_t *p;
    apr_int64_t max;
    apr_array_header_t *items;
    id_slot_t *slots;
    apr_size_t capacity; /* a power of two, never more than half full */
    unsigned char key[APR_SIPHASH_KSIZE];
};

apr_status_t batch_id_set_make(batch_id_set_t **set, apr_int64_t max, apr_pool_t *p)
{
    batch_id_set_t *made = apr_pcalloc(p, sizeof(*made));

    made->p = p;
    /* apr_array_header_t counts in int. */
    made->max = max < APR_INT32_MAX / 2 ? max : APR_INT32_MAX / 2;
    made->items = apr_array_make(p, FIRST_CAPACITY / 2, sizeof(batch_item_t));
    made->capacity = FIRST_CAPACITY;
    made->slots = apr_pcalloc(p, made->capacity * sizeof(*made->slots));
    *set = made;
    return apr_generate_random_bytes(made->key, sizeof(made->key));
}

/** The slot that holds the id, or the free one where it belongs. */
static id_slot_t *find_slot(const batch_id_set_t *set, apr_uint64_t hash, const char *id,
                            apr_size_t length)
{
    apr_size_t at = (apr_size_t)hash & (set->capacity - 1);

    while (set->slots[at].place) {
        const id_slot_t *slot = &set->slots[at];
        const batch_item_t *item =
            &APR_ARRAY_IDX(set->items, (int)slot->place - 1, const batch_item_t);

        if (slot->hash == hash && item->key_length == length && !memcmp(item->key, id, length)) {
            break;
        }
        at = (at + 1) & (set->capacity - 1);
    }
    return &set->slots[at];
}

/** Doubles the table. */
static void grow(batch_id_set_t *set)
{
    const id_slot_t *old = set->slots;
    apr_size_t old_capacity = set->capacity;

    set->capacity *= 2;
    set->slots = apr_pcalloc(set->p, set->capacity * sizeof(*set->slots));
    for (apr_size_t i = 0; i < old_capacity; i++) {
        apr_size_t at = (apr_size_t)old[i].hash & (set->capacity - 1);

        if (!old[i].place) {
            continue;
        }
        while (set->slots[at].place) {
            at = (at + 1) & (set->capacity - 1);
        }
        set->slots[at] = old[i];
    }
}

apr_status_t batch_id_set_add(batch_id_set_t *set, const char *id, apr_size_t length,
                              apr_int64_t ordinal)
{
    apr_uint64_t hash = apr_siphash24(id, length, set->key);
    id_slot_t *slot = find_slot(set, hash, id, length);
    batch_item_t *item;

    if (slot->place) {
        return APR_SUCCESS;
    }
    if (set->items->nelts >= set->max) {
        return BATCH_ETOOLARGE;
    }
    item = apr_array_push(set->items);
    memset(item, 0, sizeof(*item));
    item->ordinal = ordinal;
    item->key = apr_pstrmemdup(set->p, id, length);
    item->key_length = length;
    slot->hash = hash;
    slot->place = (apr_uint32_t)set->items->nelts;
    if ((apr_size_t)set->items->nelts > set->capacity / 2) {
        grow(set);
    }
    return APR_SUCCESS;
}

apr_array_header_t *batch_id_set_items(const batch_id_set_t *set)
{
    return set->items;
}

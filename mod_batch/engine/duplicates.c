#include "engine/duplicates.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "engine/digest_set.h"

/* Different things that a digest can be of. */
#define OF_ID    'i'
#define OF_MATCH 'm' /* of any item with that match key */
#define OF_MATCH_ALONE                                                                             \
    'a' /* of an item with that match key and no id, where another came later                      \
         */
#define OF_CONTENT 'c'

/* In the number of an item under OF_MATCH: it has no id, so that no second digest is needed. */
#define ALONE 0x80000000U

struct batch_duplicates {
    const batch_terms_t *terms;
    batch_digest_set_t *seen; /* digest -> ordinal + 1 */
    apr_int64_t count;        /* of the items that will be offered; 0: who knows */
    apr_int64_t expected;     /* of them, where that is not known */
    int each;                 /* digests of an item; 0: none has come */
    apr_int64_t offered;
    unsigned char *dropped;    /* a bit for each item; NULL: none is */
    apr_int64_t dropped_bytes; /* as many items as that can tell of are eight times as many */
    int met;                   /* there are duplicates */
    apr_pool_t *p;
    char *text; /* what a digest is made of */
    apr_size_t used;
    apr_size_t size;
};

static apr_status_t free_text(void *baton)
{
    free(((batch_duplicates_t *)baton)->text);
    return APR_SUCCESS;
}

apr_status_t batch_duplicates_make(batch_duplicates_t **duplicates, const batch_terms_t *terms,
                                   apr_int64_t count, apr_pool_t *p)
{
    batch_duplicates_t *made = apr_pcalloc(p, sizeof(*made));

    made->terms = terms;
    made->count = count;
    made->p = p;
    apr_pool_cleanup_register(p, made, free_text, apr_pool_cleanup_null);
    *duplicates = made;
    return batch_digest_set_make(&made->seen, p);
}

/* ---- What digests are made of ------------------------------------------------------------------
 */

static apr_status_t append(batch_duplicates_t *duplicates, const char *bytes, apr_size_t length)
{
    apr_size_t needed = duplicates->used + length;
    apr_size_t size = duplicates->size ? duplicates->size : 1024;
    char *text;

    if (needed > duplicates->size) {
        while (size < needed) {
            size *= 2;
        }
        text = realloc(duplicates->text, size);
        if (!text) {
            return APR_ENOMEM;
        }
        duplicates->text = text;
        duplicates->size = size;
    }
    memcpy(duplicates->text + duplicates->used, bytes, length);
    duplicates->used = needed;
    return APR_SUCCESS;
}

/* Appends a value with its kind and its end, so that two lists of values never look the same. */
static apr_status_t append_value(batch_duplicates_t *duplicates, const batch_value_t *value)
{
    char kind = value->value ? (char)('0' + value->kind) : '~';
    apr_status_t rv = append(duplicates, &kind, 1);

    if (rv == APR_SUCCESS && value->value) {
        rv = append(duplicates, value->value, strlen(value->value) + 1);
    }
    return rv;
}

/* 1 if the item has all match values (properties count); then they are the text. */
static int take_match(batch_duplicates_t *duplicates, apr_status_t *rv,
                      const batch_source_item_t *item)
{
    const batch_terms_t *terms = duplicates->terms;
    const apr_array_header_t *match = terms->resource->match;
    int i;

    duplicates->used = 0;
    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);
        const batch_value_t *value = batch_value_find(item->values, item->value_count, name);

        if (!value) {
            value = batch_value_find(terms->properties, terms->property_count, name);
        }
        if (!value || !value->value) {
            return 0;
        }
        *rv = append_value(duplicates, value);
        if (*rv != APR_SUCCESS) {
            return 0;
        }
    }
    return match->nelts > 0;
}

static int compare_values(const void *a, const void *b)
{
    return strcmp((*(const batch_value_t *const *)a)->name,
                  (*(const batch_value_t *const *)b)->name);
}

/* The members in order of their names are the text, whatever their order in the item. */
static apr_status_t take_content(batch_duplicates_t *duplicates, const batch_source_item_t *item)
{
    const batch_value_t *few[32];
    const batch_value_t **sorted = few;
    apr_status_t rv = APR_SUCCESS;
    int i;

    duplicates->used = 0;
    if (item->value_count > 32) {
        sorted = malloc((size_t)item->value_count * sizeof(*sorted));
        if (!sorted) {
            return APR_ENOMEM;
        }
    }
    for (i = 0; i < item->value_count; i++) {
        sorted[i] = &item->values[i];
    }
    qsort(sorted, (size_t)item->value_count, sizeof(*sorted), compare_values);
    for (i = 0; rv == APR_SUCCESS && i < item->value_count; i++) {
        rv = append(duplicates, sorted[i]->name, strlen(sorted[i]->name) + 1);
        if (rv == APR_SUCCESS) {
            rv = append_value(duplicates, sorted[i]);
        }
    }
    if (sorted != few) {
        free(sorted);
    }
    return rv;
}

/* ---- Which are duplicates ----------------------------------------------------------------------
 */

/* The first that is dropped makes room for all that are expected. */
static void make_room(batch_duplicates_t *duplicates, apr_int64_t ordinal)
{
    apr_int64_t count = ordinal + ordinal / 2;
    unsigned char *bits;
    apr_int64_t bytes;

    bytes = (count > duplicates->count ? count : duplicates->count) / 8 + 1;
    bits = apr_pcalloc(duplicates->p, (apr_size_t)bytes);
    if (duplicates->dropped_bytes) {
        memcpy(bits, duplicates->dropped, (apr_size_t)duplicates->dropped_bytes);
    }
    duplicates->dropped = bits;
    duplicates->dropped_bytes = bytes;
}

static void drop(batch_duplicates_t *duplicates, apr_int64_t ordinal)
{
    if (ordinal / 8 >= duplicates->dropped_bytes) {
        make_room(duplicates, ordinal);
    }
    duplicates->dropped[ordinal / 8] |= (unsigned char)(1u << (ordinal % 8));
}

/* The item has the digest of another: one of them is a duplicate, or both are. */
static void meet(batch_duplicates_t *duplicates, int *dropped, const apr_uint32_t *other)
{
    apr_int64_t ordinal;

    if (!other) {
        return;
    }
    duplicates->met = 1;
    ordinal = (apr_int64_t)(*other & ~ALONE) - 1;
    switch (duplicates->terms->duplicate_handling) {
    case BATCH_DUPLICATES_USE_LAST:
        drop(duplicates, ordinal);
        break;
    case BATCH_DUPLICATES_IGNORE_ALL:
        drop(duplicates, ordinal);
        drop(duplicates, duplicates->offered);
        break;
    default:
        *dropped = 1;
        break;
    }
}

/* From now on that item is who is seen with the digest. */
static apr_status_t remember_number(batch_duplicates_t *duplicates, batch_digest_t digest,
                                    apr_uint32_t mine)
{
    apr_uint32_t *number = batch_digest_set_find(duplicates->seen, digest);

    if (!number) {
        return batch_digest_set_put(duplicates->seen, digest, mine);
    }
    *number = mine;
    return APR_SUCCESS;
}

/* From now on the item is who is seen with that digest, unless it was dropped at once. */
static apr_status_t remember(batch_duplicates_t *duplicates, int dropped, batch_digest_t digest)
{
    return dropped ? APR_SUCCESS
                   : remember_number(duplicates, digest, (apr_uint32_t)duplicates->offered + 1);
}

/* Meets whoever has been seen with the text under tag. */
static void meet_text(batch_duplicates_t *duplicates, int *dropped, char tag)
{
    batch_digest_t digest =
        batch_digest_make(duplicates->seen, tag, duplicates->text, duplicates->used);

    meet(duplicates, dropped, batch_digest_set_find(duplicates->seen, digest));
}

static apr_status_t remember_text(batch_duplicates_t *duplicates, int dropped, char tag)
{
    return remember(duplicates, dropped,
                    batch_digest_make(duplicates->seen, tag, duplicates->text, duplicates->used));
}

static apr_status_t offer_id(batch_duplicates_t *duplicates, int *dropped, const batch_value_t *id)
{
    apr_status_t rv;

    duplicates->used = 0;
    rv = append_value(duplicates, id);
    if (rv == APR_SUCCESS) {
        meet_text(duplicates, dropped, OF_ID);
        rv = remember_text(duplicates, *dropped, OF_ID);
    }
    return rv;
}

/* An item with an id meets by its match key only those without one; one without meets all. */
static apr_status_t offer_match(batch_duplicates_t *duplicates, int *dropped, int has_id)
{
    batch_digest_t all =
        batch_digest_make(duplicates->seen, OF_MATCH, duplicates->text, duplicates->used);
    apr_uint32_t *last = batch_digest_set_find(duplicates->seen, all);
    apr_uint32_t mine = (apr_uint32_t)duplicates->offered + 1;
    apr_status_t rv = APR_SUCCESS;

    if (!has_id || (last && *last & ALONE)) {
        meet(duplicates, dropped, last);
    } else if (last) {
        meet_text(duplicates, dropped, OF_MATCH_ALONE);
    }
    if (*dropped) {
        return APR_SUCCESS;
    }
    if (has_id && last && *last & ALONE) {
        rv = remember_number(
            duplicates,
            batch_digest_make(duplicates->seen, OF_MATCH_ALONE, duplicates->text, duplicates->used),
            *last & ~ALONE);
    }
    return rv == APR_SUCCESS ? remember_number(duplicates, all, has_id ? mine : mine | ALONE) : rv;
}

static apr_status_t offer_content(batch_duplicates_t *duplicates, int *dropped,
                                  const batch_source_item_t *item)
{
    apr_status_t rv = take_content(duplicates, item);

    if (rv == APR_SUCCESS) {
        meet_text(duplicates, dropped, OF_CONTENT);
        rv = remember_text(duplicates, *dropped, OF_CONTENT);
    }
    return rv;
}

/* The table gets the size at once that it needs if the other items are like the first one. */
static apr_status_t reserve(batch_duplicates_t *duplicates, const batch_source_item_t *first)
{
    const batch_terms_t *terms = duplicates->terms;

    duplicates->each =
        batch_action_is(terms->action, BATCH_ACTION_CHANGES) && terms->resource->match->nelts &&
                batch_value_find(first->values, first->value_count, terms->resource->key)
            ? 2
            : 1;
    batch_digest_set_expect(duplicates->seen, duplicates->expected * duplicates->each);
    return batch_digest_set_reserve(duplicates->seen, duplicates->count * duplicates->each);
}

void batch_duplicates_expect(batch_duplicates_t *duplicates, apr_int64_t count)
{
    duplicates->expected = count;
    batch_digest_set_expect(duplicates->seen, count * duplicates->each);
}

int batch_duplicates_are_there(const batch_duplicates_t *duplicates)
{
    return duplicates->met;
}

apr_status_t batch_duplicates_offer(batch_duplicates_t *duplicates, int *dropped,
                                    const batch_source_item_t *item)
{
    const batch_terms_t *terms = duplicates->terms;
    const batch_value_t *id = NULL;
    apr_status_t rv = APR_SUCCESS;
    int has_match = 0;

    *dropped = 0;
    if (!duplicates->offered) {
        rv = reserve(duplicates, item);
    }
    if (rv == APR_SUCCESS && !item->wrong) {
        id = batch_value_find(item->values, item->value_count, terms->resource->key);
        id = id && id->value ? id : NULL;
        if (id) {
            rv = offer_id(duplicates, dropped, id);
        }
        if (rv == APR_SUCCESS && !*dropped &&
            batch_action_is(terms->action, BATCH_ACTION_CHANGES)) {
            has_match = take_match(duplicates, &rv, item);
        }
        if (rv == APR_SUCCESS && has_match) {
            rv = offer_match(duplicates, dropped, id != NULL);
        } else if (rv == APR_SUCCESS && !id) {
            rv = offer_content(duplicates, dropped, item);
        }
    }
    duplicates->offered++;
    return rv;
}

int batch_duplicates_dropped(const batch_duplicates_t *duplicates, apr_int64_t ordinal)
{
    return ordinal / 8 < duplicates->dropped_bytes &&
           (duplicates->dropped[ordinal / 8] >> (ordinal % 8) & 1);
}

#include "engine/selection.h"

#include <stdlib.h>
#include <string.h>

#include "engine/validation.h"

/* ---- Order ----------------------------------------------------------------------------------- */

/* An item to be sorted: its first bytes decide between most, without a look at the key. */
typedef struct sorted {
    apr_uint64_t beginning;
    batch_item_t item;
    int is_number; /* of a type of integers: it is one */
} sorted_t;

/* The first eight bytes of the key as a number that is as large as they come late in the order. */
static apr_uint64_t beginning_of(const batch_item_t *item)
{
    apr_uint64_t number = 0;
    apr_size_t i;

    for (i = 0; i < sizeof(number); i++) {
        number = number << 8 | (i < item->key_length ? (unsigned char)item->key[i] : 0);
    }
    return number;
}

/* The same of a whole number: strtoll gives the nearest for one that is beyond 64 bits. */
static apr_uint64_t beginning_of_number(const batch_item_t *item)
{
    return (apr_uint64_t)strtoll(item->key, NULL, 10) ^ 1ULL << 63;
}

static int compare_texts(const batch_item_t *left, const batch_item_t *right)
{
    apr_size_t shorter =
        left->key_length < right->key_length ? left->key_length : right->key_length;
    int order = memcmp(left->key, right->key, shorter);

    if (order) {
        return order;
    }
    return (left->key_length > right->key_length) - (left->key_length < right->key_length);
}

/* Of numbers without zeros in front the longer one is further from zero. */
static int compare_numbers(const batch_item_t *left, const batch_item_t *right)
{
    int is_negative = *left->key == '-';
    int order;

    if (is_negative != (*right->key == '-')) {
        return is_negative ? -1 : 1;
    }
    order = left->key_length == right->key_length
                ? memcmp(left->key, right->key, left->key_length)
                : (left->key_length > right->key_length) - (left->key_length < right->key_length);
    return is_negative ? -order : order;
}

static int compare_keys(const sorted_t *one, const sorted_t *other)
{
    if (one->is_number != other->is_number) {
        return one->is_number ? -1 : 1;
    }
    if (one->beginning != other->beginning) {
        return one->beginning > other->beginning ? 1 : -1;
    }
    return one->is_number ? compare_numbers(&one->item, &other->item)
                          : compare_texts(&one->item, &other->item);
}

static int compare(const void *a, const void *b)
{
    const sorted_t *one = a;
    const sorted_t *other = b;
    int order = compare_keys(one, other);

    return order ? order
                 : (one->item.ordinal > other->item.ordinal) -
                       (one->item.ordinal < other->item.ordinal);
}

static void prepare(sorted_t *sorted, const batch_item_t *item, batch_key_type_e type,
                    apr_pool_t *p)
{
    const char *spelling = batch_key_spell(item->key, type, p);

    sorted->item = *item;
    if (spelling && spelling != item->key) {
        sorted->item.key = spelling;
        sorted->item.key_length = strlen(spelling);
    }
    sorted->is_number = spelling && type == BATCH_KEY_INTEGER;
    sorted->beginning =
        sorted->is_number ? beginning_of_number(&sorted->item) : beginning_of(&sorted->item);
}

apr_array_header_t *batch_selection_sort(const apr_array_header_t *selected, batch_key_type_e type,
                                         apr_pool_t *p)
{
    int count = selected ? selected->nelts : 0;
    apr_array_header_t *items = apr_array_make(p, count, sizeof(batch_item_t));
    sorted_t *sorted = apr_palloc(p, (apr_size_t)(unsigned)(count + 1) * sizeof(*sorted));
    int i;

    for (i = 0; i < count; i++) {
        prepare(&sorted[i], &APR_ARRAY_IDX(selected, i, batch_item_t), type, p);
    }
    qsort(sorted, (size_t)count, sizeof(*sorted), compare);
    for (i = 0; i < count; i++) {
        if (!i || compare_keys(&sorted[i - 1], &sorted[i])) {
            APR_ARRAY_PUSH(items, batch_item_t) = sorted[i].item;
        }
    }
    return items;
}

/* ---- Stored items ---------------------------------------------------------------------------- */

struct segment_target {
    batch_tx_t *tx;
    const batch_job_t *job;
};

static apr_status_t insert_segment(void *baton, const batch_segment_t *segment)
{
    struct segment_target *target = baton;

    return batch_tx_segment_insert(target->tx, target->job, segment);
}

apr_status_t batch_selection_store(batch_tx_t *tx, const batch_job_t *job,
                                   const apr_array_header_t *items, apr_pool_t *ptemp)
{
    struct segment_target target = {tx, job};
    batch_segment_writer_t *writer = batch_segment_writer_make(insert_segment, &target, ptemp);
    apr_status_t rv;
    int i;

    for (i = 0; i < items->nelts; i++) {
        rv = batch_segment_write(writer, &APR_ARRAY_IDX(items, i, batch_item_t));
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return batch_segment_writer_finish(writer);
}

static int compare_ordinals(const void *a, const void *b)
{
    apr_int64_t one = ((const batch_item_t *)a)->ordinal;
    apr_int64_t other = ((const batch_item_t *)b)->ordinal;

    return (one > other) - (one < other);
}

apr_status_t batch_selection_read(batch_tx_t *tx, apr_array_header_t **items,
                                  const batch_job_t *job, apr_pool_t *p)
{
    apr_array_header_t *all = apr_array_make(p, (int)job->stored, sizeof(batch_item_t));
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && all->nelts < job->stored) {
        batch_segment_reader_t reader;
        batch_segment_t segment;

        rv = batch_tx_segment_get(tx, &segment, job, all->nelts, p);
        if (rv != APR_SUCCESS) {
            return rv == BATCH_ENOTFOUND ? APR_EGENERAL : rv;
        }
        batch_segment_reader_init(&reader, &segment, p);
        while (rv == APR_SUCCESS) {
            batch_item_t item;

            rv = batch_segment_read(&reader, &item);
            if (rv == APR_SUCCESS) {
                APR_ARRAY_PUSH(all, batch_item_t) = item;
            }
        }
        rv = rv == APR_EOF && segment.count ? APR_SUCCESS : APR_EGENERAL;
    }
    qsort(all->elts, (size_t)all->nelts, sizeof(batch_item_t), compare_ordinals);
    *items = all;
    return rv;
}

#include "engine/selection.h"

#include <stdlib.h>
#include <string.h>

/* ---- Order ----------------------------------------------------------------------------------- */

/* An item to be sorted: its first bytes decide between most, without a look at the key. */
typedef struct sorted {
    apr_uint64_t beginning;
    const batch_item_t *item;
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

static int compare_keys(const void *a, const void *b)
{
    const sorted_t *one = a;
    const sorted_t *other = b;
    const batch_item_t *left = one->item;
    const batch_item_t *right = other->item;
    apr_size_t shorter =
        left->key_length < right->key_length ? left->key_length : right->key_length;
    int order;

    if (one->beginning != other->beginning) {
        return one->beginning > other->beginning ? 1 : -1;
    }
    order = memcmp(left->key, right->key, shorter);

    if (order) {
        return order;
    }
    return (left->key_length > right->key_length) - (left->key_length < right->key_length);
}

apr_array_header_t *batch_selection_sort(const apr_array_header_t *selected, apr_pool_t *p)
{
    apr_array_header_t *items =
        apr_array_make(p, selected ? selected->nelts : 0, sizeof(batch_item_t));
    sorted_t *sorted = apr_palloc(p, (apr_size_t)items->nalloc * sizeof(*sorted));
    int i;

    for (i = 0; selected && i < selected->nelts; i++) {
        sorted[i].item = &APR_ARRAY_IDX(selected, i, batch_item_t);
        sorted[i].beginning = beginning_of(sorted[i].item);
    }
    if (selected) {
        qsort(sorted, (size_t)selected->nelts, sizeof(*sorted), compare_keys);
    }
    for (i = 0; selected && i < selected->nelts; i++) {
        APR_ARRAY_PUSH(items, batch_item_t) = *sorted[i].item;
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

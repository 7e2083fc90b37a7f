#include "engine/stored_items.h"

#include <apr_strings.h>

#include "store/segment.h"
#include "text/check.h"
#include "text/sorter.h"

struct batch_stored_items {
    unsigned magic;
#define STORED_ITEMS_MAGIC 0x5e90b1f2u
    const batch_engine_t *engine;
    const batch_job_t *job;
    apr_int64_t position; /* stored items that were read, … */
    apr_int64_t given;    /* … and that were given */
    /* A segment that has its items in order: */
    batch_segment_reader_t reader;
    apr_pool_t *psegment;
    apr_pool_t *pitem;
    /* Others, until they are complete: */
    batch_sorter_t *sorter; /* NULL: none */
    apr_pool_t *psorter;
    batch_segment_writer_t *writer; /* of one item at a time */
    apr_int64_t ordinal;            /* of the item that is written */
    batch_error_t *err;
};

apr_status_t batch_stored_items_make(batch_stored_items_t **items, const batch_engine_t *engine,
                                     const batch_job_t *job, apr_pool_t *p)
{
    batch_stored_items_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv = apr_pool_create(&made->psegment, p);

    made->magic = STORED_ITEMS_MAGIC;
    made->engine = engine;
    made->job = job;
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&made->pitem, p);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&made->psorter, p);
    }
    *items = made;
    return rv;
}

/* Reads the segment at the position, and its items with it. */
static apr_status_t read_segment(batch_stored_items_t *items, batch_segment_t *segment,
                                 batch_error_t *err)
{
    apr_status_t rv;

    apr_pool_clear(items->psegment);
    rv = batch_job_segment(segment, items->engine, items->job, items->position, err,
                           items->psegment);
    if (rv == APR_SUCCESS) {
        items->position += segment->count;
        batch_segment_reader_init(&items->reader, segment, items->psegment);
    }
    return rv;
}

/* ---- Sorting ----------------------------------------------------------------------------------
 */

static apr_status_t put_item(void *baton, const batch_segment_t *segment)
{
    batch_stored_items_t *items = BATCH_CAST(batch_stored_items_t, baton, STORED_ITEMS_MAGIC);
    batch_sort_key_t key;

    batch_sort_key_number(&key, items->ordinal);
    return batch_sorter_add(items->sorter, &key, segment->data, segment->length, items->err);
}

/* Adds the segment's items to those that are sorted; *last: the highest ordinal of them. */
static apr_status_t add_segment(batch_stored_items_t *items, apr_int64_t *last)
{
    batch_item_t item;
    apr_status_t rv;

    while ((rv = batch_segment_read(&items->reader, &item)) == APR_SUCCESS) {
        *last = item.ordinal > *last ? item.ordinal : *last;
        items->ordinal = item.ordinal;
        rv = batch_segment_write(items->writer, &item);
        if (rv == APR_SUCCESS) {
            rv = batch_segment_writer_finish(items->writer);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* Sorts the segment with what follows it, until no item is missing between them. */
static apr_status_t sort_items(batch_stored_items_t *items, batch_error_t *err)
{
    batch_segment_t segment;
    apr_int64_t last = 0;
    apr_status_t rv;

    apr_pool_clear(items->psorter);
    items->err = err;
    items->sorter = batch_sorter_make(0, items->psorter);
    items->writer = batch_segment_writer_make(put_item, items, items->psorter);
    rv = add_segment(items, &last);
    while (rv == APR_SUCCESS && last >= items->position) {
        rv = items->position < items->job->stored ? read_segment(items, &segment, err)
                                                  : APR_EGENERAL;
        if (rv == APR_SUCCESS) {
            rv = add_segment(items, &last);
        }
    }
    return rv;
}

/* ---- The items --------------------------------------------------------------------------------
 */

/* 1 if the segment has its items in their order, and no other; leaves the reader at its begin. */
static int is_in_order(const batch_stored_items_t *items, const batch_segment_t *segment,
                       apr_status_t *rv)
{
    batch_segment_t copy = *segment;
    batch_segment_reader_t reader;
    batch_item_t item;
    apr_int64_t next = segment->first;

    copy.data = apr_pmemdup(items->psegment, segment->data, segment->length + 1);
    batch_segment_reader_init(&reader, &copy, items->psegment);
    while ((*rv = batch_segment_read(&reader, &item)) == APR_SUCCESS && item.ordinal == next) {
        next++;
    }
    *rv = *rv == APR_EOF ? APR_SUCCESS : *rv;
    return next == segment->first + segment->count;
}

/* Reads on: a segment, or several that are sorted. */
static apr_status_t read_on(batch_stored_items_t *items, batch_error_t *err)
{
    batch_segment_t segment;
    apr_status_t rv = read_segment(items, &segment, err);

    if (rv != APR_SUCCESS || is_in_order(items, &segment, &rv) || rv != APR_SUCCESS) {
        return rv;
    }
    return sort_items(items, err);
}

/* The next of those that are sorted. */
static apr_status_t next_sorted(batch_stored_items_t *items, batch_item_t *item, batch_error_t *err)
{
    batch_segment_t segment = {items->given, 1, NULL, 0};
    batch_segment_reader_t reader;
    apr_status_t rv = batch_sorter_next(items->sorter, &segment.data, &segment.length, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    batch_segment_reader_init(&reader, &segment, items->pitem);
    rv = batch_segment_read(&reader, item);
    return rv == APR_SUCCESS && item->ordinal != items->given ? APR_EGENERAL : rv;
}

apr_status_t batch_stored_items_next(batch_stored_items_t *items, batch_item_t *item,
                                     batch_error_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    BATCH_CHECK(items, STORED_ITEMS_MAGIC);
    apr_pool_clear(items->pitem);
    if (items->given == items->job->stored) {
        return APR_EOF;
    }
    if (items->given == items->position) {
        items->sorter = NULL;
        rv = read_on(items, err);
    }
    if (rv == APR_SUCCESS) {
        rv = items->sorter ? next_sorted(items, item, err)
                           : batch_segment_read(&items->reader, item);
    }
    items->given += rv == APR_SUCCESS;
    return rv == APR_EOF ? APR_EGENERAL : rv;
}

apr_int64_t batch_stored_items_given(const batch_stored_items_t *items)
{
    return items->given;
}

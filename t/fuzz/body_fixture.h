/* What the fuzz targets of bodies of the resources API share. */
#ifndef BATCH_FUZZ_BODY_FIXTURE_H
#define BATCH_FUZZ_BODY_FIXTURE_H

#include <stdint.h>

#include "../unit/slices.h"

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

/** A result that can be compared: an FNV-1a hash of all that was read. */
static void digest(uint64_t *sum, const char *text)
{
    for (text = text ? text : "\xff"; *text; text++) {
        *sum = (*sum ^ (unsigned char)*text) * 0x100000001b3;
    }
    *sum = (*sum ^ 0x100) * 0x100000001b3;
}

/** Checks an item of a target's own body, and adds it to *sum. */
typedef void check_item_fn(uint64_t *sum, const batch_source_item_t *item, apr_pool_t *p);

static uint64_t read_once(const batch_item_source_t *source, check_item_fn *check_item,
                          apr_int64_t max_items, apr_pool_t *p)
{
    batch_source_item_t item;
    batch_error_t err = {0};
    apr_int64_t count = 0;
    uint64_t sum = 0;
    apr_status_t status;

    check(source->rewind(source->baton, &err) == APR_SUCCESS);
    while ((status = source->next(source->baton, &item, &err, p)) == APR_SUCCESS) {
        check_item(&sum, &item, p);
        count++;
    }
    check(status == APR_EOF);
    check(count == (source->count < max_items ? source->count : max_items));
    return sum;
}

/** Reads all items of a body, and reads them again: they must come the same. A digest of them. */
static uint64_t read_items(const batch_item_source_t *source, check_item_fn *check_item,
                           apr_int64_t max_items, apr_pool_t *p)
{
    uint64_t sum = read_once(source, check_item, max_items, p);

    check(read_once(source, check_item, max_items, p) == sum);
    return sum;
}

#endif

/*
 * SQLite: items in the order of their keys. Those that lie side by side in the index of the keys
 * are on the same pages of it, which are found, read and changed one after the other.
 */
#include "store/sqlite3/run.h"

#include <stdlib.h>
#include <string.h>

/* Fewer items are not worth it. */
#define WORTH 8

/* Items of the first piece of a call, and how much larger one may be than all before it. */
#define FIRST_PIECE 16
#define GROWTH      16

typedef struct place {
    apr_uint64_t head; /* the key's first bytes */
    const char *key;
    int number;
} place_t;

static apr_uint64_t head_of(const char *key)
{
    apr_uint64_t head = 0;
    apr_size_t i;

    for (i = 0; i < sizeof(head) && key[i]; i++) {
        head |= (apr_uint64_t)(unsigned char)key[i] << 8 * (sizeof(head) - 1 - i);
    }
    return head;
}

static int compare(const void *a, const void *b)
{
    const place_t *one = a, *other = b;
    int difference;

    if (one->head != other->head) {
        return one->head < other->head ? -1 : 1;
    }
    difference = strcmp(one->key, other->key);
    return difference ? difference : one->number - other->number;
}

int *batch_sqlite3_order(const batch_item_t *items, int count, apr_pool_t *p)
{
    int *order = apr_palloc(p, (apr_size_t)(unsigned)(count + 1) * sizeof(*order));
    place_t *places = NULL;
    int sorted = count >= WORTH;
    int i;

    for (i = 0; sorted && i < count; i++) {
        sorted = items[i].key != NULL;
    }
    if (sorted) {
        places = apr_palloc(p, (apr_size_t)(unsigned)count * sizeof(*places));
        for (i = 0; i < count; i++) {
            places[i] = (place_t){head_of(items[i].key), items[i].key, i};
        }
        qsort(places, (apr_size_t)(unsigned)count, sizeof(*places), compare);
    }
    for (i = 0; i < count; i++) {
        order[i] = places ? places[i].number : i;
    }
    return order;
}

int batch_sqlite3_piece(const batch_rows_t *rows, apr_time_t begun)
{
    const apr_time_t now = apr_time_now();
    const double took = (double)(now > begun ? now - begun : 1);
    const int rest = rows->count - rows->done;
    double size = FIRST_PIECE;

    if (!rows->done && now > rows->deadline) {
        size = 1;
    } else if (rows->done) {
        size = (double)(rows->deadline - now) * (double)rows->done / took;
        size = size < (double)rows->done * GROWTH ? size : (double)rows->done * GROWTH;
        size = size < 1 ? 1 : size;
    }
    return size < rest ? (int)size : rest;
}

#include "engine/early.h"

#include <string.h>

#include "engine/duplicates.h"
#include "engine/judgement.h"
#include "text/check.h"
#include "text/numbers.h"
#include "text/sorter.h"
#include "text/text_buffer.h"

struct batch_early {
    unsigned magic;
#define EARLY_MAGIC 0x3b8e51d6u
    batch_terms_t terms;
    int is_independent;
    batch_duplicates_t *duplicates;
    batch_segment_writer_t *writer; /* of one item at a time */
    const batch_item_t *item;       /* which is written */
    batch_sorter_t *sorter;
    apr_pool_t *psorter;         /* its own: it goes where it is of no use */
    batch_error_t err;           /* of its file */
    batch_text_buffer_t segment; /* the one that was asked for last */
    char *next;                  /* an item that the sorter has given, and none has; NULL: none */
    apr_size_t next_length;
    apr_int64_t count;   /* items so far */
    apr_int64_t fetched; /* of those in segments that were asked for */
    int is_clean;        /* all of them were accepted, and are encoded */
    int has_ended;
};

int batch_early_suits(const batch_engine_t *engine, const batch_terms_t *terms)
{
    /* The database is asked about each key: then only duplicates might be told early. */
    int tells = !batch_action_is(terms->action, BATCH_ACTION_NEEDS_KEY) ||
                terms->duplicate_handling != BATCH_DUPLICATES_USE_FIRST;

    /* As for the thread that reads ahead: a signal must not end it. */
    return engine->read_ahead && terms->mode != BATCH_MODE_SYNC && tells;
}

/* By what an item's place is found: its key; all items that have none are equal. */
static void key_of(batch_sort_key_t *key, const batch_early_t *early, const batch_item_t *item)
{
    apr_int64_t number;

    memset(key, 0, sizeof(*key));
    if (!early->is_independent || !item->key) {
        return;
    }
    if (early->terms.key_type == BATCH_KEY_INTEGER && batch_number_whole(&number, item->key)) {
        batch_sort_key_number(key, number);
    } else {
        batch_sort_key_text(key, item->key, item->key_length);
    }
}

/* Puts away a segment with the one item that is written: a batch_segment_sink_fn. */
static apr_status_t put_item(void *baton, const batch_segment_t *segment)
{
    batch_early_t *early = BATCH_CAST(batch_early_t, baton, EARLY_MAGIC);
    batch_sort_key_t key;

    key_of(&key, early, early->item);
    return batch_sorter_add(early->sorter, &key, segment->data, segment->length, &early->err);
}

apr_status_t batch_early_make(batch_early_t **early, const batch_engine_t *engine,
                              const batch_terms_t *terms, apr_pool_t *p)
{
    batch_early_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv;

    made->magic = EARLY_MAGIC;
    made->terms = *terms;
    made->terms.key_type = batch_engine_key_type(engine, terms->resource);
    made->is_independent = batch_engine_is_independent(engine, terms->resource);
    made->writer = batch_segment_writer_make(put_item, made, p);
    made->segment.p = p;
    made->is_clean = 1;
    *early = made;
    rv = apr_pool_create(&made->psorter, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    made->sorter = batch_sorter_make(0, made->psorter);
    return batch_duplicates_make(&made->duplicates, &made->terms, 0, p);
}

void batch_early_expect(batch_early_t *early, apr_int64_t count)
{
    batch_duplicates_expect(early->duplicates, count);
}

/* The item is encoded, unless it is one that cannot be accepted yet. */
static apr_status_t encode(batch_early_t *early, const batch_source_item_t *item, int dropped,
                           apr_pool_t *ptemp)
{
    batch_judged_t judged;
    apr_status_t rv;

    batch_judge(&judged, &early->terms, item, early->count, dropped, ptemp);
    early->is_clean = !judged.error_count && !judged.look;
    if (!early->is_clean) {
        return APR_SUCCESS;
    }
    early->item = &judged.item;
    rv = batch_segment_write(early->writer, &judged.item);
    return rv == APR_SUCCESS ? batch_segment_writer_finish(early->writer) : rv;
}

apr_status_t batch_early_take(batch_early_t *early, batch_source_item_t *item, apr_pool_t *ptemp)
{
    int dropped = 0;
    apr_status_t rv;

    batch_judge_spelling(item, &early->terms, ptemp);
    rv = batch_duplicates_offer(early->duplicates, &dropped, item);
    early->is_clean = early->is_clean && !batch_duplicates_are_there(early->duplicates);
    if (rv == APR_SUCCESS && early->is_clean) {
        rv = encode(early, item, dropped, ptemp);
    }
    if (!early->is_clean && early->psorter) {
        apr_pool_destroy(early->psorter);
        early->psorter = NULL;
    }
    early->count++;
    return rv;
}

void batch_early_end(batch_early_t *early)
{
    early->has_ended = 1;
}

/* 1 if it has seen all items, as they are understood now. */
static int is_of_use(const batch_early_t *early, batch_key_type_e key_type, apr_int64_t count)
{
    return early->has_ended && early->count == count && early->terms.key_type == key_type;
}

int batch_early_is_clean(const batch_early_t *early, batch_key_type_e key_type, apr_int64_t count)
{
    return early->is_clean && count && is_of_use(early, key_type, count);
}

int batch_early_is_sorted(const batch_early_t *early)
{
    return early->is_independent;
}

apr_status_t batch_early_next(batch_early_t *early, batch_segment_t *segment, int *last,
                              batch_error_t *err)
{
    batch_text_buffer_t *data = &early->segment;
    apr_status_t rv = APR_SUCCESS;

    memset(segment, 0, sizeof(*segment));
    segment->first = early->fetched;
    data->used = 0;
    while (early->fetched < early->count) {
        if (!early->next) {
            rv = batch_sorter_next(early->sorter, &early->next, &early->next_length, err);
        }
        if (rv != APR_SUCCESS ||
            (data->used && data->used + early->next_length > BATCH_SEGMENT_BYTES)) {
            break;
        }
        batch_text_buffer_add(data, early->next, early->next_length);
        early->next = NULL;
        early->fetched++;
        segment->count++;
    }
    segment->data = batch_text_buffer_end(data);
    segment->length = data->used;
    *last = early->fetched == early->count;
    return rv;
}

batch_duplicates_t *batch_early_duplicates(batch_early_t *early, batch_key_type_e key_type,
                                           apr_int64_t count)
{
    return early->terms.duplicate_handling != BATCH_DUPLICATES_USE_FIRST &&
                   is_of_use(early, key_type, count)
               ? early->duplicates
               : NULL;
}

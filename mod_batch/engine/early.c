#include "engine/early.h"

#include "engine/duplicates.h"
#include "engine/judgement.h"
#include "text/check.h"

struct batch_early {
    unsigned magic;
#define EARLY_MAGIC 0x3b8e51d6u
    batch_terms_t terms;
    batch_early_room_t room;
    batch_duplicates_t *duplicates;
    batch_segment_writer_t *writer;
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

apr_status_t batch_early_make(batch_early_t **early, const batch_engine_t *engine,
                              const batch_terms_t *terms, const batch_early_room_t *room,
                              apr_pool_t *p)
{
    batch_early_t *made = apr_pcalloc(p, sizeof(*made));

    made->magic = EARLY_MAGIC;
    made->terms = *terms;
    made->terms.key_type = batch_engine_key_type(engine, terms->resource);
    made->room = *room;
    made->writer = batch_segment_writer_make(room->put, room->baton, p);
    made->is_clean = 1;
    *early = made;
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

    batch_judge(&judged, &early->terms, item, early->count, dropped, ptemp);
    early->is_clean = !judged.error_count && !judged.look;
    return early->is_clean ? batch_segment_write(early->writer, &judged.item) : APR_SUCCESS;
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
    early->count++;
    return rv;
}

apr_status_t batch_early_end(batch_early_t *early)
{
    early->has_ended = 1;
    return early->is_clean ? batch_segment_writer_finish(early->writer) : APR_SUCCESS;
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

apr_status_t batch_early_next(batch_early_t *early, batch_segment_t *segment, int *last,
                              batch_error_t *err)
{
    apr_status_t rv = early->room.next(early->room.baton, segment, err);

    segment->first = early->fetched;
    early->fetched += rv == APR_SUCCESS ? segment->count : 0;
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

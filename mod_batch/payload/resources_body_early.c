/*
 * Bodies of the resources API: items that are read while those behind them still arrive, by a
 * thread beside that of the request. It gets the spool a block at a time, before it goes to the
 * file.
 */
#include "payload/body_format.h"

#include <apr_atomic.h>

#include "engine/ahead.h"
#include "engine/early.h"
#include "text/check.h"

/* Memory of a block's items that those of the next one get. */
#define WORK_KEEPS ((apr_size_t)4 * 1024 * 1024)

/*
 * Bodies of a process that have a thread beside them: whoever sends many slowly must not have the
 * threads and the memory of all of them. More than the processors would be of no use.
 */
#define MOST_AT_ONCE 4

static volatile apr_uint32_t under_way;

struct batch_body_early {
    unsigned magic;
#define BODY_EARLY_MAGIC 0x5d0c27abu
    batch_resources_body_t *body;
    const batch_engine_t *engine;
    const batch_terms_t *terms;
    apr_off_t length;     /* of the body, as the client says */
    batch_early_t *early; /* NULL: it has not begun */
    batch_ahead_t *ahead;
    apr_pool_t *p; /* of what is judged; memory of its own, as that of the next two */
    apr_pool_t *work;
    int is_useless; /* something has failed: the items are read later, as others are */
    /* The block under way. */
    batch_spool_block_t block;
    apr_int64_t expected;
};

/* ---- The thread -------------------------------------------------------------------------------
 */

/** Reads the items of the block under way: a batch_ahead_fn. */
static apr_status_t read_block(void *baton)
{
    struct batch_body_early *early = BATCH_CAST(struct batch_body_early, baton, BODY_EARLY_MAGIC);
    batch_resources_body_t *body = early->body;
    batch_spool_entry_t entry;
    apr_status_t status = APR_SUCCESS;

    apr_pool_clear(early->work);
    batch_early_expect(early->early, early->expected);
    while (status == APR_SUCCESS && batch_spool_block_next(&entry, &early->block)) {
        batch_source_item_t item;

        item.line = entry.line;
        body->format->read_item(&item, body, &entry, early->work);
        status = batch_early_take(early->early, &item, early->work);
    }
    return status;
}

static apr_status_t leave_place(void *unused)
{
    (void)unused;
    apr_atomic_dec32(&under_way);
    return APR_SUCCESS;
}

/** 1 if this body may be one of those that have a thread; it is until its end. */
static int take_place(batch_resources_body_t *body)
{
    apr_pool_cleanup_register(body->p, NULL, leave_place, apr_pool_cleanup_null);
    return apr_atomic_inc32(&under_way) < MOST_AT_ONCE;
}

static apr_status_t begin(struct batch_body_early *early)
{
    batch_resources_body_t *body = early->body;
    apr_status_t status = take_place(body) ? batch_pool_make(&early->p, body->p, 0) : APR_EAGAIN;

    if (status == APR_SUCCESS) {
        status = batch_pool_make(&early->work, body->p, WORK_KEEPS);
    }
    if (status == APR_SUCCESS) {
        status = body->format->begin_items(body, early->terms->resource, early->p);
    }
    if (status == APR_SUCCESS) {
        status = batch_early_make(&early->early, early->engine, early->terms, early->p);
    }
    return status == APR_SUCCESS ? batch_ahead_make(&early->ahead, read_block, early, body->p)
                                 : status;
}

/** How many items there will be, if the others are like those that have come. */
static apr_int64_t expected_items(const struct batch_body_early *early)
{
    const batch_resources_body_t *body = early->body;
    apr_int64_t more = early->length - body->bytes;
    apr_int64_t count = body->count;

    if (more > 0 && body->bytes) {
        count += (apr_int64_t)((double)body->count / (double)body->bytes * 1.02 * (double)more);
    }
    return count < body->max_items ? count : body->max_items;
}

/** A block of the spool is full: a batch_spool_block_fn. */
static void take_block(void *baton, const batch_spool_block_t *block)
{
    struct batch_body_early *early = BATCH_CAST(struct batch_body_early, baton, BODY_EARLY_MAGIC);
    apr_status_t status = APR_SUCCESS;

    if (early->is_useless) {
        return;
    }
    if (early->ahead) {
        status = batch_ahead_wait(early->ahead);
    } else {
        status = begin(early);
    }
    early->is_useless = status != APR_SUCCESS;
    if (!early->is_useless) {
        early->block = *block;
        early->expected = expected_items(early);
        batch_ahead_start(early->ahead);
    }
}

/* ---- The calls --------------------------------------------------------------------------------
 */

void batch_resources_body_judge_early(batch_resources_body_t *body, const batch_engine_t *engine,
                                      const batch_terms_t *terms, apr_off_t length)
{
    struct batch_body_early *early;

    /* Fields of a form may come behind the file. */
    if (body->early || body->multipart || !length || !batch_early_suits(engine, terms)) {
        return;
    }
    early = apr_pcalloc(body->p, sizeof(*early));
    early->magic = BODY_EARLY_MAGIC;
    early->body = body;
    early->engine = engine;
    early->terms = terms;
    early->length = length;
    body->early = early;
    batch_spool_give_blocks(body->spool, take_block, early);
}

struct batch_early *batch_body_early_end(batch_resources_body_t *body)
{
    struct batch_body_early *early = body->early;
    batch_spool_block_t last;

    if (!early || !early->ahead) {
        return NULL;
    }
    body->early = NULL;
    batch_spool_last_block(&last, body->spool);
    take_block(early, &last);
    early->is_useless = early->is_useless || batch_ahead_wait(early->ahead) != APR_SUCCESS;
    batch_ahead_end(early->ahead);
    if (early->is_useless) {
        return NULL;
    }
    batch_early_end(early->early);
    return early->early;
}

#include "engine/cleanup.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "engine/digest_set.h"
#include "store/kept.h"
#include "engine/validation.h"
#include "text/check.h"
#include "text/numbers.h"
#include "text/uuid.h"

/* Rows that one look or one step of a walk asks for. */
#define LOOKED_AT 500

/* Bytes of the keys that counting remembers. */
#define REMEMBERED_BYTES (2 * 1024 * 1024)

/* Different things that a digest can be of. */
#define OF_KEY     'k'
#define OF_UUID    'u' /* as it is spelt, of a key that is spelt otherwise */
#define OF_INTEGER 'i' /* the same */

#define BLANKS     " \t\r\n"

struct batch_cleanup {
    unsigned magic;
#define CLEANUP_MAGIC 0x01d63284u
    const batch_job_t *job;
    const batch_application_t *application;
    apr_pool_t *p;
    batch_digest_set_t *kept;
    int keeps_uuids;       /* some of them by OF_UUID, … */
    int keeps_integers;    /* … or by OF_INTEGER */
    int unsure;            /* a row is kept that nobody knows */
    int trusts;            /* what merges tell is stored */
    apr_byte_t *told;      /* a bit for each ordinal: its row was kept; NULL: none was */
    apr_pool_t *walk_pool; /* of counted */
    const char *counted;   /* the last key that was looked at while counting */
    /* The keys of the first rows to be removed, in the order of the walk. */
    apr_pool_t *remembered_pool;
    apr_array_header_t *remembered; /* of const char *; NULL = nothing was counted */
    apr_size_t remembered_bytes;
    int remembered_all;
    int last_found; /* which of them was the job's cleanup_key, the last time */
};

int batch_cleanup_is_due(const batch_job_t *job)
{
    return batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) &&
           (job->total == 0 ? job->allow_empty != 0 : batch_counts_applied(&job->counts) > 0);
}

apr_status_t batch_cleanup_make(batch_cleanup_t **cleanup, const batch_job_t *job,
                                const batch_application_t *application, apr_pool_t *p)
{
    batch_cleanup_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv = apr_pool_create(&made->walk_pool, p);

    made->magic = CLEANUP_MAGIC;
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&made->remembered_pool, p);
    }
    made->remembered_all = 1;
    made->job = job;
    made->p = p;
    made->application = application;
    *cleanup = made;
    if (rv == APR_SUCCESS) {
        rv = batch_digest_set_make(&made->kept, p);
    }
    return rv == APR_SUCCESS ? batch_digest_set_reserve(made->kept, job->stored) : rv;
}

void batch_cleanup_trust(batch_cleanup_t *cleanup)
{
    BATCH_CAST(batch_cleanup_t, cleanup, CLEANUP_MAGIC)->trusts = 1;
}

/* ---- What is kept -------------------------------------------------------------------------------
 */

static apr_status_t keep_digest(batch_cleanup_t *cleanup, batch_digest_t digest)
{
    return batch_digest_set_find(cleanup->kept, digest)
               ? APR_SUCCESS
               : batch_digest_set_put(cleanup->kept, digest, 1);
}

/*
 * A key that says what a row's key may say in another way, as " 007", "+7", or a UUID in capitals.
 * It was judged by the type that the column had then, or as a text; which one it has now the walk
 * will tell.
 */
static apr_status_t keep_spelt(batch_cleanup_t *cleanup, const char *key, apr_size_t length)
{
    char text[BATCH_KEY_BYTES + 2]; /* with the sign of the number */
    char uuid[BATCH_UUID_SIZE];
    const char *digits;
    int is_negative;

    for (; length && strchr(BLANKS, *key); key++, length--) {
    }
    for (; length && strchr(BLANKS, key[length - 1]); length--) {
    }
    if (length > BATCH_KEY_BYTES) {
        return APR_SUCCESS; /* no row's */
    }
    memcpy(text, key, length);
    text[length] = '\0';
    if (batch_number_whole_digits(&digits, &is_negative, text + (*text == '+'))) {
        char *spelling = text + (digits - text) - is_negative;

        if (is_negative) {
            *spelling = '-';
        }
        if (!strcmp(spelling, key)) {
            return APR_SUCCESS;
        }
        cleanup->keeps_integers = 1;
        return keep_digest(
            cleanup, batch_digest_make(cleanup->kept, OF_INTEGER, spelling, strlen(spelling)));
    }
    if (batch_uuid_spell(uuid, text) && strcmp(uuid, key) != 0) {
        cleanup->keeps_uuids = 1;
        return keep_digest(cleanup,
                           batch_digest_make(cleanup->kept, OF_UUID, uuid, BATCH_UUID_SIZE - 1));
    }
    return APR_SUCCESS;
}

apr_status_t batch_cleanup_keep_key(void *baton, const char *key)
{
    batch_cleanup_t *cleanup = BATCH_CAST(batch_cleanup_t, baton, CLEANUP_MAGIC);
    apr_size_t length;
    apr_status_t rv;

    if (!key) {
        cleanup->unsure = 1;
        return APR_SUCCESS;
    }
    length = strlen(key);
    rv = keep_digest(cleanup, batch_digest_make(cleanup->kept, OF_KEY, key, length));
    return rv == APR_SUCCESS ? keep_spelt(cleanup, key, length) : rv;
}

/*
 * Keeps the row whose key an item that is not applied may have meant by an id that no row has,
 * which has blanks or braces around it.
 */
static apr_status_t keep_meant(batch_cleanup_t *cleanup, const char *id, apr_pool_t *ptemp)
{
    apr_size_t length;

    id += strspn(id, BLANKS "{");
    for (length = strlen(id); length && strchr(BLANKS "}", id[length - 1]); length--) {
    }
    return batch_cleanup_keep_key(cleanup, apr_pstrmemdup(ptemp, id, length));
}

/* 1 if the row of that item is kept: by a key that was stored when the item was applied. */
static int is_told(const batch_cleanup_t *cleanup, apr_int64_t ordinal)
{
    return cleanup->told && ordinal >= 0 && ordinal < cleanup->job->received &&
           cleanup->told[ordinal / 8] >> (ordinal % 8) & 1;
}

static apr_status_t keep_told(void *baton, const batch_kept_t *kept)
{
    batch_cleanup_t *cleanup = BATCH_CAST(batch_cleanup_t, baton, CLEANUP_MAGIC);
    apr_int64_t ordinals = cleanup->job->received;

    if (kept->ordinal >= 0 && kept->ordinal < ordinals) {
        if (!cleanup->told) {
            cleanup->told = apr_pcalloc(cleanup->p, (apr_size_t)(ordinals / 8 + 1));
        }
        cleanup->told[kept->ordinal / 8] |= (apr_byte_t)(1 << (kept->ordinal % 8));
    }
    return batch_cleanup_keep_key(cleanup, kept->key);
}

apr_status_t batch_cleanup_keep_stored(batch_tx_t *tx, int *more, apr_int64_t *number,
                                       batch_cleanup_t *cleanup)
{
    return batch_tx_kept_read(tx, more, number, cleanup->job, keep_told, cleanup);
}

const char *batch_cleanup_obstacle(const batch_cleanup_t *cleanup)
{
    return cleanup->unsure ? "nothing was removed: the database stores match values of some items "
                             "in another form, and it is not known which rows they name"
                           : NULL;
}

/* 1 if the row with that key, which is of that type, is to stay. */
static int is_kept(const batch_cleanup_t *cleanup, const char *key, batch_key_type_e type)
{
    batch_digest_set_t *kept = cleanup->kept;
    apr_size_t length = strlen(key);
    char uuid[BATCH_UUID_SIZE];

    if (batch_digest_set_find(kept, batch_digest_make(kept, OF_KEY, key, length)) ||
        (cleanup->keeps_integers && type == BATCH_KEY_INTEGER &&
         batch_digest_set_find(kept, batch_digest_make(kept, OF_INTEGER, key, length)))) {
        return 1;
    }
    if (!batch_uuid_spell(uuid, key)) {
        return 0;
    }
    length = BATCH_UUID_SIZE - 1;
    return (strcmp(uuid, key) != 0 &&
            batch_digest_set_find(kept, batch_digest_make(kept, OF_KEY, uuid, length))) ||
           (cleanup->keeps_uuids &&
            batch_digest_set_find(kept, batch_digest_make(kept, OF_UUID, uuid, length)));
}

/*
 * 1 if only the database knows the row that the item names. Not where its key was looked up before
 * it was accepted, or made by us, or where the merge would have told another key of its row. But an
 * item that could not be applied may be one whose row has gone since; then another one may have its
 * match values. And of a key that clients make nobody knows how the database spells it.
 */
static int must_look(const batch_cleanup_t *cleanup, const batch_item_t *item)
{
    const batch_resource_t *resource = cleanup->application->scope.resource;

    switch (item->kind) {
    case BATCH_ITEM_KEY:
        if (resource->keys == BATCH_KEYS_CLIENT) {
            return !cleanup->trusts || batch_cleanup_is_doubtful(cleanup->job);
        }
        return resource->match->nelts && batch_cleanup_is_doubtful(cleanup->job);
    case BATCH_ITEM_NEW:
        return resource->keys != BATCH_KEYS_GENERATED;
    default:
        return 1;
    }
}

/* 1 if the item, whose id no row has, names a row by its match values: it is not to make one. */
static int names_by_match(const batch_cleanup_t *cleanup, const batch_item_t *item)
{
    return item->key && (!batch_item_is_live(item) ||
                         (item->kind == BATCH_ITEM_KEY &&
                          cleanup->application->scope.resource->keys != BATCH_KEYS_CLIENT));
}

/* An item whose match values are those of several rows names them all. */
static apr_status_t keep_several(batch_tx_t *tx, batch_cleanup_t *cleanup,
                                 const batch_row_look_t *look)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (look->found > BATCH_LOOK_ROWS) {
        return batch_error_set(batch_tx_error(tx), BATCH_EREFUSED, NULL, cleanup->walk_pool,
                               "an item's match values are those of more than %d rows",
                               BATCH_LOOK_ROWS);
    }
    for (i = 0; rv == APR_SUCCESS && i < look->keys->nelts; i++) {
        rv = batch_cleanup_keep_key(cleanup, APR_ARRAY_IDX(look->keys, i, const char *));
    }
    return rv;
}

/*
 * Keeps the rows of items that were looked for. *left: of these the ones that may name a row by
 * their match values come first, now without their id.
 */
static apr_status_t look_and_keep(batch_tx_t *tx, int *left, batch_cleanup_t *cleanup,
                                  batch_item_t *items, int count, apr_pool_t *ptemp)
{
    batch_row_look_t *looks = apr_pcalloc(ptemp, (apr_size_t)count * sizeof(*looks));
    batch_rows_t rows = {.scope = &cleanup->application->scope,
                         .items = items,
                         .count = count,
                         .looks = looks,
                         .p = ptemp};
    apr_status_t rv = batch_tx_rows_look(tx, &rows);
    int i;

    *left = 0;
    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        if (looks[i].found == 1) {
            rv = batch_cleanup_keep_key(cleanup, looks[i].key);
        } else if (looks[i].found > 1) {
            rv = keep_several(tx, cleanup, &looks[i]);
        } else if (names_by_match(cleanup, &items[i])) {
            rv = keep_meant(cleanup, items[i].key, ptemp);
            items[*left] = items[i];
            items[(*left)++].key = NULL;
        }
    }
    return rv;
}

static apr_status_t keep_looked(batch_tx_t *tx, batch_cleanup_t *cleanup, batch_item_t *items,
                                int count, apr_pool_t *ptemp)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && count) {
        rv = look_and_keep(tx, &count, cleanup, items, count, ptemp);
    }
    return rv;
}

apr_status_t batch_cleanup_keep(batch_tx_t *tx, batch_cleanup_t *cleanup, const batch_item_t *items,
                                int count, apr_pool_t *ptemp)
{
    batch_item_t *looked = apr_palloc(ptemp, LOOKED_AT * sizeof(*looked));
    apr_status_t rv = APR_SUCCESS;
    int waiting = 0;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        if (!must_look(cleanup, &items[i])) {
            rv = batch_cleanup_keep_key(cleanup, items[i].key);
            continue;
        }
        if (is_told(cleanup, items[i].ordinal)) {
            continue;
        }
        looked[waiting] = items[i];
        if (items[i].kind == BATCH_ITEM_MATCH) {
            looked[waiting].key = NULL; /* that of a new row; it may have met one that was there */
        }
        if (items[i].key) {
            /* A new row is known by its key, whatever the database made of its match values. */
            rv = batch_cleanup_keep_key(cleanup, items[i].key);
        }
        if (++waiting == LOOKED_AT && rv == APR_SUCCESS) {
            rv = keep_looked(tx, cleanup, looked, waiting, ptemp);
            waiting = 0;
        }
    }
    return rv == APR_SUCCESS ? keep_looked(tx, cleanup, looked, waiting, ptemp) : rv;
}

apr_status_t batch_cleanup_keep_known(int *done, batch_cleanup_t *cleanup,
                                      const batch_item_t *items, int count)
{
    apr_status_t rv = APR_SUCCESS;

    for (*done = 0; *done < count && !must_look(cleanup, &items[*done]); (*done)++) {
        rv = batch_cleanup_keep_key(cleanup, items[*done].key);
        if (rv != APR_SUCCESS) {
            break;
        }
    }
    return rv;
}

/* ---- Walking ------------------------------------------------------------------------------------
 */

struct count {
    const batch_cleanup_t *cleanup;
    const batch_key_walk_t *walk;
    apr_array_header_t *found; /* of const char * */
};

static apr_status_t count_key(void *baton, const char *key)
{
    struct count *count = baton;

    if (!is_kept(count->cleanup, key, count->walk->type)) {
        APR_ARRAY_PUSH(count->found, const char *) = apr_pstrdup(count->found->pool, key);
    }
    return APR_SUCCESS;
}

/* Remembers what a step has counted, or nothing behind the first step that is too much. */
static void remember(batch_cleanup_t *cleanup, const apr_array_header_t *found)
{
    apr_size_t bytes = cleanup->remembered_bytes;
    const char *last = NULL;
    int i;

    if (!cleanup->remembered) {
        cleanup->remembered = apr_array_make(cleanup->remembered_pool, 64, sizeof(const char *));
    } else if (cleanup->remembered->nelts) {
        last = APR_ARRAY_IDX(cleanup->remembered, cleanup->remembered->nelts - 1, const char *);
    }
    for (i = 0; i < found->nelts; i++) {
        bytes += strlen(APR_ARRAY_IDX(found, i, const char *)) + sizeof(const char *);
    }
    cleanup->remembered_all &= bytes <= REMEMBERED_BYTES;
    if (!cleanup->remembered_all) {
        return;
    }
    cleanup->remembered_bytes = bytes;
    for (i = 0; i < found->nelts; i++) {
        const char *key = APR_ARRAY_IDX(found, i, const char *);

        if (!last || strcmp(key, last) != 0) { /* all rows with a key are removed at once */
            last = apr_pstrdup(cleanup->remembered_pool, key);
            APR_ARRAY_PUSH(cleanup->remembered, const char *) = last;
        }
    }
}

apr_status_t batch_cleanup_count(batch_tx_t *tx, int *more, apr_int64_t *total,
                                 batch_cleanup_t *cleanup, apr_pool_t *ptemp)
{
    batch_key_walk_t walk = {.scope = &cleanup->application->scope,
                             .after = cleanup->counted,
                             .limit = LOOKED_AT,
                             .fn = count_key,
                             .p = ptemp};
    struct count count = {cleanup, &walk, apr_array_make(ptemp, 64, sizeof(const char *))};
    const char *after;
    apr_status_t rv;

    walk.baton = &count;
    rv = batch_tx_keys_walk(tx, &walk);
    if (rv == APR_SUCCESS) {
        *total += count.found->nelts;
        remember(cleanup, count.found);
        *more = walk.after != NULL;
        after = walk.after ? apr_pstrdup(ptemp, walk.after) : NULL;
        apr_pool_clear(cleanup->walk_pool);
        cleanup->counted = after ? apr_pstrdup(cleanup->walk_pool, after) : NULL;
    }
    return rv;
}

/* The rows to be removed in one step of the walk. */
struct gathering {
    const batch_cleanup_t *cleanup;
    batch_key_walk_t walk;
    batch_item_t *items;
    int count;
    apr_pool_t *p;
};

/* key lives as long as the gathering. */
static void add_row(struct gathering *gathering, const char *key)
{
    batch_item_t *item = &gathering->items[gathering->count++];

    memset(item, 0, sizeof(*item));
    item->key = key;
    item->key_length = strlen(key);
}

static apr_status_t gather_key(void *baton, const char *key)
{
    struct gathering *gathering = baton;

    if (!is_kept(gathering->cleanup, key, gathering->walk.type)) {
        add_row(gathering, apr_pstrdup(gathering->p, key));
    }
    return APR_SUCCESS;
}

/* How many of the remembered rows are behind the job's cleanup_key; -1: that one is not known. */
static int find_removed(const batch_cleanup_t *cleanup, const batch_job_t *job)
{
    int count = cleanup->remembered->nelts;
    int i;

    if (!job->cleanup_key) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        /* Mostly a little further than the last time; before that after a rollback. */
        int at = (cleanup->last_found + i) % count;

        if (!strcmp(APR_ARRAY_IDX(cleanup->remembered, at, const char *), job->cleanup_key)) {
            return at + 1;
        }
    }
    return -1;
}

/* Gathers the next remembered rows; 0: there are none, the table has to be walked over. */
static int gather_remembered(struct gathering *gathering, const char **after,
                             batch_cleanup_t *cleanup, const batch_job_t *job)
{
    int next, left;

    if (!cleanup->remembered) {
        return 0;
    }
    next = find_removed(cleanup, job);
    left = cleanup->remembered->nelts - next;
    if (next < 0 || (!left && !cleanup->remembered_all)) {
        cleanup->remembered = NULL; /* they were only the first ones */
        return 0;
    }
    cleanup->last_found = next ? next - 1 : 0;
    for (; left > 0 && gathering->count < LOOKED_AT; left--) {
        *after = APR_ARRAY_IDX(cleanup->remembered, next++, const char *);
        add_row(gathering, *after);
    }
    if (!left && cleanup->remembered_all) {
        *after = NULL;
    }
    return 1;
}

/* ---- Removing -----------------------------------------------------------------------------------
 */

/* A row that the database keeps is an error of the batch, behind those of all items. */
static apr_status_t record_refusal(batch_tx_t *tx, const batch_removal_t *removal,
                                   const batch_item_t *item, const batch_row_outcome_t *outcome,
                                   apr_pool_t *ptemp)
{
    batch_job_t *job = removal->job;
    batch_item_error_t error = {0};

    error.ordinal = job->received + job->cleanup_done;
    error.id = item->key;
    error.code = "refused";
    error.message = apr_pstrcat(ptemp, "the row cannot be removed: ", outcome->message, NULL);
    job->counts.errors++;
    job->cleanup_done++;
    if (removal->report) {
        removal->report(removal->baton, &error);
    }
    return batch_tx_errors_insert(tx, job, &error, 1);
}

static apr_status_t record_removals(batch_tx_t *tx, const batch_removal_t *removal,
                                    const batch_item_t *items, const batch_row_outcome_t *outcomes,
                                    int count, apr_pool_t *ptemp)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        if (outcomes[i].result == BATCH_ROW_APPLIED) {
            removal->job->counts.overwritten++;
            removal->job->cleanup_done++;
        } else if (outcomes[i].result == BATCH_ROW_REFUSED && removal->job->cleanup_again >= 0 &&
                   outcomes[i].refusal != BATCH_REFUSAL_FINAL) {
            removal->job->cleanup_again++; /* it may go behind others */
        } else if (outcomes[i].result != BATCH_ROW_NOT_FOUND) {
            rv = record_refusal(tx, removal, &items[i], &outcomes[i], ptemp);
        } /* else somebody else has removed it since it was read */
    }
    return rv;
}

struct round {
    batch_tx_t *tx;
    const batch_row_scope_t *scope;
    apr_time_t deadline;
};

static apr_status_t remove_round(void *baton, int *done, batch_row_outcome_t *outcomes,
                                 const batch_item_t *items, int count, apr_pool_t *ptemp)
{
    const struct round *round = baton;

    batch_rows_t rows = {.scope = round->scope,
                         .items = items,
                         .count = count,
                         .walked = 1,
                         .deadline = round->deadline,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv = batch_tx_rows_delete(round->tx, &rows);

    *done = rows.done;
    return rv;
}

/* Removes the gathered rows, a parent behind its children; *done: how many were tried. */
static apr_status_t remove_rows(batch_tx_t *tx, int *done, const batch_cleanup_t *cleanup,
                                const batch_removal_t *removal, const struct gathering *gathering,
                                const char *refused)
{
    batch_row_outcome_t *outcomes =
        apr_pcalloc(gathering->p, (apr_size_t)(unsigned)(gathering->count + 1) * sizeof(*outcomes));
    struct round round = {tx, &cleanup->application->scope, removal->deadline};
    apr_status_t rv = APR_SUCCESS;

    *done = 0;
    if (gathering->count && refused) {
        outcomes[0].result = BATCH_ROW_REFUSED;
        outcomes[0].message = refused;
        outcomes[0].refusal = removal->for_good ? BATCH_REFUSAL_FINAL : BATCH_REFUSAL_OTHERS;
        *done = 1;
    } else if (gathering->count) {
        rv = remove_round(&round, done, outcomes, gathering->items, gathering->count, gathering->p);
        if (rv == APR_SUCCESS && *done > 1) {
            rv = batch_apply_rounds(outcomes, gathering->items, *done, remove_round, &round,
                                    gathering->p);
        }
    }
    return rv == APR_SUCCESS
               ? record_removals(tx, removal, gathering->items, outcomes, *done, gathering->p)
               : rv;
}

/* One piece of the table. */
static apr_status_t remove_piece(batch_tx_t *tx, int *more, int *tried, batch_cleanup_t *cleanup,
                                 const batch_removal_t *removal, struct gathering *gathering)
{
    batch_job_t *job = removal->job;
    const char *after = job->cleanup_key;
    apr_status_t rv = APR_SUCCESS;
    int done;

    gathering->count = 0;
    gathering->walk = (batch_key_walk_t){.scope = &cleanup->application->scope,
                                         .after = job->cleanup_key,
                                         .limit = LOOKED_AT,
                                         .fn = gather_key,
                                         .baton = gathering,
                                         .p = gathering->p};
    if (!gather_remembered(gathering, &after, cleanup, job)) {
        rv = batch_tx_keys_walk(tx, &gathering->walk);
        after = gathering->walk.after;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (gathering->count > removal->limit - *tried) {
        gathering->count = removal->limit - *tried;
        after = gathering->items[gathering->count - 1].key;
    }
    rv = remove_rows(tx, &done, cleanup, removal, gathering, *tried ? NULL : removal->refused);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *tried += done;
    *more = after != NULL || done < gathering->count;
    if (done < gathering->count) { /* the time is up */
        after = done ? gathering->items[done - 1].key : job->cleanup_key;
    } else if (!after && done) { /* at the end: a row that stays is not tried again */
        after = gathering->items[done - 1].key;
    }
    job->cleanup_key = after ? apr_pstrdup(removal->p, after) : job->cleanup_key;
    return APR_SUCCESS;
}

apr_status_t batch_cleanup_remove(batch_tx_t *tx, int *more, int *tried, batch_cleanup_t *cleanup,
                                  const batch_removal_t *removal, apr_pool_t *ptemp)
{
    struct gathering gathering = {.cleanup = cleanup};
    apr_status_t rv = apr_pool_create(&gathering.p, ptemp);

    *more = 1;
    *tried = 0;
    gathering.items = apr_palloc(ptemp, LOOKED_AT * sizeof(*gathering.items));
    while (rv == APR_SUCCESS && *more && *tried < removal->limit) {
        apr_pool_clear(gathering.p);
        rv = remove_piece(tx, more, tried, cleanup, removal, &gathering);
        if (rv == APR_SUCCESS && !*more && removal->job->cleanup_again > 0) {
            removal->job->cleanup_again = -1;
            removal->job->cleanup_key = NULL;
            *more = 1;
        }
        if (apr_time_now() > removal->deadline) {
            break;
        }
    }
    return rv;
}

#include "store/fitness.h"

#include <string.h>

#include <apr_atomic.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include "store/tx.h"

/* What is not in service is looked at so often, at most, when requests ask for it, ... */
#define ASKED_EVERY apr_time_from_sec(1)

/* ... and so often by itself. */
#define TENDED_EVERY apr_time_from_sec(5)

/* How long an action is suspended. */
#define SUSPENSION apr_time_from_sec(5)

/* A suspension for the same reason is logged so often, at most. */
#define SUSPENSION_LOGGED apr_time_from_sec(60)

/* All the numbers of a resource that the processes share; times in milliseconds, 0 = never. */
typedef struct shared_state {
    volatile apr_uint32_t known;           /* somebody has looked */
    volatile apr_uint32_t out;             /* the actions that do not fit */
    volatile apr_uint32_t key_type;        /* batch_key_type_e */
    volatile apr_uint32_t independent;     /* as in batch_table_known_t */
    volatile apr_uint32_t reasons;         /* digest of why, 0 = nothing was wrong */
    volatile apr_uint32_t suspended;       /* actions */
    volatile apr_uint32_t suspicion;       /* digest of the reason that was logged, ... */
    volatile apr_uint64_t suspicion_at;    /* ... and when */
    volatile apr_uint64_t suspended_until; /* all of them */
    volatile apr_uint64_t looked_at;
} shared_state_t;

typedef struct place {
    const batch_resource_t *resource;
    shared_state_t *state;
} place_t;

struct batch_fitness {
    apr_hash_t *by_name; /* -> place_t */
    place_t *places;
    int count;
};

/* ---- Times and digests -------------------------------------------------------------------------
 */

static apr_uint64_t now_ms(void)
{
    return (apr_uint64_t)apr_time_as_msec(apr_time_now());
}

/* 1 if so much time has passed since. A clock that was set back must not stop anything. */
static int is_over(apr_uint64_t since, apr_interval_time_t interval)
{
    apr_uint64_t now = now_ms();

    return now < since || now - since >= (apr_uint64_t)apr_time_as_msec(interval);
}

/* FNV-1a */
static apr_uint32_t add_digest(apr_uint32_t digest, const char *text)
{
    for (; *text; text++) {
        digest = (digest ^ (unsigned char)*text) * 16777619U;
    }
    return digest;
}

/* Of all that rules an action out; 0 if there is nothing of that kind. */
static apr_uint32_t digest_of(const apr_array_header_t *misfits)
{
    apr_uint32_t digest = 0;
    int i;

    for (i = 0; i < misfits->nelts; i++) {
        const batch_misfit_t *misfit = &APR_ARRAY_IDX(misfits, i, batch_misfit_t);

        if (misfit->actions) {
            digest = add_digest(digest ? digest : 2166136261U, misfit->message);
        }
    }
    return digest;
}

/* ---- Making ------------------------------------------------------------------------------------
 */

apr_status_t batch_fitness_create(batch_fitness_t **fitness, apr_hash_t *resources,
                                  batch_error_t *err, apr_pool_t *p)
{
    batch_fitness_t *made = apr_pcalloc(p, sizeof(*made));
    apr_size_t count = apr_hash_count(resources);
    apr_size_t size = (count + 1) * sizeof(shared_state_t);
    shared_state_t *states;
    apr_hash_index_t *hi;
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, size, NULL, p);

    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0114", p,
                               "cannot get %" APR_SIZE_T_FMT " bytes of shared memory", size);
    }
    states = apr_shm_baseaddr_get(shm);
    memset(states, 0, size);
    made->by_name = apr_hash_make(p);
    made->places = apr_pcalloc(p, (count + 1) * sizeof(*made->places));
    for (hi = apr_hash_first(p, resources); hi; hi = apr_hash_next(hi)) {
        place_t *place = &made->places[made->count];

        place->resource = apr_hash_this_val(hi);
        place->state = &states[made->count++];
        apr_hash_set(made->by_name, place->resource->name, APR_HASH_KEY_STRING, place);
    }
    *fitness = made;
    return APR_SUCCESS;
}

static const place_t *place_of(const batch_fitness_t *fitness, const batch_resource_t *resource)
{
    return apr_hash_get(fitness->by_name, resource->name, APR_HASH_KEY_STRING);
}

/* ---- What is known -----------------------------------------------------------------------------
 */

int batch_fitness_serves(const batch_fitness_t *fitness, const batch_resource_t *resource,
                         batch_action_e action)
{
    const place_t *place = place_of(fitness, resource);
    shared_state_t *state = place ? place->state : NULL;
    apr_uint32_t bit = 1u << action;

    if (!state || !apr_atomic_read32(&state->known) || (apr_atomic_read32(&state->out) & bit)) {
        return !state;
    }
    return !(apr_atomic_read32(&state->suspended) & bit) ||
           apr_atomic_read64(&state->suspended_until) <= now_ms();
}

/* Returns 1 if it is not what was known. */
static int note(const place_t *place, const apr_array_header_t *misfits,
                const batch_table_known_t *known)
{
    shared_state_t *state = place->state;
    apr_uint32_t digest = digest_of(misfits);

    apr_atomic_set32(&state->key_type, (apr_uint32_t)known->key_type);
    apr_atomic_set32(&state->independent, (apr_uint32_t)known->independent);
    apr_atomic_set32(&state->out, batch_misfits_actions(misfits));
    apr_atomic_set64(&state->looked_at, now_ms());
    apr_atomic_set32(&state->known, 1);
    return apr_atomic_xchg32(&state->reasons, digest) != digest;
}

void batch_fitness_note(batch_fitness_t *fitness, const batch_resource_t *resource,
                        const apr_array_header_t *misfits, const batch_table_known_t *known)
{
    const place_t *place = place_of(fitness, resource);

    if (place) {
        note(place, misfits, known);
    }
}

batch_table_known_t batch_fitness_known(const batch_fitness_t *fitness,
                                        const batch_resource_t *resource)
{
    const place_t *place = place_of(fitness, resource);
    batch_table_known_t known = {BATCH_KEY_TEXT, 0};

    if (place) {
        known.key_type = (batch_key_type_e)apr_atomic_read32(&place->state->key_type);
        known.independent = (int)apr_atomic_read32(&place->state->independent);
    }
    return known;
}

/* ---- Looking -----------------------------------------------------------------------------------
 */

static void log_look(const batch_store_t *store, const batch_resource_t *resource,
                     const apr_array_header_t *misfits, apr_pool_t *p)
{
    unsigned out = batch_misfits_actions(misfits);
    int i;

    for (i = 0; i < misfits->nelts; i++) {
        const batch_misfit_t *misfit = &APR_ARRAY_IDX(misfits, i, batch_misfit_t);

        if (misfit->actions) {
            batch_log(store->logger, BATCH_LOG_CRIT, "MB0111", 0, NULL,
                      "%s:%d: <BatchResource %s> is out of service (%s) until it fits the "
                      "database: %s: %s",
                      resource->file, resource->line, resource->name,
                      batch_action_names(misfit->actions, p), misfit->directive, misfit->message);
        }
    }
    if (!out) {
        batch_log(store->logger, BATCH_LOG_NOTICE, "MB0112", 0, NULL,
                  "<BatchResource %s> fits the database again and is in service", resource->name);
    }
}

static apr_status_t look(const place_t *place, batch_store_t *store, batch_error_t *err,
                         apr_pool_t *ptemp)
{
    apr_array_header_t *misfits = batch_misfits_make(ptemp);
    batch_table_known_t known;
    apr_status_t rv = batch_store_compare(store, misfits, &known, place->resource, err, ptemp);

    if (rv == APR_SUCCESS && note(place, misfits, &known)) {
        log_look(store, place->resource, misfits, ptemp);
    }
    return rv;
}

/* 1 for one caller in each interval: the one that moves the time of the last look on. */
static int take_turn(const place_t *place, apr_interval_time_t interval)
{
    volatile apr_uint64_t *at = &place->state->looked_at;
    apr_uint64_t before = apr_atomic_read64(at);

    return is_over(before, interval) && apr_atomic_cas64(at, now_ms(), before) == before;
}

apr_status_t batch_fitness_ask(batch_fitness_t *fitness, batch_store_t *store,
                               const batch_resource_t *resource, batch_action_e action,
                               batch_error_t *err, apr_pool_t *ptemp)
{
    const place_t *place = place_of(fitness, resource);
    apr_status_t rv = APR_SUCCESS;

    if (batch_fitness_serves(fitness, resource, action)) {
        return APR_SUCCESS;
    }
    /* While nobody has looked yet, nobody need wait for another. */
    if (!apr_atomic_read32(&place->state->known) || take_turn(place, ASKED_EVERY)) {
        rv = look(place, store, err, ptemp);
    }
    if (rv == APR_SUCCESS && !batch_fitness_serves(fitness, resource, action)) {
        rv = batch_error_set(err, BATCH_EUNFIT, NULL, ptemp, "out of service");
    }
    return rv;
}

static void suspend(const place_t *place, batch_store_t *store, batch_action_e action,
                    const batch_error_t *cause)
{
    shared_state_t *state = place->state;
    const char *message = cause->message ? cause->message : "no details";
    apr_uint32_t digest = add_digest(2166136261U + action, message);
    apr_uint64_t now = now_ms();

    if (apr_atomic_read64(&state->suspended_until) <= now) {
        apr_atomic_set32(&state->suspended, 0);
    }
    apr_atomic_set64(&state->suspended_until, now + (apr_uint64_t)apr_time_as_msec(SUSPENSION));
    apr_atomic_set32(&state->suspended, apr_atomic_read32(&state->suspended) | 1u << action);
    if (apr_atomic_xchg32(&state->suspicion, digest) != digest ||
        is_over(apr_atomic_read64(&state->suspicion_at), SUSPENSION_LOGGED)) {
        apr_atomic_set64(&state->suspicion_at, now);
        batch_log(store->logger, BATCH_LOG_CRIT, "MB0113", 0, NULL,
                  "%s:%d: <BatchResource %s> is out of service (%s) and tried again every %d "
                  "seconds: %s",
                  place->resource->file, place->resource->line, place->resource->name,
                  batch_action_name(action), (int)apr_time_sec(SUSPENSION), message);
    }
}

apr_status_t batch_fitness_doubt(batch_fitness_t *fitness, batch_store_t *store,
                                 const batch_resource_t *resource, batch_action_e action,
                                 const batch_error_t *cause, apr_pool_t *ptemp)
{
    const place_t *place = place_of(fitness, resource);
    batch_error_t err = {0};
    apr_status_t rv = place ? look(place, store, &err, ptemp) : BATCH_ENOTFOUND;

    if (rv == APR_SUCCESS && batch_fitness_serves(fitness, resource, action)) {
        suspend(place, store, action, cause);
    }
    return rv;
}

int batch_fitness_tend(batch_fitness_t *fitness, batch_store_t *store, apr_pool_t *ptemp)
{
    int back = 0;
    int i;

    for (i = 0; i < fitness->count; i++) {
        const place_t *place = &fitness->places[i];
        apr_uint32_t known = apr_atomic_read32(&place->state->known);
        apr_uint32_t out = apr_atomic_read32(&place->state->out);
        batch_error_t err = {0};

        if ((known && !out) || !take_turn(place, known ? TENDED_EVERY : ASKED_EVERY)) {
            continue;
        }
        if (look(place, store, &err, ptemp) != APR_SUCCESS) {
            break; /* the database cannot be asked: whoever looks into the queue says so */
        }
        back |= !known || (out & ~apr_atomic_read32(&place->state->out)) != 0;
    }
    return back;
}

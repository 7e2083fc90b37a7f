#include "store/places.h"

#include <apr_time.h>

/* About what it takes to open one, so that to wait in vain at most doubles it; and if it hangs. */
#define WAIT      apr_time_from_msec(10)
#define LONG_WAIT apr_time_from_msec(50)

struct batch_places_waiter {
    batch_places_waiter_t *next;
    pthread_cond_t changed;
    batch_connection_t *given; /* NULL: nothing yet */
    apr_time_t since;          /* of batch_hurry_clock */
};

apr_status_t batch_places_init(batch_places_t *places, int most, apr_pool_t *p)
{
    apr_size_t size = (apr_size_t)most * sizeof(batch_connection_t *);
    int i;

    places->wait = WAIT;
    places->long_wait = LONG_WAIT;
    places->most = most;
    places->all = apr_pcalloc(p, (apr_size_t)most * sizeof(*places->all));
    places->idle = apr_pcalloc(p, size);
    places->closed = apr_pcalloc(p, size);
    places->idle_count = 0;
    places->closed_count = most;
    for (i = 0; i < most; i++) {
        places->closed[i] = &places->all[most - 1 - i];
    }
    places->opening = 0;
    places->first = NULL;
    places->last = &places->first;
    return pthread_mutex_init(&places->mutex, NULL);
}

/* ---- Those in line. The caller has the mutex. --------------------------------------------------
 */

static void remove_one(batch_places_t *places, const batch_places_waiter_t *waiter)
{
    batch_places_waiter_t **at = &places->first;

    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
    if (!*at) {
        places->last = at;
    }
}

static void hand_over(batch_places_t *places, batch_connection_t *connection)
{
    batch_places_waiter_t *waiter = places->first;

    remove_one(places, waiter);
    waiter->given = connection;
    pthread_cond_signal(&waiter->changed);
}

/* ---- Taking -------------------------------------------------------------------------------------
 */

/* The same: 1 if somebody who has waited so long opens another. */
static int may_open(const batch_places_t *places, apr_interval_time_t waited)
{
    int open = places->most - places->closed_count;

    if (!places->closed_count) {
        return 0;
    }
    if (waited >= places->long_wait) {
        return 1;
    }
    return !places->opening && (open < BATCH_PLACES_PROMPT || waited >= places->wait);
}

static batch_connection_t *take_closed(batch_places_t *places)
{
    batch_connection_t *connection = places->closed[--places->closed_count];

    connection->is_opening = 1;
    places->opening++;
    return connection;
}

/* How long until it looks again by itself, having waited so long. */
static apr_interval_time_t next_look(const batch_places_t *places, apr_interval_time_t waited)
{
    if (waited < places->wait) {
        return places->wait - waited;
    }
    return waited < places->long_wait ? places->long_wait - waited : BATCH_HURRY_SLICE;
}

/* The caller has the mutex. */
static batch_connection_t *wait_in_line(batch_places_t *places, batch_places_waiter_t *waiter,
                                        apr_interval_time_t patience, batch_hurry_t *hurry)
{
    *places->last = waiter;
    places->last = &waiter->next;
    while (!waiter->given) {
        apr_interval_time_t waited = batch_hurry_clock() - waiter->since;
        apr_interval_time_t left = batch_hurry_left(hurry, waiter->since, patience - waited);
        apr_interval_time_t look = next_look(places, waited);

        if (may_open(places, waited)) {
            remove_one(places, waiter);
            return take_closed(places);
        }
        if (left <= 0) {
            remove_one(places, waiter);
            return NULL;
        }
        batch_hurry_wait(&waiter->changed, &places->mutex, left < look ? left : look);
    }
    return waiter->given;
}

batch_connection_t *batch_places_take(batch_places_t *places, int at_once,
                                      apr_interval_time_t patience, batch_hurry_t *hurry)
{
    batch_places_waiter_t waiter = {.changed = PTHREAD_COND_INITIALIZER,
                                    .since = batch_hurry_clock()};
    batch_connection_t *connection;

    pthread_mutex_lock(&places->mutex);
    if (places->idle_count) {
        connection = places->idle[--places->idle_count];
    } else if (at_once && places->closed_count) {
        connection = take_closed(places);
    } else {
        connection = wait_in_line(places, &waiter, patience, hurry);
    }
    pthread_mutex_unlock(&places->mutex);
    pthread_cond_destroy(&waiter.changed);
    return connection;
}

/* ---- Giving back --------------------------------------------------------------------------------
 */

void batch_places_give(batch_places_t *places, batch_connection_t *connection, int is_open)
{
    int look = connection->is_opening || !is_open; /* another may be opened */

    pthread_mutex_lock(&places->mutex);
    places->opening -= connection->is_opening;
    connection->is_opening = 0;
    if (!is_open) {
        places->closed[places->closed_count++] = connection;
    } else if (places->first) {
        hand_over(places, connection);
    } else {
        places->idle[places->idle_count++] = connection;
    }
    if (look && places->first) {
        pthread_cond_signal(&places->first->changed);
    }
    pthread_mutex_unlock(&places->mutex);
}

void batch_places_close(batch_places_t *places)
{
    int i;

    for (i = 0; i < places->idle_count; i++) {
        batch_connection_close(places->idle[i]);
    }
    pthread_mutex_destroy(&places->mutex);
}

/*
 * Who gets which connection: open ones are used before others are opened, in the order of coming.
 */
/* needs: nothing */
#include <apr_general.h>
#include <apr_thread_proc.h>

#include "store/places.h"

#include "tap.h"

/* So patient that only what a test does can end a wait before the alarm ends the program. */
#define FOR_EVER   apr_time_from_sec(3600)
#define TEST_LIMIT 120 /* seconds */

#define MOST       4

static batch_places_t places;
static batch_hurry_t hurry;

/* Nobody opens another because of the time that has passed, unless a test says so. */
static void begin(apr_pool_t *p)
{
    int i;

    memset(&hurry, 0, sizeof(hurry));
    is_number(batch_places_init(&places, MOST, p), APR_SUCCESS, "places");
    for (i = 0; i < MOST; i++) {
        places.all[i].magic = BATCH_CONNECTION_MAGIC;
    }
    places.wait = FOR_EVER;
    places.long_wait = FOR_EVER;
}

static batch_connection_t *take(int at_once, apr_interval_time_t patience)
{
    return batch_places_take(&places, at_once, patience, &hurry);
}

/* ---- Threads that wait ------------------------------------------------------------------------
 */

typedef struct taker {
    apr_thread_t *thread;
    batch_connection_t *got;
} taker_t;

static void *APR_THREAD_FUNC taking_thread(apr_thread_t *thread, void *baton)
{
    taker_t *taker = baton;

    (void)thread;
    taker->got = take(0, FOR_EVER);
    return NULL;
}

/* The end of the line, which moves when somebody has come. */
static void *end_of_line(void)
{
    void *end;

    pthread_mutex_lock(&places.mutex);
    end = places.last;
    pthread_mutex_unlock(&places.mutex);
    return end;
}

/* Starts a thread that takes one, and returns when it is in line. */
static void take_in_line(taker_t *taker, apr_pool_t *p)
{
    void *end = end_of_line();

    taker->got = NULL;
    apr_thread_create(&taker->thread, NULL, taking_thread, taker, p);
    while (end_of_line() == end) {
        apr_sleep(apr_time_from_msec(1));
    }
}

static batch_connection_t *taken_by(taker_t *taker)
{
    apr_status_t status;

    apr_thread_join(&status, taker->thread);
    return taker->got;
}

/* ---- The tests ---------------------------------------------------------------------------------
 */

static void test_use(apr_pool_t *p)
{
    batch_connection_t *first, *second;

    begin(p);
    first = take(0, FOR_EVER);
    ok(first && first->is_opening, "the first one is to be opened");
    batch_places_give(&places, first, 1);
    ok(take(0, FOR_EVER) == first && !first->is_opening, "then it is open, and used again");
    second = take(0, FOR_EVER);
    ok(second && second != first && second->is_opening, "while it is used another is opened");
    batch_places_give(&places, second, 1);
    batch_places_give(&places, first, 1);
    ok(take(0, FOR_EVER) == first, "the one that was used last is the first to be used");
    ok(take(0, FOR_EVER) == second, "then the other one");
    batch_places_give(&places, first, 0);
    batch_places_give(&places, second, 1);
    ok(take(0, FOR_EVER) == second, "one that was closed meanwhile is not the first");
    batch_places_close(&places);
}

static void test_line(apr_pool_t *p)
{
    batch_connection_t *open[BATCH_PLACES_PROMPT];
    taker_t takers[2];
    int i;

    begin(p);
    for (i = 0; i < BATCH_PLACES_PROMPT; i++) {
        open[i] = take(1, FOR_EVER);
    }
    for (i = 0; i < BATCH_PLACES_PROMPT; i++) {
        batch_places_give(&places, open[i], 1);
    }
    for (i = 0; i < BATCH_PLACES_PROMPT; i++) {
        open[i] = take(0, FOR_EVER);
    }
    take_in_line(&takers[0], p);
    take_in_line(&takers[1], p);
    batch_places_give(&places, open[1], 1);
    ok(taken_by(&takers[0]) == open[1], "who came first gets the one that is given back");
    batch_places_give(&places, open[0], 1);
    ok(taken_by(&takers[1]) == open[0], "who came next gets the next");
    is_number(places.closed_count, MOST - BATCH_PLACES_PROMPT, "no other one was opened");
    take_in_line(&takers[0], p);
    ok(take(1, FOR_EVER) != NULL, "who must not wait opens one");
    batch_places_give(&places, open[0], 1);
    ok(taken_by(&takers[0]) == open[0], "the others go on waiting");
    places.wait = 0;
    is_number(places.opening, 1, "one is still being opened");
    take_in_line(&takers[0], p);
    batch_places_give(&places, open[0], 1);
    ok(taken_by(&takers[0]) == open[0], "nobody opens another meanwhile, however long it waits");
    places.long_wait = 0;
    ok(take(0, FOR_EVER)->is_opening, "unless it has waited very long");
    batch_places_close(&places);
}

static void test_failure(apr_pool_t *p)
{
    batch_connection_t *first;
    taker_t takers[2];

    begin(p);
    first = take(0, FOR_EVER);
    take_in_line(&takers[0], p);
    take_in_line(&takers[1], p);
    batch_places_give(&places, first, 0);
    ok(taken_by(&takers[0])->is_opening, "if it could not be opened, the next one tries");
    batch_places_give(&places, takers[0].got, 1);
    ok(taken_by(&takers[1]) == takers[0].got, "and gives it on");
    batch_places_close(&places);
}

static void test_end(apr_pool_t *p)
{
    taker_t taker;
    int i;

    begin(p);
    for (i = 0; i < MOST; i++) {
        ok(take(1, FOR_EVER) != NULL, "place %d", i);
    }
    ok(take(0, 1) == NULL, "all are in use: who has waited long enough gets none");
    ok(take(1, 1) == NULL, "nor who must not wait");
    take_in_line(&taker, p);
    batch_hurry_begin(&hurry, 0);
    ok(taken_by(&taker) == NULL, "in a hurry nobody goes on waiting");
    ok(places.first == NULL && places.last == &places.first, "nobody is left in line");
    batch_places_close(&places);
}

int main(void)
{
    apr_pool_t *p;

    alarm(TEST_LIMIT);
    apr_initialize();
    apr_pool_create(&p, NULL);
    test_use(p);
    test_line(p);
    test_failure(p);
    test_end(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}

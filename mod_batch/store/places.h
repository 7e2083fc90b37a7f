/*
 * The connections of a store, or rather places for them: which are open and idle, and who waits for
 * one. Private to store/.
 *
 * To open a connection costs both sides several times what a small transaction costs, since the
 * server's process and we learn everything anew. When many requests come at once, to open one for
 * each would keep all of them waiting, and more connections than a machine has processors are
 * seldom of use. So a caller takes what is open and idle; the first few are opened when they are
 * needed; past these it waits a moment in line for one that is given back, and opens another only
 * if none was. One is opened at a time, unless that takes long.
 */
#ifndef BATCH_STORE_PLACES_H
#define BATCH_STORE_PLACES_H

#include <pthread.h>

#include "store/connection.h"
#include "store/hurry.h"

/* So many are opened without a wait for others. */
#define BATCH_PLACES_PROMPT 2

/* A thread that waits. */
typedef struct batch_places_waiter batch_places_waiter_t;

typedef struct batch_places {
    pthread_mutex_t mutex;
    apr_interval_time_t wait;      /* in line, before one opens another; … */
    apr_interval_time_t long_wait; /* … and where somebody else opens one just now */
    int most;                      /* places that there are */
    batch_connection_t *all;       /* the places */
    batch_connection_t **idle;     /* open ones that nobody uses; the one used last is the last */
    batch_connection_t **closed;   /* those without a connection */
    int idle_count;
    int closed_count;
    int opening;                  /* closed ones that were taken, and not yet given back */
    batch_places_waiter_t *first; /* in line: only while none is idle */
    batch_places_waiter_t **last;
} batch_places_t;

/** Sets up places, which must not move: so many as most, closed ones, allocated in p. */
apr_status_t batch_places_init(batch_places_t *places, int most, apr_pool_t *p);

/**
 * Takes a place: an open connection, or a closed one that the caller opens. at_once: it does not
 * wait for one to be given back as long as there is a closed one. It waits at most patience, less
 * in a hurry; NULL: all were in use so long.
 */
batch_connection_t *batch_places_take(batch_places_t *places, int at_once,
                                      apr_interval_time_t patience, batch_hurry_t *hurry);

/** Gives back what was taken. is_open: whether it is by now. */
void batch_places_give(batch_places_t *places, batch_connection_t *connection, int is_open);

/** Closes those that are idle. One that is in use, by a thread that a process which ends could not
 * wait for, is left to the end of the process. */
void batch_places_close(batch_places_t *places);

#endif

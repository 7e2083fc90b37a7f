#include "store/gate.h"

#include <pthread.h>

#include <apr_time.h>

/* A database that stays read-only must not make all wait for each other with every request. */
#define RENEWAL_INTERVAL apr_time_from_sec(1)

/* SQLite's shared memory belongs to the process, and so does this. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static batch_gate_t *gates;
static int inside; /* connections in use */
static int renewing;
static apr_time_t renewed_at;

void batch_gate_open(batch_gate_t *gate, int most, apr_pool_t *p)
{
    gate->connections = apr_pcalloc(p, (apr_size_t)most * sizeof(batch_connection_t *));
    gate->count = 0;
    pthread_mutex_lock(&mutex);
    gate->next = gates;
    gates = gate;
    pthread_mutex_unlock(&mutex);
}

void batch_gate_close(batch_gate_t *gate)
{
    batch_gate_t **next;

    pthread_mutex_lock(&mutex);
    for (next = &gates; *next && *next != gate; next = &(*next)->next) {
    }
    if (*next) {
        *next = gate->next;
    }
    pthread_mutex_unlock(&mutex);
}

void batch_gate_add(batch_gate_t *gate, batch_connection_t *connection)
{
    pthread_mutex_lock(&mutex);
    gate->connections[gate->count++] = connection;
    pthread_mutex_unlock(&mutex);
}

void batch_gate_enter(batch_connection_t *connection)
{
    pthread_mutex_lock(&mutex);
    while (renewing) {
        pthread_cond_wait(&changed, &mutex); /* whoever renews waits for a limited time */
    }
    connection->in_use = 1;
    inside++;
    pthread_mutex_unlock(&mutex);
}

void batch_gate_leave(batch_connection_t *connection)
{
    pthread_mutex_lock(&mutex);
    connection->in_use = 0;
    inside--;
    if (renewing) {
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&mutex);
}

static void wait_until(apr_time_t deadline)
{
    struct timespec end = {.tv_sec = (time_t)apr_time_sec(deadline),
                           .tv_nsec = (long)apr_time_usec(deadline) * 1000};

    /* A signal or a clock that was set ends it early or late; who waits looks again. */
    (void)pthread_cond_timedwait(&changed, &mutex, &end);
}

static void close_idle(void)
{
    batch_gate_t *gate;
    int i;

    for (gate = gates; gate; gate = gate->next) {
        for (i = 0; i < gate->count; i++) {
            if (!gate->connections[i]->in_use) {
                batch_connection_close(gate->connections[i]);
            }
        }
    }
}

int batch_gate_renew(apr_time_t deadline)
{
    apr_time_t now = apr_time_now();
    int done;

    pthread_mutex_lock(&mutex);
    if (renewing) {
        while (renewing) {
            pthread_cond_wait(&changed, &mutex);
        }
        done = 1;
    } else if (now >= renewed_at && now - renewed_at < RENEWAL_INTERVAL) {
        done = 0;
    } else {
        renewing = 1;
        while (inside > 0 && apr_time_now() < deadline) {
            wait_until(deadline);
        }
        close_idle();
        done = inside == 0;
        renewed_at = apr_time_now();
        renewing = 0;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

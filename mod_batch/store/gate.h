/*
 * The gate: every connection of this process is behind it, of whichever store. Private to store/.
 *
 * SQLite opens the shared memory of a database (the file -shm) once for all connections of a
 * process. If it could only be read at that time (the database's mode was 0444, the disk was
 * mounted read-only), all connections stay read-only, new ones too, until the last of them has been
 * closed. With several in use at once that moment may never come by itself: batch_gate_renew makes
 * it come.
 */
#ifndef BATCH_STORE_GATE_H
#define BATCH_STORE_GATE_H

#include "store/connection.h"

/* The connections of a store, as the gate knows them; part of the store. */
typedef struct batch_gate {
    struct batch_gate *next;
    batch_connection_t **connections;
    int count;
} batch_gate_t;

/** Makes the gate know a store that will have at most most connections. */
void batch_gate_open(batch_gate_t *gate, int most, apr_pool_t *p);

/** Makes it forget the store; none of its connections may be in use. */
void batch_gate_close(batch_gate_t *gate);

/** Makes the gate know a place for a connection. */
void batch_gate_add(batch_gate_t *gate, batch_connection_t *connection);

/**
 * To be called before a connection is used: waits while others are renewed, and keeps it from being
 * closed until batch_gate_leave. It may have been closed before, so look at its handle after this.
 */
void batch_gate_enter(batch_connection_t *connection);

/** The connection is not in use any more. */
void batch_gate_leave(batch_connection_t *connection);

/**
 * Closes all connections of this process at once, so that the next ones find the files as they are
 * now: keeps newcomers outside, and waits until deadline for those inside. The caller must not be
 * inside. Returns 1 if that was done, by us or by another thread meanwhile; 0 if those inside did
 * not leave in time, or if it was done less than a second ago: then it has not helped.
 */
int batch_gate_renew(apr_time_t deadline);

#endif

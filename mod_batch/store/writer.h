/*
 * The queue of writers in front of a database that takes one at a time. Private to store/.
 *
 * It saves the waiting, it protects nothing: whoever cannot have its turn in time goes on without,
 * and meets the database's own lock.
 */
#ifndef BATCH_STORE_WRITER_H
#define BATCH_STORE_WRITER_H

#include <pthread.h>

#include "store/hurry.h"
#include "store/store.h"

/* What a turn was used for. */
typedef enum {
    BATCH_TURN_OTHER,
    BATCH_TURN_STEP,  /* of a job that is claimed or received: more will follow */
    BATCH_TURN_CHUNK, /* of a job that goes on */
    BATCH_TURN_LAST   /* the last of a job's, here */
} batch_turn_e;

/* Numbers that a driver may keep in what the writers share. */
#define BATCH_WRITERS_KEPT 4

/* What the writers of one database know of each other, in memory that processes may share. */
struct batch_writers {
    pthread_mutex_t turn;              /* whoever has it may write */
    volatile apr_uint32_t waiting;     /* how many wait for their turn */
    volatile apr_uint64_t rested_at;   /* milliseconds: when the last rest was over */
    volatile apr_uint64_t chunk_begun; /* the same: when the last chunk began, … */
    volatile apr_uint64_t chunk_end;   /* … and when one ended, … */
    volatile apr_uint64_t job_seen; /* … or any step of a job; 0 behind the last chunk of one */
    volatile apr_uint32_t kept[BATCH_WRITERS_KEPT]; /* the driver's, 0 at first: it says of what */
};

typedef struct batch_writer {
    batch_writers_t *shared; /* between all processes that write */
    batch_writers_t own;     /* what it points to where nobody shares any */
    void *last;              /* the thread of this process that had the last turn */
} batch_writer_t;

/** Sets up writer, which must not move. shared may be NULL. */
apr_status_t batch_writer_init(batch_writer_t *writer, batch_writers_t *shared);

/** Waits for a turn, at most patience, less in a hurry. 1: it is ours; 0: it could not be had. */
int batch_writer_enter(batch_writer_t *writer, apr_interval_time_t patience, batch_hurry_t *hurry);

/** To be called within a turn when its transaction turns out to be a chunk's. */
void batch_writer_begin_chunk(batch_writer_t *writer);

/** To be called within a turn, when its transaction has ended. */
void batch_writer_note(batch_writer_t *writer, batch_turn_e turn);

/** Ends a turn that was had. */
void batch_writer_leave(batch_writer_t *writer);

/** 1 if others wait for their turn. */
int batch_writer_is_awaited(batch_writer_t *writer);

/** batch_store_rest */
apr_interval_time_t batch_writer_rest(batch_writer_t *writer);

/** 1 if a worker seems to be at a job: a step or chunk was within the last second, and no end. */
int batch_writers_at_job(batch_writers_t *writers);

#endif

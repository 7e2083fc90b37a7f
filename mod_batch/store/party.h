/*
 * A party: threads of one process that share a transaction, and so its COMMIT. Private to store/.
 *
 * Where the database takes one writer at a time, each COMMIT that waits for the disk keeps all
 * others waiting. Of the threads of a process whose writes may share a transaction only one *leads*
 * at a time: it waits for the turn of the process. The others wait behind it. When it has its turn
 * it takes those along that wait by then, and another leads.
 *
 *     waits ─┬─> leads ─> (takes its turn, and others along)
 *            ├─> taken ─┬─> done    what it wanted was done, or has failed on its own
 *            │          └─> alone   nothing of it is left: it has to do it by itself
 *            └─> alone              it has waited long enough
 */
#ifndef BATCH_STORE_PARTY_H
#define BATCH_STORE_PARTY_H

#include <pthread.h>

#include "store/hurry.h"

/* So many are taken along at most. */
#define BATCH_PARTY_MOST 15

typedef enum {
    BATCH_MEMBER_WAITS,
    BATCH_MEMBER_LEADS,
    BATCH_MEMBER_TAKEN, /* what it points to belongs to the leader now */
    BATCH_MEMBER_DONE,
    BATCH_MEMBER_ALONE
} batch_member_e;

/* A thread that wants to write. It must not move, and lives as long as the thread waits. */
typedef struct batch_member {
    struct batch_member *next; /* in the queue, or of those that were taken along */
    pthread_cond_t changed;
    batch_member_e state;
    void *call; /* what it wants: the leader's to read */
} batch_member_t;

/* Of a store. */
typedef struct batch_party {
    apr_interval_time_t time; /* when a transaction has taken that long nobody joins it any more */
    pthread_mutex_t mutex;
    batch_member_t *first; /* those that wait, the first to come first */
    batch_member_t **last;
    int led;
    volatile apr_uint32_t failed_at; /* second in which a transaction that was shared last failed */
} batch_party_t;

/** Sets up party, which must not move. */
apr_status_t batch_party_init(batch_party_t *party);

/**
 * Joins the party, and waits: at most patience, less in a hurry. BATCH_MEMBER_LEADS: the caller
 * takes the turn now, or gives up, and then calls batch_party_take in any case.
 */
batch_member_e batch_party_join(batch_party_t *party, batch_member_t *member, void *call,
                                apr_interval_time_t patience, batch_hurry_t *hurry);

/**
 * For whoever leads: another leads from now on. Those that wait, most at most, are taken along, in
 * the order of their coming; NULL: nobody. Each of them must be told what has become of it.
 */
batch_member_t *batch_party_take(batch_party_t *party, int most);

/** Tells one that was taken along: BATCH_MEMBER_DONE or _ALONE. It is gone then. */
void batch_party_tell(batch_party_t *party, batch_member_t *member, batch_member_e state);

/** A transaction that was shared has failed: for a moment nobody shares one. */
void batch_party_fail(batch_party_t *party);

/** 0 in that moment. */
int batch_party_is_open(batch_party_t *party);

#endif

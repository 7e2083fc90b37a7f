/* A batch on its way in, as the files of the intake share it. Private to engine/. */
#ifndef BATCH_ENGINE_INTAKE_PRIVATE_H
#define BATCH_ENGINE_INTAKE_PRIVATE_H

#include "engine/ahead.h"
#include "engine/apply.h"
#include "engine/duplicates.h"
#include "engine/early.h"
#include "engine/intake.h"
#include "engine/judgement.h"
#include "engine/known_keys.h"

/* Items that are judged and stored together. */
typedef struct batch_intake_group {
    apr_pool_t *p; /* with memory of its own: another thread may use it */
    batch_judged_t *judged;
    int count;
    apr_size_t bytes; /* of their texts, about */
    int ended;        /* the source has no more items */
} batch_intake_group_t;

/* How a sync batch is done, each if that before it was refused by the database as a whole. */
typedef enum {
    BATCH_SYNC_AT_ONCE,
    BATCH_SYNC_STEPS, /* in steps, at the end of which all constraints have to hold */
    BATCH_SYNC_ALONE  /* the same, each of one item: one has ended the transaction */
} batch_sync_care_e;

/* An item that ends the transaction whenever it is tried, so that it is not tried any more. */
typedef struct batch_barred {
    apr_int64_t ordinal;
    const char *message; /* the database's */
} batch_barred_t;

/* Segments that are ready before the end of the body: so many are stored by one transaction. */
#define BATCH_INTAKE_READY 4

/* A batch on its way in. */
typedef struct batch_intake_state {
    unsigned magic;
#define BATCH_INTAKE_MAGIC 0x6ed88847u
    const batch_engine_t *engine;
    const batch_terms_t *terms;
    const batch_actor_t *actor;
    const batch_item_source_t *source;
    batch_duplicates_t *duplicates;
    batch_application_t application;
    batch_known_keys_t *known; /* NULL: it is quicker to look for the rows of the items */
    batch_job_t *job;
    batch_job_t before;         /* the job as the transactions that are committed have left it */
    apr_pool_t *p;              /* of the request */
    apr_pool_t *work_pool;      /* for what comes and goes with each group; its own memory */
    batch_intake_group_t group; /* the one under way */
    const batch_judged_t **results; /* judged to the end; in the pool of the transaction */
    int whole;                      /* the group is all of the batch */
    batch_early_t *early;           /* gives the groups, ready to be stored; NULL: they are read */
    batch_segment_t ready[BATCH_INTAKE_READY]; /* the group under way, then; in its pool */
    int ready_count;
    /* Reading, which may be one group ahead. Then these, the source and the duplicates belong to
     * the thread that is. */
    batch_ahead_t *ahead; /* NULL: nobody is */
    batch_intake_group_t next;
    batch_error_t next_error;
    apr_int64_t read;          /* items so far */
    apr_int64_t unnamed;       /* of those in groups before: nobody knows which row they name */
    apr_int64_t group_unnamed; /* of those in the group under way, as far as it is settled */
    apr_int64_t first_unnamed; /* the ordinal of the first of all, from 1; 0 = none */
    int in_company; /* another batch was at the same rows when the first item was judged */
    /* Sync. */
    int asks_for_turn;        /* what failed in the last transaction was the asking */
    apr_time_t patient_until; /* apr_time_now's clock: it waits for its turn; 0 = it has not yet */
    apr_array_header_t *refusals; /* of batch_item_error_t: what processing could not apply */
    int undone;                   /* processing was undone: the job is stored as failed */
    const char *refusal;          /* the database refused the transaction as a whole: its words */
    batch_sync_care_e care;
    apr_int64_t trying;         /* the ordinal of the item that a step is at; -1: none */
    apr_array_header_t *barred; /* of batch_barred_t */
    apr_array_header_t *errors; /* of batch_item_error_t: all that are stored; in p */
} batch_intake_state_t;

/** The job that the terms make, as it is before its items are known; strings in p. */
void batch_intake_describe(batch_job_t *job, const batch_terms_t *terms, const batch_actor_t *actor,
                           apr_pool_t *p);

/**
 * Makes a state ready whose engine, terms, actor, source, job, errors and p are set: finds the
 * duplicates, and reads the first group. batch_intake_finish must follow.
 */
apr_status_t batch_intake_prepare(batch_intake_state_t *intake, batch_error_t *err);

/** Makes the next group the one under way; `ended` is set in the last one. */
apr_status_t batch_intake_next_group(batch_intake_state_t *intake, batch_error_t *err);

/** To be called in the end, also after a failure: nobody reads ahead any more. */
void batch_intake_finish(batch_intake_state_t *intake);

/** Stores the group under way, with its errors, and counts it in the job. */
apr_status_t batch_intake_store_group(batch_tx_t *tx, batch_intake_state_t *intake,
                                      apr_pool_t *ptemp);

/** The last group is stored: the job goes to the queue, or is done. */
apr_status_t batch_intake_end(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp);

/**
 * Does the phases processing and cleanup of a job whose items are stored, and gives it its final
 * status. Where it is to be all or nothing and is not all, it returns BATCH_EREFUSED with `undone`
 * set: the caller rolls back and calls again, and then the job is failed without touching a row.
 */
apr_status_t batch_intake_run_sync(batch_tx_t *tx, batch_intake_state_t *intake, apr_pool_t *ptemp);

/**
 * The transaction of a sync batch was refused by the database as a whole, with these words: 1 if it
 * is to be tried once more, with more care. 0: nobody knows by which item.
 */
int batch_intake_is_tried_again(batch_intake_state_t *intake, const char *message);

/** The phase processing, and for an overwrite cleanup. In sync_apply.c; *undone: nothing of it may
 * stay. */
apr_status_t batch_intake_apply(batch_tx_t *tx, batch_intake_state_t *intake, int *undone,
                                apr_pool_t *ptemp);

/**
 * Runs the transaction of a sync batch, whose baton is the intake, when its turn has come.
 * BATCH_EBUSY with a sentence for the client where that takes too long.
 */
apr_status_t batch_intake_run_in_turn(batch_intake_state_t *intake, batch_tx_fn *body,
                                      batch_error_t *err);

/**
 * The first call of a transaction that carries out a sync batch: BATCH_EBUSY where it is not its
 * turn. judge_again is set where rows may have changed since its items were judged.
 */
apr_status_t batch_intake_take_turn(batch_tx_t *tx, batch_intake_state_t *intake);

/**
 * To be called before the first item is judged: notes whether another batch is at the same rows. It
 * may end before this one is queued; what it has changed is seen when its COMMIT has ended, which
 * is later than its time of completion says. One that is carried out at once is seen by its lock
 * alone.
 */
apr_status_t batch_intake_look_around(batch_tx_t *tx, batch_intake_state_t *intake);

/** Reads all stored errors of the job into intake->errors. */
apr_status_t batch_intake_list_errors(batch_tx_t *tx, batch_intake_state_t *intake,
                                      apr_pool_t *ptemp);

#endif

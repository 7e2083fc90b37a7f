/*
 * The store: the module's own tables, and the administrator's, behind plain calls.
 *
 * Only this folder knows apr_dbd, a driver or SQL. Callers say what they want in a function that
 * runs inside one transaction:
 *
 *     batch_store_write(store, create_body, &create, &error, ptemp);
 *
 * The store takes a connection, starts the transaction, runs the function and commits; or rolls
 * back if the function returns anything but APR_SUCCESS, which it then returns. It runs the
 * function again, from the start, where the attempt left no trace: the database was locked, the
 * connection was lost, a prepared statement was outdated by a change of the schema. So a function
 * sets its results anew each time that it runs, and its inserts carry ids made beforehand. A
 * driver may send a statement that only writes together with a later one: then a call that returned
 * APR_SUCCESS may still fail with that later one, at the latest with the COMMIT.
 *
 * Time is the database's: for sqlite3 that is this machine's clock, for pgsql clock_timestamp().
 *
 * Statuses of every call here:
 *   APR_SUCCESS
 *   BATCH_ENOTFOUND     nothing there for that organization and API
 *   BATCH_EFENCED       the job is no longer claimed by this caller
 *   BATCH_EUNAVAILABLE  locked for too long, full, read-only, unreachable, corrupt, newer schema:
 *                       err has a log tag and says what; try again later
 *   BATCH_EUNFIT        the administrator's tables, or what may be done with them, do not fit the
 *                       resource: err as above; see store/inspect.h, store/fitness.h
 *   BATCH_EREFUSED      the database refused what was written and nothing of it is left (a deferred
 *                       constraint at COMMIT, a trigger that rolls back): err->message has the
 *                       database's own words, and no tag
 *   BATCH_EINDOUBT      the connection was lost in the COMMIT: it may have been done or not. What
 *                       has become of it: batch_store_job_stands. Never returned for a read.
 * and whatever the caller's function returns. Once a call inside the transaction has failed for a
 * reason of the database's, the transaction is rolled back whatever the function returns.
 */
#ifndef BATCH_STORE_H
#define BATCH_STORE_H

#include "batch.h"
#include "store/segment.h"

typedef struct batch_store batch_store_t;
typedef struct batch_tx batch_tx_t;

/* What the writers of one database share. Only store/ knows the inside of it. */
typedef struct batch_writers batch_writers_t;

typedef struct batch_store_config {
    const char *driver;           /* apr_dbd's name: "sqlite3" or "pgsql" */
    const char *params;           /* apr_dbd's parameter string */
    int max_connections;          /* of this process; a call waits for a free one */
    apr_interval_time_t patience; /* how long a call waits for a connection or a lock */
    /*
     * sqlite3: the database's file is made if there is none. Not for a process that serves: a file
     * that is missing while httpd runs has been moved, and a new one in its place would take over
     * the write-ahead log of the old one.
     */
    int may_create;
    /*
     * Signals are blocked during a transaction. For a process whose signal handlers end it in the
     * middle of whatever it does (prefork): it would wait for locks that it holds itself.
     */
    int block_signals;
    /*
     * Made by batch_writers_make, shared by all processes that serve the database, so that their
     * writers queue up instead of polling for SQLite's lock. NULL: the store makes its own (a
     * process of its own, as the unit tests).
     */
    batch_writers_t *writers;
    const batch_logger_t *logger;
} batch_store_config_t;

/**
 * Loads what the database drivers need, for as long as p (httpd's configuration) lives. To be
 * called before there are threads, so that no driver is loaded by two of them at once.
 */
apr_status_t batch_store_prepare(apr_pool_t *p);

/** The bytes that a batch_writers_t takes. */
apr_size_t batch_writers_size(void);

/**
 * Makes writers ready, before any process uses it: so many bytes, aligned for anything, of memory
 * that all processes share. It needs no cleaning up.
 */
apr_status_t batch_writers_make(batch_writers_t *writers);

/**
 * Makes the store of one process; config's strings are copied. Opens nothing yet: connections are
 * opened by the first call that needs one, and never cross a fork. The store lives in an unmanaged
 * pool of its own until batch_store_destroy; a process that ends without it leaves the database
 * intact. batch_store_prepare must have been called. APR_ENOTIMPL if there is no such driver here.
 */
apr_status_t batch_store_create(batch_store_t **store, const batch_store_config_t *config,
                                batch_error_t *err, apr_pool_t *ptemp);

/**
 * The process is to end: from now on no call waits longer than patience for a lock, a turn to
 * write or a reply, and what cannot be had by then is BATCH_EUNAVAILABLE. Calls that begin later
 * still work, for example to give a job back. Returns at once; callable in any thread and in a
 * signal handler, more than once (the first counts). With block_signals a signal that is held back
 * has this effect by itself.
 */
void batch_store_hurry(batch_store_t *store, apr_interval_time_t patience);

/** Closes all connections. No call may be under way. */
void batch_store_destroy(batch_store_t *store);

/**
 * Makes the module's own tables, or brings older ones up to this version, under the database's
 * lock: any number of processes may call it at once. Called lazily by the first transaction of
 * every store too, so that a database that comes up late is served without a restart.
 */
apr_status_t batch_store_migrate(batch_store_t *store, batch_error_t *err, apr_pool_t *ptemp);

/**
 * What runs inside a transaction. ptemp is cleared before each run, and gone after the last one. It
 * must not call batch_store_write or batch_store_read, and not wait for a client: it holds a
 * connection, and as a writer the turn of all writers.
 */
typedef apr_status_t batch_tx_fn(batch_tx_t *tx, void *baton, apr_pool_t *ptemp);

/** Runs fn in a transaction that may write: durable when this returns APR_SUCCESS. */
apr_status_t batch_store_write(batch_store_t *store, batch_tx_fn *fn, void *baton,
                               batch_error_t *err, apr_pool_t *ptemp);

/**
 * As batch_store_write, but does not wait for the disk where only a failure of this machine could
 * undo the transaction (an asynchronous commit): for a step on the way, which nobody is told of.
 * The next batch_store_write, whoever's it is, makes it durable, too. A transaction that is undone
 * is undone as a whole, and with it all that were committed after it.
 */
apr_status_t batch_store_write_async(batch_store_t *store, batch_tx_fn *fn, void *baton,
                                     batch_error_t *err, apr_pool_t *ptemp);

/**
 * As batch_store_write, for a function that takes a short time. Where the database takes one writer
 * at a time, the functions of several threads may come to share a transaction, one after the other,
 * and so its COMMIT. Each has a result of its own, as if it had been alone: what one has done is
 * undone alone if it fails. So fn may run in another thread, while the caller's sleeps; and it must
 * not ask which one it is in.
 */
apr_status_t batch_store_write_shared(batch_store_t *store, batch_tx_fn *fn, void *baton,
                                      batch_error_t *err, apr_pool_t *ptemp);

/** Runs fn in a read-only transaction: all that it reads is of one moment. */
apr_status_t batch_store_read(batch_store_t *store, batch_tx_fn *fn, void *baton,
                              batch_error_t *err, apr_pool_t *ptemp);

/** 1 once the process is to end: whoever waits for something is to give up. */
int batch_store_is_ending(batch_store_t *store);

/**
 * For whoever runs one transaction behind the other, before each: how long to leave the database to
 * others. 0: go on; otherwise wait that long, and ask again. Other programs that want to write to
 * the same SQLite file look for a gap about ten times a second, and would hardly ever hit one: so
 * all workers together leave one that is long enough for that, every other second.
 */
apr_interval_time_t batch_store_rest(batch_store_t *store);

/**
 * 0 if a transaction that goes on for longer keeps nobody waiting that is known of, and spares what
 * several cost: pages that each of them writes once more.
 */
int batch_store_is_awaited(batch_store_t *store);

/** Bytes of stored items that a chunk is to be given at most, about. */
apr_size_t batch_store_chunk_bytes(const batch_store_t *store);

/**
 * 1 if the database has work that is better done while nobody waits for it: to be asked by whoever
 * has answered a request that writes, and if so a worker is to be woken, which does it when it
 * finds no job. 1 for one caller each time.
 */
int batch_store_wants_worker(batch_store_t *store);

/**
 * As batch_store_read, for a read that may take seconds: it has connections of its own, so that
 * however many of them there are, short calls find one.
 */
apr_status_t batch_store_read_long(batch_store_t *store, batch_tx_fn *fn, void *baton,
                                   batch_error_t *err, apr_pool_t *ptemp);

/**
 * For a write that returned BATCH_EINDOUBT: APR_SUCCESS if the stored job is in the very state that
 * the write has left in *job (seq, epoch, position, revision, updated_at), BATCH_ECONFLICT if it is
 * in another, BATCH_ENOTFOUND if it is not there. Waits for a transaction that is still changing
 * it. Only an insert that is still under way does not show: inserting the same id again waits for
 * that. Never BATCH_EINDOUBT.
 */
apr_status_t batch_store_job_stands(batch_store_t *store, const batch_job_t *job,
                                    batch_error_t *err, apr_pool_t *ptemp);

/** Who claims or receives: a thread of a process on a machine. Written into the job as its owner.
 */
typedef struct batch_owner {
    const char *host; /* this boot of this machine (and container): see engine/host.h */
    apr_int64_t pid;
    apr_int64_t start_time; /* of the process, in clock ticks since the boot */
} batch_owner_t;

/* ---- Inside a transaction. Each returns what the function should return on failure. ---------- */

/** 1 if its COMMIT may return before the disk has it: see batch_store_write_async. */
int batch_tx_is_async(const batch_tx_t *tx);

/** The database's clock. */
apr_time_t batch_tx_now(batch_tx_t *tx);

/** Where fn reports details of its own failure; never NULL. */
batch_error_t *batch_tx_error(batch_tx_t *tx);

/**
 * Inserts job; sets its seq, revision, created_at and updated_at. owner: who receives it, where its
 * status is receiving, else NULL. A final status sets completed_at.
 */
apr_status_t batch_tx_job_insert(batch_tx_t *tx, batch_job_t *job, const batch_owner_t *owner);

/**
 * The same in two steps: the first sets seq and created_at, so that items and errors of the job can
 * be stored before it; the second inserts it as it has become by then.
 */
apr_status_t batch_tx_job_place(batch_tx_t *tx, batch_job_t *job);
apr_status_t batch_tx_job_insert_placed(batch_tx_t *tx, batch_job_t *job,
                                        const batch_owner_t *owner);

/**
 * Reads the job with that id if it is this organization's and of this API; strings in p. A write
 * transaction keeps others from changing it until it ends; it waits for a worker's chunk.
 */
apr_status_t batch_tx_job_get(batch_tx_t *tx, batch_job_t *job, const char *id,
                              const char *organization, batch_api_e api, apr_pool_t *p);

/** The same without waiting, and without keeping others from anything. */
apr_status_t batch_tx_job_look(batch_tx_t *tx, batch_job_t *job, const char *id,
                               const char *organization, batch_api_e api, apr_pool_t *p);

/** The same for the job of any organization: for whoever has a signed URL of it. */
apr_status_t batch_tx_job_find(batch_tx_t *tx, batch_job_t *job, const char *id, batch_api_e api,
                               apr_pool_t *p);

/**
 * The orders that a list can have; lists of the resources API have the first one only.
 * X(SYMBOL, "word as the API says it", "column of batch_jobs")
 */
#define BATCH_SORT_LIST(X)                                                                         \
    X(BATCH_SORT_CREATED_AT, "created_at", "created_at")                                           \
    X(BATCH_SORT_UPDATED_AT, "updated_at", "updated_at")                                           \
    X(BATCH_SORT_STARTED_AT, "started_at", "queued_at")                                            \
    X(BATCH_SORT_COMPLETED_AT, "completed_at", "completed_at")                                     \
    X(BATCH_SORT_STATUS, "status", "status_rank")                                                  \
    X(BATCH_SORT_OBJECTS_TOTAL, "objects_total", "total")
#define BATCH_SORT_ENTRY(symbol, word, column) symbol,
typedef enum { BATCH_SORT_LIST(BATCH_SORT_ENTRY) BATCH_SORT_COUNT } batch_sort_e;

typedef struct batch_job_query {
    const char *organization;
    batch_api_e api;
    /* Only jobs with these words, as stored; NULL = any. */
    const char *resource;
    const char *mode;
    const char *via;
    const char *status;
    const char *action;
    batch_sort_e sort; /* equal values: by creation, in the same direction */
    int descending;
    apr_int64_t offset;
    apr_int64_t limit;
} batch_job_query_t;

/** Is called for each job of a list; job and its strings are gone after the call. */
typedef apr_status_t batch_job_fn(void *baton, const batch_job_t *job);

/**
 * Calls fn for each job that query selects, in its order; sets *total (before the first call) to
 * how many there are in all. The jobs come without shared_values and operations, which may be
 * large.
 */
apr_status_t batch_tx_job_list(batch_tx_t *tx, apr_int64_t *total, const batch_job_query_t *query,
                               batch_job_fn *fn, void *baton, apr_pool_t *ptemp);

/**
 * Writes back what the API may change in a job that is not running: resource, action, form_id,
 * shared_values, operations, warnings, status, total, queued_at, target, section, judge_again,
 * updated_by and updated_by_id.
 * Sets updated_at and revision. BATCH_ECONFLICT if the row's revision is no longer the job's.
 */
apr_status_t batch_tx_job_update(batch_tx_t *tx, batch_job_t *job);

/** Removes the job, with its items, errors and kept keys as batch_tx_belongings_leave does. */
apr_status_t batch_tx_job_delete(batch_tx_t *tx, const batch_job_t *job);

/**
 * Removes up to limit jobs that became final more than retention ago, with all that belongs to
 * them. *removed: how many there were.
 */
apr_status_t batch_tx_jobs_expire(batch_tx_t *tx, int *removed, apr_interval_time_t retention,
                                  int limit, apr_pool_t *ptemp);

/**
 * Ends the receiving of a job (status receiving, or requested): writes status, reason,
 * counts, total, stored, received, invalid, position, cleanup_total, cleanup_done, checksum,
 * header, judge_again, and the times queued_at, started_at, parsed_at, validated_at and
 * processed_at. Sets updated_at and revision; a final status sets completed_at, any takes the owner
 * away. BATCH_ENOTFOUND if the job has been removed, BATCH_ECONFLICT if its revision is no longer
 * the job's.
 */
apr_status_t batch_tx_job_received(batch_tx_t *tx, batch_job_t *job);

/**
 * Cancels a job that is not final: writes status, reason, updated_by and updated_by_id; epoch + 1,
 * so that a worker that has it is fenced; no owner; completed_at, updated_at and revision.
 * BATCH_ECONFLICT if its revision is no longer the job's (read it again).
 */
apr_status_t batch_tx_job_cancel(batch_tx_t *tx, batch_job_t *job);

/** Stores a segment of the job's items. */
apr_status_t batch_tx_segment_insert(batch_tx_t *tx, const batch_job_t *job,
                                     const batch_segment_t *segment);

/** Reads the segment that holds the item at position, in p. BATCH_ENOTFOUND behind the last one. */
apr_status_t batch_tx_segment_get(batch_tx_t *tx, batch_segment_t *segment, const batch_job_t *job,
                                  apr_int64_t position, apr_pool_t *p);

/* ---- Uploads of jobs that are requested ------------------------------------------------------ */

/** Who receives the job's upload, in p; host is NULL where nobody does. */
apr_status_t batch_tx_upload_owner(batch_tx_t *tx, batch_owner_t *owner, const batch_job_t *job,
                                   apr_pool_t *p);

/**
 * Begins the upload of a requested job for owner, or, with an owner of NULL, ends one that came to
 * nothing: whoever received it is fenced. Sets the counts to 0, upload_began_at to began_at (0:
 * there is none), and lease_until to lease from now. Removes a piece of what is stored of one
 * before, and its errors; *more (or NULL): there may be more of that, so nobody has the upload yet,
 * whatever owner is: call again, in another transaction. BATCH_EFENCED if the job is not requested
 * any more, or its revision is another.
 */
apr_status_t batch_tx_upload_reset(batch_tx_t *tx, batch_job_t *job, int *more,
                                   const batch_owner_t *owner, apr_time_t began_at,
                                   apr_interval_time_t lease);

/**
 * Says how far the upload that owner receives has come: writes received, stored, total, invalid and
 * counts of duplicates and errors, and renews the lease. received: the items so far, which may be
 * more than those of the job that are stored. Fails as batch_tx_upload_reset, which makes it the
 * fence of every transaction of an upload.
 */
apr_status_t batch_tx_upload_progress(batch_tx_t *tx, batch_job_t *job, const batch_owner_t *owner,
                                      apr_interval_time_t lease, apr_int64_t received);

/** What the store asks about the owner of a job: 1 = known to be gone. */
typedef int batch_owner_gone_fn(void *baton, const batch_owner_t *owner);

/**
 * Finds a requested job whose upload has come to nothing (its owner is gone, or silent), or whose
 * time is over without one under way, and keeps others from it; in p. BATCH_ENOTFOUND if there is
 * none.
 */
apr_status_t batch_tx_upload_overdue(batch_tx_t *tx, batch_job_t *job,
                                     batch_owner_gone_fn *owner_gone, void *baton, apr_pool_t *p);

/* ---- Secrets --------------------------------------------------------------------------------- */

/**
 * The secret of that name, in p: the one that is stored, and candidate, which is stored then, where
 * there is none yet.
 */
apr_status_t batch_tx_secret(batch_tx_t *tx, const char **secret, const char *name,
                             const char *candidate, apr_pool_t *p);

/* ---- Turns ----------------------------------------------------------------------------------- */

/*
 * Batches with the same target (a table and, where it has a scope, an organization) come one after
 * the other: in order of queued_at and seq. What is being processed stands before all others.
 */

/*
 * What others have changed is seen when their COMMIT has ended, which is that much later, about,
 * than their time of completion says.
 */
#define BATCH_COMMIT_TIME apr_time_from_sec(1)

/** From when on rows may have changed that the job's items were judged by. */
apr_time_t batch_job_judged_since(const batch_job_t *job);

/**
 * Keeps claims of jobs of that target from succeeding until the transaction ends; exclusive: other
 * such transactions, too. Waits for those that hold it. NULL target: nothing.
 */
apr_status_t batch_tx_target_share(batch_tx_t *tx, const char *target, int exclusive);

/** The same, exclusive, without waiting. *is_ours: it could be had. */
apr_status_t batch_tx_target_try(batch_tx_t *tx, int *is_ours, const char *target);

/**
 * *earlier: another job of the same target stands before this one; where that has no queued_at,
 * whichever there is. Jobs that nobody has committed yet are not seen.
 */
apr_status_t batch_tx_target_earlier(batch_tx_t *tx, int *earlier, const batch_job_t *job);

/**
 * Gives a job that is to be queued or to stand in line its queued_at, behind those of all others of
 * its target; nobody else queues one of these before the transaction ends. *behind: there are some.
 */
apr_status_t batch_tx_target_queue(batch_tx_t *tx, int *behind, batch_job_t *job);

/** *changed: another job of the same target has ended since that time. */
apr_status_t batch_tx_target_changed(batch_tx_t *tx, int *changed, const batch_job_t *job,
                                     apr_time_t since);

/**
 * Lines up a job that is still being received (status receiving), for at most patience: writes
 * queued_at, and sets lease_until. BATCH_ENOTFOUND if it has been removed.
 */
apr_status_t batch_tx_job_line_up(batch_tx_t *tx, batch_job_t *job, apr_interval_time_t patience);

/** Sets the lease of one that stands in line anew. */
apr_status_t batch_tx_job_stay_in_line(batch_tx_t *tx, const batch_job_t *job,
                                       apr_interval_time_t patience);

/* ---- The queue ------------------------------------------------------------------------------- */

/** What the store asks about a candidate: 1 = this engine can run it. */
typedef int batch_runnable_fn(void *baton, const batch_job_t *job);

/** What the store has a claimed job given: the status of one that has an owner. */
typedef apr_status_t batch_claimed_fn(void *baton, batch_job_t *job);

typedef struct batch_claim {
    const batch_owner_t *owner;
    apr_interval_time_t lease;
    batch_runnable_fn *runnable;
    batch_owner_gone_fn *owner_gone;
    void *baton;
    int *held_off; /* set to 1: a job was left since a request is at its rows just now; or NULL */
    batch_claimed_fn *claimed; /* NULL where nothing is claimed */
} batch_claim_t;

/**
 * Claims a runnable job: the oldest one that is being processed by nobody, by an owner that is
 * gone, or by one whose lease has run out; else the oldest that is queued and whose turn it is
 * among those of its target. Where another of that target has ended since its items were judged, it
 * sets judge_again. Has it given its status, and sets
 * epoch + 1, claims + 1, owner and lease, started_at on the first claim. BATCH_ENOTFOUND when there
 * is none.
 */
apr_status_t batch_tx_claim(batch_tx_t *tx, batch_job_t *job, const batch_claim_t *claim,
                            apr_pool_t *p);

/**
 * Removes up to limit jobs that were still being received (status receiving) when their owner
 * ended, or for longer than patience, or that stood in line until a lease which is long over.
 * *removed: how many there were.
 */
apr_status_t batch_tx_jobs_abandoned(batch_tx_t *tx, int *removed, const batch_claim_t *claim,
                                     apr_interval_time_t patience, int limit, apr_pool_t *ptemp);

/**
 * The fence, first in each chunk's transaction: renews the lease where id, epoch and position are
 * still the job's and it is being processed. BATCH_EFENCED otherwise.
 */
apr_status_t batch_tx_fence(batch_tx_t *tx, const batch_job_t *job, apr_interval_time_t lease);

/**
 * Last in each chunk's transaction: writes the job's position, counts, total, invalid, status,
 * reason, what cleanup_* say and processed_at; claims to 0. A final status sets completed_at, and
 * takes owner and lease away.
 */
apr_status_t batch_tx_progress(batch_tx_t *tx, batch_job_t *job);

/**
 * Gives a claimed job back (owner and lease removed, the status stays), under the fence's
 * condition. That claim does not count in claims: nothing went wrong.
 */
apr_status_t batch_tx_release(batch_tx_t *tx, const batch_job_t *job);

/* ---- The errors of a job --------------------------------------------------------------------- */

/** Adds count errors. Several errors of one item keep their order. */
apr_status_t batch_tx_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                    const batch_item_error_t *errors, int count);

/** Removes the errors of one item: it has none any more. */
apr_status_t batch_tx_errors_forget(batch_tx_t *tx, const batch_job_t *job, apr_int64_t ordinal);

/** How far a reader of errors has come; all 0 (memset) at the start. */
typedef struct batch_error_cursor {
    apr_int64_t ordinal;
    apr_int64_t number;
    int begun;
} batch_error_cursor_t;

/** Is called for each error, in order of ordinal; its strings are gone after the call. */
typedef apr_status_t batch_item_error_fn(void *baton, const batch_item_error_t *error);

/** Calls fn for up to limit errors behind cursor, which moves. *count: how many there were. */
apr_status_t batch_tx_errors_read(batch_tx_t *tx, int *count, const batch_job_t *job,
                                  batch_error_cursor_t *cursor, int limit, batch_item_error_fn *fn,
                                  void *baton, apr_pool_t *ptemp);

/* ---- The administrator's tables ---------------------------------------------------------------
 */

/** What became of one item. */
typedef enum {
    BATCH_ROW_APPLIED,   /* exactly one row was deleted or changed */
    BATCH_ROW_NOT_FOUND, /* no such row in this organization (and form) */
    BATCH_ROW_REFUSED,   /* it was not applied: message says why; the transaction goes on */
    BATCH_ROW_CREATED,   /* a merge made a row */
    BATCH_ROW_AMBIGUOUS  /* a merge's match values are those of several rows: none was changed */
} batch_row_result_e;

/** Whether a row that was refused may do when other rows are other ones. */
typedef enum {
    BATCH_REFUSAL_FINAL,    /* no: its own values are to blame */
    BATCH_REFUSAL_RANGE,    /* no: a number is past what its column holds */
    BATCH_REFUSAL_TOO_LONG, /* no: a text is */
    BATCH_REFUSAL_OTHERS,   /* a foreign key, a trigger */
    BATCH_REFUSAL_UNIQUE    /* another row has its value (or what an exclusion leaves to one) */
} batch_refusal_e;

/** 1 if the values of a refused row are to blame, so that another try is in vain. */
#define batch_refusal_is_final(refusal) ((refusal) < BATCH_REFUSAL_OTHERS)

typedef struct batch_row_outcome {
    batch_row_result_e result;
    const char *message;     /* the database's own words; in the chunk's pool, NULL if applied */
    batch_refusal_e refusal; /* of BATCH_ROW_REFUSED */
    /*
     * Of a row that was made, in every merge where the database makes the keys: its key, in the
     * chunk's pool. NULL where a trigger has given it another one, or has taken the row away. In
     * merges with tell_keys also of the row that was touched, as the database writes it, where it
     * is another than the item's; or of one that a refused item names. Within one call that may
     * stand at another item that was applied. NULL: none
     */
    const char *key;
    int unsure; /* a refused one: it names a row of which the database does not say which */
} batch_row_outcome_t;

/** The rows that a job may touch: every statement is bound to both where the resource has them. */
typedef struct batch_row_scope {
    const batch_resource_t *resource;
    const char *organization;
    const char *form_id;  /* NULL: of any form, or the resource has none */
    const char *actor_id; /* for the stamps of an update */
    int tell_keys;        /* a merge says which rows it has touched; one that it cannot tell it
                             refuses */
} batch_row_scope_t;

/** Rows that a look counts at most. */
#define BATCH_LOOK_ROWS 100

/** What a look at an item's row has found. */
typedef struct batch_row_look {
    int found;             /* rows; BATCH_LOOK_ROWS + 1 where there are more than that */
    const char *key;       /* of the row, as the database writes it; NULL unless found is 1 */
    const char *immutable; /* the first immutable column that the item would change; NULL = none */
    apr_array_header_t *keys; /* of const char *: of several rows; NULL unless found is more */
} batch_row_look_t;

/**
 * One call on the rows of some items: the caller fills all but done. What it points to stays the
 * caller's, and has to be there until the call returns.
 */
typedef struct batch_rows {
    const batch_row_scope_t *scope;
    const batch_item_t *items;
    int count;                     /* of them, and of elements of outcomes, or of looks */
    int walked;                    /* their keys were told by a walk, not by a client */
    const batch_value_t *values;   /* what an update sets in each of the rows */
    int value_count;               /* … */
    apr_time_t deadline;           /* apr_time_now's clock; APR_INT64_MAX = none. Not of a look */
    batch_row_outcome_t *outcomes; /* are filled; a look has none */
    batch_row_look_t *looks;       /* are filled by a look */
    apr_pool_t *p;                 /* what outcomes and looks point to lives in it */
    int done;                      /* is set: so many outcomes are filled */
} batch_rows_t;

/**
 * Deletes the rows with the keys of the items (each has one), in their order. Stops early once the
 * deadline has passed, but never before the first item; and where it passes before the first one,
 * but behind the transaction's begin, not before some more, if a statement takes many. A row that
 * the database refuses leaves no trace and does not disturb the others.
 */
apr_status_t batch_tx_rows_delete(batch_tx_t *tx, batch_rows_t *rows);

/** The same for an update that sets the call's values (and the stamps) in each of the rows. */
apr_status_t batch_tx_rows_update(batch_tx_t *tx, batch_rows_t *rows);

/**
 * Merges: changes the rows that the items find, makes the others. An item finds its row as its
 * kind says (batch_item_kind_e; there are no dropped ones among items):
 *   BATCH_ITEM_KEY    by key. No such row: BATCH_ROW_NOT_FOUND where the resource's keys are
 *                     generated, else the row is made with that key
 *   BATCH_ITEM_MATCH  by the item's values of resource->match (an item has all of them, not NULL).
 *                     No such row: one is made, with the item's key as its key
 *   BATCH_ITEM_NEW    a row is made, with the item's key as its key
 * A change sets the item's values (columns that the item lacks stay as they are; immutable ones and
 * those that it was matched by are left alone) and the stamps of an update. A new row gets the
 * item's values, key, scope, and all stamps; what is left gets the table's defaults. An item
 * without anything to set still finds its row. Refused without the database's words is what a
 * trigger leaves out or as it was, without an error; and an item that the callers are not to make:
 * with a column that is not declared, readonly or the module's own, or without its key or match.
 * Rest as batch_tx_rows_delete.
 */
apr_status_t batch_tx_rows_merge(batch_tx_t *tx, batch_rows_t *rows);

/** 1 if a chunk should end, whatever time it has: what it has changed takes much memory. */
int batch_tx_is_full(const batch_tx_t *tx);

/**
 * 1 if two transactions can be at rows of one table at once: see batch_tx_rows_apart.
 */
int batch_store_divides(const batch_store_t *store);

/**
 * *apart: what becomes of an item of that action hangs on no other item of its batch, unless the
 * server has one of them wait for the other's transaction, or refuses it. So items that are applied
 * by two transactions at once, of which the one behind is committed last, end as they would one
 * after the other, if all of them are applied. Items that are found by key and change match values
 * are to be told apart from those that are found by match by the caller. Behind calls on the rows
 * of the same transaction it holds for them, too.
 */
apr_status_t batch_tx_rows_apart(batch_tx_t *tx, int *apart, const batch_resource_t *resource,
                                 batch_action_e action);

/**
 * A step of a transaction: what is done from here to its end can be undone alone. Steps are not
 * nested.
 */
apr_status_t batch_tx_step_begin(batch_tx_t *tx);

/**
 * Ends the step, and looks whether constraints whose check was put off to the COMMIT hold now.
 * *message: NULL if they do; else the database's own about one that does not, in p, and the step
 * was undone. undo: it is undone in any case, and nothing looked at.
 */
apr_status_t batch_tx_step_end(batch_tx_t *tx, int undo, const char **message, apr_pool_t *p);

/** Adds a row to what a look has found, for drivers; key is copied into p. */
void batch_row_look_add(batch_row_look_t *look, const char *key, apr_pool_t *p);

/**
 * Looks for the rows that the items would find, changing nothing: by key where an item has one
 * (whatever its kind), else by its values of resource->match if it has all of them, else none.
 */
apr_status_t batch_tx_rows_look(batch_tx_t *tx, batch_rows_t *rows);

/** Is called for a row, with its key, which is gone after the call. */
typedef apr_status_t batch_key_fn(void *baton, const char *key);

/** A walk over the rows of a scope in order of their keys, of which a call goes a bounded piece. */
typedef struct batch_key_walk {
    const batch_row_scope_t *scope;
    const char *after; /* the piece is behind this key; NULL: from the start. Is set to the last key
                          that was looked at, in p, or NULL when the walk is at its end */
    int limit;         /* calls of fn at most */
    batch_key_fn *fn;
    void *baton;
    apr_pool_t *p;
    batch_key_type_e type; /* of the key, as the table is now: is set before fn is called */
} batch_key_walk_t;

/** Calls fn for each row of the next piece, however many rows of others lie between them. */
apr_status_t batch_tx_keys_walk(batch_tx_t *tx, batch_key_walk_t *walk);

/**
 * *quick: to walk over a scope takes a small part of the time that looks at as many rows take, and
 * no two of its rows have the same key.
 */
apr_status_t batch_tx_keys_quick(batch_tx_t *tx, int *quick, const batch_row_scope_t *scope);

/**
 * For what a function does for long within a transaction: APR_TIMEUP past the deadline,
 * BATCH_EUNAVAILABLE where this process is to end and waits for the transaction, else APR_SUCCESS.
 */
apr_status_t batch_tx_go_on(batch_tx_t *tx, apr_time_t deadline);

/** Logs that what a function does within a transaction has failed as it never should. */
void batch_tx_report(batch_tx_t *tx, const char *tag, const char *message);

/** APR_SUCCESS if the organization has that form, else BATCH_ENOTFOUND. */
apr_status_t batch_tx_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                 const char *organization, const char *form_id);

#endif

/*
 * mod_batch: the vocabulary that every room of the house shares.
 *
 * Nothing here knows httpd, a database or JSON. A batch is called a *job* in the code, since
 * "batch" is also the prefix of every name; to clients it is always a batch.
 */
#ifndef BATCH_H
#define BATCH_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "actions.h"
#include "column_types.h"

/* ---- Errors ------------------------------------------------------------------------------- */

/* Status codes of our own, beside APR's. */
#define BATCH_ENOTFOUND    (APR_OS_START_USERERR + 4001) /* no such batch for this organization */
#define BATCH_ECONFLICT    (APR_OS_START_USERERR + 4002) /* the batch's status forbids it */
#define BATCH_EINVALID     (APR_OS_START_USERERR + 4003) /* the request is wrong: see problems */
#define BATCH_EFORBIDDEN   (APR_OS_START_USERERR + 4004) /* the caller may not do this */
#define BATCH_EUNAVAILABLE (APR_OS_START_USERERR + 4005) /* the database cannot serve us now */
#define BATCH_EFENCED      (APR_OS_START_USERERR + 4006) /* the batch is no longer this worker's */
#define BATCH_EREFUSED     (APR_OS_START_USERERR + 4007) /* the database refuses this row */
#define BATCH_EMALFORMED   (APR_OS_START_USERERR + 4008) /* a body that is not of its format */
#define BATCH_ETOOLARGE    (APR_OS_START_USERERR + 4009) /* a body or a part of it over its limit */
#define BATCH_EINDOUBT     (APR_OS_START_USERERR + 4010) /* a COMMIT's reply was lost */
#define BATCH_EPART        (APR_OS_START_USERERR + 4011) /* a body that says that it is a part */
#define BATCH_EUNFIT       (APR_OS_START_USERERR + 4012) /* a resource does not fit the database */
#define BATCH_EBUSY        (APR_OS_START_USERERR + 4013) /* earlier batches have these rows */
#define BATCH_ECROWDED     (APR_OS_START_USERERR + 4014) /* others hold what this needs */
#define BATCH_ENOSERVICE   (APR_OS_START_USERERR + 4015) /* the action is out of service */

/**
 * Details of a failure, filled by whoever returns a status other than APR_SUCCESS.
 * The caller owns the struct; message lives in the pool that the call was given (ptemp).
 */
typedef struct batch_error {
    apr_status_t status; /* what was returned, APR_SUCCESS while nothing failed */
    const char *tag;     /* log tag (docs/errors.md), NULL where nothing is to be logged */
    const char *message; /* one sentence, for a log or a client as the function says */
    apr_int64_t line;    /* of the body, from 1; 0 where it does not apply */
    apr_int64_t column;  /* bytes, from 1; 0 where it does not apply */
} batch_error_t;

/** Fills err (which may be NULL) and returns status. fmt as apr_psprintf; message lives in p. */
apr_status_t batch_error_set(batch_error_t *err, apr_status_t status, const char *tag,
                             apr_pool_t *p, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/** One thing that is wrong in a request: where it is, in the API's notation, and what. */
typedef struct batch_problem {
    const char *field;   /* as "operations[0].ids" */
    const char *message; /* what is wrong and what is expected instead */
    apr_int64_t line;    /* of the body, from 1; 0 where it does not apply */
} batch_problem_t;

/** An array of batch_problem_t; made with batch_problems_make. */
typedef apr_array_header_t batch_problems_t;

/** An empty list of problems in p. */
batch_problems_t *batch_problems_make(apr_pool_t *p);

/** Adds a problem. field is kept by reference, the message is formatted into the list's pool. */
void batch_problem_add(batch_problems_t *problems, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** 1 if there is a problem with that very field. */
int batch_problem_reported(const batch_problems_t *problems, const char *field);

/* ---- Words that are stored, shown and configured ------------------------------------------- */

/*
 * Each list is X(SYMBOL, "word"); the word is what the database, the configuration and the
 * resources API use. batch_*_name gives the word, batch_*_parse finds the symbol (-1 if none).
 */

#define BATCH_API_LIST(X)                                                                          \
    X(BATCH_API_RECORDS, "records")                                                                \
    X(BATCH_API_RESOURCES, "resources")

/*
 * pending: made, waits for its start; receiving: its items are being stored, no API shows it yet;
 * requested: waits for its upload; the last four are final.
 */
#define BATCH_STATUS_LIST(X)                                                                       \
    X(BATCH_STATUS_PENDING, "pending")                                                             \
    X(BATCH_STATUS_RECEIVING, "receiving")                                                         \
    X(BATCH_STATUS_REQUESTED, "requested")                                                         \
    X(BATCH_STATUS_QUEUED, "queued")                                                               \
    X(BATCH_STATUS_PROCESSING, "processing")                                                       \
    X(BATCH_STATUS_COMPLETED, "completed")                                                         \
    X(BATCH_STATUS_FAILED, "failed")                                                               \
    X(BATCH_STATUS_TIMED_OUT, "timed_out")                                                         \
    X(BATCH_STATUS_EXPIRED, "expired")

/*
 * Who makes the keys of new rows. client: an item with a key that no row has makes one; generated:
 * the module makes UUIDs; database: the database does as it inserts a row without that column.
 */
#define BATCH_KEYS_LIST(X)                                                                         \
    X(BATCH_KEYS_CLIENT, "client")                                                                 \
    X(BATCH_KEYS_GENERATED, "generated")                                                           \
    X(BATCH_KEYS_DATABASE, "database")

/* sync: the request does everything; mixed: parsing and validation, workers do the rest. */
#define BATCH_MODE_LIST(X)                                                                         \
    X(BATCH_MODE_SYNC, "sync")                                                                     \
    X(BATCH_MODE_MIXED, "mixed")

/* How the items came: in a request's data, or as a file. */
#define BATCH_VIA_LIST(X)                                                                          \
    X(BATCH_VIA_API, "api")                                                                        \
    X(BATCH_VIA_FILE, "file")

/* Which of several items with the same id (or match key, or content) is kept. */
#define BATCH_DUPLICATES_LIST(X)                                                                   \
    X(BATCH_DUPLICATES_USE_FIRST, "use_first")                                                     \
    X(BATCH_DUPLICATES_USE_LAST, "use_last")                                                       \
    X(BATCH_DUPLICATES_IGNORE_ALL, "ignore_all")

/* The phases of the resources API, in their order. */
#define BATCH_PHASE_LIST(X)                                                                        \
    X(BATCH_PHASE_PARSING, "parsing")                                                              \
    X(BATCH_PHASE_VALIDATION, "validation")                                                        \
    X(BATCH_PHASE_PROCESSING, "processing")                                                        \
    X(BATCH_PHASE_CLEANUP, "cleanup")

#define BATCH_ENUM_ENTRY(symbol, word) symbol,
typedef enum { BATCH_API_LIST(BATCH_ENUM_ENTRY) BATCH_API_COUNT } batch_api_e;
typedef enum { BATCH_STATUS_LIST(BATCH_ENUM_ENTRY) BATCH_STATUS_COUNT } batch_status_e;
typedef enum { BATCH_KEYS_LIST(BATCH_ENUM_ENTRY) BATCH_KEYS_COUNT } batch_keys_e;
typedef enum { BATCH_MODE_LIST(BATCH_ENUM_ENTRY) BATCH_MODE_COUNT } batch_mode_e;
typedef enum { BATCH_VIA_LIST(BATCH_ENUM_ENTRY) BATCH_VIA_COUNT } batch_via_e;
typedef enum { BATCH_DUPLICATES_LIST(BATCH_ENUM_ENTRY) BATCH_DUPLICATES_COUNT } batch_duplicates_e;
typedef enum { BATCH_PHASE_LIST(BATCH_ENUM_ENTRY) BATCH_PHASE_COUNT } batch_phase_e;

const char *batch_api_name(batch_api_e api);
const char *batch_action_name(batch_action_e action);
const char *batch_status_name(batch_status_e status);
const char *batch_type_name(batch_type_e type);
const char *batch_keys_name(batch_keys_e keys);
const char *batch_mode_name(batch_mode_e mode);
const char *batch_via_name(batch_via_e via);
const char *batch_duplicates_name(batch_duplicates_e duplicates);
const char *batch_phase_name(batch_phase_e phase);

/** The actions of an API, a bit (1u << batch_action_e) for each. */
unsigned batch_actions_of(batch_api_e api);

/** The words of the actions, a bit (1u << batch_action_e) for each, with commas between; in p. */
const char *batch_action_names(unsigned actions, apr_pool_t *p);

int batch_api_parse(const char *word);
int batch_action_parse(const char *word);
int batch_status_parse(const char *word);
int batch_type_parse(const char *word);
int batch_keys_parse(const char *word);
int batch_mode_parse(const char *word);
int batch_via_parse(const char *word);
int batch_duplicates_parse(const char *word);
int batch_phase_parse(const char *word);

/** 1 for completed, failed, timed_out and expired. */
int batch_status_is_final(batch_status_e status);

/* ---- Resources: what the administrator declares -------------------------------------------- */

/** Digits of a decimal whose column does not say how many: an exponent must not make more of them.
 */
#define BATCH_DECIMAL_DIGITS 100

/** Digits that precision= may ask for, as PostgreSQL has it. */
#define BATCH_DECIMAL_MOST 1000

/** One column of a resource's table (BatchColumn). */
typedef struct batch_column {
    const char *name;
    batch_type_e type;
    int required;              /* an item that creates a row must have it, not null */
    int immutable;             /* set when a row is created, never changed after */
    int readonly;              /* may be read by a query, never written by a batch */
    apr_int64_t max;           /* text: characters; 0 = no limit of ours */
    int precision;             /* decimal: digits in all, 0 = BATCH_DECIMAL_DIGITS */
    int scale;                 /* decimal: of them, behind the point */
    int has_scale;             /* 0: as many as were sent */
    const char *min;           /* of numbers: the smallest that is allowed, NULL = none */
    apr_array_header_t *words; /* of const char *: the values allowed (enum=), NULL = any */
} batch_column_t;

/** How many digits a decimal of the column may have. */
#define batch_column_digits(column)                                                                \
    ((column)->precision ? (column)->precision : BATCH_DECIMAL_DIGITS)

/** By what values of a key are equal, and in which order they are walked over. */
typedef enum {
    BATCH_KEY_TEXT,    /* by their letters, or as the column's collation says */
    BATCH_KEY_INTEGER, /* as numbers of at most 64 bits: "007" is 7, and 9 comes before 10 */
    BATCH_KEY_UUID,    /* whatever the case of their letters */
    BATCH_KEY_OTHER    /* as only the database knows */
} batch_key_type_e;

/** A name by which queries know a column (BatchQueryColumn). */
typedef struct batch_query_name {
    const char *name;   /* "-": queries do not know the column */
    const char *column; /* of the table */
} batch_query_name_t;

/** A table that batches may touch (<BatchResource NAME>). Lives as long as the configuration. */
typedef struct batch_resource {
    const char *name;            /* singular, as requests say it: "record" */
    const char *table;           /* BatchTable */
    const char *key;             /* BatchKey: the column that identifies a row */
    batch_keys_e keys;           /* who makes its values */
    apr_array_header_t *match;   /* of const char *: BatchMatch, empty = none */
    const char *scope;           /* BatchScope: the organization's column, NULL = none */
    apr_array_header_t *columns; /* of batch_column_t, in the order of the configuration */
    unsigned actions;            /* BatchActions: bit (1u << batch_action_e) */
    const char *created_at;      /* BatchStamp: columns set by the module, each NULL = none */
    const char *updated_at;
    const char *created_by_id;
    const char *updated_by_id;
    /* BatchForm: rows belong to a form (records API); form_column is NULL where there is none. */
    const char *form_column; /* the column of table that holds the form's id */
    const char *form_table;  /* the table of the forms */
    const char *form_id;     /* its key column */
    const char *form_scope;  /* its organization column, NULL = none */
    const char *form_name;   /* its name column, NULL = none */
    /* What queries of the records API see of it. */
    apr_array_header_t *query_names; /* of batch_query_name_t: BatchQueryColumn; NULL = none */
    const char *query_members; /* BatchQueryMembers; NULL = the only json column, "-" = none */
    /* Where it was declared, for messages. */
    const char *file;
    int line;
    /* What only config/ and http/ know of it: the BatchAllow expressions. */
    void *permissions;
} batch_resource_t;

/** How many columns are declared. */
#define batch_resource_columns(resource) ((resource)->columns ? (resource)->columns->nelts : 0)

/** The column of that name, or NULL. */
const batch_column_t *batch_resource_column(const batch_resource_t *resource, const char *name);

/** 1 if batches may write the column: it is not readonly, and none that the module sets itself. */
int batch_resource_writable(const batch_resource_t *resource, const batch_column_t *column,
                            int ignore_case);

/* ---- Items ---------------------------------------------------------------------------------- */

/** What a value was in the request, so that its column's type can judge it. */
typedef enum {
    BATCH_KIND_NULL,
    BATCH_KIND_STRING,
    BATCH_KIND_NUMBER, /* any JSON number */
    BATCH_KIND_BOOLEAN,
    BATCH_KIND_JSON,  /* an object or an array, or a string of a json column, as JSON text */
    BATCH_KIND_CELL,  /* text of a format without types (CSV): its column's type decides */
    BATCH_KIND_BROKEN /* not what was sent: that has a NUL, is no UTF-8, or is one of several */
} batch_kind_e;

/** A column's new value. NULL value: SQL NULL. */
typedef struct batch_value {
    const char *name;  /* of the column */
    const char *value; /* text form, NUL-terminated, valid UTF-8 without U+0000 */
    batch_kind_e kind; /* as the request had it; not stored: a decoded value is STRING or NULL */
} batch_value_t;

/** The value of that name, or NULL. */
const batch_value_t *batch_value_find(const batch_value_t *values, int count, const char *name);

/** How an item finds its row. */
typedef enum {
    BATCH_ITEM_KEY,     /* by key. Client keys: a key that is not there creates */
    BATCH_ITEM_MATCH,   /* by the values of the resource's match columns; no such row: creates */
    BATCH_ITEM_NEW,     /* by nothing: creates */
    BATCH_ITEM_DROPPED, /* it is not applied (duplicate, invalid); what it names is not removed */
    BATCH_ITEM_UNMET    /* the same for what rows were like: whole, since it may be judged again */
} batch_item_kind_e;

/** 1 if an item of that kind is to be applied. */
#define batch_item_is_live(item) ((item)->kind < BATCH_ITEM_DROPPED)

/**
 * One item of a batch, as it was accepted. ordinal is its place in the request, from 0, and stays
 * the same through every phase, so that an error can name what the client sent.
 */
typedef struct batch_item {
    apr_int64_t ordinal;
    apr_int64_t line;      /* of the body where the item begins, from 1; 0 = the format has none */
    const char *key;       /* the row's id, NULL = none given */
    apr_size_t key_length; /* bytes */
    int value_count;       /* of values; 0 for a delete */
    batch_value_t *values; /* NULL when value_count is 0 */
    batch_item_kind_e kind;
    const char *original; /* of a dropped one: as the client sent it, JSON text; else NULL */
} batch_item_t;

/** Why one item was not applied. Kept in batch_errors and served by the error files. */
typedef struct batch_item_error {
    apr_int64_t ordinal;
    apr_int64_t line;    /* 0 = the format has none */
    const char *id;      /* the item's id, NULL = none given */
    const char *field;   /* NULL = the item as a whole */
    const char *code;    /* a stable word: not_found, refused, … (docs/api) */
    const char *message; /* one sentence */
    /* The item, where more is to be shown of it than its id; never both. */
    const char *original; /* as the client sent it, JSON text */
    const char *values;   /* what was accepted of it, in the notation of store/segment.h */
} batch_item_error_t;

/* ---- The job: one batch as it is stored ------------------------------------------------------ */

/*
 * The life of a batch. At each arrow stand the event (engine/status.h) and the function in whose
 * transaction it happens; nobody sees anything in between.
 *
 *   records API          resources API, items sent     resources API, items follow
 *        |                        |                              |
 *        | batch_job_create       | batch_intake                 | batch_upload_request
 *        v                        v                              v
 *   +---------+             +-----------+                  +-----------+
 *   | pending |             | receiving |                  | requested | UPLOAD batch_upload_begin
 *   +---------+             +-----------+                  +-----------+
 *        |                        |                         |         |
 *        | START                  | RECEIVED                |         | EXPIRE
 *        | batch_job_create       | batch_intake_end        |         | batch_uploads_settle
 *        | batch_job_start        |                RECEIVED |         v
 *        |                        |       batch_upload_take |     (expired)
 *        v                        v                         v
 *   +------------------------------------------------------------+
 *   |                           queued                           |  in line: engine/turn.h
 *   +------------------------------------------------------------+
 *        |
 *        | CLAIM  batch_tx_claim; mode sync: batch_intake_run_sync, in the request's transaction
 *        v
 *   +------------+   CLAIM  batch_tx_claim once more: another takes it over, its owner is gone
 *   |            |
 *   | processing |   a chunk: batch_chunk_body, from the fence to batch_tx_progress: first the
 *   |            |   items, then those that are tried again; of an overwrite also the cleanup
 *   +------------+
 *     |   |   |
 *     |   |   +--- COMPLETE  batch_status_conclude, in the last chunk ---> (completed)
 *     |   +------- TIME_OUT  batch_status_time_out, in any chunk --------> (timed_out)
 *     +----------- FAIL      batch_status_conclude: nothing was applied -> (failed)
 *                            batch_job_run: it can never go on
 *
 * FAIL also ends one whose items are all wrong, or do not tell which rows they name (queued, in
 * batch_intake_end), and an upload that is no file of its format (requested, batch_upload_fail).
 * CANCEL (batch_job_cancel) makes (failed) of any but a final one and one that is being received.
 * REMOVE (batch_job_delete) takes one away that is pending, requested or final; workers take away
 * final ones that are past their retention, and what a request that broke off was receiving.
 */

/** What became of the items so far. */
typedef struct batch_counts {
    apr_int64_t created;
    apr_int64_t updated;
    apr_int64_t deleted;
    apr_int64_t overwritten; /* rows that the cleanup of an overwrite has removed */
    apr_int64_t duplicates;
    apr_int64_t errors; /* leaves out duplicates */
} batch_counts_t;

/** Items that were applied to their own rows. */
#define batch_counts_applied(counts) ((counts)->created + (counts)->updated + (counts)->deleted)

/** May this actor do action on the resource (BatchAllow)? 1 = yes. */
typedef int batch_permission_fn(void *baton, const batch_resource_t *resource,
                                batch_action_e action);

/** A person or program that acts, as BatchUserId, BatchUserName and BatchOrganization say. */
typedef struct batch_actor {
    const char *id;           /* never NULL, "" = unknown */
    const char *name;         /* never NULL */
    const char *organization; /* never NULL, "" where the administrator uses none */
    /*
     * Asked by the engine inside the transaction that creates, changes, starts or removes a job, so
     * that the answer is about the very action that is stored. NULL: everything is allowed.
     */
    batch_permission_fn *may;
    void *may_baton;
    apr_time_t request_at; /* apr_time_now's clock: when what is asked for was asked; 0 = unknown */
} batch_actor_t;

/** One row of batch_jobs. Strings live in the pool that the job was read or made in. */
typedef struct batch_job {
    apr_int64_t seq; /* the database's own key, in order of creation; 0 before the insert */
    const char *id;  /* UUID, lower case; what clients see */
    batch_api_e api; /* a batch is visible in the API that made it */
    const char *organization;
    const char *resource; /* NULL while a pending batch has no operations */
    batch_action_e action;
    const char *form_id;       /* records API: the form whose rows are selected, else NULL */
    const char *shared_values; /* what each item has that has no value of its own for the column:
                                  of a records update all that it sets; NULL: nothing */
    const char *operations; /* records API: the operations as JSON text, as the client sent them */
    const char *warnings;   /* JSON array of strings to show with the batch, NULL = none */
    batch_status_e status;
    const char *reason;   /* why it ended otherwise than well, NULL = it did not */
    apr_int64_t total;    /* items to be applied: distinct, and valid */
    apr_int64_t stored;   /* items stored in segments: total and, in between, dropped ones */
    apr_int64_t position; /* stored items that are behind us: batch_job_items = all */
    apr_int64_t epoch;    /* the claim's number: the fence, with position */
    apr_int64_t claims;   /* claims since the position last moved */
    apr_int64_t revision; /* grows with each change of the row; the ETag */
    batch_counts_t counts;
    apr_time_t created_at;
    apr_time_t updated_at;
    apr_time_t queued_at;    /* when it was started or uploaded; 0 = not yet */
    apr_time_t started_at;   /* when a worker first claimed it; 0 = not yet */
    apr_time_t completed_at; /* when it became final; 0 = not yet */
    const char *created_by;
    const char *created_by_id;
    const char *updated_by;
    const char *updated_by_id;
    /* Resources API. */
    batch_mode_e mode;
    batch_via_e via;
    batch_duplicates_e duplicate_handling;
    apr_int64_t save_upload;   /* 1: the stored items stay until the job is removed */
    const char *checksum;      /* SHA-256 of the body in hex; NULL = none */
    apr_int64_t received;      /* items that the body had */
    apr_int64_t invalid;       /* of them: dropped by validation */
    apr_int64_t cleanup_total; /* overwrite: rows that cleanup found to be removed */
    apr_int64_t cleanup_done;  /* of them: removed, or refused by the database */
    const char *cleanup_key;   /* the last key that cleanup has looked at; NULL = none yet */
    apr_time_t parsed_at;      /* when that phase was complete; 0 = not yet */
    apr_time_t validated_at;
    apr_time_t processed_at;
    /* Of one that waits, or has waited, for its upload. */
    apr_time_t lease_until; /* whoever works on it, or receives its upload, is silent no longer
                               than that; 0 = nobody does */
    apr_time_t expires_at;  /* until then its upload can come, whole seconds; 0 = it needs none */
    apr_time_t upload_began_at; /* when its upload began; 0 = it has none */
    apr_int64_t allow_empty;    /* 1: it may be an overwrite without a valid item */
    const char *header; /* of a CSV file: the names of its columns, with commas; else NULL */
    /* Its turn among the batches of one table and scope: engine/turn.h. */
    const char *target;     /* the rows that it may change; NULL: made before version 2*/
    const char *section;    /* the <BatchResource> that it was made with; NULL = not known */
    const char *generation; /* the configuration that had it, as of an engine; NULL = not known */
    apr_int64_t unmet; /* of invalid, while it is received: for what rows were like; not stored */
    apr_int64_t judge_again; /* 1: an earlier batch may have changed rows since it was judged */
    /*
     * Items that a constraint refused stand once more behind the stored ones: to be tried behind
     * all others, and, of an overwrite, behind its cleanup. The position goes over them, too.
     */
    apr_int64_t second_tries;
    apr_int64_t last_tries; /* they stand behind those */
    /* Rows that the cleanup could not remove, for which it walks once more; -1: it does. */
    apr_int64_t cleanup_again;
} batch_job_t;

/** Items that are to be gone over, those once more included that are tried again. */
#define batch_job_items(job) ((job)->stored + (job)->second_tries + (job)->last_tries)

/* ---- Limits and settings that the engine needs (their directives are in docs/directives) ----- */

typedef struct batch_limits {
    apr_int64_t max_objects;        /* BatchMaxObjects */
    apr_int64_t max_items;          /* BatchMaxItems: of one batch of the resources API */
    apr_int64_t max_item_size;      /* BatchMaxItemSize: bytes of one of them, as text */
    apr_int64_t sync_max_items;     /* BatchSyncMaxItems: of one with the mode sync */
    int workers;                    /* BatchWorkers: threads of this node, over all children */
    apr_interval_time_t chunk_time; /* BatchChunkTime, microseconds */
    apr_interval_time_t lease;      /* BatchLease, microseconds */
    apr_interval_time_t timeout;    /* BatchTimeout, microseconds; of a job, from its first claim */
    apr_interval_time_t retention;  /* BatchRetention, microseconds; of a final job */
    apr_interval_time_t url_ttl;    /* BatchURLTTL, microseconds; of a signed URL */
    apr_interval_time_t query_timeout; /* BatchQueryTimeout, microseconds; of one query */
    apr_int64_t query_rows;            /* BatchQueryRows: rows that a query may copy */
    apr_int64_t query_memory;          /* BatchQueryMemory: bytes that a query may hold */
} batch_limits_t;

/* ---- Logging -------------------------------------------------------------------------------- */

typedef enum {
    BATCH_LOG_CRIT,
    BATCH_LOG_ERROR,
    BATCH_LOG_WARNING,
    BATCH_LOG_NOTICE,
    BATCH_LOG_INFO,
    BATCH_LOG_DEBUG
} batch_log_level_e;

/**
 * Where the rooms without httpd write their log lines. write is given a finished message; it must
 * be callable from any thread. A NULL logger drops everything.
 */
typedef struct batch_logger {
    void (*write)(void *baton, batch_log_level_e level, apr_status_t status, const char *message);
    void *baton;
} batch_logger_t;

/**
 * Writes "TAG: [batch ID STATUS] message". tag as in docs/errors.md; job may be NULL. Never give it
 * a secret, nor a payload's value at info or above.
 */
void batch_log(const batch_logger_t *logger, batch_log_level_e level, const char *tag,
               apr_status_t status, const batch_job_t *job, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* ---- Small things that several rooms need ---------------------------------------------------- */

/**
 * Makes a pool with memory of its own, which one thread at a time may use, whatever others do with
 * the parent's. keeps: bytes that it holds back for itself when it is cleared, the rest goes back
 * to the system; 0 = all. parent: it is destroyed with that; NULL = by whoever made it. On failure
 * *p is NULL.
 */
apr_status_t batch_pool_make(apr_pool_t **p, apr_pool_t *parent, apr_size_t keeps);

/**
 * The same, for what comes and goes with each request: up to BATCH_POOL_LENT bytes of its memory
 * are lent to a later one when the parent is destroyed, so that the system need not be asked for
 * them each time. BATCH_POOLS_LENT of them lie idle at most.
 */
apr_status_t batch_pool_borrow(apr_pool_t **p, apr_pool_t *parent);

#define BATCH_POOL_LENT  ((apr_size_t)64 * 1024)
#define BATCH_POOLS_LENT 8

#endif

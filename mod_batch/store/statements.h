/*
 * The SQL of the module's own tables: what each statement is for, and its text. A driver has texts
 * of its own where its database needs others: see statements.c in its folder.
 *
 * Parameters are written as apr_dbd does it: %lld an apr_int64_t (pgsql: bigint), %s a text; values
 * are given in order, each by its address (an apr_int64_t *) or as it is (a char *), NULL being SQL
 * NULL. A literal per cent is %%. Values behind the last parameter of a text are not looked at.
 */
#ifndef BATCH_STORE_STATEMENTS_H
#define BATCH_STORE_STATEMENTS_H

#include <apr_general.h>

#include "store/store.h"

/* The version of the tables that this code works with; see schema.h. */
#define BATCH_SCHEMA_VERSION 3

/*
 * The columns of batch_jobs that a batch_job_t shows, in the order in which they are read and
 * inserted: X(KIND, column, member). shared_values and operations, which may be large, stand behind
 * them at the end of the row, and are left out of lists.
 */
#define BATCH_JOB_COLUMN_LIST(X)                                                                   \
    X(TEXT, id, id)                                                                                \
    X(API, api, api)                                                                               \
    X(TEXT, organization, organization)                                                            \
    X(TEXT, resource, resource)                                                                    \
    X(ACTION, action, action)                                                                      \
    X(TEXT, form_id, form_id)                                                                      \
    X(TEXT, warnings, warnings)                                                                    \
    X(STATUS, status, status)                                                                      \
    X(RANK, status_rank, status)                                                                   \
    X(TEXT, reason, reason)                                                                        \
    X(NUMBER, total, total)                                                                        \
    X(NUMBER, stored, stored)                                                                      \
    X(NUMBER, position, position)                                                                  \
    X(NUMBER, epoch, epoch)                                                                        \
    X(NUMBER, claims, claims)                                                                      \
    X(NUMBER, revision, revision)                                                                  \
    X(NUMBER, created, counts.created)                                                             \
    X(NUMBER, updated, counts.updated)                                                             \
    X(NUMBER, deleted, counts.deleted)                                                             \
    X(NUMBER, overwritten, counts.overwritten)                                                     \
    X(NUMBER, duplicates, counts.duplicates)                                                       \
    X(NUMBER, errors, counts.errors)                                                               \
    X(NUMBER, created_at, created_at)                                                              \
    X(NUMBER, updated_at, updated_at)                                                              \
    X(NUMBER, queued_at, queued_at)                                                                \
    X(NUMBER, started_at, started_at)                                                              \
    X(NUMBER, completed_at, completed_at)                                                          \
    X(TEXT, created_by, created_by)                                                                \
    X(TEXT, created_by_id, created_by_id)                                                          \
    X(TEXT, updated_by, updated_by)                                                                \
    X(TEXT, updated_by_id, updated_by_id)                                                          \
    X(MODE, mode, mode)                                                                            \
    X(VIA, via, via)                                                                               \
    X(DUPLICATES, duplicate_handling, duplicate_handling)                                          \
    X(NUMBER, save_upload, save_upload)                                                            \
    X(TEXT, checksum, checksum)                                                                    \
    X(NUMBER, received, received)                                                                  \
    X(NUMBER, invalid, invalid)                                                                    \
    X(NUMBER, cleanup_total, cleanup_total)                                                        \
    X(NUMBER, cleanup_done, cleanup_done)                                                          \
    X(TEXT, cleanup_key, cleanup_key)                                                              \
    X(NUMBER, parsed_at, parsed_at)                                                                \
    X(NUMBER, validated_at, validated_at)                                                          \
    X(NUMBER, processed_at, processed_at)                                                          \
    X(NUMBER, lease_until, lease_until)                                                            \
    X(NUMBER, expires_at, expires_at)                                                              \
    X(NUMBER, upload_began_at, upload_began_at)                                                    \
    X(NUMBER, allow_empty, allow_empty)                                                            \
    X(TEXT, header, header)                                                                        \
    X(TEXT, target, target)                                                                        \
    X(TEXT, section, section)                                                                      \
    X(TEXT, generation, generation)                                                                \
    X(NUMBER, judge_again, judge_again)                                                            \
    X(NUMBER, second_tries, second_tries)                                                          \
    X(NUMBER, last_tries, last_tries)                                                              \
    X(NUMBER, cleanup_again, cleanup_again)

#define BATCH_COLUMN_NAME(kind, column, member)   #column ", "
#define BATCH_COLUMN_FORMAT(kind, column, member) BATCH_FORMAT_##kind ", "
#define BATCH_FORMAT_NUMBER                       "%lld"
#define BATCH_FORMAT_TEXT                         "%s"
#define BATCH_FORMAT_API                          "%s"
#define BATCH_FORMAT_ACTION                       "%s"
#define BATCH_FORMAT_STATUS                       "%s"
#define BATCH_FORMAT_MODE                         "%s"
#define BATCH_FORMAT_VIA                          "%s"
#define BATCH_FORMAT_DUPLICATES                   "%s"
#define BATCH_FORMAT_RANK                         "%lld"

/* What is read: without what may be large, and with it. */
#define BATCH_JOB_COLUMNS     BATCH_JOB_COLUMN_LIST(BATCH_COLUMN_NAME) "seq"
#define BATCH_JOB_COLUMNS_ALL BATCH_JOB_COLUMNS ", shared_values, operations"

/* What is inserted. */
#define BATCH_JOB_INSERTED                                                                         \
    BATCH_JOB_COLUMN_LIST(BATCH_COLUMN_NAME)                                                       \
    "shared_values, operations, owner_host, owner_pid, owner_start_time, seq"
#define BATCH_JOB_FORMATS BATCH_JOB_COLUMN_LIST(BATCH_COLUMN_FORMAT) "%s, %s, %s, %lld, %lld, %lld"

/*
 * The storm tests' mutant (-DBATCH_MUTANT_NO_FENCE) goes on when it should not: that they fail with
 * it shows that they would notice.
 */
#ifdef BATCH_MUTANT_NO_FENCE
#define BATCH_FENCE_HOLDS 0
#else
#define BATCH_FENCE_HOLDS 1
#endif

/*
 * Of a job that is still being received nobody is told: no list shows it, and no client finds it.
 * The condition stands as it does in the index batch_jobs_listed, which SQLite would not use
 * without.
 */
#define BATCH_SQL_TEXT_SHOWN "status <> 'receiving'"

#define BATCH_SQL_TEXT_JOB_GET                                                                     \
    "SELECT " BATCH_JOB_COLUMNS_ALL " FROM batch_jobs WHERE id = %s AND organization = %s"         \
    " AND api = %s AND " BATCH_SQL_TEXT_SHOWN
#define BATCH_SQL_TEXT_JOB_BY_SEQ_ALL                                                              \
    "SELECT " BATCH_JOB_COLUMNS_ALL " FROM batch_jobs WHERE seq = %lld"
#define BATCH_SQL_TEXT_JOB_STATE                                                                   \
    "SELECT seq, epoch, position, revision, updated_at FROM batch_jobs WHERE id = %s"
#define BATCH_SQL_TEXT_JOBS_EXPIRED                                                                \
    "SELECT seq, id FROM batch_jobs WHERE completed_at > 0 AND completed_at < %lld"                \
    " ORDER BY completed_at LIMIT %lld"
#define BATCH_SQL_TEXT_CLAIM                                                                       \
    "UPDATE batch_jobs SET status = %s, epoch = epoch + 1, claims = claims + 1,"                   \
    " owner_host = %s, owner_pid = %lld, owner_start_time = %lld, lease_until = %lld,"             \
    " started_at = CASE WHEN started_at = 0 THEN %lld ELSE started_at END,"                        \
    " updated_at = %lld, judge_again = %lld, revision = revision + 1"                              \
    " WHERE seq = %lld AND epoch = %lld AND status IN ('queued', 'processing')"
#define BATCH_SQL_TEXT_FENCE(clock)                                                                \
    "UPDATE batch_jobs SET lease_until = " clock " + %lld WHERE seq = %lld AND id = %s"            \
    " AND epoch = %lld AND position = %lld AND status = 'processing'"

/* What a chunk has come to. The status stays: to write it costs a page of each index that has it.
 */
#define BATCH_SQL_TEXT_COME_TO                                                                     \
    "UPDATE batch_jobs SET position = %lld, created = %lld, updated = %lld, deleted = %lld,"       \
    " overwritten = %lld, duplicates = %lld, errors = %lld, reason = %s, cleanup_total = %lld,"    \
    " cleanup_done = %lld, cleanup_key = %s, processed_at = %lld, cleanup_again = %lld,"           \
    " second_tries = %lld, last_tries = %lld, total = %lld, stored = %lld, invalid = %lld,"        \
    " judge_again = %lld, claims = 0, updated_at = %lld, revision = revision + 1"
#define BATCH_SQL_TEXT_OF_THE_CLAIM                                                                \
    " WHERE seq = %lld AND id = %s AND epoch = %lld AND status = 'processing'"
#define BATCH_SQL_TEXT_PROGRESS BATCH_SQL_TEXT_COME_TO BATCH_SQL_TEXT_OF_THE_CLAIM
#define BATCH_SQL_TEXT_FINISH                                                                      \
    BATCH_SQL_TEXT_COME_TO                                                                         \
    ", status = %s, status_rank = %lld, completed_at = %lld,"                                      \
    " owner_host = NULL, owner_pid = 0, owner_start_time = 0, lease_until = "                      \
    "0" BATCH_SQL_TEXT_OF_THE_CLAIM

/*
 * Jobs that somebody may hold: those in front, in order of a time, behind (time, seq). What
 * batch_tx_holdings reads; a third parameter is the time that it is now.
 */
#define BATCH_HOLDINGS 64
#define BATCH_SQL_TEXT_HOLDINGS(time, condition)                                                   \
    "SELECT seq, " time ", lease_until, owner_pid, owner_start_time, owner_host, epoch, id"        \
    " FROM batch_jobs WHERE (" time ", seq) > (%lld, %lld) AND " condition " ORDER BY " time       \
    ", seq LIMIT " APR_STRINGIFY(BATCH_HOLDINGS)

/* A candidate for a claim. */
#define BATCH_SQL_TEXT_CANDIDATES(status)                                                          \
    BATCH_SQL_TEXT_HOLDINGS("queued_at",                                                           \
                            "status = '" status "' AND status IN ('queued', 'processing')")
/*
 * Jobs of a target that stand before others: what is processed, and what is queued; a request that
 * waits for its turn stands in line as a job that is being received and has a time at which it was
 * queued, as long as it has a lease.
 */
#define BATCH_SQL_TEXT_LINE(target)                                                                \
    "FROM batch_jobs AS line WHERE line.target = " target                                          \
    " AND line.status IN ('queued', 'processing', 'receiving') AND line.queued_at > 0"
#define BATCH_SQL_TEXT_BEFORE(queued_at, seq, now)                                                 \
    " AND (line.status = 'processing' OR (line.queued_at, line.seq) < (" queued_at ", " seq "))"   \
    " AND (line.status <> 'receiving' OR line.lease_until > " now ")"
/* now: the database's clock, so that nobody has to ask for it before. */
#define BATCH_SQL_TEXT_EARLIER(now)                                                                \
    "SELECT line.seq " BATCH_SQL_TEXT_LINE("%s")                                                   \
        BATCH_SQL_TEXT_BEFORE("%lld", "%lld", now) " AND line.seq <> %lld LIMIT 1"
/* A queued job none of whose target stands before it. */
#define BATCH_SQL_TEXT_FIRST_IN_LINE                                                               \
    BATCH_SQL_TEXT_HOLDINGS(                                                                       \
        "queued_at",                                                                               \
        "status = 'queued' AND status IN ('queued', 'processing') AND NOT "                        \
        "EXISTS (SELECT 1 " BATCH_SQL_TEXT_LINE("batch_jobs.target")                               \
            BATCH_SQL_TEXT_BEFORE("batch_jobs.queued_at", "batch_jobs.seq", "%lld") ")")

#define BATCH_SQL_TEXT_RECEIVING BATCH_SQL_TEXT_HOLDINGS("created_at", "status = 'receiving'")

#define BATCH_SQL_TEXT_LEFTOVER                                                                    \
    "SELECT job, first_item, errors FROM batch_leftovers WHERE job > 0 ORDER BY job LIMIT 1"

/* The jobs of a list, and which of them its filters let through: the value of each twice. */
#define BATCH_SQL_TEXT_LISTED         "organization = %s AND api = %s AND " BATCH_SQL_TEXT_SHOWN
#define BATCH_SQL_TEXT_FILTER(column) "(%s IS NULL OR " column " = %s)"
#define BATCH_SQL_TEXT_FITS                                                                        \
    BATCH_SQL_TEXT_FILTER("resource")                                                              \
    " AND " BATCH_SQL_TEXT_FILTER("mode") " AND " BATCH_SQL_TEXT_FILTER(                           \
        "via") " AND " BATCH_SQL_TEXT_FILTER("status") " AND " BATCH_SQL_TEXT_FILTER("action")

/*
 * One statement an entry: SAME(SYMBOL, text), which a driver may replace by a text of its own, or
 * OWN(SYMBOL, needed), for which there is none but those of drivers: of all where needed is true,
 * which may ask what the driver is (batch_driver_t *driver).
 */
#define BATCH_STATEMENT_LIST(SAME, OWN)                                                            \
    OWN(BATCH_SQL_VERSION, 1)                                                                      \
                                                                                                   \
    /* batch_jobs, by clients */                                                                   \
    /* The seq of the next one. */                                                                 \
    OWN(BATCH_SQL_JOB_PLACE, 1)                                                                    \
    SAME(BATCH_SQL_JOB_INSERT,                                                                     \
         "INSERT INTO batch_jobs (" BATCH_JOB_INSERTED ") VALUES (" BATCH_JOB_FORMATS ")")         \
    SAME(BATCH_SQL_JOB_GET, BATCH_SQL_TEXT_JOB_GET)                                                \
    SAME(BATCH_SQL_JOB_GET_TO_WRITE, BATCH_SQL_TEXT_JOB_GET)                                       \
    SAME(BATCH_SQL_JOB_BY_SEQ, "SELECT " BATCH_JOB_COLUMNS " FROM batch_jobs WHERE seq = %lld")    \
    OWN(BATCH_SQL_JOBS_BY_SEQS, driver->sets)                                                      \
    /* A driver that knows no sets counts those that fit while it walks. */                        \
    SAME(BATCH_SQL_JOB_COUNT, "SELECT count(*) FROM batch_jobs WHERE " BATCH_SQL_TEXT_LISTED       \
                              " AND " BATCH_SQL_TEXT_FITS)                                         \
    SAME(BATCH_SQL_JOB_UPDATE,                                                                     \
         "UPDATE batch_jobs SET resource = %s, action = %s, form_id = %s, shared_values = %s,"     \
         " operations = %s, warnings = %s, status = %s, status_rank = %lld, total = %lld,"         \
         " stored = %lld, queued_at = %lld, target = %s, section = %s, generation = %s,"           \
         " judge_again = %lld, updated_by = %s, updated_by_id = %s, updated_at = %lld, revision "  \
         "= revision + 1"                                                                          \
         " WHERE seq = %lld AND id = %s AND revision = %lld")                                      \
    SAME(BATCH_SQL_JOB_RECEIVED,                                                                   \
         "UPDATE batch_jobs SET status = %s, status_rank = %lld, reason = %s, created = %lld,"     \
         " updated = %lld, deleted = %lld, overwritten = %lld, duplicates = %lld, errors = %lld,"  \
         " total = %lld, stored = %lld, received = %lld, invalid = %lld, queued_at = %lld,"        \
         " position = %lld, cleanup_total = %lld, cleanup_done = %lld, started_at = %lld,"         \
         " parsed_at = %lld, validated_at = %lld, processed_at = %lld, checksum = %s,"             \
         " header = %s, judge_again = %lld, completed_at = %lld, updated_at = %lld, revision = "   \
         "revision + 1,"                                                                           \
         " owner_host = NULL, owner_pid = 0, owner_start_time = 0, lease_until = 0"                \
         " WHERE seq = %lld AND id = %s AND revision = %lld"                                       \
         " AND status IN ('receiving', 'requested')")                                              \
    /* Of one that is requested: the upload under way, or that there is none. */                   \
    SAME(BATCH_SQL_UPLOAD,                                                                         \
         "UPDATE batch_jobs SET owner_host = %s, owner_pid = %lld, owner_start_time = %lld,"       \
         " lease_until = %lld, upload_began_at = %lld, received = %lld, stored = %lld,"            \
         " total = %lld, invalid = %lld, duplicates = %lld, errors = %lld, updated_at = %lld,"     \
         " revision = revision + 1"                                                                \
         " WHERE seq = %lld AND id = %s AND revision = %lld AND status = 'requested'")             \
    SAME(BATCH_SQL_JOB_OWNER, "SELECT owner_host, owner_pid, owner_start_time FROM batch_jobs"     \
                              " WHERE seq = %lld")                                                 \
    SAME(BATCH_SQL_JOB_FIND, "SELECT " BATCH_JOB_COLUMNS_ALL " FROM batch_jobs"                    \
                             " WHERE id = %s AND api = %s AND " BATCH_SQL_TEXT_SHOWN)              \
    /* Whose time is over, and with an upload under way that may have come to nothing. */          \
    SAME(BATCH_SQL_UPLOADS,                                                                        \
         BATCH_SQL_TEXT_HOLDINGS(                                                                  \
             "expires_at", "status = 'requested' AND (expires_at <= %lld OR lease_until > 0)"))    \
    SAME(BATCH_SQL_SECRET_INSERT,                                                                  \
         "INSERT INTO batch_secrets (name, secret) VALUES (%s, %s) ON CONFLICT DO NOTHING")        \
    SAME(BATCH_SQL_SECRET_GET, "SELECT secret FROM batch_secrets WHERE name = %s")                 \
    SAME(BATCH_SQL_JOB_CANCEL,                                                                     \
         "UPDATE batch_jobs SET status = %s, status_rank = %lld, reason = %s, updated_by = %s, "   \
         "updated_by_id = %s,"                                                                     \
         " epoch = epoch + 1, completed_at = %lld, updated_at = %lld, revision = revision + 1,"    \
         " owner_host = NULL, owner_pid = 0, owner_start_time = 0, lease_until = 0"                \
         " WHERE seq = %lld AND id = %s AND revision = %lld AND completed_at = 0"                  \
         " AND " BATCH_SQL_TEXT_SHOWN)                                                             \
    SAME(BATCH_SQL_JOB_DELETE, "DELETE FROM batch_jobs WHERE seq = %lld AND id = %s")              \
    SAME(BATCH_SQL_JOBS_EXPIRED, BATCH_SQL_TEXT_JOBS_EXPIRED)                                      \
    /* Waits for a transaction that is still changing it, however its client has fared. */         \
    SAME(BATCH_SQL_JOB_STATE, BATCH_SQL_TEXT_JOB_STATE)                                            \
                                                                                                   \
    /*                                                                                             \
     * The queue: both in order of queued_at, a window behind (queued_at, seq). The second         \
     * condition on the status is the one of the partial index, which SQLite would not use         \
     * without.                                                                                    \
     */                                                                                            \
    SAME(BATCH_SQL_RUNNING, BATCH_SQL_TEXT_CANDIDATES("processing"))                               \
    SAME(BATCH_SQL_QUEUED, BATCH_SQL_TEXT_FIRST_IN_LINE)                                           \
    /* Those whose receiving may have come to nothing. */                                          \
    SAME(BATCH_SQL_RECEIVING, BATCH_SQL_TEXT_RECEIVING)                                            \
    SAME(BATCH_SQL_JOB_LOCK, BATCH_SQL_TEXT_JOB_BY_SEQ_ALL)                                        \
    SAME(BATCH_SQL_CLAIM, BATCH_SQL_TEXT_CLAIM)                                                    \
    OWN(BATCH_SQL_FENCE, 1)                                                                        \
    SAME(BATCH_SQL_PROGRESS, BATCH_SQL_TEXT_PROGRESS)                                              \
    SAME(BATCH_SQL_FINISH, BATCH_SQL_TEXT_FINISH)                                                  \
    SAME(BATCH_SQL_RELEASE,                                                                        \
         "UPDATE batch_jobs SET owner_host = NULL, owner_pid = 0, owner_start_time = 0,"           \
         " lease_until = 0, claims = CASE WHEN claims > 0 THEN claims - 1 ELSE 0 END"              \
         " WHERE seq = %lld AND id = %s AND epoch = %lld AND position = %lld"                      \
         " AND status = 'processing'")                                                             \
                                                                                                   \
    /* Turns: store_turns.c */                                                                     \
    OWN(BATCH_SQL_TARGET_TRY, !driver->one_writer)                                                 \
    OWN(BATCH_SQL_TARGET_SHARE, !driver->one_writer)                                               \
    OWN(BATCH_SQL_TARGET_ALONE, !driver->one_writer)                                               \
    OWN(BATCH_SQL_TARGET_QUEUE, !driver->one_writer)                                               \
    SAME(BATCH_SQL_TARGET_LAST, "SELECT max(line.queued_at) " BATCH_SQL_TEXT_LINE("%s"))           \
    OWN(BATCH_SQL_TARGET_EARLIER, 1)                                                               \
    SAME(BATCH_SQL_TARGET_CHANGED,                                                                 \
         "SELECT seq FROM batch_jobs WHERE completed_at > 0 AND completed_at >= %lld"              \
         " AND target = %s AND seq <> %lld LIMIT 1")                                               \
    SAME(BATCH_SQL_JOB_STAY_IN_LINE, "UPDATE batch_jobs SET lease_until = %lld"                    \
                                     " WHERE seq = %lld AND id = %s AND status = 'receiving'")     \
    SAME(BATCH_SQL_JOB_LINE_UP,                                                                    \
         "UPDATE batch_jobs SET queued_at = %lld, lease_until = %lld, updated_at = %lld,"          \
         " revision = revision + 1"                                                                \
         " WHERE seq = %lld AND id = %s AND revision = %lld AND status = 'receiving'")             \
                                                                                                   \
    /* batch_items. Parameters of a driver without sets: store_removal.c */                        \
    SAME(BATCH_SQL_SEGMENT_INSERT, "INSERT INTO batch_items (job, first_item, item_count, data)"   \
                                   " VALUES (%lld, %lld, %lld, %s)")                               \
    SAME(BATCH_SQL_SEGMENT_GET,                                                                    \
         "SELECT first_item, item_count, data FROM batch_items"                                    \
         " WHERE job = %lld AND first_item <= %lld ORDER BY first_item DESC LIMIT 1")              \
    SAME(BATCH_SQL_SEGMENTS_PASSED, "DELETE FROM batch_items WHERE job = %lld"                     \
                                    " AND first_item >= %lld AND first_item + item_count <= %lld") \
    SAME(BATCH_SQL_SEGMENTS_DELETE,                                                                \
         "DELETE FROM batch_items WHERE job = %lld AND first_item IN (SELECT first_item"           \
         " FROM batch_items WHERE job = %lld AND first_item >= %lld LIMIT %lld)")                  \
                                                                                                   \
    /* batch_leftovers: what is to be removed, of jobs that need it no more, or are gone */        \
    OWN(BATCH_SQL_LEFTOVER_INSERT, 1)                                                              \
    SAME(BATCH_SQL_LEFTOVER_GET, BATCH_SQL_TEXT_LEFTOVER)                                          \
    SAME(BATCH_SQL_LEFTOVER_LOCK, BATCH_SQL_TEXT_LEFTOVER)                                         \
    SAME(BATCH_SQL_LEFTOVER_DELETE, "DELETE FROM batch_leftovers WHERE job = %lld")                \
                                                                                                   \
    /* batch_errors. A driver with sets adds many at once: each parameter has a member of all. */  \
    OWN(BATCH_SQL_ERROR_INSERT, 1)                                                                 \
    SAME(BATCH_SQL_ERRORS_FORGET, "DELETE FROM batch_errors WHERE job = %lld AND ordinal = %lld")  \
    SAME(BATCH_SQL_ERRORS_READ,                                                                    \
         "SELECT ordinal, number, line, id, field, code, message, original FROM batch_errors"      \
         " WHERE job = %lld AND (ordinal, number) > (%lld, %lld)"                                  \
         " ORDER BY ordinal, number LIMIT %lld")                                                   \
    OWN(BATCH_SQL_ERRORS_DELETE, 1)                                                                \
                                                                                                   \
    /* batch_kept */                                                                               \
    SAME(BATCH_SQL_KEPT_INSERT,                                                                    \
         "INSERT INTO batch_kept (job, number, row_keys)"                                          \
         " SELECT %lld, coalesce(max(number), 0) + 1, %s FROM batch_kept WHERE job = %lld")        \
    SAME(BATCH_SQL_KEPT_READ,                                                                      \
         "SELECT number, row_keys FROM batch_kept WHERE job = %lld AND number > %lld"              \
         " ORDER BY number LIMIT 1")                                                               \
    OWN(BATCH_SQL_KEPT_DELETE, 1)

/*
 * Four for each order of a list: from a place (value, seq) on those of the same value, and those of
 * a value behind it; ascending at BATCH_SQL_LIST + 4 * sort, descending behind them. Two, since
 * SQLite does not find a place by both in an index. A driver makes them of its
 * SQL(column, of, condition, direction) as BATCH_LIST_OF_EACH(SQL).
 */
#define BATCH_LIST_ORDER(column, direction)                                                        \
    " ORDER BY " column direction ", seq" direction " LIMIT %lld OFFSET %lld"
#define BATCH_LIST_ENTRY(SQL, column, of)                                                          \
    SQL(column, of, column " = %lld AND seq > %lld", "")                                           \
    SQL(column, of, column " > %lld", "")                                                          \
    SQL(column, of, column " = %lld AND seq < %lld", " DESC")                                      \
    SQL(column, of, column " < %lld", " DESC")

/* The API alone that has the order, as the condition of its index: BATCH_INDEX_OF_RECORDS. */
#define BATCH_LIST_OF_RECORDS                  " AND api = 'records'"
#define BATCH_LIST_OF_BATCH_SORT_CREATED_AT    ""
#define BATCH_LIST_OF_BATCH_SORT_UPDATED_AT    BATCH_LIST_OF_RECORDS
#define BATCH_LIST_OF_BATCH_SORT_STARTED_AT    BATCH_LIST_OF_RECORDS
#define BATCH_LIST_OF_BATCH_SORT_COMPLETED_AT  BATCH_LIST_OF_RECORDS
#define BATCH_LIST_OF_BATCH_SORT_STATUS        BATCH_LIST_OF_RECORDS
#define BATCH_LIST_OF_BATCH_SORT_OBJECTS_TOTAL BATCH_LIST_OF_RECORDS

#define BATCH_SYMBOL_SAME(symbol, text)        symbol,
#define BATCH_SYMBOL_OWN(symbol, needed)       symbol,

typedef enum {
    BATCH_STATEMENT_LIST(BATCH_SYMBOL_SAME, BATCH_SYMBOL_OWN) BATCH_SQL_LIST,
    BATCH_SQL_COUNT = BATCH_SQL_LIST + 4 * BATCH_SORT_COUNT
} batch_statement_e;

struct batch_driver;

/** The text of a statement for that driver; NULL where it needs none. */
const char *batch_statement_text(const struct batch_driver *driver, batch_statement_e statement);

/** Its symbol, for messages. */
const char *batch_statement_name(batch_statement_e statement);

#endif

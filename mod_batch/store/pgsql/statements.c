/* PostgreSQL: the texts of statements that are its own. */
#include "store/pgsql/statements.h"

/* A data-modifying statement that fails unless it touches one row, with 22012. */
#if BATCH_FENCE_HOLDS
#define ONE_ROW(sql) "WITH one AS (" sql " RETURNING 1) SELECT 1 / count(*) FROM one"
#else
#define ONE_ROW(sql) sql
#endif

/*
 * The lock of a target. Advisory locks belong to the database, the module's tables to a schema of
 * it. One that is waited for tells the time at which it was had: it came together with what was
 * asked before it.
 */
#define TARGET_LOCK(kind) "hashtextextended(current_schema() || chr(10) || %s, " kind ")"
#define TARGET_WAIT(lock, kind)                                                                    \
    "SELECT CASE WHEN " lock "(" TARGET_LOCK(kind) ")::text IS NOT NULL THEN " BATCH_PGSQL_CLOCK   \
                                                   " END AS batch_clock"

/* The number of a new job, and the same where the lock is for one that is stored behind it. */
#define PLACE       "nextval(pg_get_serial_sequence('batch_jobs', 'seq'))"
#define AND_A_PLACE ", " PLACE " AS batch_place"

/* To a list, filters are conditions. */
#define LIST(column, of, condition, direction)                                                     \
    "SELECT seq, " column " FROM batch_jobs WHERE " BATCH_SQL_TEXT_FITS                            \
    " AND " BATCH_SQL_TEXT_LISTED of " AND " condition                                             \
    BATCH_LIST_ORDER(column, direction),
#define LIST_ENTRY(symbol, word, column) BATCH_LIST_ENTRY(LIST, column, BATCH_LIST_OF_##symbol)

const char *const batch_pgsql_statements[BATCH_SQL_COUNT] = {
    /* Of the schema that new tables are made in, wherever else there are some; and the clock. */
    [BATCH_SQL_VERSION] =
        "SELECT coalesce(max(version) FILTER (WHERE tableoid = to_regclass("
        "quote_ident(current_schema()) || '.batch_schema')), 0), " BATCH_PGSQL_CLOCK
        " FROM batch_schema",
    [BATCH_SQL_JOB_PLACE] = "SELECT " PLACE,
    [BATCH_SQL_JOB_GET_TO_WRITE] = BATCH_SQL_TEXT_JOB_GET " FOR UPDATE",
    [BATCH_SQL_JOBS_BY_SEQS] =
        "SELECT " BATCH_JOB_COLUMNS " FROM unnest(%s::bigint[]) WITH ORDINALITY"
        " AS wanted (wanted_seq, place) JOIN batch_jobs ON seq = wanted_seq ORDER BY place",
    [BATCH_SQL_JOBS_EXPIRED] = BATCH_SQL_TEXT_JOBS_EXPIRED " FOR UPDATE SKIP LOCKED",
    [BATCH_SQL_JOB_STATE] = BATCH_SQL_TEXT_JOB_STATE " FOR UPDATE",
    [BATCH_SQL_RECEIVING] = BATCH_SQL_TEXT_RECEIVING " FOR UPDATE SKIP LOCKED",
    [BATCH_SQL_JOB_LOCK] = BATCH_SQL_TEXT_JOB_BY_SEQ_ALL " FOR UPDATE SKIP LOCKED",
    [BATCH_SQL_CLAIM] = ONE_ROW(BATCH_SQL_TEXT_CLAIM),
    [BATCH_SQL_FENCE] = BATCH_SQL_TEXT_FENCE(BATCH_PGSQL_CLOCK),
    [BATCH_SQL_PROGRESS] = ONE_ROW(BATCH_SQL_TEXT_PROGRESS),
    [BATCH_SQL_FINISH] = ONE_ROW(BATCH_SQL_TEXT_FINISH),
    [BATCH_SQL_TARGET_TRY] = "SELECT pg_try_advisory_xact_lock(" TARGET_LOCK("78856") ")::int",
    [BATCH_SQL_TARGET_SHARE] = TARGET_WAIT("pg_advisory_xact_lock_shared", "78856") AND_A_PLACE,
    [BATCH_SQL_TARGET_ALONE] = TARGET_WAIT("pg_advisory_xact_lock", "78856") AND_A_PLACE,
    [BATCH_SQL_TARGET_EARLIER] = BATCH_SQL_TEXT_EARLIER(BATCH_PGSQL_CLOCK),
    [BATCH_SQL_TARGET_QUEUE] = TARGET_WAIT("pg_advisory_xact_lock", "78857"),
    [BATCH_SQL_LEFTOVER_INSERT] =
        "INSERT INTO batch_leftovers AS old (job, first_item, errors) VALUES (%lld, %lld, %lld)"
        " ON CONFLICT (job) DO UPDATE SET"
        " first_item = least(old.first_item, excluded.first_item),"
        " errors = greatest(old.errors, excluded.errors)",
    [BATCH_SQL_LEFTOVER_LOCK] = BATCH_SQL_TEXT_LEFTOVER " FOR UPDATE SKIP LOCKED",
    [BATCH_SQL_ERROR_INSERT] =
        "INSERT INTO batch_errors"
        " (job, ordinal, number, line, id, field, code, message, original)"
        " SELECT job, ordinal, row_number() OVER (PARTITION BY ordinal ORDER BY place) - 1"
        " + coalesce((SELECT max(number) + 1 FROM batch_errors AS older"
        " WHERE older.job = new.job AND older.ordinal = new.ordinal), 0),"
        " line, id, field, code, message, original FROM (SELECT %lld AS job, added.*"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],"
        " %s::text[], %s::text[]) WITH ORDINALITY"
        " AS added (ordinal, line, id, field, code, message, original, place)) AS new",
    [BATCH_SQL_ERRORS_DELETE] = "DELETE FROM batch_errors WHERE ctid = ANY (ARRAY (SELECT ctid"
                                " FROM batch_errors WHERE job = %lld LIMIT %lld))",
    [BATCH_SQL_KEPT_DELETE] = "DELETE FROM batch_kept WHERE ctid = ANY (ARRAY (SELECT ctid"
                              " FROM batch_kept WHERE job = %lld LIMIT %lld))",
    [BATCH_SQL_LIST] = BATCH_SORT_LIST(LIST_ENTRY)};

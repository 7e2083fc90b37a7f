/*
 * The module's own tables, version by version, as SQL, and what makes them: see statements.h about
 * what works with them. Private to store/.
 */
#ifndef BATCH_STORE_SCHEMA_H
#define BATCH_STORE_SCHEMA_H

#include "store/connection.h"
#include "store/statements.h"

/* An index for one of the orders of a list. */
#define BATCH_INDEX(column)                                                                        \
    "CREATE INDEX IF NOT EXISTS batch_jobs_by_" #column                                            \
    " ON batch_jobs (organization, api, " #column ", seq)"

/* The same where only the records API has the order: jobs of the other one have no entry. */
#define BATCH_INDEX_OF_RECORDS(column) BATCH_INDEX(column) " WHERE api = 'records'"

/* SQLite: what triggers do to the count of an organization's jobs in an API. */
#define BATCH_COUNT_ADDED                                                                          \
    " INSERT INTO batch_counts (organization, api, jobs) VALUES (new.organization, new.api, 1)"    \
    " ON CONFLICT (organization, api) DO UPDATE SET jobs = jobs + 1;"
#define BATCH_COUNT_REMOVED                                                                        \
    " UPDATE batch_counts SET jobs = jobs - 1"                                                     \
    " WHERE organization = old.organization AND api = old.api;"

/*
 * What leads to a version of the tables from the one before; ends with NULL. All steps are taken
 * whenever some of it is missing, so that a table that was dropped can be made again: they say IF
 * NOT EXISTS.
 */
#define BATCH_SCHEMA_1_SQLITE3                                                                     \
    "CREATE TABLE IF NOT EXISTS batch_jobs ("                                                      \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " id TEXT NOT NULL UNIQUE,"                                                                    \
    " api TEXT NOT NULL,"                                                                          \
    " organization TEXT NOT NULL,"                                                                 \
    " resource TEXT,"                                                                              \
    " action TEXT NOT NULL,"                                                                       \
    " form_id TEXT,"                                                                               \
    " warnings TEXT,"                                                                              \
    " status TEXT NOT NULL,"                                                                       \
    " status_rank INTEGER NOT NULL,"                                                               \
    " reason TEXT,"                                                                                \
    " total INTEGER NOT NULL,"                                                                     \
    " stored INTEGER NOT NULL,"                                                                    \
    " cursor INTEGER NOT NULL,"                                                                    \
    " epoch INTEGER NOT NULL,"                                                                     \
    " claims INTEGER NOT NULL,"                                                                    \
    " revision INTEGER NOT NULL,"                                                                  \
    " created INTEGER NOT NULL,"                                                                   \
    " updated INTEGER NOT NULL,"                                                                   \
    " deleted INTEGER NOT NULL,"                                                                   \
    " overwritten INTEGER NOT NULL,"                                                               \
    " duplicates INTEGER NOT NULL,"                                                                \
    " errors INTEGER NOT NULL," /* Times: microseconds since the epoch, 0 = not yet. */            \
    " created_at INTEGER NOT NULL,"                                                                \
    " updated_at INTEGER NOT NULL,"                                                                \
    " queued_at INTEGER NOT NULL,"                                                                 \
    " started_at INTEGER NOT NULL,"                                                                \
    " completed_at INTEGER NOT NULL,"                                                              \
    " created_by TEXT,"                                                                            \
    " created_by_id TEXT,"                                                                         \
    " updated_by TEXT,"                                                                            \
    " updated_by_id TEXT,"                                                                         \
    " mode TEXT NOT NULL,"                                                                         \
    " via TEXT NOT NULL,"                                                                          \
    " duplicate_handling TEXT NOT NULL,"                                                           \
    " save_upload INTEGER NOT NULL,"                                                               \
    " checksum TEXT,"                                                                              \
    " received INTEGER NOT NULL,"                                                                  \
    " invalid INTEGER NOT NULL,"                                                                   \
    " cleanup_total INTEGER NOT NULL,"                                                             \
    " cleanup_done INTEGER NOT NULL,"                                                              \
    " cleanup_key TEXT,"                                                                           \
    " parsed_at INTEGER NOT NULL,"                                                                 \
    " validated_at INTEGER NOT NULL,"                                                              \
    " processed_at INTEGER NOT NULL,"                                                              \
    " expires_at INTEGER NOT NULL DEFAULT 0,"                                                      \
    " upload_began_at INTEGER NOT NULL DEFAULT 0,"                                                 \
    " allow_empty INTEGER NOT NULL DEFAULT 0,"                                                     \
    " header TEXT,"                                                                                \
    " owner_host TEXT,"                                                                            \
    " owner_pid INTEGER NOT NULL DEFAULT 0,"                                                       \
    " owner_start_time INTEGER NOT NULL DEFAULT 0,"                                                \
    " lease_until INTEGER NOT NULL DEFAULT 0,"                                                     \
    " settings TEXT,"                                                                              \
    " operations TEXT)",                                                                           \
        BATCH_INDEX(created_at), BATCH_INDEX_OF_RECORDS(updated_at),                               \
        BATCH_INDEX_OF_RECORDS(queued_at), BATCH_INDEX_OF_RECORDS(completed_at),                   \
        BATCH_INDEX_OF_RECORDS(status_rank), BATCH_INDEX_OF_RECORDS(total),                        \
        "CREATE INDEX IF NOT EXISTS batch_jobs_receiving ON batch_jobs (created_at)"               \
        " WHERE api = 'none'",                                                                     \
        "CREATE INDEX IF NOT EXISTS batch_jobs_requested ON batch_jobs (expires_at)"               \
        " WHERE status = 'requested'",                                                             \
        "CREATE INDEX IF NOT EXISTS batch_jobs_queue ON batch_jobs (status, queued_at)"            \
        " WHERE status IN ('queued', 'processing')",                                               \
        "CREATE INDEX IF NOT EXISTS batch_jobs_completed ON batch_jobs (completed_at)"             \
        " WHERE completed_at > 0",                                                                 \
        "CREATE TABLE IF NOT EXISTS batch_items ("                                                 \
        " place INTEGER PRIMARY KEY,"                                                              \
        " job INTEGER NOT NULL,"                                                                   \
        " first_item INTEGER NOT NULL,"                                                            \
        " item_count INTEGER NOT NULL,"                                                            \
        " data TEXT NOT NULL)",                                                                    \
        "CREATE TABLE IF NOT EXISTS batch_errors ("                                                \
        " job INTEGER NOT NULL,"                                                                   \
        " ordinal INTEGER NOT NULL,"                                                               \
        " number INTEGER NOT NULL,"                                                                \
        " line INTEGER NOT NULL,"                                                                  \
        " id TEXT,"                                                                                \
        " field TEXT,"                                                                             \
        " code TEXT NOT NULL,"                                                                     \
        " message TEXT NOT NULL,"                                                                  \
        " original TEXT,"                                                                          \
        " PRIMARY KEY (job, ordinal, number))", /* How many jobs there are, whoever adds or        \
                                                   removes one. */                                 \
        "CREATE TABLE IF NOT EXISTS batch_counts ("                                                \
        " organization TEXT NOT NULL,"                                                             \
        " api TEXT NOT NULL,"                                                                      \
        " jobs INTEGER NOT NULL,"                                                                  \
        " PRIMARY KEY (organization, api)) WITHOUT ROWID",                                         \
        "CREATE TRIGGER IF NOT EXISTS batch_jobs_added AFTER INSERT ON batch_jobs "                \
        "BEGIN" BATCH_COUNT_ADDED " END",                                                          \
        "CREATE TRIGGER IF NOT EXISTS batch_jobs_removed AFTER DELETE ON batch_jobs "              \
        "BEGIN" BATCH_COUNT_REMOVED " END",                                                        \
        "CREATE TRIGGER IF NOT EXISTS batch_jobs_received AFTER UPDATE OF api ON batch_jobs"       \
        " WHEN new.api <> old.api BEGIN" BATCH_COUNT_REMOVED BATCH_COUNT_ADDED                     \
        " END", /* AUTOINCREMENT would write the highest seq with each job; here only where that   \
                   goes. */                                                                        \
        "CREATE TABLE IF NOT EXISTS batch_last (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL)",    \
        "INSERT OR IGNORE INTO batch_last VALUES (1, 0)",                                          \
        "CREATE TRIGGER IF NOT EXISTS batch_jobs_last AFTER DELETE ON batch_jobs"                  \
        " WHEN old.seq > coalesce((SELECT max(seq) FROM batch_jobs), 0) "                          \
        "BEGIN UPDATE batch_last SET seq = old.seq WHERE id = 1 AND seq < old.seq; END",           \
        "CREATE TABLE IF NOT EXISTS batch_secrets ("                                               \
        " name TEXT NOT NULL PRIMARY KEY,"                                                         \
        " secret TEXT NOT NULL)",                                                                  \
        "DELETE FROM batch_counts",                                                                \
        "INSERT INTO batch_counts SELECT organization, api, count(*) FROM batch_jobs GROUP BY 1, " \
        "2",                                                                                       \
        NULL

/* data is not compressed: ids hardly can be, and it is read once and thrown away. */
#define BATCH_SCHEMA_1_PGSQL                                                                       \
    "CREATE TABLE IF NOT EXISTS batch_jobs ("                                                      \
    " seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"                                    \
    " id text NOT NULL UNIQUE,"                                                                    \
    " api text NOT NULL,"                                                                          \
    " organization text NOT NULL,"                                                                 \
    " resource text,"                                                                              \
    " action text NOT NULL,"                                                                       \
    " form_id text,"                                                                               \
    " warnings text,"                                                                              \
    " status text NOT NULL,"                                                                       \
    " status_rank bigint NOT NULL,"                                                                \
    " reason text,"                                                                                \
    " total bigint NOT NULL,"                                                                      \
    " stored bigint NOT NULL,"                                                                     \
    " cursor bigint NOT NULL,"                                                                     \
    " epoch bigint NOT NULL,"                                                                      \
    " claims bigint NOT NULL,"                                                                     \
    " revision bigint NOT NULL,"                                                                   \
    " created bigint NOT NULL,"                                                                    \
    " updated bigint NOT NULL,"                                                                    \
    " deleted bigint NOT NULL,"                                                                    \
    " overwritten bigint NOT NULL,"                                                                \
    " duplicates bigint NOT NULL,"                                                                 \
    " errors bigint NOT NULL," /* Times: microseconds since the epoch, 0 = not yet. */             \
    " created_at bigint NOT NULL,"                                                                 \
    " updated_at bigint NOT NULL,"                                                                 \
    " queued_at bigint NOT NULL,"                                                                  \
    " started_at bigint NOT NULL,"                                                                 \
    " completed_at bigint NOT NULL,"                                                               \
    " created_by text,"                                                                            \
    " created_by_id text,"                                                                         \
    " updated_by text,"                                                                            \
    " updated_by_id text,"                                                                         \
    " mode text NOT NULL,"                                                                         \
    " via text NOT NULL,"                                                                          \
    " duplicate_handling text NOT NULL,"                                                           \
    " save_upload bigint NOT NULL,"                                                                \
    " checksum text,"                                                                              \
    " received bigint NOT NULL,"                                                                   \
    " invalid bigint NOT NULL,"                                                                    \
    " cleanup_total bigint NOT NULL,"                                                              \
    " cleanup_done bigint NOT NULL,"                                                               \
    " cleanup_key text,"                                                                           \
    " parsed_at bigint NOT NULL,"                                                                  \
    " validated_at bigint NOT NULL,"                                                               \
    " processed_at bigint NOT NULL,"                                                               \
    " expires_at bigint NOT NULL DEFAULT 0,"                                                       \
    " upload_began_at bigint NOT NULL DEFAULT 0,"                                                  \
    " allow_empty bigint NOT NULL DEFAULT 0,"                                                      \
    " header text,"                                                                                \
    " owner_host text,"                                                                            \
    " owner_pid bigint NOT NULL DEFAULT 0,"                                                        \
    " owner_start_time bigint NOT NULL DEFAULT 0,"                                                 \
    " lease_until bigint NOT NULL DEFAULT 0,"                                                      \
    " settings text,"                                                                              \
    " operations text) WITH (fillfactor = 70)",                                                    \
        BATCH_INDEX(created_at), BATCH_INDEX_OF_RECORDS(queued_at),                                \
        BATCH_INDEX_OF_RECORDS(completed_at), BATCH_INDEX_OF_RECORDS(status_rank),                 \
        BATCH_INDEX_OF_RECORDS(total),                                                             \
        "CREATE INDEX IF NOT EXISTS batch_jobs_receiving ON batch_jobs (created_at)"               \
        " WHERE api = 'none'",                                                                     \
        "CREATE INDEX IF NOT EXISTS batch_jobs_requested ON batch_jobs (expires_at)"               \
        " WHERE status = 'requested'",                                                             \
        "CREATE INDEX IF NOT EXISTS batch_jobs_queue ON batch_jobs (status, queued_at)"            \
        " WHERE status IN ('queued', 'processing')",                                               \
        "CREATE INDEX IF NOT EXISTS batch_jobs_completed ON batch_jobs (completed_at)"             \
        " WHERE completed_at > 0",                                                                 \
        "CREATE TABLE IF NOT EXISTS batch_items ("                                                 \
        " job bigint NOT NULL,"                                                                    \
        " first_item bigint NOT NULL,"                                                             \
        " item_count bigint NOT NULL,"                                                             \
        " data text NOT NULL,"                                                                     \
        " PRIMARY KEY (job, first_item))",                                                         \
        "ALTER TABLE batch_items ALTER COLUMN data SET STORAGE EXTERNAL",                          \
        "CREATE TABLE IF NOT EXISTS batch_errors ("                                                \
        " job bigint NOT NULL,"                                                                    \
        " ordinal bigint NOT NULL,"                                                                \
        " number bigint NOT NULL,"                                                                 \
        " line bigint NOT NULL,"                                                                   \
        " id text,"                                                                                \
        " field text,"                                                                             \
        " code text NOT NULL,"                                                                     \
        " message text NOT NULL,"                                                                  \
        " original text,"                                                                          \
        " PRIMARY KEY (job, ordinal, number))",                                                    \
        "CREATE TABLE IF NOT EXISTS batch_secrets ("                                               \
        " name TEXT NOT NULL PRIMARY KEY,"                                                         \
        " secret TEXT NOT NULL)",                                                                  \
        NULL

/*
 * Columns that came after version 1, which are added to a table that does not have them:
 * X(table, column, definition for both drivers).
 */
#define BATCH_ADDED_COLUMN_LIST(X)                                                                 \
    X("batch_jobs", "target", "text")                                                              \
    X("batch_jobs", "section", "text")                                                             \
    X("batch_jobs", "generation", "text")                                                          \
    X("batch_jobs", "judge_again", "bigint NOT NULL DEFAULT 0")                                    \
    X("batch_jobs", "second_tries", "bigint NOT NULL DEFAULT 0")                                   \
    X("batch_jobs", "last_tries", "bigint NOT NULL DEFAULT 0")                                     \
    X("batch_jobs", "cleanup_again", "bigint NOT NULL DEFAULT 0")

/* What stands on these columns. batch_jobs_turn: see BATCH_SQL_TEXT_EARLIER. */
#define BATCH_SCHEMA_2                                                                             \
    "CREATE INDEX IF NOT EXISTS batch_jobs_turn ON batch_jobs (target, queued_at, seq)"            \
    " WHERE status IN ('queued', 'processing') AND queued_at > 0",                                 \
        "CREATE TABLE IF NOT EXISTS batch_leftovers ("                                             \
        " job bigint NOT NULL PRIMARY KEY,"                                                        \
        " first_item bigint NOT NULL,"                                                             \
        " errors bigint NOT NULL)",                                                                \
        "CREATE TABLE IF NOT EXISTS batch_kept ("                                                  \
        " job bigint NOT NULL,"                                                                    \
        " number bigint NOT NULL,"                                                                 \
        " keys text NOT NULL,"                                                                     \
        " PRIMARY KEY (job, number))",                                                             \
        NULL

/** What a version of the module's own tables means for a transaction. */
batch_failure_e batch_schema_version_failure(apr_int64_t version);

/**
 * Brings the module's own tables to BATCH_SCHEMA_VERSION, in a transaction of its own. All
 * statements of the connection are outdated after it. On failure the caller rolls back.
 */
batch_failure_e batch_schema_make(batch_connection_t *connection);

#endif

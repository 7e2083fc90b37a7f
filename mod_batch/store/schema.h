/*
 * The module's own tables, version by version, as SQL, and what makes them: see statements.h about
 * what works with them. What differs from driver to driver is in the schema.c of its folder.
 * Private to store/.
 */
#ifndef BATCH_STORE_SCHEMA_H
#define BATCH_STORE_SCHEMA_H

#include "store/connection.h"
#include "store/statements.h"

/*
 * A step on the way to this version. All of them are taken whenever the tables are of an older one,
 * or some of it is missing, in their order: so each does nothing where it was taken before, and a
 * table that was dropped is made again.
 */
struct batch_schema_step {
    const char *run;        /* a statement; NULL: the rest */
    const char *table;      /* NULL: this is behind the last step */
    const char *column;     /* that it is to have, … */
    const char *definition; /* … and is given if it has not; NULL: … */
    const char *was;        /* … it has under this name, which is in use no more */
};

#define BATCH_STEP(sql)                                                                            \
    {                                                                                              \
        .run = (sql)                                                                               \
    }
#define BATCH_STEP_ADD(t, name, what)                                                              \
    {                                                                                              \
        .table = (t), .column = (name), .definition = (what)                                       \
    }
#define BATCH_STEP_RENAME(t, old, new)                                                             \
    {                                                                                              \
        .table = (t), .column = (new), .was = (old)                                                \
    }
#define BATCH_STEP_END                                                                             \
    {                                                                                              \
        .run = NULL, .table = NULL                                                                 \
    }

/* ---- Tables ------------------------------------------------------------------------------------
 */

/*
 * As new ones are made: number and text are the driver's words for the types, seq is what makes the
 * numbers of the jobs. No name is a reserved word of a database that may come to be served: so none
 * has to be quoted. Times are microseconds since the epoch, 0 = not yet. A driver ends the first
 * two itself.
 */
#define BATCH_TABLE_JOBS(seq, number, text)                                                        \
    "CREATE TABLE IF NOT EXISTS batch_jobs ("                                                      \
    " seq " seq ","                                                                                \
    " id " text " NOT NULL UNIQUE,"                                                                \
    " api " text " NOT NULL,"                                                                      \
    " organization " text " NOT NULL,"                                                             \
    " resource " text ","                                                                          \
    " action " text " NOT NULL,"                                                                   \
    " form_id " text ","                                                                           \
    " warnings " text ","                                                                          \
    " status " text " NOT NULL,"                                                                   \
    " status_rank " number " NOT NULL,"                                                            \
    " reason " text ","                                                                            \
    " total " number " NOT NULL,"                                                                  \
    " stored " number " NOT NULL,"                                                                 \
    " position " number " NOT NULL,"                                                               \
    " epoch " number " NOT NULL,"                                                                  \
    " claims " number " NOT NULL,"                                                                 \
    " revision " number " NOT NULL,"                                                               \
    " created " number " NOT NULL,"                                                                \
    " updated " number " NOT NULL,"                                                                \
    " deleted " number " NOT NULL,"                                                                \
    " overwritten " number " NOT NULL,"                                                            \
    " duplicates " number " NOT NULL,"                                                             \
    " errors " number " NOT NULL,"                                                                 \
    " created_at " number " NOT NULL,"                                                             \
    " updated_at " number " NOT NULL,"                                                             \
    " queued_at " number " NOT NULL,"                                                              \
    " started_at " number " NOT NULL,"                                                             \
    " completed_at " number " NOT NULL,"                                                           \
    " created_by " text ","                                                                        \
    " created_by_id " text ","                                                                     \
    " updated_by " text ","                                                                        \
    " updated_by_id " text ","                                                                     \
    " mode " text " NOT NULL,"                                                                     \
    " via " text " NOT NULL,"                                                                      \
    " duplicate_handling " text " NOT NULL,"                                                       \
    " save_upload " number " NOT NULL,"                                                            \
    " checksum " text ","                                                                          \
    " received " number " NOT NULL,"                                                               \
    " invalid " number " NOT NULL,"                                                                \
    " cleanup_total " number " NOT NULL,"                                                          \
    " cleanup_done " number " NOT NULL,"                                                           \
    " cleanup_key " text ","                                                                       \
    " parsed_at " number " NOT NULL,"                                                              \
    " validated_at " number " NOT NULL,"                                                           \
    " processed_at " number " NOT NULL,"                                                           \
    " expires_at " number " NOT NULL DEFAULT 0,"                                                   \
    " upload_began_at " number " NOT NULL DEFAULT 0,"                                              \
    " allow_empty " number " NOT NULL DEFAULT 0,"                                                  \
    " header " text ","                                                                            \
    " owner_host " text ","                                                                        \
    " owner_pid " number " NOT NULL DEFAULT 0,"                                                    \
    " owner_start_time " number " NOT NULL DEFAULT 0,"                                             \
    " lease_until " number " NOT NULL DEFAULT 0,"                                                  \
    " shared_values " text ","                                                                     \
    " operations " text ","                                                                        \
    " target " text ","                                                                            \
    " section " text ","                                                                           \
    " generation " text ","                                                                        \
    " judge_again " number " NOT NULL DEFAULT 0,"                                                  \
    " second_tries " number " NOT NULL DEFAULT 0,"                                                 \
    " last_tries " number " NOT NULL DEFAULT 0,"                                                   \
    " cleanup_again " number " NOT NULL DEFAULT 0"
#define BATCH_TABLE_ITEMS(place, number, text)                                                     \
    "CREATE TABLE IF NOT EXISTS batch_items ("                                                     \
    " " place "job " number " NOT NULL,"                                                           \
    " first_item " number " NOT NULL,"                                                             \
    " item_count " number " NOT NULL,"                                                             \
    " data " text " NOT NULL"
#define BATCH_TABLE_ERRORS(number_, text)                                                          \
    "CREATE TABLE IF NOT EXISTS batch_errors ("                                                    \
    " job " number_ " NOT NULL,"                                                                   \
    " ordinal " number_ " NOT NULL,"                                                               \
    " number " number_ " NOT NULL,"                                                                \
    " line " number_ " NOT NULL,"                                                                  \
    " id " text ","                                                                                \
    " field " text ","                                                                             \
    " code " text " NOT NULL,"                                                                     \
    " message " text " NOT NULL,"                                                                  \
    " original " text ","                                                                          \
    " PRIMARY KEY (job, ordinal, number))"
#define BATCH_TABLE_SECRETS(text)                                                                  \
    "CREATE TABLE IF NOT EXISTS batch_secrets ("                                                   \
    " name " text " NOT NULL PRIMARY KEY,"                                                         \
    " secret " text " NOT NULL)"
#define BATCH_TABLE_LEFTOVERS(number)                                                              \
    "CREATE TABLE IF NOT EXISTS batch_leftovers ("                                                 \
    " job " number " NOT NULL PRIMARY KEY,"                                                        \
    " first_item " number " NOT NULL,"                                                             \
    " errors " number " NOT NULL)"
#define BATCH_TABLE_KEPT(number_, text)                                                            \
    "CREATE TABLE IF NOT EXISTS batch_kept ("                                                      \
    " job " number_ " NOT NULL,"                                                                   \
    " number " number_ " NOT NULL,"                                                                \
    " row_keys " text " NOT NULL,"                                                                 \
    " PRIMARY KEY (job, number))"

/* ---- What older tables become -------------------------------------------------------------------
 */

/* Version 2, of tables of version 1. */
#define BATCH_STEPS_2                                                                              \
    BATCH_STEP_ADD("batch_jobs", "target", "text"),                                                \
        BATCH_STEP_ADD("batch_jobs", "section", "text"),                                           \
        BATCH_STEP_ADD("batch_jobs", "generation", "text"),                                        \
        BATCH_STEP_ADD("batch_jobs", "judge_again", "bigint NOT NULL DEFAULT 0"),                  \
        BATCH_STEP_ADD("batch_jobs", "second_tries", "bigint NOT NULL DEFAULT 0"),                 \
        BATCH_STEP_ADD("batch_jobs", "last_tries", "bigint NOT NULL DEFAULT 0"),                   \
        BATCH_STEP_ADD("batch_jobs", "cleanup_again", "bigint NOT NULL DEFAULT 0")

/*
 * Version 3: names that are no reserved words, and that say what they are; a job that is being
 * received has a status of its own (it had "none" for its API), and indexes that are made for that
 * have other names.
 */
#define BATCH_STEPS_3                                                                              \
    BATCH_STEP_RENAME("batch_jobs", "cursor", "position"),                                         \
        BATCH_STEP_RENAME("batch_jobs", "settings", "shared_values"),                              \
        BATCH_STEP("UPDATE batch_jobs SET api = 'resources', status = 'receiving'"                 \
                   " WHERE api = 'none'"),                                                         \
        BATCH_STEP("DROP INDEX IF EXISTS batch_jobs_receiving"),                                   \
        BATCH_STEP("DROP INDEX IF EXISTS batch_jobs_turn"),                                        \
        BATCH_STEP("DROP INDEX IF EXISTS batch_jobs_by_created_at")
#define BATCH_STEPS_3_KEPT BATCH_STEP_RENAME("batch_kept", "keys", "row_keys")

/* ---- Indexes ------------------------------------------------------------------------------------
 */

/* For one of the orders of a list that only the records API has: no job of it is ever received. */
#define BATCH_INDEX_OF_RECORDS(column)                                                             \
    "CREATE INDEX IF NOT EXISTS batch_jobs_by_" #column                                            \
    " ON batch_jobs (organization, api, " #column ", seq) WHERE api = 'records'"

/* batch_jobs_line: see BATCH_SQL_TEXT_LINE. */
#define BATCH_STEPS_INDEXES                                                                        \
    BATCH_STEP("CREATE INDEX IF NOT EXISTS batch_jobs_listed"                                      \
               " ON batch_jobs (organization, api, created_at, seq)"                               \
               " WHERE " BATCH_SQL_TEXT_SHOWN),                                                    \
        BATCH_STEP(BATCH_INDEX_OF_RECORDS(queued_at)),                                             \
        BATCH_STEP(BATCH_INDEX_OF_RECORDS(completed_at)),                                          \
        BATCH_STEP(BATCH_INDEX_OF_RECORDS(status_rank)),                                           \
        BATCH_STEP(BATCH_INDEX_OF_RECORDS(total)),                                                 \
        BATCH_STEP("CREATE INDEX IF NOT EXISTS batch_jobs_in_receipt ON batch_jobs (created_at)"   \
                   " WHERE status = 'receiving'"),                                                 \
        BATCH_STEP("CREATE INDEX IF NOT EXISTS batch_jobs_requested ON batch_jobs (expires_at)"    \
                   " WHERE status = 'requested'"),                                                 \
        BATCH_STEP("CREATE INDEX IF NOT EXISTS batch_jobs_queue ON batch_jobs (status, queued_at)" \
                   " WHERE status IN ('queued', 'processing')"),                                   \
        BATCH_STEP("CREATE INDEX IF NOT EXISTS batch_jobs_completed ON batch_jobs (completed_at)"  \
                   " WHERE completed_at > 0"),                                                     \
        BATCH_STEP("CREATE INDEX IF NOT EXISTS batch_jobs_line"                                    \
                   " ON batch_jobs (target, queued_at, seq)"                                       \
                   " WHERE status IN ('queued', 'processing', 'receiving') AND queued_at > 0")

/* ---- Making ------------------------------------------------------------------------------------
 */

/** What a version of the module's own tables means for a transaction. */
batch_failure_e batch_schema_version_failure(apr_int64_t version);

/**
 * Brings the module's own tables to BATCH_SCHEMA_VERSION, in a transaction of its own. All
 * statements of the connection are outdated after it. On failure the caller rolls back.
 */
batch_failure_e batch_schema_make(batch_connection_t *connection);

#endif

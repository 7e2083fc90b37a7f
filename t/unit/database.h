/*
 * The database that a test program runs on, by BATCH_TEST_DRIVER: sqlite3 (when it is not said), a
 * file in a folder of its own; or pgsql, a schema of its own in the database of BATCH_TEST_PARAMS
 * (see build-aux/postgres). And a look into it that does not go through the store.
 */
#ifndef BATCH_TEST_DATABASE_H
#define BATCH_TEST_DATABASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <libpq-fe.h>
#include <sqlite3.h>

/* No program uses all of it. */
#define DATABASE __attribute__((unused)) static

DATABASE int is_pgsql(void)
{
    const char *driver = getenv("BATCH_TEST_DRIVER");

    return driver && !strcmp(driver, "pgsql");
}

DATABASE const char *database_driver(void)
{
    return is_pgsql() ? "pgsql" : "sqlite3";
}

/** What a test says differently to the two databases. */
DATABASE const char *by_driver(const char *sqlite3, const char *pgsql)
{
    return is_pgsql() ? pgsql : sqlite3;
}

/* ---- A connection of the test's own -------------------------------------------------------------
 */

DATABASE void keep_answer(char *answer, size_t size, const char *text)
{
    apr_cpystrn(answer, text ? text : "NULL", size);
}

DATABASE const char *run_sqlite3(const char *database, const char *sql)
{
    static char answer[256];
    sqlite3 *connection;
    sqlite3_stmt *statement;
    const char *tail = sql;

    answer[0] = '\0';
    sqlite3_open(database, &connection);
    sqlite3_busy_timeout(connection, 5000);
    while (tail && *tail) {
        if (sqlite3_prepare_v2(connection, tail, -1, &statement, &tail) != SQLITE_OK) {
            apr_snprintf(answer, sizeof(answer), "error: %s", sqlite3_errmsg(connection));
            break;
        }
        while (statement && sqlite3_step(statement) == SQLITE_ROW) {
            keep_answer(answer, sizeof(answer), (const char *)sqlite3_column_text(statement, 0));
        }
        if (statement && sqlite3_finalize(statement) != SQLITE_OK) {
            apr_snprintf(answer, sizeof(answer), "error: %s", sqlite3_errmsg(connection));
            break;
        }
    }
    sqlite3_close(connection);
    return answer;
}

DATABASE void ignore_notice(void *baton, const PGresult *result)
{
    (void)baton;
    (void)result;
}

DATABASE PGconn *connect_pgsql(const char *params)
{
    PGconn *connection = PQconnectdb(params);

    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    return connection;
}

DATABASE const char *run_pgsql(const char *params, const char *sql)
{
    static char answer[256];
    PGconn *connection = connect_pgsql(params);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    int last = PQntuples(result) - 1;

    answer[0] = '\0';
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        apr_snprintf(answer, sizeof(answer), "error: %s", PQerrorMessage(connection));
    } else if (last >= 0) {
        keep_answer(answer, sizeof(answer),
                    PQgetisnull(result, last, 0) ? NULL : PQgetvalue(result, last, 0));
    }
    PQclear(result);
    PQfinish(connection);
    return answer;
}

/**
 * Runs sql on a connection of its own; the first column of the last row of the last statement, or
 * "" (static). "error: …" if it fails.
 */
DATABASE const char *native(const char *database, const char *sql)
{
    const char *answer = is_pgsql() ? run_pgsql(database, sql) : run_sqlite3(database, sql);

    if (!strncmp(answer, "error: ", 7)) {
        printf("# %s\n#   in: %.200s\n", answer, sql);
    }
    return answer;
}

/* ---- The database of a test program -------------------------------------------------------------
 */

/** A new database for this program: what the store takes as its parameters, in pool. */
DATABASE const char *database_make(const char *folder, apr_pool_t *pool)
{
    const char *params = getenv("BATCH_TEST_PARAMS");
    const char *schema;

    if (!is_pgsql()) {
        return apr_pstrcat(pool, folder, "/batch.db", NULL);
    }
    if (!params) {
        fprintf(stderr, "BATCH_TEST_PARAMS is not set: see build-aux/postgres\n");
        exit(2);
    }
    schema = apr_psprintf(pool, "unit_%ld", (long)getpid());
    native(params, apr_psprintf(pool,
                                "SET client_min_messages = error;"
                                "DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s",
                                schema, schema));
    return apr_psprintf(pool, "%s options='-csearch_path=%s'", params, schema);
}

/** Takes away what database_make has made outside of folder. */
DATABASE void database_remove(apr_pool_t *pool)
{
    if (is_pgsql()) {
        native(getenv("BATCH_TEST_PARAMS"),
               apr_psprintf(pool, "DROP SCHEMA unit_%ld CASCADE", (long)getpid()));
    }
}

#endif

/* The module's own tables: looked at, made, and brought up to this version. */
#include "store/schema.h"

#include <apr_strings.h>

batch_failure_e batch_schema_version_failure(apr_int64_t version)
{
    if (version == BATCH_SCHEMA_VERSION) {
        return BATCH_FAILURE_NONE;
    }
    return version > BATCH_SCHEMA_VERSION ? BATCH_FAILURE_NEWER : BATCH_FAILURE_MISSING;
}

/* Adds the columns that came after version 1, where they are missing. */
static batch_failure_e add_columns(batch_connection_t *connection)
{
#define ADDED_COLUMN(table, column, definition) {table, column, definition},
    static const struct {
        const char *table, *column, *definition;
    } added[] = {BATCH_ADDED_COLUMN_LIST(ADDED_COLUMN)};
    batch_failure_e failure = BATCH_FAILURE_NONE;
    apr_size_t i;

    for (i = 0; failure == BATCH_FAILURE_NONE && i < sizeof(added) / sizeof(added[0]); i++) {
        failure = connection->driver->add_column(connection, added[i].table, added[i].column,
                                                 added[i].definition);
    }
    return failure;
}

/* All steps, whatever is there already: each makes what is missing. */
static batch_failure_e take_steps(batch_connection_t *connection)
{
    static const char *const later[] = {BATCH_SCHEMA_2};
    const char *const *steps[] = {connection->driver->schema, later};
    batch_failure_e failure;
    const char *const *sql;
    char insert[80];
    int i;

    failure = connection->driver->run(
        connection, "CREATE TABLE IF NOT EXISTS batch_schema (version INTEGER NOT NULL)");
    for (i = 0; i < 2; i++) {
        for (sql = steps[i]; failure == BATCH_FAILURE_NONE && *sql; sql++) {
            failure = connection->driver->run(connection, *sql);
        }
        if (failure == BATCH_FAILURE_NONE && i == 0) {
            failure = add_columns(connection);
        }
    }
    if (failure == BATCH_FAILURE_NONE && connection->driver->refine_schema) {
        failure = connection->driver->refine_schema(connection);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = connection->driver->run(connection, "DELETE FROM batch_schema");
    }
    if (failure == BATCH_FAILURE_NONE) {
        apr_snprintf(insert, sizeof(insert), "INSERT INTO batch_schema (version) VALUES (%d)",
                     BATCH_SCHEMA_VERSION);
        failure = connection->driver->run(connection, insert);
    }
    return failure;
}

batch_failure_e batch_schema_make(batch_connection_t *connection)
{
    apr_int64_t version = 0;
    batch_failure_e failure = connection->driver->begin_schema(connection, &version);

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    failure = version > BATCH_SCHEMA_VERSION ? BATCH_FAILURE_NEWER : take_steps(connection);
    if (failure == BATCH_FAILURE_NONE) {
        failure = connection->driver->commit(connection);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure; /* the caller rolls back */
    }
    if (version != BATCH_SCHEMA_VERSION) {
        batch_log(connection->logger, BATCH_LOG_NOTICE, "MB0107", APR_SUCCESS, NULL,
                  "brought the batch tables from version %d to %d", (int)version,
                  BATCH_SCHEMA_VERSION);
    }
    return BATCH_FAILURE_NONE;
}

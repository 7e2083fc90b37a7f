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

static batch_failure_e take_step(batch_connection_t *connection, const batch_schema_step_t *step)
{
    const batch_driver_t *driver = connection->driver;

    if (step->run) {
        return driver->run(connection, step->run);
    }
    return step->was ? driver->rename_column(connection, step->table, step->was, step->column)
                     : driver->add_column(connection, step->table, step->column, step->definition);
}

static batch_failure_e take_steps(batch_connection_t *connection)
{
    const batch_driver_t *driver = connection->driver;
    const batch_schema_step_t *step;
    batch_failure_e failure = driver->run(
        connection, "CREATE TABLE IF NOT EXISTS batch_schema (version INTEGER NOT NULL)");
    char insert[80];

    for (step = driver->schema; failure == BATCH_FAILURE_NONE && (step->run || step->table);
         step++) {
        failure = take_step(connection, step);
    }
    if (failure == BATCH_FAILURE_NONE && driver->refine_schema) {
        failure = driver->refine_schema(connection);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = driver->run(connection, "DELETE FROM batch_schema");
    }
    if (failure == BATCH_FAILURE_NONE) {
        apr_snprintf(insert, sizeof(insert), "INSERT INTO batch_schema (version) VALUES (%d)",
                     BATCH_SCHEMA_VERSION);
        failure = driver->run(connection, insert);
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

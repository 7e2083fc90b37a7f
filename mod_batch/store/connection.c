#include "store/connection.h"
#include "text/check.h"

#include <string.h>
#include <time.h>

#include <apr_strings.h>

/* Memory that a closed or idle connection's allocator may keep for itself. */
#define ALLOCATOR_KEEPS (256 * 1024)

static batch_failure_e make_pool(batch_connection_t *connection)
{
    if (batch_pool_make(&connection->p, NULL, ALLOCATOR_KEEPS) != APR_SUCCESS) {
        return BATCH_FAILURE_LOST;
    }
    if (apr_pool_create(&connection->scratch, connection->p) != APR_SUCCESS) {
        batch_connection_close(connection);
        return BATCH_FAILURE_LOST;
    }
    return BATCH_FAILURE_NONE;
}

batch_failure_e batch_connection_open(batch_connection_t *connection, const char **message,
                                      apr_pool_t *p)
{
    batch_failure_e failure;

    BATCH_CHECK(connection, BATCH_CONNECTION_MAGIC);
    failure = make_pool(connection);
    *message = "out of memory";
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    failure = connection->driver->open(connection, message, p);
    if (failure != BATCH_FAILURE_NONE) {
        batch_connection_close(connection);
        return failure;
    }
    connection->by_text = apr_hash_make(connection->p);
    connection->failed = 0;
    return BATCH_FAILURE_NONE;
}

void batch_connection_close(batch_connection_t *connection)
{
    if (connection->handle) {
        if (connection->driver->close) {
            connection->driver->close(connection);
        }
        apr_dbd_close(connection->dbd, connection->handle);
    }
    if (connection->p) {
        apr_pool_destroy(connection->p);
    }
    connection->p = NULL;
    connection->scratch = NULL;
    connection->handle = NULL;
    connection->native = NULL;
    connection->by_text = NULL;
    connection->state = NULL;
    memset(connection->prepared, 0, sizeof(connection->prepared));
}

int batch_connection_is_full(const batch_connection_t *connection)
{
    return apr_hash_count(connection->by_text) + (unsigned)connection->failed >
           BATCH_CONNECTION_STATEMENTS;
}

apr_pool_t *batch_connection_scratch(batch_connection_t *connection)
{
    BATCH_CHECK(connection, BATCH_CONNECTION_MAGIC);
    apr_pool_clear(connection->scratch);
    return connection->scratch;
}

batch_failure_e batch_connection_own(batch_connection_t *connection, batch_prepared_t **prepared,
                                     batch_statement_e statement)
{
    batch_failure_e failure = BATCH_FAILURE_NONE;

    BATCH_CHECK(connection, BATCH_CONNECTION_MAGIC);
    if (!connection->prepared[statement]) {
        const char *label = apr_psprintf(connection->p, "batch_own_%d", (int)statement);
        failure = connection->driver->prepare(connection, &connection->prepared[statement],
                                              batch_statement_text(connection->driver, statement),
                                              label, 1);
    }
    *prepared = connection->prepared[statement];
    return failure;
}

batch_failure_e batch_connection_execute(batch_connection_t *connection, int *rows,
                                         batch_prepared_t *prepared, const void **values, int own,
                                         apr_pool_t *p)
{
    return connection->driver->execute(connection, rows, prepared, values, own, p);
}

batch_failure_e batch_connection_select(batch_connection_t *connection, batch_results_t **results,
                                        batch_prepared_t *prepared, const void **values, int own,
                                        apr_pool_t *p)
{
    *results = NULL;
    return connection->driver->select(connection, results, prepared, values, own, p);
}

int batch_connection_row(batch_connection_t *connection, batch_row_t **row,
                         batch_results_t *results, apr_pool_t *p)
{
    return connection->driver->row(connection, row, results, p);
}

apr_int64_t batch_row_number(const batch_connection_t *connection, batch_row_t *row, int column)
{
    return connection->driver->number(connection, row, column);
}

const char *batch_row_text(const batch_connection_t *connection, batch_row_t *row, int column,
                           apr_pool_t *p)
{
    const char *text = connection->driver->text(connection, row, column);

    return text && p ? apr_pstrdup(p, text) : text;
}

apr_time_t batch_ticks(void)
{
    struct timespec now;

#ifdef CLOCK_BOOTTIME
    clock_gettime(CLOCK_BOOTTIME, &now); /* goes on while the machine is suspended */
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000;
}

const char *batch_sql_identifier(const char *name, apr_pool_t *p)
{
    char *quoted = apr_palloc(p, 2 * strlen(name) + 3);
    char *next = quoted;

    *next++ = '"';
    for (; *name; name++) {
        if (*name == '"') {
            *next++ = *name;
        }
        *next++ = *name;
    }
    *next++ = '"';
    *next = '\0';
    return quoted;
}

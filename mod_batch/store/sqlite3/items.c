/* SQLite: what belongs to a job besides its rows: its errors, and its form. */
#include "store/sqlite3/rows.h"

#include <apr_strings.h>

#include "store/sqlite3/ask.h"

apr_status_t batch_sqlite3_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                         const batch_item_error_t *errors, int count)
{
    apr_pool_t *p;
    apr_status_t rv = apr_pool_create(&p, tx->p);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        const batch_item_error_t *error = &errors[i];
        const char *shown = batch_error_shown(error, p);
        const void *values[] = {&job->seq,    &error->ordinal, &error->line,   error->id,
                                error->field, error->code,     error->message, shown,
                                &job->seq,    &error->ordinal};
        rv = batch_tx_execute(tx, NULL, BATCH_SQL_ERROR_INSERT, values);
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return rv;
}

/* Columns are named with their table: alone, SQLite might take an unknown one for a string. */
static const char *form_sql(const batch_resource_t *resource, apr_pool_t *p)
{
    const char *table = batch_sql_identifier(resource->form_table, p);
    const char *sql = apr_pstrcat(p, "SELECT 1 FROM ", table, " WHERE ", table, ".",
                                  batch_sql_identifier(resource->form_id, p), " = ?1", NULL);

    return resource->form_scope
               ? apr_pstrcat(p, sql, " AND ", table, ".",
                             batch_sql_identifier(resource->form_scope, p), " = ?2", NULL)
               : sql;
}

apr_status_t batch_sqlite3_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                      const char *organization, const char *form_id)
{
    batch_connection_t *connection = tx->connection;
    const char *const texts[] = {form_id, organization};
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_OK;
    batch_failure_e failure = batch_sqlite3_ask(
        connection, &statement, form_sql(resource, batch_connection_scratch(connection)), texts,
        resource->form_scope ? 2 : 1);

    if (failure == BATCH_FAILURE_NONE) {
        code = sqlite3_step(statement);
        failure = batch_sqlite3_asked(connection, statement, code);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking for a form");
    }
    return code == SQLITE_ROW ? APR_SUCCESS : BATCH_ENOTFOUND;
}

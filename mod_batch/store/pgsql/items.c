/* PostgreSQL: what belongs to a job besides its rows: its errors, and its form. */
#include "store/pgsql/rows.h"

#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/failures.h"

/* ---- Errors ------------------------------------------------------------------------------------
 */

/* Errors of one statement end where they have become so large together. */
#define ERROR_BYTES (1024 * 1024)

/* The lists of one statement's parameters, in its order. */
enum { ORDINAL, LINE, ID, FIELD, CODE, MESSAGE, ORIGINAL, LISTS };

static apr_size_t length_of(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Fills the lists with the first errors; returns how many. */
static int take_errors(const char **lists[LISTS], const batch_item_error_t *errors, int count,
                       apr_pool_t *p)
{
    apr_size_t bytes = 0;
    int i;

    for (i = 0; i < LISTS; i++) {
        lists[i] = apr_palloc(p, (apr_size_t)count * sizeof(const char *));
    }
    for (i = 0; i < count && bytes < ERROR_BYTES; i++) {
        const batch_item_error_t *error = &errors[i];

        lists[ORDINAL][i] = apr_psprintf(p, "%" APR_INT64_T_FMT, error->ordinal);
        lists[LINE][i] = apr_psprintf(p, "%" APR_INT64_T_FMT, error->line);
        lists[ID][i] = error->id;
        lists[FIELD][i] = error->field;
        lists[CODE][i] = error->code;
        lists[MESSAGE][i] = error->message;
        lists[ORIGINAL][i] = batch_error_shown(error, p);
        bytes += length_of(error->id) + length_of(error->message) + length_of(lists[ORIGINAL][i]);
    }
    return i;
}

apr_status_t batch_pgsql_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                       const batch_item_error_t *errors, int count)
{
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *p;

    if (apr_pool_create(&p, tx->p) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    while (rv == APR_SUCCESS && count > 0) {
        const char **lists[LISTS];
        const void *values[LISTS + 1] = {&job->seq};
        int taken, i;

        apr_pool_clear(p);
        taken = take_errors(lists, errors, count, p);
        for (i = 0; i < LISTS; i++) {
            values[i + 1] = batch_pgsql_array(lists[i], taken, p);
        }
        rv = batch_tx_execute_later(tx, BATCH_SQL_ERROR_INSERT, values);
        errors += taken;
        count -= taken;
    }
    apr_pool_destroy(p);
    return rv;
}

/* ---- Forms -------------------------------------------------------------------------------------
 */

/* Builds the question for a form. 0 if no form can be there. */
static int build_form(batch_pgsql_builder_t *builder, const batch_pgsql_table_t *table,
                      const batch_resource_t *resource, const char *organization,
                      const char *form_id, apr_pool_t *p)
{
    int possible;

    batch_pgsql_builder_init(builder, table, NULL, p);
    builder->table_name = batch_sql_identifier(resource->form_table, p);
    batch_pgsql_add(builder, "SELECT 1 FROM ");
    batch_pgsql_add(builder, builder->table_name);
    possible = batch_pgsql_add_condition(builder, " WHERE ", resource->form_id, form_id);
    if (resource->form_scope) {
        possible =
            batch_pgsql_add_condition(builder, " AND ", resource->form_scope, organization) &&
            possible;
    }
    return possible;
}

/* Sets *found. *old: the table was not looked at in this transaction. */
static batch_failure_e find_form(batch_connection_t *connection, int *found, int *old,
                                 const batch_resource_t *resource, const char *organization,
                                 const char *form_id, apr_pool_t *p)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(connection);
    batch_pgsql_table_t *table = NULL;
    batch_pgsql_builder_t builder;
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_table(connection, &table, resource->form_table, 0);
    int possible = 1;

    *found = 0;
    *old = table && table->transaction != state->transactions;
    if (failure == BATCH_FAILURE_NONE) {
        possible = build_form(&builder, table, resource, organization, form_id, p);
    }
    if (!possible && *old) {
        *old = 0;
        failure = batch_pgsql_table(connection, &table, resource->form_table, 1);
        possible = failure != BATCH_FAILURE_NONE ||
                   build_form(&builder, table, resource, organization, form_id, p);
    }
    if (failure != BATCH_FAILURE_NONE || !possible) {
        return failure;
    }
    failure = batch_pgsql_ask(connection, &result, batch_pgsql_built(connection, &builder),
                              (const char *const *)builder.values->elts, BATCH_PGSQL_ROWS);
    *found = failure == BATCH_FAILURE_NONE && PQntuples(result) > 0;
    return failure;
}

apr_status_t batch_pgsql_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                    const char *organization, const char *form_id)
{
    batch_connection_t *connection = tx->connection;
    int found, old;
    batch_failure_e failure = find_form(connection, &found, &old, resource, organization, form_id,
                                        batch_connection_scratch(connection));

    if (failure == BATCH_FAILURE_REFUSED && old) {
        failure = BATCH_FAILURE_OUTDATED; /* the table may have been made anew, with other types */
    }
    if (failure == BATCH_FAILURE_REFUSED) {
        if (!strncmp(batch_pgsql_sqlstate(connection), "22", 2)) {
            return BATCH_ENOTFOUND; /* no value of the column's type */
        }
        failure = BATCH_FAILURE_STATEMENT;
    }
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking for a form");
    }
    return found ? APR_SUCCESS : BATCH_ENOTFOUND;
}

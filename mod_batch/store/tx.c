/* What runs within a transaction: statements of our own, and what their failure means. */
#include "store/tx.h"

#include "text/check.h"

/* ---- Failures -------------------------------------------------------------------------------- */

apr_status_t batch_failure_status(batch_failure_e failure)
{
    switch (failure) {
    case BATCH_FAILURE_NONE:
        return APR_SUCCESS;
    case BATCH_FAILURE_REFUSED:
    case BATCH_FAILURE_ENDED:
        return BATCH_EREFUSED;
    case BATCH_FAILURE_FENCED:
        return BATCH_EFENCED;
    case BATCH_FAILURE_IN_DOUBT:
        return BATCH_EINDOUBT;
    case BATCH_FAILURE_STATEMENT:
        return BATCH_EUNFIT;
    default:
        return BATCH_EUNAVAILABLE;
    }
}

apr_status_t batch_tx_fail_with(batch_tx_t *tx, batch_failure_e failure, const char *message,
                                const char *doing)
{
    apr_status_t status = batch_failure_status(failure);
    batch_error_t *error = &tx->error;

    BATCH_CHECK(tx, BATCH_TX_MAGIC);
    if (failure == BATCH_FAILURE_NONE || tx->failure != BATCH_FAILURE_NONE) {
        return batch_failure_status(tx->failure);
    }
    tx->failure = failure;
    switch (failure) {
    case BATCH_FAILURE_REFUSED:
    case BATCH_FAILURE_ENDED:
        return batch_error_set(error, status, NULL, tx->p, "%s", message);
    case BATCH_FAILURE_FENCED:
        return batch_error_set(error, status, NULL, tx->p,
                               "the batch is no longer this worker's (%s)", doing);
    case BATCH_FAILURE_LOCKED:
        return batch_error_set(error, status, "MB0103", tx->p, "the database is locked: %s (%s)",
                               message, doing);
    case BATCH_FAILURE_NEWER:
        return batch_error_set(error, status, "MB0102", tx->p,
                               "the batch tables are of a newer version than %d, which this "
                               "module knows",
                               BATCH_SCHEMA_VERSION);
    case BATCH_FAILURE_LOST:
    case BATCH_FAILURE_READ_ONLY:
    case BATCH_FAILURE_IN_DOUBT:
        return batch_error_set(error, status, "MB0105", tx->p, "the database failed: %s (%s)",
                               message, doing);
    default:
        return batch_error_set(error, status, "MB0106", tx->p,
                               "the database does not take a statement: %s (%s)", message, doing);
    }
}

apr_status_t batch_tx_fail(batch_tx_t *tx, batch_failure_e failure, const char *doing)
{
    return batch_tx_fail_with(tx, failure, tx->connection->driver->message(tx->connection), doing);
}

/* ---- Statements of our own --------------------------------------------------------------------
 */

/* No resource is to blame for what our own tables are like. */
apr_status_t batch_tx_fail_own(batch_tx_t *tx, batch_failure_e failure, const char *doing)
{
    return batch_tx_fail(tx, failure == BATCH_FAILURE_STATEMENT ? BATCH_FAILURE_DAMAGED : failure,
                         doing);
}

apr_status_t batch_tx_execute(batch_tx_t *tx, int *rows, batch_statement_e statement,
                              const void **values)
{
    batch_prepared_t *prepared;
    batch_failure_e failure;
    apr_pool_t *scratch;
    int changed = 0;

    BATCH_CHECK(tx, BATCH_TX_MAGIC);
    scratch = batch_connection_scratch(tx->connection);
    failure = batch_connection_own(tx->connection, &prepared, statement);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_connection_execute(tx->connection, &changed, prepared, values, 1, scratch);
    }
    if (rows) {
        *rows = changed;
    }
    return failure == BATCH_FAILURE_NONE
               ? APR_SUCCESS
               : batch_tx_fail_own(tx, failure, batch_statement_name(statement));
}

apr_status_t batch_tx_execute_one(batch_tx_t *tx, batch_statement_e statement, const void **values)
{
    apr_status_t rv;
    int rows;

    BATCH_CHECK(tx, BATCH_TX_MAGIC);
    if (tx->connection->driver->execute_later) {
        return batch_tx_execute_later(tx, statement, values);
    }
    rv = batch_tx_execute(tx, &rows, statement, values);
    return rv == APR_SUCCESS && rows != 1 && BATCH_FENCE_HOLDS
               ? batch_tx_fail(tx, BATCH_FAILURE_FENCED, batch_statement_name(statement))
               : rv;
}

apr_status_t batch_tx_execute_later(batch_tx_t *tx, batch_statement_e statement,
                                    const void **values)
{
    batch_connection_t *connection = tx->connection;
    batch_prepared_t *prepared;
    batch_failure_e failure;

    if (!connection->driver->execute_later) {
        return batch_tx_execute(tx, NULL, statement, values);
    }
    failure = batch_connection_own(connection, &prepared, statement);
    if (failure == BATCH_FAILURE_NONE) {
        failure = connection->driver->execute_later(connection, prepared, values,
                                                    batch_connection_scratch(connection));
    }
    return failure == BATCH_FAILURE_NONE
               ? APR_SUCCESS
               : batch_tx_fail_own(tx, failure, batch_statement_name(statement));
}

apr_status_t batch_tx_select(batch_tx_t *tx, batch_results_t **results, batch_statement_e statement,
                             const void **values, apr_pool_t *p)
{
    batch_prepared_t *prepared;
    batch_failure_e failure;

    BATCH_CHECK(tx, BATCH_TX_MAGIC);
    failure = batch_connection_own(tx->connection, &prepared, statement);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_connection_select(tx->connection, results, prepared, values, 1, p);
    }
    return failure == BATCH_FAILURE_NONE
               ? APR_SUCCESS
               : batch_tx_fail_own(tx, failure, batch_statement_name(statement));
}

int batch_tx_is_async(const batch_tx_t *tx)
{
    return tx->async;
}

apr_time_t batch_tx_now(batch_tx_t *tx)
{
    BATCH_CHECK(tx, BATCH_TX_MAGIC);
    return tx->connection->driver->now(tx->connection);
}

batch_error_t *batch_tx_error(batch_tx_t *tx)
{
    BATCH_CHECK(tx, BATCH_TX_MAGIC);
    return &tx->error;
}

apr_status_t batch_tx_go_on(batch_tx_t *tx, apr_time_t deadline)
{
    BATCH_CHECK(tx, BATCH_TX_MAGIC);
    if (batch_hurry_is_on(&tx->store->hurry)) {
        return batch_error_set(&tx->error, BATCH_EUNAVAILABLE, "MB0110", tx->p,
                               "this process is to end, a long read was given up");
    }
    return apr_time_now() < deadline ? APR_SUCCESS : APR_TIMEUP;
}

void batch_tx_report(batch_tx_t *tx, const char *tag, const char *message)
{
    batch_log(tx->store->logger, BATCH_LOG_ERROR, tag, APR_SUCCESS, NULL, "%s", message);
}

/*
 * PostgreSQL: scans of rows, by a cursor: however many rows there are, no more than about a
 * MiB of them is here at once.
 */
#include "store/pgsql/rows.h"

#include <string.h>

#include <apr_strings.h>

#include "store/pgsql/failures.h"

/* Rows of the first FETCH, the most of one, and the bytes that one should bring. */
#define FIRST_ROWS  64
#define MOST_ROWS   4096
#define WANTED_SIZE (1024 * 1024)

/* PostgreSQL's numbers of types, the same everywhere. */
#define TYPE_DATE        1082
#define TYPE_TIMESTAMP   1114
#define TYPE_TIMESTAMPTZ 1184

/* What is selected: a text, whatever the column's type is. */
static const char *column_sql(const batch_pgsql_column_t *column, const char *name, apr_pool_t *p)
{
    static const char format[] = "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'";

    name = batch_sql_identifier(name, p);
    switch (column->type) {
    case TYPE_TIMESTAMPTZ:
        return apr_psprintf(p, "to_char(%s AT TIME ZONE 'UTC', %s)", name, format);
    case TYPE_TIMESTAMP:
        return apr_psprintf(p, "to_char(%s, %s)", name, format);
    case TYPE_DATE:
        return apr_psprintf(p, "to_char(%s, 'YYYY-MM-DD')", name);
    default:
        return apr_psprintf(p, "%s::text", name);
    }
}

/* column = ANY (the values that a column of this type can have). Returns 0 if there are none. */
static int add_one_of(batch_pgsql_builder_t *builder, const batch_where_t *where)
{
    static const batch_pgsql_column_t as_text = {
        .name = "", .type = BATCH_PGSQL_TEXT, .array = 1009, .kind = BATCH_PGSQL_ANY};
    const batch_pgsql_column_t *column = batch_pgsql_column(builder->table, where->column);
    int is_other = column->kind == BATCH_PGSQL_OTHER;
    const char **fitting =
        apr_palloc(builder->p, (apr_size_t)(where->count + 1) * sizeof(*fitting));
    int count = 0, i;

    column = is_other ? &as_text : column;
    for (i = 0; i < where->count; i++) {
        if (batch_pgsql_fits(column, where->values[i])) {
            fitting[count++] = where->values[i];
        }
    }
    batch_pgsql_add_name(builder, where->column);
    batch_pgsql_add(builder, is_other ? "::text" : "");
    if (count == 1) {
        batch_pgsql_add(builder, " = ");
        batch_pgsql_add_value(builder, column->type, fitting[0]);
    } else {
        batch_pgsql_add(builder, " = ANY (");
        batch_pgsql_add_value(builder, column->array,
                              batch_pgsql_array(fitting, count, builder->p));
        batch_pgsql_add(builder, ")");
    }
    return count > 0;
}

/* Returns 0 if a condition is one that no row can meet. */
static int compose(batch_pgsql_builder_t *builder, const batch_scan_t *scan)
{
    int possible = 1;
    int i;

    for (i = 0; i < scan->column_count; i++) {
        batch_pgsql_add(builder, i ? ", " : "DECLARE batch_scan NO SCROLL CURSOR FOR SELECT ");
        batch_pgsql_add(builder, column_sql(batch_pgsql_column(builder->table, scan->columns[i]),
                                            scan->columns[i], builder->p));
    }
    batch_pgsql_add(builder, " FROM ");
    batch_pgsql_add_name(builder, scan->table);
    for (i = 0; i < scan->where_count; i++) {
        batch_pgsql_add(builder, i ? " AND " : " WHERE ");
        possible = add_one_of(builder, &scan->wheres[i]) && possible;
    }
    return possible;
}

/* A failure of a statement of the scan: the deadline, or what the transaction makes of it. */
static apr_status_t fail(batch_tx_t *tx, const batch_scan_t *scan, batch_failure_e failure, int old)
{
    const char *code = batch_pgsql_sqlstate(tx->connection);

    if (failure == BATCH_FAILURE_LOCKED && !strcmp(code, "57014") &&
        apr_time_now() >= scan->deadline) {
        return APR_TIMEUP;
    }
    if (failure != BATCH_FAILURE_LOST && !strncmp(code, "42", 2)) {
        /* The table may have been made anew, with other columns. */
        failure = old ? BATCH_FAILURE_OUTDATED : BATCH_FAILURE_STATEMENT;
    }
    return batch_tx_fail(tx, failure, "a scan of rows");
}

static batch_failure_e open_cursor(batch_tx_t *tx, const batch_pgsql_builder_t *builder,
                                   const batch_scan_t *scan)
{
    batch_connection_t *connection = tx->connection;
    apr_int64_t left = apr_time_as_msec(scan->deadline - apr_time_now());
    batch_failure_e failure;

    /* Of a cursor the server expects that only a part is read, and plans for that. */
    failure =
        batch_pgsql_queue_text(connection, "SET LOCAL cursor_tuple_fraction = 1", BATCH_PGSQL_OWN);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_queue_text(
            connection,
            apr_psprintf(builder->p, "SET LOCAL statement_timeout = %" APR_INT64_T_FMT,
                         left > 0 ? left + 1 : 1),
            BATCH_PGSQL_OWN);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_queue(connection, batch_pgsql_built(connection, builder),
                                    (const char *const *)builder->values->elts, BATCH_PGSQL_OWN);
    }
    return failure;
}

static apr_status_t hand_out(const PGresult *result, batch_cell_t *cells, batch_scan_fn *fn,
                             void *baton)
{
    int columns = PQnfields(result), rows = PQntuples(result);
    apr_status_t rv = APR_SUCCESS;
    int row, i;

    for (row = 0; rv == APR_SUCCESS && row < rows; row++) {
        for (i = 0; i < columns; i++) {
            cells[i].kind = PQgetisnull(result, row, i) ? BATCH_CELL_NULL : BATCH_CELL_TEXT;
            cells[i].text = PQgetvalue(result, row, i);
            cells[i].length = (apr_size_t)PQgetlength(result, row, i);
        }
        rv = fn(baton, cells);
    }
    return rv;
}

static apr_status_t fetch_all(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn,
                              void *baton, int old, apr_pool_t *p)
{
    batch_connection_t *connection = tx->connection;
    batch_cell_t *cells = apr_pcalloc(p, (apr_size_t)scan->column_count * sizeof(*cells));
    apr_int64_t wanted = FIRST_ROWS;
    apr_status_t rv = APR_SUCCESS;
    int rows;

    do {
        char sql[64];
        PGresult *result = NULL;
        batch_failure_e failure;
        apr_size_t size;

        apr_snprintf(sql, sizeof(sql), "FETCH %" APR_INT64_T_FMT " FROM batch_scan", wanted);
        failure = batch_pgsql_queue_text(connection, sql, BATCH_PGSQL_OWN);
        if (failure == BATCH_FAILURE_NONE) {
            failure = batch_pgsql_flush(connection, &result);
        }
        if (failure != BATCH_FAILURE_NONE) {
            return fail(tx, scan, failure, old);
        }
        rows = PQntuples(result);
        rv = hand_out(result, cells, fn, baton);
        size = PQresultMemorySize(result) / (apr_size_t)(rows + 1) + 1;
        if (rv == APR_SUCCESS && rows == wanted) {
            rv = batch_tx_go_on(tx, scan->deadline);
            wanted = (apr_int64_t)(WANTED_SIZE / size) + 1;
            wanted = wanted < MOST_ROWS ? wanted : MOST_ROWS;
        } else {
            break;
        }
    } while (rv == APR_SUCCESS);
    return rv;
}

apr_status_t batch_pgsql_scan(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn,
                              void *baton, apr_pool_t *ptemp)
{
    batch_pgsql_builder_t builder;
    const batch_pgsql_state_t *state = batch_pgsql_state(tx->connection);
    batch_pgsql_table_t *table = NULL;
    batch_failure_e failure = batch_pgsql_table(tx->connection, &table, scan->table, 0);
    apr_status_t rv;
    int old;

    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "looking at a table");
    }
    old = table->transaction != state->transactions;
    batch_pgsql_builder_init(&builder, table, NULL, ptemp);
    if (!compose(&builder, scan)) {
        return APR_SUCCESS;
    }
    failure = open_cursor(tx, &builder, scan);
    if (failure != BATCH_FAILURE_NONE) {
        return fail(tx, scan, failure, old);
    }
    rv = fetch_all(tx, scan, fn, baton, old, ptemp);
    if (rv == APR_SUCCESS || rv == APR_EOF) { /* there may be another scan behind it */
        failure = batch_pgsql_queue_text(tx->connection, "CLOSE batch_scan", BATCH_PGSQL_OWN);
        rv = failure == BATCH_FAILURE_NONE ? rv : fail(tx, scan, failure, old);
    }
    return rv;
}

/*
 * SQLite: scans of rows. Straight on the library's handle, not through apr_dbd, which would hold
 * one mutex of the whole process until the last row; the handle is this transaction's alone.
 */
#include "store/sqlite3/rows.h"

#include <sqlite3.h>

#include <apr_strings.h>

#include "store/sqlite3/failures.h"

/* Steps of SQLite's machine between two looks at the clock: some tens of microseconds. */
#define STEPS 2000

typedef struct scanner {
    batch_tx_t *tx;
    const batch_scan_t *scan;
    apr_status_t stopped; /* why the statement was interrupted */
} scanner_t;

static int look_at_clock(void *baton)
{
    scanner_t *scanner = baton;

    scanner->stopped = batch_tx_go_on(scanner->tx, scanner->scan->deadline);
    return scanner->stopped != APR_SUCCESS;
}

/* Columns always with their table: SQLite takes a quoted name that it does not know for a string.
 */
static const char *scan_sql(const batch_scan_t *scan, apr_pool_t *p)
{
    apr_array_header_t *pieces = apr_array_make(p, 32, sizeof(const char *));
    const char *table = batch_sql_identifier(scan->table, p);
    int i, j;

    for (i = 0; i < scan->column_count; i++) {
        APR_ARRAY_PUSH(pieces, const char *) = apr_pstrcat(
            p, i ? ", " : "SELECT ", table, ".", batch_sql_identifier(scan->columns[i], p), NULL);
    }
    APR_ARRAY_PUSH(pieces, const char *) = apr_pstrcat(p, " FROM ", table, NULL);
    for (i = 0; i < scan->where_count; i++) {
        APR_ARRAY_PUSH(pieces, const char *) =
            apr_pstrcat(p, i ? " AND " : " WHERE ", table, ".",
                        batch_sql_identifier(scan->wheres[i].column, p), " IN (?", NULL);
        for (j = 1; j < scan->wheres[i].count; j++) {
            APR_ARRAY_PUSH(pieces, const char *) = ",?";
        }
        APR_ARRAY_PUSH(pieces, const char *) = ")";
    }
    return apr_array_pstrcat(p, pieces, 0);
}

static int bind_values(sqlite3_stmt *statement, const batch_scan_t *scan)
{
    int code = SQLITE_OK, number = 0;
    int i, j;

    for (i = 0; i < scan->where_count; i++) {
        const batch_where_t *where = &scan->wheres[i];

        for (j = 0; code == SQLITE_OK && j < where->count; j++) {
            code = sqlite3_bind_text(statement, ++number, where->values[j], -1, SQLITE_STATIC);
        }
    }
    return code;
}

static void read_cell(batch_cell_t *cell, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        cell->kind = BATCH_CELL_INTEGER;
        cell->integer = sqlite3_column_int64(statement, column);
        break;
    case SQLITE_FLOAT:
        cell->kind = BATCH_CELL_NUMBER;
        cell->number = sqlite3_column_double(statement, column);
        break;
    case SQLITE_TEXT:
        cell->kind = BATCH_CELL_TEXT;
        cell->text = (const char *)sqlite3_column_text(statement, column);
        cell->length = (apr_size_t)sqlite3_column_bytes(statement, column);
        break;
    default:
        cell->kind = BATCH_CELL_NULL; /* a blob is no value of any type of ours */
        break;
    }
}

static int step_all(apr_status_t *rv, sqlite3_stmt *statement, const batch_scan_t *scan,
                    batch_scan_fn *fn, void *baton, batch_cell_t *cells)
{
    int code = SQLITE_DONE, i;

    *rv = APR_SUCCESS;
    while (*rv == APR_SUCCESS && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (i = 0; i < scan->column_count; i++) {
            read_cell(&cells[i], statement, i);
        }
        *rv = fn(baton, cells);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

apr_status_t batch_sqlite3_scan(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn,
                                void *baton, apr_pool_t *ptemp)
{
    sqlite3 *native = tx->connection->native;
    batch_cell_t *cells = apr_pcalloc(ptemp, (apr_size_t)scan->column_count * sizeof(*cells));
    scanner_t scanner = {tx, scan, APR_SUCCESS};
    batch_failure_e failure = BATCH_FAILURE_NONE;
    sqlite3_stmt *statement = NULL;
    apr_status_t rv = APR_SUCCESS;
    int code;

    for (int i = 0; i < scan->where_count; i++) {
        if (!scan->wheres[i].count) {
            return APR_SUCCESS; /* one of none */
        }
    }
    sqlite3_progress_handler(native, STEPS, look_at_clock, &scanner);
    code = sqlite3_prepare_v2(native, scan_sql(scan, ptemp), -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = bind_values(statement, scan);
    }
    if (code == SQLITE_OK) {
        code = step_all(&rv, statement, scan, fn, baton, cells);
    }
    if (code != SQLITE_OK && scanner.stopped == APR_SUCCESS) {
        failure = batch_sqlite3_classify(tx->connection, code, 0);
    }
    if (failure != BATCH_FAILURE_NONE) {
        rv = batch_tx_fail(tx, failure, "a scan of rows"); /* while the message is there */
    }
    sqlite3_finalize(statement);
    sqlite3_progress_handler(native, 0, NULL, NULL);
    return scanner.stopped != APR_SUCCESS ? scanner.stopped : rv;
}

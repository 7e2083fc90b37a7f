/* What belongs to a job: its items, its errors, and the administrator's rows that it changes. */
#include "store/tx.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "store/kept.h"

/* ---- Segments ----------------------------------------------------------------------------------
 */

apr_status_t batch_tx_segment_insert(batch_tx_t *tx, const batch_job_t *job,
                                     const batch_segment_t *segment)
{
    const void *values[] = {&job->seq,     &segment->first, &segment->count,
                            segment->data, &job->seq,       &segment->first};

    if (tx->async) { /* others follow */
        tx->turn = BATCH_TURN_STEP;
    }
    return batch_tx_execute_later(tx, BATCH_SQL_SEGMENT_INSERT, values);
}

apr_status_t batch_tx_segment_get(batch_tx_t *tx, batch_segment_t *segment, const batch_job_t *job,
                                  apr_int64_t position, apr_pool_t *p)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    const void *values[] = {&job->seq, &position, &job->seq};
    batch_results_t *results;
    batch_row_t *row = NULL;
    const char *data;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_SEGMENT_GET, values, scratch);

    memset(segment, 0, sizeof(*segment));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!batch_connection_row(tx->connection, &row, results, scratch)) {
        return BATCH_ENOTFOUND;
    }
    segment->first = batch_row_number(tx->connection, row, 0);
    segment->count = batch_row_number(tx->connection, row, 1);
    if (position - segment->first >= segment->count) {
        return BATCH_ENOTFOUND;
    }
    data = batch_row_text(tx->connection, row, 2, NULL);
    segment->length = data ? strlen(data) : 0;
    segment->data = apr_pstrmemdup(p, data ? data : "", segment->length);
    return APR_SUCCESS;
}

/* ---- Errors ------------------------------------------------------------------------------------
 */

/* Errors that one statement reads; an original may be large. */
#define ERROR_WINDOW 32

apr_status_t batch_tx_errors_insert(batch_tx_t *tx, const batch_job_t *job,
                                    const batch_item_error_t *errors, int count)
{
    return tx->connection->driver->errors_insert(tx, job, errors, count);
}

const char *batch_error_shown(const batch_item_error_t *error, apr_pool_t *p)
{
    return error->values ? apr_pstrcat(p, "=", error->values, NULL) : error->original;
}

static void read_shown(batch_item_error_t *error, const char *text)
{
    int has_values = text && *text == '=';

    error->values = has_values ? text + 1 : NULL;
    error->original = has_values ? NULL : text;
}

/* Reads a window and hands its errors out. *count: how many. */
static apr_status_t read_window(batch_tx_t *tx, int *count, const batch_job_t *job,
                                batch_error_cursor_t *cursor, apr_int64_t limit,
                                batch_item_error_fn *fn, void *baton, apr_pool_t *window)
{
    const batch_connection_t *connection = tx->connection;
    apr_int64_t ordinal = cursor->begun ? cursor->ordinal : -1;
    const void *values[] = {&job->seq, &ordinal, &cursor->number, &limit};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_ERRORS_READ, values, window);

    *count = 0;
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, window)) {
        batch_item_error_t error = {.ordinal = batch_row_number(connection, row, 0),
                                    .line = batch_row_number(connection, row, 2),
                                    .id = batch_row_text(connection, row, 3, NULL),
                                    .field = batch_row_text(connection, row, 4, NULL),
                                    .code = batch_row_text(connection, row, 5, NULL),
                                    .message = batch_row_text(connection, row, 6, NULL)};

        read_shown(&error, batch_row_text(connection, row, 7, NULL));
        rv = fn(baton, &error);
        cursor->ordinal = error.ordinal;
        cursor->number = batch_row_number(connection, row, 1);
        cursor->begun = 1;
        (*count)++;
    }
    return rv;
}

apr_status_t batch_tx_errors_read(batch_tx_t *tx, int *count, const batch_job_t *job,
                                  batch_error_cursor_t *cursor, int limit, batch_item_error_fn *fn,
                                  void *baton, apr_pool_t *ptemp)
{
    apr_pool_t *window;
    apr_status_t rv = apr_pool_create(&window, ptemp);
    int wanted, had;

    *count = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    do {
        wanted = limit - *count < ERROR_WINDOW ? limit - *count : ERROR_WINDOW;
        had = 0;
        apr_pool_clear(window);
        if (wanted > 0) {
            rv = read_window(tx, &had, job, cursor, wanted, fn, baton, window);
        }
        *count += had;
    } while (rv == APR_SUCCESS && had > 0 && had == wanted);
    apr_pool_destroy(window);
    return rv;
}

/* ---- Kept rows ---------------------------------------------------------------------------------
 */

/* "17.3:key,": the item's ordinal and the key as a netstring; "~" for one that nobody knows. */
#define KEPT_BYTES BATCH_SEGMENT_BYTES /* of a row, at most, unless a key is longer */

static apr_status_t insert_kept(batch_tx_t *tx, const batch_job_t *job, const char *keys)
{
    const void *values[] = {&job->seq, keys, &job->seq};

    return batch_tx_execute_later(tx, BATCH_SQL_KEPT_INSERT, values);
}

apr_status_t batch_tx_kept_insert(batch_tx_t *tx, const batch_job_t *job,
                                  const apr_array_header_t *kept, apr_pool_t *ptemp)
{
    apr_array_header_t *pieces = apr_array_make(ptemp, kept->nelts, sizeof(const char *));
    apr_size_t bytes = 0;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < kept->nelts; i++) {
        const batch_kept_t *one = &APR_ARRAY_IDX(kept, i, batch_kept_t);
        const char *piece =
            one->key ? apr_psprintf(ptemp, "%" APR_INT64_T_FMT ".%" APR_SIZE_T_FMT ":%s,",
                                    one->ordinal, strlen(one->key), one->key)
                     : "~";

        APR_ARRAY_PUSH(pieces, const char *) = piece;
        bytes += strlen(piece);
        if (bytes >= KEPT_BYTES || i + 1 == kept->nelts) {
            rv = insert_kept(tx, job, apr_array_pstrcat(ptemp, pieces, 0));
            apr_array_clear(pieces);
            bytes = 0;
        }
    }
    return rv;
}

/* Reads one of the keys at text, which is written into. Returns what is behind it; NULL: damaged.
 */
static char *read_kept(batch_kept_t *kept, char *text)
{
    char *end = text + strlen(text);
    apr_size_t length;

    kept->key = NULL;
    kept->ordinal = -1;
    if (*text == '~') {
        return text + 1;
    }
    kept->ordinal = strtoll(text, &text, 10);
    length = *text == '.' ? strtoul(text + 1, &text, 10) : 0;
    if (*text != ':' || length >= (apr_size_t)(end - text - 1) || text[1 + length] != ',') {
        return NULL;
    }
    text[1 + length] = '\0';
    kept->key = text + 1;
    return text + length + 2;
}

/* Calls fn for the keys in text. */
static apr_status_t read_keys(batch_tx_t *tx, char *text, batch_kept_fn *fn, void *baton)
{
    apr_status_t rv = APR_SUCCESS;
    batch_kept_t kept;

    while (rv == APR_SUCCESS && *text) {
        text = read_kept(&kept, text);
        if (!text) {
            return batch_error_set(batch_tx_error(tx), APR_EGENERAL, "MB0115", tx->p,
                                   "the stored keys are damaged");
        }
        rv = fn(baton, &kept);
    }
    return rv;
}

apr_status_t batch_tx_kept_read(batch_tx_t *tx, int *more, apr_int64_t *number,
                                const batch_job_t *job, batch_kept_fn *fn, void *baton)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    const void *values[] = {&job->seq, number};
    batch_results_t *results;
    batch_row_t *row = NULL;
    const char *keys;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_KEPT_READ, values, scratch);

    *more = 0;
    if (rv != APR_SUCCESS || !batch_connection_row(tx->connection, &row, results, scratch)) {
        return rv;
    }
    *more = 1;
    *number = batch_row_number(tx->connection, row, 0);
    keys = batch_row_text(tx->connection, row, 1, NULL);
    return read_keys(tx, apr_pstrdup(scratch, keys ? keys : ""), fn, baton);
}

/* ---- Rows --------------------------------------------------------------------------------------
 */

apr_status_t batch_tx_rows_delete(batch_tx_t *tx, batch_rows_t *rows)
{
    return tx->connection->driver->rows_delete(tx, rows);
}

apr_status_t batch_tx_rows_update(batch_tx_t *tx, batch_rows_t *rows)
{
    return tx->connection->driver->rows_update(tx, rows);
}

apr_status_t batch_tx_rows_merge(batch_tx_t *tx, batch_rows_t *rows)
{
    return tx->connection->driver->rows_merge(tx, rows);
}

apr_status_t batch_tx_step_begin(batch_tx_t *tx)
{
    batch_failure_e failure = tx->connection->driver->step_begin(tx->connection);

    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(tx, failure, "step");
}

apr_status_t batch_tx_step_end(batch_tx_t *tx, int undo, const char **message, apr_pool_t *p)
{
    const batch_driver_t *driver = tx->connection->driver;
    batch_failure_e failure;

    *message = NULL;
    failure =
        undo ? driver->step_undo(tx->connection) : driver->step_end(tx->connection, message, p);
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : batch_tx_fail(tx, failure, "step");
}

void batch_row_look_add(batch_row_look_t *look, const char *key, apr_pool_t *p)
{
    key = key ? apr_pstrdup(p, key) : NULL;
    if (++look->found == 1) {
        look->key = key;
        return;
    }
    if (!look->keys) {
        look->keys = apr_array_make(p, 4, sizeof(const char *));
        APR_ARRAY_PUSH(look->keys, const char *) = look->key;
    }
    APR_ARRAY_PUSH(look->keys, const char *) = key;
    look->key = look->immutable = NULL;
}

apr_status_t batch_tx_rows_look(batch_tx_t *tx, batch_rows_t *rows)
{
    return tx->connection->driver->rows_look(tx, rows);
}

apr_status_t batch_tx_keys_walk(batch_tx_t *tx, batch_key_walk_t *walk)
{
    return tx->connection->driver->keys_walk(tx, walk);
}

apr_status_t batch_tx_keys_quick(batch_tx_t *tx, int *quick, const batch_row_scope_t *scope)
{
    const batch_driver_t *driver = tx->connection->driver;

    *quick = 0;
    return driver->keys_quick ? driver->keys_quick(tx, quick, scope) : APR_SUCCESS;
}

int batch_tx_is_full(const batch_tx_t *tx)
{
    const batch_driver_t *driver = tx->connection->driver;

    return driver->is_full && driver->is_full(tx->connection);
}

int batch_store_divides(const batch_store_t *store)
{
    return store->driver->rows_apart != NULL;
}

apr_status_t batch_tx_rows_apart(batch_tx_t *tx, int *apart, const batch_resource_t *resource,
                                 batch_action_e action)
{
    const batch_driver_t *driver = tx->connection->driver;

    *apart = 0;
    return driver->rows_apart ? driver->rows_apart(tx, apart, resource, action) : APR_SUCCESS;
}

apr_status_t batch_tx_scan(batch_tx_t *tx, const batch_scan_t *scan, batch_scan_fn *fn, void *baton,
                           apr_pool_t *ptemp)
{
    return tx->connection->driver->scan(tx, scan, fn, baton, ptemp);
}

/* ---- Forms -------------------------------------------------------------------------------------
 */

apr_status_t batch_tx_form_check(batch_tx_t *tx, const batch_resource_t *resource,
                                 const char *organization, const char *form_id)
{
    if (!form_id || !resource->form_table || !resource->form_id) {
        return BATCH_ENOTFOUND;
    }
    return tx->connection->driver->form_check(tx, resource, organization, form_id);
}

/*
 * SQLite: pages that a transaction changes wait in memory for its COMMIT, however the rows lie: all
 * of a small database; of a larger one a chunk ends before they take much.
 */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include <sqlite3.h>

#include "columns.h"
#include "store/tx.h"

#define MIB (1024 * 1024)

/* Each fills a page. */
#define ROWS 12000
#define TEXT 3000

static batch_resource_t resource;

/* What a transaction does, and what has become of its connection's pages before the COMMIT. */
struct change {
    char letter; /* of the texts: a row that stays as it is changes no page */
    int is_chunk;
    int rows;
    int spilled; /* pages that were written before */
    int bytes;   /* that its pages take */
    int done;    /* rows that were changed */
    int is_full; /* it should end */
};

static int status_of(const batch_tx_t *tx, int what)
{
    int now = -1, most = 0;

    sqlite3_db_status(tx->connection->native, what, &now, &most, 0);
    return now;
}

static void forget_spilled(const batch_tx_t *tx)
{
    int now = 0, most = 0;

    sqlite3_db_status(tx->connection->native, SQLITE_DBSTATUS_CACHE_SPILL, &now, &most, 1);
}

/* Changes rows all over the table. */
static apr_status_t change_rows(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct change *change = baton;
    batch_row_scope_t scope = {.resource = &resource, .organization = "acme"};
    char *text = apr_pcalloc(ptemp, TEXT + 1);
    batch_value_t value = {.name = "text", .value = text, .kind = BATCH_KIND_STRING};
    batch_item_t *items = apr_pcalloc(ptemp, (apr_size_t)change->rows * sizeof(*items));
    batch_row_outcome_t *outcomes =
        apr_pcalloc(ptemp, (apr_size_t)change->rows * sizeof(*outcomes));
    batch_rows_t rows = {.scope = &scope,
                         .items = items,
                         .count = change->rows,
                         .deadline = APR_INT64_MAX,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv;
    int i;

    memset(text, change->letter, TEXT);
    for (i = 0; i < change->rows; i++) {
        items[i].kind = BATCH_ITEM_KEY;
        items[i].key = apr_psprintf(ptemp, "k%05d", (int)(i * 7919L % ROWS) + 1);
        items[i].key_length = 6;
        items[i].values = &value;
        items[i].value_count = 1;
    }
    if (change->is_chunk) { /* by its fence, whether that holds or not */
        batch_job_t job = {.seq = 1, .id = "none"};

        is_number(batch_tx_fence(tx, &job, 1), BATCH_EFENCED, "a chunk begins by its fence");
    }
    forget_spilled(tx);
    rv = batch_tx_rows_merge(tx, &rows);
    change->done = rows.done;
    change->is_full = batch_tx_is_full(tx);
    is_number(outcomes[rows.done - 1].result, BATCH_ROW_APPLIED, "the last one was changed");
    change->spilled = status_of(tx, SQLITE_DBSTATUS_CACHE_SPILL);
    change->bytes = status_of(tx, SQLITE_DBSTATUS_CACHE_USED);
    return rv;
}

static void run_change(struct change *change)
{
    is_number(batch_store_write(store, change_rows, change, &err, pool), APR_SUCCESS,
              "rows are changed");
}

int main(int argc, char **argv)
{
    struct change request = {.letter = 'a', .rows = 5500};
    struct change chunk = {.letter = 'b', .is_chunk = 1, .rows = 5500};
    struct change small = {.letter = 'c', .is_chunk = 1, .rows = ROWS};
    struct change large = {.letter = 'd', .is_chunk = 1, .rows = ROWS};
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    resource.name = "text";
    resource.table = "texts";
    resource.key = "id";
    resource.keys = BATCH_KEYS_CLIENT;
    resource.match = apr_array_make(pool, 1, sizeof(const char *));
    resource.columns = apr_array_make(pool, 1, sizeof(batch_column_t));
    push_column(resource.columns, "text", BATCH_TYPE_TEXT);
    fresh();
    native(path, "CREATE TABLE texts (id TEXT PRIMARY KEY, text TEXT)");
    native(path, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                 " WHERE i < " APR_STRINGIFY(
                     ROWS) ") INSERT INTO texts"
                           " SELECT printf('k%05d', i), printf('%.' || " APR_STRINGIFY(
                               TEXT) " || 'c', 'x') FROM n");
    run_change(&request);
    ok(request.spilled == 0 && request.done == 5500,
       "all that a request changes stays in memory: %d of %d bytes", request.done, request.bytes);
    run_change(&chunk);
    ok(chunk.spilled == 0 && chunk.done == 5500 && !chunk.is_full, "so it is in a chunk: %d",
       chunk.done);
    run_change(&small);
    ok(small.spilled == 0 && small.done == ROWS && !small.is_full,
       "which keeps all pages of a small database: %d", small.done);
    ok(small.bytes > 47 * MIB, "they have %d bytes", small.bytes);
    native(path, "CREATE TABLE others (data BLOB)");
    native(path, "INSERT INTO others VALUES (zeroblob(90000000))");
    run_change(&large);
    ok(large.is_full && large.done > 1000 && large.done < ROWS && large.bytes < 15 * MIB,
       "of a larger one it ends at 12.5 MiB: %d rows, %d", large.done, large.bytes);
    is_number(large.spilled, 0, "and has written nothing before its COMMIT");
    is_number(number("SELECT count(*) FROM texts WHERE text GLOB 'ddd*'"), large.done,
              "so many are changed");
    batch_store_destroy(store);
    return fixture_end();
}

/*
 * SQLite: stored items are let go without writing them over with zeros, which would take them
 * through the log a second time; rows of the administrator's tables are removed as the library does
 * it.
 */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include "columns.h"
#include "store/removal.h"

#define SECRET "what nobody may find any more"

static batch_resource_t resource;

/* Bytes of the write-ahead log. */
static long log_bytes(void)
{
    struct stat status;

    return stat(apr_pstrcat(pool, path, "-wal", NULL), &status) == 0 ? (long)status.st_size : 0;
}

/* Copies the log into the database, and leaves an empty one. */
static void empty_log(void)
{
    native(path, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* How often the word stands in the database's file. */
static int count_in_file(const char *word)
{
    size_t length = strlen(word);
    FILE *file = fopen(path, "r");
    size_t matched = 0;
    int count = 0;
    int c;

    while (file && (c = getc(file)) != EOF) {
        matched = c == word[matched] ? matched + 1 : c == word[0];
        if (matched == length) {
            count++;
            matched = 0;
        }
    }
    if (file) {
        fclose(file);
    }
    return count;
}

static apr_status_t remove_items(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)ptemp;
    return batch_tx_segments_passed(tx, baton, 0, 1);
}

/* Behind a removal on the same connection. */
static apr_status_t delete_row(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_item_t item = {.key = "long", .key_length = 4};
    batch_row_outcome_t outcomes[1];
    batch_rows_t rows = {
        .scope = baton, .items = &item, .count = 1, .outcomes = outcomes, .p = ptemp};

    batch_job_t job = {.seq = 1};
    apr_status_t rv = batch_tx_segments_passed(tx, &job, 0, 1);

    return rv == APR_SUCCESS ? batch_tx_rows_delete(tx, &rows) : rv;
}

static void test_items(void)
{
    batch_job_t job = new_job("acme");

    fresh();
    is_number(batch_store_write(store, insert_large, &job, &err, pool), APR_SUCCESS,
              "items are stored");
    job.seq = number("SELECT max(seq) FROM batch_jobs");
    is_number(number("SELECT sum(length(data)) FROM batch_items"), 4000000, "4 MB");
    empty_log();
    is_number(batch_store_write(store, remove_items, &job, &err, pool), APR_SUCCESS, "and removed");
    is_number(number("SELECT count(*) FROM batch_items"), 0, "they are gone");
    ok(log_bytes() > 0 && log_bytes() < 400000, "with few pages: the log has %ld bytes",
       log_bytes());
}

static void test_rows(void)
{
    batch_row_scope_t scope = {.resource = &resource, .organization = "acme"};

    native(path, "CREATE TABLE texts (id TEXT PRIMARY KEY, text TEXT)");
    native(path, "INSERT INTO texts VALUES ('long', '" SECRET
                 "' || printf('%.20000c', 'x') || '" SECRET "')");
    empty_log();
    is_number(count_in_file(SECRET), 2, "a long row is there");
    is_number(batch_store_write(store, delete_row, &scope, &err, pool), APR_SUCCESS,
              "it is removed");
    is_number(number("SELECT count(*) FROM texts"), 0, "it is gone");
    empty_log();
    is_number(count_in_file(SECRET), number("PRAGMA secure_delete") == 1 ? 0 : 2,
              "its pages are what the library makes of them");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    resource.name = "text";
    resource.table = "texts";
    resource.key = "id";
    resource.match = apr_array_make(pool, 1, sizeof(const char *));
    resource.columns = apr_array_make(pool, 1, sizeof(batch_column_t));
    test_items();
    test_rows();
    batch_store_destroy(store);
    return fixture_end();
}

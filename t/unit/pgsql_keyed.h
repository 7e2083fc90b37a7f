/* A table whose rows are found by key and whose columns are of many types, on PostgreSQL, and work
 * on its rows. */
#ifndef BATCH_PGSQL_KEYED_H
#define BATCH_PGSQL_KEYED_H

#include "store_resource.h"

FIXTURE int says(const char *tag, const char *words)
{
    int good = err.tag && !strcmp(err.tag, tag) && strstr(err.message, words);

    if (!good) {
        printf("# %s: %s\n", err.tag ? err.tag : "no tag", err.message ? err.message : "nothing");
    }
    return good;
}

#define MOST_KEYS 64

typedef struct work {
    const char *keys[MOST_KEYS];
    int count;
    const batch_value_t *values; /* NULL: delete */
    int value_count;
    int done;
    char results[MOST_KEYS + 1];    /* A, N or R for each */
    char message[200];              /* of the last that was refused */
    void (*before)(batch_tx_t *tx); /* runs in the transaction */
    apr_interval_time_t patience;   /* until the deadline, 0 = there is none */
    int runs;
} work_t;

FIXTURE apr_status_t work_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    work_t *work = baton;
    batch_row_scope_t scope = {&resource, "7", NULL, "alice-id", 0};
    batch_item_t *items = apr_pcalloc(ptemp, sizeof(batch_item_t) * MOST_KEYS);
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(batch_row_outcome_t) * MOST_KEYS);
    batch_rows_t rows = {.scope = &scope,
                         .items = items,
                         .count = work->count,
                         .values = work->values,
                         .value_count = work->value_count,
                         .deadline =
                             work->patience ? apr_time_now() + work->patience : APR_INT64_MAX,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv;
    int i;

    work->runs++;
    work->message[0] = '\0';
    memset(work->results, 0, sizeof(work->results));
    for (i = 0; i < work->count; i++) {
        items[i].key = work->keys[i];
        items[i].key_length = strlen(work->keys[i]);
    }
    if (work->before) {
        work->before(tx);
    }
    rv = work->values ? batch_tx_rows_update(tx, &rows) : batch_tx_rows_delete(tx, &rows);
    work->done = rows.done;
    for (i = 0; rv == APR_SUCCESS && i < work->done; i++) {
        work->results[i] = "ANR"[outcomes[i].result];
        if (outcomes[i].message) {
            apr_cpystrn(work->message, outcomes[i].message, sizeof(work->message));
        }
    }
    return rv;
}

FIXTURE apr_status_t run(work_t *work)
{
    apr_status_t rv;

    work->runs = 0;
    rv = batch_store_write(store, work_body, work, &err, pool);
    if (rv != APR_SUCCESS) {
        printf("# %s: %s\n", err.tag ? err.tag : "no tag", err.message ? err.message : "nothing");
    }
    return rv;
}

FIXTURE void make_resource(void)
{
    memset(&resource, 0, sizeof(resource));
    resource.name = "keyed";
    resource.table = "Keyed";
    resource.key = "Key";
    resource.scope = "organization";
    resource.columns = apr_array_make(pool, 16, sizeof(batch_column_t));
    resource.updated_at = "changed";
    add_column("name", BATCH_TYPE_TEXT);
    add_column("count", BATCH_TYPE_INTEGER);
    add_column("size", BATCH_TYPE_NUMBER);
    add_column("open", BATCH_TYPE_BOOLEAN);
    add_column("flag", BATCH_TYPE_BOOLEAN);
    add_column("at", BATCH_TYPE_TIMESTAMP);
    add_column("day", BATCH_TYPE_DATE);
    add_column("extra", BATCH_TYPE_JSON);
    add_column("mood", BATCH_TYPE_TEXT);
    add_column("grade", BATCH_TYPE_INTEGER);
}

#define ID1 "0a000000-0000-4000-8000-000000000001"
#define ID2 "0a000000-0000-4000-8000-000000000002"
#define ID3 "0a000000-0000-4000-8000-000000000003"
#define ID4 "0a000000-0000-4000-8000-000000000004"

/* Rows with columns of other types than texts; of organization 7, the last one of 8. */
FIXTURE void make_keyed(const char *key_type, const char *key1, const char *key2, const char *key3,
                        const char *key4)
{
    native(path,
           apr_psprintf(
               pool,
               "DROP TABLE IF EXISTS \"Keyed\"; DROP TYPE IF EXISTS mood; DROP DOMAIN IF EXISTS "
               "grade; CREATE TYPE mood AS ENUM ('calm', 'sad'); CREATE DOMAIN grade AS smallint "
               "CHECK (VALUE < 10);"
               "CREATE TABLE \"Keyed\" (\"Key\" %s PRIMARY KEY, organization bigint, name "
               "varchar(5), count bigint, size numeric(6, 2), open boolean, flag smallint, at "
               "timestamptz, day date, extra jsonb, mood mood, grade grade, changed timestamptz);"
               "INSERT INTO \"Keyed\" (\"Key\", organization) VALUES ('%s', 7), ('%s', 7), "
               "('%s', 7), ('%s', 8)",
               key_type, key1, key2, key3, key4));
}

#endif

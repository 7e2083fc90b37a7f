/* A table whose rows are found by match and whose columns are of many types, on PostgreSQL, and
 * merges into it. */
#ifndef BATCH_PGSQL_MATCHED_H
#define BATCH_PGSQL_MATCHED_H

#include "store_resource.h"

#include <apr_thread_proc.h>

#include "store/tx.h"

static const char *organization = "7";
static int tell_keys;

/* ---- The table ---------------------------------------------------------------------------------
 */

FIXTURE void make_resource(void)
{
    memset(&resource, 0, sizeof(resource));
    resource.name = "matched";
    resource.table = "Matched";
    resource.key = "Id";
    resource.keys = BATCH_KEYS_GENERATED;
    resource.scope = "org";
    resource.match = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(resource.match, const char *) = "code";
    resource.columns = apr_array_make(pool, 8, sizeof(batch_column_t));
    resource.created_at = "made_at";
    resource.updated_at = "changed_at";
    add_column("code", BATCH_TYPE_TEXT);
    add_column("name", BATCH_TYPE_TEXT);
    add_column("count", BATCH_TYPE_INTEGER);
    add_column("size", BATCH_TYPE_NUMBER);
    add_column("open", BATCH_TYPE_BOOLEAN);
    add_column("flag", BATCH_TYPE_BOOLEAN);
    add_column("at", BATCH_TYPE_TIMESTAMP);
    add_column("day", BATCH_TYPE_DATE);
    add_column("extra", BATCH_TYPE_JSON);
    add_column("mood", BATCH_TYPE_TEXT);
}

/* A table with the key and code of these types, and a sequence that counts statements on it. */
FIXTURE void make_matched(const char *id, const char *code, const char *more)
{
    native(
        path,
        apr_psprintf(
            pool,
            "SET client_min_messages = error; DROP TABLE IF EXISTS \"Matched\"; DROP TYPE IF "
            "EXISTS mood; DROP TABLE IF EXISTS log; DROP SEQUENCE IF EXISTS statements; CREATE "
            "SEQUENCE statements; CREATE TABLE log (number bigserial, entry text); CREATE TYPE "
            "mood AS ENUM ('calm', 'sad'); CREATE TABLE \"Matched\" (\"Id\" %s, org bigint, code "
            "%s, name varchar(20), count integer DEFAULT 5 CHECK (count >= 0), size numeric(6, "
            "2), open boolean, flag smallint, at timestamptz, day date, extra jsonb, mood mood, "
            "made_at timestamptz, changed_at timestamptz%s); CREATE OR REPLACE FUNCTION tell() "
            "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('statements'); RETURN "
            "NULL; END $$; CREATE TRIGGER tell BEFORE UPDATE OR INSERT ON \"Matched\" FOR EACH "
            "STATEMENT EXECUTE FUNCTION tell()",
            id, code, more));
}

FIXTURE void make_usual(void)
{
    make_matched("uuid PRIMARY KEY", "text", ", UNIQUE (org, code)");
}

/* UPDATEs and INSERTs since the table was made; a merge's statement has one of each. */
FIXTURE long long statements(void)
{
    return number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM statements");
}

FIXTURE const char *id_of(int i)
{
    return apr_psprintf(pool, "0a000000-0000-4000-8000-%012d", i);
}

FIXTURE const char *matched(const char *code, const char *columns)
{
    return apr_pstrdup(
        pool,
        native(path, apr_psprintf(pool, "SELECT %s FROM \"Matched\" WHERE org = 7 AND code = '%s'",
                                  columns, code)));
}

/* ---- Merges ------------------------------------------------------------------------------------
 */

#define MOST 2100

typedef struct work {
    batch_item_t items[MOST];
    int count;
    int done;
    int runs;
    int prepared;                 /* statements that the connection kept */
    apr_interval_time_t patience; /* until the deadline, 0 = there is none */
    batch_row_result_e results[MOST];
    const char *told[MOST]; /* keys of rows, where they are others than the items' */
    const char *message;    /* of the last that was refused */
} work_t;

static work_t work;

/* Adds an item with the values of fill_item. */
FIXTURE void add_item(batch_item_kind_e kind, const char *key, ...)
{
    va_list pairs;

    va_start(pairs, key);
    fill_item(&work.items[work.count++], kind, key, pairs);
    va_end(pairs);
}

FIXTURE apr_status_t merge_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_row_scope_t scope = {&resource, organization, NULL, "alice-id", tell_keys};
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(batch_row_outcome_t) * MOST);
    batch_rows_t rows = {.scope = &scope,
                         .items = work.items,
                         .count = work.count,
                         .deadline = work.patience ? apr_time_now() + work.patience : APR_INT64_MAX,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv = batch_tx_rows_merge(tx, &rows);
    int i;

    (void)baton;
    work.done = rows.done;
    work.runs++;
    work.message = "";
    work.prepared = (int)apr_hash_count(tx->connection->by_text);
    for (i = 0; rv == APR_SUCCESS && i < work.done; i++) {
        work.results[i] = outcomes[i].result;
        work.told[i] = apr_pstrdup(pool, outcomes[i].key);
        if (outcomes[i].message) {
            work.message = apr_pstrdup(pool, outcomes[i].message);
        }
    }
    return rv;
}

/* What became of the items: A(pplied), N(ot found), R(efused), C(reated), M(any). */
FIXTURE const char *letters(void)
{
    char *text = apr_pcalloc(pool, MOST + 1);
    apr_status_t rv;
    int i;

    work.runs = 0;
    rv = batch_store_write(store, merge_body, NULL, &err, pool);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "status %d: %s", rv, err.message);
    }
    for (i = 0; i < work.done; i++) {
        text[i] = "ANRCM"[work.results[i]];
    }
    work.count = 0;
    return text;
}

/* The same in short: how many of each. */
FIXTURE const char *tally(void)
{
    const char *text = letters();
    int counts[128] = {0};

    if (strchr(text, ' ')) {
        return text;
    }
    for (; *text; text++) {
        counts[(unsigned char)*text & 127]++;
    }
    return apr_psprintf(pool, "A%d N%d R%d C%d M%d", counts['A'], counts['N'], counts['R'],
                        counts['C'], counts['M']);
}

/* Items found by match, a column each; that of one may be refused. */
FIXTURE void add_many(int count, int bad)
{
    int i;

    for (i = 0; i < count; i++) {
        /* In an order of its own, which is not that of the keys. */
        int place = (i * 7919) % count;

        add_item(BATCH_ITEM_MATCH, id_of(10000 + place), apr_psprintf(pool, "code=m%05d", place),
                 place == bad ? "count=-1" : "count=1", NULL);
    }
}

/* ---- Others ------------------------------------------------------------------------------------
 */

/* Commits once somebody waits for it. */
FIXTURE void *APR_THREAD_FUNC commit_when_waited_for(apr_thread_t *thread, void *data)
{
    PGconn *watch = connect_pgsql(path);
    int waited = 0;

    (void)thread;
    while (!waited) {
        PGresult *result = PQexec(watch, "SELECT count(*) FROM pg_locks WHERE NOT granted AND "
                                         "locktype = 'transactionid'");
        waited = PQntuples(result) != 1 || atoi(PQgetvalue(result, 0, 0)) > 0;
        PQclear(result);
    }
    PQclear(PQexec(data, "COMMIT"));
    PQfinish(watch);
    return NULL;
}

FIXTURE const char *merge_beside(const char *sql)
{
    apr_thread_t *thread;
    apr_status_t ignored;
    const char *text;
    holder_t holder = {0};

    hold(&holder, apr_pstrcat(pool, "BEGIN; ", sql, NULL));
    apr_thread_create(&thread, NULL, commit_when_waited_for, holder.connection, pool);
    text = letters();
    apr_thread_join(&ignored, thread);
    let_go_of(&holder);
    return text;
}

/* ---- The program --------------------------------------------------------------------------------
 */

/* As fixture_begin_on_pgsql, with the resource and a store. */
FIXTURE int begin_matched(int *code, int argc, char **argv)
{
    if (!fixture_begin_on_pgsql(code, argc, argv)) {
        return 0;
    }
    make_resource();
    store = open_store(path, 3000);
    batch_store_migrate(store, &err, pool);
    return 1;
}

#endif

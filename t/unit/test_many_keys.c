/* Looks at the rows of many keys, and deletes of many, as large batches make them. */
/* needs: database */
#include "store_resource.h"

#define KEYS 400

static batch_item_t items[KEYS];
static int item_count;

static void make_resource(void)
{
    memset(&resource, 0, sizeof(resource));
    resource.name = "many";
    resource.table = "many";
    resource.actions = 1u << BATCH_ACTION_DELETE;
    resource.key = "id";
    resource.scope = "org";
    resource.keys = BATCH_KEYS_CLIENT;
    resource.match = apr_array_make(pool, 1, sizeof(const char *));
    resource.columns = apr_array_make(pool, 1, sizeof(batch_column_t));
    add_column("name", BATCH_TYPE_TEXT);
}

/* The key of a number, so that the order of keys is another one than that of numbers. */
static const char *key_of(int number)
{
    return apr_psprintf(pool, "%08x-0000-4000-8000-%012x", number * 7919 % 1009, number);
}

/* A table of that key with the rows 0 to KEYS - 1 of acme. */
static void make_table(const char *key, const char *more)
{
    const char *all = "";
    int i;

    native(path, by_driver("DROP TABLE IF EXISTS many", "DROP TABLE IF EXISTS many CASCADE"));
    native(path,
           apr_psprintf(pool, "CREATE TABLE many (id %s %s, org text, name text, parent %s%s)",
                        by_driver("text", "uuid"), key, by_driver("text", "uuid"), more));
    for (i = 0; i < KEYS; i++) {
        all = apr_psprintf(pool, "%s%s('%s', 'acme')", all, i ? ", " : "", key_of(i));
    }
    native(path, apr_pstrcat(pool, "INSERT INTO many (id, org) VALUES ", all, NULL));
}

static void take(const char *key)
{
    memset(&items[item_count], 0, sizeof(items[item_count]));
    items[item_count].kind = BATCH_ITEM_KEY;
    items[item_count].key = key;
    items[item_count++].key_length = strlen(key);
}

/* The items from one number to another, upwards or downwards. */
static void take_all(int from, int to)
{
    int step = from < to ? 1 : -1;

    for (item_count = 0; from != to + step; from += step) {
        take(key_of(from));
    }
}

/* ---- Looks --------------------------------------------------------------------------------------
 */

static int found[KEYS];
static int wrong; /* keys that are not told as they are */

static apr_status_t look_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_row_scope_t scope = {&resource, "acme", NULL, NULL, 0};
    batch_row_look_t *looks = apr_palloc(ptemp, KEYS * sizeof(*looks));
    batch_rows_t rows = {
        .scope = &scope, .items = items, .count = item_count, .looks = looks, .p = ptemp};
    apr_status_t rv = batch_tx_rows_look(tx, &rows);
    int i;

    (void)baton;
    wrong = 0;
    for (i = 0; rv == APR_SUCCESS && i < item_count; i++) {
        found[i] = looks[i].found;
        wrong += looks[i].found == 1 && strcmp(looks[i].key, items[i].key) != 0;
    }
    return rv;
}

/* How many items have found so many rows. */
static int look(int rows)
{
    int count = 0;
    int i;

    if (batch_store_read(store, look_body, NULL, &err, pool) != APR_SUCCESS) {
        return -1;
    }
    for (i = 0; i < item_count; i++) {
        count += found[i] == rows;
    }
    return count;
}

static void test_looks(void)
{
    make_table("PRIMARY KEY", "");
    take_all(KEYS - 1, 0);
    is_number(look(1), KEYS, "all rows of many keys are found");
    is_number(wrong, 0, "each under its key");
    native(path, apr_psprintf(pool, "DELETE FROM many WHERE id = '%s'", key_of(70)));
    native(path, apr_psprintf(pool, "UPDATE many SET org = 'globex' WHERE id = '%s'", key_of(71)));
    is_number(look(1), KEYS - 2, "but one that is gone, and one of another organization");
    is_number(found[KEYS - 1 - 70] + found[KEYS - 1 - 71], 0, "which are told from the others");
    is_number(wrong, 0, "and those are who they are");
    take_all(100, 299);
    items[100].key = items[7].key;
    is_number(look(1), 200, "a key that is asked for twice is found twice");
    is_number(wrong, 0, "with itself");
}

/* As many rows as keys does not say that each key has its row. */
static void test_rows_of_one_key(void)
{
    make_table("", "");
    native(path, by_driver("CREATE INDEX many_id ON many (id)", "CREATE INDEX ON many (id)"));
    native(path,
           apr_psprintf(pool, "UPDATE many SET id = '%s' WHERE id = '%s'", key_of(4), key_of(5)));
    take_all(0, KEYS - 1);
    is_number(look(1), KEYS - 2, "keys with one row");
    is_number(found[4], 2, "one with two");
    is_number(found[5], 0, "and one with none, which are as many as there are keys");
    if (is_pgsql()) {
        make_table("PRIMARY KEY", "");
        native(path, "CREATE TABLE many_more (PRIMARY KEY (id)) INHERITS (many)");
        native(path, apr_psprintf(pool,
                                  "DELETE FROM many WHERE id = '%s'; INSERT INTO many_more (id, "
                                  "org) VALUES ('%s', 'acme')",
                                  key_of(5), key_of(4)));
        is_number(look(1), KEYS - 2, "the same where the other row is in a table that inherits");
        is_number(found[4] * 10 + found[5], 20, "and the same two");
    }
}

/* ---- Deletes ------------------------------------------------------------------------------------
 */

static batch_row_result_e results[KEYS];
static int done;

static apr_status_t delete_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    const apr_time_t *deadline = baton;
    batch_row_scope_t scope = {&resource, "acme", NULL, NULL, 0};
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, KEYS * sizeof(*outcomes));
    batch_rows_t rows = {.scope = &scope,
                         .items = items,
                         .count = item_count,
                         .deadline = *deadline,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv = batch_tx_rows_delete(tx, &rows);
    int i;

    done = rows.done;
    for (i = 0; i < done; i++) {
        results[i] = outcomes[i].result;
    }
    return rv;
}

/* How many of the items have become that, by one call with that deadline. */
static int delete_until(apr_time_t deadline, batch_row_result_e result)
{
    int count = 0;
    int i;

    if (batch_store_write(store, delete_body, &deadline, &err, pool) != APR_SUCCESS) {
        return -1;
    }
    for (i = 0; i < done; i++) {
        count += results[i] == result;
    }
    return count;
}

static long long rows_left(void)
{
    return number("SELECT count(*) FROM many");
}

static void test_deletes(void)
{
    int applied;

    make_table("PRIMARY KEY", "");
    native(path, apr_psprintf(pool, "DELETE FROM many WHERE id = '%s'", key_of(33)));
    take_all(0, 299);
    is_number(delete_until(APR_INT64_MAX, BATCH_ROW_APPLIED), 299, "many rows are deleted");
    is_number(done, 300, "in one call");
    is_number(results[33], BATCH_ROW_NOT_FOUND, "which says who was not there");
    is_number(rows_left(), KEYS - 300, "the others stay");
    take_all(300, KEYS - 1);
    applied = delete_until(1, BATCH_ROW_APPLIED);
    ok(applied > 0 && applied < 100, "past its deadline it deletes some, but not all");
    is_number(applied, done, "as it says");
    is_number(rows_left(), 100 - done, "and no others than it says");
    is_number(
        number(apr_psprintf(pool, "SELECT count(*) FROM many WHERE id = '%s'", key_of(300 + done))),
        1, "which are the first ones");
}

/* What a row says may depend on which rows are still there. */
static void test_order(void)
{
    int i;

    make_table("PRIMARY KEY", " REFERENCES many (id)");
    for (i = 1; i < 100; i++) {
        native(path, apr_psprintf(pool, "UPDATE many SET parent = '%s' WHERE id = '%s'",
                                  key_of(i - 1), key_of(i)));
    }
    take_all(99, 0);
    is_number(delete_until(APR_INT64_MAX, BATCH_ROW_APPLIED), 100,
              "rows that need each other are deleted from their end");
    if (is_pgsql()) {
        return;
    }
    make_table("PRIMARY KEY", "");
    native(path, "CREATE TABLE gone (id text); CREATE TRIGGER note AFTER DELETE ON many BEGIN"
                 " INSERT INTO gone VALUES (old.id); END");
    take_all(99, 0);
    is_number(delete_until(APR_INT64_MAX, BATCH_ROW_APPLIED), 100, "with a trigger");
    is_number(number(apr_psprintf(pool, "SELECT rowid FROM gone WHERE id = '%s'", key_of(0))), 100,
              "they are deleted in their order");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    make_resource();
    store = open_store(path, 5000);
    is_number(batch_store_migrate(store, &err, pool), APR_SUCCESS, "the store is there");
    test_looks();
    test_rows_of_one_key();
    test_deletes();
    test_order();
    batch_store_destroy(store);
    return fixture_end();
}

/*
 * SQLite: where several items were new the next one's row is offered at once, and what becomes of
 * it is the same as by an UPDATE and then an INSERT.
 */
/* needs: sqlite3 */
#include "store_sqlite3.h"

#include <sqlite3.h>

#include "columns.h"
#include "store/tx.h"

/* Items of a merge: each one a letter, which is its key and says what its text is. */
struct merge {
    const batch_resource_t *resource;
    const char *letters;
    int offered; /* 1 if some statement offers rows */
    char outcomes[64];
    const char *message; /* of the last one that is refused */
};

static int offers(const batch_tx_t *tx)
{
    sqlite3_stmt *statement = NULL;

    while ((statement = sqlite3_next_stmt(tx->connection->native, statement))) {
        if (strstr(sqlite3_sql(statement), "DO NOTHING")) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t merge_rows(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct merge *merge = baton;
    batch_row_scope_t scope = {.resource = merge->resource, .organization = "acme"};
    int count = (int)strlen(merge->letters);
    batch_item_t *items = apr_pcalloc(ptemp, (apr_size_t)count * sizeof(*items));
    batch_value_t *values = apr_pcalloc(ptemp, (apr_size_t)count * sizeof(*values));
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, (apr_size_t)count * sizeof(*outcomes));
    batch_rows_t rows = {.scope = &scope,
                         .items = items,
                         .count = count,
                         .deadline = APR_INT64_MAX,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv;
    int i;

    for (i = 0; i < count; i++) {
        values[i].name = "text";
        values[i].value = apr_psprintf(ptemp, "new %c", merge->letters[i]);
        values[i].kind = BATCH_KIND_STRING;
        items[i].kind = BATCH_ITEM_KEY;
        items[i].key = apr_pstrmemdup(ptemp, merge->letters + i, 1);
        items[i].key_length = 1;
        items[i].values = &values[i];
        items[i].value_count = 1;
    }
    rv = batch_tx_rows_merge(tx, &rows);
    merge->message = NULL;
    for (i = 0; i < count; i++) {
        merge->outcomes[i] = outcomes[i].result == BATCH_ROW_CREATED   ? 'c'
                             : outcomes[i].result == BATCH_ROW_APPLIED ? 'u'
                                                                       : '-';
        if (outcomes[i].result == BATCH_ROW_REFUSED) {
            merge->message = apr_pstrdup(pool, outcomes[i].message);
        }
    }
    merge->outcomes[count] = '\0';
    merge->offered = offers(tx);
    return rv;
}

/* Merges into a table that is made so and has rows a, b and c, of which c is another's. */
static void merge_into(struct merge *merge, const char *definition, const char *letters)
{
    static batch_resource_t resource;

    fresh();
    native(path, apr_pstrcat(pool, "CREATE TABLE texts ", definition, NULL));
    native(path, "INSERT INTO texts (id, owner, text) VALUES ('a', 'acme', 'old a'),"
                 " ('b', 'acme', 'old b'), ('c', 'globex', 'old c')");
    if (!resource.name) {
        resource.name = "text";
        resource.table = "texts";
        resource.key = "id";
        resource.scope = "owner";
        resource.keys = BATCH_KEYS_CLIENT;
        resource.match = apr_array_make(pool, 1, sizeof(const char *));
        resource.columns = apr_array_make(pool, 1, sizeof(batch_column_t));
        push_column(resource.columns, "text", BATCH_TYPE_TEXT);
    }
    merge->resource = &resource;
    merge->letters = letters;
    is_number(batch_store_write(store, merge_rows, merge, &err, pool), APR_SUCCESS,
              "items are merged");
}

static int changed(void)
{
    return (int)number("SELECT count(*) FROM texts WHERE text = 'new ' || id");
}

static void test_plain(void)
{
    struct merge merge = {0};

    merge_into(&merge, "(id TEXT PRIMARY KEY, owner TEXT, text TEXT)", "xyazuvbwqr");
    is_string(merge.outcomes, "ccucccuccc", "rows are made and changed, whatever comes when");
    ok(merge.offered, "and offered where several before were new");
    is_number(changed(), 10, "each has its item's value");
    is_number(number("SELECT count(*) FROM texts"), 11, "no other row was made");
    merge_into(&merge, "(id TEXT PRIMARY KEY, owner TEXT, text TEXT)", "xyzcwqrsc");
    is_string(merge.outcomes, "ccc-cccc-", "another organization's key is refused");
    is_string(merge.message, "UNIQUE constraint failed: texts.id", "in the usual words");
    is_number(number("SELECT count(*) FROM texts WHERE owner = 'globex' AND text = 'old c'"), 1,
              "its row stays as it is");
}

static void test_refused(void)
{
    struct merge merge = {0};

    merge_into(
        &merge,
        "(id TEXT PRIMARY KEY, owner TEXT, text TEXT CHECK (text NOT IN ('new w', 'new b')))",
        "xyzwquvb");
    is_string(merge.outcomes, "ccc-ccc-", "what a CHECK refuses is refused, offered or not");
    ok(merge.message && strstr(merge.message, "CHECK constraint failed"), "in the usual words");
    merge_into(&merge,
               "(id TEXT PRIMARY KEY, owner TEXT, text TEXT, must TEXT NOT NULL DEFAULT 'x',"
               " UNIQUE (text, must))",
               "xyzabuvq");
    is_string(merge.outcomes, "cccuuccc", "another unique index is no obstacle");
    merge_into(&merge,
               "(id TEXT PRIMARY KEY, owner TEXT, text TEXT, two TEXT GENERATED ALWAYS AS"
               " (iif(text IN ('new w', 'new q'), 'same', text)) VIRTUAL UNIQUE)",
               "xyzwqa");
    is_string(merge.outcomes, "cccc-u", "a value that another row has is refused");
    is_string(merge.message, "UNIQUE constraint failed: texts.two", "in the usual words");
}

/* Where it could tell: a trigger sees a row that is not made, numbers are used up, … */
static void test_not_offered(void)
{
    static const char *const definitions[] = {
        "(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, owner TEXT, text TEXT)",
        "(id TEXT PRIMARY KEY ON CONFLICT REPLACE, owner TEXT, text TEXT)",
        "(id TEXT COLLATE NOCASE PRIMARY KEY, owner TEXT, text TEXT)",
        "(id TEXT, owner TEXT, text TEXT, PRIMARY KEY (owner, id))",
        "(id TEXT, owner TEXT, text TEXT); CREATE UNIQUE INDEX part ON texts (id) WHERE owner <> "
        "''",
        "(id TEXT PRIMARY KEY, owner TEXT, text TEXT); CREATE TABLE log (id TEXT);"
        " CREATE TRIGGER note BEFORE INSERT ON texts BEGIN INSERT INTO log VALUES (new.id); END"};
    struct merge merge = {0};
    apr_size_t i;

    for (i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++) {
        merge_into(&merge, definitions[i], "xyzuabvw");
        is_string(merge.outcomes, "ccccuucc", "rows are made and changed");
        ok(!merge.offered, "but none is offered: %s", definitions[i]);
        is_number(changed(), 8, "each has its item's value");
    }
    is_number(number("SELECT count(*) FROM log"), 9,
              "the trigger has seen the rows that were made");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_sqlite3(&code, argc, argv)) {
        return code;
    }
    test_plain();
    test_refused();
    test_not_offered();
    batch_store_destroy(store);
    return fixture_end();
}

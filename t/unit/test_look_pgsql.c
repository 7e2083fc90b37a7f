/* PostgreSQL: looks and walks over keys and columns of its types. */
/* needs: pgsql */
#include "store_resource.h"

static void add_immutable(const char *name, batch_type_e type)
{
    add_column(name, type)->immutable = 1;
}

static void make_resource(void)
{
    memset(&resource, 0, sizeof(resource));
    resource.name = "typed";
    resource.table = "Typed";
    resource.key = "Id";
    resource.scope = "org";
    resource.match = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(resource.match, const char *) = "code";
    resource.columns = apr_array_make(pool, 8, sizeof(batch_column_t));
    add_column("code", BATCH_TYPE_INTEGER);
    add_immutable("count", BATCH_TYPE_INTEGER);
    add_immutable("size", BATCH_TYPE_NUMBER);
    add_immutable("flag", BATCH_TYPE_BOOLEAN);
    add_immutable("at", BATCH_TYPE_TIMESTAMP);
    add_immutable("extra", BATCH_TYPE_JSON);
    add_immutable("plain", BATCH_TYPE_JSON);
    add_immutable("name", BATCH_TYPE_TEXT);
}

static void make_typed(const char *id, const char *more)
{
    native(path, apr_psprintf(pool,
                              "DROP TABLE IF EXISTS \"Typed\"; CREATE TABLE \"Typed\" (\"Id\" %s, "
                              "org bigint, code integer, count integer, size numeric, flag "
                              "smallint, at timestamptz, extra jsonb, plain json, name char(5)%s)",
                              id, more));
}

/* ---- Looks -------------------------------------------------------------------------------------
 */

#define MOST 64

static batch_item_t items[MOST];
static int item_count;
static char seen[2000];

/* Adds an item with the values of fill_item. */
static void add_item(const char *key, ...)
{
    va_list pairs;

    va_start(pairs, key);
    fill_item(&items[item_count++], key ? BATCH_ITEM_KEY : BATCH_ITEM_MATCH, key, pairs);
    va_end(pairs);
}

static apr_status_t look_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    const char *organization = baton;
    batch_row_scope_t scope = {&resource, organization, NULL, NULL, 0};
    batch_row_look_t looks[MOST];
    batch_rows_t rows = {
        .scope = &scope, .items = items, .count = item_count, .looks = looks, .p = ptemp};
    apr_status_t rv = batch_tx_rows_look(tx, &rows);
    int i;

    seen[0] = '\0';
    for (i = 0; rv == APR_SUCCESS && i < item_count; i++) {
        apr_snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%d %s %s", i ? "; " : "",
                     looks[i].found, looks[i].key ? looks[i].key : "-",
                     looks[i].immutable ? looks[i].immutable : "-");
    }
    return rv;
}

static const char *look(const char *organization)
{
    apr_status_t rv =
        batch_store_read(store, look_body, apr_pstrdup(pool, organization), &err, pool);

    item_count = 0;
    return rv == APR_SUCCESS ? seen : apr_psprintf(pool, "status %d: %s", rv, err.message);
}

#define ID1   "0a000000-0000-4000-8000-000000000001"
#define UPPER "0A000000-0000-4000-8000-000000000001"

static void test_look(void)
{
    make_typed("uuid PRIMARY KEY", "");
    native(path,
           "INSERT INTO \"Typed\" VALUES ('" ID1 "', 7, 1, 5, 1.50, 1, '2024-02-29 12:00+00', "
           "'{\"a\": [1, 2], \"b\": null}', '{\"a\":1}', 'x'); INSERT INTO \"Typed\" (\"Id\", org, "
           "code) VALUES (gen_random_uuid(), 7, 2), "
           "(gen_random_uuid(), 7, 2), (gen_random_uuid(), 8, 3)");
    add_item(UPPER, "count=5", "size=1.5", "flag=true", "at=2024-02-29T13:00:00+01:00",
             "extra={\"b\":null,\"a\":[1,2]}", "plain={ \"a\": 1 }", "name=x", NULL);
    add_item(UPPER, "size=1.51", NULL);
    add_item(UPPER, "flag=false", NULL);
    add_item(UPPER, "at=2024-02-29T12:00:00+01:00", NULL);
    add_item(UPPER, "extra={\"a\":[2,1]}", NULL);
    add_item(UPPER, "plain={}", NULL);
    add_item(UPPER, "name=X", NULL);
    is_string(look("7"),
              "1 " ID1 " -; 1 " ID1 " size; 1 " ID1 " flag; 1 " ID1 " at; 1 " ID1 " extra; 1 " ID1
              " plain; 1 " ID1 " name",
              "values are compared as their columns' types do");
    add_item("no uuid", NULL);
    add_item(NULL, "code=1", "count=5", NULL);
    add_item(NULL, "code=2", NULL);
    add_item(NULL, "code=3", NULL);
    add_item(NULL, "code=x", NULL);
    add_item(NULL, "code=99999999999", "count=1", NULL);
    add_item(NULL, "code", NULL);
    add_item(UPPER, "count=99999999999", NULL);
    add_item(UPPER, "count=5", "at=soon", NULL);
    add_item(UPPER, "count=6", "at=soon", NULL);
    is_string(look("7"),
              "0 - -; 1 " ID1 " -; 2 - -; 0 - -; 0 - -; 0 - -; 0 - -; 1 " ID1 " count; 1 " ID1
              " at; 1 " ID1 " count",
              "a value that is none of its column's type finds nothing, or is a change");
    add_item(UPPER, NULL);
    is_string(look("9"), "0 - -", "another organization");
    add_item(UPPER, NULL);
    is_string(look("acme"), "0 - -", "one that no row can be of");
    make_typed("bigint PRIMARY KEY", "");
    native(path, "INSERT INTO \"Typed\" (\"Id\", org, code) VALUES (12, 7, 1)");
    add_item("12", NULL);
    add_item("012", NULL);
    add_item(NULL, "code=1", NULL);
    is_string(look("7"), "1 12 -; 1 12 -; 1 12 -", "a table made anew with keys of another type");
    is_number(number("SELECT count(*) FROM \"Typed\""), 1, "nothing is changed");
}

#define ID2 "0a000000-0000-4000-8000-000000000002"
#define ID3 "0a000000-0000-4000-8000-000000000003"

/* Keys and nothing else, which are asked for along the index, if their rows tell them apart. */
static void test_keys(void)
{
    make_typed("uuid PRIMARY KEY", "");
    native(path, "INSERT INTO \"Typed\" (\"Id\", org) VALUES ('" ID1 "', 7), ('" ID2 "', 7), ('" ID3
                 "', 8)");
    add_item(ID3, NULL);
    add_item(ID2, NULL);
    add_item("0a000000-0000-4000-8000-000000000009", NULL);
    add_item(ID1, NULL);
    is_string(look("7"), "0 - -; 1 " ID2 " -; 0 - -; 1 " ID1 " -", "each has its own row");
    add_item(ID1, NULL);
    add_item(ID2, NULL);
    add_item(ID1, NULL);
    is_string(look("7"), "1 " ID1 " -; 1 " ID2 " -; 1 " ID1 " -", "a key that is there twice");
    add_item(ID1, NULL);
    add_item(UPPER, NULL);
    is_string(look("7"), "1 " ID1 " -; 1 " ID1 " -", "and in two spellings");
    make_typed("bigint", "");
    native(path, "CREATE INDEX ON \"Typed\" (\"Id\"); INSERT INTO \"Typed\" (\"Id\", org) VALUES "
                 "(-5, 7), (6, 7), (7, 8), (8, 7), (8, 7)");
    add_item("8", NULL);
    add_item("-5", NULL);
    add_item("7", NULL);
    is_string(look("7"), "2 - -; 1 -5 -; 0 - -", "a key that two rows have");
    native(path, "INSERT INTO \"Typed\" (\"Id\", org) SELECT 6, 7 FROM generate_series(1, 500)");
    add_item("6", NULL);
    add_item("-5", NULL);
    is_string(look("7"), "101 - -; 1 -5 -", "one that very many have");
    native(path, "ALTER TABLE \"Typed\" ALTER \"Id\" TYPE text");
    add_item("-5", NULL);
    add_item("7", NULL);
    is_string(look("7"), "1 -5 -; 0 - -", "a column that is a text now");
}

/* ---- Walks -------------------------------------------------------------------------------------
 */

typedef struct walk {
    const char *after;
    int limit;
    int count;
    char keys[300];
} walk_t;

static apr_status_t note_key(void *baton, const char *key)
{
    walk_t *walk = baton;

    walk->count++;
    apr_snprintf(walk->keys + strlen(walk->keys), sizeof(walk->keys) - strlen(walk->keys), "%s%s",
                 *walk->keys ? "," : "", key);
    return APR_SUCCESS;
}

static apr_status_t walk_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_row_scope_t scope = {&resource, "7", NULL, NULL, 0};
    walk_t *walk = baton;
    batch_key_walk_t step = {.scope = &scope,
                             .after = walk->after,
                             .limit = walk->limit,
                             .fn = note_key,
                             .baton = walk,
                             .p = pool};
    apr_status_t rv;

    (void)ptemp;
    rv = batch_tx_keys_walk(tx, &step);
    walk->after = step.after;
    return rv;
}

static const char *walk_all(int *calls, int limit)
{
    walk_t walk = {.limit = limit};
    apr_status_t rv;

    *calls = 0;
    do {
        (*calls)++;
        rv = batch_store_read(store, walk_body, &walk, &err, pool);
    } while (rv == APR_SUCCESS && walk.after && *calls < 10000);
    return rv == APR_SUCCESS ? apr_pstrdup(pool, walk.keys)
                             : apr_psprintf(pool, "status %d: %s", rv, err.message);
}

static void test_walk_types(void)
{
    static const struct {
        const char *type, *keys, *expected;
    } kinds[] = {
        {"bigint", "(9), (10), (-1)", "-1,9,10"},
        {"numeric", "('9.50'), ('10'), ('1e2')", "9.50,10,100"},
        {"uuid", "('" UPPER "'), ('0a000000-0000-4000-8000-000000000000')",
         "0a000000-0000-4000-8000-000000000000," ID1},
        {"date", "('2024-02-29'), ('2023-12-31')", "2023-12-31,2024-02-29"},
        {"timestamptz", "('2024-02-29T13:00:00.25+01:00')", "2024-02-29 12:00:00.25+00"},
        {"char(4)", "('b'), ('a'), ('ab')", "a,ab,b"},
        {"varchar(9)", "('B'), ('a'), ('\"{,')", "\"{,,B,a"},
    };
    apr_size_t i;
    int calls;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        make_typed(apr_pstrcat(pool, kinds[i].type, " PRIMARY KEY", NULL), "");
        native(path, apr_psprintf(pool,
                                  "INSERT INTO \"Typed\" (\"Id\") VALUES %s; UPDATE \"Typed\" SET "
                                  "org = 7",
                                  kinds[i].keys));
        is_string(walk_all(&calls, 1), kinds[i].expected,
                  apr_psprintf(pool, "keys of type %s, one at a time", kinds[i].type));
        is_string(walk_all(&calls, 100), kinds[i].expected, "and all at once");
    }
}

static void test_walk_far(void)
{
    int calls;

    make_typed("bigint PRIMARY KEY", "");
    native(path,
           "INSERT INTO \"Typed\" (\"Id\", org) SELECT i, CASE WHEN i % 7000 = 0 THEN 7 ELSE 8 "
           "END FROM generate_series(1, 21000) AS n (i)");
    is_string(walk_all(&calls, 10), "7000,14000,21000", "few rows among many of others");
    ok(calls >= 21 && calls <= 23, "are found in pieces of the table: %d", calls);
    native(path, "CREATE INDEX ON \"Typed\" (org, \"Id\")");
    is_string(walk_all(&calls, 10), "7000,14000,21000", "with an index that has them together");
    is_number(calls, 1, "there is only one piece");
    native(path, "DROP INDEX \"Typed_org_Id_idx\"");
    is_string(walk_all(&calls, 10), "7000,14000,21000", "and without it again");
    ok(calls >= 21, "there are many: %d", calls);
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_pgsql(&code, argc, argv)) {
        return code;
    }
    make_resource();
    store = open_store(path, 3000);
    batch_store_migrate(store, &err, pool);
    test_look();
    test_keys();
    test_walk_types();
    test_walk_far();
    batch_store_destroy(store);
    return fixture_end();
}

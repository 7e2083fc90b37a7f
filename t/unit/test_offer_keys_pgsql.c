/*
 * PostgreSQL: sets of items with keys that clients make, which are offered as new rows where that
 * comes to the same as a look, an UPDATE and an INSERT. A CHECK that counts how often it is asked
 * tells whether they were: it is asked about the offered row, and about the row as it is changed.
 */
/* needs: pgsql */
#include "pgsql_matched.h"

#include <ctype.h>

#define COUNT    20

#define ID_MOVED "0b000000-0000-4000-8000-000000000001"

static void make_keyed(const char *scope, const char *id, const char *more)
{
    make_resource();
    resource.keys = BATCH_KEYS_CLIENT;
    resource.scope = scope;
    resource.match = NULL;
    native(path, "CREATE SEQUENCE IF NOT EXISTS checks; CREATE OR REPLACE FUNCTION told() RETURNS "
                 "boolean LANGUAGE sql AS $$ SELECT nextval('checks') > 0 $$");
    make_matched(id, "text", apr_pstrcat(pool, ", CHECK (told())", more, NULL));
}

static const char *upper(const char *text)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;

    for (at = copy; *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return copy;
}

static void add_keys(int count, const char *value)
{
    int i;

    for (i = 0; i < count; i++) {
        /* In an order of its own, which is not that of the keys. */
        add_item(BATCH_ITEM_KEY, id_of((i * 7919) % count), "code=c", value, NULL);
    }
}

/* How many of these items, whose rows are there, were offered. */
static long long offered(const char *items)
{
    const char *said;

    native(path, "ALTER SEQUENCE checks RESTART");
    said = tally();
    if (strcmp(said, items) != 0) {
        printf("# %s\n", said);
        return -1;
    }
    return number("SELECT last_value FROM checks") - COUNT;
}

/* ---- Where it is done --------------------------------------------------------------------------
 */

#define OWN                                                                                        \
    "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; "      \
    "CREATE TRIGGER own BEFORE "

static const struct {
    const char *what;
    int offers;
    const char *scope;
    const char *id;
    const char *columns; /* of the table, or constraints */
    const char *more;    /* what is done to it */
} tables[] = {
    {"the key", 1, NULL, "uuid PRIMARY KEY", "", NULL},
    {"a text", 1, NULL, "text PRIMARY KEY", "", NULL},
    {"scope and key", 1, "org", "uuid", ", PRIMARY KEY (org, \"Id\")", NULL},
    {"key and scope", 1, "org", "uuid", ", UNIQUE (\"Id\", org)", NULL},
    {"a constant default", 1, NULL, "uuid PRIMARY KEY", ", a timestamptz DEFAULT now()", NULL},
    {"a trigger for changes", 1, NULL, "uuid PRIMARY KEY", "",
     OWN "UPDATE ON \"Matched\" FOR EACH ROW EXECUTE FUNCTION own()"},
    {"the key alone, of a scope", 0, "org", "uuid PRIMARY KEY", "", NULL},
    {"one that may wait", 0, NULL, "uuid PRIMARY KEY DEFERRABLE", "", NULL},
    {"some rows", 0, NULL, "uuid", "",
     "CREATE UNIQUE INDEX ON \"Matched\" (\"Id\") WHERE count = 1"},
    {"an expression", 0, NULL, "text", "",
     "CREATE UNIQUE INDEX ON \"Matched\" (lower(\"Id\")); CREATE INDEX ON \"Matched\" (\"Id\")"},
    {"more columns", 0, NULL, "uuid", ", UNIQUE (\"Id\", code)", NULL},
    {"other operators", 0, NULL, "text", "",
     "CREATE UNIQUE INDEX ON \"Matched\" (\"Id\" text_pattern_ops)"},
    {"a character(n)", 0, NULL, "char(36) PRIMARY KEY", "", NULL},
    {"a name", 0, NULL, "name PRIMARY KEY", "", NULL},
    {"a sequence", 0, NULL, "uuid PRIMARY KEY", ", serial bigserial", NULL},
    {"a trigger for new rows", 0, NULL, "uuid PRIMARY KEY", "",
     OWN "INSERT ON \"Matched\" FOR EACH ROW EXECUTE FUNCTION own()"},
    {"row security", 0, NULL, "uuid PRIMARY KEY", "",
     "ALTER TABLE \"Matched\" ENABLE ROW LEVEL SECURITY"},
    {"a child", 0, NULL, "uuid PRIMARY KEY", "", "CREATE TABLE child () INHERITS (\"Matched\")"}};

static void test_tables(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        make_keyed(tables[i].scope, tables[i].id, tables[i].columns);
        if (tables[i].more) {
            native(path, tables[i].more);
        }
        add_keys(COUNT, "count=1");
        is_string(tally(), "A0 N0 R0 C20 M0", tables[i].what);
        add_keys(COUNT, "count=2");
        is_number(offered("A20 N0 R0 C0 M0"), tables[i].offers ? COUNT : 0, "is found out");
        is_number(number("SELECT count(*) FROM \"Matched\" WHERE count = 2"), COUNT, "and set");
        native(path, "DROP TABLE IF EXISTS child; DROP FUNCTION IF EXISTS own() CASCADE");
    }
}

/* The table is another while the connection remembers it. */
static void test_changes(void)
{
    make_keyed(NULL, "uuid CONSTRAINT pk PRIMARY KEY", "");
    add_keys(COUNT, "count=1");
    is_string(tally(), "A0 N0 R0 C20 M0", "rows");
    add_keys(COUNT, "count=2");
    is_number(offered("A20 N0 R0 C0 M0"), COUNT, "are offered");
    native(path,
           "ALTER TABLE \"Matched\" DROP CONSTRAINT pk; CREATE INDEX ON \"Matched\" (\"Id\")");
    add_keys(COUNT, "count=3");
    is_number(offered("A20 N0 R0 C0 M0"), 0, "an index that has gone is noticed");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE count = 3"), COUNT, "in time");
    native(path, "ALTER TABLE \"Matched\" ADD PRIMARY KEY (\"Id\")");
    add_keys(COUNT, "count=4");
    is_number(offered("A20 N0 R0 C0 M0"), COUNT, "and one that has come back");
    native(path, "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = "
                 "'own'; RETURN NEW; END $$; CREATE TRIGGER own BEFORE INSERT ON \"Matched\" FOR "
                 "EACH ROW EXECUTE FUNCTION own()");
    add_keys(COUNT, "count=5");
    is_number(offered("A20 N0 R0 C0 M0"), 0, "so is a trigger");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE name = 'own'"), 0,
              "which was called for no row that was there");
    native(path, "DROP FUNCTION own() CASCADE");
}

/* ---- That it comes to the same -----------------------------------------------------------------
 */

static void test_rows(void)
{
    make_keyed(NULL, "uuid PRIMARY KEY", "");
    native(path, "INSERT INTO \"Matched\" (\"Id\", org, name, count) SELECT ('0a000000-0000-4000-"
                 "8000-' || lpad(i::text, 12, '0'))::uuid, 7, 'old', 9 FROM generate_series(0, 18, "
                 "2) AS n (i)");
    native(path, "ALTER SEQUENCE checks RESTART");
    add_keys(COUNT, "count=1");
    is_string(letters(), "ACACACACACACACACACAC", "each item is told what became of it");
    is_number(number("SELECT last_value FROM checks"), 30, "by an offer");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE count = 1"), COUNT, "as sent");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE name = 'old'"), 10,
              "what an item lacks is as it was");
    APR_ARRAY_IDX(resource.columns, 0, batch_column_t).immutable = 1;
    native(path, "UPDATE \"Matched\" SET code = 'first'");
    add_keys(COUNT, "count=2");
    is_string(tally(), "A20 N0 R0 C0 M0", "a column that never changes");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE code = 'first' AND count = 2"), COUNT,
              "does not");
}

/* UUIDs are put in order here, others by the server: each item is told what became of its own. */
static void test_order(const char *id)
{
    make_keyed(NULL, id, "");
    native(path, "INSERT INTO \"Matched\" (\"Id\", count) SELECT ('0a000000-0000-4000-8000-' || "
                 "lpad(i::text, 12, '0'))::uuid, 9 FROM generate_series(0, 9) AS n (i)");
    native(path, "ALTER SEQUENCE checks RESTART");
    add_keys(16, "count=1"); /* no more than a first set has */
    is_string(letters(), "ACCCCCCAAAAAAAAA", id);
    is_number(number("SELECT last_value FROM checks"), 26, "by an offer");
    is_number(number("SELECT count(*) FROM (SELECT \"Id\", lag(\"Id\") OVER (ORDER BY ctid) AS "
                     "before FROM \"Matched\" WHERE count = 1) AS n WHERE \"Id\" < before"),
              0, "rows are taken in the order of their keys");
}

/* Rows of others, which have the same keys. */
static void test_scopes(void)
{
    const char *rows = "INSERT INTO \"Matched\" (\"Id\", org, name) SELECT ('0a000000-0000-4000-"
                       "8000-' || lpad(i::text, 12, '0'))::uuid, 8, 'theirs' FROM "
                       "generate_series(0, 9) AS n (i)";

    make_keyed("org", "uuid", ", PRIMARY KEY (org, \"Id\")");
    native(path, rows);
    add_keys(COUNT, "name=ours");
    is_string(tally(), "A0 N0 R0 C20 M0", "keys of another organization's rows");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE org = 8 AND name = 'theirs'"), 10,
              "are no keys of ours");
    make_keyed("org", "uuid", ", PRIMARY KEY (org, \"Id\"), UNIQUE (\"Id\")");
    native(path, rows);
    add_keys(COUNT, "name=ours");
    is_string(tally(), "A0 N0 R10 C10 M0", "and where a key is there once for all");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE org = 8 AND name = 'theirs'"), 10,
              "their rows are left alone");
}

/* A new row has to meet more than the change of one that is there. */
static void test_partial(void)
{
    make_keyed(NULL, "uuid PRIMARY KEY", ", needed text NOT NULL");
    native(path, "INSERT INTO \"Matched\" (\"Id\", needed) SELECT ('0a000000-0000-4000-8000-' || "
                 "lpad(i::text, 12, '0'))::uuid, 'x' FROM generate_series(0, 19) AS n (i)");
    native(path, "ALTER SEQUENCE statements RESTART");
    add_keys(COUNT, "count=1");
    is_string(tally(), "A20 N0 R0 C0 M0", "items that lack a column that a row must have");
    ok(statements() <= 8, "not one by one: in %lld statements", statements());
    add_item(BATCH_ITEM_KEY, id_of(3), "count=2", NULL);
    add_item(BATCH_ITEM_KEY, id_of(30), "count=2", NULL);
    is_string(letters(), "AR", "and one whose row is not there");
    ok(strstr(work.message, "null value in column \"needed\""), "%s", work.message);
}

/* ---- Keys --------------------------------------------------------------------------------------
 */

static void test_spellings(void)
{
    const char *small = "0a000000-0000-4000-8000-00000000000f";

    make_keyed(NULL, "uuid PRIMARY KEY", "");
    add_item(BATCH_ITEM_KEY, upper(small), "name=a", NULL);
    add_item(BATCH_ITEM_KEY, id_of(1), "name=b", NULL);
    is_string(letters(), "CC", "a UUID in capitals");
    add_item(BATCH_ITEM_KEY, small, "name=c", NULL);
    add_item(BATCH_ITEM_KEY, id_of(2), "name=d", NULL);
    is_string(letters(), "AC", "is the same one");
    add_item(BATCH_ITEM_KEY, upper(small), "name=e", NULL);
    add_item(BATCH_ITEM_KEY, small, "name=f", NULL);
    is_string(letters(), "AA", "also in one set");
    is_string(native(path, "SELECT name FROM \"Matched\" WHERE \"Id\"::text LIKE '%f'"), "f",
              "in their order");
    make_keyed(NULL, "integer PRIMARY KEY", "");
    add_item(BATCH_ITEM_KEY, "-7", "name=a", NULL);
    add_item(BATCH_ITEM_KEY, "2147483647", "name=b", NULL);
    add_item(BATCH_ITEM_KEY, "10", "name=c", NULL);
    is_string(letters(), "CCC", "integers");
    add_item(BATCH_ITEM_KEY, "007", "name=d", NULL);
    add_item(BATCH_ITEM_KEY, "7", "name=e", NULL);
    add_item(BATCH_ITEM_KEY, "10", "name=f", NULL);
    is_string(letters(), "CAA", "one of them in two ways");
    is_string(native(path, "SELECT string_agg(\"Id\" || name, ' ' ORDER BY \"Id\") FROM "
                           "\"Matched\""),
              "-7a 7e 10f 2147483647b", "each is its row's");
    make_keyed(NULL, "varchar(3) PRIMARY KEY", "");
    add_item(BATCH_ITEM_KEY, "ab", "name=a", NULL);
    add_item(BATCH_ITEM_KEY, "abc", "name=b", NULL);
    is_string(letters(), "CC", "texts of a length");
    add_item(BATCH_ITEM_KEY, "abc ", "name=c", NULL);
    add_item(BATCH_ITEM_KEY, "ab ", "name=d", NULL);
    add_item(BATCH_ITEM_KEY, "abcd", "name=e", NULL);
    is_string(letters(), "RCR", "one that is cut off finds no row, as ever");
    is_string(native(path, "SELECT name FROM \"Matched\" WHERE \"Id\" = 'abc'"), "b",
              "and changes none");
}

/* What is told of rows that have another key than their items. */
static void test_told(void)
{
    tell_keys = 1;
    native(path, "CREATE COLLATION IF NOT EXISTS careless (provider = icu, locale = "
                 "'und-u-ks-level2', deterministic = false)");
    make_keyed(NULL, "text COLLATE careless PRIMARY KEY", "");
    native(path, "INSERT INTO \"Matched\" (\"Id\") VALUES ('ABC')");
    add_item(BATCH_ITEM_KEY, "abc", "name=a", NULL);
    add_item(BATCH_ITEM_KEY, "def", "name=b", NULL);
    is_string(letters(), "AC", "a key that the database takes for another");
    is_string(work.told[0], "ABC", "which is told");
    ok(!work.told[1], "a key of its own");
    make_keyed(NULL, "uuid PRIMARY KEY", "");
    native(path, "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = "
                 "'moves' THEN NEW.\"Id\" = '" ID_MOVED "'; END IF; RETURN NEW; END $$; CREATE "
                 "TRIGGER own BEFORE UPDATE ON \"Matched\" FOR EACH ROW EXECUTE FUNCTION own()");
    add_keys(2, "name=a");
    is_string(letters(), "CC", "rows");
    add_item(BATCH_ITEM_KEY, id_of(0), "name=moves", NULL);
    add_item(BATCH_ITEM_KEY, id_of(1), "name=b", NULL);
    is_string(letters(), "AA", "a trigger gives one another key");
    is_string(work.told[0], ID_MOVED, "which is told");
    ok(!work.told[1], "of that one");
    native(path, "DELETE FROM \"Matched\"");
    add_keys(3, "name=a");
    is_string(letters(), "CCC", "rows");
    add_item(BATCH_ITEM_KEY, id_of(2), "name=b", NULL);
    add_item(BATCH_ITEM_KEY, id_of(1), "name=moves", NULL);
    add_item(BATCH_ITEM_KEY, id_of(0), "name=b", NULL);
    is_string(letters(), "AAA", "one of others, in another order");
    ok(!work.told[0] && !work.told[2], "have their keys");
    is_string(work.told[1], ID_MOVED, "and one has that");
    native(path, "DROP FUNCTION own() CASCADE");
    tell_keys = 0;
}

/* ---- Values that travel as the server has them -------------------------------------------------
 */

static void test_values(void)
{
    make_keyed(NULL, "uuid PRIMARY KEY", ", other uuid, small smallint, big bigint, note json");
    add_column("other", BATCH_TYPE_TEXT);
    add_column("small", BATCH_TYPE_INTEGER);
    add_column("big", BATCH_TYPE_INTEGER);
    add_column("note", BATCH_TYPE_JSON);
    add_item(BATCH_ITEM_KEY, id_of(1), "other=0A000000-0000-4000-8000-00000000000F", "small=-32768",
             "big=-9223372036854775808", "count=0", "note={\"a\" : 1, \"a\":2}",
             "extra={\"a\" : 1, \"a\":2}", NULL);
    add_item(BATCH_ITEM_KEY, id_of(2), "other={0a0000000000400080000000000000ff}", "small=32767",
             "big=9223372036854775807", "count=2147483647", "note= [1.50]", "extra= [1.50]", NULL);
    is_string(letters(), "CC", "values at the ends of their types");
    is_string(native(path, "SELECT string_agg(concat_ws(' ', other, small, big, count, note, "
                           "extra), ';' ORDER BY \"Id\") FROM \"Matched\""),
              "0a000000-0000-4000-8000-00000000000f -32768 -9223372036854775808 0 {\"a\" : 1, "
              "\"a\":2} {\"a\": 2};0a000000-0000-4000-8000-0000000000ff 32767 "
              "9223372036854775807 2147483647  [1.50] [1.50]",
              "are stored as they were sent");
    add_item(BATCH_ITEM_KEY, id_of(1), "small=32768", "note=1", "extra=1", NULL);
    add_item(BATCH_ITEM_KEY, id_of(2), "small=1", "note={", "extra=1", NULL);
    add_item(BATCH_ITEM_KEY, id_of(3), "small=1", "note=1", "extra=[1", NULL);
    add_item(BATCH_ITEM_KEY, id_of(4), "small= 5", "note=1", "extra=\"\xc3\xa9\"", NULL);
    is_string(letters(), "RRRC", "what is none is refused alone");
    is_string(native(path, "SELECT small || ' ' || extra FROM \"Matched\" WHERE note::text = '1'"),
              "5 \"\xc3\xa9\"", "the others are not");
}

int main(int argc, char **argv)
{
    int code;

    if (!begin_matched(&code, argc, argv)) {
        return code;
    }
    test_tables();
    test_changes();
    test_rows();
    test_order("uuid PRIMARY KEY");
    test_order("text COLLATE \"C\" PRIMARY KEY");
    test_scopes();
    test_partial();
    test_spellings();
    test_told();
    test_values();
    batch_store_destroy(store);
    return fixture_end();
}

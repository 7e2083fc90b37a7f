/*
 * PostgreSQL: merges of large sets, of columns of all types, beside other sessions; what they cost
 * is counted by a trigger for each statement.
 */
/* needs: pgsql */
#include "pgsql_matched.h"

static void test_types(void)
{
    static const char columns[] = "concat_ws('|', name, count, size, open, flag, at AT TIME ZONE "
                                  "'UTC', day, extra, mood)";
    int round;

    make_usual();
    for (round = 0; round < 2; round++) {
        add_item(BATCH_ITEM_MATCH, id_of(1), "code=c1", "name=\xc3\xbc%s'\\{\"", "count=7",
                 "size=12.345", "open=true", "flag=true", "at=2024-02-29T12:00:00Z",
                 "day=2024-02-29", "extra={\"a\":[1,\"x\"]}", "mood=sad", NULL);
        add_item(BATCH_ITEM_MATCH, id_of(2), "code=c2", "name", NULL);
        is_string(letters(), round ? "AA" : "CC", "columns of all types");
        is_string(matched("c1", columns),
                  "\xc3\xbc%s'\\{\"|7|12.35|t|1|2024-02-29 12:00:00|2024-02-29|{\"a\": [1, "
                  "\"x\"]}|sad",
                  "each as it should be");
        is_string(matched("c2", columns), "5", "defaults, where a column is left out");
    }
    add_item(BATCH_ITEM_KEY, "0A000000-0000-4000-8000-000000000001", "name=upper", NULL);
    add_item(BATCH_ITEM_KEY, "no uuid", "name=x", NULL);
    add_item(BATCH_ITEM_KEY, id_of(9), "name=x", NULL);
    is_string(letters(), "ANN", "keys of the column's type");
    is_string(matched("c1", "name"), "upper", "find their rows");
    organization = "no number";
    add_item(BATCH_ITEM_KEY, id_of(1), "name=x", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(3), "code=c1", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(4), "code=c4", NULL);
    is_string(letters(), "NRR", "a scope that no row can have");
    organization = "7";
}

/* Each wrong value fails alone, in the server's words. */
static void test_wrong_values(void)
{
    static const struct {
        const char *pair, *words;
    } wrong[] = {{"name=longer than that may be", "too long"},
                 {"count=1.5", "invalid input syntax"},
                 {"count=99999999999", "out of range"},
                 {"count=-1", "check constraint"},
                 {"size=123456.7", "overflow"},
                 {"at=yesterdy", "invalid input syntax"},
                 {"day=2024-02-30", "out of range"},
                 {"extra={", "json"},
                 {"mood=furious", "enum mood"}};
    apr_size_t i;

    make_usual();
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        add_item(BATCH_ITEM_MATCH, id_of(100 + (int)i), apr_psprintf(pool, "code=b%d", (int)i),
                 wrong[i].pair, NULL);
        add_item(BATCH_ITEM_MATCH, id_of(200 + (int)i), apr_psprintf(pool, "code=w%d", (int)i),
                 wrong[i].pair, NULL);
        work.items[0].values[1].value = NULL;
        is_string(letters(), "CR", wrong[i].pair);
        ok(strstr(work.message, wrong[i].words), "%s", work.message);
    }
}

/* ---- Large sets --------------------------------------------------------------------------------
 */

static void test_large(void)
{
    long long before;

    make_usual();
    native(path,
           "INSERT INTO \"Matched\" (\"Id\", org, code, count) SELECT gen_random_uuid(), o, 'm' "
           "|| lpad(i::text, 5, '0'), 9 FROM generate_series(0, 1998, 2) AS n (i), "
           "generate_series(7, 8) AS m (o)");
    add_many(2000, -1);
    is_string(tally(), "A1000 N0 R0 C1000 M0", "2,000 items, half of them there");
    ok(statements() <= 20, "in %lld statements", statements());
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE org = 7 AND count = 1"), 2000,
              "all of "
              "them as they were sent");
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE org = 8 AND count = 9"), 1000,
              "the other organization's as they were");
    before = statements();
    add_many(2000, 777);
    is_string(tally(), "A1999 N0 R1 C0 M0", "one of them is refused");
    ok(strstr(work.message, "check constraint"), "with a reason: %s", work.message);
    ok(statements() - before <= 120, "found in %lld statements", statements() - before);
    native(path, "DELETE FROM \"Matched\" WHERE org = 7");
    add_many(2000, 1234);
    is_string(tally(), "A0 N0 R1 C1999 M0", "the same with new rows");
}

/* Rows are locked in the order of what finds them, in whatever order the items are. */
static void test_order(void)
{
    make_usual();
    add_many(500, -1);
    is_string(tally(), "A0 N0 R0 C500 M0", "rows in no order");
    native(path, "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO "
                 "log (entry) VALUES (NEW.code); RETURN NEW; END $$; CREATE TRIGGER note BEFORE "
                 "UPDATE ON \"Matched\" FOR EACH ROW EXECUTE FUNCTION note()");
    add_many(500, -1);
    work.count = 16; /* so many are in the first set of a connection, or more */
    is_string(tally(), "A16 N0 R0 C0 M0", "are changed");
    is_number(number("SELECT count(*) FROM (SELECT entry < lag(entry) OVER (ORDER BY number) AS "
                     "wrong FROM log) AS l WHERE wrong"),
              0, "in one order");
    native(path, "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                 "IF nextval('statements') < 1000 THEN PERFORM setval('statements', 1000); RAISE "
                 "EXCEPTION 'x' USING ERRCODE = 'deadlock_detected'; END IF; RETURN NEW; END $$");
    add_many(500, -1);
    is_string(tally(), "A500 N0 R0 C0 M0", "a deadlock");
    is_number(work.runs, 2, "is a reason to begin again");
    native(path, "DROP FUNCTION note() CASCADE");
}

/* A client that sends as many sets of columns as there are. */
static void test_many_sets(void)
{
    static const char *const pairs[] = {"name=n", "count=1",  "size=1",        "open=true",
                                        "flag=1", "mood=sad", "day=2024-01-01"};
    int set, i;

    make_usual();
    add_item(BATCH_ITEM_NEW, id_of(999), "mood=sad", NULL);
    is_string(letters(), "C", "a first item, after which the table is known");
    native(path, "DELETE FROM \"Matched\"; ALTER SEQUENCE statements RESTART");
    for (set = 0; set < 128; set++) {
        batch_item_t *item = &work.items[work.count];

        add_item(BATCH_ITEM_MATCH, id_of(set), apr_psprintf(pool, "code=s%d", set), NULL);
        for (i = 0; i < 7; i++) {
            if (set >> i & 1) {
                const char *sign = strchr(pairs[i], '=');
                batch_value_t *value = &item->values[item->value_count++];

                value->name = apr_pstrmemdup(pool, pairs[i], (apr_size_t)(sign - pairs[i]));
                value->value = sign + 1;
            }
        }
    }
    is_string(tally(), "A0 N0 R0 C128 M0", "128 sets of columns");
    ok(statements() <= 2 * 128, "at worst a statement for each: %lld", statements());
    ok(work.prepared < BATCH_CONNECTION_STATEMENTS, "of which the connection keeps few: %d",
       work.prepared);
    is_number(number("SELECT count(*) FROM \"Matched\" WHERE coalesce(count, 0) = CASE WHEN "
                     "substr(code, 2)::integer & 2 > 0 THEN 1 ELSE 5 END AND (name IS NOT NULL) = "
                     "(substr(code, 2)::integer & 1 > 0) AND (day IS NOT NULL) = (substr(code, "
                     "2)::integer & 64 > 0)"),
              128, "each as it was sent");
}

/* Items with keys between items with match. */
static void test_kinds(void)
{
    long long before;
    int i;

    make_usual();
    add_many(200, -1);
    is_string(tally(), "A0 N0 R0 C200 M0", "rows");
    before = statements();
    for (i = 0; i < 200; i += 2) {
        const char *code = apr_psprintf(pool, "code=m%05d", i);

        add_item(BATCH_ITEM_KEY, id_of(10000 + i), code, "name=key", NULL);
        add_item(BATCH_ITEM_MATCH, id_of(20000 + i), apr_psprintf(pool, "code=m%05d", i + 1),
                 "name=match", NULL);
    }
    is_string(tally(), "A200 N0 R0 C0 M0", "keys and match in turns");
    ok(statements() - before <= 40, "in few statements: %lld", statements() - before);
    is_number(
        number("SELECT count(*) FROM \"Matched\" WHERE name = CASE WHEN substr(code, 2)::integer "
               "% 2 = 0 THEN 'key' ELSE 'match' END"),
        200, "each as it was sent");
    add_item(BATCH_ITEM_MATCH, id_of(1), "code=m00000", "name=first", NULL);
    add_item(BATCH_ITEM_KEY, id_of(10000), "code=x1", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(2), "code=m00000", "name=second", NULL);
    add_item(BATCH_ITEM_KEY, id_of(10001), "code=x2", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(3), "code=x2", "name=third", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(4), "code=x1", "count=3", NULL);
    is_string(letters(), "AACAAA", "one that changes what others are matched by");
    is_string(matched("x1", "name || count"), "first3", "keeps its place");
    is_string(matched("m00000", "name"), "second", "before those behind it");
    is_string(matched("x2", "name"), "third", "and behind those before it");
}

/* ---- The same row twice ------------------------------------------------------------------------
 */

static void test_equal_texts(void)
{
    int unique;

    for (unique = 0; unique < 2; unique++) {
        make_matched("uuid PRIMARY KEY", "numeric", unique ? ", UNIQUE (org, code)" : "");
        add_item(BATCH_ITEM_MATCH, id_of(1), "code=1.0", "name=a", NULL);
        add_item(BATCH_ITEM_MATCH, id_of(2), "code=2", "name=b", "count=1", NULL);
        add_item(BATCH_ITEM_MATCH, id_of(3), "code=1.00", "name=c", "count=2", NULL);
        add_item(BATCH_ITEM_MATCH, id_of(4), "code=1.000", "name=d", NULL);
        add_item(BATCH_ITEM_MATCH, id_of(5), "code=1", "name=e", NULL);
        add_item(BATCH_ITEM_MATCH, id_of(6), "code=x", "name=f", NULL);
        is_string(letters(), "CCAAAR", "texts that are the same value make one row");
        is_string(matched("1", "name || count"), "e2", "that has what came last");
        is_number(number("SELECT count(*) FROM \"Matched\""), 2, "no more");
    }
    make_matched("numeric PRIMARY KEY", "text", "");
    resource.keys = BATCH_KEYS_CLIENT;
    add_item(BATCH_ITEM_KEY, "1.0", "code=c1", "name=a", NULL);
    add_item(BATCH_ITEM_KEY, "1.00", "name=b", NULL);
    add_item(BATCH_ITEM_KEY, "2", "code=c2", NULL);
    add_item(BATCH_ITEM_KEY, "01", "name=c", NULL);
    is_string(letters(), "CACA", "the same with keys of the client");
    is_string(matched("c1", "name"), "c", "in their order");
    make_resource();
}

/* ---- Others ------------------------------------------------------------------------------------
 */

static void test_beside(void)
{
    make_usual();
    add_item(BATCH_ITEM_MATCH, id_of(1), "code=c1", "name=a", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(2), "code=c2", "name=b", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(3), "code=c3", "name=c", NULL);
    is_string(merge_beside("INSERT INTO \"Matched\" (\"Id\", org, code, count) VALUES "
                           "(gen_random_uuid(), 7, 'c2', 9)"),
              "CAC", "a row that somebody else makes just now");
    is_string(matched("c2", "name || count"), "b9", "is changed, not made again");
    add_item(BATCH_ITEM_MATCH, id_of(4), "code=c4", "name=d", NULL);
    is_string(merge_beside("INSERT INTO \"Matched\" (\"Id\", org, code, count) VALUES "
                           "(gen_random_uuid(), 7, 'c4', 9)"),
              "A", "so by an item alone");
    is_string(matched("c4", "name || count"), "d9", "too");
    add_item(BATCH_ITEM_MATCH, id_of(5), "code=c1", "name=e", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(6), "code=c2", "name=f", NULL);
    is_string(merge_beside("DELETE FROM \"Matched\" WHERE code = 'c2'"), "AC",
              "a row that somebody else removes just now is made");
    add_item(BATCH_ITEM_KEY, id_of(1), "name=g", NULL);
    add_item(BATCH_ITEM_KEY, id_of(6), "name=h", NULL);
    is_string(merge_beside("DELETE FROM \"Matched\" WHERE code = 'c2'"), "AN",
              "or, by a key, not found");
}

/* A set that is not offered (test_offer_pgsql.c), which meets a row between its look and its
 * INSERT. */
static void test_met(void)
{
    batch_store_t *all = store;
    int i;

    make_matched("uuid PRIMARY KEY", "text",
                 ", UNIQUE (org, code), serial bigint GENERATED ALWAYS AS IDENTITY");
    store = open_store(path, 3000); /* it has not seen the table: that explains no refusal */
    for (i = 0; i < 16; i++) {
        add_item(BATCH_ITEM_MATCH, id_of(i), apr_psprintf(pool, "code=c%02d", i), "name=new", NULL);
    }
    is_string(merge_beside("INSERT INTO \"Matched\" (\"Id\", org, code, count) VALUES "
                           "(gen_random_uuid(), 7, 'c05', 9)"),
              "CCCCCACCCCCCCCCC", "a row that somebody else makes meanwhile");
    is_string(matched("c05", "name || count"), "new9", "is changed, not made again");
    is_number(statements(), 5, "by their INSERT, and two UPDATEs and INSERTs of all");
    for (i = 0; i < 16; i++) {
        add_item(BATCH_ITEM_MATCH, id_of(16 + i), apr_psprintf(pool, "code=d%02d", i), "name=new",
                 NULL);
    }
    is_string(merge_beside("DELETE FROM \"Matched\" WHERE code = 'c05'; INSERT INTO \"Matched\" "
                           "(\"Id\", org, code, name) SELECT gen_random_uuid(), 7, 'd' || i, 'old' "
                           "FROM generate_series(10, 15) AS n (i)"),
              "CCCCCCCCCCAAAAAA", "so are several");
    batch_store_destroy(store);
    store = all;
}

/* Items that would take a little longer than there is time are not left to another chunk. */
static void test_rest(void)
{
    batch_store_t *all = store;
    int i;

    make_usual();
    native(path, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                 "pg_sleep(0.05); RETURN NEW; END $$; CREATE TRIGGER slow BEFORE INSERT ON "
                 "\"Matched\" FOR EACH ROW EXECUTE FUNCTION slow()");
    store = open_store(path, 3000); /* it knows nothing of the table's speed, and begins with 16 */
    work.patience = apr_time_from_msec(1200);
    for (i = 0; i < 26; i++) {
        add_item(BATCH_ITEM_NEW, id_of(i), "name=new", NULL);
    }
    is_string(tally(), "A0 N0 R0 C26 M0", "what can be finished soon");
    is_number(statements(), 2, "is, at once");
    for (i = 0; i < 200; i++) {
        add_item(BATCH_ITEM_NEW, id_of(100 + i), "name=new", NULL);
    }
    (void)letters();
    ok(work.done < 200, "what cannot is not: %d of 200", work.done);
    work.patience = 0;
    batch_store_destroy(store);
    store = all;
    native(path, "DROP FUNCTION slow() CASCADE");
}

/* What the words of a refusal must not say: what another organization's row is like. */
static void test_words(void)
{
    make_matched("uuid PRIMARY KEY", "text", ", UNIQUE (name)");
    native(path, apr_psprintf(pool,
                              "INSERT INTO \"Matched\" (\"Id\", org, code, name) VALUES ('%s', 8, "
                              "'secret', 'hidden')",
                              id_of(1)));
    add_item(BATCH_ITEM_MATCH, id_of(2), "code=c1", "name=hidden", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(3), "code=c2", "name=mine", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(4), "code=secret", "count=1", NULL);
    is_string(letters(), "RCC", "a unique index over all organizations");
    ok(strstr(work.message, "unique constraint") && !strstr(work.message, "hidden") &&
           !strstr(work.message, "secret") && !strchr(work.message, '\n'),
       "says no more than: %s", work.message);
    is_string(native(path, "SELECT code || name FROM \"Matched\" WHERE org = 8"), "secrethidden",
              "the other organization's row is as it was");
}

/* ---- Tables that have a will of their own ------------------------------------------------------
 */

static void test_triggers(void)
{
    make_matched("uuid PRIMARY KEY", "text",
                 ", UNIQUE (org, code), serial bigint GENERATED ALWAYS AS IDENTITY, twice integer "
                 "GENERATED ALWAYS AS (count * 2) STORED");
    add_many(100, -1);
    is_string(tally(), "A0 N0 R0 C100 M0", "identity and generated columns");
    native(path,
           "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
           "NEW.name = 'out' THEN RETURN NULL; END IF; IF TG_OP = 'INSERT' THEN INSERT INTO "
           "log (entry) VALUES (NEW.code); NEW.\"Id\" := gen_random_uuid(); END IF; RETURN "
           "NEW; END $$; CREATE TRIGGER own BEFORE INSERT OR UPDATE ON \"Matched\" FOR EACH ROW "
           "EXECUTE FUNCTION own()");
    add_item(BATCH_ITEM_MATCH, id_of(1), "code=t1", "name=a", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(2), "code=m00001", "name=out", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(3), "code=t2", "name=out", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(4), "code=m00002", "name=b", NULL);
    add_item(BATCH_ITEM_KEY, id_of(10003), "name=out", NULL);
    add_item(BATCH_ITEM_NEW, id_of(5), "name=out", NULL);
    add_item(BATCH_ITEM_NEW, id_of(6), "name=c", NULL);
    is_string(letters(), "CRRARRC", "a trigger that gives keys, and leaves rows out");
    ok(strstr(work.message, "without an error"), "which is said: %s", work.message);
    is_number(number("SELECT count(*) FROM \"Matched\""), 102, "so many there are");
    is_number(number("SELECT count(*) FROM log"), 2, "what a trigger did for no row is undone");
    native(path, "DROP FUNCTION own() CASCADE");
}

static void test_row_security(void)
{
    const char *role = apr_psprintf(pool, "unit_role_%ld", (long)getpid());
    batch_store_t *all = store;

    make_usual();
    native(path,
           apr_psprintf(
               pool,
               "CREATE ROLE %s LOGIN; GRANT ALL ON SCHEMA unit_%ld TO %s; GRANT ALL ON ALL "
               "TABLES IN SCHEMA unit_%ld TO %s; GRANT ALL ON ALL SEQUENCES IN SCHEMA "
               "unit_%ld TO %s; ALTER TABLE \"Matched\" ENABLE ROW LEVEL SECURITY; CREATE "
               "POLICY mine ON \"Matched\" USING (count IS DISTINCT FROM 42) WITH CHECK (name "
               "IS DISTINCT FROM 'no'); INSERT INTO \"Matched\" (\"Id\", org, code, count) "
               "VALUES (gen_random_uuid(), 7, 'c1', 1), (gen_random_uuid(), 7, 'c2', 42)",
               role, (long)getpid(), role, (long)getpid(), role, (long)getpid(), role));
    store = open_store(apr_pstrcat(pool, path, " user=", role, NULL), 3000);
    add_item(BATCH_ITEM_MATCH, id_of(1), "code=c1", "name=a", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(2), "code=c2", "name=b", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(3), "code=c3", "name=no", NULL);
    add_item(BATCH_ITEM_MATCH, id_of(4), "code=c4", "name=d", NULL);
    is_string(letters(), "ARRC", "policies of row security: rows that cannot be seen, or made");
    is_string(matched("c2", "count"), "42", "are as they were");
    batch_store_destroy(store);
    store = all;
    native(path, apr_psprintf(pool, "DROP OWNED BY %s; DROP ROLE %s", role, role));
}

/* Indexes come and go between the chunks of a batch. */
static void test_changes(void)
{
    make_usual();
    add_many(50, -1);
    is_string(tally(), "A0 N0 R0 C50 M0", "a table with a unique index");
    native(path, "ALTER TABLE \"Matched\" DROP CONSTRAINT \"Matched_org_code_key\"; INSERT INTO "
                 "\"Matched\" (\"Id\", org, code) VALUES (gen_random_uuid(), 7, 'm00003')");
    add_many(50, -1);
    is_string(tally(), "A49 N0 R0 C0 M1", "without it");
    make_matched("text PRIMARY KEY", "integer", "");
    add_item(BATCH_ITEM_MATCH, "k1", "code=1", "name=a", NULL);
    add_item(BATCH_ITEM_KEY, "k1", "name=b", NULL);
    is_string(letters(), "CA", "made anew with other types");
    native(path, "ALTER TABLE \"Matched\" DROP COLUMN count");
    add_item(BATCH_ITEM_MATCH, "k1", "code=1", "name=a", NULL);
    add_item(BATCH_ITEM_MATCH, "k2", "code=2", "count=1", NULL);
    ok(strstr(letters(), "column \"count\" of relation \"Matched\" does not exist"),
       "without a column that an item has: nobody's fault");
}

int main(int argc, char **argv)
{
    int code;

    if (!begin_matched(&code, argc, argv)) {
        return code;
    }
    test_types();
    test_wrong_values();
    test_large();
    test_order();
    test_many_sets();
    test_kinds();
    test_equal_texts();
    test_beside();
    test_met();
    test_rest();
    test_words();
    test_triggers();
    test_row_security();
    test_changes();
    batch_store_destroy(store);
    return fixture_end();
}

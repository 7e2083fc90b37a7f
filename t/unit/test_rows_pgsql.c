/* Rows of PostgreSQL: columns and keys of all types, tables made anew, slow and failing triggers.
 */
/* needs: pgsql */
#include "pgsql_keyed.h"

static void test_values(void)
{
    batch_value_t values[] = {{"name", "ü%s'\\", BATCH_KIND_STRING},
                              {"count", "9007199254740993", BATCH_KIND_NUMBER},
                              {"size", "12.345", BATCH_KIND_NUMBER},
                              {"open", "true", BATCH_KIND_BOOLEAN},
                              {"flag", "true", BATCH_KIND_BOOLEAN},
                              {"at", "2024-02-29T12:00:00Z", BATCH_KIND_STRING},
                              {"day", "2024-02-29", BATCH_KIND_STRING},
                              {"extra", "{\"a\":[1,\"\\u00fc\"]}", BATCH_KIND_JSON},
                              {"mood", "sad", BATCH_KIND_STRING},
                              {"grade", "9", BATCH_KIND_NUMBER}};
    batch_value_t one = {"name", NULL, BATCH_KIND_NULL};
    work_t work = {.keys = {ID1, ID4, "no uuid", "0A000000-0000-4000-8000-000000000002"},
                   .count = 4,
                   .values = values,
                   .value_count = 10};

    make_keyed("uuid", ID1, ID2, ID3, ID4);
    is_number(run(&work), APR_SUCCESS, "an update of columns of all types");
    is_string(work.results, "ANNA", "of rows with uuids");
    is_string(native(path,
                     "SELECT concat_ws('|', name, count, size, open, flag, at AT TIME ZONE "
                     "'UTC', day, extra, mood, grade) FROM \"Keyed\" WHERE \"Key\" = '" ID1 "'"),
              "ü%s'\\|9007199254740993|12.35|t|1|2024-02-29 12:00:00|2024-02-29|{\"a\": [1, "
              "\"ü\"]}|sad|9",
              "each is what it should be");
    is_number(number("SELECT count(*) FROM \"Keyed\" WHERE changed > now() - interval '1 minute' "
                     "AND changed <= now()"),
              2, "and when it was changed");
    work.values = &one;
    work.value_count = 1;
    is_number(run(&work), APR_SUCCESS, "an update to NULL");
    is_number(number("SELECT count(*) FROM \"Keyed\" WHERE name IS NULL"), 4, "sets NULL");
    is_string(work.results, "ANNA", "in these rows");
}

/* Values that the columns do not take: whatever is wrong, the server says it, and once. */
static void test_wrong_values(void)
{
    static const struct {
        const char *column, *value, *words;
    } wrong[] = {{"name", "too long", "too long"},      {"count", "1.5", "invalid input syntax"},
                 {"size", "123456.7", "overflow"},      {"at", "yesterdy", "invalid input syntax"},
                 {"day", "2024-02-30", "out of range"}, {"extra", "{", "json"},
                 {"mood", "furious", "enum mood"},      {"grade", "10", "check constraint"},
                 {"grade", "99999", "out of range"}};
    work_t work = {.keys = {ID1, ID2, ID3, ID4}, .count = 4, .value_count = 1};
    batch_value_t value = {NULL, NULL, BATCH_KIND_STRING};
    apr_size_t i;

    make_keyed("uuid", ID1, ID2, ID3, ID4);
    work.values = &value;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        value.name = wrong[i].column;
        value.value = wrong[i].value;
        is_number(run(&work), APR_SUCCESS, "a wrong value");
        ok(!strncmp(work.results, "RRR", 3) && strstr(work.message, wrong[i].words), "%s '%s': %s",
           wrong[i].column, wrong[i].value, work.message);
    }
}

static void test_keys(void)
{
    static const struct {
        const char *type;
        const char *keys[4]; /* in the table */
        const char *asked[6];
        const char *results;
    } kinds[] = {
        {"bigint",
         {"1", "-2", "3", "4"},
         {"1", "01", " 1", "x", "99999999999999999999", "-2"},
         "ANNNNA"},
        {"smallint", {"1", "2", "3", "4"}, {"70000", "2", "4", "", "-", "2.0"}, "NANNNN"},
        {"varchar(3)", {"abc", "b", "c", "d"}, {"abcd", "abc", "B", "b", "d", ""}, "NANANN"},
        {"char(3)", {"abc", "b", "c", "d"}, {"abcd", "abc", "B", "b", "d", ""}, "NANANN"},
        {"numeric", {"1.50", "2", "3", "4"}, {"1.5", "x", "2", "1e400000", "4", ""}, "ANANNN"},
        {"date",
         {"2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"},
         {"2024-01-01", "soon", "2024-02-30", "2024-01-02", "2024-01-04", ""},
         "ANNANN"},
        {"text",
         {"{a}", "\"b\"", "c,\\d", "NULL"},
         {"{a}", "\"b\"", "c,\\d", "NULL", "a", "null"},
         "AAANNN"}};
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        work_t work = {.count = 6};

        memcpy(work.keys, kinds[i].asked, sizeof(kinds[i].asked));
        make_keyed(kinds[i].type, kinds[i].keys[0], kinds[i].keys[1], kinds[i].keys[2],
                   kinds[i].keys[3]);
        is_number(run(&work), APR_SUCCESS, apr_psprintf(pool, "keys of type %s", kinds[i].type));
        is_string(work.results, kinds[i].results, "what is no such value is not found");
    }
}

/* Rows come back in the order of the index, and with keys in the server's letters. */
static void test_letters(void)
{
    work_t work = {.keys = {ID3, ID4, ID1, ID3}, .count = 4};

    make_keyed("uuid", ID1, ID2, ID3, ID4);
    is_number(run(&work), APR_SUCCESS, "uuids in another order than their index's");
    is_string(work.results, "ANAN", "each row is gone by one item");
    is_string(native(path, "SELECT string_agg(right(\"Key\"::text, 1), '' ORDER BY \"Key\") FROM "
                           "\"Keyed\""),
              "24", "and only those");
    make_keyed("uuid", ID1, ID2, ID3, ID4);
    work.keys[1] = "0A000000-0000-4000-8000-000000000002";
    work.keys[3] = "0A000000-0000-4000-8000-000000000003";
    is_number(run(&work), APR_SUCCESS, "uuids in capitals");
    is_string(work.results, "AAAN", "are the same uuids");
    is_string(native(path, "SELECT \"Key\" FROM \"Keyed\""), ID4, "and all are gone but another's");
    make_keyed("text", "x", "y", "z", "w");
    native(path, "ALTER TABLE \"Keyed\" DROP CONSTRAINT \"Keyed_pkey\"; INSERT INTO \"Keyed\" "
                 "(\"Key\", organization) VALUES ('x', 7); CREATE INDEX ON \"Keyed\" (\"Key\")");
    memcpy(work.keys, ((const char *[]){"y", "w", "x", "v"}), 4 * sizeof(work.keys[0]));
    is_number(run(&work), APR_SUCCESS, "two rows with one key");
    is_string(work.results, "ANAN", "are an item's");
    is_string(native(path, "SELECT string_agg(\"Key\", '' ORDER BY \"Key\") FROM \"Keyed\""), "wz",
              "both are gone");
}

/* The table is dropped and made again, with keys of another type, between two chunks. */
static void test_recreated(void)
{
    work_t work = {.keys = {"1"}, .count = 1};

    make_keyed("bigint", "1", "2", "3", "4");
    is_number(run(&work), APR_SUCCESS, "a table");
    is_string(work.results, "A", "works");
    make_keyed("uuid", ID1, ID2, ID3, ID4);
    work.keys[0] = ID1;
    is_number(run(&work), APR_SUCCESS, "made again with keys of another type");
    is_string(work.results, "A", "it works");
    make_keyed("text", "x", "y", "z", "w");
    work.keys[0] = "x";
    is_number(run(&work), APR_SUCCESS, "and again");
    is_string(work.results, "A", "it does");
    native(path, "ALTER TABLE \"Keyed\" RENAME \"Key\" TO key");
    work.keys[0] = "y";
    is_number(run(&work), BATCH_EUNFIT, "without its key: no item's fault");
    native(path, "ALTER TABLE \"Keyed\" RENAME key TO \"Key\"");
    is_number(run(&work), APR_SUCCESS, "with it again");
    is_string(work.results, "A", "it goes on");
}

/* A trigger that makes each row slow, added when rows were known to be quick. */
static void test_slow(void)
{
    work_t work = {.count = MOST_KEYS};
    int i;

    make_keyed("text", "x", "y", "z", "w");
    native(path, "INSERT INTO \"Keyed\" (\"Key\", organization) SELECT 'k' || i, 7 FROM "
                 "generate_series(1, 500) AS n (i)");
    batch_store_destroy(store);
    store = open_store(path, 100);
    for (i = 0; i < MOST_KEYS; i++) {
        work.keys[i] = apr_psprintf(pool, "k%d", i + 1);
    }
    is_number(run(&work), APR_SUCCESS, "quick rows");
    native(path, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                 "pg_sleep(0.1); RETURN OLD; END $$; CREATE TRIGGER slow BEFORE DELETE ON "
                 "\"Keyed\" FOR EACH ROW EXECUTE FUNCTION slow()");
    for (i = 0; i < MOST_KEYS; i++) {
        work.keys[i] = apr_psprintf(pool, "k%d", i + 1 + MOST_KEYS);
    }
    work.patience = apr_time_from_msec(500);
    is_number(run(&work), APR_SUCCESS, "slow rows");
    /* A tenth of a second each: no more than there is time for, and never all. */
    ok(work.done > 0 && work.done < MOST_KEYS / 2 && !strchr(work.results, 'R'),
       "as many are done as a chunk may take: %d", work.done);
    is_string(native(path, "SELECT count(*) FROM \"Keyed\" WHERE \"Key\" = 'k65'"), "0", "really");
    batch_store_destroy(store);
    store = open_store(path, 3000);
}

/*
 * What says something of the moment, and not of the row that a trigger was called for. Where a
 * trigger says so, and goes on to say it, it is the row nevertheless.
 */
static void test_codes(void)
{
    work_t work = {.keys = {"1", "2", "3"}, .count = 3};

    make_keyed("bigint", "1", "2", "3", "4");
    native(path,
           "CREATE SEQUENCE times; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
           "$$ BEGIN IF nextval('times') <= 2 THEN RAISE EXCEPTION 'once more' USING ERRCODE "
           "= 'serialization_failure'; END IF; RETURN OLD; END $$; CREATE TRIGGER fail BEFORE "
           "DELETE ON \"Keyed\" FOR EACH ROW EXECUTE FUNCTION fail()");
    is_number(run(&work), APR_SUCCESS, "a serialization failure");
    is_string(work.results, "AAA", "is tried again");
    is_number(work.runs, 3, "until it is none");
    make_keyed("bigint", "1", "2", "3", "4");
    native(path, "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                 "RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$; CREATE TRIGGER "
                 "fail BEFORE DELETE ON \"Keyed\" FOR EACH ROW EXECUTE FUNCTION fail()");
    is_number(run(&work), APR_SUCCESS, "a trigger that always says that the disk is full");
    is_string(work.results, "RRR", "refuses its rows");
    is_string(work.message, "no room", "in its words");
    native(path, "DROP TRIGGER fail ON \"Keyed\"; CREATE OR REPLACE FUNCTION fail() RETURNS "
                 "trigger LANGUAGE plpgsql AS $$ BEGIN SET LOCAL temp_file_limit = 0; SET LOCAL "
                 "work_mem = 64; PERFORM count(*) FROM (SELECT x FROM generate_series(1, 100000) "
                 "AS x ORDER BY md5(x::text)) AS sorted; RETURN OLD; END $$; CREATE TRIGGER fail "
                 "BEFORE DELETE ON \"Keyed\" FOR EACH ROW EXECUTE FUNCTION fail()");
    is_number(run(&work), BATCH_EUNAVAILABLE, "where the server says so it is no fault of the row");
    ok(says("MB0105", "temp_file_limit"), "which is said");
    native(path, "DROP TRIGGER fail ON \"Keyed\"");
    is_number(run(&work), APR_SUCCESS, "with room it goes on");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin_on_pgsql(&code, argc, argv)) {
        return code;
    }
    store = open_store(path, 3000);
    make_resource();
    test_values();
    test_wrong_values();
    test_keys();
    test_letters();
    test_recreated();
    test_slow();
    test_codes();
    batch_store_destroy(store);
    return fixture_end();
}

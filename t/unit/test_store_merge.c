/* The administrator's tables: rows that are merged. */
/* needs: database */
#include "store_full_resource.h"

static void test_by_key(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=ONE", "quantity=12", "size=1.5", "checked=true",
             NULL);
    add_item(&work, BATCH_ITEM_KEY, "a2", "name", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_KEY, "nowhere", "name=no", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", "name=mine", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", NULL);
    is_string(letters(&work), "AANNA", "by generated keys: what is there, of this organization");
    is_string(full_row("a1", "name || code || kind || created_at"), "ONEc1xthen",
              "what the item has is set, the rest stays");
    is_string(full_row("a1", by_driver("typeof(quantity) || quantity || typeof(size) || size || "
                                       "typeof(checked) || checked",
                                       "'integer' || quantity || 'real' || size || 'integer' || "
                                       "checked::integer")),
              "integer12real1.5integer1", "numbers are numbers");
    is_string(full_row("a1", "updated_by"), "alice-id", "the stamps of an update");
    ok(number("SELECT count(*) FROM full_rows WHERE id = 'a1' AND updated_at LIKE "
              "'20__-__-__T__:__:__Z' AND created_by IS NULL"),
       "and only those");
    is_string(full_row("a2", "name"), "NULL", "NULL is set");
    is_string(full_row("a2", "kind"), "x", "what is immutable stays");
    is_string(full_row("a3", "name || updated_by"), "threealice-id",
              "nothing to set but the stamps");
    ok(theirs_are_untouched(), "the other organization's rows are as they were");
    is_number(number("SELECT count(*) FROM full_rows"), 5, "no row is new");
    resource.updated_at = resource.updated_by_id = NULL;
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "a3", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a4", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", "kind=q", NULL);
    is_string(letters(&work), "ANA", "without anything to set an item still finds its row");
    is_string(full_row("a3", "kind"), "y", "and changes nothing of it");
    make_resource();
}

static void test_client_keys(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    resource.keys = BATCH_KEYS_CLIENT;
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=ONE", NULL);
    add_item(&work, BATCH_ITEM_KEY, "b1", "code=k1", "name=new", "kind=w", NULL);
    add_item(&work, BATCH_ITEM_KEY, "b1", "name=newer", "kind=v", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", "code=k2", "name=mine", NULL);
    add_item(&work, BATCH_ITEM_KEY, "b2", NULL);
    is_string(letters(&work), "ACARC", "keys of the client: what is not there is made");
    is_string(full_row("b1", "org || code || name || kind || quantity"), "acmek1newerw5",
              "with scope, values, defaults; immutable once it is there");
    is_string(full_row("b1", "created_by || updated_by"), "alice-idalice-id", "and all stamps");
    ok(number("SELECT count(*) FROM full_rows WHERE id = 'b1' AND created_at LIKE "
              "'20__-__-__T__:__:__Z' AND updated_at LIKE '20__-__-__T__:__:__Z'"),
       "of both sorts");
    ok(*work.messages[3] && !strstr(work.messages[3], "g1") && !strstr(work.messages[3], "globex"),
       "a key that another organization has is refused, neither is named");
    ok(theirs_are_untouched(), "and nothing of theirs is touched");
    make_resource();
}

static void test_by_match(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    add_item(&work, BATCH_ITEM_MATCH, "n1", "code=c1", "name=ONE", "kind=w", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n2", "name=new", "code=c9", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n3", "code=c9", "name=newer", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", "code=c4", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n4", "code=c3", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n5", "code", "name=no", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n6", "name=no", NULL);
    is_string(letters(&work), "ACAACRR", "by match");
    is_string(full_row("a1", "code || name || kind"), "c1ONEx", "changes the row that is there");
    is_string(full_row("n2", "org || code || name"), "acmec9newer", "makes one, once");
    is_number(number("SELECT count(*) FROM full_rows WHERE id IN ('n1', 'n3', 'n5', 'n6')"), 0,
              "no other");
    is_string(full_row("a3", "code"), "c4", "an item with a key can change what others match by");
    ok(theirs_are_untouched(), "the same match of the other organization is another row");
    make_resource();
}

static void test_new(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    add_item(&work, BATCH_ITEM_NEW, "n1", "name=new", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n2", "code=c1", NULL);
    add_item(&work, BATCH_ITEM_NEW, "a1", "code=c7", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n3", "code=c8", "quantity=-1", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n4", "code=c8", "quantity", NULL);
    is_string(letters(&work), "CRRRC", "new ones: what a constraint refuses fails alone");
    ok(strstr(work.messages[3], "CHECK") || strstr(work.messages[3], "check constraint"),
       "in the database's words");
    is_string(full_row("n1", "org || quantity"), "acme5",
              "a column that is left out has its default");
    is_string(full_row("n4", "quantity"), "NULL", "one that is NULL has not");
    make_resource();
}

static void test_unfit_items(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    resource.keys = BATCH_KEYS_CLIENT;
    add_item(&work, BATCH_ITEM_KEY, "a1", "secret=x", "name=q", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "org=globex", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "nonsense=x", "name=q", NULL);
    add_item(&work, BATCH_ITEM_KEY, NULL, "name=x", NULL);
    add_item(&work, BATCH_ITEM_DROPPED, "a1", "name=x", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=y", NULL);
    is_string(letters(&work), "RRRRRA", "columns that no batch may write, items without a row");
    is_string(full_row("a1", "org || name"), "acmey", "change nothing");
    make_resource();
}

static void test_ambiguous(void)
{
    work_t work = {.count = 0};

    make_table("TEXT PRIMARY KEY", "");
    add_rows();
    native(path, "INSERT INTO full_rows (id, org, code) VALUES ('a4', 'acme', 'c1')");
    add_item(&work, BATCH_ITEM_MATCH, "n1", "code=c1", "name=ONE", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n2", "code=c2", "name=TWO", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n3", "code=c5", "name=FIVE", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n4", "code=c5", "name=five", NULL);
    is_string(letters(&work), "MACA", "a match of several rows");
    is_number(
        number("SELECT count(*) FROM full_rows WHERE name = 'ONE' OR updated_by = 'alice-id' AND "
               "code = 'c1'"),
        0, "changes none of them");
    is_string(full_row("n3", "name"), "five", "without an index too a row is made once");
    native(path,
           "CREATE UNIQUE INDEX full_rows_partly ON full_rows (org, code) WHERE code <> 'c1'");
    work.count = 1;
    is_string(letters(&work), "M", "an index over some rows promises nothing");
    native(path, "DELETE FROM full_rows WHERE id = 'a4'; CREATE UNIQUE INDEX full_rows_code ON "
                 "full_rows (code, "
                 "org)");
    is_string(letters(&work), "A", "one over all does");
    ok(theirs_are_untouched(), "the other organization's rows are as they were");
    make_resource();
}

static void test_triggers(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    resource.keys = BATCH_KEYS_CLIENT;
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=stop", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a2", "name=go", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n1", "code=c3", "name=stop", NULL);
    guard("UPDATE", "new.name = 'stop'",
          by_driver("INSERT INTO log VALUES ('tried'); SELECT RAISE(ABORT, 'not so')",
                    "INSERT INTO log VALUES ('tried'); RAISE EXCEPTION 'not so'"));
    is_string(letters(&work), "RAR", "a trigger refuses a change");
    is_string(work.messages[0], "not so", "in its own words");
    is_number(number("SELECT count(*) FROM log"), 0, "nothing is left of it");
    drop_guard();
    guard("UPDATE", "new.name = 'stop'", by_driver("SELECT RAISE(IGNORE)", "RETURN NULL"));
    is_string(letters(&work), "RAR", "a trigger that leaves a row as it is");
    ok(strstr(work.messages[0], "without an error"), "is told of");
    is_number(number("SELECT count(*) FROM full_rows WHERE org = 'acme'"), 3,
              "it makes no new row");
    drop_guard();
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "n1", "code=k1", "name=stop", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n2", "code=k2", "name=go", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n3", "code=k3", "name=stop", NULL);
    guard("INSERT", "new.name = 'stop'", by_driver("SELECT RAISE(IGNORE)", "RETURN NULL"));
    is_string(letters(&work), "RCR", "a trigger that leaves new rows out");
    ok(strstr(work.messages[0], "without an error"), "is told of too");
    drop_guard();
    native(path, "DELETE FROM full_rows WHERE id = 'n2'");
    guard("INSERT", "new.name = 'stop'",
          by_driver("INSERT INTO log VALUES ('tried'); SELECT RAISE(ABORT, 'not new')",
                    "INSERT INTO log VALUES ('tried'); RAISE EXCEPTION 'not new'"));
    is_string(letters(&work), "RCR", "a trigger refuses a new row");
    is_number(number("SELECT count(*) FROM log"), 0, "nothing is left of that");
    drop_guard();
    make_resource();
}

/* What only SQLite has: refusals that leave something behind, and constraints that overwrite. */
static void test_conflict_words(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=stop", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a2", "name=go", NULL);
    native(path, "CREATE TRIGGER guard BEFORE UPDATE ON full_rows WHEN new.name = 'stop' BEGIN "
                 "INSERT INTO log VALUES ('tried'); SELECT RAISE(FAIL, 'not so'); END");
    is_string(letters(&work), "RA", "a trigger that fails");
    is_number(number("SELECT count(*) FROM log"), 0, "leaves nothing behind");
    native(path,
           "DROP TRIGGER guard; CREATE TRIGGER guard BEFORE UPDATE ON full_rows WHEN new.name = "
           "'stop' BEGIN SELECT RAISE(ROLLBACK, 'all stop'); END");
    is_number(merge(&work), BATCH_EREFUSED, "one that rolls back");
    is_string(err.message, "all stop", "ends the transaction, in its own words");
    native(path, "DROP TRIGGER guard");
    resource.keys = BATCH_KEYS_CLIENT;
    make_table("TEXT PRIMARY KEY ON CONFLICT REPLACE", ", UNIQUE (code) ON CONFLICT IGNORE");
    add_rows(); /* the one of globex with c1 is left out */
    native(path, "INSERT INTO full_rows (id, org, code) VALUES ('g1', 'globex', 'g1')");
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "g1", "code=k1", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "code=c2", NULL);
    add_item(&work, BATCH_ITEM_KEY, "n1", "code=c9", NULL);
    is_string(letters(&work), "RRR", "a constraint that would put a row in the other's place");
    is_number(number("SELECT count(*) FROM full_rows WHERE org = 'globex'"), 2, "does not");
    make_resource();
}

static void test_deadline(void)
{
    work_t work = {.deadline = 1};

    make_full_rows();
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=q", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a2", "name=q", NULL);
    is_string(letters(&work), "A", "past the deadline one item is done, and no more");
}

/* Every set of columns, more often than a connection keeps statements; and a schema that changes.
 */
static void test_many_sets(void)
{
    static const char *const names[] = {"code", "name", "kind", "quantity", "size", "checked"};
    batch_value_t values[6];
    work_t work = {.count = 1};
    int round, set, i, good = 1;

    make_full_rows();
    for (round = 0; round < 3; round++) {
        for (set = 0; set < 64; set++) {
            const char *key = apr_psprintf(pool, "s%d-%d", round, set);
            int count = 0;

            for (i = 0; i < 6; i++) {
                /* In the order of the declaration, or against it. */
                int column = round % 2 ? 5 - i : i;

                if (set >> column & 1) {
                    values[count].name = names[column];
                    values[count].kind = BATCH_KIND_STRING;
                    values[count++].value = column < 3 ? key : column < 5 ? "7" : "true";
                }
            }
            memset(&work.items[0], 0, sizeof(work.items[0]));
            work.items[0].kind = BATCH_ITEM_NEW;
            work.items[0].key = key;
            work.items[0].values = values;
            work.items[0].value_count = count;
            good = good && !strcmp(letters(&work), "C");
            good = good &&
                   number(apr_psprintf(
                       pool,
                       "SELECT count(*) FROM full_rows WHERE id = '%s' AND coalesce(code, '') = "
                       "'%s' AND coalesce(name, '') = '%s' AND coalesce(kind, '') = '%s' "
                       "AND quantity = %s AND coalesce(size, 0) = %s AND checked %s",
                       key, set & 1 ? key : "", set & 2 ? key : "", set & 4 ? key : "",
                       set & 8 ? "7" : "5", set & 16 ? "7" : "0",
                       set & 32 ? "IS NOT NULL" : "IS NULL")) == 1;
            work.items[0].kind = BATCH_ITEM_KEY;
            good = good && !strcmp(letters(&work), "A");
        }
        if (round == 1) {
            good = good && elsewhere("ALTER TABLE full_rows ADD COLUMN extra TEXT");
        }
    }
    ok(good, "192 items of 64 sets of columns, each as it was sent");
}

static void test_missing_table(void)
{
    work_t work = {.count = 0};

    make_full_rows();
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=q", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n1", "name=q", NULL);
    resource.table = "nowhere";
    is_number(merge(&work), BATCH_EUNFIT, "a table that is not there is no item's fault");
    make_resource();
    resource.updated_by_id = "nobody";
    is_number(merge(&work), BATCH_EUNFIT, "nor is a column");
    make_resource();
    is_string(letters(&work), "AC", "and they go on once it is");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    make_resource();
    store = open_store(path, 5000);
    batch_store_migrate(store, &err, pool);
    test_by_key();
    test_client_keys();
    test_by_match();
    test_new();
    test_unfit_items();
    test_ambiguous();
    test_triggers();
    if (!is_pgsql()) {
        test_conflict_words();
    }
    test_deadline();
    test_many_sets();
    test_missing_table();
    batch_store_destroy(store);
    return fixture_end();
}

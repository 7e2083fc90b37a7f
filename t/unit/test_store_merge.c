/* The administrator's tables: rows that are merged, looked for and walked over. */
#include "store_fixture.h"

#include <stdarg.h>

static batch_store_t *store;
static batch_resource_t resource;
static const char *organization = "acme";

/* ---- The tables --------------------------------------------------------------------------------
 */

static batch_column_t *add_column(const char *name, batch_type_e type)
{
    batch_column_t *column = apr_array_push(resource.columns);

    memset(column, 0, sizeof(*column));
    column->name = name;
    column->type = type;
    return column;
}

static void match_by(const char *first, const char *second)
{
    resource.match = apr_array_make(pool, 2, sizeof(const char *));
    if (first) {
        APR_ARRAY_PUSH(resource.match, const char *) = first;
    }
    if (second) {
        APR_ARRAY_PUSH(resource.match, const char *) = second;
    }
}

static void make_resource(void)
{
    memset(&resource, 0, sizeof(resource));
    resource.name = "part";
    resource.table = "parts";
    resource.key = "id";
    resource.key_generated = 1;
    resource.scope = "org";
    resource.actions = 1u << BATCH_ACTION_MERGE;
    match_by("code", NULL);
    resource.columns = apr_array_make(pool, 8, sizeof(batch_column_t));
    resource.created_at = "created_at";
    resource.updated_at = "updated_at";
    resource.created_by_id = "created_by";
    resource.updated_by_id = "updated_by";
    add_column("code", BATCH_TYPE_TEXT);
    add_column("name", BATCH_TYPE_TEXT);
    add_column("kind", BATCH_TYPE_TEXT)->immutable = 1;
    add_column("quantity", BATCH_TYPE_INTEGER);
    add_column("size", BATCH_TYPE_NUMBER);
    add_column("checked", BATCH_TYPE_BOOLEAN);
    add_column("secret", BATCH_TYPE_TEXT)->readonly = 1;
}

static void make_table(const char *id, const char *constraint)
{
    native(path,
           apr_psprintf(
               pool,
               "DROP TABLE IF EXISTS parts; DROP TABLE IF EXISTS log; CREATE TABLE log (entry "
               "TEXT); CREATE TABLE parts (id %s, org TEXT, code TEXT, name TEXT, kind TEXT, "
               "quantity INTEGER DEFAULT 5, size %s, checked %s, secret TEXT, created_at TEXT, "
               "updated_at TEXT, created_by TEXT, updated_by TEXT%s, CHECK (quantity >= 0))",
               id, by_driver("REAL", "double precision"), by_driver("BOOLEAN", "boolean"),
               constraint));
}

static void add_rows(void)
{
    native(path, "INSERT INTO parts (id, org, code, name, kind, created_at, updated_at) VALUES "
                 "('a1', 'acme', 'c1', 'one', 'x', 'then', 'then'), "
                 "('a2', 'acme', 'c2', 'two', 'x', 'then', 'then'), "
                 "('a3', 'acme', 'c3', 'three', 'y', 'then', 'then'), "
                 "('g1', 'globex', 'c1', 'theirs', 'x', 'then', 'then'), "
                 "('g2', 'globex', 'c9', 'theirs', 'x', 'then', 'then')");
}

static void make_parts(void)
{
    make_table("TEXT PRIMARY KEY", ", UNIQUE (org, code)");
    add_rows();
}

static int theirs_are_untouched(void)
{
    return number("SELECT count(*) FROM parts WHERE org = 'globex' AND name = 'theirs' AND kind = "
                  "'x' AND updated_at = 'then' AND quantity = 5") == 2 &&
           number("SELECT count(*) FROM parts WHERE org <> 'acme'") == 2;
}

/* The trigger guard, BEFORE an event on parts for a row where condition is true. */
static void guard(const char *event, const char *condition, const char *body)
{
    if (is_pgsql()) {
        native(path, apr_psprintf(pool,
                                  "CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE "
                                  "plpgsql AS $$ BEGIN %s; RETURN NEW; END $$; CREATE TRIGGER "
                                  "guard BEFORE %s ON parts FOR EACH ROW WHEN (%s) EXECUTE "
                                  "FUNCTION guard()",
                                  body, event, condition));
    } else {
        native(path,
               apr_psprintf(pool, "CREATE TRIGGER guard BEFORE %s ON parts WHEN %s BEGIN %s; END",
                            event, condition, body));
    }
}

static void drop_guard(void)
{
    native(path, by_driver("DROP TRIGGER guard", "DROP TRIGGER guard ON parts"));
}

/* ---- Merges ------------------------------------------------------------------------------------
 */

#define MOST 64

typedef struct work {
    batch_item_t items[MOST];
    int count;
    const char *form_id;
    apr_time_t deadline;
    int done;
    batch_row_result_e results[MOST];
    const char *messages[MOST];
} work_t;

/* Adds an item with values "column=text", or "column" for NULL; the last one is NULL. */
static void add_item(work_t *work, batch_item_kind_e kind, const char *key, ...)
{
    batch_item_t *item = &work->items[work->count++];
    const char *pair;
    va_list pairs;

    memset(item, 0, sizeof(*item));
    item->kind = kind;
    item->key = key;
    item->key_length = key ? strlen(key) : 0;
    item->values = apr_pcalloc(pool, 16 * sizeof(batch_value_t));
    va_start(pairs, key);
    while ((pair = va_arg(pairs, const char *)) != NULL) {
        batch_value_t *value = &item->values[item->value_count++];
        const char *sign = strchr(pair, '=');

        value->name = sign ? apr_pstrmemdup(pool, pair, (apr_size_t)(sign - pair)) : pair;
        value->value = sign ? sign + 1 : NULL;
        value->kind = sign ? BATCH_KIND_STRING : BATCH_KIND_NULL;
    }
    va_end(pairs);
}

static apr_status_t merge_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    work_t *work = baton;
    batch_row_scope_t scope = {&resource, organization, work->form_id, "alice-id"};
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(batch_row_outcome_t) * MOST);
    apr_status_t rv = batch_tx_rows_merge(tx, &work->done, outcomes, &scope, work->items,
                                          work->count, work->deadline, ptemp);
    int i;

    for (i = 0; rv == APR_SUCCESS && i < work->done; i++) {
        work->results[i] = outcomes[i].result;
        work->messages[i] = outcomes[i].message ? apr_pstrdup(pool, outcomes[i].message) : "";
    }
    return rv;
}

static apr_status_t merge(work_t *work)
{
    work->deadline = work->deadline ? work->deadline : apr_time_now() + apr_time_from_sec(600);
    return batch_store_write(store, merge_body, work, &err, pool);
}

/* Merges, and says what became of each item: A(pplied), N(ot found), R(efused), C(reated), M(any).
 */
static const char *letters(work_t *work)
{
    char *text = apr_pcalloc(pool, MOST + 1);
    apr_status_t rv;
    int i;

    for (i = 0; i < MOST; i++) {
        work->messages[i] = "";
    }
    rv = merge(work);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "status %d: %s", rv, err.message);
    }
    for (i = 0; i < work->done; i++) {
        text[i] = "ANRCM"[work->results[i]];
        if ((text[i] == 'R') != (*work->messages[i] != '\0')) {
            text[i] = '?';
        }
    }
    return text;
}

static const char *part(const char *id, const char *columns)
{
    return apr_pstrdup(pool, native(path, apr_psprintf(pool, "SELECT %s FROM parts WHERE id = '%s'",
                                                       columns, id)));
}

static void test_by_key(void)
{
    work_t work = {.count = 0};

    make_parts();
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=ONE", "quantity=12", "size=1.5", "checked=true",
             NULL);
    add_item(&work, BATCH_ITEM_KEY, "a2", "name", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_KEY, "nowhere", "name=no", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", "name=mine", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", NULL);
    is_string(letters(&work), "AANNA", "by generated keys: what is there, of this organization");
    is_string(part("a1", "name || code || kind || created_at"), "ONEc1xthen",
              "what the item has is set, the rest stays");
    is_string(part("a1", by_driver("typeof(quantity) || quantity || typeof(size) || size || "
                                   "typeof(checked) || checked",
                                   "'integer' || quantity || 'real' || size || 'integer' || "
                                   "checked::integer")),
              "integer12real1.5integer1", "numbers are numbers");
    is_string(part("a1", "updated_by"), "alice-id", "the stamps of an update");
    ok(number("SELECT count(*) FROM parts WHERE id = 'a1' AND updated_at LIKE "
              "'20__-__-__T__:__:__Z' AND created_by IS NULL"),
       "and only those");
    is_string(part("a2", "name"), "NULL", "NULL is set");
    is_string(part("a2", "kind"), "x", "what is immutable stays");
    is_string(part("a3", "name || updated_by"), "threealice-id", "nothing to set but the stamps");
    ok(theirs_are_untouched(), "the other organization's rows are as they were");
    is_number(number("SELECT count(*) FROM parts"), 5, "no row is new");
    resource.updated_at = resource.updated_by_id = NULL;
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "a3", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a4", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", "kind=q", NULL);
    is_string(letters(&work), "ANA", "without anything to set an item still finds its row");
    is_string(part("a3", "kind"), "y", "and changes nothing of it");
    make_resource();
}

static void test_client_keys(void)
{
    work_t work = {.count = 0};

    make_parts();
    resource.key_generated = 0;
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=ONE", NULL);
    add_item(&work, BATCH_ITEM_KEY, "b1", "code=k1", "name=new", "kind=w", NULL);
    add_item(&work, BATCH_ITEM_KEY, "b1", "name=newer", "kind=v", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", "code=k2", "name=mine", NULL);
    add_item(&work, BATCH_ITEM_KEY, "b2", NULL);
    is_string(letters(&work), "ACARC", "keys of the client: what is not there is made");
    is_string(part("b1", "org || code || name || kind || quantity"), "acmek1newerw5",
              "with scope, values, defaults; immutable once it is there");
    is_string(part("b1", "created_by || updated_by"), "alice-idalice-id", "and all stamps");
    ok(number("SELECT count(*) FROM parts WHERE id = 'b1' AND created_at LIKE "
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

    make_parts();
    add_item(&work, BATCH_ITEM_MATCH, "n1", "code=c1", "name=ONE", "kind=w", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n2", "name=new", "code=c9", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n3", "code=c9", "name=newer", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", "code=c4", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n4", "code=c3", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n5", "code", "name=no", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n6", "name=no", NULL);
    is_string(letters(&work), "ACAACRR", "by match");
    is_string(part("a1", "code || name || kind"), "c1ONEx", "changes the row that is there");
    is_string(part("n2", "org || code || name"), "acmec9newer", "makes one, once");
    is_number(number("SELECT count(*) FROM parts WHERE id IN ('n1', 'n3', 'n5', 'n6')"), 0,
              "no other");
    is_string(part("a3", "code"), "c4", "an item with a key can change what others match by");
    ok(theirs_are_untouched(), "the same match of the other organization is another row");
    make_resource();
}

static void test_new(void)
{
    work_t work = {.count = 0};

    make_parts();
    add_item(&work, BATCH_ITEM_NEW, "n1", "name=new", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n2", "code=c1", NULL);
    add_item(&work, BATCH_ITEM_NEW, "a1", "code=c7", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n3", "code=c8", "quantity=-1", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n4", "code=c8", "quantity", NULL);
    is_string(letters(&work), "CRRRC", "new ones: what a constraint refuses fails alone");
    ok(strstr(work.messages[3], "CHECK") || strstr(work.messages[3], "check constraint"),
       "in the database's words");
    is_string(part("n1", "org || quantity"), "acme5", "a column that is left out has its default");
    is_string(part("n4", "quantity"), "NULL", "one that is NULL has not");
    make_resource();
}

static void test_unfit_items(void)
{
    work_t work = {.count = 0};

    make_parts();
    resource.key_generated = 0;
    add_item(&work, BATCH_ITEM_KEY, "a1", "secret=x", "name=q", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "org=globex", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "nonsense=x", "name=q", NULL);
    add_item(&work, BATCH_ITEM_KEY, NULL, "name=x", NULL);
    add_item(&work, BATCH_ITEM_DROPPED, "a1", "name=x", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=y", NULL);
    is_string(letters(&work), "RRRRRA", "columns that no batch may write, items without a row");
    is_string(part("a1", "org || name"), "acmey", "change nothing");
    make_resource();
}

static void test_ambiguous(void)
{
    work_t work = {.count = 0};

    make_table("TEXT PRIMARY KEY", "");
    add_rows();
    native(path, "INSERT INTO parts (id, org, code) VALUES ('a4', 'acme', 'c1')");
    add_item(&work, BATCH_ITEM_MATCH, "n1", "code=c1", "name=ONE", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n2", "code=c2", "name=TWO", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n3", "code=c5", "name=FIVE", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n4", "code=c5", "name=five", NULL);
    is_string(letters(&work), "MACA", "a match of several rows");
    is_number(number("SELECT count(*) FROM parts WHERE name = 'ONE' OR updated_by = 'alice-id' AND "
                     "code = 'c1'"),
              0, "changes none of them");
    is_string(part("n3", "name"), "five", "without an index too a row is made once");
    native(path, "CREATE UNIQUE INDEX parts_partly ON parts (org, code) WHERE code <> 'c1'");
    work.count = 1;
    is_string(letters(&work), "M", "an index over some rows promises nothing");
    native(path,
           "DELETE FROM parts WHERE id = 'a4'; CREATE UNIQUE INDEX parts_code ON parts (code, "
           "org)");
    is_string(letters(&work), "A", "one over all does");
    ok(theirs_are_untouched(), "the other organization's rows are as they were");
    make_resource();
}

static void test_triggers(void)
{
    work_t work = {.count = 0};

    make_parts();
    resource.key_generated = 0;
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
    is_number(number("SELECT count(*) FROM parts WHERE org = 'acme'"), 3, "it makes no new row");
    drop_guard();
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "n1", "code=k1", "name=stop", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n2", "code=k2", "name=go", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n3", "code=k3", "name=stop", NULL);
    guard("INSERT", "new.name = 'stop'", by_driver("SELECT RAISE(IGNORE)", "RETURN NULL"));
    is_string(letters(&work), "RCR", "a trigger that leaves new rows out");
    ok(strstr(work.messages[0], "without an error"), "is told of too");
    drop_guard();
    native(path, "DELETE FROM parts WHERE id = 'n2'");
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

    make_parts();
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=stop", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a2", "name=go", NULL);
    native(path, "CREATE TRIGGER guard BEFORE UPDATE ON parts WHEN new.name = 'stop' BEGIN "
                 "INSERT INTO log VALUES ('tried'); SELECT RAISE(FAIL, 'not so'); END");
    is_string(letters(&work), "RA", "a trigger that fails");
    is_number(number("SELECT count(*) FROM log"), 0, "leaves nothing behind");
    native(path, "DROP TRIGGER guard; CREATE TRIGGER guard BEFORE UPDATE ON parts WHEN new.name = "
                 "'stop' BEGIN SELECT RAISE(ROLLBACK, 'all stop'); END");
    is_number(merge(&work), BATCH_EREFUSED, "one that rolls back");
    is_string(err.message, "all stop", "ends the transaction, in its own words");
    native(path, "DROP TRIGGER guard");
    resource.key_generated = 0;
    make_table("TEXT PRIMARY KEY ON CONFLICT REPLACE", ", UNIQUE (code) ON CONFLICT IGNORE");
    add_rows(); /* the one of globex with c1 is left out */
    native(path, "INSERT INTO parts (id, org, code) VALUES ('g1', 'globex', 'g1')");
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "g1", "code=k1", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "code=c2", NULL);
    add_item(&work, BATCH_ITEM_KEY, "n1", "code=c9", NULL);
    is_string(letters(&work), "RRR", "a constraint that would put a row in the other's place");
    is_number(number("SELECT count(*) FROM parts WHERE org = 'globex'"), 2, "does not");
    make_resource();
}

static void test_deadline(void)
{
    work_t work = {.deadline = 1};

    make_parts();
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

    make_parts();
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
            good =
                good && number(apr_psprintf(
                            pool,
                            "SELECT count(*) FROM parts WHERE id = '%s' AND coalesce(code, '') = "
                            "'%s' AND coalesce(name, '') = '%s' AND coalesce(kind, '') = '%s' "
                            "AND quantity = %s AND coalesce(size, 0) = %s AND checked %s",
                            key, set & 1 ? key : "", set & 2 ? key : "", set & 4 ? key : "",
                            set & 8 ? "7" : "5", set & 16 ? "7" : "0",
                            set & 32 ? "IS NOT NULL" : "IS NULL")) == 1;
            work.items[0].kind = BATCH_ITEM_KEY;
            good = good && !strcmp(letters(&work), "A");
        }
        if (round == 1) {
            good = good && elsewhere("ALTER TABLE parts ADD COLUMN extra TEXT");
        }
    }
    ok(good, "192 items of 64 sets of columns, each as it was sent");
}

static void test_missing_table(void)
{
    work_t work = {.count = 0};

    make_parts();
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=q", NULL);
    add_item(&work, BATCH_ITEM_NEW, "n1", "name=q", NULL);
    resource.table = "nowhere";
    is_string(letters(&work), "RR", "a table that is not there refuses each");
    make_resource();
    resource.updated_by_id = "nobody";
    is_string(letters(&work), "RR", "a column that is not there");
    make_resource();
    is_string(letters(&work), "AC", "and they go on once it is");
}

/* ---- Looks -------------------------------------------------------------------------------------
 */

typedef struct looking {
    work_t *work;
    char text[600];
} looking_t;

static apr_status_t look_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    looking_t *looking = baton;
    batch_row_scope_t scope = {&resource, organization, NULL, NULL};
    batch_row_look_t *looks = apr_pcalloc(ptemp, sizeof(*looks) * MOST);
    apr_status_t rv =
        batch_tx_rows_look(tx, looks, &scope, looking->work->items, looking->work->count, ptemp);
    int i;

    looking->text[0] = '\0';
    for (i = 0; rv == APR_SUCCESS && i < looking->work->count; i++) {
        const char *one = apr_psprintf(ptemp, "%s%d %s %s", i ? "; " : "", looks[i].found,
                                       looks[i].key ? looks[i].key : "-",
                                       looks[i].immutable ? looks[i].immutable : "-");

        apr_cpystrn(looking->text + strlen(looking->text), one,
                    sizeof(looking->text) - strlen(looking->text));
    }
    return rv;
}

static const char *look(work_t *work)
{
    looking_t looking = {.work = work};
    apr_status_t rv = batch_store_read(store, look_body, &looking, &err, pool);

    return rv == APR_SUCCESS ? apr_pstrdup(pool, looking.text)
                             : apr_psprintf(pool, "status %d: %s", rv, err.message);
}

static void test_look(void)
{
    work_t work = {.count = 0};

    make_table("TEXT PRIMARY KEY", "");
    add_rows();
    native(path, "INSERT INTO parts (id, org, code) VALUES ('a4', 'acme', 'c2')");
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=q", "kind=x", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=q", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "kind", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", NULL);
    add_item(&work, BATCH_ITEM_KEY, "nowhere", NULL);
    is_string(look(&work), "1 a1 -; 1 a1 kind; 1 a1 kind; 0 - -; 0 - -", "a look by keys");
    work.count = 0;
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code=c1", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code=c2", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code=c9", NULL);
    add_item(&work, BATCH_ITEM_NEW, NULL, "name=q", NULL);
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code", NULL);
    add_item(&work, BATCH_ITEM_NEW, NULL, "code=c3", "kind=y", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "a3", "code=c1", "kind=y", NULL);
    is_string(look(&work), "1 a1 kind; 2 - -; 0 - -; 0 - -; 0 - -; 1 a3 -; 1 a3 -",
              "by match, where there is no key");
    ok(theirs_are_untouched() && number("SELECT count(*) FROM parts") == 6, "changes nothing");
    native(path, "UPDATE parts SET kind = NULL WHERE id = 'a1'");
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "a1", "kind", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "kind=", NULL);
    is_string(look(&work), "1 a1 -; 1 a1 kind", "NULL is the same as NULL only");
    match_by(NULL, NULL);
    work.count = 0;
    add_item(&work, BATCH_ITEM_NEW, NULL, "code=c1", NULL);
    is_string(look(&work), "0 - -", "a resource without match");
    make_resource();
    resource.table = "nowhere";
    is_number(batch_store_read(store, look_body, &(looking_t){.work = &work}, &err, pool),
              BATCH_EUNAVAILABLE, "a table that is not there");
    make_resource();
}

/* ---- Walks -------------------------------------------------------------------------------------
 */

typedef struct walk {
    const char *after;
    const char *form_id;
    int limit;
    apr_array_header_t *keys;
    int stop_at;
    int seen;
    apr_status_t rv;
} walk_t;

static apr_status_t note_key(void *baton, const char *key)
{
    walk_t *walk = baton;

    walk->seen++;
    APR_ARRAY_PUSH(walk->keys, const char *) = apr_pstrdup(pool, key);
    return walk->seen == walk->stop_at ? APR_EGENERAL : APR_SUCCESS;
}

static apr_status_t walk_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    walk_t *walk = baton;
    batch_row_scope_t scope = {&resource, organization, walk->form_id, NULL};

    (void)ptemp;
    walk->seen = 0;
    return batch_tx_keys_walk(tx, &walk->after, &scope, walk->limit, note_key, walk, pool);
}

/* Walks to the end: the keys, in their order. *calls: how many it took; -1 if one went wrong. */
static const char *walk_all(int *calls, int limit, const char *form_id)
{
    walk_t walk = {.limit = limit, .form_id = form_id};

    walk.keys = apr_array_make(pool, 16, sizeof(const char *));
    *calls = 0;
    do {
        (*calls)++;
        if (batch_store_read(store, walk_body, &walk, &err, pool) != APR_SUCCESS ||
            walk.seen > limit || *calls > 100000) {
            *calls = -1;
            return err.message ? err.message : "too much";
        }
    } while (walk.after);
    return apr_array_pstrcat(pool, walk.keys, ',');
}

static void test_walk(void)
{
    int calls;
    walk_t walk = {.limit = 10, .stop_at = 2, .after = "a1"};

    make_parts();
    is_string(walk_all(&calls, 100, NULL), "a1,a2,a3", "a walk over an organization's rows");
    is_string(walk_all(&calls, 1, NULL), "a1,a2,a3", "one at a time");
    is_string(walk_all(&calls, 2, NULL), "a1,a2,a3", "two at a time");
    walk.keys = apr_array_make(pool, 16, sizeof(const char *));
    is_number(batch_store_read(store, walk_body, &walk, &err, pool), APR_EGENERAL,
              "the caller's function can stop it");
    is_string(apr_array_pstrcat(pool, walk.keys, ','), "a2,a3", "where it began behind a key");
    organization = "nobody";
    is_string(walk_all(&calls, 100, NULL), "", "an organization without rows");
    organization = "acme";
    resource.scope = NULL;
    is_string(walk_all(&calls, 100, NULL), "a1,a2,a3,g1,g2", "a resource without a scope");
    make_resource();
    resource.form_column = "kind";
    is_string(walk_all(&calls, 100, "x"), "a1,a2", "of one form");
    is_string(walk_all(&calls, 100, NULL), "a1,a2,a3", "of any form");
    make_resource();
    native(path, "DELETE FROM parts");
    is_string(walk_all(&calls, 100, NULL), "", "an empty table");
}

static void fill(const char *key)
{
    const char *numbers =
        by_driver("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)",
                  "WITH n(i) AS (SELECT generate_series(1, 9000))");

    native(path, apr_psprintf(pool,
                              "DELETE FROM parts; INSERT INTO parts (id, org, kind) %s SELECT %s, "
                              "CASE WHEN i %% 3000 = 0 THEN 'acme' ELSE 'globex' END, 'f1' FROM n",
                              numbers, key));
}

static void test_walk_far(void)
{
    int calls;

    make_parts();
    fill(by_driver("printf('k%05d', i)", "'k' || lpad(i::text, 5, '0')"));
    is_string(walk_all(&calls, 10, NULL), "k03000,k06000,k09000", "few rows among many of others");
    ok(calls > 2, "take several calls, of bounded work");
    make_table("INTEGER PRIMARY KEY", "");
    fill("i");
    is_string(walk_all(&calls, 2, NULL), "3000,6000,9000", "keys that are numbers, in their order");
    native(path, "DELETE FROM parts WHERE org = 'globex'; INSERT INTO parts (id, org) VALUES (20, "
                 "'acme'), (100, 'acme'), (3, 'acme')");
    is_string(walk_all(&calls, 1, NULL), "3,20,100,3000,6000,9000", "which is not that of texts");
    make_table("TEXT", ", PRIMARY KEY (org, id)");
    add_rows();
    native(path, "INSERT INTO parts (id, org) VALUES ('a1', 'globex'), ('a2', 'globex'), ('g1', "
                 "'acme')");
    is_string(walk_all(&calls, 1, NULL), "a1,a2,a3,g1", "keys that others have too");
    make_table("TEXT NOT NULL", "");
    add_rows();
    native(path, "INSERT INTO parts (id, org) VALUES ('a1', 'globex'), ('a2', 'globex'), ('g1', "
                 "'acme')");
    is_string(walk_all(&calls, 1, NULL), "a1,a2,a3,g1", "without an index either");
}

/* ---- Forms -------------------------------------------------------------------------------------
 */

static apr_status_t delete_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    work_t *work = baton;
    batch_row_scope_t scope = {&resource, organization, work->form_id, "alice-id"};
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(batch_row_outcome_t) * MOST);

    return batch_tx_rows_delete(tx, &work->done, outcomes, &scope, work->items, work->count,
                                apr_time_now() + apr_time_from_sec(600), ptemp);
}

static void test_any_form(void)
{
    work_t work = {.form_id = "y"};

    make_parts();
    resource.form_column = "kind";
    add_item(&work, BATCH_ITEM_KEY, "a1", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", NULL);
    batch_store_write(store, delete_body, &work, &err, pool);
    is_number(number("SELECT count(*) FROM parts"), 4, "a delete in one form");
    work.form_id = NULL;
    batch_store_write(store, delete_body, &work, &err, pool);
    is_number(number("SELECT count(*) FROM parts"), 3, "a delete in any form");
    ok(theirs_are_untouched(), "of the organization");
    make_resource();
}

/* ---- Start-up ----------------------------------------------------------------------------------
 */

static const char *said(apr_status_t rv, const batch_problems_t *problems)
{
    const char *text = "";
    int i;

    if (rv != APR_SUCCESS) {
        return err.message;
    }
    for (i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);
        text = apr_pstrcat(pool, text, i ? "; " : "", problem->field, ": ", problem->message, NULL);
    }
    return text;
}

static const char *problems(void)
{
    batch_problems_t *list = batch_problems_make(pool);

    return said(batch_store_check_resource(store, &resource, list, &err, pool), list);
}

static const char *doubts(void)
{
    batch_problems_t *list = batch_problems_make(pool);

    return said(batch_store_doubt_resource(store, &resource, list, &err, pool), list);
}

static void test_start_up(void)
{
    make_parts();
    is_string(problems(), "", "a table that fits");
    is_string(doubts(), "", "and leaves nothing to doubt");
    make_table(by_driver("INTEGER PRIMARY KEY", "bigint PRIMARY KEY"), ", UNIQUE (org, code)");
    ok(strstr(problems(), "BatchKey: column \"id\" of table \"parts\" is one of numbers"),
       "a key that cannot hold a UUID");
    resource.key_generated = 0;
    is_string(problems(), "", "which the client's need not be");
    resource.key_generated = 1;
    resource.actions = 1u << BATCH_ACTION_DELETE;
    is_string(problems(), "", "nor where no row is made");
    make_resource();
    make_table("TEXT NOT NULL", ", owner TEXT NOT NULL, colour TEXT NOT NULL DEFAULT 'red'");
    ok(strstr(doubts(), "BatchKey: table \"parts\" has no unique index on \"id\"") &&
           strstr(doubts(),
                  "BatchMatch: table \"parts\" has no unique index on these columns and") &&
           strstr(doubts(), "BatchTable: column \"owner\" of table \"parts\" must not be NULL") &&
           !strstr(doubts(), "colour") && !strstr(doubts(), "column \"id\""),
       "what may surprise");
    is_string(problems(), "", "is no reason not to start");
    resource.actions = 1u << BATCH_ACTION_DELETE;
    ok(strstr(doubts(), "BatchKey") && !strstr(doubts(), "BatchMatch") &&
           !strstr(doubts(), "BatchTable"),
       "where no row is made only the key matters");
    make_resource();
    native(path,
           "CREATE UNIQUE INDEX parts_id ON parts (org, id); CREATE UNIQUE INDEX parts_code ON "
           "parts (code); ALTER TABLE parts DROP COLUMN owner");
    is_string(doubts(), "", "indexes over fewer or more columns do");
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
    test_look();
    test_walk();
    test_walk_far();
    test_any_form();
    test_start_up();
    batch_store_destroy(store);
    return fixture_end();
}

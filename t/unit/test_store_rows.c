/* The administrator's tables: rows in their scope, what triggers and constraints do, schema
 * changes. */
/* needs: database */
#include "misfits.h"
#include "store_resource.h"

static void make_resource(void)
{
    memset(&resource, 0, sizeof(resource));
    resource.name = "record";
    resource.table = "records";
    resource.actions = 1u << BATCH_ACTION_DELETE | 1u << BATCH_ACTION_UPDATE;
    resource.key = "id";
    resource.scope = "organization_id";
    resource.match = apr_array_make(pool, 1, sizeof(const char *));
    resource.columns = apr_array_make(pool, 8, sizeof(batch_column_t));
    resource.updated_at = "updated_at";
    resource.updated_by_id = "updated_by_id";
    resource.form_column = "form_id";
    resource.form_table = "forms";
    resource.form_id = "id";
    resource.form_scope = "organization_id";
    resource.form_name = "name";
    add_column("status", BATCH_TYPE_TEXT);
    add_column("count", BATCH_TYPE_INTEGER);
    add_column("size", BATCH_TYPE_NUMBER);
    add_column("checked", BATCH_TYPE_BOOLEAN);
}

/* The columns of records, but for those before. */
#define COLUMNS_SQLITE3                                                                            \
    " count, size, checked, parent TEXT REFERENCES records (id) DEFERRABLE INITIALLY DEFERRED,"    \
    " updated_at TEXT, updated_by_id TEXT)"
#define COLUMNS_PGSQL                                                                              \
    " count integer, size double precision, checked boolean, parent text REFERENCES records (id)"  \
    " DEFERRABLE INITIALLY DEFERRED, updated_at text, updated_by_id text)"

/* Forty rows r00 … r39 of acme's form f1, and one each that differs in organization and in form. */
static const char tables[] =
    "CREATE TABLE forms (id TEXT PRIMARY KEY, organization_id TEXT, name TEXT);"
    "INSERT INTO forms VALUES ('f1', 'acme', 'One'), ('f2', 'acme', 'Two'), ('g1', 'globex', "
    "'One');"
    "CREATE TABLE log (entry TEXT);"
    "CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id TEXT, status TEXT,";

static const char *rows; /* fills them */

static const char rows_sqlite3[] =
    "DELETE FROM log; DELETE FROM records;"
    "INSERT INTO records (id, organization_id, form_id, status) WITH RECURSIVE n(i) AS (SELECT 0 "
    "UNION ALL SELECT i + 1 FROM n WHERE i < 39) SELECT printf('r%02d', i), 'acme', 'f1', 'good' "
    "FROM n;"
    "INSERT INTO records (id, organization_id, form_id) VALUES ('other-form', 'acme', 'f2'),"
    " ('other-organization', 'globex', 'f1');";

static const char rows_pgsql[] =
    "DELETE FROM log; DELETE FROM records;"
    "INSERT INTO records (id, organization_id, form_id, status) SELECT 'r' || lpad(i::text, 2, "
    "'0'), 'acme', 'f1', 'good' FROM generate_series(0, 39) AS n (i);"
    "INSERT INTO records (id, organization_id, form_id) VALUES ('other-form', 'acme', 'f2'),"
    " ('other-organization', 'globex', 'f1');";

/* A trigger named guard, before each delete of a record where condition is true of the old row. */
static void guard(const char *condition, const char *body)
{
    native(path, is_pgsql() ? apr_psprintf(pool,
                                           "CREATE OR REPLACE FUNCTION guard() RETURNS trigger "
                                           "LANGUAGE plpgsql AS $$ BEGIN %s; RETURN OLD; END $$;"
                                           "CREATE TRIGGER guard BEFORE DELETE ON records FOR EACH "
                                           "ROW WHEN (%s) EXECUTE FUNCTION guard()",
                                           body, condition)
                            : apr_psprintf(pool,
                                           "CREATE TRIGGER guard BEFORE DELETE ON records WHEN %s "
                                           "BEGIN %s; END",
                                           condition, body));
}

static void drop_guard(void)
{
    native(path, by_driver("DROP TRIGGER guard", "DROP TRIGGER guard ON records"));
}

static long long count_rows(void)
{
    return number("SELECT count(*) FROM records");
}

/* ---- What is applied
 * ------------------------------------------------------------------------------ */

#define MOST_KEYS 64

typedef struct work {
    const char *keys[MOST_KEYS];
    int count;
    const batch_value_t *values; /* NULL: delete */
    int value_count;
    apr_time_t deadline;
    int done;
    batch_row_result_e results[MOST_KEYS];
    char message[200]; /* of the last item that was refused */
    int runs;
} work_t;

static apr_status_t work_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    work_t *work = baton;
    batch_row_scope_t scope = {&resource, "acme", resource.form_column ? "f1" : NULL, "alice-id",
                               0};
    batch_item_t *items = apr_pcalloc(ptemp, sizeof(batch_item_t) * MOST_KEYS);
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(batch_row_outcome_t) * MOST_KEYS);
    batch_rows_t rows = {.scope = &scope,
                         .items = items,
                         .count = work->count,
                         .values = work->values,
                         .value_count = work->value_count,
                         .deadline = work->deadline,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv;
    int i;

    work->runs++;
    work->message[0] = '\0';
    for (i = 0; i < work->count; i++) {
        items[i].key = work->keys[i];
        items[i].key_length = strlen(work->keys[i]);
    }
    rv = work->values ? batch_tx_rows_update(tx, &rows) : batch_tx_rows_delete(tx, &rows);
    work->done = rows.done;
    for (i = 0; rv == APR_SUCCESS && i < work->done; i++) {
        work->results[i] = outcomes[i].result;
        if (outcomes[i].message) {
            apr_cpystrn(work->message, outcomes[i].message, sizeof(work->message));
        }
    }
    return rv;
}

static apr_status_t run(work_t *work)
{
    work->runs = 0;
    work->deadline = work->deadline ? work->deadline : apr_time_now() + apr_time_from_sec(600);
    return batch_store_write(store, work_body, work, &err, pool);
}

static int results_are(const work_t *work, const char *letters)
{
    int i;

    for (i = 0; i < work->done; i++) {
        if ("ANR"[work->results[i]] != letters[i]) {
            printf("# item %d: %c\n", i, "ANR"[work->results[i]]);
            return 0;
        }
    }
    return work->done == (int)strlen(letters);
}

static void test_delete(void)
{
    work_t work = {.keys = {"r00", "nowhere", "other-form", "other-organization", "r01", "r01",
                            "' OR 1=1 --", ""},
                   .count = 8};
    batch_resource_t saved = resource;

    native(path, rows);
    is_number(run(&work), APR_SUCCESS, "a delete");
    ok(results_are(&work, "ANNNANNN"), "touches only what is there, of this form and organization");
    is_number(count_rows(), 40, "two rows are gone");
    is_number(work.runs, 1, "in one go");
    resource.form_column = NULL;
    is_number(run(&work), APR_SUCCESS, "a resource without forms");
    ok(results_are(&work, "NNANNNNN"), "is bound to the organization");
    resource.scope = NULL;
    is_number(run(&work), APR_SUCCESS, "a resource without a scope");
    ok(results_are(&work, "NNNANNNN"), "to nothing");
    resource = saved;
}

static void test_deadline(void)
{
    work_t work = {.keys = {"r02", "r03", "r04"}, .count = 3, .deadline = 1};

    native(path, rows);
    is_number(run(&work), APR_SUCCESS, "past its deadline");
    is_number(work.done, 1, "one item is done all the same");
    ok(number("SELECT count(*) FROM records WHERE id = 'r03'") == 1, "and no more");
}

static void test_update(void)
{
    batch_value_t values[] = {{"status", "100 % 'ü'", BATCH_KIND_STRING},
                              {"count", "12", BATCH_KIND_NUMBER},
                              {"size", "1.5", BATCH_KIND_NUMBER},
                              {"checked", "true", BATCH_KIND_BOOLEAN}};
    batch_value_t nulls[] = {{"status", NULL, BATCH_KIND_NULL}, {"count", NULL, BATCH_KIND_NULL}};
    work_t work = {.keys = {"r00", "nowhere", "other-form", "other-organization"},
                   .count = 4,
                   .values = values,
                   .value_count = 4};
    batch_resource_t saved = resource;

    native(path, rows);
    is_number(run(&work), APR_SUCCESS, "an update");
    ok(results_are(&work, "ANNN"), "touches what is in its scope");
    is_string(native(path, "SELECT status FROM records WHERE id = 'r00'"), "100 % 'ü'", "a text");
    is_string(native(path, by_driver("SELECT typeof(count) || count || typeof(size) || size || "
                                     "typeof(checked) || checked FROM records WHERE id = 'r00'",
                                     "SELECT 'integer' || count || 'real' || size || 'integer' || "
                                     "checked::integer FROM records WHERE id = 'r00'")),
              "integer12real1.5integer1", "numbers are numbers");
    is_string(native(path, "SELECT updated_by_id FROM records WHERE id = 'r00'"), "alice-id",
              "who it was");
    ok(number("SELECT count(*) FROM records WHERE id = 'r00' AND updated_at LIKE "
              "'20__-__-__T__:__:__Z'"),
       "and when");
    is_number(number("SELECT count(*) FROM records WHERE status LIKE '100%'"), 1, "no other row");
    work.values = nulls;
    work.value_count = 2;
    is_number(run(&work), APR_SUCCESS, "an update to NULL");
    is_string(
        native(
            path,
            "SELECT coalesce(status, CAST(count AS TEXT), 'both') FROM records WHERE id = 'r00'"),
        "both", "sets NULL");
    resource.updated_at = resource.updated_by_id = NULL;
    work.value_count = 0;
    is_number(run(&work), APR_SUCCESS, "nothing to set");
    ok(results_are(&work, "ANNN"), "still says which are there");
    resource = saved;
}

/* ---- What is refused
 * ------------------------------------------------------------------------------ */

static void test_abort(void)
{
    work_t work = {.keys = {"r00", "r01", "r02", "r03"}, .count = 4};

    native(path, rows);
    guard("old.id = 'r01'",
          by_driver("INSERT INTO log VALUES ('tried'); SELECT RAISE(ABORT, 'r01 is needed')",
                    "INSERT INTO log VALUES ('tried'); RAISE EXCEPTION 'r01 is needed'"));
    is_number(run(&work), APR_SUCCESS, "a trigger aborts one row");
    ok(results_are(&work, "ARAA"), "its neighbours are deleted");
    is_string(work.message, "r01 is needed", "the reason is the trigger's");
    is_number(number("SELECT count(*) FROM log"), 0, "it leaves no trace");
    drop_guard();
}

/* Rows that are to stay, and of which nobody complains. */
static void test_ignored(void)
{
    work_t work = {.keys = {"r00", "r01", "r02"}, .count = 3};

    native(path, rows);
    guard("old.id = 'r01'", by_driver("SELECT RAISE(IGNORE)", "RETURN NULL"));
    is_number(run(&work), APR_SUCCESS, "a trigger leaves a row alone");
    ok(results_are(&work, "ARA"), "which is no sign that it is not there");
    ok(strstr(work.message, "still there") != NULL, "as the reason says");
    is_number(number("SELECT count(*) FROM records WHERE id = 'r01'"), 1, "and as it is");
    drop_guard();
}

/* Where everything is refused, and where some are, spread over a large set. */
static void test_many_refused(void)
{
    work_t work = {.count = 40};
    const char *expected = "AAARAARAAAAAAAARRAAAAAAAAAAAAAAAAAAAAAAR";
    int i;

    for (i = 0; i < 40; i++) {
        work.keys[i] = apr_psprintf(pool, "r%02d", i);
    }
    native(path, rows);
    guard("old.id <> 'x'", by_driver("SELECT RAISE(ABORT, 'never')", "RAISE EXCEPTION 'never'"));
    is_number(run(&work), APR_SUCCESS, "a trigger refuses all");
    ok(results_are(&work, "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR"), "each of them");
    drop_guard();
    guard("old.id IN ('r03', 'r06', 'r15', 'r16', 'r39')",
          by_driver("SELECT RAISE(ABORT, 'not this')", "RAISE EXCEPTION 'not this'"));
    is_number(run(&work), APR_SUCCESS, "some");
    ok(results_are(&work, expected), "those");
    is_string(native(path, by_driver("SELECT group_concat(id) FROM records WHERE id < 's' AND "
                                     "form_id = 'f1' AND organization_id = 'acme'",
                                     "SELECT string_agg(id, ',' ORDER BY id) FROM records WHERE "
                                     "form_id = 'f1' AND organization_id = 'acme'")),
              "r03,r06,r15,r16,r39", "and only they are left");
    drop_guard();
}

static void test_fail(void)
{
    work_t work = {.keys = {"r00", "r01", "r02", "r03"}, .count = 4};

    native(path, rows);
    native(path, "CREATE TRIGGER guard BEFORE DELETE ON records WHEN old.id = 'r01' BEGIN "
                 "INSERT INTO log VALUES ('tried'); SELECT RAISE(FAIL, 'r01 is needed'); END");
    is_number(run(&work), APR_SUCCESS, "a trigger fails one row");
    ok(results_are(&work, "ARAA"), "its neighbours are deleted");
    is_number(number("SELECT count(*) FROM log"), 0, "what it did before is undone");
    native(path, "DROP TRIGGER guard");
}

static void test_or_fail(void)
{
    work_t work = {.keys = {"r00", "r01", "r02"}, .count = 3};

    native(path, rows);
    native(path, "CREATE TABLE once (id TEXT UNIQUE); INSERT INTO once VALUES ('r01');"
                 "CREATE TRIGGER guard BEFORE DELETE ON records BEGIN INSERT INTO log VALUES "
                 "(old.id); insert\nor fail into once VALUES (old.id); END");
    is_number(run(&work), APR_SUCCESS, "a statement of a trigger fails one row");
    ok(results_are(&work, "ARA"), "its neighbours are deleted");
    is_number(number("SELECT count(*) FROM log"), 2, "what the trigger did before is undone");
    native(path, "DROP TRIGGER guard; DROP TABLE once");
}

/* A constraint that would remove another row for the sake of the one that is updated. */
static void test_or_replace(void)
{
    batch_value_t values[] = {{"status", "taken", BATCH_KIND_STRING}};
    work_t work = {.keys = {"r00"}, .count = 1, .values = values, .value_count = 1};
    batch_resource_t saved = resource;

    native(path, rows);
    native(path, "CREATE TABLE alone (id TEXT PRIMARY KEY, status TEXT UNIQUE ON CONFLICT REPLACE);"
                 "INSERT INTO alone VALUES ('r00', 'free'), ('r01', 'taken')");
    resource.table = "alone";
    resource.scope = resource.form_column = resource.updated_at = resource.updated_by_id = NULL;
    is_number(run(&work), APR_SUCCESS, "a value that another row has, which is to be replaced");
    ok(results_are(&work, "R"), "is refused");
    is_string(native(path, "SELECT group_concat(id || status) FROM (SELECT * FROM alone ORDER BY "
                           "id)"),
              "r00free,r01taken", "no row is removed that nobody has named");
    resource = saved;
    native(path, "DROP TABLE alone");
}

static void test_rollback(void)
{
    work_t work = {.keys = {"r00", "r01", "r02"}, .count = 3};

    native(path, rows);
    native(path, "CREATE TRIGGER guard BEFORE DELETE ON records WHEN old.id = 'r01' BEGIN "
                 "SELECT RAISE(ROLLBACK, 'stop everything'); END");
    is_number(run(&work), BATCH_EREFUSED, "a trigger rolls the transaction back");
    is_string(err.message, "stop everything", "in its own words");
    ok(!err.tag, "that is nothing for the log");
    is_number(count_rows(), 42, "nothing was deleted, nothing went on without a transaction");
    work.count = 1;
    is_number(run(&work), APR_SUCCESS, "the row before it alone");
    is_number(count_rows(), 41, "is deleted");
    native(path, "DROP TRIGGER guard");
}

static void test_constraints(void)
{
    batch_value_t values[] = {{"status", "forbidden", BATCH_KIND_STRING}};
    work_t work = {.keys = {"r00", "r01"}, .count = 2, .values = values, .value_count = 1};

    native(path, apr_pstrcat(pool,
                             "DROP TABLE records; CREATE TABLE records (id TEXT PRIMARY KEY, "
                             "organization_id TEXT, form_id TEXT, status TEXT CHECK (status <> "
                             "'forbidden' OR id = 'r01'), ",
                             by_driver(COLUMNS_SQLITE3, COLUMNS_PGSQL), NULL));
    native(path, rows);
    is_number(run(&work), APR_SUCCESS, "a CHECK");
    ok(results_are(&work, "RA"), "refuses its row only");
    ok(strstr(work.message, by_driver("CHECK constraint failed", "violates check constraint")),
       "in the database's words");
    native(path, "UPDATE records SET parent = 'r05' WHERE id = 'r06'");
    work.keys[0] = "r05";
    work.values = NULL;
    work.count = 1;
    is_number(run(&work), BATCH_EREFUSED, "a deferred foreign key refuses the COMMIT");
    ok(strstr(err.message, by_driver("FOREIGN KEY", "violates foreign key constraint")),
       "in the database's words");
    is_number(count_rows(), 42, "nothing is gone");
    work.keys[1] = "r06";
    work.count = 2;
    is_number(run(&work), APR_SUCCESS, "both together pass");
    is_number(count_rows(), 40, "and are gone");
    guard("old.id = 'r07'",
          by_driver("SELECT json(new_text) FROM (SELECT '{' AS new_text)", "PERFORM '{'::json"));
    work.keys[0] = "r07";
    work.keys[1] = "nowhere";
    is_number(run(&work), APR_SUCCESS, "a trigger that fails as it runs");
    ok(results_are(&work, "RN") && strstr(work.message, by_driver("JSON", "json")),
       "refuses its row");
    drop_guard();
}

/* ---- A schema that changes
 * -------------------------------------------------------------------------- */

/* Each chunk is a transaction; between two of them another process changes the schema. */
static int delete_around(const char *change)
{
    work_t work = {.keys = {"r00"}, .count = 1};
    int good = run(&work) == APR_SUCCESS && results_are(&work, "A");

    work.keys[0] = "r01";
    good = good && elsewhere(change);
    good = good && run(&work) == APR_SUCCESS && results_are(&work, "A") && work.runs <= 2;
    work.keys[0] = "r02";
    return good && run(&work) == APR_SUCCESS && results_are(&work, "A") && work.runs == 1;
}

static void test_schema_changes(void)
{
    const char *const changes[] = {
        "ALTER TABLE records ADD COLUMN extra TEXT",
        "CREATE TABLE unrelated (x TEXT)",
        "CREATE INDEX records_status ON records (status)",
        by_driver("CREATE TRIGGER audit AFTER DELETE ON records BEGIN INSERT INTO log VALUES "
                  "(old.id); END",
                  "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT "
                  "INTO log VALUES (old.id); RETURN NULL; END $$; CREATE TRIGGER audit AFTER "
                  "DELETE ON records FOR EACH ROW EXECUTE FUNCTION audit()"),
        by_driver("DROP TRIGGER audit", "DROP TRIGGER audit ON records"),
        "VACUUM",
        "ANALYZE",
        "ALTER TABLE records RENAME COLUMN extra TO extra2",
        "DROP INDEX records_status; DROP TABLE unrelated; ALTER TABLE records DROP COLUMN extra2"};
    apr_size_t i;

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        native(path, rows);
        ok(delete_around(changes[i]), "goes on after: %s", changes[i]);
        if (i == 3) {
            is_string(native(path, by_driver("SELECT group_concat(entry) FROM log",
                                             "SELECT string_agg(entry, ',') FROM log")),
                      "r01,r02", "the new trigger runs");
        }
    }
}

static apr_status_t read_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    batch_job_t job;

    (void)baton;
    return batch_tx_job_get(tx, &job, "no-such-id", "acme", BATCH_API_RECORDS, ptemp);
}

static void test_reading_after_change(void)
{
    is_number(batch_store_read(store, read_body, NULL, &err, pool), BATCH_ENOTFOUND, "a read");
    ok(elsewhere("CREATE TABLE unrelated (x TEXT)"), "another process makes a table");
    is_number(batch_store_read(store, read_body, NULL, &err, pool), BATCH_ENOTFOUND,
              "a read after it");
    ok(elsewhere("DROP TABLE unrelated"), "and drops it");
    is_number(batch_store_read(store, read_body, NULL, &err, pool), BATCH_ENOTFOUND, "and another");
}

/* A scope column that is dropped must not turn into a string that equals itself. */
static void test_dropped_column(void)
{
    work_t work = {.keys = {"r00", "r01"}, .count = 2};
    batch_resource_t saved = resource;

    native(path, rows);
    resource.scope = "acme"; /* no such column, and the very name of the organization */
    is_number(run(&work), BATCH_EUNFIT, "a column that is not there");
    ok(strstr(err.message, by_driver("no such", "records.acme does not exist")),
       "is no fault of the rows");
    is_number(count_rows(), 42, "none is deleted");
    resource = saved;
    resource.table = "nowhere";
    is_number(run(&work), BATCH_EUNFIT, "a table that is not there");
    ok(strstr(err.message, by_driver("no such", "\"nowhere\" does not exist")), "neither");
    resource = saved;
}

static void test_odd_names(void)
{
    work_t work = {.keys = {"a", "b"}, .count = 2};
    batch_resource_t saved = resource;

    native(path, "CREATE TABLE \"100%s \"\"odd\"\" select\" (\"k%dy\" TEXT, \"from\" TEXT);"
                 "INSERT INTO \"100%s \"\"odd\"\" select\" VALUES ('a', 'acme'), ('b', 'globex')");
    resource.table = "100%s \"odd\" select";
    resource.key = "k%dy";
    resource.scope = "from";
    resource.form_column = NULL;
    is_number(run(&work), APR_SUCCESS, "names with quotes, per cents and key words");
    ok(results_are(&work, "AN"), "are only names");
    resource = saved;
}

static void test_many_statements(void)
{
    batch_value_t value = {"", "x", BATCH_KIND_STRING};
    work_t work = {.keys = {"r00"}, .count = 1, .values = &value, .value_count = 1};
    int i, good = 1;

    native(path, "CREATE TABLE wide (id TEXT, organization_id TEXT)");
    for (i = 0; i < 100; i++) {
        native(path, apr_psprintf(pool, "ALTER TABLE wide ADD COLUMN c%d TEXT", i));
        add_column(apr_psprintf(pool, "c%d", i), BATCH_TYPE_TEXT);
    }
    native(path, "INSERT INTO wide (id, organization_id) VALUES ('r00', 'acme')");
    resource.table = "wide";
    resource.form_column = resource.updated_at = resource.updated_by_id = NULL;
    for (i = 0; i < 300; i++) {
        value.name = apr_psprintf(pool, "c%d", i % 100);
        good = good && run(&work) == APR_SUCCESS && results_are(&work, "A");
    }
    ok(good, "more kinds of statements than a connection keeps");
    resource.scope = "nowhere";
    for (i = 0; i < 200; i++) {
        value.name = apr_psprintf(pool, "c%d", i % 100);
        good = good && run(&work) == BATCH_EUNFIT;
    }
    ok(good, "or that cannot be prepared");
    make_resource();
}

/* ---- Resources against the tables
 * ------------------------------------------------------------------- */

static const char *problems_of(const batch_resource_t *checked)
{
    return misfits_text(store, checked, 0, pool);
}

static void test_check_resource(void)
{
    batch_resource_t checked = resource;

    is_string(problems_of(&checked), "", "a resource that fits");
    checked.table = "RECORDS";
    checked.key = "ID";
    is_string(problems_of(&checked),
              by_driver("", "BatchTable: there is no table \"RECORDS\" (a view will not do)"),
              "in any case of letters, as SQLite has it; in exactly these with PostgreSQL");
    checked = resource;
    checked.table = "nowhere";
    is_string(problems_of(&checked),
              "BatchTable: there is no table \"nowhere\" (a view will not do)", "no table");
    checked = resource;
    checked.key = "key";
    checked.scope = "scope";
    checked.created_at = "made";
    checked.form_column = "form";
    checked.form_name = "title";
    checked.match = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(checked.match, const char *) = "twin";
    checked.columns = apr_array_copy(pool, resource.columns);
    APR_ARRAY_IDX(checked.columns, 0, batch_column_t).name = "state";
    is_string(problems_of(&checked),
              "BatchKey: table \"records\" has no column \"key\"; "
              "BatchMatch: table \"records\" has no column \"twin\"; "
              "BatchScope: table \"records\" has no column \"scope\"; "
              "BatchColumn: table \"records\" has no column \"state\"; "
              "BatchStamp: table \"records\" has no column \"made\"; "
              "BatchForm: table \"records\" has no column \"form\"; "
              "BatchForm: table \"forms\" has no column \"title\"",
              "everything that is missing is named");
    checked = resource;
    checked.form_table = "templates";
    is_string(problems_of(&checked),
              "BatchForm: there is no table \"templates\" (a view will not do)", "no forms");
}

typedef struct form_question {
    const char *organization;
    const char *form;
} form_question_t;

static apr_status_t form_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    form_question_t *question = baton;

    (void)ptemp;
    return batch_tx_form_check(tx, &resource, question->organization, question->form);
}

static apr_status_t form(const char *organization, const char *id)
{
    form_question_t question = {organization, id};

    return batch_store_read(store, form_body, &question, &err, pool);
}

static void test_forms(void)
{
    batch_resource_t saved = resource;

    is_number(form("acme", "f1"), APR_SUCCESS, "a form of the organization");
    is_number(form("globex", "f1"), BATCH_ENOTFOUND, "is not there for another");
    is_number(form("acme", "g1"), BATCH_ENOTFOUND, "nor the other's for the first");
    is_number(form("acme", "none"), BATCH_ENOTFOUND, "an unknown one");
    is_number(form("acme", NULL), BATCH_ENOTFOUND, "none at all");
    resource.form_scope = NULL;
    is_number(form("acme", "g1"), APR_SUCCESS, "forms that are everybody's");
    resource.form_table = NULL;
    is_number(form("acme", "f1"), BATCH_ENOTFOUND, "a resource without forms has none");
    resource = saved;
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    rows = by_driver(rows_sqlite3, rows_pgsql);
    native(path, apr_pstrcat(pool, tables, by_driver(COLUMNS_SQLITE3, COLUMNS_PGSQL), NULL));
    make_resource();
    store = open_store(path, 5000);
    is_string(problems_of(&resource), "", "the tables are there");
    is_number(number(by_driver("SELECT count(*) FROM sqlite_master WHERE name LIKE 'batch%'",
                               "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'batch%' AND "
                               "schemaname = current_schema()")),
              0, "looking at a resource makes none of our own");
    is_number(batch_store_migrate(store, &err, pool), APR_SUCCESS, "they are made when asked for");
    test_delete();
    test_deadline();
    test_update();
    test_abort();
    test_ignored();
    test_many_refused();
    if (!is_pgsql()) {
        test_fail();
        test_or_fail();
        test_or_replace();
        test_rollback();
    }
    test_constraints();
    test_schema_changes();
    test_reading_after_change();
    test_dropped_column();
    test_odd_names();
    test_many_statements();
    test_check_resource();
    test_forms();
    batch_store_destroy(store);
    return fixture_end();
}

/* Resources that do not fit the database: what is found, and what is out of service meanwhile. */
/* needs: database */
#include "misfits.h"
#include "store_full_resource.h"

#include "store/fitness.h"

static const char *misfits(void)
{
    return misfits_text(store, &resource, 0, pool);
}

static const char *doubts(void)
{
    return misfits_text(store, &resource, 1, pool);
}

/* The actions that are ruled out. */
static const char *ruled_out(void)
{
    apr_array_header_t *list = batch_misfits_make(pool);

    if (batch_store_compare(store, list, NULL, &resource, &err, pool) != APR_SUCCESS) {
        return err.message;
    }
    return batch_action_names(batch_misfits_actions(list), pool);
}

/* ---- Keys that clients make --------------------------------------------------------------------
 */

static void test_client_keys(void)
{
    if (is_pgsql()) {
        native(path, "CREATE COLLATION blurred (provider = icu, locale = 'und-u-ks-level2', "
                     "deterministic = false)");
    }
    make_resource();
    resource.keys = BATCH_KEYS_CLIENT;
    resource.actions =
        1u << BATCH_ACTION_MERGE | 1u << BATCH_ACTION_OVERWRITE | 1u << BATCH_ACTION_DELETE;
    make_table("TEXT PRIMARY KEY", ", UNIQUE (org, code)");
    is_string(
        misfits(),
        "BatchKey: a unique index of table \"full_rows\" has \"id\" alone, so that a client who "
        "makes an id learns whether another organization has it: merge and overwrite need a "
        "unique index, or primary key, on (\"org\", \"id\") in its place",
        "keys that are unique over all organizations");
    is_string(ruled_out(), "merge, overwrite", "rule out what makes rows");
    make_table("TEXT PRIMARY KEY", ", UNIQUE (org, code), UNIQUE (org, id)");
    is_string(ruled_out(), "merge, overwrite", "whatever other index there is");
    make_table("TEXT NOT NULL", ", UNIQUE (org, code)");
    is_string(
        misfits(),
        "BatchKey: clients make the keys of table \"full_rows\", which has no unique index with "
        "the column of BatchScope for them: merge and overwrite need one, or a primary key, "
        "on (\"org\", \"id\")",
        "no unique index");
    is_string(ruled_out(), "merge, overwrite", "rules out the same");
    make_table("TEXT NOT NULL", ", UNIQUE (org, code), PRIMARY KEY (org, id)");
    is_string(misfits(), "", "one with the scope's column will do");
    make_table("TEXT NOT NULL", ", UNIQUE (org, code), UNIQUE (id, org)");
    is_string(misfits(), "", "in any order");
    native(path, "CREATE UNIQUE INDEX full_rows_some ON full_rows (id) WHERE kind = 'x'");
    is_string(ruled_out(), "merge, overwrite",
              "but not beside one of the key alone over some rows");
    native(path, "DROP INDEX full_rows_some");
    is_string(misfits(), "", "without that it will");
    make_table("TEXT NOT NULL", "");
    native(path,
           by_driver("CREATE UNIQUE INDEX full_rows_all ON full_rows (org COLLATE NOCASE, id)",
                     "CREATE UNIQUE INDEX full_rows_all ON full_rows (org COLLATE blurred, id)"));
    is_string(ruled_out(), "merge, overwrite", "nor if it takes two organizations for one");
    make_table("TEXT PRIMARY KEY", ", UNIQUE (org, code)");
    resource.scope = NULL;
    is_string(misfits(), "", "without a scope nobody is told of others' rows");
    resource.scope = "org";
    resource.actions = 1u << BATCH_ACTION_DELETE;
    is_string(misfits(), "", "nor where no row is made");
    make_resource();
    is_string(misfits(), "", "nor where the server makes the keys");
}

/* ---- Keys that the database makes --------------------------------------------------------------
 */

/* The keys' type of a table with that column for them, and what it rules out. */
static const char *made(const char *type, const char *actions)
{
    static const char *const names[] = {"text", "integer", "uuid", "other"};
    apr_array_header_t *list = batch_misfits_make(pool);
    batch_table_known_t known;

    make_table(type, "");
    resource.actions =
        1u << BATCH_ACTION_MERGE | 1u << BATCH_ACTION_OVERWRITE | 1u << BATCH_ACTION_DELETE;
    if (batch_store_compare(store, list, &known, &resource, &err, pool) != APR_SUCCESS) {
        return err.message;
    }
    is_string(batch_action_names(batch_misfits_actions(list), pool), actions, type);
    return names[known.key_type];
}

static void test_database_keys(void)
{
    const char *none = "merge, overwrite";

    make_resource();
    resource.keys = BATCH_KEYS_DATABASE;
    is_string(made("INTEGER", none), "integer", "an integer that nobody makes");
    is_string(
        misfits(),
        "BatchKey: the database is to make the keys of table \"full_rows\", whose column \"id\" "
        "has nothing that makes one: merge and overwrite need an identity, a serial or a "
        "DEFAULT, with SQLite an INTEGER PRIMARY KEY or a DEFAULT",
        "which says so");
    is_string(made("TEXT PRIMARY KEY", none), "text", "nor a text");
    is_string(made("TEXT DEFAULT NULL", none), "text", "a DEFAULT of nothing");
    is_string(made("TEXT DEFAULT ('k' || random())", ""), "text", "one of something");
    is_string(made("INTEGER DEFAULT 5", ""), "integer", "whatever it is");
    if (!is_pgsql()) {
        is_string(made("INTEGER PRIMARY KEY", ""), "integer", "the rowid");
        is_string(made("INTEGER PRIMARY KEY AUTOINCREMENT", ""), "integer", "never used again");
        is_string(made("integer PRIMARY KEY", ""), "integer", "in small letters");
        is_string(made("INT PRIMARY KEY", none), "integer", "that is not the rowid");
        is_string(made("INTEGER PRIMARY KEY DESC", none), "integer", "nor is that");
        is_string(made("BIGINT DEFAULT 1", ""), "integer", "of any length");
        is_string(made("UUID DEFAULT 'x'", ""), "text", "a UUID is a text");
        is_string(made("NUMERIC DEFAULT 1", none), "other", "a number of no known kind");
    } else {
        is_string(made("smallint GENERATED ALWAYS AS IDENTITY", ""), "integer", "an identity");
        is_string(made("integer GENERATED BY DEFAULT AS IDENTITY", ""), "integer",
                  "of either sort");
        is_string(made("bigserial PRIMARY KEY", ""), "integer", "a serial");
        is_string(made("bigint PRIMARY KEY", none), "integer", "a bare number");
        is_string(made("uuid DEFAULT gen_random_uuid()", ""), "uuid", "a UUID");
        is_string(made("uuid PRIMARY KEY", none), "uuid", "a bare one");
        is_string(made("numeric DEFAULT 1", none), "other", "a number of no known kind");
        native(path, "DROP TABLE full_rows; CREATE DOMAIN code AS bigint DEFAULT 4");
        is_string(made("code", ""), "integer", "a domain with a default");
        native(path, "DROP TABLE full_rows; DROP DOMAIN code");
    }
    resource.scope = NULL;
    is_string(made(by_driver("INTEGER PRIMARY KEY", "serial"), ""), "integer", "without a scope");
    make_resource();
}

/* ---- A scope that is not exact -----------------------------------------------------------------
 */

/* full_rows with that sort of column for the scope. */
static void make_scope(const char *type)
{
    native(path,
           apr_psprintf(pool,
                        "DROP TABLE IF EXISTS full_rows; CREATE TABLE full_rows (id TEXT PRIMARY "
                        "KEY, org %s, code TEXT, name TEXT, kind TEXT, quantity INTEGER, "
                        "size REAL, checked BOOLEAN, secret TEXT, created_at TEXT, "
                        "updated_at TEXT, created_by TEXT, updated_by TEXT)",
                        type));
}

static void is_inexact(const char *type, const char *why)
{
    const char *prefix = "BatchScope: column \"org\" of table \"full_rows\" takes different "
                         "organizations for one: ";

    make_scope(type);
    is_string(misfits(), apr_pstrcat(pool, prefix, why, NULL), type);
    is_string(ruled_out(), "merge", "which rules out everything");
}

static void test_scope(void)
{
    make_resource();
    make_scope("TEXT");
    is_string(misfits(), "", "a text");
    if (!is_pgsql()) {
        is_inexact("TEXT COLLATE NOCASE", "its collation is NOCASE, where it has to be BINARY");
        is_inexact("TEXT COLLATE rtrim", "its collation is rtrim, where it has to be BINARY");
        make_scope("TEXT COLLATE binary");
        is_string(misfits(), "", "a text that says that it is exact");
        return;
    }
    native(path, "CREATE DOMAIN owner AS TEXT COLLATE blurred");
    is_inexact("TEXT COLLATE blurred", "its collation \"blurred\" is not deterministic");
    is_inexact("owner", "its collation \"blurred\" is not deterministic");
    if (!strstr(native(path, "CREATE EXTENSION citext"), "error")) {
        is_inexact("citext", "it is of the type citext, which has no case");
        native(path, "DROP EXTENSION citext CASCADE");
    }
    make_scope("TEXT COLLATE \"C\"");
    is_string(misfits(), "", "a deterministic collation");
    make_scope("UUID");
    is_string(misfits(), "", "a UUID");
    make_scope("character(8)");
    is_string(misfits(), "", "character(n)");
    ok(strstr(doubts(), "to which spaces at the end are nothing"), "leaves a doubt");
    native(path, "DROP TABLE full_rows; DROP DOMAIN owner; DROP COLLATION blurred");
}

/* ---- Privileges --------------------------------------------------------------------------------
 */

/* Runs sql as the owner of full_rows; its store is one of a role that has nothing of it. */
static void grant(const char *what)
{
    native(path, apr_psprintf(pool, "REVOKE ALL ON full_rows FROM batch_limited; %s", what));
}

static const char *work_as_role(work_t *work, batch_action_e action)
{
    resource.actions = 1u << action;
    return *misfits() ? misfits() : letters(work);
}

typedef struct row_work {
    batch_item_t item;
    batch_row_outcome_t outcome;
    batch_value_t *value; /* NULL: a delete */
} row_work_t;

static apr_status_t row_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    row_work_t *work = baton;
    batch_row_scope_t scope = {&resource, organization, NULL, "alice-id", 0};
    batch_rows_t rows = {.scope = &scope,
                         .items = &work->item,
                         .count = 1,
                         .values = work->value,
                         .value_count = 1,
                         .deadline = APR_INT64_MAX,
                         .outcomes = &work->outcome,
                         .p = ptemp};

    return work->value ? batch_tx_rows_update(tx, &rows) : batch_tx_rows_delete(tx, &rows);
}

static apr_status_t touch(const char *key, batch_value_t *value, batch_row_result_e *result)
{
    row_work_t work = {{.key = key, .key_length = strlen(key)}, {0}, value};
    apr_status_t rv = batch_store_write(store, row_body, &work, &err, pool);

    *result = work.outcome.result;
    return rv;
}

#define WRITTEN     "code, name, kind, quantity, size, checked"
#define CHANGED     "code, name, quantity, size, checked"
#define MERGE_GRANT "GRANT SELECT ON full_rows TO batch_limited; "

/* What is granted is all that is needed, and all that is needed is asked for. */
static void test_merge_privileges(void)
{
    work_t work = {.count = 0};

    grant(MERGE_GRANT "GRANT INSERT (id, org, " WRITTEN ", created_at, updated_at, created_by, "
                      "updated_by), UPDATE (" CHANGED ", updated_at, updated_by) "
                      "ON full_rows TO batch_limited");
    add_item(&work, BATCH_ITEM_MATCH, "n1", "code=c1", "name=new", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "n2", "code=c9", "name=new", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=other", "quantity=3", NULL);
    is_string(work_as_role(&work, BATCH_ACTION_MERGE), "ACA", "a merge with grants on columns");
    resource.actions = 1u << BATCH_ACTION_OVERWRITE | 1u << BATCH_ACTION_MERGE;
    is_string(ruled_out(), "overwrite", "an overwrite needs more");
    is_string(
        misfits(),
        "BatchActions: role \"batch_limited\" lacks the privilege DELETE on table \"full_rows\"",
        "DELETE");
    grant("GRANT SELECT, UPDATE, DELETE ON full_rows TO batch_limited");
    is_string(ruled_out(), "merge, overwrite", "rows cannot be made");
    ok(strstr(misfits(),
              "lacks the privilege INSERT on table \"full_rows\" (columns \"id\", \"org\""),
       "without INSERT");
    is_number(merge(&work), BATCH_EUNFIT, "and no item is blamed for it");
    ok(strstr(err.message, "permission denied"), "but the database's reason told: %s", err.message);
    grant("GRANT SELECT, INSERT ON full_rows TO batch_limited");
    ok(strstr(misfits(), "lacks the privilege UPDATE"), "nor without UPDATE");
    grant("GRANT INSERT, UPDATE, SELECT (id, org, code, kind) ON full_rows TO batch_limited");
    ok(strstr(misfits(), "lacks the privilege SELECT"), "nor with SELECT on columns alone");
}

static void test_row_privileges(void)
{
    batch_value_t value = {"name", "touched", BATCH_KIND_STRING};
    batch_row_result_e result;

    resource.actions = 1u << BATCH_ACTION_DELETE | 1u << BATCH_ACTION_UPDATE;
    grant("GRANT SELECT (id, org), UPDATE (" WRITTEN ", updated_at, updated_by) ON full_rows "
          "TO batch_limited");
    is_string(ruled_out(), "delete", "an update with grants on columns; no delete");
    is_number(touch("a1", &value, &result), APR_SUCCESS, "works");
    is_number(result, BATCH_ROW_APPLIED, "and changes the row");
    is_number(touch("a1", NULL, &result), BATCH_EUNFIT, "a delete does not");
    grant("GRANT SELECT (id, org), DELETE ON full_rows TO batch_limited");
    is_string(ruled_out(), "update", "a delete with SELECT on columns; no update");
    is_number(touch("a1", NULL, &result), APR_SUCCESS, "works");
    is_number(result, BATCH_ROW_APPLIED, "and removes the row");
    is_number(touch("a2", &value, &result), BATCH_EUNFIT, "an update does not");
    grant("GRANT DELETE, UPDATE ON full_rows TO batch_limited");
    is_string(ruled_out(), "delete, update", "neither without SELECT");
}

/* What a trigger may not is told from what it refuses. */
static void test_trigger_privileges(void)
{
    work_t work = {.count = 0};

    make_resource();
    grant("GRANT ALL ON full_rows TO batch_limited");
    guard("INSERT", "true", "INSERT INTO log VALUES ('x')");
    add_item(&work, BATCH_ITEM_NEW, "n5", "code=c5", NULL);
    is_string(misfits(), "", "a trigger's privileges are not to be seen");
    is_number(merge(&work), BATCH_EUNFIT, "a table that it may not write is no item's fault");
    drop_guard();
    guard("INSERT", "true", "RAISE insufficient_privilege");
    is_string(letters(&work), "R", "what it says of the row is");
    drop_guard();
    native(path,
           "ALTER TABLE full_rows ENABLE ROW LEVEL SECURITY; CREATE POLICY not_five ON full_rows "
           "USING (code <> 'c5')");
    is_string(letters(&work), "R", "so is a policy that the row does not meet");
    ok(strstr(doubts(), "row-level security is in force on table \"full_rows\""),
       "policies leave a doubt");
    native(path,
           "ALTER TABLE full_rows DISABLE ROW LEVEL SECURITY; DROP POLICY not_five ON full_rows");
}

static void test_sequences(void)
{
    make_resource();
    native(path, "ALTER TABLE full_rows ADD number serial");
    is_string(misfits(),
              "BatchTable: role \"batch_limited\" lacks the privilege USAGE on sequence "
              "\"full_rows_number_seq\" of table \"full_rows\"",
              "a sequence that new rows need");
    native(path, "GRANT USAGE ON SEQUENCE full_rows_number_seq TO batch_limited");
    is_string(misfits(), "", "USAGE will do");
    native(path, "ALTER TABLE full_rows ADD other INTEGER GENERATED ALWAYS AS IDENTITY");
    is_string(misfits(), "", "an identity needs none");
}

static void test_forms(void)
{
    make_resource();
    resource.actions = 1u << BATCH_ACTION_DELETE;
    resource.form_column = "kind";
    resource.form_table = "sheets";
    resource.form_id = "id";
    resource.form_scope = "org";
    native(path, "CREATE TABLE sheets (id TEXT, org TEXT)");
    is_string(misfits(),
              "BatchForm: role \"batch_limited\" lacks the privilege SELECT on table \"sheets\" "
              "(columns \"id\", \"org\")",
              "the table of forms");
    native(path, "GRANT SELECT ON sheets TO batch_limited");
    is_string(misfits(), "", "is only read");
    make_resource();
}

static void test_privileges(void)
{
    batch_store_t *owners = store;

    make_full_rows();
    native(path, "DROP ROLE IF EXISTS batch_limited");
    native(path, apr_psprintf(pool,
                              "CREATE ROLE batch_limited LOGIN; GRANT USAGE, CREATE ON SCHEMA "
                              "unit_%ld TO batch_limited",
                              (long)getpid()));
    batch_store_migrate(store, &err, pool);
    native(path,
           "GRANT ALL ON ALL TABLES IN SCHEMA public TO batch_limited; DO $$ DECLARE name text; "
           "BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
           "AND tablename LIKE 'batch%' LOOP EXECUTE 'GRANT ALL ON ' || name || ' TO "
           "batch_limited'; END LOOP; END $$");
    store = open_store(apr_pstrcat(pool, path, " user=batch_limited", NULL), 5000);
    test_merge_privileges();
    test_row_privileges();
    test_trigger_privileges();
    test_sequences();
    test_forms();
    batch_store_destroy(store);
    store = owners;
    native(path, "DROP OWNED BY batch_limited; DROP ROLE batch_limited");
}

/* ---- In service --------------------------------------------------------------------------------
 */

static batch_fitness_t *make_fitness(void)
{
    apr_hash_t *resources = apr_hash_make(pool);
    batch_fitness_t *fitness;

    make_resource();
    resource.file = "batch.conf";
    resource.line = 7;
    resource.actions = 1u << BATCH_ACTION_MERGE | 1u << BATCH_ACTION_DELETE;
    apr_hash_set(resources, resource.name, APR_HASH_KEY_STRING, &resource);
    is_number(batch_fitness_create(&fitness, resources, &err, pool), APR_SUCCESS, "made");
    return fitness;
}

static int serves(const batch_fitness_t *fitness, batch_action_e action)
{
    return batch_fitness_serves(fitness, &resource, action);
}

static apr_status_t ask(batch_fitness_t *fitness, batch_action_e action)
{
    return batch_fitness_ask(fitness, store, &resource, action, &err, pool);
}

static void test_looks(void)
{
    batch_fitness_t *fitness = make_fitness();
    batch_resource_t stranger = resource;

    make_full_rows();
    resource.actions = 1u << BATCH_ACTION_MERGE | 1u << BATCH_ACTION_DELETE;
    stranger.name = "stranger";
    ok(!serves(fitness, BATCH_ACTION_MERGE), "of what nobody has looked at nothing is in service");
    ok(batch_fitness_serves(fitness, &stranger, BATCH_ACTION_MERGE), "but what is not of it is");
    log_lines = 0;
    is_number(ask(fitness, BATCH_ACTION_MERGE), APR_SUCCESS, "who asks looks");
    ok(serves(fitness, BATCH_ACTION_MERGE) && serves(fitness, BATCH_ACTION_DELETE), "for all");
    is_number(log_lines, 0, "and says nothing");
    native(path, "ALTER TABLE full_rows RENAME TO elsewhere");
    ok(serves(fitness, BATCH_ACTION_MERGE), "nobody looks again while all is well");
    is_number(batch_fitness_doubt(fitness, store, &resource, BATCH_ACTION_MERGE,
                                  &(batch_error_t){.message = "a statement failed"}, pool),
              APR_SUCCESS, "until a statement fails");
    ok(!serves(fitness, BATCH_ACTION_MERGE) && !serves(fitness, BATCH_ACTION_DELETE),
       "then it is out of service");
    is_string(
        last_log,
        "MB0111: batch.conf:7: <BatchResource full> is out of service (merge, delete) until "
        "it fits the database: BatchTable: there is no table \"full_rows\" (a view will not do)",
        "with the reason");
    is_number(ask(fitness, BATCH_ACTION_DELETE), BATCH_EUNFIT, "and stays so");
    apr_sleep(apr_time_from_msec(1100));
    is_number(ask(fitness, BATCH_ACTION_DELETE), BATCH_EUNFIT, "looked at again or not");
    is_number(log_lines, 1, "what is known is logged once");
    native(path, "ALTER TABLE elsewhere RENAME TO full_rows");
    apr_sleep(apr_time_from_msec(1100));
    is_number(ask(fitness, BATCH_ACTION_DELETE), APR_SUCCESS, "until it fits");
    is_string(last_log, "MB0112: <BatchResource full> fits the database again and is in service",
              "which is logged");
}

static void test_tending(void)
{
    batch_fitness_t *fitness = make_fitness();
    batch_store_t *none = open_store(by_driver("/nowhere/at/all.db", "host=/nowhere"), 100);

    make_full_rows();
    is_number(batch_fitness_tend(fitness, none, pool), 0, "a database that cannot be asked");
    ok(!serves(fitness, BATCH_ACTION_MERGE), "tells nothing");
    batch_store_destroy(none);
    apr_sleep(apr_time_from_msec(1100));
    is_number(batch_fitness_tend(fitness, store, pool), 1, "a look that is due");
    ok(serves(fitness, BATCH_ACTION_MERGE), "brings into service");
    is_number(batch_fitness_tend(fitness, store, pool), 0, "what is in service is left alone");
}

static void test_suspension(void)
{
    batch_fitness_t *fitness = make_fitness();
    const batch_error_t cause = {.message = "permission denied for table log"};

    make_full_rows();
    resource.actions = 1u << BATCH_ACTION_MERGE | 1u << BATCH_ACTION_DELETE;
    is_number(ask(fitness, BATCH_ACTION_MERGE), APR_SUCCESS, "a resource that fits");
    log_lines = 0;
    is_number(batch_fitness_doubt(fitness, store, &resource, BATCH_ACTION_MERGE, &cause, pool),
              APR_SUCCESS, "but the database refuses its statements");
    ok(!serves(fitness, BATCH_ACTION_MERGE), "the action is suspended");
    ok(serves(fitness, BATCH_ACTION_DELETE), "no other is");
    is_string(last_log,
              "MB0113: batch.conf:7: <BatchResource full> is out of service (merge) and tried "
              "again every 5 seconds: permission denied for table log",
              "with the database's reason");
    batch_fitness_doubt(fitness, store, &resource, BATCH_ACTION_MERGE, &cause, pool);
    is_number(log_lines, 1, "the same is not logged again and again");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    store = open_store(path, 5000);
    test_client_keys();
    test_database_keys();
    test_scope();
    if (is_pgsql()) {
        test_privileges();
    }
    test_looks();
    test_tending();
    test_suspension();
    batch_store_destroy(store);
    return fixture_end();
}

/*
 * PostgreSQL: what is remembered of a table's indexes, triggers and defaults, and whether it is
 * noticed, before rows are touched, that it has changed.
 */
/* needs: pgsql */
#include "pgsql_matched.h"

#include "store/pgsql/facts.h"

/* ---- A connection that remembers ---------------------------------------------------------------
 */

#define RULES 7

typedef struct look {
    int fresh;    /* looks at the table anew; else it is guarded */
    int noticed;  /* the guard has failed */
    int is_plain; /* the guard compares versions */
    int prepared; /* statements that the connection kept */
    char is[RULES + 1];
} look_t;

static void keep_rules(look_t *look, const batch_pgsql_rules_t *rules)
{
    const int is[RULES] = {rules->key_unique, rules->match_unique,  rules->match_indexed,
                           rules->walk_scope, rules->before_insert, rules->may_offer,
                           rules->alters};
    int i;

    for (i = 0; i < RULES; i++) {
        look->is[i] = is[i] ? '1' : '0';
    }
    look->is_plain = rules->relation != NULL;
}

static apr_status_t look_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    look_t *look = baton;
    batch_connection_t *connection = tx->connection;
    batch_pgsql_table_t *table = NULL;
    batch_pgsql_rules_t *rules = NULL;
    batch_failure_e failure;

    (void)ptemp;
    memset(look->is, 0, sizeof(look->is));
    failure = batch_pgsql_queue_text(connection,
                                     "SELECT set_config('search_path', 'nearer, ' || "
                                     "current_setting('search_path'), true)",
                                     BATCH_PGSQL_OWN);
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_table(connection, &table, resource.table, look->fresh);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_rules(connection, &rules, table, &resource);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return APR_EGENERAL;
    }
    keep_rules(look, rules);
    failure = batch_pgsql_queue_text(connection, "SAVEPOINT guarded", BATCH_PGSQL_OWN);
    if (failure == BATCH_FAILURE_NONE && !look->fresh) {
        failure = batch_pgsql_rules_guard(connection, rules, &resource);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_flush(connection, NULL);
    }
    look->noticed = failure == BATCH_FAILURE_REFUSED;
    look->prepared = (int)apr_hash_count(connection->by_text);
    batch_pgsql_forgive(connection);
    failure = batch_pgsql_queue_text(connection, "ROLLBACK TO SAVEPOINT guarded", BATCH_PGSQL_OWN);
    return failure == BATCH_FAILURE_NONE ? APR_SUCCESS : APR_EGENERAL;
}

/* The rules, looked up (fresh), or as they are remembered, and guarded. */
static look_t look_at(int fresh)
{
    look_t look = {.fresh = fresh};
    apr_status_t rv = batch_store_write(store, look_body, &look, &err, pool);

    if (rv != APR_SUCCESS) {
        printf("# status %d: %s\n", rv, err.message ? err.message : "nothing");
        ok(0, "the table is looked at");
    }
    return look;
}

/* ---- Changes -----------------------------------------------------------------------------------
 */

#define PLAIN 1 /* the guard compares versions, as the table is before the change */

#define KEYED "\"Id\" text PRIMARY KEY, org bigint, code text, name text, count integer"
#define USUAL KEYED ", UNIQUE (org, code)"
#define OWN(when)                                                                                  \
    "CREATE TRIGGER own " when " ON \"Matched\" FOR EACH ROW EXECUTE FUNCTION noted();"

static const struct {
    const char *what;
    int flags;
    const char *columns; /* of the table */
    const char *before;  /* more that is done, or NULL */
    const char *change;  /* one transaction */
} changes[] = {
    {"a unique index is gone", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" DROP CONSTRAINT \"Matched_org_code_key\""},
    {"the primary key is gone", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" DROP CONSTRAINT \"Matched_pkey\""},
    {"a unique index is new", PLAIN, KEYED, NULL, "CREATE UNIQUE INDEX ON \"Matched\" (org, code)"},
    {"a constraint is new", PLAIN, KEYED, NULL, "ALTER TABLE \"Matched\" ADD UNIQUE (org, code)"},
    {"an index for walks is new", PLAIN, USUAL, NULL, "CREATE INDEX ON \"Matched\" (org, \"Id\")"},
    {"an index for matches is new", PLAIN, KEYED, NULL, "CREATE INDEX ON \"Matched\" (code)"},
    {"one is another, in one transaction", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" DROP CONSTRAINT \"Matched_org_code_key\"; CREATE UNIQUE INDEX ON "
     "\"Matched\" (org, name)"},
    {"one is deferrable now", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" DROP CONSTRAINT \"Matched_org_code_key\"; ALTER TABLE \"Matched\" "
     "ADD UNIQUE (org, code) DEFERRABLE"},
    {"one is for some rows now", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" DROP CONSTRAINT \"Matched_org_code_key\"; CREATE UNIQUE INDEX ON "
     "\"Matched\" (org, code) WHERE count = 1"},
    {"one is by other operators now", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" DROP CONSTRAINT \"Matched_org_code_key\"; CREATE UNIQUE INDEX ON "
     "\"Matched\" (org, code text_pattern_ops)"},
    {"one is made beside others' work", PLAIN, KEYED, NULL,
     "CREATE UNIQUE INDEX CONCURRENTLY ON \"Matched\" (org, code)"},
    {"one is dropped beside others' work", PLAIN, KEYED,
     "CREATE UNIQUE INDEX made ON \"Matched\" (org, code)", "DROP INDEX CONCURRENTLY made"},
    {"one becomes valid", PLAIN, KEYED,
     "CREATE UNIQUE INDEX made ON \"Matched\" (org, code); UPDATE pg_index SET indisvalid = false "
     "WHERE indexrelid = 'made'::regclass",
     "REINDEX INDEX made"},
    {"the first trigger is new", PLAIN, USUAL, NULL, OWN("BEFORE INSERT")},
    {"one that runs behind", PLAIN, USUAL, NULL, OWN("AFTER INSERT")},
    {"another trigger is new", PLAIN, USUAL, OWN("AFTER DELETE"),
     "CREATE TRIGGER more BEFORE INSERT ON \"Matched\" FOR EACH ROW EXECUTE FUNCTION noted()"},
    {"a trigger is gone", PLAIN, USUAL, OWN("BEFORE INSERT"), "DROP TRIGGER own ON \"Matched\""},
    {"a trigger is another", PLAIN, USUAL, OWN("AFTER INSERT"),
     "DROP TRIGGER own ON \"Matched\"; " OWN("BEFORE INSERT")},
    {"a trigger is off", PLAIN, USUAL, OWN("BEFORE INSERT"),
     "ALTER TABLE \"Matched\" DISABLE TRIGGER own"},
    {"a trigger is on", PLAIN, USUAL,
     OWN("BEFORE INSERT") "ALTER TABLE \"Matched\" DISABLE TRIGGER own",
     "ALTER TABLE \"Matched\" ENABLE TRIGGER own"},
    {"triggers are off", PLAIN, USUAL, OWN("BEFORE INSERT"),
     "ALTER TABLE \"Matched\" DISABLE TRIGGER USER"},
    {"a default is new", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" ALTER name SET DEFAULT random()::text"},
    {"a default is another", PLAIN, USUAL, "ALTER TABLE \"Matched\" ALTER name SET DEFAULT 'x'",
     "ALTER TABLE \"Matched\" ALTER name SET DEFAULT random()::text"},
    {"a default is gone", PLAIN, USUAL,
     "ALTER TABLE \"Matched\" ALTER name SET DEFAULT random()::text",
     "ALTER TABLE \"Matched\" ALTER name DROP DEFAULT"},
    {"a default goes with what it calls", PLAIN, USUAL,
     "CREATE SEQUENCE numbers; ALTER TABLE \"Matched\" ALTER count SET DEFAULT nextval('numbers')",
     "DROP SEQUENCE numbers CASCADE"},
    {"a column has an identity", PLAIN, USUAL, "ALTER TABLE \"Matched\" ALTER count SET NOT NULL",
     "ALTER TABLE \"Matched\" ALTER count ADD GENERATED BY DEFAULT AS IDENTITY"},
    {"it has none any more", PLAIN, USUAL,
     "ALTER TABLE \"Matched\" ADD more bigint GENERATED BY DEFAULT AS IDENTITY",
     "ALTER TABLE \"Matched\" ALTER more DROP IDENTITY"},
    {"a column is new", PLAIN, USUAL, NULL, "ALTER TABLE \"Matched\" ADD serial bigserial"},
    {"a column is gone", PLAIN, USUAL, "ALTER TABLE \"Matched\" ADD serial bigserial",
     "ALTER TABLE \"Matched\" DROP serial"},
    {"a column of a unique index is gone", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" DROP code; ALTER TABLE \"Matched\" ADD code text"},
    {"columns change their names", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" RENAME code TO other; ALTER TABLE \"Matched\" RENAME name TO code; "
     "ALTER TABLE \"Matched\" RENAME other TO name"},
    {"a column is of another type", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" ALTER code TYPE name"},
    {"a column is rounded", PLAIN, USUAL, NULL,
     "ALTER TABLE \"Matched\" ALTER code TYPE numeric(6, 2) USING 1"},
    {"a rule is new", PLAIN, USUAL, NULL,
     "CREATE RULE own AS ON DELETE TO \"Matched\" WHERE false DO INSTEAD NOTHING"},
    {"row security", PLAIN, USUAL, NULL, "ALTER TABLE \"Matched\" ENABLE ROW LEVEL SECURITY"},
    {"no row security", 0, USUAL, "ALTER TABLE \"Matched\" ENABLE ROW LEVEL SECURITY",
     "ALTER TABLE \"Matched\" DISABLE ROW LEVEL SECURITY"},
    {"a child", PLAIN, USUAL, NULL, "CREATE TABLE child () INHERITS (\"Matched\")"},
    {"a trigger of a child", 0, USUAL, "CREATE TABLE child () INHERITS (\"Matched\")",
     "CREATE TRIGGER own AFTER UPDATE ON child FOR EACH ROW EXECUTE FUNCTION noted()"},
    {"a domain has a default", 0, USUAL ", more counted", NULL,
     "ALTER DOMAIN counted SET DEFAULT 5"},
    {"a column is of a domain", PLAIN, USUAL ", more bigint", "ALTER DOMAIN counted SET DEFAULT 5",
     "ALTER TABLE \"Matched\" ALTER more TYPE counted"},
    {"the table is another", PLAIN, USUAL, NULL,
     "DROP TABLE \"Matched\"; CREATE TABLE \"Matched\" (" KEYED ", UNIQUE (org, name))"},
    {"another table has taken its name", PLAIN, USUAL,
     "CREATE TABLE other (" KEYED ", UNIQUE (org, name))",
     "ALTER TABLE \"Matched\" RENAME TO older; ALTER TABLE other RENAME TO \"Matched\""},
    {"a table in front of it on the path", PLAIN, USUAL, NULL,
     "CREATE TABLE nearer.\"Matched\" (" KEYED ", UNIQUE (org, name))"},
    {"there is none any more", PLAIN, USUAL, NULL, "DROP TABLE \"Matched\""},
    {"there is one", 0, USUAL, "DROP TABLE \"Matched\"", "CREATE TABLE \"Matched\" (" USUAL ")"},
    {"it is one of partitions", PLAIN, USUAL, NULL,
     "DROP TABLE \"Matched\"; CREATE TABLE \"Matched\" (org bigint, code text) PARTITION BY LIST "
     "(org)"}};

static void change(const char *sql)
{
    const char *answer = native(path, sql);

    if (!strncmp(answer, "error: ", 7)) {
        ok(0, "%s", sql);
    }
}

static void make(const char *columns, const char *before)
{
    change(
        apr_psprintf(pool,
                     "SET client_min_messages = error; DROP TABLE IF EXISTS \"Matched\", older, "
                     "other CASCADE; DROP SCHEMA IF EXISTS nearer CASCADE; DROP SEQUENCE IF EXISTS "
                     "numbers; DROP DOMAIN IF EXISTS counted; CREATE SCHEMA nearer; CREATE DOMAIN "
                     "counted AS bigint; CREATE OR REPLACE FUNCTION noted() RETURNS trigger "
                     "LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TABLE "
                     "\"Matched\" (%s); %s",
                     columns, before ? before : ""));
}

static void test_changes(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        look_t first, same, after, now;

        make(changes[i].columns, changes[i].before);
        first = look_at(1);
        same = look_at(0);
        change(changes[i].change);
        after = look_at(0);
        now = look_at(1);
        is_number(first.is_plain, changes[i].flags & PLAIN, changes[i].what);
        ok(!same.noticed, "nothing is noticed before it");
        ok(strcmp(first.is, now.is) != 0, "other rules hold (%s, were %s)", now.is, first.is);
        ok(after.noticed, "which is noticed");
    }
}

/* As many indexes as before, and the youngest transaction is the one that it was. */
static void test_order(void)
{
    holder_t holder = {0};
    look_t first, after;

    make(KEYED, NULL);
    hold(&holder, "BEGIN; SELECT txid_current()");
    change("CREATE UNIQUE INDEX made ON \"Matched\" (org, code); CREATE INDEX ON \"Matched\" (org, "
           "\"Id\")");
    first = look_at(1);
    PQclear(PQexec(holder.connection, "DROP INDEX made; CREATE UNIQUE INDEX made ON \"Matched\" "
                                      "(org, name); COMMIT"));
    after = look_at(0);
    let_go_of(&holder);
    is_string(first.is, "1111010", "a table with indexes");
    is_string(look_at(1).is, "1001000", "a transaction that began before them puts another there");
    ok(after.noticed, "which is noticed");
}

/* What is done to a table from day to day. */
static void test_nothing(void)
{
    look_t look;
    int i, prepared = 0;

    make(USUAL, OWN("BEFORE INSERT"));
    look = look_at(1);
    change("INSERT INTO \"Matched\" SELECT i, i, i, i, i FROM generate_series(1, 1000) AS n (i)");
    change("VACUUM (FREEZE, ANALYZE) \"Matched\"");
    change("TRUNCATE \"Matched\"");
    change("VACUUM FULL \"Matched\"");
    change("REINDEX TABLE \"Matched\"");
    change("CREATE INDEX ON batch_jobs (expires_at); CREATE TABLE other (LIKE \"Matched\")");
    ok(!look_at(0).noticed, "rows and their places are no change");
    is_string(look.is, look_at(1).is, "of the rules");
    for (i = 0; i < 20; i++) {
        change(apr_psprintf(pool, "ALTER TABLE \"Matched\" ADD more_%d text", i));
        look = look_at(0);
        ok(look.noticed, "a column that may be one");
        look_at(1);
        look = look_at(0);
        ok(!look.noticed, "is looked at once");
        if (i == 0) {
            prepared = look.prepared;
        }
    }
    is_number(look.prepared, prepared, "by the same statements each time");
}

int main(int argc, char **argv)
{
    int code;

    if (!begin_matched(&code, argc, argv)) {
        return code;
    }
    test_changes();
    test_order();
    test_nothing();
    change("DROP SCHEMA nearer CASCADE");
    batch_store_destroy(store);
    return fixture_end();
}

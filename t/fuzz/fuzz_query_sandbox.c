/*
 * Fuzz target: the second way. A query that is checked is compiled, and run by a SQLite database
 * under the sandbox's authorizer: which takes all that is compiled, and only ever reads. Nothing of
 * the client's text is in what SQLite gets.
 */
#include <stdint.h>

#include <apr_general.h>

#include "query/sandbox.h"
#include "query_fixture.h"

#define MOST_NAMES 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static apr_pool_t *root;
static sqlite3 *database;
static batch_query_room_t room;
static batch_sandbox_calls_t calls = {.room = &room};
static int fills;

/* A value for a column of that kind, as SQL; members have any. */
static const char *value_of(const batch_query_schema_t *schema, int column, int row)
{
    static const char *const members[] = {"1", "'x'", "x'01'", "2.5", "NULL", "'2'", "x'00'", "''"};
    static const char *const values[][3] = {
        [BATCH_QUERY_BOOLEAN] = {"0", "1", "NULL"},
        [BATCH_QUERY_INTEGER] = {"1", "NULL", "7"},
        [BATCH_QUERY_NUMBER] = {"2.5", "3", "NULL"},
        [BATCH_QUERY_TEXT] = {"'a'", "''", "NULL"},
        [BATCH_QUERY_DATE] = {"0", "86400000000", "NULL"},
        [BATCH_QUERY_TIMESTAMP] = {"1", "NULL", "7000000"},
        /* 12.5 and 0, as decimals.c keeps them */
        [BATCH_QUERY_DECIMAL] = {"'2500002125'", "'1'", "NULL"}};

    return column < schema->columns->nelts
               ? values[APR_ARRAY_IDX(schema->columns, column, batch_query_column_t).kind][row]
               : members[(column + 3 * row) % 8];
}

static void make_table(const batch_query_schema_t *schema, int number)
{
    const char *columns = "k";

    for (int column = 0; column < MOST_NAMES; column++) {
        columns = apr_psprintf(root, "%s, n%d", columns, column);
    }
    check(sqlite3_exec(database, apr_psprintf(root, "CREATE TABLE t%d (%s)", number, columns), NULL,
                       NULL, NULL) == SQLITE_OK);
    for (int row = 0; row < 3; row++) {
        const char *values = apr_psprintf(root, "'r%d'", row);

        for (int column = 0; column < MOST_NAMES; column++) {
            values = apr_pstrcat(root, values, ", ", value_of(schema, column, row), NULL);
        }
        check(sqlite3_exec(database,
                           apr_psprintf(root, "INSERT INTO t%d VALUES (%s)", number, values), NULL,
                           NULL, NULL) == SQLITE_OK);
    }
}

/* Tables for all names that a short query can have: the forms' columns, then members. */
static void make_database(void)
{
    const batch_query_schema_t *schema;

    apr_initialize();
    apr_pool_create(&root, NULL);
    apr_pool_create(&room.p, root);
    room.most = 1024 * 1024;
    schema = batch_query_schema_make(resource_make(root), root);
    check(sqlite3_open(":memory:", &database) == SQLITE_OK);
    check(batch_sandbox_functions(database, &calls) == SQLITE_OK);
    for (int form = 0; form < BATCH_QUERY_SOURCES; form++) {
        make_table(schema, form);
    }
    check(batch_sandbox_harden(database, &fills) == SQLITE_OK);
}

/* Steps of SQLite's machine: a product of many tables would take for ever. */
static int give_up(void *baton)
{
    return ++*(int *)baton > 50;
}

/* Outside of the sandbox. */
static void prepare_tables(const char *before, const batch_compiled_t *compiled)
{
    int i;

    sqlite3_set_authorizer(database, NULL, NULL);
    for (i = 0; i < compiled->withs->nelts; i++) {
        const char *create = APR_ARRAY_IDX(compiled->withs, i, batch_compiled_with_t).create;
        const char *sql = create;

        if (*before) { /* the table's name alone */
            sql =
                apr_psprintf(room.p, "%s%.*s", before, (int)strcspn(create + 13, " "), create + 13);
        }
        check(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK);
    }
    check(batch_sandbox_harden(database, &fills) == SQLITE_OK);
}

static void run(const char *sql, const batch_compiled_t *compiled)
{
    sqlite3_stmt *statement = NULL;
    const char *tail = NULL;
    int ticks = 0, rows = 0, count, i;

    check(!strpbrk(sql, "\"';`[") && !strstr(sql, "--") && !strstr(sql, "sqlite_"));
    sqlite3_progress_handler(database, 1000, give_up, &ticks);
    check(sqlite3_prepare_v2(database, sql, -1, &statement, &tail) == SQLITE_OK);
    check(statement && !*tail && sqlite3_stmt_readonly(statement) == !fills);
    count = sqlite3_bind_parameter_count(statement);
    for (i = 0; i < count; i++) {
        const batch_node_t *node = APR_ARRAY_IDX(compiled->constants, i, const batch_node_t *);
        check(batch_sandbox_bind(statement, i + 1, &node->value, node->kind) == SQLITE_OK);
    }
    while (sqlite3_step(statement) == SQLITE_ROW && rows < 100) {
        rows++;
    }
    sqlite3_finalize(statement);
}

static int has(void *baton, const batch_source_t *form, const char *name)
{
    (void)baton;
    return name[0] == 'q' ? 0 : form->number % 3 ? 1 : -1;
}

static void offer(void *baton, batch_near_t *near)
{
    (void)baton;
    batch_near_offer(near, "height", 6);
}

/* The places of all names, as the tables have them; 0: there are too many. */
static int find_places(apr_hash_t *places, const batch_statement_t *statement,
                       const batch_query_schema_t *schema, apr_pool_t *p)
{
    int names = statement->names->nelts, i;

    for (i = 0; i < schema->columns->nelts + names; i++) {
        const char *name = i < schema->columns->nelts
                               ? APR_ARRAY_IDX(schema->columns, i, batch_query_column_t).name
                               : APR_ARRAY_IDX(statement->names, i - schema->columns->nelts,
                                               batch_query_name_use_t)
                                     .name;
        int number = (int)apr_hash_count(places);

        if (!apr_hash_get(places, name, APR_HASH_KEY_STRING)) {
            apr_hash_set(places, name, APR_HASH_KEY_STRING,
                         apr_pmemdup(p, &number, sizeof(number)));
        }
    }
    return apr_hash_count(places) <= MOST_NAMES;
}

static void compile_and_run(const batch_statement_t *statement, batch_query_text_t *text,
                            const batch_query_schema_t *schema, apr_pool_t *p)
{
    int numbers[BATCH_QUERY_SOURCES] = {0}, i;
    batch_compile_tables_t tables = {numbers, apr_hash_make(p)};
    batch_compiled_t compiled;

    for (i = 0; i < BATCH_QUERY_SOURCES; i++) {
        numbers[i] = i / 2;
    }
    if (!find_places(tables.columns, statement, schema, p)) {
        return;
    }
    if (!batch_query_compile(&compiled, statement, &tables, text)) {
        check(text->fault != NULL);
        return;
    }
    calls.compiled = &compiled;
    prepare_tables("", &compiled);
    fills = 1;
    for (i = 0; i < compiled.withs->nelts; i++) {
        run(APR_ARRAY_IDX(compiled.withs, i, batch_compiled_with_t).fill, &compiled);
    }
    fills = 0;
    run(compiled.sql, &compiled);
    prepare_tables("DROP TABLE ", &compiled);
    batch_sandbox_free_sets(&calls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    batch_membership_t membership = {has, offer, NULL};
    const batch_query_schema_t *schema;
    batch_statement_t *statement;
    batch_query_text_t text;
    apr_pool_t *p;

    if (!root) {
        make_database();
    }
    if (size > 4096) {
        return 0;
    }
    apr_pool_create(&p, root);
    schema = batch_query_schema_make(resource_make(p), p);
    batch_query_lex(&text, apr_pstrmemdup(p, (const char *)data, size), p);
    statement = batch_query_parse(&text);
    if (statement && batch_query_check_statement(statement, &text, schema, &membership, 0)) {
        compile_and_run(statement, &text, schema, p);
    } else {
        check(text.fault != NULL);
    }
    apr_pool_destroy(p);
    return 0;
}

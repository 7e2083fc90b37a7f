/*
 * Fuzz target: the second way. A query is put together from its tokens and prepared by a SQLite
 * database under the sandbox's authorizer; only reading is ever let through, and nothing of the
 * client's names is in what SQLite gets.
 */
#include <stdint.h>

#include <apr_general.h>

#include "query/sandbox.h"
#include "query_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static apr_pool_t *root;
static sqlite3 *database;
static batch_query_room_t room;

/* Tables for all names that a short query can have. */
static void make_database(void)
{
    apr_initialize();
    apr_pool_create(&root, NULL);
    apr_pool_create(&room.p, root);
    room.most = 1024 * 1024;
    check(sqlite3_open(":memory:", &database) == SQLITE_OK);
    check(batch_sandbox_functions(database, &room) == SQLITE_OK);
    for (int form = 1; form < 12; form++) {
        const char *columns = "k";

        for (int column = 0; column < 20; column++) {
            columns = apr_psprintf(root, "%s, n%d", columns, column);
        }
        check(
            sqlite3_exec(database,
                         apr_psprintf(root,
                                      "CREATE TABLE t%d (%s); INSERT INTO t%d (k, n2, n3) VALUES "
                                      "('a', 1, 'x'), ('b', 2.5, NULL); CREATE VIEW n%d AS SELECT "
                                      "%s FROM t%d",
                                      form, columns, form, form, columns, form),
                         NULL, NULL, NULL) == SQLITE_OK);
    }
    batch_sandbox_harden(database);
}

/* Steps of SQLite's machine: a product of many tables would take for ever. */
static int give_up(void *baton)
{
    return ++*(int *)baton > 50;
}

static void run(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    const char *tail = NULL;
    int ticks = 0, rows = 0;

    sqlite3_progress_handler(database, 1000, give_up, &ticks);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, &tail) == SQLITE_OK && statement) {
        check(!*tail);
        check(sqlite3_stmt_readonly(statement));
        while (sqlite3_step(statement) == SQLITE_ROW && rows < 100) {
            rows++;
        }
    }
    sqlite3_finalize(statement);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    batch_limits_t limits = {.max_objects = 10, .query_memory = 1024 * 1024};
    batch_query_t query = {.limits = &limits, .organization = "", .form_id = "form"};
    batch_query_run_t state = {.query = &query};
    batch_sandbox_text_t text;
    apr_pool_t *p;

    if (!root) {
        make_database();
    }
    if (size > 4096) {
        return 0;
    }
    apr_pool_create(&p, root);
    query.resource = resource_make(p);
    state.p = p;
    state.schema = batch_query_schema_make(query.resource, p);
    batch_query_lex(&state.text, apr_pstrmemdup(p, (const char *)data, size), p);
    if (!state.text.fault && batch_sandbox_compose(&text, &state)) {
        check(!strstr(text.sql, "sqlite_") || strchr(text.sql, '\''));
        check(!strchr(text.sql, '"') && !strchr(text.sql, ';') ? 1
                                                               : strchr(text.sql, '\'') != NULL);
        check(text.names->nelts <= 200);
        run(text.sql);
    } else {
        check(state.text.fault != NULL);
    }
    apr_pool_destroy(p);
    return 0;
}

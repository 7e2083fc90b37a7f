/* None of the module's own statements may walk a whole table: batches are kept for a month. */
/* needs: nothing */
#include "tap.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "store/schema.h"

static const struct {
    const char *name;
    const char *text;
} statements[] = {
#define NAMED(symbol, text)               {#symbol, text},
#define NAMED_OWN(symbol, sqlite3, pgsql) {#symbol, sqlite3},
    BATCH_STATEMENT_LIST(NAMED, NAMED_OWN)};

static const char *const lists[] = {BATCH_SORT_LIST(BATCH_LIST_ENTRY_SQLITE3)};

#define ADD_COLUMN(table, column, definition)                                                      \
    "ALTER TABLE " table " ADD COLUMN " column " " definition,
static const char *const schema[] = {BATCH_SCHEMA_1_SQLITE3};
static const char *const later[] = {BATCH_ADDED_COLUMN_LIST(ADD_COLUMN) BATCH_SCHEMA_2};

/* apr_dbd's parameters as SQLite's. */
static void translate(char *to, const char *from)
{
    while (*from) {
        if (!strncmp(from, "%lld", 4)) {
            *to++ = '?';
            from += 4;
        } else if (!strncmp(from, "%s", 2)) {
            *to++ = '?';
            from += 2;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* How many tables the statement walks from end to end; -1 if SQLite does not take it. */
static int scans(sqlite3 *db, const char *text)
{
    char sql[4096] = "EXPLAIN QUERY PLAN ";
    sqlite3_stmt *plan;
    int count = 0;

    translate(sql + strlen(sql), text);
    if (sqlite3_prepare_v2(db, sql, -1, &plan, NULL) != SQLITE_OK) {
        printf("# %s: %s\n", sql, sqlite3_errmsg(db));
        return -1;
    }
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        if (!strncmp(detail, "SCAN batch_", 11) || strstr(detail, "TEMP B-TREE")) {
            printf("# %s\n", detail);
            count++;
        }
    }
    sqlite3_finalize(plan);
    return count;
}

static void clock_of_the_test(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    sqlite3_result_int64(context, 1);
}

int main(void)
{
    sqlite3 *db;
    size_t i;

    if (sqlite3_open(":memory:", &db) != SQLITE_OK) {
        return 1;
    }
    sqlite3_create_function(db, "batch_clock", 0, SQLITE_UTF8, NULL, clock_of_the_test, NULL, NULL);
    sqlite3_exec(db, "CREATE TABLE batch_schema (version INTEGER)", NULL, NULL, NULL);
    for (i = 0; schema[i]; i++) {
        is_number(sqlite3_exec(db, schema[i], NULL, NULL, NULL), SQLITE_OK, "a step of the schema");
    }
    for (i = 0; later[i]; i++) {
        is_number(sqlite3_exec(db, later[i], NULL, NULL, NULL), SQLITE_OK, "a later step");
    }
    for (i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
        /* Not that on a table of one row, nor those of the other driver. */
        if (strcmp(statements[i].name, "BATCH_SQL_VERSION") != 0 && statements[i].text) {
            is_number(scans(db, statements[i].text), 0, statements[i].name);
        }
    }
    for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        is_number(scans(db, lists[i]), 0, "a list");
    }
    sqlite3_close(db);
    return tap_end();
}

/*
 * Each driver has a text for each statement that it needs; no name of the module's own tables is a
 * reserved word; and none of the statements walks a whole table: batches are kept for a month.
 */
/* needs: nothing */
#include "tap.h"

#include <stdlib.h>
#include <strings.h>

#include <sqlite3.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/drivers.h"
#include "store/schema.h"

static apr_pool_t *pool;

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

/* ---- Texts ------------------------------------------------------------------------------------
 */

static void test_texts(const batch_driver_t *driver)
{
#define HAS(symbol, text) {symbol, #symbol, 1},
#define MAY(symbol, need) {symbol, #symbol, (need)},
    const struct {
        batch_statement_e symbol;
        const char *name;
        int needed;
    } statements[] = {BATCH_STATEMENT_LIST(HAS, MAY)};
    size_t i;

    for (i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
        const char *text = batch_statement_text(driver, statements[i].symbol);

        is_number(text != NULL, statements[i].needed,
                  apr_psprintf(pool, "%s: %s", driver->name, statements[i].name));
        is_string(batch_statement_name(statements[i].symbol), statements[i].name, "its name");
    }
    for (i = BATCH_SQL_LIST; i < BATCH_SQL_COUNT; i++) {
        ok(batch_statement_text(driver, (batch_statement_e)i) != NULL, "%s: a list", driver->name);
    }
}

/* ---- Names ------------------------------------------------------------------------------------
 */

/* MariaDB's, as of 10.11. */
static const char *const reserved[] = {"ACCESSIBLE",
                                       "ADD",
                                       "ALL",
                                       "ALTER",
                                       "ANALYZE",
                                       "AND",
                                       "AS",
                                       "ASC",
                                       "ASENSITIVE",
                                       "BEFORE",
                                       "BETWEEN",
                                       "BIGINT",
                                       "BINARY",
                                       "BLOB",
                                       "BOTH",
                                       "BY",
                                       "CALL",
                                       "CASCADE",
                                       "CASE",
                                       "CHANGE",
                                       "CHAR",
                                       "CHARACTER",
                                       "CHECK",
                                       "COLLATE",
                                       "COLUMN",
                                       "CONDITION",
                                       "CONSTRAINT",
                                       "CONTINUE",
                                       "CONVERT",
                                       "CREATE",
                                       "CROSS",
                                       "CURRENT_DATE",
                                       "CURRENT_ROLE",
                                       "CURRENT_TIME",
                                       "CURRENT_TIMESTAMP",
                                       "CURRENT_USER",
                                       "CURSOR",
                                       "DATABASE",
                                       "DATABASES",
                                       "DAY_HOUR",
                                       "DAY_MICROSECOND",
                                       "DAY_MINUTE",
                                       "DAY_SECOND",
                                       "DEC",
                                       "DECIMAL",
                                       "DECLARE",
                                       "DEFAULT",
                                       "DELAYED",
                                       "DELETE",
                                       "DELETE_DOMAIN_ID",
                                       "DESC",
                                       "DESCRIBE",
                                       "DETERMINISTIC",
                                       "DISTINCT",
                                       "DISTINCTROW",
                                       "DIV",
                                       "DO_DOMAIN_IDS",
                                       "DOUBLE",
                                       "DROP",
                                       "DUAL",
                                       "EACH",
                                       "ELSE",
                                       "ELSEIF",
                                       "ENCLOSED",
                                       "ESCAPED",
                                       "EXCEPT",
                                       "EXISTS",
                                       "EXIT",
                                       "EXPLAIN",
                                       "FALSE",
                                       "FETCH",
                                       "FLOAT",
                                       "FLOAT4",
                                       "FLOAT8",
                                       "FOR",
                                       "FORCE",
                                       "FOREIGN",
                                       "FROM",
                                       "FULLTEXT",
                                       "GENERAL",
                                       "GRANT",
                                       "GROUP",
                                       "HAVING",
                                       "HIGH_PRIORITY",
                                       "HOUR_MICROSECOND",
                                       "HOUR_MINUTE",
                                       "HOUR_SECOND",
                                       "IF",
                                       "IGNORE",
                                       "IGNORE_DOMAIN_IDS",
                                       "IGNORE_SERVER_IDS",
                                       "IN",
                                       "INDEX",
                                       "INFILE",
                                       "INNER",
                                       "INOUT",
                                       "INSENSITIVE",
                                       "INSERT",
                                       "INT",
                                       "INT1",
                                       "INT2",
                                       "INT3",
                                       "INT4",
                                       "INT8",
                                       "INTEGER",
                                       "INTERSECT",
                                       "INTERVAL",
                                       "INTO",
                                       "IS",
                                       "ITERATE",
                                       "JOIN",
                                       "KEY",
                                       "KEYS",
                                       "KILL",
                                       "LEADING",
                                       "LEAVE",
                                       "LEFT",
                                       "LIKE",
                                       "LIMIT",
                                       "LINEAR",
                                       "LINES",
                                       "LOAD",
                                       "LOCALTIME",
                                       "LOCALTIMESTAMP",
                                       "LOCK",
                                       "LONG",
                                       "LONGBLOB",
                                       "LONGTEXT",
                                       "LOOP",
                                       "LOW_PRIORITY",
                                       "MASTER_HEARTBEAT_PERIOD",
                                       "MASTER_SSL_VERIFY_SERVER_CERT",
                                       "MATCH",
                                       "MAXVALUE",
                                       "MEDIUMBLOB",
                                       "MEDIUMINT",
                                       "MEDIUMTEXT",
                                       "MIDDLEINT",
                                       "MINUTE_MICROSECOND",
                                       "MINUTE_SECOND",
                                       "MOD",
                                       "MODIFIES",
                                       "NATURAL",
                                       "NOT",
                                       "NO_WRITE_TO_BINLOG",
                                       "NULL",
                                       "NUMERIC",
                                       "OFFSET",
                                       "ON",
                                       "OPTIMIZE",
                                       "OPTION",
                                       "OPTIONALLY",
                                       "OR",
                                       "ORDER",
                                       "OUT",
                                       "OUTER",
                                       "OUTFILE",
                                       "OVER",
                                       "PAGE_CHECKSUM",
                                       "PARSE_VCOL_EXPR",
                                       "PARTITION",
                                       "PRECISION",
                                       "PRIMARY",
                                       "PROCEDURE",
                                       "PURGE",
                                       "RANGE",
                                       "READ",
                                       "READS",
                                       "READ_WRITE",
                                       "REAL",
                                       "RECURSIVE",
                                       "REF_SYSTEM_ID",
                                       "REFERENCES",
                                       "REGEXP",
                                       "RELEASE",
                                       "RENAME",
                                       "REPEAT",
                                       "REPLACE",
                                       "REQUIRE",
                                       "RESIGNAL",
                                       "RESTRICT",
                                       "RETURN",
                                       "RETURNING",
                                       "REVOKE",
                                       "RIGHT",
                                       "RLIKE",
                                       "ROW_NUMBER",
                                       "ROWS",
                                       "SCHEMA",
                                       "SCHEMAS",
                                       "SECOND_MICROSECOND",
                                       "SELECT",
                                       "SENSITIVE",
                                       "SEPARATOR",
                                       "SET",
                                       "SHOW",
                                       "SIGNAL",
                                       "SLOW",
                                       "SMALLINT",
                                       "SPATIAL",
                                       "SPECIFIC",
                                       "SQL",
                                       "SQLEXCEPTION",
                                       "SQLSTATE",
                                       "SQLWARNING",
                                       "SQL_BIG_RESULT",
                                       "SQL_CALC_FOUND_ROWS",
                                       "SQL_SMALL_RESULT",
                                       "SSL",
                                       "STARTING",
                                       "STATS_AUTO_RECALC",
                                       "STATS_PERSISTENT",
                                       "STATS_SAMPLE_PAGES",
                                       "STRAIGHT_JOIN",
                                       "TABLE",
                                       "TERMINATED",
                                       "THEN",
                                       "TINYBLOB",
                                       "TINYINT",
                                       "TINYTEXT",
                                       "TO",
                                       "TRAILING",
                                       "TRIGGER",
                                       "TRUE",
                                       "UNDO",
                                       "UNION",
                                       "UNIQUE",
                                       "UNLOCK",
                                       "UNSIGNED",
                                       "UPDATE",
                                       "USAGE",
                                       "USE",
                                       "USING",
                                       "UTC_DATE",
                                       "UTC_TIME",
                                       "UTC_TIMESTAMP",
                                       "VALUES",
                                       "VARBINARY",
                                       "VARCHAR",
                                       "VARCHARACTER",
                                       "VARYING",
                                       "WHEN",
                                       "WHERE",
                                       "WHILE",
                                       "WINDOW",
                                       "WITH",
                                       "WRITE",
                                       "XOR",
                                       "YEAR_MONTH",
                                       "ZEROFILL"};

static int is_reserved(const char *word)
{
    size_t i;

    for (i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
        if (!strcasecmp(reserved[i], word)) {
            return 1;
        }
    }
    return 0;
}

/* Of the columns (and tables) that SQLite's have. */
static void test_names(sqlite3 *db)
{
    sqlite3_stmt *names;
    int count = 0;

    if (sqlite3_prepare_v2(db,
                           "SELECT name FROM sqlite_master WHERE name LIKE 'batch%' UNION ALL"
                           " SELECT c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c"
                           " WHERE t.type = 'table' AND t.name LIKE 'batch%'",
                           -1, &names, NULL) != SQLITE_OK) {
        ok(0, "the names cannot be read: %s", sqlite3_errmsg(db));
        return;
    }
    while (sqlite3_step(names) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(names, 0);

        ok(!is_reserved(name), "%s is no reserved word", name);
        count++;
    }
    sqlite3_finalize(names);
    ok(count > 80 && is_reserved("cursor") && is_reserved("keys"), "%d names", count);
}

/* ---- Walks ------------------------------------------------------------------------------------
 */

/* The steps as they are taken for tables that are not there. */
static void make_tables(sqlite3 *db)
{
    const batch_schema_step_t *step;

    for (step = batch_driver_sqlite3.schema; step->run || step->table; step++) {
        if (step->run) {
            is_number(sqlite3_exec(db, step->run, NULL, NULL, NULL), SQLITE_OK, "a step");
        } else {
            is_number(sqlite3_table_column_metadata(db, NULL, step->table, step->column, NULL, NULL,
                                                    NULL, NULL, NULL),
                      SQLITE_OK, "a column that new tables have");
        }
    }
}

int main(void)
{
    sqlite3 *db;
    int i;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    test_texts(&batch_driver_sqlite3);
    test_texts(&batch_driver_pgsql);
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) {
        return 1;
    }
    sqlite3_create_function(db, "batch_clock", 0, SQLITE_UTF8, NULL, clock_of_the_test, NULL, NULL);
    sqlite3_exec(db, "CREATE TABLE batch_schema (version INTEGER)", NULL, NULL, NULL);
    make_tables(db);
    make_tables(db); /* what is there stays */
    test_names(db);
    for (i = 0; i < BATCH_SQL_COUNT; i++) {
        const char *text = batch_statement_text(&batch_driver_sqlite3, (batch_statement_e)i);

        /* Not that on a table of one row, nor those of other drivers. */
        if (i != BATCH_SQL_VERSION && text) {
            is_number(scans(db, text), 0, batch_statement_name((batch_statement_e)i));
        }
    }
    sqlite3_close(db);
    apr_pool_destroy(pool);
    return tap_end();
}

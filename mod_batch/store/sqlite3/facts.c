#include "store/sqlite3/facts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "store/row_plan.h"
#include "store/sqlite3/ask.h"
#include "store/sqlite3/failures.h"

/* An index as far as it can be told by the names of columns. */
typedef struct index {
    const char *name;
    int unique;                  /* for all rows */
    int for_some;                /* the same, or for some of them */
    int whole;                   /* it has all rows */
    apr_array_header_t *columns; /* of const char *; "" for one that is none of ours */
    const char *alone; /* its only column if it is unique, be it for some rows, or in its own way */
} index_t;

/* All that can be unique in a table. */
typedef struct indexes {
    apr_array_header_t *list; /* of index_t */
    const char *rowid;        /* the column that is the rowid's other name, NULL = none */
} indexes_t;

/* 1 if SQLite leaves a text as it is in a column that is declared so: TEXT, BLOB, or nothing. */
static int is_textual(const char *type)
{
    static const char *const signs[] = {"CHAR", "CLOB", "TEXT", "BLOB"};
    char upper[64];
    apr_size_t i;

    if (!type || !*type) {
        return 1;
    }
    for (i = 0; i < sizeof(upper) - 1 && type[i]; i++) {
        upper[i] = (char)toupper((unsigned char)type[i]);
    }
    upper[i] = '\0';
    if (strstr(upper, "INT")) {
        return 0;
    }
    for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (strstr(upper, signs[i])) {
            return 1;
        }
    }
    return 0;
}

/*
 * By what SQLite compares values of a column that is declared so. What it takes for a number of any
 * sort is none of ours, but for a column of UUIDs: it leaves these as they are.
 */
static batch_key_type_e key_type_of(const char *type)
{
    apr_size_t i;

    for (i = 0; type && type[i]; i++) {
        if (!strncasecmp(type + i, "INT", 3)) {
            return BATCH_KEY_INTEGER;
        }
    }
    return is_textual(type) || !strcasecmp(type, "UUID") ? BATCH_KEY_TEXT : BATCH_KEY_OTHER;
}

/* 1 if the column is compared in the index as it is in a condition. */
static int same_collation(batch_connection_t *connection, const char *table, const char *column,
                          const char *collation)
{
    const char *own = NULL;

    return sqlite3_table_column_metadata(connection->native, NULL, table, column, NULL, &own, NULL,
                                         NULL, NULL) == SQLITE_OK &&
           own && !strcasecmp(own, collation);
}

static int is_column(const char *a, const char *b)
{
    return a && b && !strcasecmp(a, b);
}

static int is_among(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (is_column(APR_ARRAY_IDX(names, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

/* 1 if a value that is not NULL stands behind the word DEFAULT. */
static int is_default(const char *value)
{
    return value && strcasecmp(value, "NULL") != 0;
}

static batch_failure_e read_indexes(batch_connection_t *connection, indexes_t *indexes,
                                    const char *table, apr_pool_t *p)
{
    sqlite3_stmt *statement = NULL;
    index_t *index = NULL;
    batch_failure_e failure;
    int code;

    failure = batch_sqlite3_ask(connection, &statement,
                                "SELECT l.name, l.\"unique\", l.partial, x.name, x.coll"
                                " FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS x"
                                " WHERE x.key ORDER BY l.seq, x.seqno",
                                &table, 1);
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *column = batch_sqlite3_text(statement, 3);

        if (!index || strcmp(index->name, batch_sqlite3_text(statement, 0)) != 0) {
            index = apr_array_push(indexes->list);
            index->name = apr_pstrdup(p, batch_sqlite3_text(statement, 0));
            index->whole = !sqlite3_column_int(statement, 2);
            index->for_some = sqlite3_column_int(statement, 1);
            index->unique = index->whole && index->for_some;
            index->columns = apr_array_make(p, 4, sizeof(const char *));
            index->alone = sqlite3_column_int(statement, 1) ? apr_pstrdup(p, column) : NULL;
        } else {
            index->alone = NULL;
        }
        column = same_collation(connection, table, column, batch_sqlite3_text(statement, 4))
                     ? column
                     : "";
        APR_ARRAY_PUSH(index->columns, const char *) = apr_pstrdup(p, column);
    }
    return batch_sqlite3_asked(connection, statement, code);
}

/* A lone INTEGER PRIMARY KEY has no index: it is the table's own order. */
static batch_failure_e read_rowid(batch_connection_t *connection, indexes_t *indexes,
                                  const char *table, apr_pool_t *p)
{
    sqlite3_stmt *statement = NULL;
    batch_failure_e failure;
    int code;

    failure = batch_sqlite3_ask(
        connection, &statement,
        "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 AND type = 'INTEGER'"
        " COLLATE NOCASE AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0)"
        " = 1 AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1)"
        " WHERE origin = 'pk')",
        &table, 1);
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        indexes->rowid = apr_pstrdup(p, batch_sqlite3_text(statement, 0));
    }
    return batch_sqlite3_asked(connection, statement, code);
}

/* 1 if the index has no other columns than these. */
static int is_of(const index_t *index, const apr_array_header_t *names)
{
    int i;

    for (i = 0; i < index->columns->nelts; i++) {
        if (!is_among(names, APR_ARRAY_IDX(index->columns, i, const char *))) {
            return 0;
        }
    }
    return 1;
}

/* 1 if no two rows are the same in all of these columns. */
static int is_unique(const indexes_t *indexes, const apr_array_header_t *names)
{
    int i;

    if (indexes->rowid && is_among(names, indexes->rowid)) {
        return 1;
    }
    for (i = 0; i < indexes->list->nelts; i++) {
        const index_t *index = &APR_ARRAY_IDX(indexes->list, i, index_t);

        if (index->unique && is_of(index, names)) {
            return 1;
        }
    }
    return 0;
}

/* 1 if a unique index has that column and no other. */
static int is_unique_alone(const indexes_t *indexes, const char *column)
{
    int i;

    for (i = 0; i < indexes->list->nelts; i++) {
        if (is_column(APR_ARRAY_IDX(indexes->list, i, index_t).alone, column)) {
            return 1;
        }
    }
    return is_column(indexes->rowid, column);
}

/* 1 if a unique index has some of these columns, and that one. */
static int is_unique_with(const indexes_t *indexes, const apr_array_header_t *names,
                          const char *column)
{
    int i;

    for (i = 0; i < indexes->list->nelts; i++) {
        const index_t *index = &APR_ARRAY_IDX(indexes->list, i, index_t);

        if (index->unique && is_of(index, names) && is_among(index->columns, column)) {
            return 1;
        }
    }
    return 0;
}

/* The name of an index over all rows that begins with these columns; second may be NULL. */
static const char *index_on(const indexes_t *indexes, const char *first, const char *second)
{
    int i;

    for (i = 0; i < indexes->list->nelts; i++) {
        const index_t *index = &APR_ARRAY_IDX(indexes->list, i, index_t);
        const apr_array_header_t *columns = index->columns;

        if (index->whole && is_column(APR_ARRAY_IDX(columns, 0, const char *), first) &&
            (!second ||
             (columns->nelts > 1 && is_column(APR_ARRAY_IDX(columns, 1, const char *), second)))) {
            return index->name;
        }
    }
    return NULL;
}

static void plan_walk(batch_sqlite3_table_t *table, const indexes_t *indexes,
                      const batch_resource_t *resource)
{
    const char *index = resource->scope ? index_on(indexes, resource->scope, resource->key) : NULL;

    if (index) {
        table->walk_index = index;
        table->walk_scope = 1;
    } else {
        /* Where keys are no one's alone, the rows of others must not stand between equal ones. */
        table->walk_scope = !table->key_unique;
        table->walk_index = table->walk_scope || is_column(indexes->rowid, resource->key)
                                ? NULL
                                : index_on(indexes, resource->key, NULL);
    }
}

/* 1 in *found if a question about the table has an answer. */
static batch_failure_e ask(batch_connection_t *connection, int *found, const char *sql,
                           const char *table)
{
    sqlite3_stmt *statement = NULL;
    batch_failure_e failure = batch_sqlite3_ask(connection, &statement, sql, &table, 1);
    int code;

    *found = 0;
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        *found = 1;
    }
    return batch_sqlite3_asked(connection, statement, code);
}

/* The table says REPLACE, in a constraint or elsewhere. */
static batch_failure_e read_replaces(batch_connection_t *connection, int *replaces,
                                     const char *table)
{
    return ask(connection, replaces,
               "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE"
               " AND upper(sql) LIKE '%REPLACE%'",
               table);
}

/*
 * A table that may take a row for nothing, or say by itself what happens to one that breaks a
 * constraint; or that counts the rows which were not made as well.
 */
static batch_failure_e read_offers(batch_connection_t *connection, batch_sqlite3_table_t *table,
                                   const batch_resource_t *resource)
{
    int strange = 0;
    batch_failure_e failure =
        ask(connection, &strange,
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE"
            " AND (upper(sql) LIKE '%CONFLICT%' OR upper(sql) LIKE '%AUTOINCREMENT%')",
            resource->table);

    table->offers = !strange && !table->triggers && table->key_exact && table->key_unique &&
                    resource->keys == BATCH_KEYS_CLIENT;
    return failure;
}

/* What can make another row of one than was sent. */
static batch_failure_e read_changes(batch_connection_t *connection, batch_sqlite3_table_t *table,
                                    const batch_resource_t *resource)
{
    const char *type = NULL, *collation = NULL;

    table->has_rowid =
        sqlite3_table_column_metadata(connection->native, NULL, resource->table, "_rowid_", NULL,
                                      NULL, NULL, NULL, NULL) == SQLITE_OK;
    table->key_exact =
        sqlite3_table_column_metadata(connection->native, NULL, resource->table, resource->key,
                                      &type, &collation, NULL, NULL, NULL) == SQLITE_OK &&
        is_textual(type) && collation && !strcasecmp(collation, "BINARY");
    table->key_type = key_type_of(type);
    return ask(connection, &table->triggers,
               "SELECT 1 FROM sqlite_master WHERE type = 'trigger'"
               " AND tbl_name = ?1 COLLATE NOCASE",
               resource->table);
}

/*
 * Whether rows can be deleted in any order: nothing is done besides, nothing stands in the way that
 * a row which is deleted as well takes out of it, and two keys are never one row's.
 */
static batch_failure_e read_deletes(batch_connection_t *connection, batch_sqlite3_table_t *table,
                                    const batch_resource_t *resource)
{
    int referenced = 1;
    batch_failure_e failure =
        ask(connection, &referenced,
            "SELECT 1 FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS k"
            " WHERE m.type = 'table' AND k.\"table\" = ?1 COLLATE NOCASE LIMIT 1",
            resource->table);

    table->deletes_freely = !referenced && !table->triggers && table->key_exact;
    return failure;
}

batch_failure_e batch_sqlite3_table(batch_connection_t *connection, batch_sqlite3_table_t *table,
                                    const batch_resource_t *resource, apr_pool_t *p)
{
    indexes_t indexes = {apr_array_make(p, 4, sizeof(index_t)), NULL};
    apr_array_header_t *names = apr_array_make(p, 4, sizeof(const char *));
    batch_failure_e failure = read_indexes(connection, &indexes, resource->table, p);

    memset(table, 0, sizeof(*table));
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_rowid(connection, &indexes, resource->table, p);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_replaces(connection, &table->replaces, resource->table);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_changes(connection, table, resource);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    APR_ARRAY_PUSH(names, const char *) = resource->key;
    table->key_unique = is_unique(&indexes, names);
    table->key_is_rowid = is_column(indexes.rowid, resource->key);
    failure = read_offers(connection, table, resource);
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_deletes(connection, table, resource);
    }
    plan_walk(table, &indexes, resource);
    if (resource->scope) {
        APR_ARRAY_PUSH(names, const char *) = resource->scope;
        table->key_alone = is_unique_alone(&indexes, resource->key);
        table->key_with_scope = is_unique_with(&indexes, names, resource->scope);
    }
    table->key_unique_in_scope = is_unique(&indexes, names);
    if (resource->match && resource->match->nelts) {
        APR_ARRAY_IDX(names, 0, const char *) = APR_ARRAY_IDX(resource->match, 0, const char *);
        apr_array_cat(names, resource->match);
        table->match_unique = is_unique(&indexes, names);
    }
    return failure;
}

/*
 * ?1: the table, ?2 and ?3: the columns of key and scope. A row for each other column of a primary
 * key, and for a foreign key onto itself.
 */
static const char dependences_sql[] =
    "SELECT 1 FROM pragma_foreign_key_list(?1) WHERE \"table\" = ?1 COLLATE NOCASE"
    " UNION ALL SELECT 1 FROM pragma_table_info(?1) WHERE pk > 0 AND name <> ?2 COLLATE NOCASE"
    " AND name <> ?3 COLLATE NOCASE";

/* 1 if each that is unique, be it for some rows, has the key and at most the scope beside it. */
static int are_of_key(const indexes_t *indexes, const batch_resource_t *resource)
{
    int i, j;

    for (i = 0; i < indexes->list->nelts; i++) {
        const index_t *index = &APR_ARRAY_IDX(indexes->list, i, index_t);

        if (index->for_some && !is_among(index->columns, resource->key)) {
            return 0;
        }
        for (j = 0; index->for_some && j < index->columns->nelts; j++) {
            const char *column = APR_ARRAY_IDX(index->columns, j, const char *);

            if (!is_column(column, resource->key) && !is_column(column, resource->scope)) {
                return 0;
            }
        }
    }
    return 1;
}

batch_failure_e batch_sqlite3_independent(batch_connection_t *connection, int *independent,
                                          const batch_resource_t *resource)
{
    const char *texts[] = {resource->table, resource->key, resource->scope ? resource->scope : ""};
    apr_pool_t *scratch = batch_connection_scratch(connection);
    indexes_t indexes = {apr_array_make(scratch, 4, sizeof(index_t)), NULL};
    sqlite3_stmt *statement = NULL;
    batch_sqlite3_table_t table;
    batch_failure_e failure = batch_sqlite3_table(connection, &table, resource, scratch);
    int code;

    *independent = 0;
    if (failure == BATCH_FAILURE_NONE) {
        failure = read_indexes(connection, &indexes, resource->table, scratch);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_sqlite3_ask(connection, &statement, dependences_sql, texts, 3);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    code = sqlite3_step(statement);
    *independent = code == SQLITE_DONE && !batch_match_count(resource) && !table.triggers &&
                   (table.key_exact || table.key_type == BATCH_KEY_INTEGER) &&
                   are_of_key(&indexes, resource);
    return batch_sqlite3_asked(connection, statement, code);
}

/* ---- What start-up wants to know ---------------------------------------------------------------
 */

/* 1 if SQLite takes a column that is declared so for one of numbers. */
static int is_numeric(const char *type)
{
    static const char *const signs[] = {"INT", "REAL", "FLOA", "DOUB"};
    char upper[64];
    apr_size_t i;

    for (i = 0; i < sizeof(upper) - 1 && type[i]; i++) {
        upper[i] = (char)toupper((unsigned char)type[i]);
    }
    upper[i] = '\0';
    for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (strstr(upper, signs[i])) {
            return 1;
        }
    }
    return 0;
}

/*
 * Digits that a double keeps whatever they are: SQLite makes one of a text that looks like a number
 * where the column is not one of texts.
 */
#define DOUBLE_DIGITS 15

/* Notes what is known of a column for each of the resource's that is so called. */
static void note_column(batch_table_facts_t *facts, const batch_resource_t *resource,
                        const char *name, const char *type, apr_pool_t *p)
{
    int i;

    for (i = 0; resource->columns && i < resource->columns->nelts; i++) {
        if (is_column(name, APR_ARRAY_IDX(resource->columns, i, batch_column_t).name)) {
            facts->columns[i].type = *type ? apr_pstrdup(p, type) : "none";
            facts->columns[i].digits = is_textual(type) ? BATCH_DIGITS_ALL : DOUBLE_DIGITS;
            facts->columns[i].places = BATCH_DIGITS_ALL;
            facts->columns[i].takes_uuid = 1; /* it does not look like a number */
        }
    }
}

batch_failure_e batch_sqlite3_facts(batch_connection_t *connection, batch_table_facts_t *facts,
                                    const batch_resource_t *resource, apr_pool_t *p)
{
    batch_sqlite3_table_t table;
    sqlite3_stmt *statement = NULL;
    batch_failure_e failure = batch_sqlite3_table(connection, &table, resource, p);
    int code;

    facts->key_takes_uuid = 1;
    facts->columns = apr_pcalloc(p, ((apr_size_t)(unsigned)batch_resource_columns(resource) + 1) *
                                        sizeof(*facts->columns));
    facts->needed = apr_array_make(p, 4, sizeof(const char *));
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_sqlite3_ask(
            connection, &statement,
            "SELECT name, type, \"notnull\" AND dflt_value IS NULL AND hidden = 0, dflt_value"
            " FROM pragma_table_xinfo(?1)",
            &resource->table, 1);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    facts->key_unique = table.key_unique_in_scope;
    facts->key_unique_alone = table.key_alone;
    facts->key_unique_in_scope = table.key_with_scope;
    facts->match_unique = table.match_unique;
    facts->key_type = table.key_type;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = apr_pstrdup(p, batch_sqlite3_text(statement, 0));

        note_column(facts, resource, name, batch_sqlite3_text(statement, 1), p);
        if (is_column(name, resource->key)) {
            facts->key_takes_uuid = !is_numeric(batch_sqlite3_text(statement, 1));
            facts->key_is_made =
                table.key_is_rowid || is_default((const char *)sqlite3_column_text(statement, 3));
        }
        if (sqlite3_column_int(statement, 2)) {
            APR_ARRAY_PUSH(facts->needed, const char *) = name;
        }
    }
    return batch_sqlite3_asked(connection, statement, code);
}

batch_failure_e batch_sqlite3_scope_check(batch_connection_t *connection, const char **inexact,
                                          int *harmless, const char *table, const char *column,
                                          apr_pool_t *p)
{
    const char *collation = NULL;
    int code = sqlite3_table_column_metadata(connection->native, NULL, table, column, NULL,
                                             &collation, NULL, NULL, NULL);

    (void)harmless;
    if (code != SQLITE_OK) {
        return batch_sqlite3_classify(connection, code, 0);
    }
    if (collation && strcasecmp(collation, "BINARY") != 0) {
        *inexact = apr_psprintf(p, "its collation is %s, where it has to be BINARY", collation);
    }
    return BATCH_FAILURE_NONE;
}

/*
 * PostgreSQL: the statement that merges a group of items: an UPDATE of the rows that are there, and
 * an INSERT of the others, in one. The items are arrays with the types of the columns; they come in
 * the order of what finds their rows, so that two batches lock rows in the same order.
 */
#include "store/pgsql/merge.h"

#include <string.h>

#include <apr_strings.h>

/* A connection keeps no more statements of ours than that; others are made, used, and forgotten. */
#define KEPT_STATEMENTS (BATCH_CONNECTION_STATEMENTS / 2)

/* A statement for so few items of many is not kept either. */
#define FEW 4

typedef struct merge_sql {
    batch_pgsql_builder_t builder;
    const batch_pgsql_merge_t *merge;
    const batch_resource_t *resource;
    const batch_row_scope_t *scope;
    const batch_pgsql_group_t *group;
    int updates;
    int inserts;
    int careful;
    int locks;
    int plain;
    int offers;
    int list; /* items of the list that is being built */
} merge_sql_t;

int batch_pgsql_is_match(const batch_resource_t *resource, const char *name)
{
    int i;

    for (i = 0; resource->match && i < resource->match->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(resource->match, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

int batch_pgsql_may_insert(const batch_resource_t *resource, batch_item_kind_e kind)
{
    return kind != BATCH_ITEM_KEY || resource->keys == BATCH_KEYS_CLIENT;
}

static void add(merge_sql_t *sql, const char *piece)
{
    batch_pgsql_add(&sql->builder, piece);
}

static void add_name(merge_sql_t *sql, const char *name)
{
    add(sql, batch_pgsql_identifier(name, sql->builder.p));
}

static const batch_column_t *declared_at(const merge_sql_t *sql, int i)
{
    return &APR_ARRAY_IDX(sql->resource->columns, sql->group->places[i], batch_column_t);
}

static const batch_pgsql_column_t *type_of(const merge_sql_t *sql, const char *name)
{
    return batch_pgsql_column(sql->merge->sets.table, name);
}

/* An item's value of the group's column i. */
static void add_item_column(merge_sql_t *sql, int i)
{
    add(sql, apr_psprintf(sql->builder.p, "batch_item.c%d", i));
}

/* The same by the column's name, which is one of the group, as it would be stored. */
static void add_item_value(merge_sql_t *sql, const char *name)
{
    apr_pool_t *p = sql->builder.p;
    int i;

    for (i = 0; i < sql->group->column_count; i++) {
        if (!strcmp(declared_at(sql, i)->name, name)) {
            add(sql,
                batch_pgsql_stored(type_of(sql, name), apr_psprintf(p, "batch_item.c%d", i), p));
            return;
        }
    }
    add(sql, "NULL");
}

/* ---- Items -------------------------------------------------------------------------------------
 */

/* Adds the values of the members for one column, as an array. */
static void add_array(merge_sql_t *sql, int i, const int *members, int count)
{
    const batch_column_t *declared = declared_at(sql, i);
    const batch_pgsql_column_t *column = type_of(sql, declared->name);
    const char **texts = apr_palloc(sql->builder.p, (apr_size_t)(count + 1) * sizeof(*texts));
    int guess = i;
    int m, v;

    for (m = 0; m < count; m++) {
        const batch_item_t *item = &sql->merge->items[members[m]];

        texts[m] = NULL;
        for (v = 0; v < item->value_count; v++) {
            const batch_value_t *value = &item->values[(guess + v) % item->value_count];

            if (!strcmp(value->name, declared->name)) {
                texts[m] = batch_pgsql_column_text(declared, column, value->value);
                guess = (guess + v) % item->value_count;
                break;
            }
        }
    }
    batch_pgsql_add_array(&sql->builder, column, texts, count);
}

static void add_array_of_keys(merge_sql_t *sql, const int *members, int count)
{
    const char **keys = apr_palloc(sql->builder.p, (apr_size_t)(count + 1) * sizeof(*keys));
    int m;

    for (m = 0; m < count; m++) {
        keys[m] = sql->group->has_key ? sql->merge->items[members[m]].key : NULL;
    }
    batch_pgsql_add_array(&sql->builder, sql->merge->sets.key, keys, count);
}

/* What finds the row of an item. */
static void add_condition(merge_sql_t *sql)
{
    const batch_resource_t *resource = sql->resource;
    int i;

    if (sql->group->kind == BATCH_ITEM_KEY) {
        batch_pgsql_add_column(&sql->builder, " WHERE ", resource->key);
        add(sql, "batch_item.k");
    } else {
        for (i = 0; i < resource->match->nelts; i++) {
            const char *name = APR_ARRAY_IDX(resource->match, i, const char *);

            batch_pgsql_add_column(&sql->builder, i ? " AND " : " WHERE ", name);
            add_item_value(sql, name);
        }
    }
    if (resource->scope) {
        batch_pgsql_add_condition(&sql->builder, " AND ", resource->scope,
                                  sql->scope->organization);
    }
    if (resource->form_column && sql->scope->form_id) {
        batch_pgsql_add_condition(&sql->builder, " AND ", resource->form_column,
                                  sql->scope->form_id);
    }
}

/* What finds the rows of items, as a list. */
static void add_finder(merge_sql_t *sql)
{
    const apr_array_header_t *match = sql->resource->match;
    int i;

    if (sql->group->kind != BATCH_ITEM_MATCH) {
        add(sql, "batch_item.k");
        return;
    }
    for (i = 0; i < match->nelts; i++) {
        add(sql, i ? ", " : "");
        add_item_value(sql, APR_ARRAY_IDX(match, i, const char *));
    }
}

/*
 * Joins each item to its row, by a limit that keeps the planner from the other way round: it may
 * know no better than that the scope has few rows, and look at all of them for each item. Whoever
 * is careful locks the row, so that nobody changes it before the next try.
 */
static void add_lookup(merge_sql_t *sql)
{
    int many = sql->group->kind == BATCH_ITEM_KEY && !sql->merge->rules->key_unique;

    add(sql, " LEFT JOIN LATERAL (SELECT ");
    add(sql, sql->builder.table_name);
    add(sql, ".ctid AS place, ");
    add(sql, sql->builder.table_name);
    add(sql, ".tableoid AS part FROM ");
    add(sql, sql->builder.table_name);
    add_condition(sql);
    add(sql, many ? " OFFSET 0" : " LIMIT 1");
    add(sql, sql->locks ? " FOR NO KEY UPDATE" : "");
    add(sql, ") AS batch_place ON true");
}

/* The row that was found; nobody has changed it since, or it is left over. */
static void add_place(merge_sql_t *sql)
{
    add(sql, " WHERE ");
    add(sql, sql->builder.table_name);
    add(sql, ".ctid = batch_item.place AND ");
    add(sql, sql->builder.table_name);
    add(sql, ".tableoid = batch_item.part");
}

/*
 * The items as a table. The arrays come out of subqueries, so that the planner cannot see how long
 * they are: it takes them for short, and fetches the rows one by one through the index.
 */
static void add_arrays(merge_sql_t *sql, const int *members, int count)
{
    int i;

    add(sql, " FROM unnest((SELECT ");
    add_array_of_keys(sql, members, count);
    for (i = 0; i < sql->group->column_count; i++) {
        add(sql, "), (SELECT ");
        add_array(sql, i, members, count);
    }
    add(sql, ")) WITH ORDINALITY AS batch_item (k");
    for (i = 0; i < sql->group->column_count; i++) {
        add(sql, apr_psprintf(sql->builder.p, ", c%d", i));
    }
    add(sql, ", number)");
}

static void add_items(merge_sql_t *sql, const int *members, int count)
{
    add(sql, "WITH batch_item AS MATERIALIZED (SELECT batch_item.*");
    add(sql, sql->updates ? ", batch_place.*" : "");
    if (sql->careful) {
        add(sql, ", (SELECT count(*) FROM (SELECT FROM ");
        add(sql, sql->builder.table_name);
        add_condition(sql);
        add(sql, " LIMIT 2) AS batch_found) AS found");
    }
    add_arrays(sql, members, count);
    if (sql->updates) {
        add_lookup(sql);
    }
    add(sql, " ORDER BY ");
    add_finder(sql);
    add(sql, ", number)");
}

/* ---- Changes -----------------------------------------------------------------------------------
 */

static void add_assignment(merge_sql_t *sql, const char *column)
{
    add(sql, sql->list++ ? ", " : " SET ");
    add_name(sql, column);
    add(sql, " = ");
}

static void add_constant(merge_sql_t *sql, const char *column, const char *value)
{
    batch_pgsql_add_value(&sql->builder, type_of(sql, column)->type, value);
}

static int is_set(const merge_sql_t *sql, const batch_column_t *column)
{
    return !column->immutable && !(sql->group->kind == BATCH_ITEM_MATCH &&
                                   batch_pgsql_is_match(sql->resource, column->name));
}

/* 1 if a change sets anything. */
static int has_assignments(const merge_sql_t *sql)
{
    int i;

    for (i = 0; i < sql->group->column_count; i++) {
        if (is_set(sql, declared_at(sql, i))) {
            return 1;
        }
    }
    return sql->resource->updated_at || sql->resource->updated_by_id;
}

/* What a row gets in the group's column i. */
static void add_new_value(merge_sql_t *sql, int i)
{
    if (sql->offers) {
        add(sql, "excluded.");
        add_name(sql, declared_at(sql, i)->name);
    } else {
        add_item_column(sql, i);
    }
}

static void add_assignments(merge_sql_t *sql)
{
    const batch_resource_t *resource = sql->resource;
    int i;

    sql->list = 0;
    for (i = 0; i < sql->group->column_count; i++) {
        if (is_set(sql, declared_at(sql, i))) {
            add_assignment(sql, declared_at(sql, i)->name);
            add_new_value(sql, i);
        }
    }
    if (resource->updated_at) {
        add_assignment(sql, resource->updated_at);
        add_constant(sql, resource->updated_at, sql->merge->now);
    }
    if (resource->updated_by_id) {
        add_assignment(sql, resource->updated_by_id);
        add_constant(sql, resource->updated_by_id, sql->scope->actor_id);
    }
}

static void add_row_key(merge_sql_t *sql)
{
    add(sql, sql->builder.table_name);
    add(sql, ".");
    add_name(sql, sql->resource->key);
}

/* Changes the rows that are there. Without anything to set, finding them is all. */
static void add_update(merge_sql_t *sql)
{
    int sets = has_assignments(sql);

    add(sql, sets ? ", batch_changed AS (UPDATE " : ", batch_changed AS (SELECT number, ");
    if (sets) {
        add(sql, sql->builder.table_name);
        add_assignments(sql);
        add(sql, " FROM batch_item");
    } else {
        add_row_key(sql);
        add(sql, "::text AS key FROM batch_item, ");
        add(sql, sql->builder.table_name);
    }
    add_place(sql);
    if (sql->careful && sql->group->kind == BATCH_ITEM_MATCH) {
        add(sql, " AND batch_item.found = 1");
    }
    if (sets) {
        add(sql, " RETURNING batch_item.number, ");
        add_row_key(sql);
        add(sql, "::text AS key");
    }
    add(sql, ")");
}

/* ---- New rows ----------------------------------------------------------------------------------
 */

static void add_new(merge_sql_t *sql, const char *column)
{
    add(sql, sql->list++ ? ", " : " (");
    add_name(sql, column);
}

/* Columns that a new row has from the request, not from the item: their values. */
typedef struct new_column {
    const char *name;
    const char *value;
} new_column_t;

#define NEW_COLUMNS 6

static int list_new(new_column_t *columns, const merge_sql_t *sql)
{
    const batch_resource_t *resource = sql->resource;
    const new_column_t all[NEW_COLUMNS] = {
        {resource->scope, sql->scope->organization},
        {sql->scope->form_id ? resource->form_column : NULL, sql->scope->form_id},
        {resource->created_at, sql->merge->now},
        {resource->updated_at, sql->merge->now},
        {resource->created_by_id, sql->scope->actor_id},
        {resource->updated_by_id, sql->scope->actor_id}};
    int count = 0;
    int i;

    for (i = 0; i < NEW_COLUMNS; i++) {
        if (all[i].name) {
            columns[count++] = all[i];
        }
    }
    return count;
}

static void add_new_values(merge_sql_t *sql, const new_column_t *columns, int count)
{
    int i;

    sql->list = 0;
    if (sql->group->has_key) {
        add(sql, sql->list++ ? ", " : " ");
        add(sql, "batch_item.k");
    }
    for (i = 0; i < count; i++) {
        add(sql, sql->list++ ? ", " : " ");
        add_constant(sql, columns[i].name, columns[i].value);
    }
    for (i = 0; i < sql->group->column_count; i++) {
        add(sql, sql->list++ ? ", " : " ");
        add_item_column(sql, i);
    }
}

/* The table and the columns of new rows. columns: the request's. */
static void add_target(merge_sql_t *sql, const new_column_t *columns, int count)
{
    int i;

    add(sql, "INSERT INTO ");
    add(sql, sql->builder.table_name);
    sql->list = 0;
    if (sql->group->has_key) {
        add_new(sql, sql->resource->key);
    }
    for (i = 0; i < count; i++) {
        add_new(sql, columns[i].name);
    }
    for (i = 0; i < sql->group->column_count; i++) {
        add_new(sql, declared_at(sql, i)->name);
    }
}

/* Of items that would find the same row the first one makes it, index or not. */
static void add_insert(merge_sql_t *sql)
{
    int once = sql->careful;
    new_column_t columns[NEW_COLUMNS];
    int count = list_new(columns, sql);

    add(sql, ", batch_made AS (");
    add_target(sql, columns, count);
    add(sql, sql->list ? ") SELECT" : " DEFAULT VALUES");
    if (!sql->list) {
        add(sql, " RETURNING ");
        add_row_key(sql);
        add(sql, " AS key)");
        return;
    }
    if (once) {
        add(sql, " DISTINCT ON (");
        add_finder(sql);
        add(sql, ")");
    }
    add_new_values(sql, columns, count);
    add(sql, " FROM batch_item");
    if (sql->updates) {
        add(sql, " WHERE (number IN (SELECT number FROM batch_changed)) IS NOT TRUE");
        add(sql, sql->careful ? " AND found = 0" : "");
    }
    if (once) {
        add(sql, " ORDER BY ");
        add_finder(sql);
        add(sql, ", number");
    }
    add(sql, sql->plain ? "" : " ON CONFLICT DO NOTHING");
    add(sql, " RETURNING ");
    add_row_key(sql);
    add(sql, " AS key)");
}

/* ---- The statement -----------------------------------------------------------------------------
 */

static void add_result(merge_sql_t *sql)
{
    const char *others =
        sql->updates ? " (number IN (SELECT number FROM batch_changed)) IS NOT TRUE" : " true";

    add(sql, " SELECT number, sign, key FROM (SELECT NULL::bigint, NULL::text, NULL::text LIMIT 0)"
             " AS batch_none (number, sign, key)");
    if (sql->updates) {
        add(sql, " UNION ALL SELECT number, 'A', key FROM batch_changed");
    }
    if (sql->inserts && sql->group->has_key) {
        add(sql, " UNION ALL SELECT number, 'C', k::text FROM batch_item"
                 " WHERE (k IN (SELECT key FROM batch_made)) IS TRUE AND");
        add(sql, others);
    }
    if (sql->inserts) {
        add(sql, " UNION ALL SELECT count(*), '#', NULL FROM batch_made");
    }
    if (sql->inserts && batch_pgsql_lists_made(sql->merge, sql->group)) {
        add(sql, " UNION ALL SELECT NULL, 'K', key::text FROM batch_made");
    }
    if (sql->careful) {
        add(sql, " UNION ALL SELECT number, CASE found WHEN 1 THEN 'F' ELSE 'M' END, NULL"
                 " FROM batch_item WHERE found > 0 AND");
        add(sql, others);
    }
}

static batch_failure_e queue(merge_sql_t *sql, int count)
{
    batch_connection_t *connection = sql->merge->sets.connection;
    const batch_pgsql_builder_t *builder = &sql->builder;
    const char *text = apr_array_pstrcat(builder->p, builder->pieces, 0);
    const batch_pgsql_values_t values = batch_pgsql_values(builder);
    int is_usual = count >= FEW || sql->merge->sets.rows->count < FEW;

    if (apr_hash_get(connection->by_text, text, APR_HASH_KEY_STRING) ||
        (is_usual && apr_hash_count(connection->by_text) < KEPT_STATEMENTS)) {
        return batch_pgsql_queue_values(connection, batch_pgsql_built(connection, builder), &values,
                                        BATCH_PGSQL_ROWS);
    }
    return batch_pgsql_queue_once(connection, text, (const Oid *)builder->types->elts,
                                  builder->types->nelts, &values, BATCH_PGSQL_ROWS);
}

/*
 * Offers each item as a new row, which changes the row that is there instead: the look, the UPDATE
 * and the INSERT in one. A row that is there is locked before it is changed, a new one has never
 * been: that is what xmax says.
 */
static void add_offer(merge_sql_t *sql, const int *members, int count)
{
    const apr_array_header_t *match = sql->resource->match;
    new_column_t columns[NEW_COLUMNS];
    int new_count = list_new(columns, sql);
    int i;

    add_target(sql, columns, new_count);
    add(sql, ") SELECT");
    add_new_values(sql, columns, new_count);
    add_arrays(sql, members, count);
    add(sql, " ORDER BY ");
    add_finder(sql);
    add(sql, " ON CONFLICT");
    sql->list = 0;
    if (sql->resource->scope) {
        add_new(sql, sql->resource->scope);
    }
    for (i = 0; i < match->nelts; i++) {
        add_new(sql, APR_ARRAY_IDX(match, i, const char *));
    }
    add(sql, ") DO UPDATE");
    add_assignments(sql);
    add(sql, " RETURNING CASE WHEN xmax = 0 THEN ");
    add_row_key(sql);
    add(sql, "::text END");
    if (sql->scope->tell_keys) {
        add(sql, ", ");
        add_row_key(sql);
        add(sql, "::text");
    }
}

/* 1 if the database itself sees to it that an item finds one row at most. */
static int is_unique(const batch_pgsql_merge_t *merge, batch_item_kind_e kind)
{
    return kind == BATCH_ITEM_KEY ? merge->rules->key_unique : merge->rules->match_unique;
}

batch_failure_e batch_pgsql_merge_queue(batch_pgsql_merge_t *merge,
                                        const batch_pgsql_group_t *group, const int *members,
                                        int count, batch_pgsql_care_e care)
{
    const batch_row_scope_t *scope = merge->sets.scope;
    merge_sql_t sql = {.merge = merge, .resource = scope->resource, .scope = scope, .group = group};

    sql.updates = group->kind != BATCH_ITEM_NEW;
    sql.inserts = batch_pgsql_may_insert(scope->resource, group->kind);
    sql.careful = sql.updates && (care != BATCH_PGSQL_QUICK || !is_unique(merge, group->kind));
    sql.locks = care != BATCH_PGSQL_QUICK;
    /* ON CONFLICT looks into each unique index twice, and has to confirm each row in the log. */
    sql.plain =
        care == BATCH_PGSQL_FINAL || merge->plain || (care == BATCH_PGSQL_QUICK && !merge->met);
    batch_pgsql_builder_init(&sql.builder, merge->sets.table, scope->resource->table,
                             merge->sets.set_pool);
    add_items(&sql, members, count);
    if (sql.updates) {
        add_update(&sql);
    }
    if (sql.inserts) {
        add_insert(&sql);
    }
    add_result(&sql);
    return queue(&sql, count);
}

/*
 * 1 if the column may be a varchar, which is a text as a parameter, and take the spaces at the end
 * of a value that finds no row with them.
 */
static int may_trim(const merge_sql_t *sql, const char *name, const char *value)
{
    apr_size_t length = value ? strlen(value) : 0;

    return length && value[length - 1] == ' ' && type_of(sql, name)->type == BATCH_PGSQL_TEXT;
}

/* 1 if a value by which rows are found may be stored as another one. */
static int may_be_trimmed(const merge_sql_t *sql)
{
    const batch_resource_t *resource = sql->resource;
    int m, v;

    if (resource->scope && may_trim(sql, resource->scope, sql->scope->organization)) {
        return 1;
    }
    for (m = 0; m < sql->group->count; m++) {
        const batch_item_t *item = &sql->merge->items[sql->group->members[m]];

        for (v = 0; v < item->value_count; v++) {
            if (may_trim(sql, item->values[v].name, item->values[v].value) &&
                batch_pgsql_is_match(resource, item->values[v].name)) {
                return 1;
            }
        }
    }
    return 0;
}

int batch_pgsql_can_offer(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    const batch_row_scope_t *scope = merge->sets.scope;
    const batch_resource_t *resource = scope->resource;
    const merge_sql_t sql = {.merge = merge, .resource = resource, .scope = scope, .group = group};
    const batch_pgsql_column_t *key = merge->sets.key;

    return group->kind == BATCH_ITEM_MATCH && group->has_key &&
           resource->keys == BATCH_KEYS_GENERATED && !resource->form_column &&
           merge->rules->may_offer &&
           (key->type == BATCH_PGSQL_TEXT || key->type == BATCH_PGSQL_VARCHAR ||
            key->kind == BATCH_PGSQL_UUID) &&
           has_assignments(&sql) && !may_be_trimmed(&sql);
}

batch_failure_e batch_pgsql_offer_queue(batch_pgsql_merge_t *merge,
                                        const batch_pgsql_group_t *group)
{
    const batch_row_scope_t *scope = merge->sets.scope;
    merge_sql_t sql = {
        .merge = merge, .resource = scope->resource, .scope = scope, .group = group, .offers = 1};

    batch_pgsql_builder_init(&sql.builder, merge->sets.table, scope->resource->table,
                             merge->sets.set_pool);
    add_offer(&sql, group->members, group->count);
    return queue(&sql, group->count);
}

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
    const batch_row_plan_t *plan;
    const batch_pgsql_group_t *group;
    int updates;
    int inserts;
    int careful;
    int locks;
    int plain;
    int offers;
    int ordered; /* the members are in the order of what finds their rows */
} merge_sql_t;

static void add(merge_sql_t *sql, const char *piece)
{
    batch_pgsql_add(&sql->builder, piece);
}

static const batch_column_t *declared_at(const merge_sql_t *sql, int i)
{
    return batch_row_plan_column(sql->plan, sql->group->places[i]);
}

static const batch_pgsql_column_t *type_of(const merge_sql_t *sql, const char *name)
{
    return batch_pgsql_column(sql->merge->run.table, name);
}

/* ---- Items -------------------------------------------------------------------------------------
 */

/* What finds the rows of items, as a list. */
static void add_finder(merge_sql_t *sql)
{
    const batch_resource_t *resource = sql->plan->resource;
    int matched = sql->group->kind == BATCH_ITEM_MATCH ? batch_match_count(resource) : 0;
    int i;

    add(sql, matched ? "" : "batch_item.k");
    for (i = 0; i < matched; i++) {
        int place = batch_row_plan_place(sql->plan, batch_match_name(resource, i), -1);

        add(sql, i ? ", " : "");
        add(sql, batch_pgsql_item_stored(&sql->builder, place));
    }
}

/*
 * Joins each item to its row, by a limit that keeps the planner from the other way round: it may
 * know no better than that the scope has few rows, and look at all of them for each item. Whoever
 * is careful locks the row, so that nobody changes it before the next try.
 */
static void add_lookup(merge_sql_t *sql)
{
    int many = sql->group->kind == BATCH_ITEM_KEY && !sql->merge->run.rules->key_unique;

    batch_pgsql_add_of(&sql->builder, " LEFT JOIN LATERAL (SELECT ", NULL, "ctid");
    batch_pgsql_add_of(&sql->builder, " AS place, ", NULL, "tableoid");
    add(sql, " AS part FROM ");
    add(sql, sql->builder.table_name);
    batch_pgsql_add_where(&sql->builder, sql->group->kind);
    add(sql, many ? " OFFSET 0" : " LIMIT 1");
    add(sql, sql->locks ? " FOR NO KEY UPDATE" : "");
    add(sql, ") AS batch_place ON true");
}

/* The row that was found; nobody has changed it since, or it is left over. */
static void add_place(merge_sql_t *sql)
{
    batch_pgsql_add_of(&sql->builder, " WHERE ", NULL, "ctid");
    batch_pgsql_add_of(&sql->builder, " = batch_item.place AND ", NULL, "tableoid");
    add(sql, " = batch_item.part");
}

static void add_arrays(merge_sql_t *sql, const int *numbers, int count)
{
    const batch_pgsql_members_t members = {sql->merge->items, numbers, count};
    batch_pgsql_builder_t *builder = &sql->builder;
    int i;

    batch_pgsql_items_start(builder, " FROM ", sql->merge->run.key,
                            batch_pgsql_items_keys(builder, &members, sql->group->has_key), count);
    for (i = 0; i < sql->group->column_count; i++) {
        batch_pgsql_items_values(builder, &members, sql->group->places[i]);
    }
    batch_pgsql_items_end(builder);
}

static void add_items(merge_sql_t *sql, const int *members, int count)
{
    add(sql, "WITH batch_item AS MATERIALIZED (SELECT batch_item.*");
    add(sql, sql->updates ? ", batch_place.*" : "");
    if (sql->careful) {
        add(sql, ", (SELECT count(*) FROM (SELECT FROM ");
        add(sql, sql->builder.table_name);
        batch_pgsql_add_where(&sql->builder, sql->group->kind);
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

static int is_set(const merge_sql_t *sql, int i)
{
    return batch_kind_sets(sql->plan->resource, sql->group->kind, declared_at(sql, i));
}

/* 1 if a change sets anything. */
static int has_assignments(const merge_sql_t *sql)
{
    int i;

    for (i = 0; i < sql->group->column_count; i++) {
        if (is_set(sql, i)) {
            return 1;
        }
    }
    return sql->plan->changed.count > 0;
}

static void add_assignments(merge_sql_t *sql)
{
    batch_pgsql_builder_t *builder = &sql->builder;
    int i;

    builder->list = 0;
    for (i = 0; i < sql->group->column_count; i++) {
        const char *name = declared_at(sql, i)->name;

        if (is_set(sql, i) && sql->offers) {
            batch_pgsql_add_next(builder, " SET ", name);
            batch_pgsql_add_of(builder, " = ", "excluded", name);
        } else if (is_set(sql, i)) {
            batch_pgsql_add_next(builder, " SET ", name);
            add(sql, " = ");
            add(sql, batch_pgsql_item_sent(builder, sql->group->places[i]));
        }
    }
    batch_pgsql_add_stamps(builder);
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
        batch_pgsql_add_key(&sql->builder, "");
        add(sql, " AS key FROM batch_item, ");
        add(sql, sql->builder.table_name);
    }
    add_place(sql);
    if (sql->careful && sql->group->kind == BATCH_ITEM_MATCH) {
        add(sql, " AND batch_item.found = 1");
    }
    if (sets) {
        batch_pgsql_add_key(&sql->builder, " RETURNING batch_item.number, ");
        add(sql, " AS key");
    }
    add(sql, ")");
}

/* ---- New rows ----------------------------------------------------------------------------------
 */

static void add_new_values(merge_sql_t *sql)
{
    const batch_row_fixed_list_t *made = &sql->plan->made;
    int list = 0;
    int i;

    if (sql->group->has_key) {
        add(sql, list++ ? ", " : " ");
        add(sql, "batch_item.k");
    }
    for (i = 0; i < made->count; i++) {
        add(sql, list++ ? ", " : " ");
        batch_pgsql_add_fixed(&sql->builder, &made->list[i]);
    }
    for (i = 0; i < sql->group->column_count; i++) {
        add(sql, list++ ? ", " : " ");
        add(sql, batch_pgsql_item_sent(&sql->builder, sql->group->places[i]));
    }
}

/* The table and the columns of new rows. */
static void add_target(merge_sql_t *sql)
{
    const batch_row_fixed_list_t *made = &sql->plan->made;
    batch_pgsql_builder_t *builder = &sql->builder;
    int i;

    add(sql, "INSERT INTO ");
    add(sql, builder->table_name);
    builder->list = 0;
    if (sql->group->has_key) {
        batch_pgsql_add_next(builder, " (", sql->plan->resource->key);
    }
    for (i = 0; i < made->count; i++) {
        batch_pgsql_add_next(builder, " (", made->list[i].column);
    }
    for (i = 0; i < sql->group->column_count; i++) {
        batch_pgsql_add_next(builder, " (", declared_at(sql, i)->name);
    }
}

static void add_made(merge_sql_t *sql)
{
    batch_pgsql_add_of(&sql->builder, " RETURNING ", NULL, sql->plan->resource->key);
    add(sql, " AS key)");
}

/* 1 if the rows' keys are the database's, so that their order says whose is which. */
static int lists_order(const merge_sql_t *sql)
{
    return sql->plan->resource->keys == BATCH_KEYS_DATABASE;
}

/* Of items that would find the same row the first one makes it, index or not. */
static void add_insert(merge_sql_t *sql)
{
    int once = sql->careful;

    add(sql, ", batch_made AS (");
    add_target(sql);
    if (!sql->builder.list) {
        add(sql, " DEFAULT VALUES");
        add_made(sql);
        return;
    }
    add(sql, ") SELECT");
    if (once) {
        add(sql, " DISTINCT ON (");
        add_finder(sql);
        add(sql, ")");
    }
    add_new_values(sql);
    add(sql, " FROM batch_item");
    if (sql->updates) {
        add(sql, " WHERE (number IN (SELECT number FROM batch_changed)) IS NOT TRUE");
        add(sql, sql->careful ? " AND found = 0" : "");
    }
    if (once || lists_order(sql)) {
        add(sql, " ORDER BY ");
        add_finder(sql);
        add(sql, ", number");
    }
    add(sql, sql->plain ? "" : " ON CONFLICT DO NOTHING");
    add_made(sql);
}

/* ---- The statement -----------------------------------------------------------------------------
 */

/* The items that the rows were made for, in the order in which they were. */
static void add_order(merge_sql_t *sql, const char *others)
{
    add(sql, " UNION ALL SELECT * FROM (SELECT number, 'N', NULL FROM batch_item WHERE");
    add(sql, others);
    add(sql, sql->careful ? " AND found = 0" : "");
    add(sql, " ORDER BY ");
    add_finder(sql);
    add(sql, ", number) AS batch_order");
}

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
    if (sql->inserts && lists_order(sql)) {
        add_order(sql, others);
    }
    if (sql->careful) {
        add(sql, " UNION ALL SELECT number, CASE found WHEN 1 THEN 'F' ELSE 'M' END, NULL"
                 " FROM batch_item WHERE found > 0 AND");
        add(sql, others);
    }
}

static batch_failure_e queue(merge_sql_t *sql, int count)
{
    batch_connection_t *connection = sql->merge->run.connection;
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
 * The items of an offer. The arrays are taken apart side by side as rows are wanted, which spares
 * the server to write them down first; there are no numbers.
 */
static void add_listed(merge_sql_t *sql, const int *members, int count)
{
    const batch_pgsql_members_t some = {sql->merge->items, members, count};
    batch_pgsql_builder_t *builder = &sql->builder;
    int i;

    add(sql, " FROM (SELECT unnest(");
    batch_pgsql_add_array(builder, sql->merge->run.key, batch_pgsql_items_keys(builder, &some, 1),
                          count);
    add(sql, ") AS k");
    for (i = 0; i < sql->group->column_count; i++) {
        int place = sql->group->places[i];

        add(sql, ", unnest(");
        batch_pgsql_add_array(builder, type_of(sql, declared_at(sql, i)->name),
                              batch_pgsql_items_texts(builder, &some, place), count);
        add(sql, apr_psprintf(builder->p, ") AS c%d", place));
    }
    add(sql, ") AS batch_item");
}

/*
 * Offers each item as a new row, which changes the row that is there instead: the look, the UPDATE
 * and the INSERT in one. A row that is there is locked before it is changed, a new one has never
 * been: that is what xmax says.
 */
static void add_offer(merge_sql_t *sql, const int *members, int count)
{
    const batch_resource_t *resource = sql->plan->resource;
    int i;

    add_target(sql);
    add(sql, ") SELECT");
    add_new_values(sql);
    add_listed(sql, members, count);
    if (!sql->ordered) {
        add(sql, " ORDER BY ");
        add_finder(sql);
    }
    add(sql, " ON CONFLICT");
    sql->builder.list = 0;
    if (resource->scope) {
        batch_pgsql_add_next(&sql->builder, " (", resource->scope);
    }
    if (sql->group->kind == BATCH_ITEM_KEY) {
        batch_pgsql_add_next(&sql->builder, " (", resource->key);
    }
    for (i = 0; sql->group->kind == BATCH_ITEM_MATCH && i < batch_match_count(resource); i++) {
        batch_pgsql_add_next(&sql->builder, " (", batch_match_name(resource, i));
    }
    add(sql, ") DO UPDATE");
    add_assignments(sql);
    if (sql->ordered) {
        add(sql, " RETURNING xmax = 0");
    } else {
        batch_pgsql_add_key(&sql->builder, " RETURNING CASE WHEN xmax = 0 THEN ");
        add(sql, " END");
    }
    if (sql->plan->scope->tell_keys) {
        batch_pgsql_add_key(&sql->builder, ", ");
    }
}

/* 1 if the database itself sees to it that an item finds one row at most. */
static int is_unique(const batch_pgsql_merge_t *merge, batch_item_kind_e kind)
{
    return kind == BATCH_ITEM_KEY ? merge->run.rules->key_unique : merge->run.rules->match_unique;
}

batch_failure_e batch_pgsql_merge_queue(batch_pgsql_merge_t *merge,
                                        const batch_pgsql_group_t *group, const int *members,
                                        int count, batch_pgsql_care_e care)
{
    merge_sql_t sql = {.merge = merge, .plan = &merge->run.plan, .group = group};

    sql.updates = group->kind != BATCH_ITEM_NEW;
    sql.inserts = batch_kind_makes_rows(sql.plan->resource, group->kind);
    sql.careful = sql.updates && (care != BATCH_PGSQL_QUICK || !is_unique(merge, group->kind));
    sql.locks = care != BATCH_PGSQL_QUICK;
    /* ON CONFLICT looks into each unique index twice, and has to confirm each row in the log. */
    sql.plain =
        care == BATCH_PGSQL_FINAL || merge->plain || (care == BATCH_PGSQL_QUICK && !merge->met);
    batch_pgsql_run_build(&merge->run, &sql.builder, merge->sets.set_pool);
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
    const batch_resource_t *resource = sql->plan->resource;
    int m, v;

    if (resource->scope && may_trim(sql, resource->scope, sql->plan->scope->organization)) {
        return 1;
    }
    for (m = 0; m < sql->group->count; m++) {
        const batch_item_t *item = &sql->merge->items[sql->group->members[m]];

        if (sql->group->kind == BATCH_ITEM_KEY) {
            if (may_trim(sql, resource->key, item->key)) {
                return 1;
            }
            continue;
        }
        for (v = 0; v < item->value_count; v++) {
            if (may_trim(sql, item->values[v].name, item->values[v].value) &&
                batch_match_has(resource, item->values[v].name)) {
                return 1;
            }
        }
    }
    return 0;
}

/*
 * 1 if each key is spelt as the server writes it, so that the keys of new rows tell which of the
 * items have made them.
 */
static int are_spelt(const merge_sql_t *sql)
{
    const batch_pgsql_column_t *key = sql->merge->run.key;
    int m;

    if (key->kind == BATCH_PGSQL_ANY) {
        return key->type == BATCH_PGSQL_TEXT || key->type == BATCH_PGSQL_VARCHAR;
    }
    for (m = 0; m < sql->group->count; m++) {
        if (!batch_pgsql_is_spelt(key, sql->merge->items[sql->group->members[m]].key)) {
            return 0;
        }
    }
    return 1;
}

/* 1 if an offer of items of that kind finds their rows by the columns that may_offer is about. */
static int finds_rows(const batch_resource_t *resource, const batch_pgsql_group_t *group)
{
    return resource->keys == BATCH_KEYS_CLIENT
               ? group->kind == BATCH_ITEM_KEY
               : resource->keys == BATCH_KEYS_GENERATED && group->kind == BATCH_ITEM_MATCH;
}

int batch_pgsql_can_offer(const batch_pgsql_merge_t *merge, const batch_pgsql_group_t *group)
{
    const batch_row_plan_t *plan = &merge->run.plan;
    const batch_resource_t *resource = plan->resource;
    const merge_sql_t sql = {.merge = merge, .plan = plan, .group = group};

    return group->has_key && finds_rows(resource, group) && !resource->form_column &&
           merge->run.rules->may_offer && has_assignments(&sql) && are_spelt(&sql) &&
           !may_be_trimmed(&sql);
}

batch_failure_e batch_pgsql_offer_queue(batch_pgsql_merge_t *merge,
                                        const batch_pgsql_group_t *group, int ordered)
{
    merge_sql_t sql = {
        .merge = merge, .plan = &merge->run.plan, .group = group, .offers = 1, .ordered = ordered};

    batch_pgsql_run_build(&merge->run, &sql.builder, merge->sets.set_pool);
    add_offer(&sql, group->members, group->count);
    return queue(&sql, group->count);
}

#include "store/sqlite3/groups.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "store/sqlite3/failures.h"
#include "store/sqlite3/rows.h"

/* ---- What is kept ------------------------------------------------------------------------------
 */

static void empty_group(batch_sqlite3_group_t *group)
{
    int i;

    for (i = 0; i < BATCH_GROUP_STATEMENTS; i++) {
        sqlite3_finalize(group->statements[i]);
    }
    memset(group, 0, sizeof(*group));
}

static void empty_groups(batch_sqlite3_groups_t *groups)
{
    int i;

    for (i = 0; i < BATCH_SQLITE3_GROUPS; i++) {
        empty_group(&groups->groups[i]);
    }
    groups->target_count = 0;
    apr_pool_clear(groups->p);
}

batch_sqlite3_groups_t *batch_sqlite3_groups(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (!state->groups) {
        batch_sqlite3_groups_t *groups = apr_pcalloc(connection->p, sizeof(*groups));

        if (apr_pool_create(&groups->p, connection->p) != APR_SUCCESS) {
            return NULL;
        }
        state->groups = groups;
    }
    return state->groups;
}

void batch_sqlite3_groups_close(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (state->groups) {
        empty_groups(state->groups);
    }
}

/* ---- Targets -----------------------------------------------------------------------------------
 */

static void sign(apr_array_header_t *pieces, const char *text)
{
    APR_ARRAY_PUSH(pieces, const char *) = text ? text : "\2";
    APR_ARRAY_PUSH(pieces, const char *) = "\1";
}

/* All of a scope that its statements are made of. */
static const char *signature_of(const batch_row_scope_t *scope, apr_pool_t *p)
{
    const batch_resource_t *resource = scope->resource;
    apr_array_header_t *pieces = apr_array_make(p, 64, sizeof(const char *));
    int i;

    sign(pieces, resource->table);
    sign(pieces, resource->key);
    sign(pieces, resource->keys == BATCH_KEYS_DATABASE ? "d" : "");
    sign(pieces, resource->scope);
    sign(pieces, scope->form_id ? resource->form_column : NULL);
    sign(pieces, resource->form_column);
    sign(pieces, resource->created_at);
    sign(pieces, resource->updated_at);
    sign(pieces, resource->created_by_id);
    sign(pieces, resource->updated_by_id);
    for (i = 0; resource->match && i < resource->match->nelts; i++) {
        sign(pieces, APR_ARRAY_IDX(resource->match, i, const char *));
    }
    sign(pieces, "");
    for (i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);

        sign(pieces, column->name);
        sign(pieces, column->immutable ? "i" : column->readonly ? "r" : "");
    }
    return apr_array_pstrcat(p, pieces, 0);
}

batch_failure_e batch_sqlite3_target(batch_connection_t *connection,
                                     const batch_sqlite3_target_t **target,
                                     const batch_row_scope_t *scope)
{
    batch_sqlite3_groups_t *groups = batch_sqlite3_groups(connection);
    const char *signature = signature_of(scope, batch_connection_scratch(connection));
    batch_sqlite3_target_t *made;
    batch_failure_e failure;
    int i;

    *target = NULL;
    if (!groups) {
        return BATCH_FAILURE_LOST;
    }
    groups->calls++;
    for (i = 0; i < groups->target_count; i++) {
        if (!strcmp(groups->targets[i].signature, signature)) {
            *target = &groups->targets[i];
            return BATCH_FAILURE_NONE;
        }
    }
    if (groups->target_count == BATCH_SQLITE3_TARGETS) {
        empty_groups(groups);
    }
    made = &groups->targets[groups->target_count];
    made->signature = apr_pstrdup(groups->p, signature);
    failure = batch_sqlite3_table(connection, &made->table, scope->resource, groups->p);
    if (failure == BATCH_FAILURE_NONE) {
        groups->target_count++;
        *target = made;
    }
    return failure;
}

batch_sqlite3_group_t *batch_sqlite3_group(batch_connection_t *connection,
                                           const batch_sqlite3_target_t *target,
                                           batch_group_kind_e kind, int tells,
                                           const apr_uint64_t *columns, int width)
{
    batch_sqlite3_groups_t *groups = batch_sqlite3_state(connection)->groups;
    batch_sqlite3_group_t *oldest = &groups->groups[0];
    apr_size_t size = (apr_size_t)width * sizeof(*columns);
    int i;

    for (i = 0; i < BATCH_SQLITE3_GROUPS; i++) {
        batch_sqlite3_group_t *group = &groups->groups[i];

        if (group->target == target && group->kind == kind && group->tells == tells &&
            !memcmp(group->columns, columns, size)) {
            group->used = ++groups->clock;
            return group;
        }
        if (group->used < oldest->used) {
            oldest = group;
        }
    }
    empty_group(oldest);
    oldest->target = target;
    oldest->kind = kind;
    oldest->tells = tells;
    memcpy(oldest->columns, columns, size);
    oldest->used = ++groups->clock;
    return oldest;
}

/* ---- The text of a statement -------------------------------------------------------------------
 */

typedef struct text_builder {
    apr_array_header_t *pieces; /* of const char * */
    const batch_row_plan_t *plan;
    const batch_resource_t *resource;
    const batch_sqlite3_group_t *group;
    int items; /* in the list that is being built */
    apr_pool_t *p;
} text_builder_t;

static void add(text_builder_t *builder, const char *piece)
{
    APR_ARRAY_PUSH(builder->pieces, const char *) = piece;
}

static void add_name(text_builder_t *builder, const char *name)
{
    add(builder, batch_sql_identifier(name, builder->p));
}

static void add_of(text_builder_t *builder, const char *row, const char *column)
{
    add(builder, row);
    add(builder, ".");
    add_name(builder, column);
}

/* With its table: alone, SQLite takes a name that it does not know for a string. */
static void add_column(text_builder_t *builder, const char *column)
{
    add_of(builder, batch_sql_identifier(builder->resource->table, builder->p), column);
}

static void add_parameter(text_builder_t *builder, int number)
{
    add(builder, apr_psprintf(builder->p, "?%d", number));
}

static void add_own_parameter(text_builder_t *builder, batch_parameter_e parameter)
{
    add_parameter(builder, builder->plan->column_count + (int)parameter);
}

static void add_constant(text_builder_t *builder, batch_constant_e constant)
{
    add_own_parameter(builder, BATCH_PARAMETER_SCOPE + (batch_parameter_e)constant);
}

/* What a row has to be to belong to the scope, each condition behind a word. */
static void add_scope(text_builder_t *builder, const char *word)
{
    const batch_row_fixed_list_t *scoped = &builder->plan->scoped;
    int i;

    for (i = 0; i < scoped->count; i++) {
        add(builder, i ? " AND " : word);
        add_column(builder, scoped->list[i].column);
        add(builder, " = ");
        add_constant(builder, scoped->list[i].constant);
    }
}

static int by_match(const batch_sqlite3_group_t *group)
{
    return group->kind == BATCH_GROUP_BY_MATCH || group->kind == BATCH_GROUP_LOOK_BY_MATCH;
}

/* The condition that finds an item's row. */
static void add_where(text_builder_t *builder)
{
    const batch_resource_t *resource = builder->resource;
    int matched = by_match(builder->group) ? batch_match_count(resource) : 0;
    int i;

    add(builder, " WHERE ");
    for (i = 0; i < matched; i++) {
        const char *name = batch_match_name(resource, i);

        add(builder, i ? " AND " : "");
        add_column(builder, name);
        add(builder, " = ");
        add_parameter(builder, batch_row_plan_place(builder->plan, name, -1) + 1);
    }
    if (!matched) {
        add_column(builder, resource->key);
        add(builder, " = ");
        add_own_parameter(builder, BATCH_PARAMETER_KEY);
    }
    add_scope(builder, " AND ");
}

/* column = , a list of which follows " SET " */
static void add_assignment(text_builder_t *builder, const char *column)
{
    add(builder, builder->items++ ? ", " : " SET ");
    add_name(builder, column);
    add(builder, " = ");
}

/* Names a column of the row that was touched; without a table, as RETURNING has it. */
static void add_returning(text_builder_t *builder, int tells)
{
    if (tells) {
        add(builder, " RETURNING ");
        add_name(builder, builder->resource->key);
        add(builder, builder->group->target->table.has_rowid ? ", _rowid_" : "");
    }
}

static void build_update(text_builder_t *builder)
{
    const batch_row_plan_t *plan = builder->plan;
    batch_item_kind_e kind = by_match(builder->group) ? BATCH_ITEM_MATCH : BATCH_ITEM_KEY;
    int i;

    /* OR ABORT only where the table says otherwise: it would hold inside of triggers as well. */
    add(builder, builder->group->target->table.replaces ? "UPDATE OR ABORT " : "UPDATE ");
    add_name(builder, builder->resource->table);
    for (i = 0; i < plan->column_count; i++) {
        const batch_column_t *column = batch_row_plan_column(plan, i);

        if (batch_columns_have(builder->group->columns, i) &&
            batch_kind_sets(builder->resource, kind, column)) {
            add_assignment(builder, column->name);
            add_parameter(builder, i + 1);
        }
    }
    for (i = 0; i < plan->changed.count; i++) {
        add_assignment(builder, plan->changed.list[i].column);
        add_constant(builder, plan->changed.list[i].constant);
    }
    if (!builder->items) { /* nothing to set is still an answer to which rows are there */
        add_assignment(builder, builder->resource->key);
        add_name(builder, builder->resource->key);
    }
    add_where(builder);
    add_returning(builder, builder->group->tells);
}

static void build_delete(text_builder_t *builder)
{
    add(builder, "DELETE FROM ");
    add_name(builder, builder->resource->table);
    add_where(builder);
}

/* A column of a new row, and the parameter with its value. */
static void add_new(text_builder_t *builder, apr_array_header_t *parameters, const char *column,
                    int parameter)
{
    add(builder, builder->items++ ? ", " : " (");
    add_name(builder, column);
    APR_ARRAY_PUSH(parameters, int) = parameter;
}

/* The values of a new row, without its key where the database makes it. */
static void add_new_row(text_builder_t *builder)
{
    const batch_row_plan_t *plan = builder->plan;
    apr_array_header_t *parameters =
        apr_array_make(builder->p, plan->column_count + 8, sizeof(int));
    int i;

    if (builder->resource->keys != BATCH_KEYS_DATABASE) {
        add_new(builder, parameters, builder->resource->key,
                plan->column_count + BATCH_PARAMETER_KEY);
    }
    for (i = 0; i < plan->made.count; i++) {
        add_new(builder, parameters, plan->made.list[i].column,
                plan->column_count + BATCH_PARAMETER_SCOPE + (int)plan->made.list[i].constant);
    }
    for (i = 0; i < plan->column_count; i++) {
        if (batch_columns_have(builder->group->columns, i)) {
            add_new(builder, parameters, batch_row_plan_column(plan, i)->name, i + 1);
        }
    }
    for (i = 0; i < parameters->nelts; i++) {
        add(builder, i ? ", " : ") VALUES (");
        add_parameter(builder, APR_ARRAY_IDX(parameters, i, int));
    }
    add(builder, parameters->nelts ? ")" : " DEFAULT VALUES");
}

static void build_insert(text_builder_t *builder)
{
    const batch_sqlite3_table_t *table = &builder->group->target->table;

    add(builder, table->replaces ? "INSERT OR ABORT INTO " : "INSERT INTO ");
    add_name(builder, builder->resource->table);
    add_new_row(builder);
    add_returning(builder, builder->resource->keys == BATCH_KEYS_DATABASE ||
                               (builder->group->tells && (table->triggers || !table->key_exact)));
}

static void build_offer(text_builder_t *builder)
{
    add(builder, "INSERT INTO ");
    add_name(builder, builder->resource->table);
    add_new_row(builder);
    add(builder, " ON CONFLICT (");
    add_name(builder, builder->resource->key);
    add(builder, ") DO NOTHING");
}

/* What the row is known by that was touched: its rowid, or the key that it was given. */
static void add_touched(text_builder_t *builder)
{
    if (builder->group->target->table.has_rowid) {
        add(builder, "touched._rowid_");
    } else {
        add_of(builder, "touched", builder->resource->key);
    }
    add(builder, " = ");
    add_own_parameter(builder, BATCH_PARAMETER_ROW);
}

static void build_stored(text_builder_t *builder)
{
    add(builder, "SELECT ");
    add_of(builder, "touched", builder->resource->key);
    add(builder, " FROM ");
    add_name(builder, builder->resource->table);
    add(builder, " AS touched WHERE ");
    add_touched(builder);
}

static void build_like(text_builder_t *builder)
{
    const batch_resource_t *resource = builder->resource;
    int i;

    add(builder, "SELECT ");
    add_column(builder, resource->key);
    add(builder, " FROM ");
    add_name(builder, resource->table);
    add(builder, " AS touched, ");
    add_name(builder, resource->table);
    add(builder, " WHERE ");
    add_touched(builder);
    for (i = 0; i < batch_match_count(resource); i++) {
        const char *name = batch_match_name(resource, i);

        add(builder, " AND ");
        add_column(builder, name);
        add(builder, " = ");
        add_of(builder, "touched", name);
    }
    add_scope(builder, " AND ");
    add(builder, " AND ");
    add_column(builder, resource->key);
    add(builder, " IS NOT ");
    add_of(builder, "touched", resource->key);
    add(builder, " LIMIT 2");
}

/* The key, and for each immutable column that the item has whether the row has another value. */
static void build_find(text_builder_t *builder)
{
    const batch_resource_t *resource = builder->resource;
    int is_look = builder->group->kind == BATCH_GROUP_LOOK_BY_KEY ||
                  builder->group->kind == BATCH_GROUP_LOOK_BY_MATCH;
    int i;

    add(builder, "SELECT ");
    add_column(builder, resource->key);
    for (i = 0; is_look && i < builder->plan->column_count; i++) {
        const batch_column_t *column = batch_row_plan_column(builder->plan, i);

        if (batch_columns_have(builder->group->columns, i) && column->immutable) {
            add(builder, ", (");
            add_column(builder, column->name);
            add(builder, " COLLATE BINARY) IS NOT ");
            add_parameter(builder, i + 1);
        }
    }
    add(builder, " FROM ");
    add_name(builder, resource->table);
    add_where(builder);
    add(builder, is_look ? " LIMIT " APR_STRINGIFY(BATCH_LOOK_ROWS) " + 1" : " LIMIT 2");
}

/* The next keys, and whether each of them is of the scope: so that SQLite walks the keys' index. */
static void build_walk(text_builder_t *builder)
{
    const batch_resource_t *resource = builder->resource;
    const batch_sqlite3_table_t *table = &builder->group->target->table;

    add(builder, "SELECT ");
    add_column(builder, resource->key);
    add(builder, ", ");
    if (table->walk_scope || !builder->plan->scoped.count) {
        add(builder, "1");
    } else {
        add_scope(builder, "");
    }
    add(builder, " FROM ");
    add_name(builder, resource->table);
    if (table->walk_index) {
        add(builder, " INDEXED BY ");
        add_name(builder, table->walk_index);
    }
    add(builder, " WHERE ");
    add_column(builder, resource->key);
    if (builder->group->kind == BATCH_GROUP_WALK_ON) {
        add(builder, " > ");
        add_own_parameter(builder, BATCH_PARAMETER_KEY);
    } else {
        add(builder, " IS NOT NULL");
    }
    if (table->walk_scope) {
        add_scope(builder, " AND ");
    }
    add(builder, " ORDER BY ");
    add_column(builder, resource->key);
    add(builder, " LIMIT ");
    add_own_parameter(builder, BATCH_PARAMETER_LIMIT);
}

batch_failure_e batch_sqlite3_group_prepare(batch_connection_t *connection,
                                            batch_sqlite3_group_t *group,
                                            const batch_row_plan_t *plan,
                                            batch_group_statement_e which)
{
    static void (*const builds[])(text_builder_t * builder) = {
        [BATCH_GROUP_FIND] = build_find,     [BATCH_GROUP_UPDATE] = build_update,
        [BATCH_GROUP_DELETE] = build_delete, [BATCH_GROUP_INSERT] = build_insert,
        [BATCH_GROUP_OFFER] = build_offer,   [BATCH_GROUP_STORED] = build_stored,
        [BATCH_GROUP_LIKE] = build_like};
    apr_pool_t *scratch = batch_connection_scratch(connection);
    text_builder_t builder = {
        apr_array_make(scratch, 64, sizeof(const char *)), plan, plan->resource, group, 0, scratch};

    if (group->kind == BATCH_GROUP_WALK_START || group->kind == BATCH_GROUP_WALK_ON) {
        build_walk(&builder);
    } else {
        builds[which](&builder);
    }
    group->bound[which] = 0;
    batch_sqlite3_state(connection)->prepared++;
    return batch_sqlite3_classify(
        connection,
        sqlite3_prepare_v3(connection->native, apr_array_pstrcat(scratch, builder.pieces, 0), -1,
                           SQLITE_PREPARE_PERSISTENT, &group->statements[which], NULL),
        0);
}

#include "store/sqlite3/plans.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "store/sqlite3/failures.h"
#include "store/sqlite3/rows.h"

/* ---- What is kept ------------------------------------------------------------------------------
 */

static void empty_plan(batch_sqlite3_plan_t *plan)
{
    int i;

    for (i = 0; i < BATCH_PLAN_STATEMENTS; i++) {
        sqlite3_finalize(plan->statements[i]);
    }
    memset(plan, 0, sizeof(*plan));
}

static void empty_plans(batch_sqlite3_plans_t *plans)
{
    int i;

    for (i = 0; i < BATCH_SQLITE3_PLANS; i++) {
        empty_plan(&plans->plans[i]);
    }
    plans->target_count = 0;
    apr_pool_clear(plans->p);
}

batch_sqlite3_plans_t *batch_sqlite3_plans(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (!state->plans) {
        batch_sqlite3_plans_t *plans = apr_pcalloc(connection->p, sizeof(*plans));

        if (apr_pool_create(&plans->p, connection->p) != APR_SUCCESS) {
            return NULL;
        }
        state->plans = plans;
    }
    return state->plans;
}

void batch_sqlite3_plans_close(batch_connection_t *connection)
{
    batch_sqlite3_state_t *state = batch_sqlite3_state(connection);

    if (state && state->plans) {
        empty_plans(state->plans);
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
    batch_sqlite3_plans_t *plans = batch_sqlite3_plans(connection);
    const char *signature = signature_of(scope, batch_connection_scratch(connection));
    batch_sqlite3_target_t *made;
    batch_failure_e failure;
    int i;

    *target = NULL;
    if (!plans) {
        return BATCH_FAILURE_LOST;
    }
    plans->calls++;
    for (i = 0; i < plans->target_count; i++) {
        if (!strcmp(plans->targets[i].signature, signature)) {
            *target = &plans->targets[i];
            return BATCH_FAILURE_NONE;
        }
    }
    if (plans->target_count == BATCH_SQLITE3_TARGETS) {
        empty_plans(plans);
    }
    made = &plans->targets[plans->target_count];
    made->signature = apr_pstrdup(plans->p, signature);
    failure = batch_sqlite3_table(connection, &made->table, scope->resource, plans->p);
    if (failure == BATCH_FAILURE_NONE) {
        plans->target_count++;
        *target = made;
    }
    return failure;
}

batch_sqlite3_plan_t *batch_sqlite3_plan(batch_connection_t *connection,
                                         const batch_sqlite3_target_t *target,
                                         batch_plan_kind_e kind, int tells,
                                         const apr_uint64_t *columns, int words)
{
    batch_sqlite3_plans_t *plans = batch_sqlite3_state(connection)->plans;
    batch_sqlite3_plan_t *oldest = &plans->plans[0];
    apr_size_t size = (apr_size_t)words * sizeof(*columns);
    int i;

    for (i = 0; i < BATCH_SQLITE3_PLANS; i++) {
        batch_sqlite3_plan_t *plan = &plans->plans[i];

        if (plan->target == target && plan->kind == kind && plan->tells == tells &&
            !memcmp(plan->columns, columns, size)) {
            plan->used = ++plans->clock;
            return plan;
        }
        if (plan->used < oldest->used) {
            oldest = plan;
        }
    }
    empty_plan(oldest);
    oldest->target = target;
    oldest->kind = kind;
    oldest->tells = tells;
    memcpy(oldest->columns, columns, size);
    oldest->used = ++plans->clock;
    return oldest;
}

/* ---- The text of a statement -------------------------------------------------------------------
 */

typedef struct text_builder {
    apr_array_header_t *pieces; /* of const char * */
    const batch_row_scope_t *scope;
    const batch_resource_t *resource;
    const batch_sqlite3_plan_t *plan;
    int items; /* in the list that is being built */
    apr_pool_t *p;
} text_builder_t;

static void add(text_builder_t *builder, const char *piece)
{
    APR_ARRAY_PUSH(builder->pieces, const char *) = piece;
}

static void add_name(text_builder_t *builder, const char *name)
{
    char *quoted = apr_palloc(builder->p, 2 * strlen(name) + 3);
    char *next = quoted;

    *next++ = '"';
    for (; *name; name++) {
        if (*name == '"') {
            *next++ = '"';
        }
        *next++ = *name;
    }
    *next++ = '"';
    *next = '\0';
    add(builder, quoted);
}

/* With its table: alone, SQLite takes a name that it does not know for a string. */
static void add_column(text_builder_t *builder, const char *column)
{
    add_name(builder, builder->resource->table);
    add(builder, ".");
    add_name(builder, column);
}

static void add_parameter(text_builder_t *builder, int number)
{
    add(builder, apr_psprintf(builder->p, "?%d", number));
}

static void add_own_parameter(text_builder_t *builder, batch_parameter_e parameter)
{
    add_parameter(builder, builder->resource->columns->nelts + (int)parameter);
}

static int has_column(const batch_sqlite3_plan_t *plan, int i)
{
    return plan->columns[i / 64] >> (i % 64) & 1;
}

static const batch_column_t *column_at(const batch_resource_t *resource, int i)
{
    return &APR_ARRAY_IDX(resource->columns, i, batch_column_t);
}

static int column_place(const batch_resource_t *resource, const char *name)
{
    int i;

    for (i = 0; i < resource->columns->nelts; i++) {
        if (!strcmp(column_at(resource, i)->name, name)) {
            return i;
        }
    }
    return -1;
}

static int is_match(const batch_resource_t *resource, const char *name)
{
    int i;

    for (i = 0; resource->match && i < resource->match->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(resource->match, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

static void add_equal(text_builder_t *builder, const char *word, const char *column, int parameter)
{
    add(builder, word);
    add_column(builder, column);
    add(builder, " = ");
    add_parameter(builder, parameter);
}

/* What a row has to be to belong to the scope, each condition behind a word. */
static void add_scope(text_builder_t *builder, const char *word)
{
    const batch_resource_t *resource = builder->resource;
    int count = resource->columns->nelts;

    if (resource->scope) {
        add_equal(builder, word, resource->scope, count + BATCH_PARAMETER_SCOPE);
        word = " AND ";
    }
    if (resource->form_column && builder->scope->form_id) {
        add_equal(builder, word, resource->form_column, count + BATCH_PARAMETER_FORM);
    }
}

static int by_match(const batch_sqlite3_plan_t *plan)
{
    return plan->kind == BATCH_PLAN_MATCH || plan->kind == BATCH_PLAN_LOOK_MATCH;
}

/* The condition that finds an item's row. */
static void add_where(text_builder_t *builder)
{
    const batch_resource_t *resource = builder->resource;
    int i;

    if (!by_match(builder->plan)) {
        add_equal(builder, " WHERE ", resource->key,
                  resource->columns->nelts + BATCH_PARAMETER_KEY);
    } else {
        for (i = 0; i < resource->match->nelts; i++) {
            const char *name = APR_ARRAY_IDX(resource->match, i, const char *);
            add_equal(builder, i ? " AND " : " WHERE ", name, column_place(resource, name) + 1);
        }
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
        add(builder, builder->plan->target->table.has_rowid ? ", _rowid_" : "");
    }
}

static void build_update(text_builder_t *builder)
{
    const batch_resource_t *resource = builder->resource;
    int i;

    /* OR ABORT only where the table says otherwise: it would hold inside of triggers as well. */
    add(builder, builder->plan->target->table.replaces ? "UPDATE OR ABORT " : "UPDATE ");
    add_name(builder, resource->table);
    for (i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = column_at(resource, i);

        if (has_column(builder->plan, i) && !column->immutable &&
            !(by_match(builder->plan) && is_match(resource, column->name))) {
            add_assignment(builder, column->name);
            add_parameter(builder, i + 1);
        }
    }
    if (resource->updated_at) {
        add_assignment(builder, resource->updated_at);
        add_own_parameter(builder, BATCH_PARAMETER_NOW);
    }
    if (resource->updated_by_id) {
        add_assignment(builder, resource->updated_by_id);
        add_own_parameter(builder, BATCH_PARAMETER_ACTOR);
    }
    if (!builder->items) {
        add_assignment(builder, resource->key);
        add_name(builder, resource->key);
    }
    add_where(builder);
    add_returning(builder, builder->plan->tells);
}

/* A column of a new row, and the parameter with its value; NULL column: none. */
static void add_new(text_builder_t *builder, apr_array_header_t *parameters, const char *column,
                    int parameter)
{
    if (column) {
        add(builder, builder->items++ ? ", " : " (");
        add_name(builder, column);
        APR_ARRAY_PUSH(parameters, int) = parameter;
    }
}

static void build_insert(text_builder_t *builder)
{
    const batch_resource_t *resource = builder->resource;
    int count = resource->columns->nelts;
    apr_array_header_t *parameters = apr_array_make(builder->p, count + 8, sizeof(int));
    int i;

    add(builder, builder->plan->target->table.replaces ? "INSERT OR ABORT INTO " : "INSERT INTO ");
    add_name(builder, resource->table);
    add_new(builder, parameters, resource->key, count + BATCH_PARAMETER_KEY);
    add_new(builder, parameters, resource->scope, count + BATCH_PARAMETER_SCOPE);
    add_new(builder, parameters, builder->scope->form_id ? resource->form_column : NULL,
            count + BATCH_PARAMETER_FORM);
    add_new(builder, parameters, resource->created_at, count + BATCH_PARAMETER_NOW);
    add_new(builder, parameters, resource->updated_at, count + BATCH_PARAMETER_NOW);
    add_new(builder, parameters, resource->created_by_id, count + BATCH_PARAMETER_ACTOR);
    add_new(builder, parameters, resource->updated_by_id, count + BATCH_PARAMETER_ACTOR);
    for (i = 0; i < count; i++) {
        if (has_column(builder->plan, i)) {
            add_new(builder, parameters, column_at(resource, i)->name, i + 1);
        }
    }
    for (i = 0; i < parameters->nelts; i++) {
        add(builder, i ? ", " : ") VALUES (");
        add_parameter(builder, APR_ARRAY_IDX(parameters, i, int));
    }
    add(builder, ")");
    add_returning(builder, builder->plan->tells && (builder->plan->target->table.triggers ||
                                                    !builder->plan->target->table.key_exact));
}

static void add_of(text_builder_t *builder, const char *row, const char *column)
{
    add(builder, row);
    add(builder, ".");
    add_name(builder, column);
}

/* What the row is known by that was touched: its rowid, or the key that it was given. */
static void add_touched(text_builder_t *builder)
{
    if (builder->plan->target->table.has_rowid) {
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
    for (i = 0; i < resource->match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(resource->match, i, const char *);

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
    int is_look =
        builder->plan->kind == BATCH_PLAN_LOOK_KEY || builder->plan->kind == BATCH_PLAN_LOOK_MATCH;
    int i;

    add(builder, "SELECT ");
    add_column(builder, resource->key);
    for (i = 0; is_look && i < resource->columns->nelts; i++) {
        if (has_column(builder->plan, i) && column_at(resource, i)->immutable) {
            add(builder, ", (");
            add_column(builder, column_at(resource, i)->name);
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
    const batch_sqlite3_table_t *table = &builder->plan->target->table;
    int bound = resource->scope || (resource->form_column && builder->scope->form_id);

    add(builder, "SELECT ");
    add_column(builder, resource->key);
    add(builder, ", ");
    if (table->walk_scope || !bound) {
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
    if (builder->plan->kind == BATCH_PLAN_WALK_ON) {
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

batch_failure_e batch_sqlite3_plan_prepare(batch_connection_t *connection,
                                           batch_sqlite3_plan_t *plan,
                                           const batch_row_scope_t *scope,
                                           batch_plan_statement_e which)
{
    apr_pool_t *scratch = batch_connection_scratch(connection);
    text_builder_t builder = {apr_array_make(scratch, 64, sizeof(const char *)),
                              scope,
                              scope->resource,
                              plan,
                              0,
                              scratch};
    const char *sql;

    if (which == BATCH_PLAN_UPDATE) {
        build_update(&builder);
    } else if (which == BATCH_PLAN_INSERT) {
        build_insert(&builder);
    } else if (which == BATCH_PLAN_STORED) {
        build_stored(&builder);
    } else if (which == BATCH_PLAN_LIKE) {
        build_like(&builder);
    } else if (plan->kind == BATCH_PLAN_WALK_START || plan->kind == BATCH_PLAN_WALK_ON) {
        build_walk(&builder);
    } else {
        build_find(&builder);
    }
    sql = apr_array_pstrcat(scratch, builder.pieces, 0);
    plan->bound[which] = 0;
    return batch_sqlite3_classify(connection,
                                  sqlite3_prepare_v3(connection->native, sql, -1,
                                                     SQLITE_PREPARE_PERSISTENT,
                                                     &plan->statements[which], NULL),
                                  0);
}

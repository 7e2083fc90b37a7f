/* Expressions as SQL. */
#include "query/compile.h"

#include <string.h>

#include <apr_strings.h>

/* The nodes of a condition that SQLite is given: what is larger is one call. */
#define MOST_NATIVE 24

/* Conditions of a query that the planner looks at; the others are calls. */
#define MOST_TERMS 200

/* Constants of IN that SQLite is given: of more the evaluator has a sorted list. */
#define MOST_LISTED 16

/* ---- Text ------------------------------------------------------------------------------------ */

void batch_emit(batch_compiler_t *compiler, const char *sql)
{
    APR_ARRAY_PUSH(compiler->pieces, const char *) = sql;
}

void batch_emit_number(batch_compiler_t *compiler, const char *before, apr_int64_t number)
{
    batch_emit(compiler, apr_psprintf(compiler->text->p, "%s%" APR_INT64_T_FMT, before, number));
}

void batch_compile_enter(batch_compiler_t *compiler, int entries, int at)
{
    compiler->nesting += entries;
    if (compiler->nesting > BATCH_STACK_MOST) {
        batch_query_fault(compiler->text, at,
                          "SELECTs and conditions are nested too deeply here: about 10 levels of "
                          "SELECTs are possible");
    }
}

void batch_compile_leave(batch_compiler_t *compiler, int entries)
{
    compiler->nesting -= entries;
}

static void constant(batch_compiler_t *compiler, const batch_node_t *node)
{
    if (node->value.kind == BATCH_QUERY_NULL) {
        batch_emit(compiler, "NULL");
        return;
    }
    APR_ARRAY_PUSH(compiler->compiled->constants, const batch_node_t *) = node;
    batch_emit_number(compiler, "?", compiler->compiled->constants->nelts);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void name(batch_compiler_t *compiler, const batch_node_t *node)
{
    const batch_source_t *source = node->source;
    const char *called;
    const int *place;

    batch_emit_number(compiler, "s", source->number);
    if (node->type == BATCH_NODE_OUTPUT) {
        batch_emit_number(compiler, ".o", node->slot);
        return;
    }
    if (node->type == BATCH_NODE_COLUMN && !node->slot) {
        batch_emit(compiler, ".k");
        return;
    }
    called = node->type == BATCH_NODE_COLUMN
                 ? APR_ARRAY_IDX(source->columns, node->slot, const batch_query_column_t *)->name
                 : APR_ARRAY_IDX(source->members, node->slot, batch_member_t).name;
    place = apr_hash_get(compiler->tables->columns, called, APR_HASH_KEY_STRING);
    if (place) {
        batch_emit_number(compiler, ".n", *place);
    } else {
        batch_query_fault(compiler->text, node->at, "\"%s\" cannot be used here", called);
    }
}

/* ---- What SQLite does by itself -------------------------------------------------------------- */

/* Nodes in it, as far as they matter. */
static int size_of(const batch_node_t *node)
{
    int size = 1, i;

    for (i = 0; i < node->count && size <= MOST_NATIVE; i++) {
        size += size_of(node->children[i]);
    }
    return size;
}

static int is_member(const batch_node_t *node)
{
    return node->kind == BATCH_QUERY_MEMBER;
}

static int has_interval(const batch_node_t *node)
{
    int i;

    for (i = 0; i < node->count; i++) {
        if (node->children[i]->kind == BATCH_QUERY_INTERVAL) {
            return 1;
        }
    }
    return node->kind == BATCH_QUERY_INTERVAL;
}

/* Kinds that are stored the same way. */
static int is_stored_alike(batch_query_kind_e from, batch_query_kind_e to)
{
    return from == to || (from == BATCH_QUERY_INTEGER && to == BATCH_QUERY_NUMBER) ||
           (from == BATCH_QUERY_DATE && to == BATCH_QUERY_TIMESTAMP);
}

static int is_listed(const batch_node_t *node)
{
    int i;

    if (is_member(node->children[0])) {
        return 0;
    }
    for (i = 1; i < node->count; i++) {
        if (node->children[i]->type != BATCH_NODE_VALUE) {
            return batch_compile_has_select(node);
        }
    }
    return node->count <= MOST_LISTED;
}

/* 1 if the node itself is nothing that has to be evaluated by us. */
static int is_native(const batch_node_t *node, batch_use_e use)
{
    switch (node->type) {
    case BATCH_NODE_CONVERT:
        return is_stored_alike(node->children[0]->kind, node->kind);
    case BATCH_NODE_COMPARE:
        return !is_member(node->children[0]) ||
               (use == BATCH_USE_TRUTH && node->op == BATCH_COMPARE_EQUAL);
    case BATCH_NODE_BETWEEN:
        return !is_member(node->children[0]);
    case BATCH_NODE_IN:
        return is_listed(node);
    case BATCH_NODE_CALL:
        return node->op == BATCH_FUNCTION_COALESCE;
    case BATCH_NODE_LIKE:
    case BATCH_NODE_ARITHMETIC:
    case BATCH_NODE_NEGATE:
    case BATCH_NODE_CONCAT:
        return 0;
    default:
        return 1;
    }
}

/* 1 if it can be evaluated as a whole, and is better so. */
static int is_large(const batch_compiler_t *compiler, const batch_node_t *node)
{
    return node->count && (compiler->nesting > BATCH_STACK_MOST / 2 ||
                           (!batch_compile_has_select(node) &&
                            (compiler->terms > MOST_TERMS || size_of(node) > MOST_NATIVE)));
}

/* What the planner can take apart. */
static int is_conjunction(const batch_node_t *node, batch_use_e use)
{
    return node->type == BATCH_NODE_AND && use == BATCH_USE_TRUTH;
}

/* ---- Operators -------------------------------------------------------------------------------
 */

static void operand(batch_compiler_t *compiler, const batch_node_t *node, batch_use_e use)
{
    batch_compile_enter(compiler, BATCH_STACK_OPERAND, node->at);
    batch_compile_node(compiler, node, use);
    batch_compile_leave(compiler, BATCH_STACK_OPERAND);
}

static void between_two(batch_compiler_t *compiler, const batch_node_t *node, const char *op)
{
    compiler->terms++;
    batch_emit(compiler, "(");
    operand(compiler, node->children[0], BATCH_USE_VALUE);
    batch_emit(compiler, op);
    operand(compiler, node->children[1], BATCH_USE_VALUE);
    batch_emit(compiler, ")");
}

static void behind_one(batch_compiler_t *compiler, const batch_node_t *node, const char *op)
{
    compiler->terms++;
    batch_emit(compiler, "(");
    operand(compiler, node->children[0], BATCH_USE_VALUE);
    batch_emit(compiler, op);
    batch_emit(compiler, ")");
}

/* A child that the planner has no use for. What WHERE joins by AND it has: of one form each. */
static int is_rest(const batch_compiler_t *compiler, const batch_node_t *node,
                   const batch_node_t *child, batch_use_e use)
{
    if (batch_compile_has_select(child)) {
        return 0;
    }
    return is_conjunction(node, use) ? compiler->terms > MOST_TERMS
                                     : !is_native(child, use) || is_large(compiler, child);
}

/* AND or OR; of the children that the planner has no use for one call is made. */
static void chain(batch_compiler_t *compiler, const batch_node_t *node, batch_use_e use)
{
    apr_pool_t *p = compiler->text->p;
    batch_node_t *rest = apr_pmemdup(p, node, sizeof(*node));
    const char *op = node->type == BATCH_NODE_AND ? " AND " : " OR ", *before = "(";
    int i;

    rest->children = apr_palloc(p, (apr_size_t)node->count * sizeof(*rest->children));
    rest->count = 0;
    for (i = 0; i < node->count; i++) {
        batch_node_t *child = node->children[i];

        if (is_rest(compiler, node, child, use)) {
            rest->children[rest->count++] = child;
            continue;
        }
        batch_emit(compiler, before);
        before = op;
        operand(compiler, child, use);
    }
    if (rest->count) {
        batch_emit(compiler, before);
        batch_compile_enter(compiler, BATCH_STACK_OPERAND, node->at);
        batch_compile_call(compiler, rest->count > 1 ? rest : rest->children[0]);
        batch_compile_leave(compiler, BATCH_STACK_OPERAND);
    }
    batch_emit(compiler, ")");
}

static void compare(batch_compiler_t *compiler, const batch_node_t *node)
{
    static const char *const ops[] = {" = ", " <> ", " < ", " <= ", " > ", " >= "};

    between_two(compiler, node, ops[node->op]);
}

static void listed(batch_compiler_t *compiler, const batch_node_t *node)
{
    int i;

    compiler->terms++;
    batch_emit(compiler, "(");
    operand(compiler, node->children[0], BATCH_USE_VALUE);
    batch_emit(compiler, node->negated ? " NOT IN (" : " IN (");
    for (i = 1; i < node->count; i++) {
        batch_emit(compiler, i > 1 ? "," : "");
        operand(compiler, node->children[i], BATCH_USE_VALUE);
    }
    batch_emit(compiler, "))");
}

static void between(batch_compiler_t *compiler, const batch_node_t *node)
{
    compiler->terms++;
    batch_emit(compiler, "(");
    operand(compiler, node->children[0], BATCH_USE_VALUE);
    batch_emit(compiler, node->negated ? " NOT BETWEEN " : " BETWEEN ");
    operand(compiler, node->children[1], BATCH_USE_VALUE);
    batch_emit(compiler, " AND ");
    operand(compiler, node->children[2], BATCH_USE_VALUE);
    batch_emit(compiler, ")");
}

static void coalesce(batch_compiler_t *compiler, const batch_node_t *node)
{
    int i;

    batch_compile_enter(compiler, BATCH_STACK_CALL, node->at);
    batch_emit(compiler, node->count > 1 ? "coalesce(" : "(");
    for (i = 0; i < node->count; i++) {
        batch_emit(compiler, i ? "," : "");
        batch_compile_node(compiler, node->children[i], BATCH_USE_VALUE);
    }
    batch_emit(compiler, ")");
    batch_compile_leave(compiler, BATCH_STACK_CALL);
}

static void choose(batch_compiler_t *compiler, const batch_node_t *node)
{
    batch_use_e use = node->op == BATCH_CASE_OF ? BATCH_USE_VALUE : BATCH_USE_TRUTH;
    int i = 0;

    batch_compile_enter(compiler, BATCH_STACK_CASE, node->at);
    batch_emit(compiler, "(CASE ");
    if (node->op == BATCH_CASE_OF) {
        batch_compile_node(compiler, node->children[i++], BATCH_USE_VALUE);
    }
    for (; i + 1 < node->count; i += 2) {
        compiler->terms++;
        batch_emit(compiler, " WHEN ");
        batch_compile_node(compiler, node->children[i], use);
        batch_emit(compiler, " THEN ");
        batch_compile_node(compiler, node->children[i + 1], BATCH_USE_VALUE);
    }
    if (i < node->count) {
        batch_emit(compiler, " ELSE ");
        batch_compile_node(compiler, node->children[i], BATCH_USE_VALUE);
    }
    batch_emit(compiler, " END)");
    batch_compile_leave(compiler, BATCH_STACK_CASE);
}

/* ---- Subqueries ------------------------------------------------------------------------------ */

static void subquery(batch_compiler_t *compiler, const batch_node_t *node, const char *before,
                     batch_need_e need, apr_int64_t most, const char *behind)
{
    batch_emit(compiler, before);
    batch_compile_enter(compiler, BATCH_STACK_SELECT, node->at);
    batch_compile_select(compiler, node->select, need, most);
    batch_compile_leave(compiler, BATCH_STACK_SELECT);
    batch_emit(compiler, behind);
}

/*
 * SQLite forgets a DISTINCT behind EXISTS, where an OFFSET counts what it leaves: that is a SELECT
 * of its own.
 */
static void exists(batch_compiler_t *compiler, const batch_node_t *node)
{
    const batch_select_t *select = node->select;
    int counts = (select->distinct || select->set) && (select->limit >= 0 || select->offset > 0);

    compiler->terms++;
    batch_emit(compiler, node->negated ? "(NOT " : "(");
    subquery(compiler, node, counts ? "EXISTS (SELECT 1 FROM (" : "EXISTS (", BATCH_NEED_ROWS,
             BATCH_MOST_ALL, counts ? ") AS q))" : "))");
}

/* A second row is an error: one() says so. */
static void scalar(batch_compiler_t *compiler, const batch_node_t *node)
{
    if (batch_compile_is_single(node->select)) {
        subquery(compiler, node, "(", BATCH_NEED_ALL, BATCH_MOST_ALL, ")");
        return;
    }
    batch_compile_enter(compiler, BATCH_STACK_CALL, node->at);
    subquery(compiler, node, "(SELECT one(q.o0) FROM (", BATCH_NEED_ALL, 2, ") AS q)");
    batch_compile_leave(compiler, BATCH_STACK_CALL);
}

/*
 * Members of other types are neither equal nor unequal. Where only the truth matters SQLite can
 * look it up; else it is our functions that do.
 */
static void in_select(batch_compiler_t *compiler, const batch_node_t *node, batch_use_e use)
{
    int set;

    compiler->terms++;
    if (!is_member(node->children[0]) || (use == BATCH_USE_TRUTH && !node->negated)) {
        batch_emit(compiler, "(");
        operand(compiler, node->children[0], BATCH_USE_VALUE);
        subquery(compiler, node, node->negated ? " NOT IN (" : " IN (", BATCH_NEED_ALL,
                 BATCH_MOST_ALL, "))");
        return;
    }
    set = compiler->compiled->sets++;
    batch_emit(compiler, node->negated ? "(NOT " : "(");
    batch_emit_number(compiler, "among(", set);
    batch_emit(compiler, ",");
    batch_compile_enter(compiler, 2 * BATCH_STACK_CALL, node->at);
    batch_compile_node(compiler, node->children[0], BATCH_USE_VALUE);
    batch_emit_number(compiler, ",(SELECT members(", set);
    subquery(compiler, node, ",q.o0) FROM (", BATCH_NEED_ALL, BATCH_MOST_ALL, ") AS q)))");
    batch_compile_leave(compiler, 2 * BATCH_STACK_CALL);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void unary(batch_compiler_t *compiler, const batch_node_t *node)
{
    switch (node->type) {
    case BATCH_NODE_CONVERT:
        batch_compile_node(compiler, node->children[0], BATCH_USE_VALUE);
        break;
    case BATCH_NODE_NOT:
        batch_emit(compiler, "(NOT ");
        operand(compiler, node->children[0], BATCH_USE_VALUE);
        batch_emit(compiler, ")");
        break;
    case BATCH_NODE_IS_NULL:
        behind_one(compiler, node, node->negated ? " IS NOT NULL" : " IS NULL");
        break;
    default:
        behind_one(compiler, node,
                   node->op == 't' ? (node->negated ? " IS NOT 1" : " IS 1")
                                   : (node->negated ? " IS NOT 0" : " IS 0"));
        break;
    }
}

static void native(batch_compiler_t *compiler, const batch_node_t *node, batch_use_e use)
{
    switch (node->type) {
    case BATCH_NODE_AND:
    case BATCH_NODE_OR:
        chain(compiler, node, use);
        break;
    case BATCH_NODE_COMPARE:
        compare(compiler, node);
        break;
    case BATCH_NODE_DISTINCT:
        between_two(compiler, node, node->negated ? " IS " : " IS NOT ");
        break;
    case BATCH_NODE_IN:
        listed(compiler, node);
        break;
    case BATCH_NODE_BETWEEN:
        between(compiler, node);
        break;
    case BATCH_NODE_CALL:
        coalesce(compiler, node);
        break;
    case BATCH_NODE_CASE:
        choose(compiler, node);
        break;
    default:
        unary(compiler, node);
        break;
    }
}

void batch_compile_node(batch_compiler_t *compiler, const batch_node_t *node, batch_use_e use)
{
    if (compiler->text->fault) {
        return;
    }
    switch (node->type) {
    case BATCH_NODE_VALUE:
        constant(compiler, node);
        break;
    case BATCH_NODE_COLUMN:
    case BATCH_NODE_MEMBER:
    case BATCH_NODE_OUTPUT:
        name(compiler, node);
        break;
    case BATCH_NODE_AGGREGATE:
        batch_compile_aggregate(compiler, node);
        break;
    case BATCH_NODE_EXISTS:
        exists(compiler, node);
        break;
    case BATCH_NODE_SCALAR:
        scalar(compiler, node);
        break;
    case BATCH_NODE_IN_SELECT:
        in_select(compiler, node, use);
        break;
    default:
        if (!is_native(node, use) || has_interval(node) ||
            (is_large(compiler, node) && !is_conjunction(node, use))) {
            batch_compile_call(compiler, node);
        } else {
            native(compiler, node, use);
        }
        break;
    }
}

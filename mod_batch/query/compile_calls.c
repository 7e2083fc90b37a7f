/* What the evaluator computes: trees whose leaves are arguments of a call. */
#include "query/compile.h"

#include <string.h>

#include <apr_strings.h>

/* From so many arguments on a part that computes is a call of its own. */
#define MANY_ARGUMENTS (BATCH_COMPILE_ARGUMENTS / 2)

typedef struct call_builder {
    batch_compiler_t *compiler;
    apr_array_header_t *arguments; /* of const batch_node_t * */
} call_builder_t;

static int is_select(const batch_node_t *node)
{
    return node->type == BATCH_NODE_EXISTS || node->type == BATCH_NODE_SCALAR ||
           node->type == BATCH_NODE_IN_SELECT;
}

int batch_compile_has_select(const batch_node_t *node)
{
    int i;

    if (is_select(node)) {
        return 1;
    }
    for (i = 0; i < node->count; i++) {
        if (batch_compile_has_select(node->children[i])) {
            return 1;
        }
    }
    return node->filter && batch_compile_has_select(node->filter);
}

/* What SQLite computes, or knows. */
static int is_leaf(const batch_node_t *node)
{
    switch (node->type) {
    case BATCH_NODE_COLUMN:
    case BATCH_NODE_MEMBER:
    case BATCH_NODE_OUTPUT:
    case BATCH_NODE_AGGREGATE:
        return 1;
    default:
        return is_select(node);
    }
}

/* Of these not all children are evaluated: a subquery in them must not be for nothing. */
static int is_lazy(const batch_node_t *node)
{
    return node->type == BATCH_NODE_AND || node->type == BATCH_NODE_OR ||
           node->type == BATCH_NODE_CASE ||
           (node->type == BATCH_NODE_CALL && node->op == BATCH_FUNCTION_COALESCE);
}

static int is_same(const batch_node_t *a, const batch_node_t *b)
{
    return a == b || (a->type == b->type && a->source && a->source == b->source &&
                      a->slot == b->slot && a->kind == b->kind);
}

static batch_node_t *argument(call_builder_t *builder, const batch_node_t *node)
{
    batch_node_t *made = apr_pcalloc(builder->compiler->text->p, sizeof(*made));
    int i;

    for (i = 0; i < builder->arguments->nelts; i++) {
        if (is_same(APR_ARRAY_IDX(builder->arguments, i, const batch_node_t *), node)) {
            break;
        }
    }
    if (i == builder->arguments->nelts) {
        APR_ARRAY_PUSH(builder->arguments, const batch_node_t *) = node;
    }
    made->type = BATCH_NODE_ARGUMENT;
    made->kind = node->kind;
    made->zone = node->zone;
    made->at = node->at;
    made->slot = i;
    return made;
}

/* Arguments that it could take more, as far as they matter. */
static int leaves_of(const batch_node_t *node)
{
    int leaves = is_leaf(node), i;

    for (i = 0; !is_leaf(node) && i < node->count && leaves <= BATCH_COMPILE_ARGUMENTS; i++) {
        leaves += leaves_of(node->children[i]);
    }
    return leaves;
}

static batch_node_t *copy(call_builder_t *builder, const batch_node_t *node, int is_root);

/* A list whose children have too many leaves becomes a list of lists. */
static batch_node_t *copy_parts(call_builder_t *builder, const batch_node_t *node)
{
    apr_pool_t *p = builder->compiler->text->p;
    batch_node_t *made = apr_pmemdup(p, node, sizeof(*made));
    int from = node->type == BATCH_NODE_IN, size = MANY_ARGUMENTS - from, i;

    if (size < node->count / MANY_ARGUMENTS + 1) { /* its parts have parts again */
        size = node->count / MANY_ARGUMENTS + 1;
    }
    made->children = apr_palloc(p, (apr_size_t)node->count * sizeof(*made->children));
    made->count = 0;
    for (i = from; i < node->count; i += size) {
        batch_node_t *part = apr_pmemdup(p, node, sizeof(*part));
        int count = node->count - i < size ? node->count - i : size;

        part->children = apr_palloc(p, ((apr_size_t)count + 1) * sizeof(*part->children));
        part->children[0] = node->children[0];
        memcpy(part->children + from, node->children + i,
               (apr_size_t)count * sizeof(*part->children));
        part->count = from + count;
        made->children[made->count++] = argument(builder, part);
    }
    if (node->type == BATCH_NODE_IN) {
        made->type = node->negated ? BATCH_NODE_AND : BATCH_NODE_OR;
        made->negated = 0;
    }
    return made;
}

static int is_list(const batch_node_t *node)
{
    return node->type == BATCH_NODE_CONCAT || node->type == BATCH_NODE_AND ||
           node->type == BATCH_NODE_OR || (node->type == BATCH_NODE_IN && !node->sorted);
}

static batch_node_t *copy(call_builder_t *builder, const batch_node_t *node, int is_root)
{
    apr_pool_t *p = builder->compiler->text->p;
    batch_node_t *made;
    int is_deep = builder->compiler->nesting > BATCH_STACK_MOST / 2, i;

    if (node->type == BATCH_NODE_VALUE) {
        return (batch_node_t *)node;
    }
    if (is_leaf(node) ||
        (!is_root && node->kind != BATCH_QUERY_INTERVAL &&
         ((is_lazy(node) && !is_deep && batch_compile_has_select(node)) ||
          builder->arguments->nelts + leaves_of(node) > BATCH_COMPILE_ARGUMENTS))) {
        return argument(builder, node);
    }
    if (is_list(node) && node->count > MANY_ARGUMENTS && leaves_of(node) > MANY_ARGUMENTS) {
        return copy_parts(builder, node);
    }
    made = apr_pmemdup(p, node, sizeof(*made));
    made->children = apr_palloc(p, (apr_size_t)node->count * sizeof(*made->children) + 1);
    for (i = 0; i < node->count; i++) {
        made->children[i] = copy(builder, node->children[i], 0);
    }
    return made;
}

static int add_call(batch_compiler_t *compiler, const batch_node_t *node,
                    const apr_array_header_t *arguments)
{
    batch_compiled_call_t *call = apr_array_push(compiler->compiled->calls);
    batch_query_kind_e *kinds =
        apr_palloc(compiler->text->p, (apr_size_t)arguments->nelts * sizeof(*kinds) + 1);
    int i;

    for (i = 0; i < arguments->nelts; i++) {
        kinds[i] = APR_ARRAY_IDX(arguments, i, const batch_node_t *)->kind;
    }
    call->node = node;
    call->kinds = kinds;
    call->count = arguments->nelts;
    return compiler->compiled->calls->nelts - 1;
}

void batch_compile_call(batch_compiler_t *compiler, const batch_node_t *node)
{
    call_builder_t builder = {compiler,
                              apr_array_make(compiler->text->p, 4, sizeof(const batch_node_t *))};
    const batch_node_t *made = copy(&builder, node, 1);
    int i;

    if (builder.arguments->nelts > BATCH_COMPILE_ARGUMENTS) {
        batch_query_fault(compiler->text, node->at, "this has more than %d different values in it",
                          BATCH_COMPILE_ARGUMENTS);
        return;
    }
    compiler->terms++;
    batch_compile_enter(compiler, BATCH_STACK_CALL, node->at);
    batch_emit_number(compiler, "e(", add_call(compiler, made, builder.arguments));
    for (i = 0; i < builder.arguments->nelts; i++) {
        batch_emit(compiler, ",");
        batch_compile_node(compiler, APR_ARRAY_IDX(builder.arguments, i, const batch_node_t *),
                           BATCH_USE_VALUE);
    }
    batch_emit(compiler, ")");
    batch_compile_leave(compiler, BATCH_STACK_CALL);
}

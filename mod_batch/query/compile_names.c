/* Which sources an expression names. */
#include "query/compile.h"

apr_uint32_t batch_compile_sources(const batch_source_t *from)
{
    if (!from) {
        return 0;
    }
    return from->type == BATCH_SOURCE_JOIN
               ? batch_compile_sources(from->left) | batch_compile_sources(from->right)
               : (apr_uint32_t)1 << from->number;
}

static apr_uint32_t named_by_select(const batch_select_t *select);

static apr_uint32_t named_by_nodes(const apr_array_header_t *nodes)
{
    apr_uint32_t named = 0;
    int i;

    for (i = 0; i < nodes->nelts; i++) {
        named |= batch_compile_named(APR_ARRAY_IDX(nodes, i, const batch_node_t *));
    }
    return named;
}

static apr_uint32_t named_by_order(const apr_array_header_t *order)
{
    apr_uint32_t named = 0;
    int i;

    for (i = 0; i < order->nelts; i++) {
        named |= batch_compile_named(APR_ARRAY_IDX(order, i, batch_select_order_t).node);
    }
    return named;
}

static apr_uint32_t named_by_from(const batch_source_t *from)
{
    if (!from || from->type == BATCH_SOURCE_FORM) {
        return 0;
    }
    return from->type == BATCH_SOURCE_JOIN
               ? named_by_from(from->left) | named_by_from(from->right) |
                     batch_compile_named(from->on)
           : from->with < 0 ? named_by_select(from->select)
                            : 0;
}

static apr_uint32_t named_by_select(const batch_select_t *select)
{
    apr_uint32_t named = named_by_from(select->from) | batch_compile_named(select->where) |
                         batch_compile_named(select->having) | named_by_nodes(select->groups);
    int i;

    if (select->set) { /* its order is by its outputs */
        return named_by_select(select->left) | named_by_select(select->right);
    }
    for (i = 0; i < select->outputs->nelts; i++) {
        named |= batch_compile_named(APR_ARRAY_IDX(select->outputs, i, batch_output_t).node);
    }
    return named | named_by_order(select->order);
}

apr_uint32_t batch_compile_named(const batch_node_t *node)
{
    apr_uint32_t named = 0;
    int i;

    if (!node) {
        return 0;
    }
    if (node->source) {
        named |= (apr_uint32_t)1 << node->source->number;
    }
    if (node->select) {
        named |= named_by_select(node->select);
    }
    if (node->window) {
        named |= named_by_nodes(node->window->partition) | named_by_order(node->window->order);
    }
    for (i = 0; i < node->count; i++) {
        named |= batch_compile_named(node->children[i]);
    }
    return named | batch_compile_named(node->filter);
}

static int has_aggregate(const batch_node_t *node)
{
    int i;

    for (i = 0; i < node->count; i++) {
        if (has_aggregate(node->children[i])) {
            return 1;
        }
    }
    return node->type == BATCH_NODE_AGGREGATE;
}

batch_term_e batch_compile_term(const batch_compiler_t *compiler, const batch_node_t *node)
{
    apr_uint32_t named = batch_compile_named(node);

    if (node->type == BATCH_NODE_VALUE) {
        return BATCH_TERM_CONSTANT;
    }
    if (!(named & compiler->around)) {
        return BATCH_TERM_OWN;
    }
    return (named & batch_compile_sources(compiler->select->from)) || has_aggregate(node)
               ? BATCH_TERM_MIXED
               : BATCH_TERM_CONSTANT;
}

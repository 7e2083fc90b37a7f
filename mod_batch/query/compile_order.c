/* Order, and what depends on it: limits and windows; aggregates. */
#include "query/compile.h"

#include <apr_strings.h>

/* ---- Order ----------------------------------------------------------------------------------- */

/* The terms of one ORDER BY: as they are; or as columns that are selected, and by their names. */
typedef enum { ORDER_TERMS, ORDER_COLUMNS, ORDER_NAMES } order_mode_e;

typedef struct order_list {
    batch_compiler_t *compiler;
    order_mode_e mode;
    int in_window; /* where SQLite sees all names */
    int count;
    int columns; /* r0, r1, … */
} order_list_t;

static void begin(order_list_t *list)
{
    batch_emit(list->compiler, list->count || list->mode == ORDER_COLUMNS ? "," : " ORDER BY ");
    if (++list->count > BATCH_COMPILE_COLUMNS) {
        batch_query_fault(list->compiler->text, list->compiler->select->at,
                          "this SELECT has more than %d columns and terms of ORDER BY",
                          BATCH_COMPILE_COLUMNS);
    }
}

/* 1 if the term itself is to be emitted. */
static int begin_term(order_list_t *list)
{
    begin(list);
    if (list->mode == ORDER_NAMES) {
        batch_emit_number(list->compiler, "r", list->columns++);
    }
    return list->mode != ORDER_NAMES;
}

static void end_term(order_list_t *list, const batch_select_order_t *by)
{
    if (list->mode == ORDER_COLUMNS) {
        batch_emit_number(list->compiler, " AS r", list->columns++);
    } else {
        batch_emit(list->compiler, by->descending ? " DESC" : " ASC");
        batch_emit(list->compiler, by->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

/* A column that is selected anyway, by its number. */
static void add_output(order_list_t *list, int output, const batch_select_order_t *by)
{
    if (list->mode != ORDER_COLUMNS) {
        begin(list);
        batch_emit_number(list->compiler, "", output + 1);
        end_term(list, by);
    }
}

static void add_node(order_list_t *list, const batch_node_t *node, const batch_select_order_t *by)
{
    batch_term_e term = batch_compile_term(list->compiler, node);

    if (term == BATCH_TERM_CONSTANT ||
        (term == BATCH_TERM_MIXED && list->mode == ORDER_TERMS && !list->in_window)) {
        return; /* it decides nothing */
    }
    if (begin_term(list)) {
        batch_compile_node(list->compiler, node, BATCH_USE_VALUE);
    }
    end_term(list, by);
}

/* By what is not said, so that rows that are equal are in the same order on every database. */
static const batch_select_order_t usual = {NULL, 0, 0, -1};

/* The keys of what is selected from, from left to right. */
static void add_keys(order_list_t *list, const batch_source_t *source)
{
    int i;

    if (source->type == BATCH_SOURCE_JOIN) {
        add_keys(list, source->left);
        add_keys(list, source->right);
    } else if (source->type == BATCH_SOURCE_FORM) {
        if (begin_term(list)) {
            batch_emit_number(list->compiler, "s", source->number);
            batch_emit(list->compiler, ".k");
        }
        end_term(list, &usual);
    } else {
        for (i = 0; i < source->select->outputs->nelts && !list->compiler->text->fault; i++) {
            if (begin_term(list)) {
                batch_emit_number(list->compiler, "s", source->number);
                batch_emit_number(list->compiler, ".o", i);
            }
            end_term(list, &usual);
        }
    }
}

static void add_ties(order_list_t *list, const batch_select_t *select)
{
    int i;

    if (select->is_grouped) {
        for (i = 0; i < select->groups->nelts; i++) {
            add_node(list, APR_ARRAY_IDX(select->groups, i, const batch_node_t *), &usual);
        }
    } else if (select->from) {
        add_keys(list, select->from);
    }
}

/* By the outputs themselves: of a set operation, and of DISTINCT. */
static void order_outputs(order_list_t *list, const batch_select_t *select, int limited)
{
    int i;

    for (i = 0; i < select->order->nelts; i++) {
        const batch_select_order_t *by = &APR_ARRAY_IDX(select->order, i, batch_select_order_t);
        add_output(list, by->output, by);
    }
    for (i = 0; limited && i < select->outputs->nelts; i++) {
        add_output(list, i, &usual);
    }
}

/* 1 if an earlier term is the same: it has decided. */
static int is_repeated(const batch_select_t *select, int term)
{
    const batch_select_order_t *order = (const batch_select_order_t *)select->order->elts;
    int i;

    for (i = 0; i < term; i++) {
        if (order[i].node == order[term].node) {
            return 1;
        }
    }
    return 0;
}

static void order_rows(order_list_t *list, const batch_select_t *select, batch_need_e need,
                       int limited)
{
    int i;

    for (i = 0; i < select->order->nelts; i++) {
        const batch_select_order_t *by = &APR_ARRAY_IDX(select->order, i, batch_select_order_t);

        if (is_repeated(select, i)) {
            continue;
        }
        if (by->output >= 0 && need == BATCH_NEED_ALL) {
            add_output(list, by->output, by);
        } else {
            add_node(list,
                     by->output >= 0
                         ? APR_ARRAY_IDX(select->outputs, by->output, batch_output_t).node
                         : by->node,
                     by);
        }
    }
    if (limited) {
        add_ties(list, select);
    }
}

static int is_limited(const batch_select_t *select)
{
    return select->limit >= 0 || select->offset > 0;
}

int batch_compile_is_wrapped(const batch_compiler_t *compiler, const batch_select_t *select)
{
    int i;

    /* Without a limit the order of what stands inside of another SELECT does not matter. */
    for (i = 0; is_limited(select) && !select->set && !select->distinct && i < select->order->nelts;
         i++) {
        const batch_select_order_t *by = &APR_ARRAY_IDX(select->order, i, batch_select_order_t);

        if (by->output < 0 && batch_compile_term(compiler, by->node) == BATCH_TERM_MIXED) {
            return 1;
        }
    }
    return 0;
}

void batch_compile_order_columns(batch_compiler_t *compiler, const batch_select_t *select)
{
    order_list_t list = {compiler, ORDER_COLUMNS, 0, 0, 0};

    order_rows(&list, select, BATCH_NEED_ALL, 1);
}

void batch_compile_order(batch_compiler_t *compiler, const batch_select_t *select,
                         batch_need_e need, apr_int64_t most)
{
    order_list_t list = {compiler, ORDER_TERMS, 0, 0, 0};
    int limited = is_limited(select);
    apr_int64_t limit = select->limit >= 0 ? select->limit : most;

    if (batch_compile_is_wrapped(compiler, select)) {
        list.mode = ORDER_NAMES;
    }
    if (need == BATCH_NEED_ROWS) {
        /* Any of them will do. */
    } else if (select->set || select->distinct) {
        order_outputs(&list, select, limited);
    } else {
        order_rows(&list, select, need, limited);
    }
    if (limited || limit != BATCH_MOST_ALL) {
        batch_emit_number(compiler, " LIMIT ", limit < 0 ? -1 : limit);
        batch_emit_number(compiler, " OFFSET ", select->offset);
    }
}

/* ---- Windows ----------------------------------------------------------------------------------
 */

/*
 * 1 if rows that are equal by the window's order may be put in one of ours: where the frame is by
 * rows, or does not care which of them are its own.
 */
static int takes_ties(const batch_node_t *node)
{
    const batch_window_t *window = node->window;
    int from_start =
        !window->frame || (window->first.type == BATCH_BOUND_PRECEDING && window->first.count < 0);
    int to_end =
        window->frame && window->last.type == BATCH_BOUND_FOLLOWING && window->last.count < 0;

    switch (node->op) {
    case BATCH_AGGREGATE_ROW_NUMBER:
    case BATCH_AGGREGATE_NTILE:
    case BATCH_AGGREGATE_LAG:
    case BATCH_AGGREGATE_LEAD:
        return 1;
    case BATCH_AGGREGATE_RANK:
    case BATCH_AGGREGATE_DENSE_RANK:
        return 0;
    case BATCH_AGGREGATE_FIRST_VALUE:
        return window->frame == 'r' || from_start;
    case BATCH_AGGREGATE_LAST_VALUE:
        return window->frame == 'r' || to_end;
    default:
        return window->frame == 'r';
    }
}

static void bound(batch_compiler_t *compiler, const batch_bound_t *end)
{
    if (end->type == BATCH_BOUND_CURRENT) {
        batch_emit(compiler, "CURRENT ROW");
        return;
    }
    if (end->count < 0) {
        batch_emit(compiler, "UNBOUNDED");
    } else {
        batch_emit_number(compiler, "", end->count);
    }
    batch_emit(compiler, end->type == BATCH_BOUND_PRECEDING ? " PRECEDING" : " FOLLOWING");
}

static void window(batch_compiler_t *compiler, const batch_node_t *node)
{
    const batch_window_t *over = node->window;
    order_list_t list = {compiler, ORDER_TERMS, 1, 0, 0};
    int i;

    batch_emit(compiler, " OVER (");
    for (i = 0; i < over->partition->nelts; i++) {
        batch_emit(compiler, i ? "," : "PARTITION BY ");
        batch_compile_node(compiler, APR_ARRAY_IDX(over->partition, i, const batch_node_t *),
                           BATCH_USE_VALUE);
    }
    for (i = 0; i < over->order->nelts; i++) {
        const batch_select_order_t *by = &APR_ARRAY_IDX(over->order, i, batch_select_order_t);
        add_node(&list, by->node, by);
    }
    if (takes_ties(node)) {
        add_ties(&list, compiler->select);
    }
    if (over->frame) {
        batch_emit(compiler, over->frame == 'r' ? " ROWS BETWEEN " : " RANGE BETWEEN ");
        bound(compiler, &over->first);
        batch_emit(compiler, " AND ");
        bound(compiler, &over->last);
    }
    batch_emit(compiler, ")");
}

/* ---- Aggregates ------------------------------------------------------------------------------ */

static const char *function_of(const batch_node_t *node)
{
    switch (node->op) {
    case BATCH_AGGREGATE_SUM:
        return "exact_sum(";
    case BATCH_AGGREGATE_TOTAL:
        return "exact_total(";
    case BATCH_AGGREGATE_AVG:
        return "exact_avg(";
    case BATCH_AGGREGATE_BOOL_AND: /* of 0 and 1 */
    case BATCH_AGGREGATE_EVERY:
    case BATCH_AGGREGATE_MIN:
        return "min(";
    case BATCH_AGGREGATE_BOOL_OR:
    case BATCH_AGGREGATE_MAX:
        return "max(";
    default:
        return NULL;
    }
}

void batch_compile_aggregate(batch_compiler_t *compiler, const batch_node_t *node)
{
    const char *function = function_of(node);
    int i;

    batch_compile_enter(compiler, BATCH_STACK_CALL, node->at);
    batch_emit(compiler, function ? function
                                  : apr_pstrcat(compiler->text->p, batch_aggregate_name(node->op),
                                                "(", NULL));
    batch_emit(compiler, node->distinct ? "DISTINCT " : "");
    batch_emit(compiler, node->op == BATCH_AGGREGATE_COUNT && !node->count ? "*" : "");
    for (i = 0; i < node->count; i++) {
        batch_emit(compiler, i ? "," : "");
        batch_compile_node(compiler, node->children[i], BATCH_USE_VALUE);
    }
    batch_emit(compiler, ")");
    if (node->filter) {
        batch_emit(compiler, " FILTER (WHERE ");
        batch_compile_node(compiler, node->filter, BATCH_USE_TRUTH);
        batch_emit(compiler, ")");
    }
    if (node->window) {
        window(compiler, node);
    }
    batch_compile_leave(compiler, BATCH_STACK_CALL);
}

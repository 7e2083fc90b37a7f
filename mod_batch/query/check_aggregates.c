/* Aggregates, windows, and what a grouped SELECT may name. */
#include "query/check.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Where they may stand ---------------------------------------------------------------------
 */

static int check_place(const batch_checker_t *checker, const batch_node_t *node)
{
    static const char *const clauses[] = {"ON", "WHERE", "GROUP BY", "", "HAVING", "ORDER BY"};
    const batch_scope_t *scope = checker->scope;
    const char *name = batch_aggregate_name(node->op);

    if (scope->in_aggregate || (node->window && scope->in_window)) {
        return batch_query_fault(checker->text, node->at, "%s cannot stand inside of %s", name,
                                 scope->in_aggregate ? "an aggregate" : "a window");
    }
    if (scope->clause < BATCH_CLAUSE_ITEMS ||
        (node->window && scope->clause == BATCH_CLAUSE_HAVING)) {
        return batch_query_fault(checker->text, node->at, "%s cannot stand in %s: %s", name,
                                 clauses[scope->clause],
                                 node->window ? "a window is computed from what it leaves, so "
                                                "select it in FROM"
                                              : "HAVING is for conditions on groups");
    }
    return 1;
}

/* 1 if a column of one of the scope's sources is in the tree; *outer: one of another's. */
static int names_own(const batch_scope_t *scope, const batch_node_t *node, int *outer)
{
    int own = 0, i;

    if (node->source) {
        for (i = 0; i < scope->sources->nelts; i++) {
            own |= APR_ARRAY_IDX(scope->sources, i, batch_source_t *) == node->source;
        }
        *outer |= !own;
    }
    for (i = 0; i < node->count; i++) {
        own |= names_own(scope, node->children[i], outer);
    }
    return own;
}

static int check_level(const batch_checker_t *checker, const batch_node_t *node)
{
    int outer = 0;

    return names_own(checker->scope, node, &outer) || !outer ||
           batch_query_fault(checker->text, node->at,
                             "%s is of columns of the SELECT around this one, which is not part of "
                             "this language",
                             batch_aggregate_name(node->op));
}

/* ---- What they take and give ------------------------------------------------------------------
 */

static int as_number(const batch_checker_t *checker, batch_node_t *node)
{
    node->kind = BATCH_QUERY_NUMBER;
    return node->children[0]->kind == BATCH_QUERY_INTEGER ||
           batch_check_require(checker, &node->children[0], BATCH_QUERY_NUMBER);
}

/* A string of the query is a text where nothing says otherwise. */
static int settle(const batch_checker_t *checker, batch_node_t **place)
{
    batch_query_kind_e kind = (*place)->kind;

    if (kind == BATCH_QUERY_INTERVAL) {
        return batch_query_fault(checker->text, (*place)->at,
                                 "an interval cannot stand here: only beside + and -");
    }
    return (kind != BATCH_QUERY_LITERAL && kind != BATCH_QUERY_NULL) ||
           batch_check_require(checker, place, BATCH_QUERY_TEXT);
}

static int check_extreme(const batch_checker_t *checker, batch_node_t *node)
{
    if (!settle(checker, &node->children[0])) {
        return 0;
    }
    node->kind = node->children[0]->kind;
    return node->kind != BATCH_QUERY_BOOLEAN ||
           batch_query_fault(checker->text, node->at,
                             "%s cannot compare booleans: bool_and or bool_or can",
                             batch_aggregate_name(node->op));
}

/* A number of rows, which the query says itself. */
static int check_rows(const batch_checker_t *checker, batch_node_t *node, int child, int least)
{
    batch_node_t *rows;

    if (!batch_check_require(checker, &node->children[child], BATCH_QUERY_INTEGER)) {
        return 0;
    }
    rows = node->children[child];
    return (rows->type == BATCH_NODE_VALUE && rows->value.kind == BATCH_QUERY_INTEGER &&
            rows->value.integer >= least) ||
           batch_query_fault(checker->text, rows->at,
                             "%s takes a whole number from %d on here, and no column",
                             batch_aggregate_name(node->op), least);
}

static int check_neighbour(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t **places[2];

    if (!settle(checker, &node->children[0]) ||
        (node->count > 1 && !check_rows(checker, node, 1, 0))) {
        return 0;
    }
    node->kind = node->children[0]->kind;
    if (node->count < 3) {
        return 1;
    }
    places[0] = &node->children[0];
    places[1] = &node->children[2];
    return batch_check_unify_places(checker, places, 2, node->at, &node->kind);
}

static int check_arguments(const batch_checker_t *checker, batch_node_t *node)
{
    switch ((batch_aggregate_e)node->op) {
    case BATCH_AGGREGATE_COUNT:
        node->kind = BATCH_QUERY_INTEGER;
        return !node->count || settle(checker, &node->children[0]);
    case BATCH_AGGREGATE_SUM:
    case BATCH_AGGREGATE_TOTAL:
    case BATCH_AGGREGATE_AVG:
        return as_number(checker, node);
    case BATCH_AGGREGATE_MIN:
    case BATCH_AGGREGATE_MAX:
        return check_extreme(checker, node);
    case BATCH_AGGREGATE_BOOL_AND:
    case BATCH_AGGREGATE_BOOL_OR:
    case BATCH_AGGREGATE_EVERY:
        node->kind = BATCH_QUERY_BOOLEAN;
        return batch_check_require(checker, &node->children[0], BATCH_QUERY_BOOLEAN);
    case BATCH_AGGREGATE_NTILE:
        node->kind = BATCH_QUERY_INTEGER;
        return check_rows(checker, node, 0, 1);
    case BATCH_AGGREGATE_LAG:
    case BATCH_AGGREGATE_LEAD:
        return check_neighbour(checker, node);
    case BATCH_AGGREGATE_NTH_VALUE:
        if (!check_rows(checker, node, 1, 1)) {
            return 0;
        }
        /* fall through */
    case BATCH_AGGREGATE_FIRST_VALUE:
    case BATCH_AGGREGATE_LAST_VALUE:
        node->kind = BATCH_QUERY_NULL;
        if (!settle(checker, &node->children[0])) {
            return 0;
        }
        node->kind = node->children[0]->kind;
        return 1;
    default:
        node->kind = BATCH_QUERY_INTEGER;
        return 1;
    }
}

static int check_window(batch_checker_t *checker, const batch_window_t *window)
{
    int i;

    for (i = 0; i < window->partition->nelts; i++) {
        batch_node_t **place = &APR_ARRAY_IDX(window->partition, i, batch_node_t *);

        if (!batch_check(checker, *place) || !settle(checker, place)) {
            return 0;
        }
    }
    for (i = 0; i < window->order->nelts; i++) {
        batch_node_t **place = &APR_ARRAY_IDX(window->order, i, batch_select_order_t).node;

        if (!batch_check(checker, *place) || !settle(checker, place)) {
            return 0;
        }
    }
    return 1;
}

static int check_inner(batch_checker_t *checker, batch_node_t *node)
{
    int i;

    for (i = 0; i < node->count; i++) {
        if (!batch_check(checker, node->children[i])) {
            return 0;
        }
    }
    if (node->filter && (!batch_check(checker, node->filter) ||
                         !batch_check_require(checker, &node->filter, BATCH_QUERY_BOOLEAN))) {
        return 0;
    }
    return !node->window || check_window(checker, node->window);
}

int batch_check_aggregate(batch_checker_t *checker, batch_node_t *node)
{
    batch_scope_t *scope = checker->scope;
    int in_window = scope->in_window, good;

    if (!check_place(checker, node)) {
        return 0;
    }
    if (node->window) {
        scope->in_window = 1;
    } else {
        scope->in_aggregate = 1;
        scope->aggregates++;
    }
    good = check_inner(checker, node);
    scope->in_aggregate = 0;
    scope->in_window = in_window;
    return good && (node->window || check_level(checker, node)) && check_arguments(checker, node);
}

/* ---- The same expression ----------------------------------------------------------------------
 */

static int same_values(const batch_query_value_t *a, const batch_query_value_t *b)
{
    return a->kind == b->kind && a->integer == b->integer && a->months == b->months &&
           a->number == b->number &&
           (!batch_query_has_text(a) ||
            (a->length == b->length && (!a->length || !memcmp(a->text, b->text, a->length))));
}

int batch_check_same(const batch_node_t *a, const batch_node_t *b)
{
    int i;

    if (a == b) {
        return 1;
    }
    if (a->type != b->type || a->kind != b->kind || a->op != b->op || a->negated != b->negated ||
        a->fold != b->fold || a->distinct != b->distinct || a->source != b->source ||
        a->slot != b->slot || a->zone != b->zone || a->count != b->count || a->select ||
        b->select || a->window || b->window || (a->filter != NULL) != (b->filter != NULL) ||
        !same_values(&a->value, &b->value)) {
        return 0;
    }
    for (i = 0; i < a->count; i++) {
        if (!batch_check_same(a->children[i], b->children[i])) {
            return 0;
        }
    }
    return !a->filter || batch_check_same(a->filter, b->filter);
}

/* ---- Groups -----------------------------------------------------------------------------------
 */

typedef struct grouping {
    const batch_checker_t *checker;
    const batch_select_t *select;
    apr_array_header_t *sources; /* the SELECT's own */
    int inner;                   /* we are in a SELECT inside of it */
} grouping_t;

static int is_own(const grouping_t *grouping, const batch_source_t *source)
{
    int i;

    for (i = 0; i < grouping->sources->nelts; i++) {
        if (APR_ARRAY_IDX(grouping->sources, i, batch_source_t *) == source) {
            return 1;
        }
    }
    return 0;
}

/* A group of one record of a form has one value of everything that the record has. */
static int has_key(const grouping_t *grouping, const batch_source_t *form)
{
    int i;

    for (i = 0; i < grouping->select->groups->nelts; i++) {
        const batch_node_t *group = APR_ARRAY_IDX(grouping->select->groups, i, batch_node_t *);

        if (group->type == BATCH_NODE_COLUMN && group->source == form && !group->slot) {
            return 1;
        }
    }
    return 0;
}

static int check_grouped(grouping_t *grouping, const batch_node_t *node);

static int check_grouped_select(grouping_t *grouping, const batch_select_t *select);

static int check_grouped_order(grouping_t *grouping, const apr_array_header_t *order)
{
    int i;

    for (i = 0; i < order->nelts; i++) {
        if (!check_grouped(grouping, APR_ARRAY_IDX(order, i, batch_select_order_t).node)) {
            return 0;
        }
    }
    return 1;
}

static int check_grouped_nodes(grouping_t *grouping, const apr_array_header_t *nodes)
{
    int i;

    for (i = 0; i < nodes->nelts; i++) {
        if (!check_grouped(grouping, APR_ARRAY_IDX(nodes, i, batch_node_t *))) {
            return 0;
        }
    }
    return 1;
}

static int check_grouped_from(grouping_t *grouping, const batch_source_t *source)
{
    switch (source->type) {
    case BATCH_SOURCE_FORM:
        return 1;
    case BATCH_SOURCE_SELECT:
        return source->with >= 0 || check_grouped_select(grouping, source->select);
    default:
        return check_grouped_from(grouping, source->left) &&
               check_grouped_from(grouping, source->right) &&
               (!source->on || check_grouped(grouping, source->on));
    }
}

/* A SELECT inside of the grouped one: what it names of that. */
static int check_grouped_select(grouping_t *grouping, const batch_select_t *select)
{
    int i;

    if (select->set) {
        return check_grouped_select(grouping, select->left) &&
               check_grouped_select(grouping, select->right);
    }
    for (i = 0; i < select->outputs->nelts; i++) {
        if (!check_grouped(grouping, APR_ARRAY_IDX(select->outputs, i, batch_output_t).node)) {
            return 0;
        }
    }
    return (!select->from || check_grouped_from(grouping, select->from)) &&
           (!select->where || check_grouped(grouping, select->where)) &&
           check_grouped_nodes(grouping, select->groups) &&
           (!select->having || check_grouped(grouping, select->having)) &&
           check_grouped_order(grouping, select->order);
}

static int check_grouped(grouping_t *grouping, const batch_node_t *node)
{
    int i;

    for (i = 0; i < grouping->select->groups->nelts; i++) {
        if (batch_check_same(node, APR_ARRAY_IDX(grouping->select->groups, i, batch_node_t *))) {
            return 1;
        }
    }
    if (node->source) {
        return !is_own(grouping, node->source) ||
               (node->source->type == BATCH_SOURCE_FORM && has_key(grouping, node->source)) ||
               batch_query_fault(grouping->checker->text, node->at,
                                 "\"%s\" may differ within a group: name it in GROUP BY, or use it "
                                 "in an aggregate as max",
                                 node->name);
    }
    if (node->type == BATCH_NODE_AGGREGATE && !node->window && !grouping->inner) {
        return 1;
    }
    if (node->select) {
        int good;

        grouping->inner++;
        good = check_grouped_select(grouping, node->select);
        grouping->inner--;
        if (!good) {
            return 0;
        }
    }
    if (node->window && (!check_grouped_nodes(grouping, node->window->partition) ||
                         !check_grouped_order(grouping, node->window->order))) {
        return 0;
    }
    for (i = 0; i < node->count; i++) {
        if (!check_grouped(grouping, node->children[i])) {
            return 0;
        }
    }
    return !node->filter || check_grouped(grouping, node->filter);
}

int batch_check_groups(const batch_checker_t *checker, const batch_select_t *select)
{
    grouping_t grouping = {checker, select, checker->scope->sources, 0};
    int i;

    for (i = 0; i < select->outputs->nelts; i++) {
        if (!check_grouped(&grouping, APR_ARRAY_IDX(select->outputs, i, batch_output_t).node)) {
            return 0;
        }
    }
    return (!select->having || check_grouped(&grouping, select->having)) &&
           check_grouped_order(&grouping, select->order);
}

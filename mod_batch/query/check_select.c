/* SELECTs: what each gives, and what the whole query does. */
#include "query/check.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Set operations ---------------------------------------------------------------------------
 */

static int join_outputs(batch_checker_t *checker, batch_select_t *select)
{
    int i;

    if (select->left->outputs->nelts != select->right->outputs->nelts) {
        return batch_query_fault(checker->text, select->right->at,
                                 "this SELECT gives %d columns, expected %d as before it",
                                 select->right->outputs->nelts, select->left->outputs->nelts);
    }
    for (i = 0; i < select->left->outputs->nelts; i++) {
        const batch_output_t *left = &APR_ARRAY_IDX(select->left->outputs, i, batch_output_t);
        batch_output_t *output = apr_array_push(select->outputs);
        batch_node_t side = {.type = BATCH_NODE_OUTPUT, .kind = left->kind, .at = left->at};

        *output = *left;
        output->node = NULL;
        if (left->node) {
            side.type = left->node->type;
            side.value = left->node->value;
        }
        if (!batch_check_unify_output(checker, &output->kind, select->right, &side, i) ||
            !batch_check_require_output(checker, select->left, i, output->kind) ||
            !batch_check_require_output(checker, select->right, i, output->kind)) {
            return 0;
        }
    }
    return 1;
}

static int check_side(batch_checker_t *checker, batch_select_t *select, batch_scope_t *scope);

/* What a string or NULL is on one side the other one decides. */
static int check_set(batch_checker_t *checker, batch_select_t *select, batch_scope_t *scope)
{
    return check_side(checker, select->left, scope) && check_side(checker, select->right, scope) &&
           join_outputs(checker, select);
}

/* ---- ORDER BY and GROUP BY --------------------------------------------------------------------
 */

/* 1 if two outputs are the same, so that it does not matter which of them a name means. */
static int is_either(const batch_output_t *a, const batch_output_t *b)
{
    return a->node && b->node && batch_check_same(a->node, b->node);
}

/* The output of that name. -1: none, -2 with a fault. */
static int find_name(const batch_checker_t *checker, const batch_select_t *select,
                     const batch_node_t *node)
{
    const batch_output_t *outputs = (const batch_output_t *)select->outputs->elts;
    int found = -1, i;

    for (i = 0; i < select->outputs->nelts; i++) {
        if (strcmp(outputs[i].name, node->name) != 0) {
            continue;
        }
        if (found >= 0 && !is_either(&outputs[found], &outputs[i])) {
            batch_query_fault(checker->text, node->at,
                              "\"%s\" is ambiguous: several of the columns that are selected have "
                              "that name, say the number of one of them",
                              node->name);
            return -2;
        }
        found = found < 0 ? i : found;
    }
    return found;
}

/* ORDER BY 2 and ORDER BY alias mean what is selected. -1: an expression, -2 with a fault. */
static int find_output(const batch_checker_t *checker, const batch_select_t *select,
                       const batch_node_t *node)
{
    if (node->type == BATCH_NODE_NAME && !node->qualifier) {
        return find_name(checker, select, node);
    }
    if (node->type != BATCH_NODE_VALUE || node->kind == BATCH_QUERY_NULL) {
        return -1;
    }
    if (node->kind == BATCH_QUERY_INTEGER && node->value.integer >= 1 &&
        node->value.integer <= select->outputs->nelts) {
        return (int)node->value.integer - 1;
    }
    batch_query_fault(checker->text, node->at,
                      "ORDER BY takes a column, an expression or the number of a column");
    return -2;
}

static int same_output(const batch_select_t *select, const batch_node_t *node)
{
    int i;

    for (i = 0; i < select->outputs->nelts; i++) {
        const batch_node_t *output = APR_ARRAY_IDX(select->outputs, i, batch_output_t).node;
        if (output && batch_check_same(output, node)) {
            return i;
        }
    }
    return -1;
}

static int check_order_by(batch_checker_t *checker, const batch_select_t *select,
                          batch_select_order_t *order)
{
    order->output = find_output(checker, select, order->node);
    if (order->output >= 0) {
        batch_node_t *node = APR_ARRAY_IDX(select->outputs, order->output, batch_output_t).node;
        order->node = node ? node : order->node;
        return 1;
    }
    if (order->output < -1) {
        return 0;
    }
    if (select->set) {
        return batch_query_fault(checker->text, order->node->at,
                                 "behind a set operation ORDER BY takes the name or the number of "
                                 "a column that is selected");
    }
    if (!batch_check(checker, order->node)) {
        return 0;
    }
    if (order->node->kind == BATCH_QUERY_LITERAL || order->node->kind == BATCH_QUERY_NULL) {
        return batch_check_require(checker, &order->node, BATCH_QUERY_TEXT);
    }
    order->output = same_output(select, order->node);
    if (select->distinct && order->output < 0) {
        return batch_query_fault(checker->text, order->node->at,
                                 "with DISTINCT, ORDER BY can only name what is selected");
    }
    return order->node->kind != BATCH_QUERY_INTERVAL ||
           batch_query_fault(checker->text, order->node->at,
                             "an interval cannot stand here: only beside + and -");
}

static int check_order(batch_checker_t *checker, const batch_select_t *select)
{
    int i;

    for (i = 0; i < select->order->nelts; i++) {
        if (!check_order_by(checker, select,
                            &APR_ARRAY_IDX(select->order, i, batch_select_order_t))) {
            return 0;
        }
    }
    return 1;
}

static int has_alias(const apr_array_header_t *items, const char *name)
{
    int i;

    for (i = 0; i < items->nelts; i++) {
        const char *alias = APR_ARRAY_IDX(items, i, batch_select_item_t).alias;

        if (alias && !strcmp(alias, name)) {
            return 1;
        }
    }
    return 0;
}

/* The expression of the item that a GROUP BY means by its number or its name; NULL: none. */
static batch_node_t *grouped_item(const batch_checker_t *checker, const batch_select_t *select,
                                  const batch_node_t *node)
{
    const apr_array_header_t *items = select->items;
    batch_node_t *found = NULL;
    int i;

    if (node->type == BATCH_NODE_VALUE && node->kind == BATCH_QUERY_INTEGER &&
        node->value.integer >= 1 && node->value.integer <= items->nelts) {
        return APR_ARRAY_IDX(items, node->value.integer - 1, batch_select_item_t).node;
    }
    if (node->type != BATCH_NODE_NAME || node->qualifier || !has_alias(items, node->name) ||
        batch_check_sees(checker, node->name)) {
        return NULL;
    }
    for (i = 0; i < items->nelts; i++) {
        const batch_select_item_t *item = &APR_ARRAY_IDX(items, i, batch_select_item_t);

        if (!item->node || !item->alias || strcmp(item->alias, node->name) != 0) {
            continue;
        }
        if (found) {
            batch_query_fault(checker->text, node->at,
                              "\"%s\" is ambiguous: several of the columns that are selected have "
                              "that name, say the number of one of them",
                              node->name);
        }
        found = item->node;
    }
    return found;
}

static int check_group_by(batch_checker_t *checker, const batch_select_t *select)
{
    int i;

    for (i = 0; i < select->groups->nelts; i++) {
        batch_node_t **place = &APR_ARRAY_IDX(select->groups, i, batch_node_t *);
        batch_node_t *item = grouped_item(checker, select, *place);

        if (checker->text->fault) {
            return 0;
        }
        if (item) {
            *place = item;
        } else if ((*place)->type == BATCH_NODE_VALUE && (*place)->kind != BATCH_QUERY_NULL) {
            return batch_query_fault(checker->text, (*place)->at,
                                     "GROUP BY takes a column, an expression or the number of a "
                                     "column");
        }
        if (!batch_check(checker, *place)) {
            return 0;
        }
        if ((*place)->kind == BATCH_QUERY_INTERVAL) {
            return batch_query_fault(checker->text, (*place)->at,
                                     "an interval cannot stand here: only beside + and -");
        }
    }
    return 1;
}

/* ---- A SELECT ---------------------------------------------------------------------------------
 */

static int check_condition(batch_checker_t *checker, batch_node_t **place, batch_clause_e clause)
{
    checker->scope->clause = clause;
    return !*place || (batch_check(checker, *place) &&
                       batch_check_require(checker, place, BATCH_QUERY_BOOLEAN));
}

static int check_core(batch_checker_t *checker, batch_select_t *select)
{
    batch_scope_t *scope = checker->scope;

    if ((select->from && !batch_check_from(checker, select->from)) ||
        !check_condition(checker, &select->where, BATCH_CLAUSE_WHERE)) {
        return 0;
    }
    scope->clause = BATCH_CLAUSE_GROUP;
    if (!check_group_by(checker, select)) {
        return 0;
    }
    scope->clause = BATCH_CLAUSE_ITEMS;
    if (!batch_check_items(checker, select) ||
        !check_condition(checker, &select->having, BATCH_CLAUSE_HAVING)) {
        return 0;
    }
    scope->clause = BATCH_CLAUSE_ORDER;
    if (!check_order(checker, select)) {
        return 0;
    }
    select->is_grouped = select->groups->nelts || select->having || scope->aggregates;
    return !select->is_grouped || batch_check_groups(checker, select);
}

static int check_side(batch_checker_t *checker, batch_select_t *select, batch_scope_t *scope)
{
    batch_scope_t *around = checker->scope;
    batch_scope_t own = {.parent = scope};
    int good;

    own.sources = apr_array_make(checker->text->p, 4, sizeof(batch_source_t *));
    own.merged = apr_array_make(checker->text->p, 2, sizeof(batch_merged_t));
    select->outputs = apr_array_make(checker->text->p, 4, sizeof(batch_output_t));
    checker->scope = &own;
    good = select->set ? check_set(checker, select, scope) && check_order(checker, select)
                       : check_core(checker, select);
    checker->scope = around;
    return good;
}

int batch_check_select(batch_checker_t *checker, batch_select_t *select, batch_scope_t *scope)
{
    return check_side(checker, select, scope) && batch_check_settle_outputs(checker, select);
}

/* ---- SELECTs in expressions -------------------------------------------------------------------
 */

int batch_check_subquery(batch_checker_t *checker, batch_node_t *node)
{
    batch_select_t *select = node->select;
    batch_query_kind_e kind;

    if (!batch_check_select(checker, node->select, checker->scope)) {
        return 0;
    }
    node->kind = BATCH_QUERY_BOOLEAN;
    if (node->type == BATCH_NODE_EXISTS) {
        return 1;
    }
    if (select->outputs->nelts != 1) {
        return batch_query_fault(checker->text, select->at,
                                 "this SELECT gives %d columns, expected one",
                                 select->outputs->nelts);
    }
    if (node->type == BATCH_NODE_SCALAR) {
        node->kind = APR_ARRAY_IDX(select->outputs, 0, batch_output_t).kind;
        return 1;
    }
    return batch_check_unify_output(checker, &kind, select, node->children[0], 0) &&
           batch_check_require_output(checker, select, 0, kind) &&
           batch_check_require(checker, &node->children[0], kind);
}

/* ---- The whole --------------------------------------------------------------------------------
 */

static int check_withs(batch_checker_t *checker)
{
    const apr_array_header_t *withs = checker->statement->withs;
    int i;

    for (i = 0; i < withs->nelts; i++) {
        const batch_with_t *with = &APR_ARRAY_IDX(withs, i, batch_with_t);

        if (!batch_check_select(checker, with->select, NULL)) {
            return 0;
        }
        if (with->columns && with->columns->nelts > with->select->outputs->nelts) {
            return batch_query_fault(checker->text, with->at,
                                     "found %d names of columns, but the SELECT has %d",
                                     with->columns->nelts, with->select->outputs->nelts);
        }
    }
    return 1;
}

static int find_id(batch_checker_t *checker)
{
    const apr_array_header_t *outputs = checker->statement->select->outputs;
    int i;

    checker->statement->id = -1;
    for (i = 0; i < outputs->nelts; i++) {
        const batch_output_t *output = &APR_ARRAY_IDX(outputs, i, batch_output_t);

        if (strcmp(output->name, "id") != 0) {
            continue;
        }
        if (checker->statement->id >= 0) {
            return batch_query_fault(checker->text, output->at,
                                     "found a second column named id, expected one");
        }
        checker->statement->id = i;
    }
    return checker->statement->id >= 0 ||
           batch_query_fault(checker->text, APR_ARRAY_IDX(outputs, 0, batch_output_t).at,
                             "the result has no column named id: select \"%s AS id\"",
                             APR_ARRAY_IDX(checker->schema->columns, 0, batch_query_column_t).name);
}

/*
 * 1 if one record after the other can be decided for itself. Of which rows are the same, and which
 * of them come first, the other way knows.
 */
static int is_scan(const batch_statement_t *statement)
{
    const batch_select_t *select = statement->select;

    return !statement->withs->nelts && statement->selects == 1 && !statement->windows &&
           select->from && select->from->type == BATCH_SOURCE_FORM && !select->is_grouped &&
           !(select->distinct && (select->outputs->nelts > 1 || !statement->id_is_key) &&
             (select->limit >= 0 || select->offset > 0));
}

int batch_query_check_statement(batch_statement_t *statement, batch_query_text_t *text,
                                const batch_query_schema_t *schema,
                                const batch_membership_t *membership, apr_time_t now)
{
    batch_checker_t checker = {.statement = statement,
                               .text = text,
                               .schema = schema,
                               .membership = membership,
                               .now = now};
    const batch_node_t *id;

    if (!check_withs(&checker) || !batch_check_select(&checker, statement->select, NULL) ||
        !find_id(&checker)) {
        return 0;
    }
    id = APR_ARRAY_IDX(statement->select->outputs, statement->id, batch_output_t).node;
    statement->id_is_key = id && id->type == BATCH_NODE_COLUMN && !id->slot;
    statement->is_scan = is_scan(statement);
    if (!statement->is_scan) {
        return 1;
    }
    statement->id_text = (batch_node_t *)id;
    return batch_check_text(&checker, &statement->id_text);
}

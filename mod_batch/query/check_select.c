/* SELECTs: what each gives, and what the whole query does. */
#include "query/check.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Outputs ----------------------------------------------------------------------------------
 */

/* The name that an expression gives to its column, as PostgreSQL does it; "" = none. */
static const char *usual_name(const batch_node_t *node)
{
    switch (node->type) {
    case BATCH_NODE_NAME:
    case BATCH_NODE_COLUMN:
    case BATCH_NODE_MEMBER:
    case BATCH_NODE_OUTPUT:
        return node->name;
    case BATCH_NODE_AGGREGATE:
        return batch_aggregate_name(node->op);
    case BATCH_NODE_CALL:
        return batch_function_name(node->op);
    case BATCH_NODE_CONVERT:
        return node->count ? usual_name(node->children[0]) : "";
    case BATCH_NODE_CASE:
        return "case";
    case BATCH_NODE_EXISTS:
        return "exists";
    default:
        return "";
    }
}

static void add_output(batch_select_t *select, const char *name, batch_node_t *node, int at)
{
    batch_output_t *output = apr_array_push(select->outputs);

    output->name = name;
    output->node = node;
    output->kind = node->kind;
    output->at = at;
}

/* All that a form has, as far as the query names it: members that nobody names are of no use. */
static void add_form(const batch_checker_t *checker, batch_select_t *select, batch_source_t *form,
                     int at)
{
    const apr_array_header_t *columns = checker->schema->columns;
    const apr_array_header_t *names = checker->statement->names;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        const batch_query_column_t *column = &APR_ARRAY_IDX(columns, i, batch_query_column_t);
        add_output(select, column->name, batch_check_column(checker, form, column, at), at);
    }
    for (i = 0; checker->schema->members && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, batch_query_name_use_t).name;

        if (!batch_query_schema_column(checker->schema, name) &&
            batch_check_has(checker, form, name)) {
            add_output(select, name, batch_check_member(checker, form, name, at), at);
        }
    }
}

static void add_source(const batch_checker_t *checker, batch_select_t *select,
                       batch_source_t *source, int at)
{
    int i;

    if (source->type == BATCH_SOURCE_FORM) {
        add_form(checker, select, source, at);
        return;
    }
    for (i = 0; i < source->select->outputs->nelts; i++) {
        batch_node_t *node = batch_check_output(checker, source, i, at);

        if (source->renames && i < source->renames->nelts) {
            node->name = APR_ARRAY_IDX(source->renames, i, const batch_token_t *)->text;
        }
        add_output(select, node->name, node, at);
    }
}

static int add_star(const batch_checker_t *checker, batch_select_t *select,
                    const batch_select_item_t *item)
{
    int found = 0, i;

    for (i = 0; i < checker->scope->sources->nelts; i++) {
        batch_source_t *source = APR_ARRAY_IDX(checker->scope->sources, i, batch_source_t *);
        const char *name = batch_check_source_name(source);

        if (!item->qualifier || !strcmp(item->qualifier, name) ||
            (source->type == BATCH_SOURCE_FORM && !source->alias &&
             !strcasecmp(item->qualifier, name))) {
            add_source(checker, select, source, item->at);
            found = 1;
        }
    }
    if (found) {
        return 1;
    }
    return item->qualifier ? batch_query_fault(checker->text, item->at,
                                               "\"%s\" is no form of this query", item->qualifier)
                           : batch_query_fault(checker->text, item->at,
                                               "found \"*\", but this SELECT has no FROM");
}

static int check_items(batch_checker_t *checker, batch_select_t *select)
{
    int i;

    if (!select->items->nelts && select->from) { /* a predicate alone */
        const batch_query_column_t *key =
            APR_ARRAY_IDX(select->from->columns, 0, const batch_query_column_t *);
        add_output(select, "id", batch_check_column(checker, select->from, key, select->at),
                   select->at);
        return 1;
    }
    for (i = 0; i < select->items->nelts; i++) {
        batch_select_item_t *item = &APR_ARRAY_IDX(select->items, i, batch_select_item_t);
        const char *name = item->alias;

        if (!item->node) {
            if (!add_star(checker, select, item)) {
                return 0;
            }
            continue;
        }
        name = name ? name : usual_name(item->node);
        if (!batch_check(checker, item->node)) {
            return 0;
        }
        add_output(select, name, item->node, item->at);
    }
    return 1;
}

/* A string is a text where nothing around it has said otherwise. */
static int settle_outputs(const batch_checker_t *checker, batch_select_t *select)
{
    int i;

    for (i = 0; i < select->outputs->nelts; i++) {
        batch_output_t *output = &APR_ARRAY_IDX(select->outputs, i, batch_output_t);

        if (output->kind == BATCH_QUERY_INTERVAL) {
            return batch_query_fault(checker->text, output->at,
                                     "an interval cannot be selected: only a time with it added");
        }
        if (output->kind != BATCH_QUERY_LITERAL && output->kind != BATCH_QUERY_NULL) {
            continue;
        }
        if (output->node && !batch_check_require(checker, &output->node, BATCH_QUERY_TEXT)) {
            return 0;
        }
        output->kind = BATCH_QUERY_TEXT;
    }
    return 1;
}

/* Makes an output give values of a kind, on all sides of set operations. */
static int require_output(const batch_checker_t *checker, const batch_select_t *select, int i,
                          batch_query_kind_e kind)
{
    batch_output_t *output = &APR_ARRAY_IDX(select->outputs, i, batch_output_t);

    output->kind = kind;
    return select->set ? require_output(checker, select->left, i, kind) &&
                             require_output(checker, select->right, i, kind)
                       : batch_check_require(checker, &output->node, kind);
}

/* Brings two of a query's values to one kind: each is an output, or *place where select is NULL. */
static int unify_output(const batch_checker_t *checker, batch_query_kind_e *kind,
                        const batch_select_t *select, const batch_node_t *other, int i)
{
    const batch_output_t *output = &APR_ARRAY_IDX(select->outputs, i, batch_output_t);
    batch_node_t mine = {.type = BATCH_NODE_OUTPUT, .kind = output->kind, .at = output->at};
    batch_node_t theirs = *other;
    batch_node_t *first = &mine, *second = &theirs;
    batch_node_t **places[] = {&first, &second};

    if (output->node) {
        mine.type = output->node->type;
        mine.value = output->node->value;
    }
    return batch_check_unify_places(checker, places, 2, output->at, kind);
}

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
        if (!unify_output(checker, &output->kind, select->right, &side, i) ||
            !require_output(checker, select->left, i, output->kind) ||
            !require_output(checker, select->right, i, output->kind)) {
            return 0;
        }
    }
    return 1;
}

static int check_set(batch_checker_t *checker, batch_select_t *select, batch_scope_t *scope)
{
    return batch_check_select(checker, select->left, scope) &&
           batch_check_select(checker, select->right, scope) && join_outputs(checker, select);
}

/* ---- ORDER BY and GROUP BY --------------------------------------------------------------------
 */

static int find_name(const batch_select_t *select, const char *name)
{
    int i;

    for (i = 0; i < select->outputs->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(select->outputs, i, batch_output_t).name, name)) {
            return i;
        }
    }
    return -1;
}

/* ORDER BY 2 and ORDER BY alias mean what is selected. -1: an expression, -2 with a fault. */
static int find_output(const batch_checker_t *checker, const batch_select_t *select,
                       const batch_node_t *node)
{
    if (node->type == BATCH_NODE_NAME && !node->qualifier) {
        return find_name(select, node->name);
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

/* The expression of the item that a GROUP BY means by its number or its name; NULL: none. */
static batch_node_t *grouped_item(const batch_checker_t *checker, const batch_select_t *select,
                                  const batch_node_t *node)
{
    const apr_array_header_t *items = select->items;
    int i;

    if (node->type == BATCH_NODE_VALUE && node->kind == BATCH_QUERY_INTEGER &&
        node->value.integer >= 1 && node->value.integer <= items->nelts) {
        return APR_ARRAY_IDX(items, node->value.integer - 1, batch_select_item_t).node;
    }
    if (node->type != BATCH_NODE_NAME || node->qualifier) {
        return NULL;
    }
    for (i = 0; i < items->nelts; i++) {
        const batch_select_item_t *item = &APR_ARRAY_IDX(items, i, batch_select_item_t);

        if (item->node && item->alias && !strcmp(item->alias, node->name)) {
            return batch_check_sees(checker, node->name) ? NULL : item->node;
        }
    }
    return NULL;
}

static int check_group_by(batch_checker_t *checker, const batch_select_t *select)
{
    int i;

    for (i = 0; i < select->groups->nelts; i++) {
        batch_node_t **place = &APR_ARRAY_IDX(select->groups, i, batch_node_t *);
        batch_node_t *item = grouped_item(checker, select, *place);

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
    if (!check_items(checker, select) ||
        !check_condition(checker, &select->having, BATCH_CLAUSE_HAVING)) {
        return 0;
    }
    scope->clause = BATCH_CLAUSE_ORDER;
    if (!check_order(checker, select)) {
        return 0;
    }
    select->is_grouped = select->groups->nelts || select->having || scope->aggregates;
    return (!select->is_grouped || batch_check_groups(checker, select)) &&
           settle_outputs(checker, select);
}

int batch_check_select(batch_checker_t *checker, batch_select_t *select, batch_scope_t *scope)
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

/* ---- SELECTs in expressions -------------------------------------------------------------------
 */

int batch_check_subquery(batch_checker_t *checker, batch_node_t *node)
{
    const batch_select_t *select = node->select;
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
    return unify_output(checker, &kind, select, node->children[0], 0) &&
           require_output(checker, select, 0, kind) &&
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

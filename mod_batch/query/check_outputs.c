/* What a SELECT gives: its columns, their names, and their kinds. */
#include "query/check.h"

#include <string.h>

#include <apr_strings.h>

#define MOST_BY_STARS 1000

/* Sources have bits of 32. */
#define MOST_SOURCES 32

/* ---- Outputs ----------------------------------------------------------------------------------
 */

static const char *usual_name(const batch_node_t *node);

/* The name of a SELECT's first column: that of the SELECT as a value. */
static const char *first_name(const batch_select_t *select)
{
    const batch_select_item_t *item;

    while (select->set) {
        select = select->left;
    }
    if (!select->items->nelts) {
        return "";
    }
    item = &APR_ARRAY_IDX(select->items, 0, batch_select_item_t);
    return item->alias ? item->alias : item->node ? usual_name(item->node) : "";
}

/* CASE has the name of its ELSE, if that is one of more than a CASE again. */
static const char *case_name(const batch_node_t *node)
{
    int has_else = (node->count - (node->op == BATCH_CASE_OF)) & 1;
    const batch_node_t *last = node->count ? node->children[node->count - 1] : node;
    const char *name;

    while (has_else && last->type == BATCH_NODE_CONVERT && last->count) {
        last = last->children[0];
    }
    name = has_else && last->type != BATCH_NODE_CASE ? usual_name(last) : "";
    return *name ? name : "case";
}

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
        return case_name(node);
    case BATCH_NODE_SCALAR:
        return first_name(node->select);
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

/*
 * All that a form has, as far as the query names it: members that nobody names are of no use.
 * hidden: where USING has made one of two names, which is there already; or NULL.
 */
static void add_form(const batch_checker_t *checker, batch_select_t *select, batch_source_t *form,
                     const batch_scope_t *hidden, int at)
{
    const apr_array_header_t *columns = checker->schema->columns;
    const apr_array_header_t *names = checker->statement->names;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        const batch_query_column_t *column = &APR_ARRAY_IDX(columns, i, batch_query_column_t);

        if (!hidden || !batch_check_is_merged(hidden, form, column->name)) {
            add_output(select, column->name, batch_check_column(checker, form, column, at), at);
        }
    }
    for (i = 0; checker->schema->members && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, batch_query_name_use_t).name;

        if (!batch_query_schema_column(checker->schema, name) &&
            !(hidden && batch_check_is_merged(hidden, form, name)) &&
            batch_check_has(checker, form, name)) {
            add_output(select, name, batch_check_member(checker, form, name, at), at);
        }
    }
}

static void add_source(const batch_checker_t *checker, batch_select_t *select,
                       batch_source_t *source, const batch_scope_t *hidden, int at)
{
    int i;

    if (source->type == BATCH_SOURCE_FORM) {
        add_form(checker, select, source, hidden, at);
        return;
    }
    for (i = 0; i < source->select->outputs->nelts; i++) {
        batch_node_t *node = batch_check_output(checker, source, i, at);

        if (source->renames && i < source->renames->nelts) {
            node->name = APR_ARRAY_IDX(source->renames, i, const batch_token_t *)->text;
        }
        if (!hidden || !batch_check_is_merged(hidden, source, node->name)) {
            add_output(select, node->name, node, at);
        }
    }
}

/* What USING has made of two names stands once behind a star, before all else. */
static void add_merged(const batch_checker_t *checker, batch_select_t *select, int at)
{
    const apr_array_header_t *merged = checker->scope->merged;
    int i;

    for (i = 0; i < merged->nelts; i++) {
        const batch_merged_t *one = &APR_ARRAY_IDX(merged, i, batch_merged_t);

        if (!one->is_hidden) {
            add_output(select, one->name, one->node, at);
        }
    }
}

/* Stars of SELECTs that have stars themselves are many times as many columns. */
static int is_wide(const batch_checker_t *checker, const batch_select_t *select, int at)
{
    return select->outputs->nelts > MOST_BY_STARS &&
           !batch_query_fault(checker->text, at, "a SELECT can have %d columns by * only",
                              MOST_BY_STARS);
}

static int add_star(const batch_checker_t *checker, batch_select_t *select,
                    const batch_select_item_t *item)
{
    const batch_scope_t *scope = checker->scope, *hidden = item->qualifier ? NULL : scope;
    int found = 0, i;

    if (!item->qualifier) {
        add_merged(checker, select, item->at);
    }
    for (i = 0; i < scope->sources->nelts; i++) {
        batch_source_t *source = APR_ARRAY_IDX(scope->sources, i, batch_source_t *);
        const char *name = batch_check_source_name(source);

        if (!item->qualifier || !strcmp(item->qualifier, name) ||
            (source->type == BATCH_SOURCE_FORM && !source->alias &&
             !strcasecmp(item->qualifier, name))) {
            add_source(checker, select, source, hidden, item->at);
            found = 1;
        }
        if (is_wide(checker, select, item->at)) {
            return 0;
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

int batch_check_items(batch_checker_t *checker, batch_select_t *select)
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
int batch_check_settle_outputs(const batch_checker_t *checker, batch_select_t *select)
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

/* 1 if which rows the SELECT has depends on what its values are before they are made another kind.
 */
static int decides_by_values(const batch_select_t *select)
{
    return select->limit >= 0 || select->offset || select->distinct ||
           (select->set && !(select->set == BATCH_SET_UNION && select->all));
}

/* Makes of the SELECT one from it: its values can become others then, after it has decided. */
static int enclose(const batch_checker_t *checker, batch_select_t *select)
{
    apr_pool_t *p = checker->text->p;
    batch_select_t *inner = apr_pmemdup(p, select, sizeof(*select));
    batch_source_t *source = apr_pcalloc(p, sizeof(*source));
    int i;

    if (checker->statement->sources >= MOST_SOURCES) {
        return batch_query_fault(checker->text, select->at,
                                 "members have to be compared with another type in too many "
                                 "places: say the type, as in CAST(… AS text)");
    }
    APR_ARRAY_PUSH(checker->statement->all, batch_select_t *) = inner;
    source->type = BATCH_SOURCE_SELECT;
    source->at = select->at;
    source->number = checker->statement->sources++;
    source->with = -1;
    source->select = inner;
    memset(select, 0, sizeof(*select));
    select->at = inner->at;
    select->from = source;
    select->items = apr_array_make(p, 1, sizeof(batch_select_item_t));
    select->groups = apr_array_make(p, 1, sizeof(batch_node_t *));
    select->order = apr_array_make(p, 1, sizeof(batch_select_order_t));
    select->limit = -1;
    select->outputs = apr_array_make(p, 4, sizeof(batch_output_t));
    for (i = 0; i < inner->outputs->nelts; i++) {
        const batch_output_t *output = &APR_ARRAY_IDX(inner->outputs, i, batch_output_t);

        add_output(select, output->name, batch_check_output(checker, source, i, output->at),
                   output->at);
    }
    return 1;
}

/* Makes an output give values of a kind, on all sides of set operations. */
int batch_check_require_output(const batch_checker_t *checker, batch_select_t *select, int i,
                               batch_query_kind_e kind)
{
    batch_output_t *output = &APR_ARRAY_IDX(select->outputs, i, batch_output_t);

    if (output->kind == BATCH_QUERY_MEMBER && kind != BATCH_QUERY_MEMBER &&
        decides_by_values(select)) {
        if (!enclose(checker, select)) {
            return 0;
        }
        output = &APR_ARRAY_IDX(select->outputs, i, batch_output_t);
    }
    output->kind = kind;
    return select->set ? batch_check_require_output(checker, select->left, i, kind) &&
                             batch_check_require_output(checker, select->right, i, kind)
                       : batch_check_require(checker, &output->node, kind);
}

/* Brings two of a query's values to one kind: each is an output, or *place where select is NULL. */
int batch_check_unify_output(const batch_checker_t *checker, batch_query_kind_e *kind,
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

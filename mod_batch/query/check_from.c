/* What stands in FROM: which names a SELECT sees. */
#include "query/check.h"

#include <string.h>

#include <apr_strings.h>

static int check_alone(batch_checker_t *checker, const batch_source_t *source)
{
    const apr_array_header_t *sources = checker->scope->sources;
    const char *name = batch_check_source_name(source);
    int i;

    for (i = 0; *name && i < sources->nelts; i++) {
        const batch_source_t *other = APR_ARRAY_IDX(sources, i, batch_source_t *);

        if (!strcmp(name, batch_check_source_name(other))) {
            return batch_query_fault(checker->text, source->at,
                                     "\"%s\" stands in FROM twice: give one of them another name, "
                                     "as in \"%s\" AS other",
                                     name, name);
        }
    }
    return 1;
}

static int check_renames(const batch_checker_t *checker, const batch_source_t *source)
{
    if (source->renames && source->renames->nelts > source->select->outputs->nelts) {
        return batch_query_fault(checker->text, source->at,
                                 "found %d names of columns, but the SELECT has %d",
                                 source->renames->nelts, source->select->outputs->nelts);
    }
    return 1;
}

/* A form or a SELECT. */
static int check_leaf(batch_checker_t *checker, batch_source_t *source)
{
    if (!check_alone(checker, source)) {
        return 0;
    }
    if (source->type == BATCH_SOURCE_FORM) {
        batch_query_column_t *key = apr_pcalloc(checker->text->p, sizeof(*key));

        key->column = checker->schema->resource->key;
        key->name = "";
        key->kind = batch_query_schema_key_kind(checker->schema);
        source->columns = apr_array_make(checker->text->p, 8, sizeof(const batch_query_column_t *));
        source->members = apr_array_make(checker->text->p, 8, sizeof(batch_member_t));
        APR_ARRAY_PUSH(source->columns, const batch_query_column_t *) = key;
    } else if (source->with < 0) {
        /* It sees what is around the SELECT that it stands in, not what stands beside it. */
        if (!batch_check_select(checker, source->select, checker->scope->parent)) {
            return 0;
        }
    }
    if (source->type == BATCH_SOURCE_SELECT && !check_renames(checker, source)) {
        return 0;
    }
    APR_ARRAY_PUSH(checker->scope->sources, batch_source_t *) = source;
    return 1;
}

/* ---- USING ------------------------------------------------------------------------------------
 */

/* The name as one side of the join has it. */
static batch_node_t *side_of(batch_checker_t *checker, const batch_scope_t *side,
                             const batch_token_t *name)
{
    batch_scope_t *scope = checker->scope;
    batch_node_t *node = apr_pcalloc(checker->text->p, sizeof(*node));
    batch_scope_t alone = *side;
    int good;

    node->type = BATCH_NODE_NAME;
    node->name = name->text;
    node->at = name->at;
    node->slot = -1;
    alone.parent = NULL;
    checker->scope = &alone;
    good = batch_check(checker, node);
    checker->scope = scope;
    return good ? node : NULL;
}

static batch_node_t *make(const batch_checker_t *checker, batch_node_type_e type, int op, int at,
                          batch_node_t *first, batch_node_t *second)
{
    batch_node_t *node = apr_pcalloc(checker->text->p, sizeof(*node));

    node->type = type;
    node->op = op;
    node->at = at;
    node->slot = -1;
    node->count = 2;
    node->children = apr_palloc(checker->text->p, 2 * sizeof(*node->children));
    node->children[0] = first;
    node->children[1] = second;
    return node;
}

static int merge(batch_checker_t *checker, const batch_source_t *join, const batch_token_t *name,
                 batch_node_t *left, batch_node_t *right)
{
    batch_merged_t *merged = apr_array_push(checker->scope->merged);

    merged->is_hidden = 0;
    merged->name = name->text;
    merged->source = left->source;
    merged->other = right->source;
    merged->node = join->join == BATCH_JOIN_RIGHT ? right : left;
    if (join->join == BATCH_JOIN_FULL) {
        merged->node =
            make(checker, BATCH_NODE_CALL, BATCH_FUNCTION_COALESCE, name->at, left, right);
        return batch_check(checker, merged->node);
    }
    return 1;
}

/* The names that USING has made inside of the join's sides: what it makes of them hides them. */
static void hide_merged(const batch_checker_t *checker, int count, const char *name)
{
    apr_array_header_t *merged = checker->scope->merged;
    int i;

    for (i = merged->nelts - count; i < merged->nelts; i++) {
        batch_merged_t *inner = &APR_ARRAY_IDX(merged, i, batch_merged_t);

        inner->is_hidden |= !strcmp(inner->name, name);
    }
}

/* A name of USING stands there once. */
static int is_new(const batch_checker_t *checker, const batch_source_t *join, int number)
{
    const batch_token_t *name = APR_ARRAY_IDX(join->using, number, const batch_token_t *);
    int i;

    for (i = 0; i < number; i++) {
        if (!strcmp(APR_ARRAY_IDX(join->using, i, const batch_token_t *)->text, name->text)) {
            return batch_query_fault(checker->text, name->at, "\"%s\" stands in USING twice",
                                     name->text);
        }
    }
    return 1;
}

static int check_using(batch_checker_t *checker, batch_source_t *join, const batch_scope_t *left,
                       const batch_scope_t *right)
{
    batch_node_t *conditions = make(checker, BATCH_NODE_AND, 0, join->at, NULL, NULL);
    int inner = left->merged->nelts + right->merged->nelts, i;

    conditions->count = 0;
    conditions->children = apr_palloc(checker->text->p, (apr_size_t)join->using->nelts *
                                                            sizeof(*conditions->children));

    for (i = 0; i < join->using->nelts; i++) {
        const batch_token_t *name = APR_ARRAY_IDX(join->using, i, const batch_token_t *);
        batch_node_t *a = side_of(checker, left, name), *b, *equal;

        b = a && is_new(checker, join, i) ? side_of(checker, right, name) : NULL;
        if (!b) {
            return 0;
        }
        equal = make(checker, BATCH_NODE_COMPARE, BATCH_COMPARE_EQUAL, name->at, a, b);
        conditions->children[conditions->count++] = equal;
        hide_merged(checker, inner++, name->text);
        if (!batch_check(checker, equal) || !merge(checker, join, name, a, b)) {
            return 0;
        }
    }
    join->on = conditions->count > 1 ? conditions : conditions->children[0];
    return batch_check(checker, join->on);
}

/* ---- Joins ------------------------------------------------------------------------------------
 */

/* A part of the scope: what has come into it from a place on. */
static batch_scope_t part_of(const batch_checker_t *checker, int from, int merged)
{
    batch_scope_t part = *checker->scope;
    apr_pool_t *p = checker->text->p;
    int i;

    part.sources = apr_array_make(p, 4, sizeof(batch_source_t *));
    part.merged = apr_array_make(p, 2, sizeof(batch_merged_t));
    for (i = from; i < checker->scope->sources->nelts; i++) {
        APR_ARRAY_PUSH(part.sources, batch_source_t *) =
            APR_ARRAY_IDX(checker->scope->sources, i, batch_source_t *);
    }
    for (i = merged; i < checker->scope->merged->nelts; i++) {
        APR_ARRAY_PUSH(part.merged, batch_merged_t) =
            APR_ARRAY_IDX(checker->scope->merged, i, batch_merged_t);
    }
    return part;
}

/* ON sees the two sides of its join, and what is around the SELECT. */
static int check_on(batch_checker_t *checker, batch_source_t *join, batch_scope_t *both)
{
    batch_scope_t *scope = checker->scope;
    int good;

    both->clause = BATCH_CLAUSE_ON;
    checker->scope = both;
    good = batch_check(checker, join->on) &&
           batch_check_require(checker, &join->on, BATCH_QUERY_BOOLEAN);
    checker->scope = scope;
    return good;
}

int batch_check_from(batch_checker_t *checker, batch_source_t *source)
{
    int from = checker->scope->sources->nelts, merged = checker->scope->merged->nelts;
    batch_scope_t left, right, both;

    if (source->type != BATCH_SOURCE_JOIN) {
        return check_leaf(checker, source);
    }
    if (!batch_check_from(checker, source->left)) {
        return 0;
    }
    left = part_of(checker, from, merged);
    right.sources = NULL;
    from += left.sources->nelts;
    merged += left.merged->nelts;
    if (!batch_check_from(checker, source->right)) {
        return 0;
    }
    right = part_of(checker, from, merged);
    if (source->using) {
        return check_using(checker, source, &left, &right);
    }
    both = part_of(checker, from - left.sources->nelts, merged - left.merged->nelts);
    return !source->on || check_on(checker, source, &both);
}

/* Recursive descent, with PostgreSQL's precedence of operators. */
#include "query/parser.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Operators ------------------------------------------------------------------------------- */

static batch_node_t *parse_product(batch_parser_t *parser)
{
    batch_node_t *node = batch_parse_zoned(parser);

    while (node && (batch_token_is(parser->next, "*") || batch_token_is(parser->next, "/") ||
                    batch_token_is(parser->next, "%"))) {
        batch_node_t *product = batch_parser_make(parser, BATCH_NODE_ARITHMETIC, parser->next->at);

        product->op = (unsigned char)*parser->next++->text;
        node = batch_parser_with_two(parser, product, node, batch_parse_zoned(parser));
    }
    return node;
}

static batch_node_t *parse_term(batch_parser_t *parser)
{
    batch_node_t *node = parse_product(parser);

    while (node && (batch_token_is(parser->next, "+") || batch_token_is(parser->next, "-"))) {
        batch_node_t *sum = batch_parser_make(parser, BATCH_NODE_ARITHMETIC, parser->next->at);

        sum->op = (unsigned char)*parser->next++->text;
        node = batch_parser_with_two(parser, sum, node, parse_product(parser));
    }
    return node;
}

/* What can stand on either side of a comparison. */
static batch_node_t *parse_sum(batch_parser_t *parser)
{
    batch_node_t *node = parse_term(parser);

    if (node && batch_token_is(parser->next, "||")) {
        node = batch_parser_with(
            parser, batch_parser_make(parser, BATCH_NODE_CONCAT, parser->next->at), node);
        while (node && batch_parser_take_symbol(parser, "||")) {
            node = batch_parser_with(parser, node, parse_term(parser));
        }
    }
    return node;
}

batch_node_t *batch_parse_operand(batch_parser_t *parser)
{
    return parse_sum(parser);
}

static batch_node_t *parse_in(batch_parser_t *parser, batch_node_t *left, int at)
{
    batch_node_t *node =
        batch_parser_with(parser, batch_parser_make(parser, BATCH_NODE_IN, at), left);

    if (!batch_parser_take_symbol(parser, "(")) {
        return batch_parser_expected(parser, "( behind IN");
    }
    if (batch_parser_is_query(parser)) {
        if (node) {
            node->type = BATCH_NODE_IN_SELECT;
        }
        return batch_parse_subquery(parser, node);
    }
    do {
        node = batch_parser_with(parser, node, batch_parse_expression(parser));
    } while (node && batch_parser_take_symbol(parser, ","));
    return !node || batch_parser_take_symbol(parser, ")") ? node
                                                          : batch_parser_expected(parser, ", or )");
}

static batch_node_t *parse_between(batch_parser_t *parser, batch_node_t *left, int at)
{
    batch_node_t *node =
        batch_parser_with(parser, batch_parser_make(parser, BATCH_NODE_BETWEEN, at), left);

    node = batch_parser_with(parser, node, parse_sum(parser));
    if (node && !batch_parser_take(parser, BATCH_WORD_AND)) {
        return batch_parser_expected(parser, "AND and the upper end of BETWEEN");
    }
    return node ? batch_parser_with(parser, node, parse_sum(parser)) : NULL;
}

static batch_node_t *parse_like(batch_parser_t *parser, batch_node_t *left, int fold, int at)
{
    batch_node_t *node = batch_parser_make(parser, BATCH_NODE_LIKE, at);

    node->fold = fold;
    node = batch_parser_with_two(parser, node, left, parse_sum(parser));
    if (node && batch_parser_take(parser, BATCH_WORD_ESCAPE)) {
        node = batch_parser_with(parser, node, parse_sum(parser));
    }
    return node;
}

static batch_node_t *parse_comparison(batch_parser_t *parser);

/* Behind IS and perhaps NOT. */
static batch_node_t *parse_is(batch_parser_t *parser, batch_node_t *left, int at)
{
    batch_node_t *node = batch_parser_make(parser, BATCH_NODE_IS_NULL, at);

    if (batch_parser_take(parser, BATCH_WORD_NULL)) {
        return batch_parser_with(parser, node, left);
    }
    if (batch_parser_take(parser, BATCH_WORD_UNKNOWN)) {
        node->op = 'u'; /* the same, but of truths only */
        return batch_parser_with(parser, node, left);
    }
    if (batch_parser_is(parser, BATCH_WORD_TRUE) || batch_parser_is(parser, BATCH_WORD_FALSE)) {
        node->type = BATCH_NODE_IS_TRUTH;
        node->op = parser->next++->word == BATCH_WORD_TRUE ? 't' : 'f';
        return batch_parser_with(parser, node, left);
    }
    if (batch_parser_take(parser, BATCH_WORD_DISTINCT)) {
        node->type = BATCH_NODE_DISTINCT;
        if (!batch_parser_take(parser, BATCH_WORD_FROM)) {
            return batch_parser_expected(parser, "FROM behind IS DISTINCT");
        }
        return batch_parser_with_two(parser, node, left, parse_comparison(parser));
    }
    return batch_parser_expected(parser, "NULL, NOT NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM");
}

/* IN, BETWEEN, LIKE, ILIKE; *is_one: there was one. */
static batch_node_t *parse_word_operator(batch_parser_t *parser, batch_node_t *left, int *is_one,
                                         int at)
{
    *is_one = 1;
    if (batch_parser_take(parser, BATCH_WORD_IN)) {
        return parse_in(parser, left, at);
    }
    if (batch_parser_take(parser, BATCH_WORD_BETWEEN)) {
        return parse_between(parser, left, at);
    }
    if (batch_parser_take(parser, BATCH_WORD_LIKE)) {
        return parse_like(parser, left, 0, at);
    }
    if (batch_parser_take(parser, BATCH_WORD_ILIKE)) {
        return parse_like(parser, left, 1, at);
    }
    *is_one = 0;
    return left;
}

static int take_comparison(batch_parser_t *parser, int *op)
{
    static const char *const symbols[] = {"=", "<>", "<", "<=", ">", ">="};
    int i;

    for (i = 0; i < 6; i++) {
        if (batch_parser_take_symbol(parser, symbols[i])) {
            *op = i;
            return 1;
        }
    }
    *op = BATCH_COMPARE_UNEQUAL;
    return batch_parser_take_symbol(parser, "!=");
}

/* IN, BETWEEN, LIKE and ILIKE bind tighter than comparisons, and are not chained. */
static batch_node_t *parse_matching(batch_parser_t *parser)
{
    batch_node_t *node = parse_sum(parser);
    int at = parser->next->at;
    int negated, is_one;

    if (!node) {
        return NULL;
    }
    negated = batch_parser_take(parser, BATCH_WORD_NOT);
    node = parse_word_operator(parser, node, &is_one, at);
    if (negated && !is_one) {
        return batch_parser_expected(parser, "IN, BETWEEN, LIKE or ILIKE behind NOT");
    }
    if (node && is_one) {
        node->negated = negated;
    }
    return node;
}

static batch_node_t *parse_comparison(batch_parser_t *parser)
{
    apr_int64_t before = parser->size;
    batch_node_t *node = parse_matching(parser);
    batch_node_t *comparison;
    int at = parser->next->at, op;

    if (!node || !take_comparison(parser, &op)) {
        return node;
    }
    if (batch_parser_is_quantifier(parser)) {
        batch_quantified_t what = {node, parser->size - before, op, at};

        node = batch_parse_quantified(parser, &what);
    } else {
        comparison = batch_parser_make(parser, BATCH_NODE_COMPARE, at);
        comparison->op = op;
        node = batch_parser_with_two(parser, comparison, node, parse_matching(parser));
    }
    at = parser->next->at;
    if (node && take_comparison(parser, &op)) {
        batch_query_fault(
            parser->text, at,
            node->children[1]->type == BATCH_NODE_CONCAT
                ? "found a second comparison behind ||, which joins texts: conditions "
                  "are joined by OR"
                : "found a second comparison, expected AND between the two, or "
                  "parentheses around the first");
        return NULL;
    }
    return node;
}

/* IS, which binds less than comparisons. */
static batch_node_t *parse_test(batch_parser_t *parser)
{
    batch_node_t *node = parse_comparison(parser);

    while (node && batch_parser_is(parser, BATCH_WORD_IS)) {
        int at = parser->next++->at;
        int negated = batch_parser_take(parser, BATCH_WORD_NOT);

        node = parse_is(parser, node, at);
        if (node) {
            node->negated = negated;
        }
    }
    return node;
}

static batch_node_t *parse_not(batch_parser_t *parser)
{
    int at = parser->next->at;
    batch_node_t *node;

    if (!batch_parser_take(parser, BATCH_WORD_NOT)) {
        return parse_test(parser);
    }
    if (!batch_parser_enter(parser)) {
        return NULL;
    }
    node =
        batch_parser_with(parser, batch_parser_make(parser, BATCH_NODE_NOT, at), parse_not(parser));
    parser->nesting--;
    return node;
}

/* Operands joined by AND or OR, in one node however many they are. */
static batch_node_t *parse_chain(batch_parser_t *parser, batch_query_word_e word,
                                 batch_node_type_e type,
                                 batch_node_t *(*operand)(batch_parser_t *parser))
{
    batch_node_t *node = operand(parser);

    if (node && batch_parser_is(parser, word)) {
        node = batch_parser_with(parser, batch_parser_make(parser, type, parser->next->at), node);
        while (node && batch_parser_take(parser, word)) {
            node = batch_parser_with(parser, node, operand(parser));
        }
    }
    return node;
}

static batch_node_t *parse_and(batch_parser_t *parser)
{
    return parse_chain(parser, BATCH_WORD_AND, BATCH_NODE_AND, parse_not);
}

batch_node_t *batch_parse_expression(batch_parser_t *parser)
{
    return parse_chain(parser, BATCH_WORD_OR, BATCH_NODE_OR, parse_and);
}

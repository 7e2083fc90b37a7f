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
    do {
        if (batch_parser_is(parser, BATCH_WORD_SELECT)) {
            return batch_parser_expected(parser, "a value");
        }
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
    batch_node_t *node = parse_matching(parser);
    batch_node_t *comparison;
    int at = parser->next->at, op;

    if (!node || !take_comparison(parser, &op)) {
        return node;
    }
    if (batch_parser_is_quantifier(parser)) {
        node = batch_parse_quantified(parser, node, op, at);
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
    if (++parser->nesting > BATCH_QUERY_DEPTH) {
        batch_query_fault(parser->text, at, "expressions are nested too deeply here");
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

/* ---- SELECT ---------------------------------------------------------------------------------- */

static int parse_item(batch_parser_t *parser, batch_select_t *select)
{
    batch_select_item_t *item = apr_array_push(select->items);

    memset(item, 0, sizeof(*item));
    item->at = parser->next->at;
    if (batch_parser_take_symbol(parser, "*")) {
        return 1;
    }
    if (batch_token_is_name(parser->next) && batch_token_is(parser->next + 1, ".") &&
        batch_token_is(parser->next + 2, "*")) {
        parser->next += 3;
        return 1;
    }
    item->node = batch_parse_expression(parser);
    if (!item->node) {
        return 0;
    }
    if (batch_parser_take(parser, BATCH_WORD_AS)) {
        /* Behind AS any word is a name. */
        if (parser->next->kind != BATCH_TOKEN_NAME && parser->next->kind != BATCH_TOKEN_QUOTED) {
            batch_parser_expected(parser, "a name behind AS");
            return 0;
        }
        item->alias = parser->next++->text;
    } else if (batch_token_is_name(parser->next) && !batch_parser_is(parser, BATCH_WORD_FILTER) &&
               !batch_parser_is(parser, BATCH_WORD_OVER)) {
        item->alias = parser->next++->text;
    }
    return 1;
}

static int parse_from(batch_parser_t *parser, batch_select_t *select)
{
    if (!batch_parser_take(parser, BATCH_WORD_FROM)) {
        batch_parser_expected(parser, ", or FROM and a form");
        return 0;
    }
    if (!batch_token_is_name(parser->next)) {
        parser->beyond |= batch_token_is(parser->next, "(");
        batch_parser_expected(parser, "the name of a form, in double quotes, or its id");
        return 0;
    }
    select->form = parser->next++;
    if (batch_parser_take(parser, BATCH_WORD_AS)) {
        if (!batch_token_is_name(parser->next)) {
            batch_parser_expected(parser, "a name behind AS");
            return 0;
        }
        select->alias = parser->next++->text;
    } else if (batch_token_is_name(parser->next)) {
        select->alias = parser->next++->text;
    }
    parser->beyond |= batch_token_is(parser->next, ",");
    return 1;
}

static int parse_head(batch_parser_t *parser, batch_select_t *select)
{
    select->distinct = batch_parser_take(parser, BATCH_WORD_DISTINCT);
    if (!select->distinct) {
        (void)batch_parser_take(parser, BATCH_WORD_ALL);
    }
    do {
        if (!parse_item(parser, select)) {
            return 0;
        }
    } while (batch_parser_take_symbol(parser, ","));
    if (!parse_from(parser, select)) {
        return 0;
    }
    if (batch_parser_take(parser, BATCH_WORD_WHERE)) {
        select->where = batch_parse_expression(parser);
        return select->where != NULL;
    }
    return 1;
}

static int parse_order(batch_parser_t *parser, batch_select_t *select)
{
    if (!batch_parser_take(parser, BATCH_WORD_BY)) {
        batch_parser_expected(parser, "BY behind ORDER");
        return 0;
    }
    do {
        batch_select_order_t *order = apr_array_push(select->order);

        order->node = batch_parse_expression(parser);
        if (!order->node) {
            return 0;
        }
        order->descending = batch_parser_take(parser, BATCH_WORD_DESC);
        if (!order->descending) {
            (void)batch_parser_take(parser, BATCH_WORD_ASC);
        }
        order->nulls_first = order->descending;
        if (batch_parser_take(parser, BATCH_WORD_NULLS)) {
            order->nulls_first = batch_parser_take(parser, BATCH_WORD_FIRST);
            if (!order->nulls_first && !batch_parser_take(parser, BATCH_WORD_LAST)) {
                batch_parser_expected(parser, "FIRST or LAST");
                return 0;
            }
        }
    } while (batch_parser_take_symbol(parser, ","));
    return 1;
}

static int parse_count(batch_parser_t *parser, apr_int64_t *count)
{
    if (parser->next->kind != BATCH_TOKEN_INTEGER) {
        batch_parser_expected(parser, "a whole number");
        return 0;
    }
    *count = apr_strtoi64(parser->next++->text, NULL, 10);
    return 1;
}

static int parse_tail(batch_parser_t *parser, batch_select_t *select)
{
    int limited = 0, offset = 0;

    if (batch_parser_take(parser, BATCH_WORD_ORDER) && !parse_order(parser, select)) {
        return 0;
    }
    for (;;) {
        if (!limited && batch_parser_take(parser, BATCH_WORD_LIMIT)) {
            limited = 1;
            if (!batch_parser_take(parser, BATCH_WORD_ALL) &&
                !parse_count(parser, &select->limit)) {
                return 0;
            }
        } else if (!offset && batch_parser_take(parser, BATCH_WORD_OFFSET)) {
            offset = 1;
            if (!parse_count(parser, &select->offset)) {
                return 0;
            }
            if (!batch_parser_take(parser, BATCH_WORD_ROWS)) {
                (void)batch_parser_take(parser, BATCH_WORD_ROW);
            }
        } else {
            break;
        }
    }
    if (parser->next->kind != BATCH_TOKEN_END) {
        batch_parser_expected(parser, select->where
                                          ? "an operator, ORDER BY, LIMIT, OFFSET or the end"
                                          : "WHERE, ORDER BY, LIMIT, OFFSET or the end");
        return 0;
    }
    return 1;
}

batch_select_t *batch_query_parse(batch_query_text_t *text, int *beyond)
{
    batch_select_t *select = apr_pcalloc(text->p, sizeof(*select));
    batch_parser_t parser = {.text = text, .next = text->tokens};
    int good = 0;

    select->items = apr_array_make(text->p, 4, sizeof(batch_select_item_t));
    select->order = apr_array_make(text->p, 2, sizeof(batch_select_order_t));
    select->limit = -1;
    if (!text->fault && batch_parser_take(&parser, BATCH_WORD_SELECT)) {
        good = parse_head(&parser, select) && parse_tail(&parser, select);
    } else if (!text->fault) {
        select->where = batch_parse_expression(&parser);
        good = select->where && parse_tail(&parser, select);
    }
    *beyond = parser.beyond;
    return good && !text->fault ? select : NULL;
}

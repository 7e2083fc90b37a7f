/* What SQL writes in words of its own: EXTRACT, POSITION, TRIM, SUBSTRING, AT TIME ZONE, ANY, ALL.
 */
#include "query/parser.h"

#include <string.h>

#include <apr_strings.h>

/* Nodes of a tree in which some stand more than once. */
#define MOST_NODES 65536

static int take_word(batch_parser_t *parser, const char *word)
{
    int taken = batch_token_is_word(parser->next, word);

    parser->next += taken;
    return taken;
}

static batch_node_t *make_call(batch_parser_t *parser, batch_function_e function, int at)
{
    batch_node_t *node = batch_parser_make(parser, BATCH_NODE_CALL, at);

    node->op = function;
    return node;
}

static batch_node_t *close_call(batch_parser_t *parser, batch_node_t *node, const char *what)
{
    return !node || batch_parser_take_symbol(parser, ")") ? node
                                                          : batch_parser_expected(parser, what);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* extract(year FROM x) is date_part('year', x). */
static batch_node_t *parse_extract(batch_parser_t *parser, int at)
{
    batch_node_t *node = make_call(parser, BATCH_FUNCTION_EXTRACT, at);
    const batch_token_t *field = parser->next;

    if (field->kind != BATCH_TOKEN_NAME && field->kind != BATCH_TOKEN_STRING) {
        return batch_parser_expected(parser, "a field, as in extract(year FROM _created_at)");
    }
    parser->next++;
    if (!batch_parser_take(parser, BATCH_WORD_FROM)) {
        return batch_parser_expected(parser, "FROM, as in extract(year FROM _created_at)");
    }
    node = batch_parser_with_two(
        parser, node,
        batch_parser_constant(parser, batch_query_text_value(field->text, strlen(field->text)),
                              BATCH_QUERY_LITERAL, field->at),
        batch_parse_expression(parser));
    return close_call(parser, node, ") or an operator");
}

/* position(x IN y) is strpos(y, x). */
static batch_node_t *parse_position(batch_parser_t *parser, int at)
{
    batch_node_t *wanted = batch_parse_operand(parser);

    if (!wanted) {
        return NULL;
    }
    if (!batch_parser_take(parser, BATCH_WORD_IN)) {
        return batch_parser_expected(parser, "IN, as in position('x' IN street)");
    }
    return close_call(parser,
                      batch_parser_with_two(parser, make_call(parser, BATCH_FUNCTION_STRPOS, at),
                                            batch_parse_operand(parser), wanted),
                      ") or an operator");
}

/* trim([BOTH | LEADING | TRAILING] [characters FROM] x), and trim(x, characters). */
static batch_node_t *parse_trim(batch_parser_t *parser, int at)
{
    /* trim(both) is about a member of that name. */
    int is_side =
        parser->next->kind == BATCH_TOKEN_NAME && parser->next[1].kind != BATCH_TOKEN_SYMBOL;
    batch_function_e function = is_side && take_word(parser, "leading")    ? BATCH_FUNCTION_LTRIM
                                : is_side && take_word(parser, "trailing") ? BATCH_FUNCTION_RTRIM
                                                                           : BATCH_FUNCTION_BTRIM;
    batch_node_t *node = make_call(parser, function, at), *first = NULL, *second;

    if (function == BATCH_FUNCTION_BTRIM && is_side) {
        (void)take_word(parser, "both");
    }
    if (!batch_parser_is(parser, BATCH_WORD_FROM) && !(first = batch_parse_expression(parser))) {
        return NULL;
    }
    if (batch_parser_take(parser, BATCH_WORD_FROM)) {
        second = batch_parse_expression(parser);
        node = batch_parser_with(parser, node, second);
        node = first ? batch_parser_with(parser, node, first) : node;
    } else {
        node = batch_parser_with(parser, node, first);
        if (node && batch_parser_take_symbol(parser, ",")) {
            node = batch_parser_with(parser, node, batch_parse_expression(parser));
        }
    }
    return close_call(parser, node, "FROM, a comma or )");
}

/* substring(x FROM start FOR count): either may be left out, and they may change places. */
static batch_node_t *parse_substring(batch_parser_t *parser, int at)
{
    batch_node_t *node = batch_parser_with(parser, make_call(parser, BATCH_FUNCTION_SUBSTR, at),
                                           batch_parse_expression(parser));
    batch_node_t *start = NULL, *count = NULL;

    while (node && !batch_token_is(parser->next, ")")) {
        batch_node_t **place = NULL;

        if (!start && (batch_parser_take(parser, BATCH_WORD_FROM) ||
                       (!count && batch_parser_take_symbol(parser, ",")))) {
            place = &start;
        } else if (!count && (batch_parser_take(parser, BATCH_WORD_FOR) ||
                              (start && batch_parser_take_symbol(parser, ",")))) {
            place = &count;
        } else {
            return batch_parser_expected(parser, "FROM, FOR, a comma or )");
        }
        *place = batch_parse_expression(parser);
        if (!*place) {
            return NULL;
        }
    }
    if (node && !start && !count) {
        return batch_parser_expected(parser,
                                     "where it starts, as in substring(street FROM 1 FOR 3)");
    }
    if (!start) {
        start =
            batch_parser_constant(parser, batch_query_integer_value(1), BATCH_QUERY_INTEGER, at);
    }
    node = batch_parser_with(parser, node, start);
    node = count ? batch_parser_with(parser, node, count) : node;
    return close_call(parser, node, ")");
}

int batch_parse_special(batch_node_t **node, batch_parser_t *parser, const batch_token_t *token)
{
    static const struct {
        const char *name;
        batch_node_t *(*parse)(batch_parser_t *parser, int at);
    } calls[] = {{"extract", parse_extract},
                 {"position", parse_position},
                 {"substring", parse_substring},
                 {"trim", parse_trim}};
    size_t i;

    for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        if (batch_token_is_word(token, calls[i].name)) {
            parser->next++;
            *node = calls[i].parse(parser, token->at);
            return 1;
        }
    }
    return 0;
}

int batch_parser_is_special(const batch_token_t *token)
{
    return token->kind == BATCH_TOKEN_NAME && batch_token_is(token + 1, "(") &&
           (token->word == BATCH_WORD_LEFT || token->word == BATCH_WORD_RIGHT);
}

/* ---- Times ----------------------------------------------------------------------------------- */

batch_node_t *batch_parse_zoned(batch_parser_t *parser)
{
    batch_node_t *node = batch_parse_unary(parser);

    while (node && batch_token_is_word(parser->next, "at") &&
           batch_token_is_word(parser->next + 1, "time")) {
        int at = parser->next->at;

        parser->next += 2;
        if (!take_word(parser, "zone")) {
            return batch_parser_expected(parser, "ZONE behind AT TIME");
        }
        node = batch_parser_with_two(parser, make_call(parser, BATCH_FUNCTION_AT_TIME_ZONE, at),
                                     node, batch_parse_unary(parser));
    }
    return node;
}

batch_node_t *batch_parse_time_string(batch_parser_t *parser, const batch_token_t *type)
{
    const batch_token_t *token = parser->next;
    int zoned = batch_token_is_word(type, "timestamptz"), words = 0;
    batch_query_value_t value = {.kind = BATCH_QUERY_TIMESTAMP};
    apr_int64_t offset;
    batch_node_t *node;

    if ((batch_token_is_word(token, "with") || batch_token_is_word(token, "without")) &&
        batch_token_is_word(token + 1, "time") && batch_token_is_word(token + 2, "zone")) {
        zoned = batch_token_is_word(token, "with");
        words = 3;
    }
    token += words;
    if (token->kind != BATCH_TOKEN_STRING || (!zoned && !batch_token_is_word(type, "timestamp"))) {
        return NULL;
    }
    parser->next = token + 1;
    if (!batch_query_time_parse_local(&value.integer, &offset, token->text, strlen(token->text))) {
        batch_query_fault(parser->text, token->at,
                          "found %s, expected a time as '2023-10-06' or '2023-10-06T02:56:34Z'",
                          batch_query_found(parser->text, token));
    } else if (!zoned && offset) {
        batch_query_fault(parser->text, token->at,
                          "found %s, but a timestamp has no zone: write timestamptz before it if "
                          "the zone is meant",
                          batch_query_found(parser->text, token));
    }
    value.integer -= offset;
    node = batch_parser_constant(parser, value, BATCH_QUERY_TIMESTAMP, token->at);
    node->zone = zoned ? BATCH_ZONE_WITH : BATCH_ZONE_WITHOUT;
    return node;
}

/* ---- ANY and ALL ----------------------------------------------------------------------------- */

int batch_parser_is_quantifier(const batch_parser_t *parser)
{
    const batch_token_t *token = parser->next;

    return batch_token_is(token + 1, "(") &&
           (batch_token_is_word(token, "any") || batch_token_is_word(token, "some") ||
            batch_token_is_word(token, "all"));
}

/* ARRAY[…], and perhaps ::text[]: its values become children of node behind left. */
static batch_node_t *parse_array(batch_parser_t *parser, batch_node_t *node)
{
    if (!take_word(parser, "array") || !batch_parser_take_symbol(parser, "[")) {
        batch_query_fault(parser->text, parser->next->at,
                          "found \"%s\", expected ARRAY[…] with its values: " BATCH_QUERY_LISTS,
                          batch_query_found(parser->text, parser->next));
        return NULL;
    }
    do {
        node = batch_parser_with(parser, node, batch_parse_expression(parser));
    } while (node && batch_parser_take_symbol(parser, ","));
    if (node && !batch_parser_take_symbol(parser, "]")) {
        return batch_parser_expected(parser, ", or ]");
    }
    return node;
}

/*
 * What stands before ANY is in the tree once for each value, and so is all that this has been said
 * of inside of it: ten such lists in one another would be a tree without end.
 */
static int note_repeated(batch_parser_t *parser, apr_int64_t size, apr_int64_t times, int at)
{
    parser->size += size * (times - 1);
    return parser->size <= MOST_NODES ||
           batch_query_fault(parser->text, at,
                             "what stands before ANY and ALL counts once for each value behind it, "
                             "and these are more than %d words and symbols then: use IN, or a "
                             "shorter list",
                             MOST_NODES);
}

/* x < ANY(ARRAY[a, b]) is x < a OR x < b. */
static batch_node_t *as_chain(batch_parser_t *parser, const batch_node_t *values, int op, int all)
{
    batch_node_t *chain =
        batch_parser_make(parser, all ? BATCH_NODE_AND : BATCH_NODE_OR, values->at);
    int i;

    chain->op = BATCH_CHAIN_ARRAY;
    for (i = 1; chain && i < values->count; i++) {
        batch_node_t *comparison = batch_parser_make(parser, BATCH_NODE_COMPARE, values->at);
        batch_node_t *left = values->children[0];

        if (left->type == BATCH_NODE_VALUE) { /* a string becomes what it is compared with */
            left = apr_pmemdup(parser->text->p, left, sizeof(*left));
        }
        comparison->op = op;
        chain = batch_parser_with(
            parser, chain, batch_parser_with_two(parser, comparison, left, values->children[i]));
    }
    return chain;
}

/* = ANY (SELECT …) is IN, <> ALL (SELECT …) is NOT IN. */
static batch_node_t *quantified_select(batch_parser_t *parser, batch_node_t *node, int op, int all)
{
    if (!node || op != (all ? BATCH_COMPARE_UNEQUAL : BATCH_COMPARE_EQUAL)) {
        batch_query_fault(parser->text, parser->next->at,
                          "with a SELECT there are = ANY and <> ALL only: compare with its min(…) "
                          "or max(…) instead, as in > (SELECT max(…) …)");
        return NULL;
    }
    node->type = BATCH_NODE_IN_SELECT;
    node->negated = all;
    return batch_parse_subquery(parser, node);
}

batch_node_t *batch_parse_quantified(batch_parser_t *parser, const batch_quantified_t *what)
{
    batch_node_t *node =
        batch_parser_with(parser, batch_parser_make(parser, BATCH_NODE_IN, what->at), what->left);
    int all = batch_token_is_word(parser->next, "all"), op = what->op;

    parser->next += 2;
    if (batch_parser_is_query(parser)) {
        return quantified_select(parser, node, op, all);
    }
    node = close_call(parser, parse_array(parser, node), ")");
    if (!node || (op == BATCH_COMPARE_EQUAL && !all)) {
        return node;
    }
    if (op == BATCH_COMPARE_UNEQUAL && all) {
        node->negated = 1;
        return node;
    }
    return note_repeated(parser, what->size, node->count - 1, what->at)
               ? as_chain(parser, node, op, all)
               : NULL;
}

/* Recursive descent, with PostgreSQL's precedence of operators. */
#include "query/tree.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

typedef struct parser {
    batch_query_text_t *text;
    const batch_token_t *next;
    int nesting; /* of parentheses and prefixes that are open */
    int beyond;
} parser_t;

static batch_node_t *parse_expression(parser_t *parser);
static batch_node_t *parse_sum(parser_t *parser);

/* ---- Tokens ---------------------------------------------------------------------------------- */

static int is_word(const parser_t *parser, batch_query_word_e word)
{
    return parser->next->kind == BATCH_TOKEN_NAME && parser->next->word == word;
}

static int take_word(parser_t *parser, batch_query_word_e word)
{
    int taken = is_word(parser, word);

    parser->next += taken;
    return taken;
}

static int take_symbol(parser_t *parser, const char *symbol)
{
    int taken = batch_token_is(parser->next, symbol);

    parser->next += taken;
    return taken;
}

/* Words of SQL that stand where this grammar has an end, an operator or a value. */
static int is_beyond(const batch_token_t *token)
{
    switch (token->word) {
    case BATCH_WORD_CASE:
    case BATCH_WORD_CROSS:
    case BATCH_WORD_EXCEPT:
    case BATCH_WORD_EXISTS:
    case BATCH_WORD_FILTER:
    case BATCH_WORD_FULL:
    case BATCH_WORD_GROUP:
    case BATCH_WORD_HAVING:
    case BATCH_WORD_INNER:
    case BATCH_WORD_INTERSECT:
    case BATCH_WORD_JOIN:
    case BATCH_WORD_LEFT:
    case BATCH_WORD_OVER:
    case BATCH_WORD_RIGHT:
    case BATCH_WORD_SELECT:
    case BATCH_WORD_UNION:
        return token->kind == BATCH_TOKEN_NAME;
    default:
        return 0;
    }
}

static void *expected(parser_t *parser, const char *what)
{
    parser->beyond |= is_beyond(parser->next);
    batch_query_fault(parser->text, parser->next->at, "found \"%s\", expected %s",
                      batch_query_found(parser->text, parser->next), what);
    return NULL;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static batch_node_t *make(parser_t *parser, batch_node_type_e type, int at)
{
    batch_node_t *node = apr_pcalloc(parser->text->p, sizeof(*node));

    node->type = type;
    node->at = at;
    node->slot = -1;
    return node;
}

/* Adds a child; NULL, of a parser that has failed, makes NULL. */
static batch_node_t *with(parser_t *parser, batch_node_t *node, batch_node_t *child)
{
    batch_node_t **grown;

    if (!node || !child) {
        return NULL;
    }
    if (!(node->count & (node->count - 1))) { /* full: room for twice as many */
        grown =
            apr_palloc(parser->text->p, (apr_size_t)(2 * node->count + 1) * sizeof(batch_node_t *));
        if (node->count) {
            memcpy(grown, node->children, (apr_size_t)node->count * sizeof(batch_node_t *));
        }
        node->children = grown;
    }
    node->children[node->count++] = child;
    if (child->depth + 1 > node->depth) {
        node->depth = child->depth + 1;
    }
    if (node->depth > BATCH_QUERY_DEPTH) {
        batch_query_fault(parser->text, node->at, "expressions are nested too deeply here");
        return NULL;
    }
    return node;
}

static batch_node_t *with_two(parser_t *parser, batch_node_t *node, batch_node_t *first,
                              batch_node_t *second)
{
    return with(parser, with(parser, node, first), second);
}

static batch_node_t *constant(parser_t *parser, batch_query_value_t value, batch_query_kind_e kind,
                              int at)
{
    batch_node_t *node = make(parser, BATCH_NODE_VALUE, at);

    node->value = value;
    node->kind = kind;
    return node;
}

/* ---- Types ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    batch_query_kind_e kind;
} types[] = {
    {"text", BATCH_QUERY_TEXT},
    {"varchar", BATCH_QUERY_TEXT},
    {"char", BATCH_QUERY_TEXT},
    {"character", BATCH_QUERY_TEXT},
    {"string", BATCH_QUERY_TEXT},
    {"integer", BATCH_QUERY_INTEGER},
    {"int", BATCH_QUERY_INTEGER},
    {"bigint", BATCH_QUERY_INTEGER},
    {"smallint", BATCH_QUERY_INTEGER},
    {"int4", BATCH_QUERY_INTEGER},
    {"int8", BATCH_QUERY_INTEGER},
    {"numeric", BATCH_QUERY_NUMBER},
    {"decimal", BATCH_QUERY_NUMBER},
    {"number", BATCH_QUERY_NUMBER},
    {"real", BATCH_QUERY_NUMBER},
    {"float", BATCH_QUERY_NUMBER},
    {"float8", BATCH_QUERY_NUMBER},
    {"double", BATCH_QUERY_NUMBER},
    {"boolean", BATCH_QUERY_BOOLEAN},
    {"bool", BATCH_QUERY_BOOLEAN},
    {"date", BATCH_QUERY_DATE},
    {"timestamp", BATCH_QUERY_TIMESTAMP},
    {"timestamptz", BATCH_QUERY_TIMESTAMP},
};

static int is_text(const parser_t *parser, const char *name)
{
    return parser->next->kind == BATCH_TOKEN_NAME && !strcmp(parser->next->text, name);
}

static int parse_type(parser_t *parser, batch_query_kind_e *kind)
{
    size_t i, found = sizeof(types) / sizeof(*types);

    for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
        found = is_text(parser, types[i].name) ? i : found;
    }
    if (found == sizeof(types) / sizeof(*types)) {
        expected(parser, "a type: text, integer, numeric, boolean, date or timestamp");
        return 0;
    }
    parser->next++;
    *kind = types[found].kind;
    if (!strcmp(types[found].name, "double") && is_text(parser, "precision")) {
        parser->next++;
    } else if (!strcmp(types[found].name, "character") && is_text(parser, "varying")) {
        parser->next++;
    } else if (*kind == BATCH_QUERY_TIMESTAMP && is_word(parser, BATCH_WORD_WITH) &&
               parser->next[1].kind == BATCH_TOKEN_NAME && !strcmp(parser->next[1].text, "time") &&
               parser->next[2].kind == BATCH_TOKEN_NAME && !strcmp(parser->next[2].text, "zone")) {
        parser->next += 3;
    }
    return 1;
}

static batch_node_t *convert(parser_t *parser, batch_node_t *child, batch_query_kind_e kind, int at)
{
    batch_node_t *node = make(parser, BATCH_NODE_CONVERT, at);

    node->kind = kind;
    return with(parser, node, child);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static batch_node_t *parse_number(parser_t *parser)
{
    const batch_token_t *token = parser->next++;

    if (token->kind == BATCH_TOKEN_INTEGER) {
        return constant(parser, batch_query_integer_value(apr_strtoi64(token->text, NULL, 10)),
                        BATCH_QUERY_INTEGER, token->at);
    }
    return constant(parser, batch_query_number_value(strtod(token->text, NULL)), BATCH_QUERY_NUMBER,
                    token->at);
}

/* DATE '…', TIMESTAMP '…', INTERVAL '…': the word is taken, the string is next. */
static batch_node_t *parse_typed_string(parser_t *parser, batch_query_word_e word)
{
    const batch_token_t *token = parser->next++;
    batch_query_value_t value = {.kind = word == BATCH_WORD_DATE ? BATCH_QUERY_DATE
                                                                 : BATCH_QUERY_TIMESTAMP};
    int good;

    if (word == BATCH_WORD_INTERVAL) {
        good = batch_query_interval_parse(&value, token->text);
    } else {
        batch_query_value_t text = batch_query_text_value(token->text, strlen(token->text));
        batch_query_room_t room = {.p = parser->text->p, .most = 1024};

        value = batch_query_convert(&text, value.kind, &room);
        good = value.kind != BATCH_QUERY_NULL;
    }
    if (!good) {
        batch_query_fault(parser->text, token->at, "found %s, expected %s",
                          batch_query_found(parser->text, token),
                          word == BATCH_WORD_INTERVAL
                              ? "an interval as '7 days' or '2 months 12 hours'"
                              : "a time as '2023-10-06' or '2023-10-06T02:56:34Z'");
        return NULL;
    }
    return constant(parser, value, value.kind, token->at);
}

static batch_node_t *parse_cast(parser_t *parser, int at)
{
    batch_query_kind_e kind;
    batch_node_t *child;

    if (!take_symbol(parser, "(")) {
        return expected(parser, "( behind CAST");
    }
    child = parse_expression(parser);
    if (!child) {
        return NULL;
    }
    if (!take_word(parser, BATCH_WORD_AS)) {
        return expected(parser, "AS and a type");
    }
    if (!parse_type(parser, &kind)) {
        return NULL;
    }
    return take_symbol(parser, ")") ? convert(parser, child, kind, at) : expected(parser, ")");
}

#define FUNCTION_NAME(symbol, name, least, most) {name, least, most},
static const struct {
    const char *name;
    int least;
    int most;
} functions[] = {BATCH_FUNCTION_LIST(FUNCTION_NAME)};

int batch_function_find(const char *name)
{
    int i;

    for (i = 0; i < BATCH_FUNCTION_COUNT; i++) {
        if (!strcmp(name, functions[i].name)) {
            return i;
        }
    }
    return -1;
}

void batch_function_offer(batch_query_near_t *near)
{
    int i;

    for (i = 0; i < BATCH_FUNCTION_COUNT; i++) {
        batch_query_near_offer(near, functions[i].name, strlen(functions[i].name));
    }
}

static void *unknown_function(parser_t *parser, const batch_token_t *token)
{
    static const char *const aggregates[] = {
        "count",      "sum", "avg",  "min",   "max",        "total",       "rank",
        "row_number", "lag", "lead", "ntile", "dense_rank", "first_value", "last_value"};
    batch_query_near_t near;
    size_t i;

    for (i = 0; i < sizeof(aggregates) / sizeof(*aggregates); i++) {
        parser->beyond |= !strcmp(token->text, aggregates[i]);
    }
    batch_query_near_init(&near, token->text, parser->text->p);
    batch_function_offer(&near);
    batch_query_fault(parser->text, token->at, "there is no function \"%s\"%s",
                      batch_query_found(parser->text, token), batch_query_near_words(&near));
    return NULL;
}

/* The name is taken, the parenthesis is next. */
static batch_node_t *parse_call(parser_t *parser, const batch_token_t *token)
{
    batch_node_t *node = make(parser, BATCH_NODE_CALL, token->at);

    node->op = token->kind == BATCH_TOKEN_NAME ? batch_function_find(token->text) : -1;
    if (node->op < 0) {
        return unknown_function(parser, token);
    }
    parser->next++;
    while (!take_symbol(parser, ")")) {
        if (node->count && !take_symbol(parser, ",")) {
            return expected(parser, ", or )");
        }
        node = with(parser, node, parse_expression(parser));
        if (!node) {
            return NULL;
        }
    }
    if (node->count < functions[node->op].least || node->count > functions[node->op].most) {
        batch_query_fault(parser->text, token->at,
                          functions[node->op].least == functions[node->op].most
                              ? "%s takes %d argument(s), found %d"
                              : "%s takes at least %d argument(s), found %d, or too many",
                          functions[node->op].name, functions[node->op].least, node->count);
        return NULL;
    }
    return node;
}

static batch_node_t *parse_name(parser_t *parser)
{
    const batch_token_t *token = parser->next++;
    batch_node_t *node;

    if (batch_token_is(parser->next, "(")) {
        return parse_call(parser, token);
    }
    if (parser->next->kind == BATCH_TOKEN_STRING && token->kind == BATCH_TOKEN_NAME &&
        (token->word == BATCH_WORD_DATE || token->word == BATCH_WORD_TIMESTAMP ||
         token->word == BATCH_WORD_INTERVAL)) {
        return parse_typed_string(parser, token->word);
    }
    node = make(parser, BATCH_NODE_NAME, token->at);
    node->name = token->text;
    if (take_symbol(parser, ".")) {
        if (!batch_token_is_name(parser->next)) {
            return expected(parser, "a column");
        }
        node->qualifier = node->name;
        node->name = parser->next++->text;
    }
    return node;
}

static batch_node_t *parse_word_value(parser_t *parser)
{
    const batch_token_t *token = parser->next;
    batch_query_value_t null = {.kind = BATCH_QUERY_NULL};

    switch (token->word) {
    case BATCH_WORD_NULL:
        parser->next++;
        return constant(parser, null, BATCH_QUERY_NULL, token->at);
    case BATCH_WORD_TRUE:
    case BATCH_WORD_FALSE:
        parser->next++;
        return constant(parser, batch_query_boolean_value(token->word == BATCH_WORD_TRUE),
                        BATCH_QUERY_BOOLEAN, token->at);
    case BATCH_WORD_CURRENT_DATE:
    case BATCH_WORD_CURRENT_TIMESTAMP: {
        batch_node_t *now = make(parser, BATCH_NODE_CALL, token->at);
        parser->next++;
        now->op = BATCH_FUNCTION_NOW;
        return token->word == BATCH_WORD_CURRENT_DATE
                   ? convert(parser, now, BATCH_QUERY_DATE, token->at)
                   : now;
    }
    case BATCH_WORD_CAST:
        parser->next++;
        return parse_cast(parser, token->at);
    default:
        return expected(parser, "a value, a column or a function");
    }
}

static batch_node_t *parse_primary(parser_t *parser)
{
    const batch_token_t *token = parser->next;
    batch_node_t *node;

    switch (token->kind) {
    case BATCH_TOKEN_INTEGER:
    case BATCH_TOKEN_NUMBER:
        return parse_number(parser);
    case BATCH_TOKEN_STRING:
        parser->next++;
        return constant(parser, batch_query_text_value(token->text, strlen(token->text)),
                        BATCH_QUERY_LITERAL, token->at);
    case BATCH_TOKEN_NAME:
    case BATCH_TOKEN_QUOTED:
        parser->beyond |= is_beyond(token) && batch_token_is(token + 1, "(");
        return batch_token_is_name(token) ? parse_name(parser) : parse_word_value(parser);
    default:
        break;
    }
    if (!take_symbol(parser, "(")) {
        return expected(parser, "a value, a column or a function");
    }
    node = parse_expression(parser);
    return !node || take_symbol(parser, ")") ? node : expected(parser, ") or an operator");
}

/* Every way into deeper nesting leads through here. */
static batch_node_t *parse_unary(parser_t *parser)
{
    const batch_token_t *token = parser->next;
    batch_query_kind_e kind;
    batch_node_t *node;

    if (++parser->nesting > BATCH_QUERY_DEPTH) {
        batch_query_fault(parser->text, token->at, "expressions are nested too deeply here");
        return NULL;
    }
    if (take_symbol(parser, "-")) {
        node = with(parser, make(parser, BATCH_NODE_NEGATE, token->at), parse_unary(parser));
    } else if (take_symbol(parser, "+")) {
        node = parse_unary(parser);
    } else {
        node = parse_primary(parser);
        while (node && batch_token_is(parser->next, "::")) {
            parser->next++;
            node = parse_type(parser, &kind) ? convert(parser, node, kind, token->at) : NULL;
        }
    }
    parser->nesting--;
    return node;
}

/* ---- Operators ------------------------------------------------------------------------------- */

static batch_node_t *parse_product(parser_t *parser)
{
    batch_node_t *node = parse_unary(parser);

    while (node && (batch_token_is(parser->next, "*") || batch_token_is(parser->next, "/") ||
                    batch_token_is(parser->next, "%"))) {
        batch_node_t *product = make(parser, BATCH_NODE_ARITHMETIC, parser->next->at);

        product->op = *parser->next++->text;
        node = with_two(parser, product, node, parse_unary(parser));
    }
    return node;
}

static batch_node_t *parse_term(parser_t *parser)
{
    batch_node_t *node = parse_product(parser);

    while (node && (batch_token_is(parser->next, "+") || batch_token_is(parser->next, "-"))) {
        batch_node_t *sum = make(parser, BATCH_NODE_ARITHMETIC, parser->next->at);

        sum->op = *parser->next++->text;
        node = with_two(parser, sum, node, parse_product(parser));
    }
    return node;
}

/* What can stand on either side of a comparison. */
static batch_node_t *parse_sum(parser_t *parser)
{
    batch_node_t *node = parse_term(parser);

    if (node && batch_token_is(parser->next, "||")) {
        node = with(parser, make(parser, BATCH_NODE_CONCAT, parser->next->at), node);
        while (node && take_symbol(parser, "||")) {
            node = with(parser, node, parse_term(parser));
        }
    }
    return node;
}

static batch_node_t *parse_in(parser_t *parser, batch_node_t *left, int at)
{
    batch_node_t *node = with(parser, make(parser, BATCH_NODE_IN, at), left);

    if (!take_symbol(parser, "(")) {
        return expected(parser, "( behind IN");
    }
    do {
        if (is_word(parser, BATCH_WORD_SELECT)) {
            return expected(parser, "a value");
        }
        node = with(parser, node, parse_expression(parser));
    } while (node && take_symbol(parser, ","));
    return !node || take_symbol(parser, ")") ? node : expected(parser, ", or )");
}

static batch_node_t *parse_between(parser_t *parser, batch_node_t *left, int at)
{
    batch_node_t *node = with(parser, make(parser, BATCH_NODE_BETWEEN, at), left);

    node = with(parser, node, parse_sum(parser));
    if (node && !take_word(parser, BATCH_WORD_AND)) {
        return expected(parser, "AND and the upper end of BETWEEN");
    }
    return node ? with(parser, node, parse_sum(parser)) : NULL;
}

static batch_node_t *parse_like(parser_t *parser, batch_node_t *left, int fold, int at)
{
    batch_node_t *node = make(parser, BATCH_NODE_LIKE, at);

    node->fold = fold;
    node = with_two(parser, node, left, parse_sum(parser));
    if (node && take_word(parser, BATCH_WORD_ESCAPE)) {
        node = with(parser, node, parse_sum(parser));
    }
    return node;
}

/* Behind IS and perhaps NOT. */
static batch_node_t *parse_is(parser_t *parser, batch_node_t *left, int at)
{
    batch_node_t *node = make(parser, BATCH_NODE_IS_NULL, at);

    if (take_word(parser, BATCH_WORD_NULL)) {
        return with(parser, node, left);
    }
    if (take_word(parser, BATCH_WORD_UNKNOWN)) {
        node->op = 'u'; /* the same, but of truths only */
        return with(parser, node, left);
    }
    if (is_word(parser, BATCH_WORD_TRUE) || is_word(parser, BATCH_WORD_FALSE)) {
        node->type = BATCH_NODE_IS_TRUTH;
        node->op = parser->next++->word == BATCH_WORD_TRUE ? 't' : 'f';
        return with(parser, node, left);
    }
    if (take_word(parser, BATCH_WORD_DISTINCT)) {
        node->type = BATCH_NODE_DISTINCT;
        if (!take_word(parser, BATCH_WORD_FROM)) {
            return expected(parser, "FROM behind IS DISTINCT");
        }
        return with_two(parser, node, left, parse_sum(parser));
    }
    return expected(parser, "NULL, NOT NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM");
}

/* IN, BETWEEN, LIKE, ILIKE; *is_one: there was one. */
static batch_node_t *parse_word_operator(parser_t *parser, batch_node_t *left, int *is_one, int at)
{
    *is_one = 1;
    if (take_word(parser, BATCH_WORD_IN)) {
        return parse_in(parser, left, at);
    }
    if (take_word(parser, BATCH_WORD_BETWEEN)) {
        return parse_between(parser, left, at);
    }
    if (take_word(parser, BATCH_WORD_LIKE)) {
        return parse_like(parser, left, 0, at);
    }
    if (take_word(parser, BATCH_WORD_ILIKE)) {
        return parse_like(parser, left, 1, at);
    }
    *is_one = 0;
    return left;
}

static int take_comparison(parser_t *parser, int *op)
{
    static const char *const symbols[] = {"=", "<>", "<", "<=", ">", ">="};
    int i;

    for (i = 0; i < 6; i++) {
        if (take_symbol(parser, symbols[i])) {
            *op = i;
            return 1;
        }
    }
    *op = BATCH_COMPARE_UNEQUAL;
    return take_symbol(parser, "!=");
}

static batch_node_t *parse_comparison(parser_t *parser)
{
    batch_node_t *node = parse_sum(parser);
    int is_one = 1, op;

    while (node && is_one) {
        int at = parser->next->at;

        if (take_comparison(parser, &op)) {
            batch_node_t *comparison = make(parser, BATCH_NODE_COMPARE, at);

            comparison->op = op;
            node = with_two(parser, comparison, node, parse_sum(parser));
        } else if (take_word(parser, BATCH_WORD_IS)) {
            int negated = take_word(parser, BATCH_WORD_NOT);

            node = parse_is(parser, node, at);
            if (node) {
                node->negated = negated;
            }
        } else {
            int negated = take_word(parser, BATCH_WORD_NOT);

            node = parse_word_operator(parser, node, &is_one, at);
            if (negated && !is_one) {
                return expected(parser, "IN, BETWEEN, LIKE or ILIKE behind NOT");
            }
            if (node && is_one) {
                node->negated = negated;
            }
        }
    }
    return node;
}

static batch_node_t *parse_not(parser_t *parser)
{
    int at = parser->next->at;
    batch_node_t *node;

    if (!take_word(parser, BATCH_WORD_NOT)) {
        return parse_comparison(parser);
    }
    if (++parser->nesting > BATCH_QUERY_DEPTH) {
        batch_query_fault(parser->text, at, "expressions are nested too deeply here");
        return NULL;
    }
    node = with(parser, make(parser, BATCH_NODE_NOT, at), parse_not(parser));
    parser->nesting--;
    return node;
}

/* Operands joined by AND or OR, in one node however many they are. */
static batch_node_t *parse_chain(parser_t *parser, batch_query_word_e word, batch_node_type_e type,
                                 batch_node_t *(*operand)(parser_t *parser))
{
    batch_node_t *node = operand(parser);

    if (node && is_word(parser, word)) {
        node = with(parser, make(parser, type, parser->next->at), node);
        while (node && take_word(parser, word)) {
            node = with(parser, node, operand(parser));
        }
    }
    return node;
}

static batch_node_t *parse_and(parser_t *parser)
{
    return parse_chain(parser, BATCH_WORD_AND, BATCH_NODE_AND, parse_not);
}

static batch_node_t *parse_expression(parser_t *parser)
{
    return parse_chain(parser, BATCH_WORD_OR, BATCH_NODE_OR, parse_and);
}

/* ---- SELECT ---------------------------------------------------------------------------------- */

static int parse_item(parser_t *parser, batch_select_t *select)
{
    batch_select_item_t *item = apr_array_push(select->items);

    memset(item, 0, sizeof(*item));
    item->at = parser->next->at;
    if (take_symbol(parser, "*")) {
        return 1;
    }
    if (batch_token_is_name(parser->next) && batch_token_is(parser->next + 1, ".") &&
        batch_token_is(parser->next + 2, "*")) {
        parser->next += 3;
        return 1;
    }
    item->node = parse_expression(parser);
    if (!item->node) {
        return 0;
    }
    if (take_word(parser, BATCH_WORD_AS)) {
        /* Behind AS any word is a name. */
        if (parser->next->kind != BATCH_TOKEN_NAME && parser->next->kind != BATCH_TOKEN_QUOTED) {
            expected(parser, "a name behind AS");
            return 0;
        }
        item->alias = parser->next++->text;
    } else if (batch_token_is_name(parser->next) && !is_word(parser, BATCH_WORD_FILTER) &&
               !is_word(parser, BATCH_WORD_OVER)) {
        item->alias = parser->next++->text;
    }
    return 1;
}

static int parse_from(parser_t *parser, batch_select_t *select)
{
    if (!take_word(parser, BATCH_WORD_FROM)) {
        expected(parser, ", or FROM and a form");
        return 0;
    }
    if (!batch_token_is_name(parser->next)) {
        parser->beyond |= batch_token_is(parser->next, "(");
        expected(parser, "the name of a form, in double quotes, or its id");
        return 0;
    }
    select->form_at = parser->next->at;
    select->form = parser->next++->text;
    if (take_word(parser, BATCH_WORD_AS)) {
        if (!batch_token_is_name(parser->next)) {
            expected(parser, "a name behind AS");
            return 0;
        }
        select->alias = parser->next++->text;
    } else if (batch_token_is_name(parser->next)) {
        select->alias = parser->next++->text;
    }
    parser->beyond |= batch_token_is(parser->next, ",");
    return 1;
}

static int parse_head(parser_t *parser, batch_select_t *select)
{
    select->distinct = take_word(parser, BATCH_WORD_DISTINCT);
    if (!select->distinct) {
        (void)take_word(parser, BATCH_WORD_ALL);
    }
    do {
        if (!parse_item(parser, select)) {
            return 0;
        }
    } while (take_symbol(parser, ","));
    if (!parse_from(parser, select)) {
        return 0;
    }
    if (take_word(parser, BATCH_WORD_WHERE)) {
        select->where = parse_expression(parser);
        return select->where != NULL;
    }
    return 1;
}

static int parse_order(parser_t *parser, batch_select_t *select)
{
    if (!take_word(parser, BATCH_WORD_BY)) {
        expected(parser, "BY behind ORDER");
        return 0;
    }
    do {
        batch_select_order_t *order = apr_array_push(select->order);

        order->node = parse_expression(parser);
        if (!order->node) {
            return 0;
        }
        order->descending = take_word(parser, BATCH_WORD_DESC);
        if (!order->descending) {
            (void)take_word(parser, BATCH_WORD_ASC);
        }
        order->nulls_first = order->descending;
        if (take_word(parser, BATCH_WORD_NULLS)) {
            order->nulls_first = take_word(parser, BATCH_WORD_FIRST);
            if (!order->nulls_first && !take_word(parser, BATCH_WORD_LAST)) {
                expected(parser, "FIRST or LAST");
                return 0;
            }
        }
    } while (take_symbol(parser, ","));
    return 1;
}

static int parse_count(parser_t *parser, apr_int64_t *count)
{
    if (parser->next->kind != BATCH_TOKEN_INTEGER) {
        expected(parser, "a whole number");
        return 0;
    }
    *count = apr_strtoi64(parser->next++->text, NULL, 10);
    return 1;
}

static int parse_tail(parser_t *parser, batch_select_t *select)
{
    int limited = 0, offset = 0;

    if (take_word(parser, BATCH_WORD_ORDER) && !parse_order(parser, select)) {
        return 0;
    }
    for (;;) {
        if (!limited && take_word(parser, BATCH_WORD_LIMIT)) {
            limited = 1;
            if (!take_word(parser, BATCH_WORD_ALL) && !parse_count(parser, &select->limit)) {
                return 0;
            }
        } else if (!offset && take_word(parser, BATCH_WORD_OFFSET)) {
            offset = 1;
            if (!parse_count(parser, &select->offset)) {
                return 0;
            }
            if (!take_word(parser, BATCH_WORD_ROWS)) {
                (void)take_word(parser, BATCH_WORD_ROW);
            }
        } else {
            break;
        }
    }
    if (parser->next->kind != BATCH_TOKEN_END) {
        expected(parser, select->where ? "an operator, ORDER BY, LIMIT, OFFSET or the end"
                                       : "WHERE, ORDER BY, LIMIT, OFFSET or the end");
        return 0;
    }
    return 1;
}

batch_select_t *batch_query_parse(batch_query_text_t *text, int *beyond)
{
    batch_select_t *select = apr_pcalloc(text->p, sizeof(*select));
    parser_t parser = {.text = text, .next = text->tokens};
    int good = 0;

    select->items = apr_array_make(text->p, 4, sizeof(batch_select_item_t));
    select->order = apr_array_make(text->p, 2, sizeof(batch_select_order_t));
    select->limit = -1;
    if (!text->fault && take_word(&parser, BATCH_WORD_SELECT)) {
        good = parse_head(&parser, select) && parse_tail(&parser, select);
    } else if (!text->fault) {
        select->where = parse_expression(&parser);
        good = select->where && parse_tail(&parser, select);
    }
    *beyond = parser.beyond;
    return good && !text->fault ? select : NULL;
}

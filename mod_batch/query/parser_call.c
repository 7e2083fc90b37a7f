/* Functions, aggregates with their windows, and CASE. */
#include "query/parser.h"

#include <string.h>

#include <apr_strings.h>

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

const char *batch_function_name(int function)
{
    return functions[function].name;
}

void batch_function_offer(batch_near_t *near)
{
    int i;

    for (i = 0; i < BATCH_FUNCTION_COUNT; i++) {
        batch_near_offer(near, functions[i].name, strlen(functions[i].name));
    }
}

#define AGGREGATE_NAME(symbol, name, least, most, what) {name, least, most, what},
static const struct {
    const char *name;
    int least;
    int most;
    char what; /* 'w': needs a window */
} aggregates[] = {BATCH_AGGREGATE_LIST(AGGREGATE_NAME)};

#define AGGREGATES (sizeof(aggregates) / sizeof(*aggregates))

const char *batch_aggregate_name(int aggregate)
{
    return aggregates[aggregate].name;
}

static int find_aggregate(const batch_token_t *token)
{
    size_t i;

    for (i = 0; token->kind == BATCH_TOKEN_NAME && i < AGGREGATES; i++) {
        if (!strcmp(token->text, aggregates[i].name)) {
            return (int)i;
        }
    }
    return -1;
}

static void *unknown_function(batch_parser_t *parser, const batch_token_t *token)
{
    batch_near_t near;

    size_t i;

    batch_near_init(&near, token->text, parser->text->p);
    batch_function_offer(&near);
    for (i = 0; i < AGGREGATES; i++) {
        batch_near_offer(&near, aggregates[i].name, strlen(aggregates[i].name));
    }
    batch_query_fault(parser->text, token->at, "there is no function \"%s\"%s",
                      batch_query_found(parser->text, token), batch_near_words(&near));
    return NULL;
}

static batch_node_t *wrong_count(batch_parser_t *parser, const batch_token_t *token,
                                 const char *name, int least, int most, int found)
{
    if (least == most) {
        batch_query_fault(parser->text, token->at, "%s takes %d argument(s), found %d", name, least,
                          found);
    } else {
        batch_query_fault(parser->text, token->at, "%s takes %d to %d arguments, found %d", name,
                          least, most, found);
    }
    return NULL;
}

/* Arguments up to the parenthesis that closes, which is taken. */
static batch_node_t *parse_arguments(batch_parser_t *parser, batch_node_t *node)
{
    while (node && !batch_parser_take_symbol(parser, ")")) {
        if (node->count && !batch_parser_take_symbol(parser, ",")) {
            return batch_parser_expected(parser, ", or )");
        }
        node = batch_parser_with(parser, node, batch_parse_expression(parser));
    }
    return node;
}

/* ---- Windows ----------------------------------------------------------------------------------
 */

static int parse_bound(batch_parser_t *parser, batch_bound_t *bound)
{
    if (batch_parser_take(parser, BATCH_WORD_CURRENT)) {
        bound->type = BATCH_BOUND_CURRENT;
        if (!batch_parser_take(parser, BATCH_WORD_ROW)) {
            batch_parser_expected(parser, "ROW behind CURRENT");
            return 0;
        }
        return 1;
    }
    bound->count = -1;
    if (!batch_parser_take(parser, BATCH_WORD_UNBOUNDED)) {
        if (parser->next->kind != BATCH_TOKEN_INTEGER) {
            batch_parser_expected(parser, "UNBOUNDED, CURRENT ROW or a whole number");
            return 0;
        }
        bound->count = apr_strtoi64(parser->next++->text, NULL, 10);
    }
    if (batch_parser_take(parser, BATCH_WORD_PRECEDING)) {
        bound->type = BATCH_BOUND_PRECEDING;
        return 1;
    }
    bound->type = BATCH_BOUND_FOLLOWING;
    if (!batch_parser_take(parser, BATCH_WORD_FOLLOWING)) {
        batch_parser_expected(parser, "PRECEDING or FOLLOWING");
        return 0;
    }
    return 1;
}

/* ROWS or RANGE, which is taken. */
static int parse_frame(batch_parser_t *parser, batch_window_t *window)
{
    const batch_token_t *start = parser->next - 1;
    const batch_bound_t *first = &window->first, *last = &window->last;

    window->frame = start->word == BATCH_WORD_ROWS ? 'r' : 'g';
    window->last.type = BATCH_BOUND_CURRENT;
    if (!batch_parser_take(parser, BATCH_WORD_BETWEEN)) {
        if (!parse_bound(parser, &window->first)) {
            return 0;
        }
    } else {
        if (!parse_bound(parser, &window->first)) {
            return 0;
        }
        if (!batch_parser_take(parser, BATCH_WORD_AND)) {
            batch_parser_expected(parser, "AND and the end of the frame");
            return 0;
        }
        if (!parse_bound(parser, &window->last)) {
            return 0;
        }
    }
    if (window->frame == 'g' && (first->count > 0 || last->count > 0 ||
                                 (first->type != BATCH_BOUND_CURRENT && !first->count) ||
                                 (last->type != BATCH_BOUND_CURRENT && !last->count))) {
        return batch_query_fault(parser->text, start->at,
                                 "RANGE takes UNBOUNDED or CURRENT ROW only: ROWS counts rows");
    }
    if ((first->type == BATCH_BOUND_FOLLOWING && first->count < 0) ||
        (last->type == BATCH_BOUND_PRECEDING && last->count < 0) || first->type > last->type) {
        return batch_query_fault(parser->text, start->at,
                                 "the frame begins behind its end: say where it begins first");
    }
    return 1;
}

/* Behind OVER and its parenthesis, which is taken, too, at the end. */
static batch_window_t *parse_window(batch_parser_t *parser)
{
    batch_window_t *window = apr_pcalloc(parser->text->p, sizeof(*window));

    window->at = parser->next->at;
    window->partition = apr_array_make(parser->text->p, 2, sizeof(batch_node_t *));
    window->order = apr_array_make(parser->text->p, 2, sizeof(batch_select_order_t));
    if (++parser->statement->windows > BATCH_QUERY_WINDOWS) {
        batch_query_fault(parser->text, window->at, "a query can have %d windows only",
                          BATCH_QUERY_WINDOWS);
        return NULL;
    }
    if (batch_parser_take(parser, BATCH_WORD_PARTITION)) {
        if (!batch_parser_take(parser, BATCH_WORD_BY)) {
            return batch_parser_expected(parser, "BY behind PARTITION");
        }
        do {
            batch_node_t *node = batch_parse_expression(parser);

            if (!node) {
                return NULL;
            }
            APR_ARRAY_PUSH(window->partition, batch_node_t *) = node;
        } while (batch_parser_take_symbol(parser, ","));
    }
    if (batch_parser_take(parser, BATCH_WORD_ORDER) && !batch_parse_order(parser, window->order)) {
        return NULL;
    }
    if ((batch_parser_take(parser, BATCH_WORD_ROWS) ||
         batch_parser_take(parser, BATCH_WORD_RANGE)) &&
        !parse_frame(parser, window)) {
        return NULL;
    }
    return batch_parser_take_symbol(parser, ")")
               ? window
               : batch_parser_expected(parser, "PARTITION BY, ORDER BY, ROWS, RANGE or )");
}

/* ---- Aggregates -------------------------------------------------------------------------------
 */

/* FILTER (WHERE …), whose first word is taken. */
static batch_node_t *parse_filter(batch_parser_t *parser)
{
    batch_node_t *filter;

    if (!batch_parser_take_symbol(parser, "(") || !batch_parser_take(parser, BATCH_WORD_WHERE)) {
        return batch_parser_expected(parser, "(WHERE …) behind FILTER");
    }
    filter = batch_parse_expression(parser);
    return !filter || batch_parser_take_symbol(parser, ")")
               ? filter
               : batch_parser_expected(parser, ") or an operator");
}

static batch_node_t *parse_aggregate_arguments(batch_parser_t *parser, batch_node_t *node)
{
    if (node->op == BATCH_AGGREGATE_COUNT && batch_parser_take_symbol(parser, "*")) {
        return batch_parser_take_symbol(parser, ")") ? node : batch_parser_expected(parser, ")");
    }
    node->distinct = batch_parser_take(parser, BATCH_WORD_DISTINCT);
    if (!node->distinct) {
        (void)batch_parser_take(parser, BATCH_WORD_ALL);
    }
    node = parse_arguments(parser, node);
    if (node && node->op == BATCH_AGGREGATE_COUNT && !node->count) {
        batch_query_fault(parser->text, node->at, "count takes an argument, or *: count(*)");
        return NULL;
    }
    return node;
}

static int parse_over(batch_parser_t *parser, batch_node_t *node)
{
    if (!batch_parser_take_symbol(parser, "(")) {
        batch_parser_expected(parser, "( behind OVER: windows have no names here");
        return 0;
    }
    node->window = parse_window(parser);
    return node->window != NULL;
}

static batch_node_t *parse_aggregate(batch_parser_t *parser, const batch_token_t *token,
                                     int aggregate)
{
    batch_node_t *node = batch_parser_make(parser, BATCH_NODE_AGGREGATE, token->at);
    const char *name = aggregates[aggregate].name;

    parser->next++;
    node->op = aggregate;
    node = parse_aggregate_arguments(parser, node);
    if (!node) {
        return NULL;
    }
    if (node->count < aggregates[aggregate].least || node->count > aggregates[aggregate].most) {
        return wrong_count(parser, token, name, aggregates[aggregate].least,
                           aggregates[aggregate].most, node->count);
    }
    if (batch_parser_take(parser, BATCH_WORD_FILTER)) {
        node->filter = parse_filter(parser);
        if (!node->filter) {
            return NULL;
        }
    }
    if (batch_parser_take(parser, BATCH_WORD_OVER)) {
        if (!parse_over(parser, node)) {
            return NULL;
        }
    } else if (aggregates[aggregate].what == 'w') {
        return batch_parser_expected(
            parser, apr_pstrcat(parser->text->p, "OVER (…): ", name, " needs a window", NULL));
    }
    if (node->window && node->distinct) {
        batch_query_fault(parser->text, node->at, "DISTINCT cannot be used with OVER");
        return NULL;
    }
    if (node->filter && aggregates[aggregate].what == 'w') {
        batch_query_fault(parser->text, node->filter->at, "%s takes no FILTER", name);
        return NULL;
    }
    return node;
}

/* ---- Calls ------------------------------------------------------------------------------------
 */

batch_node_t *batch_parse_call(batch_parser_t *parser, const batch_token_t *token)
{
    int aggregate = find_aggregate(token);
    batch_node_t *node;

    if (aggregate >= 0) {
        return parse_aggregate(parser, token, aggregate);
    }
    if (batch_parse_special(&node, parser, token)) {
        return node;
    }
    node = batch_parser_make(parser, BATCH_NODE_CALL, token->at);
    node->op = token->kind == BATCH_TOKEN_NAME ? batch_function_find(token->text) : -1;
    if (node->op < 0) {
        return unknown_function(parser, token);
    }
    parser->next++;
    node = parse_arguments(parser, node);
    if (node &&
        (node->count < functions[node->op].least || node->count > functions[node->op].most)) {
        return wrong_count(parser, token, functions[node->op].name, functions[node->op].least,
                           functions[node->op].most, node->count);
    }
    return node;
}

/* ---- CASE -------------------------------------------------------------------------------------
 */

batch_node_t *batch_parse_case(batch_parser_t *parser, int at)
{
    batch_node_t *node = batch_parser_make(parser, BATCH_NODE_CASE, at);

    if (!batch_parser_is(parser, BATCH_WORD_WHEN)) {
        node->op = BATCH_CASE_OF;
        node = batch_parser_with(parser, node, batch_parse_expression(parser));
        if (!node) {
            return NULL;
        }
    }
    if (!batch_parser_is(parser, BATCH_WORD_WHEN)) {
        return batch_parser_expected(parser, "WHEN");
    }
    while (batch_parser_take(parser, BATCH_WORD_WHEN)) {
        node = batch_parser_with(parser, node, batch_parse_expression(parser));
        if (!node) {
            return NULL;
        }
        if (!batch_parser_take(parser, BATCH_WORD_THEN)) {
            return batch_parser_expected(parser, "THEN or an operator");
        }
        node = batch_parser_with(parser, node, batch_parse_expression(parser));
        if (!node) {
            return NULL;
        }
    }
    if (batch_parser_take(parser, BATCH_WORD_ELSE)) {
        node = batch_parser_with(parser, node, batch_parse_expression(parser));
        if (!node) {
            return NULL;
        }
    }
    return batch_parser_take(parser, BATCH_WORD_END)
               ? node
               : batch_parser_expected(parser, "WHEN, ELSE, END or an operator");
}

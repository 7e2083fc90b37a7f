/* What stands between operators: constants, names, functions, casts, parentheses. */
#include "query/parser.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* ---- Tokens ---------------------------------------------------------------------------------- */

int batch_parser_is(const batch_parser_t *parser, batch_query_word_e word)
{
    return parser->next->kind == BATCH_TOKEN_NAME && parser->next->word == word;
}

int batch_parser_take(batch_parser_t *parser, batch_query_word_e word)
{
    int taken = batch_parser_is(parser, word);

    parser->next += taken;
    return taken;
}

int batch_parser_take_symbol(batch_parser_t *parser, const char *symbol)
{
    int taken = batch_token_is(parser->next, symbol);

    parser->next += taken;
    return taken;
}

void *batch_parser_expected(batch_parser_t *parser, const char *what)
{
    batch_query_fault(parser->text, parser->next->at, "found \"%s\", expected %s",
                      batch_query_found(parser->text, parser->next), what);
    return NULL;
}

int batch_parser_enter(batch_parser_t *parser)
{
    return ++parser->nesting <= BATCH_QUERY_DEPTH ||
           batch_query_fault(parser->text, parser->next->at,
                             "expressions are nested too deeply here");
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

batch_node_t *batch_parser_make(batch_parser_t *parser, batch_node_type_e type, int at)
{
    batch_node_t *node = apr_pcalloc(parser->text->p, sizeof(*node));

    parser->size++;
    node->type = type;
    node->at = at;
    node->slot = -1;
    return node;
}

/* Adds a child; NULL, of a parser that has failed, makes NULL. */
batch_node_t *batch_parser_with(batch_parser_t *parser, batch_node_t *node, batch_node_t *child)
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

batch_node_t *batch_parser_with_two(batch_parser_t *parser, batch_node_t *node, batch_node_t *first,
                                    batch_node_t *second)
{
    return batch_parser_with(parser, batch_parser_with(parser, node, first), second);
}

batch_node_t *batch_parser_constant(batch_parser_t *parser, batch_query_value_t value,
                                    batch_query_kind_e kind, int at)
{
    batch_node_t *node = batch_parser_make(parser, BATCH_NODE_VALUE, at);

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
    {"timestamp", BATCH_QUERY_TIMESTAMP}, /* without a zone */
    {"timestamptz", BATCH_QUERY_TIMESTAMP},
};

/* WITH TIME ZONE and WITHOUT TIME ZONE behind timestamp. */
static void parse_zone(batch_parser_t *parser, int zoned)
{
    int with = batch_parser_is(parser, BATCH_WORD_WITH);

    if ((with || batch_token_is_word(parser->next, "without")) &&
        parser->next[1].kind == BATCH_TOKEN_NAME && !strcmp(parser->next[1].text, "time") &&
        parser->next[2].kind == BATCH_TOKEN_NAME && !strcmp(parser->next[2].text, "zone")) {
        parser->next += 3;
        zoned = with;
    }
    parser->zone = zoned ? BATCH_ZONE_WITH : BATCH_ZONE_WITHOUT;
}

static int parse_type(batch_parser_t *parser, batch_query_kind_e *kind)
{
    size_t i, found = sizeof(types) / sizeof(*types);

    for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
        found = batch_token_is_word(parser->next, types[i].name) ? i : found;
    }
    if (found == sizeof(types) / sizeof(*types)) {
        batch_parser_expected(parser, "a type: text, integer, numeric, boolean, date or timestamp");
        return 0;
    }
    parser->next++;
    *kind = types[found].kind;
    if ((!strcmp(types[found].name, "double") && batch_token_is_word(parser->next, "precision")) ||
        (!strcmp(types[found].name, "character") && batch_token_is_word(parser->next, "varying"))) {
        parser->next++;
    } else if (*kind == BATCH_QUERY_TIMESTAMP) {
        parse_zone(parser, !strcmp(types[found].name, "timestamptz"));
    }
    return 1;
}

static batch_node_t *convert(batch_parser_t *parser, batch_node_t *child, batch_query_kind_e kind,
                             int at)
{
    batch_node_t *node = batch_parser_make(parser, BATCH_NODE_CONVERT, at);

    node->kind = kind;
    if (kind == BATCH_QUERY_TIMESTAMP) {
        node->zone = parser->zone;
    }
    return batch_parser_with(parser, node, child);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static batch_node_t *parse_number(batch_parser_t *parser)
{
    const batch_token_t *token = parser->next++;
    batch_query_value_t text = batch_query_text_value(token->text, strlen(token->text));
    batch_query_value_t number = batch_query_number_parse(&text, BATCH_QUERY_NUMBER);

    number.text = text.text; /* beside a decimal it counts as it is written */
    number.length = text.length;
    return batch_parser_constant(
        parser, number,
        token->kind == BATCH_TOKEN_INTEGER ? BATCH_QUERY_INTEGER : BATCH_QUERY_NUMBER, token->at);
}

/* DATE '…', INTERVAL '…': the word is taken, the string is next. */
static batch_node_t *parse_typed_string(batch_parser_t *parser, batch_query_word_e word)
{
    const batch_token_t *token = parser->next++;
    batch_query_value_t text = batch_query_text_value(token->text, strlen(token->text)), value;
    batch_query_room_t room = {.p = parser->text->p, .most = 1024};

    value = batch_query_convert(
        &text, word == BATCH_WORD_INTERVAL ? BATCH_QUERY_INTERVAL : BATCH_QUERY_DATE, &room);
    if (value.kind == BATCH_QUERY_NULL) {
        batch_query_fault(parser->text, token->at, "found %s, expected %s",
                          batch_query_found(parser->text, token),
                          word == BATCH_WORD_INTERVAL
                              ? "an interval as '7 days' or '2 months 12 hours'"
                              : "a time as '2023-10-06' or '2023-10-06T02:56:34Z'");
        return NULL;
    }
    return batch_parser_constant(parser, value, value.kind, token->at);
}

static batch_node_t *parse_cast(batch_parser_t *parser, int at)
{
    batch_query_kind_e kind;
    batch_node_t *child;

    if (!batch_parser_take_symbol(parser, "(")) {
        return batch_parser_expected(parser, "( behind CAST");
    }
    child = batch_parse_expression(parser);
    if (!child) {
        return NULL;
    }
    if (!batch_parser_take(parser, BATCH_WORD_AS)) {
        return batch_parser_expected(parser, "AS and a type");
    }
    if (!parse_type(parser, &kind)) {
        return NULL;
    }
    return batch_parser_take_symbol(parser, ")") ? convert(parser, child, kind, at)
                                                 : batch_parser_expected(parser, ")");
}

/* Each name once. */
void batch_parser_note(batch_parser_t *parser, const char *name, int at)
{
    batch_query_name_use_t *use;

    if (!apr_hash_get(parser->names, name, APR_HASH_KEY_STRING)) {
        use = apr_array_push(parser->statement->names);
        use->name = name;
        use->at = at;
        apr_hash_set(parser->names, name, APR_HASH_KEY_STRING, name);
    }
}

static batch_node_t *parse_name(batch_parser_t *parser)
{
    const batch_token_t *token = parser->next++;
    batch_node_t *node;

    if (batch_token_is(parser->next, "(")) {
        return batch_parse_call(parser, token);
    }
    node = batch_parse_time_string(parser, token);
    if (node || parser->text->fault) {
        return node;
    }
    if (parser->next->kind == BATCH_TOKEN_STRING && token->kind == BATCH_TOKEN_NAME &&
        (token->word == BATCH_WORD_DATE || token->word == BATCH_WORD_INTERVAL)) {
        return parse_typed_string(parser, token->word);
    }
    node = batch_parser_make(parser, BATCH_NODE_NAME, token->at);
    node->name = token->text;
    if (batch_parser_take_symbol(parser, ".")) {
        if (!batch_token_is_name(parser->next)) {
            return batch_parser_expected(parser, "a column");
        }
        node->qualifier = node->name;
        node->name = parser->next++->text;
    }
    batch_parser_note(parser, node->name, node->at);
    return node;
}

static batch_node_t *parse_word_value(batch_parser_t *parser)
{
    const batch_token_t *token = parser->next;
    batch_query_value_t null = {.kind = BATCH_QUERY_NULL};

    switch (token->word) {
    case BATCH_WORD_NULL:
        parser->next++;
        return batch_parser_constant(parser, null, BATCH_QUERY_NULL, token->at);
    case BATCH_WORD_TRUE:
    case BATCH_WORD_FALSE:
        parser->next++;
        return batch_parser_constant(parser,
                                     batch_query_boolean_value(token->word == BATCH_WORD_TRUE),
                                     BATCH_QUERY_BOOLEAN, token->at);
    case BATCH_WORD_CURRENT_DATE:
    case BATCH_WORD_CURRENT_TIMESTAMP: {
        batch_node_t *now = batch_parser_make(parser, BATCH_NODE_CALL, token->at);
        parser->next++;
        now->op = BATCH_FUNCTION_NOW;
        return token->word == BATCH_WORD_CURRENT_DATE
                   ? convert(parser, now, BATCH_QUERY_DATE, token->at)
                   : now;
    }
    case BATCH_WORD_CAST:
        parser->next++;
        return parse_cast(parser, token->at);
    case BATCH_WORD_CASE:
        parser->next++;
        return batch_parse_case(parser, token->at);
    default:
        return batch_parser_expected(parser, "a value, a column or a function");
    }
}

static batch_node_t *parse_primary(batch_parser_t *parser)
{
    const batch_token_t *token = parser->next;
    batch_node_t *node;

    switch (token->kind) {
    case BATCH_TOKEN_INTEGER:
    case BATCH_TOKEN_NUMBER:
        return parse_number(parser);
    case BATCH_TOKEN_STRING:
        parser->next++;
        return batch_parser_constant(parser,
                                     batch_query_text_value(token->text, strlen(token->text)),
                                     BATCH_QUERY_LITERAL, token->at);
    case BATCH_TOKEN_NAME:
    case BATCH_TOKEN_QUOTED:
        if (token->word == BATCH_WORD_EXISTS && token->kind == BATCH_TOKEN_NAME &&
            batch_token_is(token + 1, "(")) {
            parser->next += 2;
            return batch_parse_subquery(parser,
                                        batch_parser_make(parser, BATCH_NODE_EXISTS, token->at));
        }
        return batch_token_is_name(token) || batch_parser_is_special(token)
                   ? parse_name(parser)
                   : parse_word_value(parser);
    default:
        break;
    }
    if (!batch_parser_take_symbol(parser, "(")) {
        return batch_parser_expected(parser, "a value, a column or a function");
    }
    if (batch_parser_is_query(parser)) {
        return batch_parse_subquery(parser,
                                    batch_parser_make(parser, BATCH_NODE_SCALAR, token->at));
    }
    node = batch_parse_expression(parser);
    return !node || batch_parser_take_symbol(parser, ")")
               ? node
               : batch_parser_expected(parser, batch_token_is(parser->next, ",")
                                                   ? ") or an operator: there are no rows as "
                                                     "values, compare each column with AND between"
                                                   : ") or an operator");
}

batch_node_t *batch_parse_unary(batch_parser_t *parser)
{
    const batch_token_t *token = parser->next;
    batch_query_kind_e kind;
    batch_node_t *node;

    if (!batch_parser_enter(parser)) {
        return NULL;
    }
    if (batch_parser_take_symbol(parser, "-")) {
        node = batch_parser_with(parser, batch_parser_make(parser, BATCH_NODE_NEGATE, token->at),
                                 batch_parse_unary(parser));
    } else if (batch_parser_take_symbol(parser, "+")) {
        node = batch_parse_unary(parser);
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

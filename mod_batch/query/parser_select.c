/* SELECTs, what joins them, and what stands before and behind them. */
#include "query/parser.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Where a SELECT begins --------------------------------------------------------------------
 */

static int is_word(const batch_token_t *token, batch_query_word_e word)
{
    return token->kind == BATCH_TOKEN_NAME && token->word == word;
}

static int is_set_word(const batch_token_t *token)
{
    return is_word(token, BATCH_WORD_UNION) || is_word(token, BATCH_WORD_INTERSECT) ||
           is_word(token, BATCH_WORD_EXCEPT);
}

/*
 * How many parentheses open one after the other at token, and what stands behind each of them: the
 * outermost first. One walk only, however many there are.
 */
static int find_ends(const batch_token_t **ends, const batch_token_t *token)
{
    int count = 0, open;

    for (; count < BATCH_QUERY_DEPTH && batch_token_is(token, "("); token++) {
        ends[count++] = NULL;
    }
    for (open = count; open && token->kind != BATCH_TOKEN_END; token++) {
        open += batch_token_is(token, "(");
        if (batch_token_is(token, ")") && --open < count && !ends[open]) {
            ends[open] = token + 1;
        }
    }
    for (open = 0; open < count; open++) {
        ends[open] = ends[open] ? ends[open] : token;
    }
    return count;
}

int batch_parser_is_query(const batch_parser_t *parser)
{
    const batch_token_t *ends[BATCH_QUERY_DEPTH], *token;
    int count = find_ends(ends, parser->next), i;

    /* (SELECT …) alone may be the beginning of a value, or of a join. */
    for (i = 0; i < count; i++) {
        if (is_set_word(ends[i]) || is_word(ends[i], BATCH_WORD_ORDER) ||
            is_word(ends[i], BATCH_WORD_LIMIT) || is_word(ends[i], BATCH_WORD_OFFSET) ||
            is_word(ends[i], BATCH_WORD_FETCH)) {
            return 1;
        }
        if (!batch_token_is(ends[i], ")") && ends[i]->kind != BATCH_TOKEN_END) {
            return 0;
        }
    }
    token = parser->next + count;
    return is_word(token, BATCH_WORD_SELECT) || is_word(token, BATCH_WORD_WITH);
}

batch_node_t *batch_parse_subquery(batch_parser_t *parser, batch_node_t *node)
{
    batch_select_t *select = batch_parse_select(parser);

    if (!select || !node) {
        return NULL;
    }
    node->select = select;
    return batch_parser_take_symbol(parser, ")")
               ? node
               : batch_parser_expected(parser, ") or an operator of SELECTs");
}

/* ---- What is selected -------------------------------------------------------------------------
 */

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
        item->qualifier = parser->next->text;
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
    } else if (batch_token_is_name(parser->next)) {
        item->alias = parser->next++->text;
    }
    return 1;
}

static int parse_groups(batch_parser_t *parser, batch_select_t *select)
{
    if (!batch_parser_take(parser, BATCH_WORD_BY)) {
        batch_parser_expected(parser, "BY behind GROUP");
        return 0;
    }
    do {
        batch_node_t *node = batch_parse_expression(parser);

        if (!node) {
            return 0;
        }
        APR_ARRAY_PUSH(select->groups, batch_node_t *) = node;
    } while (batch_parser_take_symbol(parser, ","));
    return 1;
}

/* Behind SELECT, up to HAVING. */
static int parse_core(batch_parser_t *parser, batch_select_t *select)
{
    select->distinct = batch_parser_take(parser, BATCH_WORD_DISTINCT);
    if (select->distinct && batch_parser_is(parser, BATCH_WORD_ON)) {
        batch_parser_expected(parser, "a column: DISTINCT ON is not part of this language, "
                                      "row_number() OVER (…) can say the same");
        return 0;
    }
    if (!select->distinct) {
        (void)batch_parser_take(parser, BATCH_WORD_ALL);
    }
    do {
        if (!parse_item(parser, select)) {
            return 0;
        }
    } while (batch_parser_take_symbol(parser, ","));
    if (batch_parser_take(parser, BATCH_WORD_FROM)) {
        select->from = batch_parse_from(parser);
        if (!select->from) {
            return 0;
        }
    }
    if (batch_parser_take(parser, BATCH_WORD_WHERE)) {
        select->where = batch_parse_expression(parser);
        if (!select->where) {
            return 0;
        }
    }
    if (batch_parser_take(parser, BATCH_WORD_GROUP) && !parse_groups(parser, select)) {
        return 0;
    }
    if (batch_parser_take(parser, BATCH_WORD_HAVING)) {
        select->having = batch_parse_expression(parser);
        return select->having != NULL;
    }
    return 1;
}

/* ---- What stands behind -----------------------------------------------------------------------
 */

int batch_parse_order(batch_parser_t *parser, apr_array_header_t *order)
{
    if (!batch_parser_take(parser, BATCH_WORD_BY)) {
        batch_parser_expected(parser, "BY behind ORDER");
        return 0;
    }
    do {
        batch_select_order_t *by = apr_array_push(order);

        by->output = -1;
        by->node = batch_parse_expression(parser);
        if (!by->node) {
            return 0;
        }
        by->descending = batch_parser_take(parser, BATCH_WORD_DESC);
        if (!by->descending) {
            (void)batch_parser_take(parser, BATCH_WORD_ASC);
        }
        by->nulls_first = by->descending;
        if (batch_parser_take(parser, BATCH_WORD_NULLS)) {
            by->nulls_first = batch_parser_take(parser, BATCH_WORD_FIRST);
            if (!by->nulls_first && !batch_parser_take(parser, BATCH_WORD_LAST)) {
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

static int take_rows(batch_parser_t *parser)
{
    return batch_parser_take(parser, BATCH_WORD_ROWS) || batch_parser_take(parser, BATCH_WORD_ROW);
}

/* FETCH FIRST n ROWS ONLY, whose first word is taken. */
static int parse_fetch(batch_parser_t *parser, batch_select_t *select)
{
    if (!batch_parser_take(parser, BATCH_WORD_FIRST) &&
        !batch_parser_take(parser, BATCH_WORD_NEXT)) {
        batch_parser_expected(parser, "FIRST or NEXT behind FETCH");
        return 0;
    }
    select->limit = 1;
    if (parser->next->kind == BATCH_TOKEN_INTEGER && !parse_count(parser, &select->limit)) {
        return 0;
    }
    if (!take_rows(parser) || !batch_parser_take(parser, BATCH_WORD_ONLY)) {
        batch_parser_expected(parser, "a whole number, ROWS and ONLY");
        return 0;
    }
    return 1;
}

/* LIMIT, OFFSET and FETCH, each once, in any order. */
static int parse_limits(batch_parser_t *parser, batch_select_t *select)
{
    int limited = 0, offset = 0;

    for (;;) {
        if (!limited && batch_parser_take(parser, BATCH_WORD_LIMIT)) {
            limited = 1;
            if (!batch_parser_take(parser, BATCH_WORD_ALL) &&
                !batch_parser_take(parser, BATCH_WORD_NULL) &&
                !parse_count(parser, &select->limit)) {
                return 0;
            }
        } else if (!limited && batch_parser_take(parser, BATCH_WORD_FETCH)) {
            limited = 1;
            if (!parse_fetch(parser, select)) {
                return 0;
            }
        } else if (!offset && batch_parser_take(parser, BATCH_WORD_OFFSET)) {
            offset = 1;
            if (!parse_count(parser, &select->offset)) {
                return 0;
            }
            (void)take_rows(parser);
        } else {
            return 1;
        }
    }
}

static int parse_tail(batch_parser_t *parser, batch_select_t *select)
{
    return (!batch_parser_take(parser, BATCH_WORD_ORDER) ||
            batch_parse_order(parser, select->order)) &&
           parse_limits(parser, select);
}

static int has_tail(const batch_select_t *select)
{
    return select->order->nelts || select->limit >= 0 || select->offset;
}

/* ---- SELECTs ----------------------------------------------------------------------------------
 */

static batch_select_t *make_select(batch_parser_t *parser)
{
    batch_select_t *select = apr_pcalloc(parser->text->p, sizeof(*select));

    select->at = parser->next->at;
    select->items = apr_array_make(parser->text->p, 4, sizeof(batch_select_item_t));
    select->groups = apr_array_make(parser->text->p, 2, sizeof(batch_node_t *));
    select->order = apr_array_make(parser->text->p, 2, sizeof(batch_select_order_t));
    select->limit = -1;
    APR_ARRAY_PUSH(parser->statement->all, batch_select_t *) = select;
    if (++parser->statement->selects > BATCH_QUERY_SELECTS) {
        batch_query_fault(parser->text, select->at, "a query can have %d SELECTs only",
                          BATCH_QUERY_SELECTS);
        return NULL;
    }
    return select;
}

/* A SELECT without what stands behind it, or one in parentheses with it. */
static batch_select_t *parse_operand(batch_parser_t *parser)
{
    batch_select_t *select;

    if (batch_parser_take_symbol(parser, "(")) {
        select = batch_parse_select(parser);
        return !select || batch_parser_take_symbol(parser, ")")
                   ? select
                   : batch_parser_expected(parser, ") or an operator of SELECTs");
    }
    if (!batch_parser_take(parser, BATCH_WORD_SELECT)) {
        return batch_parser_is(parser, BATCH_WORD_WITH)
                   ? batch_parser_expected(parser, "SELECT: WITH stands at the beginning of the "
                                                   "whole query only")
                   : batch_parser_expected(parser, "SELECT");
    }
    select = make_select(parser);
    return select && parse_core(parser, select) ? select : NULL;
}

static batch_select_t *join(batch_parser_t *parser, batch_set_e set, batch_select_t *left,
                            batch_select_t *(*operand)(batch_parser_t *parser))
{
    batch_select_t *joined = make_select(parser);

    if (!joined) {
        return NULL;
    }
    parser->statement->selects--; /* only its sides are SELECTs */
    joined->set = set;
    joined->all = batch_parser_take(parser, BATCH_WORD_ALL);
    if (!joined->all) {
        (void)batch_parser_take(parser, BATCH_WORD_DISTINCT);
    }
    joined->left = left;
    joined->right = operand(parser);
    return joined->right ? joined : NULL;
}

/* INTERSECT binds more closely than the others. */
static batch_select_t *parse_intersection(batch_parser_t *parser)
{
    batch_select_t *select = parse_operand(parser);

    while (select && batch_parser_take(parser, BATCH_WORD_INTERSECT)) {
        select = join(parser, BATCH_SET_INTERSECT, select, parse_operand);
    }
    return select;
}

static batch_select_t *parse_union(batch_parser_t *parser)
{
    batch_select_t *select = parse_intersection(parser);

    while (select) {
        if (batch_parser_take(parser, BATCH_WORD_UNION)) {
            select = join(parser, BATCH_SET_UNION, select, parse_intersection);
        } else if (batch_parser_take(parser, BATCH_WORD_EXCEPT)) {
            select = join(parser, BATCH_SET_EXCEPT, select, parse_intersection);
        } else {
            break;
        }
    }
    return select;
}

static int is_tail(const batch_parser_t *parser)
{
    return batch_parser_is(parser, BATCH_WORD_ORDER) || batch_parser_is(parser, BATCH_WORD_LIMIT) ||
           batch_parser_is(parser, BATCH_WORD_OFFSET) || batch_parser_is(parser, BATCH_WORD_FETCH);
}

batch_select_t *batch_parse_select(batch_parser_t *parser)
{
    batch_select_t *select;

    if (!batch_parser_enter(parser)) {
        return NULL;
    }
    select = parse_union(parser);
    if (select && is_tail(parser)) {
        if (has_tail(select)) {
            return batch_parser_expected(parser, "a SELECT that has no ORDER BY, LIMIT or OFFSET "
                                                 "in its parentheses");
        }
        if (!parse_tail(parser, select)) {
            return NULL;
        }
    }
    parser->nesting--;
    return select;
}

/* ---- Names and WITH
 * ------------------------------------------------------------------------------------- */

int batch_parse_names(batch_parser_t *parser, apr_array_header_t **names)
{
    *names = apr_array_make(parser->text->p, 4, sizeof(const batch_token_t *));
    do {
        if (!batch_token_is_name(parser->next)) {
            batch_parser_expected(parser, "the name of a column");
            return 0;
        }
        APR_ARRAY_PUSH(*names, const batch_token_t *) = parser->next++;
    } while (batch_parser_take_symbol(parser, ","));
    if (!batch_parser_take_symbol(parser, ")")) {
        batch_parser_expected(parser, ", or )");
        return 0;
    }
    return 1;
}

static int parse_with(batch_parser_t *parser)
{
    const apr_array_header_t *withs = parser->statement->withs;
    batch_with_t with = {.name = parser->next->text, .at = parser->next->at};
    int i;

    if (batch_token_is_word(parser->next, "recursive") && !batch_token_is(parser->next + 1, "(")) {
        batch_parser_expected(parser, "a name: RECURSIVE is not part of this language");
        return 0;
    }
    if (!batch_token_is_name(parser->next)) {
        batch_parser_expected(parser, "a name behind WITH");
        return 0;
    }
    for (i = 0; i < withs->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(withs, i, batch_with_t).name, with.name)) {
            return batch_query_fault(parser->text, with.at,
                                     "\"%s\" stands behind WITH twice: give one of them another "
                                     "name",
                                     with.name);
        }
    }
    parser->next++;
    if (batch_parser_take_symbol(parser, "(") && !batch_parse_names(parser, &with.columns)) {
        return 0;
    }
    if (!batch_parser_take(parser, BATCH_WORD_AS)) {
        batch_parser_expected(parser, "AS and a SELECT in parentheses");
        return 0;
    }
    (void)batch_parser_take(parser, BATCH_WORD_NOT);
    parser->next += batch_token_is_word(parser->next, "materialized");
    if (!batch_parser_take_symbol(parser, "(")) {
        batch_parser_expected(parser, "a SELECT in parentheses");
        return 0;
    }
    with.select = batch_parse_select(parser);
    if (!with.select) {
        return 0;
    }
    if (!batch_parser_take_symbol(parser, ")")) {
        batch_parser_expected(parser, ") or an operator of SELECTs");
        return 0;
    }
    APR_ARRAY_PUSH(parser->statement->withs, batch_with_t) = with;
    return 1;
}

/* ---- The whole --------------------------------------------------------------------------------
 */

static int parse_predicate(batch_parser_t *parser, batch_statement_t *statement)
{
    batch_select_t *select = make_select(parser);

    statement->select = select;
    if (!select) {
        return 0;
    }
    select->from = batch_parser_own_form(parser);
    select->where = select->from ? batch_parse_expression(parser) : NULL;
    return select->where && parse_tail(parser, select);
}

static int parse_whole(batch_parser_t *parser, batch_statement_t *statement)
{
    const batch_select_t *select;

    if (batch_parser_take(parser, BATCH_WORD_WITH)) {
        do {
            if (!parse_with(parser)) {
                return 0;
            }
        } while (batch_parser_take_symbol(parser, ","));
    } else if (!batch_parser_is_query(parser)) {
        if (!parse_predicate(parser, statement)) {
            return 0;
        }
    }
    if (!statement->select) {
        statement->select = batch_parse_select(parser);
        if (!statement->select) {
            return 0;
        }
    }
    select = statement->select;
    if (parser->next->kind != BATCH_TOKEN_END) {
        batch_parser_expected(parser, select->set || select->where || select->groups->nelts ||
                                              select->having
                                          ? "an operator, ORDER BY, LIMIT, OFFSET or the end"
                                          : "WHERE, ORDER BY, LIMIT, OFFSET or the end");
        return 0;
    }
    return 1;
}

batch_statement_t *batch_query_parse(batch_query_text_t *text)
{
    batch_statement_t *statement = apr_pcalloc(text->p, sizeof(*statement));
    batch_parser_t parser = {.text = text,
                             .next = text->tokens,
                             .statement = statement,
                             .names = apr_hash_make(text->p)};

    statement->withs = apr_array_make(text->p, 2, sizeof(batch_with_t));
    statement->forms = apr_array_make(text->p, 4, sizeof(batch_source_t *));
    statement->all = apr_array_make(text->p, 4, sizeof(batch_select_t *));
    statement->names = apr_array_make(text->p, 16, sizeof(batch_query_name_use_t));
    return !text->fault && parse_whole(&parser, statement) && !text->fault ? statement : NULL;
}

/* What stands behind FROM: forms, SELECTs, and their joins. */
#include "query/parser.h"

#include <string.h>

#include <apr_strings.h>

static batch_source_t *make_source(batch_parser_t *parser, batch_source_e type)
{
    batch_source_t *source = apr_pcalloc(parser->text->p, sizeof(*source));

    source->type = type;
    source->at = parser->next->at;
    source->number = -1;
    source->with = -1;
    if (type == BATCH_SOURCE_JOIN) {
        return source;
    }
    source->number = parser->statement->sources++;
    if (parser->statement->sources > BATCH_QUERY_SOURCES) {
        batch_query_fault(parser->text, source->at, "a query can name %d forms and SELECTs only",
                          BATCH_QUERY_SOURCES);
        return NULL;
    }
    return source;
}

batch_source_t *batch_parser_own_form(batch_parser_t *parser)
{
    batch_source_t *source = make_source(parser, BATCH_SOURCE_FORM);

    if (source) {
        APR_ARRAY_PUSH(parser->statement->forms, batch_source_t *) = source;
    }
    return source;
}

/* The name behind a form or SELECT, and for a SELECT those of its columns. */
static batch_source_t *parse_alias(batch_parser_t *parser, batch_source_t *source)
{
    if (batch_parser_take(parser, BATCH_WORD_AS)) {
        if (!batch_token_is_name(parser->next)) {
            return batch_parser_expected(parser, "a name behind AS");
        }
        source->alias = parser->next++->text;
    } else if (batch_token_is_name(parser->next)) {
        source->alias = parser->next++->text;
    }
    if (!source->alias || source->type != BATCH_SOURCE_SELECT ||
        !batch_parser_take_symbol(parser, "(")) {
        return source;
    }
    return batch_parse_names(parser, &source->renames) ? source : NULL;
}

/* The last name of WITH that is spelt so; -1: none. */
static int find_with(const batch_parser_t *parser, const batch_token_t *token)
{
    int i;

    for (i = parser->statement->withs->nelts - 1; i >= 0; i--) {
        if (!strcmp(APR_ARRAY_IDX(parser->statement->withs, i, batch_with_t).name, token->text)) {
            break;
        }
    }
    return i;
}

/* WITH w(a, b) and FROM w AS v(c): the columns are c and b. */
static batch_source_t *keep_names(batch_source_t *source, const apr_array_header_t *names)
{
    int i;

    if (!source || !names) {
        return source;
    }
    for (i = source->renames->nelts; i < names->nelts; i++) {
        APR_ARRAY_PUSH(source->renames, const batch_token_t *) =
            APR_ARRAY_IDX(names, i, const batch_token_t *);
    }
    return source;
}

/* A form, or a name of WITH. */
static batch_source_t *parse_form(batch_parser_t *parser)
{
    int with = find_with(parser, parser->next);
    batch_source_t *source =
        make_source(parser, with >= 0 ? BATCH_SOURCE_SELECT : BATCH_SOURCE_FORM);

    if (!source) {
        return NULL;
    }
    if (with >= 0) {
        const batch_with_t *named = &APR_ARRAY_IDX(parser->statement->withs, with, batch_with_t);

        source->with = with;
        source->select = named->select;
        source->alias = named->name;
        source->renames = named->columns;
        parser->next++;
        return keep_names(parse_alias(parser, source), named->columns);
    }
    source->form = parser->next++;
    APR_ARRAY_PUSH(parser->statement->forms, batch_source_t *) = source;
    if (batch_token_is(parser->next, ".")) {
        return batch_parser_expected(parser, "a form without a schema before its name");
    }
    if (batch_token_is(parser->next, "(")) {
        return batch_parser_expected(parser, "the name of a form: functions do not stand in FROM");
    }
    return parse_alias(parser, source);
}

/* A SELECT in parentheses: the first one is taken. */
static batch_source_t *parse_derived(batch_parser_t *parser)
{
    batch_source_t *source = make_source(parser, BATCH_SOURCE_SELECT);

    if (!source) {
        return NULL;
    }
    source->select = batch_parse_select(parser);
    if (!source->select) {
        return NULL;
    }
    return batch_parser_take_symbol(parser, ")")
               ? parse_alias(parser, source)
               : batch_parser_expected(parser, ") or an operator of SELECTs");
}

static batch_source_t *parse_joins(batch_parser_t *parser);

static batch_source_t *parse_one(batch_parser_t *parser)
{
    batch_source_t *source;

    if (batch_parser_take_symbol(parser, "(")) {
        if (batch_parser_is_query(parser)) {
            return parse_derived(parser);
        }
        if (!batch_parser_enter(parser)) {
            return NULL;
        }
        source = parse_joins(parser);
        parser->nesting--;
        return !source || batch_parser_take_symbol(parser, ")")
                   ? source
                   : batch_parser_expected(parser, ") or JOIN");
    }
    if (batch_parser_is(parser, BATCH_WORD_LATERAL)) {
        return batch_parser_expected(parser, "a form or a SELECT: LATERAL is not part of this "
                                             "language");
    }
    if (batch_parser_is(parser, BATCH_WORD_ONLY)) {
        return batch_parser_expected(parser, "the name of a form");
    }
    return batch_token_is_name(parser->next)
               ? parse_form(parser)
               : batch_parser_expected(parser, "the name of a form, in double quotes, or its id");
}

/* ---- Joins ------------------------------------------------------------------------------------
 */

/* The words of a join. *kind -1: there is none. 0 with a fault. */
static int take_join(batch_parser_t *parser, int *kind, int *cross)
{
    *cross = batch_parser_take(parser, BATCH_WORD_CROSS);
    *kind = BATCH_JOIN_INNER;
    if (batch_parser_is(parser, BATCH_WORD_NATURAL)) {
        batch_parser_expected(parser,
                              "JOIN with ON or USING: NATURAL is not part of this language");
        return 0;
    }
    if (!*cross && !batch_parser_take(parser, BATCH_WORD_INNER)) {
        if (batch_parser_take(parser, BATCH_WORD_LEFT)) {
            *kind = BATCH_JOIN_LEFT;
        } else if (batch_parser_take(parser, BATCH_WORD_RIGHT)) {
            *kind = BATCH_JOIN_RIGHT;
        } else if (batch_parser_take(parser, BATCH_WORD_FULL)) {
            *kind = BATCH_JOIN_FULL;
        } else if (!batch_parser_is(parser, BATCH_WORD_JOIN)) {
            *kind = -1;
            return 1;
        }
        (void)(*kind != BATCH_JOIN_INNER && batch_parser_take(parser, BATCH_WORD_OUTER));
    }
    if (!batch_parser_take(parser, BATCH_WORD_JOIN)) {
        batch_parser_expected(parser, "JOIN");
        return 0;
    }
    return 1;
}

/* The names of USING, in parentheses of which the first is taken. */
static int parse_using(batch_parser_t *parser, batch_source_t *join)
{
    int i;

    if (!batch_parse_names(parser, &join->using)) {
        return 0;
    }
    for (i = 0; i < join->using->nelts; i++) {
        const batch_token_t *name = APR_ARRAY_IDX(join->using, i, const batch_token_t *);
        batch_parser_note(parser, name->text, name->at);
    }
    return 1;
}

static int parse_join_condition(batch_parser_t *parser, batch_source_t *join)
{
    if (batch_parser_take(parser, BATCH_WORD_ON)) {
        join->on = batch_parse_expression(parser);
        return join->on != NULL;
    }
    if (batch_parser_take(parser, BATCH_WORD_USING)) {
        if (!batch_parser_take_symbol(parser, "(")) {
            batch_parser_expected(parser, "( behind USING");
            return 0;
        }
        return parse_using(parser, join);
    }
    batch_parser_expected(parser, "ON or USING");
    return 0;
}

static batch_source_t *join_two(batch_parser_t *parser, batch_join_e kind, batch_source_t *left,
                                batch_source_t *right)
{
    batch_source_t *join = make_source(parser, BATCH_SOURCE_JOIN);

    join->join = kind;
    join->left = left;
    join->right = right;
    return join;
}

static batch_source_t *parse_joins(batch_parser_t *parser)
{
    batch_source_t *source = parse_one(parser);
    int kind, cross;

    while (source) {
        batch_source_t *right;

        if (!take_join(parser, &kind, &cross)) {
            return NULL;
        }
        if (kind < 0) {
            break;
        }
        right = parse_one(parser);
        /* a JOIN b JOIN c ON … ON … is written with parentheses here. */
        source = right ? join_two(parser, (batch_join_e)kind, source, right) : NULL;
        if (source && !cross && !parse_join_condition(parser, source)) {
            return NULL;
        }
    }
    return source;
}

batch_source_t *batch_parse_from(batch_parser_t *parser)
{
    batch_source_t *source = parse_joins(parser);

    while (source && batch_parser_take_symbol(parser, ",")) {
        batch_source_t *right = parse_joins(parser);

        source = right ? join_two(parser, BATCH_JOIN_INNER, source, right) : NULL;
    }
    return source;
}

/* The parser's own parts. Private to query/. */
#ifndef BATCH_QUERY_PARSER_H
#define BATCH_QUERY_PARSER_H

#include "query/tree.h"

typedef struct batch_parser {
    batch_query_text_t *text;
    const batch_token_t *next;
    batch_statement_t *statement;
    apr_hash_t *names; /* of the statement: which are in its list already */
    int nesting;       /* of parentheses, prefixes and SELECTs that are open */
    apr_int64_t size;  /* nodes made so far; each as often as it stands in the tree */
    batch_zone_e zone; /* of the type that was read last */
} batch_parser_t;

/* parser_value.c */

/** 1 if the next token is that word; without quotes. */
int batch_parser_is(const batch_parser_t *parser, batch_query_word_e word);

/** Takes the next token if it is that word, or that symbol: 1. */
int batch_parser_take(batch_parser_t *parser, batch_query_word_e word);
int batch_parser_take_symbol(batch_parser_t *parser, const char *symbol);

/** Notes that something else was expected than the next token. Returns NULL. */
void *batch_parser_expected(batch_parser_t *parser, const char *what);

/** Enters something nested: 0 with a fault if that is too deep. Left by nesting--. */
int batch_parser_enter(batch_parser_t *parser);

/** A node without children, and one with one or two more; NULL, of a parser that failed, stays. */
batch_node_t *batch_parser_make(batch_parser_t *parser, batch_node_type_e type, int at);
batch_node_t *batch_parser_with(batch_parser_t *parser, batch_node_t *node, batch_node_t *child);
batch_node_t *batch_parser_with_two(batch_parser_t *parser, batch_node_t *node, batch_node_t *first,
                                    batch_node_t *second);

/** A value that the query says itself. */
batch_node_t *batch_parser_constant(batch_parser_t *parser, batch_query_value_t value,
                                    batch_query_kind_e kind, int at);

/** Notes a name that may mean a column or a member, for the copies of records. */
void batch_parser_note(batch_parser_t *parser, const char *name, int at);

/** A value with its prefixes and casts. Every way into deeper nesting leads through here. */
batch_node_t *batch_parse_unary(batch_parser_t *parser);

/* parser_call.c */

/** A function or an aggregate: the name is taken, the parenthesis is next. */
batch_node_t *batch_parse_call(batch_parser_t *parser, const batch_token_t *token);

/** CASE, which is taken. */
batch_node_t *batch_parse_case(batch_parser_t *parser, int at);

/* parser_special.c */

/**
 * extract, position, substring, trim: the name is taken, the parenthesis is next. 0: it is none of
 * them; else *node is what was parsed, NULL with a fault.
 */
int batch_parse_special(batch_node_t **node, batch_parser_t *parser, const batch_token_t *token);

/** 1 if the token is a reserved word that is a function here: left(…), right(…). */
int batch_parser_is_special(const batch_token_t *token);

/** A value with its prefixes and casts, and with AT TIME ZONE. */
batch_node_t *batch_parse_zoned(batch_parser_t *parser);

/**
 * timestamp '…', timestamptz '…', timestamp with time zone '…': the first word, type, is taken.
 * NULL without a fault: it is something else.
 */
batch_node_t *batch_parse_time_string(batch_parser_t *parser, const batch_token_t *type);

/** 1 if ANY, SOME or ALL is next, with its parenthesis. */
int batch_parser_is_quantifier(const batch_parser_t *parser);

/** What stands before ANY or ALL. */
typedef struct batch_quantified {
    batch_node_t *left;
    apr_int64_t size; /* of left, in nodes */
    int op;
    int at; /* where op stands */
} batch_quantified_t;

/** left op ANY(ARRAY[…]) or ANY (SELECT …): the comparison op is taken, the word is next. */
batch_node_t *batch_parse_quantified(batch_parser_t *parser, const batch_quantified_t *what);

/* parser.c */

/** What can stand on either side of a comparison. */
batch_node_t *batch_parse_operand(batch_parser_t *parser);

/** Everything up to OR. */
batch_node_t *batch_parse_expression(batch_parser_t *parser);

/* parser_select.c */

/** 1 if what is next, behind a parenthesis, is a SELECT and no value. */
int batch_parser_is_query(const batch_parser_t *parser);

/** Gives node the SELECT that is next, and takes the parenthesis behind it. */
batch_node_t *batch_parse_subquery(batch_parser_t *parser, batch_node_t *node);

/** What stands behind ORDER, into order. */
int batch_parse_order(batch_parser_t *parser, apr_array_header_t *order);

/** Names of columns up to the parenthesis that closes, into *names: of const batch_token_t *. */
int batch_parse_names(batch_parser_t *parser, apr_array_header_t **names);

/** A whole SELECT, with set operations and what stands behind them. */
batch_select_t *batch_parse_select(batch_parser_t *parser);

/* parser_from.c */

/** What stands behind FROM; NULL with a fault. */
batch_source_t *batch_parse_from(batch_parser_t *parser);

/** A source that is no form of the text: the operation's own. */
batch_source_t *batch_parser_own_form(batch_parser_t *parser);

#endif

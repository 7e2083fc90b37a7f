/*
 * A query's text as tokens. Private to query/.
 *
 * Names are folded as PostgreSQL does it: without quotes to lower case (of ASCII), in double quotes
 * as they are. Comments are left out: -- to the end of the line, and those between slashes and
 * asterisks, which nest. There are no parameters, no escape strings and no other dialects' quotes:
 * each of them is a fault.
 */
#ifndef BATCH_QUERY_LEXER_H
#define BATCH_QUERY_LEXER_H

#include "batch.h"

/** Bytes that a query may have, and tokens. */
#define BATCH_QUERY_BYTES  65536
#define BATCH_QUERY_TOKENS 16384

/** How lists are written, for whoever writes them otherwise. */
#define BATCH_QUERY_LISTS "write = ANY(ARRAY['a', 'b']), or IN ('a', 'b')"

/** Words with a meaning. X(SYMBOL, "word", reserved: cannot be a name without quotes). */
#define BATCH_QUERY_WORD_LIST(X)                                                                   \
    X(ALL, "all", 1)                                                                               \
    X(AND, "and", 1)                                                                               \
    X(AS, "as", 1)                                                                                 \
    X(ASC, "asc", 1)                                                                               \
    X(BETWEEN, "between", 1)                                                                       \
    X(BY, "by", 0)                                                                                 \
    X(CASE, "case", 1)                                                                             \
    X(CAST, "cast", 1)                                                                             \
    X(COLLATE, "collate", 1)                                                                       \
    X(CROSS, "cross", 1)                                                                           \
    X(CURRENT, "current", 0)                                                                       \
    X(CURRENT_DATE, "current_date", 1)                                                             \
    X(CURRENT_TIMESTAMP, "current_timestamp", 1)                                                   \
    X(DATE, "date", 0)                                                                             \
    X(DESC, "desc", 1)                                                                             \
    X(DISTINCT, "distinct", 1)                                                                     \
    X(ELSE, "else", 1)                                                                             \
    X(END, "end", 1)                                                                               \
    X(ESCAPE, "escape", 0)                                                                         \
    X(EXCEPT, "except", 1)                                                                         \
    X(EXISTS, "exists", 0)                                                                         \
    X(FETCH, "fetch", 1)                                                                           \
    X(FALSE, "false", 1)                                                                           \
    X(FILTER, "filter", 0)                                                                         \
    X(FIRST, "first", 0)                                                                           \
    X(FOLLOWING, "following", 0)                                                                   \
    X(FOR, "for", 1)                                                                               \
    X(FROM, "from", 1)                                                                             \
    X(FULL, "full", 1)                                                                             \
    X(GROUP, "group", 1)                                                                           \
    X(HAVING, "having", 1)                                                                         \
    X(ILIKE, "ilike", 1)                                                                           \
    X(IN, "in", 1)                                                                                 \
    X(INNER, "inner", 1)                                                                           \
    X(INTERSECT, "intersect", 1)                                                                   \
    X(INTERVAL, "interval", 0)                                                                     \
    X(IS, "is", 1)                                                                                 \
    X(JOIN, "join", 1)                                                                             \
    X(LAST, "last", 0)                                                                             \
    X(LATERAL, "lateral", 1)                                                                       \
    X(LEFT, "left", 1)                                                                             \
    X(LIKE, "like", 1)                                                                             \
    X(LIMIT, "limit", 1)                                                                           \
    X(NATURAL, "natural", 1)                                                                       \
    X(NEXT, "next", 0)                                                                             \
    X(NOT, "not", 1)                                                                               \
    X(NULL, "null", 1)                                                                             \
    X(NULLS, "nulls", 0)                                                                           \
    X(OFFSET, "offset", 1)                                                                         \
    X(ON, "on", 1)                                                                                 \
    X(ONLY, "only", 1)                                                                             \
    X(OR, "or", 1)                                                                                 \
    X(ORDER, "order", 1)                                                                           \
    X(OUTER, "outer", 1)                                                                           \
    X(OVER, "over", 0)                                                                             \
    X(PARTITION, "partition", 0)                                                                   \
    X(PRECEDING, "preceding", 0)                                                                   \
    X(RANGE, "range", 0)                                                                           \
    X(RIGHT, "right", 1)                                                                           \
    X(ROW, "row", 0)                                                                               \
    X(ROWS, "rows", 0)                                                                             \
    X(SELECT, "select", 1)                                                                         \
    X(THEN, "then", 1)                                                                             \
    X(TIMESTAMP, "timestamp", 0)                                                                   \
    X(TRUE, "true", 1)                                                                             \
    X(UNBOUNDED, "unbounded", 0)                                                                   \
    X(UNION, "union", 1)                                                                           \
    X(UNKNOWN, "unknown", 0)                                                                       \
    X(USING, "using", 1)                                                                           \
    X(WHEN, "when", 1)                                                                             \
    X(WHERE, "where", 1)                                                                           \
    X(WINDOW, "window", 1)                                                                         \
    X(WITH, "with", 1)

#define BATCH_QUERY_WORD_SYMBOL(symbol, word, reserved) BATCH_WORD_##symbol,
typedef enum {
    BATCH_WORD_NONE, /* a name, or no word at all */
    BATCH_QUERY_WORD_LIST(BATCH_QUERY_WORD_SYMBOL) BATCH_WORD_COUNT
} batch_query_word_e;

typedef enum {
    BATCH_TOKEN_END,
    BATCH_TOKEN_NAME,   /* a word or a name without quotes: text is folded */
    BATCH_TOKEN_QUOTED, /* a name in double quotes */
    BATCH_TOKEN_STRING,
    BATCH_TOKEN_INTEGER, /* fits into 64 bits */
    BATCH_TOKEN_NUMBER,
    BATCH_TOKEN_SYMBOL /* an operator or punctuation: text is it */
} batch_token_kind_e;

typedef struct batch_token {
    batch_token_kind_e kind;
    batch_query_word_e word;
    const char *text; /* what it means: decoded; of a number as it is written */
    int at;           /* bytes from the start of the query */
    int end;
} batch_token_t;

/** A query's text, and the first thing that is wrong with it. */
typedef struct batch_query_text {
    const char *text;
    batch_token_t *tokens; /* the last one is BATCH_TOKEN_END */
    int count;             /* with the last one */
    const char *fault;     /* a sentence for the client, with the place; NULL = none */
    apr_pool_t *p;
} batch_query_text_t;

/** Reads text, which is kept by reference; a fault may be in *query when this returns. */
void batch_query_lex(batch_query_text_t *query, const char *text, apr_pool_t *p);

/** Notes what is wrong at a byte of the text, unless something is already. Returns 0. */
int batch_query_fault(batch_query_text_t *query, int at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** The token as the client wrote it, for a message: quoted, and cut if it is long. */
const char *batch_query_found(const batch_query_text_t *query, const batch_token_t *token);

/** 1 if the token is that symbol. */
int batch_token_is(const batch_token_t *token, const char *symbol);

/** 1 if the token is that word, which is without quotes and in any case. */
int batch_token_is_word(const batch_token_t *token, const char *word);

/** 1 if the token can be a name: one in quotes, or a word that is not reserved. */
int batch_token_is_name(const batch_token_t *token);

#endif

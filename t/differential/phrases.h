/*
 * Expressions of random choices, of a kind that is asked for, each in two languages: that of
 * queries, with as few parentheses as its precedence allows or some more; and PostgreSQL's, with
 * all parentheses, where what a member is read as is said explicitly.
 */
#ifndef BATCH_DIFFERENTIAL_PHRASES_H
#define BATCH_DIFFERENTIAL_PHRASES_H

#include "choices.h"
#include "rows.h"

/** How tightly an expression holds together: that of PostgreSQL's operators. */
typedef enum {
    LEVEL_NONE,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_IS,
    LEVEL_COMPARE,
    LEVEL_LIKE,
    LEVEL_CONCAT,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_SIGN,
    LEVEL_CAST,
    LEVEL_ATOM
} level_e;

/** What is known of an expression's type without looking around it. */
typedef enum {
    STATE_TYPED,
    STATE_BARE,    /* a member: becomes what it is compared with */
    STATE_LITERAL, /* a string: the same */
    STATE_NULL
} state_e;

typedef struct phrase {
    const char *ours;
    const char *pgsql; /* BARE: the member as jsonb; LITERAL: the string */
    batch_query_kind_e kind;
    level_e level;
    state_e state;
    int constant;
    int numeric; /* a LITERAL that says a number */
} phrase_t;

/** What stands in FROM. */
typedef struct source {
    const char *alias; /* as a query says it before the dot; NULL: not at all */
    int qualified;     /* columns must be said with it */
    const char *table; /* the alias in PostgreSQL's text */
    const name_t *names;
    int count;
} source_t;

#define SOURCES_MOST 6

typedef struct scope {
    source_t sources[SOURCES_MOST];
    int count;
    const struct scope *outer; /* that a subquery stands in, NULL = none */
} scope_t;

typedef struct maker {
    choices_t *choices;
    const scope_t *scope;
    int relational;    /* more than one form can be asked for */
    int aliases;       /* given so far */
    int depth;         /* of SELECTs in others */
    int is_top;        /* the outermost SELECT is being made, or is to be */
    source_t withs[2]; /* alias, table: the name of WITH */
    int with_count;
    apr_pool_t *p;
} maker_t;

#define SAY(...) apr_psprintf(m->p, __VA_ARGS__)

/** An expression of a kind; BARE, LITERAL or NULL ones have yet to be settled. */
phrase_t phrase_make(maker_t *m, batch_query_kind_e kind, int fuel);

/** The same, of a type that is known. */
phrase_t phrase_typed(maker_t *m, batch_query_kind_e kind, int fuel);

/** A column or member read as a kind; a constant where there is none. */
phrase_t phrase_column(maker_t *m, batch_query_kind_e kind);

/** A constant of a kind. */
phrase_t phrase_constant(maker_t *m, batch_query_kind_e kind);

/** functions.c: a function's value; a comparison with a list. */
phrase_t phrase_function(maker_t *m, batch_query_kind_e kind, int fuel);
phrase_t phrase_listed(maker_t *m, int fuel);

/** A condition. */
phrase_t phrase_condition(maker_t *m, int fuel);

/** An expression of a random kind that is compared or ordered by. */
batch_query_kind_e phrase_kind(maker_t *m);

/**
 * Makes siblings (of a comparison, a list, a CASE) such that their common kind is known: that kind.
 */
batch_query_kind_e phrase_settle(maker_t *m, phrase_t *phrases, int count, batch_query_kind_e kind,
                                 int ordering);

/** In PostgreSQL's text, as a value of a kind. */
const char *phrase_as(maker_t *m, const phrase_t *phrase, batch_query_kind_e kind);

/** The same to be compared with another one. */
const char *phrase_compared(maker_t *m, const phrase_t *phrase, batch_query_kind_e kind);

/** In a query's text, as an operand of something of that level. */
const char *phrase_in(maker_t *m, const phrase_t *phrase, level_e level);

phrase_t phrase_cast(maker_t *m, const phrase_t *phrase, batch_query_kind_e kind);

/** A query in other words: letters of any case outside of quotes, blanks of any kind. */
const char *phrase_respell(const char *text, apr_uint64_t seed, apr_pool_t *p);

/* relational.c: subqueries in expressions */
int select_is_allowed(const maker_t *m);
phrase_t select_condition(maker_t *m, int fuel);
phrase_t select_scalar(maker_t *m, batch_query_kind_e kind, int fuel);

#endif

/*
 * A query as a tree: parsed, checked against the schema, and then evaluated for one record after
 * the other (scan.c), or compiled for the private database (compile.c). Private to query/.
 */
#ifndef BATCH_QUERY_TREE_H
#define BATCH_QUERY_TREE_H

#include "query/lexer.h"
#include "query/schema.h"

/** How deep expressions and SELECTs may be nested. */
#define BATCH_QUERY_DEPTH 100

/** What the private database's planner is given at most: it cannot be stopped while it plans. */
#define BATCH_QUERY_SELECTS 16
#define BATCH_QUERY_SOURCES 16
#define BATCH_QUERY_WINDOWS 10

typedef enum {
    BATCH_NODE_VALUE,
    BATCH_NODE_NAME,    /* parsed only: checking makes one of the next three of it */
    BATCH_NODE_COLUMN,  /* of a form: source, slot among its columns */
    BATCH_NODE_MEMBER,  /* of a form: source, slot among its members */
    BATCH_NODE_OUTPUT,  /* of a SELECT in FROM: source, slot among its outputs */
    BATCH_NODE_CONVERT, /* the child as the node's kind */
    BATCH_NODE_AND,     /* op BATCH_CHAIN_ARRAY: comparisons with what an array has, of one kind */
    BATCH_NODE_OR,      /* the same */
    BATCH_NODE_NOT,
    BATCH_NODE_COMPARE,  /* op */
    BATCH_NODE_DISTINCT, /* IS DISTINCT FROM; negated: IS NOT DISTINCT FROM */
    BATCH_NODE_IS_NULL,
    BATCH_NODE_IS_TRUTH, /* op 't' or 'f' */
    BATCH_NODE_IN,       /* the first child, among the others */
    BATCH_NODE_BETWEEN,
    BATCH_NODE_LIKE,       /* text, pattern, and the escape character if there is a third child */
    BATCH_NODE_ARITHMETIC, /* op + - * / % */
    BATCH_NODE_NEGATE,
    BATCH_NODE_CONCAT,
    BATCH_NODE_CALL, /* op: batch_function_e */
    /*
     * Pairs of a condition and a value, and a value more if there is an ELSE. op BATCH_CASE_OF: the
     * first child is what the conditions are compared with.
     */
    BATCH_NODE_CASE,
    BATCH_NODE_EXISTS,    /* select */
    BATCH_NODE_SCALAR,    /* select: its one value */
    BATCH_NODE_IN_SELECT, /* the child, among the one output of select */
    BATCH_NODE_AGGREGATE, /* op: batch_aggregate_e; distinct, filter; window NULL or where it runs
                           */
    BATCH_NODE_ARGUMENT   /* compiled only: slot among the arguments of a call */
} batch_node_type_e;

#define BATCH_CASE_OF     1
#define BATCH_CHAIN_ARRAY 1

typedef enum {
    BATCH_COMPARE_EQUAL,
    BATCH_COMPARE_UNEQUAL,
    BATCH_COMPARE_LESS,
    BATCH_COMPARE_LESS_OR_EQUAL,
    BATCH_COMPARE_GREATER,
    BATCH_COMPARE_GREATER_OR_EQUAL
} batch_compare_e;

/** Functions. X(SYMBOL, "name", least and most arguments). Several names may mean one function. */
#define BATCH_FUNCTION_LIST(X)                                                                     \
    X(ABS, "abs", 1, 1)                                                                            \
    X(AT_TIME_ZONE, "at time zone", 2, 2)                                                          \
    X(BTRIM, "btrim", 1, 2)                                                                        \
    X(CEIL, "ceil", 1, 1)                                                                          \
    X(CEILING, "ceiling", 1, 1)                                                                    \
    X(CHAR_LENGTH, "char_length", 1, 1)                                                            \
    X(CHARACTER_LENGTH, "character_length", 1, 1)                                                  \
    X(COALESCE, "coalesce", 1, 32)                                                                 \
    X(CONCAT, "concat", 1, 32)                                                                     \
    X(CONCAT_WS, "concat_ws", 2, 32)                                                               \
    X(DATE, "date", 1, 1)                                                                          \
    X(DATE_PART, "date_part", 2, 2)                                                                \
    X(DATE_TRUNC, "date_trunc", 2, 2)                                                              \
    X(EXTRACT, "extract", 2, 2)                                                                    \
    X(FCM_CONVERTTOFLOAT, "fcm_converttofloat", 1, 1)                                              \
    X(FLOOR, "floor", 1, 1)                                                                        \
    X(GREATEST, "greatest", 1, 32)                                                                 \
    X(LEAST, "least", 1, 32)                                                                       \
    X(LEFT, "left", 2, 2)                                                                          \
    X(LENGTH, "length", 1, 1)                                                                      \
    X(LOWER, "lower", 1, 1)                                                                        \
    X(LPAD, "lpad", 2, 3)                                                                          \
    X(LTRIM, "ltrim", 1, 2)                                                                        \
    X(MOD, "mod", 2, 2)                                                                            \
    X(NOW, "now", 0, 0)                                                                            \
    X(NULLIF, "nullif", 2, 2)                                                                      \
    X(POW, "pow", 2, 2)                                                                            \
    X(POWER, "power", 2, 2)                                                                        \
    X(REPLACE, "replace", 3, 3)                                                                    \
    X(RIGHT, "right", 2, 2)                                                                        \
    X(ROUND, "round", 1, 2)                                                                        \
    X(RPAD, "rpad", 2, 3)                                                                          \
    X(RTRIM, "rtrim", 1, 2)                                                                        \
    X(SIGN, "sign", 1, 1)                                                                          \
    X(SQRT, "sqrt", 1, 1)                                                                          \
    X(STARTS_WITH, "starts_with", 2, 2)                                                            \
    X(STRPOS, "strpos", 2, 2)                                                                      \
    X(SUBSTR, "substr", 2, 3)                                                                      \
    X(SUBSTRING, "substring", 2, 3)                                                                \
    X(TO_CHAR, "to_char", 2, 2)                                                                    \
    X(TRIM, "trim", 1, 2)                                                                          \
    X(TRUNC, "trunc", 1, 2)                                                                        \
    X(UPPER, "upper", 1, 1)
#define BATCH_FUNCTION_SYMBOL(symbol, name, least, most) BATCH_FUNCTION_##symbol,
typedef enum { BATCH_FUNCTION_LIST(BATCH_FUNCTION_SYMBOL) BATCH_FUNCTION_COUNT } batch_function_e;

/**
 * Aggregates, and what only a window can compute. X(SYMBOL, "name", least and most arguments, what
 * it is: 'a' an aggregate, which may have a window; 'w' needs a window).
 */
#define BATCH_AGGREGATE_LIST(X)                                                                    \
    X(COUNT, "count", 0, 1, 'a')                                                                   \
    X(SUM, "sum", 1, 1, 'a')                                                                       \
    X(TOTAL, "total", 1, 1, 'a')                                                                   \
    X(AVG, "avg", 1, 1, 'a')                                                                       \
    X(MIN, "min", 1, 1, 'a')                                                                       \
    X(MAX, "max", 1, 1, 'a')                                                                       \
    X(BOOL_AND, "bool_and", 1, 1, 'a')                                                             \
    X(BOOL_OR, "bool_or", 1, 1, 'a')                                                               \
    X(EVERY, "every", 1, 1, 'a')                                                                   \
    X(ROW_NUMBER, "row_number", 0, 0, 'w')                                                         \
    X(RANK, "rank", 0, 0, 'w')                                                                     \
    X(DENSE_RANK, "dense_rank", 0, 0, 'w')                                                         \
    X(NTILE, "ntile", 1, 1, 'w')                                                                   \
    X(LAG, "lag", 1, 3, 'w')                                                                       \
    X(LEAD, "lead", 1, 3, 'w')                                                                     \
    X(FIRST_VALUE, "first_value", 1, 1, 'w')                                                       \
    X(LAST_VALUE, "last_value", 1, 1, 'w')                                                         \
    X(NTH_VALUE, "nth_value", 2, 2, 'w')
#define BATCH_AGGREGATE_SYMBOL(symbol, name, least, most, what) BATCH_AGGREGATE_##symbol,
typedef enum { BATCH_AGGREGATE_LIST(BATCH_AGGREGATE_SYMBOL) BATCH_AGGREGATES } batch_aggregate_e;

/** The function of that name, or -1. */
int batch_function_find(const char *name);

/** The name of a function. */
const char *batch_function_name(int function);

/** The name of an aggregate, as queries write it. */
const char *batch_aggregate_name(int aggregate);

/** Offers the names of all functions. */
void batch_function_offer(batch_near_t *near);

/** Whether a TIMESTAMP has a zone: the same microseconds are another time of day then. */
typedef enum { BATCH_ZONE_UNKNOWN, BATCH_ZONE_WITH, BATCH_ZONE_WITHOUT } batch_zone_e;

typedef struct batch_node batch_node_t;
typedef struct batch_select batch_select_t;
typedef struct batch_source batch_source_t;
typedef struct batch_window batch_window_t;

struct batch_node {
    batch_node_type_e type;
    batch_query_kind_e kind; /* of its value; parsed casts have it at once */
    int op;                  /* batch_compare_e, a character, batch_function_e, … */
    int negated;             /* NOT IN, NOT LIKE, IS NOT NULL, … */
    int fold;                /* ILIKE */
    int distinct;            /* of an AGGREGATE's argument */
    int sorted;              /* IN: the values are constants in order */
    int slot;
    batch_zone_e zone; /* of a TIMESTAMP, as far as it is known */
    int checked;
    int depth;                 /* of the tree below */
    int at;                    /* where it stands in the query */
    const char *name;          /* of a NAME */
    const char *qualifier;     /* before its dot, NULL = none */
    batch_query_value_t value; /* of a VALUE */
    batch_node_t **children;
    int count;
    batch_select_t *select; /* of EXISTS, SCALAR, IN_SELECT */
    batch_source_t *source; /* of COLUMN, MEMBER, OUTPUT */
    batch_node_t *filter;   /* of an AGGREGATE, NULL = none */
    batch_window_t *window; /* the same */
};

typedef struct batch_select_item {
    batch_node_t *node;    /* NULL: a star */
    const char *qualifier; /* before the star, NULL = none */
    const char *alias;     /* NULL = none */
    int at;
} batch_select_item_t;

typedef struct batch_select_order {
    batch_node_t *node;
    int descending;
    int nulls_first;
    int output; /* set by checking: it is that output, -1 = an expression */
} batch_select_order_t;

/** Where a frame begins or ends. */
typedef struct batch_bound {
    enum {
        BATCH_BOUND_PRECEDING, /* count rows before, */
        BATCH_BOUND_CURRENT,
        BATCH_BOUND_FOLLOWING, /* or after; count -1: UNBOUNDED */
    } type;
    apr_int64_t count;
} batch_bound_t;

/** OVER (…). */
struct batch_window {
    int at;
    apr_array_header_t *partition; /* of batch_node_t * */
    apr_array_header_t *order;     /* of batch_select_order_t */
    char frame;                    /* 0 = the usual one, 'r' ROWS, 'g' RANGE */
    batch_bound_t first;
    batch_bound_t last;
};

/** A member that the query names. */
typedef struct batch_member {
    const char *name;
    apr_size_t length;
    int at;   /* where it stands first */
    int seen; /* a record has it */
} batch_member_t;

typedef enum {
    BATCH_SOURCE_FORM,
    BATCH_SOURCE_SELECT, /* in parentheses, or a name of WITH */
    BATCH_SOURCE_JOIN
} batch_source_e;

typedef enum {
    BATCH_JOIN_INNER, /* a comma and CROSS JOIN are one without a condition */
    BATCH_JOIN_LEFT,
    BATCH_JOIN_RIGHT,
    BATCH_JOIN_FULL
} batch_join_e;

/** Something in FROM. */
struct batch_source {
    batch_source_e type;
    int at;
    int number;                  /* of all forms and SELECTs in FROM of the whole query, from 0 */
    const char *alias;           /* of a form or SELECT, NULL = none */
    apr_array_header_t *renames; /* of const batch_token_t *: a SELECT's columns, NULL = its own */
    /* A form: */
    const batch_token_t *form;   /* its name or id; NULL: the operation's own */
    apr_array_header_t *columns; /* checked: of const batch_query_column_t *, by slot; the first is
                                    the record's id */
    apr_array_header_t *members; /* checked: of batch_member_t, by slot */
    /* A SELECT: */
    batch_select_t *select;
    int with; /* which of the statement's WITH, -1 = none: select is that one's, shared */
    /* A join: */
    batch_join_e join;
    batch_source_t *left;
    batch_source_t *right;
    batch_node_t *on;          /* NULL = none */
    apr_array_header_t *using; /* of const batch_token_t *, NULL = none; checking makes on of it */
};

/** A column of a SELECT's result. */
typedef struct batch_output {
    const char *name;   /* "" = none */
    batch_node_t *node; /* what is selected; of a set operation NULL */
    batch_query_kind_e kind;
    int at;
} batch_output_t;

typedef enum { BATCH_SET_NONE, BATCH_SET_UNION, BATCH_SET_INTERSECT, BATCH_SET_EXCEPT } batch_set_e;

/** A SELECT, or two that a set operation joins, or a predicate alone; with what stands behind it.
 */
struct batch_select {
    int at;
    /* A set operation: */
    batch_set_e set;
    int all;
    batch_select_t *left;
    batch_select_t *right;
    /* A SELECT: */
    int distinct;
    apr_array_header_t
        *items;           /* of batch_select_item_t; none: a predicate alone, whose id is meant */
    batch_source_t *from; /* NULL = none */
    batch_node_t *where;
    apr_array_header_t *groups; /* of batch_node_t * */
    batch_node_t *having;
    /* Of all: */
    apr_array_header_t *order; /* of batch_select_order_t */
    apr_int64_t limit;         /* -1 = none */
    apr_int64_t offset;
    /* Set by checking: */
    apr_array_header_t *outputs; /* of batch_output_t: stars are written out */
    int is_grouped;              /* it has groups or aggregates */
};

/** A name of WITH. */
typedef struct batch_with {
    const char *name;
    int at;
    apr_array_header_t
        *columns; /* of const batch_token_t *: names of its outputs, NULL = its own */
    batch_select_t *select;
} batch_with_t;

/** A name that may mean a column or a member. */
typedef struct batch_query_name_use {
    const char *name;
    int at; /* where it stands first */
} batch_query_name_use_t;

/** The whole query. */
typedef struct batch_statement {
    batch_select_t *select;
    apr_array_header_t *withs; /* of batch_with_t */
    apr_array_header_t *forms; /* of batch_source_t *: all sources that are forms */
    apr_array_header_t *all;   /* of batch_select_t *: all SELECTs, wherever they stand */
    apr_array_header_t *names; /* of batch_query_name_use_t: each once */
    int sources;               /* numbers given */
    int selects;
    int windows;
    /* Set by checking: */
    int is_scan;           /* one form, and nothing that needs more than one record at a time */
    int is_guess;          /* without membership: a name could mean something else */
    int id;                /* which of the outputs is the id: of any kind but INTERVAL */
    batch_node_t *id_text; /* is_scan: the id as a TEXT */
    int id_is_key;         /* it is the record's own id: no two are the same */
} batch_statement_t;

/** Parses; NULL with a fault in text. */
batch_statement_t *batch_query_parse(batch_query_text_t *text);

/** What is known of the members that the forms' records have. */
typedef struct batch_membership {
    /* 1 if a record of the form has that member, 0 if none has, -1 if the form has no records. */
    int (*has)(void *baton, const batch_source_t *form, const char *name);
    /* Offers the names of all members that there are. */
    void (*offer)(void *baton, batch_near_t *near);
    void *baton;
} batch_membership_t;

/**
 * Gives names and kinds their meaning. membership: NULL where it is not known: then a name without
 * a qualifier that several forms could have is taken for the first one's, and no member is missing.
 * 0 with a fault in text. now: in microseconds.
 */
int batch_query_check_statement(batch_statement_t *statement, batch_query_text_t *text,
                                const batch_query_schema_t *schema,
                                const batch_membership_t *membership, apr_time_t now);

/** A record, as evaluating sees it. */
typedef struct batch_record {
    const batch_query_value_t *columns;   /* by slot */
    const batch_query_value_t *members;   /* by slot */
    const batch_query_value_t *arguments; /* by slot, of compiled calls */
} batch_record_t;

/** The value of a checked node for a record. */
batch_query_value_t batch_query_evaluate(const batch_node_t *node, const batch_record_t *record,
                                         batch_query_room_t *room);

/**
 * Conditions on a form in the SELECT's FROM that the database can decide for itself: what of the
 * WHERE is joined by AND and compares a column of texts with constants. They let no record out that
 * the WHERE lets in.
 */
apr_array_header_t *batch_query_wheres(const batch_select_t *select, const batch_source_t *form,
                                       apr_pool_t *p);

#endif

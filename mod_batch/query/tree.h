/*
 * A SELECT over one form as a tree: parsed, checked against the schema, and evaluated for one
 * record after the other. Private to query/.
 */
#ifndef BATCH_QUERY_TREE_H
#define BATCH_QUERY_TREE_H

#include "query/lexer.h"
#include "query/schema.h"

/** How deep expressions may be nested. */
#define BATCH_QUERY_DEPTH 100

typedef enum {
    BATCH_NODE_VALUE,
    BATCH_NODE_NAME,    /* parsed only: checking makes a column or a member of it */
    BATCH_NODE_COLUMN,  /* slot: which of the walk's columns */
    BATCH_NODE_MEMBER,  /* slot: which of the members */
    BATCH_NODE_CONVERT, /* the child as the node's kind */
    BATCH_NODE_AND,
    BATCH_NODE_OR,
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
    BATCH_NODE_CALL /* function */
} batch_node_type_e;

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

/** The function of that name, or -1. */
int batch_function_find(const char *name);

/** Offers the names of all functions. */
void batch_function_offer(batch_near_t *near);

/** Whether a TIMESTAMP has a zone: the same microseconds are another time of day then. */
typedef enum { BATCH_ZONE_UNKNOWN, BATCH_ZONE_WITH, BATCH_ZONE_WITHOUT } batch_zone_e;

typedef struct batch_node batch_node_t;
struct batch_node {
    batch_node_type_e type;
    batch_query_kind_e kind; /* of its value; parsed casts have it at once */
    int op;                  /* batch_compare_e, a character, or batch_function_e */
    int negated;             /* NOT IN, NOT LIKE, IS NOT NULL, … */
    int fold;                /* ILIKE */
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
};

typedef struct batch_select_item {
    batch_node_t *node; /* NULL: a star */
    const char *alias;  /* NULL = none */
    int at;
} batch_select_item_t;

typedef struct batch_select_order {
    batch_node_t *node;
    int descending;
    int nulls_first;
} batch_select_order_t;

/** A SELECT over one form, or a predicate alone. */
typedef struct batch_select {
    apr_array_header_t *items; /* of batch_select_item_t; none: a predicate alone */
    const batch_token_t *form; /* name or id; NULL: the operation's own */
    const char *alias;         /* of the form, NULL = none */
    batch_node_t *where;
    apr_array_header_t *order; /* of batch_select_order_t */
    apr_int64_t limit;         /* -1 = none */
    apr_int64_t offset;
    int distinct;
    /* Set by checking: */
    batch_node_t *id;            /* what is selected, as a TEXT */
    int id_is_key;               /* it is the record's own id: no two are the same */
    apr_array_header_t *columns; /* of const batch_query_column_t *: what is read, by slot */
    apr_array_header_t *members; /* of batch_member_t, by slot */
} batch_select_t;

/** A member that the query names. */
typedef struct batch_member {
    const char *name;
    apr_size_t length;
    int at;   /* where it stands first */
    int seen; /* a record has it */
} batch_member_t;

/**
 * Parses; NULL with a fault in text. *beyond: the fault is something that this grammar does not
 * have but SQL does, so that the query may still be a good one.
 */
batch_select_t *batch_query_parse(batch_query_text_t *text, int *beyond);

/** Gives names and kinds their meaning. 0 with a fault in text. now: in microseconds. */
int batch_query_check_select(batch_select_t *select, batch_query_text_t *text,
                             const batch_query_schema_t *schema, apr_time_t now);

/** A record, as evaluating sees it. */
typedef struct batch_record {
    const batch_query_value_t *columns; /* by slot */
    const batch_query_value_t *members; /* by slot */
} batch_record_t;

/** The value of a checked node for a record. */
batch_query_value_t batch_query_evaluate(const batch_node_t *node, const batch_record_t *record,
                                         batch_query_room_t *room);

/**
 * Conditions that the database can decide for itself: what of the WHERE is joined by AND and
 * compares a column of texts with constants. They let no record out that the WHERE lets in.
 */
apr_array_header_t *batch_query_wheres(const batch_select_t *select, apr_pool_t *p);

#endif

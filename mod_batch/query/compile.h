/*
 * A checked statement as SQL for the private database. Private to query/.
 *
 * SQLite does what relations need: joins, groups, sets, windows, order, and comparing what is of
 * one kind already. Whatever computes is a call e(K, argument, …) of one function, which has
 * batch_query_evaluate evaluate the K-th of the statement's calls: there is one meaning only.
 * Nothing of the client's text is in the SQL: names are letters with numbers, constants are bound.
 *
 * Values are stored by their kind: a TEXT as text; INTEGER, BOOLEAN (0, 1), DATE and TIMESTAMP
 * (microseconds) as integers; a NUMBER as integer or real. A MEMBER has the type that it has in its
 * record: a boolean is a blob of one byte then, so that numbers, texts and booleans are ordered one
 * after the other.
 */
#ifndef BATCH_QUERY_COMPILE_H
#define BATCH_QUERY_COMPILE_H

#include "query/tree.h"

/** Arguments that one call has at most. */
#define BATCH_COMPILE_ARGUMENTS 100

/** Columns that a SELECT can have, and terms behind GROUP BY and ORDER BY. */
#define BATCH_COMPILE_COLUMNS 250

/**
 * SELECTs that are compiled at most: what stands in GROUP BY and is selected, too, is compiled more
 * than once, with all that is in it.
 */
#define BATCH_COMPILE_SELECTS 64

/** What e(K, …) evaluates: a tree whose ARGUMENTs are what it is called with. */
typedef struct batch_compiled_call {
    const batch_node_t *node;
    const batch_query_kind_e *kinds; /* of the arguments */
    int count;
} batch_compiled_call_t;

/** A name of WITH: a table c and its number, which is filled before the statement runs. */
typedef struct batch_compiled_with {
    const char *create;
    const char *fill;
} batch_compiled_with_t;

typedef struct batch_compiled {
    const char *sql;
    apr_array_header_t *withs;     /* of batch_compiled_with_t: those that are used, in order */
    apr_array_header_t *constants; /* of const batch_node_t *: VALUEs, to be bound in order */
    apr_array_header_t *calls;     /* of batch_compiled_call_t */
    int sets;                      /* numbers given to SELECTs that members are looked up in */
    int id;                        /* which of the result's columns is the id */
} batch_compiled_t;

/** Where the forms' records are: tables t0, t1, … with columns k (the id), n0, n1, … */
typedef struct batch_compile_tables {
    const int *tables;   /* by the number of a source that is a form */
    apr_hash_t *columns; /* of const int *, by the name of a column or member */
} batch_compile_tables_t;

/** 0 with a fault in text: it is nested too deeply, or has too many columns. */
int batch_query_compile(batch_compiled_t *compiled, const batch_statement_t *statement,
                        const batch_compile_tables_t *tables, batch_query_text_t *text);

/* ---- The parts of compiling ------------------------------------------------------------------ */

/** What of a value matters. */
typedef enum {
    BATCH_USE_VALUE,
    BATCH_USE_TRUTH /* only whether it is true */
} batch_use_e;

/** What of a SELECT is needed. */
typedef enum {
    BATCH_NEED_ALL,
    BATCH_NEED_ID,  /* of the whole statement */
    BATCH_NEED_ROWS /* whether there is one */
} batch_need_e;

typedef struct batch_compiler {
    const batch_statement_t *statement;
    const batch_compile_tables_t *tables;
    batch_compiled_t *compiled;
    batch_query_text_t *text;
    apr_array_header_t *pieces;   /* of const char * */
    const batch_select_t *select; /* the innermost that is being compiled */
    apr_uint32_t around;          /* a bit for each source of the SELECTs around it */
    unsigned char *used;          /* by a name's number in WITH */
    int nesting;                  /* entries of the stack of SQLite's parser, which is small */
    int selects;                  /* that have been compiled */
    int terms;                    /* that the planner sees */
} batch_compiler_t;

/** Adds to the SQL. */
void batch_emit(batch_compiler_t *compiler, const char *sql);
void batch_emit_number(batch_compiler_t *compiler, const char *before, apr_int64_t number);

/** What SQLite's parser has on its stack while it reads what stands within. */
#define BATCH_STACK_OPERAND 3
#define BATCH_STACK_CALL    5
#define BATCH_STACK_CASE    7
#define BATCH_STACK_SELECT  9
#define BATCH_STACK_JOIN    4
#define BATCH_STACK_MOST    90

/** Something that nests begins: entries that it takes. A fault at that place of the query if there
 * is no room for them. */
void batch_compile_enter(batch_compiler_t *compiler, int entries, int at);
void batch_compile_leave(batch_compiler_t *compiler, int entries);

/** compile.c: an expression. */
void batch_compile_node(batch_compiler_t *compiler, const batch_node_t *node, batch_use_e use);

/** compile_calls.c: the node as a call of e. */
void batch_compile_call(batch_compiler_t *compiler, const batch_node_t *node);

/** compile_calls.c: 1 if there is a subquery in it. */
int batch_compile_has_select(const batch_node_t *node);

/* compile_names.c */

/** A bit for each form and SELECT of a FROM, by its number. */
apr_uint32_t batch_compile_sources(const batch_source_t *from);

/** The same for all that is named in an expression, or in a SELECT inside of it. */
apr_uint32_t batch_compile_named(const batch_node_t *node);

/** What an expression names: behind GROUP BY and ORDER BY SQLite sees nothing of what is around. */
typedef enum {
    BATCH_TERM_CONSTANT, /* nothing, or only sources of the SELECTs around: it is one value here */
    BATCH_TERM_OWN,
    BATCH_TERM_MIXED
} batch_term_e;

batch_term_e batch_compile_term(const batch_compiler_t *compiler, const batch_node_t *node);

/** How many rows of a SELECT are enough, if not some. */
#define BATCH_MOST_ALL  (-1)
#define BATCH_MOST_KEPT (-2) /* all; and SQLite must not merge the SELECT with another */

/** compile_select.c: a SELECT without parentheses. */
void batch_compile_select(batch_compiler_t *compiler, const batch_select_t *select,
                          batch_need_e need, apr_int64_t most);

/** compile_select.c: 1 if it never has more than one row. */
int batch_compile_is_single(const batch_select_t *select);

/** compile_order.c: an aggregate, or what a window computes. */
void batch_compile_aggregate(batch_compiler_t *compiler, const batch_node_t *node);

/**
 * compile_order.c: 1 if there is something in the SELECT's ORDER BY that can only be selected: as
 * columns r0, r1, … beside the others, and be ordered by around that.
 */
int batch_compile_is_wrapped(const batch_compiler_t *compiler, const batch_select_t *select);

/** compile_order.c: these columns. */
void batch_compile_order_columns(batch_compiler_t *compiler, const batch_select_t *select);

/** compile_order.c: ORDER BY, LIMIT and OFFSET of a SELECT. */
void batch_compile_order(batch_compiler_t *compiler, const batch_select_t *select,
                         batch_need_e need, apr_int64_t most);

#endif

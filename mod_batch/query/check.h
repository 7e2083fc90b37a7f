/* What the parts of the checker share. Private to query/. */
#ifndef BATCH_QUERY_CHECK_H
#define BATCH_QUERY_CHECK_H

#include "query/tree.h"

/** What constants may take that are computed before the query runs. */
#define BATCH_QUERY_FOLDING ((apr_size_t)1024 * 1024)

/** A name that USING has made one of two. */
typedef struct batch_merged {
    const char *name;
    batch_node_t *node;     /* what it means */
    batch_source_t *source; /* the join's left side, whose own name is hidden by it, … */
    batch_source_t *other;  /* … and the right one's */
    int is_hidden;          /* another USING has made one of it and a third name */
} batch_merged_t;

/** What is being checked of a SELECT: decides whether aggregates and windows may stand there. */
typedef enum {
    BATCH_CLAUSE_ON,
    BATCH_CLAUSE_WHERE,
    BATCH_CLAUSE_GROUP,
    BATCH_CLAUSE_ITEMS,
    BATCH_CLAUSE_HAVING,
    BATCH_CLAUSE_ORDER
} batch_clause_e;

/** The names that a SELECT sees: its own sources', then those of the SELECTs around it. */
typedef struct batch_scope batch_scope_t;
struct batch_scope {
    batch_scope_t *parent;       /* NULL: the outermost */
    apr_array_header_t *sources; /* of batch_source_t *: forms and SELECTs */
    apr_array_header_t *merged;  /* of batch_merged_t */
    batch_clause_e clause;
    int aggregates;   /* found so far, outside of windows' own */
    int in_aggregate; /* its arguments are being checked */
    int in_window;    /* so are a window's, or what stands in its OVER */
};

typedef struct batch_checker {
    batch_statement_t *statement;
    batch_query_text_t *text;
    const batch_query_schema_t *schema;
    const batch_membership_t *membership; /* NULL = not known */
    apr_time_t now;
    batch_scope_t *scope; /* where we are */
} batch_checker_t;

/* check.c. What returns an int returns 0 with a fault in the text. */

/** The child as another kind. */
batch_node_t *batch_check_wrap(const batch_checker_t *checker, batch_node_t *child,
                               batch_query_kind_e kind);

/** Makes *place give values of that kind, if it can without guessing. */
int batch_check_require(const batch_checker_t *checker, batch_node_t **place,
                        batch_query_kind_e kind);

/** Brings what stands in some places to one kind, as operands of what stands at byte at. */
int batch_check_unify_places(const batch_checker_t *checker, batch_node_t **places[], int count,
                             int at, batch_query_kind_e *kind);

/** Checks an expression in the checker's scope. */
int batch_check(batch_checker_t *checker, batch_node_t *node);

/** The same for all children. */
int batch_check_require_all(const batch_checker_t *checker, batch_node_t *node,
                            batch_query_kind_e kind);

/** Brings the children to one kind, which is *kind. */
int batch_check_unify(const batch_checker_t *checker, batch_node_t *node, batch_query_kind_e *kind);

/** Makes *place, which is anything but an interval, give texts. */
int batch_check_text(const batch_checker_t *checker, batch_node_t **place);

/** What can be negated: INTEGER stays, all else is a NUMBER. */
int batch_check_negate(const batch_checker_t *checker, batch_node_t *node);

/** Whether the child can be cast to the node's kind. */
int batch_check_cast(const batch_checker_t *checker, batch_node_t *node);

/* check_calls.c */

/** + and - with a time: *is_one says whether this is one. */
int batch_check_time_arithmetic(const batch_checker_t *checker, batch_node_t *node, int *is_one);

/** A function, whose arguments are checked already. */
int batch_check_call(const batch_checker_t *checker, batch_node_t *node);

/* check_names.c */

/** Makes a column, member or output of a NAME. */
int batch_check_name(batch_checker_t *checker, batch_node_t *node);

/** A column of a form, as a node that is checked. */
batch_node_t *batch_check_column(const batch_checker_t *checker, batch_source_t *form,
                                 const batch_query_column_t *column, int at);

/** A member of a form, as a node that is checked. */
batch_node_t *batch_check_member(const batch_checker_t *checker, batch_source_t *form,
                                 const char *name, int at);

/** An output of a SELECT in FROM, as a node that is checked. */
batch_node_t *batch_check_output(const batch_checker_t *checker, batch_source_t *source, int slot,
                                 int at);

/** The name by which a query calls a form or SELECT in FROM; "" = it has none. */
const char *batch_check_source_name(const batch_source_t *source);

/** 1 if the form has that member, as far as is known; sets statement->is_guess where it is not. */
int batch_check_has(const batch_checker_t *checker, const batch_source_t *form, const char *name);

/** 1 if USING has made one of that source's name and another's. */
int batch_check_is_merged(const batch_scope_t *scope, const batch_source_t *source,
                          const char *name);

/** 1 if a source of the scope has something of that name, as far as is known. */
int batch_check_sees(const batch_checker_t *checker, const char *name);

/* check_aggregates.c */

/** An aggregate, or what a window computes. */
int batch_check_aggregate(batch_checker_t *checker, batch_node_t *node);

/** That all of a grouped SELECT's outputs, HAVING and ORDER BY are of its groups. */
int batch_check_groups(const batch_checker_t *checker, const batch_select_t *select);

/** 1 if two checked expressions are the same. */
int batch_check_same(const batch_node_t *a, const batch_node_t *b);

/* check_from.c */

/** Checks what stands in FROM: its sources come into the scope. */
int batch_check_from(batch_checker_t *checker, batch_source_t *source);

/* check_outputs.c */

/** What stands behind SELECT: makes the outputs, stars written out. */
int batch_check_items(batch_checker_t *checker, batch_select_t *select);

/** A string that is selected is a text where nothing around it has said otherwise. */
int batch_check_settle_outputs(const batch_checker_t *checker, batch_select_t *select);

/** Makes an output give values of a kind, on all sides of set operations. */
int batch_check_require_output(const batch_checker_t *checker, batch_select_t *select, int i,
                               batch_query_kind_e kind);

/** The kind in which an output and another value can be compared. */
int batch_check_unify_output(const batch_checker_t *checker, batch_query_kind_e *kind,
                             const batch_select_t *select, const batch_node_t *other, int i);

/* check_select.c */

/** A SELECT; scope: what it sees beside its own, NULL = nothing. */
int batch_check_select(batch_checker_t *checker, batch_select_t *select, batch_scope_t *scope);

/** EXISTS, IN or a value: a SELECT in an expression, whose child is checked already. */
int batch_check_subquery(batch_checker_t *checker, batch_node_t *node);

#endif

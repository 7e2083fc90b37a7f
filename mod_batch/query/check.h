/* What the parts of the checker share. Private to query/. */
#ifndef BATCH_QUERY_CHECK_H
#define BATCH_QUERY_CHECK_H

#include "query/tree.h"

/** What constants may take that are computed before the query runs. */
#define BATCH_QUERY_FOLDING ((apr_size_t)1024 * 1024)

typedef struct batch_checker {
    batch_select_t *select;
    batch_query_text_t *text;
    const batch_query_schema_t *schema;
    apr_time_t now;
} batch_checker_t;

/* check.c. What returns an int returns 0 with a fault in the text. */

/** The child as another kind. */
batch_node_t *batch_check_wrap(const batch_checker_t *checker, batch_node_t *child,
                               batch_query_kind_e kind);

/** Makes *place give values of that kind, if it can without guessing. */
int batch_check_require(const batch_checker_t *checker, batch_node_t **place,
                        batch_query_kind_e kind);

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

#endif

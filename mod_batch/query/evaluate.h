/* What the parts of the evaluator share. Private to query/. */
#ifndef BATCH_QUERY_EVALUATE_H
#define BATCH_QUERY_EVALUATE_H

#include "query/tree.h"

/** One evaluation of a tree. */
typedef struct batch_evaluation {
    const batch_record_t *record;
    batch_query_room_t *room;
} batch_evaluation_t;

/* evaluate.c */

/** The value of a node. */
batch_query_value_t batch_evaluate(const batch_evaluation_t *with, const batch_node_t *node);

/* evaluate_calls.c */

/** The value of a CALL. */
batch_query_value_t batch_evaluate_call(const batch_evaluation_t *with, const batch_node_t *node);

#endif

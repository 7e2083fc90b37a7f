/*
 * An operation of the records API as a request asked for it: read by payload/, judged and frozen
 * by jobs.c.
 */
#ifndef BATCH_ENGINE_OPERATION_H
#define BATCH_ENGINE_OPERATION_H

#include "batch.h"

/** An operation. Members are as the client sent them; what is absent is NULL or 0. */
typedef struct batch_operation {
    const char *action;
    const char *resource;
    const char *form_id;
    int has_ids;
    apr_int64_t ids_sent; /* elements of ids, duplicates included */
    int ids_over;         /* more than the limit of distinct ids: ids holds only the first ones */
    apr_array_header_t *ids; /* of batch_item_t: distinct keys with the ordinal of their first
                                appearance, in the order sent; of a query, once it has been run:
                                what it has selected */
    const char *query;
    int has_data;
    apr_array_header_t *data; /* of batch_value_t: the members of data, in the order sent */
} batch_operation_t;

/** Bytes of operations that a job keeps, less the ids of the first. */
#define BATCH_OPERATIONS_KEPT 1048576

/** A request to create a batch, or to add operations to one. */
typedef struct batch_operations_request {
    int start;               /* true when absent */
    int operation_count;     /* 0: none given */
    batch_operation_t first; /* the only one that runs */
    const char *text;  /* all operations as JSON text, less the ids of the first; NULL = none */
    const char *whole; /* of a request that adds some, where the first has ids: with them, each
                          once; else NULL */
} batch_operations_request_t;

#endif

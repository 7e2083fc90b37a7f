/* From the skeleton of a request (all but the ids of its first operation) to its members. */
#ifndef BATCH_PAYLOAD_OPERATIONS_SHAPE_H
#define BATCH_PAYLOAD_OPERATIONS_SHAPE_H

#include "payload/operations.h"

/** Members that the data of an operation may have. */
#define BATCH_DATA_MEMBERS 1000

/** Bytes that the name of such a member may have. */
#define BATCH_DATA_NAME_BYTES 255

/** Problems that are listed one by one; the rest is only counted. */
#define BATCH_PROBLEMS_LISTED 100

/** A list of problems that cannot grow with what the client sends. */
typedef struct batch_problem_list {
    batch_problems_t *problems;
    int listed;       /* of problems, by this list */
    apr_int64_t more; /* that were only counted */
} batch_problem_list_t;

/** Adds a problem, or counts it. The field is formatted into the pool of list->problems. */
void batch_problem_list_add(batch_problem_list_t *list, const char *message, const char *field_fmt,
                            ...) __attribute__((format(printf, 3, 4)));

/**
 * Reads all but the ids: start, operation_count, text, and the first operation (has_ids if there is
 * an array); strings in p. Adds to list what is missing, has a wrong type, or is given twice.
 */
void batch_operations_read_shape(batch_operations_request_t *request, batch_problem_list_t *list,
                                 batch_body_e body, const char *skeleton, apr_size_t length,
                                 apr_pool_t *p);

#endif

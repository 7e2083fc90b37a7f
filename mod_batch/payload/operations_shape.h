/* From the skeleton of a request (all but the ids of its first operation) to its members. */
#ifndef BATCH_PAYLOAD_OPERATIONS_SHAPE_H
#define BATCH_PAYLOAD_OPERATIONS_SHAPE_H

#include "payload/operations.h"
#include "payload/request_shape.h"

/**
 * Reads all but the ids: start, operation_count, text, and the first operation (has_ids if there is
 * an array); strings in p. ptemp is cleared. Adds to list what is missing, has a wrong type, or is
 * given twice.
 */
void batch_operations_read_shape(batch_operations_request_t *request, batch_problem_list_t *list,
                                 batch_body_e body, const batch_json_slice_t *text, apr_pool_t *p,
                                 apr_pool_t *ptemp);

#endif

/* A body of the resources API that comes in slices. */
#ifndef BATCH_SLICES_H
#define BATCH_SLICES_H

#include <stdlib.h>
#include <string.h>

#include "payload/resources_body.h"

/**
 * Feeds body with bytes in slices of that size, each from memory of its own, so that a tool sees a
 * read beside it; and finishes it. What feeding or finishing has said.
 */
static apr_status_t read_in_slices(batch_resources_request_t *request, batch_resources_body_t *body,
                                   const char *bytes, apr_size_t size, apr_size_t slice,
                                   batch_error_t *err)
{
    apr_status_t status = APR_SUCCESS;

    for (apr_size_t at = 0; at < size && status == APR_SUCCESS; at += slice) {
        apr_size_t left = size - at < slice ? size - at : slice;
        char *copy = malloc(left);

        memcpy(copy, bytes + at, left);
        status = batch_resources_body_feed(body, copy, left, err);
        free(copy);
    }
    return status == APR_SUCCESS ? batch_resources_body_finish(request, body, err) : status;
}

#endif

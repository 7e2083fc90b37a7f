/*
 * Requests of the records API: bytes of a JSON body -> batch_operations_request_t.
 *
 * The body is read as it arrives and is never held whole: the ids of the first operation are taken
 * out one by one and only the distinct ones are kept, up to the limit; all the rest of the
 * document may have BATCH_OPERATIONS_BYTES.
 */
#ifndef BATCH_PAYLOAD_OPERATIONS_H
#define BATCH_PAYLOAD_OPERATIONS_H

#include "batch.h"
#include "engine/jobs.h"
#include "engine/operation.h"
#include "text/sink.h"

/** Limit of a document less the ids of its first operation. */
#define BATCH_OPERATIONS_BYTES BATCH_OPERATIONS_KEPT

/** Limit of one id, in bytes. */
#define BATCH_ID_BYTES 255

typedef enum {
    BATCH_BODY_CREATE,    /* {"batch":{"start":…,"operations":[…]}} */
    BATCH_BODY_OPERATIONS /* {"operations":[…]} */
} batch_body_e;

typedef struct batch_operations_parser batch_operations_parser_t;

/** Makes a parser in p. max_objects: how many distinct ids are kept at most. */
batch_operations_parser_t *batch_operations_parser_make(batch_body_e body, apr_int64_t max_objects,
                                                        apr_pool_t *p);

/**
 * Takes the next bytes of the body. BATCH_EMALFORMED: not JSON (RFC 8259), with err->line,
 * err->column and a message for the client; BATCH_ETOOLARGE: over BATCH_OPERATIONS_BYTES.
 */
apr_status_t batch_operations_parser_feed(batch_operations_parser_t *parser, const char *bytes,
                                          apr_size_t length, batch_error_t *err);

/**
 * Ends the body. Adds a problem for each member that is missing where the shape needs it, or that
 * has a wrong type, with its field as "operations[0].ids[3]"; *request holds what could be read,
 * strings in the parser's pool. Statuses as feed. problems being non-empty is not a failure.
 */
apr_status_t batch_operations_parser_finish(batch_operations_request_t *request,
                                            batch_operations_parser_t *parser,
                                            batch_problems_t *problems, batch_error_t *err);

/** The query of the first of some operations, as the engine asks for it. */
batch_query_of_fn batch_operations_query;

/** Writes the operations of the request as a JSON array, the ids of the first one included. */
apr_status_t batch_operations_write(const batch_sink_t *sink,
                                    const batch_operations_request_t *request, apr_pool_t *ptemp);

#endif

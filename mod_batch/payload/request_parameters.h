/*
 * The members of a create that has a file for its body: they come as parameters of its URL, or
 * as fields of its form, and are read by the same rules as those of a request in JSON.
 */
#ifndef BATCH_PAYLOAD_REQUEST_PARAMETERS_H
#define BATCH_PAYLOAD_REQUEST_PARAMETERS_H

#include "batch.h"
#include "engine/intake.h"

/** The value of a parameter, decoded; NULL where there is none. */
typedef const char *batch_parameter_fn(void *baton, const char *name);

/**
 * Reads them into *request, whose other members are set to what they are when absent: mode, action,
 * resource, duplicate_handling, words; save_upload, atomic, allow_empty, true or false; properties,
 * a JSON object. Adds a problem for each that is wrong or not available. Returns the names of those
 * that were given: an array of const char *.
 */
apr_array_header_t *batch_request_parameters_read(batch_resources_request_t *request,
                                                  batch_problems_t *problems,
                                                  batch_parameter_fn *get, void *baton,
                                                  apr_pool_t *p);

/** 1 if a parameter of that name is one of these; name may be NULL. */
int batch_request_parameter_is_known(const char *name);

/**
 * What is wrong with a name that may have been meant as one of these: a message in p, NULL for
 * nothing, or for no name (request_words.h).
 */
const char *batch_request_parameter_wrong(const char *name, apr_pool_t *p);

/**
 * Reads the members of a request: text is a checked JSON object (json_reader.h). Sets all of
 * *request but via and checksum, strings in p; adds a problem for each member that is wrong.
 */
void batch_request_members_read(batch_resources_request_t *request, const char *text,
                                apr_size_t length, batch_problems_t *problems, apr_pool_t *p);

#endif

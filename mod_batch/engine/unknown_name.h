/* What a person may have meant by the name of a member that a resource does not have. */
#ifndef BATCH_ENGINE_UNKNOWN_NAME_H
#define BATCH_ENGINE_UNKNOWN_NAME_H

#include "batch.h"

/**
 * Words to stand behind "is not a member of the resource …": an invisible character in the name, or
 * the name that it is misspelt for; "" where there is nothing to say. In p.
 */
const char *batch_unknown_name_words(const batch_resource_t *resource, const char *name,
                                     apr_size_t length, apr_pool_t *p);

#endif

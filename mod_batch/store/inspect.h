/* What the administrator's tables are like, and which of it does not fit a resource. */
#ifndef BATCH_STORE_INSPECT_H
#define BATCH_STORE_INSPECT_H

#include "store/store.h"

/** What of a resource does not fit the database. */
typedef struct batch_misfit {
    const char *directive; /* the line of the resource that says otherwise */
    const char *message;   /* a sentence for the administrator: clients never see it */
    unsigned actions;      /* bit (1u << batch_action_e) of each that cannot be done because of it;
                              0: it may surprise, and that is all */
} batch_misfit_t;

/** An empty list of batch_misfit_t in p. */
apr_array_header_t *batch_misfits_make(apr_pool_t *p);

/** The actions that any of them rules out. */
unsigned batch_misfits_actions(const apr_array_header_t *misfits);

/** What is known of a resource's table. */
typedef struct batch_table_known {
    batch_key_type_e key_type; /* of the key's column */
    /*
     * No item of a batch can be seen by another: the table has no triggers, no unique index but of
     * the key or of key and scope, which compare as the columns do; no foreign key onto itself, and
     * no numbers that the database gives; rows are not found by match; and keys of different
     * spelling are those of different rows. So it does not matter in which order items with
     * different keys are applied.
     */
    int independent;
} batch_table_known_t;

/**
 * Compares a resource with the real tables: table, key, match, scope, stamps, columns, and the
 * form's table; the privileges that each action needs; what the columns rule out (a generated key
 * in a column of numbers, keys of the database in one that makes none, a scope column that takes
 * two organizations for one, client-made keys that are unique over all organizations); and what may
 * surprise. misfits (of batch_misfit_t) is what was found, and empty where all fits. *known (or
 * NULL): of the table; where a table or a column is missing, of a key of texts.
 */
apr_status_t batch_store_compare(batch_store_t *store, apr_array_header_t *misfits,
                                 batch_table_known_t *known, const batch_resource_t *resource,
                                 batch_error_t *err, apr_pool_t *ptemp);

/** *independent: as in batch_table_known_t, of the table as it is now. */
apr_status_t batch_store_independent(batch_store_t *store, int *independent,
                                     const batch_resource_t *resource, batch_error_t *err,
                                     apr_pool_t *ptemp);

/** Adds a batch_misfit_t; the message is formatted into the list's pool. For drivers. */
void batch_misfit_add(apr_array_header_t *misfits, const char *directive, unsigned actions,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif

/*
 * Which resources fit the database, as the processes of an httpd know it: in memory that they
 * share.
 *
 * What does not fit takes nothing else with it. An action whose resource names a table or column
 * that is not there, or for which our role lacks a privilege, is *out of service* until it fits:
 *
 *     unknown ── a look ──> in service <── a look ──> out of service
 *                               │  ^
 *        the database refuses   │  │ after a while
 *        a statement, though    v  │
 *        the look finds nothing: suspended
 *
 * Looks are taken when httpd starts, when a request needs what is not in service, when a statement
 * of a worker or a request fails, and by the workers from time to time.
 */
#ifndef BATCH_STORE_FITNESS_H
#define BATCH_STORE_FITNESS_H

#include "store/inspect.h"

typedef struct batch_fitness batch_fitness_t;

/**
 * Makes what the processes share of these resources (name -> const batch_resource_t *), all of them
 * unknown. To be called by the parent before it forks; lives in p.
 */
apr_status_t batch_fitness_create(batch_fitness_t **fitness, apr_hash_t *resources,
                                  batch_error_t *err, apr_pool_t *p);

/** 1 if the action is in service, as far as is known. No question to the database. */
int batch_fitness_serves(const batch_fitness_t *fitness, const batch_resource_t *resource,
                         batch_action_e action);

/** Notes what batch_store_compare has found. */
void batch_fitness_note(batch_fitness_t *fitness, const batch_resource_t *resource,
                        const apr_array_header_t *misfits, const batch_table_known_t *known);

/** The resource's table as the last look has found it: while an action of it is in service. */
batch_table_known_t batch_fitness_known(const batch_fitness_t *fitness,
                                        const batch_resource_t *resource);

/**
 * For a request: APR_SUCCESS if the action is in service. What is not is looked at first, but no
 * more than once a second. BATCH_EUNFIT: it is out of service; or as batch_store_compare.
 */
apr_status_t batch_fitness_ask(batch_fitness_t *fitness, batch_store_t *store,
                               const batch_resource_t *resource, batch_action_e action,
                               batch_error_t *err, apr_pool_t *ptemp);

/**
 * A statement for the action has failed as one that does not fit the database, and cause says why:
 * looks, and if there is nothing to be seen suspends the action for a while. Then the database was
 * right all the same: a trigger's function may lack a privilege. APR_SUCCESS: the action is not in
 * service any more; else as batch_store_compare.
 */
apr_status_t batch_fitness_doubt(batch_fitness_t *fitness, batch_store_t *store,
                                 const batch_resource_t *resource, batch_action_e action,
                                 const batch_error_t *cause, apr_pool_t *ptemp);

/**
 * For the workers, about once a second: looks at what is unknown, and every five seconds at what is
 * out of service. Returns 1 if something came back.
 */
int batch_fitness_tend(batch_fitness_t *fitness, batch_store_t *store, apr_pool_t *ptemp);

#endif

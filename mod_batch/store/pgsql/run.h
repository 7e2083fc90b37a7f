/*
 * PostgreSQL: what all calls on rows have in common: the table as it is known, and statements on
 * it. Part of the driver. Private to store/.
 */
#ifndef BATCH_STORE_PGSQL_RUN_H
#define BATCH_STORE_PGSQL_RUN_H

#include "store/pgsql/facts.h"
#include "store/pgsql/rows.h"

/*
 * Settings for a transaction in which rows are to come one by one through an index, in its order,
 * however small the table is when the plan is made: it grows, and the plan stays.
 */
extern const char batch_pgsql_in_order[];

/* One call of rows_delete, rows_update, rows_merge, rows_look or keys_walk. */
typedef struct batch_pgsql_run {
    unsigned magic;
#define BATCH_PGSQL_RUN_MAGIC 0xa6b2be44u
    batch_connection_t *connection;
    batch_row_plan_t plan;
    batch_pgsql_table_t *table;
    const batch_pgsql_column_t *key; /* its column */
    batch_pgsql_rules_t *rules;      /* see batch_pgsql_run_rules */
} batch_pgsql_run_t;

/** Begins a call; run is set anew. now: for stamps, or NULL. What it allocates is in p. */
void batch_pgsql_run_start(batch_pgsql_run_t *run, batch_tx_t *tx, const batch_row_scope_t *scope,
                           const char *now, apr_pool_t *p);

/** Gives the table as it is known, or, if fresh, as it is. */
batch_failure_e batch_pgsql_run_read(batch_pgsql_run_t *run, int fresh);

/** Gives the rules of the table, behind that. */
batch_failure_e batch_pgsql_run_rules(batch_pgsql_run_t *run);

/** 1 if the table was not looked at in this transaction: it may be another one now. */
int batch_pgsql_run_is_old(const batch_pgsql_run_t *run);

/** Fails, with the statements behind it, if the rules are others now. */
batch_failure_e batch_pgsql_run_guard(const batch_pgsql_run_t *run);

/** 0 if no row of the table can be in the scope. */
int batch_pgsql_run_is_possible(const batch_pgsql_run_t *run);

/** Starts a statement on the table. All that it makes lives in p. */
void batch_pgsql_run_build(const batch_pgsql_run_t *run, batch_pgsql_builder_t *builder,
                           apr_pool_t *p);

/** Runs what was built. */
batch_failure_e batch_pgsql_run_ask(const batch_pgsql_run_t *run, PGresult **result,
                                    const batch_pgsql_builder_t *builder);

/** Queues SQL that is neither on rows nor has parameters. */
batch_failure_e batch_pgsql_run_text(const batch_pgsql_run_t *run, const char *sql);

/** Queues a savepoint, and for more than one row a time limit of its own. */
batch_failure_e batch_pgsql_run_begin(const batch_pgsql_run_t *run, int count);

/** Queues the end of that. */
batch_failure_e batch_pgsql_run_end(const batch_pgsql_run_t *run, int count);

/** Queues what undoes the innermost savepoint, after a failure or not. */
batch_failure_e batch_pgsql_run_undo(const batch_pgsql_run_t *run);

/** Queues the end of a set's time limit: what follows may take as long as the session allows. */
batch_failure_e batch_pgsql_run_take_time(const batch_pgsql_run_t *run, int count);

/**
 * Runs a statement under a savepoint, and undoes it in any case. Sets *refused if the server
 * refuses it.
 */
batch_failure_e batch_pgsql_run_try(const batch_pgsql_run_t *run, int *refused,
                                    batch_pgsql_statement_t *statement,
                                    const char *const *parameters);

/** 1 in *is_none if that key is no value of its column's type, as the server says. */
batch_failure_e batch_pgsql_run_judge_key(const batch_pgsql_run_t *run, int *is_none,
                                          const char *key);

/* As the members of batch_sets_how_t. */
batch_failure_e batch_pgsql_sets_undo(batch_sets_t *sets);
void batch_pgsql_sets_judge(const batch_sets_t *sets, batch_set_refusal_t *refusal);
int batch_pgsql_sets_is_old(const batch_sets_t *sets);

/** 1 if the last failure's SQLSTATE is of that class. */
int batch_pgsql_run_failed_by(const batch_pgsql_run_t *run, const char *class);

/** What a refusal means that is not about the values: the table may have been made anew. */
batch_failure_e batch_pgsql_run_misfit(const batch_pgsql_run_t *run);

#endif

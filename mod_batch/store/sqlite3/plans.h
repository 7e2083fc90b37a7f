/*
 * SQLite: the statements that merge, look at and walk over rows; part of the driver. Private to
 * store/.
 *
 * Items differ in the columns that they have, and a client decides which: n columns make 2^n sets.
 * So a connection keeps the statements of a small number of sets, those that were used last.
 * Statements are the library's own and not apr_dbd's: those can be let go of one by one, and the
 * value of a parameter chooses its type.
 */
#ifndef BATCH_STORE_SQLITE3_PLANS_H
#define BATCH_STORE_SQLITE3_PLANS_H

#include <sqlite3.h>

#include "store/sqlite3/facts.h"

/* Sets of columns whose statements a connection keeps. */
#define BATCH_SQLITE3_PLANS 32

/* Resources (and scopes of them) that it knows at once. */
#define BATCH_SQLITE3_TARGETS 8

/* Columns that a resource may have: SQLite's own limit is 2,000 as it is shipped. */
#define BATCH_SQLITE3_COLUMNS 2048

/* What items of a plan have in common, besides their columns. */
typedef enum {
    BATCH_PLAN_KEY, /* as batch_item_kind_e */
    BATCH_PLAN_MATCH,
    BATCH_PLAN_NEW,
    BATCH_PLAN_LOOK_KEY,
    BATCH_PLAN_LOOK_MATCH,
    BATCH_PLAN_WALK_START,
    BATCH_PLAN_WALK_ON
} batch_plan_kind_e;

/* The statements of a plan, each made when it is first needed. */
typedef enum {
    BATCH_PLAN_FIND, /* which rows; for looks and walks the only one */
    BATCH_PLAN_UPDATE,
    BATCH_PLAN_INSERT,
    BATCH_PLAN_STORED, /* the key of the row that was touched, as it has become */
    BATCH_PLAN_LIKE,   /* rows that have the same match values as that one has become */
    BATCH_PLAN_STATEMENTS
} batch_plan_statement_e;

/*
 * The parameters of all statements, behind those of the columns: number i + 1 is the value of the
 * resource's column i.
 */
typedef enum {
    BATCH_PARAMETER_KEY = 1,
    BATCH_PARAMETER_SCOPE,
    BATCH_PARAMETER_FORM,
    BATCH_PARAMETER_NOW,
    BATCH_PARAMETER_ACTOR,
    BATCH_PARAMETER_LIMIT,
    BATCH_PARAMETER_ROW
} batch_parameter_e;

/* A resource in a scope: what its statements depend on. */
typedef struct batch_sqlite3_target {
    char *signature;
    batch_sqlite3_table_t table;
} batch_sqlite3_target_t;

typedef struct batch_sqlite3_plan {
    const batch_sqlite3_target_t *target; /* NULL: an empty place */
    batch_plan_kind_e kind;
    int tells; /* UPDATE and INSERT return the row's key, and its rowid where there is one */
    apr_uint64_t columns[BATCH_SQLITE3_COLUMNS / 64]; /* bit i: column i */
    apr_uint64_t used;                                /* when */
    sqlite3_stmt *statements[BATCH_PLAN_STATEMENTS];
    apr_uint64_t bound[BATCH_PLAN_STATEMENTS]; /* the call whose constants it has */
} batch_sqlite3_plan_t;

/* Of a connection. */
typedef struct batch_sqlite3_plans {
    apr_pool_t *p; /* of the targets */
    int target_count;
    batch_sqlite3_target_t targets[BATCH_SQLITE3_TARGETS];
    batch_sqlite3_plan_t plans[BATCH_SQLITE3_PLANS];
    apr_uint64_t clock; /* counts uses */
    apr_uint64_t calls;
} batch_sqlite3_plans_t;

/** The connection's plans, made at first. NULL: out of memory. */
batch_sqlite3_plans_t *batch_sqlite3_plans(batch_connection_t *connection);

/** Lets go of all statements; before the connection is closed. */
void batch_sqlite3_plans_close(batch_connection_t *connection);

/** The target for a scope. What it pointed to before may be gone. */
batch_failure_e batch_sqlite3_target(batch_connection_t *connection,
                                     const batch_sqlite3_target_t **target,
                                     const batch_row_scope_t *scope);

/**
 * The plan for that kind and those columns (words of 64 bits, as many as the resource takes), with
 * statements that tell or not.
 */
batch_sqlite3_plan_t *batch_sqlite3_plan(batch_connection_t *connection,
                                         const batch_sqlite3_target_t *target,
                                         batch_plan_kind_e kind, int tells,
                                         const apr_uint64_t *columns, int words);

/** Prepares one of a plan's statements. */
batch_failure_e batch_sqlite3_plan_prepare(batch_connection_t *connection,
                                           batch_sqlite3_plan_t *plan,
                                           const batch_row_scope_t *scope,
                                           batch_plan_statement_e which);

#endif

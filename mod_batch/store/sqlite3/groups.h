/*
 * SQLite: the statements that change, look at and walk over rows; part of the driver. Private to
 * store/.
 *
 * Items differ in the columns that they have, and a client decides which: n columns make 2^n sets.
 * So a connection keeps the statements of a small number of sets, those that were used last.
 * Statements are the library's own and not apr_dbd's: those can be let go of one by one, and the
 * value of a parameter chooses its type.
 */
#ifndef BATCH_STORE_SQLITE3_GROUPS_H
#define BATCH_STORE_SQLITE3_GROUPS_H

#include <sqlite3.h>

#include "store/row_plan.h"
#include "store/sqlite3/facts.h"

/* Sets of columns whose statements a connection keeps. */
#define BATCH_SQLITE3_GROUPS 32

/* Resources (and scopes of them) that it knows at once. */
#define BATCH_SQLITE3_TARGETS 8

/* Columns that a resource may have: SQLite's own limit is 2,000 as it is shipped. */
#define BATCH_SQLITE3_COLUMNS 2048

/* What items of a group have in common, besides their columns. */
typedef enum {
    BATCH_GROUP_BY_KEY, /* as batch_item_kind_e */
    BATCH_GROUP_BY_MATCH,
    BATCH_GROUP_NEW,
    BATCH_GROUP_LOOK_BY_KEY,
    BATCH_GROUP_LOOK_BY_MATCH,
    BATCH_GROUP_WALK_START,
    BATCH_GROUP_WALK_ON
} batch_group_kind_e;

/* The statements of a group, each made when it is first needed. */
typedef enum {
    BATCH_GROUP_FIND, /* which rows; for looks and walks the only one */
    BATCH_GROUP_UPDATE,
    BATCH_GROUP_DELETE,
    BATCH_GROUP_INSERT,
    BATCH_GROUP_OFFER,  /* a new row, unless one has its key: then nothing is done */
    BATCH_GROUP_STORED, /* the key of the row that was touched, as it has become */
    BATCH_GROUP_LIKE,   /* rows that have the same match values as that one has become */
    BATCH_GROUP_STATEMENTS
} batch_group_statement_e;

/*
 * The parameters of all statements, behind those of the columns: number i + 1 is the value of the
 * resource's column i.
 */
typedef enum {
    BATCH_PARAMETER_KEY = 1,
    BATCH_PARAMETER_SCOPE, /* the first of the constants, in the order of batch_constant_e */
    BATCH_PARAMETER_LIMIT = BATCH_PARAMETER_SCOPE + BATCH_CONSTANTS,
    BATCH_PARAMETER_ROW
} batch_parameter_e;

/* A resource in a scope: what its statements depend on. */
typedef struct batch_sqlite3_target {
    char *signature;
    batch_sqlite3_table_t table;
} batch_sqlite3_target_t;

typedef struct batch_sqlite3_group {
    const batch_sqlite3_target_t *target; /* NULL: an empty place */
    batch_group_kind_e kind;
    int made;  /* so many items one after the other have made new rows; -1: none is offered */
    int tells; /* UPDATE and INSERT return the row's key, and its rowid where there is one */
    apr_uint64_t columns[BATCH_SQLITE3_COLUMNS / 64 + 1]; /* bit i: column i */
    apr_uint64_t used;                                    /* when */
    sqlite3_stmt *statements[BATCH_GROUP_STATEMENTS];
    apr_uint64_t bound[BATCH_GROUP_STATEMENTS]; /* the call whose constants it has */
} batch_sqlite3_group_t;

/* Of a connection. */
typedef struct batch_sqlite3_groups {
    apr_pool_t *p; /* of the targets */
    int target_count;
    batch_sqlite3_target_t targets[BATCH_SQLITE3_TARGETS];
    batch_sqlite3_group_t groups[BATCH_SQLITE3_GROUPS];
    apr_uint64_t clock; /* counts uses */
    apr_uint64_t calls;
} batch_sqlite3_groups_t;

/** The connection's groups, made at first. NULL: out of memory. */
batch_sqlite3_groups_t *batch_sqlite3_groups(batch_connection_t *connection);

/** Lets go of all statements; before the connection is closed. */
void batch_sqlite3_groups_close(batch_connection_t *connection);

/** The target for a scope. What it pointed to before may be gone. */
batch_failure_e batch_sqlite3_target(batch_connection_t *connection,
                                     const batch_sqlite3_target_t **target,
                                     const batch_row_scope_t *scope);

/**
 * The group for that kind and those columns (width numbers of 64 bits), with
 * statements that tell or not.
 */
batch_sqlite3_group_t *batch_sqlite3_group(batch_connection_t *connection,
                                           const batch_sqlite3_target_t *target,
                                           batch_group_kind_e kind, int tells,
                                           const apr_uint64_t *columns, int width);

/** Prepares one of a group's statements. plan: of the call, with an item of the group at hand. */
batch_failure_e batch_sqlite3_group_prepare(batch_connection_t *connection,
                                            batch_sqlite3_group_t *group,
                                            const batch_row_plan_t *plan,
                                            batch_group_statement_e which);

#endif

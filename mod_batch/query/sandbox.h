/* The second way's own parts. Private to query/. */
#ifndef BATCH_QUERY_SANDBOX_H
#define BATCH_QUERY_SANDBOX_H

#include <sqlite3.h>

#include "query/run.h"

/** A name of the query: what stands for it in the sandbox is n and its place in the list. */
typedef struct batch_sandbox_name {
    const char *name;
    int at;                             /* where it stands first */
    const batch_query_column_t *column; /* the column of that name, NULL = none */
} batch_sandbox_name_t;

/** A place in the query at which a form may be named. */
typedef struct batch_sandbox_source {
    int name; /* in the list */
    const batch_token_t *token;
    int certain; /* nothing else can stand there */
} batch_sandbox_source_t;

/** The query as it is put together again. */
typedef struct batch_sandbox_text {
    batch_query_run_t *run;
    const char *sql;
    apr_array_header_t *pieces;  /* of const char *: the tokens' texts */
    apr_array_header_t *offsets; /* of int: where each begins in sql */
    apr_array_header_t *places;  /* of int: and where in the client's text */
    int length;
    apr_array_header_t *names;   /* of batch_sandbox_name_t; the first two: "id", the own form */
    apr_array_header_t *sources; /* of batch_sandbox_source_t */
} batch_sandbox_text_t;

#define BATCH_SANDBOX_ID  0
#define BATCH_SANDBOX_OWN 1

/** Puts the query's tokens together; 0 with a fault where one is not admitted. */
int batch_sandbox_compose(batch_sandbox_text_t *text, batch_query_run_t *run);

/** Gives the functions of the language to a database; room is theirs while they run. */
int batch_sandbox_functions(sqlite3 *database, batch_query_room_t *room);

/**
 * From here on the database only answers: the authorizer, SQLite's limits, and what it has of
 * hardening. Returns SQLite's code.
 */
int batch_sandbox_harden(sqlite3 *database);

/** Binds a value. */
int batch_sandbox_bind(sqlite3_stmt *statement, int number, const batch_query_value_t *value);

/** 1 if a query may call that function of SQLite's or of ours. */
int batch_sandbox_may_call(const char *function);

#endif

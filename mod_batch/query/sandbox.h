/* The private database's own parts. Private to query/. */
#ifndef BATCH_QUERY_SANDBOX_H
#define BATCH_QUERY_SANDBOX_H

#include <sqlite3.h>

#include "query/compile.h"
#include "query/run.h"

/** Bytes of a text in the private database. */
#define BATCH_SANDBOX_LENGTH (1024 * 1024)

/** A column of every table: a column of the forms, or a member that the query names. */
typedef struct batch_sandbox_name {
    const char *name;
    const batch_query_column_t *column; /* NULL: a member */
} batch_sandbox_name_t;

/** A form's records: table t and its place in the list. */
typedef struct batch_sandbox_table {
    const char *form_id;
    unsigned char *seen; /* by name: a record has that member */
    int unseen;          /* members that none has had so far */
    apr_int64_t records;
    int uses;                   /* how often the query names it */
    apr_array_header_t *wheres; /* of batch_where_t: all that the query looks at fulfils these */
} batch_sandbox_table_t;

typedef struct batch_sandbox_set batch_sandbox_set_t;

/** What the functions need. */
typedef struct batch_sandbox_calls {
    batch_query_room_t *room;
    const batch_compiled_t *compiled;
    const char *trouble; /* a sentence for the client, where one of them has failed; NULL = none */
    batch_query_value_t arguments[BATCH_COMPILE_ARGUMENTS];
    batch_sandbox_set_t *sets[BATCH_COMPILE_SELECTS]; /* what members(K, …) has made last */
} batch_sandbox_calls_t;

typedef struct batch_sandbox {
    unsigned magic;
#define BATCH_SANDBOX_MAGIC 0x258dbb4au
    batch_query_run_t *run;
    batch_tx_t *tx;
    batch_statement_t *statement; /* checked again, when it is known which members there are */
    sqlite3 *database;
    const char *message;     /* why it failed, where it is not SQLite that says so */
    batch_query_room_t room; /* of one record, then of one function's call */
    batch_sandbox_calls_t calls;
    sqlite3_int64 peak;         /* of what it took beside that, as far as it was seen */
    sqlite3_int64 memory;       /* that SQLite had before */
    apr_status_t stopped;       /* why the progress handler stopped it */
    apr_int64_t rows;           /* copied so far */
    int fills;                  /* tables of WITH are being filled */
    apr_array_header_t *names;  /* of batch_sandbox_name_t */
    apr_hash_t *places;         /* of int *, in names */
    apr_array_header_t *tables; /* of batch_sandbox_table_t */
    int *table_of;              /* by a source's number */
    apr_hash_t *member_names;   /* to be offered for an unknown name */
} batch_sandbox_t;

/** What a code of SQLite's means, which is not the query's fault: a status with a problem. */
apr_status_t batch_sandbox_failed(batch_sandbox_t *sandbox, int code);

/* sandbox_copy.c */

/** Finds the forms, and copies their records; of a check only looks which members they have. */
apr_status_t batch_sandbox_load(batch_sandbox_t *sandbox, apr_pool_t *ptemp);

/** What is known of members afterwards. */
batch_membership_t batch_sandbox_membership(batch_sandbox_t *sandbox);

/* sandbox_functions.c */

/** Gives a database the functions that compiled SQL calls. Returns SQLite's code. */
int batch_sandbox_functions(sqlite3 *database, batch_sandbox_calls_t *calls);

/* sandbox_sets.c */

/** The functions members and among. Returns SQLite's code. */
int batch_sandbox_set_functions(sqlite3 *database, batch_sandbox_calls_t *calls);

/** Frees what they have kept. */
void batch_sandbox_free_sets(batch_sandbox_calls_t *calls);

/** 1 if compiled SQL may call that function of SQLite's or of ours. */
int batch_sandbox_may_call(const char *function);

/** Binds a value, as kind is stored. */
int batch_sandbox_bind(sqlite3_stmt *statement, int number, const batch_query_value_t *value,
                       batch_query_kind_e kind);

/** A value of SQLite's that is of that kind. */
batch_query_value_t batch_sandbox_value(sqlite3_value *value, batch_query_kind_e kind);

/* sandbox.c */

/**
 * From here on the database only answers, and fills tables of WITH while *fills is true: the
 * authorizer, SQLite's limits, and what it has of hardening. Returns SQLite's code.
 */
int batch_sandbox_harden(sqlite3 *database, const int *fills);

#endif

/*
 * PostgreSQL: the types of the administrator's columns, and values in the form that they take; part
 * of the driver. Private to store/.
 */
#ifndef BATCH_STORE_PGSQL_TYPES_H
#define BATCH_STORE_PGSQL_TYPES_H

#include "store/pgsql/pipeline.h"

/* How a text can fail to be a value of a type. */
typedef enum {
    BATCH_PGSQL_ANY,     /* it cannot: texts of all sorts */
    BATCH_PGSQL_UUID,    /* unless it is a UUID */
    BATCH_PGSQL_INTEGER, /* unless it is a number in a range */
    BATCH_PGSQL_OTHER    /* the server knows */
} batch_pgsql_kind_e;

typedef struct batch_pgsql_column {
    const char *name;
    Oid type;              /* for parameters: what a domain is made of, without length or scale */
    Oid array;             /* of that type */
    const char *declared;  /* as PostgreSQL names it */
    const char *stored_as; /* how it is stored: the type with what rounds a value, or cuts it off;
                              NULL: as it is */
    int most;              /* a varchar of so many characters: it loses spaces at the end; else 0 */
    int is_number;         /* of any sort */
    int indexed; /* an index over all rows finds those with one of many values, in its order */
    batch_pgsql_kind_e kind;
} batch_pgsql_column_t;

/* A table as it was looked up; lives until it is looked up again. */
typedef struct batch_pgsql_table {
    apr_array_header_t *columns; /* of batch_pgsql_column_t; none: there is no such table */
    unsigned transaction;        /* in which it was looked up: batch_pgsql_state_t */
    apr_hash_t *rules;           /* pgsql/facts.c: of the resources that are kept in it */
    apr_pool_t *p;
} batch_pgsql_table_t;

/**
 * Gives a table's columns: as the connection remembers them, or, if fresh, as they were in this
 * transaction. name is looked for along the search path, in exactly that spelling.
 */
batch_failure_e batch_pgsql_table(batch_connection_t *connection, batch_pgsql_table_t **table,
                                  const char *name, int fresh);

/** The column of that name. One that is not there passes for a text: the server says the rest. */
const batch_pgsql_column_t *batch_pgsql_column(const batch_pgsql_table_t *table, const char *name);

/**
 * expression, which has the column's type, as the column would store it: what is compared with what
 * is there must be. In p.
 */
const char *batch_pgsql_stored(const batch_pgsql_column_t *column, const char *expression,
                               apr_pool_t *p);

/** 0 if text is certainly no value of the column's type, so that no row can have it. */
int batch_pgsql_fits(const batch_pgsql_column_t *column, const char *text);

/** 1 if text is a UUID or an integer, as the column's type is, in the letters of the server. */
int batch_pgsql_is_spelt(const batch_pgsql_column_t *column, const char *text);

/** What a column keeps of the values of exact types; strings in p. */
void batch_pgsql_column_facts(batch_column_facts_t *facts, const batch_pgsql_column_t *column,
                              apr_pool_t *p);

/** count texts (NULL is NULL) as an array in PostgreSQL's notation. */
const char *batch_pgsql_array(const char *const *texts, int count, apr_pool_t *p);

/**
 * The same in PostgreSQL's binary format, which the server need not take apart sign by sign. NULL
 * unless the elements are texts, JSON, or UUIDs or integers that are all spelt in a way in which
 * the server takes them, too.
 */
const char *batch_pgsql_binary_array(int *length, const batch_pgsql_column_t *column,
                                     const char *const *texts, int count, apr_pool_t *p);

/** The connection's prepared statement for sql with these types. */
batch_pgsql_statement_t *batch_pgsql_statement(batch_connection_t *connection, const char *sql,
                                               const Oid *types, int count);

/**
 * sql with texts in the place of its parameters, $1 to $9, in p. A statement without parameters is
 * planned once; one with some the server may plan anew each time. NULL: there is no memory.
 */
const char *batch_pgsql_fill_in(batch_connection_t *connection, const char *sql,
                                const char *const *values, int count, apr_pool_t *p);

/** Asks that of which all parameters are texts, and which is on no rows of the administrator's. */
batch_failure_e batch_pgsql_ask_texts(batch_connection_t *connection, PGresult **result,
                                      const char *sql, const char *const *values, int count);

#endif

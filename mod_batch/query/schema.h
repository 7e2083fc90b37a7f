/* What a query sees: forms, columns, members. */
#ifndef BATCH_QUERY_SCHEMA_H
#define BATCH_QUERY_SCHEMA_H

#include "query/value.h"
#include "store/scan.h"
#include "text/nearest_word.h"

/** A column of every form, as queries know it. */
typedef struct batch_query_column {
    const char *name;   /* "_status" */
    const char *column; /* of the resource's table */
    batch_query_kind_e kind;
} batch_query_column_t;

typedef struct batch_query_schema {
    const batch_resource_t *resource;
    apr_array_header_t *columns; /* of batch_query_column_t; the first is the record's id */
    const char *members;         /* the column whose JSON has the other names, NULL = none */
} batch_query_schema_t;

/** What the resource's configuration makes of it, in p. */
batch_query_schema_t *batch_query_schema_make(const batch_resource_t *resource, apr_pool_t *p);

/** What the key is: a text, unless a BatchColumn says otherwise. */
batch_query_kind_e batch_query_schema_key_kind(const batch_query_schema_t *schema);

/** The column of that name, or NULL. */
const batch_query_column_t *batch_query_schema_column(const batch_query_schema_t *schema,
                                                      const char *name);

/** A cell as a value of the column's kind: NULL if it is none. */
batch_query_value_t batch_query_cell(const batch_cell_t *cell, batch_query_kind_e kind,
                                     batch_query_room_t *room);

/* ---- Members (json.c) ------------------------------------------------------------------------ */

/**
 * Is called for each member at the top of an object: its name, decoded, and its value as JSON text.
 * 0 ends it.
 */
typedef int batch_query_member_fn(void *baton, const char *name, apr_size_t name_length,
                                  const char *value, apr_size_t length);

/**
 * Walks over the members of a JSON object. Anything else, and whatever is not JSON, has none from
 * there on. Names with escapes are decoded in room.
 */
void batch_query_members(const char *text, apr_size_t length, batch_query_member_fn *fn,
                         void *baton, batch_query_room_t *room);

/** A value's JSON text as a value: an array or object as TEXT without white space. */
batch_query_value_t batch_query_member_value(const char *text, apr_size_t length,
                                             batch_query_room_t *room);

#endif

/*
 * What the requests of both APIs have in common: members of a checked JSON text with their types,
 * and a list of what is wrong with them that cannot grow with what the client sends.
 */
#ifndef BATCH_PAYLOAD_REQUEST_SHAPE_H
#define BATCH_PAYLOAD_REQUEST_SHAPE_H

#include "batch.h"
#include "text/json.h"

/** Members that an object of values (data, properties) may have. */
#define BATCH_VALUES_MEMBERS 1000

/** Bytes that the name of such a member may have. */
#define BATCH_VALUES_NAME_BYTES 255

/** Problems that are listed one by one; the rest is only counted. */
#define BATCH_PROBLEMS_LISTED 100

/** A list of problems that cannot grow with what the client sends. */
typedef struct batch_problem_list {
    batch_problems_t *problems;
    int listed;       /* of problems, by this list */
    apr_int64_t more; /* that were only counted */
} batch_problem_list_t;

/** Adds a problem, or counts it. The field is formatted into the pool of list->problems. */
void batch_problem_list_add(batch_problem_list_t *list, const char *message, const char *field_fmt,
                            ...) __attribute__((format(printf, 3, 4)));

/** Ends a list: says in one more problem, of that field, how many are not listed. */
void batch_problem_list_end(batch_problem_list_t *list, const char *field);

/** Where problems go, and strings. */
typedef struct batch_shape {
    batch_problem_list_t *list;
    apr_pool_t *p;
} batch_shape_t;

/**
 * Reads checked text down to so many levels (text/json.h), into p. NULL for null. Too many
 * members are a problem of the field; the first ones are there then.
 */
struct json_object *batch_shape_read(const batch_shape_t *shape, const batch_json_slice_t *text,
                                     int levels, const char *field, apr_pool_t *p);

/**
 * The member of that name; null counts as absent. field names it in problems. A problem if it
 * is given several times.
 */
struct json_object *batch_shape_member(const batch_shape_t *shape, const struct json_object *object,
                                       const char *name, const char *field);

/** A member that must be a string where it is there; NULL for none. */
const char *batch_shape_string(const batch_shape_t *shape, const struct json_object *object,
                               const char *name, const char *field);

/** A member that must be true or false where it is there; absent says what it is for none. */
int batch_shape_flag(const batch_shape_t *shape, const struct json_object *object, const char *name,
                     const char *field, int absent);

/**
 * A member that must be an object of values where it is there: an array of batch_value_t in the
 * order sent, without those that are wrong; NULL for none. nested: a value may be an array or an
 * object.
 */
apr_array_header_t *batch_shape_values(const batch_shape_t *shape, const struct json_object *object,
                                       const char *name, const char *field, int nested);

#endif

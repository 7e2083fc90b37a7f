/*
 * Small JSON, by json-c: replies, and what a request has beside its items.
 *
 * What may be large is not held like this, but walked (text/json_text.h), read
 * (payload/json_reader.h) or written (text/writer.h) as text.
 */
#ifndef BATCH_TEXT_JSON_H
#define BATCH_TEXT_JSON_H

#include <json-c/json.h>

#include "batch.h"
#include "text/json_text.h"
#include "text/writer.h"

/** A new object: freed with p, or, where that is NULL, by whoever writes it. */
struct json_object *batch_json_object(apr_pool_t *p);

/* ---- Writing --------------------------------------------------------------------------------- */

/** A string, or null for NULL. Bytes that are not UTF-8 become U+FFFD. */
struct json_object *batch_json_string(const char *text);

/** Adds a member, or gives it another value. Its name is in UTF-8. */
void batch_json_add(struct json_object *object, const char *name, struct json_object *value);

/* Members that the object does not have; their names are constants. */

void batch_json_add_text(struct json_object *object, const char *name, const char *text);
void batch_json_add_number(struct json_object *object, const char *name, apr_int64_t number);
void batch_json_add_flag(struct json_object *object, const char *name, int flag);

/** A time in whole seconds since 1970, or null for 0. */
void batch_json_add_time(struct json_object *object, const char *name, apr_time_t time);

/** The member of that name, an array, which is made where there is none. Its name may be no UTF-8.
 */
struct json_object *batch_json_array_of(struct json_object *object, const char *name);

/** Writes a value without white space, slashes not escaped, and frees it. */
void batch_write_json(batch_text_writer_t *writer, struct json_object *value);

/** Writes the members of an object, at least one, without its braces; frees it. */
void batch_write_json_members(batch_text_writer_t *writer, struct json_object *object);

/* ---- Reading --------------------------------------------------------------------------------- */

/** Members that all objects of a text may have that is read at once. */
#define BATCH_JSON_MEMBERS 10000

/**
 * Reads checked text: its objects, down to so many levels. Arrays, and objects below these levels,
 * are there without what is in them: batch_json_source has it. Where a member is given several
 * times, the last one counts that is not null. *value is NULL for null; it lives as long as p, and
 * has text by reference.
 * BATCH_ETOOLARGE: more than BATCH_JSON_MEMBERS members, of which the first ones were read.
 */
apr_status_t batch_json_read(struct json_object **value, const batch_json_slice_t *text, int levels,
                             apr_pool_t *p);

/** What was read as this value, as it was written; absent for NULL, which is null. */
batch_json_slice_t batch_json_source(const struct json_object *value);

/** 1 if the object was given a member of this name several times. */
int batch_json_is_repeated(const struct json_object *object, const char *name);

#endif

#include "text/json.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "text/utf8.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/** Without memory the process ends, as it does where a pool gets none. */
static void *must_have(void *made)
{
    if (!made) {
        abort();
    }
    return made;
}

static apr_status_t value_free(void *value)
{
    json_object_put(value);
    return APR_SUCCESS;
}

struct json_object *batch_json_object(apr_pool_t *p)
{
    struct json_object *object = must_have(json_object_new_object());

    if (p) {
        apr_pool_cleanup_register(p, object, value_free, apr_pool_cleanup_null);
    }
    return object;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/** The text in UTF-8, for the caller to free. */
static char *mended(apr_size_t *length, const char *text)
{
    char *copy;

    *length = strlen(text);
    copy = must_have(malloc(3 * *length + 1));
    *length = batch_utf8_mend(copy, text, *length);
    copy[*length] = '\0';
    return copy;
}

struct json_object *batch_json_string(const char *text)
{
    apr_size_t length;
    char *copy;
    struct json_object *value;

    if (!text) {
        return NULL;
    }
    length = strlen(text);
    if (batch_utf8_is_valid(text, length)) {
        return must_have(json_object_new_string_len(text, (int)length));
    }
    copy = mended(&length, text);
    value = must_have(json_object_new_string_len(copy, (int)length));
    free(copy);
    return value;
}

void batch_json_add(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add(object, name, value)) {
        abort();
    }
}

/** Adds a member that the object does not have, and whose name is a constant: no look, no copy. */
static void add_new(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add_ex(object, name, value,
                                  JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY)) {
        abort();
    }
}

void batch_json_add_text(struct json_object *object, const char *name, const char *text)
{
    add_new(object, name, batch_json_string(text));
}

void batch_json_add_number(struct json_object *object, const char *name, apr_int64_t number)
{
    add_new(object, name, must_have(json_object_new_int64(number)));
}

void batch_json_add_time(struct json_object *object, const char *name, apr_time_t time)
{
    add_new(object, name, time ? must_have(json_object_new_int64(apr_time_sec(time))) : NULL);
}

void batch_json_add_flag(struct json_object *object, const char *name, int flag)
{
    add_new(object, name, must_have(json_object_new_boolean(flag)));
}

struct json_object *batch_json_array_of(struct json_object *object, const char *name)
{
    struct json_object *array;
    apr_size_t length;
    char *copy = mended(&length, name);

    if (!json_object_object_get_ex(object, copy, &array)) {
        array = must_have(json_object_new_array());
        batch_json_add(object, copy, array);
    }
    free(copy);
    return array;
}

/** Writes a value but for so many bytes at either end, and frees it. */
static void write_within(batch_text_writer_t *writer, struct json_object *value, apr_size_t without)
{
    size_t length;
    const char *text = json_object_to_json_string_length(value, PLAIN, &length);

    if (!text) {
        abort();
    }
    batch_write_bytes(writer, text + without, length - 2 * without);
    json_object_put(value);
}

void batch_write_json(batch_text_writer_t *writer, struct json_object *value)
{
    write_within(writer, value, 0);
}

void batch_write_json_members(batch_text_writer_t *writer, struct json_object *object)
{
    write_within(writer, object, 1);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/** What is known of a value beside what json-c knows. */
typedef struct origin {
    batch_json_slice_t text;
    struct json_object *repeated; /* an object with members of these names; NULL = none */
} origin_t;

typedef struct reading {
    int left; /* members that may come */
    apr_pool_t *p;
} reading_t;

static void origin_free(struct json_object *value, void *origin)
{
    (void)value;
    json_object_put(((origin_t *)origin)->repeated);
}

static struct json_object *value_make(reading_t *reading, const batch_json_slice_t *text,
                                      int levels);

static struct json_object *object_make(reading_t *reading, origin_t *origin, int levels)
{
    struct json_object *object = batch_json_object(NULL);
    batch_json_cursor_t cursor;
    batch_json_slice_t name, text;

    batch_json_walk(&cursor, &origin->text);
    while (levels && reading->left >= 0 && batch_json_next_member(&name, &text, &cursor)) {
        apr_size_t length;
        const char *key = batch_json_string_decode(&length, name.text, name.length, reading->p);
        struct json_object *value = value_make(reading, &text, levels - 1);

        reading->left--;
        if (json_object_object_get_ex(object, key, NULL)) {
            origin->repeated = origin->repeated ? origin->repeated : batch_json_object(NULL);
            batch_json_add(origin->repeated, key, NULL);
            if (!value) {
                continue;
            }
        }
        batch_json_add(object, key, value);
    }
    return object;
}

static struct json_object *value_make(reading_t *reading, const batch_json_slice_t *text,
                                      int levels)
{
    origin_t *origin = apr_pcalloc(reading->p, sizeof(*origin));
    struct json_object *value;
    const char *decoded;
    apr_size_t length;

    origin->text = *text;
    switch (batch_json_kind(text)) {
    case BATCH_JSON_OBJECT:
        value = object_make(reading, origin, levels);
        break;
    case BATCH_JSON_ARRAY:
        value = json_object_new_array_ext(1);
        break;
    case BATCH_JSON_STRING:
        decoded = batch_json_string_decode(&length, text->text, text->length, reading->p);
        value = json_object_new_string_len(decoded, (int)length);
        break;
    case BATCH_JSON_BOOLEAN:
        value = json_object_new_boolean(batch_json_is_true(text));
        break;
    case BATCH_JSON_NUMBER:
        value = json_object_new_double(
            strtod(apr_pstrmemdup(reading->p, text->text, text->length), NULL));
        break;
    default:
        return NULL;
    }
    json_object_set_userdata(must_have(value), origin, origin_free);
    return value;
}

apr_status_t batch_json_read(struct json_object **value, const batch_json_slice_t *text, int levels,
                             apr_pool_t *p)
{
    reading_t reading = {BATCH_JSON_MEMBERS, p};

    *value = value_make(&reading, text, levels);
    apr_pool_cleanup_register(p, *value, value_free, apr_pool_cleanup_null);
    return reading.left < 0 ? BATCH_ETOOLARGE : APR_SUCCESS;
}

batch_json_slice_t batch_json_source(const struct json_object *value)
{
    const origin_t *origin = value ? json_object_get_userdata((struct json_object *)value) : NULL;

    return origin ? origin->text : (batch_json_slice_t){NULL, 0};
}

int batch_json_is_repeated(const struct json_object *object, const char *name)
{
    const origin_t *origin = json_object_get_userdata((struct json_object *)object);

    return origin && json_object_object_get_ex(origin->repeated, name, NULL);
}

/* Small JSON through json-c: what is read keeps what json-c would lose, what is written is compact.
 */
/* needs: nothing */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"
#include "text/json.h"
#include "text/text_buffer.h"

static apr_pool_t *pool;

static apr_status_t read_text(struct json_object **value, const char *text, int levels)
{
    batch_json_slice_t slice = batch_json_document(text, strlen(text));

    return batch_json_read(value, &slice, levels, pool);
}

static struct json_object *member(const struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    (void)json_object_object_get_ex(object, name, &value);
    return value;
}

static const char *source(const struct json_object *value)
{
    batch_json_slice_t slice = batch_json_source(value);

    return slice.text ? apr_pstrmemdup(pool, slice.text, slice.length) : NULL;
}

static void test_read(void)
{
    struct json_object *all;

    read_text(&all,
              "{\"s\":\"a\\u0000\\u00e9\",\"n\":123456789012345678901234567890,\"z\":-0,"
              "\"f\":1.50,\"t\":true,\"no\":null,\"a\":[1,{}],\"o\":{\"i\":{\"j\":1}}}",
              2);
    is_number(json_object_object_length(all), 8, "all members are there");
    is_number(json_object_get_string_len(member(all, "s")), 4, "a string with U+0000");
    is_string(source(member(all, "n")), "123456789012345678901234567890", "all of a number");
    is_string(source(member(all, "z")), "-0", "also its sign");
    is_string(source(member(all, "f")), "1.50", "and its zeros");
    ok(json_object_get_boolean(member(all, "t")), "true");
    ok(json_object_object_get_ex(all, "no", NULL) && !member(all, "no"), "null is there");
    ok(!json_object_object_get_ex(all, "none", NULL), "and none is not");
    ok(json_object_is_type(member(all, "a"), json_type_array), "an array");
    is_string(source(member(all, "a")), "[1,{}]", "as it was written");
    is_number((long long)json_object_array_length(member(all, "a")), 0, "without what is in it");
    ok(json_object_is_type(member(member(all, "o"), "i"), json_type_object), "the second level");
    is_number(json_object_object_length(member(member(all, "o"), "i")), 0, "and nothing below it");
    is_string(source(member(member(all, "o"), "i")), "{\"j\":1}", "but its text");
    read_text(&all, "null", 2);
    ok(!all, "null alone");
}

static void test_repeated(void)
{
    struct json_object *all;

    read_text(&all, "{\"a\":1,\"b\":2,\"\\u0061\":3,\"c\":4,\"c\":null,\"o\":{\"a\":1,\"a\":2}}",
              1);
    is_number(json_object_object_length(all), 4, "a member that is given twice is one");
    ok(batch_json_is_repeated(all, "a") && batch_json_is_repeated(all, "c"), "which is known");
    ok(!batch_json_is_repeated(all, "b") && !batch_json_is_repeated(all, "d"), "of no other");
    is_string(source(member(all, "a")), "3", "the last one counts");
    is_string(source(member(all, "c")), "4", "unless it is null");
    ok(!batch_json_is_repeated(member(all, "o"), "a"), "what is not read is not looked at");
    ok(!batch_json_is_repeated(NULL, "a"), "nor what is not there");
}

static void test_many(void)
{
    batch_text_buffer_t buffer = {.p = pool};
    struct json_object *all;
    int i;

    batch_text_buffer_add(&buffer, "{\"x\":{", 6);
    for (i = 1; i < BATCH_JSON_MEMBERS; i++) {
        const char *text = apr_psprintf(pool, "%s\"%d\":{}", i > 1 ? "," : "", i);

        batch_text_buffer_add(&buffer, text, strlen(text));
    }
    is_number(read_text(&all, apr_pstrcat(pool, batch_text_buffer_end(&buffer), "}}", NULL), 2),
              APR_SUCCESS, "as many members as there may be");
    is_number(read_text(&all, apr_pstrcat(pool, buffer.data, ",\"y\":0}}", NULL), 2),
              BATCH_ETOOLARGE, "one more");
    is_number(read_text(&all, apr_pstrcat(pool, buffer.data, ",\"y\":0}}", NULL), 1), APR_SUCCESS,
              "but not where they are not read");
}

static void test_write(void)
{
    struct json_object *object = batch_json_object(NULL);
    batch_text_buffer_t buffer = {.p = pool};
    batch_sink_t sink = batch_text_buffer_sink(&buffer);
    batch_text_writer_t writer;

    batch_json_add_text(object, "text", "a/b\"\\\b\f\n\r\t\x01\x1f\x7f \xc3\xa9\xff");
    batch_json_add_text(object, "none", NULL);
    batch_json_add_number(object, "number", APR_INT64_MIN);
    batch_json_add_flag(object, "flag", 0);
    batch_json_add_time(object, "time", apr_time_make(5, 999999));
    batch_json_add_time(object, "never", 0);
    json_object_array_add(batch_json_array_of(object, "\xff"), batch_json_string("1"));
    json_object_array_add(batch_json_array_of(object, "\xff"), batch_json_string(NULL));
    batch_text_writer_init(&writer, &sink);
    batch_write_json(&writer, json_object_get(object));
    batch_write_text(&writer, " ");
    batch_write_json_members(&writer, object);
    batch_write_json(&writer, NULL);
    is_number(batch_writer_end(&writer), APR_SUCCESS, "an object is written, and its members");
#define MEMBERS                                                                                    \
    "\"text\":\"a/b\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f "                                     \
    "\xc3\xa9\xef\xbf\xbd\",\"none\":null,"                                                        \
    "\"number\":-9223372036854775808,\"flag\":false,\"time\":5,\"never\":null,"                    \
    "\"\xef\xbf\xbd\":[\"1\",null]"
    is_string(batch_text_buffer_end(&buffer), "{" MEMBERS "} " MEMBERS "null",
              "as they have to be");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_read();
    test_repeated();
    test_many();
    test_write();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

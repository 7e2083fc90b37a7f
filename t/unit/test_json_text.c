/* Walking JSON text, also what is none. */
/* needs: nothing */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "text/json_text.h"
#include "tap.h"

static apr_pool_t *pool;

static batch_json_slice_t document(const char *text)
{
    return batch_json_document(text, strlen(text));
}

static const char *slice_text(const batch_json_slice_t *slice)
{
    return slice->text ? apr_pstrmemdup(pool, slice->text, slice->length) : NULL;
}

static void test_walk(void)
{
    batch_json_slice_t object =
        document(" { \"a\" : [ 1 , \"],}\" ,{\"b\":[]} ] , \"\\u0062\":\"\\\"}\",\"c\":-1.5 , "
                 "\"a\":null} ");
    batch_json_slice_t array = document("[ 1 , \"],\\\"}\" ,{\"b\":[2]} ,true,null]");
    static const char *const wanted[] = {"1", "\"],\\\"}\"", "{\"b\":[2]}", "true", "null"};
    static const batch_json_kind_e kinds[] = {BATCH_JSON_NUMBER, BATCH_JSON_STRING,
                                              BATCH_JSON_OBJECT, BATCH_JSON_BOOLEAN,
                                              BATCH_JSON_NULL};
    batch_json_cursor_t cursor;
    batch_json_slice_t value;
    int count = 0;

    is_number(batch_json_member(&value, &object, "a"), 2, "members of one name are counted");
    is_string(slice_text(&value), "null", "the last one is found");
    is_number(batch_json_member(&value, &object, "b"), 1, "a name with an escape is found");
    is_string(slice_text(&value), "\"\\\"}\"", "with its value");
    batch_json_member(&value, &object, "c");
    is_string(slice_text(&value), "-1.5", "a number ends before white space");
    is_number(batch_json_member(&value, &object, "d"), 0, "no such member");
    ok(batch_json_kind(&value) == BATCH_JSON_ABSENT, "is absent");
    is_number(batch_json_member(&value, &array, "a"), 0, "an array has no members");
    batch_json_walk(&cursor, &array);
    while (count < 5 && batch_json_next_element(&value, &cursor)) {
        is_string(slice_text(&value), wanted[count], "an element");
        ok(batch_json_kind(&value) == kinds[count], "of its kind");
        count++;
    }
    is_number(count, 5, "all elements");
    ok(!batch_json_next_element(&value, &cursor), "and no more");
    value = document("[ ]");
    batch_json_walk(&cursor, &value);
    ok(!batch_json_next_element(&value, &cursor), "an empty array has none");
    value = document("12");
    batch_json_walk(&cursor, &value);
    ok(!batch_json_next_element(&value, &cursor), "a number has none");
}

static void test_decode(void)
{
    static const char text[] = "\"\\\"\\\\\\/\\b\\f\\n\\r\\tx\\u0041\\u00E9\\u20ac\\uD83D\\ude00\"";
    static const char bytes[] = "\"\\/\b\f\n\r\txA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    apr_size_t length;

    is_string(batch_json_string_decode(&length, text, sizeof(text) - 1, pool), bytes,
              "all escapes are decoded");
    is_number((long long)length, sizeof(bytes) - 1, "to that length");
    ok(batch_json_string_equals(text, sizeof(text) - 1, bytes, sizeof(bytes) - 1),
       "and compared without decoding");
    ok(!batch_json_string_equals(text, sizeof(text) - 1, bytes, sizeof(bytes) - 2), "not a part");
    ok(!batch_json_string_equals("\"a\"", 3, "ab", 2), "nor more");
    is_string(batch_json_string_decode(&length, "\"\"", 2, pool), "", "an empty string");
    batch_json_string_decode(&length, "\"a\\u0000b\"", 10, pool);
    is_number((long long)length, 3, "U+0000 shows in the length");
    ok(batch_json_is_valid("[1]", 3, pool) && !batch_json_is_valid("[1", 2, pool) &&
           !batch_json_is_valid("", 0, pool),
       "documents are told from others");
}

/** Walks over all of a text of its own bytes; returns how many members and elements it has met. */
static int walk_all(const char *text, apr_size_t length, apr_pool_t *p)
{
    char *bytes = malloc(length); /* with a sanitizer, a byte beyond it would end the test */
    batch_json_cursor_t cursor = {bytes + 1, bytes + length};
    batch_json_slice_t name, value;
    int met = 0;

    memcpy(bytes, text, length);
    while (*text == '{' ? batch_json_next_member(&name, &value, &cursor)
                        : batch_json_next_element(&value, &cursor)) {
        apr_size_t decoded;

        if (*text == '{') {
            (void)batch_json_string_decode(&decoded, name.text, name.length, p);
        }
        if (*value.text == '"' && value.length > 1) {
            (void)batch_json_string_decode(&decoded, value.text, value.length, p);
            (void)batch_json_string_equals(value.text, value.length, "x", 1);
        }
        met++;
    }
    free(bytes);
    return met;
}

/** What a database holds may be no JSON. */
static void test_broken(apr_pool_t *p)
{
    static const char whole[] =
        "{\"a\\ud83d\\ude00\":\"\\ud83d\\ude00\\\\\",\"b\":[1,{\"c\":\"]\"}],\"d\":-1}";
    static const struct {
        const char *text;
        int met;
    } cases[] = {
        {"{\"a\":1 \"b\":2}", 1},
        {"{\"a\" 1}", 0},
        {"{\"a\":}", 0},
        {"{\"a\":1,}", 1},
        {"{a:1}", 0},
        {"{\"a\":\"\\u12\"}", 1},
        {"{\"a\":\"\\ud800\"}", 1},
        {"{\"a\":\"\\", 1},
        {"{\"\\", 0},
        {"[1,,2]", 1},
        {"[", 0},
        {"[]", 0},
    };
    int most = 0;

    for (apr_size_t length = 1; length < sizeof(whole); length++) {
        int met = walk_all(whole, length, p);

        most = met > most ? met : most;
    }
    is_number(most, 3, "a text that ends anywhere has no more members than the whole one");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_number(walk_all(cases[i].text, strlen(cases[i].text), p), cases[i].met, cases[i].text);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_walk();
    test_decode();
    test_broken(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

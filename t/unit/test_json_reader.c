/* The incremental JSON reader: what it takes, what it refuses and where, whatever the slices. */
/* needs: nothing */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "memory.h"
#include "tap.h"

static apr_pool_t *pool;

/* ---- Reading a document into one line of text, which tests compare ------------------------- */

typedef struct transcript {
    char *text;
    apr_pool_t *p;
} transcript_t;

static apr_status_t record_element(void *baton, const batch_json_element_t *element)
{
    transcript_t *transcript = baton;

    transcript->text =
        apr_psprintf(transcript->p, "%s %d@%d:%d=%s", transcript->text, (int)element->index,
                     (int)element->line, (int)element->column,
                     element->text ? apr_pstrmemdup(transcript->p, element->text, element->length)
                                   : apr_psprintf(transcript->p, "(%c %d bytes)", element->first,
                                                  (int)element->length));
    return APR_SUCCESS;
}

typedef struct setting {
    const char *path;
    apr_size_t max_skeleton;
    apr_size_t max_element;
} setting_t;

static const setting_t plain = {NULL, 100000, 100000};
static const setting_t ids = {"batch.operations[0].ids", 100000, 100000};

/** Feeds a slice from memory of its own, so that a tool sees each read beside it. */
static apr_status_t feed_slice(batch_json_reader_t *reader, const char *bytes, apr_size_t length,
                               batch_error_t *err)
{
    char *copy = malloc(length ? length : 1);
    apr_status_t status;

    memcpy(copy, bytes, length);
    status = batch_json_reader_feed(reader, copy, length, err);
    memset(copy, '#', length);
    free(copy);
    return status;
}

/** Reads the document in slices of which the first has first bytes and the others rest. */
static char *read_document(const setting_t *setting, const char *text, apr_size_t length,
                           apr_size_t first, apr_size_t rest, apr_pool_t *p)
{
    transcript_t transcript = {"", p};
    batch_json_reader_config_t config = {setting->path,         record_element,       &transcript,
                                         setting->max_skeleton, setting->max_element, 0};
    batch_json_reader_t *reader = batch_json_reader_make(&config, p);
    batch_error_t err = {0};
    apr_status_t status = APR_SUCCESS;
    const char *skeleton = NULL;
    apr_size_t at = 0;
    apr_size_t slice = first;

    while (at < length && status == APR_SUCCESS) {
        slice = slice < length - at ? slice : length - at;
        status = feed_slice(reader, text + at, slice, &err);
        at += slice;
        slice = rest;
    }
    if (status == APR_SUCCESS) {
        apr_size_t skeleton_length;

        status = batch_json_reader_finish(&skeleton, &skeleton_length, reader, &err);
        if (status == APR_SUCCESS && strlen(skeleton) != skeleton_length) {
            return "wrong length of the skeleton";
        }
    }
    if (status == APR_SUCCESS) {
        return apr_psprintf(p, "%s%s", skeleton, transcript.text);
    }
    return apr_psprintf(p, "%s %d:%d %s", status == BATCH_EMALFORMED ? "malformed" : "too large",
                        (int)err.line, (int)err.column, err.message);
}

/** One document: the transcript must be as wanted, and the same for all ways to slice it. */
static void check_bytes(const setting_t *setting, const char *text, apr_size_t length,
                        const char *wanted, const char *name)
{
    apr_pool_t *p;
    int same = 1;
    const char *whole;

    apr_pool_create(&p, pool);
    whole = read_document(setting, text, length, length, length, p);
    is_string(whole, wanted, name);
    for (apr_size_t first = 0; first <= length && same; first++) {
        same = !strcmp(whole, read_document(setting, text, length, first, length, p));
    }
    for (apr_size_t size = 1; size <= 3 && same; size++) {
        same = !strcmp(whole, read_document(setting, text, length, size, size, p));
    }
    ok(same, "%s: the same in slices", name);
    apr_pool_destroy(p);
}

#define check(setting, text, wanted, name)                                                         \
    check_bytes((setting), (text), sizeof(text) - 1, (wanted), (name))

/* ---- Documents without diversion ----------------------------------------------------------- */

static void test_values(void)
{
    check(&plain, "{}", "{}", "an empty object");
    check(&plain, "[]", "[]", "an empty array");
    check(&plain, "null", "null", "null alone");
    check(&plain, "true", "true", "true alone");
    check(&plain, " false ", "false", "false alone");
    check(&plain, "\"\"", "\"\"", "an empty string alone");
    check(&plain, "0", "0", "a number alone");
    check(&plain, "-0.5e-10 ", "-0.5e-10", "a number with all its parts");
    check(&plain, "[0,-1,10.25,1E+2,1e2,0e0]", "[0,-1,10.25,1E+2,1e2,0e0]", "numbers");
    check(&plain, "[1e999999,123456789012345678901234567890]",
          "[1e999999,123456789012345678901234567890]", "numbers of any size keep their digits");
    check(&plain, "\r\n{ \"a\" :\t[ 1 , 2 ] ,\n\"b\" : { } }\r\n", "{\"a\":[1,2],\"b\":{}}",
          "white space is dropped");
    check(&plain, "[\" a  b \"]", "[\" a  b \"]", "but not in strings");
    check(&plain, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u0000\"",
          "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u0000\"", "escapes");
    check(&plain, "\"\\ud83d\\ude00\\uD83D\\uDE00\"", "\"\\ud83d\\ude00\\uD83D\\uDE00\"",
          "surrogate pairs");
    check(&plain, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"",
          "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"", "UTF-8 of two, three and four bytes");
    check(&plain, "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xe0\xa0\x80\"",
          "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xe0\xa0\x80\"",
          "UTF-8 at its limits");
    check(&plain, "\xef\xbb\xbf{\"a\":1}", "{\"a\":1}", "a byte order mark is skipped");
    check(&plain, "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}", "equal names away from the path");
}

static void test_malformed_structure(void)
{
    check(&plain, "", "malformed 1:1 the document is empty", "an empty document");
    check(&plain, " \n ", "malformed 2:2 unexpected end of the document, expected a value",
          "white space only");
    check(&plain, "\xef\xbb\xbf", "malformed 1:1 unexpected end of the document, expected a value",
          "a byte order mark only");
    check(&plain, "\xef\xbb{}", "malformed 1:3 unexpected '{', expected a value",
          "half a byte order mark");
    check(&plain, "\xef\xbb\xbf]", "malformed 1:1 unexpected ']', expected a value",
          "columns do not count the byte order mark");
    check(&plain, "[1,]", "malformed 1:4 unexpected ']', expected a value", "a trailing comma");
    check(&plain, "[,1]", "malformed 1:2 unexpected ',', expected a value or ']'",
          "a leading comma");
    check(&plain, "[1 2]", "malformed 1:4 unexpected '2', expected ',' or ']'", "no comma");
    check(&plain, "[1}", "malformed 1:3 unexpected '}', expected ',' or ']'", "the wrong bracket");
    check(&plain, "{\"a\":1,}",
          "malformed 1:8 unexpected '}', expected a member's name in double quotes",
          "a trailing comma in an object");
    check(&plain, "{\"a\" 1}", "malformed 1:6 unexpected '1', expected ':'", "no colon");
    check(&plain, "{\"a\"::1}", "malformed 1:6 unexpected ':', expected a value", "two colons");
    check(&plain, "{a:1}",
          "malformed 1:2 unexpected 'a', expected a member's name in double quotes or '}'",
          "a name without quotes");
    check(&plain, "{1:1}",
          "malformed 1:2 unexpected '1', expected a member's name in double quotes or '}'",
          "a number for a name");
    check(&plain, "['a']", "malformed 1:2 unexpected ''', expected a value or ']'",
          "single quotes");
    check(&plain, "[1] // x", "malformed 1:5 unexpected '/', expected nothing behind the document",
          "a comment");
    check(&plain, "{}\n{}", "malformed 2:1 unexpected '{', expected nothing behind the document",
          "a second document");
    check(&plain, "[1]\0",
          "malformed 1:4 unexpected byte 0x00, expected nothing behind the document",
          "a NUL behind the document");
    check(&plain, "[\0]", "malformed 1:2 unexpected byte 0x00, expected a value or ']'", "a NUL");
    check(&plain, "[1,\n 2,\r\n  x]", "malformed 3:3 unexpected 'x', expected a value",
          "line and column");
    check(&plain, "[1,", "malformed 1:4 unexpected end of the document, expected a value",
          "cut off behind a comma");
    check(&plain, "{\"a\":{\n",
          "malformed 2:1 unexpected end of the document, expected a member's "
          "name in double quotes or '}'",
          "cut off in an object");
    check(&plain, "]", "malformed 1:1 unexpected ']', expected a value", "a bracket too many");
    check(&plain, "[\xc3\xa9]", "malformed 1:2 unexpected byte 0xc3, expected a value or ']'",
          "UTF-8 outside a string");
    check(&plain, "[\f1]", "malformed 1:2 unexpected byte 0x0c, expected a value or ']'",
          "white space that is none");
}

static void test_malformed_tokens(void)
{
    check(&plain, "[NaN]", "malformed 1:2 unexpected 'N', expected a value or ']'", "NaN");
    check(&plain, "[Infinity]", "malformed 1:2 unexpected 'I', expected a value or ']'",
          "Infinity");
    check(&plain, "[-Infinity]", "malformed 1:3 unexpected 'I', expected a digit", "-Infinity");
    check(&plain, "[TRUE]", "malformed 1:2 unexpected 'T', expected a value or ']'", "TRUE");
    check(&plain, "[nul]", "malformed 1:5 unexpected ']', expected null", "half a word");
    check(&plain, "truex", "malformed 1:5 unexpected 'x', expected nothing behind the document",
          "a word with a tail");
    check(&plain, "tru", "malformed 1:4 unexpected end of the document, expected true",
          "a word cut off");
    check(&plain, "[01]", "malformed 1:3 unexpected '1', expected ',' or ']'", "a leading zero");
    check(&plain, "[1.]", "malformed 1:4 unexpected ']', expected a digit", "no fraction");
    check(&plain, "[.5]", "malformed 1:2 unexpected '.', expected a value or ']'", "no integer");
    check(&plain, "[+1]", "malformed 1:2 unexpected '+', expected a value or ']'", "a plus sign");
    check(&plain, "[1e]", "malformed 1:4 unexpected ']', expected a digit", "no exponent");
    check(&plain, "[1e+]", "malformed 1:5 unexpected ']', expected a digit",
          "a sign without exponent");
    check(&plain, "[0x1]", "malformed 1:3 unexpected 'x', expected ',' or ']'", "hexadecimal");
    check(&plain, "[1.5.5]", "malformed 1:5 unexpected '.', expected ',' or ']'", "two points");
    check(&plain, "-", "malformed 1:2 unexpected end of the document, expected a digit",
          "a minus sign alone");
    check(&plain, "[1", "malformed 1:3 unexpected end of the document, expected ',' or ']'",
          "cut off behind a number");
    check(&plain, "[\"a\tb\"]", "malformed 1:4 control character 0x09 in a string", "a raw tab");
    check(&plain, "[\"a\nb\"]", "malformed 1:4 control character 0x0a in a string",
          "a raw line break");
    check(&plain, "[\"a\0b\"]", "malformed 1:4 control character 0x00 in a string", "a raw NUL");
    check(&plain, "\"\\x\"",
          "malformed 1:3 unexpected 'x', expected one of \"\\/bfnrtu behind a backslash",
          "an unknown escape");
    check(&plain, "\"\\\0\"",
          "malformed 1:3 unexpected byte 0x00, expected one of \"\\/bfnrtu behind a backslash",
          "a NUL as an escape");
    check(&plain, "\"\\u12g4\"",
          "malformed 1:6 unexpected 'g', expected four hexadecimal digits behind \\u",
          "a wrong digit");
    check(&plain, "\"abc",
          "malformed 1:5 unexpected end of the document, expected the rest of a string",
          "a string cut off");
    check(&plain, "\"abc\\",
          "malformed 1:6 unexpected end of the document, expected one of "
          "\"\\/bfnrtu behind a backslash",
          "an escape cut off");
}

static void test_malformed_characters(void)
{
    check(&plain, "[\"\\ud800\"]", "malformed 1:9 unpaired surrogate in a \\u escape",
          "a high surrogate alone");
    check(&plain, "[\"\\udc00\"]", "malformed 1:8 unpaired surrogate in a \\u escape",
          "a low surrogate alone");
    check(&plain, "[\"\\ud800\\u0041\"]", "malformed 1:14 unpaired surrogate in a \\u escape",
          "a high surrogate before another escape");
    check(&plain, "[\"\\ud800\\ud800\"]", "malformed 1:14 unpaired surrogate in a \\u escape",
          "two high surrogates");
    check(&plain, "[\"\\ud800\\n\"]", "malformed 1:10 unpaired surrogate in a \\u escape",
          "a high surrogate before a short escape");
    check(&plain, "\"\x80\"", "malformed 1:2 byte 0x80 is not UTF-8",
          "a byte that continues nothing");
    check(&plain, "\"\xc0\x80\"", "malformed 1:2 byte 0xc0 is not UTF-8", "an overlong NUL");
    check(&plain, "\"\xc1\xbf\"", "malformed 1:2 byte 0xc1 is not UTF-8",
          "an overlong form of two");
    check(&plain, "\"\xe0\x9f\xbf\"", "malformed 1:3 byte 0x9f is not UTF-8 here",
          "an overlong form of three");
    check(&plain, "\"\xf0\x8f\xbf\xbf\"", "malformed 1:3 byte 0x8f is not UTF-8 here",
          "an overlong form of four");
    check(&plain, "\"\xed\xa0\x80\"", "malformed 1:3 byte 0xa0 is not UTF-8 here",
          "a surrogate in UTF-8");
    check(&plain, "\"\xf4\x90\x80\x80\"", "malformed 1:3 byte 0x90 is not UTF-8 here",
          "above U+10FFFF");
    check(&plain, "\"\xf5\x80\x80\x80\"", "malformed 1:2 byte 0xf5 is not UTF-8",
          "far above U+10FFFF");
    check(&plain, "\"\xe2\x82\"", "malformed 1:4 byte 0x22 is not UTF-8 here", "a cut character");
    check(&plain, "\"\xe2\x82",
          "malformed 1:4 unexpected end of the document, expected the rest of "
          "a UTF-8 character",
          "a character cut off by the end");
    check(&plain, "{\"a\\u0000b\":1}", "malformed 1:9 U+0000 in a member's name",
          "U+0000 in a name");
    check(&plain, "[{\"\xff\":1}]", "malformed 1:4 byte 0xff is not UTF-8", "a name not in UTF-8");
}

/* ---- The diverted array -------------------------------------------------------------------- */

static void test_diversion(void)
{
    setting_t root = {"", 100, 100};
    setting_t deep = {"[1][0].a", 100, 100};

    check(&ids, "{\"batch\":{\"operations\":[{\"ids\":[\"a\",\"b\"],\"x\":1}]}}",
          "{\"batch\":{\"operations\":[{\"ids\":[],\"x\":1}]}} 0@1:33=\"a\" 1@1:37=\"b\"",
          "elements go to the callback, not to the skeleton");
    check(&ids, "{\"batch\":{\"operations\":[{\"ids\":[ ]}]}}",
          "{\"batch\":{\"operations\":[{\"ids\":[]}]}}", "an empty array");
    check(&ids,
          "{\"batch\":{\"operations\":[{\"ids\":[\n1 , [ 2, {\"a\": [\n]}],\n\n null,"
          "\"\\u00e9\",{},-1.5e3,true\n]}]}}",
          "{\"batch\":{\"operations\":[{\"ids\":[]}]}} 0@2:1=1 1@2:5=[ 2, {\"a\": [\n]}] "
          "2@5:2=null 3@5:7=\"\\u00e9\" 4@5:16={} 5@5:19=-1.5e3 6@5:26=true",
          "elements of every kind, as they were written");
    check(&ids, "{\"\\u0062atch\":{\"oper\\u0061tions\":[{\"\\u0069\\u0064\\u0073\":[\"a\"]}]}}",
          "{\"\\u0062atch\":{\"oper\\u0061tions\":[{\"\\u0069\\u0064\\u0073\":[]}]}} 0@1:58=\"a\"",
          "names with escapes are the same names");
    check(&ids, "{\"batch\":{\"operations\":[{},{\"ids\":[\"a\"]}]}}",
          "{\"batch\":{\"operations\":[{},{\"ids\":[\"a\"]}]}}", "only the first operation's");
    check(&ids, "{\"operations\":[{\"ids\":[1]}],\"batch\":{\"ids\":[2],\"x\":{\"ids\":[3]}}}",
          "{\"operations\":[{\"ids\":[1]}],\"batch\":{\"ids\":[2],\"x\":{\"ids\":[3]}}}",
          "only at that place");
    check(&ids, "{\"batch\":{\"operations\":[{\"ids\":\"a\"}]}}",
          "{\"batch\":{\"operations\":[{\"ids\":\"a\"}]}}", "what is no array stays");
    check(&ids, "{\"batch\":{\"operations\":[{\"ids\":{\"ids\":[1]}}]}}",
          "{\"batch\":{\"operations\":[{\"ids\":{\"ids\":[1]}}]}}", "also an object");
    check(&ids, "{\"batch\":[{\"ids\":[1]}]}", "{\"batch\":[{\"ids\":[1]}]}",
          "an array where the path has a name");
    check(&ids, "{\"batch\":{\"operations\":[{\"id\":[1],\"idss\":[2],\"\":[3],\"Ids\":[4]}]}}",
          "{\"batch\":{\"operations\":[{\"id\":[1],\"idss\":[2],\"\":[3],\"Ids\":[4]}]}}",
          "names that are nearly the same");
    check(&root, "[1,{\"a\":[2]}]", "[] 0@1:2=1 1@1:4={\"a\":[2]}", "the document itself");
    check(&root, "{\"\":[1]}", "{\"\":[1]}", "the document itself is no array");
    check(&deep, "[{\"a\":[0]},[{\"a\":[1,2]},{\"a\":[3]}],[{\"a\":[4]}]]",
          "[{\"a\":[0]},[{\"a\":[]},{\"a\":[3]}],[{\"a\":[4]}]] 0@1:19=1 1@1:21=2",
          "indexes in the path");
}

#define OPENING "{\"batch\":{\"operations\":[{\"ids\":"

static void test_diversion_malformed(void)
{
    check(&ids, OPENING "[1,]}]}}", "malformed 1:35 unexpected ']', expected a value",
          "a trailing comma in the diverted array");
    check(&ids, OPENING "[,1]}]}}", "malformed 1:33 unexpected ',', expected a value or ']'",
          "a leading comma there");
    check(&ids, OPENING "[1 2]}]}}", "malformed 1:35 unexpected '2', expected ',' or ']'",
          "no comma there");
    check(&ids, OPENING "[\"a\" \"b\"]}]}}", "malformed 1:37 unexpected '\"', expected ',' or ']'",
          "no comma between strings");
    check(&ids, OPENING "[1}]}}", "malformed 1:34 unexpected '}', expected ',' or ']'",
          "the wrong bracket there");
    check(&ids, OPENING "[[1,]]}]}}", "malformed 1:36 unexpected ']', expected a value",
          "inside an element");
    check(&ids, OPENING "[{\"a\\u0000\":1}]}]}}", "malformed 1:41 U+0000 in a member's name",
          "a name inside an element");
    check(&ids, OPENING "[1", "malformed 1:34 unexpected end of the document, expected ',' or ']'",
          "cut off in an element");
    check(&ids, OPENING "[\"\xff\"]}]}}", "malformed 1:34 byte 0xff is not UTF-8",
          "an element not in UTF-8");
    check(&ids, OPENING "[1],\n \"ids\":[2]}]}}", "malformed 2:2 \"ids\" is given twice",
          "the array twice");
    check(&ids, OPENING "[1],\"\\u0069ds\":null}]}}", "malformed 1:36 \"ids\" is given twice",
          "twice, once with an escape");
    check(&ids, OPENING "[1]}]},\"batch\":{}}", "malformed 1:39 \"batch\" is given twice",
          "what holds the array twice");
    check(&ids, "{\"batch\":{\"operations\":1,\"operations\":[]}}",
          "malformed 1:26 \"operations\" is given twice", "the same, before it");
}

/* ---- Limits -------------------------------------------------------------------------------- */

static void test_limits(void)
{
    setting_t tight = {"a", 13, 4};

    check(&tight, "{\"a\":[],\"b\":1}",
          "too large 1:14 more than 13 bytes beside the list of objects",
          "a skeleton over its limit");
    check(&tight, "{ \"a\" : [1,2],\n\"bc\":x}", "malformed 2:6 unexpected 'x', expected a value",
          "what comes first is told");
    check(&tight, "{\"a\":[\"bc\",\"bcd\", [ 1], [  1],2]}",
          "{\"a\":[]} 0@1:7=\"bc\" 1@1:12=(\" 5 bytes) 2@1:19=[ 1] 3@1:25=([ 5 bytes) 4@1:31=2",
          "elements over their limit");
    check(&tight, "{ \"a\" : [1,2,3,4,5,6],\n\"\": 1 }",
          "{\"a\":[],\"\":1} 0@1:10=1 1@1:12=2 2@1:14=3 3@1:16=4 4@1:18=5 5@1:20=6",
          "white space and elements do not count");
}

static char *repeat(const char *text, int count)
{
    apr_size_t length = strlen(text);
    char *all = apr_palloc(pool, length * (apr_size_t)count + 1);

    for (int i = 0; i < count; i++) {
        memcpy(all + length * (apr_size_t)i, text, length);
    }
    all[length * (apr_size_t)count] = '\0';
    return all;
}

static void test_depth(void)
{
    char *allowed = apr_pstrcat(pool, repeat("[", 32), repeat("]", 32), NULL);
    char *refused = apr_pstrcat(pool, repeat("[", 33), repeat("]", 33), NULL);
    char *objects = apr_pstrcat(pool, repeat("{\"a\":", 33), "1", repeat("}", 33), NULL);
    char *element = apr_pstrcat(pool, "{\"a\":", allowed, "}", NULL);
    setting_t diverted = {"a", 100, 100};

    check_bytes(&plain, allowed, strlen(allowed), allowed, "32 levels");
    check_bytes(&plain, refused, strlen(refused), "malformed 1:33 nested deeper than 32 levels",
                "33 levels");
    check_bytes(&plain, objects, strlen(objects), "malformed 1:161 nested deeper than 32 levels",
                "33 levels of objects");
    check_bytes(&diverted, element, strlen(element), "malformed 1:37 nested deeper than 32 levels",
                "33 levels with those of an element");
}

static void test_sticky(void)
{
    batch_json_reader_config_t config = {NULL, NULL, NULL, 100, 100, 0};
    batch_json_reader_t *reader = batch_json_reader_make(&config, pool);
    batch_error_t err = {0};

    ok(batch_json_reader_feed(reader, "[x", 2, NULL) == BATCH_EMALFORMED,
       "an error without details");
    ok(batch_json_reader_feed(reader, "]", 1, &err) == BATCH_EMALFORMED, "stays");
    is_number(err.column, 2, "with its place");
    memset(&err, 0, sizeof(err));
    ok(batch_json_reader_finish(NULL, NULL, reader, &err) == BATCH_EMALFORMED, "to the end");
    is_string(err.message, "unexpected 'x', expected a value or ']'", "with its message");
}

static apr_status_t refuse_element(void *baton, const batch_json_element_t *element)
{
    ++*(int *)baton;
    return element->index == 1 ? BATCH_EREFUSED : APR_SUCCESS;
}

static void test_callback_status(void)
{
    int calls = 0;
    batch_json_reader_config_t config = {"", refuse_element, &calls, 100, 100, 0};
    batch_json_reader_t *reader = batch_json_reader_make(&config, pool);
    batch_error_t err = {0};

    ok(batch_json_reader_feed(reader, "[1,2,3]", 7, &err) == BATCH_EREFUSED,
       "the callback's status is the reader's");
    is_number(calls, 2, "and it is not called again");
    ok(batch_json_reader_finish(NULL, NULL, reader, &err) == BATCH_EREFUSED, "not even by the end");
}

/* ---- Hostile sizes ------------------------------------------------------------------------- */

typedef struct sizes {
    apr_int64_t count;
    apr_int64_t too_long;
    apr_size_t longest;
} sizes_t;

static apr_status_t count_element(void *baton, const batch_json_element_t *element)
{
    sizes_t *sizes = baton;

    sizes->count++;
    sizes->too_long += !element->text;
    sizes->longest = element->length > sizes->longest ? element->length : sizes->longest;
    return APR_SUCCESS;
}

/** Feeds opening, then count times middle, then closing; returns the status of the end. */
static apr_status_t feed_large(sizes_t *sizes, long *grown, const char *opening, const char *middle,
                               int count, const char *closing, batch_error_t *err)
{
    batch_json_reader_config_t config = {"a", count_element, sizes, 1024 * 1024, 1024, 0};
    apr_pool_t *p;
    batch_json_reader_t *reader;
    apr_status_t status;
    apr_size_t length = strlen(middle);
    long before = resident_bytes();

    memset(sizes, 0, sizeof(*sizes));
    apr_pool_create(&p, pool);
    reader = batch_json_reader_make(&config, p);
    status = batch_json_reader_feed(reader, opening, strlen(opening), err);
    for (int i = 0; i < count && status == APR_SUCCESS; i++) {
        status = batch_json_reader_feed(reader, middle, length, err);
    }
    if (status == APR_SUCCESS) {
        status = batch_json_reader_feed(reader, closing, strlen(closing), err);
    }
    if (status == APR_SUCCESS) {
        status = batch_json_reader_finish(NULL, NULL, reader, err);
    }
    *grown = resident_bytes() - before;
    err->message = NULL; /* it goes with the pool */
    apr_pool_destroy(p);
    return status;
}

static void test_hostile_sizes(void)
{
    const char *many = repeat("\"6fcf631a-71b9-11ee-b962-0242ac120002\",", 2000);
    const char *letters = repeat("x", 64 * 1024);
    const char *spaces = repeat(" \n", 32 * 1024);
    const char *brackets = repeat("[", 64 * 1024);
    batch_error_t err = {0};
    sizes_t sizes;
    long grown;

    ok(feed_large(&sizes, &grown, "{\"a\":[", many, 640, "1]}", &err) == APR_SUCCESS,
       "50 MB of ids are read");
    is_number(sizes.count, 640 * 2000 + 1, "each one");
    ok(grown < 4 * 1024 * 1024, "in %ld KB of memory", grown / 1024);
    ok(feed_large(&sizes, &grown, "{\"a\":[1,\"", letters, 800, "\",2]}", &err) == APR_SUCCESS,
       "an element of 50 MB is read");
    is_number(sizes.count, 3, "and those around it");
    is_number(sizes.too_long, 1, "but it is not held");
    is_number((long long)sizes.longest, 800LL * 64 * 1024 + 2, "its length is known");
    ok(grown < 4 * 1024 * 1024, "in %ld KB of memory", grown / 1024);
    ok(feed_large(&sizes, &grown, "{\"a\":[[", spaces, 800, "]]}", &err) == APR_SUCCESS,
       "an element full of lines is read");
    ok(grown < 4 * 1024 * 1024, "in %ld KB of memory", grown / 1024);
    ok(feed_large(&sizes, &grown, "{\"b\":[", spaces, 800, "]}", &err) == APR_SUCCESS,
       "white space does not count");
    ok(grown < 4 * 1024 * 1024, "in %ld KB of memory", grown / 1024);
    ok(feed_large(&sizes, &grown, "{\"b\":\"", letters, 800, "\"}", &err) == BATCH_ETOOLARGE,
       "a huge string is refused");
    is_number(err.column, 1024 * 1024 + 1, "at the first byte over the limit");
    ok(grown < 8 * 1024 * 1024, "in %ld KB of memory", grown / 1024);
    ok(feed_large(&sizes, &grown, "{\"", letters, 800, "\":1}", &err) == BATCH_ETOOLARGE,
       "a huge name is refused");
    ok(feed_large(&sizes, &grown, "{\"a\":[{\"", letters, 800, "\":1}]}", &err) == APR_SUCCESS,
       "a huge name in an element is not held");
    ok(grown < 4 * 1024 * 1024, "in %ld KB of memory", grown / 1024);
    ok(feed_large(&sizes, &grown, "{\"b\":", brackets, 800, "", &err) == BATCH_EMALFORMED,
       "a huge depth is refused");
    is_number(err.column, 37, "at the first bracket over the limit");
    ok(feed_large(&sizes, &grown, "{\"a\":[", brackets, 800, "", &err) == BATCH_EMALFORMED,
       "also in an element");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    /* First, while the allocator has nothing in store that would hide growth. */
    test_hostile_sizes();
    test_values();
    test_malformed_structure();
    test_malformed_tokens();
    test_malformed_characters();
    test_diversion();
    test_diversion_malformed();
    test_limits();
    test_depth();
    test_sticky();
    test_callback_status();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

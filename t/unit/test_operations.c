/* Requests of the records API: what is read from them, and every problem with its place. */
/* needs: nothing; takes: long */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "payload/operations.h"
#include "memory.h"
#include "tap.h"

static apr_pool_t *pool;

/* ---- A sink into one string ---------------------------------------------------------------- */

typedef struct text {
    char *bytes;
    apr_size_t length;
    apr_pool_t *p;
} text_t;

static apr_status_t append(void *baton, const char *bytes, apr_size_t length)
{
    text_t *text = baton;
    char *all = apr_palloc(text->p, text->length + length + 1);

    memcpy(all, text->bytes, text->length);
    memcpy(all + text->length, bytes, length);
    text->length += length;
    all[text->length] = '\0';
    text->bytes = all;
    return APR_SUCCESS;
}

static const char *written(const batch_operations_request_t *request, apr_pool_t *p)
{
    text_t text = {"", 0, p};
    batch_sink_t sink = {append, &text};

    if (batch_operations_write(&sink, request, p) != APR_SUCCESS) {
        return "failed";
    }
    return text.bytes;
}

/* ---- A request as one line of text, which tests compare ------------------------------------ */

static const char *shown(const char *text)
{
    return text ? text : "-";
}

static char *show_operation(const batch_operation_t *first, apr_pool_t *p)
{
    char *line = apr_psprintf(p, "%s/%s/%s/%s", shown(first->action), shown(first->resource),
                              shown(first->form_id), shown(first->query));

    if (first->has_ids) {
        line = apr_psprintf(p, "%s ids(%d%s)", line, (int)first->ids_sent,
                            first->ids_over ? " over" : "");
        for (int i = 0; i < first->ids->nelts; i++) {
            const batch_item_t *item = &APR_ARRAY_IDX(first->ids, i, batch_item_t);

            line = apr_psprintf(p, "%s %d=%s%s", line, (int)item->ordinal, item->key,
                                strlen(item->key) == item->key_length ? "" : "(wrong length)");
        }
    }
    if (first->has_data) {
        line = apr_pstrcat(p, line, " data", NULL);
        for (int i = 0; i < first->data->nelts; i++) {
            const batch_value_t *value = &APR_ARRAY_IDX(first->data, i, batch_value_t);

            line = apr_psprintf(p, "%s %s=%s", line, value->name,
                                value->value ? value->value : "NULL");
        }
    }
    return line;
}

static char *show_request(const batch_operations_request_t *request,
                          const batch_problems_t *problems, apr_pool_t *p)
{
    char *line = apr_psprintf(p, "%s %d %s", request->start ? "start" : "wait",
                              request->operation_count, show_operation(&request->first, p));

    for (int i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);
        line = apr_psprintf(p, "%s | %s: %s", line, problem->field, problem->message);
    }
    return line;
}

static char *read_request(batch_body_e body, const char *text, apr_size_t length, apr_int64_t max,
                          apr_size_t first, apr_size_t rest, apr_pool_t *p)
{
    batch_operations_parser_t *parser = batch_operations_parser_make(body, max, p);
    batch_problems_t *problems = batch_problems_make(p);
    batch_operations_request_t request;
    batch_error_t err = {0};
    apr_status_t status = APR_SUCCESS;
    apr_size_t slice = first;

    for (apr_size_t at = 0; at < length && status == APR_SUCCESS; at += slice, slice = rest) {
        char *copy;

        slice = slice < length - at ? slice : length - at;
        copy = malloc(slice ? slice : 1);
        memcpy(copy, text + at, slice);
        status = batch_operations_parser_feed(parser, copy, slice, &err);
        free(copy);
    }
    if (status == APR_SUCCESS) {
        status = batch_operations_parser_finish(&request, parser, problems, &err);
    }
    if (status != APR_SUCCESS) {
        return apr_psprintf(p, "%s %d:%d %s",
                            status == BATCH_EMALFORMED ? "malformed" : "too large", (int)err.line,
                            (int)err.column, err.message);
    }
    return show_request(&request, problems, p);
}

/** The request must be read as wanted, however it is sliced. */
static void check_request(batch_body_e body, const char *text, apr_size_t length,
                          const char *wanted, const char *name)
{
    apr_pool_t *p;
    const char *whole;
    int same = 1;

    apr_pool_create(&p, pool);
    whole = read_request(body, text, length, 5, length, length, p);
    is_string(whole, wanted, name);
    for (apr_size_t first = 0; first <= length && same; first++) {
        same = !strcmp(whole, read_request(body, text, length, 5, first, length, p));
    }
    same = same && !strcmp(whole, read_request(body, text, length, 5, 1, 1, p));
    ok(same, "%s: the same in slices", name);
    apr_pool_destroy(p);
}

#define check(text, wanted, name)                                                                  \
    check_request(BATCH_BODY_CREATE, (text), sizeof(text) - 1, (wanted), (name))
#define check_operations(text, wanted, name)                                                       \
    check_request(BATCH_BODY_OPERATIONS, (text), sizeof(text) - 1, (wanted), (name))

/* The first operation of a create with these members. */
#define FIRST(members) "{\"batch\":{\"operations\":[{" members "}]}}"

/* ---- What is right ------------------------------------------------------------------------- */

static void test_right(void)
{
    check("{\"batch\":{\"start\":false,\"operations\":[{\"action\":\"delete\",\"resource\":"
          "\"record\",\"form_id\":\"f\",\"ids\":[\"b\",\"a\",\"b\",\"c\"]}]}}",
          "wait 1 delete/record/f/- ids(4) 0=b 1=a 3=c", "a delete by ids");
    check("{\"batch\":{}}", "start 0 -/-/-/-", "a batch without operations");
    check("{\"batch\":{\"operations\":null,\"dry_run\":null}}", "start 0 -/-/-/-",
          "null counts as absent");
    check("{\"batch\":{\"start\":null}}", "start 0 -/-/-/- | start: must be true or false",
          "but not for start, which would delete");
    check("{\"batch\":{\"operations\":[],\"start\":true}}", "start 0 -/-/-/-", "no operation");
    check(FIRST("\"query\":\"SELECT 1\""), "start 1 -/-/-/SELECT 1", "a query");
    check(FIRST("\"ids\":[]"), "start 1 -/-/-/- ids(0)", "no ids is not the same as none");
    check(FIRST("\"ids\":null,\"action\":null,\"data\":null"), "start 1 -/-/-/-",
          "null members count as absent");
    check(
        FIRST("\"action\":\"\\u0064elete\",\"ids\":[\"\\u00e9\",\"\xc3\xa9\",\"\\ud83d\\ude00\"]"),
        "start 1 delete/-/-/- ids(3) 0=\xc3\xa9 2=\xf0\x9f\x98\x80",
        "escapes are decoded before ids are compared");
    check(FIRST("\"ids\":[\"1\",\"2\",\"3\",\"2\",\"4\",\"5\"]"),
          "start 1 -/-/-/- ids(6) 0=1 1=2 2=3 4=4 5=5", "as many distinct ids as are allowed");
    check(FIRST("\"ids\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"1\",\"6\",\"7\",\"1\"]"),
          "start 1 -/-/-/- ids(9 over) 0=1 1=2 2=3 3=4 4=5", "one more is over");
    check("{\"x\":1,\"batch\":{\"y\":{\"ids\":[1]},\"operations\":[{\"ids\":[\"a\"],\"z\":[{}]},"
          "{\"ids\":[1,2]}]}}",
          "start 2 -/-/-/- ids(1) 0=a", "what is unknown is ignored");
    check_operations("{\"operations\":[{\"ids\":[\"a\",\"a\"]}],\"start\":false}",
                     "start 1 -/-/-/- ids(2) 0=a", "operations alone");
    check("\xef\xbb\xbf\r\n{\"batch\":{\"operations\":[{\"ids\":[\r\n\"a\"\r\n]}]}}\r\n",
          "start 1 -/-/-/- ids(1) 0=a", "a byte order mark and white space");
    check("{\"batch\":{\"dry_run\":false,\"max_errors\":null}}", "start 0 -/-/-/-",
          "no dry run is what there is");
}

static void test_data(void)
{
    check(FIRST("\"data\":{\"status\":\"a\\\"b\",\"project_id\":null,\"n\":-12345678901234567890123"
                ",\"x\":1.50,\"t\":true,\"f\":false,\"e\":\"\"}"),
          "start 1 -/-/-/- data status=a\"b project_id=NULL n=-12345678901234567890123 x=1.50 "
          "t=true f=false e=",
          "values of data as text, numbers as they were written");
    check(FIRST("\"data\":{}"), "start 1 -/-/-/- data", "data without members");
    check(FIRST("\"data\":{\"a\":[1],\"b\":{},\"c\":1}"),
          "start 1 -/-/-/- data c=1 | operations[0].data.a: must be a string, a number, a boolean "
          "or null | operations[0].data.b: must be a string, a number, a boolean or null",
          "data with arrays and objects");
    check(FIRST("\"data\":{\"a\":1,\"\\u0061\":2}"),
          "start 1 -/-/-/- data a=2 | operations[0].data.a: is given twice", "a member twice");
    check(FIRST("\"data\":{\"a\":\"b\\u0000c\"}"),
          "start 1 -/-/-/- data | operations[0].data.a: must not contain U+0000", "U+0000 in data");
    check(FIRST("\"data\":[1]"), "start 1 -/-/-/- | operations[0].data: must be an object",
          "data that is no object");
}

/* ---- What is wrong ------------------------------------------------------------------------- */

static void test_shape(void)
{
    check("{}", "start 0 -/-/-/- | batch: is required", "no batch");
    check("[]", "start 0 -/-/-/- | batch: is required", "an array");
    check("1", "start 0 -/-/-/- | batch: is required", "a number");
    check("{\"batch\":null}", "start 0 -/-/-/- | batch: is required", "batch is null");
    check("{\"batch\":[]}", "start 0 -/-/-/- | batch: must be an object", "batch is an array");
    check("{\"batch\":{\"start\":\"false\"}}", "start 0 -/-/-/- | start: must be true or false",
          "start is a string");
    check("{\"batch\":{\"start\":false,\"start\":true}}", "start 0 -/-/-/- | start: is given twice",
          "start twice");
    check("{\"batch\":{\"start\":0,\"operations\":{}}}",
          "start 0 -/-/-/- | start: must be true or false | operations: must be an array",
          "all problems are told");
    check("{\"batch\":{\"operations\":[null,{},1]}}",
          "start 3 -/-/-/- | operations[0]: must be an object | operations[2]: must be an object",
          "operations that are no objects");
    check(FIRST("\"action\":1,\"resource\":[],\"form_id\":{},\"query\":true,\"ids\":\"a\""),
          "start 1 -/-/-/- | operations[0].action: must be a string | operations[0].resource: must "
          "be a string | operations[0].form_id: must be a string | operations[0].query: must be a "
          "string | operations[0].ids: must be an array of strings",
          "members of wrong types");
    check(FIRST("\"action\":\"delete\\u0000\",\"action\":\"update\""),
          "start 1 update/-/-/- | operations[0].action: is given twice", "the action twice");
    check(FIRST("\"action\":\"delete\\u0000\""),
          "start 1 -/-/-/- | operations[0].action: must not contain U+0000",
          "U+0000 behind the action");
    check("{\"batch\":{\"dry_run\":true,\"max_removed\":10,\"max_errors\":0}}",
          "start 0 -/-/-/- | dry_run: is not available in this version | max_removed: is not "
          "available in this version | max_errors: is not available in this version",
          "safety nets that are not there");
    check("{\"batch\":{\"dry_run\":1}}", "start 0 -/-/-/- | dry_run: must be true or false",
          "a dry run that is no boolean");
    check_operations("{}", "start 0 -/-/-/- | operations: is required", "operations are missing");
    check_operations("{\"operations\":null}", "start 0 -/-/-/- | operations: is required",
                     "operations are null");
    check_operations("[{}]", "start 0 -/-/-/- | operations: is required", "an array of operations");
    check_operations("{\"operations\":{}}", "start 0 -/-/-/- | operations: must be an array",
                     "operations are no array");
}

#define NO_ID(place) "operations[0].ids[" #place "]: must be a string or a whole number | "

static void test_ids(void)
{
    check(FIRST("\"ids\":[\"a\",1,null,[\"b\"],{\"c\":1},true,\"\",\"d\"]"),
          "start 1 -/-/-/- ids(8) 0=a 1=1 7=d | " NO_ID(2) NO_ID(3) NO_ID(4)
              NO_ID(5) "operations[0].ids[6]: must not be empty",
          "ids that are none, and one that is a number");
    check(FIRST("\"ids\":[7,\"7\", 7.0 ,7e0,-7,-0,12345678901234567890,1.5,1e30]"),
          "start 1 -/-/-/- ids(9) 0=7 4=-7 5=0 6=12345678901234567890 | " NO_ID(
              7) "operations[0].ids[8]: must be a string or a whole number",
          "whole numbers, each once");
    check(FIRST("\"ids\":[\"a\\u0000\",\"\\u0000\"]"),
          "start 1 -/-/-/- ids(2) | operations[0].ids[0]: must not contain U+0000 | "
          "operations[0].ids[1]: must not contain U+0000",
          "U+0000 in ids");
    check(FIRST("\"ids\":[\"a\",]"), "malformed 1:37 unexpected ']', expected a value",
          "a trailing comma");
    check(FIRST("\"ids\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",7 8]"),
          "malformed 1:59 unexpected '8', expected ',' or ']'", "malformed behind the limit");
    check(FIRST("\"ids\":[\"a\"],\"ids\":[\"b\"]"), "malformed 1:38 \"ids\" is given twice",
          "ids twice");
    check("", "malformed 1:1 the document is empty", "no body");
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

static void check_long(const char *text, const char *wanted, const char *name)
{
    check_request(BATCH_BODY_CREATE, text, strlen(text), wanted, name);
}

static void test_id_length(void)
{
    const char *letters = repeat("x", 255);
    const char *problem = "start 1 -/-/-/- ids(1) | operations[0].ids[0]: must not be longer than "
                          "255 bytes";

    check_long(
        apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"ids\":[\"", letters, "\"]}]}}", NULL),
        apr_pstrcat(pool, "start 1 -/-/-/- ids(1) 0=", letters, NULL), "an id of 255 bytes");
    check_long(
        apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"ids\":[\"", letters, "x\"]}]}}", NULL),
        problem, "an id of 256 bytes");
    check_long(apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"ids\":[\"", repeat("\\u0078", 255),
                           "\"]}]}}", NULL),
               apr_pstrcat(pool, "start 1 -/-/-/- ids(1) 0=", letters, NULL),
               "an id of 255 bytes, all in escapes");
    check_long(apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"ids\":[\"", repeat("\\u0078", 256),
                           "\"]}]}}", NULL),
               problem, "an id of 256 bytes, all in escapes");
    check_long(apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"ids\":[\"", repeat("xy\\n", 1000),
                           "\"]}]}}", NULL),
               problem, "an id of 3000 bytes");
    check_long(apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"ids\":[[\"", repeat("x", 3000),
                           "\"]]}]}}", NULL),
               "start 1 -/-/-/- ids(1) | operations[0].ids[0]: must be a string or a whole number",
               "a long element that is no string");
}

/* ---- Bounds -------------------------------------------------------------------------------- */

typedef struct parsed {
    batch_operations_request_t request;
    batch_problems_t *problems;
    batch_error_t err;
    apr_status_t status;
} parsed_t;

static void parse(parsed_t *parsed, const char *text, apr_int64_t max, apr_pool_t *p)
{
    batch_operations_parser_t *parser = batch_operations_parser_make(BATCH_BODY_CREATE, max, p);

    memset(parsed, 0, sizeof(*parsed));
    parsed->problems = batch_problems_make(p);
    parsed->status = batch_operations_parser_feed(parser, text, strlen(text), &parsed->err);
    if (parsed->status == APR_SUCCESS) {
        parsed->status = batch_operations_parser_finish(&parsed->request, parser, parsed->problems,
                                                        &parsed->err);
    }
}

static void test_many_problems(void)
{
    const batch_problem_t *last;
    parsed_t parsed;

    parse(&parsed,
          apr_pstrcat(pool, "{\"batch\":{\"start\":1,\"operations\":[{\"ids\":[",
                      repeat("{},", 5000), "\"a\"]}]}}", NULL),
          10, pool);
    is_number(parsed.problems->nelts, 101, "a hundred problems are listed, and one for the rest");
    is_string(APR_ARRAY_IDX(parsed.problems, 0, batch_problem_t).field, "start",
              "that of start first");
    is_string(APR_ARRAY_IDX(parsed.problems, 99, batch_problem_t).field, "operations[0].ids[98]",
              "then those of the ids");
    last = &APR_ARRAY_IDX(parsed.problems, parsed.problems->nelts - 1, batch_problem_t);
    is_string(last->field, "operations", "the rest is of the operations");
    is_string(last->message, "and 4901 more problems that are not listed", "and counted");
    parse(&parsed,
          apr_pstrcat(pool, "{\"batch\":{\"operations\":[", repeat("1,", 5000), "{}]}}", NULL), 10,
          pool);
    is_number(parsed.problems->nelts, 101, "the same for operations");
    is_number(parsed.request.operation_count, 5001, "which are counted all");
}

static void test_data_bounds(void)
{
    const char *name = repeat("n", 255);
    apr_array_header_t *members = apr_array_make(pool, 1000, sizeof(const char *));
    parsed_t parsed;

    for (int i = 0; i < 1000; i++) {
        APR_ARRAY_PUSH(members, const char *) = apr_psprintf(pool, "\"m%d\":%d", i, i);
    }
    parse(&parsed,
          apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"data\":{",
                      apr_array_pstrcat(pool, members, ','), "}}]}}", NULL),
          10, pool);
    is_number(parsed.problems->nelts, 0, "data may have a thousand members");
    is_number(parsed.request.first.data->nelts, 1000, "all are read");
    parse(&parsed,
          apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"data\":{",
                      apr_array_pstrcat(pool, members, ','), ",\"x\":1}}]}}", NULL),
          10, pool);
    is_number(parsed.problems->nelts, 1, "but not one more");
    is_string(APR_ARRAY_IDX(parsed.problems, 0, batch_problem_t).message,
              "must not have more than 1000 members", "as the problem says");
    parse(&parsed,
          apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"data\":{\"", name, "\":1}}]}}", NULL),
          10, pool);
    is_number(parsed.problems->nelts, 0, "a name of 255 bytes");
    parse(&parsed,
          apr_pstrcat(pool, "{\"batch\":{\"operations\":[{\"data\":{\"", name, "n\":1}}]}}", NULL),
          10, pool);
    is_string(APR_ARRAY_IDX(parsed.problems, 0, batch_problem_t).message,
              "has a member with a name of over 255 bytes", "a name of 256 bytes");
}

static void test_too_large(void)
{
    const char *filler = repeat("x", BATCH_OPERATIONS_BYTES - (17 + 2));
    parsed_t parsed;

    parse(&parsed, apr_pstrcat(pool, "{\"batch\":{},\"x\":\"", filler, "\"}", NULL), 10, pool);
    ok(parsed.status == APR_SUCCESS, "a document of the size that is allowed");
    parse(&parsed, apr_pstrcat(pool, "{\"batch\":{},\"x\":\"", filler, "x\"}", NULL), 10, pool);
    ok(parsed.status == BATCH_ETOOLARGE, "one more byte is too large");
    is_number(parsed.err.column, BATCH_OPERATIONS_BYTES + 1, "at that byte");
    is_string(parsed.err.message, "more than 1048576 bytes beside the list of objects",
              "and told so");
}

/** Feeds a body of count ids, which repeat after distinct ones. */
static long feed_ids(batch_operations_request_t *request, int count, int distinct, const char *form,
                     apr_pool_t *p)
{
    batch_operations_parser_t *parser = batch_operations_parser_make(BATCH_BODY_CREATE, 10000, p);
    batch_problems_t *problems = batch_problems_make(p);
    static const char opening[] = "{\"batch\":{\"operations\":[{\"ids\":[";
    long before = resident_bytes();
    char id[64];
    apr_status_t status = batch_operations_parser_feed(parser, opening, strlen(opening), NULL);

    for (int i = 0; i < count && status == APR_SUCCESS; i++) {
        snprintf(id, sizeof(id), form, i % distinct, i + 1 < count ? "," : "]}]}}");
        status = batch_operations_parser_feed(parser, id, strlen(id), NULL);
    }
    if (status == APR_SUCCESS) {
        status = batch_operations_parser_finish(request, parser, problems, NULL);
    }
    ok(status == APR_SUCCESS, "%d ids are read", count);
    return resident_bytes() - before;
}

static void test_memory(void)
{
    batch_operations_request_t request;
    apr_pool_t *p;
    long grown;
    int in_order = 1;

    apr_pool_create(&p, pool);
    grown = feed_ids(&request, 1300000, 10000, "\"6fcf631a-71b9-11ee-b962-%012d\"%s", p);
    ok(grown < 8 * 1024 * 1024, "50 MB of ids in %ld KB", grown / 1024);
    is_number(request.first.ids->nelts, 10000, "of which the distinct ones are kept");
    ok(!request.first.ids_over, "and there are no more");
    is_number(request.first.ids_sent, 1300000, "all are counted");
    for (int i = 0; i < request.first.ids->nelts; i++) {
        const batch_item_t *item = &APR_ARRAY_IDX(request.first.ids, i, batch_item_t);
        in_order = in_order && item->ordinal == i && atoi(item->key + 24) == i;
    }
    ok(in_order, "in the order sent");
    apr_pool_clear(p);
    grown = feed_ids(&request, 1300000, 1300000, "\"6fcf631a-71b9-11ee-b962-%012d\"%s", p);
    ok(grown < 8 * 1024 * 1024, "50 MB of distinct ids in %ld KB", grown / 1024);
    is_number(request.first.ids->nelts, 10000, "are cut in memory");
    ok(request.first.ids_over, "and are known to be over");
    apr_pool_clear(p);
    grown = feed_ids(&request, 1300000, 1300000, "\"6fcf631a-71b9-11ee-b962-\\u0030%d\"%s", p);
    ok(grown < 8 * 1024 * 1024, "50 MB of ids with escapes in %ld KB", grown / 1024);
    apr_pool_destroy(p);
}

/* ---- Writing ------------------------------------------------------------------------------- */

static void check_written(const char *text, const char *wanted_text, const char *wanted,
                          const char *name)
{
    parsed_t parsed;
    const char *result;

    parse(&parsed, text, 5, pool);
    is_string(parsed.request.text, wanted_text, apr_pstrcat(pool, name, ": what is kept", NULL));
    result = written(&parsed.request, pool);
    is_string(result, wanted, apr_pstrcat(pool, name, ": what is written", NULL));
    ok(batch_json_is_valid(result, strlen(result), pool), "%s: is JSON", name);
}

static void test_write(void)
{
    check_written("{\"batch\":{}}", NULL, "[]", "no operations");
    check_written("{\"batch\":{\"operations\":[]}}", "[]", "[]", "an empty list");
    check_written("{\"batch\":{\"operations\":[ {\"action\" : \"delete\", \"ids\" : [\"a\", \"b\", "
                  "\"a\"], \"n\" : 1.50e400 } , {\"ids\":[1]} ] } }",
                  "[{\"action\":\"delete\",\"ids\":[],\"n\":1.50e400},{\"ids\":[1]}]",
                  "[{\"action\":\"delete\",\"ids\":[\"a\",\"b\"],\"n\":1.50e400},{\"ids\":[1]}]",
                  "distinct ids in their place");
    check_written(FIRST("\"\\u0069ds\":[\"q\\\"\\\\\\n\\u0001/\xc3\xa9\"]"), "[{\"\\u0069ds\":[]}]",
                  "[{\"\\u0069ds\":[\"q\\\"\\\\\\n\\u0001/\xc3\xa9\"]}]",
                  "names and ids with escapes");
    check_written(FIRST("\"ids\":[]"), "[{\"ids\":[]}]", "[{\"ids\":[]}]", "no ids");
    check_written(FIRST("\"query\":\"a\""), "[{\"query\":\"a\"}]", "[{\"query\":\"a\"}]",
                  "a query");
    check_written(FIRST("\"x\":{\"ids\":[1]},\"ids\":[\"a\"]"),
                  "[{\"x\":{\"ids\":[1]},\"ids\":[]}]", "[{\"x\":{\"ids\":[1]},\"ids\":[\"a\"]}]",
                  "another member of that name");
    check_written(FIRST("\"ids\":null"), "[{\"ids\":null}]", "[{\"ids\":null}]", "null");
}

static apr_status_t refuse(void *baton, const char *bytes, apr_size_t length)
{
    (void)bytes;
    *(apr_size_t *)baton += length;
    return APR_ENOSPC;
}

static void test_write_fails(void)
{
    apr_size_t offered = 0;
    batch_sink_t sink = {refuse, &offered};
    batch_operations_request_t request;
    apr_pool_t *p;

    apr_pool_create(&p, pool);
    feed_ids(&request, 1000, 1000, "\"6fcf631a-71b9-11ee-b962-%012d\"%s", p);
    ok(batch_operations_write(&sink, &request, p) == APR_ENOSPC, "the sink's failure is told");
    ok(offered > 0 && offered < 8192, "after it nothing is written");
    apr_pool_destroy(p);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    /* First, while the allocator has nothing in store that would hide growth. */
    test_memory();
    test_right();
    test_data();
    test_shape();
    test_ids();
    test_id_length();
    test_many_problems();
    test_data_bounds();
    test_too_large();
    test_write();
    test_write_fails();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

/* Replies of the records API, byte by byte. */
/* needs: nothing */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "payload/records_json.h"
#include "tap.h"
#include "text_sink.h"

static apr_pool_t *pool;

static apr_status_t refuse(void *baton, const char *bytes, apr_size_t length)
{
    (void)baton;
    (void)bytes;
    (void)length;
    return APR_ENOSPC;
}

static const batch_sink_t full = {refuse, NULL};

static void reset(void)
{
    text_clear();
}

static void test_status(void)
{
    static const char *const wanted[] = {"pending", "running", "running", "running", "running",
                                         "success", "failed",  "failed",  "failed"};

    is_number(BATCH_STATUS_COUNT, 9, "nine statuses");
    for (int i = 0; i < BATCH_STATUS_COUNT; i++) {
        is_string(batch_records_status((batch_status_e)i), wanted[i],
                  batch_status_name((batch_status_e)i));
    }
}

static void test_job(void)
{
    batch_job_t job;

    memset(&job, 0, sizeof(job));
    job.id = "11111111-2222-4333-8444-555555555555";
    job.status = BATCH_STATUS_PENDING;
    job.created_at = job.updated_at = apr_time_make(1700000000, 999999);
    job.created_by = "Alice Archer";
    job.created_by_id = "alice";
    reset();
    is_number(batch_records_write_job(&sink, &job, pool), APR_SUCCESS, "a pending batch");
    is_string(text.bytes,
              "{\"id\":\"11111111-2222-4333-8444-555555555555\",\"status\":\"pending\","
              "\"objects_total\":0,\"objects_success\":0,\"objects_failed\":0,"
              "\"created_at\":\"2023-11-14T22:13:20Z\",\"updated_at\":\"2023-11-14T22:13:20Z\","
              "\"started_at\":null,\"completed_at\":null,\"created_by\":\"Alice Archer\","
              "\"created_by_id\":\"alice\",\"updated_by\":null,\"updated_by_id\":null,"
              "\"reason\":null}",
              "has null where nothing happened yet");
    is_number((long long)text.calls, 1, "in one piece");
    job.status = BATCH_STATUS_TIMED_OUT;
    job.total = 10000;
    job.counts.created = 1;
    job.counts.updated = 20;
    job.counts.deleted = 300;
    job.counts.overwritten = 4000;
    job.counts.duplicates = 50000;
    job.counts.errors = 7;
    job.queued_at = apr_time_from_sec(1700000001);
    job.started_at = apr_time_from_sec(1700000002);
    job.completed_at = apr_time_from_sec(1700000003);
    job.updated_by = "B/\"\\\n\x01\xc3\xa9\xff\x7f";
    job.updated_by_id = "";
    job.reason = "too late";
    job.warnings = "[\"only the first\"]";
    reset();
    is_number(batch_records_write_job(&sink, &job, pool), APR_SUCCESS, "a batch that failed");
    is_string(
        text.bytes,
        "{\"id\":\"11111111-2222-4333-8444-555555555555\",\"status\":\"failed\","
        "\"objects_total\":10000,\"objects_success\":321,\"objects_failed\":7,"
        "\"created_at\":\"2023-11-14T22:13:20Z\",\"updated_at\":\"2023-11-14T22:13:20Z\","
        "\"started_at\":\"2023-11-14T22:13:21Z\",\"completed_at\":\"2023-11-14T22:13:23Z\","
        "\"created_by\":\"Alice Archer\",\"created_by_id\":\"alice\","
        "\"updated_by\":\"B/\\\"\\\\\\n\\u0001\xc3\xa9\xef\xbf\xbd\x7f\",\"updated_by_id\":\"\","
        "\"reason\":\"too late\",\"warnings\":[\"only the first\"]}",
        "has everything; it runs from its start request on");
    ok(batch_json_is_valid(text.bytes, text.length, pool), "and is JSON");
    is_number(batch_records_write_job(&full, &job, pool), APR_ENOSPC, "the sink's failure is told");
}

static void test_list_end(void)
{
    static const struct {
        apr_int64_t page, per_page, total;
        const char *wanted;
    } cases[] = {
        {1, 1000, 0, "],\"current_page\":1,\"total_pages\":1,\"total_count\":0,\"per_page\":1000}"},
        {1, 1000, 1, "],\"current_page\":1,\"total_pages\":1,\"total_count\":1,\"per_page\":1000}"},
        {2, 5, 10, "],\"current_page\":2,\"total_pages\":2,\"total_count\":10,\"per_page\":5}"},
        {3, 5, 11, "],\"current_page\":3,\"total_pages\":3,\"total_count\":11,\"per_page\":5}"},
        {9, 1, APR_INT64_MAX,
         "],\"current_page\":9,\"total_pages\":9223372036854775807,\"total_count\":"
         "9223372036854775807,\"per_page\":1}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        reset();
        batch_records_write_list_end(&sink, cases[i].page, cases[i].per_page, cases[i].total);
        is_string(text.bytes, cases[i].wanted, "the end of a list");
    }
    is_number(batch_records_write_list_end(&full, 1, 1, 1), APR_ENOSPC,
              "the sink's failure is told");
}

static void test_problems(void)
{
    batch_problems_t *problems = batch_problems_make(pool);

    reset();
    is_number(batch_records_write_problems(&sink, problems), APR_SUCCESS, "no problem");
    is_string(text.bytes, "{\"batch\":{\"errors\":{}}}", "is an empty object");
    batch_problem_add(problems, "operations[0].ids", "first");
    batch_problem_add(problems, "start", "second \"%s\"", "\xfe");
    batch_problem_add(problems, "operations[0].ids", "third");
    batch_problem_add(problems, "operations[0].data.a\"b", "fourth");
    reset();
    is_number(batch_records_write_problems(&sink, problems), APR_SUCCESS, "four problems");
    is_string(text.bytes,
              "{\"batch\":{\"errors\":{\"operations[0].ids\":[\"first\",\"third\"],"
              "\"start\":[\"second \\\"\xef\xbf\xbd\\\"\"],"
              "\"operations[0].data.a\\\"b\":[\"fourth\"]}}}",
              "are told by field, in order of the first of each");
    ok(batch_json_is_valid(text.bytes, text.length, pool), "as JSON");
    is_number(batch_records_write_problems(&full, problems), APR_ENOSPC,
              "the sink's failure is told");
}

/** What is no UTF-8 must not reach a client: a byte at a time becomes U+FFFD. */
static void test_not_utf8(void)
{
    static const struct {
        const char *bytes, *wanted;
    } cases[] = {
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xed\x9f\xbf\xf4\x8f\xbf\xbf", "\xed\x9f\xbf\xf4\x8f\xbf\xbf"},
        {"\xed\xa0\x80", "???"},
        {"\xe0\x9f\xbf", "???"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf5\x80", "??"},
        {"\xc0\x80", "??"},
        {"\x80x\xc3", "?x?"},
        {"\xe2\x82x\xf0\x9f\x98", "??x???"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *wanted = "";

        for (const char *at = cases[i].wanted; *at; at++) {
            wanted = apr_psprintf(pool, "%s%.*s", wanted, *at == '?' ? 3 : 1,
                                  *at == '?' ? "\xef\xbf\xbd" : at);
        }
        reset();
        batch_records_write_error(&sink, 400, cases[i].bytes, NULL);
        is_string(text.bytes, apr_psprintf(pool, "{\"error\":\"%s\",\"status\":400}", wanted),
                  "text of any bytes is written as UTF-8");
    }
}

static void test_error(void)
{
    reset();
    is_number(batch_records_write_error(&sink, 401, "Unauthorized", NULL), APR_SUCCESS,
              "an error without message");
    is_string(text.bytes, "{\"error\":\"Unauthorized\",\"status\":401}", "has none");
    reset();
    batch_records_write_error(&sink, 400, "Bad Request", "line 1: unexpected '\"'");
    is_string(
        text.bytes,
        "{\"error\":\"Bad Request\",\"status\":400,\"message\":\"line 1: unexpected '\\\"'\"}",
        "an error with its message");
    is_number(batch_records_write_error(&full, 400, "Bad Request", NULL), APR_ENOSPC,
              "the sink's failure is told");
}

/** A string longer than any buffer on the way. */
static void test_long(void)
{
    char *message = apr_pcalloc(pool, 20001);

    memset(message, 'x', 20000);
    reset();
    is_number(batch_records_write_error(&sink, 400, "Bad Request", message), APR_SUCCESS,
              "a message of 20,000 bytes");
    is_number((long long)text.length, 20000 + 49, "is written whole");
    ok(batch_json_is_valid(text.bytes, text.length, pool), "as JSON");
    memset(message, '\n', 20000);
    reset();
    batch_records_write_error(&sink, 400, "Bad Request", message);
    is_number((long long)text.length, 40000 + 49, "also where each byte is escaped");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_status();
    test_job();
    test_list_end();
    test_problems();
    test_error();
    test_not_utf8();
    test_long();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

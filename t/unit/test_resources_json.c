/* Replies of the resources API, byte by byte. */
/* needs: nothing */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "text/json_text.h"
#include "payload/resources_json.h"
#include "tap.h"
#include "text_sink.h"

static apr_pool_t *pool;

static const char *written(const char *data, const batch_envelope_t *envelope)
{
    text_clear();
    batch_envelope_begin(&sink, envelope);
    append(NULL, data, strlen(data));
    batch_envelope_end(&sink, envelope);
    return text.bytes;
}

static void test_envelope(void)
{
    batch_envelope_t envelope = {.message = "fine", .status = 200, .endpoint = "GET /batches/1"};
    apr_array_header_t *errors = apr_array_make(pool, 2, sizeof(batch_item_error_t));
    batch_item_error_t error = {0};

    is_string(written("{}", &envelope),
              "{\"message\":\"fine\",\"data\":{},\"status\":200,\"errors\":[],\"code\":null,"
              "\"pagination\":null,\"endpoint\":\"GET /batches/1\"}",
              "a success");
    envelope.limit = 25;
    envelope.page = 2;
    envelope.total_count = 50;
    is_string(strstr(written("[]", &envelope), "\"pagination\""),
              "\"pagination\":{\"limit\":25,\"page\":2,\"has_more\":false,\"total_count\":50},"
              "\"endpoint\":\"GET /batches/1\"}",
              "the last page of a list");
    envelope.total_count = 51;
    ok(strstr(written("[]", &envelope), "\"has_more\":true"), "and one before it");

    envelope = (batch_envelope_t){
        .message = "no such batch", .status = 404, .code = "not_found", .endpoint = "GET /\"x\""};
    is_string(written("null", &envelope),
              "{\"message\":\"no such batch\",\"data\":null,\"status\":404,\"errors\":[{\"index\":"
              "null,\"field\":null,\"code\":\"not_found\",\"message\":\"no such batch\"}],"
              "\"code\":\"not_found\",\"pagination\":null,\"endpoint\":\"GET /\\\"x\\\"\"}",
              "an error has itself in its list");
    envelope.problems = batch_problems_make(pool);
    batch_problem_add((batch_problems_t *)envelope.problems, "mode", "must be %s", "one");
    batch_problem_add((batch_problems_t *)envelope.problems, "data", "is required");
    ok(strstr(written("null", &envelope),
              "\"errors\":[{\"index\":null,\"field\":\"mode\",\"code\":\"not_found\",\"message\":"
              "\"must be one\"},{\"index\":null,\"field\":\"data\",\"code\":\"not_found\","
              "\"message\":\"is required\"}]"),
       "or what is wrong with the request");

    envelope.problems = NULL;
    error.ordinal = 1;
    error.field = "name";
    error.code = "missing";
    error.message = "is required";
    APR_ARRAY_PUSH(errors, batch_item_error_t) = error;
    error.ordinal = 2;
    error.id = "row 7";
    error.field = NULL;
    APR_ARRAY_PUSH(errors, batch_item_error_t) = error;
    envelope.errors = errors;
    envelope.received = 2;
    ok(strstr(written("null", &envelope),
              "\"errors\":[{\"index\":1,\"field\":\"name\",\"code\":\"missing\",\"message\":\"is "
              "required\"},{\"index\":null,\"id\":\"row 7\",\"field\":null,\"code\":\"missing\","
              "\"message\":\"is required\"}]"),
       "or with items; what has an ordinal behind them is none");
}

static const char *job_text(const batch_job_t *job, const batch_urls_t *urls)
{
    text_clear();
    batch_resources_write_job(&sink, job, urls);
    return text.bytes;
}

/** The phases of a job, as name/mode/status total processed success error started completed. */
static const char *show_phases(const batch_job_t *job)
{
    const char *line = "";
    batch_json_slice_t all;
    batch_json_slice_t phases;
    batch_json_slice_t phase;
    batch_json_cursor_t cursor;

    job_text(job, NULL);
    all = batch_json_document(text.bytes, text.length);
    batch_json_member(&phases, &all, "phases");
    batch_json_walk(&cursor, &phases);
    while (batch_json_next_element(&phase, &cursor)) {
        batch_json_cursor_t members;
        batch_json_slice_t name;
        batch_json_slice_t value;

        line = apr_pstrcat(pool, line, *line ? "\n" : "", NULL);
        batch_json_walk(&members, &phase);
        while (batch_json_next_member(&name, &value, &members)) {
            int quoted = *value.text == '"';

            line = apr_psprintf(pool, "%s%.*s ", line, (int)value.length - 2 * quoted,
                                value.text + quoted);
        }
    }
    return line;
}

static void test_job(void)
{
    batch_job_t job = {.id = "b1",
                       .organization = "acme",
                       .resource = "contact",
                       .action = BATCH_ACTION_MERGE,
                       .mode = BATCH_MODE_MIXED,
                       .via = BATCH_VIA_API,
                       .status = BATCH_STATUS_QUEUED,
                       .duplicate_handling = BATCH_DUPLICATES_USE_LAST,
                       .created_at = apr_time_from_sec(1000),
                       .updated_at = apr_time_from_sec(1001) + 999999,
                       .created_by = "Alice",
                       .created_by_id = "u1",
                       .updated_by = "Bob",
                       .updated_by_id = "u2",
                       .checksum = "abc",
                       .received = 10,
                       .stored = 10,
                       .total = 7,
                       .invalid = 1,
                       .counts = {.duplicates = 2, .errors = 1},
                       .parsed_at = apr_time_from_sec(1001),
                       .validated_at = apr_time_from_sec(1002)};
    batch_urls_t urls = {"u", "uc", "uj", "ec", "ej"};
    const char *end;

    is_string(
        job_text(&job, NULL),
        "{\"object\":\"batch\",\"id\":\"b1\",\"organization_id\":\"acme\",\"resource\":\"contact\","
        "\"action\":\"merge\",\"mode\":\"mixed\",\"via\":\"api\",\"status\":\"queued\",\"reason\":"
        "null,\"duplicate_handling\":\"use_last\",\"phases\":["
        "{\"name\":\"parsing\",\"mode\":\"synchronous\",\"status\":\"completed\",\"total\":10,"
        "\"processed\":10,\"success\":8,\"error\":2,\"started_at\":1000,\"completed_at\":1001},"
        "{\"name\":\"validation\",\"mode\":\"synchronous\",\"status\":\"completed\",\"total\":8,"
        "\"processed\":8,\"success\":7,\"error\":1,\"started_at\":1001,\"completed_at\":1002},"
        "{\"name\":\"processing\",\"mode\":\"asynchronous\",\"status\":\"pending\",\"total\":7,"
        "\"processed\":0,\"success\":0,\"error\":0,\"started_at\":null,\"completed_at\":null}],"
        "\"stats\":{\"created\":0,\"updated\":0,\"deleted\":0,\"overwritten\":0,\"duplicates\":2,"
        "\"errors\":1},\"has_upload_file\":false,\"has_errors_file\":true,\"created_at\":1000,"
        "\"updated_at\":1001,\"started_at\":null,\"completed_at\":null,\"created_by\":\"Alice\","
        "\"created_by_id\":\"u1\",\"updated_by\":\"Bob\",\"updated_by_id\":\"u2\",\"checksum\":"
        "\"abc\",\"_upload_url\":null,\"_upload_csv_url\":null,\"_upload_json_url\":null,"
        "\"_errors_csv_url\":null,\"_errors_json_url\":null}",
        "a batch that is queued");
    ok(batch_json_is_valid(text.bytes, text.length, pool), "is JSON");
    end = strstr(job_text(&job, &urls), "\"_upload_url\"");
    is_string(end,
              "\"_upload_url\":\"u\",\"_upload_csv_url\":\"uc\",\"_upload_json_url\":\"uj\","
              "\"_errors_csv_url\":\"ec\",\"_errors_json_url\":\"ej\"}",
              "with URLs");
    job.organization = "";
    ok(strstr(job_text(&job, NULL), "\"organization_id\":null"), "no organization is null");
}

static void test_phases(void)
{
    batch_job_t job = {.id = "b1",
                       .organization = "",
                       .action = BATCH_ACTION_OVERWRITE,
                       .mode = BATCH_MODE_MIXED,
                       .status = BATCH_STATUS_PROCESSING,
                       .received = 100,
                       .stored = 100,
                       .total = 90,
                       .invalid = 4,
                       .counts = {.created = 10, .updated = 30, .duplicates = 6, .errors = 9},
                       .created_at = apr_time_from_sec(1),
                       .parsed_at = apr_time_from_sec(2),
                       .validated_at = apr_time_from_sec(3),
                       .started_at = apr_time_from_sec(4)};

    is_string(show_phases(&job),
              "parsing synchronous completed 100 100 94 6 1 2 \n"
              "validation synchronous completed 94 94 90 4 2 3 \n"
              "processing asynchronous processing 90 45 40 5 4 null \n"
              "cleanup asynchronous pending 0 0 0 0 null null ",
              "while it is processed");
    job.cleanup_total = -1;
    ok(strstr(show_phases(&job), "\ncleanup asynchronous pending 0 0 0 0 null null "),
       "what cleanup has to remove is not counted yet");
    job.processed_at = apr_time_from_sec(5);
    job.counts.updated = 75;
    job.counts.overwritten = 20;
    job.counts.errors = 4 + 5 + 1;
    job.cleanup_total = 50;
    job.cleanup_done = 21;
    is_string(show_phases(&job),
              "parsing synchronous completed 100 100 94 6 1 2 \n"
              "validation synchronous completed 94 94 90 4 2 3 \n"
              "processing asynchronous completed 90 90 85 5 4 5 \n"
              "cleanup asynchronous processing 50 21 20 1 5 null ",
              "while it is cleaned up: a row that the database keeps is an error of the cleanup");
    job.status = BATCH_STATUS_TIMED_OUT;
    job.completed_at = apr_time_from_sec(6);
    ok(strstr(show_phases(&job), "\ncleanup asynchronous failed 50 21 20 1 5 null "),
       "a phase that was not completed when the batch ended has failed");
    job.status = BATCH_STATUS_COMPLETED;
    job.cleanup_done = 50;
    job.counts.overwritten = 49;
    ok(strstr(show_phases(&job), "\ncleanup asynchronous completed 50 50 49 1 5 6 "),
       "all are complete");
    job.mode = BATCH_MODE_SYNC;
    job.started_at = 0;
    ok(strstr(show_phases(&job), "\nprocessing synchronous completed 90 90 85 5 3 5 \n"
                                 "cleanup synchronous completed 50 50 49 1 5 6 "),
       "in the mode sync it begins behind the validation");
    job.status = BATCH_STATUS_FAILED;
    job.processed_at = 0;
    ok(strstr(show_phases(&job), "\nprocessing synchronous failed 90 90 85 5 null null \n"),
       "or not at all");
    memset(&job, 0, sizeof(job));
    job.organization = "";
    job.mode = BATCH_MODE_MIXED;
    job.status = BATCH_STATUS_REQUESTED;
    is_string(show_phases(&job),
              "parsing synchronous pending 0 0 0 0 null null \n"
              "validation synchronous pending 0 0 0 0 null null \n"
              "processing asynchronous pending 0 0 0 0 null null ",
              "before anything came");
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    test_envelope();
    test_job();
    test_phases();
    return tap_end();
}

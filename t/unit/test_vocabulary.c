/* batch.c: words, errors, columns, log lines. */
/* needs: nothing */
#include "batch.h"

#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"

static void test_words(void)
{
    int i, same = 1;

    for (i = 0; i < BATCH_STATUS_COUNT; i++) {
        same = same && batch_status_parse(batch_status_name((batch_status_e)i)) == i;
    }
    ok(same, "each status is found by its name");
    for (i = 0, same = 1; i < BATCH_ACTION_COUNT; i++) {
        same = same && batch_action_parse(batch_action_name((batch_action_e)i)) == i;
    }
    ok(same, "each action is found by its name");
    for (i = 0, same = 1; i < BATCH_TYPE_COUNT; i++) {
        same = same && batch_type_parse(batch_type_name((batch_type_e)i)) == i;
    }
    ok(same, "each type is found by its name");
    for (i = 0, same = 1; i < BATCH_API_COUNT; i++) {
        same = same && batch_api_parse(batch_api_name((batch_api_e)i)) == i;
    }
    ok(same, "each API is found by its name");
    for (i = 0, same = 1; i < BATCH_MODE_COUNT; i++) {
        same = same && batch_mode_parse(batch_mode_name((batch_mode_e)i)) == i;
    }
    ok(same, "each mode is found by its name");
    for (i = 0, same = 1; i < BATCH_DUPLICATES_COUNT; i++) {
        same = same && batch_duplicates_parse(batch_duplicates_name((batch_duplicates_e)i)) == i;
    }
    ok(same, "each way with duplicates is found by its name");
    is_string(batch_status_name(BATCH_STATUS_TIMED_OUT), "timed_out", "timed_out is spelled so");
    is_number(batch_action_parse("Delete"), -1, "words are case-sensitive");
    is_number(batch_action_parse(""), -1, "the empty word is none");
    is_number(batch_action_parse(NULL), -1, "no word is none");
    is_string(batch_status_name((batch_status_e)99), "unknown", "a number of no status is unknown");
    ok(!batch_status_is_final(BATCH_STATUS_PENDING) &&
           !batch_status_is_final(BATCH_STATUS_REQUESTED) &&
           !batch_status_is_final(BATCH_STATUS_QUEUED) &&
           !batch_status_is_final(BATCH_STATUS_PROCESSING),
       "four statuses are not final");
    ok(batch_status_is_final(BATCH_STATUS_COMPLETED) &&
           batch_status_is_final(BATCH_STATUS_FAILED) &&
           batch_status_is_final(BATCH_STATUS_TIMED_OUT) &&
           batch_status_is_final(BATCH_STATUS_EXPIRED),
       "four are");
}

static void test_actions(apr_pool_t *p)
{
    is_string(batch_action_names(batch_actions_of(BATCH_API_RESOURCES), p),
              "merge, overwrite, delete", "the actions of the resources API");
    is_string(batch_action_names(batch_actions_of(BATCH_API_RECORDS), p), "delete, update",
              "those of the records API");
    is_string(batch_action_names(batch_actions_like(BATCH_ACTION_MAKES), p), "merge, overwrite",
              "those that make rows");
    is_string(batch_action_names(batch_actions_like(BATCH_ACTION_CHANGES), p),
              "merge, overwrite, update", "that give rows values");
    is_string(batch_action_names(batch_actions_like(BATCH_ACTION_REMOVES), p), "overwrite, delete",
              "that remove rows");
    is_string(batch_action_names(batch_actions_like(BATCH_ACTION_CLEANS_UP), p), "overwrite",
              "that have a cleanup");
    is_string(batch_action_names(batch_actions_like(BATCH_ACTION_SHARES), p), "merge",
              "that need not be alone with their table");
    is_string(batch_action_names(batch_actions_like(BATCH_ACTION_NEEDS_KEY), p), "delete, update",
              "whose items need a key");
    is_string(batch_action_rows[BATCH_ACTION_OVERWRITE].done, "overwritten", "what has been done");
    ok(!batch_action_is((batch_action_e)-1, ~0U) && !batch_action_is(BATCH_ACTION_COUNT, ~0U),
       "what is no action is like none");
}

static void test_errors(apr_pool_t *p)
{
    batch_error_t err = {0, NULL, NULL, 7, 8};
    batch_problems_t *problems = batch_problems_make(p);
    char *large = apr_palloc(p, 20001);
    int i;

    is_number(batch_error_set(&err, BATCH_EREFUSED, "MB0001", p, "%d of %s", 3, "them"),
              BATCH_EREFUSED, "the status comes back");
    is_number(err.status, BATCH_EREFUSED, "and is kept");
    is_string(err.message, "3 of them", "the message is formatted");
    is_string(err.tag, "MB0001", "the tag is kept");
    ok(err.line == 0 && err.column == 0, "an older place is forgotten");
    is_number(batch_error_set(NULL, APR_EGENERAL, NULL, p, "%s", "x"), APR_EGENERAL,
              "details need not be wanted");
    memset(large, 'x', 20000);
    large[20000] = '\0';
    batch_error_set(&err, APR_EGENERAL, NULL, p, "<%s>", large);
    is_number(strlen(err.message), 20002, "a long message is whole");
    for (i = 0; i < 10; i++) {
        batch_problem_add(problems, "ids", "problem %d", i);
    }
    is_number(problems->nelts, 10, "ten problems");
    is_string(APR_ARRAY_IDX(problems, 9, batch_problem_t).message, "problem 9", "the last message");
    is_string(APR_ARRAY_IDX(problems, 9, batch_problem_t).field, "ids", "and its field");
}

static void test_columns(apr_pool_t *p)
{
    batch_resource_t resource;
    batch_column_t *column;

    memset(&resource, 0, sizeof(resource));
    ok(!batch_resource_column(&resource, "status"), "no columns, none found");
    resource.columns = apr_array_make(p, 2, sizeof(batch_column_t));
    column = apr_array_push(resource.columns);
    memset(column, 0, sizeof(*column));
    column->name = "status";
    ok(batch_resource_column(&resource, "status") == column, "found by its name");
    ok(!batch_resource_column(&resource, "statu"), "not by a part of it");
    ok(!batch_resource_column(&resource, NULL), "nor by none");
}

typedef struct written {
    char line[4096];
    batch_log_level_e level;
    apr_status_t status;
    int count;
} written_t;

static void keep_line(void *baton, batch_log_level_e level, apr_status_t status,
                      const char *message)
{
    written_t *written = baton;

    apr_cpystrn(written->line, message, sizeof(written->line));
    written->level = level;
    written->status = status;
    written->count++;
}

static void test_log(apr_pool_t *p)
{
    written_t written = {"", BATCH_LOG_DEBUG, 0, 0};
    batch_logger_t logger = {keep_line, &written};
    batch_job_t job;
    char *large = apr_palloc(p, 9000);

    memset(&job, 0, sizeof(job));
    job.id = "an-id";
    job.status = BATCH_STATUS_QUEUED;
    batch_log(&logger, BATCH_LOG_NOTICE, "MB0009", APR_EGENERAL, &job, "%d items", 3);
    is_string(written.line, "MB0009: [batch an-id queued] 3 items", "tag, batch and message");
    ok(written.level == BATCH_LOG_NOTICE && written.status == APR_EGENERAL, "level and status");
    batch_log(&logger, BATCH_LOG_INFO, "MB0010", 0, NULL, "plain");
    is_string(written.line, "MB0010: plain", "without a batch");
    memset(large, 'x', 8999);
    large[8999] = '\0';
    batch_log(&logger, BATCH_LOG_INFO, "MB0010", 0, NULL, "%s", large);
    is_number(strlen(written.line), 2047, "an endless message is cut");
    job.id = large;
    batch_log(&logger, BATCH_LOG_INFO, "MB0010", 0, &job, "%s", large);
    is_number(strlen(written.line), 2047, "wherever it is too long");
    batch_log(NULL, BATCH_LOG_INFO, "MB0010", 0, NULL, "dropped");
    is_number(written.count, 4, "without a logger nothing is written");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&p, NULL);
    test_words();
    test_actions(p);
    test_errors(p);
    test_columns(p);
    test_log(p);
    return tap_end();
}

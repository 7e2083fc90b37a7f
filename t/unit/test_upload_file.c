/* Uploads as files, and the errors of their items, byte by byte. */
/* needs: nothing */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/error_file.h"
#include "payload/item_text.h"
#include "payload/upload_file.h"
#include "store/segment.h"
#include "columns.h"
#include "memory.h"
#include "tap.h"
#include "text_sink.h"

static apr_pool_t *pool;
static batch_resource_t thing;

static batch_column_t *declare(const char *name, batch_type_e type)
{
    return push_column(thing.columns, name, type);
}

static void make_thing(void)
{
    thing.name = "thing";
    thing.key = "key";
    thing.columns = apr_array_make(pool, 8, sizeof(batch_column_t));
    declare("name", BATCH_TYPE_TEXT);
    declare("size", BATCH_TYPE_INTEGER);
    declare("price", BATCH_TYPE_NUMBER);
    declare("open", BATCH_TYPE_BOOLEAN);
    declare("more", BATCH_TYPE_JSON);
    declare("seen", BATCH_TYPE_TEXT)->readonly = 1;
}

static const char *json_of(const char *name, const char *value)
{
    batch_value_t one = {name, value, BATCH_KIND_STRING};

    return batch_item_json(&thing, NULL, &one, 1, pool);
}

static void test_values(void)
{
    static const char *const cases[][3] = {
        {"name", "5", "{\"name\":\"5\"}"},
        {"name", "a\"b\n", "{\"name\":\"a\\\"b\\n\"}"},
        {"name", NULL, "{\"name\":null}"},
        {"name", "", "{\"name\":\"\"}"},
        {"size", "5", "{\"size\":5}"},
        {"size", "-0", "{\"size\":-0}"},
        {"size", "007", "{\"size\":7}"},
        {"size", "+7", "{\"size\":7}"},
        {"size", "7x", "{\"size\":\"7x\"}"},
        {"size", "", "{\"size\":\"\"}"},
        {"size", "99999999999999999999", "{\"size\":99999999999999999999}"},
        {"size", NULL, "{\"size\":null}"},
        {"price", "1.50", "{\"price\":1.50}"},
        {"price", "1e3", "{\"price\":1e3}"},
        {"price", ".5", "{\"price\":0.5}"},
        {"price", "nan", "{\"price\":\"nan\"}"},
        {"price", "1.", "{\"price\":1}"},
        {"open", "true", "{\"open\":true}"},
        {"open", "1", "{\"open\":true}"},
        {"open", "FALSE", "{\"open\":false}"},
        {"open", "0", "{\"open\":false}"},
        {"open", "maybe", "{\"open\":\"maybe\"}"},
        {"more", "{\"a\":[1]}", "{\"more\":{\"a\":[1]}}"},
        {"more", "{\"a\":", "{\"more\":\"{\\\"a\\\":\"}"},
        {"unknown", "5", "{\"unknown\":\"5\"}"},
        {"key", "5", "{\"key\":\"5\"}"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_string(json_of(cases[i][0], cases[i][1]), cases[i][2], cases[i][2]);
    }
    is_string(batch_item_json(&thing, NULL, NULL, 0, pool), "{}", "an item of nothing");
    is_string(batch_item_json(&thing, "k", NULL, 0, pool), "{\"key\":\"k\"}", "a key alone");
}

/* ---- Uploads ----------------------------------------------------------------------------------
 */

static batch_value_t values[] = {{"name", "a, \"b\"", BATCH_KIND_STRING},
                                 {"size", "5", BATCH_KIND_STRING},
                                 {"more", NULL, BATCH_KIND_NULL}};

static const batch_item_t items[] = {
    {.kind = BATCH_ITEM_KEY, .key = "k1", .key_length = 2, .values = values, .value_count = 3},
    {.kind = BATCH_ITEM_DROPPED, .original = "{\"name\":7,\"size\":\"x\",\"zip\":1}"},
    {.kind = BATCH_ITEM_DROPPED, .original = "[\"1\",\"2\"]"},
    {.kind = BATCH_ITEM_DROPPED, .original = NULL},
    {.kind = BATCH_ITEM_NEW, .values = values, .value_count = 1},
};

static const char *upload_of(batch_file_e format, const char *header, int count)
{
    batch_upload_file_t *file;
    apr_pool_t *ptemp;
    int i;

    apr_pool_create(&ptemp, pool);
    text_clear();
    batch_upload_file_begin(&file, &sink, format, &thing, header, pool);
    for (i = 0; i < count; i++) {
        batch_upload_file_write(file, &items[i], ptemp);
        apr_pool_clear(ptemp);
    }
    batch_upload_file_end(file);
    apr_pool_destroy(ptemp);
    return text.bytes;
}

static void test_upload(void)
{
    is_string(upload_of(BATCH_FILE_JSON, NULL, 0), "[]", "no items");
    is_string(upload_of(BATCH_FILE_JSON, NULL, 5),
              "[{\"key\":\"k1\",\"name\":\"a, \\\"b\\\"\",\"size\":5,\"more\":null},"
              "{\"name\":7,\"size\":\"x\",\"zip\":1},[\"1\",\"2\"],null,"
              "{\"name\":\"a, \\\"b\\\"\"}]",
              "items as JSON, whatever they came in");
    is_string(upload_of(BATCH_FILE_CSV, NULL, 5),
              "key,name,size,price,open,more\r\nk1,\"a, \"\"b\"\"\",5,,,#N/A\r\n"
              ",7,x,,,\r\n,,,,,\r\n,,,,,\r\n,\"a, \"\"b\"\"\",,,,\r\n",
              "as CSV: all columns that can be written");
    is_string(upload_of(BATCH_FILE_CSV, "size,name", 5),
              "size,name\r\n5,\"a, \"\"b\"\"\"\r\nx,7\r\n1,2\r\n,\r\n,\"a, \"\"b\"\"\"\r\n",
              "or those that it came with, and a row that was of another length as it was");
    is_string(upload_of(BATCH_FILE_CSV, "open", 2), "open\r\n\r\n\r\n",
              "a row of one empty cell is a blank line");
}

static void test_sink(void)
{
    batch_upload_file_t *file;

    text_clear();
    text.length = sizeof(text.bytes) - 1;
    is_number(batch_upload_file_begin(&file, &sink, BATCH_FILE_JSON, &thing, NULL, pool),
              APR_ENOSPC, "a sink that takes nothing is heard of");
    is_number(batch_upload_file_write(file, &items[0], pool), APR_ENOSPC, "each time");
    is_number(batch_upload_file_end(file), APR_ENOSPC, "to the end");
}

/* ---- Errors -----------------------------------------------------------------------------------
 */

static const char *errors_of(batch_file_e format, const char *header,
                             const batch_item_error_t *errors, int count)
{
    batch_job_t job = {.received = 100, .header = header};
    batch_error_file_t *file;
    int i;

    text_clear();
    batch_error_file_begin_items(&file, &sink, format, &thing, &job, pool);
    for (i = 0; i < count; i++) {
        batch_error_file_write(file, &errors[i], pool);
    }
    batch_error_file_end(file);
    return text.bytes;
}

static void test_errors(void)
{
    const char *encoded = batch_values_encode(values, 3, pool);
    const batch_item_error_t errors[] = {
        {1, 4, "k", "size", "wrong_type", "bad size", "{\"key\":\"k\",\"size\":\"x\"}", NULL},
        {1, 4, "k", "name", "missing", "no name", NULL, NULL},
        {1, 4, "k", "name", "missing", "really", NULL, NULL},
        {2, 5, NULL, NULL, "refused", "by a trigger", NULL, encoded},
        {3, 0, NULL, NULL, "too_large", "too much", NULL, NULL},
        {100, 0, "row", NULL, "refused", "stays", NULL, NULL},
        {101, 0, NULL, NULL, "refused", "=damaged", NULL, "3;"},
    };

    is_string(errors_of(BATCH_FILE_JSON, NULL, errors, 0), "[]", "no errors");
    is_string(errors_of(BATCH_FILE_JSON, NULL, errors, 7),
              "[{\"index\":1,\"line\":4,\"id\":\"k\",\"field\":\"size\",\"code\":\"wrong_type\","
              "\"message\":\"bad size; name: no name; name: really\","
              "\"item\":{\"key\":\"k\",\"size\":\"x\"}},"
              "{\"index\":2,\"line\":5,\"id\":null,\"field\":null,\"code\":\"refused\","
              "\"message\":\"by a trigger\","
              "\"item\":{\"name\":\"a, \\\"b\\\"\",\"size\":5,\"more\":null}},"
              "{\"index\":3,\"line\":null,\"id\":null,\"field\":null,\"code\":\"too_large\","
              "\"message\":\"too much\",\"item\":{}},"
              "{\"index\":null,\"line\":null,\"id\":\"row\",\"field\":null,\"code\":\"refused\","
              "\"message\":\"stays\",\"item\":{\"key\":\"row\"}},"
              "{\"index\":null,\"line\":null,\"id\":null,\"field\":null,\"code\":\"refused\","
              "\"message\":\"=damaged\",\"item\":{}}]",
              "an item appears once, with all that is wrong with it");
    is_string(errors_of(BATCH_FILE_CSV, "size,key", errors, 7),
              "line,index,field,code,message,size,key\r\n"
              "4,1,size,wrong_type,bad size; name: no name; name: really,x,k\r\n"
              "5,2,,refused,by a trigger,5,\r\n"
              ",3,,too_large,too much,,\r\n"
              ",,,refused,stays,,row\r\n"
              ",,,refused,=damaged,,\r\n",
              "in CSV too");
}

/* Neither a file of items nor one of errors holds on to what it has written. */
static void test_memory(void)
{
    batch_item_error_t error = {0, 1, "k", "size", "wrong_type", "bad", "{\"size\":\"x\"}", NULL};
    batch_job_t job = {.received = 1000000};
    batch_error_file_t *errors;
    batch_upload_file_t *file;
    apr_pool_t *ptemp;
    long first = 0;
    int i;

    apr_pool_create(&ptemp, pool);
    batch_error_file_begin_items(&errors, &sink, BATCH_FILE_CSV, &thing, &job, pool);
    batch_upload_file_begin(&file, &sink, BATCH_FILE_CSV, &thing, NULL, pool);
    for (i = 0; i < 200000; i++) {
        error.ordinal = i;
        text.length = 0;
        batch_error_file_write(errors, &error, ptemp);
        batch_upload_file_write(file, &items[i % 5], ptemp);
        apr_pool_clear(ptemp);
        if (i == 1000) {
            first = resident_bytes();
        }
    }
    ok(resident_bytes() < first + 1024L * 1024, "memory does not grow with the number of items");
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    make_thing();
    test_values();
    test_upload();
    test_sink();
    test_errors();
    test_memory();
    apr_pool_destroy(pool);
    return tap_end();
}

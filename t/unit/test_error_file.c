/* Error files, JSON and CSV, byte by byte. */
/* needs: nothing */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <csv.h>

#include "payload/error_file.h"
#include "payload/json_reader.h"
#include "memory.h"
#include "tap.h"
#include "text_sink.h"

static apr_pool_t *pool;

/** Writes a file of these errors into text. */
static apr_status_t write_file(batch_file_e format, const char *const *columns,
                               const batch_item_error_t *errors, int count)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(const char *));
    batch_error_file_t *file;
    apr_status_t status;
    apr_pool_t *ptemp;

    apr_pool_create(&ptemp, pool);
    while (columns && *columns) {
        APR_ARRAY_PUSH(names, const char *) = *columns++;
    }
    text_clear();
    status = batch_error_file_begin(&file, &sink, format, columns ? names : NULL, pool);
    for (int i = 0; i < count && status == APR_SUCCESS; i++) {
        status = batch_error_file_write(file, &errors[i], ptemp);
        apr_pool_clear(ptemp);
    }
    if (status == APR_SUCCESS) {
        status = batch_error_file_end(file);
    }
    apr_pool_destroy(ptemp);
    return status;
}

static const char *const id_column[] = {"id", NULL};

/* ordinal, line, id, field, code, message, original, values */
static const batch_item_error_t errors[] = {
    {3, 0, "r\"1", NULL, "not_found", "no record of form F, has this id", NULL, NULL},
    {4, 7, NULL, "name", "refused", "too\nlong \xff",
     "{\"id\":\"x\", \"n\":12345678901234567890123}", NULL},
    {5, 0, "b", NULL, "refused", "bad", "{\"id\":", NULL},
};

static void test_json(void)
{
    is_number(write_file(BATCH_FILE_JSON, id_column, errors, 0), APR_SUCCESS, "no errors");
    is_string(text.bytes, "[]", "are an empty array");
    is_number(write_file(BATCH_FILE_JSON, NULL, errors, 3), APR_SUCCESS, "three errors");
    is_string(text.bytes,
              "[{\"index\":3,\"line\":null,\"id\":\"r\\\"1\",\"field\":null,\"code\":\"not_found\","
              "\"message\":\"no record of form F, has this id\",\"item\":{\"id\":\"r\\\"1\"}},"
              "{\"index\":4,\"line\":7,\"id\":null,\"field\":\"name\",\"code\":\"refused\","
              "\"message\":\"too\\nlong \xef\xbf\xbd\",\"item\":{\"id\":\"x\", "
              "\"n\":12345678901234567890123}},"
              "{\"index\":5,\"line\":null,\"id\":\"b\",\"field\":null,\"code\":\"refused\","
              "\"message\":\"bad\",\"item\":{\"id\":\"b\"}}]",
              "with their originals; one that is no JSON is replaced by its id");
    ok(batch_json_is_valid(text.bytes, text.length, pool), "as JSON");
}

static void test_csv(void)
{
    static const char *const columns[] = {"id", "n", "a,b", NULL};
    static const batch_item_error_t rich[] = {
        {0, 2, NULL, NULL, "c", "m",
         "{\"n\":null,\"id\":\" x \",\"a,b\":\"say \\\"hi\\\"\\r\\nthere\\u0000\",\"z\":1}", NULL},
        {1, 3, NULL, NULL, "c", "m", "{\"a,b\":[1, {\"x\":\"y\"}],\"n\":-1.50e3,\"id\":true}",
         NULL},
        {2, 4, "e", NULL, "c", "m", "[\"not an object\"]", NULL},
        {3, 5, "e", NULL, "c", "m", "{\"id\":\"\",\"n\":\"a\\nb\",\"\\u0061,b\":\"#N/A\"}", NULL},
    };

    write_file(BATCH_FILE_CSV, id_column, errors, 0);
    is_string(text.bytes, "line,index,field,code,message,id\r\n", "no errors are a header");
    is_number(write_file(BATCH_FILE_CSV, id_column, errors, 3), APR_SUCCESS, "three errors");
    is_string(text.bytes,
              "line,index,field,code,message,id\r\n"
              ",3,,not_found,\"no record of form F, has this id\",\"r\"\"1\"\r\n"
              "7,4,name,refused,\"too\nlong \xef\xbf\xbd\",x\r\n"
              ",5,,refused,bad,b\r\n",
              "quoted where RFC 4180 asks for it");
    is_number(write_file(BATCH_FILE_CSV, columns, rich, 4), APR_SUCCESS, "originals with members");
    is_string(text.bytes,
              "line,index,field,code,message,id,n,\"a,b\"\r\n"
              "2,0,,c,m,\" x \",#N/A,\"say \"\"hi\"\"\r\nthere\xef\xbf\xbd\"\r\n"
              "3,1,,c,m,true,-1.50e3,\"[1, {\"\"x\"\":\"\"y\"\"}]\"\r\n"
              "4,2,,c,m,,,\r\n"
              "5,3,,c,m,,\"a\nb\",#N/A\r\n",
              "null is #N/A, what is absent is empty, numbers are as they were");
    write_file(BATCH_FILE_CSV, NULL, errors, 1);
    is_string(text.bytes,
              "line,index,field,code,message\r\n"
              ",3,,not_found,\"no record of form F, has this id\"\r\n",
              "without columns of the original");
}

/* ---- What libcsv reads from it is what went in --------------------------------------------- */

typedef struct cells {
    char last[1000];
    int cell_count;
    int row_count;
} cells_t;

static void take_cell(void *bytes, size_t length, void *baton)
{
    cells_t *cells = baton;

    snprintf(cells->last, sizeof(cells->last), "%.*s", (int)length, (char *)bytes);
    cells->cell_count++;
}

static void take_row(int c, void *baton)
{
    (void)c;
    ((cells_t *)baton)->row_count++;
}

static void test_csv_reads_back(void)
{
    static const char *const values[] = {"a",    "a,b", "\"", "\"\"", "a\"b\"", "\r", "\n",
                                         "\r\n", ",",   " ",  " a",   "a ",     "'",  "\xc3\xa9"};

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        batch_item_error_t error = {1, 0, values[i], NULL, "c", "m", NULL, NULL};
        struct csv_parser parser;
        cells_t cells = {"", 0, 0};

        write_file(BATCH_FILE_CSV, id_column, &error, 1);
        csv_init(&parser, CSV_STRICT);
        ok(csv_parse(&parser, text.bytes, text.length, take_cell, take_row, &cells) == text.length,
           "libcsv reads the file");
        csv_fini(&parser, take_cell, take_row, &cells);
        csv_free(&parser);
        is_string(cells.last, values[i], "and its last cell");
        is_number(cells.cell_count * 10 + cells.row_count, 122, "in two rows of six");
    }
}

/* ---- Failure and memory -------------------------------------------------------------------- */

typedef struct limited {
    int calls_left;
} limited_t;

static apr_status_t limit(void *baton, const char *bytes, apr_size_t length)
{
    (void)bytes;
    (void)length;
    return ((limited_t *)baton)->calls_left-- > 0 ? APR_SUCCESS : APR_ENOSPC;
}

static void test_failing_sink(void)
{
    limited_t limited = {0};
    batch_sink_t sink = {limit, &limited};
    batch_error_file_t *file;

    is_number(batch_error_file_begin(&file, &sink, BATCH_FILE_JSON, NULL, pool), APR_ENOSPC,
              "the sink fails at the beginning");
    is_number(batch_error_file_begin(&file, &sink, BATCH_FILE_CSV, NULL, pool), APR_ENOSPC,
              "also of a CSV file");
    limited.calls_left = 1;
    batch_error_file_begin(&file, &sink, BATCH_FILE_JSON, NULL, pool);
    is_number(batch_error_file_write(file, errors, pool), APR_ENOSPC, "the sink fails later");
    is_number(batch_error_file_end(file), APR_ENOSPC, "and at the end");
}

static void test_memory(void)
{
    batch_file_e formats[] = {BATCH_FILE_JSON, BATCH_FILE_CSV};
    limited_t limited = {1000000};
    batch_sink_t sink = {limit, &limited};
    apr_array_header_t *names = apr_array_make(pool, 1, sizeof(const char *));
    apr_pool_t *ptemp;

    apr_pool_create(&ptemp, pool);
    APR_ARRAY_PUSH(names, const char *) = "id";
    for (int i = 0; i < 2; i++) {
        batch_error_file_t *file;
        apr_status_t status = batch_error_file_begin(&file, &sink, formats[i], names, pool);
        long before = resident_bytes();
        long grown;

        for (int j = 0; j < 50000 && status == APR_SUCCESS; j++) {
            status = batch_error_file_write(file, &errors[j % 3], ptemp);
            apr_pool_clear(ptemp);
        }
        grown = resident_bytes() - before;
        ok(status == APR_SUCCESS && grown < 1024 * 1024, "50,000 errors in %ld KB", grown / 1024);
    }
    apr_pool_destroy(ptemp);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    /* First, while the allocator has nothing in store that would hide growth. */
    test_memory();
    test_json();
    test_csv();
    test_csv_reads_back();
    test_failing_sink();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

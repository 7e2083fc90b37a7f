/* Bodies that are files: CSV, NDJSON, JSON arrays, multipart/form-data; and bounded memory. */
/* needs: nothing; takes: long */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/resources_body.h"
#include "file_bodies.h"
#include "slices.h"
#include "tap.h"

static const char *show_problems(const batch_problems_t *problems, apr_pool_t *p)
{
    const char *all = "";

    for (int i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);

        all = apr_pstrcat(p, all, i ? "; " : "", problem->field, ": ", problem->message, NULL);
    }
    return all;
}

static const char *checksum;

/** What becomes of a body that comes in slices of that size. */
static const char *read_slices(const char *type, const char *bytes, apr_size_t length,
                               apr_size_t slice, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_resources_request_t request;
    batch_resources_body_t *body;
    batch_content_t content;
    batch_error_t err = {0};
    const char *wrong = batch_content_type_read(&content, type, BATCH_CONTENT_ARRAY, p);
    apr_status_t status;

    if (wrong) {
        return wrong;
    }
    status = batch_resources_body_make(&body, &content, &asset, &limits, problems, &err, p);
    if (status == APR_SUCCESS) {
        status = read_in_slices(&request, body, bytes, length, slice, &err);
    }
    if (status == BATCH_EINVALID) {
        return apr_psprintf(p, "%s%s", show_problems(problems, p), err.message ? "" : " (silent)");
    }
    if (status != APR_SUCCESS) {
        return apr_psprintf(p, "malformed %" APR_INT64_T_FMT ":%" APR_INT64_T_FMT " %s", err.line,
                            err.column, err.message);
    }
    checksum = apr_pstrdup(pool, request.checksum);
    return show_items(batch_resources_body_source(body, &asset), p);
}

/** The body gives that, in whatever slices it comes. */
static void gives_n(const char *type, const char *bytes, apr_size_t length, const char *wanted,
                    const char *name)
{
    static const apr_size_t slices[] = {1, 2, 3, 7, 50};
    const char *got = read_slices(type, bytes, length, length + 1, pool);

    is_string(got, wanted, name);
    for (size_t i = 0; i < sizeof(slices) / sizeof(*slices); i++) {
        const char *again = read_slices(type, bytes, length, slices[i], pool);

        if (strcmp(got, again) != 0) {
            is_string(again, got, apr_psprintf(pool, "%s: in slices of %d", name, (int)slices[i]));
        }
    }
}

static void gives(const char *type, const char *text, const char *wanted, const char *name)
{
    gives_n(type, text, strlen(text), wanted, name);
}

#define CSV    "text/csv"
#define NDJSON "application/x-ndjson"
#define ARRAY  "application/json"

/* ---- CSV --------------------------------------------------------------------------------------
 */

static void test_csv(void)
{
    gives(CSV, "name,quantity\nx,1\ny,2\n", "2 name=s:x quantity=n:1\n3 name=s:y quantity=n:2",
          "rows");
    gives(CSV, "quantity,name\r\n1,x\r\n2,y", "2 quantity=n:1 name=s:x\n3 quantity=n:2 name=s:y",
          "CRLF, another order, no line end at the end");
    gives(CSV, "\xef\xbb\xbfname\nx\n", "2 name=s:x", "a byte order mark");
    gives(CSV, "\n\r\nname,id\n\n  \nx,7\n\n", "6 name=s:x id=s:7", "blank lines");
    gives(CSV, "name,id\n\"a\nb\r\nc\",1\nx,2\n", "2 name=s:a\nb\r\nc id=s:1\n5 name=s:x id=s:2",
          "line ends in quotes count as lines");
    gives(CSV, "name,id\n\"say \"\"hi\"\", you\",1\n", "2 name=s:say \"hi\", you id=s:1", "quotes");
    gives(CSV, "name,id\n x , 1\n", "2 name=s: x  id=s: 1", "spaces are a part of a cell");
    gives(CSV, "name,id\n,4\n\"\",#N/A\n#N/A,3\n", "2 id=s:4\n3 id=0:\n4 name=0: id=s:3",
          "empty cells are absent, #N/A is null");
    gives(CSV, ",,\n\"\"\nname,id\n,\n , \t\n\"\",\"\"\n,,,,,\n\"\"\n\",\",\n\"\n\",\nx,7\n,",
          "9 name=s:,\n10 name=s:\n\n12 name=s:x id=s:7", "rows of separators are blank lines");
    gives(CSV, apr_psprintf(pool, "name,id\n%60s,\n,\n", ""), "2 !too_large (none)",
          "one of blanks is none where it is too large to be looked at");
    gives(CSV, "name\rx\ry\r", "2 name=s:x\n3 name=s:y", "CR alone");
    gives(
        CSV, "name,name,nix,\nx\n",
        "name: line 1: is given twice; nix: line 1: is not a column of the resource asset; column "
        "4: line 1: has no name",
        "a header that is wrong all over");
    gives(
        CSV, "\nnix\nx\n",
        "nix: line 2: is not a column of the resource asset, which has id, name, quantity, weight, "
        "fragile, extra, seen, code",
        "an unknown name");
    gives(CSV, "name,fixed\nx,1\n", "fixed: line 1: cannot be set by a batch",
          "a name for reading");
    gives(CSV, "name;id\nx;1\n",
          "name;id: line 1: is not a column of the resource asset: cells are separated by commas, "
          "not "
          "by semicolons",
          "semicolons");
    gives(CSV, "", "body: line 1: has no header row with the names of the columns", "nothing");
    gives(CSV, "\n\n", "body: line 3: has no header row with the names of the columns", "blanks");
    gives(CSV, "name", "", "a header only");
    gives_n(CSV, "\xff\xfen\0a\0m\0e\0\n\0", 12,
            "column 1: line 1: its name is not UTF-8: the file must be saved as CSV in UTF-8",
            "UTF-16");
    gives(CSV, "name,id\nx,1\n\"a\nb,2\nc,3\n",
          "body: line 3: the row that begins here has a cell whose closing quote is missing",
          "a quote that is not closed");
    gives(CSV, "name,id\nx,1\nab\"c,2\n",
          "body: line 3, column 3: a cell with a quote in it must stand in quotes, and the quote "
          "must "
          "be written twice",
          "a quote in a cell");
    gives(CSV, "name,id\nx,1\n\"a\nb\"c,2\n",
          "body: line 4, column 3: behind the closing quote of a cell there must be a comma or the "
          "end of the row; a quote inside a cell is written twice",
          "text behind a quote");
}

static void test_csv_items(void)
{
    gives(CSV, "name,id\nx\nx,1,y\nz,3\n",
          "2 name=s:x !wrong_cell_count [\"x\"]\n3 name=s:x id=s:1 !wrong_cell_count "
          "[\"x\",\"1\",\"y\"]\n4 name=s:z id=s:3",
          "rows of another length");
    gives(CSV,
          "name,id\na\xff"
          "b,1\nz,3\n",
          "2 name=!:a\xef\xbf\xbd"
          "b id=s:1 !invalid_utf8 name "
          "{\"name\":\"a\xef\xbf\xbd"
          "b\",\"id\":\"1\"}\n3 name=s:z id=s:3",
          "bytes that are not UTF-8");
    gives_n(CSV, "name,id\na\0b,1\nz,3\n", 17,
            "2 name=!:a\xef\xbf\xbd"
            "b id=s:1 !nul_byte name "
            "{\"name\":\"a\xef\xbf\xbd"
            "b\",\"id\":\"1\"}\n3 name=s:z id=s:3",
            "a byte NUL");
    gives(CSV,
          "quantity,weight,fragile\n+7,-01.50,TRUE\n007,1e3,0\n-0,.5,yes\n1.5,+0,1\n0x1,1.,false\n",
          "2 quantity=n:7 weight=n:-1.50 fragile=b:true\n3 quantity=n:7 weight=n:1e3 "
          "fragile=b:false\n"
          "4 quantity=n:-0 weight=c:.5 fragile=c:yes\n5 quantity=n:1.5 weight=n:0 fragile=b:true\n"
          "6 quantity=c:0x1 weight=c:1. fragile=b:false",
          "cells have their columns' types where they can");
    gives(CSV, "extra,seen\n\"{\"\"a\"\":[1]}\",2024-01-01T00:00:00Z\nnix,x\n",
          "2 extra=j:{\"a\":[1]} seen=s:2024-01-01T00:00:00Z\n3 extra=c:nix seen=s:x", "JSON");
    gives(CSV,
          "extra,name\n\xef\xbb\xbf"
          "5,x\n",
          "2 extra=c:\xef\xbb\xbf"
          "5 name=s:x",
          "a byte order mark is no part of JSON");
    gives(CSV, "line,index,field,code,message,name,quantity\n2,0,name,missing,is required,x,5\n",
          "2 name=s:x quantity=n:5", "an error file");
    gives(CSV, "line,index,field,code,message,code,name\n2,0,,,,c,x\n3,1,,,,,\n",
          "2 code=s:c name=s:x\n3 !empty {}",
          "an error file of a resource with a column of such a name; a row without its item");
    gives(CSV, "index,message,name\n0,oh,x\n", "2 name=s:x", "some of its columns taken out");
    gives(CSV, "code,name\nc,x\n", "2 code=s:c name=s:x", "a column of the resource is its own");
    gives(CSV, "name,line\nx,1\n",
          "line: line 1: is not a column of the resource asset, which has id, name, quantity, "
          "weight, "
          "fragile, extra, seen, code",
          "those columns lead");
    gives(CSV, "name,quantity\nabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz,1\nx,2\n",
          "2 !too_large (none)\n3 name=s:x quantity=n:2", "a row that is too large");
    gives(CSV,
          "name,quantity\nx,2\n\"abcdefghijklmnopqrstuvwxyz\n\"\"abcdefghijklmnopqrstuvw\"\"\","
          "1\nx,2\n",
          "2 name=s:x quantity=n:2\n3 !too_large (none)\n5 name=s:x quantity=n:2",
          "one that is of several lines, with quotes");
    gives(CSV, "name,quantity\n012345678901234567890123456789012345678901234567,1\r\n",
          "2 name=s:012345678901234567890123456789012345678901234567 quantity=n:1",
          "one that is just not too large");
}

/* ---- NDJSON and JSON --------------------------------------------------------------------------
 */

static void test_ndjson(void)
{
    gives(NDJSON, "{\"name\":\"x\"}\n{\"name\":\"y\",\"quantity\":1}\n",
          "1 name=s:x\n2 name=s:y quantity=n:1", "lines");
    gives(NDJSON, "\xef\xbb\xbf{\"name\":\"x\"}\r\n\n \t\r\n {\"name\":\"y\"} ",
          "1 name=s:x\n4 name=s:y", "a byte order mark, CRLF, blank lines, blanks, no end");
    gives(NDJSON, "5\n[1]\n{\"a\":1}\n", "1 !not_an_object 5\n2 !not_an_object [1]\n3 a=n:1",
          "lines that are no objects");
    gives(NDJSON, "{\"name\":\n{\"name\":\"x\"} y\n\"\xff\"\n{\"name\":\"z\"}\n",
          "1 !invalid_json \"{\\\"name\\\":\"\n2 !invalid_json \"{\\\"name\\\":\\\"x\\\"} y\"\n"
          "3 !invalid_utf8 \"\\\"\xef\xbf\xbd\\\"\"\n4 name=s:z",
          "lines that are not JSON");
    gives_n(NDJSON, "{\"a\":\"\0\"}\n{\"name\":\"z\"}\n", 22,
            "1 !nul_byte \"{\\\"a\\\":\\\"\\u0000\\\"}\"\n2 name=s:z", "a byte NUL");
    gives(NDJSON,
          "{\"index\":1,\"line\":2,\"code\":\"c\",\"message\":\"m\",\"item\":{\"name\":\"x\"}}\n",
          "1 name=s:x", "the wrapping of an error file");
    gives(NDJSON, "{}\n\xef\xbb\xbf{}\n", "1\n2 !invalid_json \"\xef\xbb\xbf{}\"",
          "a byte order mark in the middle");
    gives(NDJSON, "", "", "nothing");
    gives(ARRAY, " [ {\"name\":\"x\"} , {\"item\":{\"name\":\"y\"}},3]",
          "0 name=s:x\n0 name=s:y\n0 !not_an_object 3", "an array");
    gives(ARRAY, "{\"data\":[]}", "body: must be a JSON array of objects", "an object is no array");
    gives(ARRAY, "3", "body: must be a JSON array of objects", "a number is no array");
    gives(ARRAY, "[{\n]",
          "malformed 2:1 unexpected ']', expected a member's name in double quotes or '}'",
          "malformed JSON");
    gives(ARRAY, "", "malformed 1:1 the document is empty", "nothing at all");
}

/* ---- multipart --------------------------------------------------------------------------------
 */

#define MULTI "multipart/form-data; boundary=\"x Y\""
#define FILE_PART(type)                                                                            \
    "--x Y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b;.csv\"\r\n" type "\r"  \
    "\n"

static void test_multipart(void)
{
    const char *of_file;

    gives(CSV, "name\r\nx\r\n", "2 name=s:x", "a file alone");
    of_file = checksum;
    gives(MULTI, FILE_PART("Content-Type: text/csv\r\n") "name\r\nx\r\n\r\n--x Y--\r\n",
          "2 name=s:x", "a file");
    is_string(checksum, of_file, "the checksum is that of the file");
    gives(MULTI,
          "preamble\r\n--x Y \t\r\ncontent-disposition: form-data; "
          "name=nix\r\n\r\n\r--x\r\n--x\r\n" FILE_PART(
              "Content-Type:\r\n application/octet-stream\r\n") "name\nx\n\r\n--x "
                                                                "Y--epilogue\r\n--x Y",
          "2 name=s:x",
          "a preamble, another part, an epilogue, a folded header, a type by the name");
    gives(MULTI,
          "--x Y\r\n\r\nnix\r\n--x Y\r\nContent-Disposition: form-data; "
          "filename=\"\"\r\n\r\n\r\n--x Y--",
          "body: the multipart body has no file: exactly one part must have a filename", "no file");
    gives(MULTI, FILE_PART("") "name\nx\n\r\n" FILE_PART("") "name\n\r\n--x Y--",
          "body: the multipart body has more than one file", "two files");
    gives(MULTI, FILE_PART("") "name\nx\n\r\n--x Y-",
          "body: the multipart body is cut short: its last boundary is not in it", "cut short");
    gives(MULTI, "name\nx\n", "body: the multipart body has no part: its boundary is not in it",
          "no boundary");
    gives(MULTI, "--x Yz\r\n\r\n",
          "body: the multipart body has a boundary without a line end (CRLF)", "a longer boundary");
    gives(MULTI, "--x Y\r\nnix\r\n\r\n",
          "body: a part of the multipart body has a header line without a name and a colon",
          "a header without a colon");
    gives(
        MULTI, FILE_PART("Content-Transfer-Encoding: base64\r\n") "name\n\r\n--x Y--",
        "body: a part of the multipart body is encoded: send it as it is, or encode the whole body",
        "base64");
    gives(MULTI, FILE_PART("Content-Type: image/png\r\n") "name\n\r\n--x Y--",
          "file: must be of the type text/csv, application/x-ndjson or application/json, or have a "
          "name that ends with .csv, .ndjson or .json",
          "a picture");
    gives(MULTI, FILE_PART("Content-Type: application/json\r\n") "[{\"name\":\"x\"}]\r\n--x Y--",
          "0 name=s:x", "JSON");
    gives(MULTI, FILE_PART("Content-Type: application/x-ndjson\r\n") "{\"name\":\"x\"}\r\n--x Y--",
          "1 name=s:x", "NDJSON");
    gives(
        MULTI, FILE_PART("") "nix\r\n--x Y--",
        "nix: line 1: is not a column of the resource asset, which has id, name, quantity, weight, "
        "fragile, extra, seen, code",
        "what is wrong with the file");
}

static void test_types(void)
{
    static const struct {
        const char *type;
        const char *wrong; /* the beginning of the words; NULL: none */
    } cases[] = {
        {"text/csv; charset=UTF-8; header=present", NULL},
        {"Text/CSV;charset=\"utf-8\"", NULL},
        {"text/csv; charset=iso-8859-1", "a body of the Content-Type text/csv must be in UTF-8"},
        {"text/csv; header=absent", "a body of the Content-Type text/csv must have a header row"},
        {"application/jsonl", NULL},
        {NULL, NULL},
        {"", "the Content-Type of the body must be one of text/csv, application/x-ndjson, "},
        {"text/plain", "the Content-Type of the body must be one of"},
        {"application/octet-stream", NULL},
        {"application/vnd.ms-excel", NULL},
        {"application/gzip", "this is a gzip file: unpack it, or send it as the body"},
        {"application/x-www-form-urlencoded", "the Content-Type of the body must be one of"},
        {"image/png", "the Content-Type of the body must be one of"},
        {"multipart/form-data", "the Content-Type multipart/form-data must have a boundary"},
        {"multipart/form-data; boundary=\"a \"", "the Content-Type multipart/form-data must have"},
        {"multipart/form-data; boundary=\"a\\\"b\"", "the Content-Type multipart/form-data must"},
        {"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", NULL},
        {"multipart/mixed; boundary=a", "the Content-Type of the body must be one of"},
    };
    batch_content_t content;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *wrong = batch_content_type_read(&content, cases[i].type, 0, pool);

        ok(cases[i].wrong ? wrong && !strncmp(wrong, cases[i].wrong, strlen(cases[i].wrong))
                          : !wrong,
           "the type %s", cases[i].type ? cases[i].type : "none");
    }
    batch_content_type_read(&content, "application/json", 0, pool);
    is_number(content.format, BATCH_FORMAT_JSON, "JSON of a create is a request or an array");
    batch_content_type_read(&content, "application/json", BATCH_CONTENT_ARRAY, pool);
    is_number(content.format, BATCH_FORMAT_ARRAY, "JSON of an upload is an array");
    ok(!batch_content_type_read(&content, "Text/Plain;charset=UTF-8", BATCH_CONTENT_PLAIN, pool),
       "text/plain, where it says nothing");
    is_number(content.format, BATCH_FORMAT_UNKNOWN, "its first byte tells");
    is_string(
        batch_content_type_read(&content, "text/plain;charset=utf-16", BATCH_CONTENT_PLAIN, pool),
        "a body of the Content-Type text/plain must be in UTF-8", "text/plain in UTF-16");
    batch_content_type_read(&content, NULL, 0, pool);
    is_number(content.format, BATCH_FORMAT_UNKNOWN, "without a type the first byte tells");
}

/* What is no text is called by its name, whatever it is said to be. */
static void test_kinds(void)
{
    static const struct {
        const char *bytes;
        apr_size_t length;
        const char *words;
    } kinds[] = {
        {"\x1f\x8b\x08\0\0", 5,
         "this is a gzip file: unpack it, or send it as the body, with the type of what is in it "
         "and the header Content-Encoding: gzip"},
        {"PK\x03\x04\n\n\n\n\n\n", 10,
         "this is a zip file, as a workbook (.xlsx, .ods) is: save it as CSV in UTF-8"},
        {"\xd0\xcf\x11\xe0\n\xa1\xb1\x1a\xe1", 9,
         "this is a file of an old Office program (.xls, .doc): save it as CSV in UTF-8"},
        {"%PDF-1.7\n%\n", 11, "this is a PDF file: it must be CSV, NDJSON or JSON"},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const char *words = kinds[i].words;
        char part[400];
        apr_size_t used = (apr_size_t)apr_snprintf(part, sizeof(part), "%s", FILE_PART(""));

        gives_n(CSV, kinds[i].bytes, kinds[i].length, apr_pstrcat(pool, "body: ", words, NULL),
                words);
        gives_n(NDJSON, kinds[i].bytes, kinds[i].length, apr_pstrcat(pool, "body: ", words, NULL),
                words);
        gives_n(ARRAY, kinds[i].bytes, kinds[i].length,
                apr_pstrcat(pool, "malformed 1:1 ", words, NULL), words);
        memcpy(part + used, kinds[i].bytes, kinds[i].length);
        memcpy(part + used + kinds[i].length, "\r\n--x Y--", 9);
        gives_n(MULTI, part, used + kinds[i].length + 9, apr_pstrcat(pool, "file: ", words, NULL),
                words);
    }
    gives(
        CSV, "PK\nx\n",
        "PK: line 1: is not a column of the resource asset, which has id, name, quantity, weight, "
        "fragile, extra, seen, code",
        "what only begins like one");
    gives(MULTI,
          "--x Y\r\nContent-Disposition: form-data; name=f; filename=a.csv.gz\r\n\r\nx\r\n--x Y--",
          "file: this is a gzip file: unpack it, or send it as the body, with the type of what is "
          "in it and the header Content-Encoding: gzip",
          "a name that ends with .gz");
}

/* ---- Limits ------------------------------------------------------------------------------------
 */

/** Feeds before, count times piece, and after; returns what became of it. */
static const char *feed_many(const char *type, const char *before, const char *piece, long count,
                             const char *after, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    batch_resources_request_t request;
    batch_resources_body_t *body;
    batch_content_t content;
    batch_error_t err = {0};
    apr_status_t status;

    batch_content_type_read(&content, type, BATCH_CONTENT_ARRAY, p);
    status = batch_resources_body_make(&body, &content, &asset, &limits, problems, &err, p);
    if (status == APR_SUCCESS) {
        status = batch_resources_body_feed(body, before, strlen(before), &err);
    }
    for (; count && status == APR_SUCCESS; count--) {
        status = batch_resources_body_feed(body, piece, strlen(piece), &err);
    }
    if (status == APR_SUCCESS) {
        status = batch_resources_body_feed(body, after, strlen(after), &err);
    }
    if (status == APR_SUCCESS) {
        status = batch_resources_body_finish(&request, body, &err);
    }
    return status == APR_SUCCESS
               ? show_items(batch_resources_body_source(body, &asset), p)
               : apr_psprintf(p, "%s (%ld left, %d problems)", err.message, count, problems->nelts);
}

static long memory_used(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void test_limits(void)
{
    long before;
    apr_pool_t *p;
    char *big = apr_palloc(pool, 64 * 1024 + 1);

    apr_pool_create(&p, pool);
    memset(big, 'x', 64 * 1024);
    big[64 * 1024] = '\0';
    limits.max_items = 3;
    gives(CSV, "name\na\nb\nc\n", "2 name=s:a\n3 name=s:b\n4 name=s:c", "as many as there may be");
    is_string(
        feed_many(CSV, "name\n", "x\n", 100, "", p),
        "data has more than 3 items, and may have that many: send several batches (96 left, 1 "
        "problems)",
        "more rows end the reading");
    is_string(
        feed_many(NDJSON, "", "{}\n", 100, "", p),
        "data has more than 3 items, and may have that many: send several batches (96 left, 1 "
        "problems)",
        "so do more lines");
    is_string(
        feed_many(ARRAY, "[{}", ",{}", 100, "]", p),
        "data has more than 3 items, and may have that many: send several batches (97 left, 1 "
        "problems)",
        "so do more elements");
    before = memory_used();
    is_string(feed_many(CSV, "name\ny\n", big, 1600, "\nz\n", p),
              "2 name=s:y\n3 !too_large (none)\n4 name=s:z", "a cell of 100 MB");
    is_string(feed_many(CSV, "name\ny\n\"", big, 1600, "\"\nz\n", p),
              "2 name=s:y\n3 !too_large (none)\n4 name=s:z", "the same in quotes");
    memset(big, '"', 64 * 1024);
    is_string(feed_many(CSV, "name\ny\n\"", big, 800, "\"\nz\n", p),
              "2 name=s:y\n3 !too_large (none)\n4 name=s:z", "the same of quotes");
    memset(big, ',', 64 * 1024);
    is_string(feed_many(CSV, "name\ny\n", big, 800, "\nz\n", p),
              "2 name=s:y\n3 !too_large (none)\n4 name=s:z", "50 million cells");
    is_string(feed_many(CSV, "name\ny\n\"", big, 1600, "\nz\n", p),
              "body line 3: the row that begins here has a cell whose closing quote is missing (0 "
              "left, 1 problems)",
              "a quote that is never closed");
    is_string(feed_many(CSV, "", big, 100, "\n", p),
              "header line 1: the header row has more than 1048576 bytes (0 left, 1 problems)",
              "a header of 6 MB");
    is_string(
        feed_many(CSV, "a", ",a", 10000, "\n", p),
        "header a: line 1: is not a column of the resource asset, which has id, name, quantity, "
        "weight, fragile, extra, seen, code (0 left, 101 problems)",
        "a header of 10,001 columns");
    is_string(feed_many(MULTI, "--x Y\r\nContent-Disposition: form-data", ";a=b", 4000,
                        "\r\n\r\nx\r\n--x Y--", p),
              "body the multipart body has no file: exactly one part must have a filename (0 left, "
              "1 problems)",
              "a header of a part with 4000 parameters");
    is_string(feed_many(MULTI,
                        "--x Y\r\nContent-Disposition: form-data; filename=\"x\"\r\n"
                        "Content-Type: text/csv",
                        ";a=\"\"", 3200, "\r\n\r\nname\nx\n\r\n--x Y--", p),
              "2 name=s:x", "a type with 3200 parameters");
    memset(big, '[', 64 * 1024);
    is_string(feed_many(NDJSON, "{}\n", big, 1600, "\n{}", p), "1\n2 !too_large (none)\n3",
              "a line of 100 MB");
    ok(memory_used() - before < 24 * 1024, "all that takes little memory (%ld KB)",
       memory_used() - before);
    limits.max_items = 100000;
    before = memory_used();
    apr_pool_clear(p);
    ok(strlen(feed_many(NDJSON, "", "{\n", 2000, "", p)) > 2000, "many lines that are wrong");
    apr_pool_destroy(p);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    make_resource();
    limits.max_items = 1000;
    limits.max_item_size = 50;
    test_csv();
    test_csv_items();
    test_ndjson();
    test_multipart();
    test_types();
    test_kinds();
    test_limits();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

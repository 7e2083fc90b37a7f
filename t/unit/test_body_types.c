/* Bodies whose resource is known only when they have begun: forms with fields, and files whose type
 * says nothing. */
/* needs: nothing */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/resources_body.h"
#include "file_bodies.h"
#include "slices.h"
#include "tap.h"

#define MULTI "multipart/form-data; boundary=\"x Y\""
#define FILE_PART(type)                                                                            \
    "--x Y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b;.csv\"\r\n" type "\r"  \
    "\n"

static const char *asked; /* what was said when the file began */
static apr_status_t answer;
static int waits; /* the file, for the fields behind it */

static int add_field(void *baton, const char *name, const char *value)
{
    (void)baton;
    asked =
        apr_pstrcat(pool, asked, *asked && !strstr(asked, ": ") ? " " : "", name, "=", value, NULL);
    return 1;
}

static apr_status_t file_begins(void *baton, const batch_resource_t **resource,
                                const apr_table_t *fields, int more, batch_error_t *err)
{
    (void)baton;
    (void)err;
    if (more && waits) {
        return APR_INCOMPLETE;
    }
    asked = more ? "" : "at the end: ";
    apr_table_do(add_field, NULL, fields, NULL);
    *resource = &asset;
    return answer;
}

/** What becomes of a body whose resource is told when it is known to be a file. */
static const char *ask(const char *type, const char *bytes, apr_size_t length, apr_size_t slice)
{
    batch_problems_t *problems = batch_problems_make(pool);
    batch_resources_request_t request;
    batch_resources_body_t *body;
    batch_content_t content;
    batch_error_t err = {0};
    apr_status_t status;

    asked = "not asked";
    batch_content_type_read(&content, type, 0, pool);
    status = batch_resources_body_make(&body, &content, NULL, &limits, problems, &err, pool);
    if (status == APR_SUCCESS) {
        batch_resources_body_when_file(body, file_begins, NULL);
        status = read_in_slices(&request, body, bytes, length, slice, &err);
    }
    if (status == APR_EGENERAL) {
        return "refused";
    }
    return status == APR_SUCCESS ? show_items(batch_resources_body_source(body, &asset), pool)
                                 : err.message;
}

static void asks_n(const char *type, const char *bytes, apr_size_t length, const char *fields,
                   const char *wanted)
{
    static const apr_size_t slices[] = {1, 2, 3, 7, 9, 50, 1000000};

    for (size_t i = 0; i < sizeof(slices) / sizeof(*slices); i++) {
        const char *got = ask(type, bytes, length, slices[i]);

        is_string(asked, fields, apr_psprintf(pool, "%s: what was asked", wanted));
        is_string(got, wanted, apr_psprintf(pool, "%s: in slices of %d", wanted, (int)slices[i]));
    }
}

static void asks(const char *type, const char *text, const char *fields, const char *wanted)
{
    asks_n(type, text, strlen(text), fields, wanted);
}

#define FIELD(name, value)                                                                         \
    "--x Y\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_END FILE_PART("") "name\nx\n\r\n--x Y--"

static void test_fields(void)
{
    char *large = apr_palloc(pool, 1100001);

    asks(MULTI,
         FIELD("mode", "sync") FIELD("nix", "1") FIELD("properties", "{\"a\":\r\n1}") FILE_END,
         "mode=sync properties={\"a\":\r\n1}", "2 name=s:x");
    asks(MULTI, FIELD("mode", "") FILE_END, "mode=", "2 name=s:x");
    asks(MULTI, FILE_END, "", "2 name=s:x");
    asks(MULTI, FIELD("mode", "sync") FIELD("mode", "sync") FILE_END, "not asked",
         "body the multipart body has the field mode twice");
    asks(MULTI, FILE_PART("") "name\nx\n\r\n" FIELD("mode", "sync") "--x Y--", "", "2 name=s:x");
    asks_n(MULTI, FIELD("mode", "a\0b") FILE_END, sizeof(FIELD("mode", "a\0b") FILE_END) - 1,
           "not asked", "body the field mode of the multipart body has a byte NUL");
    asks(MULTI, FIELD("mode", "sync"), "not asked",
         "body the multipart body is cut short: its last boundary is not in it");
    answer = APR_EGENERAL;
    asks(MULTI, FIELD("mode", "sync") FILE_END, "mode=sync", "refused");
    asks(NULL, "name\nx\n", "at the end: ", "refused");
    answer = APR_SUCCESS;
    memset(large, 'x', 1100000);
    large[1100000] = '\0';
    is_string(ask(MULTI, apr_pstrcat(pool, FIELD("mode", ""), NULL), 0, 1),
              "body the multipart body has no part: its boundary is not in it", "nothing");
    large = apr_pstrcat(pool, "--x Y\r\nContent-Disposition: form-data; name=mode\r\n\r\n", large,
                        NULL);
    is_string(ask(MULTI, large, strlen(large), 50000),
              "the fields of the multipart body have more than 1 MiB", "a field that is too large");
}

/* What is said behind the file counts, and the file waits for it. */
static void test_waiting(void)
{
    char *large = apr_palloc(pool, 300001);

    waits = 1;
    asks(MULTI, FILE_PART("") "name\nx\n\r\n" FIELD("mode", "sync") "--x Y--",
         "at the end: mode=sync", "2 name=s:x");
    asks(MULTI, FIELD("mode", "") FILE_PART("") "name\r\nx\r\n\r\n" FIELD("action", "a") "--x Y--",
         "at the end: mode=action=a", "2 name=s:x");
    asks(MULTI, FILE_END, "at the end: ", "2 name=s:x");
    asks(MULTI, FILE_PART("") "\r\n--x Y--",
         "at the end: ", "body line 1: has no header row with the names of the columns");
    asks(MULTI, FILE_PART("") "nix\n\r\n--x Y--", "at the end: ",
         "header nix: line 1: is not a column of the resource asset, which has id, name, quantity, "
         "weight, fragile, extra, seen, code");
    asks(MULTI, FILE_PART("Content-Type: application/json\r\n") "[{\"name\":\"x\"}]\r\n--x Y--",
         "at the end: ", "0 name=s:x");
    asks(MULTI, FILE_PART("Content-Type: image/png\r\n") "name\n\r\n--x Y--", "not asked",
         "file must be of the type text/csv, application/x-ndjson or application/json, or have a "
         "name that ends with .csv, .ndjson or .json");
    asks(MULTI, FILE_PART("") "name\nx\n\r\n" FIELD("mode", "a") FIELD("mode", "a") "--x Y--",
         "not asked", "body the multipart body has the field mode twice");
    asks(MULTI, FILE_PART("") "name\nx\n\r\n--x Y", "not asked",
         "body the multipart body is cut short: its last boundary is not in it");
    answer = APR_EGENERAL;
    asks(MULTI, FILE_END, "at the end: ", "refused");
    answer = APR_SUCCESS;
    memset(large, '\n', 300000);
    large[300000] = '\0';
    large = apr_pstrcat(pool, FILE_PART(""), "name\n", large, "x\n\r\n--x Y--", NULL);
    is_string(ask(MULTI, large, strlen(large), 7000), "300002 name=s:x",
              "a file of several pieces");
    waits = 0;
}

static void test_unknown_types(void)
{
    char *blanks = apr_palloc(pool, 10001);

    asks(NULL, "name\nx\n", "at the end: ", "2 name=s:x");
    asks(NULL, "\xef\xbb\xbfname\nx\n", "at the end: ", "2 name=s:x");
    asks(NULL, "\r\n \t\n\n\n\n\n\nname\nx\n", "at the end: ", "9 name=s:x");
    asks(NULL, "name", "at the end: ", "");
    asks(NULL, "\xef\xbb\xbf [{\"name\":\"x\"}]", "not asked", "0 name=s:x");
    asks(NULL, "            [{\"name\":\"x\"}]", "not asked", "0 name=s:x");
    asks(NULL, "[]", "not asked", "");
    asks(NULL, "", "not asked", "the document is empty");
    asks(NULL, " \n ", "not asked", "unexpected end of the document, expected a value");
    memset(blanks, ' ', 10000);
    blanks[10000] = '\0';
    asks(NULL, apr_pstrcat(pool, blanks, "[{\"name\":\"x\"}]", NULL), "not asked", "0 name=s:x");
    asks(NULL, "\x1f\x8b\x08", "not asked",
         "body this is a gzip file: unpack it, or send it as the body, with the type of what is in "
         "it and the header Content-Encoding: gzip");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    make_resource();
    limits.max_items = 100;
    limits.max_item_size = 1000;
    test_fields();
    test_waiting();
    test_unknown_types();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

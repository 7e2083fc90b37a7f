/* Bodies of the resources API: the request, its items as a source, and everything wrong in them. */
/* needs: nothing */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/body_format.h"
#include "slices.h"
#include "tap.h"

static apr_pool_t *pool;
static batch_resource_t contact;
static batch_limits_t limits;

static void make_resource(void)
{
    static const char *const names[] = {"name", "email", "notes"};

    contact.name = "contact";
    contact.key = "id";
    contact.scope = "organization_id";
    contact.match = apr_array_make(pool, 1, sizeof(const char *));
    contact.columns = apr_array_make(pool, 4, sizeof(batch_column_t));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        batch_column_t *column = apr_array_push(contact.columns);

        memset(column, 0, sizeof(*column));
        column->name = names[i];
    }
}

/* ---- A body and what became of it ------------------------------------------------------------ */

typedef struct result {
    apr_status_t status;
    batch_error_t err;
    batch_problems_t *problems;
    batch_resources_request_t request;
    batch_resources_body_t *body;
    const batch_item_source_t *source;
} result_t;

static result_t read_bytes(const char *bytes, apr_size_t length, apr_size_t slice, apr_pool_t *p)
{
    batch_content_t content = {BATCH_FORMAT_JSON, NULL};
    result_t result;

    memset(&result, 0, sizeof(result));
    result.problems = batch_problems_make(p);
    result.status = batch_resources_body_make(&result.body, &content, NULL, &limits,
                                              result.problems, &result.err, p);
    if (result.status == APR_SUCCESS) {
        result.status =
            read_in_slices(&result.request, result.body, bytes, length, slice, &result.err);
    }
    if (result.status == APR_SUCCESS) {
        result.source = batch_resources_body_source(result.body, &contact);
    }
    return result;
}

static result_t read_text(const char *text)
{
    return read_bytes(text, strlen(text), strlen(text) + 1, pool);
}

static const char *show_problems(const batch_problems_t *problems)
{
    const char *line = "";

    for (int i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);

        line = apr_pstrcat(pool, line, i ? "; " : "", problem->field, ": ", problem->message, NULL);
    }
    return line;
}

static const char *show_values(const batch_value_t *values, int count, apr_pool_t *p)
{
    static const char kinds[] = "0snbjc!"; /* as batch_kind_e */
    const char *line = "";

    for (int i = 0; i < count; i++) {
        line = apr_psprintf(p, "%s%s%s=%c:%s", line, i ? " " : "", values[i].name,
                            kinds[values[i].kind], values[i].value ? values[i].value : "");
    }
    return line;
}

/** Every item on a line of its own: its values, what is wrong with it. */
static const char *show_items(const batch_item_source_t *source, apr_pool_t *p)
{
    const char *all = NULL;
    batch_source_item_t item;
    batch_error_t err = {0};
    apr_status_t status;

    while ((status = source->next(source->baton, &item, &err, p)) == APR_SUCCESS) {
        all = apr_pstrcat(p, all ? all : "", all ? "\n" : "",
                          show_values(item.values, item.value_count, p), NULL);
        if (item.wrong) {
            all = apr_pstrcat(p, all, " !", item.wrong, item.field ? " " : "",
                              item.field ? item.field : "", NULL);
        }
    }
    return status == APR_EOF ? all : apr_pstrcat(p, all, "\nfailed: ", err.message, NULL);
}

/** What one item, given as the whole of data, is read as. */
static const char *item_of(const char *text)
{
    result_t result = read_text(apr_pstrcat(pool, "{\"data\":[", text, "]}", NULL));

    return result.source ? show_items(result.source, pool) : result.err.message;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_request(void)
{
    result_t result = read_text(
        "{\"data\":[{\"name\":\"A\"}],\"mode\":\"sync\",\"action\":\"merge\",\"resource\":"
        "\"contact\",\"duplicate_handling\":\"use_last\",\"save_upload\":false,"
        "\"atomic\":false,\"allow_empty\":true,\"unknown\":[1],\"properties\":"
        "{\"notes\":\"n\",\"email\":null,\"a\":1.50,\"b\":true,\"c\":{\"x\":[1]}}}");
    const batch_resources_request_t *request = &result.request;

    is_number(result.status, APR_SUCCESS, "a whole request is read");
    is_string(show_problems(result.problems), "", "nothing is wrong with it");
    is_string(request->mode, "sync", "mode");
    is_string(request->action, "merge", "action");
    is_string(request->resource, "contact", "resource");
    is_string(request->duplicate_handling, "use_last", "duplicate_handling");
    is_number(request->save_upload, 0, "save_upload");
    is_number(request->atomic, 0, "atomic");
    is_number(request->allow_empty, 1, "allow_empty");
    is_number(request->has_data, 1, "it has data");
    is_number(request->via, BATCH_VIA_API, "it came by the API");
    is_string(show_values((const batch_value_t *)request->properties->elts,
                          request->properties->nelts, pool),
              "notes=s:n email=0: a=n:1.50 b=b:true c=j:{\"x\":[1]}", "properties");
    is_number(result.source->count, 1, "one item");
    is_number(request->count, 1, "which the request counts too");

    result = read_text("{}");
    request = &result.request;
    is_number(result.status, APR_SUCCESS, "an empty request is read");
    ok(!request->mode && !request->action && !request->resource && !request->duplicate_handling &&
           !request->properties,
       "what is absent is NULL");
    ok(request->save_upload && request->atomic && !request->allow_empty && !request->has_data,
       "and flags are what they are when absent");
    is_string(request->checksum, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
              "the checksum is SHA-256 of the body");
    result = read_text("{\"mode\":null,\"save_upload\":null,\"properties\":null,\"data\":null}");
    is_string(show_problems(result.problems), "", "null counts as absent");
    ok(!result.request.mode && result.request.save_upload && !result.request.properties &&
           !result.request.has_data,
       "in every member");
}

static void test_problems(void)
{
    result_t result = read_text("{\"data\":{},\"mode\":1,\"action\":[],\"resource\":\"a\\u0000\","
                                "\"duplicate_handling\":true,\"save_upload\":1,\"atomic\":\"no\","
                                "\"allow_empty\":{},\"properties\":[]}");

    is_string(show_problems(result.problems),
              "mode: must be a string; action: must be a string; resource: must not contain "
              "U+0000; duplicate_handling: must be a string; save_upload: must be true or false; "
              "atomic: must be true or false; allow_empty: must be true or false; properties: must "
              "be an object; data: must be an array of objects",
              "every member of a wrong type is named");
    result = read_text("{\"mode\":\"sync\",\"mode\":\"mixed\",\"properties\":{\"a\":1,\"a\":2,"
                       "\"b\":\"\\u0000\"}}");
    is_string(show_problems(result.problems),
              "mode: is given twice; properties.a: is given twice; properties.b: must not contain "
              "U+0000",
              "members that are given twice");
    result = read_text("{\"dry_run\":true,\"max_removed\":1,\"max_errors\":0}");
    is_string(show_problems(result.problems),
              "dry_run: is not available in this version; max_removed: is not available in this "
              "version; max_errors: is not available in this version",
              "safety nets that are not there are not passed over");
    result = read_text("{\"dry_run\":false,\"max_removed\":null}");
    is_string(show_problems(result.problems), "", "but none is needed for what asks for none");
    result = read_text("1");
    is_string(show_problems(result.problems),
              "body: must be an object with resource, action and data", "a number is no request");
    result = read_text(" [1]");
    is_string(show_problems(result.problems), "", "an array is one of items");
    ok(batch_resources_body_is_file(result.body), "that is, a file");
}

static void test_malformed(void)
{
    result_t result = read_text("{\n\"data\":[{\"name\":\"A\"},]}");

    is_number(result.status, BATCH_EMALFORMED, "a comma too many");
    is_number(result.err.line, 2, "with its line");
    is_number(result.err.column, 22, "and column");
    is_number(read_text("").status, BATCH_EMALFORMED, "an empty body");
    is_number(read_text("{\"data\":[{}],\"data\":[]}").status, BATCH_EMALFORMED, "data twice");
    is_number(read_text("{\"data\":[{\"a\":\"\xff\"}]}").status, BATCH_EMALFORMED, "no UTF-8");
    is_number(read_text("{\"data\":[{\"a\":1}").status, BATCH_EMALFORMED, "a body that breaks off");
}

static void test_items(void)
{
    is_string(item_of("{\"id\":\"1\",\"name\":\"A\",\"email\":null,\"notes\":\"\"}"),
              "id=s:1 name=s:A email=0: notes=s:", "strings and null");
    is_string(item_of(" { \"name\" : \"A\" , \"notes\" : 1e3 } , {\"notes\":-1.50 ,\"name\":true}"),
              "name=s:A notes=n:1e3\nnotes=n:-1.50 name=b:true", "white space, numbers, booleans");
    is_string(item_of("{\"notes\":{\"a\":[1,\"]}\\\"\"]},\"name\":[],\"email\":false}"),
              "notes=j:{\"a\":[1,\"]}\\\"\"]} name=j:[] email=b:false", "objects and arrays");
    is_string(item_of("{\"n\\u0061me\":\"a\\\"b\\\\\\u00e9\\n\",\"name2\":\"\\ud83d\\ude00\"}"),
              "name=s:a\"b\\\xc3\xa9\n name2=s:\xf0\x9f\x98\x80", "escapes in names and values");
    is_string(item_of("{},{\"x\":1},{\"y\":{}}"), "\nx=n:1\ny=j:{}", "nothing, and unknown names");
    is_string(item_of("1,\"a\",null,[{}],true"),
              " !not_an_object\n !not_an_object\n !not_an_object\n !not_an_object\n "
              "!not_an_object",
              "what is not an object");
    is_string(item_of("{\"name\":\"a\",\"id\":\"1\",\"name\":\"b\"},{\"x\":1,\"x\":2},"
                      "{\"name\":1,\"n\\u0061me\":2},{\"name\":\"c\"}"),
              "name=!:a id=s:1 !repeated_member name\nx=!:1 !repeated_member x\n"
              "name=!:1 !repeated_member name\nname=s:c",
              "of a member that is given twice nobody knows the value");
    is_string(item_of("{\"id\":\"1\",\"notes\":\"a\\u0000b\"}"), "id=s:1 notes=!:a !nul_byte notes",
              "U+0000 in a string");
}

static void test_names_are_the_resources(void)
{
    result_t result = read_text("{\"data\":[{\"name\":\"a\",\"id\":1},{\"n\\u0061me\":\"b\"}]}");
    const char *name = APR_ARRAY_IDX(contact.columns, 0, batch_column_t).name;
    batch_source_item_t item;
    batch_error_t err = {0};

    result.source->next(result.source->baton, &item, &err, pool);
    ok(item.values[0].name == name && item.values[1].name == contact.key,
       "a name of the resource is the very same string");
    is_string(item.original, "{\"name\":\"a\",\"id\":1}", "the original is as it was sent");
    is_number(item.line, 0, "JSON has no lines of items");
    result.source->next(result.source->baton, &item, &err, pool);
    ok(item.values[0].name == name, "also where it was written with an escape");
    is_string(item.original, "{\"n\\u0061me\":\"b\"}", "and the original keeps that");
}

static void test_wrapping(void)
{
    const char *wrapped = "{\"index\":3,\"line\":null,\"id\":\"x\",\"field\":\"name\",\"code\":"
                          "\"missing\",\"message\":\"m\",\"item\":{\"id\":\"1\",\"name\":\"A\"}}";
    batch_column_t *column;
    result_t result;
    batch_source_item_t item;
    batch_error_t err = {0};

    is_string(item_of(wrapped), "id=s:1 name=s:A", "an entry of an error file stands for its item");
    result = read_text(apr_pstrcat(pool, "{\"data\":[", wrapped, "]}", NULL));
    result.source->next(result.source->baton, &item, &err, pool);
    is_string(item.original, "{\"id\":\"1\",\"name\":\"A\"}", "the original is that item");
    is_string(item_of("{\"item\":{\"name\":\"A\"}}"), "name=s:A", "the item alone is enough");
    is_string(item_of("{\"item\":5,\"index\":1}"), " !not_an_object", "it may be wrong itself");
    is_string(item_of("{\"item\":{\"name\":\"A\"},\"name\":\"B\"}"),
              "item=j:{\"name\":\"A\"} name=s:B", "other members beside it: no wrapping");
    is_string(item_of("{\"item\":{\"item\":{\"name\":\"A\"}}}"), "item=j:{\"name\":\"A\"}",
              "there is one wrapping, not two");
    is_string(item_of("{\"item\":{\"name\":\"A\"},\"item\":{\"name\":\"A\"}}"),
              "item=!:{\"name\":\"A\"} !repeated_member item", "nor two items in one");
    column = apr_array_push(contact.columns);
    memset(column, 0, sizeof(*column));
    column->name = "item";
    is_string(item_of("{\"item\":{\"name\":\"A\"}}"), "item=j:{\"name\":\"A\"}",
              "a resource with a column of that name has no wrapping");
    apr_array_pop(contact.columns);
}

static void test_sizes(void)
{
    char *text;
    char *wrapped;

    limits.max_item_size = 30;
    is_string(item_of("{\"id\":\"1\",\"name\":\"0123456789\"}"), "id=s:1 name=s:0123456789",
              "an item of the greatest size");
    is_string(item_of("{\"id\":\"1\",\"name\":\"01234567890\"}"),
              "id=s:1 name=s:01234567890 !too_large", "one byte more is too large");
    is_string(item_of("{\"id\":\"1\",\"id\":\"0123456789012345\"}"), "id=!:1 !too_large",
              "and that is what is said of it");
    is_string(item_of("{\"index\":0,\"message\":\"much more than thirty bytes are around it\","
                      "\"item\":{\"id\":\"1\",\"name\":\"0123456789\"}}"),
              "id=s:1 name=s:0123456789", "a wrapping does not count");
    text = apr_palloc(pool, 40000);
    memset(text, 'x', 40000);
    text[39999] = '\0';
    wrapped = apr_pstrcat(pool, "{\"id\":\"1\",\"name\":\"", text, "\"},{\"id\":\"2\"}", NULL);
    is_string(item_of(wrapped), " !too_large\nid=s:2", "what is far too large is not even kept");
    limits.max_item_size = 1024 * 1024;

    limits.max_items = 2;
    {
        result_t result = read_text("{\"data\":[{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4}]}");

        is_number(result.source->count, 4, "items over the limit are counted");
        is_string(show_items(result.source, pool), "id=n:1\nid=n:2", "but not kept");
    }
    limits.max_items = 1000000;
}

static void test_members(void)
{
    apr_array_header_t *parts = apr_array_make(pool, 2100, sizeof(const char *));
    result_t result;
    batch_source_item_t item;
    batch_error_t err = {0};

    for (int i = 0; i <= BATCH_ITEM_MEMBERS; i++) {
        APR_ARRAY_PUSH(parts, const char *) = apr_psprintf(pool, "\"m%d\":%d", i, i);
    }
    result = read_text(
        apr_pstrcat(pool, "{\"data\":[{", apr_array_pstrcat(pool, parts, ','), "}]}", NULL));
    result.source->next(result.source->baton, &item, &err, pool);
    is_string(item.wrong, "too_large", "an item with too many members");
    is_number(item.value_count, BATCH_ITEM_MEMBERS, "of which no more are read");
}

/** A body of count items, each of them of about size bytes. */
static char *large_body(int count, int size, apr_size_t *length)
{
    char *text = malloc((size_t)count * (size_t)(size + 40) + 100);
    char *at = text;

    at += sprintf(at, "{\"data\":[");
    for (int i = 0; i < count; i++) {
        at += sprintf(at, "%s{\"id\":\"%d\",\"notes\":\"", i ? "," : "", i);
        memset(at, 'a' + i % 26, (size_t)size);
        at += size;
        at += sprintf(at, "\"}");
    }
    at += sprintf(at, "],\"resource\":\"contact\"}");
    *length = (apr_size_t)(at - text);
    return text;
}

/** Reads all items of a source whose ids are 0, 1, …; returns how many came in order. */
static int count_items(const batch_item_source_t *source, int size)
{
    apr_pool_t *p;
    batch_source_item_t item;
    batch_error_t err = {0};
    int count = 0;

    apr_pool_create(&p, pool);
    while (source->next(source->baton, &item, &err, p) == APR_SUCCESS && !item.wrong &&
           item.value_count == 2 && apr_atoi64(item.values[0].value) == count &&
           strlen(item.values[1].value) == (size_t)size &&
           item.values[1].value[size - 1] == 'a' + count % 26) {
        count++;
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return count;
}

static void test_spool(int count, int size, apr_size_t slice, const char *what)
{
    apr_pool_t *p;
    apr_size_t length;
    char *text = large_body(count, size, &length);
    result_t result;

    apr_pool_create(&p, pool);
    result = read_bytes(text, length, slice, p);
    free(text);
    is_number(result.status, APR_SUCCESS, what);
    if (result.status == APR_SUCCESS) {
        batch_error_t err = {0};

        is_number(count_items(result.source, size), count, "all items come, in order");
        is_number(result.source->rewind(result.source->baton, &err), APR_SUCCESS, "once more");
        is_number(count_items(result.source, size), count, "and all come again");
        is_string(result.request.resource, "contact", "what stands behind the items is read");
    }
    apr_pool_destroy(p);
}

static void test_no_room(void)
{
    struct rlimit before;
    apr_size_t length;
    char *text = large_body(2000, 500, &length);
    apr_pool_t *p;
    result_t result;

    apr_pool_create(&p, pool);
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, before.rlim_max});
    result = read_bytes(text, length, 8000, p);
    setrlimit(RLIMIT_FSIZE, &before);
    is_number(result.status, BATCH_EUNAVAILABLE, "no room for the temporary file");
    is_string(result.err.tag, "MB0501", "is logged");
    free(text);
    apr_pool_destroy(p);
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    limits.max_items = 1000000;
    limits.max_item_size = 1024 * 1024;
    make_resource();
    test_request();
    test_problems();
    test_malformed();
    test_items();
    test_names_are_the_resources();
    test_wrapping();
    test_sizes();
    test_members();
    test_spool(1, 10, 7, "one item");
    test_spool(500, 300, 1000, "items that fit into memory");
    test_spool(5000, 300, 8000, "items that do not");
    test_spool(20, 300000, 65536, "items that are larger than the memory");
    test_no_room();
    return tap_end();
}

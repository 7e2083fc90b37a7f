/*
 * Fuzz target: bodies of the resources API. The first byte of the input says how the rest is
 * sliced. Whatever the input, the items must not depend on the slices, and must come twice the
 * same; what is read of an item must be what a plain walk over its text finds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "text/json_text.h"
#include "payload/resources_body.h"
#include "body_fixture.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ITEMS     8
#define MAX_ITEM_SIZE 200

static apr_pool_t *root;
static batch_resource_t resource;

static void make_resource(void)
{
    static const char *const names[] = {"a", "b", "name"};

    resource.name = "thing";
    resource.key = "id";
    resource.match = apr_array_make(root, 1, sizeof(const char *));
    resource.columns = apr_array_make(root, 4, sizeof(batch_column_t));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        batch_column_t *column = apr_array_push(resource.columns);

        memset(column, 0, sizeof(*column));
        column->name = names[i];
    }
}

/** The values are those of the text's members, in their order. */
static void check_walk(const batch_source_item_t *item, apr_pool_t *p)
{
    batch_json_slice_t all = batch_json_document(item->original, strlen(item->original));
    batch_json_slice_t name;
    batch_json_slice_t value;
    batch_json_cursor_t cursor;
    int i = 0;

    batch_json_walk(&cursor, &all);
    while (batch_json_next_member(&name, &value, &cursor)) {
        const batch_value_t *read = &item->values[i];
        batch_json_kind_e kind = batch_json_kind(&value);
        apr_size_t length;

        check(i++ < item->value_count);
        check(batch_json_string_equals(name.text, name.length, read->name, strlen(read->name)));
        if (kind == BATCH_JSON_NULL) {
            check(read->kind == BATCH_KIND_NULL && !read->value);
        } else if (kind == BATCH_JSON_STRING) {
            const char *text = batch_json_string_decode(&length, value.text, value.length, p);

            check(read->kind == BATCH_KIND_STRING && !strcmp(read->value, text));
        } else {
            check(strlen(read->value) == value.length &&
                  !memcmp(read->value, value.text, value.length));
            check(read->kind == (kind == BATCH_JSON_NUMBER    ? BATCH_KIND_NUMBER
                                 : kind == BATCH_JSON_BOOLEAN ? BATCH_KIND_BOOLEAN
                                                              : BATCH_KIND_JSON));
        }
    }
    check(i == item->value_count);
}

static void check_item(uint64_t *sum, const batch_source_item_t *item, apr_pool_t *p)
{
    static const char *const codes[] = {"not_an_object", "too_large", "repeated_member",
                                        "nul_byte"};
    int found = !item->wrong;

    for (size_t i = 0; !found && i < sizeof(codes) / sizeof(*codes); i++) {
        found = !strcmp(item->wrong, codes[i]);
    }
    check(found);
    digest(sum, item->wrong);
    digest(sum, item->original);
    check(item->wrong ? item->message != NULL : item->original != NULL);
    for (int i = 0; i < item->value_count; i++) {
        digest(sum, item->values[i].name);
        digest(sum, item->values[i].value);
        check(!item->values[i].value ||
              batch_utf8_is_valid(item->values[i].value, strlen(item->values[i].value)));
        for (int j = 0; j < i; j++) {
            check(strcmp(item->values[i].name, item->values[j].name) != 0);
        }
    }
    if (item->original) {
        check(batch_json_is_valid(item->original, strlen(item->original), p));
    }
    if (!item->wrong) {
        check_walk(item, p);
    }
}

/** Reads a body in slices of that size; 0 if it is malformed, else a digest of its items. */
static uint64_t read_body(const char *bytes, size_t size, size_t slice, apr_pool_t *p)
{
    batch_limits_t limits = {.max_items = MAX_ITEMS, .max_item_size = MAX_ITEM_SIZE};
    batch_problems_t *problems = batch_problems_make(p);
    batch_content_t content = {BATCH_FORMAT_JSON, NULL};
    batch_resources_request_t request;
    batch_resources_body_t *body;
    batch_error_t err = {0};
    apr_status_t status =
        batch_resources_body_make(&body, &content, NULL, &limits, problems, &err, p);
    const batch_item_source_t *source;

    if (status == APR_SUCCESS) {
        status = read_in_slices(&request, body, bytes, size, slice, &err);
    }
    if (status == BATCH_EINVALID) { /* an array with too many elements */
        check(batch_resources_body_is_file(body) && problems->nelts && err.message);
        return 0;
    }
    if (status != APR_SUCCESS) {
        check(status == BATCH_EMALFORMED || status == BATCH_ETOOLARGE);
        check(err.line > 0 && err.column > 0 && err.message);
        return 0;
    }
    check(problems->nelts <= 101);
    check(strlen(request.checksum) == 64);
    source = batch_resources_body_source(body, &resource);
    check(request.has_data || !source->count);
    return read_items(source, check_item, MAX_ITEMS, p) ^ 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    apr_pool_t *p;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
        make_resource();
    }
    if (!size) {
        return 0;
    }
    apr_pool_create(&p, root);
    check(read_body(bytes, size - 1, (size_t)*data % 32 + 1, p) ==
          read_body(bytes, size - 1, size, p));
    apr_pool_destroy(p);
    return 0;
}

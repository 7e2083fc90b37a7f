/*
 * Fuzz target: bodies that are files. The first byte of the input says the format (CSV, NDJSON,
 * JSON array, multipart/form-data with the boundary "b") and how the rest is sliced. Whatever the
 * input, items and errors must not depend on the slices, items must come twice the same, and every
 * original must be JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "payload/resources_body.h"
#include "body_fixture.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ITEMS     8
#define MAX_ITEM_SIZE 60

static apr_pool_t *root;
static batch_resource_t resource;

static void make_resource(void)
{
    static const batch_column_t columns[] = {
        {.name = "a", .type = BATCH_TYPE_TEXT},    {.name = "n", .type = BATCH_TYPE_INTEGER},
        {.name = "b", .type = BATCH_TYPE_BOOLEAN}, {.name = "j", .type = BATCH_TYPE_JSON},
        {.name = "f", .type = BATCH_TYPE_NUMBER},
    };

    resource.name = "thing";
    resource.key = "id";
    resource.match = apr_array_make(root, 1, sizeof(const char *));
    resource.columns = apr_array_make(root, 8, sizeof(batch_column_t));
    for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
        APR_ARRAY_PUSH(resource.columns, batch_column_t) = columns[i];
    }
}

static void check_item(uint64_t *sum, const batch_source_item_t *item, apr_pool_t *p)
{
    const char *original =
        item->original || !item->make_original ? item->original : item->make_original(item, p);

    digest(sum, item->wrong);
    digest(sum, item->field);
    digest(sum, original);
    *sum += (uint64_t)item->line;
    check(!item->wrong || item->message);
    check(item->wrong || original);
    check(!original || batch_json_is_valid(original, strlen(original), p));
    for (int i = 0; i < item->value_count; i++) {
        const batch_value_t *value = &item->values[i];

        digest(sum, value->name);
        digest(sum, value->value);
        check((value->kind == BATCH_KIND_NULL) == !value->value);
        check(!value->value || batch_utf8_is_valid(value->value, strlen(value->value)));
        check((value->kind != BATCH_KIND_NUMBER && value->kind != BATCH_KIND_JSON) ||
              batch_json_is_valid(value->value, strlen(value->value), p));
        for (int j = 0; j < i; j++) {
            check(strcmp(value->name, item->values[j].name) != 0);
        }
    }
}

/** Reads a body in slices of that size; a digest of its items, or of what is wrong with it. */
static uint64_t read_body(const batch_content_t *content, const char *bytes, size_t size,
                          size_t slice, apr_pool_t *p)
{
    batch_limits_t limits = {.max_items = MAX_ITEMS, .max_item_size = MAX_ITEM_SIZE};
    batch_problems_t *problems = batch_problems_make(p);
    batch_resources_request_t request;
    batch_resources_body_t *body;
    batch_error_t err = {0};
    const batch_item_source_t *source;
    apr_status_t status =
        batch_resources_body_make(&body, content, &resource, &limits, problems, &err, p);
    uint64_t sum = 0;

    if (status == APR_SUCCESS) {
        status = read_in_slices(&request, body, bytes, size, slice, &err);
    }
    if (status != APR_SUCCESS) {
        check(err.message != NULL);
        check(status == BATCH_EMALFORMED || status == BATCH_EPART || status == BATCH_ETOOLARGE ||
              (status == BATCH_EINVALID && problems->nelts));
        check(problems->nelts <= 101);
        digest(&sum, err.message);
        return sum + (uint64_t)err.line;
    }
    check(!problems->nelts);
    check(strlen(request.checksum) == 64);
    digest(&sum, request.checksum);
    source = batch_resources_body_source(body, &resource);
    check(source->count <= MAX_ITEMS);
    return sum + read_items(source, check_item, MAX_ITEMS, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    batch_content_t content = {BATCH_FORMAT_ARRAY, NULL};
    apr_pool_t *p;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
        make_resource();
    }
    if (!size) {
        return 0;
    }
    content.format = (batch_format_e)(BATCH_FORMAT_ARRAY + *data / 64 % 3);
    content.boundary = *data / 64 == 3 ? "b" : NULL;
    apr_pool_create(&p, root);
    check(read_body(&content, bytes, size - 1, (size_t)*data % 64 + 1, p) ==
          read_body(&content, bytes, size - 1, size, p));
    apr_pool_destroy(p);
    return 0;
}

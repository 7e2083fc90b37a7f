/*
 * Fuzz target: requests of the records API. The first byte of the input says which body it is and
 * how it is sliced. Ids must be distinct, well-formed and in order; the operations that are
 * written must be JSON, and read back as the same request.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "payload/json_reader.h"
#include "payload/operations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_IDS 8

static apr_pool_t *root;

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static int same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static apr_status_t read_request(batch_operations_request_t *request, batch_problems_t *problems,
                                 batch_body_e body, const char *bytes, size_t size, size_t slice,
                                 apr_pool_t *p)
{
    batch_operations_parser_t *parser = batch_operations_parser_make(body, MAX_IDS, p);
    batch_error_t err = {0};
    apr_status_t status = APR_SUCCESS;

    for (size_t at = 0; at < size && status == APR_SUCCESS; at += slice) {
        size_t left = size - at < slice ? size - at : slice;
        char *copy = malloc(left);

        memcpy(copy, bytes + at, left);
        status = batch_operations_parser_feed(parser, copy, left, &err);
        free(copy);
    }
    if (status == APR_SUCCESS) {
        status = batch_operations_parser_finish(request, parser, problems, &err);
    }
    if (status != APR_SUCCESS) {
        check(status == BATCH_EMALFORMED || status == BATCH_ETOOLARGE);
        check(err.line > 0 && err.column > 0 && err.message);
    }
    return status;
}

static void check_first(const batch_operation_t *first)
{
    apr_int64_t ordinal = -1;

    check(first->has_ids == (first->ids != NULL));
    check(first->has_data == (first->data != NULL));
    for (int i = 0; first->has_ids && i < first->ids->nelts; i++) {
        const batch_item_t *item = &APR_ARRAY_IDX(first->ids, i, batch_item_t);

        check(item->ordinal > ordinal && item->ordinal < first->ids_sent);
        ordinal = item->ordinal;
        check(item->key_length > 0 && item->key_length <= BATCH_ID_BYTES);
        check(strlen(item->key) == item->key_length);
        for (int j = 0; j < i; j++) {
            check(strcmp(item->key, APR_ARRAY_IDX(first->ids, j, batch_item_t).key) != 0);
        }
    }
    check(!first->has_ids || first->ids->nelts <= MAX_IDS);
    check(!first->ids_over || first->ids->nelts == MAX_IDS);
    for (int i = 0; first->has_data && i < first->data->nelts; i++) {
        check(APR_ARRAY_IDX(first->data, i, batch_value_t).name != NULL);
    }
}

typedef struct text {
    apr_array_header_t *bytes;
} text_t;

static apr_status_t append(void *baton, const char *bytes, apr_size_t length)
{
    text_t *text = baton;

    while (length--) {
        APR_ARRAY_PUSH(text->bytes, char) = *bytes++;
    }
    return APR_SUCCESS;
}

/** Writes the operations of request and reads them back. */
static void check_written(const batch_operations_request_t *request, apr_pool_t *p)
{
    text_t text = {apr_array_make(p, 1000, 1)};
    batch_sink_t sink = {append, &text};
    batch_operations_request_t again;
    const char *body;

    check(batch_operations_write(&sink, request, p) == APR_SUCCESS);
    check(batch_json_is_valid(text.bytes->elts, (apr_size_t)text.bytes->nelts, p));
    body = apr_pstrcat(
        p, "{\"operations\":", apr_pstrmemdup(p, text.bytes->elts, (apr_size_t)text.bytes->nelts),
        "}", NULL);
    if (strlen(body) >= BATCH_OPERATIONS_BYTES) {
        return;
    }
    check(read_request(&again, batch_problems_make(p), BATCH_BODY_OPERATIONS, body, strlen(body),
                       strlen(body), p) == APR_SUCCESS);
    check(same(again.text, request->text ? request->text : "[]"));
    check(again.operation_count == request->operation_count);
    check(same(again.first.action, request->first.action));
    check(same(again.first.form_id, request->first.form_id));
    check(again.first.has_ids == request->first.has_ids);
    for (int i = 0; again.first.has_ids && i < request->first.ids->nelts; i++) {
        check(again.first.ids->nelts == request->first.ids->nelts);
        check(same(APR_ARRAY_IDX(again.first.ids, i, batch_item_t).key,
                   APR_ARRAY_IDX(request->first.ids, i, batch_item_t).key));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    batch_operations_request_t request;
    batch_problems_t *problems;
    batch_body_e body;
    apr_pool_t *p;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    if (!size) {
        return 0;
    }
    body = *data & 1 ? BATCH_BODY_OPERATIONS : BATCH_BODY_CREATE;
    apr_pool_create(&p, root);
    problems = batch_problems_make(p);
    if (read_request(&request, problems, body, (const char *)data + 1, size - 1,
                     (size_t)(*data / 2) % 32 + 1, p) == APR_SUCCESS) {
        check(problems->nelts <= 101);
        check_first(&request.first);
        check_written(&request, p);
    }
    apr_pool_destroy(p);
    return 0;
}

/*
 * Fuzz target: the incremental JSON reader. The first byte of the input says how the rest is sliced
 * and what is diverted. Whatever the input, the result must not depend on the slices, what is
 * accepted must be accepted by json-c too, and what is handed out must be JSON again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <json-c/json.h>

#include "payload/json_reader.h"
#include "text/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_SKELETON 2000
#define MAX_ELEMENT  200

static const char *const paths[] = {NULL, "", "a", "batch.operations[0].ids"};

static apr_pool_t *root;

/** A result that can be compared: an FNV-1a hash of all that was handed out. */
typedef struct outcome {
    apr_status_t status;
    apr_int64_t line;
    apr_int64_t column;
    uint64_t digest;
    apr_pool_t *p;
} outcome_t;

static void digest(outcome_t *outcome, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    while (length--) {
        outcome->digest = (outcome->digest ^ *at++) * 0x100000001b3;
    }
}

static apr_status_t take_element(void *baton, const batch_json_element_t *element)
{
    outcome_t *outcome = baton;
    batch_json_slice_t value = {element->text, element->length};

    digest(outcome, &element->length, sizeof(element->length));
    digest(outcome, &element->index, sizeof(element->index));
    digest(outcome, &element->line, sizeof(element->line));
    digest(outcome, &element->column, sizeof(element->column));
    digest(outcome, &element->first, 1);
    if (!element->text) {
        return element->length > MAX_ELEMENT ? APR_SUCCESS : (abort(), APR_EGENERAL);
    }
    digest(outcome, element->text, element->length);
    if (!batch_json_is_valid(element->text, element->length, outcome->p)) {
        abort();
    }
    if (batch_json_kind(&value) == BATCH_JSON_STRING) {
        apr_size_t length;
        char *text = batch_json_string_decode(&length, value.text, value.length, outcome->p);

        if (text[length] || !batch_json_string_equals(value.text, value.length, text, length)) {
            abort();
        }
    }
    return APR_SUCCESS;
}

/** Visits every value in checked text; aborts if a child is no JSON. */
static void walk(const batch_json_slice_t *value, apr_pool_t *p)
{
    batch_json_cursor_t cursor;
    batch_json_slice_t name;
    batch_json_slice_t child;
    int is_object = batch_json_kind(value) == BATCH_JSON_OBJECT;

    batch_json_walk(&cursor, value);
    while (is_object ? batch_json_next_member(&name, &child, &cursor)
                     : batch_json_next_element(&child, &cursor)) {
        if (!batch_json_is_valid(child.text, child.length, p) ||
            (is_object && !batch_json_is_valid(name.text, name.length, p))) {
            abort();
        }
    }
}

static const char *read_input(outcome_t *outcome, const char *path, const uint8_t *data,
                              size_t size, size_t slice)
{
    batch_json_reader_config_t config = {path, take_element, outcome, MAX_SKELETON, MAX_ELEMENT, 0};
    batch_json_reader_t *reader = batch_json_reader_make(&config, outcome->p);
    const char *skeleton = NULL;
    apr_size_t length = 0;
    batch_error_t err = {0};

    for (size_t at = 0; at < size && outcome->status == APR_SUCCESS; at += slice) {
        size_t left = size - at < slice ? size - at : slice;
        /* Memory of its own: a read beside it is seen. */
        char *copy = malloc(left);

        memcpy(copy, data + at, left);
        outcome->status = batch_json_reader_feed(reader, copy, left, &err);
        free(copy);
    }
    if (outcome->status == APR_SUCCESS) {
        outcome->status = batch_json_reader_finish(&skeleton, &length, reader, &err);
    }
    if (outcome->status != APR_SUCCESS) {
        outcome->line = err.line;
        outcome->column = err.column;
        digest(outcome, err.message, strlen(err.message));
        return NULL;
    }
    digest(outcome, skeleton, length);
    return skeleton;
}

/** json-c is laxer than the reader, so it must accept what that accepts. */
static void check_with_json_c(const uint8_t *data, size_t size)
{
    struct json_tokener *tokener = json_tokener_new_ex(BATCH_JSON_DEPTH + 2);
    struct json_object *object;
    size_t bom = size >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0;
    char *copy = malloc(size - bom + 1);

    memcpy(copy, data + bom, size - bom);
    copy[size - bom] = '\0';
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    object = json_tokener_parse_ex(tokener, copy, (int)(size - bom + 1));
    if (json_tokener_get_error(tokener) != json_tokener_success) {
        abort();
    }
    json_object_put(object);
    json_tokener_free(tokener);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    outcome_t whole = {.digest = 0};
    outcome_t sliced = {.digest = 0};
    const char *path;
    const char *skeleton;
    size_t slice;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    if (!size) {
        return 0;
    }
    path = paths[*data % 4];
    slice = (size_t)(*data / 4) % 16 + 1;
    apr_pool_create(&whole.p, root);
    sliced.p = whole.p;
    skeleton = read_input(&whole, path, data + 1, size - 1, size);
    read_input(&sliced, path, data + 1, size - 1, slice);
    if (whole.status != sliced.status || whole.line != sliced.line ||
        whole.column != sliced.column || whole.digest != sliced.digest) {
        abort();
    }
    if (skeleton) {
        batch_json_slice_t document = batch_json_document(skeleton, strlen(skeleton));

        if (document.length != strlen(skeleton) ||
            !batch_json_is_valid(skeleton, strlen(skeleton), whole.p)) {
            abort();
        }
        walk(&document, whole.p);
        check_with_json_c(data + 1, size - 1);
    }
    apr_pool_destroy(whole.p);
    return 0;
}

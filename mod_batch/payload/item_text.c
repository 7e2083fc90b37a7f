#include "payload/item_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <csv.h>

#include "payload/json_reader.h"
#include "text/json_text.h"

/* ---- Columns ------------------------------------------------------------------------------------
 */

apr_array_header_t *batch_item_columns(const batch_resource_t *resource, const char *header,
                                       apr_pool_t *p)
{
    apr_array_header_t *columns = apr_array_make(p, 8, sizeof(const char *));
    char *rest = header ? apr_pstrdup(p, header) : NULL;
    char *name;

    if (header) {
        for (name = apr_strtok(rest, ",", &rest); name; name = apr_strtok(NULL, ",", &rest)) {
            APR_ARRAY_PUSH(columns, const char *) = name;
        }
        return columns;
    }
    APR_ARRAY_PUSH(columns, const char *) = resource->key;
    for (int i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);

        if (!column->readonly && strcmp(column->name, resource->key) != 0) {
            APR_ARRAY_PUSH(columns, const char *) = column->name;
        }
    }
    return columns;
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

static const char *skip_digits(const char *at)
{
    return at + strspn(at, "0123456789");
}

/** 1 if text is a number as JSON has it (RFC 8259, section 6). */
static int is_json_number(const char *text)
{
    const char *at = text + (*text == '-');
    const char *digits = at;

    at = skip_digits(at);
    if (at == digits || (*digits == '0' && at > digits + 1)) {
        return 0;
    }
    if (*at == '.') {
        digits = ++at;
        at = skip_digits(at);
        if (at == digits) {
            return 0;
        }
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        digits = at;
        at = skip_digits(at);
        if (at == digits) {
            return 0;
        }
    }
    return !*at;
}

/** A number that was not sent as JSON ("+5", "007", ".5"), as JSON has it; NULL if it is none. */
static const char *plain_number(const char *text, int is_whole, apr_pool_t *p)
{
    char *end = NULL;
    char plain[64];

    if (is_json_number(text)) {
        return text;
    }
    errno = 0;
    if (is_whole) {
        long long number = strtoll(text, &end, 10);

        snprintf(plain, sizeof(plain), "%lld", number);
    } else {
        snprintf(plain, sizeof(plain), "%.17g", strtod(text, &end));
    }
    return !*text || *end || errno || !is_json_number(plain) ? NULL : apr_pstrdup(p, plain);
}

/** true or false for a word that means it, else NULL. */
static const char *plain_boolean(const char *text)
{
    if (!strcmp(text, "1") || !strcasecmp(text, "true")) {
        return "true";
    }
    return !strcmp(text, "0") || !strcasecmp(text, "false") ? "false" : NULL;
}

/** The value as JSON text that needs no quotes; NULL where it is to be a string. */
static const char *bare_value(const batch_resource_t *resource, const batch_value_t *value,
                              apr_pool_t *p)
{
    const batch_column_t *column = batch_resource_column(resource, value->name);

    if (!column || !strcmp(value->name, resource->key)) {
        return NULL;
    }
    switch (batch_type_form(column->type)) {
    case BATCH_FORM_NUMBER:
        return plain_number(value->value, batch_type_stored(column->type) == BATCH_STORED_INTEGER,
                            p);
    case BATCH_FORM_BOOLEAN:
        return plain_boolean(value->value);
    case BATCH_FORM_ANY:
        return batch_json_is_valid(value->value, strlen(value->value), p) ? value->value : NULL;
    case BATCH_FORM_STRING:
        break;
    }
    return NULL;
}

/** A growing text as a sink. */
typedef struct text {
    char *bytes;
    apr_size_t length;
    apr_size_t capacity;
    apr_pool_t *p;
} text_t;

static apr_status_t append(void *baton, const char *bytes, apr_size_t length)
{
    text_t *text = baton;

    if (text->length + length + 1 > text->capacity) {
        char *bigger;

        text->capacity = 2 * (text->length + length + 1);
        bigger = apr_palloc(text->p, text->capacity);
        if (text->length) {
            memcpy(bigger, text->bytes, text->length);
        }
        text->bytes = bigger;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return APR_SUCCESS;
}

static void write_member(batch_text_writer_t *writer, int first, const char *name, const char *bare,
                         const char *string)
{
    batch_write_text(writer, first ? "{" : ",");
    batch_write_json_string(writer, name);
    batch_write_text(writer, ":");
    if (bare) {
        batch_write_text(writer, bare);
    } else {
        batch_write_json_string(writer, string);
    }
}

const char *batch_item_json(const batch_resource_t *resource, const char *key,
                            const batch_value_t *values, int count, apr_pool_t *p)
{
    text_t text = {NULL, 0, 0, p};
    batch_sink_t sink = {append, &text};
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, &sink);
    if (key) {
        write_member(&writer, 1, resource->key, NULL, key);
    }
    for (int i = 0; i < count; i++) {
        const char *bare = values[i].value ? bare_value(resource, &values[i], p) : NULL;

        write_member(&writer, !key && !i, values[i].name, bare, values[i].value);
    }
    batch_write_text(&writer, key || count ? "}" : "{}");
    (void)batch_writer_end(&writer); /* the sink takes everything */
    return text.bytes;
}

/* ---- CSV ----------------------------------------------------------------------------------------
 */

void batch_write_cell(batch_text_writer_t *writer, const char *bytes, apr_size_t length,
                      apr_pool_t *ptemp)
{
    char *quoted;
    apr_size_t size;

    if (!length) {
        return;
    }
    if (!memchr(bytes, ',', length) && !memchr(bytes, '"', length) &&
        !memchr(bytes, '\r', length) && !memchr(bytes, '\n', length) && *bytes != ' ' &&
        *bytes != '\t' && bytes[length - 1] != ' ' && bytes[length - 1] != '\t') {
        batch_write_utf8(writer, bytes, length);
        return;
    }
    /* Each byte may be a quote, which is doubled. */
    size = 2 * length + 2;
    quoted = apr_palloc(ptemp, size);
    size = csv_write2(quoted, size, bytes, length, '"');
    batch_write_utf8(writer, quoted, size);
}

void batch_write_text_cell(batch_text_writer_t *writer, const char *text, apr_pool_t *ptemp)
{
    if (text) {
        batch_write_cell(writer, text, strlen(text), ptemp);
    }
}

/** Writes the cell of a member: empty where it is absent. */
static void write_value(batch_text_writer_t *writer, const batch_json_slice_t *value,
                        apr_pool_t *ptemp)
{
    apr_size_t length = value->length;
    const char *text = value->text;

    switch (batch_json_kind(value)) {
    case BATCH_JSON_ABSENT:
        return;
    case BATCH_JSON_NULL:
        batch_write_text(writer, BATCH_CELL_NULL);
        return;
    case BATCH_JSON_STRING:
        text = batch_json_string_decode(&length, value->text, value->length, ptemp);
        break;
    default:
        break;
    }
    batch_write_cell(writer, text, length, ptemp);
}

/** Writes the elements of an array as cells. */
static void write_elements(batch_text_writer_t *writer, const batch_json_slice_t *array,
                           apr_pool_t *ptemp)
{
    batch_json_cursor_t cursor;
    batch_json_slice_t value;
    int count = 0;

    batch_json_walk(&cursor, array);
    while (batch_json_next_element(&value, &cursor)) {
        batch_write_text(writer, count++ ? "," : "");
        write_value(writer, &value, ptemp);
    }
}

void batch_write_item_cells(batch_text_writer_t *writer, const apr_array_header_t *columns,
                            int has_header, const char *item, apr_size_t length, apr_pool_t *ptemp)
{
    batch_json_slice_t object = {NULL, 0};

    if (item && length) {
        object = batch_json_document(item, length);
    }
    if (has_header && batch_json_kind(&object) == BATCH_JSON_ARRAY) {
        write_elements(writer, &object, ptemp);
        return;
    }
    for (int i = 0; i < columns->nelts; i++) {
        batch_json_slice_t value = {NULL, 0};

        batch_write_text(writer, i ? "," : "");
        if (batch_json_kind(&object) == BATCH_JSON_OBJECT) {
            batch_json_member(&value, &object, APR_ARRAY_IDX(columns, i, const char *));
            write_value(writer, &value, ptemp);
        }
    }
}

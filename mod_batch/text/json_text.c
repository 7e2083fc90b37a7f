#include "text/json_text.h"

#include <string.h>

#include <apr_strings.h>

#include "text/hex.h"
#include "text/utf8.h"

/* ---- Walking ------------------------------------------------------------------------------- */

static int is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

const char *batch_json_skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at)) {
        at++;
    }
    return at;
}

/** Behind the string that begins at. */
static const char *skip_string(const char *at, const char *end)
{
    const char *quote = memchr(at + 1, '"', (size_t)(end - at - 1));
    const char *escape;

    if (!quote) {
        return end;
    }
    escape = memchr(at, '\\', (size_t)(quote - at));
    if (!escape) {
        return quote + 1;
    }
    for (at = escape; at < end && *at != '"'; at++) {
        at += *at == '\\';
    }
    return at < end ? at + 1 : end;
}

/** Behind the array or object that begins at. */
static const char *skip_container(const char *at, const char *end)
{
    int depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (*at == '[' || *at == '{') {
            depth++;
        } else if (*at == ']' || *at == '}') {
            depth--;
        }
        at++;
        if (!depth) {
            break;
        }
    }
    return at;
}

/** Behind the value that begins at. */
const char *batch_json_skip(const char *at, const char *end)
{
    if (at < end && *at == '"') {
        return skip_string(at, end);
    }
    if (at < end && (*at == '[' || *at == '{')) {
        return skip_container(at, end);
    }
    while (at < end && *at != ',' && *at != ']' && *at != '}' && !is_space(*at)) {
        at++;
    }
    return at;
}

batch_json_kind_e batch_json_kind(const batch_json_slice_t *value)
{
    if (!value->text) {
        return BATCH_JSON_ABSENT;
    }
    switch (*value->text) {
    case '{':
        return BATCH_JSON_OBJECT;
    case '[':
        return BATCH_JSON_ARRAY;
    case '"':
        return BATCH_JSON_STRING;
    case 't':
    case 'f':
        return BATCH_JSON_BOOLEAN;
    case 'n':
        return BATCH_JSON_NULL;
    default:
        return BATCH_JSON_NUMBER;
    }
}

int batch_json_is_true(const batch_json_slice_t *value)
{
    return value->text && *value->text == 't';
}

batch_json_slice_t batch_json_document(const char *text, apr_size_t length)
{
    const char *end = text + length;
    batch_json_slice_t value;

    value.text = batch_json_skip_space(text, end);
    value.length = (apr_size_t)(batch_json_skip(value.text, end) - value.text);
    return value;
}

void batch_json_walk(batch_json_cursor_t *cursor, const batch_json_slice_t *value)
{
    batch_json_kind_e kind = batch_json_kind(value);

    cursor->next = cursor->end = NULL;
    if (kind == BATCH_JSON_ARRAY || kind == BATCH_JSON_OBJECT) {
        /* Without the brackets. */
        cursor->end = value->text + value->length - 1;
        cursor->next = batch_json_skip_space(value->text + 1, cursor->end);
    }
}

int batch_json_next_element(batch_json_slice_t *value, batch_json_cursor_t *cursor)
{
    const char *at = cursor->next;

    if (at >= cursor->end) {
        return 0;
    }
    value->text = at;
    at = batch_json_skip(at, cursor->end);
    value->length = (apr_size_t)(at - value->text);
    at = batch_json_skip_space(at, cursor->end);
    cursor->next =
        at < cursor->end && *at == ',' ? batch_json_skip_space(at + 1, cursor->end) : cursor->end;
    return value->length > 0;
}

int batch_json_next_member(batch_json_slice_t *name, batch_json_slice_t *value,
                           batch_json_cursor_t *cursor)
{
    const char *at = cursor->next;

    if (at >= cursor->end || *at != '"') {
        return 0;
    }
    name->text = at;
    at = skip_string(at, cursor->end);
    name->length = (apr_size_t)(at - name->text);
    at = batch_json_skip_space(at, cursor->end);
    if (at == cursor->end || *at != ':') {
        return 0;
    }
    cursor->next = batch_json_skip_space(at + 1, cursor->end);
    return batch_json_next_element(value, cursor);
}

int batch_json_member(batch_json_slice_t *value, const batch_json_slice_t *object, const char *name)
{
    batch_json_cursor_t cursor;
    batch_json_slice_t member;
    batch_json_slice_t candidate;
    apr_size_t length = strlen(name);
    int found = 0;

    value->text = NULL;
    value->length = 0;
    if (batch_json_kind(object) != BATCH_JSON_OBJECT) {
        return 0;
    }
    batch_json_walk(&cursor, object);
    while (batch_json_next_member(&member, &candidate, &cursor)) {
        if (batch_json_string_equals(member.text, member.length, name, length)) {
            *value = candidate;
            found++;
        }
    }
    return found;
}

/* ---- Strings ------------------------------------------------------------------------------- */

/** The four hexadecimal digits at; some number where they are none. */
static unsigned hex_code(const char *at)
{
    return (unsigned)(batch_hex_value(at[0]) << 12 | batch_hex_value(at[1]) << 8 |
                      batch_hex_value(at[2]) << 4 | batch_hex_value(at[3])) &
           0xffff;
}

/** Decodes the \u escape at, behind which is end; returns how many bytes (at most 4) it gives. */
static int code_decode(char *bytes, const char **next, const char *at, const char *end)
{
    unsigned code, low;

    if (end - at < 6) {
        *bytes = 'u';
        return 1;
    }
    code = hex_code(at + 2);
    *next = at + 6;
    if (code >= 0xd800 && code <= 0xdbff && end - at >= 12) {
        /* In checked text the other half follows. */
        low = hex_code(at + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            *next = at + 12;
        }
    }
    return (int)batch_utf8_encode(bytes, code);
}

/**
 * Decodes the escape at *next, which moves behind it, at the latest to end; returns how many bytes
 * (at most 4) it gives.
 */
static int escape_decode(char *bytes, const char **next, const char *end)
{
    static const char letters[] = "bfnrt";
    const char *at = *next;
    const char *letter;

    if (end - at < 2) {
        *next = end;
        return 0;
    }
    *next = at + 2;
    if (at[1] == 'u') {
        return code_decode(bytes, next, at, end);
    }
    letter = memchr(letters, at[1], sizeof(letters) - 1);
    *bytes = letter ? "\b\f\n\r\t"[letter - letters] : at[1];
    return 1;
}

int batch_json_string_equals(const char *string, apr_size_t length, const char *bytes,
                             apr_size_t bytes_length)
{
    const char *at = string + 1;
    const char *end = string + length - 1;
    const char *bytes_end = bytes + bytes_length;

    while (at < end) {
        char decoded[4];
        int count = 1;

        if (*at == '\\') {
            count = escape_decode(decoded, &at, end);
        } else {
            *decoded = *at++;
        }
        if (bytes_end - bytes < count || memcmp(decoded, bytes, (size_t)count) != 0) {
            return 0;
        }
        bytes += count;
    }
    return bytes == bytes_end;
}

apr_size_t batch_json_string_copy(char *to, const char *string, apr_size_t length)
{
    const char *at = string + 1;
    const char *end = string + length - 1;
    char *out = to;

    while (at < end) {
        if (*at == '\\') {
            out += escape_decode(out, &at, end);
        } else {
            *out++ = *at++;
        }
    }
    return (apr_size_t)(out - to);
}

char *batch_json_string_decode(apr_size_t *decoded_length, const char *string, apr_size_t length,
                               apr_pool_t *p)
{
    /* No escape is shorter than what it stands for. */
    char *decoded = apr_palloc(p, length);

    if (memchr(string, '\\', length)) {
        *decoded_length = batch_json_string_copy(decoded, string, length);
    } else {
        *decoded_length = length - 2;
        memcpy(decoded, string + 1, length - 2);
    }
    decoded[*decoded_length] = '\0';
    return decoded;
}

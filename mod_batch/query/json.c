/*
 * Members of JSON that the database holds. Nothing is built; nothing is believed either: what is
 * not JSON ends the walk.
 */
#include "query/schema.h"

#include <string.h>

#include <apr_lib.h>

#define MOST_DEPTH 64

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* Behind the string that begins at at, or NULL. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\';
    }
    return at < end ? at + 1 : NULL;
}

/* Behind the number or word that begins at at. */
static const char *skip_word(const char *at, const char *end)
{
    while (at < end && (apr_isalnum(*at) || *at == '+' || *at == '-' || *at == '.')) {
        at++;
    }
    return at;
}

/* Behind the value that begins at at, or NULL. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;

    while (at && at < end) {
        int opens = *at == '{' || *at == '[', closes = *at == '}' || *at == ']';

        if (opens || closes) {
            depth += opens ? 1 : -1;
            at++;
        } else if (*at == '"') {
            at = skip_string(at, end);
        } else if (apr_isalnum(*at) || *at == '-') {
            at = skip_word(at, end);
        } else if (depth) {
            at++; /* what separates values */
            continue;
        } else {
            return NULL;
        }
        if (depth < 0 || depth > MOST_DEPTH) {
            return NULL;
        }
        if (!depth) {
            return at;
        }
    }
    return NULL;
}

static int hex(const char *at, const char *end, unsigned *code)
{
    int i;

    *code = 0;
    for (i = 0; i < 4; i++, at++) {
        if (at >= end || !apr_isxdigit(*at)) {
            return 0;
        }
        *code = *code << 4 | (unsigned)(apr_isdigit(*at) ? *at - '0' : (*at | 32) - 'a' + 10);
    }
    return 1;
}

static char *put(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xe0 | code >> 12);
        } else {
            *to++ = (char)(0xf0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* What an escape stands for; *at is behind the backslash, and moves. */
static char *put_escape(char *to, const char **at, const char *end)
{
    static const char from[] = "bfnrt", is[] = "\b\f\n\r\t";
    const char *found = memchr(from, **at, sizeof(from) - 1);
    unsigned code, low;

    if (**at != 'u') {
        *to++ = found ? is[found - from] : **at;
        (*at)++;
        return to;
    }
    if (!hex(++*at, end, &code)) {
        return to;
    }
    *at += 4;
    if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' &&
        hex(*at + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *at += 6;
    }
    return put(to, code);
}

/* The string between two quotes. NULL: no room. */
static const char *decode(const char *text, apr_size_t length, apr_size_t *decoded,
                          batch_query_room_t *room)
{
    const char *at = text, *end = text + length;
    char *to, *start;

    *decoded = length;
    if (!memchr(text, '\\', length)) {
        return text;
    }
    start = to = batch_query_take(room, length + 4);
    while (to && at < end) {
        if (*at == '\\' && at + 1 < end) {
            at++;
            to = put_escape(to, &at, end);
        } else {
            *to++ = *at++;
        }
    }
    *decoded = (apr_size_t)(to - start);
    return start;
}

void batch_query_members(const char *text, apr_size_t length, batch_query_member_fn *fn,
                         void *baton, batch_query_room_t *room)
{
    const char *end = text + length;
    const char *at = skip_blanks(text, end);
    char expected = '{';

    if (!batch_query_work(room, length / 4)) {
        return;
    }
    while (at < end && *at == expected) {
        const char *name = skip_blanks(at + 1, end), *name_end, *value, *decoded;
        apr_size_t name_length;

        if (name >= end || *name != '"' || !(name_end = skip_string(name, end))) {
            return;
        }
        value = skip_blanks(name_end, end);
        if (value >= end || *value != ':') {
            return;
        }
        value = skip_blanks(value + 1, end);
        at = skip_value(value, end);
        if (!at) {
            return;
        }
        decoded = decode(name + 1, (apr_size_t)(name_end - name) - 2, &name_length, room);
        if (!decoded || !fn(baton, decoded, name_length, value, (apr_size_t)(at - value))) {
            return;
        }
        at = skip_blanks(at, end);
        expected = ',';
    }
}

/* An array or object without the white space between its tokens. */
static batch_query_value_t compact(const char *text, apr_size_t length, batch_query_room_t *room)
{
    static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};
    char *start = batch_query_take(room, length), *to = start;
    const char *at = text, *end = text + length, *behind;

    while (to && at < end) {
        behind = *at == '"' ? skip_string(at, end) : at + 1;
        if (!behind) {
            return nothing;
        }
        if (skip_blanks(at, behind) != behind) {
            memcpy(to, at, (apr_size_t)(behind - at));
            to += behind - at;
        }
        at = behind;
    }
    return start ? batch_query_text_value(start, (apr_size_t)(to - start)) : nothing;
}

batch_query_value_t batch_query_member_value(const char *text, apr_size_t length,
                                             batch_query_room_t *room)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_NULL};
    apr_size_t decoded_length;
    const char *decoded;

    switch (*text) {
    case '"':
        decoded = decode(text + 1, length - 2, &decoded_length, room);
        return decoded ? batch_query_text_value(decoded, decoded_length) : value;
    case '{':
    case '[':
        return compact(text, length, room);
    case 't':
        return batch_query_boolean_value(1);
    case 'f':
        return batch_query_boolean_value(0);
    case 'n':
        return value;
    default:
        /* A number: whole where it can be, however the database wrote it. */
        value = batch_query_text_value(text, length);
        return batch_query_convert(&value, BATCH_QUERY_NUMBER, room);
    }
}

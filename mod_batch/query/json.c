/* Members of JSON that the database holds, which nobody has checked. */
#include "query/schema.h"

#include <string.h>

#include "text/json_text.h"

/* 1 if the value is whole: not a string without its end. */
static int is_whole(const batch_json_slice_t *value)
{
    return *value->text != '"' || (value->length >= 2 && value->text[value->length - 1] == '"');
}

/* What a string stands for. NULL: no room. */
static const char *decode(const batch_json_slice_t *string, apr_size_t *length,
                          batch_query_room_t *room)
{
    char *decoded;

    *length = string->length - 2;
    if (!memchr(string->text, '\\', string->length)) {
        return string->text + 1;
    }
    decoded = batch_query_take(room, string->length);
    if (decoded) {
        *length = batch_json_string_copy(decoded, string->text, string->length);
    }
    return decoded;
}

void batch_query_members(const char *text, apr_size_t length, batch_query_member_fn *fn,
                         void *baton, batch_query_room_t *room)
{
    const char *end = text + length;
    const char *at = batch_json_skip_space(text, end);
    batch_json_cursor_t cursor = {batch_json_skip_space(at + (at < end), end), end};
    batch_json_slice_t name, value;

    if (at == end || *at != '{' || !batch_query_work(room, length / 4)) {
        return;
    }
    while (batch_json_next_member(&name, &value, &cursor) && is_whole(&value)) {
        apr_size_t name_length;
        const char *decoded = decode(&name, &name_length, room);

        if (!decoded || !fn(baton, decoded, name_length, value.text, value.length)) {
            return;
        }
    }
}

/* An array or object without the white space between its tokens. */
static batch_query_value_t compact(const char *text, apr_size_t length, batch_query_room_t *room)
{
    static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};
    char *start = batch_query_take(room, length), *to = start;
    const char *at = text, *end = text + length, *behind;

    while (to && at < end) {
        behind = *at == '"' ? batch_json_skip(at, end) : at + 1;
        if (batch_json_skip_space(at, behind) != behind) {
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
    batch_json_slice_t slice = {text, length};
    apr_size_t decoded_length;
    const char *decoded;

    switch (batch_json_kind(&slice)) {
    case BATCH_JSON_STRING:
        decoded = decode(&slice, &decoded_length, room);
        return decoded ? batch_query_text_value(decoded, decoded_length) : value;
    case BATCH_JSON_OBJECT:
    case BATCH_JSON_ARRAY:
        return compact(text, length, room);
    case BATCH_JSON_BOOLEAN:
        return batch_query_boolean_value(batch_json_is_true(&slice));
    case BATCH_JSON_NUMBER:
        /* Whole where it can be, however the database wrote it. */
        value = batch_query_text_value(text, length);
        return batch_query_convert(&value, BATCH_QUERY_NUMBER, room);
    default:
        return value;
    }
}

/* Functions of texts that look for other texts, or put them together. */
#include "query/value.h"

#include <string.h>

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

/* Where part is in the bytes from at on, or NULL. */
static const char *find(const char *at, const char *end, const batch_query_value_t *part,
                        batch_query_room_t *room)
{
    const char *found = memmem(at, (apr_size_t)(end - at), part->text, part->length);
    apr_size_t seen = (apr_size_t)((found ? found : end) - at) + part->length;

    /* memmem takes time by what it has seen of both. */
    return batch_query_work(room, seen / 4 + 1) ? found : NULL;
}

batch_query_value_t batch_query_strpos(const batch_query_value_t *text,
                                       const batch_query_value_t *part, batch_query_room_t *room)
{
    const char *found =
        part->length ? find(text->text, text->text + text->length, part, room) : text->text;
    batch_query_value_t before;

    if (part->length && !found) {
        return batch_query_integer_value(0);
    }
    before =
        batch_query_text_value(text->text, part->length ? (apr_size_t)(found - text->text) : 0);
    return batch_query_integer_value(batch_query_length(&before, room) + 1);
}

batch_query_value_t batch_query_replace(const batch_query_value_t *text,
                                        const batch_query_value_t *part,
                                        const batch_query_value_t *with, batch_query_room_t *room)
{
    const char *at = text->text, *end = at + text->length, *found;
    apr_size_t length = text->length;
    char *made, *next;

    if (!part->length) {
        return *text;
    }
    for (; (found = find(at, end, part, room)) != NULL; at = found + part->length) {
        length = length - part->length + with->length;
        if (!batch_query_makes(room, length)) {
            return nothing;
        }
    }
    if (at == text->text) {
        return *text;
    }
    made = next = batch_query_take(room, length);
    for (at = text->text; made && (found = find(at, end, part, room)) != NULL;
         at = found + part->length) {
        memcpy(next, at, (apr_size_t)(found - at));
        next += found - at;
        memcpy(next, with->text, with->length);
        next += with->length;
    }
    if (!made || room->over) {
        return nothing;
    }
    memcpy(next, at, (apr_size_t)(end - at));
    return batch_query_text_value(made, length);
}

batch_query_value_t batch_query_left(const batch_query_value_t *text, apr_int64_t count,
                                     batch_query_room_t *room)
{
    if (count < 0) {
        apr_int64_t all = batch_query_length(text, room);
        count = count < -all ? 0 : all + count;
    }
    return batch_query_substr(text, 1, count, room);
}

batch_query_value_t batch_query_right(const batch_query_value_t *text, apr_int64_t count,
                                      batch_query_room_t *room)
{
    apr_int64_t all = batch_query_length(text, room);

    if (count < 0) {
        count = count < -all ? 0 : all + count;
    }
    count = count < all ? count : all;
    return batch_query_substr(text, all - count + 1, count, room);
}

batch_query_value_t batch_query_pad(const batch_query_value_t *text, apr_int64_t count,
                                    const batch_query_value_t *fill, int at_left,
                                    batch_query_room_t *room)
{
    apr_int64_t has = batch_query_length(text, room), missing = count - has, unit;
    batch_query_value_t rest;
    apr_size_t length;
    char *made, *next;

    if (count <= 0) {
        return batch_query_text_value("", 0);
    }
    unit = batch_query_length(fill, room);
    if (missing <= 0 || !unit) {
        return batch_query_substr(text, 1, count, room);
    }
    if (count > (apr_int64_t)BATCH_QUERY_TEXT_BYTES) {
        (void)batch_query_makes(room, (apr_size_t)count);
        return nothing;
    }
    rest = batch_query_substr(fill, 1, missing % unit, room);
    length = (apr_size_t)(missing / unit) * fill->length + rest.length;
    if (room->over || !batch_query_makes(room, text->length + length) ||
        !(made = batch_query_take(room, text->length + length))) {
        return nothing;
    }
    memcpy(made + (at_left ? length : 0), text->text, text->length);
    for (next = made + (at_left ? 0 : text->length); missing >= unit; missing -= unit) {
        memcpy(next, fill->text, fill->length);
        next += fill->length;
    }
    memcpy(next, rest.text, rest.length);
    return batch_query_text_value(made, text->length + length);
}

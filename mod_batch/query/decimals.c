/*
 * Decimals of queries: exact, however many digits they have. One is kept as a key, a text that
 * compares as the number does, byte by byte; so whatever compares, sorts or groups texts does so
 * with decimals, SQLite included, and there is no arithmetic of them.
 *
 * The key of 0 is "1". One above 0 is "2", where its point is, and its digits; one below 0 is "0"
 * and the same with each digit d as 9 - d, and "~", so that more digits are less.
 */
#include "query/value.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "text/numbers.h"

/* Where the point is, as six digits: so far behind the first digit, or before it. */
#define POINT_DIGITS 6
#define POINT_ZERO   500000
#define POINT_MOST   499999

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

static void write_point(char *to, apr_int64_t point)
{
    int i;

    point += POINT_ZERO;
    for (i = POINT_DIGITS - 1; i >= 0; i--, point /= 10) {
        to[i] = (char)('0' + point % 10);
    }
}

static batch_query_value_t key_of(const batch_number_digits_t *digits, batch_query_room_t *room)
{
    batch_query_value_t key = {.kind = BATCH_QUERY_DECIMAL, .text = "1", .length = 1};
    apr_size_t i;
    char *text;

    if (!digits->count) {
        return key;
    }
    if (digits->point > POINT_MOST || digits->point < -POINT_MOST) {
        return nothing;
    }
    text = batch_query_take(room, digits->count + POINT_DIGITS + 2);
    if (!text) {
        return nothing;
    }
    text[0] = digits->is_negative ? '0' : '2';
    write_point(text + 1, digits->point);
    memcpy(text + 1 + POINT_DIGITS, digits->digits, digits->count);
    key.text = text;
    key.length = 1 + POINT_DIGITS + digits->count;
    if (digits->is_negative) {
        for (i = 1; i < key.length; i++) {
            text[i] = (char)('0' + '9' - text[i]);
        }
        text[key.length++] = '~';
    }
    return key;
}

/* Copies a number: .5 and 5. are 0.5 and 5, as SQL has them. */
static void copy_number(char *copy, const char *text, apr_size_t length)
{
    apr_size_t i;

    for (i = 0; i < length; i++) {
        int before = i && apr_isdigit(text[i - 1]);
        int behind = i + 1 < length && apr_isdigit(text[i + 1]);

        if (text[i] == '.' && before && !behind) {
            continue;
        }
        if (text[i] == '.' && !before && behind) {
            *copy++ = '0';
        }
        *copy++ = text[i];
    }
    *copy = '\0';
}

batch_query_value_t batch_query_decimal_parse(const char *text, apr_size_t length,
                                              batch_query_room_t *room)
{
    batch_number_digits_t digits;
    char *copy;

    for (; length && apr_isspace(*text); length--) {
        text++;
    }
    for (; length && apr_isspace(text[length - 1]); length--) {
    }
    copy = batch_query_take(room, 3 * length + 4);
    if (!copy || memchr(text, '\0', length)) {
        return nothing;
    }
    copy_number(copy, text, length);
    return batch_number_digits(&digits, copy, copy + 2 * length + 2) ? key_of(&digits, room)
                                                                     : nothing;
}

batch_query_value_t batch_query_decimal_text(const batch_query_value_t *decimal,
                                             batch_query_room_t *room)
{
    int negative = *decimal->text == '0';
    const char *digits = decimal->text + 1 + POINT_DIGITS;
    apr_int64_t count, point = 0, at;
    char *text, *to;
    int i;

    if (decimal->length < 2) {
        return batch_query_text_value("0", 1);
    }
    count = (apr_int64_t)decimal->length - 1 - POINT_DIGITS - negative;
    for (i = 1; i <= POINT_DIGITS; i++) {
        int digit = decimal->text[i] - '0';

        point = point * 10 + (negative ? 9 - digit : digit);
    }
    point -= POINT_ZERO;
    to = text = batch_query_take(room, (apr_size_t)(4 + count + (point < 0 ? -point : point)));
    if (!text) {
        return nothing;
    }
    if (negative) {
        *to++ = '-';
    }
    if (point <= 0) {
        *to++ = '0';
    }
    for (at = point < 0 ? point : 0; at < count || at < point; at++) {
        char digit = at >= 0 && at < count ? digits[at] : negative ? '9' : '0';

        if (at == point) {
            *to++ = '.';
        }
        *to++ = negative ? (char)('0' + '9' - digit) : digit;
    }
    return batch_query_text_value(text, (apr_size_t)(to - text));
}

batch_query_value_t batch_query_to_decimal(const batch_query_value_t *value,
                                           batch_query_room_t *room)
{
    char digits[BATCH_QUERY_NUMBER_BYTES];

    switch (value->kind) {
    case BATCH_QUERY_TEXT:
        return batch_query_decimal_parse(value->text, value->length, room);
    case BATCH_QUERY_NUMBER:
        if (value->text) {
            return batch_query_decimal_parse(value->text, value->length, room);
        }
        /* fall through */
    case BATCH_QUERY_INTEGER:
        (void)batch_query_work(room, BATCH_QUERY_DIGITS_STEPS);
        batch_query_number_format(digits, value);
        return batch_query_decimal_parse(digits, strlen(digits), room);
    default:
        return nothing;
    }
}

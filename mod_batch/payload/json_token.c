/* The JSON reader: strings, numbers and words (RFC 8259, sections 3, 6 and 7). */
#include "payload/json_scan.h"

#include <string.h>

#include "text/hex.h"

/* Bytes that stand for themselves in a string: ASCII less controls, quote and backslash. */
static const unsigned char plain[256] = {
    [0x20 ... 0x21] = 1, [0x23 ... 0x5b] = 1, [0x5d ... 0x7f] = 1};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** The first byte of a character of several bytes: sets what must follow (RFC 3629, section 4). */
static void utf8_begin(batch_json_reader_t *reader, const char *at)
{
    unsigned char byte = (unsigned char)*at;

    reader->state = SCAN_UTF8;
    reader->utf8_first = 0x80;
    reader->utf8_last = 0xbf;
    if (byte >= 0xc2 && byte <= 0xdf) {
        reader->utf8_left = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        reader->utf8_left = 2;
        reader->utf8_first = byte == 0xe0 ? 0xa0 : 0x80;
        reader->utf8_last = byte == 0xed ? 0x9f : 0xbf;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        reader->utf8_left = 3;
        reader->utf8_first = byte == 0xf0 ? 0x90 : 0x80;
        reader->utf8_last = byte == 0xf4 ? 0x8f : 0xbf;
    } else {
        batch_json_fail(reader, at, "byte 0x%02x is not UTF-8", byte);
    }
}

/** A further byte of such a character. */
static void utf8_next(batch_json_reader_t *reader, const char *at)
{
    unsigned char byte = (unsigned char)*at;

    if (byte < reader->utf8_first || byte > reader->utf8_last) {
        batch_json_fail(reader, at, "byte 0x%02x is not UTF-8 here", byte);
        return;
    }
    reader->utf8_first = 0x80;
    reader->utf8_last = 0xbf;
    if (!--reader->utf8_left) {
        reader->state = SCAN_STRING;
    }
}

/** The last digit of a \u escape. */
static void escape_done(batch_json_reader_t *reader, const char *at)
{
    int is_high = reader->code >= 0xd800 && reader->code <= 0xdbff;
    int is_low = reader->code >= 0xdc00 && reader->code <= 0xdfff;

    if (is_low != reader->low) {
        batch_json_fail(reader, at, "unpaired surrogate in a \\u escape");
    } else if (!reader->code && reader->is_name) {
        batch_json_fail(reader, at, "U+0000 in a member's name");
    }
    reader->low = is_high;
    reader->state = is_high ? SCAN_PAIR_ESCAPE : SCAN_STRING;
}

/** A byte of an escape. */
static void escape_next(batch_json_reader_t *reader, const char *at)
{
    switch (reader->state) {
    case SCAN_PAIR_ESCAPE:
        if (*at != '\\') {
            batch_json_fail(reader, at, "unpaired surrogate in a \\u escape");
        }
        reader->state = SCAN_PAIR_U;
        return;
    case SCAN_PAIR_U:
    case SCAN_ESCAPE:
        if (*at == 'u') {
            reader->state = SCAN_HEX;
            reader->code = 0;
            reader->digits = 0;
            return;
        }
        if (reader->state == SCAN_PAIR_U) {
            batch_json_fail(reader, at, "unpaired surrogate in a \\u escape");
            return;
        }
        if (!*at || !strchr("\"\\/bfnrt", *at)) {
            batch_json_fail_unexpected(reader, at, 0);
        }
        reader->state = SCAN_STRING;
        return;
    default:
        if (batch_hex_value(*at) < 0) {
            batch_json_fail_unexpected(reader, at, 0);
            return;
        }
        reader->code = reader->code * 16 + (unsigned)batch_hex_value(*at);
        if (++reader->digits == 4) {
            escape_done(reader, at);
        }
    }
}

/** A byte of a string that does not stand for itself. */
static void string_special(batch_json_reader_t *reader, const char *at)
{
    unsigned char byte = (unsigned char)*at;

    if (byte == '"') {
        if (reader->is_name) {
            batch_json_name_done(reader, at + 1);
        } else {
            batch_json_value_done(reader, at + 1);
        }
    } else if (byte == '\\') {
        reader->state = SCAN_ESCAPE;
    } else if (byte < 0x20) {
        batch_json_fail(reader, at, "control character 0x%02x in a string", byte);
    } else {
        utf8_begin(reader, at);
    }
}

/** 1 if one of eight bytes may not stand for itself in a string; 0 is certain. */
static int eight_special(const char *at)
{
    const apr_uint64_t ones = 0x0101010101010101;
    const apr_uint64_t highs = 0x8080808080808080;
    apr_uint64_t bytes;
    apr_uint64_t quotes;
    apr_uint64_t backslashes;

    memcpy(&bytes, at, sizeof(bytes));
    quotes = bytes ^ ones * '"';
    backslashes = bytes ^ ones * '\\';
    /* Each term has the high bit of a byte that is below 0x20, or 0; the first, of one over 0x7f.
     */
    return ((bytes | ((bytes - ones * 0x20) & ~bytes) | ((quotes - ones) & ~quotes) |
             ((backslashes - ones) & ~backslashes)) &
            highs) != 0;
}

const char *batch_json_scan_string(batch_json_reader_t *reader, const char *at, const char *end)
{
    if (reader->state == SCAN_UTF8) {
        utf8_next(reader, at);
        return at + 1;
    }
    if (reader->state != SCAN_STRING) {
        escape_next(reader, at);
        return at + 1;
    }
    while (end - at >= 8 && !eight_special(at)) {
        at += 8;
    }
    while (at < end && plain[(unsigned char)*at]) {
        at++;
    }
    if (at == end) {
        return at;
    }
    string_special(reader, at);
    return at + 1;
}

int batch_json_number_is_whole(batch_scan_state_e state)
{
    return state == SCAN_ZERO || state == SCAN_INTEGER || state == SCAN_FRACTION ||
           state == SCAN_EXPONENT;
}

/** The state behind c after the last digit of a whole number, or -1. */
static int integer_next(char c)
{
    return c == '.' ? SCAN_POINT : (c | 0x20) == 'e' ? SCAN_E : -1;
}

/** The state behind c in a number, or -1 if c is no part of it. */
static int number_next(batch_scan_state_e state, char c)
{
    switch (state) {
    case SCAN_MINUS:
        return c == '0' ? SCAN_ZERO : is_digit(c) ? SCAN_INTEGER : -1;
    case SCAN_ZERO:
        return integer_next(c);
    case SCAN_INTEGER:
        return is_digit(c) ? SCAN_INTEGER : integer_next(c);
    case SCAN_POINT:
        return is_digit(c) ? SCAN_FRACTION : -1;
    case SCAN_FRACTION:
        return is_digit(c) ? SCAN_FRACTION : (c | 0x20) == 'e' ? SCAN_E : -1;
    case SCAN_E:
        return c == '+' || c == '-' ? SCAN_SIGN : is_digit(c) ? SCAN_EXPONENT : -1;
    default:
        return is_digit(c) ? SCAN_EXPONENT : -1;
    }
}

const char *batch_json_scan_number(batch_json_reader_t *reader, const char *at, const char *end)
{
    while (at < end) {
        int next = number_next(reader->state, *at);

        if (next < 0) {
            /* The byte belongs to what follows; a number shows its end only by that. */
            if (batch_json_number_is_whole(reader->state)) {
                batch_json_value_done(reader, at);
            } else {
                batch_json_fail_unexpected(reader, at, 0);
            }
            return at;
        }
        reader->state = (batch_scan_state_e)next;
        at++;
    }
    return at;
}

const char *batch_json_scan_word(batch_json_reader_t *reader, const char *at, const char *end)
{
    while (at < end) {
        if (*at != reader->word[reader->word_used]) {
            batch_json_fail_unexpected(reader, at, 0);
            return at;
        }
        at++;
        if (!reader->word[++reader->word_used]) {
            batch_json_value_done(reader, at);
            return at;
        }
    }
    return at;
}

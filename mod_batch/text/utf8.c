#include "text/utf8.h"

#include <string.h>

apr_size_t batch_utf8_character(const char *bytes, apr_size_t left)
{
    unsigned char first = (unsigned char)*bytes;
    apr_size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                                       : 4;
    unsigned char second;

    if (length < 2) {
        return length;
    }
    if (first > 0xf4 || length > left) {
        return 0;
    }
    for (apr_size_t i = 1; i < length; i++) {
        if (!batch_utf8_continues(bytes[i])) {
            return 0;
        }
    }
    second = (unsigned char)bytes[1];
    /* Overlong forms, surrogates, and what is above U+10FFFF (RFC 3629, section 4). */
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
        return 0;
    }
    return length;
}

unsigned batch_utf8_decode(const char *bytes, apr_size_t length)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned code = (unsigned char)*bytes & masks[length];

    for (apr_size_t i = 1; i < length; i++) {
        code = code << 6 | ((unsigned char)bytes[i] & 0x3f);
    }
    return code;
}

apr_size_t batch_utf8_encode(char *bytes, unsigned code)
{
    static const unsigned char firsts[] = {0, 0, 0xc0, 0xe0, 0xf0};
    apr_size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (apr_size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    bytes[0] = (char)(firsts[length] | code);
    return length;
}

apr_size_t batch_utf8_valid_length(const char *bytes, apr_size_t length)
{
    const char *at = bytes;
    const char *end = bytes + length;
    apr_size_t step = 1;

    while (at < end && *at && step) {
        step = batch_utf8_character(at, (apr_size_t)(end - at));
        at += step;
    }
    return (apr_size_t)(at - bytes);
}

int batch_utf8_is_valid(const char *bytes, apr_size_t length)
{
    return batch_utf8_valid_length(bytes, length) == length;
}

apr_size_t batch_utf8_mend(char *to, const char *bytes, apr_size_t length)
{
    const char *end = bytes + length;
    char *out = to;

    while (bytes < end) {
        apr_size_t step = *bytes ? batch_utf8_character(bytes, (apr_size_t)(end - bytes)) : 0;

        memcpy(out, step ? bytes : "\xef\xbf\xbd", step ? step : 3);
        out += step ? step : 3;
        bytes += step ? step : 1;
    }
    return (apr_size_t)(out - to);
}

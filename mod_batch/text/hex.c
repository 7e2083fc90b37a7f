#include "text/hex.h"

void batch_hex_write(char *text, const unsigned char *bytes, apr_size_t length)
{
    static const char digits[] = "0123456789abcdef";

    for (apr_size_t i = 0; i < length; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}

const char *batch_hex(const unsigned char *bytes, apr_size_t length, apr_pool_t *p)
{
    char *text = apr_palloc(p, 2 * length + 1);

    batch_hex_write(text, bytes, length);
    return text;
}

/* One more than what a digit stands for: which digits come next is not to be guessed. */
static const signed char values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

int batch_hex_value(char digit)
{
    return values[(unsigned char)digit] - 1;
}

int batch_hex_byte(unsigned char *byte, const char *digits)
{
    int high = batch_hex_value(digits[0]);
    int low = high < 0 ? -1 : batch_hex_value(digits[1]);

    if (low < 0) {
        return 0;
    }
    *byte = (unsigned char)(high << 4 | low);
    return 1;
}

int batch_hex_read(unsigned char *bytes, apr_size_t length, const char *text)
{
    const char *end = text + 2 * length;

    while (text < end && batch_hex_byte(bytes++, text)) {
        text += 2;
    }
    return text == end && !*end;
}

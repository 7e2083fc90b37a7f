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

int batch_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
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

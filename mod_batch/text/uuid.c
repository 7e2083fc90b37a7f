#include "text/uuid.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "text/hex.h"

/* 1 if a dash stands before that byte. */
static int has_dash(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void batch_uuid_write(char text[BATCH_UUID_SIZE], const unsigned char bytes[BATCH_UUID_BYTES])
{
    for (int i = 0; i < BATCH_UUID_BYTES; i++, text += 2) {
        if (has_dash(i)) {
            *text++ = '-';
        }
        batch_hex_write(text, &bytes[i], 1);
    }
}

int batch_uuid_read(unsigned char bytes[BATCH_UUID_BYTES], const char *text)
{
    for (int i = 0; text && i < BATCH_UUID_BYTES; i++, text += 2) {
        if ((has_dash(i) && *text++ != '-') || !batch_hex_byte(&bytes[i], text)) {
            return 0;
        }
    }
    return text && !*text;
}

int batch_uuid_is_valid(const char *text)
{
    unsigned char bytes[BATCH_UUID_BYTES];

    return batch_uuid_read(bytes, text);
}

int batch_uuid_settle(const char **spelling, const char *text, apr_pool_t *p)
{
    unsigned char bytes[BATCH_UUID_BYTES];
    char *settled = apr_palloc(p, BATCH_UUID_SIZE);
    const char *at = text + (*text == '{');

    for (int i = 0; i < BATCH_UUID_BYTES; i++, at += 2) {
        int high, low;

        at += i && i % 2 == 0 && *at == '-';
        high = batch_hex_value(at[0]);
        low = high < 0 ? -1 : batch_hex_value(at[1]);
        if (low < 0) {
            return 0;
        }
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    at += *text == '{' && *at == '}';
    if (*at || (*text == '{' && at[-1] != '}')) {
        return 0;
    }
    batch_uuid_write(settled, bytes);
    settled[BATCH_UUID_SIZE - 1] = '\0';
    *spelling = strcmp(settled, text) != 0 ? settled : text;
    return 1;
}

const char *batch_uuid_make(apr_pool_t *p)
{
    unsigned char bytes[BATCH_UUID_BYTES];
    char *text = apr_palloc(p, BATCH_UUID_SIZE);

    if (apr_generate_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS) {
        /* A predictable or repeated id would be worse than no process; the kernel has no such day.
         */
        abort();
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
    batch_uuid_write(text, bytes);
    return text;
}

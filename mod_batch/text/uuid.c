#include "text/uuid.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

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

int batch_uuid_spell(char spelling[BATCH_UUID_SIZE], const char *text)
{
    unsigned char bytes[BATCH_UUID_BYTES];
    const char *at = text + (*text == '{');

    for (int i = 0; i < BATCH_UUID_BYTES; i++, at += 2) {
        at += i && i % 2 == 0 && *at == '-';
        if (!batch_hex_byte(&bytes[i], at)) {
            return 0;
        }
    }
    at += *text == '{' && *at == '}';
    if (*at || (*text == '{' && at[-1] != '}')) {
        return 0;
    }
    batch_uuid_write(spelling, bytes);
    spelling[BATCH_UUID_SIZE - 1] = '\0';
    return 1;
}

int batch_uuid_settle(const char **spelling, const char *text, apr_pool_t *p)
{
    char settled[BATCH_UUID_SIZE];

    if (!batch_uuid_spell(settled, text)) {
        return 0;
    }
    *spelling = strcmp(settled, text) != 0 ? apr_pstrdup(p, settled) : text;
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

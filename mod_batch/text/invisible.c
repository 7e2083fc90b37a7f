#include "text/invisible.h"

#include <string.h>

#include <apr_strings.h>

#include "text/utf8.h"

/** Invisible characters, from one to another, in order. */
static const struct range {
    unsigned from;
    unsigned to;
    const char *name; /* of Unicode, in small letters; NULL: only its number is said */
} ranges[] = {
    {0x0001, 0x0008, NULL},
    {0x0009, 0x0009, "tab"},
    {0x000a, 0x000a, "line feed"},
    {0x000b, 0x000c, NULL},
    {0x000d, 0x000d, "carriage return"},
    {0x000e, 0x001f, NULL},
    {0x007f, 0x009f, NULL},
    {0x00a0, 0x00a0, "no-break space"},
    {0x00ad, 0x00ad, "soft hyphen"},
    {0x034f, 0x034f, NULL},
    {0x061c, 0x061c, "Arabic letter mark"},
    {0x180e, 0x180e, NULL},
    {0x2000, 0x200a, "a space of another width"},
    {0x200b, 0x200b, "zero width space"},
    {0x200c, 0x200c, "zero width non-joiner"},
    {0x200d, 0x200d, "zero width joiner"},
    {0x200e, 0x200e, "left-to-right mark"},
    {0x200f, 0x200f, "right-to-left mark"},
    {0x2028, 0x2029, "line separator"},
    {0x202a, 0x202e, "a mark of the direction of writing"},
    {0x202f, 0x202f, "narrow no-break space"},
    {0x205f, 0x205f, "a space of another width"},
    {0x2060, 0x2060, "word joiner"},
    {0x2061, 0x2064, NULL},
    {0x2066, 0x2069, "a mark of the direction of writing"},
    {0x3000, 0x3000, "ideographic space"},
    {0xfe00, 0xfe0f, "variation selector"},
    {0xfeff, 0xfeff, "byte order mark"},
};

/** The range that the character belongs to, or NULL. */
static const struct range *range_of(unsigned character)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        if (character >= ranges[i].from && character <= ranges[i].to) {
            return &ranges[i];
        }
    }
    return NULL;
}

/** The character at `at`, of *size bytes. A byte that is not UTF-8 is U+FFFD. */
static unsigned character_at(apr_size_t *size, const char *at, apr_size_t left)
{
    apr_size_t length = batch_utf8_character(at, left);

    *size = length ? length : 1;
    return length ? batch_utf8_decode(at, length) : 0xfffd;
}

/** 1 if the character is invisible where it stands. */
static int is_invisible(unsigned character, apr_size_t at, apr_size_t size, apr_size_t length)
{
    return range_of(character) || (character == ' ' && (!at || at + size == length));
}

static const char *where_words(apr_size_t at, apr_size_t size, apr_size_t length, int count,
                               apr_pool_t *p)
{
    return !at                   ? "at its start"
           : at + size == length ? "at its end"
                                 : apr_psprintf(p, "as its character %d", count);
}

const char *batch_invisible_words(const char *text, apr_size_t length, apr_pool_t *p)
{
    apr_size_t size;
    int count = 1;

    for (apr_size_t at = 0; at < length; at += size, count++) {
        unsigned character = character_at(&size, text + at, length - at);
        const struct range *range = range_of(character);
        const char *name = range ? range->name : "space";

        if (is_invisible(character, at, size, length)) {
            return apr_psprintf(p, "the invisible character U+%04X%s%s%s %s", character,
                                name ? " (" : "", name ? name : "", name ? ")" : "",
                                where_words(at, size, length, count, p));
        }
    }
    return NULL;
}

char *batch_visible_text(const char *text, apr_size_t length, apr_pool_t *p)
{
    char *visible = apr_palloc(p, length + 1);
    char *out = visible;
    apr_size_t size;

    for (apr_size_t at = 0; at < length; at += size) {
        unsigned character = character_at(&size, text + at, length - at);

        if (!range_of(character) && (character != ' ' || out > visible)) {
            memcpy(out, text + at, size);
            out += size;
        }
    }
    while (out > visible && out[-1] == ' ') {
        out--;
    }
    *out = '\0';
    return visible;
}

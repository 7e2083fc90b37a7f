/* What can be done with texts, by characters of UTF-8. A byte that is none counts as one. */
#include "query/value.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "text/utf8.h"

/* Bytes of the character at text, which has left bytes. */
static apr_size_t character(const char *text, apr_size_t left)
{
    apr_size_t length = batch_utf8_character(text, left);

    return length ? length : 1;
}

apr_int64_t batch_query_length(const batch_query_value_t *text, batch_query_room_t *room)
{
    apr_size_t at;
    apr_int64_t count = 0;

    if (!batch_query_work(room, text->length / 4)) {
        return 0;
    }
    for (at = 0; at < text->length; at += character(text->text + at, text->length - at)) {
        count++;
    }
    return count;
}

/* ---- LIKE ------------------------------------------------------------------------------------ */

/* What the next piece of a pattern asks for. */
typedef struct piece {
    char kind; /* '%', '_' or 'c' for the character itself */
    const char *text;
    apr_size_t length; /* of the character */
    apr_size_t whole;  /* bytes of the pattern */
} piece_t;

static piece_t read_piece(const char *pattern, apr_size_t left, const batch_query_value_t *escape)
{
    piece_t piece = {'c', pattern, character(pattern, left), 0};

    piece.whole = piece.length;
    if (escape->length && piece.length == escape->length &&
        !memcmp(pattern, escape->text, escape->length) && left > piece.length) {
        piece.text = pattern + piece.length;
        piece.length = character(piece.text, left - piece.whole);
        piece.whole += piece.length;
    } else if (*pattern == '%' || *pattern == '_') {
        piece.kind = *pattern;
    }
    return piece;
}

/*
 * Only the last % is ever gone back to: what an earlier one would skip beyond, that one can skip as
 * well. So time is at most the product of both lengths, however many % there are.
 */
int batch_query_like(const batch_query_value_t *text, const batch_query_value_t *pattern,
                     const batch_query_value_t *escape, batch_query_room_t *room)
{
    const char *t = text->text, *t_end = t + text->length;
    const char *p = pattern->text, *p_end = p + pattern->length;
    const char *t_back = NULL, *p_back = NULL;

    if (pattern->length > BATCH_QUERY_PATTERN_BYTES) {
        return batch_query_exceeds(room, "makes a LIKE pattern of more than 1000 bytes, the limit "
                                         "for patterns: use a shorter one");
    }
    while (t < t_end || p < p_end) {
        piece_t piece = {0, NULL, 0, 0};
        apr_size_t length = t < t_end ? character(t, (apr_size_t)(t_end - t)) : 0;

        if (!batch_query_work(room, 1)) {
            return 0;
        }
        if (p < p_end) {
            piece = read_piece(p, (apr_size_t)(p_end - p), escape);
        }
        if (piece.kind == '%') {
            p += piece.whole;
            p_back = p;
            t_back = t;
            if (p == p_end) {
                return 1;
            }
        } else if (length && (piece.kind == '_' || (piece.kind == 'c' && piece.length == length &&
                                                    !memcmp(piece.text, t, length)))) {
            p += piece.whole;
            t += length;
        } else if (p_back && t_back < t_end) {
            t_back += character(t_back, (apr_size_t)(t_end - t_back));
            t = t_back;
            p = p_back;
        } else {
            return 0;
        }
    }
    return 1;
}

/* ---- Case ------------------------------------------------------------------------------------ */

static locale_t unicode;
static pthread_once_t unicode_once = PTHREAD_ONCE_INIT;

/* httpd runs in the locale "C", which knows the letters of ASCII only. */
static void open_unicode(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!unicode) {
        unicode = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    }
}

batch_query_value_t batch_query_fold(const batch_query_value_t *text, int upper,
                                     batch_query_room_t *room)
{
    static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};
    char *folded = batch_query_take(room, text->length * 2 + 4);
    apr_size_t at = 0, used = 0;

    if (!folded) {
        return nothing;
    }
    pthread_once(&unicode_once, open_unicode);
    while (at < text->length) {
        apr_size_t length = character(text->text + at, text->length - at);
        unsigned char first = (unsigned char)text->text[at];

        if (length == 1 && (first & 0x80)) {
            folded[used++] = text->text[at++]; /* no character */
            continue;
        }
        wint_t code = batch_utf8_decode(text->text + at, length);
        used +=
            batch_utf8_encode(folded + used, unicode ? (unsigned)(upper ? towupper_l(code, unicode)
                                                                        : towlower_l(code, unicode))
                                                     : code);
        at += length;
    }
    return batch_query_text_value(folded, used);
}

/* ---- Parts ----------------------------------------------------------------------------------- */

batch_query_value_t batch_query_substr(const batch_query_value_t *text, apr_int64_t start,
                                       apr_int64_t count, batch_query_room_t *room)
{
    apr_size_t at = 0, first;
    apr_int64_t number = 1, end;

    if (count < 0 || !batch_query_work(room, text->length / 4)) {
        return (batch_query_value_t){.kind = BATCH_QUERY_NULL};
    }
    if (__builtin_add_overflow(start, count, &end)) {
        end = APR_INT64_MAX;
    }
    for (; at < text->length && number < start; number++) {
        at += character(text->text + at, text->length - at);
    }
    first = at;
    for (; at < text->length && number < end; number++) {
        at += character(text->text + at, text->length - at);
    }
    return batch_query_text_value(text->text + first, at - first);
}

/* The characters that are taken off: those of ASCII as bits, the others in order. */
typedef struct trim_set {
    const batch_query_value_t *text;
    apr_uint64_t ascii[2];
    apr_uint32_t *others; /* NULL until one is looked for */
    apr_size_t count;
    batch_query_room_t *room;
} trim_set_t;

/* A character as a number: its bytes, at most four. */
static apr_uint32_t packed(const char *text, apr_size_t length)
{
    apr_uint32_t number = 0;

    for (; length; length--) {
        number = number << 8 | (unsigned char)*text++;
    }
    return number;
}

static int compare_packed(const void *left, const void *right)
{
    apr_uint32_t a = *(const apr_uint32_t *)left, b = *(const apr_uint32_t *)right;

    return (a > b) - (a < b);
}

static void trim_set_init(trim_set_t *set, const batch_query_value_t *text,
                          batch_query_room_t *room)
{
    memset(set, 0, sizeof(*set));
    set->text = text;
    set->room = room;
    for (apr_size_t at = 0; at < text->length; at++) {
        unsigned char byte = (unsigned char)text->text[at];

        if (byte < 0x80) {
            set->ascii[byte / 64] |= (apr_uint64_t)1 << byte % 64;
        }
    }
}

/* Of most sets nobody asks for more than ASCII: the others are put in order only then. */
static int order_others(trim_set_t *set)
{
    const batch_query_value_t *text = set->text;
    apr_size_t next;

    /* Sorting takes some steps for each of them. */
    if (!batch_query_work(set->room, text->length * 8)) {
        return 0;
    }
    set->others = (apr_uint32_t *)batch_query_take(set->room, text->length * sizeof(*set->others));
    if (!set->others) {
        return 0;
    }
    for (apr_size_t at = 0; at < text->length; at += next) {
        next = character(text->text + at, text->length - at);
        if ((unsigned char)text->text[at] & 0x80) {
            set->others[set->count++] = packed(text->text + at, next);
        }
    }
    qsort(set->others, set->count, sizeof(*set->others), compare_packed);
    return 1;
}

static int is_in(trim_set_t *set, const char *text, apr_size_t length)
{
    unsigned char byte = (unsigned char)*text;
    apr_uint32_t wanted;

    if (!batch_query_work(set->room, 1)) {
        return 0;
    }
    if (byte < 0x80) {
        return (int)(set->ascii[byte / 64] >> byte % 64 & 1);
    }
    if (!set->others && !order_others(set)) {
        return 0;
    }
    wanted = packed(text, length);
    return bsearch(&wanted, set->others, set->count, sizeof(wanted), compare_packed) != NULL;
}

/* Bytes of the last character. */
static apr_size_t last_character(const char *text, apr_size_t length)
{
    apr_size_t back = 1;

    while (back < 4 && back < length && batch_utf8_continues(text[length - back])) {
        back++;
    }
    return character(text + length - back, back) == back ? back : 1;
}

batch_query_value_t batch_query_trim(const batch_query_value_t *text,
                                     const batch_query_value_t *set, int sides,
                                     batch_query_room_t *room)
{
    const char *from = text->text;
    apr_size_t length = text->length, next;
    trim_set_t characters;

    if (!batch_query_work(room, set->length / 4)) {
        return (batch_query_value_t){.kind = BATCH_QUERY_NULL};
    }
    trim_set_init(&characters, set, room);
    for (; (sides & 1) && length; from += next, length -= next) {
        next = character(from, length);
        if (!is_in(&characters, from, next)) {
            break;
        }
    }
    for (; (sides & 2) && length; length -= next) {
        next = last_character(from, length);
        if (!is_in(&characters, from + length - next, next)) {
            break;
        }
    }
    return batch_query_text_value(from, length);
}

#include "query/value.h"

#include <math.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

/* ---- Making ---------------------------------------------------------------------------------- */

int batch_query_look(batch_query_room_t *room)
{
    apr_status_t rv = room->look ? room->look(room->baton) : APR_SUCCESS;

    room->unseen = 0;
    if (rv != APR_SUCCESS) {
        room->stopped = rv;
        room->over = 1;
    }
    return !room->over;
}

int batch_query_exceeds(batch_query_room_t *room, const char *why)
{
    if (!room->over) {
        room->over = 1;
        room->why = why;
    }
    return 0;
}

int batch_query_makes(batch_query_room_t *room, apr_size_t length)
{
    return length <= BATCH_QUERY_TEXT_BYTES ||
           batch_query_exceeds(room, "makes a text of more than 1 MiB, the limit for texts that "
                                     "are computed: use shorter texts");
}

const char *batch_query_excess(const batch_query_room_t *room)
{
    return room->why ? room->why
                     : "takes more work for a single record than is allowed: use shorter texts and "
                       "patterns";
}

char *batch_query_take(batch_query_room_t *room, apr_size_t size)
{
    if (!batch_query_work(room, size)) {
        return NULL;
    }
    room->dirty = 1;
    return apr_palloc(room->p, size + !size);
}

batch_query_value_t batch_query_text_value(const char *text, apr_size_t length)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_TEXT, .text = text, .length = length};

    return value;
}

batch_query_value_t batch_query_boolean_value(int truth)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_BOOLEAN, .integer = truth != 0};

    return value;
}

static batch_query_value_t time_value(apr_int64_t time, batch_query_kind_e kind)
{
    batch_query_value_t value = {.kind = kind, .integer = time};

    return value;
}

const char *batch_query_kind_name(batch_query_kind_e kind)
{
    static const char *const names[] = {"null",    "boolean", "integer",   "number",
                                        "text",    "date",    "timestamp", "interval",
                                        "decimal", "member",  "text"};

    return names[kind];
}

/* ---- Converting ------------------------------------------------------------------------------ */

static batch_query_value_t to_integer(double number)
{
    number = round(number);
    return number >= -9223372036854775808.0 && number < 9223372036854775808.0
               ? batch_query_integer_value((apr_int64_t)number)
               : nothing;
}

/* What a text says: a word, or as much of it as says which one, with white space around it. */
static batch_query_value_t parse_boolean(const batch_query_value_t *text)
{
    static const struct {
        const char *word;
        apr_size_t least; /* characters of it */
        int truth;
    } words[] = {{"true", 1, 1}, {"false", 1, 0}, {"yes", 1, 1}, {"no", 1, 0},
                 {"on", 2, 1},   {"off", 2, 0},   {"1", 1, 1},   {"0", 1, 0}};
    batch_query_value_t word = *text;
    size_t i;

    for (; word.length && apr_isspace(*word.text); word.length--) {
        word.text++;
    }
    for (; word.length && apr_isspace(word.text[word.length - 1]); word.length--) {
    }
    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (word.length >= words[i].least && word.length <= strlen(words[i].word) &&
            !strncasecmp(words[i].word, word.text, word.length)) {
            return batch_query_boolean_value(words[i].truth);
        }
    }
    return nothing;
}

static batch_query_value_t to_text(const batch_query_value_t *value, batch_query_room_t *room)
{
    char text[BATCH_QUERY_NUMBER_BYTES];
    char *copy;

    switch (value->kind) {
    case BATCH_QUERY_BOOLEAN:
        apr_cpystrn(text, value->integer ? "true" : "false", sizeof(text));
        break;
    case BATCH_QUERY_INTEGER:
    case BATCH_QUERY_NUMBER:
        (void)batch_query_work(room, BATCH_QUERY_DIGITS_STEPS);
        batch_query_number_format(text, value);
        break;
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        batch_query_time_format(text, value->integer, value->kind);
        break;
    case BATCH_QUERY_DECIMAL:
        return batch_query_decimal_text(value, room);
    default:
        return nothing;
    }
    copy = batch_query_take(room, strlen(text));
    return copy ? batch_query_text_value(memcpy(copy, text, strlen(text)), strlen(text)) : nothing;
}

static batch_query_value_t to_number(const batch_query_value_t *value, batch_query_kind_e kind)
{
    switch (value->kind) {
    case BATCH_QUERY_TEXT:
        return batch_query_number_parse(value, kind);
    case BATCH_QUERY_BOOLEAN:
        return kind == BATCH_QUERY_INTEGER ? batch_query_integer_value(value->integer) : nothing;
    case BATCH_QUERY_INTEGER:
        return *value; /* it is a NUMBER, too */
    case BATCH_QUERY_NUMBER:
        return to_integer(value->number);
    default:
        return nothing;
    }
}

static batch_query_value_t to_interval(const batch_query_value_t *value)
{
    batch_query_value_t interval;
    char text[200];

    if (value->kind != BATCH_QUERY_TEXT || value->length >= sizeof(text)) {
        return nothing;
    }
    memcpy(text, value->text, value->length);
    text[value->length] = '\0';
    return batch_query_interval_parse(&interval, text) ? interval : nothing;
}

/* The date of a text that says a time: as it stands there, whatever zone is behind it. */
static batch_query_value_t date_said(const batch_query_value_t *text)
{
    const char *from = text->text;
    apr_int64_t time = 0;

    while (*from == ' ') {
        from++;
    }
    (void)batch_query_time_parse(&time, from, sizeof("2023-10-06") - 1);
    return time_value(time, BATCH_QUERY_DATE);
}

static batch_query_value_t to_time(const batch_query_value_t *value, batch_query_kind_e kind)
{
    apr_int64_t time = value->integer, day = APR_INT64_C(86400000000);

    if (value->kind == BATCH_QUERY_TEXT) {
        if (!batch_query_time_parse(&time, value->text, value->length)) {
            return nothing;
        }
        if (kind == BATCH_QUERY_DATE) {
            return date_said(value);
        }
    } else if (value->kind != BATCH_QUERY_DATE && value->kind != BATCH_QUERY_TIMESTAMP) {
        return nothing;
    }
    if (kind == BATCH_QUERY_DATE) {
        time -= (time % day + day) % day;
    }
    return time_value(time, kind);
}

batch_query_value_t batch_query_convert(const batch_query_value_t *value, batch_query_kind_e kind,
                                        batch_query_room_t *room)
{
    batch_query_value_t digits;

    if (value->kind == kind || value->kind == BATCH_QUERY_NULL) {
        return *value;
    }
    if (value->kind == BATCH_QUERY_TEXT) {
        (void)batch_query_work(room, value->length / 4); /* blanks and digits, however many */
    }
    switch (kind) {
    case BATCH_QUERY_TEXT:
        return to_text(value, room);
    case BATCH_QUERY_INTEGER:
    case BATCH_QUERY_NUMBER:
        if (value->kind == BATCH_QUERY_DECIMAL) {
            digits = batch_query_decimal_text(value, room);
            return to_number(&digits, kind);
        }
        return to_number(value, kind);
    case BATCH_QUERY_BOOLEAN:
        if (value->kind == BATCH_QUERY_INTEGER) {
            return batch_query_boolean_value(value->integer != 0);
        }
        return value->kind == BATCH_QUERY_TEXT ? parse_boolean(value) : nothing;
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        return to_time(value, kind);
    case BATCH_QUERY_INTERVAL:
        return to_interval(value);
    case BATCH_QUERY_DECIMAL:
        return batch_query_to_decimal(value, room);
    default:
        return nothing;
    }
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static int compare_texts(const batch_query_value_t *a, const batch_query_value_t *b)
{
    apr_size_t shorter = a->length < b->length ? a->length : b->length;
    int order = shorter ? memcmp(a->text, b->text, shorter) : 0;

    return order ? order : (a->length > b->length) - (a->length < b->length);
}

int batch_query_compare(const batch_query_value_t *a, const batch_query_value_t *b)
{
    switch (a->kind) {
    case BATCH_QUERY_TEXT:
    case BATCH_QUERY_DECIMAL:
        return compare_texts(a, b);
    case BATCH_QUERY_INTEGER:
    case BATCH_QUERY_NUMBER:
        return batch_query_compare_numbers(a, b);
    case BATCH_QUERY_INTERVAL:
        return batch_query_compare_intervals(a, b);
    default:
        return (a->integer > b->integer) - (a->integer < b->integer);
    }
}

int batch_query_compare_in(batch_query_room_t *room, const batch_query_value_t *a,
                           const batch_query_value_t *b)
{
    if (batch_query_has_text(a)) {
        (void)batch_query_work(room, (a->length < b->length ? a->length : b->length) / 16);
    }
    return batch_query_compare(a, b);
}

/* Where a value's type is in the order of members: numbers, texts, booleans. */
static int rank_of(batch_query_kind_e kind)
{
    switch (kind) {
    case BATCH_QUERY_INTEGER:
    case BATCH_QUERY_NUMBER:
        return 0;
    case BATCH_QUERY_TEXT:
        return 1;
    case BATCH_QUERY_BOOLEAN:
        return 2;
    case BATCH_QUERY_NULL:
        return 4;
    default:
        return 3;
    }
}

int batch_query_order(const batch_query_value_t *a, const batch_query_value_t *b)
{
    int left = rank_of(a->kind), right = rank_of(b->kind);

    return left != right || a->kind == BATCH_QUERY_NULL ? left - right : batch_query_compare(a, b);
}

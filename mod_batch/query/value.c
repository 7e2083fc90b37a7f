#include "query/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* The longest text that can be a number. */
#define MOST_DIGITS 400

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

batch_query_value_t batch_query_integer_value(apr_int64_t integer)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_INTEGER, .integer = integer};

    return value;
}

batch_query_value_t batch_query_number_value(double number)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_NUMBER, .number = number + 0.0};

    return isfinite(number) ? value : nothing;
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
    static const char *const names[] = {"null", "boolean",   "integer",  "number", "text",
                                        "date", "timestamp", "interval", "member", "text"};

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

/* A text as a number: decimal, with nothing but blanks around it. */
static batch_query_value_t parse_number(const batch_query_value_t *text)
{
    const char *from = text->text;
    apr_size_t length = text->length;
    char copy[MOST_DIGITS + 1];
    char *end;
    apr_int64_t integer;

    for (; length && *from == ' '; length--) {
        from++;
    }
    for (; length && from[length - 1] == ' '; length--) {
    }
    if (!length || length > MOST_DIGITS) {
        return nothing;
    }
    memcpy(copy, from, length);
    copy[length] = '\0';
    /* strtod would take hexadecimal, "nan" and "infinity" as well. */
    if (strspn(copy, "+-.0123456789eE") != length) {
        return nothing;
    }
    errno = 0;
    integer = apr_strtoi64(copy, &end, 10);
    if (!*end && !errno) {
        return batch_query_integer_value(integer);
    }
    (void)strtod(copy, &end);
    return *end || end == copy ? nothing : batch_query_number_value(strtod(copy, NULL));
}

static batch_query_value_t parse_boolean(const batch_query_value_t *text)
{
    static const char *const words[] = {"f", "t", "false", "true", "no", "yes", "0", "1"};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strlen(words[i]) == text->length && !strncasecmp(words[i], text->text, text->length)) {
            return batch_query_boolean_value((int)(i & 1));
        }
    }
    return nothing;
}

/* The shortest text that reads back as the same number. */
static void write_number(char *text, apr_size_t size, double number)
{
    int digits;

    for (digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            return;
        }
    }
}

static batch_query_value_t to_text(const batch_query_value_t *value, batch_query_room_t *room)
{
    char text[64];
    char *copy;

    switch (value->kind) {
    case BATCH_QUERY_BOOLEAN:
        apr_cpystrn(text, value->integer ? "true" : "false", sizeof(text));
        break;
    case BATCH_QUERY_INTEGER:
        apr_snprintf(text, sizeof(text), "%" APR_INT64_T_FMT, value->integer);
        break;
    case BATCH_QUERY_NUMBER:
        write_number(text, sizeof(text), value->number);
        break;
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        batch_query_time_format(text, value->integer, value->kind);
        break;
    default:
        return nothing;
    }
    copy = batch_query_take(room, strlen(text));
    return copy ? batch_query_text_value(memcpy(copy, text, strlen(text)), strlen(text)) : nothing;
}

static batch_query_value_t to_number(const batch_query_value_t *value, batch_query_kind_e kind)
{
    batch_query_value_t number = *value;

    if (value->kind == BATCH_QUERY_TEXT) {
        number = parse_number(value);
        if (kind == BATCH_QUERY_INTEGER && number.kind == BATCH_QUERY_NUMBER) {
            return nothing; /* '1.5' is no integer, while 1.5 can be rounded to one */
        }
    } else if (value->kind == BATCH_QUERY_BOOLEAN && kind == BATCH_QUERY_INTEGER) {
        number = batch_query_integer_value(value->integer);
    }
    if (number.kind == kind) {
        return number;
    }
    if (number.kind == BATCH_QUERY_INTEGER) {
        return batch_query_number_value((double)number.integer);
    }
    return number.kind == BATCH_QUERY_NUMBER ? to_integer(number.number) : nothing;
}

static batch_query_value_t to_time(const batch_query_value_t *value, batch_query_kind_e kind)
{
    apr_int64_t time = value->integer, day = APR_INT64_C(86400000000);

    if (value->kind == BATCH_QUERY_TEXT) {
        if (!batch_query_time_parse(&time, value->text, value->length)) {
            return nothing;
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
        return to_number(value, kind);
    case BATCH_QUERY_BOOLEAN:
        if (value->kind == BATCH_QUERY_INTEGER) {
            return batch_query_boolean_value(value->integer != 0);
        }
        return value->kind == BATCH_QUERY_TEXT ? parse_boolean(value) : nothing;
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        return to_time(value, kind);
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
        return compare_texts(a, b);
    case BATCH_QUERY_NUMBER:
        return (a->number > b->number) - (a->number < b->number);
    default:
        return (a->integer > b->integer) - (a->integer < b->integer);
    }
}

int batch_query_compare_in(batch_query_room_t *room, const batch_query_value_t *a,
                           const batch_query_value_t *b)
{
    if (a->kind == BATCH_QUERY_TEXT) {
        (void)batch_query_work(room, (a->length < b->length ? a->length : b->length) / 16);
    }
    return batch_query_compare(a, b);
}

int batch_query_order(const batch_query_value_t *a, const batch_query_value_t *b)
{
    batch_query_value_t left = *a, right = *b;

    if (left.kind == BATCH_QUERY_NULL || right.kind == BATCH_QUERY_NULL) {
        return (left.kind == BATCH_QUERY_NULL) - (right.kind == BATCH_QUERY_NULL);
    }
    /* A member may be 1 in one record and 1.5 in the next. */
    if (left.kind == BATCH_QUERY_INTEGER && right.kind == BATCH_QUERY_NUMBER) {
        left = batch_query_number_value((double)left.integer);
    } else if (left.kind == BATCH_QUERY_NUMBER && right.kind == BATCH_QUERY_INTEGER) {
        right = batch_query_number_value((double)right.integer);
    }
    if (left.kind != right.kind) {
        return left.kind < right.kind ? -1 : 1;
    }
    return batch_query_compare(&left, &right);
}

/* ---- Computing ------------------------------------------------------------------------------- */

static batch_query_value_t integer_arithmetic(char op, apr_int64_t a, apr_int64_t b)
{
    apr_int64_t result = 0;
    int over = 0;

    switch (op) {
    case '+':
        over = __builtin_add_overflow(a, b, &result);
        break;
    case '-':
        over = __builtin_sub_overflow(a, b, &result);
        break;
    case '*':
        over = __builtin_mul_overflow(a, b, &result);
        break;
    default:
        over = !b || (a == APR_INT64_MIN && b == -1);
        if (!over) {
            result = op == '/' ? a / b : a % b;
        }
        break;
    }
    return over ? nothing : batch_query_integer_value(result);
}

batch_query_value_t batch_query_arithmetic(char op, const batch_query_value_t *a,
                                           const batch_query_value_t *b)
{
    if (a->kind == BATCH_QUERY_INTEGER) {
        return integer_arithmetic(op, a->integer, b->integer);
    }
    switch (op) {
    case '+':
        return batch_query_number_value(a->number + b->number);
    case '-':
        return batch_query_number_value(a->number - b->number);
    case '*':
        return batch_query_number_value(a->number * b->number);
    case '/':
        return b->number == 0.0 ? nothing : batch_query_number_value(a->number / b->number);
    default:
        return b->number == 0.0 ? nothing : batch_query_number_value(fmod(a->number, b->number));
    }
}

batch_query_value_t batch_query_shift(const batch_query_value_t *time,
                                      const batch_query_value_t *interval, int sign)
{
    apr_int64_t result = time->integer;

    return batch_query_time_add(&result, interval, sign) ? time_value(result, BATCH_QUERY_TIMESTAMP)
                                                         : nothing;
}

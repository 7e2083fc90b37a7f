/* What functions give. */
#include "query/evaluate.h"

#include <math.h>
#include <string.h>

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

static int is_null(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_NULL;
}

/* ---- Of any type ----------------------------------------------------------------------------- */

static batch_query_value_t coalesce(const batch_evaluation_t *with, const batch_node_t *node)
{
    int i;

    for (i = 0; i < node->count; i++) {
        batch_query_value_t value = batch_evaluate(with, node->children[i]);
        if (!is_null(&value)) {
            return value;
        }
    }
    return nothing;
}

static batch_query_value_t nullif(const batch_evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t a = batch_evaluate(with, node->children[0]);
    batch_query_value_t b = batch_evaluate(with, node->children[1]);

    /* Members of different types are not equal. */
    return batch_query_is_same_type(&a, &b) && !batch_query_compare_in(with->room, &a, &b) ? nothing
                                                                                           : a;
}

/* The greatest (sign 1) or the least (-1); NULLs are left out. */
static batch_query_value_t extreme(const batch_evaluation_t *with, const batch_node_t *node,
                                   int sign)
{
    batch_query_value_t best = nothing;
    int i;

    for (i = 0; i < node->count; i++) {
        batch_query_value_t value = batch_evaluate(with, node->children[i]);

        if (batch_query_has_text(&value)) {
            (void)batch_query_work(with->room, value.length / 16); /* to compare it */
        }
        if (!is_null(&value) && (is_null(&best) || sign * batch_query_order(&value, &best) > 0)) {
            best = value;
        }
    }
    return best;
}

/* A value as concat writes it: a boolean as one letter, but a member of JSON as it is there. */
static batch_query_value_t part_of(const batch_evaluation_t *with, const batch_node_t *node,
                                   const batch_query_value_t *value)
{
    if (node->kind == BATCH_QUERY_BOOLEAN && value->kind == BATCH_QUERY_BOOLEAN) {
        return batch_query_text_value(value->integer ? "t" : "f", 1);
    }
    return batch_query_convert(value, BATCH_QUERY_TEXT, with->room);
}

/* concat, and concat_ws with what stands between. */
static batch_query_value_t concat(const batch_evaluation_t *with, const batch_node_t *node,
                                  int first, const batch_query_value_t *between)
{
    batch_query_value_t *parts = (batch_query_value_t *)batch_query_take(
        with->room, (apr_size_t)node->count * sizeof(*parts));
    apr_size_t length = 0;
    char *text, *next;
    int i, count = 0;

    for (i = first; parts && i < node->count; i++) {
        batch_query_value_t value = batch_evaluate(with, node->children[i]);

        parts[count] = part_of(with, node->children[i], &value);
        if (!is_null(&parts[count])) {
            length += parts[count].length + (count ? between->length : 0);
            count++;
        }
    }
    if (!parts || !batch_query_makes(with->room, length) ||
        !(text = batch_query_take(with->room, length))) {
        return nothing;
    }
    for (next = text, i = 0; i < count; i++) {
        if (i && between->length) {
            memcpy(next, between->text, between->length);
            next += between->length;
        }
        if (parts[i].length) {
            memcpy(next, parts[i].text, parts[i].length);
            next += parts[i].length;
        }
    }
    return batch_query_text_value(text, length);
}

static batch_query_value_t concat_ws(const batch_evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t between = batch_evaluate(with, node->children[0]);

    return is_null(&between) ? nothing : concat(with, node, 1, &between);
}

/* ---- Of values that are no NULL -------------------------------------------------------------- */

#define MOST_ARGUMENTS 3

/* The arguments; NULL where one is. */
typedef struct arguments {
    batch_query_value_t at[MOST_ARGUMENTS];
    int count;
    batch_query_room_t *room;
} arguments_t;

static batch_query_value_t of_texts(const batch_node_t *node, const arguments_t *with)
{
    const batch_query_value_t *a = with->at, *b = a + 1, *c = a + 2;
    batch_query_room_t *room = with->room;
    batch_query_value_t blank = batch_query_text_value(" ", 1);

    switch ((batch_function_e)node->op) {
    case BATCH_FUNCTION_LENGTH:
    case BATCH_FUNCTION_CHAR_LENGTH:
    case BATCH_FUNCTION_CHARACTER_LENGTH:
        return batch_query_integer_value(batch_query_length(a, room));
    case BATCH_FUNCTION_LOWER:
        return batch_query_fold(a, 0, room);
    case BATCH_FUNCTION_UPPER:
        return batch_query_fold(a, 1, room);
    case BATCH_FUNCTION_LTRIM:
        return batch_query_trim(a, with->count > 1 ? b : &blank, 1, room);
    case BATCH_FUNCTION_RTRIM:
        return batch_query_trim(a, with->count > 1 ? b : &blank, 2, room);
    case BATCH_FUNCTION_TRIM:
    case BATCH_FUNCTION_BTRIM:
        return batch_query_trim(a, with->count > 1 ? b : &blank, 3, room);
    case BATCH_FUNCTION_SUBSTR:
    case BATCH_FUNCTION_SUBSTRING:
        return batch_query_substr(a, b->integer, with->count > 2 ? c->integer : APR_INT64_MAX,
                                  room);
    case BATCH_FUNCTION_STRPOS:
        return batch_query_strpos(a, b, room);
    case BATCH_FUNCTION_STARTS_WITH:
        return batch_query_boolean_value(
            !b->length || (a->length >= b->length && !memcmp(a->text, b->text, b->length)));
    case BATCH_FUNCTION_REPLACE:
        return batch_query_replace(a, b, c, room);
    case BATCH_FUNCTION_LEFT:
        return batch_query_left(a, b->integer, room);
    case BATCH_FUNCTION_RIGHT:
        return batch_query_right(a, b->integer, room);
    case BATCH_FUNCTION_LPAD:
        return batch_query_pad(a, b->integer, with->count > 2 ? c : &blank, 1, room);
    case BATCH_FUNCTION_RPAD:
        return batch_query_pad(a, b->integer, with->count > 2 ? c : &blank, 0, room);
    default: /* fcm_converttofloat */
        return batch_query_convert(a, BATCH_QUERY_NUMBER, room);
    }
}

static batch_query_value_t sign_of(const batch_query_value_t *number)
{
    double value = batch_query_double(number);

    return batch_query_integer_value((value > 0) - (value < 0));
}

static batch_query_value_t of_numbers(const batch_node_t *node, const arguments_t *with)
{
    const batch_query_value_t *a = with->at, *b = a + 1;
    batch_query_value_t zero = batch_query_integer_value(0);

    (void)batch_query_work(with->room, BATCH_QUERY_DIGITS_STEPS);
    switch ((batch_function_e)node->op) {
    case BATCH_FUNCTION_ABS:
        return batch_query_double(a) < 0 ? batch_query_arithmetic('-', node->kind, &zero, a) : *a;
    case BATCH_FUNCTION_ROUND:
        return batch_query_round(a, with->count > 1 ? b->integer : 0, 1);
    case BATCH_FUNCTION_TRUNC:
        return batch_query_round(a, with->count > 1 ? b->integer : 0, 0);
    case BATCH_FUNCTION_FLOOR:
        return a->kind == BATCH_QUERY_INTEGER ? *a : batch_query_number_value(floor(a->number));
    case BATCH_FUNCTION_CEIL:
    case BATCH_FUNCTION_CEILING:
        return a->kind == BATCH_QUERY_INTEGER ? *a : batch_query_number_value(ceil(a->number));
    case BATCH_FUNCTION_SIGN:
        return sign_of(a);
    case BATCH_FUNCTION_MOD:
        return batch_query_arithmetic('%', node->kind, a, b);
    case BATCH_FUNCTION_SQRT:
        return batch_query_number_value(sqrt(batch_query_double(a)));
    default: /* power */
        return batch_query_power(a, b);
    }
}

static batch_query_value_t moved(const batch_query_value_t *time, const batch_query_value_t *micro)
{
    batch_query_value_t interval = {.kind = BATCH_QUERY_INTERVAL, .integer = micro->integer};

    return batch_query_time_arithmetic('+', BATCH_QUERY_TIMESTAMP, time, &interval);
}

static batch_query_value_t of_times(const batch_node_t *node, const arguments_t *with)
{
    const batch_query_value_t *a = with->at, *b = a + 1;

    switch ((batch_function_e)node->op) {
    case BATCH_FUNCTION_DATE:
        return batch_query_convert(a, BATCH_QUERY_DATE, with->room);
    case BATCH_FUNCTION_AT_TIME_ZONE: /* the zone has become what is to be added */
        return moved(a, b);
    case BATCH_FUNCTION_DATE_TRUNC:
        return batch_query_trunc_time(batch_query_field_find(a->text, a->length, 't'), b->integer);
    case BATCH_FUNCTION_TO_CHAR:
        return batch_query_to_char(a, b, node->zone == BATCH_ZONE_WITH, with->room);
    default: /* extract, date_part: the field was checked for whatever is there */
        return batch_query_time_part(batch_query_field_find(a->text, a->length, 'e'), b);
    }
}

batch_query_value_t batch_evaluate_call(const batch_evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t empty = batch_query_text_value("", 0);
    arguments_t arguments = {.count = node->count, .room = with->room};
    int i;

    switch ((batch_function_e)node->op) {
    case BATCH_FUNCTION_COALESCE:
        return coalesce(with, node);
    case BATCH_FUNCTION_NULLIF:
        return nullif(with, node);
    case BATCH_FUNCTION_GREATEST:
        return extreme(with, node, 1);
    case BATCH_FUNCTION_LEAST:
        return extreme(with, node, -1);
    case BATCH_FUNCTION_CONCAT:
        return concat(with, node, 0, &empty);
    case BATCH_FUNCTION_CONCAT_WS:
        return concat_ws(with, node);
    default:
        break;
    }
    for (i = 0; i < node->count && i < MOST_ARGUMENTS; i++) {
        arguments.at[i] = batch_evaluate(with, node->children[i]);
        if (is_null(&arguments.at[i])) {
            return nothing;
        }
    }
    switch ((batch_function_e)node->op) {
    case BATCH_FUNCTION_ABS:
    case BATCH_FUNCTION_CEIL:
    case BATCH_FUNCTION_CEILING:
    case BATCH_FUNCTION_FLOOR:
    case BATCH_FUNCTION_MOD:
    case BATCH_FUNCTION_POW:
    case BATCH_FUNCTION_POWER:
    case BATCH_FUNCTION_ROUND:
    case BATCH_FUNCTION_SIGN:
    case BATCH_FUNCTION_SQRT:
    case BATCH_FUNCTION_TRUNC:
        return of_numbers(node, &arguments);
    case BATCH_FUNCTION_AT_TIME_ZONE:
    case BATCH_FUNCTION_DATE:
    case BATCH_FUNCTION_DATE_PART:
    case BATCH_FUNCTION_DATE_TRUNC:
    case BATCH_FUNCTION_EXTRACT:
    case BATCH_FUNCTION_TO_CHAR:
        return of_times(node, &arguments);
    default:
        return of_texts(node, &arguments);
    }
}

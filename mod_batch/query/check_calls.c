/* What functions take and give. */
#include "query/check.h"

#include <string.h>

#include <apr_strings.h>

/*
 * What a function gives and takes, by letters: t text, i integer, n number, b boolean; N an integer
 * if all are, else numbers; a anything, as a text. The last letter is that of all arguments behind
 * it, too. NULL: a function below decides.
 */
static const char *signature_of(batch_function_e function)
{
    switch (function) {
    case BATCH_FUNCTION_ABS:
    case BATCH_FUNCTION_MOD:
        return "NN";
    case BATCH_FUNCTION_CEIL:
    case BATCH_FUNCTION_CEILING:
    case BATCH_FUNCTION_FLOOR:
    case BATCH_FUNCTION_POW:
    case BATCH_FUNCTION_POWER:
    case BATCH_FUNCTION_SIGN:
    case BATCH_FUNCTION_SQRT:
        return "nn";
    case BATCH_FUNCTION_ROUND:
    case BATCH_FUNCTION_TRUNC:
        return "nni";
    case BATCH_FUNCTION_LENGTH:
    case BATCH_FUNCTION_CHAR_LENGTH:
    case BATCH_FUNCTION_CHARACTER_LENGTH:
    case BATCH_FUNCTION_STRPOS:
        return "itt";
    case BATCH_FUNCTION_STARTS_WITH:
        return "btt";
    case BATCH_FUNCTION_LEFT:
    case BATCH_FUNCTION_RIGHT:
    case BATCH_FUNCTION_SUBSTR:
    case BATCH_FUNCTION_SUBSTRING:
        return "tti";
    case BATCH_FUNCTION_LPAD:
    case BATCH_FUNCTION_RPAD:
        return "ttit";
    case BATCH_FUNCTION_FCM_CONVERTTOFLOAT:
        return "na";
    case BATCH_FUNCTION_BTRIM:
    case BATCH_FUNCTION_LOWER:
    case BATCH_FUNCTION_LTRIM:
    case BATCH_FUNCTION_REPLACE:
    case BATCH_FUNCTION_RTRIM:
    case BATCH_FUNCTION_TRIM:
    case BATCH_FUNCTION_UPPER:
        return "ttt";
    default:
        return NULL;
    }
}

static batch_query_kind_e kind_of(char letter)
{
    switch (letter) {
    case 'i':
        return BATCH_QUERY_INTEGER;
    case 'n':
        return BATCH_QUERY_NUMBER;
    case 'b':
        return BATCH_QUERY_BOOLEAN;
    default:
        return BATCH_QUERY_TEXT;
    }
}

static int check_numeric(const batch_checker_t *checker, batch_node_t *node)
{
    int i;

    node->kind = BATCH_QUERY_INTEGER;
    for (i = 0; i < node->count; i++) {
        if (node->children[i]->kind != BATCH_QUERY_INTEGER) {
            node->kind = BATCH_QUERY_NUMBER;
        }
    }
    return batch_check_require_all(checker, node, node->kind);
}

/* substring(x, '2') is a regular expression to PostgreSQL. */
static int check_start(const batch_checker_t *checker, const batch_node_t *node)
{
    const batch_node_t *start = node->children[1];

    return start->kind != BATCH_QUERY_LITERAL ||
           batch_query_fault(checker->text, start->at,
                             "found a text, expected a whole number: there are no regular "
                             "expressions in this language");
}

static int check_by_signature(const batch_checker_t *checker, batch_node_t *node,
                              const char *signature)
{
    const char *letter = signature + 1;
    int i;

    if (*signature == 'N') {
        return check_numeric(checker, node);
    }
    if ((node->op == BATCH_FUNCTION_SUBSTR || node->op == BATCH_FUNCTION_SUBSTRING) &&
        !check_start(checker, node)) {
        return 0;
    }
    for (i = 0; i < node->count; i++) {
        if (!(*letter == 'a'
                  ? batch_check_text(checker, &node->children[i])
                  : batch_check_require(checker, &node->children[i], kind_of(*letter)))) {
            return 0;
        }
        letter += letter[1] != '\0';
    }
    node->kind = kind_of(*signature);
    return 1;
}

/* concat writes what it is given as it is. */
static int check_concat(const batch_checker_t *checker, batch_node_t *node)
{
    int i;

    node->kind = BATCH_QUERY_TEXT;
    for (i = 0; i < node->count; i++) {
        batch_node_t *child = node->children[i];

        if (child->kind == BATCH_QUERY_LITERAL || child->kind == BATCH_QUERY_INTERVAL ||
            (!i && node->op == BATCH_FUNCTION_CONCAT_WS)) {
            if (!batch_check_require(checker, &node->children[i], BATCH_QUERY_TEXT)) {
                return 0;
            }
        }
    }
    return 1;
}

/* ---- Zones -----------------------------------------------------------------------------------
 */

/* Whether a time has a zone. One that fits both, as a date or a string that became a time, has
   none. */
static batch_zone_e zone_of(const batch_node_t *node)
{
    if (node->zone != BATCH_ZONE_UNKNOWN || node->type == BATCH_NODE_COLUMN) {
        return node->zone == BATCH_ZONE_UNKNOWN ? BATCH_ZONE_WITH : node->zone;
    }
    if (node->type == BATCH_NODE_CONVERT) {
        return node->children[0]->kind == BATCH_QUERY_DATE ? BATCH_ZONE_WITHOUT : BATCH_ZONE_WITH;
    }
    return node->type == BATCH_NODE_VALUE ? BATCH_ZONE_WITHOUT : BATCH_ZONE_UNKNOWN;
}

/* ---- Times ----------------------------------------------------------------------------------- */

static int is_time(const batch_node_t *node)
{
    return node->kind == BATCH_QUERY_DATE || node->kind == BATCH_QUERY_TIMESTAMP;
}

/* The string that stands at place in the query itself, with NUL at its end; or NULL with a fault.
 */
static const char *constant_text(const batch_checker_t *checker, batch_node_t *node,
                                 const char *what)
{
    if (node->type != BATCH_NODE_VALUE ||
        (node->kind != BATCH_QUERY_LITERAL && node->kind != BATCH_QUERY_TEXT) ||
        node->value.kind != BATCH_QUERY_TEXT) {
        batch_query_fault(checker->text, node->at, "expected %s, as a constant", what);
        return NULL;
    }
    node->kind = BATCH_QUERY_TEXT;
    node->value.text = apr_pstrmemdup(checker->text->p, node->value.text, node->value.length);
    return node->value.text;
}

static int require_field(const batch_checker_t *checker, batch_node_t *node, char use)
{
    const char *name = constant_text(checker, node, "the name of a field of a time");

    if (name && batch_query_field_find(name, node->value.length, use) < BATCH_QUERY_FIELD_COUNT) {
        return 1;
    }
    return name ? batch_query_fault(checker->text, node->at, "found \"%.40s\", expected one of %s",
                                    name, batch_query_field_names(use, checker->text->p))
                : 0;
}

static int check_date_trunc(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t *time = node->children[1];

    if (!require_field(checker, node->children[0], 't') ||
        !batch_check_require(checker, &node->children[1], BATCH_QUERY_TIMESTAMP)) {
        return 0;
    }
    node->kind = BATCH_QUERY_TIMESTAMP;
    node->zone = time->kind == BATCH_QUERY_TIMESTAMP ? zone_of(time) : BATCH_ZONE_WITH;
    return 1;
}

static int check_part(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t **time = &node->children[1];
    char use = (*time)->kind == BATCH_QUERY_INTERVAL                                     ? 'i'
               : (*time)->kind == BATCH_QUERY_DATE && node->op == BATCH_FUNCTION_EXTRACT ? 'd'
                                                                                         : 's';

    node->kind = BATCH_QUERY_NUMBER;
    return (use == 'i' || is_time(*time) ||
            batch_check_require(checker, time, BATCH_QUERY_TIMESTAMP)) &&
           require_field(checker, node->children[0], use);
}

/* The zone becomes what is to be added to the time. */
static int check_zone(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t *time = node->children[0], *zone = node->children[1];
    batch_zone_e from = time->kind == BATCH_QUERY_TIMESTAMP ? zone_of(time) : BATCH_ZONE_WITH;
    apr_int64_t east;

    if (!batch_check_require(checker, &node->children[0], BATCH_QUERY_TIMESTAMP)) {
        return 0;
    }
    if (from == BATCH_ZONE_UNKNOWN) {
        return batch_query_fault(checker->text, node->at,
                                 "whether this time has a zone already is not known here: say "
                                 "CAST(… AS timestamptz) or CAST(… AS timestamp)");
    }
    if (zone->type == BATCH_NODE_VALUE && zone->kind == BATCH_QUERY_INTERVAL &&
        !zone->value.months) {
        east = zone->value.integer;
    } else {
        const char *name = constant_text(checker, zone, "a time zone");

        if (!name) {
            return 0;
        }
        if (!batch_query_zone_parse(&east, name)) {
            return batch_query_fault(checker->text, zone->at,
                                     "found '%.40s', but the time zones that there are are 'UTC', "
                                     "'GMT', 'Z' and offsets as '-05:30', which count to the west "
                                     "as in PostgreSQL: '-02' is two hours east of Greenwich; "
                                     "interval '2 hours' is, too",
                                     name);
        }
    }
    node->kind = BATCH_QUERY_TIMESTAMP;
    node->zone = from == BATCH_ZONE_WITH ? BATCH_ZONE_WITHOUT : BATCH_ZONE_WITH;
    zone->kind = BATCH_QUERY_INTEGER;
    zone->value = batch_query_integer_value(from == BATCH_ZONE_WITH ? east : -east);
    return 1;
}

static int check_to_char(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t *value = node->children[0], *pattern = node->children[1];
    apr_size_t good;

    node->kind = BATCH_QUERY_TEXT;
    if (value->kind == BATCH_QUERY_NULL) {
        value->kind = BATCH_QUERY_NUMBER;
    }
    if (!is_time(value) && value->kind != BATCH_QUERY_INTEGER &&
        value->kind != BATCH_QUERY_NUMBER) {
        return batch_query_fault(checker->text, value->at,
                                 "to_char takes a time or a number: say which, as in "
                                 "CAST(… AS timestamp) or CAST(… AS numeric)");
    }
    if (!constant_text(checker, pattern, "a pattern as 'YYYY-MM-DD' or 'FM999,990.00'")) {
        return 0;
    }
    if (value->kind == BATCH_QUERY_DATE) {
        node->children[0] = batch_check_wrap(checker, value, BATCH_QUERY_TIMESTAMP);
        node->zone = BATCH_ZONE_WITH;
    } else if (value->kind == BATCH_QUERY_TIMESTAMP) {
        node->zone = zone_of(value) == BATCH_ZONE_WITHOUT ? BATCH_ZONE_WITHOUT : BATCH_ZONE_WITH;
    }
    good = batch_query_pattern_check(&pattern->value, value->kind);
    return good == pattern->value.length ||
           batch_query_fault(
               checker->text, pattern->at + 1 + (int)good, "found \"%.10s\", which is no %s",
               pattern->value.text + good,
               is_time(value) ? "pattern of a time: YYYY, MM, DD, HH24, MI, SS, MS, US, AM, Mon, "
                                "Month, Dy, Day, Q, IW and the like; other letters stand in "
                                "double quotes"
                              : "pattern of a number: 9, 0, a point, commas before it, and FM at "
                                "the start");
}

/* Days between dates, intervals between times; what they are moved by. */
static int check_difference(const batch_checker_t *checker, batch_node_t *node)
{
    batch_query_kind_e first = node->children[0]->kind, second = node->children[1]->kind;

    if (first == BATCH_QUERY_MEMBER || second == BATCH_QUERY_MEMBER) {
        return batch_query_fault(checker->text, node->children[first != BATCH_QUERY_MEMBER]->at,
                                 "found a member whose type is not known beside a time: say it, as "
                                 "in a::timestamptz, a::date or a::integer");
    }
    if ((first == BATCH_QUERY_DATE || second == BATCH_QUERY_DATE) &&
        first != BATCH_QUERY_TIMESTAMP && second != BATCH_QUERY_TIMESTAMP) {
        node->kind = BATCH_QUERY_INTEGER;
        return batch_check_require_all(checker, node, BATCH_QUERY_DATE);
    }
    node->kind = BATCH_QUERY_INTERVAL;
    return batch_check_require_all(checker, node, BATCH_QUERY_TIMESTAMP);
}

static int check_moved(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t **time = &node->children[0];

    node->kind = BATCH_QUERY_TIMESTAMP;
    node->zone = (*time)->kind == BATCH_QUERY_DATE        ? BATCH_ZONE_WITHOUT
                 : (*time)->kind == BATCH_QUERY_TIMESTAMP ? zone_of(*time)
                                                          : BATCH_ZONE_WITH;
    return is_time(*time) || batch_check_require(checker, time, BATCH_QUERY_TIMESTAMP);
}

/* Puts what a time is moved by, or what an interval is multiplied by, behind it. */
static void order_operands(batch_node_t *node)
{
    batch_node_t **children = node->children, *first = children[0];
    batch_query_kind_e kind = first->kind, other = children[1]->kind;

    if ((node->op == '+' && kind == BATCH_QUERY_INTERVAL && other != BATCH_QUERY_INTERVAL) ||
        (node->op == '+' && kind == BATCH_QUERY_INTEGER && other == BATCH_QUERY_DATE) ||
        (node->op == '*' && kind == BATCH_QUERY_INTEGER && other == BATCH_QUERY_INTERVAL)) {
        children[0] = children[1];
        children[1] = first;
    }
}

int batch_check_time_arithmetic(const batch_checker_t *checker, batch_node_t *node, int *is_one)
{
    batch_node_t **children = node->children;
    batch_query_kind_e first, second;

    order_operands(node);
    first = children[0]->kind;
    second = children[1]->kind;
    *is_one = node->op == '+' || node->op == '-';
    if (node->op == '*' && first == BATCH_QUERY_INTERVAL && second == BATCH_QUERY_INTEGER) {
        *is_one = 1;
        node->kind = BATCH_QUERY_INTERVAL;
        return 1;
    }
    if (*is_one && first == BATCH_QUERY_INTERVAL && second == BATCH_QUERY_INTERVAL) {
        node->kind = BATCH_QUERY_INTERVAL;
        return 1;
    }
    if (*is_one && second == BATCH_QUERY_INTERVAL) {
        return check_moved(checker, node);
    }
    if (*is_one && first == BATCH_QUERY_DATE && second == BATCH_QUERY_INTEGER) {
        node->kind = BATCH_QUERY_DATE;
        return 1;
    }
    if (node->op == '-' && (is_time(children[0]) || is_time(children[1])) &&
        first != BATCH_QUERY_INTEGER && first != BATCH_QUERY_NUMBER &&
        second != BATCH_QUERY_INTEGER && second != BATCH_QUERY_NUMBER) {
        return check_difference(checker, node);
    }
    *is_one = 0;
    return 1;
}

/* ---- All ------------------------------------------------------------------------------------- */

/* A time that several others decide: with a zone if one of them has it. */
static void unify_zones(batch_node_t *node)
{
    int i;

    node->zone = BATCH_ZONE_WITHOUT;
    for (i = 0; i < node->count; i++) {
        batch_zone_e zone = zone_of(node->children[i]);

        if (zone == BATCH_ZONE_UNKNOWN || node->zone == BATCH_ZONE_UNKNOWN) {
            node->zone = BATCH_ZONE_UNKNOWN;
        } else if (zone == BATCH_ZONE_WITH) {
            node->zone = zone;
        }
    }
}

int batch_check_call(const batch_checker_t *checker, batch_node_t *node)
{
    const char *signature = signature_of((batch_function_e)node->op);

    if (signature) {
        return check_by_signature(checker, node, signature);
    }
    switch ((batch_function_e)node->op) {
    case BATCH_FUNCTION_NOW:
        node->type = BATCH_NODE_VALUE;
        node->kind = node->value.kind = BATCH_QUERY_TIMESTAMP;
        node->value.integer = checker->now;
        node->zone = BATCH_ZONE_WITH;
        return 1;
    case BATCH_FUNCTION_COALESCE:
    case BATCH_FUNCTION_GREATEST:
    case BATCH_FUNCTION_LEAST:
    case BATCH_FUNCTION_NULLIF:
        if (!batch_check_unify(checker, node, &node->kind)) {
            return 0;
        }
        unify_zones(node);
        return 1;
    case BATCH_FUNCTION_DATE:
        node->kind = BATCH_QUERY_DATE;
        return batch_check_cast(checker, node);
    case BATCH_FUNCTION_CONCAT:
    case BATCH_FUNCTION_CONCAT_WS:
        return check_concat(checker, node);
    case BATCH_FUNCTION_DATE_TRUNC:
        return check_date_trunc(checker, node);
    case BATCH_FUNCTION_AT_TIME_ZONE:
        return check_zone(checker, node);
    case BATCH_FUNCTION_TO_CHAR:
        return check_to_char(checker, node);
    default:
        return check_part(checker, node);
    }
}

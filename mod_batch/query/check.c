/* What names mean, and that operators get what they can work with. */
#include "query/check.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* ---- Kinds ----------------------------------------------------------------------------------- */

static void fold(const batch_checker_t *checker, batch_node_t *node)
{
    batch_query_room_t room = {.p = checker->text->p, .most = BATCH_QUERY_FOLDING};
    batch_query_value_t value;
    int i;

    for (i = 0; i < node->count; i++) {
        if (node->children[i]->type != BATCH_NODE_VALUE) {
            return;
        }
    }
    if (node->type == BATCH_NODE_VALUE || !node->count || node->select ||
        node->type == BATCH_NODE_AGGREGATE) {
        return;
    }
    value = batch_query_evaluate(node, NULL, &room);
    if (node->type == BATCH_NODE_NEGATE && value.kind == BATCH_QUERY_NUMBER &&
        node->children[0]->value.text) { /* it is still as it is written */
        const char *digits = node->children[0]->value.text;

        value.text = *digits == '-' ? digits + 1 : apr_pstrcat(checker->text->p, "-", digits, NULL);
        value.length = strlen(value.text);
    }
    if (!room.over) {
        node->type = BATCH_NODE_VALUE;
        node->value = value;
        node->count = 0;
    }
}

batch_node_t *batch_check_wrap(const batch_checker_t *checker, batch_node_t *child,
                               batch_query_kind_e kind)
{
    batch_node_t *node = apr_pcalloc(checker->text->p, sizeof(*node));

    node->type = BATCH_NODE_CONVERT;
    node->kind = kind;
    node->at = child->at;
    node->slot = -1;
    node->checked = 1;
    node->count = 1;
    node->depth = child->depth;
    node->children = apr_pmemdup(checker->text->p, &child, sizeof(child));
    fold(checker, node);
    return node;
}

/* A string of the query as the kind that its place asks for. */
static int require_literal(const batch_checker_t *checker, batch_node_t *node,
                           batch_query_kind_e kind)
{
    batch_query_room_t room = {.p = checker->text->p, .most = BATCH_QUERY_FOLDING};
    batch_query_value_t value = batch_query_convert(&node->value, kind, &room);

    if (value.kind == BATCH_QUERY_NULL) {
        return batch_query_fault(
            checker->text, node->at, "found %s, expected %s %s in it",
            apr_pstrcat(checker->text->p, "'",
                        apr_pstrndup(checker->text->p, node->value.text,
                                     node->value.length < 40 ? node->value.length : 40),
                        "'", NULL),
            kind == BATCH_QUERY_INTEGER || kind == BATCH_QUERY_INTERVAL ? "an" : "a",
            batch_query_kind_name(kind));
    }
    node->kind = kind;
    node->value = value;
    return 1;
}

/*
 * A value beside a decimal. No number of the query is one but by its digits: those that it is
 * written with, or, of one that was computed, as many as every double has.
 */
static int require_decimal(const batch_checker_t *checker, batch_node_t **place)
{
    batch_node_t *node = *place;
    batch_query_room_t room = {.p = checker->text->p, .most = BATCH_QUERY_FOLDING};
    batch_query_decimal_t digits;

    if (node->kind == BATCH_QUERY_INTEGER && node->type != BATCH_NODE_VALUE) {
        *place = batch_check_wrap(checker, node, BATCH_QUERY_DECIMAL);
        return 1;
    }
    if (node->type != BATCH_NODE_VALUE) {
        return batch_query_fault(
            checker->text, node->at,
            "this is of type %s, but a decimal is compared with constants, "
            "integers, members and other decimals only: CAST(… AS numeric) of the "
            "decimal is a number",
            batch_query_kind_name(node->kind));
    }
    if (node->value.kind == BATCH_QUERY_NUMBER && !node->value.text) {
        batch_query_decimal(&digits, &node->value);
        if (digits.count > BATCH_QUERY_SURE_DIGITS) {
            return batch_query_fault(checker->text, node->at,
                                     "this is a number of more than %d digits, which is not exact: "
                                     "beside a decimal say it in quotes, as '0.1'",
                                     BATCH_QUERY_SURE_DIGITS);
        }
    }
    node->value = batch_query_convert(&node->value, BATCH_QUERY_DECIMAL, &room);
    node->kind = BATCH_QUERY_DECIMAL;
    return 1;
}

int batch_check_require(const batch_checker_t *checker, batch_node_t **place,
                        batch_query_kind_e kind)
{
    batch_node_t *node = *place;

    if (node->kind == kind) {
        return 1;
    }
    if (node->kind == BATCH_QUERY_NULL) {
        node->kind = kind;
        return 1;
    }
    if (node->kind == BATCH_QUERY_LITERAL) {
        return require_literal(checker, node, kind);
    }
    if (kind == BATCH_QUERY_DECIMAL &&
        (node->kind == BATCH_QUERY_INTEGER || node->kind == BATCH_QUERY_NUMBER)) {
        return require_decimal(checker, place);
    }
    if (node->kind == BATCH_QUERY_MEMBER ||
        (node->kind == BATCH_QUERY_INTEGER && kind == BATCH_QUERY_NUMBER) ||
        (node->kind == BATCH_QUERY_DATE && kind == BATCH_QUERY_TIMESTAMP)) {
        *place = batch_check_wrap(checker, node, kind);
        return 1;
    }
    return batch_query_fault(checker->text, node->at,
                             "this is of type %s, expected %s: CAST(… AS %s) would make it so",
                             batch_query_kind_name(node->kind), batch_query_kind_name(kind),
                             batch_query_kind_name(kind));
}

/* The kind in which two known kinds can be compared, or -1. */
static int common_kind(batch_query_kind_e a, batch_query_kind_e b)
{
    if (a == b) {
        return (int)a;
    }
    if ((a == BATCH_QUERY_INTEGER && b == BATCH_QUERY_NUMBER) ||
        (a == BATCH_QUERY_NUMBER && b == BATCH_QUERY_INTEGER)) {
        return BATCH_QUERY_NUMBER;
    }
    if ((a == BATCH_QUERY_DECIMAL && (b == BATCH_QUERY_INTEGER || b == BATCH_QUERY_NUMBER)) ||
        (b == BATCH_QUERY_DECIMAL && (a == BATCH_QUERY_INTEGER || a == BATCH_QUERY_NUMBER))) {
        return BATCH_QUERY_DECIMAL;
    }
    if ((a == BATCH_QUERY_DATE && b == BATCH_QUERY_TIMESTAMP) ||
        (a == BATCH_QUERY_TIMESTAMP && b == BATCH_QUERY_DATE)) {
        return BATCH_QUERY_TIMESTAMP;
    }
    return -1;
}

int batch_check_unify(const batch_checker_t *checker, batch_node_t *node, batch_query_kind_e *kind)
{
    int known = BATCH_QUERY_NULL, literals = 0, members = 0, i;

    for (i = 0; i < node->count; i++) {
        const batch_node_t *child = node->children[i];
        int common = known == BATCH_QUERY_NULL
                         ? (int)child->kind
                         : common_kind((batch_query_kind_e)known, child->kind);

        literals += child->kind == BATCH_QUERY_LITERAL;
        members += child->kind == BATCH_QUERY_MEMBER;
        if (child->kind == BATCH_QUERY_LITERAL || child->kind == BATCH_QUERY_MEMBER ||
            child->kind == BATCH_QUERY_NULL) {
            continue;
        }
        if (common < 0) {
            return batch_query_fault(checker->text, child->at,
                                     "a value of type %s cannot be compared with one of type %s "
                                     "here: CAST(… AS …) can make them the same",
                                     batch_query_kind_name(child->kind),
                                     batch_query_kind_name((batch_query_kind_e)known));
        }
        known = common;
    }
    if (known == BATCH_QUERY_NULL) {
        known = members && !literals ? BATCH_QUERY_MEMBER : BATCH_QUERY_TEXT;
    } else if (known == BATCH_QUERY_INTEGER && members) {
        known = BATCH_QUERY_NUMBER;
    }
    *kind = (batch_query_kind_e)known;
    for (i = 0; i < node->count; i++) {
        if (!batch_check_require(checker, &node->children[i], *kind)) {
            return 0;
        }
    }
    return 1;
}

int batch_check_unify_places(const batch_checker_t *checker, batch_node_t **places[], int count,
                             int at, batch_query_kind_e *kind)
{
    batch_node_t node = {.at = at, .count = count};
    int i;

    node.children = apr_palloc(checker->text->p, (apr_size_t)count * sizeof(*node.children) + 1);
    for (i = 0; i < count; i++) {
        node.children[i] = *places[i];
    }
    if (!batch_check_unify(checker, &node, kind)) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        *places[i] = node.children[i];
    }
    return 1;
}

int batch_check_require_all(const batch_checker_t *checker, batch_node_t *node,
                            batch_query_kind_e kind)
{
    int i;

    for (i = 0; i < node->count; i++) {
        if (!batch_check_require(checker, &node->children[i], kind)) {
            return 0;
        }
    }
    return 1;
}

int batch_check_text(const batch_checker_t *checker, batch_node_t **place)
{
    batch_query_kind_e kind = (*place)->kind;

    if (kind == BATCH_QUERY_TEXT || kind == BATCH_QUERY_NULL || kind == BATCH_QUERY_LITERAL ||
        kind == BATCH_QUERY_INTERVAL) {
        return batch_check_require(checker, place, BATCH_QUERY_TEXT);
    }
    *place = batch_check_wrap(checker, *place, BATCH_QUERY_TEXT);
    return 1;
}

/* ---- Operators ------------------------------------------------------------------------------- */

static int compare_constants(const void *a, const void *b)
{
    return batch_query_compare(&(*(batch_node_t *const *)a)->value,
                               &(*(batch_node_t *const *)b)->value);
}

/* A list of constants is put in order: a record is looked up in it, not compared with each. */
static void sort_in(batch_node_t *node)
{
    int i;

    for (i = 1; i < node->count; i++) {
        if (node->children[i]->type != BATCH_NODE_VALUE ||
            node->children[i]->value.kind == BATCH_QUERY_NULL) {
            return;
        }
    }
    qsort(node->children + 1, (size_t)node->count - 1, sizeof(batch_node_t *), compare_constants);
    node->sorted = 1;
}

static int check_like(const batch_checker_t *checker, batch_node_t *node)
{
    batch_query_room_t room = {.most = BATCH_QUERY_FOLDING};
    const batch_node_t *pattern, *escape;

    if (!batch_check_require_all(checker, node, BATCH_QUERY_TEXT)) {
        return 0;
    }
    pattern = node->children[1];
    if (pattern->type == BATCH_NODE_VALUE && pattern->value.length > BATCH_QUERY_PATTERN_BYTES) {
        return batch_query_fault(checker->text, pattern->at,
                                 "a pattern must not be longer than %d bytes",
                                 BATCH_QUERY_PATTERN_BYTES);
    }
    if (node->count > 2) {
        escape = node->children[2];
        if (escape->type != BATCH_NODE_VALUE || escape->value.kind != BATCH_QUERY_TEXT ||
            batch_query_length(&escape->value, &room) > 1) {
            return batch_query_fault(checker->text, escape->at,
                                     "ESCAPE takes a string of one character, or none");
        }
    }
    return 1;
}

/* member > '9': as texts, 10 would be below 9, which nobody means. */
static int check_quoted_numbers(const batch_checker_t *checker, const batch_node_t *node)
{
    batch_query_room_t room = {.p = checker->text->p, .most = BATCH_QUERY_FOLDING};
    int members = 0, i;

    if (node->type == BATCH_NODE_COMPARE ? node->op < BATCH_COMPARE_LESS
                                         : node->type != BATCH_NODE_BETWEEN) {
        return 1;
    }
    for (i = 0; i < node->count; i++) {
        members += node->children[i]->kind == BATCH_QUERY_MEMBER;
    }
    for (i = 0; members && i < node->count; i++) {
        const batch_node_t *child = node->children[i];

        if (child->kind == BATCH_QUERY_LITERAL &&
            batch_query_convert(&child->value, BATCH_QUERY_NUMBER, &room).kind !=
                BATCH_QUERY_NULL) {
            return batch_query_fault(checker->text, child->at,
                                     "found '%s', which is a text: say the number without quotes, "
                                     "or CAST(… AS text) if texts are to be compared",
                                     apr_pstrndup(checker->text->p, child->value.text, 40));
        }
    }
    return 1;
}

static int is_time(batch_query_kind_e kind)
{
    return kind == BATCH_QUERY_DATE || kind == BATCH_QUERY_TIMESTAMP;
}

static int check_arithmetic(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t **children = node->children;
    int is_one, good = batch_check_time_arithmetic(checker, node, &is_one);

    if (is_one) {
        return good;
    }
    node->kind =
        children[0]->kind == BATCH_QUERY_INTEGER && children[1]->kind == BATCH_QUERY_INTEGER
            ? BATCH_QUERY_INTEGER
            : BATCH_QUERY_NUMBER;
    return batch_check_require_all(checker, node, node->kind);
}

int batch_check_negate(const batch_checker_t *checker, batch_node_t *node)
{
    node->kind =
        node->children[0]->kind == BATCH_QUERY_INTEGER ? BATCH_QUERY_INTEGER : BATCH_QUERY_NUMBER;
    return batch_check_require_all(checker, node, node->kind);
}

/* PostgreSQL ignores the zone in a timestamp that has none. Nobody who writes one means that. */
static int check_no_zone(const batch_checker_t *checker, const batch_node_t *node)
{
    apr_int64_t time, offset;

    return !batch_query_time_parse_local(&time, &offset, node->value.text, node->value.length) ||
           !offset ||
           batch_query_fault(checker->text, node->at,
                             "found a time with a zone, but a timestamp has none: write "
                             "timestamptz if the zone is meant");
}

int batch_check_cast(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t *child = node->children[0];
    batch_query_kind_e from = child->kind, to = node->kind;
    int text = from == BATCH_QUERY_TEXT || from == BATCH_QUERY_MEMBER || from == BATCH_QUERY_NULL;
    int numeric = from == BATCH_QUERY_INTEGER || from == BATCH_QUERY_NUMBER;

    if (from == BATCH_QUERY_LITERAL) {
        return (node->zone != BATCH_ZONE_WITHOUT || check_no_zone(checker, child)) &&
               require_literal(checker, child, to);
    }
    if (text || from == to || (to == BATCH_QUERY_TEXT && from != BATCH_QUERY_INTERVAL) ||
        (numeric && (to == BATCH_QUERY_INTEGER || to == BATCH_QUERY_NUMBER)) ||
        (from == BATCH_QUERY_INTEGER && to == BATCH_QUERY_BOOLEAN) ||
        (from == BATCH_QUERY_BOOLEAN && to == BATCH_QUERY_INTEGER) ||
        (from == BATCH_QUERY_DECIMAL && to == BATCH_QUERY_NUMBER) ||
        (is_time(from) && is_time(to))) {
        return 1;
    }
    return batch_query_fault(checker->text, node->at, "a value of type %s cannot be cast to %s",
                             batch_query_kind_name(from), batch_query_kind_name(to));
}

/* The conditions, or what they are compared with; and the values. */
static int check_case(const batch_checker_t *checker, batch_node_t *node)
{
    batch_node_t ***conditions =
        apr_palloc(checker->text->p, 2 * ((apr_size_t)node->count + 1) * sizeof(*conditions));
    batch_node_t ***values = conditions + node->count + 1;
    int of = node->op == BATCH_CASE_OF, tested = 0, given = 0, i;
    batch_query_kind_e kind;

    for (i = 0; i < node->count; i++) {
        int is_last = i + 1 == node->count && !((i - of) & 1);

        if (i >= of && ((i - of) & 1 || is_last)) {
            values[given++] = &node->children[i];
        } else {
            conditions[tested++] = &node->children[i];
        }
    }
    if (of && !batch_check_unify_places(checker, conditions, tested, node->at, &kind)) {
        return 0;
    }
    for (i = 0; !of && i < tested; i++) {
        if (!batch_check_require(checker, conditions[i], BATCH_QUERY_BOOLEAN)) {
            return 0;
        }
    }
    return batch_check_unify_places(checker, values, given, node->at, &node->kind);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static int check_operator(const batch_checker_t *checker, batch_node_t *node)
{
    batch_query_kind_e kind;
    int i;

    switch (node->type) {
    case BATCH_NODE_CONVERT:
        return batch_check_cast(checker, node);
    case BATCH_NODE_ARITHMETIC:
        return check_arithmetic(checker, node);
    case BATCH_NODE_NEGATE:
        return batch_check_negate(checker, node);
    case BATCH_NODE_CONCAT:
        node->kind = BATCH_QUERY_TEXT;
        for (i = 0; i < node->count; i++) {
            if (!batch_check_text(checker, &node->children[i])) {
                return 0;
            }
        }
        return 1;
    case BATCH_NODE_CALL:
        return batch_check_call(checker, node);
    case BATCH_NODE_CASE:
        return check_case(checker, node);
    default:
        break;
    }
    node->kind = BATCH_QUERY_BOOLEAN;
    switch (node->type) {
    case BATCH_NODE_AND:
    case BATCH_NODE_OR:
    case BATCH_NODE_NOT:
    case BATCH_NODE_IS_TRUTH:
        return batch_check_require_all(checker, node, BATCH_QUERY_BOOLEAN);
    case BATCH_NODE_IS_NULL:
        return node->op != 'u' || batch_check_require_all(checker, node, BATCH_QUERY_BOOLEAN);
    case BATCH_NODE_LIKE:
        return check_like(checker, node);
    case BATCH_NODE_IN:
        if (!batch_check_unify(checker, node, &kind)) {
            return 0;
        }
        sort_in(node);
        return 1;
    default:
        return check_quoted_numbers(checker, node) && batch_check_unify(checker, node, &kind);
    }
}

/* Children, and what is beside them. */
static int check_below(batch_checker_t *checker, batch_node_t *node)
{
    int i;

    for (i = 0; i < node->count; i++) {
        if (!batch_check(checker, node->children[i])) {
            return 0;
        }
    }
    return 1;
}

/* An array's values are of one kind, which is that of what they are compared with. */
static int check_array(batch_checker_t *checker, batch_node_t *chain)
{
    const apr_size_t size = 2 * ((apr_size_t)(unsigned)chain->count + 1);
    batch_node_t ***places = apr_palloc(checker->text->p, size * sizeof(*places));
    batch_query_kind_e kind;
    int count = 0, i;

    for (i = 0; i < chain->count; i++) {
        batch_node_t *comparison = chain->children[i];

        if (!check_below(checker, comparison) || !check_quoted_numbers(checker, comparison)) {
            return 0;
        }
        places[count++] = &comparison->children[0];
        places[count++] = &comparison->children[1];
    }
    return batch_check_unify_places(checker, places, count, chain->at, &kind);
}

int batch_check(batch_checker_t *checker, batch_node_t *node)
{
    if (node->checked) {
        return 1;
    }
    node->checked = 1;
    switch (node->type) {
    case BATCH_NODE_NAME:
        return batch_check_name(checker, node);
    case BATCH_NODE_AGGREGATE:
        return batch_check_aggregate(checker, node);
    case BATCH_NODE_EXISTS:
    case BATCH_NODE_SCALAR:
    case BATCH_NODE_IN_SELECT:
        return check_below(checker, node) && batch_check_subquery(checker, node);
    default:
        break;
    }
    if ((node->type == BATCH_NODE_AND || node->type == BATCH_NODE_OR) &&
        node->op == BATCH_CHAIN_ARRAY && !check_array(checker, node)) {
        return 0;
    }
    if (!check_below(checker, node)) {
        return 0;
    }
    if (node->type == BATCH_NODE_VALUE) {
        return 1;
    }
    if (!check_operator(checker, node)) {
        return 0;
    }
    fold(checker, node);
    return 1;
}

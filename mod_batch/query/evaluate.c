/* What a checked tree gives for a record; NULL as SQL has it. */
#include "query/evaluate.h"
#include "store/scan.h"

#include <string.h>

#include <apr_strings.h>

typedef batch_evaluation_t evaluation_t;

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

static batch_query_value_t evaluate(const evaluation_t *with, const batch_node_t *node);

static int is_null(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_NULL;
}

static batch_query_value_t truth(int is_true)
{
    return batch_query_boolean_value(is_true);
}

/* AND: false if one is; else NULL if one is; else true. OR with the truths exchanged. */
static batch_query_value_t chain(const evaluation_t *with, const batch_node_t *node, int decisive)
{
    int unknown = 0, i;

    for (i = 0; i < node->count; i++) {
        batch_query_value_t value = evaluate(with, node->children[i]);

        if (is_null(&value)) {
            unknown = 1;
        } else if (value.integer == decisive) {
            return value;
        }
    }
    return unknown ? nothing : truth(!decisive);
}

static int compares(int op, int order)
{
    switch (op) {
    case BATCH_COMPARE_EQUAL:
        return order == 0;
    case BATCH_COMPARE_UNEQUAL:
        return order != 0;
    case BATCH_COMPARE_LESS:
        return order < 0;
    case BATCH_COMPARE_LESS_OR_EQUAL:
        return order <= 0;
    case BATCH_COMPARE_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static batch_query_value_t compare(const evaluation_t *with, const batch_query_value_t *a,
                                   const batch_query_value_t *b, int op)
{
    if (!batch_query_is_same_type(a, b)) {
        return nothing; /* one is NULL, or they are members of different types */
    }
    return truth(compares(op, batch_query_compare_in(with->room, a, b)));
}

static batch_query_value_t distinct(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t a = evaluate(with, node->children[0]);
    batch_query_value_t b = evaluate(with, node->children[1]);
    int differ = batch_query_is_same_type(&a, &b) ? batch_query_compare_in(with->room, &a, &b) != 0
                                                  : !is_null(&a) || !is_null(&b);

    return truth(differ != node->negated);
}

/* The value of the first condition that holds, or of ELSE. */
static batch_query_value_t choose(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t of = nothing;
    int i = 0;

    if (node->op == BATCH_CASE_OF) {
        of = evaluate(with, node->children[i++]);
    }
    for (; i + 1 < node->count; i += 2) {
        batch_query_value_t when = evaluate(with, node->children[i]);

        if (node->op == BATCH_CASE_OF) {
            when = compare(with, &of, &when, BATCH_COMPARE_EQUAL);
        }
        if (!is_null(&when) && when.integer) {
            return evaluate(with, node->children[i + 1]);
        }
    }
    return i < node->count ? evaluate(with, node->children[i]) : nothing;
}

static batch_query_value_t negate_if(const batch_node_t *node, batch_query_value_t value)
{
    return is_null(&value) || !node->negated ? value : truth(!value.integer);
}

static batch_query_value_t look_up(const evaluation_t *with, const batch_node_t *node,
                                   const batch_query_value_t *value)
{
    int low = 1, high = node->count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = batch_query_compare_in(with->room, value, &node->children[middle]->value);

        if (!order) {
            return truth(1);
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return truth(0);
}

static batch_query_value_t in(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t value = evaluate(with, node->children[0]);
    int unknown = 0, i;

    if (is_null(&value)) {
        return nothing;
    }
    if (node->sorted) {
        return look_up(with, node, &value);
    }
    for (i = 1; i < node->count; i++) {
        batch_query_value_t other = evaluate(with, node->children[i]);

        if (!batch_query_is_same_type(&value, &other)) {
            unknown = 1;
        } else if (!batch_query_compare_in(with->room, &value, &other)) {
            return truth(1);
        }
    }
    return unknown ? nothing : truth(0);
}

static batch_query_value_t between(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t value = evaluate(with, node->children[0]);
    batch_query_value_t least = evaluate(with, node->children[1]);
    batch_query_value_t most = evaluate(with, node->children[2]);
    batch_query_value_t above = compare(with, &value, &least, BATCH_COMPARE_GREATER_OR_EQUAL);
    batch_query_value_t below = compare(with, &value, &most, BATCH_COMPARE_LESS_OR_EQUAL);

    if ((!is_null(&above) && !above.integer) || (!is_null(&below) && !below.integer)) {
        return truth(0);
    }
    return is_null(&above) || is_null(&below) ? nothing : truth(1);
}

static batch_query_value_t like(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t text = evaluate(with, node->children[0]);
    batch_query_value_t pattern = evaluate(with, node->children[1]);
    batch_query_value_t escape = batch_query_text_value("\\", 1);

    if (node->count > 2) {
        escape = evaluate(with, node->children[2]);
    }
    if (is_null(&text) || is_null(&pattern) || is_null(&escape)) {
        return nothing;
    }
    if (node->fold) {
        text = batch_query_fold(&text, 0, with->room);
        pattern = batch_query_fold(&pattern, 0, with->room);
        escape = batch_query_fold(&escape, 0, with->room);
        if (is_null(&text) || is_null(&pattern) || is_null(&escape)) {
            return nothing; /* no room */
        }
    }
    return truth(batch_query_like(&text, &pattern, &escape, with->room));
}

static batch_query_value_t concatenate(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t *parts = (batch_query_value_t *)batch_query_take(
        with->room, (apr_size_t)node->count * sizeof(*parts));
    apr_size_t length = 0;
    char *text, *next;
    int i;

    for (i = 0; parts && i < node->count; i++) {
        parts[i] = evaluate(with, node->children[i]);
        if (is_null(&parts[i])) {
            return nothing;
        }
        length += parts[i].length;
    }
    if (!parts || !batch_query_makes(with->room, length) ||
        !(text = batch_query_take(with->room, length))) {
        return nothing;
    }
    for (next = text, i = 0; i < node->count; i++) {
        memcpy(next, parts[i].text, parts[i].length);
        next += parts[i].length;
    }
    return batch_query_text_value(text, length);
}

static int is_about_time(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_DATE || value->kind == BATCH_QUERY_TIMESTAMP ||
           value->kind == BATCH_QUERY_INTERVAL;
}

static batch_query_value_t arithmetic(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t a = evaluate(with, node->children[0]);
    batch_query_value_t b = evaluate(with, node->children[1]);

    if (is_null(&a) || is_null(&b)) {
        return nothing;
    }
    return is_about_time(&a) || is_about_time(&b)
               ? batch_query_time_arithmetic((char)node->op, node->kind, &a, &b)
               : batch_query_arithmetic((char)node->op, node->kind, &a, &b);
}

static batch_query_value_t negative(const batch_node_t *node, const batch_query_value_t *value)
{
    batch_query_value_t zero = batch_query_integer_value(0);

    return batch_query_arithmetic('-', node->kind, &zero, value);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

/* A member is read as a number or a truth only where it is one, or a text that says so. */
static int is_other(const batch_query_value_t *member, batch_query_kind_e kind)
{
    return member->kind == BATCH_QUERY_BOOLEAN
               ? kind == BATCH_QUERY_INTEGER
               : kind == BATCH_QUERY_BOOLEAN && member->kind != BATCH_QUERY_TEXT;
}

/* A text as a timestamp without a zone: the one in it is ignored. */
static batch_query_value_t local_time(const evaluation_t *with, const batch_query_value_t *text)
{
    batch_query_value_t time = {.kind = BATCH_QUERY_TIMESTAMP};
    apr_int64_t offset;

    return batch_query_work(with->room, text->length / 4) &&
                   batch_query_time_parse_local(&time.integer, &offset, text->text, text->length)
               ? time
               : nothing;
}

static batch_query_value_t evaluate_one(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t value = evaluate(with, node->children[0]);

    switch (node->type) {
    case BATCH_NODE_CONVERT:
        if (node->children[0]->kind == BATCH_QUERY_MEMBER && is_other(&value, node->kind)) {
            return nothing;
        }
        return node->zone == BATCH_ZONE_WITHOUT && value.kind == BATCH_QUERY_TEXT
                   ? local_time(with, &value)
                   : batch_query_convert(&value, node->kind, with->room);
    case BATCH_NODE_NOT:
        return is_null(&value) ? value : truth(!value.integer);
    case BATCH_NODE_IS_NULL:
        return truth(is_null(&value) != node->negated);
    case BATCH_NODE_IS_TRUTH:
        return truth((!is_null(&value) && value.integer == (node->op == 't')) != node->negated);
    default:
        return is_null(&value) ? value : negative(node, &value);
    }
}

static batch_query_value_t evaluate(const evaluation_t *with, const batch_node_t *node)
{
    batch_query_value_t a, b;

    if (!batch_query_work(with->room, 1)) {
        return nothing; /* whatever is left of the tree */
    }
    switch (node->type) {
    case BATCH_NODE_VALUE:
        return node->value;
    case BATCH_NODE_COLUMN:
        return with->record->columns[node->slot];
    case BATCH_NODE_MEMBER:
        return with->record->members[node->slot];
    case BATCH_NODE_ARGUMENT:
        return with->record->arguments[node->slot];
    case BATCH_NODE_AND:
        return chain(with, node, 0);
    case BATCH_NODE_OR:
        return chain(with, node, 1);
    case BATCH_NODE_COMPARE:
        a = evaluate(with, node->children[0]);
        b = evaluate(with, node->children[1]);
        return compare(with, &a, &b, node->op);
    case BATCH_NODE_DISTINCT:
        return distinct(with, node);
    case BATCH_NODE_IN:
        return negate_if(node, in(with, node));
    case BATCH_NODE_BETWEEN:
        return negate_if(node, between(with, node));
    case BATCH_NODE_CASE:
        return choose(with, node);
    case BATCH_NODE_LIKE:
        return negate_if(node, like(with, node));
    case BATCH_NODE_ARITHMETIC:
        return arithmetic(with, node);
    case BATCH_NODE_CONCAT:
        return concatenate(with, node);
    case BATCH_NODE_CALL:
        return batch_evaluate_call(with, node);
    default:
        return evaluate_one(with, node);
    }
}

batch_query_value_t batch_evaluate(const batch_evaluation_t *with, const batch_node_t *node)
{
    return evaluate(with, node);
}

batch_query_value_t batch_query_evaluate(const batch_node_t *node, const batch_record_t *record,
                                         batch_query_room_t *room)
{
    evaluation_t with = {record, room};

    return evaluate(&with, node);
}

/* ---- What the database can decide -------------------------------------------------------------
 */

static const char **text_constants(const batch_node_t *node, apr_pool_t *p)
{
    const char **values = apr_palloc(p, (apr_size_t)node->count * sizeof(*values));
    int i;

    for (i = 1; i < node->count; i++) {
        const batch_node_t *child = node->children[i];

        if (child->type != BATCH_NODE_VALUE || child->value.kind != BATCH_QUERY_TEXT ||
            memchr(child->value.text, '\0', child->value.length)) {
            return NULL;
        }
        values[i - 1] = apr_pstrmemdup(p, child->value.text, child->value.length);
    }
    return values;
}

static void add_where(apr_array_header_t *wheres, const batch_source_t *form,
                      const batch_node_t *node, apr_pool_t *p)
{
    const batch_node_t *column = node->count ? node->children[0] : NULL;
    batch_where_t where;

    if (column && node->type == BATCH_NODE_COMPARE && node->op == BATCH_COMPARE_EQUAL &&
        column->type == BATCH_NODE_VALUE) {
        batch_node_t *turned[] = {node->children[1], node->children[0]};
        batch_node_t copy = *node;

        copy.children = turned;
        copy.count = 2;
        if (turned[0]->type != BATCH_NODE_VALUE) {
            add_where(wheres, form, &copy, p);
        }
        return;
    }
    if (!column || column->type != BATCH_NODE_COLUMN || column->kind != BATCH_QUERY_TEXT ||
        column->source != form) {
        return;
    }
    where.column =
        APR_ARRAY_IDX(column->source->columns, column->slot, const batch_query_column_t *)->column;
    if ((node->type == BATCH_NODE_COMPARE && node->op == BATCH_COMPARE_EQUAL) ||
        (node->type == BATCH_NODE_IN && !node->negated)) {
        where.values = text_constants(node, p);
        where.count = node->count - 1;
        if (!where.values) {
            return;
        }
    } else {
        return;
    }
    APR_ARRAY_PUSH(wheres, batch_where_t) = where;
}

apr_array_header_t *batch_query_wheres(const batch_select_t *select, const batch_source_t *form,
                                       apr_pool_t *p)
{
    apr_array_header_t *wheres = apr_array_make(p, 4, sizeof(batch_where_t));
    int i;

    if (select->where && select->where->type == BATCH_NODE_AND) {
        for (i = 0; i < select->where->count; i++) {
            add_where(wheres, form, select->where->children[i], p);
        }
    } else if (select->where) {
        add_where(wheres, form, select->where, p);
    }
    return wheres;
}

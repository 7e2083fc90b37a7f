/* What is wrong with a <BatchResource> as a whole, and whether two of them mean the same. */
#include "config/private.h"

#include <string.h>

#include <apr_strings.h>

/* A column that the module itself fills or selects by, and the directive that says so. */
struct special {
    const char *directive;
    const char *column; /* NULL: not given */
};

/* Every column has one purpose only, or what one rule protects another would let a client write. */
static const char *specials_check(const batch_resource_t *resource, apr_pool_t *p)
{
    const struct special specials[] = {
        {"BatchKey", resource->key},
        {"BatchScope", resource->scope},
        {"BatchForm", resource->form_column},
        {"BatchStamp", resource->created_at},
        {"BatchStamp", resource->updated_at},
        {"BatchStamp", resource->created_by_id},
        {"BatchStamp", resource->updated_by_id},
    };
    const size_t count = sizeof(specials) / sizeof(*specials);
    size_t i;
    size_t j;

    for (i = 0; i < count; i++) {
        const batch_column_t *column;

        if (!specials[i].column) {
            continue;
        }
        column = batch_resource_column(resource, specials[i].column);
        if (column && !column->readonly) {
            return apr_psprintf(
                p,
                "<BatchResource %s>: column '%s' belongs to %s, so BatchColumn must "
                "say readonly: a batch may not write it",
                resource->name, column->name, specials[i].directive);
        }
        for (j = 0; j < i; j++) {
            if (specials[j].column && !strcmp(specials[i].column, specials[j].column)) {
                return apr_psprintf(p,
                                    "<BatchResource %s>: column '%s' is named twice, by %s and %s",
                                    resource->name, specials[i].column, specials[j].directive,
                                    specials[i].directive);
            }
        }
    }
    return NULL;
}

static const char *match_check(const batch_resource_t *resource, apr_pool_t *p)
{
    int i;

    for (i = 0; i < resource->match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(resource->match, i, const char *);
        const batch_column_t *column = batch_resource_column(resource, name);

        if (!column || column->readonly || batch_type_form(column->type) == BATCH_FORM_ANY) {
            return apr_psprintf(p,
                                "<BatchResource %s>: BatchMatch names '%s', which no BatchColumn "
                                "declares as writable and not json",
                                resource->name, name);
        }
    }
    return NULL;
}

/* 1 if the module knows the column: else nobody would have looked whether the table has it. */
static int knows_column(const batch_resource_t *resource, const char *name)
{
    const char *const others[] = {resource->key, resource->created_at, resource->updated_at,
                                  resource->created_by_id, resource->updated_by_id};
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (others[i] && !strcmp(others[i], name)) {
            return 1;
        }
    }
    return batch_resource_column(resource, name) != NULL;
}

static const char *query_check(const batch_resource_t *resource, apr_pool_t *p)
{
    const batch_column_t *members;
    int i;

    for (i = 0; i < resource->query_names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(resource->query_names, i, batch_query_name_t).column;
        if (!knows_column(resource, name)) {
            return apr_psprintf(p,
                                "<BatchResource %s>: BatchQueryColumn names '%s', which is neither "
                                "BatchKey nor a column of BatchColumn or BatchStamp",
                                resource->name, name);
        }
    }
    if (!resource->query_members || !strcmp(resource->query_members, "-")) {
        return NULL;
    }
    members = batch_resource_column(resource, resource->query_members);
    if (!members || batch_type_form(members->type) != BATCH_FORM_ANY) {
        return apr_psprintf(p,
                            "<BatchResource %s>: BatchQueryMembers names '%s', which no "
                            "BatchColumn declares as json",
                            resource->name, resource->query_members);
    }
    return NULL;
}

const char *batch_section_check(const batch_section_t *section, apr_pool_t *p)
{
    static const batch_inner_e needed[] = {BATCH_INNER_TABLE, BATCH_INNER_KEY, BATCH_INNER_ACTIONS};
    const batch_resource_t *resource = &section->resource;
    const char *wrong;
    size_t i;

    for (i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
        if (!(section->given & (1u << needed[i]))) {
            return apr_psprintf(p, "<BatchResource %s> lacks %s", resource->name,
                                batch_inner_specs[needed[i]].directive);
        }
    }
    if (resource->form_column && resource->scope && !resource->form_scope) {
        return apr_psprintf(p,
                            "<BatchResource %s>: BatchForm needs scope=COLUMN, since the resource "
                            "has a BatchScope: else forms of other organizations would be found",
                            resource->name);
    }
    if (resource->form_column && (resource->actions & batch_actions_like(BATCH_ACTION_MAKES))) {
        return apr_psprintf(p,
                            "<BatchResource %s>: BatchActions %s do not go with "
                            "BatchForm: a row could not be created without a form",
                            resource->name,
                            batch_action_words(batch_actions_like(BATCH_ACTION_MAKES), "and", p));
    }
    wrong = specials_check(resource, p);
    if (!wrong) {
        wrong = match_check(resource, p);
    }
    return wrong ? wrong : query_check(resource, p);
}

/* ---- Comparing ----------------------------------------------------------------------------------
 */

static int same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static int same_list(const apr_array_header_t *a, const apr_array_header_t *b)
{
    int i;

    if (!a || !b || a->nelts != b->nelts) {
        return a == b;
    }
    for (i = 0; i < a->nelts; i++) {
        if (!same_text(APR_ARRAY_IDX(a, i, const char *), APR_ARRAY_IDX(b, i, const char *))) {
            return 0;
        }
    }
    return 1;
}

static int same_column(const batch_column_t *a, const batch_column_t *b)
{
    return same_text(a->name, b->name) && a->type == b->type && a->required == b->required &&
           a->immutable == b->immutable && a->readonly == b->readonly && a->max == b->max &&
           same_text(a->min, b->min) && a->precision == b->precision && a->scale == b->scale &&
           a->has_scale == b->has_scale && same_list(a->words, b->words);
}

static int same_columns(const batch_resource_t *a, const batch_resource_t *b)
{
    int i;

    if (a->columns->nelts != b->columns->nelts) {
        return 0;
    }
    for (i = 0; i < a->columns->nelts; i++) {
        if (!same_column(&APR_ARRAY_IDX(a->columns, i, batch_column_t),
                         &APR_ARRAY_IDX(b->columns, i, batch_column_t))) {
            return 0;
        }
    }
    return 1;
}

static int same_query(const batch_resource_t *a, const batch_resource_t *b)
{
    int i;

    if (a->query_names->nelts != b->query_names->nelts ||
        !same_text(a->query_members, b->query_members)) {
        return 0;
    }
    for (i = 0; i < a->query_names->nelts; i++) {
        const batch_query_name_t *one = &APR_ARRAY_IDX(a->query_names, i, batch_query_name_t);
        const batch_query_name_t *other = &APR_ARRAY_IDX(b->query_names, i, batch_query_name_t);
        if (!same_text(one->name, other->name) || !same_text(one->column, other->column)) {
            return 0;
        }
    }
    return 1;
}

int batch_resource_same(const batch_resource_t *a, const batch_resource_t *b)
{
    return a == b ||
           (same_text(a->table, b->table) && same_text(a->key, b->key) && a->keys == b->keys &&
            same_list(a->match, b->match) && same_text(a->scope, b->scope) &&
            a->actions == b->actions && same_text(a->created_at, b->created_at) &&
            same_text(a->updated_at, b->updated_at) &&
            same_text(a->created_by_id, b->created_by_id) &&
            same_text(a->updated_by_id, b->updated_by_id) &&
            same_text(a->form_column, b->form_column) && same_text(a->form_table, b->form_table) &&
            same_text(a->form_id, b->form_id) && same_text(a->form_scope, b->form_scope) &&
            same_text(a->form_name, b->form_name) && same_columns(a, b) && same_query(a, b));
}

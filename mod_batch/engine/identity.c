#include "engine/identity.h"

#include <string.h>

#include "engine/validation.h"
#include "text/nearest_word.h"

/* Unknown members of an item that are compared with names; whoever sends more may mean anything. */
#define UNKNOWN_MEMBERS 16

/* What an item says of one of the values by which rows are found. */
typedef enum {
    SAID_NOT,   /* nothing, or null */
    SAID_WRONG, /* something that is no such value, so that nobody knows which one was meant */
    SAID_WELL
} said_e;

/* The names of the members that an item may have, with NULL behind them. */
static const char *const *known_names(const batch_resource_t *resource, apr_pool_t *p)
{
    int count = resource->columns->nelts;
    const char **names = apr_palloc(p, (apr_size_t)(unsigned)(count + 2) * sizeof(*names));
    int i;

    names[0] = resource->key;
    for (i = 0; i < count; i++) {
        names[i + 1] = APR_ARRAY_IDX(resource->columns, i, batch_column_t).name;
    }
    names[count + 1] = NULL;
    return names;
}

/* 1 if the item has a member, unknown to the resource, that may have been meant as that one. */
static int has_nearly(const batch_source_item_t *source, const batch_resource_t *resource,
                      const char *name, apr_pool_t *p)
{
    const char *const *names = known_names(resource, p);
    int i;

    if (source->value_count > resource->columns->nelts + 1 + UNKNOWN_MEMBERS) {
        return 1;
    }
    for (i = 0; i < source->value_count; i++) {
        const char *other = source->values[i].name;
        const char *meant = batch_word_meant(other, strlen(other), names);

        if (meant && !strcmp(meant, name)) {
            return 1;
        }
    }
    return 0;
}

static said_e key_said(const batch_judged_t *judged, const batch_terms_t *terms, apr_pool_t *p)
{
    const batch_source_item_t *source = &judged->source;
    const char *key = terms->resource->key;
    const batch_value_t *value = batch_value_find(source->values, source->value_count, key);
    batch_value_t said;
    batch_fault_t fault;

    if (!value && has_nearly(source, terms->resource, key, p)) {
        return SAID_WRONG;
    }
    if (!value || !value->value) {
        return SAID_NOT;
    }
    said = *value;
    return batch_key_settle(&fault, &said, terms->key_type, p) ? SAID_WELL : SAID_WRONG;
}

/* The match value of that name, the request's default included. *value: what it is, settled. */
static said_e match_said(batch_value_t *value, const batch_judged_t *judged,
                         const batch_terms_t *terms, const char *name, apr_pool_t *p)
{
    const batch_source_item_t *source = &judged->source;
    const batch_column_t *column = batch_resource_column(terms->resource, name);
    const batch_value_t *said = batch_value_find(source->values, source->value_count, name);
    batch_fault_t fault;

    if (!said && has_nearly(source, terms->resource, name, p)) {
        return SAID_WRONG;
    }
    said = said ? said : batch_value_find(terms->properties, terms->property_count, name);
    if (!said || !said->value) {
        return SAID_NOT;
    }
    *value = *said;
    return column && batch_value_settle(&fault, value, column, p) ? SAID_WELL : SAID_WRONG;
}

/*
 * An id says which row is meant where the item could make one with it, or where there is nothing
 * else to find rows by, or a row has it. Else the match values do, if the item has all of them. An
 * item with neither that is to make a row names none: either the resource has nothing to find one
 * by, or the item is a duplicate and without faults of its own.
 */
void batch_identity_judge(batch_judged_t *judged, const batch_terms_t *terms, int is_faultless,
                          apr_pool_t *p)
{
    const batch_resource_t *resource = terms->resource;
    said_e key = key_said(judged, terms, p);
    said_e match = SAID_WELL;
    batch_value_t value;
    int i;

    if (judged->source.unreadable || key == SAID_WRONG) {
        judged->unnamed = 1;
        return;
    }
    if (key == SAID_WELL && (resource->keys == BATCH_KEYS_CLIENT || !resource->match->nelts)) {
        return;
    }
    for (i = 0; i < resource->match->nelts && match != SAID_WRONG; i++) {
        said_e said =
            match_said(&value, judged, terms, APR_ARRAY_IDX(resource->match, i, const char *), p);

        match = said < match || said == SAID_WRONG ? said : match;
    }
    if (resource->match->nelts && match == SAID_WELL) {
        return;
    }
    if (key == SAID_WELL) {
        judged->look = judged->look_for_key = 1; /* unless there is such a row */
        return;
    }
    judged->unnamed = resource->keys == BATCH_KEYS_CLIENT ||
                      (resource->match->nelts && (match == SAID_WRONG || !is_faultless));
}

void batch_identity_keep(batch_judged_t *judged, const batch_terms_t *terms, apr_pool_t *p)
{
    const apr_array_header_t *match = terms->resource->match;
    batch_item_t *item = &judged->item;
    int i;

    item->value_count = 0;
    item->values = NULL;
    if (!batch_action_is(terms->action, BATCH_ACTION_CLEANS_UP) || !match->nelts) {
        return;
    }
    item->values = apr_palloc(p, (apr_size_t)(unsigned)match->nelts * sizeof(*item->values));
    for (i = 0; i < match->nelts; i++) {
        if (match_said(&item->values[item->value_count], judged, terms,
                       APR_ARRAY_IDX(match, i, const char *), p) == SAID_WELL) {
            item->value_count++;
        }
    }
}

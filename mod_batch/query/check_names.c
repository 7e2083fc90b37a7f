/* What a name means: a column or member of a form, or an output of a SELECT in FROM. */
#include "query/check.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Nodes of sources -------------------------------------------------------------------------
 */

static batch_node_t *make(const batch_checker_t *checker, batch_node_type_e type,
                          batch_source_t *source, int slot, int at)
{
    batch_node_t *node = apr_pcalloc(checker->text->p, sizeof(*node));

    node->type = type;
    node->source = source;
    node->slot = slot;
    node->at = at;
    node->checked = 1;
    return node;
}

static int column_slot(const batch_source_t *form, const batch_query_column_t *column)
{
    int i;

    for (i = 0; i < form->columns->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(form->columns, i, const batch_query_column_t *)->column,
                    column->column)) {
            return i;
        }
    }
    APR_ARRAY_PUSH(form->columns, const batch_query_column_t *) = column;
    return form->columns->nelts - 1;
}

batch_node_t *batch_check_column(const batch_checker_t *checker, batch_source_t *form,
                                 const batch_query_column_t *column, int at)
{
    batch_node_t *node = make(checker, BATCH_NODE_COLUMN, form, column_slot(form, column), at);

    node->kind = column->kind;
    node->name = column->name;
    return node;
}

static int member_slot(const batch_source_t *form, const char *name, int at)
{
    batch_member_t *member;
    int i;

    for (i = 0; i < form->members->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(form->members, i, batch_member_t).name, name)) {
            return i;
        }
    }
    member = apr_array_push(form->members);
    memset(member, 0, sizeof(*member));
    member->name = name;
    member->length = strlen(name);
    member->at = at;
    return form->members->nelts - 1;
}

batch_node_t *batch_check_member(const batch_checker_t *checker, batch_source_t *form,
                                 const char *name, int at)
{
    batch_node_t *node = make(checker, BATCH_NODE_MEMBER, form, member_slot(form, name, at), at);

    node->kind = BATCH_QUERY_MEMBER;
    node->name = name;
    return node;
}

batch_node_t *batch_check_output(const batch_checker_t *checker, batch_source_t *source, int slot,
                                 int at)
{
    const batch_output_t *output = &APR_ARRAY_IDX(source->select->outputs, slot, batch_output_t);
    batch_node_t *node = make(checker, BATCH_NODE_OUTPUT, source, slot, at);

    node->kind = output->kind;
    node->name = output->name;
    return node;
}

/* ---- What there is ----------------------------------------------------------------------------
 */

const char *batch_check_source_name(const batch_source_t *source)
{
    return source->alias ? source->alias : source->form ? source->form->text : "";
}

int batch_check_has(const batch_checker_t *checker, const batch_source_t *form, const char *name)
{
    if (!checker->membership) {
        checker->statement->is_guess = 1;
        return 1;
    }
    return checker->membership->has(checker->membership->baton, form, name);
}

/* The name of an output of a SELECT in FROM, as the text or its alias has it. */
static const char *output_name(const batch_source_t *source, int slot)
{
    if (source->renames && slot < source->renames->nelts) {
        return APR_ARRAY_IDX(source->renames, slot, const batch_token_t *)->text;
    }
    return APR_ARRAY_IDX(source->select->outputs, slot, batch_output_t).name;
}

/* What one source has by that name: a place among its outputs, -1 none, -2 several. */
static int find_output(const batch_source_t *source, const char *name)
{
    int found = -1, i;

    for (i = 0; i < source->select->outputs->nelts; i++) {
        if (!strcmp(output_name(source, i), name)) {
            found = found < 0 ? i : -2;
        }
        if (found == -2) {
            break;
        }
    }
    return found;
}

static int ambiguous(const batch_checker_t *checker, const batch_node_t *node)
{
    return batch_query_fault(checker->text, node->at,
                             "\"%s\" is ambiguous: several of the forms have it, write the form's "
                             "name or alias and a dot before it",
                             node->name);
}

/* ---- Names with a qualifier -------------------------------------------------------------------
 */

/* A form without an alias is also meant by its name in another case. */
static int is_called(const batch_source_t *source, const char *qualifier, int exactly)
{
    const char *name = batch_check_source_name(source);

    return exactly ? !strcmp(name, qualifier)
                   : source->type == BATCH_SOURCE_FORM && !source->alias &&
                         !strcasecmp(name, qualifier);
}

static batch_source_t *find_source(const batch_scope_t *scope, const char *qualifier)
{
    int exactly, i;

    for (; scope; scope = scope->parent) {
        for (exactly = 1; exactly >= 0; exactly--) {
            for (i = 0; i < scope->sources->nelts; i++) {
                batch_source_t *source = APR_ARRAY_IDX(scope->sources, i, batch_source_t *);

                if (is_called(source, qualifier, exactly)) {
                    return source;
                }
            }
        }
    }
    return NULL;
}

static int no_source(const batch_checker_t *checker, const batch_node_t *node)
{
    const batch_scope_t *scope;
    const char *only = NULL;
    batch_near_t near;
    int count = 0, i;

    batch_near_init(&near, node->qualifier, checker->text->p);
    for (scope = checker->scope; scope; scope = scope->parent) {
        for (i = 0; i < scope->sources->nelts; i++) {
            only = batch_check_source_name(APR_ARRAY_IDX(scope->sources, i, batch_source_t *));
            batch_near_offer(&near, only, strlen(only));
            count += *only != '\0';
        }
    }
    if (count == 1 && *only) {
        return batch_query_fault(checker->text, node->at,
                                 "\"%s\" is no form of this query: it has \"%s\"", node->qualifier,
                                 only);
    }
    return batch_query_fault(checker->text, node->at, "\"%s\" is no form of this query%s",
                             node->qualifier, batch_near_words(&near));
}

static void offer_columns(const batch_checker_t *checker, batch_near_t *near)
{
    int i;

    for (i = 0; i < checker->schema->columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(checker->schema->columns, i, batch_query_column_t).name;
        batch_near_offer(near, name, strlen(name));
    }
}

static void offer_outputs(const batch_source_t *source, batch_near_t *near)
{
    int i;

    for (i = 0; i < source->select->outputs->nelts; i++) {
        batch_near_offer(near, output_name(source, i), strlen(output_name(source, i)));
    }
}

static int unknown_member(const batch_checker_t *checker, const batch_node_t *node)
{
    batch_near_t near;

    batch_near_init(&near, node->name, checker->text->p);
    checker->membership->offer(checker->membership->baton, &near);
    offer_columns(checker, &near);
    return batch_query_fault(checker->text, node->at,
                             "there is no column \"%s\", and no record of the form has a member of "
                             "that name%s",
                             node->name, batch_near_words(&near));
}

/* A name that nothing has which the query sees. */
static int unknown_name(const batch_checker_t *checker, const batch_node_t *node)
{
    const batch_scope_t *scope;
    batch_near_t near;
    int i;

    if (checker->schema->members && checker->membership) {
        for (scope = checker->scope; scope; scope = scope->parent) {
            for (i = 0; i < scope->sources->nelts; i++) {
                if (APR_ARRAY_IDX(scope->sources, i, batch_source_t *)->type == BATCH_SOURCE_FORM) {
                    return unknown_member(checker, node);
                }
            }
        }
    }
    batch_near_init(&near, node->name, checker->text->p);
    for (scope = checker->scope; scope; scope = scope->parent) {
        for (i = 0; i < scope->sources->nelts; i++) {
            const batch_source_t *source = APR_ARRAY_IDX(scope->sources, i, batch_source_t *);

            if (source->type == BATCH_SOURCE_SELECT) {
                offer_outputs(source, &near);
            } else {
                offer_columns(checker, &near);
            }
        }
    }
    return batch_query_fault(checker->text, node->at, "there is no column \"%s\"%s", node->name,
                             batch_near_words(&near));
}

static int become(batch_node_t *node, const batch_node_t *meaning)
{
    int at = node->at;

    *node = *meaning;
    node->at = at;
    return 1;
}

static int check_qualified(const batch_checker_t *checker, batch_node_t *node)
{
    batch_source_t *source = find_source(checker->scope, node->qualifier);
    const batch_query_column_t *column;
    batch_near_t near;
    int slot;

    if (!source) {
        return no_source(checker, node);
    }
    if (source->type == BATCH_SOURCE_SELECT) {
        slot = find_output(source, node->name);
        if (slot >= 0) {
            return become(node, batch_check_output(checker, source, slot, node->at));
        }
        if (slot == -2) {
            return ambiguous(checker, node);
        }
        batch_near_init(&near, node->name, checker->text->p);
        offer_outputs(source, &near);
        return batch_query_fault(checker->text, node->at, "\"%s\" has no column \"%s\"%s",
                                 node->qualifier, node->name, batch_near_words(&near));
    }
    column = batch_query_schema_column(checker->schema, node->name);
    if (column) {
        return become(node, batch_check_column(checker, source, column, node->at));
    }
    if (!checker->schema->members) {
        return unknown_name(checker, node);
    }
    if (checker->membership && !batch_check_has(checker, source, node->name)) {
        return unknown_member(checker, node);
    }
    return become(node, batch_check_member(checker, source, node->name, node->at));
}

/* ---- Names alone ------------------------------------------------------------------------------
 */

typedef struct search {
    const batch_node_t *found; /* a column, an output, or what USING has made of two */
    batch_source_t *member;    /* the form that has it as a member, … */
    batch_source_t *empty;     /* … or one without records, which may have */
    int count;                 /* of all but the last */
} search_t;

int batch_check_is_merged(const batch_scope_t *scope, const batch_source_t *source,
                          const char *name)
{
    int i;

    for (i = 0; i < scope->merged->nelts; i++) {
        const batch_merged_t *merged = &APR_ARRAY_IDX(scope->merged, i, batch_merged_t);

        if ((merged->source == source || merged->other == source) && !strcmp(merged->name, name)) {
            return 1;
        }
    }
    return 0;
}

static void search_form(const batch_checker_t *checker, search_t *search, batch_source_t *form,
                        const batch_node_t *node)
{
    const batch_query_column_t *column = batch_query_schema_column(checker->schema, node->name);
    int has;

    if (column) {
        search->count++;
        search->found = batch_check_column(checker, form, column, node->at);
        return;
    }
    if (!checker->schema->members) {
        return;
    }
    has = checker->membership
              ? checker->membership->has(checker->membership->baton, form, node->name)
              : -1;
    if (has > 0) {
        search->count++;
        search->member = form;
    } else if (has < 0 && !search->empty) {
        search->empty = form;
    }
}

/* What one SELECT's sources have by that name. */
static int search_scope(const batch_checker_t *checker, search_t *search,
                        const batch_scope_t *scope, const batch_node_t *node)
{
    int i, slot;

    memset(search, 0, sizeof(*search));
    for (i = 0; i < scope->merged->nelts; i++) {
        const batch_merged_t *merged = &APR_ARRAY_IDX(scope->merged, i, batch_merged_t);

        if (!merged->is_hidden && !strcmp(merged->name, node->name)) {
            search->found = merged->node;
            search->count++;
        }
    }
    for (i = 0; i < scope->sources->nelts; i++) {
        batch_source_t *source = APR_ARRAY_IDX(scope->sources, i, batch_source_t *);

        if (batch_check_is_merged(scope, source, node->name)) {
            continue;
        }
        if (source->type == BATCH_SOURCE_FORM) {
            search_form(checker, search, source, node);
            continue;
        }
        slot = find_output(source, node->name);
        if (slot >= 0) {
            search->count++;
            search->found = batch_check_output(checker, source, slot, node->at);
        } else if (slot == -2) {
            search->count += 2;
        }
    }
    return search->count;
}

/* Takes a form that has no records, or of which it is not known, for the one that is meant. */
static int guess(const batch_checker_t *checker, batch_node_t *node, batch_source_t *form)
{
    const batch_scope_t *scope = checker->scope;

    /* There may be only one that it can be. */
    checker->statement->is_guess |=
        !checker->membership && (scope->parent != NULL || scope->sources->nelts > 1);
    return become(node, batch_check_member(checker, form, node->name, node->at));
}

int batch_check_name(batch_checker_t *checker, batch_node_t *node)
{
    const batch_scope_t *scope;
    search_t search;

    if (node->qualifier) {
        return check_qualified(checker, node);
    }
    for (scope = checker->scope; scope; scope = scope->parent) {
        if (search_scope(checker, &search, scope, node) > 1) {
            return ambiguous(checker, node);
        }
        if (search.count) {
            checker->statement->is_guess |= !checker->membership && search.empty;
            return become(node, search.found ? search.found
                                             : batch_check_member(checker, search.member,
                                                                  node->name, node->at));
        }
        /* A form without records may have any member, before what is around the SELECT. */
        if (search.empty) {
            return guess(checker, node, search.empty);
        }
    }
    return unknown_name(checker, node);
}

int batch_check_sees(const batch_checker_t *checker, const char *name)
{
    const batch_node_t node = {.name = name};
    search_t search;

    if (!search_scope(checker, &search, checker->scope, &node)) {
        checker->statement->is_guess |= !checker->membership && search.empty;
        return 0;
    }
    return 1;
}

/* What can be said of a request of the resources API without its items. */
#include "engine/intake.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/unknown_name.h"
#include "engine/validation.h"

/* ---- Words --------------------------------------------------------------------------------------
 */

typedef const char *word_fn(int symbol);

static const char *action_word(int symbol)
{
    return batch_action_name((batch_action_e)symbol);
}

static const char *mode_word(int symbol)
{
    return batch_mode_name((batch_mode_e)symbol);
}

static const char *duplicates_word(int symbol)
{
    return batch_duplicates_name((batch_duplicates_e)symbol);
}

/* The words of the symbols from 0 on whose bit is in mask, as "a, b or c". */
static const char *words_of(word_fn *word, int count, unsigned mask, apr_pool_t *p)
{
    const char *text = NULL;
    int left = 0;
    int i;

    for (i = 0; i < count; i++) {
        left += (mask >> i) & 1u;
    }
    for (i = 0; i < count; i++) {
        if ((mask >> i) & 1u) {
            left--;
            text = text ? apr_pstrcat(p, text, left ? ", " : " or ", word(i), NULL) : word(i);
        }
    }
    return text ? text : "nothing";
}

/* A member that is a word: its symbol, absent where it is, -1 with a problem where it is wrong. */
static int check_word(batch_problems_t *problems, const char *field, const char *sent, int absent,
                      word_fn *word, int count, apr_pool_t *p)
{
    int i;

    if (!sent) {
        return batch_problem_reported(problems, field) ? -1 : absent;
    }
    for (i = 0; i < count; i++) {
        if (!strcmp(word(i), sent)) {
            return i;
        }
    }
    batch_problem_add(problems, field, "must be %s", words_of(word, count, (1u << count) - 1, p));
    return -1;
}

/* ---- Resource and action ------------------------------------------------------------------------
 */

/* The actions of this API. */
#define ACTIONS batch_actions_of(BATCH_API_RESOURCES)

/* The resources of this API, for a message. */
static const char *resource_names(const batch_engine_t *engine, apr_pool_t *p)
{
    const char *names = batch_engine_resource_names(engine, ACTIONS, 0, p);

    return names ? apr_pstrcat(p, "one of ", names, NULL) : "no resource is configured for that";
}

static const batch_resource_t *check_resource(batch_problems_t *problems,
                                              const batch_engine_t *engine, const char *sent,
                                              apr_pool_t *p)
{
    const batch_resource_t *resource = batch_engine_resource(engine, sent);

    if (resource && resource->actions & ACTIONS) {
        return resource;
    }
    if (sent) {
        batch_problem_add(problems, "resource", "is not a resource of this API: must be %s",
                          resource_names(engine, p));
    } else if (!batch_problem_reported(problems, "resource")) {
        batch_problem_add(problems, "resource", "is required: %s", resource_names(engine, p));
    }
    return NULL;
}

static int check_action(batch_problems_t *problems, const batch_resource_t *resource,
                        const char *sent, apr_pool_t *p)
{
    unsigned allowed = resource ? resource->actions & ACTIONS : ACTIONS;
    const char *words = words_of(action_word, BATCH_ACTION_COUNT, allowed, p);
    int action = batch_action_parse(sent);

    if (!sent) {
        if (!batch_problem_reported(problems, "action")) {
            batch_problem_add(problems, "action", "is required: %s", words);
        }
        return -1;
    }
    if (action >= 0 && allowed & (1u << action)) {
        return action;
    }
    if (resource) {
        batch_problem_add(problems, "action", "the resource %s takes %s", resource->name, words);
    } else {
        batch_problem_add(problems, "action", "must be %s", words);
    }
    return -1;
}

/* ---- Items -------------------------------------------------------------------------------------
 */

int batch_resources_check_count(batch_problems_t *problems, const batch_limits_t *limits,
                                const batch_terms_t *terms, apr_int64_t count)
{
    if (!count && !(batch_action_is(terms->action, BATCH_ACTION_CLEANS_UP) && terms->allow_empty)) {
        batch_problem_add(problems, "data", "must have at least one item");
    } else if (terms->mode == BATCH_MODE_SYNC && count > limits->sync_max_items) {
        batch_problem_add(problems, "data",
                          "has %" APR_INT64_T_FMT
                          " items: with the mode sync it may have %" APR_INT64_T_FMT
                          ", so send less or use the mode mixed",
                          count, limits->sync_max_items);
    } else if (count > limits->max_items) {
        batch_problem_add(problems, "data",
                          "has %" APR_INT64_T_FMT " items: it may have %" APR_INT64_T_FMT
                          ", so send several batches",
                          count, limits->max_items);
    } else {
        return 1;
    }
    return 0;
}

/* ---- Properties ---------------------------------------------------------------------------------
 */

/* NULL, with the value settled; or what is wrong with it. */
static const char *check_property(const batch_resource_t *resource, batch_value_t *value,
                                  apr_pool_t *p)
{
    const batch_column_t *column = batch_resource_column(resource, value->name);
    batch_fault_t fault;

    if (!column) {
        return apr_psprintf(
            p, "is not a member of the resource %s%s", resource->name,
            batch_unknown_name_words(resource, value->name, strlen(value->name), p));
    }
    if (column->readonly) {
        return "cannot be set by a batch";
    }
    return batch_value_settle(&fault, value, column, p) ? NULL : fault.message;
}

static void check_properties(batch_terms_t *terms, int action, batch_problems_t *problems,
                             const batch_resources_request_t *request, apr_pool_t *p)
{
    const apr_array_header_t *properties = request->properties;
    int i;

    if (!properties || !properties->nelts) {
        return;
    }
    if (action >= 0 && !batch_action_is((batch_action_e)action, BATCH_ACTION_CHANGES)) {
        batch_problem_add(
            problems, "properties", "is for the actions %s only",
            batch_action_words(ACTIONS & batch_actions_like(BATCH_ACTION_CHANGES), "and", p));
        return;
    }
    for (i = 0; terms->resource && i < properties->nelts; i++) {
        batch_value_t *value = &APR_ARRAY_IDX(properties, i, batch_value_t);
        const char *wrong = check_property(terms->resource, value, p);

        if (wrong) {
            batch_problem_add(problems, apr_pstrcat(p, "properties.", value->name, NULL), "%s",
                              wrong);
        }
    }
    terms->properties = (const batch_value_t *)properties->elts;
    terms->property_count = properties->nelts;
}

void batch_resources_check(batch_terms_t *terms, int *action, batch_problems_t *problems,
                           const batch_engine_t *engine, const batch_resources_request_t *request,
                           apr_pool_t *p)
{
    int mode;
    int duplicates;

    memset(terms, 0, sizeof(*terms));
    terms->resource = check_resource(problems, engine, request->resource, p);
    *action = check_action(problems, terms->resource, request->action, p);
    mode = check_word(problems, "mode", request->mode, BATCH_MODE_MIXED, mode_word,
                      BATCH_MODE_COUNT, p);
    duplicates = check_word(problems, "duplicate_handling", request->duplicate_handling,
                            BATCH_DUPLICATES_USE_FIRST, duplicates_word, BATCH_DUPLICATES_COUNT, p);
    check_properties(terms, *action, problems, request, p);
    /* What is not known is what it is when absent; the terms are not used then. */
    terms->action = *action < 0 ? BATCH_ACTION_MERGE : (batch_action_e)*action;
    terms->mode = mode < 0 ? BATCH_MODE_MIXED : (batch_mode_e)mode;
    terms->duplicate_handling =
        duplicates < 0 ? BATCH_DUPLICATES_USE_FIRST : (batch_duplicates_e)duplicates;
    terms->via = request->via;
    terms->save_upload = request->save_upload;
    terms->atomic = request->atomic;
    terms->allow_empty = request->allow_empty;
    terms->checksum = request->checksum;
    if (request->via == BATCH_VIA_FILE) {
        return; /* its items are counted when it has come */
    }
    /* Without data a batch waits for its upload, also an overwrite that may be empty. */
    if (request->has_data) {
        batch_resources_check_count(problems, &engine->limits, terms, request->count);
    } else if (terms->mode == BATCH_MODE_SYNC && !batch_problem_reported(problems, "data")) {
        batch_problem_add(problems, "data", "is required with the mode sync: an array of objects");
    }
}

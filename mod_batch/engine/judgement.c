#include "engine/judgement.h"

#include <string.h>

#include <apr_siphash.h>
#include <apr_strings.h>

#include "engine/identity.h"
#include "engine/unknown_name.h"
#include "engine/validation.h"
#include "text/numbers.h"
#include "text/uuid.h"

static void add_error(batch_judged_t *judged, const char *field, const char *code,
                      const char *message)
{
    batch_item_error_t *error;

    if (judged->error_count == BATCH_ITEM_PROBLEMS) {
        return;
    }
    if (!judged->errors) {
        judged->errors = apr_palloc(judged->p, BATCH_ITEM_PROBLEMS * sizeof(*error));
    }
    error = &judged->errors[judged->error_count];
    memset(error, 0, sizeof(*error));
    error->ordinal = judged->item.ordinal;
    error->line = judged->item.line;
    error->id = judged->item.key;
    error->field = field;
    error->code = code;
    error->message = message;
    judged->error_count++;
}

/* ---- Values -------------------------------------------------------------------------------------
 */

/* The value that counts for a column: the item's own, else the request's default. */
static const batch_value_t *effective(const batch_terms_t *terms, const batch_judged_t *judged,
                                      const char *name)
{
    const batch_value_t *value =
        batch_value_find(judged->item.values, judged->item.value_count, name);

    return value ? value : batch_value_find(terms->properties, terms->property_count, name);
}

/* 1 if a key that no row has is that of a new row. */
static int makes_keys(const batch_terms_t *terms)
{
    return terms->resource->keys == BATCH_KEYS_CLIENT &&
           !batch_action_is(terms->action, BATCH_ACTION_NEEDS_KEY);
}

static void judge_key(batch_judged_t *judged, const batch_terms_t *terms,
                      const batch_value_t *value, apr_pool_t *p)
{
    batch_value_t key = *value;
    batch_fault_t fault;

    if (!value->value) {
        return; /* null: none given */
    }
    if (!batch_key_settle(&fault, &key, terms->key_type, p)) {
        add_error(judged, terms->resource->key, fault.code, fault.message);
        return;
    }
    judged->item.key = key.value;
    judged->item.key_length = strlen(key.value);
    if (makes_keys(terms) && terms->key_type == BATCH_KEY_INTEGER &&
        batch_number_integer(&key.value, key.value, p) == BATCH_NUMBER_BEYOND) {
        add_error(judged, terms->resource->key, "out_of_range", "is beyond what 64 bits can hold");
    }
}

/* The first one gets all the words: to look for names costs more than to read an item. */
static const char *unknown_words(const batch_judged_t *judged, const batch_terms_t *terms,
                                 const batch_value_t *value, apr_pool_t *p)
{
    const char *hint = judged->error_count ? ""
                                           : batch_unknown_name_words(terms->resource, value->name,
                                                                      strlen(value->name), p);

    return apr_psprintf(p, "is not a member of the resource %s%s", terms->resource->name, hint);
}

/* 1 if the value is kept, and settled: the item's row gets it, or would have had it. */
static int judge_value(batch_judged_t *judged, const batch_terms_t *terms, batch_value_t *value,
                       apr_pool_t *p)
{
    const batch_column_t *column = batch_resource_column(terms->resource, value->name);
    batch_fault_t fault;

    if (!column || column->readonly) {
        add_error(judged, value->name, "unknown_member",
                  column ? "cannot be set by a batch" : unknown_words(judged, terms, value, p));
        return 0;
    }
    if (batch_value_settle(&fault, value, column, p)) {
        return 1;
    }
    /* Whoever deletes by id may send whole items, which are of use in files only. */
    if (batch_action_is(terms->action, BATCH_ACTION_CHANGES)) {
        add_error(judged, value->name, fault.code, fault.message);
    }
    return 0;
}

/* The key first, so that every error names it; then the members, those that stay moving up. */
static void judge_values(batch_judged_t *judged, const batch_terms_t *terms,
                         const batch_source_item_t *source, apr_pool_t *p)
{
    const char *key = terms->resource->key;
    int kept = 0;
    int i;

    for (i = 0; i < source->value_count; i++) {
        if (!strcmp(source->values[i].name, key)) {
            judge_key(judged, terms, &source->values[i], p);
        }
    }
    for (i = 0; i < source->value_count; i++) {
        batch_value_t *value = &judged->item.values[kept];

        *value = source->values[i];
        if (strcmp(value->name, key) != 0 && judge_value(judged, terms, value, p)) {
            kept++;
        }
    }
    judged->item.value_count = kept;
}

/* The column of that name. Items mostly have them in their order: *guess is where the next may be.
 */
static const batch_column_t *column_near(const batch_resource_t *resource, int *guess,
                                         const char *name)
{
    const batch_column_t *column;

    if (*guess < resource->columns->nelts) {
        column = &APR_ARRAY_IDX(resource->columns, *guess, batch_column_t);
        if (column->name == name) {
            (*guess)++;
            return column;
        }
    }
    column = batch_resource_column(resource, name);
    if (column) {
        *guess = (int)(column - (const batch_column_t *)resource->columns->elts) + 1;
    }
    return column;
}

/* The values of an item that are its own to be changed. */
static batch_value_t *own_values(batch_source_item_t *item, apr_pool_t *p)
{
    if (!item->sent) {
        item->sent = item->values;
        item->values = apr_pmemdup(p, item->values,
                                   (apr_size_t)(unsigned)item->value_count * sizeof(*item->values));
    }
    return item->values;
}

void batch_judge_spelling(batch_source_item_t *item, const batch_terms_t *terms, apr_pool_t *p)
{
    const batch_resource_t *resource = terms->resource;
    batch_fault_t ignored;
    int guess = 0;
    int i;

    item->sent = NULL;
    for (i = 0; i < item->value_count; i++) {
        const batch_column_t *column = column_near(resource, &guess, item->values[i].name);
        batch_value_t value = item->values[i];
        int is_sound;

        if (!value.value) {
            continue;
        }
        if (!strcmp(value.name, resource->key)) {
            is_sound = batch_key_settle(&ignored, &value, terms->key_type, p);
        } else {
            is_sound = column && batch_action_is(terms->action, BATCH_ACTION_CHANGES) &&
                       batch_value_settle(&ignored, &value, column, p);
        }
        if (is_sound &&
            (value.value != item->values[i].value || value.kind != item->values[i].kind)) {
            own_values(item, p)[i] = value;
        }
    }
}

/* ---- The row ------------------------------------------------------------------------------------
 */

static int has_match(const batch_judged_t *judged, const batch_terms_t *terms)
{
    const apr_array_header_t *match = terms->resource->match;
    int i;

    for (i = 0; i < match->nelts; i++) {
        const batch_value_t *value =
            effective(terms, judged, APR_ARRAY_IDX(match, i, const char *));

        if (!value || !value->value) {
            return 0;
        }
    }
    return match->nelts > 0;
}

static int is_match_column(const batch_resource_t *resource, const char *name)
{
    int i;

    for (i = 0; i < resource->match->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(resource->match, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

/* Looks for members that a new row must have; adds an error for each if report. */
static int lacks_members(batch_judged_t *judged, const batch_terms_t *terms, int report)
{
    const apr_array_header_t *columns = terms->resource->columns;
    int lacks = 0;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(columns, i, batch_column_t);
        const batch_value_t *value;

        if (!column->required || column->readonly) {
            continue;
        }
        value = effective(terms, judged, column->name);
        if (!value || !value->value) {
            lacks = 1;
            if (report) {
                add_error(judged, column->name, "missing", "is required for a new row");
            }
        }
    }
    return lacks;
}

/* 1 if the item may change an immutable column of a row that is there. */
static int sets_immutable(const batch_judged_t *judged, const batch_terms_t *terms)
{
    const apr_array_header_t *columns = terms->resource->columns;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(columns, i, batch_column_t);

        if (column->immutable && effective(terms, judged, column->name) &&
            !(judged->item.kind == BATCH_ITEM_MATCH &&
              is_match_column(terms->resource, column->name))) {
            return 1;
        }
    }
    return 0;
}

/* An item that creates a row needs a key of its own where the server makes none. */
static void require_key(batch_judged_t *judged, const batch_terms_t *terms)
{
    if (terms->resource->keys == BATCH_KEYS_CLIENT && !judged->item.key) {
        add_error(judged, terms->resource->key, "missing", "is required for a new row");
    }
}

/* How the item finds its row, and whether the database has to be asked about it. */
static void judge_row(batch_judged_t *judged, const batch_terms_t *terms)
{
    int is_known =
        terms->resource->keys != BATCH_KEYS_CLIENT; /* a key is that of a row, or wrong */
    batch_item_t *item = &judged->item;

    if (batch_action_is(terms->action, BATCH_ACTION_NEEDS_KEY)) {
        item->kind = BATCH_ITEM_KEY;
        judged->look = judged->look_for_key = item->key != NULL;
        if (!item->key) {
            add_error(judged, terms->resource->key, "missing", "is required to delete");
        }
        return;
    }
    judged->lacks = lacks_members(judged, terms, 0);
    if (item->key) {
        int immutable = sets_immutable(judged, terms);

        item->kind = BATCH_ITEM_KEY;
        judged->look = is_known || judged->lacks || immutable;
        judged->look_for_key = is_known && !immutable;
    } else if (has_match(judged, terms)) {
        item->kind = BATCH_ITEM_MATCH;
        judged->look = !is_known || judged->lacks || sets_immutable(judged, terms);
    } else {
        item->kind = BATCH_ITEM_NEW;
        require_key(judged, terms);
        if (judged->lacks) {
            lacks_members(judged, terms, 1);
        }
    }
}

static const char *original_of(const batch_source_item_t *source, apr_pool_t *p)
{
    return source->original || !source->make_original ? source->original
                                                      : source->make_original(source, p);
}

/*
 * An item that is not applied. Of its values only those stay by which it names a row. Its original
 * goes with the first error: that is enough to mend it.
 */
static void drop(batch_judged_t *judged, const batch_terms_t *terms, int is_faultless,
                 apr_pool_t *p)
{
    const batch_source_item_t *source = &judged->source;
    batch_item_t *item = &judged->item;

    batch_identity_keep(judged, terms, p);
    item->kind = BATCH_ITEM_DROPPED;
    item->original = original_of(source, p);
    judged->errors[0].original = item->original;
    judged->look = 0;
    if (batch_action_is(terms->action, BATCH_ACTION_CLEANS_UP)) {
        batch_identity_judge(judged, terms, is_faultless, p);
    }
}

/*
 * An item that is not applied for what its row is like. It is kept whole: when the turn of its
 * batch comes, that may be otherwise.
 */
static void unmet(batch_judged_t *judged, const batch_terms_t *terms, apr_pool_t *p)
{
    judged->item.kind = BATCH_ITEM_UNMET;
    judged->item.original = original_of(&judged->source, p);
    judged->errors[0].original = judged->item.original;
    judged->look = 0;
    if (batch_action_is(terms->action, BATCH_ACTION_CLEANS_UP)) {
        batch_identity_judge(judged, terms, 0, p);
    }
}

/* ---- The first step ----------------------------------------------------------------------------
 */

void batch_judge(batch_judged_t *judged, const batch_terms_t *terms,
                 const batch_source_item_t *source, apr_int64_t ordinal, int duplicate,
                 apr_pool_t *p)
{
    int is_faultless = 0;

    memset(judged, 0, sizeof(*judged));
    judged->p = p;
    judged->item.ordinal = ordinal;
    judged->item.line = source->line;
    judged->source = *source;
    judged->item.values = apr_palloc(p, (apr_size_t)source->value_count * sizeof(batch_value_t));
    judge_values(judged, terms, source, p);
    if (source->wrong) { /* then its values only say which row was meant */
        judged->error_count = 0;
        add_error(judged, source->field, source->wrong, source->message);
    } else if (duplicate) {
        is_faultless = !judged->error_count && !lacks_members(judged, terms, 0);
        judged->duplicate = 1;
        judged->error_count = 0;
        add_error(judged, NULL, "duplicate", "is a duplicate of another item of this batch");
    } else if (!judged->error_count) {
        judge_row(judged, terms);
    }
    if (judged->error_count) {
        drop(judged, terms, is_faultless, p);
    }
}

/* ---- What the database has said -----------------------------------------------------------------
 */

static void judge_found(batch_judged_t *judged, const batch_terms_t *terms,
                        const batch_row_look_t *look, apr_pool_t *p)
{
    batch_item_t *item = &judged->item;

    if (look->found > 1) {
        add_error(judged, NULL, "ambiguous",
                  "its match values are those of several rows: send the id");
    } else if (look->found && look->immutable) {
        add_error(judged, apr_pstrdup(p, look->immutable), "immutable",
                  "cannot be changed once a row is there");
    } else if (look->found && item->kind == BATCH_ITEM_KEY) {
        item->key = look->key; /* as the database writes it */
        item->key_length = strlen(look->key);
    } else if (!look->found && item->kind == BATCH_ITEM_KEY && !makes_keys(terms)) {
        add_error(judged, terms->resource->key, "not_found",
                  apr_psprintf(p, "no %s has this id", terms->resource->name));
    } else if (!look->found) {
        require_key(judged, terms);
        if (judged->lacks) {
            lacks_members(judged, terms, 1);
        }
    }
}

void batch_judge_stored(batch_judged_t *judged, const batch_terms_t *terms,
                        const batch_item_t *item, apr_pool_t *p)
{
    memset(judged, 0, sizeof(*judged));
    judged->p = p;
    judged->item = *item;
    if (item->kind == BATCH_ITEM_MATCH || item->kind == BATCH_ITEM_NEW) {
        judged->item.key = NULL; /* that of a new row */
        judged->item.key_length = 0;
    }
    judge_row(judged, terms);
}

void batch_judge_finish(batch_judged_t *final, const batch_judged_t *judged,
                        const batch_terms_t *terms, const batch_row_look_t *look, apr_pool_t *p)
{
    if (final != judged) {
        *final = *judged;
        final->p = p; /* it has no errors yet, unless it stays as it is */
    }
    if (final->item.kind == BATCH_ITEM_DROPPED) {
        final->look = 0;
        final->unnamed = !look->found;
        return;
    }
    judge_found(final, terms, look, p);
    if (final->error_count) {
        unmet(final, terms, p);
        final->unnamed |= final->look && !look->found;
    }
    final->look = 0;
}

/* ---- New keys
 * ------------------------------------------------------------------------------------
 */

/*
 * RFC 9562, version 7: the time of the job in milliseconds, then the ordinal as its counter, so
 * that the rows of a batch lie side by side in the index of the keys, and 42 bits that nobody can
 * guess without the job's id.
 */
const char *batch_item_new_key(const batch_job_t *job, apr_int64_t ordinal, apr_pool_t *p)
{
    unsigned char key[APR_SIPHASH_KSIZE] = {0};
    unsigned char bytes[BATCH_UUID_BYTES];
    apr_uint64_t time = (apr_uint64_t)(job->created_at / 1000);
    apr_uint64_t count = (apr_uint64_t)ordinal & 0xFFFFFFFF;
    apr_uint64_t halves[2];
    char *text = apr_palloc(p, BATCH_UUID_SIZE);

    (void)batch_uuid_read(key, job->id); /* always a UUID, and one that is none is as good a key */
    halves[0] = time << 16 | 0x7000 | count >> 20;
    halves[1] = 2ULL << 62 | (count & 0xFFFFF) << 42 |
                (apr_siphash24(&count, sizeof(count), key) & 0x3FFFFFFFFFFULL);
    for (int i = 0; i < BATCH_UUID_BYTES; i++) {
        bytes[i] = (unsigned char)(halves[i / 8] >> (56 - i % 8 * 8));
    }
    batch_uuid_write(text, bytes);
    return text;
}

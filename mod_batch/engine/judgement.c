#include "engine/judgement.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_siphash.h>
#include <apr_strings.h>

#include "engine/validation.h"

/* Bytes that a key may have. */
#define KEY_BYTES 255

static void add_error(batch_judged_t *judged, const char *field, const char *code,
                      const char *message)
{
    batch_item_error_t *error;

    if (judged->error_count == BATCH_ITEM_PROBLEMS) {
        return;
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
static const batch_value_t *effective(const batch_plan_t *plan, const batch_judged_t *judged,
                                      const char *name)
{
    const batch_value_t *value =
        batch_value_find(judged->item.values, judged->item.value_count, name);

    return value ? value : batch_value_find(plan->properties, plan->property_count, name);
}

/* NULL, or what is wrong with a key. */
static const char *check_key(const batch_value_t *value)
{
    apr_size_t length;

    if (value->kind == BATCH_KIND_NUMBER) {
        return value->value[strspn(value->value, "-0123456789")] ? "must be a string" : NULL;
    }
    if (value->kind != BATCH_KIND_STRING && value->kind != BATCH_KIND_CELL) {
        return "must be a string";
    }
    length = strlen(value->value);
    if (!length) {
        return "must not be empty";
    }
    return length > KEY_BYTES ? "must not be longer than " APR_STRINGIFY(KEY_BYTES) " bytes" : NULL;
}

static void judge_key(batch_judged_t *judged, const batch_plan_t *plan, const batch_value_t *value)
{
    const char *wrong;

    if (!value->value) {
        return; /* null: none given */
    }
    wrong = check_key(value);
    if (wrong) {
        add_error(judged, plan->resource->key, "wrong_type", wrong);
        return;
    }
    judged->item.key = value->value;
    judged->item.key_length = strlen(value->value);
}

/* 1 if the value is kept: the item's row gets it, or would have had it. */
static int judge_value(batch_judged_t *judged, const batch_plan_t *plan, const batch_value_t *value,
                       apr_pool_t *p)
{
    const batch_column_t *column = batch_resource_column(plan->resource, value->name);
    const char *wrong;

    if (!column || column->readonly) {
        add_error(
            judged, value->name, "unknown_member",
            column ? "cannot be set by a batch"
                   : apr_psprintf(p, "is not a member of the resource %s", plan->resource->name));
        return 0;
    }
    wrong = batch_value_check(column, value, p);
    if (plan->action == BATCH_ACTION_DELETE) {
        return !wrong; /* whoever deletes by id may send whole items, which are of use in files only
                        */
    }
    if (wrong) {
        add_error(judged, value->name, "wrong_type", wrong);
        return 0;
    }
    return 1;
}

/* The key first, so that every error names it; then the members, those that stay moving up. */
static void judge_values(batch_judged_t *judged, const batch_plan_t *plan,
                         const batch_source_item_t *source, apr_pool_t *p)
{
    const char *key = plan->resource->key;
    int kept = 0;
    int i;

    for (i = 0; i < source->value_count; i++) {
        if (!strcmp(source->values[i].name, key)) {
            judge_key(judged, plan, &source->values[i]);
        }
    }
    for (i = 0; i < source->value_count; i++) {
        if (strcmp(source->values[i].name, key) != 0 &&
            judge_value(judged, plan, &source->values[i], p)) {
            judged->item.values[kept++] = source->values[i];
        }
    }
    judged->item.value_count = kept;
}

/* ---- The row ------------------------------------------------------------------------------------
 */

static int has_match(const batch_judged_t *judged, const batch_plan_t *plan)
{
    const apr_array_header_t *match = plan->resource->match;
    int i;

    for (i = 0; i < match->nelts; i++) {
        const batch_value_t *value = effective(plan, judged, APR_ARRAY_IDX(match, i, const char *));

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
static int lacks_members(batch_judged_t *judged, const batch_plan_t *plan, int report)
{
    const apr_array_header_t *columns = plan->resource->columns;
    int lacks = 0;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(columns, i, batch_column_t);
        const batch_value_t *value;

        if (!column->required || column->readonly) {
            continue;
        }
        value = effective(plan, judged, column->name);
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
static int sets_immutable(const batch_judged_t *judged, const batch_plan_t *plan)
{
    const apr_array_header_t *columns = plan->resource->columns;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(columns, i, batch_column_t);

        if (column->immutable && effective(plan, judged, column->name) &&
            !(judged->item.kind == BATCH_ITEM_MATCH &&
              is_match_column(plan->resource, column->name))) {
            return 1;
        }
    }
    return 0;
}

/* An item that creates a row needs a key of its own where the server makes none. */
static void require_key(batch_judged_t *judged, const batch_plan_t *plan)
{
    if (!plan->resource->key_generated && !judged->item.key) {
        add_error(judged, plan->resource->key, "missing", "is required for a new row");
    }
}

/* How the item finds its row, and whether the database has to be asked about it. */
static void judge_row(batch_judged_t *judged, const batch_plan_t *plan)
{
    batch_item_t *item = &judged->item;

    if (plan->action == BATCH_ACTION_DELETE) {
        item->kind = BATCH_ITEM_KEY;
        judged->look = judged->look_for_key = item->key != NULL;
        if (!item->key) {
            add_error(judged, plan->resource->key, "missing", "is required to delete");
        }
        return;
    }
    judged->lacks = lacks_members(judged, plan, 0);
    if (item->key) {
        int immutable = sets_immutable(judged, plan);

        item->kind = BATCH_ITEM_KEY;
        judged->look = plan->resource->key_generated || judged->lacks || immutable;
        judged->look_for_key = plan->resource->key_generated && !immutable;
    } else if (has_match(judged, plan)) {
        item->kind = BATCH_ITEM_MATCH;
        judged->look =
            !plan->resource->key_generated || judged->lacks || sets_immutable(judged, plan);
    } else {
        item->kind = BATCH_ITEM_NEW;
        require_key(judged, plan);
        if (judged->lacks) {
            lacks_members(judged, plan, 1);
        }
    }
}

/* ---- Which row a dropped item names ------------------------------------------------------------
 */

/* What an item says of one of the values by which rows are found. */
typedef enum {
    SAID_NOT,   /* nothing, or null */
    SAID_WRONG, /* something that is no such value, so that nobody knows which one was meant */
    SAID_WELL
} said_e;

/* 1 if the two are the same name but for case and for what is no letter and no digit. */
static int is_nearly(const char *name, const char *other)
{
    while (*name || *other) {
        if (*name && !apr_isalnum(*name)) {
            name++;
        } else if (*other && !apr_isalnum(*other)) {
            other++;
        } else if (apr_tolower(*name) != apr_tolower(*other)) {
            return 0;
        } else {
            name++;
            other++;
        }
    }
    return 1;
}

/* 1 if the item has a member, unknown to the resource, that may have been meant as that one. */
static int has_nearly(const batch_source_item_t *source, const batch_resource_t *resource,
                      const char *name)
{
    int i;

    for (i = 0; i < source->value_count; i++) {
        const char *other = source->values[i].name;

        if (is_nearly(other, name) && !batch_resource_column(resource, other) &&
            strcmp(other, resource->key) != 0) {
            return 1;
        }
    }
    return 0;
}

static said_e key_said(const batch_judged_t *judged, const batch_plan_t *plan)
{
    const batch_source_item_t *source = &judged->source;
    const char *key = plan->resource->key;
    const batch_value_t *value = batch_value_find(source->values, source->value_count, key);

    if (!value && has_nearly(source, plan->resource, key)) {
        return SAID_WRONG;
    }
    if (!value || !value->value) {
        return SAID_NOT;
    }
    return check_key(value) ? SAID_WRONG : SAID_WELL;
}

/* The match value of that name, the request's default included. *value: set where it is well. */
static said_e match_said(const batch_value_t **value, const batch_judged_t *judged,
                         const batch_plan_t *plan, const char *name, apr_pool_t *p)
{
    const batch_source_item_t *source = &judged->source;
    const batch_column_t *column = batch_resource_column(plan->resource, name);
    const batch_value_t *said = batch_value_find(source->values, source->value_count, name);

    if (said && said->value && (!column || batch_value_check(column, said, p))) {
        return SAID_WRONG;
    }
    if (!said && has_nearly(source, plan->resource, name)) {
        return SAID_WRONG;
    }
    said = said ? said : batch_value_find(plan->properties, plan->property_count, name);
    if (!said || !said->value) {
        return SAID_NOT;
    }
    *value = said;
    return SAID_WELL;
}

/*
 * Whether a dropped item of an overwrite may name any row. Its id does say which one, where the
 * item might make a row with it, or a row has it; else its match values do, if it has all of them.
 * An item with neither that is to make a row names none: either the resource has nothing else to
 * find one by, or the item is a duplicate and without faults of its own.
 */
static void judge_identity(batch_judged_t *judged, const batch_plan_t *plan, int is_faultless,
                           apr_pool_t *p)
{
    const batch_resource_t *resource = plan->resource;
    said_e key = key_said(judged, plan);
    said_e match = SAID_WELL;
    const batch_value_t *value;
    int i;

    if (judged->source.unreadable || key == SAID_WRONG) {
        judged->unnamed = 1;
        return;
    }
    if (key == SAID_WELL && (!resource->key_generated || !resource->match->nelts)) {
        return;
    }
    for (i = 0; i < resource->match->nelts && match != SAID_WRONG; i++) {
        said_e said =
            match_said(&value, judged, plan, APR_ARRAY_IDX(resource->match, i, const char *), p);

        match = said < match || said == SAID_WRONG ? said : match;
    }
    if (resource->match->nelts && match == SAID_WELL) {
        return;
    }
    if (key == SAID_WELL) {
        judged->look = judged->look_for_key = 1; /* unless there is such a row */
        return;
    }
    judged->unnamed = !resource->key_generated ||
                      (resource->match->nelts && (match == SAID_WRONG || !is_faultless));
}

/* The values by which a dropped item names a row, for the cleanup of an overwrite. */
static void keep_match(batch_judged_t *judged, const batch_plan_t *plan, apr_pool_t *p)
{
    const apr_array_header_t *match = plan->resource->match;
    batch_item_t *item = &judged->item;
    const batch_value_t *value = NULL;
    int i;

    item->value_count = 0;
    item->values = NULL;
    if (plan->action != BATCH_ACTION_OVERWRITE || !match->nelts) {
        return;
    }
    item->values = apr_palloc(p, (apr_size_t)(unsigned)match->nelts * sizeof(*item->values));
    for (i = 0; i < match->nelts; i++) {
        if (match_said(&value, judged, plan, APR_ARRAY_IDX(match, i, const char *), p) ==
            SAID_WELL) {
            item->values[item->value_count++] = *value;
        }
    }
}

/*
 * An item that is not applied. Of its values only those stay by which it names a row. Its original
 * goes with the first error: that is enough to mend it.
 */
static void drop(batch_judged_t *judged, const batch_plan_t *plan, int is_faultless, apr_pool_t *p)
{
    const batch_source_item_t *source = &judged->source;
    batch_item_t *item = &judged->item;

    keep_match(judged, plan, p);
    item->kind = BATCH_ITEM_DROPPED;
    item->original = source->original || !source->make_original ? source->original
                                                                : source->make_original(source, p);
    judged->errors[0].original = item->original;
    judged->look = 0;
    if (plan->action == BATCH_ACTION_OVERWRITE) {
        judge_identity(judged, plan, is_faultless, p);
    }
}

/* ---- The first step ----------------------------------------------------------------------------
 */

void batch_judge(batch_judged_t *judged, const batch_plan_t *plan,
                 const batch_source_item_t *source, apr_int64_t ordinal, int duplicate,
                 apr_pool_t *p)
{
    int is_faultless = 0;

    memset(judged, 0, sizeof(*judged));
    judged->item.ordinal = ordinal;
    judged->item.line = source->line;
    judged->source = *source;
    judged->item.values = apr_palloc(p, (apr_size_t)source->value_count * sizeof(batch_value_t));
    judge_values(judged, plan, source, p);
    if (source->wrong) { /* then its values only say which row was meant */
        judged->error_count = 0;
        add_error(judged, source->field, source->wrong, source->message);
    } else if (duplicate) {
        is_faultless = !judged->error_count && !lacks_members(judged, plan, 0);
        judged->duplicate = 1;
        judged->error_count = 0;
        add_error(judged, NULL, "duplicate", "is a duplicate of another item of this batch");
    } else if (!judged->error_count) {
        judge_row(judged, plan);
    }
    if (judged->error_count) {
        drop(judged, plan, is_faultless, p);
    }
}

/* ---- What the database has said -----------------------------------------------------------------
 */

static void judge_found(batch_judged_t *judged, const batch_plan_t *plan,
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
    } else if (!look->found && item->kind == BATCH_ITEM_KEY &&
               (plan->resource->key_generated || plan->action == BATCH_ACTION_DELETE)) {
        add_error(judged, plan->resource->key, "not_found",
                  apr_psprintf(p, "no %s has this id", plan->resource->name));
    } else if (!look->found) {
        require_key(judged, plan);
        if (judged->lacks) {
            lacks_members(judged, plan, 1);
        }
    }
}

void batch_judge_finish(batch_judged_t *final, const batch_judged_t *judged,
                        const batch_plan_t *plan, const batch_row_look_t *look, apr_pool_t *p)
{
    if (final != judged) {
        *final = *judged;
    }
    if (final->item.kind == BATCH_ITEM_DROPPED) {
        final->look = 0;
        final->unnamed = !look->found;
        return;
    }
    judge_found(final, plan, look, p);
    if (final->error_count) {
        drop(final, plan, 0, p);
        final->unnamed |= final->look && !look->found;
    }
    final->look = 0;
}

/* ---- New keys
 * ------------------------------------------------------------------------------------
 */

static unsigned hex_digit(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10) & 0xF;
}

/* The 16 bytes that a UUID is. */
static void read_uuid(unsigned char bytes[16], const char *text)
{
    int count = 0;

    for (; text[0] && text[1] && count < 16; text++) {
        if (*text != '-') {
            bytes[count++] = (unsigned char)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
            text++;
        }
    }
}

/*
 * RFC 9562, version 7: the time of the job in milliseconds, then the ordinal as its counter, so
 * that the rows of a batch lie side by side in the index of the keys, and 42 bits that nobody can
 * guess without the job's id.
 */
const char *batch_item_new_key(const batch_job_t *job, apr_int64_t ordinal, apr_pool_t *p)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char key[APR_SIPHASH_KSIZE] = {0};
    apr_uint64_t time = (apr_uint64_t)(job->created_at / 1000);
    apr_uint64_t count = (apr_uint64_t)ordinal & 0xFFFFFFFF;
    apr_uint64_t words[2];
    char *text = apr_palloc(p, 37);
    char *next = text;
    int i;

    read_uuid(key, job->id);
    words[0] = time << 16 | 0x7000 | count >> 20;
    words[1] = 2ULL << 62 | (count & 0xFFFFF) << 42 |
               (apr_siphash24(&count, sizeof(count), key) & 0x3FFFFFFFFFFULL);
    for (i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *next++ = '-';
        }
        *next++ = digits[words[i / 16] >> (60 - i % 16 * 4) & 0xF];
    }
    *next = '\0';
    return text;
}

/* Keys by their type: in one spelling, so that the same is found to be the same, and in order. */
/* needs: nothing */
#include "engine/duplicates.h"
#include "engine/jobs.h"
#include "engine/judgement.h"
#include "engine/selection.h"
#include "engine/validation.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"

static apr_pool_t *pool;

/* ---- Spelling ----------------------------------------------------------------------------------
 */

static const char *key(batch_key_type_e type, batch_kind_e kind, const char *text)
{
    batch_value_t value = {"id", text, kind};
    batch_fault_t fault = {0};

    return batch_key_settle(&fault, &value, type, pool) ? value.value : fault.code;
}

static void test_spelling(void)
{
    static const char *const good[][2] = {{"7", "7"},
                                          {"007", "7"},
                                          {"-7", "-7"},
                                          {"-007", "-7"},
                                          {"0", "0"},
                                          {"-0", "0"},
                                          {"000", "0"},
                                          {"9223372036854775807", "9223372036854775807"},
                                          {"-9223372036854775808", "-9223372036854775808"},
                                          {"0099999999999999999999", "99999999999999999999"}};
    static const char *const bad[] = {"+7", " 7", "7 ", "7.0", "7e0", "0x7", "x", "7x", "-", "--7"};
    static const char upper[] = "C0FFEE00-71B9-4000-8000-0242AC120002";
    static const char lower[] = "c0ffee00-71b9-4000-8000-0242ac120002";
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_STRING, good[i][0]), good[i][1], good[i][0]);
        is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_CELL, good[i][0]), good[i][1], "as a cell");
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_STRING, bad[i]), "malformed", bad[i]);
        is_string(key(BATCH_KEY_TEXT, BATCH_KIND_STRING, bad[i]), bad[i], "which is a text");
    }
    is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_NUMBER, "7.0"), "7", "a number that is whole");
    is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_NUMBER, "7e0"), "7", "with an exponent");
    is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_NUMBER, "-0"), "0", "and zero");
    is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_STRING, "-000"), "0", "in any spelling");
    is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_NUMBER, "7.5"), "wrong_type", "no fraction");
    is_string(key(BATCH_KEY_INTEGER, BATCH_KIND_STRING, ""), "missing", "an empty one");
    is_string(key(BATCH_KEY_TEXT, BATCH_KIND_STRING, "007"), "007", "a text stays as it is");
    is_string(key(BATCH_KEY_OTHER, BATCH_KIND_STRING, "007"), "007", "and what only others know");
    is_string(key(BATCH_KEY_UUID, BATCH_KIND_STRING, upper), lower, "a UUID in capitals");
    is_string(key(BATCH_KEY_UUID, BATCH_KIND_STRING, lower), lower, "and in small letters");
    is_string(key(BATCH_KEY_TEXT, BATCH_KIND_STRING, upper), upper, "as a text it stays");
    is_string(key(BATCH_KEY_UUID, BATCH_KIND_STRING, "Coffee"), "malformed", "no UUID");
    is_string(key(BATCH_KEY_UUID, BATCH_KIND_STRING, "6BA7B8109DAD11D180B400C04FD430C8"),
              "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "one without hyphens");
    is_string(key(BATCH_KEY_UUID, BATCH_KIND_STRING, "6ba7b810-9dad-11d1-80b4-00c04fd430c"),
              "malformed", "one that lacks a digit");
}

/* ---- Types -------------------------------------------------------------------------------------
 */

static batch_key_type_e declared(batch_type_e type)
{
    batch_engine_t engine = {.fitness = NULL};
    batch_column_t column = {.name = "id", .type = type, .readonly = 1};
    batch_resource_t resource = {.key = "id",
                                 .columns = apr_array_make(pool, 1, sizeof(batch_column_t))};

    APR_ARRAY_PUSH(resource.columns, batch_column_t) = column;
    return batch_engine_key_type(&engine, &resource);
}

static void test_types(void)
{
    ok(declared(BATCH_TYPE_INTEGER) == BATCH_KEY_INTEGER, "the type of a column that is declared");
    ok(declared(BATCH_TYPE_UUID) == BATCH_KEY_UUID, "is that of the key");
    ok(declared(BATCH_TYPE_TEXT) == BATCH_KEY_TEXT, "whatever");
    ok(declared(BATCH_TYPE_NUMBER) == BATCH_KEY_OTHER, "it is");
}

/* ---- Order -------------------------------------------------------------------------------------
 */

/* Keys (with blanks between) in their order, each with its ordinal, as "7@0 8@1". */
static const char *sorted(batch_key_type_e type, const char *keys)
{
    apr_array_header_t *items = apr_array_make(pool, 8, sizeof(batch_item_t));
    const apr_array_header_t *result;
    char *text = apr_pstrdup(pool, keys);
    const char *said = "";
    char *last;
    int i;

    for (text = apr_strtok(text, " ", &last); text; text = apr_strtok(NULL, " ", &last)) {
        batch_item_t one = {.ordinal = items->nelts, .key = text, .key_length = strlen(text)};

        APR_ARRAY_PUSH(items, batch_item_t) = one;
    }
    result = batch_selection_sort(items, type, pool);
    for (i = 0; i < result->nelts; i++) {
        const batch_item_t *one = &APR_ARRAY_IDX(result, i, batch_item_t);

        said = apr_psprintf(pool, "%s%s%.*s@%d", said, i ? " " : "", (int)one->key_length, one->key,
                            (int)one->ordinal);
    }
    return said;
}

static void test_order(void)
{
    is_string(sorted(BATCH_KEY_INTEGER, "100 9 10 -1 -10 0"), "-10@4 -1@3 0@5 9@1 10@2 100@0",
              "numbers in their order");
    is_string(sorted(BATCH_KEY_TEXT, "100 9 10 -1 -10 0"), "-1@3 -10@4 0@5 10@2 100@0 9@1",
              "texts in that of letters");
    is_string(sorted(BATCH_KEY_INTEGER, "007 8 7 0000007 08"), "7@0 8@1",
              "a number is there once, as the first of its spellings");
    is_string(sorted(BATCH_KEY_TEXT, "007 8 7"), "007@0 7@2 8@1", "texts are what they are");
    is_string(sorted(BATCH_KEY_INTEGER, "x 9223372036854775808 9223372036854775807 "
                                        "-9223372036854775809 -9223372036854775808 +7 "
                                        "99999999999999999999 7"),
              "-9223372036854775809@3 -9223372036854775808@4 7@7 9223372036854775807@2 "
              "9223372036854775808@1 99999999999999999999@6 +7@5 x@0",
              "beyond 64 bits, and what is no number");
    is_string(sorted(BATCH_KEY_UUID, "C0FFEE00-71B9-4000-8000-0242AC120002 "
                                     "b0ffee00-71b9-4000-8000-0242ac120002 "
                                     "c0ffee00-71b9-4000-8000-0242ac120002"),
              "b0ffee00-71b9-4000-8000-0242ac120002@1 c0ffee00-71b9-4000-8000-0242ac120002@0",
              "UUIDs whatever their case");
    is_string(sorted(BATCH_KEY_INTEGER, ""), "", "none");
}

/* ---- Duplicates --------------------------------------------------------------------------------
 */

/* Which of the items with these ids, as JSON, are duplicates: "-x-". */
static const char *dropped(batch_key_type_e type, batch_duplicates_e handling,
                           const batch_value_t *ids, int count)
{
    batch_resource_t resource = {
        .name = "part", .key = "id", .match = apr_array_make(pool, 1, sizeof(const char *))};
    batch_terms_t terms = {.resource = &resource,
                           .key_type = type,
                           .action = BATCH_ACTION_DELETE,
                           .duplicate_handling = handling};
    batch_duplicates_t *duplicates;
    char *result = apr_pcalloc(pool, (apr_size_t)(unsigned)count + 1);
    int i;

    resource.columns = apr_array_make(pool, 1, sizeof(batch_column_t));
    if (batch_duplicates_make(&duplicates, &terms, count, pool) != APR_SUCCESS) {
        return "cannot be made";
    }
    for (i = 0; i < count; i++) {
        batch_value_t id = ids[i];
        batch_source_item_t source = {.value_count = 1, .values = &id};
        int is_dropped = 0;

        batch_judge_spelling(&source, &terms, pool);
        if (batch_duplicates_offer(duplicates, &is_dropped, &source) != APR_SUCCESS) {
            return "cannot be offered";
        }
        result[i] = is_dropped ? 'x' : '-';
    }
    for (i = 0; handling != BATCH_DUPLICATES_USE_FIRST && i < count; i++) {
        result[i] = batch_duplicates_dropped(duplicates, i) ? 'x' : '-';
    }
    return result;
}

static void test_duplicates(void)
{
    static const batch_value_t ids[] = {
        {"id", "7", BATCH_KIND_NUMBER},   {"id", "007", BATCH_KIND_STRING},
        {"id", "7", BATCH_KIND_STRING},   {"id", "70", BATCH_KIND_STRING},
        {"id", "7.0", BATCH_KIND_NUMBER}, {"id", "-7", BATCH_KIND_STRING},
        {"id", "+7", BATCH_KIND_STRING},  {"id", "-07", BATCH_KIND_STRING}};
    int count = (int)(sizeof(ids) / sizeof(ids[0]));

    is_string(dropped(BATCH_KEY_INTEGER, BATCH_DUPLICATES_USE_FIRST, ids, count), "-xx-x--x",
              "the first of each number stays");
    is_string(dropped(BATCH_KEY_INTEGER, BATCH_DUPLICATES_USE_LAST, ids, count), "xxx--x--",
              "or the last");
    is_string(dropped(BATCH_KEY_INTEGER, BATCH_DUPLICATES_IGNORE_ALL, ids, count), "xxx-xx-x",
              "or none");
    is_string(dropped(BATCH_KEY_TEXT, BATCH_DUPLICATES_USE_FIRST, ids, count), "--x-x---",
              "texts by their letters");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_spelling();
    test_types();
    test_order();
    test_duplicates();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

/* Duplicates among the items of a batch, and the set of digests below them. */
/* needs: nothing */
#include "engine/duplicates.h"
#include "engine/digest_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "source_items.h"
#include "tap.h"

static batch_resource_t resource;

static void make_resource(apr_pool_t *p)
{
    static const char *const names[] = {"name", "city"};
    int i;

    resource.name = "named";
    resource.key = "id";
    resource.keys = BATCH_KEYS_GENERATED;
    resource.match = apr_array_make(p, 2, sizeof(const char *));
    resource.columns = apr_array_make(p, 3, sizeof(batch_column_t));
    for (i = 0; i < 2; i++) {
        batch_column_t *column = apr_array_push(resource.columns);

        memset(column, 0, sizeof(*column));
        column->name = names[i];
        APR_ARRAY_PUSH(resource.match, const char *) = names[i];
    }
}

/* Which of the items (NULL at the end) are dropped, as "-x-x". */
static const char *dropped(batch_duplicates_e handling, batch_action_e action,
                           const char *const texts[], apr_pool_t *p)
{
    batch_terms_t terms = {.resource = &resource, .action = action, .duplicate_handling = handling};
    batch_duplicates_t *duplicates;
    char *result;
    int count = 0;
    int i;

    while (texts[count]) {
        count++;
    }
    result = apr_pcalloc(p, (apr_size_t)count + 1);
    if (batch_duplicates_make(&duplicates, &terms, count, p) != APR_SUCCESS) {
        return "cannot be made";
    }
    for (i = 0; i < count; i++) {
        batch_source_item_t made = item(texts[i], p);
        int is_dropped = 0;

        if (batch_duplicates_offer(duplicates, &is_dropped, &made) != APR_SUCCESS) {
            return "cannot be offered";
        }
        result[i] = is_dropped ? 'x' : '-';
    }
    for (i = 0; handling != BATCH_DUPLICATES_USE_FIRST && i < count; i++) {
        result[i] = batch_duplicates_dropped(duplicates, i) ? 'x' : '-';
    }
    return result;
}

#define ITEMS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FIRST      BATCH_DUPLICATES_USE_FIRST, BATCH_ACTION_MERGE
#define LAST       BATCH_DUPLICATES_USE_LAST, BATCH_ACTION_MERGE
#define NONE       BATCH_DUPLICATES_IGNORE_ALL, BATCH_ACTION_MERGE

static void test_ids(apr_pool_t *p)
{
    const char *const *items = ITEMS("id=1 name=a", "id=2", "id=1 name=b", "id=1");

    is_string(dropped(FIRST, items, p), "--xx", "use_first keeps the first of an id");
    is_string(dropped(LAST, items, p), "x-x-", "use_last keeps the last of an id");
    is_string(dropped(NONE, items, p), "x-xx", "ignore_all keeps none of an id that is repeated");
    is_string(dropped(BATCH_DUPLICATES_USE_FIRST, BATCH_ACTION_DELETE,
                      ITEMS("id=1 name=a city=b", "id=2 name=a city=b", "id=1"), p),
              "--x", "when rows are deleted only ids count");
}

static void test_match(apr_pool_t *p)
{
    is_string(dropped(FIRST, ITEMS("name=a city=b", "city=b name=a x=1", "name=a city=c"), p),
              "-x-", "the same match key is a duplicate, whatever else there is");
    is_string(dropped(FIRST, ITEMS("name=ab city=c", "name=a city=bc"), p), "--",
              "where one value ends and the next begins counts");
    is_string(dropped(FIRST, ITEMS("id=1 name=a city=b", "id=2 name=a city=b"), p), "--",
              "two different ids are two items, whatever their match keys");
    is_string(dropped(FIRST, ITEMS("id=1 name=a city=b", "name=a city=b"), p), "-x",
              "an item without id meets one that has an id by its match key");
    is_string(dropped(FIRST, ITEMS("name=a city=b", "id=1 name=a city=b"), p), "-x",
              "and the other way round");
    is_string(dropped(FIRST, ITEMS("name=a city", "name=a city"), p), "-x",
              "null is no match value: then the content counts");
    is_string(dropped(FIRST, ITEMS("id=1 name=a city=b", "id=1 name=c city=d", "name=c city=d"), p),
              "-x-", "what is dropped makes nothing else a duplicate");
    is_string(dropped(LAST, ITEMS("id=1 name=a city=b", "name=a city=b"), p), "x-",
              "use_last goes by match keys too");
    is_string(dropped(LAST,
                      ITEMS("name=a city=b", "id=1 name=a city=b", "id=2 name=a city=b",
                            "name=a city=b", "id=3 name=a city=b"),
                      p),
              "x-xx-", "items with and without ids in turn");
    is_string(dropped(NONE, ITEMS("name=a city=b", "id=1 name=a city=b", "id=2 name=a city=b"), p),
              "xxx", "each of those with an id meets the one without");
}

static void test_content(apr_pool_t *p)
{
    is_string(dropped(FIRST, ITEMS("x=1 y=2", "y=2 x=1", "x=1 y=3", "x=1"), p), "-x--",
              "the same content in another order is a duplicate");
    is_string(dropped(FIRST, ITEMS("x=1", "x"), p), "--", "null is another value than a text");
    is_string(dropped(NONE, ITEMS("x=1", "x=1", "x=2"), p), "xx-", "ignore_all by content");
}

static void test_properties(apr_pool_t *p)
{
    static const batch_value_t city = {"city", "b", BATCH_KIND_STRING};
    batch_terms_t terms = {.resource = &resource, .properties = &city, .property_count = 1};
    batch_duplicates_t *duplicates = NULL;
    batch_source_item_t whole = item("name=a city=b", p);
    batch_source_item_t short_one = item("name=a", p);
    int is_dropped = 0;

    ok(batch_duplicates_make(&duplicates, &terms, 2, p) == APR_SUCCESS &&
           batch_duplicates_offer(duplicates, &is_dropped, &whole) == APR_SUCCESS && !is_dropped,
       "the first of two items is kept");
    ok(batch_duplicates_offer(duplicates, &is_dropped, &short_one) == APR_SUCCESS && is_dropped,
       "a default of the request counts as the item's own match value");
}

/* Puts the digests of first and those behind it, up to last; 1 if all of them are there then. */
static int put_all(batch_digest_set_t *set, int first, int last)
{
    int i;
    int found = 0;

    for (i = first; i <= last; i++) {
        if (batch_digest_set_find(set, batch_digest_make(set, 'x', &i, sizeof(i))) ||
            batch_digest_set_put(set, batch_digest_make(set, 'x', &i, sizeof(i)),
                                 (apr_uint32_t)i) != APR_SUCCESS) {
            return 0;
        }
    }
    for (i = 1; i <= last; i++) {
        const apr_uint32_t *number =
            batch_digest_set_find(set, batch_digest_make(set, 'x', &i, sizeof(i)));
        found += number && *number == (apr_uint32_t)i;
    }
    return found == last;
}

/* Its size is known, or guessed too small, too large, or not at all. */
static void test_sizes(apr_pool_t *p)
{
    static const struct {
        int reserved;
        int expected;
        const char *what;
    } sizes[] = {
        {0, 0, "whose number nobody knows"},    {0, 20000, "that were expected"},
        {0, 5000, "where fewer were expected"}, {0, 900000, "where many more were expected"},
        {20000, 0, "that have their room"},     {500, 18000, "beyond their room"},
    };
    int i;

    for (i = 0; i < (int)(sizeof(sizes) / sizeof(sizes[0])); i++) {
        batch_digest_set_t *set = NULL;

        ok(batch_digest_set_make(&set, p) == APR_SUCCESS &&
               batch_digest_set_reserve(set, sizes[i].reserved) == APR_SUCCESS &&
               put_all(set, 1, 10),
           "the first of digests %s", sizes[i].what);
        batch_digest_set_expect(set, sizes[i].expected);
        ok(put_all(set, 11, 20000), "20,000 digests %s", sizes[i].what);
    }
}

/* KiB that the process has had at most. */
static long most_memory(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) ? -1 : usage.ru_maxrss;
}

/* Where a large set grows there are two of one part, not of all. Before anything else is large. */
static void test_memory(apr_pool_t *p)
{
    const int count = 1000000;
    long table = (long)count / 1024 * 16 * 5 / 4;
    batch_digest_set_t *set = NULL;
    long before = most_memory();
    int i;

    ok(batch_digest_set_make(&set, p) == APR_SUCCESS, "a set is made");
    batch_digest_set_expect(set, count);
    for (i = 1; i <= count; i++) {
        if (batch_digest_set_put(set, batch_digest_make(set, 'x', &i, sizeof(i)),
                                 (apr_uint32_t)i) != APR_SUCCESS) {
            break;
        }
    }
    is_number(i, count + 1, "a million digests are put in");
#ifdef __SANITIZE_ADDRESS__
    ok(before > 0 && table > 0, "how much memory that took is not to be seen: none is given back");
#else
    ok(before > 0 && most_memory() - before < table + table / 4,
       "they took %ld KiB at most, a quarter more than the table of %ld at most",
       most_memory() - before, table);
#endif
}

static void test_set(apr_pool_t *p)
{
    batch_digest_set_t *set = NULL;
    int i;
    int found = 0;

    ok(batch_digest_set_make(&set, p) == APR_SUCCESS, "a set is made");
    for (i = 1; i <= 10000; i++) {
        if (batch_digest_set_put(set, batch_digest_make(set, 'x', &i, sizeof(i)),
                                 (apr_uint32_t)i) != APR_SUCCESS) {
            break;
        }
    }
    is_number(i, 10001, "10,000 digests are put in");
    for (i = 1; i <= 10000; i++) {
        const apr_uint32_t *number =
            batch_digest_set_find(set, batch_digest_make(set, 'x', &i, sizeof(i)));
        found += number && *number == (apr_uint32_t)i;
    }
    is_number(found, 10000, "and each is found with its number");
    ok(!batch_digest_set_find(set, batch_digest_make(set, 'x', &i, sizeof(i))),
       "one that was not put in is not found");
    i = 1;
    ok(!batch_digest_set_find(set, batch_digest_make(set, 'y', &i, sizeof(i))),
       "another tag is another digest");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&p, NULL);
    test_memory(p);
    make_resource(p);
    test_ids(p);
    test_match(p);
    test_content(p);
    test_properties(p);
    test_sizes(p);
    test_set(p);
    apr_pool_destroy(p);
    return tap_end();
}

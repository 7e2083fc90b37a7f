/* store/segment.c: what was written is read back, and damage never leads outside the buffer. */
/* needs: nothing */
#include "store/segment.h"

#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"

/* A sink that keeps copies, each in a block of its own, so that valgrind and ASan see its edges. */
typedef struct kept {
    batch_segment_t segments[64];
    int count;
    apr_status_t answer;
    int calls;
} kept_t;

static apr_status_t keep(void *baton, const batch_segment_t *segment)
{
    kept_t *kept = baton;
    batch_segment_t *copy = &kept->segments[kept->count];

    kept->calls++;
    if (kept->answer != APR_SUCCESS) {
        return kept->answer;
    }
    *copy = *segment;
    copy->data = malloc(segment->length + 1);
    memcpy(copy->data, segment->data, segment->length + 1);
    kept->count++;
    return APR_SUCCESS;
}

static void forget(kept_t *kept)
{
    int i;

    for (i = 0; i < kept->count; i++) {
        free(kept->segments[i].data);
    }
    memset(kept, 0, sizeof(*kept));
}

static batch_item_t item_of(apr_int64_t ordinal, const char *key)
{
    batch_item_t item = {.ordinal = ordinal, .key = key, .key_length = key ? strlen(key) : 0};

    return item;
}

static void test_notation(apr_pool_t *p)
{
    batch_value_t values[] = {{"name", "a,b:c", BATCH_KIND_STRING},
                              {"note", NULL, BATCH_KIND_NULL},
                              {"", "", BATCH_KIND_STRING}};
    batch_item_t item = {.ordinal = 12,
                         .line = 3,
                         .key = "key",
                         .key_length = 3,
                         .value_count = 3,
                         .values = values};
    batch_item_t bare = item_of(APR_INT64_MAX, NULL);
    kept_t kept = {.count = 0};
    batch_segment_writer_t *writer = batch_segment_writer_make(keep, &kept, p);
    batch_segment_reader_t reader;

    is_number(batch_segment_writer_finish(writer), APR_SUCCESS, "finish without items");
    is_number(kept.calls, 0, "makes no segment");
    batch_segment_write(writer, &item);
    batch_segment_write(writer, &bare);
    batch_segment_writer_finish(writer);
    is_number(kept.count, 1, "one segment");
    is_string(kept.segments[0].data,
              "12.3.3;3:key,4:name,5:a,b:c,4:note,~0:,0:,9223372036854775807.0.0;~",
              "the notation is the documented one");
    is_number(strlen(kept.segments[0].data), (long long)kept.segments[0].length, "its length");
    batch_segment_reader_init(&reader, &kept.segments[0], p);
    memset(&item, 0, sizeof(item));
    is_number(batch_segment_read(&reader, &item), APR_SUCCESS, "the first item");
    ok(item.ordinal == 12 && item.line == 3 && item.key_length == 3 && item.value_count == 3,
       "has its numbers");
    is_string(item.key, "key", "its key");
    is_string(item.values[0].name, "name", "a name");
    is_string(item.values[0].value, "a,b:c", "a value with the notation's own signs");
    is_string(item.values[1].value, NULL, "NULL stays NULL");
    is_string(item.values[2].value, "", "and empty stays empty");
    is_number(batch_segment_read(&reader, &item), APR_SUCCESS, "the second item");
    ok(item.ordinal == APR_INT64_MAX && !item.key && !item.key_length && !item.values,
       "has no key and no values");
    is_number(batch_segment_read(&reader, &item), APR_EOF, "and no third");
    is_number(batch_segment_read(&reader, &item), APR_EOF, "ever");
    forget(&kept);
}

static void test_kinds(apr_pool_t *p)
{
    batch_value_t value = {"name", "a", BATCH_KIND_STRING};
    batch_item_t items[5];
    kept_t kept = {.count = 0};
    batch_segment_writer_t *writer = batch_segment_writer_make(keep, &kept, p);
    batch_segment_reader_t reader;
    batch_item_t item;
    int i, same = 1;

    for (i = 0; i < 5; i++) {
        items[i] = item_of(i, i % 2 ? "k" : NULL);
        items[i].kind = i < 5 ? (batch_item_kind_e)i : BATCH_ITEM_DROPPED;
        items[i].value_count = i != 4;
        items[i].values = &value;
        items[i].original = i == 3 ? "{\"name\":\"a\"}" : NULL;
        batch_segment_write(writer, &items[i]);
    }
    batch_segment_writer_finish(writer);
    is_string(kept.segments[0].data,
              "0.0.1;~4:name,1:a,1.0.1m1:k,4:name,1:a,2.0.1n~4:name,1:a,"
              "3.0.1d1:k,4:name,1:a,12:{\"name\":\"a\"},4.0.0u~~",
              "each kind has its sign, a dropped item its original");
    batch_segment_reader_init(&reader, &kept.segments[0], p);
    for (i = 0; i < 5; i++) {
        same = same && batch_segment_read(&reader, &item) == APR_SUCCESS &&
               item.kind == items[i].kind && !item.original == !items[i].original &&
               (!item.original || !strcmp(item.original, items[i].original)) &&
               item.value_count == items[i].value_count && !item.key == !items[i].key;
    }
    ok(same, "and both come back");
    is_number(batch_segment_read(&reader, &item), APR_EOF, "to the last");
    forget(&kept);
}

/* The original of an item that is not dropped is not kept; a large one is a segment's weight. */
static void test_originals(apr_pool_t *p)
{
    char *text = apr_palloc(p, BATCH_SEGMENT_BYTES);
    batch_item_t item = item_of(0, "key");
    kept_t kept = {.count = 0};
    batch_segment_writer_t *writer = batch_segment_writer_make(keep, &kept, p);
    batch_segment_reader_t reader;

    memset(text, 'x', BATCH_SEGMENT_BYTES - 1);
    text[BATCH_SEGMENT_BYTES - 1] = '\0';
    item.original = text;
    batch_segment_write(writer, &item);
    item.kind = BATCH_ITEM_DROPPED;
    batch_segment_write(writer, &item);
    batch_segment_writer_finish(writer);
    is_string(kept.segments[0].data, "0.0.0;3:key,", "no original but of a dropped item");
    is_number(kept.count, 2, "a large original counts");
    batch_segment_reader_init(&reader, &kept.segments[1], p);
    ok(batch_segment_read(&reader, &item) == APR_SUCCESS && !strcmp(item.original, text),
       "and is whole");
    forget(&kept);
}

static void test_many(apr_pool_t *p)
{
    kept_t kept = {.count = 0};
    batch_segment_writer_t *writer = batch_segment_writer_make(keep, &kept, p);
    const apr_int64_t total = 30000;
    apr_int64_t i, next = 0;
    int s, right = 1, sized = 1;

    for (i = 0; i < total; i++) {
        batch_item_t item = item_of(total - i, apr_psprintf(p, "%036" APR_INT64_T_FMT, i));
        right = right && batch_segment_write(writer, &item) == APR_SUCCESS;
    }
    right = right && batch_segment_writer_finish(writer) == APR_SUCCESS;
    ok(right, "30,000 items are written");
    ok(kept.count >= 3, "in several segments");
    for (s = 0; s < kept.count; s++) {
        batch_segment_reader_t reader;
        batch_item_t item;

        right = right && kept.segments[s].first == next;
        sized = sized && kept.segments[s].length <= BATCH_SEGMENT_BYTES &&
                (s == kept.count - 1 || kept.segments[s].length > BATCH_SEGMENT_BYTES - 200);
        batch_segment_reader_init(&reader, &kept.segments[s], p);
        while (batch_segment_read(&reader, &item) == APR_SUCCESS) {
            right = right && item.ordinal == total - next &&
                    !strcmp(item.key, apr_psprintf(p, "%036" APR_INT64_T_FMT, next));
            next++;
        }
    }
    ok(right && next == total, "and read back, each at its position");
    ok(sized, "no segment is over its size, all but the last are full");
    forget(&kept);
}

static void test_large(apr_pool_t *p)
{
    kept_t kept = {.count = 0};
    batch_segment_writer_t *writer = batch_segment_writer_make(keep, &kept, p);
    char *text = apr_palloc(p, 2 * BATCH_SEGMENT_BYTES + 1);
    batch_value_t value = {"text", text, BATCH_KIND_STRING};
    batch_item_t small = item_of(0, "small"), large = item_of(1, "large");
    batch_segment_reader_t reader;
    batch_item_t item;

    large.value_count = 1;
    large.values = &value;
    memset(text, 'x', 2 * BATCH_SEGMENT_BYTES);
    text[2 * BATCH_SEGMENT_BYTES] = '\0';
    batch_segment_write(writer, &small);
    batch_segment_write(writer, &large);
    batch_segment_write(writer, &small);
    batch_segment_writer_finish(writer);
    is_number(kept.count, 3, "an item over the size is a segment of its own");
    is_number(kept.segments[1].count, 1, "alone");
    is_number(kept.segments[2].first, 2, "and the next follows it");
    batch_segment_reader_init(&reader, &kept.segments[1], p);
    ok(batch_segment_read(&reader, &item) == APR_SUCCESS && !strcmp(item.values[0].value, text),
       "it is whole");
    forget(&kept);
}

static void test_refusals(apr_pool_t *p)
{
    kept_t kept = {.count = 0};
    batch_segment_writer_t *writer = batch_segment_writer_make(keep, &kept, p);
    batch_item_t item = {.key = "a\0b", .key_length = 3};
    batch_item_t good = item_of(0, "good");
    apr_status_t rv = APR_SUCCESS;
    int i;

    is_number(batch_segment_write(writer, &item), BATCH_EINVALID, "a NUL in a key is refused");
    item = good;
    item.kind = BATCH_ITEM_UNMET + 1;
    is_number(batch_segment_write(writer, &item), BATCH_EINVALID, "so is an unknown kind");
    is_number(batch_segment_write(writer, &good), APR_SUCCESS, "the next item is not");
    batch_segment_writer_finish(writer);
    is_number(kept.segments[0].count, 1, "and is alone");
    forget(&kept);
    kept.answer = APR_ENOSPC;
    writer = batch_segment_writer_make(keep, &kept, p);
    for (i = 0; i < 100000 && rv == APR_SUCCESS; i++) {
        rv = batch_segment_write(writer, &good);
    }
    is_number(rv, APR_ENOSPC, "the sink's refusal comes back");
    is_number(batch_segment_write(writer, &good), APR_ENOSPC, "and stays");
    is_number(batch_segment_writer_finish(writer), APR_ENOSPC, "to the end");
    is_number(kept.calls, 1, "the sink is not called again");
}

/* Reads text as a segment of count items in a block of exactly its length. */
static apr_status_t read_all(const char *text, apr_size_t length, apr_int64_t count, apr_pool_t *p)
{
    batch_segment_t segment = {0, count, malloc(length ? length : 1), length};
    batch_segment_reader_t reader;
    batch_item_t item;
    apr_status_t rv;

    memcpy(segment.data, text, length);
    batch_segment_reader_init(&reader, &segment, p);
    do {
        rv = batch_segment_read(&reader, &item);
        if (rv == APR_SUCCESS && item.key && strlen(item.key) != item.key_length) {
            rv = APR_EINVAL; /* what no reader may return */
        }
    } while (rv == APR_SUCCESS);
    free(segment.data);
    return rv;
}

static void test_damage(apr_pool_t *p)
{
    static const char *const damaged[] = {"",
                                          "1",
                                          "1.",
                                          "1.0.",
                                          "1.0.0",
                                          "1.0.0;",
                                          "1.0.0;3",
                                          "1.0.0;3:",
                                          "1.0.0;3:ab",
                                          "1.0.0;3:abc",
                                          "1.0.0;3:abcd,",
                                          "1.0.0;x:abc,",
                                          "-1.0.0;~",
                                          "1.0.1;~",
                                          "1.0.1;~~~",
                                          "1.0.1;~1:a,",
                                          "1.0.0;~trailing",
                                          "99999999999999999999.0.0;~",
                                          "1.0.0;99999999999999999999:a,",
                                          "1.0.9223372036854775807;~1:a,1:b,",
                                          "1.0.0;9223372036854775807:a,",
                                          ".0.0;~",
                                          "1.0.0x~",
                                          "1.0.0.~",
                                          "1.0.0m",
                                          "1.0.0d~",
                                          "1.0.0d~3:ab,",
                                          "1.0.0m~~"};
    const char *whole = "12.3.2;3:key,4:name,5:value,4:note,~7.0.0d5:other,2:{},";
    apr_size_t i, length = strlen(whole);
    apr_pool_t *ptemp;
    int all = 1, rounds;
    char copy[64];

    apr_pool_create(&ptemp, p);
    for (i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        apr_status_t rv = read_all(damaged[i], strlen(damaged[i]), 1, ptemp);
        if (!ok(rv == APR_EGENERAL, "damaged: %s", damaged[i])) {
            all = 0;
        }
    }
    is_number(read_all(whole, length, 2, ptemp), APR_EOF, "the whole one is read");
    is_number(read_all(whole, length, 1, ptemp), APR_EGENERAL, "not with an item too few");
    is_number(read_all(whole, length, 3, ptemp), APR_EGENERAL, "nor with one too many");
    for (i = 0; i < length; i++) {
        all = all && read_all(whole, i, 2, ptemp) == APR_EGENERAL;
    }
    ok(all, "cut anywhere it is damaged");
    srand(1);
    for (rounds = 0, all = 1; rounds < 20000; rounds++) {
        memcpy(copy, whole, length);
        copy[(apr_size_t)rand() % length] = (char)rand();
        copy[(apr_size_t)rand() % length] = "0123456789.:;,~mnd"[rand() % 18];
        all = all && read_all(copy, length, 2, ptemp) != APR_EINVAL;
        apr_pool_clear(ptemp);
    }
    ok(all, "20,000 random damages are survived");
}

static void test_values(apr_pool_t *p)
{
    batch_value_t values[] = {{"status", "good", BATCH_KIND_NUMBER},
                              {"project_id", NULL, BATCH_KIND_STRING}};
    batch_value_t *read;
    const char *text = batch_values_encode(values, 2, p);
    int count;

    is_string(text, "2;6:status,4:good,10:project_id,~", "values alone");
    is_number(batch_values_decode(&read, &count, text, p), APR_SUCCESS, "are read back");
    is_number(count, 2, "both");
    is_string(read[0].name, "status", "a name");
    is_string(read[0].value, "good", "a value");
    is_string(read[1].value, NULL, "and NULL");
    ok(read[0].kind == BATCH_KIND_STRING && read[1].kind == BATCH_KIND_NULL, "and their kinds");
    is_string(text, "2;6:status,4:good,10:project_id,~", "the text is left as it was");
    is_number(batch_values_decode(&read, &count, batch_values_encode(NULL, 0, p), p), APR_SUCCESS,
              "no values");
    ok(count == 0 && !read, "are none");
    is_number(batch_values_decode(&read, &count, "2;1:a,1:b,", p), APR_EGENERAL, "one is missing");
    is_number(batch_values_decode(&read, &count, "1;1:a,1:b,x", p), APR_EGENERAL, "too much");
    is_number(batch_values_decode(&read, &count, "", p), APR_EGENERAL, "nothing");
    ok(count == 0 && !read, "leave none behind");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&p, NULL);
    test_notation(p);
    test_kinds(p);
    test_originals(p);
    test_many(p);
    test_large(p);
    test_refusals(p);
    test_damage(p);
    test_values(p);
    return tap_end();
}

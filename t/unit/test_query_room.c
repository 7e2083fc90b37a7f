/* What evaluating a query may use: every function counts its work, and looks at the clock. */
/* needs: nothing */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "query/value.h"
#include "tap.h"

#define LONG ((apr_size_t)1024 * 1024)

/* A clock that runs out at a look. */
typedef struct fake_clock {
    int looks;
    int last; /* the look at which time is over, 0 = never */
} fake_clock_t;

static apr_status_t look(void *baton)
{
    fake_clock_t *clock = baton;

    return ++clock->looks == clock->last ? APR_TIMEUP : APR_SUCCESS;
}

static batch_query_room_t make_room(fake_clock_t *clock, apr_pool_t *p)
{
    batch_query_room_t room = {.p = p, .most = (apr_size_t)1 << 60, .look = look, .baton = clock};

    return room;
}

/* count times the word. */
static batch_query_value_t repeat(const char *word, apr_size_t count, apr_pool_t *p)
{
    apr_size_t length = strlen(word);
    char *text = apr_palloc(p, length * count + 1);

    for (apr_size_t i = 0; i < count; i++) {
        memcpy(text + i * length, word, length);
    }
    return batch_query_text_value(text, length * count);
}

/* All characters of two bytes, so that no two are the same. */
static batch_query_value_t greek(apr_size_t count, apr_pool_t *p)
{
    char *text = apr_palloc(p, 3 * count);
    apr_size_t used = 0;

    for (apr_size_t i = 0; i < count; i++) {
        unsigned code = 0x1000 + (unsigned)i;

        text[used++] = (char)(0xe0 | code >> 12);
        text[used++] = (char)(0x80 | (code >> 6 & 0x3f));
        text[used++] = (char)(0x80 | (code & 0x3f));
    }
    return batch_query_text_value(text, used);
}

static const char *shown(batch_query_value_t value, apr_pool_t *p)
{
    return value.kind == BATCH_QUERY_TEXT ? apr_pstrmemdup(p, value.text, value.length) : "-";
}

/* ---- What trim does ----------------------------------------------------------------------------
 */

static void test_trim(apr_pool_t *p)
{
    static const struct {
        const char *text, *set;
        int sides;
        const char *left;
    } cases[] = {
        {"  a b  ", " ", 3, "a b"},
        {"  a b  ", " ", 1, "a b  "},
        {"  a b  ", " ", 2, "  a b"},
        {"xyxa", "yx", 3, "a"},
        {"xyx", "yx", 3, ""},
        {"", "x", 3, ""},
        {"abc", "", 3, "abc"},
        {"\xc3\xa4\xc3\xb6"
         "a\xc3\xa4",
         "\xc3\xb6\xc3\xa4", 3, "a"},
        {"\xc3\xa4x", "\xc3\xb6", 3, "\xc3\xa4x"},
        {"\xc3\xa4x", "\xa4\xc3", 3, "\xc3\xa4x"}, /* bytes are no characters */
        {"\xa4x\xa4", "\xa4", 3, "x"},
        {"\xf0\x9f\x98\x80z\xe2\x82\xac", "\xe2\x82\xac\xf0\x9f\x98\x80", 3, "z"},
        {"zz\xe2\x82\xac", "z", 3, "\xe2\x82\xac"},
        {"\x7f~x", "~\x7f", 3, "x"},
    };
    fake_clock_t clock = {0, 0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        batch_query_room_t room = make_room(&clock, p);
        batch_query_value_t text = batch_query_text_value(cases[i].text, strlen(cases[i].text));
        batch_query_value_t set = batch_query_text_value(cases[i].set, strlen(cases[i].set));

        is_string(shown(batch_query_trim(&text, &set, cases[i].sides, &room), p), cases[i].left,
                  apr_psprintf(p, "trim %d", (int)i));
    }
}

/* ---- How much is done --------------------------------------------------------------------------
 */

static void test_linear(apr_pool_t *p)
{
    fake_clock_t clock = {0, 0};
    batch_query_room_t room = make_room(&clock, p);
    batch_query_value_t set = greek(8000, p);
    batch_query_value_t text = greek(8000, p);

    text = batch_query_trim(&text, &set, 2, &room);
    is_number((long long)text.length, 0, "8,000 characters are trimmed by 8,000 others");
    ok(room.used > 8000 && room.used < 20 * (8000 + set.length),
       "the work is about their sum, not their product: %ld", (long)room.used);
}

static apr_size_t steps_of(batch_query_room_t *room)
{
    apr_size_t steps = room->used;

    room->used = 0;
    return steps;
}

/* Whatever loops over a text says so. */
static void test_counted(apr_pool_t *p)
{
    fake_clock_t clock = {0, 0};
    batch_query_room_t room = make_room(&clock, p);
    batch_query_value_t text = repeat("x", LONG, p), other = repeat("x", LONG, p);
    batch_query_value_t space = repeat(" ", LONG, p), star = batch_query_text_value("%y", 2);
    batch_query_value_t none = batch_query_text_value("", 0);

    (void)batch_query_length(&text, &room);
    ok(steps_of(&room) >= LONG / 16, "length");
    (void)batch_query_substr(&text, (apr_int64_t)LONG, 1, &room);
    ok(steps_of(&room) >= LONG / 16, "substr");
    (void)batch_query_trim(&space, &space, 3, &room);
    ok(steps_of(&room) >= LONG, "trim");
    (void)batch_query_fold(&text, 1, &room);
    ok(steps_of(&room) >= LONG, "upper");
    (void)batch_query_like(&text, &star, &none, &room);
    ok(steps_of(&room) >= LONG, "LIKE");
    (void)batch_query_compare_in(&room, &text, &other);
    ok(steps_of(&room) >= LONG / 16, "a comparison");
    (void)batch_query_convert(&space, BATCH_QUERY_INTEGER, &room);
    ok(steps_of(&room) >= LONG / 16, "a text as a number");
    (void)batch_query_convert(&space, BATCH_QUERY_TIMESTAMP, &room);
    ok(steps_of(&room) >= LONG / 16, "a text as a time");
    ok(clock.looks > 5, "and the clock was looked at meanwhile: %d times", clock.looks);
}

/* ---- Time that is over -------------------------------------------------------------------------
 */

static void test_stopped(apr_pool_t *p)
{
    batch_query_value_t text = repeat("a", LONG, p), none = batch_query_text_value("", 0);
    batch_query_value_t pattern = repeat("%a", 400, p), value;
    fake_clock_t clock = {0, 3};
    batch_query_room_t room = make_room(&clock, p);

    pattern = batch_query_text_value(
        apr_pstrcat(p, "%", apr_pstrmemdup(p, text.text, 900), "b", NULL), 902);
    (void)batch_query_like(&text, &pattern, &none, &room);
    is_number(room.stopped, APR_TIMEUP, "LIKE ends when its time is over");
    ok(room.over, "what it says is void");
    is_number(clock.looks, 3, "at that look");
    ok(room.used <= 3 * BATCH_QUERY_LOOK_STEPS, "with no more work than until then: %ld steps",
       (long)room.used);

    clock = (fake_clock_t){0, 1};
    room = make_room(&clock, p);
    text = repeat("\xc3\xa4", LONG, p);
    value = repeat("\xc3\xb6\xc3\xa4", LONG, p);
    (void)batch_query_trim(&text, &value, 3, &room);
    is_number(room.stopped, APR_TIMEUP, "so does trim");
    is_number(clock.looks, 1, "at the first look");

    clock = (fake_clock_t){0, 1};
    room = make_room(&clock, p);
    value = batch_query_fold(&text, 0, &room);
    is_number(room.stopped, APR_TIMEUP, "so does lower");
    is_number(value.kind, BATCH_QUERY_NULL, "without a result");
    is_number(batch_query_work(&room, 1), 0, "nothing is begun then");
}

/* Looks do not begin anew with each record or call, however short these are. */
static void test_short_calls(apr_pool_t *p)
{
    fake_clock_t clock = {0, 0};
    batch_query_room_t room = make_room(&clock, p);
    batch_query_value_t text = repeat("x", 100, p), pattern = repeat("_", 100, p);
    batch_query_value_t none = batch_query_text_value("", 0);

    for (int i = 0; i < 100000; i++) {
        room.used = 0;
        (void)batch_query_like(&text, &pattern, &none, &room);
    }
    is_number(clock.looks, 100000 * 100 / (long long)BATCH_QUERY_LOOK_STEPS,
              "many short calls: as many looks as one long call has");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_trim(p);
    test_linear(p);
    test_counted(p);
    test_stopped(p);
    test_short_calls(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}

/* The lowest room: hexadecimal, UUIDs, UTF-8, days, numbers, and texts that grow. */
/* needs: nothing */
#include "batch.h"

#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"
#include "text/calendar.h"
#include "text/hex.h"
#include "text/moments.h"
#include "text/numbers.h"
#include "text/text_buffer.h"
#include "text/utf8.h"
#include "text/uuid.h"

static void test_hex(apr_pool_t *p)
{
    static const unsigned char bytes[] = {0x00, 0x1f, 0xa0, 0xff};
    unsigned char read[4];

    is_string(batch_hex(bytes, 4, p), "001fa0ff", "two digits a byte, in lower case");
    is_string(batch_hex(bytes, 0, p), "", "of nothing there are none");
    ok(batch_hex_read(read, 4, "001Fa0fF") && !memcmp(read, bytes, 4), "read in either case");
    ok(!batch_hex_read(read, 4, "001fa0f"), "a digit less is not read");
    ok(!batch_hex_read(read, 4, "001fa0ff0"), "nor one more");
    ok(!batch_hex_read(read, 4, "001ga0ff") && !batch_hex_read(read, 4, "00 fa0ff"), "nor others");
    ok(!batch_hex_read(read, 4, ""), "nor nothing");
    ok(!batch_hex_byte(read, "f"), "half a byte");
    is_number(batch_hex_value('/'), -1, "the neighbour of 0");
    is_number(batch_hex_value(':'), -1, "the neighbour of 9");
    is_number(batch_hex_value('@'), -1, "the neighbour of A");
    is_number(batch_hex_value('`'), -1, "the neighbour of a");
}

static void test_uuid(void)
{
    const char *const id = "6fcf631a-71b9-11ee-b962-0242ac120002";
    unsigned char bytes[BATCH_UUID_BYTES];
    char text[BATCH_UUID_SIZE];

    ok(batch_uuid_read(bytes, id), "a UUID is read");
    ok(bytes[0] == 0x6f && bytes[4] == 0x71 && bytes[15] == 0x02, "byte by byte");
    batch_uuid_write(text, bytes);
    is_string(text, id, "and written as it was");
}

static void test_characters(void)
{
    static const unsigned codes[] = {0x1, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
    char bytes[4];
    int same = 1;

    for (int i = 0; i < 8; i++) {
        apr_size_t length = batch_utf8_encode(bytes, codes[i]);

        same = same && length == (apr_size_t)(i / 2 + 1) &&
               batch_utf8_character(bytes, 4) == length &&
               batch_utf8_decode(bytes, length) == codes[i];
    }
    ok(same, "characters of one to four bytes, there and back");
    is_number((long long)batch_utf8_character("\xc3\xa9", 1), 0, "half a character is none");
    is_number((long long)batch_utf8_character("", 1), 1, "U+0000 is one");
    is_number((long long)batch_utf8_valid_length("ab\xc3\xa9\xff", 5), 4, "up to what is none");
    ok(batch_utf8_continues('\x80') && batch_utf8_continues('\xbf'), "bytes that go on");
    ok(!batch_utf8_continues('a') && !batch_utf8_continues('\xc3'), "bytes that begin");
}

static void test_calendar(void)
{
    apr_int64_t year;
    int month, day, same = 1;

    is_number(batch_calendar_days(1970, 1, 1), 0, "days count from 1970");
    is_number(batch_calendar_days(1, 1, 1), -719162, "to the year 1");
    is_number(batch_calendar_days(10000, 1, 1), 2932897, "and to the end of 9999");
    is_number(batch_calendar_month(2000, 2), 29, "2000 was a leap year");
    is_number(batch_calendar_month(1900, 2), 28, "1900 was none");
    is_number(batch_calendar_month(2023, 2), 28, "nor was 2023");
    for (apr_int64_t days = -719162; days < 2932897; days++) {
        batch_calendar_date(days, &year, &month, &day);
        same = same && day >= 1 && day <= batch_calendar_month(year, month) &&
               batch_calendar_days(year, month, day) == days;
    }
    ok(same, "every day of the years 1 to 9999, there and back");
}

static void test_numbers(void)
{
    char text[21] = "";
    apr_int64_t whole;
    double number;

    *batch_number_write(text, 0) = '\0';
    is_string(text, "0", "0");
    *batch_number_write(text, APR_UINT64_MAX) = '\0';
    is_string(text, "18446744073709551615", "the largest number");
    ok(batch_number_whole(&whole, "-9223372036854775808") && whole == APR_INT64_MIN,
       "the smallest");
    ok(!batch_number_whole(&whole, "9223372036854775808"), "one beyond 64 bits");
    ok(!batch_number_whole(&whole, "") && !batch_number_whole(&whole, "1x"), "no whole number");
    ok(batch_number_double(&number, "-1.5e2") && number == -150, "one with an exponent");
    ok(!batch_number_double(&number, "") && !batch_number_double(&number, "1.5x"), "no number");
}

static void test_buffer(apr_pool_t *p)
{
    batch_text_buffer_t buffer = {.p = p};
    int same = 1;

    is_string(batch_text_buffer_end(&buffer), "", "nothing");
    for (int i = 0; i < 1000; i++) {
        batch_text_buffer_add(&buffer, "abc", 3);
    }
    batch_text_buffer_add(&buffer, "", 0);
    is_number((long long)buffer.used, 3000, "it grows");
    is_number((long long)strlen(batch_text_buffer_end(&buffer)), 3000, "with a NUL behind it");
    for (int i = 0; i < 3000; i++) {
        same = same && buffer.data[i] == "abc"[i % 3];
    }
    ok(same, "and keeps what it has");
}

static void test_ids(apr_pool_t *p)
{
    apr_hash_t *seen = apr_hash_make(p);
    int i, valid = 1;

    for (i = 0; i < 2000; i++) {
        const char *id = batch_uuid_make(p);
        valid = valid && batch_uuid_is_valid(id) && id[14] == '4' && strchr("89ab", id[19]) &&
                strlen(id) == 36;
        apr_hash_set(seen, id, APR_HASH_KEY_STRING, id);
    }
    ok(valid, "2,000 ids are UUIDs of version 4 and the RFC's variant");
    is_number(apr_hash_count(seen), 2000, "and all different");
    ok(batch_uuid_is_valid("6FCF631A-71B9-11EE-B962-0242AC120002"), "upper case is valid");
    ok(!batch_uuid_is_valid("6fcf631a-71b9-11ee-b962-0242ac12000"), "one digit less is not");
    ok(!batch_uuid_is_valid("6fcf631a-71b9-11ee-b962-0242ac1200022"), "one more is not");
    ok(!batch_uuid_is_valid("6fcf631a071b9-11ee-b962-0242ac120002"), "a digit for a dash is not");
    ok(!batch_uuid_is_valid("6fcf631g-71b9-11ee-b962-0242ac120002"), "g is no digit");
    ok(!batch_uuid_is_valid(""), "nor is the empty text");
    ok(!batch_uuid_is_valid(NULL), "nor is none");
}

static void test_times(apr_pool_t *p)
{
    is_string(batch_time_format(0, p), NULL, "0 is no time");
    is_string(batch_time_format(apr_time_make(1696560994, 999999), p), "2023-10-06T02:56:34Z",
              "seconds are not rounded up");
    is_string(batch_time_format(apr_time_from_sec(1709164800), p), "2024-02-29T00:00:00Z",
              "a leap day");
}

static int utf8(const char *bytes)
{
    return batch_utf8_is_valid(bytes, strlen(bytes));
}

static void test_utf8(void)
{
    ok(utf8(""), "nothing is valid");
    ok(utf8("Grüße, 世界 🌍"), "two, three and four bytes");
    ok(!batch_utf8_is_valid("a\0b", 3), "U+0000 is not");
    ok(utf8("\xed\x9f\xbf\xee\x80\x80"), "the neighbours of the surrogates");
    ok(!utf8("\xed\xa0\x80"), "a surrogate is not");
    ok(!utf8("\xc0\xaf") && !utf8("\xc1\xbf"), "overlong in two bytes");
    ok(!utf8("\xe0\x9f\xbf"), "overlong in three");
    ok(!utf8("\xf0\x8f\xbf\xbf"), "overlong in four");
    ok(utf8("\xf4\x8f\xbf\xbf"), "U+10FFFF");
    ok(!utf8("\xf4\x90\x80\x80") && !utf8("\xf5\x80\x80\x80"), "beyond it is not");
    ok(!utf8("\x80") && !utf8("a\xbf"), "a continuation alone");
    ok(!utf8("\xe4\xb8") && !utf8("\xf0\x9f\x8c") && !utf8("\xc3"), "cut short at the end");
    ok(!utf8("\xe4\xb8x") && !utf8("\xc3x"), "cut short by another");
    ok(!utf8("\xff") && !utf8("\xfe"), "bytes of no sequence");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&p, NULL);
    test_hex(p);
    test_uuid();
    test_ids(p);
    test_times(p);
    test_utf8();
    test_characters();
    test_calendar();
    test_numbers();
    test_buffer(p);
    return tap_end();
}

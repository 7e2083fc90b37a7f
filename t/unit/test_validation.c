/* Values against their columns, and the one spelling of what they say. */
/* needs: nothing */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "engine/validation.h"
#include "text/numbers.h"
#include "tap.h"

static apr_pool_t *pool;

/** What becomes of a value, as "KIND:TEXT", or what is wrong with it, as "CODE: MESSAGE". */
static const char *settled(const batch_column_t *column, batch_kind_e kind, const char *text)
{
    static const char kinds[] = "0snbjc!"; /* as batch_kind_e */
    batch_value_t value = {"it", text, kind};
    batch_fault_t fault = {0};

    if (!batch_value_settle(&fault, &value, column, pool)) {
        ok(value.kind == kind && value.value == text, "what is wrong stays as it is");
        return apr_psprintf(pool, "%s: %s", fault.code, fault.message);
    }
    text = apr_psprintf(pool, "%c:%s", kinds[value.kind], value.value ? value.value : "");
    ok(batch_value_settle(&fault, &value, column, pool) &&
           !strcmp(text,
                   apr_psprintf(pool, "%c:%s", kinds[value.kind], value.value ? value.value : "")),
       "what is settled stays so");
    return text;
}

static void is_settled(batch_type_e type, batch_kind_e kind, const char *text, const char *wanted)
{
    batch_column_t column = {.name = "it", .type = type};

    is_string(settled(&column, kind, text), wanted,
              apr_psprintf(pool, "%s: '%s'", batch_type_name(type), text));
}

/** A cell of CSV. */
static void cell(batch_type_e type, const char *text, const char *wanted)
{
    is_settled(type, BATCH_KIND_CELL, text, wanted);
}

/** A number of JSON. */
static void number(batch_type_e type, const char *text, const char *wanted)
{
    is_settled(type, BATCH_KIND_NUMBER, text, wanted);
}

static void moment(const char *text, const char *wanted)
{
    is_settled(BATCH_TYPE_TIMESTAMP, BATCH_KIND_STRING, text,
               wanted ? apr_pstrcat(pool, "s:", wanted, NULL)
                      : apr_pstrcat(pool, "s:", text, NULL));
}

/** A text that is no time, and what is said of it behind the words that are always said. */
static void no_moment(const char *text, const char *wanted)
{
    is_settled(
        BATCH_TYPE_TIMESTAMP, BATCH_KIND_STRING, text,
        apr_pstrcat(pool, "malformed: must be a timestamp as 2023-10-06T02:56:34Z", wanted, NULL));
}

static void no_date(const char *text, const char *wanted)
{
    is_settled(BATCH_TYPE_DATE, BATCH_KIND_STRING, text,
               apr_pstrcat(pool, "malformed: must be a date as 2023-10-06", wanted, NULL));
}

#define INT    BATCH_TYPE_INTEGER
#define NUM    BATCH_TYPE_NUMBER
#define WHOLE  "wrong_type: must be a whole number"
#define BEYOND "out_of_range: is beyond what 64 bits can hold"
#define DOUBLE "out_of_range: must be a number that a double can hold"

static void test_integers(void)
{
    static const char *const none[] = {"x", "1.5", "1e-1", "0x10", " 1", "1 ",   "-",
                                       "+", "1,5", "1.",   ".5",   "1e", "7.0x", "1e+"};

    cell(INT, "7", "n:7");
    cell(INT, "-12", "n:-12");
    cell(INT, "+007", "n:7");
    cell(INT, "-007", "n:-7");
    cell(INT, "000", "n:0");
    cell(INT, "+7.00", "n:7");
    cell(INT, "1e3", "n:1000");
    cell(INT, "9223372036854775807", "n:9223372036854775807");
    cell(INT, "9223372036854775808", BEYOND);
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        cell(INT, none[i], WHOLE);
    }
    number(INT, "7.0", "n:7");
    number(INT, "-0", "n:0");
    number(INT, "-0.000e5", "n:0");
    number(INT, "0e99999999999999999999", "n:0");
    number(INT, "1e2", "n:100");
    number(INT, "1.5E+1", "n:15");
    number(INT, "15000e-3", "n:15");
    number(INT, "-9223372036854775808", "n:-9223372036854775808");
    number(INT, "-9223372036854775809", BEYOND);
    number(INT, "9.223372036854775807e18", "n:9223372036854775807");
    number(INT, "1e19", BEYOND);
    number(INT, "1e400", BEYOND);
    number(INT, "1e99999999999999999999", BEYOND);
    number(INT, "1.5", WHOLE);
    number(INT, "9223372036854775807.5", WHOLE);
    number(INT, "1e-99999999999999999999", WHOLE);
    is_settled(INT, BATCH_KIND_STRING, "7", WHOLE);
}

static void test_numbers(void)
{
    static const char *const none[] = {"x",   ".5",  "5.",  "1e",  "1e+", "0x1",
                                       "inf", "nan", "1,5", "--1", "+-1", "1.5.1"};

    cell(NUM, "1.50", "n:1.5");
    cell(NUM, "+01.5e-3", "n:0.0015");
    cell(NUM, "-00.5", "n:-0.5");
    cell(NUM, "0", "n:0");
    cell(NUM, "-0", "n:0");
    cell(NUM, "1E5", "n:100000");
    cell(NUM, "1e999", DOUBLE);
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        cell(NUM, none[i], "wrong_type: must be a number");
    }
    number(NUM, "0.1", "n:0.1");
    number(NUM, "100", "n:100");
    number(NUM, "100.00", "n:100");
    number(NUM, "1e2", "n:100");
    number(NUM, "0.10e1", "n:1");
    number(NUM, "-1.250", "n:-1.25");
    number(NUM, "12345678901234567890.123", "n:12345678901234567890.123");
    number(NUM, "1e20", "n:100000000000000000000");
    number(NUM, "1e21", "n:1e21");
    number(NUM, "1.250E+0021", "n:1.25e21");
    number(NUM, "1000000000000000000000", "n:1e21");
    number(NUM, "0.000001", "n:0.000001");
    number(NUM, "0.0000001", "n:1e-7");
    number(NUM, "1.7976931348623157e308", "n:1.7976931348623157e308");
    number(NUM, "1.8e308", DOUBLE);
    number(NUM, "1e-400", DOUBLE);
}

static void test_moments(void)
{
    moment("2024-02-29T00:00:00Z", NULL);
    moment("2024-01-05T12:00:00.5Z", NULL);
    moment("2024-01-05T12:00:00+02:00", "2024-01-05T10:00:00Z");
    moment("2024-01-05t12:00:00z", "2024-01-05T12:00:00Z");
    moment("2024-01-05T12:00:00-00:00", "2024-01-05T12:00:00Z");
    moment("2024-01-05T12:00:00+00:00", "2024-01-05T12:00:00Z");
    moment("2024-01-05T12:00:00.500Z", "2024-01-05T12:00:00.5Z");
    moment("2024-01-05T12:00:00.000Z", "2024-01-05T12:00:00Z");
    moment("2024-01-05T12:00:00.123456789-05:30", "2024-01-05T17:30:00.123456789Z");
    moment("2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00Z");
    moment("2024-01-01T00:30:00+01:00", "2023-12-31T23:30:00Z");
    moment("2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z");
    moment("2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z");
    moment("2023-03-01T00:30:00+01:00", "2023-02-28T23:30:00Z");
    moment("1900-03-01T00:00:00+23:59", "1900-02-28T00:01:00Z");
    moment("2000-02-28T23:59:59-23:59", "2000-02-29T23:58:59Z");
    moment("0001-01-01T00:00:00Z", NULL);
    moment("9999-12-31T23:59:59.9Z", NULL);
    moment("0001-01-01T05:00:00+05:00", "0001-01-01T00:00:00Z");
    moment("9999-12-31T18:59:59-05:00", "9999-12-31T23:59:59Z");
    no_moment("0001-01-01T00:00:00+00:01", ", which in UTC is in the years 1 to 9999");
    no_moment("9999-12-31T23:59:59-00:01", ", which in UTC is in the years 1 to 9999");
    no_moment("0000-01-01T00:00:00Z", ": there is no such day in the years 1 to 9999");
    no_moment("2023-02-29T00:00:00Z", ": there is no such day in the years 1 to 9999");
    no_moment("2016-12-31T23:59:60Z",
              ": a leap second (:60) cannot be stored, send the second before or after it");
    no_moment("2024-01-05T24:00:00Z", "");
    no_moment("2024-01-05T12:00:00",
              ": it has no time zone, which is Z or an offset as +02:00: send 2024-01-05T12:00:00Z "
              "if it is in UTC");
    no_moment("2024-01-05 12:00:00",
              ": it has no time zone, which is Z or an offset as +02:00: send 2024-01-05T12:00:00Z "
              "if it is in UTC");
    no_moment("2024-01-05T12:00:00+0000",
              ": an offset is written as +02:00: send 2024-01-05T12:00:00+00:00");
    no_moment("2024-01-05T12:00:00.25-05",
              ": an offset is written as +02:00: send 2024-01-05T12:00:00.25-05:00");
    no_moment("2024-01-05 12:00:00Z",
              ": a T stands between date and time: send 2024-01-05T12:00:00Z");
    no_moment("2024-01-05 12:00:00+02",
              ": an offset is written as +02:00: send 2024-01-05T12:00:00+02:00");
    no_moment("2024-01-05T12:00:00 UTC", ", with Z or an offset as +02:00 at its end");
    no_moment("2024-01-05T12:00:00+2:00", ", with Z or an offset as +02:00 at its end");
    no_moment("2024-01-05T12:00:00+24:00", ", with Z or an offset as +02:00 at its end");
    no_moment("2024-01-05T12:00:00Z ", ", with Z or an offset as +02:00 at its end");
    no_moment("2024-01-05T12:00Z", ": it has no seconds");
    no_moment("2024-01-05T12:00", ": it has no seconds");
    no_moment("2024-01-05T12:00:00.Z", "");
    no_moment("2024-01-05", ": it is a date without a time: send 2024-01-05T00:00:00Z for its "
                            "beginning in UTC");
    no_moment("tomorrow", "");
    no_moment("", "");
    is_settled(BATCH_TYPE_TIMESTAMP, BATCH_KIND_NUMBER, "1698000000",
               "wrong_type: must be a string with a timestamp as 2023-10-06T02:56:34Z");
}

static void test_dates(void)
{
    cell(BATCH_TYPE_DATE, "2024-02-29", "s:2024-02-29");
    no_date("29.02.2024", "");
    no_date("2023-02-29", ": there is no such day in the years 1 to 9999");
    no_date("0000-02-01", ": there is no such day in the years 1 to 9999");
    no_date("2024-02-29T12:00:00Z", ", without a time: send 2024-02-29");
    no_date("2024-02-29x", "");
    is_settled(BATCH_TYPE_DATE, BATCH_KIND_NUMBER, "20240229",
               "wrong_type: must be a string with a date as 2023-10-06");
}

static void uuid(const char *text, const char *wanted)
{
    is_settled(BATCH_TYPE_UUID, BATCH_KIND_STRING, text, wanted);
}

static void test_uuids(void)
{
    static const char wrong[] = "malformed: must be a UUID as 6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    static const char right[] = "s:6ba7b810-9dad-11d1-80b4-00c04fd430c8";

    uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8", right);
    uuid("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", right);
    uuid("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", right);
    uuid("6ba7b8109dad11d180b400c04fd430c8", right);
    uuid("{6ba7-b810-9dad-11d1-80b4-00c0-4fd4-30c8}", right);
    cell(BATCH_TYPE_UUID, "6BA7B8109DAD11D180B400C04FD430C8", right);
    uuid("", wrong);
    uuid("{", wrong);
    uuid("{}", wrong);
    uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c", wrong);
    uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8a", wrong);
    uuid("6ba7b810-9dad-11d1-80b4-00c04fd430cg", wrong);
    uuid("{6ba7b810-9dad-11d1-80b4-00c04fd430c8", wrong);
    uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8}", wrong);
    uuid("6ba-7b8109dad11d180b400c04fd430c8", wrong);
    uuid("-6ba7b810-9dad-11d1-80b4-00c04fd430c8", wrong);
    uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8-", wrong);
    uuid("urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8", wrong);
    uuid(" 6ba7b810-9dad-11d1-80b4-00c04fd430c8", wrong);
    number(BATCH_TYPE_UUID, "1", "wrong_type: must be a string with a UUID");
}

static batch_column_t decimal = {.name = "it", .type = BATCH_TYPE_DECIMAL};

/** A decimal of JSON that is a number, a string and a cell: all say the same. */
static void exact(const char *text, const char *wanted)
{
    is_string(settled(&decimal, BATCH_KIND_NUMBER, text), wanted,
              apr_psprintf(pool, "a number: %.40s", text));
    is_string(settled(&decimal, BATCH_KIND_STRING, text), wanted,
              apr_psprintf(pool, "a string: %.40s", text));
    is_string(settled(&decimal, BATCH_KIND_CELL, text), wanted,
              apr_psprintf(pool, "a cell: %.40s", text));
}

static void test_decimals(void)
{
    static const char wrong[] = "malformed: must be a decimal number as 12.50";

    exact("12.50", "s:12.5");
    exact("0", "s:0");
    exact("-0.00", "s:0");
    exact("0e999999999", "s:0");
    exact("+007.10", "s:7.1");
    exact("1e2", "s:100");
    exact("1.5e-3", "s:0.0015");
    exact("-12345678901234567890.12345678901234567890",
          "s:-12345678901234567890.1234567890123456789");
    exact("9007199254740993", "s:9007199254740993");
    exact("1e99", apr_psprintf(pool, "s:1%099d", 0));
    exact("1e100", "out_of_range: has more than 100 digits");
    exact("1e-100", apr_psprintf(pool, "s:0.%0100d", 1));
    exact("1e-101", "out_of_range: has more than 100 digits");
    exact("1e999999999999999999999", "out_of_range: has more than 100 digits");
    exact("1e-999999999999999999999", "out_of_range: has more than 100 digits");
    is_settled(BATCH_TYPE_DECIMAL, BATCH_KIND_STRING, "", wrong);
    is_settled(BATCH_TYPE_DECIMAL, BATCH_KIND_STRING, "1,5", wrong);
    is_settled(BATCH_TYPE_DECIMAL, BATCH_KIND_STRING, "NaN", wrong);
    is_settled(BATCH_TYPE_DECIMAL, BATCH_KIND_STRING, "0x10", wrong);
    is_settled(BATCH_TYPE_DECIMAL, BATCH_KIND_STRING, " 1", wrong);
    is_settled(BATCH_TYPE_DECIMAL, BATCH_KIND_STRING, ".5", wrong);
    cell(BATCH_TYPE_DECIMAL, "12.50 EUR", wrong);
    is_settled(BATCH_TYPE_DECIMAL, BATCH_KIND_BOOLEAN, "true",
               "wrong_type: must be a number, or a string with one as \"12.50\"");
}

static void test_digits(void)
{
    decimal.precision = 5;
    exact("12345", "s:12345");
    exact("123.450", "s:123.45");
    exact("123456", "out_of_range: has more than 5 digits");
    exact("0.12345", "s:0.12345");
    exact("0.000001", "out_of_range: has more than 5 digits");
    decimal.scale = 2;
    decimal.has_scale = 1;
    exact("12.5", "s:12.50");
    exact("12", "s:12.00");
    exact("-0", "s:0.00");
    exact("999.99", "s:999.99");
    exact("0.01", "s:0.01");
    exact("1.500", "s:1.50");
    exact("1.505", "out_of_range: has more than 2 digits behind the point");
    exact("1e-3", "out_of_range: has more than 2 digits behind the point");
    exact("1000", "out_of_range: has more than 3 digits before the point");
    decimal.scale = 0;
    exact("12.0", "s:12");
    exact("12.5", "out_of_range: must be a whole number");
    decimal.precision = decimal.has_scale = 0;
    decimal.min = "-0.10000000000000000001";
    exact("-0.10000000000000000001", "s:-0.10000000000000000001");
    exact("-0.10000000000000000002", "out_of_range: must be at least -0.10000000000000000001");
    decimal.min = NULL;
}

/** a is below (-1), as (0) or above (1) b, and b the other way round. */
static void compared(const char *a, const char *b, int wanted)
{
    int there = batch_number_compare(a, b);
    int back = batch_number_compare(b, a);

    ok((there > 0) - (there < 0) == wanted && (back > 0) - (back < 0) == -wanted, "%s against %s",
       a, b);
}

static void test_comparing(void)
{
    compared("1", "1.0", 0);
    compared("100", "1e2", 0);
    compared("0", "-0.00", 0);
    compared("-1", "1", -1);
    compared("0", "0.001", -1);
    compared("-0.001", "0", -1);
    compared("9", "10", -1);
    compared("-9", "-10", 1);
    compared("0.5", "0.45", 1);
    compared("1.05", "1.5", -1);
    compared("123e-2", "1.23", 0);
    compared("0.00123e3", "1.23", 0);
    compared("9007199254740993", "9007199254740992", 1);
    compared("1.0000000000000000001", "1", 1);
    compared("1e400", "1e399", 1);
}

static void test_limits(void)
{
    batch_column_t column = {.name = "it", .type = INT, .min = "5"};

    is_string(settled(&column, BATCH_KIND_CELL, "4"), "out_of_range: must be at least 5",
              "min counts");
    is_string(settled(&column, BATCH_KIND_CELL, "005"), "n:5", "of the number that the cell is");
    column.required = 1;
    is_string(settled(&column, BATCH_KIND_NULL, NULL), "wrong_type: must not be null", "null");
    column.required = 0;
    is_string(settled(&column, BATCH_KIND_NULL, NULL), "0:", "null where it may be");
    is_string(settled(&column, BATCH_KIND_BROKEN, "7"), "malformed: cannot be read", "broken");
    column.type = BATCH_TYPE_TEXT;
    column.max = 2;
    is_string(settled(&column, BATCH_KIND_STRING, "abc"), "too_long: is longer than 2 characters",
              "max counts");
    is_string(settled(&column, BATCH_KIND_STRING, "\xc3\xa9\xc3\xa9"), "s:\xc3\xa9\xc3\xa9",
              "characters");
    is_string(settled(&column, BATCH_KIND_NUMBER, "7"), "wrong_type: must be a string", "a number");
    column.words = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(column.words, const char *) = "a";
    is_string(settled(&column, BATCH_KIND_STRING, "A"), "not_allowed: must be one of a", "words");
    is_string(settled(&column, BATCH_KIND_CELL, "a"), "s:a", "one of them");
}

/** A key: as settled. */
static const char *key(batch_kind_e kind, const char *text)
{
    batch_value_t value = {"id", text, kind};
    batch_fault_t fault = {0};

    return batch_key_settle(&fault, &value, BATCH_KEY_TEXT, pool)
               ? apr_psprintf(pool, "%d:%s", (int)value.kind, value.value)
               : apr_psprintf(pool, "%s: %s", fault.code, fault.message);
}

static void test_keys(void)
{
    char *much = apr_palloc(pool, 257);

    memset(much, 'x', 256);
    much[256] = '\0';
    is_string(key(BATCH_KIND_STRING, "a"), "1:a", "a key is a string");
    is_string(key(BATCH_KIND_STRING, "007"), "1:007", "as it is");
    is_string(key(BATCH_KIND_NUMBER, "7"), "1:7", "or a whole number");
    is_string(key(BATCH_KIND_NUMBER, "7.0"), "1:7", "in one spelling");
    is_string(key(BATCH_KIND_NUMBER, "123456789012345678901234567890"),
              "1:123456789012345678901234567890", "of any length");
    is_string(key(BATCH_KIND_NUMBER, "1.5"), "wrong_type: must be a string or a whole number",
              "no other number");
    is_string(key(BATCH_KIND_BOOLEAN, "true"), "wrong_type: must be a string or a whole number",
              "nor what is neither");
    is_string(key(BATCH_KIND_STRING, ""), "missing: must not be empty", "nor an empty one");
    is_string(key(BATCH_KIND_CELL, " \t"), "missing: must not be empty", "nor one of blanks");
    is_string(key(BATCH_KIND_STRING, " a "), "1: a ", "blanks around it are a part of it");
    is_string(key(BATCH_KIND_STRING, much), "too_long: must not be longer than 255 bytes",
              "nor a long one");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    cell(BATCH_TYPE_TEXT, " any ", "s: any ");
    cell(BATCH_TYPE_BOOLEAN, "true", "b:true");
    cell(BATCH_TYPE_BOOLEAN, "FALSE", "b:false");
    cell(BATCH_TYPE_BOOLEAN, "1", "b:true");
    cell(BATCH_TYPE_BOOLEAN, "0", "b:false");
    cell(BATCH_TYPE_BOOLEAN, "yes", "wrong_type: must be true or false");
    cell(BATCH_TYPE_JSON, "{}", "wrong_type: must be JSON");
    test_integers();
    test_numbers();
    test_moments();
    test_dates();
    test_uuids();
    test_decimals();
    test_digits();
    test_comparing();
    test_limits();
    test_keys();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

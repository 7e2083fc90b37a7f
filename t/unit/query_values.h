/* Expressions and what they give; and queries that are refused. Of test_query_values.c. */
#ifndef BATCH_TEST_QUERY_VALUES_H
#define BATCH_TEST_QUERY_VALUES_H

typedef struct expression {
    const char *text;
    const char *value; /* "NULL"; where PostgreSQL fails, we have NULL, too */
    int ours;          /* PostgreSQL has something else, or nothing */
} expression_t;

static const expression_t expressions[] = {
    /* Whole numbers are exact, whatever they stand beside. */
    {"big = 9007199254740992", "false", 0},
    {"1152921504606846976 + half - half", "1152921504606846976", 0},
    {"big = 9007199254740993", "true", 0},
    {"big > 9007199254740992.5", "true", 0},
    {"big::text", "9007199254740993", 0},
    {"big + 1", "9007199254740994", 0},
    {"big - 0.5 < 9007199254740993", "true", 0},
    {"big * 2", "18014398509481986", 0},
    {"big % 10", "3", 0},
    {"big / 1", "9007199254740993", 0},
    {"most = 9223372036854775807", "true", 0},
    {"most < 9223372036854775808", "true", 0},
    {"most = 9223372036854775808.0", "false", 0},
    {"most + 1 > most::numeric", "true", 0},
    {"most % 1000", "807", 0},
    {"-most", "-9223372036854775807", 0},
    {"abs(-most)", "9223372036854775807", 0},
    {"round(big)", "9007199254740993", 0},
    {"round(big, -1)", "9007199254740990", 0},
    {"big IN (9007199254740992, 9007199254740994)", "false", 0},
    {"big IN (9007199254740992, 9007199254740993.0)", "true", 0},
    {"big BETWEEN 9007199254740992.5 AND 9007199254740993", "true", 0},
    {"9007199254740993.0 = 9007199254740992", "false", 0},
    {"9007199254740993 = 9007199254740992.0", "false", 0},
    {"9007199254740993e0 + 0", "9007199254740993", 0},
    {"9223372036854775807 + 1", "NULL", 0},
    {"9223372036854775807 * 2", "NULL", 0},
    {"9223372036854775807.0 + 1 > most", "true", 0},
    {"-9223372036854775808 < -9223372036854775807", "true", 0},
    {"_version + 9223372036854775807", "NULL", 0},
    {"_version + 9223372036854775807 > 0", "NULL", 0},
    {"_version / 2", "3", 0},
    {"-_version / 2", "-3", 0},
    {"-_version % 4", "-3", 0},
    {"_version / 2.0", "3.5", 0},
    {"7.0 / 2", "3.5", 0},
    {"7 / 2", "3", 0},
    {"seven / 2", "3.5", 0},
    {"seven / 7", "1", 0},
    {"seven % 4", "3", 0},
    {"7.5 % 2", "1.5", 0},
    {"-7.5 % 2", "-1.5", 0},
    {"seven / 0", "NULL", 0},
    {"seven % 0", "NULL", 0},
    {"1 / 0", "NULL", 0},
    {"half + half", "1", 0},
    {"half * 2 = 1", "true", 0},
    {"seven = 7.0", "true", 0},
    {"neg < -2", "true", 0},
    {"- neg", "2.5", 0},
    {"abs(neg)", "2.5", 0},
    {"abs(-7)", "7", 0},
    {"10 / 4.0", "2.5", 0},
    {"1e15::text", "1000000000000000", 0},
    {"1e20::text", "100000000000000000000", 0},
    {"0.0000001::text", "0.0000001", 0},
    {"1.50::numeric", "1.5", 0},
    {"120e-1", "12", 0},
    {"'12.50'::numeric", "12.5", 0},
    {"'1e3'::numeric", "1000", 0},
    {"' 7 '::integer", "7", 0},
    {"'9223372036854775807'::bigint", "9223372036854775807", 0},
    {"'9223372036854775807'::numeric", "9223372036854775807", 0},
    {"2.5::bigint", "3", 0},
    {"(-2.5)::bigint", "-3", 0},
    {"0.5::bigint", "1", 0},
    {"abc::numeric", "NULL", 0},
    {"round(2.5)", "3", 0},
    {"round(-2.5)", "-3", 0},
    {"round(neg)", "-3", 0},
    {"round(1.255, 2)", "1.26", 0},
    {"round(2.675, 2)", "2.68", 0},
    {"round(0.995, 2)", "1", 0},
    {"round(999.5)", "1000", 0},
    {"round(0.4)", "0", 0},
    {"round(-0.4)", "0", 0},
    {"round(1234.5, -2)", "1200", 0},
    {"round(1250, -2)", "1300", 0},
    {"round(-1250.0, -2)", "-1300", 0},
    {"round(5, -1)", "10", 0},
    {"round(4, -1)", "0", 0},
    {"round(9223372036854775807, -19)", "10000000000000000000", 0},
    {"round(9223372036854775807, -20)", "0", 0},
    {"round(0.1 + half, 1)", "0.6", 0},
};

/* Queries, and words of what is said of them. */
static const struct {
    const char *text;
    const char *words;
} refused[] = {
    {"_version = 'three'", "line 1, column 12: found 'three', expected an integer in it"},
};

#endif

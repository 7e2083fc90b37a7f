/* Dates, times and intervals, in UTC and the Gregorian calendar. */
#include "query/value.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "text/calendar.h"

#define SECOND APR_INT64_C(1000000)
#define DAY    BATCH_QUERY_DAY

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

/* The years that there are. */
#define LAST_YEAR 9999

/* ---- Reading --------------------------------------------------------------------------------- */

/* A number of so many digits. *from moves; 0: it is not there, or over most. */
static int digits(const char **from, const char *end, int count, int most, int *number)
{
    int i;

    *number = 0;
    for (i = 0; i < count; i++) {
        if (*from >= end || !apr_isdigit(**from)) {
            return 0;
        }
        *number = *number * 10 + (*(*from)++ - '0');
    }
    return *number <= most;
}

static int take(const char **from, const char *end, const char *any_of)
{
    if (*from >= end || !**from || !strchr(any_of, **from)) {
        return 0;
    }
    (*from)++;
    return 1;
}

static int read_clock(apr_int64_t *time, const char **from, const char *end)
{
    int hour, minute, second = 0;
    apr_int64_t unit = SECOND;

    if (!digits(from, end, 2, 23, &hour) || !take(from, end, ":") ||
        !digits(from, end, 2, 59, &minute)) {
        return 0;
    }
    if (take(from, end, ":") && !digits(from, end, 2, 60, &second)) {
        return 0;
    }
    *time += ((apr_int64_t)(hour * 60 + minute) * 60 + second) * SECOND;
    if (take(from, end, ".")) {
        if (*from >= end || !apr_isdigit(**from)) {
            return 0;
        }
        for (; *from < end && apr_isdigit(**from); (*from)++) {
            unit /= 10;
            *time += (**from - '0') * unit;
        }
    }
    return 1;
}

static int read_zone(apr_int64_t *offset, const char **from, const char *end)
{
    int sign, hours, minutes = 0;

    while (*from < end && **from == ' ') {
        (*from)++;
    }
    if (*from == end || take(from, end, "Zz")) {
        return 1;
    }
    sign = **from == '-' ? -1 : 1;
    if (!take(from, end, "+-") || !digits(from, end, 2, 15, &hours)) {
        return 0;
    }
    if (*from < end) {
        (void)take(from, end, ":");
        if (!digits(from, end, 2, 59, &minutes)) {
            return 0;
        }
    }
    *offset = sign * (apr_int64_t)(hours * 60 + minutes) * 60 * SECOND;
    return 1;
}

int batch_query_time_parse_local(apr_int64_t *time, apr_int64_t *offset, const char *text,
                                 apr_size_t length)
{
    const char *end = text + length;
    int year, month, day;

    *offset = 0;
    while (text < end && *text == ' ') {
        text++;
    }
    while (end > text && end[-1] == ' ') {
        end--;
    }
    if (!digits(&text, end, 4, LAST_YEAR, &year) || !take(&text, end, "-") ||
        !digits(&text, end, 2, 12, &month) || !take(&text, end, "-") ||
        !digits(&text, end, 2, 31, &day) || !month || !day || !year ||
        day > batch_calendar_month(year, month)) {
        return 0;
    }
    *time = batch_calendar_days(year, month, day) * DAY;
    if (text == end) {
        return 1;
    }
    return take(&text, end, "Tt ") && read_clock(time, &text, end) &&
           read_zone(offset, &text, end) && text == end;
}

int batch_query_time_parse(apr_int64_t *time, const char *text, apr_size_t length)
{
    apr_int64_t offset;
    int good = batch_query_time_parse_local(time, &offset, text, length);

    *time -= offset;
    return good;
}

/* ---- Intervals ------------------------------------------------------------------------------- */

static const struct {
    const char *name; /* with or without s */
    apr_int64_t months;
    apr_int64_t microseconds;
} units[] = {{"year", 12, 0},
             {"month", 1, 0},
             {"week", 0, 7 * DAY},
             {"day", 0, DAY},
             {"hour", 0, 3600 * SECOND},
             {"minute", 0, 60 * SECOND},
             {"second", 0, SECOND},
             {"millisecond", 0, 1000},
             {"microsecond", 0, 1}};

static int add_unit(batch_query_value_t *interval, apr_int64_t count, const char *word)
{
    apr_size_t length = strlen(word);
    size_t i;

    length -= length > 1 && (word[length - 1] == 's' || word[length - 1] == 'S');
    for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strlen(units[i].name) == length && !strncasecmp(units[i].name, word, length)) {
            interval->months += count * units[i].months;
            interval->integer += count * units[i].microseconds;
            return 1;
        }
    }
    return 0;
}

/* Hours, minutes and perhaps seconds, as '-02:30', at the end of an interval. */
static int add_clock(batch_query_value_t *interval, const char *text)
{
    const char *end = text + strlen(text);
    apr_int64_t time = 0;
    int negative = take(&text, end, "-");

    while (end > text && end[-1] == ' ') {
        end--;
    }
    if ((!negative && take(&text, end, "+") && !apr_isdigit(*text)) ||
        !read_clock(&time, &text, end) || text != end) {
        return 0;
    }
    interval->integer += negative ? -time : time;
    return 1;
}

int batch_query_interval_parse(batch_query_value_t *interval, const char *text)
{
    int parts = 0;

    memset(interval, 0, sizeof(*interval));
    interval->kind = BATCH_QUERY_INTERVAL;
    for (;;) {
        char word[16];
        apr_size_t length = 0;
        apr_int64_t count;
        char *end;

        while (*text == ' ') {
            text++;
        }
        if (!*text) {
            return parts > 0;
        }
        count = apr_strtoi64(text, &end, 10);
        if (end == text || count > 1000000 || count < -1000000 || ++parts > 8) {
            return 0;
        }
        if (*end == ':') {
            return add_clock(interval, text);
        }
        for (text = end; *text == ' '; text++) {
        }
        while (apr_isalpha(*text) && length < sizeof(word) - 1) {
            word[length++] = *text++;
        }
        word[length] = '\0';
        if (!length || !add_unit(interval, count, word)) {
            return 0;
        }
    }
}

int batch_query_time_add(apr_int64_t *time, const batch_query_value_t *interval, int sign)
{
    apr_int64_t days = *time / DAY - (*time % DAY < 0);
    apr_int64_t of_day = *time - days * DAY;
    apr_int64_t year, months;
    int month, day;

    batch_calendar_date(days, &year, &month, &day);
    months = year * 12 + month - 1 + sign * interval->months;
    year = months / 12;
    month = (int)(months % 12) + 1;
    if (months < 12 || year > LAST_YEAR) {
        return 0;
    }
    day = day < batch_calendar_month(year, month) ? day : batch_calendar_month(year, month);
    *time = batch_calendar_days(year, month, day) * DAY + of_day;
    return !__builtin_add_overflow(*time, sign * interval->integer, time) &&
           batch_query_time_is_known(*time);
}

/* ---- Computing ------------------------------------------------------------------------------- */

int batch_query_time_is_known(apr_int64_t time)
{
    return time >= batch_calendar_days(1, 1, 1) * DAY &&
           time < batch_calendar_days(LAST_YEAR + 1, 1, 1) * DAY;
}

int batch_query_compare_intervals(const batch_query_value_t *a, const batch_query_value_t *b)
{
    __int128 left = (__int128)a->months * 30 * DAY + a->integer;
    __int128 right = (__int128)b->months * 30 * DAY + b->integer;

    return (left > right) - (left < right);
}

static batch_query_value_t shift(const batch_query_value_t *time,
                                 const batch_query_value_t *interval, int sign)
{
    batch_query_value_t result = {.kind = BATCH_QUERY_TIMESTAMP, .integer = time->integer};

    return batch_query_time_add(&result.integer, interval, sign) ? result : nothing;
}

/* A date some days before or behind another. */
static batch_query_value_t step(const batch_query_value_t *date, apr_int64_t count, int sign)
{
    batch_query_value_t result = *date;

    if (count > 10000 * 366 || count < -10000 * 366) {
        return nothing;
    }
    result.integer += sign * count * DAY;
    return batch_query_time_is_known(result.integer) ? result : nothing;
}

/* An interval, if both of its parts are far from where they could overflow. */
static batch_query_value_t bounded(__int128 months, __int128 micro)
{
    const __int128 most = (__int128)1 << 62, most_months = 1000000000;
    batch_query_value_t result = {.kind = BATCH_QUERY_INTERVAL};

    if (months > most_months || months < -most_months || micro > most || micro < -most) {
        return nothing;
    }
    result.months = (apr_int64_t)months;
    result.integer = (apr_int64_t)micro;
    return result;
}

batch_query_value_t batch_query_time_arithmetic(char op, batch_query_kind_e kind,
                                                const batch_query_value_t *a,
                                                const batch_query_value_t *b)
{
    int sign = op == '-' ? -1 : 1;

    switch (kind) {
    case BATCH_QUERY_INTEGER:
        return batch_query_integer_value((a->integer - b->integer) / DAY);
    case BATCH_QUERY_DATE:
        return step(a, b->integer, sign);
    case BATCH_QUERY_TIMESTAMP:
        return shift(a, b, sign);
    default:
        break;
    }
    if (op == '*') {
        return bounded((__int128)a->months * b->integer, (__int128)a->integer * b->integer);
    }
    /* Two intervals; or two times, which have no months. */
    return bounded((__int128)a->months + sign * (__int128)b->months,
                   (__int128)a->integer + sign * (__int128)b->integer);
}

/* ---- The calendar ---------------------------------------------------------------------------- */

void batch_query_moment(batch_query_moment_t *moment, apr_int64_t time)
{
    apr_int64_t days = time / DAY - (time % DAY < 0), thursday, year;
    int month, day;

    memset(moment, 0, sizeof(*moment));
    moment->of_day = time - days * DAY;
    batch_calendar_date(days, &moment->year, &moment->month, &moment->day);
    moment->yearday = (int)(days - batch_calendar_days(moment->year, 1, 1)) + 1;
    moment->weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    /* A week is of the year that its Thursday is in. */
    thursday = days - (moment->weekday + 6) % 7 + 3;
    batch_calendar_date(thursday, &year, &month, &day);
    moment->iso_year = year;
    moment->iso_week = (int)((thursday - batch_calendar_days(year, 1, 1)) / 7) + 1;
}

/* ---- Writing --------------------------------------------------------------------------------- */

void batch_query_time_format(char *text, apr_int64_t time, batch_query_kind_e kind)
{
    apr_int64_t days = time / DAY - (time % DAY < 0);
    apr_int64_t of_day = time - days * DAY;
    int seconds = (int)(of_day / SECOND);
    int micro = (int)(of_day % SECOND);
    apr_int64_t year;
    int month, day;

    batch_calendar_date(days, &year, &month, &day);
    text += apr_snprintf(text, 12, "%04d-%02d-%02d", (int)year, month, day);
    if (kind == BATCH_QUERY_DATE) {
        return;
    }
    text +=
        apr_snprintf(text, 10, "T%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (micro) {
        text += apr_snprintf(text, 8, ".%06d", micro);
    }
    text[0] = 'Z';
    text[1] = '\0';
}

/* Fields of times: date_trunc, extract, and the zones that AT TIME ZONE takes. */
#include "query/value.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "text/calendar.h"

#define SECOND APR_INT64_C(1000000)
#define DAY    (86400 * SECOND)

static const batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

/* ---- Names ----------------------------------------------------------------------------------- */

#define FIELD_NAME(symbol, name, uses) {name, uses},
static const struct {
    const char *name;
    const char
        *uses; /* 't': date_trunc; 'd', 's', 'i': extract from a date, a timestamp, an interval
                */
} fields[] = {BATCH_QUERY_FIELD_LIST(FIELD_NAME)};

/* 1 if text is the name, or its plural; of one that is a plural, its singular. */
static int is_name(const char *text, const char *name)
{
    apr_size_t length = strlen(text), wanted = strlen(name);

    if (!strcasecmp(text, name) || (length == wanted + 1 && !strncasecmp(text, name, wanted) &&
                                    apr_tolower(text[wanted]) == 's')) {
        return 1;
    }
    return (length + 1 == wanted && name[length] == 's' && !strncasecmp(text, name, length)) ||
           (!strcmp(name, "century") && !strcasecmp(text, "centuries")) ||
           (!strcmp(name, "millennium") && !strcasecmp(text, "millennia"));
}

batch_query_field_e batch_query_field_find(const char *text, apr_size_t length, char use)
{
    char name[24];
    int i;

    if (length >= sizeof(name)) {
        return BATCH_QUERY_FIELD_COUNT;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    for (i = 0; i < BATCH_QUERY_FIELD_COUNT; i++) {
        if (is_name(name, fields[i].name) && strchr(fields[i].uses, use)) {
            return (batch_query_field_e)i;
        }
    }
    return BATCH_QUERY_FIELD_COUNT;
}

const char *batch_query_field_names(char use, apr_pool_t *p)
{
    const char *names = "";
    int i;

    for (i = 0; i < BATCH_QUERY_FIELD_COUNT; i++) {
        if (strchr(fields[i].uses, use)) {
            names = apr_pstrcat(p, names, *names ? ", " : "", fields[i].name, NULL);
        }
    }
    return names;
}

/* ---- date_trunc ------------------------------------------------------------------------------ */

/* The first year of the span of years that year is in, counted from first on. */
static apr_int64_t span_start(apr_int64_t year, apr_int64_t span, apr_int64_t first)
{
    return (year - first) / span * span + first;
}

static batch_query_value_t at_start(apr_int64_t year, int month, int day)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_TIMESTAMP};

    if (year < 1) {
        return nothing;
    }
    value.integer = batch_calendar_days(year, month, day) * DAY;
    return value;
}

/* Without what is less than unit. */
static batch_query_value_t cut_off(apr_int64_t time, apr_int64_t unit)
{
    batch_query_value_t value = {.kind = BATCH_QUERY_TIMESTAMP};

    value.integer = time - ((time % unit) + unit) % unit;
    return value;
}

batch_query_value_t batch_query_trunc_time(batch_query_field_e field, apr_int64_t time)
{
    batch_query_moment_t moment;

    batch_query_moment(&moment, time);
    switch (field) {
    case BATCH_QUERY_FIELD_MICROSECONDS:
        return cut_off(time, 1);
    case BATCH_QUERY_FIELD_MILLISECONDS:
        return cut_off(time, 1000);
    case BATCH_QUERY_FIELD_SECOND:
        return cut_off(time, SECOND);
    case BATCH_QUERY_FIELD_MINUTE:
        return cut_off(time, 60 * SECOND);
    case BATCH_QUERY_FIELD_HOUR:
        return cut_off(time, 3600 * SECOND);
    case BATCH_QUERY_FIELD_DAY:
        return cut_off(time, DAY);
    case BATCH_QUERY_FIELD_WEEK:
        return cut_off(time - (moment.weekday + 6) % 7 * DAY, DAY);
    case BATCH_QUERY_FIELD_MONTH:
        return at_start(moment.year, moment.month, 1);
    case BATCH_QUERY_FIELD_QUARTER:
        return at_start(moment.year, (moment.month - 1) / 3 * 3 + 1, 1);
    case BATCH_QUERY_FIELD_YEAR:
        return at_start(moment.year, 1, 1);
    case BATCH_QUERY_FIELD_DECADE:
        return at_start(span_start(moment.year, 10, 0), 1, 1);
    case BATCH_QUERY_FIELD_CENTURY:
        return at_start(span_start(moment.year, 100, 1), 1, 1);
    case BATCH_QUERY_FIELD_MILLENNIUM:
        return at_start(span_start(moment.year, 1000, 1), 1, 1);
    default:
        return nothing;
    }
}

/* ---- extract --------------------------------------------------------------------------------- */

/* A count of microseconds as a number of so many of them. */
static batch_query_value_t fraction(apr_int64_t micro, apr_int64_t unit)
{
    return micro % unit
               ? batch_query_number_value((double)((batch_wide_t)micro / (batch_wide_t)unit))
               : batch_query_integer_value(micro / unit);
}

static apr_int64_t whole_part(batch_query_field_e field, const batch_query_moment_t *moment)
{
    switch (field) {
    case BATCH_QUERY_FIELD_MINUTE:
        return moment->of_day / (60 * SECOND) % 60;
    case BATCH_QUERY_FIELD_HOUR:
        return moment->of_day / (3600 * SECOND);
    case BATCH_QUERY_FIELD_DAY:
        return moment->day;
    case BATCH_QUERY_FIELD_WEEK:
        return moment->iso_week;
    case BATCH_QUERY_FIELD_MONTH:
        return moment->month;
    case BATCH_QUERY_FIELD_QUARTER:
        return (moment->month - 1) / 3 + 1;
    case BATCH_QUERY_FIELD_YEAR:
        return moment->year;
    case BATCH_QUERY_FIELD_DECADE:
        return moment->year / 10;
    case BATCH_QUERY_FIELD_CENTURY:
        return (moment->year + 99) / 100;
    case BATCH_QUERY_FIELD_MILLENNIUM:
        return (moment->year + 999) / 1000;
    case BATCH_QUERY_FIELD_DOW:
        return moment->weekday;
    case BATCH_QUERY_FIELD_ISODOW:
        return moment->weekday ? moment->weekday : 7;
    case BATCH_QUERY_FIELD_DOY:
        return moment->yearday;
    case BATCH_QUERY_FIELD_ISOYEAR:
        return moment->iso_year;
    default:
        return 0; /* the zone: UTC */
    }
}

batch_query_value_t batch_query_time_part(batch_query_field_e field,
                                          const batch_query_value_t *value)
{
    apr_int64_t time = value->integer;
    batch_query_moment_t moment;

    if (value->kind == BATCH_QUERY_INTERVAL) { /* epoch: a year has 365.25 days, a month 30 */
        apr_int64_t seconds = value->months / 12 * 31557600 + value->months % 12 * 2592000;

        return __builtin_mul_overflow(seconds, SECOND, &seconds) ||
                       __builtin_add_overflow(seconds, time, &time)
                   ? nothing
                   : fraction(time, SECOND);
    }
    batch_query_moment(&moment, time);
    switch (field) {
    case BATCH_QUERY_FIELD_EPOCH:
        return fraction(time, SECOND);
    case BATCH_QUERY_FIELD_MICROSECONDS:
        return batch_query_integer_value(moment.of_day % (60 * SECOND));
    case BATCH_QUERY_FIELD_MILLISECONDS:
        return fraction(moment.of_day % (60 * SECOND), 1000);
    case BATCH_QUERY_FIELD_SECOND:
        return fraction(moment.of_day % (60 * SECOND), SECOND);
    default:
        return batch_query_integer_value(whole_part(field, &moment));
    }
}

/* ---- Zones ----------------------------------------------------------------------------------- */

/* One or two digits, up to most. */
static int read_count(const char **text, int most, int *count)
{
    int i;

    *count = 0;
    for (i = 0; i < 2 && apr_isdigit(**text); i++) {
        *count = *count * 10 + *(*text)++ - '0';
    }
    return i > 0 && *count <= most;
}

int batch_query_zone_parse(apr_int64_t *east, const char *text)
{
    static const char *const names[] = {"utc",     "gmt", "z",       "zulu",
                                        "etc/utc", "uct", "etc/gmt", "universal"};
    int sign, hours, minutes = 0, seconds = 0;
    size_t i;

    *east = 0;
    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!strcasecmp(text, names[i])) {
            return 1;
        }
    }
    text += strncasecmp(text, "utc", 3) && strncasecmp(text, "gmt", 3) ? 0 : 3;
    /* As POSIX has it: what is positive is west of Greenwich. */
    sign = *text == '-' ? 1 : -1;
    if (*text != '-' && *text != '+') {
        return 0;
    }
    text++;
    if (!read_count(&text, 14, &hours) ||
        (*text == ':' && (text++, !read_count(&text, 59, &minutes))) ||
        (*text == ':' && (text++, !read_count(&text, 59, &seconds))) || *text) {
        return 0;
    }
    *east = sign * ((apr_int64_t)(hours * 60 + minutes) * 60 + seconds) * SECOND;
    return 1;
}

#include "text/moments.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "text/calendar.h"

#define A_DATE "must be a date as 2023-10-06"
#define A_TIME "must be a timestamp as 2023-10-06T02:56:34Z"
#define NO_DAY "there is no such day in the years 1 to 9999"

/* Bytes of YYYY-MM-DD, of hh:mm:ss, and of both with what stands between them. */
#define DATE_BYTES   10
#define TIME_BYTES   8
#define MINUTE_BYTES 5 /* of hh:mm */
#define BOTH_BYTES   (DATE_BYTES + 1 + TIME_BYTES)

/* 0001-01-01. */
#define FIRST_DAY batch_calendar_days(1, 1, 1)

/* Bytes of a text that a message may repeat. */
#define SHOWN_BYTES 48

/* A moment as it is written. */
typedef struct moment {
    int year, month, day, hour, minute, second;
    const char *fraction; /* the digits behind the point */
    apr_size_t digits;    /* of them, without the zeros at the end */
    int offset;           /* minutes east of UTC */
} moment_t;

/* ---- Parts ------------------------------------------------------------------------------------
 */

/* Two decimal digits at text, or -1. */
static int two_digits(const char *text)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return -1;
    }
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* Reads YYYY-MM-DD at text, whatever follows it. 0: there is none. */
static int read_date(moment_t *moment, const char *text)
{
    int century, year;

    if (strlen(text) < DATE_BYTES || text[4] != '-' || text[7] != '-') {
        return 0;
    }
    century = two_digits(text);
    year = two_digits(text + 2);
    moment->month = two_digits(text + 5);
    moment->day = two_digits(text + 8);
    if (century < 0 || year < 0 || moment->month < 1 || moment->month > 12 || moment->day < 1) {
        return 0;
    }
    moment->year = century * 100 + year;
    return moment->year > 0 && moment->day <= batch_calendar_month(moment->year, moment->month);
}

/* Reads hh:mm:ss at text, whatever follows it; the second may be 60. 0: there is none. */
static int read_clock(moment_t *moment, const char *text)
{
    if (strlen(text) < TIME_BYTES || text[2] != ':' || text[5] != ':') {
        return 0;
    }
    moment->hour = two_digits(text);
    moment->minute = two_digits(text + 3);
    moment->second = two_digits(text + 6);
    return moment->hour >= 0 && moment->hour <= 23 && moment->minute >= 0 && moment->minute <= 59 &&
           moment->second >= 0 && moment->second <= 60;
}

/* Reads the fraction at *at, which moves behind it. 0: it has no digits. */
static int read_fraction(moment_t *moment, const char **at)
{
    apr_size_t digits;

    moment->digits = 0;
    if (**at != '.') {
        return 1;
    }
    moment->fraction = *at + 1;
    digits = strspn(moment->fraction, "0123456789");
    *at += 1 + digits;
    moment->digits = digits;
    while (moment->digits && moment->fraction[moment->digits - 1] == '0') {
        moment->digits--;
    }
    return digits > 0;
}

/* Reads Z or ±hh:mm, which is all of text. 0: it is neither. */
static int read_zone(moment_t *moment, const char *text)
{
    int hour, minute;

    moment->offset = 0;
    if ((*text == 'Z' || *text == 'z') && !text[1]) {
        return 1;
    }
    if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':') {
        return 0;
    }
    hour = two_digits(text + 1);
    minute = two_digits(text + 4);
    moment->offset = (hour * 60 + minute) * (*text == '-' ? -1 : 1);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

/* ---- What is wrong ----------------------------------------------------------------------------
 */

/* expected, the words, and the text as it should be; only the words where that would be long. */
static const char *advise(const char *words, const char *text, const char *rest, apr_pool_t *p)
{
    return strlen(text) + strlen(rest) > SHOWN_BYTES
               ? apr_pstrcat(p, A_TIME ": ", words, NULL)
               : apr_pstrcat(p, A_TIME ": ", words, ": send ", text, rest, NULL);
}

/* 1 if text begins as YYYY-MM-DD does, with any digits. */
static int looks_like_date(const char *text)
{
    return strlen(text) >= DATE_BYTES && two_digits(text) >= 0 && two_digits(text + 2) >= 0 &&
           text[4] == '-' && two_digits(text + 5) >= 0 && text[7] == '-' &&
           two_digits(text + 8) >= 0;
}

/* What is wrong with the zone, at `at` in text, of a time that is right before it. */
static const char *wrong_zone(const char *text, const char *at, apr_pool_t *p)
{
    char *before = apr_pstrmemdup(p, text, (apr_size_t)(at - text));
    apr_size_t digits = *at ? strspn(at + 1, "0123456789") : 0;
    const char *mended = NULL;

    before[DATE_BYTES] = 'T';
    if (!*at) {
        return advise("it has no time zone, which is Z or an offset as +02:00", before,
                      "Z if it is in UTC", p);
    }
    if ((*at == '+' || *at == '-') && !at[1 + digits]) {
        if (digits == 4) {
            mended = apr_psprintf(p, "%.3s:%.2s", at, at + 3);
        } else if (digits == 2) {
            mended = apr_psprintf(p, "%.3s:00", at);
        }
    }
    return mended ? advise("an offset is written as +02:00", before, mended, p)
                  : A_TIME ", with Z or an offset as +02:00 at its end";
}

/* What is wrong with the clock behind a date that is right. */
static const char *wrong_clock(const char *text, apr_pool_t *p)
{
    const char *clock = text + DATE_BYTES + 1;

    if (!text[DATE_BYTES]) {
        return advise("it is a date without a time", text, "T00:00:00Z for its beginning in UTC",
                      p);
    }
    if (strlen(clock) >= MINUTE_BYTES && two_digits(clock) >= 0 && clock[2] == ':' &&
        two_digits(clock + 3) >= 0 && clock[MINUTE_BYTES] != ':') {
        return A_TIME ": it has no seconds";
    }
    return A_TIME;
}

/* What is wrong behind a date and a clock that are right; the zone is at `at`. */
static const char *wrong_end(moment_t *moment, const char *text, const char *at, apr_pool_t *p)
{
    char *mended;

    if (moment->second == 60) {
        return A_TIME ": a leap second (:60) cannot be stored, send the second before or after it";
    }
    if (!read_zone(moment, at)) {
        return wrong_zone(text, at, p);
    }
    mended = apr_pstrdup(p, text);
    mended[DATE_BYTES] = 'T';
    return advise("a T stands between date and time", mended, "", p);
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

const char *batch_moment_check_date(const char *text, apr_pool_t *p)
{
    moment_t moment;

    if (!read_date(&moment, text)) {
        return looks_like_date(text) ? A_DATE ": " NO_DAY : A_DATE;
    }
    if (text[DATE_BYTES]) {
        return strchr("Tt ", text[DATE_BYTES])
                   ? apr_psprintf(p, A_DATE ", without a time: send %.10s", text)
                   : A_DATE;
    }
    return NULL;
}

/* The moment in UTC. 0: that is outside of the years 1 to 9999. */
static int move_to_utc(moment_t *moment)
{
    apr_int64_t minutes =
        (batch_calendar_days(moment->year, moment->month, moment->day) - FIRST_DAY) * 1440 +
        moment->hour * 60 + moment->minute - moment->offset;
    apr_int64_t day = minutes / 1440;
    apr_int64_t year;

    if (minutes < 0 || day + FIRST_DAY >= batch_calendar_days(10000, 1, 1)) {
        return 0;
    }
    batch_calendar_date(day + FIRST_DAY, &year, &moment->month, &moment->day);
    moment->year = (int)year;
    moment->hour = (int)(minutes % 1440 / 60);
    moment->minute = (int)(minutes % 60);
    moment->offset = 0;
    return 1;
}

static const char *spell(const moment_t *moment, apr_pool_t *p)
{
    const char *fraction =
        moment->digits ? apr_pstrmemdup(p, moment->fraction, moment->digits) : "";

    return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02d%s%sZ", moment->year, moment->month,
                        moment->day, moment->hour, moment->minute, moment->second,
                        *fraction ? "." : "", fraction);
}

const char *batch_moment_read(const char **spelling, const char *text, apr_pool_t *p)
{
    moment_t moment = {0};
    const char *at;
    int is_spelt;

    if (!read_date(&moment, text)) {
        return looks_like_date(text) ? A_TIME ": " NO_DAY : A_TIME;
    }
    if (!text[DATE_BYTES] || !strchr("Tt ", text[DATE_BYTES]) ||
        !read_clock(&moment, text + DATE_BYTES + 1)) {
        return wrong_clock(text, p);
    }
    at = text + BOTH_BYTES;
    if (!read_fraction(&moment, &at)) {
        return A_TIME;
    }
    if (moment.second == 60 || text[DATE_BYTES] == ' ' || !read_zone(&moment, at)) {
        return wrong_end(&moment, text, at, p);
    }
    is_spelt = text[DATE_BYTES] == 'T' && *at == 'Z' &&
               (at == text + BOTH_BYTES || moment.fraction + moment.digits == at) &&
               (at == text + BOTH_BYTES || moment.digits);
    if (!move_to_utc(&moment)) {
        return A_TIME ", which in UTC is in the years 1 to 9999";
    }
    *spelling = is_spelt ? text : spell(&moment, p);
    return NULL;
}

const char *batch_time_format(apr_time_t time, apr_pool_t *p)
{
    apr_time_exp_t parts;

    if (!time || apr_time_exp_gmt(&parts, time) != APR_SUCCESS) {
        return NULL;
    }
    return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                        parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

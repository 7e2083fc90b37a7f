/*
 * to_char: times and numbers by a pattern, as PostgreSQL writes them. A pattern is read twice: when
 * the query is checked, so that what is not understood is refused with its place, and for each row.
 */
#include "query/value.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define SECOND APR_INT64_C(1000000)

/* Bytes that one piece of a pattern may write. */
#define MOST_PIECE 24

/* What is written; past its end nothing is. */
typedef struct sink {
    char *to;
    apr_size_t used;
    apr_size_t size;
} sink_t;

static void put(sink_t *sink, const char *text, apr_size_t length)
{
    if (length && length <= sink->size - sink->used) {
        memcpy(sink->to + sink->used, text, length);
        sink->used += length;
    }
}

/* ---- Times ----------------------------------------------------------------------------------- */

typedef enum {
    AM,
    AM_DOTS,
    AD,
    AD_DOTS,
    CENTURY,
    DAY_NAME,
    DAY_SHORT,
    DAY_OF_YEAR,
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    FRACTION_1,
    FRACTION_2,
    FRACTION_3,
    FRACTION_4,
    FRACTION_5,
    FRACTION_6,
    HOUR_24,
    HOUR_12,
    ISO_DAY_OF_YEAR,
    ISO_DAY,
    ISO_WEEK,
    ISO_YEAR_4,
    ISO_YEAR_3,
    ISO_YEAR_2,
    ISO_YEAR_1,
    MINUTE,
    MONTH,
    MONTH_NAME,
    MONTH_SHORT,
    MILLISECOND,
    OFFSET,
    OFFSET_HOURS,
    OFFSET_MINUTES,
    QUARTER,
    SECONDS_OF_DAY,
    SECOND_OF_MINUTE,
    ZONE,
    MICROSECOND,
    WEEK_OF_YEAR,
    WEEK_OF_MONTH,
    YEAR_4,
    YEAR_3,
    YEAR_2,
    YEAR_1
} piece_e;

/* Of those that begin alike the longest first. Each is written so, or in small letters. */
static const struct {
    const char *word;
    piece_e piece;
} pieces[] = {{"A.D.", AD_DOTS},
              {"A.M.", AM_DOTS},
              {"AD", AD},
              {"AM", AM},
              {"B.C.", AD_DOTS},
              {"BC", AD},
              {"CC", CENTURY},
              {"DAY", DAY_NAME},
              {"DDD", DAY_OF_YEAR},
              {"DD", DAY_OF_MONTH},
              {"DY", DAY_SHORT},
              {"D", DAY_OF_WEEK},
              {"FF1", FRACTION_1},
              {"FF2", FRACTION_2},
              {"FF3", FRACTION_3},
              {"FF4", FRACTION_4},
              {"FF5", FRACTION_5},
              {"FF6", FRACTION_6},
              {"HH24", HOUR_24},
              {"HH12", HOUR_12},
              {"HH", HOUR_12},
              {"IDDD", ISO_DAY_OF_YEAR},
              {"ID", ISO_DAY},
              {"IW", ISO_WEEK},
              {"IYYY", ISO_YEAR_4},
              {"IYY", ISO_YEAR_3},
              {"IY", ISO_YEAR_2},
              {"I", ISO_YEAR_1},
              {"MI", MINUTE},
              {"MM", MONTH},
              {"MONTH", MONTH_NAME},
              {"MON", MONTH_SHORT},
              {"MS", MILLISECOND},
              {"OF", OFFSET},
              {"P.M.", AM_DOTS},
              {"PM", AM},
              {"Q", QUARTER},
              {"SSSSS", SECONDS_OF_DAY},
              {"SSSS", SECONDS_OF_DAY},
              {"SS", SECOND_OF_MINUTE},
              {"TZH", OFFSET_HOURS},
              {"TZM", OFFSET_MINUTES},
              {"TZ", ZONE},
              {"US", MICROSECOND},
              {"WW", WEEK_OF_YEAR},
              {"W", WEEK_OF_MONTH},
              {"YYYY", YEAR_4},
              {"YYY", YEAR_3},
              {"YY", YEAR_2},
              {"Y", YEAR_1}};

/* How a word is written: 'u' in capitals, 'l' in small letters, 'c' with one capital, 0: other. */
static char case_of(const char *text, const char *word)
{
    apr_size_t length = strlen(word), i, small = 0, capital = 0;

    for (i = 0; i < length; i++) {
        if (apr_toupper(text[i]) != word[i]) {
            return 0;
        }
        if (apr_isalpha(word[i])) {
            small += apr_islower(text[i]) != 0;
            capital += apr_isupper(text[i]) != 0;
        }
    }
    if (!small) {
        return 'u';
    }
    if (!capital) {
        return 'l';
    }
    return apr_isupper(*text) && capital == 1 ? 'c' : 0;
}

static int has_names(piece_e piece)
{
    return piece == DAY_NAME || piece == DAY_SHORT || piece == MONTH_NAME || piece == MONTH_SHORT;
}

/* The piece that pattern begins with: -1 = none. */
static int find_piece(const char *pattern, char *written)
{
    size_t i;

    for (i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        *written = case_of(pattern, pieces[i].word);
        /* One of a single letter is in capitals or small letters, never both. */
        if (*written == 'u' || *written == 'l' || (*written == 'c' && has_names(pieces[i].piece))) {
            return (int)i;
        }
    }
    return -1;
}

static void put_number(sink_t *sink, apr_int64_t number, int width, int fills)
{
    char text[MOST_PIECE];

    apr_snprintf(text, sizeof(text), "%0*" APR_INT64_T_FMT, fills ? 1 : width, number);
    put(sink, text, strlen(text));
}

/* A name, filled up with blanks to the longest one's length unless fills. */
static void put_name(sink_t *sink, const char *name, char written, int width)
{
    char text[MOST_PIECE];
    apr_size_t i;

    apr_snprintf(text, sizeof(text), "%-*s", width, name);
    for (i = 0; text[i]; i++) {
        text[i] = (char)(written == 'u'   ? apr_toupper(text[i])
                         : written == 'l' ? apr_tolower(text[i])
                                          : text[i]);
    }
    put(sink, text, strlen(text));
}

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

static void put_words(sink_t *sink, piece_e piece, char written, int fills,
                      const batch_query_moment_t *moment)
{
    int afternoon = moment->of_day >= 12 * 3600 * SECOND;
    char name[4];

    switch (piece) {
    case AM:
        put_name(sink, afternoon ? "PM" : "AM", written, 0);
        break;
    case AM_DOTS:
        put_name(sink, afternoon ? "P.M." : "A.M.", written, 0);
        break;
    case AD:
        put_name(sink, "AD", written, 0);
        break;
    case AD_DOTS:
        put_name(sink, "A.D.", written, 0);
        break;
    case DAY_NAME:
        put_name(sink, days[moment->weekday], written, fills ? 0 : 9);
        break;
    case MONTH_NAME:
        put_name(sink, months[moment->month - 1], written, fills ? 0 : 9);
        break;
    case DAY_SHORT:
    case MONTH_SHORT:
        apr_cpystrn(name, piece == DAY_SHORT ? days[moment->weekday] : months[moment->month - 1],
                    sizeof(name));
        put_name(sink, name, written, 0);
        break;
    case ZONE:
        put_name(sink, moment->zoned ? "UTC" : "", written, 0);
        break;
    case OFFSET_HOURS:
        put_name(sink, "+00", written, 0);
        break;
    case OFFSET_MINUTES:
        put_name(sink, "00", written, 0);
        break;
    default:
        put_name(sink, fills ? "+0" : "+00", written, 0); /* OFFSET */
        break;
    }
}

/* A piece that is a number, and how many digits it has at least. */
static apr_int64_t number_of(piece_e piece, int *width, const batch_query_moment_t *moment)
{
    static const int powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    apr_int64_t seconds = moment->of_day / SECOND;
    int micro = (int)(moment->of_day % SECOND);

    *width = 2;
    switch (piece) {
    case CENTURY:
        return (moment->year + 99) / 100;
    case DAY_OF_YEAR:
        *width = 3;
        return moment->yearday;
    case DAY_OF_MONTH:
        return moment->day;
    case FRACTION_1:
    case FRACTION_2:
    case FRACTION_3:
    case FRACTION_4:
    case FRACTION_5:
    case FRACTION_6:
        *width = (int)piece - FRACTION_1 + 1;
        return micro / powers[6 - *width];
    case MILLISECOND:
        *width = 3;
        return micro / 1000;
    case MICROSECOND:
        *width = 6;
        return micro;
    case HOUR_24:
        return seconds / 3600;
    case HOUR_12:
        return (seconds / 3600 + 11) % 12 + 1;
    case MINUTE:
        return seconds / 60 % 60;
    case SECOND_OF_MINUTE:
        return seconds % 60;
    case ISO_DAY_OF_YEAR:
        *width = 3;
        return (moment->iso_week - 1) * 7 + (moment->weekday ? moment->weekday : 7);
    case ISO_WEEK:
        return moment->iso_week;
    case MONTH:
        return moment->month;
    case WEEK_OF_YEAR:
        return (moment->yearday - 1) / 7 + 1;
    case ISO_YEAR_4:
    case ISO_YEAR_3:
    case ISO_YEAR_2:
    case ISO_YEAR_1:
        *width = 4 - ((int)piece - ISO_YEAR_4);
        return moment->iso_year % powers[*width];
    case YEAR_4:
    case YEAR_3:
    case YEAR_2:
    case YEAR_1:
        *width = 4 - ((int)piece - YEAR_4);
        return moment->year % powers[*width];
    default:
        break;
    }
    *width = 1;
    switch (piece) {
    case SECONDS_OF_DAY:
        return seconds;
    case DAY_OF_WEEK:
        return moment->weekday + 1;
    case ISO_DAY:
        return moment->weekday ? moment->weekday : 7;
    case QUARTER:
        return (moment->month - 1) / 3 + 1;
    default:
        return (moment->day - 1) / 7 + 1; /* WEEK_OF_MONTH */
    }
}

static void put_piece(sink_t *sink, piece_e piece, char written, int fills,
                      const batch_query_moment_t *moment)
{
    int width;
    apr_int64_t number;

    if (piece <= AD_DOTS || has_names(piece) || piece == ZONE ||
        (piece >= OFFSET && piece <= OFFSET_MINUTES)) {
        put_words(sink, piece, written, fills, moment);
        return;
    }
    number = number_of(piece, &width, moment);
    if (piece >= FRACTION_1 && piece <= FRACTION_6) {
        fills = 0;
    }
    put_number(sink, number, width, fills && piece != MILLISECOND && piece != MICROSECOND);
}

/* The text in double quotes that pattern begins with; returns the bytes of the pattern. */
static apr_size_t put_quoted(sink_t *sink, const char *pattern, apr_size_t length)
{
    apr_size_t at;

    for (at = 1; at < length && pattern[at] != '"'; at++) {
        at += pattern[at] == '\\' && at + 1 < length;
        put(sink, pattern + at, 1);
    }
    return at < length ? at + 1 : at;
}

/* A time by a pattern. Returns the byte of the pattern that is not understood, or its length. */
static apr_size_t put_time(sink_t *sink, const char *pattern, apr_size_t length,
                           const batch_query_moment_t *moment)
{
    apr_size_t at = 0;

    while (at < length) {
        int fills = !strncasecmp(pattern + at, "FM", 2), piece;
        char written = 0;

        if (pattern[at] == '"') {
            at += put_quoted(sink, pattern + at, length - at);
            continue;
        }
        at += pattern[at] == '\\' && at + 1 < length && pattern[at + 1] == '"';
        if (fills) {
            at += 2;
        }
        piece = at < length && apr_isalpha(pattern[at]) ? find_piece(pattern + at, &written) : -1;
        if (piece >= 0) {
            put_piece(sink, pieces[piece].piece, written, fills, moment);
            at += strlen(pieces[piece].word);
            continue;
        }
        if (at < length && (apr_isalpha(pattern[at]) || fills)) {
            return at;
        }
        if (fills) {
            return at - 2;
        }
        put(sink, pattern + at, 1);
        at++;
    }
    return length;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* What a pattern of a number says. */
typedef struct picture {
    int fills;      /* FM: no blanks, no zeros that nobody has asked for */
    int before;     /* digits before the point */
    int after;      /* and behind */
    int first_zero; /* the digit from which on zeros are written, from 0; INT_MAX = none */
    int last_zero;  /* the last digit that is one, -1 = none */
    int has_point;
} picture_t;

/* Returns the byte that is not understood, or the length. */
static apr_size_t read_picture(picture_t *picture, const char *pattern, apr_size_t length)
{
    apr_size_t at;
    int digit = 0;

    memset(picture, 0, sizeof(*picture));
    picture->first_zero = BATCH_QUERY_DIGITS;
    picture->last_zero = -1;
    for (at = 0; at < length; at++) {
        if (!strncasecmp(pattern + at, "FM", 2) && !picture->fills && length - at >= 2) {
            picture->fills = 1;
            at++;
        } else if (pattern[at] == '0' || pattern[at] == '9') {
            if (pattern[at] == '0') {
                picture->last_zero = digit;
                if (picture->first_zero > digit && !picture->has_point) {
                    picture->first_zero = digit;
                }
            }
            digit++;
            picture->after += picture->has_point;
            picture->before += !picture->has_point;
        } else if (pattern[at] == '.' && !picture->has_point) {
            picture->has_point = 1;
        } else if (pattern[at] != ',' || picture->has_point) {
            return at;
        }
    }
    if (!picture->before || (picture->has_point && !picture->after)) {
        return picture->has_point ? (apr_size_t)(strchr(pattern, '.') - pattern) : 0;
    }
    return digit <= 60 ? length : 0;
}

typedef struct picture_run {
    const picture_t *picture;
    const batch_query_decimal_t *decimal;
    int over;  /* it has more digits than the pattern */
    int begun; /* a digit has been written, and the sign before it */
    int digit; /* which of the pattern's is next */
    int last;  /* FM: the last digit behind the point that is written */
} picture_run_t;

static void begin_digits(sink_t *sink, picture_run_t *run)
{
    if (!run->begun) {
        run->begun = 1;
        if (run->decimal->negative) {
            put(sink, "-", 1);
        } else if (!run->picture->fills) {
            put(sink, " ", 1);
        }
    }
}

/* The digit at the pattern's place: '0' where the number has none. */
static char digit_at(const picture_run_t *run)
{
    int at = run->digit - run->picture->before + run->decimal->point;

    if (run->over) {
        return '#';
    }
    return at >= 0 && at < run->decimal->count ? run->decimal->digits[at] : '0';
}

static void put_digit(sink_t *sink, picture_run_t *run)
{
    const picture_t *picture = run->picture;
    int before = picture->before, leading = before - run->decimal->point;
    char digit = digit_at(run);

    if (run->digit < before && !run->over && run->digit < leading &&
        run->digit < picture->first_zero) {
        /* No digit is here. Only where none is behind the point, either, 0 itself is one. */
        if (run->digit == before - 1 && run->last < before) {
            begin_digits(sink, run);
            put(sink, "0", 1);
        } else if (!picture->fills) {
            put(sink, " ", 1);
        }
    } else if (run->digit < before || run->digit <= run->last) {
        begin_digits(sink, run);
        put(sink, &digit, 1);
    }
    run->digit++;
}

static void put_number_by(sink_t *sink, const picture_t *picture, const char *pattern,
                          apr_size_t length, const batch_query_decimal_t *decimal)
{
    picture_run_t run = {picture, decimal, decimal->point > picture->before, 0, 0, 0};
    apr_size_t at;

    run.last = picture->before + picture->after - 1;
    if (picture->fills && !run.over) {
        run.last = picture->before + decimal->count - decimal->point - 1;
        run.last = run.last > picture->last_zero ? run.last : picture->last_zero;
    }
    for (at = 0; at < length; at++) {
        if (pattern[at] == '0' || pattern[at] == '9') {
            put_digit(sink, &run);
        } else if (pattern[at] == '.') {
            begin_digits(sink, &run);
            put(sink, ".", 1);
        } else if (pattern[at] == ',') {
            if (run.begun) {
                put(sink, ",", 1);
            } else if (!picture->fills) {
                put(sink, " ", 1);
            }
        }
    }
}

/* ---- Both ------------------------------------------------------------------------------------ */

apr_size_t batch_query_pattern_check(const batch_query_value_t *pattern, batch_query_kind_e kind)
{
    batch_query_moment_t moment;
    sink_t none = {NULL, 0, 0};
    picture_t picture;

    if (kind == BATCH_QUERY_NUMBER || kind == BATCH_QUERY_INTEGER) {
        return read_picture(&picture, pattern->text, pattern->length);
    }
    batch_query_moment(&moment, 0);
    return put_time(&none, pattern->text, pattern->length, &moment);
}

batch_query_value_t batch_query_to_char(const batch_query_value_t *value,
                                        const batch_query_value_t *pattern, int zoned,
                                        batch_query_room_t *room)
{
    apr_size_t size = pattern->length * MOST_PIECE;
    batch_query_decimal_t decimal;
    batch_query_moment_t moment;
    picture_t picture;
    sink_t sink = {NULL, 0, size};

    if (!size) {
        return (batch_query_value_t){.kind = BATCH_QUERY_NULL}; /* as PostgreSQL has it */
    }
    if (!batch_query_makes(room, size) || !(sink.to = batch_query_take(room, size))) {
        return (batch_query_value_t){.kind = BATCH_QUERY_NULL};
    }
    if (value->kind == BATCH_QUERY_INTEGER || value->kind == BATCH_QUERY_NUMBER) {
        (void)batch_query_work(room, BATCH_QUERY_DIGITS_STEPS);
        (void)read_picture(&picture, pattern->text, pattern->length);
        batch_query_decimal(&decimal, value);
        batch_query_decimal_cut(&decimal, picture.after, 1);
        put_number_by(&sink, &picture, pattern->text, pattern->length, &decimal);
    } else {
        batch_query_moment(&moment, value->integer);
        moment.zoned = zoned;
        (void)put_time(&sink, pattern->text, pattern->length, &moment);
    }
    return batch_query_text_value(sink.to, sink.used);
}

/*
 * Values of the query language, and what can be done with them. Private to query/.
 *
 * Nothing here knows a database: that is why a query has the same result on all of them. What
 * cannot be computed (a text that is no number, a division by zero, an overflow) is null.
 */
#ifndef BATCH_QUERY_VALUE_H
#define BATCH_QUERY_VALUE_H

#include <math.h>

#include "batch.h"

/**
 * For what is computed of whole numbers of 64 bits and doubles: 113 bits where the C library has
 * them, which do not depend on the processor.
 */
#if defined(__HAVE_FLOAT128) && __HAVE_FLOAT128
typedef _Float128 batch_wide_t;
#define batch_wide_trunc(number) truncf128(number)
#define batch_wide_rest(a, b)    fmodf128(a, b)
#else
typedef long double batch_wide_t;
#define batch_wide_trunc(number) truncl(number)
#define batch_wide_rest(a, b)    fmodl(a, b)
#endif

/**
 * What a value is; also what an expression is known to give before it runs. An expression of kind
 * NUMBER gives an INTEGER where the number is whole, and a NUMBER, a double, where it is not.
 */
typedef enum {
    BATCH_QUERY_NULL,
    BATCH_QUERY_BOOLEAN,
    BATCH_QUERY_INTEGER,
    BATCH_QUERY_NUMBER,
    BATCH_QUERY_TEXT,
    BATCH_QUERY_DATE,
    BATCH_QUERY_TIMESTAMP,
    BATCH_QUERY_INTERVAL,
    BATCH_QUERY_DECIMAL, /* of a column of that type: exact, only compared */
    /* Of expressions only: */
    BATCH_QUERY_MEMBER, /* a member of the record's JSON: any of the first five */
    BATCH_QUERY_LITERAL /* a string in the query: becomes what it is compared with */
} batch_query_kind_e;

typedef struct batch_query_value {
    batch_query_kind_e kind;
    apr_int64_t integer; /* INTEGER; BOOLEAN: 0 or 1; DATE, TIMESTAMP: microseconds since 1970;
                            INTERVAL: microseconds beside the months */
    apr_int64_t months;  /* INTERVAL */
    double number;       /* NUMBER: finite, and no whole number of 64 bits */
    const char *text;    /* TEXT: not NUL-terminated; DECIMAL: its key, decimals.c; of a NUMBER that
                            stands in the query: as it is written there, else NULL */
    apr_size_t length;
} batch_query_value_t;

/** 1 if what the value is stands in its text. */
static inline int batch_query_has_text(const batch_query_value_t *value)
{
    return value->kind == BATCH_QUERY_TEXT || value->kind == BATCH_QUERY_DECIMAL;
}

/** Looks at the clock, and whether the process is to end: APR_SUCCESS to go on. */
typedef apr_status_t batch_query_look_fn(void *baton);

/** Steps between two looks: some milliseconds. */
#define BATCH_QUERY_LOOK_STEPS ((apr_size_t)256 * 1024)

/** What evaluating may use, for one row after the other. */
typedef struct batch_query_room {
    apr_pool_t *p;             /* cleared between rows by whoever owns it */
    apr_size_t used;           /* bytes and steps since then */
    apr_size_t most;           /* of used */
    int dirty;                 /* p has something in it */
    int over;                  /* it was not enough, or there was no time: the results are void */
    const char *why;           /* over for another reason: the words of batch_query_excess */
    apr_size_t unseen;         /* steps since the clock was looked at, whatever row they were for */
    batch_query_look_fn *look; /* NULL: nobody waits */
    void *baton;
    apr_status_t stopped; /* what the last look said, if it was not to go on */
} batch_query_room_t;

/** Looks now. Returns 0 if the work is to end. */
int batch_query_look(batch_query_room_t *room);

/**
 * Counts work that is about to be done: a step is what comparing one character takes, so that
 * copying sixteen bytes is one. Each function that loops over a text counts it, before or while it
 * does; what takes steps by the product of two lengths counts each. Returns 0 where the work must
 * not be done: what is computed from then on is void.
 */
static inline int batch_query_work(batch_query_room_t *room, apr_size_t steps)
{
    room->used += steps;
    room->unseen += steps;
    if (room->used > room->most) {
        room->over = 1;
    }
    return room->unseen < BATCH_QUERY_LOOK_STEPS ? !room->over : batch_query_look(room);
}

/** Bytes of the longest LIKE pattern: time is its length times the text's. */
#define BATCH_QUERY_PATTERN_BYTES 1000

/** Bytes of the longest text that is computed. */
#define BATCH_QUERY_TEXT_BYTES ((apr_size_t)1024 * 1024)

/**
 * Counts a text that is about to be made. 0: it is too long. Then the room is over, since a NULL
 * instead would be selected by NOT, and by IS NULL.
 */
int batch_query_makes(batch_query_room_t *room, apr_size_t length);

/** Notes why a room is over, if it is not already. Returns 0. */
int batch_query_exceeds(batch_query_room_t *room, const char *why);

/** Why a room is over whose clock has nothing against it: the end of a sentence for the client. */
const char *batch_query_excess(const batch_query_room_t *room);

/** Steps that it takes to find the decimal digits of a double, or a power. */
#define BATCH_QUERY_DIGITS_STEPS 32

/** Memory from the room; NULL past its end. */
char *batch_query_take(batch_query_room_t *room, apr_size_t size);

/** The name of a kind, as casts say it. */
const char *batch_query_kind_name(batch_query_kind_e kind);

/** What value is as another kind, or NULL; text is made in room. */
batch_query_value_t batch_query_convert(const batch_query_value_t *value, batch_query_kind_e kind,
                                        batch_query_room_t *room);

/** Compares values of one kind, neither NULL: below, at or above 0. */
int batch_query_compare(const batch_query_value_t *a, const batch_query_value_t *b);

/** The same as work for a room: texts may be long. */
int batch_query_compare_in(batch_query_room_t *room, const batch_query_value_t *a,
                           const batch_query_value_t *b);

/** 1 if both are values of one type, as members have them: all numbers are of one. NULL is of none.
 */
static inline int batch_query_is_same_type(const batch_query_value_t *a,
                                           const batch_query_value_t *b)
{
    int numbers = (a->kind == BATCH_QUERY_INTEGER || a->kind == BATCH_QUERY_NUMBER) +
                  (b->kind == BATCH_QUERY_INTEGER || b->kind == BATCH_QUERY_NUMBER);

    return numbers ? numbers == 2 : a->kind == b->kind && a->kind != BATCH_QUERY_NULL;
}

/**
 * Any two values in one order: NULL last; members by their types: numbers, texts, booleans. For
 * ORDER BY.
 */
int batch_query_order(const batch_query_value_t *a, const batch_query_value_t *b);

/** LIKE: % any characters, _ one, escape (a character, length 0 = none) takes their meaning. */
int batch_query_like(const batch_query_value_t *text, const batch_query_value_t *pattern,
                     const batch_query_value_t *escape, batch_query_room_t *room);

/** Characters of a text. */
apr_int64_t batch_query_length(const batch_query_value_t *text, batch_query_room_t *room);

/** Lower or upper case, of the letters of all scripts. */
batch_query_value_t batch_query_fold(const batch_query_value_t *text, int upper,
                                     batch_query_room_t *room);

/** count characters from start, as PostgreSQL counts: the first is 1, those before it are empty. */
batch_query_value_t batch_query_substr(const batch_query_value_t *text, apr_int64_t start,
                                       apr_int64_t count, batch_query_room_t *room);

/**
 * Without the characters of set at its left (sides & 1) and right (sides & 2) end. Time is the sum
 * of both lengths, but for the logarithm.
 */
batch_query_value_t batch_query_trim(const batch_query_value_t *text,
                                     const batch_query_value_t *set, int sides,
                                     batch_query_room_t *room);

/** A value of each kind. */
batch_query_value_t batch_query_text_value(const char *text, apr_size_t length);
batch_query_value_t batch_query_boolean_value(int truth);

/* numbers.c */

/** Characters of the longest text that can be a number. */
#define BATCH_QUERY_DIGITS 400

/** Bytes that the text of a number may have that is written here, with NUL. */
#define BATCH_QUERY_NUMBER_BYTES 400

batch_query_value_t batch_query_integer_value(apr_int64_t integer);

/** NULL unless it is finite; an INTEGER if it is a whole one of 64 bits. */
batch_query_value_t batch_query_number_value(double number);

/** The nearest double to a number. */
double batch_query_double(const batch_query_value_t *value);

/** A text as a number, or NULL: decimal, with nothing but white space around it. kind: as INTEGER
 * only digits are taken, as NUMBER a point and an exponent as well. */
batch_query_value_t batch_query_number_parse(const batch_query_value_t *text,
                                             batch_query_kind_e kind);

/** Writes a number: the fewest digits that read back as the same one, without an exponent. */
void batch_query_number_format(char *text, const batch_query_value_t *value);

/** Compares two numbers exactly: below, at or above 0. */
int batch_query_compare_numbers(const batch_query_value_t *a, const batch_query_value_t *b);

/**
 * a op b for + - * / %. As INTEGER, of two of them, an overflow is NULL and a quotient is cut off.
 * As NUMBER what is whole stays exact as long as it can.
 */
batch_query_value_t batch_query_arithmetic(char op, batch_query_kind_e kind,
                                           const batch_query_value_t *a,
                                           const batch_query_value_t *b);

/** A number rounded (or cut off) behind so many places; before the point if they are negative. */
batch_query_value_t batch_query_round(const batch_query_value_t *value, apr_int64_t places,
                                      int rounds);

batch_query_value_t batch_query_power(const batch_query_value_t *base,
                                      const batch_query_value_t *exponent);

/** A number's decimal digits, as they are written: 0.DIGITS * 10^point; none: 0. */
typedef struct batch_query_decimal {
    int negative;
    char digits[24]; /* neither the first nor the last is 0 */
    int count;
    int point;
} batch_query_decimal_t;

void batch_query_decimal(batch_query_decimal_t *decimal, const batch_query_value_t *value);

/** Leaves so many places behind the point; half is rounded away from 0. */
void batch_query_decimal_cut(batch_query_decimal_t *decimal, apr_int64_t places, int rounds);

/* decimals.c. A decimal is kept as a key: a text that is equal, below or above as the number is. */

/** A decimal from a text that is a number, or NULL if it is none; in room. */
batch_query_value_t batch_query_decimal_parse(const char *text, apr_size_t length,
                                              batch_query_room_t *room);

/** The digits of a decimal, with no zeros behind the last of them, as a TEXT; in room. */
batch_query_value_t batch_query_decimal_text(const batch_query_value_t *decimal,
                                             batch_query_room_t *room);

/** A value as a decimal, or NULL. */
batch_query_value_t batch_query_to_decimal(const batch_query_value_t *value,
                                           batch_query_room_t *room);

/** Significant digits that each double has, whatever they are. */
#define BATCH_QUERY_SURE_DIGITS 15

/* strings.c. Places are counted in characters, from 1. */

/** Where part is in text; 0: nowhere. */
batch_query_value_t batch_query_strpos(const batch_query_value_t *text,
                                       const batch_query_value_t *part, batch_query_room_t *room);

/** text with each part in it replaced. */
batch_query_value_t batch_query_replace(const batch_query_value_t *text,
                                        const batch_query_value_t *part,
                                        const batch_query_value_t *with, batch_query_room_t *room);

/** The first (last) count characters; if count is negative, all but so many. */
batch_query_value_t batch_query_left(const batch_query_value_t *text, apr_int64_t count,
                                     batch_query_room_t *room);
batch_query_value_t batch_query_right(const batch_query_value_t *text, apr_int64_t count,
                                      batch_query_room_t *room);

/** text with fill before or behind it, as often as makes it count characters long, or cut off. */
batch_query_value_t batch_query_pad(const batch_query_value_t *text, apr_int64_t count,
                                    const batch_query_value_t *fill, int at_left,
                                    batch_query_room_t *room);

/* fields.c */

/**
 * Fields of times. X(SYMBOL, "name", what takes it: t date_trunc, e extract; of a date d, of a
 * timestamp s, of an interval i).
 */
#define BATCH_QUERY_FIELD_LIST(X)                                                                  \
    X(MICROSECONDS, "microseconds", "tes")                                                         \
    X(MILLISECONDS, "milliseconds", "tes")                                                         \
    X(SECOND, "second", "tes")                                                                     \
    X(MINUTE, "minute", "tes")                                                                     \
    X(HOUR, "hour", "tes")                                                                         \
    X(DAY, "day", "teds")                                                                          \
    X(WEEK, "week", "teds")                                                                        \
    X(MONTH, "month", "teds")                                                                      \
    X(QUARTER, "quarter", "teds")                                                                  \
    X(YEAR, "year", "teds")                                                                        \
    X(DECADE, "decade", "teds")                                                                    \
    X(CENTURY, "century", "teds")                                                                  \
    X(MILLENNIUM, "millennium", "teds")                                                            \
    X(DOW, "dow", "eds")                                                                           \
    X(ISODOW, "isodow", "eds")                                                                     \
    X(DOY, "doy", "eds")                                                                           \
    X(ISOYEAR, "isoyear", "eds")                                                                   \
    X(EPOCH, "epoch", "edsi")
#define BATCH_QUERY_FIELD_SYMBOL(symbol, name, uses) BATCH_QUERY_FIELD_##symbol,
typedef enum {
    BATCH_QUERY_FIELD_LIST(BATCH_QUERY_FIELD_SYMBOL) BATCH_QUERY_FIELD_COUNT
} batch_query_field_e;

/** The field of that name, also in the plural, that use takes; BATCH_QUERY_FIELD_COUNT: none. */
batch_query_field_e batch_query_field_find(const char *text, apr_size_t length, char use);

/** The names of the fields that use takes, for a message. */
const char *batch_query_field_names(char use, apr_pool_t *p);

/** date_trunc: a TIMESTAMP, or NULL before the first year. */
batch_query_value_t batch_query_trunc_time(batch_query_field_e field, apr_int64_t time);

/** extract: of a DATE, TIMESTAMP or INTERVAL. */
batch_query_value_t batch_query_time_part(batch_query_field_e field,
                                          const batch_query_value_t *value);

/** Reads 'UTC', '-02', '+05:30': *east microseconds; as POSIX has it, + is west. 0: it is none. */
int batch_query_zone_parse(apr_int64_t *east, const char *text);

/* formats.c */

/** to_char of a time (zoned: with a zone) or a number, by a pattern that was checked. */
batch_query_value_t batch_query_to_char(const batch_query_value_t *value,
                                        const batch_query_value_t *pattern, int zoned,
                                        batch_query_room_t *room);

/**
 * The first byte of a pattern, which ends with NUL, that is not understood; its length: all is.
 * kind: of what is to be written by it.
 */
apr_size_t batch_query_pattern_check(const batch_query_value_t *pattern, batch_query_kind_e kind);

/* times.c */

#define BATCH_QUERY_DAY APR_INT64_C(86400000000)

/** A time as a calendar has it. */
typedef struct batch_query_moment {
    apr_int64_t year;
    int month;   /* from 1 */
    int day;     /* from 1 */
    int yearday; /* from 1 */
    int weekday; /* 0: Sunday */
    int iso_week;
    apr_int64_t iso_year;
    apr_int64_t of_day; /* microseconds */
    int zoned;
} batch_query_moment_t;

void batch_query_moment(batch_query_moment_t *moment, apr_int64_t time);

/** As batch_query_time_parse, but *time is as its own clock says, *offset ahead of UTC. */
int batch_query_time_parse_local(apr_int64_t *time, apr_int64_t *offset, const char *text,
                                 apr_size_t length);

/** Whether a time is within the years that there are. */
int batch_query_time_is_known(apr_int64_t time);

/** Reads 2023-10-06, 2023-10-06T02:56:34.5Z, 2023-10-06 02:56:34+02 and so on. 0: it is none. */
int batch_query_time_parse(apr_int64_t *time, const char *text, apr_size_t length);

/** Reads '7 days', '1 year 2 months', '-12 hours'. 0: it is none. */
int batch_query_interval_parse(batch_query_value_t *interval, const char *text);

/** Compares two INTERVALs: a month has 30 days. */
int batch_query_compare_intervals(const batch_query_value_t *a, const batch_query_value_t *b);

/** a op b where one is a DATE, TIMESTAMP or INTERVAL, as a value of kind. */
batch_query_value_t batch_query_time_arithmetic(char op, batch_query_kind_e kind,
                                                const batch_query_value_t *a,
                                                const batch_query_value_t *b);

/** time with an interval; 0: out of range. */
int batch_query_time_add(apr_int64_t *time, const batch_query_value_t *interval, int sign);

/** Writes a DATE or TIMESTAMP: at most 32 bytes with NUL. */
void batch_query_time_format(char *text, apr_int64_t time, batch_query_kind_e kind);

#endif

/*
 * Values of the query language, and what can be done with them. Private to query/.
 *
 * Nothing here knows a database: that is why a query has the same result on all of them. What
 * cannot be computed (a text that is no number, a division by zero, an overflow) is null.
 */
#ifndef BATCH_QUERY_VALUE_H
#define BATCH_QUERY_VALUE_H

#include "batch.h"

/** What a value is; also what an expression is known to give before it runs. */
typedef enum {
    BATCH_QUERY_NULL,
    BATCH_QUERY_BOOLEAN,
    BATCH_QUERY_INTEGER,
    BATCH_QUERY_NUMBER,
    BATCH_QUERY_TEXT,
    BATCH_QUERY_DATE,
    BATCH_QUERY_TIMESTAMP,
    BATCH_QUERY_INTERVAL,
    /* Of expressions only: */
    BATCH_QUERY_MEMBER, /* a member of the record's JSON: any of the first five */
    BATCH_QUERY_LITERAL /* a string in the query: becomes what it is compared with */
} batch_query_kind_e;

typedef struct batch_query_value {
    batch_query_kind_e kind;
    apr_int64_t integer; /* INTEGER; BOOLEAN: 0 or 1; DATE, TIMESTAMP: microseconds since 1970;
                            INTERVAL: microseconds beside the months */
    apr_int64_t months;  /* INTERVAL */
    double number;       /* NUMBER: finite */
    const char *text;    /* TEXT: not NUL-terminated */
    apr_size_t length;
} batch_query_value_t;

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

/** Any two values in one order: NULL last, kinds one after the other. For ORDER BY. */
int batch_query_order(const batch_query_value_t *a, const batch_query_value_t *b);

/** a op b for + - * / %, both INTEGER or both NUMBER. */
batch_query_value_t batch_query_arithmetic(char op, const batch_query_value_t *a,
                                           const batch_query_value_t *b);

/** A DATE or TIMESTAMP with an INTERVAL added (sign 1) or taken away (-1): a TIMESTAMP. */
batch_query_value_t batch_query_shift(const batch_query_value_t *time,
                                      const batch_query_value_t *interval, int sign);

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
batch_query_value_t batch_query_integer_value(apr_int64_t integer);
batch_query_value_t batch_query_number_value(double number); /* NULL unless it is finite */
batch_query_value_t batch_query_boolean_value(int truth);

/* times.c */

/** Reads 2023-10-06, 2023-10-06T02:56:34.5Z, 2023-10-06 02:56:34+02 and so on. 0: it is none. */
int batch_query_time_parse(apr_int64_t *time, const char *text, apr_size_t length);

/** Reads '7 days', '1 year 2 months', '-12 hours'. 0: it is none. */
int batch_query_interval_parse(batch_query_value_t *interval, const char *text);

/** time with an interval; 0: out of range. */
int batch_query_time_add(apr_int64_t *time, const batch_query_value_t *interval, int sign);

/** Writes a DATE or TIMESTAMP: at most 32 bytes with NUL. */
void batch_query_time_format(char *text, apr_int64_t time, batch_query_kind_e kind);

#endif

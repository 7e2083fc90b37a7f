/*
 * The inside of the JSON reader, shared by json_reader.c (structure), json_token.c (strings,
 * numbers, words) and json_keep.c (what is kept, and failing). Nobody else includes it.
 */
#ifndef BATCH_PAYLOAD_JSON_SCAN_H
#define BATCH_PAYLOAD_JSON_SCAN_H

#include "payload/json_reader.h"
#include "text/text_buffer.h"

/** Segments that a path may have: names and indexes. */
#define BATCH_JSON_PATH_SEGMENTS 8

/** What the next byte has to be. Those from SCAN_STRING on are in the middle of a token. */
typedef enum {
    SCAN_BOM,          /* the very start: a byte order mark, or what SCAN_VALUE takes */
    SCAN_VALUE,        /* a value */
    SCAN_VALUE_OR_END, /* behind [ */
    SCAN_NAME,         /* a member's name, behind a comma */
    SCAN_NAME_OR_END,  /* behind { */
    SCAN_COLON,
    SCAN_AFTER, /* behind a value: a comma, or the end of what it is in */
    SCAN_DONE,  /* behind the document: white space only */
    SCAN_STRING,
    SCAN_ESCAPE,      /* behind a backslash */
    SCAN_HEX,         /* in the four digits of a \u escape */
    SCAN_PAIR_ESCAPE, /* behind a high surrogate: a backslash */
    SCAN_PAIR_U,      /* and its u */
    SCAN_UTF8,        /* in a character of several bytes */
    SCAN_WORD,        /* in true, false or null */
    SCAN_MINUS,
    SCAN_ZERO,
    SCAN_INTEGER,
    SCAN_POINT,
    SCAN_FRACTION,
    SCAN_E,
    SCAN_SIGN,
    SCAN_EXPONENT
} batch_scan_state_e;

/** An array or object that is open. */
typedef struct batch_json_level {
    char kind; /* '[' or '{' */
    /*
     * The path leads here: this many of its segments name the level (its depth less 1). Else -1.
     */
    int matched;
    apr_int64_t index; /* of the element that is being read, in an array */
} batch_json_level_t;

typedef struct batch_json_segment {
    const char *name; /* not NUL-terminated; NULL: index counts */
    apr_size_t length;
    apr_int64_t index;
    int seen; /* a member of this name was already met on the path */
} batch_json_segment_t;

struct batch_json_reader {
    batch_json_reader_config_t config;
    apr_pool_t *p;
    batch_error_t error; /* status is APR_SUCCESS while nothing failed */
    batch_scan_state_e state;

    /* Where we are: bytes before the current slice, and where the current line began. */
    const char *slice;
    apr_int64_t offset;
    apr_int64_t line;
    apr_int64_t line_start;

    batch_json_level_t
        levels[BATCH_JSON_DEPTH + 1]; /* levels[depth] is the innermost one, from 1 */
    int depth;
    char root;     /* the first byte of the document, 0 before it */
    int is_second; /* it failed where another object begins behind the document */

    batch_json_segment_t segments[BATCH_JSON_PATH_SEGMENTS];
    int segment_count; /* -1: nothing is diverted */
    int next_matched;  /* segments that the value about to begin matches, -1 = it is elsewhere */
    int divert_depth;  /* of the diverted array while it is open, else 0 */

    /* What is being kept: from here on in the current slice, for the skeleton or the element. */
    const char *keep;
    batch_text_buffer_t skeleton;
    batch_text_buffer_t partial; /* the part of an element that earlier slices had */
    apr_size_t element_used;     /* bytes of the element so far, held or not */
    int in_element;
    batch_json_element_t element;

    /* Inside tokens. */
    int is_name;           /* the string is a member's name */
    apr_size_t name_start; /* where that begins in the skeleton */
    apr_int64_t name_line, name_column;
    const char *word; /* true, false or null */
    int word_used;    /* bytes of it that were read */
    int bom_used;
    unsigned code;                       /* of the \u escape */
    int digits;                          /* that it has so far */
    int low;                             /* it must be a low surrogate */
    int utf8_left;                       /* bytes that the character still needs */
    unsigned char utf8_first, utf8_last; /* the range of the next one */
};

/* ---- json_keep.c --------------------------------------------------------------------------- */

/** The column of a byte of the current slice, from 1. */
apr_int64_t batch_json_column(const batch_json_reader_t *reader, const char *at);

/** Keeps the bytes from at on, unless some are being kept already. */
#define batch_json_keep(reader, at)                                                                \
    do {                                                                                           \
        if (!(reader)->keep) {                                                                     \
            (reader)->keep = (at);                                                                 \
        }                                                                                          \
    } while (0)

/** Puts away what was kept, up to end. */
void batch_json_flush(batch_json_reader_t *reader, const char *end);

/** Begins an element of the diverted array with the byte at. */
void batch_json_element_begin(batch_json_reader_t *reader, const char *at);

/** Hands the element, which ends before end, to the callback. */
void batch_json_element_end(batch_json_reader_t *reader, const char *end);

/** The document cannot go on with the byte at (or ends there): BATCH_EMALFORMED. */
void batch_json_fail(batch_json_reader_t *reader, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** Fails with "unexpected 'x', expected …"; end: with the end of the document instead of a byte. */
void batch_json_fail_unexpected(batch_json_reader_t *reader, const char *at, int end);

/* ---- json_token.c: each reads from at and returns where it stopped ------------------------- */

const char *batch_json_scan_string(batch_json_reader_t *reader, const char *at, const char *end);
const char *batch_json_scan_number(batch_json_reader_t *reader, const char *at, const char *end);
const char *batch_json_scan_word(batch_json_reader_t *reader, const char *at, const char *end);

/** 1 if a number may end in that state. */
int batch_json_number_is_whole(batch_scan_state_e state);

/* ---- json_reader.c ------------------------------------------------------------------------- */

/** A value is complete; its last byte is the one before end. */
void batch_json_value_done(batch_json_reader_t *reader, const char *end);

/** A member's name is complete. */
void batch_json_name_done(batch_json_reader_t *reader, const char *end);

#endif

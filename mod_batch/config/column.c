/* BatchColumn, and what a name in the database may be. */
#include "config/private.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "text/utf8.h"
#include "text/numbers.h"

/* What PostgreSQL keeps of a name; SQLite would take more. */
#define MOST_IDENTIFIER 63

/* The greatest max= that makes sense: SQLite's own limit of a value. */
#define MOST_CHARACTERS 1000000000

const char *batch_identifier_check(const char *what, const char *name, apr_pool_t *p)
{
    apr_size_t length = strlen(name);
    const char *c;

    if (!length) {
        return apr_psprintf(p, "the name of a %s must not be empty", what);
    }
    if (length > MOST_IDENTIFIER) {
        return apr_psprintf(p, "%s '%s' has a name of more than %d bytes", what, name,
                            MOST_IDENTIFIER);
    }
    for (c = name; *c; c++) {
        /* apr_dbd reads % as a parameter, quotes would end the name; the others are in no sane one.
         */
        if (strchr("%\"'`;\\", *c) || apr_iscntrl(*c)) {
            return apr_psprintf(p,
                                "'%s' cannot be the name of a %s: %%, ;, \\, quotes and control "
                                "characters are not allowed",
                                name, what);
        }
    }
    return batch_utf8_is_valid(name, length)
               ? NULL
               : apr_psprintf(p, "%s '%s' has a name that is not UTF-8", what, name);
}

/* ---- Flags --------------------------------------------------------------------------------------
 */

static const char *read_max(batch_column_t *column, const char *text, apr_pool_t *p)
{
    char *end;

    errno = 0;
    column->max = apr_isdigit(*text) ? apr_strtoi64(text, &end, 10) : 0;
    if (column->max < 1 || column->max > MOST_CHARACTERS || errno || *end) {
        return apr_psprintf(p, "max= takes a number of characters from 1 to %d", MOST_CHARACTERS);
    }
    return NULL;
}

static const char *read_min(batch_column_t *column, const char *text, apr_pool_t *p)
{
    const char *digits = text + (*text == '-');
    const char *whole;

    /* As people write it: .5, 1. */
    text = apr_pstrcat(p, digits == text ? "" : "-", *digits == '.' ? "0" : "", digits, NULL);
    if (batch_number_decimal(&column->min, text, p) != BATCH_NUMBER_GOOD) {
        return "min= takes a number";
    }
    if (batch_type_stored(column->type) == BATCH_STORED_INTEGER &&
        batch_number_integer(&whole, column->min, p) == BATCH_NUMBER_FRACTION) {
        return "min= takes a whole number for an integer";
    }
    return NULL;
}

/* A number of digits from least to BATCH_DECIMAL_MOST; -1: it is none. */
static int read_digits(const char *text, int least)
{
    char *end;
    apr_int64_t digits = apr_isdigit(*text) ? apr_strtoi64(text, &end, 10) : -1;

    return digits >= least && digits <= BATCH_DECIMAL_MOST && !*end ? (int)digits : -1;
}

static const char *read_precision(batch_column_t *column, const char *text, apr_pool_t *p)
{
    (void)p;
    column->precision = read_digits(text, 1);
    return column->precision > 0
               ? NULL
               : "precision= takes a number of digits from 1 to " APR_STRINGIFY(BATCH_DECIMAL_MOST);
}

static const char *read_scale(batch_column_t *column, const char *text, apr_pool_t *p)
{
    (void)p;
    column->scale = read_digits(text, 0);
    column->has_scale = 1;
    return column->scale >= 0
               ? NULL
               : "scale= takes a number of digits from 0 to " APR_STRINGIFY(BATCH_DECIMAL_MOST);
}

static const char *read_enum(batch_column_t *column, const char *text, apr_pool_t *p)
{
    const char *comma;
    int i;

    column->words = apr_array_make(p, 8, sizeof(const char *));
    for (comma = text; comma; text = comma + 1) {
        const char *word;

        comma = strchr(text, ',');
        word = apr_pstrmemdup(p, text, comma ? (apr_size_t)(comma - text) : strlen(text));
        if (!*word || !batch_utf8_is_valid(word, strlen(word))) {
            return "enum= takes words of UTF-8 with a comma between them";
        }
        for (i = 0; i < column->words->nelts; i++) {
            if (!strcmp(word, APR_ARRAY_IDX(column->words, i, const char *))) {
                return apr_psprintf(p, "enum= has '%s' twice", word);
            }
        }
        APR_ARRAY_PUSH(column->words, const char *) = word;
        if (!comma) {
            break;
        }
    }
    return NULL;
}

/* A flag is a word alone, or a word with "=" that has a value behind it, for some types. */
struct flag {
    const char *word;
    const char *(*read)(batch_column_t *column, const char *text, apr_pool_t *p);
    int offset;      /* of the int that a word alone sets in batch_column_t */
    unsigned option; /* of the types that take it */
};

static const struct flag flags[] = {
    {"required", NULL, offsetof(batch_column_t, required), 0},
    {"immutable", NULL, offsetof(batch_column_t, immutable), 0},
    {"readonly", NULL, offsetof(batch_column_t, readonly), 0},
    {"max=", read_max, 0, BATCH_OPTION_MAX},
    {"min=", read_min, 0, BATCH_OPTION_MIN},
    {"enum=", read_enum, 0, BATCH_OPTION_ENUM},
    {"precision=", read_precision, 0, BATCH_OPTION_PRECISION},
    {"scale=", read_scale, 0, BATCH_OPTION_SCALE},
};

#define FLAG_COUNT (sizeof(flags) / sizeof(*flags))

/* seen: bits of the flags that this column had so far. */
static const char *read_flag(batch_column_t *column, unsigned *seen, const char *text,
                             apr_pool_t *p)
{
    size_t i;

    for (i = 0; i < FLAG_COUNT; i++) {
        size_t length = strlen(flags[i].word);

        if (flags[i].read ? strncmp(text, flags[i].word, length) : strcmp(text, flags[i].word)) {
            continue;
        }
        if (*seen & (1u << i)) {
            return apr_psprintf(p, "column '%s' has %s twice", column->name, flags[i].word);
        }
        *seen |= 1u << i;
        if (flags[i].option && !(batch_type_rows[column->type].options & flags[i].option)) {
            return apr_psprintf(p, "%s is for %s only", flags[i].word,
                                batch_type_words(flags[i].option, p));
        }
        if (flags[i].read) {
            return flags[i].read(column, text + length, p);
        }
        *(int *)((char *)column + flags[i].offset) = 1;
        return NULL;
    }
    return apr_psprintf(p,
                        "'%s' is not a flag: required, immutable, readonly, max=N, min=N, "
                        "enum=A,B,..., precision=N and scale=N are allowed",
                        text);
}

const char *batch_column_read(batch_column_t *column, int argc, char *const argv[], apr_pool_t *p)
{
    const char *wrong = batch_identifier_check("column", argv[0], p);
    unsigned seen = 0;
    int type = batch_type_parse(argv[1]);
    int i;

    if (wrong) {
        return wrong;
    }
    if (type < 0) {
        return apr_psprintf(p, "'%s' is not a type: %s are allowed", argv[1],
                            batch_type_words(0, p));
    }
    column->name = argv[0];
    column->type = (batch_type_e)type;
    for (i = 2; i < argc && !wrong; i++) {
        wrong = read_flag(column, &seen, argv[i], p);
    }
    if (!wrong && column->scale > batch_column_digits(column)) {
        wrong = "scale= must not be more than precision=, which is " APR_STRINGIFY(
            BATCH_DECIMAL_DIGITS) " where it is not given";
    }
    if (!wrong && column->readonly && (column->required || column->immutable)) {
        wrong = "readonly excludes required and immutable: a batch never writes such a column";
    }
    return wrong;
}

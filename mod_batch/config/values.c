/* Numbers, sizes and times as directives take them: strict, with errors that say what is allowed.
 */
#include "config/private.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

struct unit {
    const char *name;
    apr_int64_t microseconds;
};

/* The first one is what a bare number means; for display the greatest that fits is taken. */
static const struct unit units[] = {
    {"s", BATCH_SECOND}, {"ms", BATCH_MILLISECOND}, {"min", BATCH_SECOND * 60},
    {"h", BATCH_HOUR},   {"d", BATCH_HOUR * 24},
};

#define UNIT_COUNT (sizeof(units) / sizeof(*units))

/* More digits than any setting can use, ... */
#define MOST_DIGITS 12

/* ... and few enough that a count of microseconds cannot overflow. */
#define MOST_DIGITS_OF_TIME 8

/* The number at the start of word; *rest is what follows it. 0 where there is none, or too many. */
static int leading_number(apr_int64_t *number, const char **rest, const char *word, int most)
{
    int digits = 0;

    *number = 0;
    while (apr_isdigit(word[digits])) {
        if (digits == most) {
            return 0;
        }
        *number = *number * 10 + (word[digits] - '0');
        digits++;
    }
    *rest = word + digits;
    return digits > 0;
}

const char *batch_number_parse(apr_int64_t *number, const char *word,
                               const batch_setting_spec_t *spec, apr_pool_t *p)
{
    const char *rest;

    if (leading_number(number, &rest, word, MOST_DIGITS) && !*rest && *number >= spec->least &&
        *number <= spec->greatest) {
        return NULL;
    }
    return apr_psprintf(
        p, "%s: '%s' is not a whole number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT,
        spec->directive, word, spec->least, spec->greatest);
}

/* ---- Sizes --------------------------------------------------------------------------------------
 */

/* By how many bits the suffix of a size moves it to the left; -1 if it is none. */
static int size_shift(const char *suffix)
{
    static const char letters[] = "KMG";
    const char *letter;

    if (!*suffix) {
        return 0;
    }
    letter = strchr(letters, apr_toupper(*suffix));
    return letter && !suffix[1] ? 10 * (int)(letter - letters + 1) : -1;
}

const char *batch_bytes_parse(apr_int64_t *bytes, const char *word,
                              const batch_setting_spec_t *spec, apr_pool_t *p)
{
    const char *rest;
    int shift = leading_number(bytes, &rest, word, MOST_DIGITS) ? size_shift(rest) : -1;

    if (shift >= 0 && *bytes <= APR_INT64_MAX >> shift) {
        *bytes <<= shift;
        if (*bytes >= spec->least && *bytes <= spec->greatest) {
            return NULL;
        }
    }
    return apr_psprintf(p,
                        "%s: '%s' is not a size from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                        ": give a whole number of bytes, or one with the unit K, M or G",
                        spec->directive, word, spec->least, spec->greatest);
}

/* ---- Times --------------------------------------------------------------------------------------
 */

/* interval in the greatest unit that shows it exactly, in p. */
static const char *interval_text(apr_int64_t interval, apr_pool_t *p)
{
    const struct unit *best = &units[1];
    size_t i;

    for (i = 0; i < UNIT_COUNT; i++) {
        if (interval % units[i].microseconds == 0 && units[i].microseconds > best->microseconds) {
            best = &units[i];
        }
    }
    return apr_psprintf(p, "%" APR_INT64_T_FMT "%s", interval / best->microseconds, best->name);
}

static const struct unit *unit_find(const char *name)
{
    size_t i;

    for (i = 0; i < UNIT_COUNT; i++) {
        if (!*name || !strcasecmp(units[i].name, name)) {
            return &units[i];
        }
    }
    return NULL;
}

const char *batch_interval_parse(apr_int64_t *interval, const char *word,
                                 const batch_setting_spec_t *spec, apr_pool_t *p)
{
    const struct unit *unit = NULL;
    const char *rest;

    if (leading_number(interval, &rest, word, MOST_DIGITS_OF_TIME)) {
        unit = unit_find(rest);
    }
    if (unit) {
        *interval *= unit->microseconds;
        if (*interval >= spec->least && *interval <= spec->greatest) {
            return NULL;
        }
    }
    return apr_psprintf(p,
                        "%s: '%s' is not a time from %s to %s: give a whole number of seconds, or "
                        "one with the unit ms, s, min, h or d",
                        spec->directive, word, interval_text(spec->least, p),
                        interval_text(spec->greatest, p));
}

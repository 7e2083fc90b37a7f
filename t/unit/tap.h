/* TAP for the unit tests: each program plans, checks, and returns tap_end() from main. */
#ifndef BATCH_TAP_H
#define BATCH_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_count;
static int tap_failed;

/** One test: true passes. Returns the truth value, so that a test can stop early. */
__attribute__((format(printf, 4, 5))) static inline int tap_check(int truth, const char *file,
                                                                  int line, const char *fmt, ...)
{
    va_list arguments;

    printf("%sok %d - ", truth ? "" : "not ", ++tap_count);
    va_start(arguments, fmt);
    vprintf(fmt, arguments);
    va_end(arguments);
    printf("\n");
    if (!truth) {
        tap_failed++;
        printf("#   at %s:%d\n", file, line);
    }
    fflush(stdout);
    return truth;
}

#define ok(truth, ...) tap_check(!!(truth), __FILE__, __LINE__, __VA_ARGS__)

/** Compares numbers, and shows both when they differ. */
static inline int tap_is_number(long long got, long long wanted, const char *file, int line,
                                const char *name)
{
    int same = tap_check(got == wanted, file, line, "%s", name);
    if (!same) {
        printf("#   got %lld, wanted %lld\n", got, wanted);
    }
    return same;
}

/** Compares strings (NULL equals NULL only), and shows both when they differ. */
static inline int tap_is_string(const char *got, const char *wanted, const char *file, int line,
                                const char *name)
{
    int same = got && wanted ? !strcmp(got, wanted) : got == wanted;
    tap_check(same, file, line, "%s", name);
    if (!same) {
        printf("#   got '%s', wanted '%s'\n", got ? got : "(null)", wanted ? wanted : "(null)");
    }
    return same;
}

#define is_number(got, wanted, name) tap_is_number((got), (wanted), __FILE__, __LINE__, (name))
#define is_string(got, wanted, name) tap_is_string((got), (wanted), __FILE__, __LINE__, (name))

/** Prints the plan; what main returns. */
static inline int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed ? 1 : 0;
}

#endif

/*
 * Dates and times as clients write them (ISO 8601, RFC 3339), in one spelling: a time is in UTC,
 * with T and Z in capitals, and without zeros at the end of its fraction. So texts of the same
 * moment are equal, and those of any two are in the order of time as far as their seconds differ.
 */
#ifndef BATCH_TEXT_MOMENTS_H
#define BATCH_TEXT_MOMENTS_H

#include <apr_pools.h>
#include <apr_time.h>

/**
 * NULL if text is a date, YYYY-MM-DD from the year 1 to 9999 that is in the calendar; else what is
 * wrong with it and what to send, in p.
 */
const char *batch_moment_check_date(const char *text, apr_pool_t *p);

/**
 * Reads a time with seconds and a zone: Z, or an offset ±hh:mm. NULL, with *spelling set: to text
 * itself where that is spelt so, else in p. Else what is wrong with it and what to send, in p: also
 * where its moment is outside of the years 1 to 9999 in UTC, and for a leap second, which no
 * database keeps.
 */
const char *batch_moment_read(const char **spelling, const char *text, apr_pool_t *p);

/** time in UTC with whole seconds and Z, in p; NULL for 0. */
const char *batch_time_format(apr_time_t time, apr_pool_t *p);

#endif

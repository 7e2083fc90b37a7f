/* Days of the Gregorian calendar, from the year 1 on. */
#ifndef BATCH_TEXT_CALENDAR_H
#define BATCH_TEXT_CALENDAR_H

#include "batch.h"

/** Days from 1970-01-01 to that day. */
apr_int64_t batch_calendar_days(apr_int64_t year, int month, int day);

/** The day that is so many days after 1970-01-01 (before it, where days is below 0). */
void batch_calendar_date(apr_int64_t days, apr_int64_t *year, int *month, int *day);

/** How many days the month has. */
int batch_calendar_month(apr_int64_t year, int month);

#endif

#include "store/pace.h"

#include "store/connection.h"

/* Rows of the first set, while nothing is known of their speed. */
#define FIRST_SET 16

/* What was measured is not relied on after that time: a trigger may have been added. */
#define FORGET apr_time_from_sec(5)

/* So much of a set's time at most is taken for independent of its size. */
#define MOST_FIXED 0.8

/* A set of twice as many rows tells what goes with the rows; of four times as many where they are
 * few: else that is drowned by what differs from time to time. */
static int apart_from(int rows)
{
    return rows < FIRST_SET / 2 ? 4 * rows : 2 * rows;
}

/*
 * So much a row, and so much (a round trip, the making of a plan) whatever their number, which two
 * sets of quite different sizes tell apart.
 */
void batch_pace_note(batch_pace_t *pace, int rows, apr_interval_time_t took)
{
    double time = (double)(took > 0 ? took : 1);
    double most = MOST_FIXED * (time < pace->took ? time : pace->took);
    apr_time_t now = batch_ticks();

    if (pace->rows && (rows >= apart_from(pace->rows) || pace->rows >= apart_from(rows))) {
        double each = (time - pace->took) / (double)(rows - pace->rows);

        pace->fixed = time - each * (double)rows;
        pace->fixed = pace->fixed > 0 ? pace->fixed : 0;
        pace->told_apart_at = now;
    } else {
        most = MOST_FIXED * time;
    }
    if (pace->fixed > most) {
        pace->fixed = most; /* one of them had to wait, or was lucky */
    }
    pace->rows = rows;
    pace->took = time;
    pace->least = pace->least > 0 && pace->least < time ? pace->least : time;
    pace->measured_at = now;
}

double batch_pace_size(const batch_pace_t *pace, double left, double most)
{
    apr_time_t now = batch_ticks();
    double size;

    if (!pace->rows || now - pace->measured_at >= FORGET) {
        return FIRST_SET;
    }
    left -= pace->fixed;
    if (left < pace->fixed) {
        left = pace->fixed; /* it cannot be in time, but it can be worth its round trip */
    }
    size = left * (double)pace->rows / (pace->took - pace->fixed);
    size = size < most ? size : most;
    if (size < apart_from(pace->rows) && now - pace->told_apart_at >= FORGET) {
        size = apart_from(pace->rows); /* to see what goes with the rows */
    }
    return size;
}

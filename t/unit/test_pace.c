/*
 * How many rows are expected to be done in a time: from a first set of one row on, whatever a
 * statement takes by itself, and however long a row takes.
 */
/* needs: nothing */
#include "store/pace.h"

#include "tap.h"

#define TRIP 40000 /* µs */
#define SETS 12

/* What a set took. */
static apr_interval_time_t took(int rows, double trip, double each, int number)
{
    /* Some are a tenth slower than others. */
    return (apr_interval_time_t)((trip + each * rows) * (number % 3 == 1 ? 1.1 : 1));
}

/*
 * Rows of the last of SETS sets, the first of which had one row; each that was to take `left` µs.
 * *most: of the largest one.
 */
static int last_size(int *most, double left, double trip, double each)
{
    batch_pace_t pace = {0};
    int rows = 1;
    int i;

    *most = 0;
    for (i = 0; i < SETS; i++) {
        double size;

        batch_pace_note(&pace, rows, took(rows, trip, each, i));
        size = batch_pace_size(&pace, left, 1000000);
        rows = size > 1 ? (int)size : 1;
        *most = rows > *most ? rows : *most;
    }
    return rows;
}

int main(void)
{
    batch_pace_t pace = {0};
    int most;
    int rows;

    apr_initialize();
    is_number((int)batch_pace_size(&pace, 1000, 1000), 16, "a first set has few rows");
    rows = last_size(&most, 100000, 100, 10);
    ok(rows > 8000 && rows <= 10000, "as many as there is time for: %d", rows);
    rows = last_size(&most, 5000, TRIP, 10);
    ok(rows > 500, "where a round trip takes longer than that, as many as are worth it: %d", rows);
    rows = last_size(&most, -TRIP, TRIP, 10);
    ok(rows > 500, "also where the time is over before they begin: %d", rows);
    rows = last_size(&most, 5000, 100, 50000);
    is_number(rows, 1, "rows that are slow go one by one");
    is_number(most, 4, "but for a few, to find that out");
    rows = last_size(&most, 100000, 100, 10000);
    ok(rows >= 8 && most <= 20, "slow rows for which there is time: %d, at most %d", rows, most);
    apr_terminate();
    return tap_end();
}

/*
 * The pace of work on rows by statements that nothing stops at a deadline: how many are expected to
 * be done in a time, going by what the last ones took. Used for sets (store/sets.h), and for the
 * chunks of lanes.
 */
#ifndef BATCH_STORE_PACE_H
#define BATCH_STORE_PACE_H

#include <apr_time.h>

/** What is known of the speed of work of a kind; times in microseconds, by batch_ticks. All 0 at
 * first. */
typedef struct batch_pace {
    int rows;                 /* of the last set; 0 = there was none yet */
    double took;              /* … */
    double fixed;             /* … of that for a set of any size, as far as is known, … */
    apr_time_t told_apart_at; /* … which was found out then; 0 = never yet */
    apr_time_t measured_at;
    double least; /* no set was quicker */
} batch_pace_t;

/** Notes what a set of so many rows, at least one, took. */
void batch_pace_note(batch_pace_t *pace, int rows, apr_interval_time_t took);

/**
 * How many rows are expected to be done in `left`, which may be negative; most: rather not more.
 * May be less than 1. Where what does not go with the rows takes longer than that, so many that
 * they take as long again.
 */
double batch_pace_size(const batch_pace_t *pace, double left, double most);

#endif

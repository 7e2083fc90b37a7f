/*
 * The choices from which a query is made: random ones, which are noted, so that the same query can
 * be made again, and a smaller one by leaving some out. Choice 0 is always the simplest.
 */
#ifndef BATCH_DIFFERENTIAL_CHOICES_H
#define BATCH_DIFFERENTIAL_CHOICES_H

#include "batch.h"

/** How many there can be; whatever is chosen past that is 0. */
#define CHOICES_MOST 8192

typedef struct choices {
    apr_uint64_t state; /* of the random numbers */
    int replays;        /* noted ones are made again; past their end all are 0 */
    int at;
    int count;
    unsigned noted[CHOICES_MOST];
} choices_t;

/** Starts anew, with random choices. */
void choices_seed(choices_t *choices, apr_uint64_t seed);

/** Starts anew, with the choices noted. */
void choices_replay(choices_t *choices, const unsigned *noted, int count);

/** A number from 0 to count - 1. */
unsigned choose(choices_t *choices, unsigned count);

/** 1 in one of so many cases. */
int chance(choices_t *choices, unsigned of);

/** The next random number of a state. */
apr_uint64_t choices_random(apr_uint64_t *state);

/** Whether something still is as it was, with these choices. */
typedef int choices_holds_fn(void *baton, const unsigned *noted, int count);

/** Leaves out and lowers choices as long as it holds; how many are left. */
int choices_shrink(unsigned *noted, int count, choices_holds_fn *holds, void *baton);

#endif

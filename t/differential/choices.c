#include "choices.h"

#include <string.h>

/* How many smaller ones are tried. */
#define MOST_TRIES 2000

apr_uint64_t choices_random(apr_uint64_t *state)
{
    apr_uint64_t mixed = *state += APR_UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * APR_UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

void choices_seed(choices_t *choices, apr_uint64_t seed)
{
    choices->state = seed;
    choices->replays = 0;
    choices->at = choices->count = 0;
}

void choices_replay(choices_t *choices, const unsigned *noted, int count)
{
    memmove(choices->noted, noted, (apr_size_t)count * sizeof(*noted));
    choices->replays = 1;
    choices->at = 0;
    choices->count = count;
}

unsigned choose(choices_t *choices, unsigned count)
{
    unsigned chosen = 0;

    if (choices->replays) {
        if (choices->at < choices->count) {
            chosen = choices->noted[choices->at++] % count;
        }
        return chosen;
    }
    if (choices->count < CHOICES_MOST) {
        chosen = (unsigned)(choices_random(&choices->state) % count);
        choices->noted[choices->count++] = chosen;
    }
    return chosen;
}

int chance(choices_t *choices, unsigned of)
{
    return choose(choices, of) == of - 1;
}

/* ---- Smaller ones ---------------------------------------------------------------------------- */

typedef struct shrinking {
    unsigned *noted;
    int count;
    int tries;
    choices_holds_fn *holds;
    void *baton;
} shrinking_t;

static int try(shrinking_t *shrinking, const unsigned *noted, int count)
{
    if (shrinking->tries++ >= MOST_TRIES || !shrinking->holds(shrinking->baton, noted, count)) {
        return 0;
    }
    memmove(shrinking->noted, noted, (apr_size_t)count * sizeof(*noted));
    shrinking->count = count;
    return 1;
}

/* Without a block, or with zeros in its place. */
static int try_block(shrinking_t *shrinking, int from, int length, int leave_out)
{
    unsigned copy[CHOICES_MOST];
    int rest = shrinking->count - from - length, i, changes = leave_out;

    memcpy(copy, shrinking->noted, (apr_size_t)shrinking->count * sizeof(*copy));
    if (leave_out) {
        memmove(copy + from, copy + from + length, (apr_size_t)rest * sizeof(*copy));
        return try(shrinking, copy, shrinking->count - length);
    }
    for (i = from; i < from + length; i++) {
        changes |= copy[i] != 0;
        copy[i] = 0;
    }
    return changes && try(shrinking, copy, shrinking->count);
}

static int lower(shrinking_t *shrinking, int at)
{
    unsigned copy[CHOICES_MOST], value = shrinking->noted[at], lowered;

    for (lowered = 0; lowered < value && lowered < 8; lowered++) {
        memcpy(copy, shrinking->noted, (apr_size_t)shrinking->count * sizeof(*copy));
        copy[at] = lowered;
        if (try(shrinking, copy, shrinking->count)) {
            return 1;
        }
    }
    return 0;
}

int choices_shrink(unsigned *noted, int count, choices_holds_fn *holds, void *baton)
{
    shrinking_t shrinking = {noted, count, 0, holds, baton};
    int length, from, better = 1;

    while (better && shrinking.tries < MOST_TRIES) {
        better = 0;
        for (length = 64; length; length /= 2) {
            for (from = shrinking.count - length; from >= 0; from -= length > 1 ? length / 2 : 1) {
                if (from + length <= shrinking.count) {
                    better |= try_block(&shrinking, from, length, 1) ||
                              try_block(&shrinking, from, length, 0);
                }
            }
        }
        for (from = 0; from < shrinking.count; from++) {
            better |= lower(&shrinking, from);
        }
    }
    return shrinking.count;
}

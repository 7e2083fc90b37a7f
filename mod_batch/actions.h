/*
 * The actions of batches: one row of a list is an action, with all that the rooms ask about it.
 * Whoever adds one adds its row, and what its items do to their rows (engine/apply.c).
 */
#ifndef BATCH_ACTIONS_H
#define BATCH_ACTIONS_H

#include <apr_pools.h>

/* What an action is like: bits. */
#define BATCH_ACTION_NEEDS_KEY 1u  /* each item names its row by the key, which must be there */
#define BATCH_ACTION_MAKES     2u  /* rows that are not there are made */
#define BATCH_ACTION_CHANGES   4u  /* rows that are there get values */
#define BATCH_ACTION_REMOVES   8u  /* rows go */
#define BATCH_ACTION_CLEANS_UP 16u /* behind its items, all rows that these do not name go */
#define BATCH_ACTION_SHARES    32u /* its batches may run beside one another: engine/turn.c */

/*
 * X(SYMBOL, word, what has been done to an item, the APIs that have it, what it is like). The words
 * are those of configuration, database and APIs; the order is that of messages.
 */
#define BATCH_ACTION_LIST(X)                                                                       \
    X(MERGE, "merge", "merged", RESOURCES,                                                         \
      BATCH_ACTION_MAKES | BATCH_ACTION_CHANGES | BATCH_ACTION_SHARES)                             \
    X(OVERWRITE, "overwrite", "overwritten", RESOURCES,                                            \
      BATCH_ACTION_MAKES | BATCH_ACTION_CHANGES | BATCH_ACTION_REMOVES | BATCH_ACTION_CLEANS_UP)   \
    X(DELETE, "delete", "deleted", BOTH, BATCH_ACTION_NEEDS_KEY | BATCH_ACTION_REMOVES)            \
    X(UPDATE, "update", "updated", RECORDS, BATCH_ACTION_NEEDS_KEY | BATCH_ACTION_CHANGES)

#define BATCH_ACTION_SYMBOL(symbol, word, done, apis, traits) BATCH_ACTION_##symbol,
typedef enum { BATCH_ACTION_LIST(BATCH_ACTION_SYMBOL) BATCH_ACTION_COUNT } batch_action_e;

/** A row of the list. */
typedef struct batch_action_row {
    const char *word;
    const char *done; /* what has been done to an item: "deleted" */
    unsigned apis;    /* bits (1u << batch_api_e) */
    unsigned traits;
} batch_action_row_t;

extern const batch_action_row_t batch_action_rows[BATCH_ACTION_COUNT];

/** 1 if the action is like that: has one of the bits above. */
static inline int batch_action_is(batch_action_e action, unsigned trait)
{
    return (unsigned)action < BATCH_ACTION_COUNT && batch_action_rows[action].traits & trait;
}

/** The words of actions, a bit (1u << batch_action_e) for each, as "a, b or c"; NULL: none. In p.
 */
const char *batch_action_words(unsigned actions, const char *conjunction, apr_pool_t *p);

/** The actions that are like that, a bit (1u << batch_action_e) for each. */
unsigned batch_actions_like(unsigned traits);

#endif

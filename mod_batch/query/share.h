/*
 * The memory that the private databases of a process take together. SQLite counts it for the whole
 * process only: which of them has taken how much cannot be told while there are several. What the
 * store's connections hold is taken off, at its most while a transaction runs on them.
 */
#ifndef BATCH_QUERY_SHARE_H
#define BATCH_QUERY_SHARE_H

#include "batch.h"

typedef enum {
    BATCH_SHARE_GOOD,
    BATCH_SHARE_MINE, /* the only one that there is has taken more than its limit */
    BATCH_SHARE_OURS  /* all together have taken more than their limits allow */
} batch_share_e;

/** A private database is about to be opened. */
void batch_share_enter(void);

/** It is closed. */
void batch_share_leave(void);

/**
 * What has been taken, for one whose limit is so many bytes. While there are several they may take
 * as many times that together, and none is blamed for more before.
 */
batch_share_e batch_share_look(apr_int64_t limit);

#endif

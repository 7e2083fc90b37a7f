/*
 * A spool: texts of items that are put away as they come, and read back in the same order, more
 * than once if need be. In memory up to BATCH_SPOOL_BYTES, beyond in a temporary file that has no
 * name and is gone with the spool. Memory does not grow with the number of texts, but by the
 * longest one.
 */
#ifndef BATCH_PAYLOAD_SPOOL_H
#define BATCH_PAYLOAD_SPOOL_H

#include "batch.h"

/** Bytes that a spool keeps in memory. */
#define BATCH_SPOOL_BYTES (256 * 1024)

typedef struct batch_spool batch_spool_t;

/** Entries that lie side by side in memory, to be read there. */
typedef struct batch_spool_block {
    const char *data;
    apr_size_t length; /* bytes that were not read yet */
} batch_spool_block_t;

/**
 * Gets a block that goes to the file now. It stands until the next call has returned, so it can be
 * read in another thread meanwhile.
 */
typedef void batch_spool_block_fn(void *baton, const batch_spool_block_t *block);

/** A text with what is known of it. */
typedef struct batch_spool_entry {
    apr_int64_t line;  /* of the body where it begins, from 1; 0 = the format has none */
    const char *text;  /* when read: NUL-terminated; NULL: it was not kept */
    apr_size_t length; /* bytes; 0 for one that was not kept */
} batch_spool_entry_t;

/** Makes an empty spool in p, which is gone with p. */
batch_spool_t *batch_spool_make(apr_pool_t *p);

/**
 * Puts an entry behind the others. Not once reading has begun. BATCH_EUNAVAILABLE: there is no
 * room for it on the disk; err has a tag and says why.
 */
apr_status_t batch_spool_add(batch_spool_t *spool, const batch_spool_entry_t *entry,
                             batch_error_t *err);

/**
 * Has each block given to fn, in their order, before it goes to the file. Not once there is one:
 * what is in memory still is there. The spool has two buffers from then on.
 */
void batch_spool_give_blocks(batch_spool_t *spool, batch_spool_block_fn *fn, void *baton);

/** The entries behind those of all blocks: they stand until the spool is used again. */
void batch_spool_last_block(batch_spool_block_t *block, const batch_spool_t *spool);

/** The next entry of a block; 0 if there is none. Its text stands as long as the block. */
int batch_spool_block_next(batch_spool_entry_t *entry, batch_spool_block_t *block);

/** Goes to the first entry, where reading begins by itself too. Statuses as batch_spool_add. */
apr_status_t batch_spool_rewind(batch_spool_t *spool, batch_error_t *err);

/**
 * Reads the next entry; its text is the spool's and stands until the next call. APR_EOF behind the
 * last one, else statuses as batch_spool_add.
 */
apr_status_t batch_spool_next(batch_spool_entry_t *entry, batch_spool_t *spool, batch_error_t *err);

#endif

/*
 * SQLite: the write-ahead log in fewer calls to the system. Part of the driver; private to store/.
 *
 * SQLite writes a page to the log by two calls, one for the frame's 24 bytes and one for the page.
 * That takes longer than to copy the page. This VFS is the library's own for "unix" but for that:
 * it gathers frames of a transaction that is under way, and writes many of them at once.
 *
 * Nothing else can be seen of it. The frame of a COMMIT goes to the file at once, behind all before
 * it, and so do all of them before anything else is done with the log: a read, a sync, a question
 * for its size. What is gathered belongs to a transaction that nobody else sees; if that gives up
 * the right to write without a COMMIT, what was not written yet is forgotten.
 */
#ifndef BATCH_STORE_SQLITE3_VFS_H
#define BATCH_STORE_SQLITE3_VFS_H

#include <apr_pools.h>

/**
 * What apr_dbd is given to open the database at that path with it, in p; path itself where the
 * library cannot, or where it is a URI of the administrator's.
 */
const char *batch_sqlite3_vfs_params(const char *path, apr_pool_t *p);

#endif

#include "store/sqlite3/vfs.h"

#include <pthread.h>
#include <string.h>

#include <apr_escape.h>
#include <apr_strings.h>
#include <sqlite3.h>

#define NAME "batch"

/* What stands before each page in the log, and where it says how large a COMMIT makes the database;
 * 0 for the other frames. https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
#define FRAME_HEAD    24
#define FRAME_SIZE_AT 4
#define FRAME_SIZE    4

#define SMALLEST_PAGE 512

/* The first version that tells which database a log belongs to. */
#define DATABASE_OF_LOG 3032000

/* Bytes that are written at once, about. */
#define GATHERED (64 * 1024)

/*
 * Stands behind the library's own part of an open file, which has its methods from here: they are
 * the library's but for those below.
 */
typedef struct extension {
    sqlite3_io_methods methods;
    const sqlite3_io_methods *own; /* the library's */
    sqlite3_file *log;             /* of a database: its log, NULL while that is not open */
    sqlite3_file *database;        /* of a log */
    char *frames; /* of a log: GATHERED bytes, and one more frame; NULL: none yet */
    int size;     /* of them */
    int used;
    sqlite3_int64 at; /* where they belong in the file */
    int in_frame;     /* they end with a frame's head */
    int failed;       /* SQLite's code: frames that it takes for written are not there */
} extension_t;

static sqlite3_vfs *library; /* the VFS that ours is made of; NULL: there is none yet */
static sqlite3_vfs ours;

static extension_t *extension_of(sqlite3_file *file)
{
    return (extension_t *)((char *)file + library->szOsFile);
}

/* ---- The log ----------------------------------------------------------------------------------
 */

/* A transaction of which frames are missing must not be committed, whatever is done with the error.
 */
static int flush(sqlite3_file *file)
{
    extension_t *extension = extension_of(file);
    int used = extension->used;

    extension->used = 0;
    extension->in_frame = 0;
    if (used && !extension->failed) {
        extension->failed = extension->own->xWrite(file, extension->frames, used, extension->at);
    }
    return extension->failed;
}

/* 1 if the bytes are the head of a frame that is not the one of a COMMIT. */
static int is_head(const void *bytes, int count)
{
    static const char none[FRAME_SIZE];

    return count == FRAME_HEAD && !memcmp((const char *)bytes + FRAME_SIZE_AT, none, FRAME_SIZE);
}

/* Has room for so many bytes more; 0: there is no memory. */
static int reserve(extension_t *extension, int count)
{
    int size = extension->used + count;
    char *frames;

    if (size <= extension->size) {
        return 1;
    }
    size = size > GATHERED + FRAME_HEAD ? size : GATHERED + FRAME_HEAD;
    frames = sqlite3_realloc(extension->frames, size);
    if (frames) {
        extension->frames = frames;
        extension->size = size;
    }
    return frames != NULL;
}

static int log_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    extension_t *extension = extension_of(file);
    int follows = extension->used && at == extension->at + extension->used;
    int head = !extension->in_frame && is_head(bytes, count);
    int page = extension->in_frame && count >= SMALLEST_PAGE;
    int code;

    if ((head && (follows || !extension->used)) || (page && follows)) {
        if (reserve(extension, count)) {
            extension->at = extension->used ? extension->at : at;
            memcpy(extension->frames + extension->used, bytes, (size_t)count);
            extension->used += count;
            extension->in_frame = head;
            return page && extension->used >= GATHERED ? flush(file) : SQLITE_OK;
        }
    }
    code = flush(file);
    return code == SQLITE_OK ? extension->own->xWrite(file, bytes, count, at) : code;
}

static int log_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at)
{
    int code = flush(file);

    return code == SQLITE_OK ? extension_of(file)->own->xRead(file, bytes, count, at) : code;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = flush(file);

    return code == SQLITE_OK ? extension_of(file)->own->xTruncate(file, size) : code;
}

static int log_sync(sqlite3_file *file, int flags)
{
    int code = flush(file);

    return code == SQLITE_OK ? extension_of(file)->own->xSync(file, flags) : code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    int code = flush(file);

    return code == SQLITE_OK ? extension_of(file)->own->xFileSize(file, size) : code;
}

static int log_close(sqlite3_file *file)
{
    extension_t *extension = extension_of(file);

    sqlite3_free(extension->frames);
    if (extension->database) {
        extension_of(extension->database)->log = NULL;
    }
    return extension->own->xClose(file);
}

/* ---- The database -----------------------------------------------------------------------------
 */

/* The lock of the one who writes to the log. https://www.sqlite.org/walformat.html#wal_locks */
#define WRITER 0

/*
 * Whoever lets go of it has no transaction any more that could be committed: what was not written
 * must not be written over what others do from now on.
 */
static int database_lock(sqlite3_file *file, int first, int count, int flags)
{
    extension_t *extension = extension_of(file);

    if (extension->log && first == WRITER && flags == (SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE)) {
        extension_of(extension->log)->used = 0;
        extension_of(extension->log)->in_frame = 0;
        extension_of(extension->log)->failed = SQLITE_OK;
    }
    return extension->own->xShmLock(file, first, count, flags);
}

/* ---- Opening ----------------------------------------------------------------------------------
 */

static void extend_log(sqlite3_file *file, const char *name)
{
    extension_t *extension = extension_of(file);

    extension->database = sqlite3_database_file_object(name);
    extension_of(extension->database)->log = file;
    extension->methods.xWrite = log_write;
    extension->methods.xRead = log_read;
    extension->methods.xTruncate = log_truncate;
    extension->methods.xSync = log_sync;
    extension->methods.xFileSize = log_size;
    extension->methods.xClose = log_close;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    extension_t *extension = extension_of(file);
    int code;

    (void)vfs;
    memset(extension, 0, sizeof(*extension));
    code = library->xOpen(library, name, file, flags, out);
    /* A log that its database's locks say nothing of stays as it is. */
    if (code != SQLITE_OK || !file->pMethods || file->pMethods->iVersion < 2 ||
        !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) {
        return code;
    }
    extension->own = file->pMethods;
    extension->methods = *file->pMethods;
    if (flags & SQLITE_OPEN_WAL) {
        extend_log(file, name);
    } else {
        extension->methods.xShmLock = database_lock;
    }
    file->pMethods = &extension->methods;
    return code;
}

/*
 * Ours is a copy of the library's, as its variants of "unix" are copies of each other. Of another
 * one nobody knows whether it can be copied.
 */
static void make_ours(void)
{
    sqlite3_vfs *found = sqlite3_vfs_find(NULL);

    if (!found || strcmp(found->zName, "unix") != 0 ||
        sqlite3_libversion_number() < DATABASE_OF_LOG || !sqlite3_compileoption_used("USE_URI") ||
        sqlite3_compileoption_used("USE_URI=0")) {
        return;
    }
    ours = *found;
    ours.pNext = NULL;
    ours.zName = NAME;
    ours.szOsFile = found->szOsFile + (int)sizeof(extension_t);
    ours.xOpen = open_file;
    library = found;
    if (sqlite3_vfs_register(&ours, 0) != SQLITE_OK) {
        library = NULL;
    }
}

/* The module may be unloaded before the library is. */
__attribute__((destructor)) static void forget_ours(void)
{
    if (library) {
        (void)sqlite3_vfs_unregister(&ours);
    }
}

const char *batch_sqlite3_vfs_params(const char *path, apr_pool_t *p)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, make_ours);
    if (!library || !strncmp(path, "file:", 5)) {
        return path;
    }
    /* An absolute path stands behind an authority, which is empty. */
    return apr_pstrcat(p, *path == '/' ? "file://" : "file:", apr_pescape_path(p, path, 1),
                       "?vfs=" NAME, NULL);
}

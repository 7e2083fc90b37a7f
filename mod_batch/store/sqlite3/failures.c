#include "store/sqlite3/failures.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include <apr_strings.h>
#include <apr_user.h>

/* ---- In words -----------------------------------------------------------------------------------
 */

/* Whose rights count: httpd's children run as another user than whoever reads this in a log. */
static const char *user_name(apr_pool_t *p)
{
    char *name = NULL;

    return apr_uid_name_get(&name, geteuid(), p) == APR_SUCCESS
               ? name
               : apr_psprintf(p, "#%ld", (long)geteuid());
}

/* What the user may not do with the file or its folder; "" where that is not to be seen. */
static const char *lacking(const char *file, apr_pool_t *p)
{
    const char *slash = strrchr(file, '/');
    const char *folder = slash > file ? apr_pstrmemdup(p, file, (apr_size_t)(slash - file)) : NULL;

    if (!strncmp(file, "file:", 5) || !folder) {
        return ""; /* a URI says more than a path */
    }
    if (faccessat(AT_FDCWD, folder, F_OK, AT_EACCESS)) {
        return ", whose folder is not there or not to be reached";
    }
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS)) {
        return ", in whose folder this user may make no files, as its log has to be";
    }
    if (!faccessat(AT_FDCWD, file, F_OK, AT_EACCESS) &&
        faccessat(AT_FDCWD, file, R_OK | W_OK, AT_EACCESS)) {
        return ", which this user may not read and write";
    }
    return "";
}

const char *batch_sqlite3_place(const batch_connection_t *connection, const char *message,
                                apr_pool_t *p)
{
    return apr_psprintf(p, "%s (file %s%s; user %s)", message, connection->params,
                        lacking(connection->params, p), user_name(p));
}

const char *batch_sqlite3_message(batch_connection_t *connection)
{
    const char *message = sqlite3_errmsg(connection->native);
    int reason = sqlite3_system_errno(connection->native);
    char text[128];

    switch (sqlite3_errcode(connection->native) & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        /* SQLite's own words ("disk I/O error") do not say that the disk is full. */
        if (reason) {
            message = apr_pstrcat(connection->p, message, ": ",
                                  apr_strerror(reason, text, sizeof(text)), NULL);
        }
        return batch_sqlite3_place(connection, message, connection->p);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_FULL:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return batch_sqlite3_place(connection, message, connection->p);
    default:
        return message;
    }
}

/* ---- What they mean ---------------------------------------------------------------------------
 */

static batch_failure_e classify_error(batch_connection_t *connection, int own)
{
    if (own && strstr(batch_sqlite3_message(connection), "no such table")) {
        return BATCH_FAILURE_MISSING;
    }
    return BATCH_FAILURE_STATEMENT;
}

/* code says little: statements are prepared the old way, where nearly every failure is a 1. */
batch_failure_e batch_sqlite3_classify(batch_connection_t *connection, int code, int own)
{
    batch_failure_e failure;

    if (code == SQLITE_OK) {
        return BATCH_FAILURE_NONE;
    }
    switch (sqlite3_extended_errcode(connection->native) & 0xff) {
    case SQLITE_SCHEMA:
        return BATCH_FAILURE_OUTDATED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return BATCH_FAILURE_LOCKED;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        failure = BATCH_FAILURE_REFUSED;
        break;
    case SQLITE_ERROR:
        failure = classify_error(connection, own);
        break;
    case SQLITE_OK: /* apr_dbd's own complaint */
    case SQLITE_RANGE:
    case SQLITE_AUTH:
        return BATCH_FAILURE_STATEMENT;
    case SQLITE_READONLY:
        return BATCH_FAILURE_READ_ONLY;
    default: /* full, corrupt, an I/O error, out of memory, … */
        return BATCH_FAILURE_LOST;
    }
    return failure;
}

batch_refusal_e batch_sqlite3_refusal(const batch_connection_t *connection)
{
    int code = sqlite3_extended_errcode(connection->native);

    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return BATCH_REFUSAL_UNIQUE;
    case SQLITE_CONSTRAINT_NOTNULL:
    case SQLITE_CONSTRAINT_CHECK:
    case SQLITE_CONSTRAINT_DATATYPE:
        return BATCH_REFUSAL_FINAL;
    default:
        return (code & 0xff) == SQLITE_CONSTRAINT ? BATCH_REFUSAL_OTHERS : BATCH_REFUSAL_FINAL;
    }
}

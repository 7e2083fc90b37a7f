#include "store/sqlite3/ask.h"

#include "store/sqlite3/failures.h"

batch_failure_e batch_sqlite3_ask(batch_connection_t *connection, sqlite3_stmt **statement,
                                  const char *sql, const char *const *texts, int count)
{
    int code = sqlite3_prepare_v2(connection->native, sql, -1, statement, NULL);
    int i;

    for (i = 0; code == SQLITE_OK && i < count; i++) {
        code = sqlite3_bind_text(*statement, i + 1, texts[i], -1, SQLITE_STATIC);
    }
    return code == SQLITE_OK ? BATCH_FAILURE_NONE
                             : batch_sqlite3_asked(connection, *statement, code);
}

batch_failure_e batch_sqlite3_asked(batch_connection_t *connection, sqlite3_stmt *statement,
                                    int code)
{
    batch_failure_e failure = code == SQLITE_DONE || code == SQLITE_ROW
                                  ? BATCH_FAILURE_NONE
                                  : batch_sqlite3_classify(connection, code, 0);

    sqlite3_finalize(statement);
    return failure;
}

const char *batch_sqlite3_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text ? text : "";
}

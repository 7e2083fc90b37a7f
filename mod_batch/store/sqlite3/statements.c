/* SQLite: the texts of statements that are its own. */
#include "store/sqlite3/statements.h"

/*
 * Where the items of a job begin in batch_items. One number for both, as it has a second tree for a
 * key of two, which each batch would have to change.
 */
#define PLACE "(%lld << 32)"

/* A list walks over all jobs, and says of each whether the filters let it through. */
#define LIST(column, of, condition, direction)                                                     \
    "SELECT seq, " column ", " BATCH_SQL_TEXT_FITS                                                 \
    " FROM batch_jobs WHERE " BATCH_SQL_TEXT_LISTED of " AND " condition                           \
    BATCH_LIST_ORDER(column, direction),
#define LIST_ENTRY(symbol, word, column) BATCH_LIST_ENTRY(LIST, column, BATCH_LIST_OF_##symbol)

const char *const batch_sqlite3_statements[BATCH_SQL_COUNT] = {
    [BATCH_SQL_VERSION] = "SELECT max(version) FROM batch_schema",
    /* Greater than that of any there was, also where the last of them have been removed. */
    [BATCH_SQL_JOB_PLACE] = "SELECT max(coalesce((SELECT max(seq) FROM batch_jobs), 0),"
                            " coalesce((SELECT seq FROM batch_last WHERE id = 1), 0)) + 1",
    [BATCH_SQL_JOB_COUNT] = "SELECT jobs FROM batch_counts WHERE organization = %s AND api = %s",
    /* batch_clock: driver.c */
    [BATCH_SQL_FENCE] = BATCH_SQL_TEXT_FENCE("batch_clock()"),
    [BATCH_SQL_TARGET_EARLIER] = BATCH_SQL_TEXT_EARLIER("batch_clock()"),
    [BATCH_SQL_SEGMENT_INSERT] =
        "INSERT INTO batch_items (job, first_item, item_count, data, place)"
        " VALUES (%lld, %lld, %lld, %s, " PLACE " + %lld)",
    [BATCH_SQL_SEGMENT_GET] =
        "SELECT first_item, item_count, data FROM batch_items"
        " WHERE place <= " PLACE " + %lld AND place >= " PLACE " ORDER BY place DESC LIMIT 1",
    [BATCH_SQL_SEGMENTS_PASSED] =
        "DELETE FROM batch_items WHERE place >= " PLACE " + %lld AND place < " PLACE
        " + %lld AND first_item + item_count <= %lld",
    [BATCH_SQL_SEGMENTS_DELETE] =
        "DELETE FROM batch_items WHERE place IN (SELECT place FROM batch_items"
        " WHERE place >= " PLACE " + %lld AND place < " PLACE " LIMIT %lld)",
    [BATCH_SQL_LEFTOVER_INSERT] =
        "INSERT INTO batch_leftovers (job, first_item, errors) VALUES (%lld, %lld, %lld)"
        " ON CONFLICT (job) DO UPDATE SET first_item = min(first_item, excluded.first_item),"
        " errors = max(errors, excluded.errors)",
    [BATCH_SQL_ERROR_INSERT] =
        "INSERT INTO batch_errors"
        " (job, ordinal, number, line, id, field, code, message, original)"
        " SELECT %lld, %lld, coalesce(max(number) + 1, 0), %lld, %s, %s, %s, %s, %s"
        " FROM batch_errors WHERE job = %lld AND ordinal = %lld",
    [BATCH_SQL_ERRORS_DELETE] = "DELETE FROM batch_errors WHERE rowid IN"
                                " (SELECT rowid FROM batch_errors WHERE job = %lld LIMIT %lld)",
    [BATCH_SQL_KEPT_DELETE] = "DELETE FROM batch_kept WHERE rowid IN"
                              " (SELECT rowid FROM batch_kept WHERE job = %lld LIMIT %lld)",
    [BATCH_SQL_LIST] = BATCH_SORT_LIST(LIST_ENTRY)};

/*
 * The yardstick of `make bench` for the resources API on SQLite: reads items from a file before the
 * clock starts, and then does with prepared statements, in durable transactions, what a batch of
 * these items does to the rows, and nothing else.
 *
 *   merge      shipments: INSERT … ON CONFLICT (organization_id, tracking_number) DO UPDATE
 *   overwrite  contacts: UPDATE by id; then a walk over the ids of the organization beside the
 *              sorted ids of the items, and a DELETE for each one that has none
 *   sync COUNT shipments: as merge, COUNT items in each transaction, on a connection that stays
 *
 * Prints the milliseconds from before the database is opened until the last commit has returned
 * (sync: the median of a transaction), and the rows that were touched.
 *
 * usage: bare_merge DATABASE FILE merge|overwrite|sync [COUNT]
 * An item is a line of five columns with tabs between them.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "items.h"

#define NOW "2024-05-01T00:00:00Z"

static sqlite3 *db;

static void run(const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        exit(1);
    }
    return statement;
}

static void step(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_reset(statement);
}

static void upsert(sqlite3_stmt *statement, const bench_item_t *item)
{
    char id[37];
    int i;

    bench_uuid(id);
    sqlite3_bind_text(statement, 1, id, 36, SQLITE_STATIC);
    for (i = 0; i < BENCH_COLUMNS; i++) {
        sqlite3_bind_text(statement, i + 2, item->columns[i], -1, SQLITE_STATIC);
    }
    step(statement);
}

#define UPSERT                                                                                     \
    "INSERT INTO shipments (id, organization_id, tracking_number, carrier, status, recipient,"     \
    " eta, created_at, updated_at) VALUES (?, 'acme', ?, ?, ?, ?, ?, '" NOW "', '" NOW "')"        \
    " ON CONFLICT (organization_id, tracking_number) DO UPDATE SET carrier = excluded.carrier,"    \
    " status = excluded.status, recipient = excluded.recipient, eta = excluded.eta,"               \
    " updated_at = excluded.updated_at"

static void merge(const bench_item_t *items, int count)
{
    sqlite3_stmt *statement;
    int i;

    run("BEGIN IMMEDIATE");
    statement = prepare(UPSERT);
    for (i = 0; i < count; i++) {
        upsert(statement, &items[i]);
    }
    run("COMMIT");
    sqlite3_finalize(statement);
}

static int by_id(const void *left, const void *right)
{
    const bench_item_t *const *a = left;
    const bench_item_t *const *b = right;

    return strcmp((*a)->columns[0], (*b)->columns[0]);
}

/* Deletes what no item names. */
static void clean_up(const bench_item_t *items, int count)
{
    const bench_item_t **sorted = malloc(sizeof(*sorted) * ((size_t)count + 1));
    sqlite3_stmt *walk =
        prepare("SELECT id FROM contacts WHERE organization_id = 'acme' ORDER BY id");
    sqlite3_stmt *removal = prepare("DELETE FROM contacts WHERE id = ?");
    int i, rc;

    if (!sorted) {
        abort();
    }
    for (i = 0; i < count; i++) {
        sorted[i] = &items[i];
    }
    qsort(sorted, (size_t)count, sizeof(*sorted), by_id);
    i = 0;
    while ((rc = sqlite3_step(walk)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(walk, 0);

        while (i < count && strcmp(sorted[i]->columns[0], id) < 0) {
            i++;
        }
        if (i == count || strcmp(sorted[i]->columns[0], id) > 0) {
            sqlite3_bind_text(removal, 1, id, -1, SQLITE_TRANSIENT);
            step(removal);
        }
    }
    if (rc != SQLITE_DONE) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_finalize(walk);
    sqlite3_finalize(removal);
    free(sorted);
}

static void overwrite(const bench_item_t *items, int count)
{
    sqlite3_stmt *statement;
    int i, column;

    run("BEGIN IMMEDIATE");
    statement = prepare("UPDATE contacts SET name = ?2, email = ?3, phone = ?4, notes = ?5,"
                        " updated_at = '" NOW "' WHERE id = ?1 AND organization_id = 'acme'");
    for (i = 0; i < count; i++) {
        for (column = 0; column < BENCH_COLUMNS; column++) {
            sqlite3_bind_text(statement, column + 1, items[i].columns[column], -1, SQLITE_STATIC);
        }
        step(statement);
    }
    sqlite3_finalize(statement);
    clean_up(items, count);
    run("COMMIT");
}

/* The median of the transactions, in milliseconds. */
static double sync_median(const bench_item_t *items, int count, int each)
{
    sqlite3_stmt *statement = prepare(UPSERT);
    double *times = malloc(sizeof(*times) * ((size_t)(count / each) + 1));
    double median;
    int made = 0;
    int i;

    if (!times) {
        abort();
    }
    while ((made + 1) * each <= count) {
        double begun = bench_milliseconds();

        run("BEGIN IMMEDIATE");
        for (i = 0; i < each; i++) {
            upsert(statement, &items[made * each + i]);
        }
        run("COMMIT");
        times[made++] = bench_milliseconds() - begun;
    }
    median = bench_median(times, made);
    sqlite3_finalize(statement);
    free(times);
    return median;
}

int main(int argc, char **argv)
{
    bench_item_t *items;
    double begun, took;
    int count;

    if (argc < 4) {
        fprintf(stderr, "usage: bare_merge DATABASE FILE merge|overwrite|sync [COUNT]\n");
        return 2;
    }
    items = bench_read_items(&count, argv[2]);
    begun = bench_milliseconds();
    if (sqlite3_open(argv[1], &db) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        return 1;
    }
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    if (!strcmp(argv[3], "sync")) {
        took = sync_median(items, count, argc > 4 ? atoi(argv[4]) : 10);
    } else {
        if (!strcmp(argv[3], "overwrite")) {
            overwrite(items, count);
        } else {
            merge(items, count);
        }
        took = bench_milliseconds() - begun;
    }
    printf("%.3f %d\n", took, sqlite3_total_changes(db));
    sqlite3_close(db);
    free(items);
    return 0;
}

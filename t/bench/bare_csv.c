/*
 * The yardstick of `make bench` for CSV files on SQLite: reads a file of shipments with libcsv and
 * does for each row, with one prepared statement in one durable transaction, what a merge of it
 * does to the rows, and nothing else: INSERT … ON CONFLICT (organization_id, tracking_number) DO
 * UPDATE.
 *
 * Prints the milliseconds from before the file is opened until the commit has returned, and the
 * rows that were touched.
 *
 * usage: bare_csv DATABASE FILE
 * The file has a header row, tracking_number,carrier,status,recipient,eta.
 */
#include <csv.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"

#define NOW "2024-05-01T00:00:00Z"

static sqlite3 *db;
static sqlite3_stmt *upsert;
static int column;
static int rows;

static void run(const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
}

static void cell(void *bytes, size_t length, void *baton)
{
    (void)baton;
    if (rows && column < BENCH_COLUMNS) {
        sqlite3_bind_text(upsert, column + 2, bytes, (int)length, SQLITE_TRANSIENT);
    }
    column++;
}

static void row(int end, void *baton)
{
    char id[37];

    (void)end;
    (void)baton;
    column = 0;
    if (!rows++) {
        return;
    }
    bench_uuid(id);
    sqlite3_bind_text(upsert, 1, id, 36, SQLITE_STATIC);
    if (sqlite3_step(upsert) != SQLITE_DONE) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_reset(upsert);
}

static void read_file(const char *path)
{
    static char bytes[64 * 1024];
    struct csv_parser parser;
    FILE *file = fopen(path, "r");
    size_t length;

    if (!file || csv_init(&parser, 0)) {
        perror(path);
        exit(1);
    }
    while ((length = fread(bytes, 1, sizeof(bytes), file))) {
        if (csv_parse(&parser, bytes, length, cell, row, NULL) != length) {
            fprintf(stderr, "%s\n", csv_strerror(csv_error(&parser)));
            exit(1);
        }
    }
    csv_fini(&parser, cell, row, NULL);
    csv_free(&parser);
    fclose(file);
}

int main(int argc, char **argv)
{
    double begun = bench_milliseconds();

    if (argc < 3) {
        fprintf(stderr, "usage: bare_csv DATABASE FILE\n");
        return 2;
    }
    if (sqlite3_open(argv[1], &db) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        return 1;
    }
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("BEGIN IMMEDIATE");
    if (sqlite3_prepare_v2(
            db,
            "INSERT INTO shipments (tracking_number, id, organization_id, carrier, status, "
            "recipient,"
            " eta, created_at, updated_at) VALUES (?2, ?1, 'acme', ?3, ?4, ?5, ?6, '" NOW "', '" NOW
            "') ON CONFLICT (organization_id, tracking_number) DO UPDATE SET"
            " carrier = excluded.carrier, status = excluded.status,"
            " recipient = excluded.recipient, eta = excluded.eta, updated_at = excluded.updated_at",
            -1, &upsert, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        return 1;
    }
    read_file(argv[2]);
    sqlite3_finalize(upsert);
    run("COMMIT");
    printf("%.3f %d\n", bench_milliseconds() - begun, sqlite3_total_changes(db));
    sqlite3_close(db);
    return 0;
}

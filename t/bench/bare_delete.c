/*
 * The yardstick of `make bench`: deletes the records whose ids it reads from a file with one
 * prepared statement, in one durable transaction, and nothing else. Prints the milliseconds from
 * before the database is opened until the commit has returned, and the rows that went.
 *
 * usage: bare_delete DATABASE FILE-WITH-ONE-ID-A-LINE
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_IDS  1000000
#define ID_BYTES 40

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
}

static int read_ids(char (*ids)[ID_BYTES], const char *path)
{
    FILE *file = fopen(path, "r");
    int count = 0;

    if (!file) {
        perror(path);
        exit(1);
    }
    while (count < MAX_IDS && fscanf(file, "%39s", ids[count]) == 1) {
        count++;
    }
    fclose(file);
    return count;
}

int main(int argc, char **argv)
{
    char(*ids)[ID_BYTES] = malloc((size_t)MAX_IDS * ID_BYTES);
    sqlite3_stmt *statement;
    sqlite3 *db;
    double begun;
    int count, i;

    if (argc != 3 || !ids) {
        fprintf(stderr, "usage: bare_delete DATABASE FILE\n");
        return 2;
    }
    count = read_ids(ids, argv[2]);
    begun = milliseconds();
    if (sqlite3_open(argv[1], &db) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        return 1;
    }
    run(db, "PRAGMA journal_mode=WAL");
    run(db, "PRAGMA synchronous=FULL");
    run(db, "BEGIN IMMEDIATE");
    if (sqlite3_prepare_v2(db, "DELETE FROM records WHERE id = ?", -1, &statement, NULL)) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        return 1;
    }
    for (i = 0; i < count; i++) {
        sqlite3_bind_text(statement, 1, ids[i], -1, SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_DONE) {
            fprintf(stderr, "%s\n", sqlite3_errmsg(db));
            return 1;
        }
        sqlite3_reset(statement);
    }
    run(db, "COMMIT");
    printf("%.2f %d\n", milliseconds() - begun, sqlite3_total_changes(db));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    free(ids);
    return 0;
}

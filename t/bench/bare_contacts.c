/*
 * The yardstick of `make bench` for the plainest table on SQLite: reads a body as it would be sent,
 * and does what a batch of its items does to the rows, in one durable transaction, and nothing
 * else.
 *
 *   merge      INSERT … ON CONFLICT (id) DO UPDATE
 *   overwrite  the same; then a walk over all ids beside the sorted ones of the items, and a DELETE
 *              for each one that has none
 *   delete     DELETE by id
 *   sync       as merge, but a transaction for each line of the file
 *
 * Prints the milliseconds from the first byte parsed until the COMMIT has returned, and the rows
 * that were touched; for sync the percentiles 50 and 99 and the longest transaction.
 *
 * usage: bare_contacts DATABASE FILE merge|overwrite|delete|sync
 */
#include <sqlite3.h>

#include "contacts.h"

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
        contact_die(sqlite3_errmsg(db));
    }
    return statement;
}

static void step_each(sqlite3_stmt *statement, const contact_t *contacts, size_t count, int columns)
{
    size_t i;
    int k;

    for (i = 0; i < count; i++) {
        for (k = 0; k < columns; k++) {
            const contact_text_t *text = &contacts[i].columns[k];

            sqlite3_bind_text(statement, k + 1, text->bytes, (int)text->length, SQLITE_STATIC);
        }
        if (sqlite3_step(statement) != SQLITE_DONE) {
            contact_die(sqlite3_errmsg(db));
        }
        sqlite3_reset(statement);
    }
}

static sqlite3_stmt *prepare_upsert(void)
{
    return prepare("INSERT INTO contacts (id, name, email, phone, team, custom)"
                   " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
                   " email = excluded.email, phone = excluded.phone, team = excluded.team,"
                   " custom = excluded.custom");
}

static int by_id(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;

    return strcmp(*a, *b);
}

/* Removes all rows that no item names. */
static void clean_up(const contact_t *contacts, size_t count)
{
    sqlite3_stmt *walk = prepare("SELECT id FROM contacts ORDER BY id");
    sqlite3_stmt *removal = prepare("DELETE FROM contacts WHERE id = ?");
    const char **ids = malloc(count * sizeof(*ids));
    char(*gone)[37] = NULL;
    size_t i, at = 0, number = 0;

    for (i = 0; ids && i < count; i++) {
        ids[i] = contacts[i].columns[CONTACT_ID].bytes;
    }
    qsort(ids, count, sizeof(*ids), by_id);
    while (sqlite3_step(walk) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(walk, 0);
        int order = 1;

        while (at < count && (order = strcmp(ids[at], id)) < 0) {
            at++;
        }
        if (order) {
            gone = number % 1024 ? gone : realloc(gone, (number + 1024) * sizeof(*gone));
            memcpy(gone[number++], id, 37);
        }
    }
    sqlite3_finalize(walk);
    for (i = 0; i < number; i++) {
        sqlite3_bind_text(removal, 1, gone[i], 36, SQLITE_STATIC);
        sqlite3_step(removal);
        sqlite3_reset(removal);
    }
    sqlite3_finalize(removal);
    free(gone);
    free(ids);
}

static void sync_each(char *body)
{
    sqlite3_stmt *upsert = prepare_upsert();
    double *times = calloc(1000, sizeof(*times));
    size_t number = 0, count;

    for (char *line = strtok(body, "\n"); times && line && number < 1000;
         line = strtok(NULL, "\n")) {
        double begun = contact_milliseconds();
        contact_t *contacts = contacts_read(&count, line);

        run("BEGIN IMMEDIATE");
        step_each(upsert, contacts, count, CONTACT_COLUMNS);
        run("COMMIT");
        free(contacts);
        times[number++] = contact_milliseconds() - begun;
    }
    contact_percentiles(times, number);
    putchar('\n');
    sqlite3_finalize(upsert);
    free(times);
}

static void once(char *body, const char *action)
{
    double begun = contact_milliseconds();
    size_t count;
    contact_t *contacts = contacts_read(&count, body);
    int delete = !strcmp(action, "delete"), before = sqlite3_total_changes(db);
    sqlite3_stmt *statement =
        delete ? prepare("DELETE FROM contacts WHERE id = ?") : prepare_upsert();

    run("BEGIN IMMEDIATE");
    step_each(statement, contacts, count, delete ? 1 : CONTACT_COLUMNS);
    if (!strcmp(action, "overwrite")) {
        clean_up(contacts, count);
    }
    sqlite3_finalize(statement);
    run("COMMIT");
    printf("%.3f %d\n", contact_milliseconds() - begun, sqlite3_total_changes(db) - before);
    free(contacts);
}

int main(int argc, char **argv)
{
    size_t length;
    char *body;

    if (argc != 4) {
        contact_die("usage: bare_contacts DATABASE FILE merge|overwrite|delete|sync");
    }
    body = contact_body(&length, argv[2]);
    if (sqlite3_open(argv[1], &db) != SQLITE_OK) {
        contact_die(sqlite3_errmsg(db));
    }
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("PRAGMA cache_size=-65536");
    /* A server that is up has read the table before; ours has. */
    run("SELECT sum(length(custom)) FROM contacts");
    if (!strcmp(argv[3], "sync")) {
        sync_each(body);
    } else {
        once(body, argv[3]);
    }
    sqlite3_close(db);
    return 0;
}

/*
 * The yardstick of `make bench` for the resources API on PostgreSQL: reads items from a file before
 * the clock starts, then merges them into shipments by COPY into a temporary table and one INSERT …
 * ON CONFLICT, in one transaction, and nothing else.
 *
 * Prints the milliseconds from before the connection is opened until the commit has returned, and
 * the rows that were touched.
 *
 * usage: bare_merge_pgsql PARAMS FILE
 * An item is a line of five columns with tabs between them, which is COPY's own notation.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"

static PGconn *connection;

static PGresult *run(const char *sql, ExecStatusType wanted)
{
    PGresult *result = PQexec(connection, sql);

    if (PQresultStatus(result) != wanted) {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(connection));
        exit(1);
    }
    return result;
}

static void command(const char *sql)
{
    PQclear(run(sql, PGRES_COMMAND_OK));
}

/* The items as one text, each with a new id in front. */
static char *copy_text(const bench_item_t *items, int count, size_t *length)
{
    size_t room = 1 << 20;
    char *text = malloc(room);
    int i;

    *length = 0;
    for (i = 0; i < count && text; i++) {
        const char *const *c = (const char *const *)items[i].columns;
        char id[37];

        if (room - *length < 4096) {
            room *= 2;
            text = realloc(text, room);
            if (!text) {
                break;
            }
        }
        bench_uuid(id);
        *length += (size_t)snprintf(text + *length, room - *length, "%s\t%s\t%s\t%s\t%s\t%s\n", id,
                                    c[0], c[1], c[2], c[3], c[4]);
    }
    if (!text) {
        abort();
    }
    return text;
}

static void copy(const char *text, size_t length)
{
    size_t sent = 0;

    while (sent < length) {
        size_t part = length - sent < 65536 ? length - sent : 65536;

        if (PQputCopyData(connection, text + sent, (int)part) != 1) {
            fprintf(stderr, "%s", PQerrorMessage(connection));
            exit(1);
        }
        sent += part;
    }
    if (PQputCopyEnd(connection, NULL) != 1) {
        fprintf(stderr, "%s", PQerrorMessage(connection));
        exit(1);
    }
    PQclear(PQgetResult(connection));
    PQclear(PQgetResult(connection));
}

int main(int argc, char **argv)
{
    bench_item_t *items;
    PGresult *result;
    size_t length;
    double begun;
    char *text;
    int count;

    if (argc != 3) {
        fprintf(stderr, "usage: bare_merge_pgsql PARAMS FILE\n");
        return 2;
    }
    items = bench_read_items(&count, argv[2]);
    begun = bench_milliseconds();
    connection = PQconnectdb(argv[1]);
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(connection));
        return 1;
    }
    command("BEGIN");
    command("CREATE TEMPORARY TABLE incoming (id text, tracking_number text, carrier text,"
            " status text, recipient text, eta text) ON COMMIT DROP");
    text = copy_text(items, count, &length);
    PQclear(run("COPY incoming FROM STDIN", PGRES_COPY_IN));
    copy(text, length);
    result = run("INSERT INTO shipments (id, organization_id, tracking_number, carrier, status,"
                 " recipient, eta, created_at, updated_at) SELECT id, 'acme', tracking_number,"
                 " carrier, status, recipient, eta, '2024-05-01T00:00:00Z', '2024-05-01T00:00:00Z'"
                 " FROM incoming ON CONFLICT (organization_id, tracking_number) DO UPDATE SET"
                 " carrier = excluded.carrier, status = excluded.status,"
                 " recipient = excluded.recipient, eta = excluded.eta,"
                 " updated_at = excluded.updated_at",
                 PGRES_COMMAND_OK);
    command("COMMIT");
    printf("%.2f %s\n", bench_milliseconds() - begun, PQcmdTuples(result));
    PQclear(result);
    PQfinish(connection);
    free(text);
    free(items);
    return 0;
}

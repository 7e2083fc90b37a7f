/*
 * The yardstick of `make bench` for the plainest table on PostgreSQL: reads a body as it would be
 * sent, and does what a batch of its items does to the rows, in one transaction, and nothing else.
 *
 *   merge      COPY into a temporary table, and one INSERT … ON CONFLICT (id) DO UPDATE; a CSV file
 *              goes into the COPY as it is
 *   overwrite  the same, and before it a DELETE of what the temporary table has not
 *   delete     one DELETE … WHERE id = ANY
 *   sync       one INSERT … ON CONFLICT of ten rows for each line of the file
 *
 * Prints the milliseconds from the first byte parsed until the COMMIT has returned, and the rows
 * that were touched; for sync the percentiles 50 and 99 and the longest transaction.
 *
 * usage: bare_contacts_pgsql PARAMS FILE merge|overwrite|delete|sync
 */
#include <libpq-fe.h>

#include "contacts.h"

#define UPDATES                                                                                    \
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,"                \
    " phone = excluded.phone, team = excluded.team, custom = excluded.custom"

static PGconn *connection;

/* The rows that the command has touched. */
static long checked(PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    long touched = strtol(PQcmdTuples(result), NULL, 10);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN) {
        contact_die(PQerrorMessage(connection));
    }
    PQclear(result);
    return touched;
}

static long run(const char *sql)
{
    return checked(PQexec(connection, sql));
}

static void send_bytes(const char *bytes, size_t length)
{
    size_t at, part;

    for (at = 0; at < length; at += part) {
        part = length - at < 65536 ? length - at : 65536;
        if (PQputCopyData(connection, bytes + at, (int)part) != 1) {
            contact_die(PQerrorMessage(connection));
        }
    }
}

static void end_copy(void)
{
    PGresult *result;

    if (PQputCopyEnd(connection, NULL) != 1) {
        contact_die(PQerrorMessage(connection));
    }
    while ((result = PQgetResult(connection))) {
        checked(result);
    }
}

/* A column in COPY's notation. */
static char *put_column(char *to, const contact_text_t *text)
{
    size_t i;

    for (i = 0; i < text->length; i++) {
        char byte = text->bytes[i];

        if (byte == '\\' || byte == '\n' || byte == '\t' || byte == '\r') {
            *to++ = '\\';
            byte = byte == '\n' ? 'n' : byte == '\t' ? 't' : byte == '\r' ? 'r' : byte;
        }
        *to++ = byte;
    }
    return to;
}

static void copy_json(char *body)
{
    static char text[256 * 1024];
    size_t count, i;
    contact_t *contacts = contacts_read(&count, body);
    char *to = text;
    int k;

    run("COPY incoming FROM STDIN");
    for (i = 0; i < count; i++) {
        for (k = 0; k < CONTACT_COLUMNS; k++) {
            to = put_column(to, &contacts[i].columns[k]);
            *to++ = k == CONTACT_CUSTOM ? '\n' : '\t';
        }
        if (to - text > 65536 || i + 1 == count) {
            send_bytes(text, (size_t)(to - text));
            to = text;
        }
    }
    end_copy();
    free(contacts);
}

static long merge(char *body, size_t length, int overwrite)
{
    long touched = 0;

    run("CREATE TEMPORARY TABLE incoming (id uuid, name text, email text, phone text, team text,"
        " custom jsonb) ON COMMIT DROP");
    if (!strncmp(body, "id,", 3)) {
        run("COPY incoming FROM STDIN (FORMAT csv, HEADER)");
        send_bytes(body, length);
        end_copy();
    } else {
        copy_json(body);
    }
    if (overwrite) {
        touched = run("DELETE FROM contacts c"
                      " WHERE NOT EXISTS (SELECT FROM incoming i WHERE i.id = c.id)");
    }
    return touched + run("INSERT INTO contacts (id, name, email, phone, team, custom)"
                         " SELECT id, name, email, phone, team, custom FROM incoming" UPDATES);
}

static long delete_all(char *body)
{
    size_t count, i;
    contact_t *contacts = contacts_read(&count, body);
    char *array = malloc(count * 37 + 2), *to = array;
    const char *values[1] = {array};

    for (i = 0; array && i < count; i++) {
        *to++ = i ? ',' : '{';
        memcpy(to, contacts[i].columns[CONTACT_ID].bytes, 36);
        to += 36;
    }
    memcpy(to, "}", 2);
    free(contacts);
    return checked(PQexecParams(connection, "DELETE FROM contacts WHERE id = ANY($1::uuid[])", 1,
                                NULL, values, NULL, NULL, 0));
}

/* One statement for ten rows. */
static void prepare_ten(void)
{
    char sql[2048];
    int at, row;

    at = snprintf(sql, sizeof(sql),
                  "INSERT INTO contacts (id, name, email, phone, team, custom) VALUES ");
    for (row = 0; row < 10; row++) {
        int n = row * CONTACT_COLUMNS;

        at += snprintf(sql + at, sizeof(sql) - (size_t)at, "%s($%d, $%d, $%d, $%d, $%d, $%d)",
                       row ? ", " : "", n + 1, n + 2, n + 3, n + 4, n + 5, n + 6);
    }
    snprintf(sql + at, sizeof(sql) - (size_t)at, UPDATES);
    checked(PQprepare(connection, "ten", sql, 0, NULL));
}

static void sync_each(char *body)
{
    double *times = calloc(1000, sizeof(*times));
    size_t number = 0, count, i;

    prepare_ten();
    for (char *line = strtok(body, "\n"); times && line && number < 1000;
         line = strtok(NULL, "\n")) {
        const char *values[10 * CONTACT_COLUMNS];
        int lengths[10 * CONTACT_COLUMNS];
        double begun = contact_milliseconds();
        contact_t *contacts = contacts_read(&count, line);

        for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            contact_text_t *text = &contacts[i / CONTACT_COLUMNS].columns[i % CONTACT_COLUMNS];

            text->bytes[text->length] = '\0';
            values[i] = text->bytes;
            lengths[i] = (int)text->length;
        }
        checked(PQexecPrepared(connection, "ten", 10 * CONTACT_COLUMNS, values, lengths, NULL, 0));
        free(contacts);
        times[number++] = contact_milliseconds() - begun;
    }
    contact_percentiles(times, number);
    putchar('\n');
    free(times);
}

int main(int argc, char **argv)
{
    size_t length;
    double begun;
    long touched;
    char *body;

    if (argc != 4) {
        contact_die("usage: bare_contacts_pgsql PARAMS FILE merge|overwrite|delete|sync");
    }
    body = contact_body(&length, argv[2]);
    connection = PQconnectdb(argv[1]);
    if (PQstatus(connection) != CONNECTION_OK) {
        contact_die(PQerrorMessage(connection));
    }
    if (!strcmp(argv[3], "sync")) {
        sync_each(body);
    } else {
        begun = contact_milliseconds();
        run("BEGIN");
        touched = strcmp(argv[3], "delete") ? merge(body, length, !strcmp(argv[3], "overwrite"))
                                            : delete_all(body);
        run("COMMIT");
        printf("%.3f %ld\n", contact_milliseconds() - begun, touched);
    }
    PQfinish(connection);
    return 0;
}

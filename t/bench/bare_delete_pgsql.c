/*
 * The yardstick of `make bench` on PostgreSQL: deletes the records whose ids it reads from a file
 * with one statement, in one transaction, and nothing else. Prints the milliseconds from before the
 * connection is opened until the commit has returned, and the rows that went.
 *
 * usage: bare_delete_pgsql PARAMS FILE-WITH-ONE-ID-A-LINE
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The ids as an array in PostgreSQL's notation; no id has a quote or a comma in it. */
static char *read_ids(const char *path)
{
    FILE *file = fopen(path, "r");
    char id[64];
    char *array;
    size_t length = 1, room = 1 << 20;

    array = malloc(room);
    if (!file || !array) {
        perror(path);
        exit(1);
    }
    array[0] = '{';
    while (fscanf(file, "%63s", id) == 1) {
        if (length + sizeof(id) + 2 > room) {
            room *= 2;
            array = realloc(array, room);
            if (!array) {
                abort();
            }
        }
        length += (size_t)sprintf(array + length, "%s%s", length > 1 ? "," : "", id);
    }
    strcpy(array + length, "}");
    fclose(file);
    return array;
}

static PGresult *checked(PGconn *connection, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s", PQerrorMessage(connection));
        exit(1);
    }
    return result;
}

int main(int argc, char **argv)
{
    const char *values[1];
    PGconn *connection;
    PGresult *result;
    double begun;

    if (argc != 3) {
        fprintf(stderr, "usage: bare_delete_pgsql PARAMS FILE\n");
        return 2;
    }
    values[0] = read_ids(argv[2]);
    begun = milliseconds();
    connection = PQconnectdb(argv[1]);
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(connection));
        return 1;
    }
    PQclear(checked(connection, PQexec(connection, "BEGIN")));
    result = checked(connection,
                     PQexecParams(connection, "DELETE FROM records WHERE id = ANY($1::text[])", 1,
                                  NULL, values, NULL, NULL, 0));
    PQclear(checked(connection, PQexec(connection, "COMMIT")));
    printf("%.2f %s\n", milliseconds() - begun, PQcmdTuples(result));
    PQclear(result);
    PQfinish(connection);
    free((void *)values[0]);
    return 0;
}

/*
 * Clients of `make bench`: each sends the lines of a file as bodies of POST /batches, one after the
 * other on a connection that stays, for some seconds.
 *
 * Prints the percentiles 50 and 99 and the longest time in ms from the first byte sent to the last
 * of the answer, the answers a second, and how many were no 201.
 *
 * usage: clients PORT FILE SECONDS CLIENTS
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contacts.h"

#define MOST_CLIENTS 64
#define MOST_TIMES   1000000
#define MOST_LINES   1000

typedef struct client {
    char answer[16384];
    size_t length;
    double begun;
} client_t;

static client_t clients[MOST_CLIENTS];
static struct pollfd polled[MOST_CLIENTS];
static char *requests[MOST_LINES];
static size_t lines, next_line, times_count;
static double *times;
static long bad;

static void read_requests(char *body)
{
    for (char *line = strtok(body, "\n"); line && lines < MOST_LINES; line = strtok(NULL, "\n")) {
        size_t length = strlen(line);

        requests[lines] = malloc(length + 256);
        if (!requests[lines]) {
            contact_die("no memory");
        }
        sprintf(requests[lines++],
                "POST /batches HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                "Content-Length: %zu\r\n\r\n%s",
                length, line);
    }
}

static void open_connection(int number, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int yes = 1;

    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    polled[number].events = POLLIN;
    polled[number].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (polled[number].fd < 0 ||
        connect(polled[number].fd, (struct sockaddr *)&address, sizeof(address)) ||
        setsockopt(polled[number].fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes))) {
        contact_die("no connection");
    }
}

static void send_next(int number)
{
    const char *request = requests[next_line++ % lines];
    size_t length = strlen(request);

    clients[number].length = 0;
    clients[number].begun = contact_milliseconds();
    if (write(polled[number].fd, request, length) != (ssize_t)length) {
        contact_die("the server does not take a request");
    }
}

/* Whether the answer has come as a whole. */
static int is_complete(client_t *client)
{
    const char *end, *length;

    client->answer[client->length] = '\0';
    end = strstr(client->answer, "\r\n\r\n");
    length = strcasestr(client->answer, "\r\nContent-Length: ");
    return end && length &&
           client->length >= (size_t)(end + 4 - client->answer) + strtoul(length + 18, NULL, 10);
}

static void receive(int number)
{
    client_t *client = &clients[number];
    ssize_t got = read(polled[number].fd, client->answer + client->length,
                       sizeof(client->answer) - 1 - client->length);

    if (got <= 0) {
        contact_die("the server closed a connection");
    }
    client->length += (size_t)got;
    if (!is_complete(client)) {
        return;
    }
    if (times_count < MOST_TIMES) {
        times[times_count++] = contact_milliseconds() - client->begun;
    }
    bad += strncmp(client->answer, "HTTP/1.1 201", 12) != 0;
    send_next(number);
}

int main(int argc, char **argv)
{
    size_t length;
    double begun, seconds;
    int count, i;

    if (argc != 5) {
        contact_die("usage: clients PORT FILE SECONDS CLIENTS");
    }
    read_requests(contact_body(&length, argv[2]));
    seconds = strtod(argv[3], NULL);
    count = (int)strtol(argv[4], NULL, 10);
    times = malloc(MOST_TIMES * sizeof(*times));
    if (!lines || !times || count < 1 || count > MOST_CLIENTS) {
        contact_die("no bodies, no memory, or too many clients");
    }
    for (i = 0; i < count; i++) {
        open_connection(i, (int)strtol(argv[1], NULL, 10));
        send_next(i);
    }
    begun = contact_milliseconds();
    while (contact_milliseconds() - begun < seconds * 1e3) {
        poll(polled, (nfds_t)count, 100);
        for (i = 0; i < count; i++) {
            if (polled[i].revents) {
                receive(i);
            }
        }
    }
    begun = contact_milliseconds() - begun;
    contact_percentiles(times, times_count);
    printf(" %.1f %ld\n", (double)times_count * 1e3 / begun, bad);
    return 0;
}

/*
 * A way to a PostgreSQL server on which connections can be lost in the middle of a COMMIT: it takes
 * connections on a socket in a folder of its own and passes on what it gets.
 */
#ifndef BATCH_TEST_PROXY_H
#define BATCH_TEST_PROXY_H

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/** What becomes of the next COMMIT. After it all is passed on again. */
typedef enum {
    PROXY_PASS,
    PROXY_BEFORE, /* the connection ends before the server hears of it */
    PROXY_AFTER,  /* it ends when the server has committed, before the client hears of it */
    PROXY_LATE    /* the client loses it, and only then the server hears of it */
} proxy_mode_e;

typedef struct proxy {
    char folder[90];  /* host= of the clients */
    char server[108]; /* the server's socket */
    int listener;
    int mode;        /* proxy_mode_e */
    int passes;      /* COMMITs that are passed on before that one */
    int round_trips; /* Syncs that clients have sent */
    int lost;        /* COMMITs that became something else than passed on */
} proxy_t;

typedef struct proxy_connection {
    proxy_t *proxy;
    int client, server;
} proxy_connection_t;

static inline int proxy_count(const char *bytes, size_t length, const char *what, size_t size)
{
    const char *at = bytes;
    int count = 0;

    while ((at = memmem(at, length - (size_t)(at - bytes), what, size)) != NULL) {
        at += size;
        count++;
    }
    return count;
}

static inline int proxy_send(int fd, const char *bytes, ssize_t length)
{
    while (length > 0) {
        ssize_t sent = write(fd, bytes, (size_t)length);
        if (sent <= 0) {
            return 0;
        }
        bytes += sent;
        length -= sent;
    }
    return 1;
}

/* Waits until the server says that it has committed. */
static inline void proxy_await_commit(int server)
{
    char bytes[65536];
    ssize_t length;

    do {
        length = read(server, bytes, sizeof(bytes));
    } while (length > 0 && !memmem(bytes, (size_t)length, "COMMIT", 7));
}

/* 0: the connection is lost. */
static inline int proxy_commit(const proxy_connection_t *connection, const char *bytes,
                               ssize_t length)
{
    int passes = __atomic_load_n(&connection->proxy->passes, __ATOMIC_SEQ_CST);
    int mode = passes ? PROXY_PASS
                      : __atomic_exchange_n(&connection->proxy->mode, PROXY_PASS, __ATOMIC_SEQ_CST);

    if (passes) {
        __atomic_sub_fetch(&connection->proxy->passes, 1, __ATOMIC_SEQ_CST);
    }
    if (mode == PROXY_PASS) {
        return proxy_send(connection->server, bytes, length);
    }
    __atomic_add_fetch(&connection->proxy->lost, 1, __ATOMIC_SEQ_CST);
    if (mode == PROXY_LATE) {
        shutdown(connection->client, SHUT_RDWR);
        usleep(300000);
    }
    if (mode != PROXY_BEFORE && proxy_send(connection->server, bytes, length)) {
        proxy_await_commit(connection->server);
    }
    return 0;
}

static inline int proxy_pass(const proxy_connection_t *connection, int from_client)
{
    char bytes[65536];
    ssize_t length =
        read(from_client ? connection->client : connection->server, bytes, sizeof(bytes));

    if (length <= 0) {
        return 0;
    }
    if (!from_client) {
        return proxy_send(connection->client, bytes, length);
    }
    __atomic_add_fetch(&connection->proxy->round_trips,
                       proxy_count(bytes, (size_t)length, "S\0\0\0\4", 5), __ATOMIC_SEQ_CST);
    if (memmem(bytes, (size_t)length, "\0COMMIT", 8)) {
        return proxy_commit(connection, bytes, length);
    }
    return proxy_send(connection->server, bytes, length);
}

static inline void *proxy_serve(void *data)
{
    proxy_connection_t *connection = data;
    struct pollfd fds[2] = {{connection->client, POLLIN, 0}, {connection->server, POLLIN, 0}};
    int good = 1;

    while (good && poll(fds, 2, -1) > 0) {
        if (fds[0].revents) {
            good = proxy_pass(connection, 1);
        }
        if (good && fds[1].revents) {
            good = proxy_pass(connection, 0);
        }
    }
    close(connection->client);
    close(connection->server);
    free(connection);
    return NULL;
}

static inline int proxy_socket(struct sockaddr_un *address, const char *path)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static inline void *proxy_accept(void *data)
{
    proxy_t *proxy = data;
    int client;

    while ((client = accept(proxy->listener, NULL, NULL)) >= 0) {
        proxy_connection_t *connection = malloc(sizeof(*connection));
        struct sockaddr_un address;
        pthread_t thread;

        connection->proxy = proxy;
        connection->client = client;
        connection->server = proxy_socket(&address, proxy->server);
        if (connect(connection->server, (struct sockaddr *)&address, sizeof(address))) {
            close(client);
            close(connection->server);
            free(connection);
            continue;
        }
        pthread_create(&thread, NULL, proxy_serve, connection);
        pthread_detach(thread);
    }
    return NULL;
}

/** Starts a proxy in folder (made) in front of the server whose socket is in server. */
static inline void proxy_start(proxy_t *proxy, const char *folder, const char *server)
{
    struct sockaddr_un address;
    char path[108];
    pthread_t thread;

    memset(proxy, 0, sizeof(*proxy));
    mkdir(folder, 0700);
    snprintf(proxy->folder, sizeof(proxy->folder), "%s", folder);
    snprintf(proxy->server, sizeof(proxy->server), "%s/.s.PGSQL.5432", server);
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", folder);
    proxy->listener = proxy_socket(&address, path);
    if (bind(proxy->listener, (struct sockaddr *)&address, sizeof(address)) ||
        listen(proxy->listener, 16)) {
        abort();
    }
    pthread_create(&thread, NULL, proxy_accept, proxy);
    pthread_detach(thread);
}

#endif

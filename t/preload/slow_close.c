/*
 * For t/stop_connections.t, preloaded into httpd: the main thread of a process is slow, as it may
 * be on a busy machine, between taking the socket of a connection from a list and looking at it.
 */
#include <dlfcn.h>
#include <unistd.h>

#define DELAY_MICROSECONDS 20000

typedef struct apr_socket_t apr_socket_t;

int apr_os_sock_get(int *descriptor, apr_socket_t *socket);
int apr_socket_close(apr_socket_t *socket);

static void delay(void)
{
    if (gettid() == getpid()) {
        usleep(DELAY_MICROSECONDS);
    }
}

/* What event calls first when it closes the sockets of a child. */
int apr_os_sock_get(int *descriptor, apr_socket_t *socket)
{
    int (*real)(int *, apr_socket_t *) = dlsym(RTLD_NEXT, "apr_os_sock_get");

    delay();
    return real(descriptor, socket);
}

/* What worker calls. */
int apr_socket_close(apr_socket_t *socket)
{
    int (*real)(apr_socket_t *) = dlsym(RTLD_NEXT, "apr_socket_close");

    delay();
    return real(socket);
}

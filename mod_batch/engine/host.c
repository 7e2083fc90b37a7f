#include "engine/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_network_io.h>
#include <apr_strings.h>

/* Longer than any line of /proc/PID/stat: its name field has 16 bytes, the numbers 20 digits. */
#define STAT_BYTES 2048

/* Reads a small file of /proc; returns 0 and a NUL-terminated text, or errno. */
static int read_file(char *text, size_t size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;
    int problem;

    if (fd < 0) {
        return errno;
    }
    do {
        got = read(fd, text, size - 1);
    } while (got < 0 && errno == EINTR);
    problem = got < 0 ? errno : 0;
    close(fd);
    text[got < 0 ? 0 : got] = '\0';
    return problem;
}

/*
 * The state letter and the start time from a line of /proc/PID/stat (proc(5)): fields 3 and 22. The
 * name in field 2 may have any bytes, so we count from its last parenthesis.
 */
static int parse_stat(char *state, apr_int64_t *start_time, const char *text)
{
    const char *field = strrchr(text, ')');
    int number;

    if (!field || field[1] != ' ' || !field[2]) {
        return 0;
    }
    field += 2;
    *state = *field;
    for (number = 3; number < 22; number++) {
        field = strchr(field, ' ');
        if (!field) {
            return 0;
        }
        field++;
    }
    *start_time = (apr_int64_t)strtoll(field, NULL, 10);
    return 1;
}

static int read_stat(char *state, apr_int64_t *start_time, apr_int64_t pid)
{
    char path[64];
    char text[STAT_BYTES];

    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    return !read_file(text, sizeof(text), path) && parse_stat(state, start_time, text);
}

apr_status_t batch_host_self(batch_owner_t *self, apr_pool_t *p)
{
    char boot[STAT_BYTES];
    char namespace[STAT_BYTES];
    char state;
    ssize_t length = readlink("/proc/self/ns/pid", namespace, sizeof(namespace) - 1);

    namespace[length < 0 ? 0 : length] = '\0';
    if (read_file(boot, sizeof(boot), "/proc/sys/kernel/random/boot_id")) {
        /* No boot id: the host's name still keeps machines apart; leases do the rest. */
        apr_status_t rv = apr_gethostname(boot, sizeof(boot), p);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    boot[strcspn(boot, "\n")] = '\0';
    self->host = apr_pstrcat(p, boot, "/", namespace, NULL);
    self->pid = getpid();
    if (!read_stat(&state, &self->start_time, self->pid)) {
        self->start_time = 0;
    }
    return APR_SUCCESS;
}

int batch_host_process_gone(apr_int64_t pid, apr_int64_t start_time)
{
    apr_int64_t started;
    char state;

    if (pid <= 0) {
        return 1;
    }
    if (kill((pid_t)pid, 0) && errno == ESRCH) {
        return 1;
    }
    if (!read_stat(&state, &started, pid)) {
        return 0;
    }
    return state == 'Z' || state == 'X' ||
           (start_time && (apr_uint32_t)started != (apr_uint32_t)start_time);
}

int batch_host_owner_gone(const batch_owner_t *owner, const batch_owner_t *self)
{
    if (!owner->host || strcmp(owner->host, self->host)) {
        return 0;
    }
    return batch_host_process_gone(owner->pid, owner->start_time);
}

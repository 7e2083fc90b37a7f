/*
 * For t/power_loss.t, preloaded into httpd: keeps beside the SQLite database, and beside its log,
 * a copy of what is certain to be on disk, FILE.disk. That is what the file was when it was last
 * synchronized; nothing that was only written is in it. Synchronizing takes its time, so that the
 * test sees whoever does not wait for it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MOST          4096
#define DELAY_MICROSECONDS 200000

static void copy_bytes(int from, int to)
{
    char bytes[65536];
    off_t offset = 0;
    ssize_t count;

    while ((count = pread(from, bytes, sizeof(bytes), offset)) > 0) {
        if (pwrite(to, bytes, (size_t)count, offset) != count) {
            abort();
        }
        offset += count;
    }
}

/* By another name first: a process that is killed meanwhile leaves the last copy as it was. */
static void keep(int descriptor)
{
    char link[64], path[NAME_MOST], copy[NAME_MOST + 8], unfinished[NAME_MOST + 32];
    ssize_t length;
    int to;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof(path) - 1);
    if (length < 0) {
        return;
    }
    path[length] = '\0';
    if (!strstr(path, "batch.db")) {
        return;
    }
    snprintf(copy, sizeof(copy), "%s.disk", path);
    snprintf(unfinished, sizeof(unfinished), "%s.%d.%d", copy, (int)getpid(), (int)gettid());
    to = open(unfinished, O_CREAT | O_TRUNC | O_RDWR, 0600);
    if (to < 0) {
        abort();
    }
    copy_bytes(descriptor, to);
    close(to);
    if (rename(unfinished, copy) != 0) {
        abort();
    }
}

static int synchronize(const char *function, int descriptor)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    int result, error;

    usleep(DELAY_MICROSECONDS);
    result = real(descriptor);
    error = errno;

    if (result == 0) {
        keep(descriptor);
    }
    errno = error;
    return result;
}

int fdatasync(int descriptor)
{
    return synchronize("fdatasync", descriptor);
}

int fsync(int descriptor)
{
    return synchronize("fsync", descriptor);
}

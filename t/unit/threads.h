/* The threads of a test program. */
#ifndef BATCH_TEST_THREADS_H
#define BATCH_TEST_THREADS_H

#include <dirent.h>

#include <apr_time.h>

static int count_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    int count = 0;

    while (directory && readdir(directory)) {
        count++;
    }
    if (directory) {
        closedir(directory);
    }
    return count;
}

/* A thread that was joined is seen for a moment yet. The number once it is that, or after 10 s. */
static int threads_in_the_end(int wanted)
{
    int i, count = count_threads();

    for (i = 0; i < 1000 && count != wanted; i++) {
        apr_sleep(apr_time_from_msec(10));
        count = count_threads();
    }
    return count;
}

#endif

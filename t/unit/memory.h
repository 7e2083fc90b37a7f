/* How much memory the process has, for tests of bounds. */
#ifndef BATCH_MEMORY_H
#define BATCH_MEMORY_H

#include <stdio.h>
#include <unistd.h>

/** Resident memory of this process in bytes; 0 where the system does not tell. */
static inline long resident_bytes(void)
{
    long size = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file) {
        if (fscanf(file, "%ld %ld", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident * sysconf(_SC_PAGESIZE);
}

#endif

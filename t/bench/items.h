/* What the bare programs of `make bench` share: the items that they read, and a clock. */
#ifndef BATCH_BENCH_ITEMS_H
#define BATCH_BENCH_ITEMS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_COLUMNS 5

typedef struct bench_item {
    char *columns[BENCH_COLUMNS];
} bench_item_t;

static inline double bench_milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A new UUID that is greater than those before it, as the server makes one for each new row. */
static inline void bench_uuid(char *id)
{
    static unsigned number;

    snprintf(id, 37, "018f0000-%04x-7000-a%03x-%08x%04x", number >> 16, number >> 4 & 0xfff,
             (unsigned)random(), number & 0xffff);
    number++;
}

/* All lines of the file, cut at their tabs; what it allocates is kept until the end. */
static inline bench_item_t *bench_read_items(int *count, const char *path)
{
    FILE *file = fopen(path, "r");
    bench_item_t *items = NULL;
    char *line = NULL;
    size_t room = 0;
    int most = 0;

    *count = 0;
    if (!file) {
        perror(path);
        exit(1);
    }
    while (getline(&line, &room, file) > 0) {
        char *rest = line;
        int i;

        if (*count == most) {
            most = most ? 2 * most : 1024;
            items = realloc(items, sizeof(*items) * (size_t)most);
            if (!items) {
                abort();
            }
        }
        line[strcspn(line, "\n")] = '\0';
        for (i = 0; i < BENCH_COLUMNS; i++) {
            items[*count].columns[i] = strsep(&rest, "\t");
        }
        (*count)++;
        line = NULL;
        room = 0;
    }
    free(line);
    fclose(file);
    return items;
}

static inline int bench_by_number(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

static inline double bench_median(double *numbers, int count)
{
    if (!count) {
        return 0;
    }
    qsort(numbers, (size_t)count, sizeof(*numbers), bench_by_number);
    return numbers[count / 2];
}

#endif

/*
 * Runs a fuzz target, without libFuzzer, on the files that are given: the corpus as a regression
 * test. Linked with one fuzz_NAME.c; speaks TAP. A target that is not content aborts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Runs the target on one file. Returns 0 if the file cannot be read. */
static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;
    int done = 0;

    if (!file) {
        return 0;
    }
    if (!fseek(file, 0, SEEK_END)) {
        size = ftell(file);
    }
    if (size < 0 || fseek(file, 0, SEEK_SET)) {
        goto cleanup;
    }
    data = malloc(size ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
        goto cleanup;
    }
    LLVMFuzzerTestOneInput(data, (size_t)size);
    done = 1;

cleanup:
    free(data);
    fclose(file);
    return done;
}

int main(int argc, char **argv)
{
    int failed = 0;

    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        int done = replay(argv[i]);

        printf("%sok %d - %s\n", done ? "" : "not ", i, argv[i]);
        fflush(stdout);
        failed += !done;
    }
    /* A corpus that is not there must not pass. */
    return failed || argc < 2;
}

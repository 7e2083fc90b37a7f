#include "text/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* By nothing but the system: the memory may be damaged, and a lock of the log be held. */
void batch_check_failed(const char *object, const char *wanted, const char *file, int line)
{
    char text[512];
    size_t length;

    snprintf(text, sizeof(text),
             "MB0601: mod_batch ends this process: %s is no %s (%s, line %d): a mistake of the "
             "module, or damaged memory\n",
             object, wanted, file, line);
    length = strlen(text);
    if (write(STDERR_FILENO, text, length) != (ssize_t)length) {
        abort(); /* nobody can be told */
    }
    abort();
}

#include "store/library_memory.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static batch_library_memory_t all;

void batch_library_memory_set(batch_library_memory_t *mine, apr_int64_t least, apr_int64_t most)
{
    pthread_mutex_lock(&mutex);
    all.least += least - mine->least;
    all.most += most - mine->most;
    pthread_mutex_unlock(&mutex);
    mine->least = least;
    mine->most = most;
}

batch_library_memory_t batch_library_memory(void)
{
    batch_library_memory_t now;

    pthread_mutex_lock(&mutex);
    now = all;
    pthread_mutex_unlock(&mutex);
    return now;
}

#include "query/share.h"

#include <pthread.h>

#include <sqlite3.h>

#include "store/library_memory.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int running;
static sqlite3_int64
    before; /* what others than the store had when there was none of them, or more */

void batch_share_enter(void)
{
    pthread_mutex_lock(&mutex);
    if (!running++) {
        before = sqlite3_memory_used() - batch_library_memory().least;
    }
    pthread_mutex_unlock(&mutex);
}

void batch_share_leave(void)
{
    pthread_mutex_lock(&mutex);
    running--;
    pthread_mutex_unlock(&mutex);
}

batch_share_e batch_share_look(apr_int64_t limit)
{
    sqlite3_int64 taken;
    int sharing;

    pthread_mutex_lock(&mutex);
    sharing = running;
    taken = sqlite3_memory_used() - batch_library_memory().most - before;
    pthread_mutex_unlock(&mutex);
    if (taken / (sharing ? sharing : 1) <= limit) {
        return BATCH_SHARE_GOOD;
    }
    return sharing > 1 ? BATCH_SHARE_OURS : BATCH_SHARE_MINE;
}

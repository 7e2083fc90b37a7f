#include "engine/ahead.h"
#include "engine/thread.h"
#include "text/check.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

/* Whose turn it is. */
typedef enum {
    RESTS,  /* the caller's: no step was asked for, or its result was fetched */
    ASKED,  /* the thread's: a step is to be done, or under way */
    DONE,   /* the caller's: there is a result */
    TO_END, /* the thread is to end */
} stage_e;

struct batch_ahead {
    unsigned magic;
#define AHEAD_MAGIC 0xf5f28367u
    batch_ahead_fn *fn;
    void *baton;
    apr_thread_t *thread; /* NULL: it has ended */
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *changed;
    stage_e stage;       /* under the mutex, as the next */
    apr_status_t result; /* of the last step */
};

static void *APR_THREAD_FUNC thread_main(apr_thread_t *thread, void *baton)
{
    batch_ahead_t *ahead = BATCH_CAST(batch_ahead_t, baton, AHEAD_MAGIC);
    apr_status_t result;

    (void)thread;
    apr_thread_mutex_lock(ahead->mutex);
    while (ahead->stage != TO_END) {
        if (ahead->stage != ASKED) {
            apr_thread_cond_wait(ahead->changed, ahead->mutex);
            continue;
        }
        apr_thread_mutex_unlock(ahead->mutex);
        result = ahead->fn(ahead->baton);
        apr_thread_mutex_lock(ahead->mutex);
        ahead->result = result;
        ahead->stage = ahead->stage == ASKED ? DONE : ahead->stage;
        apr_thread_cond_broadcast(ahead->changed);
    }
    apr_thread_mutex_unlock(ahead->mutex);
    return NULL;
}

static void change_stage(batch_ahead_t *ahead, stage_e stage)
{
    apr_thread_mutex_lock(ahead->mutex);
    ahead->stage = stage;
    apr_thread_cond_broadcast(ahead->changed);
    apr_thread_mutex_unlock(ahead->mutex);
}

void batch_ahead_end(batch_ahead_t *ahead)
{
    apr_status_t ignored;

    if (ahead && ahead->thread) {
        change_stage(ahead, TO_END);
        apr_thread_join(&ignored, ahead->thread);
        ahead->thread = NULL;
    }
}

static apr_status_t end_thread(void *baton)
{
    batch_ahead_end(baton);
    return APR_SUCCESS;
}

apr_status_t batch_ahead_make(batch_ahead_t **ahead, batch_ahead_fn *fn, void *baton, apr_pool_t *p)
{
    batch_ahead_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, p);

    made->magic = AHEAD_MAGIC;
    made->fn = fn;
    made->baton = baton;
    made->stage = RESTS;
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&made->changed, p);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_thread_start(&made->thread, thread_main, made, p);
    }
    if (rv == APR_SUCCESS) {
        /* Before the pools below p, in which the step may have its memory. */
        apr_pool_pre_cleanup_register(p, made, end_thread);
        *ahead = made;
    }
    return rv;
}

void batch_ahead_start(batch_ahead_t *ahead)
{
    change_stage(ahead, ASKED);
}

int batch_ahead_is_done(batch_ahead_t *ahead)
{
    int is_done;

    apr_thread_mutex_lock(ahead->mutex);
    is_done = ahead->stage != ASKED;
    apr_thread_mutex_unlock(ahead->mutex);
    return is_done;
}

apr_status_t batch_ahead_wait(batch_ahead_t *ahead)
{
    apr_status_t result;

    apr_thread_mutex_lock(ahead->mutex);
    while (ahead->stage == ASKED) {
        apr_thread_cond_wait(ahead->changed, ahead->mutex);
    }
    ahead->stage = RESTS;
    result = ahead->result;
    apr_thread_mutex_unlock(ahead->mutex);
    return result;
}

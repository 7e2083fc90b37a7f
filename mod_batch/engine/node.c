#include "engine/node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <apr_atomic.h>
#include <apr_shm.h>

#include "engine/host.h"
#include "text/check.h"

/* Who holds it, as the pid and start time of the worker's process, or 0; and its threads at work.
 */
struct slot {
    volatile apr_uint64_t holder;
    volatile apr_uint32_t load;
};

/* In memory shared by the children. */
struct shared {
    volatile apr_uint64_t polled_at;  /* milliseconds since the epoch */
    volatile apr_uint64_t cleaned_at; /* the same */
    batch_outages_t outages;
    struct slot slots[];
};

struct batch_node {
    unsigned magic;
#define NODE_MAGIC 0x1c9e63dbu
    struct shared *shared;
    batch_writers_t *writers; /* behind it, in the same memory */
    int slot_count;
    int wake[2]; /* pipes: read and write end */
    int vacancy[2];
};

/* A pid has at most 22 bits on Linux; of the start time 32 bits tell processes of one pid apart. */
static apr_uint64_t slot_word(const batch_owner_t *owner)
{
    return ((apr_uint64_t)owner->pid << 32) | (apr_uint32_t)owner->start_time;
}

static int slot_owner_gone(apr_uint64_t word)
{
    return batch_host_process_gone((apr_int64_t)(word >> 32), (apr_uint32_t)word);
}

static apr_status_t close_pipes(void *data)
{
    batch_node_t *node = BATCH_CAST(batch_node_t, data, NODE_MAGIC);

    close(node->wake[0]);
    close(node->wake[1]);
    close(node->vacancy[0]);
    close(node->vacancy[1]);
    return APR_SUCCESS;
}

static apr_status_t make_pipes(batch_node_t *node)
{
    apr_status_t rv;

    if (pipe2(node->wake, O_NONBLOCK | O_CLOEXEC)) {
        return errno;
    }
    if (pipe2(node->vacancy, O_NONBLOCK | O_CLOEXEC)) {
        rv = errno;
        close(node->wake[0]);
        close(node->wake[1]);
        return rv;
    }
    return APR_SUCCESS;
}

apr_status_t batch_node_create(batch_node_t **node, int workers, batch_error_t *err, apr_pool_t *p)
{
    apr_size_t before =
        APR_ALIGN_DEFAULT(sizeof(struct shared) + (apr_size_t)workers * sizeof(struct slot));
    apr_size_t size = before + batch_writers_size();
    batch_node_t *made = apr_pcalloc(p, sizeof(*made));
    apr_shm_t *shm;
    apr_status_t rv;

    made->magic = NODE_MAGIC;
    rv = apr_shm_create(&shm, size, NULL, p);
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0401", p,
                               "cannot get %" APR_SIZE_T_FMT " bytes of shared memory", size);
    }
    made->shared = apr_shm_baseaddr_get(shm);
    memset(made->shared, 0, size);
    made->slot_count = workers;
    made->writers = (batch_writers_t *)((char *)made->shared + before);
    rv = batch_writers_make(made->writers);
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0430", p, "cannot make the writers' mutex");
    }
    rv = make_pipes(made);
    if (rv != APR_SUCCESS) {
        return batch_error_set(err, rv, "MB0402", p, "cannot make the workers' pipe");
    }
    apr_pool_cleanup_register(p, made, close_pipes, apr_pool_cleanup_null);
    *node = made;
    return APR_SUCCESS;
}

batch_writers_t *batch_node_writers(batch_node_t *node)
{
    return node->writers;
}

batch_outages_t *batch_node_outages(batch_node_t *node)
{
    return &node->shared->outages;
}

static void put_byte(int fd)
{
    ssize_t written;

    do {
        written = write(fd, "", 1);
    } while (written < 0 && errno == EINTR);
    /* A full pipe (EAGAIN) has wake-ups enough: a worker that wakes runs all that is queued. */
}

static int take_byte(int fd)
{
    char byte;
    ssize_t got;

    do {
        got = read(fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

void batch_node_wake(batch_node_t *node)
{
    put_byte(node->wake[1]);
}

int batch_node_wake_fd(const batch_node_t *node)
{
    return node->wake[0];
}

int batch_node_wake_take(batch_node_t *node)
{
    return take_byte(node->wake[0]);
}

int batch_node_vacancy_fd(const batch_node_t *node)
{
    return node->vacancy[0];
}

int batch_node_vacancy_take(batch_node_t *node)
{
    return take_byte(node->vacancy[0]);
}

int batch_node_slot_count(const batch_node_t *node)
{
    return node->slot_count;
}

int batch_node_slot_take(batch_node_t *node, const batch_owner_t *owner)
{
    apr_uint64_t mine = slot_word(owner);
    int slot;

    for (slot = 0; slot < node->slot_count; slot++) {
        volatile apr_uint64_t *word = &node->shared->slots[slot].holder;
        apr_uint64_t holder = apr_atomic_read64(word);
        if ((!holder || slot_owner_gone(holder)) &&
            apr_atomic_cas64(word, mine, holder) == holder) {
            apr_atomic_set32(&node->shared->slots[slot].load,
                             0); /* its last holder may have died */
            return slot;
        }
    }
    return BATCH_NO_SLOT;
}

void batch_node_slot_release(batch_node_t *node, int slot, const batch_owner_t *owner)
{
    apr_atomic_cas64(&node->shared->slots[slot].holder, 0, slot_word(owner));
    put_byte(node->vacancy[1]);
}

int batch_node_slot_load(batch_node_t *node, int slot, int threads)
{
    struct slot *slots = node->shared->slots;
    apr_uint32_t sum = 0;
    int i;

    /* Said before it is asked, so that of two who want more at a time neither overlooks the other.
     */
    apr_atomic_set32(&slots[slot].load, (apr_uint32_t)threads);
    for (i = 0; i < node->slot_count; i++) {
        sum += apr_atomic_read32(&slots[i].load);
    }
    if (threads > 1 && sum > (apr_uint32_t)node->slot_count) {
        apr_atomic_set32(&slots[slot].load, 1);
        return 1;
    }
    return threads;
}

/* 1 for one caller in each interval: the one that moves the time of the last one on. */
static int take_turn(volatile apr_uint64_t *last, apr_interval_time_t interval)
{
    apr_uint64_t now = (apr_uint64_t)apr_time_as_msec(apr_time_now());
    apr_uint64_t before = apr_atomic_read64(last);

    /* A clock that was set back must not stop the polling. */
    if (now >= before && now - before < (apr_uint64_t)apr_time_as_msec(interval)) {
        return 0;
    }
    return apr_atomic_cas64(last, now, before) == before;
}

int batch_node_poll_due(batch_node_t *node, apr_interval_time_t interval)
{
    return take_turn(&node->shared->polled_at, interval);
}

int batch_node_cleaning_due(batch_node_t *node, apr_interval_time_t interval)
{
    return take_turn(&node->shared->cleaned_at, interval);
}

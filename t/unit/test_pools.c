/* Pools that are lent to one request after the other. */
/* needs: nothing */
#include "tap.h"

#include <string.h>

#include <apr_general.h>
#include <apr_thread_proc.h>

#include "batch.h"

static int cleaned;

static apr_status_t note_cleaning(void *data)
{
    (void)data;
    cleaned++;
    return APR_SUCCESS;
}

static void test_lending(apr_pool_t *root)
{
    apr_pool_t *request, *first, *second;

    apr_pool_create(&request, root);
    batch_pool_borrow(&first, request);
    apr_pool_cleanup_register(first, NULL, note_cleaning, apr_pool_cleanup_null);
    memset(apr_palloc(first, 100000), 'x', 100000);
    apr_pool_destroy(request);
    is_number(cleaned, 1, "what is in it is cleaned up with its parent");
    apr_pool_create(&request, root);
    batch_pool_borrow(&second, request);
    ok(second == first, "the next one is the same");
    is_number(cleaned, 1, "and as new");
    batch_pool_borrow(&first, request);
    ok(second != first, "two at once are not");
    apr_pool_destroy(request);
}

static void test_many(apr_pool_t *root)
{
    apr_pool_t *made[3 * BATCH_POOLS_LENT], *request;
    int i, j, good = 1, known = 0;

    apr_pool_create(&request, root);
    for (i = 0; i < 2 * BATCH_POOLS_LENT; i++) {
        good = good && batch_pool_borrow(&made[i], request) == APR_SUCCESS && made[i];
        for (j = 0; j < i; j++) {
            good = good && made[i] != made[j];
        }
    }
    apr_pool_destroy(request);
    ok(good, "so many that not all can be kept");
    apr_pool_create(&request, root);
    for (i = 0; i < BATCH_POOLS_LENT; i++) {
        apr_pool_t *pool;

        batch_pool_borrow(&pool, request);
        for (j = 0; j < 2 * BATCH_POOLS_LENT; j++) {
            known += pool == made[j];
        }
        memset(apr_palloc(pool, 1000), 'x', 1000);
    }
    apr_pool_destroy(request);
    is_number(known, BATCH_POOLS_LENT, "the others are");
}

/* Each writes its own mark into what it has borrowed, and looks whether it stays. */
static void *APR_THREAD_FUNC borrow_often(apr_thread_t *thread, void *data)
{
    int *bad = data;
    apr_pool_t *root, *request, *pool;
    int i, j;

    (void)thread;
    apr_pool_create_unmanaged_ex(&root, NULL, NULL);
    for (i = 0; i < 2000; i++) {
        int *marks;

        apr_pool_create(&request, root);
        if (batch_pool_borrow(&pool, request) != APR_SUCCESS) {
            *bad = 1;
            break;
        }
        marks = apr_palloc(pool, 1000 * sizeof(int));
        for (j = 0; j < 1000; j++) {
            marks[j] = i;
        }
        if (i % 16 == 0) {
            apr_thread_yield();
        }
        for (j = 0; j < 1000; j++) {
            *bad |= marks[j] != i;
        }
        apr_pool_destroy(request);
    }
    apr_pool_destroy(root);
    return NULL;
}

static void test_threads(apr_pool_t *root)
{
    apr_thread_t *threads[12];
    int bad[12] = {0}, i, sum = 0;
    apr_status_t rv;

    for (i = 0; i < 12; i++) {
        apr_thread_create(&threads[i], NULL, borrow_often, &bad[i], root);
    }
    for (i = 0; i < 12; i++) {
        apr_thread_join(&rv, threads[i]);
        sum += bad[i];
    }
    is_number(sum, 0, "no two threads have the same one");
}

int main(void)
{
    apr_pool_t *root;

    apr_initialize();
    apr_pool_create(&root, NULL);
    test_lending(root);
    test_many(root);
    test_threads(root);
    apr_pool_destroy(root);
    apr_terminate();
    return tap_end();
}

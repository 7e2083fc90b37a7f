/*
 * Records come back in the order of their keys, those with equal ones as they were added, however
 * many runs there are and however long a record is.
 */
/* needs: nothing */
#include "text/sorter.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"

static apr_pool_t *pool;

/* The length of a record, and the sign that it is full of. */
static apr_size_t length_of(int i, apr_size_t longest)
{
    return 8 + (apr_size_t)(i * 7919) % longest;
}

static void sorts(int count, int keys, apr_size_t run, apr_size_t longest, int most_descents)
{
    batch_sorter_t *sorter;
    batch_error_t err = {0};
    char *record = apr_palloc(pool, longest + 8);
    char *seen = apr_pcalloc(pool, (apr_size_t)count);
    int added = 0, given = 0, wrong = 0, descents = 0, last_key = -1, last = -1;
    char *data = NULL;
    apr_size_t length = 0;
    apr_status_t status = APR_SUCCESS;

    sorter = batch_sorter_make(run, pool);
    for (; status == APR_SUCCESS && added < count; added++) {
        batch_sort_key_t key;
        int number = (int)((apr_int64_t)added * 48271 % 65521) % keys;

        batch_sort_key_number(&key, number);
        memset(record, 'a' + added % 26, longest + 8);
        memcpy(record, &added, sizeof(added));
        memcpy(record + sizeof(added), &number, sizeof(number));
        status = batch_sorter_add(sorter, &key, record, length_of(added, longest), &err);
    }
    is_number(status, APR_SUCCESS, "records are added");
    while ((status = batch_sorter_next(sorter, &data, &length, &err)) == APR_SUCCESS) {
        int number, key;

        memcpy(&number, data, sizeof(number));
        memcpy(&key, data + sizeof(number), sizeof(key));
        if (number < 0 || number >= count || seen[number] || length != length_of(number, longest) ||
            (length > 8 && data[length - 1] != 'a' + number % 26)) {
            wrong++;
            continue;
        }
        seen[number] = 1;
        given++;
        descents += key < last_key || (key == last_key && number < last);
        last_key = key;
        last = number;
        memset(data, '!', length); /* it is ours */
    }
    is_number(status, APR_EOF, "they come to an end");
    is_number(batch_sorter_next(sorter, &data, &length, &err), APR_EOF, "which stays one");
    is_number(given, count, "each is there once");
    is_number(wrong, 0, "as it was");
    ok(descents <= most_descents, "in their order: %d descents", descents);
}

static int compare(const char *a, const char *b)
{
    batch_sort_key_t one, other;
    int i;

    batch_sort_key_text(&one, a, strlen(a));
    batch_sort_key_text(&other, b, strlen(b));
    for (i = 0; i < BATCH_SORT_WORDS; i++) {
        if (one.words[i] != other.words[i]) {
            return one.words[i] < other.words[i] ? -1 : 1;
        }
    }
    return 0;
}

static void test_keys(void)
{
    static const apr_int64_t numbers[] = {APR_INT64_MIN, -10, -2, 0, 2, 10, APR_INT64_MAX};
    int ascends = 1;
    unsigned i;

    is_number(compare("10", "9"), -1, "texts are compared by their bytes");
    is_number(compare("a", "ab"), -1, "a shorter one comes first");
    is_number(compare("z", "\xc3\xa4"), -1, "bytes have no sign");
    is_number(compare("0123456789abcdefghijklmnX", "0123456789abcdefghijklmnY"), 1 - 1,
              "24 of them count");
    is_number(compare("0123456789abcdefghijklX", "0123456789abcdefghijklY"), -1, "all of these do");
    for (i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        batch_sort_key_t one, other;

        batch_sort_key_number(&one, numbers[i - 1]);
        batch_sort_key_number(&other, numbers[i]);
        ascends &= one.words[0] < other.words[0];
    }
    ok(ascends, "numbers by what they are");
}

/* A file that cannot grow. */
static void test_failure(void)
{
    batch_sorter_t *sorter = batch_sorter_make(1000, pool);
    batch_sort_key_t key = {{0}};
    batch_error_t err = {0};
    apr_status_t status = APR_SUCCESS;
    struct rlimit before, now;
    int i;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    now = before;
    now.rlim_cur = 10000;
    setrlimit(RLIMIT_FSIZE, &now);
    for (i = 0; status == APR_SUCCESS && i < 100000; i++) {
        status = batch_sorter_add(sorter, &key, "0123456789", 10, &err);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    is_number(status, BATCH_EUNAVAILABLE, "there is no room for the file");
    is_string(err.tag, "MB0501", "which is said");
    ok(strstr(err.message, "cannot be written") != NULL, "with what failed: %s", err.message);
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    test_keys();
    sorts(0, 1, 0, 10, 0);
    sorts(1, 1, 0, 10, 0);
    sorts(1000, 1000, 0, 300, 0);
    sorts(5000, 7, 0, 300, 0);
    sorts(5000, 5000, 100000, 300, 0);
    sorts(5000, 3, 100000, 300, 0);
    sorts(40000, 40000, 0, 20, 0);
    sorts(60, 60, 300000, 200000, 0);
    sorts(5000, 5000, 10000, 300, 0); /* more runs than are merged at once */
    sorts(9000, 40, 1, 30, 0);
    sorts(300, 300, 1, 300, 0);
    test_failure();
    return tap_end();
}

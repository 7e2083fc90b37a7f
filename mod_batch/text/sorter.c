#include "text/sorter.h"

#include <stdlib.h>
#include <string.h>

#include "text/temp_file.h"
#include "text/text_buffer.h"

/* Bytes of a run, and its records at most. */
#define RUN_BYTES   ((apr_size_t)4 * 1024 * 1024)
#define RUN_RECORDS 32768

/* Runs that are merged together, and bytes of each that are read at once. */
#define MOST_RUNS  64
#define READ_BYTES ((apr_size_t)64 * 1024)

/* What stands before each record in a run. */
typedef struct head {
    batch_sort_key_t key;
    apr_size_t length;
} head_t;

/* A record of the run that is being filled. */
typedef struct place {
    batch_sort_key_t key;
    apr_size_t at; /* of its head in the buffer */
} place_t;

/* A sorted run in the file. */
typedef struct run {
    apr_off_t next; /* in the file: what is not in the buffer yet */
    apr_off_t end;
    char *buffer; /* of READ_BYTES while it is merged */
    apr_size_t used;
    apr_size_t at; /* bytes of it that are behind us */
    head_t head;   /* of the record that comes next */
    int number;
} run_t;

struct batch_sorter {
    apr_pool_t *p;
    apr_size_t run_bytes;
    batch_text_buffer_t buffer; /* the run that is being filled; then what is read of others */
    place_t *places;
    int count;                /* of them */
    apr_file_t *file;         /* NULL while all is in memory */
    apr_off_t written;        /* bytes of it */
    apr_array_header_t *runs; /* of run_t */
    int reading;
    int at;                      /* the next of the places, or of the runs */
    batch_text_buffer_t output;  /* records that are written together */
    run_t *heap[MOST_RUNS];      /* those that are merged; the first has the next record */
    int merged;                  /* of them */
    batch_text_buffer_t longest; /* a record that is longer than what is read at once */
};

/* ---- Keys -------------------------------------------------------------------------------------
 */

void batch_sort_key_text(batch_sort_key_t *key, const char *text, apr_size_t length)
{
    apr_size_t i;

    memset(key, 0, sizeof(*key));
    for (i = 0; i < sizeof(key->words) && i < length; i++) {
        key->words[i / 8] |= (apr_uint64_t)(unsigned char)text[i] << (56 - 8 * (i % 8));
    }
}

void batch_sort_key_number(batch_sort_key_t *key, apr_int64_t number)
{
    memset(key, 0, sizeof(*key));
    key->words[0] = (apr_uint64_t)number ^ (apr_uint64_t)1 << 63;
}

static int compare_keys(const batch_sort_key_t *a, const batch_sort_key_t *b)
{
    int i;

    for (i = 0; i < BATCH_SORT_WORDS; i++) {
        if (a->words[i] != b->words[i]) {
            return a->words[i] < b->words[i] ? -1 : 1;
        }
    }
    return 0;
}

static int compare_places(const void *one, const void *other)
{
    const place_t *a = one, *b = other;
    int order = compare_keys(&a->key, &b->key);

    return order ? order : (a->at > b->at) - (a->at < b->at);
}

/* ---- Adding -----------------------------------------------------------------------------------
 */

batch_sorter_t *batch_sorter_make(apr_size_t run, apr_pool_t *p)
{
    batch_sorter_t *sorter = apr_pcalloc(p, sizeof(*sorter));

    sorter->p = sorter->buffer.p = sorter->longest.p = sorter->output.p = p;
    sorter->run_bytes = run ? run : RUN_BYTES;
    sorter->runs = apr_array_make(p, 4, sizeof(run_t));
    return sorter;
}

static void sort(batch_sorter_t *sorter)
{
    qsort(sorter->places, (size_t)sorter->count, sizeof(place_t), compare_places);
}

/* The bytes of the record with its head at that place of the buffer. */
static apr_size_t size_at(const batch_sorter_t *sorter, apr_size_t at)
{
    head_t head;

    memcpy(&head, sorter->buffer.data + at, sizeof(head));
    return sizeof(head) + head.length;
}

/* Writes what was gathered behind all that is in the file. */
static apr_status_t write_output(batch_sorter_t *sorter, batch_error_t *err)
{
    apr_off_t place = sorter->written;
    apr_status_t status = apr_file_seek(sorter->file, APR_SET, &place);

    if (status == APR_SUCCESS) {
        status = apr_file_write_full(sorter->file, sorter->output.data, sorter->output.used, NULL);
    }
    if (status != APR_SUCCESS) {
        return batch_temp_file_fail(err, status, "written", sorter->p);
    }
    sorter->written += (apr_off_t)sorter->output.used;
    sorter->output.used = 0;
    return APR_SUCCESS;
}

/* Adds bytes to what is written, some of them at once. */
static apr_status_t put(batch_sorter_t *sorter, const void *bytes, apr_size_t length,
                        batch_error_t *err)
{
    batch_text_buffer_add(&sorter->output, bytes, length);
    return sorter->output.used >= READ_BYTES ? write_output(sorter, err) : APR_SUCCESS;
}

/* A run that begins at the end of the file. */
static run_t run_from(const batch_sorter_t *sorter, int number)
{
    run_t run;

    memset(&run, 0, sizeof(run));
    run.number = number;
    run.next = sorter->written;
    return run;
}

/* The run ends there, and is one of those that are merged. */
static apr_status_t add_run(batch_sorter_t *sorter, run_t *run, batch_error_t *err)
{
    apr_status_t status = write_output(sorter, err);

    run->end = sorter->written;
    APR_ARRAY_PUSH(sorter->runs, run_t) = *run;
    return status;
}

/* Empties the run that is being filled into the file. */
static apr_status_t end_run(batch_sorter_t *sorter, batch_error_t *err)
{
    apr_status_t status =
        sorter->file ? APR_SUCCESS : batch_temp_file_make(&sorter->file, err, sorter->p);
    run_t run = run_from(sorter, sorter->runs->nelts);
    int i;

    sort(sorter);
    for (i = 0; status == APR_SUCCESS && i < sorter->count; i++) {
        apr_size_t at = sorter->places[i].at;

        status = put(sorter, sorter->buffer.data + at, size_at(sorter, at), err);
    }
    sorter->buffer.used = 0;
    sorter->count = 0;
    return status == APR_SUCCESS ? add_run(sorter, &run, err) : status;
}

apr_status_t batch_sorter_add(batch_sorter_t *sorter, const batch_sort_key_t *key, const char *data,
                              apr_size_t length, batch_error_t *err)
{
    place_t *place;
    head_t head;

    if (sorter->count == RUN_RECORDS ||
        (sorter->count && sorter->buffer.used + sizeof(head) + length > sorter->run_bytes)) {
        apr_status_t status = end_run(sorter, err);

        if (status != APR_SUCCESS) {
            return status;
        }
    }
    if (!sorter->places) {
        sorter->places = apr_palloc(sorter->p, RUN_RECORDS * sizeof(*sorter->places));
        batch_text_buffer_reserve(&sorter->buffer, sorter->run_bytes);
    }
    memset(&head, 0, sizeof(head)); /* its padding is written too */
    head.key = *key;
    head.length = length;
    place = &sorter->places[sorter->count++];
    place->key = *key;
    place->at = sorter->buffer.used;
    batch_text_buffer_add(&sorter->buffer, (const char *)&head, sizeof(head));
    batch_text_buffer_add(&sorter->buffer, data, length);
    return APR_SUCCESS;
}

/* ---- Merging ----------------------------------------------------------------------------------
 */

static apr_status_t read_at(batch_sorter_t *sorter, run_t *run, char *bytes, apr_size_t count,
                            batch_error_t *err)
{
    apr_off_t place = run->next;
    apr_status_t status = apr_file_seek(sorter->file, APR_SET, &place);

    if (status == APR_SUCCESS) {
        status = apr_file_read_full(sorter->file, bytes, count, NULL);
    }
    if (status != APR_SUCCESS) {
        return batch_temp_file_fail(err, status, "read", sorter->p);
    }
    run->next += (apr_off_t)count;
    return APR_SUCCESS;
}

/* Sees to it that so many bytes, no more than a head, lie behind those that are behind us. */
static apr_status_t fill(batch_sorter_t *sorter, run_t *run, apr_size_t wanted, batch_error_t *err)
{
    apr_size_t left = run->used - run->at;
    apr_size_t more = READ_BYTES - left;
    apr_status_t status;

    if (left >= wanted) {
        return APR_SUCCESS;
    }
    if ((apr_off_t)more > run->end - run->next) {
        more = (apr_size_t)(run->end - run->next);
    }
    memmove(run->buffer, run->buffer + run->at, left);
    run->at = 0;
    run->used = left;
    status = read_at(sorter, run, run->buffer + left, more, err);
    run->used += status == APR_SUCCESS ? more : 0;
    return status;
}

static apr_status_t read_head(batch_sorter_t *sorter, run_t *run, batch_error_t *err)
{
    apr_status_t status = fill(sorter, run, sizeof(run->head), err);

    if (status == APR_SUCCESS) {
        memcpy(&run->head, run->buffer + run->at, sizeof(run->head));
        run->at += sizeof(run->head);
    }
    return status;
}

static int comes_before(const run_t *a, const run_t *b)
{
    int order = compare_keys(&a->head.key, &b->head.key);

    return order ? order < 0 : a->number < b->number;
}

/* Puts the first of the heap where it belongs. */
static void sink(batch_sorter_t *sorter)
{
    run_t **heap = sorter->heap;
    int at = 0;

    for (;;) {
        int least = at, child;
        run_t *run;

        for (child = 2 * at + 1; child <= 2 * at + 2 && child < sorter->merged; child++) {
            if (comes_before(heap[child], heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        run = heap[at];
        heap[at] = heap[least];
        heap[least] = run;
        at = least;
    }
}

/* Puts a run on the heap. */
static void push(batch_sorter_t *sorter, run_t *run)
{
    int at = sorter->merged++;

    while (at > 0 && comes_before(run, sorter->heap[(at - 1) / 2])) {
        sorter->heap[at] = sorter->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sorter->heap[at] = run;
}

/* Reads the head of the run's next record; it leaves the heap, whose first it is, if there is none.
 */
static apr_status_t advance(batch_sorter_t *sorter, batch_error_t *err)
{
    run_t *run = sorter->heap[0];
    apr_status_t status = APR_SUCCESS;

    if (run->at == run->used && run->next == run->end) {
        sorter->heap[0] = sorter->heap[--sorter->merged];
    } else {
        status = read_head(sorter, run, err);
    }
    if (status == APR_SUCCESS) {
        sink(sorter);
    }
    return status;
}

/* Begins with the next runs, of those before end. APR_EOF: there are none. */
static apr_status_t begin_group(batch_sorter_t *sorter, int end, batch_error_t *err)
{
    apr_status_t status = APR_SUCCESS;
    int first = sorter->at;
    int last = end - first > MOST_RUNS ? first + MOST_RUNS : end;
    int i;

    if (first == last) {
        return APR_EOF;
    }
    batch_text_buffer_reserve(&sorter->buffer, (apr_size_t)(last - first) * READ_BYTES);
    for (i = first; status == APR_SUCCESS && i < last; i++) {
        run_t *run = &APR_ARRAY_IDX(sorter->runs, i, run_t);

        run->buffer = sorter->buffer.data + (apr_size_t)(i - first) * READ_BYTES;
        status = read_head(sorter, run, err);
        if (status == APR_SUCCESS) {
            push(sorter, run);
        }
    }
    sorter->at = last;
    return status;
}

/* The record whose head was read last of the run. */
static apr_status_t take(batch_sorter_t *sorter, run_t *run, char **data, batch_error_t *err)
{
    apr_size_t length = run->head.length;
    apr_size_t left = run->used - run->at;
    apr_status_t status;

    if (left >= length) {
        *data = run->buffer + run->at;
        run->at += length;
        return APR_SUCCESS;
    }
    sorter->longest.used = 0;
    batch_text_buffer_reserve(&sorter->longest, length);
    memcpy(sorter->longest.data, run->buffer + run->at, left);
    run->at = run->used = 0;
    *data = sorter->longest.data;
    status = (apr_off_t)(length - left) > run->end - run->next
                 ? batch_temp_file_fail(err, APR_EGENERAL, "read", sorter->p)
                 : read_at(sorter, run, sorter->longest.data + left, length - left, err);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

/* Makes one run of the first of those before end, behind all others. */
static apr_status_t make_longer_run(batch_sorter_t *sorter, int end, batch_error_t *err)
{
    run_t run = run_from(sorter, APR_ARRAY_IDX(sorter->runs, sorter->at, run_t).number);
    apr_status_t status = begin_group(sorter, end, err);
    char *data;

    while (status == APR_SUCCESS && sorter->merged) {
        head_t head = sorter->heap[0]->head;

        status = take(sorter, sorter->heap[0], &data, err);
        if (status == APR_SUCCESS) {
            status = put(sorter, &head, sizeof(head), err);
        }
        if (status == APR_SUCCESS) {
            status = put(sorter, data, head.length, err);
        }
        if (status == APR_SUCCESS) {
            status = advance(sorter, err);
        }
    }
    return status == APR_SUCCESS ? add_run(sorter, &run, err) : status;
}

static apr_status_t begin(batch_sorter_t *sorter, batch_error_t *err)
{
    apr_status_t status = APR_SUCCESS;

    sorter->reading = 1;
    if (sorter->file && sorter->count) {
        status = end_run(sorter, err);
    } else if (sorter->count) {
        sort(sorter);
    }
    /* All of them, so that what is in a run was added before what is in the next. */
    while (status == APR_SUCCESS && sorter->runs->nelts - sorter->at > MOST_RUNS) {
        int end = sorter->runs->nelts;

        while (status == APR_SUCCESS && sorter->at < end) {
            status = make_longer_run(sorter, end, err);
        }
    }
    return status;
}

apr_status_t batch_sorter_next(batch_sorter_t *sorter, char **data, apr_size_t *length,
                               batch_error_t *err)
{
    apr_status_t status = sorter->reading ? APR_SUCCESS : begin(sorter, err);

    if (status != APR_SUCCESS) {
        return status;
    }
    if (!sorter->file) {
        apr_size_t at;

        if (sorter->at == sorter->count) {
            return APR_EOF;
        }
        at = sorter->places[sorter->at++].at;
        *data = sorter->buffer.data + at + sizeof(head_t);
        *length = size_at(sorter, at) - sizeof(head_t);
        return APR_SUCCESS;
    }
    /* The record before is not needed any more: its run may read on. */
    if (sorter->merged) {
        status = advance(sorter, err);
    }
    if (status == APR_SUCCESS && !sorter->merged) {
        status = begin_group(sorter, sorter->runs->nelts, err);
    }
    if (status != APR_SUCCESS) {
        return status;
    }
    *length = sorter->heap[0]->head.length;
    return take(sorter, sorter->heap[0], data, err);
}

#include "payload/spool.h"

#include <string.h>

#include "text/temp_file.h"
#include "text/text_buffer.h"

#define SMALLEST_BUFFER ((apr_size_t)8 * 1024)

/* What stands before each text; a NUL is behind it. */
typedef struct head {
    apr_int64_t line;
    apr_size_t length;
    int kept;
} head_t;

struct batch_spool {
    apr_pool_t *p;
    apr_file_t *file; /* NULL while all is in memory */
    batch_text_buffer_t buffer;
    apr_size_t next; /* bytes of the buffer that are behind us */
    int reading;
    batch_spool_block_fn *give; /* NULL: nobody wants blocks */
    void *baton;
    batch_text_buffer_t given; /* the block before */
};

batch_spool_t *batch_spool_make(apr_pool_t *p)
{
    batch_spool_t *spool = apr_pcalloc(p, sizeof(*spool));

    spool->p = spool->buffer.p = spool->given.p = p;
    return spool;
}

/** Empties the buffer into the file. */
static apr_status_t flush(batch_spool_t *spool, batch_error_t *err)
{
    apr_status_t status =
        spool->file ? APR_SUCCESS : batch_temp_file_make(&spool->file, err, spool->p);

    if (status != APR_SUCCESS) {
        return status;
    }
    if (spool->give) {
        batch_spool_block_t block = {spool->buffer.data, spool->buffer.used};

        spool->give(spool->baton, &block);
    }
    status = apr_file_write_full(spool->file, spool->buffer.data, spool->buffer.used, NULL);
    if (spool->give) {
        batch_text_buffer_t given = spool->buffer;

        spool->buffer = spool->given;
        spool->given = given;
    }
    spool->buffer.used = 0;
    return status == APR_SUCCESS ? APR_SUCCESS
                                 : batch_temp_file_fail(err, status, "written", spool->p);
}

apr_status_t batch_spool_add(batch_spool_t *spool, const batch_spool_entry_t *entry,
                             batch_error_t *err)
{
    head_t head;
    apr_size_t length = entry->text ? entry->length : 0;
    apr_size_t needed = sizeof(head) + length + 1;

    /* Its padding is written too. */
    memset(&head, 0, sizeof(head));
    head.line = entry->line;
    head.length = length;
    head.kept = entry->text != NULL;
    if (spool->buffer.used && spool->buffer.used + needed > BATCH_SPOOL_BYTES) {
        apr_status_t status = flush(spool, err);

        if (status != APR_SUCCESS) {
            return status;
        }
    }
    if (!spool->buffer.size) {
        batch_text_buffer_reserve(&spool->buffer, SMALLEST_BUFFER);
    }
    batch_text_buffer_add(&spool->buffer, (const char *)&head, sizeof(head));
    batch_text_buffer_add(&spool->buffer, entry->text, length);
    batch_text_buffer_add(&spool->buffer, "", 1);
    return APR_SUCCESS;
}

void batch_spool_give_blocks(batch_spool_t *spool, batch_spool_block_fn *fn, void *baton)
{
    if (!spool->file) {
        spool->give = fn;
        spool->baton = baton;
    }
}

void batch_spool_last_block(batch_spool_block_t *block, const batch_spool_t *spool)
{
    block->data = spool->buffer.data;
    block->length = spool->buffer.used;
}

/** Reads the entry that stands at; returns its bytes. */
static apr_size_t read_entry(batch_spool_entry_t *entry, const char *at)
{
    head_t head;

    memcpy(&head, at, sizeof(head));
    entry->line = head.line;
    entry->length = head.length;
    entry->text = head.kept ? at + sizeof(head) : NULL;
    return sizeof(head) + head.length + 1;
}

int batch_spool_block_next(batch_spool_entry_t *entry, batch_spool_block_t *block)
{
    apr_size_t size;

    if (!block->length) {
        return 0;
    }
    size = read_entry(entry, block->data);
    block->data += size;
    block->length -= size;
    return 1;
}

apr_status_t batch_spool_rewind(batch_spool_t *spool, batch_error_t *err)
{
    apr_off_t start = 0;
    apr_status_t status = APR_SUCCESS;

    if (!spool->reading && spool->file && spool->buffer.used) {
        spool->give = NULL; /* the last block is given by whoever wants it */
        status = flush(spool, err);
    }
    if (status == APR_SUCCESS && spool->file) {
        spool->buffer.used = 0;
        status = apr_file_seek(spool->file, APR_SET, &start);
        if (status != APR_SUCCESS) {
            return batch_temp_file_fail(err, status, "read", spool->p);
        }
    }
    spool->reading = 1;
    spool->next = 0;
    return status;
}

/** Sees to it that wanted bytes lie behind next. APR_EOF: there are no more at all. */
static apr_status_t fill(batch_spool_t *spool, apr_size_t wanted, batch_error_t *err)
{
    apr_size_t left = spool->buffer.used - spool->next;
    apr_size_t count = 0;
    apr_status_t status;

    if (left >= wanted) {
        return APR_SUCCESS;
    }
    if (!spool->file) {
        return left ? batch_temp_file_fail(err, APR_EGENERAL, "read", spool->p) : APR_EOF;
    }
    memmove(spool->buffer.data, spool->buffer.data + spool->next, left);
    spool->buffer.used = left;
    spool->next = 0;
    batch_text_buffer_reserve(&spool->buffer,
                              (wanted > BATCH_SPOOL_BYTES ? wanted : BATCH_SPOOL_BYTES) - left);
    status = apr_file_read_full(spool->file, spool->buffer.data + left, spool->buffer.size - left,
                                &count);
    spool->buffer.used += count;
    if (spool->buffer.used >= wanted) {
        return APR_SUCCESS;
    }
    if (status == APR_EOF && !spool->buffer.used) {
        return APR_EOF;
    }
    return batch_temp_file_fail(err, status == APR_SUCCESS ? APR_EGENERAL : status, "read",
                                spool->p);
}

apr_status_t batch_spool_next(batch_spool_entry_t *entry, batch_spool_t *spool, batch_error_t *err)
{
    head_t head;
    apr_status_t status = spool->reading ? APR_SUCCESS : batch_spool_rewind(spool, err);

    if (status == APR_SUCCESS) {
        status = fill(spool, sizeof(head), err);
    }

    if (status != APR_SUCCESS) {
        return status;
    }
    memcpy(&head, spool->buffer.data + spool->next, sizeof(head));
    status = fill(spool, sizeof(head) + head.length + 1, err);
    if (status != APR_SUCCESS) {
        return status;
    }
    spool->next += read_entry(entry, spool->buffer.data + spool->next);
    return APR_SUCCESS;
}

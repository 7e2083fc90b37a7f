#include "query/run.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "text/utf8.h"

/* Memory of an id beside its bytes. */
#define PER_ID 128

void batch_query_ids_init(batch_query_run_t *run, int unique)
{
    batch_query_ids_t *ids = &run->ids;

    memset(ids, 0, sizeof(*ids));
    ids->p = run->p;
    ids->most = run->query->limits->max_objects;
    ids->most_bytes = (apr_size_t)run->query->limits->query_memory;
    ids->items = apr_array_make(run->p, 64, sizeof(batch_item_t));
    ids->seen = unique ? NULL : apr_hash_make(run->p);
}

apr_status_t batch_query_ids_add(batch_query_run_t *run, const batch_query_value_t *id)
{
    batch_query_ids_t *ids = &run->ids;
    batch_item_t *item;
    const char *copy;

    if (id->kind == BATCH_QUERY_NULL) {
        return APR_SUCCESS;
    }
    if (!id->length || id->length > BATCH_QUERY_ID_BYTES || memchr(id->text, '\0', id->length) ||
        !batch_utf8_is_valid(id->text, id->length)) {
        return batch_query_problem(run,
                                   "selects something that cannot be an id: ids have 1 to "
                                   "%d bytes of UTF-8",
                                   BATCH_QUERY_ID_BYTES);
    }
    if (ids->seen && apr_hash_get(ids->seen, id->text, (apr_ssize_t)id->length)) {
        return APR_SUCCESS;
    }
    if (!ids->seen && ids->count >= ids->most) {
        ids->count++;
        return APR_SUCCESS; /* only counted */
    }
    ids->bytes += id->length + PER_ID;
    if (ids->bytes > ids->most_bytes) {
        return batch_query_out_of_memory(run);
    }
    copy = apr_pstrmemdup(ids->p, id->text, id->length);
    if (ids->seen) {
        apr_hash_set(ids->seen, copy, (apr_ssize_t)id->length, copy);
    }
    if (ids->count++ < ids->most) {
        item = apr_array_push(ids->items);
        memset(item, 0, sizeof(*item));
        item->ordinal = ids->count - 1;
        item->key = copy;
        item->key_length = id->length;
    }
    return APR_SUCCESS;
}

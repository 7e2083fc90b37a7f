/* A store on SQLite whose file can be made anew, for tests of SQLite alone. */
#ifndef BATCH_STORE_SQLITE3_H
#define BATCH_STORE_SQLITE3_H

#include "store_fixture.h"

FIXTURE batch_store_t *store;

FIXTURE apr_status_t put_one(void)
{
    batch_job_t job = new_job("acme");

    return batch_store_write(store, insert_job, &job, &err, pool);
}

/* Milliseconds for what has to succeed, also under valgrind on a busy machine. */
#define LONG_PATIENCE 300000

FIXTURE void fresh(void)
{
    if (store) {
        batch_store_destroy(store);
    }
    unlink(path);
    unlink(apr_pstrcat(pool, path, "-wal", NULL));
    unlink(apr_pstrcat(pool, path, "-shm", NULL));
    store = open_store(path, 3000);
}

FIXTURE apr_status_t insert_large(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    char *text = apr_palloc(ptemp, 4000001);
    batch_segment_t segment = {0, 1, text, 4000000};
    batch_job_t job = *(batch_job_t *)baton;
    apr_status_t rv = batch_tx_job_insert(tx, &job, NULL);

    memset(text, 'x', 4000000);
    text[4000000] = '\0';
    return rv == APR_SUCCESS ? batch_tx_segment_insert(tx, &job, &segment) : rv;
}

#endif

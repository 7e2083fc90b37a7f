/* The records API: the list of batches. */
#include "http/exchange.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/records_json.h"

#define DEFAULT_PER_PAGE 1000
#define MOST_PER_PAGE    20000

/* ---- The query string -------------------------------------------------------------------------
 */

/* The names of the orders, for a message. */
#define SORT_NAME(symbol, word, column) word,
static const char *const sort_names[] = {BATCH_SORT_LIST(SORT_NAME)};

static void read_order(batch_job_query_t *query, batch_problems_t *problems,
                       const batch_exchange_t *x)
{
    apr_pool_t *p = x->r->pool;
    const char *text = batch_parameter(x, "sort");
    int i;

    query->sort = BATCH_SORT_CREATED_AT;
    if (text) {
        for (i = 0; i < BATCH_SORT_COUNT && strcmp(text, sort_names[i]) != 0; i++) {
        }
        query->sort = (batch_sort_e)i;
        if (i == BATCH_SORT_COUNT) {
            const char *names = sort_names[0];
            for (i = 1; i < BATCH_SORT_COUNT; i++) {
                names = apr_pstrcat(p, names, ", ", sort_names[i], NULL);
            }
            batch_problem_add(problems, "sort", "must be one of %s", names);
        }
    }
    query->descending = batch_parameter_descending(x, 1, problems);
}

/* ---- The list ---------------------------------------------------------------------------------
 */

struct list {
    apr_bucket_brigade *brigade;
    batch_sink_t sink;
    int count;
    apr_pool_t *ptemp; /* of one job */
};

static apr_status_t write_job(void *baton, const batch_job_t *job)
{
    struct list *list = baton;
    apr_status_t rv = APR_SUCCESS;

    if (!job) { /* the list begins, once more if the database made us start over */
        list->count = 0;
        apr_brigade_cleanup(list->brigade);
        return batch_reply_put(list->brigade, "{\"batches\":[");
    }
    if (list->count++) {
        rv = batch_reply_put(list->brigade, ",");
    }
    if (rv == APR_SUCCESS) {
        rv = batch_records_write_job(&list->sink, job, list->ptemp);
    }
    apr_pool_clear(list->ptemp);
    return rv;
}

int batch_records_list(batch_exchange_t *x)
{
    request_rec *r = x->r;
    batch_problems_t *problems = x->problems;
    batch_job_query_t query = {0};
    struct list list = {0};
    batch_error_t err = {0};
    apr_int64_t page;
    apr_int64_t total;
    apr_status_t rv;

    page = batch_parameter_page(x, problems);
    query.limit =
        batch_parameter_number(x, "per_page", DEFAULT_PER_PAGE, MOST_PER_PAGE, 1, problems);
    read_order(&query, problems, x);
    if (problems->nelts) {
        return batch_reply_problems(x, problems);
    }
    query.api = BATCH_API_RECORDS;
    query.offset = (page - 1) * query.limit;
    list.brigade = batch_reply_brigade(x);
    list.sink = batch_reply_sink(list.brigade);
    rv = apr_pool_create(&list.ptemp, r->pool);
    if (rv == APR_SUCCESS) {
        rv = batch_job_list(&total, x->service->engine, &x->actor, &query, write_job, &list, &err,
                            r->pool);
    }
    if (rv != APR_SUCCESS) {
        apr_brigade_destroy(list.brigade);
        return batch_reply_failure(x, rv, &err, NULL);
    }
    rv = batch_records_write_list_end(&list.sink, page, query.limit, total);
    return batch_reply_send(x, HTTP_OK, list.brigade, rv);
}

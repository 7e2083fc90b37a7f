/* The records API: the list of batches. */
#include "http/exchange.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "payload/records_json.h"

#define DEFAULT_PER_PAGE 1000
#define MOST_PER_PAGE    20000

/* Pages beyond this are not numbers of pages; keeps page * per_page far from overflowing. */
#define MOST_PAGE 1000000000000

/* ---- The query string -------------------------------------------------------------------------
 */

/* The names of the orders, for a message. */
#define SORT_NAME(symbol, word, column) word,
static const char *const sort_names[] = {BATCH_SORT_LIST(SORT_NAME)};

/*
 * The value of a parameter in the query string, decoded, in p; NULL where there is none. "" where
 * its encoding is wrong, which no parameter of ours may be. The last one of a name counts.
 */
static const char *parameter(const char *query, const char *name, apr_pool_t *p)
{
    const char *value = NULL;

    while (query && *query) {
        const char *pair = ap_getword(p, &query, '&');
        char *key = ap_getword(p, &pair, '=');
        char *text = apr_pstrdup(p, pair);

        if (ap_unescape_urlencoded(key) == OK && !strcmp(key, name)) {
            value = ap_unescape_urlencoded(text) == OK ? text : "";
        }
    }
    return value;
}

/* Reads a number from 1 on; more than most is most if clamped, else wrong. */
static int read_number(apr_int64_t *number, const char *text, apr_int64_t most, int clamped)
{
    *number = 0;
    for (; apr_isdigit(*text); text++) {
        *number = *number > most ? *number : *number * 10 + (*text - '0');
    }
    if (*text || *number < 1 || (*number > most && !clamped)) {
        return 0;
    }
    if (*number > most) {
        *number = most;
    }
    return 1;
}

static void read_paging(apr_int64_t *page, apr_int64_t *per_page, batch_problems_t *problems,
                        request_rec *r)
{
    const char *text = parameter(r->args, "page", r->pool);

    *page = 1;
    if (text && !read_number(page, text, MOST_PAGE, 0)) {
        batch_problem_add(problems, "page", "must be a whole number from 1 on");
    }
    *per_page = DEFAULT_PER_PAGE;
    text = parameter(r->args, "per_page", r->pool);
    if (text && !read_number(per_page, text, MOST_PER_PAGE, 1)) {
        batch_problem_add(problems, "per_page", "must be a whole number from 1 to %d",
                          MOST_PER_PAGE);
    }
}

static void read_order(batch_job_query_t *query, batch_problems_t *problems, request_rec *r)
{
    const char *text = parameter(r->args, "sort", r->pool);
    int i;

    query->sort = BATCH_SORT_CREATED_AT;
    if (text) {
        for (i = 0; i < BATCH_SORT_COUNT && strcmp(text, sort_names[i]) != 0; i++) {
        }
        query->sort = (batch_sort_e)i;
        if (i == BATCH_SORT_COUNT) {
            const char *names = sort_names[0];
            for (i = 1; i < BATCH_SORT_COUNT; i++) {
                names = apr_pstrcat(r->pool, names, ", ", sort_names[i], NULL);
            }
            batch_problem_add(problems, "sort", "must be one of %s", names);
        }
    }
    text = parameter(r->args, "sort_direction", r->pool);
    query->descending = !text || !strcasecmp(text, "desc");
    if (text && !query->descending && strcasecmp(text, "asc") != 0) {
        batch_problem_add(problems, "sort_direction", "must be asc or desc");
    }
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
    batch_problems_t *problems = batch_problems_make(r->pool);
    batch_job_query_t query = {0};
    struct list list = {0};
    batch_error_t err = {0};
    apr_int64_t page;
    apr_int64_t total;
    apr_status_t rv;

    read_paging(&page, &query.limit, problems, r);
    read_order(&query, problems, r);
    if (problems->nelts) {
        return batch_reply_problems(x, problems);
    }
    query.api = BATCH_API_RECORDS;
    query.offset = (page - 1) * query.limit;
    list.brigade = batch_reply_brigade(x);
    list.sink = batch_reply_sink(list.brigade);
    apr_pool_create(&list.ptemp, r->pool);
    rv = batch_job_list(&total, x->service->engine, &x->actor, &query, write_job, &list, &err,
                        r->pool);
    if (rv != APR_SUCCESS) {
        apr_brigade_destroy(list.brigade);
        return batch_reply_failure(x, rv, &err, NULL);
    }
    rv = batch_records_write_list_end(&list.sink, page, query.limit, total, r->pool);
    return batch_reply_send(x, HTTP_OK, list.brigade, rv);
}

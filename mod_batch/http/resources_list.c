/* The resources API: the list of batches. */
#include "http/exchange.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/resources_json.h"

#define DEFAULT_LIMIT 25
#define MOST_LIMIT    1000

/* ---- Filters ----------------------------------------------------------------------------------
 */

/* The words that clients may filter by; those of the other API are none. */
static const char *const modes[] = {"sync", "mixed", NULL};
static const char *const vias[] = {"api", "file", NULL};
static const char *const actions[] = {"merge", "overwrite", "delete", NULL};
static const char *const orders[] = {"created_at", NULL};
static const char *const statuses[] = {"requested", "queued",    "processing", "completed",
                                       "failed",    "timed_out", "expired",    NULL};

/* The parameter, if it is one of the words; NULL where it is not there. */
static const char *read_word(const batch_exchange_t *x, const char *name, const char *const *words,
                             batch_problems_t *problems)
{
    const char *text = batch_parameter(x, name);
    const char *all = "";
    const char *const *word;

    if (!text) {
        return NULL;
    }
    for (word = words; *word; word++) {
        if (!strcmp(*word, text)) {
            return text;
        }
        all = apr_pstrcat(x->r->pool, all, *all ? ", " : "", *word, NULL);
    }
    batch_problem_add(problems, name, "must be %s%s", words[1] ? "one of " : "", all);
    return NULL;
}

static void read_filters(batch_job_query_t *query, const batch_exchange_t *x,
                         batch_problems_t *problems)
{
    query->mode = read_word(x, "mode", modes, problems);
    query->via = read_word(x, "via", vias, problems);
    query->status = read_word(x, "status", statuses, problems);
    query->action = read_word(x, "action", actions, problems);
    query->resource = batch_parameter(x, "resource");
    if (query->resource && !batch_engine_resource(x->service->engine, query->resource)) {
        batch_problem_add(problems, "resource", "is not the name of a resource");
    }
}

/* ---- The list ---------------------------------------------------------------------------------
 */

struct list {
    apr_bucket_brigade *brigade;
    batch_sink_t sink;
    const batch_envelope_t *envelope;
    int count;
};

static apr_status_t write_job(void *baton, const batch_job_t *job)
{
    struct list *list = baton;
    apr_status_t rv = APR_SUCCESS;

    if (!job) { /* the list begins, once more if the database made us start over */
        list->count = 0;
        apr_brigade_cleanup(list->brigade);
        rv = batch_envelope_begin(&list->sink, list->envelope);
        return rv == APR_SUCCESS ? batch_reply_put(list->brigade, "[") : rv;
    }
    if (list->count++) {
        rv = batch_reply_put(list->brigade, ",");
    }
    return rv == APR_SUCCESS ? batch_resources_write_job(&list->sink, job, NULL) : rv;
}

int batch_resources_list(batch_exchange_t *x)
{
    batch_problems_t *problems = x->problems;
    batch_envelope_t envelope = {.status = HTTP_OK};
    batch_job_query_t query = {.api = BATCH_API_RESOURCES, .sort = BATCH_SORT_CREATED_AT};
    struct list list = {.envelope = &envelope};
    batch_error_t err = {0};
    apr_status_t rv;

    envelope.page = batch_parameter_page(x, problems);
    envelope.limit = batch_parameter_number(x, "limit", DEFAULT_LIMIT, MOST_LIMIT, 1, problems);
    read_filters(&query, x, problems);
    read_word(x, "sort", orders, problems);
    query.descending = batch_parameter_descending(x, 0, problems);
    if (problems->nelts) {
        return batch_reply_problems(x, problems);
    }
    envelope.message = query.descending ? "the batches, newest first" : "the batches, oldest first";
    envelope.endpoint = batch_reply_endpoint(x);
    query.limit = envelope.limit;
    query.offset = (envelope.page - 1) * envelope.limit;
    list.brigade = batch_reply_brigade(x);
    list.sink = batch_reply_sink(list.brigade);
    rv = batch_job_list(&envelope.total_count, x->service->engine, &x->actor, &query, write_job,
                        &list, &err, x->r->pool);
    if (rv != APR_SUCCESS) {
        apr_brigade_destroy(list.brigade);
        return batch_reply_failure(x, rv, &err, NULL);
    }
    rv = batch_reply_put(list.brigade, "]");
    if (rv == APR_SUCCESS) {
        rv = batch_envelope_end(&list.sink, &envelope);
    }
    return batch_reply_send(x, HTTP_OK, list.brigade, rv);
}

/* Lists of jobs: in an order, from a place on, and only those that filters let through. */
#include "store/tx.h"

#include <apr_strings.h>

/* Jobs that are read before their memory is given back. */
#define LIST_WINDOW 64

/* Jobs that one statement walks over, and that it gives, where others wait for its end. */
#define SKIPPED_AT_ONCE 2000
#define LISTED_AT_ONCE  500

/* Between two of them. APR's mutex around SQLite is not fair: who waits for it must be awake. */
#define PART_PAUSE 50

/* ---- Which jobs ---------------------------------------------------------------------------------
 */

/* A walk over the jobs of a list, in its order. */
typedef struct list_walk {
    const batch_job_query_t *query;
    apr_int64_t value; /* of the last job, and its seq: what follows is behind it */
    apr_int64_t seq;
    apr_array_header_t *seqs; /* of jobs that the list shows */
    int filtered;             /* statements say which jobs the filters let through */
    apr_int64_t fitting;      /* filtered: how many have been */
} list_walk_t;

/* The values of BATCH_SQL_TEXT_FITS. Returns how many. */
static int filter_values(const void **values, const batch_job_query_t *query)
{
    const char *const filters[] = {query->resource, query->mode, query->via, query->status,
                                   query->action};
    int count = 0;
    size_t i;

    for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        values[count++] = filters[i];
        values[count++] = filters[i];
    }
    return count;
}

static int has_filters(const batch_job_query_t *query)
{
    return query->resource || query->mode || query->via || query->status || query->action;
}

/* A job that was walked over; fits: what the statement says of it. */
static void pass_job(list_walk_t *walk, int fits)
{
    const batch_job_query_t *query = walk->query;

    if (walk->filtered) {
        walk->fitting += fits;
        fits = fits && walk->fitting > query->offset && walk->seqs->nelts < query->limit;
    }
    if (fits) {
        APR_ARRAY_PUSH(walk->seqs, apr_int64_t) = walk->seq;
    }
}

/* One statement's part of a walk: *count jobs, those of the same value or, if behind, others. */
static apr_status_t walk_part(batch_tx_t *tx, int *count, list_walk_t *walk, int behind,
                              apr_int64_t limit, apr_int64_t offset)
{
    const batch_job_query_t *query = walk->query;
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    batch_statement_e statement =
        BATCH_SQL_LIST + 4 * query->sort + (query->descending ? 2 : 0) + behind;
    apr_int64_t value = walk->value, seq = walk->seq;
    const void *values[16];
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv;
    int next = filter_values(values, query);

    values[next++] = query->organization;
    values[next++] = batch_api_name(query->api);
    values[next++] = &value;
    if (!behind) {
        values[next++] = &seq;
    }
    values[next++] = &limit;
    values[next++] = &offset;
    rv = batch_tx_select(tx, &results, statement, values, scratch);
    *count = 0;
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, scratch)) {
        walk->seq = batch_row_number(tx->connection, row, 0);
        walk->value = batch_row_number(tx->connection, row, 1);
        pass_job(walk, !walk->filtered || batch_row_number(tx->connection, row, 2));
        (*count)++;
    }
    return rv;
}

/* Goes on by *count jobs; sets it to how many there were: fewer at the end. */
static apr_status_t walk_on(batch_tx_t *tx, int *count, list_walk_t *walk)
{
    int wanted = *count, more = 0;
    apr_status_t rv = walk_part(tx, count, walk, 0, wanted, 0);

    if (rv == APR_SUCCESS && *count < wanted) {
        rv = walk_part(tx, &more, walk, 1, wanted - *count, 0);
        *count += more;
    }
    return rv;
}

/* Goes on by count jobs that the list does not show; *there: 0 if there are not so many. */
static apr_status_t walk_over(batch_tx_t *tx, int *there, list_walk_t *walk, int count)
{
    apr_status_t rv = walk_part(tx, there, walk, 0, 1, count - 1);
    int part = LISTED_AT_ONCE;

    if (rv == APR_SUCCESS && !*there) { /* the same value has fewer: how many? */
        while (rv == APR_SUCCESS && part == LISTED_AT_ONCE) {
            rv = walk_part(tx, &part, walk, 0, LISTED_AT_ONCE, 0);
            count -= part;
            apr_array_clear(walk->seqs);
        }
        if (rv == APR_SUCCESS) {
            rv = walk_part(tx, there, walk, 1, 1, count - 1);
        }
    }
    apr_array_clear(walk->seqs);
    return rv;
}

/*
 * Which jobs, in order: over an index, in parts of which none keeps others from the database for
 * long, however many jobs there are.
 */
static apr_status_t find_page(batch_tx_t *tx, list_walk_t *walk, apr_int64_t total)
{
    apr_int64_t left = walk->query->offset;
    apr_status_t rv = APR_SUCCESS;
    int more = left < total;
    int part;

    for (; rv == APR_SUCCESS && left > 0 && more; left -= part) {
        part = left < SKIPPED_AT_ONCE ? (int)left : SKIPPED_AT_ONCE;
        rv = walk_over(tx, &more, walk, part);
        apr_sleep(PART_PAUSE);
    }
    for (left = walk->query->limit; rv == APR_SUCCESS && left > 0 && more; left -= part) {
        int wanted = left < LISTED_AT_ONCE ? (int)left : LISTED_AT_ONCE;

        part = wanted;
        rv = walk_on(tx, &part, walk);
        more = part == wanted;
    }
    return rv;
}

/* The same with filters. No count is kept of those that they let through: all are walked over. */
static apr_status_t find_fitting(batch_tx_t *tx, apr_int64_t *total, list_walk_t *walk)
{
    apr_status_t rv;
    int part;

    walk->filtered = 1;
    do {
        part = LISTED_AT_ONCE;
        rv = walk_on(tx, &part, walk);
        apr_sleep(PART_PAUSE);
    } while (rv == APR_SUCCESS && part == LISTED_AT_ONCE);
    *total = walk->fitting;
    return rv;
}

static apr_status_t count_jobs(batch_tx_t *tx, apr_int64_t *total, const batch_job_query_t *query)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    const void *values[12] = {query->organization, batch_api_name(query->api)};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv;

    filter_values(values + 2, query);
    rv = batch_tx_select(tx, &results, BATCH_SQL_JOB_COUNT, values, scratch);
    *total = 0;
    if (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, scratch)) {
        *total = batch_row_number(tx->connection, row, 0);
    }
    return rv;
}

/* Sets *seqs to the page's jobs, and *total. */
static apr_status_t find_jobs(batch_tx_t *tx, apr_int64_t *total, apr_array_header_t **seqs,
                              const batch_job_query_t *query, apr_pool_t *ptemp)
{
    apr_int64_t end = query->descending ? APR_INT64_MAX : APR_INT64_MIN;
    list_walk_t walk = {.query = query, .value = end, .seq = end};
    int sets = tx->connection->driver->sets;
    apr_status_t rv;
    int count;

    walk.seqs = *seqs = apr_array_make(ptemp, LIST_WINDOW, sizeof(apr_int64_t));
    if (!sets && has_filters(query)) {
        return find_fitting(tx, total, &walk);
    }
    rv = count_jobs(tx, total, query);
    if (rv != APR_SUCCESS || query->offset >= *total) {
        return rv;
    }
    return sets ? walk_part(tx, &count, &walk, 1, query->limit, query->offset)
                : find_page(tx, &walk, *total);
}

/* ---- The jobs -----------------------------------------------------------------------------------
 */

/* One window of a list, by as many statements as jobs. */
static apr_status_t list_one_by_one(batch_tx_t *tx, const apr_int64_t *seqs, int count,
                                    batch_job_fn *fn, void *baton, apr_pool_t *window)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        batch_job_t job;

        rv = batch_tx_job_by_seq(tx, &job, seqs[i], window);
        if (rv == APR_SUCCESS) {
            rv = fn(baton, &job);
        }
    }
    return rv;
}

/* The same by one statement. */
static apr_status_t list_window(batch_tx_t *tx, const apr_int64_t *seqs, int count,
                                batch_job_fn *fn, void *baton, apr_pool_t *window)
{
    apr_array_header_t *texts = apr_array_make(window, LIST_WINDOW, sizeof(const char *));
    const void *values[1];
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv;
    int i;

    for (i = 0; i < count; i++) {
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(window, "%" APR_INT64_T_FMT, seqs[i]);
    }
    values[0] = apr_pstrcat(window, "{", apr_array_pstrcat(window, texts, ','), "}", NULL);
    rv = batch_tx_select(tx, &results, BATCH_SQL_JOBS_BY_SEQS, values, window);
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, window)) {
        batch_job_t job;

        rv = batch_tx_job_read(tx, &job, row, 0, window);
        if (rv == APR_SUCCESS) {
            rv = fn(baton, &job);
        }
    }
    return rv;
}

apr_status_t batch_tx_job_list(batch_tx_t *tx, apr_int64_t *total, const batch_job_query_t *query,
                               batch_job_fn *fn, void *baton, apr_pool_t *ptemp)
{
    apr_array_header_t *seqs;
    apr_pool_t *window;
    apr_status_t rv = find_jobs(tx, total, &seqs, query, ptemp);
    int i;

    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&window, ptemp);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; rv == APR_SUCCESS && i < seqs->nelts; i += LIST_WINDOW) {
        const apr_int64_t *first = &APR_ARRAY_IDX(seqs, i, apr_int64_t);
        int count = seqs->nelts - i < LIST_WINDOW ? seqs->nelts - i : LIST_WINDOW;

        apr_pool_clear(window);
        rv = tx->connection->driver->sets ? list_window(tx, first, count, fn, baton, window)
                                          : list_one_by_one(tx, first, count, fn, baton, window);
    }
    apr_pool_destroy(window);
    return rv;
}

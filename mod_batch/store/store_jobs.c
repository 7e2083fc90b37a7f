/* The rows of batch_jobs, as clients make, see and change them. */
#include "store/tx.h"

#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

/* ---- Columns and members ----------------------------------------------------------------------
 */

typedef enum {
    KIND_NUMBER,
    KIND_TEXT,
    KIND_API,
    KIND_ACTION,
    KIND_STATUS,
    KIND_RANK
} column_kind_e;

typedef struct column_member {
    column_kind_e kind;
    apr_size_t offset; /* in batch_job_t */
} column_member_t;

#define COLUMN_MEMBER(kind, column, member) {KIND_##kind, offsetof(batch_job_t, member)},
static const column_member_t members[] = {BATCH_JOB_COLUMN_LIST(COLUMN_MEMBER)};
#define MEMBER_COUNT ((int)(sizeof(members) / sizeof(members[0])))

const apr_int64_t *batch_status_rank(batch_status_e status)
{
    static const apr_int64_t failed = 1, pending = 2, running = 3, success = 4;

    switch (status) {
    case BATCH_STATUS_FAILED:
    case BATCH_STATUS_TIMED_OUT:
    case BATCH_STATUS_EXPIRED:
        return &failed;
    case BATCH_STATUS_PENDING:
        return &pending;
    case BATCH_STATUS_COMPLETED:
        return &success;
    default:
        return &running;
    }
}

static const void *member_value(const batch_job_t *job, const column_member_t *member)
{
    const void *at = (const char *)job + member->offset;

    switch (member->kind) {
    case KIND_NUMBER:
        return at;
    case KIND_API:
        return batch_api_name(*(const batch_api_e *)at);
    case KIND_ACTION:
        return batch_action_name(*(const batch_action_e *)at);
    case KIND_STATUS:
        return batch_status_name(*(const batch_status_e *)at);
    case KIND_RANK:
        return batch_status_rank(*(const batch_status_e *)at);
    default:
        return *(const char *const *)at;
    }
}

/* 0 if the row holds a word that we do not know. */
static int read_member(batch_job_t *job, const column_member_t *member, const char *text,
                       apr_int64_t number)
{
    void *at = (char *)job + member->offset;
    int symbol = 0;

    switch (member->kind) {
    case KIND_NUMBER:
        *(apr_int64_t *)at = number;
        break;
    case KIND_API:
        symbol = batch_api_parse(text);
        *(batch_api_e *)at = (batch_api_e)symbol;
        break;
    case KIND_ACTION:
        symbol = batch_action_parse(text);
        *(batch_action_e *)at = (batch_action_e)symbol;
        break;
    case KIND_STATUS:
        symbol = batch_status_parse(text);
        *(batch_status_e *)at = (batch_status_e)symbol;
        break;
    case KIND_RANK: /* follows from the status */
        break;
    default:
        *(const char **)at = text;
        break;
    }
    return symbol >= 0;
}

/* A row of BATCH_JOB_COLUMNS or, if all, BATCH_JOB_COLUMNS_ALL; strings copied into p. */
static apr_status_t read_job(batch_tx_t *tx, batch_job_t *job, batch_row_t *row, int all,
                             apr_pool_t *p)
{
    const batch_connection_t *connection = tx->connection;
    int i;

    memset(job, 0, sizeof(*job));
    for (i = 0; i < MEMBER_COUNT; i++) {
        int is_number = members[i].kind == KIND_NUMBER || members[i].kind == KIND_RANK;
        const char *text = is_number ? NULL : batch_row_text(connection, row, i, p);
        apr_int64_t number = is_number ? batch_row_number(connection, row, i) : 0;
        if (!read_member(job, &members[i], text, number)) {
            return batch_tx_fail(tx, BATCH_FAILURE_STATEMENT, "a row of batch_jobs is damaged");
        }
    }
    job->seq = batch_row_number(connection, row, MEMBER_COUNT);
    if (all) {
        job->settings = batch_row_text(connection, row, MEMBER_COUNT + 1, p);
        job->operations = batch_row_text(connection, row, MEMBER_COUNT + 2, p);
    }
    return APR_SUCCESS;
}

/* ---- One job -----------------------------------------------------------------------------------
 */

static apr_status_t select_job(batch_tx_t *tx, batch_job_t *job, batch_statement_e statement,
                               const void **values, int all, apr_pool_t *p)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, statement, values, scratch);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!batch_connection_row(tx->connection, &row, results, scratch)) {
        return BATCH_ENOTFOUND;
    }
    return read_job(tx, job, row, all, p);
}

apr_status_t batch_tx_job_get(batch_tx_t *tx, batch_job_t *job, const char *id,
                              const char *organization, batch_api_e api, apr_pool_t *p)
{
    const void *values[] = {id, organization, batch_api_name(api)};

    return select_job(tx, job, tx->write ? BATCH_SQL_JOB_GET_TO_WRITE : BATCH_SQL_JOB_GET, values,
                      1, p);
}

apr_status_t batch_tx_job_look(batch_tx_t *tx, batch_job_t *job, const char *id,
                               const char *organization, batch_api_e api, apr_pool_t *p)
{
    const void *values[] = {id, organization, batch_api_name(api)};

    return select_job(tx, job, BATCH_SQL_JOB_GET, values, 1, p);
}

apr_status_t batch_tx_job_by_seq(batch_tx_t *tx, batch_job_t *job, apr_int64_t seq, apr_pool_t *p)
{
    const void *values[] = {&seq};

    return select_job(tx, job, BATCH_SQL_JOB_BY_SEQ, values, 0, p);
}

apr_status_t batch_tx_job_lock(batch_tx_t *tx, batch_job_t *job, apr_int64_t seq, apr_pool_t *p)
{
    const void *values[] = {&seq};

    return select_job(tx, job, BATCH_SQL_JOB_LOCK, values, 1, p);
}

static apr_status_t stands_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    const batch_job_t *job = baton;
    const void *values[] = {job->id};
    const apr_int64_t wanted[] = {job->seq, job->epoch, job->cursor, job->revision,
                                  job->updated_at};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_JOB_STATE, values, ptemp);
    apr_size_t i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!batch_connection_row(tx->connection, &row, results, ptemp)) {
        return BATCH_ENOTFOUND;
    }
    for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (batch_row_number(tx->connection, row, (int)i) != wanted[i]) {
            return BATCH_ECONFLICT;
        }
    }
    return APR_SUCCESS;
}

apr_status_t batch_store_job_stands(batch_store_t *store, const batch_job_t *job,
                                    batch_error_t *err, apr_pool_t *ptemp)
{
    return batch_store_run(store, BATCH_RUN_SETTLE, stands_body, (void *)job, err, ptemp);
}

apr_status_t batch_tx_job_insert(batch_tx_t *tx, batch_job_t *job)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    const void *values[MEMBER_COUNT + 2];
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv;
    int i;

    job->created_at = job->updated_at = batch_tx_now(tx);
    job->revision = 1;
    for (i = 0; i < MEMBER_COUNT; i++) {
        values[i] = member_value(job, &members[i]);
    }
    values[MEMBER_COUNT] = job->settings;
    values[MEMBER_COUNT + 1] = job->operations;
    rv = batch_tx_select(tx, &results, BATCH_SQL_JOB_INSERT, values, scratch);
    if (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, scratch)) {
        job->seq = batch_row_number(tx->connection, row, 0);
    }
    return rv;
}

apr_status_t batch_tx_job_update(batch_tx_t *tx, batch_job_t *job)
{
    apr_time_t now = batch_tx_now(tx);
    const void *values[] = {job->resource,
                            batch_action_name(job->action),
                            job->form_id,
                            job->settings,
                            job->operations,
                            job->warnings,
                            batch_status_name(job->status),
                            batch_status_rank(job->status),
                            &job->total,
                            &job->queued_at,
                            job->updated_by,
                            job->updated_by_id,
                            &now,
                            &job->seq,
                            job->id,
                            &job->revision};
    apr_status_t rv;
    int rows;

    rv = batch_tx_execute(tx, &rows, BATCH_SQL_JOB_UPDATE, values);
    if (rv == APR_SUCCESS && rows != 1) {
        rv = BATCH_ECONFLICT;
    }
    if (rv == APR_SUCCESS) {
        job->updated_at = now;
        job->revision++;
    }
    return rv;
}

/* ---- Removing -----------------------------------------------------------------------------------
 */

/* Rows that one statement removes, where none may keep others waiting for long. */
static apr_status_t delete_in_parts(batch_tx_t *tx, batch_statement_e statement, apr_int64_t job,
                                    apr_int64_t limit)
{
    const void *values[] = {&job, &limit};
    apr_status_t rv;
    int rows;

    if (tx->connection->driver->sets) {
        return batch_tx_execute_later(tx, statement, values);
    }
    do {
        rv = batch_tx_execute(tx, &rows, statement, values);
    } while (rv == APR_SUCCESS && rows >= limit);
    return rv;
}

apr_status_t batch_tx_segments_delete(batch_tx_t *tx, const batch_job_t *job)
{
    return delete_in_parts(tx, BATCH_SQL_SEGMENTS_DELETE, job->seq, 8);
}

apr_status_t batch_tx_job_delete(batch_tx_t *tx, const batch_job_t *job)
{
    const void *values[] = {&job->seq, job->id};
    apr_status_t rv = batch_tx_segments_delete(tx, job);

    if (rv == APR_SUCCESS) {
        rv = delete_in_parts(tx, BATCH_SQL_ERRORS_DELETE, job->seq, 500);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_tx_execute_later(tx, BATCH_SQL_JOB_DELETE, values);
    }
    return rv;
}

apr_status_t batch_tx_jobs_expire(batch_tx_t *tx, int *removed, apr_interval_time_t retention,
                                  int limit, apr_pool_t *ptemp)
{
    apr_int64_t before = batch_tx_now(tx) - retention;
    apr_int64_t most = limit;
    const void *values[] = {&before, &most};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_JOBS_EXPIRED, values, ptemp);

    *removed = 0;
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, ptemp)) {
        batch_job_t job = {.seq = batch_row_number(tx->connection, row, 0),
                           .id = batch_row_text(tx->connection, row, 1, ptemp)};

        rv = batch_tx_job_delete(tx, &job);
        (*removed)++;
    }
    return rv;
}

/* ---- Lists --------------------------------------------------------------------------------------
 */

/* Jobs that are read before their memory is given back. */
#define LIST_WINDOW 64

/* Jobs that one statement walks over, and that it gives, where others wait for its end. */
#define SKIPPED_AT_ONCE 2000
#define LISTED_AT_ONCE  500

/* Between two of them. APR's mutex around SQLite is not fair: who waits for it must be awake. */
#define PART_PAUSE 50

static apr_status_t count_jobs(batch_tx_t *tx, apr_int64_t *total, const batch_job_query_t *query)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    const void *values[] = {query->organization, batch_api_name(query->api)};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_JOB_COUNT, values, scratch);

    *total = 0;
    if (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, scratch)) {
        *total = batch_row_number(tx->connection, row, 0);
    }
    return rv;
}

/* Where a list has come to: what follows is behind it. */
typedef struct list_place {
    apr_int64_t value;
    apr_int64_t seq;
} list_place_t;

/* One statement's part of a list. Adds the jobs to seqs, and moves place to the last one. */
static apr_status_t order_part(batch_tx_t *tx, apr_array_header_t *seqs, list_place_t *place,
                               const batch_job_query_t *query, int behind, apr_int64_t limit,
                               apr_int64_t offset)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    batch_statement_e statement =
        BATCH_SQL_LIST + 4 * query->sort + (query->descending ? 2 : 0) + behind;
    list_place_t from = *place;
    const void *values[7];
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv;
    int count = 0;

    values[count++] = query->organization;
    values[count++] = batch_api_name(query->api);
    values[count++] = &from.value;
    if (!behind) {
        values[count++] = &from.seq;
    }
    values[count++] = &limit;
    values[count++] = &offset;
    rv = batch_tx_select(tx, &results, statement, values, scratch);
    while (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, scratch)) {
        place->seq = batch_row_number(tx->connection, row, 0);
        place->value = batch_row_number(tx->connection, row, 1);
        APR_ARRAY_PUSH(seqs, apr_int64_t) = place->seq;
    }
    return rv;
}

/* Goes on from place by count jobs, and adds them to seqs; fewer at the end. */
static apr_status_t order_next(batch_tx_t *tx, apr_array_header_t *seqs, list_place_t *place,
                               const batch_job_query_t *query, int count)
{
    int before = seqs->nelts;
    apr_status_t rv = order_part(tx, seqs, place, query, 0, count, 0);

    count -= seqs->nelts - before;
    return rv == APR_SUCCESS && count > 0 ? order_part(tx, seqs, place, query, 1, count, 0) : rv;
}

/* Moves place on by count jobs; *there: 0 if there are not so many. seqs is empty before and after.
 */
static apr_status_t order_skip(batch_tx_t *tx, apr_array_header_t *seqs, list_place_t *place,
                               const batch_job_query_t *query, int count, int *there)
{
    apr_status_t rv = order_part(tx, seqs, place, query, 0, 1, count - 1);
    int part = LISTED_AT_ONCE;

    if (seqs->nelts == 0) { /* the same value has fewer: how many? */
        while (rv == APR_SUCCESS && part == LISTED_AT_ONCE) {
            apr_array_clear(seqs);
            rv = order_part(tx, seqs, place, query, 0, LISTED_AT_ONCE, 0);
            part = seqs->nelts;
            count -= part;
        }
        apr_array_clear(seqs);
        if (rv == APR_SUCCESS) {
            rv = order_part(tx, seqs, place, query, 1, 1, count - 1);
        }
    }
    *there = seqs->nelts == 1;
    apr_array_clear(seqs);
    return rv;
}

/*
 * Which jobs, in order: over an index, in parts of which none keeps others from the database for
 * long, however many jobs there are; or at once where that keeps nobody. The rows follow in
 * windows, so that memory does not grow with the page.
 */
static apr_status_t order_jobs(batch_tx_t *tx, apr_array_header_t **seqs,
                               const batch_job_query_t *query, apr_int64_t total, apr_pool_t *ptemp)
{
    apr_int64_t end = query->descending ? APR_INT64_MAX : APR_INT64_MIN;
    list_place_t place = {end, end};
    apr_int64_t left = query->offset;
    apr_status_t rv = APR_SUCCESS;
    int more = left < total;
    int part;

    *seqs = apr_array_make(ptemp, LIST_WINDOW, sizeof(apr_int64_t));
    if (more && tx->connection->driver->sets) {
        return order_part(tx, *seqs, &place, query, 1, query->limit, left);
    }
    for (; rv == APR_SUCCESS && left > 0 && more; left -= part) {
        part = left < SKIPPED_AT_ONCE ? (int)left : SKIPPED_AT_ONCE;
        rv = order_skip(tx, *seqs, &place, query, part, &more);
        apr_sleep(PART_PAUSE);
    }
    for (left = query->limit; rv == APR_SUCCESS && left > 0 && more; left -= part) {
        int before = (*seqs)->nelts;

        part = left < LISTED_AT_ONCE ? (int)left : LISTED_AT_ONCE;
        rv = order_next(tx, *seqs, &place, query, part);
        more = (*seqs)->nelts - before == part;
    }
    return rv;
}

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

        rv = read_job(tx, &job, row, 0, window);
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
    apr_status_t rv = count_jobs(tx, total, query);
    int i;

    if (rv == APR_SUCCESS) {
        rv = order_jobs(tx, &seqs, query, *total, ptemp);
    }
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

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
    KIND_MODE,
    KIND_VIA,
    KIND_DUPLICATES,
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
    case KIND_MODE:
        return batch_mode_name(*(const batch_mode_e *)at);
    case KIND_VIA:
        return batch_via_name(*(const batch_via_e *)at);
    case KIND_DUPLICATES:
        return batch_duplicates_name(*(const batch_duplicates_e *)at);
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
    case KIND_MODE:
        symbol = batch_mode_parse(text);
        *(batch_mode_e *)at = (batch_mode_e)symbol;
        break;
    case KIND_VIA:
        symbol = batch_via_parse(text);
        *(batch_via_e *)at = (batch_via_e)symbol;
        break;
    case KIND_DUPLICATES:
        symbol = batch_duplicates_parse(text);
        *(batch_duplicates_e *)at = (batch_duplicates_e)symbol;
        break;
    case KIND_RANK: /* follows from the status */
        break;
    default:
        *(const char **)at = text;
        break;
    }
    return symbol >= 0;
}

apr_status_t batch_tx_job_read(batch_tx_t *tx, batch_job_t *job, batch_row_t *row, int all,
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
            return batch_tx_fail(tx, BATCH_FAILURE_DAMAGED, "a row of batch_jobs is damaged");
        }
    }
    job->seq = batch_row_number(connection, row, MEMBER_COUNT);
    if (all) {
        job->shared_values = batch_row_text(connection, row, MEMBER_COUNT + 1, p);
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
    return batch_tx_job_read(tx, job, row, all, p);
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

apr_status_t batch_tx_job_find(batch_tx_t *tx, batch_job_t *job, const char *id, batch_api_e api,
                               apr_pool_t *p)
{
    const void *values[] = {id, batch_api_name(api)};

    return select_job(tx, job, BATCH_SQL_JOB_FIND, values, 1, p);
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
    const apr_int64_t wanted[] = {job->seq, job->epoch, job->position, job->revision,
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

static apr_status_t ask_for_place(batch_tx_t *tx, apr_int64_t *seq)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_JOB_PLACE, NULL, scratch);

    if (rv == APR_SUCCESS && batch_connection_row(tx->connection, &row, results, scratch)) {
        *seq = batch_row_number(tx->connection, row, 0);
    }
    return rv;
}

apr_status_t batch_tx_job_place(batch_tx_t *tx, batch_job_t *job)
{
    const batch_driver_t *driver = tx->connection->driver;
    apr_int64_t told = driver->take_place ? driver->take_place(tx->connection) : 0;
    apr_status_t rv = APR_SUCCESS;

    if (told) {
        job->seq = told;
    } else {
        rv = ask_for_place(tx, &job->seq);
    }
    job->created_at = batch_tx_now(tx);
    return rv;
}

apr_status_t batch_tx_job_insert_placed(batch_tx_t *tx, batch_job_t *job,
                                        const batch_owner_t *owner)
{
    static const batch_owner_t nobody = {NULL, 0, 0};
    const void *values[MEMBER_COUNT + 6];
    int i;

    owner = owner ? owner : &nobody;
    /* Until something happens to it it has one time. */
    job->updated_at = batch_status_is_final(job->status) ? batch_tx_now(tx) : job->created_at;
    job->completed_at = batch_status_is_final(job->status) ? job->updated_at : 0;
    job->revision = 1;
    for (i = 0; i < MEMBER_COUNT; i++) {
        values[i] = member_value(job, &members[i]);
    }
    values[MEMBER_COUNT] = job->shared_values;
    values[MEMBER_COUNT + 1] = job->operations;
    values[MEMBER_COUNT + 2] = owner->host;
    values[MEMBER_COUNT + 3] = &owner->pid;
    values[MEMBER_COUNT + 4] = &owner->start_time;
    values[MEMBER_COUNT + 5] = &job->seq;
    return batch_tx_execute_later(tx, BATCH_SQL_JOB_INSERT, values);
}

apr_status_t batch_tx_job_insert(batch_tx_t *tx, batch_job_t *job, const batch_owner_t *owner)
{
    apr_status_t rv = batch_tx_job_place(tx, job);

    return rv == APR_SUCCESS ? batch_tx_job_insert_placed(tx, job, owner) : rv;
}

apr_status_t batch_tx_job_update(batch_tx_t *tx, batch_job_t *job)
{
    apr_time_t now = batch_tx_now(tx);
    const void *values[] = {job->resource,
                            batch_action_name(job->action),
                            job->form_id,
                            job->shared_values,
                            job->operations,
                            job->warnings,
                            batch_status_name(job->status),
                            batch_status_rank(job->status),
                            &job->total,
                            &job->stored,
                            &job->queued_at,
                            job->target,
                            job->section,
                            job->generation,
                            &job->judge_again,
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

/* Why no row was changed: it has gone, or is another than we knew. */
static apr_status_t explain_conflict(batch_tx_t *tx, const batch_job_t *job)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    const void *values[] = {job->id};
    batch_results_t *results;
    batch_row_t *row = NULL;
    apr_status_t rv = batch_tx_select(tx, &results, BATCH_SQL_JOB_STATE, values, scratch);

    if (rv == APR_SUCCESS) {
        rv = batch_connection_row(tx->connection, &row, results, scratch) ? BATCH_ECONFLICT
                                                                          : BATCH_ENOTFOUND;
    }
    return rv;
}

apr_status_t batch_tx_job_received(batch_tx_t *tx, batch_job_t *job)
{
    const batch_counts_t *counts = &job->counts;
    apr_time_t now = batch_tx_now(tx);
    apr_time_t completed_at = batch_status_is_final(job->status) ? now : 0;
    const void *values[] = {batch_status_name(job->status),
                            batch_status_rank(job->status),
                            job->reason,
                            &counts->created,
                            &counts->updated,
                            &counts->deleted,
                            &counts->overwritten,
                            &counts->duplicates,
                            &counts->errors,
                            &job->total,
                            &job->stored,
                            &job->received,
                            &job->invalid,
                            &job->queued_at,
                            &job->position,
                            &job->cleanup_total,
                            &job->cleanup_done,
                            &job->started_at,
                            &job->parsed_at,
                            &job->validated_at,
                            &job->processed_at,
                            job->checksum,
                            job->header,
                            &job->judge_again,
                            &completed_at,
                            &now,
                            &job->seq,
                            job->id,
                            &job->revision};
    apr_status_t rv;
    int rows;

    rv = batch_tx_execute(tx, &rows, BATCH_SQL_JOB_RECEIVED, values);
    if (rv == APR_SUCCESS && rows != 1) {
        rv = explain_conflict(tx, job);
    }
    if (rv == APR_SUCCESS) {
        job->completed_at = completed_at;
        job->lease_until = 0;
        job->updated_at = now;
        job->revision++;
    }
    return rv;
}

apr_status_t batch_tx_job_cancel(batch_tx_t *tx, batch_job_t *job)
{
    apr_time_t now = batch_tx_now(tx);
    const void *values[] = {batch_status_name(job->status),
                            batch_status_rank(job->status),
                            job->reason,
                            job->updated_by,
                            job->updated_by_id,
                            &now,
                            &now,
                            &job->seq,
                            job->id,
                            &job->revision};
    apr_status_t rv;
    int rows;

    rv = batch_tx_execute(tx, &rows, BATCH_SQL_JOB_CANCEL, values);
    if (rv == APR_SUCCESS && rows != 1) {
        rv = BATCH_ECONFLICT;
    }
    if (rv == APR_SUCCESS) {
        job->completed_at = job->updated_at = now;
        job->epoch++;
        job->revision++;
    }
    return rv;
}

#include "store/pgsql/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

#include "store/pgsql/failures.h"
#include "store/schema.h"

#ifndef LIBPQ_HAS_PIPELINING
#error "libpq 14 or newer is needed"
#endif

/*
 * How long a reply may keep us waiting. The server itself gives up a statement before that (see
 * pgsql/driver.c); this is for a server, or a network, that says nothing at all.
 */
#define SILENCE apr_time_from_sec(90)

/* ---- A connection that is lost ------------------------------------------------------------------
 */

/* Of several lines one: it is for a log. */
static void keep_message(batch_pgsql_state_t *state, const char *message)
{
    char *end = state->message;
    const char *limit = state->message + sizeof(state->message) - 1;

    for (; *message && end < limit; message++) {
        int blank = strchr(" \t\r\n", *message) != NULL;
        if (!blank || (end > state->message && end[-1] != ' ')) {
            *end++ = blank ? ' ' : *message;
        }
    }
    while (end > state->message && end[-1] == ' ') {
        end--;
    }
    *end = '\0';
}

static batch_failure_e lose(batch_connection_t *connection, const char *message)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    int i;

    if (!state->lost) {
        keep_message(state, message && *message ? message : "the connection was closed");
    }
    state->lost = 1;
    if (state->failure == BATCH_FAILURE_NONE) {
        state->failure = BATCH_FAILURE_LOST;
        for (i = 0; i < state->queued; i++) {
            if (state->queue[i].what == BATCH_PGSQL_COMMIT) {
                state->failure = BATCH_FAILURE_IN_DOUBT;
            }
        }
    }
    state->queued = 0;
    return state->failure;
}

/* ---- Results --------------------------------------------------------------------------------- */

static apr_int64_t number_at(const PGresult *result, int column)
{
    return PQntuples(result) > 0 ? apr_atoi64(PQgetvalue(result, 0, column)) : 0;
}

static void set_clock(batch_pgsql_state_t *state, const PGresult *result, int column)
{
    state->clock_at = batch_ticks();
    state->clock = number_at(result, column);
}

/* A statement succeeded: what its result says beyond that. */
static batch_failure_e look_into(batch_connection_t *connection, const PGresult *result,
                                 batch_pgsql_what_e what)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);

    int clock = what == BATCH_PGSQL_ONE_ROW ? PQfnumber(result, "batch_clock") : -1;
    int place = clock >= 0 ? PQfnumber(result, "batch_place") : -1;

    if (clock >= 0) {
        set_clock(state, result, clock);
    }
    if (place >= 0) {
        state->place = number_at(result, place);
    }
    switch (what) {
    case BATCH_PGSQL_VERSION:
        set_clock(state, result, 1);
        return batch_schema_version_failure(number_at(result, 0));
    case BATCH_PGSQL_COMMIT:
        /* Of a transaction that had failed it says ROLLBACK, and is content. */
        state->committed = !strcmp(PQcmdStatus((PGresult *)result), "COMMIT");
        return state->committed ? BATCH_FAILURE_NONE : BATCH_FAILURE_ENDED;
    default:
        return BATCH_FAILURE_NONE;
    }
}

/* Takes over result, of the first of the queued that has none yet. */
static void judge(batch_connection_t *connection, PGresult *result,
                  const batch_pgsql_queued_t *queued)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_PIPELINE_ABORTED || state->failure != BATCH_FAILURE_NONE) {
        if (queued->makes) {
            queued->makes->made = status == PGRES_COMMAND_OK;
        }
        PQclear(result);
        return;
    }
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (!queued->makes) {
            state->failure = look_into(connection, result, queued->what);
        }
        PQclear(state->result);
        state->result = result;
        return;
    }
    if (queued->makes) {
        queued->makes->made = 0;
    }
    PQclear(state->refusal);
    state->refusal = result;
    state->refused_making = queued->makes != NULL;
    if (!PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
        lose(connection, PQresultErrorMessage(result)); /* it is libpq that says so */
        return;
    }
    if (batch_pgsql_is_fatal(result)) {
        state->failure =
            queued->what == BATCH_PGSQL_COMMIT ? BATCH_FAILURE_IN_DOUBT : BATCH_FAILURE_LOST;
        lose(connection, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        return;
    }
    state->failure = batch_pgsql_classify(connection, result, queued->what);
}

/* Waits until the next result can be taken without waiting. 0: the connection is lost. */
static int wait_for_result(batch_connection_t *connection, apr_time_t deadline)
{
    PGconn *native = connection->native;
    apr_time_t since = batch_hurry_clock();

    while (PQisBusy(native)) {
        int unsent = PQflush(native);
        apr_interval_time_t left =
            batch_hurry_left(connection->hurry, since, deadline - batch_ticks());
        struct pollfd fd = {PQsocket(native), POLLIN | (unsent > 0 ? POLLOUT : 0), 0};
        int ready;

        if (unsent < 0 || fd.fd < 0) {
            lose(connection, PQerrorMessage(native));
            return 0;
        }
        if (left <= 0) {
            lose(connection, batch_hurry_is_on(connection->hurry) ? "this process is to end"
                                                                  : "the server does not answer");
            return 0;
        }
        left = left < BATCH_HURRY_SLICE ? left : BATCH_HURRY_SLICE;
        ready = poll(&fd, 1, (int)apr_time_as_msec(left) + 1);
        if (ready < 0 && errno != EINTR) {
            lose(connection, "cannot wait for the server");
            return 0;
        }
        if (ready > 0 && !PQconsumeInput(native)) {
            /* What it said before it went is still to be read: a reason, or that it is done. */
            if (PQisBusy(native)) {
                lose(connection, PQerrorMessage(native));
                return 0;
            }
        }
    }
    return 1;
}

/* The next result, NULL between statements. 0: the connection is lost. */
static int next_result(batch_connection_t *connection, PGresult **result, apr_time_t deadline)
{
    *result = NULL;
    if (!wait_for_result(connection, deadline)) {
        return 0;
    }
    *result = PQgetResult(connection->native);
    return 1;
}

/*
 * The end of a round trip. What fails between the last statement and it (a time-out or a cancel
 * that the server was told of too late for the statement; a constraint that is looked at then) has
 * undone that statement, unless it was a COMMIT: then that is done, and stays so.
 */
static void read_sync(batch_connection_t *connection, const batch_pgsql_queued_t *last,
                      apr_time_t deadline)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    ExecStatusType status = PGRES_EMPTY_QUERY;
    int failures = 0;
    PGresult *result;

    while (!state->lost && status != PGRES_PIPELINE_SYNC &&
           next_result(connection, &result, deadline)) {
        if (!result) {
            if (status != PGRES_FATAL_ERROR) {
                lose(connection, "the server is out of step");
            }
            status = PGRES_EMPTY_QUERY;
            continue;
        }
        status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR && !failures++) {
            if (!state->committed) {
                judge(connection, result, last);
                continue;
            }
            if (batch_pgsql_is_fatal(result) || !PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
                lose(connection, PQresultErrorMessage(result));
            }
        }
        if (status != PGRES_PIPELINE_SYNC && status != PGRES_FATAL_ERROR) {
            lose(connection, "the server is out of step");
        }
        PQclear(result);
    }
}

static void read_results(batch_connection_t *connection, apr_time_t deadline)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    batch_pgsql_queued_t queue[BATCH_PGSQL_QUEUE];
    int count = state->queued;
    PGresult *result;
    int i;

    memcpy(queue, state->queue, sizeof(queue));
    for (i = 0; i < count && !state->lost; i++) {
        if (!next_result(connection, &result, deadline)) {
            return;
        }
        if (!result) {
            lose(connection, "the server left a statement unanswered");
            return;
        }
        judge(connection, result, &queue[i]);
        if (!state->lost && next_result(connection, &result, deadline) && result) {
            PQclear(result);
            lose(connection, "the server answered a statement twice");
        }
        /* What is still to come, should the connection be lost now. */
        state->queue[0] = i + 1 < count ? queue[count - 1] : (batch_pgsql_queued_t){0};
        state->queued = i + 1 < count;
    }
    read_sync(connection, &queue[count - 1], deadline);
}

batch_failure_e batch_pgsql_flush(batch_connection_t *connection, PGresult **result)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);

    PQclear(state->result);
    state->result = NULL;
    if (state->queued && !state->lost) {
        state->open = 1;
        if (PQpipelineSync(connection->native) != 1) {
            lose(connection, PQerrorMessage(connection->native));
        } else {
            read_results(connection, batch_ticks() + SILENCE);
        }
    }
    state->queued = 0;
    if (result) {
        *result = state->result;
    }
    return state->failure;
}

static apr_status_t clear_result(void *data)
{
    PQclear(data);
    return APR_SUCCESS;
}

batch_failure_e batch_pgsql_ask(batch_connection_t *connection, PGresult **result,
                                batch_pgsql_statement_t *statement, const char *const *values,
                                batch_pgsql_what_e what)
{
    batch_failure_e failure = batch_pgsql_queue(connection, statement, values, what);

    return failure == BATCH_FAILURE_NONE ? batch_pgsql_flush(connection, result) : failure;
}

PGresult *batch_pgsql_keep(batch_connection_t *connection, apr_pool_t *p)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    PGresult *result = state->result;

    state->result = NULL;
    if (result) {
        apr_pool_cleanup_register(p, result, clear_result, apr_pool_cleanup_null);
    }
    return result;
}

void batch_pgsql_forgive(batch_connection_t *connection)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);

    if (!state->lost) {
        state->failure = BATCH_FAILURE_NONE;
    }
}

/* ---- Queueing -------------------------------------------------------------------------------- */

/* A place in the queue for one statement and its PREPARE. */
static batch_failure_e make_room(batch_connection_t *connection)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);

    if (state->failure != BATCH_FAILURE_NONE) {
        return state->failure;
    }
    return state->queued + 2 > BATCH_PGSQL_QUEUE ? batch_pgsql_flush(connection, NULL)
                                                 : BATCH_FAILURE_NONE;
}

static batch_failure_e queued(batch_connection_t *connection, int sent, batch_pgsql_what_e what,
                              batch_pgsql_statement_t *makes)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    batch_pgsql_queued_t *queued = &state->queue[state->queued++];

    queued->what = what;
    queued->makes = makes;
    if (makes) {
        makes->made = sent;
    }
    return sent ? BATCH_FAILURE_NONE : lose(connection, PQerrorMessage(connection->native));
}

batch_failure_e batch_pgsql_queue_values(batch_connection_t *connection,
                                         batch_pgsql_statement_t *statement,
                                         const batch_pgsql_values_t *values,
                                         batch_pgsql_what_e what)
{
    PGconn *native = connection->native;
    batch_failure_e failure = make_room(connection);

    if (failure == BATCH_FAILURE_NONE && !statement->made) {
        failure = queued(connection,
                         PQsendPrepare(native, statement->name, statement->sql, statement->count,
                                       statement->types),
                         what, statement);
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    return queued(connection,
                  PQsendQueryPrepared(native, statement->name, statement->count, values->values,
                                      values->lengths, values->formats, 0),
                  what, NULL);
}

batch_failure_e batch_pgsql_queue(batch_connection_t *connection,
                                  batch_pgsql_statement_t *statement, const char *const *values,
                                  batch_pgsql_what_e what)
{
    const batch_pgsql_values_t texts = {values, NULL, NULL};

    return batch_pgsql_queue_values(connection, statement, &texts, what);
}

batch_failure_e batch_pgsql_queue_once(batch_connection_t *connection, const char *sql,
                                       const Oid *types, int count,
                                       const batch_pgsql_values_t *values, batch_pgsql_what_e what)
{
    batch_failure_e failure = make_room(connection);

    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    return queued(connection,
                  PQsendQueryParams(connection->native, sql, count, types, values->values,
                                    values->lengths, values->formats, 0),
                  what, NULL);
}

batch_failure_e batch_pgsql_queue_text(batch_connection_t *connection, const char *sql,
                                       batch_pgsql_what_e what)
{
    const batch_pgsql_values_t none = {NULL, NULL, NULL};

    return batch_pgsql_queue_once(connection, sql, NULL, 0, &none, what);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static apr_status_t clear_state(void *data)
{
    batch_pgsql_state_t *state = BATCH_CAST(batch_pgsql_state_t, data, BATCH_PGSQL_STATE_MAGIC);

    PQclear(state->result);
    PQclear(state->refusal);
    return APR_SUCCESS;
}

batch_failure_e batch_pgsql_start(batch_connection_t *connection)
{
    batch_pgsql_state_t *state = apr_pcalloc(connection->p, sizeof(*state));

    state->magic = BATCH_PGSQL_STATE_MAGIC;
    connection->state = state;
    state->tables = apr_hash_make(connection->p);
    apr_pool_cleanup_register(connection->p, state, clear_state, apr_pool_cleanup_null);
    if (PQsetnonblocking(connection->native, 1) || !PQenterPipelineMode(connection->native)) {
        return lose(connection, PQerrorMessage(connection->native));
    }
    return BATCH_FAILURE_NONE;
}

batch_pgsql_statement_t *batch_pgsql_statement_make(batch_connection_t *connection, const char *sql,
                                                    const Oid *types, int count)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    batch_pgsql_statement_t *statement = apr_pcalloc(connection->p, sizeof(*statement));

    statement->name = apr_psprintf(connection->p, "batch_%u", ++state->statements);
    statement->sql = apr_pstrdup(connection->p, sql);
    statement->types =
        count ? apr_pmemdup(connection->p, types, (apr_size_t)count * sizeof(*types)) : NULL;
    statement->count = count;
    return statement;
}

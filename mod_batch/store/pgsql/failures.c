#include "store/pgsql/failures.h"

#include <string.h>

/* ---- For the transaction ------------------------------------------------------------------------
 */

static int is_one_of(const char *code, const char *list)
{
    const char *found = strlen(code) == 5 ? strstr(list, code) : NULL;

    return found != NULL;
}

int batch_pgsql_is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return severity && (!strcmp(severity, "FATAL") || !strcmp(severity, "PANIC"));
}

/* A prepared statement that the server has lost, or that does not fit a changed table. */
static int is_outdated(const PGresult *result, const char *code)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return !strcmp(code, "26000") ||
           (!strcmp(code, "0A000") && function && !strcmp(function, "RevalidateCachedQuery"));
}

/* It is not the server that says so, but a function of the administrator's, in its own words. */
static int is_raised(const PGresult *result)
{
    static const char *const raising[] = {"pl_exec.c", "plpy_elog.c", "plperl.c", "pltcl.c"};
    const char *file = PQresultErrorField(result, PG_DIAG_SOURCE_FILE);
    const char *end = file ? strrchr(file, '/') : NULL;
    apr_size_t i;

    file = end ? end + 1 : file;
    for (i = 0; file && i < sizeof(raising) / sizeof(raising[0]); i++) {
        if (!strcmp(file, raising[i])) {
            return 1;
        }
    }
    return 0;
}

/* What a failure means that says something of the moment, not of the rows; NONE: it does not. */
static batch_failure_e passing(const PGresult *result, const char *code, batch_pgsql_what_e what)
{
    /* serialization, deadlock, lock_timeout, object in use, statement_timeout or a cancel */
    if (is_one_of(code, "40001 40P01 55P03 55006") ||
        (!strcmp(code, "57014") && what != BATCH_PGSQL_ROWS)) {
        return BATCH_FAILURE_LOCKED;
    }
    /* Out of disk, memory, connections; I/O; damaged; a transaction that may only read. */
    if (!strncmp(code, "53", 2) || !strncmp(code, "58", 2) || !strncmp(code, "08", 2) ||
        is_one_of(code, "XX001 XX002 25006 25P02 25P03")) {
        return BATCH_FAILURE_LOST;
    }
    return is_outdated(result, code) ? BATCH_FAILURE_OUTDATED : BATCH_FAILURE_NONE;
}

batch_failure_e batch_pgsql_classify(batch_connection_t *connection, const PGresult *result,
                                     batch_pgsql_what_e what)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    batch_failure_e failure;

    code = code ? code : "";
    failure = passing(result, code, what);
    if (failure != BATCH_FAILURE_NONE && is_raised(result)) {
        connection->trigger_spoke = 1;
        if (connection->is_blaming) {
            return what == BATCH_PGSQL_COMMIT ? BATCH_FAILURE_ENDED : BATCH_FAILURE_REFUSED;
        }
    }
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    if (what == BATCH_PGSQL_ROWS) {
        return BATCH_FAILURE_REFUSED;
    }
    if (what == BATCH_PGSQL_COMMIT) {
        return BATCH_FAILURE_ENDED;
    }
    if (what == BATCH_PGSQL_ONE_ROW && !strcmp(code, "22012")) {
        return BATCH_FAILURE_FENCED;
    }
    if (!strcmp(code, "42P01")) {
        return BATCH_FAILURE_MISSING;
    }
    return !strncmp(code, "22", 2) || !strncmp(code, "23", 2) || !strncmp(code, "54", 2) ||
                   !strncmp(code, "P0", 2)
               ? BATCH_FAILURE_REFUSED
               : BATCH_FAILURE_STATEMENT;
}

/* ---- For rows, and in words ---------------------------------------------------------------------
 */

const char *batch_pgsql_sqlstate(const batch_connection_t *connection)
{
    const PGresult *refusal = batch_pgsql_state(connection)->refusal;
    const char *code = refusal ? PQresultErrorField(refusal, PG_DIAG_SQLSTATE) : NULL;

    return code ? code : "";
}

int batch_pgsql_is_misfit(const batch_connection_t *connection)
{
    const PGresult *refusal = batch_pgsql_state(connection)->refusal;
    const char *code = batch_pgsql_sqlstate(connection);
    const char *function = refusal ? PQresultErrorField(refusal, PG_DIAG_SOURCE_FUNCTION) : NULL;
    const char *context = refusal ? PQresultErrorField(refusal, PG_DIAG_CONTEXT) : NULL;

    if (strncmp(code, "42", 2) != 0) {
        return 0;
    }
    if (!strcmp(code, "42501") && function) {
        if (!strncmp(function, "aclcheck_error", 14)) {
            return 1; /* of a trigger's function, too: GRANT is the remedy */
        }
        if (!strcmp(function, "ExecWithCheckOptions")) {
            return 0; /* a policy of the table that this row does not meet */
        }
    }
    /* Where there is a context it is a trigger that failed, or that says so itself. */
    return !context || !*context;
}

batch_refusal_e batch_pgsql_refusal(const batch_connection_t *connection)
{
    const char *code = batch_pgsql_sqlstate(connection);

    if (!strcmp(code, "23505") || !strcmp(code, "23P01")) {
        return BATCH_REFUSAL_UNIQUE;
    }
    if (!strcmp(code, "22003")) {
        return BATCH_REFUSAL_RANGE;
    }
    if (!strcmp(code, "22001")) {
        return BATCH_REFUSAL_TOO_LONG;
    }
    /* Of constraints all but NOT NULL and CHECK; and what a trigger says. */
    return (!strncmp(code, "23", 2) && strcmp(code, "23502") && strcmp(code, "23514")) ||
                   !strcmp(code, "P0001")
               ? BATCH_REFUSAL_OTHERS
               : BATCH_REFUSAL_FINAL;
}

const char *batch_pgsql_constraint(const batch_connection_t *connection)
{
    const PGresult *refusal = batch_pgsql_state(connection)->refusal;
    const char *name = refusal ? PQresultErrorField(refusal, PG_DIAG_CONSTRAINT_NAME) : NULL;

    return name ? name : "";
}

const char *batch_pgsql_message(batch_connection_t *connection)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(connection);
    const char *message =
        state->refusal ? PQresultErrorField(state->refusal, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (state->lost && *state->message) {
        return state->message;
    }
    return message ? message : "the server gave no reason";
}

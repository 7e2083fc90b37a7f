#include "query/query.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "query/run.h"
#include "text/check.h"

/* ---- Problems -------------------------------------------------------------------------------- */

apr_status_t batch_query_problem(batch_query_run_t *run, const char *fmt, ...)
{
    va_list arguments;

    va_start(arguments, fmt);
    run->problem = apr_pvsprintf(run->p, fmt, arguments);
    va_end(arguments);
    return BATCH_EINVALID;
}

apr_status_t batch_query_out_of_time(batch_query_run_t *run)
{
    apr_interval_time_t limit = run->query->limits->query_timeout;

    return batch_query_problem(run,
                               "takes longer than %" APR_TIME_T_FMT ".%03d s, the limit of this "
                               "server (BatchQueryTimeout): narrow it by a column that the "
                               "database has an index for, as _status",
                               apr_time_sec(limit), (int)(limit / 1000 % 1000));
}

apr_status_t batch_query_out_of_memory(batch_query_run_t *run)
{
    return batch_query_problem(run,
                               "needs more than %" APR_INT64_T_FMT " bytes of memory, the limit of "
                               "this server (BatchQueryMemory): select fewer records, or name "
                               "fewer columns",
                               run->query->limits->query_memory);
}

/* ---- Running --------------------------------------------------------------------------------- */

typedef struct attempt {
    unsigned magic;
#define ATTEMPT_MAGIC 0x882fb10eu
    batch_query_run_t *run;
    apr_pool_t *p; /* of the results of this attempt */
} attempt_t;

static apr_status_t attempt_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    attempt_t *attempt = BATCH_CAST(attempt_t, baton, ATTEMPT_MAGIC);
    batch_query_run_t *run = attempt->run;

    apr_pool_clear(attempt->p);
    run->p = attempt->p;
    run->problem = NULL;
    run->text.fault = NULL;
    run->text.p = attempt->p;
    return run->statement->is_scan ? batch_query_scan(run, tx, ptemp)
                                   : batch_query_sandbox(run, tx, ptemp);
}

/* Parses and checks; 0 with a fault. */
static int prepare(batch_query_run_t *run)
{
    batch_statement_t *statement;

    batch_query_lex(&run->text, run->query->text, run->p);
    if (run->text.fault || !batch_query_advise(&run->text, run->schema)) {
        return 0;
    }
    statement = run->statement = batch_query_parse(&run->text);
    if (!statement) {
        return 0;
    }
    if (batch_query_check_statement(statement, &run->text, run->schema, NULL, run->now)) {
        return 1;
    }
    if (!statement->is_guess && statement->forms->nelts < 2) {
        return 0;
    }
    /*
     * A name may mean something else than was guessed: that is known when the forms are read. And
     * of several forms one may be missing, which is the first thing to be said.
     */
    run->fault = statement->is_guess ? NULL : run->text.fault;
    run->text.fault = NULL;
    statement->is_scan = 0;
    return 1;
}

static apr_status_t too_many(const batch_query_run_t *run, batch_problems_t *problems,
                             const char *field)
{
    batch_problem_add(problems, field,
                      "selects %" APR_INT64_T_FMT
                      " distinct objects, and a batch can have %" APR_INT64_T_FMT
                      " at most: narrow the query, or send several batches",
                      run->ids.count, run->query->limits->max_objects);
    return BATCH_EINVALID;
}

static apr_status_t run_query(batch_query_run_t *run, batch_problems_t *problems, const char *field,
                              batch_store_t *store, batch_error_t *err, apr_pool_t *p)
{
    attempt_t attempt = {.magic = ATTEMPT_MAGIC, .run = run};
    apr_status_t rv = apr_pool_create(&attempt.p, p);

    if (rv != APR_SUCCESS) {
        return batch_error_set(err, BATCH_EUNAVAILABLE, NULL, p, "out of memory");
    }
    run->p = p;
    run->now = apr_time_now();
    run->deadline = run->now + run->query->limits->query_timeout;
    run->schema = batch_query_schema_make(run->query->resource, p);
    rv = prepare(run) ? batch_store_read_long(store, attempt_body, &attempt, err, p)
                      : BATCH_EINVALID;
    if (rv == BATCH_EINVALID) {
        const char *wrong = run->problem ? run->problem : run->text.fault;
        batch_problem_add(problems, field, "%s", wrong ? wrong : "cannot be run");
    } else if (rv == BATCH_ECROWDED) {
        return batch_error_set(err, rv, NULL, p,
                               "other queries have taken the memory that there is for queries: try "
                               "again in a moment");
    } else if (rv == APR_SUCCESS && run->ids.count > run->query->limits->max_objects) {
        rv = too_many(run, problems, field);
    }
    return rv;
}

apr_status_t batch_query_check(batch_problems_t *problems, const char *field, batch_store_t *store,
                               const batch_query_t *query, batch_error_t *err, apr_pool_t *p)
{
    batch_query_run_t run = {.magic = BATCH_QUERY_RUN_MAGIC, .query = query, .check_only = 1};

    return run_query(&run, problems, field, store, err, p);
}

apr_status_t batch_query_run(apr_array_header_t **items, batch_problems_t *problems,
                             const char *field, batch_store_t *store, const batch_query_t *query,
                             batch_error_t *err, apr_pool_t *p)
{
    batch_query_run_t run = {.magic = BATCH_QUERY_RUN_MAGIC, .query = query};
    apr_status_t rv = run_query(&run, problems, field, store, err, p);

    *items = rv == APR_SUCCESS ? run.ids.items : NULL;
    return rv;
}

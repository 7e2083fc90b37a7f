/*
 * What SQLite is told about durability, foreign keys and memory: where a library does not take it,
 * no connection is used, and no query runs. SQLite itself says nothing then.
 */
/* needs: sqlite3 */
#include "engine_fixture.h"

#include <sqlite3.h>

#include "query/query.h"

static const char *spoilt = ""; /* the PRAGMA that is not taken */
static int verdict;             /* SQLITE_IGNORE: silently; SQLITE_DENY: as a failure */

static int authorize(void *baton, int action, const char *first, const char *second,
                     const char *third, const char *fourth)
{
    (void)baton;
    (void)second;
    (void)third;
    (void)fourth;
    return action == SQLITE_PRAGMA && !strcmp(first, spoilt) ? verdict : SQLITE_OK;
}

static int spoil(sqlite3 *database, char **words, const void *unused)
{
    (void)words;
    (void)unused;
    return sqlite3_set_authorizer(database, authorize, NULL);
}

static apr_status_t nothing(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    (void)baton;
    (void)ptemp;
    return APR_SUCCESS;
}

/* Opens the database anew: what that comes to, and in err what is said. */
static apr_status_t open_anew(batch_error_t *err, apr_pool_t *p)
{
    batch_store_t *store = store_make(database, apr_time_from_msec(300), p);
    apr_status_t rv = batch_store_read(store, nothing, NULL, err, p);

    batch_store_destroy(store);
    return rv;
}

static void test_connections(apr_pool_t *p)
{
    static const char *const names[] = {"synchronous", "foreign_keys"};
    static const int verdicts[] = {SQLITE_IGNORE, SQLITE_DENY};
    batch_error_t denied = {0};
    int i, j;

    for (i = 0; i < 2; i++) {
        for (j = 0; j < 2; j++) {
            batch_error_t err = {0};

            spoilt = names[i];
            verdict = verdicts[j];
            is_number(
                open_anew(&err, p), BATCH_EUNAVAILABLE,
                apr_psprintf(p, "PRAGMA %s is not taken%s", spoilt, j ? ", with a failure" : ""));
            ok(err.message && strstr(err.message, j ? "not authorized" : spoilt), "%s",
               err.message ? err.message : "nothing is said");
        }
    }
    spoilt = "journal_mode";
    verdict = SQLITE_DENY;
    is_number(open_anew(&denied, p), BATCH_EUNAVAILABLE, "nor journal_mode, with a failure");
    spoilt = "";
    is_number(open_anew(&denied, p), APR_SUCCESS, "all are taken");
}

static apr_status_t ask(batch_problems_t *problems, apr_pool_t *p)
{
    batch_query_t query = {&record, "acme", FORM,
                           "SELECT _record_id AS id FROM \"One\" WHERE _record_id IN "
                           "(SELECT min(_record_id) FROM \"One\")",
                           &engine.limits};
    apr_array_header_t *items = NULL;
    batch_error_t err = {0};

    return batch_query_run(&items, problems, "query", engine.store, &query, &err, p);
}

static void test_queries(apr_pool_t *p)
{
    static const char *const names[] = {"page_size", "temp_store", "journal_mode",
                                        "max_page_count"};
    int i;

    for (i = 0; i < 4; i++) {
        batch_problems_t *problems = batch_problems_make(p);

        /* The store's connections are open; the private database of a query is not. */
        spoilt = "";
        is_number(ask(problems, p), APR_SUCCESS, "a query runs");
        spoilt = names[i];
        verdict = SQLITE_IGNORE;
        is_number(ask(problems, p), BATCH_EINVALID,
                  apr_psprintf(p, "without %s it does not", spoilt));
        ok(problems->nelts == 1 && strstr(APR_ARRAY_IDX(problems, 0, batch_problem_t).message,
                                          "cannot be run by this server"),
           "and says so");
    }
    spoilt = "";
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    sqlite3_auto_extension((void (*)(void))spoil);
    p = begin_database("pragmas");
    make_engine(database, p);
    fill(p);
    if (batch_store_migrate(engine.store, NULL, p) != APR_SUCCESS) {
        return 1;
    }
    test_queries(p);
    test_connections(p);
    batch_store_destroy(engine.store);
    sqlite3_reset_auto_extension();
    return end_database(p);
}

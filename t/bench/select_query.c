/*
 * Selects by an indexed status, by turns: the hand-written SQL through apr_dbd, and the module's
 * query. usage: select_query DATABASE FORM STATUS ROUNDS; prints the milliseconds of each and the
 * ratio, a line a round, and how many ids there were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "query/query.h"

static const char *form, *status;

static void fail(const char *what)
{
    fprintf(stderr, "select_query: %s\n", what);
    exit(1);
}

static batch_resource_t *resource_make(apr_pool_t *p)
{
    batch_resource_t *resource = apr_pcalloc(p, sizeof(*resource));
    batch_column_t *column;

    resource->name = "record";
    resource->table = "records";
    resource->key = "id";
    resource->scope = resource->form_scope = "organization_id";
    resource->form_column = "form_id";
    resource->form_table = "forms";
    resource->form_id = "id";
    resource->form_name = "name";
    resource->columns = apr_array_make(p, 1, sizeof(batch_column_t));
    column = apr_array_push(resource->columns);
    memset(column, 0, sizeof(*column));
    column->name = "status";
    column->type = BATCH_TYPE_TEXT;
    return resource;
}

/* Each id is copied, as it has to be to outlive its row. */
static int select_by_hand(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                          apr_dbd_prepared_t *prepared, apr_pool_t *p)
{
    const char *values[] = {"acme", form, status};
    apr_array_header_t *ids = apr_array_make(p, 64, sizeof(const char *));
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;

    if (apr_dbd_pselect(driver, p, handle, &results, prepared, 0, 3, values)) {
        fail(apr_dbd_error(driver, handle, 0));
    }
    while (!apr_dbd_get_row(driver, p, results, &row, -1)) {
        APR_ARRAY_PUSH(ids, const char *) = apr_pstrdup(p, apr_dbd_get_entry(driver, row, 0));
    }
    return ids->nelts;
}

static int select_by_query(batch_store_t *store, const batch_query_t *query, apr_pool_t *p)
{
    batch_problems_t *problems = batch_problems_make(p);
    apr_array_header_t *items = NULL;
    batch_error_t err = {0};

    if (batch_query_run(&items, problems, "query", store, query, &err, p) != APR_SUCCESS) {
        fail(problems->nelts ? APR_ARRAY_IDX(problems, 0, batch_problem_t).message : err.message);
    }
    return items->nelts;
}

int main(int argc, char **argv)
{
    batch_store_config_t config = {.driver = "sqlite3", .max_connections = 1, .patience = 1000000};
    batch_limits_t limits = {.max_objects = 10000000,
                             .query_timeout = 60 * APR_USEC_PER_SEC,
                             .query_rows = 1,
                             .query_memory = 1 << 30};
    batch_query_t query = {.organization = "acme", .limits = &limits};
    const apr_dbd_driver_t *driver;
    apr_dbd_prepared_t *prepared = NULL;
    apr_dbd_t *handle = NULL;
    batch_store_t *store;
    batch_error_t err = {0};
    apr_pool_t *pool, *p;
    int round;

    if (argc != 5) {
        fail("usage: select_query DATABASE FORM STATUS ROUNDS");
    }
    form = argv[2];
    status = argv[3];
    apr_initialize();
    apr_pool_create(&pool, NULL);
    batch_store_prepare(pool);
    config.params = argv[1];
    /* The module's tables first: making them would outdate the other's statement. */
    if (batch_store_create(&store, &config, &err, pool) != APR_SUCCESS ||
        batch_store_migrate(store, &err, pool) != APR_SUCCESS ||
        apr_dbd_get_driver(pool, "sqlite3", &driver) ||
        apr_dbd_open(driver, pool, argv[1], &handle) ||
        apr_dbd_prepare(driver, pool, handle,
                        "SELECT id FROM records WHERE organization_id = %s AND form_id = %s AND "
                        "status = %s",
                        "select", &prepared)) {
        fail("cannot open the database");
    }
    query.resource = resource_make(pool);
    query.form_id = form;
    query.text = apr_psprintf(pool, "SELECT _record_id AS id FROM \"%s\" WHERE _status = '%s'",
                              form, status);
    for (round = 0; round <= atoi(argv[4]); round++) {
        apr_time_t begun, middle, ended;
        int by_hand, by_query;

        apr_pool_create(&p, pool);
        begun = apr_time_now();
        by_hand = select_by_hand(driver, handle, prepared, p);
        middle = apr_time_now();
        by_query = select_by_query(store, &query, p);
        ended = apr_time_now();
        if (by_hand != by_query) {
            fail("they select differently");
        }
        if (round) { /* the first one warms up */
            printf("%.2f %.2f %.3f %d\n", (double)(middle - begun) / 1e3,
                   (double)(ended - middle) / 1e3,
                   (double)(ended - middle) / (double)(middle - begun), by_hand);
        }
        apr_pool_destroy(p);
    }
    batch_store_destroy(store);
    apr_dbd_close(driver, handle);
    apr_terminate();
    return 0;
}

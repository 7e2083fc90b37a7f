/*
 * Lists of many jobs: in every order, from any place on, with any filters, what one plain SELECT
 * would give.
 */
/* needs: database; takes: long */
#include "store_fixture.h"

/* Jobs of the organization: more than one statement walks over. */
#define JOBS 2600

/* Jobs that are being received: no list has them. */
#define RECEIVED 100

static batch_store_t *store;

typedef struct listing {
    batch_job_query_t query;
    apr_int64_t total;
    apr_int64_t count;
    apr_int64_t digest; /* of the numbers and their places */
} listing_t;

static apr_status_t note_job(void *baton, const batch_job_t *job)
{
    listing_t *listing = baton;

    listing->count++;
    listing->digest += job->seq * listing->count;
    return APR_SUCCESS;
}

static apr_status_t list_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    listing_t *listing = baton;

    listing->count = listing->digest = 0;
    return batch_tx_job_list(tx, &listing->total, &listing->query, note_job, listing, ptemp);
}

/* Times that few jobs share, some share, and all share; and all statuses. */
static void fill(void)
{
    batch_job_t job = new_job("listed");
    const char *columns =
        "organization, action, position, epoch, claims, revision, created, updated, deleted,"
        " overwritten, duplicates, errors, stored, via, duplicate_handling, save_upload,"
        " received, invalid, cleanup_total, cleanup_done, parsed_at, validated_at, processed_at";

    is_number(batch_store_write(store, insert_job, &job, &err, pool), APR_SUCCESS, "a job");
    native(path, apr_psprintf(
                     pool,
                     "INSERT INTO batch_jobs (id, api, resource, mode, status, status_rank, total,"
                     " created_at, updated_at, queued_at, started_at, completed_at, %s)"
                     " WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d)"
                     " SELECT 'job-' || n, 'records',"
                     " CASE WHEN n %% 9 > 0 THEN 'resource-' || (n %% 3) END,"
                     " CASE WHEN n %% 2 = 0 THEN 'sync' ELSE 'mixed' END,"
                     " CASE WHEN n < %d THEN 'completed' ELSE 'receiving' END,"
                     " 1 + n / 2050 %% 4, n %% 7, n, (n * 7919) %% 5003, n / 2000, 1, 7, %s"
                     " FROM c, batch_jobs",
                     columns, JOBS + RECEIVED - 1, JOBS, columns));
    is_number(number("SELECT count(*) FROM batch_jobs"), JOBS + RECEIVED, "many jobs");
}

#define SORT_COLUMN(symbol, word, column) column,
static const char *const columns[] = {BATCH_SORT_LIST(SORT_COLUMN)};

/* condition: of the query's filters, which let through that many. */
static int is_right(const batch_job_query_t *query, const char *condition, apr_int64_t fitting)
{
    const char *column = columns[query->sort];
    const char *direction = query->descending ? "DESC" : "ASC";
    listing_t listing = {.query = *query};
    apr_status_t rv = batch_store_read(store, list_body, &listing, &err, pool);
    apr_int64_t left = query->offset >= fitting ? 0 : fitting - query->offset;
    long long digest = number(apr_psprintf(
        pool,
        "SELECT coalesce(sum(seq * n), 0) FROM (SELECT seq, row_number() OVER (ORDER BY %s %s,"
        " seq %s) - %d AS n FROM batch_jobs WHERE organization = 'listed' AND api = 'records' AND"
        " status <> 'receiving' AND %s) AS listed WHERE n BETWEEN 1 AND %d",
        column, direction, direction, (int)query->offset, condition, (int)query->limit));

    if (rv == APR_SUCCESS && listing.total == fitting &&
        listing.count == (left < query->limit ? left : query->limit) && listing.digest == digest) {
        return 1;
    }
    printf("# wrong: %d from %d on, where %s\n", (int)query->limit, (int)query->offset, condition);
    return 0;
}

/* Pages of a list, in every order, or in every few-th. */
static void test_pages(batch_job_query_t query, int step, const char *condition, const char *name)
{
    static const int offsets[] = {0, 499, 682, 2000, 2001, 2101, 2599, 3000};
    static const int limits[] = {1, 501, 2100};
    apr_int64_t fitting =
        number(apr_psprintf(pool,
                            "SELECT count(*) FROM batch_jobs WHERE organization = 'listed' AND"
                            " api = 'records' AND status <> 'receiving' AND %s",
                            condition));
    size_t i;
    int sort;

    query.organization = "listed";
    query.api = BATCH_API_RECORDS;
    for (sort = 0; sort < 2 * BATCH_SORT_COUNT; sort += step) {
        int right = 1;

        query.sort = (batch_sort_e)(sort / 2);
        query.descending = sort % 2;
        for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
            query.offset = offsets[i];
            query.limit = limits[(i + (size_t)sort) % 3];
            right = is_right(&query, condition, fitting) && right;
        }
        ok(right, "%s by %s%s", name, columns[query.sort], query.descending ? ", descending" : "");
    }
}

static void test_orders(void)
{
    test_pages((batch_job_query_t){.limit = 1}, 1, "1 = 1", "all");
    test_pages((batch_job_query_t){.resource = "resource-1"}, 5, "resource = 'resource-1'",
               "of a resource");
    test_pages((batch_job_query_t){.resource = "resource-2", .mode = "sync", .status = "completed"},
               5, "resource = 'resource-2' AND mode = 'sync'", "of several filters");
    test_pages((batch_job_query_t){.via = "api", .action = "delete"}, 5, "1 = 1",
               "of filters that let all through");
    test_pages((batch_job_query_t){.status = "failed"}, 5, "1 = 0", "of a filter that lets none");
}

static apr_int64_t total_of(batch_api_e api)
{
    listing_t listing = {.query = {.organization = "listed", .api = api, .limit = 1}};

    return batch_store_read(store, list_body, &listing, &err, pool) == APR_SUCCESS ? listing.total
                                                                                   : -1;
}

/* The total knows jobs once they have been received. */
static void test_received(void)
{
    is_number(total_of(BATCH_API_RESOURCES), 0, "before they are received");
    native(path, "UPDATE batch_jobs SET api = 'resources', status = 'queued'"
                 " WHERE id IN ('job-2601', 'job-2602')");
    is_number(total_of(BATCH_API_RESOURCES), 2, "two are received");
    native(path, "UPDATE batch_jobs SET status = 'processing' WHERE id = 'job-2601'");
    is_number(total_of(BATCH_API_RESOURCES), 2, "one of them goes on");
    is_number(total_of(BATCH_API_RECORDS), JOBS, "they are none of the other API's");
    native(path, "DELETE FROM batch_jobs WHERE id IN ('job-2601', 'job-2603')");
    is_number(total_of(BATCH_API_RESOURCES), 1, "one is removed, and one that is not received");
    is_number(total_of(BATCH_API_RECORDS), JOBS, "of the other API none");
}

/* The total is counted as jobs come and go, whoever adds or removes them. */
static void test_total(void)
{
    listing_t listing = {.query = {.organization = "listed", .api = BATCH_API_RECORDS, .limit = 1}};

    native(path, "DELETE FROM batch_jobs WHERE created_at BETWEEN 11 AND 20");
    batch_store_read(store, list_body, &listing, &err, pool);
    is_number(listing.total, JOBS - 10, "ten are removed by somebody else");
    ok(elsewhere("DROP TABLE batch_schema"), "the version is lost");
    is_number(batch_store_migrate(store, &err, pool), APR_SUCCESS, "the tables are mended");
    batch_store_read(store, list_body, &listing, &err, pool);
    is_number(listing.total, JOBS - 10, "the total is still right");
    ok(elsewhere("DROP TABLE batch_jobs"), "the table is dropped");
    batch_store_read(store, list_body, &listing, &err, pool);
    is_number(listing.total, 0, "none are left");
    listing.query.organization = "nobody";
    is_number(batch_store_read(store, list_body, &listing, &err, pool), APR_SUCCESS, "nobody");
    is_number(listing.total, 0, "has none");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    store = open_store(path, 5000);
    fill();
    test_orders();
    test_received();
    test_total();
    batch_store_destroy(store);
    return fixture_end();
}

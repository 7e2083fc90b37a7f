/* Lists of many jobs: in every order, from any place on, what one plain SELECT would give. */
#include "store_fixture.h"

/* Jobs of the organization: more than one statement walks over. */
#define JOBS 4100

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
        "api, organization, action, cursor, epoch, claims, revision, created, updated, deleted,"
        " overwritten, duplicates, errors, stored, mode, via, duplicate_handling, save_upload,"
        " received, invalid, cleanup_total, cleanup_done, parsed_at, validated_at, processed_at";

    is_number(batch_store_write(store, insert_job, &job, &err, pool), APR_SUCCESS, "a job");
    native(path,
           apr_psprintf(
               pool,
               "INSERT INTO batch_jobs (id, status, status_rank, total, created_at, updated_at,"
               " queued_at, started_at, completed_at, %s) WITH RECURSIVE c(n) AS (SELECT 1 UNION"
               " ALL SELECT n + 1 FROM c WHERE n < %d) SELECT 'job-' || n, 'completed',"
               " 1 + n / 2050 %% 4, n %% 7, n, (n * 7919) %% 5003, n / 2000, 1, 7, %s"
               " FROM c, batch_jobs",
               columns, JOBS - 1, columns));
    is_number(number("SELECT count(*) FROM batch_jobs"), JOBS, "many jobs");
}

static int is_right(batch_sort_e sort, const char *column, int descending, int offset, int limit)
{
    const char *direction = descending ? "DESC" : "ASC";
    listing_t listing = {.query = {.organization = "listed",
                                   .api = BATCH_API_RECORDS,
                                   .sort = sort,
                                   .descending = descending,
                                   .offset = offset,
                                   .limit = limit}};
    apr_status_t rv = batch_store_read(store, list_body, &listing, &err, pool);
    long long digest = number(apr_psprintf(
        pool,
        "SELECT coalesce(sum(seq * n), 0) FROM (SELECT seq, row_number() OVER (ORDER BY %s %s,"
        " seq %s) - %d AS n FROM batch_jobs WHERE organization = 'listed') AS listed"
        " WHERE n BETWEEN 1 AND %d",
        column, direction, direction, offset, limit));
    int wanted = offset >= JOBS ? 0 : JOBS - offset < limit ? JOBS - offset : limit;

    return rv == APR_SUCCESS && listing.total == JOBS && listing.count == wanted &&
           listing.digest == digest;
}

#define SORT_COLUMN(symbol, word, column) column,

static void test_orders(void)
{
    static const char *const columns[] = {BATCH_SORT_LIST(SORT_COLUMN)};
    static const int offsets[] = {0, 2000, 2001, 3999, 4099, 5000};
    static const int limits[] = {501, 2100};
    size_t i, j;
    int sort, direction;

    for (sort = 0; sort < BATCH_SORT_COUNT; sort++) {
        for (direction = 0; direction < 2; direction++) {
            int right = 1;

            for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
                for (j = 0; j < sizeof(limits) / sizeof(limits[0]); j++) {
                    if (!is_right((batch_sort_e)sort, columns[sort], direction, offsets[i],
                                  limits[j])) {
                        printf("# wrong: %d from %d on\n", limits[j], offsets[i]);
                        right = 0;
                    }
                }
            }
            ok(right, "by %s%s", columns[sort], direction ? ", descending" : "");
        }
    }
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
    test_total();
    batch_store_destroy(store);
    return fixture_end();
}

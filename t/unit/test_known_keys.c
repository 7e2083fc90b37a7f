/*
 * Large batches by id: the keys of a scope read at once, rows that come and go meanwhile, and
 * cleanups that remember what they have counted.
 */
/* needs: database; takes: long */
#include "engine/known_keys.h"

#include "intake_fixture.h"

#define ITEMS 5000

/* What is done to the table when the source is asked for an item for the second time. */
static const char *meanwhile;
static int meanwhile_at;
static const char *odd_id; /* of the item number ODD */
#define ODD 4000

static batch_problems_t *problems;

/* ---- Batches ------------------------------------------------------------------------------------
 */

static apr_status_t next_by_id(void *baton, batch_source_item_t *out, batch_error_t *err,
                               apr_pool_t *p)
{
    struct source *source = baton;
    int at = source->at++;

    (void)err;
    if (at >= source->source.count) {
        return APR_EOF;
    }
    if (meanwhile && at == meanwhile_at) {
        sql(p, meanwhile);
        meanwhile = NULL;
    }
    *out = item(at == ODD && odd_id ? apr_psprintf(p, "id=%s size=7", odd_id)
                                    : apr_psprintf(p, "id=i%05d size=7", at),
                p);
    out->size = 256; /* some 2,000 are a group */
    return APR_SUCCESS;
}

static void take_in(batch_job_t *job, const char *action, int count, apr_pool_t *p)
{
    struct source source = {{next_by_id, rewind_items, NULL, count, NULL, NULL}, NULL, 0, 0};
    batch_resources_request_t sent = {.mode = "mixed",
                                      .action = action,
                                      .resource = "named",
                                      .save_upload = 1,
                                      .has_data = 1,
                                      .count = count};
    batch_error_t err = {0};
    batch_terms_t terms;
    int unused;

    source.source.baton = &source;
    problems = batch_problems_make(p);
    batch_resources_check(&terms, &unused, problems, &engine, &sent, p);
    is_number(batch_intake(job, apr_array_make(p, 4, sizeof(batch_item_error_t)), &engine, &alice,
                           &terms, &source.source, problems, &err, p),
              APR_SUCCESS, apr_psprintf(p, "a large %s by id is taken in", action));
}

/* So many rows, with keys of a prefix and five digits. */
static void insert_places(const char *prefix, int count, const char *kind, apr_pool_t *p)
{
    sql(p,
        is_pgsql()
            ? apr_psprintf(p,
                           "INSERT INTO named_rows SELECT '%s' || lpad(i::text, 5, '0'), 'acme', "
                           "'n' || i, '%s', 1, NULL FROM generate_series(0, %d - 1) AS n (i)",
                           prefix, kind, count)
            : apr_psprintf(p,
                           "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n "
                           "WHERE i + 1 < %d) INSERT INTO named_rows SELECT '%s' || printf('%%05d',"
                           " i), 'acme', 'n' || i, '%s', 1, NULL FROM n",
                           count, prefix, kind));
}

/* Rows i00000 and on, and more that no item of a test names, with keys of so many bytes. */
static void fill_places(int count, int more, int bytes, apr_pool_t *p)
{
    char *prefix = apr_pcalloc(p, (apr_size_t)bytes + 1);

    memset(prefix, 'x', (apr_size_t)bytes);
    sql(p, "DELETE FROM named_rows;"
           "INSERT INTO named_rows VALUES ('g1', 'globex', 'one', 'shop', 1, NULL)");
    insert_places("i", count, "shop", p);
    if (more) {
        insert_places(prefix, more, "bar", p);
    }
}

static const char *rows(const char *condition, apr_pool_t *p)
{
    return sql(p, apr_psprintf(p, "SELECT count(*) FROM named_rows WHERE %s", condition));
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

static batch_known_keys_t *known_of(const char *organization, int limit, apr_pool_t *p)
{
    batch_row_scope_t scope = {.resource = &named, .organization = organization};
    batch_known_keys_t *known = NULL;

    is_number(batch_known_keys_make(&known, engine.store, &scope, limit, p), APR_SUCCESS,
              "the keys of a scope are asked for");
    return known;
}

static void test_set(apr_pool_t *p)
{
    const batch_known_keys_t *known;

    fill_places(ITEMS, 0, 0, p);
    ok(!known_of("acme", ITEMS, p), "without an index for it there is no set");
    sql(p, "CREATE INDEX named_rows_by_scope ON named_rows (organization_id, id)");
    known = known_of("acme", ITEMS, p);
    if (is_pgsql()) {
        ok(!known, "PostgreSQL looks for many rows at once");
        return;
    }
    ok(known && batch_known_keys_have(known, "i00000", 6) &&
           batch_known_keys_have(known, "i02500", 6) && batch_known_keys_have(known, "i04999", 6),
       "with one all are in it");
    ok(known && !batch_known_keys_have(known, "i05000", 6) &&
           !batch_known_keys_have(known, "i0000", 5),
       "and nothing else");
    ok(known && !batch_known_keys_have(known, "g1", 2), "no other organization's");
    ok(!known_of("acme", ITEMS - 1, p), "a scope that is too large has none");
    known = known_of("nobody", ITEMS, p);
    ok(known && !batch_known_keys_have(known, "i00000", 6), "an empty scope has an empty one");
}

static void test_changes_meanwhile(apr_pool_t *p)
{
    batch_job_t job, ran;

    fill_places(ITEMS - 10, 0, 0, p);
    meanwhile =
        "DELETE FROM named_rows WHERE id = 'i04500'; INSERT INTO named_rows VALUES ('i04995', "
        "'acme', 'late', 'shop', 1, NULL)";
    meanwhile_at = 4400;
    odd_id = "g1";
    take_in(&job, "merge", ITEMS, p);
    is_number(job.total, is_pgsql() ? ITEMS - 11 : ITEMS - 10,
              "a row that has come meanwhile is found");
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "the batch runs");
    is_string(counts_of(&ran, p), "0/4989/0/0/0/11",
              "one that has gone meanwhile is an error, whoever finds it");
    ok(strstr(errors_of(&ran, p), " 4500:i04500:not_found ") != NULL, "of its item");
    ok(strstr(errors_of(&ran, p), "4000:g1:not_found ") != NULL,
       "another organization's row is none of ours");
    is_string(rows("size = 7 AND organization_id = 'acme'", p), "4989", "the others are changed");
    is_string(rows("size = 1 AND id = 'g1'", p), "1", "and no other row");
    odd_id = NULL;
}

static void test_delete(apr_pool_t *p)
{
    batch_job_t job, ran;

    fill_places(ITEMS - 1, 0, 0, p);
    take_in(&job, "delete", ITEMS, p);
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "a delete runs");
    is_string(counts_of(&ran, p), "0/0/4999/0/0/1", "and deletes what is there");
    is_string(rows("organization_id = 'acme'", p), "0", "in the table, too");
}

/* Overwrites with several workers; what is removed are `more` rows. */
static void overwrite(int more, int bytes, const char *counts, apr_pool_t *p)
{
    batch_job_t job, ran;
    int runs = 0;

    fill_places(ITEMS, more, bytes, p);
    take_in(&job, "overwrite", ITEMS, p);
    /* PostgreSQL would take a set of few rows each time. */
    engine.limits.chunk_time = apr_time_from_msec(is_pgsql() ? 50 : 1);
    do {
        runs++;
    } while (run_next(&ran, 30, p) == APR_SUCCESS && ran.status == BATCH_STATUS_PROCESSING);
    engine.limits.chunk_time = apr_time_from_sec(10);
    printf("# %d workers\n", runs);
    is_number(ran.status, BATCH_STATUS_COMPLETED, "an overwrite ends, whoever goes on with it");
    is_string(counts_of(&ran, p), counts, "its counts are exact");
    is_number(ran.cleanup_total, more, "what was to be removed was foreseen");
    is_number(ran.cleanup_done, more, "and all of it was tried");
    is_string(rows("organization_id = 'acme' AND size = 7", p), "5000", "named rows stay");
    is_string(rows("organization_id = 'globex'", p), "1", "and those of others");
}

static void test_cleanup(apr_pool_t *p)
{
    overwrite(3000, 10, "0/5000/0/3000/0/0", p);
    is_string(rows("organization_id = 'acme'", p), "5000", "what is remembered is removed");
    overwrite(4000, 1000, "0/5000/0/4000/0/0", p);
    is_string(rows("organization_id = 'acme'", p), "5000", "so is what is too much for that");
    overwrite(0, 0, "0/5000/0/0/0/0", p);
    is_string(rows("organization_id = 'acme'", p), "5000", "and nothing where nothing is");
}

/* Rows that a deferred constraint keeps: the chunk is halved until each of them is alone. */
static void test_kept_rows(apr_pool_t *p)
{
    batch_job_t job, ran;

    sql(p, "CREATE TABLE visits (row_id TEXT REFERENCES named_rows (id) DEFERRABLE INITIALLY "
           "DEFERRED)");
    fill_places(ITEMS, 1200, 3, p);
    sql(p, "INSERT INTO visits VALUES ('xxx00000'), ('xxx00700'), ('xxx01199')");
    take_in(&job, "overwrite", ITEMS, p);
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "an overwrite with rows that cannot go");
    is_string(counts_of(&ran, p), "0/5000/0/1197/0/3", "removes the others");
    is_number(ran.cleanup_total, 1200, "all were foreseen");
    is_number(ran.cleanup_done, 1200, "and tried");
    is_string(errors_of(&ran, p),
              "6197:xxx00000:refused 6198:xxx00700:refused 6199:xxx01199:refused ",
              "each that stays is an error, behind those of the items");
    is_string(rows("organization_id = 'acme'", p), "5003", "and stays");
    sql(p, "DROP TABLE visits");
}

int main(void)
{
    apr_pool_t *p = begin_intake("known");

    test_set(p);
    test_changes_meanwhile(p);
    test_delete(p);
    test_cleanup(p);
    test_kept_rows(p);
    return end_intake(p);
}

/* Batches that wait for their upload, on a real database: who may send one, and what is left. */
/* needs: database */
#include "engine/upload.h"

#include "intake_fixture.h"

static batch_problems_t *problems;
static batch_error_t err;

static apr_status_t ask(batch_job_t *job, const char *action, apr_pool_t *p)
{
    batch_resources_request_t request = {
        .action = action, .resource = "named", .save_upload = 1, .atomic = 1};
    batch_terms_t terms;
    int known;

    problems = batch_problems_make(p);
    batch_resources_check(&terms, &known, problems, &engine, &request, p);
    return problems->nelts ? BATCH_EINVALID
                           : batch_upload_request(job, &engine, &alice, &terms, &err, p);
}

static apr_status_t begin(batch_upload_t **upload, batch_job_t *job, const batch_actor_t *actor,
                          const char *id, apr_pool_t *p)
{
    memset(&err, 0, sizeof(err));
    return batch_upload_begin(upload, job, &engine, actor, id, &err, p);
}

static apr_status_t take(batch_upload_t *upload, const char *const *texts, int count)
{
    struct source source = {{next_item, rewind_items, NULL, count, NULL, NULL}, texts, 0, 0};

    while (texts && texts[source.source.count]) {
        source.source.count++;
    }
    source.source.baton = &source;
    apr_array_clear(problems);
    return batch_upload_take(upload, &source.source, "sum", problems, &err);
}

#define ITEMS(...) ((const char *const[]){__VA_ARGS__, NULL}), 0

static const char *stored(const batch_job_t *job, apr_pool_t *p)
{
    return sql(p, apr_psprintf(p,
                               "SELECT status || ' ' || received || ' ' || stored || ' ' || errors "
                               "|| ' ' || (SELECT count(*) FROM batch_items WHERE job = seq) || ' '"
                               " || (SELECT count(*) FROM batch_errors WHERE job = seq) || ' ' || "
                               "CASE WHEN owner_host IS NULL THEN 'free' ELSE 'owned' END FROM "
                               "batch_jobs WHERE id = '%s'",
                               job->id));
}

static void test_one(apr_pool_t *p)
{
    batch_job_t job, seen, ran;
    batch_upload_t *upload, *second;

    empty(p);
    is_number(ask(&job, "merge", p), APR_SUCCESS, "a batch without items is made");
    is_number(job.status, BATCH_STATUS_REQUESTED, "and waits");
    is_number(job.expires_at % APR_USEC_PER_SEC, 0, "until a whole second");
    ok(job.expires_at >= job.created_at + engine.limits.url_ttl &&
           job.expires_at < job.created_at + engine.limits.url_ttl + APR_USEC_PER_SEC,
       "so long as its URL is valid");
    is_number(begin(&upload, &seen, &carol, job.id, p), BATCH_ENOTFOUND,
              "another organization does not find it");
    is_number(begin(&upload, &job, &alice, job.id, p), APR_SUCCESS, "an upload begins");
    is_string(stored(&job, p), "requested 0 0 0 0 0 owned", "which is known");
    is_number(begin(&second, &seen, &alice, job.id, p), BATCH_ECONFLICT, "so that no other can");
    is_number(take(upload, ITEMS("name=one kind=shop size=5", "name=new kind=shop", "size=x")),
              APR_SUCCESS, "its items are taken in");
    is_number(job.status, BATCH_STATUS_QUEUED, "and it is queued");
    is_string(stored(&job, p), "queued 3 3 1 1 1 free", "with its items and errors");
    is_string(again(&job, p).checksum, "sum", "and its checksum");
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "a worker runs it");
    is_number(ran.status, BATCH_STATUS_COMPLETED, "to its end");
    is_string(counts_of(&ran, p), "1/1/0/0/0/1", "with exact counts");
    is_number(begin(&second, &seen, &alice, job.id, p), BATCH_ECONFLICT, "it takes no other");
    ok(err.message && strstr(err.message, "has one"), "and says why: %s", err.message);
}

static void test_broken_off(apr_pool_t *p)
{
    batch_upload_t *upload, *second;
    batch_job_t job, seen;
    apr_time_t began_at;

    empty(p);
    ask(&job, "merge", p);
    begin(&upload, &job, &alice, job.id, p);
    batch_upload_release(upload);
    is_string(stored(&job, p), "requested 0 0 0 0 0 free", "one that broke off leaves nothing");
    begin(&upload, &job, &alice, job.id, p);
    began_at = job.upload_began_at;
    is_number(batch_upload_fail(upload, "because", &err), APR_SUCCESS, "one that is wrong");
    seen = again(&job, p);
    ok(began_at > 0 && seen.upload_began_at == began_at && job.upload_began_at == began_at,
       "keeps the time at which it began");
    is_number(seen.status, BATCH_STATUS_FAILED, "ends the batch");
    is_string(seen.reason, "because", "with its reason");
    ok(seen.completed_at > 0, "for good");

    /* Whoever is silent for longer than the lease, or is gone, is no owner any more. */
    ask(&job, "merge", p);
    begin(&upload, &job, &alice, job.id, p);
    sql(p, "UPDATE batch_jobs SET lease_until = 1 WHERE status = 'requested'");
    is_number(begin(&second, &seen, &alice, job.id, p), APR_SUCCESS, "after the lease another can");
    is_number(take(upload, NULL, 25000), BATCH_ECONFLICT, "and the first one cannot go on");
    is_string(stored(&job, p), "requested 0 0 0 0 0 owned", "nothing of it is stored");
    batch_upload_release(upload);
    is_string(stored(&job, p), "requested 0 0 0 0 0 owned", "nor does it take the second's place");
    is_number(take(second, NULL, 25000), APR_SUCCESS, "which goes on");
    is_string(stored(&job, p), "queued 25000 25000 0 4 0 free", "to its end");
}

static void test_cancelled(apr_pool_t *p)
{
    batch_upload_t *upload;
    batch_job_t job, seen;

    empty(p);
    ask(&job, "merge", p);
    begin(&upload, &job, &alice, job.id, p);
    is_number(batch_job_cancel(&seen, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "a batch is cancelled while its upload comes");
    is_number(take(upload, NULL, 25000), BATCH_ECONFLICT, "which hears of it");
    is_string(stored(&job, p), "failed 0 0 0 0 0 free", "and leaves nothing");
    is_number(again(&job, p).status, BATCH_STATUS_FAILED, "it stays cancelled");
}

/* Items as an upload leaves them that was killed. */
static apr_status_t leave_items(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    char data[] = "";
    batch_segment_t segment = {.count = 7, .data = data};

    (void)ptemp;
    return batch_tx_segment_insert(tx, baton, &segment);
}

/* Many of them, and errors. */
static apr_status_t leave_many(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    char data[] = "";
    batch_segment_t segment = {.count = 7, .data = data};
    batch_item_error_t error = {.code = "wrong", .message = "wrong"};
    apr_status_t rv = APR_SUCCESS;

    (void)ptemp;
    for (; rv == APR_SUCCESS && segment.first < 7 * 40; segment.first += 7) {
        rv = batch_tx_segment_insert(tx, baton, &segment);
    }
    for (; rv == APR_SUCCESS && error.ordinal < 1200; error.ordinal++) {
        rv = batch_tx_errors_insert(tx, baton, &error, 1);
    }
    return rv;
}

/* What one has left that is more than a piece. */
static void test_pieces(apr_pool_t *p)
{
    batch_upload_t *upload, *second;
    batch_job_t job, seen;
    int more = 1;

    empty(p);
    ask(&job, "merge", p);
    begin(&upload, &job, &alice, job.id, p);
    batch_store_write(engine.store, leave_many, &job, &err, p);
    sql(p, "UPDATE batch_jobs SET lease_until = 1 WHERE status = 'requested'");
    is_number(begin(&second, &seen, &alice, job.id, p), APR_SUCCESS, "one after a large one");
    is_string(stored(&job, p), "requested 0 0 0 0 0 owned", "finds nothing of that");
    is_number(take(upload, NULL, 10), BATCH_ECONFLICT, "which cannot go on");
    is_number(take(second, NULL, 10), APR_SUCCESS, "but itself can");
    is_string(stored(&job, p), "queued 10 10 0 1 0 free", "with its own items");

    ask(&job, "merge", p);
    begin(&upload, &job, &alice, job.id, p);
    batch_store_write(engine.store, leave_many, &job, &err, p);
    batch_upload_release(upload);
    begin(&upload, &job, &alice, job.id, p);
    is_string(stored(&job, p), "requested 0 0 0 0 0 owned",
              "so does one after one that was released");
    batch_store_write(engine.store, leave_many, &job, &err, p);
    is_number(batch_upload_fail(upload, "because", &err), APR_SUCCESS, "a large one that is wrong");
    ok(again(&job, p).upload_began_at > 0, "keeps its time");

    ask(&job, "merge", p);
    begin(&upload, &job, &alice, job.id, p);
    batch_store_write(engine.store, leave_many, &job, &err, p);
    is_number(batch_job_cancel(&seen, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "a large one that is cancelled");
    is_string(sql(p, "SELECT count(*) FROM batch_leftovers"), "2", "both leave something");
    while (more && batch_jobs_sweep(&more, &engine, &err, p) == APR_SUCCESS) {
    }
    is_string(sql(p, "SELECT count(*) FROM batch_leftovers"), "0", "which goes later");
    is_string(stored(&job, p), "failed 0 0 0 0 0 free", "and nothing is left then");
}

static void test_expiry(apr_pool_t *p)
{
    batch_upload_t *upload;
    batch_job_t job, late, seen;
    int found;
    int count;

    empty(p);
    sql(p, "DELETE FROM batch_jobs");
    ask(&job, "overwrite", p);
    ask(&late, "merge", p);
    begin(&upload, &late, &alice, late.id, p);
    is_number(batch_uploads_settle(&found, &engine, &err, p), APR_SUCCESS, "nothing is due");
    is_number(found, 0, "and nothing is settled");
    sql(p, "UPDATE batch_jobs SET expires_at = 1000000");
    seen = again(&job, p);
    is_number(seen.status, BATCH_STATUS_EXPIRED, "one whose time is over is shown as expired");
    is_number(seen.completed_at, 1000000, "since then");
    is_number(again(&late, p).status, BATCH_STATUS_REQUESTED,
              "one with an upload under way is not");
    is_string(stored(&job, p), "requested 0 0 0 0 0 free", "nobody has written it");
    is_number(begin(&upload, &seen, &alice, job.id, p), BATCH_ECONFLICT, "it takes no upload");
    is_number(seen.status, BATCH_STATUS_EXPIRED, "and says why");
    for (count = 0, found = 1; found && count < 10; count++) {
        batch_uploads_settle(&found, &engine, &err, p);
    }
    is_number(count, 2, "one is settled");
    is_string(stored(&job, p), "expired 0 0 0 0 0 free", "and written");
    is_string(stored(&late, p), "requested 0 0 0 0 0 owned", "not the other");
    /* Its owner is a process that is gone: what it has stored is removed with that. */
    sql(p, "UPDATE batch_jobs SET owner_pid = 0, stored = 7, received = 9, expires_at = 1 "
           "WHERE status = 'requested'");
    batch_store_write(engine.store, leave_items, &late, &err, p);
    batch_uploads_settle(&found, &engine, &err, p);
    is_number(found, 1, "an upload whose owner is gone is settled");
    is_string(stored(&late, p), "expired 0 0 0 0 0 free", "and nothing is left of it");
}

/* The secret of all nodes: whoever is first makes it. */
struct secret {
    const char *found;
    const char *candidate;
    apr_pool_t *p;
};

static apr_status_t secret_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct secret *secret = baton;

    (void)ptemp;
    return batch_tx_secret(tx, &secret->found, "url", secret->candidate, secret->p);
}

static void test_secret(apr_pool_t *p)
{
    struct secret first = {NULL, "first", p};
    struct secret second = {NULL, "second", p};

    is_number(batch_store_write(engine.store, secret_body, &first, &err, p), APR_SUCCESS,
              "a secret is asked for");
    is_string(first.found, "first", "it is what was given");
    is_number(batch_store_write(engine.store, secret_body, &second, &err, p), APR_SUCCESS,
              "and once more");
    is_string(second.found, "first", "it stays");
}

int main(void)
{
    apr_pool_t *p = begin_intake("upload");

    engine.limits.lease = apr_time_from_sec(30);
    engine.limits.url_ttl = apr_time_from_sec(900);
    test_one(p);
    test_broken_off(p);
    test_cancelled(p);
    test_pieces(p);
    test_expiry(p);
    test_secret(p);
    return end_intake(p);
}

/*
 * Items that are judged while those behind them still arrive: the batch is the same as if they had
 * been judged when all were there.
 */
/* needs: database */
#include "engine/early.h"
#include "engine/intake.h"
#include "engine/upload.h"

#include <string.h>

#include "intake_fixture.h"
#include "payload/resources_body.h"
#include "threads.h"

#define ITEMS 12000

/* What a body has besides items that are all different and sound. */
typedef enum { CLEAN, REPEATED, WRONG, ASKED, LARGE } kind_e;

static const char *const kinds[] = {"sound items", "an item twice", "a wrong item",
                                    "an item whose row must be looked for",
                                    "an item that is too large"};

typedef struct taken {
    const char *counts;
    const char *data; /* what is stored, whatever segments it is in: SQL */
    const char *errors;
    int is_early; /* it was judged early, and that was of use */
} taken_t;

static batch_problems_t *problems;
static int padding; /* bytes that each name has behind it */
static batch_error_t err;

/* ---- Bodies -----------------------------------------------------------------------------------
 */

static const char *value_of(int i, kind_e kind, apr_pool_t *p)
{
    if (i == ITEMS / 2 && kind == WRONG) {
        return "-x";
    }
    if (i == ITEMS / 2 && kind == LARGE) {
        char *text = apr_palloc(p, 5001);

        memset(text, '1', 5000);
        text[5000] = '\0';
        return text;
    }
    return apr_psprintf(p, "%d", i % 50);
}

/* Each item has a name of its own, but for what kind says. */
static char *make_body(batch_format_e format, kind_e kind, apr_pool_t *p)
{
    apr_array_header_t *pieces = apr_array_make(p, ITEMS + 2, sizeof(const char *));
    int i;

    APR_ARRAY_PUSH(pieces, const char *) = format == BATCH_FORMAT_CSV     ? "id,name,kind,size\n"
                                           : format == BATCH_FORMAT_ARRAY ? "["
                                                                          : "";
    for (i = 0; i < ITEMS; i++) {
        const char *id = i == ITEMS / 2 && kind == ASKED ? "p2" : "";
        int name = i + 1 == ITEMS && kind == REPEATED ? 7 : i;
        const char *value = value_of(i, kind, p);

        if (format == BATCH_FORMAT_CSV) {
            APR_ARRAY_PUSH(pieces, const char *) =
                apr_psprintf(p, "%s,\"the name %d%*s\",shop,%s\n", id, name, padding, "", value);
            continue;
        }
        APR_ARRAY_PUSH(pieces, const char *) = apr_psprintf(
            p, "%s{%s%s%s\"size\":%s,\"name\":\"the name \\u00e4 %d\",\"kind\":\"shop\"}%s",
            i && format == BATCH_FORMAT_ARRAY ? ",\n" : "", *id ? "\"id\":\"" : "", id,
            *id ? "\"," : "", *value == '-' ? "\"x\"" : value, name,
            format == BATCH_FORMAT_ARRAY ? "" : "\n");
    }
    APR_ARRAY_PUSH(pieces, const char *) = format == BATCH_FORMAT_ARRAY ? "]" : "";
    return apr_array_pstrcat(p, pieces, 0);
}

static batch_terms_t terms_for(const char *duplicate_handling, apr_pool_t *p)
{
    batch_resources_request_t request = {.mode = "mixed",
                                         .action = "merge",
                                         .resource = "named",
                                         .duplicate_handling = duplicate_handling,
                                         .save_upload = 1,
                                         .has_data = 1,
                                         .via = BATCH_VIA_FILE,
                                         .atomic = 1};
    batch_terms_t terms;
    int action;

    batch_resources_check(&terms, &action, problems, &engine, &request, p);
    return terms;
}

static batch_resources_body_t *make_reader(batch_format_e format, apr_pool_t *p)
{
    batch_content_t content = {.format = format};
    batch_resources_body_t *body = NULL;

    batch_resources_body_make(&body, &content, &named, &engine.limits, problems, &err, p);
    return body;
}

/* In slices as they come from a socket; early: 0 = its items are judged when all are there. */
static apr_status_t feed(batch_resources_body_t *body, const char *text, size_t length,
                         const batch_terms_t *terms, int early)
{
    apr_status_t rv = APR_SUCCESS;
    size_t at;

    for (at = 0; rv == APR_SUCCESS && at < length; at += 8000) {
        rv = batch_resources_body_feed(body, text + at, length - at < 8000 ? length - at : 8000,
                                       &err);
        if (early) {
            batch_resources_body_judge_early(body, &engine, terms, (apr_off_t)length);
        }
    }
    return rv;
}

/* ---- Taking in --------------------------------------------------------------------------------
 */

static taken_t look_at(const batch_job_t *job, const batch_item_source_t *source, apr_pool_t *p)
{
    taken_t taken = {
        .counts = apr_psprintf(p, "%s, %d received, %d stored, %d to do", counts_of(job, p),
                               (int)job->received, (int)job->stored, (int)job->total),
        .data = apr_psprintf(p,
                             by_driver("(SELECT group_concat(data, '') FROM (SELECT data FROM "
                                       "batch_items WHERE job = (SELECT seq FROM batch_jobs WHERE "
                                       "id = '%s') ORDER BY first_item))",
                                       "(SELECT string_agg(data, '' ORDER BY first_item) FROM "
                                       "batch_items WHERE job = (SELECT seq FROM batch_jobs WHERE "
                                       "id = '%s'))"),
                             job->id),
        .errors = errors_of(job, p),
        .is_early = source->early &&
                    batch_early_is_clean(source->early, batch_engine_key_type(&engine, &named),
                                         source->count),
    };

    return taken;
}

static taken_t take_in(batch_format_e format, kind_e kind, const char *duplicate_handling,
                       int early, apr_pool_t *p)
{
    char *text = make_body(format, kind, p);
    batch_terms_t terms = terms_for(duplicate_handling, p);
    batch_resources_body_t *body = make_reader(format, p);
    apr_array_header_t *errors = apr_array_make(p, 4, sizeof(batch_item_error_t));
    batch_resources_request_t request;
    const batch_item_source_t *source = NULL;
    batch_job_t job = {0};
    taken_t failed = {"", "", "", 0};
    apr_status_t rv = feed(body, text, strlen(text), &terms, early);

    memset(text, 'x', strlen(text)); /* nobody reads it any more */
    if (rv == APR_SUCCESS) {
        rv = batch_resources_body_finish(&request, body, &err);
    }
    if (rv == APR_SUCCESS) {
        terms.checksum = request.checksum;
        source = batch_resources_body_source(body, &named);
        rv = batch_intake(&job, errors, &engine, &alice, &terms, source, problems, &err, p);
    }
    is_number(rv, APR_SUCCESS, "it is taken in");
    return rv == APR_SUCCESS ? look_at(&job, source, p) : failed;
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

static void compare(batch_format_e format, kind_e kind, const char *duplicate_handling,
                    apr_pool_t *parent)
{
    taken_t early, late;
    apr_pool_t *p;

    apr_pool_create(&p, parent);
    engine.limits.max_item_size = kind == LARGE ? 4000 : 1024 * 1024;
    early = take_in(format, kind, duplicate_handling, 1, p);
    late = take_in(format, kind, duplicate_handling, 0, p);
    printf("# %s, format %d, %s\n", kinds[kind], (int)format, duplicate_handling);
    is_number(early.is_early, kind == CLEAN,
              "it is ready when all have come, where all are accepted as they are");
    is_number(late.is_early, 0, "the other is not");
    is_string(early.counts, late.counts, "the counts are the same");
    is_string(early.errors, late.errors, "and the errors");
    is_string(sql(p, apr_psprintf(p, "SELECT CASE WHEN %s = %s THEN 'same' ELSE 'others' END",
                                  early.data, late.data)),
              "same", "and what is stored");
    ok(atoi(sql(p, apr_psprintf(p, "SELECT length(%s)", early.data))) > 256 * 1024,
       "which is more than a block");
    apr_pool_destroy(p);
}

static void test_same(apr_pool_t *p)
{
    static const batch_format_e formats[] = {BATCH_FORMAT_ARRAY, BATCH_FORMAT_NDJSON,
                                             BATCH_FORMAT_CSV};
    kind_e kind;
    size_t i;

    empty(p);
    for (i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        for (kind = CLEAN; kind <= LARGE; kind++) {
            compare(formats[i], kind, "use_last", p);
        }
    }
    compare(BATCH_FORMAT_ARRAY, REPEATED, "use_first", p);
    compare(BATCH_FORMAT_ARRAY, REPEATED, "ignore_all", p);
    compare(BATCH_FORMAT_ARRAY, CLEAN, "use_first", p);
}

/* Of many segments several are stored by one transaction, which may be done more than once. */
static void test_groups(apr_pool_t *p)
{
    taken_t once, again;

    padding = 400;
    empty(p);
    compare(BATCH_FORMAT_CSV, CLEAN, "use_first", p);
    ok(atoi(sql(p, "SELECT max(number) FROM (SELECT count(*) AS number FROM batch_items GROUP BY "
                   "job) AS segments")) > 8,
       "in many segments");
    once = take_in(BATCH_FORMAT_CSV, CLEAN, "use_first", 1, p);
    if (is_pgsql()) {
        sql(p, "CREATE SEQUENCE tries");
        sql(p, "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
               "nextval('tries') IN (3, 9, 10) THEN RAISE SQLSTATE '40001'; END IF; RETURN NEW; "
               "END $$");
        sql(p, "CREATE TRIGGER fail BEFORE INSERT ON batch_items FOR EACH ROW EXECUTE FUNCTION "
               "fail()");
        again = take_in(BATCH_FORMAT_CSV, CLEAN, "use_first", 1, p);
        sql(p, "DROP FUNCTION fail() CASCADE");
        ok(atoi(sql(p, "SELECT last_value FROM tries")) > 16, "transactions were done once more");
        is_string(again.counts, once.counts, "with the same counts");
        is_string(sql(p, apr_psprintf(p, "SELECT CASE WHEN %s = %s THEN 'same' ELSE 'others' END",
                                      once.data, again.data)),
                  "same", "and the same items");
    }
    padding = 0;
}

/* A body that breaks off, or is not of its format, leaves nothing. */
static void test_broken(apr_pool_t *p)
{
    char *text = make_body(BATCH_FORMAT_ARRAY, CLEAN, p);
    const char *before = sql(p, "SELECT (SELECT count(*) FROM batch_jobs) || ' ' || (SELECT "
                                "count(*) FROM batch_items)");
    int threads = count_threads();
    batch_terms_t terms = terms_for("use_last", p);
    batch_resources_body_t *body;
    batch_resources_request_t request;
    apr_pool_t *one;

    apr_pool_create(&one, p);
    body = make_reader(BATCH_FORMAT_ARRAY, one);
    is_number(feed(body, text, strlen(text) - 1000, &terms, 1), APR_SUCCESS, "a part has come");
    ok(count_threads() > threads, "a thread is at it");
    apr_pool_destroy(one);
    is_number(threads_in_the_end(threads), threads, "which is gone with it");
    apr_pool_create(&one, p);
    body = make_reader(BATCH_FORMAT_ARRAY, one);
    text[strlen(text) - 1] = '}';
    is_number(feed(body, text, strlen(text), &terms, 1), BATCH_EMALFORMED, "a body that is wrong");
    is_number(batch_resources_body_finish(&request, body, &err), BATCH_EMALFORMED,
              "at its last byte");
    apr_pool_destroy(one);
    is_number(threads_in_the_end(threads), threads, "has no thread either");
    is_string(sql(p, "SELECT (SELECT count(*) FROM batch_jobs) || ' ' || (SELECT count(*) FROM "
                     "batch_items)"),
              before, "nothing was stored");
}

/* Only some bodies at once have a thread. */
static void test_many(apr_pool_t *p)
{
    const char *text = make_body(BATCH_FORMAT_ARRAY, CLEAN, p);
    int threads = count_threads();
    batch_terms_t terms = terms_for("use_last", p);
    apr_pool_t *bodies, *last;
    taken_t taken;
    int i;

    apr_pool_create(&bodies, p);
    for (i = 0; i < 6; i++) {
        feed(make_reader(BATCH_FORMAT_ARRAY, bodies), text, strlen(text) / 2, &terms, 1);
    }
    is_number(count_threads(), threads + 4, "four have one");
    apr_pool_create(&last, p);
    taken = take_in(BATCH_FORMAT_ARRAY, CLEAN, "use_last", 1, last);
    is_number(taken.is_early, 0, "another is judged at its end");
    apr_pool_destroy(last);
    apr_pool_destroy(bodies);
    is_number(threads_in_the_end(threads), threads, "all are gone");
    taken = take_in(BATCH_FORMAT_ARRAY, CLEAN, "use_last", 1, p);
    is_number(taken.is_early, 1, "and the next one has one");
}

/* An upload, of whose batch another column is the key meanwhile. */
static void test_upload(apr_pool_t *p)
{
    const char *text = make_body(BATCH_FORMAT_CSV, CLEAN, p);
    batch_terms_t terms = terms_for("use_last", p);
    batch_resources_body_t *body;
    batch_resources_request_t request;
    const batch_item_source_t *source;
    batch_upload_t *upload = NULL;
    batch_job_t job, began;
    taken_t taken;

    batch_upload_request(&job, &engine, &alice, &terms, &err, p);
    is_number(batch_upload_begin(&upload, &began, &engine, &alice, job.id, &err, p), APR_SUCCESS,
              "an upload begins");
    body = make_reader(BATCH_FORMAT_CSV, p);
    feed(body, text, strlen(text), batch_upload_terms(upload), 1);
    is_number(batch_resources_body_finish(&request, body, &err), APR_SUCCESS, "it comes whole");
    source = batch_resources_body_source(body, &named);
    ok(source->early && !batch_early_is_clean(source->early, BATCH_KEY_INTEGER, source->count),
       "keys of another type would be judged anew");
    is_number(batch_upload_take(upload, source, request.checksum, problems, &err), APR_SUCCESS,
              "it is taken in");
    taken = look_at(&began, source, p);
    is_number(taken.is_early, 1, "as it was judged meanwhile");
    is_string(taken.counts,
              apr_psprintf(p, "0/0/0/0/0/0, %d received, %d stored, %d to do", ITEMS, ITEMS, ITEMS),
              "all of it");
    is_number(began.status, BATCH_STATUS_QUEUED, "and queued");
}

static void test_rows(apr_pool_t *p)
{
    batch_job_t ran;

    sql(p, "DELETE FROM batch_jobs");
    sql(p, "DELETE FROM batch_items");
    empty(p);
    engine.limits.max_item_size = 1024 * 1024;
    take_in(BATCH_FORMAT_NDJSON, CLEAN, "use_last", 1, p);
    is_number(run_next(&ran, -1, p), APR_SUCCESS, "a worker runs it");
    is_string(counts_of(&ran, p), apr_psprintf(p, "%d/0/0/0/0/0", ITEMS), "each item is applied");
    is_string(sql(p, "SELECT count(*) || ' ' || sum(size) FROM named_rows WHERE name LIKE 'the "
                     "name _ %'"),
              apr_psprintf(p, "%d %d", ITEMS, ITEMS / 50 * (49 * 50 / 2)), "its rows are there");
}

int main(void)
{
    static void (*const tests[])(apr_pool_t * p) = {test_same, test_groups, test_broken,
                                                    test_many, test_upload, test_rows};
    apr_pool_t *p = begin_intake("early");
    apr_pool_t *one;
    size_t i;

    problems = batch_problems_make(p);
    for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        apr_pool_create(&one, p);
        tests[i](one);
        apr_pool_destroy(one);
    }
    return end_intake(p);
}

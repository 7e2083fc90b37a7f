/*
 * Runs random queries three ways, and says where they select differently: by the module on SQLite,
 * by the module on PostgreSQL, and what the query says in PostgreSQL's own words by PostgreSQL.
 *
 * usage: differential PARAMS REFERENCE.sql FEATURES COUNT SEED [until-first]
 *
 * PARAMS: of a PostgreSQL server (build-aux/postgres); FEATURES: scan (one form), or all.
 * Environment: VERBOSE prints each query; REFERENCE_ONLY runs PostgreSQL's words alone, which finds
 * what it cannot run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <libpq-fe.h>
#include <sqlite3.h>

#include "query/query.h"
#include "selects.h"

/* Queries with the same rows. */
#define ROUND 500

/* How long one is made smaller at most. */
#define SHRINK_TIME (15 * APR_USEC_PER_SEC)

/* Differences that are made as small as they can be; the others are counted only. */
#define SHOWN 20

typedef enum { BY_SQLITE3, BY_PGSQL, BY_REFERENCE, BY_VARIANT, BY_COUNT } by_e;

static const char *const by_names[] = {"sqlite3", "pgsql", "PostgreSQL", "sqlite3, variant"};

/* What a query selects: ids in order, each with a line end behind it; or why it does not. */
typedef struct result {
    const char *ids;
    int count;
    const char *problem; /* NULL = none */
    int skipped;         /* it takes too long, or is over a limit */
} result_t;

typedef struct bench {
    sqlite3 *file;
    PGconn *connection;
    batch_store_t *stores[2];
    batch_resource_t *resource;
    batch_limits_t limits;
    int relational;
    int has_variants;
    const char *reference; /* the file of helpers */
    apr_pool_t *p;
    /* What was seen: */
    apr_int64_t queries, differences, none, skipped, ids;
} bench_t;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "differential: %s: %s\n", what, why);
    exit(2);
}

/* ---- Databases ------------------------------------------------------------------------------- */

static void run_sqlite3(const bench_t *bench, const char *sql)
{
    if (sqlite3_exec(bench->file, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail("SQLite", sqlite3_errmsg(bench->file));
    }
}

static void run_pgsql(const bench_t *bench, const char *sql)
{
    PGresult *result = PQexec(bench->connection, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail("PostgreSQL", PQerrorMessage(bench->connection));
    }
    PQclear(result);
}

static void ignore_notice(void *baton, const PGresult *result)
{
    (void)baton;
    (void)result;
}

static const char *read_file(const char *path, apr_pool_t *p)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t length;
    char *text;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, p) != APR_SUCCESS ||
        apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        fail(path, "cannot be read");
    }
    length = (apr_size_t)info.size;
    text = apr_palloc(p, length + 1);
    if (apr_file_read_full(file, text, length, NULL) != APR_SUCCESS) {
        fail(path, "cannot be read");
    }
    text[length] = '\0';
    apr_file_close(file);
    return text;
}

static batch_store_t *open_store(const char *driver, const char *params, apr_pool_t *p)
{
    batch_store_config_t config = {
        .driver = driver, .params = params, .max_connections = 1, .patience = 5000000};
    batch_error_t err = {0};
    batch_store_t *store;

    if (batch_store_create(&store, &config, &err, p) != APR_SUCCESS ||
        batch_store_migrate(store, &err, p) != APR_SUCCESS) {
        fail(driver, err.message);
    }
    return store;
}

/* Schemas of this process: that of the driver, which it alone sees, and that of the reference. */
static void open_databases(bench_t *bench, const char *params, const char *folder)
{
    apr_pool_t *p = bench->p;
    const char *path = apr_pstrcat(p, folder, "/batch.db", NULL);
    long id = (long)getpid();

    if (sqlite3_open(path, &bench->file) != SQLITE_OK) {
        fail(path, sqlite3_errmsg(bench->file));
    }
    sqlite3_busy_timeout(bench->file, 5000);
    run_sqlite3(bench, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    run_sqlite3(bench, rows_tables(0));
    bench->connection = PQconnectdb(params);
    PQsetNoticeReceiver(bench->connection, ignore_notice, NULL);
    run_pgsql(bench, apr_psprintf(p,
                                  "SET client_min_messages = error; DROP SCHEMA IF EXISTS d%ld,"
                                  " r%ld CASCADE; CREATE SCHEMA d%ld; CREATE SCHEMA r%ld;"
                                  "SET search_path = d%ld; %s; SET search_path = r%ld; %s; %s;"
                                  "SET jit = off; SET statement_timeout = '3s'",
                                  id, id, id, id, id, rows_tables(1), id, rows_reference(p),
                                  read_file(bench->reference, p)));
    bench->stores[BY_SQLITE3] = open_store("sqlite3", path, p);
    bench->stores[BY_PGSQL] =
        open_store("pgsql", apr_psprintf(p, "%s options='-csearch_path=d%ld'", params, id), p);
}

static void close_databases(bench_t *bench)
{
    long id = (long)getpid();

    batch_store_destroy(bench->stores[BY_SQLITE3]);
    batch_store_destroy(bench->stores[BY_PGSQL]);
    run_pgsql(bench, apr_psprintf(bench->p, "DROP SCHEMA d%ld, r%ld CASCADE", id, id));
    PQfinish(bench->connection);
    sqlite3_close(bench->file);
}

static void fill(const bench_t *bench, apr_uint64_t seed)
{
    const char *driver, *reference;
    apr_pool_t *p;

    apr_pool_create(&p, bench->p);
    rows_fill(&driver, &reference, seed, 0, p);
    run_sqlite3(bench, apr_pstrcat(p, "BEGIN;", driver, "COMMIT;", NULL));
    rows_fill(&driver, &reference, seed, 1, p);
    run_pgsql(bench, apr_psprintf(p, "SET search_path = d%ld; %s SET search_path = r%ld; %s",
                                  (long)getpid(), driver, (long)getpid(), reference));
    apr_pool_destroy(p);
}

/* ---- One query ------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Limits of the language, which PostgreSQL does not have, and what it refuses to guess. */
static int is_over(const char *problem)
{
    static const char *const words[] = {"nested too deeply here",
                                        "nests SELECTs and conditions too deeply",
                                        "a query can name 16 forms and SELECTs only",
                                        "a query can have 16 SELECTs only",
                                        "a query can have 10 windows only",
                                        "makes a LIKE pattern of more than 1000 bytes",
                                        "makes a text of more than 1 MiB",
                                        "whether this time has a zone already is not known here"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strstr(problem, words[i])) {
            return 1;
        }
    }
    return 0;
}

static void run_module(result_t *result, const bench_t *bench, int driver, const query_t *said,
                       const char *text, apr_pool_t *p)
{
    batch_query_t query = {bench->resource, "acme", said->form_id, text, &bench->limits};
    batch_problems_t *problems = batch_problems_make(p);
    apr_array_header_t *items = NULL, *keys = apr_array_make(p, 64, sizeof(const char *));
    batch_error_t err = {0};
    apr_status_t rv =
        batch_query_run(&items, problems, "query", bench->stores[driver], &query, &err, p);
    int i;

    if (rv != APR_SUCCESS) {
        result->problem = problems->nelts ? APR_ARRAY_IDX(problems, 0, batch_problem_t).message
                                          : apr_pstrdup(p, err.message ? err.message : "failed");
        result->skipped = is_over(result->problem);
        return;
    }
    for (i = 0; i < items->nelts; i++) {
        APR_ARRAY_PUSH(keys, const char *) =
            apr_pstrcat(p, APR_ARRAY_IDX(items, i, batch_item_t).key, "\n", NULL);
    }
    qsort(keys->elts, (size_t)keys->nelts, sizeof(const char *), compare_texts);
    result->count = keys->nelts;
    result->ids = apr_array_pstrcat(p, keys, 0);
}

static void run_reference(result_t *result, const bench_t *bench, const char *sql, apr_pool_t *p)
{
    PGresult *rows = PQexec(bench->connection, sql);
    apr_array_header_t *keys = apr_array_make(p, 64, sizeof(const char *));
    int i;

    if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(rows, PG_DIAG_SQLSTATE);

        result->skipped = state && !strcmp(state, "57014");
        result->problem = apr_pstrdup(p, PQerrorMessage(bench->connection));
    }
    for (i = 0; !result->problem && i < PQntuples(rows); i++) {
        APR_ARRAY_PUSH(keys, const char *) = apr_pstrcat(p, PQgetvalue(rows, i, 0), "\n", NULL);
    }
    PQclear(rows);
    qsort(keys->elts, (size_t)keys->nelts, sizeof(const char *), compare_texts);
    result->count = keys->nelts;
    result->ids = apr_array_pstrcat(p, keys, 0);
}

static void make(query_t *query, const bench_t *bench, choices_t *choices, apr_uint64_t seed,
                 apr_pool_t *p)
{
    maker_t m = {.choices = choices, .p = p, .relational = bench->relational};

    memset(query, 0, sizeof(*query));
    if (bench->relational && choose(choices, 2)) {
        select_relational(query, &m);
    } else {
        select_scan(query, &m);
    }
    if (seed) {
        query->ours = phrase_respell(query->ours, seed, p);
    }
}

static int differs(const result_t *a, const result_t *b)
{
    return a->problem || b->problem || strcmp(a->ids, b->ids) != 0;
}

/* Whether the results are not all the same. */
static int run(result_t *results, const bench_t *bench, const query_t *query, apr_pool_t *p)
{
    int by, different = 0;

    memset(results, 0, BY_COUNT * sizeof(*results));
    run_reference(&results[BY_REFERENCE], bench, query->pgsql, p);
    if (results[BY_REFERENCE].skipped) {
        return 0;
    }
    if (getenv("REFERENCE_ONLY")) {
        results[0] = results[1] = results[3] = results[2];
        return results[2].problem != NULL;
    }
    run_module(&results[BY_SQLITE3], bench, BY_SQLITE3, query, query->ours, p);
    run_module(&results[BY_PGSQL], bench, BY_PGSQL, query, query->ours, p);
    if (bench->has_variants && query->variant) {
        run_module(&results[BY_VARIANT], bench, BY_SQLITE3, query, query->variant, p);
    } else {
        results[BY_VARIANT] = results[BY_SQLITE3];
    }
    for (by = 0; by < BY_COUNT; by++) {
        if (results[by].skipped) {
            results[BY_REFERENCE].skipped = 1;
            return 0;
        }
        different |= differs(&results[by], &results[BY_REFERENCE]);
    }
    return different;
}

/* ---- Differences ----------------------------------------------------------------------------- */

/* Which results differ, so that a smaller query shows the same fault, not any. */
static int shape(const result_t *results)
{
    int by, bits = 0;

    for (by = 0; by < BY_COUNT; by++) {
        bits |= differs(&results[by], &results[BY_REFERENCE]) << by;
        bits |= (results[by].problem != NULL) << (8 + by);
    }
    return bits;
}

typedef struct finding {
    const bench_t *bench;
    apr_uint64_t spelling;
    int shape;
    apr_time_t deadline;
} finding_t;

static int still_differs(void *baton, const unsigned *noted, int count)
{
    const finding_t *finding = baton;
    static choices_t choices;
    result_t results[BY_COUNT];
    query_t query;
    apr_pool_t *p;
    int same = 0;

    if (apr_time_now() > finding->deadline) {
        return 0;
    }
    apr_pool_create(&p, finding->bench->p);
    choices_replay(&choices, noted, count);
    make(&query, finding->bench, &choices, finding->spelling, p);
    same = run(results, finding->bench, &query, p) && shape(results) == finding->shape;
    apr_pool_destroy(p);
    return same;
}

static void print_result(const char *by, const result_t *result)
{
    if (result->problem) {
        printf("  %s: %s\n", by, result->problem);
    } else {
        char *flat = strdup(result->ids), *c;

        for (c = flat; *c; c++) {
            *c = (char)(*c == '\n' ? ' ' : *c);
        }
        printf("  %s: %d ids: %.400s\n", by, result->count, flat);
        free(flat);
    }
}

static void report(bench_t *bench, apr_uint64_t seed, choices_t *choices, const result_t *found,
                   apr_uint64_t spelling)
{
    finding_t finding = {bench, spelling, shape(found), apr_time_now() + SHRINK_TIME};
    result_t results[BY_COUNT];
    query_t query;
    apr_pool_t *p;
    int by;

    apr_pool_create(&p, bench->p);
    finding.spelling = 0;
    if (!still_differs(&finding, choices->noted, choices->count)) {
        finding.spelling = spelling;
    }
    choices->count = choices_shrink(choices->noted, choices->count, still_differs, &finding);
    choices_replay(choices, choices->noted, choices->count);
    make(&query, bench, choices, finding.spelling, p);
    run(results, bench, &query, p);
    printf("difference, seed %" APR_UINT64_T_FMT ", form %s\n  query: %s\n", seed, query.form_id,
           query.ours);
    if (bench->has_variants && query.variant) {
        printf("  variant: %s\n", query.variant);
    }
    printf("  PostgreSQL's: %s\n", query.pgsql);
    for (by = 0; by < BY_COUNT; by++) {
        print_result(by_names[by], &results[by]);
    }
    apr_pool_destroy(p);
}

/* ---- All queries ----------------------------------------------------------------------------- */

static int run_one(bench_t *bench, apr_uint64_t seed)
{
    static choices_t choices;
    result_t results[BY_COUNT];
    apr_uint64_t spelling = seed * 7919 + 1;
    query_t query;
    apr_pool_t *p;
    int different;

    apr_pool_create(&p, bench->p);
    choices_seed(&choices, seed);
    make(&query, bench, &choices, spelling, p);
    if (getenv("VERBOSE")) {
        printf("%s\n%s\n\n", query.ours, query.pgsql);
    }
    different = run(results, bench, &query, p);
    bench->queries++;
    bench->skipped += results[BY_REFERENCE].skipped;
    bench->ids += results[BY_REFERENCE].count;
    bench->none += !results[BY_REFERENCE].count;
    if (different && bench->differences++ < SHOWN) {
        report(bench, seed, &choices, results, spelling);
    }
    apr_pool_destroy(p);
    return different;
}

int main(int argc, char **argv)
{
    bench_t bench = {.limits = {.max_objects = 100000,
                                .query_timeout = 60 * APR_USEC_PER_SEC,
                                .query_rows = 100000,
                                .query_memory = 256 * 1024 * 1024}};
    char folder[] = "/tmp/batch-differential.XXXXXX";
    apr_int64_t count, i;
    apr_uint64_t seed;

    if (argc < 6) {
        fail("usage", "differential PARAMS REFERENCE.sql scan|all COUNT SEED [until-first]");
    }
    apr_initialize();
    setvbuf(stdout, NULL, _IOLBF, 0);
    apr_pool_create(&bench.p, NULL);
    batch_store_prepare(bench.p);
    if (!mkdtemp(folder)) {
        fail(folder, "cannot be made");
    }
    bench.reference = argv[2];
    bench.relational = bench.has_variants = !strcmp(argv[3], "all");
    count = apr_atoi64(argv[4]);
    seed = (apr_uint64_t)apr_atoi64(argv[5]);
    bench.resource = rows_resource(bench.p);
    open_databases(&bench, argv[1], folder);
    for (i = 0; i < count; i++) {
        /* A query's rows go by its seed, so that it can be run alone. */
        if (i == 0 || (seed + (apr_uint64_t)i) % ROUND == 0) {
            fill(&bench, (seed + (apr_uint64_t)i) / ROUND);
        }
        if (run_one(&bench, seed + (apr_uint64_t)i) && argc > 6) {
            break;
        }
    }
    close_databases(&bench);
    if (system(apr_psprintf(bench.p, "rm -r '%s'", folder))) {
        fail(folder, "cannot be removed");
    }
    printf("%" APR_INT64_T_FMT " took too long or were over a limit, %" APR_INT64_T_FMT
           " selected nothing, "
           "the others %.1f ids each\n",
           bench.skipped, bench.none,
           (double)bench.ids / (double)(bench.queries - bench.none + !bench.queries));
    printf("%" APR_INT64_T_FMT " queries, %" APR_INT64_T_FMT " differences\n", bench.queries,
           bench.differences);
    apr_terminate();
    return bench.differences != 0;
}

/*
 * What expressions of the query language give: by a table; and on PostgreSQL, whether PostgreSQL
 * itself gives the same for the same words.
 */
/* needs: database */
#include "engine_fixture.h"

#include <math.h>

#include "query/query.h"
#include "query_refused.h"
#include "query_values.h"

/*
 * The members of the record, and what PostgreSQL has in their place. Nothing about them is known
 * before the record is read.
 */
static const struct {
    const char *name;
    const char *json;
    const char *sql;
} members[] = {
    {"seven", "7", "7::numeric"},
    {"half", "0.5", "0.5::numeric"},
    {"neg", "-2.5", "-2.5::numeric"},
    {"big", "9007199254740993", "9007199254740993::numeric"},
    {"most", "9223372036854775807", "9223372036854775807::numeric"},
    {"abc", "\"abc\"", "'abc'::text"},
    {"long", "\"h\xc3\xa9llo w\xc3\xb6rld\"", "'h\xc3\xa9llo w\xc3\xb6rld'::text"},
    {"blank", "\"\"", "''::text"},
    {"yes", "true", "true"},
    {"none", "null", "NULL::text"},
};

static const char *ids_of(const char *text, apr_pool_t *p)
{
    static batch_limits_t limits = {.max_objects = 1000,
                                    .query_timeout = APR_USEC_PER_SEC * 60,
                                    .query_rows = 1000,
                                    .query_memory = 64 * 1024 * 1024};
    batch_query_t query = {&record, "acme", "form-1", text, &limits};
    batch_problems_t *problems = batch_problems_make(p);
    apr_array_header_t *items = NULL;
    batch_error_t err = {0};
    apr_status_t rv = batch_query_run(&items, problems, "query", engine.store, &query, &err, p);

    if (rv != APR_SUCCESS) {
        return problems->nelts ? APR_ARRAY_IDX(problems, 0, batch_problem_t).message
                               : apr_psprintf(p, "status %d: %s", rv, err.message);
    }
    return items->nelts ? APR_ARRAY_IDX(items, 0, batch_item_t).key : "NULL";
}

static const char *value_of(const char *expression, apr_pool_t *p)
{
    const char *id =
        ids_of(apr_pstrcat(p, "SELECT '=' || (", expression, "\n) AS id FROM \"form-1\"", NULL), p);

    return *id == '=' ? id + 1 : id;
}

/* ---- The record ------------------------------------------------------------------------------ */

static void make_record(apr_pool_t *p)
{
    const char *json = "", *view = "";
    char *many;
    size_t i;

    for (i = 0; i < sizeof(members) / sizeof(*members); i++) {
        json =
            apr_pstrcat(p, json, i ? ", \"" : "\"", members[i].name, "\": ", members[i].json, NULL);
        view = apr_pstrcat(p, view, ", ", members[i].sql, " AS ", members[i].name, NULL);
    }
    many = apr_palloc(p, 40001);
    memset(many, 'x', 40000);
    many[40000] = '\0';
    json = apr_pstrcat(p, json, ", \"many\": \"", many, "\"", NULL);
    sql(p, by_driver("DROP TABLE records", "DROP TABLE records CASCADE"));
    sql(p, by_driver("CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, version INTEGER, created_at TEXT, form_values TEXT)",
                     "CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, version INTEGER, created_at TIMESTAMPTZ, form_values "
                     "JSONB)"));
    sql(p, apr_psprintf(p,
                        "INSERT INTO records VALUES ('r1', 'acme', 'form-1', 'Good', 7, "
                        "'2023-10-06T02:56:34.123456Z', '{%s}')",
                        json));
    if (is_pgsql()) {
        sql(p, apr_pstrcat(p,
                           "CREATE VIEW there AS SELECT id AS _record_id, status AS _status, "
                           "version AS _version, created_at AS _created_at",
                           view, " FROM records", NULL));
        sql(p, "CREATE FUNCTION fcm_converttofloat(x text) RETURNS float8 LANGUAGE plpgsql AS $$ "
               "BEGIN RETURN x::float8; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$");
        sql(p, "CREATE FUNCTION shown(e text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; "
               "t text; BEGIN SET LOCAL timezone = 'UTC'; EXECUTE 'SELECT (' || e || E'\\n)::text, "
               "pg_typeof(' || e || E'\\n) FROM there' INTO r, t; "
               "RETURN t || ':' || coalesce(CASE WHEN t = 'numeric' THEN "
               "trim_scale(r::numeric)::text ELSE r END, 'NULL'); "
               "EXCEPTION WHEN OTHERS THEN RETURN 'fails:' || SQLERRM; END $$");
    }
}

static void make_resource(void)
{
    record.updated_at = record.updated_by_id = NULL;
    record.created_at = "created_at";
    record.form_name = "name";
    push_column(record.columns, "version", BATCH_TYPE_INTEGER);
    push_column(record.columns, "form_values", BATCH_TYPE_JSON);
    APR_ARRAY_IDX(record.columns, 2, batch_column_t).readonly = 1;
}

/* ---- PostgreSQL ------------------------------------------------------------------------------ */

/* What PostgreSQL says about a time, as we write it. */
static const char *as_iso(const char *text, apr_pool_t *p)
{
    char *iso = apr_pstrdup(p, text);
    char *zone = strstr(iso, "+00"), *blank = strchr(iso, ' '), *point;

    if (blank) {
        *blank = 'T';
    }
    if (zone) {
        *zone = '\0';
    }
    point = strchr(iso, '.');
    return apr_pstrcat(p, iso, point ? &"000000"[strlen(point + 1)] : "", "Z", NULL);
}

static int is_near(const char *a, const char *b)
{
    double left = strtod(a, NULL), right = strtod(b, NULL);

    /* Whole numbers are exact, doubles have 15 digits at least. */
    return strcmp(a, "NULL") != 0 && strcmp(b, "NULL") != 0 && (strchr(b, '.') || left >= 1e15) &&
           fabs(left - right) <= 1e-15 * fabs(right) * 4;
}

static void compare_native(const expression_t *expression, apr_pool_t *p)
{
    const char *said, *type, *value;
    int good;

    if (!is_pgsql() || expression->ours) {
        return;
    }
    said = sql(p, apr_psprintf(p, "SELECT shown($e$%s$e$)", expression->text));
    value = strchr(said, ':') + 1;
    type = apr_pstrndup(p, said, (apr_size_t)(value - 1 - said));
    if (!strncmp(type, "timestamp", 9) && strcmp(value, "NULL") != 0) {
        value = as_iso(value, p);
    }
    good = !strcmp(value, expression->value) ||
           (!strcmp(type, "fails") && !strcmp(expression->value, "NULL")) ||
           ((!strcmp(type, "numeric") || !strcmp(type, "double precision")) &&
            is_near(expression->value, value));
    ok(good, "PostgreSQL: %s", expression->text);
    if (!good) {
        printf("#   it says %s, and we %s\n", said, expression->value);
    }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_values(apr_pool_t *pool)
{
    apr_pool_t *p;
    size_t i;

    apr_pool_create(&p, pool);
    for (i = 0; i < sizeof(expressions) / sizeof(*expressions); i++) {
        apr_pool_clear(p);
        is_string(value_of(expressions[i].text, p), expressions[i].value, expressions[i].text);
        compare_native(&expressions[i], p);
    }
}

static void test_refused(apr_pool_t *pool)
{
    apr_pool_t *p;
    size_t i;

    apr_pool_create(&p, pool);
    for (i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        const char *got;

        apr_pool_clear(p);
        got = ids_of(refused[i].text, p);
        if (!ok(strstr(got, refused[i].words), "%.60s: %s", refused[i].text, refused[i].words)) {
            printf("#   got %s\n", got);
        }
    }
}

/* What is too much is no NULL, which NOT and IS NULL would select. */
static void test_excess(apr_pool_t *p)
{
    char *pattern = apr_palloc(p, 1501);
    const char *said;
    int i;

    memset(pattern, 'x', 1500);
    pattern[1500] = '\0';
    said = ids_of(apr_psprintf(p, "_status NOT LIKE _status || '%s'", pattern), p);
    ok(strstr(said, "pattern of more than 1000 bytes"), "a computed pattern is refused: %s", said);
    said = ids_of(apr_psprintf(p, "_status NOT LIKE '%s'", pattern), p);
    ok(strstr(said, "line 1, column 18: a pattern must not be longer"), "and a constant: %s", said);
    said = ids_of(apr_psprintf(p, "replace(many, 'x', '%s') IS NULL", pattern), p);
    ok(strstr(said, "more than 1 MiB"), "a long text is refused, and no NULL: %s", said);
    is_string(ids_of("length(replace(many, 'x', 'yz')) = 80000", p), "r1",
              "replacing takes time by the length, not by its square");
    said = ids_of("NOT lpad(_status, 2000000, 'x') = 'x'", p);
    ok(strstr(said, "more than 1 MiB"), "one that is filled up, too: %s", said);
    said = apr_pstrcat(p, "many", NULL);
    for (i = 0; i < 30; i++) {
        said = apr_pstrcat(p, said, " || many", NULL);
    }
    said = ids_of(apr_pstrcat(p, "NOT ", said, " = 'x'", NULL), p);
    ok(strstr(said, "more than 1 MiB"), "and one that is joined: %s", said);
}

int main(void)
{
    apr_pool_t *p = begin_database("query_values");

    make_engine(database, p);
    make_resource();
    make_record(p);
    test_values(p);
    test_refused(p);
    test_excess(p);
    batch_store_destroy(engine.store);
    return end_database(p);
}

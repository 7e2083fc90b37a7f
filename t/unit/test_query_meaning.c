/* What queries mean is what PostgreSQL says: cases in which that was not so once. */
/* needs: database */
#include "engine_fixture.h"

#include "query/query.h"

static const char *ids_of(const char *text, apr_pool_t *p)
{
    static batch_limits_t limits = {.max_objects = 1000,
                                    .query_timeout = APR_USEC_PER_SEC * 60,
                                    .query_rows = 1000,
                                    .query_memory = 64 * 1024 * 1024};
    batch_query_t query = {&record, "acme", FORM, text, &limits};
    batch_problems_t *problems = batch_problems_make(p);
    apr_array_header_t *items = NULL;
    batch_error_t err = {0};
    const char *ids = "";
    int i;

    if (batch_query_run(&items, problems, "query", engine.store, &query, &err, p) != APR_SUCCESS) {
        return problems->nelts ? APR_ARRAY_IDX(problems, 0, batch_problem_t).message : err.message;
    }
    for (i = 0; i < items->nelts; i++) {
        ids = apr_pstrcat(p, ids, *ids ? " " : "", APR_ARRAY_IDX(items, i, batch_item_t).key, NULL);
    }
    return ids;
}

static void make_records(apr_pool_t *p)
{
    sql(p, by_driver("DROP TABLE records", "DROP TABLE records CASCADE"));
    sql(p, by_driver("CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, form_values TEXT)",
                     "CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, form_values JSONB)"));
    sql(p, "CREATE INDEX by_status ON records (organization_id, form_id, status)");
    sql(p,
        "INSERT INTO records VALUES"
        "('a', 'acme', 'form-1', 'z', '{\"t\": \"on\", \"n\": 1.50, \"e\": \"\\ud83d\\ude00\"}'),"
        "('b', 'acme', 'form-1', NULL, '{\"t\": \" Tru \", \"n\": 1e2, \"e\": \"x\"}'),"
        "('c', 'acme', 'form-1', NULL, '{\"t\": \"of\", \"n\": true, \"e\": \"\\u00e4\"}'),"
        "('d', 'acme', 'form-1', 'y', '{\"t\": \"o\", \"n\": \"7\\n\", \"e\": \"xy\"}'),"
        "('e', 'acme', 'form-1', 'z', '{\"t\": \"nope\", \"n\": \"x\", \"e\": false}'),"
        "('f', 'acme', 'form-1', 'x', '{\"t\": 1, \"n\": 2}')");
    sql(p, "INSERT INTO forms VALUES ('form-3', 'acme', 'Empty')");
}

static void make_resource(apr_pool_t *p)
{
    record.updated_at = record.updated_by_id = NULL;
    record.form_name = "name";
    add_column("form_values", p);
    APR_ARRAY_IDX(record.columns, 1, batch_column_t).type = BATCH_TYPE_JSON;
}

static const struct {
    const char *query;
    const char *ids;
} cases[] = {
    /* A text says a truth by any beginning of the word, and a number says none. */
    {"t", "a b"},
    {"t IS FALSE", "c"},
    {"t IS UNKNOWN", "d e f"},
    {"n = true", "c"},
    {"n::boolean", "c"},
    {"n::integer = 1", ""},
    {"n = 7", "d"},
    /* What is computed of whole numbers is exact, though one of them is a double. */
    {"'9007199254740993'::numeric % 1e308 = 9007199254740993", "a b c d e f"},
    {"1e19 - '9223372036854775807'::numeric = 776627963145224193", "a b c d e f"},
    /* A date is what stands there, whatever the zone. */
    {"('2023-10-05T23:30:00-05:00' || '')::date = date '2023-10-05'", "a b c d e f"},
    {"(' 2023-10-05T23:30:00-05:00' || '')::date = date '2023-10-05'", "a b c d e f"},
    /* A form without records has the member, before the forms around the SELECT. */
    {"SELECT a._record_id AS id FROM \"form-1\" a CROSS JOIN \"form-1\" b WHERE NOT EXISTS "
     "(SELECT 1 FROM \"form-3\" c WHERE n = 2)",
     "a b c d e f"},
    /* A character outside of the first plane at the end of a text. */
    {"e LIKE '_'", "a b c"},
    {"length(e) = 1", "a b c"},
    /* IS binds less than comparisons, and these less than IN, LIKE and BETWEEN. */
    {"NULL IS DISTINCT FROM n = 2", "a b d f"},
    {"true = _status IN ('z', 'x')", "a e f"},
    {"true = _status NOT LIKE 'z' IS TRUE", "d f"},
    {"(n = 2) = true", "f"},
    {"n = 2 = true", "line 1, column 7: found a second comparison, expected AND between the two, "
                     "or parentheses around the first"},
    /* Each once, and one for the ids that are null, in the order of what is selected. */
    {"SELECT DISTINCT _status AS id FROM \"form-1\" LIMIT 3", "x y z"},
    {"SELECT DISTINCT _status AS id FROM \"form-1\" LIMIT 2 OFFSET 2", "z"},
    {"SELECT DISTINCT _status AS id FROM \"form-1\" ORDER BY id LIMIT 2", "x y"},
    {"SELECT DISTINCT _status AS id FROM \"form-1\" ORDER BY id DESC LIMIT 2", "z"},
    /* The OFFSET counts what DISTINCT leaves, behind EXISTS as well. */
    {"EXISTS (SELECT DISTINCT _status FROM \"form-1\" OFFSET 3)", "a b c d e f"},
    {"EXISTS (SELECT DISTINCT _status FROM \"form-1\" OFFSET 4)", ""},
    {"NOT EXISTS (SELECT DISTINCT 1 FROM \"form-1\" LIMIT 1 OFFSET 1)", "a b c d e f"},
    {"EXISTS (SELECT _status FROM \"form-1\" UNION SELECT 'x' ORDER BY 1 OFFSET 4)", ""},
    /* The sum is more than a double can be. */
    {"(SELECT avg(1e308) FROM \"form-1\") = 1e308", "a b c d e f"},
    {"(SELECT avg(9223372036854775807) FROM \"form-1\") = 9223372036854775807", "a b c d e f"},
    {"(SELECT avg(-1e308) FROM \"form-1\") = -1e308", "a b c d e f"},
    /* Numbers, then texts, then truths. */
    {"n IS NOT NULL ORDER BY n LIMIT 4", "a b d f"},
    {"n IS NOT NULL ORDER BY n DESC LIMIT 2", "c e"},
};

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *in_order(const char *ids, apr_pool_t *p)
{
    apr_array_header_t *keys = apr_array_make(p, 8, sizeof(const char *));
    char *last = NULL, *copy = apr_pstrdup(p, ids), *id;

    if (strncmp(ids, "line", 4) == 0) {
        return ids;
    }
    for (id = apr_strtok(copy, " ", &last); id; id = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(keys, const char *) = id;
    }
    qsort(keys->elts, (size_t)keys->nelts, sizeof(const char *), compare_keys);
    return apr_array_pstrcat(p, keys, ' ');
}

int main(void)
{
    apr_pool_t *p = begin_database("query-meaning");

    make_engine(database, p);
    make_resource(p);
    make_records(p);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_string(in_order(ids_of(cases[i].query, p), p), cases[i].ids, cases[i].query);
    }
    batch_store_destroy(engine.store);
    return end_database(p);
}

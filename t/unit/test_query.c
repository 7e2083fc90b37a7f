/*
 * Queries on a real database, by both ways: results of queries that were written by hand, and of
 * random ones against a reference evaluator that knows nothing of the module's.
 */
/* needs: database */
#include "engine_fixture.h"
#include "query_words.h"

#include "query/query.h"

#define RECORDS 60
#define RANDOM  1500

static const char *ids_of(const char *form_id, const char *text, const batch_actor_t *actor,
                          apr_pool_t *p)
{
    static batch_limits_t limits = {.max_objects = 1000,
                                    .query_timeout = APR_USEC_PER_SEC * 60,
                                    .query_rows = 1000,
                                    .query_memory = 64 * 1024 * 1024};
    batch_query_t query = {&record, actor->organization, form_id, text, &limits};
    batch_problems_t *problems = batch_problems_make(p);
    apr_array_header_t *items = NULL;
    batch_error_t err = {0};
    apr_status_t rv = batch_query_run(&items, problems, "query", engine.store, &query, &err, p);
    const char *ids = "";
    int i;

    if (rv != APR_SUCCESS) {
        return problems->nelts ? APR_ARRAY_IDX(problems, 0, batch_problem_t).message
                               : apr_psprintf(p, "status %d: %s", rv, err.message);
    }
    for (i = 0; i < items->nelts; i++) {
        const char *key = APR_ARRAY_IDX(items, i, batch_item_t).key;
        ids = apr_pstrcat(p, ids, *ids ? " " : "", key, NULL);
    }
    return ids;
}

/* ---- The records ----------------------------------------------------------------------------- */

typedef struct record_row {
    const char *id;
    const char *status; /* NULL = NULL */
    int version;        /* -1 = NULL */
    int has_height;     /* 0: absent, 1: a number, 2: a text with one, 3: another text */
    int height;
    int lit; /* -1 = absent */
} record_row_t;

static record_row_t rows[RECORDS];

static const char *literal(const char *text, apr_pool_t *p)
{
    return text ? apr_pstrcat(p, "'", text, "'", NULL) : "NULL";
}

static void make_records(apr_pool_t *p)
{
    static const char *const statuses[] = {"good", "Good", "", "a_b", "a%b", NULL, "10", "9"};
    int i;

    sql(p, by_driver("DROP TABLE records", "DROP TABLE records CASCADE"));
    sql(p, by_driver("CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, version INTEGER, created_at TEXT, form_values TEXT)",
                     "CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, version INTEGER, created_at TIMESTAMPTZ, form_values "
                     "JSONB)"));
    for (i = 0; i < RECORDS; i++) {
        record_row_t *row = &rows[i];
        const char *json = "{\"n\": 1";

        row->id = apr_psprintf(p, "r%02d", i);
        row->status = statuses[i % 8];
        row->version = i % 7 == 6 ? -1 : i % 5;
        row->has_height = i % 4;
        row->height = i * 3 % 20 - 5;
        row->lit = i % 3 - 1;
        if (row->has_height == 1) {
            json = apr_psprintf(p, "%s, \"height\": %d", json, row->height);
        } else if (row->has_height == 2) {
            json = apr_psprintf(p, "%s, \"height\": \"%d\"", json, row->height);
        } else if (row->has_height == 3) {
            json = apr_pstrcat(p, json, ", \"height\": \"tall\"", NULL);
        }
        if (row->lit >= 0) {
            json = apr_pstrcat(p, json, ", \"lit\": ", row->lit ? "true" : "false", NULL);
        }
        sql(p, apr_psprintf(p,
                            "INSERT INTO records VALUES (%s, 'acme', 'form-1', %s, %s, "
                            "'2023-10-%02dT12:00:00Z', '%s}')",
                            literal(row->id, p), literal(row->status, p),
                            row->version < 0 ? "NULL" : apr_psprintf(p, "%d", row->version),
                            1 + i % 28, json));
    }
    sql(p, "INSERT INTO records VALUES ('g1', 'globex', 'form-2', 'good', 1, "
           "'2023-10-01T00:00:00Z', '{\"height\": 1, \"secret\": 1}')");
    /* The same form's id, but not the organization's. */
    sql(p, "INSERT INTO records VALUES ('g2', 'globex', 'form-1', 'good', 1, "
           "'2023-10-01T00:00:00Z', '{\"height\": 1, \"secret\": 1}')");
}

static void make_resource(apr_pool_t *p)
{
    batch_column_t *column;

    record.updated_at = record.updated_by_id = NULL;
    record.created_at = "created_at";
    record.form_name = "name";
    add_column("version", p);
    APR_ARRAY_IDX(record.columns, 1, batch_column_t).type = BATCH_TYPE_INTEGER;
    add_column("form_values", p);
    column = &APR_ARRAY_IDX(record.columns, 2, batch_column_t);
    column->type = BATCH_TYPE_JSON;
    column->readonly = 1;
}

/* ---- Random queries and the reference ---------------------------------------------------------
 */

static unsigned seed = 20231006;

static int draw(int below)
{
    return (int)((unsigned)rand_r(&seed) % (unsigned)below);
}

/* 0 false, 1 true, -1 unknown. */
static int both(int a, int b)
{
    return a == 0 || b == 0 ? 0 : a < 0 || b < 0 ? -1 : 1;
}

static int opposite(int a)
{
    return a < 0 ? a : !a;
}

typedef struct condition {
    int kind; /* 0 to 6: leaves; 7 AND, 8 OR, 9 NOT */
    int op, number;
    const char *text;
    struct condition *left, *right;
} condition_t;

static const char *const operators[] = {"=", "<>", "<", "<=", ">", ">="};

static condition_t *draw_condition(int depth, apr_pool_t *p)
{
    static const char *const texts[] = {"good", "a_b", "", "10", "nobody"};
    static const char *const patterns[] = {"g%", "%o%", "_ood", "a\\_b", "a_b", "%", "%\\%%", ""};
    condition_t *condition = apr_pcalloc(p, sizeof(*condition));

    condition->kind = depth ? draw(10) : draw(7);
    condition->op = draw(6);
    condition->number = draw(24) - 6;
    condition->text = condition->kind == 1 ? patterns[draw(8)] : texts[draw(5)];
    if (condition->kind >= 7) {
        condition->left = draw_condition(depth - 1, p);
        condition->right = draw_condition(depth - 1, p);
    }
    return condition;
}

static const char *write_condition(const condition_t *c, apr_pool_t *p)
{
    switch (c->kind) {
    case 0:
        return apr_psprintf(p, "_status %s '%s'", operators[c->op], c->text);
    case 1:
        return apr_psprintf(p, "_status %s '%s'", c->op & 1 ? "LIKE" : "NOT LIKE", c->text);
    case 2:
        return apr_psprintf(p, "_version %s %d", operators[c->op], c->number);
    case 3:
        return apr_psprintf(p, "height %s %d", operators[c->op], c->number);
    case 4:
        return apr_psprintf(p, "%s IS %sNULL", c->op & 1 ? "height" : "_status",
                            c->op & 2 ? "NOT " : "");
    case 5:
        return apr_psprintf(p, "_status %sIN ('%s', 'Good')", c->op & 1 ? "" : "NOT ", c->text);
    case 6:
        return apr_psprintf(p, "%slit", c->op & 1 ? "NOT " : "");
    case 9:
        return apr_psprintf(p, "NOT (%s)", write_condition(c->left, p));
    default:
        return apr_psprintf(p, "(%s %s %s)", write_condition(c->left, p),
                            c->kind == 7 ? "AND" : "OR", write_condition(c->right, p));
    }
}

static int decide(int op, int order)
{
    switch (op) {
    case 0:
        return order == 0;
    case 1:
        return order != 0;
    case 2:
        return order < 0;
    case 3:
        return order <= 0;
    case 4:
        return order > 0;
    default:
        return order >= 0;
    }
}

/* LIKE by its definition: slow, and easy to believe. */
static int matches(const char *text, const char *pattern)
{
    if (!*pattern) {
        return !*text;
    }
    if (*pattern == '%') {
        return matches(text, pattern + 1) || (*text && matches(text + 1, pattern));
    }
    if (*pattern == '\\') {
        pattern++;
    } else if (*pattern == '_') {
        return *text && matches(text + 1, pattern + 1);
    }
    return *text == *pattern && matches(text + 1, pattern + 1);
}

static int refer(const condition_t *c, const record_row_t *row)
{
    int has_number = row->has_height == 1 || row->has_height == 2, is_null, is_in;

    switch (c->kind) {
    case 0:
        return row->status ? decide(c->op, strcmp(row->status, c->text)) : -1;
    case 1:
        return row->status ? matches(row->status, c->text) == (c->op & 1) : -1;
    case 2:
        return row->version < 0 ? -1 : decide(c->op, row->version - c->number);
    case 3:
        return has_number ? decide(c->op, row->height - c->number) : -1;
    case 4:
        is_null = c->op & 1 ? !row->has_height : !row->status;
        return is_null != ((c->op & 2) != 0);
    case 5:
        is_in = row->status && (!strcmp(row->status, c->text) || !strcmp(row->status, "Good"));
        return row->status ? is_in == (c->op & 1) : -1;
    case 6:
        return row->lit < 0 ? -1 : c->op & 1 ? !row->lit : row->lit;
    case 7:
        return both(refer(c->left, row), refer(c->right, row));
    case 8:
        return opposite(both(opposite(refer(c->left, row)), opposite(refer(c->right, row))));
    default:
        return opposite(refer(c->left, row));
    }
}

static void test_random(apr_pool_t *pool)
{
    apr_pool_t *p;
    int i, row, wrong = 0, selected = 0;

    apr_pool_create(&p, pool);
    for (i = 0; i < RANDOM; i++) {
        const condition_t *condition;
        const char *text, *got, *wanted = "";

        apr_pool_clear(p);
        condition = draw_condition(4, p);
        text = write_condition(condition, p);
        for (row = 0; row < RECORDS; row++) {
            if (refer(condition, &rows[row]) == 1) {
                wanted = apr_pstrcat(p, wanted, *wanted ? " " : "", rows[row].id, NULL);
            }
        }
        got = sorted(ids_of("form-1", text, &alice, p), p);
        selected += *wanted != '\0';
        if (strcmp(got, wanted) != 0 && ++wrong < 5) {
            printf("# %s\n#   got    %s\n#   wanted %s\n", text, got, wanted);
        }
    }
    is_number(wrong, 0, "random queries select what the reference says");
    ok(selected > RANDOM / 4, "and many of them something: %d of %d", selected, RANDOM);
}

/* ---- By hand --------------------------------------------------------------------------------- */

static const struct {
    const char *query;
    const char *result;
} cases[] = {
    {"_record_id = 'r01'", "r01"},
    {"_record_id = 'g1'", ""},
    {"_record_id = 'g2'", ""},
    {"secret = 1", "line 1, column 1: there is no column \"secret\", and no record of the form has "
                   "a member of that name"},
    {"SELECT _record_id AS id FROM \"One\" WHERE _version = 4 ORDER BY _record_id DESC LIMIT 3",
     "r59 r54 r49"},
    {"SELECT _record_id AS id FROM \"form-1\" ORDER BY height DESC NULLS LAST, 1 LIMIT 2 OFFSET 1",
     "r07 r11"},
    {"SELECT _record_id AS id FROM \"form-2\"",
     "line 1, column 30: your organization has no form \"form-2\""},
    {"SELECT DISTINCT _status AS id FROM \"One\" WHERE _status > 'a' ORDER BY id DESC LIMIT 2",
     "good a_b"},
    {"_created_at >= timestamp '2023-10-28T12:00:00Z' and _created_at < '2023-10-29'", "r27 r55"},
    {"_created_at + interval '1 month' > date '2023-11-28'", "r27 r55"},
    {"_created_at::date = '2023-10-28'", "r27 r55"},
    {"9007199254740993 = 9007199254740992 + 1 and _record_id = 'r01'", "r01"},
    {"5 / 2 = 2 and 5 / 2.0 = 2.5 and -7 % 3 = -1 and _record_id = 'r01'", "r01"},
    {"9223372036854775807 + _version IS NULL and _record_id in ('r00', 'r01')", "r01"},
    {"substr('abc', -1, 3) = 'a' and length('h\xc3\xa9') = 2 and upper('h\xc3\xa9') = "
     "'H\xc3\x89' and _record_id = 'r01'",
     "r01"},
    {"'x' || _version || TRUE || 1.50 = 'x1true1.5' and _record_id = 'r01'", "r01"},
    {"round(2.5) = 3 and round(-2.5) = -3 and round(1.255, 2) > 1.2 and _record_id = 'r01'", "r01"},
    {"btrim('xxaxx', 'x') = 'a' and ltrim('  a') = 'a' and _record_id = 'r01'", "r01"},
    {"n IS DISTINCT FROM 2 and n IS NOT DISTINCT FROM 1 and _record_id = 'r01'", "r01"},
    {"(_status = 'x') IS UNKNOWN and _record_id < 'r10'", "r05"},
    {"_record_id IN (SELECT max(_record_id) FROM \"One\" GROUP BY _version HAVING _version > 2)",
     "r58 r59"},
    {"SELECT a._record_id AS id FROM \"One\" a JOIN \"One\" b ON a._record_id = b._record_id "
     "WHERE b._status LIKE 'a\\%b' AND a._version = 2",
     "r12 r52"},
    {"SELECT CASE WHEN _version = 3 THEN _record_id END AS id FROM \"One\" WHERE _record_id < "
     "'r10'",
     "r03 r08"},
    {"SELECT CAST('1.5' AS integer) AS id FROM \"One\" UNION SELECT CAST(2.5 AS text) FROM \"One\"",
     "line 1, column 13: found '1.5', expected an integer in it"},
    {"SELECT CAST('1.5' AS numeric) AS id FROM \"One\" UNION SELECT 2.50 FROM \"One\"", "1.5 2.5"},
    {"SELECT count(*) AS id FROM \"One\" WHERE EXISTS (SELECT 1)", "60"},
    {"SELECT count(*) AS id FROM \"One\" GROUP BY _nothing",
     "line 1, column 43: there is no column \"_nothing\", and no record of the form has a member "
     "of "
     "that name"},
    {"SELECT 1 AS id FROM \"One\" UNION SELECT 2", "1 2"},
    {"SELECT _record_id AS id, _version AS id FROM \"One\"",
     "line 1, column 26: found a second column named id, expected one"},
};

static void test_cases(apr_pool_t *p)
{
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *got = ids_of("form-1", cases[i].query, &alice, p);
        int ordered = strstr(cases[i].query, "ORDER") || strstr(got, "line ");

        is_string(ordered ? got : sorted(got, p), cases[i].result, cases[i].query);
    }
    is_string(ids_of("form-2", "secret = 1", &carol, p), "g1",
              "the other organization has its own record");
}

static void test_limits(apr_pool_t *p)
{
    batch_limits_t limits = {.max_objects = 10,
                             .query_timeout = APR_USEC_PER_SEC * 60,
                             .query_rows = 20,
                             .query_memory = 1024 * 1024};
    batch_query_t query = {&record, "acme", "form-1", NULL, &limits};
    static const struct {
        const char *query;
        const char *words;
    } over[] = {
        {"1 = 1", "selects 60 distinct objects, and a batch can have 10"},
        {"SELECT count(*) AS id FROM \"One\"", "BatchQueryRows"},
        {"SELECT _record_id || a AS id FROM \"One\" WHERE", "found \"the end of the query\""},
    };
    size_t i;

    for (i = 0; i < sizeof(over) / sizeof(*over); i++) {
        batch_problems_t *problems = batch_problems_make(p);
        apr_array_header_t *items;
        batch_error_t err = {0};

        query.text = over[i].query;
        is_number(batch_query_run(&items, problems, "query", engine.store, &query, &err, p),
                  BATCH_EINVALID, over[i].query);
        ok(problems->nelts == 1 &&
               strstr(APR_ARRAY_IDX(problems, 0, batch_problem_t).message, over[i].words),
           "it says %s", over[i].words);
        if (problems->nelts) {
            printf("# %s\n", APR_ARRAY_IDX(problems, 0, batch_problem_t).message);
        }
    }
    limits.query_rows = 10;
    query.text =
        "SELECT max(_record_id) AS id FROM \"One\" WHERE _status = '9' GROUP BY _record_id";
    {
        batch_problems_t *problems = batch_problems_make(p);
        apr_array_header_t *items = NULL;
        batch_error_t err = {0};

        is_number(batch_query_run(&items, problems, "query", engine.store, &query, &err, p),
                  APR_SUCCESS, "only records are copied that the WHERE can be true for");
        ok(items && items->nelts == 7, "these are selected");
    }
    limits.query_timeout = 200000;
    limits.query_rows = 1000;
    limits.query_memory = 64 * 1024 * 1024;
    query.text = "SELECT max(a._record_id) AS id FROM \"One\" a, \"One\" b, \"One\" c, \"One\" d, "
                 "\"One\" e WHERE a._status < b._status OR d._version > e._version";
    {
        batch_problems_t *problems = batch_problems_make(p);
        apr_array_header_t *items;
        batch_error_t err = {0};

        is_number(batch_query_run(&items, problems, "query", engine.store, &query, &err, p),
                  BATCH_EINVALID, "a product of five forms");
        ok(problems->nelts == 1 &&
               strstr(APR_ARRAY_IDX(problems, 0, batch_problem_t).message, "BatchQueryTimeout"),
           "it says BatchQueryTimeout");
    }
}

int main(void)
{
    apr_pool_t *p = begin_database("query");

    make_engine(database, p);
    make_resource(p);
    make_records(p);
    test_cases(p);
    test_random(p);
    test_limits(p);
    batch_store_destroy(engine.store);
    return end_database(p);
}

/*
 * Queries with joins, subqueries, groups, windows and set operations, on a real database: what they
 * select, which is what PostgreSQL selects; and that a condition means the same wherever it stands.
 *
 * With - as argument: the queries of the standard input, and what each selects.
 */
/* needs: database */
#include "engine_fixture.h"
#include "query_words.h"

#include "query/query.h"

static batch_limits_t limits = {.max_objects = 1000,
                                .query_timeout = APR_USEC_PER_SEC * 60,
                                .query_rows = 1000,
                                .query_memory = 64 * 1024 * 1024};

static const char *ids_of(const char *text, int check_only, apr_pool_t *p)
{
    batch_query_t query = {&record, alice.organization, "trees", text, &limits};
    batch_problems_t *problems = batch_problems_make(p);
    apr_array_header_t *items = NULL;
    batch_error_t err = {0};
    apr_status_t rv =
        check_only ? batch_query_check(problems, "query", engine.store, &query, &err, p)
                   : batch_query_run(&items, problems, "query", engine.store, &query, &err, p);
    const char *ids = "";
    int i;

    if (rv != APR_SUCCESS) {
        return problems->nelts ? APR_ARRAY_IDX(problems, 0, batch_problem_t).message
                               : apr_psprintf(p, "status %d: %s", rv, err.message);
    }
    for (i = 0; items && i < items->nelts; i++) {
        ids = apr_pstrcat(p, ids, *ids ? " " : "", APR_ARRAY_IDX(items, i, batch_item_t).key, NULL);
    }
    return ids;
}

/* ---- The records ----------------------------------------------------------------------------- */

/* Inserted in this order: that of the ids is another one. */
static const char *const rows[] = {
    "'t3', 'acme', 'trees', 'good', 3, '2023-10-03T12:00:00.5Z', '{\"street\": \"b\", \"height\": "
    "4, \"lit\": true, \"tag\": \"7\", \"t\": \"10\", \"flag\": \"true\", \"h\": 4}'",
    "'t1', 'acme', 'trees', 'good', 1, '2023-10-01T12:00:00Z', '{\"street\": \"a\", \"height\": 1, "
    "\"lit\": false, \"tag\": 1, \"t\": \"tall\", \"flag\": \"false\", \"h\": 2.5, \"big\": "
    "9007199254740993}'",
    "'t2', 'acme', 'trees', 'bad', 2, '2023-10-02T12:00:00.25Z', '{\"street\": \"a\", \"height\": "
    "2.5, \"lit\": true, \"tag\": true, \"t\": \"9\", \"flag\": \"no\", \"h\": 2, \"big\": "
    "9007199254740992}'",
    "'t6', 'acme', 'trees', NULL, 2, '2023-10-03T12:00:00.5Z', '{\"street\": \"c\", \"height\": "
    "-1.5, \"tag\": 2.0, \"t\": \"0\"}'",
    "'t5', 'acme', 'trees', 'bad', NULL, NULL, '{\"street\": \"b\", \"lit\": false, \"tag\": "
    "false}'",
    "'t4', 'acme', 'trees', NULL, 1, '2023-10-04T00:00:00Z', '{\"height\": 2.5, \"tag\": \"x\"}'",
    "'t7', 'acme', 'trees', 'old', 9, '2022-10-03T12:00:00Z', '{\"street\": \"b\", \"height\": 1, "
    "\"lit\": true}'",
    "'s2', 'acme', 'streets', 'good', 2, '2023-01-01T00:00:00Z', '{\"street\": \"b\", \"tag\": 2, "
    "\"length\": 200, \"color\": \"red\"}'",
    "'s1', 'acme', 'streets', 'good', 1, '2023-01-01T00:00:00Z', '{\"street\": \"a\", \"tag\": "
    "\"7\", \"length\": 100, \"color\": \"blue\"}'",
    "'s3', 'acme', 'streets', 'bad', NULL, '2023-01-01T00:00:00Z', '{\"street\": \"d\", \"tag\": "
    "true, \"length\": 50.5}'",
    "'s4', 'acme', 'streets', 'bad', 2, '2023-01-01T00:00:00Z', '{\"tag\": 1, \"color\": "
    "\"red\"}'",
    "'g1', 'globex', 'trees', 'good', 1, '2023-10-01T00:00:00Z', '{\"street\": \"a\", \"secret\": "
    "1}'",
    "'g2', 'globex', 'secrets', 'good', 1, '2023-10-01T00:00:00Z', '{\"street\": \"a\", "
    "\"secret\": 1}'",
};

static void make_records(apr_pool_t *p)
{
    batch_column_t *column;
    size_t i;

    sql(p, by_driver("DROP TABLE records", "DROP TABLE records CASCADE"));
    sql(p, by_driver("CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, version INTEGER, created_at TEXT, form_values TEXT)",
                     "CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id "
                     "TEXT, status TEXT, version INTEGER, created_at TIMESTAMPTZ, form_values "
                     "JSONB)"));
    sql(p, "DELETE FROM forms; INSERT INTO forms VALUES ('trees', 'acme', 'Trees'), ('streets', "
           "'acme', 'Streets'), ('empty', 'acme', 'Empty'), ('secrets', 'globex', 'Secrets')");
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sql(p, apr_psprintf(p, "INSERT INTO records VALUES (%s)", rows[i]));
    }
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

/* ---- One meaning ------------------------------------------------------------------------------
 */

static const struct {
    const char *condition;
    const char *result;
} conditions[] = {
    {"_version < '3'", "t1 t2 t4 t6"},
    {"_version <> '3'", "t1 t2 t4 t6 t7"},
    {"_status > 5", NULL},
    {"h % 2 = 0", "t2 t3"},
    {"t + 1 = 1", "t6"},
    {"NOT flag", "t1 t2"},
    {"t NOT IN (9, 10)", "t6"},
    {"5 < (t)", "t2 t3"},
    {"_version + 9223372036854775807 > 0", ""},
    {"_version - 1 + 9223372036854775807 > 0", "t1 t4"},
    {"_created_at > timestamp '2023-10-02T12:00:00Z'", "t2 t3 t4 t6"},
    {"_created_at = timestamp '2023-10-03T12:00:00.5Z'", "t3 t6"},
    {"big = 9007199254740993", "t1"},
    {"big > 9007199254740992", "t1"},
    {"tag = 1", "t1"},
    {"tag = 7", "t3"},
    {"tag <> 7", "t1 t6"},
    {"tag > 1.5", "t3 t6"},
    {"tag = '7'", "t3"},
    {"tag <> '7'", "t1 t2 t4 t5 t6"},
    {"flag", "t3"},
    {"tag IS NULL", "t7"},
    {"NOT (tag = h)", "t1"},
    {"tag = tag", "t1 t2 t3 t4 t5 t6"},
    {"tag IS DISTINCT FROM h", "t1 t2 t3 t4 t5 t6"},
    {"tag IS NOT DISTINCT FROM h", "t7"},
    {"height IN (1, 2.5, NULL)", "t1 t2 t4 t7"},
    {"height NOT IN (1, 2.5)", "t3 t6"},
    {"height NOT IN (1, NULL)", ""},
    {"height BETWEEN 1 AND _version", "t1 t7"},
    {"height NOT BETWEEN 1 AND _version", "t2 t3 t4 t6"},
    {"street || tag = 'b7'", "t3"},
    {"street LIKE '_' AND NOT street LIKE 'b'", "t1 t2 t6"},
    {"CASE WHEN height > 2 THEN lit ELSE street = 'b' END", "t2 t3 t5 t7"},
    {"CASE street WHEN 'a' THEN 1 WHEN 'b' THEN 2 END = _version", "t1"},
    {"coalesce(height, _version, 7) = 7", "t5"},
    {"coalesce(street, '') = ''", "t4"},
    {"nullif(street, 'a') IS NULL", "t1 t2 t4"},
    {"(lit AND height > 2) IS UNKNOWN", "t4"},
    {"(lit OR height > 2) IS NOT TRUE", "t1 t5 t6"},
    {"height * height > 6 OR height IS NULL", "t2 t3 t4 t5"},
    {"_created_at + interval '1 day' < date '2023-10-04'", "t1 t2 t7"},
    {"_created_at::date = '2023-10-03'", "t3 t6"},
    {"1 / (height - 1) > 0", "t2 t3 t4"},
    {"_version / 2 = 1", "t2 t3 t6"},
    {"_status LIKE _status || '%'", "t1 t2 t3 t5 t7"},
};

/* Alone, where a record is looked at by itself; beside a subquery; and in each kind of place. */
static void test_meaning(apr_pool_t *p)
{
    static const char *const forms[] = {
        "%s",
        "(%s) AND EXISTS (SELECT 1 FROM Trees)",
        "(%s) AND EXISTS (SELECT 1)",
        "NOT (NOT (%s)) AND EXISTS (SELECT 1)",
        "SELECT max(_record_id) AS id FROM Trees WHERE %s GROUP BY _record_id",
        "SELECT _record_id AS id FROM Trees WHERE (%s) UNION SELECT _record_id FROM Trees "
        "WHERE FALSE",
        "SELECT id FROM (SELECT _record_id AS id, (%s) AS c FROM Trees) x WHERE c",
        "SELECT _record_id AS id FROM Trees WHERE _record_id IN (SELECT _record_id FROM Trees "
        "WHERE %s)",
        "SELECT Trees._record_id AS id FROM Trees JOIN (SELECT 1 AS one) x ON (%s)",
        "SELECT CASE WHEN %s THEN _record_id END AS id FROM Trees WHERE EXISTS (SELECT 1)",
        "SELECT CASE WHEN NOT (%s) THEN NULL WHEN (%s) IS NOT NULL THEN _record_id END AS id FROM "
        "Trees WHERE EXISTS (SELECT 1)",
        "SELECT id FROM (SELECT _record_id AS id, count(*) FILTER (WHERE %s) OVER (PARTITION BY "
        "_record_id) AS c FROM Trees) x WHERE c = 1",
        "WITH x AS (SELECT _record_id AS id FROM Trees WHERE %s) SELECT id FROM x",
    };
    size_t i, j;

    for (i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
        const char *condition = conditions[i].condition;

        for (j = 0; j < sizeof(forms) / sizeof(*forms); j++) {
            const char *query = apr_psprintf(p, "%s", forms[j]), *got;
            const char *part;

            while ((part = strstr(query, "%s"))) {
                query = apr_pstrcat(p, apr_pstrmemdup(p, query, (apr_size_t)(part - query)),
                                    condition, part + 2, NULL);
            }
            got = ids_of(query, 0, p);
            if (conditions[i].result) {
                is_string(sorted(got, p), conditions[i].result, query);
            } else {
                ok(!strncmp(got, "line 1, column ", 15), "%s: %s", query, got);
            }
        }
    }
}

/* ---- Relations --------------------------------------------------------------------------------
 */

/* In any order, or in the one behind =. */
static const struct {
    const char *query;
    const char *result;
} cases[] = {
    /* As PostgreSQL itself says */
    {"SELECT t._record_id AS id FROM Trees t JOIN Streets s ON t.street = s.street WHERE s.color = "
     "'red'",
     "t3 t5 t7"},
    {"SELECT t._record_id || '-' || s._record_id AS id FROM Trees t JOIN Streets s USING (street)",
     "t1-s1 t2-s1 t3-s2 t5-s2 t7-s2"},
    {"SELECT t._record_id || coalesce(s.color, '?') AS id FROM Trees t LEFT JOIN Streets s ON "
     "t.street = s.street AND s.length > 100",
     "t1? t2? t3red t4? t5red t6? t7red"},
    {"SELECT coalesce(t._record_id, '') || s._record_id AS id FROM Trees t RIGHT JOIN Streets s ON "
     "t.street = s.street",
     "s3 s4 t1s1 t2s1 t3s2 t5s2 t7s2"},
    {"SELECT coalesce(t._record_id, '') || coalesce(s._record_id, '') AS id FROM Trees t FULL JOIN "
     "Streets s ON t.street = s.street AND t.lit",
     "s3 s4 t1 t2s1 t3s2 t4 t5 t6 t7s2"},
    {"SELECT street AS id FROM Trees FULL JOIN Streets USING (street)", "a b c d"},
    {"SELECT a._record_id || coalesce(b._record_id, '') || coalesce(c._record_id, '') AS id FROM "
     "Trees a LEFT JOIN (Streets b JOIN Trees c ON b._version = c._version) ON a.street = b.street "
     "WHERE a._version < 3",
     "t1s1t1 t1s1t4 t2s1t1 t2s1t4 t4 t6"},
    {"SELECT a._record_id AS id FROM Trees a LEFT JOIN Streets b ON a.street = b.street WHERE "
     "b._record_id IS NULL",
     "t4 t6"},
    {"SELECT a._record_id AS id FROM Trees a CROSS JOIN Streets b WHERE a.height > b._version AND "
     "b.color = 'red'",
     "t2 t3 t4"},
    {"SELECT a._record_id AS id FROM Trees a, Streets b, Streets c WHERE a.street = b.street AND "
     "b.color < c.color",
     "t1 t2"},
    {"SELECT _record_id AS id FROM Trees WHERE street IN (SELECT street FROM Streets)",
     "t1 t2 t3 t5 t7"},
    {"SELECT _record_id AS id FROM Trees WHERE street NOT IN (SELECT street FROM Streets)", ""},
    {"SELECT _record_id AS id FROM Trees WHERE street NOT IN (SELECT street FROM Streets WHERE "
     "street IS NOT NULL)",
     "t6"},
    {"SELECT _record_id AS id FROM Trees WHERE street NOT IN (SELECT street FROM Streets WHERE "
     "FALSE)",
     "t1 t2 t3 t4 t5 t6 t7"},
    {"SELECT _record_id AS id FROM Trees t WHERE EXISTS (SELECT 1 FROM Streets s WHERE s.street = "
     "t.street AND s.length > 100)",
     "t3 t5 t7"},
    {"SELECT _record_id AS id FROM Trees t WHERE NOT EXISTS (SELECT 1 FROM Streets s WHERE "
     "s.street = t.street)",
     "t4 t6"},
    {"SELECT _record_id AS id FROM Trees t WHERE height = (SELECT max(height) FROM Trees)", "t3"},
    {"SELECT _record_id AS id FROM Trees t WHERE height > (SELECT avg(height) FROM Trees)",
     "t2 t3 t4"},
    {"SELECT _record_id AS id FROM Trees t WHERE height = (SELECT max(height) FROM Trees u WHERE "
     "u.street = t.street)",
     "t2 t3 t6"},
    {"SELECT _record_id AS id FROM Trees WHERE (SELECT length FROM Streets WHERE color = 'blue') = "
     "100",
     "t1 t2 t3 t4 t5 t6 t7"},
    {"SELECT _record_id AS id FROM Trees WHERE (SELECT length FROM Streets WHERE color = 'green') "
     "IS NULL",
     "t1 t2 t3 t4 t5 t6 t7"},
    {"SELECT _record_id AS id FROM Trees WHERE height < (SELECT length FROM Streets ORDER BY "
     "length LIMIT 1)",
     "t1 t2 t3 t4 t6 t7"},
    {"SELECT street AS id FROM Trees GROUP BY street HAVING count(*) > 1", "a b"},
    {"SELECT street || count(*) AS id FROM Trees WHERE street IS NOT NULL GROUP BY street",
     "a2 b3 c1"},
    {"SELECT coalesce(street, '?') || count(height) || '-' || coalesce(sum(height), 0) AS id FROM "
     "Trees GROUP BY street",
     "?1-2.5 a2-3.5 b2-5 c1--1.5"},
    {"SELECT max(_record_id) AS id FROM Trees GROUP BY _version % 2", "t5 t6 t7"},
    {"SELECT max(_record_id) AS id FROM Trees", "t7"},
    {"SELECT max(_record_id) AS id FROM Trees WHERE FALSE", ""},
    {"SELECT count(*)::text AS id FROM Trees WHERE FALSE", "0"},
    {"SELECT 'x' AS id FROM Trees HAVING count(*) > 6", "x"},
    {"SELECT 'x' AS id FROM Trees HAVING count(*) > 7", ""},
    {"SELECT 'x' AS id FROM Trees WHERE FALSE HAVING TRUE", "x"},
    {"SELECT count(DISTINCT height)::text AS id FROM Trees", "4"},
    {"SELECT (count(*) FILTER (WHERE lit))::text AS id FROM Trees", "3"},
    {"SELECT avg(height)::text AS id FROM Trees WHERE height IN (1, 4)", "2"},
    {"SELECT sum(_version)::text AS id FROM Trees", "18"},
    {"SELECT bool_and(lit)::text || bool_or(lit)::text AS id FROM Trees", "falsetrue"},
    {"SELECT t._record_id AS id FROM Trees t GROUP BY t._record_id HAVING t._record_id < 't3' AND "
     "max(t.height) > 1",
     "t2"},
    {"SELECT street AS id FROM Trees UNION SELECT street FROM Streets", "a b c d"},
    {"SELECT street AS id FROM Trees INTERSECT SELECT street FROM Streets", "a b"},
    {"SELECT street AS id FROM Trees EXCEPT SELECT street FROM Streets", "c"},
    {"SELECT 'a' AS id FROM Trees WHERE FALSE UNION SELECT 'b' FROM Trees INTERSECT SELECT 'c' "
     "FROM Trees",
     ""},
    {"SELECT 'b' AS id FROM Trees EXCEPT SELECT 'c' FROM Trees UNION SELECT 'a' FROM Trees", "a b"},
    {"(SELECT 'a' AS id FROM Trees UNION SELECT 'b' FROM Trees) INTERSECT SELECT 'b' FROM Trees",
     "b"},
    {"SELECT x || count(*) AS id FROM (SELECT street AS x FROM Trees INTERSECT ALL SELECT street "
     "FROM Trees WHERE lit) y GROUP BY x",
     "a1 b2"},
    {"SELECT x || count(*) AS id FROM (SELECT street AS x FROM Trees EXCEPT ALL SELECT street FROM "
     "Streets) y WHERE x IS NOT NULL GROUP BY x",
     "a1 b2 c1"},
    {"SELECT x || count(*) AS id FROM (SELECT street AS x FROM Trees UNION ALL SELECT street FROM "
     "Streets) y WHERE x IS NOT NULL GROUP BY x",
     "a3 b4 c1 d1"},
    {"SELECT _record_id AS id FROM (SELECT _record_id, row_number() OVER (PARTITION BY street "
     "ORDER BY _created_at DESC, _record_id) AS n FROM Trees) t WHERE t.n = 1",
     "t2 t4 t5 t6"},
    {"SELECT _record_id || r AS id FROM (SELECT _record_id, rank() OVER (ORDER BY height) AS r "
     "FROM Trees) t",
     "t12 t24 t36 t44 t57 t61 t72"},
    {"SELECT _record_id || r AS id FROM (SELECT _record_id, dense_rank() OVER (ORDER BY height "
     "DESC) AS r FROM Trees) t",
     "t14 t23 t32 t43 t51 t65 t74"},
    {"SELECT _record_id || coalesce(r, 0) AS id FROM (SELECT _record_id, sum(height) OVER (ORDER "
     "BY _version) AS r FROM Trees) t",
     "t13.5 t24.5 t38.5 t43.5 t59.5 t64.5 t79.5"},
    {"SELECT _record_id || coalesce(r, 0) AS id FROM (SELECT _record_id, sum(height) OVER (ORDER "
     "BY _record_id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS r FROM Trees) t",
     "t13.5 t27.5 t39 t46.5 t51 t6-0.5 t7-0.5"},
    {"SELECT _record_id || coalesce(r, 0) AS id FROM (SELECT _record_id, count(height) OVER "
     "(PARTITION BY street) AS r FROM Trees) t",
     "t12 t22 t32 t41 t52 t61 t72"},
    {"SELECT _record_id || coalesce(r, '-') AS id FROM (SELECT _record_id, lag(street, 2, 'z') "
     "OVER (ORDER BY _record_id) AS r FROM Trees) t",
     "t1z t2z t3a t4a t5b t6- t7b"},
    {"SELECT _record_id || coalesce(r, '-') AS id FROM (SELECT _record_id, lead(street) OVER "
     "(ORDER BY _record_id DESC) AS r FROM Trees) t",
     "t1- t2a t3a t4b t5- t6b t7c"},
    {"SELECT _record_id || coalesce(r, '-') AS id FROM (SELECT _record_id, first_value(street) "
     "OVER (PARTITION BY lit ORDER BY _record_id) AS r FROM Trees) t",
     "t1a t2a t3a t4- t5a t6- t7a"},
    {"SELECT _record_id || coalesce(r, '-') AS id FROM (SELECT _record_id, nth_value(street, 2) "
     "OVER (ORDER BY _record_id) AS r FROM Trees) t",
     "t1- t2a t3a t4a t5a t6a t7a"},
    {"SELECT _record_id || r AS id FROM (SELECT _record_id, ntile(3) OVER (ORDER BY _record_id) AS "
     "r FROM Trees) t",
     "t11 t21 t31 t42 t52 t63 t73"},
    {"SELECT coalesce(street, '?') || r AS id FROM (SELECT street, rank() OVER (ORDER BY count(*) "
     "DESC) AS r FROM Trees GROUP BY street) t",
     "?3 a2 b1 c3"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) ORDER BY street LIMIT 3",
     "=t1 t2 t3"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) ORDER BY height DESC, _record_id "
     "LIMIT 3",
     "=t5 t3 t2"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) ORDER BY height NULLS FIRST, "
     "_record_id LIMIT 2 OFFSET 1",
     "=t6 t1"},
    {"SELECT street AS id FROM Trees UNION SELECT street FROM Streets ORDER BY id DESC LIMIT 3",
     "=d c"},
    {"SELECT DISTINCT street AS id, lit FROM Trees ORDER BY 1, 2 LIMIT 3", "=a b"},
    {"WITH s AS (SELECT street, length FROM Streets WHERE length > 60), big (x) AS (SELECT street "
     "FROM s) SELECT t._record_id AS id FROM Trees t JOIN big ON t.street = x",
     "t1 t2 t3 t5 t7"},
    {"WITH s AS (SELECT street FROM Streets) SELECT a.street || b.street AS id FROM s a, s b WHERE "
     "a.street < b.street",
     "ab ad bd"},
    {"SELECT _record_id AS id FROM Trees WHERE height IN (SELECT _version FROM Streets)", "t1 t7"},
    {"SELECT _record_id AS id FROM Trees t WHERE (SELECT count(*) FROM Trees u WHERE u.street = "
     "t.street) > 2",
     "t3 t5 t7"},
    {"SELECT _record_id AS id FROM Trees t WHERE CASE WHEN EXISTS (SELECT 1 FROM Streets s WHERE "
     "s.street = t.street) THEN height > 1 ELSE lit IS NULL END",
     "t2 t3 t4 t6"},
    {"SELECT _record_id AS id FROM Trees t WHERE coalesce((SELECT min(s.length) FROM Streets s "
     "WHERE s.street = t.street), 7) < 150",
     "t1 t2 t4 t6"},
    {"SELECT a.id FROM (SELECT _record_id AS id, height + 1 AS h1 FROM Trees) a JOIN (SELECT "
     "max(height) + 1 AS h2 FROM Trees) b ON a.h1 = b.h2",
     "t3"},
    {"SELECT e._record_id AS id FROM Empty e", ""},
    {"SELECT coalesce(e._record_id, t._record_id) AS id FROM Trees t LEFT JOIN Empty e ON "
     "e._status = t._status",
     "t1 t2 t3 t4 t5 t6 t7"},
    {"SELECT street AS id FROM Trees t JOIN Empty e ON TRUE", ""},
    /* Members that have several types, which PostgreSQL's columns have not; and the rest */
    {"SELECT t._record_id || s._record_id AS id FROM Trees t JOIN Streets s ON t.tag = s.tag",
     "t1s4 t2s3 t3s1 t6s2"},
    {"SELECT t._record_id || s._record_id AS id FROM Trees t JOIN Streets s ON NOT (t.tag <> "
     "s.tag)",
     "t1s4 t2s3 t3s1 t6s2"},
    {"SELECT t._record_id || s._record_id AS id FROM Trees t JOIN Streets s ON t.tag <> s.tag",
     "t1s2 t4s1 t5s3 t6s4"},
    {"SELECT t._record_id || s._record_id AS id FROM Trees t JOIN Streets s ON t.tag < s.tag",
     "t1s2 t5s3"},
    {"SELECT _record_id AS id FROM Trees WHERE tag IN (SELECT tag FROM Streets)", "t1 t2 t3 t6"},
    {"SELECT _record_id AS id FROM Trees WHERE tag NOT IN (SELECT tag FROM Streets)", ""},
    {"SELECT _record_id AS id FROM Trees WHERE tag NOT IN (SELECT tag FROM Streets WHERE _version "
     "= 2)",
     ""},
    {"SELECT _record_id AS id FROM Trees WHERE tag NOT IN (SELECT tag FROM Streets WHERE _version "
     "= 2 AND color = 'red')",
     ""},
    {"SELECT _record_id AS id FROM Trees WHERE tag NOT IN (SELECT tag FROM Streets WHERE "
     "_record_id = 's2')",
     "t1"},
    {"SELECT _record_id AS id FROM Trees WHERE (tag IN (SELECT tag FROM Streets WHERE _record_id = "
     "'s2')) IS UNKNOWN",
     "t2 t3 t4 t5 t7"},
    {"SELECT _record_id AS id FROM Trees WHERE tag NOT IN (SELECT tag FROM Streets WHERE FALSE)",
     "t1 t2 t3 t4 t5 t6 t7"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) ORDER BY tag",
     "=t1 t6 t3 t4 t5 t2 t7"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) ORDER BY tag DESC NULLS LAST",
     "=t2 t5 t4 t3 t6 t1 t7"},
    {"SELECT min(tag) AS id FROM Trees", "1"},
    {"SELECT max(tag) AS id FROM Trees", "true"},
    {"SELECT tag AS id FROM Trees UNION SELECT tag FROM Streets", "1 2 7 false true x"},
    {"SELECT tag AS id FROM Trees INTERSECT SELECT tag FROM Streets", "1 2 7 true"},
    {"SELECT tag AS id FROM Trees GROUP BY tag", "1 2 7 false true x"},
    {"SELECT DISTINCT tag AS id FROM Trees WHERE EXISTS (SELECT 1)", "1 2 7 false true x"},
    {"SELECT count(DISTINCT tag) AS id FROM Streets", "4"},
    {"SELECT coalesce(x.tag, 'none') AS id FROM (SELECT tag FROM Trees) x",
     "1 2 7 false none true x"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) LIMIT 2", "=t1 t2"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) ORDER BY lit DESC LIMIT 4",
     "=t4 t6 t2 t3"},
    {"SELECT a._record_id || b._record_id AS id FROM Trees a, Streets b LIMIT 5",
     "=t1s1 t1s2 t1s3 t1s4 t2s1"},
    {"SELECT a._record_id || b._record_id AS id FROM Trees a, Streets b ORDER BY b._status LIMIT 3 "
     "OFFSET 2",
     "=t2s3 t2s4 t3s3"},
    {"SELECT _record_id || n AS id FROM (SELECT _record_id, row_number() OVER (ORDER BY lit) AS n "
     "FROM Trees) t WHERE n < 4",
     "t11 t23 t52"},
    {"SELECT _record_id AS id FROM Trees WHERE height = (SELECT height FROM Trees)",
     "has a subquery that gives more than one row where a value stands, expected one: use IN, an "
     "aggregate as max, or LIMIT 1"},
    {"SELECT _record_id AS id FROM Trees t WHERE height = (SELECT height FROM Trees u WHERE "
     "u.street = t.street)",
     "has a subquery that gives more than one row where a value stands, expected one: use IN, an "
     "aggregate as max, or LIMIT 1"},
    {"SELECT sum(_version + 9223372036854775800 - 9) AS id FROM Trees WHERE _version < 3",
     "36893488147419103000"},
    {"SELECT sum(9223372036854775807 - _version) - 9223372036854775807 AS id FROM Trees WHERE "
     "_record_id IN ('t1', 't2')",
     "9223372036854776000"},
    {"SELECT secret AS id FROM Trees GROUP BY secret",
     "line 1, column 41: there is no column \"secret\", and no record of the form has a member of "
     "that name; did you mean \"street\"?"},
    {"SELECT t._record_id AS id FROM Trees t JOIN Secrets s ON TRUE",
     "line 1, column 45: your organization has no form \"Secrets\"; did you mean \"Streets\"?"},
    {"SELECT colour AS id FROM Streets GROUP BY colour",
     "line 1, column 43: there is no column \"colour\", and no record of the form has a member of "
     "that name; did you mean \"color\"?"},
    {"SELECT _record_id AS id FROM Trees, Streets",
     "line 1, column 8: \"_record_id\" is ambiguous: several of the forms have it, write the "
     "form's name or alias and a dot before it"},
    {"SELECT Trees._record_id AS id FROM Trees, Empty WHERE color = 1", ""},
    {"SELECT Trees._record_id AS id FROM Trees LEFT JOIN Empty ON color = 1",
     "t1 t2 t3 t4 t5 t6 t7"},
    /* Of one form only some records are copied */
    {"SELECT count(*) AS id FROM Trees WHERE _status = 'old' AND big IS NULL", "1"},
    {"SELECT count(*) AS id FROM Trees WHERE _status = 'none' AND big IS NULL", "0"},
    {"SELECT count(*) AS id FROM Trees WHERE _status = 'none' AND bigg IS NULL",
     "line 1, column 61: there is no column \"bigg\", and no record of the form has a member of "
     "that "
     "name; did you mean \"big\"?"},
    {"SELECT coalesce(t._record_id, '') || s._record_id AS id FROM Trees t FULL JOIN Streets s ON "
     "t.street = s.street WHERE s._status = 'good'",
     "t1s1 t2s1 t3s2 t5s2 t7s2"},
    {"SELECT coalesce(t._record_id, '') || s._record_id AS id FROM Streets s LEFT JOIN Trees t ON "
     "t.street = s.street WHERE t._status IN ('good', 'old')",
     "t1s1 t3s2 t7s2"},
    {"SELECT t._record_id AS id FROM Trees t WHERE t._status = 'good' AND EXISTS (SELECT 1 FROM "
     "Trees u WHERE u._version > t._version AND u._status = 'old')",
     "t1 t3"},
    {"SELECT t._record_id AS id FROM Trees t WHERE t._status = 'good' AND NOT EXISTS (SELECT 1 "
     "FROM "
     "Streets s WHERE s.street = t.street AND 'bad' = s._status)",
     "t1 t3"},
    {"SELECT _record_id AS id FROM Trees WHERE EXISTS (SELECT 1) LIMIT -1",
     "line 1, column 66: found \"-\", expected a whole number"},
    /* Names */
    {"SELECT a._record_id AS id FROM Trees a JOIN Streets b USING (street) JOIN Streets c USING "
     "(street) WHERE street = 'a'",
     "t1 t2"},
    {"SELECT coalesce(a._record_id, c._record_id) AS id FROM Trees a FULL JOIN Streets b USING "
     "(street) FULL JOIN Streets c USING (street) WHERE street IN ('a', 'd')",
     "s3 t1 t2"},
    {"SELECT street AS id FROM (Trees a JOIN Streets b USING (street)) JOIN (Streets c JOIN Trees "
     "d "
     "USING (street)) USING (street)",
     "a b"},
    {"SELECT street AS id FROM (Trees a JOIN Streets b USING (street)) CROSS JOIN (Streets c JOIN "
     "Trees d USING (street))",
     "line 1, column 8: \"street\" is ambiguous: several of the forms have it, write the form's "
     "name or alias and a dot before it"},
    {"SELECT q.street AS id FROM (SELECT * FROM Trees a JOIN Streets b USING (street)) q", "a b"},
    {"SELECT q.street AS id FROM (SELECT b.* FROM Trees a JOIN Streets b USING (street)) q", "a b"},
    {"SELECT q.street AS id FROM (SELECT * FROM (SELECT street FROM Trees) a FULL JOIN (SELECT "
     "street FROM Streets) b USING (street)) q",
     "a b c d"},
    {"WITH w(x, y) AS (SELECT _record_id, _status FROM Trees) SELECT a AS id FROM w AS t(a) WHERE "
     "y = 'good'",
     "t1 t3"},
    {"WITH w AS (SELECT _record_id FROM Trees), w AS (SELECT 1) SELECT _record_id AS id FROM w",
     "line 1, column 43: \"w\" stands behind WITH twice: give one of them another name"},
    {"SELECT _record_id AS id, CASE WHEN _version > 5 THEN 0 ELSE _version END FROM Trees ORDER BY "
     "_version LIMIT 1",
     "=t7"},
    {"SELECT _record_id AS id, (SELECT s._version FROM Streets s WHERE s._record_id = 's1') FROM "
     "Trees ORDER BY _version DESC LIMIT 1",
     "=t1"},
    {"SELECT _record_id AS id, street AS x, height AS x FROM Trees ORDER BY x LIMIT 1",
     "line 1, column 71: \"x\" is ambiguous: several of the columns that are selected have that "
     "name, say the number of one of them"},
    {"SELECT street AS id, street AS x, street AS x FROM Trees ORDER BY x LIMIT 3", "=a b"},
    {"SELECT max(_record_id) AS id, street AS x, height AS x FROM Trees GROUP BY x",
     "line 1, column 76: \"x\" is ambiguous: several of the columns that are selected have that "
     "name, say the number of one of them"},
    /* What is ordered by, and what a side of a set operation is */
    {"SELECT 'x' AS id FROM Trees ORDER BY count(*)", "x"},
    {"SELECT _record_id AS id FROM Streets WHERE '200' IN (SELECT length FROM Streets ORDER BY "
     "length DESC NULLS LAST LIMIT 1)",
     "s1 s2 s3 s4"},
    {"SELECT _record_id AS id FROM Streets WHERE '50.5' IN (SELECT DISTINCT length FROM Streets "
     "ORDER BY length LIMIT 1)",
     "s1 s2 s3 s4"},
    {"(SELECT length AS id FROM Streets ORDER BY 1 LIMIT 1) UNION SELECT 'x'", "50.5 x"},
    {"SELECT _record_id AS id FROM Trees WHERE '1' IN (SELECT tag FROM Trees EXCEPT SELECT '1' || "
     "'' FROM Trees)",
     ""},
    {"SELECT _record_id AS id FROM Streets WHERE '7' IN (SELECT tag FROM Trees INTERSECT (SELECT "
     "tag FROM Streets WHERE tag = '7'))",
     "s1 s2 s3 s4"},
    {"SELECT _record_id AS id FROM Streets WHERE '1' IN (SELECT tag FROM Trees EXCEPT SELECT "
     "tag FROM Streets WHERE tag = '7')",
     "s1 s2 s3 s4"},
    {"SELECT '0' AS id FROM Trees UNION SELECT '1' UNION SELECT '2' UNION SELECT '3' UNION SELECT "
     "'4' UNION "
     "SELECT '5' UNION SELECT '6' UNION SELECT '7' UNION SELECT '8' UNION SELECT '9' UNION SELECT "
     "'10' UNION SELECT '11' UNION SELECT '12' UNION SELECT '13' UNION SELECT '14'",
     "0 1 10 11 12 13 14 2 3 4 5 6 7 8 9"},
    {"SELECT _record_id AS id FROM Trees WHERE height = 1 UNION SELECT _record_id FROM Trees WHERE "
     "height = 2.5 UNION ALL SELECT _record_id FROM Streets WHERE _version = 1 EXCEPT SELECT 't4' "
     "UNION (SELECT 't4' UNION SELECT 't5') INTERSECT SELECT 't5'",
     "s1 t1 t2 t5 t7"},
    {"(SELECT _record_id AS id FROM Trees UNION SELECT 'a' ORDER BY id LIMIT 2) UNION SELECT 'b' "
     "EXCEPT ALL SELECT 'a'",
     "b t1"},
    {"SELECT a._record_id AS id FROM Trees a JOIN Trees b USING (street, lit, street)",
     "line 1, column 73: \"street\" stands in USING twice"},
    {"SELECT DISTINCT street AS id FROM Trees a JOIN Trees b USING (_record_id, _status, _version, "
     "_created_at, street, height, lit, tag, t, flag, h)",
     "a b"},
    {"(SELECT _record_id AS id FROM Trees ORDER BY 1 LIMIT 1)", "t1"},
    {"((SELECT _record_id AS id FROM Trees ORDER BY 1 LIMIT 1))", "t1"},
    {"((SELECT _record_id AS id FROM Trees) EXCEPT SELECT 't1') FETCH FIRST 1 ROW ONLY", "t2"},
    {"SELECT _record_id AS id FROM Trees WHERE _record_id IN ((SELECT _record_id FROM Trees) FETCH "
     "FIRST ROW ONLY)",
     "t1"},
    {"(lit OR height = 4) AND (EXISTS (SELECT 1))", "t2 t3 t7"},
    {"(EXISTS (SELECT 1 FROM Streets WHERE Streets.street = 'zz'))", ""},
    {"((SELECT count(*) FROM Streets) = 4)", "t1 t2 t3 t4 t5 t6 t7"},
    {"SELECT 'n' || n AS id FROM (SELECT NULL AS n UNION SELECT 1) t", "n1"},
    {"SELECT 'n' || n AS id FROM (SELECT '4' AS n UNION SELECT _version FROM Trees) t",
     "n1 n2 n3 n4 n9"},
    {"SELECT 'x' AS id UNION SELECT _version FROM Trees",
     "line 1, column 8: found 'x', expected an integer in it"},
    {"SELECT 'n' || n AS id FROM (SELECT NULL AS n UNION SELECT NULL UNION SELECT 1) t",
     "line 1, column 36: a value of type text cannot be compared with one of type integer here: "
     "CAST(… AS …) can make them the same"},
};

static void test_cases(apr_pool_t *p)
{
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *got = ids_of(cases[i].query, 0, p), *wanted = cases[i].result;

        if (*wanted == '=') {
            is_string(got, wanted + 1, cases[i].query);
        } else {
            is_string(strchr(wanted, ',') ? got : sorted(got, p), wanted, cases[i].query);
        }
        got = ids_of(cases[i].query, 1, p);
        ok(!*got || !strcmp(got, wanted) || strstr(got, "more than one row"), "checked: %s", got);
    }
}

/* Short texts of which trees without end could be made. */
static void test_repeated(apr_pool_t *p)
{
    const char *condition = "_version < 3", *select = "SELECT _record_id FROM Trees";
    const char *got, *list = "";
    int i;

    for (i = 0; i < 16; i++) {
        condition = apr_psprintf(p, "(%s) < ANY(ARRAY[true, false, true, false])", condition);
    }
    got = ids_of(apr_psprintf(p,
                              "SELECT _record_id AS id FROM Trees WHERE %s IS NULL AND EXISTS "
                              "(SELECT 1)",
                              condition),
                 0, p);
    ok(strstr(got, "what stands before ANY and ALL counts once for each value"), "ANY in ANY: %s",
       got);
    for (i = 0; i < 8; i++) {
        select = apr_psprintf(p, "SELECT *, *, *, *, *, *, *, *, *, * FROM (%s) q%d", select, i);
    }
    got = ids_of(apr_psprintf(p, "SELECT 'x' AS id FROM (%s) q", select), 0, p);
    ok(strstr(got, "a SELECT can have 1000 columns by * only"), "stars of stars: %s", got);
    condition = "0";
    for (i = 1; i < 6000; i++) {
        condition = apr_psprintf(p, "%s,%d", i % 100 ? condition : "7", i);
        list = i % 100 == 99 ? apr_pstrcat(p, list, ",", condition, NULL) : list;
    }
    got = ids_of(apr_psprintf(p,
                              "SELECT _record_id AS id FROM Trees WHERE _version < ANY(ARRAY[%s]) "
                              "AND EXISTS (SELECT 1)",
                              list + 1),
                 0, p);
    is_string(sorted(got, p), "t1 t2 t3 t4 t6 t7", "ANY of 6000 values");
    got = ids_of("SELECT street || 1 AS id FROM Trees GROUP BY 1, 1, 1, 1", 0, p);
    is_string(sorted(got, p), "a1 b1 c1", "GROUP BY the same");
}

static void answer_lines(apr_pool_t *pool)
{
    static char line[70000];
    apr_pool_t *p;

    apr_pool_create(&p, pool);
    while (fgets(line, sizeof(line), stdin)) {
        const char *got;

        line[strcspn(line, "\n")] = '\0';
        got = ids_of(line, 0, p);
        /* A sentence, or words in any order. */
        printf("%s\t%s\n", line,
               strstr(line, "ORDER") || strstr(got, "selects ") || strstr(got, " takes ") ||
                       strstr(got, "column ")
                   ? got
                   : sorted(got, p));
        fflush(stdout);
        apr_pool_clear(p);
    }
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *p = begin_database("query_sandbox");

    make_engine(database, p);
    make_records(p);
    if (argc > 1 && !strcmp(argv[1], "-")) {
        answer_lines(p);
    } else {
        test_meaning(p);
        test_cases(p);
        test_repeated(p);
    }
    batch_store_destroy(engine.store);
    return end_database(p);
}

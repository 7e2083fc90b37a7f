/* PostgreSQL: what start-up, and statements on rows, want to know of a resource's table. */
#include <string.h>

#include <apr_strings.h>

#include "store/connection.h"
#include "store/pgsql/facts.h"
#include "store/pgsql/types.h"

static const char needed_sql[] =
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0"
    " AND NOT attisdropped AND attnotnull AND NOT atthasdef AND attidentity = '' ORDER BY attnum";

/* Has a new row of the table $1 a value in the column $2, though it was given none? */
static const char made_sql[] = "SELECT FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
                               " WHERE attrelid = to_regclass(quote_ident($1)) AND attname = $2"
                               " AND (atthasdef OR attidentity <> '' OR typdefaultbin IS NOT NULL)";

/* Is there a unique index over all rows of which $2 has all columns? */
static const char unique_sql[] =
    "SELECT 1 FROM pg_index WHERE indrelid = to_regclass(quote_ident($1)) AND indisunique"
    " AND indisvalid AND indpred IS NULL AND indexprs IS NULL AND (SELECT"
    " bool_and(attname::text = ANY ($2::text[])) FROM unnest((indkey::int2[])[0:indnkeyatts - 1])"
    " AS place JOIN pg_attribute ON attrelid = indrelid AND attnum = place)";

/*
 * Of the key $2 and the scope $3: has a unique index the key alone, in whatever way, and has one of
 * these columns alone, which compares as they do, the scope?
 */
static const char scoped_sql[] =
    "WITH found AS (SELECT indpred IS NULL AND indisvalid AND NOT EXISTS (SELECT"
    " FROM unnest((indkey::int2[])[0:indnkeyatts - 1], (indcollation::oid[])[0:indnkeyatts - 1])"
    " AS place (attribute, sorting) JOIN pg_attribute ON attrelid = indrelid AND attnum = attribute"
    " WHERE sorting <> attcollation) AS whole, ARRAY(SELECT attname::text"
    " FROM unnest((indkey::int2[])[0:indnkeyatts - 1]) AS place"
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = place) AS keys FROM pg_index"
    " WHERE indrelid = to_regclass(quote_ident($1)) AND indisunique AND indexprs IS NULL)"
    " SELECT coalesce(bool_or(keys = ARRAY[$2]), false),"
    " coalesce(bool_or(whole AND $3 = ANY (keys) AND keys <@ ARRAY[$2, $3]), false) FROM found";

/* 1 in *unique if one row at most has some values of those columns and the scope. */
static batch_failure_e ask_unique(batch_connection_t *connection, int *unique,
                                  const batch_resource_t *resource, const char *const *columns,
                                  int count, apr_pool_t *p)
{
    const char **names = apr_palloc(p, (apr_size_t)(count + 1) * sizeof(*names));
    const char *values[2] = {resource->table, NULL};
    PGresult *result = NULL;
    batch_failure_e failure;
    int i;

    for (i = 0; i < count; i++) {
        names[i] = columns[i];
    }
    names[count] = resource->scope;
    values[1] = batch_pgsql_array(names, count + (resource->scope != NULL), p);
    failure = batch_pgsql_ask_texts(connection, &result, unique_sql, values, 2);
    *unique = failure == BATCH_FAILURE_NONE && PQntuples(result) > 0;
    return failure;
}

static int is_true(const PGresult *result, int column)
{
    return *PQgetvalue(result, 0, column) == 't';
}

/* What keeps the keys of one scope apart from those of another. */
static batch_failure_e ask_scoped(batch_connection_t *connection, batch_table_facts_t *facts,
                                  const batch_resource_t *resource)
{
    const char *values[] = {resource->table, resource->key, resource->scope};
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_ask_texts(connection, &result, scoped_sql, values, 3);

    if (failure == BATCH_FAILURE_NONE) {
        facts->key_unique_alone = is_true(result, 0);
        facts->key_unique_in_scope = is_true(result, 1);
    }
    return failure;
}

/* What the key's column is. */
static batch_failure_e ask_key(batch_connection_t *connection, batch_table_facts_t *facts,
                               const batch_resource_t *resource, const batch_pgsql_column_t *key)
{
    static const batch_key_type_e types[] = {[BATCH_PGSQL_ANY] = BATCH_KEY_TEXT,
                                             [BATCH_PGSQL_UUID] = BATCH_KEY_UUID,
                                             [BATCH_PGSQL_INTEGER] = BATCH_KEY_INTEGER,
                                             [BATCH_PGSQL_OTHER] = BATCH_KEY_OTHER};
    const char *values[] = {resource->table, resource->key};
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_ask_texts(connection, &result, made_sql, values, 2);

    facts->key_takes_uuid = !key->is_number;
    facts->key_type = types[key->kind];
    facts->key_is_made = failure == BATCH_FAILURE_NONE && PQntuples(result) > 0;
    return failure;
}

batch_failure_e batch_pgsql_facts(batch_connection_t *connection, batch_table_facts_t *facts,
                                  const batch_resource_t *resource, apr_pool_t *p)
{
    batch_pgsql_table_t *table = NULL;
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_table(connection, &table, resource->table, 1);
    int i;

    facts->match_unique = 0;
    facts->columns = apr_pcalloc(p, ((apr_size_t)(unsigned)batch_resource_columns(resource) + 1) *
                                        sizeof(*facts->columns));
    facts->needed = apr_array_make(p, 4, sizeof(const char *));
    for (i = 0; failure == BATCH_FAILURE_NONE && i < batch_resource_columns(resource); i++) {
        batch_pgsql_column_facts(
            &facts->columns[i],
            batch_pgsql_column(table, APR_ARRAY_IDX(resource->columns, i, batch_column_t).name), p);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = ask_key(connection, facts, resource, batch_pgsql_column(table, resource->key));
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = ask_unique(connection, &facts->key_unique, resource, &resource->key, 1, p);
    }
    if (failure == BATCH_FAILURE_NONE && resource->match && resource->match->nelts) {
        failure = ask_unique(connection, &facts->match_unique, resource,
                             (const char *const *)resource->match->elts, resource->match->nelts, p);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = ask_scoped(connection, facts, resource);
    }
    if (failure == BATCH_FAILURE_NONE) {
        failure = batch_pgsql_ask_texts(connection, &result, needed_sql, &resource->table, 1);
    }
    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        APR_ARRAY_PUSH(facts->needed, const char *) = apr_pstrdup(p, PQgetvalue(result, i, 0));
    }
    return failure;
}

/* ---- The scope ---------------------------------------------------------------------------------
 */

/* A type (domains followed down), and whether its collation is one of those that are not exact.
 */
static const char scope_sql[] =
    "WITH RECURSIVE found (type, sorting) AS (SELECT atttypid, attcollation FROM pg_attribute"
    " WHERE attrelid = to_regclass(quote_ident($1)) AND attname = $2 AND NOT attisdropped"
    " UNION ALL SELECT typbasetype, sorting FROM found JOIN pg_type ON pg_type.oid = type"
    " AND typtype = 'd') SELECT typname, coalesce(collname, ''),"
    " coalesce(NOT collisdeterministic, false) FROM found JOIN pg_type ON pg_type.oid = type"
    " AND typtype <> 'd' LEFT JOIN pg_collation ON pg_collation.oid = sorting";

batch_failure_e batch_pgsql_scope_check(batch_connection_t *connection, const char **inexact,
                                        int *harmless, const char *table, const char *column,
                                        apr_pool_t *p)
{
    const char *values[] = {table, column};
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_ask_texts(connection, &result, scope_sql, values, 2);
    const char *type;

    if (failure != BATCH_FAILURE_NONE || !PQntuples(result)) {
        return failure;
    }
    type = PQgetvalue(result, 0, 0);
    if (!strcmp(type, "citext")) {
        *inexact = "it is of the type citext, which has no case";
    } else if (*PQgetvalue(result, 0, 2) == 't') {
        *inexact =
            apr_psprintf(p, "its collation \"%s\" is not deterministic", PQgetvalue(result, 0, 1));
    } else if (!strcmp(type, "bpchar")) {
        *inexact = "it is of the type character(n), to which spaces at the end are nothing";
        *harmless = 1;
    }
    return failure;
}

/* ---- Rules -------------------------------------------------------------------------------------
 */

/*
 * $1: the table, $2: its key, $3: match, $4: the scope, $5: the columns by which items that are
 * offered find their rows. An index counts if it is over all rows, by
 * columns alone; keys are its columns in their order. It is usual if it takes for equal what the
 * columns' own = does, and says so at once.
 */
#define INDEXES_SQL                                                                                \
    "batch_index AS (SELECT indisunique AS is_unique, ARRAY(SELECT attname::text"                  \
    " FROM unnest((indkey::int2[])[0:indnkeyatts - 1]) WITH ORDINALITY AS place (attribute, "      \
    "number)"                                                                                      \
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = attribute ORDER BY number) AS keys,"   \
    " indimmediate AND NOT EXISTS (SELECT FROM unnest((indkey::int2[])[0:indnkeyatts - 1],"        \
    " (indcollation::oid[])[0:indnkeyatts - 1], (indclass::oid[])[0:indnkeyatts - 1])"             \
    " AS place (attribute, sorting, class) JOIN pg_attribute ON attrelid = indrelid"               \
    " AND attnum = attribute JOIN pg_opclass ON pg_opclass.oid = class"                            \
    " WHERE sorting <> attcollation OR NOT opcdefault) AS is_usual"                                \
    " FROM pg_index WHERE indrelid = to_regclass(quote_ident($1)) AND indisvalid"                  \
    " AND indpred IS NULL AND indexprs IS NULL)"

/* A trigger that runs before a row is inserted, or not inserted. */
#define BEFORE_INSERT_SQL                                                                          \
    "EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident($1))"                  \
    " AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 7 = 7)"

/*
 * Is nothing lost, or done too much, where a row is offered for insertion that turns out to be
 * there? The table is an ordinary one, and the columns that a batch may leave out have no default
 * but constants and the time (1299 is now()). What finds a row is stored as it is, not rounded to
 * the value of another row, nor cut off as a name (19); of texts (1042, 1043) only spaces at the
 * end can go.
 */
#define OFFER_SQL                                                                                  \
    "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(quote_ident($1)) AND relkind = 'r'"      \
    " AND NOT relhassubclass AND NOT relhasrules AND NOT relrowsecurity)"                          \
    " AND NOT EXISTS (SELECT FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"             \
    " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"                               \
    " WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped"           \
    " AND attname::text <> $2 AND attname::text IS DISTINCT FROM $4 AND (attidentity <> ''"        \
    " OR typdefaultbin IS NOT NULL OR (attgenerated = '' AND adbin::text"                          \
    " !~ '^[{](CONST|SQLVALUEFUNCTION|FUNCEXPR :funcid 1299) ')))"                                 \
    " AND NOT EXISTS (SELECT FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"             \
    " LEFT JOIN pg_type AS base ON base.oid = pg_type.typbasetype"                                 \
    " WHERE attrelid = to_regclass(quote_ident($1)) AND attname::text = ANY ($5::text[] || $4)"    \
    " AND (base.typtype = 'd' OR coalesce(base.oid, atttypid) = 19"                                \
    " OR (greatest(atttypmod, pg_type.typtypmod) <> -1"                                            \
    " AND coalesce(base.oid, atttypid) NOT IN (1042, 1043))))"

/* What runs beside an insert or an update, on the table or on one that its rows lie in. */
#define ALTERS_SQL                                                                                 \
    "(EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(quote_ident($1)) AND relhasrules)"      \
    " OR EXISTS (WITH RECURSIVE batch_part (relation) AS (SELECT "                                 \
    "to_regclass(quote_ident($1))::oid"                                                            \
    " UNION ALL SELECT inhrelid FROM pg_inherits JOIN batch_part ON inhparent = relation)"         \
    " SELECT FROM pg_trigger JOIN batch_part ON tgrelid = relation WHERE NOT tgisinternal"         \
    " AND tgenabled <> 'D' AND tgtype & 20 <> 0))"

/*
 * The versions of the rows of a plain table's catalogs from which its rules follow. A default that
 * is changed makes its column's row anew. Of an index's row the server (before 14) may change
 * whether it is valid where it stands.
 */
#define VERSIONS_SQL(relation)                                                                     \
    "SELECT xmin AS version FROM pg_attribute WHERE attrelid = " relation " AND attnum > 0"        \
    " UNION ALL SELECT xmin FROM pg_index WHERE indrelid = " relation " AND indisvalid"
#define TRIGGERS_SQL(relation) " UNION ALL SELECT xmin FROM pg_trigger WHERE tgrelid = " relation

/* What else the rules look at, and what nobody can change without a change of this. */
#define PLAIN_SQL "relkind = 'r' AND NOT relhassubclass AND NOT relhasrules AND NOT relrowsecurity"

/* The same, and the type of a column can change by itself only if it is a domain. */
#define FOUND_SQL                                                                                  \
    "batch_found AS (SELECT oid, relhastriggers FROM pg_class"                                     \
    " WHERE oid = to_regclass(quote_ident($1)) AND " PLAIN_SQL " AND NOT EXISTS (SELECT"           \
    " FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid WHERE attrelid = pg_class.oid"      \
    " AND attnum > 0 AND NOT attisdropped AND typtype = 'd')),"                                    \
    " batch_version AS (" VERSIONS_SQL("to_regclass(quote_ident($1))")                             \
        TRIGGERS_SQL("to_regclass(quote_ident($1))") ")"

#define RULES_SQL                                                                                  \
    "WITH " INDEXES_SQL " SELECT coalesce(bool_or(is_unique AND keys = ARRAY[$2]), false),"        \
    " coalesce(bool_or(is_unique AND keys <@ ($3::text[] || $4)), false),"                         \
    " coalesce(bool_or(keys[1] = ANY ($3::text[])"                                                 \
    " OR (keys[1] = $4 AND keys[2] = ANY ($3::text[]))), false),"                                  \
    " coalesce(bool_or(keys[1] = $4 AND keys[2] = $2), false), " BEFORE_INSERT_SQL ","             \
    " coalesce(bool_and(is_usual) FILTER (WHERE is_unique AND keys <@ ($5::text[] || $4)"          \
    " AND array_remove($5::text[] || $4, NULL) <@ keys), false) AND NOT " BEFORE_INSERT_SQL        \
    " AND " OFFER_SQL ", " ALTERS_SQL " FROM batch_index"

#define RULES 7

/* The rules, and the versions that they follow from; of one moment. */
static const char rules_sql[] =
    "WITH " FOUND_SQL " SELECT batch_rules.*, (SELECT oid FROM batch_found),"
    " (SELECT relhastriggers FROM batch_found), (SELECT count(*) FROM batch_version),"
    " (SELECT array_agg(DISTINCT version::text) FROM batch_version) FROM (" RULES_SQL
    ") AS batch_rules";

/* $1 to $5 */
#define PARAMETERS 5

/* The parameters of a question about the rules, in p. */
static void list_parameters(const char *values[PARAMETERS], const batch_resource_t *resource,
                            apr_pool_t *p)
{
    const char *match = resource->match
                            ? batch_pgsql_array((const char *const *)resource->match->elts,
                                                resource->match->nelts, p)
                            : "{}";

    values[0] = resource->table;
    values[1] = resource->key;
    values[2] = match;
    values[3] = resource->scope;
    values[4] =
        resource->keys == BATCH_KEYS_CLIENT ? batch_pgsql_array(&resource->key, 1, p) : match;
}

/* What tells the rules of one resource in a table from those of another. */
static const char *rules_name(const batch_resource_t *resource, apr_pool_t *p)
{
    const char *values[PARAMETERS];

    list_parameters(values, resource, p);
    return apr_pstrcat(p, values[2], batch_sql_identifier(values[1], p), values[4],
                       resource->scope ? resource->scope : "", NULL);
}

/* What the guard of a plain table compares; of any other one nothing. In p. */
static void keep_versions(batch_pgsql_rules_t *rules, const PGresult *result, apr_pool_t *p)
{
    if (!PQgetisnull(result, 0, RULES) && !PQgetisnull(result, 0, RULES + 3)) {
        rules->relation = apr_pstrdup(p, PQgetvalue(result, 0, RULES));
        rules->has_triggers = is_true(result, RULES + 1);
        rules->version_count = apr_pstrdup(p, PQgetvalue(result, 0, RULES + 2));
        rules->versions = apr_pstrdup(p, PQgetvalue(result, 0, RULES + 3));
    }
}

batch_failure_e batch_pgsql_rules(batch_connection_t *connection, batch_pgsql_rules_t **rules,
                                  const batch_pgsql_table_t *table,
                                  const batch_resource_t *resource)
{
    static const Oid types[PARAMETERS] = {BATCH_PGSQL_TEXT, BATCH_PGSQL_TEXT, BATCH_PGSQL_TEXT,
                                          BATCH_PGSQL_TEXT, BATCH_PGSQL_TEXT};
    const batch_pgsql_state_t *state = batch_pgsql_state(connection);
    apr_pool_t *scratch = batch_connection_scratch(connection);
    const char *name = rules_name(resource, scratch);
    const char *values[PARAMETERS];
    PGresult *result = NULL;
    batch_failure_e failure;

    *rules = apr_hash_get(table->rules, name, APR_HASH_KEY_STRING);
    if (*rules) {
        return BATCH_FAILURE_NONE;
    }
    list_parameters(values, resource, scratch);
    failure = batch_pgsql_ask(connection, &result,
                              batch_pgsql_statement(connection, rules_sql, types, PARAMETERS),
                              values, BATCH_PGSQL_OWN);
    if (failure != BATCH_FAILURE_NONE) {
        return failure;
    }
    *rules = apr_pcalloc(table->p, sizeof(**rules));
    (*rules)->key_unique = is_true(result, 0);
    (*rules)->match_unique = is_true(result, 1);
    (*rules)->match_indexed = is_true(result, 2);
    (*rules)->walk_scope = is_true(result, 3);
    (*rules)->before_insert = is_true(result, 4);
    (*rules)->may_offer = is_true(result, 5);
    (*rules)->alters = is_true(result, 6);
    keep_versions(*rules, result, table->p);
    (*rules)->transaction = state->transactions;
    apr_hash_set(table->rules, apr_pstrdup(table->p, name), APR_HASH_KEY_STRING, *rules);
    return BATCH_FAILURE_NONE;
}

/*
 * Fails unless $2 is still the plain table of the name $1, and the rows of its catalogs are still
 * those: there are $3, and each is of a transaction ($4) that had made one of them. What such a
 * transaction did was seen as a whole, so that no row is a new one; and as many are none too few.
 */
#define SAME_SQL(triggers, versions)                                                               \
    "SELECT 1 / count(*) FROM pg_class WHERE oid = $2 AND to_regclass(quote_ident($1)) = $2"       \
    " AND " PLAIN_SQL triggers " AND (SELECT count(*) = $3 AND bool_and(version = ANY ($4))"       \
    " FROM (" versions ") AS batch_version)"

static const char same_sql[] = SAME_SQL(" AND NOT relhastriggers", VERSIONS_SQL("$2"));
static const char same_triggers_sql[] = SAME_SQL("", VERSIONS_SQL("$2") TRIGGERS_SQL("$2"));

/*
 * Whatever the table: one statement for all, a small one, of which the server keeps the plan
 * despite the parameters. A plan for certain values is not better.
 */
static batch_failure_e queue_same(batch_connection_t *connection, const batch_pgsql_rules_t *rules,
                                  const batch_resource_t *resource)
{
    static const Oid types[] = {BATCH_PGSQL_TEXT, BATCH_PGSQL_OID, BATCH_PGSQL_BIGINT,
                                BATCH_PGSQL_XIDS};
    const char *values[] = {resource->table, rules->relation, rules->version_count,
                            rules->versions};
    const char *sql = rules->has_triggers ? same_triggers_sql : same_sql;

    return batch_pgsql_queue(connection, batch_pgsql_statement(connection, sql, types, 4), values,
                             BATCH_PGSQL_ROWS);
}

/*
 * The statement that fails unless the rules are what they were. It has no parameters: with some the
 * server would plan it anew each time, which takes twenty times as long as to run it.
 */
static batch_pgsql_statement_t *make_guard(batch_connection_t *connection,
                                           const batch_pgsql_rules_t *rules,
                                           const batch_resource_t *resource, apr_pool_t *scratch)
{
    const int is[RULES] = {rules->key_unique, rules->match_unique,  rules->match_indexed,
                           rules->walk_scope, rules->before_insert, rules->may_offer,
                           rules->alters};
    const char *values[PARAMETERS];
    const char *expected = "", *question;
    int i;

    list_parameters(values, resource, scratch);
    question = batch_pgsql_fill_in(connection, RULES_SQL, values, PARAMETERS, scratch);
    if (!question) {
        return NULL;
    }
    for (i = 0; i < RULES; i++) {
        expected = apr_pstrcat(scratch, expected, i ? ", " : "", is[i] ? "true" : "false", NULL);
    }
    return batch_pgsql_statement(connection,
                                 apr_pstrcat(scratch, "SELECT 1 / count(*) FROM (", question,
                                             ") AS batch_rules (a, b, c, d, e, f, g)"
                                             " WHERE ARRAY[a, b, c, d, e, f, g] = ARRAY[",
                                             expected, "]", NULL),
                                 NULL, 0);
}

batch_failure_e batch_pgsql_rules_guard(batch_connection_t *connection, batch_pgsql_rules_t *rules,
                                        const batch_resource_t *resource)
{
    const batch_pgsql_state_t *state = batch_pgsql_state(connection);

    if (rules->transaction == state->transactions) {
        return BATCH_FAILURE_NONE;
    }
    if (rules->relation) {
        rules->transaction = state->transactions;
        return queue_same(connection, rules, resource);
    }
    if (!rules->guard) {
        rules->guard =
            make_guard(connection, rules, resource, batch_connection_scratch(connection));
    }
    if (!rules->guard) {
        return BATCH_FAILURE_LOST;
    }
    rules->transaction = state->transactions;
    return batch_pgsql_queue(connection, rules->guard, NULL, BATCH_PGSQL_ROWS);
}

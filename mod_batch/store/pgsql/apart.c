/*
 * PostgreSQL: can items of one batch see each other? And may two transactions be at them? What one
 * item does must be seen by another only where the server makes it wait for the other's
 * transaction: through a row that both touch, or a unique index that both enter. What else looks at
 * rows, or is counted beside them, does not wait.
 */
#include "store/pgsql/rows.h"
#include "store/row_plan.h"

/* One that is called by its name, or through an operator. */
#define OWN_FUNCTION "refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)"

/*
 * $1: the table. An ordinary one, of which no function of somebody's own knows: no trigger, rule or
 * policy, and none in a default, a check or an index. Those of the server itself are not recorded.
 */
#define PLAIN                                                                                      \
    "EXISTS (SELECT FROM pg_class WHERE oid = batch_table AND relkind = 'r'"                       \
    " AND NOT relhassubclass AND NOT relhasrules AND NOT relrowsecurity)"                          \
    " AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = batch_table AND NOT tgisinternal"     \
    " AND tgenabled <> 'D')"                                                                       \
    " AND NOT EXISTS (SELECT FROM pg_attrdef JOIN pg_depend ON classid = 'pg_attrdef'::regclass"   \
    " AND objid = pg_attrdef.oid AND " OWN_FUNCTION " WHERE adrelid = batch_table)"                \
    " AND NOT EXISTS (SELECT FROM pg_constraint JOIN pg_depend"                                    \
    " ON classid = 'pg_constraint'::regclass AND objid = pg_constraint.oid"                        \
    " AND " OWN_FUNCTION " WHERE conrelid = batch_table)"                                          \
    " AND NOT EXISTS (SELECT FROM pg_index JOIN pg_depend ON classid = 'pg_class'::regclass"       \
    " AND objid = indexrelid AND " OWN_FUNCTION " WHERE indrelid = batch_table)"                   \
    " AND NOT EXISTS (WITH RECURSIVE batch_domain (id) AS (SELECT atttypid FROM pg_attribute"      \
    " WHERE attrelid = batch_table AND attnum > 0 UNION SELECT typbasetype FROM pg_type"           \
    " JOIN batch_domain ON oid = id WHERE typtype = 'd')"                                          \
    " SELECT FROM pg_constraint JOIN batch_domain ON contypid = id WHERE contypid <> 0)"

/*
 * Rows of it that need each other would wait for each other, one after the other; and what is done
 * to rows of another table with a row of this one (deletes: it is deleted) may run triggers there.
 */
#define NO_FOREIGN_KEYS(deletes)                                                                   \
    " AND NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = batch_table"   \
    " AND (conrelid = batch_table OR CASE WHEN " deletes                                           \
    " THEN confdeltype ELSE confupdtype END NOT IN ('a', 'r')))"

/*
 * Unique indexes that find one row at most by the key $2, and by match $3, in the scope $4, and
 * take for equal what the columns' own = does, at once.
 */
#define UNIQUE                                                                                     \
    " AND (SELECT coalesce(bool_or($2 = ANY (keys) AND keys <@ ARRAY[$2, $4]), false)"             \
    " AND ($3::text[] = '{}' OR coalesce(bool_or(keys <@ ($3::text[] || $4)), false)) FROM"        \
    " (SELECT ARRAY(SELECT attname::text FROM unnest((indkey::int2[])[0:indnkeyatts - 1]) AS "     \
    "place"                                                                                        \
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = place) AS keys FROM pg_index"          \
    " WHERE indrelid = batch_table AND indisunique AND indimmediate AND indisvalid"                \
    " AND indpred IS NULL AND indexprs IS NULL AND NOT EXISTS (SELECT"                             \
    " FROM unnest((indkey::int2[])[0:indnkeyatts - 1], (indcollation::oid[])[0:indnkeyatts - 1],"  \
    " (indclass::oid[])[0:indnkeyatts - 1]) AS place (attribute, sorting, class)"                  \
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = attribute"                             \
    " JOIN pg_opclass ON pg_opclass.oid = class WHERE sorting <> attcollation"                     \
    " OR NOT opcdefault)) AS batch_index)"

static const char apart_sql[] = "SELECT " PLAIN NO_FOREIGN_KEYS("$5::boolean") UNIQUE
    " FROM (SELECT to_regclass(quote_ident($1))::oid AS batch_table) AS batch_tables";

/*
 * $1: the table, $2 and $3: the columns of key and scope. What is unique, or excludes rows, has the
 * key and at most the scope beside it, and takes for equal what they do; different spellings of the
 * key are different keys (20, 21, 23: integers; 25, 1043: texts, which are not cut; 2950: UUIDs);
 * and the server counts no rows.
 */
static const char independent_sql[] = "SELECT " PLAIN NO_FOREIGN_KEYS(
    "false") " AND NOT EXISTS (SELECT FROM pg_index CROSS JOIN LATERAL (SELECT"
             " coalesce(bool_and(attname IS NOT NULL AND sorting = attcollation AND opcdefault), "
             "false)"
             " AND coalesce(bool_or(attname::text = $2), false) AS is_of_key"
             " FROM unnest((indkey::int2[])[0:indnkeyatts - 1], "
             "(indcollation::oid[])[0:indnkeyatts - 1],"
             " (indclass::oid[])[0:indnkeyatts - 1]) AS place (attribute, sorting, class)"
             " LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = attribute"
             " AND attname::text = ANY (ARRAY[$2::text, $3::text])"
             " LEFT JOIN pg_opclass ON pg_opclass.oid = class) AS batch_found"
             " WHERE indrelid = batch_table AND (indisunique OR indisexclusion) AND NOT is_of_key)"
             " AND EXISTS (SELECT FROM pg_attribute LEFT JOIN pg_collation"
             " ON pg_collation.oid = attcollation WHERE attrelid = batch_table AND attname::text = "
             "$2"
             " AND atttypid IN (20, 21, 23, 25, 1043, 2950) AND atttypmod = -1"
             " AND coalesce(collisdeterministic, true))"
             " AND NOT EXISTS (SELECT FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
             " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
             " WHERE attrelid = batch_table AND attnum > 0 AND NOT attisdropped AND attname::text "
             "<> $2"
             " AND (attidentity <> '' OR typdefault IS NOT NULL"
             " OR pg_get_expr(adbin, adrelid) ~ 'nextval'))"
             " FROM (SELECT to_regclass(quote_ident($1))::oid AS batch_table) AS batch_tables";

batch_failure_e batch_pgsql_independent(batch_connection_t *connection, int *independent,
                                        const batch_resource_t *resource)
{
    const char *values[] = {resource->table, resource->key, resource->scope};
    PGresult *result = NULL;
    batch_failure_e failure;

    *independent = 0;
    if (batch_match_count(resource)) {
        return BATCH_FAILURE_NONE;
    }
    failure = batch_pgsql_ask_texts(connection, &result, independent_sql, values, 3);
    if (failure == BATCH_FAILURE_NONE) {
        *independent = PQntuples(result) == 1 && *PQgetvalue(result, 0, 0) == 't';
    }
    return failure;
}

apr_status_t batch_pgsql_rows_apart(batch_tx_t *tx, int *apart, const batch_resource_t *resource,
                                    batch_action_e action)
{
    apr_pool_t *scratch = batch_connection_scratch(tx->connection);
    int matches = batch_action_is(action, BATCH_ACTION_NEEDS_KEY) ? 0 : batch_match_count(resource);
    const char *match =
        matches ? batch_pgsql_array((const char *const *)resource->match->elts, matches, scratch)
                : "{}";
    const char *values[] = {resource->table, resource->key, match, resource->scope,
                            action == BATCH_ACTION_DELETE ? "t" : "f"};
    const char *sql = batch_pgsql_fill_in(tx->connection, apart_sql, values, 5, scratch);
    PGresult *result = NULL;
    batch_failure_e failure;

    if (!sql) {
        return APR_ENOMEM;
    }
    failure =
        batch_pgsql_ask(tx->connection, &result,
                        batch_pgsql_statement(tx->connection, sql, NULL, 0), NULL, BATCH_PGSQL_OWN);
    if (failure != BATCH_FAILURE_NONE) {
        return batch_tx_fail(tx, failure, "a look at the table");
    }
    *apart = *PQgetvalue(result, 0, 0) == 't';
    return APR_SUCCESS;
}

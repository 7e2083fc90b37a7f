#include "store/pgsql/types.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "text/numbers.h"
#include "text/uuid.h"

/* PostgreSQL's numbers of types, the same everywhere. */
#define TYPE_BIGINT   BATCH_PGSQL_BIGINT
#define TYPE_SMALLINT 21
#define TYPE_INTEGER  23
#define TYPE_TEXT     BATCH_PGSQL_TEXT
#define TYPE_NAME     19
#define TYPE_VARCHAR  1043
#define TYPE_UUID     2950
#define TYPE_CHAR     1042
#define TYPE_REAL     700
#define TYPE_DOUBLE   701
#define TYPE_NUMERIC  1700
#define TYPE_JSON     114
#define TYPE_JSONB    3802
#define ARRAY_TEXT    1009

/* The same of its sorts of indexes. */
#define BTREE "403"

/*
 * Domains are followed down to what they are made of, with the modifier (a length, a precision)
 * that the last of them gives.
 */
static const char look_up[] =
    "WITH RECURSIVE found (place, name, type, modifier, sorting) AS ("
    "SELECT attnum, attname::text, atttypid, atttypmod, attcollation FROM pg_attribute"
    " WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped"
    /* a table, or one of partitions: a view would not say which rows it changed */
    " AND (SELECT relkind FROM pg_class AS c WHERE c.oid = attrelid) IN ('r', 'p')"
    " UNION ALL SELECT found.place, found.name, pg_type.typbasetype,"
    " CASE WHEN found.modifier = -1 THEN pg_type.typtypmod ELSE found.modifier END, found.sorting"
    " FROM found JOIN pg_type ON pg_type.oid = found.type AND pg_type.typtype = 'd')"
    " SELECT found.name, pg_type.oid, pg_type.typarray, pg_type.typcategory, EXISTS ("
    "SELECT FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid AND i.relam = " BTREE
    " WHERE indrelid = to_regclass(quote_ident($1)) AND indisvalid AND indpred IS NULL"
    " AND indkey[0] = found.place AND indcollation[0] = found.sorting),"
    /* A length that is passed is an error; a precision that is passed is rounded, without one. */
    " CASE WHEN pg_type.oid IN (18, 19) OR (found.modifier <> -1"
    " AND pg_type.typcategory IN ('N', 'D', 'T')) THEN format_type(pg_type.oid, found.modifier) "
    "END,"
    " CASE WHEN pg_type.oid = 1043 AND found.modifier > 4 THEN found.modifier - 4 ELSE 0 END,"
    " format_type(pg_type.oid, found.modifier)"
    " FROM found JOIN pg_type ON pg_type.oid = found.type AND pg_type.typtype <> 'd'"
    " ORDER BY found.place";

/* ---- Statements by their text ---------------------------------------------------------------- */

batch_pgsql_statement_t *batch_pgsql_statement(batch_connection_t *connection, const char *sql,
                                               const Oid *types, int count)
{
    batch_pgsql_statement_t *known = apr_hash_get(connection->by_text, sql, APR_HASH_KEY_STRING);

    if (known && known->count == count &&
        (!count || !memcmp(known->types, types, (apr_size_t)count * sizeof(*types)))) {
        return known;
    }
    if (known) {
        connection->failed++; /* the older one stays where it is, for other types */
    }
    known = batch_pgsql_statement_make(connection, sql, types, count);
    apr_hash_set(connection->by_text, known->sql, APR_HASH_KEY_STRING, known);
    return known;
}

batch_failure_e batch_pgsql_ask_texts(batch_connection_t *connection, PGresult **result,
                                      const char *sql, const char *const *values, int count)
{
    static const Oid types[] = {TYPE_TEXT, TYPE_TEXT, TYPE_TEXT};

    return batch_pgsql_ask(connection, result, batch_pgsql_statement(connection, sql, types, count),
                           values, BATCH_PGSQL_OWN);
}

/* value as it stands in a statement, in p. NULL: there is no memory. */
static const char *literal(batch_connection_t *connection, const char *value, apr_pool_t *p)
{
    char *quoted = value ? PQescapeLiteral(connection->native, value, strlen(value)) : NULL;
    const char *text = !value   ? "NULL::text"
                       : quoted ? apr_pstrcat(p, quoted, "::text", NULL)
                                : NULL;

    PQfreemem(quoted);
    return text;
}

const char *batch_pgsql_fill_in(batch_connection_t *connection, const char *sql,
                                const char *const *values, int count, apr_pool_t *p)
{
    apr_array_header_t *pieces = apr_array_make(p, 64, sizeof(const char *));
    const char **texts = apr_palloc(p, (apr_size_t)(unsigned)count * sizeof(*texts));
    const char *sign;
    int i;

    for (i = 0; i < count; i++) {
        texts[i] = literal(connection, values[i], p);
        if (!texts[i]) {
            return NULL;
        }
    }
    while ((sign = strchr(sql, '$')) != NULL) {
        int is_one = sign[1] >= '1' && sign[1] <= '0' + count;

        APR_ARRAY_PUSH(pieces, const char *) =
            apr_pstrmemdup(p, sql, (apr_size_t)(sign - sql) + !is_one);
        if (is_one) {
            APR_ARRAY_PUSH(pieces, const char *) = texts[sign[1] - '1'];
        }
        sql = sign + 1 + is_one;
    }
    APR_ARRAY_PUSH(pieces, const char *) = sql;
    return apr_array_pstrcat(p, pieces, 0);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void set_type(batch_pgsql_column_t *column, Oid type, Oid array, char category)
{
    column->type = type;
    column->array = array;
    column->is_number = category == 'N';
    column->kind = BATCH_PGSQL_OTHER;
    switch (type) {
    case TYPE_UUID:
        column->kind = BATCH_PGSQL_UUID;
        break;
    case TYPE_SMALLINT:
    case TYPE_INTEGER:
    case TYPE_BIGINT:
        column->kind = BATCH_PGSQL_INTEGER;
        break;
    default:
        if (category == 'S') {
            column->kind = BATCH_PGSQL_ANY;
        }
    }
    /* A name would be cut off; and whatever has no array is compared as a text. */
    if (type == TYPE_VARCHAR || type == TYPE_NAME || !array) {
        column->type = TYPE_TEXT;
        column->array = ARRAY_TEXT;
    }
}

static batch_failure_e read_columns(batch_connection_t *connection, batch_pgsql_table_t *table,
                                    const char *name)
{
    PGresult *result = NULL;
    batch_failure_e failure = batch_pgsql_ask_texts(connection, &result, look_up, &name, 1);
    int i;

    for (i = 0; failure == BATCH_FAILURE_NONE && i < PQntuples(result); i++) {
        batch_pgsql_column_t *column = apr_array_push(table->columns);

        column->name = apr_pstrdup(table->p, PQgetvalue(result, i, 0));
        set_type(column, (Oid)apr_atoi64(PQgetvalue(result, i, 1)),
                 (Oid)apr_atoi64(PQgetvalue(result, i, 2)), *PQgetvalue(result, i, 3));
        column->indexed = *PQgetvalue(result, i, 4) == 't';
        if (!PQgetisnull(result, i, 5)) {
            column->stored_as = apr_pstrdup(table->p, PQgetvalue(result, i, 5));
        }
        column->most = (int)apr_atoi64(PQgetvalue(result, i, 6));
        column->declared = apr_pstrdup(table->p, PQgetvalue(result, i, 7));
    }
    return failure;
}

batch_failure_e batch_pgsql_table(batch_connection_t *connection, batch_pgsql_table_t **table,
                                  const char *name, int fresh)
{
    batch_pgsql_state_t *state = batch_pgsql_state(connection);
    batch_pgsql_table_t *known = apr_hash_get(state->tables, name, APR_HASH_KEY_STRING);
    batch_failure_e failure;
    apr_pool_t *p;

    *table = known;
    if (known && (!fresh || known->transaction == state->transactions)) {
        return BATCH_FAILURE_NONE;
    }
    if (known) {
        apr_hash_set(state->tables, name, APR_HASH_KEY_STRING, NULL);
        apr_pool_destroy(known->p);
        *table = NULL;
    }
    if (apr_pool_create(&p, connection->p) != APR_SUCCESS) {
        return BATCH_FAILURE_LOST;
    }
    known = apr_pcalloc(p, sizeof(*known));
    known->p = p;
    known->columns = apr_array_make(p, 16, sizeof(batch_pgsql_column_t));
    known->rules = apr_hash_make(p);
    known->transaction = state->transactions;
    failure = read_columns(connection, known, name);
    if (failure != BATCH_FAILURE_NONE) {
        apr_pool_destroy(p);
        return failure;
    }
    apr_hash_set(state->tables, apr_pstrdup(p, name), APR_HASH_KEY_STRING, known);
    *table = known;
    return BATCH_FAILURE_NONE;
}

const batch_pgsql_column_t *batch_pgsql_column(const batch_pgsql_table_t *table, const char *name)
{
    static const batch_pgsql_column_t none = {
        .name = "", .type = TYPE_TEXT, .array = ARRAY_TEXT, .kind = BATCH_PGSQL_ANY};
    int i;

    for (i = 0; i < table->columns->nelts; i++) {
        const batch_pgsql_column_t *column =
            &APR_ARRAY_IDX(table->columns, i, batch_pgsql_column_t);
        if (!strcmp(column->name, name)) {
            return column;
        }
    }
    return &none;
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* Only as PostgreSQL itself writes it: "01" is another id than "1". */
static int is_integer(const char *text, apr_int64_t least, apr_int64_t most)
{
    const char *digits = text + (*text == '-');
    apr_int64_t number;

    if (*digits < '0' || *digits > '9' || (*digits == '0' && (digits[1] || digits != text))) {
        return 0;
    }
    return batch_number_whole(&number, text) && number >= least && number <= most;
}

/* The scale of numeric(PRECISION,SCALE); it is rounded to that. */
static int scale_of(const char *declared)
{
    const char *comma = strchr(declared, ',');

    if (!strchr(declared, '(')) {
        return BATCH_DIGITS_ALL;
    }
    return comma ? (int)strtol(comma + 1, NULL, 10) : 0;
}

void batch_pgsql_column_facts(batch_column_facts_t *facts, const batch_pgsql_column_t *column,
                              apr_pool_t *p)
{
    int is_text = column->kind == BATCH_PGSQL_ANY;

    facts->type = apr_pstrdup(p, column->declared ? column->declared : "text");
    facts->digits = BATCH_DIGITS_ALL;
    facts->places = BATCH_DIGITS_ALL;
    facts->takes_uuid = column->kind == BATCH_PGSQL_UUID ||
                        (is_text && (!column->most || column->most >= BATCH_UUID_SIZE - 1));
    switch (column->type) {
    case TYPE_NUMERIC:
        facts->places = scale_of(facts->type);
        if (facts->places < 0) { /* before the point */
            facts->digits = 0;
        }
        break;
    case TYPE_DOUBLE:
        facts->digits = 15;
        break;
    case TYPE_REAL:
        facts->digits = 6;
        break;
    case TYPE_SMALLINT:
    case TYPE_INTEGER:
    case TYPE_BIGINT:
        facts->places = 0;
        break;
    default:
        facts->digits = is_text ? BATCH_DIGITS_ALL : 0;
    }
}

int batch_pgsql_fits(const batch_pgsql_column_t *column, const char *text)
{
    switch (column->kind) {
    case BATCH_PGSQL_UUID:
        return batch_uuid_is_valid(text);
    case BATCH_PGSQL_INTEGER:
        switch (column->type) {
        case TYPE_SMALLINT:
            return is_integer(text, APR_INT16_MIN, APR_INT16_MAX);
        case TYPE_INTEGER:
            return is_integer(text, APR_INT32_MIN, APR_INT32_MAX);
        default:
            return is_integer(text, APR_INT64_MIN, APR_INT64_MAX);
        }
    default:
        return 1;
    }
}

int batch_pgsql_is_spelt(const batch_pgsql_column_t *column, const char *text)
{
    switch (column->kind) {
    case BATCH_PGSQL_UUID:
        return batch_uuid_is_valid(text) && !strpbrk(text, "ABCDEF");
    case BATCH_PGSQL_INTEGER:
        return batch_pgsql_fits(column, text);
    default:
        return 0;
    }
}

const char *batch_pgsql_stored(const batch_pgsql_column_t *column, const char *expression,
                               apr_pool_t *p)
{
    if (column->stored_as) {
        return apr_psprintf(p, "(%s)::%s", expression, column->stored_as);
    }
    if (column->most) {
        return apr_psprintf(p,
                            "CASE WHEN char_length(%s) > %d AND rtrim(substr(%s, %d), ' ') = ''"
                            " THEN left(%s, %d) ELSE %s END",
                            expression, column->most, expression, column->most + 1, expression,
                            column->most, expression);
    }
    return expression;
}

const char *batch_pgsql_array(const char *const *texts, int count, apr_pool_t *p)
{
    apr_size_t length = 3;
    char *array, *next;
    const char *from;
    int i;

    for (i = 0; i < count; i++) {
        length += texts[i] ? 2 * strlen(texts[i]) + 3 : 5;
    }
    next = array = apr_palloc(p, length);
    *next++ = '{';
    for (i = 0; i < count; i++) {
        if (i) {
            *next++ = ',';
        }
        if (!texts[i]) {
            memcpy(next, "NULL", 4);
            next += 4;
            continue;
        }
        *next++ = '"';
        for (from = texts[i]; *from; from++) {
            if (*from == '"' || *from == '\\') {
                *next++ = '\\';
            }
            *next++ = *from;
        }
        *next++ = '"';
    }
    *next++ = '}';
    *next = '\0';
    return array;
}

static char *put_int32(char *next, apr_uint32_t number)
{
    int shift;

    for (shift = 24; shift >= 0; shift -= 8) {
        *next++ = (char)(number >> shift & 0xff);
    }
    return next;
}

/* Writes the size of an element, and those bytes. */
static char *put_element(char *next, const void *bytes, apr_size_t size)
{
    next = put_int32(next, (apr_uint32_t)size);
    memcpy(next, bytes, size);
    return next + size;
}

/* An integer as the server has it: the last bytes of eight. */
static char *put_integer(char *next, const char *text, apr_size_t size)
{
    apr_uint64_t number = (apr_uint64_t)apr_atoi64(text);
    char bytes[8];

    put_int32(put_int32(bytes, (apr_uint32_t)(number >> 32)), (apr_uint32_t)number);
    return put_element(next, bytes + sizeof(bytes) - size, size);
}

/* Writes text, which is not NULL, as an element. NULL: only the server can tell what it is. */
static char *put_value(char *next, const batch_pgsql_column_t *column, const char *text)
{
    unsigned char bytes[BATCH_UUID_BYTES];
    apr_size_t length;

    switch (column->type) {
    case TYPE_UUID:
        return batch_uuid_read(bytes, text) ? put_element(next, bytes, sizeof(bytes)) : NULL;
    case TYPE_SMALLINT:
        return batch_pgsql_fits(column, text) ? put_integer(next, text, 2) : NULL;
    case TYPE_INTEGER:
        return batch_pgsql_fits(column, text) ? put_integer(next, text, 4) : NULL;
    case TYPE_BIGINT:
        return batch_pgsql_fits(column, text) ? put_integer(next, text, 8) : NULL;
    case TYPE_JSONB:
        length = strlen(text);
        next = put_int32(next, (apr_uint32_t)length + 1);
        *next++ = 1; /* the version of the format */
        memcpy(next, text, length);
        return next + length;
    default:
        return put_element(next, text, strlen(text));
    }
}

static int is_binary(const batch_pgsql_column_t *column)
{
    switch (column->type) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_UUID:
    case TYPE_SMALLINT:
    case TYPE_INTEGER:
    case TYPE_BIGINT:
        return 1;
    default:
        return 0;
    }
}

const char *batch_pgsql_binary_array(int *length, const batch_pgsql_column_t *column,
                                     const char *const *texts, int count, apr_pool_t *p)
{
    apr_size_t size = 5 * 4;
    char *array, *next;
    int i;

    if (!is_binary(column)) {
        return NULL;
    }
    for (i = 0; i < count; i++) { /* a number of one digit has eight bytes at most */
        size += 4 + 8 + (texts[i] ? strlen(texts[i]) : 0);
    }
    if (size > APR_INT32_MAX) {
        return NULL;
    }
    next = array = apr_palloc(p, size);
    next = put_int32(next, count > 0); /* dimensions */
    next = put_int32(next, 1);         /* there may be NULLs */
    next = put_int32(next, column->type);
    if (count) {
        next = put_int32(next, (apr_uint32_t)count);
        next = put_int32(next, 1); /* the number of the first */
    }
    for (i = 0; next && i < count; i++) {
        next = texts[i] ? put_value(next, column, texts[i]) : put_int32(next, (apr_uint32_t)-1);
    }
    if (!next) {
        return NULL;
    }
    *length = (int)(next - array);
    return array;
}

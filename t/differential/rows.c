#include "rows.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "choices.h"

#define MINE   "acme"
#define OTHERS "globex"

const name_t names[] = {
    {"_record_id", "id", BATCH_QUERY_TEXT},
    {"_status", "status", BATCH_QUERY_TEXT},
    {"_project_id", "project_id", BATCH_QUERY_TEXT},
    {"_version", "version", BATCH_QUERY_INTEGER},
    {"_stock", "stock", BATCH_QUERY_INTEGER},
    {"_latitude", "latitude", BATCH_QUERY_NUMBER},
    {"_ratio", "ratio", BATCH_QUERY_NUMBER},
    {"_created_at", "created_at", BATCH_QUERY_TIMESTAMP},
    {"_updated_at", "updated_at", BATCH_QUERY_TIMESTAMP},
    {"_due", "due", BATCH_QUERY_DATE},
    {"_open", "open", BATCH_QUERY_BOOLEAN},
    {"height", "m->'height'", BATCH_QUERY_MEMBER},
    {"street", "m->'street'", BATCH_QUERY_MEMBER},
    {"flag", "m->'flag'", BATCH_QUERY_MEMBER},
    {"code", "m->'code'", BATCH_QUERY_MEMBER},
    {"mixed", "m->'mixed'", BATCH_QUERY_MEMBER},
    {"seen", "m->'seen'", BATCH_QUERY_MEMBER},
    {"\"assetTag\"", "m->'assetTag'", BATCH_QUERY_MEMBER},
    {"notes", "m->'notes'", BATCH_QUERY_MEMBER},
};
const int name_count = sizeof(names) / sizeof(*names);

const form_t forms[] = {{"f-app", "Testing App", 48, "f0"},
                        {"f-hydrants", "Hydrants", 32, "f1"},
                        {"f-one", "one", 1, "f2"},
                        {"f-empty", "Empty Form", 0, "f3"}};
const int form_count = sizeof(forms) / sizeof(*forms);

/* ---- The resource ---------------------------------------------------------------------------- */

batch_resource_t *rows_resource(apr_pool_t *p)
{
    static const struct {
        const char *name;
        batch_type_e type;
    } columns[] = {{"status", BATCH_TYPE_TEXT},          {"project_id", BATCH_TYPE_TEXT},
                   {"version", BATCH_TYPE_INTEGER},      {"stock", BATCH_TYPE_INTEGER},
                   {"latitude", BATCH_TYPE_NUMBER},      {"ratio", BATCH_TYPE_NUMBER},
                   {"updated_at", BATCH_TYPE_TIMESTAMP}, {"due", BATCH_TYPE_DATE},
                   {"open", BATCH_TYPE_BOOLEAN},         {"form_values", BATCH_TYPE_JSON}};
    batch_resource_t *resource = apr_pcalloc(p, sizeof(*resource));

    resource->name = "record";
    resource->table = "records";
    resource->key = "id";
    resource->scope = resource->form_scope = "organization_id";
    resource->created_at = "created_at";
    resource->form_column = "form_id";
    resource->form_table = "forms";
    resource->form_id = "id";
    resource->form_name = "name";
    resource->columns = apr_array_make(p, 16, sizeof(batch_column_t));
    for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
        batch_column_t *column = apr_array_push(resource->columns);

        memset(column, 0, sizeof(*column));
        column->name = columns[i].name;
        column->type = columns[i].type;
    }
    return resource;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

const char *rows_tables(int pgsql)
{
    return pgsql ? "CREATE TABLE forms (id text PRIMARY KEY, organization_id text, name text);"
                   "CREATE TABLE records (id text PRIMARY KEY, organization_id text, form_id text,"
                   " status text, project_id text, version bigint, stock bigint,"
                   " latitude double precision, ratio double precision, created_at timestamptz,"
                   " updated_at timestamptz, due date, open boolean, form_values jsonb);"
                   "CREATE INDEX by_status ON records (organization_id, form_id, status)"
                 : "CREATE TABLE forms (id TEXT PRIMARY KEY, organization_id TEXT, name TEXT);"
                   "CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id TEXT,"
                   " status TEXT, project_id TEXT, version INTEGER, stock INTEGER,"
                   " latitude REAL, ratio REAL, created_at TEXT, updated_at TEXT, due TEXT,"
                   " open INTEGER, form_values TEXT);"
                   "CREATE INDEX by_status ON records (organization_id, form_id, status)";
}

const char *rows_reference(apr_pool_t *p)
{
    const char *sql = "";
    int i;

    for (i = 0; i < form_count; i++) {
        sql = apr_psprintf(p,
                           "%sCREATE TABLE %s (id text, status text, project_id text,"
                           " version bigint, stock bigint, latitude numeric, ratio numeric,"
                           " created_at timestamptz, updated_at timestamptz, due date,"
                           " open boolean, m jsonb);",
                           sql, forms[i].table);
    }
    return sql;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static const char *pick(apr_uint64_t *state, const char *const *of, size_t count)
{
    return of[choices_random(state) % count];
}

#define PICK(state, of) pick(state, of, sizeof(of) / sizeof(*(of)))

static const char *const texts[] = {
    "'good'",   "'fair'",    "'delete_this'", "'Good'",    "'GOOD '",     "''",          "'10'",
    "'9'",      "'2.5'",     "'true'",        "'F'",       "'100%'",      "'a_b'",       "'axb'",
    "'a\\b'",   "'O''Hara'", "'Straße'",      "'STRASSE'", "'Ärger'",     "'äRGER'",     "'ПРИВЕТ'",
    "'привет'", "'ΣΊΣΥΦΟΣ'", "'  pad '",      "'日本語'",  "'x😀y'",       "'tall'",      "'%'",
    "'_'",      "NULL",      "NULL",          "NULL",      "'good good'", "'2023-10-06'"};
static const char *const few[] = {"'p1'", "'p2'", "'P1'", "'p10'", "NULL", "NULL"};
static const char *const integers[] = {"1",
                                       "2",
                                       "3",
                                       "4",
                                       "5",
                                       "5",
                                       "7",
                                       "0",
                                       "-1",
                                       "-7",
                                       "-5",
                                       "-10",
                                       "10",
                                       "9",
                                       "2147483648",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "9007199254740993",
                                       "9007199254740992",
                                       "-9223372036854775807",
                                       "NULL",
                                       "100"};
static const char *const numbers[] = {"0",
                                      "1",
                                      "2.5",
                                      "-2.5",
                                      "0.1",
                                      "0.30000000000000004",
                                      "0.2",
                                      "1.5",
                                      "-0.5",
                                      "12.25",
                                      "9",
                                      "10",
                                      "1e15",
                                      "1e20",
                                      "-1e300",
                                      "1.5e308",
                                      "NULL",
                                      "NULL",
                                      "4",
                                      "100",
                                      "123456789.125",
                                      "9007199254740992",
                                      "2.675",
                                      "0.5",
                                      "3.5",
                                      "-7"};
static const char *const times[] = {
    "2023-10-06T02:56:33Z",     "2023-10-06T02:56:33.5Z",      "2023-10-06T02:56:33.000001Z",
    "2023-10-06T02:56:34Z",     "2023-10-06T00:00:00Z",        "2023-10-05T23:59:59.999999Z",
    "2024-02-29T12:00:00Z",     "2023-12-31T23:59:59Z",        "1969-12-31T23:59:59.25Z",
    "2020-01-31T06:07:08.009Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z",
    "2025-03-01T10:11:12Z"};
static const char *const dates[] = {"'2023-10-06'", "'2024-02-29'", "'2023-10-05'",
                                    "'1969-12-31'", "'2020-01-31'", "'9999-12-31'",
                                    "'0001-01-01'", "NULL",         "NULL"};
static const char *const booleans[] = {"1", "0", "0", "1", "NULL"};

/* ---- Members: JSON, or "" for none ------------------------------------------------------------
 */

static const char *const heights[] = {"1",
                                      "2",
                                      "2.5",
                                      "4",
                                      "-3",
                                      "0",
                                      "10",
                                      "9",
                                      "12.25",
                                      "\"12.5\"",
                                      "\"10\"",
                                      "\"9\"",
                                      "\"tall\"",
                                      "null",
                                      "",
                                      "9007199254740993",
                                      "9007199254740992",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "1.50",
                                      "1e2",
                                      "0.1",
                                      "true",
                                      "\"\"",
                                      "100",
                                      "\" 7 \"",
                                      "3.5",
                                      "2.675"};
static const char *const streets[] = {"\"Bay Street\"",
                                      "\"bay street 10\"",
                                      "\"BAY\"",
                                      "\"good\"",
                                      "\"Straße\"",
                                      "\"ärger\"",
                                      "\"100%\"",
                                      "\"a_b\"",
                                      "\"axb\"",
                                      "\"a\\\\b\"",
                                      "\"O'Hara\"",
                                      "\"q\\\"q\"",
                                      "\"\"",
                                      "null",
                                      "",
                                      "\"привет\"",
                                      "\"ПРИВЕТ\"",
                                      "\"tab\\there\"",
                                      "\"line\\nbreak\"",
                                      "\"\\u00e4rger\"",
                                      "7",
                                      "\"9\"",
                                      "\"10\"",
                                      "\"x😀y\"",
                                      "\"\\ud83d\\ude00\"",
                                      "\"  pad \"",
                                      "\"fair\"",
                                      "\"日本語\""};
static const char *const flags[] = {"true",  "false", "true",    "false",  "\"true\"", "\"False\"",
                                    "null",  "",      "\"yes\"", "\"no\"", "\"t\"",    "\"tall\"",
                                    "\"1\"", "\"0\"", "\"\"",    "\"on\""};
static const char *const codes[] = {"\"1\"",  "\"2\"",   "\"10\"",  "9",      "10",
                                    "\"-7\"", "\"1e2\"", "\"x\"",   "null",   "",
                                    "\"5\"",  "5",       "\"007\"", "\"1.0\""};
static const char *const mixtures[] = {"1",
                                       "\"1\"",
                                       "true",
                                       "\"true\"",
                                       "false",
                                       "null",
                                       "",
                                       "[1, 2]",
                                       "{\"a\": 1, \"b\": [true]}",
                                       "2.5",
                                       "\"2.5\"",
                                       "\"good\"",
                                       "\"Good\"",
                                       "[]",
                                       "{}",
                                       "0",
                                       "\"2023-10-06\"",
                                       "-1",
                                       "1e20",
                                       "{\"k\": \"x y\"}",
                                       "\"f\"",
                                       "\"[1,2]\"",
                                       "9223372036854775807",
                                       "1.0"};
static const char *const sightings[] = {"\"2023-10-06\"",
                                        "\"2023-10-06T02:56:33Z\"",
                                        "\"2023-10-06T02:56:33.5Z\"",
                                        "\"2023-10-06 02:56:33\"",
                                        "\"2023-10-06T04:56:33+02:00\"",
                                        "\"2023-10-05T23:30:00-05:00\"",
                                        "\"tall\"",
                                        "\"\"",
                                        "null",
                                        "",
                                        "7",
                                        "\"2023-02-30\"",
                                        "\"2024-02-29T23:59\"",
                                        "true",
                                        "\"2023-10-06T02:56:33.000001Z\"",
                                        "\"2023-13-01\"",
                                        "\"2023-10-06T25:00:00Z\""};
static const char *const tags[] = {"\"A-1\"", "\"a-1\"", "\"A-2\"", "\"B-1\"",  "\"p1\"",
                                   "\"P1\"",  "null",    "",        "\"good\"", "\"7\""};

static const char *sized(apr_uint64_t *state, apr_pool_t *p)
{
    static const char *const words[] = {"ab", "xyz ", "Bay ", "ä", "%", "0"};
    const char *word = PICK(state, words), *text = "";
    apr_uint64_t count =
        choices_random(state) % 4 ? choices_random(state) % 5 : 200 + choices_random(state) % 500;

    while (count--) {
        text = count % 16 ? apr_pstrcat(p, text, word, NULL) : apr_pstrcat(p, text, "abab", NULL);
    }
    return apr_pstrcat(p, "\"", text, "\"", NULL);
}

static const char *add_member(const char *object, const char *name, const char *value,
                              apr_pool_t *p)
{
    return *value ? apr_psprintf(p, "%s%s\"%s\": %s", object, object[1] ? ", " : "", name, value)
                  : object;
}

static const char *members(apr_uint64_t *state, apr_pool_t *p)
{
    const char *object = "{";

    object = add_member(object, "height", PICK(state, heights), p);
    object = add_member(object, "street", PICK(state, streets), p);
    object = add_member(object, "flag", PICK(state, flags), p);
    object = add_member(object, "code", PICK(state, codes), p);
    object = add_member(object, "mixed", PICK(state, mixtures), p);
    object = add_member(object, "seen", PICK(state, sightings), p);
    object = add_member(object, "assetTag", PICK(state, tags), p);
    object = add_member(object, "notes", sized(state, p), p);
    return apr_pstrcat(p, object, "}", NULL);
}

/* One that has each member, so that no query is refused since nobody has it. */
static const char *all_members(void)
{
    return "{\"height\": 2, \"street\": \"Bay Street\", \"flag\": true, \"code\": \"10\", "
           "\"mixed\": [1, 2], \"seen\": \"2023-10-06\", \"assetTag\": \"A-1\", \"notes\": \"n\"}";
}

static const char *quoted(const char *text, apr_pool_t *p)
{
    const char *quote = strchr(text, '\'');
    const char *doubled = "";

    for (; quote; text = quote + 1, quote = strchr(text, '\'')) {
        doubled = apr_pstrcat(p, doubled, apr_pstrmemdup(p, text, (apr_size_t)(quote - text)), "''",
                              NULL);
    }
    return apr_pstrcat(p, "'", doubled, text, "'", NULL);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

typedef struct filling {
    apr_array_header_t *driver; /* of const char * */
    apr_array_header_t *reference;
    apr_uint64_t state;
    int pgsql;
    apr_pool_t *p;
} filling_t;

static const char *time_of(filling_t *filling, int may_be_null)
{
    return may_be_null && choices_random(&filling->state) % 4 == 0
               ? "NULL"
               : apr_psprintf(filling->p, "'%s'", PICK(&filling->state, times));
}

static const char *boolean_of(const char *value, int pgsql)
{
    return !pgsql || *value == 'N' ? value : *value == '1' ? "true" : "false";
}

/* reference: the table, NULL for a row that nobody may see. */
static void add_row(filling_t *filling, const char *form, const char *organization,
                    const char *reference, const char *id, int first)
{
    apr_uint64_t *state = &filling->state;
    apr_pool_t *p = filling->p;
    const char *status = PICK(state, texts), *project = PICK(state, few);
    const char *version = PICK(state, integers), *stock = PICK(state, integers);
    const char *latitude = PICK(state, numbers), *ratio = PICK(state, numbers);
    const char *created = time_of(filling, 0), *updated = time_of(filling, 1);
    const char *due = PICK(state, dates), *open = PICK(state, booleans);
    const char *json = quoted(first ? all_members() : members(state, p), p);

    APR_ARRAY_PUSH(filling->driver, const char *) = apr_psprintf(
        p,
        "INSERT INTO records VALUES ('%s', '%s', '%s', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, "
        "%s);",
        id, organization, form, status, project, version, stock, latitude, ratio, created, updated,
        due, boolean_of(open, filling->pgsql), json);
    if (reference) {
        APR_ARRAY_PUSH(filling->reference, const char *) = apr_psprintf(
            p,
            "INSERT INTO %s VALUES ('%s', %s, %s, %s, %s, exact(%s::float8), exact(%s::float8), "
            "%s, %s, %s, %s, %s);",
            reference, id, status, project, version, stock, latitude, ratio, created, updated, due,
            boolean_of(open, 1), json);
    }
}

void rows_fill(const char **driver, const char **reference, apr_uint64_t seed, int pgsql,
               apr_pool_t *p)
{
    filling_t filling = {apr_array_make(p, 256, sizeof(const char *)),
                         apr_array_make(p, 256, sizeof(const char *)), seed, pgsql, p};
    int form, row;

    APR_ARRAY_PUSH(filling.driver, const char *) =
        "DELETE FROM records; DELETE FROM forms; INSERT INTO forms VALUES ('f-theirs', '" OTHERS
        "', 'Hydrants');";
    for (form = 0; form < form_count; form++) {
        APR_ARRAY_PUSH(filling.driver, const char *) =
            apr_psprintf(p, "INSERT INTO forms VALUES ('%s', '" MINE "', '%s');", forms[form].id,
                         forms[form].name);
        APR_ARRAY_PUSH(filling.reference, const char *) =
            apr_psprintf(p, "DELETE FROM %s;", forms[form].table);
        for (row = 0; row < forms[form].rows; row++) {
            add_row(&filling, forms[form].id, MINE, forms[form].table,
                    apr_psprintf(p, "%c%d-%02d", row % 3 ? 'r' : 'R', form, row), row == 0);
        }
        /* Of another organization, though of this form. */
        add_row(&filling, forms[form].id, OTHERS, NULL, apr_psprintf(p, "o%d", form), 0);
    }
    for (row = 0; row < 10; row++) {
        add_row(&filling, "f-theirs", OTHERS, NULL, apr_psprintf(p, "t%d", row), row == 0);
    }
    *driver = apr_array_pstrcat(p, filling.driver, 0);
    *reference = apr_array_pstrcat(p, filling.reference, 0);
}

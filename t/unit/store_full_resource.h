/*
 * A resource with everything that can be said of one, its table full_rows with rows of two
 * organizations, and merges into it, for the tests of the store.
 */
#ifndef BATCH_STORE_FULL_RESOURCE_H
#define BATCH_STORE_FULL_RESOURCE_H

#include "store_resource.h"

FIXTURE const char *organization = "acme";

/* ---- The tables --------------------------------------------------------------------------------
 */

FIXTURE void match_by(const char *first, const char *second)
{
    resource.match = apr_array_make(pool, 2, sizeof(const char *));
    if (first) {
        APR_ARRAY_PUSH(resource.match, const char *) = first;
    }
    if (second) {
        APR_ARRAY_PUSH(resource.match, const char *) = second;
    }
}

FIXTURE void make_resource(void)
{
    memset(&resource, 0, sizeof(resource));
    resource.name = "full";
    resource.table = "full_rows";
    resource.key = "id";
    resource.keys = BATCH_KEYS_GENERATED;
    resource.scope = "org";
    resource.actions = 1u << BATCH_ACTION_MERGE;
    match_by("code", NULL);
    resource.columns = apr_array_make(pool, 8, sizeof(batch_column_t));
    resource.created_at = "created_at";
    resource.updated_at = "updated_at";
    resource.created_by_id = "created_by";
    resource.updated_by_id = "updated_by";
    add_column("code", BATCH_TYPE_TEXT);
    add_column("name", BATCH_TYPE_TEXT);
    add_column("kind", BATCH_TYPE_TEXT)->immutable = 1;
    add_column("quantity", BATCH_TYPE_INTEGER);
    add_column("size", BATCH_TYPE_NUMBER);
    add_column("checked", BATCH_TYPE_BOOLEAN);
    add_column("secret", BATCH_TYPE_TEXT)->readonly = 1;
}

FIXTURE void make_table(const char *id, const char *constraint)
{
    native(path,
           apr_psprintf(
               pool,
               "DROP TABLE IF EXISTS full_rows; DROP TABLE IF EXISTS log; CREATE TABLE log (entry "
               "TEXT); CREATE TABLE full_rows (id %s, org TEXT, code TEXT, name TEXT, kind TEXT, "
               "quantity INTEGER DEFAULT 5, size %s, checked %s, secret TEXT, created_at TEXT, "
               "updated_at TEXT, created_by TEXT, updated_by TEXT%s, CHECK (quantity >= 0))",
               id, by_driver("REAL", "double precision"), by_driver("BOOLEAN", "boolean"),
               constraint));
}

FIXTURE void add_rows(void)
{
    native(path, "INSERT INTO full_rows (id, org, code, name, kind, created_at, updated_at) VALUES "
                 "('a1', 'acme', 'c1', 'one', 'x', 'then', 'then'), "
                 "('a2', 'acme', 'c2', 'two', 'x', 'then', 'then'), "
                 "('a3', 'acme', 'c3', 'three', 'y', 'then', 'then'), "
                 "('g1', 'globex', 'c1', 'theirs', 'x', 'then', 'then'), "
                 "('g2', 'globex', 'c9', 'theirs', 'x', 'then', 'then')");
}

FIXTURE void make_full_rows(void)
{
    make_table("TEXT PRIMARY KEY", ", UNIQUE (org, code)");
    add_rows();
}

FIXTURE int theirs_are_untouched(void)
{
    return number(
               "SELECT count(*) FROM full_rows WHERE org = 'globex' AND name = 'theirs' AND kind = "
               "'x' AND updated_at = 'then' AND quantity = 5") == 2 &&
           number("SELECT count(*) FROM full_rows WHERE org <> 'acme'") == 2;
}

/* The trigger guard, BEFORE an event on full_rows for a row where condition is true. */
FIXTURE void guard(const char *event, const char *condition, const char *body)
{
    if (is_pgsql()) {
        native(path, apr_psprintf(pool,
                                  "CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE "
                                  "plpgsql AS $$ BEGIN %s; RETURN NEW; END $$; CREATE TRIGGER "
                                  "guard BEFORE %s ON full_rows FOR EACH ROW WHEN (%s) EXECUTE "
                                  "FUNCTION guard()",
                                  body, event, condition));
    } else {
        native(path, apr_psprintf(
                         pool, "CREATE TRIGGER guard BEFORE %s ON full_rows WHEN %s BEGIN %s; END",
                         event, condition, body));
    }
}

FIXTURE void drop_guard(void)
{
    native(path, by_driver("DROP TRIGGER guard", "DROP TRIGGER guard ON full_rows"));
}

/* ---- Merges ------------------------------------------------------------------------------------
 */

#define MOST 64

typedef struct work {
    batch_item_t items[MOST];
    int count;
    const char *form_id;
    apr_time_t deadline;
    int done;
    batch_row_result_e results[MOST];
    const char *messages[MOST];
    const char *keys[MOST]; /* of outcomes; NULL = none */
} work_t;

/* Adds an item with the values of fill_item. */
FIXTURE void add_item(work_t *work, batch_item_kind_e kind, const char *key, ...)
{
    va_list pairs;

    va_start(pairs, key);
    fill_item(&work->items[work->count++], kind, key, pairs);
    va_end(pairs);
}

FIXTURE apr_status_t merge_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    work_t *work = baton;
    batch_row_scope_t scope = {&resource, organization, work->form_id, "alice-id", 0};
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(batch_row_outcome_t) * MOST);
    batch_rows_t rows = {.scope = &scope,
                         .items = work->items,
                         .count = work->count,
                         .deadline = work->deadline,
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv = batch_tx_rows_merge(tx, &rows);
    int i;

    work->done = rows.done;
    for (i = 0; rv == APR_SUCCESS && i < work->done; i++) {
        work->results[i] = outcomes[i].result;
        work->messages[i] = outcomes[i].message ? apr_pstrdup(pool, outcomes[i].message) : "";
        work->keys[i] = outcomes[i].key ? apr_pstrdup(pool, outcomes[i].key) : NULL;
    }
    return rv;
}

FIXTURE apr_status_t merge(work_t *work)
{
    work->deadline = work->deadline ? work->deadline : APR_INT64_MAX; /* as in a sync batch */
    return batch_store_write(store, merge_body, work, &err, pool);
}

/* Merges, and says what became of each item: A(pplied), N(ot found), R(efused), C(reated), M(any).
 */
FIXTURE const char *letters(work_t *work)
{
    char *text = apr_pcalloc(pool, MOST + 1);
    apr_status_t rv;
    int i;

    for (i = 0; i < MOST; i++) {
        work->messages[i] = "";
    }
    rv = merge(work);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "status %d: %s", rv, err.message);
    }
    for (i = 0; i < work->done; i++) {
        text[i] = "ANRCM"[work->results[i]];
        if ((text[i] == 'R') != (*work->messages[i] != '\0')) {
            text[i] = '?';
        }
    }
    return text;
}

FIXTURE const char *full_row(const char *id, const char *columns)
{
    return apr_pstrdup(
        pool,
        native(path, apr_psprintf(pool, "SELECT %s FROM full_rows WHERE id = '%s'", columns, id)));
}

#endif

/* The administrator's tables: rows that are looked for and walked over; what start-up says of one.
 */
/* needs: database */
#include "misfits.h"
#include "store_full_resource.h"

/* ---- Looks -------------------------------------------------------------------------------------
 */

typedef struct looking {
    work_t *work;
    char text[600];
} looking_t;

static apr_status_t look_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    looking_t *looking = baton;
    batch_row_scope_t scope = {&resource, organization, NULL, NULL, 0};
    batch_row_look_t *looks = apr_pcalloc(ptemp, sizeof(*looks) * MOST);
    batch_rows_t rows = {.scope = &scope,
                         .items = looking->work->items,
                         .count = looking->work->count,
                         .looks = looks,
                         .p = ptemp};
    apr_status_t rv = batch_tx_rows_look(tx, &rows);
    int i;

    looking->text[0] = '\0';
    for (i = 0; rv == APR_SUCCESS && i < looking->work->count; i++) {
        const char *one = apr_psprintf(ptemp, "%s%d %s %s", i ? "; " : "", looks[i].found,
                                       looks[i].key ? looks[i].key : "-",
                                       looks[i].immutable ? looks[i].immutable : "-");

        apr_cpystrn(looking->text + strlen(looking->text), one,
                    sizeof(looking->text) - strlen(looking->text));
    }
    return rv;
}

static const char *look(work_t *work)
{
    looking_t looking = {.work = work};
    apr_status_t rv = batch_store_read(store, look_body, &looking, &err, pool);

    return rv == APR_SUCCESS ? apr_pstrdup(pool, looking.text)
                             : apr_psprintf(pool, "status %d: %s", rv, err.message);
}

static void test_look(void)
{
    work_t work = {.count = 0};

    make_table("TEXT PRIMARY KEY", "");
    add_rows();
    native(path, "INSERT INTO full_rows (id, org, code) VALUES ('a4', 'acme', 'c2')");
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=q", "kind=x", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "name=q", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "kind", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", NULL);
    add_item(&work, BATCH_ITEM_KEY, "nowhere", NULL);
    is_string(look(&work), "1 a1 -; 1 a1 kind; 1 a1 kind; 0 - -; 0 - -", "a look by keys");
    work.count = 0;
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code=c1", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code=c2", "kind=z", NULL);
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code=c9", NULL);
    add_item(&work, BATCH_ITEM_NEW, NULL, "name=q", NULL);
    add_item(&work, BATCH_ITEM_MATCH, NULL, "code", NULL);
    add_item(&work, BATCH_ITEM_NEW, NULL, "code=c3", "kind=y", NULL);
    add_item(&work, BATCH_ITEM_MATCH, "a3", "code=c1", "kind=y", NULL);
    is_string(look(&work), "1 a1 kind; 2 - -; 0 - -; 0 - -; 0 - -; 1 a3 -; 1 a3 -",
              "by match, where there is no key");
    ok(theirs_are_untouched() && number("SELECT count(*) FROM full_rows") == 6, "changes nothing");
    native(path, "UPDATE full_rows SET kind = NULL WHERE id = 'a1'");
    work.count = 0;
    add_item(&work, BATCH_ITEM_KEY, "a1", "kind", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a1", "kind=", NULL);
    is_string(look(&work), "1 a1 -; 1 a1 kind", "NULL is the same as NULL only");
    match_by(NULL, NULL);
    work.count = 0;
    add_item(&work, BATCH_ITEM_NEW, NULL, "code=c1", NULL);
    is_string(look(&work), "0 - -", "a resource without match");
    make_resource();
    resource.table = "nowhere";
    is_number(batch_store_read(store, look_body, &(looking_t){.work = &work}, &err, pool),
              BATCH_EUNFIT, "a table that is not there");
    make_resource();
}

/* ---- Walks -------------------------------------------------------------------------------------
 */

typedef struct walk {
    const char *after;
    const char *form_id;
    int limit;
    apr_array_header_t *keys;
    int stop_at;
    int seen;
    apr_status_t rv;
} walk_t;

static apr_status_t note_key(void *baton, const char *key)
{
    walk_t *walk = baton;

    walk->seen++;
    APR_ARRAY_PUSH(walk->keys, const char *) = apr_pstrdup(pool, key);
    return walk->seen == walk->stop_at ? APR_EGENERAL : APR_SUCCESS;
}

static apr_status_t walk_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    walk_t *walk = baton;
    batch_row_scope_t scope = {&resource, organization, walk->form_id, NULL, 0};
    batch_key_walk_t step = {.scope = &scope,
                             .after = walk->after,
                             .limit = walk->limit,
                             .fn = note_key,
                             .baton = walk,
                             .p = pool};
    apr_status_t rv;

    (void)ptemp;
    walk->seen = 0;
    rv = batch_tx_keys_walk(tx, &step);
    walk->after = step.after;
    return rv;
}

/* Walks to the end: the keys, in their order. *calls: how many it took; -1 if one went wrong. */
static const char *walk_all(int *calls, int limit, const char *form_id)
{
    walk_t walk = {.limit = limit, .form_id = form_id};

    walk.keys = apr_array_make(pool, 16, sizeof(const char *));
    *calls = 0;
    do {
        (*calls)++;
        if (batch_store_read(store, walk_body, &walk, &err, pool) != APR_SUCCESS ||
            walk.seen > limit || *calls > 100000) {
            *calls = -1;
            return err.message ? err.message : "too much";
        }
    } while (walk.after);
    return apr_array_pstrcat(pool, walk.keys, ',');
}

static void test_walk(void)
{
    int calls;
    walk_t walk = {.limit = 10, .stop_at = 2, .after = "a1"};

    make_full_rows();
    is_string(walk_all(&calls, 100, NULL), "a1,a2,a3", "a walk over an organization's rows");
    is_string(walk_all(&calls, 1, NULL), "a1,a2,a3", "one at a time");
    is_string(walk_all(&calls, 2, NULL), "a1,a2,a3", "two at a time");
    walk.keys = apr_array_make(pool, 16, sizeof(const char *));
    is_number(batch_store_read(store, walk_body, &walk, &err, pool), APR_EGENERAL,
              "the caller's function can stop it");
    is_string(apr_array_pstrcat(pool, walk.keys, ','), "a2,a3", "where it began behind a key");
    organization = "nobody";
    is_string(walk_all(&calls, 100, NULL), "", "an organization without rows");
    organization = "acme";
    resource.scope = NULL;
    is_string(walk_all(&calls, 100, NULL), "a1,a2,a3,g1,g2", "a resource without a scope");
    make_resource();
    resource.form_column = "kind";
    is_string(walk_all(&calls, 100, "x"), "a1,a2", "of one form");
    is_string(walk_all(&calls, 100, NULL), "a1,a2,a3", "of any form");
    make_resource();
    native(path, "DELETE FROM full_rows");
    is_string(walk_all(&calls, 100, NULL), "", "an empty table");
}

static void fill(const char *key)
{
    const char *numbers =
        by_driver("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)",
                  "WITH n(i) AS (SELECT generate_series(1, 9000))");

    native(path, apr_psprintf(
                     pool,
                     "DELETE FROM full_rows; INSERT INTO full_rows (id, org, kind) %s SELECT %s, "
                     "CASE WHEN i %% 3000 = 0 THEN 'acme' ELSE 'globex' END, 'f1' FROM n",
                     numbers, key));
}

static void test_walk_far(void)
{
    int calls;

    make_full_rows();
    fill(by_driver("printf('k%05d', i)", "'k' || lpad(i::text, 5, '0')"));
    is_string(walk_all(&calls, 10, NULL), "k03000,k06000,k09000", "few rows among many of others");
    ok(calls > 2, "take several calls, of bounded work");
    make_table("INTEGER PRIMARY KEY", "");
    fill("i");
    is_string(walk_all(&calls, 2, NULL), "3000,6000,9000", "keys that are numbers, in their order");
    native(
        path,
        "DELETE FROM full_rows WHERE org = 'globex'; INSERT INTO full_rows (id, org) VALUES (20, "
        "'acme'), (100, 'acme'), (3, 'acme')");
    is_string(walk_all(&calls, 1, NULL), "3,20,100,3000,6000,9000", "which is not that of texts");
    make_table("TEXT", ", PRIMARY KEY (org, id)");
    add_rows();
    native(path,
           "INSERT INTO full_rows (id, org) VALUES ('a1', 'globex'), ('a2', 'globex'), ('g1', "
           "'acme')");
    is_string(walk_all(&calls, 1, NULL), "a1,a2,a3,g1", "keys that others have too");
    make_table("TEXT NOT NULL", "");
    add_rows();
    native(path,
           "INSERT INTO full_rows (id, org) VALUES ('a1', 'globex'), ('a2', 'globex'), ('g1', "
           "'acme')");
    is_string(walk_all(&calls, 1, NULL), "a1,a2,a3,g1", "without an index either");
    fill("'z'");
    is_string(walk_all(&calls, 10, NULL), "z,z,z", "however many others have that one");
}

/* ---- Forms -------------------------------------------------------------------------------------
 */

static apr_status_t delete_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    work_t *work = baton;
    batch_row_scope_t scope = {&resource, organization, work->form_id, "alice-id", 0};
    batch_row_outcome_t *outcomes = apr_pcalloc(ptemp, sizeof(batch_row_outcome_t) * MOST);
    batch_rows_t rows = {.scope = &scope,
                         .items = work->items,
                         .count = work->count,
                         .deadline = apr_time_now() + apr_time_from_sec(600),
                         .outcomes = outcomes,
                         .p = ptemp};
    apr_status_t rv = batch_tx_rows_delete(tx, &rows);

    work->done = rows.done;
    return rv;
}

static void test_any_form(void)
{
    work_t work = {.form_id = "y"};

    make_full_rows();
    resource.form_column = "kind";
    add_item(&work, BATCH_ITEM_KEY, "a1", NULL);
    add_item(&work, BATCH_ITEM_KEY, "a3", NULL);
    add_item(&work, BATCH_ITEM_KEY, "g1", NULL);
    batch_store_write(store, delete_body, &work, &err, pool);
    is_number(number("SELECT count(*) FROM full_rows"), 4, "a delete in one form");
    work.form_id = NULL;
    batch_store_write(store, delete_body, &work, &err, pool);
    is_number(number("SELECT count(*) FROM full_rows"), 3, "a delete in any form");
    ok(theirs_are_untouched(), "of the organization");
    make_resource();
}

/* ---- Start-up ----------------------------------------------------------------------------------
 */

static const char *problems(void)
{
    return misfits_text(store, &resource, 0, pool);
}

static const char *doubts(void)
{
    return misfits_text(store, &resource, 1, pool);
}

static void test_start_up(void)
{
    make_full_rows();
    is_string(problems(), "", "a table that fits");
    is_string(doubts(), "", "and leaves nothing to doubt");
    make_table(by_driver("INTEGER PRIMARY KEY", "bigint PRIMARY KEY"), ", UNIQUE (org, code)");
    ok(strstr(problems(), "BatchKey: column \"id\" of table \"full_rows\" is one of numbers"),
       "a key that cannot hold a UUID");
    resource.keys = BATCH_KEYS_CLIENT;
    ok(strstr(problems(), "BatchKey: a unique index of table \"full_rows\" has \"id\" alone"),
       "which the client's need not be, but apart for each organization");
    make_table(by_driver("INTEGER NOT NULL", "bigint NOT NULL"),
               ", UNIQUE (org, code), PRIMARY KEY (org, id)");
    is_string(problems(), "", "so is a key with the scope");
    resource.keys = BATCH_KEYS_GENERATED;
    resource.actions = 1u << BATCH_ACTION_DELETE;
    is_string(problems(), "", "nor where no row is made");
    make_resource();
    make_table("TEXT NOT NULL", ", owner TEXT NOT NULL, colour TEXT NOT NULL DEFAULT 'red'");
    ok(strstr(doubts(), "BatchKey: table \"full_rows\" has no unique index on \"id\"") &&
           strstr(doubts(),
                  "BatchMatch: table \"full_rows\" has no unique index on these columns and") &&
           strstr(doubts(),
                  "BatchTable: column \"owner\" of table \"full_rows\" must not be NULL") &&
           !strstr(doubts(), "colour") && !strstr(doubts(), "column \"id\""),
       "what may surprise");
    is_string(problems(), "", "is no reason not to start");
    resource.actions = 1u << BATCH_ACTION_DELETE;
    ok(strstr(doubts(), "BatchKey") && !strstr(doubts(), "BatchMatch") &&
           !strstr(doubts(), "BatchTable"),
       "where no row is made only the key matters");
    make_resource();
    native(path, "CREATE UNIQUE INDEX full_rows_id ON full_rows (org, id); CREATE UNIQUE INDEX "
                 "full_rows_code ON "
                 "full_rows (code); ALTER TABLE full_rows DROP COLUMN owner");
    is_string(doubts(), "", "indexes over fewer or more columns do");
}

int main(int argc, char **argv)
{
    int code;

    if (!fixture_begin(&code, argc, argv)) {
        return code;
    }
    make_resource();
    store = open_store(path, 5000);
    batch_store_migrate(store, &err, pool);
    test_look();
    test_walk();
    test_walk_far();
    test_any_form();
    test_start_up();
    batch_store_destroy(store);
    return fixture_end();
}

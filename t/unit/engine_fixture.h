/*
 * What the tests of jobs share: tables of an administrator, an engine on them, a client and a
 * worker.
 */
#ifndef BATCH_ENGINE_FIXTURE_H
#define BATCH_ENGINE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "claims.h"
#include "columns.h"
#include "database.h"
#include "engine/host.h"
#include "engine/jobs.h"
#include "engine/run.h"
#include "tap.h"

/* No program uses all of it. */
#define ENGINE __attribute__((unused)) static

#define FORM   "form-1"

ENGINE char directory[4096];
ENGINE const char *database; /* parameters: database_make */
ENGINE batch_engine_t engine;
ENGINE batch_resource_t record;
ENGINE const batch_actor_t alice = {"u1", "Alice", "acme", NULL, NULL, 0};
ENGINE const batch_actor_t carol = {"u3", "Carol", "globex", NULL, NULL, 0};

/* Runs SQL beside the store; the first column of its last row, in p. */
ENGINE const char *sql(apr_pool_t *p, const char *text)
{
    return apr_pstrdup(p, native(database, text));
}

/* A trigger named guard, before each delete of a record where condition is true of the old row. */
ENGINE const char *guard(apr_pool_t *p, const char *condition, const char *body)
{
    return is_pgsql() ? apr_psprintf(p,
                                     "CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE "
                                     "plpgsql AS $$ BEGIN %s; RETURN OLD; END $$;"
                                     "CREATE TRIGGER guard BEFORE DELETE ON records FOR EACH ROW "
                                     "WHEN (%s) EXECUTE FUNCTION guard()",
                                     body, condition)
                      : apr_psprintf(p,
                                     "CREATE TRIGGER guard BEFORE DELETE ON records WHEN %s BEGIN "
                                     "%s; END",
                                     condition, body);
}

ENGINE void make_tables(apr_pool_t *p)
{
    sql(p, "CREATE TABLE forms (id TEXT PRIMARY KEY, organization_id TEXT, name TEXT);"
           "CREATE TABLE records (id TEXT PRIMARY KEY, organization_id TEXT, form_id TEXT, status "
           "TEXT, updated_at TEXT, updated_by_id TEXT);"
           "CREATE TABLE notes (record_id TEXT REFERENCES records (id) DEFERRABLE INITIALLY "
           "DEFERRED);"
           "CREATE TABLE seen (id TEXT);"
           "INSERT INTO forms VALUES ('form-1', 'acme', 'One'), ('form-2', 'globex', 'One');");
    sql(p, by_driver("CREATE TRIGGER counted AFTER UPDATE ON records BEGIN INSERT INTO seen VALUES "
                     "(new.id); END",
                     "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                     "INSERT INTO seen VALUES (new.id); RETURN NULL; END $$;"
                     "CREATE TRIGGER counted AFTER UPDATE ON records FOR EACH ROW EXECUTE FUNCTION "
                     "counted()"));
}

ENGINE void fill(apr_pool_t *p)
{
    sql(p, by_driver("DROP TRIGGER IF EXISTS guard", "DROP TRIGGER IF EXISTS guard ON records"));
    sql(p, "DELETE FROM notes; DELETE FROM records; DELETE FROM seen;");
    sql(p,
        by_driver("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
                  "INSERT INTO records SELECT printf('r%03d', i), 'acme', 'form-1', 'good', "
                  "NULL, NULL FROM n",
                  "INSERT INTO records SELECT 'r' || lpad(i::text, 3, '0'), 'acme', 'form-1', "
                  "'good', NULL, NULL FROM generate_series(1, 100) AS n (i)"));
    sql(p, "INSERT INTO records VALUES ('g001', 'globex', 'form-2', 'good', NULL, NULL)");
}

ENGINE void add_column(const char *name, apr_pool_t *p)
{
    push_column(record.columns, apr_pstrdup(p, name), BATCH_TYPE_TEXT);
}

ENGINE batch_store_t *store_make(const char *params, apr_interval_time_t patience, apr_pool_t *p)
{
    batch_store_config_t config = {0};
    batch_error_t err = {0};
    batch_store_t *store;

    config.driver = database_driver();
    config.params = params;
    config.max_connections = 4;
    config.patience = patience;
    if (batch_store_create(&store, &config, &err, p) != APR_SUCCESS) {
        fprintf(stderr, "store: %s\n", err.message);
        exit(1);
    }
    return store;
}

/* params: the store's. */
ENGINE void make_engine(const char *params, apr_pool_t *p)
{
    engine.magic = BATCH_ENGINE_MAGIC;
    engine.store = store_make(params, apr_time_from_sec(5), p);
    record.name = "record";
    record.table = "records";
    record.key = "id";
    record.scope = "organization_id";
    record.match = apr_array_make(p, 1, sizeof(const char *));
    record.columns = apr_array_make(p, 2, sizeof(batch_column_t));
    record.actions = 1u << BATCH_ACTION_DELETE | 1u << BATCH_ACTION_UPDATE;
    record.updated_at = "updated_at";
    record.updated_by_id = "updated_by_id";
    record.form_column = "form_id";
    record.form_table = "forms";
    record.form_id = "id";
    record.form_name = "name";
    record.form_scope = "organization_id";
    add_column("status", p);
    engine.resources = apr_hash_make(p);
    apr_hash_set(engine.resources, "record", APR_HASH_KEY_STRING, &record);
    engine.limits.max_objects = 10000;
    engine.limits.query_timeout = apr_time_from_sec(60);
    engine.limits.query_rows = 1000;
    engine.limits.query_memory = (apr_int64_t)64 * 1024 * 1024;
    engine.limits.chunk_time = apr_time_from_sec(10);
    engine.limits.lease = apr_time_from_sec(30);
    engine.read_ahead = 1;
}

/* A request for the ids of a format with one number, from first to last. */
ENGINE batch_operations_request_t *request(const char *action, const char *format, int first,
                                           int last, apr_pool_t *p)
{
    batch_operations_request_t *made = apr_pcalloc(p, sizeof(*made));
    int i;

    made->start = 1;
    made->operation_count = 1;
    made->text = "[{\"ids\":[]}]";
    made->first.action = action;
    made->first.resource = "record";
    made->first.form_id = FORM;
    made->first.has_ids = 1;
    made->first.ids = apr_array_make(p, 8, sizeof(batch_item_t));
    for (i = last; i >= first; i--) { /* not in the order of the keys */
        batch_item_t *item = apr_array_push(made->first.ids);
        char key[64];
        memset(item, 0, sizeof(*item));
        item->ordinal = last - i;
        snprintf(key, sizeof(key), format, i);
        item->key = apr_pstrdup(p, key);
        item->key_length = strlen(item->key);
    }
    made->first.ids_sent = made->first.ids->nelts;
    if (!strcmp(action, "update")) {
        batch_value_t *value;
        made->first.has_data = 1;
        made->first.data = apr_array_make(p, 1, sizeof(batch_value_t));
        value = apr_array_push(made->first.data);
        value->name = "status";
        value->value = "fair";
        value->kind = BATCH_KIND_STRING;
    }
    return made;
}

ENGINE apr_status_t create(batch_job_t *job, const batch_actor_t *actor,
                           batch_operations_request_t *wanted, batch_problems_t *problems,
                           apr_pool_t *p)
{
    batch_error_t err = {0};
    apr_status_t rv = batch_job_create(job, &engine, actor, wanted, problems, &err, p);

    if (rv != APR_SUCCESS && err.message) {
        printf("# create: %s\n", err.message);
    }
    return rv;
}

/* ---- A worker of the test
 * ------------------------------------------------------------------------ */

ENGINE int chunks_until_stop;

ENGINE int stopping(void *baton)
{
    (void)baton;
    return chunks_until_stop-- == 0;
}

ENGINE int never_stopping(void *baton)
{
    (void)baton;
    return 0;
}

ENGINE void pause_briefly(void *baton, apr_interval_time_t duration)
{
    (void)baton;
    /* Who is to wait for what is left of a time comes to its end in a few steps. */
    apr_sleep(duration / 100 + apr_time_from_msec(1));
}

struct claiming {
    batch_claim_t claim;
    batch_job_t *job;
    apr_pool_t *p;
};

ENGINE apr_status_t claim_body(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    struct claiming *claiming = baton;

    (void)ptemp;
    return batch_tx_claim(tx, claiming->job, &claiming->claim, claiming->p);
}

ENGINE apr_interval_time_t lease = apr_time_from_sec(30);

ENGINE apr_status_t claim(batch_job_t *job, apr_pool_t *p)
{
    static batch_owner_t owner;
    struct claiming claiming = {
        {&owner, lease, always, never_gone, NULL, NULL, processing}, job, p};
    batch_error_t err = {0};

    batch_host_self(&owner, p);
    return batch_store_write(engine.store, claim_body, &claiming, &err, p);
}

/* Claims the next job and runs it, or only some chunks of it. */
ENGINE apr_status_t run_next(batch_job_t *job, int chunks, apr_pool_t *p)
{
    batch_runner_t runner = {.engine = &engine, .stopping = stopping, .pause = pause_briefly};
    apr_status_t rv = claim(job, p);

    chunks_until_stop = chunks;
    return rv != APR_SUCCESS ? rv : batch_job_run(&runner, job, p);
}

struct listing {
    const char *text;
    apr_pool_t *p;
};

ENGINE apr_status_t add_error(void *baton, const batch_item_error_t *error)
{
    struct listing *listing = baton;

    if (!error) {
        listing->text = "";
        return APR_SUCCESS;
    }
    listing->text = apr_psprintf(listing->p, "%s%" APR_INT64_T_FMT ":%s:%s ", listing->text,
                                 error->ordinal, error->id, error->code);
    return APR_SUCCESS;
}

ENGINE const char *errors_of(const batch_job_t *job, apr_pool_t *p)
{
    struct listing listing = {"", p};
    batch_error_cursor_t cursor = {0};
    batch_error_t err = {0};
    int count;

    if (batch_job_errors(&count, &engine, job, &cursor, 1000, add_error, &listing, &err, p)) {
        return "unreadable";
    }
    return listing.text;
}

/* ---- The program --------------------------------------------------------------------------------
 */

/*
 * A database with the tables, in a folder of that program's own; the pool of all. Ends the program
 * on failure.
 */
ENGINE apr_pool_t *begin_database(const char *program)
{
    apr_pool_t *p;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&p, NULL);
    batch_store_prepare(p);
    snprintf(directory, sizeof(directory), "%s/batch-%s.XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", program);
    if (!mkdtemp(directory)) {
        perror(directory);
        exit(1);
    }
    database = database_make(directory, p);
    make_tables(p);
    return p;
}

/* Removes all that; the program's exit code. The engine's store has been destroyed. */
ENGINE int end_database(apr_pool_t *p)
{
    char command[sizeof(directory) + 16];

    database_remove(p);
    apr_pool_destroy(p);
    snprintf(command, sizeof(command), "rm -r '%s'", directory);
    ok(system(command) == 0, "the folder of the test is removed");
    return tap_end();
}

#endif

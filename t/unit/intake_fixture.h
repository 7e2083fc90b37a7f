/* A table whose rows are found by name and kind, items for it, and a look at what has become of a
 * job. */
#ifndef BATCH_INTAKE_FIXTURE_H
#define BATCH_INTAKE_FIXTURE_H

#include "columns.h"
#include "engine/intake.h"
#include "engine_fixture.h"
#include "source_items.h"

ENGINE batch_resource_t named;

/* ---- Tables, items, requests --------------------------------------------------------------------
 */

ENGINE batch_column_t *declare(const char *name, batch_type_e type)
{
    return push_column(named.columns, name, type);
}

ENGINE void make_named_rows(apr_pool_t *p)
{
    sql(p, "CREATE TABLE named_rows (id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, name TEXT "
           "NOT "
           "NULL, kind TEXT NOT NULL DEFAULT 'shop', size INTEGER CHECK (size < 100), updated_at "
           "TEXT, UNIQUE (organization_id, name, kind));");
    named.name = "named";
    named.table = "named_rows";
    named.key = "id";
    named.keys = BATCH_KEYS_GENERATED;
    named.scope = "organization_id";
    named.updated_at = "updated_at";
    named.actions =
        1u << BATCH_ACTION_MERGE | 1u << BATCH_ACTION_OVERWRITE | 1u << BATCH_ACTION_DELETE;
    named.match = apr_array_make(p, 2, sizeof(const char *));
    APR_ARRAY_PUSH(named.match, const char *) = "name";
    APR_ARRAY_PUSH(named.match, const char *) = "kind";
    named.columns = apr_array_make(p, 3, sizeof(batch_column_t));
    declare("name", BATCH_TYPE_TEXT)->required = 1;
    declare("kind", BATCH_TYPE_TEXT)->immutable = 1;
    declare("size", BATCH_TYPE_INTEGER);
    apr_hash_set(engine.resources, "named", APR_HASH_KEY_STRING, &named);
    engine.limits.max_items = 100000;
    engine.limits.max_item_size = 1024 * 1024;
    engine.limits.sync_max_items = 1000;
}

ENGINE void empty(apr_pool_t *p)
{
    sql(p, "DELETE FROM named_rows; INSERT INTO named_rows VALUES ('p1', 'acme', 'one', 'shop', 1, "
           "NULL), "
           "('p2', 'acme', 'two', 'shop', 2, NULL), ('p3', 'acme', 'three', 'shop', 3, NULL), "
           "('g1', 'globex', 'one', 'shop', 1, NULL)");
}

struct source {
    batch_item_source_t source;
    const char *const *texts; /* NULL: numbered items */
    int at;
    int fails_at; /* 0: nowhere */
};

ENGINE apr_status_t next_item(void *baton, batch_source_item_t *out, batch_error_t *err,
                              apr_pool_t *p)
{
    struct source *source = baton;

    if (source->at >= source->source.count) {
        return APR_EOF;
    }
    if (source->fails_at && source->at == source->fails_at) {
        return batch_error_set(err, BATCH_EUNAVAILABLE, "MB0501", p, "the items are gone");
    }
    *out = item(source->texts
                    ? source->texts[source->at]
                    : apr_psprintf(p, "name=n%d kind=shop size=%d", source->at, source->at % 50),
                p);
    source->at++;
    return APR_SUCCESS;
}

ENGINE apr_status_t rewind_items(void *baton, batch_error_t *err)
{
    struct source *source = baton;

    (void)err;
    source->at = 0;
    return APR_SUCCESS;
}

/* Counts as "created/updated/deleted/overwritten/duplicates/errors". */
ENGINE const char *counts_of(const batch_job_t *job, apr_pool_t *p)
{
    const batch_counts_t *counts = &job->counts;

    return apr_psprintf(p, "%d/%d/%d/%d/%d/%d", (int)counts->created, (int)counts->updated,
                        (int)counts->deleted, (int)counts->overwritten, (int)counts->duplicates,
                        (int)counts->errors);
}

/* The job as another look finds it. */
ENGINE batch_job_t again(const batch_job_t *job, apr_pool_t *p)
{
    batch_error_t err = {0};
    batch_job_t found = {0};

    batch_job_get(&found, &engine, &alice, BATCH_API_RESOURCES, job->id, &err, p);
    return found;
}

/* ---- The program --------------------------------------------------------------------------------
 */

/* As begin_database, with an engine and the table. */
ENGINE apr_pool_t *begin_intake(const char *program)
{
    apr_pool_t *p = begin_database(program);

    make_engine(database, p);
    make_named_rows(p);
    return p;
}

/* As end_database. */
ENGINE int end_intake(apr_pool_t *p)
{
    batch_store_destroy(engine.store);
    return end_database(p);
}

#endif

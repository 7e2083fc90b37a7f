/*
 * The segment behind the one that is applied is read meanwhile: what a worker gets is what is
 * stored, whatever was asked for before; and the worker reads itself what was not read well.
 */
/* needs: database */
#include "intake_fixture.h"

#include "engine/prefetch.h"

#define COUNT 25000

static batch_application_t application;

static void take_in(batch_job_t *job, apr_pool_t *p)
{
    struct source source = {{next_item, rewind_items, NULL, COUNT, NULL, NULL}, NULL, 0, 0};
    batch_resources_request_t request = {.mode = "mixed",
                                         .action = "merge",
                                         .resource = "named",
                                         .atomic = 1,
                                         .has_data = 1,
                                         .count = COUNT};
    apr_array_header_t *errors = apr_array_make(p, 4, sizeof(batch_item_error_t));
    batch_problems_t *problems = batch_problems_make(p);
    batch_error_t err = {0};
    batch_terms_t terms;
    int wanted;

    source.source.baton = &source;
    batch_resources_check(&terms, &wanted, problems, &engine, &request, p);
    is_number(batch_intake(job, errors, &engine, &alice, &terms, &source.source, problems, &err, p),
              APR_SUCCESS, "a batch is taken in");
    is_number(batch_application_make(&application, job, &named, p), APR_SUCCESS,
              "it is understood");
}

static const char *name_of(const batch_item_t *item)
{
    const batch_value_t *value = batch_value_find(item->values, item->value_count, "name");

    return value ? value->value : "no name";
}

/* Takes the segment at a position, and tells its first name. */
static const char *taken(batch_prefetch_t *prefetch, apr_int64_t position, batch_loaded_t *loaded)
{
    return batch_prefetch_take(prefetch, position, 1, loaded) ? name_of(&loaded->items[0])
                                                              : "nothing";
}

static void test_order(apr_pool_t *p)
{
    batch_prefetch_t *prefetch = NULL;
    batch_loaded_t loaded = {0};
    batch_job_t job;
    apr_int64_t position = 0;
    int segments = 0, right = 0;

    take_in(&job, p);
    is_number(batch_pool_make(&loaded.p, p, BATCH_PREFETCH_KEEPS), APR_SUCCESS, "a pool");
    is_number(batch_prefetch_make(&prefetch, &engine, &application, &job, p), APR_SUCCESS,
              "a thread");
    is_string(taken(prefetch, 0, &loaded), "nothing", "nothing was asked for");
    batch_prefetch_start(prefetch, 0);
    while (position < COUNT && batch_prefetch_take(prefetch, position, 1, &loaded)) {
        batch_prefetch_start(prefetch, loaded.first + loaded.count);
        right += loaded.first == position && loaded.items[0].ordinal == position &&
                 loaded.items[loaded.count - 1].ordinal == position + loaded.count - 1;
        position += loaded.count;
        segments++;
    }
    is_number(position, COUNT, "segment behind segment, while the next one is read");
    ok(segments > 1, "there are several: %d", segments);
    is_number(right, segments, "each has its items");
    is_string(taken(prefetch, position, &loaded), "nothing", "behind the last one there is none");
    batch_prefetch_end(prefetch);
}

static void test_others(apr_pool_t *p)
{
    batch_prefetch_t *prefetch = NULL;
    batch_loaded_t loaded = {0};
    batch_job_t job;

    take_in(&job, p);
    is_number(batch_pool_make(&loaded.p, p, BATCH_PREFETCH_KEEPS), APR_SUCCESS, "a pool");
    is_number(batch_prefetch_make(&prefetch, &engine, &application, &job, p), APR_SUCCESS,
              "a thread");
    batch_prefetch_start(prefetch, 0);
    is_string(taken(prefetch, 2000, &loaded), "nothing", "another segment is wanted");
    batch_prefetch_start(prefetch, 0);
    is_string(taken(prefetch, 0, &loaded), "n0", "then the first one");
    batch_prefetch_start(prefetch, COUNT + 7);
    is_string(taken(prefetch, COUNT + 7, &loaded), "nothing", "one that is not there");
    is_string(name_of(&loaded.items[0]), "n0", "what was there stays");
    sql(p, "UPDATE batch_items SET data = 'damaged'");
    batch_prefetch_start(prefetch, 0);
    is_string(taken(prefetch, 0, &loaded), "nothing", "one that is damaged");
    batch_prefetch_start(prefetch, 0);
    batch_prefetch_end(prefetch); /* one is under way */
    batch_prefetch_end(NULL);
}

int main(void)
{
    apr_pool_t *p = begin_intake("prefetch");

    test_order(p);
    test_others(p);
    return end_intake(p);
}

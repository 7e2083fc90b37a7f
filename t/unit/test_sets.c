/*
 * How many items a set has, whoever carries it out, going by what is known of the speed of others.
 */
/* needs: nothing */
#include "store/sets.h"

#include "tap.h"

#include "store/connection.h"

#define ITEMS 4000
#define PACK  ((apr_size_t)64 * 1024)
#define LONG  apr_time_from_sec(3600)

/* A driver that does nothing. */
typedef struct idle {
    batch_sets_t sets;
    batch_tx_t tx;
    batch_pace_t pace;
    apr_size_t pack;
    int is_late;               /* behind the first set most of the time is over */
    int first;                 /* items of the first set */
    int tried;                 /* the transaction has applied a set */
    apr_interval_time_t spent; /* so long ago it began, … */
    apr_interval_time_t left;  /* … and so much of the chunk's time is left */
} idle_t;

static apr_pool_t *pool;

static batch_failure_e build(batch_sets_t *sets, int fresh)
{
    idle_t *idle = (idle_t *)sets;

    (void)fresh;
    sets->pace = &idle->pace;
    sets->pack = idle->pack;
    return BATCH_FAILURE_NONE;
}

static batch_failure_e apply(batch_sets_t *sets, int count)
{
    idle_t *idle = (idle_t *)sets;

    idle->first = idle->first ? idle->first : count;
    sets->begun -= idle->is_late ? 2 * LONG : 0;
    return BATCH_FAILURE_NONE;
}

/*
 * Applies that many items of so many bytes. Before, 100 took 1 ms, `fixed` µs of that whatever
 * their number, and no set was quicker than `least`. Returns how many were done.
 */
static int apply_items(idle_t *idle, int count, apr_size_t length, double fixed, double least)
{
    static const batch_sets_how_t how = {.build = build, .apply = apply};
    static batch_item_t items[ITEMS];
    char *value = apr_palloc(pool, length);
    batch_value_t note = {"note", value, BATCH_KIND_STRING};
    batch_rows_t rows = {.items = items,
                         .count = count,
                         .deadline = apr_time_now() + idle->left,
                         .outcomes = apr_pcalloc(pool, ITEMS * sizeof(batch_row_outcome_t)),
                         .p = pool};
    int i;

    memset(value, 'x', length);
    value[length - 4] = '\0';
    for (i = 0; i < count; i++) {
        items[i].key = "key1";
        items[i].key_length = 4;
        items[i].values = &note;
        items[i].value_count = 1;
    }
    memset(&idle->sets, 0, sizeof(idle->sets));
    memset(&idle->tx, 0, sizeof(idle->tx));
    idle->tx.begun_at = apr_time_now() - idle->spent;
    idle->tx.is_tried = idle->tried;
    idle->sets.magic = BATCH_SETS_MAGIC;
    idle->sets.tx = &idle->tx;
    idle->sets.rows = &rows;
    idle->sets.how = &how;
    idle->pace.rows = 100;
    idle->pace.took = 1000;
    idle->pace.fixed = fixed;
    idle->pace.least = least;
    idle->pace.measured_at = idle->pace.told_apart_at = batch_ticks();
    idle->first = 0;
    return batch_sets_apply(&idle->sets) == APR_SUCCESS ? rows.done : -1;
}

/* A chunk whose time is over before its first set: BEGIN and fence have taken it. */
static void test_overhead(void)
{
    idle_t idle = {.left = -1000, .spent = 20000};

    apply_items(&idle, ITEMS, 1024, 0, 1000);
    ok(idle.first >= 2000, "a set that takes as long again: %d", idle.first);
    idle.left = -30000;
    is_number(apply_items(&idle, ITEMS, 1024, 0, 1000), 1, "but not if there never was any time");
    idle.left = -1000;
    idle.tried = 1;
    is_number(apply_items(&idle, ITEMS, 1024, 0, 1000), 1, "and only the first one");
}

int main(void)
{
    idle_t idle = {.pack = 0, .left = LONG};

    apr_initialize();
    apr_pool_create(&pool, NULL);
    is_number(apply_items(&idle, ITEMS, 1024, 0, 1000), ITEMS, "items");
    is_number(idle.first, ITEMS, "are one set where there is time for all");
    idle.pack = PACK;
    is_number(apply_items(&idle, ITEMS, 1024, 0, 1000), ITEMS, "where larger sets are no quicker");
    is_number(idle.first, 64, "their bytes are what counts");
    is_number(apply_items(&idle, ITEMS, 1024, 800, 1000), ITEMS, "but far from the database");
    is_number(idle.first, 2400, "so many that the way is a small part");
    is_number(apply_items(&idle, ITEMS, 1024, 800, 20), ITEMS, "unless a set has shown");
    is_number(idle.first, 64, "that it is not that far");
    is_number(apply_items(&idle, 100, 2 * PACK, 0, 1000), 100, "items that are larger than a set");
    is_number(idle.first, 1, "are applied one by one");
    idle.is_late = 1;
    is_number(apply_items(&idle, ITEMS, 1024, 0, 1000), ITEMS, "late, but in time for such a set");
    test_overhead();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}

/* The memory that private databases take together: who is blamed for too much. */
/* needs: nothing */
#include <sqlite3.h>

#include "query/share.h"
#include "store/library_memory.h"
#include "tap.h"

#define LIMIT (1024 * 1024)

int main(void)
{
    batch_library_memory_t store = {0, 0};
    void *others, *one, *two;

    sqlite3_initialize();
    others = sqlite3_malloc(3 * LIMIT);
    batch_share_enter();
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD, "what was there before does not count");
    one = sqlite3_malloc(LIMIT / 2);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD, "one within its limit");
    two = sqlite3_malloc(LIMIT);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_MINE, "one past it");
    batch_share_enter();
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD, "two may have as much together");
    one = sqlite3_realloc(one, LIMIT + LIMIT / 2);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_OURS, "past that it may be either of them");
    batch_share_enter();
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD, "three may have more");
    batch_share_leave();
    batch_share_leave();
    is_number(batch_share_look(LIMIT), BATCH_SHARE_MINE, "who is left is to blame");
    sqlite3_free(two);
    sqlite3_free(one);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD, "for what it has, not for what it had");
    batch_share_leave();
    sqlite3_free(others);
    batch_share_enter();
    one = sqlite3_malloc(LIMIT / 2);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD,
              "each time begins with what is there then");
    sqlite3_free(one);
    batch_share_leave();

    /* A connection of the store's: its cache grows while a private database is there. */
    others = sqlite3_malloc(LIMIT);
    batch_library_memory_set(&store, LIMIT, LIMIT);
    batch_share_enter();
    batch_library_memory_set(&store, LIMIT, 4 * LIMIT);
    one = sqlite3_malloc(2 * LIMIT);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD,
              "what a connection may have taken is not its");
    two = sqlite3_malloc(3 * LIMIT);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_MINE, "what none can have taken is");
    sqlite3_free(two);
    batch_library_memory_set(&store, 3 * LIMIT, 3 * LIMIT);
    two = sqlite3_malloc(LIMIT / 2);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD, "what it has taken is known at its end");
    one = sqlite3_realloc(one, 4 * LIMIT);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_MINE, "and so is the rest");
    batch_share_leave();
    sqlite3_free(one);
    sqlite3_free(two);

    /* One that was in a transaction at its beginning is not held against it either. */
    batch_library_memory_set(&store, LIMIT, 8 * LIMIT);
    batch_share_enter();
    batch_library_memory_set(&store, LIMIT, LIMIT);
    one = sqlite3_malloc(LIMIT / 2);
    is_number(batch_share_look(LIMIT), BATCH_SHARE_GOOD, "a transaction that ends takes nothing");
    sqlite3_free(one);
    batch_share_leave();
    sqlite3_free(others);
    batch_library_memory_set(&store, 0, 0);
    return tap_end();
}

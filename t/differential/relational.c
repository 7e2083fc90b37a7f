/* Queries of several forms. */
#include "selects.h"

phrase_t select_condition(maker_t *m, int fuel)
{
    (void)fuel;
    return phrase_column(m, BATCH_QUERY_BOOLEAN);
}

void select_relational(query_t *query, maker_t *m)
{
    select_scan(query, m);
}

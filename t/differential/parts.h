/* What SELECTs of several forms are made of. */
#ifndef BATCH_DIFFERENTIAL_PARTS_H
#define BATCH_DIFFERENTIAL_PARTS_H

#include "selects.h"

/** How deep SELECTs stand in others. */
#define DEEPEST 3

/** An expression without subqueries: some places have none in PostgreSQL. */
phrase_t part_simple(maker_t *m, batch_query_kind_e kind, int fuel);

/** An expression of exactly that kind; for MEMBER a member as it is, or a text. */
phrase_t part_output(maker_t *m, batch_query_kind_e kind, int fuel);

/** The same in PostgreSQL's text: equal members are the same there. */
const char *part_pgsql(maker_t *m, const phrase_t *phrase);

/** ORDER BY with keys that each have a comma behind them. */
const char *part_order(maker_t *m, const char *keys);

/** An aggregate of the scope's rows, as a name of what it gives. */
void part_aggregate(name_t *made, maker_t *m, int fuel);

/** What a window of them gives, in the same way. */
void part_window(name_t *made, maker_t *m, int fuel);

#endif

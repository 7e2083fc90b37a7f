#include "selects.h"

#include <string.h>

#include <apr_strings.h>

#define COUNT(of) ((unsigned)(sizeof(of) / sizeof(*(of))))

/* ---- FROM ------------------------------------------------------------------------------------ */

/* Those with many rows more often than the one with one, and the empty one. */
static const form_t *any_form(maker_t *m)
{
    static const int places[] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 2, 3};

    return &forms[places[choose(m->choices, COUNT(places))]];
}

/* The ways to name a form: its name in quotes, its id, or without quotes where that can be. */
static const char *spelled(maker_t *m, const form_t *form, const char **qualifier)
{
    int bare = !strchr(form->name, ' ') && choose(m->choices, 2);
    const char *name = SAY("\"%s\"", bare || choose(m->choices, 4) ? form->name : form->id);

    *qualifier = name;
    if (bare) {
        *qualifier = name = form->name;
    }
    return name;
}

const form_t *select_form(maker_t *m, source_t *source, const char **ours, const char **pgsql)
{
    const form_t *form = any_form(m);
    const char *qualifier, *name;

    name = spelled(m, form, &qualifier);
    source->table = SAY("q%d", ++m->aliases);
    source->names = names;
    source->count = name_count;
    source->alias = qualifier;
    source->qualified = 0;
    *ours = name;
    *pgsql = SAY("%s AS %s", form->table, source->table);
    if (m->relational || choose(m->choices, 2)) {
        source->alias = SAY("t%d", m->aliases);
        *ours = SAY("%s %s%s", name, choose(m->choices, 2) ? "AS " : "", source->alias);
    }
    return form;
}

/* ---- ORDER BY, LIMIT ------------------------------------------------------------------------- */

const char *select_member_keys(maker_t *m, const char *member, const char *direction,
                               const char *nulls)
{
    return SAY("place(%s) %s NULLS %s, "
               "CASE jsonb_typeof(%s) WHEN 'number' THEN num(%s) END %s NULLS LAST, "
               "CASE place(%s) WHEN 2 THEN txt(%s) END COLLATE \"C\" %s NULLS LAST, "
               "CASE jsonb_typeof(%s) WHEN 'boolean' THEN truth(%s) END %s NULLS LAST",
               member, direction, nulls, member, member, direction, member, member, direction,
               member, member, direction);
}

void select_order(tail_t *tail, maker_t *m, int fuel)
{
    int count = (int)choose(m->choices, 3), i;

    for (i = 0; i < count; i++) {
        batch_query_kind_e kind = phrase_kind(m);
        phrase_t key = phrase_make(m, kind, fuel);
        int descending = chance(m->choices, 2), first = descending;
        const char *direction = descending ? "DESC" : choose(m->choices, 2) ? "ASC" : "";
        const char *nulls = "";

        if (key.constant) {
            key = phrase_column(m, kind);
        }
        if (key.constant || (key.state != STATE_TYPED && key.state != STATE_BARE)) {
            key = phrase_cast(m, &key, kind);
        }
        if (chance(m->choices, 2)) {
            first = chance(m->choices, 2);
            nulls = first ? " NULLS FIRST" : " NULLS LAST";
        }
        tail->ours =
            SAY("%s %s %s %s%s", tail->ours, i ? "," : "ORDER BY", key.ours, direction, nulls);
        direction = descending ? "DESC" : "ASC";
        tail->order =
            SAY("%s%s, ", tail->order,
                key.state == STATE_BARE
                    ? select_member_keys(m, key.pgsql, direction, first ? "FIRST" : "LAST")
                    : SAY("%s %s NULLS %s", phrase_compared(m, &key, key.kind), direction,
                          first ? "FIRST" : "LAST"));
    }
}

void select_limit(tail_t *tail, maker_t *m)
{
    int limit = choose(m->choices, 3) ? (int)choose(m->choices, 20) : -1;
    int offset = chance(m->choices, 3) ? (int)choose(m->choices, 8) : -1;

    tail->limit = "";
    if (limit >= 0) {
        tail->ours = m->relational && chance(m->choices, 4)
                         ? SAY("%s FETCH FIRST %d ROWS ONLY", tail->ours, limit)
                         : SAY("%s LIMIT %d", tail->ours, limit);
        tail->limit = SAY(" LIMIT %d", limit);
    }
    if (offset >= 0) {
        tail->ours = SAY("%s OFFSET %d", tail->ours, offset);
        tail->limit = SAY("%s OFFSET %d", tail->limit, offset);
    }
}

/* ---- One form -------------------------------------------------------------------------------- */

/* What is selected as the id. */
static phrase_t selected_id(maker_t *m, const source_t *source)
{
    phrase_t id = {
        "_record_id", SAY("%s.id", source->table), BATCH_QUERY_TEXT, LEVEL_ATOM, STATE_TYPED, 0, 0};
    phrase_t other;

    if (!chance(m->choices, 8)) {
        if (source->alias && chance(m->choices, 4)) {
            id.ours = SAY("%s._record_id", source->alias);
        }
        return id;
    }
    other = phrase_make(m, phrase_kind(m), 1);
    if (other.constant) {
        return id;
    }
    id.ours = SAY("NULLIF(SUBSTR(CAST(%s AS TEXT), 1, 40), '')", other.ours);
    id.pgsql = SAY("nullif(substr(%s, 1, 40), '')", phrase_as(m, &other, BATCH_QUERY_TEXT));
    id.level = LEVEL_NONE; /* not the record's own */
    return id;
}

static const char *wrapped(maker_t *m, const char *pgsql)
{
    return SAY("SELECT DISTINCT id COLLATE \"C\" AS id FROM (%s) AS s WHERE id IS NOT NULL "
               "ORDER BY 1",
               pgsql);
}

/*
 * The same with something around or beside it that changes nothing, but needs the other way. head:
 * up to FROM; all that it gives is the id.
 */
static const char *variant(maker_t *m, const char *head, const phrase_t *condition,
                           const tail_t *tail, int only_id)
{
    const char *inner = SAY("%s WHERE %s%s", head, condition->ours, tail->ours);
    const char *in_and =
        condition->level <= LEVEL_OR ? SAY("(%s)", condition->ours) : condition->ours;
    unsigned which = choose(m->choices, 5);

    if (which == 1) {
        return SAY("SELECT id FROM (%s) AS v", inner);
    }
    if (which == 2) {
        return SAY("WITH v AS (%s) SELECT v.id FROM v", inner);
    }
    if (which == 3 && only_id) {
        return SAY("(%s) UNION ALL SELECT _record_id FROM \"Empty Form\"", inner);
    }
    if (which == 4 && !*tail->limit) {
        return SAY("%s CROSS JOIN (SELECT _record_id AS nothing FROM one) AS v WHERE %s%s", head,
                   condition->ours, tail->ours);
    }
    return SAY("%s WHERE %s AND EXISTS (SELECT 1 FROM \"Hydrants\")%s", head, in_and, tail->ours);
}

static void select_predicate(query_t *query, maker_t *m, scope_t *scope, int fuel)
{
    const form_t *form = any_form(m);
    tail_t tail = {"", "", ""};
    phrase_t condition;

    scope->sources[0].table = "q0";
    scope->sources[0].names = names;
    scope->sources[0].count = name_count;
    scope->count = 1;
    condition = phrase_condition(m, fuel);
    if (chance(m->choices, 4)) {
        select_order(&tail, m, 1);
        select_limit(&tail, m);
    }
    query->form_id = form->id;
    query->ours = SAY("%s%s", condition.ours, tail.ours);
    query->variant =
        variant(m, SAY("SELECT _record_id AS id FROM \"%s\"", form->name), &condition, &tail, 1);
    query->pgsql = wrapped(m, SAY("SELECT q0.id FROM %s AS q0 WHERE %s ORDER BY %sq0.id COLLATE "
                                  "\"C\"%s",
                                  form->table, phrase_as(m, &condition, BATCH_QUERY_BOOLEAN),
                                  tail.order, tail.limit));
}

/* What is selected decides the order where ORDER BY does not. */
static const char *distinct(maker_t *m, const char *id, const char *from, const char *condition,
                            const tail_t *tail)
{
    return SAY("SELECT id FROM (SELECT DISTINCT %s AS id FROM %s WHERE %s) AS d "
               "ORDER BY %sid COLLATE \"C\" NULLS LAST%s",
               id, from, condition, tail->order, tail->limit);
}

void select_scan(query_t *query, maker_t *m)
{
    scope_t scope = {.count = 0};
    int fuel = 1 + (int)choose(m->choices, 4), is_distinct, only_id = 1;
    tail_t tail = {"", "", ""};
    phrase_t condition, id;
    const char *from, *table, *items, *pgsql;

    m->scope = &scope;
    if (!chance(m->choices, 3)) {
        select_predicate(query, m, &scope, fuel);
        return;
    }
    scope.count = 1;
    select_form(m, &scope.sources[0], &from, &table);
    id = selected_id(m, &scope.sources[0]);
    condition = phrase_condition(m, fuel);
    items = SAY("%s AS id", id.ours);
    is_distinct = chance(m->choices, 6);
    if (!is_distinct && chance(m->choices, 6)) {
        phrase_t other = phrase_make(m, phrase_kind(m), 1);

        items = SAY("%s AS other, %s AS id", other.ours, id.ours);
        only_id = 0;
    }
    if (!is_distinct) {
        select_order(&tail, m, 1);
    } else if (chance(m->choices, 2)) {
        tail.ours = chance(m->choices, 2) ? " ORDER BY id DESC" : " ORDER BY 1";
        tail.order = strstr(tail.ours, "DESC") ? "id COLLATE \"C\" DESC NULLS FIRST, "
                                               : "id COLLATE \"C\" NULLS LAST, ";
    }
    select_limit(&tail, m);
    query->form_id = forms[choose(m->choices, (unsigned)form_count)].id;
    items = SAY("SELECT %s%s FROM %s", is_distinct ? "DISTINCT " : "", items, from);
    query->ours = SAY("%s WHERE %s%s", items, condition.ours, tail.ours);
    query->variant = variant(m, items, &condition, &tail, only_id);
    pgsql = phrase_as(m, &condition, BATCH_QUERY_BOOLEAN);
    query->pgsql =
        wrapped(m, is_distinct && id.level == LEVEL_NONE
                       ? distinct(m, id.pgsql, table, pgsql, &tail)
                       : SAY("SELECT %s AS id FROM %s WHERE %s ORDER BY %sq1.id COLLATE \"C\"%s",
                             id.pgsql, table, pgsql, tail.order, tail.limit));
}

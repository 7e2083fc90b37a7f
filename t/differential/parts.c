/* What SELECTs of several forms are made of: their outputs, aggregates and windows. */
#include "parts.h"

#include <string.h>

#include <apr_strings.h>

#define COUNT(of) ((unsigned)(sizeof(of) / sizeof(*(of))))

/* ---- Outputs --------------------------------------------------------------------------------- */

/* Without what could be a subquery: some places have none in PostgreSQL. */
phrase_t part_simple(maker_t *m, batch_query_kind_e kind, int fuel)
{
    int depth = m->depth;
    phrase_t phrase;

    m->depth = DEEPEST;
    phrase = kind == BATCH_QUERY_BOOLEAN ? phrase_condition(m, fuel) : phrase_make(m, kind, fuel);
    m->depth = depth;
    return phrase;
}

/* Of exactly that kind, or a member as it is. */
phrase_t part_output(maker_t *m, batch_query_kind_e kind, int fuel)
{
    phrase_t phrase = phrase_make(m, kind == BATCH_QUERY_MEMBER ? BATCH_QUERY_TEXT : kind, fuel);

    if (kind == BATCH_QUERY_MEMBER) {
        while (phrase.state != STATE_BARE) {
            phrase = phrase_make(m, BATCH_QUERY_TEXT, 0);
            if (phrase.state != STATE_BARE && !choose(m->choices, 4)) {
                return phrase_typed(m, BATCH_QUERY_TEXT, 0);
            }
        }
        return phrase;
    }
    return phrase.state == STATE_TYPED && phrase.kind == kind ? phrase
                                                              : phrase_cast(m, &phrase, kind);
}

const char *part_pgsql(maker_t *m, const phrase_t *phrase)
{
    return phrase->state == STATE_BARE ? SAY("canon(%s)", phrase->pgsql) : phrase->pgsql;
}

/* ---- Aggregates and windows ------------------------------------------------------------------ */

/* The order of all rows, by the ids of all forms, and all outputs of the others. */
static void total_order(tail_t *tail, maker_t *m, const scope_t *scope)
{
    int i, j;

    for (i = 0; i < scope->count; i++) {
        const source_t *source = &scope->sources[i];
        int count = source->names == names ? 1 : source->count;

        for (j = 0; source->table && j < count; j++) {
            const name_t *name = &source->names[j];
            phrase_t key = {name->name,
                            SAY("%s.%s", source->table, name->pgsql),
                            name->kind,
                            LEVEL_ATOM,
                            STATE_TYPED,
                            0,
                            0};

            tail->ours =
                SAY("%s%s%s%s%s", tail->ours, *tail->ours ? ", " : " ORDER BY ",
                    source->alias ? source->alias : "", source->alias ? "." : "", name->name);
            tail->order = SAY("%s%s, ", tail->order,
                              name->kind == BATCH_QUERY_MEMBER
                                  ? select_member_keys(m, key.pgsql, "ASC", "LAST")
                                  : SAY("%s NULLS LAST", phrase_compared(m, &key, key.kind)));
        }
    }
}

const char *part_order(maker_t *m, const char *keys)
{
    return *keys ? SAY(" ORDER BY %s", apr_pstrndup(m->p, keys, strlen(keys) - 2)) : "";
}

typedef struct call {
    const char *ours; /* before the parenthesis that closes is what stands in it */
    const char *pgsql;
    batch_query_kind_e kind;
    int takes_distinct;
    const char *wrap; /* PostgreSQL's: around all, with %s */
} call_t;

/* sum, avg, min, max, count, bool_and, bool_or of something, in both languages. */
static void aggregate_call(call_t *call, maker_t *m, int fuel)
{
    static const batch_query_kind_e comparable[] = {BATCH_QUERY_TEXT, BATCH_QUERY_NUMBER,
                                                    BATCH_QUERY_TIMESTAMP, BATCH_QUERY_INTEGER,
                                                    BATCH_QUERY_DATE};
    unsigned which = choose(m->choices, 8);
    batch_query_kind_e kind;
    const char *name;
    phrase_t a;

    call->wrap = "%s";
    call->takes_distinct = 0;
    if (which == 0) {
        call->ours = "COUNT(*";
        call->pgsql = "count(*";
        call->kind = BATCH_QUERY_INTEGER;
    } else if (which == 1) {
        a = part_simple(m, phrase_kind(m), fuel);
        if (a.state != STATE_TYPED && a.state != STATE_BARE) {
            a = phrase_cast(m, &a, a.kind);
        }
        call->ours = SAY("COUNT(%s", a.ours);
        call->pgsql = SAY("count(%s", a.state == STATE_BARE ? SAY("canon(%s)", a.pgsql) : a.pgsql);
        call->kind = BATCH_QUERY_INTEGER;
        call->takes_distinct = 1;
    } else if (which < 5) {
        a = part_simple(m, choose(m->choices, 2) ? BATCH_QUERY_NUMBER : BATCH_QUERY_INTEGER, fuel);
        name = which == 4 ? "AVG" : choose(m->choices, 5) ? "SUM" : "TOTAL";
        call->ours = SAY("%s(%s", name, a.ours);
        call->pgsql =
            SAY("%s(%s", which == 4 ? "mean" : "sum", phrase_as(m, &a, BATCH_QUERY_NUMBER));
        call->kind = BATCH_QUERY_NUMBER;
        call->wrap = *name == 'T' ? "total_of(%s)" : which == 4 ? "%s" : "number(%s)";
        call->takes_distinct = 1;
    } else if (which < 7) {
        kind = comparable[choose(m->choices, COUNT(comparable))];
        a = part_simple(m, kind, fuel);
        if (a.state != STATE_TYPED) {
            a = phrase_cast(m, &a, kind);
        }
        name = which == 5 ? "MIN" : "MAX";
        call->ours = SAY("%s(%s", name, a.ours);
        call->pgsql = SAY("%s(%s", name, phrase_compared(m, &a, a.kind));
        call->kind = a.kind;
        call->takes_distinct = 1;
    } else {
        a = part_simple(m, BATCH_QUERY_BOOLEAN, fuel);
        name = choose(m->choices, 2) ? "BOOL_OR" : "BOOL_AND";
        call->ours = SAY("%s(%s", name, a.ours);
        call->pgsql = SAY("%s(%s", name, phrase_as(m, &a, BATCH_QUERY_BOOLEAN));
        call->kind = BATCH_QUERY_BOOLEAN;
    }
}

static const char *with_distinct(maker_t *m, const char *call)
{
    const char *parenthesis = strchr(call, '(') + 1;

    return SAY("%.*sDISTINCT %s", (int)(parenthesis - call), call, parenthesis);
}

void part_aggregate(name_t *made, maker_t *m, int fuel)
{
    const char *ours_tail = ")", *pgsql_tail = ")";
    call_t call;

    aggregate_call(&call, m, fuel);
    if (call.takes_distinct && chance(m->choices, 4)) {
        call.ours = with_distinct(m, call.ours);
        call.pgsql = with_distinct(m, call.pgsql);
    }
    if (chance(m->choices, 4)) {
        phrase_t filter = part_simple(m, BATCH_QUERY_BOOLEAN, fuel);

        ours_tail = SAY(") FILTER (WHERE %s)", filter.ours);
        pgsql_tail = SAY(") FILTER (WHERE %s)", phrase_as(m, &filter, BATCH_QUERY_BOOLEAN));
    }
    made->name = SAY("%s%s", call.ours, ours_tail);
    made->pgsql = SAY(call.wrap, SAY("%s%s", call.pgsql, pgsql_tail));
    made->kind = call.kind;
}

/* What a window computes that no group does. */
static void window_call(call_t *call, maker_t *m, int fuel, int *needs_total)
{
    static const char *const numbers[] = {"ROW_NUMBER(", "RANK(", "DENSE_RANK("};
    static const char *const values[] = {"FIRST_VALUE(", "LAST_VALUE(", "LAG(", "LEAD(",
                                         "NTH_VALUE("};
    unsigned which = choose(m->choices, 8);
    batch_query_kind_e kind;
    const char *rest = "";
    phrase_t a;

    call->wrap = "%s";
    call->kind = BATCH_QUERY_INTEGER;
    *needs_total = 1;
    if (which < 3) {
        call->ours = call->pgsql = numbers[which];
        *needs_total = which == 0;
    } else if (which == 3) {
        call->ours = SAY("NTILE(%u", 1 + choose(m->choices, 5));
        call->pgsql = call->ours;
        call->wrap = "(%s)::bigint";
    } else {
        kind = phrase_kind(m);
        a = part_simple(m, kind, fuel);
        a = a.state == STATE_TYPED ? a : phrase_cast(m, &a, kind);
        which = choose(m->choices, COUNT(values));
        rest = which == 4 ? SAY(", %u", 1 + choose(m->choices, 3))
               : (which == 2 || which == 3) && chance(m->choices, 2)
                   ? SAY(", %u", choose(m->choices, 4))
                   : "";
        call->ours = SAY("%s%s%s", values[which], a.ours, rest);
        call->pgsql = SAY("%s%s%s", values[which], a.pgsql, rest);
        call->kind = a.kind;
    }
}

void part_window(name_t *made, maker_t *m, int fuel)
{
    static const char *const frames[] = {
        "",
        "",
        " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
        " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
        " ROWS BETWEEN CURRENT ROW AND 3 FOLLOWING",
        " ROWS UNBOUNDED PRECEDING",
        " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
        " ROWS 1 PRECEDING"};
    const char *frame = frames[choose(m->choices, COUNT(frames))];
    tail_t tail = {"", "", ""};
    const char *ours = "", *pgsql = "";
    int needs_total = 1, depth = m->depth;
    call_t call;

    if (choose(m->choices, 2)) {
        window_call(&call, m, fuel, &needs_total);
    } else {
        aggregate_call(&call, m, fuel);
    }
    m->depth = DEEPEST;
    if (choose(m->choices, 2)) {
        phrase_t key =
            part_output(m, choose(m->choices, 3) ? phrase_kind(m) : BATCH_QUERY_MEMBER, 0);

        ours = SAY("PARTITION BY %s", key.ours);
        pgsql = SAY("PARTITION BY %s", part_pgsql(m, &key));
    }
    select_order(&tail, m, 0);
    m->depth = depth;
    if (needs_total || choose(m->choices, 2)) {
        total_order(&tail, m, m->scope);
    }
    made->name = SAY("%s) OVER (%s%s%s)", call.ours, ours, tail.ours, frame);
    made->pgsql = SAY(
        call.wrap, SAY("%s) OVER (%s%s%s)", call.pgsql, pgsql, part_order(m, tail.order), frame));
    made->kind = call.kind;
}

/* Conditions: whatever is true, false or null. */
#include "phrases.h"

#include <string.h>

#include <apr_strings.h>

#define COUNT(of) ((unsigned)(sizeof(of) / sizeof(*(of))))

static phrase_t truth(const char *ours, const char *pgsql, level_e level)
{
    phrase_t phrase = {ours, pgsql, BATCH_QUERY_BOOLEAN, level, STATE_TYPED, 0, 0};

    return phrase;
}

static phrase_t comparison(maker_t *m, int fuel)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    batch_query_kind_e kind = phrase_kind(m);
    unsigned op = choose(m->choices, COUNT(ops)); /* the first one selects least */
    phrase_t sides[2], swap;

    sides[0] = phrase_column(m, kind);
    if (choose(m->choices, 2)) {
        sides[0] = phrase_make(m, kind, fuel - 1);
    }
    sides[1] = phrase_make(m, kind, fuel - 1);
    if (chance(m->choices, 4)) {
        swap = sides[0], sides[0] = sides[1], sides[1] = swap;
    }
    if (m->relational && sides[0].state == STATE_BARE && sides[1].state == STATE_BARE) {
        return truth(SAY("%s %s %s", phrase_in(m, &sides[0], LEVEL_COMPARE + 1), ops[op],
                         phrase_in(m, &sides[1], LEVEL_COMPARE + 1)),
                     SAY("(member_order(%s, %s) %s 0)", sides[0].pgsql, sides[1].pgsql, ops[op]),
                     LEVEL_COMPARE);
    }
    kind = phrase_settle(m, sides, 2, kind, op > 1);
    return truth(SAY("%s %s %s", phrase_in(m, &sides[0], LEVEL_COMPARE + 1),
                     op == 1 && choose(m->choices, 2) ? "!=" : ops[op],
                     phrase_in(m, &sides[1], LEVEL_COMPARE + 1)),
                 SAY("(%s %s %s)", phrase_compared(m, &sides[0], kind), ops[op],
                     phrase_compared(m, &sides[1], kind)),
                 LEVEL_COMPARE);
}

static phrase_t between(maker_t *m, int fuel)
{
    batch_query_kind_e kind = phrase_kind(m);
    const char *not = chance(m->choices, 3) ? "NOT " : "";
    phrase_t parts[3];
    int i;

    for (i = 0; i < 3; i++) {
        parts[i] = phrase_make(m, kind, fuel - 1);
    }
    kind = phrase_settle(m, parts, 3, kind, 1);
    return truth(SAY("%s %sBETWEEN %s AND %s", phrase_in(m, &parts[0], LEVEL_LIKE + 1), not,
                     phrase_in(m, &parts[1], LEVEL_LIKE + 1),
                     phrase_in(m, &parts[2], LEVEL_LIKE + 1)),
                 SAY("(%s %sBETWEEN %s AND %s)", phrase_compared(m, &parts[0], kind), not,
                     phrase_compared(m, &parts[1], kind), phrase_compared(m, &parts[2], kind)),
                 LEVEL_LIKE);
}

static phrase_t in(maker_t *m, int fuel)
{
    batch_query_kind_e kind = phrase_kind(m);
    const char *not = chance(m->choices, 3) ? "NOT " : "", *ours = "", *pgsql = "";
    int count = 2 + (int)choose(m->choices, 6), i;
    int constants = choose(m->choices, 2);
    phrase_t parts[8];

    for (i = 0; i < count; i++) {
        parts[i] = phrase_make(m, kind, i && !constants ? 0 : fuel - 1);
    }
    kind = phrase_settle(m, parts, count, kind, 0);
    for (i = 1; i < count; i++) {
        ours = SAY("%s%s%s", ours, i > 1 ? ", " : "", parts[i].ours);
        pgsql = SAY("%s%s%s", pgsql, i > 1 ? ", " : "", phrase_compared(m, &parts[i], kind));
    }
    return truth(SAY("%s %sIN (%s)", phrase_in(m, &parts[0], LEVEL_LIKE + 1), not, ours),
                 SAY("(%s %sIN (%s))", phrase_compared(m, &parts[0], kind), not, pgsql),
                 LEVEL_LIKE);
}

static phrase_t like(maker_t *m, int fuel)
{
    static const struct {
        const char *pattern;
        const char *escape; /* NULL: none is said */
    } patterns[] = {{"good%", NULL}, {"%", NULL},       {"_", NULL},        {"%o%", NULL},
                    {"a\\_b", NULL}, {"100\\%", NULL},  {"a!_b", "!"},      {"1%!%", "!"},
                    {"a_b", NULL},   {"%b%", NULL},     {"%\\\\%", NULL},   {"%\\%", ""},
                    {"%ß%", NULL},   {"ä%", NULL},      {"привет", NULL},   {"%ab%ab%", NULL},
                    {"Bay %", NULL}, {"%_%_%_%", NULL}, {"日_語", NULL},    {"", NULL},
                    {"%😀%", NULL},   {"x_y", NULL},     {"%a%b%a%b", NULL}, {"gä%%ä_o%", "ä"}};
    const char *not = chance(m->choices, 3) ? "NOT " : "";
    const char *escape = NULL, *tail = "";
    int any_case = chance(m->choices, 2);
    phrase_t a = phrase_make(m, BATCH_QUERY_TEXT, fuel - 1), b;
    unsigned which = choose(m->choices, COUNT(patterns) + 4);

    if (which < COUNT(patterns)) {
        phrase_t pattern = {SAY("'%s'", patterns[which].pattern),
                            "",
                            BATCH_QUERY_TEXT,
                            LEVEL_ATOM,
                            STATE_LITERAL,
                            1,
                            0};

        b = pattern;
        b.pgsql = b.ours;
        escape = patterns[which].escape;
    } else {
        phrase_t part = phrase_column(m, BATCH_QUERY_TEXT);

        /* Patterns must not be that long; there may be no other column. */
        for (int tries = 0; tries < 20 && strstr(part.ours, "notes"); tries++) {
            part = phrase_column(m, BATCH_QUERY_TEXT);
        }
        if (strstr(part.ours, "notes")) {
            part = phrase_constant(m, BATCH_QUERY_TEXT);
        }
        b = part;
        b.ours = SAY("%s || '%%'", phrase_in(m, &part, LEVEL_CONCAT));
        b.pgsql = SAY("(%s || '%%')", phrase_as(m, &part, BATCH_QUERY_TEXT));
        b.state = STATE_TYPED;
        b.kind = BATCH_QUERY_TEXT;
        b.level = LEVEL_CONCAT;
    }
    if (escape) {
        tail = SAY(" ESCAPE '%s'", escape);
    }
    return truth(SAY("%s %s%s %s%s", phrase_in(m, &a, LEVEL_LIKE + 1), not,
                     any_case ? "ILIKE" : "LIKE", phrase_in(m, &b, LEVEL_LIKE + 1), tail),
                 SAY("(%sfits_pattern(%s, %s, '%s', %s))", not, phrase_as(m, &a, BATCH_QUERY_TEXT),
                     phrase_as(m, &b, BATCH_QUERY_TEXT), escape ? escape : "\\",
                     any_case ? "true" : "false"),
                 LEVEL_LIKE);
}

static phrase_t is_null(maker_t *m, int fuel)
{
    const char *not = chance(m->choices, 2) ? "NOT " : "";
    phrase_t a = phrase_make(m, phrase_kind(m), fuel - 1);

    if (a.state == STATE_BARE) {
        return truth(SAY("%s IS %sNULL", phrase_in(m, &a, LEVEL_IS + 1), not ),
                     SAY("(%sthere(%s))", *not ? "" : "NOT ", a.pgsql), LEVEL_IS);
    }
    if (a.state != STATE_TYPED) {
        a = phrase_cast(m, &a, a.kind);
    }
    return truth(SAY("%s IS %sNULL", phrase_in(m, &a, LEVEL_IS + 1), not ),
                 SAY("(%s IS %sNULL)", a.pgsql, not ), LEVEL_IS);
}

static phrase_t is_truth(maker_t *m, int fuel)
{
    static const char *const words[] = {"TRUE", "FALSE", "UNKNOWN"};
    const char *word = words[choose(m->choices, 3)];
    const char *not = chance(m->choices, 2) ? "NOT " : "";
    phrase_t a = phrase_make(m, BATCH_QUERY_BOOLEAN, fuel);

    return truth(SAY("%s IS %s%s", phrase_in(m, &a, LEVEL_IS + 1), not, word),
                 SAY("(%s IS %s%s)", phrase_as(m, &a, BATCH_QUERY_BOOLEAN), not, word), LEVEL_IS);
}

static phrase_t distinct(maker_t *m, int fuel)
{
    batch_query_kind_e kind = phrase_kind(m);
    const char *not = chance(m->choices, 2) ? "NOT " : "";
    phrase_t sides[2];

    sides[0] = phrase_make(m, kind, fuel - 1);
    sides[1] = phrase_make(m, kind, fuel - 1);
    kind = phrase_settle(m, sides, 2, kind, 0);
    return truth(SAY("%s IS %sDISTINCT FROM %s", phrase_in(m, &sides[0], LEVEL_IS + 1), not,
                     phrase_in(m, &sides[1], LEVEL_IS + 1)),
                 SAY("(%s IS %sDISTINCT FROM %s)", phrase_compared(m, &sides[0], kind), not,
                     phrase_compared(m, &sides[1], kind)),
                 LEVEL_IS);
}

static phrase_t chain(maker_t *m, int fuel, int is_or)
{
    level_e level = is_or ? LEVEL_OR : LEVEL_AND;
    phrase_t a = phrase_condition(m, fuel - 1), b = phrase_condition(m, fuel - 1);
    const char *op = is_or ? "OR" : "AND";

    return truth(SAY("%s %s %s", phrase_in(m, &a, level), op, phrase_in(m, &b, level + 1)),
                 SAY("(%s %s %s)", phrase_as(m, &a, BATCH_QUERY_BOOLEAN), op,
                     phrase_as(m, &b, BATCH_QUERY_BOOLEAN)),
                 level);
}

static phrase_t not(maker_t * m, int fuel)
{
    phrase_t a = phrase_condition(m, fuel - 1);

    return truth(SAY("NOT %s", phrase_in(m, &a, LEVEL_NOT)),
                 SAY("(NOT %s)", phrase_as(m, &a, BATCH_QUERY_BOOLEAN)), LEVEL_NOT);
}

/* A time and now: what is near neither of them. */
static phrase_t now(maker_t *m)
{
    static const char *const intervals[] = {"90 days", "1 year", "10 years", "12 hours"};
    static const char *const nows[] = {"now()", "current_timestamp", "CURRENT_DATE"};
    const char *interval = intervals[choose(m->choices, COUNT(intervals))];
    const char *word = nows[choose(m->choices, COUNT(nows))];
    phrase_t sides[1];

    sides[0] = phrase_typed(m, BATCH_QUERY_TIMESTAMP, 0);
    return truth(
        SAY("%s < %s - interval '%s'", phrase_in(m, &sides[0], LEVEL_COMPARE + 1), word, interval),
        SAY("(%s < %s - interval '%s')", phrase_as(m, &sides[0], BATCH_QUERY_TIMESTAMP), word,
            interval),
        LEVEL_COMPARE);
}

phrase_t phrase_condition(maker_t *m, int fuel)
{
    switch (choose(m->choices, fuel > 0 ? 20 : 4)) {
    case 1:
        return phrase_column(m, BATCH_QUERY_BOOLEAN);
    case 4:
    case 14:
        return chain(m, fuel, 0);
    case 5:
    case 15:
    case 16:
        return chain(m, fuel, 1);
    case 6:
        return not(m, fuel);
    case 7:
        return is_null(m, fuel);
    case 8:
        return is_truth(m, fuel);
    case 9:
        return between(m, fuel);
    case 10:
        return in(m, fuel);
    case 11:
        return like(m, fuel);
    case 12:
        return distinct(m, fuel);
    case 17:
        return phrase_listed(m, fuel);
    case 13:
        return select_is_allowed(m) && choose(m->choices, 4) ? select_condition(m, fuel) : now(m);
    default:
        return comparison(m, fuel);
    }
}

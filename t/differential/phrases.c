#include "phrases.h"

#include <apr_strings.h>

#define COUNT(of) ((unsigned)(sizeof(of) / sizeof(*(of))))

static phrase_t typed(const char *ours, const char *pgsql, batch_query_kind_e kind, level_e level)
{
    phrase_t phrase = {ours, pgsql, kind, level, STATE_TYPED, 0, 0};

    return phrase;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

const char *phrase_in(maker_t *m, const phrase_t *phrase, level_e level)
{
    return phrase->level < level || chance(m->choices, 10) ? SAY("(%s)", phrase->ours)
                                                           : phrase->ours;
}

static const char *pgsql_type(batch_query_kind_e kind)
{
    static const char *const types[] = {"text", "boolean", "bigint",      "numeric",
                                        "text", "date",    "timestamptz", "interval"};

    return types[kind];
}

static const char *reading(batch_query_kind_e kind)
{
    static const char *const readings[] = {"txt", "truth", "whole", "num", "txt", "dat", "tim"};

    return readings[kind];
}

const char *phrase_as(maker_t *m, const phrase_t *phrase, batch_query_kind_e kind)
{
    switch (phrase->state) {
    case STATE_NULL:
        return SAY("NULL::%s", pgsql_type(kind));
    case STATE_BARE:
        return SAY("%s(%s)", reading(kind), phrase->pgsql);
    case STATE_LITERAL:
        return kind == BATCH_QUERY_TEXT      ? SAY("%s::text", phrase->pgsql)
               : kind == BATCH_QUERY_INTEGER ? SAY("text_integer(%s)", phrase->pgsql)
               : kind == BATCH_QUERY_NUMBER  ? SAY("text_number(%s)", phrase->pgsql)
               : kind == BATCH_QUERY_BOOLEAN ? SAY("text_boolean(%s)", phrase->pgsql)
               : kind == BATCH_QUERY_DATE    ? SAY("text_date(%s)", phrase->pgsql)
                                             : SAY("text_time(%s)", phrase->pgsql);
    default:
        break;
    }
    if (phrase->kind == kind) {
        return phrase->pgsql;
    }
    return kind == BATCH_QUERY_TEXT && phrase->kind == BATCH_QUERY_NUMBER
               ? SAY("number_text(%s)", phrase->pgsql)
           : kind == BATCH_QUERY_TEXT && phrase->kind == BATCH_QUERY_TIMESTAMP
               ? SAY("time_text(%s)", phrase->pgsql)
           : kind == BATCH_QUERY_INTEGER && phrase->kind == BATCH_QUERY_NUMBER
               ? SAY("number_integer(%s)", phrase->pgsql)
           : kind == BATCH_QUERY_INTEGER && phrase->kind == BATCH_QUERY_BOOLEAN
               ? SAY("(%s)::int::bigint", phrase->pgsql)
           : kind == BATCH_QUERY_BOOLEAN && phrase->kind == BATCH_QUERY_INTEGER
               ? SAY("(%s <> 0)", phrase->pgsql)
           : phrase->kind == BATCH_QUERY_TEXT && kind != BATCH_QUERY_TEXT
               ? SAY("text_%s(%s)",
                     kind == BATCH_QUERY_INTEGER   ? "integer"
                     : kind == BATCH_QUERY_NUMBER  ? "number"
                     : kind == BATCH_QUERY_BOOLEAN ? "boolean"
                     : kind == BATCH_QUERY_DATE    ? "date"
                                                   : "time",
                     phrase->pgsql)
               : SAY("(%s)::%s", phrase->pgsql, pgsql_type(kind));
}

const char *phrase_compared(maker_t *m, const phrase_t *phrase, batch_query_kind_e kind)
{
    const char *text = phrase_as(m, phrase, kind);

    return kind == BATCH_QUERY_TEXT ? SAY("((%s) COLLATE \"C\")", text) : SAY("(%s)", text);
}

phrase_t phrase_cast(maker_t *m, const phrase_t *phrase, batch_query_kind_e kind)
{
    static const char *const names_of[][4] = {
        [BATCH_QUERY_BOOLEAN] = {"boolean", "bool", "boolean", "BOOLEAN"},
        [BATCH_QUERY_INTEGER] = {"integer", "bigint", "int", "int8"},
        [BATCH_QUERY_NUMBER] = {"numeric", "double precision", "float", "decimal"},
        [BATCH_QUERY_TEXT] = {"text", "varchar", "character varying", "text"},
        [BATCH_QUERY_DATE] = {"date", "date", "date", "date"},
        [BATCH_QUERY_TIMESTAMP] = {"timestamptz", "timestamptz", "timestamp with time zone",
                                   "timestamp"}};
    const char *type = names_of[kind][choose(m->choices, 4)], *pgsql = phrase_as(m, phrase, kind);
    phrase_t cast;

    if (kind == BATCH_QUERY_TIMESTAMP && !type[9]) { /* without a zone */
        if (phrase->state == STATE_LITERAL) {
            type = "timestamptz";
        } else if (phrase->state == STATE_BARE ||
                   (phrase->state == STATE_TYPED && phrase->kind == BATCH_QUERY_TEXT)) {
            pgsql = SAY("text_stamp(%s)", phrase_as(m, phrase, BATCH_QUERY_TEXT));
        }
    }

    if (chance(m->choices, 2)) {
        cast =
            typed(SAY("%s::%s", phrase_in(m, phrase, LEVEL_CAST), type), pgsql, kind, LEVEL_CAST);
    } else {
        cast = typed(SAY("CAST(%s AS %s)", phrase->ours, type), pgsql, kind, LEVEL_ATOM);
    }
    cast.constant = phrase->constant;
    return cast;
}

batch_query_kind_e phrase_settle(maker_t *m, phrase_t *phrases, int count, batch_query_kind_e kind,
                                 int ordering)
{
    int states[4] = {0}, integers = 0, times = 0, i;

    for (i = 0; i < count; i++) {
        states[phrases[i].state]++;
        integers += phrases[i].state == STATE_TYPED && phrases[i].kind == BATCH_QUERY_INTEGER;
        times += phrases[i].state == STATE_TYPED && phrases[i].kind == BATCH_QUERY_TIMESTAMP;
    }
    for (i = 0; i < count; i++) {
        if (ordering && states[STATE_BARE] && phrases[i].numeric) {
            phrases[i] = phrase_cast(m, &phrases[i], BATCH_QUERY_TEXT);
            states[STATE_TYPED]++;
        }
    }
    if (!states[STATE_TYPED] && (kind != BATCH_QUERY_TEXT || !states[STATE_LITERAL])) {
        phrases[0] = phrase_cast(m, &phrases[0], kind);
        return kind;
    }
    if (kind == BATCH_QUERY_NUMBER && integers && integers == states[STATE_TYPED] &&
        !states[STATE_BARE]) {
        return BATCH_QUERY_INTEGER;
    }
    if (kind == BATCH_QUERY_TIMESTAMP || kind == BATCH_QUERY_DATE) {
        return times ? BATCH_QUERY_TIMESTAMP : BATCH_QUERY_DATE;
    }
    return kind;
}

/* ---- What every kind has --------------------------------------------------------------------- */

phrase_t phrase_typed(maker_t *m, batch_query_kind_e kind, int fuel)
{
    phrase_t phrase = phrase_make(m, kind, fuel);

    return phrase.state == STATE_TYPED ? phrase : phrase_cast(m, &phrase, kind);
}

static phrase_t not_constant(maker_t *m, batch_query_kind_e kind, int fuel)
{
    phrase_t phrase = phrase_make(m, kind, fuel);

    return phrase.constant ? phrase_column(m, kind) : phrase;
}

static phrase_t coalesce(maker_t *m, batch_query_kind_e kind, int fuel)
{
    phrase_t parts[4];
    int count = 1 + (int)choose(m->choices, 3), i;
    const char *ours = "", *pgsql = "";

    for (i = 0; i < count; i++) {
        parts[i] = phrase_make(m, kind, fuel - 1);
    }
    kind = phrase_settle(m, parts, count, kind, 0);
    for (i = 0; i < count; i++) {
        ours = SAY("%s%s%s", ours, i ? ", " : "", parts[i].ours);
        pgsql = SAY("%s%s%s", pgsql, i ? ", " : "", phrase_as(m, &parts[i], kind));
    }
    return typed(SAY("COALESCE(%s)", ours), SAY("COALESCE(%s)", pgsql), kind, LEVEL_ATOM);
}

static phrase_t nullif(maker_t *m, batch_query_kind_e kind, int fuel)
{
    phrase_t parts[2];

    parts[0] = phrase_make(m, kind, fuel - 1);
    parts[1] = phrase_make(m, kind, fuel - 1);
    kind = phrase_settle(m, parts, 2, kind, 0);
    return typed(
        SAY("NULLIF(%s, %s)", parts[0].ours, parts[1].ours),
        SAY("NULLIF(%s, %s)", phrase_as(m, &parts[0], kind), phrase_compared(m, &parts[1], kind)),
        kind, LEVEL_ATOM);
}

/* CASE with conditions, or with values that one is compared with. */
static phrase_t decision(maker_t *m, batch_query_kind_e kind, int fuel)
{
    phrase_t results[4], whens[4];
    int simple = chance(m->choices, 3), count = 1 + (int)choose(m->choices, 2), i;
    int has_else = chance(m->choices, 2);
    batch_query_kind_e compared = phrase_kind(m);
    const char *ours = "CASE", *pgsql = "(CASE";

    for (i = 0; i < count + has_else; i++) {
        results[i] = phrase_make(m, kind, fuel - 1);
    }
    kind = phrase_settle(m, results, count + has_else, kind, 0);
    for (i = 0; i < count + simple; i++) {
        whens[i] = simple ? phrase_make(m, compared, fuel - 2) : phrase_condition(m, fuel - 2);
    }
    if (simple) {
        compared = phrase_settle(m, whens, count + 1, compared, 0);
        ours = SAY("CASE %s", whens[count].ours);
    }
    for (i = 0; i < count; i++) {
        const char *when = simple ? SAY("%s = %s", phrase_compared(m, &whens[count], compared),
                                        phrase_compared(m, &whens[i], compared))
                                  : phrase_as(m, &whens[i], BATCH_QUERY_BOOLEAN);

        ours = SAY("%s WHEN %s THEN %s", ours, whens[i].ours, results[i].ours);
        pgsql = SAY("%s WHEN %s THEN %s", pgsql, when, phrase_as(m, &results[i], kind));
    }
    if (has_else) {
        ours = SAY("%s ELSE %s", ours, results[count].ours);
        pgsql = SAY("%s ELSE %s", pgsql, phrase_as(m, &results[count], kind));
    }
    return typed(SAY("%s END", ours), SAY("%s END)", pgsql), kind, LEVEL_ATOM);
}

static phrase_t cast_from(maker_t *m, batch_query_kind_e kind, int fuel)
{
    static const batch_query_kind_e froms[][6] = {
        [BATCH_QUERY_BOOLEAN] = {BATCH_QUERY_BOOLEAN, BATCH_QUERY_TEXT, BATCH_QUERY_INTEGER},
        [BATCH_QUERY_INTEGER] = {BATCH_QUERY_NUMBER, BATCH_QUERY_TEXT, BATCH_QUERY_BOOLEAN},
        [BATCH_QUERY_NUMBER] = {BATCH_QUERY_NUMBER, BATCH_QUERY_TEXT, BATCH_QUERY_INTEGER},
        [BATCH_QUERY_TEXT] = {BATCH_QUERY_NUMBER, BATCH_QUERY_INTEGER, BATCH_QUERY_BOOLEAN,
                              BATCH_QUERY_TEXT, BATCH_QUERY_TIMESTAMP, BATCH_QUERY_DATE},
        [BATCH_QUERY_DATE] = {BATCH_QUERY_TIMESTAMP, BATCH_QUERY_TEXT, BATCH_QUERY_DATE},
        [BATCH_QUERY_TIMESTAMP] = {BATCH_QUERY_DATE, BATCH_QUERY_TEXT, BATCH_QUERY_TIMESTAMP}};
    batch_query_kind_e from = froms[kind][choose(m->choices, kind == BATCH_QUERY_TEXT ? 6 : 3)];
    phrase_t phrase = phrase_make(m, from, fuel - 1);

    /* What a string says is to be of the type that it is cast to. */
    if (phrase.constant) {
        phrase = phrase_column(m, from);
        if (phrase.constant) {
            return phrase_constant(m, kind);
        }
    }
    return phrase_cast(m, &phrase, kind);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* Arithmetic is with integers where both are. */
static phrase_t arithmetic(maker_t *m, batch_query_kind_e kind, int fuel)
{
    static const char ops[] = "+-*/%";
    char op = ops[choose(m->choices, 5)];
    level_e level = op == '+' || op == '-' ? LEVEL_SUM : LEVEL_PRODUCT;
    phrase_t a = not_constant(m, kind, fuel - 1), b = phrase_make(m, kind, fuel - 1), swap;

    if (chance(m->choices, 3)) {
        swap = a, a = b, b = swap;
    }
    if (kind == BATCH_QUERY_INTEGER) {
        a = a.state == STATE_TYPED ? a : phrase_cast(m, &a, kind);
        b = b.state == STATE_TYPED ? b : phrase_cast(m, &b, kind);
    } else if (a.state != STATE_TYPED || a.kind != BATCH_QUERY_INTEGER || b.state != STATE_TYPED ||
               b.kind != BATCH_QUERY_INTEGER) {
        kind = BATCH_QUERY_NUMBER;
    } else {
        kind = BATCH_QUERY_INTEGER;
    }
    return typed(SAY("%s %c %s", phrase_in(m, &a, level), op, phrase_in(m, &b, level + 1)),
                 SAY("calc('%c', %s, %s)", op, phrase_as(m, &a, kind), phrase_as(m, &b, kind)),
                 kind, level);
}

static phrase_t negative(maker_t *m, batch_query_kind_e kind, int fuel)
{
    phrase_t a = not_constant(m, kind, fuel - 1);
    const char *operand;

    kind = a.state == STATE_TYPED ? a.kind : BATCH_QUERY_NUMBER;
    if (chance(m->choices, 3)) {
        return typed(SAY("ABS(%s)", a.ours),
                     SAY("(CASE WHEN %s < 0 THEN calc('-', 0::%s, %s) ELSE %s END)",
                         phrase_as(m, &a, kind), pgsql_type(kind), phrase_as(m, &a, kind),
                         phrase_as(m, &a, kind)),
                     kind, LEVEL_ATOM);
    }
    operand = phrase_in(m, &a, LEVEL_SIGN);
    return typed(SAY("-%s%s", *operand == '-' ? " " : "", operand),
                 SAY("calc('-', 0::%s, %s)", pgsql_type(kind), phrase_as(m, &a, kind)), kind,
                 LEVEL_SIGN);
}

static phrase_t length(maker_t *m, int fuel)
{
    phrase_t a = phrase_make(m, BATCH_QUERY_TEXT, fuel - 1);

    return typed(SAY("%s(%s)", choose(m->choices, 2) ? "CHAR_LENGTH" : "LENGTH", a.ours),
                 SAY("length(%s)::bigint", phrase_as(m, &a, BATCH_QUERY_TEXT)), BATCH_QUERY_INTEGER,
                 LEVEL_ATOM);
}

static phrase_t rounded(maker_t *m, int fuel)
{
    phrase_t a = phrase_make(m, BATCH_QUERY_NUMBER, fuel - 1);
    const char *number = phrase_as(m, &a, BATCH_QUERY_NUMBER);
    int places = (int)choose(m->choices, 5) - 1;

    return places < 0
               ? typed(SAY("ROUND(%s)", a.ours), SAY("round_to(%s, 0)", number), BATCH_QUERY_NUMBER,
                       LEVEL_ATOM)
               : typed(SAY("ROUND(%s, %d)", a.ours, places),
                       SAY("round_to(%s, %d)", number, places), BATCH_QUERY_NUMBER, LEVEL_ATOM);
}

static phrase_t integer(maker_t *m, int fuel)
{
    switch (choose(m->choices, 12)) {
    case 0:
    case 1:
    case 9:
    case 10:
    case 11:
        return arithmetic(m, BATCH_QUERY_INTEGER, fuel);
    case 2:
        return negative(m, BATCH_QUERY_INTEGER, fuel);
    case 3:
    case 4:
        return length(m, fuel);
    case 5:
        return coalesce(m, BATCH_QUERY_INTEGER, fuel);
    case 6:
        return nullif(m, BATCH_QUERY_INTEGER, fuel);
    default:
        return cast_from(m, BATCH_QUERY_INTEGER, fuel);
    }
}

static phrase_t number(maker_t *m, int fuel)
{
    switch (choose(m->choices, 11)) {
    case 0:
    case 1:
    case 2:
    case 9:
    case 10:
        return arithmetic(m, BATCH_QUERY_NUMBER, fuel);
    case 3:
        return negative(m, BATCH_QUERY_NUMBER, fuel);
    case 4:
        return rounded(m, fuel);
    case 5:
        return coalesce(m, BATCH_QUERY_NUMBER, fuel);
    case 6:
        return nullif(m, BATCH_QUERY_NUMBER, fuel);
    case 7:
        return phrase_typed(m, BATCH_QUERY_INTEGER, fuel);
    default:
        return cast_from(m, BATCH_QUERY_NUMBER, fuel);
    }
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static phrase_t concatenation(maker_t *m, int fuel)
{
    batch_query_kind_e first = chance(m->choices, 3) ? phrase_kind(m) : BATCH_QUERY_TEXT;
    batch_query_kind_e second = chance(m->choices, 3) ? phrase_kind(m) : BATCH_QUERY_TEXT;
    phrase_t a = phrase_make(m, first, fuel - 1), b = phrase_make(m, second, fuel - 1);

    /* A string beside || is a text. */
    return typed(
        SAY("%s || %s", phrase_in(m, &a, LEVEL_CONCAT), phrase_in(m, &b, LEVEL_CONCAT + 1)),
        SAY("(%s || %s)", phrase_as(m, &a, BATCH_QUERY_TEXT), phrase_as(m, &b, BATCH_QUERY_TEXT)),
        BATCH_QUERY_TEXT, LEVEL_CONCAT);
}

static phrase_t trimmed(maker_t *m, int fuel)
{
    static const char *const ours[] = {"TRIM", "LTRIM", "RTRIM", "BTRIM"};
    static const char *const pgsql[] = {"btrim", "ltrim", "rtrim", "btrim"};
    static const char *const sets[] = {"' '", "'abgo'", "'rädA'", "'0123456789.'", "''"};
    unsigned which = choose(m->choices, 4);
    phrase_t a = phrase_make(m, BATCH_QUERY_TEXT, fuel - 1);
    const char *text = phrase_as(m, &a, BATCH_QUERY_TEXT), *set;

    if (!chance(m->choices, 2)) {
        return typed(SAY("%s(%s)", ours[which], a.ours), SAY("%s(%s)", pgsql[which], text),
                     BATCH_QUERY_TEXT, LEVEL_ATOM);
    }
    set = sets[choose(m->choices, COUNT(sets))];
    return typed(SAY("%s(%s, %s)", ours[which], a.ours, set),
                 SAY("%s(%s, %s)", pgsql[which], text, set), BATCH_QUERY_TEXT, LEVEL_ATOM);
}

static phrase_t part(maker_t *m, int fuel)
{
    static const char *const starts[] = {"1", "2", "3", "0", "-2", "10"};
    static const char *const counts[] = {"1", "2", "5", "0", "100"};
    phrase_t a = phrase_make(m, BATCH_QUERY_TEXT, fuel - 1);
    const char *text = phrase_as(m, &a, BATCH_QUERY_TEXT);
    const char *start = starts[choose(m->choices, COUNT(starts))];
    const char *name = choose(m->choices, 2) ? "SUBSTRING" : "SUBSTR";
    const char *count = counts[choose(m->choices, COUNT(counts))];

    return choose(m->choices, 2)
               ? typed(SAY("%s(%s, %s)", name, a.ours, start), SAY("part(%s, %s)", text, start),
                       BATCH_QUERY_TEXT, LEVEL_ATOM)
               : typed(SAY("%s(%s, %s, %s)", name, a.ours, start, count),
                       SAY("part(%s, %s, %s)", text, start, count), BATCH_QUERY_TEXT, LEVEL_ATOM);
}

static phrase_t folded(maker_t *m, int fuel)
{
    phrase_t a = phrase_make(m, BATCH_QUERY_TEXT, fuel - 1);
    int upper = (int)choose(m->choices, 2);

    return typed(SAY("%s(%s)", upper ? "UPPER" : "LOWER", a.ours),
                 SAY("%s(%s)", upper ? "up" : "low", phrase_as(m, &a, BATCH_QUERY_TEXT)),
                 BATCH_QUERY_TEXT, LEVEL_ATOM);
}

static phrase_t text(maker_t *m, int fuel)
{
    switch (choose(m->choices, 9)) {
    case 0:
        return folded(m, fuel);
    case 1:
    case 2:
        return concatenation(m, fuel);
    case 3:
        return trimmed(m, fuel);
    case 4:
        return part(m, fuel);
    case 5:
        return coalesce(m, BATCH_QUERY_TEXT, fuel);
    case 6:
        return nullif(m, BATCH_QUERY_TEXT, fuel);
    default:
        return cast_from(m, BATCH_QUERY_TEXT, fuel);
    }
}

/* ---- Times ----------------------------------------------------------------------------------- */

static phrase_t shifted(maker_t *m, int fuel)
{
    static const char *const intervals[] = {
        "1 day",   "12 hours",   "2 days 12 hours", "1 month",   "-1 month",   "1 year 2 months",
        "90 days", "30 minutes", "1 second",        "-36 hours", "8000 years", "2 weeks"};
    const char *interval = intervals[choose(m->choices, COUNT(intervals))];
    int minus = chance(m->choices, 2);
    batch_query_kind_e kind = chance(m->choices, 4) ? BATCH_QUERY_DATE : BATCH_QUERY_TIMESTAMP;
    phrase_t a = not_constant(m, kind, fuel - 1);
    const char *pgsql = SAY("shift(%s, %sinterval '%s')",
                            a.state == STATE_TYPED && a.kind == BATCH_QUERY_DATE
                                ? SAY("(%s)::timestamptz", a.pgsql)
                                : phrase_as(m, &a, BATCH_QUERY_TIMESTAMP),
                            minus ? "- " : "", interval);

    if (!minus && chance(m->choices, 3)) {
        return typed(SAY("INTERVAL '%s' + %s", interval, phrase_in(m, &a, LEVEL_SUM + 1)), pgsql,
                     BATCH_QUERY_TIMESTAMP, LEVEL_SUM);
    }
    return typed(
        SAY("%s %c INTERVAL '%s'", phrase_in(m, &a, LEVEL_SUM), minus ? '-' : '+', interval), pgsql,
        BATCH_QUERY_TIMESTAMP, LEVEL_SUM);
}

static phrase_t timestamp(maker_t *m, int fuel)
{
    switch (choose(m->choices, 5)) {
    case 0:
    case 1:
        return shifted(m, fuel);
    case 2:
        return coalesce(m, BATCH_QUERY_TIMESTAMP, fuel);
    default:
        return cast_from(m, BATCH_QUERY_TIMESTAMP, fuel);
    }
}

static phrase_t date(maker_t *m, int fuel)
{
    phrase_t a;

    switch (choose(m->choices, 4)) {
    case 0:
        a = not_constant(m, BATCH_QUERY_TIMESTAMP, fuel - 1);
        return a.constant ? a
                          : typed(SAY("DATE(%s)", a.ours), phrase_as(m, &a, BATCH_QUERY_DATE),
                                  BATCH_QUERY_DATE, LEVEL_ATOM);
    case 1:
        return nullif(m, BATCH_QUERY_DATE, fuel);
    default:
        return cast_from(m, BATCH_QUERY_DATE, fuel);
    }
}

/* ---- All kinds ------------------------------------------------------------------------------- */

batch_query_kind_e phrase_kind(maker_t *m)
{
    static const batch_query_kind_e kinds[] = {
        BATCH_QUERY_TEXT, BATCH_QUERY_INTEGER, BATCH_QUERY_NUMBER,    BATCH_QUERY_NUMBER,
        BATCH_QUERY_TEXT, BATCH_QUERY_BOOLEAN, BATCH_QUERY_TIMESTAMP, BATCH_QUERY_DATE};

    return kinds[choose(m->choices, COUNT(kinds))];
}

phrase_t phrase_make(maker_t *m, batch_query_kind_e kind, int fuel)
{
    unsigned which = choose(m->choices, fuel > 0 ? 12 : 5);

    if (which < 3) {
        return phrase_column(m, kind);
    }
    if (which < 5) {
        return phrase_constant(m, kind);
    }
    if (which > 9 && kind != BATCH_QUERY_BOOLEAN) {
        return phrase_function(m, kind, fuel);
    }
    if (m->relational && which == 9) {
        return decision(m, kind, fuel);
    }
    if (which == 8 && select_is_allowed(m) && !choose(m->choices, 2)) {
        return select_scalar(m, kind, fuel);
    }
    switch (kind) {
    case BATCH_QUERY_BOOLEAN:
        return phrase_condition(m, fuel - 1);
    case BATCH_QUERY_INTEGER:
        return integer(m, fuel);
    case BATCH_QUERY_NUMBER:
        return number(m, fuel);
    case BATCH_QUERY_TEXT:
        return text(m, fuel);
    case BATCH_QUERY_DATE:
        return date(m, fuel);
    default:
        return timestamp(m, fuel);
    }
}

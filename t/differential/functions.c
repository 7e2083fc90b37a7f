/* Functions, as far as they are not in phrases.c, and lists behind ANY and ALL. */
#include "phrases.h"

#include <string.h>

#include <apr_strings.h>

#define COUNT(of)     ((unsigned)(sizeof(of) / sizeof(*(of))))
#define CHOOSE(m, of) ((of)[choose((m)->choices, COUNT(of))])

static phrase_t call(const char *ours, const char *pgsql, batch_query_kind_e kind)
{
    phrase_t phrase = {ours, pgsql, kind, LEVEL_ATOM, STATE_TYPED, 0, 0};

    return phrase;
}

static const char *const fields[] = {
    "year",         "month",   "day",    "hour",    "minute",     "second",
    "week",         "quarter", "decade", "century", "millennium", "milliseconds",
    "microseconds", "dow",     "isodow", "doy",     "isoyear",    "epoch"};
/* As many of them can be truncated to. */
#define TRUNCATED 13

/* ---- Texts ----------------------------------------------------------------------------------- */

static const char *text_of(maker_t *m, const char **pgsql, int fuel)
{
    phrase_t a = phrase_make(m, BATCH_QUERY_TEXT, fuel - 1);

    *pgsql = phrase_as(m, &a, BATCH_QUERY_TEXT);
    return a.ours;
}

static phrase_t concat(maker_t *m, int fuel)
{
    int count = 1 + (int)choose(m->choices, 3), separated = (int)choose(m->choices, 2), i;
    const char *ours = separated ? "CONCAT_WS('-'" : "CONCAT(", *pgsql = ours;

    for (i = 0; i < count; i++) {
        phrase_t a = phrase_typed(m, choose(m->choices, 3) ? BATCH_QUERY_TEXT : BATCH_QUERY_INTEGER,
                                  fuel - 1);
        const char *comma = i || separated ? ", " : "";

        ours = SAY("%s%s%s", ours, comma, a.ours);
        pgsql = SAY("%s%s%s", pgsql, comma, phrase_as(m, &a, BATCH_QUERY_TEXT));
    }
    return call(SAY("%s)", ours), SAY("%s)", pgsql), BATCH_QUERY_TEXT);
}

static phrase_t time_written(maker_t *m, int fuel)
{
    static const char *const patterns[] = {"YYYY-MM-DD",  "HH24:MI:SS.US",
                                           "DD Mon YYYY", "FMDay, FMDD FMMonth",
                                           "IYYY-IW",     "Q/YY",
                                           "HH12 AM",     "DDD",
                                           "\"week\" WW", "MS",
                                           "MONTH",       "day"};
    phrase_t a = phrase_typed(m, BATCH_QUERY_TIMESTAMP, fuel - 1);
    const char *pattern = CHOOSE(m, patterns);

    return call(SAY("TO_CHAR(%s, '%s')", a.ours, pattern),
                SAY("to_char(%s, '%s')", phrase_as(m, &a, BATCH_QUERY_TIMESTAMP), pattern),
                BATCH_QUERY_TEXT);
}

static phrase_t text_function(maker_t *m, int fuel)
{
    static const char *const counts[] = {"1", "3", "0", "-1", "8"};
    static const char *const sides[] = {"LEADING", "TRAILING", "BOTH"};
    static const char *const parts[] = {"'o'", "'good'", "''", "'ä'", "'10'", "' '"};
    const char *pgsql, *text, *count, *side, *part;

    switch (choose(m->choices, 7)) {
    case 0:
        return concat(m, fuel);
    case 1:
        return time_written(m, fuel);
    case 2:
        text = text_of(m, &pgsql, fuel);
        count = CHOOSE(m, counts);
        side = choose(m->choices, 2) ? "LEFT" : "RIGHT";
        return call(SAY("%s(%s, %s)", side, text, count), SAY("%s(%s, %s)", side, pgsql, count),
                    BATCH_QUERY_TEXT);
    case 3:
        text = text_of(m, &pgsql, fuel);
        count = CHOOSE(m, counts);
        side = choose(m->choices, 2) ? "LPAD" : "RPAD";
        part = choose(m->choices, 2) ? "" : ", 'xä'";
        return call(SAY("%s(%s, %s%s)", side, text, count, part),
                    SAY("%s(%s, %s%s)", side, pgsql, count, part), BATCH_QUERY_TEXT);
    case 4:
        text = text_of(m, &pgsql, fuel);
        part = CHOOSE(m, parts);
        side = CHOOSE(m, parts);
        return call(SAY("REPLACE(%s, %s, %s)", text, part, side),
                    SAY("replace(%s, %s, %s)", pgsql, part, side), BATCH_QUERY_TEXT);
    case 5:
        text = text_of(m, &pgsql, fuel);
        side = CHOOSE(m, sides);
        return call(SAY("TRIM(%s 'go ' FROM %s)", side, text),
                    SAY("trim(%s 'go ' FROM %s)", side, pgsql), BATCH_QUERY_TEXT);
    default:
        text = text_of(m, &pgsql, fuel);
        return call(SAY("SUBSTRING(%s FROM 2 FOR 3)", text), SAY("part(%s, 2, 3)", pgsql),
                    BATCH_QUERY_TEXT);
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static phrase_t position(maker_t *m, int fuel)
{
    const char *a, *b, *x = text_of(m, &a, fuel), *y = text_of(m, &b, fuel);

    return choose(m->choices, 2) ? call(SAY("STRPOS(%s, %s)", x, y),
                                        SAY("strpos(%s, %s)::bigint", a, b), BATCH_QUERY_INTEGER)
                                 : call(SAY("POSITION((%s) IN (%s))", y, x),
                                        SAY("strpos(%s, %s)::bigint", a, b), BATCH_QUERY_INTEGER);
}

/* A date, not a time: their differences are of other kinds. */
static phrase_t only_date(maker_t *m, int fuel)
{
    phrase_t phrase = phrase_typed(m, BATCH_QUERY_DATE, fuel);

    return phrase.kind == BATCH_QUERY_DATE ? phrase : phrase_cast(m, &phrase, BATCH_QUERY_DATE);
}

static phrase_t days(maker_t *m, int fuel)
{
    phrase_t a = only_date(m, fuel - 1), b = only_date(m, fuel - 1);

    return call(SAY("(%s - %s)", phrase_in(m, &a, LEVEL_SUM), phrase_in(m, &b, LEVEL_SUM + 1)),
                SAY("(%s - %s)::bigint", a.pgsql, b.pgsql), BATCH_QUERY_INTEGER);
}

static phrase_t extracted(maker_t *m, int fuel)
{
    phrase_t a = phrase_typed(m, BATCH_QUERY_TIMESTAMP, fuel - 1);
    const char *field = CHOOSE(m, fields);
    const char *pgsql =
        SAY("number(extract(%s FROM %s))", field, phrase_as(m, &a, BATCH_QUERY_TIMESTAMP));

    return choose(m->choices, 3)
               ? call(SAY("EXTRACT(%s FROM %s)", field, a.ours), pgsql, BATCH_QUERY_NUMBER)
               : call(SAY("DATE_PART('%s', %s)", field, a.ours), pgsql, BATCH_QUERY_NUMBER);
}

static phrase_t number_function(maker_t *m, int fuel)
{
    static const char *const names_of[] = {"CEIL", "FLOOR", "CEILING", "SIGN", "TRUNC", "SQRT"};
    const char *name, *number, *text;
    phrase_t a, b;

    switch (choose(m->choices, 6)) {
    case 0:
        return extracted(m, fuel);
    case 1:
        text = text_of(m, &number, fuel);
        return call(SAY("FCM_ConvertToFloat(%s)", text), SAY("text_number(%s)", number),
                    BATCH_QUERY_NUMBER);
    case 2:
        a = phrase_typed(m, BATCH_QUERY_NUMBER, fuel - 1);
        b = phrase_typed(m, BATCH_QUERY_NUMBER, fuel - 1);
        if (a.kind == b.kind) {
            b = phrase_cast(m, &b, BATCH_QUERY_NUMBER); /* of two integers it is one */
        }
        return call(SAY("MOD(%s, %s)", a.ours, b.ours),
                    SAY("calc('%%', %s, %s)", phrase_as(m, &a, BATCH_QUERY_NUMBER),
                        phrase_as(m, &b, BATCH_QUERY_NUMBER)),
                    BATCH_QUERY_NUMBER);
    case 3:
        a = phrase_typed(m, BATCH_QUERY_NUMBER, fuel - 1);
        number = phrase_as(m, &a, BATCH_QUERY_NUMBER);
        return call(SAY("TRUNC(%s, 1)", a.ours), SAY("trunc_to(%s, 1)", number),
                    BATCH_QUERY_NUMBER);
    default:
        a = phrase_typed(m, BATCH_QUERY_NUMBER, fuel - 1);
        number = phrase_as(m, &a, BATCH_QUERY_NUMBER);
        name = CHOOSE(m, names_of);
        return call(SAY("%s(%s)", name, a.ours),
                    *name == 'S' && name[1] == 'Q' ? SAY("root(%s)", number)
                                                   : SAY("number(%s(%s))", name, number),
                    BATCH_QUERY_NUMBER);
    }
}

/* ---- Times ----------------------------------------------------------------------------------- */

static phrase_t time_function(maker_t *m, int fuel)
{
    static const char *const zones[] = {"'UTC'", "'-02'", "'+05:30'", "INTERVAL '2 hours'",
                                        "INTERVAL '-5 hours'"};
    static const char *const columns[] = {"_created_at", "_updated_at"};
    phrase_t a;

    if (choose(m->choices, 3)) {
        const char *field = fields[choose(m->choices, TRUNCATED)];

        a = phrase_typed(m, BATCH_QUERY_TIMESTAMP, fuel - 1);
        return call(SAY("DATE_TRUNC('%s', %s)", field, a.ours),
                    SAY("shift(date_trunc('%s', %s), interval '0')", field,
                        phrase_as(m, &a, BATCH_QUERY_TIMESTAMP)),
                    BATCH_QUERY_TIMESTAMP);
    }
    a = phrase_column(m, BATCH_QUERY_TIMESTAMP);
    if (a.state == STATE_TYPED && (strstr(a.ours, columns[0]) || strstr(a.ours, columns[1]))) {
        const char *zone = CHOOSE(m, zones);

        return call(SAY("(%s AT TIME ZONE %s)", a.ours, zone),
                    SAY("shift((%s AT TIME ZONE %s)::timestamptz, interval '0')", a.pgsql, zone),
                    BATCH_QUERY_TIMESTAMP);
    }
    return a;
}

static phrase_t date_function(maker_t *m, int fuel)
{
    static const char *const counts[] = {"1", "30", "3000000"};
    phrase_t a = only_date(m, fuel - 1);
    const char *op = choose(m->choices, 2) ? "+" : "-", *count = CHOOSE(m, counts);

    return call(SAY("(%s %s %s)", phrase_in(m, &a, LEVEL_SUM), op, count),
                SAY("days_on(%s, %s %s)", a.pgsql, op, count), BATCH_QUERY_DATE);
}

/* ---- All kinds ------------------------------------------------------------------------------- */

static phrase_t extreme(maker_t *m, batch_query_kind_e kind, int fuel)
{
    const char *name = choose(m->choices, 2) ? "GREATEST" : "LEAST", *ours = "", *pgsql = "";
    int count = 1 + (int)choose(m->choices, 3), i;
    phrase_t parts[3];

    for (i = 0; i < count; i++) {
        parts[i] = phrase_typed(m, kind, fuel - 1);
    }
    kind = phrase_settle(m, parts, count, kind, 1);
    for (i = 0; i < count; i++) {
        ours = SAY("%s%s%s", ours, i ? ", " : "", parts[i].ours);
        pgsql = SAY("%s%s%s", pgsql, i ? ", " : "", phrase_compared(m, &parts[i], kind));
    }
    return call(SAY("%s(%s)", name, ours), SAY("%s(%s)", name, pgsql), kind);
}

phrase_t phrase_function(maker_t *m, batch_query_kind_e kind, int fuel)
{
    if (kind != BATCH_QUERY_BOOLEAN && chance(m->choices, 6)) {
        return extreme(m, kind, fuel);
    }
    switch (kind) {
    case BATCH_QUERY_TEXT:
        return text_function(m, fuel);
    case BATCH_QUERY_INTEGER:
        return choose(m->choices, 3) ? position(m, fuel) : days(m, fuel);
    case BATCH_QUERY_NUMBER:
        return number_function(m, fuel);
    case BATCH_QUERY_DATE:
        return date_function(m, fuel);
    case BATCH_QUERY_TIMESTAMP:
        return time_function(m, fuel);
    default:
        return phrase_listed(m, fuel);
    }
}

/* A comparison with some or all of a list. */
phrase_t phrase_listed(maker_t *m, int fuel)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    batch_query_kind_e kind = phrase_kind(m);
    const char *word = choose(m->choices, 2) ? "ANY" : "ALL", *ours = "", *pgsql = "";
    const char *op = CHOOSE(m, ops);
    int count = 2 + (int)choose(m->choices, 3), i;
    phrase_t parts[4], made;

    if (!choose(m->choices, 4)) {
        const char *a, *b, *x = text_of(m, &a, fuel), *y = text_of(m, &b, fuel);

        return call(SAY("STARTS_WITH(%s, %s)", x, y), SAY("starts_with(%s, %s)", a, b),
                    BATCH_QUERY_BOOLEAN);
    }
    for (i = 0; i < count; i++) {
        /* Each is compared for itself: what a member is read as must not depend on the others. */
        parts[i] = phrase_typed(m, kind, i ? 0 : fuel - 1);
    }
    kind = phrase_settle(m, parts, count, kind, op[0] != '=' && op[1] != '>');
    for (i = 1; i < count; i++) {
        ours = SAY("%s%s%s", ours, i > 1 ? ", " : "", parts[i].ours);
        pgsql = SAY("%s%s%s", pgsql, i > 1 ? ", " : "", phrase_as(m, &parts[i], kind));
    }
    made =
        call(SAY("%s %s %s(ARRAY[%s])", phrase_in(m, &parts[0], LEVEL_COMPARE + 1), op, word, ours),
             SAY("(%s %s %s(ARRAY[%s]))", phrase_compared(m, &parts[0], kind), op, word, pgsql),
             BATCH_QUERY_BOOLEAN);
    made.level = LEVEL_COMPARE;
    return made;
}

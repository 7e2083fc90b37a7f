/* What expressions are made of: constants, columns and members; and how a query is spelled. */
#include "phrases.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define COUNT(of) ((unsigned)(sizeof(of) / sizeof(*(of))))

static phrase_t typed(const char *ours, const char *pgsql, batch_query_kind_e kind, level_e level)
{
    phrase_t phrase = {ours, pgsql, kind, level, STATE_TYPED, 0, 0};

    return phrase;
}

/* ---- Constants ------------------------------------------------------------------------------- */

static const char *const integers[] = {"0",
                                       "1",
                                       "2",
                                       "3",
                                       "5",
                                       "7",
                                       "9",
                                       "10",
                                       "100",
                                       "2147483648",
                                       "9007199254740993",
                                       "9223372036854775807",
                                       "- 1",
                                       "- 7",
                                       "-9223372036854775807"};
static const char *const numbers[] = {
    "2.5", "0.5", "0.1",  "12.5", "1e2", "1.5e3", "0.30000000000000004",
    "9.0", ".5",  "-2.5", "1e308"};
static const char *const texts[] = {
    "'good'",   "'tall'",       "''",       "'Good'",  "'a_b'",    "'a\\b'", "'fair'", "'O''Hara'",
    "'100%'",   "'Bay Street'", "'ПРИВЕТ'", "'Ärger'", "'日本語'", "'p1'",   "'A-1'",  "'x😀y'",
    "'  pad '", "'true'",       "'[1,2]'",  "'R0-03'", "'r0-01'",  "'10'",   "'9'",    "'2.5'"};
static const unsigned numeric_texts = 3; /* the last ones */
static const char *const times[] = {"'2023-10-06T02:56:33Z'",
                                    "'2023-10-06T02:56:33.5Z'",
                                    "'2023-10-06'",
                                    "'2023-10-06 02:56:34'",
                                    "'2023-10-06T04:56:33+02:00'",
                                    "'9999-12-31T23:59:59.999999Z'",
                                    "'2024-02-29T12:00'",
                                    "'0001-01-01'",
                                    "'1970-01-01T00:00:00Z'"};
static const char *const dates[] = {"'2023-10-06'", "'2024-02-29'", "'2023-10-05'", "'1970-01-01'",
                                    "'9999-12-31'"};

static phrase_t number_literal(maker_t *m, const char *text, batch_query_kind_e kind)
{
    int negative = *text == '-';
    const char *digits = text + negative + (text[negative] == ' ');

    return typed(text,
                 kind == BATCH_QUERY_INTEGER ? SAY("'%s%s'::bigint", negative ? "-" : "", digits)
                                             : SAY("exact('%s%s')", negative ? "-" : "", digits),
                 kind, negative ? LEVEL_SIGN : LEVEL_ATOM);
}

phrase_t phrase_constant(maker_t *m, batch_query_kind_e kind)
{
    phrase_t phrase = {"NULL", "NULL", kind, LEVEL_ATOM, STATE_NULL, 1, 0};
    unsigned which;
    int literal;

    if (chance(m->choices, 16)) {
        return phrase;
    }
    switch (kind) {
    case BATCH_QUERY_BOOLEAN:
        literal = (int)choose(m->choices, 2);
        phrase.ours = literal ? "TRUE" : "FALSE";
        phrase.pgsql = literal ? "(1 = 1)" : "(1 = 0)"; /* behind ORDER BY it must not be a word */
        phrase.state = STATE_TYPED;
        break;
    case BATCH_QUERY_INTEGER:
        phrase = number_literal(m, integers[choose(m->choices, COUNT(integers))], kind);
        break;
    case BATCH_QUERY_NUMBER:
        phrase = number_literal(m, numbers[choose(m->choices, COUNT(numbers))], kind);
        break;
    case BATCH_QUERY_TEXT:
        which = choose(m->choices, COUNT(texts));
        phrase.ours = phrase.pgsql = texts[which];
        phrase.state = STATE_LITERAL;
        phrase.numeric = which >= COUNT(texts) - numeric_texts;
        break;
    default:
        phrase.pgsql = kind == BATCH_QUERY_DATE ? dates[choose(m->choices, COUNT(dates))]
                                                : times[choose(m->choices, COUNT(times))];
        literal = chance(m->choices, 3);
        phrase.state = literal ? STATE_LITERAL : STATE_TYPED;
        phrase.ours =
            literal ? phrase.pgsql
                    : SAY("%s %s", kind == BATCH_QUERY_DATE ? "DATE" : "TIMESTAMPTZ", phrase.pgsql);
        if (!literal) {
            phrase.pgsql =
                SAY("%s(%s)", kind == BATCH_QUERY_DATE ? "text_date" : "text_time", phrase.pgsql);
        }
        break;
    }
    phrase.constant = 1;
    return phrase;
}

/* ---- Columns and members --------------------------------------------------------------------- */

/* Members that mostly have something to read as a kind. */
static int is_apt(const char *name, batch_query_kind_e kind)
{
    switch (kind) {
    case BATCH_QUERY_NUMBER:
        return *name == 'h' || *name == 'c';
    case BATCH_QUERY_BOOLEAN:
        return *name == 'f';
    case BATCH_QUERY_TEXT:
        return !strcmp(name, "street") || *name == '"';
    default:
        return !strcmp(name, "seen");
    }
}

static int weight(const name_t *name, batch_query_kind_e kind)
{
    return name->kind == kind ? 3
           : name->kind != BATCH_QUERY_MEMBER || kind == BATCH_QUERY_INTEGER
               ? 0
               : 1 + 8 * is_apt(name->name, kind);
}

static phrase_t named(maker_t *m, const source_t *source, const name_t *name,
                      batch_query_kind_e kind, int qualified)
{
    phrase_t phrase = {name->name, name->pgsql, kind, LEVEL_ATOM, STATE_TYPED, 0, 0};

    if (source->table) {
        phrase.pgsql = SAY("%s.%s", source->table, name->pgsql);
    }
    if (name->kind == BATCH_QUERY_MEMBER) {
        phrase.state = STATE_BARE;
        phrase.pgsql = SAY("(%s)", phrase.pgsql);
    }
    if (source->alias && (source->qualified || qualified)) {
        phrase.ours = SAY("%s.%s", source->alias, name->name);
    }
    return phrase;
}

/* How many names of it: from inside of a subquery only those that can be qualified. */
static int usable(const source_t *source, int outer)
{
    return outer && !source->alias ? 0 : source->count;
}

phrase_t phrase_column(maker_t *m, batch_query_kind_e kind)
{
    const scope_t *scope = m->scope;
    int total = 0, outer = 0, chosen, i, j;

    if (scope->outer && chance(m->choices, 4)) {
        scope = scope->outer;
        outer = 1;
    }
    for (i = 0; i < scope->count; i++) {
        for (j = 0; j < usable(&scope->sources[i], outer); j++) {
            total += weight(&scope->sources[i].names[j], kind);
        }
    }
    chosen = total ? (int)choose(m->choices, (unsigned)total) : -1;
    for (i = 0; chosen >= 0 && i < scope->count; i++) {
        const source_t *source = &scope->sources[i];

        for (j = 0; j < usable(source, outer); j++) {
            chosen -= weight(&source->names[j], kind);
            if (chosen < 0) {
                return named(m, source, &source->names[j], kind, outer || chance(m->choices, 6));
            }
        }
    }
    return phrase_constant(m, kind);
}

/* ---- Spelling -------------------------------------------------------------------------------- */

const char *phrase_respell(const char *text, apr_uint64_t seed, apr_pool_t *p)
{
    static const char *const blanks[] = {
        " ", " ", " ", "  ", "\n", "\t", " \r\n ", "/* it's */", " -- \"\n", " /* /**/ ; */ "};
    char *spelled = apr_palloc(p, strlen(text) * 12 + 1), *to = spelled;
    int style = (int)(choices_random(&seed) % 4);
    char quote = '\0';

    for (; *text; text++) {
        apr_uint64_t random = choices_random(&seed);

        if (*text == '\'' || *text == '"') {
            quote = !quote ? *text : quote == *text ? '\0' : quote;
        }
        if (!quote && *text == ' ' && style) {
            to =
                strcpy(to, blanks[random % COUNT(blanks)]) + strlen(blanks[random % COUNT(blanks)]);
        } else if (!quote && style > 1) {
            *to++ = (char)(style == 2      ? apr_tolower(*text)
                           : random & 1024 ? apr_toupper(*text)
                                           : apr_tolower(*text));
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return spelled;
}

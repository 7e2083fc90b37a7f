/*
 * A query for the sandbox is put together from its tokens: known words as they are, names as n1, n2
 * and so on, values as constants. Nothing of the client's text is left in it, and no name can mean
 * anything but a form, a column or an alias of the query itself.
 */
#include "query/sandbox.h"

#include <string.h>

#include <apr_strings.h>

/* What SQLite's parser and planner are given at most: it cannot be stopped while it prepares. */
#define MOST_TOKENS  2000
#define MOST_NAMES   200
#define MOST_SELECTS 16
#define MOST_SOURCES 16
#define MOST_OPEN    40
#define MOST_WINDOWS 10
#define MOST_TERMS                                                                                 \
    500 /* AND, OR, CASE, LIKE, BETWEEN, IN, … of them each costs the planner time               \
         */

typedef struct composer {
    batch_sandbox_text_t *text;
    batch_query_run_t *run;
    const batch_token_t *token;
    int open;                    /* parentheses */
    char is_cast[MOST_OPEN + 1]; /* the parenthesis is CAST's, and waits for its AS */
    char in_from[MOST_OPEN + 1]; /* commas separate forms here */
    char is_form[MOST_OPEN + 1]; /* the parenthesis is a SELECT that stands for a form */
    char has_limit[MOST_OPEN + 1];
    char has_offset[MOST_OPEN + 1];
    int selects, terms, windows;
} composer_t;

/* ---- Pieces ---------------------------------------------------------------------------------- */

static void emit_at(batch_sandbox_text_t *text, const char *piece, int at)
{
    APR_ARRAY_PUSH(text->pieces, const char *) = piece;
    APR_ARRAY_PUSH(text->pieces, const char *) = " ";
    APR_ARRAY_PUSH(text->offsets, int) = text->length;
    APR_ARRAY_PUSH(text->places, int) = at;
    text->length += (int)strlen(piece) + 1;
}

static void emit(composer_t *composer, const char *piece)
{
    emit_at(composer->text, piece, composer->token->at);
}

static int fault(composer_t *composer, const char *expected)
{
    return batch_query_fault(&composer->run->text, composer->token->at, "found \"%s\", %s",
                             batch_query_found(&composer->run->text, composer->token), expected);
}

static int add_name(batch_sandbox_text_t *text, const char *name, int at)
{
    batch_sandbox_name_t *added;
    int i;

    for (i = 0; i < text->names->nelts; i++) {
        if (i != BATCH_SANDBOX_OWN &&
            !strcmp(APR_ARRAY_IDX(text->names, i, batch_sandbox_name_t).name, name)) {
            return i;
        }
    }
    added = apr_array_push(text->names);
    added->name = name;
    added->at = at;
    added->column = batch_query_schema_column(text->run->schema, name);
    return text->names->nelts - 1;
}

static const char *quoted(const char *text, apr_pool_t *p)
{
    char *copy = apr_palloc(p, 2 * strlen(text) + 3), *next = copy;

    *next++ = '\'';
    for (; *text; text++) {
        if (*text == '\'') {
            *next++ = '\'';
        }
        *next++ = *text;
    }
    *next++ = '\'';
    *next = '\0';
    return copy;
}

static int emit_time(composer_t *composer, apr_int64_t time, batch_query_kind_e kind)
{
    char text[40];

    batch_query_time_format(text, time, kind);
    emit(composer, quoted(text, composer->run->p));
    return 1;
}

/* ---- Words ----------------------------------------------------------------------------------- */

static int is_word(const batch_token_t *token, batch_query_word_e word)
{
    return token->kind == BATCH_TOKEN_NAME && token->word == word;
}

static const batch_token_t *before(const composer_t *composer)
{
    static const batch_token_t none = {.kind = BATCH_TOKEN_END, .text = ""};

    return composer->token > composer->run->text.tokens ? composer->token - 1 : &none;
}

/* Words that are names everywhere but in certain places: 1 in such a place. */
static int is_in_place(const composer_t *composer)
{
    const batch_token_t *last = before(composer), *next = composer->token + 1;

    switch (composer->token->word) {
    case BATCH_WORD_BY:
        return is_word(last, BATCH_WORD_ORDER) || is_word(last, BATCH_WORD_GROUP) ||
               is_word(last, BATCH_WORD_PARTITION);
    case BATCH_WORD_ESCAPE:
        return next->kind == BATCH_TOKEN_STRING;
    case BATCH_WORD_EXISTS:
        return batch_token_is(next, "(");
    case BATCH_WORD_FILTER:
    case BATCH_WORD_OVER:
        return batch_token_is(last, ")") && batch_token_is(next, "(");
    case BATCH_WORD_PARTITION:
        return is_word(next, BATCH_WORD_BY);
    case BATCH_WORD_NULLS:
        return is_word(next, BATCH_WORD_FIRST) || is_word(next, BATCH_WORD_LAST);
    case BATCH_WORD_FIRST:
    case BATCH_WORD_LAST:
        return is_word(last, BATCH_WORD_NULLS);
    case BATCH_WORD_ROWS:
    case BATCH_WORD_RANGE:
        return is_word(next, BATCH_WORD_BETWEEN) || is_word(next, BATCH_WORD_UNBOUNDED) ||
               is_word(next, BATCH_WORD_CURRENT) || next->kind == BATCH_TOKEN_INTEGER;
    case BATCH_WORD_UNBOUNDED:
        return is_word(next, BATCH_WORD_PRECEDING) || is_word(next, BATCH_WORD_FOLLOWING);
    case BATCH_WORD_PRECEDING:
    case BATCH_WORD_FOLLOWING:
        return is_word(last, BATCH_WORD_UNBOUNDED) || last->kind == BATCH_TOKEN_INTEGER;
    case BATCH_WORD_CURRENT:
        return is_word(next, BATCH_WORD_ROW);
    case BATCH_WORD_ROW:
        return is_word(last, BATCH_WORD_CURRENT);
    case BATCH_WORD_UNKNOWN:
        return is_word(last, BATCH_WORD_IS) || is_word(last, BATCH_WORD_NOT);
    case BATCH_WORD_DATE:
    case BATCH_WORD_TIMESTAMP:
    case BATCH_WORD_INTERVAL:
        return next->kind == BATCH_TOKEN_STRING;
    default:
        return 1;
    }
}

/* DATE '…' and TIMESTAMP '…', whose string is taken, too. */
static int emit_typed_string(composer_t *composer)
{
    const batch_token_t *string = composer->token + 1;
    batch_query_kind_e kind =
        composer->token->word == BATCH_WORD_DATE ? BATCH_QUERY_DATE : BATCH_QUERY_TIMESTAMP;
    apr_int64_t time;

    if (composer->token->word == BATCH_WORD_INTERVAL) {
        return fault(composer, "which is for queries over one form without subqueries and groups: "
                               "say the time itself instead");
    }
    if (!batch_query_time_parse(&time, string->text, strlen(string->text))) {
        composer->token = string;
        return fault(composer, "expected a time as '2023-10-06' or '2023-10-06T02:56:34Z'");
    }
    emit_time(composer, time, kind);
    composer->token = string;
    return 1;
}

/* What a word does to the state of the clause that it stands in. */
static int note_word(composer_t *composer)
{
    switch (composer->token->word) {
    case BATCH_WORD_SELECT:
        composer->in_from[composer->open] = 0;
        return ++composer->selects <= MOST_SELECTS ||
               fault(composer, "but a query can have " APR_STRINGIFY(MOST_SELECTS) " SELECTs only");
    case BATCH_WORD_FROM:
        /* IS DISTINCT FROM is followed by a value. */
        composer->in_from[composer->open] |= !is_word(before(composer), BATCH_WORD_DISTINCT);
        return 1;
    case BATCH_WORD_OFFSET:
        composer->has_offset[composer->open] = 1;
        return 1;
    case BATCH_WORD_LIMIT:
        composer->has_limit[composer->open] = 1;
        composer->in_from[composer->open] = 0;
        return 1;
    case BATCH_WORD_WHERE:
    case BATCH_WORD_GROUP:
    case BATCH_WORD_HAVING:
    case BATCH_WORD_ORDER:
        composer->in_from[composer->open] = 0;
        return 1;
    case BATCH_WORD_OVER:
        return ++composer->windows <= MOST_WINDOWS ||
               fault(composer, "but a query can have " APR_STRINGIFY(MOST_WINDOWS) " windows only");
    case BATCH_WORD_AND:
    case BATCH_WORD_OR:
    case BATCH_WORD_WHEN:
    case BATCH_WORD_IN:
    case BATCH_WORD_LIKE:
    case BATCH_WORD_ILIKE:
    case BATCH_WORD_BETWEEN:
        return ++composer->terms <= MOST_TERMS ||
               fault(composer,
                     "but a query can have " APR_STRINGIFY(MOST_TERMS) " conditions only");
    default:
        return 1;
    }
}

static const struct {
    const char *name;
    const char *kind;
} cast_types[] = {{"text", "text"},       {"varchar", "text"},
                  {"integer", "integer"}, {"int", "integer"},
                  {"bigint", "integer"},  {"numeric", "number"},
                  {"decimal", "number"},  {"real", "number"},
                  {"float", "number"},    {"boolean", "boolean"},
                  {"date", "date"},       {"timestamp", "timestamp"},
                  {"number", "number"},   {"timestamptz", "timestamp"}};

/* AS and the type of a CAST become a second argument. */
static int emit_cast_type(composer_t *composer)
{
    size_t i;

    composer->token++;
    for (i = 0; i < sizeof(cast_types) / sizeof(*cast_types); i++) {
        if (composer->token->kind == BATCH_TOKEN_NAME &&
            !strcmp(composer->token->text, cast_types[i].name)) {
            emit(composer, ",");
            emit(composer, quoted(cast_types[i].kind, composer->run->p));
            composer->is_cast[composer->open] = 0;
            return 1;
        }
    }
    return fault(composer, "expected a type: text, integer, numeric, boolean, date or timestamp");
}

static int emit_word(composer_t *composer)
{
    switch (composer->token->word) {
    case BATCH_WORD_WITH:
    case BATCH_WORD_WINDOW:
    case BATCH_WORD_LATERAL:
    case BATCH_WORD_ONLY:
    case BATCH_WORD_FETCH:
    case BATCH_WORD_FOR:
    case BATCH_WORD_COLLATE:
    case BATCH_WORD_NATURAL:
        return fault(composer, "which is not part of this language");
    case BATCH_WORD_CURRENT_DATE:
        return emit_time(composer, composer->run->now, BATCH_QUERY_DATE);
    case BATCH_WORD_CURRENT_TIMESTAMP:
        return emit_time(composer, composer->run->now, BATCH_QUERY_TIMESTAMP);
    case BATCH_WORD_DATE:
    case BATCH_WORD_TIMESTAMP:
    case BATCH_WORD_INTERVAL:
        return emit_typed_string(composer);
    case BATCH_WORD_ILIKE:
        emit(composer, "GLOB"); /* which is ours there: sandbox_functions.c */
        return note_word(composer);
    case BATCH_WORD_UNKNOWN:
        emit(composer, "NULL");
        return 1;
    case BATCH_WORD_AS:
        if (composer->is_cast[composer->open]) {
            return emit_cast_type(composer);
        }
        break;
    case BATCH_WORD_CAST:
        if (!batch_token_is(composer->token + 1, "(")) {
            return fault(composer, "expected ( behind it");
        }
        emit(composer, "batch_cast");
        return 1;
    default:
        break;
    }
    emit(composer, composer->token->text);
    return note_word(composer);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *call;
} functions[] = {
    {"abs", "abs"},
    {"avg", "avg"},
    {"btrim", "batch_trim"},
    {"char_length", "batch_length"},
    {"coalesce", "coalesce"},
    {"count", "count"},
    {"date", "batch_date"},
    {"dense_rank", "dense_rank"},
    {"first_value", "first_value"},
    {"lag", "lag"},
    {"last_value", "last_value"},
    {"lead", "lead"},
    {"length", "batch_length"},
    {"lower", "batch_lower"},
    {"ltrim", "batch_ltrim"},
    {"max", "max"},
    {"min", "min"},
    {"now", "batch_now"},
    {"ntile", "ntile"},
    {"nullif", "nullif"},
    {"rank", "rank"},
    {"round", "round"},
    {"row_number", "row_number"},
    {"rtrim", "batch_rtrim"},
    {"substr", "batch_substr"},
    {"substring", "batch_substr"},
    {"sum", "sum"},
    {"total", "total"},
    {"trim", "batch_trim"},
    {"upper", "batch_upper"},
};

#define FUNCTION_COUNT (sizeof(functions) / sizeof(*functions))

int batch_sandbox_may_call(const char *function)
{
    static const char *const operators[] = {"batch_cast", "like", "glob"};
    size_t i;

    for (i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
        if (!strcmp(function, operators[i])) {
            return 1;
        }
    }
    for (i = 0; i < FUNCTION_COUNT; i++) {
        if (!strcmp(function, functions[i].call)) {
            return 1;
        }
    }
    return 0;
}

static int emit_function(composer_t *composer)
{
    batch_near_t near;
    size_t i;

    batch_near_init(&near, composer->token->text, composer->run->p);
    for (i = 0; i < FUNCTION_COUNT; i++) {
        if (composer->token->kind == BATCH_TOKEN_NAME &&
            !strcmp(composer->token->text, functions[i].name)) {
            emit(composer, functions[i].call);
            return 1;
        }
        batch_near_offer(&near, functions[i].name, strlen(functions[i].name));
    }
    return batch_query_fault(
        &composer->run->text, composer->token->at, "there is no function \"%s\"%s",
        batch_query_found(&composer->run->text, composer->token), batch_near_words(&near));
}

static int note_source(composer_t *composer, int name)
{
    const batch_token_t *last = before(composer);
    batch_sandbox_source_t *source;
    int certain = (is_word(last, BATCH_WORD_FROM) && composer->in_from[composer->open]) ||
                  is_word(last, BATCH_WORD_JOIN) ||
                  (batch_token_is(last, ",") && composer->in_from[composer->open]);
    int maybe =
        batch_token_is(last, "(") && composer->open && composer->in_from[composer->open - 1];

    if (!certain && !maybe) {
        return 1;
    }
    if (composer->text->sources->nelts >= MOST_SOURCES) {
        return fault(composer, "but a query can name " APR_STRINGIFY(MOST_SOURCES) " forms only");
    }
    source = apr_array_push(composer->text->sources);
    source->name = name;
    source->token = composer->token;
    source->certain = certain;
    return 1;
}

static int emit_name(composer_t *composer)
{
    int name;

    if (batch_token_is(composer->token + 1, "(")) {
        return emit_function(composer);
    }
    name = add_name(composer->text, composer->token->text, composer->token->at);
    if (name >= MOST_NAMES) {
        return fault(composer,
                     "but a query can have " APR_STRINGIFY(MOST_NAMES) " different names only");
    }
    emit(composer, apr_psprintf(composer->run->p, "n%d", name));
    return note_source(composer, name);
}

/* ---- Symbols --------------------------------------------------------------------------------- */

static int open_parenthesis(composer_t *composer)
{
    /* Wherever a form can be. One SELECT more that cannot be merged does no harm elsewhere. */
    int is_form = is_word(composer->token + 1, BATCH_WORD_SELECT);

    emit(composer, "(");
    if (++composer->open > MOST_OPEN) {
        return fault(composer, "but parentheses are nested too deeply here");
    }
    composer->is_cast[composer->open] = (char)is_word(before(composer), BATCH_WORD_CAST);
    composer->is_form[composer->open] = (char)is_form;
    composer->in_from[composer->open] = 0;
    composer->has_limit[composer->open] = 0;
    composer->has_offset[composer->open] = 0;
    return 1;
}

/*
 * A SELECT in parentheses gets an OFFSET. Without one SQLite would put the expressions of a SELECT
 * in FROM wherever the outer query uses their names: v + v over v + v over …, ten SELECTs deep, are
 * a thousand copies, made while it prepares, when neither clock nor memory is looked at.
 */
static int close_parenthesis(composer_t *composer)
{
    if (!composer->open) {
        return fault(composer, "but no parenthesis is open");
    }
    if (composer->is_form[composer->open] && !composer->has_offset[composer->open]) {
        emit(composer, composer->has_limit[composer->open] ? "OFFSET 0" : "LIMIT -1 OFFSET 0");
    }
    emit(composer, ")");
    composer->open--;
    return 1;
}

static int emit_symbol(composer_t *composer)
{
    const batch_token_t *token = composer->token;

    if (batch_token_is(token, "::")) {
        return fault(composer, "which is for queries over one form without subqueries and groups: "
                               "use CAST(… AS …)");
    }
    if (batch_token_is(token, "[") || batch_token_is(token, "]")) {
        return fault(composer, "which is not part of this language");
    }
    if (batch_token_is(token, ";")) {
        return fault(composer, "expected one SELECT only");
    }
    if (batch_token_is(token, "(")) {
        return open_parenthesis(composer);
    }
    if (batch_token_is(token, ")")) {
        return close_parenthesis(composer);
    }
    emit(composer, token->text);
    return 1;
}

static int emit_token(composer_t *composer)
{
    const batch_token_t *token = composer->token;

    switch (token->kind) {
    case BATCH_TOKEN_NAME:
        /* A word behind a dot or AS is a name, as in AS first. */
        return token->word && is_in_place(composer) && !batch_token_is(before(composer), ".")
                   ? emit_word(composer)
                   : emit_name(composer);
    case BATCH_TOKEN_QUOTED:
        return emit_name(composer);
    case BATCH_TOKEN_STRING:
        emit(composer, quoted(token->text, composer->run->p));
        return 1;
    case BATCH_TOKEN_INTEGER:
    case BATCH_TOKEN_NUMBER:
        emit(composer, token->text);
        return 1;
    default:
        return emit_symbol(composer);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void begin(composer_t *composer, int is_predicate)
{
    batch_sandbox_text_t *text = composer->text;
    batch_sandbox_name_t *own;

    add_name(text, "id", 0);
    own = apr_array_push(text->names);
    memset(own, 0, sizeof(*own));
    own->name = "";
    if (is_predicate) {
        emit_at(text, "SELECT k AS n0 FROM n1 WHERE (", 0);
    }
}

int batch_sandbox_compose(batch_sandbox_text_t *text, batch_query_run_t *run)
{
    composer_t composer = {.text = text, .run = run, .token = run->text.tokens};
    int is_predicate = !is_word(composer.token, BATCH_WORD_SELECT);

    memset(text, 0, sizeof(*text));
    text->run = run;
    text->pieces = apr_array_make(run->p, 64, sizeof(const char *));
    text->offsets = apr_array_make(run->p, 64, sizeof(int));
    text->places = apr_array_make(run->p, 64, sizeof(int));
    text->names = apr_array_make(run->p, 16, sizeof(batch_sandbox_name_t));
    text->sources = apr_array_make(run->p, 4, sizeof(batch_sandbox_source_t));
    if (run->text.count > MOST_TOKENS) {
        return batch_query_fault(&run->text, run->text.tokens[MOST_TOKENS].at,
                                 "a query with joins, subqueries or groups can have %d words and "
                                 "symbols only",
                                 MOST_TOKENS);
    }
    begin(&composer, is_predicate);
    for (; composer.token->kind != BATCH_TOKEN_END; composer.token++) {
        if (!emit_token(&composer)) {
            return 0;
        }
    }
    if (composer.open) {
        return fault(&composer, "expected )");
    }
    if (is_predicate) {
        emit(&composer, ")");
    }
    text->sql = apr_array_pstrcat(run->p, text->pieces, 0);
    return 1;
}

#include "query/lexer.h"
#include "query/value.h"
#include "text/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* Bytes of a token that a message shows. */
#define SHOWN                                 40

#define WORD_TEXT(symbol, word, reserved)     word,
#define WORD_RESERVED(symbol, word, reserved) reserved,
static const char *const words[] = {"", BATCH_QUERY_WORD_LIST(WORD_TEXT)};
static const char reserved_words[] = {0, BATCH_QUERY_WORD_LIST(WORD_RESERVED)};

/* ---- Faults ---------------------------------------------------------------------------------- */

int batch_query_fault(batch_query_text_t *query, int at, const char *fmt, ...)
{
    int line = 1, column = 1, i;
    va_list arguments;

    if (query->fault) {
        return 0;
    }
    for (i = 0; i < at; i++) {
        if (query->text[i] == '\n') {
            line++;
            column = 1;
        } else if (!batch_utf8_continues(query->text[i])) {
            column++; /* a character of several bytes counts once */
        }
    }
    va_start(arguments, fmt);
    query->fault = apr_psprintf(query->p, "line %d, column %d: %s", line, column,
                                apr_pvsprintf(query->p, fmt, arguments));
    va_end(arguments);
    return 0;
}

/* The first bytes of some text, without cutting a character in two. */
static const char *shown(const char *text, int length, apr_pool_t *p)
{
    int cut = length > SHOWN ? SHOWN : length;

    while (cut < length && cut > 0 && batch_utf8_continues(text[cut])) {
        cut--;
    }
    return apr_pstrcat(p, apr_pstrmemdup(p, text, (apr_size_t)cut), cut < length ? "…" : "", NULL);
}

/* The character at text. */
static const char *shown_character(const char *text, apr_pool_t *p)
{
    int length = 1;

    while (batch_utf8_continues(text[length])) {
        length++;
    }
    return apr_pstrmemdup(p, text, (apr_size_t)length);
}

const char *batch_query_found(const batch_query_text_t *query, const batch_token_t *token)
{
    if (token->kind == BATCH_TOKEN_END) {
        return "the end of the query";
    }
    return shown(query->text + token->at, token->end - token->at, query->p);
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

int batch_token_is(const batch_token_t *token, const char *symbol)
{
    return token->kind == BATCH_TOKEN_SYMBOL && !strcmp(token->text, symbol);
}

int batch_token_is_word(const batch_token_t *token, const char *word)
{
    return token->kind == BATCH_TOKEN_NAME && !strcmp(token->text, word);
}

int batch_token_is_name(const batch_token_t *token)
{
    return token->kind == BATCH_TOKEN_QUOTED ||
           (token->kind == BATCH_TOKEN_NAME && !reserved_words[token->word]);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static int begins_name(char c)
{
    return apr_isalpha(c) || c == '_' || ((unsigned char)c & 0x80);
}

static batch_query_word_e find_word(const char *text)
{
    int i;

    for (i = 1; i < BATCH_WORD_COUNT; i++) {
        if (!strcmp(text, words[i])) {
            return (batch_query_word_e)i;
        }
    }
    return BATCH_WORD_NONE;
}

/* What other languages have, and editors put in, and what is written here instead. */
static const struct {
    const char *text;
    const char *instead;
} foreign[] = {
    {"==", "equality is written ="},
    {"&&", "conditions are joined by AND"},
    {"->", "a member is named by its name alone, as in street = 'Bay Street'"},
    {"~", "there are no regular expressions in this language: use LIKE, or ILIKE for any case"},
    {"!~", "there are no regular expressions in this language: use NOT LIKE, or NOT ILIKE"},
    {"?", "queries have no parameters: write the value itself"},
    {"$", "queries have no parameters: write the value itself"},
    {"@", "queries have no parameters: write the value itself"},
    {":", "queries have no parameters: write the value itself"},
    {"`", "a name is quoted by \", as in \"Testing App\""},
    {"\xe2\x80\x98", "a text is quoted by ', which is not the same"},
    {"\xe2\x80\x99", "a text is quoted by ', which is not the same"},
    {"\xe2\x80\x9a", "a text is quoted by ', which is not the same"},
    {"\xe2\x80\x9c", "a name is quoted by \", which is not the same, and a text by '"},
    {"\xe2\x80\x9d", "a name is quoted by \", which is not the same, and a text by '"},
    {"\xe2\x80\x9e", "a name is quoted by \", which is not the same, and a text by '"},
    {"\xc2\xa0", "this is a no-break space: write a blank"},
};

/* 0 with a fault if the byte at at begins something foreign. */
static int check_foreign(batch_query_text_t *query, int at)
{
    const char *from = query->text + at;
    size_t i;

    for (i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
        if (!strncmp(from, foreign[i].text, strlen(foreign[i].text)) &&
            strncmp(from, "::", 2) != 0) {
            return batch_query_fault(query, at, "found \"%s\": %s", foreign[i].text,
                                     foreign[i].instead);
        }
    }
    return 1;
}

static int read_name(batch_query_text_t *query, batch_token_t *token)
{
    const char *from = query->text + token->at;
    const char *end = from;
    char *folded, *c;

    while (begins_name(*end) || apr_isdigit(*end)) {
        if ((*end & 0x80) && !check_foreign(query, (int)(end - query->text))) {
            return 0;
        }
        end++;
    }
    folded = apr_pstrmemdup(query->p, from, (apr_size_t)(end - from));
    for (c = folded; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    token->kind = BATCH_TOKEN_NAME;
    token->text = folded;
    token->word = find_word(folded);
    token->end = (int)(end - query->text);
    return 1;
}

/* A string or a name in quotes; a quote in it is written twice. */
static int read_quoted(batch_query_text_t *query, batch_token_t *token)
{
    const char *from = query->text + token->at;
    char quote = *from++;
    char *decoded = apr_palloc(query->p, strlen(from) + 1);
    char *next = decoded;

    for (; *from && (*from != quote || from[1] == quote); from++) {
        from += *from == quote;
        *next++ = *from;
    }
    *next = '\0';
    if (!*from) {
        return batch_query_fault(query, token->at, "the quote that begins here is never closed");
    }
    token->kind = quote == '"' ? BATCH_TOKEN_QUOTED : BATCH_TOKEN_STRING;
    token->text = decoded;
    token->end = (int)(from + 1 - query->text);
    if (quote == '"' && !*decoded) {
        return batch_query_fault(query, token->at, "a name must not be empty");
    }
    return 1;
}

static int read_number(batch_query_text_t *query, batch_token_t *token)
{
    const char *from = query->text + token->at;
    const char *end = from;
    int whole = 1;

    while (apr_isdigit(*end)) {
        end++;
    }
    if (*end == '.') {
        whole = 0;
        for (end++; apr_isdigit(*end); end++) {
        }
    }
    if ((*end == 'e' || *end == 'E') &&
        (apr_isdigit(end[1]) || ((end[1] == '+' || end[1] == '-') && apr_isdigit(end[2])))) {
        whole = 0;
        for (end += 2; apr_isdigit(*end); end++) {
        }
    }
    token->end = (int)(end - query->text);
    token->text = apr_pstrmemdup(query->p, from, (apr_size_t)(end - from));
    errno = 0;
    token->kind = BATCH_TOKEN_NUMBER;
    if (whole && apr_strtoi64(token->text, NULL, 10) >= 0 && !errno) {
        token->kind = BATCH_TOKEN_INTEGER;
    }
    if (begins_name(*end) || *end == '.') {
        return batch_query_fault(query, token->end, "found \"%s\" right behind the number %s",
                                 shown_character(end, query->p),
                                 shown(from, (int)(end - from), query->p));
    }
    if (!isfinite(strtod(token->text, NULL))) {
        return batch_query_fault(query, token->at, "this number is too large");
    }
    if (end - from > BATCH_QUERY_DIGITS) {
        return batch_query_fault(query, token->at, "a number must not have more than %d characters",
                                 BATCH_QUERY_DIGITS);
    }
    return 1;
}

static int read_symbol(batch_query_text_t *query, batch_token_t *token)
{
    static const char *const symbols[] = {"<>", "!=", "<=", ">=", "||", "::", "(",
                                          ")",  ",",  ".",  "*",  "+",  "-",  "/",
                                          "%",  "=",  "<",  ">",  ";",  "[",  "]"};
    const char *from = query->text + token->at;
    size_t i;

    for (i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
        size_t length = strlen(symbols[i]);

        if (!strncmp(from, symbols[i], length)) {
            token->kind = BATCH_TOKEN_SYMBOL;
            token->text = symbols[i];
            token->end = token->at + (int)length;
            return 1;
        }
    }
    return batch_query_fault(query, token->at,
                             "found \"%s\", which is neither a name, a value nor an operator of "
                             "this language",
                             shown_character(from, query->p));
}

static int read_token(batch_query_text_t *query, batch_token_t *token)
{
    const char *from = query->text + token->at;

    token->word = BATCH_WORD_NONE;
    if (!*from) {
        token->kind = BATCH_TOKEN_END;
        token->text = "";
        token->end = token->at;
        return 1;
    }
    if (!check_foreign(query, token->at)) {
        return 0;
    }
    if (*from == '\'' || *from == '"') {
        return read_quoted(query, token);
    }
    if (apr_isdigit(*from) || (*from == '.' && apr_isdigit(from[1]))) {
        return read_number(query, token);
    }
    if (begins_name(*from)) {
        return read_name(query, token);
    }
    return read_symbol(query, token);
}

/* Behind the comment of several lines that begins at at; 0 with a fault: it has no end. */
static int skip_comment(batch_query_text_t *query, int at)
{
    const char *text = query->text;
    int depth = 0, i = at;

    for (; text[i]; i++) {
        if (text[i] == '/' && text[i + 1] == '*') {
            depth++;
            i++;
        } else if (text[i] == '*' && text[i + 1] == '/' && --depth == 0) {
            return i + 2;
        } else if (text[i] == '*' && text[i + 1] == '/') {
            i++;
        }
    }
    return batch_query_fault(query, at, "the comment that begins here is never closed");
}

/* The first byte from at on that is neither white space nor a comment; 0 with a fault. */
static int skip_blanks(batch_query_text_t *query, int at)
{
    const char *text = query->text;

    for (;;) {
        while (is_blank(text[at])) {
            at++;
        }
        if (text[at] == '-' && text[at + 1] == '-') {
            at += (int)strcspn(text + at, "\r\n");
        } else if (text[at] == '/' && text[at + 1] == '*') {
            at = skip_comment(query, at);
            if (query->fault) {
                return 0;
            }
        } else {
            return at;
        }
    }
}

/* One semicolon at the very end does no harm. */
static void drop_semicolon(batch_query_text_t *query)
{
    if (query->count > 1 && batch_token_is(&query->tokens[query->count - 2], ";")) {
        query->tokens[query->count - 2] = query->tokens[query->count - 1];
        query->count--;
    }
}

void batch_query_lex(batch_query_text_t *query, const char *text, apr_pool_t *p)
{
    apr_array_header_t *tokens = apr_array_make(p, 64, sizeof(batch_token_t));
    apr_size_t length = strlen(text);
    batch_token_t token = {.kind = BATCH_TOKEN_SYMBOL};

    memset(query, 0, sizeof(*query));
    query->text = text;
    query->p = p;
    if (length > BATCH_QUERY_BYTES) {
        query->fault = "is longer than " APR_STRINGIFY(BATCH_QUERY_BYTES) " bytes";
    } else if (!batch_utf8_is_valid(text, length)) {
        query->fault = "is not UTF-8";
    }
    while (!query->fault && token.kind != BATCH_TOKEN_END) {
        token.at = skip_blanks(query, token.end);
        if (query->fault) {
            break;
        }
        if (tokens->nelts >= BATCH_QUERY_TOKENS) {
            batch_query_fault(
                query, token.at,
                "the query has more than " APR_STRINGIFY(BATCH_QUERY_TOKENS) " words and symbols");
        } else if (read_token(query, &token)) {
            APR_ARRAY_PUSH(tokens, batch_token_t) = token;
        }
    }
    query->tokens = (batch_token_t *)tokens->elts;
    query->count = tokens->nelts;
    if (!query->fault) {
        drop_semicolon(query);
    }
}

/* What people write who know SQL from elsewhere, and what to write instead. */
#include "query/run.h"

#include <string.h>

/* Statements that are no queries. Their words may be names of members, too. */
static const char *const statements[] = {"alter", "create",  "delete",   "drop",   "insert",
                                         "merge", "replace", "truncate", "update", "upsert"};

/* Functions of other databases. */
static const struct {
    const char *name;
    const char *instead;
} functions[] = {
    {"charindex", "strpos"}, {"getdate", "now"},     {"ifnull", "coalesce"},
    {"instr", "strpos"},     {"isnull", "coalesce"}, {"len", "length"},
    {"nvl", "coalesce"},     {"sysdate", "now"},     {"ucase", "upper"},
    {"lcase", "lower"},      {"iif", "CASE"},        {"to_number", "CAST(… AS numeric)"},
};

/* 1 if the tokens begin a statement that changes something: DELETE FROM, UPDATE "form". */
static int is_change(const batch_token_t *token)
{
    size_t i;

    for (i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
        if (batch_token_is_word(token, statements[i])) {
            return batch_token_is_name(token + 1) || token[1].word == BATCH_WORD_FROM ||
                   token[1].word == BATCH_WORD_ONLY || batch_token_is_word(token + 1, "into");
        }
    }
    return 0;
}

static int advise_function(batch_query_text_t *text, const batch_token_t *token)
{
    size_t i;

    for (i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        if (batch_token_is_word(token, functions[i].name) && batch_token_is(token + 1, "(")) {
            return batch_query_fault(text, token->at, "there is no function \"%s\": use %s",
                                     batch_query_found(text, token), functions[i].instead);
        }
    }
    return 1;
}

/* 0 with a fault where a token, which is not the first but for [, is of another language. */
static int advise_token(batch_query_text_t *text, const batch_token_t *token)
{
    const char *found = batch_query_found(text, token);

    if (batch_token_is(token, ";")) {
        return batch_query_fault(text, token->at,
                                 "found \";\", but a query is one SELECT or one condition only");
    }
    if (batch_token_is(token, "[") &&
        (token == text->tokens || !batch_token_is_word(token - 1, "array"))) {
        return batch_query_fault(text, token->at,
                                 "found \"[\": a name is quoted by \", as in \"Testing App\", and "
                                 "brackets stand behind ARRAY only");
    }
    if (batch_token_is_word(token, "similar") && batch_token_is_word(token + 1, "to")) {
        return batch_query_fault(text, token->at,
                                 "found \"%s\": there are no regular expressions in this language: "
                                 "use LIKE, or ILIKE for any case",
                                 found);
    }
    if ((batch_token_is_word(token, "regexp") || batch_token_is_word(token, "rlike") ||
         batch_token_is_word(token, "glob")) &&
        token[1].kind == BATCH_TOKEN_STRING) {
        return batch_query_fault(text, token->at, "found \"%s\": use LIKE, or ILIKE for any case",
                                 found);
    }
    return 1;
}

/* The first token. */
static int advise_start(batch_query_text_t *text, const batch_query_schema_t *schema)
{
    const char *key = APR_ARRAY_IDX(schema->columns, 0, batch_query_column_t).name;
    const batch_token_t *first = text->tokens;

    if (is_change(first)) {
        return batch_query_fault(
            text, first->at,
            "found \"%s\", but a query only selects: write SELECT %s AS id FROM "
            "the form WHERE and a condition, or the condition alone; what is "
            "done with the objects is said by action",
            batch_query_found(text, first), key);
    }
    if (first->word == BATCH_WORD_WHERE) {
        return batch_query_fault(text, first->at,
                                 "found \"%s\": a condition alone stands here without WHERE",
                                 batch_query_found(text, first));
    }
    if (first->word == BATCH_WORD_SELECT && batch_token_is_word(first + 1, "top") &&
        first[2].kind == BATCH_TOKEN_INTEGER) {
        return batch_query_fault(text, first[1].at,
                                 "found \"%s\": write LIMIT %s at the end instead",
                                 batch_query_found(text, first + 1), first[2].text);
    }
    return 1;
}

int batch_query_advise(batch_query_text_t *text, const batch_query_schema_t *schema)
{
    const batch_token_t *last = text->tokens + text->count - 1;
    int i, has_from = 0;

    if (!advise_start(text, schema)) {
        return 0;
    }
    for (i = 0; i < text->count; i++) {
        const batch_token_t *token = &text->tokens[i];

        has_from |= token->kind == BATCH_TOKEN_NAME && token->word == BATCH_WORD_FROM;
        if (!advise_function(text, token) ||
            ((i || batch_token_is(token, "[")) && !advise_token(text, token))) {
            return 0;
        }
    }
    return has_from || text->tokens->word != BATCH_WORD_SELECT ||
           batch_query_fault(text, last->at,
                             "found %s, expected FROM and a form, as in FROM \"Testing App\"",
                             batch_query_found(text, last));
}

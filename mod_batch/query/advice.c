/* What people write who know SQL from elsewhere, and what to write instead. */
#include "query/run.h"

#include <string.h>

/* Statements that are no queries. Their words may be names of members, too. */
static const char *const statements[] = {"alter", "create",  "delete",   "drop",   "insert",
                                         "merge", "replace", "truncate", "update", "upsert"};

/* 1 if the tokens begin a statement that changes something: DELETE FROM, UPDATE "form". */
static int is_change(const batch_token_t *token)
{
    size_t i;

    for (i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
        if (token->kind == BATCH_TOKEN_NAME && !strcmp(token->text, statements[i])) {
            return batch_token_is_name(token + 1) || token[1].word == BATCH_WORD_FROM ||
                   token[1].word == BATCH_WORD_ONLY ||
                   (token[1].kind == BATCH_TOKEN_NAME && !strcmp(token[1].text, "into"));
        }
    }
    return 0;
}

/* 1 if the token is ANY, SOME or ALL behind a comparison. */
static int is_quantifier(const batch_token_t *token)
{
    const batch_token_t *before = token - 1;

    return token->kind == BATCH_TOKEN_NAME && batch_token_is(token + 1, "(") &&
           before->kind == BATCH_TOKEN_SYMBOL && strchr("<>=!", *before->text) &&
           (token->word == BATCH_WORD_ALL || !strcmp(token->text, "any") ||
            !strcmp(token->text, "some"));
}

int batch_query_advise(batch_query_text_t *text, const batch_query_schema_t *schema)
{
    const char *key = APR_ARRAY_IDX(schema->columns, 0, batch_query_column_t).name;
    const batch_token_t *first = text->tokens;
    int i;

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
    for (i = 1; i < text->count; i++) {
        if (is_quantifier(&first[i])) {
            return batch_query_fault(
                text, first[i].at,
                "found \"%s\", which is not part of this language: " BATCH_QUERY_LISTS,
                batch_query_found(text, &first[i]));
        }
    }
    return 1;
}

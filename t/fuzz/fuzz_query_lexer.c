/*
 * Fuzz target: a query's text as tokens. They must be in order, inside the text and decoded; a
 * fault must name its place.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "query/lexer.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static apr_pool_t *root;

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static void check_tokens(const batch_query_text_t *query, int length)
{
    int end = 0;

    for (int i = 0; i < query->count; i++) {
        const batch_token_t *token = &query->tokens[i];

        check(token->at >= end && token->end >= token->at && token->end <= length);
        check((token->kind == BATCH_TOKEN_END) == (i + 1 == query->count));
        check(token->text != NULL);
        check(*batch_query_found(query, token) != '\0');
        end = token->end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    batch_query_text_t query;
    apr_pool_t *p;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&p, root);
    batch_query_lex(&query, apr_pstrmemdup(p, (const char *)data, size), p);
    if (query.fault) {
        check(!strncmp(query.fault, "line ", 5) || !strncmp(query.fault, "is ", 3));
        check(batch_utf8_is_valid(query.fault, strlen(query.fault)));
    } else {
        check_tokens(&query, (int)strlen(query.text));
    }
    apr_pool_destroy(p);
    return 0;
}

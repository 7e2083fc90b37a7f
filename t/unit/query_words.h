/* What tests of queries share: the ids that a query selects, as words. */
#ifndef BATCH_TEST_QUERY_WORDS_H
#define BATCH_TEST_QUERY_WORDS_H

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Words in order: rows come in any. */
static const char *sorted(const char *words, apr_pool_t *p)
{
    apr_array_header_t *list = apr_array_make(p, 16, sizeof(const char *));
    char *last = NULL, *copy = apr_pstrdup(p, words);
    char *word;

    for (word = apr_strtok(copy, " ", &last); word; word = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(list, const char *) = word;
    }
    qsort(list->elts, (size_t)list->nelts, sizeof(const char *), compare_words);
    return apr_array_pstrcat(p, list, ' ');
}

#endif

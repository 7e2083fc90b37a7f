/* Parameters in the query string. */
#include "http/exchange.h"
#include "text/check.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* Pages beyond this are not numbers of pages; keeps page * limit far from overflowing. */
#define MOST_PAGE 1000000000000

const char *batch_parameter(const batch_exchange_t *x, const char *name)
{
    apr_pool_t *p = x->r->pool;
    const char *query = x->r->args;
    const char *value = NULL;

    while (query && *query) {
        const char *pair = ap_getword(p, &query, '&');
        char *key = ap_getword(p, &pair, '=');
        char *text = apr_pstrdup(p, pair);

        if (ap_unescape_urlencoded(key) == OK && !strcmp(key, name)) {
            value = ap_unescape_urlencoded(text) == OK ? text : "";
        }
    }
    return value;
}

/* A name that is shown to the client whole, and no longer than a known one could be. */
#define NAME_BYTES 64

void batch_parameters_check(batch_exchange_t *x, const batch_request_words_t *words)
{
    apr_pool_t *p = x->r->pool;
    batch_problem_list_t list = {x->problems, 0, 0};
    const char *query = x->r->args;

    while (query && *query) {
        const char *pair = ap_getword(p, &query, '&');
        char *name = ap_getword(p, &pair, '=');
        const char *wrong;

        if (ap_unescape_urlencoded(name) != OK) {
            name = apr_pstrdup(p, "?");
        }
        wrong = *name ? batch_request_word_check(name, strlen(name), words, p) : NULL;
        if (wrong && strlen(name) > NAME_BYTES) {
            batch_problem_list_add(&list, wrong, "%.*s...", NAME_BYTES, name);
        } else if (wrong) {
            batch_problem_list_add(&list, wrong, "%s", name);
        }
    }
    batch_problem_list_end(&list, "query string");
}

const char *batch_parameter_get(void *baton, const char *name)
{
    return batch_parameter(BATCH_CAST(batch_exchange_t, baton, BATCH_EXCHANGE_MAGIC), name);
}

/* Reads a number from 1 on; more than most is most if clamped, else wrong. */
static int read_number(apr_int64_t *number, const char *text, apr_int64_t most, int clamped)
{
    *number = 0;
    for (; apr_isdigit(*text); text++) {
        *number = *number > most ? *number : *number * 10 + (*text - '0');
    }
    if (*text || *number < 1 || (*number > most && !clamped)) {
        return 0;
    }
    if (*number > most) {
        *number = most;
    }
    return 1;
}

apr_int64_t batch_parameter_number(const batch_exchange_t *x, const char *name, apr_int64_t absent,
                                   apr_int64_t most, int clamped, batch_problems_t *problems)
{
    const char *text = batch_parameter(x, name);
    apr_int64_t number = absent;

    if (text && !read_number(&number, text, most, clamped)) {
        batch_problem_add(problems, name, "must be a whole number from 1 to %" APR_INT64_T_FMT,
                          most);
        return absent;
    }
    return number;
}

apr_int64_t batch_parameter_page(const batch_exchange_t *x, batch_problems_t *problems)
{
    const char *text = batch_parameter(x, "page");
    apr_int64_t page = 1;

    if (text && !read_number(&page, text, MOST_PAGE, 0)) {
        batch_problem_add(problems, "page", "must be a whole number from 1 on");
        return 1;
    }
    return page;
}

int batch_parameter_descending(const batch_exchange_t *x, int absent, batch_problems_t *problems)
{
    const char *text = batch_parameter(x, "sort_direction");
    int is_descending = text ? !strcasecmp(text, "desc") : absent;

    if (text && !is_descending && strcasecmp(text, "asc") != 0) {
        batch_problem_add(problems, "sort_direction", "must be asc or desc");
    }
    return is_descending;
}

int batch_parameter_flag(const batch_exchange_t *x, const char *name, batch_problems_t *problems)
{
    const char *text = batch_parameter(x, name);
    int is_set = text && (!*text || !strcmp(text, "1") || !strcasecmp(text, "true"));

    if (text && !is_set && strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0) {
        batch_problem_add(problems, name, "must be true or false");
    }
    return is_set;
}
